//! Floor 6: how long what may or must be kept. Rules are data (`policies/retention`), the engine is pure, holds are
//! orders of the house to keep.

pub mod api;
mod ask;
mod engine;
mod facts;
mod holds;
mod many_holds;
mod overdue;
pub mod quality;
pub mod quality_api;
mod register_entry;
mod rules;
pub mod sql;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::{Category, FieldPath};

pub use ask::how_long;
pub use engine::plan;
pub use facts::{House, facts};
pub use holds::{Ground, Hold, HoldAnswer, HoldError, Holds, read, spelt};
pub use many_holds::{HoldOf, HoldsOf, ManyHolds};
pub use overdue::overdue;
pub use register_entry::RegisterEntry;
pub use rules::{Rule, Rules, RulesError, Span};

/// A stay, as far as duties to keep are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StayFact {
    /// Which house.
    pub property: String,
    /// ISO 3166-1 code of where the house stands.
    pub country: String,
    /// ISO 3166-2 code, where the rules need it.
    pub province: Option<String>,
    /// The day of arrival.
    pub arrival: NaiveDate,
    /// The day of departure.
    pub departure: NaiveDate,
    /// The day on which the authority acknowledged the report of the departure.
    pub acknowledged: Option<NaiveDate>,
    /// Whether the guest came, or is there.
    pub came: bool,
    /// Whether it is still ahead or under way.
    pub open: bool,
}

/// What of a guest decides how long it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its stays.
    pub stays: Vec<StayFact>,
    /// ISO 3166-1 code.
    pub nationality: Option<String>,
    /// The day of birth, when it is known whole.
    pub born: Option<NaiveDate>,
    /// The last time anything came in from or about the guest.
    pub last_activity: Option<NaiveDate>,
    /// The day on which the last membership ended; nothing while one goes on.
    pub membership_end: Option<NaiveDate>,
    /// The day of the last withdrawal; nothing while any consent stands.
    pub consent_withdrawn: Option<NaiveDate>,
    /// The register's copy that has to be kept longest, when there is one.
    pub register: Option<RegisterFact>,
    /// Which drawers hold anything.
    pub drawers: Vec<Drawer>,
    /// Which fields have values, each with the house's own term.
    pub fields: Vec<FieldTerm>,
}

/// How long a copy of the register that is there has to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterFact {
    /// Not to be gone before.
    pub keep: Limit,
    /// To be gone by.
    pub gone: Option<Limit>,
}

/// A field with values in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTerm {
    /// Which.
    pub field: FieldPath,
    /// In which drawer.
    pub category: Category,
    /// By when the last of its values must be gone; `None` when that has no end yet.
    pub house: Option<NaiveDate>,
}

/// A drawer with something in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawer {
    /// Which.
    pub category: Category,
    /// How many values lie in it.
    pub values: u64,
    /// By when all of it must be gone by the house's own rules; `None` when one of them has no end.
    pub house: Option<NaiveDate>,
}

/// A date with the rule that sets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Limit {
    /// The day.
    pub date: NaiveDate,
    /// The rule's name.
    #[schema(max_length = 80)]
    pub rule: String,
    /// Where it is written.
    #[schema(max_length = 600)]
    pub source: String,
}

/// Two rules that cannot both be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Conflict {
    /// Must not be gone before.
    pub keep: Limit,
    /// Must be gone by.
    pub drop: Limit,
}

/// How long a drawer is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CategoryPlan {
    /// Which drawer.
    pub category: Category,
    /// How many values lie in it.
    pub values: u64,
    /// Not to be gone before; nothing, when no duty stands against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Limit>,
    /// To be gone by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest: Option<Limit>,
    /// Rules that cannot both be kept: for a person to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
}

/// Which copy a duty is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compartment {
    /// The register's own copy.
    Register,
    /// The named drawers of the guest's record.
    Categories,
}
