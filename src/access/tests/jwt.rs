//! Every way we know to talk a verifier into a wrong token.

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{
    issuer::{ISSUER, TestIssuer, b64, claims, config, header},
    noon,
};
use crate::{
    access::{Issuers, IssuersError, TokenError, TokenError as E},
    base::{Clock, Credential},
    config::{IssuerConfig, JwksSource, SigningAlgorithm},
};

struct Case {
    issuer: TestIssuer,
    issuers: Issuers,
    clock: Clock,
    file: NamedTempFile,
}

async fn case_with(change: impl FnOnce(&mut IssuerConfig)) -> Case {
    let issuer = TestIssuer::new();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), issuer.set()).unwrap();
    let clock = Clock::fixed(noon());
    let mut config = config(JwksSource::File(file.path().to_owned()));
    change(&mut config);
    let issuers = Issuers::open(&[config], clock.clone()).await.unwrap();
    Case {
        issuer,
        issuers,
        clock,
        file,
    }
}

async fn case() -> Case {
    case_with(|_| {}).await
}

impl Case {
    async fn refused(&self, token: &str) -> TokenError {
        self.issuers.verify(token).await.map(|_| "let in").unwrap_err()
    }

    async fn with_claim(&self, name: &str, value: Value) -> Result<(), TokenError> {
        let mut changed = claims();
        if value.is_null() {
            changed.as_object_mut().unwrap().remove(name);
        } else {
            changed[name] = value;
        }
        self.issuers
            .verify(&self.issuer.token(&header("EdDSA", "ed"), &changed))
            .await
            .map(drop)
    }

    async fn with_header(&self, name: &str, value: Value) -> Result<(), TokenError> {
        let mut changed = header("EdDSA", "ed");
        if value.is_null() {
            changed.as_object_mut().unwrap().remove(name);
        } else {
            changed[name] = value;
        }
        self.issuers
            .verify(&self.issuer.token(&changed, &claims()))
            .await
            .map(drop)
    }
}

#[tokio::test]
async fn a_good_token_of_every_algorithm_gives_its_caller() {
    let case = case().await;
    let mut principals = Vec::new();
    for (algorithm, key) in [
        ("EdDSA", "ed"),
        ("ES256", "p256"),
        ("ES384", "p384"),
        ("RS256", "rsa"),
        ("PS256", "rsa"),
    ] {
        let token = case.issuer.token(&header(algorithm, key), &claims());
        let caller = case.issuers.verify(&token).await.unwrap();
        assert_eq!(caller.credential, Credential::Jwt, "{algorithm}");
        assert_eq!(caller.role.as_str(), "front_desk");
        assert_eq!(caller.actor.as_deref(), Some("staff.1042"));
        assert_eq!(
            caller.scope.iter().map(|p| p.as_str()).collect::<Vec<_>>(),
            ["LIS01", "OPO01"]
        );
        principals.push(caller.principal);
        assert_eq!(case.issuers.verify(&token).await.unwrap(), caller, "remembered");
    }
    principals.dedup();
    assert_eq!(
        principals.len(),
        1,
        "one client and subject are one principal, whatever the key"
    );
    assert_eq!(principals[0].0.get_version_num(), 8);
}

#[tokio::test]
async fn no_algorithm_but_the_listed_ones_is_believed() {
    let case = case_with(|c| c.algorithms = vec![SigningAlgorithm::EdDsa]).await;
    for (algorithm, key) in [
        ("ES256", "p256"),
        ("RS256", "rsa"),
        ("PS256", "rsa"),
        ("RS512", "rsa"),
        ("HS256", "ed"),
    ] {
        let token = case.issuer.token(&header(algorithm, key), &claims());
        assert_eq!(case.refused(&token).await, E::Algorithm, "{algorithm}");
    }
    for none in ["none", "None", "NONE", "nOnE"] {
        let message = format!(
            "{}.{}",
            b64(header(none, "ed").to_string()),
            b64(claims().to_string())
        );
        let good = case.issuer.good();
        let borrowed = good.rsplit_once('.').unwrap().1;
        for signature in ["", "AA", borrowed] {
            assert_eq!(
                case.refused(&format!("{message}.{signature}")).await,
                E::Malformed,
                "{none}"
            );
        }
    }
}

