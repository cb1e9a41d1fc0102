//! A random walk of changes through SQLite, PostgreSQL and a plain model in memory: after every step all three agree on
//! what each role is shown and on the guest's version.

use std::collections::BTreeMap;

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Map, Value, json};

use crate::support::{
    app::{Answer, TestApp},
    database::{Database, on_sqlite},
};

const SURNAMES: [&str; 4] = ["Silva", "Costa", "Wang", "Ōta"];
const PHONES: [&str; 3] = ["+351912000001", "+351912000002", "+8613812345678"];
const SOURCES: [&str; 3] = ["pms", "web", "ota"];
const PROVENANCES: [(&str, i64); 5] = [
    ("verified", 80),
    ("declared", 60),
    ("system", 40),
    ("observed", 30),
    ("inferred", 10),
];

/// The fields of the walk; lists are joined, of the others the best source's value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Surname,
    Phones,
    Smoking,
}

impl Field {
    const ALL: [Self; 3] = [Self::Surname, Self::Phones, Self::Smoking];

    const fn path(self) -> &'static str {
        match self {
            Self::Surname => "name.surname",
            Self::Phones => "phones",
            Self::Smoking => "preferences.smoking",
        }
    }

    /// The document that says this of the field, and nothing else.
    fn document(self, value: &Value) -> Value {
        match self {
            Self::Surname => json!({"name": {"surname": value}}),
            Self::Phones => json!({"phones": value}),
            Self::Smoking => json!({"preferences": {"smoking": value}}),
        }
    }

    /// One of the values it may have.
    fn value(self, choice: u8) -> Value {
        let choice = usize::from(choice);
        match self {
            Self::Surname => json!(SURNAMES[choice % SURNAMES.len()]),
            Self::Phones => {
                let first = json!({"number": PHONES[choice % 3]});
                let second = json!({"number": PHONES[choice / 3 % 3]});
                if choice.is_multiple_of(2) {
                    json!([first])
                } else {
                    json!([first, second])
                }
            }
            Self::Smoking => json!(choice.is_multiple_of(2)),
        }
    }
}

/// What a source says of a field.
#[derive(Debug, Clone, Copy)]
enum Word {
    /// Nothing.
    Silent,
    /// That it takes its value back.
    Null,
    /// One of the values.
    Value(u8),
}

