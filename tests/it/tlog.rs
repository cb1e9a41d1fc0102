//! The provable log over a real vault: grown, served, proven.

use std::sync::Arc;

use guest_vault::{
    audit::{
        search::{Filter, entries},
        tlog::{
            Hash, Sequencer, Step, Stored, leaf_hash,
            note::{Signer, Verifier},
            patrol::Patrol,
            proof::{verify_consistency, verify_inclusion},
            receipt,
            tile::unbundle,
            verify::{Source, verify},
        },
    },
    crypto::{KeyMaterial, SigningKey},
    on,
    store::{Store, Which},
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::support::{
    app::{Answer, TestApp},
    database::{Database, both, on_sqlite},
};

/// So many looks at guests that are not there; each is an event.
pub(crate) async fn look(app: &TestApp, count: usize) {
    let errand = app.role("front_desk").await;
    for n in 0..count {
        let path = format!("/v1/guests/00000000-0000-7000-8000-{n:012}");
        assert_eq!(app.get(&errand, &path).await.status, 404);
    }
}

async fn grow(app: &TestApp) -> u64 {
    while matches!(app.app.sequencer.step().await.unwrap(), Step::Grown(_)) {}
    let stored = Stored::new(app.app.vault.store.clone());
    stored.checkpoint().await.unwrap().unwrap().0
}

fn hashes(list: &Value) -> Vec<Hash> {
    let hash = |text: &Value| {
        let bytes = data_encoding::BASE64
            .decode(text.as_str().unwrap().as_bytes())
            .unwrap();
        bytes.try_into().unwrap()
    };
    list.as_array().unwrap().iter().map(hash).collect()
}

async fn officer(app: &TestApp, path: &str) -> Answer {
    let errand = app.errand("auditor", "internal_audit").await;
    app.get(&errand, &format!("/v1/audit/{path}")).await
}

async fn run(store: &Store, sql: &str) -> u64 {
    let mut tx = store.begin().await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    let rows = on!(&mut tx, c => sqlx::query(sql).execute(c).await.unwrap().rows_affected());
    tx.commit().await.unwrap();
    rows
}

async fn it_is_served_and_proven(database: &Database) {
    let app = TestApp::start(database).await;
    look(&app, 300).await;
    let size = grow(&app).await;
    assert!(size > 300, "every event has an index: {size}");
    let checkpoint = officer(&app, "log/checkpoint").await;
    let verifier: Verifier = app.app.sequencer.signer().verifier().clone();
    let signed = verifier.open(&checkpoint.bytes).unwrap();
    assert_eq!(signed.size, size);

    let full = officer(&app, "log/tile/0/000").await;
    assert_eq!((full.status, full.bytes.len()), (200, 256 * 32));
    let bundle = officer(&app, "log/tile/entries/000").await;
    let entries = unbundle(&bundle.bytes).unwrap();
    for (entry, hash) in entries.iter().zip(full.bytes.chunks(32)) {
        assert_eq!(leaf_hash(entry).as_slice(), hash);
        let entry: Value = serde_json::from_slice(entry).unwrap();
        assert!(entry["leaf"]["writer"].is_string());
    }
    let width = size - 256;
    for (path, status) in [
        (format!("log/tile/0/001.p/{width}"), 200),
        (format!("log/tile/entries/001.p/{width}"), 200),
        ("log/tile/0/001.p/3".to_owned(), 200),
        ("log/tile/1/000.p/1".to_owned(), 200),
        (format!("log/tile/0/001.p/{}", width + 40), 404),
        ("log/tile/0/001".to_owned(), 404),
        ("log/tile/0/0".to_owned(), 404),
        (format!("proofs/inclusion?index={size}&size={size}"), 404),
        ("proofs/inclusion?index=0&size=100000".to_owned(), 404),
        ("proofs/consistency?from=0&to=4".to_owned(), 404),
        ("proofs/consistency?from=0".to_owned(), 400),
    ] {
        assert_eq!(officer(&app, &path).await.status, status, "{path}");
    }

    let proof = officer(&app, &format!("proofs/inclusion?index=77&size={size}"))
        .await
        .body;
    let leaf = leaf_hash(entries[77]);
    assert!(verify_inclusion(
        77,
        size,
        &leaf,
        &hashes(&proof["proof"]),
        &signed.root
    ));
    assert_eq!(hashes(&json!([proof["leaf_hash"]])), [leaf]);
    let stored = Stored::new(app.app.vault.store.clone());
    let old = stored.root_at(200).await.unwrap();
    let proof = officer(&app, &format!("proofs/consistency?from=200&to={size}"))
        .await
        .body;
    assert!(verify_consistency(
        (200, &old),
        (size, &signed.root),
        &hashes(&proof["proof"])
    ));

    let mut conn = app.app.vault.store.read().await.unwrap();
    let id = "SELECT entry_id FROM log_entry WHERE log_index = 77";
    let id: Uuid = on!(&mut conn, c => sqlx::query_scalar(id).fetch_one(c).await.unwrap());
    drop(conn);
    let one = officer(&app, &format!("entries/{id}")).await.body;
    let logged: Value = serde_json::from_slice(entries[77]).unwrap();
    assert_eq!((&one["log_index"], &one["leaf"]), (&json!(77), &logged["leaf"]));

    let text = String::from_utf8(officer(&app, "proofs/receipt?index=77").await.bytes).unwrap();
    let (index, at) = receipt::verify(&text, entries[77], &verifier).unwrap();
    assert!(index == 77 && at.size >= size);
    assert_eq!(receipt::verify(&text, entries[78], &verifier), None);
    for (at, byte) in text.bytes().enumerate() {
        let mut wrong = text.clone().into_bytes();
        wrong[at] = if byte == b'A' { b'B' } else { b'A' };
        let proven = String::from_utf8(wrong).ok();
        let proven = proven.and_then(|wrong| receipt::verify(&wrong, entries[77], &verifier));
        assert_eq!(proven, None, "byte {at}");
    }

    let desk = app.role("front_desk").await;
    for path in [
        "log/checkpoint",
        "log/tile/0/000",
        "proofs/consistency?from=1&to=2",
    ] {
        assert_eq!(
            app.get(&desk, &format!("/v1/audit/{path}")).await.status,
            403,
            "{path}"
        );
    }
    assert!(
        grow(&app).await >= size + 5,
        "refusals and the reading of entries are events too"
    );
    app.finish().await;
}
both!(served, async |database| it_is_served_and_proven(database).await);

/// A sequencer of another process over the same database.
async fn another(app: &TestApp) -> Sequencer {
    let signer = Arc::clone(app.app.sequencer.signer());
    Sequencer::open(app.app.vault.store.clone(), signer, app.clock.clone())
        .await
        .unwrap()
}

async fn two_race_and_one_takes_over(database: &Database) {
    let app = TestApp::start(database).await;
    let (first, second) = (another(&app).await, another(&app).await);
    for round in 0..12 {
        look(&app, 20).await;
        let (a, b) = futures_util::join!(first.step(), second.step());
        let grown = [a, b]
            .into_iter()
            .filter(|step| matches!(step, Ok(Step::Grown(_))))
            .count();
        assert_eq!(grown, 1, "round {round}: one of the two");
    }
    let mut conn = app.app.vault.store.read().await.unwrap();
    let events = conn.audit_count().await.unwrap();
    drop(conn);
    let stored = Stored::new(app.app.vault.store.clone());
    let (size, _) = stored.checkpoint().await.unwrap().unwrap();
    assert_eq!(i64::try_from(size).unwrap(), events, "each event once");

    look(&app, 1).await;
    let (a, b) = (first.step().await.unwrap(), second.step().await.unwrap());
    let steps = [a, b];
    assert!(steps.contains(&Step::Grown(1)), "{steps:?}");
    let (holder, other) = if a == Step::Grown(1) {
        (&first, &second)
    } else {
        (&second, &first)
    };
    look(&app, 1).await;
    assert_eq!(other.step().await.unwrap(), Step::Held, "the other one is alive");
    assert!(
        holder.leads().await.unwrap() && !other.leads().await.unwrap(),
        "one speaks for the log"
    );
    app.set_clock("2026-03-05T10:00:04Z");
    assert_eq!(
        other.step().await.unwrap(),
        Step::Grown(1),
        "it has been silent for four seconds"
    );
    look(&app, 1).await;
    assert_eq!(holder.step().await.unwrap(), Step::Held);
    other.leave().await.unwrap();
    assert_eq!(
        holder.step().await.unwrap(),
        Step::Grown(1),
        "the other one has stopped"
    );
    app.finish().await;
}
both!(race, async |database| two_race_and_one_takes_over(database).await);

async fn a_log_that_does_not_grow_is_told(database: &Database) {
    let app = TestApp::start(database).await;
    let (first, second) = (another(&app).await, another(&app).await);
    let store = &app.app.vault.store;
    look(&app, 1).await;
    assert!(matches!(first.step().await.unwrap(), Step::Grown(_)));
    // Held until 2099: by hand, or by a clock that was ahead.
    run(store, "UPDATE log_head SET held_until = 4070908800000000").await;
    look(&app, 1).await;
    assert_eq!(second.step().await.unwrap(), Step::Grown(1));
    let stored = Stored::new(store.clone());
    assert_eq!(stored.waiting().await.unwrap(), (None, false));

    // A writer whose events would be passed over in silence.
    let move_by = async |by: &str, above: u32| {
        let sql = format!("UPDATE log_writer SET next_seq = next_seq {by} WHERE next_seq > {above}");
        run(store, &sql).await;
    };
    move_by("+ 1000000", 0).await;
    look(&app, 3).await;
    second.step().await.unwrap();
    let verifier = app.app.sequencer.signer().verifier().clone();
    let found = Patrol::new(stored.clone(), verifier)
        .step()
        .await
        .unwrap()
        .unwrap();
    assert!(found.what.contains("would never be logged"), "{found:?}");
    assert!(stored.waiting().await.unwrap().1);
    move_by("- 1000000", 1_000_000).await;
    assert!(matches!(second.step().await.unwrap(), Step::Grown(_)));

    // A tree that is not the signed one.
    let half = if store.name() == "sqlite" {
        "zeroblob(32)"
    } else {
        "decode(repeat('00', 32), 'hex')"
    };
    run(store, &format!("UPDATE log_tile SET hashes = {half}")).await;
    look(&app, 1).await;
    for (time, stalled) in [("10:00:00", false), ("10:00:09", false), ("10:00:11", true)] {
        app.set_clock(&format!("2026-03-05T{time}Z"));
        let told = second.step().await.unwrap_err().to_string();
        assert!(told.contains("tiles of its edge"), "{told}");
        assert_eq!(second.is_stalled(), stalled, "{time}");
    }
    assert!(stored.waiting().await.unwrap().0.is_some());
    app.app.close().await;
}
both!(frozen, async |database| a_log_that_does_not_grow_is_told(
    database
)
.await);

/// Writes a copy of some events with another number of their writer.
async fn forge(store: &Store, sequence: &str, which: &str) {
    let id = if store.name() == "sqlite" {
        "randomblob(16)"
    } else {
        "gen_random_uuid()"
    };
    let columns = "at, guest_id, principal, actor, property, purpose, action, decision, leaf, detail";
    let rows = run(
        store,
        &format!(
            "INSERT INTO audit_event (entry_id, writer, writer_seq, {columns})
             SELECT {id}, e.writer, {sequence}, {columns} FROM audit_event e WHERE {which}"
        ),
    )
    .await;
    assert!(rows > 0, "{which}");
}

const NEWEST: &str = "e.writer_seq = (SELECT max(m.writer_seq) FROM audit_event m WHERE m.writer = e.writer)";

async fn the_next_numbers_follow_from_the_entries(database: &Database) {
    let app = TestApp::start(database).await;
    let store = &app.app.vault.store;
    let stored = Stored::new(store.clone());
    look(&app, 5).await;
    grow(&app).await;
    for damage in [
        "DELETE FROM log_writer",
        "UPDATE log_writer SET next_seq = 1",
        "UPDATE log_writer SET next_seq = next_seq + 1000",
    ] {
        run(store, damage).await;
        look(&app, 3).await;
        // As it does at a start, and each minute.
        let sequencer = another(&app).await;
        app.app.sequencer.leave().await.unwrap();
        while matches!(sequencer.step().await.unwrap(), Step::Grown(_)) {}
        sequencer.leave().await.unwrap();
        let mut conn = store.read().await.unwrap();
        let events = conn.audit_count().await.unwrap();
        drop(conn);
        let (size, _) = stored.checkpoint().await.unwrap().unwrap();
        assert_eq!(i64::try_from(size).unwrap(), events, "{damage}: each event once");
        assert_eq!(stored.waiting().await.unwrap(), (None, false), "{damage}");
        assert!(stored.all_passed_over(9).await.unwrap().is_empty(), "{damage}");
    }
    // The last number that there is: it has no next.
    forge(store, "9223372036854775807", NEWEST).await;
    look(&app, 3).await;
    let before = stored.checkpoint().await.unwrap().unwrap().0;
    assert!(grow(&app).await >= before + 3);
    assert!(!stored.all_passed_over(9).await.unwrap().is_empty());
    app.app.close().await;
}
both!(next_numbers, async |database| {
    the_next_numbers_follow_from_the_entries(database).await;
});

async fn forged_events_stop_nobody_and_are_named(database: &Database) {
    let app = TestApp::start(database).await;
    let store = &app.app.vault.store;
    let stored = Stored::new(store.clone());
    look(&app, 5).await;
    // A number that a running writer takes next: the look is answered under another.
    forge(store, "e.writer_seq + 1", NEWEST).await;
    look(&app, 5).await;
    grow(&app).await;
    let verifier = app.app.sequencer.signer().verifier().clone();
    let mut patrol = Patrol::new(stored.clone(), verifier.clone());
    assert_eq!(patrol.step().await.unwrap(), None, "no false alarm");
    // One that the log does not ask for.
    forge(
        store,
        "-5",
        "e.entry_id = (SELECT entry_id FROM log_entry WHERE log_index = 3)",
    )
    .await;
    assert_eq!(app.app.sequencer.step().await.unwrap(), Step::Idle);
    let passed = stored.all_passed_over(9).await.unwrap();
    assert_eq!(passed.len(), 1);
    let found = patrol.step().await.unwrap().unwrap();
    assert!(found.what.contains(&passed[0].to_string()), "{found:?}");
    let source = Source::Database(stored.clone());
    let report = verify(&source, &verifier, None, |_, _| {}).await.unwrap();
    assert!(
        !report.complete
            && report
                .findings
                .iter()
                .any(|found| found.what.contains("no entry")),
        "{report:?}"
    );
    let rows = entries(store, &Filter::default(), None, 200).await.unwrap();
    let altered = stored.altered(&rows).await.unwrap();
    for (row, altered) in rows.iter().zip(altered) {
        assert_eq!(altered.is_some(), passed.contains(&row.entry_id), "{altered:?}");
    }
    app.app.close().await;
}
both!(forged_events, async |database| {
    forged_events_stop_nobody_and_are_named(database).await;
});

async fn a_log_without_its_head_is_not_begun_again(database: &Database) {
    let app = TestApp::start(database).await;
    look(&app, 5).await;
    grow(&app).await;
    let store = app.app.vault.store.clone();
    let signer = Arc::clone(app.app.sequencer.signer());
    for (damage, word) in [
        ("UPDATE log_head SET size = size + 1", "changed by hand"),
        ("UPDATE log_head SET checkpoint = 'junk'", "changed by hand"),
        ("DELETE FROM log_head", "is gone"),
    ] {
        run(&store, damage).await;
        let opened = Sequencer::open(store.clone(), Arc::clone(&signer), app.clock.clone()).await;
        let told = opened.err().unwrap().to_string();
        assert!(
            told.contains(word) && told.contains("guest-vault restore"),
            "{told}"
        );
    }
    assert_eq!(
        Stored::new(store).checkpoint().await.unwrap(),
        None,
        "nothing was written"
    );
    app.app.close().await;
}
both!(headless, async |database| {
    a_log_without_its_head_is_not_begun_again(database).await;
});

async fn the_ends_of_chains_are_patrolled(database: &Database) {
    let app = TestApp::start(database).await;
    let stored = crate::mirror::logged(&app, 40).await;
    let verifier = app.app.sequencer.signer().verifier().clone();
    let mut patrol = Patrol::new(stored.clone(), verifier.clone());
    assert_eq!(patrol.step().await.unwrap(), None, "no false alarm");
    run(&app.app.vault.store, "UPDATE log_subject SET seq = seq + 1").await;
    let found = patrol.step().await.unwrap().unwrap();
    assert!(found.what.contains("log_subject"), "{found:?}");
    let report = verify(&Source::Database(stored), &verifier, None, |_, _| {})
        .await
        .unwrap();
    assert!(!report.intact, "{report:?}");
    app.app.close().await;
}
both!(ends_of_chains, async |database| {
    the_ends_of_chains_are_patrolled(database).await;
});

#[test]
fn a_row_that_cannot_be_read_is_a_finding() {
    on_sqlite(async |database| {
        let app = TestApp::start(database).await;
        look(&app, 600).await;
        grow(&app).await;
        let store = &app.app.vault.store;
        let at =
            |index: u32| format!("entry_id = (SELECT entry_id FROM log_entry WHERE log_index = {index})");
        run(
            store,
            &format!("UPDATE audit_event SET principal = x'00' WHERE {}", at(20)),
        )
        .await;
        let stored = Stored::new(store.clone());
        let verifier = app.app.sequencer.signer().verifier().clone();
        let found = Patrol::new(stored.clone(), verifier.clone())
            .step()
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.index, Some(20), "{found:?}");
        let faults = stored.faults(0, 100).await.unwrap();
        assert_eq!(faults.keys().copied().collect::<Vec<u64>>(), [20]);
        let report = verify(&Source::Database(stored), &verifier, None, |_, _| {})
            .await
            .unwrap();
        assert_eq!((report.intact, report.first_bad_index), (false, Some(20)));
        app.app.close().await;
    });
}

