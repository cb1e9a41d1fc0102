//! Many guests at once: one person orders, another agrees, and each guest is decided on and recorded as ever.

use std::pin::Pin;

use actix_web::{
    body::{BoxBody, MessageBody as _},
    http::Method,
};
use guest_vault::{access::ApiKey, base::RequestId};
use serde_json::{Value, json};

use crate::{
    consent::{with, yes},
    support::{
        app::{Answer, Errand, TestApp},
        database::both,
    },
};

const PURPOSE: &str = "marketing_direct";

/// A guest of LIS01, or one who never came.
async fn guest(app: &TestApp, number: usize, came: bool) -> String {
    let mut record = json!({
        "guest": {"name": {"surname": format!("Exportada{number}"), "given": "Rita"},
                  "birth_date": format!("19{}-05-1{number}", 60 + number),
                  "emails": [{"address": format!("rita{number}@exported.example")}]}
    });
    if came {
        record["stays"] = json!([{"reservation": format!("R-{number}"), "property": "LIS01", "arrival": "2026-02-04",
                                  "departure": "2026-02-07", "status": "checked_out"}]);
    }
    app.guest(&format!("pms/x{number}"), record).await
}

async fn order(app: &TestApp, crm: &Errand, fields: &[&str]) -> String {
    let answer = app.post(crm, "/v1/exports", json!({ "fields": fields })).await;
    assert_eq!(
        (answer.status, &answer.body["state"]),
        (201, &json!("waiting")),
        "{answer:?}"
    );
    answer.body["export_id"].as_str().unwrap().to_owned()
}

async fn decide(app: &TestApp, by: &Errand, id: &str, approve: bool) -> Answer {
    let path = format!("/v1/exports/{id}/decision");
    app.post(by, &path, json!({ "approve": approve })).await
}

/// The guests of an export, and its last line.
fn lines(answer: &Answer) -> (Vec<Value>, Value) {
    let text = answer.text();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let end = lines.pop().unwrap();
    (lines, end)
}

fn ids(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["guest_id"].as_str().unwrap())
        .collect()
}

