//! A root key from a passphrase, by Argon2id (RFC 9106). Salt and cost travel with every wrapped key, so there is no
//! further file to lose, and a later version may raise the cost.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use futures_util::future::{BoxFuture, FutureExt, ready};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::crypto::{KeyMaterial, random, same};

use super::{super::ProviderError, Description, PASSPHRASE, RootKey, RootKeyProvider, Wrapped, own, private};

/// NIST SP 800-63B-4 §3.1.1.2: a password that stands alone has at least 15 characters.
const SHORTEST: usize = 15;
const SALT: usize = 16;

/// What one guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// RFC 9106 §4, second recommended option: 64 MiB, 3 passes, 4 lanes.
    pub const STANDARD: Self = Self {
        memory: 64 * 1024,
        passes: 3,
        lanes: 4,
    };

    /// Damaged numbers must not make a start hang or eat the memory.
    const fn bearable(self) -> bool {
        self.memory <= 1024 * 1024 && self.passes <= 64 && self.lanes <= 64
    }
}

/// One way of stretching: its cost and salt.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Stretch {
    cost: Cost,
    salt: [u8; SALT],
}

impl Stretch {
    /// `memory (4) | passes (4) | lanes (4) | salt (16)`, numbers big-endian.
    fn bytes(self) -> Vec<u8> {
        let numbers = [self.cost.memory, self.cost.passes, self.cost.lanes].map(u32::to_be_bytes);
        [numbers.as_flattened(), &self.salt].concat()
    }

    fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (memory, rest) = bytes.split_first_chunk()?;
        let (passes, rest) = rest.split_first_chunk()?;
        let (lanes, rest) = rest.split_first_chunk()?;
        let (salt, rest) = rest.split_first_chunk()?;
        let cost = Cost {
            memory: u32::from_be_bytes(*memory),
            passes: u32::from_be_bytes(*passes),
            lanes: u32::from_be_bytes(*lanes),
        };
        cost.bearable().then_some((Self { cost, salt: *salt }, rest))
    }

    fn derive(self, passphrase: &str) -> Result<RootKey, ProviderError> {
        let mut key = Zeroizing::new([0; 32]);
        let Cost {
            memory,
            passes,
            lanes,
        } = self.cost;
        Params::new(memory, passes, lanes, Some(key.len()))
            .and_then(|params| {
                // Own memory, because the library's is not wiped.
                let mut blocks = Zeroizing::new(vec![Block::default(); params.block_count()]);
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
                    passphrase.as_bytes(),
                    &self.salt,
                    key.as_mut_slice(),
                    blocks.as_mut_slice(),
                )
            })
            .map_err(|_| ProviderError::Derivation)?;
        KeyMaterial::from_slice(key.as_slice())
            .map(RootKey::new)
            .ok_or(ProviderError::Derivation)
    }
}

/// The provider of a passphrase.
pub struct Passphrase {
    path: PathBuf,
    words: SecretString,
    /// What new keys are wrapped with; chosen at the first wrapping.
    fresh: Stretch,
    /// Stretched already: once per salt, at start.
    roots: Mutex<HashMap<Stretch, Arc<RootKey>>>,
}

impl Passphrase {
    /// The passphrase in a file: its first line, without the line's end.
    ///
    /// # Errors
    /// When the file is missing, open to others, or the passphrase is shorter than 15 characters.
    pub fn open(path: &Path, cost: Cost) -> Result<Self, ProviderError> {
        Ok(Self {
            path: path.to_owned(),
            words: read(path)?,
            fresh: Stretch { cost, salt: random() },
            roots: Mutex::default(),
        })
    }

    #[expect(clippy::disallowed_methods, reason = "the input of Argon2id")]
    fn root(&self, stretch: Stretch) -> Result<Arc<RootKey>, ProviderError> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = roots.get(&stretch) {
            return Ok(Arc::clone(root));
        }
        let root = Arc::new(stretch.derive(self.words.expose_secret())?);
        roots.insert(stretch, Arc::clone(&root));
        Ok(root)
    }
}

fn read(path: &Path) -> Result<SecretString, ProviderError> {
    let text = private::read(path)?.ok_or_else(|| ProviderError::MissingPassphraseFile {
        path: path.to_owned(),
    })?;
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() < SHORTEST {
        return Err(ProviderError::WeakPassphrase {
            path: path.to_owned(),
        });
    }
    Ok(SecretString::from(line.to_owned()))
}

impl RootKeyProvider for Passphrase {
    fn wrap<'a>(
        &'a self,
        key: &'a KeyMaterial,
        context: &'a [&'a [u8]],
    ) -> BoxFuture<'a, Result<Wrapped, ProviderError>> {
        let wrapped = self.root(self.fresh).and_then(|root| {
            Ok(Wrapped {
                bytes: [
                    [PASSPHRASE].as_slice(),
                    &self.fresh.bytes(),
                    &root.wrap(key, context)?,
                ]
                .concat(),
                check: root.check(),
            })
        });
        ready(wrapped).boxed()
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a Wrapped,
        context: &'a [&'a [u8]],
    ) -> BoxFuture<'a, Result<KeyMaterial, ProviderError>> {
        let key = own(&wrapped.bytes, PASSPHRASE)
            .and_then(|rest| Stretch::parse(rest).ok_or(ProviderError::Damaged))
            .and_then(|(stretch, inner)| self.root(stretch)?.unwrap(inner, &wrapped.check, context));
        ready(key).boxed()
    }

    fn describe(&self) -> Description {
        Description {
            kind: "passphrase",
            reference: self.path.display().to_string(),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "compared with the file")]
    fn health(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        let health = read(&self.path).and_then(|now| {
            if same(
                now.expose_secret().as_bytes(),
                self.words.expose_secret().as_bytes(),
            ) {
                Ok(())
            } else {
                Err(ProviderError::KeyFileChanged {
                    path: self.path.clone(),
                })
            }
        });
        ready(health).boxed()
    }
}
