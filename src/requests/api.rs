//! The calls about requests of guests.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    web::{self, Data},
};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    base::{Errand, GuestId, Reach},
    erasure::{Preview, RegisterAnswer, certificate::Certified, read_register},
    guest::{
        Vault,
        api::{Conflicts, ErrandHeaders, OnceHeader, Refusals},
        once,
    },
    web::{JsonBytes, Kind as ProblemKind, Listing, Page, PathId, Problem, StrictJson, StrictQuery},
};

use super::{
    Case, Check, LiftInput, Lock, Opened, RequestError, RequestInput, Requests, State, decide::DecisionInput,
    sql::Filter,
};

/// The calls of this folder; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    post_request,
    get_requests,
    get_request,
    verify_request,
    preview_request,
    decide_request,
    lift_restriction,
    get_certificate,
    get_package,
    post_package,
    get_register
))]
pub struct Calls;

impl From<RequestError> for Problem {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Guest(error) => error.into(),
            RequestError::Erasure(error) => error.into(),
            RequestError::Absent => Self::new(ProblemKind::NotFound),
            RequestError::State(why) => Self::new(ProblemKind::Conflict).detail(why),
            RequestError::SamePerson => Self::new(ProblemKind::Conflict)
                .detail("It takes another person than who took the request in."),
            RequestError::Changed => Self::new(ProblemKind::Conflict).detail(
                "What would be done is not what was seen: look at GET /v1/requests/{id}/preview again and approve that \
                 fingerprint.",
            ),
        }
    }
}

/// Takes a request of a guest in and starts its clock. The answer is the same whether or not there is such a guest.
#[utoipa::path(
    post, path = "/v1/requests", tag = "requests",
    params(OnceHeader, ErrandHeaders),
    request_body = RequestInput, responses((status = 201, body = Opened), Refusals)
)]
pub(crate) async fn post_request(
    desk: Data<Requests>,
    errand: Errand,
    body: JsonBytes,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let input: RequestInput = body.parse()?;
    let (caller, running) = (errand.caller.clone(), desk.clone());
    let run = async move { Ok(running.open(&errand, &input).await?) };
    Box::pin(once(desk.vault(), &caller, &request, body.as_bytes(), run)).await
}

/// Which requests.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueueOptions {
    /// In this state.
    #[param(inline)]
    state: Option<State>,
    /// Due before this day.
    due_before: Option<NaiveDate>,
    /// Items per page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u16>,
    /// Where the page begins.
    #[param(max_length = 200)]
    cursor: Option<String>,
}

/// The queue of requests, newest first.
#[utoipa::path(
    get, path = "/v1/requests", tag = "requests", params(QueueOptions, ErrandHeaders),
    responses((status = 200, body = Listing<Case>), Refusals)
)]
pub(crate) async fn get_requests(
    desk: Data<Requests>,
    errand: Errand,
    options: StrictQuery<QueueOptions>,
) -> Result<impl Responder, Problem> {
    let options = options.0;
    let page = Page::new(options.limit, options.cursor)?;
    let before: Option<Uuid> = page.after()?;
    let filter = Filter {
        state: options.state.map(State::as_str),
        due_before: options.due_before.map(|day| day.to_string()),
        guest: None,
        within: Reach::default(),
    };
    let cases = desk.list(&errand, &filter, before, page.rows()).await?;
    Ok(web::Json(Listing::page(&page, cases, |case| case.request_id)))
}

/// A request with its timeline.
#[utoipa::path(
    get, path = "/v1/requests/{id}", tag = "requests", params(("id" = Uuid, Path), ErrandHeaders),
    responses((status = 200, body = Case), Refusals)
)]
pub(crate) async fn get_request(
    desk: Data<Requests>,
    errand: Errand,
    id: PathId<Uuid>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(desk.read(&errand, id.0).await?))
}

/// How making sure of who asks went.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyInput {
    /// `needed` stops the clock where the law lets it.
    result: Check,
    /// Whose request it is, when that was found out.
    #[serde(default)]
    guest_id: Option<GuestId>,
}

/// Notes how making sure of who asks went, and whose request it is.
#[utoipa::path(
    post, path = "/v1/requests/{id}/verify", tag = "requests", params(("id" = Uuid, Path), ErrandHeaders),
    request_body = VerifyInput, responses((status = 200, body = Case), Conflicts, Refusals)
)]
pub(crate) async fn verify_request(
    desk: Data<Requests>,
    errand: Errand,
    id: PathId<Uuid>,
    body: StrictJson<VerifyInput>,
) -> Result<impl Responder, Problem> {
    let VerifyInput { result, guest_id } = body.0;
    Ok(web::Json(desk.verify(&errand, id.0, (result, guest_id)).await?))
}

/// What an erasure would do now.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewAnswer {
    /// Its fingerprint: the decision names it, so that only what was seen is approved.
    #[schema(max_length = 64)]
    fingerprint: String,
    /// What would be done.
    #[serde(flatten)]
    preview: Preview,
}

/// What an erasure would do now: drawer by drawer, erased, restricted, or kept until a date on a ground.
#[utoipa::path(
    get, path = "/v1/requests/{id}/preview", tag = "requests", params(("id" = Uuid, Path), ErrandHeaders),
    responses((status = 200, body = PreviewAnswer), Conflicts, Refusals)
)]
pub(crate) async fn preview_request(
    desk: Data<Requests>,
    errand: Errand,
    id: PathId<Uuid>,
) -> Result<impl Responder, Problem> {
    let (preview, fingerprint) = desk.preview(&errand, id.0).await?;
    Ok(web::Json(PreviewAnswer { fingerprint, preview }))
}

