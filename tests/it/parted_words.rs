//! After a restore: what was said of guests after the backup was taken protects those who they are, though they were one
//! with others in it.

use std::collections::BTreeSet;

use actix_web::http::Method;
use guest_vault::{
    access::operator,
    audit::tlog::{Stored, catch_up::catch_up},
    base::{GuestId, micros},
    cli::restore,
    events::{Kind, feed},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    backup::{erase, mirrored, open, person, restoring, told},
    cases::{approved, restricted},
    erasure::{approve, asked},
    merging::{merge, undo},
    parted::{back_up, by_other_tools, restored, settings, split, status, twofold},
    partly::hold,
    rights::officer,
    support::{
        app::TestApp,
        database::{Database, both},
    },
};

async fn object(app: &TestApp, guest: &str) {
    let crm = app.errand("crm", "marketing_direct").await.at("GROUP");
    let said = json!({"purpose": "survey", "state": "objected", "channel": "front_desk"});
    let path = format!("/v1/guests/{guest}/consents");
    let answer = app.post(&crm, &path, said).await;
    assert!(answer.status < 300, "{answer:?}");
}

/// Whether the guest objects, and how many holds lie on it.
async fn protected(app: &TestApp, guest: &str) -> (bool, usize) {
    let id: GuestId = guest.parse().unwrap();
    let lines = app.app.vault.store.read().await.unwrap().consents(id).await;
    let objects = lines
        .unwrap()
        .iter()
        .any(|line| line.purpose.as_str() == "survey");
    (objects, holds(app, guest).await.len())
}

async fn holds(app: &TestApp, guest: &str) -> Vec<Value> {
    let path = format!("/v1/guests/{guest}/holds");
    let holds = app.get(&officer(app, "o-9").await, &path).await;
    assert_eq!(holds.status, 200, "{holds:?}");
    holds.body["holds"].as_array().unwrap().clone()
}

async fn put(app: &TestApp, guest: &str) {
    let held = hold(app, guest, json!([])).await;
    assert_eq!(held.status, 201, "{held:?}");
}

async fn lift(app: &TestApp, guest: &str) {
    for hold in holds(app, guest).await {
        let path = format!("/v1/guests/{guest}/holds/{}", hold["hold_id"].as_str().unwrap());
        let by = officer(app, "o-2").await;
        let gone = app.send(TestApp::request(&by, Method::DELETE, &path)).await;
        assert!(gone.status < 300, "{gone:?}");
    }
}

/// Some of the guest is erased, the rest is kept.
async fn erase_some(app: &TestApp, guest: &str) {
    assert_eq!(hold(app, guest, json!(["identity"])).await.status, 201);
    let (case, preview) = asked(app, guest).await;
    let part = approve(app, &case, &preview, "o-2").await;
    assert_eq!(part.body["state"], "waiting", "{part:?}");
}

/// Every guest of the vault with its records.
async fn everybody(app: &TestApp) -> Vec<(String, Vec<String>)> {
    let mut conn = app.app.vault.store.read().await.unwrap();
    let mut all = Vec::new();
    for (guest, _) in conn.guests_of_copy(Uuid::nil(), 500).await.unwrap() {
        let records = conn.records(GuestId(guest)).await.unwrap();
        let records = records.iter().map(|row| row.record_id.to_string());
        all.push((guest.to_string(), records.collect()));
    }
    all
}

async fn owner(app: &TestApp, record: &str) -> String {
    let all = everybody(app).await;
    let mut all = all
        .into_iter()
        .filter(|(_, records)| records.iter().any(|one| one == record));
    let (guest, _) = all.next().unwrap();
    assert!(all.next().is_none(), "{record} lies with two");
    guest
}

