//! What holds an import where it is, before it is taken back and while it is.

use std::collections::BTreeSet;

use actix_web::http::Method;
use futures_util::future::{join, join_all};
use guest_vault::on;
use serde_json::{Value, json};

use crate::{
    imports::{lines, record, send},
    merging::{merge, undo},
    support::{
        app::{Answer, Errand, TestApp},
        database::both,
    },
};

/// Somebody whom nobody else resembles.
fn stranger(id: u32) -> Value {
    let syllables = ["ba", "ko", "mi", "tu", "re", "sa", "ni", "lo", "vu", "pe"];
    let digits = (id * 7919 % 1_000_000).to_string();
    let name: String = digits
        .bytes()
        .map(|digit| syllables[usize::from(digit - b'0')])
        .collect();
    json!({"source_system": "old", "source_id": id.to_string(),
           "guest": {"name": {"surname": name, "given": "Ana"}, "emails": [{"address": format!("{name}@guests.example")}]}})
}

/// An import of these records: its id, and the guests.
async fn imported(app: &TestApp, pms: &Errand, records: &[Value]) -> (String, Vec<String>) {
    let body: Vec<String> = records.iter().map(Value::to_string).collect();
    let all = lines(&send(app, pms, "", body.join("\n")).await);
    let (last, told) = all.split_last().unwrap();
    let guests = told
        .iter()
        .map(|line| line["guest_id"].as_str().unwrap().to_owned());
    (last["import_id"].as_str().unwrap().to_owned(), guests.collect())
}

async fn roll_back(app: &TestApp, pms: &Errand, import: &str) -> Answer {
    let path = format!("/v1/imports/{import}/rollback");
    app.post(pms, &path, Value::Null).await
}

/// The guests that are there.
async fn there(app: &TestApp) -> BTreeSet<String> {
    let mut conn = app.app.vault.store.read().await.unwrap();
    let guests: Vec<uuid::Uuid> =
        on!(&mut conn, c => sqlx::query_scalar("SELECT guest_id FROM guest").fetch_all(c).await.unwrap());
    guests.iter().map(uuid::Uuid::to_string).collect()
}

both!(
    what_is_acknowledged_while_an_import_is_taken_back_is_there_afterwards,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let officer = app.errand("compliance_officer", "subject_request").await;
        let officer = officer.with("vault-actor", "o-1");
        let keeping = app.errand("housekeeping", "stay_service").await;
        let desk = app.errand("front_desk", "check_in").await;
        let records: Vec<Value> = (1000..1240).map(stranger).collect();
        let (import, guests) = imported(&app, &pms, &records).await;
        let said = |at: usize, guest: String| {
            let (app, officer, keeping, desk) = (&app, &officer, &keeping, &desk);
            async move {
                let (errand, path, body) = match at % 4 {
                    0 => (
                        officer,
                        format!("/v1/guests/{guest}/holds"),
                        json!({"matter": "7/26", "ground": "legal_claim", "categories": [], "review_on": "2026-09-01"}),
                    ),
                    1 => (
                        officer,
                        "/v1/requests".to_owned(),
                        json!({"guest_id": guest, "type": "access", "regime": "gdpr", "received_via": "email"}),
                    ),
                    2 => (
                        keeping,
                        format!("/v1/guests/{guest}/observations"),
                        json!({"text": "likes the window open"}),
                    ),
                    _ => (
                        desk,
                        format!("/v1/guests/{guest}/consents"),
                        json!({"purpose": "marketing_direct", "state": "refused", "channel": "front_desk"}),
                    ),
                };
                let answer = app.post(errand, &path, body).await;
                assert!(matches!(answer.status, 201 | 404 | 410), "{answer:?}");
                (answer.status == 201).then_some(guest)
            }
        };
        // From the last on: those are taken back last.
        let speak = async {
            while there(&app).await.len() == guests.len() {
                tokio::task::yield_now().await;
            }
            let late = guests.iter().rev().take(80).cloned().enumerate();
            join_all(late.map(|(at, guest)| said(at, guest))).await
        };
        let (undone, said) = join(roll_back(&app, &pms, &import), speak).await;
        assert_eq!(undone.status, 200, "{undone:?}");
        let said: BTreeSet<String> = said.into_iter().flatten().collect();
        assert!(!said.is_empty(), "somebody was in time");
        assert_eq!(there(&app).await, said);
        let kept = undone.body["kept_records"].as_u64().unwrap();
        assert_eq!(kept, u64::try_from(said.len()).unwrap(), "{undone:?}");
        app.finish().await;
    }
);

