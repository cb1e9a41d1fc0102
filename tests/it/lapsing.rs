//! What has had its time is not shown from the first moment of the day, also where only a look at all of the guest can
//! tell, and no run has come by on that day.

use std::sync::{Arc, atomic::AtomicI64};

use guest_vault::{erasure::Eraser, retention::Rules};
use serde_json::{Value, json};

use crate::{
    rights::{lin, officer},
    support::{
        app::{Errand, TestApp},
        database::both,
    },
};

const FOREIGN: &str = "[[rule]]\nid='f'\ncountry='PT'\ncompartment='categories'\ncategories=['affiliation']\n\
                       guests='foreign'\ntrigger='departure'\nmax={count=40,unit='days'}\nsource='s'\n\
                       as_of='2026-01-01'\nconfidence='low'\n";

/// A guest of whom an officer sees the fields that are still shown.
struct Scene {
    app: TestApp,
    guest: String,
    looker: Errand,
}

impl Scene {
    async fn of(app: TestApp, record: Value) -> Self {
        let guest = app.guest("pms/l-1", record).await;
        let looker = app
            .errand("compliance_officer", "security_incident")
            .await
            .at("GROUP")
            .with("vault-actor", "o-1")
            .with("vault-reason", "the test");
        Self { app, guest, looker }
    }

    async fn shows(&self, field: &str) -> bool {
        let path = format!("/v1/guests/{}/reveal", self.guest);
        let told = self
            .app
            .post(&self.looker, &path, json!({"fields": [field]}))
            .await;
        assert_eq!(told.status, 200, "{told:?}");
        !told.body["fields"][field]["value"].is_null()
    }

    /// Whether it lies there still, for whom the law shows it to.
    async fn holds(&self, category: &str) -> bool {
        let path = format!("/v1/retention/plan?guest_id={}", self.guest);
        let plan = self.app.get(&officer(&self.app, "o-1").await, &path).await;
        let all = plan.body["categories"].as_array().unwrap();
        all.iter().any(|plan| plan["category"] == category)
    }
}

fn at_work(record: &mut Value) {
    record["guest"]["occupation"] = json!("cartographer");
}

both!(
    what_a_rule_about_foreigners_ends_is_not_shown_on_its_day,
    async |database| {
        let app = TestApp::start(database).await;
        let mut record = lin("R-1", "2026-01-22", "2026-01-25", "checked_out");
        at_work(&mut record);
        let scene = Scene::of(app, record).await;
        let eraser = Eraser {
            rules: Arc::new(Rules::read([("x", FOREIGN)]).unwrap()),
            ..scene.app.app.requests().eraser
        };
        // Forty days after the departure: 6 March. The run of the day before says so, and, as it let the passport go, the
        // look at guests that changed.
        scene.app.set_clock("2026-03-05T03:00:00Z");
        eraser.work(1_000).await.unwrap();
        assert_eq!(eraser.look_again(&AtomicI64::new(0)).await.unwrap(), 1);
        scene.app.set_clock("2026-03-05T23:59:59Z");
        assert!(scene.shows("occupation").await);
        scene.app.set_clock("2026-03-06T00:00:00Z");
        assert!(!scene.shows("occupation").await, "no run has come by on that day");
        assert!(scene.shows("name.surname").await);
        assert!(scene.holds("affiliation").await);

        // The guest comes again: what the house needs is there at once, and after the guest was looked at again.
        let mut again = lin("R-2", "2026-03-04", "2026-03-20", "checked_in");
        at_work(&mut again);
        scene.app.guest("pms/l-1", again).await;
        assert!(scene.shows("occupation").await);
        assert_eq!(eraser.look_again(&AtomicI64::new(0)).await.unwrap(), 1);
        assert!(scene.shows("occupation").await);
        scene.app.finish().await;
    }
);

both!(what_a_change_ends_is_not_shown_soon_after, async |database| {
    let app = TestApp::start(database).await;
    let mut record = lin("R-1", "2026-01-02", "2026-01-05", "checked_out");
    record["guest"]["nationality"] = json!("PT");
    at_work(&mut record);
    let scene = Scene::of(app, record.clone()).await;
    let eraser = Eraser {
        rules: Arc::new(Rules::read([("x", FOREIGN)]).unwrap()),
        ..scene.app.app.requests().eraser
    };
    let seen = AtomicI64::new(0);
    scene.app.app.courier.step().await.unwrap();
    eraser.look_again(&seen).await.unwrap();
    assert!(scene.shows("occupation").await);
    // Not a Portuguese guest after all: forty days were over long ago.
    record["guest"]["nationality"] = json!("CN");
    scene.app.set_clock("2026-03-05T12:00:00Z");
    scene.app.guest("pms/l-1", record).await;
    scene.app.app.courier.step().await.unwrap();
    assert_eq!(eraser.look_again(&seen).await.unwrap(), 1);
    assert!(!scene.shows("occupation").await);
    assert_eq!(
        eraser.look_again(&seen).await.unwrap(),
        0,
        "what was looked at is not looked at again"
    );
    scene.app.finish().await;
});

both!(
    what_waits_for_a_second_person_is_not_shown_meanwhile,
    async |database| {
        let mut app = TestApp::start(database).await;
        app.app.pace.approve_above = 0;
        let mut record = lin("R-1", "2026-01-10", "2026-03-01", "checked_out");
        record["guest"]["memberships"] =
            json!([{"program": "CLUB", "number": "7700123", "tier": "gold", "expires_at": "2025-03-05"}]);
        let scene = Scene::of(app, record).await;
        let eraser = scene.app.app.requests().eraser;
        // Twelve months after the membership's end.
        scene.app.set_clock("2026-03-04T03:00:00Z");
        assert!(scene.shows("memberships").await);
        scene.app.set_clock("2026-03-05T03:00:00Z");
        eraser.work(1_000).await.unwrap();
        let one = officer(&scene.app, "o-1").await;
        let runs = scene.app.get(&one, "/v1/retention/runs").await;
        assert_eq!(runs.body["items"][0]["state"], "waiting", "{runs:?}");
        assert!(!scene.shows("memberships").await);
        assert!(scene.holds("membership").await);
        // Nobody decides: the guest is looked at each day all the same.
        for day in ["2026-03-06T03:00:00Z", "2026-03-07T03:00:00Z"] {
            scene.app.set_clock(day);
            eraser.work(1_000).await.unwrap();
            eraser.work(1_000).await.unwrap();
        }
        let runs = scene.app.get(&one, "/v1/retention/runs").await;
        let kinds: Vec<bool> = runs.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|run| run["dry_run"].as_bool().unwrap())
            .collect();
        assert_eq!(kinds, [true, true, false], "{runs:?}");
        assert!(!scene.shows("memberships").await);
        scene.app.finish().await;
    }
);
