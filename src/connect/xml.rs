//! Elements of an XML document of any size, one at a time. Hardened: document types, external and own entities are
//! refused, depth and size are bounded, and nothing is ever fetched.

use std::{
    io::{self, BufRead},
    mem,
};

use quick_xml::{
    Reader,
    events::{BytesRef, BytesStart, Event},
};
use serde_json::{Map, Value};

use super::{
    json::Broken,
    metered::Metered,
    payload::safe,
    places::{self, Places},
};

/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// The largest piece (a tag, a text) and the largest element, in bytes.
const MAX_PIECE: usize = 1024 * 1024;

const NOT_UTF8: &str = "it is not UTF-8; save it as UTF-8";

fn wrong(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// What a document is cut into.
#[derive(Clone, Copy)]
pub struct Names {
    /// The names of its elements.
    pub elements: &'static [&'static str],
    /// The names of what they stand in: one without any is an empty page.
    pub lists: &'static [&'static str],
}

/// Cuts a document into the elements of some names. Each is told as JSON: children as lists by name, attributes with an
/// `@` before their name, text as `#text`; namespaces are left out.
pub struct Elements<R: BufRead> {
    reader: Reader<Metered<R>>,
    names: Names,
    buffer: Vec<u8>,
    depth: usize,
    /// The elements that are open around those looked for.
    around: Vec<String>,
    outside: Places,
    /// There was an element, or a list for some; the message is one of errors.
    found: bool,
    failed: bool,
}

/// An element in the making.
struct Open {
    name: String,
    members: Map<String, Value>,
    text: String,
}

impl Open {
    fn close(mut self) -> Value {
        let text = self.text.trim();
        if !text.is_empty() {
            self.members.insert("#text".to_owned(), text.into());
        }
        Value::Object(self.members)
    }
}

impl<R: BufRead> Elements<R> {
    /// Begins to read; elements of these names are what is looked for.
    pub fn new(from: R, names: Names) -> Self {
        let mut reader = Reader::from_reader(Metered::new(from, MAX_PIECE));
        reader.config_mut().check_end_names = true;
        Self {
            reader,
            names,
            buffer: Vec::new(),
            depth: 0,
            around: Vec::new(),
            outside: Places::new(),
            found: false,
            failed: false,
        }
    }

