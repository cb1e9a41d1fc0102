//! What is said of a guest while it is taken in, out of sight, or decided about by two.

use actix_web::http::Method;
use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    merging::{merge, record},
    rights::officer,
    support::{
        app::{Answer, Errand, TestApp},
        database::both,
    },
};

pub(crate) const NAMES: [&str; 12] = [
    "Abrantes",
    "Bulhosa",
    "Coutinho",
    "Domingues",
    "Escobar",
    "Figueira",
    "Guedes",
    "Henriques",
    "Inverno",
    "Jordao",
    "Keil",
    "Lacerda",
];

/// Two people; the one that a number is given to has agreed to marketing.
async fn two(app: &TestApp, number: usize, agreed: usize) -> [String; 2] {
    let mut both = [String::new(), String::new()];
    for (at, place) in both.iter_mut().enumerate() {
        let number = 2 * number + at;
        let mut told = record(
            NAMES[number],
            "Rita",
            510_101 * u32::try_from(number + 1).unwrap(),
        );
        if at != agreed {
            told["consents"] = json!([]);
        }
        *place = app.guest(&format!("pms/{number}"), told).await;
    }
    both
}

pub(crate) async fn say(app: &TestApp, by: &Errand, guest: &str, state: &str) -> Answer {
    let said = json!({"purpose": "marketing_direct", "state": state, "channel": "phone"});
    app.post(by, &format!("/v1/guests/{guest}/consents"), said).await
}

/// Where a guest stands on marketing.
pub(crate) async fn stands(app: &TestApp, guest: &str) -> Value {
    let crm = app.errand("crm", "loyalty").await;
    let told = app.get(&crm, &format!("/v1/guests/{guest}/consents")).await;
    assert_eq!(told.status, 200, "{told:?}");
    let mut all = told.body["standing"].as_array().unwrap().iter();
    all.find(|line| line["purpose"] == "marketing_direct")
        .cloned()
        .unwrap_or_default()
}

pub(crate) fn click(link: &str) -> actix_web::test::TestRequest {
    actix_web::test::TestRequest::default()
        .method(Method::POST)
        .uri(link)
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload("List-Unsubscribe=One-Click")
}

both!(a_no_that_meets_a_merge_is_never_lost, async |database| {
    let app = TestApp::start(database).await;
    let crm = app.errand("crm", "loyalty").await;
    for number in 0..6 {
        let [one, other] = two(&app, number, 0).await;
        let (merged, said) = if number % 2 == 0 {
            join(
                merge(&app, &one, &other, "?force=true"),
                say(&app, &crm, &other, "withdrawn"),
            )
            .await
        } else {
            let link = stands(&app, &one).await["unsubscribe"]
                .as_str()
                .unwrap()
                .to_owned();
            join(merge(&app, &other, &one, "?force=true"), app.send(click(&link))).await
        };
        assert_eq!(merged.status, 201, "{merged:?}");
        let survivor = if number % 2 == 0 { &one } else { &other };
        let heard = [200, 201].contains(&said.status);
        assert!(heard || said.status == 308, "{said:?}");
        let now = stands(&app, survivor).await;
        assert_eq!(now["state"] == "withdrawn", heard, "{said:?} {now}");
    }
    app.finish().await;
});

both!(a_link_of_who_was_taken_in_is_the_survivors, async |database| {
    let app = TestApp::start(database).await;
    // Both orders of age.
    for number in 0..2 {
        let both = two(&app, number, number).await;
        let (absorbed, survivor) = (&both[number], &both[1 - number]);
        let link = stands(&app, absorbed).await["unsubscribe"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(merge(&app, survivor, absorbed, "?force=true").await.status, 201);
        assert_eq!(stands(&app, survivor).await["state"], "given");
        assert_eq!(app.send(click(&link)).await.status, 200);
        assert_eq!(stands(&app, survivor).await["state"], "withdrawn");
    }
    app.finish().await;
});

both!(who_is_kept_for_the_law_only_still_says_no, async |database| {
    let app = TestApp::start(database).await;
    let crm = app.errand("crm", "loyalty").await;
    for number in 0..2 {
        let [guest, _] = two(&app, number, 0).await;
        let link = stands(&app, &guest).await["unsubscribe"]
            .as_str()
            .unwrap()
            .to_owned();
        let desk = app
            .errand("front_desk", "subject_request")
            .await
            .with("vault-actor", "s-1");
        let wanted =
            json!({"guest_id": guest, "type": "restriction", "regime": "gdpr", "received_via": "phone"});
        let opened = app.post(&desk, "/v1/requests", wanted).await;
        let case = format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap());
        let (one, other) = (officer(&app, "o-1").await, officer(&app, "o-2").await);
        app.post(&one, &format!("{case}/verify"), json!({"result": "passed"}))
            .await;
        let done = app
            .post(
                &other,
                &format!("{case}/decision"),
                json!({"decision": "approve"}),
            )
            .await;
        assert_eq!(done.status, 200, "{done:?}");
        let yes = say(&app, &crm, &guest, "given").await;
        assert_eq!(
            (yes.status, yes.problem()),
            (403, "restricted"),
            "nothing is agreed to now"
        );
        let said = if number == 0 {
            app.send(click(&link)).await
        } else {
            say(&app, &crm, &guest, "withdrawn").await
        };
        assert!([200, 201].contains(&said.status), "{said:?}");
        let lift = json!({"guest_told_on": "2026-03-01"});
        let lifted = app.post(&other, &format!("{case}/lift"), lift).await;
        assert_eq!(lifted.status, 200, "{lifted:?}");
        assert_eq!(stands(&app, &guest).await["state"], "withdrawn");
    }
    app.finish().await;
});

