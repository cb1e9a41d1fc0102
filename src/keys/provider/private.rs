//! Files that nobody but the vault's own user may read.

use std::{
    env, fs,
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use zeroize::Zeroizing;

use super::ProviderError;

/// More than any key or passphrase file holds, in bytes.
const LONGEST: u64 = 4096;

pub(super) fn file_error(path: &Path, cause: io::Error) -> ProviderError {
    ProviderError::File {
        path: path.to_owned(),
        cause,
    }
}

/// Reads a small secret file; refuses one that group or others may touch. `None` when it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<String>>, ProviderError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(file_error(path, cause)),
    };
    // Of the open file, not of the path: what was checked is what is read.
    let metadata = file.metadata().map_err(|cause| file_error(path, cause))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode
        & forbidden(
            path,
            env::var_os("CREDENTIALS_DIRECTORY").as_deref().map(Path::new),
        )
        != 0
    {
        return Err(ProviderError::KeyFileReadable {
            path: path.to_owned(),
            mode,
        });
    }
    // Room for all of it at once: growing would leave copies of the secret behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(LONGEST + 1).unwrap_or(0)));
    file.take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|cause| file_error(path, cause))?;
    Ok(Some(text))
}

/// The permission bits that must be off. systemd guards its credentials by an access list, whose mask shows up in
/// the group bits.
fn forbidden(path: &Path, credentials: Option<&Path>) -> u32 {
    if credentials.is_some_and(|folder| path.starts_with(folder)) {
        0o007
    } else {
        0o077
    }
}

/// Writes a new file of mode 0600 that is on the disk, whole, before this returns. `false` when one is there already.
/// A folder that is missing is made for its owner alone.
pub(super) fn create(path: &Path, content: &[u8]) -> Result<bool, ProviderError> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|cause| file_error(folder, cause))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.{}", uuid::Uuid::new_v4()));
    let placed = write_new(&draft, content).and_then(|()| {
        // Unlike a rename, a link never replaces a file that somebody else made meanwhile.
        let placed = match fs::hard_link(&draft, path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            // Some file systems have no links; then a crash here can leave a part, which the next start refuses.
            Err(_) => write_new(path, content).map(|()| true),
        };
        fs::File::open(folder)?.sync_all()?;
        placed
    });
    let _ = fs::remove_file(&draft);
    placed.map_err(|cause| file_error(path, cause))
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_credentials_may_show_group_bits() {
        let folder = Path::new("/run/credentials/guest-vault.service");
        assert_eq!(forbidden(&folder.join("root"), Some(folder)), 0o007);
        assert_eq!(forbidden(Path::new("/etc/root"), Some(folder)), 0o077);
        assert_eq!(forbidden(&folder.join("root"), None), 0o077);
    }
}
