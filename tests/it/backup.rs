//! What was erased stays erased, whatever is restored (promise P8).

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use actix_web::http::Method;
use guest_vault::{
    app::App,
    audit::tlog::{Stored, catch_up::CatchUpError, mirror::Mirror},
    base::Clock,
    cli::{backup, copies::CopyError, restore},
    config::{Config, ConfigFlags},
    crypto::age::Identity,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    cases::{approved, restricted},
    erasure::{approve, asked},
    merging::{merge, undo},
    partly::{hold, rocha, surname},
    support::{
        app::{Errand, TestApp},
        database::on_postgres,
        pg::path_with_postgres,
    },
};

const GUESTS: usize = 12;
const ERASED: usize = 3;

pub(crate) fn config(folder: &Path) -> Config {
    let flags = ConfigFlags {
        data_dir: Some(folder.join("vault")),
        ..ConfigFlags::default()
    };
    let mut config = Config::load(&flags).unwrap();
    config.property = crate::support::app::tree();
    config
}

pub(crate) async fn open(config: &Config) -> TestApp {
    let clock = Clock::fixed("2026-03-05T10:00:00Z".parse().unwrap());
    TestApp::over(App::open(config, clock.clone()).await.unwrap(), clock)
}

pub(crate) async fn person(app: &TestApp, number: usize) -> String {
    let record = json!({"guest": {
        "name": {"surname": format!("Person{number}"), "given": "Ana"}, "nationality": "PT",
        "emails": [{"address": format!("p{number}@guests.example")}]},
        "stays": [{"reservation": format!("R-{number}"), "property": "LIS01", "arrival": "2026-02-20",
                   "departure": "2026-02-22", "status": "checked_out"}]});
    app.guest(&format!("pms/p-{number}"), record).await
}

async fn officer(app: &TestApp, actor: &str) -> Errand {
    crate::rights::officer(app, actor).await
}

pub(crate) async fn erase(app: &TestApp, guest: &str) {
    let wanted = json!({"guest_id": guest, "type": "erasure", "regime": "gdpr", "received_via": "email"});
    let (one, other) = (officer(app, "o-1").await, officer(app, "o-2").await);
    let opened = app.post(&one, "/v1/requests", wanted).await;
    let case = format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap());
    app.post(&one, &format!("{case}/verify"), json!({"result": "passed"}))
        .await;
    let preview = app.get(&one, &format!("{case}/preview")).await;
    let decision = json!({"decision": "approve", "preview": preview.body["fingerprint"]});
    let done = app.post(&other, &format!("{case}/decision"), decision).await;
    assert_eq!(done.body["state"], "done", "{done:?}");
}

pub(crate) async fn mirrored(app: &TestApp, folder: &Path) {
    app.app.settle_log().await;
    let verifier = app.app.sequencer.signer().verifier().clone();
    Mirror::new(folder.to_owned(), verifier)
        .update(&Stored::new(app.app.vault.store.clone()))
        .await
        .unwrap();
}

/// To an identity of its own, which [`restoring`] opens it with.
pub(crate) fn backing_up(folder: &Path) -> backup::Backup {
    let identity = Identity::random();
    fs::write(folder.join("identity"), identity.text().as_str()).unwrap();
    backup::Backup {
        out: folder.join("b1"),
        recipient: vec![identity.recipient().to_string()],
        json: true,
    }
}

pub(crate) fn restoring(folder: &Path, log: Option<&str>, drill: bool) -> restore::Restore {
    restore::Restore {
        from: Some(folder.join("b1")),
        keys: Some(folder.join("b1.keys")),
        identity: Some(folder.join("identity")),
        log: log.map(|log| folder.join(log)),
        drill,
        replace: !drill,
        in_place: false,
        json: true,
    }
}

/// Restores over a vault that was just closed; what is reported.
async fn restored(folder: &Path, config: &Config) -> Value {
    let mut out = Vec::new();
    loop {
        match restore::run(&restoring(folder, Some("log"), false), config, &mut out).await {
            // Its last connections end with the tasks that keep them.
            Err(CopyError::InUse(_)) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            other => break other.unwrap(),
        }
    }
    told(&out)
}

pub(crate) fn told(out: &[u8]) -> Value {
    serde_json::from_slice(out).unwrap()
}

