//! `guest-vault import`: records of a file into the vault.
//!
//! Goes on after a kill where it stopped; says of every record what became of it; and what was refused lies in a
//! file that can be mended and fed again.

mod command;
mod files;
mod outputs;
mod reader;
mod screen;
mod server_sink;
mod sink;
mod summary;
#[cfg(test)]
mod tests;
mod vault_sink;

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use crate::{
    base::{ImportId, PropertyCode, Purpose},
    connect::{
        csv::Mapping,
        guess::suggest,
        mews::Seen,
        ndjson::{Line, RecordLine},
    },
};

use files::Source;
use outputs::{Outputs, Reported};
use reader::Reader;
use screen::Screen;

pub use command::{CommandError, execute, into_vault};
pub use files::FileId;
pub use server_sink::ServerSink;
pub use sink::{MakeReady, Mode, Put, Sink, SinkError};
pub use summary::Summary;
pub use vault_sink::VaultSink;

/// How many bytes of records go to the vault together, about.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The purpose of an import when nothing else is said.
pub const PURPOSE: &str = "loyalty";

/// Imports records of guests from files.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command")]
pub struct Import {
    /// Whether new guests are also made of what has had its time; for the demonstration.
    #[arg(skip)]
    pub lapsed: bool,
    /// What the files are written in.
    #[arg(long, value_enum, default_value = "ndjson")]
    pub format: Format,
    /// The property that lines without one of their own belong to.
    #[arg(long, value_name = "CODE")]
    pub property: Option<PropertyCode>,
    /// For `csv`: the file that says which column is which field.
    #[arg(long, value_name = "M.toml")]
    pub mapping: Option<PathBuf>,
    /// For `csv`: guesses a mapping from the header of the first file, prints it, and imports nothing.
    #[arg(long)]
    pub suggest_mapping: bool,
    /// What the records are imported for. The default covers every category of a guest's data.
    #[arg(long, default_value = PURPOSE)]
    pub purpose: Purpose,
    /// The files, read one after the other.
    #[arg(required_unless_present = "rollback", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Sends the records to a vault that is served there, instead of into the one of the data folder.
    #[arg(long, value_name = "URL", requires = "key", requires = "property")]
    pub server: Option<String>,
    /// The API key to send them with.
    #[arg(long, value_name = "KEY", env = "GUEST_VAULT_API_KEY", hide_env_values = true)]
    pub key: Option<Secret>,
    /// Takes an import back, while nothing else has touched what it wrote, and imports nothing.
    #[arg(long, value_name = "IMPORT_ID", conflicts_with = "files")]
    pub rollback: Option<ImportId>,
    /// When it is asked whom a record resembles.
    #[arg(long, value_enum, default_value = "now", conflicts_with_all = ["server", "dry_run"])]
    pub resolve: Resolve,
    /// Checks every record and writes nothing into the vault.
    #[arg(long)]
    pub dry_run: bool,
    /// Writes what became of every record: `source_system,source_id,guest_id,outcome,probability`.
    #[arg(long, value_name = "R.csv")]
    pub report: Option<PathBuf>,
    /// Writes what was refused and why, as a line of JSON each, whatever the format: a record in the vault's own words,
    /// or what the file had where it makes no record (a row by its columns, an element of XML with `@` before
    /// attributes). Mend it and import it again with the same --format and --mapping; leave `rejected` where it is.
    #[arg(long, value_name = "X.ndjson")]
    pub rejects: Option<PathBuf>,
    /// Prints one line of JSON instead of words and a progress bar.
    #[arg(long)]
    pub json: bool,
}

/// A key that nothing prints.
#[derive(Clone)]
pub struct Secret(pub SecretString);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned().into()))
    }
}

/// What a file can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One record a line, as JSON.
    Ndjson,
    /// Oracle OPERA Cloud: profiles and reservations.
    Ohip,
    /// Cloudbeds: guest profiles.
    Cloudbeds,
    /// AlpineBits (OTA XML): guest requests.
    Alpinebits,
    /// Mews: customers and identity documents.
    Mews,
    /// Apaleo: reservations.
    Apaleo,
    /// A table, with a mapping file.
    Csv,
}

/// When it is asked whom a record resembles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Resolve {
    /// As it comes.
    Now,
    /// Afterwards, by `identity dedupe`: each record that its source has not sent before makes a guest. For the first
    /// load of a large house.
    Later,
}

