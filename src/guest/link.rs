//! Which guest does a record belong to? For now by exact strong identifiers under a two-attribute rule: couples
//! share a phone and an address, so one shared identifier never links two people.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::{base::GuestId, crypto::IndexKey, store::StoreError};

use super::{
    LinkReason,
    kinds::{TokenInput, TokenKind},
    vault::Vault,
};

/// How many holders of a token are looked at; more than that is an agency's phone, not a person.
const MOST_HOLDERS: i64 = 64;

/// A token to be stored, and what it says about identity.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) bytes: [u8; 16],
    pub(super) field: String,
    pub(super) meaning: Meaning,
}

/// What a shared token says about two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meaning {
    /// A strong identifier of a person agrees: a document, a membership.
    Personal(TokenKind),
    /// An identifier that households share agrees: a phone, an e-mail.
    Shared(TokenKind),
    /// A strong identifier and the name agree.
    Named(TokenKind),
    /// Good for look-ups, says nothing about identity.
    Search,
}

fn meaning(kind: TokenKind) -> Meaning {
    match kind {
        TokenKind::Document | TokenKind::Membership | TokenKind::ExternalId => Meaning::Personal(kind),
        TokenKind::Phone | TokenKind::Email | TokenKind::MessagingId => Meaning::Shared(kind),
        _ => Meaning::Search,
    }
}

/// The tokens of a value: one for itself, and one together with the name. A name alone gets none: equal tokens of
/// common names would show who is called the same.
pub(super) fn tokens(index: &IndexKey, field: &str, input: &TokenInput, name: Option<&str>) -> Vec<Token> {
    let kind = input.kind;
    let meaning = meaning(kind);
    let own = Token {
        bytes: index.token(kind.as_str(), input.value.as_bytes()),
        field: field.to_owned(),
        meaning,
    };
    let mut all = vec![own];
    if let (Some(name), Meaning::Personal(_) | Meaning::Shared(_)) = (name, meaning) {
        let both = format!("{}\u{1f}{name}", input.value);
        let bytes = index.token(&format!("named:{}", kind.as_str()), both.as_bytes());
        all.push(Token {
            bytes,
            field: field.to_owned(),
            meaning: Meaning::Named(kind),
        });
    }
    if let Some((kind, value)) = less_told(kind, &input.value) {
        all.push(Token {
            bytes: index.token(kind, value.as_bytes()),
            field: field.to_owned(),
            meaning: Meaning::Search,
        });
    }
    all
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

/// The guest a record belongs to, and why.
pub(super) struct Link {
    pub(super) guest: GuestId,
    pub(super) reasons: Vec<LinkReason>,
}

impl Vault {
    /// For each list of tokens the one guest that shares enough with it; `None` when there is none, or more than one.
    pub(super) async fn find_links(&self, lists: &[Vec<Token>]) -> Result<Vec<Option<Link>>, StoreError> {
        let telling = |tokens: &[Token]| -> BTreeMap<[u8; 16], Meaning> {
            let telling = tokens.iter().filter(|t| t.meaning != Meaning::Search);
            telling.map(|t| (t.bytes, t.meaning)).collect()
        };
        let lists: Vec<_> = lists.iter().map(|tokens| telling(tokens)).collect();
        let wanted: BTreeSet<[u8; 16]> = lists.iter().flat_map(|list| list.keys().copied()).collect();
        if wanted.is_empty() {
            return Ok(lists.iter().map(|_| None).collect());
        }
        let wanted: Vec<[u8; 16]> = wanted.into_iter().collect();
        let found = self
            .store
            .read()
            .await?
            .token_holders(&wanted, MOST_HOLDERS)
            .await?;
        let mut holders: BTreeMap<[u8; 16], Vec<Uuid>> = BTreeMap::new();
        for (token, guest) in found {
            if let Ok(token) = token.try_into() {
                holders.entry(token).or_default().push(guest);
            }
        }
        Ok(lists.iter().map(|telling| choose(telling, &holders)).collect())
    }
}

fn choose(telling: &BTreeMap<[u8; 16], Meaning>, holders: &BTreeMap<[u8; 16], Vec<Uuid>>) -> Option<Link> {
    let mut shared: BTreeMap<Uuid, BTreeSet<Meaning>> = BTreeMap::new();
    for (token, meaning) in telling {
        for guest in holders.get(token).into_iter().flatten() {
            shared.entry(*guest).or_default().insert(*meaning);
        }
    }
    let mut linked = shared.into_iter().filter(|(_, agreed)| suffices(agreed));
    match (linked.next(), linked.next()) {
        (Some((guest, agreed)), None) => Some(Link {
            guest: GuestId(guest),
            reasons: reasons(&agreed),
        }),
        // Two guests fit: to choose would be to guess.
        _ => None,
    }
}

/// The two-attribute rule: an identifier with the same name, or a personal identifier with another identifier.
fn suffices(agreed: &BTreeSet<Meaning>) -> bool {
    let named = agreed.iter().any(|m| matches!(m, Meaning::Named(_)));
    let personal = agreed
        .iter()
        .filter(|m| matches!(m, Meaning::Personal(_)))
        .count();
    let shared = agreed.iter().filter(|m| matches!(m, Meaning::Shared(_))).count();
    named || (personal >= 1 && personal + shared >= 2)
}

/// Ten bits each: one in a thousand, a modest reading of "near-unique".
const BITS: f64 = 10.0;

fn reasons(agreed: &BTreeSet<Meaning>) -> Vec<LinkReason> {
    let mut fields: BTreeSet<&'static str> = BTreeSet::new();
    for meaning in agreed {
        match meaning {
            Meaning::Personal(kind) | Meaning::Shared(kind) => {
                fields.insert(kind.as_str());
            }
            Meaning::Named(kind) => {
                fields.insert(kind.as_str());
                fields.insert("name");
            }
            Meaning::Search => {}
        }
    }
    fields
        .into_iter()
        .map(|f| LinkReason {
            field: f.to_owned(),
            level: "exact",
            weight: BITS,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shared_identifier_links_nobody_and_a_couple_stays_two() {
        use Meaning::{Named, Personal, Shared};
        let agreed = |list: &[Meaning]| suffices(&list.iter().copied().collect());
        assert!(!agreed(&[]));
        assert!(!agreed(&[Personal(TokenKind::Document)]));
        assert!(!agreed(&[Shared(TokenKind::Phone), Shared(TokenKind::Email)]));
        assert!(agreed(&[Shared(TokenKind::Phone), Named(TokenKind::Phone)]));
        assert!(agreed(&[Personal(TokenKind::Document), Shared(TokenKind::Phone)]));
        assert!(agreed(&[
            Personal(TokenKind::Document),
            Personal(TokenKind::Membership)
        ]));
    }
}
