//! What a source says later takes the place of no more than it may: nothing newer, nothing whole, nothing of others.

use serde_json::{Value, json};

use crate::support::{
    app::{Answer, TestApp},
    database::both,
};

const OLD: &str = "2026-03-01T10:00:00Z";
const NEW: &str = "2026-03-04T10:00:00Z";

fn record(at: &str, mut guest: Value) -> Value {
    guest["name"] = json!({"surname": "Varela", "given": "Rita"});
    json!({
        "observed_at": at, "provenance": "declared", "guest": guest,
        "stays": [{"reservation": "R-51", "arrival": "2026-03-04", "departure": "2026-03-09", "status": "checked_in"}]
    })
}

async fn put(app: &TestApp, id: &str, record: Value) -> Answer {
    let pms = app.errand("integration", "booking").await;
    let answer = app.put(&pms, &format!("/v1/records/{id}"), record).await;
    assert!([200, 201].contains(&answer.status), "{answer:?}");
    answer
}

fn refused<'a>(answer: &'a Answer, field: &str) -> Option<&'a str> {
    let all = answer.body["rejected"].as_array().unwrap();
    let one = all.iter().find(|one| one["field"] == field);
    one.and_then(|one| one["reason"].as_str())
}

async fn revealed(app: &TestApp, guest: &str, field: &str) -> Value {
    let desk = app.errand("front_desk", "check_in").await;
    let desk = desk.with("vault-reason", "the test looks");
    let path = format!("/v1/guests/{guest}/reveal");
    let answer = app.post(&desk, &path, json!({"fields": [field]})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.value(field).clone()
}

both!(an_older_null_takes_nothing_newer_back, async |database| {
    let app = TestApp::start(database).await;
    let phones = json!({"phones": [{"number": "+351 912 000 511"}]});
    let first = put(&app, "pms/51", record(NEW, phones)).await;
    let guest = first.body["guest_id"].as_str().unwrap();
    let late = put(&app, "pms/51", record(OLD, json!({"phones": null}))).await;
    assert_eq!(refused(&late, "phones"), Some("stale"), "{late:?}");
    assert_eq!(
        revealed(&app, guest, "phones").await[0]["number"],
        "+351912000511"
    );
    let now = put(
        &app,
        "pms/51",
        record("2026-03-05T09:00:00Z", json!({"phones": null})),
    )
    .await;
    assert_eq!(refused(&now, "phones"), None, "{now:?}");
    assert!(revealed(&app, guest, "phones").await.is_null());
    app.finish().await;
});

both!(what_is_left_of_a_masked_value_replaces_none, async |database| {
    let app = TestApp::start(database).await;
    let whole = json!({
        "postal_addresses": [{"lines": ["Rua da Prata 8"], "postal_code": "1100-414", "city": "Lisboa", "country": "PT"}],
        "phones": [{"number": "+351 912 000 521"}, {"number": "+351 912 000 522"}]
    });
    let masked = json!({
        "postal_addresses": [{"lines": ["*****"], "postal_code": "*****", "city": "*****", "country": "PT"}],
        "phones": [{"number": "+351 912 *** 521"}, {"number": "+351 912 000 522"}]
    });
    let first = put(&app, "pms/52", record(OLD, whole)).await;
    let guest = first.body["guest_id"].as_str().unwrap();
    let later = put(&app, "pms/52", record(NEW, masked.clone())).await;
    for field in ["postal_addresses", "phones"] {
        assert_eq!(refused(&later, field), Some("masked"), "{later:?}");
    }
    assert_eq!(
        revealed(&app, guest, "postal_addresses").await[0]["city"],
        "Lisboa"
    );
    assert_eq!(revealed(&app, guest, "phones").await.as_array().unwrap().len(), 2);
    // Where nothing is there yet, the rest is better than nothing.
    let mut alone = record(NEW, masked);
    alone["guest"]["name"] = json!({"surname": "Quintela", "given": "Rui"});
    alone["stays"][0]["reservation"] = json!("R-53");
    let alone = put(&app, "pms/53", alone).await;
    assert_eq!(refused(&alone, "phones"), None, "{alone:?}");
    let guest = alone.body["guest_id"].as_str().unwrap();
    let phones = revealed(&app, guest, "phones").await;
    assert_eq!(phones.as_array().unwrap().len(), 1);
    assert_eq!(phones[0]["number"], "+351912000522");
    app.finish().await;
});

both!(the_vaults_own_sources_are_nobody_elses, async |database| {
    let app = TestApp::start(database).await;
    let first = put(&app, "pms/54", record(OLD, json!({}))).await;
    let guest = first.body["guest_id"].as_str().unwrap();
    let desk = app.errand("front_desk", "check_in").await;
    let path = format!("/v1/guests/{guest}");
    let fixed = json!({"name": {"given": "Rita Maria"}});
    assert_eq!(app.patch(&desk, &path, fixed).await.status, 200);
    let forged = record(NEW, json!({}));
    for source in ["vault.correction", "vault.portal", "vault.observation"] {
        let place = format!("/v1/records/{source}/{guest}");
        let answer = app.put(&desk, &place, forged.clone()).await;
        assert_eq!(
            (answer.status, &answer.body["errors"]),
            (422, &json!([{"field": "source_system", "reason": "reserved"}])),
            "{answer:?}"
        );
    }
    assert_eq!(app.get(&desk, &path).await.value("name.given"), "Rita Maria");
    app.finish().await;
});

both!(a_record_that_is_sent_again_is_no_new_yes, async |database| {
    let app = TestApp::start(database).await;
    let said = |at: &str, phone: &str, mut consent: Value| {
        consent["purpose"] = json!("marketing_direct");
        consent["channel"] = json!("web");
        let mut record = record(at, json!({"phones": [{"number": phone}]}));
        record["consents"] = json!([consent]);
        record
    };
    let yes = || json!({"state": "given", "indication": "checkbox"});
    let first = put(&app, "web/55", said(OLD, "+351912000551", yes())).await;
    let guest = first.body["guest_id"].as_str().unwrap();
    let desk = app.errand("front_desk", "check_in").await;
    let consents = format!("/v1/guests/{guest}/consents");
    let standing = async || {
        let ledger = app.get(&desk, &consents).await;
        ledger.body["standing"][0]["state"].clone()
    };
    assert_eq!(standing().await, "given");
    let no = json!({"purpose": "marketing_direct", "state": "withdrawn", "channel": "phone"});
    assert_eq!(app.post(&desk, &consents, no).await.status, 201);
    app.set_clock("2026-03-07T09:00:00Z");
    for at in ["2026-03-06T08:00:00Z", "2026-03-06T08:10:00Z"] {
        put(&app, "web/55", said(at, "+351912000552", yes())).await;
        assert_eq!(standing().await, "withdrawn");
    }
    // Said again with a time of its own, it is.
    let mut dated = yes();
    dated["at"] = json!("2026-03-06T08:20:00Z");
    put(
        &app,
        "web/55",
        said("2026-03-06T08:30:00Z", "+351912000552", dated),
    )
    .await;
    assert_eq!(standing().await, "given");
    // A no said again with a time of its own is one as well, though its clock runs ahead.
    let no = |at: &str| json!({"state": "refused", "indication": "checkbox", "at": at});
    let first = said(
        "2026-03-06T09:00:00Z",
        "+351912000553",
        no("2026-03-06T09:00:00Z"),
    );
    put(&app, "web/55", first).await;
    assert_eq!(standing().await, "refused");
    let yes =
        json!({"purpose": "marketing_direct", "state": "given", "channel": "phone", "indication": "spoken"});
    assert_eq!(app.post(&desk, &consents, yes).await.status, 201);
    assert_eq!(standing().await, "given");
    app.set_clock("2026-03-07T09:30:00Z");
    let ahead = said(
        "2026-03-07T09:20:00Z",
        "+351912000554",
        no("2026-03-07T12:00:00Z"),
    );
    put(&app, "web/55", ahead).await;
    assert_eq!(standing().await, "refused");
    app.finish().await;
});

both!(the_portfolio_follows_the_value_that_survives, async |database| {
    let app = TestApp::start(database).await;
    let named = |at: &str, manager: Value| record(at, json!({"account_manager_id": manager}));
    let first = put(&app, "pms/56", named(OLD, json!("am-1"))).await;
    let guest = first.body["guest_id"].as_str().unwrap();
    let sees = async |manager: &str| {
        let errand = app.errand("account_manager", "service_follow_up").await;
        let errand = errand.with("vault-actor", manager);
        let path = format!("/v1/guests/{guest}?fields=stay_links,phones");
        let seen = app.get(&errand, &path).await;
        assert_eq!(seen.status, 200, "{seen:?}");
        seen.value("stay_links").is_array()
    };
    assert!(sees("am-1").await);
    let crm = app.errand("crm", "loyalty").await;
    let path = format!("/v1/guests/{guest}");
    let fixed = app
        .patch(&crm, &path, json!({"account_manager_id": "am-2"}))
        .await;
    assert_eq!(fixed.status, 200, "{fixed:?}");
    assert!(sees("am-2").await && !sees("am-1").await);
    // A source's newer word does not outrank staff's.
    put(&app, "pms/56", named(NEW, json!("am-3"))).await;
    assert!(sees("am-2").await && !sees("am-3").await);
    // Nor does a less trusted source outrank the other once that is taken back.
    let unpinned = app.patch(&crm, &path, json!({"account_manager_id": null})).await;
    assert_eq!(unpinned.status, 200, "{unpinned:?}");
    assert!(sees("am-3").await && !sees("am-2").await);
    put(&app, "pms/56", named("2026-03-05T09:00:00Z", Value::Null)).await;
    assert!(!sees("am-3").await);
    app.finish().await;
});