async fn of_records(database: &Database, with_keys: bool) {
    let config = settings(database);
    let app = open(&config).await;
    let apart = twofold(&app, "Splitova", 7_654_321).await;
    let gone = twofold(&app, "Partridge", 1_234_567).await;
    let before = twofold(&app, "Foresaid", 2_345_678).await;
    let lost = twofold(&app, "Gonesome", 3_456_789).await;
    back_up(database, &config).await;

    let one = split(&app, &apart).await;
    object(&app, &one).await;
    erase_some(&app, &one).await;
    let stranger = split(&app, &gone).await;
    approved(&app, &stranger, "restriction").await;
    erase(&app, &stranger).await;
    object(&app, &before.0).await;
    let third = split(&app, &before).await;
    erase_some(&app, &third).await;
    let left = split(&app, &lost).await;
    erase_some(&app, &left).await;
    erase(&app, &lost.0).await;

    let (report, app) = restored(database, &config, app, with_keys).await;
    assert_eq!(
        (&report["left"], &report["parted"]),
        (&json!(0), &json!(4)),
        "{report}"
    );
    let mut renamed = BTreeSet::new();
    for ((guest, _, record), had) in [(&apart, &one), (&before, &third), (&lost, &left)] {
        let now = owner(&app, record).await;
        assert_ne!(&now, guest);
        assert_eq!(
            *had == now,
            !with_keys,
            "the keys that are there know whose it was"
        );
        if with_keys {
            renamed.insert(now.clone());
        }
        // Out of sight, as its erasure waits, and not damaged.
        assert_eq!(status(&app, &now).await, 403);
        let by = officer(&app, "o-9").await;
        let looked = app.get(&by, &format!("/v1/guests/{now}")).await;
        assert!(looked.status < 500, "{looked:?}");
        let (objects, holds) = protected(&app, &now).await;
        assert_eq!((objects, holds > 0), (had != &left, true), "{had}");
    }
    assert_eq!(protected(&app, &apart.0).await, (false, 0));
    assert_eq!(protected(&app, &before.0).await, (true, 0));
    assert!(!restricted(&app, &gone.0).await);
    assert_eq!(status(&app, &lost.0).await, 410);

    // Who has another id than before is told.
    let store = &app.app.vault.store;
    feed::number_all(store).await.unwrap();
    let newest = store.read().await.unwrap().feed_last().await.unwrap();
    let events = feed::after(store, newest - 10, 10).await.unwrap().events;
    let told = events.iter().filter(|one| one.event.kind == Kind::GuestUnmerged);
    let told = told.filter_map(|one| Some(one.event.details.other_guest_id?.to_string()));
    assert_eq!(told.collect::<BTreeSet<_>>(), renamed);
    app.app.close().await;
}

both!(what_was_said_of_a_record_goes_to_whose_it_is, async |database| {
    of_records(database, true).await;
});
both!(so_it_does_with_the_keys_there_are, async |database| {
    of_records(database, false).await;
});

async fn of_merged(database: &Database, with_keys: bool) {
    let config = settings(database);
    let app = open(&config).await;
    let mut guests = Vec::new();
    for number in 0..8 {
        guests.push(person(&app, number).await);
    }
    let [first, kept, second, limited, third, held, fourth, stranger] = guests.as_slice() else {
        panic!("eight")
    };
    put(&app, third).await;
    let mut answers = Vec::new();
    for pair in guests.chunks(2) {
        let merged = merge(&app, &pair[0], &pair[1], "?force=true").await;
        assert_eq!(merged.status, 201, "{merged:?}");
        answers.push(merged);
    }
    let case = approved(&app, second, "restriction").await;
    back_up(database, &config).await;

    object(&app, first).await;
    put(&app, first).await;
    let end = json!({"guest_told_on": "2026-03-01"});
    let by = officer(&app, "o-3").await;
    assert_eq!(app.post(&by, &format!("{case}/lift"), end).await.status, 200);
    lift(&app, third).await;
    for merged in &answers {
        assert_eq!(undo(&app, merged).await.status, 200, "{merged:?}");
    }
    lift(&app, first).await;
    approved(&app, limited, "restriction").await;
    put(&app, held).await;
    approved(&app, stranger, "restriction").await;
    for guest in [first, second, third, stranger] {
        erase(&app, guest).await;
    }

    let (report, app) = restored(database, &config, app, with_keys).await;
    assert_eq!(
        (&report["left"], &report["parted"]),
        (&json!(0), &json!(4)),
        "{report}"
    );
    assert_eq!(protected(&app, kept).await, (true, 1));
    assert!(restricted(&app, limited).await);
    assert_eq!(protected(&app, held).await, (false, 1));
    assert!(!restricted(&app, fourth).await);
    assert_eq!(protected(&app, fourth).await, (false, 0));
    app.app.close().await;
}

