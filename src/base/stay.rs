//! A guest's stay as policy sees it.

use serde::{Deserialize, Serialize};

/// Where a guest stands with a property now; the policy's last dimension.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StayState {
    /// No stay at this property.
    None,
    /// A stay that begins more than a day from now.
    Booked,
    /// From the day before arrival until check-in.
    Arriving,
    /// Between check-in and check-out.
    InHouse,
    /// Up to three days after departure.
    Departed,
    /// Departed longer ago.
    Past,
}

impl StayState {
    /// All states, in the order of [`StayState::index`].
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Booked,
        Self::Arriving,
        Self::InHouse,
        Self::Departed,
        Self::Past,
    ];

    /// Position in [`StayState::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::None => 0,
            Self::Booked => 1,
            Self::Arriving => 2,
            Self::InHouse => 3,
            Self::Departed => 4,
            Self::Past => 5,
        }
    }

    /// The word of the contract: `none`, `booked`, `arriving`, `in_house`, `departed`, `past`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Booked => "booked",
            Self::Arriving => "arriving",
            Self::InHouse => "in_house",
            Self::Departed => "departed",
            Self::Past => "past",
        }
    }
}

/// What the source says of a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StayStatus {
    /// Asked for or waitlisted.
    Tentative,
    /// Booked.
    Confirmed,
    /// The guest is in the house.
    CheckedIn,
    /// The guest has left.
    CheckedOut,
    /// Will not happen.
    Cancelled,
    /// Did not come.
    NoShow,
}
