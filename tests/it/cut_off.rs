//! An erasure that is cut off at any of its steps is finished after the restart, once, and its certificate is true.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    database::{Database, both},
    http::Reply,
    served::Served,
};

/// Every place where the program can be cut off between two things that last.
const POINTS: [&str; 8] = [
    "approved",
    "intended",
    "in_the_log",
    "destroyed",
    "shredded",
    "removed",
    "scrubbed",
    "swept",
];

/// People who have nothing in common.
const PEOPLE: [(&str, &str, &str); 8] = [
    ("Abernathy", "Quentin", "1950-01-02"),
    ("Bjornstad", "Signe", "1961-11-13"),
    ("Chukwuma", "Obinna", "1972-09-24"),
    ("Delacroix", "Mirabelle", "1983-07-05"),
    ("Eszterhazy", "Tibor", "1944-05-16"),
    ("Fujimori", "Haruka", "1955-03-27"),
    ("Gutierrez", "Yolanda", "1966-12-08"),
    ("Hawthorne", "Percival", "1977-10-19"),
];

fn call(served: &Served, by: (&str, &str), to: (&str, &str), body: Option<&Value>) -> std::io::Result<Reply> {
    let (role, actor) = by;
    let purpose = if role == "integration" {
        "booking"
    } else {
        "subject_request"
    };
    let mut headers = served.headers(role, purpose);
    headers.push(("Vault-Actor".to_owned(), actor.to_owned()));
    let body = body.map(ToString::to_string).unwrap_or_default();
    served.call(to, &headers, body.as_bytes())
}

fn told(served: &Served, by: (&str, &str), to: (&str, &str), body: Option<&Value>) -> Value {
    let reply = call(served, by, to, body).expect("an answer");
    assert!(
        reply.status < 300,
        "{to:?}: {} {}",
        reply.status,
        String::from_utf8_lossy(&reply.body)
    );
    reply.json()
}

/// A guest who asked to be erased: the guest's id and the case's path.
fn asked(served: &Served, number: usize) -> (String, String) {
    let (surname, given, born) = PEOPLE[number];
    let record = json!({"guest": {"name": {"surname": surname, "given": given}, "birth_date": born,
        "emails": [{"address": format!("{given}@{surname}.example")}]}});
    let path = format!("/v1/records/pms/cut-{number}");
    let guest = told(served, ("integration", "pms"), ("PUT", &path), Some(&record));
    let guest = guest["guest_id"].as_str().unwrap().to_owned();
    let wanted = json!({"guest_id": guest, "type": "erasure", "regime": "gdpr", "received_via": "email"});
    let opened = told(
        served,
        ("front_desk", "s-1"),
        ("POST", "/v1/requests"),
        Some(&wanted),
    );
    let case = format!("/v1/requests/{}", opened["request_id"].as_str().unwrap());
    let passed = json!({"result": "passed"});
    told(
        served,
        ("compliance_officer", "o-1"),
        ("POST", &format!("{case}/verify")),
        Some(&passed),
    );
    (guest, case)
}

both!(
    an_erasure_that_is_cut_off_at_any_step_is_finished_once,
    async |database: &Database| {
        let mut served = Served::start(database, &["integration", "front_desk", "compliance_officer"]);
        for (number, point) in POINTS.into_iter().enumerate() {
            let (guest, case) = asked(&served, number);
            served.kill_nine();
            served = served.restart_until(point);
            let officer = ("compliance_officer", "o-2");
            let preview = told(&served, officer, ("GET", &format!("{case}/preview")), None);
            let decision = json!({"decision": "approve", "preview": preview["fingerprint"]});
            let cut = call(
                &served,
                officer,
                ("POST", &format!("{case}/decision")),
                Some(&decision),
            );
            assert!(cut.is_err(), "{point}: the program was not cut off there");
            served = served.restart();
            let done = (0..600).any(|_| {
                thread::sleep(Duration::from_millis(100));
                told(&served, officer, ("GET", &case), None)["state"] == "done"
            });
            assert!(done, "{point}: it did not go on by itself");
            let gone = call(&served, officer, ("GET", &format!("/v1/guests/{guest}")), None).unwrap();
            assert_eq!(gone.status, 410, "{point}");
            let certified = told(&served, officer, ("GET", &format!("{case}/certificate")), None);
            let certificate = &certified["certificate"];
            assert_eq!(certificate["complete"], true, "{point}");
            let runs = certificate["runs"].as_array().unwrap();
            assert_eq!(runs.len(), 1, "{point}: {runs:?}");
            assert!(
                runs[0]["intent"].as_u64() < runs[0]["confirmation"].as_u64(),
                "{point}: {runs:?}"
            );
        }
        assert!(served.terminate());
    }
);
