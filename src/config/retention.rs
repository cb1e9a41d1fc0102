//! `[retention]`: how what has had its time is let go.

use serde::Deserialize;

use super::values::lenient;

/// The section `[retention]`.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// How often all guests are looked at for what has had its time, besides at the turn of each day; never by itself,
    /// when 0.
    #[serde(deserialize_with = "lenient")]
    pub every_hours: u16,
    /// Of how many guests something may go in one run before a second person has to agree.
    #[serde(deserialize_with = "lenient")]
    pub approve_above: u32,
    /// How many guests are looked at in a second, so that those who serve guests are not kept waiting.
    #[serde(deserialize_with = "lenient")]
    pub guests_per_second: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            every_hours: 24,
            approve_above: 100,
            guests_per_second: 200,
        }
    }
}

impl RetentionConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        if !(1..=100_000).contains(&self.guests_per_second) {
            wrong.push("retention.guests_per_second must be 1 to 100000".into());
        }
    }
}
