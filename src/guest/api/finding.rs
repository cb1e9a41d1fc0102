//! Look-ups and the day's lists.

use actix_web::{
    Responder,
    web::{self, Data},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    base::{Errand, FieldIndex, GuestId},
    guest::{By, GuestError, LookupAnswer, StayListAnswer, StayListInput, Vault},
    web::{Kind, Problem, StrictJson, StrictQuery},
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

/// Which page of the day's guests, as for any list; the body may say it as well.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StayListPage {
    /// Guests per answer, 1 to 1000.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u16>,
    /// Where the answer begins: the `next_cursor` of the one before.
    #[param(value_type = Option<String>, max_length = 40)]
    cursor: Option<GuestId>,
}

/// The day's guests of a property: arrivals, in house, departures.
#[utoipa::path(
    post, path = "/v1/stay-lists", tag = "guests", params(StayListPage, ErrandHeaders), request_body = StayListInput,
    responses((status = 200, body = StayListAnswer), Refusals)
)]
pub(crate) async fn post_stay_list(
    vault: Data<Vault>,
    errand: Errand,
    page: StrictQuery<StayListPage>,
    body: StrictJson<StayListInput>,
) -> Result<impl Responder, Problem> {
    let mut asked = body.0;
    asked.limit = said_once("limit", page.0.limit, asked.limit)?;
    asked.cursor = said_once("cursor", page.0.cursor, asked.cursor)?;
    let wanted = wanted(&vault, &asked.fields)?;
    Ok(web::Json(vault.stay_list(&errand, &asked, &wanted).await?))
}

fn said_once<T: PartialEq>(name: &str, query: Option<T>, body: Option<T>) -> Result<Option<T>, Problem> {
    match (query, body) {
        (Some(query), Some(body)) if query != body => {
            Err(Problem::new(Kind::InvalidRequest).field(name, "differs between the query and the body"))
        }
        (query, body) => Ok(query.or(body)),
    }
}

/// No more words for fields than the contract lets a call have.
pub(super) fn few(words: &[String]) -> Result<(), Problem> {
    if words.len() > 100 {
        return Err(Problem::new(Kind::InvalidRequest).field("fields", "name at most 100 fields"));
    }
    Ok(())
}

fn wanted(vault: &Vault, words: &[String]) -> Result<Vec<FieldIndex>, Problem> {
    few(words)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fields(&vault.policies.current(), &words).map_err(|error: GuestError| error.into())
}
