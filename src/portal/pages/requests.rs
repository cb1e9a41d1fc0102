//! My requests.

use actix_web::{HttpResponse, web::Path};
use askama::Template;
use chrono::{Datelike as _, NaiveDate};
use serde::Deserialize;
use uuid::Uuid;

use super::{done, entry::prove_first, file, onto, word};
use crate::{
    erasure::{CategoryFate, Fate},
    portal::{Me, Portal},
    requests::{Case, Kind as RequestKind, State},
    web::{
        Kind, Problem,
        pages::{Browser, Form, Language, Shell, page},
        path_id,
    },
};

/// A case on the page.
struct Card {
    id: String,
    kind: String,
    state: String,
    closed: bool,
    received: String,
    due: Option<String>,
    extended: bool,
}

/// A step on the page.
struct Step {
    at: String,
    at_machine: String,
    text: String,
    ground: Option<String>,
}

/// What becomes of a drawer.
struct FateRow {
    name: String,
    fate: &'static str,
    ground: String,
    until: String,
}

#[derive(Template)]
#[template(path = "portal/pages/requests.html", config = ".askama.toml")]
struct List {
    page: Shell,
    cards: Vec<Card>,
}

#[derive(Template)]
#[template(path = "portal/pages/request.html", config = ".askama.toml")]
struct One {
    page: Shell,
    card: Card,
    steps: Vec<Step>,
    fates: Vec<FateRow>,
    package: bool,
    certificate: bool,
}

#[derive(Template)]
#[template(path = "portal/pages/erase.html", config = ".askama.toml")]
struct Erase {
    page: Shell,
    now: Vec<FateRow>,
    stays: Vec<FateRow>,
    whole: bool,
    open_stay: bool,
    unticked: bool,
}

fn day(language: &Language, date: NaiveDate) -> String {
    language.day(date.year(), date.month(), date.day())
}

fn card(language: &Language, case: &Case) -> Card {
    Card {
        id: case.request_id.to_string(),
        kind: word(language, "request", case.kind.as_str()),
        state: word(language, "state", case.state.as_str()),
        closed: case.state.is_closed(),
        received: language.date(&case.received_at),
        due: case
            .due_on
            .filter(|_| !case.state.is_closed())
            .map(|due| day(language, due)),
        extended: case.extended,
    }
}

fn fate(language: &Language, one: &CategoryFate) -> FateRow {
    let word_of = |ground: &String| word(language, "ground", ground);
    FateRow {
        name: word(language, "category", one.category.as_str()),
        fate: match one.fate {
            Fate::Erase => "erase",
            Fate::Restrict => "restrict",
            Fate::Keep => "keep",
        },
        ground: one.ground.as_ref().map(word_of).unwrap_or_default(),
        until: one.until.map(|until| day(language, until)).unwrap_or_default(),
    }
}

pub(super) async fn list(me: Me) -> Result<HttpResponse, Problem> {
    let cases = me.portal.requests.list_own(&me.errand()?, me.guest).await?;
    let language = me.browser.language();
    page(&List {
        page: Shell::signed_in(&me.browser, "portal.requests.title"),
        cards: cases.iter().map(|case| card(language, case)).collect(),
    })
}

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    kind: String,
}

pub(super) async fn open(me: Me, form: Form<Ask>) -> Result<HttpResponse, Problem> {
    let kind = RequestKind::from_word(&form.0.kind).ok_or(Problem::new(Kind::InvalidRequest))?;
    if kind == RequestKind::Erasure {
        return Ok(onto("/privacy/requests/erase"));
    }
    if !me.is_fresh() {
        return Ok(prove_first("/privacy/requests"));
    }
    let id = me.portal.ask(&me, kind).await?;
    Ok(done(
        &me.browser,
        "flash.asked",
        &format!("/privacy/requests/{id}"),
    ))
}

fn id_of(text: &str) -> Result<Uuid, Problem> {
    path_id::<Uuid>(text)
}

pub(super) async fn one(me: Me, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = id_of(&id)?;
    let case = me.portal.requests.read_own(&me.errand()?, me.guest, id).await?;
    let language = me.browser.language();
    let steps = case.timeline.iter().map(|step| Step {
        at: language.time(&step.at),
        at_machine: step.at.to_rfc3339(),
        text: word(language, "step", &step.step),
        ground: step
            .ground
            .as_deref()
            .map(|ground| word(language, "ground", ground)),
    });
    let erasure = case.kind == RequestKind::Erasure;
    let fates = case.approved.iter().flat_map(|preview| &preview.categories);
    let mut shell = Shell::signed_in(&me.browser, "portal.requests.title");
    let card = card(language, &case);
    shell.title.clone_from(&card.kind);
    page(&One {
        page: shell,
        steps: steps.collect(),
        fates: fates.map(|one| fate(language, one)).collect(),
        package: [RequestKind::Access, RequestKind::Portability].contains(&case.kind)
            && [State::Ready, State::Done].contains(&case.state),
        certificate: erasure && [State::Waiting, State::Done].contains(&case.state),
        card,
    })
}

pub(super) async fn package(me: Me, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id = id_of(&id)?;
    if !me.is_fresh() {
        return Ok(prove_first(&format!("/privacy/requests/{id}")));
    }
    let package = me
        .portal
        .requests
        .package_own(&me.errand()?, me.guest, id)
        .await?;
    Ok(file("my-data.zip", "application/zip", package))
}

/// For whoever kept the address, also once the guest is gone: there is no personal data in it.
pub(super) async fn certificate(
    portal: actix_web::web::Data<Portal>,
    browser: Browser,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let certified = portal.certificate(&browser, id_of(&id)?).await?;
    let bytes = serde_json::to_vec_pretty(&certified).unwrap_or_default();
    Ok(file("erasure-certificate.json", "application/json", bytes))
}

async fn erase_page(me: &Me, unticked: bool) -> Result<HttpResponse, Problem> {
    let preview = me.portal.requests.preview_own(&me.errand()?, me.guest).await?;
    let language = me.browser.language();
    let (now, stays): (Vec<_>, Vec<_>) = preview.categories.iter().partition(|one| one.fate == Fate::Erase);
    let rows = |list: Vec<&CategoryFate>| list.into_iter().map(|one| fate(language, one)).collect();
    page(&Erase {
        page: Shell::signed_in(&me.browser, "portal.erase.title"),
        now: rows(now),
        stays: rows(stays),
        whole: preview.whole,
        open_stay: preview.open_stay,
        unticked,
    })
}

pub(super) async fn preview(me: Me) -> Result<HttpResponse, Problem> {
    if !me.is_fresh() {
        return Ok(prove_first("/privacy/requests/erase"));
    }
    erase_page(&me, false).await
}

/// The tick that it is meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Meant {
    sure: Option<String>,
}

pub(super) async fn erase(me: Me, form: Form<Meant>) -> Result<HttpResponse, Problem> {
    if !me.is_fresh() {
        return Ok(prove_first("/privacy/requests/erase"));
    }
    if form.0.sure.is_none() {
        return erase_page(&me, true).await;
    }
    let id = me.portal.ask(&me, RequestKind::Erasure).await?;
    Ok(done(
        &me.browser,
        "flash.asked",
        &format!("/privacy/requests/{id}"),
    ))
}
