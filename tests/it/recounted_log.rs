//! Every number on the console's pages about the log and the requests is that of an independent recount over the API.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    recounts::{all, auditor, figure, guests, number, rows},
    rights::officer,
    support::{app::TestApp, browser::Browser, database::both},
};

/// Looks of several kinds, refused ones among them, on the days before the fifth of March.
async fn looked_at(app: &TestApp, ids: &[String]) {
    let desk = app.role("front_desk").await.with("vault-actor", "fd-7");
    let kiosk = app.errand("kiosk", "statistics").await;
    for (at, day) in ["2026-03-01", "2026-03-03", "2026-03-03", "2026-03-04"]
        .iter()
        .enumerate()
    {
        app.set_clock(&format!("{day}T1{at}:00:00Z"));
        app.get(&desk, &format!("/v1/guests/{}?fields=name,phones", ids[3]))
            .await;
        app.get(&desk, &format!("/v1/guests/{}?fields=name", ids[at]))
            .await;
        app.get(&kiosk, &format!("/v1/guests/{}", ids[0])).await;
    }
    let crm = app.errand("crm", "marketing_direct").await.at("GROUP");
    let yes = json!({"purpose": "third_party:spa_partner", "state": "given", "recipient": "spa_partner", "channel": "web",
                     "indication": "checkbox"});
    let given = app
        .post(&crm, &format!("/v1/guests/{}/consents", ids[3]), yes)
        .await;
    assert_eq!(given.status, 201, "{given:?}");
    let partner = app.errand("partner", "third_party:spa_partner").await;
    for _ in 0..2 {
        app.get(&partner, &format!("/v1/guests/{}", ids[3])).await;
    }
    let one = officer(app, "o-1").await.with("vault-reason", "case 7");
    let reveal = json!({"fields": ["emails"]});
    app.post(&one, &format!("/v1/guests/{}/reveal", ids[1]), reveal)
        .await;
    app.set_clock("2026-03-06T08:00:00Z");
}

const PAST: &str = "from=2026-03-01T00:00:00Z&to=2026-03-05T00:00:00Z";

fn shows(entry: &Value) -> bool {
    let fields = entry["leaf"]["fields"].as_object();
    entry["decision"] == "permitted" && fields.is_some_and(|fields| !fields.is_empty())
}

