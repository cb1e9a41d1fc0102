//! Numbers with check digits, computed the way the authorities do, for documents that nobody holds.

use chrono::{Datelike as _, NaiveDate};

/// A Chinese resident identity number (GB 11643-1999): area, birth date, sequence, ISO 7064 MOD 11-2.
///
/// The last digit of the sequence is odd for men and even for women.
pub(super) fn resident_id(area: &str, birth: NaiveDate, sequence: u64, woman: bool) -> String {
    let sequence = sequence % 500 * 2 + u64::from(!woman);
    let body = format!("{area}{}{sequence:03}", birth.format("%Y%m%d"));
    let check = mod_11_2(&body);
    format!("{body}{check}")
}

fn mod_11_2(body: &str) -> char {
    let sum = body
        .chars()
        .filter_map(|c| c.to_digit(10))
        .fold(0, |sum, digit| (sum + digit) * 2 % 11);
    match (12 - sum) % 11 {
        10 => 'X',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    }
}

/// A Spanish identity number: eight digits and the letter of their remainder by 23.
pub(super) fn dni(digits: &str) -> String {
    const LETTERS: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let remainder = digits.parse::<usize>().unwrap_or(0) % LETTERS.len();
    let letter = LETTERS.get(remainder).copied().map_or('T', char::from);
    format!("{digits}{letter}")
}

/// A Chinese unified social credit code (GB 32100-2015): 17 characters and one of MOD 31-3.
pub(super) fn credit_code(body: &str) -> String {
    const SIGNS: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let mut weight = 1;
    let mut sum = 0;
    for sign in body.chars() {
        sum += SIGNS.find(sign).unwrap_or(0) * weight;
        weight = weight * 3 % 31;
    }
    let check = SIGNS.chars().nth((31 - sum % 31) % 31).unwrap_or('0');
    format!("{body}{check}")
}

/// What the two lines of a passport say (ICAO 9303-4, TD3).
pub(super) struct Passport<'a> {
    /// The three letters of the issuing state.
    pub(super) issuer: &'a str,
    pub(super) surname: &'a str,
    pub(super) given: &'a str,
    pub(super) number: &'a str,
    pub(super) birth: NaiveDate,
    pub(super) woman: bool,
    pub(super) expires: NaiveDate,
    /// What the state puts in the optional field; mostly nothing.
    pub(super) personal: &'a str,
}

impl Passport<'_> {
    /// The machine-readable zone: two lines of 44, each part with its check digit.
    pub(super) fn mrz(&self) -> [String; 2] {
        let names = format!("{}<<{}", zone_letters(self.surname), zone_letters(self.given));
        let first = padded(&format!("P<{}{names}", self.issuer), 44);
        let number = with_check(&padded(self.number, 9));
        let birth = with_check(&zone_date(self.birth));
        let expires = with_check(&zone_date(self.expires));
        let personal = with_check(&padded(self.personal, 14));
        let sex = if self.woman { 'F' } else { 'M' };
        let all = check_digit(&format!("{number}{birth}{expires}{personal}"));
        let second = format!("{number}{}{birth}{sex}{expires}{personal}{all}", self.issuer);
        [first, second]
    }
}

fn zone_date(date: NaiveDate) -> String {
    format!(
        "{:02}{:02}{:02}",
        date.year().rem_euclid(100),
        date.month(),
        date.day()
    )
}

fn zone_letters(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphabetic() {
                c.to_ascii_uppercase()
            } else {
                '<'
            }
        })
        .collect()
}

fn padded(text: &str, width: usize) -> String {
    text.chars().chain(std::iter::repeat('<')).take(width).collect()
}

fn with_check(part: &str) -> String {
    format!("{part}{}", check_digit(part))
}

/// The check digit of ICAO 9303-3 §4.9: weights 7, 3, 1 over digits, letters from 10 and fillers as 0.
fn check_digit(part: &str) -> u32 {
    part.chars()
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(c, weight)| c.to_digit(36).unwrap_or(0) * weight)
        .sum::<u32>()
        % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn check_digits_agree_with_the_standards_own_examples() {
        // GB 11643-1999, annex: 11010519491231002X. ICAO 9303-4, appendix: Anna Maria Eriksson of Utopia.
        assert_eq!(
            resident_id("110105", day("1949-12-31"), 1, true),
            "11010519491231002X"
        );
        assert_eq!(check_digit("L898902C3"), 6);
        assert_eq!(check_digit("740812"), 2);
        assert_eq!(dni("12345678"), "12345678Z");
    }

    #[test]
    fn the_zone_of_the_specimen_passport() {
        let zone = Passport {
            issuer: "UTO",
            surname: "Eriksson",
            given: "Anna Maria",
            number: "L898902C3",
            birth: day("1974-08-12"),
            woman: true,
            expires: day("2012-04-15"),
            personal: "ZE184226B",
        };
        let [first, second] = zone.mrz();
        assert_eq!(first, "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<");
        assert_eq!(second, "L898902C36UTO7408122F1204159ZE184226B<<<<<10");
    }

    #[test]
    fn a_credit_code_ends_in_its_check_sign() {
        // GB 32100-2015, annex B.
        assert_eq!(credit_code("91350100M000100Y4"), "91350100M000100Y43");
    }
}