#[actix_web::test]
async fn a_restored_backup_forgets_nobody_and_brings_nobody_back() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let config = config(folder);
    let app = open(&config).await;
    let mut guests = Vec::new();
    for number in 0..GUESTS {
        guests.push(person(&app, number).await);
    }
    mirrored(&app, &folder.join("old-log")).await;
    let arguments = backing_up(folder);
    let mut out = Vec::new();
    backup::run(&arguments, &config, &mut out).await.unwrap();
    assert!(told(&out)["values"].as_u64().unwrap() > 0);
    assert!(
        fs::read(folder.join("b1"))
            .unwrap()
            .starts_with(b"age-encryption.org/v1")
    );

    for guest in &guests[..ERASED] {
        erase(&app, guest).await;
    }
    mirrored(&app, &folder.join("log")).await;
    // Whoever serves it would go on writing to what was put aside.
    let refused = restore::run(&restoring(folder, Some("log"), false), &config, &mut Vec::new()).await;
    assert!(matches!(refused, Err(CopyError::InUse(_))), "{refused:?}");
    assert_eq!(person(&app, ERASED).await, guests[ERASED], "nothing was changed");
    mirrored(&app, &folder.join("log")).await;
    app.app.close().await;
    drop(app);
    // It is not for `backup` to replace anything.
    let refused = backup::run(&arguments, &config, &mut Vec::new())
        .await
        .err()
        .unwrap();
    assert!(!refused.to_string().contains("--replace"), "{refused}");

    // Without the log nobody knows what was erased since.
    let without = async || restore::run(&restoring(folder, None, false), &config, &mut Vec::new()).await;
    let mut refused = without().await;
    while matches!(refused, Err(CopyError::InUse(_))) {
        // Its last connections end with the tasks that keep them.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        refused = without().await;
    }
    assert!(matches!(refused, Err(CopyError::NoLog)), "{refused:?}");
    // A log that is older than the backup is none either.
    let refused = restore::run(
        &restoring(folder, Some("old-log"), false),
        &config,
        &mut Vec::new(),
    )
    .await;
    assert!(matches!(refused, Err(CopyError::CatchUp(_))), "{refused:?}");

    let mut out = Vec::new();
    restore::run(&restoring(folder, Some("log"), true), &config, &mut out)
        .await
        .unwrap();
    assert_eq!(told(&out)["replayed"]["guests"], ERASED);
    let mut out = Vec::new();
    restore::run(&restoring(folder, Some("log"), false), &config, &mut out)
        .await
        .unwrap();
    let report = told(&out);
    assert_eq!(
        report["replayed"],
        json!({"erasures": ERASED, "guests": ERASED, "left": 0, "others": GUESTS - ERASED, "parted": 0, "undecided": 0,
               "registers_lost": 0, "restricted": 0, "refusals": 0, "restrictions": 0, "holds": 0, "suppressed": 0})
    );

    // What was there is kept, also what an earlier restore kept.
    let kept = |name: &str| config.data_dir.join(name);
    let first = fs::read(kept("vault.db.replaced")).unwrap();
    let mut out = Vec::new();
    restore::run(&restoring(folder, Some("log"), false), &config, &mut out)
        .await
        .unwrap();
    assert_eq!(
        told(&out)["kept"],
        json!([kept("keys.db.replaced.1"), kept("vault.db.replaced.1")])
    );
    assert_eq!(fs::read(kept("vault.db.replaced")).unwrap(), first);

    let app = open(&config).await;
    let desk = app.errand("crm", "loyalty").await;
    for (number, guest) in guests.iter().enumerate() {
        let read = app.get(&desk, &format!("/v1/guests/{guest}")).await;
        let expected = if number < ERASED { 410 } else { 200 };
        assert_eq!(read.status, expected, "{read:?}");
    }
    // The log goes on where the mirror is: nothing was rolled back.
    mirrored(&app, &folder.join("log")).await;
    app.app.close().await;
}

