//! A change of data: a transaction that cannot be committed without its record.

use std::sync::Arc;

use crate::{
    base::EntryId,
    store::{Store, StoreError, Tx},
};

use super::{
    Event, Log,
    sql::{Numbered, insert_events},
    writer::{Lane, Lanes},
};

/// A transaction with its line in the log. Dropping it undoes everything, the record too.
pub struct Change {
    /// What the statements run on.
    pub tx: Tx,
    lane: Lane,
    lanes: Arc<Lanes>,
    events: Vec<(EntryId, Event)>,
}

/// Could not commit a change.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Nothing was changed.
    #[error(transparent)]
    Undone(StoreError),
    /// The database's answer was lost: the change may be there.
    #[error("whether the change was made is not known")]
    Unknown(#[source] StoreError),
    /// A change without a record is never committed: a fault of this program.
    #[error("the change has no audit record")]
    Unrecorded,
}

impl Log {
    /// Begins a change.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin(&self, store: &Store) -> Result<Change, StoreError> {
        let tx = store.begin().await?;
        Ok(Change {
            tx,
            lane: self.lanes().take(),
            lanes: Arc::clone(self.lanes()),
            events: Vec::new(),
        })
    }
}

impl Change {
    /// Records an event inside the transaction.
    pub fn record(&mut self, event: Event) -> EntryId {
        let entry = EntryId::random();
        self.events.push((entry, event));
        entry
    }

    /// Makes change and record durable together.
    ///
    /// # Errors
    /// When nothing was recorded, or the database refuses. After [`CommitError::Unknown`] the caller's retry must be
    /// idempotent, and what the change may need must stay.
    pub async fn commit(mut self) -> Result<(), CommitError> {
        if self.events.is_empty() {
            return Err(CommitError::Unrecorded);
        }
        let numbered: Vec<Numbered<'_>> = self
            .events
            .iter()
            .zip(self.lane.next..)
            .map(|((entry, event), sequence)| Numbered {
                entry: *entry,
                sequence,
                event,
            })
            .collect();
        // What fails drops its lane: the next change takes another.
        if let Err(error) = insert_events(&mut self.tx, self.lane.writer, &numbered).await {
            if matches!(error, StoreError::Conflict) {
                self.lane.tell_taken();
            }
            return Err(CommitError::Undone(error));
        }
        if let Err(error) = self.tx.commit().await {
            let told = error.is_verdict();
            return Err(if told {
                CommitError::Undone(error)
            } else {
                CommitError::Unknown(error)
            });
        }
        let recorded = i64::try_from(self.events.len()).unwrap_or(i64::MAX);
        self.lane.next = self.lane.next.saturating_add(recorded);
        self.lanes.give_back(self.lane);
        Ok(())
    }
}
