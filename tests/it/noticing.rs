//! What staff notice goes to a steward; what is near is told only of those who agreed.

use serde_json::{Value, json};

use crate::support::{
    app::{Answer, Errand, TestApp},
    database::both,
};

async fn note(app: &TestApp, errand: &Errand, guest: &str, text: &str) -> Answer {
    app.post(
        errand,
        &format!("/v1/guests/{guest}/observations"),
        json!({ "text": text }),
    )
    .await
}

async fn waiting(app: &TestApp, errand: &Errand) -> Vec<Value> {
    let answer = app.get(errand, "/v1/observations?limit=200").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["items"].as_array().unwrap().clone()
}

async fn in_house(app: &TestApp, number: u32) -> String {
    let stay = json!({"reservation": format!("R-{number}"), "property": "LIS01", "arrival": "2026-03-04",
                      "departure": "2026-03-07", "status": "checked_in"});
    let record = json!({"guest": {"name": {"surname": "Ferreira", "given": "Marta"}}, "stays": [stay]});
    app.guest(&format!("pms/{number}"), record).await
}

both!(a_note_is_taken_and_a_steward_decides, async |database| {
    let app = TestApp::start(database).await;
    let guest = in_house(&app, 1).await;
    let keeping = app.role("housekeeping").await;
    let crm = app.errand("crm", "loyalty").await;
    let manager = app.role("duty_manager").await;
    let mut ids = Vec::new();
    for (text, sensitive) in [
        ("likes two feather pillows", false),
        ("asks for a quiet room", false),
        ("has a nut allergy", true),
        ("nothing of note", false),
    ] {
        let answer = note(&app, &keeping, &guest, text).await;
        assert_eq!(
            (answer.status, &answer.body["sensitive"]),
            (201, &json!(sensitive)),
            "{answer:?}"
        );
        ids.push(answer.body["observation_id"].as_str().unwrap().to_owned());
    }
    // Who leaves a note cannot read it, in no way.
    assert_eq!(app.get(&keeping, "/v1/observations").await.status, 403);
    for refused in [
        "card 4111 1111 1111 1111",
        "passport E12345678",
        " ",
        &"x".repeat(1001),
    ] {
        let answer = note(&app, &keeping, &guest, refused).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (422, "record-rejected"),
            "{refused}"
        );
    }
    assert_eq!(
        note(&app, &keeping, "0198c5a0-0000-7000-8000-000000000000", "hello")
            .await
            .status,
        404
    );
    for role in ["marketing", "auditor", "partner", "statistics", "call_centre"] {
        assert_eq!(
            note(&app, &app.role(role).await, &guest, "hello").await.status,
            403,
            "{role}"
        );
    }
    // The same key, the same note.
    let once = keeping.clone().with("idempotency-key", "n-1");
    let (first, second) = (
        note(&app, &once, &guest, "wants tea").await,
        note(&app, &once, &guest, "wants tea").await,
    );
    assert_eq!(first.body, second.body);

    let seen = waiting(&app, &crm).await;
    let texts: Vec<&str> = seen.iter().map(|o| o["text"].as_str().unwrap_or("-")).collect();
    assert_eq!(
        texts,
        [
            "likes two feather pillows",
            "asks for a quiet room",
            "-",
            "nothing of note",
            "wants tea"
        ],
        "health is not for the profile's keeper"
    );
    let health = waiting(&app, &manager).await;
    assert_eq!(health[2]["text"], "has a nut allergy");
    assert_eq!(
        waiting(&app, &crm.clone().at("SHA01")).await.len(),
        0,
        "another house's queue"
    );

    let decide = async |errand: &Errand, id: &str, decision: Value| {
        app.post(errand, &format!("/v1/guests/{guest}/observations/{id}"), decision)
            .await
    };
    let bad = json!({"decision": "accept", "guest": {"preferences": {"smoking": "perhaps"}}});
    assert_eq!(
        decide(&crm, &ids[0], bad).await.status,
        422,
        "what cannot be valid leaves it waiting"
    );
    let accept = json!({"decision": "accept", "guest": {"preferences": {"bedding": {"pillow": "feather"}}}});
    let accepted = decide(&crm, &ids[0], accept).await;
    assert_eq!(accepted.status, 204, "{accepted:?}");
    let kept = decide(&manager, &ids[1], json!({"decision": "note"})).await;
    assert_eq!(kept.status, 204, "{kept:?}");
    let plain = decide(&manager, &ids[2], json!({"decision": "note"})).await;
    assert_eq!(plain.status, 400, "health is no plain note: {plain:?}");
    assert_eq!(
        decide(&crm, &ids[3], json!({"decision": "drop"})).await.status,
        204
    );
    assert_eq!(
        decide(&crm, &ids[3], json!({"decision": "drop"})).await.status,
        404,
        "once"
    );
    assert_eq!(
        decide(&keeping, &ids[2], json!({"decision": "drop"}))
            .await
            .status,
        403
    );
    let left: Vec<Value> = waiting(&app, &crm)
        .await
        .iter()
        .map(|o| o["observation_id"].clone())
        .collect();
    assert_eq!(left, [json!(ids[2]), first.body["observation_id"].clone()]);
    let read = app
        .get(
            &manager,
            &format!("/v1/guests/{guest}?fields=notes,preferences.bedding"),
        )
        .await;
    assert_eq!(
        read.value("notes")[0]["text"],
        "asks for a quiet room",
        "{read:?}"
    );
    assert_eq!(read.value("preferences.bedding")["pillow"], "feather", "{read:?}");

    // Every note that was shown is on record, as notes of that guest.
    let officer = app.role("compliance_officer").await;
    let log = app
        .get(
            &officer,
            &format!("/v1/audit/entries?guest_id={guest}&action=review_observations&limit=200"),
        )
        .await;
    let shown = log.body["items"].as_array().unwrap();
    assert!(
        shown.iter().any(|e| e["leaf"]["fields"]["notes"] == "plain"),
        "{log:?}"
    );
    assert!(shown.iter().any(|e| e["leaf"]["outcome"] == "accepted"));
    app.finish().await;
});

