//! How long what is kept, and why: the rules as they are loaded, one guest's plan, the register of holds.

use actix_web::{
    HttpResponse,
    web::{self, Data},
};
use askama::Template;
use chrono::NaiveDate;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Console,
    audit::told,
    frame::Frame,
    holds::HoldRegister,
    officer::Officer,
    sign_in::{done, led_to},
};
use crate::{
    base::{Category, GuestId},
    erasure::runs::{RunAnswer, RunInput, RunState},
    policy::Right,
    retention::{CategoryPlan, Ground, Hold, HoldAnswer, Holds, how_long},
    web::{
        Kind, PathId, Problem, StrictQuery,
        pages::{Form, page},
        query::path_id,
    },
};

/// A rule, as a line.
struct RuleLine {
    id: String,
    place: String,
    what: Vec<&'static str>,
    min: String,
    max: String,
    source: String,
    as_of: NaiveDate,
    confidence: String,
}

#[derive(Template)]
#[template(
    path = "console/retention.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct RetentionPage {
    page: Frame,
    rules: Vec<RuleLine>,
    holds: Option<HoldRegister>,
    runs: Option<Vec<RunAnswer>>,
    /// The last run that looked ahead by the rules in force.
    calendar: Option<Option<RunAnswer>>,
    today: NaiveDate,
}

/// Runs of the page.
const RUNS: i64 = 8;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Asked {
    guest_id: String,
    #[serde(rename = "lang")]
    _lang: String,
}

/// The rules, and the holds in force.
pub(super) async fn show(
    console: Data<Console>,
    officer: Officer,
    asked: StrictQuery<Asked>,
) -> Result<HttpResponse, Problem> {
    let guest: Option<GuestId> = told("guest_id", &asked.0.guest_id)?;
    if let Some(guest) = guest {
        return Ok(led_to(format!("/console/retention/{guest}")));
    }
    if !officer.may(Right::ManageRetention) && !officer.may(Right::ManageHolds) {
        return Err(Problem::new(Kind::Forbidden));
    }
    let holds = if officer.may(Right::ManageHolds) {
        Some(
            console
                .hold_register(&officer.errand("legal_retention")?, None)
                .await?,
        )
    } else {
        None
    };
    let runs = if officer.may(Right::ManageRetention) {
        let errand = officer.errand("legal_retention")?;
        Some(console.requests.eraser.runs(&errand, None, RUNS).await?)
    } else {
        None
    };
    let line = |rule: &crate::retention::Rule| RuleLine {
        id: rule.id.clone(),
        place: rule.place(),
        what: if rule.categories.is_empty() {
            vec![Category::Statutory.as_str()]
        } else {
            rule.categories.iter().map(|category| category.as_str()).collect()
        },
        min: rule.min.map(|span| span.to_string()).unwrap_or_default(),
        max: rule.max.map(|span| span.to_string()).unwrap_or_default(),
        source: rule.source.clone(),
        as_of: rule.as_of,
        confidence: rule.confidence.clone(),
    };
    page(&RetentionPage {
        page: officer.frame("console.nav.retention"),
        rules: console.requests.eraser.rules.iter().map(line).collect(),
        calendar: runs.as_ref().map(|runs| looked_ahead(runs).cloned()),
        holds,
        runs,
        today: console.today(),
    })
}

/// The newest of these runs that says what comes.
fn looked_ahead(runs: &[RunAnswer]) -> Option<&RunAnswer> {
    runs.iter()
        .find(|run| !run.coming.is_empty() && run.rules_in_force.is_none())
}

#[derive(Template)]
#[template(path = "console/plan.html", config = ".askama.toml", whitespace = "minimize")]
struct PlanPage {
    page: Frame,
    guest: GuestId,
    plan: Option<Vec<CategoryPlan>>,
    holds: Option<Vec<HoldAnswer>>,
    today: NaiveDate,
    grounds: [Ground; 4],
}

