//! Erasure: by two people, in full or as far as the law lets it, and nothing of it left.

use actix_web::http::Method;
use guest_vault::{
    base::{Category, GuestId},
    crypto::age,
    erasure::{
        certificate,
        sql::{STAY_BEHIND, WITH_THE_GUEST},
    },
    on,
    store::Which,
};
use serde_json::{Value, json};

use crate::{
    rights::{lin, officer},
    support::{
        app::{Answer, TestApp},
        browser::Browser,
        canaries::Canaries,
        database::{Database, both},
        guests,
    },
};

/// Opens an erasure for a guest, makes sure of who asks, and shows its preview.
pub(crate) async fn asked(app: &TestApp, guest: &str) -> (String, Answer) {
    let desk = app
        .errand("front_desk", "subject_request")
        .await
        .with("vault-actor", "s-1");
    let wanted =
        json!({"guest_id": guest, "type": "erasure", "regime": "gdpr", "received_via": "front_desk"});
    let opened = app.post(&desk, "/v1/requests", wanted).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    let case = format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap());
    let one = officer(app, "o-1").await;
    let verified = app
        .post(&one, &format!("{case}/verify"), json!({"result": "passed"}))
        .await;
    assert_eq!(verified.body["state"], "verified", "{verified:?}");
    let preview = app.get(&one, &format!("{case}/preview")).await;
    assert_eq!(preview.status, 200, "{preview:?}");
    (case, preview)
}

pub(crate) async fn approve(app: &TestApp, case: &str, preview: &Answer, actor: &str) -> Answer {
    let decision = json!({"decision": "approve", "preview": preview.body["fingerprint"]});
    app.post(&officer(app, actor).await, &format!("{case}/decision"), decision)
        .await
}

fn fate(preview: &Value, category: &str) -> String {
    let all = preview["categories"].as_array().unwrap();
    let found = all.iter().find(|fate| fate["category"] == category);
    found
        .map_or("absent", |fate| fate["fate"].as_str().unwrap())
        .to_owned()
}

both!(
    an_erased_guest_is_gone_and_the_registers_copy_stays_until_its_day,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let (case, preview) = asked(&app, &guest).await;
        assert_eq!(preview.body["whole"], true);
        assert_eq!(fate(&preview.body, "contact"), "erase");
        assert_eq!(fate(&preview.body, "statutory"), "restrict");

        let blind = app
            .post(
                &officer(&app, "o-2").await,
                &format!("{case}/decision"),
                json!({"decision": "approve", "preview": "another"}),
            )
            .await;
        assert_eq!(
            (blind.status, blind.problem()),
            (409, "conflict"),
            "what was not seen is not approved"
        );
        let itself = app
            .errand("compliance_officer", "subject_request")
            .await
            .at("GROUP")
            .with("vault-actor", "s-1");
        let decision = json!({"decision": "approve", "preview": preview.body["fingerprint"]});
        let same = app.post(&itself, &format!("{case}/decision"), decision).await;
        assert_eq!(
            (same.status, same.problem()),
            (409, "conflict"),
            "who took it in does not decide"
        );

        let done = approve(&app, &case, &preview, "o-2").await;
        assert_eq!(
            (done.status, &done.body["state"]),
            (200, &json!("done")),
            "{done:?}"
        );
        let read = app
            .get(&app.role("front_desk").await, &format!("/v1/guests/{guest}"))
            .await;
        assert_eq!((read.status, read.problem()), (410, "gone"));
        let again = app
            .get(&officer(&app, "o-1").await, &format!("{case}/preview"))
            .await;
        assert_eq!(again.status, 410);

        let lawful = app
            .errand("compliance_officer", "legal_retention")
            .await
            .at("GROUP");
        let register = app.get(&lawful, &format!("/v1/guests/{guest}/register")).await;
        assert_eq!(register.status, 200, "{register:?}");
        assert_eq!(register.body["entries"][0]["guest"]["name.surname"], "Lin");
        assert_eq!(register.body["entries"][0]["keep_until"], "2027-01-12");
        assert!(register.body["entries"][0]["guest"].get("phones").is_none());
        let curious = app
            .get(
                &app.role("front_desk").await,
                &format!("/v1/guests/{guest}/register"),
            )
            .await;
        assert_eq!(curious.status, 403);

        // The same source speaks of the same person again: somebody new, because nobody can know better.
        let back = app
            .guest("pms/l-1", lin("R-2", "2026-03-10", "2026-03-12", "confirmed"))
            .await;
        assert_ne!(back, guest);

        app.set_clock("2027-01-13T03:00:00Z");
        assert_eq!(app.app.requests().eraser.sweep_registers().await.unwrap(), 1);
        assert_eq!(
            app.get(&lawful, &format!("/v1/guests/{guest}/register"))
                .await
                .status,
            404
        );
        let keys = app
            .app
            .vault
            .keys
            .fresh_guest_keys(guest.parse().unwrap(), &Category::ALL)
            .await
            .unwrap();
        assert!(Category::ALL.into_iter().all(|category| !keys.has(category)));
        app.app.close().await;
    }
);

