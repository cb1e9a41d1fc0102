use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::base::GuestId;

/// Compiles only if the type lacks every one of the traits: with the trait, two impls fit and `f` is ambiguous.
macro_rules! lacks {
    ($type:ty: $($trait:path),+) => {$(
        const _: fn() = || {
            trait Ambiguous<A> {
                fn f() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            struct Has;
            impl<T: ?Sized + $trait> Ambiguous<Has> for T {}
            let _ = <$type as Ambiguous<_>>::f;
        };
    )+};
}
pub(crate) use lacks;

lacks!(KeyMaterial: std::fmt::Debug, Clone, Default, std::fmt::Display, serde::Serialize);
lacks!(DataKey: std::fmt::Debug, Clone, Default, std::fmt::Display, serde::Serialize);
lacks!(KeyEncryptionKey: std::fmt::Debug, Clone, Default, std::fmt::Display, serde::Serialize);
lacks!(KeyDerivationKey: std::fmt::Debug, Clone, Default, std::fmt::Display, serde::Serialize);
lacks!(IndexKey: std::fmt::Debug, Clone, Default, std::fmt::Display, serde::Serialize);
lacks!(MacKey: std::fmt::Debug, Clone, Default, std::fmt::Display, serde::Serialize);

const fn wiped_on_drop<T: zeroize::ZeroizeOnDrop>() {}
const _: () = wiped_on_drop::<KeyMaterial>();
const _: () = wiped_on_drop::<aes_gcm::Aes256Gcm>();

fn place(guest: u128, record: u128, path: &str, version: u64) -> Aad<'_> {
    Aad {
        guest: GuestId(Uuid::from_u128(guest)),
        record: Uuid::from_u128(record),
        path,
        version,
    }
}

/// Small numbers, so that independent pseudo-random choices often agree in all but one part.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

#[test]
fn what_was_sealed_opens_in_its_place() {
    let key = DataKey::random();
    for plain in [&b""[..], b"x", b"+351912345678", &[7; 5000]] {
        let at = place(1, 2, "phones", 3);
        let sealed = key.seal(3, 9, &at, plain).unwrap();
        assert_eq!(sealed.as_bytes().len(), plain.len() + Sealed::OVERHEAD);
        assert_eq!(sealed.as_bytes()[..5], [1, 1, 3, 0, 9]);
        assert_eq!(Sealed::key_of(sealed.as_bytes()), Ok((3, 9)));
        assert_eq!(key.open(&sealed, &at).unwrap().as_slice(), plain);
        assert_eq!(Sealed::parse(sealed.clone().into_bytes()), Ok(sealed));
    }
}

#[test]
fn equal_values_are_sealed_to_different_bytes() {
    let key = DataKey::random();
    let at = place(1, 2, "phones", 3);
    let twice = [(); 2].map(|()| key.seal(3, 1, &at, b"same").unwrap());
    assert_ne!(twice[0].as_bytes()[5..], twice[1].as_bytes()[5..]);
}

#[test]
fn a_value_longer_than_the_limit_is_not_sealed() {
    let key = DataKey::random();
    let long = vec![0; Sealed::LONGEST + 1];
    let refused = key.seal(1, 1, &place(1, 1, "notes", 1), &long);
    assert_eq!(refused.err(), Some(SealError::TooLong));
}

#[test]
fn a_hundred_thousand_transplants_are_refused() {
    let keys = [DataKey::random(), DataKey::random()];
    let paths = ["phones", "emails", "name.surname"];
    let mut dice = Dice(0x5eed_0f1e_a51e_d001);
    let draw = |dice: &mut Dice| {
        let (key, category) = (
            usize::try_from(dice.below(2)).unwrap(),
            u8::try_from(dice.below(2)).unwrap(),
        );
        let path = paths[usize::try_from(dice.below(3)).unwrap()];
        let at = place(dice.below(3).into(), dice.below(3).into(), path, dice.below(3));
        (key, category, at)
    };
    let mut refused = 0;
    while refused < 100_000 {
        let (from, to) = (draw(&mut dice), draw(&mut dice));
        let sealed = keys[from.0].seal(from.1, 1, &from.2, b"v").unwrap();
        // The category travels in the header: bytes relabelled to another category are another transplant.
        let mut bytes = sealed.into_bytes();
        bytes[2] = to.1;
        let opened = keys[to.0].open_bytes(&bytes, &to.2);
        if from == to {
            assert_eq!(opened.unwrap().as_slice(), b"v");
        } else {
            assert_eq!(
                opened.err(),
                Some(OpenError::Refused),
                "{from:?} opened at {to:?}"
            );
            refused += 1;
        }
    }
}

