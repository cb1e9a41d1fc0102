//! The guests' pages: signing in by a code, what a guest sees and can do there, and what nobody gets out of them.

use actix_web::http::Method;
use guest_vault::web::pages::languages;
use serde_json::json;

use crate::support::{
    app::TestApp,
    browser::{Browser, code, messages, sign_in},
    database::{Database, both},
};

pub(crate) const MAIL: &str = "beatriz.almeida@example.pt";
const CANARY: &str = "Zanzibarowski";

pub(crate) async fn two_guests(app: &TestApp) -> (String, String) {
    let own = json!({
        "observed_at": "2026-03-01T10:00:00Z", "provenance": "declared",
        "guest": {"name": {"surname": "Almeida", "given": "Beatriz"}, "birth_date": "1984-07-19",
                  "emails": [{"address": MAIL}], "phones": [{"number": "+351 912 345 678"}],
                  "preferences": {"room": {"floor": "high"}}},
        "stays": [{"reservation": "R-1", "property": "LIS01", "arrival": "2026-02-01", "departure": "2026-02-04",
                   "status": "checked_out", "channel": "web"}]
    });
    let other = json!({
        "observed_at": "2026-03-01T10:00:00Z",
        "guest": {"name": {"surname": CANARY, "given": "Krystyna"}, "birth_date": "1951-12-02",
                  "emails": [{"address": "krystyna@example.pl"}]}
    });
    (app.guest("web/1", own).await, app.guest("web/2", other).await)
}

async fn a_guest_signs_in_and_sees_its_own(database: &Database) {
    let app = TestApp::start(database).await;
    let (_, other) = two_guests(&app).await;
    let mut browser = Browser::new(&app);
    assert_eq!(browser.get("/privacy/data").await, 303);
    assert_eq!(browser.location(), "/privacy/sign-in?next=/privacy/data");
    sign_in(&app, &mut browser, MAIL).await;
    assert_eq!(browser.get("/privacy/data").await, 200);
    assert!(
        !browser.page.contains("Beatriz"),
        "nothing is opened before it is asked for"
    );
    assert!(browser.page.contains("/privacy/data/contact"));
    assert_eq!(browser.get("/privacy/data/identity").await, 200);
    assert!(
        browser.page.contains("Beatriz") && browser.page.contains("Said by you"),
        "{}",
        browser.page
    );
    assert!(!browser.page.contains(MAIL), "one drawer at a time");
    assert_eq!(browser.get("/privacy/data/stay").await, 200);
    assert!(browser.page.contains("2026-02-01"), "{}", browser.page);
    for path in [
        "",
        "/data",
        "/data/contact",
        "/agreements",
        "/looks?own=1",
        "/requests",
        "/requests/erase",
    ] {
        browser.open(&format!("/privacy{path}")).await;
        assert!(
            !browser.page.contains(CANARY) && !browser.page.contains(&other),
            "{path}"
        );
    }
    // Its own looks are in the list, and named as its own.
    browser.get("/privacy/looks?own=1").await;
    assert!(browser.page.contains("This list is complete"), "{}", browser.page);
    assert!(browser.page.contains("<strong>You</strong>") && browser.page.contains("Given name"));
    crate::reports::grow(&app).await;
    assert_eq!(browser.get("/privacy/looks/report.json").await, 200);
    let report = browser.answer.as_ref().unwrap().body.to_string();
    assert!(report.contains("\\\"actor\\\":\\\"self\\\"") && report.contains("receipt"));
    assert_eq!(browser.submit_sign_out().await, 200);
    assert!(browser.page.contains("You are signed out."));
    assert_eq!(browser.get("/privacy/data").await, 303);
    app.finish().await;
}

