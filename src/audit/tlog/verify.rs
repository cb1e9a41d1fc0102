//! Checks a whole log against its signed checkpoint: a folder that was mirrored, or the database itself.

use std::{collections::HashMap, io, path::PathBuf};

use data_encoding::BASE64;
use serde::Serialize;
use uuid::Uuid;

use super::{
    Hash, LogError, Stored,
    cosignature::Cosigner,
    entry, leaf_hash,
    note::{Checkpoint, NoteError, Verifier},
    remote::Remote,
    tile::{self, Place, Tile, WIDTH},
    tree::Edge,
};

/// So many findings are kept; the first says where to look.
const MOST: usize = 100;

/// Where the log is read from.
pub enum Source {
    /// A folder in the layout of C2SP `tlog-tiles`.
    Folder(PathBuf),
    /// The same layout below an address: a vault's `/v1/audit/log`, or a mirror behind a web server.
    Remote(Remote),
    /// The database.
    Database(Stored),
}

/// Something that does not add up.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Finding {
    /// The first entry that it is about, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// What.
    pub what: String,
}

/// A witness's last word.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Witnessed {
    /// Its name.
    pub name: String,
    /// The size of the log that it cosigned.
    pub size: u64,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// What a log is held against, besides its own checkpoint.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// An older checkpoint, that it must have grown from.
    pub since: Option<Checkpoint>,
    /// Witnesses, of whom so many must have cosigned it.
    pub witnesses: (Vec<Cosigner>, usize),
}

impl From<Option<Checkpoint>> for Expected {
    fn from(since: Option<Checkpoint>) -> Self {
        Self {
            since,
            ..Self::default()
        }
    }
}

/// How a log was found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The log's name.
    pub origin: String,
    /// The number of entries that the checkpoint speaks of.
    pub size: u64,
    /// The hash of the tree, base64.
    pub root: String,
    /// Every entry and every tile is what was signed.
    pub intact: bool,
    /// No number of a writer is missing, and no event was unreadable when it was logged.
    pub complete: bool,
    /// The chain of each subject has no gap.
    pub chained: bool,
    /// The log has only grown since the older checkpoint; `None` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consistent: Option<bool>,
    /// Enough of the named witnesses cosigned this log; `None` when none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witnessed: Option<bool>,
    /// What each of them cosigned last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<Witnessed>,
    /// The first entry that something is wrong with, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_bad_index: Option<u64>,
    /// What is wrong, at most 100 of it.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether all is well.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let outside = self.consistent != Some(false) && self.witnessed != Some(false);
        self.intact && self.complete && self.chained && outside
    }

    fn find(&mut self, index: Option<u64>, what: impl Into<String>) {
        if let Some(at) = index {
            self.first_bad_index = Some(self.first_bad_index.map_or(at, |first| first.min(at)));
        }
        if self.findings.len() < MOST {
            let what = what.into();
            self.findings.push(Finding { index, what });
        }
    }

    fn broken(&mut self, index: Option<u64>, what: impl Into<String>) {
        self.intact = false;
        self.find(index, what);
    }
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no checkpoint.
    #[error("there is no checkpoint: {0}")]
    NoCheckpoint(String),
    /// The checkpoint is not one of this log.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
    /// The database.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Source {
    async fn checkpoint(&self) -> Result<Vec<u8>, VerifyError> {
        match self {
            Self::Folder(folder) => tokio::fs::read(folder.join("checkpoint"))
                .await
                .map_err(|cause| VerifyError::NoCheckpoint(cause.to_string())),
            Self::Remote(remote) => match remote.fetch("checkpoint").await {
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => Err(VerifyError::NoCheckpoint("404".to_owned())),
                Err(cause) => Err(VerifyError::NoCheckpoint(cause)),
            },
            Self::Database(stored) => match stored.checkpoint().await? {
                Some((_, text)) => Ok(text.into_bytes()),
                None => Err(VerifyError::NoCheckpoint("the log was never begun".to_owned())),
            },
        }
    }

    /// The checkpoint that was kept for the lines of witnesses.
    async fn cosigned(&self) -> Result<Option<Vec<u8>>, VerifyError> {
        match self {
            Self::Database(stored) => Ok(stored.cosigned().await?.map(String::into_bytes)),
            _ => self.file("cosigned").await.map_err(VerifyError::NoCheckpoint),
        }
    }

    /// The bytes at a place, or of the same place when it was fuller; what is wrong otherwise.
    async fn read(&self, place: Place) -> Result<Vec<u8>, String> {
        if let Self::Database(stored) = self {
            let found = stored.at(place).await.map_err(|error| error.to_string())?;
            return found.ok_or_else(|| format!("{} is missing", place.path()));
        }
        let full = match place {
            Place::Tile(tile) => Place::Tile(Tile { width: WIDTH, ..tile }),
            Place::Bundle(tile) => Place::Bundle(Tile { width: WIDTH, ..tile }),
        };
        for path in [place.path(), full.path()] {
            if let Some(bytes) = self.file(&path).await? {
                return Ok(bytes);
            }
        }
        Err(format!("{} is missing", place.path()))
    }

    /// A file of the layout; `None` when there is none.
    async fn file(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Folder(folder) => match tokio::fs::read(folder.join(path)).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(format!("{path}: {error}")),
            },
            Self::Remote(remote) => remote
                .fetch(path)
                .await
                .map_err(|cause| format!("{path}: {cause}")),
            Self::Database(_) => Ok(None),
        }
    }

    async fn hashes(&self, wanted: Tile) -> Result<Vec<Hash>, String> {
        let bytes = self.read(Place::Tile(wanted)).await?;
        let hashes = tile::split(&bytes).unwrap_or_default();
        cut(hashes, wanted).ok_or_else(|| format!("{} has another length", wanted.path()))
    }

    /// The entries of a bundle; what in a database is not as they say goes into the report.
    async fn entries(&self, wanted: Tile, report: &mut Report) -> Result<Vec<Vec<u8>>, String> {
        if let Self::Database(stored) = self {
            let rows = stored
                .unchecked(wanted)
                .await
                .map_err(|error| error.to_string())?;
            for (at, row) in (wanted.first_entry()..).zip(&rows) {
                if let Some(column) = row.altered {
                    report.broken(
                        Some(at),
                        format!("{column} in the database is not what the entry says"),
                    );
                }
            }
            return Ok(rows.into_iter().map(|row| row.bytes).collect());
        }
        let bytes = self.read(Place::Bundle(wanted)).await?;
        let entries = tile::unbundle(&bytes).unwrap_or_default();
        let entries = entries.into_iter().map(<[u8]>::to_vec).collect();
        cut(entries, wanted).ok_or_else(|| format!("{} does not come apart", wanted.bundle_path()))
    }
}

