//! The ledger of two guests that turn out to be one: the strictest wins. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::{
    base::{ConsentId, PropertyCode, PropertyTree, Purpose, micros},
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
        for (place, history, no) in table.overruled() {
            let whole = table.says_no_wherever(history, no, tree);
            let scope = if whole {
                no.scope.clone()
            } else {
                place.to_string()
            };
            let line = said_again(no, matter, scope.clone(), now);
            again.entry((no.id, matter.clone(), scope)).or_insert(line);
        }
    }
    again.into_values().collect()
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

    /// Where one history says no and another yes: the place, the history, and the line that says no.
    fn overruled(&self) -> impl Iterator<Item = (&'h PropertyCode, usize, &'h Line)> + '_ {
        self.places.iter().enumerate().flat_map(move |(at, place)| {
            let here = |standing: &Vec<Standing>| standing.get(at).copied().unwrap_or(Standing::Unknown);
            let yes = self
                .said
                .iter()
                .any(|(_, standing)| here(standing).given().is_some());
            let noes = self
                .said
                .iter()
                .enumerate()
                .filter_map(move |(history, (lines, standing))| {
                    let id = said_no(here(standing)).filter(|_| yes)?;
                    Some((history, lines.iter().find(|line| line.id == id)?))
                });
            noes.map(|(history, line)| (*place, history, line))
                .collect::<Vec<_>>()
        })
    }

    /// Whether the history says no at every place that the line touches: then it can be said again as it was.
    fn says_no_wherever(&self, history: usize, no: &Line, tree: &PropertyTree) -> bool {
        let Some((_, standing)) = self.said.get(history) else {
            return false;
        };
        let touched = |place: &PropertyCode| {
            let scope = no.scope.parse().ok();
            scope.is_none_or(|scope| tree.within(place, &scope) || tree.within(&scope, place))
        };
        let mut pairs = self.places.iter().zip(standing);
        pairs.all(|(place, standing)| !touched(place) || said_no(*standing).is_some())
    }
}

fn said_no(standing: Standing) -> Option<ConsentId> {
    match standing {
        Standing::Objected(id) | Standing::Refused(id) | Standing::Withdrawn(id) => Some(id),
        _ => None,
    }
}

/// The same no, said at the merge.
fn said_again(no: &Line, (_, recipient, separate): &Matter, scope: String, now: DateTime<Utc>) -> Line {
    Line {
        id: ConsentId::random(),
        recipient: recipient.clone(),
        separate: *separate,
        scope,
        channel: "merge".to_owned(),
        indication: "strictest".to_owned(),
        valid_until: None,
        superseded: None,
        at: now,
        entry: None,
        ..no.clone()
    }
}
