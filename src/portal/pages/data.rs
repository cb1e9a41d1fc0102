//! My data.

use actix_web::{HttpResponse, web::Path};
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{done, word};
use crate::{
    base::Category,
    guest::GuestError,
    portal::{
        Me,
        data::{Drawer, Shown, lines},
    },
    web::{
        Kind, Problem,
        pages::{Form, Language, Shell, page},
    },
};

/// A drawer on the page.
struct Card {
    code: &'static str,
    name: String,
    why: String,
    count: String,
    until: String,
    law: Option<String>,
}

/// A value on the page.
struct Row {
    name: String,
    lines: Vec<String>,
    source: String,
    at: String,
}

#[derive(Template)]
#[template(path = "portal/pages/data.html", config = ".askama.toml")]
struct Overview {
    page: Shell,
    cards: Vec<Card>,
}

#[derive(Template)]
#[template(path = "portal/pages/drawer.html", config = ".askama.toml")]
struct DrawerPage {
    page: Shell,
    card: Card,
    rows: Vec<Row>,
}

/// The form's values and what is wrong with them.
#[derive(Template)]
#[template(path = "portal/pages/correct.html", config = ".askama.toml")]
struct CorrectPage {
    page: Shell,
    emails: String,
    phones: String,
    language: String,
    wrong: Vec<String>,
}

fn card(language: &Language, drawer: &Drawer) -> Card {
    let code = drawer.category.as_str();
    let day = |date: chrono::NaiveDate| {
        use chrono::Datelike as _;
        language.day(date.year(), date.month(), date.day())
    };
    let until = match (&drawer.latest, &drawer.earliest) {
        (Some(latest), _) => language.filled("portal.data.until", &[("date", &day(*latest))]),
        (None, Some(limit)) => language.filled("portal.data.not_before", &[("date", &day(limit.date))]),
        (None, None) => language.text("portal.data.no_end").to_owned(),
    };
    let law = drawer.earliest.as_ref().filter(|limit| limit.rule != "contract");
    Card {
        code,
        name: word(language, "category", code),
        why: word(language, "why", code),
        count: language.filled("portal.data.count", &[("count", &drawer.values.to_string())]),
        until,
        law: law.map(|limit| {
            language.filled(
                "portal.data.law",
                &[("date", &day(limit.date)), ("source", &limit.source)],
            )
        }),
    }
}

pub(super) async fn overview(me: Me) -> Result<HttpResponse, Problem> {
    let language = me.browser.language();
    let drawers = me.portal.drawers(&me).await?;
    page(&Overview {
        page: Shell::signed_in(&me.browser, "portal.data.title"),
        cards: drawers.iter().map(|drawer| card(language, drawer)).collect(),
    })
}

fn row(me: &Me, shown: &Shown) -> Row {
    let language = me.browser.language();
    let part = |key: &str| word(language, "part", key);
    let place = me.portal.place(&shown.property);
    let source = match shown.provenance {
        Some(provenance) => language.filled(
            "portal.data.source",
            &[
                ("how", &word(language, "provenance", provenance.as_str())),
                ("system", &word(language, "system", &shown.source)),
                ("place", &place),
            ],
        ),
        None => place,
    };
    let read = shown.value.as_ref().map(|value| lines(value, &part));
    Row {
        name: word(language, "field", &shown.field),
        lines: read.unwrap_or_else(|| vec![language.text("portal.data.on_request").to_owned()]),
        source,
        at: shown.at.map(|at| language.date(&at)).unwrap_or_default(),
    }
}

pub(super) async fn drawer(me: Me, category: Path<String>) -> Result<HttpResponse, Problem> {
    let nothing = || Problem::new(Kind::NotFound);
    let category = Category::ALL
        .into_iter()
        .find(|one| one.as_str() == *category)
        .ok_or_else(nothing)?;
    let drawers = me.portal.drawers(&me).await?;
    let drawer = drawers
        .iter()
        .find(|drawer| drawer.category == category)
        .ok_or_else(nothing)?;
    let shown = me.portal.open_drawer(&me.errand()?, &me, category).await?;
    let mut shell = Shell::signed_in(&me.browser, "portal.data.title");
    let card = card(me.browser.language(), drawer);
    shell.title.clone_from(&card.name);
    page(&DrawerPage {
        page: shell,
        card,
        rows: shown.iter().map(|one| row(&me, one)).collect(),
    })
}

/// What the guest says of itself; empty means that nothing is said about it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    emails: String,
    phones: String,
    language: String,
}

fn form_page(me: &Me, said: &Said, wrong: Vec<String>) -> Result<HttpResponse, Problem> {
    page(&CorrectPage {
        page: Shell::signed_in(&me.browser, "portal.correct.title"),
        emails: said.emails.clone(),
        phones: said.phones.clone(),
        language: said.language.clone(),
        wrong,
    })
}

pub(super) async fn form(me: Me) -> Result<HttpResponse, Problem> {
    tokio::task::yield_now().await;
    let nothing = Said {
        emails: String::new(),
        phones: String::new(),
        language: String::new(),
    };
    form_page(&me, &nothing, Vec::new())
}

fn patch(said: &Said) -> Map<String, Value> {
    let items = |text: &str, key: &str| -> Vec<Value> {
        let parts = text
            .split(['\n', ',', ';'])
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.map(|part| json!({ key: part })).collect()
    };
    let mut patch = Map::new();
    for (field, list) in [
        ("emails", items(&said.emails, "address")),
        ("phones", items(&said.phones, "number")),
    ] {
        if !list.is_empty() {
            patch.insert(field.to_owned(), list.into());
        }
    }
    if !said.language.trim().is_empty() {
        patch.insert("preferred_language".to_owned(), said.language.trim().into());
    }
    patch
}

pub(super) async fn correct(me: Me, form: Form<Said>) -> Result<HttpResponse, Problem> {
    let language = me.browser.language();
    let said = patch(&form.0);
    if said.is_empty() {
        let wrong = vec![language.text("portal.correct.empty").to_owned()];
        return form_page(&me, &form.0, wrong);
    }
    match me.portal.say(&me, said).await {
        Ok(_) => Ok(done(&me.browser, "flash.corrected", "/privacy/data/contact")),
        Err(GuestError::Rejected(rejected)) => {
            let field = |path: &str| path.split(['[', '.']).next().unwrap_or(path).to_owned();
            let told = rejected.iter().map(|one| {
                let name = word(language, "field", &field(&one.field));
                language.filled("portal.correct.refused", &[("field", &name)])
            });
            form_page(&me, &form.0, told.collect())
        }
        Err(error) => Err(error.into()),
    }
}
