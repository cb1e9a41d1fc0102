//! Floor 4: what guests agreed to. An append-only ledger; the newest line per purpose and recipient holds.
//!
//! Consent narrows what the policy grants, it never widens it; a withdrawal holds from the next read on.

mod ledger;
pub mod sql;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::{ConsentId, NoticeId, PrincipalId, PropertyCode, Purpose};

pub use ledger::{Standing, standing};

/// What the guest said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Agreed.
    Given,
    /// Was asked and said no.
    Refused,
    /// Agreed once, and took it back.
    Withdrawn,
}

impl State {
    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state of a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Given, Self::Refused, Self::Withdrawn]
            .into_iter()
            .find(|s| s.as_str() == word)
    }
}

/// A new line for the ledger, as a channel reports it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// For which purpose.
    pub purpose: Purpose,
    /// What the guest said.
    pub state: State,
    /// To whom data may go, for purposes with a third party.
    #[serde(default)]
    #[schema(max_length = 60)]
    pub recipient: Option<String>,
    /// The notice the guest was shown.
    #[serde(default)]
    pub notice_id: Option<NoticeId>,
    /// Where it was said: `web`, `front_desk`, `phone`, `paper`, `portal` …
    #[schema(max_length = 40)]
    pub channel: String,
    /// How it was said: `checkbox`, `signature`, `spoken`, `click` …
    #[serde(default)]
    #[schema(max_length = 40)]
    pub indication: Option<String>,
    /// When it was said; now, when absent.
    #[serde(default)]
    pub at: Option<DateTime<Utc>>,
    /// Until when it holds.
    #[serde(default)]
    pub valid_until: Option<DateTime<Utc>>,
    /// Where the evidence lies (a document number, a call id); sealed.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub evidence_ref: Option<String>,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its id.
    pub id: ConsentId,
    /// For which purpose.
    pub purpose: Purpose,
    /// To whom; empty when nobody else.
    pub recipient: String,
    /// What the guest said.
    pub state: State,
    /// Where.
    pub channel: String,
    /// How.
    pub indication: String,
    /// The notice shown.
    pub notice: Option<NoticeId>,
    /// For which property it was captured.
    pub property: PropertyCode,
    /// By which principal.
    pub captured_by: PrincipalId,
    /// By which member of staff.
    pub captured_actor: Option<String>,
    /// Until when it holds.
    pub valid_until: Option<DateTime<Utc>>,
    /// When it was said.
    pub at: DateTime<Utc>,
}

/// Why a statement cannot be taken into the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The purpose is not one of the policy's.
    #[error("unknown_purpose")]
    UnknownPurpose,
    /// A word is empty, too long or has characters no code has.
    #[error("invalid_code")]
    InvalidCode,
    /// Said in the future, or ended before it was said.
    #[error("impossible_date")]
    ImpossibleDate,
    /// The evidence reference is too long or holds a card number.
    #[error("invalid_evidence")]
    InvalidEvidence,
}

impl Refusal {
    /// The machine-readable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownPurpose => "unknown_purpose",
            Self::InvalidCode => "invalid_code",
            Self::ImpossibleDate => "impossible_date",
            Self::InvalidEvidence => "invalid_evidence",
        }
    }
}

/// The most digits of a code: a phone, a document and a card have more.
const MOST_DIGITS: usize = 6;

/// Whether a short word such as a channel can stand in clear: codes only, so that no name, note or number slips in.
#[must_use]
pub fn is_code(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 40
        && word.bytes().filter(u8::is_ascii_digit).count() <= MOST_DIGITS
        && word
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | ':'))
}

/// Checks a statement; `now` bounds when it can have been said.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(statement: &Statement, now: DateTime<Utc>) -> Result<(), Refusal> {
    let words = [
        Some(statement.channel.as_str()),
        statement.indication.as_deref(),
        statement.recipient.as_deref(),
    ];
    if !words.into_iter().flatten().all(is_code) {
        return Err(Refusal::InvalidCode);
    }
    let at = statement.at.unwrap_or(now);
    if at > now + chrono::Duration::minutes(5) || statement.valid_until.is_some_and(|until| until <= at) {
        return Err(Refusal::ImpossibleDate);
    }
    if statement
        .evidence_ref
        .as_deref()
        .is_some_and(|e| e.is_empty() || e.chars().count() > 200)
    {
        return Err(Refusal::InvalidEvidence);
    }
    Ok(())
}
