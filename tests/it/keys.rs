//! The key store on both databases.

use std::collections::HashMap;

use guest_vault::{
    base::{Category, Clock, GuestId},
    crypto::Aad,
    keys::{GuestKeys, KeyStatus, Keyring, KeysError, RootKeySource, sql},
    on,
    store::{Store, Which},
};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};
use uuid::Uuid;

use crate::support::database::{Database, both};

const CATEGORIES: &[Category] = &[Category::Identity, Category::Contact];

async fn open(database: &Database, store: &Store) -> Result<Keyring, KeysError> {
    let root = RootKeySource::File(database.dir().join("root.key"));
    Keyring::open(&root, store.clone(), true, Clock::system()).await
}

fn place(guest: GuestId) -> Aad<'static> {
    Aad {
        guest,
        record: Uuid::nil(),
        path: "phones",
        version: 1,
    }
}

async fn every_key_statement_prepares(database: &Database) {
    let store = database.open(Which::Keys).await;
    let mut tx = store.begin().await.unwrap();
    for (_, text) in sql::STATEMENTS {
        on!(&mut tx, c => c.prepare((*text).into_sql_str()).await.map(drop)).unwrap();
    }
    for (name, text) in sql::batches() {
        on!(&mut tx, c => c.prepare(AssertSqlSafe(text).into_sql_str()).await.map(drop)).expect(name);
    }
}
both!(statements, async |database| every_key_statement_prepares(
    database
)
.await);

/// Eight processes' worth of keyrings, all first, all at once, for the same guests.
async fn first_starts_and_new_keys_race(database: &Database) {
    let store = database.open(Which::Keys).await;
    let rings = futures_util::future::join_all((0..8).map(|_| open(database, &store))).await;
    let rings: Vec<Keyring> = rings.into_iter().map(Result::unwrap).collect();
    let guests: Vec<GuestId> = (0..20).map(|_| GuestId::random()).collect();
    let made = rings.iter().map(|ring| {
        let each = guests.iter().map(async |guest| {
            let keys = ring.ensure_guest_keys(*guest, CATEGORIES).await.unwrap();
            (*guest, keys)
        });
        futures_util::future::join_all(each)
    });
    let made: Vec<HashMap<GuestId, GuestKeys>> = futures_util::future::join_all(made)
        .await
        .into_iter()
        .map(|all| all.into_iter().collect())
        .collect();
    for guest in &guests {
        let sealed = made[0][guest]
            .seal(Category::Contact, &place(*guest), b"1")
            .unwrap();
        for keys in &made {
            assert!(
                keys[guest]
                    .open_internal(Category::Contact, sealed.as_bytes(), &place(*guest))
                    .is_ok()
            );
        }
    }
}
both!(races, async |database| first_starts_and_new_keys_race(database)
    .await);

async fn keys_are_found_listed_counted_and_destroyed(database: &Database) {
    let store = database.open(Which::Keys).await;
    let ring = open(database, &store).await.unwrap();
    let mut guests: Vec<GuestId> = (0..700).map(|_| GuestId(Uuid::new_v4())).collect();
    let wanted: Vec<_> = guests.iter().map(|guest| (*guest, CATEGORIES.to_vec())).collect();
    let minted = ring.mint(&wanted).unwrap();
    ring.keep_minted(&minted).await.unwrap();
    let made: HashMap<GuestId, GuestKeys> = minted.keys().collect();
    let cold = open(database, &store).await.unwrap();
    let found = cold.many_guest_keys(&guests, CATEGORIES).await.unwrap();
    for guest in &guests {
        let sealed = made[guest]
            .seal(Category::Identity, &place(*guest), b"1")
            .unwrap();
        let opened = found[guest].open_internal(Category::Identity, sealed.as_bytes(), &place(*guest));
        assert_eq!(opened.unwrap().as_slice(), b"1");
    }
    guests.sort();
    assert_eq!(cold.guests_with_keys(None, 500).await.unwrap(), guests[..500]);
    assert_eq!(
        cold.guests_with_keys(Some(guests[499]), 500).await.unwrap(),
        guests[500..]
    );
    assert!(cold.damaged_keys(&guests).await.unwrap().is_empty());

    assert_eq!(
        cold.destroy(guests[0], Some(&[Category::Contact])).await.unwrap(),
        1
    );
    assert_eq!(cold.destroy(guests[1], None).await.unwrap(), 2);
    let left = cold.many_guest_keys(&guests[..2], CATEGORIES).await.unwrap();
    assert!(left[&guests[0]].has(Category::Identity) && !left[&guests[0]].has(Category::Contact));
    assert!(!left[&guests[1]].has(Category::Identity));
    let KeyStatus {
        epochs, guests, root, ..
    } = cold.status().await.unwrap();
    assert!(root.usable);
    assert_eq!((epochs[0].data_keys, guests), (1397, 699));
}
both!(life, async |database| {
    keys_are_found_listed_counted_and_destroyed(database).await;
});
