//! In and out: codes, links, the fresh code before what cannot be taken back.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use askama::Template;
use serde::Deserialize;

use super::{done, onto};
use crate::{
    portal::{Me, Portal, SignInError},
    web::{
        Kind, Problem, StrictQuery,
        pages::{Browser, Form, Shell, page},
    },
};

/// Where to go on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Onward {
    next: Option<String>,
    #[serde(rename = "lang")]
    _lang: Option<String>,
}

/// The form with a contact.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContactForm {
    contact: String,
    next: String,
}

/// The form with a code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeForm {
    code: String,
    /// The day of birth, where guests share the contact.
    #[serde(default)]
    born: String,
    next: String,
}

/// A form with a button only.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Template)]
#[template(path = "portal/pages/home.html", config = ".askama.toml")]
struct Home {
    page: Shell,
}

/// Asks for a contact, to sign in or to prove again who one is.
#[derive(Template)]
#[template(path = "portal/pages/contact.html", config = ".askama.toml")]
struct ContactPage {
    page: Shell,
    lead: &'static str,
    action: &'static str,
    next: String,
    wrong: Option<&'static str>,
    mail: bool,
    phone: bool,
    outbox: bool,
}

#[derive(Template)]
#[template(path = "portal/pages/code.html", config = ".askama.toml")]
struct CodePage {
    page: Shell,
    action: &'static str,
    again: &'static str,
    next: String,
    wrong: bool,
    outbox: bool,
}

#[derive(Template)]
#[template(path = "portal/pages/link.html", config = ".askama.toml")]
struct LinkPage {
    page: Shell,
    action: String,
}

#[derive(Template)]
#[template(path = "portal/pages/outbox.html", config = ".askama.toml")]
struct OutboxPage {
    page: Shell,
    messages: Vec<(String, String, String)>,
}

pub(super) async fn home(me: Me) -> Result<HttpResponse, Problem> {
    page(&Home {
        page: Shell::signed_in(&me.browser, "portal.home.title"),
    })
}

fn contact_page(
    portal: &Portal,
    browser: &Browser,
    (inside, next): (bool, &str),
    wrong: Option<&'static str>,
) -> Result<HttpResponse, Problem> {
    let (mail, phone) = portal.ways();
    let (title, lead, action) = if inside {
        ("portal.proof.title", "portal.proof.lead", "/privacy/proof")
    } else {
        ("portal.sign_in.title", "portal.sign_in.lead", "/privacy/sign-in")
    };
    let shell = if inside { Shell::signed_in } else { Shell::new };
    page(&ContactPage {
        page: shell(browser, title),
        lead,
        action,
        next: browser.area().own_path(Some(next)),
        wrong,
        mail,
        phone,
        outbox: portal.delivery.outbox().is_some(),
    })
}

fn code_page(
    portal: &Portal,
    browser: &Browser,
    (inside, next): (bool, &str),
    wrong: bool,
) -> Result<HttpResponse, Problem> {
    let (action, again) = if inside {
        ("/privacy/proof/code", "/privacy/proof")
    } else {
        ("/privacy/sign-in/code", "/privacy/sign-in")
    };
    let shell = if inside { Shell::signed_in } else { Shell::new };
    page(&CodePage {
        page: shell(browser, "portal.code.title"),
        action,
        again,
        next: browser.area().own_path(Some(next)),
        wrong,
        outbox: portal.delivery.outbox().is_some(),
    })
}

fn wrong_contact(error: SignInError) -> Result<&'static str, Problem> {
    match error {
        SignInError::NoContact => Ok("portal.sign_in.no_contact"),
        SignInError::NoWay => Ok("portal.sign_in.no_way"),
        SignInError::TooMany => Ok("portal.sign_in.too_many"),
        error @ SignInError::Guest(_) => Err(error.into()),
    }
}

fn next_of(asked: &Onward) -> &str {
    asked.next.as_deref().unwrap_or_default()
}

fn code_path(base: &str, next: &str) -> String {
    let escaped = next
        .replace('%', "%25")
        .replace('&', "%26")
        .replace('?', "%3F")
        .replace('=', "%3D");
    format!("{base}?next={escaped}")
}

pub(super) async fn sign_in(
    portal: Data<Portal>,
    browser: Browser,
    asked: StrictQuery<Onward>,
) -> Result<HttpResponse, Problem> {
    if portal.sessions.find(browser.key()).await?.is_some() {
        return Ok(onto(&browser.area().own_path(asked.0.next.as_deref())));
    }
    contact_page(&portal, &browser, (false, next_of(&asked.0)), None)
}

pub(super) async fn ask_code(
    portal: Data<Portal>,
    browser: Browser,
    form: Form<ContactForm>,
) -> Result<HttpResponse, Problem> {
    match portal.send_code(&browser, &form.0.contact, None).await {
        Ok(()) => Ok(onto(&code_path(
            "/privacy/sign-in/code",
            &browser.area().own_path(Some(&form.0.next)),
        ))),
        Err(error) => contact_page(
            &portal,
            &browser,
            (false, &form.0.next),
            Some(wrong_contact(error)?),
        ),
    }
}

