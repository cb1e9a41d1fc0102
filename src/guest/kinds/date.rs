//! Dates, whole and partial (ISO 8601; JSContact's partial dates, RFC 9553 §1.4.4).

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};
use serde_json::Value;

use super::{Context, Reason, text};

/// What programs write when they know no date.
const FILLERS: [&str; 13] = [
    "1000-01-01",
    "1111-11-11",
    "1753-01-01",
    "1800-01-01",
    "1899-12-30",
    "1899-12-31",
    "1900-01-01",
    "1900-01",
    "1900",
    "1901-01-01",
    "1970-01-01",
    "2999-12-31",
    "9999-12-31",
];

/// The oldest anybody has been (122 years), and some.
const OLDEST: i32 = 130;

/// `YYYY`, `YYYY-MM`, `YYYY-MM-DD` (also `YYYYMMDD`) or `--MM-DD`; and the ways hotel systems write a day that can be
/// read in one way only: `1987/05/17`, `17.05.1987`, `17MAY1987`.
///
/// # Errors
/// When it is none of them, a placeholder, or no day of the calendar.
pub(super) fn partial(value: &Value) -> Result<String, Reason> {
    let given = text::line(value, 40)?;
    let date = spelled(&given);
    let parts: Vec<&str> = date.split('-').collect();
    // Nothing of a guest happened in the first thousand years: `0101-01-01` and the like stand for no date.
    let early = |year: &&str| year.starts_with('0') && digits(year, 4).is_ok();
    if FILLERS.contains(&date.as_str()) || parts.first().is_some_and(early) {
        return Err(Reason::Placeholder);
    }
    match parts.as_slice() {
        [year] => digits(year, 4).map(ToOwned::to_owned),
        [year, month] => day_of(digits(year, 4)?, digits(month, 2)?, "01").map(|_| date.clone()),
        [year, month, day] => {
            day_of(digits(year, 4)?, digits(month, 2)?, digits(day, 2)?).map(|_| date.clone())
        }
        // 2000 is a leap year: 29 February is a birthday.
        ["", "", month, day] => day_of("2000", digits(month, 2)?, digits(day, 2)?).map(|_| date.clone()),
        _ => Err(Reason::Invalid),
    }
}

/// The ISO spelling of a whole day spelled otherwise; anything else as it is.
fn spelled(given: &str) -> String {
    let parts: Vec<&str> = given.split(['/', '.']).collect();
    let number = |text: &str| text.parse::<u8>().unwrap_or(0);
    match parts.as_slice() {
        [all] if all.len() == 8 && all.bytes().all(|b| b.is_ascii_digit()) => {
            let part = |range| all.get::<std::ops::Range<usize>>(range).unwrap_or_default();
            format!("{}-{}-{}", part(0..4), part(4..6), part(6..8))
        }
        [all] => named_month(all).unwrap_or_else(|| given.to_owned()),
        [year, month, day] if year.len() == 4 => format!("{year}-{month:0>2}-{day:0>2}"),
        // Day or month first: told apart only by a day past the twelfth.
        [day, month, year] if year.len() == 4 && (number(day) > 12 || day == month) => {
            format!("{year}-{month:0>2}-{day:0>2}")
        }
        [month, day, year] if year.len() == 4 && number(day) > 12 => format!("{year}-{month:0>2}-{day:0>2}"),
        _ => given.to_owned(),
    }
}

/// `17MAY1987`, as reservation systems write it.
fn named_month(given: &str) -> Option<String> {
    const MONTHS: [&str; 12] = [
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ];
    let (day, rest) = given.split_at_checked(2)?;
    let (name, year) = rest.split_at_checked(3)?;
    let month = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month))? + 1;
    (year.len() == 4).then(|| format!("{year}-{month:02}-{day}"))
}

/// A birth date: partial, past, of somebody who can be alive.
///
/// # Errors
/// As [`partial`], and when it lies in the future or too far back.
pub(super) fn birth(value: &Value, context: &Context<'_>) -> Result<String, Reason> {
    let date = match value
        .as_str()
        .and_then(|given| short_year(given.trim(), context.today))
    {
        Some(whole) => partial(&whole.into())?,
        None => partial(value)?,
    };
    let today = context.today.format("%Y-%m-%d").to_string();
    if date.starts_with("--") {
        return Ok(date);
    }
    if date.as_str() > today.get(..date.len()).unwrap_or_default() {
        return Err(Reason::InFuture);
    }
    let year: i32 = date
        .get(..4)
        .and_then(|y| y.parse().ok())
        .ok_or(Reason::Invalid)?;
    if context.today.year() - year > OLDEST {
        return Err(Reason::ImpossibleDate);
    }
    Ok(date)
}

/// `17MAY87`: a birthday lies in the past, so the century is known but for the oldest guests.
fn short_year(given: &str, today: NaiveDate) -> Option<String> {
    let (start, year) = given.split_at_checked(5).filter(|_| given.len() == 7)?;
    if !start.bytes().skip(2).all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let short: i32 = digits(year, 2).ok()?.parse().ok()?;
    let year = today.year() / 100 * 100 + short;
    let past = named_month(&format!("{start}{year}"))? <= today.to_string();
    let year = if past { year } else { year - 100 };
    Some(format!("{start}{year}"))
}

/// A whole day.
///
/// # Errors
/// As [`partial`]; and [`Reason::Invalid`] for a part of a date.
pub(super) fn day(value: &Value) -> Result<String, Reason> {
    let date = partial(value)?;
    if date.len() == 10 {
        Ok(date)
    } else {
        Err(Reason::Invalid)
    }
}

/// A moment (RFC 3339, told in UTC) or a whole day.
///
/// # Errors
/// When it is neither.
pub(super) fn moment(value: &Value) -> Result<String, Reason> {
    let given = text::line(value, 40)?;
    match DateTime::parse_from_rfc3339(&given) {
        Ok(at) => Ok(at
            .with_timezone(&Utc)
            .to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        Err(_) => day(value),
    }
}

/// The day of a whole date.
pub(super) fn parse(date: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()
}

/// A day of six digits (`YYMMDD`), in the century that puts it on or before `today` (birth) or near it (expiry).
pub(super) fn of_six(digits: &str, today: NaiveDate, past: bool) -> Result<NaiveDate, Reason> {
    let number = |at: std::ops::Range<usize>| digits.get(at).and_then(|d| d.parse::<i32>().ok());
    let (Some(year), Some(month), Some(day)) = (number(0..2), number(2..4), number(4..6)) else {
        return Err(Reason::Invalid);
    };
    let century = today.year() / 100 * 100;
    let find = |year| {
        let month = u32::try_from(month).ok()?;
        NaiveDate::from_ymd_opt(year, month, u32::try_from(day).ok()?)
    };
    let this = find(century + year);
    let (in_time, other) = if past {
        (this.filter(|d| *d <= today), century + year - 100)
    } else if century + year > today.year() + 50 {
        (None, century + year - 100)
    } else {
        (this, century + year)
    };
    in_time.or_else(|| find(other)).ok_or(Reason::ImpossibleDate)
}

fn day_of(year: &str, month: &str, day: &str) -> Result<NaiveDate, Reason> {
    parse(&format!("{year}-{month}-{day}")).ok_or(Reason::ImpossibleDate)
}

fn digits(text: &str, length: usize) -> Result<&str, Reason> {
    if text.len() == length && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text)
    } else {
        Err(Reason::Invalid)
    }
}
