//! Looks over the bytes of a JSON document before anything is built from them.
//!
//! Refused: invalid UTF-8 and syntax, nesting, strings, numbers and lists past the limits, the same key twice
//! in an object (two readers may take two different ones), `NUL` characters, and anything behind the end.

use std::{borrow::Cow, collections::HashSet, fmt::Write as _};

use super::{Kind, Problem, reason::safe_name};

/// How deep arrays and objects may be nested.
pub const MAX_DEPTH: usize = 16;
/// The longest string, in bytes as written.
const MAX_STRING: usize = 128 * 1024;
/// The longest number, in characters.
const MAX_NUMBER: usize = 32;
/// The most members of one object and items of one array.
const MAX_ITEMS: usize = 10_000;

/// Checks a whole document.
///
/// # Errors
/// [`Kind::InvalidRequest`], [`Kind::TooDeep`] or [`Kind::TooLarge`], with line and path but no value.
pub fn check(bytes: &[u8]) -> Result<(), Problem> {
    let mut scan = Scan {
        bytes,
        at: 0,
        path: Vec::new(),
    };
    if let Err(error) = std::str::from_utf8(bytes) {
        scan.at = error.valid_up_to();
        return Err(scan.fault("is not valid UTF-8"));
    }
    scan.value()?;
    scan.space();
    if scan.at < bytes.len() {
        return Err(scan.fault("goes on behind the end of the document"));
    }
    Ok(())
}

