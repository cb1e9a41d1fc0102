//! The vault's own import format: one record a line, as JSON in UTF-8 (contract §10).
//!
//! Reads files of any size in bounded memory. A line that cannot be read costs only itself: it is told by its
//! number and reason, never by its values, and the next line is read.

use std::io::{self, BufRead};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    base::{PropertyCode, SourceSystem},
    consent::Statement,
    guest::{Heard, Provenance, RecordInput, StayInput},
    web::{self, FieldProblem},
};

/// The longest line, in bytes: far above any guest, far below what hurts.
pub const MAX_LINE: usize = 1024 * 1024;

/// What one source system says about one person.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordLine {
    /// Whose words these are.
    pub source_system: SourceSystem,
    /// The source's own id of the person.
    pub source_id: String,
    /// For which property; that of the command line, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<PropertyCode>,
    /// When the source saw it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<DateTime<Utc>>,
    /// How the source came to know.
    #[serde(default)]
    pub provenance: Provenance,
    /// Whether it repeats only a part of what the source told elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub excerpt: bool,
    /// The guest document.
    pub guest: Map<String, Value>,
    /// Its stays.
    #[serde(default, skip_serializing_if = "Heard::is_nothing")]
    pub stays: Heard<StayInput>,
    /// What the guest agreed to there.
    #[serde(default, skip_serializing_if = "Heard::is_nothing")]
    pub consents: Heard<Statement>,
    /// What an earlier import wrote beside a refused record; ignored, so that a mended reject file can be fed again.
    #[serde(default, rename = "rejected", skip_serializing)]
    _rejected: Option<serde::de::IgnoredAny>,
}

impl RecordLine {
    /// The part that `PUT /v1/records/…` takes as its body.
    #[must_use]
    pub fn into_input(self) -> RecordInput {
        RecordInput {
            observed_at: self.observed_at,
            provenance: self.provenance,
            excerpt: self.excerpt,
            guest: self.guest,
            consents: self.consents,
            stays: self.stays,
        }
    }
}

/// One line of a file.
pub struct Line {
    /// Its number, from 1; blank lines count.
    pub number: u64,
    /// How many bytes of the file are read with it.
    pub read_bytes: u64,
    /// The line as it came, without its end; empty when it was too long to keep.
    pub text: Vec<u8>,
    /// What it says.
    pub result: Result<RecordLine, LineError>,
}

/// Why a line is no record. No value of the line is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Longer than [`MAX_LINE`].
    #[error("longer than 1 MiB")]
    TooLong,
    /// Not JSON, or not a record.
    #[error("{}", told(.0))]
    NotARecord(Vec<FieldProblem>),
}

fn told(problems: &[FieldProblem]) -> String {
    let told: Vec<_> = problems
        .iter()
        .map(|p| format!("{} {}", p.field, p.reason))
        .collect();
    told.join("; ")
}

/// The lines of a file that are not blank.
pub struct Lines<R> {
    from: R,
    number: u64,
    read_bytes: u64,
}

impl<R: BufRead> Lines<R> {
    /// Begins to read. A byte order mark is skipped.
    ///
    /// # Errors
    /// When the file cannot be read, or begins like another kind of file; the message says what to do.
    pub fn new(mut from: R) -> io::Result<Self> {
        let start = from.fill_buf()?;
        let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        let mark = match start {
            [0xEF, 0xBB, 0xBF, ..] => 3,
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => return wrong("it is UTF-16; save it as UTF-8"),
            [0x1F, 0x8B, ..] => return wrong("it is compressed; unpack it first"),
            [b'P', b'K', 3, 4, ..] => return wrong("it is a ZIP file; unpack it first"),
            _ => 0,
        };
        from.consume(mark);
        let read_bytes = u64::try_from(mark).unwrap_or(0);
        Ok(Self {
            from,
            number: 0,
            read_bytes,
        })
    }

