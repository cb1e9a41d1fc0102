//! A guest document, taken apart into the fields of the catalogue.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Accepted, Context, Document, MOST_ITEMS, Reason, Rejection, TokenInput, email,
    item::{Checked, Flaw, Good, refused, safe_word},
    items, merge_lists, mrz, name, papers, phone, place, scalar, tax, text,
};
use crate::base::{Catalogue, Field, FieldIndex, Kind};

/// Rejections told at most: a flood of bad members is told by its beginning.
const MOST_REJECTIONS: usize = 200;

/// Takes a guest document apart: what to store in normal form, what is withdrawn, and what is refused and why.
/// A bad item of a list is refused alone.
#[must_use]
pub fn read_document(
    catalogue: &Catalogue,
    document: &Map<String, Value>,
    context: &Context<'_>,
) -> Document {
    let mut reader = Reader {
        catalogue,
        document,
        context,
        read: Document::default(),
        aside: Vec::new(),
        spoilt: BTreeMap::new(),
    };
    reader.walk("", document);
    reader.take_aside();
    reader.compare_sex();
    let (mut read, spoilt) = (reader.read, reader.spoilt);
    for accepted in &mut read.values {
        accepted.spoilt = spoilt.get(&accepted.field).copied();
    }
    read.values.sort_by_key(|accepted| accepted.field);
    read.cleared.sort_unstable();
    read.rejected.truncate(MOST_REJECTIONS);
    read
}

/// The normal form of one field's value and what it can be found by.
///
/// # Errors
/// Everything that is wrong with it; unlike [`read_document`], one bad item refuses the value.
pub fn validate(
    field: &Field,
    value: &Value,
    context: &Context<'_>,
) -> Result<(Value, Vec<TokenInput>), Vec<Rejection>> {
    let told = |flaws: Vec<Flaw>| {
        flaws
            .into_iter()
            .take(MOST_REJECTIONS)
            .map(|f| f.below(field.path.as_str()))
            .collect()
    };
    let good = check(field, value, &[*context]).map_err(told)?;
    if good.flaws.is_empty() {
        Ok((good.value, good.tokens))
    } else {
        Err(told(good.flaws))
    }
}

struct Reader<'a> {
    catalogue: &'a Catalogue,
    document: &'a Map<String, Value>,
    context: &'a Context<'a>,
    read: Document,
    /// What machine-readable zones say of other fields.
    aside: Vec<(&'static str, Value)>,
    /// Fields of which something given was masked or a placeholder.
    spoilt: BTreeMap<FieldIndex, Reason>,
}

