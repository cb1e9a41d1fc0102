//! Table and casbin say the same: random questions to the table and to an enforcer that holds all rules.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use proptest::{prelude::*, sample::select};

use super::{files, tree, with_rules};
use crate::{
    base::{Action, FieldIndex, PropertyTree, Role, StayState, View},
    policy::{
        Snapshot,
        compile::views,
        engine::{Engine, Question},
        purposes,
        roles::Roles,
        rules::{Rules, Vocabulary},
        table::Cell,
    },
};

/// Rules and inheritance that tell properties apart, so that the classes of properties are tried too.
const BY_PROPERTY: &str = "
allow, housekeeping, LIS01, check_in, preferences, read, *, plain
deny, front_desk, SEA, *, phones|emails, read, in_house, reveal|plain
allow, front_desk, SEA, *, phones|emails, read, in_house, masked
deny, *, VIE01, *, C3, read, past, *
";
const INHERITANCE: &str = "\ng, concierge, front_desk, SEA\ng, concierge, service_specialist, *\n";

/// A snapshot and an enforcer with every rule at every property.
fn both() -> (Snapshot, Engine, PropertyTree) {
    let (mut files, tree) = (with_rules(BY_PROPERTY), tree());
    files.roles = format!(
        "{}\nrole, concierge, CO, half desk half service{INHERITANCE}",
        files.roles
    );
    let snapshot = Snapshot::compile(files.clone(), &tree).unwrap();
    let roles = Roles::parse(&files.roles, &tree).unwrap();
    let purposes = purposes::parse(&files.purposes, snapshot.catalogue()).unwrap();
    let words = Vocabulary {
        roles: &roles,
        tree: &tree,
        purposes: &purposes,
        catalogue: snapshot.catalogue(),
    };
    let rules = Rules::parse(&files.rules, &words).unwrap();
    let everywhere = tree.iter().map(|node| &node.code);
    let engine = Engine::new(&files.model, &roles, &rules, &tree, everywhere).unwrap();
    (snapshot, engine, tree)
}

/// What casbin says, asked view by view.
fn by_casbin(engine: &mut Engine, of: &Question<'_>, action: Action) -> Cell {
    let mut denied = None;
    for (view, word) in views(action) {
        let answer = engine.ask(Question { view: word, ..*of }).unwrap();
        if answer.allowed {
            return Cell {
                view,
                rule: answer.rule,
            };
        }
        denied = denied.or(answer.rule);
    }
    Cell {
        view: View::None,
        rule: denied,
    }
}

#[test]
fn table_and_casbin_agree() {
    let (snapshot, engine, tree) = both();
    let engine = RefCell::new(engine);
    let roles: Vec<Role> = snapshot.roles.all().cloned().collect();
    let properties: Vec<_> = tree.iter().map(|node| node.code.clone()).collect();
    let purposes: Vec<_> = snapshot.purposes().map(|rule| rule.code.clone()).collect();
    let fields: Vec<FieldIndex> = snapshot.catalogue().iter().map(|(at, _)| at).collect();
    let question = (
        (select(roles), select(properties), select(purposes)),
        (
            select(fields),
            select(Action::ALL.to_vec()),
            select(StayState::ALL.to_vec()),
        ),
    );
    let config = ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(((role, property, purpose), (field, action, stay)) in question)| {
        let path = snapshot.catalogue().get(field).unwrap().path.clone();
        let asked = Question {
            role: role.as_str(),
            property: property.as_str(),
            purpose: purpose.as_str(),
            field: path.as_str(),
            action: action.as_str(),
            stay: stay.as_str(),
            view: "",
        };
        let casbin = by_casbin(&mut engine.borrow_mut(), &asked, action);
        let row = snapshot.table.row(&role, &property, &purpose, action);
        let table = row.map_or(Cell::NOTHING, |row| row.cell(field, stay));
        prop_assert_eq!(table.view, casbin.view, "{:?}", asked);
        // Where nothing is allowed the table does not ask who else would have denied it.
        if casbin.view != View::None {
            prop_assert_eq!(table.rule, casbin.rule, "{:?}", asked);
        }
    });
}

#[test]
fn properties_are_told_apart_only_where_a_rule_does() {
    use StayState::{Arriving, InHouse};

    let (snapshot, ..) = both();
    let view = |role: &str, property: &str, purpose: &str, path: &str, stay| {
        let (at, _) = snapshot.catalogue().find(path).unwrap();
        let (role, property, purpose) = (
            role.parse().unwrap(),
            property.parse().unwrap(),
            purpose.parse().unwrap(),
        );
        let row = snapshot.table.row(&role, &property, &purpose, Action::Read);
        row.map_or(View::None, |row| row.cell(at, stay).view)
    };
    assert_eq!(
        view("front_desk", "VIE01", "check_in", "phones", InHouse),
        View::Reveal
    );
    assert_eq!(
        view("front_desk", "GRP", "check_in", "phones", InHouse),
        View::Reveal
    );
    assert_eq!(
        view("front_desk", "LIS01", "check_in", "phones", InHouse),
        View::Masked
    );
    assert_eq!(
        view("front_desk", "SEA", "check_in", "phones", InHouse),
        View::Masked
    );
    assert_eq!(
        view("front_desk", "OPO01", "check_in", "phones", Arriving),
        View::Reveal
    );
    assert_eq!(
        view("housekeeping", "LIS01", "check_in", "preferences.room", InHouse),
        View::Plain
    );
    assert_eq!(
        view("housekeeping", "OPO01", "check_in", "preferences.room", InHouse),
        View::None
    );
    assert_eq!(
        view("concierge", "LIS01", "check_in", "gender", InHouse),
        View::Plain
    );
    assert_eq!(
        view("concierge", "VIE01", "check_in", "gender", InHouse),
        View::None
    );
    assert_eq!(
        view("concierge", "VIE01", "stay_service", "gender", InHouse),
        View::Flag
    );
}

#[test]
fn loading_and_deciding_are_quick() {
    let before = Instant::now();
    let snapshot = Snapshot::compile(files(), &tree()).unwrap();
    let loaded = before.elapsed();
    let all = snapshot.catalogue().iter().map(|(at, _)| at).collect();
    let (role, property, purpose) = (
        "front_desk".parse().unwrap(),
        "LIS01".parse().unwrap(),
        "check_in".parse().unwrap(),
    );
    let before = Instant::now();
    for _ in 0..10_000 {
        std::hint::black_box(snapshot.decide(&role, &property, &purpose, Action::Read, &all));
    }
    let decided = before.elapsed() / 10_000;
    println!("loaded in {loaded:?}, decided in {decided:?}");
    // Generous: an unoptimised build on a busy machine.
    assert!(loaded < Duration::from_secs(20), "{loaded:?}");
    assert!(decided < Duration::from_micros(200), "{decided:?}");
}
