//! The calls about notices, consent records, disclosures, and about whom one may approach.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::header,
    web::{self, Data},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

use crate::{
    audit::search::Place,
    base::{Caller, ConsentId, Errand, GuestId, NoticeId, Purpose},
    consent::notice::{Notice, NoticeInput},
    policy::{Desk, ExplainRequest},
    web::{JsonBytes, Kind, Listing, Page, PathId, Problem, StrictJson, StrictQuery, request_id},
};

use super::{
    CheckAnswer, CheckInput, Disclosure, Published, RecordFormat, SuppressionAnswer, SuppressionInput, Vault,
    WhyAnswer,
    api::{ErrandHeaders, OnceHeader, Refusals},
    disclosures::Wanted,
    once,
};

/// The calls of this file; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    post_notice,
    get_notices,
    get_notice,
    get_notice_text,
    post_check,
    post_suppression,
    get_record,
    get_record_key,
    get_disclosures,
    export_disclosures,
    explain,
    get_unsubscribe,
    post_unsubscribe
))]
pub struct ConsentCalls;

/// Publishes a notice; other terms than the last one's end the consents to those.
#[utoipa::path(
    post, path = "/v1/notices", tag = "consent",
    params(OnceHeader),
    request_body = NoticeInput,
    responses((status = 201, body = Published), Refusals)
)]
pub(crate) async fn post_notice(
    vault: Data<Vault>,
    caller: Caller,
    body: JsonBytes,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let said: NoticeInput = body.parse()?;
    let (by, running, id) = (caller.clone(), vault.clone(), request_id(&request));
    let run = async move { Ok(running.publish_notice(&by, id, said).await?) };
    Box::pin(once(&vault, &caller, &request, body.as_bytes(), run)).await
}

/// Whose notices.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NoticesOptions {
    /// Of this purpose.
    #[param(value_type = String, max_length = 60)]
    purpose: Purpose,
    /// Items per page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// Where the page begins.
    #[param(max_length = 200)]
    cursor: Option<String>,
}

/// The notices of a purpose, oldest first.
#[utoipa::path(
    get, path = "/v1/notices", tag = "consent", params(NoticesOptions),
    responses((status = 200, body = Listing<Notice>), Refusals)
)]
pub(crate) async fn get_notices(
    vault: Data<Vault>,
    caller: Caller,
    options: StrictQuery<NoticesOptions>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let options = options.0;
    let page = Page::new(options.limit, options.cursor)?;
    let after: i64 = page.after()?.unwrap_or(0);
    let window = (after, page.rows());
    let found = vault
        .list_notices(&caller, request_id(&request), &options.purpose, window)
        .await?;
    Ok(web::Json(Listing::page(&page, found, |notice| notice.sequence)))
}

/// A notice.
#[utoipa::path(
    get, path = "/v1/notices/{id}", tag = "consent", params(("id" = NoticeId, Path)),
    responses((status = 200, body = Notice), Refusals)
)]
pub(crate) async fn get_notice(
    vault: Data<Vault>,
    caller: Caller,
    id: PathId<NoticeId>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let notice = vault.read_notice(&caller, request_id(&request), id.0).await?;
    Ok(web::Json(notice))
}

/// The text of a notice, to the byte: its SHA-256 is the notice's.
#[utoipa::path(
    get, path = "/v1/notices/{id}/text", tag = "consent", params(("id" = NoticeId, Path)),
    responses((status = 200, body = String, content_type = "text/plain"), Refusals)
)]
pub(crate) async fn get_notice_text(
    vault: Data<Vault>,
    caller: Caller,
    id: PathId<NoticeId>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let notice = vault.read_notice(&caller, request_id(&request), id.0).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(notice.said.text))
}

/// Which of up to 10,000 guests may be approached, or asked, now. Yes or no; never why.
#[utoipa::path(
    post, path = "/v1/consents/check", tag = "consent", params(ErrandHeaders), request_body = CheckInput,
    responses((status = 200, body = CheckAnswer), Refusals)
)]
pub(crate) async fn post_check(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<CheckInput>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(vault.check_consents(&errand, &body.0).await?))
}

/// Puts an address on a do-not-contact list, as a keyed hash, or takes it off.
#[utoipa::path(
    post, path = "/v1/suppressions", tag = "consent", params(ErrandHeaders), request_body = SuppressionInput,
    responses((status = 200, body = SuppressionAnswer), Refusals)
)]
pub(crate) async fn post_suppression(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<SuppressionInput>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(vault.suppress(&errand, &body.0).await?))
}

/// How to write a record.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecordOptions {
    /// `jsonld` (ISO/IEC TS 27560 in DPV, signed) or `kantara` (receipt 1.1).
    #[serde(default)]
    #[param(inline)]
    format: RecordFormat,
}

/// The record of a consent: ISO/IEC TS 27560 in DPV JSON-LD, signed, with its index and receipt in the log.
#[utoipa::path(
    get, path = "/v1/consents/{id}/record", tag = "consent",
    params(("id" = ConsentId, Path), RecordOptions, ErrandHeaders),
    responses((status = 200, description = "The record", content(
                  (Object = "application/ld+json"), (Object = "application/json")
              )),
              (status = 409, description = "The line names no notice", body = crate::web::ProblemDocument,
               content_type = "application/problem+json"), Refusals)
)]
pub(crate) async fn get_record(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<ConsentId>,
    options: StrictQuery<RecordOptions>,
) -> Result<HttpResponse, Problem> {
    let format = options.0.format;
    let record: Value = vault.consent_record(&errand, id.0, format).await?;
    let kind = match format {
        RecordFormat::Jsonld => "application/ld+json",
        RecordFormat::Kantara => "application/json",
    };
    let body = serde_json::to_vec(&record).unwrap_or_default();
    Ok(HttpResponse::Ok().content_type(kind).body(body))
}

