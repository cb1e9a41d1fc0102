//! The calls that report from the log: who saw a guest's data, and whose data somebody saw.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::header,
    web::{self, Data},
};
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    access::Bearer,
    audit::{search::Filter, siem::Format},
    base::{Caller, Errand, GuestId},
    web::{PathId, Problem, StrictJson, StrictQuery, request_id},
};

use super::{
    GuestError, Vault,
    access_report::AccessReport,
    api::{ErrandHeaders, Refusals},
    exposure::{Exposure, ExposureQuestion},
    report_page,
};

/// The calls of this file; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(get_access_report, post_exposure, get_export))]
pub struct ReportCalls;

/// What a report looks like.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReportFormat {
    /// For programs, with the proof.
    #[default]
    Json,
    /// A page to read and print.
    Html,
}

/// How to show the report.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportOptions {
    /// `json` (with the proof) or `html`.
    #[param(inline)]
    #[serde(default)]
    format: ReportFormat,
}

/// Who saw what of this guest, when and why, with the proof that nothing is missing. For officers and auditors; for a
/// guest whose token's subject is its guest id.
#[utoipa::path(
    get, path = "/v1/guests/{id}/access-report", tag = "audit",
    params(("id" = GuestId, Path), ReportOptions, ErrandHeaders),
    responses((status = 200, content(
        (AccessReport = "application/json"),
        (String = "text/html"),
    )), Refusals)
)]
pub(crate) async fn get_access_report(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    options: StrictQuery<ReportOptions>,
) -> Result<HttpResponse, Problem> {
    let report = vault.access_report(&errand, id.0).await?;
    Ok(match options.0.format {
        ReportFormat::Json => HttpResponse::Ok().json(report),
        ReportFormat::Html => HttpResponse::Ok()
            .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
            .body(report_page::page(&report)),
    })
}

/// Whose data a credential, a person or a property has seen in a time: the exact guests, the fields that were really
/// shown, and where in the log this can be recounted.
#[utoipa::path(
    post, path = "/v1/audit/exposure", tag = "audit", request_body = ExposureQuestion,
    responses((status = 200, body = Exposure), Refusals)
)]
pub(crate) async fn post_exposure(
    vault: Data<Vault>,
    caller: Caller,
    asked: StrictJson<ExposureQuestion>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let exposure = vault.exposure(&caller, request_id(&request), asked.0).await?;
    Ok(web::Json(exposure))
}

/// What to export.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportOptions {
    /// The form of a line: `ocsf` (1.3.0), `syslog` (RFC 5424) or `cef`.
    #[param(inline)]
    format: Format,
    /// At or after.
    from: Option<DateTime<Utc>>,
    /// Before.
    to: Option<DateTime<Utc>>,
}

/// The entries of a time, a line each, in the order of the log; each with the log's name and its index. Entries of the
/// last second, which have no index yet, are left for the next time. A body that ends early was cut short.
#[utoipa::path(
    get, path = "/v1/audit/export", tag = "audit", params(ExportOptions),
    responses((status = 200, content(
        (String = "application/x-ndjson"),
        (String = "text/plain"),
    )), Refusals)
)]
pub(crate) async fn get_export(
    vault: Data<Vault>,
    caller: Caller,
    bearer: Bearer,
    options: StrictQuery<ExportOptions>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let ExportOptions { format, from, to } = options.0;
    let window = Filter {
        from,
        to,
        ..Filter::default()
    };
    let export = vault
        .export_log(&caller, request_id(&request), format, window)
        .await?;
    let lines = stream::try_unfold((export, bearer), async |(mut export, bearer)| {
        bearer.still_good().await.map_err(|_| GuestError::Forbidden)?;
        let Some(lines) = export.page().await? else {
            return Ok::<_, GuestError>(None);
        };
        let text: String = lines.into_iter().map(|line| line + "\n").collect();
        Ok(Some((web::Bytes::from(text), (export, bearer))))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, format.media_type()))
        .streaming(Box::pin(lines)))
}
