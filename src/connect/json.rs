//! Elements of a JSON document of any size, one at a time: the profile among a million is read, the million never.

use std::{
    fmt,
    io::{self, BufRead},
    mem,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use super::{
    payload::safe,
    places::{self, Places},
};

/// The largest element, in bytes.
pub const MAX_ELEMENT: usize = 1024 * 1024;
/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// The longest member name that is compared.
const MAX_KEY: usize = 128;

/// Members of a page that say where it stands among pages, in small letters: nothing of a guest.
const PAGING: [&str; 13] = [
    "count",
    "cursor",
    "hasmore",
    "limit",
    "offset",
    "page",
    "pagesize",
    "success",
    "total",
    "totalcount",
    "totalpages",
    "totalresults",
    "totalrows",
];

/// Why an element cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Larger than [`MAX_ELEMENT`].
    TooLarge,
    /// Not JSON.
    NotJson,
    /// A member is given twice, differently.
    Twice,
}

struct Frame {
    is_array: bool,
    key: String,
    expects_key: bool,
}

/// The bytes of a value in the making.
struct Capture {
    depth: usize,
    bytes: Vec<u8>,
    too_large: bool,
}

impl Capture {
    fn new(depth: usize) -> Self {
        Self {
            depth,
            bytes: Vec::new(),
            too_large: false,
        }
    }

    fn push(&mut self, byte: u8) {
        if self.too_large {
            return;
        }
        if self.bytes.len() == MAX_ELEMENT {
            self.too_large = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.push(byte);
        }
    }

    fn read(self) -> Result<Value, Broken> {
        if self.too_large {
            return Err(Broken::TooLarge);
        }
        let read = serde_json::from_slice::<Once>(&self.bytes);
        read.map(|once| once.0).map_err(|error| {
            if error.is_data() {
                Broken::Twice
            } else {
                Broken::NotJson
            }
        })
    }
}

/// A value in which no member is said twice, differently: two readers may take two different ones.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reading).map(Self)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Once(item)) = from.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Once(member))) = from.next_entry::<String, Once>()? {
            if members.get(&name).is_some_and(|first| *first != member) {
                return Err(A::Error::custom("a member is given twice"));
            }
            members.insert(name, member);
        }
        Ok(Value::Object(members))
    }
}

/// Cuts a document, or several one after the other, into elements: the objects at the places named, such as
/// `profiles.profileInfo`, and where there is none, the whole object (or each object of an outermost list). So it is too
/// where a place has a text, such as an id, and where an empty list stands at one, it is an empty page.
pub struct Elements<R> {
    from: R,
    cutter: Cutter,
    read_bytes: u64,
}

/// Where in the document the last byte stood, and what is being gathered.
struct Cutter {
    places: &'static [&'static [&'static str]],
    stack: Vec<Frame>,
    in_string: bool,
    escaped: bool,
    text: Vec<u8>,
    element: Option<Capture>,
    whole: Option<Capture>,
    in_word: bool,
    page: Page,
    /// Where the element that began last stands; nowhere, when it is a whole object.
    place: &'static [&'static str],
}

/// What is known of the outermost object, and of all before it.
#[derive(Default)]
struct Page {
    /// It has a place for elements.
    listed: bool,
    /// It is an element itself.
    is_whole: bool,
    /// What it says outside of elements, and what all before it said.
    beside: Places,
    outside: Places,
    /// There was an element, or a place for some.
    found: bool,
}