async fn codes_are_good_for_little(database: &Database) {
    let app = TestApp::start(database).await;
    two_guests(&app).await;
    let ask = [("contact", MAIL), ("next", "")];
    let mut browser = Browser::new(&app);
    browser.open("/privacy/sign-in").await;
    browser.submit("/privacy/sign-in", &ask).await;
    let right = code(&app, 1).await;
    let wrong = if right == "000000" { "000001" } else { "000000" };
    // In another browser the right code is worth nothing.
    let mut thief = Browser::new(&app);
    thief.open("/privacy/sign-in/code").await;
    thief
        .submit("/privacy/sign-in/code", &[("code", &right), ("next", "")])
        .await;
    assert!(thief.page.contains("not right"));
    for _ in 0..5 {
        browser
            .submit("/privacy/sign-in/code", &[("code", wrong), ("next", "")])
            .await;
        assert!(browser.page.contains("not right"), "{}", browser.page);
    }
    browser
        .submit("/privacy/sign-in/code", &[("code", &right), ("next", "")])
        .await;
    assert!(browser.page.contains("not right"), "five tries are all there are");
    // Ten minutes.
    browser.open("/privacy/sign-in").await;
    browser.submit("/privacy/sign-in", &ask).await;
    let late = code(&app, 2).await;
    app.set_clock("2026-03-05T10:10:01Z");
    browser
        .submit("/privacy/sign-in/code", &[("code", &late), ("next", "")])
        .await;
    assert!(browser.page.contains("not right"));
    // Once.
    let mut again = Browser::new(&app);
    sign_in(&app, &mut again, MAIL).await;
    let used = code(&app, 3).await;
    again.submit_sign_out().await;
    again.open("/privacy/sign-in/code").await;
    again
        .submit("/privacy/sign-in/code", &[("code", &used), ("next", "")])
        .await;
    assert!(again.page.contains("not right"));
    // Five codes an hour for one contact, whoever asks.
    for _ in 0..2 {
        let mut more = Browser::new(&app);
        more.open("/privacy/sign-in").await;
        more.submit("/privacy/sign-in", &ask).await;
        assert!(more.page.contains("Enter your code"));
    }
    let mut more = Browser::new(&app);
    more.open("/privacy/sign-in").await;
    more.submit("/privacy/sign-in", &ask).await;
    assert!(more.page.contains("Too many codes"), "{}", more.page);
    app.finish().await;
}

async fn nobody_learns_who_is_known(database: &Database) {
    let app = TestApp::start(database).await;
    two_guests(&app).await;
    let mut pages = Vec::new();
    for contact in [MAIL, "nobody@example.org", "+351 912 345 678", "+351 912 000 111"] {
        let mut browser = Browser::new(&app);
        browser.open("/privacy/sign-in").await;
        let form = browser.form(
            "/privacy/sign-in",
            &[("contact", contact), ("next", "")],
            &browser.csrf(),
        );
        assert_eq!(browser.send(form).await, 303, "{contact}");
        let onto = browser.location().to_owned();
        browser.open(&onto).await;
        let token = browser.csrf();
        browser
            .submit("/privacy/sign-in/code", &[("code", "999999"), ("next", "")])
            .await;
        pages.push((onto, browser.page.replace(&token, "")));
    }
    assert!(
        pages.iter().all(|page| *page == pages[0]),
        "the same for everybody"
    );
    code(&app, 2).await;
    assert_eq!(messages(&app).len(), 2, "only those on file got one");
    let entries = app
        .get(
            &app.errand("auditor", "audit").await,
            "/v1/audit/entries?action=sign_in",
        )
        .await;
    assert!(
        !entries.body.to_string().contains("example"),
        "no contact in the log"
    );
    app.finish().await;
}

