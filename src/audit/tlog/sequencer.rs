//! Gives each durable event its index: one process at a time, at most a second after the event.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::{
    audit::{
        Fresh,
        sql::log::{self as sql, Chain, Head, News},
    },
    base::{Clock, micros},
    store::{Conn, Store, StoreError},
};

use super::{
    Hash, LogError,
    entry::{Draft, Link, Source},
    growth::Growth,
    note::{Checkpoint, NoteError, Signer, Verifier},
    stored::{edge, index, number},
    tree::Edge,
};

/// How often events without an index are looked for: a checkpoint is to be at most a second behind.
const TICK: Duration = Duration::from_millis(300);
/// For how long one process keeps the right to grow the log after it last did: what another waits after a crash.
const LEASE_MICROS: i64 = 3_000_000;
/// Events that wait for so long without the log growing are an error.
const PATIENCE: TimeDelta = TimeDelta::seconds(10);
/// How often that is told.
const TOLD: Duration = Duration::from_mins(1);
/// The most events of one transaction, so that writers do not wait long.
const BATCH: usize = 256;

/// The least that one step reads of a writer.
const LEAST: usize = 32;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There was nothing to do.
    Idle,
    /// Another process grows the log.
    Held,
    /// The log has grown by so many entries.
    Grown(usize),
}

/// Grows the log. Any number may run; one at a time works.
pub struct Sequencer {
    store: Store,
    signer: Arc<Signer>,
    clock: Clock,
    me: Uuid,
    /// Of this process's tasks one steps at a time; the size that the log had then.
    stepping: Mutex<Option<i64>>,
    /// Since when events wait and the log does not grow, in microseconds; 0 while it does.
    stuck: AtomicI64,
    /// When the next numbers of writers were last held against their entries.
    looked: Mutex<Option<Instant>>,
    fresh: Arc<Fresh>,
}

impl Sequencer {
    /// Opens the log, beginning it if there is none.
    ///
    /// # Errors
    /// [`LogError::Origin`] when it was begun under another name; [`LogError::Head`] when its checkpoint is not signed
    /// by this key; [`LogError::Headless`] when it has entries and no head.
    pub async fn open(store: Store, signer: Arc<Signer>, clock: Clock) -> Result<Self, LogError> {
        let empty = Checkpoint {
            size: 0,
            root: Edge::default().root(),
        };
        let mut tx = store.begin().await?;
        tx.make_head(signer.verifier().name(), &signer.sign(empty))
            .await?;
        tx.commit().await?;
        let head = sql::head(&mut store.read().await?)
            .await?
            // None was made over entries.
            .ok_or(LogError::Headless)?;
        check_head(&head, signer.verifier())?;
        Ok(Self {
            store,
            signer,
            clock,
            me: Uuid::new_v4(),
            stepping: Mutex::default(),
            stuck: AtomicI64::new(0),
            looked: Mutex::default(),
            fresh: Arc::default(),
        })
    }

    /// The signer, for who publishes its key.
    #[must_use]
    pub const fn signer(&self) -> &Arc<Signer> {
        &self.signer
    }

    /// What the entries showed that this process gave their index.
    #[must_use]
    pub const fn fresh(&self) -> &Arc<Fresh> {
        &self.fresh
    }

    /// Gives an index to what has none.
    ///
    /// # Errors
    /// [`LogError`]; then nothing was changed.
    pub async fn step(&self) -> Result<Step, LogError> {
        Ok(self.advance().await?.0)
    }

    /// For how long events have been waiting while the log did not grow.
    #[must_use]
    pub fn waiting(&self) -> TimeDelta {
        match self.stuck.load(Ordering::Relaxed) {
            0 => TimeDelta::zero(),
            since => TimeDelta::microseconds(micros(self.clock.now()).saturating_sub(since)),
        }
    }

