//! Exports of many guests.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::header,
    web::{self, Bytes, Data},
};
use futures_util::stream;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    access::Bearer,
    base::{Errand, GuestId},
    guest::{ExportAnswer, ExportInput, ExportLine, GuestError, Vault, once},
    web::{JsonBytes, Listing, Page, PageParameters, PathId, Problem, StrictJson, StrictQuery},
};

use super::{ErrandHeaders, OnceHeader, Refusals, finding::few};

/// Orders an export of many guests for one purpose: of this property's guests, and of those only whom stays and consents
/// let be shown. It waits for a second person, who has the right `approve_requests`.
#[utoipa::path(
    post, path = "/v1/exports", tag = "exports", params(OnceHeader, ErrandHeaders), request_body = ExportInput,
    responses((status = 201, body = ExportAnswer), Refusals)
)]
pub(crate) async fn post_export(
    vault: Data<Vault>,
    errand: Errand,
    body: JsonBytes,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let input: ExportInput = body.parse()?;
    few(&input.fields)?;
    let (caller, running) = (errand.caller.clone(), vault.clone());
    let run = async move { Ok(running.order_export(&errand, &input).await?) };
    Box::pin(once(&vault, &caller, &request, body.as_bytes(), run)).await
}

/// The exports, newest first: the caller's own, and for who decides about them those within the caller's scope.
#[utoipa::path(
    get, path = "/v1/exports", tag = "exports", params(PageParameters, ErrandHeaders),
    responses((status = 200, body = Listing<ExportAnswer>), Refusals)
)]
pub(crate) async fn get_exports(
    vault: Data<Vault>,
    errand: Errand,
    page: Page,
) -> Result<impl Responder, Problem> {
    let exports = vault.exports(&errand, page.after()?, page.rows()).await?;
    Ok(web::Json(Listing::page(&page, exports, |export| {
        export.export_id
    })))
}

/// An export: where it stands, and how many guests were handed out.
#[utoipa::path(
    get, path = "/v1/exports/{id}", tag = "exports", params(("id" = Uuid, Path), ErrandHeaders),
    responses((status = 200, body = ExportAnswer), Refusals)
)]
pub(crate) async fn get_export(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<Uuid>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(vault.read_export(&errand, id.0).await?))
}

/// A decision about an export that waits.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportDecision {
    /// Whether it may be handed out.
    approve: bool,
}

/// Agrees to an export that waits, or refuses it; by another person than who ordered it. It can be fetched for 24 hours.
#[utoipa::path(
    post, path = "/v1/exports/{id}/decision", tag = "exports", params(("id" = Uuid, Path), ErrandHeaders),
    request_body = ExportDecision,
    responses((status = 200, body = ExportAnswer), (status = 409, description = "It does not wait, or the same person"), Refusals)
)]
pub(crate) async fn decide_export(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<Uuid>,
    body: StrictJson<ExportDecision>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(
        vault.decide_export(&errand, id.0, body.0.approve).await?,
    ))
}

/// Where an answer goes on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportOptions {
    /// After this guest: the last that arrived, where an earlier answer broke off; the nil UUID when none did.
    #[param(value_type = Option<String>, max_length = 40)]
    after: Option<GuestId>,
}

/// An approved export, for who ordered it: a guest a line, as `GET /v1/guests/{id}` shows one, each recorded before it
/// leaves; the last line is `{"complete":true,"guests":n}`. A body without it was cut short: go on with `after`, which
/// ends the earlier answer. Once begun it cannot be begun again, nor gone on with from far before where it was.
#[utoipa::path(
    get, path = "/v1/exports/{id}/guests", tag = "exports", params(("id" = Uuid, Path), ExportOptions, ErrandHeaders),
    responses(
        (status = 200, body = ExportLine, content_type = "application/x-ndjson"),
        (status = 409, description = "It is not approved, was begun or handed out already, or its time is over"),
        Refusals
    )
)]
pub(crate) async fn get_export_guests(
    vault: Data<Vault>,
    errand: Errand,
    bearer: Bearer,
    id: PathId<Uuid>,
    options: StrictQuery<ExportOptions>,
) -> Result<HttpResponse, Problem> {
    let export = vault.fetch_export(&errand, id.0, options.0.after).await?;
    let lines = stream::try_unfold((export, bearer), async |(mut export, bearer)| {
        bearer.still_good().await.map_err(|_| GuestError::Forbidden)?;
        let Some(lines) = export.page().await? else {
            return Ok::<_, GuestError>(None);
        };
        let mut text = Vec::new();
        for line in lines {
            text.extend(serde_json::to_vec(&line).unwrap_or_default());
            text.push(b'\n');
        }
        Ok(Some((Bytes::from(text), (export, bearer))))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/x-ndjson"))
        .streaming(Box::pin(lines)))
}
