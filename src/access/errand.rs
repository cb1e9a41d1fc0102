//! What a call is about, read from its headers: for which property, why, on whose orders.

use actix_web::http::header::HeaderMap;

use super::StaffId;
use crate::{
    base::{Caller, Credential, Errand, PropertyCode, PropertyTree, Purpose, RequestId},
    web::{Kind, Problem},
};

const PROPERTY: &str = "Vault-Property";
const PURPOSE: &str = "Vault-Purpose";
const ACTOR: &str = "Vault-Actor";
const REASON: &str = "Vault-Reason";
/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// What the configuration knows. The purposes come from the policy in force, so they are asked for each time.
pub struct Known {
    /// The group's tree.
    pub properties: std::sync::Arc<PropertyTree>,
    /// Whether a purpose is configured.
    pub purpose: Box<dyn Fn(&Purpose) -> bool + Send + Sync>,
    /// Whether a text holds a payment card's number: no header may bring one in.
    pub holds_card_number: fn(&str) -> bool,
}

/// Why a call's headers do not make an errand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ErrandError {
    /// No property.
    #[error("the header Vault-Property is missing")]
    NoProperty,
    /// Not a property of the group, or none of the caller's.
    #[error("the property lies outside the caller's scope")]
    OutOfScope,
    /// No purpose.
    #[error("the header Vault-Purpose is missing")]
    NoPurpose,
    /// Not a configured purpose.
    #[error("the purpose is not configured")]
    UnknownPurpose,
    /// A header that cannot be read.
    #[error("{header}: {wrong}")]
    Header {
        /// Which.
        header: &'static str,
        /// What is wrong with it.
        wrong: &'static str,
    },
}

impl From<ErrandError> for Problem {
    fn from(error: ErrandError) -> Self {
        match error {
            ErrandError::NoProperty => Self::new(Kind::MissingProperty),
            ErrandError::OutOfScope => Self::new(Kind::PropertyOutOfScope),
            ErrandError::NoPurpose => Self::new(Kind::MissingPurpose),
            ErrandError::UnknownPurpose => Self::new(Kind::UnknownPurpose),
            ErrandError::Header { header, wrong } => Self::new(Kind::InvalidRequest).field(header, wrong),
        }
    }
}

/// Reads the headers of one call.
///
/// # Errors
/// When property or purpose is missing, unknown or not the caller's, or a header is malformed or given twice.
pub fn errand(
    headers: &HeaderMap,
    caller: &Caller,
    request: RequestId,
    known: &Known,
) -> Result<Errand, ErrandError> {
    let property = property(headers, caller, &known.properties)?;
    let purpose = single(headers, PURPOSE)?.ok_or(ErrandError::NoPurpose)?;
    let purpose: Purpose = purpose.parse().map_err(|_| ErrandError::UnknownPurpose)?;
    if !(known.purpose)(&purpose) {
        return Err(ErrandError::UnknownPurpose);
    }
    let caller = acting(headers, caller, known)?;
    let reason = reason(headers)?;
    known.no_card(REASON, reason.as_deref())?;
    Ok(Errand {
        caller,
        property,
        purpose,
        reason,
        request,
    })
}

/// The caller with the human on whose orders it acts, as `Vault-Actor` names them.
///
/// # Errors
/// When the header is malformed, given twice, or names another than the credential.
pub(super) fn acting(headers: &HeaderMap, caller: &Caller, known: &Known) -> Result<Caller, ErrandError> {
    let mut caller = caller.clone();
    caller.actor = actor(headers, &caller)?;
    known.no_card(ACTOR, caller.actor.as_deref())?;
    Ok(caller)
}

impl Known {
    fn no_card(&self, header: &'static str, text: Option<&str>) -> Result<(), ErrandError> {
        let wrong = "must not hold a card number";
        if text.is_some_and(self.holds_card_number) {
            Err(ErrandError::Header { header, wrong })
        } else {
            Ok(())
        }
    }
}

/// One refusal for unknown properties and other people's, so that codes cannot be tried out.
fn property(headers: &HeaderMap, caller: &Caller, tree: &PropertyTree) -> Result<PropertyCode, ErrandError> {
    let text = single(headers, PROPERTY)?.ok_or(ErrandError::NoProperty)?;
    let code: PropertyCode = text.parse().map_err(|_| ErrandError::OutOfScope)?;
    if tree.covers(&caller.scope, &code) {
        Ok(code)
    } else {
        Err(ErrandError::OutOfScope)
    }
}

fn actor(headers: &HeaderMap, caller: &Caller) -> Result<Option<String>, ErrandError> {
    let wrong = |wrong| ErrandError::Header { header: ACTOR, wrong };
    let Some(text) = single(headers, ACTOR)? else {
        return Ok(caller.actor.clone());
    };
    let named: StaffId = text.parse().map_err(|_| {
        wrong("must be a staff id: 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', not an e-mail address")
    })?;
    let named = String::from(named);
    // A token says by itself who acts; another name beside it would put words into somebody's mouth.
    if caller.credential == Credential::Jwt && caller.actor.as_ref() != Some(&named) {
        return Err(wrong("must be absent or the same as the token's subject"));
    }
    Ok(Some(named))
}

fn reason(headers: &HeaderMap) -> Result<Option<String>, ErrandError> {
    let Some(text) = single(headers, REASON)? else {
        return Ok(None);
    };
    let header = REASON;
    let good = reason_in(text).map_err(|wrong| ErrandError::Header { header, wrong });
    good.map(Some)
}

/// A reason in words, wherever it is given.
///
/// # Errors
/// What is wrong with it.
pub fn reason_in(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() || text.chars().count() > LONGEST_REASON {
        return Err("must be 1 to 200 characters");
    }
    if text.chars().any(misleads) {
        return Err("must not hold control characters");
    }
    Ok(text.trim().to_owned())
}

/// Control characters, line separators, and marks that reorder what an officer reads (Trojan Source).
fn misleads(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A header's text; twice is an error, since two parsers would choose differently.
fn single<'h>(headers: &'h HeaderMap, header: &'static str) -> Result<Option<&'h str>, ErrandError> {
    let mut values = headers.get_all(header);
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(ErrandError::Header {
            header,
            wrong: "must be given once",
        });
    }
    let text = std::str::from_utf8(first.as_bytes());
    text.map(Some).map_err(|_| ErrandError::Header {
        header,
        wrong: "must be UTF-8",
    })
}
