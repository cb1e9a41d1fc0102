//! Why a call about a guest could not be answered.

use crate::{
    access::Exceeded,
    audit::{AuditError, CommitError},
    base::GuestId,
    keys::{KeysError, OpenError},
    store::{StoreError, Unanswered},
    web::{Kind, Problem},
};

use super::{Rejected, kinds::Reason};

/// Could not, because …
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// No rule lets this role do this for this purpose at this property.
    #[error("the policy does not allow this")]
    Forbidden,
    /// There is no such guest, or this caller may not know of it.
    #[error("there is no such guest for this caller")]
    NotFound,
    /// Merged into another.
    #[error("the guest goes on under another id")]
    Moved(GuestId),
    /// A guest that the call is about beside that of its address was merged into this one.
    #[error("a guest that the call is about goes on under another id")]
    Elsewhere(GuestId),
    /// Erased.
    #[error("the guest has been erased")]
    Gone,
    /// Kept for the law and for its own requests only.
    #[error("the guest is under restriction")]
    Restricted,
    /// The version is not the one the caller knows.
    #[error("the guest was changed since")]
    Stale,
    /// The record was refused as a whole.
    #[error("the record holds values that cannot be valid")]
    Rejected(Vec<Rejected>),
    /// A field is named that the catalogue does not have.
    #[error("a field does not exist")]
    UnknownField(usize),
    /// A search asks for too little, or for what cannot be.
    #[error("the question cannot be asked")]
    BadQuestion {
        /// Where in the question.
        field: String,
        /// Why; never the value.
        reason: String,
    },
    /// A line of the ledger names no notice, so no record can show what the guest agreed to.
    #[error("the consent names no notice")]
    NoNotice,
    /// Not in the present state, because …
    #[error("not in the present state")]
    Blocked(String),
    /// For this purpose the guest has to be opened first.
    #[error("the guest is not open for this purpose")]
    NotOpen,
    /// The call needs a reason.
    #[error("a reason is required")]
    ReasonRequired,
    /// Too many looks in an hour.
    #[error(transparent)]
    Budget(#[from] Exceeded),
    /// Something else has changed what was to be taken back: so many guests.
    #[error("something else has changed {0} of its guests")]
    Touched(u64),
    /// Stored bytes do not open where they lie.
    #[error("stored data is damaged")]
    Damaged,
    /// Its record could not be made durable, so there is nothing to show.
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
    /// The database does not answer.
    #[error("the database does not answer")]
    Unanswered,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database's answer to a commit was lost.
    #[error("whether the change was made is not known")]
    PerhapsDone(#[source] StoreError),
    /// The keys failed.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

impl From<Unanswered> for GuestError {
    fn from(_: Unanswered) -> Self {
        Self::Unanswered
    }
}

impl From<OpenError> for GuestError {
    fn from(_: OpenError) -> Self {
        Self::Damaged
    }
}

impl From<CommitError> for GuestError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Undone(error) => Self::Store(error),
            CommitError::Unknown(error) => Self::PerhapsDone(error),
            CommitError::Unrecorded => Self::NotRecorded(AuditError),
        }
    }
}

impl GuestError {
    /// A question that cannot be asked: where in it, and why; never the value.
    pub(crate) fn bad(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::BadQuestion {
            field: field.into(),
            reason: reason.into(),
        }
    }

    /// Whether nothing was changed for certain; otherwise what the change may need, its keys above all, must stay.
    pub(crate) const fn is_undone(&self) -> bool {
        !matches!(self, Self::PerhapsDone(_))
    }

    /// Whether it is one guest or record that the change does not fit: others beside it do not suffer for it.
    pub(crate) const fn is_of_one(&self) -> bool {
        matches!(
            self,
            Self::Gone
                | Self::Restricted
                | Self::Moved(_)
                | Self::NotFound
                | Self::Stale
                | Self::Rejected(_)
                | Self::Damaged
        )
    }

