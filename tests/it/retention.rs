//! Retention: the engine against another reading of the same words, and runs over the real routes.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use actix_web::http::Method;
use chrono::NaiveDate;
use futures_util::future::join_all;
use guest_vault::{
    base::Category,
    retention::{Drawer, Facts, Rules, StayFact, plan},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    rights::{lin, officer},
    support::{app::TestApp, database::both},
};

#[derive(Deserialize)]
struct History {
    rules: Option<String>,
    facts: Said,
    plan: Vec<Kept>,
}

type Kept = (Category, Option<NaiveDate>, Option<NaiveDate>, bool);

#[derive(Deserialize)]
struct Said {
    stays: Vec<SaidStay>,
    nationality: Option<String>,
    born: Option<NaiveDate>,
    last_activity: Option<NaiveDate>,
    membership_end: Option<NaiveDate>,
    consent_withdrawn: Option<NaiveDate>,
    drawers: BTreeMap<Category, Option<NaiveDate>>,
    copies: u64,
}

#[derive(Deserialize)]
struct SaidStay {
    country: String,
    province: Option<String>,
    arrival: NaiveDate,
    departure: NaiveDate,
    acknowledged: Option<NaiveDate>,
    came: bool,
    open: bool,
}

impl From<Said> for Facts {
    fn from(said: Said) -> Self {
        let drawer = |category, values, house| Drawer {
            category,
            values,
            house,
        };
        let mut drawers: Vec<Drawer> = said
            .drawers
            .into_iter()
            .map(|(category, house)| drawer(category, 1, house))
            .collect();
        if said.copies > 0 {
            drawers.push(drawer(Category::Statutory, said.copies, None));
        }
        let stay = |stay: SaidStay| StayFact {
            property: "LIS01".to_owned(),
            country: stay.country,
            province: stay.province,
            arrival: stay.arrival,
            departure: stay.departure,
            acknowledged: stay.acknowledged,
            came: stay.came,
            open: stay.open,
        };
        Self {
            stays: said.stays.into_iter().map(stay).collect(),
            nationality: said.nationality,
            born: said.born,
            last_activity: said.last_activity,
            membership_end: said.membership_end,
            consent_withdrawn: said.consent_withdrawn,
            register: None,
            drawers,
            fields: Vec::new(),
        }
    }
}

