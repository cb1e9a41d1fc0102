//! `[[webhooks]]`: who is told of events.

use std::{collections::BTreeSet, path::PathBuf};

use data_encoding::BASE64;
use serde::Deserialize;

use super::values::{lenient, list};
use crate::base::{AddressRange, PropertyCode};

/// One receiver of events. Its events hold no personal data, but say that a guest exists and changed: the address is
/// the operator's to choose, never a caller's.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// What it is called here: a-z, 0-9, `_` and `-`. A renamed one is a new one.
    pub name: String,
    /// Where events go.
    pub url: String,
    /// The file with its secret (`whsec_…`). Several lines are several secrets: all of them sign, so that a secret can
    /// be changed without a pause.
    pub secret_file: PathBuf,
    /// Which events; without any, all.
    #[serde(default)]
    pub events: Vec<String>,
    /// Only those of this property and beneath it, and those of no property.
    #[serde(default)]
    pub property: Option<PropertyCode>,
    /// Private, loopback or other special addresses that this receiver may have.
    #[serde(default, deserialize_with = "list")]
    pub allow: Vec<AddressRange>,
    /// The Ed25519 key (base64) with which it signs that it has erased a guest. Who has one is a processor: erasures
    /// are told to it, and certificates say what it answered.
    #[serde(default)]
    pub acknowledges_with: Option<String>,
    /// How many days a processor has to answer.
    #[serde(default = "a_month", deserialize_with = "lenient")]
    pub acknowledges_within_days: u16,
}

const fn a_month() -> u16 {
    30
}

impl WebhookConfig {
    /// The processor's key, if it is one and the key can be read.
    #[must_use]
    pub fn key(&self) -> Option<[u8; 32]> {
        let bytes = BASE64.decode(self.acknowledges_with.as_ref()?.as_bytes()).ok()?;
        bytes.try_into().ok()
    }
}

/// Checks all of them.
pub(super) fn check(all: &[WebhookConfig], wrong: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for hook in all {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        let mut say = |problem: &str| wrong.push(format!("[[webhooks]] {}: {problem}", hook.name));
        if hook.name.is_empty() || hook.name.len() > 40 || !hook.name.chars().all(plain) {
            say("name must be 1 to 40 characters of a-z, 0-9, _ and -");
        }
        if !names.insert(&hook.name) {
            say("the name is taken by another");
        }
        if hook.acknowledges_with.is_some() && hook.key().is_none() {
            say("acknowledges_with must be an Ed25519 public key: 32 bytes in base64");
        }
        let told = hook.events.is_empty() || hook.events.iter().any(|event| event == "guest.erased");
        if hook.acknowledges_with.is_some() && !told {
            say("a processor must hear of guest.erased");
        }
        let inside = hook.url.starts_with("http://") && !hook.allow.is_empty();
        if !inside && !hook.url.starts_with("https://") {
            say("url must begin with https://; http:// only together with `allow`, for a receiver inside");
        }
    }
}