both!(
    what_was_seen_is_counted_as_the_entries_of_the_log_say,
    async |database| {
        let app = TestApp::start(database).await;
        let ids = guests(&app).await;
        looked_at(&app, &ids).await;
        app.app.settle_log().await;
        let auditor = auditor(&app).await;
        let past = all(&app, &auditor, &format!("/v1/audit/entries?{PAST}")).await;
        let count = |test: &dyn Fn(&Value) -> bool| {
            u64::try_from(past.iter().filter(|one| test(one)).count()).unwrap()
        };
        let mut browser = Browser::signed_in(&app, "auditor").await;

        // Volumes: the figures above the chart, and the table beneath it.
        let page = browser
            .look("/console/audit?from=2026-03-01&to=2026-03-04")
            .await
            .text();
        let (entries, denied) = (count(&|_| true), count(&|one| one["decision"] == "denied"));
        let reveals = count(&|one| one["action"] == "reveal");
        assert!(denied >= 4 && reveals == 1, "{denied} {reveals}");
        assert!(
            page.contains(&format!(
                "entries: {entries} · refused: {denied} · reveals: {reveals}"
            )),
            "{page}"
        );
        let table = rows(&page, "class=\"key\"");
        for (row, day) in table
            .iter()
            .zip(["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"])
        {
            let on = |one: &Value| one["at"].as_str().unwrap().starts_with(day);
            assert_eq!(number(&row[1]), count(&on), "{day}");
            assert_eq!(
                number(&row[2]),
                count(&|one| on(one) && one["decision"] == "denied"),
                "{day}"
            );
            assert_eq!(
                number(&row[3]),
                count(&|one| on(one) && one["action"] == "reveal"),
                "{day}"
            );
        }
        assert_eq!(table.len(), 4);

        // Exposure by one person.
        let page = browser
            .look("/console/exposure?from=2026-03-01&to=2026-03-04&actor=fd-7")
            .await
            .text();
        let mine: Vec<&Value> = past.iter().filter(|one| one["actor"] == "fd-7").collect();
        let shown: Vec<&&Value> = mine.iter().filter(|one| shows(one)).collect();
        let seen: BTreeSet<&str> = shown.iter().filter_map(|one| one["guest_id"].as_str()).collect();
        assert_eq!(figure(&page, "guests"), u64::try_from(seen.len()).unwrap());
        assert_eq!(figure(&page, "disclosures"), u64::try_from(shown.len()).unwrap());
        assert_eq!(figure(&page, "entries"), u64::try_from(mine.len()).unwrap());
        assert_eq!(seen.len(), 4, "{shown:?}");

        // Disclosures to a partner.
        let page = browser
            .look("/console/disclosures?recipient=spa_partner")
            .await
            .text();
        let partner = past
            .iter()
            .filter(|one| one["purpose"] == "third_party:spa_partner" && shows(one));
        let lines = rows(&page, "id=\"found-head\"");
        assert_eq!((lines.len(), partner.count()), (2, 2));

        // Who looked at one guest.
        let page = browser
            .look(&format!("/console/guests/{}/access", ids[3]))
            .await
            .text();
        // The page's own look is among them, those of the recount are not.
        app.set_clock("2026-03-06T08:01:00Z");
        let about = all(
            &app,
            &auditor,
            &format!("/v1/audit/entries?guest_id={}&to=2026-03-06T08:01:00Z", ids[3]),
        )
        .await;
        let report = app
            .get(&auditor, &format!("/v1/guests/{}/access-report", ids[3]))
            .await;
        let before = report.body["accesses"].as_array().unwrap().iter();
        let before = before
            .filter(|one| one["at"].as_str().unwrap() < "2026-03-06T08:01:00Z")
            .count();
        assert_eq!(rows(&page, "<caption>").len(), before);
        assert!(
            page.contains(&format!("{before} entries. The log proves")),
            "{page}"
        );
        assert_eq!(before, about.len());

        // The log's own size.
        app.app.settle_log().await;
        let checkpoint = app.get(&auditor, "/v1/audit/log/checkpoint").await.text();
        let page = browser.look("/console/log").await.text();
        let size = page
            .split("id=\"log-size\">")
            .nth(1)
            .unwrap()
            .split('<')
            .next()
            .unwrap();
        assert_eq!(size, checkpoint.lines().nth(1).unwrap());
        app.finish().await;
    }
);