#[tokio::test]
async fn a_key_is_used_with_its_own_algorithm_only() {
    let case = case().await;
    for (algorithm, key) in [
        ("EdDSA", "p256"),
        ("ES256", "ed"),
        ("ES256", "p384"),
        ("ES384", "p256"),
        ("RS256", "ed"),
    ] {
        let token = case.issuer.token(&header(algorithm, key), &claims());
        assert_eq!(
            case.refused(&token).await,
            E::UnknownKey,
            "{algorithm} with {key}"
        );
    }
    // A signature of one scheme under the name of the other, for the same RSA key.
    let signed = case.issuer.token(&header("RS256", "rsa"), &claims());
    let parts: Vec<&str> = signed.split('.').collect();
    let renamed = format!(
        "{}.{}.{}",
        b64(header("PS256", "rsa").to_string()),
        parts[1],
        parts[2]
    );
    assert_eq!(case.refused(&renamed).await, E::Signature);
}

#[tokio::test]
async fn headers_that_bring_a_key_or_change_the_rules_are_refused() {
    let case = case().await;
    let own = case.issuer.keys()[0].clone();
    for (name, value, expected) in [
        ("typ", Value::Null, E::Kind),
        ("typ", json!("JWT"), E::Kind),
        ("typ", json!("logout+jwt"), E::Kind),
        ("jku", json!("https://evil.example/jwks"), E::ForeignKey),
        ("x5u", json!("https://evil.example/cert"), E::ForeignKey),
        ("x5c", json!(["MIIB"]), E::ForeignKey),
        ("jwk", own, E::ForeignKey),
        ("crit", json!(["b64"]), E::Extension),
        ("zip", json!("DEF"), E::Extension),
        ("enc", json!("A256GCM"), E::Extension),
        ("kid", Value::Null, E::NoKeyId),
        ("kid", json!(7), E::Malformed),
        ("kid", json!(""), E::UnknownKey),
        ("kid", json!("../../etc/passwd"), E::UnknownKey),
        ("kid", json!("ed' OR '1'='1"), E::UnknownKey),
    ] {
        assert_eq!(
            case.with_header(name, value.clone()).await,
            Err(expected),
            "{name}: {value}"
        );
    }
    case.with_header("typ", json!("application/AT+JWT"))
        .await
        .unwrap();
}

#[tokio::test]
async fn claims_must_be_there_and_right() {
    let case = case().await;
    let now = noon().timestamp();
    for (name, value, expected) in [
        ("iss", Value::Null, E::Claims),
        ("iss", json!("https://id.hotel.example/"), E::Addressee),
        ("iss", json!("https://evil.example"), E::Addressee),
        ("iss", json!([ISSUER]), E::Claims),
        ("aud", Value::Null, E::Signature),
        ("aud", json!("other-service"), E::Signature),
        ("aud", json!(["other-service"]), E::Signature),
        ("aud", json!([]), E::Signature),
        ("aud", json!({"guest-vault": true}), E::Signature),
        ("exp", Value::Null, E::Signature),
        ("exp", json!("9999999999"), E::Signature),
        ("exp", json!(-1), E::Signature),
        ("exp", json!(1e30), E::Signature),
        ("exp", json!(now - 30), E::Expired),
        ("exp", json!(now + 86_401), E::TooLong),
        ("nbf", json!(now + 31), E::NotYet),
        ("nbf", json!("soon"), E::Claims),
        ("iat", json!(now + 31), E::NotYet),
        ("sub", Value::Null, E::Signature),
        ("sub", json!(""), E::Claims),
        ("sub", json!("x".repeat(256)), E::Claims),
        ("sub", json!("maria.silva@hotel.example"), E::Actor),
        ("sub", json!("Maria Silva"), E::Actor),
        ("sub", json!("x".repeat(65)), E::Actor),
        ("sub", json!("王"), E::Actor),
        ("client_id", Value::Null, E::Claims),
        ("role", Value::Null, E::Role),
        ("role", json!("front_desk"), E::Role),
        ("role", json!({"gv-admin": true}), E::Role),
        ("role", json!(["gv-front-desk", "gv-admin"]), E::Role),
        ("properties", Value::Null, E::Scope),
        ("properties", json!(""), E::Scope),
        ("properties", json!("lis01 *"), E::Scope),
        (
            "properties",
            json!((0..65).map(|n| format!("P{n}")).collect::<Vec<_>>()),
            E::Scope,
        ),
    ] {
        assert_eq!(
            case.with_claim(name, value.clone()).await,
            Err(expected),
            "{name}: {value}"
        );
    }
    for (name, value) in [
        ("aud", json!(["other-service", "guest-vault"])),
        ("exp", json!(now - 29)),
        ("nbf", json!(now + 30)),
        ("nbf", Value::Null),
        ("role", json!("gv-admin")),
        ("role", json!(["gv-admin", "gv-admin"])),
        ("properties", json!(["LIS01", "GROUP"])),
    ] {
        assert_eq!(
            case.with_claim(name, value.clone()).await,
            Ok(()),
            "{name}: {value}"
        );
    }
}

