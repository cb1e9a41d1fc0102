//! P1: two hundred guests with unique values in every field go through every call, good and bad; then not one of those
//! values lies in any byte that the vault wrote: database, WAL, key store, log, refusals, numbers.

use std::{collections::BTreeSet, fs::File};

use actix_web::http::Method;
use guest_vault::on;
use serde_json::{Value, json};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _};

use crate::support::{
    app::{Answer, Errand, TestApp},
    canaries::Canaries,
    database::{Database, both},
    guests::{self, NEVER_STORED},
    served::{METRICS_TOKEN, Served},
};

/// What was said where no value may be: headers of every answer, bodies of refusals and of writes.
#[derive(Default)]
struct Said(Vec<u8>);

impl Said {
    fn hear(&mut self, answer: &Answer) {
        self.0
            .extend_from_slice(format!("{:?}", answer.headers).as_bytes());
        if answer.status >= 400 {
            self.0.extend_from_slice(answer.body.to_string().as_bytes());
        }
    }

    fn hear_all(&mut self, answer: &Answer) {
        self.hear(answer);
        self.0.extend_from_slice(answer.body.to_string().as_bytes());
    }
}

/// Everything of ours, and of libraries what the program logs too.
const OURS: &str = "warn,guest_vault=trace,sqlx::query=off";

/// What passes the filter is logged, until the guard is dropped.
///
/// Of one subscriber alone `tracing` asks the thread that comes by a line first, and another test's thread knows of none:
/// the line would be off for all. Of two it asks both, wherever they listen.
pub(crate) fn log_to(file: File, filter: &str) -> (tracing::subscriber::DefaultGuard, tracing::Dispatch) {
    let filter = || EnvFilter::new(filter);
    let second = tracing::Dispatch::new(tracing_subscriber::registry().with(filter()));
    let lines = fmt::layer().json().with_writer(std::sync::Mutex::new(file));
    let logged = tracing_subscriber::registry().with(filter()).with(lines);
    (tracing::subscriber::set_default(logged), second)
}

/// A passport's machine-readable zone (ICAO Doc 9303-4).
/// `born` as ISO 8601. Travellers of one birthday and alike names would be taken for one person.
fn zone(surname: &str, number: &str, born: &str) -> String {
    let digit = |text: &str| {
        let worth = |c: char| c.to_digit(36).unwrap_or(0);
        text.chars()
            .zip([7, 3, 1].into_iter().cycle())
            .map(|(c, weight)| worth(c) * weight)
            .sum::<u32>()
            % 10
    };
    let first = format!("P<PRT{}<<ANA", surname.to_uppercase());
    let with_digit = |text: &str| format!("{text}{}", digit(text));
    let birth = with_digit(&born[2..].replace('-', ""));
    let (number, expiry) = (with_digit(number), with_digit("300102"));
    let rest = with_digit("<<<<<<<<<<<<<<");
    let all = digit(&format!("{number}{birth}{expiry}{rest}"));
    format!("{first:<<44}\n{number}PRT{birth}F{expiry}{rest}{all}")
}

fn record(c: &mut Canaries) -> Value {
    json!({"observed_at": "2026-03-01T10:00:00Z", "guest": guests::filled(c), "stays": [guests::stay(c)],
           "consents": [guests::consent(c, "loyalty"), guests::consent(c, "marketing_direct")]})
}

struct Roles {
    source: Errand,
    desk: Errand,
    officer: Errand,
    crm: Errand,
    auditor: Errand,
}

impl Roles {
    async fn of(app: &TestApp) -> Self {
        Self {
            source: app.errand("integration", "booking").await,
            desk: app.errand("front_desk", "check_in").await,
            officer: app.errand("compliance_officer", "subject_request").await,
            crm: app.errand("crm", "marketing_direct").await,
            auditor: app.errand("auditor", "audit").await,
        }
    }
}

/// One guest through the calls that everybody makes. The values must be taken and shown: what the vault does not hold it
/// cannot leak.
async fn lives(app: &TestApp, roles: &Roles, c: &mut Canaries, said: &mut Said) -> String {
    let put = format!("/v1/records/pms/{}", c.marked("source id"));
    let record = record(c);
    let source = roles.source.clone().with("vault-reason", c.marked("reason"));
    let answer = app.put(&source, &put, record.clone()).await;
    assert_eq!(
        (answer.status, &answer.body["rejected"]),
        (201, &json!([])),
        "a canary is no valid value"
    );
    said.hear_all(&answer);
    let path = format!("/v1/guests/{}", answer.body["guest_id"].as_str().unwrap());
    let read = app.get(&roles.officer, &path).await;
    said.hear(&read);
    let why = roles.officer.clone().with("vault-reason", c.marked("reason"));
    let records = app.get(&why, &format!("{path}/records")).await;
    assert_eq!(records.status, 200);
    said.hear(&records);
    let read = app.get(&roles.crm, &path).await;
    assert_eq!(read.value("name.surname"), &record["guest"]["name"]["surname"]);
    path
}

