//! What hangs on a guest goes with its records when two guests are made one, and comes back when they are parted.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{
    constraining::{records, say},
    merging::{merge, record, state, steward, undo},
    rights::officer,
};
use crate::support::{
    app::{Answer, TestApp},
    browser::Browser,
    database::both,
};

async fn note(app: &TestApp, guest: &str, text: &str) -> String {
    let keeping = app.role("housekeeping").await;
    let path = format!("/v1/guests/{guest}/observations");
    let answer = app.post(&keeping, &path, json!({ "text": text })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["observation_id"].as_str().unwrap().to_owned()
}

async fn hold(app: &TestApp, guest: &str, matter: &str) -> String {
    let wanted =
        json!({"matter": matter, "ground": "legal_claim", "categories": [], "review_on": "2026-09-01"});
    let path = format!("/v1/guests/{guest}/holds");
    let answer = app.post(&officer(app, "o-1").await, &path, wanted).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["hold_id"].as_str().unwrap().to_owned()
}

async fn held(app: &TestApp, guest: &str) -> Vec<String> {
    let answer = app
        .get(&officer(app, "o-1").await, &format!("/v1/guests/{guest}/holds"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut matters: Vec<String> = answer.body["holds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hold| hold["matter"].as_str().unwrap().to_owned())
        .collect();
    matters.sort();
    matters
}

async fn ask(app: &TestApp, guest: &str) -> String {
    let wanted = json!({"guest_id": guest, "type": "access", "regime": "gdpr", "received_via": "email"});
    let answer = app.post(&officer(app, "o-1").await, "/v1/requests", wanted).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["request_id"].as_str().unwrap().to_owned()
}

async fn whose(app: &TestApp, request: &str) -> Value {
    let answer = app
        .get(&officer(app, "o-1").await, &format!("/v1/requests/{request}"))
        .await;
    answer.body["guest_id"].clone()
}

async fn waiting(app: &TestApp) -> Vec<(String, String)> {
    let answer = app
        .get(&app.role("duty_manager").await, "/v1/observations?limit=200")
        .await;
    let items = answer.body["items"].as_array().unwrap();
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    items
        .iter()
        .map(|item| (text(item, "guest_id"), text(item, "text")))
        .collect()
}

/// Guests who are nobody's namesakes.
async fn guests(app: &TestApp) -> Vec<String> {
    let mut guests = Vec::new();
    for (surname, given, number) in [
        ("Silva", "Ana", 2_020_202),
        ("Rocha", "Rui", 3_030_303),
        ("Wagner", "Ilse", 4_040_404),
        ("Ito", "Momoko", 5_050_505),
    ] {
        guests.push(
            app.guest(&format!("web/{number}"), record(surname, given, number))
                .await,
        );
    }
    guests
}

both!(holds_requests_and_notes_go_over_and_come_back, async |database| {
    let app = TestApp::start(database).await;
    let guests = guests(&app).await;
    let (one, other) = (&guests[0], &guests[1]);
    hold(&app, one, "A-1").await;
    hold(&app, other, "B-1").await;
    let request = ask(&app, other).await;
    note(&app, other, "likes two feather pillows").await;
    let before = state(&app, &guests).await;
    let merged = merge(&app, one, other, "").await;
    assert_eq!(merged.status, 201, "{merged:?}");
    assert_eq!(held(&app, one).await, ["A-1", "B-1"]);
    assert_eq!(whose(&app, &request).await, json!(one));
    assert_eq!(
        waiting(&app).await,
        [(one.clone(), "likes two feather pillows".to_owned())]
    );
    assert_eq!(undo(&app, &merged).await.status, 200);
    assert_eq!(held(&app, one).await, ["A-1"]);
    assert_eq!(held(&app, other).await, ["B-1"]);
    assert_eq!(whose(&app, &request).await, json!(other));
    assert_eq!(
        waiting(&app).await,
        [(other.clone(), "likes two feather pillows".to_owned())]
    );
    assert_eq!(state(&app, &guests).await, before);
    app.finish().await;
});

both!(what_is_decided_meanwhile_stays_decided, async |database| {
    let app = TestApp::start(database).await;
    let guests = guests(&app).await;
    let (one, other) = (&guests[0], &guests[1]);
    let dropped = note(&app, other, "nothing of note").await;
    let kept = note(&app, other, "asks for a quiet room").await;
    let lifted = hold(&app, other, "B-1").await;
    let merged = merge(&app, one, other, "").await;
    lift(&app, one, &lifted).await;
    let manager = app.role("duty_manager").await;
    for (id, decision) in [(&dropped, "drop"), (&kept, "note")] {
        let path = format!("/v1/guests/{one}/observations/{id}");
        let decided = app.post(&manager, &path, json!({ "decision": decision })).await;
        assert!(decided.status < 300, "{decided:?}");
    }
    app.set_clock("2026-03-05T10:00:01Z");
    // A hold put while they were one is for both.
    hold(&app, one, "C-1").await;
    assert_eq!(undo(&app, &merged).await.status, 200);
    assert_eq!(held(&app, one).await, ["C-1"]);
    assert_eq!(held(&app, other).await, ["C-1"]);
    assert_eq!(waiting(&app).await, []);
    let noted = async |guest: &String| {
        let answer = app
            .get(&manager, &format!("/v1/guests/{guest}?fields=notes"))
            .await;
        answer.value("notes").to_string().contains("quiet room")
    };
    assert_eq!((noted(one).await, noted(other).await), (false, true));
    // And once more: what both have is no obstacle.
    assert_eq!(merge(&app, one, other, "?force=true").await.status, 201);
    assert_eq!(held(&app, one).await, ["C-1"]);
    app.finish().await;
});

async fn lift(app: &TestApp, guest: &str, hold: &str) {
    let path = format!("/v1/guests/{guest}/holds/{hold}");
    let gone = app
        .call(&officer(app, "o-2").await, Method::DELETE, &path, None)
        .await;
    assert_eq!(gone.status, 204, "{gone:?}");
}

both!(
    a_hold_that_stands_for_one_of_them_stands_for_both,
    async |database| {
        let app = TestApp::start(database).await;
        let guests = guests(&app).await;
        let (one, other, third) = (&guests[0], &guests[1], &guests[2]);
        let merged = [
            merge(&app, one, other, "").await,
            merge(&app, one, third, "").await,
        ];
        app.set_clock("2026-03-05T10:00:01Z");
        let put = hold(&app, one, "C-1").await;
        for merged in &merged {
            assert_eq!(undo(&app, merged).await.status, 200);
        }
        lift(&app, one, &put).await;
        let before = state(&app, &guests).await;
        for (survivor, absorbed) in [(one, other), (other, one)] {
            let merged = merge(&app, survivor, absorbed, "?force=true").await;
            assert_eq!(held(&app, survivor).await, ["C-1"]);
            assert_eq!(undo(&app, &merged).await.status, 200);
            assert_eq!(state(&app, &guests).await, before);
        }
        // It stands through either of two, whichever is parted first.
        for turned in [false, true] {
            let mut merged = [
                merge(&app, one, other, "?force=true").await,
                merge(&app, one, third, "?force=true").await,
            ];
            if turned {
                merged.reverse();
            }
            assert_eq!(undo(&app, &merged[0]).await.status, 200);
            assert_eq!(held(&app, one).await, ["C-1"], "{turned}");
            assert_eq!(undo(&app, &merged[1]).await.status, 200);
            assert_eq!(state(&app, &guests).await, before, "{turned}");
        }
        // Lifted while they were one, it is lifted.
        let merged = merge(&app, one, other, "?force=true").await;
        lift(&app, one, &put).await;
        assert_eq!(undo(&app, &merged).await.status, 200);
        assert!(held(&app, one).await.is_empty() && held(&app, other).await.is_empty());
        app.finish().await;
    }
);

both!(
    a_hold_put_while_two_were_one_is_for_both_whatever_came_between,
    async |database| {
        let app = TestApp::start(database).await;
        let guests = guests(&app).await;
        let (one, other, third, fourth) = (&guests[0], &guests[1], &guests[2], &guests[3]);
        let first = merge(&app, other, third, "").await;
        app.set_clock("2026-03-05T10:00:01Z");
        hold(&app, other, "B-1").await;
        hold(&app, fourth, "D-1").await;
        let second = merge(&app, one, other, "").await;
        assert_eq!(undo(&app, &second).await.status, 200);
        // What another brought, who is still there, is not of these two.
        let brought = merge(&app, other, fourth, "").await;
        assert_eq!(held(&app, other).await, ["B-1", "D-1"]);
        assert_eq!(undo(&app, &first).await.status, 200);
        assert_eq!(held(&app, third).await, ["B-1"]);
        assert_eq!(undo(&app, &brought).await.status, 200);
        assert_eq!(held(&app, other).await, ["B-1"]);
        assert_eq!(held(&app, fourth).await, ["D-1"]);
        app.finish().await;
    }
);

both!(
    a_question_about_who_was_taken_in_is_asked_of_the_survivor,
    async |database| {
        let app = TestApp::start(database).await;
        let guests = guests(&app).await;
        // Somebody of the same name and nothing else that tells.
        let namesake = json!({"guest": {"name": {"surname": "Rocha", "given": "Rui"},
            "phones": [{"number": "+351 91 3030303"}]},
            "stays": [{"reservation": "R-77", "property": "LIS01", "arrival": "2026-03-04",
                       "departure": "2026-03-07", "status": "checked_in"}]});
        let booking = app.errand("integration", "booking").await;
        let third = app.put(&booking, "/v1/records/ota/77", namesake).await;
        assert_eq!(third.body["resolution"]["outcome"], "review", "{third:?}");
        let asked = async || -> Vec<Value> {
            let open = app.get(&steward(&app).await, "/v1/reviews").await;
            open.body["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|r| r["other_guest_id"].clone())
                .collect()
        };
        assert_eq!(asked().await, [json!(guests[1])]);
        let merged = merge(&app, &guests[0], &guests[1], "").await;
        assert_eq!(asked().await, [json!(guests[0])]);
        assert_eq!(undo(&app, &merged).await.status, 200);
        assert_eq!(asked().await, [json!(guests[1])]);
        app.finish().await;
    }
);

both!(
    a_restricted_guest_is_neither_merged_nor_parted,
    async |database| {
        let app = TestApp::start(database).await;
        let guests = guests(&app).await;
        let merged = merge(&app, &guests[0], &guests[1], "").await;
        restrict(&app, &guests[0], true).await;
        for (one, other) in [(0, 2), (2, 0)] {
            let refused = merge(&app, &guests[one], &guests[other], "").await;
            assert_eq!(
                (refused.status, refused.problem()),
                (403, "restricted"),
                "{refused:?}"
            );
        }
        let refused = undo(&app, &merged).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (403, "restricted"),
            "{refused:?}"
        );
        // Nor does a record that is like it join it.
        let like = app.guest("ota/9", record("Silva", "Ana", 2_020_202)).await;
        assert_ne!(like, guests[0]);
        restrict(&app, &guests[0], false).await;
        assert_eq!(undo(&app, &merged).await.status, 200);
        app.finish().await;
    }
);

async fn restrict(app: &TestApp, guest: &str, on: bool) {
    use guest_vault::{base::GuestId, on};
    let (id, status): (GuestId, _) = (guest.parse().unwrap(), if on { "restricted" } else { "active" });
    let mut tx = app.app.vault.store.begin().await.unwrap();
    on!(&mut tx, c => {
        sqlx::query("UPDATE guest SET status = $2 WHERE guest_id = $1").bind(id.0).bind(status).execute(c).await.unwrap();
    });
    tx.commit().await.unwrap();
}

both!(
    any_walk_with_all_that_hangs_on_them_leaves_no_trace,
    async |database| {
        let app = TestApp::start(database).await;
        let guests = guests(&app).await;
        for (at, guest) in guests.iter().enumerate() {
            hold(&app, guest, &format!("H-{at}")).await;
            ask(&app, guest).await;
            note(&app, guest, &format!("likes room {at}")).await;
        }
        let before = state(&app, &guests).await;
        for seed in 1..=4_u64 {
            walk(&app, &guests, seed * 20_260_301).await;
            assert_eq!(state(&app, &guests).await, before, "seed {seed}");
        }
        app.finish().await;
    }
);

/// Merges and parts at random, then undoes what is left in whatever order it can be undone.
async fn walk(app: &TestApp, guests: &[String], mut seed: u64) {
    let mut random = |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut done: Vec<Answer> = Vec::new();
    for _ in 0..14 {
        let (one, other) = (random(guests.len()), random(guests.len()));
        let merged = merge(app, &guests[one], &guests[other], "?force=true").await;
        if merged.status == 201 {
            done.push(merged);
        } else {
            // The same guest twice, or one that is retired.
            assert!(matches!(merged.status, 400 | 404), "{merged:?}");
        }
        if random(3) == 0 && !done.is_empty() {
            let at = random(done.len());
            if undo(app, &done[at]).await.status == 200 {
                done.remove(at);
            }
        }
    }
    let mut tries = 0;
    while !done.is_empty() {
        let at = random(done.len());
        let undone = undo(app, &done[at]).await;
        assert!(matches!(undone.status, 200 | 409), "{undone:?}");
        if undone.status == 200 {
            done.remove(at);
        }
        tries += 1;
        assert!(tries < 500, "some merge can never be undone");
    }
}

both!(doubts_go_over_and_nobody_stays_signed_in, async |database| {
    let app = TestApp::start(database).await;
    let guests = guests(&app).await;
    let mut bounced = record("Moreau", "Odile", 6_060_606);
    bounced["guest"]["emails"] = json!([{"address": "odile@moreau.example", "bounce": "hard"}]);
    let (one, other) = (guests[0].clone(), app.guest("web/6060606", bounced).await);
    let review = app
        .post(&officer(&app, "o-1").await, "/v1/quality/reviews", json!({}))
        .await;
    assert_eq!(review.body["bounced"], 1, "{review:?}");
    assert_eq!(doubts(&app).await, std::slice::from_ref(&other));
    let (mut theirs, mut ours) = (signed_in(&app, &other).await, signed_in(&app, &one).await);
    let merged = merge(&app, &one, &other, "").await;
    assert_eq!(merged.status, 201, "{merged:?}");
    // Whoever was signed in as one of them would be shown what was the other's: both sign in anew.
    for browser in [&mut theirs, &mut ours] {
        assert_eq!(browser.get("/privacy/data").await, 303);
    }
    assert_eq!(doubts(&app).await, std::slice::from_ref(&one));

    // Settled for the one that both are, it is settled for the one it was about.
    let settled = app
        .post(
            &officer(&app, "o-1").await,
            &format!("/v1/guests/{one}/findings/emails"),
            json!({"result": "confirmed"}),
        )
        .await;
    assert_eq!(settled.status, 204, "{settled:?}");
    let mut both = signed_in(&app, &one).await;
    assert_eq!(undo(&app, &merged).await.status, 200);
    assert_eq!(doubts(&app).await, Vec::<String>::new());
    assert_eq!(both.get("/privacy/data").await, 303);
    app.finish().await;
});

/// The guests of whom something is to be made sure of again.
async fn doubts(app: &TestApp) -> Vec<String> {
    let queue = app.get(&officer(app, "o-1").await, "/v1/quality/findings").await;
    let items = queue.body["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["guest_id"].as_str().unwrap().to_owned())
        .collect()
}

/// A guest's browser, signed in by a link of the hotel's app.
async fn signed_in<'a>(app: &'a TestApp, guest: &str) -> Browser<'a> {
    let house = app.errand("integration", "booking").await;
    let link = app
        .post(&house, &format!("/v1/guests/{guest}/portal-sessions"), json!({}))
        .await;
    let path = link.body["path"].as_str().unwrap().to_owned();
    let mut browser = Browser::new(app);
    browser.get(&path).await;
    browser.submit(&path, &[]).await;
    assert_eq!(browser.get("/privacy/data").await, 200);
    browser
}

both!(
    what_hangs_on_a_guest_stays_where_it_protects_when_a_record_is_taken_out,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
        let mut twin = record("Silva", "Ana", 1_234_567);
        twin["stays"][0]["reservation"] = json!("R-2");
        twin["guest"]["account_manager_id"] = json!("am-7");
        assert_eq!(app.guest("pms/2", twin).await, guest);
        hold(&app, &guest, "A-1").await;
        let request = ask(&app, &guest).await;
        let looks = async |guest: &str| {
            let manager = app
                .errand("account_manager", "service_follow_up")
                .await
                .with("vault-actor", "am-7");
            let seen = app
                .get(&manager, &format!("/v1/guests/{guest}?fields=phones,memberships"))
                .await;
            assert_eq!(seen.status, 200, "{seen:?}");
            !seen.body["fields"]["phones"]["value"].is_null()
        };
        assert!(looks(&guest).await);
        let mut browser = signed_in(&app, &guest).await;
        let all = records(&app, &guest).await;
        let said = say(&app, "different", (&guest, &all[0]), (&guest, &all[1]), false).await;
        assert_eq!(said.status, 200, "{said:?}");
        let new = said.body["other"]["guest_id"].as_str().unwrap().to_owned();
        // Whose the matter is nobody knows: neither may go. Who asked is told so by whom the request was about.
        for one in [&guest, &new] {
            assert_eq!(held(&app, one).await, ["A-1"]);
        }
        assert_eq!(whose(&app, &request).await, json!(guest));
        assert_eq!(browser.get("/privacy/data").await, 303);
        // The portfolio goes with the record that names it.
        assert!(looks(&new).await);
        assert!(!looks(&guest).await);
        app.finish().await;
    }
);