    /// How many bytes are read.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.reader.get_ref().read_bytes()
    }

    /// What stands outside the elements, of all that was read.
    pub(super) fn take_outside(&mut self) -> Places {
        mem::take(&mut self.outside)
    }

    /// Begins an element around those looked for, and notes what it says.
    fn enter(&mut self, open: Open) {
        self.found |= self.names.lists.contains(&open.name.as_str());
        self.failed |= open.name == "Errors";
        self.around.push(open.name);
        // The outermost element's own are the message's: its version, its number.
        if self.around.len() > 1 {
            for (name, value) in &open.members {
                let said = value.as_str().is_some_and(|text| !text.trim().is_empty());
                if said {
                    note(&mut self.outside, &self.around, name);
                }
            }
        }
    }

    /// At the end: whether there was anything to look for.
    fn ended(&self) -> io::Result<()> {
        if self.found {
            Ok(())
        } else if self.failed {
            Err(wrong(
                "it is its source's message of an error and has no elements",
            ))
        } else {
            Err(wrong("it has nothing of this format; see --format"))
        }
    }

    /// The next element.
    ///
    /// # Errors
    /// When the file cannot be read, is no XML that is safe to read (what follows cannot be trusted either), or has nothing
    /// where elements are.
    pub fn next_element(&mut self) -> io::Result<Option<Result<Value, Broken>>> {
        let mut open: Vec<Open> = Vec::new();
        let (mut size, mut too_large) = (0_usize, false);
        loop {
            self.buffer.clear();
            self.reader.get_mut().allow(MAX_PIECE);
            let event = self
                .reader
                .read_event_into(&mut self.buffer)
                .map_err(|error| match error {
                    quick_xml::Error::Io(error) => io::Error::new(error.kind(), error.to_string()),
                    _ => wrong("it is not well-formed XML"),
                })?;
            match event {
                Event::Eof if self.depth == 0 => return self.ended().map(|()| None),
                Event::Eof => return Err(wrong("it ends in the middle of an element; fetch it again")),
                Event::DocType(_) => return Err(wrong("it declares a document type, which is refused")),
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(wrong("it is nested too deeply"));
                    }
                    let child = opened(local(&start), &start)?;
                    if !open.is_empty() || self.names.elements.contains(&child.name.as_str()) {
                        self.found = true;
                        size += start.len();
                        open.push(child);
                    } else {
                        self.enter(child);
                    }
                }
                Event::Empty(start) => {
                    size += start.len();
                    let child = opened(local(&start), &start)?;
                    match open.last_mut() {
                        Some(parent) => attach(parent, child),
                        None if self.names.elements.contains(&child.name.as_str()) => {
                            self.found = true;
                            return Ok(Some(Ok(child.close())));
                        }
                        None => {
                            self.enter(child);
                            self.around.pop();
                        }
                    }
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    if let Some(closed) = open.pop() {
                        match open.last_mut() {
                            Some(_) if too_large => {}
                            Some(parent) => attach(parent, closed),
                            None if too_large => return Ok(Some(Err(Broken::TooLarge))),
                            None => return Ok(Some(Ok(closed.close()))),
                        }
                    } else {
                        self.around.pop();
                    }
                }
                Event::Text(text) => {
                    size += text.len();
                    let text = text.decode().map_err(|_| wrong(NOT_UTF8))?;
                    match open.last_mut() {
                        Some(element) if !too_large => element.text.push_str(&text),
                        None if !text.trim().is_empty() => note(&mut self.outside, &self.around, "#text"),
                        _ => {}
                    }
                }
                Event::CData(text) => {
                    size += text.len();
                    let text = text.decode().map_err(|_| wrong(NOT_UTF8))?;
                    match open.last_mut() {
                        Some(element) if !too_large => element.text.push_str(&text),
                        None if !text.trim().is_empty() => note(&mut self.outside, &self.around, "#text"),
                        _ => {}
                    }
                }
                Event::GeneralRef(reference) => {
                    let letter = letter(&reference)?;
                    size += letter.len_utf8();
                    if let (Some(element), false) = (open.last_mut(), too_large) {
                        element.text.push(letter);
                    }
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
            if open.is_empty() {
                // What stands outside is no part of an element.
                size = 0;
            } else if size > MAX_PIECE && !too_large {
                too_large = true;
                for element in &mut open {
                    (element.members, element.text) = (Map::new(), String::new());
                }
            }
        }
    }
}

fn note(outside: &mut Places, around: &[String], name: &str) {
    let mut place = String::new();
    for around in around.iter().skip(1) {
        place.push_str(safe(around));
        place.push_str("[].");
    }
    place.push_str(safe(name));
    places::note(outside, place, 1);
}

/// The letter that a reference stands for.
fn letter(reference: &BytesRef<'_>) -> io::Result<char> {
    match reference.resolve_char_ref() {
        Ok(Some(letter)) => Ok(letter),
        Ok(None) => {
            predefined(reference).ok_or_else(|| wrong("it uses an entity of its own, which is refused"))
        }
        Err(_) => Err(wrong("it is not well-formed XML")),
    }
}

/// The five entities that XML itself names.
fn predefined(name: &[u8]) -> Option<char> {
    Some(match name {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        _ => return None,
    })
}

fn local(start: &BytesStart<'_>) -> String {
    String::from_utf8_lossy(start.local_name().as_ref()).into_owned()
}

