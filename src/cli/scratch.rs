//! Where `backup` and `restore` work. Copies lie there in clear but for what the vault itself seals, and with the keys of
//! guests who are erased later: none may outlive its command, however that ends.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::copies::{CopyError, at};
use crate::{config::Config, store::StoreUrl};

/// How the folders' names begin; a number follows.
const NAMES: [&str; 2] = [".backup-", ".restore-"];
/// The file in each that is locked as long as the folder is used.
const LOCK: &str = "lock";

/// A folder of our own, gone when it is dropped.
pub(super) struct Scratch {
    folder: PathBuf,
    /// The system lets go of it when the process ends, however it does.
    _lock: Option<File>,
}

impl Scratch {
    /// Makes one, and removes those that nobody uses any more.
    pub(super) fn beside(path: &Path, name: &str) -> Result<Self, CopyError> {
        let parent = parent(path);
        sweep(parent);
        loop {
            let folder = parent.join(format!(".{name}-{}", Uuid::new_v4().simple()));
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(at(&folder))?;
            let lock = match locked(&folder) {
                // Somebody who sweeps was faster.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotFound) => {
                    continue;
                }
                // Without locks on this file system nobody sweeps here either.
                held => held.ok(),
            };
            return Ok(Self { folder, _lock: lock });
        }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left is swept later.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder in which `restore` works; `None` where it makes no copies.
pub(super) fn of_restores(config: &Config) -> Option<PathBuf> {
    match config.database_url().parse() {
        Ok(StoreUrl::Sqlite(path)) => Some(parent(&path).to_owned()),
        _ => None,
    }
}

/// Removes what commands left that were cut off.
pub(super) fn sweep(parent: &Path) {
    for folder in folders(parent) {
        let Ok(lock) = locked(&folder) else { continue };
        let shown = folder.display();
        match fs::remove_dir_all(&folder) {
            Ok(()) => {
                tracing::warn!(folder = %shown, "removed what a backup or restore left that was cut off");
            }
            Err(error) => {
                tracing::error!(folder = %shown, %error, "what a backup or restore left cannot be removed");
            }
        }
        drop(lock);
    }
}

/// What [`sweep`] would remove.
pub(super) fn left(parent: &Path) -> Vec<PathBuf> {
    let unused = |folder: &PathBuf| match File::open(folder.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    folders(parent).filter(unused).collect()
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new("."))
}

/// Scratch folders, used or not: of these names, and nobody else's to look into.
fn folders(parent: &Path) -> impl Iterator<Item = PathBuf> {
    let named = |name: &str| {
        let mut numbers = NAMES.iter().filter_map(|begin| name.strip_prefix(begin));
        numbers.any(|number| number.len() == 32 && Uuid::try_parse(number).is_ok())
    };
    fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(move |entry| entry.file_name().to_str().is_some_and(named))
        .filter(|entry| {
            let found = entry.metadata();
            found.is_ok_and(|found| found.is_dir() && found.permissions().mode() & 0o777 == 0o700)
        })
        .map(|entry| entry.path())
}

/// The lock of a folder that is there and that nobody else has.
fn locked(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
        TryLockError::Error(error) => error,
    })?;
    // Whoever had it may have removed the folder.
    fs::metadata(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(parent: &Path, name: &str, mode: u32) -> PathBuf {
        let folder = parent.join(name);
        fs::DirBuilder::new().mode(mode).create(&folder).unwrap();
        fs::write(folder.join("keys.db"), "copied").unwrap();
        folder
    }

    #[test]
    fn what_was_cut_off_is_removed_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path();
        let number = Uuid::new_v4().simple();
        let cut_off = [
            made(parent, &format!(".backup-{number}"), 0o700),
            made(parent, &format!(".restore-{number}"), 0o700),
        ];
        fs::write(cut_off[1].join(LOCK), "").unwrap();
        let others = [
            made(parent, ".backup-2026", 0o700),
            made(parent, &format!("backup-{number}"), 0o700),
            made(parent, &format!(".backup-{}", Uuid::new_v4().simple()), 0o755),
        ];
        let mut found = left(parent);
        found.sort();
        assert_eq!(found, cut_off);
        let used = Scratch::beside(&parent.join("out"), "backup").unwrap();
        assert!(cut_off.iter().all(|folder| !folder.exists()));
        assert!(others.iter().all(|folder| folder.join("keys.db").exists()));

        fs::write(used.file("keys.db"), "copied").unwrap();
        assert_eq!(left(parent), Vec::<PathBuf>::new());
        let second = Scratch::beside(&parent.join("out"), "restore").unwrap();
        assert!(used.file("keys.db").exists(), "it is used");
        let folders = [used.folder.clone(), second.folder.clone()];
        drop((used, second));
        assert!(folders.iter().all(|folder| !folder.exists()));
    }
}
