use futures_util::FutureExt;

use crate::crypto::KeyMaterial;

use super::*;

const HEX: &str = "gvroot1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
const BASE64: &str = "gvroot1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
const CHEAP: Cost = Cost {
    memory: 64,
    passes: 1,
    lanes: 1,
};
const CONTEXT: &[&[u8]] = &[b"vault key", b"index"];

fn wrap(provider: &dyn RootKeyProvider, key: &KeyMaterial) -> Wrapped {
    provider.wrap(key, CONTEXT).now_or_never().unwrap().unwrap()
}

fn unwrap(provider: &dyn RootKeyProvider, wrapped: &Wrapped) -> Result<KeyMaterial, ProviderError> {
    provider.unwrap(wrapped, CONTEXT).now_or_never().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "compared in a test")]
fn equal(left: &KeyMaterial, right: &KeyMaterial) -> bool {
    use secrecy::ExposeSecret;
    left.expose_secret() == right.expose_secret()
}

#[test]
fn a_key_file_is_read_in_hex_and_base64() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("root.key");
    let key = KeyMaterial::random();
    write(&path, HEX, 0o600);
    let wrapped = wrap(&KeyFile::open(&path).unwrap(), &key);
    for text in [
        HEX,
        &HEX.to_uppercase().replace("GVROOT", "gvroot"),
        BASE64,
        BASE64.trim_end_matches("=\n"),
    ] {
        write(&path, text, 0o400);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(equal(
            &unwrap(&KeyFile::open(&path).unwrap(), &wrapped).unwrap(),
            &key
        ));
    }
}

#[test]
fn a_made_key_file_is_private_and_never_overwritten() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("root.key");
    let made = KeyFile::open_or_make(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.starts_with("gvroot1:") && text.len() == 53,
        "one line of 32 bytes in base64"
    );
    let key = KeyMaterial::random();
    let wrapped = wrap(&made, &key);
    let again = KeyFile::open_or_make(&path).unwrap();
    assert!(equal(&unwrap(&again, &wrapped).unwrap(), &key));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no draft is left"
    );
}

#[test]
fn a_key_file_open_to_others_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("root.key");
    for bits in [0o640, 0o604, 0o620, 0o644, 0o666] {
        write(&path, HEX, bits);
        let error = KeyFile::open(&path).err().unwrap();
        assert!(matches!(&error, ProviderError::KeyFileReadable { mode, .. } if *mode == bits));
        assert!(
            error
                .to_string()
                .contains(&format!("run `chmod 600 {}`", path.display()))
        );
    }
    write(&path, HEX, 0o400);
    assert!(KeyFile::open(&path).is_ok());
}

#[test]
fn what_is_not_a_key_file_is_refused_without_showing_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("root.key");
    for (content, problem) in [
        ("", "is empty"),
        ("\n", "is empty"),
        ("000102", "does not begin with"),
        ("gvroot1:", "does not hold 32 bytes"),
        ("gvroot1:0001", "does not hold 32 bytes"),
        (&HEX.replace("0001", "zz01"), "does not hold 32 bytes"),
        (&format!("{}{}", HEX.trim(), HEX), "does not hold 32 bytes"),
        (&BASE64.replace('A', "*"), "does not hold 32 bytes"),
    ] {
        write(&path, content, 0o600);
        let text = KeyFile::open(&path).err().unwrap().to_string();
        assert!(text.contains(problem) && !text.contains("0405"), "{text}");
    }
    fs::write(&path, [0xff; 64]).unwrap();
    assert!(matches!(
        KeyFile::open(&path).err(),
        Some(ProviderError::File { .. })
    ));
    write(&path, &"gvroot1:".repeat(1000), 0o600);
    assert!(matches!(
        KeyFile::open(&path).err(),
        Some(ProviderError::KeyFileFormat { .. })
    ));
    let missing = KeyFile::open(&folder.path().join("none")).err().unwrap();
    assert!(matches!(missing, ProviderError::MissingKeyFile { .. }));
    // A file stands where the folder should be.
    let nowhere = KeyFile::open_or_make(&path.join("root.key")).err().unwrap();
    assert!(matches!(nowhere, ProviderError::File { .. }));
    KeyFile::open_or_make(&folder.path().join("a/new/folder/root.key")).unwrap();
    let made = fs::metadata(folder.path().join("a/new/folder")).unwrap();
    assert_eq!(
        made.permissions().mode() & 0o777,
        0o700,
        "the folder is its owner's alone"
    );
}

