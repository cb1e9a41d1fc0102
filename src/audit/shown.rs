//! When each field was last shown to anybody, by the log: kept beside it, a part at a time as it grows, so that nobody has
//! to read a year of entries to ask.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};

use crate::{
    base::{FieldPath, from_micros},
    store::{Store, StoreError},
};

use super::{leaf::Shows, sql::shown};

/// Entries of one part: a small transaction.
const PART: i64 = 2_000;
/// How often the log is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Between two parts of a long way: others come first.
const BREATH: Duration = Duration::from_millis(50);

/// What the log shows of the fields' use.
#[derive(Debug, Clone)]
pub struct Shown {
    /// When each field was last shown; those that never were are left out.
    pub fields: BTreeMap<FieldPath, DateTime<Utc>>,
    /// When the first of the entries looked at was made.
    pub since: Option<DateTime<Utc>>,
    /// How many were looked at.
    pub entries: u64,
    /// Whether these are all that the log has.
    pub whole: bool,
}

/// When fields were last shown, in microseconds, by some entries.
#[derive(Debug, Default)]
pub(super) struct Latest(BTreeMap<String, i64>);

impl Latest {
    /// Takes an entry's leaf in.
    pub(super) fn see(&mut self, leaf: &[u8]) {
        let Some(leaf) = Shows::read(leaf) else { return };
        for field in leaf.fields() {
            match self.0.get_mut(field) {
                Some(last) => *last = leaf.at.max(*last),
                None => drop(self.0.insert(field.to_owned(), leaf.at)),
            }
        }
    }

    fn and(mut self, other: Self) -> Self {
        for (field, at) in other.0 {
            let last = self.0.entry(field).or_insert(at);
            *last = at.max(*last);
        }
        self
    }
}

/// Entries that follow each other, and what they showed.
#[derive(Debug)]
struct Run {
    from: i64,
    to: i64,
    latest: Latest,
}

/// What this process gave its index since it was last asked: it had the leaves in hand then, so they need not be read again.
#[derive(Debug, Default)]
pub struct Fresh(Mutex<Option<Run>>);

impl Fresh {
    /// Adds the entries from an index to before another, which are durable.
    pub(super) fn add(&self, (from, to): (i64, i64), latest: Latest) {
        let mut run = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *run = Some(match run.take().filter(|before| before.to == from) {
            Some(before) => Run {
                from: before.from,
                to,
                latest: before.latest.and(latest),
            },
            // Another process gave those between: they are read.
            None => Run { from, to, latest },
        });
    }

    /// What is known of the entries from an index on, and to which: once.
    fn take(&self, from: i64) -> Option<(i64, Latest)> {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        (run.from <= from && from < run.to).then_some((run.to, run.latest))
    }
}

/// Keeps when each field was last shown.
pub struct Observer {
    store: Store,
    fresh: Option<Arc<Fresh>>,
}

impl Observer {
    /// Of this store's log.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store, fresh: None }
    }

    /// Of this store's log, which this process grows.
    #[must_use]
    pub const fn beside(store: Store, fresh: Arc<Fresh>) -> Self {
        let fresh = Some(fresh);
        Self { store, fresh }
    }

    /// Looks at the next entries of the log; whether there are more.
    ///
    /// # Errors
    /// What the database says; then nothing was kept, and the same entries come again.
    pub async fn step(&self) -> Result<bool, StoreError> {
        let mut conn = self.store.read().await?;
        let at = shown::place(&mut conn).await?;
        if at.size <= at.shown_to {
            return Ok(false);
        }
        let fresh = self.fresh.as_ref().and_then(|fresh| fresh.take(at.shown_to));
        let (end, latest) = if let Some(known) = fresh {
            known
        } else {
            let end = at.size.min(at.shown_to.saturating_add(PART));
            let mut latest = Latest::default();
            for leaf in shown::leaves(&mut conn, at.shown_to, end).await? {
                latest.see(&leaf);
            }
            (end, latest)
        };
        drop(conn);
        let mut tx = self.store.begin().await?;
        // Of two instances that looked at the same part, one goes on.
        if tx.move_shown(at.shown_to, end).await? {
            for (field, at) in &latest.0 {
                tx.set_shown(field, *at).await?;
            }
            tx.commit().await?;
        }
        Ok(end < at.size)
    }

    /// What is known, after a look at the newest entries.
    ///
    /// # Errors
    /// What the database says.
    pub async fn told(&self) -> Result<Shown, StoreError> {
        self.step().await?;
        let mut conn = self.store.read().await?;
        let at = shown::place(&mut conn).await?;
        let since = shown::first_at(&mut conn, at.first_index).await?;
        let known = shown::fields(&mut conn).await?;
        let known = known
            .into_iter()
            .filter_map(|(field, at)| Some((field.parse().ok()?, from_micros(at))));
        Ok(Shown {
            fields: known.collect(),
            since: since.filter(|_| at.shown_to > at.first_index).map(from_micros),
            entries: u64::try_from(at.shown_to - at.first_index).unwrap_or(0),
            whole: at.shown_to >= at.size,
        })
    }

    /// Works until dropped.
    pub async fn run(&self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            loop {
                match self.step().await {
                    Ok(true) => tokio::time::sleep(BREATH).await,
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "when fields were last shown is not up to date");
                        break;
                    }
                }
            }
        }
    }
}
