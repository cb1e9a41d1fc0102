//! What is asked, as the tokens it can be answered by. The rules of values are those of writing, so that a phone is
//! found in whatever spelling it was given and is asked for.

use serde_json::{Map, Value, json};

use crate::{
    base::{Errand, PropertyCode, PropertyKind},
    policy::Snapshot,
};

use super::{
    GuestError, Vault,
    compound::{Attributes, TAIL, Weak},
    kinds::{self, Reason, TokenInput, TokenKind},
    link::{DOCUMENT_NUMBER, EXTERNAL_ID_ANY},
    lookup::By,
};

/// Identifiers that find a guest alone.
const STRONG: &str = "phone, email, document, membership, external_id or reservation";

/// A strong identifier: any of its tokens will do.
pub(super) struct Clause {
    pub(super) word: &'static str,
    tokens: Vec<[u8; 16]>,
}

impl Clause {
    pub(super) fn holds(&self, token: &[u8]) -> bool {
        self.tokens.iter().any(|own| own[..] == *token)
    }
}

/// A question that can be asked.
#[derive(Default)]
pub(super) struct Question {
    /// The strong identifiers given; all must agree.
    pub(super) asked: Vec<&'static str>,
    pub(super) strong: Vec<Clause>,
    /// Where a source's own record of this id would be.
    pub(super) source: Option<[u8; 16]>,
    /// The token of a reservation.
    pub(super) stay: Option<[u8; 16]>,
    pub(super) pairs: Vec<(Weak, Weak, [u8; 16])>,
    /// The end of a phone where more of it is given than the pairs are made of.
    pub(super) tail: Option<String>,
}

impl Question {
    pub(super) fn tokens(&self) -> impl Iterator<Item = [u8; 16]> + '_ {
        let strong = self
            .strong
            .iter()
            .flat_map(|clause| clause.tokens.iter().copied());
        strong.chain(self.pairs.iter().map(|(.., token)| *token))
    }

    fn add(&mut self, word: &'static str, tokens: Vec<[u8; 16]>) {
        self.asked.push(word);
        self.strong.push(Clause { word, tokens });
    }
}

fn bad(field: &str, reason: &str) -> GuestError {
    GuestError::bad(format!("by.{field}"), reason)
}

impl Vault {
    /// What is asked; `loosely`: also for those of whose names only two words are given.
    pub(super) fn question(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        by: &By,
        loosely: bool,
    ) -> Result<Question, GuestError> {
        let mut question = Question::default();
        let mut weak = Attributes::default();
        let index = self.keys.index_key();
        let token = |kind: TokenKind, value: &str| index.token(kind.as_str(), value.as_bytes());
        if let Some(phone) = &by.phone {
            let inputs = self.inputs(errand, policy, "phone", "phones", &json!([{ "number": phone }]))?;
            let numbers = of_kind(&inputs, TokenKind::Phone);
            for number in &numbers {
                weak.phone(number);
            }
            question.add(
                "phone",
                numbers.iter().map(|n| token(TokenKind::Phone, n)).collect(),
            );
        }
        if let Some(email) = &by.email {
            let inputs = self.inputs(errand, policy, "email", "emails", &json!([{ "address": email }]))?;
            let tokens = of_kind(&inputs, TokenKind::Email);
            question.add(
                "email",
                tokens.iter().map(|e| token(TokenKind::Email, e)).collect(),
            );
        }
        if by.document.is_some() {
            question.add("document", self.document(errand, policy, by)?);
        }
        if let Some(asked) = &by.membership {
            let value = json!([{"program": asked.program, "number": asked.number}]);
            let inputs = self.inputs(errand, policy, "membership", "memberships", &value)?;
            let tokens = of_kind(&inputs, TokenKind::Membership);
            question.add(
                "membership",
                tokens.iter().map(|m| token(TokenKind::Membership, m)).collect(),
            );
        }
        self.external_id(errand, policy, by, &mut question)?;
        if let Some(asked) = &by.reservation {
            question.stay =
                Some(self.reservation(errand, asked.property.as_ref(), asked.reference.trim())?);
            question.asked.push("reservation");
        }
        self.weak(errand, policy, by, &mut weak)?;
        if let Some(name) = by.name.as_deref().filter(|_| loosely) {
            weak.name_in_part(name);
        }
        let tail = by.phone_tail.as_deref().map(kinds::latin_digits);
        question.tail = tail.filter(|tail| tail.len() > TAIL);
        question.pairs = weak.pairs(index);
        if question.asked.is_empty() && question.pairs.is_empty() {
            let few =
                format!("needs one of {STRONG}, or two of name, birth_date, phone_tail and postal_code");
            return Err(GuestError::bad("by", few));
        }
        Ok(question)
    }

    /// What a value could be found by, by the rules of its field.
    fn inputs(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        word: &str,
        path: &str,
        value: &Value,
    ) -> Result<Vec<TokenInput>, GuestError> {
        let (_, tokens) = self.checked(errand, policy, (word, path), value)?;
        if tokens.is_empty() {
            // An address lent by a channel names a booking, not a person.
            return Err(bad(word, "names nobody"));
        }
        Ok(tokens)
    }

    /// A value in its normal form, and what it could be found by.
    fn checked(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        (word, path): (&str, &str),
        value: &Value,
    ) -> Result<(Value, Vec<TokenInput>), GuestError> {
        let Some((_, field)) = policy.catalogue().find(path) else {
            return Err(bad(word, "this vault keeps no such field"));
        };
        let source = "lookup".parse().map_err(|_| GuestError::NotFound)?;
        let context = kinds::Context {
            region: self
                .properties
                .get(&errand.property)
                .and_then(|n| n.region.as_deref()),
            today: self.clock.now().date_naive(),
            source: &source,
            departure: None,
        };
        let told = |rejections: Vec<kinds::Rejection>| {
            let reason = rejections.first().map_or(Reason::Invalid, |r| r.reason);
            bad(word, reason.as_str())
        };
        kinds::validate(field, value, &context).map_err(told)
    }

