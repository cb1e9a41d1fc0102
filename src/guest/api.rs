//! The calls about guests: parse, call, map.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::StatusCode,
    web::{self, Data},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    audit::{
        Act, Decision,
        search::{Filter, Place},
    },
    base::{Caller, EntryId, Errand, FieldIndex, GuestId, PrincipalId, PropertyCode, Purpose, SourceSystem},
    consent::Statement,
    policy::Snapshot,
    web::{
        ETag, IfMatch, JsonBytes, Kind, Listing, MergePatch, Page, PathId, Problem, ProblemDocument,
        StrictJson, StrictQuery, request_id,
    },
};

use super::{
    ConsentAnswer, ConsentsAnswer, GuestAnswer, GuestError, Outcome, RecordAnswer, RecordInput,
    RecordsAnswer, Stay, StayInput, Vault, looks::Entry, once,
};

mod exporting;
mod finding;
mod noticing;
mod opening;

pub(crate) use exporting::{decide_export, get_export, get_export_guests, get_exports, post_export};
pub(crate) use finding::{post_lookup, post_stay_list};
pub(crate) use noticing::{decide_observation, get_observations, post_observation, post_occasions};
pub(crate) use opening::post_break_glass;

/// The calls of this folder; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    put_record,
    get_guest,
    reveal,
    get_records,
    patch_guest,
    put_stay,
    post_consent,
    get_consents,
    get_entries,
    get_entry,
    exporting::post_export,
    exporting::get_exports,
    exporting::get_export,
    exporting::decide_export,
    exporting::get_export_guests,
    finding::post_lookup,
    finding::post_stay_list,
    noticing::post_observation,
    noticing::get_observations,
    noticing::decide_observation,
    noticing::post_occasions,
    opening::post_break_glass
))]
pub struct Calls;

/// The headers of a call that touches guest data.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes headers that `access` reads")]
pub(crate) struct ErrandHeaders {
    /// The property on whose behalf; within the caller's scope.
    #[param(rename = "Vault-Property", example = "LIS01", max_length = 20)]
    property: String,
    /// Why: one of the configured purposes.
    #[param(rename = "Vault-Purpose", example = "stay_service", max_length = 60)]
    purpose: String,
    /// The human behind a service's call: a staff id.
    #[param(rename = "Vault-Actor", max_length = 64, required = false)]
    actor: Option<String>,
    /// Why, in words, where it is required; at most 200 characters.
    #[param(rename = "Vault-Reason", max_length = 200, required = false)]
    reason: Option<String>,
}

/// The header of a call that is carried out once, however often it is sent.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header that `once` reads")]
pub(crate) struct OnceHeader {
    /// Words of the caller's own: the same call with the same key is answered as the first one was, for a day.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        required = false
    )]
    key: Option<String>,
}

/// The header of a change that is meant for one version.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes a header that `IfMatch` reads")]
pub(crate) struct VersionHeader {
    /// The `ETag` that was read, or `*`: with another version there by now nothing is changed.
    #[param(rename = "If-Match", max_length = 200, required = false)]
    version: Option<String>,
}

/// The refusal of what the present state does not allow.
#[derive(utoipa::IntoResponses)]
#[response(
    status = 409,
    description = "Not in the present state; `detail` says why",
    content_type = "application/problem+json"
)]
#[expect(dead_code, reason = "describes an answer that `web::Problem` gives")]
pub(crate) struct Conflicts(ProblemDocument);

/// The refusals that any of these calls may give.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes answers that `web::Problem` gives")]
pub(crate) enum Refusals {
    /// The request is not valid.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemDocument),
    /// No valid credential.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemDocument),
    /// Not for this caller.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDocument),
    /// Missing, or hidden from this caller.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDocument),
    /// Erased.
    #[response(status = 410, content_type = "application/problem+json")]
    Gone(ProblemDocument),
    /// Changed since it was read.
    #[response(status = 412, content_type = "application/problem+json")]
    Stale(ProblemDocument),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDocument),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(ProblemDocument),
    /// A value cannot be valid.
    #[response(status = 422, content_type = "application/problem+json")]
    Rejected(ProblemDocument),
    /// Too many calls, or the access budget is used up.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemDocument),
    /// Stored data is damaged, or a fault of the vault.
    #[response(status = 500, content_type = "application/problem+json")]
    Fault(ProblemDocument),
    /// The vault cannot serve at the moment.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemDocument),
}

fn with_version(version: i64, body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(ETag(version.unsigned_abs()))
        .json(body)
}

/// The fields that words such as `name` or `emails` mean.
fn fields(policy: &Snapshot, words: &[&str]) -> Result<Vec<FieldIndex>, GuestError> {
    let mut all = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let meant = policy.catalogue().select(word.trim());
        if meant.is_empty() {
            return Err(GuestError::UnknownField(at));
        }
        all.extend(meant);
    }
    Ok(all)
}

