//! The calls about events: parse, call, map.

use actix_web::{
    HttpRequest, Responder,
    web::{self, Data},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::desk::{DeadLetter, EventDesk, EventsAnswer, EventsError, WebhookAnswer};
use crate::{
    audit::CommitError,
    base::Caller,
    web::{Kind, Listing, Page, PageParameters, Problem, ProblemDocument, StrictQuery, request_id},
};

/// The calls of this folder; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(get_events, get_webhooks, get_dead_letters, post_redeliveries))]
pub struct Calls;

/// The refusals that any of these calls may give.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes answers that `web::Problem` gives")]
enum Refusals {
    /// The request is not valid.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemDocument),
    /// No valid credential.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemDocument),
    /// Not for this caller.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDocument),
    /// There is no such webhook.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDocument),
    /// Events after this place are no longer kept: read the guests anew and go on without `after`.
    #[response(status = 410, content_type = "application/problem+json")]
    Gone(ProblemDocument),
    /// Too many calls.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemDocument),
    /// Stored data is damaged, or a fault of the vault.
    #[response(status = 500, content_type = "application/problem+json")]
    Fault(ProblemDocument),
    /// The vault cannot serve at the moment.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemDocument),
}

impl From<EventsError> for Problem {
    fn from(error: EventsError) -> Self {
        match error {
            EventsError::Forbidden => Self::new(Kind::Forbidden),
            EventsError::NotFound => Self::new(Kind::NotFound),
            EventsError::Gone => Self::new(Kind::Gone).detail(
                "Events after this place are no longer kept. Read the guests anew; go on without `after`.",
            ),
            EventsError::Store(error)
            | EventsError::NotDone(CommitError::Undone(error) | CommitError::Unknown(error)) => error.into(),
            EventsError::NotRecorded(_) | EventsError::NotDone(CommitError::Unrecorded) => {
                Self::new(Kind::Unavailable)
                    .detail("What cannot be recorded is not shown.")
                    .retry_after(1)
            }
        }
    }
}

/// Which part of the feed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsOptions {
    /// After which place: `next_after` of the last answer, or an event's `sequence`. Without it, from the oldest event
    /// that is kept.
    #[param(minimum = 0)]
    after: Option<u64>,
    /// How many events at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
}

/// What happened after a place, oldest first, as `CloudEvents` 1.0. No event holds personal data: ids, names of fields,
/// words of the configuration. Events of properties outside the caller's scope are left out.
#[utoipa::path(
    get, path = "/v1/events", tag = "events", params(EventsOptions),
    responses((status = 200, body = EventsAnswer), Refusals)
)]
pub(crate) async fn get_events(
    desk: Data<EventDesk>,
    caller: Caller,
    options: StrictQuery<EventsOptions>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let EventsOptions { after, limit } = options.0;
    let page = Page::new(limit, None)?;
    let after = i64::try_from(after.unwrap_or(0))
        .map_err(|_| Problem::new(Kind::InvalidRequest).field("after", "is no place of the feed"))?;
    let found = desk
        .events(&caller, request_id(&request), (after, page.limit()))
        .await?;
    Ok(web::Json(found))
}

/// The configured receivers.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhooksAnswer {
    /// In the order of the configuration.
    #[schema(max_items = 1000)]
    items: Vec<WebhookAnswer>,
}

/// The receivers of events, and how far each is.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "events",
    responses((status = 200, body = WebhooksAnswer), Refusals)
)]
pub(crate) async fn get_webhooks(
    desk: Data<EventDesk>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let items = desk.webhooks(&caller, request_id(&request)).await?;
    Ok(web::Json(WebhooksAnswer { items }))
}

/// The events that a receiver was not told, after all tries.
#[utoipa::path(
    get, path = "/v1/webhooks/{name}/dead-letters", tag = "events",
    params(("name" = String, Path, example = "crm", max_length = 40),
           PageParameters),
    responses((status = 200, body = Listing<DeadLetter>), Refusals)
)]
pub(crate) async fn get_dead_letters(
    desk: Data<EventDesk>,
    caller: Caller,
    name: web::Path<String>,
    page: Page,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let after: i64 = page.after()?.unwrap_or(0);
    let rows = desk
        .dead_letters(&caller, request_id(&request), &name, (after, page.rows()))
        .await?;
    Ok(web::Json(Listing::page(&page, rows, |letter| letter.position)))
}

/// What is sent again.
#[derive(Serialize, ToSchema)]
pub(crate) struct RedeliveriesAnswer {
    /// How many events.
    events: u64,
}

/// Sends everything again that a receiver was not told, with all tries from the first.
#[utoipa::path(
    post, path = "/v1/webhooks/{name}/redeliveries", tag = "events",
    params(("name" = String, Path, example = "crm", max_length = 40)),
    responses((status = 200, body = RedeliveriesAnswer), Refusals)
)]
pub(crate) async fn post_redeliveries(
    desk: Data<EventDesk>,
    caller: Caller,
    name: web::Path<String>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let events = desk.redeliver(&caller, request_id(&request), &name).await?;
    Ok(web::Json(RedeliveriesAnswer { events }))
}
