//! Reports from the log: who saw a guest's data, and whose data somebody saw; exact, proven, and not fooled by rows
//! that were edited by hand.

use guest_vault::{
    audit::tlog::{Step, Stored, chain, note::Verifier, patrol::Patrol, verify},
    on,
    store::Store,
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::{
    app::{Answer, Errand, TestApp},
    database::{Database, both},
};

/// No two of them sound alike: these are to stay different people.
const SURNAMES: [&str; 12] = [
    "Almeida", "Brandt", "Chukwu", "Dubois", "Eriksen", "Fontana", "Gupta", "Horvat", "Ivanov", "Jansen",
    "Kowalski", "Lopez",
];

pub(crate) fn record(n: usize) -> Value {
    json!({
        "observed_at": "2026-03-01T10:00:00Z", "provenance": "declared",
        "guest": {"name": {"surname": SURNAMES[n % SURNAMES.len()], "given": "Given"},
                  "phones": [{"number": format!("+86 138 {:04} {:04}", 1234 + 617 * n, 8765 - 401 * n), "kind": "mobile"}]},
        "stays": [{"reservation": format!("R-{n}"), "property": "LIS01", "arrival": "2026-03-04",
                   "departure": "2026-03-07", "status": "checked_in", "channel": "web"}]
    })
}

pub(crate) async fn grow(app: &TestApp) {
    while matches!(app.app.sequencer.step().await.unwrap(), Step::Grown(_)) {}
}

pub(crate) async fn run(store: &Store, sql: &str) {
    let mut tx = store.begin().await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    let rows = on!(&mut tx, c => sqlx::query(sql).execute(c).await.unwrap().rows_affected());
    assert!(rows > 0, "nothing was changed");
    tx.commit().await.unwrap();
}

/// An id as both databases read it in a statement.
fn literal(store: &Store, id: &str) -> String {
    if store.name() == "sqlite" {
        format!("x'{}'", id.replace('-', ""))
    } else {
        format!("'{id}'::uuid")
    }
}

fn verifier(app: &TestApp) -> Verifier {
    app.app.sequencer.signer().verifier().clone()
}

/// The proof of a year as somebody checks it who has only the report and the log's key.
fn check(proof: &Value, verifier: &Verifier) -> Result<(u64, u64), chain::ChainError> {
    let entries: Vec<&[u8]> = proof["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry.as_str().unwrap().as_bytes())
        .collect();
    let (chain, _) = chain::verify(entries, proof["receipt"].as_str().unwrap(), verifier)?;
    Ok((chain.first, chain.last))
}

async fn a_guest_sees_who_saw_it(database: &Database) {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/1", record(1)).await;
    let other = app.guest("web/2", record(2)).await;
    let path = format!("/v1/guests/{guest}");
    let desk = app
        .errand("front_desk", "check_in")
        .await
        .with("vault-actor", "u17");
    for _ in 0..3 {
        assert_eq!(app.get(&desk, &path).await.status, 200);
    }
    assert_eq!(app.get(&desk, &format!("/v1/guests/{other}")).await.status, 200);
    assert_eq!(app.get(&app.role("admin").await, &path).await.status, 403);
    grow(&app).await;

    let report_path = format!("{path}/access-report");
    let officer = app.errand("compliance_officer", "subject_request").await;
    let report = app.get(&officer, &report_path).await;
    assert_eq!(report.status, 200, "{report:?}");
    let body = &report.body;
    assert_eq!(body["complete"], true, "{body}");
    let accesses = body["accesses"].as_array().unwrap();
    let count = |action: &str, decision: &str| {
        accesses
            .iter()
            .filter(|a| a["action"] == action && a["decision"] == decision)
            .count()
    };
    assert_eq!(
        (
            count("read", "permitted"),
            count("read", "denied"),
            count("put_record", "permitted"),
            count("access_report", "permitted")
        ),
        (3, 1, 1, 1),
        "{accesses:?}"
    );
    let read = accesses.iter().find(|a| a["action"] == "read").unwrap();
    assert_eq!(
        (
            &read["role"],
            &read["actor"],
            &read["purpose"],
            &read["fields"]["name.surname"]
        ),
        (
            &json!("front_desk"),
            &json!("u17"),
            &json!("check_in"),
            &json!("plain")
        )
    );
    let verifier = verifier(&app);
    let proof = &body["proof"][0];
    // The refusal had no key to name the guest by; the report's own entry has no index yet.
    assert_eq!(check(proof, &verifier), Ok((1, 4)));
    for at in 0..4 {
        let mut less = proof.clone();
        less["entries"].as_array_mut().unwrap().remove(at);
        let told = check(&less, &verifier);
        // What is cut at the beginning still makes a chain, but not one from 1.
        let whole = told.is_ok_and(|(first, _)| first == 1);
        assert!(!whole, "entry {at} was taken out unnoticed");
    }

    own_report(&app, (&guest, &other), &report_path).await;
    moved_by_hand(&app, (&guest, &other), &officer).await;
    app.finish().await;
}

/// The report as the guest asks for it.
async fn own_report(app: &TestApp, (guest, other): (&str, &str), report_path: &str) {
    let desk = app.errand("front_desk", "check_in").await;
    // The guest itself: its token names it. Others are not there for it, and no staff id is shown.
    let own = app
        .errand("guest", "subject_request")
        .await
        .with("vault-actor", guest);
    let seen = app.get(&own, report_path).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert!(
        seen.body["accesses"]
            .as_array()
            .unwrap()
            .iter()
            .all(|a| a["actor"].is_null())
    );
    let foreign = app.get(&own, &format!("/v1/guests/{other}/access-report")).await;
    let missing = app
        .get(
            &own,
            "/v1/guests/0198c5a0-0000-7000-8000-000000000000/access-report",
        )
        .await;
    assert_eq!((foreign.status, missing.status), (404, 404));
    assert_eq!(app.get(&desk, report_path).await.status, 403);
    let page = app.get(&own, &format!("{report_path}?format=html")).await;
    let text = String::from_utf8(page.bytes).unwrap();
    assert!(page.headers["content-type"].starts_with("text/html"));
    assert!(
        text.contains("front_desk") && text.contains("has no gap") && !text.contains("u17"),
        "{text}"
    );
}

/// One access is moved to another guest by hand: it is missing here, and strange there.
async fn moved_by_hand(app: &TestApp, (guest, other): (&str, &str), officer: &Errand) {
    grow(app).await;
    let store = &app.app.vault.store;
    let (here, there) = (literal(store, guest), literal(store, other));
    run(
        store,
        &format!(
            "UPDATE audit_event SET guest_id = {there} WHERE entry_id =
                 (SELECT min(entry_id) FROM audit_event WHERE guest_id = {here} AND action = 'read' AND decision = 'permitted')"
        )
        .replace("min(entry_id)", if store.name() == "sqlite" { "min(entry_id)" } else { "min(entry_id::text)::uuid" }),
    )
    .await;
    let report = format!("/v1/guests/{guest}/access-report");
    let report = app.get(officer, &report).await.body;
    assert_eq!(
        (&report["complete"], &report["proof"][0]["complete"]),
        (&json!(false), &json!(false))
    );
    let strange = app
        .get(officer, &format!("/v1/guests/{other}/access-report"))
        .await
        .body;
    assert_eq!(strange["complete"], false);
    let altered = strange["accesses"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|a| a["altered"] == "guest_id");
    assert_eq!(altered.count(), 1);
}
both!(access_report, async |database| a_guest_sees_who_saw_it(database)
    .await);

/// The time of the breach.
const FROM: &str = "2026-03-05T09:00:00Z";
const TO: &str = "2026-03-05T10:30:00Z";

async fn ask(app: &TestApp, question: Value) -> Answer {
    let officer = app.errand("auditor", "internal_audit").await;
    app.post(&officer, "/v1/audit/exposure", question).await
}

async fn a_breach_is_counted_exactly(database: &Database) {
    let app = TestApp::start(database).await;
    let mut guests = Vec::new();
    for n in 0..12 {
        guests.push(app.guest(&format!("web/{n}"), record(n)).await);
    }
    let desk = app
        .errand("front_desk", "check_in")
        .await
        .with("vault-actor", "u17");
    let stolen = app
        .errand("duty_manager", "complaint_handling")
        .await
        .with("vault-actor", "u99");
    for guest in &guests {
        assert_eq!(app.get(&desk, &format!("/v1/guests/{guest}")).await.status, 200);
    }
    let touched = &guests[2..7];
    for guest in touched.iter().chain(&guests[2..4]) {
        let fields = format!("/v1/guests/{guest}?fields=name,phones,id_documents");
        assert_eq!(app.get(&stolen, &fields).await.status, 200);
    }
    let missing = "/v1/guests/0198c5a0-0000-7000-8000-000000000000";
    assert_eq!(app.get(&stolen, missing).await.status, 404);
    app.set_clock("2026-03-05T11:00:00Z");
    assert_eq!(
        app.get(&stolen, &format!("/v1/guests/{}", guests[10]))
            .await
            .status,
        200
    );
    grow(&app).await;

    seen_by_one_person(&app, &guests).await;
    seen_otherwise(&app, &guests).await;
    assert_eq!(ask(&app, json!({"from": TO, "to": FROM})).await.status, 400);
    let desk_asks = app
        .post(&desk, "/v1/audit/exposure", json!({"from": FROM, "to": TO}))
        .await;
    assert_eq!(desk_asks.status, 403);
    let officer = app.errand("auditor", "internal_audit").await;
    let looks = app.get(&officer, "/v1/audit/entries?action=exposure").await.body;
    assert_eq!(
        looks["items"].as_array().unwrap().len(),
        8,
        "each question is an entry itself"
    );
    app.finish().await;
}

async fn seen_by_one_person(app: &TestApp, guests: &[String]) {
    let touched = &guests[2..7];
    let answer = ask(app, json!({"actor": "u99", "from": FROM, "to": TO})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.body;
    assert_eq!(
        (
            &body["guests"],
            &body["disclosures"],
            &body["denied"],
            &body["entries"],
            &body["altered"]
        ),
        (&json!(5), &json!(7), &json!(1), &json!(8), &json!([])),
        "{body}"
    );
    let mut found: Vec<&str> = body["exposed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["guest_id"].as_str().unwrap())
        .collect();
    let mut expected: Vec<&str> = touched.iter().map(String::as_str).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(body["fields"]["name.surname"]["plain"], 7);
    assert!(
        body["fields"]["id_documents"].is_null(),
        "asked for, never shown: {body}"
    );
    assert_eq!(body["exposed"][0]["purposes"]["complaint_handling"], 2);

    // The range of leaves is the whole time's, and proven.
    let (first, last) = (
        body["log"]["indexes"][0].as_u64().unwrap(),
        body["log"]["indexes"][1].as_u64().unwrap(),
    );
    let stored = Stored::new(app.app.vault.store.clone());
    let (size, _) = stored.checkpoint().await.unwrap().unwrap();
    assert_eq!(
        (first, last, &body["log"]["pending"]),
        (0, size - 2, &json!(0)),
        "all but the read at eleven"
    );
    assert!(
        body["log"]["receipts"][1]
            .as_str()
            .unwrap()
            .contains(&format!("index {last}\n"))
    );
}

async fn seen_otherwise(app: &TestApp, guests: &[String]) {
    let officer = app.errand("auditor", "internal_audit").await;
    // By credential, by property, and after an erasure the guest is still counted, by its name in the log.
    let entries = app
        .get(&officer, "/v1/audit/entries?actor=u99&limit=1")
        .await
        .body;
    let principal = &entries["items"][0]["principal"];
    let by_key = ask(
        app,
        json!({"credential": principal, "from": FROM, "to": "2026-03-06T00:00:00Z"}),
    )
    .await
    .body;
    assert_eq!(
        (&by_key["guests"], &by_key["disclosures"]),
        (&json!(6), &json!(8))
    );
    let by_house = ask(
        app,
        json!({"property": "LIS01", "purpose": "check_in", "from": FROM, "to": TO}),
    )
    .await
    .body;
    assert_eq!(by_house["guests"], 12);
    assert_eq!(
        ask(app, json!({"property": "SHA01", "from": FROM, "to": TO}))
            .await
            .body["guests"],
        0
    );
    let store = &app.app.vault.store;
    run(
        store,
        &format!(
            "UPDATE audit_event SET guest_id = NULL, detail = NULL WHERE guest_id = {}",
            literal(store, &guests[4])
        ),
    )
    .await;
    let erased = ask(app, json!({"actor": "u99", "from": FROM, "to": TO}))
        .await
        .body;
    assert_eq!(
        (&erased["guests"], &erased["disclosures"], &erased["altered"]),
        (&json!(5), &json!(7), &json!([]))
    );
    let nameless = erased["exposed"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["guest_id"].is_null())
        .count();
    assert_eq!(nameless, 1);

    // An entry pinned on another guest by hand is named.
    let (a, b) = (literal(store, &guests[2]), literal(store, &guests[9]));
    run(
        store,
        &format!("UPDATE audit_event SET guest_id = {b} WHERE guest_id = {a} AND actor = 'u99'"),
    )
    .await;
    let blamed = ask(app, json!({"actor": "u99", "from": FROM, "to": TO}))
        .await
        .body;
    assert_eq!(blamed["altered"].as_array().unwrap().len(), 1, "{blamed}");
}
both!(exposure, async |database| a_breach_is_counted_exactly(database)
    .await);

async fn pages_follow_time(database: &Database) {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/1", record(1)).await;
    let desk = app
        .errand("front_desk", "check_in")
        .await
        .with("vault-actor", "u17");
    for minute in 0..23 {
        app.set_clock(&format!("2026-03-05T12:{minute:02}:00Z"));
        assert_eq!(app.get(&desk, &format!("/v1/guests/{guest}")).await.status, 200);
    }
    let officer = app.errand("auditor", "internal_audit").await;
    for filter in [
        format!("guest_id={guest}&action=read"),
        "actor=u17".to_owned(),
        "purpose=check_in&decision=permitted".to_owned(),
        "actor=u17&purpose=check_in&property=LIS01&from=2026-03-05T12:00:00Z&to=2026-03-05T13:00:00Z"
            .to_owned(),
        format!("decision=permitted&guest_id={guest}&actor=u17"),
    ] {
        let (mut times, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app
                .get(&officer, &format!("/v1/audit/entries?{filter}&limit=10{cursor}"))
                .await;
            assert_eq!(page.status, 200, "{filter}: {page:?}");
            times.extend(
                page.body["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|i| i["at"].as_str().unwrap().to_owned()),
            );
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(times.len(), 23, "{filter}");
        assert!(
            times.windows(2).all(|two| two[0] > two[1]),
            "{filter}: newest first"
        );
    }
    let denied = app
        .get(&officer, "/v1/audit/entries?decision=denied&purpose=check_in")
        .await
        .body;
    assert_eq!(denied["items"], json!([]));
    app.finish().await;
}
both!(pages, async |database| pages_follow_time(database).await);

async fn columns_edited_by_hand_are_found(database: &Database) {
    let app = TestApp::start(database).await;
    let desk = app
        .errand("front_desk", "check_in")
        .await
        .with("vault-actor", "u17");
    for n in 0..600 {
        let path = format!("/v1/guests/00000000-0000-7000-8000-{n:012}");
        assert_eq!(app.get(&desk, &path).await.status, 404);
    }
    grow(&app).await;
    let (store, verifier) = (app.app.vault.store.clone(), verifier(&app));
    let mut patrol = Patrol::new(Stored::new(store.clone()), verifier.clone());
    for _ in 0..3 {
        assert_eq!(patrol.step().await.unwrap(), None, "no false alarm");
    }
    let at = |index: u64| format!("entry_id = (SELECT entry_id FROM log_entry WHERE log_index = {index})");
    let officer = app.errand("auditor", "internal_audit").await;
    for (column, wrong, right) in [
        ("actor", "'u18'", "'u17'"),
        ("purpose", "'audit'", "'check_in'"),
        ("decision", "'permitted'", "'denied'"),
        ("action", "'search'", "'read'"),
        ("property", "NULL", "'LIS01'"),
    ] {
        run(
            &store,
            &format!("UPDATE audit_event SET {column} = {wrong} WHERE {}", at(300)),
        )
        .await;
        let found = patrol
            .step()
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("{column} was changed unnoticed"));
        assert_eq!(
            (found.index, found.what.contains(column)),
            (Some(300), true),
            "{found:?}"
        );
        let source = verify::Source::Database(Stored::new(store.clone()));
        let report = verify::verify(&source, &verifier, None, |_, _| ()).await.unwrap();
        assert_eq!(
            (report.intact, report.first_bad_index),
            (false, Some(300)),
            "{report:?}"
        );
        let items = app
            .get(&officer, "/v1/audit/entries?from=2026-03-05T09:00:00Z&limit=200")
            .await
            .body;
        let mut altered = Vec::new();
        let mut page = items;
        loop {
            altered.extend(
                page["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(|i| i["altered"].as_str().map(str::to_owned)),
            );
            let Some(next) = page["next_cursor"].as_str() else {
                break;
            };
            let next = format!("/v1/audit/entries?from=2026-03-05T09:00:00Z&limit=200&cursor={next}");
            page = app.get(&officer, &next).await.body;
        }
        assert_eq!(altered, [column]);
        run(
            &store,
            &format!("UPDATE audit_event SET {column} = {right} WHERE {}", at(300)),
        )
        .await;
        assert_eq!(patrol.step().await.unwrap(), None);
    }
    // A row that is gone, and a tile that was made to fit.
    run(&store, &format!("DELETE FROM audit_event WHERE {}", at(17))).await;
    assert_eq!(patrol.step().await.unwrap().unwrap().index, Some(17));
    let zeros = if store.name() == "sqlite" {
        "zeroblob(8192)"
    } else {
        "decode(repeat('00', 8192), 'hex')"
    };
    run(
        &store,
        &format!("UPDATE log_tile SET hashes = {zeros} WHERE level = 0 AND tile = 1"),
    )
    .await;
    assert_eq!(patrol.step().await.unwrap().unwrap().index, Some(256));
    app.app.close().await;
}
both!(edited, async |database| columns_edited_by_hand_are_found(
    database
)
.await);
