//! The calls about who is whom: parse, call, map.

use std::rc::Rc;

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    web::{self, Bytes, Data},
};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    access::Bearer,
    base::{Errand, GuestId, PrincipalId},
    guest::{
        GuestError, Vault,
        api::{Conflicts, ErrandHeaders, OnceHeader, Refusals, VersionHeader},
        once,
    },
    web::{
        IfMatch, JsonBytes, Kind, Listing, Page, PageParameters, PathId, Problem, ProblemDocument,
        StrictJson, StrictQuery, headers::media_type, json,
    },
};

use super::{
    constraint::{Constraint, ConstraintAnswer, ConstraintWord, RecordOf},
    merge::{MergeAnswer, MergeOptions},
    pseudonyms::{PseudonymAnswer, PseudonymOwner},
    resolve::ResolveAnswer,
    review::{self, Answer, Review, ReviewAnswer},
    undo::UndoAnswer,
};

/// What a batch and its answer are.
const NDJSON: &str = "application/x-ndjson";
/// Lines of one batch at most.
const MOST_LINES: usize = 10_000;

/// The calls of this folder; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    post_resolve,
    post_resolve_batch,
    get_reviews,
    post_review,
    post_reviews,
    post_merge,
    post_undo,
    post_constraint,
    get_constraints,
    post_pseudonym,
    post_pseudonym_owner
))]
pub struct Calls;

/// Who is looked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResolveInput {
    /// What is known of somebody, as in a record.
    #[schema(value_type = Object)]
    guest: Map<String, Value>,
}

/// Which guest somebody is: candidates with probability and explanation. Nothing is written.
#[utoipa::path(
    post, path = "/v1/resolve", tag = "identity", params(ErrandHeaders), request_body = ResolveInput,
    responses((status = 200, body = ResolveAnswer), Refusals)
)]
pub(crate) async fn post_resolve(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<ResolveInput>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(vault.resolve(&errand, &body.0.guest).await?))
}

/// One question of a batch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchLine {
    #[serde(default)]
    id: Option<String>,
    guest: Map<String, Value>,
}

/// The answer to one question of a batch.
#[derive(Serialize)]
struct BatchAnswer {
    /// Which line it answers, from 1.
    line: usize,
    /// What the question calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Why it is refused, as any call would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ProblemDocument>,
    /// Else, who it may be.
    #[serde(flatten)]
    answer: Option<ResolveAnswer>,
}

/// Many questions, one a line: `{"id"?, "guest"}` in, `{"line", "id"?, "candidates", …}` or `{"line", "id"?, "problem"}`
/// out, in the same order, as they are answered. A line that cannot be read is refused alone.
#[utoipa::path(
    post, path = "/v1/resolve/batch", tag = "identity", params(ErrandHeaders),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = String, content_type = "application/x-ndjson"), Refusals)
)]
pub(crate) async fn post_resolve_batch(
    vault: Data<Vault>,
    errand: Errand,
    bearer: Bearer,
    body: Bytes,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    if media_type(request.headers()).as_deref() != Some(NDJSON) {
        return Err(
            Problem::new(Kind::UnsupportedMediaType).detail(format!("Send the body as {NDJSON} in UTF-8."))
        );
    }
    let lines: Vec<(usize, Bytes)> = body
        .split(|byte| *byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(at, line)| (at + 1, body.slice_ref(line.trim_ascii())))
        .collect();
    if lines.is_empty() || lines.len() > MOST_LINES {
        return Err(Problem::new(Kind::InvalidRequest).field("body", "must have 1 to 10000 lines"));
    }
    let bearer = Rc::new(bearer);
    let answers = stream::iter(lines).then(move |(at, line)| {
        let (vault, errand, bearer) = (vault.clone(), errand.clone(), Rc::clone(&bearer));
        async move {
            bearer.still_good().await?;
            let answer = answer_line(&vault, &errand, at, &line).await;
            let mut text = serde_json::to_vec(&answer).unwrap_or_default();
            text.push(b'\n');
            Ok::<_, actix_web::Error>(Bytes::from(text))
        }
    });
    Ok(HttpResponse::Ok()
        .content_type(NDJSON)
        .streaming(Box::pin(answers)))
}