async fn note(app: &TestApp, guest: &str) -> Answer {
    let keeping = app.role("housekeeping").await;
    let text = json!({"text": "asks for a quiet room"});
    app.post(&keeping, &format!("/v1/guests/{guest}/observations"), text)
        .await
}

both!(of_two_decisions_about_a_note_one_counts, async |database| {
    let app = TestApp::start(database).await;
    let (one, other) = (app.role("duty_manager").await, app.errand("crm", "loyalty").await);
    for number in 0..6 {
        let [guest, _] = two(&app, number, 0).await;
        let id = note(&app, &guest).await.body["observation_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("/v1/guests/{guest}/observations/{id}");
        let accept =
            json!({"decision": "accept", "guest": {"preferences": {"bedding": {"pillow": "feather"}}}});
        let keep = if number % 2 == 0 {
            json!({"decision": "note"})
        } else {
            accept
        };
        let (kept, dropped) = join(
            app.post(&one, &path, keep),
            app.post(&other, &path, json!({"decision": "drop"})),
        )
        .await;
        let mut all = [kept.status, dropped.status];
        all.sort_unstable();
        assert_eq!(all, [204, 404], "{kept:?} {dropped:?}");
        let read = app
            .get(&one, &format!("/v1/guests/{guest}?fields=notes,preferences"))
            .await;
        assert_eq!(read.status, 200, "{read:?}");
        let there = read.body.to_string();
        let there = there.contains("quiet room") || there.contains("feather");
        assert_eq!(there, kept.status == 204, "{read:?}");
    }
    app.finish().await;
});

both!(a_note_that_meets_a_merge_is_the_survivors, async |database| {
    let app = TestApp::start(database).await;
    for number in 0..6 {
        let [one, other] = two(&app, number, 0).await;
        let (merged, noted) = join(merge(&app, &one, &other, "?force=true"), note(&app, &other)).await;
        assert_eq!(merged.status, 201, "{merged:?}");
        assert!([201, 308].contains(&noted.status), "{noted:?}");
    }
    let queue = app
        .get(&app.role("duty_manager").await, "/v1/observations?limit=200")
        .await;
    for item in queue.body["items"].as_array().unwrap() {
        assert_eq!(item["text"], "asks for a quiet room", "{queue:?}");
    }
    app.finish().await;
});

both!(who_is_greeted_finds_it_in_the_report, async |database| {
    let app = TestApp::start(database).await;
    let told = json!({
        "guest": {"name": {"surname": "Costa", "given": "Rita"}, "birth_date": "1987-03-07"},
        "consents": [{"purpose": "occasion_greeting", "state": "given", "channel": "web", "indication": "checkbox"}]
    });
    let guest = app.guest("web/1", told).await;
    let crm = app.errand("crm", "occasion_greeting").await;
    let asked = json!({"from": "2026-03-05", "days": 7});
    let found = app.post(&crm, "/v1/occasions", asked).await;
    assert_eq!(found.body["items"].as_array().unwrap().len(), 1, "{found:?}");
    let officer = officer(&app, "o-1").await;
    let path = format!("/v1/audit/entries?guest_id={guest}&action=find_occasions");
    let log = app.get(&app.errand("auditor", "audit").await, &path).await;
    assert_eq!(
        log.body["items"][0]["leaf"]["fields"],
        json!({"birth_date": "token"}),
        "{log:?}"
    );
    app.app.settle_log().await;
    let report = app
        .get(&officer, &format!("/v1/guests/{guest}/access-report"))
        .await;
    assert!(report.body.to_string().contains("find_occasions"), "{report:?}");
    app.finish().await;
});
