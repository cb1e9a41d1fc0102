//! The queue of guests' requests, and one of them: its timeline, what would be done, the decision, a draft of the
//! answer.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use chrono::NaiveDate;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Console,
    due::OpenRequests,
    frame::Frame,
    officer::Officer,
    sign_in::done,
    today::{RequestLine, lines},
};
use crate::{
    base::GuestId,
    erasure::{Fate, Preview, processors::Standing},
    policy::Right,
    requests::{Case, Check, Decision, DecisionInput, Ground, Kind, RequestError, State},
    web::{
        Kind as ProblemKind, PathId, Problem, StrictQuery,
        pages::{Form, Language, languages, page},
    },
};

#[derive(Template)]
#[template(
    path = "console/requests.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct QueuePage {
    page: Frame,
    open: OpenRequests,
    lines: Vec<RequestLine>,
    /// Whether this role takes requests in.
    takes_in: bool,
}

/// The open requests, the first due first.
pub(super) async fn queue(console: Data<Console>, officer: Officer) -> Result<HttpResponse, Problem> {
    let open = console.open_requests(&officer.errand("subject_request")?).await?;
    page(&QueuePage {
        lines: lines(&open, console.today()),
        page: officer.frame("console.nav.requests"),
        takes_in: officer.may(Right::OpenRequest),
        open,
    })
}

/// What a form of the request's page offers now.
struct Offers {
    verify: bool,
    decide: bool,
    extend: bool,
}

#[derive(Template)]
#[template(
    path = "console/request.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct RequestPage {
    page: Frame,
    case: Case,
    left: Option<i64>,
    /// What would be done now, with its fingerprint.
    preview: Option<(Preview, String)>,
    offers: Offers,
    denials: &'static [Ground],
    delays: &'static [Ground],
    draft: Draft,
}

/// On what grounds a request can be refused.
const DENIALS: &[Ground] = &[
    Ground::NoMatch,
    Ground::InsufficientVerification,
    Ground::SuspectedFraud,
    Ground::ManifestlyUnfounded,
    Ground::Excessive,
    Ground::LegalObligation,
    Ground::LegalClaim,
    Ground::ThirdPartyRights,
    Ground::OutsideJurisdiction,
];

/// On what grounds an answer can be put off.
const DELAYS: &[Ground] = &[Ground::Complexity, Ground::ManyRequests];

/// A draft of the answer to the guest.
struct Draft {
    language: &'static Language,
    others: Vec<&'static Language>,
    text: String,
}

/// In which language the draft shall be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DraftOptions {
    #[serde(default)]
    answer: Option<String>,
    #[serde(default, rename = "lang")]
    _lang: Option<String>,
}

/// One request.
pub(super) async fn show(
    console: Data<Console>,
    officer: Officer,
    id: PathId<Uuid>,
    options: StrictQuery<DraftOptions>,
) -> Result<HttpResponse, Problem> {
    let errand = officer.errand("subject_request")?;
    let case = console.requests.read(&errand, id.0).await?;
    let open = !case.state.is_closed();
    let preview = if case.kind == Kind::Erasure && open && case.guest_id.is_some() && case.approved.is_none()
    {
        match console.requests.preview(&errand, id.0).await {
            Ok(preview) => Some(preview),
            Err(RequestError::Guest(crate::guest::GuestError::Gone)) => None,
            Err(error) => return Err(error.into()),
        }
    } else {
        None
    };
    let offers = Offers {
        verify: case.state == State::Received && officer.may(Right::ManageRequests),
        decide: open && officer.may(Right::ApproveRequests),
        extend: open && !case.extended && case.due_on.is_some() && officer.may(Right::ApproveRequests),
    };
    let frame = officer.frame("console.request.title");
    let title = frame.w("kind", case.kind.as_str());
    let draft = draft(
        &case,
        preview.as_ref().map(|(preview, _)| preview),
        wanted(&officer, options.0.answer.as_deref()),
    );
    page(&RequestPage {
        page: frame.titled(title),
        left: case.due_on.map(|due| (due - console.today()).num_days()),
        preview,
        offers,
        denials: DENIALS,
        delays: DELAYS,
        draft,
        case,
    })
}

fn wanted(officer: &Officer, asked: Option<&str>) -> &'static Language {
    let named = languages().iter().find(|language| Some(language.code()) == asked);
    named.unwrap_or(officer.browser.language())
}

fn say_day(language: &Language, day: NaiveDate) -> String {
    language.date(&day.and_time(chrono::NaiveTime::MIN).and_utc())
}

