//! Entries as another system receives them: over TLS, framed, each once, also after a break.

use std::{
    fs,
    io::Read,
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use guest_vault::{
    audit::{siem::Format, tlog::Stored},
    guest::LogExport,
};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use crate::{
    reports::{grow, record},
    support::{
        app::TestApp,
        database::{Database, both},
        process::Process,
    },
};

/// The frames of RFC 5425 that come in over one connection, until it ends.
fn frames(mut stream: impl Read, told: &mpsc::Sender<String>) {
    loop {
        let (mut length, mut byte) = (String::new(), [0]);
        loop {
            if stream.read_exact(&mut byte).is_err() {
                return;
            }
            match byte[0] {
                b' ' => break,
                digit => length.push(char::from(digit)),
            }
        }
        let mut message = vec![0; length.parse().expect("a length before each message")];
        if stream.read_exact(&mut message).is_err() {
            return;
        }
        let _ = told.send(String::from_utf8(message).unwrap());
    }
}

/// A syslog receiver with a certificate of its own; what it takes comes out of the channel.
fn receiver(dir: &Path) -> (u16, mpsc::Receiver<String>) {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(dir.join("ca.pem"), own.cert.pem()).unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, messages) = mpsc::channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            if number == 0 {
                // The first caller finds the line dead.
                drop::<TcpStream>(stream);
                continue;
            }
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            if number == 1 {
                // The second takes a byte and breaks off: what was sent besides is lost.
                let _ = StreamOwned::new(session, stream).read_exact(&mut [0]);
                continue;
            }
            frames(StreamOwned::new(session, stream), &told);
        }
    });
    (port, messages)
}

fn index(line: &str) -> u64 {
    let (_, rest) = line.split_once(" index=\"").expect("an index");
    rest.split('"').next().unwrap().parse().unwrap()
}

/// Makes principals; each is an entry.
fn principals(dir: &Path, count: usize) {
    for _ in 0..count {
        let create = [
            "principal",
            "create",
            "--name",
            "a",
            "--role",
            "auditor",
            "--property",
            "GROUP",
        ];
        let made = Process::run(dir, &create, &[]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

#[test]
fn a_receiver_gets_every_entry_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let (port, messages) = receiver(dir);
    principals(dir, 3);
    let mut serving = Process::start(
        dir,
        &["serve", "--json", "--port", "0", "--log-mirror", "mirror"],
        &[],
    );
    serving.line(|line| line.starts_with('{'));
    let address = format!("localhost:{port}");
    let follow = [
        "audit",
        "export",
        "--format",
        "syslog",
        "--follow",
        "--state",
        "next",
        "--syslog-tls",
        &address,
        "--syslog-ca",
        "ca.pem",
    ];
    let following = Process::start(dir, &follow, &[]);
    let mut seen = Vec::new();
    let patience = Duration::from_secs(30);
    while seen.len() < 3 {
        let line = messages
            .recv_timeout(patience)
            .unwrap_or_else(|_| panic!("{}", following.stderr()));
        assert!(
            line.starts_with('<') && line.ends_with(']') && line.contains("[vault@32473 origin="),
            "{line}"
        );
        seen.push(index(&line));
    }
    let begun = Instant::now();
    while !dir.join("next").exists() {
        assert!(begun.elapsed() < patience, "what was delivered is remembered");
        thread::sleep(Duration::from_millis(10));
    }
    let remembered = || -> u64 {
        fs::read_to_string(dir.join("next"))
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    };
    while remembered() == 0 {
        assert!(begun.elapsed() < patience, "what was delivered is remembered");
        thread::sleep(Duration::from_millis(100));
    }
    // What is under way when the sender is killed may die with its connection: syslog acknowledges nothing.
    while u64::try_from(seen.len()).unwrap() < remembered() {
        seen.push(index(&messages.recv_timeout(patience).unwrap()));
    }
    following.kill_nine();
    let next = remembered();
    assert!(next >= 1, "what was delivered is remembered");

    // Another run goes on; nothing is missing.
    principals(dir, 3);
    let following = Process::start(dir, &follow, &[]);
    while seen.last() != Some(&(next + 1)) {
        let line = messages
            .recv_timeout(patience)
            .unwrap_or_else(|_| panic!("{seen:?} {}", following.stderr()));
        seen.push(index(&line));
        assert!(seen.len() < 200, "{seen:?}");
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..=next + 1).collect::<Vec<u64>>());
    following.kill_nine();
    let strange = Process::run(
        dir,
        &[
            "audit",
            "export",
            "--format",
            "cef",
            "--syslog-tls",
            &address,
            "--syslog-ca",
            "ca.pem",
        ],
        &[],
    );
    assert_eq!(strange.status.code(), Some(1));
    let once = Process::run(dir, &["audit", "export", "--format", "ocsf"], &[]);
    let printed = String::from_utf8(once.stdout).unwrap();
    let lines: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines.len() > seen.len() && lines[1]["metadata"]["sequence"] == 1,
        "{printed}"
    );
    assert!(serving.terminate().success());
}

