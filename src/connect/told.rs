//! What a connector makes of an element: records in the making, and what it would not take.

use chrono::NaiveDate;
use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

use crate::{base::PropertyCode, crypto::sha256};

use super::payload::Payload;

/// Items of a list that are kept: far more than the vault takes, which refuses the list by name.
const MOST_ITEMS: usize = 1000;

/// What one element says of one person.
#[derive(Default)]
pub struct Told {
    pub(super) source_id: String,
    pub(super) observed_at: Option<String>,
    /// The hotel that says so, when it is one of the house's.
    pub(super) property: Option<PropertyCode>,
    guest: Map<String, Value>,
    stays: Vec<Value>,
    consents: Vec<Value>,
    /// Whether this is a part of what the source knows of the person, and its lists are not whole.
    pub(super) excerpt: bool,
    /// Fields that the element says twice, differently: the first is taken.
    pub(super) doubled: Vec<String>,
    /// Why a part of what is said makes no part of a record: words, never values.
    pub(super) lost: Vec<&'static str>,
}

impl Told {
    /// Of the person that the source knows by this id.
    #[must_use]
    pub fn of(source_id: impl Into<String>) -> Self {
        Self {
            source_id: source_id.into(),
            ..Self::default()
        }
    }

    /// For a person whom the source knows only by a place in a reservation ("the second guest"): another name at the same
    /// place is another person. Twelve bits of it tell two apart, and tell nothing to who sees ids but no names.
    pub(super) fn by_name(&mut self) {
        let part = |at: &str| self.guest.get("name")?.pointer(at)?.as_str();
        let mut name: Vec<&str> = [part("/surname"), part("/given")].into_iter().flatten().collect();
        if name.is_empty() {
            name.extend(part("/full").or_else(|| part("/native/value")));
        }
        let letters = name.join(" ").to_lowercase();
        let digest = HEXLOWER.encode(&sha256(letters.as_bytes()));
        if let Some(few) = digest.get(..3).filter(|_| !letters.is_empty()) {
            self.source_id = format!("{}:{few}", self.source_id);
        }
    }

    /// Says a field, when there is something to say: an absent member leaves what the source said before. What the same
    /// element said first stays; another value is reported.
    pub fn say<V: Into<Value>>(&mut self, path: &str, value: Option<V>) {
        let Some(value) = value.map(Into::into) else {
            return;
        };
        let mut place = &mut self.guest;
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                if place.get(name).is_some_and(|first| *first != value) {
                    self.doubled.push(path.to_owned());
                } else {
                    place.insert(name.to_owned(), value);
                }
                return;
            }
            let below = place.entry(name).or_insert_with(|| json!({}));
            let Value::Object(members) = below else {
                self.doubled.push(path.to_owned());
                return;
            };
            place = members;
        }
    }

    /// Adds an item to a list; members that are `null` are left out, and an item of nothing is no item.
    pub fn add(&mut self, path: &str, item: Value) {
        let item = without_nulls(item);
        if item.as_object().is_some_and(Map::is_empty) || item.is_null() {
            return;
        }
        let list = self.guest.entry(path).or_insert_with(|| json!([]));
        if let Value::Array(items) = list
            && items.len() <= MOST_ITEMS
            && !items.contains(&item)
        {
            items.push(item);
        }
    }

    /// Adds a stay; one without its number or its days, or with days that cannot be read, is refused. One without all of
    /// them is none: the source speaks of no stay.
    pub fn stay(&mut self, stay: Value) {
        let stay = without_nulls(stay);
        let text = |name| stay.get(name).and_then(Value::as_str);
        if ["reservation", "arrival", "departure"]
            .into_iter()
            .all(|name| stay.get(name).is_none())
        {
            return;
        }
        let day = |name| text(name).is_some_and(|day| day.parse::<NaiveDate>().is_ok());
        if text("reservation").is_none() {
            self.lost.push("a stay has no reservation number");
        } else if !day("arrival") || !day("departure") {
            self.lost
                .push("a stay has no day of arrival or departure that can be read");
        } else {
            self.stays.push(stay);
        }
    }

    /// What the guest agreed to, or refused.
    pub fn consent(&mut self, purpose: &str, given: bool, channel: &str) {
        let state = if given { "given" } else { "refused" };
        self.consents.push(
            json!({"purpose": purpose, "state": state, "channel": channel, "indication": "imported_flag"}),
        );
    }

    /// When the source saw it so; what the guest agreed to keeps the moment that it was told with.
    pub(super) fn seen(&mut self, at: Option<String>) {
        if let Some(own) = &self.observed_at {
            for consent in self.consents.iter_mut().filter_map(Value::as_object_mut) {
                consent.entry("at").or_insert_with(|| own.as_str().into());
            }
        }
        self.observed_at = at;
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.guest.is_empty() && self.stays.is_empty() && self.consents.is_empty()
    }

    /// The line of the vault's own import format.
    #[must_use]
    pub fn into_line(mut self, source: &str) -> Value {
        // The flag in the source's own record is all the evidence there is.
        let evidence = format!("record {}", self.source_id);
        for consent in self.consents.iter_mut().filter_map(Value::as_object_mut) {
            if let Some(at) = &self.observed_at {
                consent.entry("at").or_insert_with(|| at.as_str().into());
            }
            if evidence.chars().count() <= 200 {
                consent.insert("evidence_ref".to_owned(), evidence.as_str().into());
            }
        }
        let mut line = json!({
            "source_system": source, "source_id": self.source_id, "provenance": "system", "guest": self.guest,
        });
        let Some(members) = line.as_object_mut() else {
            return line;
        };
        if let Some(property) = self.property {
            members.insert("property".to_owned(), property.as_str().into());
        }
        if self.excerpt {
            members.insert("excerpt".to_owned(), true.into());
        }
        if let Some(at) = self.observed_at {
            members.insert("observed_at".to_owned(), at.into());
        }
        if !self.stays.is_empty() {
            members.insert("stays".to_owned(), self.stays.into());
        }
        if !self.consents.is_empty() {
            members.insert("consents".to_owned(), self.consents.into());
        }
        line
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, without_nulls(value)))
            .filter(|(_, value)| !value.is_null() && value.as_object().is_none_or(|inner| !inner.is_empty()))
            .collect::<Map<_, _>>()
            .into(),
        other => other,
    }
}

/// All that came of an element.
#[derive(Default)]
pub struct Outcome {
    /// What it says, person by person.
    pub told: Vec<Told>,
    /// Why it, or part of it, makes no record: words, never values.
    pub refused: Vec<&'static str>,
    /// What somebody must look at: card numbers where none belong.
    pub alarms: Vec<&'static str>,
}

/// Reads the payloads of one system.
pub trait Connector: Send {
    /// The code of the system, as records name their source.
    fn source(&self) -> &str;

    /// What an element says.
    fn take(&mut self, payload: &Payload) -> Outcome;

    /// What is left to say when the file ends.
    fn finish(&mut self) -> Outcome {
        Outcome::default()
    }
}
