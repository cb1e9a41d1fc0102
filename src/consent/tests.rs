//! The ledger against an independent model: sets of houses instead of a tree, a replay instead of a maximum.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Line, Question, Spoken, Standing, State, decide, strictest};
use crate::{
    base::{ConsentId, PrincipalId, PropertyCode, PropertyKind, PropertyNode, PropertyTree, from_micros},
    policy::Separate,
};

/// A small generator (xorshift64*): 100,000 cases in a moment, and the same ones each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % most
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::try_from(self.below(u64::try_from(list.len()).unwrap())).unwrap()]
    }
}

/// Every place, and the set of places it is made of.
const PLACES: [(&str, &[&str]); 6] = [
    ("GROUP", &["GROUP", "NORTH", "N1", "N2", "SOUTH", "S1"]),
    ("NORTH", &["NORTH", "N1", "N2"]),
    ("N1", &["N1"]),
    ("N2", &["N2"]),
    ("SOUTH", &["SOUTH", "S1"]),
    ("S1", &["S1"]),
];

fn tree() -> PropertyTree {
    let node = |code: &str, parent: Option<&str>, kind| PropertyNode {
        code: code.parse().unwrap(),
        kind,
        parent: parent.map(|p| p.parse().unwrap()),
        name: String::new(),
        region: None,
        province: None,
        timezone: chrono_tz::UTC,
    };
    PropertyTree::new(vec![
        node("GROUP", None, PropertyKind::Group),
        node("NORTH", Some("GROUP"), PropertyKind::Brand),
        node("SOUTH", Some("GROUP"), PropertyKind::Brand),
        node("N1", Some("NORTH"), PropertyKind::Property),
        node("N2", Some("NORTH"), PropertyKind::Property),
        node("S1", Some("SOUTH"), PropertyKind::Property),
    ])
    .unwrap()
}

fn set(place: &str) -> BTreeSet<&'static str> {
    let everywhere = if place.is_empty() { "GROUP" } else { place };
    let found = PLACES.iter().find(|(code, _)| *code == everywhere);
    found.unwrap().1.iter().copied().collect()
}

/// One thing said, as the model knows it.
#[derive(Clone)]
struct Said {
    line: Line,
    terms: usize,
    /// A no for its place and what holds it, but not for what lies beneath.
    alone: bool,
}

/// When the terms of the purpose's notice changed: terms 1 from the first moment, and so on.
type Notices = Vec<i64>;

fn say(dice: &mut Dice, notices: &Notices) -> Said {
    let at = i64::try_from(dice.below(20)).unwrap();
    say_at(dice, notices, at)
}

fn say_at(dice: &mut Dice, notices: &Notices, at: i64) -> Said {
    let state = dice.of(&State::ALL);
    let terms = usize::try_from(dice.below(3)).unwrap();
    let until = (dice.below(3) == 0).then(|| at + 1 + i64::try_from(dice.below(15)).unwrap());
    let line = Line {
        id: ConsentId(uuid::Uuid::from_u128(u128::from(dice.below(u64::MAX)))),
        purpose: "marketing_direct".parse().unwrap(),
        recipient: dice.of(&["", "", "spa"]).to_owned(),
        scope: dice
            .of(&["", "GROUP", "NORTH", "N1", "N2", "SOUTH", "S1"])
            .to_owned(),
        separate: dice.of(&[None, None, Some(Separate::Sensitive), Some(Separate::ThirdParty)]),
        state,
        channel: "web".to_owned(),
        indication: String::new(),
        notice: None,
        terms: i64::try_from(terms).unwrap(),
        superseded: notices.get(terms).copied().map(from_micros),
        property: "N1".parse().unwrap(),
        captured_by: PrincipalId(uuid::Uuid::nil()),
        captured_actor: None,
        valid_until: until.map(from_micros),
        at: from_micros(at),
        told_at: None,
        entry: None,
    };
    Said {
        line,
        terms,
        alone: false,
    }
}

