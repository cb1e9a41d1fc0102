//! Every statement is accepted by both databases: a typing error in SQL fails here, not in a hotel.

use std::fs;

use guest_vault::{
    access, audit, consent, console, erasure, events, guest, identity, jobs, keys, on, portal, requests,
    retention,
    store::{Database as _, Which},
};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::support::database::both;

/// Statements by name.
type Statements = &'static [(&'static str, &'static str)];

/// The statements of each folder, and the store they are for.
const ALL: &[(&str, Which, Statements)] = &[
    ("access", Which::Data, access::sql::STATEMENTS),
    ("access", Which::Data, access::sql::session::STATEMENTS),
    ("audit", Which::Data, audit::sql::STATEMENTS),
    ("consent", Which::Data, consent::sql::STATEMENTS),
    ("console", Which::Data, console::sql::STATEMENTS),
    ("erasure", Which::Data, erasure::sql::STATEMENTS),
    ("erasure", Which::Data, erasure::sql::lapsing::STATEMENTS),
    ("erasure", Which::Data, erasure::sql::notices::STATEMENTS),
    ("erasure", Which::Data, erasure::sql::runs::STATEMENTS),
    ("events", Which::Data, events::sql::STATEMENTS),
    ("guest", Which::Data, guest::sql::STATEMENTS),
    ("guest", Which::Data, guest::sql::export::STATEMENTS),
    ("guest", Which::Data, guest::sql::houses::STATEMENTS),
    ("guest", Which::Data, guest::sql::import::STATEMENTS),
    ("guest", Which::Data, guest::sql::observation::STATEMENTS),
    ("guest", Which::Data, guest::sql::occasion::STATEMENTS),
    ("guest", Which::Data, guest::sql::stay_word::STATEMENTS),
    ("identity", Which::Data, identity::sql::STATEMENTS),
    ("identity", Which::Data, identity::sql::crossing::STATEMENTS),
    ("identity", Which::Data, identity::sql::rekey::STATEMENTS),
    ("identity", Which::Data, identity::sql::words::STATEMENTS),
    ("jobs", Which::Data, jobs::sql::STATEMENTS),
    ("keys", Which::Keys, keys::sql::STATEMENTS),
    ("portal", Which::Data, portal::sql::STATEMENTS),
    ("requests", Which::Data, requests::sql::STATEMENTS),
    ("retention", Which::Data, retention::sql::STATEMENTS),
    ("retention", Which::Data, retention::sql::quality::STATEMENTS),
];

both!(statements_for_many_guests_are_prepared, async |database| {
    let store = database.open(Which::Data).await;
    let mut conn = store.read().await.unwrap();
    for count in [1, 2, 1024] {
        for sql in [
            consent::sql::guests_text(count),
            consent::sql::ledgers_text(count),
            consent::sql::suppressed_text(count),
        ] {
            let sql = AssertSqlSafe(sql).into_sql_str();
            on!(&mut conn, c => c.prepare(sql).await.map(drop)).unwrap();
        }
    }
    drop(conn);
    store.close().await;
});

both!(every_statement_is_prepared, async |database| {
    for which in [Which::Data, Which::Keys] {
        let store = database.open(which).await;
        let mut conn = store.read().await.unwrap();
        for (folder, _, statements) in ALL.iter().filter(|(_, of, _)| *of == which) {
            for (name, sql) in *statements {
                let sql = AssertSqlSafe(*sql).into_sql_str();
                let prepared = on!(&mut conn, c => c.prepare(sql).await.map(drop));
                prepared.unwrap_or_else(|e| panic!("{folder}: {name}: {e}"));
            }
        }
        if which == Which::Data {
            for (name, sql) in audit::sql::built_statements() {
                let sql = AssertSqlSafe(sql).into_sql_str();
                let prepared = on!(&mut conn, c => c.prepare(sql).await.map(drop));
                prepared.unwrap_or_else(|e| panic!("audit: {name}: {e}"));
            }
            let spelling = conn.spelling();
            for (name, sql) in guest::sql::built_statements(spelling) {
                let sql = AssertSqlSafe(sql).into_sql_str();
                let prepared = on!(&mut conn, c => c.prepare(sql).await.map(drop));
                prepared.unwrap_or_else(|e| panic!("guest: {name}: {e}"));
            }
        }
        drop(conn);
        store.close().await;
    }
});

#[test]
fn no_folder_with_statements_is_left_out() {
    let src = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let with_sql = src
        .map(|entry| entry.unwrap().path())
        .filter(|dir| fs::read_to_string(dir.join("sql.rs")).is_ok_and(|text| text.contains("statements!")));
    let mut folders: Vec<String> = with_sql
        .map(|dir| dir.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let mut listed: Vec<_> = ALL.iter().map(|(folder, ..)| *folder).collect();
    listed.dedup();
    assert_eq!(folders, listed);
}
