//! Who looked.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use super::{entry::prove_first, file, word};
use crate::{
    guest::Access,
    portal::Me,
    web::{
        Problem, StrictQuery,
        pages::{Language, Shell, page},
    },
};

/// Looks on a page.
const PER_PAGE: usize = 50;

/// Which looks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    own: Option<String>,
    page: Option<usize>,
    #[serde(rename = "lang")]
    _lang: Option<String>,
}

/// A look on the page.
struct Row {
    at: String,
    at_machine: String,
    place: String,
    who: String,
    what: String,
    why: String,
    fields: Vec<String>,
    refused: bool,
}

#[derive(Template)]
#[template(path = "portal/pages/looks.html", config = ".askama.toml")]
struct Looks {
    page: Shell,
    rows: Vec<Row>,
    complete: bool,
    own: bool,
    count: String,
    earlier: Option<String>,
    later: Option<String>,
}

fn row(me: &Me, language: &Language, access: &Access) -> Row {
    let place = access.property.as_deref().map(|code| me.portal.place(code));
    let why = access
        .purpose
        .as_deref()
        .map(|purpose| word(language, "purpose", purpose));
    Row {
        at: language.time(&access.at),
        at_machine: access.at.to_rfc3339(),
        place: place.unwrap_or_default(),
        who: word(language, "role", &access.role),
        what: word(language, "act", &access.action),
        why: why.unwrap_or_default(),
        fields: access
            .fields
            .keys()
            .map(|path| word(language, "field", path.as_str()))
            .collect(),
        refused: access.decision == "denied",
    }
}

pub(super) async fn list(me: Me, which: StrictQuery<Which>) -> Result<HttpResponse, Problem> {
    let report = me.portal.report(&me).await?;
    let language = me.browser.language();
    let own = which.0.own.is_some();
    let mut looks: Vec<&Access> = report.accesses.iter().rev().collect();
    if !own {
        looks.retain(|access| access.role != "guest");
    }
    let at = which.0.page.unwrap_or(0).min(10_000);
    let more = looks.len() > (at + 1) * PER_PAGE;
    let path = |at: usize| format!("/privacy/looks?page={at}{}", if own { "&own=1" } else { "" });
    page(&Looks {
        page: Shell::signed_in(&me.browser, "portal.looks.title"),
        complete: report.complete,
        own,
        count: language.filled("portal.looks.count", &[("count", &looks.len().to_string())]),
        earlier: more.then(|| path(at + 1)),
        later: at.checked_sub(1).map(path),
        rows: looks
            .into_iter()
            .skip(at * PER_PAGE)
            .take(PER_PAGE)
            .map(|access| row(&me, language, access))
            .collect(),
    })
}

pub(super) async fn report(me: Me) -> Result<HttpResponse, Problem> {
    if !me.is_fresh() {
        return Ok(prove_first("/privacy/looks"));
    }
    let report = me.portal.report(&me).await?;
    let bytes = serde_json::to_vec_pretty(&report).unwrap_or_default();
    Ok(file("access-report.json", "application/json", bytes))
}
