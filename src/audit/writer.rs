//! The group-committing writer of reads: all the requests waiting at a moment share one commit, so that
//! durability costs a disk flush per batch and not per read.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::{
    base::{EntryId, GuestId, WriterId},
    store::{Conn, PerThread, Store, StoreError},
};

use super::{
    Act, Event,
    sql::{Numbered, ROWS, insert_events},
};

/// Requests that may wait for the writer before new ones are told to come back.
const QUEUE: usize = 4096;
/// Events that share a commit at most: those of one statement, which is a transaction of its own.
const BATCH: usize = ROWS;

/// Could not record, so there is nothing to show.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
#[error("the audit record could not be made durable")]
pub struct AuditError;

/// Proof that the disclosure of a `G` is durably on record. Only [`Log::record`] makes one.
pub struct Receipt<G> {
    entry: EntryId,
    guest: Option<GuestId>,
    grant: G,
}

impl<G> Receipt<G> {
    /// The entry that proves it.
    pub fn entry(&self) -> EntryId {
        self.entry
    }

    /// The guest the record is about: a receipt opens nobody else's values.
    pub fn guest(&self) -> Option<GuestId> {
        self.guest
    }

    /// What was granted.
    pub fn grant(&self) -> &G {
        &self.grant
    }
}

struct Job {
    event: Event,
    done: oneshot::Sender<Result<EntryId, AuditError>>,
}

/// The audit log's way in. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    store: Store,
    queues: Arc<PerThread<mpsc::Sender<Job>>>,
    lanes: Arc<Lanes>,
}

/// Starts a writer on the current runtime.
fn start(store: Store) -> mpsc::Sender<Job> {
    let (queue, jobs) = mpsc::channel(QUEUE);
    tokio::spawn(write(store, jobs));
    queue
}

/// Writers that are free. Each numbers its own entries without a gap; one is used by one transaction at a time.
#[derive(Default)]
pub(super) struct Lanes(std::sync::Mutex<Vec<Lane>>);

/// One numbered line of entries.
pub(super) struct Lane {
    pub(super) writer: WriterId,
    pub(super) next: i64,
}

impl Lane {
    fn new() -> Self {
        Self {
            writer: WriterId::random(),
            next: 1,
        }
    }

    /// Tells that rows of this line are there that its writer did not write.
    pub(super) fn tell_taken(&self) {
        tracing::error!(
            writer = %self.writer,
            number = self.next,
            "events of a writer are there that it did not write: rows were inserted by hand; another writer goes on"
        );
    }
}

impl Lanes {
    pub(super) fn take(&self) -> Lane {
        let free = self.0.lock().ok().and_then(|mut lanes| lanes.pop());
        free.unwrap_or_else(Lane::new)
    }

    /// Gives a lane back after a known outcome. A lane whose commit's outcome is unknown is dropped instead: its next
    /// number may be taken.
    pub(super) fn give_back(&self, lane: Lane) {
        if let Ok(mut lanes) = self.0.lock() {
            lanes.push(lane);
        }
    }
}

impl Log {
    /// The way into this store's log. Its writers run on the runtimes that use it, and end with the last `Log`.
    #[must_use]
    pub fn start(store: Store) -> Self {
        Self {
            queues: Arc::new(PerThread::of(&store)),
            store,
            lanes: Arc::default(),
        }
    }

    /// Makes the event durable, and only then hands out the receipt. Refusals are recorded by the same call, with
    /// `()` for the grant.
    ///
    /// # Errors
    /// When it could not be made durable within the database's limits; then nothing may be shown.
    pub async fn record<G>(&self, event: Event, grant: G) -> Result<Receipt<G>, AuditError> {
        let guest = event.subject.map(|s| s.guest);
        if cfg!(feature = "bench-unrecorded") && event.act == Act::Read {
            let entry = EntryId::random();
            return Ok(Receipt { entry, guest, grant });
        }
        let (done, answer) = oneshot::channel();
        let start = || start(self.store.clone());
        let queue = self.queues.get(|queue| !queue.is_closed(), start);
        queue.try_send(Job { event, done }).map_err(|_| AuditError)?;
        let entry = answer.await.map_err(|_| AuditError)??;
        Ok(Receipt { entry, guest, grant })
    }

    pub(super) fn lanes(&self) -> &Arc<Lanes> {
        &self.lanes
    }
}

async fn write(store: Store, mut jobs: mpsc::Receiver<Job>) {
    let mut lane = Lane::new();
    let mut kept = None;
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        if jobs.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        let entries: Vec<EntryId> = batch.iter().map(|_| EntryId::random()).collect();
        let mut outcome = commit(&store, &mut kept, &lane, &batch, &entries).await;
        if let Err(Failure::Before(error)) = &outcome
            && error.is_transient()
        {
            if matches!(error, StoreError::Conflict) {
                lane.tell_taken();
                // Nothing of this line can be written any more.
                lane = Lane::new();
            }
            outcome = commit(&store, &mut kept, &lane, &batch, &entries).await;
        }
        let count = i64::try_from(batch.len()).unwrap_or(i64::MAX);
        let verdict = match outcome {
            Ok(()) => {
                lane.next = lane.next.saturating_add(count);
                Ok(())
            }
            Err(Failure::Before(error)) => {
                tracing::error!(error = %error, events = count, "audit events not recorded; their requests are refused");
                Err(AuditError)
            }
            Err(Failure::Unknown(error)) => {
                tracing::error!(error = %error, events = count, "audit events perhaps recorded; their requests are refused");
                lane = Lane::new();
                Err(AuditError)
            }
        };
        for (job, entry) in batch.drain(..).zip(entries) {
            // A caller that went away has seen nothing; its event stays.
            let _ = job.done.send(verdict.map(|()| entry));
        }
    }
}

enum Failure {
    /// Nothing was written.
    Before(StoreError),
    /// The commit's answer was lost.
    Unknown(StoreError),
}

async fn commit(
    store: &Store,
    kept: &mut Option<Conn>,
    lane: &Lane,
    batch: &[Job],
    entries: &[EntryId],
) -> Result<(), Failure> {
    let numbered: Vec<Numbered<'_>> = batch
        .iter()
        .zip(entries)
        .zip(lane.next..)
        .map(|((job, entry), sequence)| Numbered {
            entry: *entry,
            sequence,
            event: &job.event,
        })
        .collect();
    let mut conn = store.own_writer(kept).await.map_err(Failure::Before)?;
    // One statement, so a transaction of its own.
    let written = insert_events(&mut conn, lane.writer, &numbered).await;
    written.map_err(|error| {
        if error.is_verdict() {
            Failure::Before(error)
        } else {
            Failure::Unknown(error)
        }
    })?;
    *kept = conn.kept();
    Ok(())
}