async fn rows_changed_by_hand_are_not_signed_again(database: &Database) {
    let app = TestApp::start(database).await;
    look(&app, 30).await;
    let size = grow(&app).await;
    let store = &app.app.vault.store;
    let stored = Stored::new(store.clone());
    let path = guest_vault::audit::tlog::tile::Place::parse(&format!("entries/000.p/{size}")).unwrap();
    stored.at(path).await.unwrap();
    let leaf = "CAST(replace(CAST(leaf AS TEXT), 'front_desk', 'butler') AS BLOB)";
    if store.name() == "sqlite" {
        let entry = "(SELECT entry_id FROM log_entry WHERE log_index = 20)";
        run(
            store,
            &format!("UPDATE audit_event SET leaf = {leaf} WHERE entry_id = {entry}"),
        )
        .await;
    } else {
        let leaf = "convert_to(replace(convert_from(leaf, 'UTF8'), 'front_desk', 'butler'), 'UTF8')";
        let entry = "(SELECT entry_id FROM log_entry WHERE log_index = 20)";
        run(
            store,
            &format!("UPDATE audit_event SET leaf = {leaf} WHERE entry_id = {entry}"),
        )
        .await;
    }
    let told = stored.at(path).await.unwrap_err().to_string();
    assert!(told.contains("entry 20"), "{told}");
    run(
        store,
        "DELETE FROM audit_event WHERE entry_id = (SELECT entry_id FROM log_entry WHERE log_index = 7)",
    )
    .await;
    let told = stored.at(path).await.unwrap_err().to_string();
    assert!(told.contains("entry 7:"), "{told}");

    // The tree itself: what does not add up to the last checkpoint is not signed.
    let zeros = if store.name() == "sqlite" {
        "zeroblob(64)"
    } else {
        "decode(repeat('00', 64), 'hex')"
    };
    run(
        store,
        &format!("UPDATE log_tile SET hashes = {zeros} WHERE level = 0"),
    )
    .await;
    look(&app, 1).await;
    let told = app.app.sequencer.step().await.unwrap_err().to_string();
    assert!(told.contains("by hand"), "{told}");
    assert_eq!(stored.checkpoint().await.unwrap().unwrap().0, size);
    app.app.close().await;
}
both!(by_hand, async |database| {
    rows_changed_by_hand_are_not_signed_again(database).await;
});

