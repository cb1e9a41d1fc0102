//! How well records are told apart, on labelled sets: `GUEST_VAULT_DATASETS` names the folder, else `../shared/datasets`
//! beside the repository; where neither is there, this says so and measures nothing. The floors are those of the
//! design; the figures measured are printed (`cargo test --test it resolution -- --nocapture`).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use guest_vault::matching::{
    Frequencies, Paper, Person, Place, Said, Weights,
    blocking::{CAP, Key, KeyKind, keys},
    score::{probability, score},
};
use serde_json::Value;

/// Where labelled sets lie; `None` is printed with the reason.
fn datasets() -> Option<PathBuf> {
    let folder = std::env::var_os("GUEST_VAULT_DATASETS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets"),
        PathBuf::from,
    );
    if folder.join("hotel_dev.truth.csv").is_file() {
        return Some(folder);
    }
    println!(
        "skipped: no labelled sets in {}; set GUEST_VAULT_DATASETS",
        folder.display()
    );
    None
}

fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

struct Set {
    people: Vec<Person>,
    truth: Vec<String>,
}

fn text<'v>(line: &'v Value, name: &str) -> &'v str {
    line.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn person(line: &Value) -> Person {
    let some = |name: &str| Some(text(line, name)).filter(|t| !t.is_empty());
    Person::of(&Said {
        surname: text(line, "family_name"),
        given: text(line, "given_name"),
        birth_date: text(line, "date_of_birth"),
        emails: some("email").into_iter().collect(),
        phones: some("phone").into_iter().collect(),
        papers: some("document_number")
            .map(|number| Paper {
                number,
                country: None,
            })
            .into_iter()
            .collect(),
        places: vec![Place {
            street: text(line, "street"),
            city: text(line, "city"),
            postcode: text(line, "postcode"),
        }],
        country: text(line, "country"),
        ..Said::default()
    })
}

fn read(folder: &Path, name: &str) -> Set {
    let unpacked = Command::new("gzip")
        .arg("-dc")
        .arg(folder.join(format!("{name}.ndjson.gz")))
        .output()
        .expect("gzip");
    let truth = std::fs::read_to_string(folder.join(format!("{name}.truth.csv"))).unwrap();
    let truth: HashMap<&str, &str> = truth
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut cells = line.split(',');
            Some((cells.next()?, cells.next()?))
        })
        .collect();
    let lines = String::from_utf8(unpacked.stdout).unwrap();
    let mut set = Set {
        people: Vec::new(),
        truth: Vec::new(),
    };
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        set.people.push(person(&line));
        set.truth.push(truth[text(&line, "source_id")].to_owned());
    }
    set
}

/// Posting lists: of records, or of guests.
#[derive(Default)]
struct Index(HashMap<Key, BTreeSet<usize>>);

impl Index {
    fn add(&mut self, id: usize, keys: &[Key]) {
        for key in keys {
            self.0.entry(key.clone()).or_default().insert(id);
        }
    }

    fn found(&self, keys: &[Key], second: bool) -> BTreeSet<usize> {
        let lists = keys
            .iter()
            .filter(|key| second || !key.kind.is_second_tier())
            .filter_map(|key| self.0.get(key));
        lists
            .filter(|list| list.len() <= usize::try_from(CAP).unwrap())
            .flatten()
            .copied()
            .collect()
    }

    /// How many hold each key, the candidate not counted.
    fn frequencies(&self, keys: &[Key], guests: usize, candidate: usize) -> Frequencies {
        let mut frequencies = Frequencies::new(real(guests));
        for key in keys {
            let holders = self
                .0
                .get(key)
                .map_or(0, |list| list.len() - usize::from(list.contains(&candidate)));
            frequencies.note(key.clone(), u32::try_from(holders).unwrap());
        }
        frequencies
    }
}

