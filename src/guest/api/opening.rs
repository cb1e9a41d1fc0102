//! Break-glass.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use crate::{
    base::{Errand, GuestId},
    guest::{BreakGlassAnswer, Vault, once},
    web::{PathId, Problem, ProblemDocument},
};

use super::{ErrandHeaders, OnceHeader, Refusals};

/// Opens a guest for a purpose that is an emergency: for this person, for 30 minutes, for a reason. Officers are told at
/// once, and another person judges it within 72 hours.
#[utoipa::path(
    post, path = "/v1/guests/{id}/break-glass", tag = "guests",
    params(("id" = GuestId, Path), OnceHeader, ErrandHeaders),
    responses(
        (status = 201, body = BreakGlassAnswer),
        (status = 409, body = ProblemDocument, content_type = "application/problem+json",
         description = "Earlier openings of this role at this property were not judged in time."),
        Refusals
    )
)]
pub(crate) async fn post_break_glass(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (caller, running) = (errand.caller.clone(), vault.clone());
    let run = async move { Ok(running.break_glass(&errand, id.0).await?) };
    Box::pin(once(&vault, &caller, &request, b"", run)).await
}
