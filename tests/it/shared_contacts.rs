//! A contact that two guests share: the code alone lets nobody in, the day of birth says which of them it is, and nobody
//! learns of it who has no code.

use serde_json::json;

use crate::support::{
    app::TestApp,
    browser::{Browser, code, messages},
    database::both,
};

const SHARED: &str = "casa.montenegro@example.pt";

async fn guest(
    app: &TestApp,
    source: &str,
    (surname, given, born): (&str, &str, &str),
    mail: &str,
) -> String {
    let mut record = json!({
        "observed_at": "2026-03-01T10:00:00Z", "provenance": "declared",
        "guest": {"name": {"surname": surname, "given": given}, "emails": [{"address": mail}]}
    });
    if !born.is_empty() {
        record["guest"]["birth_date"] = json!(born);
    }
    app.guest(source, record).await
}

/// Asks for a code; gives the code page without its token.
async fn asked(browser: &mut Browser<'_>, contact: &str) -> String {
    browser.open("/privacy/sign-in").await;
    let fields = [("contact", contact), ("next", "")];
    assert_eq!(browser.submit("/privacy/sign-in", &fields).await, 200);
    let token = browser.csrf();
    browser.page.replace(&token, "")
}

async fn given(browser: &mut Browser<'_>, code: &str, born: &str) -> bool {
    let fields = [("code", code), ("born", born), ("next", "")];
    browser.submit("/privacy/sign-in/code", &fields).await;
    browser.page.contains("aria-current=\"page\"")
}

both!(who_shares_a_contact_says_the_day_of_birth, async |database| {
    let app = TestApp::start(database).await;
    let one = guest(&app, "web/1", ("Montenegro", "Graciela", "1961-04-30"), SHARED).await;
    let other = guest(&app, "web/2", ("Teixeira", "Hipolito", "1958-11-02"), SHARED).await;
    assert_ne!(one, other);
    let mut browser = Browser::new(&app);
    let page = asked(&mut browser, SHARED).await;
    let mut stranger = Browser::new(&app);
    assert_eq!(
        page,
        asked(&mut stranger, "nobody@example.org").await,
        "the same for everybody"
    );
    let sent = code(&app, 1).await;
    assert_eq!(messages(&app).len(), 1, "one message for both");
    // The code alone, another day, and no day at all.
    for born in ["", "1990-01-01", "30.04.1961"] {
        assert!(!given(&mut browser, &sent, born).await, "{born}");
        assert!(browser.page.contains("not right"), "{}", browser.page);
    }
    assert!(given(&mut browser, &sent, "1958-11-02").await, "{}", browser.page);
    browser.get("/privacy/data/identity").await;
    assert!(
        browser.page.contains("Hipolito") && !browser.page.contains("Graciela"),
        "{}",
        browser.page
    );
    // Each code once, and for one of them.
    let mut again = Browser::new(&app);
    again.cookies = browser.cookies.clone();
    assert!(!given(&mut again, &sent, "1961-04-30").await);
    let mut second = Browser::new(&app);
    asked(&mut second, SHARED).await;
    let sent = code(&app, 2).await;
    let wrong = if sent == "000000" { "000001" } else { "000000" };
    assert!(
        !given(&mut second, wrong, "1961-04-30").await,
        "the day alone lets nobody in"
    );
    assert!(given(&mut second, &sent, "1961-04-30").await);
    second.get("/privacy/data/identity").await;
    assert!(second.page.contains("Graciela") && !second.page.contains("Hipolito"));
    // Who is signed in needs no day again to prove it; the other's session is not touched by it.
    second.open("/privacy/proof?next=/privacy/requests/erase").await;
    let fields = [("contact", SHARED), ("next", "/privacy/requests/erase")];
    second.submit("/privacy/proof", &fields).await;
    let fresh = code(&app, 3).await;
    let fields = [
        ("code", fresh.as_str()),
        ("born", ""),
        ("next", "/privacy/requests/erase"),
    ];
    second.submit("/privacy/proof/code", &fields).await;
    assert!(second.page.contains("Nothing is deleted yet"), "{}", second.page);
    // Five tries are all there are, however they are wrong.
    let mut third = Browser::new(&app);
    asked(&mut third, SHARED).await;
    let sent = code(&app, 4).await;
    for day in 1..=5 {
        assert!(!given(&mut third, &sent, &format!("1961-05-0{day}")).await);
    }
    assert!(!given(&mut third, &sent, "1961-04-30").await);
    app.finish().await;
});

