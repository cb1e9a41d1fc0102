//! Asking who somebody is: one by one and line by line, as far as the caller may know; handles of guests for consumers;
//! weights that follow the stewards.

use std::{fs, sync::Arc};

use guest_vault::{
    access::operator,
    base::{Errand as Order, PropertyTree, RequestId},
    guest::GuestError,
    policy::{Policies, PolicySource},
};
use serde_json::{Value, json};

use super::merging::{merge, record, steward, undo};
use crate::support::{
    app::{Answer, Errand, TestApp, tree},
    database::{Database, both},
};

const RULES: &str = include_str!("../../policies/rules.csv");

fn asked(surname: &str, given: &str, number: u32) -> Value {
    json!({"name": {"surname": surname, "given": given}, "phones": [{"number": format!("+351 91 {number:07}")}],
           "emails": [{"address": format!("{given}{number}@guests.example")}]})
}

async fn resolve(app: &TestApp, errand: &Errand, guest: Value) -> Answer {
    app.post(errand, "/v1/resolve", json!({ "guest": guest })).await
}

both!(
    reasons_add_up_and_hide_what_the_caller_may_not_see,
    async |database| {
        let app = TestApp::start(database).await;
        let mut whole = record("Silva", "Ana", 1_234_567);
        whole["guest"]["id_documents"] =
            json!([{"type": "passport", "issuing_country": "PT", "number": "CA123456"}]);
        whole["guest"]["birth_date"] = json!("1980-05-06");
        app.guest("web/1", whole.clone()).await;
        for role in [
            "reservation_agent",
            "call_centre",
            "front_desk",
            "duty_manager",
            "crm",
            "integration",
        ] {
            let errand = app
                .errand(role, if role == "crm" { "loyalty" } else { "booking" })
                .await;
            let told = resolve(&app, &errand, whole["guest"].clone()).await;
            if told.status != 200 {
                assert_eq!(told.status, 403, "{role} {told:?}");
                continue;
            }
            for candidate in told.body["candidates"].as_array().unwrap() {
                let reasons = candidate["reasons"].as_array().unwrap();
                let sum: f64 = reasons.iter().map(|r| r["weight"].as_f64().unwrap()).sum();
                assert!(
                    (sum - candidate["bits"].as_f64().unwrap()).abs() < 1e-6,
                    "{role} {candidate}"
                );
                assert!(!candidate.to_string().contains("CA123456"), "{role}");
            }
        }
        app.finish().await;
    }
);

both!(a_batch_is_answered_line_by_line, async |database| {
    let app = TestApp::start(database).await;
    let one = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
    let desk = app.errand("front_desk", "check_in").await;
    let lines = [
        json!({"id": "a", "guest": asked("Silva", "Ana", 1_234_567)}).to_string(),
        "{not json".to_owned(),
        String::new(),
        json!({"guest": {"gender": 1}}).to_string(),
        json!({"id": "d", "guest": asked("Unbekannt", "Xaver", 7_000_007)}).to_string(),
    ];
    let batch = TestApp::request(&desk, actix_web::http::Method::POST, "/v1/resolve/batch")
        .set_payload([lines.join("\r\n").as_bytes(), b"\n\xff\xfe\n"].concat());
    let typed = batch.insert_header(("content-type", "text/plain"));
    assert_eq!(app.send(typed).await.status, 415);
    let request = TestApp::request(&desk, actix_web::http::Method::POST, "/v1/resolve/batch")
        .insert_header(("content-type", "application/x-ndjson"))
        .set_payload([lines.join("\r\n").as_bytes(), b"\n\xff\xfe\n"].concat());
    let answer = app.send(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = String::from_utf8(answer.bytes).unwrap();
    let told: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let numbers: Vec<u64> = told.iter().map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 4, 5, 6]);
    assert_eq!(
        (&told[0]["id"], &told[0]["candidates"][0]["guest_id"]),
        (&json!("a"), &json!(one))
    );
    // One that is no JSON, of no form, no UTF-8: each is refused alone, as a call would be.
    for (line, field) in [(1, "the body"), (2, "guest.gender"), (4, "the body")] {
        let problem = &told[line]["problem"];
        assert_eq!(
            (&problem["type"], &problem["status"]),
            (&json!("/problems/invalid-request"), &json!(400)),
            "{problem}"
        );
        assert!(problem["errors"][0]["reason"].is_string(), "{field} {problem}");
    }
    assert_eq!(
        (&told[3]["id"], &told[3]["candidates"]),
        (&json!("d"), &json!([]))
    );
    let empty = TestApp::request(&desk, actix_web::http::Method::POST, "/v1/resolve/batch")
        .insert_header(("content-type", "application/x-ndjson"))
        .set_payload("\n\n");
    assert_eq!(app.send(empty).await.status, 400);
    app.finish().await;
});

