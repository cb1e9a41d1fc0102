use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use chrono::TimeDelta;

use super::*;
use crate::{app::App, config::ConfigFlags};

struct Patient {
    folder: tempfile::TempDir,
    config: Config,
    clock: Clock,
}

impl Patient {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("guest-vault.toml");
        fs::write(&file, "").unwrap();
        let data_dir = Some(folder.path().join("vault-data"));
        let config = Config::load(&ConfigFlags {
            config: Some(file),
            data_dir,
            ..ConfigFlags::default()
        })
        .unwrap();
        Self {
            folder,
            config,
            clock: Clock::system(),
        }
    }

    /// A vault that was started once.
    async fn started() -> Self {
        let patient = Self::new();
        App::open(&patient.config, patient.clock.clone())
            .await
            .unwrap()
            .close()
            .await;
        patient
    }

    fn path(&self, name: &str) -> PathBuf {
        self.config.data_dir.join(name)
    }

    async fn examine(&self) -> Findings {
        examine(Ok(&self.config), false, &self.clock).await
    }

    /// The worst that is found of a vault that has published no notice yet.
    async fn worst_but_notices(&self) -> State {
        let findings = self.examine().await;
        let others = findings.all().iter().filter(|found| found.check != "notices");
        others.map(|found| found.state).max().unwrap()
    }

    /// What is said of one check when it fails.
    async fn failed(&self, check: &str) -> String {
        let findings = self.examine().await;
        let found = findings
            .all()
            .iter()
            .find(|f| f.check == check && f.state == State::Fail);
        found
            .unwrap_or_else(|| panic!("no failure of {check}: {findings:?}"))
            .told
            .clone()
    }

    async fn sql(&self, file: &str, sql: &'static str) {
        let url = crate::store::StoreUrl::Sqlite(self.path(file));
        let store = crate::store::Store::open(&url, 1).await.unwrap();
        if let crate::store::Store::Sqlite { writer, .. } = &store {
            sqlx::query(sql).execute(writer).await.unwrap();
        }
        store.close().await;
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[actix_web::test]
async fn a_new_and_a_started_vault_are_well_and_nothing_is_changed() {
    let new = Patient::new();
    assert_ne!(new.examine().await.worst(), State::Fail);
    assert!(!new.config.data_dir.exists(), "the doctor makes nothing");
    let started = Patient::started().await;
    let findings = started.examine().await;
    assert_eq!(started.worst_but_notices().await, State::Ok, "{findings:?}");
    // Nobody can agree to anything yet.
    assert_eq!(
        findings.worst(),
        State::Warn,
        "no notice is published: {findings:?}"
    );
    for check in [
        "configuration",
        "policies",
        "data folder",
        "disk",
        "root key file",
        "clock",
        "database",
        "key store",
        "keys",
        "values",
    ] {
        assert!(findings.all().iter().any(|f| f.check == check), "{check}");
    }
}

#[actix_web::test]
async fn a_key_that_is_missing_wrong_or_open_to_others_is_found() {
    let patient = Patient::started().await;
    let key = patient.path("root.key");
    chmod(&key, 0o644);
    assert!(patient.failed("root key file").await.contains("mode 644"));
    let right = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    assert!(patient.failed("keys").await.contains("root.key"));
    let other = Patient::started().await;
    fs::copy(other.path("root.key"), &key).unwrap();
    chmod(&key, 0o600);
    assert!(!patient.failed("keys").await.is_empty());
    fs::write(&key, right).unwrap();
    chmod(&key, 0o600);
    assert_eq!(patient.worst_but_notices().await, State::Ok);
}

#[actix_web::test]
async fn a_folder_that_cannot_be_written_is_found() {
    let mut patient = Patient::new();
    let file = patient.folder.path().join("file");
    fs::write(&file, "").unwrap();
    patient.config.data_dir = file.clone();
    assert!(patient.failed("data folder").await.contains("is not a folder"));
    patient.config.data_dir = file.join("below");
    assert!(patient.failed("data folder").await.contains("below"));
    let started = Patient::started().await;
    chmod(&started.config.data_dir, 0o755);
    assert_eq!(started.examine().await.worst(), State::Warn);
}

#[actix_web::test]
async fn tables_that_are_newer_or_behind_are_found() {
    let patient = Patient::started().await;
    let last = "DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    patient.sql("vault.db", last).await;
    let findings = patient.examine().await;
    assert_eq!(findings.worst(), State::Warn);
    assert!(
        findings
            .all()
            .iter()
            .any(|f| f.told.contains("1 migrations were not run yet"))
    );
    patient
        .sql(
            "vault.db",
            "UPDATE _sqlx_migrations SET version = 999999 WHERE version = 1",
        )
        .await;
    assert!(patient.failed("database").await.contains("newer"));
}

#[actix_web::test]
async fn a_clock_that_is_behind_its_own_records_is_found() {
    let mut patient = Patient::started().await;
    let now = Clock::system().now();
    patient.clock = Clock::fixed(now - TimeDelta::minutes(4));
    assert_eq!(patient.worst_but_notices().await, State::Ok);
    patient.clock = Clock::fixed(now - TimeDelta::hours(1));
    assert!(patient.failed("clock").await.contains("a file was written"));
    patient.clock = Clock::fixed(chrono::DateTime::UNIX_EPOCH);
    assert!(
        patient
            .failed("clock")
            .await
            .contains("before this program was made")
    );
}

#[actix_web::test]
async fn a_damaged_file_is_found() {
    let patient = Patient::started().await;
    let file = patient.path("vault.db");
    let mut bytes = fs::read(&file).unwrap();
    bytes[4096..4200].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    assert!(!patient.failed("database").await.is_empty());
}

#[actix_web::test]
async fn a_server_that_is_not_there_is_found_without_showing_its_password() {
    let patient = Patient::new();
    let toml = "[database]\nurl = \"postgres://vault:hunter2@127.0.0.1:1/vault\"\n";
    let file = patient.folder.path().join("guest-vault.toml");
    fs::write(&file, toml).unwrap();
    let config = Config::load(&ConfigFlags {
        config: Some(file),
        ..ConfigFlags::default()
    })
    .unwrap();
    let patient = Patient { config, ..patient };
    let told = patient.failed("database").await;
    assert!(!told.contains("hunter2"), "{told}");
}

#[actix_web::test]
async fn what_is_wrong_with_the_configuration_is_told_line_by_line() {
    let patient = Patient::new();
    let file = patient.folder.path().join("guest-vault.toml");
    fs::write(&file, "[server]\nprot = 1").unwrap();
    let error = Config::load(&ConfigFlags {
        config: Some(file),
        ..ConfigFlags::default()
    })
    .err()
    .unwrap();
    let findings = examine(Err(&error), false, &patient.clock).await;
    assert_eq!(findings.worst(), State::Fail);
    assert!(findings.all()[0].told.contains("did you mean server.port?"));

    let mut out = Vec::new();
    print(
        &Doctor {
            json: true,
            quick: false,
        },
        &findings,
        &mut out,
    )
    .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["state"], "fail");
    assert_eq!(json["findings"][0]["check"], "configuration");
}

