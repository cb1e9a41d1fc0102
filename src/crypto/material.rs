//! The 256 bits every key is made of.

use secrecy::ExposeSecret;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes on the heap, wiped when dropped. Other keys are made from it and hold it.
///
/// It cannot be printed, copied or made empty:
///
/// ```compile_fail
/// println!("{:?}", guest_vault::crypto::KeyMaterial::random());
/// ```
/// ```compile_fail
/// let _copy = guest_vault::crypto::KeyMaterial::random().clone();
/// ```
/// ```compile_fail
/// let _zeros = guest_vault::crypto::KeyMaterial::default();
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyMaterial(Box<[u8; 32]>);

impl KeyMaterial {
    /// Fresh bytes of the operating system's generator.
    #[must_use]
    pub fn random() -> Self {
        let mut key = Self::zeros();
        super::random::fill(key.0.as_mut_slice());
        key
    }

    /// A copy of exactly 32 bytes; the caller wipes its own.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Self::zeros();
        (bytes.len() == key.0.len()).then(|| {
            key.0.copy_from_slice(bytes);
            key
        })
    }

    /// Zeros to be filled in place, so that the secret never lies on the stack.
    pub(super) fn zeros() -> Self {
        Self(Box::new([0; 32]))
    }

    pub(super) fn as_mut(&mut self) -> &mut [u8; 32] {
        &mut self.0
    }
}

/// A lint makes each use say why.
impl ExposeSecret<[u8; 32]> for KeyMaterial {
    fn expose_secret(&self) -> &[u8; 32] {
        &self.0
    }
}
