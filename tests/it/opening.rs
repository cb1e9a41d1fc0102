//! Break-glass: one person, one guest, half an hour, a reason, told at once, judged afterwards.

use serde_json::{Value, json};

use crate::support::{
    app::{Errand, NOW, TestApp},
    browser::Browser,
    database::both,
};

/// Somebody who left a year ago: the desk sees next to nothing of such a guest for the work of the day.
fn marta() -> Value {
    json!({
        "guest": {
            "name": {"given": "Marta", "surname": "Quintela"},
            "phones": [{"number": "+351912345678"}],
            "relationships": [{"kind": "spouse", "name": "Rui Quintela"}],
            "health": {"allergies": ["penicillin"]},
            "birth_date": "1971-04-09",
        },
        "stays": [{"reservation": "R-9", "arrival": "2026-02-20", "departure": "2026-02-22", "status": "checked_out"}],
    })
}

async fn open(app: &TestApp, errand: &Errand, guest: &str) -> crate::support::app::Answer {
    app.call(
        errand,
        actix_web::http::Method::POST,
        &format!("/v1/guests/{guest}/break-glass"),
        None,
    )
    .await
}

both!(
    an_emergency_opens_one_guest_to_one_person_for_half_an_hour,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app.guest("pms/m-1", marta()).await;
        let other = app
        .guest(
            "pms/o-1",
            json!({"guest": {"name": {"given": "Teodor", "surname": "Vasilescu"}, "phones": [{"number": "+40721234567"}]}}),
        )
        .await;
        let path = format!("/v1/guests/{guest}");
        let desk = app
            .errand("front_desk", "emergency")
            .await
            .with("vault-actor", "fd-17");
        let said = desk.clone().with("vault-reason", "collapsed in the lobby");

        // Shut: neither a read nor a reveal nor a list opens it.
        let shut = app.get(&said, &path).await;
        assert_eq!((shut.status, shut.problem()), (403, "break-glass"), "{shut:?}");
        let shut = app
            .post(&said, &format!("{path}/reveal"), json!({"fields": ["phones"]}))
            .await;
        assert_eq!((shut.status, shut.problem()), (403, "break-glass"));
        let list = app
            .post(
                &said,
                "/v1/stay-lists",
                json!({"list": "in_house", "date": "2026-02-21"}),
            )
            .await;
        assert!(!list.text().contains("Quintela"), "{list:?}");
        let search = app
            .post(&said, "/v1/lookups", json!({"by": {"phone": "+351912345678"}}))
            .await;
        assert!(!search.text().contains("Quintela"), "{search:?}");

        // Without a reason, for the work of the day, or by a role that is not called: no.
        let bare = open(&app, &desk, &guest).await;
        assert_eq!((bare.status, bare.problem()), (400, "reason-required"));
        let ordinary = open(&app, &said.clone().about("stay_service"), &guest).await;
        assert_eq!((ordinary.status, ordinary.problem()), (400, "invalid-request"));
        let maid = app
            .errand("housekeeping", "emergency")
            .await
            .with("vault-reason", "curious");
        let refused = open(&app, &maid, &guest).await;
        assert_eq!((refused.status, refused.problem()), (403, "forbidden"));
        let nobody = open(&app, &said, "018f0000-0000-7000-8000-000000000000").await;
        assert_eq!(nobody.status, 404);

        // Opened: plain, at a stay that is long over, and no more than an emergency needs.
        let opened = open(&app, &said, &guest).await;
        assert_eq!(opened.status, 201, "{opened:?}");
        assert_eq!(opened.body["open_until"], "2026-03-05T10:30:00Z");
        assert_eq!(opened.body["judge_by"], "2026-03-08T10:00:00Z");
        let seen = app.get(&desk, &path).await;
        assert_eq!(seen.status, 200, "{seen:?}");
        assert_eq!(seen.view("phones"), "plain");
        assert_eq!(seen.view("health.allergies"), "plain");
        assert_eq!(seen.view("relationships"), "plain");
        assert_eq!(seen.view("birth_date"), "withheld");

        // Not another guest, another person, another key, another house.
        assert_eq!(
            app.get(&desk, &format!("/v1/guests/{other}")).await.problem(),
            "break-glass"
        );
        let colleague = app
            .errand("front_desk", "emergency")
            .await
            .with("vault-actor", "fd-18");
        assert_eq!(app.get(&colleague, &path).await.problem(), "break-glass");
        let house = app
            .errand("duty_manager", "emergency")
            .await
            .with("vault-actor", "fd-17");
        assert_eq!(app.get(&house, &path).await.problem(), "break-glass");
        assert_eq!(
            app.get(&desk.clone().at("SHA01"), &path).await.problem(),
            "break-glass"
        );

        // Told at once, without a name; on record with its reason, and waiting to be judged.
        let integration = app.role("integration").await;
        let events = app.get(&integration, "/v1/events?after=0").await;
        let told: Vec<&Value> = events.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["type"] == "access.break_glass")
            .collect();
        assert_eq!(told.len(), 1, "{events:?}");
        assert!(!told[0].to_string().contains("Quintela") && !told[0].to_string().contains("lobby"));
        let officer = app.errand("compliance_officer", "audit").await;
        let entry = opened.body["entry_id"].as_str().unwrap();
        let leaf = app.get(&officer, &format!("/v1/audit/entries/{entry}")).await;
        assert_eq!(
            (leaf.status, &leaf.body["action"]),
            (200, &json!("break_glass")),
            "{leaf:?}"
        );

        // Nor does another key of the same person judge it.
        let itself = officer.clone().with("vault-actor", "fd-17");
        let own = app
            .post(
                &itself,
                &format!("/v1/audit/entries/{entry}/judgement"),
                json!({"verdict": "justified"}),
            )
            .await;
        assert_eq!((own.status, own.problem()), (409, "conflict"), "{own:?}");

        // An officer finds it on the day's page, and judges it there.
        let mut browser = Browser::signed_in(&app, "compliance_officer").await;
        let today = browser.look("/console").await.text();
        assert!(
            today.contains("Opened in an emergency") && today.contains("fd-17"),
            "{today}"
        );
        let page = format!("/console/audit/{entry}");
        let judged = browser
            .post(&page, &format!("{page}/judgement"), "verdict=justified")
            .await;
        assert_eq!(judged.status, 303, "{}", judged.text());
        assert!(
            !browser
                .look("/console")
                .await
                .text()
                .contains("Opened in an emergency")
        );

        // Half an hour later it is shut again.
        app.set_clock("2026-03-05T10:30:00Z");
        assert_eq!(app.get(&desk, &path).await.problem(), "break-glass");
        app.finish().await;
    }
);