/// Terms change at most twice.
fn notices(dice: &mut Dice) -> Notices {
    let mut at = 0;
    let moment = |_| {
        at += 1 + i64::try_from(dice.below(12)).unwrap();
        at
    };
    (0..3).map(moment).collect()
}

/// The model: everything that was said is told in order of time; a word holds until the next one. In words: is there
/// a live yes for exactly this, and no no afterwards?
fn model(
    said: &[Said],
    notices: &Notices,
    at: &str,
    recipient: &str,
    kind: Option<Separate>,
    now: i64,
) -> &'static str {
    let asked = set(at);
    let mut in_order: Vec<&Said> = said.iter().collect();
    in_order.sort_by_key(|s| {
        let rank = match s.line.state {
            State::Requested => 0,
            State::Given | State::Renewed => 1,
            State::Expired => 2,
            State::Invalidated => 3,
            State::Objected => 4,
            State::Refused => 5,
            State::Withdrawn => 6,
        };
        (s.line.at, rank, s.line.id)
    });
    let (mut word, mut asked_for) = ("unknown", false);
    for Said { line, terms, alone } in in_order {
        let scope = set(&line.scope);
        let to_them = line.recipient == recipient;
        let of_kind = line.separate == kind;
        match line.state {
            State::Requested => asked_for |= to_them && of_kind && scope.is_superset(&asked),
            State::Given | State::Renewed if to_them && of_kind && scope.is_superset(&asked) => {
                let overtaken = notices.iter().skip(*terms).any(|from| *from <= now);
                let over = line
                    .valid_until
                    .is_some_and(|until| until.timestamp_micros() <= now);
                word = match (overtaken, over) {
                    (true, _) => "invalidated",
                    (_, true) => "expired",
                    _ => "given",
                };
            }
            State::Given | State::Renewed => {}
            no => {
                let to_them = to_them || line.recipient.is_empty();
                let of_kind = of_kind || line.separate.is_none();
                let touches = if *alone {
                    asked.is_superset(&scope)
                } else {
                    !scope.is_disjoint(&asked)
                };
                if to_them && of_kind && touches {
                    word = no.as_str();
                }
            }
        }
    }
    if word == "unknown" && asked_for {
        "requested"
    } else {
        word
    }
}

/// The model of a merge: what both guests said; and wherever one of them said no and the other yes, that no once more,
/// for that place alone, or for all of it where nothing beneath is in dispute.
fn joined(histories: [&[Said]; 2], notices: &Notices, now: i64) -> Vec<Said> {
    let all: Vec<Said> = histories.concat();
    let mut again = Vec::new();
    let matters: BTreeSet<(&str, Option<Separate>)> = all
        .iter()
        .map(|s| (s.line.recipient.as_str(), s.line.separate))
        .collect();
    for (recipient, kind) in matters {
        let say = |h: &[Said], place: &str| model(h, notices, place, recipient, kind, now);
        for (own, other) in [(0, 1), (1, 0)] {
            let no = |place: &str| {
                let word = say(histories[own], place);
                (no(word) && say(histories[other], place) == "given").then_some(word)
            };
            for (place, parts) in PLACES {
                let beneath = parts.iter().any(|part| *part != place && no(part).is_some());
                let Some(word) = no(place) else { continue };
                let mut line = all[0].line.clone();
                line.id = ConsentId::random();
                line.recipient = recipient.to_owned();
                line.separate = kind;
                line.scope = place.to_owned();
                line.state = State::from_word(word).unwrap();
                line.at = from_micros(now);
                again.push(Said {
                    line,
                    terms: 0,
                    alone: beneath,
                });
            }
        }
    }
    [all, again].concat()
}

fn no(word: &str) -> bool {
    matches!(word, "refused" | "withdrawn" | "objected")
}

fn lines(said: &[Said]) -> Vec<Line> {
    said.iter().map(|s| s.line.clone()).collect()
}