impl Reader<'_> {
    fn walk(&mut self, prefix: &str, members: &Map<String, Value>) {
        for (key, value) in members {
            // A dotted key would name a field a second time.
            let path = if key.contains('.') {
                String::new()
            } else {
                format!("{prefix}{key}")
            };
            if let Some((at, field)) = self.catalogue.find(&path) {
                self.take(at, field, value);
                continue;
            }
            let below = if path.is_empty() {
                Vec::new()
            } else {
                self.catalogue.select(&path)
            };
            match value {
                _ if below.is_empty() => {
                    self.reject(format!("{prefix}{}", safe_word(key)), Reason::UnknownField);
                }
                Value::Object(members) => self.walk(&format!("{path}."), members),
                Value::Null => self.read.cleared.extend(below),
                _ => self.reject(path, Reason::WrongType),
            }
        }
    }

    fn take(&mut self, at: FieldIndex, field: &Field, value: &Value) {
        if value.is_null() || (field.list && value.as_array().is_some_and(Vec::is_empty)) {
            match field.kind {
                Kind::Managed => self.reject(field.path.to_string(), Reason::NotAccepted),
                Kind::Mrz => {}
                _ => self.read.cleared.push(at),
            }
            return;
        }
        if field.kind == Kind::Mrz {
            self.take_zone(field, value);
            return;
        }
        let contexts = if field.kind == Kind::Phone {
            self.homes()
        } else {
            vec![*self.context]
        };
        let checked = check(field, value, &contexts);
        // A masked country or code is refused as none there is.
        if checked.as_ref().map_or(true, |good| !good.flaws.is_empty()) && holds_mask(value) {
            self.spoilt.insert(at, Reason::Masked);
        }
        match checked {
            Ok(good) => self.accept(at, field, good),
            Err(flaws) => self.tell(at, field, flaws),
        }
    }

    /// Where a phone without a country code may be: at the property; else, when there is no such number there, where
    /// the guest lives or comes from.
    fn homes(&self) -> Vec<Context<'_>> {
        let addresses = self.document.get("postal_addresses").and_then(Value::as_array);
        let lives = addresses
            .into_iter()
            .flatten()
            .filter_map(|address| address.get("country"));
        let named = lives.chain(self.document.get("nationality"));
        let homes = named
            .filter_map(|country| place::known(country.as_str()?))
            .take(3);
        let at = |region| Context {
            region: Some(region),
            ..*self.context
        };
        std::iter::once(*self.context).chain(homes.map(at)).collect()
    }

    fn accept(&mut self, at: FieldIndex, field: &Field, good: Good) {
        self.tell(at, field, good.flaws);
        self.aside.extend(good.aside);
        self.read.values.push(Accepted {
            field: at,
            value: good.value,
            tokens: good.tokens,
            spoilt: None,
        });
    }

    fn tell(&mut self, at: FieldIndex, field: &Field, flaws: Vec<Flaw>) {
        let hidden = |flaw: &&Flaw| matches!(flaw.reason, Reason::Masked | Reason::Placeholder);
        if let Some(flaw) = flaws.iter().find(hidden) {
            self.spoilt.entry(at).or_insert(flaw.reason);
        }
        self.read
            .rejected
            .extend(flaws.into_iter().map(|flaw| flaw.below(field.path.as_str())));
    }

    fn reject(&mut self, field: String, reason: Reason) {
        self.read.rejected.push(Rejection { field, reason });
    }

    fn take_zone(&mut self, field: &Field, value: &Value) {
        match mrz::read(value, self.context.today) {
            Ok(zone) => {
                self.aside.extend(zone.aside());
                self.aside
                    .push(("id_documents", Value::Array(vec![zone.document()])));
            }
            Err(reason) => self.reject(field.path.to_string(), reason),
        }
    }

    /// A zone completes what was given; it does not replace it: its names are capitals without accents.
    fn take_aside(&mut self) {
        for (path, value) in std::mem::take(&mut self.aside) {
            let Some((at, field)) = self.catalogue.find(path) else {
                continue;
            };
            if self.read.cleared.contains(&at) {
                continue;
            }
            let known = self.read.values.iter().position(|accepted| accepted.field == at);
            match (check(field, &value, &[*self.context]), known) {
                (Err(flaws), _) => self.tell(at, field, flaws),
                (Ok(good), None) => self.accept(at, field, good),
                (Ok(good), Some(known)) if field.list => self.join(field, known, good),
                (Ok(_), Some(_)) => {}
            }
        }
    }

    fn join(&mut self, field: &Field, known: usize, good: Good) {
        let Some(accepted) = self.read.values.get_mut(known) else {
            return;
        };
        accepted.value = merge_lists(field.kind, vec![accepted.value.take(), good.value]);
        accepted.tokens.extend(good.tokens);
        accepted.tokens.sort();
        accepted.tokens.dedup();
    }

    /// The last digit but one of a Chinese resident number is odd for men (GB 11643-1999 §4.4): a number that says
    /// otherwise than the gender given beside it is somebody else's, or mistyped.
    fn compare_sex(&mut self) {
        let Some(gender) = self.number_of("gender").filter(|gender| *gender != 9) else {
            return;
        };
        let Some((at, field)) = self.catalogue.find("id_documents") else {
            return;
        };
        let Some(place) = self.read.values.iter().position(|v| v.field == at) else {
            return;
        };
        let Some(accepted) = self.read.values.get_mut(place) else {
            return;
        };
        let Some(documents) = accepted.value.as_array_mut() else {
            return;
        };
        let mut refused = Vec::new();
        for document in documents.extract_if(.., |document| sex_of(document).is_some_and(|sex| sex != gender))
        {
            refused.extend(number_in(&document).map(ToOwned::to_owned));
        }
        let empty = documents.is_empty();
        accepted.tokens.retain(|token| {
            !refused
                .iter()
                .any(|number| token.value.ends_with(number.as_str()))
        });
        if empty {
            self.read.values.remove(place);
        }
        for number in refused {
            let index = self
                .given_at(field, &number)
                .map(|at| format!("[{at}]"))
                .unwrap_or_default();
            self.reject(format!("{}{index}.number", field.path), Reason::Inconsistent);
        }
    }

    /// Where in the given list a document's number stood.
    fn given_at(&self, field: &Field, number: &str) -> Option<usize> {
        let given = self.document.get("id_documents")?.as_array()?;
        given.iter().position(|item| {
            one(field, item, self.context).is_ok_and(|good| number_in(&good.value) == Some(number))
        })
    }

    fn number_of(&self, path: &str) -> Option<u64> {
        let (at, _) = self.catalogue.find(path)?;
        self.read
            .values
            .iter()
            .find(|accepted| accepted.field == at)?
            .value
            .as_u64()
    }
}

