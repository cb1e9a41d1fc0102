//! Where a retention run stands.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// What would go is being counted.
    Counting,
    /// It is more than may go without a second person.
    Waiting,
    /// It goes.
    Running,
    /// It is gone.
    Done,
    /// Counted only, as asked.
    Simulated,
    /// A second person said no, or it waited with a day to come, by a clock that was ahead, and made way for another.
    Rejected,
}

impl RunState {
    const ALL: [Self; 6] = [
        Self::Counting,
        Self::Waiting,
        Self::Running,
        Self::Done,
        Self::Simulated,
        Self::Rejected,
    ];

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counting => "counting",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Simulated => "simulated",
            Self::Rejected => "rejected",
        }
    }

    /// The state of a stored word.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}