both!(
    who_is_in_the_house_is_erased_when_the_stay_is_over,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-03-04", "2026-03-07", "checked_in"))
            .await;
        let (case, preview) = asked(&app, &guest).await;
        assert_eq!(preview.body["open_stay"], true);
        assert_eq!(fate(&preview.body, "preference"), "erase");
        assert_eq!(fate(&preview.body, "contact"), "keep");
        let now = approve(&app, &case, &preview, "o-2").await;
        assert_eq!(now.body["state"], "waiting", "{now:?}");
        let desk = app.role("front_desk").await;
        let read = app.get(&desk, &format!("/v1/guests/{guest}")).await;
        assert_eq!((read.status, read.value("name.surname")), (200, &json!("Lin")));
        assert_eq!(read.view("preferences.room"), "absent");
        assert_eq!(app.app.requests().go_on().await.unwrap(), 0);

        app.set_clock("2026-03-08T10:00:00Z");
        assert_eq!(app.app.requests().go_on().await.unwrap(), 1);
        assert_eq!(app.get(&desk, &format!("/v1/guests/{guest}")).await.status, 410);
        let closed = app.get(&officer(&app, "o-1").await, &case).await;
        assert_eq!(closed.body["state"], "done");
        let steps: Vec<&str> = closed.body["timeline"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["step"].as_str().unwrap())
            .collect();
        assert_eq!(steps, ["received", "verified", "approved", "done"]);
        app.app.close().await;
    }
);

both!(
    a_hold_keeps_what_it_covers_out_of_sight_until_it_is_lifted,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let holds = format!("/v1/guests/{guest}/holds");
        let hold = json!({"matter": "C-17/26", "ground": "legal_claim", "categories": ["contact"], "review_on": "2026-09-01"});
        let put = app.post(&officer(&app, "o-1").await, &holds, hold).await;
        let (case, preview) = asked(&app, &guest).await;
        assert_eq!(
            (fate(&preview.body, "contact"), fate(&preview.body, "identity")),
            ("keep".into(), "erase".into())
        );
        let part = approve(&app, &case, &preview, "o-2").await;
        assert_eq!(part.body["state"], "waiting", "{part:?}");
        let read = app
            .get(&app.role("front_desk").await, &format!("/v1/guests/{guest}"))
            .await;
        assert_eq!((read.status, read.problem()), (403, "restricted"));
        let lawful = app
            .errand("compliance_officer", "legal_retention")
            .await
            .at("GROUP");
        assert_eq!(app.get(&lawful, &format!("/v1/guests/{guest}")).await.status, 200);
        app.app
            .vault
            .inspect()
            .await
            .map(|found| assert_eq!(found.damaged, 0, "{:?}", found.places))
            .unwrap();

        let hold = format!("{holds}/{}", put.body["hold_id"].as_str().unwrap());
        assert_eq!(
            app.call(&officer(&app, "o-2").await, Method::DELETE, &hold, None)
                .await
                .status,
            204
        );
        assert_eq!(app.app.requests().go_on().await.unwrap(), 1);
        assert_eq!(app.get(&lawful, &format!("/v1/guests/{guest}")).await.status, 410);
        app.app.close().await;
    }
);

