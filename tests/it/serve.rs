//! The binary as an operator meets it: started with nothing, stopped, started wrongly.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use guest_vault::{
    on,
    store::{Store, Tables, Which},
};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::support::{
    database::{both, on_postgres},
    http::request,
    pooler::Pooler,
    process::Process,
};

fn start(dir: &Path, more: &[&str]) -> (Process, serde_json::Value) {
    let args = [&["serve", "--json", "--port", "0"], more].concat();
    let mut process = Process::start(dir, &args, &[]);
    let line = process.line(|line| line.starts_with('{'));
    (process, serde_json::from_str(&line).unwrap())
}

fn address(started: &serde_json::Value) -> String {
    started["url"]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned()
}

fn refused(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let ended = Process::run(dir, args, env);
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[test]
fn with_nothing_configured_it_serves_and_leaves_clean_files() {
    let dir = tempfile::tempdir().unwrap();
    let (mut process, started) = start(dir.path(), &[]);
    process.ready(&address(&started));
    let key = started["first_key"].as_str().unwrap();
    assert!(key.starts_with("gv_"));
    let bearer = format!("Bearer {key}");
    let entries = request(
        &address(&started),
        "GET",
        "/v1/nothing",
        &[("Authorization", &bearer)],
        b"",
    )
    .unwrap();
    assert_eq!(entries.status, 404);
    let unknown = request(
        &address(&started),
        "GET",
        "/v1/nothing",
        &[("Authorization", "Bearer gv_x")],
        b"",
    )
    .unwrap();
    assert_eq!(unknown.status, 401);
    assert!(process.terminate().success());

    let data = dir.path().join("vault-data");
    let mut left: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["keys.db", "root.key", "vault.db"],
        "no write-ahead log is left behind"
    );
    for file in left {
        let mode = fs::metadata(data.join(&file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);

    let elsewhere = tempfile::tempdir().unwrap();
    let (process, again) = start(elsewhere.path(), &["--data-dir", data.to_str().unwrap()]);
    assert!(again.get("first_key").is_none(), "the first key is shown once");
    assert!(process.terminate().success());
}

/// The contract and the route table name the same paths and methods.
#[test]
fn every_path_of_the_contract_is_there_with_its_methods_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let (process, started) = start(dir.path(), &[]);
    let bearer = format!("Bearer {}", started["first_key"].as_str().unwrap());
    let ask = |method: &str, path: &str| {
        request(
            &address(&started),
            method,
            path,
            &[("Authorization", &bearer)],
            b"",
        )
        .unwrap()
    };
    let contract = ask("GET", "/openapi.json").json();
    for (path, item) in contract["paths"].as_object().unwrap() {
        let concrete = path.replace(['{', '}'], "");
        let refused = ask("TRACE", &concrete);
        assert_eq!(refused.status, 405, "{path}");
        assert_eq!(refused.json()["type"], "/problems/method-not-allowed");
        let mut allowed: Vec<_> = refused
            .header("allow")
            .unwrap()
            .split(", ")
            .map(str::to_lowercase)
            .collect();
        allowed.sort();
        let methods: Vec<_> = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|k| *k != "parameters")
            .cloned()
            .collect();
        assert_eq!(allowed, methods, "{path}");
    }
    assert!(process.terminate().success());
}

/// Arguments, variables, and with which status and words it ends.
type WrongStart = (
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
    i32,
    &'static str,
);

#[test]
fn a_wrong_start_ends_at_once_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [WrongStart; 6] = [
        (&["serve", "--bind", "0.0.0.0"], &[], 2, "--tls-cert"),
        (
            &["serve", "--tls-cert", "no.pem", "--tls-key", "no.key"],
            &[],
            1,
            "cannot read no.pem",
        ),
        (&["serve", "--config", "no.toml"], &[], 2, "no.toml"),
        (
            &["serve"],
            &[("GUEST_VAULT_SERVER_PROT", "1")],
            2,
            "did you mean server.port?",
        ),
        (
            &["serve", "--database-url", "mysql://x"],
            &[],
            1,
            "sqlite: or postgres://",
        ),
        (
            &[
                "serve",
                "--key-file",
                "dir-that-is-not/root.key",
                "--data-dir",
                "/dev/null/x",
            ],
            &[],
            1,
            "/dev/null/x",
        ),
    ];
    for (args, env, status, told) in cases {
        let (code, said) = refused(dir.path(), args, env);
        assert_eq!(code, Some(status), "{args:?}: {said}");
        assert!(said.contains(told), "{args:?}: {said}");
    }
}

#[test]
fn a_key_pair_that_does_not_match_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let pair = || generate_simple_self_signed(vec!["vault.example".to_owned()]).unwrap();
    let (CertifiedKey { cert, .. }, CertifiedKey { signing_key, .. }) = (pair(), pair());
    fs::write(dir.path().join("cert.pem"), cert.pem()).unwrap();
    fs::write(dir.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
    let (code, told) = refused(
        dir.path(),
        &[
            "serve",
            "--port",
            "0",
            "--tls-cert",
            "cert.pem",
            "--tls-key",
            "key.pem",
        ],
        &[],
    );
    assert_eq!(code, Some(1));
    assert!(
        told.contains("does not belong to the first certificate"),
        "{told}"
    );
    first_key_is_still_to_come(dir.path());
}

/// A start that failed has not made the key that is shown once.
fn first_key_is_still_to_come(dir: &Path) {
    let (process, started) = start(dir, &[]);
    assert!(started["first_key"].is_string(), "{started}");
    assert!(process.terminate().success());
}