fn ask<'q>(
    tree: &'q PropertyTree,
    at: &'q PropertyCode,
    recipient: &'q str,
    kinds: &'q [Separate],
    now: i64,
) -> Question<'q> {
    Question {
        recipient,
        property: at,
        tree,
        separate: kinds,
        now,
    }
}

#[test]
fn a_hundred_thousand_histories_are_answered_as_the_model_does() {
    let (tree, mut dice) = (tree(), Dice(0x9E37_79B9_7F4A_7C15));
    let places: Vec<PropertyCode> = PLACES.iter().map(|(code, _)| code.parse().unwrap()).collect();
    let mut seen = BTreeSet::new();
    for case in 0..100_000 {
        let notices = notices(&mut dice);
        let said: Vec<Said> = (0..dice.below(9)).map(|_| say(&mut dice, &notices)).collect();
        let history = lines(&said);
        let place = &places[usize::try_from(dice.below(6)).unwrap()];
        let recipient = dice.of(&["", "spa"]);
        let now = i64::try_from(dice.below(40)).unwrap();
        let kind = dice.of(&[None, None, Some(Separate::Sensitive)]);
        let question = ask(&tree, place, recipient, kind.as_slice(), now);
        let found = decide(history.iter().map(Line::spoken), &question).as_str();
        let expected = model(&said, &notices, place.as_str(), recipient, kind, now);
        assert_eq!(
            found, expected,
            "case {case}: {history:#?} at {place} for {recipient:?} {kind:?} now {now}"
        );
        seen.insert(found);
    }
    assert_eq!(seen.len(), 8, "every answer occurs: {seen:?}");
}

#[test]
fn a_hundred_thousand_merged_histories_are_answered_as_the_model_does() {
    let (tree, mut dice) = (tree(), Dice(0x2545_F491_4F6C_DD1D));
    let (mut yes, mut repeated) = (0, 0);
    for case in 0..100_000 {
        let notices = notices(&mut dice);
        let mut history = || -> Vec<Said> { (0..dice.below(6)).map(|_| say(&mut dice, &notices)).collect() };
        let (one, other) = (history(), history());
        let merged = 20 + i64::try_from(dice.below(3)).unwrap();
        let (a, b) = (lines(&one), lines(&other));
        let appended = strictest(&[&a, &b], &tree, from_micros(merged));
        repeated += appended.len();
        let mut said = joined([&one, &other], &notices, merged);
        let mut ledger = [a, b, appended].concat();
        // What the guest says afterwards holds as always.
        for _ in 0..dice.below(3) {
            let at = merged + 1 + i64::try_from(dice.below(9)).unwrap();
            let later = say_at(&mut dice, &notices, at);
            ledger.push(later.line.clone());
            said.push(later);
        }
        let now = merged + i64::try_from(dice.below(20)).unwrap();
        let (code, _) = dice.of(&PLACES);
        let place: PropertyCode = code.parse().unwrap();
        let (recipient, kind) = dice.of(&[
            ("", None),
            ("", None),
            ("spa", None),
            ("", Some(Separate::Sensitive)),
        ]);
        let question = ask(&tree, &place, recipient, kind.as_slice(), now);
        let found = decide(ledger.iter().map(Line::spoken), &question)
            .given()
            .is_some();
        let expected = model(&said, &notices, code, recipient, kind, now) == "given";
        assert_eq!(
            found, expected,
            "case {case} at {code} for {recipient:?} {kind:?} now {now}: {ledger:#?}"
        );
        yes += usize::from(found);
    }
    assert!(yes > 50 && repeated > 1_000, "{yes} {repeated}");
}

