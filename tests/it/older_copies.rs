//! A database or a key store that was put back by hand is older than the other: nothing is made over, and nothing is
//! destroyed, that the right one needs.

use std::{fs, path::Path};

use actix_web::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use guest_vault::{
    app::App,
    base::{Category, Clock, GuestId},
    jobs::Keeper,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    backup::{config, open, person},
    support::app::TestApp,
};

/// Puts one file in the place of another; what SQLite had beside that goes.
fn put(from: &Path, to: &Path) {
    for end in ["-wal", "-shm"] {
        let beside = to.with_file_name(format!("{}{end}", to.file_name().unwrap().to_str().unwrap()));
        let _ = fs::remove_file(beside);
    }
    fs::copy(from, to).unwrap();
}

/// When nobody takes a guest's keys for those of a write that is under way.
fn later() -> DateTime<Utc> {
    Utc::now() + TimeDelta::hours(2)
}

/// What the desk sees of a guest's nationality.
async fn said(app: &TestApp, guest: &str) -> Value {
    app.set_clock("2026-02-21T10:00:00Z");
    let desk = app.role("front_desk").await.about("check_in");
    let answer = app
        .get(&desk, &format!("/v1/guests/{guest}?fields=nationality"))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.value("nationality"), "PT");
    answer.body["fields"].clone()
}

#[actix_web::test]
async fn an_older_key_store_stops_the_start_and_nothing_is_made_over_existing_data() {
    let folder = TempDir::new().unwrap();
    let mut config = config(folder.path());
    let (keys, old, right) = (
        folder.path().join("vault/keys.db"),
        folder.path().join("old.db"),
        folder.path().join("right.db"),
    );
    let app = open(&config).await;
    let first = person(&app, 1).await;
    app.app.close().await;
    fs::copy(&keys, &old).unwrap();
    let app = open(&config).await;
    let second = person(&app, 2).await;
    let known = said(&app, &second).await;
    app.app.close().await;
    fs::copy(&keys, &right).unwrap();

    put(&old, &keys);
    let refused = App::open(&config, Clock::system())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        refused.contains("older than the database: 1 of its 2 newest guests"),
        "{refused}"
    );
    config.keys.accept_loss = true;
    let app = open(&config).await;
    let integration = app.role("integration").await;
    let record = |number: usize| {
        json!({"guest": {"name": {"surname": "Changed", "given": "Ana"}, "nationality": "PT",
                         "phones": [{"number": format!("+35191234567{number}")}]}})
    };
    for (number, wanted) in [(1, 200), (2, 500)] {
        let path = format!("/v1/records/pms/p-{number}");
        let answer = app
            .call(&integration, Method::PUT, &path, Some(record(number)))
            .await;
        assert_eq!(answer.status, wanted, "{}", answer.text());
    }
    let lost: GuestId = serde_json::from_value(json!(second)).unwrap();
    let found = app
        .app
        .vault
        .keys
        .fresh_guest_keys(lost, &Category::ALL)
        .await
        .unwrap();
    assert!(Category::ALL.iter().all(|category| !found.has(*category)));
    app.app.close().await;

    config.keys.accept_loss = false;
    put(&right, &keys);
    let app = open(&config).await;
    assert_eq!(said(&app, &second).await, known);
    assert_ne!(first, second);
    app.app.close().await;
}

#[actix_web::test]
async fn older_data_does_not_cost_newer_guests_their_keys() {
    let folder = TempDir::new().unwrap();
    let config = config(folder.path());
    let (data, old, right) = (
        folder.path().join("vault/vault.db"),
        folder.path().join("old.db"),
        folder.path().join("right.db"),
    );
    let app = open(&config).await;
    person(&app, 1).await;
    app.app.close().await;
    fs::copy(&data, &old).unwrap();
    let app = open(&config).await;
    let second = person(&app, 2).await;
    let known = said(&app, &second).await;
    app.app.settle_log().await;
    Keeper::new(app.app.requests()).look(false).await;
    app.app.close().await;
    fs::copy(&data, &right).unwrap();

    put(&old, &data);
    let app = open(&config).await;
    app.clock.set(later());
    Keeper::new(app.app.requests()).look(true).await;
    let known_of = app.app.vault.keys.guests_with_keys(None, 9).await.unwrap();
    assert_eq!(known_of.len(), 2);
    assert!(!app.app.requests().eraser.keep_mark().await.unwrap());
    app.app.close().await;

    put(&right, &data);
    let app = open(&config).await;
    assert_eq!(said(&app, &second).await, known);
    // With the right data, keys that belong to nobody do go.
    let nobody = GuestId::random();
    app.app
        .vault
        .keys
        .ensure_guest_keys(nobody, &[Category::Audit])
        .await
        .unwrap();
    app.clock.set(later());
    Keeper::new(app.app.requests()).look(true).await;
    let left = app.app.vault.keys.guests_with_keys(None, 9).await.unwrap();
    assert!(left.len() == 2 && !left.contains(&nobody), "{left:?}");
    app.app.close().await;
}