both!(
    a_note_of_health_goes_where_the_kitchen_reads_it,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = in_house(&app, 1).await;
        let kitchen = app.role("food_beverage").await;
        let manager = app.role("duty_manager").await;
        let crm = app.errand("crm", "loyalty").await;
        let decide = async |errand: &Errand, id: &str, decision: Value| {
            app.post(errand, &format!("/v1/guests/{guest}/observations/{id}"), decision)
                .await
        };
        let accept = |document: Value| json!({"decision": "accept", "guest": document});
        let leave = async |text: &str| {
            let answer = note(&app, &kitchen, &guest, text).await;
            assert_eq!(answer.body["sensitive"], json!(true), "{answer:?}");
            answer.body["observation_id"].as_str().unwrap().to_owned()
        };
        let allergies = async || {
            let path = format!("/v1/guests/{guest}?fields=health.allergies");
            app.get(&kitchen, &path).await.value("health.allergies").clone()
        };
        // What a source tells of stays beside what the kitchen noticed.
        let told = json!({"guest": {"health": {"allergies": ["milk"]}}});
        let pms = app.errand("integration", "booking").await;
        let linked = app.put(&pms, "/v1/records/pms/1", told).await;
        assert_eq!(linked.body["guest_id"], json!(guest), "{linked:?}");

        let first = leave("is allergic to shellfish").await;
        let plain = accept(json!({"notes": [{"text": "is allergic to shellfish"}]}));
        let refused = decide(&manager, &first, plain).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["reason"]),
            (422, &json!("not_permitted")),
            "{refused:?}"
        );
        for document in [
            json!({"preferences": {"food_drink": ["shellfish"]}}),
            json!({"health": {"allergies": ["crustaceans"]}, "notes": [{"text": "allergic"}]}),
        ] {
            assert_eq!(decide(&manager, &first, accept(document)).await.status, 422);
        }
        for nothing in [json!({}), json!({"health": {"allergies": null}})] {
            let lost = decide(&manager, &first, accept(nothing)).await;
            assert_eq!(lost.status, 400, "the note would be lost: {lost:?}");
        }
        let into = |codes: Value| accept(json!({"health": {"allergies": codes}}));
        let unseen = decide(&crm, &first, into(json!(["crustaceans"]))).await;
        assert_eq!(unseen.status, 403, "who may not read it cannot say what it means");
        assert_eq!(waiting(&app, &manager).await.len(), 1, "it still waits");

        let accepted = decide(&manager, &first, into(json!(["crustaceans"]))).await;
        assert_eq!(accepted.status, 204, "{accepted:?}");
        let seen = allergies().await;
        for code in ["milk", "crustaceans"] {
            assert!(seen.as_array().unwrap().contains(&json!(code)), "{seen}");
        }
        assert!(waiting(&app, &manager).await.is_empty());
        // Another note adds to it; a list that staff have fixed is made longer, since nothing beside it is shown.
        let second = leave("cannot eat nuts, allergy").await;
        let fixed = json!({"health": {"allergies": ["milk", "fish"]}});
        let clerk = app.errand("reservation_agent", "booking").await;
        let pinned = app.patch(&clerk, &format!("/v1/guests/{guest}"), fixed).await;
        assert_eq!(pinned.status, 200, "{pinned:?}");
        assert_eq!(allergies().await, json!(["milk", "fish"]));
        assert_eq!(decide(&manager, &second, into(json!(["nuts"]))).await.status, 204);
        assert_eq!(allergies().await, json!(["milk", "fish", "nuts"]));
        let third = leave("is vegan").await;
        let diet = decide(&manager, &third, accept(json!({"diet": ["vegan"]}))).await;
        assert_eq!(diet.status, 204, "{diet:?}");
        // Nobody reads it who may not read such words.
        for errand in [
            app.errand("call_centre", "booking").await,
            crm.clone(),
            app.errand("reservation_agent", "booking").await,
        ] {
            let read = app.get(&errand, &format!("/v1/guests/{guest}")).await;
            let text = read.body.to_string();
            for word in ["shellfish", "crustaceans", "nuts", "vegan"] {
                assert!(!text.contains(word), "{text}");
            }
        }
        app.finish().await;
    }
);

