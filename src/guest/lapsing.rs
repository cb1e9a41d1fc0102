//! What of a guest will have had its time in the days to come, as the last look at all of it told: a read, which fetches
//! nothing that it was not granted, could not tell by itself.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    base::{Category, Field, FieldPath, GuestId},
    crypto::Aad,
    keys::{GuestKeys, KeysError},
};

use super::{GuestError, seal_version};

/// Drawers and single fields, each with the day from which it is not shown any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lapsing {
    /// Drawers.
    pub drawers: BTreeMap<Category, NaiveDate>,
    /// Fields of drawers that stay.
    pub fields: BTreeMap<FieldPath, NaiveDate>,
}

impl Lapsing {
    /// Whether nothing lapses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.drawers.is_empty() && self.fields.is_empty()
    }

    /// Whether a field has had its time on a day.
    #[must_use]
    pub fn is_over(&self, field: &Field, today: NaiveDate) -> bool {
        let day = self
            .drawers
            .get(&field.category)
            .or_else(|| self.fields.get(&field.path));
        day.is_some_and(|day| *day <= today)
    }

    /// Seals it to its guest: the days tell when a stay ended.
    ///
    /// # Errors
    /// When the guest has no key of its own for it.
    pub fn seal(&self, guest: GuestId, keys: &GuestKeys) -> Result<Vec<u8>, KeysError> {
        let plain = serde_json::to_vec(self).unwrap_or_default();
        Ok(keys.seal(Category::Audit, &place(guest), &plain)?.into_bytes())
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`GuestError::Damaged`] when it is not what was sealed.
    pub fn open(guest: GuestId, keys: &GuestKeys, sealed: &[u8]) -> Result<Self, GuestError> {
        let plain = keys.open_internal(Category::Audit, sealed, &place(guest))?;
        serde_json::from_slice(&plain).map_err(|_| GuestError::Damaged)
    }
}

/// It is the guest's own, of no record.
fn place(guest: GuestId) -> Aad<'static> {
    Aad {
        guest,
        record: Uuid::nil(),
        path: "lapsing",
        version: seal_version(1),
    }
}
