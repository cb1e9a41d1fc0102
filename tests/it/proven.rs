//! What a report from the log proves, held against reports and rows that were doctored: by who got the file, and by who
//! has the database.

use std::{fs, path::Path};

use guest_vault::{
    audit::{
        siem::Format,
        tlog::{Stored, note::Signer, patrol::Patrol},
    },
    guest::{LogExport, REPORT_KIND, report_digest},
    store::Store,
};
use serde_json::{Value, json};

use crate::{
    reports::{grow, record, run},
    rights::{lin, officer},
    support::{
        app::TestApp,
        browser::Browser,
        database::{Database, both},
        process::Process,
    },
};

/// Whether `audit check` takes the report for complete, and what it says.
fn checked(dir: &Path, report: &Value, vkey: &str) -> (Option<i32>, String) {
    fs::write(dir.join("report.json"), report.to_string()).unwrap();
    let ran = Process::run(dir, &["audit", "check", "report.json", "--vkey", vkey], &[]);
    (ran.status.code(), String::from_utf8(ran.stdout).unwrap())
}

/// As who has the log's key would sign it.
fn signed(mut report: Value, signer: &Signer) -> Value {
    report["signature"] = json!(signer.sign_statement(REPORT_KIND, &report_digest(&report)));
    report
}

async fn seen(app: &TestApp, guest: &str, actor: &str, times: usize) {
    let desk = app
        .errand("front_desk", "check_in")
        .await
        .with("vault-actor", actor);
    for _ in 0..times {
        assert_eq!(app.get(&desk, &format!("/v1/guests/{guest}")).await.status, 200);
    }
}

async fn report(app: &TestApp, guest: &str) -> Value {
    let officer = app.errand("compliance_officer", "subject_request").await;
    let path = format!("/v1/guests/{guest}/access-report");
    app.get(&officer, &path).await.body
}

type Doctor = fn(&mut Value);

async fn a_doctored_report_is_refused(database: &Database) {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/1", record(1)).await;
    seen(&app, &guest, "u17", 3).await;
    let front = app.role("admin").await;
    assert_eq!(app.get(&front, &format!("/v1/guests/{guest}")).await.status, 403);
    grow(&app).await;
    let older = report(&app, &guest).await;
    seen(&app, &guest, "u18", 2).await;
    grow(&app).await;
    let whole = report(&app, &guest).await;
    let (dir, signer) = (database.dir(), app.app.sequencer.signer());
    let vkey = signer.verifier().vkey();
    for good in [&older, &whole] {
        let (code, told) = checked(dir, good, &vkey);
        assert_eq!(code, Some(0), "{told}");
    }
    let doctors: [(&str, Doctor); 9] = [
        ("another guest", |r| {
            r["guest_id"] = json!("0198c5a0-0000-7000-8000-000000000000");
        }),
        ("another year", |r| r["proof"][0]["year"] = json!(2024)),
        ("incomplete", |r| r["complete"] = json!(false)),
        ("incomplete year", |r| r["proof"][0]["complete"] = json!(false)),
        ("cut at the beginning", |r| {
            r["proof"][0]["entries"].as_array_mut().unwrap().drain(..2);
        }),
        ("no proof", |r| r["proof"] = json!([])),
        ("a line less", |r| {
            let lines = r["accesses"].as_array_mut().unwrap();
            let read = lines.iter().position(|line| line["action"] == "read").unwrap();
            lines.remove(read);
        }),
        ("another role", |r| {
            let lines = r["accesses"].as_array_mut().unwrap();
            let read = lines.iter_mut().find(|line| line["action"] == "read").unwrap();
            read["role"] = json!("guest");
        }),
        ("a line more", |r| {
            let mut line = r["accesses"][1].clone();
            line["action"] = json!("reveal");
            line["log_index"] = json!(0);
            r["accesses"].as_array_mut().unwrap().push(line);
        }),
    ];
    for (what, doctor) in doctors {
        let mut wrong = whole.clone();
        doctor(&mut wrong);
        assert_eq!(checked(dir, &wrong, &vkey).0, Some(1), "{what}");
        // Whom the log does not name, only the signature does.
        if what != "another guest" {
            let (code, told) = checked(dir, &signed(wrong, signer), &vkey);
            assert_eq!(code, Some(1), "{what}, signed: {told}");
        }
    }
    // What an older report proves, under the newer one's count.
    let mut cut = whole.clone();
    for member in ["entries", "receipt"] {
        cut["proof"][0][member] = older["proof"][0][member].clone();
    }
    assert_eq!(checked(dir, &signed(cut, signer), &vkey).0, Some(1));
    app.finish().await;
}
both!(doctored, async |database| a_doctored_report_is_refused(database)
    .await);

