use std::collections::HashSet;

use crate::{crypto::Sealed, store::StoreError};

use super::*;

const CATEGORIES: &[Category] = &[Category::Identity, Category::Contact, Category::Audit];

#[tokio::test]
async fn the_first_start_makes_the_keys_and_later_ones_find_them() {
    let bench = Bench::new().await;
    let first = bench.open(true).await.unwrap();
    assert_eq!(mode(&bench.path("root.key")), 0o600);
    let token = first.index_key().token("email", b"ana@example.com");
    let hash = first.mac(MacPurpose::ApiKeyHash).mac(b"x");
    let own = first
        .seal_own("idempotency", Uuid::from_u128(1), b"answer")
        .unwrap();
    for fresh in [false, true] {
        let again = bench.open(fresh).await.unwrap();
        assert_eq!(again.index_key().token("email", b"ana@example.com"), token);
        assert_eq!(again.mac(MacPurpose::ApiKeyHash).mac(b"x"), hash);
        let opened = again.open_own("idempotency", Uuid::from_u128(1), own.as_bytes());
        assert_eq!(opened.unwrap().as_slice(), b"answer");
        assert!(
            again
                .open_own("idempotency", Uuid::from_u128(2), own.as_bytes())
                .is_err()
        );
        assert!(
            again
                .open_own("other", Uuid::from_u128(1), own.as_bytes())
                .is_err()
        );
    }
}

#[tokio::test]
async fn every_purpose_has_its_own_key() {
    let ring = Bench::new().await.open(true).await.unwrap();
    let purposes = [
        MacPurpose::ApiKeyHash,
        MacPurpose::Commitment,
        MacPurpose::Content,
        MacPurpose::Token,
    ];
    let hashes: HashSet<_> = purposes.map(|purpose| ring.mac(purpose).mac(b"x")).into();
    assert_eq!(hashes.len(), purposes.len());
}

#[tokio::test]
async fn two_first_starts_at_once_agree() {
    let bench = Bench::new().await;
    let (one, two) = tokio::join!(bench.open(true), bench.open(true));
    let token = |ring: Result<Keyring, KeysError>| ring.unwrap().index_key().token("email", b"x");
    assert_eq!(token(one), token(two));
}

#[tokio::test]
async fn a_missing_key_file_is_never_replaced() {
    let bench = Bench::new().await;
    drop(bench.open(true).await.unwrap());
    fs::remove_file(bench.path("root.key")).unwrap();
    for fresh in [false, true] {
        let error = bench.open(fresh).await.err().unwrap();
        let missing = matches!(&error, KeysError::Provider(ProviderError::MissingKeyFile { .. }));
        assert!(
            missing && error.to_string().contains("put it back from its backup"),
            "{error}"
        );
        assert!(!bench.path("root.key").exists());
    }
}

#[tokio::test]
async fn an_empty_key_store_beside_data_is_refused() {
    let bench = Bench::new().await;
    let error = bench.open(false).await.err().unwrap();
    assert!(matches!(error, KeysError::EmptyKeyStore));
    assert!(!bench.path("root.key").exists(), "no key file is made");
}

#[tokio::test]
async fn data_keys_without_vault_keys_are_refused() {
    let bench = Bench::new().await;
    let ring = bench.open(true).await.unwrap();
    ring.ensure_guest_keys(GuestId::random(), CATEGORIES)
        .await
        .unwrap();
    bench.run("DELETE FROM vault_key").await;
    assert!(matches!(
        bench.open(true).await.err(),
        Some(KeysError::EmptyKeyStore)
    ));
}

