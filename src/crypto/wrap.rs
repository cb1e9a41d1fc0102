//! Keys sealed under keys.

use secrecy::ExposeSecret;

use super::{
    Algorithm, KeyMaterial, OpenError, SealError,
    aead::Cipher,
    joined,
    sealed::{FORMAT, NONCE, TAG},
};

/// Bytes of a wrapped key: `format | algorithm | nonce (12) | ciphertext (32) | tag (16)`.
pub const WRAPPED_LENGTH: usize = 2 + NONCE + 32 + TAG;

/// A key that seals other keys.
pub struct KeyEncryptionKey(Cipher);

impl KeyEncryptionKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(material: &KeyMaterial) -> Self {
        Self(Cipher::new(material))
    }

    /// Seals a key to its context: what it is for, and whose.
    ///
    /// # Errors
    /// Never for a key of 32 bytes; the type says what sealing may say.
    #[expect(clippy::disallowed_methods, reason = "the plain text of the wrapping")]
    pub fn wrap(&self, key: &KeyMaterial, context: &[&[u8]]) -> Result<Vec<u8>, SealError> {
        let header = [FORMAT, Algorithm::Aes256Gcm.code()];
        self.0
            .seal(&header, &authenticated(header, context), key.expose_secret())
    }

    /// Opens a key that was sealed to this context.
    ///
    /// # Errors
    /// When it was not, was changed since, or is of a format or algorithm that this version does not open.
    pub fn unwrap(&self, wrapped: &[u8], context: &[&[u8]]) -> Result<KeyMaterial, OpenError> {
        let (header, rest) = wrapped.split_first_chunk().ok_or(OpenError::TooShort)?;
        let (nonce, body) = rest.split_first_chunk().ok_or(OpenError::TooShort)?;
        match *header {
            [FORMAT, algorithm] => Algorithm::check(algorithm)?,
            [other, _] => return Err(OpenError::UnknownFormat(other)),
        }
        let plain = self.0.open(*nonce, &authenticated(*header, context), body)?;
        KeyMaterial::from_slice(&plain).ok_or(OpenError::Refused)
    }
}

fn authenticated(header: [u8; 2], context: &[&[u8]]) -> Vec<u8> {
    let parts: Vec<&[u8]> = std::iter::once(header.as_slice())
        .chain(context.iter().copied())
        .collect();
    joined(&parts)
}