#[test]
fn a_wrong_key_and_damage_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let right = KeyFile::open_or_make(&folder.path().join("right")).unwrap();
    let wrong = KeyFile::open_or_make(&folder.path().join("wrong")).unwrap();
    let wrapped = wrap(&right, &KeyMaterial::random());
    assert!(matches!(
        unwrap(&wrong, &wrapped).err(),
        Some(ProviderError::WrongKey)
    ));
    for at in 0..wrapped.bytes.len() {
        let mut damaged = wrapped.clone();
        damaged.bytes[at] ^= 0x40;
        assert!(
            matches!(unwrap(&right, &damaged).err(), Some(ProviderError::Damaged)),
            "byte {at}"
        );
        damaged.bytes.truncate(at);
        assert!(
            matches!(unwrap(&right, &damaged).err(), Some(ProviderError::Damaged)),
            "cut at {at}"
        );
    }
    let mut damaged = wrapped.clone();
    damaged.check[0] ^= 1;
    assert!(matches!(
        unwrap(&right, &damaged).err(),
        Some(ProviderError::Damaged)
    ));
    let elsewhere = right.unwrap(&wrapped, &[b"vault key", b"token"]);
    assert!(matches!(
        elsewhere.now_or_never().unwrap().err(),
        Some(ProviderError::Damaged)
    ));
}

#[test]
fn health_sees_that_the_file_went_away_or_changed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("root.key");
    let provider = KeyFile::open_or_make(&path).unwrap();
    let health = || provider.health().now_or_never().unwrap();
    assert!(health().is_ok());
    write(&path, HEX, 0o600);
    assert!(matches!(
        health().err(),
        Some(ProviderError::KeyFileChanged { .. })
    ));
    write(&path, HEX, 0o644);
    assert!(matches!(
        health().err(),
        Some(ProviderError::KeyFileReadable { .. })
    ));
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        health().err(),
        Some(ProviderError::MissingKeyFile { .. })
    ));
}

#[test]
fn a_passphrase_opens_what_it_wrapped_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("passphrase");
    write(&path, "correct horse battery\n", 0o600);
    let key = KeyMaterial::random();
    let wrapped = wrap(&Passphrase::open(&path, CHEAP).unwrap(), &key);
    // The cost is the stored one, whatever this start would choose for new keys.
    let later = Passphrase::open(&path, Cost { passes: 2, ..CHEAP }).unwrap();
    assert!(equal(&unwrap(&later, &wrapped).unwrap(), &key));
    assert!(later.health().now_or_never().unwrap().is_ok());
    assert_ne!(
        wrap(&later, &key).bytes[13..29],
        wrapped.bytes[13..29],
        "salts are random"
    );

    write(&path, "correct horse batterz\n", 0o600);
    let wrong = Passphrase::open(&path, CHEAP).unwrap();
    assert!(matches!(
        unwrap(&wrong, &wrapped).err(),
        Some(ProviderError::WrongKey)
    ));
    let health = later.health().now_or_never().unwrap();
    assert!(matches!(health.err(), Some(ProviderError::KeyFileChanged { .. })));
}

#[test]
fn the_standard_cost_is_that_of_rfc_9106() {
    assert_eq!(
        (Cost::STANDARD.memory, Cost::STANDARD.passes, Cost::STANDARD.lanes),
        (65536, 3, 4)
    );
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("passphrase");
    write(&path, "correct horse battery", 0o600);
    let wrapped = wrap(
        &Passphrase::open(&path, Cost::STANDARD).unwrap(),
        &KeyMaterial::random(),
    );
    assert_eq!(wrapped.bytes[..13], [2, 0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4]);
}

#[test]
fn damaged_costs_do_not_eat_the_memory() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("passphrase");
    write(&path, "correct horse battery", 0o600);
    let provider = Passphrase::open(&path, CHEAP).unwrap();
    let wrapped = wrap(&provider, &KeyMaterial::random());
    for at in [1, 5, 9] {
        let mut damaged = wrapped.clone();
        damaged.bytes[at] = 0x7f;
        assert!(matches!(
            unwrap(&provider, &damaged).err(),
            Some(ProviderError::Damaged)
        ));
    }
    let mut none = wrapped.clone();
    none.bytes[1..5].fill(0);
    assert!(unwrap(&provider, &none).is_err());
}

#[test]
fn a_short_missing_or_open_passphrase_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("passphrase");
    let error = || Passphrase::open(&path, CHEAP).err().unwrap();
    assert!(matches!(error(), ProviderError::MissingPassphraseFile { .. }));
    write(&path, "fourteen chars\nand a second line", 0o600);
    assert!(matches!(error(), ProviderError::WeakPassphrase { .. }));
    write(&path, "correct horse battery", 0o640);
    assert!(matches!(error(), ProviderError::KeyFileReadable { .. }));
}

#[test]
fn keys_of_another_kind_of_provider_are_recognised() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("passphrase");
    write(&path, "correct horse battery", 0o600);
    let passphrase = Passphrase::open(&path, CHEAP).unwrap();
    let file = KeyFile::open_or_make(&folder.path().join("root.key")).unwrap();
    let error = unwrap(&file, &wrap(&passphrase, &KeyMaterial::random()))
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "the stored keys were wrapped by a passphrase, but a key file is configured"
    );
    assert!(unwrap(&passphrase, &wrap(&file, &KeyMaterial::random())).is_err());
}