enum Step<'a> {
    Key(Cow<'a, str>),
    Item(usize),
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    path: Vec<Step<'a>>,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<(), Problem> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string().map(|_| ()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(_) => Err(self.fault("is not JSON")),
            None => Err(self.fault("ends too early")),
        }
    }

    fn object(&mut self) -> Result<(), Problem> {
        self.deeper()?;
        self.at += 1;
        self.space();
        if self.take(b'}') {
            return Ok(());
        }
        let mut keys = HashSet::new();
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("needs a key in double quotes"));
            }
            let key = self.string()?;
            self.path.push(Step::Key(key.clone()));
            if !keys.insert(key) {
                return Err(self.fault("is given twice"));
            }
            self.within_items(keys.len())?;
            self.space();
            if !self.take(b':') {
                return Err(self.fault("needs a colon behind the key"));
            }
            self.value()?;
            self.path.pop();
            self.space();
            if self.take(b'}') {
                return Ok(());
            }
            self.comma()?;
        }
    }

    fn array(&mut self) -> Result<(), Problem> {
        self.deeper()?;
        self.at += 1;
        self.space();
        if self.take(b']') {
            return Ok(());
        }
        for item in 0.. {
            self.path.push(Step::Item(item));
            self.within_items(item + 1)?;
            self.value()?;
            self.path.pop();
            self.space();
            if self.take(b']') {
                break;
            }
            self.comma()?;
        }
        Ok(())
    }

    fn comma(&mut self) -> Result<(), Problem> {
        if self.take(b',') {
            return Ok(());
        }
        Err(self.fault(if self.peek().is_none() {
            "ends too early"
        } else {
            "needs a comma or an end"
        }))
    }

    fn deeper(&self) -> Result<(), Problem> {
        if self.path.len() < MAX_DEPTH {
            return Ok(());
        }
        Err(Problem::new(Kind::TooDeep).detail("Arrays and objects may be nested 16 deep."))
    }

    fn within_items(&self, count: usize) -> Result<(), Problem> {
        if count <= MAX_ITEMS {
            return Ok(());
        }
        Err(self.too_large("has more than 10000 items"))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Problem> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek() {
                None => return Err(self.fault("ends too early")),
                Some(b'"') => break,
                Some(0..0x20) => return Err(self.fault("holds a control character that is not escaped")),
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = self.bytes.get(start..self.at).unwrap_or_default();
        if quoted.len() > MAX_STRING {
            return Err(self.too_large("is longer than 128 KiB"));
        }
        self.text(quoted, escaped)
    }

    fn text(&self, quoted: &'a [u8], escaped: bool) -> Result<Cow<'a, str>, Problem> {
        if !escaped {
            let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
            return Ok(String::from_utf8_lossy(inner));
        }
        let text: String =
            serde_json::from_slice(quoted).map_err(|_| self.fault("holds an escape that is none"))?;
        if text.contains('\0') {
            return Err(self.fault("holds a NUL character"));
        }
        Ok(Cow::Owned(text))
    }

    fn number(&mut self) -> Result<(), Problem> {
        let start = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let text = self.bytes.get(start..self.at).unwrap_or_default();
        if text.len() > MAX_NUMBER {
            return Err(self.fault("is a number of more than 32 characters"));
        }
        // The decoder knows the grammar, and refuses what does not fit a finite number.
        serde_json::from_slice::<serde_json::Number>(text)
            .map(|_| ())
            .map_err(|_| self.fault("is not a number that JSON knows"))
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Problem> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word) {
            return Err(self.fault("is not JSON"));
        }
        self.at += word.len();
        Ok(())
    }

    fn fault(&self, reason: &str) -> Problem {
        self.problem(Kind::InvalidRequest, reason)
    }

    fn too_large(&self, reason: &str) -> Problem {
        self.problem(Kind::TooLarge, reason)
    }

    fn problem(&self, kind: Kind, reason: &str) -> Problem {
        let before = self
            .bytes
            .get(..self.at.min(self.bytes.len()))
            .unwrap_or_default();
        let line = before.split(|b| *b == b'\n').count();
        Problem::new(kind).field(self.place(), format!("{reason} (line {line})"))
    }

    fn place(&self) -> String {
        let mut place = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) if place.is_empty() => place.push_str(&safe_name(key)),
                Step::Key(key) => place.extend([".", &safe_name(key)]),
                Step::Item(item) => {
                    let _ = write!(place, "[{item}]");
                }
            }
        }
        if place.is_empty() {
            "the body".to_owned()
        } else {
            place
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(json: &[u8]) -> (Kind, String) {
        let problem = check(json).unwrap_err();
        let document = problem.document();
        let error = document
            .errors
            .first()
            .map(|e| format!("{} {}", e.field, e.reason));
        (problem.kind(), error.unwrap_or_default())
    }

    #[test]
    fn hostile_documents_are_refused_with_place_and_line() {
        let cases: [(&[u8], &str); 16] = [
            (b"", "the body ends too early (line 1)"),
            (
                b"{\"a\":1} {}",
                "the body goes on behind the end of the document (line 1)",
            ),
            (b"{\"a\":1,\n\"a\":2}", "a is given twice (line 2)"),
            (b"{\"a\":1,\"\\u0061\":2}", "a is given twice (line 1)"),
            (
                b"{\"g\":{\"n\":[1,{\"x\":\"\\u0000\"}]}}",
                "g.n[1].x holds a NUL character (line 1)",
            ),
            (
                b"{\"a\":\"\x00\"}",
                "a holds a control character that is not escaped (line 1)",
            ),
            (b"{\"a\":\"\\ud800\"}", "a holds an escape that is none (line 1)"),
            (b"{\"a\":\"\\x\"}", "a holds an escape that is none (line 1)"),
            (b"{\"a\":\"\xff\"}", "the body is not valid UTF-8 (line 1)"),
            (b"{\"a\":1e999}", "a is not a number that JSON knows (line 1)"),
            (b"{\"a\":01}", "a is not a number that JSON knows (line 1)"),
            (b"{\"a\":NaN}", "a is not JSON (line 1)"),
            (b"{'a':1}", "the body needs a key in double quotes (line 1)"),
            (b"[1,]", "[1] is not JSON (line 1)"),
            (b"{\"a\":\"\\", "a ends too early (line 1)"),
            (b"{\"Wang Xiaoming\":x}", "(unnamed) is not JSON (line 1)"),
        ];
        for (json, expected) in cases {
            assert_eq!(told(json), (Kind::InvalidRequest, expected.to_owned()));
        }
    }

    #[test]
    fn sizes_past_the_limits_are_refused() {
        let nested = |depth| [vec![b'['; depth], vec![b']'; depth]].concat();
        assert!(check(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(told(&nested(MAX_DEPTH + 1)).0, Kind::TooDeep);
        // Far deeper than any call stack: still just refused.
        assert_eq!(told(&vec![b'['; 1 << 20]).0, Kind::TooDeep);
        assert_eq!(told("{\"a\":".repeat(200_000).as_bytes()).0, Kind::TooDeep);
        assert_eq!(
            told(format!("\"{}\"", "x".repeat(MAX_STRING)).as_bytes()).0,
            Kind::TooLarge
        );
        assert_eq!(
            told(format!("[{}1]", "1,".repeat(MAX_ITEMS)).as_bytes()).0,
            Kind::TooLarge
        );
        assert_eq!(told("1".repeat(33).as_bytes()).0, Kind::InvalidRequest);
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "[^\0]*".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::hash_map("[^\0]*", inner, 0..8)
                    .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_a_serializer_writes_passes(value in any_json()) {
            prop_assert!(check(serde_json::to_string_pretty(&value).unwrap().as_bytes()).is_ok());
        }

        #[test]
        fn what_passes_the_decoder_takes(bytes in prop::collection::vec(prop::sample::select(b"{}[]\",:\\u0a1-.e ntf".to_vec()), 0..40)) {
            if check(&bytes).is_ok() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
            }
        }
    }
}