/// The other calls.
async fn changes(app: &TestApp, roles: &Roles, c: &mut Canaries, said: &mut Said, path: &str) {
    let desk = roles.desk.clone().with("vault-reason", c.marked("reason"));
    let reveal = app
        .post(
            &desk,
            &format!("{path}/reveal"),
            json!({"fields": ["phones", "id_documents"]}),
        )
        .await;
    assert_eq!(reveal.view("id_documents"), "plain");
    said.hear(&reveal);
    let correction = json!({"name": {"given": c.marked("patch")}, "notes": [c.marked("patch")]});
    let patched = app.patch(&desk, path, correction).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    said.hear_all(&patched);
    let stay = json!({"arrival": "2026-03-06", "departure": "2026-03-09", "status": "confirmed"});
    let answer = app
        .put(
            &roles.source,
            &format!("{path}/stays/{}", c.marked("reservation")),
            stay,
        )
        .await;
    assert_eq!(answer.status, 200);
    said.hear(&answer);
    let keyed = desk.clone().with("idempotency-key", c.marked("retry key"));
    let consent = guests::consent(c, "event_invitation");
    for _ in 0..2 {
        let answer = app
            .post(&keyed, &format!("{path}/consents"), consent.clone())
            .await;
        assert_eq!(answer.status, 201);
        said.hear_all(&answer);
    }
    said.hear_all(&app.get(&desk, &format!("{path}/consents")).await);
    let id = &path["/v1/guests/".len()..];
    let log = app
        .get(
            &roles.auditor,
            &format!("/v1/audit/entries?guest_id={id}&limit=50"),
        )
        .await;
    assert!(log.body["items"].as_array().unwrap().len() > 5);
    said.hear_all(&log);
    let (surname, number, born) = (c.marked("mrz"), c.passport("mrz number"), c.day("mrz birth"));
    let zone = json!({"guest": {"mrz": zone(&surname, &number, &born)}});
    let answer = app
        .put(
            &roles.source,
            &format!("/v1/records/kiosk/{}", c.marked("source id")),
            zone,
        )
        .await;
    assert_eq!(
        (answer.status, &answer.body["rejected"]),
        (201, &json!([])),
        "the zone is read"
    );
    said.hear_all(&answer);
}

/// Values where none belong.
async fn errs(app: &TestApp, roles: &Roles, c: &mut Canaries, said: &mut Said, path: &str) {
    let Roles {
        source,
        desk,
        auditor,
        ..
    } = roles;
    let mut word = || c.marked("a wrong place");
    let mut answers = Vec::new();
    for place in [
        format!("/v1/guests/{}", word()),
        format!("/v1/{}", word()),
        format!("{path}?fields={}", word()),
        format!("{path}?{}=1", word()),
        format!("/{}/{}", word(), word()),
    ] {
        answers.push(app.get(desk, &place).await);
    }
    for header in ["vault-purpose", "vault-property", "authorization", "if-match"] {
        let request =
            TestApp::request(desk, Method::PATCH, path).insert_header(("content-type", "application/json"));
        answers.push(
            app.send(request.insert_header((header, word())).set_payload("{}"))
                .await,
        );
    }
    answers.push(
        app.get(
            &desk.clone().with("vault-actor", format!("{} {}", word(), word())),
            path,
        )
        .await,
    );
    answers.push(
        app.get(auditor, &format!("/v1/audit/entries?actor={}", word()))
            .await,
    );
    answers.push(
        app.get(auditor, &format!("/v1/audit/entries?cursor={}", word()))
            .await,
    );
    answers.push(app.get(auditor, path).await);
    let wrong = [
        json!({"guest": word()}),
        json!({"guest": {word(): word()}, word(): 1}),
        json!({"provenance": word()}),
        json!({"stays": [{"arrival": word()}]}),
        json!({"guest": {"emails": [{"address": word()}], "phones": [{"number": word()}], "birth_date": word(),
               "nationality": word(), "gender": word(), "mrz": word(), "photo_ref": word(), "diet": word(),
               "id_documents": [{"type": word(), "number": word()}], "name": {"surname": {"x": word()}}, word(): {word(): word()}}}),
        json!({"consents": [{"purpose": "loyalty", "state": "given", "channel": word()}]}),
    ];
    for body in wrong {
        for strict in [false, true] {
            let place = format!("/v1/records/pms/{}?strict={strict}", word());
            answers.push(app.put(source, &place, body.clone()).await);
        }
        answers.push(app.patch(desk, path, body).await);
    }
    assert!(answers.iter().all(|answer| answer.status < 500));
    assert!(answers.iter().filter(|answer| answer.status >= 400).count() > 25);
    // What was not stored is told by its place only.
    for answer in &answers {
        said.hear_all(answer);
    }
}

