//! Rights of guests: how long things are kept, holds, requests, erasure.

use serde_json::{Value, json};

use crate::support::{
    app::{Errand, TestApp},
    database::both,
};

pub(crate) fn lin(reservation: &str, arrival: &str, departure: &str, status: &str) -> Value {
    json!({
        "guest": {
            "name": {"surname": "Lin", "given": "Mei"},
            "birth_date": "1990-02-03",
            "phones": [{"number": "+86 139 1234 5678", "kind": "mobile"}],
            "emails": [{"address": "lin.mei@guests.example"}],
            "nationality": "CN",
            "id_documents": [{"type": "passport", "issuing_country": "CN", "number": "E87654321"}],
            "preferences": {"room": {"floor": "low"}}
        },
        "stays": [{"reservation": reservation, "property": "LIS01", "arrival": arrival, "departure": departure,
                   "status": status, "channel": "web"}]
    })
}

pub(crate) async fn officer(app: &TestApp, actor: &str) -> Errand {
    app.errand("compliance_officer", "subject_request")
        .await
        .at("GROUP")
        .with("vault-actor", actor)
}

both!(a_plan_names_the_rule_its_source_and_its_dates, async |database| {
    let app = TestApp::start(database).await;
    let guest = app
        .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
        .await;
    let path = format!("/v1/retention/plan?guest_id={guest}");
    let told = app.get(&officer(&app, "o-1").await, &path).await;
    assert_eq!(told.status, 200, "{told:?}");
    let of = |category: &str| {
        let all = told.body["categories"].as_array().unwrap();
        all.iter()
            .find(|plan| plan["category"] == category)
            .cloned()
            .unwrap_or(Value::Null)
    };
    assert_eq!(of("contact")["latest"]["date"], "2028-01-12");
    assert_eq!(of("document")["latest"]["rule"], "house");
    // A Portuguese house keeps a foreigner's form one year from the departure.
    let form = of("statutory");
    assert_eq!(form["earliest"]["date"], "2027-01-12");
    assert_eq!(form["earliest"]["rule"], "pt-boletim");
    assert!(form["earliest"]["source"].as_str().unwrap().contains("23/2007"));
    let desk = app.get(&app.role("front_desk").await, &path).await;
    assert_eq!((desk.status, desk.problem()), (403, "forbidden"));
    app.finish().await;
});

both!(a_hold_needs_another_person_to_end_it, async |database| {
    let app = TestApp::start(database).await;
    let guest = app
        .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
        .await;
    let holds = format!("/v1/guests/{guest}/holds");
    let (one, other) = (officer(&app, "o-1").await, officer(&app, "o-2").await);
    let wanted = json!({"matter": "C-17/26", "ground": "legal_claim", "categories": ["contact"], "review_on": "2026-09-01"});
    let put = app.post(&one, &holds, wanted.clone()).await;
    assert_eq!(put.status, 201, "{put:?}");
    let hold = format!("{holds}/{}", put.body["hold_id"].as_str().unwrap());
    let itself = app.call(&one, actix_web::http::Method::DELETE, &hold, None).await;
    assert_eq!((itself.status, itself.problem()), (409, "conflict"));
    let agreed = app.post(&other, &format!("{hold}/approval"), json!({})).await;
    assert_eq!(agreed.status, 204, "{agreed:?}");
    let listed = app.get(&one, &holds).await;
    assert_eq!(listed.body["holds"][0]["matter"], "C-17/26");
    assert!(listed.body["holds"][0]["approver"].is_string());
    let ended = app
        .call(&other, actix_web::http::Method::DELETE, &hold, None)
        .await;
    assert_eq!(ended.status, 204, "{ended:?}");
    assert_eq!(app.get(&one, &holds).await.body["holds"], json!([]));
    let mut carded = wanted.clone();
    carded["matter"] = json!("paid with 4111 1111 1111 1111");
    let refused = app.post(&one, &holds, carded).await;
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["field"]),
        (400, &json!("matter"))
    );
    let mut late = wanted;
    late["review_on"] = json!("2026-03-05");
    assert_eq!(app.post(&one, &holds, late).await.status, 400);
    app.finish().await;
});

/// Opens a case of this guest; gives its path.
async fn opened(app: &TestApp, guest: &str, kind: &str, regime: &str) -> String {
    let desk = app
        .errand("front_desk", "subject_request")
        .await
        .with("vault-actor", "s-1");
    let wanted = json!({"guest_id": guest, "type": kind, "regime": regime, "received_via": "email"});
    let opened = app.post(&desk, "/v1/requests", wanted).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap())
}

