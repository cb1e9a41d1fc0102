//! The mirror when the database or the disk is not as it should be.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::Months;
use guest_vault::audit::{
    Observer,
    tlog::{
        Step, Stored,
        ageing::{Ageing, Retention},
        catch_up::catch_up,
        mirror::Mirror,
        patrol::Patrol,
        tile::Place,
        verify::{Source, verify},
    },
};

use crate::{
    mirror::{files, folder, logged, run, verifier},
    support::{
        app::TestApp,
        database::{Database, both},
        process::Process,
    },
    tlog::look,
};

fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    files(dir).into_iter().map(read).collect()
}

async fn cut_off_by_hand(database: &Database) {
    let app = TestApp::start(database).await;
    let (dir, verifier) = (database.dir().join("mirror"), verifier(&app));
    let mirror = Mirror::new(dir.clone(), verifier.clone());
    for _ in 0..3 {
        logged(&app, 250).await;
    }
    let log = Stored::new(app.app.vault.store.clone());
    let never = log.clone().ageing(Ageing::Never);
    mirror.update(&never).await.unwrap();
    let first = dir.join("tile/entries/000");
    let store = app.app.vault.store.clone();
    run(&store, "UPDATE log_head SET first_index = 256").await;
    run(
        &store,
        "DELETE FROM audit_event WHERE entry_id IN (SELECT entry_id FROM log_entry WHERE log_index < 256)",
    )
    .await;
    run(&store, "DELETE FROM log_entry WHERE log_index < 256").await;

    let told = async |log: &Stored, what: &str| {
        let error = mirror.update(log).await.unwrap_err();
        assert!(error.is_altered() && !error.is_alarm(), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    };
    let found = async |log: &Stored| {
        let report = verify(&Source::Database(log.clone()), &verifier, None, |_, _| ())
            .await
            .unwrap();
        let found = Patrol::new(log.clone(), verifier.clone()).step().await.unwrap();
        assert_eq!(report.is_good(), found.is_none(), "{report:?} {found:?}");
        found
    };
    told(&never, "no retention").await;
    assert!(found(&never).await.unwrap().what.contains("begins at entry 256"));
    // The mirror follows all the same, and keeps what it has.
    let size = logged(&app, 10).await.checkpoint().await.unwrap().unwrap().0;
    told(&never, "no retention").await;
    let report = folder(&dir, &verifier, None).await.unwrap();
    assert!(
        report.is_good() && report.size == size && report.begins_at == 0,
        "{report:?}"
    );

    // With a retention: what is younger stays too.
    let days = |days| Ageing::After(Retention::new(app.clock.clone(), days, Months::new(36)));
    told(&log.clone().ageing(days(30)), "entry 0, which is too young").await;
    assert!(first.exists());

    // No bundle ends there, so nothing may be missing.
    run(&store, "UPDATE log_head SET first_index = 300").await;
    told(&log.clone().ageing(days(30)), "can begin").await;
    assert!(found(&log).await.is_some());
    run(&store, "UPDATE log_head SET first_index = 1000000").await;
    told(&log, "can begin").await;
    let size = logged(&app, 250).await.checkpoint().await.unwrap().unwrap().0;
    told(&log, "can begin").await;
    let report = folder(&dir, &verifier, None).await.unwrap();
    assert!(report.is_good() && report.size == size, "{report:?}");

    // And what is old enough goes.
    run(&store, "UPDATE log_head SET first_index = 256").await;
    app.set_clock("2026-04-05T10:00:00Z");
    let log = log.ageing(days(26));
    mirror.update(&log).await.unwrap();
    assert!(!first.exists());
    assert_eq!(folder(&dir, &verifier, None).await.unwrap().begins_at, 256);
    assert_eq!(found(&log).await, None);
    app.app.close().await;
}
both!(cut_off, async |database| cut_off_by_hand(database).await);

async fn what_is_missing_is_written(database: &Database) {
    let app = TestApp::start(database).await;
    let (dir, verifier) = (database.dir().join("mirror"), verifier(&app));
    for _ in 0..3 {
        logged(&app, 250).await;
    }
    let log = Stored::new(app.app.vault.store.clone());
    let update = async || Mirror::new(dir.clone(), verifier.clone()).update(&log).await;
    let size = update().await.unwrap();
    let whole = contents(&dir);
    fs::remove_file(dir.join("tile/entries/000")).unwrap();
    fs::write(dir.join("tile/0/001"), b"").unwrap();
    fs::write(dir.join("tile/1/000.p/2"), [7; 64]).unwrap();
    let edge = dir.join(format!("tile/entries/002.p/{}", size - 512));
    fs::write(&edge, &fs::read(&edge).unwrap()[..700]).unwrap();
    update().await.unwrap();
    assert!(contents(&dir) == whole, "each file is as it was");

    // From a database that is not what was signed nothing is taken.
    fs::remove_file(dir.join("tile/entries/000")).unwrap();
    let store = app.app.vault.store.clone();
    run(&store, "UPDATE audit_event SET writer_seq = writer_seq + 100000 WHERE entry_id = (SELECT entry_id FROM log_entry WHERE log_index = 9)").await;
    let told = update().await.unwrap_err();
    assert!(
        told.is_altered() && told.to_string().contains("entry 9"),
        "{told}"
    );
    assert!(!dir.join("tile/entries/000").exists());

    // Tiles changed by hand are no database that went back: the vault goes on.
    let zeros = if store.name() == "sqlite" {
        "zeroblob(8192)"
    } else {
        "decode(repeat('00', 8192), 'hex')"
    };
    let edge = format!("UPDATE log_tile SET hashes = {zeros} WHERE level = 0 AND tile = 2");
    run(&store, &edge).await;
    let told = update().await.unwrap_err();
    assert!(told.is_altered() && !told.is_alarm(), "{told}");
    app.app.close().await;
}
both!(missing, async |database| what_is_missing_is_written(database)
    .await);

/// What was logged as unreadable is put back as that.
async fn a_damaged_event_does_not_stop_a_restore(database: &Database) {
    let app = TestApp::start(database).await;
    let (dir, verifier) = (database.dir().join("mirror"), verifier(&app));
    let log = logged(&app, 20).await;
    let (size, old) = log.checkpoint().await.unwrap().unwrap();
    let store = app.app.vault.store.clone();
    look(&app, 3).await;
    let brace = if store.name() == "sqlite" {
        "x'7b'"
    } else {
        "'\\x7b'"
    };
    let newest = "(SELECT entry_id FROM audit_event WHERE entry_id NOT IN (SELECT entry_id FROM log_entry)
                   ORDER BY entry_id DESC LIMIT 1)";
    run(
        &store,
        &format!("UPDATE audit_event SET leaf = {brace} WHERE entry_id = {newest}"),
    )
    .await;
    while matches!(app.app.sequencer.step().await.unwrap(), Step::Grown(_)) {}
    let grown = Mirror::new(dir.clone(), verifier.clone())
        .update(&log)
        .await
        .unwrap();
    for sql in [
        format!(
            "DELETE FROM audit_event WHERE entry_id IN (SELECT entry_id FROM log_entry WHERE log_index >= {size})"
        ),
        format!("DELETE FROM log_entry WHERE log_index >= {size}"),
        format!("UPDATE log_head SET size = {size}, checkpoint = '{old}'"),
    ] {
        run(&store, &sql).await;
    }
    assert_eq!(
        catch_up(&store, &verifier, &dir, size).await.unwrap(),
        (size, grown)
    );
    let path = format!("entries/000.p/{grown}");
    let bundle = log.at(Place::parse(&path).unwrap()).await.unwrap().unwrap();
    assert_eq!(bundle, fs::read(dir.join("tile").join(path)).unwrap());
    assert!(String::from_utf8_lossy(&bundle).contains("unreadable"));
    app.app.close().await;
}
both!(damaged, async |database| a_damaged_event_does_not_stop_a_restore(
    database
)
.await);

