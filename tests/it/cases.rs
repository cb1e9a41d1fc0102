//! Cases of guests under pressure: of another house, decided twice at once, joined, ended, carried out.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    merging::{merge, undo},
    rights::{lin, officer},
    support::{
        app::{Answer, Errand, TestApp},
        database::both,
    },
};

async fn guest(app: &TestApp, number: u32) -> String {
    let mut record = lin(&format!("R-{number}"), "2026-01-10", "2026-01-12", "checked_out");
    record["guest"]["phones"] = json!([{"number": format!("+86 139 1234 {number:04}"), "kind": "mobile"}]);
    record["guest"]["emails"] = json!([{"address": format!("lin{number}@guests.example")}]);
    record["guest"]["id_documents"][0]["number"] = json!(format!("E8765{number:04}"));
    record["guest"]["name"] = json!({"surname": format!("Lin{number}"), "given": "Mei"});
    record["guest"]["birth_date"] = json!(format!("19{:02}-02-03", number + 50));
    app.guest(&format!("pms/{number}"), record).await
}

/// Opens a case of this guest; gives its path.
async fn opened(app: &TestApp, guest: &str, kind: &str) -> String {
    let desk = app
        .errand("front_desk", "subject_request")
        .await
        .with("vault-actor", "s-1");
    let wanted = json!({"guest_id": guest, "type": kind, "regime": "gdpr", "received_via": "phone"});
    let opened = app.post(&desk, "/v1/requests", wanted).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap())
}

async fn decide(app: &TestApp, by: &Errand, case: &str, body: Value) -> Answer {
    app.post(by, &format!("{case}/decision"), body).await
}

/// The same, made sure of.
async fn verified(app: &TestApp, guest: &str, kind: &str) -> String {
    let case = opened(app, guest, kind).await;
    let passed = json!({"result": "passed"});
    let one = officer(app, "o-1").await;
    assert_eq!(
        app.post(&one, &format!("{case}/verify"), passed).await.status,
        200
    );
    case
}

/// The same, approved.
pub(crate) async fn approved(app: &TestApp, guest: &str, kind: &str) -> String {
    let case = verified(app, guest, kind).await;
    let done = decide(
        app,
        &officer(app, "o-2").await,
        &case,
        json!({"decision": "approve"}),
    )
    .await;
    assert_eq!(done.status, 200, "{done:?}");
    case
}

/// Whether the guest is out of sight.
pub(crate) async fn restricted(app: &TestApp, guest: &str) -> bool {
    let crm = app.errand("crm", "loyalty").await.at("GROUP");
    let read = app.get(&crm, &format!("/v1/guests/{guest}")).await;
    let told = read.status == 403 && read.problem() == "restricted";
    assert!(told || read.status == 200, "{read:?}");
    told
}

fn deny() -> Value {
    json!({"decision": "deny", "ground": "no_match"})
}

both!(
    who_works_for_one_house_works_on_its_cases_alone,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = guest(&app, 1).await;
        let case = approved(&app, &guest, "access").await;
        let of = async |scope: &'static str| {
            let officer = app.role_in("compliance_officer", &[scope]).await;
            officer.about("subject_request").at(scope)
        };
        let listed = async |errand: &Errand| {
            let told = app.get(errand, "/v1/requests").await;
            assert_eq!(told.status, 200, "{told:?}");
            told.body["items"].as_array().unwrap().len()
        };
        let (other, same) = (of("SHA01").await, of("LIS01").await);
        assert_eq!((listed(&other).await, listed(&same).await), (0, 1));
        for path in ["", "/preview", "/certificate"] {
            let told = app.get(&other, &format!("{case}{path}")).await;
            assert_eq!((told.status, told.problem()), (404, "not-found"), "{path}");
        }
        let package = app.get(&other, &format!("{case}/package")).await;
        assert_eq!(package.status, 404);
        for (path, body) in [
            ("verify", json!({"result": "passed"})),
            ("decision", deny()),
            ("lift", json!({"guest_told_on": "2026-03-01"})),
        ] {
            let told = app.post(&other, &format!("{case}/{path}"), body).await;
            assert_eq!(told.status, 404, "{path}: {told:?}");
        }
        assert_eq!(app.get(&same, &case).await.status, 200);
        app.finish().await;
    }
);

