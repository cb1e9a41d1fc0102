//! A file read as records, whatever it is written in.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek},
};

use chrono::Utc;

use crate::connect::{
    alpinebits::{self, AlpineBits},
    apaleo::{self, Apaleo},
    cloudbeds::{self, Cloudbeds},
    csv::{Mapping, Rows, Table},
    hotels::Hotels,
    json, mended,
    mews::{self, Mews, Seen},
    ndjson::{Line, Lines, MAX_LINE},
    ohip::{self, Ohip},
    records::{Cut, Input, Left, Records},
    told::Connector,
    xml,
};

use super::Format;

/// The records of a file.
pub(super) enum Reader {
    /// The vault's own format.
    Lines(Box<Lines<BufReader<File>>>),
    /// Another system's.
    Records(Box<Records>),
}

impl Reader {
    pub(super) fn open(
        mut file: File,
        format: Format,
        mapping: Option<&Mapping>,
        (hotels, seen): (Hotels, Seen),
    ) -> io::Result<Self> {
        let is_reject = format != Format::Ndjson && begins_as_reject(&mut file)?;
        let input = BufReader::with_capacity(256 * 1024, file);
        if format == Format::Ndjson {
            return Ok(Self::Lines(Box::new(Lines::new(input)?)));
        }
        let input: Input = Box::new(input);
        let cut = if is_reject {
            Cut::Mended(mended::Lines::new(input, places(format))?)
        } else {
            cut(input, format, mapping)?
        };
        let connector: Box<dyn Connector> = match format {
            Format::Ndjson | Format::Ohip => Box::new(Ohip::of(hotels)),
            Format::Cloudbeds => Box::new(Cloudbeds),
            Format::Alpinebits => Box::new(AlpineBits),
            Format::Mews => Box::new(Mews::after(seen)),
            Format::Apaleo => Box::new(Apaleo::of(hotels)),
            Format::Csv => {
                let table = Table::new(needed(mapping)?.clone(), &hotels, Utc::now().date_naive());
                Box::new(match &cut {
                    Cut::Csv(rows) => table.in_order(rows.header()),
                    _ => table,
                })
            }
        };
        Ok(Self::Records(Box::new(Records::new(cut, connector))))
    }

    pub(super) fn skip_to(&mut self, done: u64) -> io::Result<u64> {
        match self {
            Self::Lines(lines) => lines.skip_to(done),
            Self::Records(records) => records.skip_to(done),
        }
    }

    pub(super) fn read_bytes(&self) -> u64 {
        match self {
            Self::Lines(lines) => lines.read_bytes(),
            Self::Records(records) => records.read_bytes(),
        }
    }

    /// What of the file was not taken.
    pub(super) fn left(&self) -> Left {
        match self {
            Self::Lines(_) => Left::default(),
            Self::Records(records) => records.left().clone(),
        }
    }
}

/// How a file of another system is cut into elements.
fn cut(input: Input, format: Format, mapping: Option<&Mapping>) -> io::Result<Cut> {
    Ok(match format {
        Format::Alpinebits => Cut::Xml(xml::Elements::new(input, alpinebits::ELEMENT)),
        Format::Csv => Cut::Csv(Rows::new(input, needed(mapping)?)?),
        _ => Cut::Json(json::Elements::new(input, places(format))),
    })
}

/// Where the elements of a format of JSON stand.
const fn places(format: Format) -> &'static [&'static [&'static str]] {
    match format {
        Format::Ohip => ohip::PLACES,
        Format::Cloudbeds => cloudbeds::PLACES,
        Format::Mews => mews::PLACES,
        Format::Apaleo => apaleo::PLACES,
        Format::Ndjson | Format::Alpinebits | Format::Csv => &[],
    }
}

fn needed(mapping: Option<&Mapping>) -> io::Result<&Mapping> {
    mapping.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "csv needs --mapping"))
}

/// Whether a file is what an earlier import wrote of its refusals: whatever the format, those are lines of JSON.
fn begins_as_reject(file: &mut File) -> io::Result<bool> {
    let mut line = Vec::new();
    let most = u64::try_from(2 * MAX_LINE).unwrap_or(u64::MAX);
    BufReader::new((&*file).take(most)).read_until(b'\n', &mut line)?;
    file.rewind()?;
    Ok(mended::is_reject(&line))
}

impl Iterator for Reader {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::Records(records) => records.next(),
        }
    }
}
