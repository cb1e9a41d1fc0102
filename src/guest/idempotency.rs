//! `Idempotency-Key`: the same key and body give the same answer for a day, another body is refused.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, rt};
use chrono::Duration;
use serde::Serialize;
use uuid::Uuid;

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

/// For how long a call may be under way: after that its key is free again, because it died with its process.
const CLAIMED: Duration = Duration::minutes(2);
/// How often, and how many times, a call looks whether the same one that is under way is done.
const LOOK: std::time::Duration = std::time::Duration::from_millis(50);
const LOOKS: usize = 200;

/// What a call is known by: who asks, the key, and what is asked for.
struct Call {
    principal: Uuid,
    key: [u8; 32],
    body: [u8; 32],
}

/// Runs a call that creates something, once per key; the answer is 201. With a key it goes on to its end also when its
/// caller hangs up: the same call again, by whoever did not hear the answer, must find what was done.
///
/// # Errors
/// [`Kind::IdempotencyConflict`] when the key came with another body, or for another property, purpose or person;
/// [`Kind::Unavailable`] when the same call has been under way for long; what `run` fails with, which is not kept.
pub(crate) async fn once<T, F>(
    vault: &Vault,
    caller: &Caller,
    request: &HttpRequest,
    body: &[u8],
    run: F,
) -> Result<HttpResponse, Problem>
where
    T: Serialize + 'static,
    F: Future<Output = Result<T, Problem>> + 'static,
{
    let run = async { serde_json::to_vec(&run.await?).map_err(|_| Problem::new(Kind::Internal)) };
    let Some(given) = key(request)? else {
        return Ok(respond(StatusCode::CREATED, run.await?));
    };
    let mac = vault.keys.mac(MacPurpose::Content);
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map_or(&b""[..], |value| value.as_bytes())
    };
    let path = request.uri().path_and_query();
    let target = format!(
        "{} {}",
        request.method(),
        path.map_or(request.path(), |path| path.as_str())
    );
    let (property, purpose) = (header("Vault-Property"), header("Vault-Purpose"));
    let call = Call {
        principal: caller.principal.0,
        key: mac.mac_of(&[b"idempotency-key", given.as_bytes()]),
        // With the errand and who runs it: what was allowed for one purpose, or done by one person, is not answered for
        // another.
        body: mac.mac_of(&[
            b"idempotency-body",
            target.as_bytes(),
            b"\n",
            property,
            b"\n",
            purpose,
            b"\n",
            caller.actor.as_deref().unwrap_or_default().as_bytes(),
            b"\n",
            body,
        ]),
    };
    for _ in 0..LOOKS {
        if let Some(answer) = kept(vault, &call).await? {
            return Ok(answer);
        }
        if claim(vault, &call).await.map_err(Problem::from)? {
            let vault = vault.clone();
            let running = rt::spawn(async move {
                let outcome = run.await;
                settle(&vault, &call, outcome.as_deref().ok()).await?;
                outcome
            });
            let answer = running.await.map_err(|_| Problem::new(Kind::Internal))??;
            return Ok(respond(StatusCode::CREATED, answer));
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Problem::new(Kind::Unavailable).detail("The same call is still being answered. Ask again."))
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

/// The answer that is kept; none while the call is under way.
async fn kept(vault: &Vault, call: &Call) -> Result<Option<HttpResponse>, Problem> {
    let now = micros(vault.clock.now());
    let mut conn = vault.store.read().await.map_err(GuestError::from)?;
    let found = conn
        .idempotent_answer(call.principal, &call.key, now)
        .await
        .map_err(GuestError::from)?;
    let Some((body, status, answer)) = found else {
        return Ok(None);
    };
    if !same(&body, &call.body) {
        return Err(Problem::new(Kind::IdempotencyConflict));
    }
    if status == 0 {
        return Ok(None);
    }
    let plain = vault
        .keys
        .open_own("idempotency", call.principal, &answer)
        .map_err(|_| Problem::new(Kind::Damaged))?;
    let status = u16::try_from(status)
        .ok()
        .and_then(|s| StatusCode::from_u16(s).ok())
        .unwrap_or(StatusCode::OK);
    Ok(Some(respond(status, plain.to_vec())))
}

/// Whether this call is the one that runs.
async fn claim(vault: &Vault, call: &Call) -> Result<bool, GuestError> {
    let now = vault.clock.now();
    let mut tx = vault.store.begin().await?;
    let until = (micros(now), micros(now + CLAIMED));
    let first = tx
        .claim_answer(call.principal, &call.key, &call.body, until)
        .await?;
    tx.commit().await?;
    Ok(first)
}

/// Keeps the answer, or frees the key when there is none.
async fn settle(vault: &Vault, call: &Call, answer: Option<&[u8]>) -> Result<(), GuestError> {
    let now = vault.clock.now();
    let mut tx = vault.store.begin().await?;
    match answer {
        Some(answer) => {
            let sealed = vault
                .keys
                .seal_own("idempotency", call.principal, answer)?
                .into_bytes();
            let answer = (i64::from(StatusCode::CREATED.as_u16()), sealed.as_slice());
            tx.keep_answer(call.principal, &call.key, answer, micros(now + KEPT))
                .await?;
        }
        None => tx.drop_claim(call.principal, &call.key).await?,
    }
    tx.sweep_answers(micros(now)).await?;
    Ok(tx.commit().await?)
}

fn respond(status: StatusCode, body: Vec<u8>) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("application/json")
        .body(body)
}
