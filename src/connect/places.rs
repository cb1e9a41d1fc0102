//! Places of a file with how often they were met: what the report names, and never a value.

use std::collections::BTreeMap;

/// Different places kept for the report: a flood of invented members is told by its beginning.
const MOST: usize = 1000;

pub(super) type Places = BTreeMap<String, u64>;

/// Notes a place so many times more.
pub(super) fn note(places: &mut Places, place: String, times: u64) {
    if places.len() < MOST || places.contains_key(&place) {
        *places.entry(place).or_default() += times;
    }
}

/// Notes all of another file's, or of another part of this one.
pub(super) fn note_all(places: &mut Places, others: Places) {
    for (place, times) in others {
        note(places, place, times);
    }
}