#[tokio::test]
async fn another_root_key_is_told_from_a_damaged_key_store() {
    let bench = Bench::new().await;
    drop(bench.open(true).await.unwrap());
    let right = fs::read_to_string(bench.path("root.key")).unwrap();

    let zeros = format!("gvroot1:{}\n", "00".repeat(32));
    write(&bench.path("root.key"), &zeros, 0o600);
    let error = bench.open(false).await.err().unwrap();
    assert!(matches!(error, KeysError::WrongKey { .. }), "{error}");
    assert!(error.to_string().contains("root.key"));

    write(&bench.path("root.key"), &right, 0o600);
    for (damage, expected) in [
        (
            "UPDATE vault_key SET wrapped = zeroblob(63) WHERE purpose = 'index'",
            "does not open",
        ),
        (
            "UPDATE vault_key SET wrapped = x'01010101' WHERE purpose = 'token'",
            "does not open",
        ),
        (
            "UPDATE vault_key SET key_check = zeroblob(16) WHERE purpose = 'content'",
            "does not open",
        ),
        (
            "DELETE FROM vault_key WHERE purpose IN ('index', 'token', 'content')",
            "is missing",
        ),
        (
            "UPDATE vault_key SET version = 2 WHERE purpose = 'epoch'",
            "does not open",
        ),
    ] {
        assert!(bench.run(damage).await > 0);
        let error = bench.open(false).await.err().unwrap();
        let damaged = matches!(&error, KeysError::DamagedKeyStore { problem, .. } if *problem == expected);
        assert!(damaged, "{damage}: {error}");
    }
}

#[tokio::test]
async fn a_key_of_a_newer_version_is_refused() {
    let bench = Bench::new().await;
    drop(bench.open(true).await.unwrap());
    bench
        .run("INSERT INTO vault_key SELECT 'from_tomorrow', version, wrapped, key_check, 0, NULL FROM vault_key LIMIT 1")
        .await;
    let error = bench.open(false).await.err().unwrap();
    assert!(matches!(&error, KeysError::UnknownPurpose { purpose } if purpose == "from_tomorrow"));
}

#[tokio::test]
async fn a_passphrase_can_be_the_root_key() {
    let bench = Bench::new().await;
    write(&bench.path("words"), "correct horse battery staple\n", 0o600);
    let root = RootKeySource::Passphrase(bench.path("words"));
    let open = |root: RootKeySource| {
        let store = bench.store.clone();
        async move { Keyring::open(&root, store, true, Clock::system()).await }
    };
    let token = open(root.clone()).await.unwrap().index_key().token("email", b"x");
    assert_eq!(
        open(root.clone()).await.unwrap().index_key().token("email", b"x"),
        token
    );
    write(&bench.path("words"), "wrong horse battery staple\n", 0o600);
    assert!(matches!(open(root).await.err(), Some(KeysError::WrongKey { .. })));
    KeyFile::open_or_make(&bench.path("root.key")).unwrap();
    let other = open(bench.root()).await.err();
    assert!(matches!(
        other,
        Some(KeysError::Provider(ProviderError::OtherProvider { .. }))
    ));
}

#[tokio::test]
async fn values_open_only_with_their_guests_key_of_their_category() {
    let ring = Bench::new().await.open(true).await.unwrap();
    let (ana, eva) = (GuestId::random(), GuestId::random());
    let keys = ring.ensure_guest_keys(ana, CATEGORIES).await.unwrap();
    let others = ring.ensure_guest_keys(eva, CATEGORIES).await.unwrap();
    let at = place(ana, "phones");
    let sealed = keys
        .seal(Category::Contact, &at, b"+351912345678")
        .unwrap()
        .into_bytes();
    let open = |keys: &GuestKeys, category| keys.open_internal(category, &sealed, &at);
    assert_eq!(
        open(&keys, Category::Contact).unwrap().as_slice(),
        b"+351912345678"
    );
    assert_eq!(
        open(&keys, Category::Identity).err(),
        Some(OpenError::OtherKey(Category::Identity))
    );
    assert_eq!(
        open(&keys, Category::Finance).err(),
        Some(OpenError::NoKey(Category::Finance))
    );
    assert_eq!(
        open(&others, Category::Contact).err(),
        Some(OpenError::Sealed(crate::crypto::OpenError::Refused))
    );
    assert!(matches!(
        others.seal(Category::Contact, &at, b"x").err(),
        Some(KeysError::OtherGuest)
    ));
    assert!(matches!(
        keys.seal(Category::Finance, &at, b"x").err(),
        Some(KeysError::NoDataKey {
            category: Category::Finance,
            ..
        })
    ));
    let mut newer = sealed.clone();
    newer[4] = 2;
    let opened = keys.open_internal(Category::Contact, &newer, &at);
    assert_eq!(opened.err(), Some(OpenError::OtherKey(Category::Contact)));
}

