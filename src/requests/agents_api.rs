//! The calls of the Data Rights Protocol 1.0, under `/drp`: an agent's base address is `https://…/drp`.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    web::{self, Bytes, Data},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    guest::api::Refusals,
    web::{Kind, Problem, path_id, request::request_id},
};

use super::agents::{AgentDesk, AgentError, AgentStatus};

/// The calls; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(post_agent, get_agent, post_data_rights, get_data_rights, delete_data_rights))]
pub struct AgentCalls;

impl From<AgentError> for Problem {
    fn from(error: AgentError) -> Self {
        match error {
            AgentError::Request(error) => error.into(),
            AgentError::Stranger => Self::new(Kind::Unauthenticated),
            AgentError::Refused(why) => Self::new(Kind::Forbidden).detail(why),
            AgentError::Bad(why) => Self::new(Kind::InvalidRequest).detail(why),
            AgentError::Replayed => Self::new(Kind::Conflict).detail("This message was taken in before."),
        }
    }
}

/// The token of an agent's later calls.
#[derive(Serialize, ToSchema)]
pub(crate) struct AgentToken {
    /// The agent.
    #[serde(rename = "agent-id")]
    #[schema(max_length = 50)]
    agent_id: String,
    /// Sent as `Authorization: Bearer …`.
    #[schema(max_length = 100)]
    token: String,
}

fn token(request: &HttpRequest) -> &str {
    let header = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    header
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default()
}

/// An agent proves by a signed message who it is, and gets the token of its later calls.
#[utoipa::path(
    post, path = "/drp/v1/agent/{id}", tag = "drp", params(("id" = String, Path, max_length = 50)),
    request_body(content = String, content_type = "text/plain"),
    responses(
        (status = 200, body = AgentToken),
        (status = 403, description = "Not signed by this agent for this house, now"),
        Refusals
    ),
    security(())
)]
pub(crate) async fn post_agent(
    desk: Data<AgentDesk>,
    id: web::Path<String>,
    body: Bytes,
) -> Result<HttpResponse, Problem> {
    // The protocol: whatever fails, 403 and nothing else.
    let Ok(token) = desk.greet(&id, &body) else {
        return Ok(HttpResponse::Forbidden().finish());
    };
    Ok(HttpResponse::Ok().json(AgentToken {
        agent_id: id.into_inner(),
        token,
    }))
}

/// Whether a token is still this agent's.
#[utoipa::path(
    get, path = "/drp/v1/agent/{id}", tag = "drp", params(("id" = String, Path, max_length = 50)),
    responses((status = 200, description = "It is"), Refusals)
)]
pub(crate) async fn get_agent(
    desk: Data<AgentDesk>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    if desk.agent(token(&request))?.id == *id {
        return Ok(HttpResponse::Ok().json(serde_json::json!({})));
    }
    Err(Problem::new(Kind::Forbidden))
}

/// Takes a request in that an agent has signed: base64 of an Ed25519 signature and the JSON that it is over.
#[utoipa::path(
    post, path = "/drp/v1/data-rights-request", tag = "drp",
    request_body(content = String, content_type = "text/plain"),
    responses((status = 200, body = AgentStatus), (status = 409, description = "Taken in before"), Refusals)
)]
pub(crate) async fn post_data_rights(
    desk: Data<AgentDesk>,
    body: Bytes,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let status = Box::pin(desk.ask(request_id(&request), token(&request), &body)).await?;
    Ok(web::Json(status))
}

/// Where a request stands that this agent brought.
#[utoipa::path(
    get, path = "/drp/v1/data-rights-request/{id}", tag = "drp", params(("id" = Uuid, Path)),
    responses((status = 200, body = AgentStatus), Refusals)
)]
pub(crate) async fn get_data_rights(
    desk: Data<AgentDesk>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let id: Uuid = path_id(&id)?;
    Ok(web::Json(
        desk.look(request_id(&request), token(&request), id).await?,
    ))
}

/// Takes a request back that this agent brought: base64 of an Ed25519 signature and the JSON that it is over.
#[utoipa::path(
    delete, path = "/drp/v1/data-rights-request/{id}", tag = "drp", params(("id" = Uuid, Path)),
    request_body(content = String, content_type = "text/plain"),
    responses((status = 200, body = AgentStatus), (status = 409, description = "Done, or on its way"), Refusals)
)]
pub(crate) async fn delete_data_rights(
    desk: Data<AgentDesk>,
    id: web::Path<String>,
    body: Bytes,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let id: Uuid = path_id(&id)?;
    Ok(web::Json(
        desk.revoke(request_id(&request), token(&request), (id, &body))
            .await?,
    ))
}
