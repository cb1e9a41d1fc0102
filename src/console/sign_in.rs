//! Signing in and out: at the configured `OpenID` provider, or in a demonstration by choosing a role.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderValue, LOCATION},
    web::Data,
};
use askama::Template;
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Console,
    frame::Frame,
    officer::{Officer, has_a_page},
};
use crate::{
    access::{Answer, Begun, OpenIdError, SignedIn},
    audit::{Act, Event},
    base::{Caller, Credential, PrincipalId, Role},
    crypto,
    guest::GuestError,
    web::{
        Kind, Problem, StrictQuery,
        pages::{Browser, Form, SetCookie, page},
    },
};

/// What the vault's own seal is bound to.
const WHAT: &str = "console_sign_in";
/// What the cookie of a sign-in is called, and for how many seconds it lasts.
const BEGUN: &str = "-begun";
const SECONDS: u32 = 600;

/// A role to choose in a demonstration.
struct Choice {
    code: String,
    text: String,
    about: String,
}

#[derive(Template)]
#[template(
    path = "console/sign_in.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct SignInPage {
    page: Frame,
    next: String,
    /// The same as the value of a parameter.
    next_escaped: String,
    provider: bool,
    choices: Vec<Choice>,
    wrong: Option<String>,
}

/// Where to go on afterwards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Next {
    next: Option<String>,
    /// The language, which the browser's own settings or choice give.
    #[serde(default, rename = "lang")]
    _lang: Option<String>,
}

/// Roles that a demonstration offers first, in the order of the people who will look.
const FIRST: [&str; 4] = ["compliance_officer", "auditor", "general_manager", "crm"];

fn sign_in_page(console: &Console, browser: &Browser, next: Option<&str>, wrong: Option<&str>) -> SignInPage {
    let page = Frame::outside(browser, "console.sign_in.title");
    let choices = FIRST.into_iter().filter(|_| console.anybody).map(|code| Choice {
        text: page.w("role", code),
        about: page
            .t(match code {
                "compliance_officer" => "console.sign_in.officer",
                "auditor" => "console.sign_in.auditor",
                "crm" => "console.sign_in.steward",
                _ => "console.sign_in.approver",
            })
            .to_owned(),
        code: code.to_owned(),
    });
    SignInPage {
        choices: choices.collect(),
        next_escaped: super::audit::encoded(&browser.area().own_path(next)),
        next: browser.area().own_path(next),
        provider: console.provider.is_some(),
        wrong: wrong.map(|key| page.t(key).to_owned()),
        page,
    }
}

/// The page that asks who it is.
pub(super) async fn show(
    console: Data<Console>,
    browser: Browser,
    asked: StrictQuery<Next>,
) -> Result<HttpResponse, Problem> {
    if let Some(session) = console.sessions.find(browser.key()).await?
        && matches!(session.who, SignedIn::Staff(_))
    {
        return Ok(led_to(browser.area().own_path(asked.0.next.as_deref())));
    }
    page(&sign_in_page(&console, &browser, asked.0.next.as_deref(), None))
}

/// The choice of a role.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInForm {
    role: Role,
    #[serde(default)]
    next: Option<String>,
}

/// Signs in at once in a demonstration.
pub(super) async fn choose(
    console: Data<Console>,
    browser: Browser,
    form: Form<SignInForm>,
) -> Result<HttpResponse, Problem> {
    if !console.anybody {
        return Err(Problem::new(Kind::Forbidden));
    }
    let SignInForm { role, next } = form.0;
    let caller = demonstrator(&console, role);
    enter(
        &console,
        &browser,
        caller,
        browser.area().own_path(next.as_deref()),
    )
    .await
}

/// Leads to the provider. A link and no form: the policy of our pages lets forms go to this origin only, wherever an
/// answer leads them.
pub(super) async fn begin(
    console: Data<Console>,
    browser: Browser,
    asked: StrictQuery<Next>,
) -> Result<HttpResponse, Problem> {
    let next = asked.0.next;
    let provider = console.provider.as_ref().ok_or(Problem::new(Kind::NotFound))?;
    let (address, begun) = match provider.begin().await {
        Ok(begun) => begun,
        Err(error) => return failed(&console, &browser, &error),
    };
    let kept = Kept {
        begun,
        next: browser.area().own_path(next.as_deref()),
    };
    let plain = serde_json::to_vec(&kept).map_err(|_| Problem::new(Kind::Internal))?;
    let sealed = console.vault.keys.seal_own(WHAT, binding(&browser), &plain);
    let sealed = sealed.map_err(GuestError::from)?;
    let value = BASE64URL_NOPAD.encode(sealed.as_bytes());
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, address))
        .append_header(browser.keep(BEGUN, &value, SECONDS))
        .finish())
}

