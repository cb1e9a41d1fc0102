//! The door of `/v1` as a caller meets it.

use std::sync::Arc;

use actix_web::{
    App,
    body::to_bytes,
    dev::{Service, ServiceResponse},
    http::StatusCode,
    middleware::from_fn,
    test::{TestRequest, init_service},
    web,
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{
    House, front_desk,
    issuer::{TestIssuer, claims, config, header},
    noon, shown, tree,
};
use crate::{
    access::{Access, Attestations, Issuers, Known, Principals, authenticate, operator},
    base::{Caller, Clock, Errand, RequestId},
    config::{AttestationsConfig, JwksSource},
    web::RateLimits,
};

struct Vault {
    house: House,
    issuer: TestIssuer,
    principals: Arc<Principals>,
    issuers: Arc<Issuers>,
    rates: Arc<RateLimits>,
}

impl Vault {
    async fn new() -> Self {
        Self::asking(None).await
    }

    /// One whose issuer says until when holders are attested, in this claim.
    async fn asking(attested: Option<&str>) -> Self {
        let house = House::new().await;
        let issuer = TestIssuer::new();
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), issuer.set()).unwrap();
        let mut config = config(JwksSource::File(file.path().to_owned()));
        config.attested_claim = attested.map(str::to_owned);
        let issuers = Issuers::open(&[config], Clock::fixed(noon())).await.unwrap();
        let principals = Arc::new(house.principals());
        Self {
            house,
            issuer,
            principals,
            issuers: Arc::new(issuers),
            rates: Arc::new(RateLimits::new(0, 0)),
        }
    }

    async fn key(&self, scope: &[&str]) -> String {
        let mut new = front_desk();
        new.scope = scope.iter().map(|p| p.parse().unwrap()).collect();
        let by = operator().unwrap();
        shown(
            &self
                .principals
                .create(&new, &by, RequestId::random())
                .await
                .unwrap(),
        )
    }

    /// Sends one request to `/v1/<path>` and gives status, headers and body.
    async fn call(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, String, Value) {
        let register = (
            self.house.store.clone(),
            self.house.log.clone(),
            self.house.clock.clone(),
        );
        let attestations = Attestations::new(AttestationsConfig::default(), true, register);
        let access = Access {
            attestations: Arc::new(attestations),
            principals: self.principals.clone(),
            issuers: self.issuers.clone(),
            rates: self.rates.clone(),
            log: self.house.log.clone(),
            clock: self.house.clock.clone(),
        };
        let known = Known {
            properties: Arc::new(tree()),
            purpose: Box::new(|p| p.as_str() == "stay_service"),
            holds_card_number: |_| false,
        };
        let app = init_service(
            App::new()
                .app_data(web::Data::new(access))
                .app_data(web::Data::new(known))
                .service(
                    web::scope("/v1")
                        .wrap(from_fn(authenticate))
                        .route("/who", web::get().to(who))
                        .route("/errand", web::get().to(errand)),
                ),
        )
        .await;
        let mut request = TestRequest::get().uri(&format!("/v1/{path}"));
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        let response: ServiceResponse<_> = app.call(request.to_request()).await.unwrap();
        let asks = response.headers().get("www-authenticate");
        let asks = asks.map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = response.status();
        let body = to_bytes(response.into_body()).await.unwrap_or_default();
        (status, asks, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn denials(&self) -> Vec<Value> {
        let mut conn = self.house.store.read().await.unwrap();
        let leaves: Vec<Vec<u8>> = crate::on!(&mut conn, c => {
            sqlx::query_scalar("SELECT leaf FROM audit_event WHERE decision = 'denied' ORDER BY entry_id")
                .fetch_all(c)
                .await
        })
        .unwrap();
        leaves
            .iter()
            .map(|leaf| serde_json::from_slice(leaf).unwrap())
            .collect()
    }
}

async fn who(caller: Caller) -> web::Json<Value> {
    web::Json(json!({"role": caller.role, "actor": caller.actor}))
}

async fn errand(errand: Errand) -> web::Json<Value> {
    web::Json(json!({
        "property": errand.property, "purpose": errand.purpose,
        "actor": errand.caller.actor, "reason": errand.reason,
    }))
}

#[actix_web::test]
async fn keys_and_tokens_open_the_door() {
    let vault = Vault::new().await;
    let key = vault.key(&["LIS01"]).await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let (status, _, body) = vault
            .call("who", &[("authorization", &format!("{scheme} {key}"))])
            .await;
        assert_eq!((status, &body["role"]), (StatusCode::OK, &json!("front_desk")));
    }
    let token = vault.issuer.good();
    let (status, _, body) = vault
        .call("who", &[("authorization", &format!("Bearer {token}"))])
        .await;
    assert_eq!((status, &body["actor"]), (StatusCode::OK, &json!("staff.1042")));
}

