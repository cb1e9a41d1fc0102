//! The same said again, in another order or at the same moment: nothing is done twice, and nothing old returns.

use actix_web::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    merging::merge,
    support::{
        app::{Answer, Errand, TestApp},
        database::both,
    },
};

const DAY: &str = "2026-03-06";

fn booking(at: &str, part: &str, status: &str) -> Value {
    json!({
        "observed_at": at,
        "guest": {"name": {"surname": "Salgado", "given": "Ines"}, "birth_date": "1984-02-11",
                  "emails": [{"address": "ines@guests.example"}], "phones": [{"number": "+351 912 000 111"}]},
        "stays": [{"reservation": "R7", "arrival": DAY, "departure": "2026-03-09", "status": status, "role": part}]
    })
}

async fn put(app: &TestApp, id: &str, record: &Value) -> Answer {
    let pms = app.errand("integration", "booking").await;
    app.put(&pms, &format!("/v1/records/{id}"), record.clone()).await
}

async fn coming(app: &TestApp) -> usize {
    let desk = app.errand("front_desk", "check_in").await;
    let list = app
        .post(
            &desk,
            "/v1/stay-lists",
            json!({"property": "LIS01", "list": "arrivals", "date": DAY}),
        )
        .await;
    assert_eq!(list.status, 200, "{list:?}");
    list.body["items"].as_array().unwrap().len()
}

both!(what_was_said_later_of_a_stay_holds, async |database| {
    let app = TestApp::start(database).await;
    let first = booking("2026-03-01T10:00:00Z", "primary", "confirmed");
    put(&app, "pms/1", &first).await;
    assert_eq!(coming(&app).await, 1);
    put(
        &app,
        "pms/1",
        &booking("2026-03-03T10:00:00Z", "primary", "cancelled"),
    )
    .await;
    assert_eq!(coming(&app).await, 0);
    // The older message comes late.
    let late = put(&app, "pms/1", &first).await;
    let stale = json!({"field": "stays", "reason": "stale"});
    assert!(
        late.body["rejected"].as_array().unwrap().contains(&stale),
        "{late:?}"
    );
    assert_eq!(coming(&app).await, 0);
    app.finish().await;
});

both!(who_booked_for_herself_comes, async |database| {
    let app = TestApp::start(database).await;
    let at = "2026-03-01T10:00:00Z";
    put(&app, "crs/R7:primary", &booking(at, "primary", "confirmed")).await;
    let booker = put(&app, "crs/B7:booker", &booking(at, "booker", "confirmed")).await;
    assert_eq!(booker.body["resolution"]["outcome"], "linked", "{booker:?}");
    assert_eq!(coming(&app).await, 1);
    // Later she is named as the booker only: somebody else comes.
    let later = booking("2026-03-02T10:00:00Z", "booker", "confirmed");
    put(&app, "crs/B7:booker", &later).await;
    assert_eq!(coming(&app).await, 0);
    app.finish().await;
});

both!(an_excerpt_replaces_no_list, async |database| {
    let app = TestApp::start(database).await;
    let whole = json!({
        "observed_at": "2026-03-01T10:00:00Z",
        "guest": {"name": {"surname": "Okoye"}, "phones": [{"number": "+351 912 000 221"}, {"number": "+351 912 000 222"}]},
        "stays": [{"reservation": "R8", "arrival": "2026-03-05", "departure": "2026-03-09", "status": "checked_in"}]
    });
    let guest = put(&app, "pms/8", &whole).await.body["guest_id"].clone();
    let part = json!({
        "observed_at": "2026-03-02T10:00:00Z", "excerpt": true,
        "guest": {"name": {"surname": "Okoye-Lund"}, "phones": [{"number": "+351 912 000 221"}], "vehicle_plates": ["AA-11-BB"]}
    });
    let answer = put(&app, "pms/8", &part).await;
    assert_eq!(
        answer.body["rejected"],
        json!([{"field": "phones", "reason": "excerpt"}])
    );
    let desk = app.errand("front_desk", "check_in").await;
    let path = format!(
        "/v1/guests/{}?fields=name,phones,vehicle_plates",
        guest.as_str().unwrap()
    );
    let read = app.get(&desk, &path).await;
    assert_eq!(read.value("name.surname"), "Okoye-Lund");
    assert_eq!(read.value("phones").as_array().unwrap().len(), 2, "{read:?}");
    assert_eq!(read.value("vehicle_plates"), &json!(["AA11BB"]));
    app.finish().await;
});