/// The first of them, when there are as many as wanted, or as in a full tile.
fn cut<T>(mut items: Vec<T>, wanted: Tile) -> Option<Vec<T>> {
    let width = usize::try_from(wanted.width).ok()?;
    let full = usize::try_from(WIDTH).ok()?;
    let fits = items.len() == width || items.len() == full;
    items.truncate(width);
    fits.then_some(items)
}

/// Where the writers and subjects are.
#[derive(Default)]
struct Lines {
    writers: HashMap<Uuid, i64>,
    subjects: HashMap<[u8; 16], (u64, Hash)>,
}

impl Lines {
    fn follow(&mut self, index: u64, bytes: &[u8], hash: Hash, report: &mut Report) {
        let Some(read) = entry::read(bytes) else {
            report.complete = false;
            return report.find(Some(index), "the entry is none of a vault");
        };
        if !read.readable {
            report.complete = false;
            report.find(Some(index), "the event was damaged before it was logged");
        }
        let expected = self.writers.entry(read.writer).or_insert(1);
        if read.sequence != *expected {
            report.complete = false;
            let (writer, last) = (read.writer, read.sequence.saturating_sub(1));
            let what = format!("writer {writer}: numbers {expected} to {last} are missing before this entry");
            report.find(Some(index), what);
        }
        *expected = read.sequence.saturating_add(1);
        let Some((subject, link)) = read.subject else {
            return;
        };
        let before = self.subjects.get(&subject);
        let (number, previous) =
            before.map_or((1, None), |(last, hash)| (last.saturating_add(1), Some(*hash)));
        if (link.number, link.previous) != (number, previous) {
            report.chained = false;
            report.find(
                Some(index),
                format!("the chain of its subject breaks before its entry {}", link.number),
            );
        }
        self.subjects.insert(subject, (link.number, hash));
    }
}

/// The newest checkpoint with the word of witnesses.
struct Cosigned {
    checkpoint: Checkpoint,
    by: Vec<Witnessed>,
}

impl Cosigned {
    /// The published checkpoint, where it has their lines; else the one that was kept for them.
    async fn find(
        source: &Source,
        verifier: &Verifier,
        witnesses: &[Cosigner],
        newest: &[u8],
    ) -> Result<Option<Self>, VerifyError> {
        if witnesses.is_empty() {
            return Ok(None);
        }
        let of = |note: &[u8]| -> Result<Self, NoteError> {
            let checkpoint = verifier.open(note)?;
            let word = |witness: &Cosigner| {
                Some(Witnessed {
                    name: witness.name().to_owned(),
                    size: checkpoint.size,
                    at: witness.cosigned_note(note)?,
                })
            };
            let by = witnesses.iter().filter_map(word).collect();
            Ok(Self { checkpoint, by })
        };
        let newest = of(newest)?;
        let kept = match source.cosigned().await? {
            Some(note) => Some(of(&note)?),
            None => None,
        };
        let more = |kept: &Self| kept.by.len() > newest.by.len();
        Ok(Some(kept.filter(more).unwrap_or(newest)))
    }
}

