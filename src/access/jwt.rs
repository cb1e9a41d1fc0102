//! Access tokens of configured issuers (RFC 9068, checked as RFC 8725 asks).
//!
//! The algorithm comes from the configuration, the key from the issuer's own set, never from the token. A token that
//! was verified is remembered by its hash until it ends or the issuer's keys change: checking a signature costs as
//! much as the rest of a read.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, dangerous::insecure_decode_claims, decode, decode_header,
};
use moka::sync::Cache;
use serde_json::Value;

use super::{
    jwks::{JwksError, Keys},
    signature,
    token::{self, TokenError, Told, Use},
};
use crate::{
    base::{Caller, Clock},
    config::{IssuerConfig, JwksSource},
    crypto,
};

/// A longer token is refused unread.
const LONGEST: usize = 8 * 1024;
/// Verified tokens that are remembered.
const REMEMBERED: u64 = 10_000;

/// Could not use the configured issuers.
#[derive(Debug, thiserror::Error)]
pub enum IssuersError {
    /// A section lacks what would make it safe.
    #[error("issuer {issuer}: {wrong}")]
    Section {
        /// Which issuer.
        issuer: String,
        /// What to mend.
        wrong: &'static str,
    },
    /// The keys' file or address cannot be used.
    #[error("issuer {issuer}: {cause}")]
    Keys {
        /// Which issuer.
        issuer: String,
        /// Why.
        #[source]
        cause: JwksError,
    },
}

pub(super) struct Issuer {
    config: IssuerConfig,
    keys: Arc<Keys>,
}

struct Verified {
    issuer: usize,
    generation: u64,
    until: i64,
    caller: Caller,
}

/// The issuers whose tokens are believed.
pub struct Issuers {
    known: Vec<Issuer>,
    verified: Cache<[u8; 32], Arc<Verified>>,
    clock: Clock,
}

impl Issuers {
    /// Checks the configuration and reads the keys. An issuer that does not answer yet is asked again when a token of
    /// it comes.
    ///
    /// # Errors
    /// When a section is incomplete, two are for the same issuer, or a file of keys cannot be used.
    pub async fn open(configs: &[IssuerConfig], clock: Clock) -> Result<Self, IssuersError> {
        signature::install();
        let mut issuers: Vec<Issuer> = Vec::with_capacity(configs.len());
        for config in configs {
            let twice = issuers.iter().any(|i| i.config.issuer == config.issuer);
            check(config, twice)?;
            issuers.push(Issuer::open(config, clock.clone()).await?);
        }
        Ok(Self {
            known: issuers,
            verified: Cache::new(REMEMBERED),
            clock,
        })
    }

    /// The caller of an access token.
    ///
    /// # Errors
    /// Why it is refused; for the log, not for the caller.
    pub async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::TooLarge);
        }
        let hash = crypto::sha256(token.as_bytes());
        if let Some(known) = self.remembered(&hash) {
            return Ok(known.caller.clone());
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        let (at, issuer) = self.issuer_of(token)?;
        let id = token::check_header(&header, &issuer.config, Use::Access)?;
        // Read before the key: if the set changes in between, the token is only verified once more.
        let generation = issuer.keys.generation();
        let key = issuer.key(id, header.alg).await?;
        let claims = signed(token, &key, &header, &issuer.config)?;
        let Told { caller, until } = token::caller(&claims, &issuer.config, self.clock.now(), Use::Access)?;
        let verified = Verified {
            issuer: at,
            generation,
            until,
            caller: caller.clone(),
        };
        self.verified.insert(hash, Arc::new(verified));
        Ok(caller)
    }

    fn remembered(&self, hash: &[u8; 32]) -> Option<Arc<Verified>> {
        let known = self.verified.get(hash)?;
        let issuer = self.known.get(known.issuer)?;
        issuer.refresh_keys();
        if known.generation != issuer.keys.generation() || self.clock.now().timestamp() >= known.until {
            self.verified.invalidate(hash);
            return None;
        }
        Some(known)
    }

    /// Chooses by a claim that nobody has checked yet: it only picks whose rules the token must then meet.
    fn issuer_of(&self, token: &str) -> Result<(usize, &Issuer), TokenError> {
        let claims: Value = insecure_decode_claims(token).map_err(|_| TokenError::Malformed)?;
        let named = claims
            .get("iss")
            .and_then(Value::as_str)
            .ok_or(TokenError::Claims)?;
        let found = self
            .known
            .iter()
            .enumerate()
            .find(|(_, i)| i.config.issuer == named);
        found.ok_or(TokenError::Addressee)
    }
}

