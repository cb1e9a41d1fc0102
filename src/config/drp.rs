//! `[drp]`: agents that bring requests of guests by the Data Rights Protocol.

use data_encoding::BASE64;
use serde::Deserialize;

use crate::base::{AddressRange, PropertyCode};

/// The section `[drp]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrpConfig {
    /// What agents call this house.
    pub business_id: String,
    /// At which node of the tree their requests are taken in.
    pub property: Option<PropertyCode>,
    /// The agents: `[[drp.agents]]`.
    pub agents: Vec<AgentConfig>,
    /// Addresses inside that agents may be told at: networks such as `10.1.0.0/16`.
    pub allow: Vec<AddressRange>,
}

/// One agent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Its id in the directory of agents.
    pub id: String,
    /// Its Ed25519 key, base64.
    pub key: String,
    /// What the addresses begin with at which it may want to be told of its requests.
    #[serde(default)]
    pub callbacks: Vec<String>,
}

impl AgentConfig {
    /// Its key; `None` when that cannot be read.
    #[must_use]
    pub fn key(&self) -> Option<[u8; 32]> {
        BASE64.decode(self.key.as_bytes()).ok()?.try_into().ok()
    }
}

impl DrpConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        if !self.agents.is_empty() && (self.business_id.is_empty() || self.property.is_none()) {
            wrong.push("drp.business_id and drp.property are needed where there are [[drp.agents]]".into());
        }
        for agent in &self.agents {
            let word = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            if agent.key().is_none() {
                wrong.push(format!(
                    "[[drp.agents]] {}: key must be 32 bytes in base64",
                    agent.id
                ));
            }
            let address = |begin: &String| {
                let host = begin.strip_prefix("https://").or(begin.strip_prefix("http://"));
                host.is_some_and(|host| host.contains('/'))
            };
            if !agent.callbacks.iter().all(address) {
                wrong.push(format!(
                    "[[drp.agents]] {}: callbacks begin with https://HOST/ (inside with http://HOST/)",
                    agent.id
                ));
            }
            if !(1..=50).contains(&agent.id.len()) || !agent.id.chars().all(word) {
                wrong.push("[[drp.agents]]: id must be 1 to 50 of a-z, A-Z, 0-9, ., _ and -".into());
            }
        }
    }
}