both!(what_a_clock_ahead_opened_shuts_when_it_is_set, async |database| {
    let app = TestApp::start(database).await;
    let guest = app.guest("pms/m-1", marta()).await;
    let path = format!("/v1/guests/{guest}");
    let desk = app
        .errand("front_desk", "emergency")
        .await
        .with("vault-actor", "fd-17")
        .with("vault-reason", "smoke on the third floor");
    app.set_clock("2026-03-06T10:00:00Z");
    assert_eq!(open(&app, &desk, &guest).await.status, 201);
    assert_eq!(app.get(&desk, &path).await.status, 200);
    for now in [NOW, "2026-03-06T09:00:00Z"] {
        app.set_clock(now);
        let shut = app.get(&desk, &path).await;
        assert_eq!((shut.status, shut.problem()), (403, "break-glass"), "{shut:?}");
    }
    // Between two instances whose clocks differ by a little it is open.
    assert_eq!(open(&app, &desk, &guest).await.status, 201);
    app.set_clock("2026-03-06T08:57:00Z");
    assert_eq!(app.get(&desk, &path).await.status, 200);
    app.finish().await;
});

both!(
    what_nobody_judged_in_time_keeps_the_next_one_shut,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app.guest("pms/m-1", marta()).await;
        let desk = app
            .errand("front_desk", "emergency")
            .await
            .with("vault-actor", "fd-17")
            .with("vault-reason", "smoke on the third floor");
        let first = open(&app, &desk, &guest).await;
        // Within the 72 hours a fire may need more than one guest.
        app.set_clock("2026-03-08T09:59:59Z");
        let second = open(&app, &desk, &guest).await;
        assert_eq!((first.status, second.status), (201, 201));
        app.set_clock("2026-03-08T10:00:01Z");
        let third = open(&app, &desk, &guest).await;
        assert_eq!((third.status, third.problem()), (409, "conflict"), "{third:?}");
        // Another post, another house: not held up by it.
        let manager = app
            .errand("duty_manager", "emergency")
            .await
            .with("vault-reason", "smoke on the third floor");
        assert_eq!(open(&app, &manager, &guest).await.status, 201);
        assert_eq!(open(&app, &desk.clone().at("SHA01"), &guest).await.status, 201);

        let officer = app.errand("compliance_officer", "subject_request").await;
        let entry = first.body["entry_id"].as_str().unwrap().to_owned();
        let judged = app
            .post(
                &officer,
                &format!("/v1/audit/entries/{entry}/judgement"),
                json!({"verdict": "justified"}),
            )
            .await;
        assert_eq!(judged.status, 204, "{judged:?}");
        assert_eq!(open(&app, &desk, &guest).await.status, 201);
        app.finish().await;
    }
);