#[tokio::test]
async fn keys_are_only_those_asked_for() {
    let ring = Bench::new().await.open(true).await.unwrap();
    let guest = GuestId::random();
    ring.ensure_guest_keys(guest, CATEGORIES).await.unwrap();
    let keys = ring
        .guest_keys(guest, &[Category::Contact, Category::Finance])
        .await
        .unwrap();
    assert_eq!(keys.guest(), guest);
    assert!(keys.has(Category::Contact));
    assert!(!keys.has(Category::Identity), "cached, but not asked for");
    assert!(!keys.has(Category::Finance), "asked for, but never made");
}

#[tokio::test]
async fn a_key_that_another_process_made_is_found_by_asking_again() {
    let bench = Bench::new().await;
    let (one, two) = (bench.open(true).await.unwrap(), bench.open(true).await.unwrap());
    let (guest, contact) = (GuestId::random(), &[Category::Contact]);
    let at = place(guest, "phones");
    assert!(
        !two.guest_keys(guest, contact)
            .await
            .unwrap()
            .has(Category::Contact)
    );
    let made = one.ensure_guest_keys(guest, contact).await.unwrap();
    let sealed = made.seal(Category::Contact, &at, b"1").unwrap();
    assert!(
        !two.guest_keys(guest, contact)
            .await
            .unwrap()
            .has(Category::Contact),
        "remembered"
    );
    let found = two.fresh_guest_keys(guest, contact).await.unwrap();
    let opened = found.open_internal(Category::Contact, sealed.as_bytes(), &at);
    assert_eq!(opened.unwrap().as_slice(), b"1");
    assert!(
        two.guest_keys(guest, contact)
            .await
            .unwrap()
            .has(Category::Contact)
    );
}

#[tokio::test]
async fn nothing_is_sealed_under_a_key_that_another_process_destroyed() {
    let bench = Bench::new().await;
    let (one, two) = (bench.open(true).await.unwrap(), bench.open(true).await.unwrap());
    let (guest, contact) = (GuestId::random(), &[Category::Contact]);
    let at = place(guest, "phones");
    two.ensure_guest_keys(guest, contact).await.unwrap();
    one.destroy(guest, None).await.unwrap();
    let keys = two.ensure_guest_keys(guest, contact).await.unwrap();
    let sealed = keys.seal(Category::Contact, &at, b"1").unwrap();
    let cold = bench
        .open(false)
        .await
        .unwrap()
        .guest_keys(guest, contact)
        .await
        .unwrap();
    assert!(
        cold.open_internal(Category::Contact, sealed.as_bytes(), &at)
            .is_ok()
    );
}

#[tokio::test]
async fn of_keys_made_at_once_the_stored_one_wins() {
    let bench = Bench::new().await;
    let guest = GuestId::random();
    let rings: Vec<_> = futures_util::future::join_all((0..8).map(|_| bench.open(true))).await;
    let tasks = rings.into_iter().map(|ring| {
        tokio::spawn(async move { ring.unwrap().ensure_guest_keys(guest, CATEGORIES).await.unwrap() })
    });
    let all: Vec<GuestKeys> = futures_util::future::join_all(tasks)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let at = place(guest, "phones");
    let sealed = all[0].seal(Category::Contact, &at, b"1").unwrap();
    for keys in &all {
        assert!(
            keys.open_internal(Category::Contact, sealed.as_bytes(), &at)
                .is_ok()
        );
    }
}

