//! What may rest on what: single kinds of data on another ground than the rest, no yes without a notice, and the
//! register of what went to others.

use std::{fs, sync::Arc};

use chrono::{DateTime, Utc};
use guest_vault::{
    audit::tlog::Stored,
    base::PropertyTree,
    policy::{Policies, PolicySource},
};
use serde_json::{Value, json};

use crate::{
    consent::{Scene, notice, reason, with, yes},
    support::{
        app::{Answer, Errand, TestApp, tree},
        database::{Database, both},
    },
};

const PURPOSES: &str = include_str!("../../policies/purposes.toml");

/// Staying rests on the contract, but allergies on consent and wishes on the house's interest.
fn grounds(purposes: &str) -> String {
    let (head, rest) = purposes.split_once("[stay_service]\n").unwrap();
    let bases = "bases = { health_belief = \"consent\", preference = \"legitimate_interest\" }";
    format!("{head}[stay_service]\n{bases}\n{rest}")
}

async fn with_grounds(database: &Database) -> (TestApp, String) {
    let mut app = TestApp::start(database).await;
    let folder = database.dir().join("policies");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("purposes.toml"), grounds(PURPOSES)).unwrap();
    let tree = PropertyTree::new(tree()).unwrap();
    let policies = Policies::load(PolicySource::Folder(folder), &tree).unwrap();
    app.app.vault.policies = Arc::new(policies);
    let guest = app
        .guest(
            "web/b-1",
            json!({
                "observed_at": "2026-03-01T10:00:00Z", "provenance": "declared",
                "guest": {"name": {"surname": "Ferreira", "given": "Inês"}, "diet": ["vegetarian"],
                          "preferences": {"gift": {"text": "tulips"}}},
                "stays": [{"reservation": "R-1", "property": "LIS01", "arrival": "2026-03-04",
                           "departure": "2026-03-07", "status": "checked_in", "channel": "web"}]
            }),
        )
        .await;
    (app, guest)
}

