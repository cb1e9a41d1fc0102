//! Agents that bring requests by the Data Rights Protocol 1.0: what they sign is taken in once, what they did not sign
//! is not.

use std::sync::Arc;

use actix_web::{http::Method, test::TestRequest};
use data_encoding::BASE64;
use guest_vault::{
    crypto::{KeyMaterial, SigningKey},
    requests::agents::{Agent, House},
};
use serde_json::{Value, json};

use crate::{
    rights::{lin, officer},
    support::{
        app::{Answer, TestApp},
        database::both,
    },
};

fn key(seed: u8) -> SigningKey {
    SigningKey::new(KeyMaterial::from_slice(&[seed; 32]).unwrap())
}

fn message(by: &SigningKey, said: &Value) -> String {
    let text = said.to_string();
    BASE64.encode(&[by.sign(text.as_bytes()).as_slice(), text.as_bytes()].concat())
}

fn asked(agent: &str, exercise: &str, issued: &str) -> Value {
    json!({"agent-id": agent, "business-id": "ATLANTIC", "issued-at": issued,
           "expires-at": "2026-03-05T10:09:00Z", "drp.version": "1.0", "exercise": exercise, "regime": "ccpa",
           "name": "Mei Lin", "email": "lin.mei@guests.example", "email_verified": true})
}

async fn start(database: &crate::support::database::Database) -> TestApp {
    let mut app = TestApp::start(database).await;
    let agent = |id: &str, seed| Agent {
        id: id.to_owned(),
        key: key(seed).public(),
    };
    app.app.agents = Some(Arc::new(House {
        business: "ATLANTIC".to_owned(),
        property: "GROUP".parse().unwrap(),
        agents: vec![agent("CR_AA", 1), agent("OTHER", 2)],
    }));
    app
}

async fn send(app: &TestApp, method: Method, path: &str, token: &str, body: &str) -> Answer {
    let request = TestRequest::default()
        .method(method)
        .uri(path)
        .insert_header(("authorization", format!("Bearer {token}")))
        .insert_header(("content-type", "text/plain"))
        .set_payload(body.to_owned());
    app.send(request).await
}

async fn token(app: &TestApp, agent: &str, seed: u8) -> String {
    let hello = message(&key(seed), &asked(agent, "", "2026-03-05T09:59:00Z"));
    let told = send(app, Method::POST, &format!("/drp/v1/agent/{agent}"), "", &hello).await;
    assert_eq!(told.status, 200, "{told:?}");
    told.body["token"].as_str().unwrap().to_owned()
}

const REQUESTS: &str = "/drp/v1/data-rights-request";

both!(
    an_agents_request_goes_its_way_and_tells_nothing_of_the_guest,
    async |database| {
        let app = start(database).await;
        app.guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let token = token(&app, "CR_AA", 1).await;
        let whose = send(&app, Method::GET, "/drp/v1/agent/CR_AA", &token, "").await;
        assert_eq!(whose.status, 200);
        let ask =
            async |said: &Value| send(&app, Method::POST, REQUESTS, &token, &message(&key(1), said)).await;
        let known = ask(&asked("CR_AA", "deletion", "2026-03-05T09:59:01Z")).await;
        let again = ask(&asked("CR_AA", "deletion", "2026-03-05T09:59:02Z")).await;
        let mut stranger = asked("CR_AA", "deletion", "2026-03-05T09:59:03Z");
        stranger["email"] = json!("nobody@guests.example");
        let unknown = ask(&stranger).await;
        let told = |answer: &Answer| {
            let mut body = answer.body.clone();
            body.as_object_mut().unwrap().remove("request_id");
            (answer.status, body)
        };
        assert_eq!(known.body["status"], "open", "{known:?}");
        assert!(
            known.body["expected_by"]
                .as_str()
                .unwrap()
                .starts_with("2026-04-"),
            "{known:?}"
        );
        assert_eq!((told(&again), told(&unknown)), (told(&known), told(&known)));

        let path = |answer: &Answer| format!("{REQUESTS}/{}", answer.body["request_id"].as_str().unwrap());
        let officer_path =
            |answer: &Answer| format!("/v1/requests/{}", answer.body["request_id"].as_str().unwrap());
        let one = officer(&app, "o-1").await;
        let denied = app
            .post(
                &one,
                &format!("{}/decision", officer_path(&unknown)),
                json!({"decision": "deny", "ground": "no_match"}),
            )
            .await;
        assert_eq!(denied.status, 200, "{denied:?}");
        let state = send(&app, Method::GET, &path(&unknown), &token, "").await;
        assert_eq!(
            (&state.body["status"], &state.body["reason"]),
            (&json!("denied"), &json!("no_match"))
        );
        app.post(
            &one,
            &format!("{}/verify", officer_path(&known)),
            json!({"result": "needed"}),
        )
        .await;
        let revoked = send(&app, Method::DELETE, &path(&known), &token, "").await;
        assert_eq!(revoked.body["status"], "revoked", "{revoked:?}");
        let twice = send(&app, Method::DELETE, &path(&known), &token, "").await;
        assert_eq!(twice.status, 409);
        let opt_in = ask(&asked("CR_AA", "sale:opt-in", "2026-03-05T09:59:04Z")).await;
        assert_eq!(
            (&opt_in.body["status"], &opt_in.body["reason"]),
            (&json!("denied"), &json!("claim_not_covered"))
        );
        app.finish().await;
    }
);

both!(
    what_an_agent_did_not_sign_for_this_house_now_is_refused,
    async |database| {
        let app = start(database).await;
        let (first, second) = (token(&app, "CR_AA", 1).await, token(&app, "OTHER", 2).await);
        let said = asked("CR_AA", "access", "2026-03-05T09:59:01Z");
        let good = message(&key(1), &said);
        let ask =
            async |token: &str, body: &str| send(&app, Method::POST, REQUESTS, token, body).await.status;
        let with = |name: &str, value: &str| {
            let mut other = said.clone();
            other[name] = json!(value);
            message(&key(1), &other)
        };
        assert_eq!(ask("", &good).await, 401, "no token");
        assert_eq!(ask("0000", &good).await, 401, "nobody's token");
        assert_eq!(ask(&second, &good).await, 403, "another agent's token");
        assert_eq!(
            ask(&first, &message(&key(2), &said)).await,
            403,
            "signed by another"
        );
        assert_eq!(ask(&first, &with("agent-id", "OTHER")).await, 403);
        assert_eq!(ask(&first, &with("business-id", "PACIFIC")).await, 403);
        assert_eq!(ask(&first, &with("issued-at", "2026-03-05T10:05:00Z")).await, 400);
        assert_eq!(
            ask(&first, &with("expires-at", "2026-03-05T09:59:59Z")).await,
            400
        );
        assert_eq!(ask(&first, "not base64!").await, 400);
        assert_eq!(ask(&first, &BASE64.encode(b"short")).await, 400);
        assert_eq!(ask(&first, &good).await, 200);
        assert_eq!(ask(&first, &good).await, 409, "a message counts once");
        let stolen = send(&app, Method::POST, "/drp/v1/agent/OTHER", "", &good).await;
        assert_eq!(stolen.status, 403);
        app.finish().await;
    }
);