pub(super) async fn code(
    portal: Data<Portal>,
    browser: Browser,
    asked: StrictQuery<Onward>,
) -> Result<HttpResponse, Problem> {
    tokio::task::yield_now().await;
    code_page(&portal, &browser, (false, next_of(&asked.0)), false)
}

/// Goes on in a browser with a new secret, for which a session was begun.
async fn let_in(
    portal: &Portal,
    browser: &Browser,
    renewed: &Browser,
    next: &str,
) -> Result<HttpResponse, Problem> {
    portal.sessions.end(browser.key()).await?;
    let mut answer = onto(&browser.area().own_path(Some(next)));
    let (name, cookie) = renewed.cookie();
    if let Ok(value) = cookie.parse() {
        answer.headers_mut().append(name, value);
    }
    Ok(answer)
}

pub(super) async fn give_code(
    portal: Data<Portal>,
    browser: Browser,
    form: Form<CodeForm>,
) -> Result<HttpResponse, Problem> {
    let renewed = browser.renewed();
    let given = (form.0.code.as_str(), form.0.born.as_str());
    if portal
        .check_code(&browser, given, Some(&renewed))
        .await?
        .is_some()
    {
        return let_in(&portal, &browser, &renewed, &form.0.next).await;
    }
    code_page(&portal, &browser, (false, &form.0.next), true)
}

pub(super) async fn sign_out(
    portal: Data<Portal>,
    browser: Browser,
    _form: Form<Nothing>,
) -> Result<HttpResponse, Problem> {
    portal.sessions.end(browser.key()).await?;
    let renewed = browser.renewed();
    let mut answer = done(&browser, "flash.signed_out", browser.area().sign_in);
    let (name, cookie) = renewed.cookie();
    if let Ok(value) = cookie.parse() {
        answer.headers_mut().append(name, value);
    }
    Ok(answer)
}

/// A link is shown before it is used up: programs that look into messages follow links, but press no buttons.
pub(super) async fn link(browser: Browser, link: Path<String>) -> Result<HttpResponse, Problem> {
    tokio::task::yield_now().await;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if link.len() > 60 || !link.chars().all(plain) {
        return Err(Problem::new(Kind::NotFound));
    }
    page(&LinkPage {
        page: Shell::new(&browser, "portal.link.title"),
        action: format!("/privacy/enter/{link}"),
    })
}

pub(super) async fn follow_link(
    portal: Data<Portal>,
    browser: Browser,
    link: Path<String>,
    _form: Form<Nothing>,
) -> Result<HttpResponse, Problem> {
    let renewed = browser.renewed();
    if portal.enter(&browser, &link, &renewed).await? {
        return let_in(&portal, &browser, &renewed, "").await;
    }
    contact_page(&portal, &browser, (false, ""), Some("portal.link.over"))
}

pub(super) async fn proof(me: Me, asked: StrictQuery<Onward>) -> Result<HttpResponse, Problem> {
    tokio::task::yield_now().await;
    if me.is_fresh() {
        return Ok(onto(&me.browser.area().own_path(asked.0.next.as_deref())));
    }
    contact_page(&me.portal, &me.browser, (true, next_of(&asked.0)), None)
}

pub(super) async fn ask_proof(me: Me, form: Form<ContactForm>) -> Result<HttpResponse, Problem> {
    let next = me.browser.area().own_path(Some(&form.0.next));
    match me
        .portal
        .send_code(&me.browser, &form.0.contact, Some(me.guest))
        .await
    {
        Ok(()) => Ok(onto(&code_path("/privacy/proof/code", &next))),
        Err(error) => contact_page(
            &me.portal,
            &me.browser,
            (true, &next),
            Some(wrong_contact(error)?),
        ),
    }
}

pub(super) async fn proof_code(me: Me, asked: StrictQuery<Onward>) -> Result<HttpResponse, Problem> {
    tokio::task::yield_now().await;
    code_page(&me.portal, &me.browser, (true, next_of(&asked.0)), false)
}

pub(super) async fn give_proof(me: Me, form: Form<CodeForm>) -> Result<HttpResponse, Problem> {
    let said = &form.0;
    let given = (said.code.as_str(), said.born.as_str());
    match me.portal.check_code(&me.browser, given, None).await? {
        Some(guest) if guest == me.guest => {
            me.portal.sessions.prove(me.browser.key()).await?;
            Ok(onto(&me.browser.area().own_path(Some(&form.0.next))))
        }
        _ => code_page(&me.portal, &me.browser, (true, &form.0.next), true),
    }
}

/// To prove again who one is, and back here.
pub(super) fn prove_first(path: &str) -> HttpResponse {
    onto(&code_path("/privacy/proof", path))
}

pub(super) async fn outbox(portal: Data<Portal>, browser: Browser) -> Result<HttpResponse, Problem> {
    tokio::task::yield_now().await;
    let outbox = portal.delivery.outbox().ok_or(Problem::new(Kind::NotFound))?;
    let told = |message: &crate::portal::Message| {
        (
            message.to.clone(),
            browser.language().time(&message.at),
            message.text.clone(),
        )
    };
    page(&OutboxPage {
        page: Shell::new(&browser, "portal.outbox.title"),
        messages: outbox.messages().iter().map(told).collect(),
    })
}