#[test]
fn a_start_that_fails_does_not_make_the_key_that_is_shown_once() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, told) = refused(dir.path(), &["serve", "--port", &port], &[]);
    assert_eq!(code, Some(1));
    assert!(told.contains("cannot listen"), "{told}");
    first_key_is_still_to_come(dir.path());
}

#[test]
fn words_that_nothing_is_called_by_stop_the_start_and_the_doctor_names_them() {
    let dir = tempfile::tempdir().unwrap();
    let toml = "[attestations]\nroles = ['frontdesk']\n[budgets.roles.crmm]\n[portal]\nregime = 'gdprr'\n[drp]\n\
                property = 'NOPE'\n";
    fs::write(dir.path().join("guest-vault.toml"), toml).unwrap();
    let (code, told) = refused(dir.path(), &["serve", "--port", "0"], &[]);
    assert_eq!(code, Some(1));
    let sick = Process::run(dir.path(), &["doctor"], &[]);
    let doctor = String::from_utf8(sick.stdout).unwrap();
    for word in [
        "frontdesk",
        "front_desk",
        "crmm",
        "gdprr",
        "gdpr,",
        "NOPE",
        "GROUP, MAIN",
    ] {
        assert!(told.contains(word), "{word}: {told}");
        assert!(doctor.contains(word), "{word}: {doctor}");
    }
    assert!(!dir.path().join("vault-data").exists(), "nothing was begun");
}

#[test]
fn what_the_database_says_is_told_to_who_starts_the_vault() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("vault-data")).unwrap();
    fs::write(dir.path().join("vault-data/vault.db"), [b'x'; 8192]).unwrap();
    let (_, told) = refused(dir.path(), &["serve", "--port", "0"], &[]);
    assert!(
        told.contains("vault.db") && told.contains("not a database"),
        "{told}"
    );
    let url = "postgres://vault:hunter2@127.0.0.1:1/vault";
    let (_, told) = refused(dir.path(), &["serve", "--port", "0", "--database-url", url], &[]);
    assert!(
        told.contains("127.0.0.1:1") && told.contains("refused") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn a_key_that_others_can_read_stops_the_start_and_the_doctor_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let (process, _) = start(dir.path(), &[]);
    assert!(process.terminate().success());
    let healthy = Process::run(dir.path(), &["doctor"], &[]);
    assert_eq!(healthy.status.code(), Some(0));
    let key = dir.path().join("vault-data/root.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, told) = refused(dir.path(), &["serve", "--port", "0"], &[]);
    assert_eq!(code, Some(1));
    assert!(told.contains("chmod 600"), "{told}");
    let sick = Process::run(dir.path(), &["doctor", "--json"], &[]);
    assert_eq!(sick.status.code(), Some(1));
    let answer: serde_json::Value = serde_json::from_slice(&sick.stdout).unwrap();
    assert_eq!(answer["state"], "fail");
}

#[test]
fn behind_a_pooler_that_mixes_up_statements_it_does_not_serve_on_postgres() {
    on_postgres(async |database| {
        let (cluster, name) = database.cluster().unwrap();
        let Some(pooler) = Pooler::start(cluster) else {
            return;
        };
        let (data, keys) = (pooler.url(name), database.keys_url());
        let urls = ["--database-url", data.as_str(), "--keys-url", keys.as_str()];
        let (code, told) = refused(
            database.dir(),
            &[&["serve", "--port", "0"], urls.as_slice()].concat(),
            &[],
        );
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("max_prepared_statements"), "{told}");
        let doctor = Process::run(
            database.dir(),
            &[&["doctor", "--quick"], urls.as_slice()].concat(),
            &[],
        );
        assert_eq!(doctor.status.code(), Some(1));
        let said = String::from_utf8(doctor.stdout).unwrap();
        assert!(
            said.contains("FAIL  database") && said.contains("max_prepared_statements"),
            "{said}"
        );
    });
}

both!(commands_that_read_make_no_vault, async |database| {
    let dir = database.dir();
    let (data, keys) = (database.data_url(), database.keys_url());
    let urls = ["--database-url", data.as_str(), "--keys-url", keys.as_str()];
    if database.cluster().is_some() {
        // The databases of tests have tables from the start.
        for url in [&data, &keys] {
            let store = Store::open(&url.parse().unwrap(), 1).await.unwrap();
            let mut tx = store.begin().await.unwrap();
            for sql in ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"] {
                on!(&mut tx, c => sqlx::query(sql).execute(c).await.map(drop)).unwrap();
            }
            tx.commit().await.unwrap();
            store.close().await;
        }
    }
    let made = || {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| !name.to_string_lossy().ends_with(".log"))
            .collect::<Vec<_>>()
    };
    let before = made();
    for command in [
        &["principal", "list"][..],
        &["principal", "attestations"],
        &["audit", "export", "--format", "ocsf"],
        &["audit", "verify"],
        &["audit", "vkey"],
        &["audit", "mirror", "copy"],
        &["keys", "status"],
    ] {
        let (code, told) = refused(dir, &[command, &urls].concat(), &[]);
        assert_eq!(code, Some(1), "{command:?}: {told}");
        assert!(told.contains("there is no vault"), "{command:?}: {told}");
        for part in ["guest-vault serve", "guest-vault demo", "vault-data"] {
            assert!(told.contains(part), "{command:?}: {part}: {told}");
        }
        assert_eq!(made(), before, "{command:?}");
    }
    if database.cluster().is_some() {
        let store = Store::open(&data.parse().unwrap(), 1).await.unwrap();
        assert!(matches!(store.tables(Which::Data).await.unwrap(), Tables::Absent));
        store.close().await;
    }
});