    /// Whether running the same change again may succeed: two writers met.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) | Self::Keys(KeysError::Store(error)) => error.is_transient(),
            _ => false,
        }
    }
}

impl GuestError {
    /// For calls about more than the guest of their address: none of them leads on to another address, but each tells the
    /// id to name.
    #[must_use]
    pub fn nowhere(self) -> Self {
        match self {
            Self::Moved(survivor) => Self::Elsewhere(survivor),
            other => other,
        }
    }
}

impl From<GuestError> for Problem {
    fn from(error: GuestError) -> Self {
        match error {
            GuestError::Forbidden => Self::new(Kind::Forbidden)
                .detail("No rule lets this role do this for this purpose at this property. See POST /v1/policy/explain."),
            GuestError::NotFound => Self::new(Kind::NotFound),
            GuestError::Moved(survivor) => Self::new(Kind::NotFound).moved_to(survivor.0),
            GuestError::Elsewhere(survivor) => Self::new(Kind::NotFound).detail(format!(
                "A guest that this call is about was merged into {survivor}: where the call names its old id, name that one."
            )),
            GuestError::Gone => Self::new(Kind::Gone),
            GuestError::Restricted => Self::new(Kind::Restricted),
            GuestError::Stale => Self::new(Kind::PreconditionFailed)
                .detail("Read the guest again and repeat the change with its present ETag."),
            GuestError::Rejected(rejected) => {
                let unknown = |r: &Rejected| r.reason == Reason::UnknownField.as_str();
                let kind = if !rejected.is_empty() && rejected.iter().all(unknown) {
                    Kind::UnknownField
                } else {
                    Kind::RecordRejected
                };
                let rejected = rejected.into_iter();
                rejected.fold(Self::new(kind), |problem, r| problem.field(r.field, r.reason))
            }
            GuestError::UnknownField(at) => Self::new(Kind::UnknownField)
                .field(format!("fields[{at}]"), "no such field; GET /v1/policy lists them"),
            GuestError::BadQuestion { field, reason } => Self::new(Kind::InvalidRequest).field(field, reason),
            GuestError::NoNotice => Self::new(Kind::Conflict)
                .detail("The line names no notice, so there is no record of what the guest was told."),
            GuestError::Blocked(reason) => Self::new(Kind::Conflict).detail(reason),
            GuestError::NotOpen => Self::new(Kind::BreakGlass)
                .detail("Open the guest first: POST /v1/guests/{id}/break-glass with Vault-Reason. It holds for 30 minutes."),
            GuestError::ReasonRequired => Self::new(Kind::ReasonRequired)
                .detail("Fields of class C3 and above are revealed for a reason: send Vault-Reason."),
            GuestError::Budget(exceeded) => Self::new(Kind::BudgetExceeded).retry_after(exceeded.seconds),
            GuestError::Touched(guests) => Self::new(Kind::Conflict).detail(format!(
                "Something else has changed {guests} of the guests that the import wrote to; nothing was taken back."
            )),
            GuestError::Damaged => {
                Self::new(Kind::Damaged).detail("The operator finds the row with `guest-vault doctor`.")
            }
            GuestError::Unanswered => Self::new(Kind::Unavailable).retry_after(1),
            GuestError::Store(error) | GuestError::PerhapsDone(error) => error.into(),
            GuestError::NotRecorded(_) => {
                Self::new(Kind::Unavailable).detail("What cannot be recorded is not shown.").retry_after(1)
            }
            GuestError::Keys(KeysError::DamagedDataKey { .. }) => GuestError::Damaged.into(),
            GuestError::Keys(error) => {
                tracing::error!(error = %error, "the keys failed");
                Self::new(Kind::Unavailable).retry_after(5)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error, "the database failed");
        match error {
            StoreError::Damaged(_) => Self::new(Kind::Damaged),
            _ => Self::new(Kind::Unavailable).retry_after(1),
        }
    }
}
