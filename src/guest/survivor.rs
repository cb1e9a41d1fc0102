//! Which of several sources' values is shown: survivorship. Pure, and decided without opening anything.
//!
//! Pinned by staff before verified before the more trusted source before the more recent; the record id breaks ties
//! so that the answer is the same every time.

use std::{cmp::Reverse, collections::BTreeMap};

use super::sql::{Line, Part};

/// The values of each field, best first.
#[must_use]
pub(super) fn ranked(lines: &[Line]) -> BTreeMap<&str, Vec<&Line>> {
    let mut fields: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    for line in lines.iter().filter(|l| l.part() == Part::Field) {
        fields.entry(line.word.as_str()).or_default().push(line);
    }
    for values in fields.values_mut() {
        values.sort_by_key(|l| Reverse((l.rank, l.trust, l.at, l.id)));
    }
    fields
}

/// Those of the ranked values that make the answer: the best one; for a list all, because sources know different
/// phones, unless staff fixed the list.
#[must_use]
pub(super) fn chosen<'v, 'l>(values: &'v [&'l Line], list: bool) -> &'v [&'l Line] {
    let pinned = values.first().is_some_and(|best| best.is_pinned());
    let count = if list && !pinned { values.len() } else { 1 };
    values.get(..count).unwrap_or(values)
}
