//! Consents shown to others: signed records, the register of disclosures, one-click links, and why.

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::{
    consent::{Scene, notice, reason, wang, with, yes},
    support::database::both,
};

/// What proves the record: everything but the proof, in canonical form.
fn verified(record: &Value) -> bool {
    let mut signed = record.clone();
    let proof = signed.as_object_mut().unwrap().remove("vault:proof").unwrap();
    let word = |member: &str| proof[member].as_str().unwrap().to_owned();
    let key = data_encoding::BASE64URL_NOPAD
        .decode(word("vault:publicKey").as_bytes())
        .unwrap();
    let signature = data_encoding::BASE64
        .decode(word("vault:signature").as_bytes())
        .unwrap();
    let text = guest_vault::consent::record::canonical(&signed);
    guest_vault::crypto::verify_signature(&key.try_into().unwrap(), text.as_bytes(), &signature)
}

/// Publishes a notice, agrees to it, and gives the consent's id.
async fn agreed(scene: &Scene, notice: Value, statement: Value) -> String {
    let notice = scene.publish(notice).await;
    let statement = with(statement, "notice_id", notice.body["notice_id"].clone());
    let given = scene.say(&scene.crm, statement).await;
    assert_eq!(given.status, 201, "{given:?}");
    given.body["consent_id"].as_str().unwrap().to_owned()
}

/// For the foreign tools of CI: they validate what lies in this folder.
fn keep(name: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("CONSENT_RECORDS") {
        std::fs::write(std::path::Path::new(&folder).join(name), bytes).unwrap();
    }
}

both!(
    a_record_is_signed_and_says_where_it_is_in_the_log,
    async |database| {
        let scene = Scene::new(database).await;
        let id = agreed(
            &scene,
            notice("en", "May we write to you?"),
            yes("marketing_direct"),
        )
        .await;
        scene.app.set_clock("2026-03-06T10:00:00Z");
        scene
            .say(&scene.crm, with(yes("marketing_direct"), "state", "withdrawn"))
            .await;
        scene.app.app.settle_log().await;
        let path = format!("/v1/consents/{id}/record");
        let record = scene.app.get(&scene.crm, &path).await;
        assert_eq!(
            (record.status, record.headers["content-type"].as_str()),
            (200, "application/ld+json"),
            "{record:?}"
        );
        assert!(verified(&record.body));
        let mut forged = record.body.clone();
        forged["dpv:hasNotice"]["vault:noticeSha256"] = json!("0".repeat(64));
        assert!(!verified(&forged));
        let key = scene.app.get(&scene.crm, "/v1/consents/record-key").await;
        assert_eq!(key.body["x"], record.body["vault:proof"]["vault:publicKey"]);
        assert!(record.body["vault:logIndex"].is_u64(), "{:?}", record.body);
        assert!(
            record.body["vault:logReceipt"]
                .as_str()
                .unwrap()
                .starts_with("c2sp.org/tlog-proof@v1\n")
        );
        let states = record.body["dpv:hasConsentStatus"].as_array().unwrap();
        let kinds: Vec<&str> = states.iter().map(|s| s["@type"][0].as_str().unwrap()).collect();
        assert_eq!(kinds, ["dpv:ConsentGiven", "dpv:ConsentWithdrawn"]);
        keep("eu.jsonld", &record.bytes);
        let kantara = scene.app.get(&scene.crm, &format!("{path}?format=kantara")).await;
        assert_eq!(kantara.body["version"], "KI-CR-v1.1.0");
        keep("eu.kantara.json", &kantara.bytes);
        let keeper = scene.app.errand("housekeeping", "stay_service").await;
        assert_eq!(scene.app.get(&keeper, &path).await.status, 403);
        let nobody = scene
            .app
            .get(
                &scene.crm,
                "/v1/consents/0198c5a0-0000-7000-8000-000000000000/record",
            )
            .await;
        assert_eq!(nobody.status, 404);
        scene.app.finish().await;
    }
);