both!(
    the_register_says_unused_what_no_entry_of_the_log_uses,
    async |database| {
        let app = TestApp::start(database).await;
        let ids = guests(&app).await;
        looked_at(&app, &ids).await;
        let mut browser = Browser::signed_in(&app, "auditor").await;
        // Fields are held against entries that have their index.
        app.app.settle_log().await;
        let page = browser.look("/console/processing").await.text();
        let auditor = auditor(&app).await;
        let entries = all(&app, &auditor, "/v1/audit/entries?to=2026-03-06T08:00:00Z").await;
        let policy = app.get(&auditor, "/v1/policy").await;
        let purposes = policy.body["purposes"].as_array().unwrap();
        // The page itself was asked for in the name of `audit`.
        let mut used: BTreeSet<&str> = entries.iter().filter_map(|one| one["purpose"].as_str()).collect();
        used.insert("audit");
        let unused = purposes
            .iter()
            .filter(|one| !used.contains(one["code"].as_str().unwrap()))
            .count();
        assert_eq!(figure(&page, "purposes"), u64::try_from(purposes.len()).unwrap());
        let on_page = rows(&page, "id=\"act-head\"");
        assert_eq!(on_page.len(), purposes.len());
        let never = on_page.iter().filter(|row| row[4] == "never").count();
        // An entry of the page's own look may or may not be counted for `audit`; nothing else is in doubt.
        assert!(never == unused || never == unused + 1, "{never} {unused}");
        assert_eq!(figure(&page, "unused"), u64::try_from(never).unwrap());
        let looks = ["read", "reveal", "search", "read_records"];
        let disclosing = entries
            .iter()
            .filter(|one| shows(one) && looks.contains(&one["action"].as_str().unwrap()));
        let read: BTreeSet<&String> = disclosing
            .flat_map(|one| one["leaf"]["fields"].as_object().unwrap())
            .filter(|(_, view)| *view != "withheld" && *view != "none")
            .map(|(path, _)| path)
            .collect();
        let fields = policy.body["fields"].as_array().unwrap();
        let unread = fields
            .iter()
            .filter(|one| !read.iter().any(|path| one["path"] == path.as_str()))
            .count();
        assert_eq!(
            figure(&page, "unread"),
            u64::try_from(unread).unwrap(),
            "{read:?}"
        );
        let rules = std::fs::read_dir("policies/retention").unwrap().map(|file| {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            text.lines().filter(|line| line.trim() == "[[rule]]").count()
        });
        assert_eq!(
            figure(&page, "limits"),
            u64::try_from(rules.sum::<usize>()).unwrap()
        );
        app.finish().await;
    }
);

both!(
    the_queue_says_of_each_request_what_the_api_says,
    async |database| {
        let app = TestApp::start(database).await;
        let ids = guests(&app).await;
        let desk = app
            .errand("front_desk", "subject_request")
            .await
            .with("vault-actor", "fd-1");
        for (who, kind, at) in [
            (0, "access", "2026-01-05"),
            (1, "erasure", "2026-02-08"),
            (2, "objection", "2026-03-01"),
        ] {
            let input = json!({"guest_id": ids[who], "type": kind, "regime": "gdpr", "received_via": "letter",
                           "received_at": format!("{at}T08:00:00Z")});
            assert_eq!(app.post(&desk, "/v1/requests", input).await.status, 201);
        }
        let mut browser = Browser::signed_in(&app, "compliance_officer").await;
        let page = browser.look("/console/requests").await.text();
        let cases = all(&app, &officer(&app, "o-1").await, "/v1/requests").await;
        let due = |from: &str, to: &str| {
            let days = cases.iter().filter_map(|case| case["due_on"].as_str());
            days.filter(|day| *day >= from && *day < to).count()
        };
        let told = format!(
            "{} open. {} overdue. {} due within 7 days.",
            cases.len(),
            due("", "2026-03-05"),
            due("2026-03-05", "2026-03-13")
        );
        assert_eq!(told, "3 open. 1 overdue. 1 due within 7 days.");
        assert!(page.contains(&told), "{page}");
        assert_eq!(rows(&page, "class=\"stack\"").len(), cases.len());
        // Identity questions, on the steward's day.
        let booking = app.errand("integration", "booking").await;
        let namesake = json!({"guest": {"name": {"surname": "Walker", "given": "James"},
                                    "phones": [{"number": "+44 20 7946 0123"}]},
                          "stays": [{"reservation": "W-1", "property": "LIS01", "arrival": "2026-03-04",
                                     "departure": "2026-03-07", "status": "checked_in"}]});
        app.put(&booking, "/v1/records/web/w1", namesake.clone()).await;
        let mut other = namesake;
        other["stays"][0]["reservation"] = json!("W-2");
        app.put(&booking, "/v1/records/pms/w2", other).await;
        let steward = app.errand("crm", "complaint_handling").await.at("GROUP");
        let open = app.get(&steward, "/v1/reviews").await;
        let open = open.body["items"].as_array().unwrap().len();
        let page = Browser::signed_in(&app, "crm")
            .await
            .look("/console")
            .await
            .text();
        assert_eq!((figure(&page, "reviews"), open), (1, 1));
        app.finish().await;
    }
);
