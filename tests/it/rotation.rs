//! Keys made anew while the vault runs: what was sealed opens, what is sealed from now on is wrapped anew, and an old
//! root key opens nothing any more.

use chrono::TimeDelta;
use guest_vault::{
    base::{Category, Clock, GuestId},
    crypto::Aad,
    keys::{Keyring, KeysError, RootKeySource},
    store::{Store, Which},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    database::{Database, both},
    process::Process,
    served::Served,
};

async fn open(store: &Store, root: &RootKeySource, clock: &Clock) -> Result<Keyring, KeysError> {
    Keyring::open(root, store.clone(), true, clock.clone()).await
}

fn place(guest: GuestId) -> Aad<'static> {
    Aad {
        guest,
        record: Uuid::nil(),
        path: "phones",
        version: 1,
    }
}

both!(
    a_rotation_is_seen_by_those_who_run_and_goes_on_where_it_was_cut_off,
    async |database: &Database| {
        let store = database.open(Which::Keys).await;
        let clock = Clock::fixed("2026-03-05T10:00:00Z".parse().unwrap());
        let root = RootKeySource::File(database.dir().join("root.key"));
        let running = open(&store, &root, &clock).await.unwrap();
        let rotating = open(&store, &root, &clock).await.unwrap();
        let mut sealed = Vec::new();
        for _ in 0..700 {
            let guest = GuestId::random();
            let keys = running
                .ensure_guest_keys(guest, &[Category::Contact])
                .await
                .unwrap();
            sealed.push((
                guest,
                keys.seal(Category::Contact, &place(guest), b"secret")
                    .unwrap()
                    .into_bytes(),
            ));
        }
        let erased = sealed.pop().unwrap();
        running.destroy(erased.0, None).await.unwrap();
        assert_eq!(rotating.new_epoch().await.unwrap(), 2);
        // Those who do not know of it yet go on in the old epoch; those who do in the new.
        let late = GuestId::random();
        running
            .ensure_guest_keys(late, &[Category::Contact])
            .await
            .unwrap();
        let early = GuestId::random();
        rotating
            .ensure_guest_keys(early, &[Category::Contact])
            .await
            .unwrap();
        assert!(
            running
                .fresh_guest_keys(early, &[Category::Contact])
                .await
                .unwrap()
                .seal(Category::Contact, &place(early), b"x")
                .is_ok(),
            "a key of an epoch begun elsewhere opens"
        );
        let mut calls = 0;
        let horizon = TimeDelta::days(35);
        let done = rotating.rewrap(horizon, |_| calls += 1).await.unwrap();
        assert_eq!((done.epoch, done.rewrapped, done.damaged), (2, 700, 0));
        assert!(
            calls > 1 && done.dropped.is_empty(),
            "the old epoch's key waits for its backups"
        );
        for (guest, bytes) in &sealed {
            let keys = running
                .fresh_guest_keys(*guest, &[Category::Contact])
                .await
                .unwrap();
            let plain = keys
                .open_internal(Category::Contact, bytes, &place(*guest))
                .unwrap();
            assert_eq!(&plain[..], b"secret");
        }
        let gone = running
            .fresh_guest_keys(erased.0, &[Category::Contact])
            .await
            .unwrap();
        assert!(
            !gone.has(Category::Contact),
            "what was destroyed does not come back"
        );
        let again = rotating.rewrap(horizon, |_| {}).await.unwrap();
        assert_eq!((again.rewrapped, again.dropped), (0, Vec::new()));
        clock.set("2026-04-10T10:00:00Z".parse().unwrap());
        assert_eq!(rotating.rewrap(horizon, |_| {}).await.unwrap().dropped, [1]);
        let status = open(&store, &root, &clock).await.unwrap().status().await.unwrap();
        let epochs: Vec<(i64, i64)> = status
            .epochs
            .iter()
            .map(|one| (one.epoch, one.data_keys))
            .collect();
        assert_eq!(epochs, [(2, 701)]);
        let versions: Vec<i64> = status
            .vault_keys
            .iter()
            .filter(|key| key.purpose == "epoch")
            .map(|key| key.version)
            .collect();
        assert_eq!(versions, [2]);
        store.close().await;
    }
);

both!(
    after_a_new_root_key_the_old_one_opens_nothing,
    async |database: &Database| {
        let store = database.open(Which::Keys).await;
        let clock = Clock::fixed("2026-03-05T10:00:00Z".parse().unwrap());
        let old = RootKeySource::File(database.dir().join("old.key"));
        let new = RootKeySource::File(database.dir().join("new.key"));
        let ring = open(&store, &old, &clock).await.unwrap();
        let guest = GuestId::random();
        let keys = ring.ensure_guest_keys(guest, &[Category::Contact]).await.unwrap();
        let bytes = keys
            .seal(Category::Contact, &place(guest), b"secret")
            .unwrap()
            .into_bytes();
        ring.begin_matching_exchange().await.unwrap();
        let moved = ring.move_root(&*new.open(true).unwrap()).await.unwrap();
        assert_eq!(moved, 10);
        // Who runs goes on, but learns nothing new and says so; who starts with the old key is told so.
        assert!(
            ring.fresh_guest_keys(guest, &[Category::Contact])
                .await
                .unwrap()
                .has(Category::Contact)
        );
        assert!(matches!(
            open(&store, &old, &clock).await,
            Err(KeysError::WrongKey { .. })
        ));
        assert!(ring.refresh().await.is_ok() && ring.health().await.is_ok());
        clock.set("2026-03-05T10:05:00Z".parse().unwrap());
        assert!(ring.matching_keys().await.is_ok(), "what is known stays open");
        open(&store, &new, &clock)
            .await
            .unwrap()
            .new_epoch()
            .await
            .unwrap();
        assert!(matches!(ring.refresh().await, Err(KeysError::Outdated)));
        assert!(matches!(ring.health().await, Err(KeysError::Outdated)));
        let ring = open(&store, &new, &clock).await.unwrap();
        let keys = ring.guest_keys(guest, &[Category::Contact]).await.unwrap();
        assert_eq!(
            &keys
                .open_internal(Category::Contact, &bytes, &place(guest))
                .unwrap()[..],
            b"secret"
        );
        store.close().await;
    }
);