#[derive(Debug, Default)]
struct Pairs {
    best_f1: f64,
    best_at: f64,
    recall_at_999: f64,
    candidate_recall: f64,
    per_pair: Duration,
    /// Mean stated probability and observed share of right pairs, by band of two bits from six up.
    calibration: Vec<(f64, f64)>,
}

/// All pairs that share a key, scored, against the truth.
fn pairs(set: &Set) -> Pairs {
    let weights = Weights::default();
    let all: Vec<Vec<Key>> = set.people.iter().map(keys).collect();
    let mut index = Index::default();
    for (id, keys) in all.iter().enumerate() {
        index.add(id, keys);
    }
    let mut scored: Vec<(f64, bool)> = Vec::new();
    let begun = Instant::now();
    for (id, own) in all.iter().enumerate() {
        for other in index.found(own, false).into_iter().filter(|other| *other < id) {
            let frequencies = index.frequencies(own, set.people.len(), other);
            let score = score(&weights, &frequencies, &set.people[id], &set.people[other]);
            let bits = if score.veto { -50.0 } else { score.bits };
            scored.push((bits, set.truth[id] == set.truth[other]));
        }
    }
    let per_pair = begun.elapsed() / u32::try_from(scored.len().max(1)).unwrap();
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for entity in &set.truth {
        *sizes.entry(entity).or_default() += 1;
    }
    let total = sizes.values().map(|n| n * (n - 1) / 2).sum::<usize>();
    let total = real(total);
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut result = Pairs {
        candidate_recall: real(scored.iter().filter(|(_, same)| *same).count()) / total,
        per_pair,
        ..Pairs::default()
    };
    for from in [6.0, 8.0, 10.0] {
        let band: Vec<&(f64, bool)> = scored
            .iter()
            .filter(|(bits, _)| (from..from + 2.0).contains(bits))
            .collect();
        let stated = band.iter().map(|(bits, _)| probability(*bits)).sum::<f64>() / real(band.len());
        let observed = real(band.iter().filter(|(_, same)| *same).count()) / real(band.len());
        result.calibration.push((stated, observed));
    }
    let (mut right, mut wrong) = (0.0, 0.0);
    for (at, (bits, same)) in scored.iter().enumerate() {
        if *same {
            right += 1.0;
        } else {
            wrong += 1.0;
        }
        if scored
            .get(at + 1)
            .is_some_and(|next| (next.0 - bits).abs() < 1e-9)
        {
            continue;
        }
        let (precision, recall) = (right / (right + wrong), right / total);
        let f1 = 2.0 * precision * recall / (precision + recall);
        if f1 > result.best_f1 {
            (result.best_f1, result.best_at) = (f1, *bits);
        }
        if precision >= 0.999 {
            result.recall_at_999 = recall;
        }
    }
    result
}

/// Guests as they grow record by record.
#[derive(Default)]
struct Book {
    index: Index,
    guests: Vec<Person>,
    members: Vec<BTreeMap<String, usize>>,
}

enum Decision {
    Auto(usize),
    Review(Vec<usize>),
    New,
}

impl Book {
    fn decide(&self, person: &Person, keys: &[Key], auto: f64) -> (Decision, usize) {
        let weights = Weights::default();
        let scored = |second: bool| {
            let found = self.index.found(keys, second);
            let looked_at = found.len();
            let mut scored: Vec<(f64, usize)> = found
                .into_iter()
                .filter_map(|guest| {
                    let frequencies = self.index.frequencies(keys, self.guests.len(), guest);
                    let score = score(&weights, &frequencies, person, &self.guests[guest]);
                    (!score.veto).then_some((score.bits, guest))
                })
                .collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0));
            (scored, looked_at)
        };
        let (mut best, mut looked_at) = scored(false);
        if best.first().is_none_or(|(bits, _)| *bits < 0.0) {
            (best, looked_at) = scored(true);
        }
        let decision = match best.first() {
            Some((bits, guest)) if *bits >= auto => Decision::Auto(*guest),
            Some((bits, _)) if *bits >= 0.0 => Decision::Review(
                best.iter()
                    .filter(|(bits, _)| *bits >= 0.0)
                    .map(|(_, guest)| *guest)
                    .take(5)
                    .collect(),
            ),
            _ => Decision::New,
        };
        (decision, looked_at)
    }

    fn put(&mut self, person: &Person, keys: &[Key], entity: &str, guest: Option<usize>) {
        let guest = guest.unwrap_or_else(|| {
            self.guests.push(Person::default());
            self.members.push(BTreeMap::new());
            self.guests.len() - 1
        });
        self.guests[guest].add(person);
        *self.members[guest].entry(entity.to_owned()).or_default() += 1;
        self.index.add(guest, keys);
    }

    fn mostly(&self, guest: usize) -> &str {
        self.members[guest]
            .iter()
            .max_by_key(|(_, n)| **n)
            .map_or("", |(entity, _)| entity)
    }
}