/// Checks all of a log; `progress` is told the number of entries checked and of all.
///
/// # Errors
/// When there is no checkpoint that the verifier accepts.
pub async fn verify(
    source: &Source,
    verifier: &Verifier,
    expected: impl Into<Expected>,
    mut progress: impl FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    let Expected { since, witnesses } = expected.into();
    let newest = source.checkpoint().await?;
    let signed = verifier.open(&newest)?;
    let cosigned = Cosigned::find(source, verifier, &witnesses.0, &newest).await?;
    let mut report = Report {
        origin: verifier.name().to_owned(),
        size: signed.size,
        root: BASE64.encode(&signed.root),
        intact: true,
        complete: true,
        chained: true,
        consistent: since.map(|_| false),
        witnessed: (!witnesses.0.is_empty()).then_some(false),
        witnesses: Vec::new(),
        first_bad_index: None,
        findings: Vec::new(),
    };
    let (mut edge, mut lines) = (Edge::default(), Lines::default());
    let mut upper = Vec::new();
    let (mut then, mut witnessed) = (None, None);
    let bottom = (0..).map_while(|index| Tile::in_tree(0, index, signed.size));
    for wanted in bottom {
        let (leaves, entries) = bottom_tile(source, wanted, &mut report).await;
        for (at, leaf) in (wanted.first_entry()..).zip(leaves) {
            if since.is_some_and(|old| old.size == at) {
                then = Some(edge.root());
            }
            if cosigned.as_ref().is_some_and(|c| c.checkpoint.size == at) {
                witnessed = Some(edge.root());
            }
            if let Some(bytes) = entries.get(usize::try_from(at % WIDTH).unwrap_or(usize::MAX)) {
                lines.follow(at, bytes, leaf, &mut report);
            }
            edge.push(leaf, &mut |tile, hashes| upper.push((tile, hashes.to_vec())));
        }
        for (tile, hashes) in upper.drain(..) {
            compare(source, tile, &hashes, &mut report).await;
        }
        progress(wanted.first_entry().saturating_add(wanted.width), signed.size);
    }
    for (tile, hashes) in edge.partial() {
        compare(source, tile, hashes, &mut report).await;
    }
    if edge.size() != signed.size || edge.root() != signed.root {
        report.broken(None, "the tree is not the signed one");
    }
    if let Some(cosigned) = cosigned {
        if cosigned.checkpoint.size == edge.size() {
            witnessed = Some(edge.root());
        }
        if witnessed == Some(cosigned.checkpoint.root) {
            report.witnessed = Some(cosigned.by.len() >= witnesses.1 && report.intact);
            report.witnesses = cosigned.by;
        } else {
            report.find(None, "what the witnesses cosigned is not this log");
        }
    }
    if report.witnessed == Some(false) {
        let what = format!(
            "{} of {} witnesses cosigned it, {} are needed",
            report.witnesses.len(),
            witnesses.0.len(),
            witnesses.1
        );
        report.find(None, what);
    }
    if let Some(old) = since {
        if old.size == edge.size() {
            then = Some(edge.root());
        }
        report.consistent = Some(then == Some(old.root) && report.intact);
        if old.size > signed.size {
            let what = format!(
                "the log is shorter than it was: {} entries then, {} now",
                old.size, signed.size
            );
            report.find(Some(signed.size), what);
        } else if then != Some(old.root) {
            report.find(
                None,
                format!(
                    "the log's first {} entries are not those of the older checkpoint",
                    old.size
                ),
            );
        }
    }
    Ok(report)
}

/// The hashes of the entries of a tile, and the entries; entries that are not what the tile says are findings.
async fn bottom_tile(source: &Source, wanted: Tile, report: &mut Report) -> (Vec<Hash>, Vec<Vec<u8>>) {
    let first = wanted.first_entry();
    let (hashes, entries) = (source.hashes(wanted).await, source.entries(wanted, report).await);
    let (hashes, entries) = match (hashes, entries) {
        (Ok(hashes), Ok(entries)) => (hashes, entries),
        (hashes, entries) => {
            for told in [hashes.as_ref().err(), entries.as_ref().err()]
                .into_iter()
                .flatten()
            {
                report.broken(Some(first), told.clone());
            }
            let entries = entries.unwrap_or_default();
            let own = || entries.iter().map(|entry| leaf_hash(entry)).collect();
            return (hashes.unwrap_or_else(|_| own()), entries);
        }
    };
    for ((at, entry), hash) in (first..).zip(&entries).zip(&hashes) {
        if leaf_hash(entry) != *hash {
            report.broken(Some(at), "the entry is not the one that the tree holds");
        }
    }
    (hashes, entries)
}

/// Holds a stored tile above the bottom against what its entries give.
async fn compare(source: &Source, tile: Tile, hashes: &[Hash], report: &mut Report) {
    if tile.level == 0 {
        return;
    }
    let stored = match source.hashes(tile).await {
        Ok(stored) => stored,
        Err(told) => return report.broken(None, told),
    };
    let differs = stored.iter().zip(hashes).position(|(a, b)| a != b);
    if let Some(position) = differs {
        let position = u64::try_from(position).unwrap_or(u64::MAX);
        let subtree = tile.first_entry().saturating_add(position);
        let first = subtree << (tile::HEIGHT * u32::from(tile.level));
        report.broken(
            Some(first),
            format!("{} is not made of the tiles below it", tile.path()),
        );
    }
}
