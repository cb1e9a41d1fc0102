//! Floor 1: sealing, wrapping, keyed hashes and randomness; the formats are in `docs/formats.md`.
//!
//! Every value is sealed by itself with AES-256-GCM and bound to its place: guest, record, field and version.
//! Bytes that were changed, cut or moved do not open, and what fails says so by type, never by content.
//!
//! Key types have no `Debug`, `Clone` or `Default`, and their bytes are wiped when they are dropped.

mod aead;
pub mod age;
mod bech32;
mod hook;
mod kdf;
mod mac;
mod material;
mod random;
mod sealed;
mod sign;
mod wrap;

pub use aead::DataKey;
pub use hook::{HookKey, InvalidHookKey};
pub use kdf::KeyDerivationKey;
pub use mac::{IndexKey, MacKey};
pub use material::KeyMaterial;
pub use random::{random, same, sha256, sha256_of};
pub use sealed::{Aad, Algorithm, OpenError, SealError, Sealed};
pub use sign::{SigningKey, verify_signature};
pub use wrap::{KeyEncryptionKey, WRAPPED_LENGTH};

/// Parts joined so that no two lists of parts give the same bytes: each as a big-endian `u32` length and itself.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 4).sum());
    for part in parts {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
pub(crate) mod tests;
