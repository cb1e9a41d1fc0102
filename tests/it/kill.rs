//! P9: the program is killed in the middle of writes, three times over. What it acknowledged is there, whole; what it did
//! not acknowledge is there whole or not at all; the log has no gap.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use guest_vault::store::Which;
use serde_json::{Value, json};

use crate::support::{
    database::{Database, both},
    served::Served,
};

/// Those who write at once.
const WRITERS: usize = 4;

/// A record of which every part says the same, so that half of one shows.
fn record(writer: usize, number: usize, words: usize) -> Value {
    let word = format!("W{writer}N{number}V{words}");
    // A name takes no digits: a to j stand for them.
    let letters: String = word
        .bytes()
        .map(|b| char::from(if b.is_ascii_digit() { b + 0x31 } else { b }))
        .collect();
    json!({
        "guest": {"name": {"surname": letters, "given": letters}, "occupation": word, "job_title": word,
                  "notes": [word], "preferences": {"gift": {"text": word}},
                  "memberships": [{"program": "CLUB", "number": format!("C-{writer}-{number}")}]},
        "stays": [{"reservation": word, "arrival": "2026-03-04", "departure": "2026-03-07", "status": "confirmed"}]
    })
}

/// What was acknowledged: by source id the guest and the words of the record last acknowledged, and the words last sent.
#[derive(Default)]
struct Acknowledged {
    guests: BTreeMap<String, (String, usize)>,
    sent: BTreeMap<String, usize>,
    writes: usize,
}

/// Writes until the line breaks: new records, and every third time another version of an older one.
fn write(served: &Served, (round, writer): (usize, usize), known: &Mutex<Acknowledged>, count: &AtomicUsize) {
    let headers = served.headers("integration", "booking");
    for step in 0..10_000 {
        let number = round * 10_000 + if step % 3 == 2 { step / 3 } else { step };
        let id = format!("{writer}-{number}");
        let words = round * 10_000 + step;
        known.lock().unwrap().sent.insert(id.clone(), words);
        let body = record(writer, number, words).to_string();
        let Ok(reply) = served.call(
            ("PUT", &format!("/v1/records/pms/{id}")),
            &headers,
            body.as_bytes(),
        ) else {
            return;
        };
        assert!(reply.status < 300, "a write was refused: {}", reply.status);
        let Some(guest) = whole(&reply.body) else { return };
        let mut known = known.lock().unwrap();
        known.guests.insert(id, (guest, words));
        known.writes += 1;
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// The guest of an answer that came whole.
fn whole(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    answer["guest_id"].as_str().map(str::to_owned)
}

/// Every acknowledged record reads back as it was acknowledged, or as it was sent after that.
fn reads_back(served: &Served, known: &Acknowledged) {
    let headers = served.headers("crm", "loyalty");
    for (id, (guest, words)) in &known.guests {
        let reply = served
            .call(("GET", &format!("/v1/guests/{guest}")), &headers, &[])
            .unwrap();
        assert_eq!(reply.status, 200, "an acknowledged record is lost: {id}");
        let fields = &reply.json()["fields"];
        let said = |path: &str| fields[path]["value"].clone();
        let word = said("occupation").as_str().unwrap_or_default().to_owned();
        let told: usize = word.rsplit('V').next().unwrap().parse().expect("the words");
        assert!(
            told == *words || told == known.sent[id],
            "{id}: {told} instead of {words}"
        );
        let (writer, number) = id.split_once('-').unwrap();
        let expected = record(writer.parse().unwrap(), number.parse().unwrap(), told);
        let guest = &expected["guest"];
        for (path, value) in [
            ("name.surname", &guest["name"]["surname"]),
            ("name.given", &guest["name"]["given"]),
            ("job_title", &guest["job_title"]),
            ("notes", &guest["notes"]),
            ("preferences.gift", &guest["preferences"]["gift"]),
        ] {
            assert_eq!(&said(path), value, "{id}: half of a record: {path}");
        }
    }
}

both!(
    what_was_acknowledged_survives_a_kill,
    async |database: &Database| {
        let mut served = Served::start(database, &["integration", "crm"]);
        let known = Mutex::new(Acknowledged::default());
        for round in 0..3 {
            let count = AtomicUsize::new(0);
            thread::scope(|scope| {
                for writer in 0..WRITERS {
                    let (served, known, count) = (&served, &known, &count);
                    scope.spawn(move || write(served, (round, writer), known, count));
                }
                while count.load(Ordering::SeqCst) < 40 {
                    thread::sleep(Duration::from_millis(2));
                }
                served.kill_nine();
            });
            served = served.restart();
            reads_back(&served, &known.lock().unwrap());
        }
        assert!(served.terminate());
        let known = known.into_inner().unwrap();
        let store = served_store(database).await;
        let mut conn = store.read().await.unwrap();
        for (writer, first, last, count) in conn.audit_writers().await.unwrap() {
            assert_eq!((first, last), (1, count), "writer {writer} has a gap");
        }
        let events = usize::try_from(conn.audit_count().await.unwrap()).unwrap();
        // Every write and every look that was answered.
        assert!(
            events >= known.writes + known.guests.len(),
            "{events} events of {} writes",
            known.writes
        );
        drop(conn);
        store.close().await;
    }
);

async fn served_store(database: &Database) -> guest_vault::store::Store {
    let url = match database.cluster() {
        Some(_) => database.data_url(),
        None => format!(
            "sqlite://{}",
            database.dir().join("served/data/vault.db").display()
        ),
    };
    Database::at(&url, Which::Data).await
}
