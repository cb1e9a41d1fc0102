//! Objects, member by member: a bad member that the value can do without is left out and told; without a needed one
//! the whole value is refused.

use serde_json::{Map, Value};

use super::{Reason, Rejection, TokenInput, TokenKind};

/// What is wrong, and where below the value: empty, or `.number`, `[2]`, `[0].kind`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) at: String,
    pub(super) reason: Reason,
}

impl Flaw {
    pub(super) fn below(self, prefix: &str) -> Rejection {
        Rejection {
            field: format!("{prefix}{}", self.at),
            reason: self.reason,
        }
    }
}

/// A value in its normal form, with what had to be left out of it.
pub(super) struct Good {
    pub(super) value: Value,
    pub(super) tokens: Vec<TokenInput>,
    pub(super) flaws: Vec<Flaw>,
    /// What a machine-readable zone in it says of other fields: paths and values, not yet checked.
    pub(super) aside: Vec<(&'static str, Value)>,
}

impl Good {
    pub(super) fn plain(value: Value) -> Self {
        Self {
            value,
            tokens: Vec::new(),
            flaws: Vec::new(),
            aside: Vec::new(),
        }
    }
}

/// The outcome for one value.
pub(super) type Checked = Result<Good, Vec<Flaw>>;

/// A flaw of the value itself.
pub(super) fn refused(reason: Reason) -> Vec<Flaw> {
    vec![Flaw {
        at: String::new(),
        reason,
    }]
}

/// The word of an unknown key, unless it might be data: digits in a row are a phone or a document.
pub(super) fn safe_word(key: &str) -> &str {
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    let word = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if word && digits < 4 && key.len() <= 40 {
        key
    } else {
        "?"
    }
}

/// An object being read.
pub(super) struct Item<'a> {
    given: &'a Map<String, Value>,
    asked: Vec<&'static str>,
    taken: Map<String, Value>,
    tokens: Vec<TokenInput>,
    flaws: Vec<Flaw>,
    aside: Vec<(&'static str, Value)>,
    broken: bool,
}

impl<'a> Item<'a> {
    /// # Errors
    /// When the value is no object, or an empty one.
    pub(super) fn open(value: &'a Value) -> Result<Self, Vec<Flaw>> {
        let given = value.as_object().ok_or_else(|| refused(Reason::WrongType))?;
        if given.is_empty() {
            return Err(refused(Reason::Empty));
        }
        Ok(Self {
            given,
            asked: Vec::new(),
            taken: Map::new(),
            tokens: Vec::new(),
            flaws: Vec::new(),
            aside: Vec::new(),
            broken: false,
        })
    }

    /// The member as given; `null` counts as absent.
    pub(super) fn given(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.push(name);
        self.given.get(name).filter(|value| !value.is_null())
    }

    /// A member that the value can do without.
    pub(super) fn may<T: Into<Value>>(
        &mut self,
        name: &'static str,
        check: impl FnOnce(&Value) -> Result<T, Reason>,
    ) -> Option<&Value> {
        let value = check(self.given(name)?);
        self.settle(name, value)
    }

    /// A member that the value cannot do without.
    pub(super) fn need<T: Into<Value>>(
        &mut self,
        name: &'static str,
        check: impl FnOnce(&Value) -> Result<T, Reason>,
    ) -> Option<&Value> {
        if self.given(name).is_none() {
            self.fail(name, Reason::Missing);
            return None;
        }
        let flaws = self.flaws.len();
        self.may(name, check);
        self.broken |= self.flaws.len() > flaws;
        self.taken.get(name)
    }

    /// Like [`Item::need`], taking what another member said where nothing is given.
    pub(super) fn need_or<T: Into<Value>>(
        &mut self,
        name: &'static str,
        otherwise: Option<&str>,
        check: impl FnOnce(&Value) -> Result<T, Reason>,
    ) -> Option<&Value> {
        match otherwise {
            Some(text) if self.given(name).is_none() => {
                let value = check(&text.into());
                self.settle(name, value)
            }
            _ => self.need(name, check),
        }
    }

    fn settle<T: Into<Value>>(&mut self, name: &'static str, value: Result<T, Reason>) -> Option<&Value> {
        match value {
            Ok(value) => Some(self.put(name, value)),
            Err(reason) => {
                self.flaw(name, reason);
                None
            }
        }
    }

    /// Keeps a member.
    pub(super) fn put(&mut self, name: &'static str, value: impl Into<Value>) -> &Value {
        let place = self.taken.entry(name).or_insert(Value::Null);
        *place = value.into();
        place
    }

    /// A kept text member.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.taken.get(name).and_then(Value::as_str)
    }

    /// A kept member that is an object.
    pub(super) fn object(&self, name: &str) -> Option<Map<String, Value>> {
        self.taken.get(name).and_then(Value::as_object).cloned()
    }

    /// Tells that a member is left out.
    pub(super) fn flaw(&mut self, name: &str, reason: Reason) {
        self.flaws.push(Flaw {
            at: format!(".{name}"),
            reason,
        });
    }

    /// Refuses the whole value because of a member.
    pub(super) fn fail(&mut self, name: &str, reason: Reason) {
        self.flaw(name, reason);
        self.broken = true;
    }

    /// What the value can be found by.
    pub(super) fn token(&mut self, kind: TokenKind, parts: &[&str]) {
        self.tokens.push(TokenInput {
            kind,
            value: parts.join("\u{1f}"),
        });
    }

    /// What a member says of another field.
    pub(super) fn aside(&mut self, found: Vec<(&'static str, Value)>) {
        self.aside = found;
    }

    /// The value, once every member was asked for.
    ///
    /// # Errors
    /// When a needed member is missing or bad, or nothing is left.
    pub(super) fn close(mut self) -> Checked {
        for key in self.given.keys() {
            if !self.asked.contains(&key.as_str()) {
                self.flaws.push(Flaw {
                    at: format!(".{}", safe_word(key)),
                    reason: Reason::UnknownField,
                });
            }
        }
        if self.taken.is_empty() && self.flaws.is_empty() {
            return Err(refused(Reason::Empty));
        }
        if self.broken || self.taken.is_empty() {
            return Err(self.flaws);
        }
        Ok(Good {
            value: Value::Object(self.taken),
            tokens: self.tokens,
            flaws: self.flaws,
            aside: self.aside,
        })
    }
}