#[derive(Debug, Default)]
struct Lookups {
    falsely_merged: usize,
    guests: usize,
    auto_precision: f64,
    found: f64,
    auto_found: f64,
    review_rate: f64,
    sees_mate: f64,
    candidates: f64,
}

/// The first four fifths come in one by one, decided at `auto` bits; the rest are looked up among them.
fn lookups(set: &Set, auto: f64) -> Lookups {
    let cut = set.people.len() * 4 / 5;
    let mut book = Book::default();
    let all: Vec<Vec<Key>> = set.people.iter().map(keys).collect();
    let asked: Vec<(&Person, &Vec<Key>, &String)> = set
        .people
        .iter()
        .zip(&all)
        .zip(&set.truth)
        .map(|((person, keys), entity)| (person, keys, entity))
        .collect();
    let (stored, asked) = asked.split_at(cut);
    for (person, keys, entity) in stored {
        let (decision, _) = book.decide(person, keys, auto);
        let guest = match decision {
            Decision::Auto(guest) => Some(guest),
            _ => None,
        };
        book.put(person, keys, entity, guest);
    }
    let mut result = Lookups {
        falsely_merged: book.members.iter().filter(|m| m.len() > 1).count(),
        guests: book.guests.len(),
        ..Lookups::default()
    };
    let known: BTreeSet<&str> = (0..book.guests.len()).map(|guest| book.mostly(guest)).collect();
    let (mut returning, mut auto_count, mut right, mut found, mut reviews, mut mates, mut looked) =
        (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0);
    for (person, keys, entity) in asked {
        let entity = entity.as_str();
        let candidates = book.index.found(keys, false);
        let is_known = known.contains(entity);
        returning += f64::from(u8::from(is_known));
        mates += f64::from(u8::from(
            is_known && candidates.iter().any(|guest| book.mostly(*guest) == entity),
        ));
        looked += candidates.len();
        match book.decide(person, keys, auto).0 {
            Decision::Auto(guest) => {
                auto_count += 1.0;
                right += f64::from(u8::from(book.mostly(guest) == entity));
            }
            Decision::Review(guests) => {
                reviews += 1.0;
                found += f64::from(u8::from(guests.iter().any(|guest| book.mostly(*guest) == entity)));
            }
            Decision::New => {}
        }
    }
    let asked = real(asked.len());
    result.auto_precision = right / f64::max(auto_count, 1.0);
    result.auto_found = right / returning;
    result.found = (right + found) / returning;
    result.review_rate = reviews / asked;
    result.sees_mate = mates / returning;
    result.candidates = real(looked) / asked;
    result
}

#[test]
fn febrl_pairs_are_told_apart() {
    let Some(folder) = datasets() else { return };
    for name in ["febrl1", "febrl2", "febrl3"] {
        let measured = pairs(&read(&folder, name));
        println!("{name}: {measured:?}");
        assert!(
            measured.best_f1 >= 0.995 && measured.candidate_recall >= 0.99,
            "{name}: {measured:?}"
        );
        // Unoptimised; the design's 10 µs are of an optimised build.
        assert!(
            measured.per_pair < Duration::from_millis(2),
            "{name}: {measured:?}"
        );
    }
}

