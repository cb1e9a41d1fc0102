//! The log as the database has it: checkpoint, tiles, bundles and proofs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::{
    audit::{
        leaf::altered,
        sql::log::{self as sql, Logged},
    },
    base::{EntryId, GuestId, micros},
    store::{Conn, Database, Store},
};

use super::{
    Hash, LogError,
    ageing::{Ageing, Retention},
    entry::{self, Link, Source},
    leaf_hash,
    note::Checkpoint,
    proof, receipt,
    tile::{self, Place, Tile, WIDTH},
    tree::{Edge, Part},
};

/// Reads the log of a database. Cheap to clone.
#[derive(Clone)]
pub struct Stored {
    store: Store,
    ageing: Ageing,
}

/// An entry as it is stored, right or wrong.
pub(super) struct Unchecked {
    /// Its bytes; none when its row is gone.
    pub(super) bytes: Vec<u8>,
    /// What beside the leaf is not as the leaf says.
    pub(super) altered: Option<&'static str>,
}

/// A database number as an index.
pub(super) fn index(number: i64) -> Result<u64, LogError> {
    u64::try_from(number).map_err(|_| LogError::Changed("a negative number".to_owned()))
}

/// An index as the database keeps it.
pub(super) fn number(index: u64) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

/// The bytes of an entry, made again from what is stored.
fn bytes(row: &Logged) -> Result<Vec<u8>, LogError> {
    let changed = || LogError::Changed(format!("entry {}", row.log_index));
    let source = Source {
        writer: row.writer,
        sequence: row.writer_seq,
        leaf: &row.leaf,
    };
    let previous = row.previous.as_deref().map(Hash::try_from).transpose();
    let previous = previous.map_err(|_| changed())?;
    let link = match row.subject_seq {
        Some(number) => Some(Link {
            number: u64::try_from(number).map_err(|_| changed())?,
            previous,
        }),
        None => None,
    };
    Ok(source.draft().entry(link.as_ref()))
}

/// The subject of an entry, and its number there.
fn link(bytes: &[u8]) -> Option<([u8; 16], u64)> {
    let (subject, link) = entry::read(bytes)?.subject?;
    Some((subject, link.number))
}

/// The right edge of the tree of this size.
pub(super) async fn edge(db: &mut impl Database, size: u64) -> Result<Edge, LogError> {
    let mut tiles = BTreeMap::new();
    for Tile { level, index, .. } in Tile::partial(size) {
        tiles.insert((level, index), hashes(db, level, index).await?);
    }
    Edge::from_tiles(size, &tiles).ok_or_else(|| LogError::Changed("the tiles of its edge".to_owned()))
}

async fn hashes(db: &mut impl Database, level: u8, index: u64) -> Result<Vec<Hash>, LogError> {
    let changed = || LogError::Changed(format!("tile {index} of level {level}"));
    let bytes = sql::tile(db, level, number(index)).await?.ok_or_else(changed)?;
    tile::split(&bytes).ok_or_else(changed)
}

