//! What an access token must say (RFC 9068 §4), and the caller it makes. Pure: signatures are checked elsewhere.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, Header};
use serde_json::Value;

use super::StaffId;
use crate::{
    base::{Caller, Credential, PrincipalId, PropertyCode, Role},
    config::{IssuerConfig, SigningAlgorithm},
    crypto,
};

/// More properties than this in one token are refused; a chain-wide role names the group instead.
const MOST_PROPERTIES: usize = 64;
/// Longer client ids and subjects are refused.
const LONGEST_NAME: usize = 255;

/// Why a token is refused. For the log: none of these repeats anything that the token says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than any token that is looked at.
    #[error("the token is too large")]
    TooLarge,
    /// Not a signed JWT, or with an algorithm nobody knows, `none` among them.
    #[error("it is not a signed JWT")]
    Malformed,
    /// Not the kind of token that is wanted.
    #[error("its typ is not the wanted one")]
    Kind,
    /// It brings or names a key of its own.
    #[error("its header names a key (jku, jwk, x5u or x5c)")]
    ForeignKey,
    /// It asks for what the vault does not do.
    #[error("its header has crit, enc or zip")]
    Extension,
    /// Not on the issuer's list.
    #[error("its algorithm is not on the issuer's list")]
    Algorithm,
    /// No `kid`.
    #[error("it names no key id")]
    NoKeyId,
    /// The issuer has no such key.
    #[error("the issuer has no such key for this algorithm")]
    UnknownKey,
    /// The issuer's keys were never had.
    #[error("the issuer's keys are not at hand")]
    NoKeys,
    /// Not signed by the key, or issuer and audience are missing or wrong.
    #[error("the signature, issuer or audience is wrong")]
    Signature,
    /// A required claim is missing or of the wrong type.
    #[error("a claim is missing or of the wrong type")]
    Claims,
    /// Of another sign-in.
    #[error("its nonce is not that of this sign-in")]
    Nonce,
    /// Of another issuer or for another audience.
    #[error("it is of an issuer that is not configured, or for another audience")]
    Addressee,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYet,
    /// It could not be revoked for too long.
    #[error("it is valid for longer than the issuer's longest_seconds")]
    TooLong,
    /// Its holder's confidentiality agreement or training has lapsed.
    #[error("its holder is not attested (any more)")]
    NotAttested(Box<Caller>),
    /// No staff id where the configuration looks for one.
    #[error("the actor claim holds no staff id")]
    Actor,
    /// No role, or more than one.
    #[error("the role claim does not give exactly one configured role")]
    Role,
    /// No property, or too many.
    #[error("the property claim gives no property, or too many")]
    Scope,
}

/// A token's caller, and until when it may be believed.
pub(super) struct Told {
    /// Who it is.
    pub(super) caller: Caller,
    /// When it ends, seconds since 1970.
    pub(super) until: i64,
}

/// What a token is for. Others of the same issuer are signed with the same key (RFC 8725 §3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// An access token (RFC 9068).
    Access,
    /// An ID token (`OpenID` Connect Core 1.0 §2).
    Id,
}

impl Use {
    fn is(self, kind: &str) -> bool {
        match self {
            Self::Access => {
                kind.eq_ignore_ascii_case("at+jwt") || kind.eq_ignore_ascii_case("application/at+jwt")
            }
            Self::Id => kind.is_empty() || kind.eq_ignore_ascii_case("jwt"),
        }
    }
}

/// Refuses headers that could lead verification astray; gives the key id.
pub(super) fn check_header<'h>(
    header: &'h Header,
    issuer: &IssuerConfig,
    wanted: Use,
) -> Result<&'h str, TokenError> {
    if !wanted.is(header.typ.as_deref().unwrap_or_default()) {
        return Err(TokenError::Kind);
    }
    if header.jku.is_some() || header.jwk.is_some() || header.x5u.is_some() || header.x5c.is_some() {
        // The token would bring its own key.
        return Err(TokenError::ForeignKey);
    }
    if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(TokenError::Extension);
    }
    if !issuer.algorithms.iter().any(|a| algorithm(*a) == header.alg) {
        return Err(TokenError::Algorithm);
    }
    header.kid.as_deref().ok_or(TokenError::NoKeyId)
}