/// The answer as it can be sent now, in the guest's language: what was asked, what is done, what stays and until when.
fn draft(case: &Case, preview: Option<&Preview>, language: &'static Language) -> Draft {
    let word = |group: &str, word: &str| language.text(&format!("console.{group}.{word}")).to_owned();
    let kind = word("draft_kind", case.kind.as_str());
    let received = language.date(&case.received_at);
    let mut parts = vec![
        language.text("console.draft.greeting").to_owned(),
        language.filled("console.draft.asked", &[("kind", &kind), ("date", &received)]),
    ];
    let outcome = match (case.state, case.kind) {
        (State::Denied, _) => "denied",
        (State::Done, Kind::Erasure) => "erased",
        (State::Done, _) => "done",
        (State::Waiting, _) => "waiting",
        (State::Ready, _) => "ready",
        _ => "working",
    };
    parts.push(language.text(&format!("console.draft.{outcome}")).to_owned());
    if let Some(ground) = denial(case) {
        parts.push(language.filled("console.draft.ground", &[("ground", &word("ground", ground))]));
    }
    if let Some(due) = case.due_on.filter(|_| !case.state.is_closed()) {
        parts.push(language.filled("console.draft.due", &[("date", &say_day(language, due))]));
    }
    if let Some(preview) = case
        .approved
        .as_ref()
        .or(preview)
        .filter(|_| case.state != State::Denied)
    {
        let kept: Vec<String> = preview
            .categories
            .iter()
            .filter(|fate| fate.fate != Fate::Erase)
            .map(|fate| {
                let until = fate.until.map(|day| say_day(language, day));
                let ground = fate.ground.as_deref().map(|ground| word("ground", ground));
                language.filled(
                    if until.is_some() {
                        "console.draft.kept_until"
                    } else {
                        "console.draft.kept_line"
                    },
                    &[
                        ("category", &word("category", fate.category.as_str())),
                        ("date", &until.unwrap_or_default()),
                        ("ground", &ground.unwrap_or_default()),
                    ],
                )
            })
            .collect();
        if !kept.is_empty() {
            parts.push(format!(
                "{}\n{}",
                language.text("console.draft.kept"),
                kept.join("\n")
            ));
        }
    }
    parts.push(language.text("console.draft.complain").to_owned());
    parts.push(language.filled("console.draft.reference", &[("id", &case.request_id.to_string())]));
    Draft {
        others: languages()
            .iter()
            .filter(|other| other.code() != language.code())
            .collect(),
        language,
        text: parts.join("\n\n"),
    }
}

fn denial(case: &Case) -> Option<&str> {
    let step = case.timeline.iter().rev().find(|step| step.step == "denied")?;
    step.ground.as_deref()
}

/// How making sure of who asks went.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyForm {
    result: Check,
    #[serde(default)]
    guest_id: Option<String>,
}

/// Notes how making sure of who asks went.
pub(super) async fn verify(
    console: Data<Console>,
    officer: Officer,
    id: PathId<Uuid>,
    form: Form<VerifyForm>,
) -> Result<HttpResponse, Problem> {
    let guest = form.0.guest_id.filter(|text| !text.trim().is_empty());
    let guest = guest
        .map(|text| text.trim().parse::<Uuid>().map(GuestId))
        .transpose()
        .map_err(|_| Problem::new(ProblemKind::InvalidRequest).field("guest_id", "must be a guest's id"))?;
    let errand = officer.errand("subject_request")?;
    console
        .requests
        .verify(&errand, id.0, (form.0.result, guest))
        .await?;
    Ok(done(
        &officer.browser,
        "flash.saved",
        format!("/console/requests/{}", id.0),
    ))
}

/// A decision.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DecisionForm {
    decision: Decision,
    #[serde(default)]
    ground: Option<Ground>,
    #[serde(default)]
    preview: Option<String>,
    #[serde(default)]
    do_not_contact: bool,
}

/// Decides; it takes another person than who took the request in.
pub(super) async fn decide(
    console: Data<Console>,
    officer: Officer,
    id: PathId<Uuid>,
    form: Form<DecisionForm>,
) -> Result<HttpResponse, Problem> {
    let DecisionForm {
        decision,
        ground,
        preview,
        do_not_contact,
    } = form.0;
    let input = DecisionInput {
        decision,
        ground,
        reason: None,
        preview,
        do_not_contact,
    };
    let errand = officer.errand("subject_request")?;
    console.requests.decide(&errand, id.0, &input).await?;
    Ok(done(
        &officer.browser,
        "flash.saved",
        format!("/console/requests/{}", id.0),
    ))
}