both!(
    a_day_of_birth_that_does_not_tell_lets_nobody_in,
    async |database| {
        let app = TestApp::start(database).await;
        // Twins, and somebody whose day is not on file.
        let twins = "twins@example.pl";
        guest(&app, "web/1", ("Rozwadowska", "Bogumila", "1984-07-19"), twins).await;
        guest(&app, "web/2", ("Kaczmarek", "Zdzislaw", "1984-07-19"), twins).await;
        let half = "half@example.no";
        guest(&app, "web/3", ("Bjornstad", "Sigrun", "1971-02-03"), half).await;
        guest(&app, "web/4", ("Quisling", "Hallvard", ""), half).await;
        // More than three are an agency's guests.
        let agency = "bookings@agency.example";
        let people = [
            ("Abernathy", "Fergus"),
            ("Castellano", "Brunella"),
            ("Dlamini", "Nomvula"),
            ("Engstrom", "Ulla"),
        ];
        for (at, (surname, given)) in people.iter().enumerate() {
            let born = format!("19{}1-01-0{}", at + 5, at + 1);
            guest(&app, &format!("ota/{at}"), (surname, given, &born), agency).await;
        }
        let mut browser = Browser::new(&app);
        asked(&mut browser, twins).await;
        let sent = code(&app, 1).await;
        assert!(
            !given(&mut browser, &sent, "1984-07-19").await,
            "it could be either"
        );
        let mut browser = Browser::new(&app);
        asked(&mut browser, half).await;
        let sent = code(&app, 2).await;
        assert!(
            !given(&mut browser, &sent, "").await,
            "not even who has none on file"
        );
        assert!(given(&mut browser, &sent, "1971-02-03").await);
        let mut browser = Browser::new(&app);
        asked(&mut browser, agency).await;
        // What goes out goes in order: had one been sent to the agency, it would be before this one.
        let mut last = Browser::new(&app);
        asked(&mut last, half).await;
        code(&app, 3).await;
        assert!(messages(&app).iter().all(|(to, _)| to != agency));
        app.finish().await;
    }
);

both!(
    what_staff_wrote_lets_in_only_who_has_nothing_else,
    async |database| {
        let app = TestApp::start(database).await;
        let own = "graciela@example.pt";
        let one = guest(&app, "web/1", ("Montenegro", "Graciela", "1961-04-30"), own).await;
        let desk = app.errand("crm", "service_follow_up").await.at("GROUP");
        let hers = format!("/v1/guests/{one}");
        let insider = "night.desk@example.net";
        let written = app
            .patch(&desk, &hers, json!({"emails": [{"address": insider}]}))
            .await;
        assert_eq!(written.status, 200, "{written:?}");
        let mut browser = Browser::new(&app);
        let page = asked(&mut browser, insider).await;
        assert_eq!(
            page,
            asked(&mut Browser::new(&app), "nobody@example.org").await,
            "the same for everybody"
        );
        assert!(
            messages(&app).is_empty(),
            "no code to an address that staff wrote"
        );
        asked(&mut browser, own).await;
        let sent = code(&app, 1).await;
        assert!(given(&mut browser, &sent, "").await, "{}", browser.page);
        // Who has nothing else on file is let in by what was written down at the desk.
        let walked_in = json!({
            "observed_at": "2026-03-01T10:00:00Z", "provenance": "declared",
            "guest": {"name": {"surname": "Teixeira", "given": "Hipolito"}, "birth_date": "1958-11-02"}
        });
        let other = app.guest("pms/2", walked_in).await;
        let told = "hipolito@example.pt";
        let path = format!("/v1/guests/{other}");
        let written = app
            .patch(&desk, &path, json!({"emails": [{"address": told}]}))
            .await;
        assert_eq!(written.status, 200, "{written:?}");
        let mut second = Browser::new(&app);
        asked(&mut second, told).await;
        let sent = code(&app, 2).await;
        assert!(given(&mut second, &sent, "").await, "{}", second.page);
        app.finish().await;
    }
);