/// Options of `PUT /v1/records`.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PutOptions {
    /// Refuse the whole record when any value is refused.
    #[serde(default)]
    strict: bool,
}

/// What a source system says about one person.
#[utoipa::path(
    put, path = "/v1/records/{source_system}/{source_id}", tag = "guests",
    params(
        ("source_system" = String, Path, description = "The source: pms, web, ota …", max_length = 40),
        ("source_id" = String, Path, description = "The source's own id of the person", max_length = 200),
        PutOptions, VersionHeader, ErrandHeaders
    ),
    request_body = RecordInput,
    responses((status = 200, body = RecordAnswer), (status = 201, body = RecordAnswer), Refusals)
)]
pub(crate) async fn put_record(
    vault: Data<Vault>,
    errand: Errand,
    path: web::Path<(String, String)>,
    options: StrictQuery<PutOptions>,
    expected: IfMatch,
    body: StrictJson<RecordInput>,
) -> Result<HttpResponse, Problem> {
    let (system, id) = path.into_inner();
    let system: SourceSystem = system
        .parse()
        .map_err(|_| Problem::new(Kind::InvalidRequest).field("source_system", "not a source's code"))?;
    let answer = vault
        .put_record(&errand, (&system, &id), body.0, expected, options.0.strict)
        .await?;
    let status = match answer.resolution.outcome {
        Outcome::Created | Outcome::Review => StatusCode::CREATED,
        Outcome::Linked => StatusCode::OK,
    };
    Ok(HttpResponse::build(status)
        .insert_header(ETag(answer.version.unsigned_abs()))
        .json(answer))
}

/// Which fields to read.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetOptions {
    /// Paths such as `name.surname`, or groups such as `name`, separated by commas; all fields, when absent.
    #[serde(default)]
    #[param(max_length = 4000, example = "name,phones")]
    fields: Option<String>,
}

/// The guest as this caller may see it.
#[utoipa::path(
    get, path = "/v1/guests/{id}", tag = "guests",
    params(("id" = GuestId, Path), GetOptions, ErrandHeaders),
    responses((status = 200, body = GuestAnswer), (status = 308, description = "Merged into another guest"), Refusals)
)]
pub(crate) async fn get_guest(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    options: StrictQuery<GetOptions>,
) -> Result<HttpResponse, Problem> {
    let words: Vec<&str> = options
        .0
        .fields
        .as_deref()
        .map(|f| f.split(',').collect())
        .unwrap_or_default();
    let wanted = fields(&vault.policies.current(), &words)?;
    let answer = vault.read_guest(&errand, id.0, &wanted).await?;
    Ok(with_version(answer.version, answer))
}

/// Which fields to show plain.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevealInput {
    /// Paths or groups; at least one.
    #[schema(min_items = 1, max_items = 100)]
    fields: Vec<String>,
}

/// Plain values of fields that the policy shows on demand.
#[utoipa::path(
    post, path = "/v1/guests/{id}/reveal", tag = "guests",
    params(("id" = GuestId, Path), ErrandHeaders), request_body = RevealInput,
    responses((status = 200, body = GuestAnswer), Refusals)
)]
pub(crate) async fn reveal(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    body: StrictJson<RevealInput>,
) -> Result<HttpResponse, Problem> {
    let words: Vec<&str> = body.0.fields.iter().map(String::as_str).collect();
    if words.is_empty() || words.len() > 100 {
        return Err(Problem::new(Kind::InvalidRequest).field("fields", "name 1 to 100 fields"));
    }
    let wanted = fields(&vault.policies.current(), &words)?;
    let answer = vault.reveal(&errand, id.0, &wanted).await?;
    Ok(with_version(answer.version, answer))
}

/// The source records behind the guest.
#[utoipa::path(
    get, path = "/v1/guests/{id}/records", tag = "guests",
    params(("id" = GuestId, Path), ErrandHeaders),
    responses((status = 200, body = RecordsAnswer), Refusals)
)]
pub(crate) async fn get_records(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
) -> Result<HttpResponse, Problem> {
    let answer = vault.read_records(&errand, id.0).await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// A correction by staff: values are pinned, `null` unpins.
#[utoipa::path(
    patch, path = "/v1/guests/{id}", tag = "guests",
    params(("id" = GuestId, Path), VersionHeader, ErrandHeaders),
    request_body(content = Object, content_type = "application/merge-patch+json"),
    responses((status = 200, body = RecordAnswer), Refusals)
)]
pub(crate) async fn patch_guest(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    expected: IfMatch,
    body: MergePatch<Map<String, Value>>,
) -> Result<HttpResponse, Problem> {
    let holds = |version| expected.holds(Some(version));
    let answer = vault.correct(&errand, id.0, body.0, holds).await?;
    Ok(with_version(answer.version, answer))
}