#[tokio::test]
async fn many_guests_are_made_and_found_in_batches() {
    let bench = Bench::new().await;
    let ring = bench.open(true).await.unwrap();
    // More than two full batches of rows, and not a power of two.
    let guests: Vec<GuestId> = (0..700).map(|_| GuestId::random()).collect();
    let mut wanted: Vec<_> = guests.iter().map(|guest| (*guest, CATEGORIES.to_vec())).collect();
    let minted = ring.mint(&wanted).unwrap();
    ring.keep_minted(&minted).await.unwrap();
    wanted.push((guests[0], vec![Category::Finance]));
    let made = ring.ensure_many(&wanted).await.unwrap();
    assert_eq!(made.len(), guests.len());
    assert!(made[&guests[0]].has(Category::Finance) && made[&guests[0]].has(Category::Contact));

    let cold = bench.open(false).await.unwrap();
    let found = cold.many_guest_keys(&guests, CATEGORIES).await.unwrap();
    for guest in &guests {
        let at = place(*guest, "phones");
        let sealed = made[guest].seal(Category::Contact, &at, b"1").unwrap();
        assert!(
            found[guest]
                .open_internal(Category::Contact, sealed.as_bytes(), &at)
                .is_ok()
        );
    }
    let stranger = GuestId::random();
    let mixed = cold
        .many_guest_keys(&[guests[0], stranger, stranger], CATEGORIES)
        .await
        .unwrap();
    assert!(mixed[&guests[0]].has(Category::Contact) && !mixed[&stranger].has(Category::Contact));
    assert!(cold.many_guest_keys(&[], CATEGORIES).await.unwrap().is_empty());
    assert!(cold.ensure_many(&[]).await.unwrap().is_empty());

    // Nothing is made over what the keys of another key store opens.
    let lost = vec![
        (guests[1], CATEGORIES.to_vec()),
        (stranger, vec![Category::Contact]),
    ];
    let error = cold.ensure_many(&lost).await.map(drop).unwrap_err();
    assert!(
        matches!(error, KeysError::NoDataKey { guest, .. } if guest == stranger),
        "{error}"
    );
    let none = cold.fresh_guest_keys(stranger, &Category::ALL).await.unwrap();
    assert!(!none.has(Category::Contact) && !none.has(Category::Audit));
}

#[tokio::test]
async fn destroyed_keys_open_nothing_any_more() {
    let bench = Bench::new().await;
    let ring = bench.open(true).await.unwrap();
    let (ana, eva) = (GuestId::random(), GuestId::random());
    let keys = ring.ensure_guest_keys(ana, CATEGORIES).await.unwrap();
    ring.ensure_guest_keys(eva, CATEGORIES).await.unwrap();
    let at = place(ana, "phones");
    let sealed = keys.seal(Category::Contact, &at, b"1").unwrap();
    drop(keys);

    assert_eq!(ring.destroy(ana, Some(&[Category::Contact])).await.unwrap(), 1);
    let left = ring.guest_keys(ana, CATEGORIES).await.unwrap();
    assert!(!left.has(Category::Contact) && left.has(Category::Identity));
    assert_eq!(ring.destroy(ana, Some(&[Category::Contact])).await.unwrap(), 0);

    // A new key for the same guest and category is another key.
    let anew = ring.ensure_guest_keys(ana, CATEGORIES).await.unwrap();
    assert!(
        anew.open_internal(Category::Contact, sealed.as_bytes(), &at)
            .is_err()
    );
    assert_eq!(ring.destroy(ana, None).await.unwrap(), 3);
    assert!(
        !ring
            .guest_keys(ana, CATEGORIES)
            .await
            .unwrap()
            .has(Category::Identity)
    );
    assert!(
        ring.guest_keys(eva, CATEGORIES)
            .await
            .unwrap()
            .has(Category::Identity)
    );
}

