//! The calls about the policy: parse, call, map.

use actix_web::{
    HttpRequest, Responder,
    web::{self, Data},
};

use super::{
    ExplainError,
    inspect::{Desk, DeskError, PolicyAnswer},
};
use crate::{
    base::Caller,
    web::{Kind, Problem, ProblemDocument, request_id},
};

/// The calls of this folder; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(get_policy))]
pub struct Calls;

/// The refusals that any of these calls may give.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "describes answers that `web::Problem` gives")]
pub(super) enum Refusals {
    /// The request is not valid, or uses a word that is not of this policy.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemDocument),
    /// No valid credential.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemDocument),
    /// Not for this caller.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDocument),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDocument),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(ProblemDocument),
    /// Too many calls.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemDocument),
    /// The record cannot be made durable.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemDocument),
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Forbidden => Self::new(Kind::Forbidden),
            DeskError::BadCandidate { field, problem } => {
                Self::new(Kind::InvalidRequest).field(field, problem)
            }
            DeskError::Store(error) => {
                tracing::error!(%error, "the log cannot be replayed");
                Self::new(Kind::Unavailable).retry_after(1)
            }
            DeskError::NotRecorded(_) => Self::new(Kind::Unavailable),
            DeskError::Unknown(unknown) => {
                let field = match unknown {
                    ExplainError::Role(_) => "role",
                    ExplainError::Property(_) => "property",
                    ExplainError::Purpose(_) => "purpose",
                    ExplainError::Field(_) => "field",
                };
                Self::new(Kind::InvalidRequest)
                    .field(field, "is not of this policy; GET /v1/policy lists what is")
            }
        }
    }
}

/// The policy in force: model, roles, purposes, rules, fields and their version.
#[utoipa::path(get, path = "/v1/policy", tag = "policy", responses((status = 200, body = PolicyAnswer), Refusals))]
pub(crate) async fn get_policy(
    desk: Data<Desk>,
    caller: Caller,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    Ok(web::Json(desk.show(&caller, request_id(&request)).await?))
}
