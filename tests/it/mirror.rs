//! The mirrored log: verified by us and by Go's packages, with anything changed, and against a database that went
//! back in time.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::Months;
use guest_vault::{
    access::operator,
    audit::{
        Act, Event, Subject,
        tlog::{
            Step, Stored,
            ageing::{Ageing, Retention},
            leaf_hash,
            mirror::Mirror,
            note::{Checkpoint, Verifier},
            patrol::Patrol,
            proof::verify_inclusion,
            receipt,
            tile::{bundle, unbundle},
            verify::{Expected, Report, Source, VerifyError, verify},
        },
    },
    base::{GuestId, RequestId},
    on,
    store::Store,
};
use sqlx::AssertSqlSafe;

use crate::support::{
    app::TestApp,
    database::{Database, both, on_sqlite},
};

/// So many events about a few subjects, logged.
pub(crate) async fn logged(app: &TestApp, count: u8) -> Stored {
    let by = operator().unwrap();
    for n in 0..count {
        let mut event = Event::by(&by, Act::Read, RequestId::random(), app.clock.now());
        event.subject = (n % 3 > 0).then_some(Subject {
            guest: GuestId::random(),
            pseudonym: Some([n % 7; 16]),
        });
        app.app.vault.log.record(event, ()).await.unwrap();
    }
    while matches!(app.app.sequencer.step().await.unwrap(), Step::Grown(_)) {}
    Stored::new(app.app.vault.store.clone())
}

pub(crate) fn verifier(app: &TestApp) -> Verifier {
    app.app.sequencer.signer().verifier().clone()
}

pub(crate) async fn folder(
    dir: &Path,
    verifier: &Verifier,
    since: Option<Checkpoint>,
) -> Result<Report, VerifyError> {
    verify(&Source::Folder(dir.to_owned()), verifier, since, |_, _| ()).await
}

pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

async fn a_mirror_follows_and_verifies(database: &Database) {
    let app = TestApp::start(database).await;
    let (dir, verifier) = (database.dir().join("mirror"), verifier(&app));
    let mirror = Mirror::new(dir.clone(), verifier.clone());
    let mut older = Vec::new();
    for count in [3, 250, 3, 250, 250] {
        let log = logged(&app, count).await;
        let size = mirror.update(&log).await.unwrap();
        assert_eq!(mirror.update(&log).await.unwrap(), size, "nothing new");
        older.push(verifier.open(&fs::read(dir.join("checkpoint")).unwrap()).unwrap());
        for since in &older {
            let report = folder(&dir, &verifier, Some(*since)).await.unwrap();
            assert!(report.is_good() && report.size == size, "{report:?}");
        }
        let whole = verify(&Source::Database(log), &verifier, None, |_, _| ())
            .await
            .unwrap();
        assert!(whole.is_good(), "{whole:?}");
    }
    let names: Vec<String> = files(&dir)
        .iter()
        .map(|path| path.strip_prefix(&dir).unwrap().display().to_string())
        .collect();
    let width = older.last().unwrap().size - 512;
    let partial = |kind: &str| format!("tile/{kind}/002.p/{width}");
    let expected = [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        &partial("0"),
        "tile/1/000.p/1",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        &partial("entries"),
    ];
    assert_eq!(
        names, expected,
        "partial tiles are there until the full one is: checkpoints of then need them"
    );
    app.finish().await;
}
both!(follows, async |database| a_mirror_follows_and_verifies(database)
    .await);

pub(crate) async fn run(store: &Store, sql: &str) {
    let mut tx = store.begin().await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    on!(&mut tx, c => sqlx::query(sql).execute(c).await.map(drop).unwrap());
    tx.commit().await.unwrap();
}

