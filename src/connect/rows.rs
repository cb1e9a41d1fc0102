//! The rows of a table (RFC 4180, with any delimiter), one at a time. What is wrong with a row costs that row alone: one
//! that is too large, one that is not UTF-8, and one whose quote is not closed and would take the rows behind it in.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet, VecDeque},
    io::{self, BufRead},
    mem,
};

use serde_json::{Map, Value};

use super::{csv::Mapping, json::Broken};

/// The largest row, in bytes.
const MAX_ROW: usize = 1024 * 1024;
/// So many bytes are read together, at least.
const CHUNK: usize = 64 * 1024;

/// So many lines at most may be parts of one row.
const MOST_PARTS: usize = 8;

const UNCLOSED: &str = "opens a quote and does not close it";
const BEHIND: &str = "stands behind a quote that is not closed, and has not as many cells as the header";
const NOT_UTF8: &str = "is not UTF-8";
const TOO_MANY: &str = "has more cells than the header has columns; has a cell with a delimiter no quotes?";
const A_PART: &str = "looks like a part of a row; has a cell with a line break no quotes?";

/// The rows of a table, each as an object by the names of the header.
pub struct Rows<R> {
    from: R,
    delimiter: u8,
    header: Vec<String>,
    buffer: Vec<u8>,
    /// What of the buffer is told.
    start: usize,
    ended: bool,
    read_bytes: u64,
    cells: Vec<Vec<u8>>,
    /// Rows that are read and not told yet.
    ahead: VecDeque<Ahead>,
    /// Where the id stands.
    id: usize,
    /// How many cells a row has at most: some systems end each row, but not the header, with a delimiter.
    width: usize,
    /// Behind a quote that is not closed, only a row that looks like one is taken.
    wary: bool,
    flaw: Option<&'static str>,
}