both!(
    nobody_learns_from_a_request_whether_there_is_such_a_guest,
    async |database| {
        let app = TestApp::start(database).await;
        app.guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let desk = app.errand("front_desk", "subject_request").await;
        let ask = async |by: Value| {
            let wanted =
                json!({"identifiers": by, "type": "access", "regime": "gdpr", "received_via": "email"});
            let mut answer = app.post(&desk, "/v1/requests", wanted).await;
            answer.body.as_object_mut().unwrap().remove("request_id");
            (answer.status, answer.body)
        };
        let known = ask(json!({"email": "lin.mei@guests.example"})).await;
        let again = ask(json!({"email": "lin.mei@guests.example"})).await;
        let stranger = ask(json!({"email": "nobody@guests.example"})).await;
        assert_eq!(known, (201, json!({"state": "received", "due_on": "2026-04-06"})));
        assert_eq!((&again, &stranger), (&known, &known));
        assert_eq!(app.get(&desk, "/v1/requests").await.status, 403);
        let queue = app
            .get(&officer(&app, "o-1").await, "/v1/requests?due_before=2026-05-01")
            .await;
        let states: Vec<&str> = queue.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["state"].as_str().unwrap())
            .collect();
        assert_eq!(states, ["received", "duplicate", "received"]);
        let nobody = format!(
            "/v1/requests/{}",
            queue.body["items"][0]["request_id"].as_str().unwrap()
        );
        let one = officer(&app, "o-1").await;
        let unknown = app
            .post(&one, &format!("{nobody}/verify"), json!({"result": "passed"}))
            .await;
        assert_eq!(unknown.status, 409);
        let denied = app
            .post(
                &one,
                &format!("{nobody}/decision"),
                json!({"decision": "deny", "ground": "no_match"}),
            )
            .await;
        assert_eq!(denied.body["state"], "denied", "{denied:?}");
        app.finish().await;
    }
);