/// Why an import stopped. What was imported until then stays; the same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {error}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A report cannot be written.
    #[error("{}: cannot be written: {error}", file.display())]
    Write {
        /// Which.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The mapping file is missing or wrong.
    #[error("{0}")]
    Mapping(String),
    /// A report would overwrite what is imported.
    #[error("{}: is imported and cannot be written as well; name another file", .0.display())]
    Same(PathBuf),
    /// The vault did not take a batch.
    #[error(
        "the vault stopped taking records: {error}. {} done; the same command goes on from there",
        summary::count(*records, "record")
    )]
    Sink {
        /// Why.
        error: SinkError,
        /// How many records are in.
        records: u64,
    },
}

impl ImportError {
    /// Whether the arguments were wrong (exit status 2) rather than that something failed (1).
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Same(_) | Self::Mapping(_))
    }
}

/// The mapping that the arguments name.
fn mapping(arguments: &Import) -> Result<Option<Mapping>, ImportError> {
    match (&arguments.mapping, arguments.format) {
        (Some(path), Format::Csv) => {
            let told = |problem: String| ImportError::Mapping(format!("{}: {problem}", path.display()));
            let text = fs::read_to_string(path).map_err(|error| told(error.to_string()))?;
            Mapping::read(&text).map(Some).map_err(told)
        }
        (None, Format::Csv) => Err(ImportError::Mapping(
            "csv needs --mapping; --suggest-mapping guesses one from the header".to_owned(),
        )),
        (Some(_), _) => Err(ImportError::Mapping("--mapping is for --format csv".to_owned())),
        (None, _) => Ok(None),
    }
}

/// A mapping guessed from the header of a table, to be read and mended.
///
/// # Errors
/// When the file cannot be read.
pub fn suggest_mapping(file: &Path) -> Result<String, ImportError> {
    let beginning = || {
        let mut bytes = Vec::new();
        fs::File::open(file)?.take(64 * 1024).read_to_end(&mut bytes)?;
        let (text, other) = match bytes.utf8_chunks().next() {
            Some(chunk) => (chunk.valid().to_owned(), !chunk.invalid().is_empty()),
            None => (String::new(), false),
        };
        // Rows may be of another encoding, or cut off; the header may not.
        if other && !text.contains('\n') {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is not UTF-8; save it as UTF-8",
            ));
        }
        Ok(text)
    };
    let beginning = beginning().map_err(|error| ImportError::Read {
        file: file.to_owned(),
        error,
    })?;
    Ok(suggest(&beginning))
}

/// Imports the files into the sink and tells what became of the records.
///
/// # Errors
/// When a file cannot be read or written, or the vault stops taking records.
pub async fn run(arguments: &Import, sink: &mut impl Sink) -> Result<Summary, ImportError> {
    let mapping = mapping(arguments)?;
    let mut sources = files::open(arguments, mapping.as_ref())?;
    if !arguments.dry_run {
        files::find_progress(&mut sources, sink, (arguments.format, mapping.as_ref())).await?;
    }
    let outputs = outputs::open(arguments, &mut sources)?;
    let summary = Summary::new(arguments, &sources);
    let screen = Screen::new(&sources, arguments.json);
    let mut import = Running {
        arguments,
        mapping,
        sink,
        outputs,
        summary,
        screen,
        stored: 0,
        seen: Seen::default(),
    };
    for source in &sources {
        import.file(source).await?;
    }
    import.finish(&sources).await
}

/// Records that go to the vault together.
struct Batch<R> {
    /// The number of its last line, and how many bytes of the file are read with it.
    last: (u64, u64),
    told: Vec<Reported>,
    ready: R,
}

/// An import under way.
struct Running<'a, S> {
    arguments: &'a Import,
    mapping: Option<Mapping>,
    sink: &'a mut S,
    outputs: Outputs,
    summary: Summary,
    screen: Screen,
    stored: u64,
    /// What the files before said of customers.
    seen: Seen,
}

