//! Answers from the log, held against the hashes of its tree: a row is changed by one statement, the tree only with the
//! log's key.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::audit::{
    leaf::altered,
    sql::{Row, log as sql},
};

use super::{
    Hash, LogError, Stored,
    entry::{Link, Source},
    leaf_hash,
    stored::{index, number},
    tile::{self, WIDTH},
};

/// Tiles of one statement: 64 KiB of hashes.
const AT_ONCE: u64 = 8;

/// Why an entry cannot be shown as the log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its row is gone.
    Missing,
    /// It is not the one that the tree holds.
    Altered,
    /// It is, but what stands beside it says something else.
    Beside(&'static str),
}

impl Fault {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Altered => "altered",
            Self::Beside(what) => what,
        }
    }
}

/// The hash of an entry as its row makes it; `None` when it makes none.
fn hash(row: &Row) -> Option<Hash> {
    let source = Source {
        writer: row.writer,
        sequence: row.writer_seq,
        leaf: &row.leaf,
    };
    let link = match row.subject_seq {
        Some(seq) => Some(Link {
            number: u64::try_from(seq).ok()?,
            previous: row.previous.as_deref().map(Hash::try_from).transpose().ok()?,
        }),
        None => None,
    };
    Some(leaf_hash(&source.draft().entry(link.as_ref())))
}

fn place(at: u64) -> (u64, usize) {
    (at / WIDTH, usize::try_from(at % WIDTH).unwrap_or(usize::MAX))
}

impl Stored {
    /// For each of these entries, what of it somebody changed: a column that does not say what the leaf says, or
    /// `leaf` when that is not the one that the tree holds. An entry without an index is in no tree yet; one that never
    /// gets one was made by hand.
    ///
    /// # Errors
    /// What the database says.
    pub async fn altered(&self, rows: &[Row]) -> Result<Vec<Option<&'static str>>, LogError> {
        let at = |row: &Row| row.log_index.and_then(|at| u64::try_from(at).ok());
        let tiles: BTreeSet<u64> = rows.iter().filter_map(at).map(|at| place(at).0).collect();
        let signed = self.signed(&tiles).await?;
        let differs = |row: &Row| {
            let (tile, position) = place(at(row)?);
            let held = signed.get(&tile).and_then(|hashes| hashes.get(position));
            (held.copied() != hash(row)).then_some("leaf")
        };
        let each = rows.iter();
        let mut found: Vec<Option<&'static str>> = each
            .map(|row| altered(&row.columns, &row.leaf).or_else(|| differs(row)))
            .collect();
        let unlogged: Vec<Uuid> = rows
            .iter()
            .zip(&found)
            .filter(|(row, found)| found.is_none() && row.log_index.is_none())
            .map(|(row, _)| row.entry_id)
            .collect();
        let passed = self.passed_over_among(&unlogged).await?;
        for (row, found) in rows.iter().zip(&mut found) {
            if found.is_none() && passed.contains(&row.entry_id) {
                *found = Some("writer_seq");
            }
        }
        Ok(found)
    }

    /// What is wrong with the entries from the first to before the second, by index. Those that were pruned are not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn faults(&self, first: u64, end: u64) -> Result<BTreeMap<u64, Fault>, LogError> {
        let entries = self.unchecked(first, end).await?;
        let tiles: BTreeSet<u64> = (first..end).map(|at| place(at).0).collect();
        let signed = self.signed(&tiles).await?;
        let mut faults = BTreeMap::new();
        for (at, entry) in (first..end).zip(entries) {
            let (tile, position) = place(at);
            let held = signed.get(&tile).and_then(|hashes| hashes.get(position));
            let fault = if entry.bytes.is_empty() {
                Some(Fault::Missing)
            } else if held != Some(&leaf_hash(&entry.bytes)) {
                Some(Fault::Altered)
            } else {
                entry.altered.map(Fault::Beside)
            };
            faults.extend(fault.map(|fault| (at, fault)));
        }
        if !faults.is_empty() {
            // Asked after the look: what was pruned meanwhile is no fault.
            let minimum = self.minimum().await?;
            faults.retain(|at, _| *at >= minimum);
        }
        Ok(faults)
    }

    /// Whether an entry of this hash is one that was pruned: the tree holds its hash before the log's beginning.
    ///
    /// # Errors
    /// What the database says.
    pub async fn was_pruned(&self, entry: &Hash) -> Result<bool, LogError> {
        let mut end = self.minimum().await? / WIDTH;
        // The newest first: whose entries were pruned a while ago is asked about less.
        while end > 0 {
            let first = end.saturating_sub(AT_ONCE);
            let tiles: BTreeSet<u64> = (first..end).collect();
            let held = self.signed(&tiles).await?;
            if held.values().flatten().any(|hash| hash == entry) {
                return Ok(true);
            }
            end = first;
        }
        Ok(false)
    }

    /// Whether an entry after this index follows the one of this hash in the chain of its subject. It reads all that is
    /// younger: an index of hashes would cost every entry, and this is asked for a report.
    ///
    /// # Errors
    /// What the database says.
    pub async fn goes_on(&self, entry: &Hash, after: u64) -> Result<bool, LogError> {
        let found = self
            .store()
            .read()
            .await?
            .chain_goes_on(entry, number(after))
            .await?;
        Ok(found.is_some())
    }

    /// The hashes of these tiles of the bottom; one that is gone or no tile is left out.
    async fn signed(&self, tiles: &BTreeSet<u64>) -> Result<BTreeMap<u64, Vec<Hash>>, LogError> {
        let mut conn = self.store().read().await?;
        let mut found = BTreeMap::new();
        let mut wanted = tiles.iter().copied().peekable();
        while let Some(first) = wanted.next() {
            let mut end = first.saturating_add(1);
            while end - first < AT_ONCE && wanted.next_if_eq(&end).is_some() {
                end = end.saturating_add(1);
            }
            for (at, bytes) in sql::tiles(&mut conn, number(first), number(end)).await? {
                found.extend(tile::split(&bytes).map(|hashes| (at, hashes)));
            }
        }
        found
            .into_iter()
            .map(|(at, hashes)| Ok((index(at)?, hashes)))
            .collect()
    }
}