both!(of_two_decisions_at_once_one_counts, async |database| {
    let app = TestApp::start(database).await;
    let (one, other) = (officer(&app, "o-2").await, officer(&app, "o-3").await);
    let mut seen = std::collections::HashSet::new();
    for (number, kind) in (10..).zip(["restriction", "objection", "restriction", "objection"]) {
        let guest = guest(&app, number).await;
        assert!(seen.insert(guest.clone()), "each case is of a guest of its own");
        let case = verified(&app, &guest, kind).await;
        let yes = decide(&app, &one, &case, json!({"decision": "approve"}));
        let no = decide(&app, &other, &case, deny());
        let (yes, no) = join(yes, no).await;
        let mut both = [yes.status, no.status];
        both.sort_unstable();
        assert_eq!(both, [200, 409], "{yes:?} {no:?}");
        // What was denied did nothing.
        if kind == "restriction" {
            assert_eq!(restricted(&app, &guest).await, yes.status == 200);
        } else {
            let crm = app.errand("crm", "marketing_direct").await.at("GROUP");
            let said = app.get(&crm, &format!("/v1/guests/{guest}/consents")).await;
            let objected = said.body.to_string().contains("objected");
            assert_eq!(objected, yes.status == 200, "{said:?}");
        }
    }
    app.finish().await;
});

both!(
    what_is_carried_out_is_neither_denied_nor_put_off,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = guest(&app, 1).await;
        let holds = format!("/v1/guests/{guest}/holds");
        let hold = json!({"matter": "C-17/26", "ground": "legal_claim", "categories": ["identity"], "review_on": "2026-09-01"});
        assert_eq!(
            app.post(&officer(&app, "o-1").await, &holds, hold).await.status,
            201
        );
        let case = approved(&app, &guest, "erasure").await;
        let other = officer(&app, "o-3").await;
        assert_eq!(app.get(&other, &case).await.body["state"], "waiting");
        for body in [deny(), json!({"decision": "extend", "ground": "complexity"})] {
            let told = decide(&app, &other, &case, body).await;
            assert_eq!((told.status, told.problem()), (409, "conflict"), "{told:?}");
        }
        let certificate = app.get(&other, &format!("{case}/certificate")).await;
        assert_eq!(certificate.status, 200, "{certificate:?}");
        app.finish().await;
    }
);

both!(a_restriction_ends_once_and_no_other_with_it, async |database| {
    let app = TestApp::start(database).await;
    let guest = guest(&app, 1).await;
    let lift = async |case: &str| {
        let told = json!({"guest_told_on": "2026-03-01"});
        let by = officer(&app, "o-3").await;
        app.post(&by, &format!("{case}/lift"), told).await.status
    };
    let first = approved(&app, &guest, "restriction").await;
    let second = approved(&app, &guest, "restriction").await;
    // What anybody asks in the guest's name keeps nothing.
    opened(&app, &guest, "erasure").await;
    assert_eq!(lift(&first).await, 200);
    assert!(restricted(&app, &guest).await, "the second stands");
    assert_eq!(lift(&first).await, 409);
    assert!(restricted(&app, &guest).await);
    assert_eq!(lift(&second).await, 200);
    assert!(!restricted(&app, &guest).await);
    app.finish().await;
});