#[tokio::test]
async fn a_moved_or_damaged_data_key_is_told_and_kept() {
    let bench = Bench::new().await;
    let ring = bench.open(true).await.unwrap();
    let guest = GuestId::random();
    ring.ensure_guest_keys(guest, CATEGORIES).await.unwrap();
    // The key of one category put in the place of another.
    bench
        .run("UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE category = 1) WHERE category = 3")
        .await;
    let cold = bench.open(false).await.unwrap();
    let keys = cold.ensure_guest_keys(guest, CATEGORIES).await.unwrap();
    let at = place(guest, "phones");
    assert!(
        keys.seal(Category::Identity, &at, b"x").is_ok(),
        "the others still work"
    );
    assert!(matches!(
        keys.seal(Category::Contact, &at, b"x").err(),
        Some(KeysError::DamagedDataKey {
            category: Category::Contact,
            ..
        })
    ));
    let opened = keys.open_internal(Category::Contact, &[1; 60], &at);
    assert_eq!(opened.err(), Some(OpenError::DamagedKey(Category::Contact)));
    assert_eq!(
        cold.damaged_keys(&[guest]).await.unwrap(),
        [(guest, Category::Contact)]
    );
}

#[tokio::test]
async fn every_changed_column_of_a_data_key_is_noticed() {
    for damage in [
        "UPDATE data_key SET version = 2",
        "UPDATE data_key SET version = 70000",
        "UPDATE data_key SET version = -1",
        "UPDATE data_key SET epoch = 2",
        "UPDATE data_key SET wrapped = x''",
        "UPDATE data_key SET guest_id = x'00000000000000000000000000000001'",
    ] {
        let bench = Bench::new().await;
        let ring = bench.open(true).await.unwrap();
        ring.ensure_guest_keys(GuestId::random(), &[Category::Contact])
            .await
            .unwrap();
        assert_eq!(bench.run(damage).await, 1);
        let cold = bench.open(false).await.unwrap();
        let guests = cold.guests_with_keys(None, 10).await.unwrap();
        assert_eq!(cold.damaged_keys(&guests).await.unwrap().len(), 1, "{damage}");
    }
}

#[tokio::test]
async fn pseudonyms_depend_on_guest_and_year_and_die_with_the_key() {
    let bench = Bench::new().await;
    let ring = bench.open(true).await.unwrap();
    let guest = GuestId::random();
    let keys = ring.ensure_guest_keys(guest, CATEGORIES).await.unwrap();
    let others = ring
        .ensure_guest_keys(GuestId::random(), CATEGORIES)
        .await
        .unwrap();
    let pseudonym = keys.pseudonym(2026);
    assert!(pseudonym.is_some());
    assert_ne!(pseudonym, keys.pseudonym(2027));
    assert_ne!(pseudonym, others.pseudonym(2026));
    let cold = bench.open(false).await.unwrap();
    assert_eq!(
        cold.guest_keys(guest, CATEGORIES).await.unwrap().pseudonym(2026),
        pseudonym
    );
    ring.destroy(guest, None).await.unwrap();
    let anew = ring.ensure_guest_keys(guest, CATEGORIES).await.unwrap();
    assert_ne!(anew.pseudonym(2026), pseudonym);
    assert_eq!(
        ring.guest_keys(guest, &[Category::Contact])
            .await
            .unwrap()
            .pseudonym(2026),
        None
    );
}

#[tokio::test]
async fn guests_with_keys_are_listed_in_pages() {
    let ring = Bench::new().await.open(true).await.unwrap();
    let mut guests: Vec<GuestId> = (0..5).map(|_| GuestId(Uuid::new_v4())).collect();
    guests.sort();
    for guest in &guests {
        ring.ensure_guest_keys(*guest, CATEGORIES).await.unwrap();
    }
    assert_eq!(ring.guests_with_keys(None, 3).await.unwrap(), guests[..3]);
    assert_eq!(
        ring.guests_with_keys(Some(guests[2]), 3).await.unwrap(),
        guests[3..]
    );
}