/// The same histories, dated by a program that shares nothing with the engine but the words of the documents.
#[test]
fn the_engine_and_an_independent_oracle_do_not_differ() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rights/retention.py");
    let mut oracle = Command::new("/usr/bin/python3")
        .args([script, "100000"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut rules = Rules::default();
    let mut seen = 0;
    for line in BufReader::new(oracle.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let history: History = serde_json::from_str(&line).unwrap();
        if let Some(text) = &history.rules {
            rules = Rules::read([("oracle", text.as_str())]).unwrap();
        }
        let order = |mut all: Vec<Kept>| {
            all.sort_unstable();
            all
        };
        let own = plan(&history.facts.into(), &rules).into_iter().map(|plan| {
            let date = |limit: &Option<guest_vault::retention::Limit>| limit.as_ref().map(|limit| limit.date);
            (
                plan.category,
                date(&plan.earliest),
                date(&plan.latest),
                plan.conflict.is_some(),
            )
        });
        assert_eq!(order(own.collect()), order(history.plan), "{line}");
        seen += 1;
    }
    assert!(oracle.wait().unwrap().success());
    assert_eq!(seen, 100_000);
}

fn count(run: &Value, category: &str) -> Value {
    run["would_erase"]["categories"][category]["guests"].clone()
}

both!(
    a_run_counts_first_and_lets_go_what_is_over_and_nothing_else,
    async |database| {
        let app = TestApp::start(database).await;
        let old = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let mut other = lin("R-2", "2026-03-01", "2026-03-04", "checked_out");
        other["guest"]["name"] = json!({"surname": "Okonkwo", "given": "Adaeze"});
        other["guest"]["birth_date"] = json!("1971-08-19");
        other["guest"]["phones"] = json!([{"number": "+234 803 555 0101"}]);
        other["guest"]["emails"] = json!([{"address": "adaeze@ok.example"}]);
        other["guest"]["id_documents"] =
            json!([{"type": "passport", "issuing_country": "NG", "number": "A00412345"}]);
        other["guest"]["nationality"] = json!("NG");
        let recent = app.guest("pms/o-1", other).await;
        let one = officer(&app, "o-1").await;

        // Documents go thirty days after the check-out: of the first guest, not of the second.
        let tried = app.post(&one, "/v1/retention/runs?dry_run=true", json!({})).await;
        for body in ["", "null"] {
            let bare = TestApp::request(&one, Method::POST, "/v1/retention/runs?dry_run=true")
                .insert_header(("content-type", "application/json"))
                .set_payload(body);
            assert_eq!(app.send(bare).await.status, 201, "{body:?} is none");
        }
        let path = "/v1/retention/runs?dry_run=true";
        assert_eq!(app.call(&one, Method::POST, path, None).await.status, 201);
        assert_eq!(tried.status, 201, "{tried:?}");
        assert_eq!(tried.body["state"], "simulated");
        assert_eq!(
            (&tried.body["due"], &count(&tried.body, "document")),
            (&json!(1), &json!(1))
        );
        let holds = async |guest: &str, category: &str| {
            let plan = app
                .get(&one, &format!("/v1/retention/plan?guest_id={guest}"))
                .await;
            let all = plan.body["categories"].as_array().unwrap();
            all.iter().any(|plan| plan["category"] == category)
        };
        assert!(holds(&old, "document").await, "nothing goes by a trial");
        let ran = app.post(&one, "/v1/retention/runs", json!({})).await;
        assert_eq!(
            (&ran.body["gone"], &ran.body["state"]),
            (&json!(1), &json!("done")),
            "{ran:?}"
        );
        assert!(!holds(&old, "document").await);
        assert!(holds(&old, "identity").await);
        assert!(holds(&recent, "document").await);
        // The form that the law wants kept was made before the passport went.
        let lawful = app
            .errand("compliance_officer", "legal_retention")
            .await
            .at("GROUP");
        let register = app.get(&lawful, &format!("/v1/guests/{old}/register")).await;
        assert_eq!(
            register.body["entries"][0]["guest"]["id_documents"][0]["number"], "E87654321",
            "{register:?}"
        );
        let again = app.post(&one, "/v1/retention/runs", json!({})).await;
        assert_eq!(
            (&again.body["due"], &again.body["state"]),
            (&json!(0), &json!("done"))
        );
        let desk = app
            .post(&app.role("front_desk").await, "/v1/retention/runs", json!({}))
            .await;
        assert_eq!((desk.status, desk.problem()), (403, "forbidden"));
        app.finish().await;
    }
);

both!(
    above_the_threshold_a_second_person_agrees_and_a_hold_keeps,
    async |database| {
        let mut app = TestApp::start(database).await;
        app.app.pace.approve_above = 0;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let (one, other) = (officer(&app, "o-1").await, officer(&app, "o-2").await);
        let holds = format!("/v1/guests/{guest}/holds");
        let hold = json!({"matter": "C-3/26", "ground": "investigation", "categories": ["document"],
                          "stays_from": "2026-01-01", "stays_to": "2026-01-31", "review_on": "2026-09-01"});
        let put = app.post(&one, &holds, hold.clone()).await;
        assert_eq!(put.status, 201, "{put:?}");
        let kept = app.post(&one, "/v1/retention/runs", json!({})).await;
        assert_eq!(kept.body["due"], 0, "{kept:?}");
        let lifted = format!("{holds}/{}", put.body["hold_id"].as_str().unwrap());
        assert_eq!(app.call(&other, Method::DELETE, &lifted, None).await.status, 204);
        // About another month: it does not hold this stay.
        let mut elsewhere = hold;
        elsewhere["stays_from"] = json!("2026-02-01");
        elsewhere["stays_to"] = json!("2026-02-28");
        assert_eq!(app.post(&one, &holds, elsewhere).await.status, 201);

        let run = app.post(&one, "/v1/retention/runs", json!({})).await;
        assert_eq!(run.body["state"], "waiting", "{run:?}");
        let path = format!("/v1/retention/runs/{}", run.body["run_id"].as_str().unwrap());
        let another = app.post(&other, "/v1/retention/runs", json!({})).await;
        assert_eq!((another.status, another.problem()), (409, "conflict"));
        let decision = format!("{path}/decision");
        let itself = app.post(&one, &decision, json!({"approve": true})).await;
        assert_eq!((itself.status, itself.problem()), (409, "conflict"));
        let agreed = app.post(&other, &decision, json!({"approve": true})).await;
        assert_eq!(
            (&agreed.body["state"], &agreed.body["gone"]),
            (&json!("done"), &json!(1)),
            "{agreed:?}"
        );
        let twice = app.post(&other, &decision, json!({"approve": true})).await;
        assert_eq!(twice.status, 409);
        let runs = app.get(&one, "/v1/retention/runs").await;
        assert_eq!(runs.body["items"].as_array().unwrap().len(), 2, "{runs:?}");
        let events = app.get(&app.role("integration").await, "/v1/events").await;
        let kinds: Vec<&str> = events.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|event| event["type"].as_str())
            .collect();
        assert!(kinds.contains(&"retention.waiting"), "{kinds:?}");
        app.finish().await;
    }
);

both!(guests_whose_time_is_over_go_by_themselves, async |database| {
    let app = TestApp::start(database).await;
    let guest = app
        .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
        .await;
    let eraser = app.app.requests().eraser;
    eraser.work(1_000).await.unwrap();
    app.set_clock("2029-01-13T03:00:00Z");
    eraser.work(1_000).await.unwrap();
    let gone = app
        .get(&app.role("front_desk").await, &format!("/v1/guests/{guest}"))
        .await;
    assert_eq!((gone.status, gone.problem()), (410, "gone"), "{gone:?}");
    app.app.close().await;
});