both!(a_flag_that_is_still_set_is_no_new_yes, async |database| {
    let app = TestApp::start(database).await;
    let record = |at: &str, state: &str, phone: &str| {
        json!({
            "observed_at": at, "guest": {"name": {"surname": "Brandt"}, "phones": [{"number": phone}]},
            "consents": [{"purpose": "marketing_direct", "state": state, "channel": "pms", "indication": "imported_flag", "at": at}],
            "stays": [{"reservation": "R9", "arrival": "2026-03-05", "departure": "2026-03-09", "status": "checked_in"}]
        })
    };
    let first = put(
        &app,
        "pms/9",
        &record("2026-03-01T10:00:00Z", "given", "+351912000331"),
    )
    .await;
    let guest = first.body["guest_id"].as_str().unwrap().to_owned();
    let member = app.errand("front_desk", "check_in").await;
    let consents = format!("/v1/guests/{guest}/consents");
    let no = json!({"purpose": "marketing_direct", "state": "withdrawn", "channel": "web"});
    let said = app.post(&member, &consents, no).await;
    assert_eq!(said.status, 201, "{said:?}");
    app.set_clock("2026-03-06T09:00:00Z");
    put(
        &app,
        "pms/9",
        &record("2026-03-06T08:00:00Z", "given", "+351912000332"),
    )
    .await;
    let standing = async || {
        let ledger = app.get(&member, &consents).await;
        ledger.body["standing"][0]["state"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(standing().await, "withdrawn");
    // Taken away and set again, it is.
    put(
        &app,
        "pms/9",
        &record("2026-03-06T08:10:00Z", "refused", "+351912000332"),
    )
    .await;
    put(
        &app,
        "pms/9",
        &record("2026-03-06T08:20:00Z", "given", "+351912000332"),
    )
    .await;
    assert_eq!(standing().await, "given");
    app.finish().await;
});

both!(what_a_source_still_holds_is_no_news, async |database| {
    let app = TestApp::start(database).await;
    let record = |at: &str, language: &str, departure: &str| {
        let mut record = booking(at, "primary", "checked_in");
        record["guest"]["preferred_language"] = json!(language);
        record["stays"][0]["arrival"] = json!("2026-03-05");
        record["stays"][0]["departure"] = json!(departure);
        record
    };
    let first = put(&app, "pms/1", &record("2026-03-01T10:00:00Z", "pt", "2026-03-09")).await;
    let guest = first.body["guest_id"].as_str().unwrap().to_owned();
    let mut said = booking("2026-03-02T10:00:00Z", "primary", "checked_in");
    said["guest"]["preferred_language"] = json!("de");
    said.as_object_mut().unwrap().remove("stays");
    let web = put(&app, "web/1", &said).await;
    assert_eq!(web.body["guest_id"], first.body["guest_id"], "{web:?}");
    let desk = app.errand("front_desk", "check_in").await;
    let language = async || {
        let path = format!("/v1/guests/{guest}?fields=preferred_language");
        app.get(&desk, &path).await.value("preferred_language").clone()
    };
    assert_eq!(language().await, "de");
    // The same once more, with a longer stay: the other source's word is the newer one still.
    put(&app, "pms/1", &record("2026-03-03T10:00:00Z", "pt", "2026-03-10")).await;
    assert_eq!(language().await, "de");
    let listener = app.role("integration").await;
    let told = app.get(&listener, "/v1/events").await;
    let last = told.body["items"].as_array().unwrap().last().unwrap();
    assert_eq!(last["data"]["fields"], json!(["stay_links"]), "{last}");
    // What the source had changed before it said so once more comes late.
    let late = put(&app, "pms/1", &record("2026-03-02T12:00:00Z", "fr", "2026-03-09")).await;
    let stale = json!({"field": "preferred_language", "reason": "stale"});
    assert!(
        late.body["rejected"].as_array().unwrap().contains(&stale),
        "{late:?}"
    );
    assert_eq!(language().await, "de");
    put(&app, "pms/1", &record("2026-03-04T10:00:00Z", "fr", "2026-03-10")).await;
    assert_eq!(language().await, "fr");
    app.finish().await;
});

both!(
    a_flag_of_another_record_does_not_stand_against_a_no,
    async |database| {
        let app = TestApp::start(database).await;
        let record = |at: &str, indication: &str| {
            let mut record = booking(at, "primary", "checked_in");
            record["stays"][0]["arrival"] = json!("2026-03-05");
            record["consents"] = json!([{"purpose": "marketing_direct", "state": "given", "channel": "pms",
                                     "indication": indication, "at": at}]);
            record
        };
        let first = put(&app, "pms/1", &record("2026-03-01T10:00:00Z", "imported_flag")).await;
        let guest = first.body["guest_id"].as_str().unwrap().to_owned();
        let member = app.errand("front_desk", "check_in").await;
        let consents = format!("/v1/guests/{guest}/consents");
        let standing = async || app.get(&member, &consents).await.body["standing"][0]["state"].clone();
        assert_eq!(standing().await, "given");
        let no = json!({"purpose": "marketing_direct", "state": "withdrawn", "channel": "web"});
        assert_eq!(app.post(&member, &consents, no).await.status, 201);
        // A profile of the same person that nobody had sent before: its box was never cleared.
        app.set_clock("2026-03-06T09:00:00Z");
        let other = put(&app, "pms/2", &record("2026-03-06T08:00:00Z", "imported_flag")).await;
        assert_eq!(other.body["guest_id"], first.body["guest_id"], "{other:?}");
        let refused = json!({"field": "consents", "reason": "refused_elsewhere"});
        assert!(
            other.body["rejected"].as_array().unwrap().contains(&refused),
            "{other:?}"
        );
        assert_eq!(standing().await, "withdrawn");
        // An act of the guest's does count.
        put(&app, "pms/2", &record("2026-03-06T08:30:00Z", "checkbox")).await;
        assert_eq!(standing().await, "given");
        app.finish().await;
    }
);

both!(what_has_had_its_time_is_not_brought_in, async |database| {
    let app = TestApp::start(database).await;
    let pms = app.errand("integration", "loyalty").await;
    let line = json!({"source_system": "old", "source_id": "77", "observed_at": "2014-05-01T10:00:00Z",
        "guest": {"name": {"surname": "Vieira"}, "phones": [{"number": "+351912000441"}]}});
    for (query, outcome) in [("?dry_run=true", "created"), ("", "created")] {
        let request = TestApp::request(&pms, Method::POST, &format!("/v1/imports{query}"))
            .insert_header(("content-type", "application/x-ndjson"))
            .set_payload(line.to_string());
        let answer = app.send(request).await;
        let text = String::from_utf8(answer.bytes.clone()).unwrap();
        let told: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(told["outcome"], outcome, "{told}");
        let lapsed = json!({"field": "phones", "reason": "lapsed"});
        assert!(
            told["rejected"].as_array().unwrap().contains(&lapsed),
            "{query}: {told}"
        );
    }
    app.finish().await;
});

async fn consent(app: &TestApp, errand: &Errand, guest: &str, state: &str) -> Answer {
    let line =
        json!({"purpose": "marketing_direct", "state": state, "channel": "web", "indication": "checkbox"});
    app.post(errand, &format!("/v1/guests/{guest}/consents"), line)
        .await
}

both!(a_key_runs_once_also_at_the_same_moment, async |database| {
    let app = TestApp::start(database).await;
    let guest = put(
        &app,
        "pms/1",
        &booking("2026-03-01T10:00:00Z", "primary", "checked_in"),
    )
    .await;
    let guest = guest.body["guest_id"].as_str().unwrap().to_owned();
    let desk = app.errand("front_desk", "check_in").await;
    let keyed = desk.clone().with("idempotency-key", "one");
    let answers = join_all((0..6).map(|_| consent(&app, &keyed, &guest, "given"))).await;
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.body),
            (201, &answers[0].body),
            "{answer:?}"
        );
    }
    // Two bodies with one key: one of them is done, the other refused.
    let other = desk.clone().with("idempotency-key", "two");
    let said = ["given", "refused", "given", "refused"];
    let answers = join_all(said.iter().map(|state| consent(&app, &other, &guest, state))).await;
    let done = answers.iter().filter(|a| a.status == 201).count();
    let refused = answers.iter().filter(|a| a.status == 422).count();
    assert_eq!((done, refused), (2, 2), "{answers:?}");
    let ledger = app.get(&desk, &format!("/v1/guests/{guest}/consents")).await;
    assert_eq!(ledger.body["history"].as_array().unwrap().len(), 2, "{ledger:?}");
    // What one person did is not answered to another, nor what was allowed for one purpose for another; what failed can be
    // tried again.
    let another = keyed.clone().with("vault-actor", "somebody-else");
    assert_eq!(consent(&app, &another, &guest, "given").await.status, 422);
    let elsewhere = keyed.about("stay_service");
    assert_eq!(consent(&app, &elsewhere, &guest, "given").await.status, 422);
    let failing = desk.with("idempotency-key", "three");
    assert_eq!(consent(&app, &failing, &guest, "no such state").await.status, 400);
    let unknown = uuid::Uuid::now_v7().to_string();
    assert_eq!(consent(&app, &failing, &unknown, "given").await.status, 404);
    assert_eq!(consent(&app, &failing, &unknown, "given").await.status, 404);
    app.finish().await;
});

