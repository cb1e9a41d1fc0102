//! `[budgets]`: how much one actor may look at in an hour.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::values::lenient;
use crate::base::Role;

/// What one actor of a role may do in an hour; 0 is no limit. How many guests a busy desk sees differs from house to
/// house, so only reveals are bounded until the operator says more.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Distinct guests read.
    #[serde(deserialize_with = "lenient")]
    pub guests_per_hour: u32,
    /// Values revealed.
    #[serde(deserialize_with = "lenient")]
    pub reveals_per_hour: u32,
    /// Searches.
    #[serde(deserialize_with = "lenient")]
    pub searches_per_hour: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            guests_per_hour: 0,
            reveals_per_hour: 300,
            searches_per_hour: 0,
        }
    }
}

/// The section `[budgets]`: `[budgets.default]` and `[budgets.roles.<role>]`.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetsConfig {
    /// How many times the budget of one actor a credential has for all that it names together; 0 is no limit. Behind an
    /// API key the actor is the caller's word, and whoever stole one names as many as it likes.
    #[serde(deserialize_with = "lenient")]
    pub credential_factor: u32,
    /// For roles without their own.
    pub default: Budget,
    /// By role.
    pub roles: BTreeMap<Role, Budget>,
}

impl Default for BudgetsConfig {
    fn default() -> Self {
        Self {
            credential_factor: 10,
            default: Budget::default(),
            roles: BTreeMap::new(),
        }
    }
}

impl BudgetsConfig {
    /// The budget of a role.
    #[must_use]
    pub fn of(&self, role: &Role) -> Budget {
        self.roles.get(role).copied().unwrap_or(self.default)
    }
}