both!(what_was_joined_is_not_denied_with_the_other, async |database| {
    let app = TestApp::start(database).await;
    let guest = guest(&app, 1).await;
    let (first, second) = (
        opened(&app, &guest, "access").await,
        opened(&app, &guest, "access").await,
    );
    let by = officer(&app, "o-2").await;
    let state = async |case: &str| app.get(&by, case).await.body["state"].clone();
    assert_eq!(state(&second).await, "duplicate");
    assert_eq!(decide(&app, &by, &first, deny()).await.status, 200);
    assert_eq!(
        (state(&first).await, state(&second).await),
        (json!("denied"), json!("received"))
    );
    assert!(app.get(&by, &second).await.body.get("duplicate_of").is_none());
    app.finish().await;
});

both!(
    what_was_joined_with_a_case_of_another_guest_is_not_lost,
    async |database| {
        let app = TestApp::start(database).await;
        let (asks, other) = (guest(&app, 1).await, guest(&app, 2).await);
        let (one, two) = (officer(&app, "o-1").await, officer(&app, "o-2").await);
        for decision in [deny(), json!({"decision": "approve"})] {
            let first = opened(&app, &asks, "objection").await;
            let second = opened(&app, &asks, "objection").await;
            let state = async |case: &str| app.get(&one, case).await.body["state"].clone();
            assert_eq!(state(&second).await, "duplicate");
            let of_other = json!({"result": "passed", "guest_id": other});
            let moved = app.post(&one, &format!("{first}/verify"), of_other).await;
            assert_eq!(moved.status, 200, "{moved:?}");
            assert_eq!(state(&second).await, "received");
            let decided = decide(&app, &two, &first, decision).await;
            assert_eq!(decided.status, 200, "{decided:?}");
            let passed = json!({"result": "passed"});
            let verified = app.post(&one, &format!("{second}/verify"), passed).await;
            assert_eq!(verified.body["guest_id"], json!(asks), "{verified:?}");
            let done = decide(&app, &two, &second, json!({"decision": "approve"})).await;
            assert_eq!(done.body["state"], "done", "{done:?}");
        }
        app.finish().await;
    }
);

both!(what_was_lost_with_another_case_is_found_again, async |database| {
    let app = TestApp::start(database).await;
    let by = officer(&app, "o-1").await;
    let mut pairs = Vec::new();
    for (number, gone) in [(1, "revoked"), (2, "done")] {
        let guest = guest(&app, number).await;
        let pair = [
            opened(&app, &guest, "access").await,
            opened(&app, &guest, "access").await,
        ];
        let id: uuid::Uuid = pair[0].rsplit('/').next().unwrap().parse().unwrap();
        let mut tx = app.app.vault.store.begin().await.unwrap();
        guest_vault::on!(&mut tx, c => {
            sqlx::query("UPDATE request SET state = $1 WHERE request_id = $2").bind(gone).bind(id).execute(c).await.unwrap();
        });
        tx.commit().await.unwrap();
        pairs.push(pair);
    }
    let mut tx = app.app.vault.store.begin().await.unwrap();
    let mend = include_str!("../../migrations/sqlite/0216_request_joined_lost.sql");
    guest_vault::on!(&mut tx, c => { sqlx::query(mend).execute(c).await.unwrap(); });
    tx.commit().await.unwrap();
    let state = async |case: &str| app.get(&by, case).await.body["state"].clone();
    assert_eq!(state(&pairs[0][1]).await, "received");
    assert_eq!(state(&pairs[1][1]).await, "duplicate", "answered with the other");
    app.finish().await;
});

