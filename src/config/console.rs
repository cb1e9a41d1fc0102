//! `[console]`: how officers, auditors and approvers sign in to the pages of the compliance console.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use super::{IssuerConfig, JwksSource, SigningAlgorithm};
use crate::base::{PropertyCode, Role};

/// The section `[console]`.
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// The `OpenID` provider that says who signs in: `[console.sign_in]`. Without it nobody can.
    pub sign_in: Option<SignInConfig>,
    /// Whether anybody may choose a role and be it: for `demo`, which alone can set it.
    #[serde(skip)]
    pub anybody: bool,
}

/// An `OpenID` provider for the console: the authorization code flow with PKCE.
///
/// As for access tokens nothing is believed that is not written here: the algorithms are an allow-list, and a role is
/// only given for a claim value that [`SignInConfig::roles`] maps.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct SignInConfig {
    /// The provider's issuer identifier, to the letter; its configuration lies below it at
    /// `/.well-known/openid-configuration`.
    pub issuer: String,
    /// The client id under which the vault is known there.
    pub client_id: String,
    /// A file with the client's secret; without it the vault is a public client, which PKCE is enough for.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// Where browsers find this vault, such as `https://vault.hotel.example`: the provider sends them back to
    /// `/console/callback` below it, and nowhere else.
    pub address: String,
    /// What is asked for beside `openid`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The signature algorithms of ID tokens.
    pub algorithms: Vec<SigningAlgorithm>,
    /// As for `[[issuers]]`: the claim that holds the role.
    #[serde(default = "super::issuer::role_claim")]
    pub role_claim: String,
    /// Which value of that claim gives which role.
    pub roles: BTreeMap<String, Role>,
    /// The claim that holds the property codes.
    #[serde(default = "super::issuer::property_claim")]
    pub property_claim: String,
    /// Which value of that claim gives which property, brand or group. Empty: the values are codes themselves.
    #[serde(default)]
    pub properties: BTreeMap<String, PropertyCode>,
    /// The claim that names the member of staff, as a staff id.
    #[serde(default = "super::issuer::actor_claim")]
    pub actor_claim: String,
    /// The claim that says until when its holder is attested.
    #[serde(default)]
    pub attested_claim: Option<String>,
    /// How far the two clocks may differ, in seconds.
    #[serde(default = "super::issuer::leeway_seconds")]
    pub leeway_seconds: u16,
}

impl SignInConfig {
    /// What an ID token of this provider must be, with its keys at an address.
    #[must_use]
    pub fn issuer(&self, jwks: String) -> IssuerConfig {
        IssuerConfig {
            issuer: self.issuer.clone(),
            audience: self.client_id.clone(),
            jwks: JwksSource::Url(jwks),
            algorithms: self.algorithms.clone(),
            role_claim: self.role_claim.clone(),
            roles: self.roles.clone(),
            property_claim: self.property_claim.clone(),
            properties: self.properties.clone(),
            actor_claim: self.actor_claim.clone(),
            attested_claim: self.attested_claim.clone(),
            leeway_seconds: self.leeway_seconds,
            longest_seconds: super::issuer::longest_seconds(),
        }
    }

    /// Where the provider sends browsers back to.
    #[must_use]
    pub fn callback(&self) -> String {
        format!("{}/console/callback", self.address.trim_end_matches('/'))
    }
}

impl ConsoleConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        let Some(sign_in) = &self.sign_in else { return };
        let mut say = |problem: &str| wrong.push(format!("[console.sign_in] {problem}"));
        for (name, address) in [("issuer", &sign_in.issuer), ("address", &sign_in.address)] {
            if !address.starts_with("https://") && !super::issuer::is_loopback(address) {
                say(&format!(
                    "{name} must begin with https://: whoever changes it on the way could sign in as anybody"
                ));
            }
        }
        if sign_in.client_id.is_empty() {
            say("client_id must not be empty");
        }
        if sign_in.algorithms.is_empty() {
            say("algorithms must name at least one, such as \"RS256\"");
        }
        if sign_in.roles.is_empty() {
            say("roles must map at least one value of the role claim, or nobody can sign in");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"
        [sign_in]
        issuer = "https://id.hotel.example"
        client_id = "guest-vault"
        address = "https://vault.hotel.example"
        algorithms = ["RS256"]
        roles = { "gv-officer" = "compliance_officer" }
    "#;

    fn wrong(text: &str) -> usize {
        let config: ConsoleConfig = toml::from_str(text).unwrap();
        let mut wrong = Vec::new();
        config.check(&mut wrong);
        wrong.len()
    }

    #[test]
    fn the_least_section_is_enough_and_plain_addresses_are_not() {
        assert_eq!(wrong(PLAIN), 0);
        assert_eq!(wrong(&PLAIN.replace("https://", "http://")), 2);
        assert_eq!(wrong(&PLAIN.replace("[\"RS256\"]", "[]")), 1);
        assert_eq!(
            wrong(&PLAIN.replace("{ \"gv-officer\" = \"compliance_officer\" }", "{}")),
            1
        );
    }

    #[test]
    fn no_file_lets_anybody_in() {
        assert!(toml::from_str::<ConsoleConfig>("anybody = true").is_err());
        assert!(!toml::from_str::<ConsoleConfig>("").unwrap().anybody);
    }
}
