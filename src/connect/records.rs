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
    ndjson::{self, Line, LineError},
    payload::Payload,
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
}

impl Cut {
    pub(super) fn next_element(&mut self) -> io::Result<Option<Result<Value, Broken>>> {
        match self {
            Self::Json(elements) => elements.next_element(),
            Self::Xml(elements) => elements.next_element(),
            Self::Csv(rows) => rows.next_row(),
        }
    }

    fn read_bytes(&self) -> u64 {
        match self {
            Self::Json(elements) => elements.read_bytes(),
            Self::Xml(elements) => elements.read_bytes(),
            Self::Csv(rows) => rows.read_bytes(),
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

/// Different places kept for the report: a flood of invented members is told by its beginning.
const MOST_PLACES: usize = 1000;

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
                let outcome = self.connector.finish();
                self.queue(outcome, &Value::Null);
            }
            Some(Err(Broken::TooLarge)) => self.refuse(LineError::TooLong, &Value::Null),
            Some(Err(Broken::NotJson)) => {
                self.refuse(ndjson::refused("element", "is not valid"), &Value::Null);
            }
            Some(Ok(element)) => {
                let payload = Payload::new(element);
                let outcome = self.connector.take(&payload);
                // An element that is refused whole is told by its refusal.
                let whole = outcome.told.is_empty() && !outcome.refused.is_empty();
                let left = if whole { Vec::new() } else { payload.left() };
                for place in left {
                    if self.left.unmapped.len() < MOST_PLACES || self.left.unmapped.contains_key(&place) {
                        *self.left.unmapped.entry(place).or_default() += 1;
                    }
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
        for told in outcome.told {
            self.take(told);
        }
    }

    fn take(&mut self, told: Told) {
        let line = told.into_line(self.connector.source());
        let text = line.to_string().into_bytes();
        let result = ndjson::record_of(&text);
        self.push(text, result);
    }

    fn refuse(&mut self, error: LineError, element: &Value) {
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