    /// Passes over lines until `done` are read, without looking into them; tells how many were not blank.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn skip_to(&mut self, done: u64) -> io::Result<u64> {
        let mut records = 0;
        while self.number < done {
            match self.text()? {
                Some(text) => records += u64::from(!text.is_blank()),
                None => break,
            }
        }
        Ok(records)
    }

    /// How many bytes are read.
    #[must_use]
    pub const fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    fn text(&mut self) -> io::Result<Option<Text>> {
        let mut text = Text {
            bytes: Vec::new(),
            too_long: false,
        };
        let mut any = false;
        loop {
            let buffer = match self.from.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if buffer.is_empty() {
                break;
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(buffer.len());
            text.push(buffer.get(..taken).unwrap_or_default());
            let used = taken + usize::from(end.is_some());
            self.from.consume(used);
            self.read_bytes += u64::try_from(used).unwrap_or(0);
            if end.is_some() {
                break;
            }
        }
        self.number += u64::from(any);
        Ok(any.then_some(text))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let text = match self.text() {
                Ok(text) => text?,
                Err(error) => return Some(Err(error)),
            };
            if !text.is_blank() {
                let (number, read_bytes) = (self.number, self.read_bytes);
                let result = text.read();
                return Some(Ok(Line {
                    number,
                    read_bytes,
                    text: text.bytes,
                    result,
                }));
            }
        }
    }
}

/// A line in the making.
struct Text {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Text {
    fn push(&mut self, part: &[u8]) {
        // One more for the CR of a CRLF.
        if self.too_long || self.bytes.len() + part.len() > MAX_LINE + 1 {
            self.too_long = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(part);
        }
    }

