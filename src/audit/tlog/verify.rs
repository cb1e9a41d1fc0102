//! Checks a whole log against its signed checkpoint: a folder that was mirrored, or the database itself.

use std::{collections::HashMap, path::PathBuf, pin::pin};

use data_encoding::BASE64;
use futures_util::StreamExt;
use serde::Serialize;
use uuid::Uuid;

use super::{
    Hash, LogError, Stored,
    ageing::Ageing,
    bottom::{self, Bottom},
    cosignature::Cosigner,
    entry::Read,
    files,
    note::{Checkpoint, NoteError, Verifier},
    passed::PASSED,
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
    /// Whether it must go back to its first entry: nothing of it is ever removed.
    pub whole: bool,
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
    /// The first entry that is there; those before it were pruned, and only their hashes are left.
    pub begins_at: u64,
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
            Self::Folder(folder) => match files::read_beside(folder.clone(), "checkpoint".to_owned()).await {
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => Err(VerifyError::NoCheckpoint(
                    "the folder has no such file".to_owned(),
                )),
                Err(cause) => Err(VerifyError::NoCheckpoint(cause.to_string())),
            },
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

    /// Where a log of this size begins, and what is wrong with what is said of it: then at its first entry.
    async fn begins(&self, size: u64) -> Result<(u64, Option<String>), VerifyError> {
        if let Self::Database(stored) = self {
            return Ok(stored.begins().await?);
        }
        let told = self.file("minimum").await.map_err(VerifyError::NoCheckpoint)?;
        let text = told.and_then(|bytes| String::from_utf8(bytes).ok());
        let minimum = text.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        let wrong = Ageing::Unknown.wrong(minimum, size);
        Ok(if wrong.is_some() {
            (0, wrong)
        } else {
            (minimum, None)
        })
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
            Self::Folder(folder) => files::read_beside(folder.clone(), path.to_owned())
                .await
                .map_err(|cause| format!("{path}: {cause}")),
            Self::Remote(remote) => remote
                .fetch(path)
                .await
                .map_err(|cause| format!("{path}: {cause}")),
            Self::Database(_) => Ok(None),
        }
    }

    /// The hashes of a tile.
    pub(super) async fn hashes(&self, wanted: Tile) -> Result<Vec<Hash>, String> {
        bottom::hashes(&self.read(Place::Tile(wanted)).await?, wanted)
    }

    /// The entries of a bundle, and the columns beside them in a database that are not as they say.
    pub(super) async fn entries(&self, wanted: Tile) -> Result<(Vec<Vec<u8>>, Altered), String> {
        if let Self::Database(stored) = self {
            let rows = stored
                .unchecked(
                    wanted.first_entry(),
                    wanted.first_entry().saturating_add(wanted.width),
                )
                .await;
            let rows = rows.map_err(|error| error.to_string())?;
            let altered = (wanted.first_entry()..)
                .zip(&rows)
                .filter_map(|(at, row)| Some((at, row.altered?)));
            let altered = altered.collect();
            return Ok((rows.into_iter().map(|row| row.bytes).collect(), altered));
        }
        let bytes = self.read(Place::Bundle(wanted)).await?;
        let entries = bottom::entries(&bytes, wanted)?;
        Ok((entries.into_iter().map(<[u8]>::to_vec).collect(), Vec::new()))
    }
}

