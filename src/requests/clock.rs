//! When an answer is due. Pure: dates in, dates out.
//!
//! The numbers are data (`policies/deadlines.toml`), with their sources. Days are those of the property.

use std::sync::OnceLock;

use chrono::{Datelike as _, Days, Months, NaiveDate, Weekday};
use serde::Deserialize;

use super::{Kind, calendar::Calendar};

/// The shipped terms and calendars.
const SHIPPED: &str = include_str!("../../policies/deadlines.toml");

/// The most days that the clock of a case may stand.
const LONGEST_STOP: i64 = 3660;

/// What a term is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Every day counts.
    Days,
    /// Days that are working days where the property stands.
    BusinessDays,
    /// The same day of a later month, or that month's last.
    Months,
}

/// So many of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// How many.
    pub count: u32,
    /// Of what.
    pub unit: Unit,
}

/// Other terms for some kinds of request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    kinds: Vec<Kind>,
    answer: Term,
    #[expect(dead_code, reason = "read by people in the file")]
    source: String,
    #[expect(dead_code, reason = "read by people in the file")]
    confidence: String,
}

/// A law's clock.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regime {
    /// Its code.
    pub id: String,
    /// Its name.
    pub name: String,
    /// By when the receipt is to be confirmed.
    #[serde(default)]
    pub acknowledge: Option<Term>,
    /// By when the answer is due; without one the law names no number of days.
    #[serde(default)]
    answer: Option<Term>,
    /// By how much that may be put off.
    #[serde(default)]
    extension: Option<Term>,
    /// Whether the last day moves to a working day.
    #[serde(default)]
    rolls: bool,
    /// Whether the clock stands while the guest is asked for what is needed.
    #[serde(default)]
    pub clarification: bool,
    #[serde(default)]
    exception: Vec<Exception>,
    /// Where this is written.
    pub source: String,
    /// As of when.
    pub as_of: NaiveDate,
    /// How sure.
    pub confidence: String,
}

/// What a case has been through, as far as its clock is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// The day of receipt.
    pub received: NaiveDate,
    /// Whether the answer was put off, and the guest told.
    pub extended: bool,
    /// For how many days the clock stood.
    pub stopped: i64,
}

/// All terms and calendars.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deadlines {
    regime: Vec<Regime>,
    calendar: Vec<Calendar>,
}

impl Deadlines {
    /// The shipped ones.
    #[must_use]
    pub fn shipped() -> &'static Self {
        static SHIPPED_ONES: OnceLock<Deadlines> = OnceLock::new();
        SHIPPED_ONES.get_or_init(|| {
            toml::from_str(SHIPPED).unwrap_or_else(|error| {
                // A test reads the same text, so that no program is built that ends here.
                tracing::error!(%error, "policies/deadlines.toml does not read; no request has a due date");
                Self {
                    regime: Vec::new(),
                    calendar: Vec::new(),
                }
            })
        })
    }

    /// The clock of a law.
    #[must_use]
    pub fn regime(&self, id: &str) -> Option<&Regime> {
        self.regime.iter().find(|regime| regime.id == id)
    }

    /// All laws, in the order of the file.
    pub fn regimes(&self) -> impl Iterator<Item = &Regime> {
        self.regime.iter()
    }

    /// The working days of a country, when they are known.
    #[must_use]
    pub fn calendar(&self, country: Option<&str>) -> Option<&Calendar> {
        self.calendar
            .iter()
            .find(|calendar| Some(calendar.country.as_str()) == country)
    }
}

impl Regime {
    fn answer(&self, kind: Kind) -> Option<Term> {
        let other = self.exception.iter().find(|e| e.kinds.contains(&kind));
        other.map_or(self.answer, |e| Some(e.answer))
    }

    /// Whether an answer to this kind may be put off at all.
    #[must_use]
    pub fn may_extend(&self, kind: Kind) -> bool {
        self.extension.is_some() && !self.exception.iter().any(|e| e.kinds.contains(&kind))
    }