async fn other_systems_get_every_entry_once(database: &Database) {
    let app = TestApp::start(database).await;
    let desk = app
        .errand("front_desk", "check_in")
        .await
        .with("vault-actor", "u17");
    for n in 0..700 {
        let path = format!("/v1/guests/00000000-0000-7000-8000-{n:012}");
        assert_eq!(app.get(&desk, &path).await.status, 404);
    }
    app.set_clock("2026-03-05T11:00:00Z");
    let guest = app.guest("web/1", record(1)).await;
    assert_eq!(app.get(&desk, &format!("/v1/guests/{guest}")).await.status, 200);
    grow(&app).await;
    let stored = Stored::new(app.app.vault.store.clone());
    let (size, _) = stored.checkpoint().await.unwrap().unwrap();
    let origin = stored.origin().await.unwrap().unwrap();
    let officer = app.errand("auditor", "internal_audit").await;
    let export = async |query: &str| {
        let answer = app.get(&officer, &format!("/v1/audit/export?{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        String::from_utf8(answer.bytes).unwrap()
    };
    let lines = export("format=ocsf").await;
    let events: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let indexes: Vec<u64> = events
        .iter()
        .map(|e| e["metadata"]["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(
        indexes,
        (0..size).collect::<Vec<u64>>(),
        "each once, in the order of the log"
    );
    assert!(
        events
            .iter()
            .all(|e| e["metadata"]["log_name"] == origin.as_str())
    );
    let denied = events
        .iter()
        .filter(|e| e["status_id"] == 2 && e["metadata"]["event_code"] == "read");
    assert_eq!(denied.count(), 700);
    for (format, first, index) in [("syslog", "<1", "index=\""), ("cef", "CEF:0|", "cn1=")] {
        let late = export(&format!(
            "format={format}&from=2026-03-05T10:30:00Z&to=2026-03-06T00:00:00Z"
        ))
        .await;
        let late: Vec<&str> = late.lines().collect();
        // The record, the stay in it and the look; what made the keys of their callers came with them.
        assert!(late.len() >= 2 && late.len() < 10, "{late:?}");
        assert!(
            late.iter()
                .all(|line| line.starts_with(first) && line.contains(index) && line.contains(&origin))
        );
    }
    assert_eq!(export("format=cef&from=2030-01-01T00:00:00Z").await, "");
    let refused = app.get(&desk, "/v1/audit/export?format=ocsf").await;
    assert_eq!(refused.status, 403);
    assert_eq!(app.get(&officer, "/v1/audit/export?format=xml").await.status, 400);
    let asked = app
        .get(
            &officer,
            "/v1/audit/entries?action=export_audit&decision=permitted",
        )
        .await
        .body;
    assert_eq!(asked["items"].as_array().unwrap().len(), 4);

    // What follows goes on where it stopped.
    let mut follow = LogExport::following(&app.app.vault.store, Format::Ocsf, size - 3)
        .await
        .unwrap();
    assert_eq!(follow.page().await.unwrap().unwrap().len(), 3);
    assert!(follow.page().await.unwrap().is_none());
    grow(&app).await;
    let more = follow.page().await.unwrap().unwrap();
    let (now, _) = stored.checkpoint().await.unwrap().unwrap();
    assert_eq!(
        (follow.next(), u64::try_from(more.len()).unwrap()),
        (now, now - size)
    );
    app.finish().await;
}
both!(export, async |database| other_systems_get_every_entry_once(
    database
)
.await);
