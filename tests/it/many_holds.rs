//! Holds of one matter on many guests: put, agreed to and lifted together, all or none.

use serde_json::{Value, json};

use super::merging::{merge, record};
use crate::support::{
    app::{Errand, TestApp},
    database::both,
};

async fn person(app: &TestApp, actor: &str) -> Errand {
    app.errand("compliance_officer", "subject_request")
        .await
        .with("vault-actor", actor)
}

/// A guest of LIS01 in these days.
async fn guest(app: &TestApp, name: &str, arrival: &str, departure: &str) -> String {
    app.guest(
        &format!("pms/{name}"),
        json!({"guest": {"name": {"given": name, "surname": format!("{name}sen")}},
               "stays": [{"reservation": format!("R-{name}"), "arrival": arrival, "departure": departure, "status": "checked_out"}]}),
    )
    .await
}

async fn held(app: &TestApp, guest: &str) -> usize {
    let officer = person(app, "o-9").await;
    let answer = app.get(&officer, &format!("/v1/guests/{guest}/holds")).await;
    answer.body["holds"].as_array().unwrap().len()
}

fn flood() -> Value {
    json!({"matter": "7/26", "ground": "investigation", "review_on": "2026-09-01",
           "stays_from": "2026-02-10", "stays_to": "2026-02-12"})
}

both!(
    a_matter_is_put_on_all_who_were_there_or_on_none,
    async |database| {
        let app = TestApp::start(database).await;
        let before = guest(&app, "Aurel", "2026-02-06", "2026-02-09").await;
        let leaving = guest(&app, "Benedikta", "2026-02-08", "2026-02-10").await;
        let there = guest(&app, "Casimir", "2026-02-11", "2026-02-12").await;
        let long = guest(&app, "Dorothea", "2025-11-01", "2026-02-20").await;
        let after = guest(&app, "Evarist", "2026-02-13", "2026-02-15").await;
        let (one, two) = (person(&app, "o-1").await, person(&app, "o-2").await);

        let put = app
            .post(&one, "/v1/holds", json!({"property": "LIS01", "hold": flood()}))
            .await;
        assert_eq!(put.status, 201, "{put:?}");
        let mut on: Vec<&str> = put.body["holds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hold| hold["guest_id"].as_str().unwrap())
            .collect();
        on.sort_unstable();
        let mut wanted = [leaving.as_str(), there.as_str(), long.as_str()];
        wanted.sort_unstable();
        assert_eq!(on, wanted);
        assert_eq!((held(&app, &before).await, held(&app, &after).await), (0, 0));

        // Who put them agrees to none of them; another person to all.
        let all = put.body.clone();
        let own = app.post(&one, "/v1/holds/approval", all.clone()).await;
        assert_eq!((own.status, own.problem()), (409, "conflict"), "{own:?}");
        assert_eq!(
            app.post(&two, "/v1/holds/approval", all.clone()).await.status,
            204
        );
        let register = app.get(&two, "/v1/holds").await;
        assert_eq!(
            (&register.body["in_force"], &register.body["unapproved"]),
            (&json!(3), &json!(0))
        );

        // All or none: one that is not there keeps the others where they are.
        let mut wrong = all.clone();
        wrong["holds"][2]["hold_id"] = json!("018f0000-0000-7000-8000-000000000000");
        let refused = app.post(&two, "/v1/holds/lifting", wrong).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["field"]),
            (404, &json!("holds[2]")),
            "{refused:?}"
        );
        assert_eq!(held(&app, &there).await, 1);
        let named = json!({"hold": flood(), "guests": [before, "018f0000-0000-7000-8000-000000000000"]});
        assert_eq!(app.post(&one, "/v1/holds", named).await.status, 404);
        assert_eq!(held(&app, &before).await, 0);

        assert_eq!(app.post(&one, "/v1/holds/lifting", all.clone()).await.status, 409);
        assert_eq!(app.post(&two, "/v1/holds/lifting", all).await.status, 204);
        assert_eq!(held(&app, &there).await, 0);
        app.finish().await;
    }
);