fn opened(name: String, start: &BytesStart<'_>) -> io::Result<Open> {
    let mut members = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| wrong("it is not well-formed XML"))?;
        let key = String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned();
        let is_namespace = attribute.key.as_ref().starts_with(b"xmlns");
        if str::from_utf8(&attribute.value).is_err() {
            return Err(wrong(NOT_UTF8));
        }
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Explicit1_0)
            .map_err(|_| wrong("it uses an entity of its own, which is refused"))?;
        if !is_namespace {
            members.insert(format!("@{key}"), value.into_owned().into());
        }
    }
    Ok(Open {
        name,
        members,
        text: String::new(),
    })
}

fn attach(parent: &mut Open, child: Open) {
    let name = child.name.clone();
    let list = parent
        .members
        .entry(name)
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(items) = list {
        items.push(child.close());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const NAMES: Names = Names {
        elements: &["R"],
        lists: &["L"],
    };

    fn cut(text: &str) -> io::Result<Vec<Value>> {
        let mut elements = Elements::new(io::BufReader::with_capacity(5, text.as_bytes()), NAMES);
        let mut all = Vec::new();
        while let Some(element) = elements.next_element()? {
            all.push(element.unwrap_or(Value::Null));
        }
        Ok(all)
    }

    #[test]
    fn elements_are_told_as_json() {
        let all = cut(r#"<a xmlns="x"><b/><n:R A="1 &amp; 2"><T> x &lt;&#65;<![CDATA[<y>]]></T><T/><!-- z --></n:R><R/></a>"#).unwrap();
        assert_eq!(
            all[0],
            serde_json::json!({"@A": "1 & 2", "T": [{"#text": "x <A<y>"}, {}]})
        );
        assert_eq!(all[1], serde_json::json!({}));
    }

    #[test]
    fn what_stands_outside_is_told_and_a_file_without_elements_is_none() {
        let text = r#"<a V="1"><p I="2"><q>x</q></p><L><R/></L><w/></a>"#;
        let mut elements = Elements::new(text.as_bytes(), NAMES);
        while elements.next_element().unwrap().is_some() {}
        let outside: Vec<String> = elements.take_outside().into_keys().collect();
        assert_eq!(outside, ["p[].@I", "p[].q[].#text"]);
        assert!(cut("<a><L/></a>").unwrap().is_empty());
        for text in ["", "hello", "<a><b/></a>", "<a><Errors><Error/></Errors></a>"] {
            assert!(cut(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_reaches_out_or_blows_up_is_refused() {
        let deep = format!("<a>{}</a>", "<b>".repeat(70));
        for text in [
            r#"<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a><R>&e;</R></a>"#,
            r#"<!DOCTYPE a SYSTEM "http://example.com/x.dtd"><a/>"#,
            "<a><R>&lol;</R></a>",
            r#"<a><R A="&lol;"/></a>"#,
            "<a><R></a>",
            "<a><R>",
            deep.as_str(),
            "<a><R A=\"1\" A=\"2\"/></a>",
        ] {
            assert!(cut(text).is_err(), "{text}");
        }
    }

    #[test]
    fn another_encoding_is_told() {
        for text in [&b"<a><R A=\"M\xfcller\"/></a>"[..], b"<a><R>M\xfcller</R></a>"] {
            let mut elements = Elements::new(text, NAMES);
            assert!(elements.next_element().unwrap_err().to_string().contains("UTF-8"));
        }
    }

    #[test]
    fn an_endless_text_is_not_gathered() {
        let start: &[u8] = b"<a><R>";
        let endless = start.chain(io::repeat(b'x').take(64 * 1024 * 1024));
        let mut elements = Elements::new(io::BufReader::new(endless), NAMES);
        assert!(elements.next_element().is_err());
        assert!(elements.buffer.capacity() <= 4 * MAX_PIECE);
    }

    #[test]
    fn a_large_element_costs_only_itself() {
        let many = "<T>0123456789</T>".repeat(MAX_PIECE / 10);
        assert_eq!(
            cut(&format!("<a><R>{many}</R><R/></a>")).unwrap(),
            [Value::Null, serde_json::json!({})]
        );
    }
}