both!(
    what_was_said_of_one_who_was_merged_is_not_lost,
    async |database| {
        of_merged(database, true).await;
    }
);
both!(nor_is_it_with_the_keys_there_are, async |database| {
    of_merged(database, false).await;
});

async fn begun_anew(database: &Database, replayed: bool) {
    let config = settings(database);
    let app = open(&config).await;
    let (survivor, kept) = (person(&app, 1).await, person(&app, 2).await);
    let merged = merge(&app, &survivor, &kept, "?force=true").await;
    let gone = twofold(&app, "Partridge", 1_234_567).await;
    let part = twofold(&app, "Splitova", 7_654_321).await;
    let there = everybody(&app).await;
    let put_back = by_other_tools(database, &app).await;
    object(&app, &survivor).await;
    put(&app, &survivor).await;
    assert_eq!(undo(&app, &merged).await.status, 200);
    lift(&app, &survivor).await;
    erase(&app, &survivor).await;
    let stranger = split(&app, &gone).await;
    object(&app, &stranger).await;
    erase(&app, &stranger).await;
    let one = split(&app, &part).await;
    object(&app, &one).await;
    erase_some(&app, &one).await;
    let log = database.dir().join("log");
    mirrored(&app, &log).await;
    app.app.close().await;
    drop(app);
    put_back();

    // Cut off after it parted them, or after it erased again.
    let app = open(&config).await;
    let vault = app.app.vault.clone();
    let stored = Stored::new(vault.store.clone());
    let (size, _) = stored.checkpoint().await.unwrap().unwrap_or_default();
    let mut tx = vault.store.begin().await.unwrap();
    let now = micros(vault.clock.now());
    tx.quarantine(now, i64::try_from(size).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    let verifier = app.app.sequencer.signer().verifier();
    catch_up(&vault.store, verifier, &log, size).await.unwrap();
    let eraser = app.app.requests().eraser;
    let caller = operator().unwrap();
    let mut since = eraser.since(size).await.unwrap();
    for guest in eraser.parted(&since).await.unwrap() {
        vault.part_again(&caller, guest).await.unwrap();
    }
    let strays = eraser.strays(&since).await.unwrap();
    eraser.give(&mut since, &strays).await.unwrap();
    for stray in strays {
        let ends = (stray.guest, stray.new);
        vault
            .split_again(&caller, ends, stray.records.clone())
            .await
            .unwrap();
    }
    if replayed {
        eraser.replay(&caller, &since).await.unwrap();
    }
    app.app.settle_log().await;
    app.app.close().await;
    drop((app, vault, eraser));

    let arguments = restore::Restore {
        from: None,
        keys: None,
        identity: None,
        replace: false,
        in_place: true,
        ..restoring(database.dir(), Some("log"), false)
    };
    let mut out = Vec::new();
    restore::run(&arguments, &config, &mut out).await.unwrap();
    let report = told(&out)["replayed"].clone();
    assert_eq!(
        (&report["left"], &report["guests"]),
        (&json!(0), &json!(3)),
        "{report}"
    );
    let app = open(&config).await;
    assert_eq!(protected(&app, &kept).await, (true, 1));
    assert_eq!(protected(&app, &part.0).await, (false, 0));
    // Who was erased takes its words along.
    assert_eq!(protected(&app, &gone.0).await, (false, 0));
    let new = owner(&app, &part.2).await;
    let (objects, holds) = protected(&app, &new).await;
    assert!(objects && holds > 0, "{new}");
    // Nobody else was made.
    let known = |guest: &str| guest == new || there.iter().any(|(one, _)| one == guest);
    for (guest, _) in everybody(&app).await {
        assert!(known(&guest) || status(&app, &guest).await == 410, "{guest}");
    }
    app.app.close().await;
}

both!(
    a_restore_begun_anew_knows_what_the_first_one_knew,
    async |database| {
        begun_anew(database, false).await;
    }
);
both!(so_it_does_after_it_erased_again, async |database| {
    begun_anew(database, true).await;
});
