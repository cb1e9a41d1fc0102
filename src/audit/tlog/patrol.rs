//! Walks through the log in the database, a little at a time, and tells what somebody changed by hand.
//!
//! Entries that are new since the last step are looked at first, the older ones in turn. `verify` looks at all of them
//! at once.

use std::ops::Range;

use uuid::Uuid;

use crate::store::StoreError;

use super::{
    Hash, LogError, Stored, leaf_hash,
    note::Verifier,
    passed::PASSED,
    stored::Unchecked,
    tile::{Tile, WIDTH},
    tree::root_of,
    verify::Finding,
};

/// So many tiles are asked of the database at once.
const AT_ONCE: usize = 4;

/// So many full tiles of 256 entries are looked at in a step, besides the newest.
const TILES: u64 = 16;
/// So many while the log grows by tiles: who makes it grow needs the machine.
const TILES_UNDER_LOAD: u64 = 4;
/// So many new ones at most, the very newest: what a busier log has more is walked in turn. To read all that a vault
/// writes at its most again would cost it a tenth of what it writes.
const NEWEST: u64 = 8;

/// Where the walk stands.
pub struct Patrol {
    log: Stored,
    verifier: Verifier,
    next: u64,
    seen: u64,
    growing: bool,
    /// The event that the look at those without an entry goes on at.
    event: Uuid,
}

fn finding(index: Option<u64>, what: impl Into<String>) -> Finding {
    Finding {
        index,
        what: what.into(),
    }
}

impl Patrol {
    /// Begins at the first entry.
    #[must_use]
    pub const fn new(log: Stored, verifier: Verifier) -> Self {
        Self {
            log,
            verifier,
            next: 0,
            seen: u64::MAX,
            growing: false,
            event: Uuid::nil(),
        }
    }

    /// Whether the whole log has been looked at since the walk last began at its first entry.
    #[must_use]
    pub const fn is_round(&self) -> bool {
        self.next == 0
    }

    /// Whether the log grew by a tile or more between the last two steps.
    #[must_use]
    pub const fn is_growing(&self) -> bool {
        self.growing
    }

    /// One step; the first thing that is wrong.
    ///
    /// # Errors
    /// When the database fails; what is wrong with its contents is a finding.
    pub async fn step(&mut self) -> Result<Option<Finding>, LogError> {
        match self.look().await {
            Err(LogError::Store(StoreError::Damaged(_))) => {
                Ok(Some(finding(None, "a row of the log cannot be read")))
            }
            Err(LogError::Store(error)) => Err(error.into()),
            Err(other) => Ok(Some(finding(None, other.to_string()))),
            Ok(found) => Ok(found),
        }
    }

    async fn look(&mut self) -> Result<Option<Finding>, LogError> {
        let Some((size, text)) = self.log.checkpoint().await? else {
            return Ok(Some(finding(None, "the log's head is gone")));
        };
        let signed = self.verifier.open(text.as_bytes())?;
        if signed.size != size || self.log.edge_root(size).await? != signed.root {
            return Ok(Some(finding(None, "the tree is not the signed one")));
        }
        let full = size / WIDTH;
        let newest = self
            .seen
            .min(full)
            .saturating_sub(1)
            .max(full.saturating_sub(NEWEST))..full.saturating_add(1);
        let begin = if self.next < full { self.next } else { 0 };
        self.growing = full > self.seen;
        let tiles = if self.growing { TILES_UNDER_LOAD } else { TILES };
        let end = begin.saturating_add(tiles).min(full);
        // Also past what is found: one damaged row must not hide another.
        self.seen = full;
        self.next = if end < full { end } else { 0 };
        let (minimum, wrong) = self.log.begins().await?;
        let mut first = wrong.map(|what| finding(None, what));
        // Once a round, because it asks about each writer there ever was.
        if first.is_none() && begin == 0 && self.log.is_writer_ahead().await? {
            let what = "a writer's next number is beyond its events: some would never be logged";
            first = Some(finding(None, what));
        }
        for run in [newest, begin..end] {
            if let Some(found) = self.run(run, (size, minimum)).await? {
                // Unless they were removed lawfully since the beginning was read.
                let removed = found.index.is_some() && self.log.begins().await?.0 != minimum;
                first = first.or((!removed).then_some(found));
            }
        }
        if first.is_none() {
            first = self.passed().await?;
        }
        Ok(first)
    }

