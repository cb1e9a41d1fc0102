//! What one call may not do, another may not do either: writers keep to their own borders, and to the version they mean.

use actix_web::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, TestApp},
    database::both,
};

fn record(notes: &str) -> Value {
    json!({"guest": {"name": {"surname": "Marsalis", "given": "Odete"}, "occupation": notes,
                     "emails": [{"address": "odete@guests.example"}]}})
}

fn refused(answer: &Answer) -> Vec<(&str, &str)> {
    let all = answer.body["rejected"].as_array().unwrap();
    all.iter()
        .map(|one| (one["field"].as_str().unwrap(), one["reason"].as_str().unwrap()))
        .collect()
}

both!(
    a_record_opens_no_window_that_its_writer_may_not_open,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "booking").await;
        app.put(&pms, "/v1/records/pms/1", record("baker")).await;
        let keeper = app.errand("housekeeping", "stay_service").await;
        let stay = json!({"reservation": "MADE-UP", "arrival": "2026-03-04", "departure": "2026-03-07", "status": "checked_in"});
        let yes = json!({"purpose": "event_invitation", "state": "given", "channel": "web", "indication": "ticked_box"});
        let said = json!({"guest": {}, "stays": [stay], "consents": [yes]});
        let told = app.put(&keeper, "/v1/records/pms/1", said).await;
        let both = [("stays[0]", "not_permitted"), ("consents[0]", "not_permitted")];
        assert_eq!(refused(&told), both, "{told:?}");
        // A guest's rights are about itself; a source's id is somebody's, nobody knows whose.
        let guest = app.errand("guest", "booking").await;
        let asked = app.put(&guest, "/v1/records/pms/1", json!({"guest": {}})).await;
        assert_eq!(asked.status, 403, "{asked:?}");
        app.finish().await;
    }
);

both!(of_many_who_mean_one_version_one_is_right, async |database| {
    let app = TestApp::start(database).await;
    let pms = app.errand("integration", "booking").await;
    let nothing = pms.clone().with("If-Match", "*");
    let none = app.put(&nothing, "/v1/records/pms/1", record("baker")).await;
    assert_eq!(none.status, 412, "there is none: {none:?}");
    let made = app.put(&pms, "/v1/records/pms/1", record("baker")).await;
    assert_eq!(made.status, 201, "{made:?}");
    let mine = pms
        .clone()
        .with("If-Match", format!("\"{}\"", made.body["version"]));
    let all = (0..8).map(|n| {
        let (app, mine) = (&app, &mine);
        async move {
            let said = record(&format!("baker {n}"));
            app.put(mine, "/v1/records/pms/1", said).await.status
        }
    });
    let mut statuses = join_all(all).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    assert_eq!(
        app.put(&nothing, "/v1/records/pms/1", record("smith"))
            .await
            .status,
        200
    );
    app.finish().await;
});

both!(what_cannot_be_is_named_and_the_rest_is_kept, async |database| {
    let app = TestApp::start(database).await;
    let pms = app.errand("integration", "booking").await;
    let mut said = record("baker");
    said["stays"] = json!([
        {"reservation": "R1", "arrival": "2026-02-30", "departure": "2026-03-07", "status": "confirmed"},
        {"reservation": "R2", "arrival": "2026-03-04", "departure": "2026-03-07", "status": "perhaps"},
        {"reservation": "R3", "arrival": "2026-03-09", "departure": "2026-03-07", "status": "confirmed"},
        {"reservation": "R4", "arrival": "2026-03-04", "departure": "2026-03-07", "status": "confirmed"}
    ]);
    let told = app.put(&pms, "/v1/records/pms/1", said.clone()).await;
    assert_eq!(told.status, 201, "{told:?}");
    let named = [
        ("stays[0].arrival", "impossible_date"),
        ("stays[1].status", "invalid_code"),
        ("stays[2]", "impossible_date"),
    ];
    assert_eq!(refused(&told), named);
    let path = format!(
        "/v1/guests/{}?fields=stay_links",
        told.body["guest_id"].as_str().unwrap()
    );
    let desk = app.errand("front_desk", "check_in").await;
    let seen = app.get(&desk, &path).await;
    let stays = seen.body["fields"]["stay_links"]["value"].as_array().unwrap();
    assert_eq!(stays.len(), 1, "{seen:?}");
    // What a stay does not have at all is no value that could be left out.
    said["stays"] = json!([{"reservation": "R5", "arrival": "2026-03-04", "departure": "2026-03-07", "status": "confirmed", "nights": 3}]);
    assert_eq!(app.put(&pms, "/v1/records/pms/1", said).await.status, 400);
    app.finish().await;
});

both!(who_acts_is_on_record_without_an_errand_too, async |database| {
    let app = TestApp::start(database).await;
    let auditor = app
        .errand("auditor", "internal_audit")
        .await
        .with("Vault-Actor", "aud-77");
    for path in ["/v1/policy", "/v1/audit/entries?limit=1"] {
        let read = app.get(&auditor, path).await;
        assert_eq!(read.status, 200, "{read:?}");
    }
    let seen = app.get(&auditor, "/v1/audit/entries?actor=aud-77").await;
    let acts: Vec<&str> = seen.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert!(
        acts.contains(&"read_policy") && acts.contains(&"read_audit"),
        "{acts:?}"
    );
    app.finish().await;
});

both!(a_probe_may_ask_by_head_and_runs_begin_once, async |database| {
    let app = TestApp::start(database).await;
    let officer = app.errand("compliance_officer", "legal_retention").await;
    let keyed = officer.clone().with("Idempotency-Key", "run-1");
    let mut begun = Vec::new();
    for _ in 0..2 {
        let run = app
            .post(&keyed, "/v1/retention/runs?dry_run=true", Value::Null)
            .await;
        assert_eq!(run.status, 201, "{run:?}");
        begun.push(run.body["run_id"].clone());
    }
    assert_eq!(begun[0], begun[1]);
    let path = format!("/v1/retention/runs/{}", begun[0].as_str().unwrap());
    let head = app.send(TestApp::request(&officer, Method::HEAD, &path)).await;
    assert_eq!(head.status, 200, "{head:?}");
    app.finish().await;
});