both!(a_shorter_clock_is_not_lost_in_a_longer_one, async |database| {
    let app = TestApp::start(database).await;
    let officer = officer(&app, "o-1").await;
    for (number, regimes) in [
        // The law of Brazil gives half the time: its case stands beside the other.
        ["gdpr", "lgpd", "gdpr", "lgpd"],
        ["lgpd", "gdpr", "lgpd", "gdpr"],
    ]
    .into_iter()
    .enumerate()
    {
        let stay = format!("R-{number}");
        let mut record = lin(&stay, "2026-01-10", "2026-01-12", "checked_out");
        record["guest"] = json!({"name": {"surname": format!("Lin{number}")}});
        let guest = app.guest(&format!("pms/{number}"), record).await;
        let mut told = Vec::new();
        for regime in regimes {
            let path = opened(&app, &guest, "access", regime).await;
            let case = app.get(&officer, &path).await.body;
            told.push((case["state"].clone(), case["due_on"].clone()));
        }
        let open: Vec<&Value> = told
            .iter()
            .filter(|(state, _)| state == "received")
            .map(|(_, due)| due)
            .collect();
        let soonest = told.iter().map(|(_, due)| due.as_str().unwrap()).min().unwrap();
        assert_eq!(open.len(), if number == 0 { 2 } else { 1 }, "{told:?}");
        assert_eq!(open.last().unwrap().as_str(), Some(soonest), "{told:?}");
    }
    app.finish().await;
});

both!(
    an_answer_is_put_off_until_its_day_is_over_there,
    async |database| {
        let app = TestApp::start(database).await;
        let desk = app
            .errand("front_desk", "subject_request")
            .await
            .at("SHA01")
            .with("vault-actor", "s-1");
        let mut cases = Vec::new();
        for number in 0..2 {
            let guest = format!("018f0000-0000-7000-8000-{number:012}");
            let wanted =
                json!({"guest_id": guest, "type": "access", "regime": "gdpr", "received_via": "email"});
            let opened = app.post(&desk, "/v1/requests", wanted).await;
            assert_eq!(opened.status, 201, "{opened:?}");
            cases.push(opened.body);
        }
        let due = cases[0]["due_on"].as_str().unwrap();
        // Eight hours before, the day begins and ends in Shanghai.
        for (case, (hour, status)) in cases.iter().zip([("15", 200), ("16", 409)]) {
            app.set_clock(&format!("{due}T{hour}:30:00Z"));
            let path = format!("/v1/requests/{}/decision", case["request_id"].as_str().unwrap());
            let put_off = json!({"decision": "extend", "ground": "complexity"});
            let told = app.post(&officer(&app, "o-2").await, &path, put_off).await;
            assert_eq!(told.status, status, "{told:?}");
        }
        app.finish().await;
    }
);

both!(a_decision_has_a_ground_and_keeps_its_reason, async |database| {
    let app = TestApp::start(database).await;
    let guest = app
        .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
        .await;
    let (one, other) = (officer(&app, "o-1").await, officer(&app, "o-2").await);
    let case = opened(&app, &guest, "access", "gdpr").await;
    let decide = async |path: &str, body: Value| app.post(&other, &format!("{path}/decision"), body).await;
    for decision in ["deny", "extend"] {
        let bare = decide(&case, json!({"decision": decision, "reason": "complex case"})).await;
        assert_eq!(
            (bare.status, bare.problem()),
            (400, "invalid-request"),
            "{bare:?}"
        );
        let error = &bare.body["errors"][0];
        assert_eq!(error["field"], "ground");
        assert!(
            error["reason"].as_str().unwrap().contains("complexity"),
            "{error}"
        );
    }
    for reason in ["", "card 4111 1111 1111 1111", &"x".repeat(201)] {
        let wrong = json!({"decision": "extend", "ground": "complexity", "reason": reason});
        let refused = decide(&case, wrong).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["field"]),
            (400, &json!("reason"))
        );
    }
    let put_off =
        json!({"decision": "extend", "ground": "complexity", "reason": "two systems, one on paper"});
    let extended = decide(&case, put_off).await;
    assert_eq!(
        (extended.status, &extended.body["extended"]),
        (200, &json!(true)),
        "{extended:?}"
    );
    let auditor = app.errand("compliance_officer", "audit").await.at("GROUP");
    let entries = app
        .get(&auditor, "/v1/audit/entries?action=handle_request&limit=1")
        .await;
    let id = entries.body["items"][0]["entry_id"].as_str().unwrap().to_owned();
    let entry = app.get(&auditor, &format!("/v1/audit/entries/{id}")).await;
    assert_eq!(entry.body["reason"], "two systems, one on paper", "{entry:?}");

    // Whose reason nothing can keep is told so.
    let nobody = "018f0000-0000-7000-8000-000000000000";
    let unknown = opened(&app, nobody, "access", "gdpr").await;
    let denied = json!({"decision": "deny", "ground": "no_match", "reason": "no such name"});
    let refused = decide(&unknown, denied).await;
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["field"]),
        (400, &json!("reason"))
    );

    let erasure = opened(&app, &guest, "erasure", "gdpr").await;
    app.post(&one, &format!("{erasure}/verify"), json!({"result": "passed"}))
        .await;
    let blind = decide(&erasure, json!({"decision": "approve", "preview": "another"})).await;
    assert_eq!((blind.status, blind.problem()), (409, "conflict"));
    let detail = blind.body["detail"].as_str().unwrap();
    assert!(detail.contains("GET /v1/requests/{id}/preview"), "{detail}");
    app.finish().await;
});
