//! Those who process guests' data for the house: what a certificate says of them is what can be proven.

use std::sync::Arc;

use chrono::TimeDelta;
use data_encoding::BASE64;
use guest_vault::{
    crypto::{KeyMaterial, SigningKey},
    erasure::Processor,
};
use serde_json::{Value, json};

use crate::{
    rights::{lin, officer},
    support::{
        app::{Answer, TestApp},
        browser::Browser,
        database::both,
    },
};

fn key(seed: u8) -> SigningKey {
    SigningKey::new(KeyMaterial::from_slice(&[seed; 32]).unwrap())
}

fn signed(by: &SigningKey, erasure: &str, name: &str, (result, ground): (&str, &str)) -> Value {
    let text = format!("guest-vault erasure acknowledgement\n{erasure}\n{name}\n{result}\n{ground}\n");
    json!({"processor": name, "result": result, "ground": ground,
           "signature": BASE64.encode(&by.sign(text.as_bytes()))})
}

async fn erased(app: &TestApp, guest: &str, more: Value) -> String {
    let desk = app
        .errand("front_desk", "subject_request")
        .await
        .with("vault-actor", "s-1");
    let wanted = json!({"guest_id": guest, "type": "erasure", "regime": "gdpr", "received_via": "letter"});
    let opened = app.post(&desk, "/v1/requests", wanted).await;
    let case = format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap());
    let one = officer(app, "o-1").await;
    app.post(&one, &format!("{case}/verify"), json!({"result": "passed"}))
        .await;
    let preview = app.get(&one, &format!("{case}/preview")).await;
    let mut decision = json!({"decision": "approve", "preview": preview.body["fingerprint"]});
    for (name, value) in more.as_object().unwrap() {
        decision[name] = value.clone();
    }
    let done = app
        .post(&officer(app, "o-2").await, &format!("{case}/decision"), decision)
        .await;
    assert_eq!(done.body["state"], "done", "{done:?}");
    case
}

async fn certificate(app: &TestApp, case: &str) -> Value {
    let told = app
        .get(&officer(app, "o-1").await, &format!("{case}/certificate"))
        .await;
    assert_eq!(told.status, 200, "{told:?}");
    told.body["certificate"].clone()
}

both!(
    a_certificate_says_of_processors_what_is_proven,
    async |database| {
        let mut app = TestApp::start(database).await;
        let names = ["prompt", "late", "liar", "unwilling", "down"];
        app.app.processors = names
            .iter()
            .zip(1_u8..)
            .map(|(name, seed)| Processor {
                name: (*name).to_owned(),
                key: key(seed).public(),
                within: TimeDelta::days(2),
            })
            .collect::<Arc<[Processor]>>();
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let case = erased(&app, &guest, json!({})).await;
        let system = app.errand("integration", "subject_request").await;
        let told = certificate(&app, &case).await;
        let states = |certificate: &Value| -> Vec<(String, String)> {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let all = certificate["processors"].as_array().unwrap().iter();
            all.map(|one| (text(&one["processor"]), text(&one["state"])))
                .collect()
        };
        assert!(
            states(&told).iter().all(|(_, state)| state == "waiting"),
            "{told}"
        );
        let page = case.replace("/v1/", "/console/");
        let shown = async |texts: &[&str]| {
            let mut officer = Browser::signed_in(&app, "compliance_officer").await;
            let page = officer.look(&page).await.text();
            for (name, text) in names.iter().zip(texts) {
                let row = page.split(&format!("class=\"mono\">{name}<")).nth(1).unwrap();
                let row = row.split("</tr>").next().unwrap();
                assert!(row.contains(text), "{name} {text}: {row}");
            }
        };
        shown(&["has time yet"; 5]).await;
        let erasure = told["processors"][0]["erasure_id"].as_str().unwrap().to_owned();
        let path = format!("/v1/erasures/{erasure}/acknowledgements");
        let say = async |body: Value| -> Answer { app.post(&system, &path, body).await };

        let done = ("done", "");
        assert_eq!(say(signed(&key(1), &erasure, "prompt", done)).await.status, 204);
        // Signed by another; signed for another erasure; another's words.
        for lie in [
            signed(&key(1), &erasure, "liar", done),
            signed(&key(3), "01a20000-0000-7000-8000-000000000000", "liar", done),
        ] {
            let answer = say(lie).await;
            assert_eq!(
                (answer.status, answer.problem()),
                (400, "invalid-request"),
                "{answer:?}"
            );
        }
        assert_eq!(
            say(signed(
                &key(4),
                &erasure,
                "unwilling",
                ("refused", "legal_obligation")
            ))
            .await
            .status,
            204
        );
        assert_eq!(say(signed(&key(1), &erasure, "nobody", done)).await.status, 404);
        app.set_clock("2026-03-08T10:00:00Z");
        assert_eq!(say(signed(&key(2), &erasure, "late", done)).await.status, 204);
        assert_eq!(
            say(signed(&key(2), &erasure, "late", done)).await.status,
            409,
            "what stands is not said again"
        );
        let told = certificate(&app, &case).await;
        let expected = [
            ("down", "silent"),
            ("late", "late"),
            ("liar", "silent"),
            ("prompt", "done"),
            ("unwilling", "refused"),
        ];
        assert_eq!(
            states(&told),
            expected.map(|(name, state)| (name.to_owned(), state.to_owned()))
        );
        let of = |name: &str| {
            let all = told["processors"].as_array().unwrap();
            all.iter().find(|one| one["processor"] == name).unwrap().clone()
        };
        assert_eq!(of("liar")["unproven"], 2);
        assert_eq!(of("unwilling")["ground"], "legal_obligation");
        shown(&["done, signed", "but late", "silent", "refused, signed", "silent"]).await;
        shown(&["", "", "2 answers not signed by it", "a law requires it", ""]).await;
        app.app.close().await;
    }
);

