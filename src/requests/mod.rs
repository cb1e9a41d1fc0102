//! Floor 6: what guests ask for: cases with a statutory clock, states and a timeline.

mod calendar;
mod clock;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use calendar::Calendar;
pub use clock::{Course, Deadlines, Regime, Term, Unit};

/// What a guest asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To see what is stored.
    Access,
    /// To take it elsewhere.
    Portability,
    /// To have it corrected.
    Rectification,
    /// To have it erased.
    Erasure,
    /// To have it kept but not used.
    Restriction,
    /// Not to be used for some purposes.
    Objection,
}