#[actix_web::test]
async fn everything_else_gets_the_same_401() {
    let vault = Vault::new().await;
    let key = vault.key(&["LIS01"]).await;
    let bearer = format!("Bearer {key}");
    let old = {
        let mut claims = claims();
        claims["exp"] = json!(noon().timestamp() - 3600);
        format!("Bearer {}", vault.issuer.token(&header("EdDSA", "ed"), &claims))
    };
    let revoked = vault.key(&["LIS01"]).await;
    let id = vault.principals.list().await.unwrap().last().unwrap().id;
    vault
        .principals
        .revoke(id, &operator().unwrap(), RequestId::random())
        .await
        .unwrap();
    let revoked = format!("Bearer {revoked}");
    let cookie = format!("session={key}");
    let mut tampered = bearer.clone();
    tampered.replace_range(60..61, if &bearer[60..61] == "a" { "b" } else { "a" });
    let attempts: &[&[(&str, &str)]] = &[
        &[],
        &[("authorization", "")],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Basic Z3Y6Z3Y=")],
        &[("authorization", &key)],
        &[("authorization", &tampered)],
        &[("authorization", "Bearer gv_")],
        &[("authorization", "Bearer gv_é")],
        &[("authorization", &old)],
        &[("authorization", &revoked)],
        &[("authorization", &bearer), ("authorization", &bearer)],
        &[("cookie", &cookie)],
        &[("x-api-key", &key)],
        &[("proxy-authorization", &bearer)],
    ];
    let (_, _, plain) = vault.call("who", &[]).await;
    assert_eq!(plain["type"], "/problems/unauthenticated");
    for headers in attempts {
        for path in [
            "who",
            "errand",
            "no-such-route",
            &format!("who?access_token={key}"),
        ] {
            let (status, asks, body) = vault.call(path, headers).await;
            assert_eq!(
                (status, asks.as_str()),
                (StatusCode::UNAUTHORIZED, "Bearer"),
                "{path} {headers:?}"
            );
            assert_eq!(body, plain, "{path} {headers:?}");
        }
    }
}

#[actix_web::test]
async fn an_errand_needs_a_property_in_scope_and_a_known_purpose() {
    let vault = Vault::new().await;
    let key = format!("Bearer {}", vault.key(&["CITY"]).await);
    let call = async |property: Option<&str>, purpose: Option<&str>| {
        let mut headers = vec![("authorization", key.as_str())];
        headers.extend(property.map(|p| ("vault-property", p)));
        headers.extend(purpose.map(|p| ("vault-purpose", p)));
        let (status, _, body) = vault.call("errand", &headers).await;
        (
            status.as_u16(),
            body["type"]
                .as_str()
                .unwrap_or("")
                .trim_start_matches("/problems/")
                .to_owned(),
        )
    };
    let good = Some("stay_service");
    for own in ["LIS01", "OPO01", "CITY"] {
        assert_eq!(call(Some(own), good).await, (200, String::new()), "{own}");
    }
    let out = (403, "property-out-of-scope".to_owned());
    for other in ["FAO01", "SPA", "GROUP", "XXX99", "lis01", "LIS01,OPO01", "*", ""] {
        assert_eq!(call(Some(other), good).await, out, "{other}");
    }
    assert_eq!(call(None, good).await, (400, "missing-property".to_owned()));
    assert_eq!(
        call(Some("LIS01"), None).await,
        (400, "missing-purpose".to_owned())
    );
    for unknown in ["marketing", "STAY_SERVICE", "stay_service ,x", "", "*"] {
        assert_eq!(
            call(Some("LIS01"), Some(unknown)).await,
            (400, "unknown-purpose".to_owned()),
            "{unknown}"
        );
    }
    let denials = vault.denials().await;
    assert_eq!(denials.len(), 8, "each attempt on another's property is recorded");
    assert!(
        denials
            .iter()
            .all(|d| d["outcome"] == "property_out_of_scope" && d["act"] == "call")
    );
}

