//! `[[jwt]]`: issuers whose access tokens (RFC 9068) are accepted.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use crate::base::{PropertyCode, Role};

/// Signature algorithms that may be allowed. None with a shared secret: who can check it could also sign.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of RFC 7518 §3.1 and RFC 8037 say it all")]
pub enum JwtAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// One issuer.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The claim `iss`, exactly.
    pub issuer: String,
    /// The claim `aud` must hold this.
    pub audience: String,
    /// Its public keys, from a file.
    pub jwks_file: Option<PathBuf>,
    /// Its public keys, from an `https://` address.
    pub jwks_url: Option<String>,
    /// The only algorithms accepted.
    pub algorithms: Vec<JwtAlgorithm>,
    /// The claim that tells the role; dots lead into objects.
    #[serde(default = "role_claim")]
    pub role_claim: String,
    /// The claim that tells the properties: a text or a list of texts.
    #[serde(default = "property_claim")]
    pub property_claim: String,
    /// From the role claim's values to roles; without it they must be role codes.
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
    /// From the property claim's values to codes; without it they must be codes.
    #[serde(default)]
    pub properties: BTreeMap<String, PropertyCode>,
}

fn role_claim() -> String {
    "role".to_owned()
}

fn property_claim() -> String {
    "properties".to_owned()
}

impl IssuerConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        let mut say = |problem: &str| wrong.push(format!("[[jwt]] {}: {problem}", self.issuer));
        if self.issuer.is_empty() || self.audience.is_empty() {
            say("issuer and audience must not be empty");
        }
        if self.algorithms.is_empty() {
            say("algorithms must name at least one, such as \"ES256\"");
        }
        match (&self.jwks_file, &self.jwks_url) {
            (None, None) | (Some(_), Some(_)) => say("give either jwks_file or jwks_url"),
            (None, Some(url)) if !url.starts_with("https://") && !is_loopback(url) => {
                say("jwks_url must begin with https://: whoever changes it on the way could sign tokens");
            }
            _ => {}
        }
    }
}

fn is_loopback(url: &str) -> bool {
    ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"]
        .iter()
        .any(|start| url.starts_with(start))
}