/// Who somebody is in a demonstration: the same principal each time for a role, so that two roles are two people.
fn demonstrator(console: &Console, role: Role) -> Caller {
    let hash = crypto::sha256(format!("guest-vault demonstration {role}").as_bytes());
    let half = hash.first_chunk::<16>().copied().unwrap_or_default();
    Caller {
        principal: PrincipalId(uuid::Builder::from_custom_bytes(half).into_uuid()),
        credential: Credential::Session,
        actor: Some(format!("demo-{}", role.as_str().replace('_', "-"))),
        role,
        scope: console.vault.properties.whole(),
    }
}

/// What a sign-in remembers in the browser that began it: sealed, and of no use in another.
#[derive(serde::Serialize, Deserialize)]
struct Kept {
    begun: Begun,
    next: String,
}

/// The seal is bound to this browser's secret: a cookie that was planted in another does not open there.
fn binding(browser: &Browser) -> Uuid {
    let bytes = browser.binding();
    let half = bytes.first_chunk::<16>().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(half).into_uuid()
}

/// What the provider sends browsers back with.
#[derive(Deserialize)]
pub(super) struct Returned {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
}

/// Ends the way that [`begin`] began: whoever the provider says it is, is signed in.
pub(super) async fn finish(
    console: Data<Console>,
    browser: Browser,
    returned: StrictQuery<Returned>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let provider = console.provider.as_ref().ok_or(Problem::new(Kind::NotFound))?;
    let kept = browser
        .kept(&request, BEGUN)
        .and_then(|cookie| BASE64URL_NOPAD.decode(cookie.as_bytes()).ok())
        .and_then(|sealed| console.vault.keys.open_own(WHAT, binding(&browser), &sealed).ok())
        .and_then(|plain| serde_json::from_slice::<Kept>(&plain).ok());
    let Some(kept) = kept else {
        return failed(&console, &browser, &OpenIdError::State);
    };
    let answer = Answer {
        state: returned.0.state.as_deref().unwrap_or_default(),
        code: returned.0.code.as_deref().unwrap_or_default(),
        issuer: returned.0.iss.as_deref(),
    };
    match provider.finish(&kept.begun, &answer).await {
        Ok(caller) => enter(&console, &browser, caller, kept.next).await,
        Err(error) => failed(&console, &browser, &error),
    }
}

fn failed(console: &Console, browser: &Browser, error: &OpenIdError) -> Result<HttpResponse, Problem> {
    tracing::warn!(%error, "a sign-in to the console failed");
    let template = sign_in_page(console, browser, None, Some("console.sign_in.failed"));
    Ok(with(page(&template)?, [browser.keep(BEGUN, "", 0)]))
}

/// An answer with cookies.
fn with(mut answer: HttpResponse, cookies: impl IntoIterator<Item = SetCookie>) -> HttpResponse {
    for (name, text) in cookies {
        if let Ok(value) = HeaderValue::from_str(&text) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}

/// Signs somebody in whose role has a page, with a new secret for the browser; recorded either way.
async fn enter(
    console: &Console,
    browser: &Browser,
    caller: Caller,
    next: String,
) -> Result<HttpResponse, Problem> {
    let policy = console.vault.policies.current();
    let mut event = Event::by(&caller, Act::SignIn, browser.request(), console.vault.clock.now());
    event.policy_version = Some(policy.version().to_owned());
    if !has_a_page(&policy, &caller) {
        return Ok(console.vault.refuse(event, GuestError::Forbidden).await?);
    }
    console
        .vault
        .log
        .record(event, ())
        .await
        .map_err(GuestError::from)?;
    let renewed = browser.renewed();
    console.sessions.end(browser.key()).await?;
    console
        .sessions
        .begin(renewed.key(), &SignedIn::Staff(caller), true)
        .await?;
    Ok(with(led_to(next), [renewed.cookie(), browser.keep(BEGUN, "", 0)]))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Ends the session; recorded.
pub(super) async fn leave(
    console: Data<Console>,
    officer: Officer,
    _form: Form<Nothing>,
) -> Result<HttpResponse, Problem> {
    let now = console.vault.clock.now();
    let event = Event::by(&officer.caller, Act::SignOut, officer.request(), now);
    console
        .vault
        .log
        .record(event, ())
        .await
        .map_err(GuestError::from)?;
    console.sessions.end(officer.browser.key()).await?;
    let renewed = officer.browser.renewed();
    let answer = led_to(officer.browser.area().sign_in.to_owned());
    Ok(with(
        answer,
        [renewed.cookie(), officer.browser.told("flash.signed_out")],
    ))
}

/// Leads on after a form, so that a page that is loaded again does nothing again.
pub(super) fn led_to(path: String) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

/// The same, and tells there what was done.
pub(super) fn done(browser: &Browser, told: &'static str, path: String) -> HttpResponse {
    with(led_to(path), [browser.told(told)])
}