    /// The next events: whether all of them have their entry, or get it.
    async fn passed(&mut self) -> Result<Option<Finding>, LogError> {
        let (passed, next) = self.log.passed_over(self.event).await?;
        self.event = next.unwrap_or_default();
        Ok(passed
            .first()
            .map(|event| finding(None, format!("{PASSED} ({event})"))))
    }

    /// Some tiles of the bottom, against their entries and what lies above.
    async fn run(&self, run: Range<u64>, (size, minimum): (u64, u64)) -> Result<Option<Finding>, LogError> {
        let tiles: Vec<Tile> = run.filter_map(|index| Tile::in_tree(0, index, size)).collect();
        for some in tiles.chunks(AT_ONCE) {
            let hashes = self.log.tiles(some).await?;
            // Of pruned entries the hashes are left.
            let kept = some.partition_point(|tile| tile.is_before(minimum));
            let (whole, signed) = (some.get(kept..), hashes.get(kept..));
            if let (Some(whole), Some(signed)) = (whole, signed)
                && let Some(found) = self.bottom(whole, signed).await?
            {
                return Ok(Some(found));
            }
            for (tile, hashes) in some.iter().zip(&hashes) {
                if let Some(found) = self.above(*tile, hashes, size).await? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The entries of tiles that follow each other, against their hashes.
    async fn bottom(&self, tiles: &[Tile], signed: &[Vec<Hash>]) -> Result<Option<Finding>, LogError> {
        let (Some(first), Some(last)) = (tiles.first(), tiles.last()) else {
            return Ok(None);
        };
        let first = first.first_entry();
        let entries = self
            .log
            .unchecked(first, last.first_entry().saturating_add(last.width))
            .await?;
        let signed: Vec<Hash> = signed.concat();
        // Beside the requests that are answered: hashing thousands of entries takes some milliseconds.
        let work = move || {
            let mut all = (first..).zip(&entries).zip(&signed);
            all.find_map(|((at, entry), hash)| differs(at, entry, hash))
        };
        let found = tokio::task::spawn_blocking(work).await;
        found.map_err(|error| LogError::Changed(error.to_string()))
    }

    /// A full tile against the one above it, and so on as long as it is the last below that.
    async fn above(&self, bottom: Tile, own: &[Hash], size: u64) -> Result<Option<Finding>, LogError> {
        let (mut tile, mut hashes) = (bottom, own.to_vec());
        while tile.width == WIDTH {
            let (level, index) = (tile.level.saturating_add(1), tile.index / WIDTH);
            let Some(parent) = Tile::in_tree(level, index, size) else {
                break;
            };
            let position = usize::try_from(tile.index % WIDTH).unwrap_or(usize::MAX);
            let above = self.log.tile(parent).await?;
            if above.get(position) != Some(&root_of(&hashes)) {
                let what = format!("{} is not made of the tiles below it", parent.path());
                return Ok(Some(finding(Some(bottom.first_entry()), what)));
            }
            if tile.index % WIDTH != WIDTH - 1 {
                break;
            }
            (tile, hashes) = (parent, above);
        }
        Ok(None)
    }
}

/// What is wrong with an entry.
fn differs(at: u64, entry: &Unchecked, hash: &Hash) -> Option<Finding> {
    if let Some(column) = entry.altered {
        let what = format!("{column} in the database is not what the entry says");
        return Some(finding(Some(at), what));
    }
    (leaf_hash(&entry.bytes) != *hash)
        .then(|| finding(Some(at), "the entry is not the one that the tree holds"))
}