/// Links a stay, or changes it.
#[utoipa::path(
    put, path = "/v1/guests/{id}/stays/{reservation}", tag = "guests",
    params(
        ("id" = GuestId, Path), ("reservation" = String, Path, max_length = 100),
        VersionHeader, ErrandHeaders
    ),
    request_body = StayInput,
    responses((status = 200, body = Stay), Refusals)
)]
pub(crate) async fn put_stay(
    vault: Data<Vault>,
    errand: Errand,
    path: web::Path<(String, String)>,
    expected: IfMatch,
    body: StrictJson<StayInput>,
) -> Result<HttpResponse, Problem> {
    let (guest, reservation) = path.into_inner();
    let guest: GuestId = crate::web::path_id(&guest)?;
    let mut stay = body.0;
    if !stay.reservation.is_empty() && stay.reservation != reservation {
        return Err(
            Problem::new(Kind::InvalidRequest).field("reservation", "differs from the one in the path")
        );
    }
    stay.reservation = reservation;
    let holds = |version| expected.holds(Some(version));
    let (stay, version) = vault.put_stay(&errand, guest, stay, holds).await?;
    Ok(with_version(version, stay))
}

/// Appends to the consent ledger.
#[utoipa::path(
    post, path = "/v1/guests/{id}/consents", tag = "consent",
    params(("id" = GuestId, Path), OnceHeader, VersionHeader, ErrandHeaders),
    request_body = Statement,
    responses((status = 201, body = ConsentAnswer), Refusals)
)]
pub(crate) async fn post_consent(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    expected: IfMatch,
    body: JsonBytes,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let statement: Statement = body.parse()?;
    let (caller, running) = (errand.caller.clone(), vault.clone());
    let run = async move {
        let holds = |version| expected.holds(Some(version));
        Ok(running.put_consent(&errand, id.0, &statement, holds).await?)
    };
    Box::pin(once(&vault, &caller, &request, body.as_bytes(), run)).await
}

/// The state per purpose and recipient, and the whole history.
#[utoipa::path(
    get, path = "/v1/guests/{id}/consents", tag = "consent",
    params(("id" = GuestId, Path), ErrandHeaders),
    responses((status = 200, body = ConsentsAnswer), Refusals)
)]
pub(crate) async fn get_consents(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
) -> Result<HttpResponse, Problem> {
    let answer = vault.read_consents(&errand, id.0).await?;
    Ok(HttpResponse::Ok().json(answer))
}

/// What to look for in the log; every part narrows.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntryOptions {
    /// About this guest.
    guest_id: Option<GuestId>,
    /// On the orders of this staff id.
    #[param(max_length = 64)]
    actor: Option<String>,
    /// By this principal.
    principal: Option<PrincipalId>,
    /// For this purpose.
    #[param(value_type = Option<String>, max_length = 60)]
    purpose: Option<Purpose>,
    /// For this property.
    #[param(value_type = Option<String>, max_length = 20)]
    property: Option<PropertyCode>,
    /// Of this kind.
    #[param(inline)]
    action: Option<Act>,
    /// Ended so.
    #[param(inline)]
    decision: Option<Decision>,
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

/// Searches the audit log, newest first; denied attempts too.
#[utoipa::path(
    get, path = "/v1/audit/entries", tag = "audit", params(EntryOptions),
    responses((status = 200, body = Listing<Entry>), Refusals)
)]
pub(crate) async fn get_entries(
    vault: Data<Vault>,
    caller: Caller,
    options: StrictQuery<EntryOptions>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let options = options.0;
    let page = Page::new(options.limit, options.cursor)?;
    let before: Option<Place> = page.after()?;
    let filter = Filter {
        guest_id: options.guest_id,
        actor: options.actor,
        principal: options.principal,
        purpose: options.purpose,
        property: options.property,
        action: options.action,
        decision: options.decision,
        from: options.from,
        to: options.to,
    };
    let most = usize::try_from(page.rows()).unwrap_or(usize::MAX);
    let entries = vault
        .search_log(&caller, request_id(&request), filter, before, most)
        .await?;
    Ok(web::Json(Listing::page(&page, entries, Entry::place)))
}

/// One entry of the log with its reason.
#[utoipa::path(
    get, path = "/v1/audit/entries/{id}", tag = "audit", params(("id" = EntryId, Path)),
    responses((status = 200, body = Entry), Refusals)
)]
pub(crate) async fn get_entry(
    vault: Data<Vault>,
    caller: Caller,
    id: PathId<EntryId>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let request = request_id(&request);
    Ok(web::Json(vault.read_entry(&caller, request, id.0).await?))
}
