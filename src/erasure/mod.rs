//! Floor 6: erasure that survives a restore.
//!
//! ```text
//! preview      per drawer: erase, restrict (the register's copy only), or keep until a date on a ground
//! intent       in the log, with a tombstone, before any key is destroyed
//! shred        the keys, in the key store
//! remove       values, tokens, records, stays, consents; the log's details and its link to the guest
//! confirm      in the log, in the same transaction
//! sweep        what the databases' own files still hold of it
//! ```
//!
//! Every step can be repeated; what a crash left half done is finished at the next start.

pub mod api;
pub mod certificate;
mod copied;
pub mod counts;
mod due;
pub(crate) mod fault;
mod mark;
mod orphans;
mod outcome;
mod outlook;
mod preview;
pub mod processors;
mod protect;
mod protections;
mod register;
mod registers;
mod replay;
mod run;
mod run_state;
pub mod runs;
mod sight;
mod since;
pub mod sql;

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    audit::tlog::{LogError, Sequencer},
    base::Category,
    guest::{GuestError, Vault},
    retention::Rules,
};

pub use mark::{OLDER_DATA, holds_mark};
pub use outlook::ComingDay;
pub use processors::Processor;
pub use register::{RegisterAnswer, read_register};
pub use replay::Replayed;
pub use run::Order;
pub use runs::Pace;
pub use since::{Since, Stray};

/// Erases guests.
#[derive(Clone)]
pub struct Eraser {
    /// The vault.
    pub vault: Vault,
    /// What gives the intent its place in the log before anything is destroyed.
    pub sequencer: Arc<Sequencer>,
    /// The retention rules.
    pub rules: Arc<Rules>,
    /// Who has to answer when a guest is erased.
    pub processors: Arc<[Processor]>,
    /// How retention runs are done.
    pub pace: Pace,
    /// For how many days a backup of the key store is kept; the certificate names the day after.
    pub backup_days: u32,
}

/// What becomes of a drawer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Its key is destroyed now.
    Erase,
    /// Kept for the law only: nobody reads it but for that.
    Restrict,
    /// Kept for now.
    Keep,
}

/// What becomes of a drawer, until when, and on what ground.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CategoryFate {
    /// Which drawer.
    pub category: Category,
    /// How many values lie in it.
    pub values: u64,
    /// What becomes of it.
    pub fate: Fate,
    /// Why it is not erased: `contract`, `legal_obligation`, the ground of a hold, or `other_drawers`; in a certificate
    /// also `under_way`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub ground: Option<String>,
    /// The rule or hold behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 600)]
    pub source: Option<String>,
    /// Until when; for a hold the day on which it is looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<NaiveDate>,
}

/// What an erasure would do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// Drawer by drawer.
    pub categories: Vec<CategoryFate>,
    /// Whether the guest is gone afterwards, but for the register's copy.
    pub whole: bool,
    /// Whether an open stay still needs the guest.
    pub open_stay: bool,
    /// How many other guests were merged into this one, and go with it.
    pub merged: u64,
    /// Whether keyed hashes of the guest's addresses outlive it, so that nobody writes to them again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub do_not_contact: bool,
}

impl Preview {
    /// The drawers whose keys are destroyed. Of a guest that goes as a whole these are all, filled or not, but for the
    /// register's copy where a law keeps it.
    #[must_use]
    pub fn doomed(&self) -> Vec<Category> {
        let fate = |category: Category| {
            let found = self.categories.iter().find(|fate| fate.category == category);
            found.map(|fate| fate.fate)
        };
        Category::ALL
            .into_iter()
            .filter(|category| match fate(*category) {
                Some(fate) => fate == Fate::Erase,
                None => self.whole,
            })
            .collect()
    }

    /// Whether a law keeps the register's copy.
    #[must_use]
    pub fn keeps_register(&self) -> bool {
        self.categories
            .iter()
            .any(|fate| fate.category == Category::Statutory && fate.fate == Fate::Restrict)
    }
}

/// Could not, because …
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// As for any call about a guest.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// The intent has no place in the log yet, so nothing was destroyed; it goes on by itself.
    #[error("the log does not grow; the erasure goes on when it does")]
    LogWaits,
    /// A hold, a stay or a merge came in between; nothing was destroyed.
    #[error("what would be erased has changed since it was looked at")]
    Changed,
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<crate::store::StoreError> for ErasureError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Guest(error.into())
    }
}

impl From<crate::keys::KeysError> for ErasureError {
    fn from(error: crate::keys::KeysError) -> Self {
        Self::Guest(error.into())
    }
}

impl From<crate::audit::CommitError> for ErasureError {
    fn from(error: crate::audit::CommitError) -> Self {
        Self::Guest(error.into())
    }
}