both!(
    who_has_another_root_key_adds_no_keys,
    async |database: &Database| {
        let store = database.open(Which::Keys).await;
        let clock = Clock::fixed("2026-03-05T10:00:00Z".parse().unwrap());
        let old = RootKeySource::File(database.dir().join("old.key"));
        let new = RootKeySource::File(database.dir().join("new.key"));
        let third = RootKeySource::File(database.dir().join("third.key"));
        let slow = open(&store, &old, &clock).await.unwrap();
        let moving = open(&store, &old, &clock).await.unwrap();
        let before = moving.move_root(&*new.open(true).unwrap()).await.unwrap();
        let refused = [
            slow.new_epoch().await.err(),
            slow.begin_matching_exchange().await.err(),
            slow.move_root(&*third.open(true).unwrap()).await.err(),
        ];
        for error in refused {
            assert!(matches!(error, Some(KeysError::Outdated)), "{error:?}");
        }
        // What it would wrap may be lost with the next epoch.
        let guest = GuestId::random();
        let made = slow.ensure_guest_keys(guest, &[Category::Contact]).await;
        assert!(matches!(made, Err(KeysError::Outdated)));
        let minted = slow.mint(&[(guest, vec![Category::Contact])]);
        assert!(matches!(minted, Err(KeysError::Outdated)));
        let ring = open(&store, &new, &clock).await.unwrap();
        assert_eq!(ring.move_root(&*third.open(true).unwrap()).await.unwrap(), before);
        store.close().await;
    }
);

both!(
    keys_may_be_moved_and_added_at_once,
    async |database: &Database| {
        let store = database.open(Which::Keys).await;
        let clock = Clock::fixed("2026-03-05T10:00:00Z".parse().unwrap());
        let mut root = RootKeySource::File(database.dir().join("0.key"));
        for number in 1..=8 {
            let next = RootKeySource::File(database.dir().join(format!("{number}.key")));
            let moving = open(&store, &root, &clock).await.unwrap();
            let adding = open(&store, &root, &clock).await.unwrap();
            let provider = next.open(true).unwrap();
            let (moved, added) = futures_util::join!(moving.move_root(&*provider), adding.new_epoch());
            assert!(moved.is_ok(), "{moved:?}");
            assert!(matches!(added, Ok(_) | Err(KeysError::Outdated)), "{added:?}");
            root = next;
        }
        assert!(open(&store, &root, &clock).await.is_ok());
        store.close().await;
    }
);

both!(
    keys_rotate_beside_a_vault_that_serves,
    async |database: &Database| {
        let served = Served::start(database, &["integration", "front_desk"]);
        let writer = served.headers("integration", "booking");
        let record = json!({"guest": {"name": {"surname": "Vaszary", "given": "Ilona"}, "birth_date": "1958-02-11"},
            "stays": [{"reservation": "R-1", "arrival": "2026-03-01", "departure": "2036-03-09", "status": "confirmed"}]});
        let put = |number: usize| {
            let path = format!("/v1/records/pms/rot-{number}");
            let reply = served
                .call(("PUT", &path), &writer, record.to_string().as_bytes())
                .unwrap();
            assert!(reply.status < 300, "{}", reply.status);
            reply.json()["guest_id"].as_str().unwrap().to_owned()
        };
        let guest = put(1);
        let run = |words: &[&str]| -> Value {
            let mut args = words.to_vec();
            args.push("--json");
            let options: Vec<&str> = served.options().iter().map(String::as_str).collect();
            args.extend(options);
            let output = Process::run(served.dir(), &args, &[]);
            assert!(
                output.status.success(),
                "{words:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            serde_json::from_slice(&output.stdout).expect("JSON")
        };
        let rotated = run(&["keys", "rotate"]);
        assert_eq!(rotated["epoch"], 2, "{rotated}");
        assert!(rotated["rewrapped"].as_u64().unwrap() > 0, "{rotated}");
        let read = served
            .call(
                ("GET", &format!("/v1/guests/{guest}")),
                &served.headers("front_desk", "stay_service"),
                &[],
            )
            .unwrap();
        assert_eq!(read.status, 200);
        assert_eq!(put(1), guest, "and writes go on");
        run(&["keys", "rewrap"]);
        let status = run(&["keys", "status"]);
        let left = status["epochs"].as_array().unwrap();
        assert_eq!(
            left.iter()
                .map(|one| one["epoch"].as_i64().unwrap())
                .collect::<Vec<_>>(),
            [2],
            "{status}"
        );
        assert!(served.terminate());
    }
);
