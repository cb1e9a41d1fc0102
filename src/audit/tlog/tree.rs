//! The tree: growing at its right edge, and hashes of any of its parts from tiles.

use std::collections::BTreeMap;

use crate::crypto::sha256;

use super::{
    Hash, node_hash,
    tile::{HEIGHT, Tile, WIDTH},
};

/// The hash of a tree over these subtrees of equal size (RFC 6962 §2.1).
pub(super) fn root_of(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => sha256(b""),
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len().next_power_of_two() / 2);
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// The hash over perfect subtrees of falling size, leftmost first.
fn fold(subtrees: &[Hash]) -> Hash {
    let mut from_right = subtrees.iter().rev();
    match from_right.next() {
        None => sha256(b""),
        Some(last) => from_right.fold(*last, |right, left| node_hash(left, &right)),
    }
}

/// The right edge of a tree: the tiles that are not full. All that is needed to grow it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of a tree of `size` entries, from its partial tiles; `None` when one is missing or too short.
    #[must_use]
    pub fn from_tiles(size: u64, tiles: &BTreeMap<(u8, u64), Vec<Hash>>) -> Option<Self> {
        let mut levels = Vec::new();
        for tile in Tile::partial(size) {
            let stored = tiles.get(&(tile.level, tile.index))?;
            let hashes = stored.get(..usize::try_from(tile.width).ok()?)?;
            levels.resize(usize::from(tile.level), Vec::new());
            levels.push(hashes.to_vec());
        }
        Some(Self { size, levels })
    }

    /// The number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry; `full` is given each tile that this fills.
    pub fn push(&mut self, leaf: Hash, full: &mut impl FnMut(Tile, &[Hash])) {
        self.size = self.size.saturating_add(1);
        self.raise(0, leaf, full);
    }

    /// Puts a hash on a level, and on those above as long as tiles become full.
    fn raise(&mut self, from: u8, mut hash: Hash, full: &mut impl FnMut(Tile, &[Hash])) {
        for level in from.. {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else {
                return;
            };
            hashes.push(hash);
            if hashes.len() < 256 {
                return;
            }
            let index = (self.size >> (HEIGHT * u32::from(level))).saturating_sub(1) / WIDTH;
            let tile = Tile {
                level,
                index,
                width: WIDTH,
            };
            full(tile, hashes);
            hash = root_of(hashes);
            hashes.clear();
        }
    }

    /// Adds the entries of a full tile, whose root is known already, at once; false, and nothing is added, when the
    /// edge is in the middle of one.
    pub(super) fn push_tile(
        &mut self,
        hashes: &[Hash],
        root: Hash,
        full: &mut impl FnMut(Tile, &[Hash]),
    ) -> bool {
        if !self.size.is_multiple_of(WIDTH) {
            return false;
        }
        let index = self.size / WIDTH;
        full(
            Tile {
                level: 0,
                index,
                width: WIDTH,
            },
            hashes,
        );
        self.size = self.size.saturating_add(WIDTH);
        if self.levels.is_empty() {
            self.levels.push(Vec::new());
        }
        self.raise(1, root, full);
        true
    }

    /// The tiles of the edge.
    pub fn partial(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        Tile::partial(self.size).filter_map(|tile| {
            let hashes = self.levels.get(usize::from(tile.level))?;
            Some((tile, hashes.as_slice()))
        })
    }

    /// The hash of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut subtrees = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let (perfect, later) = rest.split_at(1 << rest.len().ilog2());
                subtrees.push(root_of(perfect));
                rest = later;
            }
        }
        fold(&subtrees)
    }
}

/// Entries `first` to before `end` of the tree: a part that its hash is asked of. `first` is a multiple of the
/// smallest power of two that is not below its length, as all parts of proofs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The first entry.
    pub first: u64,
    /// The one after the last.
    pub end: u64,
}

/// A perfect subtree: of 2^height entries.
#[derive(Clone, Copy)]
struct Node {
    height: u32,
    first: u64,
}

impl Node {
    /// The tile that holds what this is made of, with the hashes of it that are needed.
    fn in_tile(self) -> (u8, u64, std::ops::Range<usize>) {
        let level = self.height / HEIGHT;
        let start = self.first >> (HEIGHT * level);
        let count = 1_usize << (self.height % HEIGHT);
        let from = usize::try_from(start % WIDTH).unwrap_or(usize::MAX);
        (
            u8::try_from(level).unwrap_or(u8::MAX),
            start / WIDTH,
            from..from.saturating_add(count),
        )
    }
}

impl Part {
    fn nodes(self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut first = self.first;
        while first < self.end {
            let height = (self.end - first).ilog2();
            nodes.push(Node { height, first });
            first = first.saturating_add(1 << height);
        }
        nodes
    }

    /// The tiles (level, index) that its hash is made of.
    pub fn tiles(self) -> impl Iterator<Item = (u8, u64)> {
        self.nodes().into_iter().map(|node| {
            let (level, index, _) = node.in_tile();
            (level, index)
        })
    }

    /// Its hash; `None` when a tile is missing or too short.
    #[must_use]
    pub fn hash(self, tiles: &BTreeMap<(u8, u64), Vec<Hash>>) -> Option<Hash> {
        let mut subtrees = Vec::new();
        for node in self.nodes() {
            let (level, index, range) = node.in_tile();
            subtrees.push(root_of(tiles.get(&(level, index))?.get(range)?));
        }
        Some(fold(&subtrees))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::audit::tlog::leaf_hash;

    /// The definition of RFC 6962 §2.1, word by word.
    pub(crate) fn defined(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => sha256(b""),
            1 => leaves[0],
            n => {
                let k = (0..32).map(|e| 1 << e).filter(|k| *k < n).max().unwrap();
                node_hash(&defined(&leaves[..k]), &defined(&leaves[k..]))
            }
        }
    }

    pub(crate) fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    /// Grown one by one, with every tile that was filled or is on the edge.
    pub(crate) fn grown(leaves: &[Hash]) -> (Edge, BTreeMap<(u8, u64), Vec<Hash>>) {
        let (mut edge, mut tiles) = (Edge::default(), BTreeMap::new());
        for leaf in leaves {
            edge.push(*leaf, &mut |tile, hashes| {
                assert_eq!(tiles.insert((tile.level, tile.index), hashes.to_vec()), None);
            });
        }
        for (tile, hashes) in edge.partial() {
            tiles.insert((tile.level, tile.index), hashes.to_vec());
        }
        (edge, tiles)
    }

    #[test]
    fn the_root_is_the_defined_one_at_every_size() {
        let all = leaves(70_000);
        for size in (0..600).chain([65_535, 65_536, 65_537, 65_792, 70_000]) {
            let (edge, tiles) = grown(&all[..size]);
            assert_eq!(edge.root(), defined(&all[..size]), "{size}");
            let size = u64::try_from(size).unwrap();
            assert_eq!(Edge::from_tiles(size, &tiles).unwrap().root(), edge.root());
            assert_eq!(
                tiles.len(),
                Tile::all(size).count(),
                "exactly the tiles of the tree of {size}"
            );
            let whole = Part { first: 0, end: size };
            assert_eq!(whole.hash(&tiles).unwrap(), edge.root());
        }
    }

    #[test]
    fn a_missing_tile_is_told() {
        let (_, mut tiles) = grown(&leaves(300));
        tiles.get_mut(&(0, 1)).unwrap().pop();
        assert_eq!(Edge::from_tiles(300, &tiles), None);
        assert_eq!(Part { first: 0, end: 300 }.hash(&tiles), None);
        assert!(Part { first: 0, end: 299 }.hash(&tiles).is_some());
    }
}