/// What a value is that is neither object nor list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scalar {
    Text,
    Null,
    Other,
}

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl<R: BufRead> Elements<R> {
    /// Begins to read.
    pub fn new(from: R, places: &'static [&'static [&'static str]]) -> Self {
        Self {
            from,
            cutter: Cutter {
                places,
                stack: Vec::new(),
                in_string: false,
                escaped: false,
                text: Vec::new(),
                element: None,
                whole: None,
                in_word: false,
                page: Page::default(),
                place: &[],
            },
            read_bytes: 0,
        }
    }

    /// How many bytes are read.
    #[must_use]
    pub const fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// What stands outside the elements, of all that was read.
    pub(super) fn take_outside(&mut self) -> Places {
        mem::take(&mut self.cutter.page.outside)
    }

    /// At which of the places the element told last stands; at none, when it is a whole object.
    #[must_use]
    pub(super) const fn place(&self) -> &'static [&'static str] {
        self.cutter.place
    }

    /// The next element.
    ///
    /// # Errors
    /// When the file cannot be read, is no JSON outside its elements, or has nothing where elements are.
    pub fn next_element(&mut self) -> io::Result<Option<Result<Value, Broken>>> {
        loop {
            let buffer = match self.from.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if buffer.is_empty() {
                return if !self.cutter.stack.is_empty() || self.cutter.in_string {
                    Err(wrong("it ends in the middle of a value; fetch it again"))
                } else if self.cutter.page.found {
                    Ok(None)
                } else {
                    Err(wrong("it has nothing of this format; see --format"))
                };
            }
            let (mut used, mut found) = (0, None);
            for byte in buffer {
                used += 1;
                found = self.cutter.byte(*byte)?;
                if found.is_some() {
                    break;
                }
            }
            self.from.consume(used);
            self.read_bytes += u64::try_from(used).unwrap_or(0);
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}

impl Cutter {
    fn byte(&mut self, byte: u8) -> io::Result<Option<Result<Value, Broken>>> {
        if !self.in_string && matches!(byte, b'{' | b'[') {
            self.begin(byte)?;
        }
        for capture in [&mut self.element, &mut self.whole].into_iter().flatten() {
            capture.push(byte);
        }
        if self.in_string {
            self.string(byte);
            return Ok(None);
        }
        if matches!(byte, b',' | b':' | b'}' | b']') || byte.is_ascii_whitespace() {
            self.in_word = false;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.text.clear();
            }
            b'}' | b']' => return self.end(byte),
            b',' => {
                if let Some(frame) = self.stack.last_mut() {
                    frame.expects_key = !frame.is_array;
                }
            }
            // A byte order mark may stand before everything.
            b'{' | b'[' | 0xEF | 0xBB | 0xBF => {}
            _ if self.stack.is_empty() && !byte.is_ascii_whitespace() => {
                return Err(wrong("it is not JSON; see --format"));
            }
            b':' => {}
            _ if self.in_word || byte.is_ascii_whitespace() => {}
            first => {
                self.in_word = true;
                self.scalar(if first == b'n' {
                    Scalar::Null
                } else {
                    Scalar::Other
                });
            }
        }
        Ok(None)
    }

    fn string(&mut self, byte: u8) {
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.in_string = false;
            if let Some(frame) = self.stack.last_mut().filter(|frame| frame.expects_key) {
                frame.key = String::from_utf8_lossy(&self.text).into_owned();
                frame.expects_key = false;
            } else if !self.text.trim_ascii().is_empty() {
                self.scalar(Scalar::Text);
            }
            return;
        }
        if self.text.len() < MAX_KEY {
            self.text.push(byte);
        }
    }

    /// A value outside of elements, unless it only says where a page stands.
    fn scalar(&mut self, scalar: Scalar) {
        if self.element.is_some() {
            return;
        }
        let is_place = self.place_here().is_some();
        if scalar == Scalar::Null {
            self.page.listed |= is_place;
            return;
        }
        self.page.is_whole |= is_place && self.whole.is_some();
        let key = self.stack.last().map(|frame| frame.key.to_ascii_lowercase());
        let key = key.unwrap_or_default();
        let is_page = PAGING.contains(&key.as_str()) && (scalar == Scalar::Other || key == "cursor");
        if !is_page {
            let path = self.path();
            places::note(&mut self.page.beside, path, 1);
        }
    }

    /// Where the value being read stands, as a report names it.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in self.stack.iter().skip_while(|frame| frame.is_array) {
            if frame.is_array {
                path.push_str("[]");
                continue;
            }
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(safe(&frame.key));
        }
        if path.is_empty() { "[]".to_owned() } else { path }
    }

    fn begin(&mut self, byte: u8) -> io::Result<()> {
        if self.stack.len() == MAX_DEPTH {
            return Err(wrong("it is nested too deeply"));
        }
        let depth = self.stack.len();
        let outermost = match self.stack.as_slice() {
            [] => true,
            [only] => only.is_array,
            _ => false,
        };
        if self.element.is_none() {
            let place = self.place_here().filter(|_| !self.page.is_whole);
            self.page.listed |= place.is_some();
            self.page.found |= byte == b'{' && self.is_above_place();
            if let Some(place) = place.filter(|_| byte == b'{') {
                self.element = Some(Capture::new(depth));
                (self.whole, self.place) = (None, place);
            } else if byte == b'{' && outermost {
                (self.whole, self.place) = (Some(Capture::new(depth)), &[]);
                (self.page.listed, self.page.is_whole) = (false, false);
            }
        }
        self.stack.push(Frame {
            is_array: byte == b'[',
            key: String::new(),
            expects_key: byte == b'{',
        });
        Ok(())
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        let objects = self.stack.iter().filter(|frame| !frame.is_array);
        objects.map(|frame| frame.key.as_str())
    }

    /// The place where the value being read stands.
    fn place_here(&self) -> Option<&'static [&'static str]> {
        let mut places = self.places.iter().copied();
        places.find(|place| self.keys().eq(place.iter().copied()))
    }

    /// Whether a place is in the object that begins.
    fn is_above_place(&self) -> bool {
        let depth = self.keys().count();
        depth > 0
            && self.places.iter().any(|place| {
                depth < place.len() && self.keys().zip(place.iter()).all(|(key, wanted)| key == *wanted)
            })
    }

    fn end(&mut self, byte: u8) -> io::Result<Option<Result<Value, Broken>>> {
        match self.stack.pop() {
            Some(frame) if frame.is_array == (byte == b']') => {}
            _ => return Err(wrong("its brackets do not match")),
        }
        let depth = self.stack.len();
        if let Some(element) = &self.element {
            let ended = element.depth == depth;
            let done = if ended { self.element.take() } else { None };
            self.page.found |= ended;
            return Ok(done.map(Capture::read));
        }
        // The outermost value ends: it was an element, or a page of them.
        let outermost = depth == 0 || (depth == 1 && self.stack.iter().all(|frame| frame.is_array));
        if !outermost {
            return Ok(None);
        }
        let beside = mem::take(&mut self.page.beside);
        // What says nothing at all is no element either.
        let is_page = !self.page.is_whole && (self.page.listed || beside.is_empty());
        let whole = self.whole.take().filter(|_| !is_page);
        if whole.is_none() {
            places::note_all(&mut self.page.outside, beside);
        }
        // An outermost list may be empty.
        self.page.found |= whole.is_some() || self.page.listed || byte == b']';
        (self.page.listed, self.page.is_whole) = (false, false);
        Ok(whole.map(Capture::read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: &[&[&str]] = &[&["list", "item"]];

    fn cut(text: &str) -> Vec<String> {
        let mut elements = Elements::new(io::BufReader::with_capacity(3, text.as_bytes()), PLACES);
        let mut all = Vec::new();
        while let Some(element) = elements.next_element().unwrap() {
            all.push(element.map_or_else(|broken| format!("{broken:?}"), |value| value.to_string()));
        }
        all
    }

    #[test]
    fn elements_are_cut_out_of_what_surrounds_them() {
        let text =
            r#"{"a":{"item":[{"no":1}]},"list":{"item":[{"n":1,"x":{"list":[{}]}},{"n":"}]\""}]},"z":[{}]}"#;
        assert_eq!(cut(text), [r#"{"n":1,"x":{"list":[{}]}}"#, r#"{"n":"}]\""}"#]);
    }

    #[test]
    fn without_a_list_the_whole_is_the_element() {
        assert_eq!(cut(r#"{"n":1}"#), [r#"{"n":1}"#]);
        assert_eq!(cut("{\"n\":1}\n{\"n\":2}"), [r#"{"n":1}"#, r#"{"n":2}"#]);
        assert_eq!(cut(r#"[{"n":1},{"n":2}]"#), [r#"{"n":1}"#, r#"{"n":2}"#]);
        assert_eq!(cut("[]"), [""; 0]);
    }

    #[test]
    fn an_empty_page_is_no_element_and_another_file_is_an_error() {
        for text in [
            r#"{"list":{"item":[],"total":0}}"#,
            r#"[{"list":{"item":null}}]"#,
            r#"{"list":{"count":0}}"#,
            "[]",
        ] {
            assert_eq!(cut(text), [""; 0], "{text}");
        }
        for text in ["", " \n", "\"list\"", "{}"] {
            let mut elements = Elements::new(text.as_bytes(), PLACES);
            assert!(elements.next_element().is_err(), "{text}");
        }
        // A text at a place says that the object is one itself.
        let own = r#"{"list":{"item":"x"},"n":{"list":{"item":[{}]}}}"#;
        assert_eq!(cut(own).len(), 1);
    }

    #[test]
    fn what_stands_outside_is_told_by_its_place() {
        let text = r#"{"a":[{"b":1,"c":" ","1234":true},{"b":null,"b2":"x"}],"count":3,"list":{"item":[{"n":1}],"z":-1}} {"y":2}"#;
        let mut elements = Elements::new(io::BufReader::with_capacity(3, text.as_bytes()), PLACES);
        let mut found = 0;
        while let Some(element) = elements.next_element().unwrap() {
            element.unwrap();
            found += 1;
        }
        let outside: Vec<String> = elements.take_outside().into_keys().collect();
        assert_eq!(
            (found, outside.join(" ").as_str()),
            (2, "a[].? a[].b a[].b2 list.z")
        );
    }

    #[test]
    fn a_member_given_twice_is_refused() {
        assert_eq!(cut(r#"{"a":1,"a":2}"#), ["Twice"]);
        assert_eq!(cut(r#"{"a":1,"a":1}"#), [r#"{"a":1}"#]);
    }

    #[test]
    fn a_large_element_costs_only_itself() {
        let long = "x".repeat(MAX_ELEMENT);
        let text = format!(r#"{{"list":{{"item":[{{"n":"{long}"}},{{"n":2}}]}}}}"#);
        assert_eq!(cut(&text), ["TooLarge", r#"{"n":2}"#]);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["hello", "{\"a\":1", "[}", &"[".repeat(65)] {
            let mut elements = Elements::new(text.as_bytes(), PLACES);
            assert!(elements.next_element().is_err(), "{text}");
        }
        assert_eq!(cut("{\"n\":tru}"), ["NotJson"]);
    }
}