both!(an_event_of_a_request_says_not_whose_it_is, async |database| {
    let app = TestApp::start(database).await;
    let guest = guest(&app, 1).await;
    let case = opened(&app, &guest, "access").await;
    let by = officer(&app, "o-2").await;
    assert_eq!(decide(&app, &by, &case, deny()).await.status, 200);
    let listener = app.errand("integration", "booking").await.at("GROUP");
    let told = app.get(&listener, "/v1/events?after=0").await;
    let events = told.body["items"].as_array().unwrap().iter();
    let of_case: Vec<&Value> = events
        .filter(|event| event["type"].as_str().unwrap().starts_with("request."))
        .collect();
    assert_eq!(of_case.len(), 2, "{told:?}");
    for event in of_case {
        assert!(!event.to_string().contains(&guest), "{event}");
    }
    // Elsewhere nobody hears of it.
    let elsewhere = app.role_in("integration", &["SHA01"]).await.at("SHA01");
    let told = app.get(&elsewhere, "/v1/events?after=0").await;
    assert!(!told.body.to_string().contains("request.opened"), "{told:?}");
    app.finish().await;
});

both!(a_package_is_made_again_for_some_days_only, async |database| {
    let app = TestApp::start(database).await;
    let guest = guest(&app, 1).await;
    let case = approved(&app, &guest, "access").await;
    let fetch = async || {
        let by = officer(&app, "o-1").await;
        app.get(&by, &format!("{case}/package")).await.status
    };
    assert_eq!((fetch().await, fetch().await), (200, 200));
    app.set_clock("2026-04-20T10:00:00Z");
    assert_eq!(fetch().await, 409);
    app.finish().await;
});

both!(nothing_is_approved_for_who_is_gone, async |database| {
    let app = TestApp::start(database).await;
    let guest = guest(&app, 1).await;
    let cases = [
        verified(&app, &guest, "access").await,
        verified(&app, &guest, "rectification").await,
    ];
    approved(&app, &guest, "erasure").await;
    for case in cases {
        let by = officer(&app, "o-2").await;
        let told = decide(&app, &by, &case, json!({"decision": "approve"})).await;
        assert_eq!(told.status, 410, "{told:?}");
    }
    app.finish().await;
});

both!(a_case_follows_its_guest_to_the_end_of_a_chain, async |database| {
    let app = TestApp::start(database).await;
    let (a, b, c) = (guest(&app, 1).await, guest(&app, 2).await, guest(&app, 3).await);
    let mut chain = Vec::new();
    for (survivor, absorbed) in [(&b, &c), (&a, &b)] {
        let merged = merge(&app, survivor, absorbed, "?force=true").await;
        assert_eq!(merged.status, 201, "{merged:?}");
        chain.push(merged);
    }
    let case = approved(&app, &c, "restriction").await;
    let told = app.get(&officer(&app, "o-2").await, &case).await;
    assert_eq!(told.body["guest_id"], json!(a), "{told:?}");
    assert!(restricted(&app, &a).await);
    let end = json!({"guest_told_on": "2026-03-01"});
    let by = officer(&app, "o-3").await;
    let lifted = app.post(&by, &format!("{case}/lift"), end).await;
    assert_eq!(lifted.status, 200, "{lifted:?}");
    let access = approved(&app, &c, "access").await;
    let package = app.get(&by, &format!("{access}/package")).await;
    assert_eq!(package.status, 200, "{package:?}");
    let whole = String::from_utf8_lossy(&package.bytes).into_owned();
    for name in ["Lin1", "Lin2", "Lin3"] {
        assert!(whole.contains(name), "{name}");
    }
    for merged in chain.iter().rev() {
        let undone = undo(&app, merged).await;
        assert_eq!(undone.status, 200, "{undone:?}");
    }
    app.finish().await;
});

