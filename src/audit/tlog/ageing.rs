//! Whether entries may be missing at the log's beginning. The number in the database is neither signed nor more than a
//! row that anybody with the database's password can change: it is believed only as far as the configuration goes.

use std::borrow::Cow;

use chrono::{DateTime, Months, TimeDelta, Utc};
use serde::Deserialize;

use crate::base::{Clock, micros};

use super::{entry, tile::WIDTH};

/// By so much the clocks of two machines may differ, of which one removes and the other looks.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// What the purpose of a disclosure to a third party begins with.
const THIRD_PARTY: &str = "third_party:";

/// How long entries are kept.
#[derive(Clone)]
pub struct Retention {
    clock: Clock,
    days: u32,
    disclosures: Months,
}

/// Whether the log's beginning may be removed.
#[derive(Clone, Default)]
pub enum Ageing {
    /// Nobody said: what is missing by the log's own word is taken for removed, and nothing is removed after it.
    #[default]
    Unknown,
    /// It must not: nothing may be missing.
    Never,
    /// It may, after a time.
    After(Retention),
}

/// What matters of an entry's leaf here.
#[derive(Deserialize)]
struct Told<'e> {
    at: i64,
    #[serde(borrow)]
    decision: Cow<'e, str>,
    #[serde(borrow)]
    purpose: Option<Cow<'e, str>>,
}

#[derive(Deserialize)]
struct Whole<'e> {
    #[serde(borrow)]
    leaf: Told<'e>,
}

impl Retention {
    /// For so many days, and disclosures to third parties for so long.
    #[must_use]
    pub const fn new(clock: Clock, days: u32, disclosures: Months) -> Self {
        Self {
            clock,
            days,
            disclosures,
        }
    }

    /// Entries of before this may go …
    #[must_use]
    pub fn before(&self) -> DateTime<Utc> {
        self.clock.now() - TimeDelta::days(self.days.into())
    }

    /// … but nothing from the first disclosure on that is not of before this.
    #[must_use]
    pub fn disclosed(&self) -> DateTime<Utc> {
        self.clock.now() - self.disclosures
    }

    /// Whether all of these entries are so old that they may go.
    pub(super) fn may_go(&self, entries: &[&[u8]]) -> bool {
        let before = micros(self.before() + SLACK);
        let disclosed = micros(self.disclosed() + SLACK);
        entries.iter().all(|bytes| {
            let Ok(Whole { leaf }) = serde_json::from_slice::<Whole<'_>>(bytes) else {
                // What was unreadable when it was logged has no time; those around it have.
                return entry::read(bytes).is_some_and(|read| !read.readable);
            };
            let third = leaf
                .purpose
                .is_some_and(|purpose| purpose.starts_with(THIRD_PARTY));
            let kept = third && leaf.decision == "permitted" && leaf.at >= disclosed;
            leaf.at < before && !kept
        })
    }
}

impl Ageing {
    /// What is wrong with a log of this size that says that it begins here.
    pub(super) fn wrong(&self, minimum: u64, size: u64) -> Option<String> {
        if minimum > 0 && matches!(self, Self::Never) {
            return Some(format!(
                "it says that it begins at entry {minimum}, but no retention is configured, so nothing may be missing"
            ));
        }
        (!minimum.is_multiple_of(WIDTH) || minimum > size).then(|| {
            format!("it says that it begins at entry {minimum}, where no log of {size} entries can begin")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> DateTime<Utc> {
        format!("{text}T00:00:00Z").parse().unwrap()
    }

    #[test]
    fn only_what_is_old_may_go() {
        let kept = Retention::new(Clock::fixed(day("2026-04-10")), 30, Months::new(36));
        let entry = |at: &str, purpose: &str, decision: &str| {
            let at = micros(day(at));
            format!(r#"{{"leaf":{{"at":{at},"decision":"{decision}","purpose":"{purpose}"}},"v":1}}"#)
        };
        let damaged = format!(
            r#"{{"seq":3,"unreadable":"{}","v":1,"writer":"00000000-0000-0000-0000-000000000007"}}"#,
            "0".repeat(64)
        );
        for (entry, may) in [
            (entry("2026-03-01", "check_in", "permitted"), true),
            (entry("2026-03-20", "check_in", "permitted"), false),
            (entry("2026-03-01", "third_party:spa", "permitted"), false),
            (entry("2026-03-01", "third_party:spa", "denied"), true),
            (entry("2022-03-01", "third_party:spa", "permitted"), true),
            (damaged, true),
            ("{}".to_owned(), false),
        ] {
            assert_eq!(kept.may_go(&[entry.as_bytes()]), may, "{entry}");
        }
    }

    #[test]
    fn a_beginning_is_held_against_what_is_configured() {
        let after = Ageing::After(Retention::new(Clock::system(), 30, Months::new(36)));
        for (ageing, minimum, good) in [
            (&Ageing::Never, 0, true),
            (&Ageing::Never, 256, false),
            (&Ageing::Unknown, 256, true),
            (&after, 512, true),
            (&after, 300, false),
            (&after, 1024, false),
        ] {
            assert_eq!(ageing.wrong(minimum, 600).is_none(), good, "{minimum}");
        }
    }
}
