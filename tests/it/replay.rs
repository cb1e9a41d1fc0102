//! A candidate policy held against what was asked: certain where every stay gives the same, and no more than that.

use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    database::{Database, both},
};

const RULES: &str = include_str!("../../policies/rules.csv");

fn record() -> Value {
    json!({
        "observed_at": "2026-03-01T10:00:00Z", "provenance": "declared",
        "guest": {"name": {"surname": "Wang", "given": "Xiaoming"},
                  "phones": [{"number": "+86 138 1234 5678", "kind": "mobile"}]},
        "stays": [{"reservation": "R-1", "property": "LIS01", "arrival": "2026-03-04", "departure": "2026-03-07",
                   "status": "checked_in", "channel": "web"}]
    })
}

async fn a_candidate_is_tried_on_the_log(database: &Database) {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/1", record()).await;
    let path = format!("/v1/guests/{guest}");
    let desk = app.errand("front_desk", "check_in").await;
    for _ in 0..3 {
        assert_eq!(app.get(&desk, &path).await.status, 200);
    }
    assert_eq!(app.get(&app.role("housekeeping").await, &path).await.status, 200);
    for _ in 0..2 {
        assert_eq!(app.get(&app.role("marketing").await, &path).await.status, 403);
    }
    let officer = app.errand("compliance_officer", "internal_audit").await;
    let replay = async |files: Value| {
        let asked = json!({"files": files, "days": 30});
        let answer = app.post(&officer, "/v1/policy/replay", asked).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    };

    let same = replay(json!({})).await;
    assert_eq!(same["candidate"], same["in_force"]);
    assert_eq!(
        (
            &same["changes"],
            &same["turns"],
            &same["unexplained"],
            &same["replayed"],
            &same["truncated"]
        ),
        (&json!([]), &json!([]), &json!(0), &json!(6), &json!(false)),
        "{same}"
    );

    let stricter =
        format!("{RULES}\ndeny, front_desk, *, check_in, phones, read, *, plain|reveal|masked|token|flag\n");
    let answer = replay(json!({"rules.csv": stricter})).await;
    assert_ne!(answer["candidate"], answer["in_force"]);
    let certain: Vec<&Value> = answer["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["certain"] == true)
        .collect();
    let [change] = certain[..] else { panic!("{answer}") };
    assert_eq!(
        (
            &change["role"],
            &change["field"],
            &change["was"],
            &change["would_be"],
            &change["entries"]
        ),
        (
            &json!("front_desk"),
            &json!("phones"),
            &json!("masked"),
            &json!("none"),
            &json!(3)
        )
    );
    assert_eq!(answer["turns"], json!([]));
    let entry = change["example"].as_str().unwrap();
    assert_eq!(
        app.get(&officer, &format!("/v1/audit/entries/{entry}"))
            .await
            .body["role"],
        "front_desk"
    );

    let without = RULES
        .lines()
        .filter(|line| !line.starts_with("allow, housekeeping,"));
    let without: Vec<&str> = without.collect();
    let closed = replay(json!({"rules.csv": without.join("\n") + "\n"})).await;
    let turns = closed["turns"].as_array().unwrap();
    let shut = turns.iter().find(|turn| turn["role"] == "housekeeping");
    let shut = shut.unwrap_or_else(|| panic!("{closed}"));
    assert_eq!((&shut["allowed"], &shut["entries"]), (&json!(false), &json!(1)));

    let opened = format!("{RULES}\nallow, marketing, *, stay_service, name, read, *, plain\n");
    let roles = replay(json!({"rules.csv": opened})).await;
    if let Some(turn) = roles["turns"].as_array().unwrap().first() {
        assert_eq!(
            (&turn["allowed"], &turn["entries"]),
            (&json!(true), &json!(2)),
            "{roles}"
        );
    }

    wrong_candidates(&app).await;
    let looks = app
        .get(&officer, "/v1/audit/entries?action=replay_policy")
        .await
        .body;
    assert_eq!(
        looks["items"].as_array().unwrap().len(),
        8,
        "each try is an entry"
    );
    app.finish().await;
}

/// What is no candidate, and who may not try one.
async fn wrong_candidates(app: &TestApp) {
    let officer = app.errand("compliance_officer", "internal_audit").await;
    let desk = app.errand("front_desk", "check_in").await;
    for (body, status) in [
        (json!({"files": {"rules.csv": "allow, nobody"}, "days": 30}), 400),
        (json!({"files": {"strange.csv": ""}, "days": 30}), 400),
        (json!({"files": {}, "days": 0}), 400),
        (json!({"files": {}}), 400),
    ] {
        assert_eq!(
            app.post(&officer, "/v1/policy/replay", body.clone()).await.status,
            status,
            "{body}"
        );
    }
    assert_eq!(
        app.post(&desk, "/v1/policy/replay", json!({"files": {}, "days": 1}))
            .await
            .status,
        403
    );
}
both!(tried, async |database| a_candidate_is_tried_on_the_log(database)
    .await);
