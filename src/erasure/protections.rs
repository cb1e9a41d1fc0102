//! After a restore: what protects a guest and was said after the backup, as far as the log tells it, each word of whoever
//! it was about then. What is made of it see [`protect`](super::protect).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    audit::{Act, GuestRefusal, RESTORED},
    base::{GuestId, PropertyCode},
};

use super::copied::Copied;

/// What of a leaf tells that a guest is protected.
#[derive(Deserialize)]
pub(super) struct Told {
    act: String,
    at: i64,
    decision: String,
    #[serde(default)]
    count: Option<u64>,
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    property: Option<PropertyCode>,
    #[serde(default)]
    refusal: Option<GuestRefusal>,
    #[serde(default)]
    subject: Option<String>,
    seq: i64,
    writer: Uuid,
}

/// What the log tells of one guest.
#[derive(Clone, Default)]
pub(super) struct Said {
    refusals: Vec<(GuestRefusal, Option<PropertyCode>)>,
    /// Begun since, without those that were lifted.
    restrictions: usize,
    /// Put since, without those that were lifted.
    holds: usize,
    /// Of the copy, those that may not have been lifted since.
    older_holds: usize,
}

/// What an entry tells of a guest.
enum Word {
    Refused(GuestRefusal, Option<PropertyCode>),
    Restricted,
    LetGo,
    Held,
    Lifted,
    /// The other was taken in.
    Merged(String),
    /// Is two with the other again.
    Parted {
        from: String,
        /// It was a restore that parted them.
        again: bool,
    },
}

impl Said {
    /// Also what was said before the backup may be lifted: then there is nothing to count down.
    fn add(&mut self, word: &Word) {
        let one_less = |count: &mut usize| *count = count.saturating_sub(1);
        match word {
            Word::Refused(refusal, property) => self.refusals.push((refusal.clone(), property.clone())),
            Word::Restricted => self.restrictions += 1,
            Word::LetGo => one_less(&mut self.restrictions),
            Word::Held => self.holds += 1,
            Word::Lifted => one_less(&mut self.holds),
            Word::Merged(_) | Word::Parted { .. } => {}
        }
    }

    /// What was refused, and where.
    pub(super) fn refusals(&self) -> impl Iterator<Item = (&GuestRefusal, Option<&PropertyCode>)> {
        let each = self.refusals.iter();
        each.map(|(refusal, property)| (refusal, property.as_ref()))
    }

    /// Whether a restriction stands.
    pub(super) const fn is_restricted(&self) -> bool {
        self.restrictions > 0
    }

    /// Whether a hold stands that the copy does not have.
    pub(super) const fn is_held(&self) -> bool {
        self.holds > 0
    }
}

/// Whom the log means: a guest that keys or copy know, or nobody known.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Known(GuestId),
    Unknown(String),
}

/// Out of whom a record got a guest of its own after the copy was made, as guests of the copy.
#[derive(Clone)]
struct Apart {
    of: BTreeSet<GuestId>,
    /// By a restore, for a guest who was one already.
    again: bool,
}

/// What protects guests.
#[derive(Default)]
pub(super) struct Protections {
    of: BTreeMap<Whom, Said>,
    /// In order, by their names in the log.
    words: Vec<(String, Word)>,
    /// Of an entry about two guests the first, until the second is read: the number of its writer's, the act, the guest.
    first: BTreeMap<Uuid, (i64, Act, String)>,
    years: Vec<i32>,
    /// Who got a guest of its own.
    apart: BTreeMap<Whom, Apart>,
    /// Entries of the do-not-contact lists; of whom, the log does not tell.
    pub(super) suppressed: u64,
}