    /// Whether they have been for too long, whoever was to grow it.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.waiting() > PATIENCE
    }

    /// Whether this process speaks for the log: it grows it, or nobody does.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn leads(&self) -> Result<bool, LogError> {
        let head = sql::head(&mut self.store.read().await?)
            .await?
            .ok_or(LogError::Absent)?;
        Ok(head.holder == Some(self.me) || !is_held(&head, micros(self.clock.now())))
    }

    /// A step, and whether more is waiting than fitted into its transaction.
    async fn advance(&self) -> Result<(Step, bool), LogError> {
        let mut seen = self.stepping.lock().await;
        let mut size = None;
        let outcome = self.try_to_advance(&mut size).await;
        let done = matches!(outcome, Ok((Step::Idle | Step::Grown(_), _)));
        if done || (size.is_some() && size != *seen) {
            self.stuck.store(0, Ordering::Relaxed);
        } else if self.stuck.load(Ordering::Relaxed) == 0 {
            self.stuck.store(micros(self.clock.now()), Ordering::Relaxed);
        }
        *seen = size.or(*seen);
        outcome
    }

    async fn try_to_advance(&self, size: &mut Option<i64>) -> Result<(Step, bool), LogError> {
        let mut conn = self.store.read().await?;
        let mut writers = sql::news(&mut conn).await?;
        let ahead = self.ahead(&mut conn).await?;
        if writers.is_empty() && ahead.is_empty() {
            return Ok((Step::Idle, false));
        }
        writers.retain(|(writer, _)| !ahead.contains_key(writer));
        let head = sql::head(&mut conn).await?.ok_or(LogError::Absent)?;
        *size = Some(head.size);
        let now = micros(self.clock.now());
        if head.holder != Some(self.me) && is_held(&head, now) {
            return Ok((Step::Held, false));
        }
        // All is read and worked out before the transaction, because SQLite's writers wait for it: what was read is
        // written only if the log has not grown meanwhile, and without growing nothing of it changes.
        let (mut growth, more) = match self.plan(&mut conn, &head, (writers, ahead)).await {
            // Tiles of one moment do not fit a head of another.
            Err(LogError::Changed(_))
                if sql::head(&mut conn)
                    .await?
                    .is_none_or(|now| now.size != head.size) =>
            {
                return Ok((Step::Held, false));
            }
            planned => planned?,
        };
        drop(conn);
        if growth.is_empty() {
            return Ok((Step::Idle, false));
        }
        let checkpoint = self.signer.sign(Checkpoint {
            size: growth.size(),
            root: growth.root(),
        });
        let (grown, from, to) = (growth.len(), number(growth.from()), number(growth.size()));
        let shown = growth.take_shown();
        let mut tx = self.store.begin().await?;
        // The row is locked from here to the end: of two that come this far, the second finds it taken.
        if !tx
            .take_log(self.me, now.saturating_add(LEASE_MICROS), now)
            .await?
        {
            return Ok((Step::Held, false));
        }
        match growth.write(&mut tx, &checkpoint).await {
            // Another process was faster: what it did is there.
            Err(StoreError::Stale) => return Ok((Step::Held, false)),
            // Nobody else can have been: the head is locked. Trying again would find the same.
            Err(StoreError::Conflict) => {
                return Err(LogError::Changed("the next numbers of writers".to_owned()));
            }
            outcome => outcome?,
        }
        tx.commit().await?;
        *size = Some(to);
        if grown == 0 {
            return Ok((Step::Idle, more));
        }
        self.fresh.add((from, to), shown);
        metrics::counter!("guest_vault_log_entries_total").increment(u64::try_from(grown).unwrap_or(0));
        Ok((Step::Grown(grown), more))
    }

    /// What the log is to grow by, and whether there is more.
    async fn plan(
        &self,
        conn: &mut Conn,
        head: &Head,
        (writers, ahead): (Vec<(Uuid, i64)>, BTreeMap<Uuid, i64>),
    ) -> Result<(Growth, bool), LogError> {
        let signed = check_head(head, self.signer.verifier())?;
        let edge = edge(conn, signed.size).await?;
        if edge.root() != signed.root {
            return Err(LogError::Changed("the tiles of its edge".to_owned()));
        }
        let mut growth = Growth::after(edge);
        for (writer, next) in &ahead {
            growth.correct(*writer, *next);
        }
        let writers = writers.into_iter().chain(ahead).collect();
        let (news, more) = collect(conn, writers, &mut growth).await?;
        append(conn, &mut growth, &news).await?;
        Ok((growth, more))
    }

    /// Writers whose next number is beyond their entries, with the number that these say; looked for at the first step
    /// and then each minute, because it asks about each writer there ever was.
    async fn ahead(&self, conn: &mut Conn) -> Result<BTreeMap<Uuid, i64>, LogError> {
        let mut looked = self.looked.lock().await;
        if looked.is_some_and(|at| at.elapsed() < TOLD) {
            return Ok(BTreeMap::new());
        }
        let pruned = conn.minimum().await? > 0;
        let mut ahead = BTreeMap::new();
        for writer in conn.writers_ahead().await? {
            let last = conn.logged_to(writer).await?;
            // Where the log was pruned, nothing is left that tells.
            if last.is_some() || !pruned {
                ahead.insert(writer, corrected(writer, last));
            }
        }
        *looked = Some(Instant::now());
        Ok(ahead)
    }

    /// Works until dropped.
    pub async fn run(&self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            tick.tick().await;
            self.tell_waiting(&mut told);
            loop {
                match self.advance().await {
                    // What came meanwhile waits for the next tick: a step for a few events costs nearly what one for
                    // many does, and SQLite's writers wait for each.
                    Ok((_, true)) => {}
                    Ok((_, false)) => break,
                    Err(LogError::Store(error)) if error.is_transient() => break,
                    Err(error) => {
                        tracing::error!(%error, "the log did not grow; events wait");
                        break;
                    }
                }
            }
        }
    }

    fn tell_waiting(&self, told: &mut Option<Instant>) {
        let (stalled, waited) = (self.is_stalled(), self.waiting());
        let shown = if stalled { waited.as_seconds_f64() } else { 0.0 };
        metrics::gauge!("guest_vault_log_waiting_seconds").set(shown);
        if !stalled {
            *told = None;
        } else if told.is_none_or(|told| told.elapsed() > TOLD) {
            tracing::error!(
                seconds = waited.num_seconds(),
                "events wait and the log does not grow"
            );
            *told = Some(Instant::now());
        }
    }

    /// Gives up the right to grow the log, so that another need not wait.
    ///
    /// # Errors
    /// What the database says; the right then ends by itself.
    pub async fn leave(&self) -> Result<(), LogError> {
        let mut tx = self.store.begin().await?;
        tx.leave_log(self.me).await?;
        Ok(tx.commit().await?)
    }
}

