//! What a stay's end, a booking for others, an overruled date and another house's record do not open.

use serde_json::{Value, json};

use crate::support::{
    app::{Errand, TestApp},
    database::both,
};

fn person(name: &str, at: &str, stay: &Value) -> Value {
    json!({
        "observed_at": at,
        "guest": {"name": {"surname": name}, "phones": [{"number": "+351 912 000 611"}]},
        "stays": [stay]
    })
}

async fn view(app: &TestApp, guest: &str) -> String {
    let desk = app.errand("front_desk", "check_in").await;
    let read = app
        .get(&desk, &format!("/v1/guests/{guest}?fields=name,phones"))
        .await;
    assert_eq!(read.status, 200, "{read:?}");
    read.view("phones").to_owned()
}

both!(who_left_early_is_soon_gone, async |database| {
    let app = TestApp::start(database).await;
    let stay = |status: &str| json!({"reservation": "R-61", "arrival": "2026-03-01", "departure": "2026-06-20", "status": status});
    let guest = app
        .guest(
            "pms/61",
            person("Moura", "2026-03-01T15:00:00Z", &stay("checked_in")),
        )
        .await;
    assert_eq!(view(&app, &guest).await, "masked");
    let left = person("Moura", "2026-03-05T09:00:00Z", &stay("checked_out"));
    assert_eq!(app.guest("pms/61", left).await, guest);
    app.set_clock("2026-03-08T12:00:00Z");
    assert_eq!(view(&app, &guest).await, "masked", "departed for three days");
    app.set_clock("2026-03-09T12:00:00Z");
    assert_eq!(view(&app, &guest).await, "withheld");
    app.finish().await;
});

both!(a_booking_for_others_opens_no_house, async |database| {
    let app = TestApp::start(database).await;
    let stay = |number: &str, role: &str| {
        json!({"reservation": number, "arrival": "2026-03-05", "departure": "2026-03-09",
               "status": "confirmed", "role": role})
    };
    let at = "2026-03-01T10:00:00Z";
    let comes = app
        .guest("crs/62", person("Faria", at, &stay("R-62", "primary")))
        .await;
    let books = app
        .guest("crs/63", person("Nogueira", at, &stay("R-63", "booker")))
        .await;
    assert_eq!(view(&app, &comes).await, "masked");
    assert_eq!(view(&app, &books).await, "withheld");
    app.finish().await;
});

both!(
    a_day_that_is_overruled_or_withheld_is_not_told,
    async |database| {
        let app = TestApp::start(database).await;
        let yes = json!([{"purpose": "occasion_greeting", "state": "given", "channel": "web", "indication": "checkbox"}]);
        let record = json!({
            "guest": {"name": {"surname": "Teles"}, "birth_date": "1984-03-07",
                      "anniversaries": [{"kind": "wedding", "date": "2012-03-08"}]},
            "stays": [{"reservation": "R-64", "arrival": "2026-03-04", "departure": "2026-03-09", "status": "checked_in"}],
            "consents": yes
        });
        let guest = app.guest("web/64", record).await;
        let told = async |errand: &Errand| {
            let asked = json!({"from": "2026-03-05", "days": 7});
            let found = app.post(errand, "/v1/occasions", asked).await;
            assert_eq!(found.status, 200, "{found:?}");
            let all = found.body["items"].as_array().unwrap().iter();
            all.map(|one| one["day"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let crm = app.errand("crm", "occasion_greeting").await;
        assert_eq!(told(&crm).await, ["--03-07", "--03-08"]);
        // Who may see no anniversaries is told of none.
        let specialist = app.errand("service_specialist", "occasion_greeting").await;
        assert_eq!(told(&specialist).await, ["--03-07"]);
        let desk = app.errand("front_desk", "check_in").await;
        let fixed = app
            .patch(
                &desk,
                &format!("/v1/guests/{guest}"),
                json!({"birth_date": "1984-03-10"}),
            )
            .await;
        assert_eq!(fixed.status, 200, "{fixed:?}");
        assert_eq!(told(&crm).await, ["--03-08", "--03-10"]);
        app.finish().await;
    }
);

both!(a_record_tells_no_house_that_is_not_ones_own, async |database| {
    let app = TestApp::start(database).await;
    let guest = app
        .guest(
            "pms/65",
            person(
                "Pires",
                "2026-03-01T10:00:00Z",
                &json!({"reservation": "R-65", "arrival": "2026-03-04", "departure": "2026-03-09", "status": "checked_in"}),
            ),
        )
        .await;
    let path = format!("/v1/guests/{guest}/records");
    let records = async |errand: &Errand| {
        let answer = app.get(errand, &path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["records"].clone()
    };
    let desk = app.errand("front_desk", "check_in").await;
    assert_eq!(records(&desk).await[0]["property"], "LIS01");
    let officer = app.errand("compliance_officer", "subject_request").await;
    assert_eq!(records(&officer.at("SHA01")).await[0]["property"], "LIS01");
    let keeping = app.errand("housekeeping", "stay_service").await.at("SHA01");
    let seen = records(&keeping).await;
    assert_eq!(seen[0]["fields"]["name.surname"]["view"], "masked", "{seen}");
    assert!(seen[0].get("property").is_none(), "{seen}");
    // Without the guest's consent marketing sees nothing of the guest, so no record either.
    let marketing = app.errand("marketing", "marketing_direct").await;
    assert_eq!(records(&marketing).await, json!([]));
    app.finish().await;
});
