//! `[identity]`: how sure the vault must be before it takes two records for one guest.

use serde::Deserialize;

use super::values::{lenient, lenient_option};

/// A preset of thresholds.
#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Links from 8 bits on (one wrong in 256, as stated).
    #[default]
    Cautious,
    /// Links from 6 bits on (one wrong in 64, as stated).
    Eager,
}

/// The section `[identity]`.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// `cautious` or `eager`.
    pub preset: Preset,
    /// From so many bits on a record is linked without asking; the preset's, when absent.
    #[serde(deserialize_with = "lenient_option")]
    pub link_bits: Option<f64>,
    /// From so many bits on a steward is asked.
    #[serde(deserialize_with = "lenient")]
    pub ask_bits: f64,
    /// Whether two guests whom a record shows to be one, and who are as alike by themselves, are merged without asking.
    #[serde(deserialize_with = "lenient")]
    pub merge_bridged: bool,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            preset: Preset::Cautious,
            link_bits: None,
            ask_bits: 0.0,
            merge_bridged: true,
        }
    }
}

impl IdentityConfig {
    /// From so many bits on a record is linked without asking.
    #[must_use]
    pub fn link_bits(&self) -> f64 {
        self.link_bits.unwrap_or(match self.preset {
            Preset::Cautious => 8.0,
            Preset::Eager => 6.0,
        })
    }

    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        let link = self.link_bits();
        if !(2.0..=40.0).contains(&link) {
            // Two bits are one wrong in five: less is no link but a guess.
            wrong.push("identity.link_bits must be 2 to 40".into());
        }
        if !(-10.0..=40.0).contains(&self.ask_bits) || self.ask_bits > link {
            wrong.push("identity.ask_bits must be -10 to 40, and not above link_bits".into());
        }
    }
}
