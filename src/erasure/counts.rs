//! What would go, counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::Category;

use super::due::Due;

/// How much would go of one drawer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// Of how many guests.
    pub guests: u64,
    /// How many values.
    pub values: u64,
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RunCounts)]
pub struct Counts {
    /// By drawer.
    pub categories: BTreeMap<Category, Count>,
    /// Single fields of drawers that stay: of how many guests.
    pub fields: BTreeMap<String, u64>,
    /// Guests that go as a whole.
    pub whole: u64,
}

impl Counts {
    pub(super) fn add(&mut self, due: &Due) {
        for (category, values) in &due.drawers {
            let count = self.categories.entry(*category).or_default();
            count.guests = count.guests.saturating_add(1);
            count.values = count.values.saturating_add(*values);
        }
        for field in &due.fields {
            let count = self.fields.entry(field.to_string()).or_default();
            *count = count.saturating_add(1);
        }
        self.whole = self.whole.saturating_add(due.whole.into());
    }
}