#[actix_web::test]
async fn what_was_left_of_a_backup_is_removed_and_in_nobodys_way() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let config = config(folder);
    let app = open(&config).await;
    person(&app, 1).await;
    let out = folder.join("backups");
    let left = out.join(format!(".backup-{}", uuid::Uuid::new_v4().simple()));
    fs::create_dir_all(&left).unwrap();
    fs::set_permissions(&left, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(left.join("keys.db"), "of somebody who is erased later").unwrap();
    let others = ["vault.2026.check", "vault.2026.partial", "vault.2026.whole"];
    for other in others {
        fs::write(out.join(other), "somebody's").unwrap();
    }
    for day in ["vault.2026.11", "vault.2026.12"] {
        let arguments = backup::Backup {
            out: out.join(day),
            recipient: vec![Identity::random().recipient().to_string()],
            json: true,
        };
        backup::run(&arguments, &config, &mut Vec::new()).await.unwrap();
    }
    let mut names: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !others.contains(&name.as_str()))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "vault.2026.11",
            "vault.2026.11.keys",
            "vault.2026.12",
            "vault.2026.12.keys"
        ]
    );
    app.finish().await;
}

#[actix_web::test]
async fn who_was_erased_in_part_stays_out_of_sight_after_a_restore() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let config = config(folder);
    let app = open(&config).await;
    let one = app.guest("web/1", rocha(1_234_567)).await;
    let other = app.guest("web/2", rocha(7_654_321)).await;
    let held = app.guest("web/3", rocha(2_345_678)).await;
    let arguments = backing_up(folder);
    backup::run(&arguments, &config, &mut Vec::new()).await.unwrap();
    let merged = merge(&app, &one, &other, "?force=true").await;
    assert_eq!(merged.status, 201, "{merged:?}");
    assert_eq!(hold(&app, &one, json!(["identity"])).await.status, 201);
    assert_eq!(hold(&app, &held, json!([])).await.status, 201);
    for guest in [&one, &held] {
        let (case, preview) = asked(&app, guest).await;
        let part = approve(&app, &case, &preview, "o-2").await;
        assert_eq!(part.body["state"], "waiting", "{part:?}");
    }
    mirrored(&app, &folder.join("log")).await;
    app.app.close().await;
    drop(app);
    let report = restored(folder, &config).await;
    let app = open(&config).await;
    let desk = app.errand("crm", "loyalty").await;
    for guest in [&one, &other, &held] {
        let read = app.get(&desk, &format!("/v1/guests/{guest}")).await;
        assert_eq!((read.status, read.problem()), (403, "restricted"), "{read:?}");
    }
    let lawful = app
        .errand("compliance_officer", "legal_retention")
        .await
        .at("GROUP");
    for (guest, number) in [(&one, 1_234_567), (&other, 7_654_321)] {
        let read = app.get(&lawful, &format!("/v1/guests/{guest}")).await;
        assert_eq!(*read.value("name.surname"), surname(number), "{read:?}");
        assert!(read.body["fields"].get("emails").is_none(), "{read:?}");
    }
    assert_eq!(
        report["replayed"],
        json!({"erasures": 2, "guests": 2, "left": 0, "others": 1, "parted": 0, "undecided": 0,
               "registers_lost": 0, "restricted": 3, "refusals": 0, "restrictions": 0, "holds": 3, "suppressed": 0})
    );
    app.app.close().await;
}

