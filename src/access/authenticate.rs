//! The door of `/v1`: no credential, no entry, for the whole scope at once. What handlers take afterwards:
//! a [`Caller`], or an [`Errand`] where guest data is touched.

use std::{future::Future, pin::Pin};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::{EitherBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header::{AUTHORIZATION, HeaderMap},
    middleware::Next,
    web::Data,
};

use super::{Access, AccessError, ErrandError, Known, errand, errand::acting};
use crate::{
    audit::{Act, Event},
    base::{Caller, Errand, RequestId},
    web::{Kind, Problem},
};

/// Lets a request pass that carries a good credential and keeps to its principal's rate, and leaves the [`Caller`] in
/// its extensions; answers the others.
///
/// # Errors
/// What the handlers behind it give.
pub async fn authenticate<B: MessageBody + 'static>(
    access: Data<Access>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let id = request.extensions().get::<RequestId>().copied();
    let id = id.unwrap_or_else(RequestId::random);
    let caller = match bearer(request.headers()) {
        Some(bearer) => access.caller(bearer, id).await,
        None => Err(AccessError::Unauthenticated),
    };
    match caller {
        Ok(caller) => {
            let within = access.rates.principal(caller.principal);
            let attested = match &within {
                Ok(()) => access.attestations.check(&caller, request.headers(), id).await,
                Err(_) => Ok(()),
            };
            // Also before a refusal, for the access log.
            request.extensions_mut().insert(caller);
            match within.and(attested.map_err(Problem::from)) {
                Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
                Err(problem) => Ok(problem.refuse(request).map_into_right_body()),
            }
        }
        Err(error) => {
            metrics::counter!("guest_vault_credentials_refused_total").increment(1);
            Ok(Problem::from(error).refuse(request).map_into_right_body())
        }
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unauthenticated => {
                Self::new(Kind::Unauthenticated).detail("The credential is missing, invalid or expired.")
            }
            AccessError::NotAttested(kind) => Self::new(Kind::NotAttested)
                .detail(format!("The attestation `{kind}` is missing or has lapsed.")),
            AccessError::Unavailable | AccessError::Store(_) | AccessError::Commit(_) => {
                Self::new(Kind::Unavailable)
            }
        }
    }
}

/// The bearer credential (RFC 6750 §2.1): only this header, once. Cookies and parameters are never looked at.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION);
    let text = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, credential) = text.split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then_some(credential)
}

fn caller(request: &HttpRequest) -> Result<Caller, Problem> {
    // Missing only outside the authenticated scope; then nobody has a right.
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .ok_or(Problem::new(Kind::Unauthenticated))
}

fn known(request: &HttpRequest) -> Result<&Known, Problem> {
    let known = request.app_data::<Data<Known>>();
    known
        .map(|known| known.as_ref())
        .ok_or(Problem::new(Kind::Internal))
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let acting = || {
            let caller = caller(request)?;
            Ok(acting(request.headers(), &caller, known(request)?)?)
        };
        std::future::ready(acting())
    }
}

impl FromRequest for Errand {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { of_request(&request).await })
    }
}

async fn of_request(request: &HttpRequest) -> Result<Errand, Problem> {
    let caller = caller(request)?;
    let known = known(request)?;
    let id = request
        .extensions()
        .get::<RequestId>()
        .copied()
        .unwrap_or_else(RequestId::random);
    let outcome = errand(request.headers(), &caller, id, known);
    if matches!(outcome, Err(ErrandError::OutOfScope)) {
        denied(request, &caller, id).await?;
    }
    outcome.map_err(Problem::from)
}

/// Records an attempt on another's property; without the record there is no answer to it.
async fn denied(request: &HttpRequest, caller: &Caller, id: RequestId) -> Result<(), Problem> {
    let access = request
        .app_data::<Data<Access>>()
        .ok_or(Problem::new(Kind::Internal))?;
    let event = Event::by(caller, Act::Call, id, access.clock.now()).denied("property_out_of_scope");
    access
        .log
        .record(event, ())
        .await
        .map(drop)
        .map_err(|_| Problem::new(Kind::Unavailable))
}
