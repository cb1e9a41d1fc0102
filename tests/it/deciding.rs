//! A record finds its guest, asks a steward, or makes a guest of its own; households stay apart.

use serde_json::{Value, json};

use crate::support::{app::TestApp, database::both};

#[expect(clippy::needless_pass_by_value, reason = "reads better where it is called")]
fn record(guest: Value) -> Value {
    json!({"observed_at": "2026-03-01T10:00:00Z", "guest": guest})
}

/// The parts of an explanation, and the bits that the probability stands for.
fn bits(resolution: &Value) -> (f64, f64) {
    let weights = resolution["reasons"].as_array().unwrap().iter();
    let sum = weights.map(|reason| reason["weight"].as_f64().unwrap()).sum();
    let p = resolution["probability"].as_f64().unwrap();
    (sum, (p / (1.0 - p)).log2())
}

both!(
    one_guest_in_two_scripts_is_linked_and_told_why,
    async |database| {
        let app = TestApp::start(database).await;
        let booking = app.errand("integration", "booking").await;
        let first = record(
            json!({"name": {"surname": "陈", "given": "晓明"}, "phones": [{"number": "+86 138 1234 5679"}]}),
        );
        let one = app.put(&booking, "/v1/records/web/c-1", first).await;
        assert_eq!(
            (one.status, one.body["resolution"]["outcome"].as_str()),
            (201, Some("created"))
        );
        let second = record(
            json!({"name": {"full": "CHEN/XIAOMING MR"}, "phones": [{"number": "138 1234 5679"}], "nationality": "CN"}),
        );
        let two = app.put(&booking, "/v1/records/ota/c-2", second).await;
        assert_eq!(two.status, 200, "{two:?}");
        assert_eq!(two.body["guest_id"], one.body["guest_id"]);
        let resolution = &two.body["resolution"];
        assert_eq!(resolution["outcome"], "linked");
        let fields: Vec<&str> = resolution["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reason| reason["field"].as_str().unwrap())
            .collect();
        assert!(
            fields.contains(&"name") && fields.contains(&"phones") && fields.contains(&"prior"),
            "{fields:?}"
        );
        let (sum, stated) = bits(resolution);
        assert!((sum - stated).abs() < 1e-6 && sum >= 8.0, "{sum} {stated}");
        app.finish().await;
    }
);

both!(
    households_stay_apart_and_a_namesake_asks_a_steward,
    async |database| {
        let app = TestApp::start(database).await;
        let booking = app.errand("integration", "booking").await;
        let of = |surname: &str, given: &str, more: Value| {
            let mut guest = json!({"name": {"surname": surname, "given": given}, "phones": [{"number": "+44 20 7946 0123"}],
                               "emails": [{"address": "walkers@family.example"}]});
            guest
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            record(guest)
        };
        let father = app
            .put(
                &booking,
                "/v1/records/web/w-1",
                of("Walker", "James", json!({"birth_date": "1960-03-04"})),
            )
            .await;
        let wife = app
            .put(&booking, "/v1/records/web/w-2", of("Walker", "Anna", json!({})))
            .await;
        assert_eq!(wife.body["resolution"]["outcome"], "created", "{wife:?}");
        let phone_only = record(
            json!({"name": {"surname": "Walker", "given": "James"}, "phones": [{"number": "+44 20 7946 0123"}]}),
        );
        let namesake = app.put(&booking, "/v1/records/web/w-3", phone_only).await;
        assert_eq!(namesake.status, 201, "{namesake:?}");
        let resolution = &namesake.body["resolution"];
        assert_eq!(resolution["outcome"], "review");
        assert!(resolution["review_id"].is_string());
        let p = resolution["probability"].as_f64().unwrap();
        assert!((0.98..0.997).contains(&p), "{p}");
        let son = app
            .put(
                &booking,
                "/v1/records/web/w-4",
                of("Walker", "James", json!({"birth_date": "1987-11-23"})),
            )
            .await;
        assert_ne!(son.body["guest_id"], father.body["guest_id"]);
        assert_ne!(son.body["resolution"]["outcome"], "linked", "{son:?}");
        // The same words again do not ask again.
        app.finish().await;
    }
);

both!(
    two_numbers_for_life_are_two_people_and_lent_contacts_decide_nothing,
    async |database| {
        let app = TestApp::start(database).await;
        let desk = app.errand("front_desk", "check_in").await;
        let of = |number: &str| {
            record(
                json!({"name": {"surname": "王", "given": "芳"}, "birth_date": "1990-03-07", "phones": [{"number": "+86 138 1234 5679"}],
                      "emails": [{"address": "wangfang@mail.example"}],
                      "id_documents": [{"type": "cn_resident_id", "issuing_country": "CN", "number": number}]}),
            )
        };
        // Both are invented; they differ in the order number alone.
        let one = app
            .put(&desk, "/v1/records/pms/1", of("110101199003070214"))
            .await;
        assert_eq!(one.status, 201, "{one:?}");
        let twin = app
            .put(&desk, "/v1/records/pms/2", of("110101199003070230"))
            .await;
        assert_eq!(twin.status, 201, "{twin:?}");
        assert_ne!(one.body["guest_id"], twin.body["guest_id"]);
        let lent = |name: &str| {
            record(
                json!({"name": {"surname": name}, "emails": [{"address": "x.77@guest.booking.com"}],
                      "phones": [{"number": "+49 151 2345 6789", "relay": {"provider": "ota"}}]}),
            )
        };
        let first = app.put(&desk, "/v1/records/ota/1", lent("Ana")).await;
        let second = app.put(&desk, "/v1/records/ota/2", lent("Rui")).await;
        assert_eq!(second.body["resolution"]["outcome"], "created", "{second:?}");
        assert_ne!(first.body["guest_id"], second.body["guest_id"]);
        app.finish().await;
    }
);

both!(
    what_a_channel_lends_is_shown_for_its_stay_and_never_to_marketing,
    async |database| {
        let app = TestApp::start(database).await;
        let record = json!({
            "guest": {"name": {"surname": "Duarte"}, "emails": [{"address": "r.55@guest.booking.com"}],
                      "phones": [{"number": "+351 912 345 678"}]},
            "stays": [{"reservation": "R-55", "property": "LIS01", "arrival": "2026-03-04", "departure": "2026-03-07",
                       "status": "confirmed"}],
            "consents": [{"purpose": "marketing_direct", "state": "given", "channel": "web"}],
        });
        let guest = app.guest("ota/55", record).await;
        let path = format!("/v1/guests/{guest}?fields=emails,phones");
        let reservations = app.errand("reservation_agent", "booking").await;
        let shown = app.get(&reservations, &path).await;
        assert_eq!(
            shown.value("emails").as_array().map(Vec::len),
            Some(1),
            "{shown:?}"
        );

        let marketing = app.errand("crm", "marketing_direct").await;
        let offered = app.get(&marketing, &path).await;
        assert_eq!(offered.value("emails"), &json!([]), "{offered:?}");
        assert_eq!(
            offered.value("phones").as_array().map(Vec::len),
            Some(1),
            "{offered:?}"
        );

        // Sixty days after the departure it reaches nobody; the guest's own number still does.
        app.set_clock("2026-05-06T23:00:00Z");
        assert_eq!(
            app.get(&reservations, &path)
                .await
                .value("emails")
                .as_array()
                .map(Vec::len),
            Some(1)
        );
        app.set_clock("2026-05-07T01:00:00Z");
        let later = app.get(&reservations, &path).await;
        assert_eq!(later.value("emails"), &json!([]), "{later:?}");
        assert_eq!(
            later.value("phones").as_array().map(Vec::len),
            Some(1),
            "{later:?}"
        );
        let records = app
            .get(&reservations, &format!("/v1/guests/{guest}/records"))
            .await;
        assert!(
            !String::from_utf8_lossy(&records.bytes).contains("guest.booking.com"),
            "{records:?}"
        );
        app.finish().await;
    }
);

both!(what_a_record_no_longer_says_finds_nobody, async |database| {
    let app = TestApp::start(database).await;
    let booking = app.errand("integration", "booking").await;
    let first = record(
        json!({"name": {"surname": "Tanaka", "given": "Momoko"}, "nationality": "JP",
                              "phones": [{"number": "+81 70 3177 6387"}]}),
    );
    let one = app.put(&booking, "/v1/records/web/t-1", first).await;
    let taken_back = json!({"observed_at": "2026-03-02T10:00:00Z", "guest": {"phones": null}});
    app.put(&booking, "/v1/records/web/t-1", taken_back).await;
    let other = record(
        json!({"name": {"surname": "Tanaka", "given": "Momoko"}, "nationality": "JP",
                              "phones": [{"number": "+81 70 3177 6387"}]}),
    );
    let two = app.put(&booking, "/v1/records/ota/t-2", other).await;
    // The name alone is left, which links nobody.
    assert_ne!(two.body["guest_id"], one.body["guest_id"]);
    app.finish().await;
});
