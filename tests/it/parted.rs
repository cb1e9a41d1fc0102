//! After a restore: who was made one with another or parted after the backup was taken has its own fate, and no other's.

use std::{fs, path::Path};

use guest_vault::{
    base::GuestId,
    cli::{backup, copies::CopyError, restore},
    config::Config,
};
use serde_json::{Value, json};

use crate::{
    backup::{backing_up, config, erase, mirrored, open, person, restoring, told, tool},
    cases::{approved, restricted},
    constraining::say,
    erasure::{approve, asked},
    merging::{merge, undo},
    partly::hold,
    rights::officer,
    support::{
        app::TestApp,
        database::{Database, both},
    },
};

pub(crate) fn settings(database: &Database) -> Config {
    let mut config = config(database.dir());
    config.database.url = Some(database.data_url().into());
    config.keys.url = Some(database.keys_url().into());
    fs::create_dir_all(database.dir().join("vault")).unwrap();
    config
}

fn dumps(database: &Database) -> [(String, String); 2] {
    let file = |name: &str| database.dir().join(name).to_str().unwrap().to_owned();
    [
        (database.data_url(), file("data.dump")),
        (database.keys_url(), file("keys.dump")),
    ]
}

pub(crate) async fn back_up(database: &Database, config: &Config) {
    if database.cluster().is_none() {
        let arguments = backing_up(database.dir());
        backup::run(&arguments, config, &mut Vec::new()).await.unwrap();
        return;
    }
    for (url, file) in dumps(database) {
        tool("pg_dump", &["--format=custom", "--file", &file, &url]);
    }
}

fn load(url: &str, file: &str) {
    let into = ["--clean", "--if-exists", "--single-transaction", "--dbname"];
    tool("pg_restore", &[&into[..], &[url, file]].concat());
}

/// Copies of both databases that other tools made; puts them back.
pub(crate) async fn by_other_tools(database: &Database, app: &TestApp) -> Box<dyn Fn()> {
    let copies = dumps(database);
    let on_postgres = database.cluster().is_some();
    let stores = [&app.app.vault.store, &app.app.key_store];
    for ((url, file), store) in copies.iter().zip(stores) {
        if on_postgres {
            tool("pg_dump", &["--format=custom", "--file", file, url]);
        } else {
            store.copy_to(Path::new(file)).await.unwrap();
        }
    }
    Box::new(move || {
        for (url, file) in &copies {
            if on_postgres {
                load(url, file);
            } else {
                let path = url.strip_prefix("sqlite://").unwrap();
                for end in ["-wal", "-shm"] {
                    let _ = fs::remove_file(format!("{path}{end}"));
                }
                fs::copy(file, path).unwrap();
            }
        }
    })
}

/// Restores the data, and with them the keys or not; what is reported.
pub(crate) async fn restored(
    database: &Database,
    config: &Config,
    app: TestApp,
    with_keys: bool,
) -> (Value, TestApp) {
    mirrored(&app, &database.dir().join("log")).await;
    app.app.close().await;
    drop(app);
    let mut arguments = restoring(database.dir(), Some("log"), false);
    if !with_keys {
        arguments.keys = None;
    }
    if database.cluster().is_some() {
        for (url, file) in dumps(database).iter().take(1 + usize::from(with_keys)) {
            load(url, file);
        }
        arguments = restore::Restore {
            from: None,
            keys: None,
            identity: None,
            replace: false,
            in_place: true,
            ..arguments
        };
    }
    let mut out = Vec::new();
    loop {
        match Box::pin(restore::run(&arguments, config, &mut out)).await {
            // Its last connections end with the tasks that keep them.
            Err(CopyError::InUse(_)) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            other => break other.unwrap(),
        }
    }
    (told(&out)["replayed"].clone(), open(config).await)
}

pub(crate) async fn status(app: &TestApp, guest: &str) -> u16 {
    let crm = app.errand("crm", "loyalty").await.at("GROUP");
    app.get(&crm, &format!("/v1/guests/{guest}")).await.status
}

