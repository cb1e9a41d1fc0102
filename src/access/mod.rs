//! Floor 4: who calls. API keys of this vault and access tokens of configured issuers become a [`Caller`], and the
//! headers of a call become an [`Errand`](crate::base::Errand): for which property, why, on whose orders.
//!
//! A refused credential is told apart from a missing one in the log only. Nothing here decides what a caller may
//! see: that is policy. No secret is stored, and no secret, token or header value is ever logged.

mod api_key;
mod attestation;
mod authenticate;
mod bearer;
mod budget;
mod errand;
mod jwks;
mod jwt;
mod lookup;
mod openid;
mod principals;
mod session;
mod signature;
pub mod sql;
mod staff_id;
mod token;

use std::sync::Arc;

use chrono::{DateTime, Utc};

pub use api_key::{ApiKey, SecretHash, SecretHashKey};
pub use attestation::{Attestations, Attested, Holder};
pub use authenticate::authenticate;
pub use bearer::Bearer;
pub use budget::{Budgets, Exceeded};
pub use errand::{ErrandError, Known, errand, reason_in};
pub use jwks::JwksError;
pub use jwt::{Issuers, IssuersError};
pub use openid::{Answer, Begun, OpenId, OpenIdError};
pub use principals::{OPERATOR, Principals, operator};
pub use session::{Lifetime, Session, Sessions, SignedIn};
pub use staff_id::{InvalidStaffId, StaffId};
pub use token::TokenError;

use crate::{
    audit::{CommitError, Log},
    base::{Caller, Clock, PrincipalId, PropertyCode, RequestId, Role},
    store::StoreError,
    web::RateLimits,
};

/// Everything that turns a credential into a caller. Built once, shared by all workers.
#[derive(Clone)]
pub struct Access {
    /// API keys of this vault.
    pub principals: Arc<Principals>,
    /// Tokens of others.
    pub issuers: Arc<Issuers>,
    /// What holders of roles must have current.
    pub attestations: Arc<Attestations>,
    /// How often one principal may call.
    pub rates: Arc<RateLimits>,
    /// Where attempts on other people's properties are recorded.
    pub log: Log,
    /// When.
    pub clock: Clock,
}

impl Access {
    /// The caller of a bearer credential (RFC 6750): an API key when it begins with `gv_`, else an access token.
    ///
    /// # Errors
    /// [`AccessError::Unauthenticated`] when it proves nothing now; [`AccessError::NotAttested`], recorded; the others
    /// when it cannot be checked now.
    pub async fn caller(&self, bearer: &str, request: RequestId) -> Result<Caller, AccessError> {
        if bearer.starts_with(ApiKey::PREFIX) {
            let key = ApiKey::parse(bearer).ok_or(AccessError::Unauthenticated)?;
            return self.principals.authenticate(&key).await;
        }
        let error = match self.issuers.verify(bearer).await {
            Ok(caller) => return Ok(caller),
            Err(error) => error,
        };
        tracing::info!(reason = %error, "an access token was refused");
        match error {
            TokenError::NoKeys => Err(AccessError::Unavailable),
            TokenError::NotAttested(caller) => {
                self.attestations
                    .refuse(&caller, "token".to_owned(), request)
                    .await
            }
            _ => Err(AccessError::Unauthenticated),
        }
    }
}

/// Could not tell who calls, or could not change who may.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The credential is missing, malformed, unknown, expired or revoked: the caller is not told which.
    #[error("the credential is missing, invalid or expired")]
    Unauthenticated,
    /// An attestation of this kind is missing or has lapsed.
    #[error("the attestation `{0}` is missing or has lapsed")]
    NotAttested(String),
    /// The database or the issuer's keys cannot be had now.
    #[error("credentials cannot be checked at the moment")]
    Unavailable,
    /// What the database says about a change.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A change whose record is missing or whose outcome is unknown.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// What a new principal shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPrincipal {
    /// What people call it: a service or a post, never a person.
    pub name: String,
    /// Its one role.
    pub role: Role,
    /// The properties, brands and groups it may act for.
    pub scope: Vec<PropertyCode>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A principal with an API key, as it can be shown: without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its id.
    pub id: PrincipalId,
    /// What people call it.
    pub name: String,
    /// Its one role.
    pub role: Role,
    /// The properties, brands and groups it may act for.
    pub scope: Vec<PropertyCode>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// By which principal; `None` for the operator.
    pub created_by: Option<PrincipalId>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Principal {
    /// Whether its key opens anything at this moment.
    #[must_use]
    pub fn standing(&self, now: DateTime<Utc>) -> Standing {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => Standing::Revoked,
            (None, Some(end)) if end <= now => Standing::Expired,
            _ => Standing::Active,
        }
    }
}

/// How a principal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its key is good.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl Standing {
    /// The word for lists.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// How revoking ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// It holds from the next request on.
    Done,
    /// It was revoked before.
    Before,
    /// There is no such principal.
    Unknown,
}

#[cfg(test)]
mod tests;
