//! `[events]`: the feed.

use serde::Deserialize;

use super::values::lenient;

/// The section `[events]`.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct EventsConfig {
    /// What events call this vault: their `source`, a URI reference.
    pub source: String,
    /// How many days events are kept for listeners that come later.
    #[serde(deserialize_with = "lenient")]
    pub keep_days: u16,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self {
            source: "/guest-vault".to_owned(),
            keep_days: 30,
        }
    }
}

impl EventsConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
        if self.source.is_empty() || self.source.len() > 200 || !self.source.chars().all(plain) {
            wrong.push("events.source must be a URI reference of 1 to 200 characters".into());
        }
        if !(7..=3_650).contains(&self.keep_days) {
            // What is given up is tried for three days before.
            wrong.push("events.keep_days must be 7 to 3650".into());
        }
    }
}
