//! One event, and its leaf: the bytes that the log commits to.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::base::{
    Caller, Category, Credential, Errand, FieldPath, GuestId, PrincipalId, PropertyCode, Purpose, RequestId,
    Role, View, WriterId, micros,
};

/// The version of the leaf's shape; readers refuse what they do not know.
const LEAF_VERSION: u8 = 1;

/// The outcome of what a restore did: it was not said by anybody.
pub const RESTORED: &str = "restored";

/// What was done, or attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Fields of a guest were read.
    Read,
    /// Fields were shown plain on demand.
    Reveal,
    /// Fields of one of many guests were handed out, or such an export was ordered or decided: the outcome says which.
    Export,
    /// The records behind a guest were read.
    ReadRecords,
    /// A guest was searched for.
    Search,
    /// A source said what it knows.
    PutRecord,
    /// Staff corrected a value.
    Correct,
    /// A stay was linked.
    PutStay,
    /// The consent ledger grew.
    PutConsent,
    /// A notice was published.
    PublishNotice,
    /// It was asked whom one may approach.
    CheckConsents,
    /// An address was put on a do-not-contact list, or taken off.
    Suppress,
    /// The consent ledger was read.
    ReadConsents,
    /// The audit log was searched.
    ReadAudit,
    /// The report of who saw a guest's data was read.
    AccessReport,
    /// What a credential, an actor or a property has seen was asked.
    Exposure,
    /// Entries were handed to another system.
    ExportAudit,
    /// The policy was read or explained.
    ReadPolicy,
    /// A candidate policy was held against the log.
    ReplayPolicy,
    /// The policy was replaced.
    LoadPolicy,
    /// A principal was made.
    CreatePrincipal,
    /// It was attested that a holder has what its role asks for.
    Attest,
    /// A principal was revoked.
    RevokePrincipal,
    /// A file was imported.
    Import,
    /// A stored value did not open.
    DamageFound,
    /// A witness refused to cosign the log.
    WitnessRefused,
    /// A key was made, rotated or destroyed.
    ManageKeys,
    /// Events were read.
    ReadEvents,
    /// Deliveries of events were started again.
    ManageWebhooks,
    /// An import was taken back.
    RollBackImport,
    /// A note about a guest was left for a steward.
    PutObservation,
    /// Notes were read or decided about.
    ReviewObservations,
    /// It was asked whose birthday or anniversary is near.
    FindOccasions,
    /// It was asked which guest somebody is.
    Resolve,
    /// A guest was taken into another.
    Merge,
    /// A merge was undone.
    Unmerge,
    /// Questions about who is whom were read or answered.
    ReviewIdentity,
    /// A payment card's number came in and was refused.
    RefuseCard,
    /// A call was refused before what it asked was looked at.
    Call,
    /// A request of a guest was taken in.
    OpenRequest,
    /// A request of a guest was verified, looked at or decided; the outcome says which.
    HandleRequest,
    /// The queue of requests, or one of them, was read.
    ReadRequests,
    /// A guest's keys are about to be destroyed; see [`Erasure`].
    Erase,
    /// They are, and all they sealed is gone.
    Erased,
    /// A guest was put under restriction, or taken out of it.
    Restrict,
    /// All that is stored about a guest was handed over to it.
    HandOver,
    /// A guest's entry in the register was read.
    ReadRegister,
    /// A hold was put, approved, lifted or read.
    Hold,
    /// How long a guest is kept was asked, or a sweep was run.
    Retention,
    /// A backup was taken.
    Backup,
    /// A backup was restored.
    Restore,
    /// A guest or one of the staff signed in at a browser, or tried: the outcome says which.
    SignIn,
    /// Somebody signed out.
    SignOut,
    /// A guest was opened in an emergency.
    BreakGlass,
    /// A reveal or an emergency was judged.
    Judge,
}