both!(
    a_no_that_is_dated_earlier_keeps_an_import_where_it_is,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let desk = app.errand("front_desk", "check_in").await;
        let (import, guests) = imported(&app, &pms, &[record(1), record(2)]).await;
        let yesterday = app.clock.now() - chrono::TimeDelta::days(1);
        let no =
            json!({"purpose": "marketing_direct", "state": "withdrawn", "channel": "mail", "at": yesterday});
        let said = app
            .post(&desk, &format!("/v1/guests/{}/consents", guests[0]), no)
            .await;
        assert_eq!(said.status, 201, "{said:?}");
        let refused = roll_back(&app, &pms, &import).await;
        assert_eq!(refused.status, 409, "{refused:?}");
        assert_eq!(there(&app).await.len(), 2);
        app.finish().await;
    }
);

both!(
    what_was_said_again_keeps_an_import_where_it_is_until_who_did_is_taken_back,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let (first, guests) = imported(&app, &pms, &[record(1), record(2)]).await;
        let (second, again) = imported(&app, &pms, &[record(2)]).await;
        assert_eq!(again[0], guests[1]);
        let refused = roll_back(&app, &pms, &first).await;
        assert_eq!(refused.status, 409, "{refused:?}");
        let nothing = json!({"removed_records": 0, "removed_guests": 0, "kept_records": 0});
        assert_eq!(roll_back(&app, &pms, &second).await.body, nothing);
        let undone = roll_back(&app, &pms, &first).await;
        assert_eq!(undone.body["removed_guests"], 2, "{undone:?}");
        // The first and the last of many are remembered.
        let (first, _) = imported(&app, &pms, &[record(2)]).await;
        let (second, _) = imported(&app, &pms, &[record(2)]).await;
        let (third, _) = imported(&app, &pms, &[record(2)]).await;
        let (last, _) = imported(&app, &pms, &[record(2)]).await;
        for import in [&second, &third] {
            assert_eq!(roll_back(&app, &pms, import).await.status, 200);
            assert_eq!(roll_back(&app, &pms, &first).await.status, 409);
        }
        assert_eq!(roll_back(&app, &pms, &last).await.status, 200);
        assert_eq!(roll_back(&app, &pms, &first).await.body["removed_guests"], 1);
        // Its source itself, too.
        let (third, guests) = imported(&app, &pms, &[record(3)]).await;
        let mut same = record(3);
        let id = same["source_id"].take();
        same.as_object_mut().unwrap().remove("source_id");
        same.as_object_mut().unwrap().remove("source_system");
        let put = app
            .put(&pms, &format!("/v1/records/old/{}", id.as_str().unwrap()), same)
            .await;
        assert_eq!(
            (put.status, &put.body["guest_id"]),
            (200, &json!(guests[0])),
            "{put:?}"
        );
        assert_eq!(roll_back(&app, &pms, &third).await.status, 409);
        app.finish().await;
    }
);