both!(a_stale_tag_is_refused_on_every_write, async |database| {
    let app = TestApp::start(database).await;
    let record = booking("2026-03-01T10:00:00Z", "primary", "checked_in");
    let guest = put(&app, "pms/1", &record).await.body["guest_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let stale = app
        .errand("integration", "booking")
        .await
        .with("if-match", "\"77\"");
    assert_eq!(
        app.put(&stale, "/v1/records/pms/1", record.clone()).await.status,
        412
    );
    assert_eq!(
        app.put(&stale, "/v1/records/pms/2", record.clone()).await.status,
        412
    );
    let desk = app.errand("front_desk", "check_in").await;
    let stale = desk.clone().with("if-match", "\"77\"");
    assert_eq!(consent(&app, &stale, &guest, "given").await.status, 412);
    let present = desk.with("if-match", "\"1\"");
    assert_eq!(consent(&app, &present, &guest, "given").await.status, 201);
    app.finish().await;
});

both!(a_retired_id_leads_on_for_those_who_may_know, async |database| {
    let app = TestApp::start(database).await;
    let one = booking("2026-03-01T10:00:00Z", "primary", "checked_in");
    let mut other = booking("2026-03-01T10:00:00Z", "primary", "checked_in");
    other["guest"] = json!({"name": {"surname": "Lindqvist", "given": "Per"}});
    let id = |answer: Answer| answer.body["guest_id"].as_str().unwrap().to_owned();
    let (one, other) = (
        id(put(&app, "pms/1", &one).await),
        id(put(&app, "pms/2", &other).await),
    );
    assert_eq!(merge(&app, &one, &other, "").await.status, 201);
    let desk = app.errand("front_desk", "check_in").await;
    // A withdrawal finds its way.
    let said = consent(&app, &desk, &other, "withdrawn").await;
    assert_eq!(said.status, 308, "{said:?}");
    assert_eq!(said.headers["location"], format!("/v1/guests/{one}/consents"));
    let observed = app
        .post(
            &desk,
            &format!("/v1/guests/{other}/observations"),
            json!({"text": "likes tea"}),
        )
        .await;
    assert_eq!(observed.status, 308, "{observed:?}");
    // Who may not know of the survivor learns nothing from the other id.
    let stranger = app
        .role("guest")
        .await
        .about("subject_request")
        .with("vault-actor", uuid::Uuid::now_v7().to_string());
    let path = |guest: &str| format!("/v1/guests/{guest}?fields=name");
    let hidden = app.get(&stranger, &path(&one)).await;
    let retired = app.get(&stranger, &path(&other)).await;
    assert_eq!(
        (hidden.status, retired.status),
        (404, 404),
        "{hidden:?} {retired:?}"
    );
    assert!(!retired.headers.contains_key("location"));
    app.finish().await;
});