#[actix_web::test]
async fn actor_and_reason_are_checked_and_kept() {
    let vault = Vault::new().await;
    let key = format!("Bearer {}", vault.key(&["LIS01"]).await);
    let token = format!("Bearer {}", vault.issuer.good());
    let call = async |credential: &str, more: &[(&str, &str)]| {
        let mut headers = vec![
            ("authorization", credential),
            ("vault-property", "LIS01"),
            ("vault-purpose", "stay_service"),
        ];
        headers.extend_from_slice(more);
        let (status, _, body) = vault.call("errand", &headers).await;
        (status.as_u16(), body)
    };
    let (status, body) = call(
        &key,
        &[("vault-actor", "fd-17"), ("vault-reason", "客人要求核对电话")],
    )
    .await;
    assert_eq!(
        (status, &body["actor"], &body["reason"]),
        (200, &json!("fd-17"), &json!("客人要求核对电话"))
    );
    assert_eq!(call(&key, &[]).await.1["actor"], Value::Null);
    assert_eq!(call(&token, &[]).await.1["actor"], "staff.1042");
    assert_eq!(call(&token, &[("vault-actor", "staff.1042")]).await.0, 200);
    assert_eq!(call(&key, &[("vault-reason", &"é".repeat(200))]).await.0, 200);

    let long = "x".repeat(201);
    let longest = "x".repeat(65);
    let wrong: &[(&str, &[(&str, &str)])] = &[
        (&token, &[("vault-actor", "staff.7")]),
        (&key, &[("vault-actor", "maria@hotel.example")]),
        (&key, &[("vault-actor", "Maria Silva")]),
        (&key, &[("vault-actor", "")]),
        (&key, &[("vault-actor", &longest)]),
        (&key, &[("vault-actor", "a"), ("vault-actor", "b")]),
        (&key, &[("vault-reason", "")]),
        (&key, &[("vault-reason", "a\tb")]),
        (&key, &[("vault-reason", "\u{202e}evil")]),
        (&key, &[("vault-reason", &long)]),
        (&key, &[("vault-property", "OPO01")]),
        (&key, &[("vault-purpose", "stay_service")]),
    ];
    for (credential, headers) in wrong {
        let (status, body) = call(credential, headers).await;
        assert_eq!(
            (status, &body["type"]),
            (400, &json!("/problems/invalid-request")),
            "{headers:?}"
        );
        let told = body.to_string();
        assert!(
            headers
                .iter()
                .all(|(_, value)| value.len() < 2 || !told.contains(value)),
            "{told}"
        );
    }
}

#[actix_web::test]
async fn each_principal_has_a_rate_of_its_own() {
    let mut vault = Vault::new().await;
    vault.rates = Arc::new(RateLimits::new(1, 0));
    let (busy, calm) = (vault.key(&["LIS01"]).await, vault.key(&["LIS01"]).await);
    let call = async |key: &str| {
        vault
            .call("who", &[("authorization", &format!("Bearer {key}"))])
            .await
            .0
            .as_u16()
    };
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(call(&busy).await);
    }
    assert_eq!((statuses[0], statuses[4]), (200, 429));
    assert_eq!(call(&calm).await, 200);
}

#[actix_web::test]
async fn a_token_whose_holder_is_not_attested_is_told_so_and_recorded() {
    let vault = Vault::asking(Some("attested_until")).await;
    let bearer = |until: Option<i64>| {
        let mut claims = claims();
        if let Some(until) = until {
            claims["attested_until"] = json!(until);
        }
        format!("Bearer {}", vault.issuer.token(&header("EdDSA", "ed"), &claims))
    };
    for lapsed in [None, Some(noon().timestamp())] {
        let (status, _, body) = vault.call("who", &[("authorization", &bearer(lapsed))]).await;
        assert_eq!(
            (status, &body["type"]),
            (StatusCode::FORBIDDEN, &json!("/problems/not-attested")),
            "{body}"
        );
    }
    let current = bearer(Some(noon().timestamp() + 60));
    let (status, _, body) = vault.call("who", &[("authorization", &current)]).await;
    assert_eq!((status, &body["role"]), (StatusCode::OK, &json!("front_desk")));
    let key = format!("Bearer {}", vault.key(&["LIS01"]).await);
    assert_eq!(
        vault.call("who", &[("authorization", &key)]).await.0,
        StatusCode::OK,
        "a key is no token"
    );
    assert_eq!(vault.denials().await.len(), 2, "each is on record");
}