/// A house that keeps its guests to itself: the desk sees nobody who is not at its own hotel around now. Agents learn that
/// somebody is known elsewhere, or nobody does.
async fn discreet(database: &Database, told: bool) -> TestApp {
    let mut app = TestApp::start(database).await;
    let folder = database.dir().join(format!("policies-{told}"));
    fs::create_dir_all(&folder).unwrap();
    let closed =
        "\ndeny, front_desk|reservation_agent, *, *, *, read, none|past, plain|reveal|masked|token|flag\n";
    let mut rules = RULES.to_owned() + closed;
    if !told {
        let right = "call_centre|front_desk|duty_manager|crm, known_elsewhere";
        assert!(rules.contains(right));
        rules = rules.replace(
            &format!("reservation_agent|{right}"),
            "duty_manager, known_elsewhere",
        );
    }
    fs::write(folder.join("rules.csv"), rules).unwrap();
    // The cases that ship are about the policy that ships.
    fs::write(folder.join("cases.toml"), "").unwrap();
    let tree = PropertyTree::new(tree()).unwrap();
    let policies = Policies::load(PolicySource::Folder(folder), &tree).unwrap();
    app.app.vault.policies = Arc::new(policies);
    app
}

/// An answer without what differs from call to call.
fn plain(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("audit");
    body
}

both!(
    that_somebody_is_known_elsewhere_is_told_without_who,
    async |database| {
        elsewhere(database, true).await;
    }
);

both!(without_the_right_who_is_elsewhere_is_nobody, async |database| {
    elsewhere(database, false).await;
});

async fn elsewhere(database: &Database, told: bool) {
    let known = asked("Silva", "Ana", 1_234_567);
    let unknown = asked("Lindqvist", "Oskar", 7_000_007);
    let app = discreet(database, told).await;
    let ana = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
    let here = app.role_in("front_desk", &["LIS01"]).await.about("check_in");
    let there = app
        .role_in("front_desk", &["SHA01"])
        .await
        .about("check_in")
        .at("SHA01");
    // She is in Lisbon: Lisbon's desk knows her, and learns of nobody elsewhere.
    let seen = resolve(&app, &here, known.clone()).await;
    assert_eq!(seen.body["candidates"][0]["guest_id"], json!(ana), "{seen:?}");
    assert!(seen.body.get("known_elsewhere").is_none(), "{seen:?}");
    // Shanghai's desk is told that somebody is known, if the policy says so: no id, no score, no reason.
    let hidden = resolve(&app, &there, known.clone()).await;
    let nobody = resolve(&app, &there, unknown.clone()).await;
    assert_eq!((hidden.status, nobody.status), (200, 200));
    assert_eq!(hidden.body["candidates"], json!([]));
    assert_eq!(nobody.body.get("known_elsewhere"), None);
    if told {
        assert_eq!(hidden.body["known_elsewhere"], 1, "{hidden:?}");
    } else {
        assert_eq!(plain(&hidden), plain(&nobody), "as if there were nobody");
    }
    let text = String::from_utf8(hidden.bytes.clone()).unwrap();
    assert!(!text.contains(&ana) && !text.contains("Silva"), "{text}");
    // The same line by line.
    let lines = [&known, &unknown].map(|guest| json!({ "guest": guest }).to_string());
    let request = TestApp::request(&there, actix_web::http::Method::POST, "/v1/resolve/batch")
        .insert_header(("content-type", "application/x-ndjson"))
        .set_payload(lines.join("\n"));
    let text = String::from_utf8(app.send(request).await.bytes).unwrap();
    let batch: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(batch[0]["candidates"], json!([]));
    assert_eq!(batch[0].get("known_elsewhere"), told.then(|| json!(1)).as_ref());
    assert_eq!(batch[1].get("known_elsewhere"), None);
    // A purpose for which it may read nobody opens no way around.
    let aside = resolve(&app, &there.clone().about("survey"), known.clone()).await;
    assert_eq!((aside.status, aside.problem()), (403, "forbidden"));
    // A booking at its own house makes her its own.
    let sender = app.errand("integration", "booking").await.at("SHA01");
    let stay = json!({"property": "SHA01", "arrival": "2026-03-06", "departure": "2026-03-08", "status": "confirmed"});
    let booked = app
        .put(&sender, &format!("/v1/guests/{ana}/stays/S-1"), stay)
        .await;
    assert!(booked.status < 300, "{booked:?}");
    let now = resolve(&app, &there, known.clone()).await;
    assert_eq!(now.body["candidates"][0]["guest_id"], json!(ana), "{now:?}");
    app.finish().await;
}

