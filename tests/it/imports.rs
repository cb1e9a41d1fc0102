//! Imports over the network: a line's answer each, one audited job, taken back while nothing else touched it.

use std::fs;

use actix_web::http::Method;
use futures_util::future::join;
use guest_vault::{base::ImportId, guest::Counts, on, store::Which};
use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::support::{
    app::{Answer, Errand, TestApp},
    database::{both, on_sqlite},
    process::Process,
    served::Served,
};

pub(crate) fn record(id: u32) -> Value {
    json!({"source_system": "old", "source_id": id.to_string(),
           "guest": {"name": {"surname": format!("Guest{id}"), "given": "Ana"}, "birth_date": format!("198{id}-02-1{id}"), "emails": [{"address": format!("g{id}@guests.example")}]},
           "stays": [{"reservation": format!("R{id}"), "arrival": "2026-03-04", "departure": "2026-03-07", "status": "confirmed"}]})
}

pub(crate) async fn send(app: &TestApp, errand: &Errand, query: &str, body: String) -> Answer {
    let request = TestApp::request(errand, Method::POST, &format!("/v1/imports{query}"))
        .insert_header(("content-type", "application/x-ndjson"))
        .set_payload(body);
    app.send(request).await
}

pub(crate) fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = std::str::from_utf8(&answer.bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn acts(app: &TestApp, action: &str) -> Vec<Value> {
    let officer = app.role("compliance_officer").await;
    let found = app
        .get(&officer, &format!("/v1/audit/entries?action={action}&limit=200"))
        .await;
    assert_eq!(found.status, 200, "{found:?}");
    found.body["items"].as_array().unwrap().clone()
}

both!(every_line_is_answered_and_the_job_counted, async |database| {
    let app = TestApp::start(database).await;
    let pms = app.errand("integration", "loyalty").await;
    let mut card = record(3);
    card["guest"]["notes"] = json!([{"text": "card 4111 1111 1111 1111"}]);
    let mut elsewhere = record(4);
    elsewhere["property"] = json!("SHA01");
    let body = [
        record(1).to_string(),
        String::new(),
        "{\"source_system\":".to_owned(),
        card.to_string(),
        elsewhere.to_string(),
        record(1).to_string(),
        "x".repeat(1024 * 1024 + 2),
        record(5).to_string(),
    ]
    .join("\n");
    let dry = lines(&send(&app, &pms, "?dry_run=true", body.clone()).await);
    assert_eq!(
        dry[0]["fields"],
        json!(["name.surname", "name.given", "birth_date", "emails"]),
        "{dry:?}"
    );
    assert!(dry.last().unwrap().get("import_id").is_none());
    let all = lines(&send(&app, &pms, "", body).await);
    let told: Vec<(u64, &str)> = all[..all.len() - 1]
        .iter()
        .map(|l| (l["line"].as_u64().unwrap(), l["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (1, "created"),
            (3, "rejected"),
            (4, "created"),
            (5, "rejected"),
            (6, "linked"),
            (7, "rejected"),
            (8, "created")
        ]
    );
    assert_eq!(all[2]["rejected"][0]["reason"], "card_number", "{all:?}");
    assert_eq!(
        all[3]["rejected"],
        json!([{"field": "property", "reason": "property_out_of_scope"}])
    );
    let last = all.last().unwrap();
    let import = last["import_id"].as_str().unwrap();
    let counts = json!({"records": 7, "created": 3, "linked": 1, "review": 0, "refused": 3, "partial": 1});
    assert_eq!(last["counts"], counts);
    // It goes on, is counted as one, ends, and takes no more.
    lines(&send(&app, &pms, &format!("?import={import}"), record(6).to_string()).await);
    let job = app.get(&pms, &format!("/v1/imports/{import}")).await;
    assert_eq!(
        (&job.body["counts"]["created"], &job.body["state"]),
        (&json!(4), &json!("open")),
        "{job:?}"
    );
    let alarms = json!({"alarms": {"card_data": 2}});
    let ended = app.post(&pms, &format!("/v1/imports/{import}/end"), alarms).await;
    assert_eq!(ended.body["state"], "ended", "{ended:?}");
    let more = send(&app, &pms, &format!("?import={import}"), record(7).to_string()).await;
    assert_eq!(more.status, 404);
    let cards: Vec<Value> = acts(&app, "refuse_card")
        .await
        .iter()
        .map(|e| e["leaf"]["count"].clone())
        .collect();
    assert_eq!(cards, [json!(2), json!(1)], "each card raises an alarm");
    let begun: Vec<Value> = acts(&app, "import")
        .await
        .iter()
        .map(|e| e["leaf"]["outcome"].clone())
        .collect();
    for outcome in ["begun", "ended", "dry_run"] {
        assert!(begun.contains(&json!(outcome)), "{outcome}: {begun:?}");
    }
    app.finish().await;
});

both!(
    an_import_that_is_taken_back_while_it_still_runs_leaves_nothing,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let begun = lines(&send(&app, &pms, "", record(1).to_string()).await);
        let import = begun.last().unwrap()["import_id"].as_str().unwrap().to_owned();
        let body: Vec<String> = (2..=600).map(|id| record(id).to_string()).collect();
        let query = format!("?import={import}");
        let job = format!("/v1/imports/{import}");
        let take_back = async {
            // Once it runs.
            while app.get(&pms, &job).await.body["counts"]["records"].as_u64() < Some(2) {
                tokio::task::yield_now().await;
            }
            app.post(&pms, &format!("{job}/rollback"), Value::Null).await
        };
        let (sent, undone) = join(send(&app, &pms, &query, body.join("\n")), take_back).await;
        assert_eq!(undone.status, 200, "{undone:?}");
        let told = lines(&sent);
        let stopped = told.last().unwrap();
        assert_eq!(stopped["type"], "/problems/conflict", "{stopped}");
        assert!(told.len() < 600, "it was stopped on its way");
        assert_eq!(app.get(&pms, &job).await.body["state"], "rolled_back");
        for table in ["record", "guest", "source_record", "import_record"] {
            let mut conn = app.app.vault.store.read().await.unwrap();
            let text = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            let count: i64 = on!(&mut conn, c => sqlx::query_scalar(text).fetch_one(c).await.unwrap());
            assert_eq!(count, 0, "{table}");
        }
        // It ends once: neither does it go on, nor is it said to have ended.
        for path in [format!("{job}/end"), format!("/v1/imports?import={import}")] {
            assert_ne!(app.post(&pms, &path, Value::Null).await.status, 200, "{path}");
        }
        assert_eq!(app.get(&pms, &job).await.body["state"], "rolled_back");
        app.finish().await;
    }
);

both!(
    a_file_whose_import_was_taken_back_is_read_from_its_beginning,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let begun = lines(&send(&app, &pms, "", record(1).to_string()).await);
        let import = begun.last().unwrap()["import_id"].as_str().unwrap().to_owned();
        let job = ImportId(import.parse().unwrap());
        let vault = &app.app.vault;
        let done = async || {
            vault
                .store
                .read()
                .await
                .unwrap()
                .import_progress(b"a file")
                .await
                .unwrap()
        };
        let counted = Some((job, &Counts::default()));
        vault.import_came_to((b"a file", 5_000), counted).await.unwrap();
        assert_eq!(done().await, 5_000);
        let path = format!("/v1/imports/{import}/rollback");
        assert_eq!(app.post(&pms, &path, Value::Null).await.status, 200);
        assert_eq!(done().await, 0);
        // Nor does who still reads it say so again.
        assert!(vault.import_came_to((b"a file", 6_000), counted).await.is_err());
        assert_eq!(done().await, 0);
        app.finish().await;
    }
);