impl<S: Sink> Running<'_, S> {
    async fn file(&mut self, source: &Source) -> Result<(), ImportError> {
        let read = |error| ImportError::Read {
            file: source.path.clone(),
            error,
        };
        let file = source.file().map_err(read)?;
        let mut lines = Reader::open(
            file,
            self.arguments.format,
            self.mapping.as_ref(),
            (self.sink.hotels(), self.seen.clone()),
        )
        .map_err(read)?;
        lines.skip_to(source.done_lines).map_err(read)?;
        let mut ahead = self.ahead(lines);
        loop {
            let (lines, batch) = ahead.await.map_err(read)?;
            let Some(batch) = batch else {
                let left = lines.left();
                for (alarm, count) in &left.alarms {
                    tracing::error!(
                        alarm,
                        count,
                        "a source sends what must not be kept; it was dropped"
                    );
                }
                self.summary.left.merge(left);
                return Ok(());
            };
            ahead = self.ahead(lines);
            let (number, read_bytes) = batch.last;
            self.batch(source, batch).await?;
            if self.arguments.dry_run {
                self.screen.at(source, read_bytes);
                continue;
            }
            self.sink
                .set_done(&source.id, number)
                .await
                .map_err(|error| self.stopped(error))?;
            self.screen.at(source, read_bytes);
        }
    }

    /// Reads the next batch and makes it ready, while the one before it is put; none at the end.
    fn ahead(
        &self,
        mut lines: Reader,
    ) -> impl Future<Output = io::Result<(Reader, Option<Batch<S::Ready>>)>> + use<S> {
        let mode = if self.arguments.dry_run {
            Mode::Check
        } else {
            Mode::Write
        };
        let (property, make_ready) = (self.arguments.property.clone(), self.sink.make_ready(mode));
        let reading = tokio::task::spawn_blocking(move || {
            let batch = next_batch(&mut lines, S::RECORDS)?;
            Ok::<_, io::Error>((lines, batch))
        });
        let task = tokio::spawn(async move {
            let (lines, batch) = reading.await.map_err(io::Error::other)??;
            let Some(last) = batch.last().map(|line| (line.number, line.read_bytes)) else {
                return Ok((lines, None));
            };
            let (told, records) = told(batch, property.as_ref());
            let ready = make_ready(records).await;
            Ok((lines, Some(Batch { last, told, ready })))
        });
        async { task.await.map_err(io::Error::other)? }
    }

    /// Stores a batch, then says so: in this order a kill in between repeats the batch and loses no line of a report.
    async fn batch(&mut self, source: &Source, batch: Batch<S::Ready>) -> Result<(), ImportError> {
        let Batch { mut told, ready, .. } = batch;
        let answers = self
            .sink
            .put_batch(ready)
            .await
            .map_err(|error| self.stopped(error))?;
        let mut answers = answers.into_iter();
        for reported in told.iter_mut().filter(|reported| reported.put.is_none()) {
            reported.put = answers.next();
        }
        for reported in &told {
            self.stored += u64::from(matches!(reported.put, Some(Put::Stored { .. })));
            self.summary.count(reported);
            self.screen.refused(source, reported);
            self.outputs.write(source, reported)?;
        }
        self.outputs.flush()
    }

    fn stopped(&self, error: SinkError) -> ImportError {
        ImportError::Sink {
            error,
            records: self.stored,
        }
    }

    /// All is in: the next import of the same files begins anew.
    async fn finish(mut self, sources: &[Source]) -> Result<Summary, ImportError> {
        if !self.arguments.dry_run {
            for source in sources {
                let outcome = self.sink.set_done(&source.id, 0).await;
                outcome.map_err(|error| ImportError::Sink {
                    error,
                    records: self.stored,
                })?;
            }
        }
        let alarms = self.summary.left.alarms.clone();
        let ended = self.sink.end(&alarms).await;
        self.summary.import = ended.map_err(|error| self.stopped(error))?;
        self.screen.clear();
        Ok(self.summary)
    }
}

/// What is to be said of lines, and the records among them.
fn told(batch: Vec<Line>, property: Option<&PropertyCode>) -> (Vec<Reported>, Vec<RecordLine>) {
    let mut told = Vec::with_capacity(batch.len());
    let mut records = Vec::with_capacity(batch.len());
    for line in batch {
        let mut reported = Reported::new(line.number, line.text);
        match line
            .result
            .map_err(Into::into)
            .and_then(|record| with_property(record, property))
        {
            Ok(record) => {
                reported.name(&record);
                records.push(record);
            }
            Err(refused) => reported.put = Some(Put::Refused(refused)),
        }
        told.push(reported);
    }
    (told, records)
}

fn with_property(
    mut record: RecordLine,
    property: Option<&PropertyCode>,
) -> Result<RecordLine, sink::Reasons> {
    record.property = record.property.or_else(|| property.cloned());
    if record.property.is_none() {
        return Err(sink::reason(
            "property",
            "is missing; add it to the line or give --property",
        ));
    }
    Ok(record)
}

fn next_batch(lines: &mut Reader, most: usize) -> io::Result<Vec<Line>> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < most && bytes < BATCH_BYTES {
        let Some(line) = lines.next().transpose()? else {
            break;
        };
        bytes += line.text.len();
        batch.push(line);
    }
    Ok(batch)
}
