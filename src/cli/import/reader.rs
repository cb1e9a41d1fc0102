//! A file read as records, whatever it is written in.

use std::{
    fs::File,
    io::{self, BufReader},
};

use crate::connect::{
    alpinebits::{self, AlpineBits},
    apaleo::{self, Apaleo},
    cloudbeds::{self, Cloudbeds},
    csv::{Mapping, Rows, Table},
    json,
    mews::{self, Mews},
    ndjson::{Line, Lines},
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
    pub(super) fn open(file: File, format: Format, mapping: Option<&Mapping>) -> io::Result<Self> {
        let input = BufReader::with_capacity(256 * 1024, file);
        let cut_json = |input: BufReader<File>, places| {
            let input: Input = Box::new(input);
            Cut::Json(json::Elements::new(input, places))
        };
        let (cut, connector): (Cut, Box<dyn Connector>) = match format {
            Format::Ndjson => return Ok(Self::Lines(Box::new(Lines::new(input)?))),
            Format::Ohip => (cut_json(input, ohip::PLACES), Box::new(Ohip)),
            Format::Cloudbeds => (cut_json(input, cloudbeds::PLACES), Box::new(Cloudbeds)),
            Format::Mews => (cut_json(input, mews::PLACES), Box::<Mews>::default()),
            Format::Apaleo => (cut_json(input, apaleo::PLACES), Box::new(Apaleo)),
            Format::Alpinebits => {
                let input: Input = Box::new(input);
                (
                    Cut::Xml(xml::Elements::new(input, alpinebits::ELEMENT)),
                    Box::new(AlpineBits),
                )
            }
            Format::Csv => {
                let Some(mapping) = mapping else {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "csv needs --mapping"));
                };
                let input: Input = Box::new(input);
                (
                    Cut::Csv(Rows::new(input, mapping)?),
                    Box::new(Table::new(mapping.clone())),
                )
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

impl Iterator for Reader {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::Records(records) => records.next(),
        }
    }
}
