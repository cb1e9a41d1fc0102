//! Observations and occasions.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    web::{self, Data},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    base::{Errand, GuestId},
    guest::{
        ObservationAnswer, ObservationDecision, ObservationInput, Occasion, OccasionsInput, Vault,
        WaitingObservation, once,
    },
    web::{JsonBytes, Listing, Page, PageParameters, PathId, Problem, StrictJson, path_id},
};

use super::{Conflicts, ErrandHeaders, OnceHeader, Refusals};

/// Takes a note about a guest for the steward; who leaves it cannot read it again.
#[utoipa::path(
    post, path = "/v1/guests/{id}/observations", tag = "observations",
    params(("id" = GuestId, Path), OnceHeader, ErrandHeaders), request_body = ObservationInput,
    responses((status = 201, body = ObservationAnswer), Refusals)
)]
pub(crate) async fn post_observation(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    body: JsonBytes,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let input: ObservationInput = body.parse()?;
    let (caller, running) = (errand.caller.clone(), vault.clone());
    let run = async move { Ok(running.observe(&errand, id.0, &input).await?) };
    Box::pin(once(&vault, &caller, &request, body.as_bytes(), run)).await
}

/// Notes that wait for a steward at the property, oldest first.
#[utoipa::path(
    get, path = "/v1/observations", tag = "observations",
    params(PageParameters, ErrandHeaders),
    responses((status = 200, body = Listing<WaitingObservation>), Refusals)
)]
pub(crate) async fn get_observations(
    vault: Data<Vault>,
    errand: Errand,
    page: Page,
) -> Result<impl Responder, Problem> {
    let after: Option<Uuid> = page.after()?;
    let rows = vault.waiting_observations(&errand, after, page.rows()).await?;
    Ok(web::Json(Listing::page(&page, rows, |row| row.observation_id)))
}

/// Decides about a note: into a field, kept as a note, or dropped. One of health or belief (`sensitive`) goes into `diet` or
/// `health`, by who may read it, or is dropped.
#[utoipa::path(
    post, path = "/v1/guests/{id}/observations/{observation_id}", tag = "observations",
    params(("id" = GuestId, Path), ("observation_id" = Uuid, Path), ErrandHeaders),
    request_body = ObservationDecision,
    responses((status = 204, description = "Decided."), Conflicts, Refusals)
)]
pub(crate) async fn decide_observation(
    vault: Data<Vault>,
    errand: Errand,
    ids: web::Path<(String, String)>,
    body: StrictJson<ObservationDecision>,
) -> Result<HttpResponse, Problem> {
    let (guest, observation) = ids.into_inner();
    let which = (path_id(&guest)?, path_id(&observation)?);
    vault.decide_observation(&errand, which, body.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whose birthday or anniversary is near.
#[derive(Serialize, ToSchema)]
pub(crate) struct OccasionsAnswer {
    /// In order of days.
    #[schema(max_items = 200)]
    items: Vec<Occasion>,
    /// Give it as `cursor` to get the rest; `null` when this is all.
    #[schema(max_length = 512, required = true)]
    next_cursor: Option<String>,
}

/// Whose birthday or anniversary falls in a window: only guests who agreed to the purpose, as tokens, without a year.
#[utoipa::path(
    post, path = "/v1/occasions", tag = "guests", params(ErrandHeaders), request_body = OccasionsInput,
    responses((status = 200, body = OccasionsAnswer), Refusals)
)]
pub(crate) async fn post_occasions(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<OccasionsInput>,
) -> Result<impl Responder, Problem> {
    let page = Page::new(body.0.limit, body.0.cursor.clone())?;
    let after = page.after()?;
    let (items, next) = vault
        .occasions(&errand, &body.0, after, page.limit().into())
        .await?;
    let next_cursor = next.and_then(|place| Page::cursor_of(&place));
    Ok(web::Json(OccasionsAnswer { items, next_cursor }))
}