impl Act {
    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Reveal => "reveal",
            Self::Export => "export",
            Self::ReadRecords => "read_records",
            Self::Search => "search",
            Self::PutRecord => "put_record",
            Self::Correct => "correct",
            Self::PutStay => "put_stay",
            Self::PutConsent => "put_consent",
            Self::PublishNotice => "publish_notice",
            Self::CheckConsents => "check_consents",
            Self::Suppress => "suppress",
            Self::ReadConsents => "read_consents",
            Self::ReadAudit => "read_audit",
            Self::AccessReport => "access_report",
            Self::Exposure => "exposure",
            Self::ExportAudit => "export_audit",
            Self::ReadPolicy => "read_policy",
            Self::ReplayPolicy => "replay_policy",
            Self::LoadPolicy => "load_policy",
            Self::CreatePrincipal => "create_principal",
            Self::Attest => "attest",
            Self::RevokePrincipal => "revoke_principal",
            Self::Import => "import",
            Self::DamageFound => "damage_found",
            Self::WitnessRefused => "witness_refused",
            Self::ManageKeys => "manage_keys",
            Self::ReadEvents => "read_events",
            Self::ManageWebhooks => "manage_webhooks",
            Self::RollBackImport => "roll_back_import",
            Self::PutObservation => "put_observation",
            Self::ReviewObservations => "review_observations",
            Self::FindOccasions => "find_occasions",
            Self::Resolve => "resolve",
            Self::Merge => "merge",
            Self::Unmerge => "unmerge",
            Self::ReviewIdentity => "review_identity",
            Self::RefuseCard => "refuse_card",
            Self::Call => "call",
            Self::OpenRequest => "open_request",
            Self::HandleRequest => "handle_request",
            Self::ReadRequests => "read_requests",
            Self::Erase => "erase",
            Self::Erased => "erased",
            Self::Restrict => "restrict",
            Self::HandOver => "hand_over",
            Self::ReadRegister => "read_register",
            Self::Hold => "hold",
            Self::Retention => "retention",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::SignIn => "sign_in",
            Self::SignOut => "sign_out",
            Self::BreakGlass => "break_glass",
            Self::Judge => "judge",
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LogDecision)]
pub enum Decision {
    /// Allowed, at least in part.
    Permitted,
    /// Refused.
    Denied,
}

impl Decision {
    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Denied => "denied",
        }
    }
}

/// Whose act it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The principal.
    pub principal: PrincipalId,
    /// How it proved itself.
    pub credential: Credential,
    /// In which role.
    pub role: Role,
    /// On whose orders: a staff id.
    pub actor: Option<String>,
}

impl From<&Caller> for Who {
    fn from(caller: &Caller) -> Self {
        Self {
            principal: caller.principal,
            credential: caller.credential,
            role: caller.role.clone(),
            actor: actor(caller),
        }
    }
}

/// As whom the log names the human. A guest who looks at its own data is `self`: its id would still say who the erased
/// one was, when its names in the log no longer do.
fn actor(caller: &Caller) -> Option<String> {
    if caller.credential == Credential::Session && caller.role.as_str() == "guest" {
        return caller.actor.as_ref().map(|_| "self".to_owned());
    }
    caller.actor.clone()
}

/// Whose data it was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The guest; kept beside the leaf, not in it.
    pub guest: GuestId,
    /// The guest's name in the log this calendar year, derived from a key that goes with the guest. `None` when
    /// there is no such guest or its key is gone.
    pub pseudonym: Option<[u8; 16]>,
}

/// A sealed detail (reason, address of the caller) and the salted commitment that the leaf holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Sealed; may be deleted, the log still verifies.
    pub sealed: Vec<u8>,
    /// SHA-256 over salt and plain detail; the salt lies in the sealed part.
    pub commitment: [u8; 32],
}

/// What is erased: all that a restored vault needs to do it again. It names nobody: the tombstone is a keyed hash of
/// the guest's id, and the event has no subject, so that it does not lead to the looks at the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// The request or sweep that ordered it.
    pub case: uuid::Uuid,
    /// The drawers whose keys are destroyed, in alphabetical order.
    pub categories: Vec<Category>,
    /// Keyed hashes of the ids of the guest's records, 16 hex digits each, in order: in a restored copy they may lie with
    /// another guest, whom they were parted from later. Absent in a confirmation, and from before records were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<Vec<String>>,
    /// Keyed hash of the guest's id, 32 hex digits.
    pub tombstone: String,
    /// Whether the guest is gone with them.
    pub whole: bool,
}

