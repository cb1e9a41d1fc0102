//! A copy of the log in a folder that others can check, and that tells when the database has gone back in time.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::{fs, io::AsyncWriteExt};

use super::{
    LogError, Stored,
    note::{NoteError, Verifier},
    tile::{HEIGHT, LEVELS, Place, Tile, WIDTH},
};

/// Why the mirror was not brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The database has less than the mirror, or something else.
    #[error(
        "the database was rolled back or replaced: the mirror in {folder} holds {mirror} signed entries that the \
         database (with {database}) does not have. Nothing is served; restore the newer database, or keep the mirror \
         as evidence and begin another one in an empty folder"
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
    #[error("the mirror in {folder} is not of this log: {cause}")]
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
}

/// A folder that is kept a copy of the log.
pub struct Mirror {
    folder: PathBuf,
    verifier: Verifier,
}

impl Mirror {
    /// In this folder, which is made when it is not there.
    #[must_use]
    pub const fn new(folder: PathBuf, verifier: Verifier) -> Self {
        Self { folder, verifier }
    }

    fn shown(&self) -> String {
        self.folder.display().to_string()
    }

    fn folder_error(&self) -> impl Fn(io::Error) -> MirrorError {
        let folder = self.shown();
        move |cause| MirrorError::Folder {
            folder: folder.clone(),
            cause,
        }
    }

    /// Holds the mirror against the log, then copies what is new. Tells the size it has then.
    ///
    /// Files are complete before the checkpoint that needs them; partial tiles that no checkpoint needs any more go.
    ///
    /// # Errors
    /// [`MirrorError`].
    pub async fn update(&self, log: &Stored) -> Result<u64, MirrorError> {
        let old = self.compare(log).await?;
        let Some((size, checkpoint)) = log.checkpoint().await? else {
            return Ok(0);
        };
        if old == Some(size) {
            self.keep_cosigned(log, &checkpoint).await?;
            return Ok(size);
        }
        let old = old.unwrap_or(0);
        for place in new_places(old, size) {
            let bytes = log.at(place).await?.ok_or(LogError::Absent)?;
            self.write(&place.path(), &bytes)
                .await
                .map_err(self.folder_error())?;
        }
        self.write("checkpoint", checkpoint.as_bytes())
            .await
            .map_err(self.folder_error())?;
        self.keep_cosigned(log, &checkpoint).await?;
        self.remove_old(old, size).await.map_err(self.folder_error())?;
        Ok(size)
    }

    /// What witnesses said comes after the checkpoint: into the checkpoint itself when it is still the newest, and
    /// into a file of its own.
    async fn keep_cosigned(&self, log: &Stored, checkpoint: &str) -> Result<(), MirrorError> {
        let Some(cosigned) = log.cosigned().await? else {
            return Ok(());
        };
        for (name, text) in [("cosigned", cosigned.as_str()), ("checkpoint", checkpoint)] {
            let there = fs::read_to_string(self.folder.join(name)).await;
            if there.is_ok_and(|there| there == text) {
                continue;
            }
            self.write(name, text.as_bytes())
                .await
                .map_err(self.folder_error())?;
        }
        Ok(())
    }

    /// The size of the mirror, after it was found to be a beginning of the log; `None` when there is none yet.
    async fn compare(&self, log: &Stored) -> Result<Option<u64>, MirrorError> {
        let note = match fs::read(self.folder.join("checkpoint")).await {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.folder_error()(error)),
        };
        let mirrored = self.verifier.open(&note).map_err(|cause| MirrorError::Strange {
            folder: self.shown(),
            cause,
        })?;
        if log.holds(&mirrored).await? {
            return Ok(Some(mirrored.size));
        }
        let database = log.checkpoint().await?.map_or(0, |(size, _)| size);
        Err(MirrorError::RolledBack {
            folder: self.shown(),
            mirror: mirrored.size,
            database,
        })
    }

    /// Writes a file whole: it gets its name once it is on disk.
    async fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let to = self.folder.join(path);
        let folder = to.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).await?;
        let beside = to.with_extension("new");
        let mut file = fs::File::create(&beside).await?;
        file.write_all(bytes).await?;
        file.sync_all().await?;
        drop(file);
        fs::rename(&beside, &to).await
    }

    async fn remove_old(&self, old: u64, size: u64) -> io::Result<()> {
        for tile in Tile::partial(old) {
            if Tile::in_tree(tile.level, tile.index, size) == Some(tile) {
                continue;
            }
            remove(&self.folder.join(tile.path())).await?;
            if tile.level == 0 {
                remove(&self.folder.join(tile.bundle_path())).await?;
            }
        }
        Ok(())
    }
}

/// Removes a partial tile, and its folder when that is empty then.
async fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if let Some(folder) = path.parent() {
        // Not empty while a newer partial tile lies there.
        let _ = fs::remove_dir(folder).await;
    }
    Ok(())
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
