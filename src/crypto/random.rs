//! Randomness, digests, and comparison in constant time.

use ring::{
    digest::{Context, SHA256},
    rand::{SecureRandom, SystemRandom},
};
use subtle::ConstantTimeEq;

/// `N` bytes of the operating system's generator, for nonces, salts and identifiers that must not be guessed.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// Fills the bytes or ends the process: a repeated GCM nonce or a guessable key cannot be taken back.
pub(super) fn fill(bytes: &mut [u8]) {
    if SystemRandom::new().fill(bytes).is_err() {
        tracing::error!("the operating system gives no random bytes; stopping");
        std::process::abort();
    }
}

/// SHA-256 (FIPS 180-4).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha256_of(&[bytes])
}

/// SHA-256 of several pieces one after the other.
#[must_use]
pub fn sha256_of(pieces: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for piece in pieces {
        context.update(piece);
    }
    // What SHA-256 gives is 32 bytes.
    context.finish().as_ref().try_into().unwrap_or_default()
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