impl Issuer {
    pub(super) async fn open(config: &IssuerConfig, clock: Clock) -> Result<Self, IssuersError> {
        let failed = |cause| IssuersError::Keys {
            issuer: config.issuer.clone(),
            cause,
        };
        let keys = Keys::new(&config.jwks, clock).map_err(failed)?;
        match (keys.refetch().await, &config.jwks) {
            (Err(cause), JwksSource::File(_)) => return Err(failed(cause)),
            (Err(cause), JwksSource::Url(_)) => complain(&config.issuer, &cause),
            (Ok(()), _) => {}
        }
        Ok(Self {
            config: config.clone(),
            keys: Arc::new(keys),
        })
    }

    /// Who an ID token says has signed in, for the sign-in that this nonce was made for.
    pub(super) async fn signed_in(
        &self,
        id_token: &str,
        nonce: &str,
        now: DateTime<Utc>,
    ) -> Result<Caller, TokenError> {
        if id_token.len() > LONGEST {
            return Err(TokenError::TooLarge);
        }
        let header = decode_header(id_token).map_err(|_| TokenError::Malformed)?;
        let id = token::check_header(&header, &self.config, Use::Id)?;
        let key = self.key(id, header.alg).await?;
        let claims = signed(id_token, &key, &header, &self.config)?;
        let said = claims.get("nonce").and_then(Value::as_str).unwrap_or_default();
        if !crypto::same(said.as_bytes(), nonce.as_bytes()) {
            return Err(TokenError::Nonce);
        }
        token::caller(&claims, &self.config, now, Use::Id).map(|told| told.caller)
    }

    async fn key(&self, id: &str, algorithm: Algorithm) -> Result<DecodingKey, TokenError> {
        self.refresh_keys();
        if let Some(key) = self.known_key(id, algorithm) {
            return Ok(key);
        }
        if let Err(cause) = self.keys.refetch().await {
            complain(&self.config.issuer, &cause);
        }
        let missing = if self.keys.current().is_some() {
            TokenError::UnknownKey
        } else {
            TokenError::NoKeys
        };
        self.known_key(id, algorithm).ok_or(missing)
    }

    fn known_key(&self, id: &str, algorithm: Algorithm) -> Option<DecodingKey> {
        self.keys.current()?.find(id, algorithm).cloned()
    }

    /// Fetches an old set anew in the background, so that a withdrawn key is forgotten without any request waiting.
    fn refresh_keys(&self) {
        if self.keys.is_old() {
            let (keys, issuer) = (Arc::clone(&self.keys), self.config.issuer.clone());
            tokio::spawn(async move {
                if let Err(cause) = keys.refresh_if_old().await {
                    complain(&issuer, &cause);
                }
            });
        }
    }
}

fn complain(issuer: &str, cause: &JwksError) {
    if matches!(cause, JwksError::Empty) {
        return tracing::warn!(issuer, error = %cause, "no key of an issuer is left; its tokens are refused");
    }
    tracing::warn!(issuer, error = %cause, "the keys of an issuer could not be read; the last good ones stay in use");
}

/// The claims, if the signature is good and issuer and audience are the configured ones. Times are checked by the
/// vault's own clock.
fn signed(
    token: &str,
    key: &DecodingKey,
    header: &Header,
    issuer: &IssuerConfig,
) -> Result<Value, TokenError> {
    let mut rules = Validation::new(header.alg);
    rules.set_issuer(&[&issuer.issuer]);
    rules.set_audience(&[&issuer.audience]);
    rules.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    rules.validate_exp = false;
    decode(token, key, &rules)
        .map(|data| data.claims)
        .map_err(|_| TokenError::Signature)
}

fn check(config: &IssuerConfig, twice: bool) -> Result<(), IssuersError> {
    let wrong = if twice {
        "configured twice; remove one section"
    } else if config.issuer.is_empty() || config.audience.is_empty() {
        "issuer and audience must not be empty"
    } else if config.algorithms.is_empty() {
        "algorithms must name at least one"
    } else if config.roles.is_empty() {
        "roles must map at least one value of the role claim, or no token gives any right"
    } else if config.leeway_seconds > 300 {
        "leeway_seconds is at most 300"
    } else {
        return Ok(());
    };
    Err(IssuersError::Section {
        issuer: config.issuer.clone(),
        wrong,
    })
}
