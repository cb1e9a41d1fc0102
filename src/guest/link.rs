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
<<<<<<< HEAD
=======

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
            holders.entry(token).or_default().push(guest);
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
>>>>>>> main
