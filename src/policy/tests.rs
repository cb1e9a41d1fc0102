//! The shipped policy as a whole.

use std::time::Instant;

use super::{
    compile::views,
    engine::{Engine, Question},
    load::Files,
    roles::Roles,
    rules::{Rules, Vocabulary},
    *,
};
use crate::base::{
    Action, FieldIndex, FieldSet, PropertyCode, PropertyKind, PropertyNode, PropertyTree, Role, View,
    Withheld,
};

/// A group with a brand of two hotels and a hotel of its own.
pub(super) fn tree() -> PropertyTree {
    let node = |code: &str, kind, parent: Option<&str>| PropertyNode {
        code: code.parse().unwrap(),
        kind,
        parent: parent.map(|p| p.parse().unwrap()),
        name: String::new(),
        region: None,
        timezone: chrono_tz::UTC,
    };
    PropertyTree::new(vec![
        node("GRP", PropertyKind::Group, None),
        node("SEA", PropertyKind::Brand, Some("GRP")),
        node("LIS01", PropertyKind::Property, Some("SEA")),
        node("OPO01", PropertyKind::Property, Some("SEA")),
        node("VIE01", PropertyKind::Property, Some("GRP")),
    ])
    .unwrap()
}

pub(super) fn shipped() -> Files {
    Files::read(&PolicySource::BuiltIn).unwrap()
}

#[test]
fn the_shipped_policy_loads_quickly() {
    let before = Instant::now();
    let snapshot = Snapshot::load(&PolicySource::BuiltIn, &tree()).unwrap();
    let took = before.elapsed();
    let rows = snapshot.table.rows().count();
    println!("loaded in {took:?}, {rows} rows");
    assert!(rows > 200);
    let before = Instant::now();
    let all: FieldSet = snapshot.catalogue().iter().map(|(at, _)| at).collect();
    let (role, property, purpose) = (
        "front_desk".parse().unwrap(),
        "LIS01".parse().unwrap(),
        "check_in".parse().unwrap(),
    );
    for _ in 0..100_000 {
        std::hint::black_box(snapshot.decide(&role, &property, &purpose, Action::Read, &all));
    }
    println!("decide {:?}", before.elapsed() / 100_000);
    assert!(took.as_secs() < 20, "{took:?}");
}
