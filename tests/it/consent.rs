//! Consent gates each read, and can be shown: notices, scopes, separate consents, children, lists, checks.

use serde_json::{Value, json};

use crate::support::{
    app::{Answer, Errand, TestApp},
    database::both,
};

pub(crate) fn wang(system: &str) -> Value {
    json!({
        "observed_at": "2026-03-01T10:00:00Z",
        "guest": {
            "name": {"surname": "Wang", "given": "Xiaoming"},
            "birth_date": "1987-05-17",
            "emails": [{"address": format!("{system}@guests.example")}],
            "phones": [{"number": "+86 138 1234 5678"}]
        },
        "stays": [{"reservation": "R-7781", "property": "LIS01", "arrival": "2026-03-04", "departure": "2026-03-07",
                   "status": "checked_in", "channel": "web"}]
    })
}

pub(crate) fn notice(language: &str, text: &str) -> Value {
    json!({
        "purpose": "marketing_direct", "language": language, "text": text,
        "controller": {"name": "Hotel Lindenhof Betriebs GmbH", "address": "Seestrasse 4, 78464 Konstanz, DE",
                       "contact": "privacy@hotel-lindenhof.example"},
        "recipients": [{"code": "mailer", "name": "Mailer Example BV", "contact": "dpo@mailer.example", "country": "NL"}],
        "categories": ["contact", "identity"], "retention": "P24M", "methods": ["store", "use"],
        "rights": ["withdraw", "access", "erasure"], "jurisdiction": "DE", "locations": ["DE"],
        "withdrawal": "https://hotel-lindenhof.example/privacy/me"
    })
}

pub(crate) fn yes(purpose: &str) -> Value {
    json!({"purpose": purpose, "state": "given", "channel": "web", "indication": "checkbox"})
}

pub(crate) fn with(mut statement: Value, member: &str, value: impl Into<Value>) -> Value {
    statement[member] = value.into();
    statement
}

pub(crate) struct Scene {
    pub(crate) app: TestApp,
    pub(crate) guest: String,
    pub(crate) crm: Errand,
    pub(crate) officer: Errand,
}

impl Scene {
    pub(crate) async fn new(database: &crate::support::database::Database) -> Self {
        let app = TestApp::start(database).await;
        let guest = app.guest("web/w-1", wang("wang")).await;
        let crm = app.errand("crm", "marketing_direct").await.at("GROUP");
        let officer = app.errand("compliance_officer", "audit").await.at("GROUP");
        Self {
            app,
            guest,
            crm,
            officer,
        }
    }

    pub(crate) async fn say(&self, errand: &Errand, statement: Value) -> Answer {
        let path = format!("/v1/guests/{}/consents", self.guest);
        self.app.post(errand, &path, statement).await
    }

    pub(crate) async fn name(&self, errand: &Errand) -> Value {
        let answer = self.app.get(errand, &format!("/v1/guests/{}", self.guest)).await;
        let shown = answer.value("name.surname");
        if shown.is_null() {
            answer.body["fields"]["name.surname"]["reason"].clone()
        } else {
            shown.clone()
        }
    }

