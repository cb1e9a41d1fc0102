//! A browser: keeps cookies, follows forms, and says from where it comes.

use std::{collections::BTreeMap, time::Duration};

use actix_web::{http::Method, test::TestRequest};

use super::app::{Answer, TestApp};

/// The address that browsers know the vault by.
pub(crate) const HOST: &str = "localhost:8650";

/// One browser of one person.
pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) language: &'static str,
    /// The last page.
    pub(crate) page: String,
    pub(crate) answer: Option<Answer>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            cookies: BTreeMap::new(),
            language: "en",
            page: String::new(),
            answer: None,
        }
    }

    pub(crate) fn speaking(mut self, language: &'static str) -> Self {
        self.language = language;
        self
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> TestRequest {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = TestRequest::default()
            .method(method)
            .uri(path)
            .insert_header(("host", HOST))
            .insert_header(("accept-language", self.language));
        if !cookies.is_empty() {
            request = request.insert_header(("cookie", cookies.join("; ")));
        }
        request
    }

    /// Sends a request and keeps what comes back; the status.
    pub(crate) async fn send(&mut self, request: TestRequest) -> u16 {
        let answer = self.app.send(request).await;
        for cookie in &answer.cookies {
            let (pair, rest) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        self.page = String::from_utf8_lossy(&answer.bytes).into_owned();
        let status = answer.status;
        self.answer = Some(answer);
        status
    }

    pub(crate) async fn get(&mut self, path: &str) -> u16 {
        let request = self.request(Method::GET, path);
        self.send(request).await
    }

    /// A page, as it comes.
    pub(crate) async fn look(&mut self, path: &str) -> &Answer {
        self.get(path).await;
        self.answer.as_ref().unwrap()
    }

    /// A form of a page, with the token of the page that holds it; `fields` are written as they are sent.
    pub(crate) async fn post(&mut self, from: &str, path: &str, fields: &str) -> &Answer {
        assert_eq!(self.get(from).await, 200, "{from}");
        let token = self.csrf();
        assert!(!token.is_empty(), "{from} has a form");
        self.raw(path, &format!("csrf={token}&{fields}")).await
    }

    /// A form without a page.
    pub(crate) async fn raw(&mut self, path: &str, body: &str) -> &Answer {
        let request = self
            .request(Method::POST, path)
            .insert_header(("origin", format!("http://{HOST}")))
            .insert_header(("sec-fetch-site", "same-origin"))
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(body.trim_end_matches('&').to_owned());
        self.send(request).await;
        self.answer.as_ref().unwrap()
    }

    /// The browser of somebody who has chosen this role at the console of a demonstration.
    pub(crate) async fn signed_in(app: &'a TestApp, role: &str) -> Self {
        let mut browser = Self::new(app);
        let fields = format!("role={role}&next=/console");
        let answer = browser
            .post("/console/sign-in", "/console/sign-in", &fields)
            .await;
        assert_eq!(
            (answer.status, answer.headers["location"].as_str()),
            (303, "/console"),
            "{}",
            answer.text()
        );
        browser
    }

    /// Where the last answer leads.
    pub(crate) fn location(&self) -> &str {
        self.answer
            .as_ref()
            .unwrap()
            .headers
            .get("location")
            .map_or("", String::as_str)
    }

    /// Opens a page, following where it leads.
    pub(crate) async fn open(&mut self, path: &str) -> u16 {
        let mut status = self.get(path).await;
        for _ in 0..5 {
            if status != 303 {
                break;
            }
            let onto = self.location().to_owned();
            status = self.get(&onto).await;
        }
        status
    }

    /// The token that the last page's forms carry.
    pub(crate) fn csrf(&self) -> String {
        let at = self.page.split("name=\"csrf\" value=\"").nth(1);
        at.and_then(|rest| rest.split('"').next())
            .unwrap_or_default()
            .to_owned()
    }

    /// Sends a form of the last page, and follows where it leads.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> u16 {
        let request = self.form(path, fields, &self.csrf());
        let status = self.send(request).await;
        if status != 303 {
            return status;
        }
        let onto = self.location().to_owned();
        self.open(&onto).await
    }

    /// The request of a form.
    pub(crate) fn form(&self, path: &str, fields: &[(&str, &str)], csrf: &str) -> TestRequest {
        let pairs: Vec<String> = fields
            .iter()
            .chain(&[("csrf", csrf)])
            .map(|(name, value)| format!("{name}={}", escaped(value)))
            .collect();
        self.request(Method::POST, path)
            .insert_header(("origin", format!("http://{HOST}")))
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(pairs.join("&"))
    }
}

fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// What the portal sent, newest first: to whom, and the text.
pub(crate) fn messages(app: &TestApp) -> Vec<(String, String)> {
    let outbox = app.app.portal.as_ref().unwrap().outbox().unwrap();
    let told = outbox.messages();
    told.iter().map(|m| (m.to.clone(), m.text.clone())).collect()
}

/// The code of the newest message, once there are so many.
pub(crate) async fn code(app: &TestApp, count: usize) -> String {
    for _ in 0..500 {
        let all = messages(app);
        if all.len() >= count {
            let digits: String = all[0].1.chars().filter(char::is_ascii_digit).take(6).collect();
            assert_eq!(digits.len(), 6);
            return digits;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no message came");
}

/// Signs in by e-mail; the messages sent before are counted.
pub(crate) async fn sign_in(app: &TestApp, browser: &mut Browser<'_>, contact: &str) {
    let before = messages(app).len();
    assert_eq!(browser.open("/privacy/sign-in").await, 200);
    let fields = [("contact", contact), ("next", "")];
    assert_eq!(browser.submit("/privacy/sign-in", &fields).await, 200);
    let code = code(app, before + 1).await;
    let fields = [("code", code.as_str()), ("next", "")];
    assert_eq!(browser.submit("/privacy/sign-in/code", &fields).await, 200);
    assert!(browser.page.contains("aria-current=\"page\""), "{}", browser.page);
}
