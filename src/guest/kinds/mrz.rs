//! Machine-readable zones: ICAO Doc 9303 parts 3 to 7 (TD1, TD2, TD3 and visas). Read, checked, and thrown away.

use chrono::{Datelike, NaiveDate};
use serde_json::Value;

use super::{Reason, date};

/// What a zone says, in our words.
#[derive(Default)]
pub(super) struct Zone {
    /// A type of `id_documents`.
    pub(super) kind: &'static str,
    pub(super) issuer: String,
    pub(super) number: String,
    pub(super) expires: Option<String>,
    surname: String,
    given: String,
    nationality: String,
    birth: Option<String>,
    /// ISO/IEC 5218.
    sex: Option<u64>,
}

impl Zone {
    /// What it says of the guest besides the document.
    pub(super) fn aside(&self) -> Vec<(&'static str, Value)> {
        let texts = [
            ("name.surname", Some(&self.surname)),
            ("name.given", Some(&self.given)),
            ("nationality", Some(&self.nationality)),
            ("birth_date", self.birth.as_ref()),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(path, text)| Some((path, text.filter(|t| !t.is_empty())?)));
        let sex = self.sex.map(|sex| ("gender", Value::from(sex)));
        texts
            .map(|(path, text)| (path, Value::from(text.as_str())))
            .chain(sex)
            .collect()
    }

    /// The document it stands on, as an item of `id_documents`.
    pub(super) fn document(&self) -> Value {
        serde_json::json!({
            "type": self.kind,
            "issuing_country": self.issuer,
            "number": self.number,
            "expires_on": self.expires,
        })
    }
}

/// Where the parts of the second line stand, and whether it ends with a composite check digit.
struct Layout {
    length: usize,
    optional_end: usize,
    personal_check: bool,
    composite: bool,
}

const TD3: Layout = Layout {
    length: 44,
    optional_end: 42,
    personal_check: true,
    composite: true,
};
const TD2: Layout = Layout {
    length: 36,
    optional_end: 35,
    personal_check: false,
    composite: true,
};
const VISA_A: Layout = Layout {
    length: 44,
    optional_end: 44,
    personal_check: false,
    composite: false,
};
const VISA_B: Layout = Layout {
    length: 36,
    optional_end: 36,
    personal_check: false,
    composite: false,
};

/// Reads a zone: its lines one below the other, or run together.
///
/// # Errors
/// When it is none, or a check digit does not agree.
pub(super) fn read(value: &Value, today: NaiveDate) -> Result<Zone, Reason> {
    let given = value.as_str().ok_or(Reason::WrongType)?;
    if given.len() > 200 {
        return Err(Reason::TooLong);
    }
    let zone: String = given
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect::<String>()
        .to_ascii_uppercase();
    if zone.contains('*') {
        return Err(Reason::Masked);
    }
    if !zone
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'<')
    {
        return Err(Reason::InvalidDocument);
    }
    let visa = zone.starts_with('V');
    match (zone.len(), visa) {
        (90, false) => card(&zone, today),
        (88, false) => two_lines(&zone, &TD3, today),
        (88, true) => two_lines(&zone, &VISA_A, today),
        (72, false) => two_lines(&zone, &TD2, today),
        (72, true) => two_lines(&zone, &VISA_B, today),
        _ => Err(Reason::InvalidDocument),
    }
}

fn two_lines(zone: &str, layout: &Layout, today: NaiveDate) -> Result<Zone, Reason> {
    let first = part(zone, 0, layout.length)?;
    let second = part(zone, layout.length, layout.length * 2)?;
    let optional = part(second, 28, layout.optional_end)?;
    if layout.personal_check {
        let check = part(second, 42, 43)?;
        let blank = check == "<" && optional.bytes().all(|b| b == b'<');
        if !blank {
            verify(optional, check)?;
        }
    }
    if layout.composite {
        let end = layout.length - 1;
        let all = [
            part(second, 0, 10)?,
            part(second, 13, 20)?,
            part(second, 21, end)?,
        ]
        .concat();
        verify(&all, part(second, end, layout.length)?)?;
    }
    let mut zone = Zone {
        number: number(part(second, 0, 9)?, part(second, 9, 10)?, optional)?,
        nationality: filled(part(second, 10, 13)?),
        ..person(part(second, 13, 28)?, today)?
    };
    head(&mut zone, part(first, 0, 5)?)?;
    names(&mut zone, part(first, 5, layout.length)?);
    Ok(zone)
}

