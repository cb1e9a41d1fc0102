//! The reject file of an earlier import, mended: a line is an element of the source as it was cut out, or a record in the
//! vault's own words, and says beside it why it was refused.

use std::io::{self, BufRead};

use serde_json::{Map, Value};

use super::{
    json::Broken,
    ndjson::{self, Line},
};

/// The elements of a reject file.
pub struct Lines<R> {
    from: ndjson::Lines<R>,
    is_record: bool,
    flaw: Option<&'static str>,
}

impl<R: BufRead> Lines<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// As [`ndjson::Lines::new`].
    pub fn new(from: R) -> io::Result<Self> {
        Ok(Self {
            from: ndjson::Lines::new(from)?,
            is_record: false,
            flaw: None,
        })
    }

    /// How many bytes are read.
    #[must_use]
    pub const fn read_bytes(&self) -> u64 {
        self.from.read_bytes()
    }

    /// Whether the element told last is a record of the vault's own format.
    pub(super) const fn is_record(&self) -> bool {
        self.is_record
    }

    /// Why the element told last is there to be reported and not to be taken.
    pub(super) const fn flaw(&self) -> Option<&'static str> {
        self.flaw
    }

    /// The next element.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn next_element(&mut self) -> io::Result<Option<Result<Value, Broken>>> {
        let Some(Line { text, .. }) = self.from.next().transpose()? else {
            return Ok(None);
        };
        if text.is_empty() {
            return Ok(Some(Err(Broken::TooLarge)));
        }
        let element = serde_json::from_slice::<Map<String, Value>>(&text);
        self.is_record = element.as_ref().is_ok_and(is_record);
        self.flaw = element.is_err().then_some("is not JSON");
        Ok(Some(Ok(match element {
            Ok(mut element) => {
                element.remove("rejected");
                element.into()
            }
            Err(_) => String::from_utf8_lossy(&text).into(),
        })))
    }
}

/// Whether this is a record of the vault's own format, and no element of another system.
fn is_record(element: &Map<String, Value>) -> bool {
    ["source_system", "source_id", "guest"]
        .into_iter()
        .all(|name| element.contains_key(name))
}

/// Whether a file that begins with this line was written by an import for what it refused.
#[must_use]
pub fn is_reject(line: &[u8]) -> bool {
    let line = line.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(line);
    serde_json::from_slice::<Map<String, Value>>(line).is_ok_and(|element| {
        let reasons = element.get("rejected").and_then(|mark| mark.get("reasons"));
        reasons.is_some() || is_record(&element)
    })
}
