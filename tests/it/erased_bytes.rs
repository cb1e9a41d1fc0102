//! Two hundred guests with something of their own in every field; twenty are erased, five more in part. What had to go
//! is in no byte of any file, key or copy; what had to stay is there, and opens.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use guest_vault::{
    base::{Category, GuestId},
    on,
    store::Store,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    rights::officer,
    support::{
        app::{Answer, TestApp},
        canaries::Canaries,
        database::{Database, both},
        guests,
    },
};

const ALL: usize = 200;
const ERASED: usize = 20;
const IN_PART: usize = 5;

/// Every blob of some guests in a table: what is sealed, a token, a wrapped key.
async fn blobs(store: &Store, sql: &'static str, guests: &[Uuid]) -> BTreeSet<Vec<u8>> {
    let mut conn = store.read().await.unwrap();
    let mut all = BTreeSet::new();
    for guest in guests {
        let found: Vec<Vec<u8>> =
            on!(&mut conn, c => sqlx::query_scalar(sql).bind(*guest).fetch_all(c).await.unwrap());
        all.extend(found);
    }
    all
}

async fn sealed(store: &Store, guests: &[Uuid]) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    for sql in [
        "SELECT sealed FROM field_value WHERE guest_id = $1",
        "SELECT sealed FROM stay WHERE guest_id = $1",
        "SELECT sealed FROM stay_word WHERE guest_id = $1",
        "SELECT token FROM blind_index WHERE guest_id = $1",
        "SELECT source_id FROM record WHERE guest_id = $1",
        "SELECT evidence FROM consent WHERE guest_id = $1 AND evidence IS NOT NULL",
    ] {
        all.extend(blobs(store, sql, guests).await);
    }
    all
}

const KEYS: &str = "SELECT wrapped FROM data_key WHERE guest_id = $1";

/// The files of the databases, their logs, and copies of them made now.
async fn files(app: &TestApp, database: &Database) -> Vec<u8> {
    let mut bytes = Vec::new();
    if app.app.vault.store.name() == "sqlite" {
        for (name, store) in [("data", &app.app.vault.store), ("keys", &app.app.key_store)] {
            let copy = database.dir().join(format!("copy-{name}.db"));
            store.copy_to(&copy).await.unwrap();
        }
        let mut todo = vec![database.dir().to_owned()];
        while let Some(path) = todo.pop() {
            if path.is_dir() {
                todo.extend(
                    std::fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
            } else {
                bytes.extend(std::fs::read(&path).unwrap());
            }
        }
    }
    bytes
}

fn found(needles: &BTreeSet<Vec<u8>>, bytes: &[u8]) -> usize {
    let searched = AhoCorasick::new(needles).unwrap();
    let seen: BTreeSet<usize> = searched
        .find_overlapping_iter(bytes)
        .map(|hit| hit.pattern().as_usize())
        .collect();
    seen.len()
}

async fn asked(app: &TestApp, guest: &str) -> (String, Answer) {
    let desk = app
        .errand("front_desk", "subject_request")
        .await
        .with("vault-actor", "s-1");
    let wanted = json!({"guest_id": guest, "type": "erasure", "regime": "gdpr", "received_via": "portal"});
    let opened = app.post(&desk, "/v1/requests", wanted).await;
    let case = format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap());
    let one = officer(app, "o-1").await;
    app.post(&one, &format!("{case}/verify"), json!({"result": "passed"}))
        .await;
    let preview = app.get(&one, &format!("{case}/preview")).await;
    let decision = json!({"decision": "approve", "preview": preview.body["fingerprint"]});
    let done = app
        .post(&officer(app, "o-2").await, &format!("{case}/decision"), decision)
        .await;
    (case, done)
}

