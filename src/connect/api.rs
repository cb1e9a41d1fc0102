//! The calls about imports: parse, call, map.

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::header::CONTENT_TYPE,
    web::{self, Data},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    intake::{Intake, Mode},
    stream::{self, LastLine, LineAnswer},
};
use crate::{
    access::Bearer,
    base::{Errand, ImportId},
    guest::{Job, RolledBack, Vault},
    web::{Kind, PathId, Problem, ProblemDocument, StrictJson, StrictQuery},
};

/// What both bodies are.
const NDJSON: &str = "application/x-ndjson";

/// The calls of this folder; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        post_import,
        get_import,
        end_import,
        roll_back_import,
        super::house::get_properties
    ),
    components(schemas(LastLine))
)]
pub struct Calls;

/// The headers of a call that touches guest data.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes headers that `access` reads")]
struct ErrandHeaders {
    /// The property on whose behalf; records without one of their own belong to it, others lie beneath it.
    #[param(rename = "Vault-Property", example = "LIS01", max_length = 20)]
    property: String,
    /// Why: one of the configured purposes.
    #[param(rename = "Vault-Purpose", example = "loyalty", max_length = 60)]
    purpose: String,
    /// The human behind a service's call: a staff id.
    #[param(rename = "Vault-Actor", max_length = 64, required = false)]
    actor: Option<String>,
}

/// The refusals that any of these calls may give.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes answers that `web::Problem` gives")]
pub(super) enum Refusals {
    /// The request is not valid.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemDocument),
    /// No valid credential.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemDocument),
    /// Not for this caller.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDocument),
    /// There is no such import, or it has ended.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDocument),
    /// Something else has touched what the import wrote.
    #[response(status = 409, content_type = "application/problem+json")]
    Touched(ProblemDocument),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDocument),
    /// The body is of another kind.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(ProblemDocument),
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

/// How records are taken.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportOptions {
    /// Says what would become of each record, and stores nothing.
    #[serde(default)]
    dry_run: bool,
    /// Goes on with this import of the same caller; without it a new one begins.
    import: Option<Uuid>,
}

/// Takes records, one a line (`{"source_system","source_id","property"?,"observed_at"?,"provenance"?,"guest",
/// "stays"?,"consents"?}`), and answers each in a line as soon as it is durable; the last line has the import's id and
/// the numbers. The same record again changes nothing, so what has no answer is sent again.
#[utoipa::path(
    post, path = "/v1/imports", tag = "imports", params(ImportOptions, ErrandHeaders),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = LineAnswer, content_type = "application/x-ndjson"), Refusals)
)]
pub(crate) async fn post_import(
    vault: Data<Vault>,
    errand: Errand,
    bearer: Bearer,
    options: StrictQuery<ImportOptions>,
    body: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let ImportOptions { dry_run, import } = options.0;
    let given = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let kind = given.and_then(|v| v.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(NDJSON) {
        return Err(Problem::new(Kind::UnsupportedMediaType));
    }
    let import = match import {
        Some(_) if dry_run => {
            return Err(Problem::new(Kind::InvalidRequest).field("import", "not together with dry_run"));
        }
        Some(import) => {
            vault.go_on_with_import(&errand, ImportId(import)).await?;
            Some(ImportId(import))
        }
        None => vault.begin_import(&errand, 1, dry_run).await?,
    };
    let mode = if dry_run { Mode::Check } else { Mode::Write };
    let property = errand.property.clone();
    let vault = Vault::clone(&vault);
    let intake = Intake::new(vault, errand.caller, errand.purpose, import).within(property.clone());
    Ok(HttpResponse::Ok()
        .content_type(NDJSON)
        .streaming(stream::answers(bearer, intake, property, mode, body)))
}

/// An import and its numbers.
#[utoipa::path(
    get, path = "/v1/imports/{id}", tag = "imports",
    params(("id" = Uuid, Path), ErrandHeaders),
    responses((status = 200, body = Job), Refusals)
)]
pub(crate) async fn get_import(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<ImportId>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(vault.import_job(&errand, id.0).await?))
}

/// What the sender saw.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EndRequest {
    /// What of the source must not be kept and was dropped before it was sent, with how often: `card_data`.
    #[schema(value_type = Object)]
    alarms: BTreeMap<String, u64>,
}

/// Ends an import: it takes no more records, and its numbers are on record.
#[utoipa::path(
    post, path = "/v1/imports/{id}/end", tag = "imports", request_body = EndRequest,
    params(("id" = Uuid, Path), ErrandHeaders),
    responses((status = 200, body = Job), Refusals)
)]
pub(crate) async fn end_import(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<ImportId>,
    body: StrictJson<EndRequest>,
) -> Result<impl Responder, Problem> {
    vault.go_on_with_import(&errand, id.0).await?;
    let cards = body
        .0
        .alarms
        .values()
        .fold(0_u64, |sum, n| sum.saturating_add(*n));
    if cards > 0 {
        vault.report_cards(&errand, cards).await?;
    }
    Ok(web::Json(vault.end_import(&errand, id.0).await?))
}

/// Takes an import back, while nothing else has touched what it wrote: its records go, and guests that nobody else
/// speaks of. What it changed of records that were there before stays.
#[utoipa::path(
    post, path = "/v1/imports/{id}/rollback", tag = "imports",
    params(("id" = Uuid, Path), ErrandHeaders),
    responses((status = 200, body = RolledBack), Refusals)
)]
pub(crate) async fn roll_back_import(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<ImportId>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(vault.roll_back_import(&errand, id.0).await?))
}