async fn what_is_done_by_hand_is_named(database: &Database) {
    let app = TestApp::start(database).await;
    logged(&app, 90).await;
    let store = app.app.vault.store.clone();
    let check = async || {
        let source = Source::Database(Stored::new(store.clone()));
        verify(&source, &verifier(&app), None, |_, _| ()).await.unwrap()
    };
    let size = check().await.size;
    // Removed before it had an index: the writer's numbers show it.
    let by = operator().unwrap();
    for _ in 0..3 {
        let event = Event::by(&by, Act::Read, RequestId::random(), app.clock.now());
        app.app.vault.log.record(event, ()).await.unwrap();
    }
    // One that has no index yet and is not the last of its writer; two writers share three events, so there is one.
    run(
        &store,
        "DELETE FROM audit_event WHERE entry_id = (
             SELECT e.entry_id FROM audit_event e
             WHERE NOT EXISTS (SELECT 1 FROM log_entry l WHERE l.entry_id = e.entry_id)
               AND EXISTS (SELECT 1 FROM audit_event n WHERE n.writer = e.writer AND n.writer_seq > e.writer_seq)
             ORDER BY e.entry_id LIMIT 1)",
    )
    .await;
    app.app.sequencer.step().await.unwrap();
    let report = check().await;
    assert!(report.intact && !report.complete && report.chained, "{report:?}");
    // Which of the three it was depends on how many writers shared them.
    assert!(report.first_bad_index.is_some_and(|at| at >= size), "{report:?}");
    assert!(report.findings[0].what.contains("missing before"), "{report:?}");
    // Removed after: the tree shows it.
    run(
        &store,
        "DELETE FROM audit_event WHERE entry_id = (SELECT entry_id FROM log_entry WHERE log_index = 40)",
    )
    .await;
    let report = check().await;
    assert!(!report.intact, "{report:?}");
    assert_eq!(report.first_bad_index, Some(40));
    // Two events change places.
    run(&store, "UPDATE log_entry SET log_index = -1 WHERE log_index = 12").await;
    run(&store, "UPDATE log_entry SET log_index = 12 WHERE log_index = 13").await;
    run(&store, "UPDATE log_entry SET log_index = 13 WHERE log_index = -1").await;
    assert_eq!(check().await.first_bad_index, Some(12));
    // The end of a subject's chain is changed: what is logged next does not fit to it.
    run(&store, "UPDATE log_entry SET log_index = -1 WHERE log_index = 12").await;
    run(&store, "UPDATE log_entry SET log_index = 12 WHERE log_index = 13").await;
    run(&store, "UPDATE log_entry SET log_index = 13 WHERE log_index = -1").await;
    run(&store, "UPDATE log_subject SET seq = seq - 1").await;
    logged(&app, 20).await;
    let report = check().await;
    assert!(!report.chained, "{report:?}");
    app.app.close().await;
}
both!(by_hand, async |database| what_is_done_by_hand_is_named(database)
    .await);

async fn a_database_that_went_back_is_told(database: &Database) {
    let app = TestApp::start(database).await;
    let log = logged(&app, 40).await;
    let (dir, verifier) = (database.dir().join("mirror"), verifier(&app));
    let mirror = Mirror::new(dir.clone(), verifier.clone());
    mirror.update(&log).await.unwrap();
    let early: Vec<(PathBuf, Vec<u8>)> = files(&dir)
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    logged(&app, 40).await;
    let size = mirror.update(&log).await.unwrap();
    let now = verifier.open(&fs::read(dir.join("checkpoint")).unwrap()).unwrap();

    // An older mirror is put back: whoever knows the newer checkpoint sees it.
    let back = database.dir().join("back");
    for (path, bytes) in &early {
        let to = back.join(path.strip_prefix(&dir).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    }
    assert!(folder(&back, &verifier, None).await.unwrap().is_good());
    let report = folder(&back, &verifier, Some(now)).await.unwrap();
    assert_eq!((report.intact, report.consistent), (true, Some(false)));

    // The database is put back to the earlier state, by rows.
    let early = fs::read_to_string(back.join("checkpoint")).unwrap();
    let old = verifier.open(early.as_bytes()).unwrap().size;
    let store = &app.app.vault.store;
    run(
        store,
        &format!("UPDATE log_head SET size = {old}, checkpoint = '{early}'"),
    )
    .await;
    let told = mirror.update(&log).await.unwrap_err();
    assert!(told.is_alarm(), "{told}");
    let told = told.to_string();
    assert!(told.contains(&format!("holds {size} signed entries")), "{told}");

    // A mirror of another log.
    fs::write(dir.join("checkpoint"), early.replace("guest-vault/", "other/")).unwrap();
    let told = mirror.update(&log).await.unwrap_err();
    assert!(
        told.is_alarm() && told.to_string().contains("not of this log"),
        "{told}"
    );
    app.app.close().await;
}
both!(rolled_back, async |database| a_database_that_went_back_is_told(
    database
)
.await);

/// Numbers without end that are the same at each run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// The bytes with one thing changed; `None` removes the file.
fn changed(
    dice: &mut Dice,
    path: &Path,
    bytes: &[u8],
    all: &BTreeMap<PathBuf, Vec<u8>>,
    older: &[u8],
) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let at = dice.below(bytes.len());
    match dice.below(8) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, u8::try_from(dice.below(256)).unwrap()),
        3 => bytes.truncate(at),
        4 if path.ends_with("checkpoint") => bytes = older.to_vec(),
        4 if path.components().any(|part| part.as_os_str() == "entries") => {
            let mut entries: Vec<Vec<u8>> = unbundle(&bytes)
                .unwrap()
                .into_iter()
                .map(<[u8]>::to_vec)
                .collect();
            let (a, b) = (dice.below(entries.len()), dice.below(entries.len()));
            match dice.below(3) {
                0 => entries.swap(a, b),
                1 => drop(entries.remove(a)),
                _ => entries.insert(a, entries[b].clone()),
            }
            bytes = bundle(&entries).unwrap();
        }
        4 => {
            let count = bytes.len() / 32;
            let (a, b) = (dice.below(count) * 32, dice.below(count) * 32);
            let (left, right) = (bytes[a..a + 32].to_vec(), bytes[b..b + 32].to_vec());
            bytes[a..a + 32].copy_from_slice(&right);
            bytes[b..b + 32].copy_from_slice(&left);
        }
        5 => bytes = all.values().nth(dice.below(all.len())).unwrap().clone(),
        6 => bytes.push(0),
        _ => return None,
    }
    Some(bytes)
}

