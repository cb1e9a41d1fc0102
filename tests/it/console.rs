//! The pages of the compliance console: who may look, that they show no more than the API, and that each look is
//! in the log.

use std::collections::BTreeMap;

use actix_web::http::Method;
use serde_json::{Value, json};

use crate::{
    recounts::figure,
    rights::{lin, officer},
    support::{app::TestApp, browser::Browser, database::both},
};

/// The entries of the log, by action, that the demonstration's person of a role made.
async fn looks(app: &TestApp, role: &str) -> BTreeMap<String, usize> {
    let auditor = app.errand("auditor", "audit").await;
    let actor = format!("demo-{}", role.replace('_', "-"));
    let mut count = BTreeMap::new();
    let found = app
        .get(&auditor, &format!("/v1/audit/entries?actor={actor}&limit=200"))
        .await;
    for entry in found.body["items"].as_array().unwrap() {
        *count
            .entry(entry["action"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    count
}

async fn request_of(app: &TestApp, guest: &str, kind: &str, received: &str) -> String {
    let desk = app
        .errand("front_desk", "subject_request")
        .await
        .with("vault-actor", "fd-1");
    let input = json!({"guest_id": guest, "type": kind, "regime": "gdpr", "received_via": "front_desk",
                       "received_at": received});
    let opened = app.post(&desk, "/v1/requests", input).await;
    assert_eq!(opened.status, 201, "{opened:?}");
    opened.body["request_id"].as_str().unwrap().to_owned()
}

both!(nobody_comes_in_without_a_role_that_has_a_page, async |database| {
    let app = TestApp::start(database).await;
    let mut browser = Browser::new(&app);
    for path in [
        "/console",
        "/console/audit",
        "/console/requests",
        "/console/log/checkpoint",
    ] {
        let answer = browser.look(path).await;
        assert_eq!(answer.status, 303, "{path}");
        assert!(
            answer.headers["location"].starts_with("/console/sign-in"),
            "{path}"
        );
    }
    for role in ["front_desk", "guest", "partner"] {
        let answer = browser
            .post("/console/sign-in", "/console/sign-in", &format!("role={role}"))
            .await;
        assert_eq!(answer.status, 403, "{role}");
    }
    assert_eq!(
        looks(&app, "front_desk").await.get("sign_in"),
        Some(&1),
        "a refusal is recorded"
    );
    let elsewhere = browser
        .post(
            "/console/sign-in",
            "/console/sign-in",
            "role=auditor&next=https://evil.example/console",
        )
        .await;
    assert_eq!(
        elsewhere.headers["location"], "/console",
        "another site is never the next page"
    );
    app.finish().await;
});

both!(
    a_sign_in_changes_the_secret_and_a_sign_out_ends_the_session,
    async |database| {
        let app = TestApp::start(database).await;
        let mut browser = Browser::new(&app);
        browser.look("/console/sign-in").await;
        let before = browser.cookies.clone();
        browser
            .post("/console/sign-in", "/console/sign-in", "role=compliance_officer")
            .await;
        let after = browser.cookies.clone();
        assert_ne!(
            before["gv-staff"], after["gv-staff"],
            "a planted secret is worth nothing"
        );
        let mut thief = Browser::new(&app);
        thief.cookies = before;
        assert_eq!(thief.look("/console").await.status, 303);
        assert_eq!(browser.look("/console").await.status, 200);
        let left = browser.post("/console", "/console/sign-out", "").await;
        assert_eq!(
            (left.status, left.headers["location"].as_str()),
            (303, "/console/sign-in")
        );
        thief.cookies = after;
        assert_eq!(
            thief.look("/console").await.status,
            303,
            "the old secret opens nothing any more"
        );
        let looks = looks(&app, "compliance_officer").await;
        assert_eq!(
            (looks.get("sign_in"), looks.get("sign_out")),
            (Some(&1), Some(&1))
        );
        app.finish().await;
    }
);

both!(
    a_form_of_another_site_or_without_its_secret_does_nothing,
    async |database| {
        let app = TestApp::start(database).await;
        let mut browser = Browser::signed_in(&app, "compliance_officer").await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let id = request_of(&app, &guest, "access", "2026-03-01T08:00:00Z").await;
        let path = format!("/console/requests/{id}/verify");
        assert_eq!(browser.raw(&path, "result=passed").await.status, 403, "no secret");
        assert_eq!(
            browser.raw(&path, "csrf=AAAA&result=passed").await.status,
            403,
            "a wrong one"
        );
        let foreign = browser
            .request(Method::POST, &path)
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .insert_header(("origin", "https://evil.example"))
            .set_payload("result=passed");
        assert_eq!(browser.send(foreign).await, 403);
        let state = app
            .get(&officer(&app, "o-1").await, &format!("/v1/requests/{id}"))
            .await;
        assert_eq!(state.body["state"], "received");
        let own = browser
            .post(&format!("/console/requests/{id}"), &path, "result=passed")
            .await;
        assert_eq!(own.status, 303, "{}", own.text());
        let state = app
            .get(&officer(&app, "o-1").await, &format!("/v1/requests/{id}"))
            .await;
        assert_eq!(state.body["state"], "verified");
        app.finish().await;
    }
);

both!(
    an_auditor_reads_everything_about_the_log_and_sees_no_guest,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let request = request_of(&app, &guest, "erasure", "2026-03-01T08:00:00Z").await;
        let desk = app
            .errand("compliance_officer", "subject_request")
            .await
            .at("GROUP")
            .with("vault-actor", "o-9");
        let shown = app
            .post(
                &desk.clone().with("vault-reason", "case 7"),
                &format!("/v1/guests/{guest}/reveal"),
                json!({"fields": ["phones"]}),
            )
            .await;
        assert_eq!(shown.status, 200, "{shown:?}");
        app.app.settle_log().await;
        let mut browser = Browser::signed_in(&app, "auditor").await;
        let found = app
            .get(
                &app.errand("auditor", "audit").await,
                "/v1/audit/entries?action=reveal",
            )
            .await;
        let entry = found.body["items"][0]["entry_id"].as_str().unwrap().to_owned();
        let open = [
            "/console".to_owned(),
            "/console/audit".to_owned(),
            format!("/console/audit?guest_id={guest}"),
            format!("/console/audit/{entry}"),
            format!("/console/guests/{guest}/access"),
            "/console/exposure?from=2026-03-01&to=2026-03-06".to_owned(),
            "/console/why?role=front_desk&purpose=stay_service&field=phones".to_owned(),
            "/console/consent?standing=1".to_owned(),
            "/console/disclosures".to_owned(),
            "/console/processing".to_owned(),
            "/console/log".to_owned(),
        ];
        for path in open {
            let answer = browser.look(&path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let text = answer.text();
            assert_eq!(
                path.starts_with("/console/why"),
                text.contains("*</td>"),
                "{path}: what is shown of one's own portfolio alone is marked"
            );
            for personal in [
                "Lin",
                "Mei",
                "13912345678",
                "5678",
                "guests.example",
                "E87654321",
                "1990-02-03",
            ] {
                assert!(!text.contains(personal), "{path} shows {personal}");
            }
            assert!(
                !text.contains("/judgement\""),
                "{path}: an auditor judges nothing"
            );
        }
        let closed = [
            "/console/requests".to_owned(),
            format!("/console/requests/{request}"),
            "/console/reviews".to_owned(),
            "/console/retention".to_owned(),
            "/console/exports".to_owned(),
            format!("/console/retention/{guest}"),
        ];
        for path in closed {
            assert_eq!(browser.look(&path).await.status, 403, "{path}");
        }
        for path in [
            format!("/console/audit/{entry}/judgement"),
            format!("/console/requests/{request}/decision"),
        ] {
            let field = if path.contains("judgement") {
                "verdict=justified"
            } else {
                "decision=deny&ground=no_match"
            };
            assert_eq!(browser.post("/console", &path, field).await.status, 403, "{path}");
        }
        let looks = looks(&app, "auditor").await;
        for action in [
            "read_audit",
            "access_report",
            "exposure",
            "read_policy",
            "read_consents",
            "judge",
            "handle_request",
        ] {
            assert!(looks.contains_key(action), "{action}: {looks:?}");
        }
        app.finish().await;
    }
);

both!(
    the_figures_of_the_day_are_those_of_a_recount_over_the_api,
    async |database| {
        let app = TestApp::start(database).await;
        let lin_id = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        // Due on 5 February and 1 April; today is 5 March.
        request_of(&app, &lin_id, "access", "2026-01-05T08:00:00Z").await;
        request_of(&app, &lin_id, "erasure", "2026-03-01T08:00:00Z").await;
        request_of(&app, &lin_id, "objection", "2026-02-08T08:00:00Z").await;
        let one = officer(&app, "o-1").await;
        let hold = json!({"matter": "C-17/26", "ground": "legal_claim", "review_on": "2026-03-20"});
        assert_eq!(
            app.post(&one, &format!("/v1/guests/{lin_id}/holds"), hold)
                .await
                .status,
            201
        );
        let reveal = json!({"fields": ["phones"]});
        let with_reason = one.clone().with("vault-reason", "case 7");
        for _ in 0..2 {
            assert_eq!(
                app.post(
                    &with_reason,
                    &format!("/v1/guests/{lin_id}/reveal"),
                    reveal.clone()
                )
                .await
                .status,
                200
            );
        }
        let mut browser = Browser::signed_in(&app, "compliance_officer").await;
        let page = browser.look("/console").await.text();

        let all = app.get(&one, "/v1/requests?limit=200").await;
        let open: Vec<&Value> = all.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|case| {
                !["done", "denied", "duplicate", "revoked"].contains(&case["state"].as_str().unwrap())
            })
            .collect();
        let due = |from: &str, to: &str| {
            let due = open.iter().filter_map(|case| case["due_on"].as_str());
            u64::try_from(due.filter(|day| *day >= from && *day < to).count()).unwrap()
        };
        assert_eq!(figure(&page, "overdue"), due("", "2026-03-05"));
        assert_eq!(figure(&page, "soon"), due("2026-03-05", "2026-03-13"));
        assert!(page.contains(&format!("All open: {}", open.len())), "{page}");
        let revealed = app
            .get(
                &app.errand("auditor", "audit").await,
                "/v1/audit/entries?action=reveal&decision=permitted",
            )
            .await;
        let reveals = revealed.body["items"].as_array().unwrap();
        assert_eq!(figure(&page, "reveals"), u64::try_from(reveals.len()).unwrap());
        assert_eq!(reveals.len(), 2);
        let register = app.get(&one, "/v1/holds").await;
        assert_eq!(register.body["in_force"], 1, "{register:?}");
        assert_eq!(figure(&page, "holds"), register.body["due"].as_u64().unwrap());

        // A judgement is recorded once, by somebody else, and the figure follows.
        let entry = reveals[0]["entry_id"].as_str().unwrap();
        let path = format!("/console/audit/{entry}");
        let judged = browser
            .post(&path, &format!("{path}/judgement"), "verdict=justified")
            .await;
        assert_eq!(judged.status, 303, "{}", judged.text());
        assert_eq!(figure(&browser.look("/console").await.text(), "reveals"), 1);
        let again = app
            .post(
                &one.clone().with("vault-reason", "x"),
                &format!("/v1/audit/entries/{entry}/judgement"),
                json!({"verdict": "follow_up"}),
            )
            .await;
        assert_eq!((again.status, again.problem()), (409, "conflict"));

        let looks = looks(&app, "compliance_officer").await;
        for action in ["read_requests", "hold", "read_audit", "attest", "judge"] {
            assert!(looks.contains_key(action), "{action}: {looks:?}");
        }
        app.finish().await;
    }
);

both!(
    volumes_over_time_are_those_of_a_recount_of_the_entries,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-03-04", "2026-03-06", "checked_in"))
            .await;
        let desk = app.role("front_desk").await;
        for at in [
            "2026-03-01T23:59:59Z",
            "2026-03-02T00:00:00Z",
            "2026-03-02T13:00:00Z",
            "2026-03-05T09:00:00Z",
        ] {
            app.set_clock(at);
            app.get(&desk, &format!("/v1/guests/{guest}?fields=phones")).await;
            app.get(
                &app.errand("kiosk", "statistics").await,
                &format!("/v1/guests/{guest}"),
            )
            .await;
        }
        app.set_clock("2026-03-05T10:00:00Z");
        let auditor = app.errand("auditor", "audit").await;
        let volume = app
            .get(
                &auditor,
                "/v1/audit/volume?from=2026-03-01T00:00:00Z&to=2026-03-05T10:00:00Z&slot=day",
            )
            .await;
        assert_eq!(volume.status, 200, "{volume:?}");
        for slot in volume.body["slots"].as_array().unwrap() {
            let from = slot["from"].as_str().unwrap();
            let day = &from[..10];
            let end = if day == "2026-03-05" {
                "2026-03-05T10:00:00Z".to_owned()
            } else {
                format!("{day}T23:59:59.999999Z")
            };
            let counted = app
                .get(
                    &auditor,
                    &format!("/v1/audit/entries?from={from}&to={end}&limit=200"),
                )
                .await;
            let entries = counted.body["items"].as_array().unwrap();
            let denied = entries
                .iter()
                .filter(|entry| entry["decision"] == "denied")
                .count();
            assert_eq!(slot["entries"], entries.len(), "{day}");
            assert_eq!(slot["denied"], denied, "{day}");
        }
        let mut browser = Browser::signed_in(&app, "auditor").await;
        let last = browser.look("/console/audit?to=%2B262142-12-31").await;
        assert_eq!(last.status, 400, "{}", last.text());
        let page = browser
            .look("/console/audit?from=2026-03-01&to=2026-03-02")
            .await
            .text();
        assert!(page.contains("<svg"), "{page}");
        let wrong = app
            .get(
                &auditor,
                "/v1/audit/volume?from=2026-03-05T00:00:00Z&to=2026-03-01T00:00:00Z&slot=hour",
            )
            .await;
        assert_eq!(wrong.status, 400);
        app.finish().await;
    }
);

both!(
    a_request_by_telephone_is_taken_in_without_a_word_about_who_is_known,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let mut browser = Browser::signed_in(&app, "compliance_officer").await;
        let new = "/console/requests/new";
        let form = |contact: &str, id: &str, on: &str| {
            format!(
                "type=access&regime=gdpr&received_via=phone&received_on={on}&guest_id={id}&contact={contact}"
            )
        };
        let cases = [
            (
                form("lin.mei%40guests.example", "", "2026-03-02"),
                Some(guest.as_str()),
            ),
            (form("%2B86+139+1234+5679", "", "2026-03-05"), None),
            (form("", &guest, "2026-03-05"), Some(guest.as_str())),
            (form("", "", "2026-03-05"), None),
        ];
        for (fields, wanted) in cases {
            let taken = browser.post(new, new, &fields).await;
            assert_eq!(taken.status, 303, "{}", taken.text());
            let place = taken.headers["location"].clone();
            let id = place.rsplit('/').next().unwrap();
            let case = app
                .get(&officer(&app, "o-1").await, &format!("/v1/requests/{id}"))
                .await;
            assert_eq!(case.body["guest_id"].as_str(), wanted, "{case:?}");
            assert_eq!(case.body["received_via"], "phone");
            // Nothing that the guest is known by is kept, or in an address.
            assert!(!place.contains("lin") && !case.body.to_string().contains("lin.mei"));
        }
        let first = app.get(&officer(&app, "o-1").await, "/v1/requests").await;
        let due = first.body["items"].as_array().unwrap().last().unwrap()["due_on"].clone();
        assert_eq!(due, "2026-04-02", "the clock runs from the day on which it came");
        let wrong = [
            (form("nobody", "", "2026-03-05"), "telephone number"),
            (form("lin.mei%40guests.example", &guest, "2026-03-05"), "not both"),
            (form("", "", "2025-01-01"), "last year"),
        ];
        for (fields, told) in wrong {
            let refused = browser.post(new, new, &fields).await;
            assert_eq!(refused.status, 200, "{fields}");
            assert!(refused.text().contains(told), "{}", refused.text());
        }
        // Who reads only takes nothing in.
        let mut auditor = Browser::signed_in(&app, "auditor").await;
        assert_eq!(auditor.look(new).await.status, 403);
        let sent = auditor
            .post("/console", new, &form("", &guest, "2026-03-05"))
            .await;
        assert_eq!(sent.status, 403);
        app.finish().await;
    }
);

