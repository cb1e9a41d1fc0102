//! The calls of the provable log: C2SP `tlog-tiles` below `/v1/audit/log`, and proofs.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::header,
    web::{self, Data},
};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    audit::tlog::{Hash, tile::Place},
    base::Caller,
    web::{Kind, Problem, StrictQuery, request_id},
};

use super::{GuestError, Vault, api::Refusals};

/// The calls of this file; the routes are in `routes.rs`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    get_checkpoint,
    get_cosigned,
    get_minimum,
    get_tile,
    get_inclusion,
    get_consistency,
    get_receipt
))]
pub struct LogCalls;

/// The newest signed checkpoint of the log.
#[utoipa::path(
    get, path = "/v1/audit/log/checkpoint", tag = "audit",
    responses((status = 200, body = String, content_type = "text/plain"), Refusals)
)]
pub(crate) async fn get_checkpoint(
    vault: Data<Vault>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let log = vault.provable_log(&caller, request_id(&request)).await?;
    let found = log.checkpoint().await.map_err(GuestError::from)?;
    let (_, checkpoint) = found.ok_or(Problem::new(Kind::NotFound))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(checkpoint))
}

/// The newest checkpoint that a witness has cosigned, with all lines; the newest of all may have grown since.
#[utoipa::path(
    get, path = "/v1/audit/log/cosigned", tag = "audit",
    responses((status = 200, body = String, content_type = "text/plain"), Refusals)
)]
pub(crate) async fn get_cosigned(
    vault: Data<Vault>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let log = vault.provable_log(&caller, request_id(&request)).await?;
    let found = vault.cosigned(&log).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(found.ok_or(Problem::new(Kind::NotFound))?))
}

/// The index of the first entry that is there (the minimum index of C2SP `tlog-tiles`); those before it are pruned.
#[utoipa::path(
    get, path = "/v1/audit/log/minimum", tag = "audit",
    responses((status = 200, body = String, content_type = "text/plain"), Refusals)
)]
pub(crate) async fn get_minimum(
    vault: Data<Vault>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let log = vault.provable_log(&caller, request_id(&request)).await?;
    let minimum = log.minimum().await.map_err(GuestError::from)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(format!("{minimum}\n")))
}

/// A tile of hashes (`{level}/{index}`) or a bundle of entries (`entries/{index}`), as C2SP `tlog-tiles` spells it,
/// partial ones with `.p/{width}`.
#[utoipa::path(
    get, path = "/v1/audit/log/tile/{path}", tag = "audit",
    params(("path" = String, Path, example = "entries/x001/234.p/7", max_length = 60)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), Refusals)
)]
pub(crate) async fn get_tile(
    vault: Data<Vault>,
    caller: Caller,
    path: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let place = Place::parse(&path).ok_or(Problem::new(Kind::NotFound))?;
    let bytes = vault.read_log(&caller, request_id(&request), place).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .body(bytes))
}

/// Which entry, in which tree.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct InclusionOptions {
    /// The entry.
    index: u64,
    /// The size of the tree.
    size: u64,
}

/// Proof that an entry is in the log (RFC 6962 §2.1.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct InclusionAnswer {
    index: u64,
    size: u64,
    /// The hash of the entry, base64.
    leaf_hash: String,
    /// Hashes from the entry upwards, base64.
    proof: Vec<String>,
}

/// Proves that an entry is in the log of a size.
#[utoipa::path(
    get, path = "/v1/audit/proofs/inclusion", tag = "audit", params(InclusionOptions),
    responses((status = 200, body = InclusionAnswer), Refusals)
)]
pub(crate) async fn get_inclusion(
    vault: Data<Vault>,
    caller: Caller,
    options: StrictQuery<InclusionOptions>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let InclusionOptions { index, size } = options.0;
    let log = vault.provable_log(&caller, request_id(&request)).await?;
    let (leaf, proof) = log.inclusion(index, size).await.map_err(GuestError::from)?;
    Ok(web::Json(InclusionAnswer {
        index,
        size,
        leaf_hash: BASE64.encode(&leaf),
        proof: spelt(&proof),
    }))
}

/// Between which sizes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConsistencyOptions {
    /// The older size, at least 1.
    from: u64,
    /// The newer size.
    to: u64,
}

/// Proof that the log only grew (RFC 6962 §2.1.2).
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsistencyAnswer {
    from: u64,
    to: u64,
    /// Hashes, base64.
    proof: Vec<String>,
}

/// Proves that the log only grew between two sizes.
#[utoipa::path(
    get, path = "/v1/audit/proofs/consistency", tag = "audit", params(ConsistencyOptions),
    responses((status = 200, body = ConsistencyAnswer), Refusals)
)]
pub(crate) async fn get_consistency(
    vault: Data<Vault>,
    caller: Caller,
    options: StrictQuery<ConsistencyOptions>,
    request: HttpRequest,
) -> Result<impl Responder, Problem> {
    let ConsistencyOptions { from, to } = options.0;
    let log = vault.provable_log(&caller, request_id(&request)).await?;
    let proof = log.consistency(from, to).await.map_err(GuestError::from)?;
    Ok(web::Json(ConsistencyAnswer {
        from,
        to,
        proof: spelt(&proof),
    }))
}

/// Which entry.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReceiptOptions {
    /// The entry.
    index: u64,
}

/// A receipt that proves offline that an entry is in the log: a `.tlog-proof` file of C2SP `tlog-proof`.
#[utoipa::path(
    get, path = "/v1/audit/proofs/receipt", tag = "audit", params(ReceiptOptions),
    responses((status = 200, body = String, content_type = "text/plain"), Refusals)
)]
pub(crate) async fn get_receipt(
    vault: Data<Vault>,
    caller: Caller,
    options: StrictQuery<ReceiptOptions>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let index = options.0.index;
    let log = vault.provable_log(&caller, request_id(&request)).await?;
    let receipt = log.receipt(index).await.map_err(GuestError::from)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .body(receipt))
}

fn spelt(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| BASE64.encode(hash)).collect()
}