/// The records of a guest, each with how many values it has, and how many stays the guest has.
async fn held(app: &TestApp, guest: &str) -> (Vec<(String, usize)>, usize) {
    let guest: GuestId = guest.parse().unwrap();
    let mut conn = app.app.vault.store.read().await.unwrap();
    let records = conn.records(guest).await.unwrap();
    let values = conn.stored_values(guest).await.unwrap();
    let of = |record| values.iter().filter(|value| value.record_id == record).count();
    let records = records
        .iter()
        .map(|row| (row.record_id.to_string(), of(row.record_id)));
    (records.collect(), conn.stays(guest).await.unwrap().len())
}

/// One guest with two records.
pub(crate) async fn twofold(app: &TestApp, surname: &str, phone: u32) -> (String, String, String) {
    let record = |number: u32| {
        json!({"guest": {
            "name": {"surname": surname, "given": "Ester"},
            "phones": [{"number": format!("+351 91 {phone:07}")}],
            "emails": [{"address": format!("{surname}@guests.example")}]},
            "stays": [{"reservation": format!("S-{phone}-{number}"), "property": "LIS01", "arrival": "2026-02-10",
                       "departure": "2026-02-12", "status": "checked_out"}]})
    };
    let one = app.guest(&format!("pms/s-{phone}"), record(1)).await;
    assert_eq!(app.guest(&format!("web/s-{phone}"), record(2)).await, one);
    let (records, stays) = held(app, &one).await;
    assert_eq!(stays, 2);
    (one, records[0].0.clone(), records[1].0.clone())
}

/// The other record gets a guest of its own.
pub(crate) async fn split(app: &TestApp, (guest, first, second): &(String, String, String)) -> String {
    let parted = say(app, "different", (guest, first), (guest, second), false).await;
    assert_eq!(parted.status, 200, "{parted:?}");
    parted.body["other"]["guest_id"].as_str().unwrap().to_owned()
}

async fn one_of_two_is_erased(database: &Database, with_keys: bool) {
    let config = settings(database);
    let app = open(&config).await;
    let mut guests = Vec::new();
    for number in 0..7 {
        guests.push(person(&app, number).await);
    }
    let [kept, gone, survivor, restored_one, first, inner, outer] = guests.as_slice() else {
        panic!("seven")
    };
    let own = held(&app, kept).await;
    let both = twofold(&app, "Splitova", 7_654_321).await;
    let halved = twofold(&app, "Partridge", 1_234_567).await;
    let one = merge(&app, kept, gone, "?force=true").await;
    let other = merge(&app, survivor, restored_one, "?force=true").await;
    // What their sources say while they are one is theirs.
    for number in [1, 3] {
        let record = json!({"guest": {
            "name": {"surname": format!("Person{number}"), "given": "Ana"},
            "emails": [{"address": format!("new{number}@guests.example")}],
            "phones": [{"number": format!("+351 91 000000{number}")}]},
            "stays": [{"reservation": format!("N-{number}"), "property": "LIS01", "arrival": "2026-02-24",
                       "departure": "2026-02-26", "status": "checked_out"}]});
        app.guest(&format!("pms/p-{number}"), record).await;
    }
    let low = merge(&app, first, inner, "?force=true").await;
    let high = merge(&app, outer, first, "?force=true").await;
    back_up(database, &config).await;

    for merged in [&one, &other, &high, &low] {
        let undone = undo(&app, merged).await;
        assert_eq!(undone.status, 200, "{undone:?}");
    }
    let alone = split(&app, &both).await;
    for guest in [gone, survivor, inner, &alone] {
        erase(&app, guest).await;
    }
    // Of one that got a guest of its own an order keeps some.
    let waits = split(&app, &halved).await;
    assert_eq!(hold(&app, &waits, json!(["identity"])).await.status, 201);
    let (case, preview) = asked(&app, &waits).await;
    let part = approve(&app, &case, &preview, "o-2").await;
    assert_eq!(part.body["state"], "waiting", "{part:?}");
    let living = [kept, restored_one, first, outer, &both.0, &halved.0];
    let mut before = Vec::new();
    for guest in living {
        before.push(held(&app, guest).await);
    }
    assert_eq!(before[0], own);

    let (report, app) = restored(database, &config, app, with_keys).await;
    let expected = [
        ("left", 0),
        ("guests", 5),
        ("parted", 6),
        ("undecided", 0),
        ("restricted", 1),
    ];
    for (name, count) in expected {
        assert_eq!(report[name], count, "{name}: {report}");
    }
    for (guest, before) in living.into_iter().zip(before) {
        assert_eq!(status(&app, guest).await, 200);
        let now = held(&app, guest).await;
        if guest == restored_one && !with_keys {
            // What was said of it while they were one went with the other's keys; what was said before is there.
            let ([now], [before]) = (now.0.as_slice(), before.0.as_slice()) else {
                panic!("{now:?}, {before:?}")
            };
            assert!(now.0 == before.0 && now.1 > 0, "{now:?}");
        } else {
            assert_eq!(now, before);
        }
    }
    // The keys that are there know whose the record was.
    let now = if with_keys { 404 } else { 403 };
    assert_eq!(status(&app, &waits).await, now);
    for guest in [gone, survivor, inner] {
        assert_eq!(status(&app, guest).await, 410);
        assert_eq!(held(&app, guest).await, (Vec::new(), 0));
    }
    assert_eq!(status(&app, &alone).await, 404);
    assert_eq!(app.app.vault.inspect().await.unwrap().damaged, 0);
    app.app.close().await;
}