both!(
    nothing_of_an_erased_guest_is_left_in_the_databases,
    async |database| {
        let app = TestApp::start(database).await;
        let mut canaries = Canaries::default();
        let reservation = canaries.marked("reservation");
        let mut stay = json!({"property": "LIS01", "arrival": "2026-01-01", "departure": "2026-01-03",
                              "status": "checked_out"});
        let mut record = json!({"guest": guests::filled(&mut canaries), "stays": [stay],
                                "consents": [guests::consent(&mut canaries, "loyalty")]});
        record["stays"][0]["reservation"] = json!(reservation);
        let source = format!("pms/{}", canaries.marked("source_id"));
        let guest = app.guest(&source, record).await;
        stay.as_object_mut().unwrap().remove("property");
        let desk = app.errand("front_desk", "check_in").await;
        let path = format!("/v1/guests/{guest}/stays/{reservation}");
        assert_eq!(app.put(&desk, &path, stay).await.status, 200);
        let other = app
            .guest("pms/other", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let system_id = source.strip_prefix("pms/").unwrap();
        let brought =
            json!({"source_system": "pms", "source_id": system_id, "guest": {"gender": 2}}).to_string();
        let pms = app.errand("integration", "loyalty").await;
        let request = TestApp::request(&pms, Method::POST, "/v1/imports")
            .insert_header(("content-type", "application/x-ndjson"))
            .set_payload(brought);
        let imported = app.send(request).await;
        assert_eq!(imported.status, 200, "{imported:?}");
        let noticed = app
            .post(
                &app.role("housekeeping").await,
                &format!("/v1/guests/{guest}/observations"),
                json!({"text": "likes two feather pillows"}),
            )
            .await;
        assert_eq!(noticed.status, 201, "{noticed:?}");
        let mut tx = app.app.vault.store.begin().await.unwrap();
        let found = ("emails", "bounced");
        assert!(
            tx.add_finding(guest.parse().unwrap(), found, (1, 0))
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
        let steward = app.errand("crm", "service_follow_up").await;
        let consumer = json!({"consumer": "01890000-0000-7000-8000-000000000001"});
        let handle = app
            .post(&steward, &format!("/v1/guests/{guest}/pseudonyms"), consumer)
            .await;
        assert_eq!(handle.status, 200, "{handle:?}");
        let house = app.errand("integration", "booking").await;
        let links = format!("/v1/guests/{guest}/portal-sessions");
        let used = app.post(&house, &links, json!({})).await;
        let mut browser = Browser::new(&app);
        let path = used.body["path"].as_str().unwrap();
        assert_eq!(browser.get(path).await, 200);
        assert_eq!(browser.submit(path, &[]).await, 200);
        assert_eq!(app.post(&house, &links, json!({})).await.status, 201);
        let before = rows_of(&app, &guest).await;
        assert!(
            before.iter().all(|(_, count)| *count > 0),
            "every table has something to lose: {before:?}"
        );
        let (case, preview) = asked(&app, &guest).await;
        let done = approve(&app, &case, &preview, "o-2").await;
        assert_eq!(done.body["state"], "done", "{done:?}");
        for (table, count) in rows_of(&app, &guest).await {
            assert_eq!(count, 0, "{table}");
        }
        let keys = app
            .app
            .vault
            .keys
            .fresh_guest_keys(guest.parse().unwrap(), &Category::ALL)
            .await
            .unwrap();
        let left: Vec<Category> = Category::ALL
            .into_iter()
            .filter(|category| keys.has(*category))
            .collect();
        // A Portuguese guest of a Portuguese house: no register asks for anything.
        assert!(left.is_empty(), "{left:?}");
        let desk = app.role("front_desk").await;
        assert_eq!(
            app.get(&desk, &format!("/v1/guests/{other}"))
                .await
                .value("name.surname"),
            "Lin"
        );
        app.app.close().await;
    }
);

/// How many rows of a guest each table holds of those that go with it.
async fn rows_of(app: &TestApp, guest: &str) -> Vec<(&'static str, i64)> {
    let guest: GuestId = guest.parse().unwrap();
    let mut conn = app.app.vault.store.read().await.unwrap();
    let mut all = Vec::new();
    for table in WITH_THE_GUEST {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE guest_id = $1"));
        let count: i64 =
            on!(&mut conn, c => sqlx::query_scalar(sql).bind(guest.0).fetch_one(c).await.unwrap());
        all.push((*table, count));
    }
    all
}

both!(
    every_table_that_names_a_guest_is_thought_of,
    async |database: &Database| {
        let store = database.open(Which::Data).await;
        let mut conn = store.read().await.unwrap();
        let named: Vec<String> = match store.name() {
            "sqlite" => on!(&mut conn, c => sqlx::query_scalar(
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) p ON p.name = 'guest_id'
             WHERE m.type = 'table' ORDER BY m.name").fetch_all(c).await.unwrap()),
            _ => on!(&mut conn, c => sqlx::query_scalar(
            "SELECT table_name::text FROM information_schema.columns
             WHERE column_name = 'guest_id' AND table_schema = current_schema() ORDER BY table_name").fetch_all(c).await.unwrap()),
        };
        drop(conn);
        store.close().await;
        let known: Vec<&str> = WITH_THE_GUEST.iter().chain(STAY_BEHIND).copied().collect();
        let forgotten: Vec<&String> = named
            .iter()
            .filter(|table| !known.contains(&table.as_str()))
            .collect();
        assert!(
            forgotten.is_empty(),
            "an erasure must say what becomes of {forgotten:?}: src/erasure/sql.rs"
        );
        assert!(named.len() >= known.len(), "{named:?}");
    }
);

both!(
    a_certificate_is_proven_offline_and_names_nobody,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let (case, preview) = asked(&app, &guest).await;
        let one = officer(&app, "o-1").await;
        assert_eq!(app.get(&one, &format!("{case}/certificate")).await.status, 409);
        approve(&app, &case, &preview, "o-2").await;
        let told = app.get(&one, &format!("{case}/certificate")).await;
        assert_eq!(told.status, 200, "{told:?}");
        let text = String::from_utf8(told.bytes.clone()).unwrap();
        for personal in ["Lin", "lin.mei", "E87654321", guest.as_str(), "LIS01"] {
            assert!(!text.contains(personal), "{personal}");
        }
        let verifier = app.app.sequencer.signer().verifier().clone();
        let proven = certificate::verify(&text, &verifier).unwrap();
        assert!(proven.complete && proven.runs[0].keys_destroyed > 0);
        assert_eq!(proven.backups_until.to_string(), "2026-04-09");
        let mut changed = told.body.clone();
        changed["certificate"]["runs"][0]["keys_destroyed"] = json!(99);
        assert!(certificate::verify(&changed.to_string(), &verifier).is_err());
        let mut fewer = told.body.clone();
        fewer["evidence"] = json!([]);
        assert!(certificate::verify(&fewer.to_string(), &verifier).is_err());

        // Somebody else's tool, with nothing but the file and the log's key.
        let file = database.dir().join("certificate.json");
        std::fs::write(&file, &text).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rights/certificate.py");
        let check = |file: &std::path::Path| {
            let ran = std::process::Command::new("/usr/bin/python3")
                .arg(script)
                .arg(file)
                .arg(verifier.vkey())
                .output()
                .unwrap();
            (
                ran.status.code(),
                String::from_utf8_lossy(&ran.stderr).into_owned(),
            )
        };
        if has_python() {
            assert_eq!(check(&file).0, Some(0), "{:?}", check(&file));
            std::fs::write(&file, changed.to_string()).unwrap();
            assert_eq!(check(&file).0, Some(1));
        }
        app.app.close().await;
    }
);

/// Whether there is a Python here that has what the script needs.
fn has_python() -> bool {
    let asked = std::process::Command::new("/usr/bin/python3")
        .args(["-c", "import cryptography"])
        .output();
    asked.is_ok_and(|ran| ran.status.success())
}

both!(
    a_package_holds_every_value_of_the_guest_and_none_of_another,
    async |database| {
        let app = TestApp::start(database).await;
        let (mut own, mut others) = (Canaries::default(), Canaries::default());
        let record = |c: &mut Canaries| {
            json!({"guest": guests::filled(c), "stays": [guests::stay(c)],
        "consents": [guests::consent(c, "loyalty")]})
        };
        let guest = app
            .guest(&format!("pms/{}", own.marked("source_id")), record(&mut own))
            .await;
        app.guest(
            &format!("pms/{}", others.marked("source_id")),
            record(&mut others),
        )
        .await;
        let noticed = json!({"text": format!("likes {} in the room", own.word("observation"))});
        let noted = app
            .post(
                &app.role("housekeeping").await,
                &format!("/v1/guests/{guest}/observations"),
                noticed,
            )
            .await;
        assert_eq!(noted.status, 201, "{noted:?}");
        let desk = app
            .errand("front_desk", "subject_request")
            .await
            .with("vault-actor", "s-1");
        let wanted = json!({"guest_id": guest, "type": "access", "regime": "gdpr", "received_via": "email"});
        let opened = app.post(&desk, "/v1/requests", wanted).await;
        let case = format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap());
        let one = officer(&app, "o-1").await;
        app.post(&one, &format!("{case}/verify"), json!({"result": "passed"}))
            .await;
        assert_eq!(app.get(&one, &format!("{case}/package")).await.status, 409);
        let ready = app
            .post(
                &officer(&app, "o-2").await,
                &format!("{case}/decision"),
                json!({"decision": "approve"}),
            )
            .await;
        assert_eq!(ready.body["state"], "ready", "{ready:?}");
        let package = app.get(&one, &format!("{case}/package")).await;
        assert_eq!(
            (package.status, package.headers["content-type"].as_str()),
            (200, "application/zip")
        );
        let missing = own.missing_in(&package.bytes);
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(others.found_in(&package.bytes), [""; 0]);
        assert_eq!(app.get(&one, &case).await.body["state"], "done");

        let identity = age::Identity::random();
        let path = format!("{case}/package?recipient={}", identity.recipient());
        let sealed = app.get(&one, &path).await;
        assert!(own.found_in(&sealed.bytes).is_empty());
        let mut plain = Vec::new();
        age::decrypt(
            &age::Opener::Identities(&[identity]),
            &mut sealed.bytes.as_slice(),
            &mut plain,
        )
        .unwrap();
        assert!(plain.starts_with(b"PK\x03\x04") && own.missing_in(&plain).is_empty());

        let words = "correct horse battery";
        let closed = app
            .post(&one, &format!("{case}/package"), json!({ "passphrase": words }))
            .await;
        let mut plain = Vec::new();
        age::decrypt(
            &age::Opener::Passphrase(words),
            &mut closed.bytes.as_slice(),
            &mut plain,
        )
        .unwrap();
        assert!(own.missing_in(&plain).is_empty());
        let short = app
            .post(&one, &format!("{case}/package"), json!({"passphrase": "short"}))
            .await;
        assert_eq!(short.status, 400);
        app.finish().await;
    }
);