both!(
    who_agreed_is_exported_once_after_a_second_person_agrees,
    async |database| {
        let app = TestApp::start(database).await;
        let crm = app.errand("crm", PURPOSE).await.at("GROUP");
        let mut guests = Vec::new();
        for number in 0..5 {
            guests.push(guest(&app, number, number != 2).await);
        }
        let say = async |number: usize, state: &str| {
            let path = format!("/v1/guests/{}/consents", guests[number]);
            let said = app.post(&crm, &path, with(yes(PURPOSE), "state", state)).await;
            assert_eq!(said.status, 201, "{said:?}");
        };
        for (number, state) in [
            (0, "given"),
            (1, "given"),
            (2, "given"),
            (3, "refused"),
            (1, "withdrawn"),
        ] {
            say(number, state).await;
        }
        let officer = app.errand("compliance_officer", "audit").await.at("GROUP");
        let id = order(&app, &crm, &["name", "emails"]).await;
        let (path, fetch) = (format!("/v1/exports/{id}"), format!("/v1/exports/{id}/guests"));
        let early = app.get(&crm, &fetch).await;
        assert_eq!((early.status, early.problem()), (409, "conflict"), "{early:?}");
        // Its own author cannot agree, not by another key either; nor can a role without the right.
        assert_eq!(decide(&app, &crm, &id, true).await.status, 403);
        let agreed = decide(&app, &officer, &id, true).await;
        assert_eq!(
            (agreed.status, &agreed.body["state"]),
            (200, &json!("approved")),
            "{agreed:?}"
        );
        assert_eq!(decide(&app, &officer, &id, false).await.status, 409);
        // What was approved is its author's alone, and for what it was approved.
        assert_eq!(app.get(&officer, &fetch).await.status, 404);
        let colleague = crm.clone().with("Vault-Actor", "crm-2");
        assert_eq!(app.get(&colleague, &fetch).await.status, 404);
        assert_eq!(app.get(&crm.clone().about("survey"), &fetch).await.status, 400);
        assert_eq!(app.get(&crm.clone().at("LIS01"), &fetch).await.status, 400);

        let answer = app.get(&crm, &fetch).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/x-ndjson");
        let (shown, end) = lines(&answer);
        let mut expected = vec![guests[0].as_str(), guests[2].as_str()];
        expected.sort_unstable();
        assert_eq!(ids(&shown), expected);
        assert_eq!(end, json!({"complete": true, "guests": 2}));
        for line in &shown {
            let fields = &line["fields"];
            assert_eq!(fields["name.surname"]["view"], "plain", "{line}");
            assert_eq!(fields["emails"]["view"], "masked", "{line}");
            assert!(fields["birth_date"].is_null(), "{line}");
        }
        assert!(!answer.text().contains("@exported.example"), "masked");

        // Once: another needs another approval.
        let again = app.get(&crm, &fetch).await;
        assert_eq!(again.status, 409, "{again:?}");
        let told = app.get(&officer, &path).await;
        assert_eq!(
            (&told.body["state"], &told.body["guests"]),
            (&json!("done"), &json!(2)),
            "{told:?}"
        );
        assert_eq!(
            told.body["fields"],
            json!([
                "name.full",
                "name.surname",
                "name.given",
                "name.prefix",
                "name.suffix",
                "name.native",
                "emails"
            ]),
            "{told:?}"
        );

        // Each guest is on record, and counts as seen.
        app.app.settle_log().await;
        let auditor = app.errand("auditor", "audit").await.at("GROUP");
        let entries = app
            .get(&auditor, "/v1/audit/entries?action=export&limit=200")
            .await;
        let entries = entries.body["items"].as_array().unwrap();
        let of_guests: Vec<&Value> = entries.iter().filter(|one| !one["guest_id"].is_null()).collect();
        assert_eq!(of_guests.len(), 2);
        for entry in of_guests {
            assert_eq!(entry["leaf"]["fields"]["emails"], "masked", "{entry}");
        }
        let outcomes: Vec<&str> = entries
            .iter()
            .filter_map(|one| one["leaf"]["outcome"].as_str())
            .collect();
        for outcome in ["ordered", "approved", "begun", "done"] {
            assert!(outcomes.contains(&outcome), "{outcome}: {outcomes:?}");
        }
        let asked =
            json!({"property": "GROUP", "from": "2026-03-01T00:00:00Z", "to": "2026-03-31T00:00:00Z"});
        let exposure = app.post(&officer, "/v1/audit/exposure", asked).await;
        assert_eq!(exposure.body["guests"], 2, "{exposure:?}");
        app.finish().await;
    }
);

both!(
    a_hotel_exports_its_own_guests_and_goes_on_where_it_broke,
    async |database| {
        let app = TestApp::start(database).await;
        let mut guests = Vec::new();
        for number in 0..6 {
            guests.push(guest(&app, number, number > 1).await);
        }
        let mut here = guests[2..].to_vec();
        here.sort_unstable();
        let crm = app.errand("crm", "survey").await;
        let manager = app.errand("general_manager", "complaint_handling").await;
        let id = order(&app, &crm, &[]).await;
        assert_eq!(decide(&app, &manager, &id, true).await.status, 200);
        let rest = app
            .get(&crm, &format!("/v1/exports/{id}/guests?after={}", here[1]))
            .await;
        let (shown, end) = lines(&rest);
        assert_eq!(ids(&shown), [here[2].as_str(), here[3].as_str()]);
        assert_eq!(end["guests"], 2);
        // The whole house has those who never came as well.
        let crm = crm.at("GROUP");
        let id = order(&app, &crm, &[]).await;
        assert_eq!(decide(&app, &manager, &id, true).await.status, 200);
        let (shown, _) = lines(&app.get(&crm, &format!("/v1/exports/{id}/guests")).await);
        assert_eq!(shown.len(), 6);
        app.finish().await;
    }
);

