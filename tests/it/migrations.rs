//! Migrations: the same on both databases, one statement a file, never edited once landed.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use data_encoding::HEXLOWER;
use guest_vault::store::{Store, StoreError, StoreUrl, Which};

use crate::support::database::{Database, both};

/// The SHA-256 of every migration that has landed, as `sha256sum` writes it.
const LANDED: &str = include_str!("../fixtures/migrations.sha256");

/// The files of one folder of `migrations/`, by name.
fn files(folder: &str) -> BTreeMap<String, String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("migrations")
        .join(folder);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "sql"))
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read_to_string(path).unwrap(),
            )
        })
        .collect()
}

fn pairs() -> [(&'static str, &'static str); 2] {
    [("sqlite", "postgres"), ("sqlite/keys", "postgres/keys")]
}

/// The statements of a file: comments away, split at semicolons.
fn statements(sql: &str) -> Vec<String> {
    let code: String = sql
        .lines()
        .map(|l| l.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    code.split(';')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn both_databases_have_the_same_migrations() {
    for (one, other) in pairs() {
        let names: Vec<String> = files(one).into_keys().collect();
        assert_eq!(
            names,
            files(other).into_keys().collect::<Vec<_>>(),
            "{one} and {other}"
        );
        assert!(!names.is_empty(), "{one} is empty");
        let numbers: Vec<&str> = names.iter().map(|name| name.split_once('_').unwrap().0).collect();
        assert!(
            numbers.iter().all(|n| n.len() == 4 && n.parse::<u16>().is_ok()),
            "{one}: {names:?}"
        );
        assert!(
            numbers.is_sorted_by(|a, b| a < b),
            "{one} uses a number twice: {names:?}"
        );
    }
}

#[test]
fn a_migration_is_one_statement() {
    assert_eq!(statements("-- a; b\nCREATE TABLE t (a); -- c\n").len(), 1);
    for folder in pairs().into_iter().flat_map(|(a, b)| [a, b]) {
        for (name, sql) in files(folder) {
            assert_eq!(
                statements(&sql).len(),
                1,
                "{folder}/{name}: distributed tables refuse more than one"
            );
        }
    }
}

/// What no sharded PostgreSQL or pooler has, so no migration uses it.
#[test]
fn migrations_use_only_what_every_database_has() {
    let unportable = [
        "TRIGGER",
        "SERIAL",
        "AUTOINCREMENT",
        "CREATE TYPE",
        "GENERATED",
        "IDENTITY",
        "NOW()",
        "EXCLUDE",
    ];
    for folder in pairs().into_iter().flat_map(|(a, b)| [a, b]) {
        for (name, sql) in files(folder) {
            let sql = statements(&sql).join(" ").to_uppercase();
            let found: Vec<_> = unportable.iter().filter(|word| sql.contains(**word)).collect();
            assert!(found.is_empty(), "{folder}/{name} uses {found:?}");
        }
    }
}

/// On a sharded table no other uniqueness exists, and a guest's rows lie together; what leads to a guest is found by
/// its token, and lies where that says.
#[test]
fn keys_of_a_guests_tables_begin_with_the_guest_or_a_token() {
    let mut seen = 0;
    for folder in pairs().into_iter().flat_map(|(a, b)| [a, b]) {
        for (name, sql) in files(folder) {
            let sql = statements(&sql).join(" ");
            let flat = sql.split_whitespace().collect::<Vec<_>>().join(" ");
            let of_a_guest = ["guest_id BLOB NOT NULL", "guest_id UUID NOT NULL"]
                .iter()
                .any(|c| flat.contains(c));
            let keys = flat
                .split("PRIMARY KEY (")
                .skip(1)
                .chain(flat.split("UNIQUE (").skip(1));
            for key in keys.filter(|_| of_a_guest) {
                seen += 1;
                let first = key.split([',', ')']).next().unwrap_or_default().trim();
                assert!(
                    ["guest_id", "token"].contains(&first),
                    "{folder}/{name}: a key begins with {first}"
                );
            }
        }
    }
    assert!(seen > 0, "no key was looked at");
}

fn sha256_lines() -> String {
    let mut lines = String::new();
    for folder in ["postgres", "postgres/keys", "sqlite", "sqlite/keys"] {
        for (name, sql) in files(folder) {
            let digest = ring::digest::digest(&ring::digest::SHA256, sql.as_bytes());
            writeln!(lines, "{}  {folder}/{name}", HEXLOWER.encode(digest.as_ref())).unwrap();
        }
    }
    lines
}

/// A database somewhere has run it: a change would never arrive there.
#[test]
fn a_landed_migration_is_never_edited() {
    let now = sha256_lines();
    let gone: Vec<&str> = LANDED
        .lines()
        .filter(|line| !now.lines().any(|l| l == *line))
        .collect();
    assert!(
        gone.is_empty(),
        "changed or removed; write a new migration instead: {gone:#?}"
    );
    let new: Vec<&str> = now
        .lines()
        .filter(|line| !LANDED.lines().any(|l| l == *line))
        .collect();
    assert!(
        new.is_empty(),
        "add to tests/fixtures/migrations.sha256:\n{}",
        new.join("\n")
    );
}

both!(migrating_twice_changes_nothing, async |database| {
    for which in [Which::Data, Which::Keys] {
        database.open(which).await.close().await;
        let store = database.open(which).await;
        store.migrate(which).await.unwrap();
        store.close().await;
    }
});

both!(
    several_first_starts_at_once_make_the_tables,
    async |database: &Database| {
        let data: StoreUrl = database.data_url().parse().unwrap();
        for (url, which) in [(data.default_keys(), Which::Keys), (data, Which::Data)] {
            let start = async || -> Result<Store, StoreError> {
                let store = Store::open(&url, 1).await?;
                store.migrate(which).await?;
                Ok(store)
            };
            for started in futures_util::future::join_all((0..8).map(|_| start())).await {
                started.unwrap().close().await;
            }
        }
    }
);
