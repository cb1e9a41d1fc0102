//! Where the root key lives. A provider wraps and unwraps the few vault keys, at start and at rotation; no request
//! ever waits for it.

mod file;
mod passphrase;
mod private;

use std::path::PathBuf;

use futures_util::future::BoxFuture;

use crate::crypto::{KeyDerivationKey, KeyMaterial, OpenError, same};

use super::ProviderError;

pub use file::KeyFile;
pub use passphrase::{Cost, Passphrase};

/// What a provider made of a vault key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// One byte for the kind of provider, then its own form.
    pub bytes: Vec<u8>,
    /// Tells which root key it was, and nothing about it: a wrong key is not mistaken for damage.
    pub check: Vec<u8>,
}

/// What a provider says of itself. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `key file` or `passphrase`.
    pub kind: &'static str,
    /// Which one: a path or a label.
    pub reference: String,
}

/// Keeps the root key and works with it; the key itself need not leave it.
pub trait RootKeyProvider: Send + Sync {
    /// Wraps a key in a context: what it is for, and its version.
    fn wrap<'a>(
        &'a self,
        key: &'a KeyMaterial,
        context: &'a [&'a [u8]],
    ) -> BoxFuture<'a, Result<Wrapped, ProviderError>>;

    /// Unwraps a key in the same context; [`ProviderError::WrongKey`] and [`ProviderError::Damaged`] are told apart.
    fn unwrap<'a>(
        &'a self,
        wrapped: &'a Wrapped,
        context: &'a [&'a [u8]],
    ) -> BoxFuture<'a, Result<KeyMaterial, ProviderError>>;

    /// Which provider this is.
    fn describe(&self) -> Description;

    /// Whether it would still work after a restart.
    fn health(&self) -> BoxFuture<'_, Result<(), ProviderError>>;
}

/// Which root key is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootKeySource {
    /// A file of 32 random bytes; made at the first start. Also a systemd credential.
    File(PathBuf),
    /// A file with a passphrase, stretched by Argon2id.
    Passphrase(PathBuf),
}

impl RootKeySource {
    /// The provider. Only an empty vault (`fresh`: neither keys nor data) gets a new key file.
    ///
    /// # Errors
    /// When the file is missing, open to others, or does not hold a key.
    pub fn open(&self, fresh: bool) -> Result<Box<dyn RootKeyProvider>, ProviderError> {
        Ok(match self {
            Self::File(path) if fresh => Box::new(KeyFile::open_or_make(path)?),
            Self::File(path) => Box::new(KeyFile::open(path)?),
            Self::Passphrase(path) => Box::new(Passphrase::open(path, Cost::STANDARD)?),
        })
    }

    /// Which kind of provider it makes, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "key file",
            Self::Passphrase(_) => "passphrase",
        }
    }

    /// The file it is in.
    #[must_use]
    pub const fn path(&self) -> &PathBuf {
        match self {
            Self::File(path) | Self::Passphrase(path) => path,
        }
    }
}

/// The first byte of wrapped vault keys.
const FILE: u8 = 1;
const PASSPHRASE: u8 = 2;

/// What provider a stored byte means, for messages.
const fn kind(code: u8) -> Option<&'static str> {
    match code {
        FILE => Some("key file"),
        PASSPHRASE => Some("passphrase"),
        _ => None,
    }
}

/// Takes the provider's byte off, or says whose keys these are.
fn own(bytes: &[u8], code: u8) -> Result<&[u8], ProviderError> {
    match bytes.split_first() {
        Some((first, rest)) if *first == code => Ok(rest),
        Some((first, _)) => Err(match (kind(*first), kind(code)) {
            (Some(stored), Some(configured)) => ProviderError::OtherProvider { stored, configured },
            _ => ProviderError::Damaged,
        }),
        None => Err(ProviderError::Damaged),
    }
}

/// A root key in this process: what the file and the passphrase provider share.
struct RootKey(KeyDerivationKey);

impl RootKey {
    fn new(material: KeyMaterial) -> Self {
        Self(KeyDerivationKey::new(material))
    }

    /// 16 bytes that only this root key gives.
    fn check(&self) -> Vec<u8> {
        let full = self.0.mac("root check").mac(b"guest-vault root key");
        full.into_iter().take(16).collect()
    }

    fn wrap(&self, key: &KeyMaterial, context: &[&[u8]]) -> Result<Vec<u8>, ProviderError> {
        self.0
            .wrapping("root", b"")
            .wrap(key, context)
            .map_err(|_| ProviderError::Damaged)
    }

    /// The check value decides only when the bytes do not open: it may itself be what was damaged.
    fn unwrap(&self, bytes: &[u8], check: &[u8], context: &[&[u8]]) -> Result<KeyMaterial, ProviderError> {
        match self.0.wrapping("root", b"").unwrap(bytes, context) {
            Ok(_) if !self.is(check) => Err(ProviderError::Damaged),
            Ok(key) => Ok(key),
            Err(OpenError::Refused) if !self.is(check) => Err(ProviderError::WrongKey),
            Err(_) => Err(ProviderError::Damaged),
        }
    }

    fn is(&self, check: &[u8]) -> bool {
        same(&self.check(), check)
    }
}