#[actix_web::test]
async fn databases_that_do_not_belong_together_are_found() {
    let (patient, other) = (Patient::started().await, Patient::started().await);
    for file in ["keys.db", "root.key"] {
        fs::copy(other.path(file), patient.path(file)).unwrap();
    }
    assert!(patient.failed("keys").await.contains("of different vaults"));
    let app = App::open(&other.config, other.clock.clone()).await.unwrap();
    app.report_export().await.unwrap();
    app.close().await;
    fs::remove_file(other.path("keys.db")).unwrap();
    assert!(other.failed("keys").await.contains("holds no keys"));
    other
        .sql(
            "vault.db",
            "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1",
        )
        .await;
    assert!(other.failed("database").await.contains("migration 1 was run"));
}

#[actix_web::test]
async fn keys_of_guests_without_a_database_are_found() {
    let patient = Patient::started().await;
    let app = App::open(&patient.config, patient.clock.clone()).await.unwrap();
    let guest = crate::base::GuestId::random();
    let contact = [crate::base::Category::Contact];
    app.vault.keys.ensure_guest_keys(guest, &contact).await.unwrap();
    app.close().await;
    fs::remove_file(patient.path("vault.db")).unwrap();
    assert!(patient.failed("keys").await.contains("holds keys of guests"));
}

