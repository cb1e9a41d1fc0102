//! Policy: who may see which field of a guest, how, for which purpose, at which property, at which point of
//! the guest's stay, and which rule says so.
//!
//! casbin decides, a table answers. Everything that can be asked is finite, so casbin is asked at load
//! (`engine`, `table`); a request costs array look-ups. Deny wins, and what no rule allows is denied. A policy
//! is loaded whole into a [`Snapshot`], must pass its own cases, and is swapped atomically ([`Policies`]).
//!
//! The order of a disclosure begins here: only [`Snapshot::decide`] makes a [`Grant`], and only a [`Grant`]
//! narrowed to the facts of one guest has views.

#![expect(
    clippy::similar_names,
    reason = "roles and rules are what a policy is made of"
)]

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::base::{Category, ConsentId, FieldSet, Purpose, StayState};

pub mod api;
mod because;
pub mod cases;
mod compile;
mod engine;
mod error;
mod explain;
mod grant;
mod handover;
mod inspect;
mod load;
pub mod mask;
mod noting;
mod purposes;
mod reload;
mod replay;
pub mod replay_api;
mod roles;
mod rules;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub use because::{Because, Elsewhere};
pub use cases::CaseReport;
pub use error::PolicyError;
pub use explain::{ConsentAsked, Decision, ExplainError, ExplainRequest, Explanation, RuleText};
pub use grant::Grant;
pub use handover::Handover;
pub use inspect::{Desk, DeskError, PolicyAnswer, PurposeAnswer, RoleAnswer};
pub use load::PolicySource;
pub use reload::Policies;
pub use replay::{ReplayAnswer, ReplayChange, ReplayRequest, ReplayTurn};
pub use roles::RoleEntry;
pub use snapshot::Snapshot;

/// What a purpose is, as `purposes.toml` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurposeRule {
    /// Its code.
    pub code: Purpose,
    /// What it covers, for people.
    pub description: String,
    /// The ground it rests on.
    pub legal_basis: LegalBasis,
    /// Whether it shows nothing without a live consent of the guest.
    pub needs_consent: bool,
    /// Whether a guest must be opened first, for half an hour and with a reason ([`crate::guest::Vault::break_glass`]).
    pub break_glass: bool,
    /// Who receives the data, for purposes `third_party:<name>`; a consent must name the same recipient.
    pub recipient: Option<String>,
    /// The most it may ever touch; generated as deny rules, so no allow rule reaches past it.
    pub categories: Vec<Category>,
    /// Categories that rest on another ground than the rest of the purpose.
    pub bases: BTreeMap<Category, LegalBasis>,
    /// The separate consents that the law of a country (ISO 3166-1 alpha-2) wants instead of an ordinary one.
    pub separate: BTreeMap<String, Vec<Separate>>,
    /// The fields that rest on consent: shown only with one.
    pub by_consent: FieldSet,
    /// The fields that rest on a legitimate interest: not shown once the guest has objected.
    pub by_interest: FieldSet,
    /// Where it is written.
    pub rule: RuleId,
}

impl PurposeRule {
    /// Whether what the guest said can change what is shown.
    #[must_use]
    pub fn asks_the_ledger(&self) -> bool {
        self.needs_consent || !self.by_consent.is_empty() || !self.by_interest.is_empty()
    }

    /// The separate consents wanted in a country; none: one ordinary consent will do.
    #[must_use]
    pub fn separate_in(&self, region: &str) -> &[Separate] {
        self.separate.get(region).map_or(&[], Vec::as_slice)
    }
}

/// The kinds of *separate consent* of the PIPL (Art. 23, 25, 29, 39): each asked for and answered by itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Separate {
    /// Sensitive personal information (Art. 29).
    Sensitive,
    /// Provision to another handler (Art. 23).
    ThirdParty,
    /// Provision abroad (Art. 39).
    CrossBorder,
    /// Publication (Art. 25).
    Publication,
}

