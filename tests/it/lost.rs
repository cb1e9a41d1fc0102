//! Paths, parameters, methods, retries and bytes that no client sends: precise refusals, and no word back.

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    database::{Database, both, on_sqlite},
    http,
    judge::{INVALID, Judge, MISSING, REJECTED},
    served::Served,
};

both!(paths_and_parameters_that_lead_nowhere, async |database| {
    let app = TestApp::start(database).await;
    let (mut judge, secret) = Judge::new();
    let guest = app
        .guest("pms/1", json!({"guest": {"name": {"surname": "Silva"}}}))
        .await;
    let (desk, officer) = (
        app.errand("front_desk", "check_in").await,
        app.errand("auditor", "audit").await,
    );
    let long = secret.repeat(700);
    for id in [
        secret.as_str(),
        "42",
        "%00",
        "%ff%fe",
        "..%2f..%2fetc%2fpasswd",
        "%27%20OR%201=1--",
        &long,
        "{id}",
        "%7b%7d",
        &guest.to_uppercase().replace('-', ""),
        "00000000-0000-0000-0000-000000000000",
    ] {
        judge.judge(
            "a guest's id",
            &app.get(&desk, &format!("/v1/guests/{id}")).await,
            MISSING,
        );
        judge.judge(
            "a guest's id, records",
            &app.get(&desk, &format!("/v1/guests/{id}/records")).await,
            MISSING,
        );
    }
    for path in [
        "/v1",
        "/v1/",
        "/v1/guests",
        "/v1/guests/",
        "/v2/guests",
        "//v1/guests",
        "/v1/records/pms",
        "/",
        "/.env",
        "/v1/guests/%2e%2e/audit",
    ] {
        judge.judge(path, &app.get(&desk, path).await, MISSING);
    }
    let fields = format!("fields={secret}");
    let many = format!("fields={}", "name,".repeat(3_000));
    for (query, wanted) in [
        (fields.as_str(), (400, "unknown-field")),
        ("fields=", (400, "unknown-field")),
        ("fields=name,,phones", (400, "unknown-field")),
        ("fields=name.*", (400, "unknown-field")),
        ("fields=name&fields=phones", INVALID),
        ("fields=name%00", (400, "unknown-field")),
        ("fields=%ff", (400, "unknown-field")),
        ("Field=name", (400, "unknown-field")),
        ("reveal=true", (400, "unknown-field")),
        (many.as_str(), (400, "unknown-field")),
    ] {
        judge.judge(
            &format!("get, {} bytes", query.len()),
            &app.get(&desk, &format!("/v1/guests/{guest}?{query}")).await,
            wanted,
        );
    }
    for query in [
        "guest_id=1",
        "from=yesterday",
        "to=2026-13-01T00:00:00Z",
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "cursor=!!",
        "cursor=AAAA",
        "action=steal",
        "decision=maybe",
        "principal=me",
        "property=lis",
        "purpose=Why%20not",
    ] {
        judge.judge(
            query,
            &app.get(&officer, &format!("/v1/audit/entries?{query}")).await,
            INVALID,
        );
    }
    judge.judge(
        "log, unknown",
        &app.get(&officer, &format!("/v1/audit/entries?{secret}=1")).await,
        (400, "unknown-field"),
    );
    judge.judge(
        "log, no entry",
        &app.get(&officer, &format!("/v1/audit/entries/{secret}")).await,
        MISSING,
    );
    let integration = app.errand("integration", "booking").await;
    let too_long = "x".repeat(201);
    for (path, wanted) in [
        ("pms/%0a", REJECTED),
        ("pms/a%00b", REJECTED),
        ("pms/%c2%85", REJECTED),
        (&format!("pms/{too_long}"), REJECTED),
        ("PMS/1", INVALID),
        ("p%20s/1", INVALID),
        ("pms/%ff%fe", REJECTED),
        (&format!("{}/1", "p".repeat(41)), INVALID),
        ("pms/1?strict=maybe", INVALID),
        ("pms/1?Strict=true", (400, "unknown-field")),
    ] {
        judge.judge(
            path,
            &app.put(&integration, &format!("/v1/records/{path}"), json!({}))
                .await,
            wanted,
        );
    }
    let path = format!("/v1/guests/{guest}");
    for method in [
        Method::DELETE,
        Method::POST,
        Method::PUT,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
        Method::from_bytes(b"HACK").unwrap(),
    ] {
        let answer = app.call(&desk, method.clone(), &path, None).await;
        judge.judge(method.as_str(), &answer, (405, "method-not-allowed"));
    }
    let reveal = async |body: Value| app.post(&desk, &format!("/v1/guests/{guest}/reveal"), body).await;
    for (body, wanted) in [
        (json!({"fields": []}), INVALID),
        (json!({"fields": vec!["phones"; 101]}), INVALID),
        (json!({"fields": [secret]}), (400, "unknown-field")),
        (json!({"fields": secret}), INVALID),
        (json!({}), INVALID),
        (
            json!({"fields": ["phones"], "why": secret}),
            (400, "unknown-field"),
        ),
    ] {
        judge.judge("reveal", &reveal(body).await, wanted);
    }
    judge.done(75);
    app.finish().await;
});