impl<R: BufRead> Rows<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// When the header cannot be read, or lacks a column that the mapping names.
    pub fn new(from: R, mapping: &Mapping) -> io::Result<Self> {
        let mut rows = Self {
            from,
            delimiter: mapping.delimiter_byte(),
            header: Vec::new(),
            buffer: Vec::new(),
            start: 0,
            ended: false,
            read_bytes: 0,
            cells: Vec::new(),
            ahead: VecDeque::new(),
            id: 0,
            width: 0,
            wary: false,
            flaw: None,
        };
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
        rows.fill()?;
        if rows.buffer.starts_with(&[0xEF, 0xBB, 0xBF]) {
            rows.start = 3;
        }
        // The first line of some names the delimiter.
        let rest = rows.buffer.get(rows.start..).unwrap_or_default();
        if let Some(delimiter) = named_delimiter(rest) {
            rows.delimiter = delimiter;
            rows.start += NAMED;
        }
        match rows.piece()? {
            Some(Piece::Row) => {
                let cells = mem::take(&mut rows.cells).into_iter();
                let header: Result<Vec<String>, _> = cells.map(String::from_utf8).collect();
                rows.header = distinct(&header.map_err(|_| wrong("it is not UTF-8; save it as UTF-8"))?);
            }
            Some(Piece::Unclosed | Piece::TooLarge) => return Err(wrong("its header cannot be read")),
            None => {}
        }
        if mapping.id.is_empty() {
            return Err(wrong(
                "the mapping names no column for `id`: name the one with the system's own id of the person",
            ));
        }
        if let Some(missing) = mapping.names().find(|name| !rows.header.contains(name)) {
            return Err(wrong(&format!(
                "it has no column {missing}, which the mapping names"
            )));
        }
        rows.id = rows
            .header
            .iter()
            .position(|name| *name == mapping.id)
            .unwrap_or(0);
        Ok(rows)
    }

    /// The names of the columns, as the file has them; one that comes again has its number behind it.
    #[must_use]
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// How many bytes are read.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        let waiting = self.buffer.len().saturating_sub(self.start);
        self.read_bytes - u64::try_from(waiting).unwrap_or(0)
    }

    /// Why the row told last is there to be reported and not to be taken.
    pub(super) const fn flaw(&self) -> Option<&'static str> {
        self.flaw
    }

    /// The next row.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_row(&mut self) -> io::Result<Option<Result<Value, Broken>>> {
        self.look_ahead()?;
        let Some(Ahead {
            piece,
            cells,
            is_part,
        }) = self.ahead.pop_front()
        else {
            return Ok(None);
        };
        let columns = self.header.len();
        let more = cells.get(columns..).unwrap_or_default();
        let has_more = more.iter().any(|cell| !cell.trim_ascii().is_empty());
        if self.width == 0 && matches!(piece, Piece::Row) {
            self.width = if has_more {
                columns
            } else {
                cells.len().max(columns)
            };
        }
        self.flaw = match piece {
            Piece::TooLarge => return Ok(Some(Err(Broken::TooLarge))),
            Piece::Unclosed => Some(UNCLOSED),
            Piece::Row if self.wary && cells.len() != columns => Some(BEHIND),
            Piece::Row if has_more || cells.len() > self.width => Some(TOO_MANY),
            Piece::Row if is_part || (columns > 1 && cells.len() == 1) => Some(A_PART),
            Piece::Row => None,
        };
        self.wary = matches!(self.flaw, Some(UNCLOSED | BEHIND));
        let mut row = Map::new();
        for (at, cell) in cells.iter().enumerate() {
            let cell = String::from_utf8_lossy(cell);
            if matches!(cell, Cow::Owned(_)) {
                self.flaw.get_or_insert(NOT_UTF8);
            }
            let name = self.header.get(at).cloned().unwrap_or_else(|| {
                let more = at + 1 - self.header.len();
                numbered("column without a name", more)
            });
            row.insert(name, cell.into_owned().into());
        }
        Ok(Some(Ok(row.into())))
    }

    /// Reads the next row, and those behind it that may be parts of the same one: where short rows, of which only the first
    /// begins with an id, make just one together, a line break cut it. Others leave out the empty cells at their end.
    fn look_ahead(&mut self) -> io::Result<()> {
        let (columns, mut joined) = (self.header.len(), 1);
        for at in 0..MOST_PARTS {
            if self.ahead.len() == at && !self.read_ahead()? {
                return Ok(());
            }
            let Some(row) = self.ahead.get(at) else {
                return Ok(());
            };
            let begins = at > 0 && row.cells.get(self.id).is_some_and(|cell| is_id(cell));
            if !matches!(row.piece, Piece::Row) || row.is_part || row.cells.len() >= columns || begins {
                return Ok(());
            }
            joined += row.cells.len().saturating_sub(1);
            if joined >= columns {
                let is_one = joined == columns;
                let parts = self.ahead.iter_mut().take(if is_one { at + 1 } else { 0 });
                parts.for_each(|part| part.is_part = true);
                return Ok(());
            }
        }
        Ok(())
    }

    fn read_ahead(&mut self) -> io::Result<bool> {
        let Some(piece) = self.piece()? else {
            return Ok(false);
        };
        self.ahead.push_back(Ahead {
            piece,
            cells: mem::take(&mut self.cells),
            is_part: false,
        });
        Ok(true)
    }

    fn piece(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            match cut(rest, self.delimiter, self.ended, &mut self.cells) {
                Found::Blank(used) => self.start += used,
                Found::Row(used) => {
                    self.start += used;
                    let large = used > MAX_ROW;
                    return Ok(Some(if large { Piece::TooLarge } else { Piece::Row }));
                }
                Found::Unclosed => return Ok(Some(self.line_alone())),
                Found::More if self.ended => return Ok(None),
                // A line end in so long a row is in a quote.
                Found::More if rest.len() > MAX_ROW && rest.contains(&b'\n') => {
                    return Ok(Some(self.line_alone()));
                }
                Found::More if rest.len() > MAX_ROW => {
                    self.pass_line()?;
                    return Ok(Some(Piece::TooLarge));
                }
                Found::More => self.fill()?,
            }
        }
    }

    /// The line in which the quote opens, without those behind it.
    fn line_alone(&mut self) -> Piece {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let length = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let line = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        cut(line, self.delimiter, true, &mut self.cells);
        self.start += line.len();
        Piece::Unclosed
    }

    /// Passes over the rest of a line that is too long to keep.
    fn pass_line(&mut self) -> io::Result<()> {
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == b'\n');
            self.start += end.map_or(rest.len(), |at| at + 1);
            if end.is_some() || self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let wanted = self.buffer.len() + CHUNK;
        while self.buffer.len() < wanted {
            let more = match self.from.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            let read = more.len();
            if read == 0 {
                self.ended = true;
                break;
            }
            self.buffer.extend_from_slice(more);
            self.from.consume(read);
            self.read_bytes += u64::try_from(read).unwrap_or(0);
        }
        Ok(())
    }
}

