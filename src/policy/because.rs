//! The reasons of a decision: told in English by the API, and by pages in the reader's language.

use std::fmt;

use super::RuleId;
use crate::base::{Purpose, StayState};

/// Why a field is shown or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// A rule denies it.
    Denied(RuleId),
    /// No rule allows it; where one does.
    Unspoken(Elsewhere),
    /// A rule allows it.
    Allowed(Option<RuleId>),
}

/// Where the same role would see the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elsewhere {
    /// At another point of the stay.
    Stays(Vec<StayState>),
    /// Where the guest is the caller's own.
    Own,
    /// For another purpose.
    Purposes(Vec<Purpose>),
    /// Nowhere.
    Nowhere,
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(rule) => write!(f, "{rule} denies it, and a deny wins over every allow"),
            Self::Allowed(Some(rule)) => write!(f, "{rule} allows it and no rule denies it"),
            Self::Allowed(None) => f.write_str("it is allowed"),
            Self::Unspoken(Elsewhere::Stays(stays)) => {
                let stays: Vec<&str> = stays.iter().map(|stay| stay.as_str()).collect();
                write!(
                    f,
                    "no rule allows it at this stay; a rule does at {}",
                    stays.join(", ")
                )
            }
            Self::Unspoken(Elsewhere::Own) => {
                f.write_str("no rule allows it unless the guest is the caller's own")
            }
            Self::Unspoken(Elsewhere::Purposes(purposes)) => {
                let purposes: Vec<&str> = purposes.iter().map(Purpose::as_str).collect();
                write!(
                    f,
                    "no rule allows it for this purpose; a rule does for {}",
                    purposes.join(", ")
                )
            }
            Self::Unspoken(Elsewhere::Nowhere) => f.write_str("no rule allows it to this role"),
        }
    }
}
