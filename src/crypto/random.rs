//! Randomness, digests, and comparison in constant time.

use ring::rand::{SecureRandom, SystemRandom};
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
    let mut out = [0; 32];
    for (to, from) in out
        .iter_mut()
        .zip(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
    {
        *to = *from;
    }
    out
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