    fn is_blank(&self) -> bool {
        !self.too_long && self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    fn read(&self) -> Result<RecordLine, LineError> {
        let bytes = self.bytes.trim_ascii_end();
        if self.too_long || bytes.len() > MAX_LINE {
            return Err(LineError::TooLong);
        }
        record_of(bytes)
    }
}

/// The record that these bytes say.
pub(super) fn record_of(bytes: &[u8]) -> Result<RecordLine, LineError> {
    let record: RecordLine = web::json::parse(bytes).map_err(|problem| not_a_record(&problem))?;
    if record.source_id.trim().is_empty() || record.source_id.len() > 200 {
        return Err(refused("source_id", "must be 1 to 200 bytes, not blank"));
    }
    Ok(record)
}

/// A refusal for one reason.
pub(super) fn refused(field: &str, reason: &str) -> LineError {
    LineError::NotARecord(vec![FieldProblem {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }])
}

fn not_a_record(problem: &web::Problem) -> LineError {
    let document = problem.document();
    let whole = "the line".to_owned();
    if document.errors.is_empty() {
        let reason = document.detail.unwrap_or(document.title);
        return LineError::NotARecord(vec![FieldProblem { field: whole, reason }]);
    }
    let errors = document.errors.into_iter().map(|error| FieldProblem {
        // Written for bodies of requests; here the body is a line, and its number is told beside.
        field: if error.field == "the body" {
            whole.clone()
        } else {
            error.field
        },
        reason: error.reason.trim_end_matches(" (line 1)").to_owned(),
    });
    LineError::NotARecord(errors.collect())
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    const GOOD: &str = r#"{"source_system":"pms","source_id":"1","guest":{"birth_date":"1987-05"}}"#;

    fn read(bytes: &[u8]) -> Vec<Line> {
        Lines::new(BufReader::with_capacity(7, bytes))
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }

    fn told(line: &str) -> String {
        let lines = read(line.as_bytes());
        lines[0].result.as_ref().err().unwrap().to_string()
    }

    #[test]
    fn marks_and_line_ends_of_other_systems_are_tolerated() {
        let file = format!("\u{feff}{GOOD}\r\n\r\n  \n{GOOD}");
        let lines = read(file.as_bytes());
        assert_eq!(lines.iter().map(|l| l.number).collect::<Vec<_>>(), [1, 4]);
        assert!(lines.iter().all(|l| l.result.is_ok()));
        assert_eq!(lines[1].read_bytes, u64::try_from(file.len()).unwrap());
    }

    #[test]
    fn a_bad_line_costs_only_itself() {
        let file = [
            GOOD.as_bytes(),
            b"\n{\"source_system\":\"\xff\"}\n",
            GOOD.as_bytes(),
            b"\n{\n",
        ]
        .concat();
        let lines = read(&file);
        assert_eq!(
            lines.iter().map(|l| l.result.is_ok()).collect::<Vec<_>>(),
            [true, false, true, false]
        );
    }

    #[test]
    fn what_is_wrong_is_told_by_place_and_never_by_value() {
        let cases = [
            ("[]", "the line must be"),
            ("{", "the line needs a key"),
            (r#"{"source_system":"pms","source_id":"1"}"#, "guest is missing"),
            (
                r#"{"source_system":"pms","source_id":"1","guest":{},"SECRET":1}"#,
                "is not known here",
            ),
            (
                r#"{"source_system":"SECRET","source_id":"1","guest":{}}"#,
                "source_system",
            ),
            (
                r#"{"source_system":"pms","source_id":" ","guest":{}}"#,
                "source_id must be 1 to 200",
            ),
            (
                r#"{"source_system":"pms","source_id":"1","guest":{"a":1,"a":2}}"#,
                "given twice",
            ),
            (
                r#"{"source_system":"pms","source_id":"1","guest":{},"stays":[{"reservation":"R"}]}"#,
                "stays[0]",
            ),
            (
                r#"{"source_system":"pms","source_id":"1","guest":{},"observed_at":"SECRET"}"#,
                "observed_at",
            ),
        ];
        for (line, wanted) in cases {
            let told = told(line);
            assert!(told.contains(wanted), "{line}: {told}");
            assert!(!told.contains("SECRET"), "{told}");
        }
    }

    #[test]
    fn a_line_may_have_a_mebibyte_and_not_a_byte_more() {
        let head = r#"{"source_system":"pms","source_id":"1","guest":{}"#;
        let line = |length: usize| format!("{head}{}}}", " ".repeat(length - head.len() - 1));
        let file = format!("{}\r\n{}\n{GOOD}\n", line(MAX_LINE), line(MAX_LINE + 1));
        let lines = read(file.as_bytes());
        assert!(lines[0].result.is_ok());
        assert_eq!(lines[1].result.as_ref().err(), Some(&LineError::TooLong));
        assert!(lines[2].result.is_ok());
    }

    #[test]
    fn an_endless_line_is_not_kept() {
        let huge = std::io::Read::take(std::io::repeat(b'x'), 64 * 1024 * 1024);
        let mut lines = Lines::new(BufReader::new(huge)).unwrap();
        let line = lines.next().unwrap().unwrap();
        assert_eq!(line.result.err(), Some(LineError::TooLong));
        assert_eq!(line.text.capacity(), 0);
    }

    #[test]
    fn other_kinds_of_file_are_named() {
        for (start, wanted) in [
            (&[0xFF, 0xFE, b'{', 0][..], "UTF-16"),
            (&[0x1F, 0x8B, 8, 0][..], "compressed"),
            (b"PK\x03\x04..", "ZIP"),
        ] {
            let told = Lines::new(start).err().unwrap().to_string();
            assert!(told.contains(wanted), "{told}");
        }
    }

    #[test]
    fn lines_that_were_done_are_passed_over() {
        let file = format!("{GOOD}\n\n{GOOD}\nbad\n{GOOD}\n");
        let mut lines = Lines::new(file.as_bytes()).unwrap();
        assert_eq!(lines.skip_to(4).unwrap(), 3);
        assert_eq!(lines.next().unwrap().unwrap().number, 5);
        assert_eq!(lines.skip_to(9).unwrap(), 0);
    }

    #[test]
    fn a_mended_reject_may_still_say_why_it_was_refused() {
        let line = GOOD.replace("\"guest\"", "\"rejected\":[{\"field\":\"x\"}],\"guest\"");
        assert!(read(line.as_bytes())[0].result.is_ok());
    }
}
