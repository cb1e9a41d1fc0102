//! Issuers of access tokens that the vault believes, and how their claims become a role and properties.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use crate::base::{PropertyCode, Role};

/// One issuer of access tokens (RFC 9068): an `[[issuers]]` section.
///
/// Nothing is believed that is not written here: the algorithms are an allow-list, and a role is only given for a
/// claim value that [`IssuerConfig::roles`] maps, so that the issuer's administrators cannot invent rights.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` claim, to the letter.
    pub issuer: String,
    /// The value that the `aud` claim must be or contain.
    pub audience: String,
    /// Where the issuer's public keys are.
    pub jwks: JwksSource,
    /// The signature algorithms that this issuer uses; a token with any other is refused.
    pub algorithms: Vec<SigningAlgorithm>,
    /// The claim that holds the role: a claim's name, or a JSON pointer (RFC 6901) such as `/realm_access/roles`.
    #[serde(default = "role_claim")]
    pub role_claim: String,
    /// Which value of that claim gives which role. A token must hold exactly one role by this table.
    pub roles: BTreeMap<String, Role>,
    /// The claim that holds the property codes, as a list or separated by spaces: a name or a JSON pointer.
    #[serde(default = "property_claim")]
    pub property_claim: String,
    /// Which value of that claim gives which property, brand or group. Empty: the values are codes themselves.
    #[serde(default)]
    pub properties: BTreeMap<String, PropertyCode>,
    /// The claim that names the staff member, as a staff id and never as an e-mail address.
    #[serde(default = "actor_claim")]
    pub actor_claim: String,
    /// The claim that says until when the holder's confidentiality agreement and training are current, in seconds since
    /// 1970: a token without it, or past it, is refused. Not set: nothing is asked of the token.
    #[serde(default)]
    pub attested_claim: Option<String>,
    /// How far this machine's clock and the issuer's may differ, in seconds.
    #[serde(default = "leeway_seconds")]
    pub leeway_seconds: u16,
    /// The longest time, in seconds, that a token may still be good for: it cannot be revoked before it expires.
    #[serde(default = "longest_seconds")]
    pub longest_seconds: u32,
}

/// Where an issuer's JSON Web Key Set (RFC 7517) is read from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum JwksSource {
    /// A file on this machine; read again when a token names an unknown key.
    File(PathBuf),
    /// An `https` address; `http` only on the loopback interface.
    Url(String),
}

/// A signature algorithm of RFC 7518 or RFC 8037 that the vault can check. There is no symmetric one and no `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2048 to 8192 bits.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256, 2048 to 8192 bits.
    #[serde(rename = "PS256")]
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl IssuerConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        let mut say = |problem: &str| wrong.push(format!("[[issuers]] {}: {problem}", self.issuer));
        if self.issuer.is_empty() || self.audience.is_empty() {
            say("issuer and audience must not be empty");
        }
        if self.algorithms.is_empty() {
            say("algorithms must name at least one, such as \"ES256\"");
        }
        if let JwksSource::Url(url) = &self.jwks
            && !url.starts_with("https://")
            && !is_loopback(url)
        {
            say("jwks.url must begin with https://: whoever changes it on the way could sign tokens");
        }
    }
}

pub(super) fn is_loopback(url: &str) -> bool {
    ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"]
        .iter()
        .any(|start| url.starts_with(start))
}

pub(super) fn role_claim() -> String {
    "role".to_owned()
}

pub(super) fn property_claim() -> String {
    "properties".to_owned()
}

pub(super) fn actor_claim() -> String {
    "sub".to_owned()
}

pub(super) const fn leeway_seconds() -> u16 {
    30
}

pub(super) const fn longest_seconds() -> u32 {
    86_400
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"
        issuer = "https://id.hotel.example"
        audience = "guest-vault"
        jwks = { url = "https://id.hotel.example/jwks" }
        algorithms = ["ES256", "EdDSA"]
        roles = { "gv-front-desk" = "front_desk" }
    "#;

    #[test]
    fn the_least_section_is_enough() {
        let issuer: IssuerConfig = toml::from_str(PLAIN).unwrap();
        assert_eq!(
            issuer.algorithms,
            [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa]
        );
        assert_eq!(
            issuer.jwks,
            JwksSource::Url("https://id.hotel.example/jwks".to_owned())
        );
        assert_eq!(
            (issuer.role_claim.as_str(), issuer.actor_claim.as_str()),
            ("role", "sub")
        );
        assert_eq!(issuer.leeway_seconds, 30);
    }

    #[test]
    fn unknown_keys_and_symmetric_algorithms_are_refused() {
        for wrong in ["HS256", "none", "RS1", "es256"] {
            assert!(
                toml::from_str::<IssuerConfig>(&PLAIN.replace("ES256", wrong)).is_err(),
                "{wrong}"
            );
        }
        assert!(toml::from_str::<IssuerConfig>(&format!("{PLAIN}\nverify = false")).is_err());
        assert!(toml::from_str::<IssuerConfig>(&PLAIN.replace("roles =", "role_map =")).is_err());
    }
}