both!(
    a_retry_gets_the_same_answer_and_another_body_none,
    async |database| {
        let app = TestApp::start(database).await;
        let (mut judge, secret) = Judge::new();
        let guest = app
            .guest("pms/1", json!({"guest": {"name": {"surname": "Silva"}}}))
            .await;
        let path = format!("/v1/guests/{guest}/consents");
        let desk = app.errand("front_desk", "check_in").await;
        let say = |state: &str| json!({"purpose": "loyalty", "state": state, "channel": "web", "evidence_ref": secret});
        let keyed = desk.clone().with("idempotency-key", secret.as_str());
        let first = app.post(&keyed, &path, say("given")).await;
        assert_eq!(first.status, 201, "{first:?}");
        let again = app.post(&keyed, &path, say("given")).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        judge.judge(
            "another body",
            &app.post(&keyed, &path, say("withdrawn")).await,
            (422, "idempotency-conflict"),
        );
        let other = app
            .guest("pms/2", json!({"guest": {"name": {"surname": "Costa"}}}))
            .await;
        let elsewhere = app
            .post(&keyed, &format!("/v1/guests/{other}/consents"), say("given"))
            .await;
        judge.judge("another guest", &elsewhere, (422, "idempotency-conflict"));
        // Another principal's keys are its own.
        let crm = app
            .errand("crm", "loyalty")
            .await
            .with("idempotency-key", secret.as_str());
        assert_eq!(app.post(&crm, &path, say("given")).await.status, 201);
        for key in ["", &"k".repeat(256), "schlüssel", "a\tb"] {
            let answer = app
                .post(&desk.clone().with("idempotency-key", key), &path, say("given"))
                .await;
            judge.judge(&format!("a key of {} bytes", key.len()), &answer, INVALID);
        }
        let ledger = app.get(&desk, &path).await;
        assert_eq!(
            ledger.body["history"].as_array().map(Vec::len),
            Some(2),
            "a retry was told twice"
        );
        // A day later the key is free again.
        app.set_clock("2026-03-06T10:00:01Z");
        assert_eq!(app.post(&keyed, &path, say("withdrawn")).await.status, 201);
        judge.done(6);
        app.finish().await;
    }
);

/// What only a socket can send.
#[test]
fn bytes_that_are_no_http() {
    on_sqlite(async |database: &Database| {
        let served = Served::start(database, &["front_desk"]);
        let (mut judge, secret) = Judge::new();
        let auth: String = served
            .headers("front_desk", "check_in")
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let get = |path: &str, more: &str| {
            format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{auth}{more}\r\n")
        };
        let many: String = (0..200).map(|n| format!("X-{n}: {secret}\r\n")).collect();
        let cases: Vec<(&str, String)> = vec![
            ("rubbish", format!("{secret}\r\n\r\n")),
            ("TLS", "\u{16}\u{3}\u{1}\u{2}\r\n\r\n".to_owned()),
            ("no version", format!("GET /{secret}\r\n\r\n")),
            ("HTTP/9", format!("GET /{secret} HTTP/9.9\r\nHost: x\r\n\r\n")),
            (
                "a long line",
                format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", secret.repeat(20_000)),
            ),
            ("many headers", get("/v1/guests/1", &many)),
            (
                "a huge header",
                get("/v1/guests/1", &format!("X-More: {}\r\n", secret.repeat(3_000))),
            ),
            (
                "a header without a colon",
                get("/v1/guests/1", &format!("{secret}\r\n")),
            ),
            (
                "a line end in a header",
                get("/v1/guests/1", &format!("Vault-Reason: one\rX: {secret}\r\n")),
            ),
            (
                "a folded header",
                get("/v1/guests/1", &format!("Vault-Reason: one\r\n {secret}\r\n")),
            ),
            (
                "NUL in a header",
                get("/v1/guests/1", &format!("Vault-Reason: {secret}\0\r\n")),
            ),
            (
                "two lengths",
                format!(
                    "PUT /v1/records/pms/1 HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"
                ),
            ),
            (
                "length and chunks",
                format!(
                    "PUT /v1/records/pms/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{auth}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                ),
            ),
            (
                "a negative length",
                format!("PUT /v1/records/pms/1 HTTP/1.1\r\nHost: x\r\n{auth}Content-Length: -1\r\n\r\n"),
            ),
            (
                "bad chunks",
                format!(
                    "PUT /v1/records/pms/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{auth}Transfer-Encoding: chunked\r\n\r\nZZ\r\n{secret}"
                ),
            ),
            ("bad percents", get("/v1/guests/%zz%", "")),
            ("a space in the path", get(&format!("/v1/guests/{secret} x"), "")),
        ];
        for (call, sent) in cases {
            // To close without a word is a refusal too.
            let Ok(reply) = http::raw(&served.address, sent.as_bytes()) else {
                continue;
            };
            judge.judged += 1;
            if !(400..500).contains(&reply.status) {
                judge.wrong.push(format!("{call}: {}", reply.status));
            }
            let told = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&reply.body));
            judge.wrong.extend(
                judge
                    .canaries
                    .in_bytes(call, told.as_bytes())
                    .iter()
                    .map(|found| format!("{found:?}")),
            );
        }
        assert!(served.terminate(), "it does not survive");
        judge.canaries.assert_absent(&[database.dir()]);
        judge.done(12);
    });
}
