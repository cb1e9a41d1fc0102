//! Working days of a country, from the rules of its holidays.

use std::str::FromStr as _;

use chrono::{Datelike as _, Days, NaiveDate, Weekday};
use serde::{Deserialize, Deserializer, de::Error as _};

/// The most days without a working day that are looked through.
const LONGEST: usize = 30;

/// What becomes of a holiday on a rest day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Substitute {
    /// Nothing: it is lost.
    #[default]
    None,
    /// The next day that is neither rest day nor holiday is free.
    Monday,
    /// Saturday's moves to Friday, Sunday's to Monday.
    Nearest,
}

/// The n-th of a weekday in a month; -1 is the last.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nth {
    month: u32,
    #[serde(deserialize_with = "weekday")]
    weekday: Weekday,
    n: i8,
}

/// A country's rest days and holidays.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    #[serde(deserialize_with = "weekdays")]
    rest: Vec<Weekday>,
    #[serde(default)]
    fixed: Vec<String>,
    #[serde(default)]
    easter: Vec<i64>,
    #[serde(default)]
    nth: Vec<Nth>,
    #[serde(default)]
    substitute: Substitute,
    #[expect(dead_code, reason = "read by people in the file")]
    source: String,
    #[expect(dead_code, reason = "read by people in the file")]
    confidence: String,
}

fn weekday<'de, D: Deserializer<'de>>(from: D) -> Result<Weekday, D::Error> {
    let word = String::deserialize(from)?;
    Weekday::from_str(&word).map_err(|_| D::Error::custom("not a weekday"))
}

fn weekdays<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Weekday>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    let days: Result<_, _> = words.iter().map(|word| Weekday::from_str(word)).collect();
    days.map_err(|_| D::Error::custom("not a weekday"))
}

impl Calendar {
    /// This day, when it is a working day, or the next one.
    #[must_use]
    pub fn working_day_from(&self, day: NaiveDate) -> Option<NaiveDate> {
        day.iter_days().take(LONGEST).find(|day| self.is_working(*day))
    }

    /// Whether people work on this day.
    #[must_use]
    pub fn is_working(&self, day: NaiveDate) -> bool {
        // A holiday of next January may be kept in December, and the other way round.
        let years = [day.year() - 1, day.year(), day.year() + 1];
        !self.is_rest(day) && !years.iter().any(|year| self.free_days(*year).contains(&day))
    }

    fn is_rest(&self, day: NaiveDate) -> bool {
        self.rest.contains(&day.weekday())
    }

    /// The holidays of a year, as they are kept.
    fn free_days(&self, year: i32) -> Vec<NaiveDate> {
        let mut named = self.named_days(year);
        named.sort_unstable();
        if self.substitute == Substitute::None {
            return named;
        }
        let mut kept: Vec<NaiveDate> = named.clone();
        for day in named.iter().filter(|day| self.is_rest(**day)) {
            let moved = match (self.substitute, day.weekday()) {
                (Substitute::Nearest, Weekday::Sat) => day.pred_opt(),
                (Substitute::Nearest, _) => day.succ_opt(),
                _ => day
                    .iter_days()
                    .skip(1)
                    .take(LONGEST)
                    .find(|next| !self.is_rest(*next) && !kept.contains(next)),
            };
            kept.extend(moved);
        }
        kept
    }

    fn named_days(&self, year: i32) -> Vec<NaiveDate> {
        let fixed = self.fixed.iter().filter_map(|day| {
            let (month, day) = day.split_once('-')?;
            NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?)
        });
        let sunday = easter(year);
        let movable = self
            .easter
            .iter()
            .filter_map(move |offset| sunday?.checked_add_signed(chrono::TimeDelta::days(*offset)));
        let nth = self.nth.iter().filter_map(move |rule| nth_of(year, *rule));
        fixed.chain(movable).chain(nth).collect()
    }
}

fn nth_of(year: i32, rule: Nth) -> Option<NaiveDate> {
    if let Ok(n) = u8::try_from(rule.n) {
        return NaiveDate::from_weekday_of_month_opt(year, rule.month, rule.weekday, n);
    }
    let fifth = NaiveDate::from_weekday_of_month_opt(year, rule.month, rule.weekday, 5);
    fifth.or_else(|| NaiveDate::from_weekday_of_month_opt(year, rule.month, rule.weekday, 4))
}

/// Easter Sunday of the Gregorian calendar, by Gauss's rule as mended by Lichtenberg.
fn easter(year: i32) -> Option<NaiveDate> {
    let century = year / 100;
    let moons = 15 + (3 * century + 3) / 4 - (8 * century + 13) / 25;
    let suns = 2 - (3 * century + 3) / 4;
    let golden = year % 19;
    let seed = (19 * golden + moons) % 30;
    let mend = (seed + golden / 11) / 29;
    let full = 21 + seed - mend;
    let sunday = 7 - (year + year / 4 + suns) % 7;
    let after = 7 - (full - sunday) % 7;
    let first = NaiveDate::from_ymd_opt(year, 3, 1)?;
    first.checked_add_days(Days::new(u64::try_from(full + after - 1).ok()?))
}

#[cfg(test)]
mod tests {
    use super::{super::clock::Deadlines, *};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn easter_is_when_it_is() {
        for (year, sunday) in [
            (2024, "2024-03-31"),
            (2025, "2025-04-20"),
            (2026, "2026-04-05"),
            (2038, "2038-04-25"),
        ] {
            assert_eq!(easter(year), Some(day(sunday)));
        }
    }

    #[test]
    fn holidays_on_rest_days_are_kept_as_the_country_keeps_them() {
        let of = |country| Deadlines::shipped().calendar(Some(country)).unwrap();
        // Christmas 2027 is a Saturday: England keeps Monday and Tuesday, the United States Friday.
        assert!(!of("GB").is_working(day("2027-12-27")) && !of("GB").is_working(day("2027-12-28")));
        assert!(!of("US").is_working(day("2027-12-24")) && of("US").is_working(day("2027-12-27")));
        // New Year 2028 is a Saturday: kept in the old year.
        assert!(!of("US").is_working(day("2027-12-31")));
        assert!(of("DE").is_working(day("2027-12-27")));
    }
}
