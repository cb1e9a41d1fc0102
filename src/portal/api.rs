//! The call of the portal on `/v1`.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use crate::{
    base::{Errand, GuestId},
    guest::{
        api::{ErrandHeaders, OnceHeader, Refusals},
        once,
    },
    web::{PathId, Problem},
};

use super::{LinkAnswer, Portal};

/// The calls of this file; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(post_portal_session))]
pub struct Calls;

/// Makes a link that lets the guest into the portal once, within ten minutes: for the hotel's own app, where the guest
/// is signed in already. Before an export or an erasure the portal still asks for a code.
#[utoipa::path(
    post, path = "/v1/guests/{id}/portal-sessions", tag = "guests",
    params(("id" = GuestId, Path), OnceHeader, ErrandHeaders),
    responses((status = 201, body = LinkAnswer), Refusals)
)]
pub(crate) async fn post_portal_session(
    portal: Data<Portal>,
    errand: Errand,
    id: PathId<GuestId>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (caller, running) = (errand.caller.clone(), portal.clone());
    let run = async move { Ok(running.link(&errand, id.0).await?) };
    Box::pin(once(&portal.vault, &caller, &request, b"", run)).await
}
