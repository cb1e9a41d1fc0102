//! The vectors of `docs/formats.md`: written partly by this program and partly by another library, which opens all of
//! them too (`tests/vectors/check.py`).

use std::{fs, os::unix::fs::PermissionsExt};

use data_encoding::HEXLOWER;
use futures_util::FutureExt;
use guest_vault::{
    crypto::{Aad, DataKey, IndexKey, KeyDerivationKey, KeyMaterial, Sealed},
    keys::{Cost, KeyFile, Passphrase, RootKeyProvider, Wrapped},
};
use secrecy::ExposeSecret;
use serde_json::Value;
use uuid::Uuid;

/// The vectors of one file.
fn vectors(text: &str) -> Vec<Value> {
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(!vectors.is_empty());
    vectors
}

fn text<'v>(vector: &'v Value, name: &str) -> &'v str {
    vector[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {vector}"))
}

fn hex(vector: &Value, name: &str) -> Vec<u8> {
    HEXLOWER.decode(text(vector, name).as_bytes()).unwrap()
}

fn key(vector: &Value, name: &str) -> KeyMaterial {
    KeyMaterial::from_slice(&hex(vector, name)).unwrap()
}

fn uuid(vector: &Value, name: &str) -> Uuid {
    text(vector, name).parse().unwrap()
}

fn small<N: TryFrom<u64>>(vector: &Value, name: &str) -> N {
    let number = vector[name].as_u64().unwrap();
    N::try_from(number).unwrap_or_else(|_| panic!("{name} in {vector}"))
}

/// Compares what opened, if anything, with what the vector says.
fn expect(vector: &Value, opened: Option<&[u8]>) {
    let plain = vector["opens"].as_bool().unwrap().then(|| hex(vector, "plain"));
    assert_eq!(opened, plain.as_deref(), "{}", vector["name"]);
}

#[expect(clippy::disallowed_methods, reason = "keys of the vectors are no secret")]
fn shown(key: &KeyMaterial) -> &[u8] {
    key.expose_secret()
}

#[test]
fn values_open_as_written() {
    for vector in vectors(include_str!("../vectors/values.json")) {
        let place = Aad {
            guest: uuid(&vector, "guest").into(),
            record: uuid(&vector, "record"),
            path: text(&vector, "path"),
            version: small(&vector, "version"),
        };
        let data_key = DataKey::new(key(&vector, "key"));
        let opened = Sealed::parse(hex(&vector, "sealed")).and_then(|sealed| data_key.open(&sealed, &place));
        expect(&vector, opened.as_ref().ok().map(|plain| plain.as_slice()));
    }
}

#[test]
fn data_keys_unwrap_as_written() {
    for vector in vectors(include_str!("../vectors/data_keys.json")) {
        let guest = uuid(&vector, "guest");
        let version: u16 = small(&vector, "version");
        let wrapping =
            KeyDerivationKey::new(key(&vector, "epoch_key")).wrapping("data key", guest.as_bytes());
        let context: &[&[u8]] = &[
            b"data key",
            guest.as_bytes(),
            &[small(&vector, "category")],
            &version.to_be_bytes(),
        ];
        let opened = wrapping.unwrap(&hex(&vector, "wrapped"), context);
        expect(&vector, opened.as_ref().ok().map(shown));
    }
}

#[test]
fn vault_keys_unwrap_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root");
    for vector in vectors(include_str!("../vectors/vault_keys.json")) {
        let by_file = text(&vector, "provider") == "key file";
        let in_file = if by_file {
            format!("gvroot1:{}\n", text(&vector, "root"))
        } else {
            format!("{}\n", text(&vector, "passphrase"))
        };
        fs::write(&path, in_file).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let provider: Box<dyn RootKeyProvider> = if by_file {
            Box::new(KeyFile::open(&path).unwrap())
        } else {
            Box::new(Passphrase::open(&path, Cost::STANDARD).unwrap())
        };
        let wrapped = Wrapped {
            bytes: hex(&vector, "wrapped"),
            check: hex(&vector, "check"),
        };
        let version: i64 = small(&vector, "version");
        let context: &[&[u8]] = &[
            b"vault key",
            text(&vector, "purpose").as_bytes(),
            &version.to_be_bytes(),
        ];
        let opened = provider.unwrap(&wrapped, context).now_or_never().unwrap();
        expect(&vector, opened.as_ref().ok().map(shown));
    }
}

#[test]
fn tokens_are_as_written() {
    for vector in vectors(include_str!("../vectors/tokens.json")) {
        let index = IndexKey::new(key(&vector, "key"));
        let token = index.token(text(&vector, "kind"), text(&vector, "value").as_bytes());
        assert_eq!(token.to_vec(), hex(&vector, "token"), "{}", vector["name"]);
    }
}

#[test]
fn pseudonyms_are_as_written() {
    for vector in vectors(include_str!("../vectors/pseudonyms.json")) {
        let year: i32 = small(&vector, "year");
        let data_key = DataKey::new(key(&vector, "data_key"));
        let hash = data_key.derive_mac("pseudonym").mac(&year.to_be_bytes());
        assert_eq!(
            hash[..16].to_vec(),
            hex(&vector, "pseudonym"),
            "{}",
            vector["name"]
        );
    }
}
