//! A clock that was ahead, of another instance or of this one before it was set: what it dated keeps nothing from being
//! heard, done or counted now.

use guest_vault::{on, retention::quality::Quality};
use serde_json::{Value, json};

use crate::{
    cases::approved,
    meanwhile::{NAMES, click, say, stands},
    merging::{merge, record},
    portal::{MAIL, two_guests},
    rights::{lin, officer},
    support::{
        app::{NOW, TestApp},
        browser::{Browser, code, sign_in},
        database::both,
    },
};

/// Two minutes ahead of [`NOW`]: no more than two instances may differ by.
const AHEAD: &str = "2026-03-05T10:02:00Z";

/// A record of nobody else's; the time of its source does not matter here.
fn told(number: usize, consents: Value) -> Value {
    let mut told = record(
        NAMES[number],
        "Rita",
        510_101 * u32::try_from(number + 1).unwrap(),
    );
    told["consents"] = consents;
    told
}

fn said(state: &str) -> Value {
    json!({"purpose": "marketing_direct", "state": state, "channel": "web", "indication": "checkbox"})
}

both!(a_no_of_now_holds_against_a_yes_of_later, async |database| {
    let app = TestApp::start(database).await;
    let crm = app.errand("crm", "loyalty").await;
    let pms = app.errand("integration", "booking").await;
    let ways = [
        "staff",
        "record",
        "record with its own clock",
        "link",
        "objection",
    ];
    for (number, way) in ways.into_iter().enumerate() {
        let id = format!("pms/{number}");
        let guest = app.guest(&id, told(number, json!([]))).await;
        app.set_clock(AHEAD);
        assert_eq!(say(&app, &crm, &guest, "given").await.status, 201);
        let given = stands(&app, &guest).await;
        app.set_clock(NOW);
        let mut no = said("withdrawn");
        match way {
            "staff" => {
                let said = say(&app, &crm, &guest, "withdrawn").await;
                assert_eq!(said.body["state"], "withdrawn", "{said:?}");
            }
            "link" => {
                let link = given["unsubscribe"].as_str().unwrap();
                assert_eq!(app.send(click(link)).await.status, 200);
            }
            "objection" => drop(approved(&app, &guest, "objection").await),
            own => {
                let mut told = told(number, json!([]));
                if own == "record" {
                    told.as_object_mut().unwrap().remove("observed_at");
                } else {
                    told["observed_at"] = json!(NOW);
                    no["at"] = json!("2026-03-05T11:00:00Z");
                }
                told["consents"] = json!([no]);
                let put = app.put(&pms, &format!("/v1/records/{id}"), told).await;
                assert_eq!((put.status, &put.body["rejected"]), (200, &json!([])), "{put:?}");
            }
        }
        assert_eq!(stands(&app, &guest).await["state"], "withdrawn", "{way}");
        // What is said after that holds in its turn, though the clock has not caught up yet.
        app.set_clock("2026-03-05T10:01:00Z");
        let again = say(&app, &crm, &guest, "given").await;
        assert_eq!(again.body["state"], "given", "{way}: {again:?}");
        app.set_clock(NOW);
    }
    app.finish().await;
});

both!(a_yes_of_later_overrules_no_no_at_a_merge, async |database| {
    let app = TestApp::start(database).await;
    let crm = app.errand("crm", "loyalty").await;
    let one = app.guest("pms/0", told(0, json!([]))).await;
    let other = app.guest("pms/1", told(1, json!([said("refused")]))).await;
    app.set_clock(AHEAD);
    assert_eq!(say(&app, &crm, &one, "given").await.status, 201);
    app.set_clock(NOW);
    let merged = merge(&app, &one, &other, "?force=true").await;
    assert_eq!(merged.status, 201, "{merged:?}");
    assert_eq!(stands(&app, &one).await["state"], "refused");
    app.finish().await;
});

