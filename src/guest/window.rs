//! Where a guest stands with a property now. Pure.
//!
//! The policy's stay window (`docs/security.md`): *arriving* from the day before arrival until check-in, *in house*
//! until check-out, *departed* for three days after, then *past*. Who only booked for others is *booked* until the
//! departure, then *past*. Days are the property's own.

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::base::{StayState, StayStatus};

/// Days before arrival from which a guest is arriving, and after departure until which it is departed.
const BEFORE: u64 = 1;
const AFTER: u64 = 3;

/// What of a stay decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// The day of arrival.
    pub(super) arrival: NaiveDate,
    /// The day of departure.
    pub(super) departure: NaiveDate,
    /// What the source says.
    pub(super) status: StayStatus,
    /// Whether the guest only booked, for others.
    pub(super) booker: bool,
    /// The property's time zone.
    pub(super) timezone: Tz,
}

/// The state of one stay. Cancelled stays, no-shows and mere requests open no door.
pub(super) fn state(stay: &Window, now: DateTime<Utc>) -> StayState {
    let today = now.with_timezone(&stay.timezone).date_naive();
    let from = stay
        .arrival
        .checked_sub_days(Days::new(BEFORE))
        .unwrap_or(stay.arrival);
    let until = stay
        .departure
        .checked_add_days(Days::new(AFTER))
        .unwrap_or(stay.departure);
    match stay.status {
        StayStatus::Cancelled | StayStatus::NoShow | StayStatus::Tentative => StayState::None,
        // Who booked for others has a booking with the house until it is over, and never comes.
        _ if stay.booker && today > stay.departure => StayState::Past,
        _ if stay.booker => StayState::Booked,
        _ if today > until => StayState::Past,
        // A guest who left early is departed from then on, not in house until the day once planned.
        StayStatus::CheckedOut => StayState::Departed,
        _ if today > stay.departure => StayState::Departed,
        StayStatus::CheckedIn if today >= from => StayState::InHouse,
        StayStatus::Confirmed if today > stay.arrival => StayState::InHouse,
        _ if today >= from => StayState::Arriving,
        _ => StayState::Booked,
    }
}

/// The state that several stays at a property amount to: the nearest to the present decides.
pub(super) fn nearest(states: impl IntoIterator<Item = StayState>) -> StayState {
    let nearness = |state: &StayState| match state {
        StayState::InHouse => 5,
        StayState::Arriving => 4,
        StayState::Departed => 3,
        StayState::Booked => 2,
        StayState::Past => 1,
        StayState::None => 0,
    };
    states.into_iter().max_by_key(nearness).unwrap_or(StayState::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn stay(status: StayStatus, timezone: Tz) -> Window {
        let day = |d| NaiveDate::from_ymd_opt(2026, 3, d).unwrap();
        Window {
            arrival: day(4),
            departure: day(7),
            status,
            booker: false,
            timezone,
        }
    }

    #[test]
    fn a_stay_passes_through_its_states() {
        let confirmed = stay(StayStatus::Confirmed, Tz::UTC);
        for (now, expected) in [
            ("2026-03-02T23:59:59Z", StayState::Booked),
            ("2026-03-03T00:00:00Z", StayState::Arriving),
            ("2026-03-04T23:59:59Z", StayState::Arriving),
            ("2026-03-05T00:00:00Z", StayState::InHouse),
            ("2026-03-07T23:59:59Z", StayState::InHouse),
            ("2026-03-08T00:00:00Z", StayState::Departed),
            ("2026-03-10T23:59:59Z", StayState::Departed),
            ("2026-03-11T00:00:00Z", StayState::Past),
        ] {
            assert_eq!(state(&confirmed, at(now)), expected, "{now}");
        }
    }

    #[test]
    fn check_in_and_check_out_move_the_window() {
        let now = at("2026-03-04T15:00:00Z");
        assert_eq!(
            state(&stay(StayStatus::CheckedIn, Tz::UTC), now),
            StayState::InHouse
        );
        assert_eq!(
            state(&stay(StayStatus::CheckedOut, Tz::UTC), now),
            StayState::Departed
        );
        for gone in [StayStatus::Cancelled, StayStatus::NoShow, StayStatus::Tentative] {
            assert_eq!(state(&stay(gone, Tz::UTC), now), StayState::None);
        }
    }

    #[test]
    fn who_booked_for_others_never_comes() {
        for (status, now, expected) in [
            (StayStatus::Confirmed, "2026-03-04T12:00:00Z", StayState::Booked),
            (StayStatus::CheckedIn, "2026-03-05T12:00:00Z", StayState::Booked),
            (StayStatus::CheckedOut, "2026-03-08T12:00:00Z", StayState::Past),
            (StayStatus::Cancelled, "2026-03-05T12:00:00Z", StayState::None),
        ] {
            let booked = Window {
                booker: true,
                ..stay(status, Tz::UTC)
            };
            assert_eq!(state(&booked, at(now)), expected, "{now}");
        }
    }

    #[test]
    fn days_are_the_propertys_own() {
        let shanghai = stay(StayStatus::Confirmed, chrono_tz::Asia::Shanghai);
        assert_eq!(state(&shanghai, at("2026-03-02T15:59:59Z")), StayState::Booked);
        assert_eq!(state(&shanghai, at("2026-03-02T16:00:00Z")), StayState::Arriving);
    }

    #[test]
    fn the_nearest_stay_decides() {
        use StayState::{Booked, InHouse, None, Past};
        assert_eq!(nearest([]), None);
        assert_eq!(nearest([Past, Booked]), Booked);
        assert_eq!(nearest([Past, InHouse, Booked]), InHouse);
    }
}