both!(
    the_shipped_matrix_lets_a_desk_know_names_of_every_house,
    async |database| {
        let app = TestApp::start(database).await;
        let ana = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
        let there = app
            .role_in("front_desk", &["SHA01"])
            .await
            .about("check_in")
            .at("SHA01");
        let seen = resolve(&app, &there, asked("Silva", "Ana", 1_234_567)).await;
        assert_eq!(seen.body["candidates"][0]["guest_id"], json!(ana), "{seen:?}");
        // The matrix gives the desk names at any stay, and nothing of how to reach her.
        let look = app
            .get(&there, &format!("/v1/guests/{ana}?fields=name,phones,emails"))
            .await;
        assert_eq!(
            (
                look.view("name.surname"),
                look.view("phones"),
                look.view("emails")
            ),
            ("plain", "withheld", "withheld"),
            "{look:?}"
        );
        app.finish().await;
    }
);

async fn handle(app: &TestApp, guest: &str, consumer: &str) -> Answer {
    let path = format!("/v1/guests/{guest}/pseudonyms");
    app.post(&steward(app).await, &path, json!({ "consumer": consumer }))
        .await
}

async fn owner(app: &TestApp, errand: &Errand, pseudonym: &Value) -> Answer {
    app.post(
        errand,
        "/v1/pseudonyms/resolve",
        json!({ "pseudonym": pseudonym }),
    )
    .await
}

both!(each_consumer_has_its_own_handle_of_a_guest, async |database| {
    let app = TestApp::start(database).await;
    let one = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
    let other = app.guest("pms/2", record("Rocha", "Rui", 7_654_321)).await;
    let (survey, doors) = (
        "01890000-0000-7000-8000-000000000001",
        "01890000-0000-7000-8000-000000000002",
    );
    let first = handle(&app, &one, survey).await;
    assert_eq!(first.status, 200, "{first:?}");
    let first = first.body["pseudonym"].clone();
    assert!(first.as_str().unwrap().starts_with("gp_"));
    // Stable for one consumer; different for each consumer, and for each guest.
    assert_eq!(handle(&app, &one, survey).await.body["pseudonym"], first);
    let at_doors = handle(&app, &one, doors).await.body["pseudonym"].clone();
    let others = handle(&app, &other, survey).await.body["pseudonym"].clone();
    assert!(at_doors != first && others != first && others != at_doors);
    let manager = steward(&app).await;
    let back = owner(&app, &manager, &first).await;
    assert_eq!(
        (back.status, &back.body["guest_id"]),
        (200, &json!(one)),
        "{back:?}"
    );
    assert_eq!(back.body["consumer"], survey);
    // Who may not, and what is none.
    let desk = app.errand("front_desk", "check_in").await;
    assert_eq!(owner(&app, &desk, &first).await.status, 403);
    for wrong in ["gp_AAAAAAAAAAAAAAAAAAAAAAAAAA", "gp_", "x", "gp_%%%"] {
        assert_eq!(owner(&app, &manager, &json!(wrong)).await.status, 404, "{wrong}");
    }
    let keeping = app.role("housekeeping").await;
    let path = format!("/v1/guests/{one}/pseudonyms");
    assert_eq!(
        app.post(&keeping, &path, json!({ "consumer": survey }))
            .await
            .status,
        403
    );
    // A handle leads on through a merge, and back.
    let merged = merge(&app, &one, &other, "").await;
    assert_eq!(owner(&app, &manager, &others).await.body["guest_id"], json!(one));
    assert_eq!(undo(&app, &merged).await.status, 200);
    assert_eq!(
        owner(&app, &manager, &others).await.body["guest_id"],
        json!(other)
    );
    assert_eq!(handle(&app, &other, survey).await.body["pseudonym"], others);
    app.finish().await;
});