both!(what_may_not_be_exported_is_refused, async |database| {
    let app = TestApp::start(database).await;
    guest(&app, 1, true).await;
    let crm = app.errand("crm", "survey").await;
    let officer = app.errand("compliance_officer", "audit").await.at("GROUP");
    let post = async |errand: &Errand, body: Value| app.post(errand, "/v1/exports", body).await;
    for role in ["front_desk", "admin", "auditor", "compliance_officer"] {
        let errand = app.errand(role, "survey").await;
        assert_eq!(post(&errand, json!({})).await.status, 403, "{role}");
        let listed = app.get(&errand, "/v1/exports").await.status;
        assert_eq!(
            listed,
            if role == "compliance_officer" { 200 } else { 403 },
            "{role}"
        );
    }
    for fields in [
        json!(["name", "id_documents"]),
        json!(["health"]),
        json!(["shoe_size"]),
    ] {
        let refused = post(&crm, json!({ "fields": fields })).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        let field = refused.body["errors"][0]["field"].as_str().unwrap();
        assert!(field.starts_with("fields["), "{refused:?}");
    }
    // One person with two keys is one person.
    let same = |errand: &Errand| errand.clone().with("Vault-Actor", "staff-9");
    let id = order(&app, &same(&crm), &["name"]).await;
    let own = decide(&app, &same(&officer), &id, true).await;
    assert_eq!(own.status, 409, "{own:?}");
    assert_eq!(decide(&app, &officer, &id, false).await.body["state"], "rejected");
    assert_eq!(
        app.get(&same(&crm), &format!("/v1/exports/{id}/guests"))
            .await
            .status,
        409
    );
    // The same order twice is one order.
    let keyed = crm.clone().with("Idempotency-Key", "export-1");
    let (one, other) = (
        post(&keyed, json!({"fields": ["name"]})).await,
        post(&keyed, json!({"fields": ["name"]})).await,
    );
    assert_eq!(one.body["export_id"], other.body["export_id"]);
    // Whoever answers for one hotel does not agree for the group.
    let all = order(&app, &crm.clone().at("GROUP"), &["name"]).await;
    let local = app
        .role_in("general_manager", &["LIS01"])
        .await
        .about("complaint_handling");
    assert_eq!(decide(&app, &local, &all, true).await.status, 404);
    // What nobody fetched in time is over.
    let id = one.body["export_id"].as_str().unwrap();
    assert_eq!(decide(&app, &officer, id, true).await.status, 200);
    app.set_clock("2026-03-08T23:00:00Z");
    let late = app.get(&crm, &format!("/v1/exports/{id}/guests")).await;
    assert_eq!(late.status, 409, "{late:?}");
    assert_eq!(
        app.get(&crm, &format!("/v1/exports/{id}")).await.body["state"],
        "expired"
    );
    // An order that waited too long, too.
    let id = order(&app, &crm, &["name"]).await;
    app.set_clock("2026-03-17T00:00:00Z");
    assert_eq!(decide(&app, &officer, &id, true).await.status, 409);
    app.finish().await;
});

/// The same caller as `app.errand(role, purpose)`, for calls past the address: an answer that breaks off cannot be had
/// through it here.
async fn inner_errand(app: &TestApp, role: &str, purpose: &str) -> guest_vault::base::Errand {
    let key = ApiKey::parse(&app.key(role, &["GROUP"]).await).unwrap();
    guest_vault::base::Errand {
        caller: app.app.access.principals.authenticate(&key).await.unwrap(),
        property: "LIS01".parse().unwrap(),
        purpose: purpose.parse().unwrap(),
        reason: None,
        request: RequestId::random(),
    }
}

/// An export of four guests of LIS01 that may be fetched, and their ids in its order.
async fn approved(app: &TestApp) -> (Errand, String, Vec<String>) {
    let mut guests = Vec::new();
    for number in 0..4 {
        guests.push(guest(app, number, true).await);
    }
    guests.sort_unstable();
    let crm = app.errand("crm", "survey").await;
    let manager = app.errand("general_manager", "complaint_handling").await;
    let id = order(app, &crm, &["name"]).await;
    assert_eq!(decide(app, &manager, &id, true).await.status, 200);
    (crm, id, guests)
}