    /// With and without its country, and of every type it could be.
    fn document(&self, errand: &Errand, policy: &Snapshot, by: &By) -> Result<Vec<[u8; 16]>, GuestError> {
        let Some(asked) = &by.document else {
            return Ok(Vec::new());
        };
        let types = match asked.kind.as_deref() {
            Some(kind) => vec![kind],
            None => vec!["other", "passport", "national_id", "cn_resident_id"],
        };
        let index = self.keys.index_key();
        let mut tokens = Vec::new();
        let mut refused = None;
        for kind in types {
            let mut item = Map::from_iter([
                ("type".to_owned(), json!(kind)),
                ("number".to_owned(), json!(asked.number)),
            ]);
            if let Some(country) = &asked.country {
                item.insert("issuing_country".to_owned(), json!(country));
            }
            match self.inputs(errand, policy, "document", "id_documents", &json!([item])) {
                Ok(inputs) => {
                    for value in of_kind(&inputs, TokenKind::Document) {
                        let number = value.rsplit('\u{1f}').next().unwrap_or_default();
                        tokens.push(index.token(TokenKind::Document.as_str(), value.as_bytes()));
                        tokens.push(match &asked.country {
                            // Told by a source that named no country.
                            Some(_) => index
                                .token(TokenKind::Document.as_str(), format!("\u{1f}{number}").as_bytes()),
                            None => index.token(DOCUMENT_NUMBER, number.as_bytes()),
                        });
                    }
                }
                Err(error) => refused = Some(error),
            }
        }
        tokens.sort_unstable();
        tokens.dedup();
        match refused {
            Some(error) if tokens.is_empty() => Err(error),
            _ => Ok(tokens),
        }
    }

    fn external_id(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        by: &By,
        question: &mut Question,
    ) -> Result<(), GuestError> {
        let Some(asked) = &by.external_id else {
            return Ok(());
        };
        let index = self.keys.index_key();
        let value = json!([{"system": asked.system, "type": asked.kind, "value": asked.value}]);
        let inputs = self.inputs(errand, policy, "external_id", "external_ids", &value)?;
        let mut tokens = Vec::new();
        for value in of_kind(&inputs, TokenKind::ExternalId) {
            tokens.push(index.token(TokenKind::ExternalId.as_str(), value.as_bytes()));
            if let (None, [system, _, id]) =
                (&asked.kind, value.split('\u{1f}').collect::<Vec<_>>().as_slice())
            {
                tokens.push(index.token(EXTERNAL_ID_ANY, format!("{system}\u{1f}{id}").as_bytes()));
            }
        }
        if asked.kind.is_none() {
            let source = format!(
                "{}\u{1f}{}",
                asked.system.trim().to_lowercase(),
                asked.value.trim()
            );
            question.source = Some(index.token("source", source.as_bytes()));
        }
        question.add("external_id", tokens);
        Ok(())
    }

    fn reservation(
        &self,
        errand: &Errand,
        property: Option<&PropertyCode>,
        reference: &str,
    ) -> Result<[u8; 16], GuestError> {
        if !super::prepare::is_source_id(reference) || reference.len() > 100 {
            return Err(bad("reservation.reference", "invalid"));
        }
        if let Some(property) = property
            && !self.properties.within(property, &errand.property)
        {
            return Err(bad("reservation.property", "property_out_of_scope"));
        }
        let here = property.unwrap_or(&errand.property);
        let hotel = self
            .properties
            .get(here)
            .is_some_and(|node| node.kind == PropertyKind::Property);
        Ok(if hotel {
            self.reservation_token(here, reference)
        } else {
            self.reference_token(reference)
        })
    }

    fn weak(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        by: &By,
        weak: &mut Attributes,
    ) -> Result<(), GuestError> {
        if let Some(name) = &by.name {
            if name.chars().count() > 200 || super::compound::name_keys(name).is_empty() {
                return Err(bad("name", "invalid"));
            }
            weak.name(&[name]);
        }
        if let Some(date) = &by.birth_date {
            let date = json!(kinds::latin_digits(date));
            let (date, _) = self.checked(errand, policy, ("birth_date", "birth_date"), &date)?;
            let date = date.as_str().unwrap_or_default();
            if date.len() != 10 || date.starts_with('-') {
                return Err(bad("birth_date", "must be a whole date"));
            }
            weak.birth_date(date);
        }
        if let Some(tail) = &by.phone_tail {
            let tail = kinds::latin_digits(tail);
            let digits = tail.bytes().all(|b| b.is_ascii_digit());
            if !digits || !(TAIL..=8).contains(&tail.len()) {
                return Err(bad("phone_tail", "must be 4 to 8 digits"));
            }
            weak.phone(&tail);
        }
        if let Some(code) = &by.postal_code {
            if code.chars().count() > 20 || !code.chars().any(char::is_alphanumeric) {
                return Err(bad("postal_code", "invalid"));
            }
            weak.postal_code(code);
        }
        Ok(())
    }
}

fn of_kind(inputs: &[TokenInput], kind: TokenKind) -> Vec<&str> {
    inputs
        .iter()
        .filter(|input| input.kind == kind)
        .map(|input| input.value.as_str())
        .collect()
}
