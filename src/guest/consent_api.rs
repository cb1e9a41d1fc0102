//! The calls about notices, and about whom one may approach.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::{StatusCode, header},
    web::{self, Data},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    base::{Caller, Errand, NoticeId, Purpose},
    consent::notice::{Notice, NoticeInput},
    web::{JsonBytes, Listing, Page, PathId, Problem, StrictJson, StrictQuery, request_id},
};

use super::{
    CheckAnswer, CheckInput, Published, SuppressionAnswer, SuppressionInput, Vault,
    api::{ErrandHeaders, Refusals},
    idempotency,
};

/// The calls of this file; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    post_notice,
    get_notices,
    get_notice,
    get_notice_text,
    post_check,
    post_suppression
))]
pub struct ConsentCalls;

/// Publishes a notice; other terms than the last one's end the consents to those.
#[utoipa::path(
    post, path = "/v1/notices", tag = "consent",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255)),
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
    let run = async {
        let answer = vault.publish_notice(&caller, request_id(&request), said).await?;
        Ok((
            StatusCode::CREATED,
            serde_json::to_vec(&answer).unwrap_or_default(),
        ))
    };
    Box::pin(idempotency::once(&vault, &caller, &request, body.as_bytes(), run)).await
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
