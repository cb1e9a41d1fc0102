//! Which guest is this, and two guests made one and two again.

use std::collections::BTreeMap;

use guest_vault::{
    base::GuestId,
    erasure::sql::WITH_THE_GUEST,
    on,
    store::{Conn, Database as _, Spelling},
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::{
    app::{Answer, Errand, TestApp},
    database::both,
};

pub(crate) fn record(surname: &str, given: &str, number: u32) -> Value {
    json!({
        "observed_at": "2026-03-01T10:00:00Z",
        "guest": {
            "name": {"surname": surname, "given": given},
            "phones": [{"number": format!("+351 91 {number:07}")}],
            "emails": [{"address": format!("{given}{number}@guests.example")}],
            "preferences": {"room": {"floor": "high"}}
        },
        "consents": [{"purpose": "marketing_direct", "state": "given", "channel": "web", "indication": "checkbox"}],
        "stays": [{"reservation": format!("R-{number}"), "property": "LIS01", "arrival": "2026-03-04",
                   "departure": "2026-03-07", "status": "checked_in"}]
    })
}

pub(crate) async fn steward(app: &TestApp) -> Errand {
    app.errand("duty_manager", "stay_service").await
}

pub(crate) async fn merge(app: &TestApp, survivor: &str, absorbed: &str, query: &str) -> Answer {
    let path = format!("/v1/guests/{survivor}/merges{query}");
    app.post(&steward(app).await, &path, json!({"absorb": absorbed}))
        .await
}

pub(crate) async fn undo(app: &TestApp, merged: &Answer) -> Answer {
    let path = format!("/v1/merges/{}/undo", merged.body["merge_id"].as_str().unwrap());
    app.post(&steward(app).await, &path, json!({})).await
}

/// All of some guests as it lies there, to the byte: every row of every table that names them, but for versions and
/// times of the guest itself and of its cases.
pub(crate) async fn state(app: &TestApp, guests: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut conn = app.app.vault.store.read().await.unwrap();
    let tables = WITH_THE_GUEST.iter().copied().chain(["hold", "request"]);
    for table in tables {
        let row = row_text(&mut conn, table).await;
        let sql = format!("SELECT {row} FROM {table} t WHERE guest_id = $1");
        for guest in guests {
            let id: GuestId = guest.parse().unwrap();
            let rows: Vec<String> = on!(&mut conn, c => {
                sqlx::query_scalar(AssertSqlSafe(sql.clone())).bind(id.0).fetch_all(c).await.unwrap()
            });
            let lines = rows.into_iter().map(|row| format!("{table} {row}"));
            all.entry(guest.clone()).or_default().extend(lines);
        }
    }
    drop(conn);
    for (guest, status, survivor) in heads(app, guests).await {
        all.entry(guest).or_default().push(format!("{status} {survivor}"));
    }
    for lines in all.values_mut() {
        lines.sort_unstable();
    }
    all
}

/// What gives a whole row as text; of a case all but its version, which each merge raises.
async fn row_text(conn: &mut Conn, table: &str) -> String {
    if conn.spelling() == Spelling::Postgres {
        let case = "ROW(t.request_id, t.kind, t.state, t.due_on, t.outcome, t.duplicate_of, t.updated_at)";
        let row = if table == "request" { case } else { "t" };
        return format!("CAST({row} AS TEXT)");
    }
    let sql = format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid");
    let columns: Vec<String> = on!(&mut *conn, c => {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(c).await.unwrap()
    });
    let told = columns
        .iter()
        .filter(|column| table != "request" || *column != "version");
    let quoted: Vec<String> = told.map(|column| format!("quote({column})")).collect();
    quoted.join(" || ' ' || ")
}

pub(crate) async fn heads(app: &TestApp, guests: &[String]) -> Vec<(String, String, String)> {
    let ids: Vec<GuestId> = guests.iter().map(|guest| guest.parse().unwrap()).collect();
    let mut conn = app.app.vault.store.read().await.unwrap();
    let heads = conn.guest_heads(&ids).await.unwrap();
    ids.iter()
        .map(|id| {
            let (_, status, survivor) = &heads[id];
            (id.to_string(), status.clone(), format!("{survivor:?}"))
        })
        .collect()
}

/// Who is found by a phone.
async fn by_phone(app: &TestApp, number: u32) -> Vec<String> {
    let desk = app.errand("front_desk", "check_in").await;
    let by = json!({"by": {"phone": format!("+351 91 {number:07}")}});
    let answer = app.post(&desk, "/v1/lookups", by).await;
    let candidates = answer.body["candidates"].as_array().unwrap();
    candidates
        .iter()
        .map(|c| c["guest_id"].as_str().unwrap().to_owned())
        .collect()
}

both!(
    a_merge_is_previewed_done_followed_and_undone_to_the_byte,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
        let other = app.guest("pms/2", record("Rocha", "Rui", 7_654_321)).await;
        let both = [one.clone(), other.clone()];
        let before = state(&app, &both).await;

        let preview = merge(&app, &one, &other, "?dry_run=true").await;
        assert_eq!(
            (preview.status, preview.body["records"].as_u64()),
            (200, Some(1)),
            "{preview:?}"
        );
        assert!(preview.body.get("merge_id").is_none());
        assert_eq!(state(&app, &both).await, before);

        let merged = merge(&app, &one, &other, "").await;
        assert_eq!(merged.status, 201, "{merged:?}");
        let desk = app.role("front_desk").await;
        let moved = app.get(&desk, &format!("/v1/guests/{other}?fields=phones")).await;
        assert_eq!(moved.status, 308);
        assert_eq!(
            moved.headers["location"],
            format!("/v1/guests/{one}?fields=phones")
        );
        let all = app.get(&desk, &format!("/v1/guests/{one}")).await;
        assert_eq!(all.value("phones").as_array().unwrap().len(), 2, "{all:?}");
        assert_eq!(by_phone(&app, 7_654_321).await, [one.as_str()]);
        assert_eq!(merge(&app, &one, &other, "").await.status, 404);
        // The absorbed guest's source goes on as if nothing were: the words go to the survivor.
        let again = app.guest("pms/2", record("Rocha", "Rui", 7_654_321)).await;
        assert_eq!(again, one);

        let undone = undo(&app, &merged).await;
        assert_eq!(
            (undone.status, undone.body["restored"].as_str()),
            (200, Some(other.as_str())),
            "{undone:?}"
        );
        assert_eq!(state(&app, &both).await, before);
        assert_eq!(by_phone(&app, 7_654_321).await, [other.as_str()]);
        assert_eq!(
            (
                undo(&app, &merged).await.status,
                undo(&app, &merged).await.problem()
            ),
            (409, "conflict")
        );
        // What was parted is not made one again by mistake.
        assert_eq!(merge(&app, &one, &other, "").await.status, 409);
        assert_eq!(merge(&app, &one, &other, "?force=true").await.status, 201);
        app.finish().await;
    }
);

