//! The call that tries a candidate policy: parse, call, map.

use actix_web::{
    HttpRequest, Responder,
    web::{self, Data},
};

use super::{Desk, ReplayAnswer, ReplayRequest, api::Refusals};
use crate::{
    base::Caller,
    web::{Problem, StrictJson, request_id},
};

/// The call of this file; the route is in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(replay))]
pub struct ReplayCalls;

/// What a candidate policy would have decided differently over the last days of the log.
#[utoipa::path(
    post, path = "/v1/policy/replay", tag = "policy", request_body = ReplayRequest,
    responses((status = 200, body = ReplayAnswer), Refusals)
)]
pub(crate) async fn replay(
    desk: Data<Desk>,
    caller: Caller,
    asked: StrictJson<ReplayRequest>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let answer = desk.replay(&caller, request_id(&request), asked.0).await?;
    Ok(web::Json(answer))
}
