//! Signatures: Ed25519 (RFC 8032).

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use secrecy::ExposeSecret;

use super::KeyMaterial;

/// Signs; its 32 bytes are the seed of RFC 8032.
pub struct SigningKey {
    seed: KeyMaterial,
    public: [u8; 32],
}

impl SigningKey {
    /// The key of this seed.
    #[must_use]
    pub fn new(seed: KeyMaterial) -> Self {
        let mut public = [0; 32];
        for (to, from) in public.iter_mut().zip(pair(&seed).public_key().as_ref()) {
            *to = *from;
        }
        Self { seed, public }
    }

    /// The public key, for whoever verifies.
    #[must_use]
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The signature over a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        for (to, from) in out.iter_mut().zip(pair(&self.seed).sign(message).as_ref()) {
            *to = *from;
        }
        out
    }
}

#[expect(clippy::disallowed_methods, reason = "the seed of the signature's key")]
fn pair(seed: &KeyMaterial) -> Ed25519KeyPair {
    let Ok(pair) = Ed25519KeyPair::from_seed_unchecked(seed.expose_secret()) else {
        // Only a length other than 32 bytes fails here.
        tracing::error!("Ed25519 took no key; stopping");
        std::process::abort();
    };
    pair
}

/// Whether the signature over the message is by the owner of the public key.
#[must_use]
pub fn verify_signature(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public)
        .verify(message, signature)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.1, test 2.
    #[test]
    fn the_rfcs_example_is_signed_as_there() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SigningKey::new(KeyMaterial::from_slice(&seed).unwrap());
        assert_eq!(
            key.public().to_vec(),
            hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
        );
        let signature = hex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        assert_eq!(key.sign(&[0x72]).to_vec(), signature);
        assert!(verify_signature(&key.public(), &[0x72], &signature));
        assert!(!verify_signature(&key.public(), &[0x73], &signature));
        assert!(!verify_signature(&key.public(), &[0x72], &signature[..63]));
    }
}