both!(a_chinese_record_shows_its_separate_consent, async |database| {
    let scene = Scene::new(database).await;
    let mut told = notice("zh-Hans", "我们可以把您的预订交给水疗中心吗？");
    told["purpose"] = json!("third_party:spa_partner");
    told["jurisdiction"] = json!("CN");
    told["locations"] = json!(["CN"]);
    told["necessity_and_impact"] = json!(true);
    let statement = with(
        with(yes("third_party:spa_partner"), "separate", "third_party"),
        "said_by",
        "guest",
    );
    let notice = scene.publish(told.clone()).await;
    let bare = with(statement.clone(), "notice_id", notice.body["notice_id"].clone());
    assert_eq!(
        reason(&scene.say(&scene.crm, bare).await),
        "wrong_notice",
        "it does not name the recipient"
    );
    told["recipients"] =
        json!([{"code": "spa_partner", "name": "Spa", "contact": "dpo@spa.example", "country": "CN"}]);
    let id = agreed(&scene, told, statement).await;
    scene.app.app.settle_log().await;
    let record = scene
        .app
        .get(&scene.crm, &format!("/v1/consents/{id}/record"))
        .await;
    assert_eq!(record.status, 200, "{record:?}");
    assert_eq!(record.body["vault:separateConsentKind"], "third_party");
    assert_eq!(
        record.body["dpv:hasProcess"]["dpv:hasLegalBasis"]["@id"],
        "vault:cn-pipl/A23"
    );
    assert!(verified(&record.body));
    keep("cn.jsonld", &record.bytes);
    let kantara = scene
        .app
        .get(&scene.crm, &format!("/v1/consents/{id}/record?format=kantara"))
        .await;
    assert_eq!(
        kantara.body["services"][0]["purposes"][0]["thirdPartyName"],
        "Spa"
    );
    keep("cn.kantara.json", &kantara.bytes);
    scene.app.finish().await;
});

both!(without_a_notice_there_is_no_record, async |database| {
    let scene = Scene::new(database).await;
    let given = scene.say(&scene.crm, yes("marketing_direct")).await;
    let id = given.body["consent_id"].as_str().unwrap();
    let record = scene
        .app
        .get(&scene.crm, &format!("/v1/consents/{id}/record"))
        .await;
    assert_eq!((record.status, record.problem()), (409, "conflict"), "{record:?}");
    scene.app.finish().await;
});

both!(
    one_click_takes_it_back_and_a_made_up_link_does_nothing,
    async |database| {
        let scene = Scene::new(database).await;
        scene.say(&scene.crm, yes("marketing_direct")).await;
        let link = scene.standing().await[0]["unsubscribe"]
            .as_str()
            .unwrap()
            .to_owned();
        let anybody = |method: Method, path: &str| {
            actix_web::test::TestRequest::default()
                .method(method)
                .uri(path)
                .insert_header(("content-type", "application/x-www-form-urlencoded"))
                .set_payload("List-Unsubscribe=One-Click")
        };
        let page = scene.app.send(anybody(Method::GET, &link)).await;
        assert_eq!(page.status, 200);
        assert!(String::from_utf8(page.bytes).unwrap().contains("method=\"post\""));
        assert_eq!(scene.name(&scene.crm).await, "Wang", "looking changes nothing");
        let wrong = format!("{}A", &link[..link.len() - 1]);
        let wrong = if wrong == link {
            format!("{}B", &link[..link.len() - 1])
        } else {
            wrong
        };
        for made_up in [
            wrong.as_str(),
            "/u/AAAA",
            "/u/0198c5a0-0000-7000-8000-000000000000",
        ] {
            assert_eq!(scene.app.send(anybody(Method::POST, made_up)).await.status, 404);
        }
        scene.app.set_clock("2026-03-05T10:00:01Z");
        for _ in 0..2 {
            assert_eq!(scene.app.send(anybody(Method::POST, &link)).await.status, 200);
        }
        assert_eq!(scene.name(&scene.crm).await, "consent");
        let path = format!("/v1/audit/entries?guest_id={}&action=put_consent", scene.guest);
        let log = scene.app.get(&scene.officer, &path).await;
        assert_eq!(log.body["items"][0]["leaf"]["credential"], "link");
        scene.app.finish().await;
    }
);