/// A no in the consent ledger: all that a restored vault needs to hold to it again. Its members in the order of the
/// alphabet, which is canonical.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestRefusal {
    /// When it was said, in microseconds.
    pub at: i64,
    /// For which purpose.
    pub purpose: String,
    /// To whom; empty when nobody else.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub recipient: String,
    /// For which property, brand or group; empty: everywhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The kind of separate consent, if it is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub separate: String,
    /// The state of the ledger.
    pub state: String,
}

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub who: Who,
    /// For which property.
    pub property: Option<PropertyCode>,
    /// Why.
    pub purpose: Option<Purpose>,
    /// About whom.
    pub subject: Option<Subject>,
    /// What.
    pub act: Act,
    /// The fields, and how each was shown (or would have been written).
    pub fields: BTreeMap<FieldPath, View>,
    /// How it ended.
    pub decision: Decision,
    /// The legal basis or `consent:<id>` it stood on.
    pub basis: Option<String>,
    /// The rules that decided, as the policy names them.
    pub rules: Vec<String>,
    /// Which policy.
    pub policy_version: Option<String>,
    /// Which request.
    pub request: RequestId,
    /// Why it ended so: a word, never free text.
    pub outcome: Option<&'static str>,
    /// How many guests or rows it was about, where it was not one guest.
    pub count: Option<u64>,
    /// The deletable part.
    pub detail: Option<Detail>,
    /// What is erased.
    pub erasure: Option<Erasure>,
    /// What a guest said no to.
    pub refusal: Option<GuestRefusal>,
}

impl Event {
    /// An event of this errand, permitted, with nothing shown yet.
    #[must_use]
    pub fn of(errand: &Errand, act: Act, at: DateTime<Utc>) -> Self {
        let mut event = Self::by(&errand.caller, act, errand.request, at);
        event.property = Some(errand.property.clone());
        event.purpose = Some(errand.purpose.clone());
        event
    }

    /// An event of this caller outside any errand: administration, the log itself.
    #[must_use]
    pub fn by(caller: &Caller, act: Act, request: RequestId, at: DateTime<Utc>) -> Self {
        Self {
            at,
            who: caller.into(),
            property: None,
            purpose: None,
            subject: None,
            act,
            fields: BTreeMap::new(),
            decision: Decision::Permitted,
            basis: None,
            rules: Vec::new(),
            policy_version: None,
            request,
            outcome: None,
            count: None,
            detail: None,
            erasure: None,
            refusal: None,
        }
    }

    /// The same, refused for this reason.
    #[must_use]
    pub fn denied(mut self, outcome: &'static str) -> Self {
        self.decision = Decision::Denied;
        self.outcome = Some(outcome);
        self
    }

    /// The leaf: canonical JSON (RFC 8785 for what occurs here: keys sorted, no space, integers only), so that two
    /// implementations get the same bytes.
    #[must_use]
    pub fn leaf(&self, writer: WriterId, sequence: i64) -> Vec<u8> {
        let leaf = Leaf {
            act: self.act.as_str(),
            actor: self.who.actor.as_deref(),
            at: micros(self.at),
            basis: self.basis.as_deref(),
            count: self.count,
            credential: match self.who.credential {
                Credential::ApiKey => "api_key",
                Credential::Jwt => "jwt",
                Credential::Operator => "operator",
                Credential::Link => "link",
                Credential::Session => "session",
            },
            decision: self.decision.as_str(),
            detail: self.detail.as_ref().map(|d| HEXLOWER.encode(&d.commitment)),
            erasure: self.erasure.as_ref(),
            fields: &self.fields,
            outcome: self.outcome,
            policy: self.policy_version.as_deref(),
            principal: self.who.principal,
            property: self.property.as_ref(),
            purpose: self.purpose.as_ref(),
            refusal: self.refusal.as_ref(),
            request: self.request,
            role: &self.who.role,
            rules: &self.rules,
            seq: sequence,
            subject: self
                .subject
                .and_then(|s| s.pseudonym)
                .map(|p| HEXLOWER.encode(&p)),
            v: LEAF_VERSION,
            writer,
        };
        // Serialising these plain types cannot fail; an empty leaf would be refused by the reader of the log.
        serde_json::to_vec(&leaf).unwrap_or_default()
    }
}

/// The members in the order of the alphabet: what serde writes in order is canonical.
#[derive(Serialize)]
struct Leaf<'a> {
    act: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    credential: &'static str,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erasure: Option<&'a Erasure>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: &'a BTreeMap<FieldPath, View>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    principal: PrincipalId,
    #[serde(skip_serializing_if = "Option::is_none")]
    property: Option<&'a PropertyCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a Purpose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a GuestRefusal>,
    request: RequestId,
    role: &'a Role,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    rules: &'a [String],
    seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    v: u8,
    writer: WriterId,
}