async fn forms_and_sessions_cannot_be_borrowed(database: &Database) {
    let app = TestApp::start(database).await;
    two_guests(&app).await;
    let mut browser = Browser::new(&app);
    browser.open("/privacy/sign-in").await;
    let planted = browser.cookies.clone();
    sign_in(&app, &mut browser, MAIL).await;
    assert_ne!(browser.cookies, planted, "a session has a new secret");
    let mut thief = Browser::new(&app);
    thief.cookies = planted;
    assert_eq!(
        thief.get("/privacy/data").await,
        303,
        "the planted one opens nothing"
    );
    // The cookie, as every page sets it.
    let answer = app
        .send(Browser::new(&app).request(Method::GET, "/privacy/sign-in"))
        .await;
    let cookie = answer
        .cookies
        .iter()
        .find(|c| c.starts_with("gv-guest="))
        .unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"),
        "{cookie}"
    );
    for (name, part) in [
        ("content-security-policy", "frame-ancestors 'none'"),
        ("content-security-policy", "require-trusted-types-for 'script'"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert!(
            answer.headers[name].contains(part),
            "{name}: {}",
            answer.headers[name]
        );
    }
    // No form without the token of this very browser, nor from elsewhere.
    browser.get("/privacy/agreements").await;
    let turn = [
        ("purpose", "marketing_direct"),
        ("separate", ""),
        ("notice", ""),
        ("turn", "on"),
    ];
    let own = browser.csrf();
    let mut stranger = Browser::new(&app);
    stranger.open("/privacy/sign-in").await;
    for token in [String::new(), "x".to_owned(), stranger.csrf()] {
        let form = browser.form("/privacy/agreements", &turn, &token);
        assert_eq!(browser.send(form).await, 403, "{token}");
        assert!(browser.page.contains("<h1>"), "a refusal is a page");
    }
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let form = browser
            .form("/privacy/agreements", &turn, &own)
            .insert_header((name, value));
        assert_eq!(browser.send(form).await, 403, "{name}: {value}");
    }
    let form = browser.form("/privacy/agreements", &turn, &own);
    assert_eq!(browser.send(form).await, 303);
    // Nobody is led to another site.
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/privacy//evil.example",
        "/v1/guests",
    ] {
        let mut led = Browser::new(&app);
        led.cookies = browser.cookies.clone();
        led.get(&format!("/privacy/sign-in?next={next}")).await;
        assert_eq!(led.location(), "/privacy", "{next}");
    }
    // The cookie opens nothing on /v1.
    let request = browser.request(Method::GET, "/v1/policy");
    assert_eq!(browser.send(request).await, 401);
    // Without use for twenty minutes, or after four hours, it is over.
    app.set_clock("2026-03-05T10:21:00Z");
    assert_eq!(browser.get("/privacy/data").await, 303);
    app.finish().await;
}

async fn withdrawn_in_the_portal_is_refused_at_the_next_read(database: &Database) {
    let app = TestApp::start(database).await;
    let (guest, _) = two_guests(&app).await;
    let officer = app.errand("compliance_officer", "administration").await;
    let notice = json!({
        "purpose": "marketing_direct", "language": "en", "text": "We write to you about offers.",
        "controller": {"name": "Lumen", "address": "Lisbon", "contact": "privacy@lumen.example"},
        "categories": ["contact"], "retention": "P24M", "jurisdiction": "PT"
    });
    let published = app.post(&officer, "/v1/notices", notice).await;
    assert_eq!(published.status, 201, "{published:?}");
    let notice = published.body["notice_id"].as_str().unwrap().to_owned();
    let crm = app.errand("crm", "marketing_direct").await;
    let path = format!("/v1/guests/{guest}?fields=emails");
    let shown = async |wanted: &str| {
        let read = app.get(&crm, &path).await;
        assert_eq!(
            read.view("emails") == "withheld",
            wanted == "withheld",
            "{wanted}: {read:?}"
        );
    };
    shown("withheld").await;
    let mut browser = Browser::new(&app);
    sign_in(&app, &mut browser, MAIL).await;
    browser.get("/privacy/agreements").await;
    assert!(
        browser.page.contains("We write to you about offers."),
        "the notice that was shown"
    );
    let turn = |way: &'static str| {
        [
            ("purpose", "marketing_direct".to_owned()),
            ("separate", String::new()),
            ("notice", notice.clone()),
            ("turn", way.to_owned()),
        ]
    };
    for minute in 1..=4 {
        // Of two words of one moment the stricter holds.
        app.set_clock(&format!("2026-03-05T10:0{minute}:00Z"));
        let (way, wanted) = [("off", "withheld"), ("on", "shown")][minute % 2];
        let fields = turn(way);
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(browser.submit("/privacy/agreements", &fields).await, 200);
        assert!(browser.page.contains("It holds from now."), "{}", browser.page);
        shown(wanted).await;
    }
    let reader = app.errand("crm", "loyalty").await;
    let ledger = app.get(&reader, &format!("/v1/guests/{guest}/consents")).await;
    let last = ledger.body["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (last["channel"].as_str(), last["state"].as_str()),
        (Some("portal"), Some("withdrawn"))
    );
    app.finish().await;
}