/// Whether somebody has the right to grow the log. One that ends later than anybody may ask for was set by hand, or by a
/// clock that was ahead: it counts for nothing.
const fn is_held(head: &Head, now: i64) -> bool {
    head.held_until >= now && head.held_until <= now.saturating_add(LEASE_MICROS)
}

/// The head's checkpoint, when it is ours and says what the head says.
fn check_head(head: &Head, verifier: &Verifier) -> Result<Checkpoint, LogError> {
    if head.origin != verifier.name() {
        return Err(LogError::Origin {
            stored: head.origin.clone(),
            configured: verifier.name().to_owned(),
        });
    }
    let signed = verifier
        .open(head.checkpoint.as_bytes())
        .map_err(LogError::Head)?;
    if signed.size == index(head.size)? {
        Ok(signed)
    } else {
        Err(LogError::Head(NoteError::Checkpoint))
    }
}

/// The number that comes next of a writer by its entries, told because somebody changed the stored one.
fn corrected(writer: Uuid, last: Option<i64>) -> i64 {
    let next = last.map_or(1, |last| last.saturating_add(1));
    tracing::error!(%writer, next, "a writer's next number was changed by hand; it is set to what the log's entries say");
    next
}

/// Events of a writer from its next number on, and that number: the entries are believed, where it contradicts them.
async fn waiting(
    conn: &mut Conn,
    writer: Uuid,
    (next, most): (i64, i64),
) -> Result<(i64, Vec<News>), StoreError> {
    let rows = sql::news_of(conn, writer, next, most).await?;
    if rows.iter().all(|row| !row.logged) {
        return Ok((next, rows));
    }
    let next = corrected(writer, conn.logged_to(writer).await?);
    Ok((next, sql::news_of(conn, writer, next, most).await?))
}