both!(what_stewards_answer_is_learnt_and_versioned, async |database| {
    let app = TestApp::start(database).await;
    let vault = &app.app.vault;
    let order = Order {
        caller: operator().unwrap(),
        property: "GROUP".parse().unwrap(),
        purpose: "administration".parse().unwrap(),
        reason: None,
        request: RequestId::random(),
    };
    let guest = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
    let few = vault.learn(&order, 1, (true, false)).await;
    assert!(matches!(few, Err(GuestError::Blocked(_))), "{few:?}");
    // Stewards say of three pairs in four that share a phone that they are two; the table states one in sixteen.
    answers(&app, &guest, 240, uuid::Uuid::now_v7()).await;
    // What the vault merged by itself is nobody's answer.
    answers(&app, &guest, 40, operator().unwrap().principal.0).await;
    let lesson = vault.learn(&order, 1, (false, false)).await.unwrap();
    assert_eq!((lesson.answers, lesson.applied), (240, false));
    assert!(lesson.shifts["phones.exact"] < -1.0, "{lesson:?}");
    assert!(lesson.held_out.1 < lesson.held_out.0, "{lesson:?}");
    assert!(lesson.flips.iter().all(|flip| flip.before != flip.after) && !lesson.flips.is_empty());
    assert_eq!(
        vault.matcher.weights().version,
        "shipped-2",
        "a dry run changes nothing"
    );
    let again = vault.learn(&order, 1, (false, false)).await.unwrap();
    assert_eq!(again.shifts, lesson.shifts);

    let applied = vault.learn(&order, 1, (true, false)).await.unwrap();
    assert_eq!((applied.version.as_str(), applied.applied), ("learnt-1", true));
    assert_eq!(vault.matcher.weights().version, "learnt-1");
    let desk = app.errand("front_desk", "check_in").await;
    let told = resolve(&app, &desk, asked("Silva", "Ana", 1_234_567)).await;
    assert_eq!(told.body["weights"], "learnt-1");
    // The explanation adds up with the learnt weights too.
    let best = &told.body["candidates"][0];
    let sum: f64 = best["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["weight"].as_f64().unwrap())
        .sum();
    assert!((sum - best["bits"].as_f64().unwrap()).abs() < 1e-6, "{told:?}");
    let back = vault.learn(&order, 1, (true, true)).await.unwrap();
    assert_eq!((back.version.as_str(), back.shifts.len()), ("learnt-2", 0));
    // Of two at once the later is told of the other.
    for _ in 0..4 {
        let (one, other) = tokio::join!(
            vault.learn(&order, 1, (true, true)),
            vault.learn(&order, 1, (true, true))
        );
        assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
        for outcome in [one, other] {
            assert!(
                matches!(outcome, Ok(_) | Err(GuestError::Blocked(_))),
                "{outcome:?}"
            );
        }
    }
    app.finish().await;
});

/// Answered questions, as stewards leave them.
async fn answers(app: &TestApp, guest: &str, count: usize, by: uuid::Uuid) {
    use guest_vault::{
        base::{GuestId, RecordId},
        guest::sql::NewReview,
    };
    let guest: GuestId = guest.parse().unwrap();
    let mut tx = app.app.vault.store.begin().await.unwrap();
    for n in 0..count {
        let review = NewReview {
            review: uuid::Uuid::now_v7(),
            kind: "record",
            guest,
            record: RecordId::random(),
            other: GuestId::random(),
            bits: 4_000,
            reasons: json!([
                ["name", "exact", 8_000],
                ["phones", "exact", 6_000],
                ["prior", "prior", -10_000]
            ])
            .to_string(),
            weights: "shipped-2".to_owned(),
            property: "LIS01".to_owned(),
            priority: 4_000,
            now: 0,
        };
        tx.insert_review(&review).await.unwrap();
        let state = if n % 4 == 0 { "answered" } else { "different" };
        tx.answer_review(review.review, state, (by, 0), 0).await.unwrap();
    }
    tx.commit().await.unwrap();
}
