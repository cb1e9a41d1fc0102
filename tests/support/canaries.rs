//! Canaries: values that exist nowhere else, and a search for them in every byte a process wrote.

use std::{
    collections::HashSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use aho_corasick::AhoCorasick;
use data_encoding::{BASE64, BASE64URL, HEXLOWER};
use uuid::Uuid;

/// The shortest thing worth searching for: anything shorter turns up in random bytes by chance.
const SHORTEST: usize = 6;

/// The values given out, each with the name of what it was used for.
#[derive(Default)]
pub(crate) struct Canaries {
    all: Vec<Canary>,
    /// What every marked value begins with: one needle for thousands of values.
    marker: Option<String>,
}

struct Canary {
    label: String,
    value: String,
    marked: bool,
}

/// One canary that got out. Says where, never what.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    label: String,
    encoding: &'static str,
    place: String,
    offset: usize,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} as {} in {} at byte {}",
            self.label, self.encoding, self.place, self.offset
        )
    }
}

impl Canaries {
    /// A word of letters only, fit for a name; `label` names the field in findings.
    pub(crate) fn word(&mut self, label: &str) -> String {
        self.add(label, &letters())
    }

    /// A word that begins with the marker of this set (8 letters): any number of them costs one needle.
    pub(crate) fn marked(&mut self, label: &str) -> String {
        let marker = self.marker.get_or_insert_with(|| letters()[..8].to_owned());
        let value = format!("{marker}{}", &letters()[1..9]).replacen('q', "Q", 1);
        self.all.push(Canary {
            label: label.to_owned(),
            value: value.clone(),
            marked: true,
        });
        value
    }

    /// A Portuguese mobile number in E.164.
    pub(crate) fn phone(&mut self, label: &str) -> String {
        let tail = Uuid::new_v4().as_u128() % 10_000_000;
        let national = self.add(label, &format!("91{tail:07}"));
        format!("+351{national}")
    }

    /// A passport number: a letter and eight digits.
    pub(crate) fn passport(&mut self, label: &str) -> String {
        let digits = Uuid::new_v4().as_u128() % 100_000_000;
        self.add(label, &format!("K{digits:08}"))
    }

    /// A birthday between 1930 and 1969, whole.
    pub(crate) fn day(&mut self, label: &str) -> String {
        let chance = Uuid::new_v4().as_u128();
        let (year, month, day) = (1930 + chance % 40, 1 + chance / 64 % 12, 2 + chance / 4096 % 26);
        self.add(label, &format!("{year}-{month:02}-{day:02}"))
    }

    /// A name of four Chinese characters.
    pub(crate) fn han(&mut self, label: &str) -> String {
        let name: String = Uuid::new_v4()
            .as_bytes()
            .chunks(4)
            .filter_map(|b| char::from_u32(0x4e00 + (u32::from(b[0]) << 8 | u32::from(b[1])) % 0x5000))
            .collect();
        self.add(label, &name)
    }

    /// `count` digits that do not begin with a zero.
    pub(crate) fn digits(&mut self, label: &str, count: usize) -> String {
        let digits = Uuid::new_v4().as_u128().to_string();
        let digits: String = digits.trim_start_matches('0').chars().rev().take(count).collect();
        self.add(label, &digits.replacen('0', "7", 1))
    }

    /// A mail address at a domain that no one can own.
    pub(crate) fn email(&mut self, label: &str) -> String {
        let local = self.word(label).to_lowercase();
        format!("{local}@guests.example")
    }

    /// Adds a value made elsewhere, and gives it back.
    pub(crate) fn add(&mut self, label: &str, value: &str) -> String {
        assert!(
            value.len() >= SHORTEST,
            "the canary of {label} is too short to search for"
        );
        self.all.push(Canary {
            label: label.to_owned(),
            value: value.to_owned(),
            marked: false,
        });
        value.to_owned()
    }

    /// The names of those that are not in this text, in whatever case; of plates only the beginning is kept.
    pub(crate) fn missing_in(&self, bytes: &[u8]) -> Vec<&str> {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        let is_there = |canary: &&Canary| {
            let kept: String = canary.value.to_lowercase().chars().take(12).collect();
            canary.label == "preferred_language" || text.contains(&kept)
        };
        let missing = self.all.iter().filter(|canary| !is_there(canary));
        missing.map(|canary| canary.label.as_str()).collect()
    }

