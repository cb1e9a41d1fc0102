//! What names, numbers and addresses look like in the countries the invented guests come from.
//!
//! Names are common ones, combined by chance. Phone numbers lie in ranges that the national regulators keep
//! for film and fiction wherever there is such a range.

#[rustfmt::skip] // tables, set by hand
mod asia;
#[rustfmt::skip]
mod europe;
#[rustfmt::skip]
mod south;

use super::random::Random;

/// One country's way of being called, reached and identified.
pub(super) struct Culture {
    /// ISO 3166-1 alpha-2: nationality and address.
    pub(super) region: &'static str,
    /// The issuing state in a machine-readable zone.
    pub(super) issuer: &'static str,
    /// BCP 47.
    pub(super) language: &'static str,
    /// How the name is written at home.
    pub(super) native: Option<Native>,
    pub(super) surnames: &'static [&'static str],
    pub(super) women: &'static [&'static str],
    pub(super) men: &'static [&'static str],
    /// Whether there is a second surname (the mother's).
    pub(super) two_surnames: bool,
    /// Whether many have a middle name.
    pub(super) middle: bool,
    /// `#` is a digit. International form.
    pub(super) phones: &'static [&'static str],
    /// What replaces the country code at home.
    pub(super) trunk: &'static str,
    pub(super) cities: &'static [City],
    /// `#` is a digit.
    pub(super) streets: &'static [&'static str],
    /// Passport numbers, filled without repetition.
    pub(super) passport: &'static str,
    /// How many of 100 guests.
    pub(super) share: u64,
}

/// How a name is written in its own script: `Latin=native` or `Latin=native=phonetic` in the name lists.
pub(super) struct Native {
    /// ISO 15924.
    pub(super) script: &'static str,
    pub(super) surname_first: bool,
    /// What stands between surname and given name.
    pub(super) between: &'static str,
}

/// A town with a postal code pattern and an ISO 3166-2 subdivision (empty when addresses there do without).
#[derive(Clone, Copy, Default)]
pub(super) struct City {
    pub(super) name: &'static str,
    pub(super) postal_code: &'static str,
    pub(super) region: &'static str,
}

/// Shortens the tables.
const fn city(name: &'static str, postal_code: &'static str, region: &'static str) -> City {
    City {
        name,
        postal_code,
        region,
    }
}

/// All of them; the shares add up to 100.
pub(super) const ALL: &[&Culture] = &[
    &asia::CHINA,
    &asia::TAIWAN,
    &asia::HONG_KONG,
    &asia::JAPAN,
    &asia::KOREA,
    &asia::INDIA,
    &south::EMIRATES,
    &south::EGYPT,
    &south::BRAZIL,
    &south::PORTUGAL,
    &south::SPAIN,
    &south::ITALY,
    &south::TURKEY,
    &europe::GERMANY,
    &europe::FRANCE,
    &europe::POLAND,
    &europe::SWEDEN,
    &europe::NORWAY,
    &europe::BRITAIN,
    &europe::AMERICA,
    &europe::AUSTRALIA,
];

/// The culture of a country; used by the showcase guests.
pub(super) fn of(region: &str) -> &'static Culture {
    ALL.iter()
        .find(|c| c.region == region)
        .copied()
        .unwrap_or(&europe::BRITAIN)
}

/// One culture, by share.
pub(super) fn any(random: &mut Random) -> &'static Culture {
    let mut left = random.below(ALL.iter().map(|c| c.share).sum());
    for culture in ALL {
        if left < culture.share {
            return culture;
        }
        left -= culture.share;
    }
    &europe::BRITAIN
}

/// A name of the lists taken apart: as in a passport, at home, and how it sounds.
#[derive(Clone, Copy, Default)]
pub(super) struct Name {
    pub(super) latin: &'static str,
    pub(super) native: &'static str,
    pub(super) sound: &'static str,
}

impl Name {
    /// Reads `Latin`, `Latin=native` or `Latin=native=sound`.
    pub(super) fn parse(entry: &'static str) -> Self {
        let mut parts = entry.split('=');
        let latin = parts.next().unwrap_or_default();
        Self {
            latin,
            native: parts.next().unwrap_or_default(),
            sound: parts.next().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_hundredths() {
        assert_eq!(ALL.iter().map(|c| c.share).sum::<u64>(), 100);
    }

    #[test]
    fn a_native_script_is_written_for_every_name() {
        for culture in ALL {
            for entry in culture.surnames.iter().chain(culture.women).chain(culture.men) {
                let name = Name::parse(entry);
                assert_eq!(name.native.is_empty(), culture.native.is_none(), "{entry}");
            }
        }
    }

    #[test]
    fn every_phone_pattern_gives_a_number_that_exists() {
        for culture in ALL {
            for pattern in culture.phones {
                for draw in 0..20 {
                    let number = Random::new(1, draw).fill(pattern);
                    let parsed = phonenumber::parse(None, &number).unwrap();
                    assert!(parsed.is_valid(), "{number}");
                }
            }
        }
    }
}
