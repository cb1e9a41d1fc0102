//! A source writes what it knows; others read exactly what their role, purpose and the stay allow; all of it recorded.

use serde_json::{Value, json};

use crate::support::{app::TestApp, database::both};

fn wang() -> Value {
    json!({
        "observed_at": "2026-03-01T10:00:00Z",
        "provenance": "declared",
        "guest": {
            "name": {"surname": "Wang", "given": "Xiaoming", "native": {"script": "Hani", "value": "王小明"}},
            "birth_date": "1987-05-17",
            "phones": [{"number": "+86 138 1234 5678", "kind": "mobile"}],
            "emails": [{"address": "wang@guests.example"}],
            "nationality": "CN",
            "id_documents": [{"type": "passport", "issuing_country": "CN", "number": "E12345678"}],
            "preferences": {"room": {"floor": "high"}},
            "memberships": [{"program": "CLUB", "number": "88001", "tier": "gold"}]
        },
        "stays": [{"reservation": "R-7781", "property": "LIS01", "arrival": "2026-03-04", "departure": "2026-03-07",
                   "status": "checked_in", "channel": "web"}]
    })
}

both!(a_record_goes_in_and_each_role_reads_its_view, async |database| {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/w-1", wang()).await;
    let path = format!("/v1/guests/{guest}");

    let desk = app.get(&app.role("front_desk").await, &path).await;
    assert_eq!(desk.status, 200, "{desk:?}");
    assert_eq!(desk.headers["cache-control"], "no-store");
    assert_eq!(desk.headers["etag"], "\"1\"");
    assert_eq!(desk.value("name.surname"), "Wang");
    assert_eq!(desk.view("name.surname"), "plain");
    assert_eq!(desk.view("phones"), "masked");
    assert_eq!(desk.body["fields"]["phones"]["revealable"], true);
    assert_ne!(desk.value("phones")[0]["number"], "+8613812345678");

    let keeping = app.get(&app.role("housekeeping").await, &path).await;
    assert_eq!(keeping.status, 200, "{keeping:?}");
    assert_eq!(keeping.view("id_documents"), "withheld");
    assert_eq!(keeping.view("phones"), "withheld");
    assert_eq!(keeping.view("preferences.room"), "plain");
    assert_eq!(keeping.body["fields"]["id_documents"]["reason"], "policy");

    let admin = app.get(&app.role("admin").await, &path).await;
    assert_eq!((admin.status, admin.problem()), (403, "forbidden"));
    app.finish().await;
});

both!(hidden_and_missing_guests_answer_alike, async |database| {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/w-1", wang()).await;
    // A kiosk of another house: no stay there, so the guest does not exist for it.
    let shanghai = app.errand("kiosk", "check_in").await.at("SHA01");
    let hidden = app.get(&shanghai, &format!("/v1/guests/{guest}")).await;
    let missing = app
        .get(&shanghai, "/v1/guests/0198c5a0-0000-7000-8000-000000000000")
        .await;
    let absurd = app.get(&shanghai, "/v1/guests/42").await;
    let said = json!({"purpose": "loyalty", "state": "given", "channel": "kiosk"});
    let consent = app
        .post(&shanghai, &format!("/v1/guests/{guest}/consents"), said)
        .await;
    let patch = app
        .patch(
            &shanghai,
            &format!("/v1/guests/{guest}"),
            json!({"gender": "female"}),
        )
        .await;
    for answer in [&hidden, &missing, &absurd, &consent, &patch] {
        assert_eq!(
            (answer.status, answer.problem()),
            (404, "not-found"),
            "{answer:?}"
        );
        let mut body = answer.body.clone();
        body.as_object_mut().unwrap().remove("instance");
        assert_eq!(
            body,
            json!({"type": "/problems/not-found", "title": body["title"], "status": 404, "detail": hidden.body["detail"]})
        );
    }
    app.finish().await;
});

both!(the_same_words_again_change_nothing, async |database| {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/w-1", wang()).await;
    let again = app.guest("web/w-1", wang()).await;
    assert_eq!(guest, again);
    let desk = app
        .get(&app.role("front_desk").await, &format!("/v1/guests/{guest}"))
        .await;
    assert_eq!(desk.body["version"], 1);
    app.finish().await;
});

both!(
    another_source_of_the_same_person_links_and_a_spouse_does_not,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app.guest("web/w-1", wang()).await;
        let same = json!({"guest": {"name": {"surname": "WANG", "given": "Xiaoming"},
                                "phones": [{"number": "13812345678"}]}});
        let shanghai = app.errand("integration", "booking").await.at("SHA01");
        let linked = app.put(&shanghai, "/v1/records/pms/881", same).await;
        assert_eq!(linked.status, 200, "{linked:?}");
        assert_eq!(linked.body["guest_id"], guest.as_str());
        assert_eq!(linked.body["resolution"]["outcome"], "linked");
        let spouse = json!({"guest": {"name": {"surname": "Li", "given": "Na"},
                                  "phones": [{"number": "+86 138 1234 5678"}],
                                  "emails": [{"address": "wang@guests.example"}]}});
        let other = app.guest("pms/882", spouse).await;
        assert_ne!(other, guest);
        app.finish().await;
    }
);