#[tokio::test]
async fn claims_are_found_where_the_configuration_says() {
    let case = case_with(|c| {
        c.role_claim = "/realm_access/roles".to_owned();
        c.property_claim = "https://hotel.example/houses".to_owned();
        c.properties = [("lisbon".to_owned(), "LIS01".parse().unwrap())].into();
        c.actor_claim = "employee".to_owned();
    })
    .await;
    let mut claims = claims();
    claims["realm_access"] = json!({"roles": ["gv-front-desk"]});
    claims["https://hotel.example/houses"] = json!("lisbon GROUP");
    claims["employee"] = json!("1042");
    claims["sub"] = json!("maria.silva@hotel.example");
    let caller = case
        .issuers
        .verify(&case.issuer.token(&header("EdDSA", "ed"), &claims))
        .await
        .unwrap();
    assert_eq!(
        caller.scope,
        ["LIS01".parse().unwrap()],
        "a table is an allow-list: GROUP is not in it"
    );
    assert_eq!(caller.actor.as_deref(), Some("1042"));
}

#[tokio::test]
async fn one_changed_character_anywhere_is_refused() {
    let case = case().await;
    let good = case.issuer.good();
    case.issuers.verify(&good).await.unwrap();
    for at in 0..good.len() {
        for replacement in ["A", "b", "=", "."] {
            let mut changed = good.clone();
            changed.replace_range(at..=at, replacement);
            // Ed25519 signatures end in four spare bits of base64, which must be zero.
            assert!(
                changed == good || case.issuers.verify(&changed).await.is_err(),
                "{at} {replacement}"
            );
        }
    }
    for shape in ["", ".", "..", "...", "a.b.c", "ey.ey.", "gv_", "\u{0}"] {
        assert_eq!(case.refused(shape).await, E::Malformed, "{shape}");
    }
    assert!(case.issuers.verify(&format!("{good}.x")).await.is_err());
}

#[tokio::test]
async fn another_issuers_signature_is_refused() {
    let case = case().await;
    let stranger = TestIssuer::new();
    for (algorithm, key) in [("EdDSA", "ed"), ("ES256", "p256"), ("ES384", "p384")] {
        let token = stranger.token(&header(algorithm, key), &claims());
        assert_eq!(case.refused(&token).await, E::Signature, "{algorithm}");
    }
}

#[tokio::test]
async fn an_oversized_token_is_refused_unread() {
    let case = case().await;
    let mut long = claims();
    long["padding"] = json!("x".repeat(8 * 1024));
    assert_eq!(
        case.refused(&case.issuer.token(&header("EdDSA", "ed"), &long))
            .await,
        E::TooLarge
    );
}

