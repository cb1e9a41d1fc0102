//! The stays and consents of a record: one that cannot be is refused by name, and the rest of the record is kept.

use std::ops::{Deref, DerefMut};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
    ser::SerializeSeq as _,
};
use serde_json::Value;

/// What a record tells several of: those that can be, and those that cannot, in their order.
#[derive(Clone)]
pub struct Heard<T> {
    good: Vec<T>,
    bad: Vec<Impossible>,
}

/// One that cannot be, with its place among all.
#[derive(Clone)]
pub(super) struct Impossible {
    pub(super) at: usize,
    /// Its member that cannot be; empty for the whole.
    pub(super) member: String,
    pub(super) reason: &'static str,
    said: Value,
}

impl<T> Heard<T> {
    /// Those that can be, with their places among all.
    pub(super) fn placed(&self) -> impl Iterator<Item = (usize, &T)> {
        let mut bad = self.bad.iter().map(|one| one.at).peekable();
        let mut place = 0;
        self.good.iter().map(move |one| {
            while bad.next_if_eq(&place).is_some() {
                place += 1;
            }
            place += 1;
            (place - 1, one)
        })
    }

    pub(super) fn impossible(&self) -> &[Impossible] {
        &self.bad
    }

    /// Whether nothing at all was told.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.good.is_empty() && self.bad.is_empty()
    }
}

impl<T> Default for Heard<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T> From<Vec<T>> for Heard<T> {
    fn from(good: Vec<T>) -> Self {
        let bad = Vec::new();
        Self { good, bad }
    }
}

impl<T> Deref for Heard<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.good
    }
}

/// One of them, read where it stands, so that an error knows its place.
enum One<T> {
    Good(T),
    Bad(String, &'static str, Value),
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let said = Value::deserialize(from)?;
        let error = match serde_path_to_error::deserialize(&said) {
            Ok(one) => return Ok(Self::Good(one)),
            Err(error) => error,
        };
        let told = error.inner().to_string();
        let reason = reason(&told).ok_or_else(|| D::Error::custom(told))?;
        let member = error.path().to_string();
        let member = if member == "." { String::new() } else { member };
        Ok(Self::Bad(member, reason, said))
    }
}

impl<T> DerefMut for Heard<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.good
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Heard<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut heard = Self::default();
        for (at, one) in Vec::<One<T>>::deserialize(from)?.into_iter().enumerate() {
            match one {
                One::Good(one) => heard.good.push(one),
                One::Bad(member, reason, said) => heard.bad.push(Impossible {
                    at,
                    member,
                    reason,
                    said,
                }),
            }
        }
        Ok(heard)
    }
}

/// Why a value cannot be; `None` when what is wrong is the shape, which is the caller's to mend before anything is stored.
fn reason(told: &str) -> Option<&'static str> {
    let shape = ["missing field", "unknown field", "duplicate field"];
    if shape.iter().any(|start| told.starts_with(start)) {
        None
    } else if told.starts_with("invalid type") {
        Some("wrong_type")
    } else if told.starts_with("unknown variant") {
        Some("invalid_code")
    } else if told.starts_with("input ") || told.contains("out of range") || told.contains("trailing input") {
        // As chrono says it.
        Some("impossible_date")
    } else {
        Some("invalid")
    }
}

impl<T: Serialize> Serialize for Heard<T> {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        let mut list = into.serialize_seq(Some(self.good.len() + self.bad.len()))?;
        let mut bad = self.bad.iter().peekable();
        for (place, one) in self.placed() {
            while let Some(one) = bad.next_if(|one| one.at < place) {
                list.serialize_element(&one.said)?;
            }
            list.serialize_element(one)?;
        }
        for one in bad {
            list.serialize_element(&one.said)?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::StayInput;

    #[test]
    fn what_cannot_be_is_named_and_goes_on_as_it_came() {
        let good = |n| {
            format!(
                r#"{{"reservation":"R{n}","arrival":"2026-03-04","departure":"2026-03-07","status":"confirmed","role":"primary"}}"#
            )
        };
        let bad = [
            (
                r#"{"reservation":"B","arrival":"2026-02-30","departure":"2026-03-07","status":"confirmed"}"#,
                ("arrival", "impossible_date"),
            ),
            (
                r#"{"reservation":"B","arrival":"soon","departure":"2026-03-07","status":"confirmed"}"#,
                ("arrival", "impossible_date"),
            ),
            (
                r#"{"reservation":"B","arrival":20260304,"departure":"2026-03-07","status":"confirmed"}"#,
                ("arrival", "wrong_type"),
            ),
            (
                r#"{"reservation":"B","arrival":"2026-03-04","departure":"2026-03-07","status":"perhaps"}"#,
                ("status", "invalid_code"),
            ),
            (r#""R9""#, ("", "wrong_type")),
        ];
        let mut all = vec![good(0)];
        all.extend(bad.iter().map(|(text, _)| (*text).to_owned()));
        all.push(good(1));
        let text = format!("[{}]", all.join(","));
        let heard: Heard<StayInput> = serde_json::from_str(&text).unwrap();
        let places: Vec<usize> = heard.placed().map(|(at, _)| at).collect();
        assert_eq!(places, [0, 6]);
        let named: Vec<(&str, &str)> = heard
            .bad
            .iter()
            .map(|one| (one.member.as_str(), one.reason))
            .collect();
        assert_eq!(named, bad.map(|(_, named)| named));
        let again: Vec<Value> = serde_json::from_value(serde_json::to_value(&heard).unwrap()).unwrap();
        let before: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(again.get(1..6), before.get(1..6));
        // What a call may not hold at all is no value.
        for shape in [r#"[{"reservation":"R"}]"#, r#"[{"surname":"x"}]"#] {
            assert!(
                serde_json::from_str::<Heard<StayInput>>(shape).is_err(),
                "{shape}"
            );
        }
    }
}