both!(what_is_approved_of_one_is_done_to_that_one, async |database| {
    let app = TestApp::start(database).await;
    let mut asleep = 0;
    for number in (10..30).step_by(2) {
        let (a, b) = (guest(&app, number).await, guest(&app, number + 1).await);
        let case = verified(&app, &b, "erasure").await;
        let by = officer(&app, "o-2").await;
        let yes = decide(&app, &by, &case, json!({"decision": "approve"}));
        let (yes, merged) = join(yes, merge(&app, &a, &b, "?force=true")).await;
        let outcome = (yes.status, merged.status);
        let told = app.get(&by, &case).await;
        let crm = app.errand("crm", "loyalty").await.at("GROUP");
        let kept = app.get(&crm, &format!("/v1/guests/{a}")).await;
        let other = app.get(&crm, &format!("/v1/guests/{b}")).await;
        assert_eq!(kept.status, 200, "{outcome:?} {kept:?}");
        if told.body["state"] == "done" {
            assert_eq!((yes.status, other.status), (200, 410), "{outcome:?} {other:?}");
        } else {
            // The case went over, and nobody has approved anything about whom it is of now.
            assert_eq!(told.body["state"], "verified", "{outcome:?} {told:?}");
            assert_eq!(told.body["guest_id"], json!(a), "{outcome:?}");
            assert_eq!(outcome, (409, 201), "{yes:?} {merged:?}");
            asleep += 1;
        }
    }
    println!("{asleep} merges were faster");
    app.finish().await;
});

both!(
    while_an_approved_erasure_waits_nobody_is_added_or_parted,
    async |database| {
        let app = TestApp::start(database).await;
        let (a, b, c) = (guest(&app, 1).await, guest(&app, 2).await, guest(&app, 3).await);
        let merged = merge(&app, &a, &b, "?force=true").await;
        assert_eq!(merged.status, 201, "{merged:?}");
        // A stay that never ends would keep everything for ever.
        let pms = app.errand("integration", "booking").await;
        let path = format!("/v1/guests/{a}/stays/R-9");
        for (arrival, departure) in [("9999-12-30", "9999-12-31"), ("0001-01-01", "0001-01-02")] {
            let far =
                json!({"arrival": arrival, "departure": departure, "status": "confirmed", "channel": "web"});
            let refused = app.put(&pms, &path, far).await;
            assert!(
                refused.body.to_string().contains("impossible_date"),
                "{refused:?}"
            );
            assert!(refused.status >= 400, "{refused:?}");
        }
        // In the house until tomorrow.
        let staying = json!({"arrival": "2026-03-04", "departure": "2026-03-06", "status": "checked_in", "channel": "web"});
        let pms = app.errand("integration", "booking").await;
        let path = format!("/v1/guests/{a}/stays/R-9");
        let stay = app.put(&pms, &path, staying).await;
        assert!(stay.status < 300, "{stay:?}");
        let case = approved(&app, &a, "erasure").await;
        let by = officer(&app, "o-3").await;
        assert_eq!(app.get(&by, &case).await.body["state"], "waiting");
        for answer in [
            merge(&app, &a, &c, "?force=true").await,
            merge(&app, &c, &a, "?force=true").await,
            undo(&app, &merged).await,
        ] {
            assert_eq!((answer.status, answer.problem()), (409, "conflict"), "{answer:?}");
            let why = answer.body["detail"].as_str().unwrap();
            assert!(why.contains("erasure"), "{why}");
        }
        app.finish().await;
    }
);

both!(whom_nobody_saw_is_not_erased, async |database| {
    let app = TestApp::start(database).await;
    let by = officer(&app, "o-2").await;
    for number in (10..30).step_by(2) {
        let (a, b) = (guest(&app, number).await, guest(&app, number + 1).await);
        let case = verified(&app, &a, "erasure").await;
        let seen = app.get(&by, &format!("{case}/preview")).await;
        let decision = json!({"decision": "approve", "preview": seen.body["fingerprint"]});
        let yes = decide(&app, &by, &case, decision);
        let (yes, merged) = join(yes, merge(&app, &a, &b, "?force=true")).await;
        let crm = app.errand("crm", "loyalty").await.at("GROUP");
        let other = app.get(&crm, &format!("/v1/guests/{b}")).await;
        assert_ne!(other.status, 410, "{yes:?} {merged:?}");
        assert_eq!(other.status == 308, merged.status == 201, "{other:?}");
        assert_ne!((yes.status, merged.status), (200, 201), "one of the two counts");
    }
    app.finish().await;
});