    /// The names of those that are in this text.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        let found = self
            .all
            .iter()
            .filter(|canary| text.contains(&canary.value.to_lowercase()));
        found.map(|canary| canary.label.as_str()).collect()
    }

    /// Where any of them lies in these bytes, in clear or in a common encoding.
    pub(crate) fn in_bytes(&self, place: &str, bytes: &[u8]) -> Vec<Found> {
        self.search(&mut [(place.to_owned(), bytes.to_vec())].into_iter())
    }

    /// Where any of them lies in these files or in any file below these folders, by name or by content.
    pub(crate) fn in_files(&self, roots: &[&Path]) -> Vec<Found> {
        let mut files = Vec::new();
        for root in roots {
            collect(root, &mut files);
        }
        // A file may go away while we look (a WAL segment, a temporary file): then it holds nothing.
        let contents = files.iter().flat_map(|path| {
            let name = path.display().to_string();
            let bytes = fs::read(path).unwrap_or_default();
            [
                (format!("the name {name}"), name.clone().into_bytes()),
                (name, bytes),
            ]
        });
        self.search(&mut contents.into_iter())
    }

    /// Fails the test, naming the places but not the values, when any canary lies in these files.
    pub(crate) fn assert_absent(&self, roots: &[&Path]) {
        assert!(!self.all.is_empty(), "no canary was set out");
        let found = self.in_files(roots);
        assert!(found.is_empty(), "personal data in clear: {found:#?}");
    }

    fn search(&self, places: &mut dyn Iterator<Item = (String, Vec<u8>)>) -> Vec<Found> {
        let (few, all) = (Needles::of(self.few()), std::cell::OnceCell::new());
        let mut found = Vec::new();
        for (place, bytes) in places {
            if few.hits(&bytes).next().is_some() {
                // Only a place that holds something is searched again, for the names of what it holds.
                let all = all.get_or_init(|| Needles::of(self.all()));
                found.extend(few.found(&place, &bytes));
                found.extend(all.found(&place, &bytes));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// The values, those that are marked as their marker alone.
    fn few(&self) -> impl Iterator<Item = (&str, &str)> {
        let marker = self.marker.as_deref().map(|marker| ("something marked", marker));
        self.all()
            .zip(&self.all)
            .filter(|(_, canary)| !canary.marked)
            .map(|(all, _)| all)
            .chain(marker)
    }

    fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all
            .iter()
            .map(|canary| (canary.label.as_str(), canary.value.as_str()))
    }
}

/// Twelve letters behind a Q.
fn letters() -> String {
    let word: String = Uuid::new_v4()
        .as_bytes()
        .iter()
        .skip(4)
        .zip("aeioubdklmnt".chars())
        .map(|(byte, vowel)| match byte % 20 {
            0..8 => vowel,
            n => char::from(b'b' + n),
        })
        .collect();
    format!("Q{word}")
}

struct Needles {
    labels: Vec<(String, &'static str)>,
    matcher: AhoCorasick,
}

impl Needles {
    fn of<'c>(values: impl Iterator<Item = (&'c str, &'c str)>) -> Self {
        let needles: Vec<(String, &'static str, Vec<u8>)> = values
            .flat_map(|(label, value)| {
                spellings(value)
                    .into_iter()
                    .map(move |(encoding, bytes)| (label.to_owned(), encoding, bytes))
            })
            .collect();
        let matcher = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(needles.iter().map(|(.., bytes)| bytes))
            .expect("the needles");
        let labels = needles
            .into_iter()
            .map(|(label, encoding, _)| (label, encoding))
            .collect();
        Self { labels, matcher }
    }

    fn hits<'b>(&'b self, bytes: &'b [u8]) -> impl Iterator<Item = aho_corasick::Match> + 'b {
        self.matcher.find_overlapping_iter(bytes)
    }

    fn found<'b>(&'b self, place: &'b str, bytes: &'b [u8]) -> impl Iterator<Item = Found> + 'b {
        self.hits(bytes).map(move |hit| {
            let (label, encoding) = self.labels[hit.pattern().as_usize()].clone();
            Found {
                label,
                encoding,
                place: place.to_owned(),
                offset: hit.start(),
            }
        })
    }
}

/// A value as it may have been written. Case does not matter: the search ignores it.
fn spellings(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let raw = value.as_bytes();
    let mut all = vec![
        ("text", raw.to_vec()),
        ("hex", HEXLOWER.encode(raw).into_bytes()),
        (
            "UTF-16LE",
            value.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        (
            "UTF-16BE",
            value.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ),
        ("percent", percent(raw)),
        ("JSON escapes", json_escapes(value)),
        (
            "a list of bytes",
            format!("{raw:?}").trim_matches(['[', ']']).as_bytes().to_vec(),
        ),
        (
            "a reversed text",
            value.chars().rev().collect::<String>().into_bytes(),
        ),
    ];
    for shift in 0..3 {
        all.push(("base64", base64_within(&BASE64, raw, shift)));
        all.push(("base64url", base64_within(&BASE64URL, raw, shift)));
    }
    all.retain(|(_, bytes)| bytes.len() >= SHORTEST);
    let mut seen = HashSet::new();
    all.retain(|(_, bytes)| seen.insert(bytes.clone()));
    all
}

/// What stays the same of a value's base64 when `shift` (modulo 3) bytes stand before it and any after it.
fn base64_within(base64: &data_encoding::Encoding, raw: &[u8], shift: usize) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(raw);
    let whole = padded.len() * 8 / 6;
    let text = base64.encode(&padded).into_bytes();
    text[(shift * 8).div_ceil(6)..whole].to_vec()
}

fn percent(raw: &[u8]) -> Vec<u8> {
    let escape = |b: &u8| match b {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(b) => char::from(*b).to_string(),
        b => format!("%{b:02X}"),
    };
    raw.iter().map(escape).collect::<String>().into_bytes()
}

fn json_escapes(value: &str) -> Vec<u8> {
    let unit = |unit: u16| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    };
    value
        .encode_utf16()
        .map(unit)
        .collect::<Vec<_>>()
        .concat()
        .into_bytes()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    let Ok(kind) = fs::symlink_metadata(path) else {
        return;
    };
    if kind.is_file() {
        files.push(path.to_path_buf());
    } else if kind.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            collect(&entry.path(), files);
        }
    }
}