/// A vault that was started once, and has some events.
fn started(dir: &Path) {
    let mut process = Process::start(dir, &["serve", "--json", "--port", "0"], &[]);
    process.line(|line| line.starts_with('{'));
    assert!(process.terminate().success());
}

#[test]
fn a_full_disk_leaves_the_mirror_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    started(dir);
    fs::create_dir(dir.join("small")).unwrap();
    let mount = "mount -t tmpfs -o size=64k none small";
    let script = format!(
        "{mount} && {{ yes | head -c 65000 > small/filler || true; }}
         \"$VAULT\" audit mirror small/mirror; echo full $?
         find small/mirror -type f -size 0
         rm small/filler && \"$VAULT\" audit mirror small/mirror; echo free $?
         \"$VAULT\" audit verify --dir small/mirror; echo verified $?"
    );
    let allowed = Command::new("unshare")
        .args(["-Urm", "sh", "-c", mount])
        .current_dir(dir)
        .output();
    if !allowed.is_ok_and(|ran| ran.status.success()) {
        eprintln!("skipped: this machine lets nobody mount a small disk");
        return;
    }
    let ran = Command::new("unshare")
        .args(["-Urm", "sh", "-c", &script])
        .env("VAULT", env!("CARGO_BIN_EXE_guest-vault"))
        .current_dir(dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "full 1", "{ran:?}");
    assert!(!said.contains("small/mirror/"), "no empty file: {said}");
    assert!(said.contains("free 0") && said.contains("verified 0"), "{said}");
}