async fn answer_line(vault: &Vault, errand: &Errand, line: usize, text: &[u8]) -> BatchAnswer {
    let (id, answer) = match json::parse::<BatchLine>(text) {
        Ok(question) => {
            let answer = vault.resolve(errand, &question.guest).await;
            let id = question.id.filter(|id| id.len() <= 200);
            (id, answer.map_err(Problem::from))
        }
        Err(problem) => (None, Err(problem)),
    };
    let (answer, problem) = match answer {
        Ok(answer) => (Some(answer), None),
        Err(problem) => (None, Some(problem.instance(errand.request).document())),
    };
    BatchAnswer {
        line,
        id,
        problem,
        answer,
    }
}

/// The questions that wait for a steward, the surest first; those about guests that this caller may not know of are
/// left out.
#[utoipa::path(
    get, path = "/v1/reviews", tag = "identity", params(PageParameters, ErrandHeaders),
    responses((status = 200, body = Listing<Review>), Refusals)
)]
pub(crate) async fn get_reviews(
    vault: Data<Vault>,
    errand: Errand,
    page: Page,
) -> Result<impl Responder, Problem> {
    let after = page.after()?.unwrap_or(review::FIRST);
    let (items, next) = vault.reviews(&errand, after, i64::from(page.limit())).await?;
    Ok(web::Json(Listing {
        items,
        next_cursor: next.as_ref().and_then(Page::cursor_of),
    }))
}

/// A steward's answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewInput {
    /// The answer.
    decision: Answer,
}

/// Answers a question: `same` merges the two, `different` is remembered, `later` lowers its priority.
#[utoipa::path(
    post, path = "/v1/reviews/{id}", tag = "identity",
    params(("id" = String, Path, description = "The review's id"), ErrandHeaders), request_body = ReviewInput,
    responses((status = 200, body = ReviewAnswer), Conflicts, Refusals)
)]
pub(crate) async fn post_review(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<Uuid>,
    body: StrictJson<ReviewInput>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(
        vault.answer_review(&errand, id.0, body.0.decision).await?,
    ))
}

/// Answers of a steward to many questions.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewsInput {
    /// The questions, 1 to 200.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 200)]
    review_ids: Vec<Uuid>,
    /// The answer to all of them.
    decision: Answer,
}

/// What became of many answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReviewsDone {
    /// Those that were answered.
    answered: Vec<ReviewAnswer>,
    /// Those that were not: answered before, not this caller's to answer, or something speaks against it.
    #[schema(value_type = Vec<String>)]
    left: Vec<Uuid>,
}

/// Gives many questions the same answer, one after the other; each stands for itself.
#[utoipa::path(
    post, path = "/v1/reviews", tag = "identity", params(ErrandHeaders), request_body = ReviewsInput,
    responses((status = 200, body = ReviewsDone), Refusals)
)]
pub(crate) async fn post_reviews(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<ReviewsInput>,
) -> Result<impl Responder, Problem> {
    if body.0.review_ids.is_empty() || body.0.review_ids.len() > 200 {
        return Err(Problem::new(Kind::InvalidRequest).field("review_ids", "name 1 to 200 questions"));
    }
    let mut done = ReviewsDone {
        answered: Vec::new(),
        left: Vec::new(),
    };
    for review in body.0.review_ids {
        match vault.answer_review(&errand, review, body.0.decision).await {
            Ok(answer) => done.answered.push(answer),
            Err(GuestError::NotFound | GuestError::Blocked(_) | GuestError::Moved(_) | GuestError::Gone) => {
                done.left.push(review);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(web::Json(done))
}

/// Who is taken in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeInput {
    /// The guest that is taken in; its id answers 308 from then on.
    absorb: GuestId,
}

/// How to merge.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MergeQuery {
    /// Only tell what it would do.
    #[serde(default)]
    dry_run: bool,
    /// Although a steward said that they are two, or both have a number for life.
    #[serde(default)]
    force: bool,
}

/// Takes another guest into this one; consents: the strictest wins. With `dry_run` it only tells what it would do.
#[utoipa::path(
    post, path = "/v1/guests/{id}/merges", tag = "identity",
    params(
        ("id" = GuestId, Path), MergeQuery,
        OnceHeader, VersionHeader, ErrandHeaders
    ),
    request_body = MergeInput,
    responses((status = 200, description = "The preview", body = MergeAnswer), (status = 201, body = MergeAnswer), Conflicts, Refusals)
)]
pub(crate) async fn post_merge(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    options: StrictQuery<MergeQuery>,
    expected: IfMatch,
    body: JsonBytes,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let input: MergeInput = body.parse()?;
    let options = MergeOptions {
        dry_run: options.0.dry_run,
        force: options.0.force,
        review: None,
    };
    let both = (id.0, input.absorb);
    let holds = move |version| expected.holds(Some(version));
    if options.dry_run {
        return Ok(HttpResponse::Ok().json(
            vault
                .merge(&errand, both, options, holds)
                .await
                .map_err(GuestError::nowhere)?,
        ));
    }
    let (caller, running) = (errand.caller.clone(), vault.clone());
    let run = async move {
        let merged = running.merge(&errand, both, options, holds).await;
        Ok(merged.map_err(GuestError::nowhere)?)
    };
    Box::pin(once(&vault, &caller, &request, body.as_bytes(), run)).await
}