#[test]
fn hotel_records_find_their_guest_and_households_stay_apart() {
    let Some(folder) = datasets() else { return };
    let set = read(&folder, "hotel_dev");
    let measured = pairs(&set);
    println!("hotel_dev pairs: {measured:?}");
    let cautious = lookups(&set, 8.0);
    println!("hotel_dev cautious: {cautious:?}");
    let eager = lookups(&set, 6.0);
    println!("hotel_dev eager: {eager:?}");
    for (stated, observed) in &measured.calibration {
        println!("hotel_dev stated {stated:.4} observed {observed:.4}");
    }
    assert!(
        measured.best_f1 >= 0.88 && measured.recall_at_999 >= 0.55,
        "{measured:?}"
    );
    let most = 25 * cautious.guests / 20_000 + 1;
    assert!(cautious.falsely_merged <= most, "{cautious:?}");
    assert!(
        cautious.auto_precision >= 0.998 && cautious.found >= 0.89,
        "{cautious:?}"
    );
    let off = measured
        .calibration
        .iter()
        .map(|(stated, observed)| (stated - observed).abs());
    assert!(off.fold(0.0, f64::max) <= 0.03, "{measured:?}");
    assert!(
        cautious.review_rate <= 0.20 && cautious.sees_mate >= 0.98,
        "{cautious:?}"
    );
}

/// A stolen token table, with the key unknown: the thief knows how common names are (from half of the records, as public
/// statistics would tell) and how many guests hold each token of the other half, and matches the two by rank.
fn frequency_attack(set: &Set, kinds: &[KeyKind]) -> (f64, f64) {
    let named = |person: &Person| -> Vec<Key> {
        keys(person)
            .into_iter()
            .filter(|key| key.kind == KeyKind::Name)
            .collect()
    };
    let (known, stolen) = set.people.split_at(set.people.len() / 2);
    let mut public: HashMap<Key, usize> = HashMap::new();
    for person in known {
        for key in named(person) {
            *public.entry(key).or_default() += 1;
        }
    }
    // Tokens have no kind: the thief sees lengths of lists, cut at the cap, and nothing else.
    let mut table: HashMap<Key, usize> = HashMap::new();
    for person in stolen {
        for key in keys(person)
            .into_iter()
            .filter(|key| kinds.is_empty() || kinds.contains(&key.kind))
        {
            let holders = table.entry(key).or_default();
            *holders = (*holders + 1).min(usize::try_from(CAP).unwrap() + 1);
        }
    }
    let ranked = |of: HashMap<Key, usize>| -> Vec<(Key, usize)> {
        let mut ranked: Vec<(Key, usize)> = of.into_iter().collect();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked
    };
    let (public, table) = (ranked(public), ranked(table));
    let right = table
        .iter()
        .zip(&public)
        .filter(|(token, name)| token.0 == name.0)
        .map(|(token, _)| token.1);
    let owners: usize = right.sum();
    // Guessing: everybody has the commonest name.
    let guessed = public.first().map_or(0, |(name, _)| {
        table
            .iter()
            .find(|(token, _)| token == name)
            .map_or(0, |(_, holders)| *holders)
    });
    (
        real(owners) / real(stolen.len()),
        real(guessed) / real(stolen.len()),
    )
}

#[test]
fn a_stolen_token_table_names_few() {
    let Some(folder) = datasets() else { return };
    let set = read(&folder, "hotel_dev");
    let (all, guessing) = frequency_attack(&set, &[]);
    println!("hotel_dev frequency attack, all tokens: {all:.4} of records named; guessing: {guessing:.4}");
    let (names, _) = frequency_attack(&set, &[KeyKind::Name]);
    println!("hotel_dev frequency attack, name tokens told apart by other means: {names:.4}");
    assert!(all <= guessing + 0.002, "{all} {guessing}");
    assert!(names <= 0.02, "{names}");
}