impl Separate {
    /// All kinds.
    pub const ALL: [Self; 4] = [
        Self::Sensitive,
        Self::ThirdParty,
        Self::CrossBorder,
        Self::Publication,
    ];

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sensitive => "sensitive",
            Self::ThirdParty => "third_party",
            Self::CrossBorder => "cross_border",
            Self::Publication => "publication",
        }
    }

    /// The kind of a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A ground for processing (GDPR Art. 6(1), PIPL Art. 13); recorded with every entry of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LegalBasis {
    /// The guest agreed.
    Consent,
    /// Needed for the guest's booking or stay.
    Contract,
    /// A statute asks for it.
    LegalObligation,
    /// Life or limb.
    VitalInterest,
    /// Weighed against the guest's own interests; the guest may object.
    LegitimateInterest,
}

impl LegalBasis {
    /// The word of the contract and the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Contract => "contract",
            Self::LegalObligation => "legal_obligation",
            Self::VitalInterest => "vital_interest",
            Self::LegitimateInterest => "legitimate_interest",
        }
    }
}

/// Which file a rule stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleFile {
    /// `rules.csv`.
    Rules,
    /// `purposes.toml`: the ceiling of a purpose.
    Purposes,
    /// The rules no folder can override.
    Fixed,
}

/// One rule, by where it is written; shown as `rules.csv:42`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId {
    /// The file.
    pub file: RuleFile,
    /// The line in it, from 1.
    pub line: u32,
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = match self.file {
            RuleFile::Rules => "rules.csv",
            RuleFile::Purposes => "purposes.toml",
            RuleFile::Fixed => "fixed.csv",
        };
        write!(f, "{file}:{}", self.line)
    }
}

/// What is known of the guest and of consent when a grant meets one guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Where the guest stands with the caller's property now.
    pub stay: StayState,
    /// Whether the guest is the caller's own: its account manager is the caller's actor, or, for a guest, itself.
    pub portfolio: bool,
    /// What the consent ledger says for the purpose (and its recipient).
    pub consent: ConsentAnswer,
}

/// What the consent ledger says. It narrows a grant and never widens one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentAnswer {
    /// Not asked, because the purpose rests on another ground. For a purpose that needs consent this counts as missing.
    NotNeeded,
    /// A live consent.
    Given(ConsentId),
    /// None, expired or invalidated.
    Missing,
    /// The guest said no: refused, withdrew or objected, by this line.
    Objected(ConsentId),
}

/// What a role may do besides seeing guests' fields; `right` rules of `rules.csv`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Search the whole audit log.
    ReadAudit,
    /// Search the entries of its own principal.
    ReadOwnActions,
    /// See who saw its own data (guests).
    ReadAccessReport,
    /// Make, list and revoke principals.
    ManagePrincipals,
    /// See key versions and counts; never a key.
    ReadKeys,
    /// See the policy and ask it to explain itself.
    ReadPolicy,
    /// Suggest a change of policy.
    ProposePolicy,
    /// Agree to a change of policy.
    ApprovePolicy,
    /// Put a changed policy in place.
    ChangePolicy,
    /// See the consents of a guest.
    ReadConsent,
    /// Write to the consent ledger.
    WriteConsent,
    /// Ask whether guests may be approached; yes or no only.
    CheckConsent,
    /// Write notices.
    ManageNotices,
    /// Write stay links.
    ManageStays,
    /// See who arrives, stays and leaves on a day; each guest still in the role's own view.
    ListStays,
    /// Leave a write-only note for a steward.
    WriteObservation,
    /// Import many records at once.
    Import,
    /// Take in a request of a guest.
    OpenRequest,
    /// Ask for what is a guest's own by right, signed in to its own pages (guests).
    OwnRequests,
    /// Give a guest a link into its own pages: the hotel's own app.
    OpenPortal,
    /// Verify requests of guests, look into them and hand over what they ask for.
    ManageRequests,
    /// Decide requests that another person took in, and sweeps and exports that another person asked for.
    ApproveRequests,
    /// Put and lift legal holds.
    ManageHolds,
    /// See how long guests are kept, and run sweeps.
    ManageRetention,
    /// Read the register's own copy of a guest.
    ReadRegister,
    /// Hear what happens to guests: the feed of events.
    ReadEvents,
    /// See deliveries of events, and start them again.
    ManageWebhooks,
    /// Decide about write-only notes.
    ReviewObservations,
    /// Ask whose birthday or anniversary is near; tokens only.
    FindOccasions,
    /// Ask which guest somebody is; nothing is written.
    ResolveIdentity,
    /// Be told that somebody is known at a property that is not the caller's; nothing more.
    KnownElsewhere,
    /// Take two guests for one, part them again, and answer the questions about that.
    MergeGuests,
    /// Give a consumer its own handle of a guest.
    IssuePseudonyms,
    /// Learn whose handle it is.
    ResolvePseudonyms,
}