/// A database that goes back must not take a guest's word back.
#[actix_web::test]
async fn what_protects_a_guest_holds_again_after_a_restore() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let config = config(folder);
    let app = open(&config).await;
    let mut guests = Vec::new();
    for number in 0..9 {
        guests.push(person(&app, number).await);
    }
    let [no, limited, ended, held, let_go, other, first, second, third] = guests.as_slice() else {
        panic!("nine")
    };
    // One after the other in the copy, and parted after it was made.
    let inner = merge(&app, second, third, "?force=true").await;
    let outer = merge(&app, first, second, "?force=true").await;
    let crm = app.errand("crm", "marketing_direct").await.at("GROUP");
    let say = async |app: &TestApp, guest: &str, state: &str| {
        let said = json!({"purpose": "survey", "state": state, "channel": "front_desk"});
        let path = format!("/v1/guests/{guest}/consents");
        let answer = app.post(&crm, &path, said).await;
        assert!(answer.status < 300, "{answer:?}");
    };
    let standing = async |app: &TestApp, guest: &str| {
        let told = app.get(&crm, &format!("/v1/guests/{guest}/consents")).await;
        assert_eq!(told.status, 200, "{told:?}");
        let all = told.body["standing"].as_array().unwrap().clone();
        let of = all.iter().find(|one| one["purpose"] == "survey");
        of.map_or(Value::Null, |one| one["state"].clone())
    };
    let holds = async |app: &TestApp, guest: &str| {
        let path = format!("/v1/guests/{guest}/holds");
        app.get(&officer(app, "o-9").await, &path).await.body
    };
    let arguments = backing_up(folder);
    backup::run(&arguments, &config, &mut Vec::new()).await.unwrap();
    say(&app, no, "objected").await;
    say(&app, other, "objected").await;
    for merged in [outer, inner] {
        assert_eq!(undo(&app, &merged).await.status, 200, "{merged:?}");
    }
    say(&app, third, "objected").await;
    approved(&app, limited, "restriction").await;
    let case = approved(&app, ended, "restriction").await;
    let end = json!({"guest_told_on": "2026-03-01"});
    let lifted = app
        .post(&officer(&app, "o-3").await, &format!("{case}/lift"), end)
        .await;
    assert_eq!(lifted.status, 200, "{lifted:?}");
    for guest in [held, let_go] {
        assert_eq!(hold(&app, guest, json!(["identity"])).await.status, 201);
    }
    let id = holds(&app, let_go).await["holds"][0]["hold_id"].clone();
    let path = format!("/v1/guests/{let_go}/holds/{}", id.as_str().unwrap());
    let gone = app
        .send(TestApp::request(
            &officer(&app, "o-2").await,
            Method::DELETE,
            &path,
        ))
        .await;
    assert!(gone.status < 300, "{gone:?}");
    mirrored(&app, &folder.join("log")).await;
    app.app.close().await;
    drop(app);

    let report = restored(folder, &config).await;
    assert_eq!(
        report["replayed"],
        json!({"erasures": 0, "guests": 0, "left": 0, "others": 9, "parted": 0, "undecided": 0,
               "registers_lost": 0, "restricted": 0, "refusals": 3, "restrictions": 1, "holds": 1, "suppressed": 0})
    );
    let app = open(&config).await;
    for guest in [no, other, first] {
        assert_eq!(standing(&app, guest).await, "objected");
    }
    assert!(restricted(&app, limited).await);
    assert!(!restricted(&app, ended).await);
    let again = holds(&app, held).await;
    assert_eq!(again["holds"].as_array().unwrap().len(), 1, "{again}");
    assert_eq!(again["holds"][0]["categories"], json!([]), "{again}");
    assert_eq!(holds(&app, let_go).await["holds"], json!([]));
    // Whoever takes it over ends it: nothing is stuck.
    let id = again["holds"][0]["hold_id"].as_str().unwrap();
    let path = format!("/v1/guests/{held}/holds/{id}");
    let gone = app
        .send(TestApp::request(
            &officer(&app, "o-2").await,
            Method::DELETE,
            &path,
        ))
        .await;
    assert!(gone.status < 300, "{gone:?}");
    let case = approved(&app, limited, "restriction").await;
    let end = json!({"guest_told_on": "2026-03-01"});
    let lifted = app
        .post(&officer(&app, "o-3").await, &format!("{case}/lift"), end)
        .await;
    assert_eq!(lifted.status, 200, "{lifted:?}");
    assert!(!restricted(&app, limited).await);
    app.finish().await;
}

#[actix_web::test]
async fn no_vault_is_begun_over_the_keys_of_another() {
    let folder = TempDir::new().unwrap();
    let config = config(folder.path());
    let app = open(&config).await;
    person(&app, 1).await;
    app.app.close().await;
    fs::remove_file(config.data_dir.join("vault.db")).unwrap();
    let told = App::open(&config, Clock::system())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(told.contains("holds keys of guests"), "{told}");
}