fn consent(state: &str) -> Value {
    json!({"purpose": "occasion_greeting", "state": state, "channel": "web", "indication": "checkbox"})
}

both!(only_who_agreed_is_greeted, async |database| {
    let app = TestApp::start(database).await;
    let person = |name: &str, birth: &str, consents: Value| {
        json!({"guest": {"name": {"surname": name}, "birth_date": birth,
                         "anniversaries": [{"kind": "wedding", "date": "2012-03-08"}]}, "consents": consents})
    };
    let agreed = app
        .guest("web/1", person("Silva", "1987-03-07", json!([consent("given")])))
        .await;
    let partial = app
        .guest("web/2", person("Costa", "--03-06", json!([consent("given")])))
        .await;
    app.guest("web/3", person("Sousa", "1990-03-07", json!([]))).await;
    app.guest(
        "web/4",
        person("Gomes", "1991-03-07", json!([consent("refused")])),
    )
    .await;
    app.guest("web/5", person("Lopes", "1992-04-07", json!([consent("given")])))
        .await;
    let crm = app.errand("crm", "occasion_greeting").await;
    let ask = async |errand: &Errand, body: Value| app.post(errand, "/v1/occasions", body).await;
    let found = ask(
        &crm,
        json!({"from": "2026-03-05", "days": 7, "kinds": ["birthday"]}),
    )
    .await;
    assert_eq!(found.status, 200, "{found:?}");
    let told: Vec<(&str, &str)> = found.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| (o["guest_id"].as_str().unwrap(), o["day"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [(partial.as_str(), "--03-06"), (agreed.as_str(), "--03-07")]
    );
    let text = found.body.to_string();
    assert!(
        !text.contains("1987") && !text.contains("Silva"),
        "no year, no name"
    );
    assert!(
        found.body["items"][0]["token"]
            .as_str()
            .unwrap()
            .starts_with("tok_")
    );
    // In pages, both kinds.
    let (mut all, mut cursor) = (0, Value::Null);
    loop {
        let mut body = json!({"from": "2026-03-05", "days": 7, "limit": 2});
        if !cursor.is_null() {
            body["cursor"] = cursor;
        }
        let page = ask(&crm, body).await;
        assert_eq!(page.status, 200, "{page:?}");
        all += page.body["items"].as_array().unwrap().len();
        cursor = page.body["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(all, 5, "two birthdays and three weddings");
    // A changed date is found by the new one only; a withdrawal holds at once.
    let pms = app.errand("integration", "booking").await;
    app.put(
        &pms,
        "/v1/records/web/2",
        json!({"guest": {"birth_date": "--03-09"}}),
    )
    .await;
    let desk = app.errand("front_desk", "check_in").await;
    app.post(
        &desk,
        &format!("/v1/guests/{agreed}/consents"),
        consent("withdrawn"),
    )
    .await;
    let again = ask(
        &crm,
        json!({"from": "2026-03-05", "days": 7, "kinds": ["birthday"]}),
    )
    .await;
    assert_eq!(again.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(again.body["items"][0]["day"], "--03-09");
    for (body, purpose) in [
        (json!({"from": "2026-03-05", "days": 0}), "occasion_greeting"),
        (json!({"from": "2026-03-05", "days": 32}), "occasion_greeting"),
        (
            json!({"from": "2026-03-05", "days": 3, "limit": 201}),
            "occasion_greeting",
        ),
        (
            json!({"from": "2026-03-05", "days": 3, "cursor": "x"}),
            "occasion_greeting",
        ),
        (json!({"from": "2026-03-05", "days": 3}), "loyalty"),
    ] {
        let answer = ask(&app.errand("crm", purpose).await, body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    for role in ["front_desk", "housekeeping", "admin", "partner", "statistics"] {
        let errand = app.errand(role, "occasion_greeting").await;
        assert_eq!(
            ask(&errand, json!({"from": "2026-03-05", "days": 3}))
                .await
                .status,
            403,
            "{role}"
        );
    }
    app.finish().await;
});
