//! Keyed hashes: HMAC-SHA-256 (FIPS 198-1).

use ring::hmac::{Context, HMAC_SHA256, Key};
use secrecy::ExposeSecret;

use super::{KeyMaterial, same};

/// A keyed hash of 32 bytes, for one purpose.
pub struct MacKey(KeyMaterial);

impl MacKey {
    /// The key of these bytes.
    #[must_use]
    pub const fn new(material: KeyMaterial) -> Self {
        Self(material)
    }

    /// The keyed hash of some bytes.
    #[must_use]
    pub fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        self.mac_of(&[bytes])
    }

    /// The keyed hash of parts put one after the other, without lengths between them.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the key of the hash")]
    pub fn mac_of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = Context::with_key(&Key::new(HMAC_SHA256, self.0.expose_secret()));
        for part in parts {
            context.update(part);
        }
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        out
    }

    /// Whether a keyed hash belongs to these bytes, in constant time.
    #[must_use]
    pub fn verify(&self, bytes: &[u8], expected: &[u8]) -> bool {
        same(&self.mac(bytes), expected)
    }
}

/// Makes blind-index tokens: equal values of one kind give equal tokens, and without the key nothing can be told.
pub struct IndexKey(MacKey);

impl IndexKey {
    /// Stands between kind and value; no kind contains it.
    const BETWEEN: &[u8] = &[0x1f];

    /// The key of these bytes.
    #[must_use]
    pub const fn new(material: KeyMaterial) -> Self {
        Self(MacKey::new(material))
    }

    /// The token of a value's normal form: the first 16 bytes of the keyed hash of `kind | 0x1f | value`.
    ///
    /// The kind (`email`, `phone`, `stay_day` …) keeps indexes apart; it is a constant of the code, never input.
    #[must_use]
    pub fn token(&self, kind: &str, value: &[u8]) -> [u8; 16] {
        let full = self.0.mac_of(&[kind.as_bytes(), Self::BETWEEN, value]);
        let mut token = [0; 16];
        for (to, from) in token.iter_mut().zip(full) {
            *to = from;
        }
        token
    }
}
