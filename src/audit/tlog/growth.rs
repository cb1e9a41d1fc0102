//! What the log grows by in one transaction: entries with their places, the ends of chains and of writers' lines, tiles.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::{
    audit::{
        shown::Latest,
        sql::log::{Chain, Placed},
    },
    store::{StoreError, Tx},
};

use super::{
    Hash,
    entry::{Draft, Link, Source},
    leaf_hash,
    stored::number,
    tile,
    tree::Edge,
};

/// Entries that were given their places after those of a tree, and wait to be written.
pub(super) struct Growth {
    /// The size of that tree.
    from: u64,
    edge: Edge,
    placed: Vec<Placed>,
    /// The number that comes next, by writer.
    writers: BTreeMap<Uuid, i64>,
    /// The ends of chains that were gone on with.
    ends: HashMap<[u8; 16], (u64, Hash)>,
    /// What the entries showed.
    shown: Latest,
    /// Full tiles.
    tiles: BTreeMap<(u8, u64), Vec<u8>>,
}

impl Growth {
    /// Nothing yet, after this tree.
    pub(super) fn after(edge: Edge) -> Self {
        Self {
            from: edge.size(),
            edge,
            placed: Vec::new(),
            writers: BTreeMap::new(),
            ends: HashMap::new(),
            shown: Latest::default(),
            tiles: BTreeMap::new(),
        }
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.placed.is_empty() && self.writers.is_empty()
    }

    /// Sets right what comes next of a writer.
    pub(super) fn correct(&mut self, writer: Uuid, next: i64) {
        self.writers.insert(writer, next);
    }

    /// How many entries it is.
    pub(super) fn len(&self) -> usize {
        self.placed.len()
    }

    /// The size of the tree without them.
    pub(super) const fn from(&self) -> u64 {
        self.from
    }

    /// The size of the tree with them.
    pub(super) const fn size(&self) -> u64 {
        self.edge.size()
    }

    /// The hash of the tree with them.
    pub(super) fn root(&self) -> Hash {
        self.edge.root()
    }

    /// What they showed: once.
    pub(super) fn take_shown(&mut self) -> Latest {
        std::mem::take(&mut self.shown)
    }

    /// The end of a subject's chain, where it was gone on with.
    pub(super) fn end(&self, subject: &[u8; 16]) -> Option<(u64, Hash)> {
        self.ends.get(subject).copied()
    }

    /// Gives an event the next place.
    pub(super) fn add(&mut self, id: Uuid, source: Source<'_>, draft: &Draft<'_>, link: Option<Link>) {
        let hash = leaf_hash(&draft.entry(link.as_ref()));
        self.placed.push(Placed {
            index: number(self.edge.size()),
            entry: id,
            seq: link.map(|link| number(link.number)),
            previous: link.and_then(|link| link.previous).map(|hash| hash.to_vec()),
        });
        let tiles = &mut self.tiles;
        self.edge.push(hash, &mut |tile, hashes| {
            tiles.insert((tile.level, tile.index), tile::join(hashes));
        });
        if let (Some(subject), Some(link)) = (draft.subject(), link) {
            self.ends.insert(subject, (link.number, hash));
        }
        self.shown.see(source.leaf);
        self.writers
            .insert(source.writer, source.sequence.saturating_add(1));
    }

    /// Writes them, with the checkpoint of the tree with them.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the log is no longer of the size that this begins at.
    pub(super) async fn write(mut self, tx: &mut Tx, checkpoint: &str) -> Result<(), StoreError> {
        for (tile, hashes) in self.edge.partial() {
            self.tiles.insert((tile.level, tile.index), tile::join(hashes));
        }
        // First, because it tells whether all the rest is right.
        tx.grow_log(number(self.edge.size()), checkpoint, number(self.from))
            .await?;
        tx.add_log_entries(&self.placed).await?;
        for (writer, next) in self.writers {
            tx.set_writer(writer, next).await?;
        }
        let end = |(subject, (seq, hash)): ([u8; 16], (u64, Hash))| Chain {
            subject: subject.to_vec(),
            seq: number(seq),
            leaf_hash: hash.to_vec(),
        };
        let mut ends: Vec<Chain> = self.ends.into_iter().map(end).collect();
        // In one order, so that their index is walked through and not jumped about.
        ends.sort_unstable_by(|one, other| one.subject.cmp(&other.subject));
        tx.set_chains(&ends).await?;
        let tile = |((level, at), hashes)| ((level, number(at)), hashes);
        let tiles: Vec<((u8, i64), Vec<u8>)> = self.tiles.into_iter().map(tile).collect();
        tx.set_tiles(&tiles).await
    }
}