impl Stored {
    /// Of this database.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self {
            store,
            ageing: Ageing::Unknown,
        }
    }

    /// The same, that may begin late only as this says.
    #[must_use]
    pub fn ageing(self, ageing: Ageing) -> Self {
        Self { ageing, ..self }
    }

    /// How long entries are kept, where that is known.
    pub(super) const fn retention(&self) -> Option<&Retention> {
        match &self.ageing {
            Ageing::After(retention) => Some(retention),
            Ageing::Unknown | Ageing::Never => None,
        }
    }

    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// The newest signed checkpoint with the log's size; `None` before the first.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn checkpoint(&self) -> Result<Option<(u64, String)>, LogError> {
        let head = sql::head(&mut self.store.read().await?).await?;
        head.map(|head| Ok((index(head.size)?, head.checkpoint)))
            .transpose()
    }

    /// The newest checkpoint that a witness cosigned.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn cosigned(&self) -> Result<Option<String>, LogError> {
        Ok(self.store.read().await?.cosigned().await?)
    }

    /// The index of the first entry that is still there: the *minimum index* of C2SP `tlog-tiles`. Hashes of entries
    /// before it stay, so that every proof still holds.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn minimum(&self) -> Result<u64, LogError> {
        index(self.store.read().await?.minimum().await?)
    }

    /// The first entry that must be there, and what is wrong with where the database says that the log begins: then all
    /// of them must.
    pub(super) async fn begins(&self) -> Result<(u64, Option<String>), LogError> {
        let minimum = self.minimum().await?;
        let wrong = self.ageing.wrong(minimum, self.size().await?);
        Ok(if wrong.is_some() {
            (0, wrong)
        } else {
            (minimum, None)
        })
    }

    /// Whether there are hashes of entries, but no head: somebody removed it.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn lacks_head(&self) -> Result<bool, LogError> {
        let mut conn = self.store.read().await?;
        let headless = sql::head(&mut conn).await?.is_none();
        Ok(headless && sql::tile(&mut conn, 0, 0).await?.is_some())
    }

    /// The first entry that a copy of the log must have, whatever the copy says.
    pub(super) async fn may_begin(&self) -> Result<u64, LogError> {
        match self.ageing {
            Ageing::Never => Ok(0),
            Ageing::Unknown | Ageing::After(_) => self.minimum().await,
        }
    }

    /// Since when events wait for an index, and whether a writer's number says that events have one which have none.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn waiting(&self) -> Result<(Option<DateTime<Utc>>, bool), LogError> {
        let mut conn = self.store.read().await?;
        let mut since = None;
        for (writer, next) in sql::news(&mut conn).await? {
            for first in sql::news_of(&mut conn, writer, next, 1).await? {
                // Ids of version 7 begin with their time.
                let Some((seconds, _)) = first.entry_id.get_timestamp().map(|at| at.to_unix()) else {
                    continue;
                };
                let at = i64::try_from(seconds)
                    .ok()
                    .and_then(|at| DateTime::from_timestamp(at, 0));
                since = [since, at].into_iter().flatten().min();
            }
        }
        Ok((since, !conn.writers_ahead().await?.is_empty()))
    }

    /// Whether a writer's next number is beyond what was logged of it: its events would never be.
    pub(super) async fn is_writer_ahead(&self) -> Result<bool, LogError> {
        Ok(!self.store.read().await?.writers_ahead().await?.is_empty())
    }

    /// Removes entries of before a time, whole bundles only, but nothing from the first on that hands data to a third
    /// party at or after `disclosed`: that register is kept longer. Tells where the log begins then.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn prune(&self, before: DateTime<Utc>, disclosed: DateTime<Utc>) -> Result<u64, LogError> {
        let mut conn = self.store.read().await?;
        let mut first = index(conn.minimum().await?)?;
        let kept = conn.first_disclosure(micros(disclosed)).await?;
        let before = kept.map_or(micros(before), |kept| kept.min(micros(before)));
        let young = match conn.first_since(before).await? {
            Some(young) => index(young)?,
            // Nothing is younger: what is not in a full bundle stays.
            None => self.size().await?,
        };
        drop(conn);
        let end = young / WIDTH * WIDTH;
        while first < end {
            let next = first.saturating_add(WIDTH).min(end);
            let mut tx = self.store.begin().await?;
            tx.prune(number(first), number(next)).await?;
            tx.commit().await?;
            first = next;
        }
        Ok(first)
    }

    /// Keeps a cosigned checkpoint of this size, made from `plain`.
    pub(super) async fn keep_cosigned(&self, size: u64, plain: &str, cosigned: &str) -> Result<(), LogError> {
        let mut tx = self.store.begin().await?;
        tx.keep_cosigned(number(size), plain, cosigned).await?;
        Ok(tx.commit().await?)
    }

    /// The log's name; `None` before it was begun.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn origin(&self) -> Result<Option<String>, LogError> {
        let head = sql::head(&mut self.store.read().await?).await?;
        Ok(head.map(|head| head.origin))
    }

    async fn size(&self) -> Result<u64, LogError> {
        Ok(self.checkpoint().await?.map_or(0, |(size, _)| size))
    }

    /// The index of an entry, once it has one.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn index_of(&self, entry: EntryId) -> Result<Option<u64>, LogError> {
        let found = self.store.read().await?.log_index(entry.0).await?;
        found.map(index).transpose()
    }

    /// The entries about a guest, as they are stored: index and bytes. What was removed or changed by hand shows when
    /// they are held together as chains.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn entries_of(&self, guest: GuestId) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
        let rows = self.store.read().await?.log_entries_of(guest.0).await?;
        let entry = |row: &Logged| Ok((index(row.log_index)?, bytes(row)?));
        rows.iter().map(entry).collect()
    }

    /// The number and hash of the last entry of a subject; `None` when there is none.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn chain_end(&self, subject: [u8; 16]) -> Result<Option<(u64, Hash)>, LogError> {
        let Some(end) = self.store.read().await?.chain(subject).await? else {
            return Ok(None);
        };
        let changed = || LogError::Changed("the chain of a subject".to_owned());
        let hash = end.leaf_hash.try_into().map_err(|_| changed())?;
        Ok(Some((index(end.seq)?, hash)))
    }

    /// The receipt of an entry in the newest tree.
    ///
    /// # Errors
    /// [`LogError::Absent`] when the entry has no index yet.
    pub async fn receipt(&self, at: u64) -> Result<String, LogError> {
        let (size, checkpoint) = self.checkpoint().await?.ok_or(LogError::Absent)?;
        let (_, proof) = self.inclusion(at, size).await?;
        Ok(receipt::write(at, &proof, &checkpoint))
    }

    /// The bytes at a path; `None` when the log does not reach it.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn at(&self, place: Place) -> Result<Option<Vec<u8>>, LogError> {
        let (Place::Tile(wanted) | Place::Bundle(wanted)) = place;
        let size = self.size().await?;
        let there = Tile::in_tree(wanted.level, wanted.index, size);
        if there.is_none_or(|there| there.width < wanted.width) {
            return Ok(None);
        }
        let mut conn = self.store.read().await?;
        match place {
            Place::Tile(_) => {
                let mut hashes = hashes(&mut conn, wanted.level, wanted.index).await?;
                hashes.truncate(usize::try_from(wanted.width).unwrap_or(usize::MAX));
                Ok(Some(tile::join(&hashes)))
            }
            Place::Bundle(_) => {
                let found = bundle(&mut conn, wanted).await;
                drop(conn);
                // Read after the rows, because they may be removed meanwhile.
                let (minimum, _) = self.begins().await?;
                // Whatever the database says of its beginning: what is there is given, and only what may be missing
                // is missed in silence.
                let lacking = matches!(&found, Err(LogError::Changed(_)));
                if lacking && there.is_some_and(|there| there.is_before(minimum)) {
                    return Ok(None);
                }
                found.map(Some)
            }
        }
    }

    /// The bytes of an entry, held against what was signed.
    ///
    /// # Errors
    /// [`LogError::Absent`], [`LogError::Changed`].
    pub async fn entry(&self, at: u64) -> Result<Vec<u8>, LogError> {
        let mut conn = self.store.read().await?;
        let rows = sql::entries(&mut conn, number(at), number(at.saturating_add(1))).await?;
        let row = rows.first().ok_or(LogError::Absent)?;
        bytes(row)
    }

    /// The hashes that prove that entry `at` is in the tree of `size` entries, and the entry's own.
    ///
    /// # Errors
    /// [`LogError::Absent`].
    pub async fn inclusion(&self, at: u64, size: u64) -> Result<(Hash, Vec<Hash>), LogError> {
        if size > self.size().await? {
            return Err(LogError::Absent);
        }
        let parts = proof::inclusion(at, size).ok_or(LogError::Absent)?;
        let own = Part {
            first: at,
            end: at.saturating_add(1),
        };
        let mut all = self.parts(&[&[own], parts.as_slice()].concat()).await?;
        let leaf = all.remove(0);
        Ok((leaf, all))
    }

    /// The hashes that prove that the tree of `to` entries begins with that of `from`.
    ///
    /// # Errors
    /// [`LogError::Absent`].
    pub async fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>, LogError> {
        if to > self.size().await? {
            return Err(LogError::Absent);
        }
        let parts = proof::consistency(from, to).ok_or(LogError::Absent)?;
        self.parts(&parts).await
    }

    /// The hash of the tree as it was at this size.
    ///
    /// # Errors
    /// [`LogError::Absent`] when it never was so large.
    pub async fn root_at(&self, size: u64) -> Result<Hash, LogError> {
        if size > self.size().await? {
            return Err(LogError::Absent);
        }
        let whole = Part { first: 0, end: size };
        let root = self.parts(&[whole]).await?;
        root.first().copied().ok_or(LogError::Absent)
    }

    /// Whether the log is this checkpoint's, or has grown from it.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn holds(&self, checkpoint: &Checkpoint) -> Result<bool, LogError> {
        match self.root_at(checkpoint.size).await {
            Ok(root) => Ok(root == checkpoint.root),
            Err(LogError::Absent) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Whether what is signed here is another log than an older checkpoint's, which it does not hold; else the tiles in
    /// between are not those that were signed.
    pub(super) async fn forks(&self, old: &Checkpoint, signed: &Checkpoint) -> Result<bool, LogError> {
        if old.size == signed.size {
            return Ok(old.root != signed.root);
        }
        let (root, proof) = match (
            self.root_at(old.size).await,
            self.consistency(old.size, signed.size).await,
        ) {
            (Ok(root), Ok(proof)) => (root, proof),
            (Err(LogError::Store(error)), _) | (_, Err(LogError::Store(error))) => return Err(error.into()),
            _ => return Ok(false),
        };
        let signed = (signed.size, &signed.root);
        Ok(root != old.root && proof::verify_consistency((old.size, &root), signed, &proof))
    }

    /// The entries from the first to before the second as they are, right or wrong; one that is gone is empty.
    ///
    /// What cannot even be read is told as altered.
    pub(super) async fn unchecked(&self, first: u64, end: u64) -> Result<Vec<Unchecked>, LogError> {
        let (rows, unreadable) = self.readable(first, end).await?;
        let work = move || {
            let mut rows = rows.iter().peekable();
            let entry = |at| {
                let row = rows.next_if(|row| row.log_index == number(at));
                let unread = unreadable.contains(&at).then_some("its row");
                Unchecked {
                    bytes: row.and_then(|row| bytes(row).ok()).unwrap_or_default(),
                    altered: unread.or_else(|| row.and_then(|row| altered(&row.columns, &row.leaf))),
                }
            };
            let found: Vec<Unchecked> = (first..end).map(entry).collect();
            let links = found.iter().map(|entry| link(&entry.bytes)).collect();
            (found, links)
        };
        // Beside the requests that are answered: thousands of entries take some milliseconds.
        let worked = tokio::task::spawn_blocking(work).await;
        let (mut found, links): (_, Vec<_>) = worked.map_err(|error| LogError::Changed(error.to_string()))?;
        self.hold_chains(first, &mut found, &links).await?;
        Ok(found)
    }

    /// Holds the ends of chains against these entries: nothing signs the ends, and a report of accesses is as long as
    /// they say. Read after the entries, an end is at none of them or after it.
    async fn hold_chains(
        &self,
        first: u64,
        entries: &mut [Unchecked],
        links: &[Option<([u8; 16], u64)>],
    ) -> Result<(), LogError> {
        let subjects: BTreeSet<[u8; 16]> = links.iter().flatten().map(|(subject, _)| *subject).collect();
        let subjects: Vec<[u8; 16]> = subjects.into_iter().collect();
        let mut ends = BTreeMap::new();
        for end in sql::ends(&mut self.store.read().await?, &subjects).await? {
            ends.insert(end.subject, (end.seq, end.leaf_hash));
        }
        let followed = self.followed(first).await?;
        let mut later = BTreeSet::new();
        // From the last on, so that what follows in these entries is known.
        for (entry, link) in entries.iter_mut().zip(links).rev() {
            let Some((subject, at)) = link else { continue };
            let goes_on = !later.insert(subject)
                || followed
                    .as_ref()
                    .is_none_or(|followed| followed.contains(leaf_hash(&entry.bytes).as_slice()));
            let right = ends.get(subject.as_slice()).is_some_and(|(seq, end)| {
                let at = number(*at);
                (at < *seq && goes_on) || (at == *seq && *end == leaf_hash(&entry.bytes))
            });
            if !right {
                entry.altered = entry.altered.or(Some("log_subject"));
            }
        }
        Ok(())
    }

    /// The hashes of a tile as they are stored.
    pub(super) async fn tile(&self, wanted: Tile) -> Result<Vec<Hash>, LogError> {
        let mut hashes = hashes(&mut self.store.read().await?, wanted.level, wanted.index).await?;
        hashes.truncate(usize::try_from(wanted.width).unwrap_or(usize::MAX));
        Ok(hashes)
    }

    /// The hashes of some tiles of the bottom that follow each other, as they are stored.
    pub(super) async fn tiles(&self, wanted: &[Tile]) -> Result<Vec<Vec<Hash>>, LogError> {
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else {
            return Ok(Vec::new());
        };
        let end = number(last.index.saturating_add(1));
        let mut conn = self.store.read().await?;
        let stored: BTreeMap<i64, Vec<u8>> = sql::tiles(&mut conn, number(first.index), end)
            .await?
            .into_iter()
            .collect();
        drop(conn);
        let hashes = |tile: &Tile| {
            let changed = || LogError::Changed(format!("tile {} of level 0", tile.index));
            let bytes = stored.get(&number(tile.index)).ok_or_else(changed)?;
            let mut hashes = tile::split(bytes).ok_or_else(changed)?;
            hashes.truncate(usize::try_from(tile.width).unwrap_or(usize::MAX));
            Ok(hashes)
        };
        wanted.iter().map(hashes).collect()
    }

    /// The root of the tree of this size, by its right edge.
    pub(super) async fn edge_root(&self, size: u64) -> Result<Hash, LogError> {
        Ok(edge(&mut self.store.read().await?, size).await?.root())
    }

    async fn parts(&self, parts: &[Part]) -> Result<Vec<Hash>, LogError> {
        let mut conn = self.store.read().await?;
        let mut tiles = BTreeMap::new();
        let wanted: BTreeSet<(u8, u64)> = parts.iter().flat_map(|part| part.tiles()).collect();
        for (level, at) in wanted {
            tiles.insert((level, at), hashes(&mut conn, level, at).await?);
        }
        let hash = |part: &Part| part.hash(&tiles);
        let found: Option<Vec<Hash>> = parts.iter().map(hash).collect();
        found.ok_or_else(|| LogError::Changed("a tile that is too short".to_owned()))
    }
}

/// The bundle, after its entries were held against the tile: what does not hash to what was signed is not handed out.
async fn bundle(conn: &mut Conn, wanted: Tile) -> Result<Vec<u8>, LogError> {
    let first = wanted.first_entry();
    let end = first.saturating_add(wanted.width);
    let rows = sql::entries(conn, number(first), number(end)).await?;
    let signed = hashes(conn, 0, wanted.index).await?;
    let mut rows = rows.iter().peekable();
    let mut entries = Vec::new();
    for (at, hash) in (first..end).zip(signed) {
        let changed = || LogError::Changed(format!("entry {at}"));
        let row = rows
            .next_if(|row| row.log_index == number(at))
            .ok_or_else(changed)?;
        let entry = bytes(row)?;
        if leaf_hash(&entry) != hash {
            return Err(changed());
        }
        entries.push(entry);
    }
    let whole = u64::try_from(entries.len()).is_ok_and(|count| count == wanted.width);
    let bytes = tile::bundle(&entries).filter(|_| whole);
    bytes.ok_or_else(|| LogError::Changed(format!("tile {} of level 0", wanted.index)))
}