async fn look(app: &TestApp, errand: &Errand, guest: &str) -> Answer {
    let answer = app.get(errand, &format!("/v1/guests/{guest}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// The view of the first field whose path begins so, and why it is kept back.
fn seen(answer: &Answer, path: &str) -> (String, Value) {
    let fields = answer.body["fields"].as_object().unwrap();
    let (_, field) = fields
        .iter()
        .find(|(at, _)| at.starts_with(path))
        .unwrap_or_else(|| panic!("no {path} in {answer:?}"));
    (
        field["view"].as_str().unwrap_or_default().to_owned(),
        field["reason"].clone(),
    )
}

both!(each_kind_of_data_has_its_own_ground, async |database| {
    let (app, guest) = with_grounds(database).await;
    let manager = app.errand("duty_manager", "stay_service").await;
    let before = look(&app, &manager, &guest).await;
    assert_eq!(before.value("name.surname"), "Ferreira", "the contract is enough");
    assert_eq!(seen(&before, "diet"), ("withheld".to_owned(), json!("consent")));
    assert_ne!(
        seen(&before, "preferences").0,
        "withheld",
        "until the guest objects"
    );

    let crm = app.errand("crm", "stay_service").await;
    let say = async |state: &str| {
        let said = with(yes("stay_service"), "state", state);
        app.post(&crm, &format!("/v1/guests/{guest}/consents"), said)
            .await
    };
    let given = say("given").await;
    assert_eq!(given.status, 201, "{given:?}");
    let agreed = look(&app, &manager, &guest).await;
    assert_ne!(seen(&agreed, "diet").0, "withheld", "{agreed:?}");
    let officer = app.errand("compliance_officer", "audit").await.at("GROUP");
    let log = app
        .get(
            &officer,
            &format!("/v1/audit/entries?guest_id={guest}&action=read"),
        )
        .await;
    let line = given.body["consent_id"].as_str().unwrap();
    assert_eq!(
        log.body["items"][0]["leaf"]["basis"],
        format!("consent:{line}"),
        "the line that decided is in the log"
    );

    app.set_clock("2026-03-05T10:00:01Z");
    assert_eq!(say("objected").await.status, 201);
    let after = look(&app, &manager, &guest).await;
    assert_eq!(after.value("name.surname"), "Ferreira", "the contract still is");
    assert_eq!(seen(&after, "diet").0, "withheld");
    assert_eq!(seen(&after, "preferences").0, "withheld");
    app.finish().await;
});

both!(
    what_rests_on_consent_takes_no_yes_without_a_notice,
    async |database| {
        let mut scene = Scene::new(database).await;
        scene.app.app.vault.bare_yes = false;
        assert_eq!(
            reason(&scene.say(&scene.crm, yes("marketing_direct")).await),
            "notice_required"
        );
        let refused = with(yes("marketing_direct"), "state", "refused");
        assert_eq!(
            scene.say(&scene.crm, refused).await.status,
            201,
            "a no needs nothing"
        );
        let interest = scene.say(&scene.crm, yes("profiling_value")).await;
        assert_eq!(interest.status, 201, "nothing rests on it: {interest:?}");
        let separate = with(yes("loyalty"), "separate", "sensitive");
        assert_eq!(
            reason(&scene.say(&scene.crm, separate).await),
            "notice_required",
            "a separate consent is one wherever it is asked for"
        );
        let integration = scene.app.errand("integration", "booking").await;
        let record =
            json!({"guest": {"name": {"surname": "Okonkwo"}}, "consents": [yes("marketing_direct")]});
        let put = scene.app.put(&integration, "/v1/records/pms/7", record).await;
        assert_eq!(
            put.body["rejected"],
            json!([{"field": "consents[0]", "reason": "notice_required"}])
        );

        scene.app.set_clock("2026-03-05T10:00:01Z");
        let told = scene.publish(notice("en", "May we write to you?")).await;
        let id = told.body["notice_id"].as_str().unwrap();
        let named = with(yes("marketing_direct"), "notice_id", id);
        assert_eq!(scene.say(&scene.crm, named).await.body["state"], "given");
        let standing = scene.standing().await;
        let marked: Vec<&Value> = standing
            .as_array()
            .unwrap()
            .iter()
            .filter(|s| s["without_notice"] == true)
            .collect();
        assert_eq!(marked.len(), 1, "only the one that nothing proves: {standing}");
        assert_eq!(marked[0]["purpose"], "profiling_value");
        scene.app.finish().await;
    }
);

both!(any_channel_may_say_yes_with_its_evidence, async |database| {
    let scene = Scene::new(database).await;
    let told = scene.publish(notice("en", "May we write to you?")).await;
    for channel in ["portal", "paper", "front_desk", "phone"] {
        let mut said = with(yes("marketing_direct"), "channel", channel);
        said["notice_id"] = told.body["notice_id"].clone();
        said["evidence_ref"] = json!(format!("{channel} session 7"));
        assert_eq!(
            scene.say(&scene.crm, said).await.body["state"],
            "given",
            "{channel}"
        );
    }
    let path = format!("/v1/guests/{}/consents", scene.guest);
    let history = scene.app.get(&scene.crm, &path).await.body["history"].clone();
    let channels: Vec<&str> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["channel"].as_str().unwrap())
        .collect();
    assert_eq!(channels, ["portal", "paper", "front_desk", "phone"]);
    scene.app.finish().await;
});

both!(the_register_outlives_the_log_s_retention, async |database| {
    let scene = Scene::new(database).await;
    let desk = scene.app.errand("crm", "loyalty").await;
    let path = format!("/v1/guests/{}", scene.guest);
    for _ in 0..300 {
        assert_eq!(scene.app.get(&desk, &path).await.status, 200);
    }
    scene.app.set_clock("2026-03-05T10:00:01Z");
    let lisbon = scene.app.errand("crm", "marketing_direct").await;
    scene.say(&lisbon, yes("third_party:spa_partner")).await;
    let partner = scene.app.errand("partner", "third_party:spa_partner").await;
    assert_eq!(scene.app.get(&partner, &path).await.value("name.surname"), "Wang");
    scene.app.set_clock("2027-06-01T10:00:00Z");
    for _ in 0..300 {
        assert_eq!(scene.app.get(&desk, &path).await.status, 200);
    }
    scene.app.app.settle_log().await;
    let log = Stored::new(scene.app.app.vault.store.clone());
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let retention = at("2027-05-01T00:00:00Z");
    let first = log.prune(retention, at("2024-05-31T00:00:00Z")).await.unwrap();
    assert_eq!(first, 256, "up to the bundle with the disclosure");
    let list = async || {
        let register = "/v1/disclosures?recipient=spa_partner";
        let answer = scene.app.get(&scene.officer, register).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["items"].as_array().map(Vec::len)
    };
    assert_eq!(list().await, Some(1), "kept three years");
    let first = log.prune(retention, at("2026-03-06T00:00:00Z")).await.unwrap();
    assert_eq!(first, 512, "and then no longer");
    assert_eq!(list().await, Some(0));
    scene.app.app.close().await;
});