both!(
    an_import_is_taken_back_while_nothing_touched_it,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let old = app
            .guest(
                "web/1",
                json!({"guest": {"name": {"surname": "Guest2", "given": "Ana"}, "birth_date": "1982-02-12", "emails": [{"address": "g2@guests.example"}]}}),
            )
            .await;
        let body: Vec<String> = (1..=5).map(|id| record(id).to_string()).collect();
        let all = lines(&send(&app, &pms, "", body.join("\n")).await);
        let import = all.last().unwrap()["import_id"].as_str().unwrap().to_owned();
        assert_eq!(all[1]["guest_id"], json!(old), "the second joins who was there");
        let first = all[0]["guest_id"].as_str().unwrap().to_owned();
        // A correction touches it: nothing is taken back.
        let desk = app.errand("front_desk", "check_in").await;
        let patched = app
            .patch(
                &desk,
                &format!("/v1/guests/{first}"),
                json!({"name": {"given": "Ana"}}),
            )
            .await;
        assert_eq!(patched.status, 200, "{patched:?}");
        let rollback = format!("/v1/imports/{import}/rollback");
        let refused = app.post(&pms, &rollback, Value::Null).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (409, "conflict"),
            "{refused:?}"
        );
        assert_eq!(app.get(&desk, &format!("/v1/guests/{first}")).await.status, 200);
        for role in ["front_desk", "admin", "crm"] {
            assert_eq!(
                app.post(&app.errand(role, "loyalty").await, &rollback, Value::Null)
                    .await
                    .status,
                403,
                "{role}"
            );
        }
        let unknown = "/v1/imports/0198c5a0-0000-7000-8000-000000000000/rollback";
        assert_eq!(app.post(&pms, unknown, Value::Null).await.status, 404);

        // A second import that nothing touches goes whole, and may come again.
        let body: Vec<String> = (10..260).map(|id| record(id).to_string()).collect();
        for _ in 0..2 {
            let all = lines(&send(&app, &pms, "", body.join("\n")).await);
            let last = all.last().unwrap();
            assert_eq!(last["counts"]["created"], 250);
            let import = last["import_id"].as_str().unwrap();
            let done = app
                .post(&pms, &format!("/v1/imports/{import}/rollback"), Value::Null)
                .await;
            assert_eq!(
                done.body,
                json!({"removed_records": 250, "removed_guests": 250, "kept_records": 0}),
                "{done:?}"
            );
            let guest = all[0]["guest_id"].as_str().unwrap();
            assert_eq!(app.get(&desk, &format!("/v1/guests/{guest}")).await.status, 404);
            let found = app
                .post(
                    &desk,
                    "/v1/lookups",
                    json!({"by": {"email": "g10@guests.example"}}),
                )
                .await;
            assert_eq!(found.body["candidates"], json!([]));
        }
        // Who was there before keeps what it had.
        let mut changed = record(2);
        changed["guest"]["name"]["given"] = json!("Rui");
        let kept = lines(&send(&app, &pms, "", changed.to_string()).await);
        assert_eq!(kept[0]["outcome"], "linked");
        let import = kept[1]["import_id"].as_str().unwrap();
        let done = app
            .post(&pms, &format!("/v1/imports/{import}/rollback"), Value::Null)
            .await;
        assert_eq!(done.body["kept_records"], 1, "{done:?}");
        assert_eq!(app.get(&desk, &format!("/v1/guests/{old}")).await.status, 200);
        app.finish().await;
    }
);