#[actix_web::test]
async fn what_else_would_stop_the_start_is_found() {
    let mut patient = Patient::new();
    let folder = patient.folder.path().to_owned();
    let text = format!(
        "policies.dir = '{0}/policies'\n[audit]\nmirror = '{0}/guest-vault.toml'\n[[audit.witness]]\nurl = \
         'https://witness.example'\nvkey = 'nope'\n[[issuers]]\nissuer = 'https://id.example'\naudience = 'v'\nroles \
         = {{ desk = 'front_desk' }}\nalgorithms = ['ES256']\njwks = {{ file = '{0}/nope.json' }}\n",
        folder.display()
    );
    fs::create_dir(folder.join("policies")).unwrap();
    fs::write(folder.join("policies/consent.toml"), "[[strange]]\n").unwrap();
    let file = folder.join("guest-vault.toml");
    fs::write(&file, text).unwrap();
    patient.config = Config::load(&ConfigFlags {
        config: Some(file),
        data_dir: Some(folder.join("vault-data")),
        ..ConfigFlags::default()
    })
    .unwrap();
    assert!(patient.failed("policies").await.contains("consent.toml"));
    let told = patient.failed("issuers").await;
    assert!(
        told.contains("nope.json") && told.contains("No such file"),
        "{told}"
    );
    assert!(patient.failed("witnesses").await.contains("vkey"));
    assert!(patient.failed("mirror").await.contains("guest-vault.toml"));
}

#[tokio::test]
async fn a_log_that_the_start_refuses_is_found() {
    let mut patient = Patient::started().await;
    let mirror = patient.folder.path().join("mirror");
    patient.config.audit.mirror = Some(mirror.clone());
    let app = App::open(&patient.config, patient.clock.clone()).await.unwrap();
    app.report_export().await.unwrap();
    app.settle_log_soon().await;
    let verifier = app.sequencer.signer().verifier().clone();
    let copy = crate::audit::tlog::mirror::Mirror::new(mirror.clone(), verifier);
    copy.update(&app.stored_log()).await.unwrap();
    app.close().await;
    let state = async |check: &str, patient: &Patient| {
        let findings = patient.examine().await;
        let found = findings.all().iter().find(|found| found.check == check);
        found.map(|found| found.state)
    };
    assert_eq!(state("mirror", &patient).await, Some(State::Ok));
    assert_eq!(state("log", &patient).await, Some(State::Ok));
    assert_eq!(state("restore", &patient).await, None);
    patient
        .sql(
            "vault.db",
            "INSERT INTO quarantine (since, log_size) VALUES (1, 0)",
        )
        .await;
    assert_eq!(state("restore", &patient).await, Some(State::Fail));
    patient
        .sql("vault.db", "UPDATE log_head SET size = size + 1")
        .await;
    assert_eq!(state("log", &patient).await, Some(State::Fail));
    patient.sql("vault.db", "DELETE FROM log_head").await;
    assert_eq!(state("log", &patient).await, Some(State::Fail));
}

#[tokio::test]
async fn copies_that_a_restore_left_are_found() {
    let patient = Patient::started().await;
    let left = patient.path(&format!(".restore-{}", uuid::Uuid::new_v4().simple()));
    fs::create_dir(&left).unwrap();
    fs::set_permissions(&left, fs::Permissions::from_mode(0o700)).unwrap();
    let findings = patient.examine().await;
    let found = findings
        .all()
        .iter()
        .find(|found| found.check == "copies")
        .unwrap();
    assert_eq!(found.state, State::Warn);
    assert!(found.told.contains(left.to_str().unwrap()), "{}", found.told);
    assert!(left.exists(), "it changes nothing");
}
