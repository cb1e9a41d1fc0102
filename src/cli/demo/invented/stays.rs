//! Stays around today, so that every point of a stay can be seen on the day the demonstration runs.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::random::Random;
use crate::base::StayState;

/// The hotels of the invented group.
pub const HOTELS: [&str; 3] = ["LIS01", "SHA01", "BER01"];

/// One booking as the property's system has it.
#[derive(Clone)]
pub(super) struct Stay {
    pub(super) property: &'static str,
    pub(super) reservation: String,
    pub(super) arrival: NaiveDate,
    pub(super) departure: NaiveDate,
    pub(super) status: &'static str,
    pub(super) channel: &'static str,
    pub(super) purpose: &'static str,
    pub(super) role: &'static str,
    pub(super) adults: u8,
    pub(super) children: u8,
    /// What the policy will make of it today.
    pub(super) state: StayState,
}

impl Stay {
    /// A stay in this state today. `key` makes the reservation's number; a family shares it.
    pub(super) fn draw(
        state: StayState,
        property: &'static str,
        key: u64,
        today: NaiveDate,
        random: &mut Random,
    ) -> Self {
        let (arrival, departure) = days(state, random);
        Self {
            property,
            reservation: format!("{property}-R{:06}", 100_000 + key),
            arrival: shift(today, arrival),
            departure: shift(today, departure),
            status: status(state, random),
            channel: random.pick(&["web", "web", "ota", "phone", "corporate", "walk_in"]),
            purpose: random.pick(&["leisure", "leisure", "business", "conference"]),
            role: "primary",
            adults: if random.chance(40) { 2 } else { 1 },
            children: 0,
            state,
        }
    }

    /// As a source tells it.
    pub(super) fn value(&self) -> Value {
        json!({
            "reservation": self.reservation,
            "arrival": self.arrival,
            "departure": self.departure,
            "status": self.status,
            "channel": self.channel,
            "purpose": self.purpose,
            "role": self.role,
            "party": {"adults": self.adults, "children": self.children},
        })
    }

    /// Who comes along, as the guest's own field.
    pub(super) fn company(&self) -> Value {
        if self.children == 0 {
            return json!({"adults": self.adults});
        }
        json!({"adults": self.adults, "children_bands": ["3-12"]})
    }
}

/// Of a hundred guests: who is where. Guests without any stay are leads and members at home.
pub(super) fn state(random: &mut Random) -> StayState {
    match random.below(100) {
        0..8 => StayState::None,
        8..32 => StayState::Past,
        32..44 => StayState::Departed,
        44..64 => StayState::InHouse,
        64..80 => StayState::Arriving,
        _ => StayState::Booked,
    }
}

/// Arrival and departure, in days from today. A day's margin on both sides keeps the state true in Shanghai
/// and in Lisbon at the same moment.
fn days(state: StayState, random: &mut Random) -> (i64, i64) {
    let nights = random.days(1, 6);
    match state {
        StayState::None => (0, 0),
        StayState::Past => {
            let departure = -random.days(8, 400);
            (departure - nights, departure)
        }
        StayState::Departed => (-1 - nights, -1),
        StayState::InHouse => (-random.days(1, 3), random.days(2, 5)),
        StayState::Arriving => {
            let arrival = random.days(0, 1);
            (arrival, arrival + nights)
        }
        StayState::Booked => {
            let arrival = random.days(3, 60);
            (arrival, arrival + nights)
        }
    }
}

fn status(state: StayState, random: &mut Random) -> &'static str {
    match state {
        StayState::Past | StayState::Departed => "checked_out",
        StayState::InHouse => "checked_in",
        StayState::Booked if random.chance(10) => "tentative",
        StayState::None | StayState::Arriving | StayState::Booked => "confirmed",
    }
}

pub(super) fn shift(today: NaiveDate, days: i64) -> NaiveDate {
    today + chrono::Duration::days(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_fit_their_state() {
        let today: NaiveDate = "2026-03-04".parse().unwrap();
        for draw in 0..200 {
            for state in StayState::ALL {
                let stay = Stay::draw(state, "LIS01", draw, today, &mut Random::new(3, draw));
                let (from, to) = (
                    (stay.arrival - today).num_days(),
                    (stay.departure - today).num_days(),
                );
                assert!(from <= to);
                assert!(
                    match state {
                        StayState::None => true,
                        StayState::Past => to < -3,
                        StayState::Departed => to == -1,
                        StayState::InHouse => from < 0 && to > 1,
                        StayState::Arriving => (0..=1).contains(&from),
                        StayState::Booked => from > 1,
                    },
                    "{state:?} {from} {to}"
                );
            }
        }
    }
}
