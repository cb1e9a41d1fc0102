//! The tools of the tests are tested too: a search that finds nothing must be one that could.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    process::Command,
    thread,
};

use data_encoding::{BASE64, BASE64URL, HEXUPPER};
use guest_vault::store::{Database as _, Live, Which};
use sqlx::{Connection, Executor, PgConnection, Row};

use crate::support::{
    canaries::Canaries,
    database::{both, on_postgres},
    http::{raw, request},
    pooler::Pooler,
    process::{Process, free_port},
};

#[test]
fn a_canary_is_found_in_every_spelling() {
    let mut canaries = Canaries::default();
    let name = canaries.word("name.surname");
    let native = canaries.add("name.native", "渡辺久美子");
    let utf16: Vec<u8> = format!("<{native}>")
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let texts = [
        format!("a row with {name} in it").into_bytes(),
        name.to_lowercase().into_bytes(),
        BASE64
            .encode(format!("{{\"surname\":\"{name}\"}}").as_bytes())
            .into_bytes(),
        BASE64.encode(format!("x{name}y").as_bytes()).into_bytes(),
        BASE64URL.encode(format!("xx{name}yy").as_bytes()).into_bytes(),
        HEXUPPER.encode(name.as_bytes()).into_bytes(),
        utf16,
        b"GET /?q=%E6%B8%A1%E8%BE%BA%E4%B9%85%E7%BE%8E%E5%AD%90".to_vec(),
        br#"{"native":"\u6e21\u8fba\u4e45\u7f8e\u5b50"}"#.to_vec(),
        format!("{:?}", native.as_bytes()).into_bytes(),
    ];
    for text in texts {
        assert!(
            !canaries.in_bytes("here", &text).is_empty(),
            "{}",
            String::from_utf8_lossy(&text)
        );
    }
    assert!(
        canaries
            .in_bytes("here", b"nothing of it: Qaeiou, 0123456789")
            .is_empty()
    );
}

#[test]
fn a_finding_says_where_and_not_what() {
    let mut canaries = Canaries::default();
    let mail = canaries.email("emails");
    let found = canaries.in_bytes("server.log", format!("to {mail}").as_bytes());
    assert_eq!(format!("{found:?}"), "[emails as text in server.log at byte 3]");
}

#[test]
fn marked_canaries_are_found_by_their_marker_and_named_one_by_one() {
    let mut canaries = Canaries::default();
    let (one, two) = (canaries.marked("name.surname"), canaries.marked("notes"));
    let found = canaries.in_bytes("here", format!("{one} {two}").as_bytes());
    let text = format!("{found:?}");
    for part in [
        "name.surname as text in here at byte 0",
        "notes as text in here at byte 17",
        "something marked",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(
        canaries.in_bytes("here", &one.as_bytes()[8..]),
        [],
        "letters alone prove nothing"
    );
}

#[test]
fn a_canary_is_found_in_files_and_in_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut canaries = Canaries::default();
    let phone = canaries.digits("phones", 11);
    canaries.assert_absent(&[dir.path()]);
    let below = dir.path().join("deep").join("er");
    fs::create_dir_all(&below).unwrap();
    fs::write(below.join("wal"), format!("\0\0{phone}\0")).unwrap();
    fs::write(below.join(&phone), "").unwrap();
    assert_eq!(
        canaries.in_files(&[dir.path()]).len(),
        2,
        "once inside, once as a name"
    );
}

