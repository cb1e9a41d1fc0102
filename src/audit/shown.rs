//! When each field was last shown to anybody, by the log: kept beside it, a part at a time as it grows, so that nobody has
//! to read a year of entries to ask.

use std::{collections::BTreeMap, time::Duration};

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

/// Keeps when each field was last shown.
pub struct Observer(Store);

impl Observer {
    /// Of this store's log.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self(store)
    }

    /// Looks at the next entries of the log; whether there are more.
    ///
    /// # Errors
    /// What the database says; then nothing was kept, and the same entries come again.
    pub async fn step(&self) -> Result<bool, StoreError> {
        let mut conn = self.0.read().await?;
        let at = shown::place(&mut conn).await?;
        let end = at.size.min(at.shown_to.saturating_add(PART));
        if end <= at.shown_to {
            return Ok(false);
        }
        let leaves = shown::leaves(&mut conn, at.shown_to, end).await?;
        drop(conn);
        let mut latest: BTreeMap<String, i64> = BTreeMap::new();
        for leaf in leaves.iter().filter_map(|leaf| Shows::read(leaf)) {
            for field in leaf.fields() {
                match latest.get_mut(field) {
                    Some(last) => *last = leaf.at.max(*last),
                    None => drop(latest.insert(field.to_owned(), leaf.at)),
                }
            }
        }
        let mut tx = self.0.begin().await?;
        // Of two instances that looked at the same part, one goes on.
        if tx.move_shown(at.shown_to, end).await? {
            for (field, at) in &latest {
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
        let mut conn = self.0.read().await?;
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