fn card(zone: &str, today: NaiveDate) -> Result<Zone, Reason> {
    let (first, second, third) = (part(zone, 0, 30)?, part(zone, 30, 60)?, part(zone, 60, 90)?);
    let all = [
        part(first, 5, 30)?,
        part(second, 0, 7)?,
        part(second, 8, 15)?,
        part(second, 18, 29)?,
    ]
    .concat();
    verify(&all, part(second, 29, 30)?)?;
    let mut zone = Zone {
        number: number(part(first, 5, 14)?, part(first, 14, 15)?, part(first, 15, 30)?)?,
        nationality: filled(part(second, 15, 18)?),
        ..person(part(second, 0, 15)?, today)?
    };
    head(&mut zone, part(first, 0, 5)?)?;
    names(&mut zone, third);
    Ok(zone)
}

/// Document code and issuer.
fn head(zone: &mut Zone, head: &str) -> Result<(), Reason> {
    let code = part(head, 0, 2)?;
    zone.issuer = filled(part(head, 2, 5)?);
    zone.kind = match code.chars().next() {
        Some('P') => "passport",
        Some('V') => "visa",
        _ if matches!(code, "IR" | "AR" | "CR" | "RP") => "residence_permit",
        Some('I' | 'A' | 'C') => "national_id",
        _ => return Err(Reason::InvalidDocument),
    };
    Ok(())
}

/// Birth, sex and expiry, each with its check digit: fifteen places.
fn person(text: &str, today: NaiveDate) -> Result<Zone, Reason> {
    let (birth, expires) = (part(text, 0, 6)?, part(text, 8, 14)?);
    verify(birth, part(text, 6, 7)?)?;
    verify(expires, part(text, 14, 15)?)?;
    let sex = match part(text, 7, 8)? {
        "M" => Some(1),
        "F" => Some(2),
        "X" => Some(9),
        "<" => None,
        _ => return Err(Reason::InvalidDocument),
    };
    let expires = if expires.contains('<') {
        None
    } else {
        Some(date::of_six(expires, today, false)?.to_string())
    };
    Ok(Zone {
        birth: born(birth, today)?,
        expires,
        sex,
        ..Zone::default()
    })
}

/// A birth date whose month or day may be unknown (`<<`).
fn born(text: &str, today: NaiveDate) -> Result<Option<String>, Reason> {
    let known = text.trim_end_matches('<');
    if known.len() == 6 {
        return date::of_six(known, today, true).map(|day| Some(day.to_string()));
    }
    let Some(year) = known.get(..2).and_then(|y| y.parse::<i32>().ok()) else {
        return Ok(None);
    };
    let century = today.year() / 100 * 100;
    let year = if century + year > today.year() {
        century + year - 100
    } else {
        century + year
    };
    Ok(Some(match known.get(2..4) {
        Some(month) => format!("{year}-{month}"),
        None => year.to_string(),
    }))
}

/// A document number; one of more than nine places goes on in the optional part (Doc 9303-5 §4.2.2 note j).
fn number(start: &str, check: &str, optional: &str) -> Result<String, Reason> {
    let rest = optional.split('<').next().unwrap_or_default();
    if check == "<" && rest.len() >= 2 {
        let (more, check) = rest
            .split_at_checked(rest.len() - 1)
            .ok_or(Reason::InvalidDocument)?;
        let number = format!("{start}{more}");
        return verify(&number, check).map(|()| filled(&number));
    }
    verify(start, check)?;
    let number = filled(start);
    if number.is_empty() {
        Err(Reason::InvalidDocument)
    } else {
        Ok(number)
    }
}

