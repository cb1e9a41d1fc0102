//! One element of a payload, with a note of what was taken from it: the rest is reported.

use std::{cell::RefCell, collections::HashSet, ptr};

use serde_json::{Number, Value};

/// An element as it came.
pub struct Payload {
    root: Value,
    place: &'static [&'static str],
    taken: RefCell<HashSet<*const Value>>,
}

impl Payload {
    /// A payload of which nothing is taken yet.
    #[must_use]
    pub fn new(root: Value) -> Self {
        Self {
            root,
            place: &[],
            taken: RefCell::default(),
        }
    }

    /// The same, with where in its file it stood.
    #[must_use]
    pub fn standing_at(self, place: &'static [&'static str]) -> Self {
        Self { place, ..self }
    }

    /// Where in its file it stood, when that is one of several places.
    #[must_use]
    pub fn place(&self) -> &'static [&'static str] {
        self.place
    }

    /// The element itself.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.root
    }

    /// Its root.
    #[must_use]
    pub fn node(&self) -> Node<'_> {
        Node {
            value: Some(&self.root),
            payload: self,
        }
    }

    /// The places of all values that say something and were not taken; list positions are left out.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        self.walk("", &self.root, &mut left);
        left
    }

    fn walk(&self, place: &str, value: &Value, left: &mut Vec<String>) {
        if self.taken.borrow().contains(&ptr::from_ref(value)) {
            return;
        }
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    let dot = if place.is_empty() { "" } else { "." };
                    self.walk(&format!("{place}{dot}{}", safe(key)), member, left);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.walk(&format!("{place}[]"), item, left);
                }
            }
            Value::Null => {}
            Value::String(text) if text.trim().is_empty() => {}
            _ => left.push(place.to_owned()),
        }
    }
}

/// A member's name, unless it might itself be data.
pub(super) fn safe(key: &str) -> &str {
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    let word = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'@' | b'#' | b':' | b' '));
    if word && digits < 4 && !key.is_empty() && key.len() <= 60 {
        key
    } else {
        "?"
    }
}

/// The digits of a whole number. Of one too large to be read exactly nobody knows them: two ids would be one.
fn whole(number: &Number) -> Option<String> {
    if !number.is_f64() {
        return Some(number.to_string());
    }
    let number = number.as_f64()?;
    // The largest to which every whole number before it is told exactly: 2^53.
    let exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
    exact.then(|| format!("{number:.0}"))
}

/// A place in a payload; it may be empty.
#[derive(Clone, Copy)]
pub struct Node<'p> {
    value: Option<&'p Value>,
    payload: &'p Payload,
}

impl<'p> Node<'p> {
    /// The member at a path such as `address.cityName`.
    #[must_use]
    pub fn at(self, path: &str) -> Self {
        let value = path
            .split('.')
            .try_fold(self.value, |value, name| Some(value?.get(name)))
            .flatten();
        Self { value, ..self }
    }

    /// The member of this very name, dots and all.
    #[must_use]
    pub fn member(self, name: &str) -> Self {
        let value = self.value.and_then(|value| value.get(name));
        Self { value, ..self }
    }

    /// The items of a list; a single object counts as a list of one.
    pub fn items(self) -> impl Iterator<Item = Self> + use<'p> {
        let items: Vec<&'p Value> = match self.value {
            Some(Value::Array(items)) => items.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => Vec::new(),
        };
        items.into_iter().map(move |item| Self {
            value: Some(item),
            ..self
        })
    }

    /// The first item that a list has.
    #[must_use]
    pub fn first(self) -> Self {
        let value = self.items().next().and_then(|item| item.value);
        Self { value, ..self }
    }

    /// Text or a number, trimmed; empty text says nothing, as `null` and a missing member do.
    #[must_use]
    pub fn text(self) -> Option<String> {
        let text = match self.value? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => whole(number)?,
            _ => return None,
        };
        self.take();
        (!text.is_empty()).then_some(text)
    }

    /// The words of a list of texts.
    #[must_use]
    pub fn texts(self) -> Vec<String> {
        let Some(Value::Array(items)) = self.value else {
            return self.text().into_iter().collect();
        };
        let item = |value| Self {
            value: Some(value),
            ..self
        };
        items.iter().filter_map(|value| item(value).text()).collect()
    }

    /// The items of a list of texts, one by one.
    pub fn words(self) -> impl Iterator<Item = Self> + use<'p> {
        let items: &'p [Value] = match self.value {
            Some(Value::Array(items)) => items,
            _ => &[],
        };
        items.iter().map(move |item| Self {
            value: Some(item),
            ..self
        })
    }

    /// A yes or no.
    #[must_use]
    pub fn flag(self) -> Option<bool> {
        let flag = self.peek_flag()?;
        self.take();
        Some(flag)
    }

    /// A yes or no that is not taken: looked at to decide.
    #[must_use]
    pub fn peek_flag(self) -> Option<bool> {
        if let Some(Value::Bool(flag)) = self.value {
            return Some(*flag);
        }
        self.look(|text| match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "1" => Some(true),
            "false" | "no" | "n" | "0" => Some(false),
            _ => None,
        })
    }

    /// What the text says, when it can be read so; what cannot stays, to be reported.
    #[must_use]
    pub fn read<T>(self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let said = self.look(read)?;
        self.take();
        Some(said)
    }

    /// The same, not taken.
    #[must_use]
    pub fn look<T>(self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        match self.value? {
            Value::String(text) => read(text.trim()),
            Value::Number(number) => read(&whole(number)?),
            _ => None,
        }
    }

    /// Whether anything is said: neither `null` nor empty text.
    #[must_use]
    pub fn says(self) -> bool {
        match self.value {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(_) => true,
        }
    }

    /// Whether anything is said in it: an object whose members say nothing says nothing.
    #[must_use]
    pub fn tells(self) -> bool {
        self.value.is_some_and(|value| !says_nothing(value))
    }

    /// Whether a list is here, be it empty.
    #[must_use]
    pub fn is_list(self) -> bool {
        self.value.is_some_and(Value::is_array)
    }

    /// Whether there is anything.
    #[must_use]
    pub fn exists(self) -> bool {
        self.value.is_some_and(|value| !value.is_null())
    }

    /// Marks the place and all below it as dealt with.
    pub fn take(self) {
        if let Some(value) = self.value {
            self.payload.taken.borrow_mut().insert(ptr::from_ref(value));
        }
    }

    /// A text that is there but not taken: looked at to decide.
    #[must_use]
    pub fn peek(self) -> Option<&'p str> {
        self.value?
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }
}

/// Whether a value says nothing: `null`, empty text, or an object of such.
pub(super) fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Object(members) => members.values().all(says_nothing),
        _ => false,
    }
}
