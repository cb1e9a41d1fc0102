//! API keys: their text, and the keyed hash that is all the vault keeps of them.
//!
//! `gv_<key id>_<secret>`: the principal's id and 256 random bits, each in lower-case base32 (RFC 4648 §6) without
//! padding. The alphabet has no `_`, so there is one way to read a key, and secret scanners find it by
//! `gv_[a-z2-7]{26}_[a-z2-7]{52}`.

use data_encoding::BASE32_NOPAD;
use secrecy::SecretString;
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    base::PrincipalId,
    crypto::{self, MacKey},
};

/// Lends the vault key that secrets of API keys are hashed with.
pub trait SecretHashKey: Send + Sync {
    /// The key.
    fn secret_hash_key(&self) -> &MacKey;
}

impl SecretHashKey for MacKey {
    fn secret_hash_key(&self) -> &MacKey {
        self
    }
}

/// A key as its owner holds it. The secret is wiped when it is dropped.
pub struct ApiKey {
    principal: PrincipalId,
    secret: Zeroizing<[u8; 32]>,
}

impl ApiKey {
    /// What every key begins with.
    pub const PREFIX: &'static str = "gv_";

    /// A new key of a principal.
    #[must_use]
    pub fn random(principal: PrincipalId) -> Self {
        Self {
            principal,
            secret: Zeroizing::new(crypto::random()),
        }
    }

    /// Reads a key; `None` for anything but the one text that [`ApiKey::text`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(Self::PREFIX)?.split_once('_')?;
        let id = decode::<16>(id)?;
        Some(Self {
            principal: PrincipalId(Uuid::from_bytes(*id)),
            secret: decode::<32>(secret)?,
        })
    }

    /// The key's text, for its owner, once.
    #[must_use]
    pub fn text(&self) -> SecretString {
        let mut secret = encode(self.secret.as_slice());
        let text = format!("{}{}_{secret}", Self::PREFIX, encode(self.principal.0.as_bytes()));
        secret.zeroize();
        text.into()
    }

    /// Whose key it says it is.
    #[must_use]
    pub const fn principal(&self) -> PrincipalId {
        self.principal
    }

    /// The keyed hash of secret and principal: a hash moved to another principal's row fits no key.
    #[must_use]
    pub fn hash(&self, key: &MacKey) -> SecretHash {
        SecretHash(key.mac_of(&[self.principal.0.as_bytes(), self.secret.as_slice()]))
    }
}

/// The keyed hash of a key's secret.
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Whether it is the stored one, in constant time: how much of it agrees must not show.
    #[must_use]
    pub fn is(&self, stored: &[u8]) -> bool {
        crypto::same(&self.0, stored)
    }

    /// The bytes that are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut text = BASE32_NOPAD.encode(bytes);
    text.make_ascii_lowercase();
    text
}

fn decode<const N: usize>(text: &str) -> Option<Zeroizing<[u8; N]>> {
    // One text per key: another spelling of the same bytes would escape a deny-list of leaked keys.
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let upper = Zeroizing::new(text.to_ascii_uppercase());
    let bytes = Zeroizing::new(BASE32_NOPAD.decode(upper.as_bytes()).ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::crypto::KeyMaterial;

    fn text(key: &ApiKey) -> String {
        #[expect(clippy::disallowed_methods, reason = "a test's own key")]
        key.text().expose_secret().to_owned()
    }

    #[test]
    fn a_key_reads_back_and_has_the_form_that_scanners_look_for() {
        let key = ApiKey::random(PrincipalId::random());
        let shown = text(&key);
        assert_eq!(shown.len(), 3 + 26 + 1 + 52);
        assert!(
            shown
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7' | b'_'))
        );
        let again = ApiKey::parse(&shown).unwrap();
        assert_eq!(again.principal(), key.principal());
        assert_eq!(again.secret.as_slice(), key.secret.as_slice());
    }

    #[test]
    fn no_other_text_is_read() {
        let shown = text(&ApiKey::random(PrincipalId::random()));
        let wrong = [
            String::new(),
            "gv_".to_owned(),
            "gv__".to_owned(),
            shown.to_uppercase(),
            shown.replacen("gv_", "gv", 1),
            format!("{shown}a"),
            format!("{shown}="),
            format!("{shown}_"),
            format!(" {shown}"),
            shown.get(..shown.len() - 1).unwrap().to_owned(),
            shown.replacen("gv_", "gw_", 1),
            shown.replacen("gv_", "gv_é", 1),
        ];
        for text in wrong {
            assert!(ApiKey::parse(&text).is_none(), "{text}");
        }
    }

    #[test]
    fn spare_bits_of_the_last_character_must_be_zero() {
        // 32 bytes fill 51 characters and one bit of the 52nd: all but two of its values are another spelling.
        let shown = text(&ApiKey::random(PrincipalId::random()));
        let (front, _) = shown.split_at(shown.len() - 1);
        let read = ('a'..='z')
            .chain('2'..='7')
            .filter(|c| ApiKey::parse(&format!("{front}{c}")).is_some());
        assert_eq!(read.count(), 2);
    }

    #[test]
    fn the_hash_depends_on_secret_principal_and_vault_key() {
        let vault = MacKey::new(KeyMaterial::random());
        let key = ApiKey::random(PrincipalId::random());
        let stored = key.hash(&vault);
        assert!(key.hash(&vault).is(stored.as_bytes()));
        assert!(
            !key.hash(&MacKey::new(KeyMaterial::random()))
                .is(stored.as_bytes())
        );
        let moved = ApiKey {
            principal: PrincipalId::random(),
            secret: key.secret.clone(),
        };
        assert!(!moved.hash(&vault).is(stored.as_bytes()));
        for bit in 0..256_usize {
            let mut secret = key.secret.clone();
            secret[bit / 8] ^= 1 << (bit % 8);
            let tampered = ApiKey {
                principal: key.principal,
                secret,
            };
            assert!(!tampered.hash(&vault).is(stored.as_bytes()), "bit {bit}");
        }
        assert!(!stored.is(&stored.as_bytes()[..31]) && !stored.is(&[]));
    }
}