/// Events without an index, in the order that they get: by time, and those of a writer in its own order; and whether
/// there are more.
async fn collect(
    conn: &mut Conn,
    writers: Vec<(Uuid, i64)>,
    growth: &mut Growth,
) -> Result<(Vec<News>, bool), LogError> {
    let mut ordered = Vec::new();
    // What does not fit is read again in the next step: of several writers, each brings its share.
    let share = BATCH.div_ceil(writers.len().max(1)).max(LEAST);
    let mut horizon = Uuid::max();
    for (writer, next) in writers {
        let most = i64::try_from(share).unwrap_or(i64::MAX);
        let (from, rows) = match waiting(conn, writer, (next, most)).await {
            Err(StoreError::Damaged(_)) => {
                tracing::error!(%writer, "events of a writer cannot be read and are not logged: rows were changed by hand");
                continue;
            }
            found => found?,
        };
        if from != next {
            growth.correct(writer, from);
        }
        let mut expected = from;
        let mut latest = Uuid::nil();
        let more = rows.len() == share;
        for row in rows {
            if row.writer_seq != expected {
                tracing::error!(%writer, missing = expected, "events are missing before they were logged: removed by hand?");
            }
            expected = row.writer_seq.saturating_add(1);
            latest = latest.max(row.entry_id);
            ordered.push((latest, row));
        }
        if more {
            // What of the others is later than this has to wait for the rest of this writer's.
            horizon = horizon.min(latest);
        }
    }
    ordered.retain(|(latest, _)| *latest <= horizon);
    ordered.sort_by_key(|(latest, row)| (*latest, row.writer, row.writer_seq));
    let left = horizon != Uuid::max() || ordered.len() > BATCH;
    ordered.truncate(BATCH);
    Ok((ordered.into_iter().map(|(_, row)| row).collect(), left))
}

async fn append(conn: &mut Conn, growth: &mut Growth, news: &[News]) -> Result<(), LogError> {
    let drafts: Vec<(&News, Draft<'_>)> = news.iter().map(|row| (row, source(row).draft())).collect();
    let subjects: BTreeSet<[u8; 16]> = drafts.iter().filter_map(|(_, draft)| draft.subject()).collect();
    let ends = ends(conn, subjects).await?;
    for (row, draft) in &drafts {
        let link = draft.subject().map(|subject| {
            let end = growth.end(&subject).or_else(|| ends.get(&subject).copied());
            next(end)
        });
        growth.add(row.entry_id, source(row), draft, link);
    }
    Ok(())
}

/// The ends of the chains that events about these subjects go on with.
async fn ends(
    conn: &mut Conn,
    subjects: BTreeSet<[u8; 16]>,
) -> Result<HashMap<[u8; 16], (u64, Hash)>, LogError> {
    let subjects: Vec<[u8; 16]> = subjects.into_iter().collect();
    let changed = || LogError::Changed("the chain of a subject".to_owned());
    let end = |Chain {
                   subject,
                   seq,
                   leaf_hash,
               }: Chain| {
        let subject = subject.try_into().map_err(|_| changed())?;
        let hash = leaf_hash.try_into().map_err(|_| changed())?;
        Ok((subject, (index(seq)?, hash)))
    };
    sql::ends(conn, &subjects).await?.into_iter().map(end).collect()
}

fn source(row: &News) -> Source<'_> {
    Source {
        writer: row.writer,
        sequence: row.writer_seq,
        leaf: &row.leaf,
    }
}

/// The place after the end of a chain.
fn next(end: Option<(u64, Hash)>) -> Link {
    Link {
        number: end.map_or(1, |(last, _)| last.saturating_add(1)),
        previous: end.map(|(_, hash)| hash),
    }
}
