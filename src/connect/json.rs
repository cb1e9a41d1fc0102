//! Elements of a JSON document of any size, one at a time: the profile among a million is read, the million never.

use std::io::{self, BufRead};

use serde_json::Value;

/// The largest element, in bytes.
pub const MAX_ELEMENT: usize = 1024 * 1024;
/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// The longest member name that is compared.
const MAX_KEY: usize = 128;

/// Why an element cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Larger than [`MAX_ELEMENT`].
    TooLarge,
    /// Not JSON.
    NotJson,
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
        serde_json::from_slice(&self.bytes).map_err(|_| Broken::NotJson)
    }
}

/// Cuts a document, or several one after the other, into elements: the objects at the places named, such as
/// `profiles.profileInfo`, and where there is none, the whole object (or each object of an outermost list).
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
            },
            read_bytes: 0,
        }
    }

    /// How many bytes are read.
    #[must_use]
    pub const fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// The next element.
    ///
    /// # Errors
    /// When the file cannot be read, or is no JSON outside its elements.
    pub fn next_element(&mut self) -> io::Result<Option<Result<Value, Broken>>> {
        loop {
            let buffer = match self.from.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if buffer.is_empty() {
                return if self.cutter.stack.is_empty() && !self.cutter.in_string {
                    Ok(None)
                } else {
                    Err(wrong("it ends in the middle of a value; fetch it again"))
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
            _ => {}
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
            }
            return;
        }
        if self.text.len() < MAX_KEY {
            self.text.push(byte);
        }
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
        if byte == b'{' && self.element.is_none() {
            if self.is_place() {
                self.element = Some(Capture::new(depth));
                self.whole = None;
            } else if outermost {
                self.whole = Some(Capture::new(depth));
            }
        }
        self.stack.push(Frame {
            is_array: byte == b'[',
            key: String::new(),
            expects_key: byte == b'{',
        });
        Ok(())
    }

    fn is_place(&self) -> bool {
        let keys = || {
            self.stack
                .iter()
                .filter(|frame| !frame.is_array)
                .map(|frame| frame.key.as_str())
        };
        self.places.iter().any(|place| {
            keys().count() == place.len() && keys().zip(place.iter()).all(|(key, wanted)| key == *wanted)
        })
    }

    fn end(&mut self, byte: u8) -> io::Result<Option<Result<Value, Broken>>> {
        match self.stack.pop() {
            Some(frame) if frame.is_array == (byte == b']') => {}
            _ => return Err(wrong("its brackets do not match")),
        }
        let depth = self.stack.len();
        let ended = |capture: &Option<Capture>| capture.as_ref().is_some_and(|c| c.depth == depth);
        let done = if ended(&self.element) {
            self.element.take()
        } else if ended(&self.whole) {
            self.whole.take()
        } else {
            None
        };
        Ok(done.map(Capture::read))
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
