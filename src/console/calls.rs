//! What the console's pages count over all guests, as calls of the API: every number on a screen can be asked for.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    web::{self, Data},
};
use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Console,
    audit::Judgement,
    consent::ConsentCounts,
    due::Lapse,
    holds::HoldRegister,
    processing::ProcessingRegister,
    volume::{Volume, VolumeOptions},
    withdrawals::Withdrawals,
};
use crate::{
    base::{Caller, EntryId, Errand},
    guest::api::{ErrandHeaders, Refusals},
    web::{PathId, Problem, StrictJson, StrictQuery, request_id},
};

/// The calls of this file; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    get_hold_register,
    get_lapses,
    get_volume,
    get_consent_counts,
    get_withdrawals,
    get_processing_register,
    post_judgement
))]
pub struct ConsoleCalls;

/// Which holds.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct HoldOptions {
    /// Only those that are looked at again after this day.
    after: Option<NaiveDate>,
}

/// The register of holds: all that are in force, over all guests, those to be looked at first at the top.
#[utoipa::path(
    get, path = "/v1/holds", tag = "retention", params(HoldOptions, ErrandHeaders),
    responses((status = 200, body = HoldRegister), Refusals)
)]
pub(crate) async fn get_hold_register(
    console: Data<Console>,
    errand: Errand,
    options: StrictQuery<HoldOptions>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(console.hold_register(&errand, options.0.after).await?))
}

/// How the counts are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CountOptions {
    /// Whether to count how it stands now, too: reads the whole ledger.
    #[serde(default)]
    standing: bool,
}

/// What guests said in the last twelve weeks, counted by purpose, recipient, state, channel and notice.
#[utoipa::path(
    get, path = "/v1/consents/counts", tag = "consent", params(CountOptions, ErrandHeaders),
    responses((status = 200, body = ConsentCounts), Refusals)
)]
pub(crate) async fn get_consent_counts(
    console: Data<Console>,
    errand: Errand,
    options: StrictQuery<CountOptions>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(
        console.consent_counts(&errand, options.0.standing).await?,
    ))
}

/// The newest withdrawals and objections, and whether those have heard of them that webhooks tell of consents. The vault
/// itself refuses from the next read on.
#[utoipa::path(
    get, path = "/v1/consents/withdrawals", tag = "consent", params(ErrandHeaders),
    responses((status = 200, body = Withdrawals), Refusals)
)]
pub(crate) async fn get_withdrawals(
    console: Data<Console>,
    errand: Errand,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(console.withdrawals(&errand).await?))
}

/// The register of processing activities (GDPR Art. 30), derived from the policy that is enforced, beside what the log
/// shows: purposes that nobody used, fields that nobody read.
#[utoipa::path(
    get, path = "/v1/processing-register", tag = "policy", params(ErrandHeaders),
    responses((status = 200, body = ProcessingRegister), Refusals)
)]
pub(crate) async fn get_processing_register(
    console: Data<Console>,
    errand: Errand,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(console.processing_register(&errand).await?))
}

/// Attestations that are over, or will be within thirty days; the first 200.
#[derive(serde::Serialize, ToSchema)]
pub(crate) struct Lapses {
    /// Each.
    #[schema(max_items = 200)]
    lapses: Vec<Lapse>,
}

/// Attestations that are over, or will be within thirty days.
#[utoipa::path(
    get, path = "/v1/attestations/lapsing", tag = "audit", params(ErrandHeaders),
    responses((status = 200, body = Lapses), Refusals)
)]
pub(crate) async fn get_lapses(console: Data<Console>, errand: Errand) -> Result<impl Responder, Problem> {
    let lapses = console.lapses(&errand).await?;
    Ok(web::Json(Lapses { lapses }))
}

/// How many entries the log has for each hour or day of a time.
#[utoipa::path(
    get, path = "/v1/audit/volume", tag = "audit", params(VolumeOptions),
    responses((status = 200, body = Volume), Refusals)
)]
pub(crate) async fn get_volume(
    console: Data<Console>,
    caller: Caller,
    options: StrictQuery<VolumeOptions>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let volume = console.volume(&caller, request_id(&request), &options.0).await?;
    Ok(web::Json(volume))
}

/// What is thought of a reveal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JudgementInput {
    /// The verdict.
    verdict: Judgement,
}

/// Judges a reveal: values shown plain on demand are looked at afterwards by another person. It stays as it was judged.
#[utoipa::path(
    post, path = "/v1/audit/entries/{id}/judgement", tag = "audit", params(("id" = EntryId, Path), ErrandHeaders),
    request_body = JudgementInput,
    responses((status = 204, description = "Judged"), (status = 409, description = "Judged before, or the caller's own"), Refusals)
)]
pub(crate) async fn post_judgement(
    console: Data<Console>,
    errand: Errand,
    id: PathId<EntryId>,
    body: StrictJson<JudgementInput>,
) -> Result<HttpResponse, Problem> {
    console.judge(&errand, id.0, body.0.verdict).await?;
    Ok(HttpResponse::NoContent().finish())
}