both!(
    what_somebody_counts_on_keeps_an_import_where_it_is,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let officer = app
            .errand("compliance_officer", "subject_request")
            .await
            .with("vault-actor", "o-1");
        let desk = app.errand("housekeeping", "stay_service").await;
        for (id, what) in [(300, "hold"), (310, "request"), (320, "note"), (330, "nothing")] {
            let body: Vec<String> = (id..id + 3).map(|id| record(id).to_string()).collect();
            let all = lines(&send(&app, &pms, "", body.join("\n")).await);
            let guest = all[1]["guest_id"].as_str().unwrap();
            let (errand, path, body) = match what {
                "hold" => (
                    &officer,
                    format!("/v1/guests/{guest}/holds"),
                    json!({"matter": "7/26", "ground": "legal_claim", "categories": [], "review_on": "2026-09-01"}),
                ),
                "request" => (
                    &officer,
                    "/v1/requests".to_owned(),
                    json!({"guest_id": guest, "type": "access", "regime": "gdpr", "received_via": "email"}),
                ),
                _ => (
                    &desk,
                    format!("/v1/guests/{guest}/observations"),
                    json!({"text": "likes the window open"}),
                ),
            };
            if what != "nothing" {
                assert_eq!(app.post(errand, &path, body).await.status, 201, "{what}");
            }
            let import = all.last().unwrap()["import_id"].as_str().unwrap();
            let done = app
                .post(&pms, &format!("/v1/imports/{import}/rollback"), Value::Null)
                .await;
            let wanted = if what == "nothing" { 200 } else { 409 };
            assert_eq!(done.status, wanted, "{what}: {done:?}");
        }
        // Nothing is left by which the ones that went would still be taken for somebody.
        let mut conn = database.open(Which::Data).await.read().await.unwrap();
        let of_nobody = "SELECT count(*) FROM likeness_token t LEFT JOIN guest g ON g.guest_id = t.guest_id WHERE g.guest_id IS NULL";
        let left: i64 = on!(&mut conn, c => sqlx::query_scalar(of_nobody).fetch_one(c).await.unwrap());
        assert_eq!(left, 0);
        app.finish().await;
    }
);

