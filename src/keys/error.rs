//! Could not, because … and what to do about it.

use std::{io, path::PathBuf};

use crate::{
    base::{Category, GuestId},
    crypto,
    store::StoreError,
};

use super::Purpose;

/// Why the root key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The key file is not there although keys exist that only it opens.
    #[error(
        "the key file {path} is missing, but keys are stored that only it opens: put it back from its backup; a new \
         one is never made over existing keys", path = .path.display()
    )]
    MissingKeyFile {
        /// Where it was expected.
        path: PathBuf,
    },
    /// The passphrase file is not there.
    #[error(
        "the passphrase file {path} is missing: write the passphrase into it, then `chmod 600 {path}`",
        path = .path.display()
    )]
    MissingPassphraseFile {
        /// Where it was expected.
        path: PathBuf,
    },
    /// Group or others may read or change the file.
    #[error(
        "{path} is open to other users of this machine (mode {mode:04o}): run `chmod 600 {path}`",
        path = .path.display()
    )]
    KeyFileReadable {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold what it should.
    #[error("the key file {path} {problem}: put it back from its backup", path = .path.display())]
    KeyFileFormat {
        /// Which.
        path: PathBuf,
        /// What is wrong; never the content.
        problem: &'static str,
    },
    /// The file changed while the vault runs.
    #[error("the key file {path} is no longer the one this vault started with: put it back", path = .path.display())]
    KeyFileChanged {
        /// Which.
        path: PathBuf,
    },
    /// The passphrase is too weak to carry every key.
    #[error("the passphrase in {path} is too short: use at least 15 characters", path = .path.display())]
    WeakPassphrase {
        /// Where it was read.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot use {path}: {cause}; check the folder and its permissions", path = .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The keys were wrapped by another root key.
    #[error("this root key is not the one that wrapped the stored keys")]
    WrongKey,
    /// The keys were wrapped by another kind of provider.
    #[error("the stored keys were wrapped by a {stored}, but a {configured} is configured")]
    OtherProvider {
        /// What wrapped them.
        stored: &'static str,
        /// What is configured.
        configured: &'static str,
    },
    /// The root key is right, the bytes are not.
    #[error("the stored bytes are damaged")]
    Damaged,
    /// The passphrase could not be turned into a key.
    #[error("Argon2id failed; is there enough memory?")]
    Derivation,
}

/// Why the vault's keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The root key cannot be had.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The root key is another one than the stored keys were wrapped by.
    #[error(
        "wrong root key: the key store was written with another {provider} than {reference}; configure the one that \
         belongs to this key store. Nothing was changed"
    )]
    WrongKey {
        /// The kind of provider.
        provider: &'static str,
        /// Which one was tried: a path or label.
        reference: String,
    },
    /// A running process has a root key whose place another one took.
    #[error(
        "another root key has taken the place of this process's, which can make no keys any more: restart it, or run the \
         command again, with the new root key in [keys]"
    )]
    Outdated,
    /// The root key is right, but stored keys do not open.
    #[error(
        "the key store is damaged: the {purpose} key of version {version} {problem}; restore the key store from its \
         backup, the root key is the right one"
    )]
    DamagedKeyStore {
        /// Which key.
        purpose: &'static str,
        /// Which version.
        version: i64,
        /// What is wrong.
        problem: &'static str,
    },
    /// The key store holds a vault key that this version does not know.
    #[error(
        "the key store holds a key for {purpose:?}, unknown to this version: start the guest-vault that wrote it"
    )]
    UnknownPurpose {
        /// As stored.
        purpose: String,
    },
    /// The key store is empty although there is data.
    #[error(
        "the key store holds no keys, but there is data that only its keys open: point to the right key store or \
         restore it from its backup; new keys are never made over existing data"
    )]
    EmptyKeyStore,
    /// The stored data key does not open.
    #[error("the data key of guest {guest} for {} is damaged; see `guest-vault doctor`", .category.as_str())]
    DamagedDataKey {
        /// Whose.
        guest: GuestId,
        /// Which.
        category: Category,
    },
    /// There is no such data key here.
    #[error("guest {guest} has no data key for {} here", .category.as_str())]
    NoDataKey {
        /// Whose.
        guest: GuestId,
        /// Which.
        category: Category,
    },
    /// A value of one guest was about to be sealed under the key of another: a fault of this program.
    #[error("a value must be sealed under its own guest's key")]
    OtherGuest,
    /// The value cannot be sealed.
    #[error(transparent)]
    Seal(#[from] crypto::SealError),
    /// The key store's database.
    #[error("the key store: {0}")]
    Store(#[from] StoreError),
}

impl KeysError {
    pub(super) const fn damaged(purpose: Purpose, version: i64, problem: &'static str) -> Self {
        Self::DamagedKeyStore {
            purpose: purpose.as_str(),
            version,
            problem,
        }
    }
}

/// Why a stored value was not opened. Says nothing about its content.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// The grant on record does not show this field.
    #[error("the recorded grant does not cover this field")]
    NotGranted,
    /// The guest has no key for the category: never written, or destroyed.
    #[error("no data key for {}: destroyed, or never made", .0.as_str())]
    NoKey(Category),
    /// The stored key of the category does not open.
    #[error("the data key for {} is damaged", .0.as_str())]
    DamagedKey(Category),
    /// The value says that it was sealed under another category or key version.
    #[error("sealed under another key than the guest's present one for {}", .0.as_str())]
    OtherKey(Category),
    /// The bytes do not open.
    #[error(transparent)]
    Sealed(#[from] crypto::OpenError),
}