both!(of_parallel_fetches_one_gets_the_guests, async |database| {
    let app = TestApp::start(database).await;
    let (crm, id, guests) = approved(&app).await;
    let (path, fetch) = (format!("/v1/exports/{id}"), format!("/v1/exports/{id}/guests"));
    let answers = futures_util::future::join_all((0..6).map(|_| app.get(&crm, &fetch))).await;
    let (good, shut): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|one| one.status == 200);
    assert_eq!(good.len(), 1, "{answers:?}");
    assert!(shut.iter().all(|one| one.status == 409), "{answers:?}");
    assert_eq!(ids(&lines(good[0]).0), guests);
    let told = app.get(&crm, &path).await;
    assert_eq!(
        (&told.body["state"], &told.body["guests"]),
        (&json!("done"), &json!(4)),
        "{told:?}"
    );
    app.finish().await;
});

/// The next part of a body; an error where it breaks off.
async fn part(body: &mut Pin<Box<BoxBody>>) -> Option<Result<String, ()>> {
    let part = std::future::poll_fn(|context| body.as_mut().poll_next(context)).await?;
    Some(
        part.map_err(drop)
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()),
    )
}

both!(
    who_is_revoked_gets_nothing_more_of_an_answer_that_goes_on,
    async |database| {
        let app = TestApp::start(database).await;
        let (crm, id, _) = approved(&app).await;
        let auditor = app.errand("auditor", "internal_audit").await;
        let integration = app.errand("integration", "booking").await;
        let question =
            r#"{"guest":{"name":{"surname":"Exportada1","given":"Rita"},"birth_date":"1961-05-11"}}"#;
        let record = r#"{"source_system":"pms","source_id":"late","guest":{"name":{"surname":"Late"}}}"#;
        let ndjson = |errand: &Errand, path: &str, body: &'static str| {
            let request = TestApp::request(errand, Method::POST, path);
            request
                .insert_header(("content-type", "application/x-ndjson"))
                .set_payload(body)
        };
        let get = |errand: &Errand, path: &str| TestApp::request(errand, Method::GET, path);
        let mut going = Vec::new();
        for request in [
            get(&crm, &format!("/v1/exports/{id}/guests")),
            get(&auditor, "/v1/audit/export?format=ocsf"),
            ndjson(&integration, "/v1/resolve/batch", question),
            ndjson(&integration, "/v1/imports", record),
        ] {
            let (status, body) = app.begin(request).await;
            assert_eq!(status, 200);
            going.push(body);
        }
        let by = guest_vault::access::operator().unwrap();
        for role in ["crm", "auditor", "integration"] {
            let key = app.key(role, &["GROUP"]).await;
            let principal = ApiKey::parse(&key).unwrap().principal();
            let revoked = app
                .app
                .access
                .principals
                .revoke(principal, &by, RequestId::random());
            revoked.await.unwrap();
        }
        let [export, log, batch, import] = going.try_into().ok().unwrap();
        for mut body in [export, log, batch] {
            assert_eq!(part(&mut body).await, Some(Err(())));
        }
        // What was taken has its answer, so the last line says why there is no more.
        let mut import = import;
        let last = part(&mut import).await.unwrap().unwrap();
        assert!(last.contains("/problems/unauthenticated"), "{last}");
        assert_eq!(part(&mut import).await, None);
        assert_eq!(
            app.app
                .vault
                .store
                .read()
                .await
                .unwrap()
                .guests_count()
                .await
                .unwrap(),
            4
        );
        app.finish().await;
    }
);

both!(what_broke_off_goes_on_and_is_not_begun_again, async |database| {
    let app = TestApp::start(database).await;
    let (crm, id, guests) = approved(&app).await;
    let (path, fetch) = (format!("/v1/exports/{id}"), format!("/v1/exports/{id}/guests"));
    let errand = inner_errand(&app, "crm", "survey").await;
    let export = id.parse().unwrap();
    let mut broken = app.app.vault.fetch_export(&errand, export, None).await.unwrap();
    assert_eq!(broken.page().await.unwrap().unwrap().len(), 4);
    // All went out, and two of them arrived.
    let anew = app.get(&crm, &fetch).await;
    assert_eq!((anew.status, anew.problem()), (409, "conflict"), "{anew:?}");
    let rest = app.get(&crm, &format!("{fetch}?after={}", guests[1])).await;
    let (shown, end) = lines(&rest);
    assert_eq!(ids(&shown), guests[2..]);
    assert_eq!(end["guests"], 2);
    // Who goes on has taken it over.
    assert!(broken.page().await.is_err());
    let told = app.get(&crm, &path).await;
    assert_eq!(
        (&told.body["state"], &told.body["guests"]),
        (&json!("done"), &json!(4)),
        "{told:?}"
    );
    app.finish().await;
});

