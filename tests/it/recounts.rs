//! Every number on a page of the console is that of an independent recount over the API.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use crate::{
    events::{Listener, hook, telling},
    rights::officer,
    support::{
        app::{Errand, TestApp},
        browser::Browser,
        database::both,
    },
};

/// The figure of a page that is called so.
pub(crate) fn figure(page: &str, key: &str) -> u64 {
    let marker = format!("data-figure=\"{key}\">");
    let rest = page
        .split(&marker)
        .nth(1)
        .unwrap_or_else(|| panic!("no figure {key}"));
    rest.split('<').next().unwrap().trim().parse().unwrap()
}

/// The rows of the first table after a marker, as text.
pub(crate) fn rows(page: &str, marker: &str) -> Vec<Vec<String>> {
    let rest = page.split(marker).nth(1).unwrap_or_else(|| panic!("no {marker}"));
    let body = rest
        .split("<tbody>")
        .nth(1)
        .unwrap()
        .split("</tbody>")
        .next()
        .unwrap();
    body.split("<tr")
        .skip(1)
        .map(|row| {
            let cells = row
                .split("<t")
                .skip(1)
                .filter(|cell| cell.starts_with(['h', 'd']));
            cells.map(text).collect()
        })
        .collect()
}

/// The text of a piece of HTML that begins within a tag.
fn text(html: &str) -> String {
    let mut out = String::new();
    let mut inside = true;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            c if !inside => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn number(cell: &str) -> u64 {
    cell.parse().unwrap_or_else(|_| panic!("no number: {cell}"))
}

/// All items of a list, page by page.
pub(crate) async fn all(app: &TestApp, errand: &Errand, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let joint = if path.contains('?') { '&' } else { '?' };
        let answer = app.get(errand, &format!("{path}{joint}limit=200{cursor}")).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        items.extend(answer.body["items"].as_array().unwrap().iter().cloned());
        match answer.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

pub(crate) async fn auditor(app: &TestApp) -> Errand {
    app.errand("auditor", "audit").await.at("GROUP")
}

/// People who have nothing in common.
const PEOPLE: [(&str, &str, &str); 4] = [
    ("Okonkwo", "Chidera", "okonkwo.chidera@example.ng"),
    ("Brzezinski", "Wanda", "wanda.b@example.pl"),
    ("Takahashi", "Reiko", "reiko.takahashi@example.jp"),
    ("Delacroix", "Honorine", "honorine@example.fr"),
];

pub(crate) async fn guests(app: &TestApp) -> Vec<String> {
    let mut ids = Vec::new();
    for (at, (surname, given, mail)) in PEOPLE.iter().enumerate() {
        let (left, status) = [
            ("2026-01-12", "checked_out"),
            ("2026-02-05", "checked_out"),
            ("2026-02-08", "checked_out"),
            ("2026-03-08", "checked_in"),
        ][at];
        let record = json!({
            "observed_at": "2026-02-01T10:00:00Z",
            "guest": {"name": {"surname": surname, "given": given}, "emails": [{"address": mail}],
                      "id_documents": [{"type": "passport", "issuing_country": "FR", "number": format!("19AF0012{at}")}]},
            "stays": [{"reservation": format!("R-{at}"), "property": "LIS01", "arrival": "2026-01-05", "departure": left,
                       "status": status, "channel": "web"}]
        });
        ids.push(app.guest(&format!("web/{at}"), record).await);
    }
    ids
}

both!(
    what_guests_said_is_counted_as_their_histories_say,
    async |database| {
        let app = TestApp::start(database).await;
        let ids = guests(&app).await;
        let crm = app.errand("crm", "loyalty").await.at("GROUP");
        let said = [
            (0, "marketing_direct", "given", "web", "2026-01-10"),
            (1, "marketing_direct", "given", "phone", "2026-02-03"),
            (2, "marketing_direct", "refused", "web", "2026-02-04"),
            (0, "marketing_direct", "withdrawn", "phone", "2026-02-20"),
            (3, "profiling_value", "given", "web", "2026-02-21"),
            (1, "profiling_value", "given", "web", "2026-03-01"),
            (1, "profiling_value", "withdrawn", "web", "2026-03-02"),
        ];
        for (who, purpose, state, channel, day) in said {
            app.set_clock(&format!("{day}T09:00:00Z"));
            let word =
                json!({"purpose": purpose, "state": state, "channel": channel, "indication": "checkbox"});
            let answer = app
                .post(&crm, &format!("/v1/guests/{}/consents", ids[who]), word)
                .await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        app.set_clock("2026-03-05T10:00:00Z");
        // The histories of all guests, line by line.
        let mut count: BTreeMap<(String, &str), u64> = BTreeMap::new();
        let mut last: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut taken_back = BTreeSet::new();
        for id in &ids {
            let answer = app.get(&crm, &format!("/v1/guests/{id}/consents")).await;
            for line in answer.body["history"].as_array().unwrap() {
                let word = |name: &str| line[name].as_str().unwrap().to_owned();
                let kind = match word("state").as_str() {
                    "given" | "renewed" => "given",
                    "refused" => "refused",
                    _ => "withdrawn",
                };
                *count.entry((word("purpose"), kind)).or_default() += 1;
                last.insert((id.clone(), word("purpose")), kind.to_owned());
                if kind == "withdrawn" {
                    taken_back.insert(word("consent_id"));
                }
            }
        }
        let standing = |purpose: &str, kinds: &[&str]| {
            let mine = last
                .iter()
                .filter(|((_, of), kind)| of == purpose && kinds.contains(&kind.as_str()));
            u64::try_from(mine.count()).unwrap()
        };
        let mut browser = Browser::signed_in(&app, "auditor").await;
        let mut page = browser.look("/console/consent?standing=1").await.text();
        while page.contains("id=\"counting\"") {
            page = browser.look("/console/consent?standing=1").await.text();
        }
        let shown = rows(&page, "id=\"by-head\"");
        assert_eq!(shown.len(), 2, "{shown:?}");
        for (label, purpose) in [
            ("Direct marketing", "marketing_direct"),
            ("Value profiling", "profiling_value"),
        ] {
            let row = shown.iter().find(|row| row[0] == label).unwrap();
            for (at, kind) in [(2, "given"), (3, "refused"), (4, "withdrawn")] {
                let counted = count.get(&(purpose.to_owned(), kind)).copied().unwrap_or(0);
                assert_eq!(number(&row[at]), counted, "{purpose} {kind}");
            }
            assert_eq!(number(&row[5]), standing(purpose, &["given"]), "{purpose}");
            assert_eq!(
                number(&row[6]),
                standing(purpose, &["refused", "withdrawn"]),
                "{purpose}"
            );
        }
        let sum = |kind: &str| {
            count
                .iter()
                .filter(|((_, of), _)| *of == kind)
                .map(|(_, n)| n)
                .sum::<u64>()
        };
        assert_eq!((sum("given"), sum("withdrawn")), (4, 2));
        let trend = rows(&page, "id=\"trend-head\"");
        let column = |at: usize| trend.iter().map(|row| number(&row[at])).sum::<u64>();
        assert_eq!(
            (trend.len(), column(1), column(2)),
            (12, sum("given"), sum("withdrawn"))
        );
        assert!(page.contains("4 given · 2 withdrawn"), "{page}");
        assert_eq!(rows(&page, "id=\"withdrawals-head\"").len(), taken_back.len());
        let told = app.get(&auditor(&app).await, "/v1/consents/withdrawals").await;
        let listed = told.body["items"].as_array().unwrap().iter();
        let listed: BTreeSet<String> = listed
            .map(|one| one["consent_id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(listed, taken_back);
        app.finish().await;
    }
);

both!(
    who_has_heard_of_a_withdrawal_is_what_the_receivers_have_answered,
    async |database| {
        let (good, bad) = (Listener::start(), Listener::start());
        let named = |name: &str, listener: &Listener, kinds: &[&str]| {
            let mut hook = hook(database, &listener.url);
            hook.name = name.to_owned();
            hook.events = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            hook
        };
        let app = telling(
            database,
            &[
                named("crm", &good, &[]),
                named("mailer", &bad, &["consent.changed"]),
                named("cards", &good, &["guest.created"]),
            ],
        )
        .await;
        let ids = guests(&app).await;
        let crm = app.errand("crm", "loyalty").await.at("GROUP");
        let say = async |who: usize, state: &str| {
            let word = json!({"purpose": "marketing_direct", "state": state, "channel": "web", "indication": "checkbox"});
            let answer = app
                .post(&crm, &format!("/v1/guests/{}/consents", ids[who]), word)
                .await;
            assert_eq!(answer.status, 201, "{answer:?}");
        };
        let heard = async |page: &str| -> Vec<String> {
            rows(page, "id=\"withdrawals-head\"")
                .into_iter()
                .map(|row| row[4].clone())
                .collect()
        };
        let mut browser = Browser::signed_in(&app, "auditor").await;
        // Before any receiver was there.
        say(0, "withdrawn").await;
        app.app.courier.step().await.unwrap();
        let page = browser.look("/console/consent").await.text();
        assert_eq!(heard(&page).await, ["crm not known mailer not known"]);
        // One takes it, one does not yet, one does not want it.
        app.set_clock("2026-03-05T10:10:00Z");
        say(1, "withdrawn").await;
        let page = browser.look("/console/consent").await.text();
        assert!(
            heard(&page).await[0].contains("not known"),
            "the event has no number yet"
        );
        bad.answer(&[500; 10]);
        app.app.courier.step().await.unwrap();
        let page = browser.look("/console/consent").await.text();
        assert_eq!(
            heard(&page).await,
            [
                "crm has heard mailer on its way 1 tries, 500",
                "crm not known mailer not known"
            ]
        );
        let told = app.get(&auditor(&app).await, "/v1/consents/withdrawals").await;
        let newest = &told.body["items"][0];
        assert_eq!(newest["guest_id"], json!(ids[1]));
        assert_eq!(
            newest["told"],
            json!([{"receiver": "crm", "state": "taken", "attempts": 0},
               {"receiver": "mailer", "state": "on_the_way", "attempts": 1, "answer": "500"}])
        );
        // Given up after the last try; taken after all once it is sent again.
        for day in 6..16 {
            app.set_clock(&format!("2026-03-{day:02}T23:00:00Z"));
            app.app.courier.step().await.unwrap();
        }
        let page = browser.look("/console/sign-in").await.status;
        assert_eq!(page, 200, "the session is over by now");
        let mut browser = Browser::signed_in(&app, "auditor").await;
        let page = browser.look("/console/consent").await.text();
        assert_eq!(
            heard(&page).await[0],
            "crm has heard mailer given up 10 tries, 500"
        );
        let admin = app.role("admin").await;
        let dead = app.get(&admin, "/v1/webhooks/mailer/dead-letters").await;
        assert_eq!(
            dead.body["items"].as_array().unwrap().len(),
            1,
            "as the webhooks' own call says"
        );
        app.post(&admin, "/v1/webhooks/mailer/redeliveries", Value::Null)
            .await;
        app.app.courier.step().await.unwrap();
        let page = browser.look("/console/consent").await.text();
        assert_eq!(heard(&page).await[0], "crm has heard mailer has heard");
        app.finish().await;
    }
);

/// What ends its time on which day by the plans of all guests: how many guests, by category.
async fn ending(app: &TestApp, ids: &[String]) -> BTreeMap<NaiveDate, BTreeMap<String, u64>> {
    let mut days: BTreeMap<NaiveDate, BTreeMap<String, u64>> = BTreeMap::new();
    for id in ids {
        let errand = officer(app, "o-1").await;
        let plan = app
            .get(&errand, &format!("/v1/retention/plan?guest_id={id}"))
            .await;
        for line in plan.body["categories"].as_array().unwrap() {
            let day = |name: &str| {
                line[name]["date"]
                    .as_str()
                    .map(|day| day.parse::<NaiveDate>().unwrap())
            };
            let (Some(latest), earliest) = (day("latest"), day("earliest")) else {
                continue;
            };
            if line["values"].as_u64().unwrap() > 0 && earliest.is_none_or(|first| first <= latest) {
                let name = line["category"].as_str().unwrap().to_owned();
                *days.entry(latest).or_default().entry(name).or_default() += 1;
            }
        }
    }
    days
}

both!(
    what_has_had_its_time_is_counted_as_the_plans_of_all_guests_say,
    async |database| {
        let app = TestApp::start(database).await;
        let ids = guests(&app).await;
        let one = officer(&app, "o-1").await;
        app.set_clock("2026-03-01T10:00:00Z");
        for (who, review) in [(0, "2026-03-04"), (1, "2026-03-25")] {
            let hold = json!({"matter": "C-17/26", "ground": "legal_claim", "categories": ["preference"], "review_on": review});
            let put = app
                .post(&one, &format!("/v1/guests/{}/holds", ids[who]), hold)
                .await;
            assert_eq!(put.status, 201, "{put:?}");
        }
        app.set_clock("2026-03-05T10:00:00Z");
        let today: NaiveDate = "2026-03-05".parse().unwrap();
        let ending = ending(&app, &ids).await;
        let over: u64 = ids.len().try_into().unwrap();
        let mut browser = Browser::signed_in(&app, "compliance_officer").await;
        let counted = browser
            .post("/console/retention", "/console/retention/runs/simulation", "")
            .await;
        assert_eq!(counted.status, 303);
        let page = browser.look("/console/retention").await.text();

        let runs = app.get(&one, "/v1/retention/runs").await;
        let run = &runs.body["items"][0];
        let row = &rows(&page, "id=\"runs-head\"")[0];
        assert_eq!(number(&row[2]), over, "all guests were looked at");
        assert_eq!(
            (number(&row[2]), number(&row[3]), number(&row[4])),
            (
                run["looked_at"].as_u64().unwrap(),
                run["due"].as_u64().unwrap(),
                run["gone"].as_u64().unwrap()
            )
        );
        let past = ending
            .range(..=today)
            .filter_map(|(_, count)| count.get("document"))
            .sum::<u64>();
        assert_eq!(past, 1, "one passport has had its time: {ending:?}");
        assert!(row[5].contains(&format!("Documents {past}")), "{row:?}");

        let calendar = rows(&page, "id=\"calendar-head\"");
        assert_eq!(calendar.len(), 7);
        let mut seen = 0;
        for (row, coming) in calendar.iter().zip(run["coming"].as_array().unwrap()) {
            let day: NaiveDate = coming["day"].as_str().unwrap().parse().unwrap();
            assert_eq!(number(&row[1]), coming["guests"].as_u64().unwrap(), "{day}");
            let wanted = ending
                .get(&day)
                .and_then(|count| count.get("document"))
                .copied()
                .unwrap_or(0);
            assert_eq!(row[3].contains("Documents"), wanted > 0, "{day}: {row:?}");
            if wanted > 0 {
                assert!(row[3].contains(&format!("Documents {wanted}")), "{day}: {row:?}");
            }
            seen += wanted;
        }
        let week = ending.range(today + Days::new(1)..=today + Days::new(7));
        assert_eq!(
            seen,
            week.filter_map(|(_, count)| count.get("document")).sum::<u64>()
        );
        assert!(seen > 0, "something ends in the week to come: {ending:?}");

        let register = app.get(&one, "/v1/holds").await;
        let holds = register.body["holds"].as_array().unwrap();
        let due = holds
            .iter()
            .filter(|hold| hold["review_on"].as_str().unwrap() <= "2026-03-05")
            .count();
        let open = holds.iter().filter(|hold| hold["approver"].is_null()).count();
        assert!(
            page.contains(&format!(
                "{} in force · {due} to review · {open} wait",
                holds.len()
            )),
            "{page}"
        );
        assert_eq!(rows(&page, "id=\"holds-head\"").len(), holds.len());
        app.finish().await;
    }
);
