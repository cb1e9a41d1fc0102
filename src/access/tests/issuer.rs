//! An issuer with a key of every kind.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
        RsaEncoding, RsaKeyPair,
    },
};
use serde_json::{Value, json};

use super::noon;
use crate::config::{IssuerConfig, JwksSource, SigningAlgorithm};

pub(super) const ISSUER: &str = "https://id.hotel.example";

pub(super) struct TestIssuer {
    pub(super) ed: Ed25519KeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

fn curve(kind: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(kind, key.as_ref(), &random).unwrap()
}

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

impl TestIssuer {
    pub(super) fn new() -> Self {
        let ed = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self {
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            p256: curve(&ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: curve(&ECDSA_P384_SHA384_FIXED_SIGNING),
            // ring makes no RSA keys; this one was made for these tests and is used nowhere else.
            rsa: RsaKeyPair::from_pkcs8(include_bytes!("../../../tests/fixtures/jwt/rsa2048.pk8")).unwrap(),
        }
    }

    /// The public keys; the key ids are `ed`, `p256`, `p384` and `rsa`.
    pub(super) fn keys(&self) -> Vec<Value> {
        let point = |key: &EcdsaKeyPair, name: &str, id: &str| {
            let (x, y) = key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
            json!({"kty": "EC", "crv": name, "kid": id, "x": b64(x), "y": b64(y)})
        };
        let rsa: PublicKeyComponents<Vec<u8>> = self.rsa.public().into();
        vec![
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "alg": "EdDSA",
                   "x": b64(self.ed.public_key())}),
            point(&self.p256, "P-256", "p256"),
            point(&self.p384, "P-384", "p384"),
            json!({"kty": "RSA", "kid": "rsa", "use": "sig", "n": b64(rsa.n), "e": b64(rsa.e)}),
        ]
    }

    pub(super) fn set(&self) -> String {
        json!({"keys": self.keys()}).to_string()
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |encoding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa.sign(encoding, &random, message, &mut signature).unwrap();
            signature
        };
        match algorithm {
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            "ES256" => self.p256.sign(&random, message).unwrap().as_ref().to_vec(),
            "ES384" => self.p384.sign(&random, message).unwrap().as_ref().to_vec(),
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            "none" => Vec::new(),
            // The attack of RFC 8725 §2.1: the public key as an HMAC secret.
            "HS256" => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, self.ed.public_key().as_ref());
                hmac::sign(&key, message).as_ref().to_vec()
            }
            other => panic!("no such algorithm in these tests: {other}"),
        }
    }

    /// A token of this header and these claims, signed as the header's `alg` says.
    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = self.sign(header["alg"].as_str().unwrap(), message.as_bytes());
        format!("{message}.{}", b64(signature))
    }

    /// A good token with the Ed25519 key.
    pub(super) fn good(&self) -> String {
        self.token(&header("EdDSA", "ed"), &claims())
    }
}

pub(super) fn header(algorithm: &str, key: &str) -> Value {
    json!({"typ": "at+jwt", "alg": algorithm, "kid": key})
}

pub(super) fn claims() -> Value {
    let now = noon().timestamp();
    json!({
        "iss": ISSUER, "aud": "guest-vault", "sub": "staff.1042", "client_id": "front-desk-app",
        "iat": now, "nbf": now, "exp": now + 300, "jti": "1",
        "role": ["offline_access", "gv-front-desk"], "properties": "LIS01 OPO01",
    })
}

pub(super) fn config(jwks: JwksSource) -> IssuerConfig {
    let roles = [("gv-front-desk", "front_desk"), ("gv-admin", "admin")];
    IssuerConfig {
        issuer: ISSUER.to_owned(),
        audience: "guest-vault".to_owned(),
        jwks,
        algorithms: vec![
            SigningAlgorithm::EdDsa,
            SigningAlgorithm::Es256,
            SigningAlgorithm::Es384,
            SigningAlgorithm::Rs256,
            SigningAlgorithm::Ps256,
        ],
        role_claim: "role".to_owned(),
        roles: roles
            .map(|(value, role)| (value.to_owned(), role.parse().unwrap()))
            .into(),
        property_claim: "properties".to_owned(),
        properties: BTreeMap::new(),
        actor_claim: "sub".to_owned(),
        attested_claim: None,
        leeway_seconds: 30,
        longest_seconds: 86_400,
    }
}