// A value in clear must be found whichever database wrote it, or the canary run proves nothing.
both!(a_canary_in_a_table_is_found_on_disk, async |database| {
    let mut canaries = Canaries::default();
    let value = canaries.word("planted");
    fs::write(database.dir().join("server.log"), "nothing yet").unwrap();
    let store = database.open(Which::Data).await;
    canaries.assert_absent(&database.written().await);
    let mut tx = store.begin().await.unwrap();
    let insert = "INSERT INTO planted (value) VALUES ($1)";
    match tx.live() {
        Live::Sqlite(c) => {
            c.execute("CREATE TABLE planted (value TEXT NOT NULL)")
                .await
                .unwrap();
            sqlx::query(insert).bind(&value).execute(c).await.unwrap();
        }
        Live::Postgres(c) => {
            c.execute("CREATE TABLE planted (value TEXT NOT NULL)")
                .await
                .unwrap();
            sqlx::query(insert).bind(&value).execute(c).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    assert!(!canaries.in_files(&database.written().await).is_empty());
    store.close().await;
});

/// The pooler of the tests must be of the bad kind: two live clients of it share one server connection.
#[test]
fn the_pooler_hands_one_server_to_two_clients_on_postgres() {
    on_postgres(async |database| {
        let (cluster, name) = database.cluster().unwrap();
        let Some(pooler) = Pooler::start(cluster) else {
            return;
        };
        let mut servers = Vec::new();
        let mut clients = Vec::new();
        for _ in 0..2 {
            let mut client = PgConnection::connect(&pooler.url(name)).await.unwrap();
            let pid = sqlx::raw_sql("SELECT pg_backend_pid()")
                .fetch_one(&mut client)
                .await
                .unwrap();
            servers.push(pid.get::<i32, _>(0));
            clients.push(client);
        }
        assert_eq!(servers[0], servers[1]);
    });
}

#[test]
fn a_process_is_started_watched_and_awaited() {
    let dir = tempfile::tempdir().unwrap();
    let version = Process::run(dir.path(), &["--version"], &[]);
    assert!(version.status.success());
    let nonsense = Process::run(dir.path(), &["no-such-command"], &[]);
    assert_eq!(nonsense.status.code(), Some(2), "wrong usage");
    assert!(!nonsense.stderr.is_empty());
}

#[test]
fn a_process_is_heard_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let shell = |script: &str| {
        let mut sh = Command::new("sh");
        sh.args(["-c", script]);
        Process::of(dir.path(), sh)
    };
    let polite =
        "trap 'echo bye; exit 0' TERM; echo one; echo two >&2; echo three; while :; do sleep 0.01; done";
    let mut process = shell(polite);
    assert_eq!(process.line(|line| line.starts_with('t')), "three");
    assert_eq!(process.stderr(), "two\n");
    assert!(process.terminate().success());
    assert!(
        fs::read_to_string(dir.path().join("stdout.log"))
            .unwrap()
            .ends_with("bye\n")
    );
    let mut process = shell("trap '' TERM; echo four; sleep 60");
    process.line(|line| line == "four");
    process.kill_nine();
}

#[test]
fn a_process_is_awaited_until_ready_and_its_answers_are_read() {
    let answers = [
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\n{\"a\":\r\n3\r\n41}\r\n0\r\n\r\n",
    ];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        answers.map(|answer| {
            let (mut socket, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            socket.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(head).unwrap()
        })
    });
    let dir = tempfile::tempdir().unwrap();
    let mut sleep = Command::new("sleep");
    sleep.arg("60");
    Process::of(dir.path(), sleep).ready(&address);
    let reply = request(&address, "POST", "/v1/x", &[("Vault-Purpose", "booking")], b"").unwrap();
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (201, Some("application/json"))
    );
    assert_eq!(reply.json()["a"], 41);
    let heads = server.join().unwrap();
    assert!(heads[0].starts_with("GET /readyz HTTP/1.1\r\n"));
    assert!(
        heads[2].starts_with("POST /v1/x HTTP/1.1\r\n")
            && heads[2].contains("\r\nVault-Purpose: booking\r\n")
    );
}

#[test]
fn a_request_to_nobody_fails() {
    let address = format!("127.0.0.1:{}", free_port());
    assert!(request(&address, "GET", "/", &[], &[]).is_err());
    assert!(raw(&address, b"GET / HTTP/1.1\r\n\r\n").is_err());
}
