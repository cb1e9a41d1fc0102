//! Floor 6: what guests ask for: cases with a statutory clock, states and a timeline.
//!
//! ```text
//! received ─ verified ─┬─ waiting ─ done      an erasure goes on by itself when what blocks it ends
//!    │                 ├─ ready ─── done      a package waits to be handed over
//!    │                 ├─ done
//!    └─────────────────┴─ denied
//! ```
//!
//! Whoever takes a request in learns nothing about whether there is such a guest: the answer is the same.

pub mod agents;
pub mod agents_api;
pub mod api;
mod calendar;
mod certify;
mod clock;
mod decide;
mod desk;
mod open;
mod own;
mod package;
mod pages;
mod silence;
pub mod sql;
mod telling;
pub(crate) mod zip;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    base::{GuestId, PrincipalId, PropertyCode},
    erasure::{ErasureError, Preview, processors::ProcessorState},
    guest::GuestError,
};

pub use calendar::Calendar;
pub use clock::{Course, Deadlines, Regime, Term, Unit};
pub use decide::{Decision, DecisionInput};
pub use desk::{Check, Requests};
pub use open::{Opened, RequestInput};
pub use package::Lock;
pub use silence::LiftInput;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$one:meta])* $variant:ident = $word:literal,)* })*) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        $(#[$doc])*
        pub enum $name { $($(#[$one])* $variant,)* }

        impl $name {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word of the contract.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The meaning of a stored word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    )*};
}

words! {
    /// What a guest asks for.
    #[schema(as = RequestKind)]
    Kind {
        /// To see what is stored.
        Access = "access",
        /// To take it elsewhere.
        Portability = "portability",
        /// To have it corrected.
        Rectification = "rectification",
        /// To have it erased.
        Erasure = "erasure",
        /// To have it kept but not used.
        Restriction = "restriction",
        /// Not to be used for some purposes.
        Objection = "objection",
    }

    /// Where a case stands.
    #[schema(as = RequestState)]
    State {
        /// Taken in.
        Received = "received",
        /// Who asks is known.
        Verified = "verified",
        /// Done in part; the rest goes on by itself.
        Waiting = "waiting",
        /// The package can be handed over.
        Ready = "ready",
        /// Answered in full.
        Done = "done",
        /// Refused, with a ground.
        Denied = "denied",
        /// Taken back by who brought it.
        Revoked = "revoked",
        /// There is another open case of the same guest about the same thing, under the same law or due no later.
        Duplicate = "duplicate",
    }

    /// How a request came.
    Via {
        /// At the desk.
        FrontDesk = "front_desk",
        /// By telephone.
        Phone = "phone",
        /// By e-mail.
        Email = "email",
        /// By letter.
        Letter = "letter",
        /// In the guests' portal.
        Portal = "portal",
        /// By an agent the guest has authorised.
        Agent = "agent",
    }

    /// Why a request is refused, or put off; each stands for a term of DPV's `justifications` or of the Data Rights
    /// Protocol.
    #[schema(as = RequestGround)]
    Ground {
        /// There is no such guest (DRP `no_match`).
        NoMatch = "no_match",
        /// Who asks could not be made sure of (DRP `insuf_verification`).
        InsufficientVerification = "insufficient_verification",
        /// It is not the guest who asks (DRP `suspected_fraud`).
        SuspectedFraud = "suspected_fraud",
        /// It has no ground (DPV `ProcessUnfounded`).
        ManifestlyUnfounded = "manifestly_unfounded",
        /// It comes again and again (DPV `ProcessExcessive`).
        Excessive = "excessive",
        /// A law asks for the opposite (DPV `LegalObligationImpaired`).
        LegalObligation = "legal_obligation",
        /// A legal claim needs the data (DPV `LegalClaimDefenceImpaired`).
        LegalClaim = "legal_claim",
        /// Others' rights stand against it (DPV `ThirdPartyRightsImpaired`).
        ThirdPartyRights = "third_party_rights",
        /// The law that it appeals to does not hold here (DRP `outside_jurisdiction`).
        OutsideJurisdiction = "outside_jurisdiction",
        /// Put off: it is complex (DPV `ComplexityOfProcess`).
        Complexity = "complexity",
        /// Put off: there are many (DPV `HighVolumeOfProcesses`).
        ManyRequests = "many_requests",
    }
}

impl State {
    /// Whether nothing more happens to it.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Done | Self::Denied | Self::Duplicate | Self::Revoked)
    }
}

/// A step in the life of a case.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TimelineStep {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    #[schema(max_length = 40)]
    pub step: String,
    /// On which ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub ground: Option<String>,
    /// By whom.
    pub principal: PrincipalId,
    /// On whose orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub actor: Option<String>,
}

/// A case, as those who work on it see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Case {
    /// Its id.
    pub request_id: Uuid,
    /// What is asked for.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Under which law.
    #[schema(max_length = 40)]
    pub regime: String,
    /// Where it stands.
    pub state: State,
    /// How it came.
    pub received_via: Via,
    /// When.
    pub received_at: DateTime<Utc>,
    /// By when the answer is due; the law may name no day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_on: Option<NaiveDate>,
    /// Whether the answer was put off.
    pub extended: bool,
    /// Since when the clock stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_since: Option<DateTime<Utc>>,
    /// At which property it was taken in.
    pub property: PropertyCode,
    /// Whose, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_id: Option<GuestId>,
    /// The case that is worked on instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_of: Option<Uuid>,
    /// What was approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<Preview>,
    /// Those who were told of the erasure, and what is known of each; only where one case is read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub processors: Vec<ProcessorState>,
    /// What happened, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineStep>,
}

/// Could not, because …
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// As for any call about a guest.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// The erasure.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    /// There is no such case.
    #[error("there is no such request")]
    Absent,
    /// The case is not where this could be done.
    #[error("{0}")]
    State(&'static str),
    /// It takes a second person.
    #[error("it takes another person than who took the request in")]
    SamePerson,
    /// What would be done is not what was seen.
    #[error("what would be done has changed since it was seen")]
    Changed,
}

impl From<crate::store::StoreError> for RequestError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Guest(error.into())
    }
}

impl From<crate::keys::KeysError> for RequestError {
    fn from(error: crate::keys::KeysError) -> Self {
        Self::Guest(error.into())
    }
}

impl From<crate::audit::CommitError> for RequestError {
    fn from(error: crate::audit::CommitError) -> Self {
        Self::Guest(error.into())
    }
}

impl From<crate::audit::AuditError> for RequestError {
    fn from(error: crate::audit::AuditError) -> Self {
        Self::Guest(error.into())
    }
}