const fn algorithm(of: SigningAlgorithm) -> Algorithm {
    match of {
        SigningAlgorithm::Rs256 => Algorithm::RS256,
        SigningAlgorithm::Ps256 => Algorithm::PS256,
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::Es384 => Algorithm::ES384,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

/// The caller of a token whose signature was checked.
pub(super) fn caller(
    claims: &Value,
    issuer: &IssuerConfig,
    now: DateTime<Utc>,
    wanted: Use,
) -> Result<Told, TokenError> {
    if text(claims, "iss")? != issuer.issuer || !all_texts(claims.get("aud")).any(|a| a == issuer.audience) {
        return Err(TokenError::Addressee);
    }
    let mut until = lifetime(claims, issuer, now.timestamp())?;
    let client = match wanted {
        Use::Access => text(claims, "client_id")?,
        Use::Id => {
            // OpenID Connect Core 1.0 §3.1.3.7: for several audiences the token says to whom it was given.
            let several = all_texts(claims.get("aud")).nth(1).is_some();
            let given = claims.get("azp").and_then(Value::as_str);
            if given.map_or(several, |given| given != issuer.audience) {
                return Err(TokenError::Addressee);
            }
            issuer.audience.as_str()
        }
    };
    let subject = text(claims, "sub")?;
    let actor: StaffId = claim(claims, &issuer.actor_claim)
        .and_then(Value::as_str)
        .and_then(|name| name.parse().ok())
        .ok_or(TokenError::Actor)?;
    let caller = Caller {
        principal: principal(&issuer.issuer, client, subject),
        credential: Credential::Jwt,
        role: role(claim(claims, &issuer.role_claim), &issuer.roles)?,
        scope: scope(claim(claims, &issuer.property_claim), &issuer.properties)?,
        actor: Some(actor.into()),
    };
    if let Some(place) = &issuer.attested_claim {
        let attested = claim(claims, place).and_then(Value::as_i64);
        let Some(attested) = attested.filter(|attested| now.timestamp() < *attested) else {
            return Err(TokenError::NotAttested(Box::new(caller)));
        };
        // A token that is remembered must not outlive what it says of its holder.
        until = until.min(attested);
    }
    Ok(Told { caller, until })
}

fn lifetime(claims: &Value, issuer: &IssuerConfig, now: i64) -> Result<i64, TokenError> {
    let seconds = |name: &str| {
        claims
            .get(name)
            .map(|v| v.as_i64().ok_or(TokenError::Claims))
            .transpose()
    };
    let (leeway, longest) = (
        i64::from(issuer.leeway_seconds),
        i64::from(issuer.longest_seconds),
    );
    let until = seconds("exp")?.ok_or(TokenError::Claims)?.saturating_add(leeway);
    if now >= until {
        return Err(TokenError::Expired);
    }
    if until - leeway > now.saturating_add(longest) {
        return Err(TokenError::TooLong);
    }
    for begins in [seconds("nbf")?, seconds("iat")?].into_iter().flatten() {
        if begins > now.saturating_add(leeway) {
            return Err(TokenError::NotYet);
        }
    }
    Ok(until)
}

fn text<'c>(claims: &'c Value, name: &str) -> Result<&'c str, TokenError> {
    let value = claims
        .get(name)
        .and_then(Value::as_str)
        .ok_or(TokenError::Claims)?;
    if value.is_empty() || value.len() > LONGEST_NAME {
        Err(TokenError::Claims)
    } else {
        Ok(value)
    }
}

/// A claim by its name, or by a JSON pointer when that begins with `/`.
fn claim<'c>(claims: &'c Value, place: &str) -> Option<&'c Value> {
    if place.starts_with('/') {
        claims.pointer(place)
    } else {
        claims.get(place)
    }
}

/// The texts of a claim that is one text or a list of them; anything else has none.
fn all_texts(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let (one, many) = match claim {
        Some(Value::String(one)) => (Some(one.as_str()), &[][..]),
        Some(Value::Array(many)) => (None, many.as_slice()),
        _ => (None, &[][..]),
    };
    one.into_iter().chain(many.iter().filter_map(Value::as_str))
}

/// The one role that the table gives; values it does not know are other systems' business.
fn role(claim: Option<&Value>, table: &BTreeMap<String, Role>) -> Result<Role, TokenError> {
    let mut roles: Vec<&Role> = all_texts(claim).filter_map(|value| table.get(value)).collect();
    roles.dedup();
    match roles.as_slice() {
        [one] => Ok((*one).clone()),
        // Two roles at once would let one login be administrator and reader of guests.
        _ => Err(TokenError::Role),
    }
}

fn scope(
    claim: Option<&Value>,
    table: &BTreeMap<String, PropertyCode>,
) -> Result<Vec<PropertyCode>, TokenError> {
    let mut codes: Vec<PropertyCode> = all_texts(claim)
        .flat_map(str::split_ascii_whitespace)
        .filter_map(|value| {
            if table.is_empty() {
                value.parse().ok()
            } else {
                table.get(value).cloned()
            }
        })
        .take(MOST_PROPERTIES + 1)
        .collect();
    codes.sort();
    codes.dedup();
    if codes.is_empty() || codes.len() > MOST_PROPERTIES {
        Err(TokenError::Scope)
    } else {
        Ok(codes)
    }
}

/// The same for every token of the same client and subject of an issuer: a version 8 UUID (RFC 9562 §5.8) of
/// their hash.
/// Each part goes in with its length, so that no two triples read alike.
fn principal(issuer: &str, client: &str, subject: &str) -> PrincipalId {
    let mut named = b"guest-vault principal".to_vec();
    for part in [issuer, client, subject] {
        named.extend_from_slice(part.len().to_string().as_bytes());
        named.push(b':');
        named.extend_from_slice(part.as_bytes());
    }
    let hash = crypto::sha256(&named);
    let half = hash.first_chunk::<16>().copied().unwrap_or_default();
    PrincipalId(uuid::Builder::from_custom_bytes(half).into_uuid())
}