async fn a_package_is_a_disclosure(database: &Database) {
    let app = TestApp::start(database).await;
    let stay = lin("R-1", "2026-01-10", "2026-01-12", "checked_out");
    let guest = app.guest("pms/l-1", stay).await;
    let desk = app
        .errand("front_desk", "subject_request")
        .await
        .with("vault-actor", "s-1");
    let wanted = json!({"guest_id": guest, "type": "access", "regime": "gdpr", "received_via": "email"});
    let opened = app.post(&desk, "/v1/requests", wanted).await;
    let case = format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap());
    let (one, two) = (officer(&app, "o-1").await, officer(&app, "o-2").await);
    app.post(&one, &format!("{case}/verify"), json!({"result": "passed"}))
        .await;
    app.post(&two, &format!("{case}/decision"), json!({"decision": "approve"}))
        .await;
    assert_eq!(app.get(&one, &format!("{case}/package")).await.status, 200);
    grow(&app).await;
    let auditor = app.errand("auditor", "internal_audit").await;
    let question = json!({"actor": "o-1", "from": "2026-03-05T09:00:00Z", "to": "2026-03-05T11:00:00Z"});
    let told = app.post(&auditor, "/v1/audit/exposure", question).await.body;
    assert_eq!(
        (&told["guests"], &told["exposed"][0]["guest_id"]),
        (&json!(1), &json!(guest)),
        "{told}"
    );
    for field in ["name.surname", "id_documents", "stay_links"] {
        assert_eq!(told["fields"][field]["plain"], 1, "{field}: {told}");
    }
    app.finish().await;
}
both!(handed_over, async |database| a_package_is_a_disclosure(database)
    .await);

fn at(index: u64) -> String {
    format!("entry_id = (SELECT entry_id FROM log_entry WHERE log_index = {index})")
}

/// Puts another staff id into the leaves of one, so that leaf and column agree.
fn forged(store: &Store, from: &str, to: &str) -> String {
    let (from_leaf, to_leaf) = (format!("\"actor\":\"{from}\""), format!("\"actor\":\"{to}\""));
    let leaf = if store.name() == "sqlite" {
        format!("CAST(replace(CAST(leaf AS TEXT), '{from_leaf}', '{to_leaf}') AS BLOB)")
    } else {
        format!("convert_to(replace(convert_from(leaf, 'UTF8'), '{from_leaf}', '{to_leaf}'), 'UTF8')")
    };
    format!("UPDATE audit_event SET actor = '{to}', leaf = {leaf} WHERE actor = '{from}'")
}