both!(
    nobody_goes_on_from_before_where_another_went_on,
    async |database| {
        let app = TestApp::start(database).await;
        let (crm, id, guests) = approved(&app).await;
        let fetch = format!("/v1/exports/{id}/guests");
        let errand = inner_errand(&app, "crm", "survey").await;
        let export = id.parse().unwrap();
        let after = |at: usize| Some(guests[at].parse().unwrap());
        let vault = &app.app.vault;
        let mut first = vault.fetch_export(&errand, export, None).await.unwrap();
        first.page().await.unwrap();
        let mut second = vault.fetch_export(&errand, export, after(2)).await.unwrap();
        let back = app.get(&crm, &format!("{fetch}?after={}", guests[0])).await;
        assert_eq!(back.status, 409, "{back:?}");
        // What is over is cut short, also in the middle.
        assert_eq!(second.page().await.unwrap().unwrap().len(), 1);
        let mut third = vault.fetch_export(&errand, export, after(2)).await.unwrap();
        app.set_clock("2026-03-08T23:00:00Z");
        assert!(third.page().await.is_err());
        app.finish().await;
    }
);

both!(exports_beyond_the_callers_reach_are_not_there, async |database| {
    let app = TestApp::start(database).await;
    let crm = app.errand("crm", "survey").await;
    let all = order(&app, &crm.clone().at("GROUP"), &["name"]).await;
    let here = order(&app, &crm, &["name"]).await;
    let there = order(&app, &crm.clone().at("SHA01"), &["name"]).await;
    let local = app
        .role_in("general_manager", &["LIS01"])
        .await
        .about("complaint_handling");
    let listed = async |errand: &Errand, query: &str| {
        let answer = app.get(errand, &format!("/v1/exports{query}")).await;
        let items = answer.body["items"].as_array().unwrap().clone();
        let ids = items
            .iter()
            .map(|one| one["export_id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), answer.body["next_cursor"].clone())
    };
    assert_eq!(
        listed(&local, "?limit=1").await,
        (vec![here.clone()], Value::Null)
    );
    assert_eq!(app.get(&local, &format!("/v1/exports/{here}")).await.status, 200);
    for id in [&all, &there] {
        assert_eq!(app.get(&local, &format!("/v1/exports/{id}")).await.status, 404);
    }
    // Who ordered them and who answers for the group have them all.
    for errand in [&crm, &app.errand("general_manager", "complaint_handling").await] {
        let newest_first = vec![there.clone(), here.clone(), all.clone()];
        assert_eq!(listed(errand, "").await.0, newest_first);
    }
    // What waits elsewhere, and one's own, does not hide what is to be decided.
    let mut errand = inner_errand(&app, "general_manager", "complaint_handling").await;
    errand.caller.scope = vec!["LIS01".parse().unwrap()];
    assert_eq!(app.app.vault.exports_to_decide(&errand, 1).await.unwrap(), 1);
    let row_author = app.get(&crm, &format!("/v1/exports/{here}")).await;
    errand.caller.principal = row_author.body["author"].as_str().unwrap().parse().unwrap();
    assert_eq!(app.app.vault.exports_to_decide(&errand, 1).await.unwrap(), 0);
    let other = order(&app, &crm.with("Vault-Actor", "crm-2"), &["name"]).await;
    errand.caller.actor = Some("gm-1".to_owned());
    assert_eq!(
        app.app.vault.exports_to_decide(&errand, 1).await.unwrap(),
        1,
        "{other}"
    );
    app.finish().await;
});
