//! Floor 4: what guests agreed to. An append-only ledger; the newest line that counts holds ([`decide`]).
//!
//! Consent narrows what the policy grants, it never widens it; a withdrawal holds from the next read on.

mod again;
mod check;
mod ledger;
mod merge;
pub mod notice;
pub mod record;
mod rules;
pub mod sql;
#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    base::{ConsentId, EntryId, NoticeId, PrincipalId, PropertyCode, Purpose, micros},
    crypto::sha256,
    policy::Separate,
};

pub use again::{is_flag, says_again};
pub use check::{check, is_code};
pub use ledger::{Question, Spoken, Standing, answer, decide};
pub use merge::strictest;
pub use rules::{Ground, Rules, RulesError, Source};

/// What the guest said, or what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Was asked; no answer yet.
    Requested,
    /// Agreed.
    Given,
    /// Agreed again, before or after the end of an earlier consent.
    Renewed,
    /// Was asked and said no.
    Refused,
    /// Agreed once, and took it back.
    Withdrawn,
    /// Objected to what rests on a legitimate interest (GDPR Art. 21); narrows like a withdrawal.
    Objected,
    /// Agreed once; its time is over.
    Expired,
    /// Found not to count: other terms, or not asked for in the right way.
    Invalidated,
}

impl State {
    /// All states.
    pub const ALL: [Self; 8] = [
        Self::Requested,
        Self::Given,
        Self::Renewed,
        Self::Refused,
        Self::Withdrawn,
        Self::Objected,
        Self::Expired,
        Self::Invalidated,
    ];

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Given => "given",
            Self::Renewed => "renewed",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Objected => "objected",
            Self::Expired => "expired",
            Self::Invalidated => "invalidated",
        }
    }

    /// The state of a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }

    /// Whether it lets data be used.
    #[must_use]
    pub const fn is_yes(self) -> bool {
        matches!(self, Self::Given | Self::Renewed)
    }

    /// Whether it keeps data from being used.
    #[must_use]
    pub const fn is_no(self) -> bool {
        !matches!(self, Self::Requested | Self::Given | Self::Renewed)
    }

    /// Of two said at the same moment the higher holds.
    #[must_use]
    pub const fn strictness(self) -> u8 {
        match self {
            Self::Requested => 0,
            Self::Given | Self::Renewed => 1,
            Self::Expired => 2,
            Self::Invalidated => 3,
            Self::Objected => 4,
            Self::Refused => 5,
            Self::Withdrawn => 6,
        }
    }
}

/// Who spoke for the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The guest.
    Guest,
    /// A parent or guardian of a child.
    Guardian,
    /// Whoever booked. Nobody agrees for a companion; a no is taken from anybody.
    Booker,
}

/// Who answers for a child; sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Guardian {
    /// Name.
    #[schema(max_length = 200)]
    pub name: String,
    /// `mother`, `father`, `guardian` …
    #[schema(max_length = 40)]
    pub relation: String,
    /// How to reach them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub contact: Option<String>,
}

/// A new line for the ledger, as a channel reports it. One statement is about one purpose, one recipient and one kind
/// of consent: what is asked together is still answered one by one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// For which purpose.
    pub purpose: Purpose,
    /// What the guest said.
    pub state: State,
    /// To whom data may go, for purposes with a third party.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    pub recipient: Option<String>,
    /// For which property, brand or group. When absent: a yes holds for the property of the call and what lies beneath
    /// it, a no holds everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<PropertyCode>,
    /// The kind of separate consent, where one law or another wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separate: Option<Separate>,
    /// The notice the guest was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice_id: Option<NoticeId>,
    /// Where it was said: `web`, `front_desk`, `phone`, `paper`, `portal` …
    #[schema(max_length = 40)]
    pub channel: String,
    /// How it was said: `checkbox`, `signature`, `spoken`, `click` …
    #[serde(default)]
    #[schema(max_length = 40)]
    pub indication: Option<String>,
    /// Who spoke; the guest, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_by: Option<Speaker>,
    /// For a child: who answers for it; sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guardian: Option<Guardian>,
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