both!(
    what_others_had_said_outlives_an_import_that_is_taken_back,
    async |database| {
        let app = TestApp::start(database).await;
        let pms = app.errand("integration", "loyalty").await;
        let mut own = record(7);
        let stay = own["stays"].take();
        let guest = app
            .guest(
                "pms/7",
                json!({"observed_at": "2026-03-01T10:00:00Z", "guest": own["guest"], "stays": stay.clone()}),
            )
            .await;
        let agent = app.errand("reservation_agent", "booking").await;
        let stays = async || {
            let path = format!("/v1/guests/{guest}?fields=stay_links");
            let shown = app.get(&agent, &path).await;
            let stays = shown.value("stay_links").as_array().cloned().unwrap_or_default();
            let mut days: Vec<String> = stays
                .iter()
                .map(|stay| stay["departure"].as_str().unwrap().to_owned())
                .collect();
            days.sort();
            days
        };
        let days = |days: &[&str]| -> Vec<String> { days.iter().map(|&day| day.to_owned()).collect() };
        let crm = app.errand("crm", "marketing_direct").await;
        let stands = async || {
            let path = format!("/v1/guests/{guest}/consents");
            app.get(&crm, &path).await.body["standing"][0]["state"].clone()
        };
        let managed = async || {
            let errand = app.errand("account_manager", "service_follow_up").await;
            let errand = errand.with("vault-actor", "am-7");
            let path = format!("/v1/guests/{guest}?fields=phones,emails");
            !app.get(&errand, &path).await.value("emails").is_null()
        };
        let imported = async |line: &Value| {
            let all = lines(&send(&app, &pms, "", line.to_string()).await);
            assert_eq!(all[0]["guest_id"], json!(guest), "{all:?}");
            let import = all[1]["import_id"].as_str().unwrap().to_owned();
            format!("/v1/imports/{import}/rollback")
        };
        // It said of the guest what nobody else did: that goes with it.
        own["stays"] = json!([{"reservation": "R-other", "arrival": "2026-03-04", "departure": "2026-03-08", "status": "confirmed"}]);
        own["guest"]["account_manager_id"] = json!("am-7");
        own["consents"] = json!([{"purpose": "marketing_direct", "state": "given", "channel": "web", "indication": "checkbox"}]);
        let rollback = imported(&own).await;
        assert_eq!(
            (stays().await, stands().await, managed().await),
            (days(&["2026-03-07", "2026-03-08"]), json!("given"), true)
        );
        let done = app.post(&pms, &rollback, Value::Null).await;
        assert_eq!(
            done.body,
            json!({"removed_records": 1, "removed_guests": 0, "kept_records": 0}),
            "{done:?}"
        );
        assert_eq!(
            (stays().await, stands().await, managed().await),
            (days(&["2026-03-07"]), Value::Null, false)
        );
        // It spoke of a stay that another record had told: what that one said is shown again.
        own["stays"] = stay;
        own["stays"][0]["departure"] = json!("2026-03-09");
        own["guest"].as_object_mut().unwrap().remove("account_manager_id");
        own["consents"] = json!([]);
        let rollback = imported(&own).await;
        assert_eq!(stays().await, days(&["2026-03-09"]));
        let done = app.post(&pms, &rollback, Value::Null).await;
        assert_eq!(
            done.body,
            json!({"removed_records": 1, "removed_guests": 0, "kept_records": 0}),
            "{done:?}"
        );
        assert_eq!(stays().await, days(&["2026-03-07"]));
        app.finish().await;
    }
);