both!(retention_goes_on_after_a_clock_that_was_ahead, async |database| {
    let app = TestApp::start(database).await;
    let left = lin("R-1", "2026-02-27", "2026-03-04", "checked_out");
    let guest = app.guest("pms/l-1", left).await;
    let eraser = app.app.requests().eraser;
    let vault = &app.app.vault;
    let count = async |sql: &'static str| -> i64 {
        let mut conn = vault.store.read().await.unwrap();
        on!(&mut conn, c => sqlx::query_scalar(sql).fetch_one(c).await.unwrap())
    };
    // A run that was cut off between counting and erasing, when it was 2029 for a moment.
    app.set_clock("2029-04-09T03:00:00Z");
    eraser.work(1).await.unwrap();
    eraser.work(1).await.unwrap();
    let running = "SELECT count(*) FROM retention_run WHERE state = 'running' AND due = 1";
    assert_eq!(count(running).await, 1);
    Quality(vault).work(5).await.unwrap();
    app.set_clock(NOW);
    eraser.work(1_000).await.unwrap();
    let one = officer(&app, "o-1").await;
    let runs = app.get(&one, "/v1/retention/runs").await;
    let states = |runs: &Value| {
        let all = runs["items"].as_array().unwrap();
        all.iter()
            .map(|run| (run["as_of"].as_str().unwrap().to_owned(), run["state"].clone()))
            .collect::<Vec<_>>()
    };
    let today = || ("2026-03-05".to_owned(), json!("done"));
    let then = |state: &str| ("2029-04-09".to_owned(), json!(state));
    // While it is open another counts.
    let counted = ("2026-03-05".to_owned(), json!("simulated"));
    assert_eq!(states(&runs.body), [counted.clone(), then("done")], "{runs:?}");
    let path = format!("/v1/guests/{guest}");
    assert_eq!(app.get(&app.role("front_desk").await, &path).await.status, 200);
    eraser.work(1_000).await.unwrap();
    let runs = app.get(&one, "/v1/retention/runs").await;
    assert_eq!(states(&runs.body), [today(), counted, then("done")], "{runs:?}");
    let reviews = "SELECT count(*) FROM quality_review";
    assert_eq!(count(reviews).await, 1);
    Quality(vault).work(5).await.unwrap();
    assert_eq!(count(reviews).await, 2);
    Quality(vault).work(5).await.unwrap();
    assert_eq!(count(reviews).await, 2);
    app.finish().await;
});

both!(nobody_approves_a_run_of_a_day_to_come, async |database| {
    let mut app = TestApp::start(database).await;
    app.app.pace.approve_above = 0;
    let left = lin("R-1", "2026-02-27", "2026-03-04", "checked_out");
    let guest = app.guest("pms/l-1", left).await;
    let (one, other) = (officer(&app, "o-1").await, officer(&app, "o-2").await);
    app.set_clock("2029-04-09T03:00:00Z");
    let run = app.post(&one, "/v1/retention/runs", json!({})).await;
    assert_eq!(run.body["state"], "waiting", "{run:?}");
    app.set_clock(NOW);
    let decision = format!(
        "/v1/retention/runs/{}/decision",
        run.body["run_id"].as_str().unwrap()
    );
    let yes = app.post(&other, &decision, json!({"approve": true})).await;
    assert_eq!((yes.status, yes.problem()), (409, "conflict"), "{yes:?}");
    let path = format!("/v1/guests/{guest}");
    assert_eq!(app.get(&app.role("front_desk").await, &path).await.status, 200);
    let no = app.post(&other, &decision, json!({"approve": false})).await;
    assert_eq!(no.body["state"], "rejected", "{no:?}");
    let run = app.post(&one, "/v1/retention/runs", json!({})).await;
    assert_eq!(
        (&run.body["state"], &run.body["due"]),
        (&json!("done"), &json!(0)),
        "{run:?}"
    );
    app.finish().await;
});

both!(a_run_that_waits_for_a_day_to_come_makes_way, async |database| {
    let mut app = TestApp::start(database).await;
    app.app.pace.approve_above = 0;
    let left = lin("R-1", "2026-02-27", "2026-03-04", "checked_out");
    app.guest("pms/l-1", left).await;
    let one = officer(&app, "o-1").await;
    app.set_clock("2029-04-09T03:00:00Z");
    let then = app.post(&one, "/v1/retention/runs", json!({})).await;
    assert_eq!(then.body["state"], "waiting", "{then:?}");
    app.set_clock(NOW);
    let now = app.post(&one, "/v1/retention/runs", json!({})).await;
    assert_eq!((now.status, &now.body["state"]), (201, &json!("done")), "{now:?}");
    let path = format!("/v1/retention/runs/{}", then.body["run_id"].as_str().unwrap());
    let then = app.get(&one, &path).await;
    assert_eq!(then.body["state"], "rejected", "{then:?}");
    // One that an instance a little ahead has begun is another's.
    app.set_clock("2029-04-09T03:00:00Z");
    let waits = app.post(&one, "/v1/retention/runs", json!({})).await;
    assert_eq!(waits.body["state"], "waiting", "{waits:?}");
    app.set_clock("2029-04-09T02:57:00Z");
    let another = app.post(&one, "/v1/retention/runs", json!({})).await;
    assert_eq!(another.status, 409, "{another:?}");
    app.finish().await;
});

/// What a record says again, with another word about the guest, so that it is looked at.
async fn again(app: &TestApp, id: &str, told: &mut Value, language: &str) {
    told["guest"]["preferred_language"] = json!(language);
    let pms = app.errand("integration", "booking").await;
    let put = app.put(&pms, &format!("/v1/records/{id}"), told.clone()).await;
    assert_eq!((put.status, &put.body["rejected"]), (200, &json!([])), "{put:?}");
}