#[test]
fn a_hundred_thousand_bit_flips_are_refused() {
    let key = DataKey::random();
    let at = place(1, 2, "phones", 3);
    let sealed = key.seal(3, 1, &at, b"value").unwrap().into_bytes();
    let mut dice = Dice(0x00dd_b17f_11b5);
    let bits = u64::try_from(sealed.len() * 8).unwrap();
    for _ in 0..100_000 {
        let mut bytes = sealed.clone();
        for _ in 0..=dice.below(3) {
            let bit = usize::try_from(dice.below(bits)).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(key.open_bytes(&bytes, &at).is_ok(), bytes == sealed);
    }
}

#[test]
fn every_cut_is_refused() {
    let key = DataKey::random();
    let at = place(1, 2, "phones", 3);
    let sealed = key.seal(3, 1, &at, b"value").unwrap().into_bytes();
    for length in 0..sealed.len() {
        let expected = if length < Sealed::OVERHEAD {
            OpenError::TooShort
        } else {
            OpenError::Refused
        };
        assert_eq!(key.open_bytes(&sealed[..length], &at).err(), Some(expected));
    }
}

#[test]
fn other_formats_and_algorithms_are_told_apart() {
    let mut bytes = DataKey::random()
        .seal(3, 1, &place(1, 2, "phones", 3), b"value")
        .unwrap()
        .into_bytes();
    for (algorithm, expected) in [
        (0, OpenError::UnknownAlgorithm(0)),
        (2, OpenError::ReservedAlgorithm(Algorithm::ChaCha20Poly1305)),
        (3, OpenError::ReservedAlgorithm(Algorithm::Sm4Gcm)),
        (4, OpenError::UnknownAlgorithm(4)),
    ] {
        bytes[1] = algorithm;
        assert_eq!(Sealed::parse(bytes.clone()).err(), Some(expected));
    }
    bytes[0] = 2;
    assert_eq!(Sealed::parse(bytes).err(), Some(OpenError::UnknownFormat(2)));
}

#[test]
fn errors_name_what_to_do_and_no_content() {
    let text = OpenError::ReservedAlgorithm(Algorithm::Sm4Gcm).to_string();
    assert_eq!(text, "sealed with SM4-GCM, which this build does not have");
}

#[test]
fn wrapped_keys_open_only_in_their_context() {
    let epoch = KeyDerivationKey::new(KeyMaterial::random());
    let wrapping = epoch.wrapping("data key", b"guest 1");
    let data = DataKey::random();
    let wrapped = wrapping
        .wrap(data.material(), &[b"guest 1", &[3], &[0, 1]])
        .unwrap();
    assert_eq!(wrapped.len(), WRAPPED_LENGTH);
    let again = DataKey::new(wrapping.unwrap(&wrapped, &[b"guest 1", &[3], &[0, 1]]).unwrap());
    let at = place(1, 2, "phones", 3);
    let sealed = data.seal(3, 1, &at, b"value").unwrap();
    assert_eq!(again.open(&sealed, &at).unwrap().as_slice(), b"value");

    let refused = |key: &KeyEncryptionKey, bytes: &[u8], context: &[&[u8]]| key.unwrap(bytes, context).err();
    let context: &[&[u8]] = &[b"guest 1", &[3], &[0, 1]];
    // The same bytes, differently divided, are another context.
    assert_eq!(
        refused(&wrapping, &wrapped, &[b"guest 1", &[3, 0], &[1]]),
        Some(OpenError::Refused)
    );
    assert_eq!(
        refused(&epoch.wrapping("data key", b"guest 2"), &wrapped, context),
        Some(OpenError::Refused)
    );
    assert_eq!(
        refused(&epoch.wrapping("other", b"guest 1"), &wrapped, context),
        Some(OpenError::Refused)
    );
    for bit in 0..wrapped.len() * 8 {
        let mut bytes = wrapped.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(refused(&wrapping, &bytes, context).is_some());
    }
    for length in 0..wrapped.len() {
        assert!(refused(&wrapping, &wrapped[..length], context).is_some());
    }
}

#[test]
fn tokens_depend_on_key_kind_and_value() {
    let key = IndexKey::new(KeyMaterial::from_slice(&[1; 32]).unwrap());
    let other = IndexKey::new(KeyMaterial::from_slice(&[2; 32]).unwrap());
    let token = key.token("email", b"ana@example.com");
    assert_eq!(token, key.token("email", b"ana@example.com"));
    assert_ne!(token, key.token("phone", b"ana@example.com"));
    assert_ne!(token, key.token("email", b"eva@example.com"));
    assert_ne!(token, other.token("email", b"ana@example.com"));
}

#[test]
fn keyed_hashes_verify_only_their_own_bytes() {
    let key = MacKey::new(KeyMaterial::random());
    let hash = key.mac(b"api key");
    assert_eq!(hash, key.mac_of(&[b"api", b" key"]));
    assert!(key.verify(b"api key", &hash));
    assert!(!key.verify(b"api kex", &hash));
    assert!(!key.verify(b"api key", &hash[..31]));
    let data = DataKey::random();
    assert_eq!(data.derive_mac("a").mac(b"x"), data.derive_mac("a").mac(b"x"));
    assert_ne!(data.derive_mac("a").mac(b"x"), data.derive_mac("b").mac(b"x"));
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    // RFC 4231 §4.4: a 20-byte key is padded with zeros to the block, so 32 bytes ending in zeros are the same key.
    let mut key = [0; 32];
    key[..20].fill(0xaa);
    let hash = MacKey::new(KeyMaterial::from_slice(&key).unwrap()).mac(&[0xdd; 50]);
    assert_eq!(
        data_encoding::HEXLOWER.encode(&hash),
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
    );
}

#[test]
fn comparison_and_digest_are_right() {
    assert!(same(b"", b"") && same(b"abc", b"abc"));
    assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab"));
    assert_eq!(
        data_encoding::HEXLOWER.encode(&sha256(b"abc")),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_ne!(random::<16>(), random::<16>());
    assert!(KeyMaterial::from_slice(&[0; 31]).is_none());
}

proptest! {
    #[test]
    fn parsing_any_bytes_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let parsed = Sealed::parse(bytes.clone());
        prop_assert_eq!(parsed.is_ok(), bytes.len() >= Sealed::OVERHEAD && bytes[..2] == [1, 1]);
        let wrapping = KeyEncryptionKey::new(&KeyMaterial::random());
        prop_assert!(wrapping.unwrap(&bytes, &[]).is_err());
    }
}
