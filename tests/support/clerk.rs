//! A browser of a test: keeps cookies, sends forms as pages do.

use std::{collections::BTreeMap, sync::Mutex};

use actix_web::test::TestRequest;

use super::app::{Answer, TestApp};

const HOST: &str = "vault.example";

/// A browser with its cookies.
pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    pub(crate) cookies: Mutex<BTreeMap<String, String>>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self {
            app,
            cookies: Mutex::default(),
        }
    }

    pub(crate) async fn send(&self, request: TestRequest) -> Answer {
        let cookie: Vec<String> = {
            let cookies = self.cookies.lock().unwrap();
            cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect()
        };
        let request = request
            .insert_header(("host", HOST))
            .insert_header(("cookie", cookie.join("; ")));
        let answer = self.app.send(request).await;
        let mut cookies = self.cookies.lock().unwrap();
        for set in &answer.cookies {
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if value.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(TestRequest::get().uri(path)).await
    }

    /// A form as a page of this vault sends it, with the secret of the page that holds it.
    pub(crate) async fn post(&self, from: &str, path: &str, fields: &str) -> Answer {
        let page = self.get(from).await.text();
        let token = page
            .split("name=\"csrf\" value=\"")
            .nth(1)
            .expect("the page has a form");
        let token = token.split('"').next().unwrap();
        self.form(path, &format!("csrf={token}&{fields}")).await
    }

    pub(crate) async fn form(&self, path: &str, body: &str) -> Answer {
        let request = TestRequest::post()
            .uri(path)
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .insert_header(("origin", format!("http://{HOST}")))
            .insert_header(("sec-fetch-site", "same-origin"))
            .set_payload(body.trim_end_matches('&').to_owned());
        self.send(request).await
    }

    pub(crate) async fn signed_in(app: &'a TestApp, role: &str) -> Self {
        let browser = Self::new(app);
        let answer = browser
            .post(
                "/console/sign-in",
                "/console/sign-in",
                &format!("role={role}&next=/console"),
            )
            .await;
        assert_eq!(
            (answer.status, answer.headers["location"].as_str()),
            (303, "/console"),
            "{}",
            answer.text()
        );
        browser
    }
}
