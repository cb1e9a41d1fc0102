//! Resident identity numbers of China: GB 11643-1999.

use chrono::NaiveDate;

use super::Reason;

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: &str = "10X98765432";

/// Province-level regions of GB/T 2260; 81 to 83 are residence permits of Hong Kong, Macao and Taiwan residents,
/// 91 those of foreigners.
const REGIONS: [&str; 35] = [
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42",
    "43", "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82",
    "83",
];

/// A checked number of 18 places.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resident {
    pub(super) number: String,
    pub(super) birth: NaiveDate,
    /// ISO/IEC 5218.
    pub(super) sex: u64,
}

/// A number of 18 places, or one of 15 (issued until 1999) brought to 18.
///
/// # Errors
/// When the shape, the region, the day or the check character cannot be.
pub(super) fn resident(number: &str, today: NaiveDate) -> Result<Resident, Reason> {
    let full = match number.len() {
        15 if all_digits(number) => upgraded(number)?,
        18 => number.to_owned(),
        _ => return Err(Reason::InvalidDocument),
    };
    let (body, check) = full.split_at_checked(17).ok_or(Reason::InvalidDocument)?;
    let region = body.get(..2).unwrap_or_default();
    if !all_digits(body) || !(REGIONS.contains(&region) || region == "91") {
        return Err(Reason::InvalidDocument);
    }
    if check_character(body) != check.chars().next() {
        return Err(Reason::BadCheckDigit);
    }
    let birth = body
        .get(6..14)
        .and_then(|day| NaiveDate::parse_from_str(day, "%Y%m%d").ok());
    let birth = birth.ok_or(Reason::ImpossibleDate)?;
    if birth > today {
        return Err(Reason::InFuture);
    }
    let odd = body.ends_with(['1', '3', '5', '7', '9']);
    Ok(Resident {
        sex: if odd { 1 } else { 2 },
        birth,
        number: full,
    })
}

fn upgraded(old: &str) -> Result<String, Reason> {
    let (region, rest) = old.split_at_checked(6).ok_or(Reason::InvalidDocument)?;
    let body = format!("{region}19{rest}");
    let check = check_character(&body).ok_or(Reason::InvalidDocument)?;
    Ok(format!("{body}{check}"))
}

/// ISO 7064 MOD 11-2.
fn check_character(body: &str) -> Option<char> {
    let sum: u32 = body
        .chars()
        .zip(WEIGHTS)
        .map(|(c, weight)| c.to_digit(10).unwrap_or(0) * weight)
        .sum();
    CHECKS.chars().nth(usize::try_from(sum % 11).ok()?)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, 1).unwrap()
    }

    /// The first is the example of GB 11643-1999; the others are invented.
    #[test]
    fn numbers_with_a_right_check_character() {
        for (number, birth, sex) in [
            ("11010519491231002X", "1949-12-31", 2),
            ("440524188001010014", "1880-01-01", 1),
            ("110101199003070214", "1990-03-07", 1),
        ] {
            let read = resident(number, today()).unwrap();
            assert_eq!(
                (read.birth.to_string().as_str(), read.sex),
                (birth, sex),
                "{number}"
            );
            assert_eq!(read.number, number);
        }
    }

    #[test]
    fn fifteen_places_become_eighteen() {
        let read = resident("110105491231002", today()).unwrap();
        assert_eq!(read.number, "11010519491231002X");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (number, why) in [
            ("110105194912310021", Reason::BadCheckDigit),
            ("11010519491231002x", Reason::BadCheckDigit),
            ("01010519491231002X", Reason::InvalidDocument),
            ("1101051949123100", Reason::InvalidDocument),
            ("ABCDEFGHIJKLMNOPQR", Reason::InvalidDocument),
            ("王王王王王王", Reason::InvalidDocument),
            ("110105491331002", Reason::ImpossibleDate),
        ] {
            assert_eq!(resident(number, today()), Err(why), "{number}");
        }
    }

    #[test]
    fn every_single_wrong_digit_is_found() {
        let number = "11010519491231002X";
        for at in 0..17 {
            for digit in '0'..='9' {
                let mut wrong: Vec<char> = number.chars().collect();
                if wrong[at] != digit {
                    wrong[at] = digit;
                    assert!(resident(&wrong.into_iter().collect::<String>(), today()).is_err());
                }
            }
        }
    }
}
