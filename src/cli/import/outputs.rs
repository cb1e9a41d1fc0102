//! The report and the refused records. Both name guests of other systems, so only their owner may read them.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    connect::{cards, ndjson::RecordLine},
    guest::Rejected,
};

use super::{Import, ImportError, Put, files::Source};

const HEADER: [&str; 5] = ["source_system", "source_id", "guest_id", "outcome", "probability"];

/// A record with what became of it.
pub(super) struct Reported {
    number: u64,
    text: Vec<u8>,
    system: String,
    id: String,
    pub(super) put: Option<Put>,
}

impl Reported {
    /// Of the line as it came.
    pub(super) fn new(number: u64, text: Vec<u8>) -> Self {
        let (system, id) = (String::new(), String::new());
        Self {
            number,
            text,
            system,
            id,
            put: None,
        }
    }

    pub(super) fn name(&mut self, record: &RecordLine) {
        self.system = record.source_system.to_string();
        self.id.clone_from(&record.source_id);
    }

    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Why the record, or a value of it, was refused.
    pub(super) fn reasons(&self) -> &[Rejected] {
        match &self.put {
            Some(Put::Stored { rejected, .. } | Put::Refused(rejected)) => rejected,
            None => &[],
        }
    }
}

/// What a line of the reject file says beside the record as it came.
#[derive(Serialize, Deserialize)]
struct Mark {
    file: String,
    line: u64,
    reasons: Value,
    /// Where it stood, when that says how whole it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<Value>,
}

/// The two files, each only when asked for.
pub(super) struct Outputs {
    report: Option<(PathBuf, csv::Writer<File>)>,
    rejects: Option<(PathBuf, BufWriter<File>)>,
}

/// Opens them. When an earlier run is gone on with, they are cut to what that run had surely done; a report that
/// lacks lines of it makes the import begin anew, which changes nothing in the vault.
pub(super) fn open(arguments: &Import, sources: &mut [Source]) -> Result<Outputs, ImportError> {
    let before: u64 = sources.iter().map(|source| source.done_records).sum();
    let report = match &arguments.report {
        None => None,
        Some(path) => {
            let (file, rows) = named(path, open_report(path, before))?;
            if rows < before {
                sources.iter_mut().for_each(Source::forget);
            }
            Some((
                path.clone(),
                named(path, report_writer(file, rows == before && before > 0))?,
            ))
        }
    };
    let rejects = match &arguments.rejects {
        None => None,
        Some(path) => Some((path.clone(), named(path, open_rejects(path, sources))?)),
    };
    Ok(Outputs { report, rejects })
}

fn named<T>(path: &Path, outcome: io::Result<T>) -> Result<T, ImportError> {
    outcome.map_err(|error| ImportError::Write {
        file: path.to_owned(),
        error,
    })
}

/// Opens a file that only its owner may read.
fn private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    // A file that was there keeps its mode otherwise.
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// The report behind its first `wanted` rows, and how many it has of them.
fn open_report(path: &Path, wanted: u64) -> io::Result<(File, u64)> {
    let mut file = private(path)?;
    let (mut rows, mut end) = (0, 0);
    {
        let mut reader = csv::Reader::from_reader(BufReader::new(&mut file));
        let mut record = csv::StringRecord::new();
        while rows < wanted && reader.read_record(&mut record).is_ok_and(|any| any) {
            rows += 1;
            end = reader.position().byte();
        }
    }
    let end = if rows == wanted { end } else { 0 };
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    Ok((file, rows))
}

fn report_writer(file: File, goes_on: bool) -> io::Result<csv::Writer<File>> {
    let mut writer = csv::Writer::from_writer(file);
    if !goes_on {
        writer.write_record(HEADER)?;
    }
    Ok(writer)
}

/// The reject file behind the lines that are done.
fn open_rejects(path: &Path, sources: &[Source]) -> io::Result<BufWriter<File>> {
    let mut file = private(path)?;
    let mut end = 0;
    if sources.iter().any(|source| source.done_lines > 0) {
        let mut reader = BufReader::new(&mut file);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 && is_done(&line, sources) {
            end += u64::try_from(line.len()).unwrap_or(0);
            line.clear();
        }
    }
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    Ok(BufWriter::new(file))
}

fn is_done(line: &[u8], sources: &[Source]) -> bool {
    #[derive(Deserialize)]
    struct Marked {
        rejected: Mark,
    }
    let Ok(Marked { rejected }) = serde_json::from_slice(line) else {
        return false;
    };
    line.ends_with(b"\n")
        && sources
            .iter()
            .any(|s| s.name() == rejected.file && rejected.line <= s.done_lines)
}

impl Outputs {
    /// Writes what became of a record.
    pub(super) fn write(&mut self, source: &Source, reported: &Reported) -> Result<(), ImportError> {
        if let Some((path, writer)) = &mut self.report {
            named(path, writer.write_record(row(reported)).map_err(io::Error::from))?;
        }
        if let Some((path, file)) = &mut self.rejects
            && !reported.reasons().is_empty()
        {
            let line = marked(source, reported);
            named(path, writeln!(file, "{line}"))?;
        }
        Ok(())
    }

    /// Hands everything over to the system, where a kill no longer reaches it.
    pub(super) fn flush(&mut self) -> Result<(), ImportError> {
        if let Some((path, writer)) = &mut self.report {
            named(path, writer.flush())?;
        }
        if let Some((path, file)) = &mut self.rejects {
            named(path, file.flush())?;
        }
        Ok(())
    }
}

fn row(reported: &Reported) -> [String; 5] {
    let (guest, outcome, probability) = match &reported.put {
        Some(Put::Stored {
            guest,
            outcome,
            probability,
            ..
        }) => {
            let guest = guest.map(|guest| guest.to_string()).unwrap_or_default();
            (guest, outcome.as_str(), format!("{probability:.6}"))
        }
        Some(Put::Refused(_)) | None => (String::new(), "rejected", String::new()),
    };
    [
        reported.system.clone(),
        reported.id.clone(),
        guest,
        outcome.to_owned(),
        probability,
    ]
}

/// The record or element as it came but for cards, with why it was refused: a line that the same format takes again. What
/// is no JSON object lies in `text`.
fn marked(source: &Source, reported: &Reported) -> Value {
    let text = |text: String| Map::from_iter([("text".to_owned(), text.into())]);
    let mut line = match serde_json::from_slice(&reported.text) {
        Ok(Value::Object(members)) => members,
        Ok(Value::String(line)) => text(line),
        // Too large to keep.
        Ok(Value::Null) => text(String::new()),
        _ => text(String::from_utf8_lossy(&reported.text).into_owned()),
    };
    cards::hide(&mut line);
    let stood = line
        .remove("rejected")
        .and_then(|mark| mark.get("place").cloned());
    let mark = Mark {
        file: source.name().clone(),
        line: reported.number,
        reasons: json!(reported.reasons()),
        place: stood,
    };
    line.insert("rejected".to_owned(), json!(mark));
    Value::Object(line)
}
