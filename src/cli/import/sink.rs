//! Where records go: the vault behind the import, as the import sees it.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use crate::{
    base::ImportId,
    connect::{hotels::Hotels, ndjson::RecordLine},
    guest::Rejected,
};

pub(super) use crate::connect::intake::reason;
pub use crate::connect::intake::{Mode, Put};

use super::FileId;

/// Why the sink cannot go on at all: no word of a record in it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

/// Makes a batch ready, away from the sink.
pub type MakeReady<R> = Box<dyn FnOnce(Vec<RecordLine>) -> BoxFuture<'static, R> + Send>;

/// Takes records and remembers how far a file has come.
///
/// Every record of a batch has its `property`. The same record again must change nothing: after a kill the last
/// batch comes twice.
pub trait Sink {
    /// How many records go to it together at most.
    const RECORDS: usize;
    /// Records that can be put without more ado.
    type Ready: Send + 'static;

    /// The hotels of the house, where they can be known.
    fn hotels(&self) -> Hotels {
        Hotels::default()
    }

    /// How a batch is made ready to be stored, or to be checked: it is done while the batch before it is put.
    fn make_ready(&self, mode: Mode) -> MakeReady<Self::Ready>;

    /// Stores (or checks) records; one answer for each, in the same order.
    ///
    /// # Errors
    /// When none can be taken now: then the batch may be in or not.
    fn put_batch(&mut self, batch: Self::Ready) -> impl Future<Output = Result<Vec<Put>, SinkError>>;

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

    /// All is in: the import ends, with what of the files must not be kept and was dropped. Gives the import's id, to
    /// take it back by; there is none when nothing was written.
    ///
    /// # Errors
    /// When it cannot be recorded.
    fn end(
        &mut self,
        alarms: &BTreeMap<String, u64>,
    ) -> impl Future<Output = Result<Option<ImportId>, SinkError>>;
}

/// Reasons of a refusal.
pub(super) type Reasons = Vec<Rejected>;