/// Goes on until the files are swept of every erasure.
async fn swept(app: &TestApp) {
    for _ in 0..600 {
        app.app.requests().eraser.resume().await.unwrap();
        let mut conn = app.app.vault.store.read().await.unwrap();
        if conn.erasures_to_sweep(1).await.unwrap().is_empty() {
            return;
        }
        drop(conn);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("the files are not swept");
}

fn ids(guests: &[String]) -> Vec<Uuid> {
    guests.iter().map(|guest| guest.parse().unwrap()).collect()
}

both!(
    of_the_erased_nothing_is_left_and_of_the_others_everything,
    async |database: &Database| {
        let app = TestApp::start(database).await;
        let mut own = Canaries::default();
        let mut all = Vec::new();
        for number in 0..ALL {
            let record = json!({"guest": guests::filled(&mut own), "stays": [json!({
                "reservation": own.marked("reservation"), "property": "LIS01", "arrival": "2026-02-20",
                "departure": "2026-02-23", "status": "checked_out"})],
                "consents": [guests::consent(&mut own, "loyalty")]});
            all.push(app.guest(&format!("pms/c-{number}"), record).await);
        }
        assert_eq!(
            all.iter().collect::<BTreeSet<_>>().len(),
            ALL,
            "nobody was taken for another"
        );
        let (gone, rest) = all.split_at(ERASED);
        let (part, stay) = rest.split_at(IN_PART);
        let (store, key_store) = (app.app.vault.store.clone(), app.app.key_store.clone());
        let had_to_go = sealed(&store, &ids(gone)).await;
        let keys_to_go = blobs(&key_store, KEYS, &ids(gone)).await;
        let had_to_stay = sealed(&store, &ids(stay)).await;
        let keys_to_stay = blobs(&key_store, KEYS, &ids(stay)).await;
        assert!(had_to_go.len() > 40 * ERASED && keys_to_go.len() > 10 * ERASED);

        for guest in gone {
            assert_eq!(asked(&app, guest).await.1.body["state"], "done");
        }
        for guest in part {
            let hold = json!({"matter": "C-1/26", "ground": "legal_claim", "categories": ["contact"],
                              "review_on": "2026-09-01"});
            let put = app
                .post(
                    &officer(&app, "o-1").await,
                    &format!("/v1/guests/{guest}/holds"),
                    hold,
                )
                .await;
            assert_eq!(put.status, 201);
            assert_eq!(asked(&app, guest).await.1.body["state"], "waiting");
        }
        swept(&app).await;

        for (number, guest) in all.iter().enumerate() {
            let keys = app
                .app
                .vault
                .keys
                .fresh_guest_keys(guest.parse::<GuestId>().unwrap(), &Category::ALL)
                .await
                .unwrap();
            assert_eq!(keys.has(Category::Contact), number >= ERASED, "guest {number}");
            assert_eq!(
                keys.has(Category::Identity),
                number >= ERASED + IN_PART,
                "guest {number}"
            );
        }
        let inspected = app.app.vault.inspect().await.unwrap();
        assert_eq!(inspected.damaged, 0, "{:?}", inspected.places);
        let crm = app.errand("crm", "loyalty").await;
        for guest in stay.iter().take(20) {
            let read = app.get(&crm, &format!("/v1/guests/{guest}")).await;
            assert_eq!(read.status, 200);
            assert!(
                !own.found_in(&read.bytes).is_empty(),
                "the guest's own words are read"
            );
        }
        for guest in gone {
            let read = app.get(&crm, &format!("/v1/guests/{guest}")).await;
            assert_eq!((read.status, &read.body["fields"]), (410, &Value::Null));
        }
        assert!(sealed(&store, &ids(gone)).await.is_empty());
        assert!(blobs(&key_store, KEYS, &ids(gone)).await.is_empty());
        assert_eq!(sealed(&store, &ids(stay)).await, had_to_stay);
        assert_eq!(blobs(&key_store, KEYS, &ids(stay)).await, keys_to_stay);

        let bytes = files(&app, database).await;
        if !bytes.is_empty() {
            assert_eq!(found(&keys_to_go, &bytes), 0, "a destroyed key lies in a file");
            // The key store was written anew; the data are not, as their keys are gone. SQLite overwrites a row that goes, but not the copy of a row that it moved to another page before. What is
            // left so is sealed, and its key is nowhere: a twentieth at most, or the overwriting is off.
            let left = found(&had_to_go, &bytes);
            assert!(
                left * 20 < had_to_go.len(),
                "{left} of {} erased values lie in a file",
                had_to_go.len()
            );
            assert_eq!(found(&keys_to_stay, &bytes), keys_to_stay.len());
            assert_eq!(own.in_bytes("a file of the vault", &bytes), []);
        }
        app.app.close().await;
    }
);
