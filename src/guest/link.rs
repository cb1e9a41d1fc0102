//! The tokens that a value is found by.

use crate::crypto::IndexKey;

use super::kinds::{TokenInput, TokenKind};

/// A token to be stored.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) bytes: [u8; 16],
    pub(super) field: String,
}

/// The tokens of a value: one for itself, and one for those who know less of it.
pub(super) fn tokens(index: &IndexKey, field: &str, input: &TokenInput) -> Vec<Token> {
    let own = index.token(input.kind.as_str(), input.value.as_bytes());
    let less = less_told(input.kind, &input.value).map(|(kind, value)| index.token(kind, value.as_bytes()));
    let token = |bytes| Token {
        bytes,
        field: field.to_owned(),
    };
    std::iter::once(own).chain(less).map(token).collect()
}

/// The token kind of a document's number without its country.
pub(super) const DOCUMENT_NUMBER: &str = "document_number";
/// The token kind of another system's id without its type.
pub(super) const EXTERNAL_ID_ANY: &str = "external_id_any";

/// What is asked for by those who know less than the record: a document without its country, an id without its type.
fn less_told(kind: TokenKind, value: &str) -> Option<(&'static str, String)> {
    let parts: Vec<&str> = value.split('\u{1f}').collect();
    match (kind, parts.as_slice()) {
        (TokenKind::Document, [_, number]) => Some((DOCUMENT_NUMBER, (*number).to_owned())),
        (TokenKind::ExternalId, [system, _, value]) => {
            Some((EXTERNAL_ID_ANY, format!("{system}\u{1f}{value}")))
        }
        _ => None,
    }
}
