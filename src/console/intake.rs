//! Taking in what a guest asked for by telephone, by letter or at the desk.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use chrono::NaiveDate;
use serde::Deserialize;

use super::{
    Console,
    audit::{day, told},
    frame::Frame,
    officer::Officer,
    sign_in::done,
};
use crate::{
    guest::{By, GuestError},
    policy::Right,
    requests::{Deadlines, Kind, RequestError, RequestInput, Via},
    web::{
        Kind as ProblemKind, Problem,
        pages::{Form, page},
    },
};

const KINDS: [Kind; 6] = [
    Kind::Access,
    Kind::Portability,
    Kind::Rectification,
    Kind::Erasure,
    Kind::Restriction,
    Kind::Objection,
];
const WAYS: [Via; 4] = [Via::Phone, Via::Letter, Via::Email, Via::FrontDesk];

/// A request, as the form sends it. The contact is looked up and not stored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intake {
    #[serde(rename = "type")]
    kind: Kind,
    regime: String,
    received_via: Via,
    received_on: String,
    guest_id: String,
    contact: String,
}

impl Intake {
    /// A form that nothing was filled into.
    fn blank(today: NaiveDate) -> Self {
        Self {
            kind: Kind::Access,
            regime: String::new(),
            received_via: Via::Phone,
            received_on: today.to_string(),
            guest_id: String::new(),
            contact: String::new(),
        }
    }

    fn input(&self, today: NaiveDate) -> Result<RequestInput, Problem> {
        let contact = Some(self.contact.trim()).filter(|text| !text.is_empty());
        let received = day("received_on", &self.received_on)?;
        Ok(RequestInput {
            guest_id: told("guest_id", &self.guest_id)?,
            identifiers: contact.map(By::contact),
            kind: self.kind,
            regime: self.regime.clone(),
            received_via: self.received_via,
            // What came today came now.
            received_at: received.filter(|at| at.date_naive() != today),
        })
    }
}

#[derive(Template)]
#[template(
    path = "console/intake.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct IntakePage {
    page: Frame,
    said: Intake,
    today: NaiveDate,
    kinds: [Kind; 6],
    ways: [Via; 4],
    regimes: Vec<&'static str>,
    wrong: Option<String>,
}

fn form(
    console: &Console,
    officer: &Officer,
    said: Intake,
    wrong: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let frame = officer.frame("console.intake.title");
    page(&IntakePage {
        wrong: wrong.map(|field| page_text(&frame, field)),
        page: frame,
        said,
        today: console.today(),
        kinds: KINDS,
        ways: WAYS,
        regimes: Deadlines::shipped()
            .regimes()
            .map(|regime| regime.id.as_str())
            .collect(),
    })
}

fn page_text(frame: &Frame, field: &str) -> String {
    frame.f("console.intake.wrong", "field", &frame.w("intake_field", field))
}

/// The empty form.
pub(super) async fn show(console: Data<Console>, officer: Officer) -> Result<HttpResponse, Problem> {
    tokio::task::yield_now().await;
    if !officer.may(Right::OpenRequest) {
        return Err(Problem::new(ProblemKind::Forbidden));
    }
    form(&console, &officer, Intake::blank(console.today()), None)
}

/// Takes the request in, and goes on with it.
pub(super) async fn take(
    console: Data<Console>,
    officer: Officer,
    said: Form<Intake>,
) -> Result<HttpResponse, Problem> {
    let errand = officer.errand("subject_request")?;
    let input = said.0.input(console.today())?;
    match console.requests.open(&errand, &input).await {
        Ok(opened) => Ok(done(
            &officer.browser,
            "flash.saved",
            format!("/console/requests/{}", opened.request_id),
        )),
        Err(RequestError::Guest(GuestError::BadQuestion { field, .. })) => {
            form(&console, &officer, said.0, Some(&field))
        }
        Err(error) => Err(error.into()),
    }
}