both!(
    what_a_source_says_meanwhile_goes_back_with_its_record,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
        let other = app.guest("pms/2", record("Rocha", "Rui", 7_654_321)).await;
        let merged = merge(&app, &one, &other, "").await;
        app.set_clock("2026-03-05T10:00:01Z");
        let news = json!({"guest": {"phones": [{"number": "+351 91 2223334"}], "emails": null, "nationality": "PT"},
                      "stays": [{"reservation": "R-9", "property": "LIS01", "arrival": "2026-03-05",
                                 "departure": "2026-03-06", "status": "checked_in"}]});
        assert_eq!(app.guest("pms/2", news).await, one);
        assert_eq!(undo(&app, &merged).await.status, 200);
        let desk = app.role("front_desk").await;
        let back = app.get(&desk, &format!("/v1/guests/{other}")).await;
        assert_eq!(back.status, 200, "{back:?}");
        assert_eq!(back.value("nationality"), "PT");
        assert!(back.body["fields"].get("emails").is_none(), "{back:?}");
        assert_eq!(by_phone(&app, 2_223_334).await, [other.as_str()]);
        assert!(by_phone(&app, 7_654_321).await.is_empty());
        let kept = app.get(&desk, &format!("/v1/guests/{one}")).await;
        assert_eq!(kept.value("phones").as_array().unwrap().len(), 1);
        assert!(kept.body["fields"].get("nationality").is_none(), "{kept:?}");
        app.finish().await;
    }
);

