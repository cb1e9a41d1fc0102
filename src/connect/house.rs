//! The house as a caller may know it: what an import over the network needs to tell whose a stay is and whose clock a
//! moment is by. It is configuration, says nothing of guests, and is therefore not on record.

use actix_web::{
    Responder,
    web::{self, Data},
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::Refusals;
use crate::{
    base::{Caller, PropertyCode, PropertyKind},
    guest::Vault,
    web::Problem,
};

/// A node of the house.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PropertyAnswer {
    /// Its code.
    pub code: PropertyCode,
    /// What it is.
    pub kind: PropertyKind,
    /// The node above it, when the caller may act for that too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PropertyCode>,
    /// Its name.
    #[schema(max_length = 200)]
    pub name: String,
    /// ISO 3166-1 alpha-2 of where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2)]
    pub region: Option<String>,
    /// IANA time zone.
    #[schema(value_type = String, max_length = 60, example = "Europe/Lisbon")]
    pub timezone: Tz,
}

/// The nodes that a caller may act for.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct PropertiesAnswer {
    /// In the order of the configuration.
    #[schema(max_items = 10_000)]
    pub items: Vec<PropertyAnswer>,
}

/// The properties, brands and groups that the caller may act for.
#[utoipa::path(
    get, path = "/v1/properties", tag = "imports", responses((status = 200, body = PropertiesAnswer), Refusals)
)]
pub(crate) async fn get_properties(vault: Data<Vault>, caller: Caller) -> Result<impl Responder, Problem> {
    let reached = |code: &PropertyCode| vault.properties.covers(&caller.scope, code);
    let nodes = vault.properties.iter().filter(|node| reached(&node.code));
    let items = nodes.map(|node| PropertyAnswer {
        code: node.code.clone(),
        kind: node.kind,
        parent: node.parent.clone().filter(reached),
        name: node.name.clone(),
        region: node.region.clone(),
        timezone: node.timezone,
    });
    Ok(web::Json(PropertiesAnswer {
        items: items.collect(),
    }))
}