impl Protections {
    /// Notes an entry of the log.
    pub(super) fn note(&mut self, told: Told) {
        if told.decision != "permitted" {
            return;
        }
        let outcome = told.outcome.as_deref();
        if told.act == Act::Suppress.as_str() && outcome == Some("suppressed") {
            self.suppressed += told.count.unwrap_or(1);
        }
        let Some(subject) = told.subject else { return };
        let acts = [
            Act::PutConsent,
            Act::Restrict,
            Act::Hold,
            Act::Merge,
            Act::Unmerge,
        ];
        let Some(act) = acts.into_iter().find(|act| act.as_str() == told.act) else {
            return;
        };
        let year = DateTime::from_timestamp_micros(told.at).map(|at| at.year());
        if let Some(year) = year.filter(|year| !self.years.contains(year)) {
            self.years.push(year);
        }
        let (name, word) = match (act, outcome, told.refusal) {
            (Act::PutConsent, _, Some(refusal)) => (subject, Word::Refused(refusal, told.property)),
            (Act::Restrict, None, _) => (subject, Word::Restricted),
            (Act::Restrict, Some("lifted"), _) => (subject, Word::LetGo),
            (Act::Hold, Some("put"), _) => (subject, Word::Held),
            (Act::Hold, Some("lifted"), _) => (subject, Word::Lifted),
            (Act::Merge | Act::Unmerge, None | Some(RESTORED), _) => match self.first.remove(&told.writer) {
                Some((seq, of, first)) if of == act && seq + 1 == told.seq => {
                    let word = if act == Act::Merge {
                        Word::Merged(subject)
                    } else {
                        let again = outcome.is_some();
                        Word::Parted { from: subject, again }
                    };
                    (first, word)
                }
                _ => {
                    self.first.insert(told.writer, (told.seq, act, subject));
                    return;
                }
            },
            _ => return,
        };
        self.words.push((name, word));
    }

