//! The calls about holds and plans.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    web::{self, Data},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    base::{Errand, GuestId},
    guest::{
        Vault,
        api::{ErrandHeaders, OnceHeader, Refusals},
        once,
    },
    web::{JsonBytes, Kind, PathId, Problem, StrictJson, StrictQuery, path_id},
};

use super::{
    CategoryPlan, Hold, HoldAnswer, HoldError, Holds, HoldsOf, ManyHolds, Rules, holds::Settling, how_long,
};

/// The calls of this folder; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    get_holds,
    post_hold,
    approve_hold,
    delete_hold,
    post_holds,
    approve_holds,
    lift_holds,
    get_plan
))]
pub struct Calls;

impl From<HoldError> for Problem {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Guest(error) => error.into(),
            HoldError::SamePerson => {
                Self::new(Kind::Conflict).detail("It takes another person than who put the hold.")
            }
            HoldError::Absent => Self::new(Kind::NotFound),
            HoldError::Entry { at, cause } => {
                let reason = cause.to_string();
                Self::from(*cause).field(format!("holds[{at}]"), reason)
            }
        }
    }
}

/// The holds in force on a guest.
#[derive(Serialize, ToSchema)]
pub(crate) struct HoldsAnswer {
    holds: Vec<HoldAnswer>,
}

/// The holds in force on a guest.
#[utoipa::path(
    get, path = "/v1/guests/{id}/holds", tag = "retention", params(("id" = GuestId, Path), ErrandHeaders),
    responses((status = 200, body = HoldsAnswer), Refusals)
)]
pub(crate) async fn get_holds(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
) -> Result<impl Responder, Problem> {
    let holds = Holds(&vault).list(&errand, id.0).await?;
    Ok(web::Json(HoldsAnswer { holds }))
}

/// Puts a hold on a guest; it holds at once, and waits for a second person to agree.
#[utoipa::path(
    post, path = "/v1/guests/{id}/holds", tag = "retention",
    params(("id" = GuestId, Path), OnceHeader, ErrandHeaders),
    request_body = Hold, responses((status = 201, body = HoldAnswer), Refusals)
)]
pub(crate) async fn post_hold(
    vault: Data<Vault>,
    errand: Errand,
    id: PathId<GuestId>,
    body: JsonBytes,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let hold: Hold = body.parse()?;
    let (caller, running) = (errand.caller.clone(), vault.clone());
    let run = async move { Ok(Holds(&running).put(&errand, id.0, &hold).await?) };
    Box::pin(once(&vault, &caller, &request, body.as_bytes(), run)).await
}

fn of_path(path: &(String, String)) -> Result<(GuestId, Uuid), Problem> {
    Ok((path_id(&path.0)?, path_id(&path.1)?))
}

/// Agrees to a hold that another person put.
#[utoipa::path(
    post, path = "/v1/guests/{id}/holds/{hold_id}/approval", tag = "retention",
    params(("id" = GuestId, Path), ("hold_id" = Uuid, Path), ErrandHeaders),
    responses((status = 204, description = "Agreed"), (status = 409, description = "The same person"), Refusals)
)]
pub(crate) async fn approve_hold(
    vault: Data<Vault>,
    errand: Errand,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (guest, hold) = of_path(&path)?;
    Holds(&vault).approve(&errand, guest, hold).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lifts a hold that another person put.
#[utoipa::path(
    delete, path = "/v1/guests/{id}/holds/{hold_id}", tag = "retention",
    params(("id" = GuestId, Path), ("hold_id" = Uuid, Path), ErrandHeaders),
    responses((status = 204, description = "Lifted"), (status = 409, description = "The same person"), Refusals)
)]
pub(crate) async fn delete_hold(
    vault: Data<Vault>,
    errand: Errand,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (guest, hold) = of_path(&path)?;
    Holds(&vault).lift(&errand, guest, hold).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Puts a hold of one matter on many guests, all or none: on those named, or on everybody who stayed at a property in those days.
#[utoipa::path(
    post, path = "/v1/holds", tag = "retention", params(OnceHeader, ErrandHeaders),
    request_body = ManyHolds, responses((status = 201, body = HoldsOf), Refusals)
)]
pub(crate) async fn post_holds(
    vault: Data<Vault>,
    errand: Errand,
    body: JsonBytes,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let holds: ManyHolds = body.parse()?;
    let (caller, running) = (errand.caller.clone(), vault.clone());
    let run = async move { Ok(Holds(&running).put_many(&errand, &holds).await?) };
    Box::pin(once(&vault, &caller, &request, body.as_bytes(), run)).await
}

/// Agrees to holds that another person put, all or none.
#[utoipa::path(
    post, path = "/v1/holds/approval", tag = "retention", params(ErrandHeaders), request_body = HoldsOf,
    responses((status = 204, description = "Agreed"), (status = 409, description = "The same person"), Refusals)
)]
pub(crate) async fn approve_holds(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<HoldsOf>,
) -> Result<HttpResponse, Problem> {
    Holds(&vault)
        .settle_many(&errand, &body.0, Settling::Approve)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Lifts holds that another person put, all or none.
#[utoipa::path(
    post, path = "/v1/holds/lifting", tag = "retention", params(ErrandHeaders), request_body = HoldsOf,
    responses((status = 204, description = "Lifted"), (status = 409, description = "The same person"), Refusals)
)]
pub(crate) async fn lift_holds(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<HoldsOf>,
) -> Result<HttpResponse, Problem> {
    Holds(&vault)
        .settle_many(&errand, &body.0, Settling::Lift)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whose plan.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlanOptions {
    /// The guest.
    guest_id: GuestId,
}

/// How long each drawer of a guest is kept, and why.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlanAnswer {
    guest_id: GuestId,
    categories: Vec<CategoryPlan>,
    /// The ids of the holds in force.
    holds: Vec<Uuid>,
}

/// How long each drawer of a guest is kept: the rule, where it is written, the earliest and the latest date.
#[utoipa::path(
    get, path = "/v1/retention/plan", tag = "retention", params(PlanOptions, ErrandHeaders),
    responses((status = 200, body = PlanAnswer), Refusals)
)]
pub(crate) async fn get_plan(
    vault: Data<Vault>,
    rules: Data<Rules>,
    errand: Errand,
    options: StrictQuery<PlanOptions>,
) -> Result<impl Responder, Problem> {
    let guest_id = options.0.guest_id;
    let (categories, holds) = how_long((&vault, &rules), &errand, guest_id).await?;
    Ok(web::Json(PlanAnswer {
        guest_id,
        categories,
        holds,
    }))
}
