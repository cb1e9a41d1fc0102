//! One source's words about one guest: a line of the import format.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::{
    people::Person,
    stays::{Stay, shift},
};

/// What a source can draw on when it tells of a guest.
pub(super) struct Known<'a> {
    pub(super) person: &'a Person,
    /// The stay around today, if any.
    pub(super) stay: Option<&'a Stay>,
    /// The property whose system speaks.
    pub(super) property: &'static str,
    /// The last part of the source's own id.
    pub(super) id: &'a str,
    pub(super) today: NaiveDate,
}

impl Known<'_> {
    /// A line of this system, observed `days` ago.
    pub(super) fn line(&self, system: &'static str, provenance: &'static str, days: i64) -> Line {
        Line {
            system,
            id: self.id.to_owned(),
            property: self.property,
            observed_at: format!(
                "{}T{:02}:30:00Z",
                shift(self.today, -days.max(1)),
                8 + self.person.index % 12
            ),
            provenance,
            guest: Map::new(),
            stays: Vec::new(),
            consents: Vec::new(),
        }
    }

    /// The phone as this property's staff type it: without the country code when it is their own.
    pub(super) fn phone_as_typed(&self) -> String {
        let at_home = matches!(
            (self.property, self.person.culture.region),
            ("LIS01", "PT") | ("SHA01", "CN") | ("BER01", "DE")
        );
        if at_home {
            self.person.phone_at_home()
        } else {
            self.person.phone.replace(' ', "")
        }
    }
}

/// A record in the making.
pub(super) struct Line {
    system: &'static str,
    id: String,
    property: &'static str,
    observed_at: String,
    provenance: &'static str,
    pub(super) guest: Map<String, Value>,
    pub(super) stays: Vec<Value>,
    pub(super) consents: Vec<Value>,
}

impl Line {
    /// Says something about the guest.
    pub(super) fn say(&mut self, field: &str, value: impl Into<Value>) {
        self.guest.insert(field.to_owned(), value.into());
    }

    /// Says it when `known`.
    pub(super) fn say_if(&mut self, known: bool, field: &str, value: Value) {
        if known {
            self.say(field, value);
        }
    }

    /// As a line of the import format.
    pub(super) fn value(self) -> Value {
        let mut line = json!({
            "source_system": self.system,
            "source_id": self.id,
            "property": self.property,
            "observed_at": self.observed_at,
            "provenance": self.provenance,
            "guest": self.guest,
        });
        if !self.stays.is_empty() {
            set(&mut line, "stays", self.stays);
        }
        if !self.consents.is_empty() {
            set(&mut line, "consents", self.consents);
        }
        line
    }
}

/// Sets a member of an object.
pub(super) fn set(object: &mut Value, member: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(member.to_owned(), value.into());
    }
}
