//! Where keys come from, and when they are asked for.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use actix_web::{App, HttpResponse, HttpServer, rt, web};
use chrono::TimeDelta;
use serde_json::json;

use super::{
    issuer::{TestIssuer, claims, config, header},
    noon,
};
use crate::{
    access::{
        Issuers, JwksError, TokenError,
        jwks::{KeySet, Keys},
    },
    base::Clock,
    config::JwksSource,
};

#[derive(Clone, Default)]
struct Served {
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<(u16, String)>>,
}

impl Served {
    fn answers(&self, status: u16, body: impl Into<String>) {
        *self.answer.lock().unwrap() = (status, body.into());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Serves on a free port of this machine until the test ends.
    fn start(&self) -> JwksSource {
        let to_serve = self.clone();
        let server = HttpServer::new(move || {
            let served = to_serve.clone();
            App::new().default_service(web::to(move || {
                served.asked.fetch_add(1, Ordering::SeqCst);
                let (status, body) = served.answer.lock().unwrap().clone();
                let mut response = HttpResponse::build(status.try_into().unwrap());
                async move { response.insert_header(("location", "/elsewhere")).body(body) }
            }))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let port = server.addrs()[0].port();
        rt::spawn(server.run());
        JwksSource::Url(format!("http://127.0.0.1:{port}/jwks"))
    }
}

#[actix_web::test]
async fn an_unknown_key_asks_the_issuer_but_not_more_often_than_every_30_seconds() {
    let (issuer, served, clock) = (TestIssuer::new(), Served::default(), Clock::fixed(noon()));
    served.answers(200, json!({"keys": issuer.keys()[..1]}).to_string());
    let issuers = Issuers::open(&[config(served.start())], clock.clone())
        .await
        .unwrap();
    issuers.verify(&issuer.good()).await.unwrap();
    assert_eq!(served.asked(), 1);

    served.answers(200, issuer.set());
    let rotated = issuer.token(&header("ES256", "p256"), &claims());
    assert_eq!(
        issuers.verify(&rotated).await,
        Err(TokenError::UnknownKey),
        "asked at the start, 0 s ago"
    );
    clock.set(noon() + TimeDelta::seconds(30));
    issuers.verify(&rotated).await.unwrap();
    assert_eq!(served.asked(), 2);

    for n in 0..100 {
        let token = issuer.token(&header("ES256", &format!("unknown-{n}")), &claims());
        assert_eq!(issuers.verify(&token).await, Err(TokenError::UnknownKey));
    }
    assert_eq!(served.asked(), 2);
    clock.set(noon() + TimeDelta::seconds(60));
    let many = (0..50).map(|n| issuer.token(&header("ES256", &format!("new-{n}")), &claims()));
    let tokens: Vec<String> = many.collect();
    futures_util::future::join_all(tokens.iter().map(|t| issuers.verify(t))).await;
    assert_eq!(served.asked(), 3, "those who wait share one fetch");
}

#[actix_web::test]
async fn the_last_good_set_outlives_an_issuer_that_fails() {
    let (issuer, served, clock) = (TestIssuer::new(), Served::default(), Clock::fixed(noon()));
    served.answers(200, issuer.set());
    let keys = Keys::new(&served.start(), clock.clone()).unwrap();
    keys.refetch().await.unwrap();
    let large = "x".repeat(256 * 1024 + 1);
    let failures = [
        (500, ""),
        (302, &issuer.set()),
        (200, ""),
        (200, "{}"),
        (200, large.as_str()),
    ];
    for (n, (status, body)) in (1..).zip(failures) {
        served.answers(status, body);
        clock.set(noon() + TimeDelta::minutes(n));
        let error = keys.refetch().await.unwrap_err();
        match (status, body.len()) {
            (200, 0..=2) => assert!(matches!(error, JwksError::Malformed), "{error}"),
            (200, _) => assert!(matches!(error, JwksError::TooLarge), "{error}"),
            _ => assert!(
                matches!(error, JwksError::Status(told) if told == status),
                "{error}"
            ),
        }
        assert!(
            keys.current()
                .unwrap()
                .find("ed", jsonwebtoken::Algorithm::EdDSA)
                .is_some()
        );
    }
    assert_eq!(keys.generation(), 1, "what was verified stays verified");
}

#[actix_web::test]
async fn an_issuer_that_is_away_at_the_start_is_asked_again() {
    let (issuer, served, clock) = (TestIssuer::new(), Served::default(), Clock::fixed(noon()));
    served.answers(503, "");
    let issuers = Issuers::open(&[config(served.start())], clock.clone())
        .await
        .unwrap();
    assert_eq!(issuers.verify(&issuer.good()).await, Err(TokenError::NoKeys));
    served.answers(200, issuer.set());
    clock.set(noon() + TimeDelta::seconds(30));
    issuers.verify(&issuer.good()).await.unwrap();
}

#[test]
fn addresses_are_https_or_on_this_machine() {
    let opens = |url: &str| Keys::new(&JwksSource::Url(url.to_owned()), Clock::system()).is_ok();
    for good in [
        "https://id.hotel.example/jwks",
        "http://127.0.0.1:8080/",
        "http://[::1]/jwks",
        "http://localhost/k",
    ] {
        assert!(opens(good), "{good}");
    }
    for bad in [
        "",
        "jwks.json",
        "http://id.hotel.example/jwks",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "https://user:pass@id.hotel.example/",
        "file:///etc/passwd",
        "data:application/json,{}",
        "ftp://id.hotel.example/",
    ] {
        assert!(!opens(bad), "{bad}");
    }
}

#[actix_web::test]
async fn an_issuer_whose_last_key_is_taken_away_is_cut_off() {
    let (issuer, served, clock) = (TestIssuer::new(), Served::default(), Clock::fixed(noon()));
    served.answers(200, issuer.set());
    let issuers = Issuers::open(&[config(served.start())], clock.clone())
        .await
        .unwrap();
    let token = issuer.good();
    assert!(issuers.verify(&token).await.is_ok());
    served.answers(200, r#"{"keys":[]}"#);
    let later = noon() + TimeDelta::minutes(11);
    clock.set(later);
    // The set is fetched in the background.
    let _ = issuers.verify(&token).await;
    for _ in 0..200 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        if served.asked() > 1 && issuers.verify(&token).await.is_err() {
            return;
        }
    }
    panic!("a token of a key that is gone is still good");
}

#[test]
fn sets_with_secrets_or_without_usable_keys_are_refused() {
    let keys = TestIssuer::new().keys();
    let with = |name: &str, value: &str| {
        let mut key = keys[0].clone();
        key[name] = json!(value);
        json!({"keys": [key]}).to_string()
    };
    assert!(matches!(
        KeySet::parse(with("d", "AAAA").as_bytes()),
        Err(JwksError::Private)
    ));
    let oct = json!({"keys": [{"kty": "oct", "kid": "s", "k": "c2VjcmV0"}]}).to_string();
    assert!(matches!(KeySet::parse(oct.as_bytes()), Err(JwksError::Private)));
    for (name, value) in [
        ("use", "enc"),
        ("kid", ""),
        ("crv", "X25519"),
        ("x", "not base64 !"),
    ] {
        let set = KeySet::parse(with(name, value).as_bytes());
        assert!(set.is_ok_and(|set| set.is_empty()), "{name}");
    }
    let many = json!({"keys": vec![keys[0].clone(); 65]}).to_string();
    assert!(matches!(KeySet::parse(many.as_bytes()), Err(JwksError::TooLarge)));
    for text in ["", "null", "[]", r#"{"keys": {}}"#, "{"] {
        assert!(
            matches!(KeySet::parse(text.as_bytes()), Err(JwksError::Malformed)),
            "{text}"
        );
    }
}

#[test]
fn a_keys_own_algorithm_binds_it() {
    let mut key = TestIssuer::new().keys()[3].clone();
    key["alg"] = json!("PS256");
    let set = KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
    assert!(set.find("rsa", jsonwebtoken::Algorithm::PS256).is_some());
    assert!(set.find("rsa", jsonwebtoken::Algorithm::RS256).is_none());
}
