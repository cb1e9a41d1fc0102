//! The breach question: whose data somebody has seen in a time, exactly, from the log.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use serde::Deserialize;

use super::{
    Console,
    audit::{day, end_of_day, json_file, query, told},
    frame::Frame,
    officer::Officer,
};
use crate::{
    guest::{Exposure, ExposureQuestion},
    web::{Kind, Problem, StrictQuery, pages::page},
};

/// Guests of one page; the file has all.
const SHOWN: usize = 100;

/// The question, as the form sends it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    actor: String,
    credential: String,
    property: String,
    purpose: String,
    from: String,
    to: String,
    #[serde(rename = "lang")]
    _lang: String,
}

impl Asked {
    /// The question, once it has a time.
    fn question(&self) -> Result<Option<ExposureQuestion>, Problem> {
        let (Some(from), Some(to)) = (day("from", &self.from)?, end_of_day("to", &self.to)?) else {
            return Ok(None);
        };
        Ok(Some(ExposureQuestion {
            actor: told("actor", &self.actor)?,
            credential: told("credential", &self.credential)?,
            property: told("property", &self.property)?,
            purpose: told("purpose", &self.purpose)?,
            from,
            to,
        }))
    }

    fn file(&self) -> String {
        let parts = [
            ("actor", &self.actor),
            ("credential", &self.credential),
            ("property", &self.property),
            ("purpose", &self.purpose),
            ("from", &self.from),
            ("to", &self.to),
        ];
        format!("/console/exposure/file?{}", query(parts))
    }
}

#[derive(Template)]
#[template(
    path = "console/exposure.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct ExposurePage {
    page: Frame,
    asked: Asked,
    found: Option<Exposure>,
    file: String,
    purposes: Vec<String>,
    properties: Vec<String>,
}

/// The question and its answer.
pub(super) async fn show(
    console: Data<Console>,
    officer: Officer,
    asked: StrictQuery<Asked>,
) -> Result<HttpResponse, Problem> {
    let asked = asked.0;
    let mut found = match asked.question()? {
        Some(question) => Some(answer(&console, &officer, question).await?),
        None => None,
    };
    if let Some(found) = &mut found {
        found.exposed.truncate(SHOWN);
    }
    page(&ExposurePage {
        page: officer.frame("console.nav.exposure"),
        file: asked.file(),
        found,
        purposes: officer
            .policy()
            .purposes()
            .map(|rule| rule.code.to_string())
            .collect(),
        properties: console
            .vault
            .properties
            .iter()
            .map(|node| node.code.to_string())
            .collect(),
        asked,
    })
}

/// The answer as a file, with the receipts that prove it.
pub(super) async fn file(
    console: Data<Console>,
    officer: Officer,
    asked: StrictQuery<Asked>,
) -> Result<HttpResponse, Problem> {
    let question = asked.0.question()?;
    let question = question.ok_or(Problem::new(Kind::InvalidRequest).field("from", "is required"))?;
    json_file("exposure.json", &answer(&console, &officer, question).await?)
}

/// The answer; recorded.
async fn answer(
    console: &Console,
    officer: &Officer,
    question: ExposureQuestion,
) -> Result<Exposure, Problem> {
    let (vault, request) = (&console.vault, officer.request());
    Ok(vault.exposure(&officer.caller, request, question).await?)
}
