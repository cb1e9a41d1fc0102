//! Signing in at an `OpenID` provider: what it takes, and what is refused.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpResponse, HttpServer, rt, web};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    issuer::{TestIssuer, b64, header},
    noon,
};
use crate::{
    access::{Answer, Begun, OpenId, OpenIdError, TokenError},
    base::{Caller, Clock},
    config::{SignInConfig, SigningAlgorithm},
    crypto::sha256,
};

/// What the provider of these tests answers, and what it was asked.
#[derive(Clone, Default)]
struct Provider {
    /// The ID token that the next code gives.
    token: Arc<Mutex<String>>,
    /// The form that the last code came with.
    form: Arc<Mutex<String>>,
    /// What the discovery document says beside the usual.
    says: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Provider {
    /// Serves on a free port of this machine until the test ends; gives its issuer identifier.
    fn start(&self, keys: String) -> String {
        let served = self.clone();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let issuer = base.clone();
        let http = HttpServer::new(move || {
            let (served, keys, base) = (served.clone(), keys.clone(), base.clone());
            let discovery = {
                let (served, base) = (served.clone(), base.clone());
                move || {
                    let mut said = json!({
                        "issuer": base, "authorization_endpoint": format!("{base}/auth"),
                        "token_endpoint": format!("{base}/token"), "jwks_uri": format!("{base}/jwks"),
                    });
                    for (name, value) in served.says.lock().unwrap().iter() {
                        said[*name] = json!(value);
                    }
                    async move { HttpResponse::Ok().json(said) }
                }
            };
            App::new()
                .route("/.well-known/openid-configuration", web::get().to(discovery))
                .route("/jwks", web::get().to(move || {
                    let keys = keys.clone();
                    async move { HttpResponse::Ok().body(keys) }
                }))
                .route("/token", web::post().to(move |form: String| {
                    *served.form.lock().unwrap() = form;
                    let token = served.token.lock().unwrap().clone();
                    async move { HttpResponse::Ok().json(json!({"id_token": token, "access_token": "x"})) }
                }))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)
        .unwrap();
        rt::spawn(http.run());
        issuer
    }
}

fn config(issuer: &str) -> SignInConfig {
    SignInConfig {
        issuer: issuer.to_owned(),
        client_id: "console".to_owned(),
        client_secret_file: None,
        address: "https://vault.hotel.example/".to_owned(),
        scopes: vec!["roles".to_owned()],
        algorithms: vec![SigningAlgorithm::EdDsa],
        role_claim: "role".to_owned(),
        roles: [("gv-officer".to_owned(), "compliance_officer".parse().unwrap())].into(),
        property_claim: "properties".to_owned(),
        properties: BTreeMap::new(),
        actor_claim: "sub".to_owned(),
        attested_claim: None,
        leeway_seconds: 30,
    }
}

struct Try {
    issuer: TestIssuer,
    provider: Provider,
    open: OpenId,
    name: String,
    clock: Clock,
}

impl Try {
    fn new() -> Self {
        let (issuer, provider, clock) = (TestIssuer::new(), Provider::default(), Clock::fixed(noon()));
        let name = provider.start(issuer.set());
        Self {
            open: OpenId::new(config(&name), clock.clone()).unwrap(),
            issuer,
            provider,
            name,
            clock,
        }
    }

    fn claims(&self, begun: &Begun) -> Value {
        let now = noon().timestamp();
        json!({"iss": self.name, "aud": "console", "sub": "o-17", "iat": now, "exp": now + 300,
               "nonce": serde_json::to_value(begun).unwrap()["nonce"], "role": "gv-officer", "properties": "GROUP"})
    }

    async fn finish(&self, begun: &Begun, header: &Value, claims: &Value) -> Result<Caller, OpenIdError> {
        *self.provider.token.lock().unwrap() = self.issuer.token(header, claims);
        let state = serde_json::to_value(begun).unwrap()["state"]
            .as_str()
            .unwrap()
            .to_owned();
        let answer = Answer {
            state: &state,
            code: "c 1+/&",
            issuer: Some(&self.name),
        };
        self.open.finish(begun, &answer).await
    }
}

fn id_header() -> Value {
    json!({"typ": "JWT", "alg": "EdDSA", "kid": "ed"})
}

fn parameter(text: &str, name: &str) -> String {
    let url = reqwest::Url::parse(&format!("http://form.invalid?{text}")).unwrap();
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[actix_web::test]
async fn a_code_with_its_proof_key_signs_in_whom_the_provider_names() {
    let tried = Try::new();
    let (address, begun) = tried.open.begin().await.unwrap();
    let query = address.split_once('?').unwrap().1;
    assert!(address.starts_with(&format!("{}/auth?", tried.name)));
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "console"),
        ("scope", "openid roles"),
        ("redirect_uri", "https://vault.hotel.example/console/callback"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(query, name), value);
    }
    let caller = tried
        .finish(&begun, &id_header(), &tried.claims(&begun))
        .await
        .unwrap();
    assert_eq!(caller.role.as_str(), "compliance_officer");
    assert_eq!(caller.actor.as_deref(), Some("o-17"));
    let form = tried.provider.form.lock().unwrap().clone();
    assert_eq!(parameter(&form, "code"), "c 1+/&");
    assert_eq!(parameter(&form, "client_id"), "console");
    let verifier = parameter(&form, "code_verifier");
    assert_eq!(
        parameter(query, "code_challenge"),
        b64(sha256(verifier.as_bytes()))
    );
    let (_, another) = tried.open.begin().await.unwrap();
    assert_ne!(
        serde_json::to_string(&begun).unwrap(),
        serde_json::to_string(&another).unwrap()
    );
}

#[actix_web::test]
async fn an_answer_to_another_sign_in_signs_nobody_in() {
    let tried = Try::new();
    let (_, begun) = tried.open.begin().await.unwrap();
    let (_, other) = tried.open.begin().await.unwrap();
    let state = serde_json::to_value(&other).unwrap()["state"]
        .as_str()
        .unwrap()
        .to_owned();
    *tried.provider.token.lock().unwrap() = tried.issuer.token(&id_header(), &tried.claims(&begun));
    for (state, issuer) in [
        (state.as_str(), None),
        ("", None),
        (state.as_str(), Some("https://evil.example")),
    ] {
        let answer = Answer {
            state,
            code: "c",
            issuer,
        };
        assert!(matches!(
            tried.open.finish(&begun, &answer).await,
            Err(OpenIdError::State)
        ));
    }
    let mixed = Answer {
        state: &state,
        code: "c",
        issuer: Some("https://evil.example"),
    };
    assert!(matches!(
        tried.open.finish(&other, &mixed).await,
        Err(OpenIdError::State)
    ));
    let elsewhere = tried.finish(&other, &id_header(), &tried.claims(&begun)).await;
    assert!(
        matches!(elsewhere, Err(OpenIdError::Token(TokenError::Nonce))),
        "{elsewhere:?}"
    );
    tried.clock.set(noon() + TimeDelta::minutes(11));
    let late = tried.finish(&begun, &id_header(), &tried.claims(&begun)).await;
    assert!(matches!(late, Err(OpenIdError::State)));
}

#[actix_web::test]
async fn an_id_token_must_be_one_for_this_client() {
    let tried = Try::new();
    let (_, begun) = tried.open.begin().await.unwrap();
    let with = |name: &str, value: Value| {
        let mut claims = tried.claims(&begun);
        claims[name] = value;
        claims
    };
    let now = noon().timestamp();
    let wrong = [
        with("aud", json!("another")),
        with("aud", json!(["console", "another"])),
        with("azp", json!("another")),
        with("iss", json!("https://evil.example")),
        with("exp", json!(now - 60)),
        with("iat", json!(now + 600)),
        with("role", json!("gv-nobody")),
        with("properties", json!("")),
        with("sub", json!("mei.lin@hotel.example")),
        with("nonce", Value::Null),
    ];
    for claims in wrong {
        let refused = tried.finish(&begun, &id_header(), &claims).await;
        assert!(matches!(refused, Err(OpenIdError::Token(_))), "{claims}");
    }
    let good = tried.claims(&begun);
    for bad in [
        header("EdDSA", "ed"),
        json!({"alg": "none", "kid": "ed"}),
        json!({"alg": "ES256", "kid": "p256"}),
        json!({"alg": "EdDSA"}),
    ] {
        let refused = tried.finish(&begun, &bad, &good).await;
        assert!(matches!(refused, Err(OpenIdError::Token(_))), "{bad}");
    }
    assert!(
        tried
            .finish(&begun, &id_header(), &with("azp", json!("console")))
            .await
            .is_ok()
    );
}

#[actix_web::test]
async fn a_provider_that_calls_itself_otherwise_is_not_believed() {
    for (name, value) in [
        ("issuer", "https://evil.example"),
        ("token_endpoint", "http://evil.example/token"),
        ("authorization_endpoint", "ftp://127.0.0.1/auth"),
    ] {
        let tried = Try::new();
        tried.provider.says.lock().unwrap().insert(name, value.to_owned());
        let refused = tried.open.begin().await;
        assert!(
            matches!(refused, Err(OpenIdError::Discovery | OpenIdError::Address)),
            "{name}"
        );
    }
}