both!(a_caller_is_told_which_hotels_it_may_act_for, async |database| {
    let app = TestApp::start(database).await;
    let codes = async |errand: &Errand| -> Vec<String> {
        let told = app.get(errand, "/v1/properties").await;
        assert_eq!(told.status, 200, "{told:?}");
        let items = told.body["items"].as_array().unwrap().clone();
        let lisbon = items.iter().find(|item| item["code"] == "LIS01").unwrap();
        assert_eq!(lisbon["timezone"], "Europe/Lisbon", "{lisbon}");
        items
            .iter()
            .map(|item| item["code"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = codes(&app.errand("integration", "booking").await).await;
    assert!(all.contains(&"GROUP".to_owned()) && all.len() > 2, "{all:?}");
    let one = app.role_in("integration", &["LIS01"]).await;
    assert_eq!(codes(&one).await, ["LIS01"]);
    app.finish().await;
});

#[test]
fn the_command_imports_into_a_served_vault() {
    on_sqlite(async |database| {
        let served = Served::start(database, &["integration", "call_centre"]);
        let file = database.dir().join("old.ndjson");
        let text: Vec<String> = (0..450).map(|id| record(id).to_string()).collect();
        fs::write(&file, text.join("\n")).unwrap();
        let url = format!("http://{}", served.address);
        let (_, key) = served.headers("integration", "loyalty").swap_remove(0);
        let key = key.trim_start_matches("Bearer ").to_owned();
        let file = file.to_str().unwrap();
        let run = |extra: &[&str]| {
            let arguments = [
                &["import", "--server", &url, "--property", "LIS01", "--json"],
                extra,
            ]
            .concat();
            Process::run(
                database.dir(),
                &arguments,
                &[("GUEST_VAULT_API_KEY", key.as_str())],
            )
        };
        let dry = run(&["--dry-run", file]);
        assert!(dry.status.success(), "{}", String::from_utf8_lossy(&dry.stderr));
        let told: Value = serde_json::from_slice(&dry.stdout).unwrap();
        assert_eq!(told["fields"]["emails"], json!({"taken": 450}));
        for outcome in ["created", "linked"] {
            let done = run(&[file]);
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            let told: Value = serde_json::from_slice(&done.stdout).unwrap();
            assert_eq!(told["outcomes"], json!({ outcome: 450 }), "twice is not double");
            let shown = format!(
                "{}{}",
                String::from_utf8_lossy(&done.stdout),
                String::from_utf8_lossy(&done.stderr)
            );
            assert!(!shown.contains(&key) && !shown.contains("guests.example"));
        }
        let alike = |id: u32| {
            json!({"source_system": "old_pms", "source_id": format!("alike-{id}"), "guest":
            {"name": {"surname": "Huttenlocher", "given": "Ingrid"}, "postal_addresses": [{"lines": ["Weg 1"], "city": "Innsbruck", "postal_code": "6020", "country": "AT"}], "emails": [{"address": format!("ih{id}@guests.example")}]}})
        };
        fs::write(file, format!("{}\n{}", alike(1), alike(2))).unwrap();
        let doubted = run(&[file]);
        let told: Value = serde_json::from_slice(&doubted.stdout).unwrap();
        assert_eq!(told["outcomes"], json!({"created": 1, "review": 1}), "{told}");
        // The house's own clock tells a moment without a zone, and its hotels whose a stay is.
        let reservation = json!({"reservationIdList": [{"type": "Reservation", "id": "77001"}], "hotelId": "LIS01",
            "lastModifyDateTime": "2026-07-01T09:00:00",
            "roomStay": {"arrivalDate": "2026-07-10", "departureDate": "2026-07-12"},
            "reservationGuest": {"givenName": "Kai", "surname": "Nilsen"}});
        fs::write(
            file,
            json!({"reservations": {"reservationInfo": [reservation]}}).to_string(),
        )
        .unwrap();
        let opera = run(&["--format", "ohip", file]);
        let told: Value = serde_json::from_slice(&opera.stdout).unwrap();
        assert_eq!(
            (&told["outcomes"], told["unmapped"].get("hotelId")),
            (&json!({"created": 1}), None),
            "{told}"
        );
        let vault = format!(
            "sqlite://{}?mode=ro",
            served.dir().join("data/vault.db").display()
        );
        let mut vault = sqlx::SqliteConnection::connect(&vault).await.unwrap();
        let of_opera = "SELECT observed_at FROM record WHERE source_system = 'ohip'";
        let seen: i64 = sqlx::query_scalar(of_opera).fetch_one(&mut vault).await.unwrap();
        // Lisbon is an hour ahead of UTC in July.
        assert_eq!(seen, 1_782_892_800_000_000);
        let wrong = Process::run(
            database.dir(),
            &[
                "import",
                "--server",
                "http://vault.example",
                "--key",
                "k",
                "--property",
                "LIS01",
                file,
            ],
            &[],
        );
        assert_eq!(wrong.status.code(), Some(1), "never in clear over a network");
    });
}
