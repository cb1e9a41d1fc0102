//! `Idempotency-Key`: the same key and body give the same answer for a day, another body is refused.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use chrono::Duration;

use crate::{
    base::{Caller, micros},
    crypto::same,
    keys::MacPurpose,
    web::{Kind, Problem},
};

use super::{GuestError, Vault};

/// How long an answer is kept.
const KEPT: Duration = Duration::hours(24);
/// The longest key.
const LONGEST: usize = 255;

/// Runs a creating call once per key. `run` gives the answer's body.
///
/// # Errors
/// [`Kind::IdempotencyConflict`] when the key came with another body; what `run` fails with, which is not kept.
pub(crate) async fn once<F>(
    vault: &Vault,
    caller: &Caller,
    request: &HttpRequest,
    body: &[u8],
    run: F,
) -> Result<HttpResponse, Problem>
where
    F: Future<Output = Result<(StatusCode, Vec<u8>), Problem>>,
{
    let Some(given) = key(request)? else {
        let (status, answer) = run.await?;
        return Ok(respond(status, answer));
    };
    let mac = vault.keys.mac(MacPurpose::Content);
    let code = mac.mac_of(&[b"idempotency-key", given.as_bytes()]);
    let target = format!("{} {}", request.method(), request.path());
    let content = mac.mac_of(&[b"idempotency-body", target.as_bytes(), body]);
    if let Some(answer) = kept(vault, caller, &code, &content).await? {
        return Ok(answer);
    }
    let (status, answer) = run.await?;
    keep(vault, caller, (&code, &content), status, &answer)
        .await
        .map_err(Problem::from)?;
    Ok(respond(status, answer))
}

fn key(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let Some(value) = request.headers().get("Idempotency-Key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=LONGEST).contains(&key.len()) && !key.contains('\t') => Ok(Some(key)),
        _ => Err(Problem::new(Kind::InvalidRequest)
            .field("Idempotency-Key", "must be 1 to 255 visible ASCII characters")),
    }
}

async fn kept(
    vault: &Vault,
    caller: &Caller,
    key: &[u8],
    body: &[u8],
) -> Result<Option<HttpResponse>, Problem> {
    let now = micros(vault.clock.now());
    let mut conn = vault.store.read().await.map_err(GuestError::from)?;
    let found = conn
        .idempotent_answer(caller.principal.0, key, now)
        .await
        .map_err(GuestError::from)?;
    let Some((stored_body, status, answer)) = found else {
        return Ok(None);
    };
    if !same(&stored_body, body) {
        return Err(Problem::new(Kind::IdempotencyConflict));
    }
    let plain = vault
        .keys
        .open_own("idempotency", caller.principal.0, &answer)
        .map_err(|_| Problem::new(Kind::Damaged))?;
    let status = u16::try_from(status)
        .ok()
        .and_then(|s| StatusCode::from_u16(s).ok())
        .unwrap_or(StatusCode::OK);
    Ok(Some(respond(status, plain.to_vec())))
}

async fn keep(
    vault: &Vault,
    caller: &Caller,
    (key, body): (&[u8], &[u8]),
    status: StatusCode,
    answer: &[u8],
) -> Result<(), GuestError> {
    let now = vault.clock.now();
    let sealed = vault
        .keys
        .seal_own("idempotency", caller.principal.0, answer)?
        .into_bytes();
    let mut tx = vault.store.begin().await?;
    tx.sweep_answers(micros(now)).await?;
    let answer = (i64::from(status.as_u16()), sealed.as_slice());
    tx.keep_answer(
        caller.principal.0,
        key,
        body,
        answer,
        (micros(now), micros(now + KEPT)),
    )
    .await?;
    Ok(tx.commit().await?)
}

fn respond(status: StatusCode, body: Vec<u8>) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("application/json")
        .body(body)
}
