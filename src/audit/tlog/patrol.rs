//! Walks through the log in the database, a little each second, and tells what somebody changed by hand.
//!
//! The newest entries are looked at every time, the older ones in turn. `verify` looks at all of them at once.

use super::{
    LogError, Stored, leaf_hash,
    note::Verifier,
    stored::Unchecked,
    tile::{Tile, WIDTH},
    tree::Edge,
    verify::Finding,
};

/// So many full tiles of 256 entries are looked at in a step, besides the newest.
const TILES: u64 = 8;

/// Where the walk stands.
pub struct Patrol {
    log: Stored,
    verifier: Verifier,
    next: u64,
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
        }
    }

    /// One step; the first thing that is wrong.
    ///
    /// # Errors
    /// When the database fails; what is wrong with its contents is a finding.
    pub async fn step(&mut self) -> Result<Option<Finding>, LogError> {
        match self.look().await {
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
        let newest = full.saturating_sub(1)..=full;
        let turn = (0..TILES.min(full)).map(|step| (self.next + step) % full.max(1));
        let minimum = self.log.minimum().await?;
        let tiles: Vec<u64> = newest.chain(turn).collect();
        self.next = (self.next + TILES) % full.max(1);
        for index in tiles {
            let Some(tile) = Tile::in_tree(0, index, size) else {
                continue;
            };
            // Of pruned entries the hashes are left.
            if tile.first_entry() >= minimum
                && let Some(found) = self.bottom(tile).await?
            {
                return Ok(Some(found));
            }
            if let Some(found) = self.above(tile, size).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The entries of a tile, against its hashes.
    async fn bottom(&self, tile: Tile) -> Result<Option<Finding>, LogError> {
        let hashes = self.log.tile(tile).await?;
        let entries = self.log.unchecked(tile).await?;
        for ((at, entry), hash) in (tile.first_entry()..).zip(&entries).zip(&hashes) {
            let Unchecked { bytes, altered } = entry;
            if let Some(column) = altered {
                let what = format!("{column} in the database is not what the entry says");
                return Ok(Some(finding(Some(at), what)));
            }
            if leaf_hash(bytes) != *hash {
                let what = "the entry is not the one that the tree holds";
                return Ok(Some(finding(Some(at), what)));
            }
        }
        Ok(None)
    }

    /// A full tile against the one above it, and so on as long as it is the last below that.
    async fn above(&self, bottom: Tile, size: u64) -> Result<Option<Finding>, LogError> {
        let mut tile = bottom;
        while tile.width == WIDTH {
            let mut edge = Edge::default();
            for hash in self.log.tile(tile).await? {
                edge.push(hash, &mut |_, _| ());
            }
            let (level, index) = (tile.level.saturating_add(1), tile.index / WIDTH);
            let Some(parent) = Tile::in_tree(level, index, size) else {
                break;
            };
            let position = usize::try_from(tile.index % WIDTH).unwrap_or(usize::MAX);
            if self.log.tile(parent).await?.get(position) != Some(&edge.root()) {
                let what = format!("{} is not made of the tiles below it", parent.path());
                return Ok(Some(finding(Some(bottom.first_entry()), what)));
            }
            if tile.index % WIDTH != WIDTH - 1 {
                break;
            }
            tile = parent;
        }
        Ok(None)
    }
}