    /// The last day for the answer; `None` when the law names none.
    #[must_use]
    pub fn due(&self, kind: Kind, course: Course, calendar: Option<&Calendar>) -> Option<NaiveDate> {
        let answer = self.answer(kind)?;
        let mut day = add(course.received, answer, calendar)?;
        if course.extended && self.may_extend(kind) {
            day = match self.extension {
                // Months are counted from the day of receipt as one sum: 31 January and three months is 30 April.
                Some(Term { count, unit }) if unit == answer.unit => {
                    let both = Term {
                        count: answer.count.checked_add(count)?,
                        unit,
                    };
                    add(course.received, both, calendar)?
                }
                Some(extension) => add(day, extension, calendar)?,
                None => day,
            };
        }
        let stood = u64::try_from(course.stopped.clamp(0, LONGEST_STOP)).ok()?;
        day = day.checked_add_days(Days::new(stood))?;
        match calendar {
            Some(calendar) if self.rolls => calendar.working_day_from(day),
            _ => Some(day),
        }
    }

    /// The last day for confirming the receipt.
    #[must_use]
    pub fn acknowledged_by(&self, received: NaiveDate, calendar: Option<&Calendar>) -> Option<NaiveDate> {
        add(received, self.acknowledge?, calendar)
    }
}

/// The last day of a term that begins after `from`.
fn add(from: NaiveDate, term: Term, calendar: Option<&Calendar>) -> Option<NaiveDate> {
    match term.unit {
        Unit::Days => from.checked_add_days(Days::new(term.count.into())),
        Unit::Months => from.checked_add_months(Months::new(term.count)),
        Unit::BusinessDays => (0..term.count).try_fold(from, |day, _| next_working(day, calendar)),
    }
}

fn next_working(day: NaiveDate, calendar: Option<&Calendar>) -> Option<NaiveDate> {
    let next = day.succ_opt()?;
    match calendar {
        Some(calendar) => calendar.working_day_from(next),
        // Without a calendar only the weekend is left out: an unknown holiday can make it too early, never late.
        None => match next.weekday() {
            Weekday::Sat => next.checked_add_days(Days::new(2)),
            Weekday::Sun => next.succ_opt(),
            _ => Some(next),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Row {
        regime: String,
        kind: Kind,
        country: String,
        received: NaiveDate,
        extended: bool,
        stopped: i64,
        due: Option<NaiveDate>,
        acknowledge: Option<NaiveDate>,
    }

    #[test]
    fn every_date_of_the_independent_table() {
        let deadlines = Deadlines::shipped();
        let mut table = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_reader(include_str!("../../tests/fixtures/deadlines.csv").as_bytes());
        let rows: Vec<Row> = table.deserialize().map(Result::unwrap).collect();
        assert!(rows.len() >= 200, "{}", rows.len());
        for row in rows {
            let regime = deadlines.regime(&row.regime).unwrap();
            let calendar = deadlines.calendar(Some(&row.country));
            let course = Course {
                received: row.received,
                extended: row.extended,
                stopped: row.stopped,
            };
            let told = (
                regime.due(row.kind, course, calendar),
                regime.acknowledged_by(row.received, calendar),
            );
            assert_eq!(
                told,
                (row.due, row.acknowledge),
                "{} {:?} {} {}",
                row.regime,
                row.kind,
                row.country,
                row.received
            );
        }
    }

    #[test]
    fn every_row_names_its_source() {
        for regime in Deadlines::shipped().regimes() {
            assert!(
                !regime.source.is_empty() && !regime.name.is_empty(),
                "{}",
                regime.id
            );
            assert!(["high", "medium", "low"].contains(&regime.confidence.as_str()));
        }
        assert!(Deadlines::shipped().regime("gdpr").is_some());
    }

    #[test]
    fn a_clock_that_stands_gives_the_days_back() {
        let regime = Deadlines::shipped().regime("uk_gdpr").unwrap();
        let received = NaiveDate::from_ymd_opt(2026, 3, 3).unwrap();
        let due = |stopped| {
            let course = Course {
                received,
                extended: false,
                stopped,
            };
            regime.due(Kind::Access, course, None).unwrap()
        };
        assert_eq!((due(5) - due(0)).num_days(), 5);
        assert_eq!(due(-5), due(0));
    }
}
