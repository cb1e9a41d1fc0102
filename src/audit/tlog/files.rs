//! Files of a log in a folder that somebody else may have written: only regular ones are opened, because a pipe would be
//! waited for without end, and none is read beyond what the layout allows.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::tile::WIDTH;

/// The hashes of a full tile.
const TILE: u64 = WIDTH * 32;
/// A full bundle of the longest entries, each with its length.
const BUNDLE: u64 = WIDTH * (2 + 65_535);
/// A checkpoint with the lines of many witnesses.
const NOTE: u64 = 64 << 10;

/// The most bytes that the file at a path of the layout may have.
fn most(path: &str) -> u64 {
    if path.starts_with("tile/entries/") {
        BUNDLE
    } else if path.starts_with("tile/") {
        TILE
    } else {
        NOTE
    }
}

/// The file at a path of the layout; `None` when there is none.
///
/// # Errors
/// What the disk says; also when it is no regular file, or has more bytes than such a file may have.
pub(super) fn read(folder: &Path, path: &str) -> io::Result<Option<Vec<u8>>> {
    let strange = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("{path} {what}"));
    let (file, most) = (folder.join(path), most(path));
    // Before it is opened: that alone waits at a pipe.
    match fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(found) if !found.is_file() => return Err(strange("is no regular file".to_owned())),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let file = match File::open(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size <= most) {
        Ok(Some(bytes))
    } else {
        Err(strange(format!("has more than {most} bytes")))
    }
}

/// The same, beside what else is to be done.
///
/// # Errors
/// As [`read`].
pub(super) async fn read_beside(folder: PathBuf, path: String) -> io::Result<Option<Vec<u8>>> {
    let read = tokio::task::spawn_blocking(move || read(&folder, &path));
    read.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_a_lawful_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::create_dir_all(dir.join("tile/0")).unwrap();
        fs::write(dir.join("tile/0/000"), vec![0; 8_192]).unwrap();
        assert_eq!(read(dir, "tile/0/000").unwrap().unwrap().len(), 8_192);
        assert_eq!(read(dir, "tile/0/001").unwrap(), None);
        let sparse = File::create(dir.join("tile/0/001")).unwrap();
        sparse.set_len(3 << 30).unwrap();
        let told = read(dir, "tile/0/001").unwrap_err().to_string();
        assert!(told.contains("tile/0/001 has more than 8192"), "{told}");
        let pipe = std::process::Command::new("mkfifo")
            .arg(dir.join("checkpoint"))
            .status();
        assert!(pipe.unwrap().success());
        for path in ["checkpoint", "tile"] {
            let told = read(dir, path).unwrap_err().to_string();
            assert!(told.contains("is no regular file"), "{told}");
        }
    }
}
