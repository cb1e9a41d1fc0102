//! Look-ups and the day's lists.

use actix_web::{
    Responder,
    web::{self, Data},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    base::{Errand, FieldIndex},
    guest::{By, GuestError, LookupAnswer, StayListAnswer, StayListInput, Vault},
    web::{Kind, Problem, StrictJson},
};

use super::{ErrandHeaders, Refusals, fields};

/// What is known of a guest, and what to show.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookupInput {
    /// One strong identifier, or two attributes.
    by: By,
    /// The fields to show: paths or groups; all, when absent.
    #[serde(default)]
    #[schema(max_items = 100)]
    fields: Vec<String>,
}

/// Finds guests by what they say of themselves: at most five candidates, best first.
#[utoipa::path(
    post, path = "/v1/lookups", tag = "guests", params(ErrandHeaders), request_body = LookupInput,
    responses((status = 200, body = LookupAnswer), Refusals)
)]
pub(crate) async fn post_lookup(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<LookupInput>,
) -> Result<impl Responder, Problem> {
    let wanted = wanted(&vault, &body.0.fields)?;
    Ok(web::Json(vault.look_up(&errand, &body.0.by, &wanted).await?))
}

/// The day's guests of a property: arrivals, in house, departures.
#[utoipa::path(
    post, path = "/v1/stay-lists", tag = "guests", params(ErrandHeaders), request_body = StayListInput,
    responses((status = 200, body = StayListAnswer), Refusals)
)]
pub(crate) async fn post_stay_list(
    vault: Data<Vault>,
    errand: Errand,
    body: StrictJson<StayListInput>,
) -> Result<impl Responder, Problem> {
    let wanted = wanted(&vault, &body.0.fields)?;
    Ok(web::Json(vault.stay_list(&errand, &body.0, &wanted).await?))
}

fn wanted(vault: &Vault, words: &[String]) -> Result<Vec<FieldIndex>, Problem> {
    if words.len() > 100 {
        return Err(Problem::new(Kind::InvalidRequest).field("fields", "name at most 100 fields"));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fields(&vault.policies.current(), &words).map_err(|error: GuestError| error.into())
}