both!(
    reveal_shows_plain_on_demand_and_asks_why_for_documents,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app.guest("web/w-1", wang()).await;
        let desk = app.errand("front_desk", "check_in").await;
        let path = format!("/v1/guests/{guest}/reveal");
        let phones = app.post(&desk, &path, json!({"fields": ["phones"]})).await;
        assert_eq!(phones.status, 200, "{phones:?}");
        assert_eq!(phones.value("phones")[0]["number"], "+8613812345678");
        let bare = app.post(&desk, &path, json!({"fields": ["id_documents"]})).await;
        assert_eq!((bare.status, bare.problem()), (400, "reason-required"));
        let why = desk.with("vault-reason", "the guest is at the desk");
        let document = app.post(&why, &path, json!({"fields": ["id_documents"]})).await;
        assert_eq!(document.status, 200, "{document:?}");
        app.finish().await;
    }
);

both!(
    staff_correct_and_pin_and_stale_writers_are_told,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app.guest("web/w-1", wang()).await;
        let path = format!("/v1/guests/{guest}");
        let desk = app.errand("front_desk", "check_in").await;
        let stale = app
            .patch(
                &desk.clone().with("if-match", "\"7\""),
                &path,
                json!({"name": {"given": "Xiao Ming"}}),
            )
            .await;
        assert_eq!((stale.status, stale.problem()), (412, "precondition-failed"));
        let done = app
            .patch(
                &desk.clone().with("if-match", "\"1\""),
                &path,
                json!({"name": {"given": "Xiao Ming"}}),
            )
            .await;
        assert_eq!(done.status, 200, "{done:?}");
        let again = app
            .patch(&desk, &path, json!({"name": {"given": "Xiao Ming"}}))
            .await;
        let resolution = &done.body["resolution"];
        assert_eq!(
            resolution, &again.body["resolution"],
            "the first is like the others"
        );
        assert_eq!(
            (&resolution["probability"], &resolution["reasons"][0]["field"]),
            (&json!(1.0), &json!("guest_id"))
        );
        // A newer word of the source does not outrank the correction.
        let mut newer = wang();
        newer["observed_at"] = json!("2026-03-05T09:00:00Z");
        newer["guest"]["name"]["given"] = json!("Xiaomin");
        app.guest("web/w-1", newer).await;
        let read = app.get(&desk, &path).await;
        assert_eq!(read.value("name.given"), "Xiao Ming");
        let unpinned = app.patch(&desk, &path, json!({"name": {"given": null}})).await;
        assert_eq!(unpinned.status, 200, "{unpinned:?}");
        assert_eq!(app.get(&desk, &path).await.value("name.given"), "Xiaomin");
        app.finish().await;
    }
);

both!(
    consent_gates_the_next_read_and_withdrawal_the_one_after,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app.guest("web/w-1", wang()).await;
        let path = format!("/v1/guests/{guest}");
        let crm = app.errand("crm", "marketing_direct").await.at("GROUP");
        let consents = format!("{path}/consents");
        let say = |state: &str| json!({"purpose": "marketing_direct", "state": state, "channel": "web", "indication": "checkbox"});
        let before = app.get(&crm, &path).await;
        assert_eq!(before.status, 200, "{before:?}");
        assert_eq!(before.body["fields"]["name.surname"]["reason"], "consent");
        let given = app.post(&crm, &consents, say("given")).await;
        assert_eq!(given.status, 201, "{given:?}");
        assert_eq!(given.body["state"], "given");
        assert_eq!(app.get(&crm, &path).await.value("name.surname"), "Wang");
        app.set_clock("2026-03-05T10:00:01Z");
        assert_eq!(
            app.post(&crm, &consents, say("withdrawn")).await.body["state"],
            "withdrawn"
        );
        assert_eq!(
            app.get(&crm, &path).await.body["fields"]["name.surname"]["reason"],
            "consent"
        );
        let ledger = app.get(&crm, &consents).await;
        assert_eq!(ledger.body["history"].as_array().map(Vec::len), Some(2));
        app.finish().await;
    }
);

both!(every_look_and_every_refusal_is_in_the_log, async |database| {
    let app = TestApp::start(database).await;
    let guest = app.guest("web/w-1", wang()).await;
    let path = format!("/v1/guests/{guest}");
    let desk = app
        .role("front_desk")
        .await
        .with("vault-actor", "s-17")
        .with("vault-reason", "asked at the desk");
    let read = app.get(&desk, &path).await;
    app.get(&app.role("admin").await, &path).await;
    let officer = app.errand("compliance_officer", "audit").await.at("GROUP");
    let log = app
        .get(&officer, &format!("/v1/audit/entries?guest_id={guest}"))
        .await;
    assert_eq!(log.status, 200, "{log:?}");
    let leaves: Vec<&Value> = log.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| &i["leaf"])
        .collect();
    let acts: Vec<(&str, &str)> = leaves
        .iter()
        .map(|l| (l["act"].as_str().unwrap(), l["decision"].as_str().unwrap()))
        .collect();
    assert_eq!(
        acts,
        [
            ("read", "denied"),
            ("read", "permitted"),
            ("put_record", "permitted")
        ]
    );
    assert_eq!(leaves[1]["actor"], "s-17");
    assert_eq!(leaves[1]["fields"]["name.surname"], "plain");
    assert!(leaves[1]["subject"].as_str().is_some_and(|s| s.len() == 32));
    assert_eq!(leaves[1]["subject"], leaves[2]["subject"]);
    let id = read.body["audit"]["entry_id"].as_str().unwrap();
    let entry = app.get(&officer, &format!("/v1/audit/entries/{id}")).await;
    assert_eq!(entry.body["reason"], "asked at the desk");
    let denied = app
        .get(&officer, "/v1/audit/entries?decision=denied&action=read")
        .await;
    assert_eq!(denied.body["items"].as_array().map(Vec::len), Some(1));
    app.finish().await;
});