#[test]
fn a_merge_never_lets_a_yes_overrule_a_no() {
    let (tree, mut dice) = (tree(), Dice(0xD1B5_4A32_D192_ED03));
    let (mut refused, mut kept) = (0, 0);
    for case in 0..10_000 {
        let notices = notices(&mut dice);
        let mut history = || -> Vec<Said> { (0..dice.below(5)).map(|_| say(&mut dice, &notices)).collect() };
        let (one, other) = (history(), history());
        // All was said before the merge.
        let now = 20;
        let (a, b) = (lines(&one), lines(&other));
        let appended = strictest(&[&a, &b], &tree, from_micros(now));
        let all: Vec<Line> = a.iter().chain(&b).chain(&appended).cloned().collect();
        for (code, _) in PLACES {
            let place: PropertyCode = code.parse().unwrap();
            for (recipient, kind) in [("", None), ("spa", None), ("", Some(Separate::Sensitive))] {
                let question = ask(&tree, &place, recipient, kind.as_slice(), now);
                let merged = decide(all.iter().map(Line::spoken), &question);
                let said = [&one, &other].map(|h| model(h, &notices, code, recipient, kind, now));
                if said.iter().any(|word| no(word)) {
                    refused += 1;
                    assert!(
                        merged.given().is_none(),
                        "case {case} at {code}: {said:?} {merged:?} {all:#?}"
                    );
                } else if said == ["given", "given"] && appended.is_empty() {
                    kept += 1;
                    assert!(
                        merged.given().is_some(),
                        "case {case} at {code}: {merged:?} {all:#?}"
                    );
                }
            }
        }
    }
    assert!(refused > 10_000 && kept > 10, "{refused} {kept}");
}

fn at(moment: i64) -> DateTime<Utc> {
    from_micros(moment)
}

fn plain(id: u128, state: State, moment: i64) -> Spoken<'static> {
    Spoken {
        id: ConsentId(uuid::Uuid::from_u128(id)),
        state,
        recipient: "",
        scope: "",
        separate: "",
        at: at(moment).timestamp_micros(),
        until: None,
        superseded: None,
    }
}

#[test]
fn the_newest_line_holds_and_the_stricter_wins_a_tie() {
    let (tree, place) = (tree(), "N1".parse().unwrap());
    let question = ask(&tree, &place, "", &[], 10);
    let (given, withdrawn) = (plain(1, State::Given, 2), plain(2, State::Withdrawn, 3));
    assert_eq!(decide([], &question), Standing::Unknown);
    assert_eq!(decide([given], &question), Standing::Given(given.id));
    assert_eq!(
        decide([withdrawn, given], &question),
        Standing::Withdrawn(withdrawn.id)
    );
    let again = plain(3, State::Renewed, 4);
    assert_eq!(
        decide([again, withdrawn, given], &question),
        Standing::Given(again.id)
    );
    let tie = plain(4, State::Refused, 4);
    assert_eq!(decide([tie, again], &question), Standing::Refused(tie.id));
    let asked = plain(5, State::Requested, 9);
    assert_eq!(
        decide([asked, again], &question),
        Standing::Given(again.id),
        "asking takes nothing back"
    );
}

#[test]
fn each_separate_consent_is_needed_by_itself() {
    let (tree, place) = (tree(), "N1".parse().unwrap());
    let kinds = [Separate::Sensitive, Separate::CrossBorder];
    let question = ask(&tree, &place, "", &kinds, 10);
    let ordinary = plain(1, State::Given, 1);
    assert_eq!(decide([ordinary], &question), Standing::Unknown, "no bundling");
    let of = |id, kind: Separate, state| Spoken {
        separate: kind.as_str(),
        ..plain(id, state, 2)
    };
    let one = of(2, Separate::Sensitive, State::Given);
    assert_eq!(decide([ordinary, one], &question), Standing::Unknown);
    let other = of(3, Separate::CrossBorder, State::Given);
    assert!(decide([ordinary, one, other], &question).given().is_some());
    let back = plain(4, State::Withdrawn, 3);
    assert_eq!(
        decide([one, other, back], &question),
        Standing::Withdrawn(back.id)
    );
}

#[test]
fn every_state_has_its_word() {
    for state in State::ALL {
        assert_eq!(State::from_word(state.as_str()), Some(state));
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
    assert_eq!(State::from_word("given "), None);
}
