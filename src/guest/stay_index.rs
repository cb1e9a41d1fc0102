//! What stays are found by: keyed tokens of the reservation's number and of each day at a property. Stays themselves are
//! sealed whole; a token says that somebody was there on some day, to those who hold the key.

use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    base::{PropertyCode, StayStatus},
    crypto::IndexKey,
};

use super::{Stay, StayInput, StayRole, Vault};

/// Stays up to so many nights have a token for each day; longer ones (residents) one for each week, so that a stay of
/// five years costs 262 rows and not 1,830.
const DAILY: i64 = 62;

/// Which of a day's guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DayList {
    /// Who comes that day.
    Arrivals,
    /// Who is in the house that day, its last day included until check-out.
    InHouse,
    /// Who leaves that day.
    Departures,
}

impl DayList {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Arrivals => "arrivals",
            Self::InHouse => "in_house",
            Self::Departures => "departures",
        }
    }

    /// Whether a stay belongs on the list of this day. A confirmed guest counts as in the house from the day after
    /// arrival, as the policy's stay window has it.
    pub(super) fn holds(self, stay: &StayInput, day: NaiveDate) -> bool {
        use StayStatus::{CheckedIn, CheckedOut, Confirmed};
        // Who booked for others does not come.
        if stay.role == StayRole::Booker {
            return false;
        }
        match self {
            Self::Arrivals => {
                stay.arrival == day && matches!(stay.status, Confirmed | CheckedIn | CheckedOut)
            }
            Self::Departures => {
                stay.departure == day && matches!(stay.status, Confirmed | CheckedIn | CheckedOut)
            }
            Self::InHouse => match stay.status {
                CheckedIn => stay.arrival <= day && day <= stay.departure,
                Confirmed => stay.arrival < day && day <= stay.departure,
                _ => false,
            },
        }
    }
}

fn day_token(index: &IndexKey, list: DayList, property: &PropertyCode, day: NaiveDate) -> [u8; 16] {
    index.token(
        "stay_day",
        format!("{}\u{1f}{property}\u{1f}{day}", list.as_str()).as_bytes(),
    )
}

fn week_token(index: &IndexKey, property: &PropertyCode, day: NaiveDate) -> [u8; 16] {
    let week = day.iso_week();
    let text = format!("{property}\u{1f}{}-{}", week.year(), week.week());
    index.token("stay_week", text.as_bytes())
}

/// Every token of a stay.
fn tokens(index: &IndexKey, stay: &Stay) -> Vec<[u8; 16]> {
    let Stay { property, input, .. } = stay;
    let mut all = Vec::new();
    if matches!(
        input.status,
        StayStatus::Confirmed | StayStatus::CheckedIn | StayStatus::CheckedOut
    ) {
        all.push(day_token(index, DayList::Arrivals, property, input.arrival));
        all.push(day_token(index, DayList::Departures, property, input.departure));
        let nights = (input.departure - input.arrival).num_days();
        let days = std::iter::successors(Some(input.arrival), |day| day.checked_add_days(Days::new(1)))
            .take_while(|day| *day <= input.departure);
        if nights <= DAILY {
            all.extend(days.map(|day| day_token(index, DayList::InHouse, property, day)));
        } else {
            all.extend(days.map(|day| week_token(index, property, day)));
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

impl Vault {
    /// The token of a reservation at a property: also the stay's place.
    pub(super) fn reservation_token(&self, property: &PropertyCode, reference: &str) -> [u8; 16] {
        let text = format!("{property}\u{1f}{reference}");
        self.keys.index_key().token("reservation", text.as_bytes())
    }

    /// The token of a reservation wherever it is.
    pub(super) fn reference_token(&self, reference: &str) -> [u8; 16] {
        self.keys
            .index_key()
            .token("reservation_any", reference.as_bytes())
    }

    /// All that a stay is found by.
    pub(super) fn stay_tokens(&self, stay: &Stay) -> Vec<[u8; 16]> {
        let reference = &stay.input.reservation;
        let mut all = tokens(self.keys.index_key(), stay);
        all.push(self.reservation_token(&stay.property, reference));
        all.push(self.reference_token(reference));
        all
    }

    /// What the stays of a day's list have in the index: the day itself, and its week for long stays.
    pub(super) fn list_tokens(
        &self,
        list: DayList,
        property: &PropertyCode,
        day: NaiveDate,
    ) -> [[u8; 16]; 2] {
        let index = self.keys.index_key();
        let of_day = day_token(index, list, property, day);
        match list {
            DayList::InHouse => [of_day, week_token(index, property, day)],
            _ => [of_day, of_day],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::KeyMaterial;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn stay(arrival: &str, departure: &str, status: StayStatus) -> Stay {
        Stay {
            property: "LIS01".parse().unwrap(),
            input: StayInput {
                reservation: "R-1".to_owned(),
                property: None,
                arrival: day(arrival),
                departure: day(departure),
                status,
                channel: None,
                role: StayRole::Primary,
                purpose: None,
                party: None,
                acknowledged_on: None,
            },
            seen_at: 0,
        }
    }

    #[test]
    fn a_stay_has_few_tokens_however_long() {
        let index = IndexKey::new(KeyMaterial::random());
        let count = |arrival, departure, status| tokens(&index, &stay(arrival, departure, status)).len();
        assert_eq!(count("2026-03-04", "2026-03-07", StayStatus::Confirmed), 2 + 4);
        assert_eq!(count("2026-03-04", "2026-03-04", StayStatus::Confirmed), 2 + 1);
        assert_eq!(count("2026-01-01", "2026-03-04", StayStatus::CheckedIn), 2 + 63);
        assert_eq!(count("2026-01-01", "2026-03-05", StayStatus::CheckedIn), 2 + 10);
        assert!(count("2022-01-01", "2026-12-31", StayStatus::CheckedIn) < 270);
        assert_eq!(count("2026-03-04", "2026-03-07", StayStatus::Cancelled), 0);
        assert_eq!(count("2026-03-04", "2026-03-07", StayStatus::NoShow), 0);
    }

    #[test]
    fn the_lists_agree_with_the_stay_window() {
        use DayList::{Arrivals, Departures, InHouse};
        let of = |status| stay("2026-03-04", "2026-03-07", status).input;
        let confirmed = of(StayStatus::Confirmed);
        assert!(Arrivals.holds(&confirmed, day("2026-03-04")));
        assert!(!InHouse.holds(&confirmed, day("2026-03-04")));
        assert!(InHouse.holds(&confirmed, day("2026-03-05")));
        assert!(Departures.holds(&confirmed, day("2026-03-07")));
        assert!(InHouse.holds(&of(StayStatus::CheckedIn), day("2026-03-04")));
        assert!(InHouse.holds(&of(StayStatus::CheckedIn), day("2026-03-07")));
        assert!(!InHouse.holds(&of(StayStatus::CheckedOut), day("2026-03-05")));
        assert!(!Arrivals.holds(&of(StayStatus::Cancelled), day("2026-03-04")));
        let booker = StayInput {
            role: StayRole::Booker,
            ..confirmed
        };
        assert!(!Arrivals.holds(&booker, day("2026-03-04")));
    }
}