both!(the_strictest_consent_wins_until_it_is_undone, async |database| {
    let app = TestApp::start(database).await;
    let one = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
    let mut refusing = record("Rocha", "Rui", 7_654_321);
    refusing["consents"][0]["state"] = json!("refused");
    let other = app.guest("pms/2", refusing).await;
    let crm = app.errand("crm", "marketing_direct").await;
    let state_of = async |guest: &str| {
        let answer = app.get(&crm, &format!("/v1/guests/{guest}/consents")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["standing"][0]["state"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let before = state_of(&one).await;
    let merged = merge(&app, &one, &other, "").await;
    assert_eq!(merged.body["said_again"], 1, "{merged:?}");
    assert_ne!(state_of(&one).await, before);
    undo(&app, &merged).await;
    assert_eq!(state_of(&one).await, before);
    app.finish().await;
});

both!(any_walk_of_merges_undone_leaves_no_trace, async |database| {
    let app = TestApp::start(database).await;
    let mut guests = Vec::new();
    for (at, (surname, given)) in [
        ("Silva", "Ana"),
        ("Rocha", "Rui"),
        ("Wagner", "Ilse"),
        ("Ito", "Momoko"),
        ("Haddad", "Omar"),
    ]
    .iter()
    .enumerate()
    {
        let number = 1_010_101 * (u32::try_from(at).unwrap() + 2);
        guests.push(
            app.guest(&format!("web/{at}"), record(surname, given, number))
                .await,
        );
    }
    let before = state(&app, &guests).await;
    let mut done: Vec<Answer> = Vec::new();
    let mut seed = 20_260_301_u64;
    let mut random = |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut blocked = 0;
    for _ in 0..90 {
        if !done.is_empty() && random(6) < 1 {
            let at = random(done.len());
            let undone = undo(&app, &done[at]).await;
            match undone.status {
                200 => drop(done.remove(at)),
                // The survivor was taken in since: that merge is named, and comes first.
                409 => {
                    let named = undone.body["detail"].as_str().unwrap().to_owned();
                    assert!(
                        done.iter()
                            .any(|later| named.contains(later.body["merge_id"].as_str().unwrap())),
                        "{named}"
                    );
                    blocked += 1;
                }
                other => panic!("{other}"),
            }
            continue;
        }
        let (one, other) = (random(guests.len()), random(guests.len()));
        let merged = merge(&app, &guests[one], &guests[other], "?force=true").await;
        match merged.status {
            201 => done.push(merged),
            // The same guest twice, or one that is retired.
            400 | 404 => {}
            other => panic!("{other} {merged:?}"),
        }
    }
    while let Some(last) = done.pop() {
        assert_eq!(undo(&app, &last).await.status, 200);
    }
    assert!(blocked > 0, "the walk never met a chain");
    assert_eq!(state(&app, &guests).await, before);
    for guest in &guests {
        let answer = app
            .get(&app.role("front_desk").await, &format!("/v1/guests/{guest}"))
            .await;
        assert_eq!(answer.value("phones").as_array().unwrap().len(), 1, "{answer:?}");
    }
    app.finish().await;
});

both!(
    resolving_tells_who_it_may_be_and_writes_nothing,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app.guest("web/1", record("Silva", "Ana", 1_234_567)).await;
        let before = state(&app, std::slice::from_ref(&one)).await;
        let desk = app.errand("front_desk", "check_in").await;
        let asked = json!({"guest": {"name": {"full": "SILVA/ANA MRS"}, "phones": [{"number": "+351 911 234 567"}],
                                 "emails": [{"address": "ana1234567@guests.example"}]}});
        let answer = app.post(&desk, "/v1/resolve", asked.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let best = &answer.body["candidates"][0];
        assert_eq!(
            (best["guest_id"].as_str(), best["verdict"].as_str()),
            (Some(one.as_str()), Some("link")),
            "{answer:?}"
        );
        let sum: f64 = best["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["weight"].as_f64().unwrap())
            .sum();
        assert!((sum - best["bits"].as_f64().unwrap()).abs() < 1e-6);
        let nobody = app
            .post(
                &desk,
                "/v1/resolve",
                json!({"guest": {"name": {"full": "Xaver Unbekannt-Huber"}}}),
            )
            .await;
        assert_eq!(nobody.body["candidates"], json!([]));
        assert_eq!(
            app.post(&desk, "/v1/resolve", json!({"guest": {"gender": 1}}))
                .await
                .status,
            400
        );
        let counts = app.errand("statistics", "statistics").await;
        assert_eq!(app.post(&counts, "/v1/resolve", asked).await.status, 403);
        assert_eq!(state(&app, &[one]).await, before);
        let officer = app.errand("compliance_officer", "audit").await.at("GROUP");
        let entries = app.get(&officer, "/v1/audit/entries?action=resolve").await;
        assert!(entries.body["items"].as_array().unwrap().len() >= 3);
        app.finish().await;
    }
);

both!(a_merge_answers_the_question_about_its_two, async |database| {
    let app = TestApp::start(database).await;
    let booking = app.errand("integration", "booking").await;
    let record = json!({"guest": {"name": {"surname": "Walker", "given": "James"},
                                  "phones": [{"number": "+44 20 7946 0123"}]}});
    let first = app.put(&booking, "/v1/records/web/1", record.clone()).await;
    let second = app.put(&booking, "/v1/records/pms/2", record).await;
    assert_eq!(second.body["resolution"]["outcome"], "review", "{second:?}");
    let guest = |answer: &Answer| answer.body["guest_id"].as_str().unwrap().to_owned();
    let manager = steward(&app).await;
    let merged = merge(&app, &guest(&first), &guest(&second), "").await;
    assert_eq!(merged.status, 201, "{merged:?}");
    // Nobody is asked whether somebody is himself.
    assert_eq!(app.get(&manager, "/v1/reviews").await.body["items"], json!([]));
    assert_eq!(undo(&app, &merged).await.status, 200);
    assert_eq!(app.get(&manager, "/v1/reviews").await.body["items"], json!([]));
    let refused = merge(&app, &guest(&first), &guest(&second), "").await;
    assert_eq!((refused.status, refused.problem()), (409, "conflict"));
    app.finish().await;
});

both!(a_steward_answers_and_the_answer_is_remembered, async |database| {
    let app = TestApp::start(database).await;
    let booking = app.errand("integration", "booking").await;
    let of = |date: &str| {
        json!({"observed_at": "2026-03-01T10:00:00Z",
               "guest": {"name": {"surname": "Walker", "given": "James"}, "phones": [{"number": "+44 20 7946 0123"}],
                         "birth_date": date},
               "stays": [{"reservation": format!("R-{date}"), "property": "LIS01", "arrival": "2026-03-04",
                          "departure": "2026-03-07", "status": "checked_in"}]})
    };
    let mut whole = of("1960-03-04");
    whole["guest"].as_object_mut().unwrap().remove("birth_date");
    let first = app.put(&booking, "/v1/records/web/1", whole.clone()).await;
    let mut second = whole.clone();
    second["stays"][0]["reservation"] = json!("R-other");
    let second = app.put(&booking, "/v1/records/pms/2", second).await;
    assert_eq!(second.body["resolution"]["outcome"], "review", "{second:?}");
    let manager = steward(&app).await;
    let open = app.get(&manager, "/v1/reviews").await;
    assert_eq!(open.status, 200, "{open:?}");
    let review = &open.body["items"][0];
    assert_eq!(review["review_id"], second.body["resolution"]["review_id"]);
    assert_eq!(
        (&review["guest_id"], &review["other_guest_id"]),
        (&second.body["guest_id"], &first.body["guest_id"])
    );
    // Whom it is not shown to learns no id of it from the cursor either.
    let elsewhere = app.get(&manager.clone().at("SHA01"), "/v1/reviews?limit=1").await;
    assert_eq!(
        (&elsewhere.body["items"], elsewhere.body.get("next_cursor")),
        (&json!([]), Some(&Value::Null))
    );
    let path = format!("/v1/reviews/{}", review["review_id"].as_str().unwrap());
    let later = app.post(&manager, &path, json!({"decision": "later"})).await;
    assert_eq!(later.status, 200, "{later:?}");
    let different = app.post(&manager, &path, json!({"decision": "different"})).await;
    assert_eq!(different.status, 200, "{different:?}");
    assert_eq!(
        app.post(&manager, &path, json!({"decision": "same"}))
            .await
            .status,
        409
    );
    let (one, other) = (
        first.body["guest_id"].as_str().unwrap(),
        second.body["guest_id"].as_str().unwrap(),
    );
    let refused = merge(&app, one, other, "").await;
    assert_eq!((refused.status, refused.problem()), (409, "conflict"));
    let third = app.put(&booking, "/v1/records/ota/3", whole).await;
    let batch: Vec<String> = app.get(&manager, "/v1/reviews").await.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["guest_id"] == third.body["guest_id"] && r["other_guest_id"] == first.body["guest_id"])
        .map(|r| r["review_id"].as_str().unwrap().to_owned())
        .collect();
    let answered = app
        .post(
            &manager,
            "/v1/reviews",
            json!({"review_ids": batch, "decision": "same"}),
        )
        .await;
    assert_eq!(answered.status, 200, "{answered:?}");
    assert_eq!(
        answered.body["answered"].as_array().unwrap().len(),
        1,
        "{answered:?}"
    );
    let again = format!("/v1/reviews/{}", batch[0]);
    let again = app.post(&manager, &again, json!({"decision": "same"})).await;
    assert_eq!((again.status, again.problem()), (409, "conflict"), "{again:?}");
    let gone = app
        .get(
            &app.role("front_desk").await,
            &format!("/v1/guests/{}", third.body["guest_id"].as_str().unwrap()),
        )
        .await;
    assert_eq!(gone.status, 308);
    let desk = app.errand("front_desk", "check_in").await;
    assert_eq!(app.get(&desk, "/v1/reviews").await.status, 403);
    app.finish().await;
});