both!(why_names_the_record_the_notice_and_the_clause, async |database| {
    let scene = Scene::new(database).await;
    let ask = json!({"role": "crm", "property": "GROUP", "purpose": "marketing_direct", "stay": "in_house",
                     "field": "name.surname", "action": "read", "guest_id": scene.guest});
    let why = async || {
        scene
            .app
            .post(&scene.officer, "/v1/policy/explain", ask.clone())
            .await
            .body
    };
    let before = why().await;
    assert_eq!(
        (&before["decision"], &before["consent"]["state"]),
        (&json!("denied"), &json!("unknown")),
        "{before}"
    );
    let id = agreed(
        &scene,
        notice("en", "May we write to you?"),
        yes("marketing_direct"),
    )
    .await;
    let after = why().await;
    assert_eq!(after["decision"], "allowed");
    assert_eq!(
        (
            &after["consent"]["consent_id"],
            &after["consent"]["notice"]["version"]
        ),
        (&json!(id), &json!(1))
    );
    assert_eq!(after["consent"]["clause"], "GDPR Art. 6(1)(a)");
    scene.app.set_clock("2026-03-05T10:00:01Z");
    scene
        .say(&scene.crm, with(yes("marketing_direct"), "state", "withdrawn"))
        .await;
    let withdrawn = why().await;
    assert_eq!(
        (&withdrawn["decision"], &withdrawn["consent"]["state"]),
        (&json!("denied"), &json!("withdrawn"))
    );
    assert_eq!(withdrawn["consent"]["clause"], "GDPR Art. 7(3), 21");
    let admin = scene.app.errand("admin", "administration").await.at("GROUP");
    assert_eq!(
        scene
            .app
            .post(&admin, "/v1/policy/explain", ask.clone())
            .await
            .status,
        403
    );
    scene.app.finish().await;
});

both!(
    a_third_party_gets_what_its_own_consent_gives_and_the_register_says_so,
    async |database| {
        let scene = Scene::new(database).await;
        let partner = scene.app.errand("partner", "third_party:spa_partner").await;
        assert_eq!(scene.name(&partner).await, "consent");
        let lisbon = scene.app.errand("crm", "marketing_direct").await;
        scene.say(&lisbon, yes("marketing_direct")).await;
        assert_eq!(
            scene.name(&partner).await,
            "consent",
            "another purpose's consent is none"
        );
        let given = scene.say(&lisbon, yes("third_party:spa_partner")).await;
        assert_eq!(scene.name(&partner).await, "Wang");

        let register = scene
            .app
            .get(&scene.officer, "/v1/disclosures?recipient=spa_partner")
            .await;
        let lines = register.body["items"].as_array().unwrap();
        assert_eq!(lines.len(), 1, "refusals are none: {register:?}");
        assert_eq!(lines[0]["guest_id"], scene.guest);
        assert_eq!(
            lines[0]["basis"],
            format!("consent:{}", given.body["consent_id"].as_str().unwrap())
        );
        assert_eq!(lines[0]["fields"]["name.surname"], "plain");
        let export = scene
            .app
            .get(&scene.officer, "/v1/disclosures/export?recipient=spa_partner")
            .await;
        assert_eq!(String::from_utf8(export.bytes).unwrap().lines().count(), 1);
        let other = scene
            .app
            .get(&scene.officer, "/v1/disclosures?recipient=nobody")
            .await;
        assert_eq!(other.status, 400);
        assert_eq!(
            scene
                .app
                .get(&partner, "/v1/disclosures?recipient=spa_partner")
                .await
                .status,
            403
        );
        scene.app.finish().await;
    }
);

both!(
    in_china_a_third_party_needs_a_separate_consent,
    async |database| {
        let scene = Scene::new(database).await;
        let mut there = wang("shanghai");
        there["guest"]["phones"] = json!([]);
        there["stays"][0]["property"] = json!("SHA01");
        let integration = scene.app.errand("integration", "booking").await.at("SHA01");
        let put = scene.app.put(&integration, "/v1/records/web/s-1", there).await;
        let guest = put.body["guest_id"].as_str().unwrap().to_owned();
        let partner = scene
            .app
            .errand("partner", "third_party:spa_partner")
            .await
            .at("SHA01");
        let crm = scene.app.errand("crm", "marketing_direct").await.at("SHA01");
        let name = async || {
            scene
                .app
                .get(&partner, &format!("/v1/guests/{guest}"))
                .await
                .view("name.surname")
                .to_owned()
        };
        let path = format!("/v1/guests/{guest}/consents");
        scene.app.post(&crm, &path, yes("third_party:spa_partner")).await;
        assert_eq!(name().await, "withheld");
        let separate = with(yes("third_party:spa_partner"), "separate", "third_party");
        scene.app.post(&crm, &path, separate).await;
        assert_eq!(name().await, "plain");
        scene.app.finish().await;
    }
);