/// How long a guest is kept, and its holds.
pub(super) async fn plan(
    console: Data<Console>,
    officer: Officer,
    id: PathId<GuestId>,
) -> Result<HttpResponse, Problem> {
    let errand = officer.errand("legal_retention")?;
    let plan = if officer.may(Right::ManageRetention) {
        Some(
            how_long((&console.vault, &console.requests.eraser.rules), &errand, id.0)
                .await?
                .0,
        )
    } else {
        None
    };
    let holds = if officer.may(Right::ManageHolds) {
        Some(Holds(&console.vault).list(&errand, id.0).await?)
    } else {
        None
    };
    if plan.is_none() && holds.is_none() {
        return Err(Problem::new(Kind::Forbidden));
    }
    page(&PlanPage {
        page: officer.frame("console.plan.title"),
        guest: id.0,
        plan,
        holds,
        today: console.today(),
        grounds: [
            Ground::LegalClaim,
            Ground::AuthorityOrder,
            Ground::TaxAssessment,
            Ground::Investigation,
        ],
    })
}

/// A hold as the form sends it: on everything.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldForm {
    matter: String,
    ground: Ground,
    review_on: NaiveDate,
}

/// Puts a hold; it holds at once, and waits for a second person to agree.
pub(super) async fn put(
    console: Data<Console>,
    officer: Officer,
    id: PathId<GuestId>,
    form: Form<HoldForm>,
) -> Result<HttpResponse, Problem> {
    let hold = Hold {
        matter: form.0.matter,
        ground: form.0.ground,
        categories: Vec::new(),
        stays_from: None,
        stays_to: None,
        review_on: form.0.review_on,
    };
    let errand = officer.errand("legal_retention")?;
    Holds(&console.vault).put(&errand, id.0, &hold).await?;
    Ok(done(
        &officer.browser,
        "flash.saved",
        format!("/console/retention/{}", id.0),
    ))
}

/// What becomes of a hold.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Become {
    Approve,
    Lift,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BecomeForm {
    becomes: Become,
}

/// Agrees to a hold, or lifts it; either takes another person than who put it.
pub(super) async fn change(
    console: Data<Console>,
    officer: Officer,
    path: web::Path<(String, String)>,
    form: Form<BecomeForm>,
) -> Result<HttpResponse, Problem> {
    let guest: GuestId = path_id(&path.0)?;
    let hold: Uuid = path_id(&path.1)?;
    let errand = officer.errand("legal_retention")?;
    match form.0.becomes {
        Become::Approve => Holds(&console.vault).approve(&errand, guest, hold).await?,
        Become::Lift => Holds(&console.vault).lift(&errand, guest, hold).await?,
    }
    Ok(done(
        &officer.browser,
        "flash.saved",
        format!("/console/retention/{guest}"),
    ))
}

/// Counts what has had its time, and lets nothing go.
pub(super) async fn simulate(
    console: Data<Console>,
    officer: Officer,
    _form: Form<super::sign_in::Nothing>,
) -> Result<HttpResponse, Problem> {
    let errand = officer.errand("legal_retention")?;
    let input = RunInput::default();
    Box::pin(console.requests.eraser.begin_run(&errand, true, &input)).await?;
    Ok(done(
        &officer.browser,
        "flash.saved",
        "/console/retention#runs".to_owned(),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunForm {
    approve: bool,
}

/// Lets a run go on that waits for a second person, or ends it.
pub(super) async fn decide(
    console: Data<Console>,
    officer: Officer,
    id: PathId<Uuid>,
    form: Form<RunForm>,
) -> Result<HttpResponse, Problem> {
    let errand = officer.errand("legal_retention")?;
    Box::pin(console.requests.eraser.decide_run(&errand, id.0, form.0.approve)).await?;
    Ok(done(
        &officer.browser,
        "flash.saved",
        "/console/retention#runs".to_owned(),
    ))
}