impl Statement {
    /// Whether it counts from when it is heard: it has no time, or is a no of about now. A no is lost neither to a clock of
    /// its source that is off, such as a hotel's own time that names no zone, nor to a yes that a clock ahead dated later.
    #[must_use]
    pub fn counts_from_now(&self, now: DateTime<Utc>) -> bool {
        let about_now = |at: DateTime<Utc>| (at - now).abs() < TimeDelta::days(1);
        self.at.is_none_or(|at| self.state.is_no() && about_now(at))
    }
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
    /// For which property, brand or group; empty: everywhere.
    pub scope: String,
    /// The kind of separate consent, if it is one.
    pub separate: Option<Separate>,
    /// What the guest said.
    pub state: State,
    /// Where.
    pub channel: String,
    /// How.
    pub indication: String,
    /// The notice shown.
    pub notice: Option<NoticeId>,
    /// The terms of that notice; 0 without a notice.
    pub terms: i64,
    /// When a notice with other terms came into force.
    pub superseded: Option<DateTime<Utc>>,
    /// For which property it was captured.
    pub property: PropertyCode,
    /// By which principal.
    pub captured_by: PrincipalId,
    /// By which member of staff.
    pub captured_actor: Option<String>,
    /// Until when it holds.
    pub valid_until: Option<DateTime<Utc>>,
    /// When it was said: from when on it counts.
    pub at: DateTime<Utc>,
    /// When it was said as its source dates it, if it does: by that the source's next word is known for another.
    pub told_at: Option<DateTime<Utc>>,
    /// The entry of the audit log that committed to it.
    pub entry: Option<EntryId>,
}

/// A line as the log commits to it: its members in the order of the alphabet, which is canonical (RFC 8785).
#[derive(Serialize)]
struct Committed<'l> {
    at: i64,
    captured_actor: Option<&'l str>,
    captured_by: PrincipalId,
    channel: &'l str,
    consent_id: ConsentId,
    indication: &'l str,
    notice_id: Option<NoticeId>,
    property: &'l PropertyCode,
    purpose: &'l Purpose,
    recipient: &'l str,
    scope: &'l str,
    separate: Option<Separate>,
    state: State,
    terms: i64,
    valid_until: Option<i64>,
}

impl Line {
    /// What the line's entry in the audit log holds of it: `line:sha256:` and the hash of its canonical JSON, times in
    /// microseconds.
    #[must_use]
    pub fn commitment(&self) -> String {
        let committed = Committed {
            at: micros(self.at),
            captured_actor: self.captured_actor.as_deref(),
            captured_by: self.captured_by,
            channel: &self.channel,
            consent_id: self.id,
            indication: &self.indication,
            notice_id: self.notice,
            property: &self.property,
            purpose: &self.purpose,
            recipient: &self.recipient,
            scope: &self.scope,
            separate: self.separate,
            state: self.state,
            terms: self.terms,
            valid_until: self.valid_until.map(micros),
        };
        // Serialising these plain types cannot fail.
        let bytes = serde_json::to_vec(&committed).unwrap_or_default();
        format!("line:sha256:{}", HEXLOWER.encode(&sha256(&bytes)))
    }

    /// What of it decides.
    #[must_use]
    pub fn spoken(&self) -> Spoken<'_> {
        Spoken {
            id: self.id,
            state: self.state,
            recipient: &self.recipient,
            scope: &self.scope,
            separate: self.separate.map_or("", Separate::as_str),
            at: micros(self.at),
            until: self.valid_until.map(micros),
            superseded: self.superseded.map(micros),
        }
    }
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
    /// The scope is no property, brand or group of the tree, or not the caller's.
    #[error("unknown_scope")]
    UnknownScope,
    /// A yes names no notice, though its purpose has one, or rests on consent.
    #[error("notice_required")]
    NoticeRequired,
    /// There is no such notice.
    #[error("unknown_notice")]
    UnknownNotice,
    /// The notice is about another purpose, or does not name the recipient.
    #[error("wrong_notice")]
    WrongNotice,
    /// The notice was not in force when it was said.
    #[error("notice_not_in_force")]
    NoticeNotInForce,
    /// The purpose does not rest on a legitimate interest, so there is nothing to object to.
    #[error("nothing_to_object_to")]
    NothingToObjectTo,
    /// Whoever booked cannot agree for a companion.
    #[error("not_by_booker")]
    NotByBooker,
    /// The guest is a child: a guardian must have agreed.
    #[error("guardian_required")]
    GuardianRequired,
    /// A guardian is named badly, or for a yes of the guest's own.
    #[error("invalid_guardian")]
    InvalidGuardian,
    /// A separate consent rests on the same evidence as another one.
    #[error("bundled")]
    Bundled,
    /// A flag of a record that was not heard on the matter before, against a no of the guest's.
    #[error("refused_elsewhere")]
    RefusedElsewhere,
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
            Self::UnknownScope => "unknown_scope",
            Self::NoticeRequired => "notice_required",
            Self::UnknownNotice => "unknown_notice",
            Self::WrongNotice => "wrong_notice",
            Self::NoticeNotInForce => "notice_not_in_force",
            Self::NothingToObjectTo => "nothing_to_object_to",
            Self::NotByBooker => "not_by_booker",
            Self::GuardianRequired => "guardian_required",
            Self::InvalidGuardian => "invalid_guardian",
            Self::Bundled => "bundled",
            Self::RefusedElsewhere => "refused_elsewhere",
        }
    }
}