    /// By what names the log means guests.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for (name, word) in &self.words {
            names.insert(name.clone());
            if let Word::Merged(other) | Word::Parted { from: other, .. } = word {
                names.insert(other.clone());
            }
        }
        names
    }

    /// The years whose names these are.
    pub(super) fn years(&self) -> &[i32] {
        &self.years
    }

    /// Whether nothing is told of anybody.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether the log tells of somebody who got a guest of its own out of one of the copy.
    pub(super) fn tells_of_a_split(&self) -> bool {
        !self.apart.is_empty()
    }

    /// Such as tell of one.
    #[cfg(test)]
    pub(super) fn of_a_split() -> Self {
        let apart = Apart {
            of: BTreeSet::new(),
            again: false,
        };
        Self {
            apart: BTreeMap::from([(Whom::Unknown("new".to_owned()), apart)]),
            ..Self::default()
        }
    }

    /// Of whom it was said: what is said of one guest is said of all whom it had taken in by then, and what was said before
    /// a record got a guest of its own is said of that one too.
    pub(super) fn settle(&mut self, copied: &Copied) {
        let words = std::mem::take(&mut self.words);
        let names = learned(&words, copied);
        let whom = |name: String| match names.get(&name) {
            Some(guest) => Whom::Known(*guest),
            None => Whom::Unknown(name),
        };
        for (guest, holds) in &copied.holds {
            self.of.entry(Whom::Known(*guest)).or_default().older_holds = *holds;
        }
        let mut taken: BTreeMap<Whom, BTreeSet<Whom>> = BTreeMap::new();
        for (absorbed, survivor) in &copied.survivors {
            let all = taken.entry(Whom::Known(*survivor)).or_default();
            all.insert(Whom::Known(*absorbed));
        }
        for (name, word) in words {
            let one = whom(name);
            match word {
                Word::Merged(other) => {
                    taken.entry(one).or_default().insert(whom(other));
                }
                Word::Parted { from, again } => {
                    let from = whom(from);
                    let was = taken.get_mut(&from).is_some_and(|all| all.remove(&one));
                    if was {
                        // Some of the other's holds may go with it.
                        let older = self.of.get(&from).map_or(0, |said| said.older_holds);
                        let own = self.of.entry(one).or_default();
                        own.older_holds = own.older_holds.max(older);
                    } else if !matches!(one, Whom::Known(guest) if !copied.later.contains(&guest)) {
                        let of = self.in_copy(copied, members(&taken, from.clone()));
                        let said = self.of.get(&from).cloned().unwrap_or_default();
                        self.of.entry(one.clone()).or_insert(said);
                        self.apart.entry(one).or_insert(Apart { of, again });
                    }
                }
                said => self.say(members(&taken, one), &said),
            }
        }
    }

    /// A word about guests who are one. Which hold is lifted is not told: one of the copy, as long as there may be one.
    fn say(&mut self, members: BTreeSet<Whom>, word: &Word) {
        if matches!(word, Word::Lifted) {
            let mut all = members.iter();
            let older = all.find(|one| self.of.get(one).is_some_and(|said| said.older_holds > 0));
            if let Some(said) = older.and_then(|one| self.of.get_mut(one)) {
                said.older_holds -= 1;
                return;
            }
        }
        for one in members {
            self.of.entry(one).or_default().add(word);
        }
    }

    /// With whom of the copy these lie in it.
    fn in_copy(&self, copied: &Copied, all: BTreeSet<Whom>) -> BTreeSet<GuestId> {
        let mut found = BTreeSet::new();
        for one in all {
            match (&one, self.apart.get(&one)) {
                (_, Some(apart)) => found.extend(&apart.of),
                (Whom::Known(guest), None) if !copied.later.contains(guest) => {
                    found.insert(*guest);
                }
                _ => {}
            }
        }
        found
    }

    /// What was said of each, once records have guests of their own again: `given` tells whom, and with whom these records
    /// lie in the copy.
    pub(super) fn of_each(
        &self,
        copied: &Copied,
        given: &BTreeMap<GuestId, BTreeSet<GuestId>>,
    ) -> BTreeMap<GuestId, Vec<&Said>> {
        let mut each: BTreeMap<GuestId, Vec<&Said>> = BTreeMap::new();
        for (whom, said) in &self.of {
            let guests = match (whom, self.apart.get(whom)) {
                (Whom::Known(guest), _) if given.contains_key(guest) => BTreeSet::from([*guest]),
                (Whom::Known(_), Some(apart)) => apart.of.clone(),
                (Whom::Unknown(_), Some(apart)) => self.who_may_be(apart, copied, given),
                (Whom::Known(guest), None) => BTreeSet::from([*guest]),
                (Whom::Unknown(_), None) => BTreeSet::new(),
            };
            for guest in guests {
                each.entry(guest).or_default().push(said);
            }
        }
        each
    }

    /// Who got a guest of its own: one of those who have one again, or one who was merged and whom nobody can name any
    /// more. Where that is not known, it is said of each who it may be; also of whom the record lies with, where some of
    /// them have no guest of their own.
    fn who_may_be(
        &self,
        apart: &Apart,
        copied: &Copied,
        given: &BTreeMap<GuestId, BTreeSet<GuestId>>,
    ) -> BTreeSet<GuestId> {
        let meets = |of: &BTreeSet<GuestId>| !of.is_disjoint(&apart.of);
        let unnamed = given.iter().filter(|(new, _)| !copied.later.contains(new));
        let mut around = apart.of.clone();
        let mut may_be = BTreeSet::new();
        for (new, of) in unnamed.filter(|(_, of)| meets(of)) {
            around.extend(of);
            may_be.insert(*new);
        }
        let asleep = copied.survivors.iter();
        let asleep = asleep.filter(|(_, survivor)| apart.of.contains(survivor));
        may_be.extend(
            asleep
                .map(|(guest, _)| *guest)
                .filter(|guest| copied.nameless.contains(guest)),
        );
        let others = self.apart.iter().filter(|(whom, other)| {
            matches!(whom, Whom::Unknown(_)) && !other.again && !other.of.is_disjoint(&around)
        });
        if may_be.len() < others.count().max(1) {
            may_be.extend(&apart.of);
        }
        may_be
    }
}