#[expect(clippy::too_many_lines, reason = "one story, told in its order")]
async fn requests_take_a_fresh_code_and_a_second_person(database: &Database) {
    let app = TestApp::start(database).await;
    let (guest, other) = two_guests(&app).await;
    // What anybody asked in the guest's name must not swallow what the guest asks itself.
    let caller = json!({"guest_id": guest, "type": "erasure", "regime": "gdpr", "received_via": "phone"});
    let caller = app
        .post(
            &app.errand("front_desk", "subject_request").await,
            "/v1/requests",
            caller,
        )
        .await;
    assert_eq!(caller.status, 201, "{caller:?}");
    // A link of the hotel's app lets the guest in once, but takes nothing out.
    let house = app.errand("integration", "booking").await;
    let link = app
        .post(&house, &format!("/v1/guests/{guest}/portal-sessions"), json!({}))
        .await;
    assert_eq!(link.status, 201, "{link:?}");
    let path = link.body["path"].as_str().unwrap().to_owned();
    let desk = app.errand("front_desk", "check_in").await;
    let refused = app
        .post(&desk, &format!("/v1/guests/{guest}/portal-sessions"), json!({}))
        .await;
    assert_eq!(refused.status, 403);
    let mut browser = Browser::new(&app);
    assert_eq!(browser.get(&path).await, 200);
    assert_eq!(browser.submit(&path, &[]).await, 200);
    assert!(
        browser.page.contains("Your privacy, in your hands"),
        "{}",
        browser.page
    );
    let mut second = Browser::new(&app);
    second.get(&path).await;
    second.submit(&path, &[]).await;
    assert!(second.page.contains("used before"), "{}", second.page);
    for path in ["/privacy/requests/erase", "/privacy/looks/report.json"] {
        assert_eq!(browser.get(path).await, 303, "{path}");
        assert!(browser.location().starts_with("/privacy/proof"));
    }
    // Somebody else's contact does not do.
    browser.open("/privacy/proof?next=/privacy/requests/erase").await;
    browser
        .submit(
            "/privacy/proof",
            &[
                ("contact", "krystyna@example.pl"),
                ("next", "/privacy/requests/erase"),
            ],
        )
        .await;
    browser
        .submit(
            "/privacy/proof",
            &[("contact", MAIL), ("next", "/privacy/requests/erase")],
        )
        .await;
    let fresh = code(&app, 1).await;
    assert!(
        messages(&app).iter().all(|(to, _)| to == MAIL),
        "the other guest got no code"
    );
    browser
        .submit(
            "/privacy/proof/code",
            &[("code", &fresh), ("next", "/privacy/requests/erase")],
        )
        .await;
    assert!(
        browser.page.contains("Nothing is deleted yet"),
        "{}",
        browser.page
    );
    browser.submit("/privacy/requests/erase", &[]).await;
    assert!(browser.page.contains("tick the box"));
    browser
        .submit("/privacy/requests/erase", &[("sure", "yes")])
        .await;
    assert!(
        browser.page.contains("We must answer by") && browser.page.contains("April 2026"),
        "{}",
        browser.page
    );
    let case = browser
        .page
        .split("class=\"mono\">")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    // Another guest does not find it.
    let mut stranger = Browser::new(&app);
    sign_in(&app, &mut stranger, "krystyna@example.pl").await;
    assert_eq!(stranger.get(&format!("/privacy/requests/{case}")).await, 404);
    assert!(!stranger.page.contains(&guest));
    stranger.get("/privacy/requests").await;
    assert!(!stranger.page.contains(&case));
    // The officer decides; the guest is gone; the certificate is to be had.
    let officer = app.errand("compliance_officer", "subject_request").await;
    let preview = app.get(&officer, &format!("/v1/requests/{case}/preview")).await;
    let print = preview.headers.get("etag").map_or_else(
        || {
            preview.body["fingerprint"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        },
        |tag| tag.trim_matches('"').to_owned(),
    );
    crate::reports::grow(&app).await;
    let decision = json!({"decision": "approve", "preview": print});
    let decided = app
        .post(&officer, &format!("/v1/requests/{case}/decision"), decision)
        .await;
    assert_eq!(decided.status, 200, "{decided:?} {preview:?}");
    crate::reports::grow(&app).await;
    app.app.requests().go_on().await.unwrap();
    crate::reports::grow(&app).await;
    let certificate = Browser::new(&app).request(Method::GET, &format!("/privacy/certificates/{case}"));
    let certificate = app.send(certificate).await;
    assert_eq!(certificate.status, 200, "{certificate:?}");
    assert!(!certificate.body.to_string().contains("Almeida"));
    let gone = app.get(&officer, &format!("/v1/requests/{case}")).await;
    if gone.body["state"] == "done" {
        assert_eq!(
            browser.get("/privacy/data").await,
            303,
            "the session went with the guest"
        );
    }
    assert_eq!(
        stranger.get("/privacy/data/identity").await,
        200,
        "{other} is not touched"
    );
    app.finish().await;
}

async fn a_guest_changes_its_own_details(database: &Database) {
    let app = TestApp::start(database).await;
    let (guest, _) = two_guests(&app).await;
    let mut browser = Browser::new(&app);
    sign_in(&app, &mut browser, MAIL).await;
    browser.get("/privacy/data/correct").await;
    let none = [("emails", ""), ("phones", ""), ("language", "")];
    browser.submit("/privacy/data/correct", &none).await;
    assert!(browser.page.contains("Nothing was filled in"));
    let wrong = [("emails", "not an address"), ("phones", ""), ("language", "")];
    browser.submit("/privacy/data/correct", &wrong).await;
    assert!(browser.page.contains("this cannot be right"), "{}", browser.page);
    let right = [("emails", "bia@example.pt"), ("phones", ""), ("language", "pt")];
    browser.submit("/privacy/data/correct", &right).await;
    assert!(browser.page.contains("Saved as your own word.") && browser.page.contains("bia@example.pt"));
    assert!(
        browser.page.contains("these pages"),
        "where it came from: {}",
        browser.page
    );
    let crm = app.errand("crm", "loyalty").await;
    let records = app.get(&crm, &format!("/v1/guests/{guest}/records")).await;
    let own = records.body["records"].as_array().unwrap();
    let said = own
        .iter()
        .find(|record| record["source_system"] == "vault.portal")
        .unwrap();
    assert_eq!(said["provenance"], "declared");
    app.finish().await;
}

async fn pages_speak_every_language(database: &Database) {
    let app = TestApp::start(database).await;
    two_guests(&app).await;
    for language in languages() {
        let mut browser = Browser::new(&app).speaking(language.code());
        sign_in(&app, &mut browser, MAIL).await;
        for path in [
            "",
            "/data",
            "/data/contact",
            "/data/correct",
            "/agreements",
            "/looks",
            "/requests",
            "/requests/erase",
        ] {
            assert_eq!(browser.open(&format!("/privacy{path}")).await, 200, "{path}");
            let lang = format!("<html lang=\"{}\"", language.code());
            assert!(browser.page.contains(&lang), "{path}");
            for section in ["portal.", "common.", "category.", "request."] {
                assert!(
                    !browser.page.contains(&format!(">{section}")),
                    "{path}: a text is missing"
                );
            }
        }
    }
    app.finish().await;
}

impl Browser<'_> {
    async fn submit_sign_out(&mut self) -> u16 {
        self.get("/privacy").await;
        self.submit("/privacy/sign-out", &[]).await
    }
}

both!(a_guest_signs_in_and_sees_its_own_data, async |database| {
    a_guest_signs_in_and_sees_its_own(database).await;
});
both!(
    a_code_is_good_for_ten_minutes_five_tries_and_one_browser,
    async |database| {
        codes_are_good_for_little(database).await;
    }
);
both!(
    the_answer_is_the_same_for_the_known_and_the_unknown,
    async |database| {
        nobody_learns_who_is_known(database).await;
    }
);
both!(stolen_forms_and_sessions_are_refused, async |database| {
    forms_and_sessions_cannot_be_borrowed(database).await;
});
both!(
    a_withdrawal_in_the_portal_holds_from_the_next_read,
    async |database| {
        withdrawn_in_the_portal_is_refused_at_the_next_read(database).await;
    }
);
both!(
    an_erasure_takes_a_fresh_code_and_a_second_person,
    async |database| {
        requests_take_a_fresh_code_and_a_second_person(database).await;
    }
);
both!(a_guest_changes_its_own_contact_details, async |database| {
    a_guest_changes_its_own_details(database).await;
});
both!(every_page_is_in_every_language, async |database| {
    pages_speak_every_language(database).await;
});
