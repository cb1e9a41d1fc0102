//! The folder of a demonstration: one that goes with it, or one that the caller named and keeps.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::DemoError;

/// Marks a folder as a demonstration's own, so that no demonstration ever fills a real vault with invented guests.
const MARK: &str = "demo";

/// A folder that only its owner may look into.
pub(super) struct Folder {
    path: PathBuf,
    is_ours: bool,
}

impl Folder {
    /// The named folder, or one that is removed in the end.
    pub(super) fn open(named: Option<&Path>) -> Result<Self, DemoError> {
        match named {
            Some(path) => Self::named(path),
            None => Self::throw_away().map_err(|error| DemoError::Folder {
                path: std::env::temp_dir(),
                error,
            }),
        }
    }

    /// A folder that is removed in the end, whatever happens but a kill.
    pub(super) fn throw_away() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("guest-vault-demo-{}", Uuid::new_v4().simple()));
        private(&path)?;
        File::create(path.join(MARK))?;
        Ok(Self { path, is_ours: true })
    }

    fn named(path: &Path) -> Result<Self, DemoError> {
        let failed = |error| DemoError::Folder {
            path: path.to_owned(),
            error,
        };
        if !path.exists() {
            private(path).map_err(failed)?;
        }
        let is_empty = fs::read_dir(path).map_err(failed)?.next().is_none();
        if !is_empty && !path.join(MARK).exists() {
            return Err(DemoError::Foreign(path.to_owned()));
        }
        File::create(path.join(MARK)).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        Ok(Self { path, is_ours: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it goes with the demonstration.
    pub(super) const fn is_ours(&self) -> bool {
        self.is_ours
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_ours {
            // Nobody is left to tell; the system empties its folder for temporary files.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn private(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_throw_away_folder_is_private_and_goes() {
        let folder = Folder::open(None).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_named_folder_stays_and_can_be_used_again() {
        let place = tempfile::tempdir().unwrap();
        let named = place.path().join("demo");
        drop(Folder::open(Some(&named)).unwrap());
        assert!(named.exists());
        assert!(Folder::open(Some(&named)).is_ok());
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("vault.db"), "precious").unwrap();
        assert!(matches!(
            Folder::open(Some(place.path())),
            Err(DemoError::Foreign(_))
        ));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