async fn the_key_is_made_once_and_never_over_a_signed_log(database: &Database) {
    let app = TestApp::start(database).await;
    let key_store = database.open(Which::Keys).await;
    let keys = &app.app.vault.keys;
    let public = keys.log_key(false).await.unwrap().public();
    assert_eq!(
        run(&key_store, "DELETE FROM vault_key WHERE purpose = 'log_signing'").await,
        1
    );
    let told = keys.log_key(false).await.err().unwrap().to_string();
    assert!(told.contains("log_signing") && told.contains("restore"), "{told}");
    let made = keys.log_key(true).await.unwrap().public();
    assert_ne!(made, public);
    assert_eq!(
        keys.log_key(true).await.unwrap().public(),
        made,
        "an older key store gets one, once"
    );
    let signer = |origin: &str, key| Arc::new(Signer::new(Some(origin.to_owned()), key).unwrap());
    let name = app.app.sequencer.signer().verifier().name().to_owned();
    let store = app.app.vault.store.clone();
    let other = SigningKey::new(KeyMaterial::random());
    let told = Sequencer::open(store.clone(), signer(&name, other), app.clock.clone()).await;
    assert!(told.err().unwrap().to_string().contains("signature"));
    let told = Sequencer::open(
        store,
        signer("other", keys.log_key(false).await.unwrap()),
        app.clock.clone(),
    )
    .await;
    assert!(told.err().unwrap().to_string().contains("keeps its name"));
    key_store.close().await;
    app.app.close().await;
}
both!(key, async |database| {
    the_key_is_made_once_and_never_over_a_signed_log(database).await;
});