/// Surname, two fillers, given names.
fn names(zone: &mut Zone, text: &str) {
    let (surname, given) = text.split_once("<<").unwrap_or((text, ""));
    let spaced = |name: &str| {
        name.split('<')
            .filter(|w| !w.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    zone.surname = spaced(surname);
    zone.given = spaced(given);
}

fn filled(text: &str) -> String {
    text.replace('<', "")
}

fn part(text: &str, from: usize, to: usize) -> Result<&str, Reason> {
    text.get(from..to).ok_or(Reason::InvalidDocument)
}

fn verify(text: &str, check: &str) -> Result<(), Reason> {
    let digit = check
        .chars()
        .next()
        .and_then(|c| if c == '<' { Some(0) } else { c.to_digit(10) });
    if digit == Some(check_digit(text)) {
        Ok(())
    } else {
        Err(Reason::BadCheckDigit)
    }
}

/// Weights 7, 3, 1 (Doc 9303-3 §4.9).
pub(super) fn check_digit(text: &str) -> u32 {
    text.chars()
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(c, weight)| c.to_digit(36).unwrap_or(0) * weight)
        .sum::<u32>()
        % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, 1).unwrap()
    }

    /// The specimens of Doc 9303 parts 4, 5, 6 and 7.
    const TD3_SPECIMEN: &str =
        "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10";
    const TD1_SPECIMEN: &str =
        "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<";
    const TD2_SPECIMEN: &str = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6";
    const VISA_SPECIMEN: &str =
        "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL8988901C4XXX4009078F96121096ZE184226B<<<<<<";

    #[test]
    fn the_specimens_are_read() {
        for (zone, kind, number, birth, expires) in [
            (TD3_SPECIMEN, "passport", "L898902C3", "1974-08-12", "2012-04-15"),
            (
                TD1_SPECIMEN,
                "national_id",
                "D23145890",
                "1974-08-12",
                "2012-04-15",
            ),
            (
                TD2_SPECIMEN,
                "national_id",
                "D23145890",
                "1974-08-12",
                "2012-04-15",
            ),
            (VISA_SPECIMEN, "visa", "L8988901C", "1940-09-07", "1996-12-10"),
        ] {
            let read = read(&zone.into(), today()).unwrap_or_else(|r| panic!("{kind}: {r:?}"));
            assert_eq!(
                (read.kind, read.number.as_str(), read.issuer.as_str()),
                (kind, number, "UTO")
            );
            assert_eq!(
                (read.surname.as_str(), read.given.as_str()),
                ("ERIKSSON", "ANNA MARIA")
            );
            assert_eq!(
                (read.birth.as_deref(), read.expires.as_deref(), read.sex),
                (Some(birth), Some(expires), Some(2))
            );
        }
    }

    #[test]
    fn lines_may_run_together_and_be_small() {
        let one = TD3_SPECIMEN.replace('\n', "").to_lowercase();
        assert_eq!(read(&one.into(), today()).unwrap().number, "L898902C3");
    }

    /// Doc 9303-5, appendix: a number of more than nine places.
    #[test]
    fn long_numbers_go_on_in_the_optional_part() {
        let first = "I<UTOD23145890<7349<<<<<<<<<<<";
        let second = "3407127M9507122UTO<<<<<<<<<<<2";
        let zone = format!("{first}{second}STEVENSON<<PETER<JOHN<<<<<<<<<");
        let read = read(&zone.into(), today()).unwrap();
        assert_eq!(read.number, "D23145890734");
    }

    #[test]
    fn any_wrong_check_digit_is_found() {
        for specimen in [TD3_SPECIMEN, TD1_SPECIMEN, TD2_SPECIMEN] {
            for (at, digit) in specimen.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
                let other = if digit == '9' { '0' } else { '9' };
                let mut wrong = specimen.to_owned();
                wrong.replace_range(at..=at, &other.to_string());
                assert!(read(&wrong.into(), today()).is_err(), "{at} of {specimen}");
            }
        }
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for (given, why) in [
            ("", Reason::InvalidDocument),
            ("P<UTO", Reason::InvalidDocument),
            ("P<UTO*****", Reason::Masked),
            (
                "王王王王王王王王王王王王王王王王王王王王王王王王王王王王王王",
                Reason::InvalidDocument,
            ),
        ] {
            assert_eq!(read(&given.into(), today()).err(), Some(why), "{given}");
        }
        assert_eq!(
            read(&"P".repeat(201).into(), today()).err(),
            Some(Reason::TooLong)
        );
    }

    #[test]
    fn unknown_parts_of_a_birth_date_stay_unknown() {
        assert_eq!(born("74<<<<", today()), Ok(Some("1974".into())));
        assert_eq!(born("7408<<", today()), Ok(Some("1974-08".into())));
        assert_eq!(born("<<<<<<", today()), Ok(None));
        assert_eq!(born("250101", today()), Ok(Some("2025-01-01".into())));
        assert_eq!(born("300101", today()), Ok(Some("1930-01-01".into())));
    }
}