both!(a_source_whose_clock_is_ahead_says_nothing_new, async |database| {
    let app = TestApp::start(database).await;
    let crm = app.errand("crm", "loyalty").await;
    // A yes by a clock that is fifteen seconds ahead, and a no by a hotel's own time that names no zone.
    for (number, (state, at, later)) in [
        ("given", "2026-03-05T10:00:15Z", "withdrawn"),
        ("refused", "2026-03-05T18:00:00Z", "given"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("pms/{number}");
        let mut own = said(state);
        own["at"] = json!(at);
        let mut record = told(number, json!([own]));
        let guest = app.guest(&id, record.clone()).await;
        app.set_clock("2026-03-05T10:00:01Z");
        if later == "withdrawn" {
            let given = stands(&app, &guest).await;
            let link = given["unsubscribe"].as_str().unwrap();
            assert_eq!(app.send(click(link)).await.status, 200);
        } else {
            assert_eq!(say(&app, &crm, &guest, later).await.status, 201);
        }
        for (clock, language) in [("2026-03-05T10:00:03Z", "pt"), ("2026-03-05T10:00:21Z", "zh")] {
            app.set_clock(clock);
            again(&app, &id, &mut record, language).await;
            assert_eq!(stands(&app, &guest).await["state"], later, "{clock}");
        }
        // Nor another record of the guest, which tells the very same.
        let copied = app.guest(&format!("crs/{number}"), record.clone()).await;
        assert_eq!(copied, guest);
        assert_eq!(stands(&app, &guest).await["state"], later);
        // What it dates later is another word of the guest's.
        app.set_clock("2026-03-06T18:00:00Z");
        record["consents"][0]["at"] = json!("2026-03-05T19:00:00Z");
        again(&app, &id, &mut record, "en").await;
        assert_eq!(stands(&app, &guest).await["state"], state);
        app.set_clock(NOW);
    }
    app.finish().await;
});

both!(
    a_no_with_a_time_of_its_own_holds_against_a_yes_of_later,
    async |database| {
        let app = TestApp::start(database).await;
        let crm = app.errand("crm", "loyalty").await;
        for (number, way) in ["consent", "record", "staff"].into_iter().enumerate() {
            let id = format!("pms/{number}");
            let mut record = told(number, json!([]));
            let guest = app.guest(&id, record.clone()).await;
            app.set_clock(AHEAD);
            assert_eq!(say(&app, &crm, &guest, "given").await.status, 201);
            let spoken = "2026-03-05T10:00:02Z";
            app.set_clock("2026-03-05T10:00:05Z");
            let mut no = said("withdrawn");
            if way != "record" {
                no["at"] = json!(spoken);
            }
            if way == "staff" {
                let path = format!("/v1/guests/{guest}/consents");
                let answer = app.post(&crm, &path, no).await;
                assert_eq!(answer.body["state"], "withdrawn", "{answer:?}");
            } else {
                record["observed_at"] = json!(spoken);
                record["consents"] = json!([no]);
                again(&app, &id, &mut record, "pt").await;
            }
            assert_eq!(stands(&app, &guest).await["state"], "withdrawn", "{way}");
            // Said again it does not defeat what the guest said since.
            let yes = say(&app, &crm, &guest, "given").await;
            assert_eq!(yes.body["state"], "given", "{way}: {yes:?}");
            if way != "staff" {
                again(&app, &id, &mut record, "zh").await;
                let copied = app.guest(&format!("crs/{number}"), record.clone()).await;
                assert_eq!(copied, guest);
            }
            assert_eq!(stands(&app, &guest).await["state"], "given", "{way}");
            app.set_clock(NOW);
        }
        // A no of long ago comes before all that, also when it is heard only now.
        let guest = app.guest("pms/9", told(9, json!([]))).await;
        app.set_clock(AHEAD);
        assert_eq!(say(&app, &crm, &guest, "given").await.status, 201);
        app.set_clock(NOW);
        let mut old = said("refused");
        old["at"] = json!("2025-03-05T10:00:00Z");
        again(&app, "pms/9", &mut told(9, json!([old])), "pt").await;
        assert_eq!(stands(&app, &guest).await["state"], "given");
        app.finish().await;
    }
);

both!(what_a_source_says_without_a_time_is_heard_now, async |database| {
    let app = TestApp::start(database).await;
    let (pms, desk) = (
        app.errand("integration", "booking").await,
        app.errand("front_desk", "check_in").await,
    );
    let mut record = told(0, json!([]));
    record.as_object_mut().unwrap().remove("observed_at");
    app.set_clock(AHEAD);
    let guest = app.guest("pms/0", record.clone()).await;
    app.set_clock(NOW);
    record["stays"][0]["departure"] = json!("2026-03-09");
    record["guest"]["name"]["given"] = json!("Maria Rita");
    record["guest"]["phones"] = json!(null);
    let put = app.put(&pms, "/v1/records/pms/0", record.clone()).await;
    assert_eq!((put.status, &put.body["rejected"]), (200, &json!([])), "{put:?}");
    let path = format!("/v1/guests/{guest}?fields=name,stay_links,phones");
    let seen = app.get(&desk, &path).await;
    assert_eq!(seen.value("name.given"), "Maria Rita", "{seen:?}");
    assert_eq!(seen.value("stay_links")[0]["departure"], "2026-03-09", "{seen:?}");
    assert_eq!(seen.view("phones"), "absent", "{seen:?}");
    app.finish().await;
});

both!(what_was_stale_is_heard_when_it_is_said_again, async |database| {
    let app = TestApp::start(database).await;
    let pms = app.errand("integration", "booking").await;
    let desk = app.errand("front_desk", "check_in").await;
    // The source's clock is five minutes ahead, that of one instance two: each takes what it hears for said now.
    let told_at = |at: &str, given: &str| {
        let mut told = told(0, json!([]));
        told["observed_at"] = json!(at);
        told["guest"]["name"]["given"] = json!(given);
        told
    };
    app.set_clock(AHEAD);
    let guest = app.guest("pms/0", told_at("2026-03-05T10:05:00Z", "Rita")).await;
    app.set_clock(NOW);
    let right = told_at("2026-03-05T10:05:02Z", "Maria Rita");
    let put = async || {
        let answer = app.put(&pms, "/v1/records/pms/0", right.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["rejected"].as_array().unwrap().len()
    };
    assert!(put().await > 0);
    assert!(put().await > 0, "told each time");
    app.set_clock("2026-03-05T10:03:00Z");
    assert_eq!(put().await, 0);
    let seen = app.get(&desk, &format!("/v1/guests/{guest}")).await;
    assert_eq!(seen.value("name.given"), "Maria Rita", "{seen:?}");
    let version = &seen.headers["etag"];
    assert_eq!(put().await, 0);
    let seen = app.get(&desk, &format!("/v1/guests/{guest}")).await;
    assert_eq!(&seen.headers["etag"], version, "nothing new is said");
    app.finish().await;
});

both!(ways_in_of_a_clock_ahead_end_when_it_is_set, async |database| {
    let app = TestApp::start(database).await;
    let (guest, _) = two_guests(&app).await;
    let house = app.errand("integration", "booking").await;
    app.set_clock("2026-03-06T10:00:00Z");
    let mut inside = Browser::new(&app);
    sign_in(&app, &mut inside, MAIL).await;
    assert_eq!(inside.get("/privacy/data").await, 200);
    let link = app
        .post(&house, &format!("/v1/guests/{guest}/portal-sessions"), json!({}))
        .await;
    let link = link.body["path"].as_str().unwrap().to_owned();
    let ask = [("contact", MAIL), ("next", "")];
    let mut waiting = Browser::new(&app);
    for _ in 0..4 {
        waiting.open("/privacy/sign-in").await;
        waiting.submit("/privacy/sign-in", &ask).await;
    }
    let late = code(&app, 5).await;
    for now in [NOW, "2026-03-06T09:30:00Z"] {
        app.set_clock(now);
        assert_eq!(inside.get("/privacy/data").await, 303, "{now}");
        waiting
            .submit("/privacy/sign-in/code", &[("code", &late), ("next", "")])
            .await;
        assert!(waiting.page.contains("not right"), "{}", waiting.page);
        let mut follower = Browser::new(&app);
        follower.get(&link).await;
        follower.submit(&link, &[]).await;
        assert!(!follower.page.contains("in your hands"), "{}", follower.page);
        assert_eq!(follower.get("/privacy/data").await, 303);
    }
    // Nor do the codes of then count among those of this hour.
    sign_in(&app, &mut Browser::new(&app), MAIL).await;
    app.finish().await;
});

both!(a_correction_is_never_stale, async |database| {
    let app = TestApp::start(database).await;
    let guest = app.guest("pms/0", told(0, json!([]))).await;
    let desk = app.errand("front_desk", "check_in").await;
    let path = format!("/v1/guests/{guest}");
    for (clock, given) in [(AHEAD, "Rita Maria"), (NOW, "Maria Rita")] {
        app.set_clock(clock);
        let answer = app.patch(&desk, &path, json!({"name": {"given": given}})).await;
        assert_eq!(
            (answer.status, &answer.body["rejected"]),
            (200, &json!([])),
            "{answer:?}"
        );
        assert_eq!(app.get(&desk, &path).await.value("name.given"), given);
    }
    let answer = app.patch(&desk, &path, json!({"name": {"given": null}})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    app.finish().await;
});
