//! The calls about retention runs.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    web::{self, Data},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    base::Errand,
    guest::{
        api::{ErrandHeaders, OnceHeader, Refusals},
        once,
    },
    web::{Kind, Listing, OptionalJson, Page, PageParameters, PathId, Problem, StrictJson, StrictQuery},
};

use super::{
    Eraser, ErasureError,
    processors::{Acknowledgement, AnswerError},
    runs::{RunAnswer, RunError, RunInput},
};

/// The calls of this folder; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(post_run, get_runs, get_run, decide_run, post_acknowledgement))]
pub struct Calls;

impl From<ErasureError> for Problem {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::Guest(error) => error.into(),
            ErasureError::Changed => Self::new(Kind::Conflict).detail(
                "A hold, a stay or a merge came in between, and nothing was erased; look at what would be erased now, \
                 and repeat it.",
            ),
            ErasureError::LogWaits | ErasureError::Log(_) => {
                tracing::error!(%error, "an erasure waits");
                Self::new(Kind::Unavailable).retry_after(5)
            }
        }
    }
}

impl From<RunError> for Problem {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Erasure(error) => error.into(),
            RunError::SamePerson => {
                Self::new(Kind::Conflict).detail("It takes another person than who ordered the run.")
            }
            RunError::Absent => Self::new(Kind::NotFound),
            RunError::NotWaiting => Self::new(Kind::Conflict).detail("The run does not wait for a decision."),
            RunError::Ahead => Self::new(Kind::Conflict).detail(
                "The run was begun by a clock that was ahead: it judges by a day that is still to come. Reject it; another \
                 begins by itself.",
            ),
            RunError::Another => Self::new(Kind::Conflict).detail("Another run goes on; see it end first."),
        }
    }
}

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Erasure(error) => error.into(),
            AnswerError::Absent => Self::new(Kind::NotFound),
            AnswerError::Unproven => Self::new(Kind::InvalidRequest).field(
                "signature",
                "is not the processor's over this answer; see docs/events.md",
            ),
            AnswerError::Answered => Self::new(Kind::Conflict).detail("The processor has answered already."),
        }
    }
}

/// A processor's signed answer to `guest.erased`: that it has erased what it had, or why it does not.
#[utoipa::path(
    post, path = "/v1/erasures/{id}/acknowledgements", tag = "requests", params(("id" = Uuid, Path), ErrandHeaders),
    request_body = Acknowledgement,
    responses((status = 204, description = "Taken in"), (status = 409, description = "It has answered already"), Refusals)
)]
pub(crate) async fn post_acknowledgement(
    eraser: Data<Eraser>,
    errand: Errand,
    id: PathId<Uuid>,
    body: StrictJson<Acknowledgement>,
) -> Result<HttpResponse, Problem> {
    Box::pin(eraser.answered(&errand.caller, errand.request, id.0, &body.0)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// How to run.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunOptions {
    /// Only counts what would go.
    dry_run: Option<bool>,
}

/// Looks at all guests for what has had its time, and lets it go: what would go is counted first, and above
/// `retention.approve_above` guests it waits for a second person. A large vault is done in the background.
#[utoipa::path(
    post, path = "/v1/retention/runs", tag = "retention", params(RunOptions, OnceHeader, ErrandHeaders),
    request_body = Option<RunInput>,
    responses((status = 201, body = RunAnswer), (status = 409, description = "Another run goes on"), Refusals)
)]
pub(crate) async fn post_run(
    eraser: Data<Eraser>,
    errand: Errand,
    options: StrictQuery<RunOptions>,
    body: OptionalJson<Option<RunInput>>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    // `null` is what the contract says for none.
    let input = body.0.flatten().unwrap_or_default();
    let dry_run = options.0.dry_run.unwrap_or(false);
    let (caller, running, rules) = (errand.caller.clone(), eraser.clone(), input.rules.clone());
    let run = async move { Ok(running.begin_run(&errand, dry_run, &input).await?) };
    let said = rules.as_deref().unwrap_or_default().as_bytes();
    Box::pin(once(&eraser.vault, &caller, &request, said, run)).await
}

/// The retention runs, newest first.
#[utoipa::path(
    get, path = "/v1/retention/runs", tag = "retention", params(PageParameters, ErrandHeaders),
    responses((status = 200, body = Listing<RunAnswer>), Refusals)
)]
pub(crate) async fn get_runs(
    eraser: Data<Eraser>,
    errand: Errand,
    page: Page,
) -> Result<impl Responder, Problem> {
    let runs = eraser.runs(&errand, page.after()?, page.rows()).await?;
    Ok(web::Json(Listing::page(&page, runs, |run| run.run_id)))
}

/// A retention run: how far it is, and what it counted.
#[utoipa::path(
    get, path = "/v1/retention/runs/{id}", tag = "retention", params(("id" = Uuid, Path), ErrandHeaders),
    responses((status = 200, body = RunAnswer), Refusals)
)]
pub(crate) async fn get_run(
    eraser: Data<Eraser>,
    errand: Errand,
    id: PathId<Uuid>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(eraser.read_run(&errand, id.0).await?))
}

/// A decision about a run that waits.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunDecision {
    /// Whether what was counted may go.
    approve: bool,
}

/// Lets a run go on that waits for a second person, or ends it.
#[utoipa::path(
    post, path = "/v1/retention/runs/{id}/decision", tag = "retention", params(("id" = Uuid, Path), ErrandHeaders),
    request_body = RunDecision,
    responses((status = 200, body = RunAnswer), (status = 409, description = "It does not wait, or the same person"), Refusals)
)]
pub(crate) async fn decide_run(
    eraser: Data<Eraser>,
    errand: Errand,
    id: PathId<Uuid>,
    body: StrictJson<RunDecision>,
) -> Result<impl Responder, Problem> {
    let answer = Box::pin(eraser.decide_run(&errand, id.0, body.0.approve)).await?;
    Ok(web::Json(answer))
}