/// Parts two guests that a merge made one: every record goes back where it was, with what its source has said since.
#[utoipa::path(
    post, path = "/v1/merges/{id}/undo", tag = "identity",
    params(("id" = String, Path, description = "The merge's id"), ErrandHeaders),
    responses((status = 200, body = UndoAnswer), Conflicts, Refusals)
)]
pub(crate) async fn post_undo(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<Uuid>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(
        vault
            .undo_merge(&errand, id.0)
            .await
            .map_err(GuestError::nowhere)?,
    ))
}

/// A steward's word about two records.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConstraintInput {
    /// The word.
    decision: ConstraintWord,
    /// The one record.
    one: RecordOf,
    /// The other.
    other: RecordOf,
    /// Although a steward said otherwise, or both guests have a number for life.
    #[serde(default)]
    force: bool,
}

/// Says of two records that they are of one person (`same`), of two (`different`), or takes that back (`open`). It holds
/// through new scores, merges and imports. `same` makes their guests one; `different` parts them, by undoing the merge
/// that brought them together, or the other record gets a guest of its own; `open` leaves them where they are.
#[utoipa::path(
    post, path = "/v1/constraints", tag = "identity", params(ErrandHeaders), request_body = ConstraintInput,
    responses((status = 200, body = ConstraintAnswer), Conflicts, Refusals)
)]
pub(crate) async fn post_constraint(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<ConstraintInput>,
) -> Result<impl Responder, Problem> {
    let ConstraintInput {
        decision,
        one,
        other,
        force,
    } = body.0;
    Ok(web::Json(
        vault
            .say(&errand, decision, (one, other), force)
            .await
            .map_err(GuestError::nowhere)?,
    ))
}

/// What stewards said of this guest's records.
#[utoipa::path(
    get, path = "/v1/guests/{id}/constraints", tag = "identity",
    params(("id" = GuestId, Path), PageParameters, ErrandHeaders),
    responses((status = 200, body = Listing<Constraint>), Refusals)
)]
pub(crate) async fn get_constraints(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    page: Page,
) -> Result<impl Responder, Problem> {
    let after = page.after()?.unwrap_or_default();
    let rows = vault.words(&errand, id.0, (after, page.rows())).await?;
    Ok(web::Json(Listing::page(&page, rows, |row| {
        (row.record_id, row.other_record_id)
    })))
}

/// For whom a handle is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PseudonymInput {
    /// The principal that will know the guest by it.
    consumer: PrincipalId,
}

/// The handle by which one consumer knows this guest: the same every time, different for each consumer, gone with the
/// guest.
#[utoipa::path(
    post, path = "/v1/guests/{id}/pseudonyms", tag = "identity", params(("id" = GuestId, Path), ErrandHeaders),
    request_body = PseudonymInput, responses((status = 200, body = PseudonymAnswer), Refusals)
)]
pub(crate) async fn post_pseudonym(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    body: StrictJson<PseudonymInput>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(vault.pseudonym(&errand, id.0, body.0.consumer).await?))
}

/// Whose handle is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PseudonymQuestion {
    /// The handle.
    #[schema(min_length = 1, max_length = 40)]
    pseudonym: String,
}

/// Whose handle it is, for who may know.
#[utoipa::path(
    post, path = "/v1/pseudonyms/resolve", tag = "identity", params(ErrandHeaders),
    request_body = PseudonymQuestion, responses((status = 200, body = PseudonymOwner), Refusals)
)]
pub(crate) async fn post_pseudonym_owner(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<PseudonymQuestion>,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(
        vault.pseudonym_owner(&errand, &body.0.pseudonym).await?,
    ))
}
