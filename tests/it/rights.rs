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
    let mut late = wanted;
    late["review_on"] = json!("2026-03-05");
    assert_eq!(app.post(&one, &holds, late).await.status, 400);
    app.finish().await;
});
