//! What of the database is beside the tree: rows that cannot be read, events that the log passed over, ends of chains
//! that no entry has.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use crate::{
    audit::sql::log::{self as sql, Logged},
    store::StoreError,
};

use super::{Hash, LogError, Stored, stored::number, tile::WIDTH};

/// So many events are looked at by one statement.
pub(super) const EVENTS: usize = 4096;

/// Of so many of the newest entries all is read that tells how chains go on.
const NEWEST: u64 = 16 * WIDTH;

/// Why an event has no entry.
pub(super) const PASSED: &str =
    "an event has no entry and would never get one: its row was made or changed by hand";

impl Stored {
    /// The entries from the first to before the second that can be read, and the indexes of those that cannot.
    pub(super) async fn readable(
        &self,
        first: u64,
        end: u64,
    ) -> Result<(Vec<Logged>, BTreeSet<u64>), LogError> {
        let mut conn = self.store().read().await?;
        let (mut rows, mut unreadable) = (Vec::new(), BTreeSet::new());
        let mut ranges = vec![(first, end)];
        while let Some((first, end)) = ranges.pop() {
            match sql::entries(&mut conn, number(first), number(end)).await {
                Err(StoreError::Damaged(_)) if end.saturating_sub(first) > 1 => {
                    let middle = first.midpoint(end);
                    ranges.extend([(middle, end), (first, middle)]);
                }
                Err(StoreError::Damaged(_)) => drop(unreadable.insert(first)),
                found => rows.extend(found?),
            }
        }
        Ok((rows, unreadable))
    }

    /// The hashes that entries from this one on follow; `None` when there are too many to read.
    pub(super) async fn followed(&self, first: u64) -> Result<Option<BTreeSet<Vec<u8>>>, LogError> {
        let size = self.checkpoint().await?.map_or(0, |(size, _)| size);
        if size.saturating_sub(first) > NEWEST.saturating_add(WIDTH) {
            return Ok(None);
        }
        let hashes = self.store().read().await?.followed(number(first)).await?;
        Ok(Some(hashes.into_iter().collect()))
    }

    /// Looks at events from an id on. Tells those that have no entry and get none, and where to go on; `None` at the end.
    pub(super) async fn passed_over(&self, from: Uuid) -> Result<(Vec<Uuid>, Option<Uuid>), LogError> {
        let most = i64::try_from(EVENTS).unwrap_or(i64::MAX);
        let found = self.store().read().await?.passed_over(from, most).await?;
        let last = found.last().filter(|_| found.len() == EVENTS);
        let next = last
            .and_then(|(id, _)| id.as_u128().checked_add(1))
            .map(Uuid::from_u128);
        let passed = found.into_iter().filter(|(_, passed)| *passed);
        Ok((passed.map(|(id, _)| id).collect(), next))
    }

    /// The events that have no entry and get none, at most `most`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn all_passed_over(&self, most: usize) -> Result<Vec<Uuid>, LogError> {
        let (mut all, mut next) = (Vec::new(), Some(Uuid::nil()));
        while let Some(from) = next.filter(|_| all.len() < most) {
            let (passed, then) = self.passed_over(from).await?;
            all.extend(passed);
            next = then;
        }
        all.truncate(most);
        Ok(all)
    }

    /// Those of these events that the log has passed over. Whether it has an entry and whether it would get one is asked
    /// of each in one statement, so that one which gets its entry meanwhile is not taken for it.
    pub(super) async fn passed_over_among(&self, events: &[Uuid]) -> Result<BTreeSet<Uuid>, LogError> {
        if events.is_empty() {
            return Ok(BTreeSet::new());
        }
        let found = self.store().read().await?.passed_over_among(events).await?;
        Ok(found.into_iter().collect())
    }

    /// How many ends of chains are not those that the log's entries have, at this size of the log.
    pub(super) async fn strange_ends(
        &self,
        ends: &HashMap<[u8; 16], (u64, Hash)>,
        size: u64,
    ) -> Result<usize, LogError> {
        let subjects: Vec<[u8; 16]> = ends.keys().copied().collect();
        let stored = sql::ends(&mut self.store().read().await?, &subjects).await?;
        // Of a log that has grown meanwhile, ends have moved on.
        if self.checkpoint().await?.is_none_or(|(now, _)| now != size) {
            return Ok(0);
        }
        let right = |end: &&sql::Chain| {
            let subject = <[u8; 16]>::try_from(end.subject.as_slice()).ok();
            let own = subject.and_then(|subject| ends.get(&subject));
            own.is_some_and(|(seq, hash)| end.seq == number(*seq) && end.leaf_hash == hash.as_slice())
        };
        Ok(subjects.len().saturating_sub(stored.iter().filter(right).count()))
    }
}