both!(
    of_a_guest_that_was_merged_since_the_survivor_is_meant,
    async |database| {
        let app = TestApp::start(database).await;
        let mut guests = Vec::new();
        for (surname, given, number) in [
            ("Silva", "Ana", 2_020_202),
            ("Rocha", "Rui", 3_030_303),
            ("Wagner", "Ilse", 4_040_404),
        ] {
            let source = format!("web/{number}");
            guests.push(app.guest(&source, record(surname, given, number)).await);
        }
        let (one, two) = (person(&app, "o-1").await, person(&app, "o-2").await);
        let body = json!({"hold": flood(), "guests": guests});
        let put = app.post(&one, "/v1/holds", body).await;
        assert_eq!(put.status, 201, "{put:?}");
        let all = put.body;
        assert_eq!(merge(&app, &guests[1], &guests[2], "").await.status, 201);
        assert_eq!(merge(&app, &guests[0], &guests[1], "").await.status, 201);
        assert_eq!(held(&app, &guests[0]).await, 3);
        let own = app.post(&one, "/v1/holds/approval", all.clone()).await;
        assert_eq!(
            (own.status, &own.body["errors"][0]["field"]),
            (409, &json!("holds[0]"))
        );
        let agreed = app.post(&two, "/v1/holds/approval", all.clone()).await;
        assert_eq!(agreed.status, 204, "{agreed:?}");
        let register = app.get(&two, "/v1/holds").await;
        assert_eq!(
            (&register.body["in_force"], &register.body["unapproved"]),
            (&json!(3), &json!(0))
        );
        let lifted = app.post(&two, "/v1/holds/lifting", all).await;
        assert_eq!(lifted.status, 204, "{lifted:?}");
        assert_eq!(held(&app, &guests[0]).await, 0);
        app.finish().await;
    }
);

both!(what_one_call_cannot_be_about_is_said, async |database| {
    let app = TestApp::start(database).await;
    let guest = guest(&app, "Aurel", "2026-02-06", "2026-02-09").await;
    let officer = person(&app, "o-1").await;
    let with = |member: &str, value: Value| {
        let mut hold = flood();
        hold[member] = value;
        hold
    };
    for (body, field) in [
        (json!({"hold": flood()}), "guests"),
        (
            json!({"hold": flood(), "guests": [guest], "property": "LIS01"}),
            "guests",
        ),
        (json!({"hold": flood(), "property": "LIS01"}), "property"),
        (json!({"hold": flood(), "property": "NOWHERE"}), "property"),
        (
            json!({"hold": with("stays_to", Value::Null), "property": "LIS01"}),
            "hold.stays_from",
        ),
        (
            json!({"hold": with("stays_to", json!("2026-05-13")), "property": "LIS01"}),
            "hold.stays_to",
        ),
        (
            json!({"hold": with("stays_to", json!("2026-02-09")), "guests": [guest]}),
            "stays_to",
        ),
        (
            json!({"hold": with("review_on", json!("2026-03-05")), "guests": [guest]}),
            "review_on",
        ),
        (
            json!({"hold": with("matter", json!(" ")), "guests": [guest]}),
            "matter",
        ),
    ] {
        let answer = app.post(&officer, "/v1/holds", body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["field"], field, "{body}");
    }
    let none = app
        .post(&officer, "/v1/holds/approval", json!({"holds": []}))
        .await;
    assert_eq!((none.status, none.problem()), (400, "invalid-request"));
    for role in ["front_desk", "admin", "auditor"] {
        let errand = app.errand(role, "check_in").await;
        let body = json!({"hold": flood(), "guests": [guest]});
        assert_eq!(app.post(&errand, "/v1/holds", body).await.status, 403, "{role}");
    }
    assert_eq!(held(&app, &guest).await, 0);
    app.finish().await;
});
