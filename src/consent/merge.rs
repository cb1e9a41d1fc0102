//! The ledger of two guests that turn out to be one: the strictest wins. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::{
    base::{ConsentId, PropertyCode, PropertyTree, Purpose, micros, said_now},
    policy::Separate,
};

use super::{Line, Question, Standing, decide};

/// What one can say yes or no to: purpose, recipient, kind of consent.
type Matter = (Purpose, String, Option<Separate>);

/// The lines to append, at the moment of a merge, to all the histories put together, so that no yes of one of them
/// overrules a no of another: wherever one history says no and another yes, that no is said again.
///
/// Nothing is removed, and what the guest says after the merge holds as always. A history that never heard of a
/// matter, or whose yes has run out, says nothing about it: then the other's answer stays.
#[must_use]
pub fn strictest(histories: &[&[Line]], tree: &PropertyTree, now: DateTime<Utc>) -> Vec<Line> {
    let lines = histories.iter().flat_map(|lines| lines.iter());
    let matters: BTreeSet<Matter> = lines
        .map(|line| (line.purpose.clone(), line.recipient.clone(), line.separate))
        .collect();
    let places: Vec<&PropertyCode> = tree.iter().map(|node| &node.code).collect();
    let mut again: BTreeMap<(ConsentId, Matter, String), Line> = BTreeMap::new();
    for matter in &matters {
        let table = Table::new(histories, matter, (&places, tree), now);
        let about = histories.iter().flat_map(|lines| lines.iter());
        let last = about
            .filter(|line| line.purpose == matter.0)
            .map(|line| line.at)
            .max();
        let at = said_now(now, last);
        for overruled in table.overruled() {
            for (place, no) in overruled
                .iter()
                .filter(|(place, _)| stands_for(place, &overruled, tree))
            {
                let scope = place.to_string();
                let line = said_again(no, matter, scope.clone(), at);
                again.entry((no.id, matter.clone(), scope)).or_insert(line);
            }
        }
    }
    again.into_values().collect()
}

/// The places where a no of one history meets a yes of another, with that no.
type Overruled<'h> = BTreeMap<&'h PropertyCode, &'h Line>;

/// Whether a no is said again for this very place: for the uppermost one beneath which every place takes part; and
/// where nothing beneath takes part. A no touches what lies above it anyway.
fn stands_for(place: &PropertyCode, overruled: &Overruled<'_>, tree: &PropertyTree) -> bool {
    let beneath = |above: &PropertyCode| {
        let mut all = tree.iter().map(|node| &node.code);
        let part = |code: &&PropertyCode| *code != above && tree.within(code, above);
        let taking: Vec<bool> = all
            .by_ref()
            .filter(part)
            .map(|code| overruled.contains_key(code))
            .collect();
        (taking.iter().all(|takes| *takes), taking.contains(&true))
    };
    let (whole, some) = beneath(place);
    let covered = || {
        let above = tree.ancestors(place);
        let mut above = above.iter().filter(|above| *above != place);
        above.any(|above| overruled.contains_key(above) && beneath(above).0)
    };
    if whole { !covered() } else { !some }
}

/// What each history says about a matter at each place.
struct Table<'h> {
    places: &'h [&'h PropertyCode],
    said: Vec<(&'h [Line], Vec<Standing>)>,
}

impl<'h> Table<'h> {
    fn new(
        histories: &[&'h [Line]],
        (purpose, recipient, kind): &Matter,
        (places, tree): (&'h [&'h PropertyCode], &PropertyTree),
        now: DateTime<Utc>,
    ) -> Self {
        let standing = |lines: &[Line], property: &PropertyCode| {
            let question = Question {
                recipient,
                property,
                tree,
                separate: kind.as_slice(),
                now: micros(now),
            };
            let about = lines.iter().filter(|line| line.purpose == *purpose);
            decide(about.map(Line::spoken), &question)
        };
        let of = |lines: &&'h [Line]| {
            (
                *lines,
                places.iter().map(|place| standing(lines, place)).collect(),
            )
        };
        Self {
            places,
            said: histories.iter().map(of).collect(),
        }
    }

    /// For each history, where it says no and another yes, and the line that says no.
    fn overruled(&self) -> Vec<Overruled<'h>> {
        let at = |standing: &[Standing], place: usize| standing.get(place).copied();
        let agreed = |place| {
            let mut said = self.said.iter().filter_map(|(_, standing)| at(standing, place));
            said.any(|standing| standing.given().is_some())
        };
        let of = |(lines, standing): &(&'h [Line], Vec<Standing>)| {
            let refused = |(index, place): (usize, &&'h PropertyCode)| {
                let id = at(standing, index).and_then(said_no).filter(|_| agreed(index))?;
                Some((*place, lines.iter().find(|line| line.id == id)?))
            };
            self.places.iter().enumerate().filter_map(refused).collect()
        };
        self.said.iter().map(of).collect()
    }
}

fn said_no(standing: Standing) -> Option<ConsentId> {
    match standing {
        Standing::Objected(id) | Standing::Refused(id) | Standing::Withdrawn(id) => Some(id),
        _ => None,
    }
}

/// The same no, said at the merge.
fn said_again(no: &Line, (_, recipient, separate): &Matter, scope: String, at: DateTime<Utc>) -> Line {
    Line {
        id: ConsentId::random(),
        recipient: recipient.clone(),
        separate: *separate,
        scope,
        channel: "merge".to_owned(),
        indication: "strictest".to_owned(),
        valid_until: None,
        superseded: None,
        at,
        told_at: None,
        entry: None,
        ..no.clone()
    }
}