async fn stored_fields(app: &TestApp) -> BTreeSet<String> {
    let mut conn = app.app.vault.store.read().await.unwrap();
    let fields: Vec<String> = on!(&mut conn, c => {
        sqlx::query_scalar("SELECT DISTINCT field FROM field_value").fetch_all(c).await.unwrap()
    });
    fields.into_iter().collect()
}

both!(no_value_is_written_in_clear, async |database| {
    let log = database.dir().join("trace.log");
    let _logging = log_to(File::create(&log).unwrap(), OURS);
    let app = TestApp::start(database).await;
    let (mut canaries, mut said) = (Canaries::default(), Said::default());
    let roles = Roles::of(&app).await;
    for n in 0..200 {
        let path = lives(&app, &roles, &mut canaries, &mut said).await;
        if n == 0 {
            let shown = app.get(&roles.crm, &path).await.body["fields"].to_string();
            let found = canaries.in_bytes("the guest", shown.as_bytes());
            assert!(found.len() > 5, "the search does not find what is shown");
        }
        if n % 10 == 0 {
            changes(&app, &roles, &mut canaries, &mut said, &path).await;
            errs(&app, &roles, &mut canaries, &mut said, &path).await;
        }
    }
    let policy = app.app.vault.policies.current();
    let all = policy.catalogue().iter().map(|(_, field)| field.path.to_string());
    let expected: BTreeSet<String> = all
        .filter(|path| !NEVER_STORED.contains(&path.as_str()))
        .collect();
    assert_eq!(
        stored_fields(&app).await,
        expected,
        "a field without a canary proves nothing"
    );
    assert!(
        log.metadata().unwrap().len() > 100_000,
        "the log was not captured"
    );
    assert_eq!(canaries.in_bytes("an answer", &said.0), []);
    // The write-ahead log is there while the vault is open, its traces in the file when it is closed.
    canaries.assert_absent(&database.written().await);
    app.app.close().await;
    if database.cluster().is_none() {
        canaries.assert_absent(&database.written().await);
    }
});

// The program as it runs in a house: its log, its numbers, and what a kill leaves behind.
both!(
    the_program_writes_no_value_in_clear,
    async |database: &Database| {
        let mut served = Served::start(
            database,
            &["integration", "front_desk", "compliance_officer", "auditor"],
        );
        let (mut canaries, mut said) = (Canaries::default(), Vec::new());
        let mut guests = Vec::new();
        for round in 0..2 {
            for _ in 0..6 {
                let headers = served.headers("integration", "booking");
                let path = format!("/v1/records/pms/{}", canaries.marked("source id"));
                let body = record(&mut canaries).to_string();
                let reply = served.call(("PUT", &path), &headers, body.as_bytes()).unwrap();
                assert_eq!(reply.status, 201);
                guests.push(reply.json()["guest_id"].as_str().unwrap().to_owned());
                let broken = served
                    .call(("PUT", &path), &headers, &body.as_bytes()[..body.len() / 2])
                    .unwrap();
                assert_eq!(broken.status, 400);
                said.extend([reply.body, broken.body]);
            }
            for guest in &guests {
                let mut headers = served.headers("compliance_officer", "subject_request");
                headers.push(("Vault-Reason".to_owned(), canaries.marked("reason")));
                let read = served
                    .call(("GET", &format!("/v1/guests/{guest}")), &headers, &[])
                    .unwrap();
                assert_eq!(read.status, 200);
                let missing = format!("/v1/guests/{}", canaries.marked("a wrong place"));
                said.push(served.call(("GET", &missing), &headers, &[]).unwrap().body);
            }
            let token = vec![("Authorization".to_owned(), format!("Bearer {METRICS_TOKEN}"))];
            let numbers = served.call(("GET", "/metrics"), &token, &[]).unwrap();
            assert_eq!(numbers.status, 200);
            said.push(numbers.body);
            if round == 0 {
                served.kill_nine();
                served = served.restart();
            }
        }
        assert_eq!(canaries.in_bytes("an answer", &said.concat()), []);
        canaries.assert_absent(&database.written().await);
        // A caller's key is shown once, to its owner, and kept nowhere.
        let mut keys = Canaries::default();
        served
            .secrets()
            .for_each(|secret| drop(keys.add("an API key", secret)));
        keys.assert_absent(&served.kept().each_ref().map(std::path::PathBuf::as_path));
        assert!(served.terminate());
        canaries.assert_absent(&database.written().await);
    }
);
