//! What `backup` and `restore` share: the file of a backup.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    app::AppError,
    audit::tlog::{LogError, catch_up::CatchUpError, verify::VerifyError},
    crypto::age::{self, AgeError, Opener, Recipient},
    erasure::ErasureError,
    guest::GuestError,
    store::StoreError,
};

/// The shape of the file inside the encryption.
const FORMAT: &str = "guest-vault-backup/1";

/// The first line of a backup; the database follows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: String,
    /// `data` or `keys`.
    pub(super) store: String,
    pub(super) made_at: DateTime<Utc>,
    /// The log's name, and how many entries it had.
    pub(super) log: String,
    pub(super) log_size: u64,
    /// Not to be kept longer.
    pub(super) keep_until: chrono::NaiveDate,
    /// Of the database, in bytes.
    pub(super) length: u64,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The vault does not open.
    #[error(transparent)]
    App(#[from] AppError),
    /// Nobody could open the backup.
    #[error("name who can open the backup: --recipient age1…, or `recipients` in [backup]")]
    Nobody,
    /// The encryption.
    #[error("{path}: {cause}")]
    Age {
        /// Which file.
        path: String,
        /// Why.
        cause: AgeError,
    },
    /// A file.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// It is a backup of something else.
    #[error("{0} is no backup of this kind")]
    Kind(String),
    /// Neither the backup's key store nor a present one.
    #[error("there is no key store to open the data with: name the backup's by --keys (it was made as {0})")]
    NoKeys(String),
    /// A backup is there already.
    #[error("{0} is there already: give another name, or move it away")]
    Taken(String),
    /// A process serves what would be replaced.
    #[error(
        "{0} is in use: stop the vault, and whatever else has it open, and try again; nothing was changed"
    )]
    InUse(String),
    /// There is something where it would go.
    #[error("{0} is there already: move it away, or say --replace")]
    There(String),
    /// The log is not at hand.
    #[error(
        "the log is not at hand, so nobody knows what was erased after the backup: give its mirror with --log DIR; \
         without it nothing is restored"
    )]
    NoLog,
    /// The log is not the backup's.
    #[error(transparent)]
    CatchUp(#[from] CatchUpError),
    /// The replay.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    /// Something of what was erased is left.
    #[error("{0} erased guests still have keys or values: nothing is served from this copy")]
    Left(u64),
    /// The copy is damaged.
    #[error("{0} values of the copy do not open")]
    Damaged(u64),
    /// The log of the copy does not verify.
    #[error("the log of the copy does not verify")]
    Bad,
    /// The log of the copy cannot be read.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The values.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// A word of this program is not one of its own alphabet.
    #[error(transparent)]
    Word(#[from] crate::base::InvalidName),
    /// The answer cannot be printed.
    #[error("the answer cannot be written")]
    Output(#[from] io::Error),
}

impl CopyError {
    /// Whether the arguments were wrong.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Nobody | Self::NoLog | Self::There(_) | Self::Taken(_))
    }
}

pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> CopyError {
    let path = path.display().to_string();
    move |cause| CopyError::File {
        path: path.clone(),
        cause,
    }
}

pub(super) fn sealed(path: &Path) -> impl Fn(AgeError) -> CopyError {
    let path = path.display().to_string();
    move |cause| CopyError::Age {
        path: path.clone(),
        cause,
    }
}

fn private(path: &Path) -> Result<File, CopyError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    made.map_err(at(path))
}

impl Manifest {
    pub(super) fn of(
        store: &str,
        (log, log_size): (&str, u64),
        made_at: DateTime<Utc>,
        keep_days: u32,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            store: store.to_owned(),
            made_at,
            log: log.to_owned(),
            log_size,
            keep_until: (made_at + chrono::TimeDelta::days(keep_days.into())).date_naive(),
            length: 0,
        }
    }

    /// Writes a database, encrypted, and reads it back beside, in a folder that is ours alone.
    pub(super) fn write(
        mut self,
        database: &Path,
        out: &Path,
        recipients: &[Recipient],
    ) -> Result<(), CopyError> {
        let mut input = File::open(database).map_err(at(database))?;
        self.length = input.metadata().map_err(at(database))?.len();
        let mut line = serde_json::to_vec(&self).unwrap_or_default();
        line.push(b'\n');
        let mut whole = line.as_slice().chain(&mut input);
        let mut sink = BufWriter::new(private(out)?);
        // To one more key, that nobody keeps: with it the file is read back before it counts as a backup.
        let mine = age::Identity::random();
        let mut all = recipients.to_vec();
        all.push(mine.recipient());
        age::encrypt(&all, &mut whole, &mut sink).map_err(sealed(out))?;
        let file = sink.into_inner().map_err(|error| at(out)(error.into_error()))?;
        file.sync_all().map_err(at(out))?;
        let check = out.with_extension("check");
        let read = Self::read(out, &Opener::Identities(&[mine]), &check);
        let same = read.and_then(|_| Ok(digest(&check)? == digest(database)?));
        let _ = fs::remove_file(&check);
        if same? {
            Ok(())
        } else {
            Err(CopyError::Kind(out.display().to_string()))
        }
    }

    /// Opens a backup into a new file, in a folder that is ours alone.
    pub(super) fn read(from: &Path, opener: &Opener<'_>, to: &Path) -> Result<Self, CopyError> {
        let mut input = BufReader::new(File::open(from).map_err(at(from))?);
        let whole = to.with_extension("whole");
        let mut sink = BufWriter::new(private(&whole)?);
        let outcome = age::decrypt(opener, &mut input, &mut sink).map_err(sealed(from));
        drop(sink);
        let split = outcome.and_then(|()| Self::split(&whole, to, from));
        let _ = fs::remove_file(&whole);
        split
    }

    fn split(whole: &Path, to: &Path, from: &Path) -> Result<Self, CopyError> {
        let wrong = || CopyError::Kind(from.display().to_string());
        let mut input = BufReader::new(File::open(whole).map_err(at(whole))?);
        let mut line = Vec::new();
        input
            .by_ref()
            .take(4096)
            .read_until(b'\n', &mut line)
            .map_err(at(whole))?;
        let manifest: Self = serde_json::from_slice(&line).map_err(|_| wrong())?;
        let mut sink = private(to)?;
        let length = io::copy(&mut input, &mut sink).map_err(at(to))?;
        sink.flush().map_err(at(to))?;
        sink.sync_all().map_err(at(to))?;
        if manifest.format == FORMAT && manifest.length == length {
            Ok(manifest)
        } else {
            Err(wrong())
        }
    }
}

/// SHA-256 of a file.
fn digest(path: &Path) -> Result<Vec<u8>, CopyError> {
    let mut file = File::open(path).map_err(at(path))?;
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut piece).map_err(at(path))?;
        if read == 0 {
            return Ok(context.finish().as_ref().to_vec());
        }
        context.update(piece.get(..read).unwrap_or_default());
    }
}
