//! The reject file of an earlier import, mended: a line is an element of the source as it was cut out, or a record in the
//! vault's own words, and says beside it why it was refused.

use std::io::{self, BufRead};

use serde_json::{Map, Value, json};

use super::{
    json::Broken,
    ndjson::{self, Line},
};

/// The elements of a reject file.
pub struct Lines<R> {
    from: ndjson::Lines<R>,
    places: &'static [Place],
    is_record: bool,
    flaw: Option<&'static str>,
    place: Place,
}

/// Where in its file an element stood: a search tells less of a person than the profile does.
type Place = &'static [&'static str];

/// What a line says beside the element.
const MARK: &str = "rejected";

/// Notes in an element that is refused where it stood.
pub(super) fn keep_place(element: &mut Map<String, Value>, place: Place) {
    if !place.is_empty() {
        element.insert(MARK.to_owned(), json!({ "place": place.join(".") }));
    }
}

impl<R: BufRead> Lines<R> {
    /// Begins to read; of a format whose elements stand at these places.
    ///
    /// # Errors
    /// As [`ndjson::Lines::new`].
    pub fn new(from: R, places: &'static [Place]) -> io::Result<Self> {
        Ok(Self {
            from: ndjson::Lines::new(from)?,
            places,
            is_record: false,
            flaw: None,
            place: &[],
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

    /// Where the element told last stood in the file that it was refused of.
    pub(super) const fn place(&self) -> Place {
        self.place
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
                let mark = element.remove(MARK);
                let place = mark.as_ref().and_then(|mark| mark.get("place")?.as_str());
                let stood = self
                    .places
                    .iter()
                    .find(|known| Some(known.join(".").as_str()) == place);
                self.place = stood.copied().unwrap_or_default();
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