/// Decides a request that another person took in. An approved erasure runs at once; what stands against part of it is
/// waited for, and the rest goes on by itself.
#[utoipa::path(
    post, path = "/v1/requests/{id}/decision", tag = "requests", params(("id" = Uuid, Path), ErrandHeaders),
    request_body = DecisionInput,
    responses((status = 200, body = Case), (status = 409, description = "Not in this state, or not by this person"), Refusals)
)]
pub(crate) async fn decide_request(
    desk: Data<Requests>,
    errand: Errand,
    id: PathId<Uuid>,
    body: StrictJson<DecisionInput>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(desk.decide(&errand, id.0, &body.0).await?))
}

/// Ends the restriction that a request asked for, once the guest has been told; by another person than who took the
/// request in.
#[utoipa::path(
    post, path = "/v1/requests/{id}/lift", tag = "requests", params(("id" = Uuid, Path), ErrandHeaders),
    request_body = LiftInput,
    responses((status = 200, body = Case), (status = 409, description = "Nothing to lift, or not by this person"), Refusals)
)]
pub(crate) async fn lift_restriction(
    desk: Data<Requests>,
    errand: Errand,
    id: PathId<Uuid>,
    body: StrictJson<LiftInput>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(desk.lift(&errand, id.0, body.0).await?))
}

/// The certificate of an erasure: signed, with proof that the log holds its entries, and without personal data.
#[utoipa::path(
    get, path = "/v1/requests/{id}/certificate", tag = "requests", params(("id" = Uuid, Path), ErrandHeaders),
    responses((status = 200, body = Certified), (status = 409, description = "Nothing was erased yet"), Refusals)
)]
pub(crate) async fn get_certificate(
    desk: Data<Requests>,
    errand: Errand,
    id: PathId<Uuid>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(desk.certificate(&errand, id.0).await?))
}

/// For whom a package is.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PackageOptions {
    /// An age recipient (`age1…`) of the guest: the package is then encrypted to it.
    #[param(max_length = 100)]
    recipient: Option<String>,
}

/// Everything that is stored about the guest: a ZIP of JSON and readable pages, encrypted with age when it names a
/// recipient.
#[utoipa::path(
    get, path = "/v1/requests/{id}/package", tag = "requests",
    params(("id" = Uuid, Path), PackageOptions, ErrandHeaders),
    responses(
        (status = 200, content((Vec<u8> = "application/zip"), (Vec<u8> = "application/octet-stream"))),
        Conflicts,
        Refusals
    )
)]
pub(crate) async fn get_package(
    desk: Data<Requests>,
    errand: Errand,
    id: PathId<Uuid>,
    options: StrictQuery<PackageOptions>,
) -> Result<HttpResponse, Problem> {
    let recipient = options.0.recipient.as_deref();
    let lock = recipient.map_or(Ok(Lock::Open), |text| text.parse().map(Lock::For));
    let lock = lock.map_err(|_| {
        Problem::new(ProblemKind::InvalidRequest).field("recipient", "is no age recipient (age1…)")
    })?;
    handed_over(&desk, &errand, id.0, &lock).await
}

/// How a package is closed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PackageInput {
    /// Told to the guest another way than the package goes.
    #[schema(min_length = 12, max_length = 200)]
    passphrase: String,
}

/// The same package closed with a passphrase (age); a passphrase has no place in an address.
#[utoipa::path(
    post, path = "/v1/requests/{id}/package", tag = "requests", params(("id" = Uuid, Path), ErrandHeaders),
    request_body = PackageInput,
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), Conflicts, Refusals)
)]
pub(crate) async fn post_package(
    desk: Data<Requests>,
    errand: Errand,
    id: PathId<Uuid>,
    body: StrictJson<PackageInput>,
) -> Result<HttpResponse, Problem> {
    let passphrase = zeroize::Zeroizing::new(body.0.passphrase);
    if !(12..=200).contains(&passphrase.chars().count()) {
        return Err(
            Problem::new(ProblemKind::InvalidRequest).field("passphrase", "must be 12 to 200 characters")
        );
    }
    handed_over(&desk, &errand, id.0, &Lock::Passphrase(passphrase)).await
}

async fn handed_over(
    desk: &Requests,
    errand: &Errand,
    id: Uuid,
    lock: &Lock,
) -> Result<HttpResponse, Problem> {
    let bytes = Box::pin(desk.package(errand, id, lock)).await?;
    let (kind, name) = match lock {
        Lock::Open => ("application/zip", "package.zip"),
        _ => ("application/octet-stream", "package.zip.age"),
    };
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{name}\"")))
        .body(bytes))
}

/// The guest register's own copy, kept for the law when the rest of a guest is erased. Only for the purposes
/// `legal_retention` and `statutory_registration`.
#[utoipa::path(
    get, path = "/v1/guests/{id}/register", tag = "retention", params(("id" = GuestId, Path), ErrandHeaders),
    responses((status = 200, body = RegisterAnswer), Refusals)
)]
pub(crate) async fn get_register(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(read_register(&vault, &errand, id.0).await?))
}
