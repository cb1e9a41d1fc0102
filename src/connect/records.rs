//! The records of a file in any of the systems' formats, one at a time, as lines of the vault's own import format: what
//! is refused can be mended there and fed again.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, BufRead},
};

use serde_json::Value;

use super::{
    csv,
    json::{self, Broken},
    mended,
    ndjson::{self, Line, LineError},
    payload::Payload,
    places::{self, Places},
    told::{Connector, Outcome, Told},
    xml,
};

/// A file being read.
pub type Input = Box<dyn BufRead + Send>;

/// How a file is cut into elements.
pub enum Cut {
    /// JSON, at these places.
    Json(json::Elements<Input>),
    /// XML, elements of one name.
    Xml(xml::Elements<Input>),
    /// Rows of a table.
    Csv(csv::Rows<Input>),
    /// A reject file, mended.
    Mended(mended::Lines<Input>),
}

impl Cut {
    pub(super) fn next_element(&mut self) -> io::Result<Option<Result<Value, Broken>>> {
        match self {
            Self::Json(elements) => elements.next_element(),
            Self::Xml(elements) => elements.next_element(),
            Self::Csv(rows) => rows.next_row(),
            Self::Mended(lines) => lines.next_element(),
        }
    }

    /// What stands outside the elements, of all that was read.
    fn take_outside(&mut self) -> Places {
        match self {
            Self::Json(elements) => elements.take_outside(),
            Self::Xml(elements) => elements.take_outside(),
            Self::Csv(_) | Self::Mended(_) => Places::new(),
        }
    }

    /// Where the element told last stands, when that is one of several places.
    fn place(&self) -> &'static [&'static str] {
        match self {
            Self::Json(elements) => elements.place(),
            Self::Mended(lines) => lines.place(),
            Self::Xml(_) | Self::Csv(_) => &[],
        }
    }

    /// Why the element told last is there to be reported and not to be taken.
    fn flaw(&self) -> Option<&'static str> {
        match self {
            Self::Csv(rows) => rows.flaw(),
            Self::Mended(lines) => lines.flaw(),
            Self::Json(_) | Self::Xml(_) => None,
        }
    }

    /// Whether the element told last is a record already.
    fn is_record(&self) -> bool {
        matches!(self, Self::Mended(lines) if lines.is_record())
    }

    fn read_bytes(&self) -> u64 {
        match self {
            Self::Json(elements) => elements.read_bytes(),
            Self::Xml(elements) => elements.read_bytes(),
            Self::Csv(rows) => rows.read_bytes(),
            Self::Mended(lines) => lines.read_bytes(),
        }
    }
}

/// What of a file was not taken: places, with how often, and never a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Members that no field takes.
    pub unmapped: BTreeMap<String, u64>,
    /// What somebody must look at.
    pub alarms: BTreeMap<String, u64>,
}

impl Left {
    /// Adds another file's.
    pub fn merge(&mut self, other: Self) {
        for (into, from) in [
            (&mut self.unmapped, other.unmapped),
            (&mut self.alarms, other.alarms),
        ] {
            for (place, count) in from {
                *into.entry(place).or_default() += count;
            }
        }
    }
}

/// The records of a file.
pub struct Records {
    cut: Cut,
    connector: Box<dyn Connector>,
    waiting: VecDeque<Line>,
    number: u64,
    ended: bool,
    left: Left,
}

impl Records {
    /// Begins to read.
    #[must_use]
    pub fn new(cut: Cut, connector: Box<dyn Connector>) -> Self {
        Self {
            cut,
            connector,
            waiting: VecDeque::new(),
            number: 0,
            ended: false,
            left: Left::default(),
        }
    }

    /// How many bytes are read.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.cut.read_bytes()
    }

    /// Passes over records until so many are read; tells how many those were.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn skip_to(&mut self, done: u64) -> io::Result<u64> {
        let mut records = 0;
        while records < done {
            match self.next() {
                Some(line) => records = line?.number,
                None => break,
            }
        }
        Ok(records)
    }

    /// What was not taken of all that was read.
    #[must_use]
    pub fn left(&self) -> &Left {
        &self.left
    }

    fn read(&mut self) -> io::Result<()> {
        match self.cut.next_element()? {
            None => {
                self.ended = true;
                places::note_all(&mut self.left.unmapped, self.cut.take_outside());
                let outcome = self.connector.finish();
                self.queue(outcome, &Value::Null);
            }
            Some(Err(Broken::TooLarge)) => self.refuse(LineError::TooLong, &Value::Null),
            Some(Err(Broken::NotJson)) => {
                self.refuse(ndjson::refused("element", "is not valid"), &Value::Null);
            }
            Some(Err(Broken::Twice)) => {
                self.refuse(
                    ndjson::refused("element", "has a member twice, with two values"),
                    &Value::Null,
                );
            }
            Some(Ok(element)) if self.cut.is_record() => {
                let text = element.to_string().into_bytes();
                let result = ndjson::record_of(&text);
                self.push(text, result);
            }
            Some(Ok(element)) => {
                if let Some(reason) = self.cut.flaw() {
                    self.refuse(ndjson::refused("element", reason), &element);
                    return Ok(());
                }
                let payload = Payload::new(element).standing_at(self.cut.place());
                let outcome = self.connector.take(&payload);
                // An element that is refused whole is told by its refusal.
                let whole = outcome.told.is_empty() && !outcome.refused.is_empty();
                let left = if whole { Vec::new() } else { payload.left() };
                for place in left {
                    self.leave(place);
                }
                self.queue(outcome, payload.value());
            }
        }
        Ok(())
    }

    fn queue(&mut self, outcome: Outcome, element: &Value) {
        for alarm in outcome.alarms {
            *self.left.alarms.entry(alarm.to_owned()).or_default() += 1;
        }
        for reason in outcome.refused {
            self.refuse(ndjson::refused("element", reason), element);
        }
        // What is lost for all the guests of a reservation is told once.
        let mut lost: Vec<&str> = Vec::new();
        for told in outcome.told {
            for place in &told.doubled {
                self.leave(format!("{place} (another value)"));
            }
            for reason in &told.lost {
                if !lost.contains(reason) {
                    lost.push(reason);
                    self.refuse(ndjson::refused("stays", reason), element);
                }
            }
            self.take(told);
        }
    }

    fn leave(&mut self, place: String) {
        places::note(&mut self.left.unmapped, place, 1);
    }

    fn take(&mut self, told: Told) {
        let line = told.into_line(self.connector.source());
        let text = line.to_string().into_bytes();
        let result = ndjson::record_of(&text);
        self.push(text, result);
    }

    fn refuse(&mut self, error: LineError, element: &Value) {
        let mut element = element.clone();
        if let Value::Object(members) = &mut element {
            mended::keep_place(members, self.cut.place());
        }
        self.push(element.to_string().into_bytes(), Err(error));
    }

    fn push(&mut self, text: Vec<u8>, result: Result<ndjson::RecordLine, LineError>) {
        self.number += 1;
        self.waiting.push_back(Line {
            number: self.number,
            read_bytes: self.cut.read_bytes(),
            text,
            result,
        });
    }
}

impl Iterator for Records {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                return Some(Ok(line));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.read() {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }
}