/// The names that are known, with those that only a parting tells: whoever is parted first from another after it was merged
/// in the copy is parted from the one that it was merged into there.
fn learned(words: &[(String, Word)], copied: &Copied) -> BTreeMap<String, GuestId> {
    let mut names = copied.names.clone();
    loop {
        let before = names.len();
        let mut survivors = copied.survivors.clone();
        for (name, word) in words {
            if let Word::Parted { from, .. } = word
                && let Some(survivor) = names.get(name).and_then(|guest| survivors.remove(guest))
            {
                names.entry(from.clone()).or_insert(survivor);
            }
        }
        if names.len() == before {
            return names;
        }
    }
}

/// A guest and all that it has taken in.
fn members(taken: &BTreeMap<Whom, BTreeSet<Whom>>, one: Whom) -> BTreeSet<Whom> {
    let mut all = BTreeSet::new();
    let mut open = vec![one];
    while let Some(next) = open.pop() {
        if all.insert(next.clone()) {
            open.extend(taken.get(&next).into_iter().flatten().cloned());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(act: &str, outcome: Option<&str>, subject: &str, seq: i64) -> Told {
        serde_json::from_value(json!({
            "act": act, "at": 1_700_000_000_000_000_i64, "decision": "permitted", "outcome": outcome, "subject": subject,
            "seq": seq, "writer": Uuid::nil(),
        }))
        .unwrap()
    }

    fn guests() -> [GuestId; 4] {
        [1, 2, 3, 4].map(|id| GuestId(Uuid::from_u128(id)))
    }

    /// The first three guests, of whom the log knows the names.
    fn copy(taken: &[(usize, usize)]) -> Copied {
        let names = ["one", "two", "three"].map(str::to_owned);
        let pairs = taken.iter().map(|(survivor, absorbed)| (*absorbed, *survivor));
        Copied {
            names: names.into_iter().zip(guests()).collect(),
            survivors: pairs
                .map(|(one, other)| (guests()[one], guests()[other]))
                .collect(),
            ..Copied::default()
        }
    }

    fn settled(entries: &[(&str, &str)], copied: &Copied) -> Protections {
        let mut protections = Protections::default();
        for ((act, subject), seq) in entries.iter().zip(1..) {
            let (act, outcome) = match *act {
                "hold" => ("hold", Some("put")),
                "lift" => ("hold", Some("lifted")),
                act => (act, None),
            };
            protections.note(entry(act, outcome, subject, seq));
        }
        protections.settle(copied);
        protections
    }

    fn held(protections: &Protections, copied: &Copied, given: &[(usize, usize)]) -> [usize; 4] {
        let given = given.iter();
        let given = given.map(|(new, of)| (guests()[*new], BTreeSet::from([guests()[*of]])));
        let each = protections.of_each(copied, &given.collect());
        guests().map(|guest| {
            each.get(&guest)
                .into_iter()
                .flatten()
                .map(|said| said.holds)
                .sum()
        })
    }

    /// The holds of each guest, after entries about the first three.
    fn holds(entries: &[(&str, &str)], taken: &[(usize, usize)]) -> ([usize; 3], bool) {
        let copied = copy(taken);
        let protections = settled(entries, &copied);
        let [one, two, three, _] = held(&protections, &copied, &[]);
        ([one, two, three], protections.tells_of_a_split())
    }

    #[test]
    fn what_is_said_of_a_guest_is_said_of_all_it_has_taken_in_by_then() {
        let merged = [("merge", "one"), ("merge", "two")];
        let said = [("hold", "one")];
        let parted = [("unmerge", "two"), ("unmerge", "one")];
        assert_eq!(holds(&said, &[]), ([1, 0, 0], false));
        assert_eq!(holds(&[&merged[..], &said].concat(), &[]), ([1, 1, 0], false));
        assert_eq!(holds(&[&said[..], &merged].concat(), &[]), ([1, 0, 0], false));
        let all = [&merged[..], &said, &parted, &said].concat();
        assert_eq!(holds(&all, &[]), ([2, 1, 0], false));
        // Also by one that was taken in itself, and by one that the copy does not have.
        assert_eq!(holds(&said, &[(0, 1), (1, 2)]), ([1, 1, 1], false));
        let by_new = [("merge", "new"), ("merge", "one"), ("hold", "new")];
        assert_eq!(holds(&by_new, &[(0, 2)]), ([1, 0, 1], false));
    }

    #[test]
    fn what_is_said_of_a_record_with_a_guest_of_its_own_is_said_of_whom_it_lies_with() {
        let split = [("unmerge", "new"), ("unmerge", "two"), ("hold", "new")];
        assert_eq!(holds(&split, &[]), ([0, 1, 0], true));
        // Half of a pair that the backup cut in two tells nothing.
        let half = [
            ("unmerge", "two"),
            ("hold", "one"),
            ("merge", "two"),
            ("merge", "three"),
        ];
        assert_eq!(holds(&half, &[]), ([1, 0, 0], false));
    }
    #[test]
    fn what_is_said_of_a_record_goes_to_the_guest_that_it_has_again() {
        let copied = copy(&[]);
        let split = [("unmerge", "new"), ("unmerge", "two"), ("hold", "new")];
        let protections = settled(&split, &copied);
        assert_eq!(held(&protections, &copied, &[(3, 1)]), [0, 0, 0, 1]);
        // Of two of whom one has no guest of its own it is not known which.
        let twice = [&split[..], &[("unmerge", "other"), ("unmerge", "two")]].concat();
        let protections = settled(&twice, &copied);
        assert_eq!(held(&protections, &copied, &[(3, 1)]), [0, 1, 0, 1]);
        // What was said before is said of both.
        let protections = settled(&[&[("hold", "two")], &split[..]].concat(), &copied);
        assert_eq!(held(&protections, &copied, &[(3, 1)]), [0, 1, 0, 2]);
    }

    #[test]
    fn who_is_known_by_keys_alone_is_the_guest_of_the_record() {
        let mut copied = copy(&[]);
        copied.names.insert("new".to_owned(), guests()[3]);
        copied.later.insert(guests()[3]);
        let split = [("unmerge", "new"), ("unmerge", "two"), ("hold", "new")];
        let protections = settled(&split, &copied);
        assert_eq!(held(&protections, &copied, &[(3, 1)]), [0, 0, 0, 1]);
        assert_eq!(held(&protections, &copied, &[]), [0, 1, 0, 0]);
    }

    #[test]
    fn a_name_that_no_key_tells_is_known_by_whom_it_was_one_with() {
        let mut copied = copy(&[(0, 1)]);
        copied.names.remove("one");
        let said = [
            ("hold", "one"),
            ("unmerge", "two"),
            ("unmerge", "one"),
            ("lift", "one"),
        ];
        assert_eq!(held(&settled(&said, &copied), &copied, &[]), [0, 1, 0, 0]);
        // The other way round it may be a record, too; nobody has it, so it was the one without a name.
        let mut copied = copy(&[(0, 1)]);
        copied.names.remove("two");
        copied.nameless.insert(guests()[1]);
        let said = [("unmerge", "two"), ("unmerge", "one"), ("hold", "two")];
        assert_eq!(held(&settled(&said, &copied), &copied, &[]), [0, 1, 0, 0]);
    }

    #[test]
    fn a_hold_of_the_copy_that_was_lifted_takes_none_away_that_was_put_since() {
        let mut copied = copy(&[(0, 1)]);
        copied.holds.insert(guests()[0], 1);
        let parted = [("unmerge", "two"), ("unmerge", "one")];
        let said = [&[("lift", "one")], &parted[..], &[("hold", "two")]].concat();
        assert_eq!(held(&settled(&said, &copied), &copied, &[]), [0, 1, 0, 0]);
        let said = [&[("hold", "one"), ("lift", "one")], &parted[..]].concat();
        assert_eq!(held(&settled(&said, &copied), &copied, &[]), [1, 1, 0, 0]);
        let said = [("hold", "three"), ("lift", "three")];
        assert_eq!(held(&settled(&said, &copied), &copied, &[]), [0; 4]);
    }
}