#[test]
fn a_vault_whose_mirror_cannot_be_written_serves() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    // A file where the folder should be.
    fs::write(dir.join("disk"), "").unwrap();
    let mut process = Process::start(
        dir,
        &["serve", "--json", "--port", "0", "--log-mirror", "disk/mirror"],
        &[],
    );
    process.line(|line| line.starts_with('{'));
    assert!(
        process.stderr().contains("cannot write the mirror"),
        "{}",
        process.stderr()
    );
    fs::remove_file(dir.join("disk")).unwrap();
    let begun = std::time::Instant::now();
    while !dir.join("disk/mirror/checkpoint").exists() {
        assert!(begun.elapsed().as_secs() < 30, "{}", process.stderr());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(process.terminate().success());
}

async fn what_nothing_signs_is_not_believed(database: &Database) {
    let app = TestApp::start(database).await;
    logged(&app, 200).await;
    let log = logged(&app, 200).await.ageing(Ageing::Never);
    let (dir, verifier) = (
        database.dir().join("mirror"),
        app.app.sequencer.signer().verifier().clone(),
    );
    Mirror::new(dir.clone(), verifier.clone())
        .update(&log)
        .await
        .unwrap();
    // The mirror's own word of where it begins.
    fs::write(dir.join("minimum"), "256\n").unwrap();
    fs::remove_file(dir.join("tile/entries/000")).unwrap();
    Mirror::new(dir.clone(), verifier.clone())
        .update(&log)
        .await
        .unwrap();
    assert!(dir.join("tile/entries/000").exists());
    assert_eq!(fs::read_to_string(dir.join("minimum")).unwrap(), "0\n");
    // What witnesses are said to have said.
    run(&app.app.vault.store, "UPDATE log_head SET cosigned = 'junk'").await;
    Mirror::new(dir.clone(), verifier).update(&log).await.unwrap();
    assert!(!dir.join("cosigned").exists());
    let officer = app.errand("auditor", "internal_audit").await;
    assert_eq!(app.get(&officer, "/v1/audit/log/cosigned").await.status, 500);
    // How far the log was looked at.
    let observer = Observer::new(app.app.vault.store.clone());
    run(&app.app.vault.store, "UPDATE log_head SET shown_to = 1000000").await;
    while observer.step().await.unwrap() {}
    let shown = observer.told().await.unwrap();
    let (size, _) = log.checkpoint().await.unwrap().unwrap();
    assert_eq!((shown.entries, shown.whole), (size, true));
    app.app.close().await;
}
both!(unsigned, async |database| what_nothing_signs_is_not_believed(
    database
)
.await);