#[actix_web::test]
async fn a_copy_that_was_not_held_against_the_log_serves_nobody() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let config = config(folder);
    let app = open(&config).await;
    person(&app, 1).await;
    let mut tx = app.app.vault.store.begin().await.unwrap();
    tx.quarantine(1, 0).await.unwrap();
    tx.commit().await.unwrap();
    mirrored(&app, &folder.join("log")).await;
    app.app.close().await;
    let refused = App::open(&config, Clock::system())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains("restore --in-place"), "{refused}");
    let arguments = restore::Restore {
        from: None,
        keys: None,
        identity: None,
        log: Some(folder.join("log")),
        drill: false,
        replace: false,
        in_place: true,
        json: true,
    };
    restore::run(&arguments, &config, &mut Vec::new()).await.unwrap();
    let app = open(&config).await;
    // Once more: what goes on beyond the folder is not held back, whatever the answer.
    app.app.settle_log().await;
    app.app.close().await;
    let again = restore::run(&arguments, &config, &mut Vec::new()).await;
    assert!(
        matches!(again, Err(CopyError::CatchUp(CatchUpError::Older { .. }))),
        "{again:?}"
    );
    let app = open(&config).await;
    // A run that was cut off late has written to the log already: the next one goes on from there.
    let mut tx = app.app.vault.store.begin().await.unwrap();
    tx.quarantine(1, 1).await.unwrap();
    tx.commit().await.unwrap();
    app.app.close().await;
    restore::run(&arguments, &config, &mut Vec::new()).await.unwrap();
    open(&config).await.app.close().await;
}

/// A tool of PostgreSQL, wherever this machine keeps it.
pub(crate) fn tool(name: &str, arguments: &[&str]) {
    let ran = std::process::Command::new(name)
        .args(arguments)
        .env("PATH", path_with_postgres().expect("PostgreSQL's tools"))
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[test]
fn a_dump_of_postgresql_brings_nobody_back() {
    on_postgres(async |database| {
        let folder = database.dir();
        let mut config = config(folder);
        config.database.url = Some(database.data_url().into());
        config.keys.url = Some(database.keys_url().into());
        fs::create_dir_all(folder.join("vault")).unwrap();
        let app = open(&config).await;
        let mut guests = Vec::new();
        for number in 0..GUESTS {
            guests.push(person(&app, number).await);
        }
        let dump = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let stores = [
            (database.data_url(), dump("data.dump")),
            (database.keys_url(), dump("keys.dump")),
        ];
        for (url, file) in &stores {
            tool("pg_dump", &["--format=custom", "--file", file, url]);
        }
        for guest in &guests[..ERASED] {
            erase(&app, guest).await;
        }
        mirrored(&app, &folder.join("log")).await;
        let listening = app.role("integration").await;
        let heard = app.get(&listening, "/v1/events?after=0&limit=200").await;
        let heard = heard.body["next_after"].as_str().unwrap().to_owned();
        app.app.close().await;

        for (url, file) in &stores {
            tool(
                "pg_restore",
                &[
                    "--clean",
                    "--if-exists",
                    "--single-transaction",
                    "--dbname",
                    url,
                    file,
                ],
            );
        }
        // Without the log nobody knows what was erased since.
        let mut arguments = restore::Restore {
            from: None,
            keys: None,
            identity: None,
            log: None,
            drill: false,
            replace: false,
            in_place: true,
            json: true,
        };
        let refused = restore::run(&arguments, &config, &mut Vec::new()).await;
        assert!(matches!(refused, Err(CopyError::NoLog)), "{refused:?}");
        arguments.log = Some(folder.join("log"));
        let mut out = Vec::new();
        restore::run(&arguments, &config, &mut out).await.unwrap();
        assert_eq!(
            told(&out)["replayed"],
            json!({"erasures": ERASED, "guests": ERASED, "left": 0, "others": GUESTS - ERASED, "parted": 0, "undecided": 0,
               "registers_lost": 0, "restricted": 0, "refusals": 0, "restrictions": 0, "holds": 0, "suppressed": 0})
        );
        let app = open(&config).await;
        let desk = app.errand("crm", "loyalty").await;
        for (number, guest) in guests.iter().enumerate() {
            let read = app.get(&desk, &format!("/v1/guests/{guest}")).await;
            let expected = if number < ERASED { 410 } else { 200 };
            assert_eq!(read.status, expected, "{read:?}");
        }
        // What a listener heard last was of a history that is lost: its number is never another event's.
        person(&app, GUESTS).await;
        let told = app.get(&listening, &format!("/v1/events?after={heard}")).await;
        assert_eq!((told.status, told.problem()), (410, "gone"), "{told:?}");
        app.app.close().await;
    });
}