/// The public key that signs consent records, as a JSON Web Key.
#[utoipa::path(
    get, path = "/v1/consents/record-key", tag = "consent",
    responses((status = 200, body = Object), Refusals)
)]
pub(crate) async fn get_record_key(vault: Data<Vault>, _caller: Caller) -> Result<impl Responder, Problem> {
    Ok(web::Json(vault.record_key().await?))
}

/// Which disclosures.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RegisterOptions {
    /// To this recipient.
    #[param(max_length = 60)]
    recipient: String,
    /// Of this guest.
    guest_id: Option<GuestId>,
    /// At or after.
    from: Option<DateTime<Utc>>,
    /// Before.
    to: Option<DateTime<Utc>>,
    /// Items per page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// Where the page begins.
    #[param(max_length = 200)]
    cursor: Option<String>,
}

/// The register of disclosures to a third party, newest first.
#[utoipa::path(
    get, path = "/v1/disclosures", tag = "consent", params(RegisterOptions),
    responses((status = 200, body = Listing<Disclosure>), Refusals)
)]
pub(crate) async fn get_disclosures(
    vault: Data<Vault>,
    caller: Caller,
    options: StrictQuery<RegisterOptions>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let options = options.0;
    let page = Page::new(options.limit, options.cursor)?;
    let after: Option<Place> = page.after()?;
    let wanted = Wanted {
        recipient: options.recipient,
        guest_id: options.guest_id,
        from: options.from,
        to: options.to,
    };
    let most = usize::try_from(page.rows()).unwrap_or(usize::MAX);
    let found = vault
        .disclosures(&caller, request_id(&request), &wanted, (after, most))
        .await?;
    let listing = Listing::page(&page, found, |(place, _)| *place);
    Ok(web::Json(listing.map(|(_, disclosure)| disclosure)))
}

/// Which part of the register to take out.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportOptions {
    /// To this recipient.
    #[param(max_length = 60)]
    recipient: String,
    /// At or after.
    from: Option<DateTime<Utc>>,
    /// Before.
    to: Option<DateTime<Utc>>,
}

/// The register of disclosures to a third party as lines of JSON, newest first, at most 100,000.
#[utoipa::path(
    get, path = "/v1/disclosures/export", tag = "consent", params(ExportOptions),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), Refusals)
)]
pub(crate) async fn export_disclosures(
    vault: Data<Vault>,
    caller: Caller,
    options: StrictQuery<ExportOptions>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let options = options.0;
    let wanted = Wanted {
        recipient: options.recipient,
        guest_id: None,
        from: options.from,
        to: options.to,
    };
    let lines = vault
        .export_disclosures(&caller, request_id(&request), &wanted)
        .await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/x-ndjson"))
        .body(lines))
}

/// One decision: how a field is shown, the rule that made it, the consent it asks for; for a guest also the line of its
/// ledger that decides, the notice and the clause.
#[utoipa::path(
    post, path = "/v1/policy/explain", tag = "policy", request_body = ExplainRequest,
    responses((status = 200, body = WhyAnswer), Refusals)
)]
pub(crate) async fn explain(
    vault: Data<Vault>,
    desk: Data<Desk>,
    caller: Caller,
    asked: StrictJson<ExplainRequest>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let id = request_id(&request);
    let explained = desk.explain(&caller, id, &asked.0).await?;
    Ok(web::Json(vault.why(&caller, id, &asked.0, explained).await?))
}

/// The page of an unsubscribe link.
const PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Unsubscribe</title>\
    <h1>No more messages?</h1><form method=\"post\">\
    <input type=\"hidden\" name=\"List-Unsubscribe\" value=\"One-Click\">\
    <button>Take my consent back</button></form></html>";
/// What is shown afterwards.
const DONE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Unsubscribed</title>\
    <h1>Done. Your consent is taken back.</h1></html>";

fn page(text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        ))
        .body(text)
}

/// Where an unsubscribe link leads a person: one button. Looking changes nothing.
#[utoipa::path(
    get, path = "/u/{token}", tag = "consent", params(("token" = String, Path, max_length = 60)),
    responses((status = 200, body = String, content_type = "text/html"), Refusals), security(())
)]
pub(crate) async fn get_unsubscribe(
    vault: Data<Vault>,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    match vault.link_of(&token) {
        Some(_) => Ok(page(PAGE)),
        None => Err(Problem::new(Kind::NotFound)),
    }
}

/// Takes a consent back with one click (RFC 8058); the link is all it takes.
#[utoipa::path(
    post, path = "/u/{token}", tag = "consent", params(("token" = String, Path, max_length = 60)),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/html"), Refusals), security(())
)]
pub(crate) async fn post_unsubscribe(
    vault: Data<Vault>,
    token: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    vault.unsubscribe(request_id(&request), &token).await?;
    Ok(page(DONE))
}
