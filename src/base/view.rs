//! What a caller may do and how a field may be shown.

use serde::{Deserialize, Serialize};

/// What a caller wants to do with guest data; a dimension of the policy.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// See values.
    Read,
    /// Find guests by this field.
    Search,
    /// Say what a source knows, or correct it.
    Write,
    /// Take many guests out in one go.
    Export,
}

impl Action {
    /// All actions, in the order of [`Action::index`].
    pub const ALL: [Self; 4] = [Self::Read, Self::Search, Self::Write, Self::Export];

    /// Position in [`Action::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Read => 0,
            Self::Search => 1,
            Self::Write => 2,
            Self::Export => 3,
        }
    }

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Search => "search",
            Self::Write => "write",
            Self::Export => "export",
        }
    }
}

/// How a field may be shown, from least to most; the order is the order of disclosure.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Nothing.
    None,
    /// A derived word: `present`, an age band, a tier.
    Flag,
    /// A stable handle of this consumer, not the value.
    Token,
    /// The masked value, such as `+86 138****5678`.
    Masked,
    /// Masked when read, plain on demand (`POST …/reveal`), counted.
    Reveal,
    /// The value.
    Plain,
}

impl View {
    /// The word of the contract; `none` is told as `withheld`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "withheld",
            Self::Flag => "flag",
            Self::Token => "token",
            Self::Masked => "masked",
            Self::Reveal => "reveal",
            Self::Plain => "plain",
        }
    }
}

/// Why a field is withheld; machine-readable in answers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// No rule shows this field to this role for this purpose at this property.
    Policy,
    /// A rule shows it, but not at this point of the guest's stay.
    StayWindow,
    /// The purpose needs a consent that is not there.
    Consent,
    /// Shown only to the guest's own account manager.
    Portfolio,
}