both!(
    an_import_that_is_taken_back_twice_at_once_and_once_more_is_taken_back_once,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let (_, old) = imported(&app, &pms, &[record(1)]).await;
        let mut changed = record(1);
        changed["guest"]["name"]["given"] = json!("Rui");
        let mut own = record(1);
        own["source_id"] = json!("1b");
        own["stays"] = json!([]);
        own["guest"]["name"]["given"] = json!("Rui");
        let mut records: Vec<Value> = (2..60).map(stranger).collect();
        records.extend([changed, own]);
        let (import, guests) = imported(&app, &pms, &records).await;
        assert_eq!([&guests[58], &guests[59]], [&old[0]; 2]);
        let (one, other) = join(roll_back(&app, &pms, &import), roll_back(&app, &pms, &import)).await;
        let removed = |answer: &Answer| answer.body["removed_records"].as_u64().unwrap();
        assert_eq!((one.status, other.status), (200, 200), "{one:?} {other:?}");
        assert_eq!(removed(&one) + removed(&other), 59, "{one:?} {other:?}");
        let more = roll_back(&app, &pms, &import).await;
        assert_eq!(
            more.body,
            json!({"removed_records": 0, "removed_guests": 0, "kept_records": 1}),
            "{more:?}"
        );
        assert_eq!(there(&app).await, BTreeSet::from([old[0].clone()]));
        app.finish().await;
    }
);

both!(
    a_note_is_not_dropped_while_the_guest_is_held_or_restricted,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let officer = app.errand("compliance_officer", "subject_request").await;
        let officer = officer.with("vault-actor", "o-1");
        let keeping = app.errand("housekeeping", "stay_service").await;
        let crm = app.errand("crm", "stay_service").await;
        let (_, guests) = imported(&app, &pms, &[record(1)]).await;
        let guest = &guests[0];
        let note = app
            .post(
                &keeping,
                &format!("/v1/guests/{guest}/observations"),
                json!({"text": "wants tea"}),
            )
            .await;
        let note = format!(
            "/v1/guests/{guest}/observations/{}",
            note.body["observation_id"].as_str().unwrap()
        );
        let decide = async || app.post(&crm, &note, json!({"decision": "drop"})).await;
        let hold = async |categories: Value| {
            let hold = json!({"matter": "7/26", "ground": "legal_claim", "categories": categories, "review_on": "2026-09-01"});
            let answer = app
                .post(&officer, &format!("/v1/guests/{guest}/holds"), hold)
                .await;
            assert_eq!(answer.status, 201, "{answer:?}");
            answer.body["hold_id"].as_str().unwrap().to_owned()
        };
        let lift = async |hold: String| {
            let other = officer.clone().with("vault-actor", "o-2");
            let path = format!("/v1/guests/{guest}/holds/{hold}");
            let answer = app.send(TestApp::request(&other, Method::DELETE, &path)).await;
            assert_eq!(answer.status, 204, "{answer:?}");
        };
        for categories in [json!([]), json!(["finance", "free_text"])] {
            let one = hold(categories).await;
            let refused = decide().await;
            assert_eq!(
                (refused.status, refused.problem()),
                (409, "conflict"),
                "{refused:?}"
            );
            lift(one).await;
        }
        let set = async |status: &str| {
            let mut tx = app.app.vault.store.begin().await.unwrap();
            on!(&mut tx, c => sqlx::query("UPDATE guest SET status = $1").bind(status).execute(c).await.map(drop).unwrap());
            tx.commit().await.unwrap();
        };
        set("restricted").await;
        let refused = decide().await;
        assert_eq!(
            (refused.status, refused.problem()),
            (403, "restricted"),
            "{refused:?}"
        );
        set("active").await;
        // A hold on something else does not keep it.
        hold(json!(["stay"])).await;
        assert_eq!(decide().await.status, 204);
        app.finish().await;
    }
);

both!(
    what_an_import_brought_and_a_steward_gave_to_another_stays,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let mut again = stranger(2);
        again["source_id"] = json!("2b");
        let (import, guests) = imported(&app, &pms, &[stranger(1), stranger(2), again]).await;
        assert_eq!(guests[1], guests[2]);
        // The survivor is then of the version that the marks of both together have.
        let merged = merge(&app, &guests[0], &guests[1], "?force=true").await;
        assert_eq!(merged.status, 201, "{merged:?}");
        assert_eq!(roll_back(&app, &pms, &import).await.status, 409);
        assert_eq!(undo(&app, &merged).await.status, 200);
        assert_eq!(there(&app).await.len(), 2);
        app.finish().await;
    }
);
