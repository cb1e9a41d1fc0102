//! P2: nothing is shown without its durable record. Seen from outside, under load: the program is killed, its disk
//! becomes full, its database goes away, again and again at whatever step each of many reads is; of all the bodies that
//! came out, also those cut short, each has its entry in the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use actix_web::rt::System;
use guest_vault::{on, store::Which};
use serde_json::{Value, json};

use crate::support::{
    database::{Database, both},
    served::Served,
};

/// Those who read at once.
const READERS: usize = 12;

/// What was seen from outside.
#[derive(Default)]
struct Seen {
    /// Requests whose answer brought at least one byte of a guest.
    shown: BTreeSet<String>,
    /// Other answers, by status.
    others: BTreeMap<u16, usize>,
    /// Requests that got no answer.
    silent: usize,
}

/// Reads until told to stop.
fn read(served: &Served, guests: &[String], stop: &AtomicBool, seen: &Mutex<Seen>, count: &AtomicUsize) {
    let headers = served.headers("crm", "loyalty");
    for step in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let path = format!("/v1/guests/{}", guests[step % guests.len()]);
        let reply = served.call(("GET", &path), &headers, &[]);
        let mut seen = seen.lock().unwrap();
        match reply {
            Ok(reply) if reply.status == 200 && !reply.body.is_empty() => {
                let id = reply.header("vault-request-id").expect("its id").to_owned();
                seen.shown.insert(id);
                count.fetch_add(1, Ordering::SeqCst);
            }
            Ok(reply) => *seen.others.entry(reply.status).or_default() += 1,
            Err(_) => seen.silent += 1,
        }
        drop(seen);
        if step % 8 == 7 {
            // Not all at the same step.
            thread::sleep(Duration::from_micros(u64::try_from(step % 7).unwrap_or(0) * 300));
        }
    }
}

/// Runs the load, and the fault once some have been shown something.
fn under_load(served: &Served, guests: &[String], seen: &Mutex<Seen>, fault: impl FnOnce()) {
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for reader in 0..READERS {
            let (first, rest) = guests.split_at(reader % guests.len());
            let guests = [rest, first].concat();
            let (stop, count) = (&stop, &count);
            scope.spawn(move || read(served, &guests, stop, seen, count));
        }
        while count.load(Ordering::SeqCst) < 60 {
            thread::sleep(Duration::from_millis(1));
        }
        fault();
        stop.store(true, Ordering::SeqCst);
    });
}

fn guests(served: &Served) -> Vec<String> {
    let headers = served.headers("integration", "booking");
    let put = |(number, surname): (usize, &str)| {
        let record = json!({"guest": {"name": {"surname": surname, "given": "Noor"}, "occupation": "pilot"}});
        let path = format!("/v1/records/pms/u-{number}");
        let reply = served.call(("PUT", &path), &headers, record.to_string().as_bytes());
        let answer: Value = reply.expect("an answer").json();
        answer["guest_id"].as_str().expect("a guest").to_owned()
    };
    ["Abara", "Lindqvist", "Okafor", "Petrescu", "Yamashita"]
        .into_iter()
        .enumerate()
        .map(put)
        .collect()
}

/// Lets the files of the program grow no further, or again without bound: what a full disk is to it.
fn disk(served: &Served, limit: &str) {
    let done = std::process::Command::new("prlimit")
        .args([
            "--pid",
            &served.pid().to_string(),
            &format!("--fsize={limit}:unlimited"),
        ])
        .status();
    assert!(done.expect("prlimit").success(), "the limit is not set");
}

/// The database lets nobody in, and throws out who is in.
async fn gone(database: &Database, gone: bool) {
    let (cluster, name) = database.cluster().unwrap();
    cluster
        .run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {}", !gone))
        .await;
    if gone {
        let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname =";
        cluster.run(format!("{all} '{name}'")).await;
    }
}

/// Takes away from the program what it writes to, or gives it back.
fn take_away(database: &Database, served: &Served, away: bool) {
    match database.cluster() {
        None => disk(served, if away { "1" } else { "unlimited" }),
        Some(_) => thread::scope(|scope| {
            let done = scope.spawn(|| System::new().block_on(gone(database, away)));
            done.join().expect("the database's own administrator");
        }),
    }
}

/// The requests that the log knows to have shown something.
async fn recorded(database: &Database) -> BTreeSet<String> {
    let url = match database.cluster() {
        Some(_) => database.data_url(),
        None => format!(
            "sqlite://{}",
            database.dir().join("served/data/vault.db").display()
        ),
    };
    let store = Database::at(&url, Which::Data).await;
    let mut conn = store.read().await.unwrap();
    let leaves: Vec<Vec<u8>> = on!(&mut conn, c => {
        sqlx::query_scalar("SELECT leaf FROM audit_event WHERE action = 'read' AND decision = 'permitted'")
            .fetch_all(c)
            .await
    })
    .unwrap();
    drop(conn);
    store.close().await;
    let request = |leaf: &Vec<u8>| {
        let leaf: Value = serde_json::from_slice(leaf).unwrap();
        leaf["request"].as_str().unwrap().to_owned()
    };
    leaves.iter().map(request).collect()
}

fn a_while() {
    thread::sleep(Duration::from_millis(700));
}

both!(
    of_all_that_was_seen_nothing_is_without_its_record,
    async |database: &Database| {
        let mut served = Served::start(database, &["integration", "crm"]);
        let guests = guests(&served);
        let seen = Mutex::new(Seen::default());
        for round in 0..4 {
            under_load(&served, &guests, &seen, || {
                thread::sleep(Duration::from_micros(round * 1_700));
                served.kill_nine();
                thread::sleep(Duration::from_millis(20));
            });
            served = served.restart();
            under_load(&served, &guests, &seen, || {
                take_away(database, &served, true);
                a_while();
                take_away(database, &served, false);
                a_while();
            });
        }
        assert!(served.terminate());
        let seen = seen.into_inner().unwrap();
        let refused = seen.others.get(&503).copied().unwrap_or(0);
        assert!(
            seen.shown.len() > 500 && refused > 20 && seen.silent > 0,
            "{} shown, {:?}, {} silent",
            seen.shown.len(),
            seen.others,
            seen.silent
        );
        let recorded = recorded(database).await;
        let without: Vec<&String> = seen.shown.difference(&recorded).collect();
        assert!(
            without.is_empty(),
            "{} of {} without a record",
            without.len(),
            seen.shown.len()
        );
    }
);