/// Go's verifier, built; `None`, with the reason printed, where Debian's packages are not installed.
fn go(dir: &Path) -> Option<PathBuf> {
    let packages = Path::new("/usr/share/gocode");
    let installed = packages.join("src/golang.org/x/mod/sumdb/tlog").is_dir()
        && Command::new("go").arg("version").output().is_ok();
    if !installed {
        assert!(
            env::var_os("REQUIRE_GO").is_none(),
            "golang-go and golang-golang-x-mod-dev are required"
        );
        eprintln!("skipped: golang-go and golang-golang-x-mod-dev are not installed");
        return None;
    }
    let program = dir.join("verify");
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/go/verify.go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", packages)
        .env("GOCACHE", dir.join("cache"))
        .env("GOFLAGS", "")
        .status()
        .unwrap();
    assert!(built.success(), "Go builds the verifier");
    Some(program)
}

fn go_accepts(program: &Path, dir: &Path, vkey: &str, older: &Path) -> bool {
    let ran = Command::new(program)
        .arg(dir)
        .arg(vkey)
        .arg(older)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(
        said.starts_with("OK ") || said.starts_with("REFUSED "),
        "{said} {ran:?}"
    );
    assert_eq!(ran.status.success(), said.starts_with("OK "));
    ran.status.success()
}

