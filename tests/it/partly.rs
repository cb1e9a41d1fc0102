//! Erasures that go in part: of whom was taken in too, against holds put at the same moment, and certified as they ended.

use actix_web::http::Method;
use guest_vault::{
    base::{Category, GuestId},
    erasure::certificate,
};
use serde_json::{Value, json};

use crate::{
    erasure::{approve, asked},
    merging::merge,
    rights::{lin, officer},
    support::{
        app::{Answer, TestApp},
        database::both,
    },
};

/// A surname with a number in it, in letters: nobody is taken for another.
pub(crate) fn surname(number: u32) -> String {
    let letter = |digit: u8| char::from(digit - b'0' + b'a');
    format!("R{}", number.to_string().bytes().map(letter).collect::<String>())
}

pub(crate) fn rocha(number: u32) -> Value {
    json!({
        "guest": {
            "name": {"surname": surname(number), "given": "Rui"},
            "birth_date": format!("{}-05-{:02}", 1940 + number % 59, 1 + number % 28),
            "phones": [{"number": format!("+351 91 {number:07}")}],
            "emails": [{"address": format!("rui{number}@guests.example")}],
            "preferences": {"room": {"floor": "high"}}
        },
        "stays": [{"reservation": format!("R-{number}"), "property": "LIS01", "arrival": "2026-02-01",
                   "departure": "2026-02-03", "status": "checked_out"}]
    })
}

pub(crate) async fn hold(app: &TestApp, guest: &str, categories: Value) -> Answer {
    let hold = json!({"matter": "C-17/26", "ground": "legal_claim", "categories": categories, "review_on": "2026-09-01"});
    let path = format!("/v1/guests/{guest}/holds");
    app.post(&officer(app, "o-1").await, &path, hold).await
}

/// The drawers of a guest that have a key, and the fields that have a row.
async fn left(app: &TestApp, guest: &str) -> (Vec<Category>, Vec<String>) {
    let guest: GuestId = guest.parse().unwrap();
    let vault = &app.app.vault;
    let keys = vault.keys.fresh_guest_keys(guest, &Category::ALL).await.unwrap();
    let drawers = Category::ALL.into_iter().filter(|category| keys.has(*category));
    let mut conn = vault.store.read().await.unwrap();
    let values = conn.stored_values(guest).await.unwrap();
    (
        drawers.collect(),
        values.into_iter().map(|value| value.field).collect(),
    )
}

fn drawer(app: &TestApp, field: &str) -> Category {
    let policy = app.app.vault.policies.current();
    policy
        .catalogue()
        .find(field)
        .map(|(_, field)| field.category)
        .unwrap()
}

/// Whether all that is left of the guest lies in one drawer, or in those that hold no field.
async fn only(app: &TestApp, guest: &str, kept: Category) {
    let (drawers, fields) = left(app, guest).await;
    let gone = [
        Category::Identity,
        Category::Contact,
        Category::Demographic,
        Category::Preference,
    ];
    for category in gone.into_iter().filter(|category| *category != kept) {
        assert!(!drawers.contains(&category), "{guest} {category:?} {drawers:?}");
    }
    assert!(drawers.contains(&kept), "{drawers:?}");
    assert!(!fields.is_empty());
    for field in fields {
        assert_eq!(drawer(app, &field), kept, "{field}");
    }
}

both!(
    what_goes_in_part_goes_of_whom_was_taken_in_too,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let other = app.guest("web/2", rocha(7_654_321)).await;
        let merged = merge(&app, &one, &other, "?force=true").await;
        assert_eq!(merged.status, 201, "{merged:?}");
        assert_eq!(hold(&app, &one, json!(["identity"])).await.status, 201);
        let (case, preview) = asked(&app, &one).await;
        let part = approve(&app, &case, &preview, "o-2").await;
        assert_eq!(part.body["state"], "waiting", "{part:?}");
        only(&app, &one, Category::Identity).await;
        only(&app, &other, Category::Identity).await;
        let found = app.app.vault.inspect().await.unwrap();
        assert_eq!(found.damaged, 0, "{:?}", found.places);
        let told = app
            .get(&officer(&app, "o-1").await, &format!("{case}/certificate"))
            .await;
        let runs = told.body["certificate"]["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 2, "{told:?}");
        app.app.close().await;
    }
);

both!(
    what_has_had_its_time_goes_of_whom_was_taken_in_too,
    async |database| {
        let app = TestApp::start(database).await;
        let one = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let other = app.guest("web/2", rocha(7_654_321)).await;
        assert_eq!(merge(&app, &one, &other, "?force=true").await.status, 201);
        assert_eq!(hold(&app, &one, json!(["identity"])).await.status, 201);
        app.set_clock("2040-03-05T10:00:00Z");
        let run = app
            .post(&officer(&app, "o-1").await, "/v1/retention/runs", json!({}))
            .await;
        assert_eq!(run.body["gone"], 1, "{run:?}");
        only(&app, &one, Category::Identity).await;
        only(&app, &other, Category::Identity).await;
        app.app.close().await;
    }
);

