//! What holds for every call of the contract.

use actix_web::http::Method;
use guest_vault::routes;
use serde_json::{Value, json};

use crate::support::{app::TestApp, database::both};

/// Every call of `/v1`: method and path, with an id wherever one belongs.
fn calls() -> Vec<(Method, String)> {
    let contract = serde_json::to_value(routes::contract()).unwrap();
    let mut all = Vec::new();
    for (path, item) in contract["paths"].as_object().unwrap() {
        let mut filled = String::new();
        for segment in path.split('/').skip(1) {
            filled.push('/');
            filled.push_str(if segment.starts_with('{') {
                "018f0000-0000-7000-8000-000000000000"
            } else {
                segment
            });
        }
        let methods = item.as_object().unwrap().keys();
        let named = methods.map(|name| name.to_uppercase().parse::<Method>().unwrap());
        all.extend(
            named
                .filter(|_| path.starts_with("/v1/"))
                .map(|m| (m, filled.clone())),
        );
    }
    all
}

both!(
    no_call_passes_over_a_parameter_that_it_does_not_know,
    async |database| {
        let app = TestApp::start(database).await;
        let errand = app.errand("front_desk", "check_in").await;
        let calls = calls();
        assert!(calls.len() > 80, "{}", calls.len());
        for (method, path) in calls {
            let answer = app
                .call(&errand, method.clone(), &format!("{path}?phone=86138"), None)
                .await;
            assert_eq!(
                (answer.status, answer.problem()),
                (400, "unknown-field"),
                "{method} {path}: {answer:?}"
            );
            assert_eq!(answer.body["errors"][0]["field"], "phone", "{method} {path}");
        }
        let lookups = app.get(&errand, "/v1/lookups?phone=1").await;
        assert_eq!(lookups.status, 405, "a wrong method is told first");
        let nowhere = TestApp::request(&errand, Method::GET, "/v1/nowhere?x=1");
        assert_eq!(app.send(nowhere).await.status, 404);
        let stranger = actix_web::test::TestRequest::get().uri("/v1/policy?x=1");
        assert_eq!(
            app.send(stranger).await.status,
            401,
            "nobody learns what a call takes"
        );
        let known = app.get(&errand, "/v1/policy?").await;
        assert_ne!(known.body["type"], Value::from("/problems/unknown-field"));
        app.finish().await;
    }
);

#[test]
fn every_list_says_where_it_goes_on_or_that_it_ends() {
    let contract = serde_json::to_value(routes::contract()).unwrap();
    let schemas = contract["components"]["schemas"].as_object().unwrap();
    let lists: Vec<(&String, &Value)> = schemas
        .iter()
        .filter(|(_, schema)| schema["properties"]["next_cursor"].is_object())
        .collect();
    assert!(lists.len() > 5, "{}", lists.len());
    for (name, schema) in lists {
        let required = schema["required"].as_array().unwrap();
        assert!(required.contains(&Value::from("next_cursor")), "{name}");
    }
}

both!(a_list_that_ends_says_null, async |database| {
    let app = TestApp::start(database).await;
    let officer = app
        .errand("compliance_officer", "subject_request")
        .await
        .at("GROUP");
    for path in ["/v1/requests", "/v1/retention/runs"] {
        let list = app.get(&officer, path).await;
        assert_eq!(list.status, 200, "{path}: {list:?}");
        assert_eq!(list.body.get("next_cursor"), Some(&Value::Null), "{path}");
    }
    app.finish().await;
});

both!(
    what_is_wrong_is_told_of_the_call_that_was_made,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/1", json!({"guest": {"name": {"surname": "Lima"}}}))
            .await;
        let clerk = app.errand("reservation_agent", "booking").await;
        let pms = app.errand("integration", "booking").await;
        let typo = json!({"nmae": {"surname": "Lima"}});
        let path = format!("/v1/guests/{guest}");
        for answer in [
            app.patch(&clerk, &path, typo.clone()).await,
            app.put(&pms, "/v1/records/pms/1?strict=true", json!({"guest": typo}))
                .await,
        ] {
            assert_eq!((answer.status, answer.problem()), (400, "unknown-field"));
            assert_eq!(answer.body["errors"][0]["field"], "nmae", "{answer:?}");
        }
        // With another fault beside it, both are told, of the record.
        let both = json!({"nmae": 1, "emails": [{"address": "x"}]});
        let refused = app.patch(&clerk, &path, both).await;
        assert_eq!((refused.status, refused.problem()), (422, "record-rejected"));
        assert_eq!(refused.body["errors"].as_array().unwrap().len(), 2, "{refused:?}");
        let consent =
            json!({"purpose": "nope", "state": "given", "channel": "web", "indication": "checkbox"});
        let consent = app.post(&clerk, &format!("{path}/consents"), consent).await;
        for answer in [refused, consent] {
            assert_eq!(answer.status, 422, "{answer:?}");
            let advice = answer.body["detail"].as_str().unwrap();
            assert!(!advice.contains("send the record"), "{advice}");
        }
        app.finish().await;
    }
);
