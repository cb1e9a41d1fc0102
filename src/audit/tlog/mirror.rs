//! A copy of the log in a folder that others can check, and that tells when the database has gone back in time.

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::{fs, io::AsyncWriteExt};
use uuid::Uuid;

use super::{
    LogError, Stored, files,
    note::{Checkpoint, NoteError, Verifier},
    tile::{self, HEIGHT, LEVELS, Place, Tile, WIDTH},
};

/// Why the mirror was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The database has less than the mirror, or something else.
    #[error(
        "the database was rolled back or replaced: the mirror in {folder} holds {mirror} signed entries that the \
         database (with {database}) does not have. Nothing is served; restore the newer database, or bring this one up \
         to the mirror with `guest-vault restore --in-place --log {folder}` (docs/backup.md), or keep the mirror as \
         evidence and begin another one in an empty folder"
    )]
    RolledBack {
        /// The mirror.
        folder: String,
        /// Its size.
        mirror: u64,
        /// The size of the database's log.
        database: u64,
    },
    /// The mirror's checkpoint is not one of this log.
    #[error(
        "the mirror in {folder} is not of this log: {cause}. Nothing is served; name the folder of this log's mirror, \
         or an empty one"
    )]
    Strange {
        /// The mirror.
        folder: String,
        /// Why.
        #[source]
        cause: NoteError,
    },
    /// The log in the database.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Entries are missing in the database that nobody may have removed; the mirror keeps its own.
    #[error(
        "the log in the database was cut off at its beginning: {what}; the mirror in {folder} keeps what it has"
    )]
    Begins {
        /// The mirror.
        folder: String,
        /// What is wrong.
        what: String,
    },
    /// Files of the mirror are not what its checkpoint signs, and the log does not have what was.
    #[error(
        "the mirror in {folder} was changed and cannot be repaired; run `guest-vault audit verify --dir` on it"
    )]
    Damaged {
        /// The mirror.
        folder: String,
    },
    /// The folder cannot be read or written.
    #[error("cannot write the mirror in {folder}: {cause}")]
    Folder {
        /// The mirror.
        folder: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

impl MirrorError {
    /// Whether the vault must stop serving: what the mirror holds is not what the database holds.
    #[must_use]
    pub const fn is_alarm(&self) -> bool {
        matches!(self, Self::RolledBack { .. } | Self::Strange { .. })
    }

    /// Whether somebody changed the database by hand: that is an entry of the log.
    #[must_use]
    pub const fn is_altered(&self) -> bool {
        matches!(self, Self::Begins { .. } | Self::Log(LogError::Changed(_)))
    }
}

/// A folder that is kept a copy of the log.
pub struct Mirror {
    folder: PathBuf,
    verifier: Verifier,
    /// What files are called while they are written: several processes may write one mirror.
    beside: String,
    /// Whether its files have been looked at.
    looked: AtomicBool,
}

impl Mirror {
    /// In this folder, which is made when it is not there.
    #[must_use]
    pub fn new(folder: PathBuf, verifier: Verifier) -> Self {
        Self {
            folder,
            verifier,
            beside: format!("{}.new", Uuid::new_v4().simple()),
            looked: AtomicBool::new(false),
        }
    }

    pub(super) fn shown(&self) -> String {
        self.folder.display().to_string()
    }

    fn folder_error(&self) -> impl Fn(io::Error) -> MirrorError {
        let folder = self.shown();
        move |cause| MirrorError::Folder {
            folder: folder.clone(),
            cause,
        }
    }

    /// Holds the mirror against the log.
    ///
    /// # Errors
    /// [`MirrorError`].
    pub async fn check(&self, log: &Stored) -> Result<(), MirrorError> {
        self.compare(log).await.map(drop)
    }

    /// Holds the mirror against the log, then copies what is new; the first time also what is missing or broken. Tells
    /// the size it has then.
    ///
    /// Files are complete before the checkpoint that needs them; partial tiles go when the full one is there.
    ///
    /// # Errors
    /// [`MirrorError`].
    pub async fn update(&self, log: &Stored) -> Result<u64, MirrorError> {
        let old = self.compare(log).await?;
        let Some((size, checkpoint)) = log.checkpoint().await? else {
            return Ok(0);
        };
        if old != Some(size) {
            self.grow(log, old.unwrap_or(0), (size, &checkpoint)).await?;
        }
        self.keep_cosigned(log, &checkpoint).await?;
        if !self.looked.swap(true, Ordering::Relaxed)
            && let Err(error) = self.repair(log).await
        {
            // What cannot be mended is told once; a disk may have room later.
            let again = matches!(error, MirrorError::Folder { .. });
            self.looked.store(!again, Ordering::Relaxed);
            return Err(error);
        }
        self.follow_pruning(log).await?;
        Ok(size)
    }

    async fn grow(&self, log: &Stored, old: u64, (size, checkpoint): (u64, &str)) -> Result<(), MirrorError> {
        for place in new_places(old, size) {
            match (log.at(place).await?, place) {
                (Some(bytes), _) => self.write(&place.path(), &bytes).await?,
                // A mirror that is begun late has not what was removed before.
                (None, Place::Bundle(_)) if old == 0 => {}
                (None, Place::Bundle(_)) => return Err(LogError::Changed(place.path()).into()),
                (None, Place::Tile(_)) => return Err(LogError::Absent.into()),
            }
        }
        self.write("checkpoint", checkpoint.as_bytes()).await?;
        for tile in Tile::partial(old) {
            if let Some(full) = Tile::in_tree(tile.level, tile.index, size).filter(|tile| tile.width == WIDTH)
            {
                self.remove_partial(full).await?;
            }
        }
        Ok(())
    }

    /// The first entry that the mirror must have. Nothing signs its own word: it is believed as far as the log itself
    /// may begin late.
    pub(super) async fn minimum(&self, log: &Stored) -> Result<u64, MirrorError> {
        let told = self.read("minimum").await?;
        let text = told.and_then(|bytes| String::from_utf8(bytes).ok());
        let told = text.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Ok(log.may_begin().await?.min(told))
    }

    /// Says where the mirror begins.
    pub(super) async fn tell_minimum(&self, first: u64) -> Result<(), MirrorError> {
        self.put("minimum", format!("{first}\n").as_bytes()).await
    }

    /// Removes the bundles that the log no longer has, and says where the mirror begins. The hashes stay. What is asked
    /// for by a row of the database alone is not done: the mirror's own copy must say that it is old enough.
    async fn follow_pruning(&self, log: &Stored) -> Result<(), MirrorError> {
        let (minimum, wrong) = log.begins().await?;
        let known = self.minimum(log).await?;
        let (mut end, mut young) = (known / WIDTH, None);
        while end < minimum / WIDTH {
            if let Some(bytes) = self.read(&bundle(end).bundle_path()).await? {
                // Nobody said how long entries are kept: this copy keeps what it has.
                let Some(retention) = log.retention() else { break };
                let old = tile::unbundle(&bytes).is_some_and(|entries| retention.may_go(&entries));
                if !old {
                    young = Some(bundle(end).first_entry());
                    break;
                }
            }
            end = end.saturating_add(1);
        }
        if end > known / WIDTH {
            // First told, so that nobody misses what is gone without knowing why.
            self.tell_minimum(end.saturating_mul(WIDTH)).await?;
            for index in known / WIDTH..end {
                remove(&self.folder.join(bundle(index).bundle_path()))
                    .await
                    .map_err(self.folder_error())?;
            }
        }
        let young =
            young.map(|first| format!("it no longer has entry {first}, which is too young to be removed"));
        match wrong.or(young) {
            None => Ok(()),
            Some(what) => Err(MirrorError::Begins {
                folder: self.shown(),
                what,
            }),
        }
    }

    /// What witnesses said comes after the checkpoint: into the checkpoint itself when it is still the newest, and
    /// into a file of its own.
    async fn keep_cosigned(&self, log: &Stored, checkpoint: &str) -> Result<(), MirrorError> {
        let Some(cosigned) = log.cosigned().await? else {
            return Ok(());
        };
        if let Err(error) = self.verifier.open(cosigned.as_bytes()) {
            tracing::error!(%error, "the cosigned checkpoint in the database was changed by hand; it is not mirrored");
            return Ok(());
        }
        for (name, text) in [("cosigned", cosigned.as_str()), ("checkpoint", checkpoint)] {
            self.put(name, text.as_bytes()).await?;
        }
        Ok(())
    }

    /// The size of the mirror, after it was found to be a beginning of the log; `None` when there is none yet.
    async fn compare(&self, log: &Stored) -> Result<Option<u64>, MirrorError> {
        let Some(note) = self.read("checkpoint").await? else {
            return Ok(None);
        };
        let mirrored = self.open(&note)?;
        if log.holds(&mirrored).await? {
            return Ok(Some(mirrored.size));
        }
        let database = match log.checkpoint().await? {
            None => 0,
            Some((size, text)) => {
                let signed = self.verifier.open(text.as_bytes()).map_err(LogError::Head)?;
                if mirrored.size <= size && !log.forks(&mirrored, &signed).await? {
                    return Err(LogError::Changed("its tiles".to_owned()).into());
                }
                size
            }
        };
        Err(MirrorError::RolledBack {
            folder: self.shown(),
            mirror: mirrored.size,
            database,
        })
    }

    /// A checkpoint of this log.
    pub(super) fn open(&self, note: &[u8]) -> Result<Checkpoint, MirrorError> {
        self.verifier.open(note).map_err(|cause| MirrorError::Strange {
            folder: self.shown(),
            cause,
        })
    }

    /// A file; `None` when there is none.
    pub(super) async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, MirrorError> {
        let read = files::read_beside(self.folder.clone(), path.to_owned());
        read.await.map_err(self.folder_error())
    }

    /// Writes a file that is not there, or not so.
    pub(super) async fn put(&self, path: &str, bytes: &[u8]) -> Result<(), MirrorError> {
        if self.read(path).await?.is_some_and(|there| there == bytes) {
            return Ok(());
        }
        self.write(path, bytes).await
    }

    /// Writes a file whole: it gets its name once it is on disk.
    pub(super) async fn write(&self, path: &str, bytes: &[u8]) -> Result<(), MirrorError> {
        let to = self.folder.join(path);
        let beside = to.with_extension(&self.beside);
        let outcome = written(&beside, bytes).await;
        let outcome = match outcome {
            Ok(()) => fs::rename(&beside, &to).await,
            Err(error) => {
                // A piece of it is of no use, and would take what little room there is.
                let _ = fs::remove_file(&beside).await;
                Err(error)
            }
        };
        outcome.map_err(self.folder_error())
    }

    /// Removes what a full tile held when it was not full. Whoever reads an older checkpoint takes the full one.
    pub(super) async fn remove_partial(&self, full: Tile) -> Result<(), MirrorError> {
        let bundle = (full.level == 0).then(|| full.bundle_path());
        for path in bundle.into_iter().chain([full.path()]) {
            match fs::remove_dir_all(self.folder.join(path + ".p")).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.folder_error()(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Writes and waits until it is on disk.
async fn written(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).await?;
    }
    let mut file = fs::File::create(path).await?;
    file.write_all(bytes).await?;
    // Only this tells what went wrong with the writing itself, which is done later; syncing does not.
    file.flush().await?;
    file.sync_all().await
}

/// Removes a file that may be gone.
async fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The full bundle of this index.
const fn bundle(index: u64) -> Tile {
    Tile {
        level: 0,
        index,
        width: WIDTH,
    }
}

/// What a log of `size` entries has that one of `old` has not.
fn new_places(old: u64, size: u64) -> impl Iterator<Item = Place> {
    (0..LEVELS)
        .flat_map(move |level| {
            let first = old.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0) / WIDTH;
            (first..).map_while(move |index| Tile::in_tree(level, index, size))
        })
        .filter(move |tile| Tile::in_tree(tile.level, tile.index, old) != Some(*tile))
        .flat_map(|tile| {
            let bundle = (tile.level == 0).then_some(Place::Bundle(tile));
            bundle.into_iter().chain([Place::Tile(tile)])
        })
}
