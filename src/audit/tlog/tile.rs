//! Tiles and bundles: which part of the tree each holds, and its path (C2SP `tlog-tiles`).

use super::Hash;

/// Hashes of a full tile, entries of a full bundle.
pub const WIDTH: u64 = 256;
/// Levels of the tree that a tile spans.
pub const HEIGHT: u32 = 8;
/// The deepest level of tiles there can be: 2^63 entries.
pub const LEVELS: u8 = 8;

/// A tile: `width` hashes of subtrees with 256^`level` leaves each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 for the hashes of entries.
    pub level: u8,
    /// From 0.
    pub index: u64,
    /// 1 to 256.
    pub width: u64,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Hashes.
    Tile(Tile),
    /// Entries; the level is 0.
    Bundle(Tile),
}

/// An index in groups of three digits, all but the last after an `x`.
fn number(index: u64) -> String {
    let mut text = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

fn parse_number(parts: &[&str]) -> Option<u64> {
    let (last, groups) = parts.split_last()?;
    let mut index: u64 = 0;
    let digits = groups
        .iter()
        .map(|group| group.strip_prefix('x'))
        .chain([Some(*last)]);
    for group in digits {
        let group = group.filter(|g| g.len() == 3 && g.bytes().all(|b| b.is_ascii_digit()))?;
        index = index.checked_mul(1000)?.checked_add(group.parse().ok()?)?;
    }
    Some(index)
}

impl Tile {
    /// The tile of this level and index in a tree of so many entries: full, partial, or none.
    #[must_use]
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(HEIGHT.saturating_mul(level.into())).unwrap_or(0);
        let width = hashes.saturating_sub(index.checked_mul(WIDTH)?).min(WIDTH);
        (width > 0).then_some(Self { level, index, width })
    }

    /// All tiles of a tree of so many entries, level by level.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        (0..LEVELS).flat_map(move |level| (0..).map_while(move |index| Self::in_tree(level, index, size)))
    }

    /// All tiles of a tree that are not full: one a level at most.
    pub fn partial(size: u64) -> impl Iterator<Item = Self> {
        (0..LEVELS).filter_map(move |level| {
            let hashes = size.checked_shr(HEIGHT.saturating_mul(level.into())).unwrap_or(0);
            Self::in_tree(level, hashes / WIDTH, size)
        })
    }

    /// Where its hashes lie, such as `tile/0/x001/234.p/7`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, self.tail())
    }

    /// Where the entries of a tile of level 0 lie.
    #[must_use]
    pub fn bundle_path(&self) -> String {
        format!("tile/entries/{}", self.tail())
    }

    fn tail(&self) -> String {
        let number = number(self.index);
        if self.width == WIDTH {
            number
        } else {
            format!("{number}.p/{}", self.width)
        }
    }

    /// Whether a tree of this size ends within its entries, when it is of level 0: after the first of them, or before it.
    #[must_use]
    pub const fn holds(&self, size: u64) -> bool {
        let first = self.first_entry();
        first <= size && size < first.saturating_add(self.width)
    }

    /// Whether all its entries lie before this one, so that they may have been removed: only of full tiles of level 0.
    #[must_use]
    pub const fn is_before(&self, minimum: u64) -> bool {
        self.width == WIDTH && self.first_entry().saturating_add(WIDTH) <= minimum
    }

    /// The first entry below it, and the number of them, when it is of level 0.
    #[must_use]
    pub const fn first_entry(&self) -> u64 {
        self.index.saturating_mul(WIDTH)
    }
}

impl Place {
    /// What lies at the path after `tile/`; there is one spelling for each place.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, tail) = path.split_once('/')?;
        let (number, width) = match tail.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (tail, WIDTH),
        };
        let parts: Vec<&str> = number.split('/').collect();
        let index = parse_number(&parts)?;
        let place = if kind == "entries" {
            Self::Bundle(Tile {
                level: 0,
                index,
                width,
            })
        } else {
            Self::Tile(Tile {
                level: kind.parse().ok().filter(|level| *level < LEVELS)?,
                index,
                width,
            })
        };
        (1..=WIDTH).contains(&width).then_some(())?;
        (place.path().strip_prefix("tile/") == Some(path)).then_some(place)
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Tile(tile) => tile.path(),
            Self::Bundle(tile) => tile.bundle_path(),
        }
    }
}

/// Hashes one after the other.
#[must_use]
pub fn join(hashes: &[Hash]) -> Vec<u8> {
    hashes.concat()
}

/// The hashes of a tile's bytes; `None` when a piece is left over.
#[must_use]
pub fn split(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| hashes.to_vec())
}

/// Entries one after the other, each after its length; `None` when one has more than 65,535 bytes.
#[must_use]
pub fn bundle(entries: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Some(bytes)
}

/// The entries of a bundle; `None` when its lengths do not come out even.
#[must_use]
pub fn unbundle(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bytes = rest;
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_standard() {
        let tile = |level, index, width| Tile { level, index, width };
        for (at, path) in [
            (tile(0, 0, 256), "tile/0/000"),
            (tile(1, 67, 5), "tile/1/067.p/5"),
            (tile(0, 1_234_067, 256), "tile/0/x001/x234/067"),
            (tile(3, 1_000, 255), "tile/3/x001/000.p/255"),
        ] {
            assert_eq!(at.path(), path);
            assert_eq!(Place::parse(&path[5..]), Some(Place::Tile(at)));
        }
        assert_eq!(tile(0, 5, 1).bundle_path(), "tile/entries/005.p/1");
        for wrong in [
            "0/0",
            "0/0000",
            "0/x000/001",
            "0/001.p/256",
            "0/001.p/0",
            "0/001.p/07",
            "8/001",
            "00/001",
            "0/001/",
            "x/001",
            "0/../001",
            "0/+01",
            "entries/001.p/",
            "0/x001",
            "0",
        ] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_tiles_of_a_tree_hold_every_full_subtree_once() {
        let tiles: Vec<String> = Tile::all(70_000)
            .filter(|t| t.level > 0)
            .map(|t| t.path())
            .collect();
        assert_eq!(tiles, ["tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
        assert_eq!(
            Tile::all(70_000)
                .filter(|t| t.level == 0)
                .map(|t| t.width)
                .sum::<u64>(),
            70_000
        );
        let partial: Vec<String> = Tile::partial(70_000).map(|t| t.path()).collect();
        assert_eq!(partial, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
        assert_eq!(Tile::all(0).count(), 0);
        assert_eq!(
            Tile::partial(256).map(|t| t.path()).collect::<Vec<_>>(),
            ["tile/1/000.p/1"]
        );
    }

    #[test]
    fn bundles_come_apart_as_they_were_put_together() {
        let entries = vec![b"one".to_vec(), Vec::new(), vec![7; 65_535]];
        let bytes = bundle(&entries).unwrap();
        assert_eq!(unbundle(&bytes).unwrap(), entries);
        assert_eq!(unbundle(&bytes[..bytes.len() - 1]), None);
        assert_eq!(bundle(&[vec![0; 65_536]]), None);
    }
}
