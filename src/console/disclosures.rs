//! Who outside got data: the register of disclosures, recipient by recipient.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use serde::Deserialize;

use super::{
    Console,
    audit::{day, download, end_of_day, query, told},
    frame::Frame,
    officer::Officer,
};
use crate::{
    audit::search::Place,
    guest::{Disclosure, Wanted},
    web::{Page, Problem, StrictQuery, pages::page},
};

/// Lines of one page.
const ROWS: u16 = 50;

/// What is asked for, as the form sends it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    recipient: String,
    guest_id: String,
    from: String,
    to: String,
    cursor: String,
    #[serde(rename = "lang")]
    _lang: String,
}

impl Asked {
    fn wanted(&self) -> Result<Wanted, Problem> {
        Ok(Wanted {
            recipient: self.recipient.clone(),
            guest_id: told("guest_id", &self.guest_id)?,
            from: day("from", &self.from)?,
            to: end_of_day("to", &self.to)?,
        })
    }

    fn query(&self) -> String {
        let parts = [
            ("recipient", &self.recipient),
            ("guest_id", &self.guest_id),
            ("from", &self.from),
            ("to", &self.to),
        ];
        query(parts)
    }
}

#[derive(Template)]
#[template(
    path = "console/disclosures.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct DisclosuresPage {
    page: Frame,
    asked: Asked,
    /// Recipient and the description of its purpose.
    recipients: Vec<(String, String)>,
    found: Option<Vec<Disclosure>>,
    next: Option<String>,
    file: String,
}

/// The register of a recipient.
pub(super) async fn show(
    console: Data<Console>,
    officer: Officer,
    asked: StrictQuery<Asked>,
) -> Result<HttpResponse, Problem> {
    let asked = asked.0;
    let recipients: Vec<(String, String)> = officer
        .policy()
        .purposes()
        .filter_map(|rule| Some((rule.recipient.clone()?, rule.description.clone())))
        .collect();
    let (mut found, mut next) = (None, None);
    if !asked.recipient.is_empty() {
        let part = Page::new(
            Some(ROWS),
            (!asked.cursor.is_empty()).then(|| asked.cursor.clone()),
        )?;
        let after: Option<Place> = part.after()?;
        let most = usize::from(ROWS) + 1;
        let mut lines = console
            .vault
            .disclosures(
                &officer.caller,
                officer.request(),
                &asked.wanted()?,
                (after, most),
            )
            .await?;
        if lines.len() > usize::from(ROWS) {
            lines.truncate(usize::from(ROWS));
            let place = lines.last().and_then(|(place, _)| Page::cursor_of(place));
            next = place.map(|cursor| format!("/console/disclosures?{}&cursor={cursor}", asked.query()));
        }
        found = Some(lines.into_iter().map(|(_, line)| line).collect());
    }
    page(&DisclosuresPage {
        page: officer.frame("console.nav.disclosures"),
        file: format!("/console/disclosures/file?{}", asked.query()),
        recipients,
        found,
        next,
        asked,
    })
}

/// The same as a file: a line of JSON each.
pub(super) async fn file(
    console: Data<Console>,
    officer: Officer,
    asked: StrictQuery<Asked>,
) -> Result<HttpResponse, Problem> {
    let bytes = console
        .vault
        .export_disclosures(&officer.caller, officer.request(), &asked.0.wanted()?)
        .await?;
    Ok(download("application/x-ndjson", "disclosures.ndjson", bytes))
}