/// Whether a text anywhere in a value is masked.
fn holds_mask(value: &Value) -> bool {
    match value {
        Value::String(text) => text::is_masked(text),
        Value::Array(items) => items.iter().any(holds_mask),
        Value::Object(members) => members.values().any(holds_mask),
        _ => false,
    }
}

fn number_in(document: &Value) -> Option<&str> {
    document.get("number")?.as_str()
}

/// What a Chinese resident number says; `None` for every other document.
fn sex_of(document: &Value) -> Option<u64> {
    let resident = document.get("type")?.as_str()? == "cn_resident_id";
    let digit = number_in(document)?.chars().nth(16)?.to_digit(10)?;
    resident.then_some(if digit % 2 == 1 { 1 } else { 2 })
}

/// The first context is the property's; a value that it refuses is tried in the others.
fn check(field: &Field, value: &Value, contexts: &[Context<'_>]) -> Checked {
    if !field.list {
        return in_any(field, value, contexts);
    }
    let given = value.as_array().ok_or_else(|| refused(Reason::WrongType))?;
    if field.kind == Kind::Managed {
        return Err(refused(Reason::NotAccepted));
    }
    if given.is_empty() {
        return Err(refused(Reason::Empty));
    }
    if given.len() > MOST_ITEMS {
        return Err(refused(Reason::TooMany));
    }
    let list = if field.kind == Kind::Codes {
        codes(given)
    } else {
        several(field, given, contexts)
    };
    if list.value.as_array().is_some_and(Vec::is_empty) {
        Err(list.flaws)
    } else {
        Ok(list)
    }
}

fn codes(given: &[Value]) -> Good {
    let (good, bad) = scalar::codes(given);
    let flaws = bad
        .into_iter()
        .map(|(at, reason)| Flaw {
            at: format!("[{at}]"),
            reason,
        })
        .collect();
    Good {
        flaws,
        ..Good::plain(Value::Array(good))
    }
}

fn several(field: &Field, given: &[Value], contexts: &[Context<'_>]) -> Good {
    let mut list = Good::plain(Value::Null);
    let mut kept = Vec::new();
    for (at, item) in given.iter().enumerate() {
        let flaws = match in_any(field, item, contexts) {
            Ok(good) => {
                kept.push(good.value);
                list.tokens.extend(good.tokens);
                list.aside.extend(good.aside);
                good.flaws
            }
            Err(flaws) => flaws,
        };
        list.flaws.extend(flaws.into_iter().map(|f| Flaw {
            at: format!("[{at}]{}", f.at),
            reason: f.reason,
        }));
    }
    list.tokens.sort();
    list.tokens.dedup();
    list.value = merge_lists(field.kind, vec![Value::Array(kept)]);
    list
}

fn in_any(field: &Field, value: &Value, contexts: &[Context<'_>]) -> Checked {
    let mut tries = contexts.iter().map(|context| one(field, value, context));
    let first = tries.next().unwrap_or_else(|| Err(refused(Reason::Invalid)));
    first.or_else(|flaws| tries.find_map(Result::ok).ok_or(flaws))
}

fn one(field: &Field, value: &Value, context: &Context<'_>) -> Checked {
    match field.kind {
        Kind::NativeName => name::native(value),
        Kind::Phone => phone::phone(field, value, context),
        Kind::Email => email::email(field, value, context),
        Kind::Address => items::address(value),
        Kind::MessagingId => items::messaging_id(field, value),
        Kind::ExternalId => items::external_id(field, value),
        Kind::Document => papers::document(field, value, context),
        Kind::Verification => items::verification(value),
        Kind::ResidencePermit => papers::residence_permit(field, value, context),
        Kind::TaxInvoice => tax::tax_invoice(field, value, context),
        Kind::Membership => items::membership(field, value),
        Kind::Organisation => items::organisation(value),
        Kind::Relationship => items::relationship(value),
        Kind::Occasion => items::occasion(value),
        Kind::Restriction => items::restriction(value, context),
        Kind::Note => items::note(value),
        Kind::Object => items::object(field, value),
        _ => plain(field, value, context),
    }
}

fn plain(field: &Field, value: &Value, context: &Context<'_>) -> Checked {
    let stored = scalar::scalar(field, value, context).map_err(refused)?;
    let mut good = Good::plain(stored);
    if let (Kind::Plate, Some(plate), false) = (field.kind, good.value.as_str(), field.index.is_empty()) {
        good.tokens = vec![TokenInput {
            kind: super::TokenKind::Plate,
            value: plate.to_owned(),
        }];
    }
    Ok(good)
}
