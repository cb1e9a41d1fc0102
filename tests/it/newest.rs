//! Entries without an index yet: whether one ever gets it is asked for all of an answer at once.

use std::fs::{self, File};

use crate::{
    canaries::log_to,
    support::{app::TestApp, database::both},
    tlog::look,
};

both!(the_newest_entries_are_asked_about_at_once, async |database| {
    let app = TestApp::start(database).await;
    look(&app, 20).await;
    let auditor = app.errand("auditor", "audit").await.at("GROUP");
    let path = database.dir().join("statements.log");
    let logging = log_to(File::create(&path).unwrap(), "sqlx::query=debug");
    let answer = app.get(&auditor, "/v1/audit/entries?limit=20").await;
    drop(logging);
    let items = answer.body["items"].as_array().unwrap();
    assert_eq!(items.len(), 20, "{answer:?}");
    for item in items {
        assert!(item["log_index"].is_null() && item["altered"].is_null(), "{item}");
    }
    let log = fs::read_to_string(&path).unwrap();
    let asked = log
        .lines()
        .filter(|line| line.contains("coalesce(w.next_seq"))
        .count();
    // SQLite's statements run, and are logged, on a thread that this test does not hear.
    let once = usize::from(database.cluster().is_some());
    assert_eq!(asked, once, "{log}");
    app.finish().await;
});
