//! The calls about data quality.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    web::{self, Data},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    base::{Errand, FieldPath, GuestId},
    guest::{
        Vault,
        api::{ErrandHeaders, OnceHeader, Refusals},
        once,
    },
    web::{Listing, Page, PageParameters, Problem, StrictJson, path_id},
};

use super::quality::{Finding, Quality, QualityReviewAnswer, Settled};

/// The calls; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(post_review, get_review, get_findings, settle_finding))]
pub struct QualityCalls;

/// Reviews what is stored of all guests; a large vault is done in the background.
#[utoipa::path(
    post, path = "/v1/quality/reviews", tag = "retention", params(OnceHeader, ErrandHeaders),
    responses((status = 201, body = QualityReviewAnswer), Refusals)
)]
pub(crate) async fn post_review(
    vault: Data<Vault>,
    errand: Errand,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (caller, running) = (errand.caller.clone(), vault.clone());
    let run = async move { Ok(Quality(&running).begin(&errand).await?) };
    Box::pin(once(&vault, &caller, &request, b"", run)).await
}

/// The last review of what is stored.
#[utoipa::path(
    get, path = "/v1/quality/reviews", tag = "retention", params(ErrandHeaders),
    responses((status = 200, body = QualityReviewAnswer), Refusals)
)]
pub(crate) async fn get_review(vault: Data<Vault>, errand: Errand) -> Result<impl Responder, Problem> {
    Ok(web::Json(Quality(&vault).report(&errand).await?))
}

/// Fields that should be made sure of again, guest by guest.
#[utoipa::path(
    get, path = "/v1/quality/findings", tag = "retention", params(PageParameters, ErrandHeaders),
    responses((status = 200, body = Listing<Finding>), Refusals)
)]
pub(crate) async fn get_findings(
    vault: Data<Vault>,
    errand: Errand,
    page: Page,
) -> Result<impl Responder, Problem> {
    let after: Option<Uuid> = page.after()?;
    let found = Quality(&vault).queue(&errand, after, page.rows()).await?;
    Ok(web::Json(Listing::page(&page, found, |finding| {
        finding.guest_id.0
    })))
}

/// How a finding is settled.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettleInput {
    /// What came of it.
    result: Settled,
}

/// Settles what was found about a field of a guest.
#[utoipa::path(
    post, path = "/v1/guests/{id}/findings/{field}", tag = "retention",
    params(("id" = GuestId, Path), ("field" = String, Path, max_length = 80), ErrandHeaders),
    request_body = SettleInput,
    responses((status = 204, description = "Settled"), Refusals)
)]
pub(crate) async fn settle_finding(
    vault: Data<Vault>,
    errand: Errand,
    path: web::Path<(String, String)>,
    body: StrictJson<SettleInput>,
) -> Result<HttpResponse, Problem> {
    let guest: GuestId = path_id(&path.0)?;
    let field: FieldPath = path
        .1
        .parse()
        .map_err(|_| Problem::new(crate::web::Kind::NotFound))?;
    Quality(&vault)
        .settle(&errand, guest, &field, body.0.result)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
