//! Ids of people whom a source knows only by a place in a reservation.

use super::told::Told;

/// An id by the name, which stays the same when others come or go; by the place, where there is no name. Two of one name
/// are still two.
pub(super) fn take(told: &mut Told, before: &[Told], place: usize) {
    let reservation = told.source_id.clone();
    told.by_name();
    if told.source_id == reservation {
        told.source_id = format!("{reservation}{place}");
    }
    let name = told.source_id.clone();
    let mut same = 1;
    while before.iter().any(|other| other.source_id == told.source_id) {
        same += 1;
        told.source_id = format!("{name}:{same}");
    }
}
