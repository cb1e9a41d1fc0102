//! The files of an import: which they are, and how far an earlier run came with them.

use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use crate::{
    connect::{csv::Mapping, ndjson::Lines},
    crypto::sha256,
};

use super::{Format, Import, ImportError, Sink, reader::Reader};

/// A file as it was when the import began: another time of change, size, place, format,
/// mapping or property makes another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId([u8; 32]);

impl FileId {
    /// The bytes to remember it by (SHA-256).
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A file to import.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) size: u64,
    /// Lines that an earlier run has done.
    pub(super) done_lines: u64,
    /// The same, in bytes.
    pub(super) done_bytes: u64,
    /// How many of them are not blank.
    pub(super) done_records: u64,
}

impl Source {
    pub(super) fn file(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// Its name in messages and reports.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Begins anew with this file.
    pub(super) fn forget(&mut self) {
        (self.done_lines, self.done_bytes, self.done_records) = (0, 0, 0);
    }
}

/// Looks at all files before the first record is taken, so that a wrong name costs nothing.
pub(super) fn open(arguments: &Import, mapping: Option<&Mapping>) -> Result<Vec<Source>, ImportError> {
    let outputs: Vec<_> = [&arguments.report, &arguments.rejects]
        .into_iter()
        .flatten()
        .collect();
    let mut sources = Vec::with_capacity(arguments.files.len());
    for path in &arguments.files {
        let source = source(path, arguments, mapping).map_err(|error| ImportError::Read {
            file: path.clone(),
            error,
        })?;
        sources.push(source);
        if let Some(same) = outputs.iter().find(|output| is_same(output, path)) {
            return Err(ImportError::Same((*same).clone()));
        }
    }
    if let [report, rejects] = outputs.as_slice()
        && (report == rejects || is_same(report, rejects))
    {
        return Err(ImportError::Same((*rejects).clone()));
    }
    Ok(sources)
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn source(path: &Path, arguments: &Import, mapping: Option<&Mapping>) -> io::Result<Source> {
    let place = path.canonicalize()?;
    let file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    // Says at once when it is no text at all.
    Lines::new(BufReader::new(file))?;
    let property = arguments.property.as_ref().map_or("", |code| code.as_str());
    let name = format!(
        "{}\0{:?}\0{mapping:?}\0{}\0{:?}\0{property}",
        place.display(),
        arguments.format,
        about.len(),
        about.modified()?
    );
    Ok(Source {
        path: path.to_owned(),
        id: FileId(sha256(name.as_bytes())),
        size: about.len(),
        done_lines: 0,
        done_bytes: 0,
        done_records: 0,
    })
}

/// Asks how far an earlier run came.
pub(super) async fn find_progress(
    sources: &mut [Source],
    sink: &mut impl Sink,
    format: (Format, Option<&Mapping>),
) -> Result<(), ImportError> {
    for source in sources {
        let done = sink.done(&source.id).await;
        source.done_lines = done.map_err(|error| ImportError::Sink { error, records: 0 })?;
        if source.done_lines > 0 {
            pass_over(source, format).map_err(|error| ImportError::Read {
                file: source.path.clone(),
                error,
            })?;
        }
    }
    Ok(())
}

fn pass_over(source: &mut Source, (format, mapping): (Format, Option<&Mapping>)) -> io::Result<()> {
    let mut lines = Reader::open(source.file()?, format, mapping, Default::default())?;
    source.done_records = lines.skip_to(source.done_lines)?;
    source.done_bytes = lines.read_bytes();
    Ok(())
}
