//! Time is taken from a [`Clock`], so that tests and simulations can set it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};

/// How far the clocks of instances, and of those who call, may be from each other before `doctor` says so. What is dated
/// further ahead was dated by a clock that was wrong.
pub const ASTRAY: TimeDelta = TimeDelta::minutes(5);

/// Where "now" comes from. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Clock::set`]; all clones share it.
    #[must_use]
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self(Some(Arc::new(AtomicI64::new(micros(at)))))
    }

    /// Moves a fixed clock; the machine's clock is not touched.
    pub fn set(&self, at: DateTime<Utc>) {
        if let Some(fixed) = &self.0 {
            fixed.store(micros(at), Ordering::SeqCst);
        }
    }

    /// The present moment, to the microsecond (what the databases keep).
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Some(fixed) => from_micros(fixed.load(Ordering::SeqCst)),
            None => from_micros(micros(Utc::now())),
        }
    }
}

/// A moment as microseconds since 1970-01-01 UTC: how both databases and the audit log keep it.
#[must_use]
pub fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// The moment that [`micros`] wrote; out-of-range numbers give the epoch.
#[must_use]
pub fn from_micros(at: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at).unwrap_or_default()
}

/// When what is said now is said: now, or just after the `last` that was said before where a clock that was ahead dated
/// that later. The order in which it was heard counts.
#[must_use]
pub fn said_now(now: DateTime<Utc>, last: Option<DateTime<Utc>>) -> DateTime<Utc> {
    last.filter(|last| *last > now)
        .map_or(now, |last| from_micros(micros(last).saturating_add(1)))
}

/// The latest end that something can have now which lasts `longest`: what ends later was begun by a clock that was ahead,
/// and would outlast its time.
#[must_use]
pub fn latest_end(now: DateTime<Utc>, longest: TimeDelta) -> DateTime<Utc> {
    now + longest + ASTRAY
}