#[tokio::test]
async fn the_status_tells_what_is_there_and_what_is_wrong() {
    let bench = Bench::new().await;
    let empty = status(&bench.root(), &bench.store).await.unwrap();
    assert!(!empty.root.usable && empty.vault_keys.is_empty());
    assert!(!bench.path("root.key").exists(), "looking changes nothing");

    let ring = bench.open(true).await.unwrap();
    ring.ensure_guest_keys(GuestId::random(), CATEGORIES)
        .await
        .unwrap();
    for status in [
        ring.status().await.unwrap(),
        status(&bench.root(), &bench.store).await.unwrap(),
    ] {
        assert!(status.root.usable && status.root.provider == "key file");
        // The keys of look-alikes get a second version only when they are exchanged.
        assert_eq!(status.vault_keys.len(), Purpose::ALL.len() - 1);
        assert_eq!(
            (status.epochs[0].epoch, status.epochs[0].data_keys, status.guests),
            (1, 3, 1)
        );
    }
    fs::set_permissions(bench.path("root.key"), fs::Permissions::from_mode(0o644)).unwrap();
    for status in [
        ring.status().await.unwrap(),
        status(&bench.root(), &bench.store).await.unwrap(),
    ] {
        assert!(!status.root.usable && status.root.problem.unwrap().contains("chmod 600"));
    }
}

#[tokio::test]
async fn no_key_lies_in_clear_in_the_key_store() {
    let bench = Bench::new().await;
    let ring = bench.open(true).await.unwrap();
    ring.ensure_guest_keys(GuestId::random(), CATEGORIES)
        .await
        .unwrap();
    let text = fs::read_to_string(bench.path("root.key")).unwrap();
    let root = data_encoding::BASE64
        .decode(&text.trim().as_bytes()[8..])
        .unwrap();
    for file in ["keys.db", "keys.db-wal"] {
        let bytes = fs::read(bench.path(file)).unwrap();
        assert!(!bytes.windows(32).any(|window| window == root));
    }
}

#[tokio::test]
async fn every_statement_prepares() {
    use sqlx::{Executor, SqlSafeStr};
    let bench = Bench::new().await;
    let mut tx = bench.store.begin().await.unwrap();
    for (_, text) in sql::STATEMENTS {
        on!(&mut tx, c => c.prepare((*text).into_sql_str()).await.map(drop)).unwrap();
    }
    for (name, text) in sql::batches() {
        on!(&mut tx, c => c.prepare(sqlx::AssertSqlSafe(text).into_sql_str()).await.map(drop)).expect(name);
    }
}

const fn shared<T: Send + Sync>() {}
const _: () = shared::<Keyring>();
const _: () = shared::<GuestKeys>();

#[test]
fn the_overhead_of_a_value_is_what_the_formats_say() {
    assert_eq!(Sealed::OVERHEAD, 33);
    assert_eq!(crate::crypto::WRAPPED_LENGTH, 62);
}

#[tokio::test]
async fn nothing_is_wrapped_under_a_key_that_was_destroyed() {
    let bench = Bench::new().await;
    let slow = bench.open(true).await.unwrap();
    bench.open(true).await.unwrap().new_epoch().await.unwrap();
    bench
        .run("DELETE FROM vault_key WHERE purpose = 'epoch' AND version = 1")
        .await;
    let guests = [GuestId::random(), GuestId::random()];
    let wanted = guests.map(|guest| (guest, CATEGORIES.to_vec()));
    let minted = slow.mint(&wanted).unwrap();
    // The first try tells of the newer epoch.
    let kept = slow.keep_minted(&minted).await.err().unwrap();
    assert!(matches!(kept, KeysError::Store(StoreError::Again)), "{kept}");
    assert!(!slow.has_data_keys().await.unwrap());
    slow.keep_minted(&slow.mint(&wanted).unwrap()).await.unwrap();
    let again = bench.open(false).await.unwrap();
    assert!(again.damaged_keys(&guests).await.unwrap().is_empty());
    assert!(
        again
            .guest_keys(guests[1], CATEGORIES)
            .await
            .unwrap()
            .has(Category::Contact)
    );
}