both!(
    what_came_back_ran_out_or_grew_old_waits_to_be_made_sure_of,
    async |database| {
        let app = TestApp::start(database).await;
        let mut record = lin("R-1", "2026-01-10", "2027-01-12", "confirmed");
        record["guest"]["emails"] = json!([{"address": "lin.mei@guests.example", "bounce": "hard"}]);
        let guest = app.guest("pms/l-1", record).await;
        let one = officer(&app, "o-1").await;
        let review = app.post(&one, "/v1/quality/reviews", json!({})).await;
        assert_eq!(review.status, 201, "{review:?}");
        assert_eq!(
            (
                &review.body["bounced"],
                &review.body["stale"],
                &review.body["looked_at"]
            ),
            (&json!(1), &json!(0), &json!(1)),
            "{review:?}"
        );
        let queue = app.get(&one, "/v1/quality/findings").await;
        let item = &queue.body["items"][0];
        assert_eq!(
            (&item["field"], &item["fault"]),
            (&json!("emails"), &json!("bounced")),
            "{queue:?}"
        );
        let settle = format!("/v1/guests/{guest}/findings/emails");
        let settled = app.post(&one, &settle, json!({"result": "confirmed"})).await;
        assert_eq!(settled.status, 204, "{settled:?}");
        assert_eq!(
            app.post(&one, &settle, json!({"result": "confirmed"}))
                .await
                .status,
            404
        );
        app.post(&one, "/v1/quality/reviews", json!({})).await;
        let queue = app.get(&one, "/v1/quality/findings").await;
        assert_eq!(
            queue.body["items"],
            json!([]),
            "what was settled is left in peace"
        );
        app.set_clock("2028-03-06T10:00:00Z");
        let later = app.post(&one, "/v1/quality/reviews", json!({})).await;
        assert_eq!(later.body["bounced"], 1, "{later:?}");
        assert!(
            later.body["stale"].as_u64().unwrap() >= 1,
            "the phone is two years old: {later:?}"
        );
        let desk = app
            .get(&app.role("front_desk").await, "/v1/quality/findings")
            .await;
        assert_eq!((desk.status, desk.problem()), (403, "forbidden"));
        app.finish().await;
    }
);

both!(a_run_over_all_houses_is_for_who_works_for_all, async |database| {
    let mut app = TestApp::start(database).await;
    app.app.pace.approve_above = 0;
    let guest = app
        .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
        .await;
    let of = async |scope: &'static str| {
        let officer = app.role_in("compliance_officer", &[scope]).await;
        officer.about("legal_retention").at(scope)
    };
    let (lisbon, shanghai) = (of("LIS01").await, of("SHA01").await);
    let counted = app
        .post(&lisbon, "/v1/retention/runs?dry_run=true", json!({}))
        .await;
    assert_eq!(counted.body["state"], "simulated", "{counted:?}");
    let begun = app.post(&lisbon, "/v1/retention/runs", json!({})).await;
    assert_eq!((begun.status, begun.problem()), (403, "forbidden"));
    let one = officer(&app, "o-1").await;
    // Of runs begun at the same moment one goes on.
    let body = || json!({});
    let all = join_all((0..6).map(|_| app.post(&one, "/v1/retention/runs", body()))).await;
    let mut waiting = all.iter().filter(|run| run.status != 409);
    let run = waiting.next().unwrap();
    assert_eq!(run.body["state"], "waiting", "{run:?}");
    assert!(waiting.next().is_none(), "{all:?}");
    let decision = format!(
        "/v1/retention/runs/{}/decision",
        run.body["run_id"].as_str().unwrap()
    );
    let decided = app.post(&lisbon, &decision, json!({"approve": true})).await;
    assert_eq!((decided.status, decided.problem()), (403, "forbidden"));
    // Nor are holds put on the guests of another house, or lifted.
    let hold = json!({"matter": "C-3/26", "ground": "investigation", "categories": ["document"],
                      "review_on": "2026-09-01"});
    let holds = format!("/v1/guests/{guest}/holds");
    let far = app.post(&shanghai, &holds, hold.clone()).await;
    assert_eq!((far.status, far.problem()), (404, "not-found"));
    let many = json!({"guests": [guest], "hold": hold});
    assert_eq!(app.post(&shanghai, "/v1/holds", many).await.status, 404);
    let put = app.post(&one, &holds, hold).await;
    assert_eq!(put.status, 201, "{put:?}");
    let path = format!("{holds}/{}", put.body["hold_id"].as_str().unwrap());
    assert_eq!(app.call(&shanghai, Method::DELETE, &path, None).await.status, 404);
    assert_eq!(app.get(&shanghai, &holds).await.status, 404);
    assert_eq!(app.get(&lisbon, &holds).await.status, 200);
    assert_eq!(app.call(&lisbon, Method::DELETE, &path, None).await.status, 204);
    app.finish().await;
});
