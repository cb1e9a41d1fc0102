//! The invented guests, one after the other: who belongs together, who stays where, and which systems tell of them.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{
    channels, departments,
    people::{Home, Person},
    random::Random,
    showcase,
    stays::{self, HOTELS, Stay},
    telling::{Known, set},
};
use crate::base::StayState;

/// Of every this many guests, the first three are a family: one home, one phone, one reservation.
const ROW: u64 = 12;
const FAMILY: u64 = 3;

/// Streams of chance: the guest's own, and its household's beside it.
const HOUSEHOLD: u64 = 1 << 40;

/// What the source systems say of `count` invented guests whose stays lie around `today`: one value per line of
/// the import format, guest after guest, several lines for most. The same seed and day give the same lines.
pub fn records(seed: u64, count: u64, today: NaiveDate) -> impl Iterator<Item = Value> {
    (0..count).flat_map(move |index| match showcase::guest(index, today) {
        Some(lines) => lines,
        None => guest(seed, index, today),
    })
}

fn guest(seed: u64, index: u64, today: NaiveDate) -> Vec<Value> {
    let place = index % ROW;
    let own = &mut Random::new(seed, index);
    if place >= FAMILY {
        let home = Home::draw(own);
        let woman = own.chance(50);
        let person = Person::draw(seed, index, &home, woman, (19, 84), today, own);
        let stays = booked(index, today, own);
        return lines(&person, &stays, today, own);
    }
    let household = &mut Random::new(seed, HOUSEHOLD + index / ROW);
    let home = Home::draw(household);
    let mut stays = booked(index - place, today, household);
    for stay in &mut stays {
        (stay.adults, stay.children) = (2, 1);
        stay.role = if place == 0 { "primary" } else { "accompanying" };
    }
    let (woman, ages) = match place {
        0 => (true, (30, 48)),
        1 => (false, (30, 50)),
        _ => (own.chance(50), (3, 12)),
    };
    let person = Person::draw(seed, index, &home, woman, ages, today, own);
    let mut lines = lines(&person, &stays, today, own);
    if let Some(guest) = lines.first_mut().and_then(|line| line.get_mut("guest"))
        && place < 2
    {
        set(
            guest,
            "relationships",
            json!([{"kind": "spouse"}, {"kind": "child"}]),
        );
    }
    lines
}

/// The stay around today, then some of the years before.
fn booked(key: u64, today: NaiveDate, random: &mut Random) -> Vec<Stay> {
    let state = stays::state(random);
    if state == StayState::None {
        return Vec::new();
    }
    let property = random.pick(&HOTELS);
    let mut stays = vec![Stay::draw(state, property, key, today, random)];
    if random.chance(30) {
        let property = random.pick(&HOTELS);
        stays.push(Stay::draw(
            StayState::Past,
            property,
            500_000 + key,
            today,
            random,
        ));
    }
    stays
}

/// Every source that knows the guest.
fn lines(person: &Person, stays: &[Stay], today: NaiveDate, random: &mut Random) -> Vec<Value> {
    let mut lines = Vec::new();
    let stay = stays.first();
    let property = stay.map_or_else(|| random.pick(&HOTELS), |stay| stay.property);
    let id = format!("{:06}", person.index);
    let known = Known {
        person,
        stay,
        property,
        id: &id,
        today,
    };
    if stay.is_some() {
        lines.push(channels::property(&known, random));
        lines.extend(channels::reception(&known, random));
    }
    if person.minor() {
        return lines;
    }
    match stay.map(|stay| stay.channel) {
        Some("ota") => lines.push(channels::agency(&known, random)),
        Some("web") | None => lines.push(channels::web(&known, random)),
        Some(_) => {}
    }
    if random.chance(35) {
        lines.push(departments::relations(&known, random));
    }
    if random.chance(12) {
        lines.push(departments::calls(&known, random));
    }
    if stay.is_some_and(|stay| stay.state == StayState::InHouse) {
        in_house(&known, &mut lines, random);
    }
    for (at, before) in stays.iter().enumerate().skip(1) {
        let id = format!("{id}-{at}");
        let known = Known {
            person,
            stay: Some(before),
            property: before.property,
            id: &id,
            today,
        };
        lines.push(channels::property(&known, random));
    }
    lines
}

fn in_house(known: &Known<'_>, lines: &mut Vec<Value>, random: &mut Random) {
    if random.chance(50) {
        lines.push(departments::restaurant(known, random));
    }
    if random.chance(50) {
        lines.push(departments::housekeeping(known, random));
    }
    let passport = known.person.document.kind == "passport";
    if passport && random.chance(30) {
        lines.push(channels::kiosk(known));
    }
}