impl Word {
    fn document(self, field: Field) -> Option<Value> {
        match self {
            Self::Silent => None,
            Self::Null => Some(field.document(&Value::Null)),
            Self::Value(choice) => Some(field.document(&field.value(choice))),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// A source speaks: which, how it knows, when it saw it (in seconds), and what of each field: nothing, null or a value.
    Put(usize, usize, u32, Vec<Word>),
    /// Staff fix a field, or take the correction back.
    Correct(usize, Option<u8>),
    /// The guest agrees to marketing, or does not any more.
    Consent(bool),
    /// The stay is in house, or cancelled.
    Stay(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let word = prop_oneof![
        2 => Just(Word::Silent),
        1 => Just(Word::Null),
        3 => any::<u8>().prop_map(Word::Value),
    ];
    let said = vec(word, Field::ALL.len());
    prop_oneof![
        6 => (0..SOURCES.len(), 0..PROVENANCES.len(), 0..50_u32, said).prop_map(|(s, p, at, said)| Step::Put(s, p, at, said)),
        2 => (0..Field::ALL.len(), proptest::option::weighted(0.6, any::<u8>())).prop_map(|(field, value)| Step::Correct(field, value)),
        1 => any::<bool>().prop_map(Step::Consent),
        1 => any::<bool>().prop_map(Step::Stay),
    ]
}

/// What one source says of one field.
#[derive(Clone)]
struct Said {
    value: Value,
    trust: i64,
    verified: bool,
    at: u32,
}

/// The vault in a few lines: who said what, and the rules of who is believed.
#[derive(Default)]
struct Model {
    version: i64,
    /// By the order in which the records were made: later ones win the last tie.
    records: Vec<(String, BTreeMap<Field, Said>)>,
    pinned: BTreeMap<Field, Value>,
    consented: bool,
    in_house: bool,
    /// What the source said last, word for word: the same again changes nothing.
    last: BTreeMap<String, String>,
}

impl Model {
    fn put(&mut self, source: &str, body: &Value, trust: i64, at: u32, said: &[Word]) {
        if self.last.insert(source.to_owned(), body.to_string()).as_deref() == Some(&body.to_string()) {
            return;
        }
        self.version += 1;
        let known = self
            .records
            .iter()
            .position(|(of, _)| of == source)
            .unwrap_or_else(|| {
                self.records.push((source.to_owned(), BTreeMap::new()));
                self.records.len() - 1
            });
        let record = &mut self.records[known].1;
        for (field, said) in Field::ALL.into_iter().zip(said) {
            match *said {
                Word::Null if record.get(&field).is_none_or(|before| before.at <= at) => {
                    record.remove(&field);
                }
                Word::Value(choice) if record.get(&field).is_none_or(|before| before.at <= at) => {
                    let value = field.value(choice);
                    let verified = trust == 80;
                    record.insert(
                        field,
                        Said {
                            value,
                            trust,
                            verified,
                            at,
                        },
                    );
                }
                _ => {}
            }
        }
    }

    fn correct(&mut self, field: Field, value: Option<u8>) {
        self.version += 1;
        match value {
            None => self.pinned.remove(&field),
            Some(choice) => self.pinned.insert(field, field.value(choice)),
        };
    }

    /// What is believed: pinned before verified before trusted before recent before the latest record; lists are joined.
    fn believed(&self, field: Field) -> Option<Value> {
        if let Some(value) = self.pinned.get(&field) {
            return Some(joined(field, vec![value.clone()]));
        }
        let mut said: Vec<(usize, &Said)> = self
            .records
            .iter()
            .enumerate()
            .filter_map(|(at, (_, record))| Some((at, record.get(&field)?)))
            .collect();
        said.sort_by_key(|(order, said)| std::cmp::Reverse((said.verified, said.trust, said.at, *order)));
        let count = if field == Field::Phones { said.len() } else { 1 };
        let best: Vec<Value> = said
            .into_iter()
            .take(count)
            .map(|(_, said)| said.value.clone())
            .collect();
        (!best.is_empty()).then(|| joined(field, best))
    }
}

/// Several lists as one, each number once; of one text itself.
fn joined(field: Field, values: Vec<Value>) -> Value {
    if field != Field::Phones {
        return values.into_iter().next().unwrap_or_default();
    }
    let mut numbers: Vec<Value> = Vec::new();
    for phone in values.iter().flat_map(|list| list.as_array().unwrap()) {
        if !numbers.contains(&phone["number"]) {
            numbers.push(phone["number"].clone());
        }
    }
    json!(numbers)
}

/// The plain values an answer shows, phones as their numbers.
fn shown(answer: &Answer) -> BTreeMap<&'static str, Value> {
    let mut fields = BTreeMap::new();
    for field in Field::ALL {
        let path = field.path();
        let value = match (answer.view(path), field) {
            ("plain", Field::Phones) => answer
                .value(path)
                .as_array()
                .unwrap()
                .iter()
                .map(|phone| phone["number"].clone())
                .collect(),
            ("plain", _) => answer.value(path).clone(),
            ("absent", _) => continue,
            (view, _) => json!(view),
        };
        fields.insert(path, value);
    }
    fields
}

async fn walk(database: &Database, steps: &[Step]) -> Vec<Map<String, Value>> {
    let app = TestApp::start(database).await;
    let mut model = Model {
        version: 1,
        ..Model::default()
    };
    let guest = app.guest("desk/1", json!({"provenance": "inferred"})).await;
    let path = format!("/v1/guests/{guest}");
    let document = json!({"external_ids": [{"system": "walk", "value": "W-20260305"}], "memberships": [{"program": "CLUB", "number": "W-20260305"}],
        "birth_date": "1980-02-29", "emails": [{"address": "walk@guests.example"}]});
    // Shared identifiers tie the records of all sources to this one guest.
    app.guest("desk/1", json!({"provenance": "inferred", "guest": document}))
        .await;
    model.version += 1;
    let source = app.errand("integration", "booking").await;
    let desk = app.errand("front_desk", "check_in").await;
    let mut seen = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        app.set_clock(&format!("2026-03-05T10:{:02}:{:02}Z", at / 60, at % 60));
        match step {
            Step::Put(system, provenance, at, said) => {
                let (word, trust) = PROVENANCES[*provenance];
                let mut guest = document.clone();
                for (field, said) in Field::ALL.into_iter().zip(said) {
                    let Some(part) = said.document(field) else {
                        continue;
                    };
                    for (path, value) in part.as_object().unwrap() {
                        guest[path] = value.clone();
                    }
                }
                let body = json!({"observed_at": format!("2026-03-04T10:00:{at:02}Z"), "provenance": word, "guest": guest});
                let answer = app
                    .put(
                        &source,
                        &format!("/v1/records/{}/1", SOURCES[*system]),
                        body.clone(),
                    )
                    .await;
                assert!(answer.status == 200, "step {step:?}: {answer:?}");
                assert_eq!(answer.body["guest_id"], guest_id(&path));
                model.put(SOURCES[*system], &body, trust, *at, said);
            }
            Step::Correct(field, value) => {
                let field = Field::ALL[*field];
                let correction = field.document(&value.map_or(Value::Null, |choice| field.value(choice)));
                let answer = app.patch(&desk, &path, correction).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                model.correct(field, *value);
            }
            Step::Consent(given) => {
                let state = if *given { "given" } else { "withdrawn" };
                let said = json!({"purpose": "marketing_direct", "state": state, "channel": "web"});
                let answer = app.post(&desk, &format!("{path}/consents"), said).await;
                assert_eq!(answer.body["state"], state);
                model.consented = *given;
            }
            Step::Stay(in_house) => {
                let status = if *in_house { "checked_in" } else { "cancelled" };
                let stay = json!({"arrival": "2026-03-04", "departure": "2026-03-07", "status": status});
                let answer = app.put(&source, &format!("{path}/stays/R-1"), stay).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                model.version += 1;
                model.in_house = *in_house;
            }
        }
        seen.push(compare(&app, &model, &path, at).await);
    }
    app.finish().await;
    seen
}

fn guest_id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// What the vault shows and what the model believes.
async fn compare(app: &TestApp, model: &Model, path: &str, at: usize) -> Map<String, Value> {
    let believed = |field: Field| model.believed(field);
    let all = |view: &dyn Fn(Field) -> Option<Value>| -> BTreeMap<&'static str, Value> {
        Field::ALL
            .into_iter()
            .filter_map(|field| Some((field.path(), view(field)?)))
            .collect()
    };
    let masked = |field: Field| believed(field).map(|_| json!("masked"));
    let withheld = Some(json!("withheld"));
    let expected = [
        (
            "call_centre",
            "stay_service",
            all(&|field| {
                if field == Field::Phones {
                    masked(field)
                } else {
                    believed(field)
                }
            }),
        ),
        (
            "crm",
            "marketing_direct",
            all(&|field| match (model.consented, field) {
                (false, _) | (_, Field::Smoking) => withheld.clone(),
                (true, Field::Phones) => masked(field),
                (true, Field::Surname) => believed(field),
            }),
        ),
        (
            "housekeeping",
            "stay_service",
            all(&|field| match field {
                Field::Surname => masked(field),
                Field::Smoking if model.in_house => believed(field),
                Field::Smoking | Field::Phones => withheld.clone(),
            }),
        ),
    ];
    let mut seen = Map::new();
    for (role, purpose, fields) in expected {
        let answer = app.get(&app.errand(role, purpose).await, path).await;
        assert_eq!(answer.status, 200, "{role} at step {at}: {answer:?}");
        assert_eq!(
            answer.body["version"], model.version,
            "the version for {role} at step {at}"
        );
        assert_eq!(shown(&answer), fields, "{role} at step {at}");
        seen.insert(role.to_owned(), json!(shown(&answer)));
    }
    let numbers = app
        .post(
            &app.role("duty_manager").await,
            &format!("{path}/reveal"),
            json!({"fields": ["phones"]}),
        )
        .await;
    assert_eq!(
        shown(&numbers).get("phones"),
        believed(Field::Phones).as_ref(),
        "the phones at step {at}"
    );
    seen.insert("phones".to_owned(), json!(shown(&numbers)));
    seen
}

/// Steps from a seed, so that a failure can be walked again.
fn steps(seed: u8, count: usize) -> Vec<Step> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    vec(step(), count).new_tree(&mut runner).expect("steps").current()
}

#[test]
fn all_three_agree_after_every_step_postgres() {
    for seed in 1..=2 {
        let steps = steps(seed, 200);
        let mut here = Vec::new();
        on_sqlite(async |database| here = walk(database, &steps).await);
        let mut there = None;
        crate::support::database::on_postgres(async |database| there = Some(walk(database, &steps).await));
        assert!(here.len() == 200);
        if let Some(there) = there {
            assert_eq!(here, there, "the databases differ");
        }
    }
}