/// A thousand things changed in the published files, one at a time: we refuse each, and so does Go.
#[test]
fn a_thousand_changes_are_a_thousand_refusals() {
    on_sqlite(async |database| {
        let app = TestApp::start(database).await;
        let (dir, verifier) = (database.dir().join("mirror"), verifier(&app));
        let mirror = Mirror::new(dir.clone(), verifier.clone());
        for count in [200, 200, 150] {
            mirror.update(&logged(&app, count).await).await.unwrap();
        }
        let older = fs::read(dir.join("checkpoint")).unwrap();
        // A new one, so that every file is one that its checkpoint needs.
        let dir = database.dir().join("newest-mirror");
        let mirror = Mirror::new(dir.clone(), verifier.clone());
        mirror.update(&logged(&app, 30).await).await.unwrap();
        let newest = database.dir().join("newest");
        fs::copy(dir.join("checkpoint"), &newest).unwrap();
        let since = verifier.open(&fs::read(&newest).unwrap()).unwrap();
        let all: BTreeMap<PathBuf, Vec<u8>> = files(&dir)
            .into_iter()
            .map(|path| (path.clone(), fs::read(&path).unwrap()))
            .collect();
        let go = go(database.dir());
        let vkey = verifier.vkey();
        let go_says = |expected: bool, what: &str| {
            if let Some(go) = &go {
                assert_eq!(go_accepts(go, &dir, &vkey, &newest), expected, "Go: {what}");
            }
        };
        assert!(folder(&dir, &verifier, Some(since)).await.unwrap().is_good());
        go_says(true, "nothing changed");
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        let mut refusals = 0;
        while refusals < 1_000 {
            let (path, bytes) = all.iter().nth(dice.below(all.len())).unwrap();
            let new = changed(&mut dice, path, bytes, &all, &older);
            if new.as_ref() == Some(bytes) {
                continue;
            }
            match &new {
                Some(new) => fs::write(path, new).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
            let report = folder(&dir, &verifier, Some(since)).await;
            let what = format!(
                "{} of {} bytes now {:?}",
                path.display(),
                bytes.len(),
                new.map(|n| n.len())
            );
            assert!(!report.is_ok_and(|report| report.is_good()), "{what}");
            go_says(false, &what);
            fs::write(path, bytes).unwrap();
            refusals += 1;
        }
        // An entry and its hash, changed so that they fit to each other: only the root tells.
        for (tile, bundle_path) in [
            ("tile/0/000", "tile/entries/000"),
            ("tile/0/001", "tile/entries/001"),
        ] {
            let (tile, bundle_path) = (dir.join(tile), dir.join(bundle_path));
            let mut entries: Vec<Vec<u8>> = unbundle(&all[&bundle_path])
                .unwrap()
                .into_iter()
                .map(<[u8]>::to_vec)
                .collect();
            for at in [0, 100, 255] {
                entries[at].push(b' ');
            }
            let hashes: Vec<u8> = entries.iter().flat_map(|entry| leaf_hash(entry)).collect();
            fs::write(&tile, hashes).unwrap();
            fs::write(&bundle_path, bundle(&entries).unwrap()).unwrap();
            let what = format!("{} and its entries", tile.display());
            let report = folder(&dir, &verifier, Some(since)).await;
            assert!(!report.is_ok_and(|report| report.is_good()), "{what}");
            go_says(false, &what);
            fs::write(&tile, &all[&tile]).unwrap();
            fs::write(&bundle_path, &all[&bundle_path]).unwrap();
        }
        assert!(
            folder(&dir, &verifier, Some(since)).await.unwrap().is_good(),
            "no false alarm"
        );
        go_says(true, "all put back");
        app.finish().await;
    });
}

/// Receipts prove offline, to us and to Go, and nothing else does.
#[test]
fn receipts_are_checked_by_another_program() {
    on_sqlite(async |database| {
        let app = TestApp::start(database).await;
        logged(&app, 250).await;
        let log = logged(&app, 90).await;
        let (go, vkey) = (go(database.dir()), verifier(&app).vkey());
        let (receipt, entry) = (
            database.dir().join("1.tlog-proof"),
            database.dir().join("entry.json"),
        );
        let go_says = |expected: bool, what: &str| {
            let Some(go) = &go else { return };
            let ran = Command::new(go)
                .arg("receipt")
                .args([&receipt, &entry])
                .arg(&vkey)
                .output()
                .unwrap();
            assert_eq!(ran.status.success(), expected, "{what}: {ran:?}");
        };
        let place = guest_vault::audit::tlog::tile::Place::parse("entries/000").unwrap();
        let bundle = log.at(place).await.unwrap().unwrap();
        let entries = unbundle(&bundle).unwrap();
        for index in [0, 1, 127, 128, 255] {
            let text = log.receipt(index).await.unwrap();
            let right = entries[usize::try_from(index).unwrap()];
            fs::write(&receipt, &text).unwrap();
            fs::write(&entry, right).unwrap();
            assert!(receipt::verify(&text, right, &verifier(&app)).is_some());
            go_says(true, "as it is");
            let mut wrong = right.to_vec();
            wrong[60] ^= 1;
            fs::write(&entry, &wrong).unwrap();
            go_says(false, "another entry");
            fs::write(&entry, right).unwrap();
            let another = text.replace(&format!("index {index}\n"), &format!("index {}\n", index + 1));
            fs::write(&receipt, &another).unwrap();
            assert!(receipt::verify(&another, right, &verifier(&app)).is_none());
            go_says(false, "another index");
            let lines: Vec<&str> = text.lines().collect();
            let short = [&lines[..2], &lines[3..]].concat().join("\n") + "\n";
            fs::write(&receipt, &short).unwrap();
            assert!(receipt::verify(&short, right, &verifier(&app)).is_none());
            go_says(false, "a hash less");
        }
        app.finish().await;
    });
}

pub(crate) fn day(day: &str) -> chrono::DateTime<chrono::Utc> {
    format!("{day}T00:00:00Z").parse().unwrap()
}

/// What is older than the retention goes; what is left verifies, for us and for Go, and every proof still holds.
async fn a_log_may_age(database: &Database) {
    let app = TestApp::start(database).await;
    let (dir, verifier) = (database.dir().join("mirror"), verifier(&app));
    let mirror = Mirror::new(dir.clone(), verifier.clone());
    for _ in 0..3 {
        mirror.update(&logged(&app, 250).await).await.unwrap();
    }
    let older = database.dir().join("older");
    fs::copy(dir.join("checkpoint"), &older).unwrap();
    let since = verifier.open(&fs::read(&older).unwrap()).unwrap();
    assert!(since.size >= 750);
    app.set_clock("2026-04-05T10:00:00Z");
    let kept = Retention::new(app.clock.clone(), 26, Months::new(36));
    let log = logged(&app, 100).await.ageing(Ageing::After(kept));
    assert_eq!(
        log.prune(day("2026-03-01"), day("2026-01-01")).await.unwrap(),
        0,
        "nothing is so old"
    );
    assert_eq!(
        log.prune(day("2026-03-10"), day("2026-01-01")).await.unwrap(),
        512
    );
    assert_eq!(
        log.prune(day("2026-03-10"), day("2026-01-01")).await.unwrap(),
        512,
        "once"
    );
    // What is deletable beside a leaf goes without a trace in the log, too.
    let store = app.app.vault.store.clone();
    run(&store, "UPDATE audit_event SET guest_id = NULL, detail = NULL").await;
    mirror.update(&log).await.unwrap();
    logged(&app, 10).await;
    mirror.update(&log).await.unwrap();

    for source in [Source::Folder(dir.clone()), Source::Database(log.clone())] {
        let report = verify(&source, &verifier, Some(since), |_, _| ()).await.unwrap();
        assert!(report.is_good() && report.begins_at == 512, "{report:?}");
        // Who knows that nothing may be missing says so.
        let expected = Expected {
            whole: true,
            ..Expected::default()
        };
        let report = verify(&source, &verifier, expected, |_, _| ()).await.unwrap();
        assert!(report.intact && !report.is_good(), "{report:?}");
    }
    let mut patrol = Patrol::new(log.clone(), verifier.clone());
    for _ in 0..3 {
        assert_eq!(patrol.step().await.unwrap(), None);
    }
    let names: Vec<String> = files(&dir.join("tile/entries"))
        .iter()
        .map(|f| f.display().to_string())
        .collect();
    assert!(
        !names
            .iter()
            .any(|name| name.ends_with("/000") || name.ends_with("/001")),
        "{names:?}"
    );
    assert!(names.iter().any(|name| name.ends_with("/002")), "{names:?}");
    if let Some(go) = go(database.dir()) {
        assert!(go_accepts(&go, &dir, &verifier.vkey(), &older));
    }
    let size = log.checkpoint().await.unwrap().unwrap().0;
    let (leaf, proof) = log.inclusion(3, size).await.unwrap();
    let root = log.root_at(size).await.unwrap();
    assert!(
        verify_inclusion(3, size, &leaf, &proof, &root),
        "of a pruned entry too"
    );
    let auditor = app.errand("auditor", "internal_audit").await;
    let gone = app.get(&auditor, "/v1/audit/log/tile/entries/001").await;
    let there = app.get(&auditor, "/v1/audit/log/tile/entries/002").await;
    assert_eq!((gone.status, there.status), (404, 200));
    let minimum = app.get(&auditor, "/v1/audit/log/minimum").await;
    assert_eq!(minimum.bytes, b"512\n");

    // A hole after the beginning is not ageing.
    run(
        &store,
        "DELETE FROM audit_event WHERE entry_id = (SELECT entry_id FROM log_entry WHERE log_index = 600)",
    )
    .await;
    let report = verify(&Source::Database(log.clone()), &verifier, None, |_, _| ())
        .await
        .unwrap();
    assert_eq!(
        (report.intact, report.first_bad_index),
        (false, Some(600)),
        "{report:?}"
    );
    app.app.close().await;
}
both!(ages, async |database| a_log_may_age(database).await);
