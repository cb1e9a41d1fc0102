//! Where records go: the vault behind the import, as the import sees it.

use crate::{
    base::GuestId,
    connect::ndjson::{LineError, RecordLine},
    guest::{Outcome, Rejected},
};

use super::FileId;

/// Whether records are stored or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Store them.
    Write,
    /// Check them, store nothing.
    Check,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Put {
    /// It is in, or would be.
    Stored {
        /// Whose it is; absent when only checked and the guest would be made.
        guest: Option<GuestId>,
        /// How it found its guest.
        outcome: Outcome,
        /// How sure that is.
        probability: f64,
        /// Values of it that were not stored.
        rejected: Vec<Rejected>,
    },
    /// It is not in, for these reasons.
    Refused(Vec<Rejected>),
}

/// Why the sink cannot go on at all: no word of a record in it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

/// Takes records and remembers how far a file has come.
///
/// Every record of a batch has its `property`. The same record again must change nothing: after a kill the last
/// batch comes twice.
pub trait Sink {
    /// Stores (or checks) records; one answer for each, in the same order.
    ///
    /// # Errors
    /// When none can be taken now: then the batch may be in or not.
    fn put_batch(
        &mut self,
        batch: Vec<RecordLine>,
        mode: Mode,
    ) -> impl Future<Output = Result<Vec<Put>, SinkError>>;

    /// How many lines of a file an import that did not end has done; 0 when there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    fn done(&mut self, file: &FileId) -> impl Future<Output = Result<u64, SinkError>>;

    /// Remembers that so many lines of a file are done; 0 forgets the file.
    ///
    /// # Errors
    /// When it cannot be stored.
    fn set_done(&mut self, file: &FileId, lines: u64) -> impl Future<Output = Result<(), SinkError>>;
}

/// Reasons of a refusal.
pub(super) type Reasons = Vec<Rejected>;

/// One reason.
pub(super) fn reason(field: &str, reason: &str) -> Reasons {
    vec![Rejected {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }]
}

impl From<LineError> for Reasons {
    fn from(error: LineError) -> Self {
        match error {
            LineError::TooLong => reason("line", &error.to_string()),
            LineError::NotARecord(problems) => problems
                .into_iter()
                .map(|p| Rejected {
                    field: p.field,
                    reason: p.reason,
                })
                .collect(),
        }
    }
}