/// Entries, and what beside each in a database is not as it says.
pub(super) type Altered = Vec<(u64, &'static str)>;

/// Where the writers and subjects are.
#[derive(Default)]
struct Lines {
    writers: HashMap<Uuid, i64>,
    subjects: HashMap<[u8; 16], (u64, Hash)>,
}

impl Lines {
    fn follow(&mut self, index: u64, read: Option<&Read>, hash: Hash, report: &mut Report) {
        let Some(read) = read else {
            report.complete = false;
            return report.find(Some(index), "the entry is none of a vault");
        };
        if !read.readable {
            report.complete = false;
            report.find(Some(index), "the event was damaged before it was logged");
        }
        // Of a log that was pruned, the first number of each line is not known.
        let pruned = report.begins_at > 0;
        let begin = if pruned { read.sequence } else { 1 };
        let expected = self.writers.entry(read.writer).or_insert(begin);
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
        let unknown = pruned && before.is_none() && link.number > 1;
        if !unknown && (link.number, link.previous) != (number, previous) {
            report.chained = false;
            report.find(
                Some(index),
                format!("the chain of its subject breaks before its entry {}", link.number),
            );
        }
        self.subjects.insert(subject, (link.number, hash));
    }
}

/// The tree as it grows from its entries.
#[derive(Default)]
struct Walk {
    edge: Edge,
    lines: Lines,
    /// Tiles above the bottom that became full.
    upper: Vec<(Tile, Vec<Hash>)>,
    /// Sizes whose root is asked for, and those roots.
    asked: [Option<u64>; 2],
    found: [Option<Hash>; 2],
}

impl Walk {
    fn join(&mut self, bottom: &Bottom, report: &mut Report) {
        let Bottom { tile, hashes, .. } = bottom;
        for (index, what) in &bottom.wrong {
            report.broken(Some(*index), what);
        }
        for ((at, hash), read) in (tile.first_entry()..).zip(hashes).zip(&bottom.entries) {
            self.lines.follow(at, read.as_ref(), *hash, report);
        }
        let upper = &mut self.upper;
        let mut filled = |tile, hashes: &[Hash]| upper.push((tile, hashes.to_vec()));
        let within = self.asked.iter().flatten().any(|size| tile.holds(*size));
        if let Some(root) = bottom.root
            && !within
            && self.edge.push_tile(hashes, root, &mut filled)
        {
            return;
        }
        for hash in hashes {
            for (asked, found) in self.asked.iter().zip(&mut self.found) {
                if *asked == Some(self.edge.size()) {
                    *found = Some(self.edge.root());
                }
            }
            self.edge.push(*hash, &mut filled);
        }
    }

    /// The roots at the sizes that were asked for, also at the last one.
    fn roots(&self) -> [Option<Hash>; 2] {
        let [mut first, mut second] = self.found;
        for (asked, found) in self.asked.iter().zip([&mut first, &mut second]) {
            if *asked == Some(self.edge.size()) {
                *found = Some(self.edge.root());
            }
        }
        [first, second]
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
    let Expected {
        since,
        witnesses,
        whole,
    } = expected.into();
    let newest = source.checkpoint().await?;
    let signed = verifier.open(&newest)?;
    let cosigned = Cosigned::find(source, verifier, &witnesses.0, &newest).await?;
    let (begins_at, wrong) = source.begins(signed.size).await?;
    let mut report = Report {
        origin: verifier.name().to_owned(),
        size: signed.size,
        begins_at,
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
    if let Some(what) = wrong {
        report.broken(None, what);
    }
    if whole && begins_at > 0 {
        report.complete = false;
        let what = format!("it begins at entry {begins_at}, but nothing of this log may have been removed");
        report.find(None, what);
    }
    let cosigned_size = cosigned.as_ref().map(|c| c.checkpoint.size);
    let mut walk = Walk {
        asked: [since.map(|old| old.size), cosigned_size],
        ..Walk::default()
    };
    let mut ahead = pin!(bottom::ahead(source, signed.size, report.begins_at));
    while let Some(run) = ahead.next().await {
        for bottom in &run {
            walk.join(bottom, &mut report);
        }
        for (tile, hashes) in walk.upper.drain(..) {
            compare(source, tile, &hashes, &mut report).await;
        }
        progress(walk.edge.size(), signed.size);
    }
    let [then, witnessed] = walk.roots();
    let edge = walk.edge;
    for (tile, hashes) in edge.partial() {
        compare(source, tile, hashes, &mut report).await;
    }
    if edge.size() != signed.size || edge.root() != signed.root {
        report.broken(None, "the tree is not the signed one");
    }
    if let Source::Database(stored) = source {
        beside(stored, &walk.lines, &mut report).await?;
    }
    if let Some(cosigned) = cosigned {
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

/// What nothing signs, and the log goes on from: events without an entry, and the ends of chains.
async fn beside(stored: &Stored, lines: &Lines, report: &mut Report) -> Result<(), LogError> {
    for event in stored.all_passed_over(MOST).await? {
        report.complete = false;
        report.find(None, format!("{PASSED} ({event})"));
    }
    let strange = stored.strange_ends(&lines.subjects, report.size).await?;
    if strange > 0 {
        let what = format!("the ends of {strange} chains in log_subject are not those of their entries");
        report.broken(None, what);
    }
    Ok(())
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