both!(
    who_wanted_silence_is_not_written_to_when_a_source_brings_it_back,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let case = erased(&app, &guest, json!({"do_not_contact": true})).await;
        assert_eq!(certificate(&app, &case).await["do_not_contact"], true);
        let back = app
            .guest("crm/77", lin("R-9", "2026-03-10", "2026-03-12", "confirmed"))
            .await;
        let crm = app.errand("crm", "stay_service").await;
        let may = async |channel: Value| {
            let mut asked = json!({"purpose": "stay_service", "guest_ids": [back]});
            if channel.is_string() {
                asked["channel"] = channel;
            }
            let answer = app.post(&crm, "/v1/consents/check", asked).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.body["guest_ids"].as_array().unwrap().len()
        };
        assert_eq!(may(Value::Null).await, 1);
        assert_eq!(
            (
                may(json!("email")).await,
                may(json!("sms")).await,
                may(json!("phone")).await
            ),
            (0, 0, 0)
        );
        app.app.close().await;
    }
);

both!(
    a_restriction_ends_once_the_guest_was_told_and_by_another_person,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let one = officer(&app, "o-1").await;
        let other = officer(&app, "o-2").await;
        let wanted =
            json!({"guest_id": guest, "type": "restriction", "regime": "gdpr", "received_via": "email"});
        let opened = app.post(&one, "/v1/requests", wanted).await;
        let case = format!("/v1/requests/{}", opened.body["request_id"].as_str().unwrap());
        app.post(&one, &format!("{case}/verify"), json!({"result": "passed"}))
            .await;
        let decided = app
            .post(
                &other,
                &format!("{case}/decision"),
                json!({"decision": "approve"}),
            )
            .await;
        assert_eq!(decided.body["state"], "done", "{decided:?}");
        let read = async || {
            app.get(&app.role("front_desk").await, &format!("/v1/guests/{guest}"))
                .await
                .status
        };
        assert_eq!(read().await, 403);
        let lift = format!("{case}/lift");
        let told = |day: &str| json!({ "guest_told_on": day });
        assert_eq!(
            app.post(&one, &lift, told("2026-03-04")).await.status,
            409,
            "the same person"
        );
        assert_eq!(
            app.post(&other, &lift, told("2026-03-09")).await.status,
            409,
            "not told yet"
        );
        assert_eq!(app.post(&other, &lift, told("2026-03-04")).await.status, 200);
        assert_eq!(read().await, 200);
        assert_eq!(
            app.post(&other, &lift, told("2026-03-04")).await.status,
            409,
            "it is lifted"
        );
        app.finish().await;
    }
);
