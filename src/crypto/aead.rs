//! AES-256-GCM, and the key that seals a guest's values with it.

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::{
    Aad, Algorithm, KeyMaterial, MacKey, OpenError, SealError, Sealed, random,
    sealed::{FORMAT, Header, NONCE, Parts, TAG},
};

/// An expanded AES-256-GCM key: expanding costs as much as sealing a short value. Wiped when dropped (crate
/// feature `zeroize`); boxed, so that moving its owner leaves no copy behind.
pub(super) struct Cipher(Box<Aes256Gcm>);

impl Cipher {
    #[expect(clippy::disallowed_methods, reason = "the key schedule is made from the key")]
    pub(super) fn new(key: &KeyMaterial) -> Self {
        Self(Box::new(Aes256Gcm::new(key.expose_secret().into())))
    }

    /// Appends nonce, ciphertext and tag to a header. One allocation, so that no plain bytes are left in another.
    pub(super) fn seal(&self, header: &[u8], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        if plain.len() > Sealed::LONGEST {
            return Err(SealError::TooLong);
        }
        let nonce: [u8; NONCE] = random();
        let mut out = Vec::with_capacity(header.len() + NONCE + plain.len() + TAG);
        out.extend_from_slice(header);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let (_, text) = out.split_at_mut(header.len() + NONCE);
        let tag = self
            .0
            .encrypt_inout_detached(&Nonce::from(nonce), aad, text.into())
            .map_err(|_| SealError::TooLong)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// Opens ciphertext and tag.
    pub(super) fn open(
        &self,
        nonce: [u8; NONCE],
        aad: &[u8],
        body: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (text, tag) = body.split_last_chunk::<TAG>().ok_or(OpenError::TooShort)?;
        let mut plain = Zeroizing::new(text.to_vec());
        self.0
            .decrypt_inout_detached(
                &Nonce::from(nonce),
                aad,
                plain.as_mut_slice().into(),
                &Tag::from(*tag),
            )
            .map_err(|_| OpenError::Refused)?;
        Ok(plain)
    }
}

/// The key of one guest and category. Cheap to use again and again: the key schedule is made once.
pub struct DataKey {
    material: KeyMaterial,
    cipher: Cipher,
}

impl DataKey {
    /// A new random key.
    #[must_use]
    pub fn random() -> Self {
        Self::new(KeyMaterial::random())
    }

    /// The key of these bytes.
    #[must_use]
    pub fn new(material: KeyMaterial) -> Self {
        let cipher = Cipher::new(&material);
        Self { material, cipher }
    }

    /// Its bytes, for wrapping.
    #[must_use]
    pub const fn material(&self) -> &KeyMaterial {
        &self.material
    }

    /// A keyed hash under a key derived from this one: gone when this key is.
    #[must_use]
    pub fn derive_mac(&self, label: &str) -> MacKey {
        MacKey::new(super::kdf::derive(&self.material, &[label.as_bytes()]))
    }

    /// Seals a value to its place.
    ///
    /// # Errors
    /// When it is longer than [`Sealed::LONGEST`].
    pub fn seal(
        &self,
        category: u8,
        key_version: u16,
        aad: &Aad<'_>,
        plain: &[u8],
    ) -> Result<Sealed, SealError> {
        let [high, low] = key_version.to_be_bytes();
        let header: Header = [FORMAT, Algorithm::Aes256Gcm.code(), category, high, low];
        self.cipher
            .seal(&header, &aad.bytes(header), plain)
            .map(Sealed::of_sealed)
    }

    /// Opens a value that was sealed to this place.
    ///
    /// # Errors
    /// [`OpenError::Refused`] when it was not, or was changed since.
    pub fn open(&self, sealed: &Sealed, aad: &Aad<'_>) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open_bytes(sealed.as_bytes(), aad)
    }

    /// [`DataKey::open`] of stored bytes, without copying them first.
    ///
    /// # Errors
    /// As [`Sealed::parse`] and [`DataKey::open`].
    pub fn open_bytes(&self, sealed: &[u8], aad: &Aad<'_>) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let parts = Parts::of(sealed)?;
        self.cipher
            .open(*parts.nonce, &aad.bytes(parts.header), parts.body)
    }
}
