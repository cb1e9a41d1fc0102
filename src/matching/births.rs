//! Birth dates in the shapes that channels send.

use super::{text::distance, weights::Cell};

/// A day of birth; of two-digit years the century is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Birth {
    pub(super) year: u16,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) short: bool,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// `1987-05-17`, `19870517`, `17/05/1987`, `17.05.1987`, `17MAY87`; `None` for what stands for nothing.
pub(super) fn read(given: &str) -> Option<Birth> {
    let text = super::text::nfkc(given).trim().to_lowercase();
    let mut parts: Vec<String> = Vec::new();
    for c in text.chars() {
        let fits = parts.last().and_then(|part| part.chars().last());
        let joins = fits.is_some_and(|last| {
            (last.is_ascii_digit() && c.is_ascii_digit()) || (last.is_alphabetic() && c.is_alphabetic())
        });
        if !c.is_ascii_digit() && !c.is_alphabetic() {
            parts.push(String::new());
        } else if joins {
            if let Some(part) = parts.last_mut() {
                part.push(c);
            }
        } else {
            parts.push(c.to_string());
        }
    }
    parts.retain(|part| !part.is_empty());
    let number = |text: &str| text.parse::<u16>().ok();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (year, month, day) = match parts.as_slice() {
        [all] if all.len() == 8 => (
            number(all.get(..4)?)?,
            number(all.get(4..6)?)?,
            number(all.get(6..)?)?,
        ),
        [y, m, d] if y.len() == 4 => (number(y)?, number(m)?, number(d)?),
        [d, m, y] if m.starts_with(char::is_alphabetic) => {
            let month = MONTHS.iter().position(|known| m.starts_with(known))?;
            (number(y)?, u16::try_from(month + 1).ok()?, number(d)?)
        }
        [d, m, y] if y.len() == 4 || y.len() == 2 => (number(y)?, number(m)?, number(d)?),
        _ => return None,
    };
    let short = year < 100;
    let year = match year {
        0..=26 => year + 2000,
        27..=99 => year + 1900,
        _ => year,
    };
    let nothing = [(1900, 1, 1), (1970, 1, 1), (1901, 1, 1), (1111, 11, 11)].contains(&(year, month, day));
    if nothing || day == 0 || month == 0 || day > 31 || month > 31 {
        return None;
    }
    Some(Birth {
        year,
        month: u8::try_from(month).ok()?,
        day: u8::try_from(day).ok()?,
        short,
    })
}

pub(super) fn compare(a: Birth, b: Birth) -> Cell {
    let years = if a.short || b.short {
        a.year % 100 == b.year % 100
    } else {
        a.year == b.year
    };
    if years && a.month == b.month && a.day == b.day {
        return Cell::BirthExact;
    }
    if years && a.month == b.day && a.day == b.month {
        return Cell::BirthSwapped;
    }
    let digits = |d: Birth| format!("{:04}{:02}{:02}", d.year, d.month, d.day);
    if distance(&digits(a), &digits(b), 1) <= 1 {
        return Cell::BirthEdit;
    }
    let same = [years, a.month == b.month, a.day == b.day];
    if same.iter().filter(|same| **same).count() == 2 {
        Cell::BirthTwoParts
    } else {
        Cell::BirthDiffers
    }
}
