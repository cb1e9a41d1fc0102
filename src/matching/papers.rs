//! Documents: letters that scanners mistake for digits, numbers that a person keeps for life.

use super::{
    births::{self, Birth},
    text::distance,
    weights::Cell,
};

/// A document's number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Document {
    /// As it is compared: capitals and digits, mistakable letters as digits.
    pub(super) number: String,
    pub(super) kind: Kind,
    /// Who issued it, where that is said.
    pub(super) country: Option<String>,
}

/// What sort of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A Chinese resident number with a right check character: one for life.
    Resident,
    /// The shape of one, misread somewhere.
    Misread,
    /// A passport and all else that is replaced.
    Other,
}

const NOTHING: [&str; 12] = [
    "PASSPORT", "UNKNOWN", "NONE", "NA", "NULL", "ID", "IDCARD", "TBA", "TBC", "XXX", "TEST", "PENDING",
];

pub(super) fn read(number: &str, country: Option<&str>) -> Option<Document> {
    let plain: String = super::text::nfkc(number)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let first = plain.chars().next()?;
    if plain.len() < 5 || NOTHING.contains(&plain.as_str()) || plain.chars().all(|c| c == first) {
        return None;
    }
    let folded: String = plain.chars().map(unmistaken).collect();
    let kind = if folded.len() == 18 && folded.chars().take(17).all(|c| c.is_ascii_digit()) {
        if is_resident(&folded) {
            Kind::Resident
        } else {
            Kind::Misread
        }
    } else {
        Kind::Other
    };
    Some(Document {
        number: folded,
        kind,
        country: country.map(str::to_owned),
    })
}

/// What a scanner may take a digit for.
const fn unmistaken(c: char) -> char {
    match c {
        'O' | 'Q' | 'D' => '0',
        'I' | 'L' => '1',
        'Z' => '2',
        'S' => '5',
        'B' => '8',
        c => c,
    }
}

/// GB 11643-1999: ISO 7064 MOD 11-2.
fn is_resident(number: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = number
        .chars()
        .zip(WEIGHTS)
        .map(|(c, weight)| c.to_digit(10).unwrap_or(0) * weight)
        .sum();
    let check = usize::try_from(sum % 11)
        .ok()
        .and_then(|at| "10X98765432".chars().nth(at));
    check.is_some() && number.chars().nth(17) == check && born(number).is_some()
}

/// The birth date in a resident number.
pub(super) fn born(number: &str) -> Option<Birth> {
    births::read(number.get(6..14)?).filter(|birth| birth.month <= 12 && (1850..=2100).contains(&birth.year))
}

/// How two documents agree. Whoever has the same number of the same country is the same; two numbers for life are
/// two people.
pub(super) fn compare(a: &Document, b: &Document) -> Cell {
    let elsewhere = matches!((&a.country, &b.country), (Some(a), Some(b)) if a != b);
    if a.number == b.number {
        return if elsewhere {
            Cell::PaperDiffers
        } else {
            Cell::PaperExact
        };
    }
    if a.kind == Kind::Resident && b.kind == Kind::Resident {
        return Cell::PaperLifelong;
    }
    let long = a.number.len().min(b.number.len()) >= 7;
    if long && !elsewhere && distance(&a.number, &b.number, 1) <= 1 {
        return Cell::PaperEdit;
    }
    let for_life = |document: &Document| matches!(document.kind, Kind::Resident | Kind::Misread);
    let shape = |document: &Document| -> String {
        document
            .number
            .chars()
            .take(2)
            .map(|c| if c.is_ascii_digit() { '9' } else { 'A' })
            .collect()
    };
    if for_life(a) != for_life(b) || shape(a) != shape(b) {
        Cell::PaperOtherKind
    } else {
        Cell::PaperDiffers
    }
}
