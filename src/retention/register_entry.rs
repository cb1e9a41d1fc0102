//! The guest register's own copy of a stay, as it is stored: sealed to its place, with the dates that its rules set when
//! it was made.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    base::{Category, GuestId},
    crypto::Aad,
    guest::GuestError,
    keys::GuestKeys,
};

use super::{Limit, RegisterFact};

/// A stay as the register keeps it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct RegisterEntry {
    /// Which house; older entries do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20)]
    pub property: Option<String>,
    /// ISO 3166-1 code of the house.
    #[schema(max_length = 2)]
    pub country: String,
    /// The day of arrival.
    pub arrival: NaiveDate,
    /// The day of departure.
    pub departure: NaiveDate,
    /// Under which rules it is kept.
    pub rules: Vec<String>,
    /// Not to be gone before.
    pub keep_until: NaiveDate,
    /// To be gone by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_by: Option<NaiveDate>,
    /// The guest's own particulars.
    #[schema(value_type = Object)]
    pub guest: Map<String, Value>,
}

impl RegisterEntry {
    /// Which stay it is a copy of.
    #[must_use]
    pub fn stay(&self) -> (String, NaiveDate, NaiveDate) {
        (self.country.clone(), self.arrival, self.departure)
    }

    /// Whether it must be gone by now.
    #[must_use]
    pub fn is_over(&self, today: NaiveDate) -> bool {
        self.gone_by.is_some_and(|day| day <= today)
    }

    /// What is sealed there is sealed to this place.
    #[must_use]
    pub const fn place(guest: GuestId, id: Uuid) -> Aad<'static> {
        Aad {
            guest,
            record: id,
            path: "register.entry",
            version: 0,
        }
    }

    /// Sealed to its place.
    ///
    /// # Errors
    /// What the keys say.
    pub fn seal(&self, keys: &GuestKeys, guest: GuestId, id: Uuid) -> Result<Vec<u8>, GuestError> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        Ok(keys
            .seal(Category::Statutory, &Self::place(guest, id), &plain)?
            .into_bytes())
    }

    /// Opened for the vault's own use.
    ///
    /// # Errors
    /// What the keys say; [`GuestError::Damaged`] for what is no entry.
    pub fn open(keys: &GuestKeys, guest: GuestId, id: Uuid, sealed: &[u8]) -> Result<Self, GuestError> {
        let plain = keys.open_internal(Category::Statutory, sealed, &Self::place(guest, id))?;
        serde_json::from_slice(&plain).map_err(|_| GuestError::Damaged)
    }

    /// Its own dates: they hold also when what they were concluded from is gone.
    pub(super) fn fact(&self) -> RegisterFact {
        let limit = |date| Limit {
            date,
            rule: self.rules.join(", "),
            source: "the register's own copy".to_owned(),
        };
        RegisterFact {
            keep: limit(self.keep_until),
            gone: self.gone_by.map(limit),
        }
    }
}