async fn a_forged_entry_is_named(database: &Database) {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/1", record(1)).await;
    seen(&app, &guest, "u17", 3).await;
    seen(&app, &guest, "spy", 1).await;
    grow(&app).await;
    let store = app.app.vault.store.clone();
    run(&store, &forged(&store, "spy", "u66")).await;
    let auditor = app.errand("auditor", "internal_audit").await;
    let listed = app.get(&auditor, "/v1/audit/entries?actor=u66").await.body;
    let item = &listed["items"][0];
    assert_eq!(item["altered"], "leaf", "{listed}");
    let id = item["entry_id"].as_str().unwrap();
    let one = app.get(&auditor, &format!("/v1/audit/entries/{id}")).await.body;
    assert_eq!(one["altered"], "leaf", "{one}");
    let right = app.get(&auditor, "/v1/audit/entries?actor=u17").await.body;
    assert!(
        right["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|i| i["altered"].is_null())
    );
    let question = json!({"actor": "u66", "from": "2026-03-05T09:00:00Z", "to": "2026-03-05T11:00:00Z"});
    let told = app.post(&auditor, "/v1/audit/exposure", question).await.body;
    assert_eq!(told["altered"], json!([id]), "{told}");
    let lines = report(&app, &guest).await;
    let marked = lines["accesses"].as_array().unwrap().iter();
    assert_eq!(marked.filter(|line| line["altered"] == "leaf").count(), 1);

    // An export has no gap that says nothing, whatever time it is of.
    let index = item["log_index"].as_u64().unwrap();
    run(&store, &format!("DELETE FROM audit_event WHERE {}", at(1))).await;
    run(
        &store,
        &format!("UPDATE audit_event SET leaf = '{{}}' WHERE {}", at(2)).replace(
            "'{}'",
            if store.name() == "sqlite" {
                "x'7b7d'"
            } else {
                "'{}'::bytea"
            },
        ),
    )
    .await;
    for (from, end) in [
        (None, None),
        (Some("2026-03-05T09:59:00Z"), Some("2027-01-01T00:00:00Z")),
    ] {
        let time = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let export = LogExport::following(&store, Format::Ocsf, 0).await.unwrap();
        let mut export = export.within(time(from), time(end)).until_now().await.unwrap();
        let mut faults = Vec::new();
        while let Some(lines) = export.page().await.unwrap() {
            let lines: Vec<Value> = lines
                .iter()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            let wrong = lines
                .iter()
                .filter(|l| l["metadata"]["event_code"] == "not_as_signed");
            faults.extend(wrong.map(|line| {
                let word = line["status_detail"].as_str().unwrap().to_owned();
                (line["metadata"]["sequence"].as_u64().unwrap(), word)
            }));
            assert!(!lines.iter().any(|line| line["actor"]["user"]["uid"] == "u66"));
        }
        let word = |index: u64, word: &str| (index, word.to_owned());
        assert_eq!(
            faults,
            [word(1, "missing"), word(2, "altered"), word(index, "altered")]
        );
        assert_eq!(export.faults(), 3);
    }
    // Not `finish`, which looks for rows that are gone.
    app.app.close().await;
}
both!(forged_entries, async |database| a_forged_entry_is_named(database)
    .await);

async fn a_chain_that_was_cut_short_is_not_complete(database: &Database) {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/1", record(1)).await;
    seen(&app, &guest, "u17", 2).await;
    seen(&app, &guest, "spy", 1).await;
    grow(&app).await;
    assert_eq!(report(&app, &guest).await["complete"], true);
    let store = app.app.vault.store.clone();
    let verifier = app.app.sequencer.signer().verifier().clone();
    let mut patrol = Patrol::new(Stored::new(store.clone()), verifier);
    assert_eq!(patrol.step().await.unwrap(), None, "no false alarm");
    // As if the last look had never been.
    let before = "SELECT l.previous FROM log_entry l JOIN audit_event e ON e.entry_id = l.entry_id
                  WHERE e.actor = 'spy'";
    run(
        &store,
        &format!(
            "UPDATE log_subject SET seq = seq - 1, leaf_hash = ({before})
             WHERE seq = (SELECT max(seq) FROM log_subject)"
        ),
    )
    .await;
    run(
        &store,
        "UPDATE audit_event SET guest_id = NULL WHERE actor = 'spy'",
    )
    .await;
    let told = report(&app, &guest).await;
    assert!(
        told["accesses"]
            .as_array()
            .unwrap()
            .iter()
            .all(|line| line["actor"] != "spy")
    );
    assert_eq!(
        (&told["complete"], &told["proof"][0]["complete"]),
        (&json!(false), &json!(false)),
        "{told}"
    );
    let found = patrol.step().await.unwrap().expect("a finding");
    assert!(found.what.contains("log_subject"), "{found:?}");
    app.finish().await;
}
both!(cut_short, async |database| {
    a_chain_that_was_cut_short_is_not_complete(database).await;
});

async fn what_was_pruned_is_not_missing(database: &Database) {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/1", record(1)).await;
    seen(&app, &guest, "u17", 2).await;
    let desk = app.errand("front_desk", "check_in").await;
    for n in 0..300 {
        let path = format!("/v1/guests/00000000-0000-7000-8000-{n:012}");
        assert_eq!(app.get(&desk, &path).await.status, 404);
    }
    grow(&app).await;
    app.set_clock("2026-04-05T10:00:00Z");
    let auditor = app.errand("auditor", "internal_audit").await;
    let exposed = async |from: &str| {
        let question = json!({"actor": "u17", "from": from, "to": "2026-04-05T00:00:00Z"});
        let told = app.post(&auditor, "/v1/audit/exposure", question).await.body;
        (told["disclosures"].clone(), told.get("log_begins_at").cloned())
    };
    assert_eq!(exposed("2026-03-01T00:00:00Z").await, (json!(2), None));
    let log = Stored::new(app.app.vault.store.clone());
    let day = |day: &str| format!("{day}T00:00:00Z").parse().unwrap();
    assert_eq!(
        log.prune(day("2026-03-10"), day("2026-01-01")).await.unwrap(),
        256
    );
    // What was removed is not counted, and the answer says so.
    let begins = json!({"index": 256, "at": "2026-03-05T10:00:00Z"});
    assert_eq!(exposed("2026-03-01T00:00:00Z").await, (json!(0), Some(begins)));
    assert_eq!(exposed("2026-03-06T00:00:00Z").await, (json!(0), None));
    let mut browser = Browser::signed_in(&app, "auditor").await;
    for (from, warned) in [("2026-03-01", true), ("2026-03-06", false)] {
        let path = format!("/console/exposure?from={from}&to=2026-04-04");
        let page = browser.look(&path).await.text();
        assert_eq!(page.contains("the log begins at index 256"), warned, "{page}");
    }
    let vkey = app.app.sequencer.signer().verifier().vkey();
    // Nothing about the guest is left; then its chain goes on.
    let mut pruned = 0;
    for more in 0..2 {
        let told = report(&app, &guest).await;
        let year = &told["proof"][0];
        assert_eq!(
            (&told["complete"], &year["complete"]),
            (&json!(true), &json!(true)),
            "{told}"
        );
        assert_eq!(year["entries"].as_array().unwrap().len(), more);
        pruned = year["pruned"].as_u64().unwrap();
        assert_eq!(year["count"], pruned + u64::try_from(more).unwrap());
        let (code, said) = checked(database.dir(), &told, &vkey);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("not kept any more"), "{said}");
        grow(&app).await;
    }
    assert!(pruned >= 3);
    // One that was not pruned is missing.
    seen(&app, &guest, "u18", 1).await;
    grow(&app).await;
    run(
        &app.app.vault.store,
        "UPDATE audit_event SET guest_id = NULL WHERE action = 'access_report' AND entry_id IN
             (SELECT entry_id FROM log_entry WHERE subject_seq IS NOT NULL)",
    )
    .await;
    assert_eq!(report(&app, &guest).await["complete"], false);
    // Not `finish`, which looks for rows that are gone.
    app.app.close().await;
}
both!(pruned, async |database| what_was_pruned_is_not_missing(database)
    .await);