both!(
    a_request_goes_from_the_queue_to_a_decision_by_two_people,
    async |database| {
        let app = TestApp::start(database).await;
        let guest = app
            .guest("pms/l-1", lin("R-1", "2026-01-10", "2026-01-12", "checked_out"))
            .await;
        let id = request_of(&app, &guest, "erasure", "2026-03-01T08:00:00Z").await;
        let page = format!("/console/requests/{id}");
        let mut officer = Browser::signed_in(&app, "compliance_officer").await;
        let verified = officer
            .post(&page, &format!("{page}/verify"), "result=passed")
            .await;
        assert_eq!(verified.status, 303, "{}", verified.text());
        let mut approver = Browser::signed_in(&app, "general_manager").await;
        let shown = approver.look(&page).await.text();
        let print = shown
            .split("name=\"preview\" value=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let stale = approver
            .post(
                &page,
                &format!("{page}/decision"),
                "decision=approve&preview=00000000",
            )
            .await;
        assert_eq!(stale.status, 409, "only what was seen is approved");
        let decided = approver
            .post(
                &page,
                &format!("{page}/decision"),
                &format!("decision=approve&preview={print}"),
            )
            .await;
        assert_eq!(decided.status, 303, "{}", decided.text());
        let case = app
            .get(
                &crate::rights::officer(&app, "o-1").await,
                &format!("/v1/requests/{id}"),
            )
            .await;
        assert!(
            ["done", "waiting"].contains(&case.body["state"].as_str().unwrap()),
            "{case:?}"
        );
        let answer = officer.look(&format!("{page}?answer=zh")).await.text();
        assert!(
            answer.contains("尊敬的客人"),
            "the draft is in the guest's language"
        );
        app.finish().await;
    }
);
