//! Gives each durable event its index: one process at a time, at most a second after the event.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use uuid::Uuid;

use crate::{
    audit::sql::log::{self as sql, Chain, Head, News, Placed},
    base::{Clock, micros},
    store::{Conn, Store, Tx},
};

use super::{
    Hash, LogError,
    entry::{self, Link, Source},
    leaf_hash,
    note::{Checkpoint, NoteError, Signer, Verifier},
    stored::{edge, index, number},
    tile,
    tree::Edge,
};

/// How often events without an index are looked for: a checkpoint is to be at most a second behind.
const TICK: Duration = Duration::from_millis(300);
/// For how long one process keeps the right to grow the log after it last did: what another waits after a crash.
const LEASE_MICROS: i64 = 3_000_000;
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
}

impl Sequencer {
    /// Opens the log, beginning it if there is none.
    ///
    /// # Errors
    /// [`LogError::Origin`] when it was begun under another name; [`LogError::Note`] when its checkpoint is not signed
    /// by this key.
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
            .ok_or(LogError::Absent)?;
        check_head(&head, signer.verifier())?;
        Ok(Self {
            store,
            signer,
            clock,
            me: Uuid::new_v4(),
        })
    }

    /// The signer, for who publishes its key.
    #[must_use]
    pub const fn signer(&self) -> &Arc<Signer> {
        &self.signer
    }

    /// Gives an index to what has none.
    ///
    /// # Errors
    /// [`LogError`]; then nothing was changed.
    pub async fn step(&self) -> Result<Step, LogError> {
        Ok(self.advance().await?.0)
    }

    /// A step, and whether more is waiting than fitted into its transaction.
    async fn advance(&self) -> Result<(Step, bool), LogError> {
        let mut conn = self.store.read().await?;
        if sql::news(&mut conn).await?.is_empty() {
            return Ok((Step::Idle, false));
        }
        let head = sql::head(&mut conn).await?.ok_or(LogError::Absent)?;
        let now = micros(self.clock.now());
        let mine = head.holder == Some(self.me);
        if !mine && head.held_until >= now {
            return Ok((Step::Held, false));
        }
        // What nobody else may change meanwhile is read before the transaction: SQLite's writers wait for it.
        if !(mine && head.held_until >= now.saturating_add(LEASE_MICROS / 2)) && !self.take(now).await? {
            return Ok((Step::Held, false));
        }
        let growth = self.plan(&mut conn).await?;
        drop(conn);
        let mut tx = self.store.begin().await?;
        let now = micros(self.clock.now());
        if !tx
            .take_log(self.me, now.saturating_add(LEASE_MICROS), now)
            .await?
        {
            return Ok((Step::Held, false));
        }
        growth.write(&mut tx).await?;
        tx.commit().await?;
        let grown = growth.placed.len();
        metrics::counter!("guest_vault_log_entries_total").increment(u64::try_from(grown).unwrap_or(0));
        Ok((Step::Grown(grown), growth.more))
    }

    /// Takes the right to grow the log; of two that try, the second finds it taken.
    async fn take(&self, now: i64) -> Result<bool, LogError> {
        let mut tx = self.store.begin().await?;
        let taken = tx
            .take_log(self.me, now.saturating_add(LEASE_MICROS), now)
            .await?;
        tx.commit().await?;
        Ok(taken)
    }

    async fn plan(&self, conn: &mut Conn) -> Result<Growth, LogError> {
        let head = sql::head(conn).await?.ok_or(LogError::Absent)?;
        let signed = check_head(&head, self.signer.verifier())?;
        let mut edge = edge(conn, signed.size).await?;
        if edge.root() != signed.root {
            return Err(LogError::Changed("the tiles of its edge".to_owned()));
        }
        let (news, more) = collect(conn).await?;
        let mut growth = append(conn, &mut edge, &news).await?;
        for (tile, hashes) in edge.partial() {
            growth.tiles.insert((tile.level, tile.index), tile::join(hashes));
        }
        growth.checkpoint = self.signer.sign(Checkpoint {
            size: edge.size(),
            root: edge.root(),
        });
        (growth.from, growth.to, growth.more) = (head.size, number(edge.size()), more);
        Ok(growth)
    }

    /// Works until dropped.
    pub async fn run(&self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
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

/// What one step writes.
#[derive(Default)]
struct Growth {
    placed: Vec<Placed>,
    writers: BTreeMap<Uuid, i64>,
    ends: Vec<Chain>,
    tiles: BTreeMap<(u8, u64), Vec<u8>>,
    checkpoint: String,
    /// The sizes of the log before and after.
    from: i64,
    to: i64,
    /// Whether more is waiting.
    more: bool,
}

impl Growth {
    async fn write(&self, tx: &mut Tx) -> Result<(), LogError> {
        // First, because it fails when the log is not the one that was read.
        tx.grow_log(self.to, &self.checkpoint, self.from).await?;
        tx.add_log_entries(&self.placed).await?;
        for (writer, next) in &self.writers {
            tx.set_writer(*writer, *next).await?;
        }
        tx.set_chains(&self.ends).await?;
        for ((level, at), hashes) in &self.tiles {
            tx.set_tile(*level, number(*at), hashes).await?;
        }
        Ok(())
    }
}

/// The head's checkpoint, when it is ours and says what the head says.
fn check_head(head: &Head, verifier: &Verifier) -> Result<Checkpoint, LogError> {
    if head.origin != verifier.name() {
        return Err(LogError::Origin {
            stored: head.origin.clone(),
            configured: verifier.name().to_owned(),
        });
    }
    let signed = verifier.open(head.checkpoint.as_bytes())?;
    if signed.size == index(head.size)? {
        Ok(signed)
    } else {
        Err(LogError::Note(NoteError::Checkpoint))
    }
}

/// Events without an index, in the order that they get: by time, and those of a writer in its own order; and whether
/// there are more.
async fn collect(conn: &mut Conn) -> Result<(Vec<News>, bool), LogError> {
    let mut ordered = Vec::new();
    let writers = sql::news(conn).await?;
    // What does not fit is read again in the next step: of several writers, each brings its share.
    let share = BATCH.div_ceil(writers.len().max(1)).max(LEAST);
    let mut horizon = Uuid::max();
    for (writer, next) in writers {
        let rows = conn
            .news_of(writer, next, i64::try_from(share).unwrap_or(i64::MAX))
            .await?;
        let mut expected = next;
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

/// The ends of the chains that these events go on with.
async fn chains(conn: &mut Conn, news: &[News]) -> Result<HashMap<[u8; 16], (u64, Hash)>, LogError> {
    let subjects: BTreeSet<[u8; 16]> = news
        .iter()
        .filter_map(|row| entry::subject(&source(row)))
        .collect();
    let subjects: Vec<[u8; 16]> = subjects.into_iter().collect();
    let mut chains = HashMap::new();
    for Chain {
        subject,
        seq,
        leaf_hash,
    } in conn.chains(&subjects).await?
    {
        let changed = || LogError::Changed("the chain of a subject".to_owned());
        let subject = subject.try_into().map_err(|_| changed())?;
        let hash = leaf_hash.try_into().map_err(|_| changed())?;
        chains.insert(subject, (index(seq)?, hash));
    }
    Ok(chains)
}

fn source(row: &News) -> Source<'_> {
    Source {
        writer: row.writer,
        sequence: row.writer_seq,
        leaf: &row.leaf,
    }
}

async fn append(conn: &mut Conn, edge: &mut Edge, news: &[News]) -> Result<Growth, LogError> {
    let mut chains = chains(conn, news).await?;
    let mut touched = BTreeSet::new();
    let mut growth = Growth::default();
    for row in news {
        let source = source(row);
        let subject = entry::subject(&source);
        let link = subject.map(|subject| next(chains.get(&subject)));
        let hash = leaf_hash(&entry::bytes(&source, link.as_ref()));
        growth.placed.push(Placed {
            index: number(edge.size()),
            entry: row.entry_id,
            seq: link.map(|link| number(link.number)),
            previous: link.and_then(|link| link.previous).map(|hash| hash.to_vec()),
        });
        edge.push(hash, &mut |tile, hashes| {
            growth.tiles.insert((tile.level, tile.index), tile::join(hashes));
        });
        if let (Some(subject), Some(link)) = (subject, link) {
            chains.insert(subject, (link.number, hash));
            touched.insert(subject);
        }
        growth
            .writers
            .insert(row.writer, row.writer_seq.saturating_add(1));
    }
    let end = |subject: [u8; 16]| {
        chains.get(&subject).map(|(seq, hash)| Chain {
            subject: subject.to_vec(),
            seq: number(*seq),
            leaf_hash: hash.to_vec(),
        })
    };
    growth.ends = touched.into_iter().filter_map(end).collect();
    Ok(growth)
}

/// The place after the end of a chain.
fn next(end: Option<&(u64, Hash)>) -> Link {
    Link {
        number: end.map_or(1, |(last, _)| last.saturating_add(1)),
        previous: end.map(|(_, hash)| *hash),
    }
}