/// Names of columns, each once.
pub(super) fn distinct(header: &[String]) -> Vec<String> {
    let (mut names, mut taken) = (Vec::with_capacity(header.len()), HashSet::new());
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in header {
        let count = counts.entry(name.trim()).or_default();
        loop {
            *count += 1;
            let name = numbered(name.trim(), *count);
            if taken.insert(name.clone()) {
                names.push(name);
                break;
            }
        }
    }
    names
}

fn numbered(name: &str, at: usize) -> String {
    if at == 1 {
        name.to_owned()
    } else {
        format!("{name} {at}")
    }
}

/// Whether a cell looks like an id: more of a sentence seldom does.
fn is_id(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii();
    cell.iter().any(u8::is_ascii_digit) && !cell.iter().any(u8::is_ascii_whitespace)
}

/// How many bytes name the delimiter.
const NAMED: usize = 5;

/// The delimiter that a first line `sep=;` names.
pub(super) fn named_delimiter(text: &[u8]) -> Option<u8> {
    let named = text.get(..NAMED)?;
    let ends = matches!(text.get(NAMED), None | Some(b'\r' | b'\n'));
    let delimiter = named.last().copied().filter(u8::is_ascii)?;
    (ends && named.get(..NAMED - 1)?.eq_ignore_ascii_case(b"sep=")).then_some(delimiter)
}

/// A row that is read and not told yet.
struct Ahead {
    piece: Piece,
    cells: Vec<Vec<u8>>,
    /// Whether it and those beside it make one row.
    is_part: bool,
}

/// A row, or why it is none.
enum Piece {
    Row,
    Unclosed,
    TooLarge,
}

/// What begins at a place; with how many bytes it has.
enum Found {
    Row(usize),
    Blank(usize),
    Unclosed,
    More,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Bare,
    Quoted,
    /// Behind a quote in a quoted cell: it ends the cell, or another one follows.
    Quote,
}

/// Cuts the next row into its cells.
fn cut(bytes: &[u8], delimiter: u8, ended: bool, cells: &mut Vec<Vec<u8>>) -> Found {
    cells.clear();
    let (mut cell, mut place, mut crossed) = (Vec::new(), Place::Start, false);
    for (at, byte) in bytes.iter().copied().enumerate() {
        place = match (place, byte) {
            (Place::Start, b'"') => Place::Quoted,
            (Place::Quoted, b'"') => Place::Quote,
            (Place::Quoted, _) => {
                crossed |= matches!(byte, b'\r' | b'\n');
                cell.push(byte);
                Place::Quoted
            }
            (Place::Quote, b'"') => {
                cell.push(byte);
                Place::Quoted
            }
            (Place::Start, b'\r' | b'\n') if cells.is_empty() => return Found::Blank(at + 1),
            (_, b'\r' | b'\n') => {
                cells.push(cell);
                return Found::Row(at + 1);
            }
            (_, byte) if byte == delimiter => {
                cells.push(mem::take(&mut cell));
                crossed = false;
                Place::Start
            }
            // The quote that ended the cell was to begin one, lines further down.
            (Place::Quote, _) if crossed => return Found::Unclosed,
            (_, byte) => {
                cell.push(byte);
                Place::Bare
            }
        };
    }
    if !ended || bytes.is_empty() {
        return Found::More;
    }
    cells.push(cell);
    if place == Place::Quoted {
        Found::Unclosed
    } else {
        Found::Row(bytes.len())
    }
}
