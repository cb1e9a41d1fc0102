//! The bottom of the tree, read ahead of the walk that joins it: entries held against the hashes of their tile. Several
//! runs of tiles at a time, each on a thread of its own where they lie in a folder.

use std::{ops::Range, path::Path};

use futures_util::{Stream, StreamExt, stream};

use super::{
    Hash,
    entry::{self, Read},
    files, leaf_hash,
    tile::{self, Tile, WIDTH},
    tree::root_of,
    verify::Source,
};

/// So many tiles are one piece of work.
const RUN: u64 = 16;
/// So many pieces are under way.
const AHEAD: usize = 4;

/// A tile of the bottom, with its entries.
pub(super) struct Bottom {
    pub(super) tile: Tile,
    /// The hashes as the tile has them; those of the entries where there is none.
    pub(super) hashes: Vec<Hash>,
    /// The hash over a full tile.
    pub(super) root: Option<Hash>,
    /// What a verifier needs of each entry; nothing of what is no entry.
    pub(super) entries: Vec<Option<Read>>,
    /// What does not add up, and at which entry.
    pub(super) wrong: Vec<(u64, String)>,
}

/// All tiles of the bottom, in order; entries are looked at from `begins_at` on.
pub(super) fn ahead(source: &Source, size: u64, begins_at: u64) -> impl Stream<Item = Vec<Bottom>> {
    let tiles = size.div_ceil(WIDTH);
    let runs = (0..tiles.div_ceil(RUN)).map(move |run| run * RUN..tiles.min((run + 1) * RUN));
    stream::iter(runs)
        .map(move |run| look(source, run, (size, begins_at)))
        .buffered(AHEAD)
}

async fn look(source: &Source, run: Range<u64>, (size, begins_at): (u64, u64)) -> Vec<Bottom> {
    let tiles = run.clone().filter_map(move |index| Tile::in_tree(0, index, size));
    if let Source::Folder(folder) = source {
        let folder = folder.clone();
        let work = move || tiles.map(|tile| in_folder(&folder, tile, begins_at)).collect();
        return match tokio::task::spawn_blocking(work).await {
            Ok(found) => found,
            Err(error) => vec![unread(Tile::in_tree(0, run.start, size), &error)],
        };
    }
    let mut found = Vec::new();
    for tile in tiles {
        found.push(elsewhere(source, tile, begins_at).await);
    }
    found
}

/// What is told when the work on a run ended early: nothing of it was looked at.
fn unread(first: Option<Tile>, error: &tokio::task::JoinError) -> Bottom {
    let tile = first.unwrap_or(Tile {
        level: 0,
        index: 0,
        width: 1,
    });
    Bottom {
        tile,
        hashes: Vec::new(),
        root: None,
        entries: Vec::new(),
        wrong: vec![(tile.first_entry(), format!("could not be looked at: {error}"))],
    }
}

fn in_folder(folder: &Path, tile: Tile, begins_at: u64) -> Bottom {
    let hashes = file(folder, tile, Tile::path).and_then(|bytes| hashes(&bytes, tile));
    if tile.is_before(begins_at) {
        return Bottom::of(tile, hashes, None::<Result<Vec<&[u8]>, String>>);
    }
    match file(folder, tile, Tile::bundle_path) {
        Ok(bytes) => Bottom::of(tile, hashes, Some(entries(&bytes, tile))),
        Err(told) => Bottom::of(tile, hashes, Some(Err::<Vec<&[u8]>, _>(told))),
    }
}

async fn elsewhere(source: &Source, tile: Tile, begins_at: u64) -> Bottom {
    let hashes = source.hashes(tile).await;
    if tile.is_before(begins_at) {
        return Bottom::of(tile, hashes, None::<Result<Vec<&[u8]>, String>>);
    }
    match source.entries(tile).await {
        Ok((entries, altered)) => {
            let mut bottom = Bottom::of(tile, hashes, Some(Ok(entries)));
            let told = |column| format!("{column} in the database is not what the entry says");
            let altered = altered.into_iter().map(|(at, column)| (at, told(column)));
            bottom.wrong = altered.chain(bottom.wrong).collect();
            bottom
        }
        Err(told) => Bottom::of(tile, hashes, Some(Err::<Vec<Vec<u8>>, _>(told))),
    }
}

/// The file of a tile, or of the same tile when it was fuller.
fn file(folder: &Path, tile: Tile, path: impl Fn(&Tile) -> String) -> Result<Vec<u8>, String> {
    let full = Tile { width: WIDTH, ..tile };
    for tile in [tile, full] {
        let name = path(&tile);
        match files::read(folder, &name) {
            Ok(Some(bytes)) => return Ok(bytes),
            Ok(None) => {}
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
    Err(format!("{} is missing", path(&tile)))
}

/// The hashes of a tile's bytes.
pub(super) fn hashes(bytes: &[u8], wanted: Tile) -> Result<Vec<Hash>, String> {
    let hashes = tile::split(bytes).unwrap_or_default();
    cut(hashes, wanted).ok_or_else(|| format!("{} has another length", wanted.path()))
}

/// The entries of a bundle's bytes.
pub(super) fn entries(bytes: &[u8], wanted: Tile) -> Result<Vec<&[u8]>, String> {
    let entries = tile::unbundle(bytes).unwrap_or_default();
    cut(entries, wanted).ok_or_else(|| format!("{} does not come apart", wanted.bundle_path()))
}

/// The first of them, when there are as many as wanted, or as in a full tile.
fn cut<T>(mut items: Vec<T>, wanted: Tile) -> Option<Vec<T>> {
    let width = usize::try_from(wanted.width).ok()?;
    let full = usize::try_from(WIDTH).ok()?;
    let fits = items.len() == width || items.len() == full;
    items.truncate(width);
    fits.then_some(items)
}

impl Bottom {
    /// Holds entries against hashes; without entries (they were pruned) there is nothing to hold.
    fn of<E: AsRef<[u8]>>(
        tile: Tile,
        hashes: Result<Vec<Hash>, String>,
        entries: Option<Result<Vec<E>, String>>,
    ) -> Self {
        let first = tile.first_entry();
        let mut wrong = Vec::new();
        let mut or_tell = |told| wrong.push((first, told));
        let signed = hashes.map_err(&mut or_tell).ok();
        let pruned = entries.is_none();
        let entries = entries.and_then(|entries| entries.map_err(&mut or_tell).ok());
        let entries = entries.unwrap_or_default();
        let own: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry.as_ref())).collect();
        if let Some(signed) = &signed {
            for ((at, own), signed) in (first..).zip(&own).zip(signed) {
                if own != signed {
                    wrong.push((at, "the entry is not the one that the tree holds".to_owned()));
                }
            }
        }
        let hashes = match signed {
            Some(signed) => signed,
            None if pruned => Vec::new(),
            None => own,
        };
        let full = tile.width == WIDTH && hashes.len() == own_width();
        Self {
            tile,
            root: full.then(|| root_of(&hashes)),
            hashes,
            entries: entries.iter().map(|entry| entry::read(entry.as_ref())).collect(),
            wrong,
        }
    }
}

/// Hashes of a full tile.
fn own_width() -> usize {
    usize::try_from(WIDTH).unwrap_or(usize::MAX)
}