impl Right {
    /// All rights, in the order of [`Right::index`].
    pub const ALL: [Self; 34] = [
        Self::ReadAudit,
        Self::ReadOwnActions,
        Self::ReadAccessReport,
        Self::ManagePrincipals,
        Self::ReadKeys,
        Self::ReadPolicy,
        Self::ProposePolicy,
        Self::ApprovePolicy,
        Self::ChangePolicy,
        Self::ReadConsent,
        Self::WriteConsent,
        Self::CheckConsent,
        Self::ManageNotices,
        Self::ManageStays,
        Self::ListStays,
        Self::WriteObservation,
        Self::Import,
        Self::OpenRequest,
        Self::OwnRequests,
        Self::OpenPortal,
        Self::ManageRequests,
        Self::ApproveRequests,
        Self::ManageHolds,
        Self::ManageRetention,
        Self::ReadRegister,
        Self::ReadEvents,
        Self::ManageWebhooks,
        Self::ReviewObservations,
        Self::FindOccasions,
        Self::ResolveIdentity,
        Self::KnownElsewhere,
        Self::MergeGuests,
        Self::IssuePseudonyms,
        Self::ResolvePseudonyms,
    ];

    /// Position in [`Right::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        Self::ALL
            .iter()
            .position(|right| *right == self)
            .unwrap_or(Self::ALL.len())
    }

    /// The word in `rules.csv`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadAudit => "read_audit",
            Self::ReadOwnActions => "read_own_actions",
            Self::ReadAccessReport => "read_access_report",
            Self::ManagePrincipals => "manage_principals",
            Self::ReadKeys => "read_keys",
            Self::ReadPolicy => "read_policy",
            Self::ProposePolicy => "propose_policy",
            Self::ApprovePolicy => "approve_policy",
            Self::ChangePolicy => "change_policy",
            Self::ReadConsent => "read_consent",
            Self::WriteConsent => "write_consent",
            Self::CheckConsent => "check_consent",
            Self::ManageNotices => "manage_notices",
            Self::ManageStays => "manage_stays",
            Self::ListStays => "list_stays",
            Self::WriteObservation => "write_observation",
            Self::Import => "import",
            Self::OpenRequest => "open_request",
            Self::OwnRequests => "own_requests",
            Self::OpenPortal => "open_portal",
            Self::ManageRequests => "manage_requests",
            Self::ApproveRequests => "approve_requests",
            Self::ManageHolds => "manage_holds",
            Self::ManageRetention => "manage_retention",
            Self::ReadRegister => "read_register",
            Self::ReadEvents => "read_events",
            Self::ManageWebhooks => "manage_webhooks",
            Self::ReviewObservations => "review_observations",
            Self::FindOccasions => "find_occasions",
            Self::ResolveIdentity => "resolve_identity",
            Self::KnownElsewhere => "known_elsewhere",
            Self::MergeGuests => "merge_guests",
            Self::IssuePseudonyms => "issue_pseudonyms",
            Self::ResolvePseudonyms => "resolve_pseudonyms",
        }
    }
}

/// What every grant of a snapshot has in common: the policy's version.
pub(crate) type Version = Arc<str>;
