//! Keys from keys: HKDF-SHA-256 (RFC 5869).

use ring::hkdf::{HKDF_SHA256, Salt};
use secrecy::ExposeSecret;

use super::{KeyEncryptionKey, KeyMaterial, MacKey, joined};

/// The salt of every derivation: keeps this product's keys apart from any other use of the same bytes.
const SALT: &[u8] = b"guest-vault/1";

/// HKDF with [`SALT`]; `info` is the parts, each after its length.
#[expect(clippy::disallowed_methods, reason = "the input of the derivation")]
pub(super) fn derive(from: &KeyMaterial, info: &[&[u8]]) -> KeyMaterial {
    let mut key = KeyMaterial::zeros();
    let filled = Salt::new(HKDF_SHA256, SALT)
        .extract(from.expose_secret())
        .expand(&[&joined(info)], HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut()));
    if filled.is_err() {
        // Only a length other than one digest fails here; a key of zeros must never leave this function.
        tracing::error!("HKDF gave no key; stopping");
        std::process::abort();
    }
    key
}

/// A key that never encrypts itself; others are derived from it by label and context.
pub struct KeyDerivationKey(KeyMaterial);

impl KeyDerivationKey {
    /// The key of these bytes.
    #[must_use]
    pub const fn new(material: KeyMaterial) -> Self {
        Self(material)
    }

    /// The key that wraps other keys within a context, such as one guest.
    #[must_use]
    pub fn wrapping(&self, label: &str, context: &[u8]) -> KeyEncryptionKey {
        KeyEncryptionKey::new(&derive(&self.0, &[label.as_bytes(), context]))
    }

    /// A keyed hash of its own.
    #[must_use]
    pub fn mac(&self, label: &str) -> MacKey {
        MacKey::new(derive(&self.0, &[label.as_bytes()]))
    }
}