#[tokio::test]
async fn a_remembered_token_ends_with_its_time() {
    let case = case().await;
    let good = case.issuer.good();
    case.issuers.verify(&good).await.unwrap();
    case.clock.set(noon() + chrono::TimeDelta::seconds(329));
    case.issuers.verify(&good).await.unwrap();
    case.clock.set(noon() + chrono::TimeDelta::seconds(330));
    assert_eq!(case.refused(&good).await, E::Expired);
}

#[tokio::test]
async fn a_withdrawn_key_is_forgotten_with_the_tokens_it_signed() {
    let case = case().await;
    let mut claims = claims();
    claims["exp"] = json!(noon().timestamp() + 7200);
    let token = case.issuer.token(&header("EdDSA", "ed"), &claims);
    case.issuers.verify(&token).await.unwrap();
    std::fs::write(
        case.file.path(),
        json!({"keys": case.issuer.keys()[1..]}).to_string(),
    )
    .unwrap();
    case.issuers.verify(&token).await.unwrap();
    case.clock.set(noon() + chrono::TimeDelta::minutes(10));
    // The set is read anew in the background, by the first token that finds it old.
    for _ in 0..200 {
        if case.issuers.verify(&token).await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the withdrawn key is still believed");
}

#[tokio::test]
async fn unsafe_sections_stop_the_start() {
    type Change = fn(&mut IssuerConfig);
    let changes: [Change; 6] = [
        |c| c.issuer.clear(),
        |c| c.audience.clear(),
        |c| c.algorithms.clear(),
        |c| c.roles.clear(),
        |c| c.leeway_seconds = 301,
        |c| c.jwks = JwksSource::File("/nowhere/keys.json".into()),
    ];
    for change in changes {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), TestIssuer::new().set()).unwrap();
        let mut config = config(JwksSource::File(file.path().to_owned()));
        Issuers::open(&[config.clone()], Clock::system())
            .await
            .map(drop)
            .unwrap();
        assert!(matches!(
            Issuers::open(&[config.clone(), config.clone()], Clock::system())
                .await
                .map(drop),
            Err(IssuersError::Section { .. })
        ));
        change(&mut config);
        assert!(Issuers::open(&[config], Clock::system()).await.is_err());
    }
}

#[tokio::test]
async fn a_token_that_must_say_so_is_good_while_its_holder_is_attested() {
    let now = noon().timestamp();
    let told = async |place: &str, claim: &str, value: Value| {
        let case = case_with(|c| c.attested_claim = Some(place.to_owned())).await;
        match case.with_claim(claim, value).await {
            Ok(()) => true,
            Err(E::NotAttested(caller)) => {
                assert_eq!(
                    caller.actor.as_deref(),
                    Some("staff.1042"),
                    "who is told for the record"
                );
                false
            }
            Err(other) => panic!("{other:?}"),
        }
    };
    let place = "https://hotel.example/attested";
    assert!(!told(place, "other", json!(1)).await, "not said");
    for (until, expected) in [
        (json!(now + 1), true),
        (json!(now), false),
        (json!(now - 86_400), false),
        (json!((now + 60).to_string()), false),
        (json!(true), false),
        (json!([now + 60]), false),
        (json!(null), false),
    ] {
        assert_eq!(told(place, place, until.clone()).await, expected, "{until}");
    }
    let unasked = case().await;
    assert_eq!(
        unasked.with_claim(place, json!(now - 1)).await,
        Ok(()),
        "nobody asked"
    );
    let case = case_with(|c| c.attested_claim = Some(place.to_owned())).await;
    let mut changed = claims();
    changed[place] = json!(now + 60);
    let token = case.issuer.token(&header("EdDSA", "ed"), &changed);
    assert!(case.issuers.verify(&token).await.is_ok());
    case.clock.set(noon() + chrono::Duration::seconds(61));
    assert!(
        matches!(case.refused(&token).await, E::NotAttested(_)),
        "also of a token that was good a minute ago"
    );
}