both!(
    who_was_parted_and_erased_after_the_backup_is_erased_alone,
    async |database| {
        one_of_two_is_erased(database, true).await;
    }
);
both!(the_same_with_the_keys_there_are, async |database| {
    one_of_two_is_erased(database, false).await;
});

both!(
    what_was_said_of_one_guest_protects_all_that_it_was,
    async |database| {
        let config = settings(database);
        let app = open(&config).await;
        let mut guests = Vec::new();
        for number in 0..8 {
            guests.push(person(&app, number).await);
        }
        let both = twofold(&app, "Splitova", 7_654_321).await;
        back_up(database, &config).await;
        let mut answers = Vec::new();
        for pair in guests.chunks(2) {
            let merged = merge(&app, &pair[0], &pair[1], "?force=true").await;
            assert_eq!(merged.status, 201, "{merged:?}");
            answers.push(merged);
        }
        approved(&app, &guests[0], "restriction").await;
        assert_eq!(hold(&app, &guests[2], json!([])).await.status, 201);
        let crm = app.errand("crm", "marketing_direct").await.at("GROUP");
        let object = async |guest: &str| {
            let said = json!({"purpose": "survey", "state": "objected", "channel": "front_desk"});
            let path = format!("/v1/guests/{guest}/consents");
            let answer = app.post(&crm, &path, said).await;
            assert!(answer.status < 300, "{answer:?}");
        };
        object(&guests[4]).await;
        assert_eq!(undo(&app, &answers[3]).await.status, 200);
        object(&guests[6]).await;
        object(&split(&app, &both).await).await;

        let (report, app) = restored(database, &config, app, true).await;
        assert_eq!(
            (&report["restrictions"], &report["holds"], &report["refusals"]),
            (&json!(2), &json!(2), &json!(4)),
            "{report}"
        );
        let crm = app.errand("crm", "marketing_direct").await.at("GROUP");
        let objects = async |guest: &str| {
            let told = app.get(&crm, &format!("/v1/guests/{guest}/consents")).await;
            assert_eq!(told.status, 200, "{told:?}");
            let all = told.body["standing"].as_array().unwrap();
            all.iter()
                .any(|one| one["purpose"] == "survey" && one["state"] == "objected")
        };
        for guest in &guests[..2] {
            assert!(restricted(&app, guest).await);
        }
        for guest in &guests[2..4] {
            let path = format!("/v1/guests/{guest}/holds");
            let holds = app.get(&officer(&app, "o-9").await, &path).await.body;
            assert_eq!(holds["holds"].as_array().unwrap().len(), 1, "{holds}");
        }
        for guest in [&guests[4], &guests[5], &guests[6], &both.0] {
            assert!(objects(guest).await);
        }
        // It was said after they were parted.
        assert!(!objects(&guests[7]).await);
        app.app.close().await;
    }
);
