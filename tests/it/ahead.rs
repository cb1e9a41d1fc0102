//! A clock that was ahead, of another instance or of this one before it was set: what it dated keeps nothing from being
//! heard, done or counted now.

use guest_vault::{on, retention::quality::Quality};
use serde_json::{Value, json};

use crate::{
    cases::approved,
    meanwhile::{NAMES, click, say, stands},
    merging::{merge, record},
    rights::{lin, officer},
    support::{
        app::{NOW, TestApp},
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
