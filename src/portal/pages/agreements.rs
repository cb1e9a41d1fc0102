//! My agreements.

use actix_web::HttpResponse;
use askama::Template;
use serde::Deserialize;

use super::{done, word};
use crate::{
    guest::GuestError,
    policy::Separate,
    portal::{
        Me,
        agreements::{Agreement, Matter},
    },
    web::{
        Kind, Problem,
        pages::{Form, Language, Shell, page},
    },
};

/// A notice on the page.
struct NoticeView {
    id: String,
    text: Vec<String>,
    language: String,
    controller: String,
    version: String,
}

/// A matter on the page.
struct Card {
    purpose: String,
    separate: String,
    name: String,
    what: String,
    to: Option<String>,
    houses: Option<String>,
    on: bool,
    standing: String,
    since: Option<String>,
    notice: Option<NoticeView>,
    ready: bool,
}

#[derive(Template)]
#[template(path = "portal/pages/agreements.html", config = ".askama.toml")]
struct Agreements {
    page: Shell,
    asked: Vec<Card>,
    interests: Vec<Card>,
}

fn card(me: &Me, one: Agreement) -> Card {
    let language: &Language = me.browser.language();
    let described = format!("purpose_what.{}", one.purpose.as_str().replace(':', "_"));
    let mut name = word(language, "purpose", one.purpose.as_str());
    if let Some(kind) = one.separate {
        name = format!("{name} ({})", word(language, "separate", kind.as_str()));
    }
    let standing = match (one.asks, one.on, one.standing) {
        (true, true, _) => "portal.agreements.on",
        (true, false, "unknown" | "requested") => "portal.agreements.never",
        (true, false, "expired" | "invalidated") => "portal.agreements.over",
        (true, false, _) => "portal.agreements.off",
        (false, true, _) => "portal.agreements.not_objected",
        (false, false, _) => "portal.agreements.objected",
    };
    let since = one.since.map(|at| {
        let by = word(language, "channel", &one.channel);
        language.filled(
            "portal.agreements.since",
            &[("date", &language.date(&at)), ("channel", &by)],
        )
    });
    Card {
        purpose: one.purpose.to_string(),
        separate: one
            .separate
            .map_or_else(String::new, |kind| kind.as_str().to_owned()),
        name,
        what: language.find(&described).map_or(one.description, str::to_owned),
        to: one.recipient.map(|code| word(language, "recipient", &code)),
        houses: Some(&one.only_at)
            .filter(|houses| one.on && !houses.is_empty())
            .map(|houses| {
                let names: Vec<String> = houses.iter().map(|code| me.portal.place(code.as_str())).collect();
                names.join(" · ")
            }),
        on: one.on,
        standing: language.text(standing).to_owned(),
        since,
        ready: one.ready,
        notice: one.notice.map(|notice| NoticeView {
            id: notice.notice_id.to_string(),
            text: notice.said.text.lines().map(str::to_owned).collect(),
            language: notice.said.language.clone(),
            controller: notice.said.controller.name.clone(),
            version: notice.version.to_string(),
        }),
    }
}

async fn shown(me: &Me) -> Result<HttpResponse, Problem> {
    let all = me.portal.agreements(me).await?;
    let (asked, interests): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.asks);
    let cards = |list: Vec<Agreement>| list.into_iter().map(|one| card(me, one)).collect();
    page(&Agreements {
        page: Shell::signed_in(&me.browser, "portal.agreements.title"),
        asked: cards(asked),
        interests: cards(interests),
    })
}

pub(super) async fn list(me: Me) -> Result<HttpResponse, Problem> {
    shown(&me).await
}

/// One click.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Click {
    purpose: String,
    separate: String,
    notice: String,
    turn: String,
}

pub(super) async fn turn(me: Me, form: Form<Click>) -> Result<HttpResponse, Problem> {
    let wrong = || Problem::new(Kind::InvalidRequest);
    let click = form.0;
    let on = match click.turn.as_str() {
        "on" => true,
        "off" => false,
        _ => return Err(wrong()),
    };
    let matter = Matter {
        purpose: click.purpose.parse().map_err(|_| wrong())?,
        separate: Some(click.separate.as_str())
            .filter(|word| !word.is_empty())
            .and_then(Separate::from_word),
        notice: Some(click.notice.as_str())
            .filter(|id| !id.is_empty())
            .map(|id| id.parse().map_err(|_| wrong()))
            .transpose()?,
    };
    match me.portal.turn(&me, &matter, on).await {
        Ok(()) => {
            let told = if on { "flash.turned_on" } else { "flash.turned_off" };
            Ok(done(&me.browser, told, "/privacy/agreements"))
        }
        // A newer notice came into force since the page was drawn: it is shown first.
        Err(GuestError::Rejected(_)) => Ok(done(&me.browser, "flash.read_first", "/privacy/agreements")),
        Err(error) => Err(error.into()),
    }
}