both!(
    a_hold_that_was_acknowledged_is_kept_by_an_erasure_at_that_moment,
    async |database| {
        let app = TestApp::start(database).await;
        let mut guests = Vec::new();
        for at in 0..8_u32 {
            let guest = app.guest(&format!("web/{at}"), rocha(1_010_101 * (at + 2))).await;
            let (case, preview) = asked(&app, &guest).await;
            guests.push((guest, case, preview));
        }
        for (guest, case, preview) in &guests {
            let (held, decided) = tokio::join!(
                hold(&app, guest, json!(["contact"])),
                approve(&app, case, preview, "o-2")
            );
            let fields = left(&app, guest).await.1;
            if held.status == 201 {
                assert!(fields.contains(&"emails".to_owned()), "{held:?} {decided:?}");
            } else {
                assert_eq!((held.status, decided.status), (410, 200), "{held:?} {decided:?}");
                assert!(fields.is_empty(), "{fields:?}");
            }
        }
        app.app.close().await;
    }
);

both!(
    who_is_taken_in_while_the_survivor_is_erased_goes_with_it,
    async |database| {
        let app = TestApp::start(database).await;
        for at in 0..6_u32 {
            let one = app.guest(&format!("web/{at}"), rocha(1_010_101 * (at + 2))).await;
            let other = app.guest(&format!("pms/{at}"), rocha(1_111_013 * (at + 2))).await;
            let (case, preview) = asked(&app, &one).await;
            let (merged, decided) = tokio::join!(
                merge(&app, &one, &other, "?force=true"),
                approve(&app, &case, &preview, "o-2")
            );
            let (own, taken) = (left(&app, &one).await.1, left(&app, &other).await.1);
            if merged.status == 201 && own.is_empty() {
                assert!(taken.is_empty(), "{merged:?} {decided:?}");
            }
        }
        app.app.close().await;
    }
);

both!(
    a_certificate_says_what_became_of_it_in_the_end,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let put = hold(&app, &guest, json!(["identity"])).await;
        let (case, preview) = asked(&app, &guest).await;
        let part = approve(&app, &case, &preview, "o-2").await;
        assert_eq!(part.body["state"], "waiting", "{part:?}");
        let one = officer(&app, "o-1").await;
        let verifier = app.app.sequencer.signer().verifier().clone();
        let certified = async || {
            let told = app.get(&one, &format!("{case}/certificate")).await;
            assert_eq!(told.status, 200, "{told:?}");
            let text = String::from_utf8(told.bytes.clone()).unwrap();
            certificate::verify(&text, &verifier).unwrap();
            told.body["certificate"].clone()
        };
        let fate = |told: &Value, category: &str| {
            let all = told["categories"].as_array().unwrap();
            let found = all.iter().find(|fate| fate["category"] == category).unwrap();
            (found["fate"].clone(), found.get("ground").cloned())
        };
        let now = certified().await;
        assert_eq!(now["complete"], false);
        assert_eq!(
            fate(&now, "identity"),
            (json!("keep"), Some(json!("legal_claim")))
        );
        assert_eq!(fate(&now, "contact"), (json!("erase"), None));
        assert_eq!(fate(&now, "audit").0, "keep");

        let path = format!(
            "/v1/guests/{guest}/holds/{}",
            put.body["hold_id"].as_str().unwrap()
        );
        let other = officer(&app, "o-2").await;
        assert_eq!(app.call(&other, Method::DELETE, &path, None).await.status, 204);
        assert_eq!(app.app.requests().go_on().await.unwrap(), 1);
        let end = certified().await;
        assert_eq!(end["complete"], true);
        for category in ["identity", "contact", "document", "audit"] {
            assert_eq!(fate(&end, category), (json!("erase"), None), "{end}");
        }
        // The register's copy stays, though what the rules ask about went before the rest.
        let lawful = app
            .errand("compliance_officer", "legal_retention")
            .await
            .at("GROUP");
        let register = app.get(&lawful, &format!("/v1/guests/{guest}/register")).await;
        assert_eq!(register.status, 200, "{register:?}");
        let entry = &register.body["entries"][0];
        assert_eq!(entry["keep_until"], "2027-01-12");
        assert_eq!(entry["guest"]["nationality"], "CN");
        assert_eq!(fate(&end, "statutory").0, "restrict");
        app.set_clock("2027-01-13T03:00:00Z");
        assert_eq!(app.app.requests().eraser.sweep_registers().await.unwrap(), 1);
        app.app.close().await;
    }
);