    pub(crate) async fn publish(&self, notice: Value) -> Answer {
        let answer = self.app.post(&self.officer, "/v1/notices", notice).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    pub(crate) async fn standing(&self) -> Value {
        let path = format!("/v1/guests/{}/consents", self.guest);
        self.app.get(&self.crm, &path).await.body["standing"].clone()
    }
}

pub(crate) fn reason(answer: &Answer) -> &str {
    assert_eq!(
        (answer.status, answer.problem()),
        (422, "record-rejected"),
        "{answer:?}"
    );
    answer.body["errors"][0]["reason"].as_str().unwrap()
}

both!(new_terms_end_consents_and_new_words_do_not, async |database| {
    let scene = Scene::new(database).await;
    let first = scene.publish(notice("en", "May we write to you?")).await;
    assert_eq!(
        (&first.body["version"], &first.body["terms"]),
        (&json!(1), &json!(1))
    );
    let id = first.body["notice_id"].as_str().unwrap().to_owned();
    let text = scene
        .app
        .get(&scene.officer, &format!("/v1/notices/{id}/text"))
        .await;
    assert_eq!(text.bytes, b"May we write to you?");
    let hash = data_encoding::HEXLOWER.encode(&guest_vault::crypto::sha256(&text.bytes));
    assert_eq!(first.body["sha256"], hash);

    let bare = scene.say(&scene.crm, yes("marketing_direct")).await;
    assert_eq!(reason(&bare), "notice_required");
    let unknown = "0198c5a0-0000-7000-8000-000000000000";
    let strange = scene
        .say(&scene.crm, with(yes("marketing_direct"), "notice_id", unknown))
        .await;
    assert_eq!(reason(&strange), "unknown_notice");
    let other = scene
        .say(
            &scene.crm,
            with(yes("occasion_greeting"), "notice_id", id.as_str()),
        )
        .await;
    assert_eq!(reason(&other), "wrong_notice");
    let given = scene
        .say(
            &scene.crm,
            with(yes("marketing_direct"), "notice_id", id.as_str()),
        )
        .await;
    assert_eq!(
        (given.status, &given.body["state"]),
        (201, &json!("given")),
        "{given:?}"
    );
    assert_eq!(scene.name(&scene.crm).await, "Wang");

    scene.app.set_clock("2026-03-05T11:00:00Z");
    let worded = scene.publish(notice("en", "May we write to you, please?")).await;
    assert_eq!(
        (&worded.body["version"], &worded.body["terms"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        (&worded.body["changed"], &worded.body["invalidates"]),
        (&json!([]), &json!(0))
    );
    assert_eq!(scene.name(&scene.crm).await, "Wang");

    scene.app.set_clock("2026-03-05T12:00:00Z");
    let mut wider = notice("de", "Dürfen wir Ihnen schreiben?");
    wider["recipients"]
        .as_array_mut()
        .unwrap()
        .push(json!({"code": "printer", "name": "Printer"}));
    let wider = scene.publish(wider).await;
    assert_eq!(
        (&wider.body["version"], &wider.body["terms"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(
        (&wider.body["changed"], &wider.body["invalidates"]),
        (&json!(["recipients"]), &json!(1))
    );
    assert_eq!(scene.name(&scene.crm).await, "consent");
    assert_eq!(scene.standing().await[0]["state"], "invalidated");

    let id = wider.body["notice_id"].as_str().unwrap();
    let renewed = with(with(yes("marketing_direct"), "notice_id", id), "state", "renewed");
    assert_eq!(scene.say(&scene.crm, renewed).await.body["state"], "given");
    assert_eq!(scene.name(&scene.crm).await, "Wang");
    let list = scene
        .app
        .get(&scene.officer, "/v1/notices?purpose=marketing_direct&limit=2")
        .await;
    assert_eq!(list.body["items"].as_array().map(Vec::len), Some(2));
    assert!(list.body["next_cursor"].is_string());
    scene.app.finish().await;
});

both!(terms_of_tomorrow_end_consents_tomorrow, async |database| {
    let scene = Scene::new(database).await;
    let now = scene.publish(notice("en", "May we?")).await;
    let id = now.body["notice_id"].as_str().unwrap();
    scene
        .say(&scene.crm, with(yes("marketing_direct"), "notice_id", id))
        .await;
    let mut later = notice("en", "May we?");
    later["retention"] = json!("P36M");
    later["valid_from"] = json!("2026-03-06T00:00:00Z");
    scene.publish(later).await;
    assert_eq!(scene.name(&scene.crm).await, "Wang");
    scene.app.set_clock("2026-03-06T00:00:00Z");
    assert_eq!(scene.name(&scene.crm).await, "consent");
    scene.app.finish().await;
});

both!(
    only_officers_publish_and_only_what_can_be_told,
    async |database| {
        let scene = Scene::new(database).await;
        let refused = scene
            .app
            .post(&scene.crm, "/v1/notices", notice("en", "May we?"))
            .await;
        assert_eq!(refused.status, 403);
        let reader = scene.app.errand("housekeeping", "stay_service").await;
        assert_eq!(
            scene.app.get(&reader, "/v1/notices?purpose=loyalty").await.status,
            403
        );
        for (member, value) in [
            ("purpose", json!("nothing_at_all")),
            ("text", json!("Pay with 4111 1111 1111 1111")),
            ("retention", json!("two years")),
            ("language", json!("Deutsch (de)")),
        ] {
            let mut wrong = notice("en", "May we?");
            wrong[member] = value;
            let answer = scene.app.post(&scene.officer, "/v1/notices", wrong).await;
            assert_eq!(answer.status, 400, "{answer:?}");
            assert_eq!(answer.body["errors"][0]["field"], member);
        }
        scene.app.finish().await;
    }
);

both!(
    a_yes_holds_where_it_was_said_and_a_no_everywhere,
    async |database| {
        let scene = Scene::new(database).await;
        let at = async |place| scene.app.errand("crm", "marketing_direct").await.at(place);
        let (lisbon, group) = (at("LIS01").await, at("GROUP").await);
        assert_eq!(
            scene.say(&lisbon, yes("marketing_direct")).await.body["state"],
            "given"
        );
        assert_eq!(scene.name(&lisbon).await, "Wang");
        assert_eq!(
            scene.name(&group).await,
            "consent",
            "one hotel's yes is not the group's"
        );
        scene.app.set_clock("2026-03-05T10:00:01Z");
        let elsewhere = with(
            with(yes("marketing_direct"), "state", "withdrawn"),
            "scope",
            "SHA01",
        );
        scene.say(&group, elsewhere).await;
        assert_eq!(scene.name(&lisbon).await, "Wang");
        scene.app.set_clock("2026-03-05T10:00:02Z");
        assert_eq!(
            scene.say(&group, yes("marketing_direct")).await.body["state"],
            "given"
        );
        assert_eq!(scene.name(&group).await, "Wang");
        scene.app.set_clock("2026-03-05T10:00:03Z");
        scene
            .say(&lisbon, with(yes("marketing_direct"), "state", "withdrawn"))
            .await;
        assert_eq!(scene.name(&lisbon).await, "consent");
        assert_eq!(scene.name(&group).await, "consent");
        let strange = scene
            .say(&lisbon, with(yes("marketing_direct"), "scope", "NOWHERE"))
            .await;
        assert_eq!(reason(&strange), "unknown_scope");
        let foreign = scene
            .app
            .role_in("crm", &["LIS01"])
            .await
            .about("marketing_direct");
        let wider = scene
            .say(&foreign, with(yes("marketing_direct"), "scope", "GROUP"))
            .await;
        assert_eq!(
            reason(&wider),
            "unknown_scope",
            "nobody agrees for houses that are not the caller's"
        );
        scene.app.finish().await;
    }
);

both!(an_objection_narrows_like_a_withdrawal, async |database| {
    let scene = Scene::new(database).await;
    let crm = scene.app.errand("crm", "profiling_value").await.at("GROUP");
    let shown = scene
        .app
        .get(&crm, &format!("/v1/guests/{}?fields=name", scene.guest))
        .await;
    assert_eq!(shown.view("name.surname"), "plain", "{shown:?}");
    let nothing = scene.say(&crm, with(yes("loyalty"), "state", "objected")).await;
    assert_eq!(reason(&nothing), "nothing_to_object_to");
    let objected = scene
        .say(&crm, with(yes("profiling_value"), "state", "objected"))
        .await;
    assert_eq!(objected.body["state"], "objected");
    assert_eq!(scene.name(&crm).await, "consent");
    scene.app.set_clock("2026-03-05T10:00:01Z");
    scene.say(&crm, yes("profiling_value")).await;
    assert_eq!(scene.name(&crm).await, "Wang");
    scene.app.finish().await;
});

both!(
    nobody_agrees_for_a_companion_and_a_guardian_for_a_child,
    async |database| {
        let scene = Scene::new(database).await;
        let booker = scene
            .say(&scene.crm, with(yes("marketing_direct"), "said_by", "booker"))
            .await;
        assert_eq!(reason(&booker), "not_by_booker");
        let no = with(
            with(yes("marketing_direct"), "said_by", "booker"),
            "state",
            "refused",
        );
        assert_eq!(scene.say(&scene.crm, no).await.status, 201);
        let alone = scene
            .say(&scene.crm, with(yes("marketing_direct"), "said_by", "guardian"))
            .await;
        assert_eq!(reason(&alone), "invalid_guardian");

        let mut company = wang("company");
        company["stays"][0]["role"] = json!("accompanying");
        company["guest"]["phones"] = json!([]);
        company["consents"] = json!([
            yes("marketing_direct"),
            with(yes("event_invitation"), "said_by", "guest")
        ]);
        let integration = scene.app.errand("integration", "booking").await;
        let answer = scene.app.put(&integration, "/v1/records/web/c-1", company).await;
        assert_eq!(
            answer.body["rejected"],
            json!([{"field": "consents[0]", "reason": "not_by_booker"}]),
            "{answer:?}"
        );

        let mut child = wang("child");
        child["guest"]["birth_date"] = json!("2015-01-01");
        child["guest"]["phones"] = json!([]);
        let child = scene.app.guest("web/k-1", child).await;
        let path = format!("/v1/guests/{child}/consents");
        let own = scene.app.post(&scene.crm, &path, yes("marketing_direct")).await;
        assert_eq!(reason(&own), "guardian_required");
        let mother = with(
            with(yes("marketing_direct"), "said_by", "guardian"),
            "guardian",
            json!({"name": "Li Na", "relation": "mother", "contact": "+86 139 0000 0000"}),
        );
        let given = scene.app.post(&scene.crm, &path, mother).await;
        assert_eq!(
            (given.status, &given.body["state"]),
            (201, &json!("given")),
            "{given:?}"
        );
        scene.app.finish().await;
    }
);

both!(who_chose_a_channel_is_reached_by_no_other, async |database| {
    let scene = Scene::new(database).await;
    let marketing = scene
        .app
        .errand("marketing", "marketing_direct")
        .await
        .at("GROUP");
    scene.say(&scene.crm, yes("marketing_direct")).await;
    let reached = async |channel: &str| {
        let asked = json!({"purpose": "marketing_direct", "guest_ids": [scene.guest], "channel": channel});
        let answer = scene.app.post(&marketing, "/v1/consents/check", asked).await;
        answer.body["guest_ids"] == json!([scene.guest])
    };
    let agent = scene.app.errand("reservation_agent", "booking").await.at("GROUP");
    let chose = async |preference: Value| {
        let given = json!({"contact_preference": preference});
        let path = format!("/v1/guests/{}", scene.guest);
        let answer = scene.app.patch(&agent, &path, given).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    assert!(reached("email").await && reached("sms").await && reached("phone").await);
    chose(json!({"channels": ["Email"], "language": "pt"})).await;
    assert!(reached("email").await && !reached("sms").await && !reached("phone").await);
    // What is no channel of this question is another one.
    chose(json!({"channels": ["wechat", "sms"]})).await;
    assert!(!reached("email").await && reached("sms").await);
    // Without channels nothing is chosen.
    chose(json!({"language": "pt"})).await;
    assert!(reached("email").await && reached("sms").await);
    scene.app.finish().await;
});

both!(
    thousands_are_checked_at_once_and_no_reason_is_told,
    async |database| {
        let scene = Scene::new(database).await;
        let marketing = scene
            .app
            .errand("marketing", "marketing_direct")
            .await
            .at("GROUP");
        let mut ids: Vec<String> = (0..9_999)
            .map(|_| guest_vault::base::GuestId::random().to_string())
            .collect();
        ids.push(scene.guest.clone());
        let ask = json!({"purpose": "marketing_direct", "guest_ids": ids});
        assert_eq!(
            scene
                .app
                .post(&marketing, "/v1/consents/check", ask.clone())
                .await
                .body["guest_ids"],
            json!([])
        );
        scene.say(&scene.crm, yes("marketing_direct")).await;
        let began = std::time::Instant::now();
        let yes_now = scene.app.post(&marketing, "/v1/consents/check", ask).await;
        let took = began.elapsed();
        assert_eq!(
            yes_now.body["guest_ids"],
            json!([scene.guest]),
            "{:?}",
            yes_now.body
        );
        assert_eq!(yes_now.body["asked"], 10_000);
        assert!(took.as_secs() < 5, "{took:?} without optimisation");

        let one = |channel: &str| json!({"purpose": "marketing_direct", "guest_ids": [scene.guest], "channel": channel});
        let list = |on: bool| json!({"channel": "email", "address": "WANG@guests.example", "suppressed": on});
        let put = scene.app.post(&scene.crm, "/v1/suppressions", list(true)).await;
        assert_eq!(
            (put.status, &put.body["suppressed"]),
            (200, &json!(true)),
            "{put:?}"
        );
        assert_eq!(
            scene
                .app
                .post(&marketing, "/v1/consents/check", one("email"))
                .await
                .body["guest_ids"],
            json!([])
        );
        assert_eq!(
            scene
                .app
                .post(&marketing, "/v1/consents/check", one("phone"))
                .await
                .body["guest_ids"],
            json!([scene.guest])
        );
        scene.app.post(&scene.crm, "/v1/suppressions", list(false)).await;
        assert_eq!(
            scene
                .app
                .post(&marketing, "/v1/consents/check", one("email"))
                .await
                .body["guest_ids"],
            json!([scene.guest])
        );
        let keeper = scene.app.errand("housekeeping", "stay_service").await;
        assert_eq!(
            scene
                .app
                .post(&keeper, "/v1/consents/check", one("email"))
                .await
                .status,
            403
        );
        let many: Vec<String> = (0..10_001)
            .map(|_| guest_vault::base::GuestId::random().to_string())
            .collect();
        let too_many = json!({"purpose": "marketing_direct", "guest_ids": many});
        assert_eq!(
            scene
                .app
                .post(&marketing, "/v1/consents/check", too_many)
                .await
                .status,
            413
        );
        scene.app.finish().await;
    }
);

both!(after_a_no_nobody_asks_again_for_a_while, async |database| {
    let scene = Scene::new(database).await;
    let at = async |place| scene.app.errand("crm", "marketing_direct").await.at(place);
    let (lisbon, shanghai) = (at("LIS01").await, at("SHA01").await);
    let ask = json!({"purpose": "marketing_direct", "guest_ids": [scene.guest], "for": "ask"});
    let may = async |errand: &Errand| {
        let answer = scene.app.post(errand, "/v1/consents/check", ask.clone()).await;
        answer.body["guest_ids"].as_array().map(Vec::len)
    };
    assert_eq!(may(&lisbon).await, Some(1));
    scene
        .say(&lisbon, with(yes("marketing_direct"), "state", "refused"))
        .await;
    assert_eq!(may(&lisbon).await, Some(0));
    scene.app.set_clock("2026-09-05T10:00:00Z");
    assert_eq!(
        (may(&lisbon).await, may(&shanghai).await),
        (Some(1), Some(0)),
        "six months there, twelve here"
    );
    scene.app.set_clock("2027-03-05T10:00:00Z");
    assert_eq!(may(&shanghai).await, Some(1));
    scene.app.finish().await;
});

both!(
    each_line_is_committed_to_by_an_entry_of_its_own,
    async |database| {
        let scene = Scene::new(database).await;
        scene.say(&scene.crm, yes("marketing_direct")).await;
        let path = format!("/v1/audit/entries?guest_id={}&action=put_consent", scene.guest);
        let log = scene.app.get(&scene.officer, &path).await;
        let leaf = &log.body["items"][0]["leaf"];
        let line = scene.standing().await[0]["consent_id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(leaf["basis"], format!("consent:{line}"));
        assert!(
            leaf["rules"][0].as_str().unwrap().starts_with("line:sha256:"),
            "{leaf}"
        );
        scene.app.finish().await;
    }
);

both!(one_signature_is_one_consent, async |database| {
    let scene = Scene::new(database).await;
    let signed = |purpose: &str| with(yes(purpose), "evidence_ref", "form 17, first signature");
    let third = "third_party:spa_partner";
    assert_eq!(
        scene.say(&scene.crm, signed("marketing_direct")).await.status,
        201
    );
    let bundled = with(signed(third), "separate", "third_party");
    assert_eq!(reason(&scene.say(&scene.crm, bundled.clone()).await), "bundled");
    let own = with(bundled.clone(), "evidence_ref", "form 17, second signature");
    assert_eq!(scene.say(&scene.crm, own).await.status, 201);
    assert_eq!(
        scene.say(&scene.crm, signed("event_invitation")).await.status,
        201,
        "ordinary ones may share a form"
    );

    let mut record = wang("bundle");
    record["guest"]["phones"] = json!([]);
    record["consents"] = json!([signed("marketing_direct"), bundled]);
    let integration = scene.app.errand("integration", "booking").await;
    let answer = scene.app.put(&integration, "/v1/records/web/b-1", record).await;
    let reasons: Vec<&Value> = answer.body["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["reason"])
        .collect();
    assert_eq!(reasons, ["bundled", "bundled"]);
    scene.app.finish().await;
});
