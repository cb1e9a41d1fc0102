//! Every cell of the role × category matrix against a table of its own.

use std::collections::{HashMap, HashSet};

use super::{SHIPPED, consented};
use crate::base::{Action, Role, StayState, View};

#[path = "../../../tests/support/table.rs"]
mod table;

/// What the table's words are here.
mod vocabulary {
    pub(super) use crate::base::{Action, Category, Purpose, Role, StayState, View};
}

use table::read;

#[test]
fn every_cell_of_the_matrix() {
    let (matrix, policy) = (read(), &SHIPPED);
    let all = policy.catalogue().iter().map(|(at, _)| at).collect();
    let property = "LIS01".parse().unwrap();
    let (mut decisions, mut shown, mut wrong) = (0_u32, 0_u32, Vec::new());
    for (column, short) in matrix.columns.iter().enumerate() {
        let (role, _) = &matrix.roles[short];
        for purpose in policy.purposes().map(|rule| rule.code.clone()) {
            for action in Action::ALL {
                let grant = policy.decide(role, &property, &purpose, action, &all);
                for (stay, own) in StayState::ALL
                    .into_iter()
                    .flat_map(|stay| [(stay, false), (stay, true)])
                {
                    let grant = grant.clone().map(|grant| grant.narrow(&consented(stay, own)));
                    for (at, field) in policy.catalogue().iter() {
                        let path = field.path.as_str();
                        let expected =
                            matrix.expected(column, (path, field.category), (&purpose, action), (stay, own));
                        let decided = grant.as_ref().map_or(View::None, |grant| grant.view(at));
                        decisions += 1;
                        shown += u32::from(decided != View::None);
                        if decided != expected {
                            wrong.push(format!(
                                "{short} {} {path} for {purpose}, {}, own {own}: {expected:?} expected, {decided:?}",
                                action.as_str(),
                                stay.as_str()
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong, first: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(20)]
    );
    assert!(
        decisions > 1_000_000 && shown > 20_000,
        "{decisions} decisions, {shown} shown"
    );
}

#[test]
fn the_fixture_covers_the_policy() {
    let matrix = read();
    let roles: HashSet<&Role> = matrix
        .columns
        .iter()
        .map(|short| &matrix.roles[short].0)
        .collect();
    assert_eq!(roles, SHIPPED.roles().iter().map(|entry| &entry.code).collect());
    assert_eq!(matrix.columns.len(), roles.len());
    let purposes: HashSet<&str> = matrix.ceilings.keys().map(String::as_str).collect();
    assert_eq!(
        purposes,
        SHIPPED.purposes().map(|rule| rule.code.as_str()).collect()
    );
    let paths: HashSet<&str> = SHIPPED
        .catalogue()
        .iter()
        .map(|(_, field)| field.path.as_str())
        .collect();
    for path in matrix
        .rows
        .values()
        .flat_map(HashMap::keys)
        .filter(|path| *path != "*")
    {
        assert!(paths.contains(path.as_str()), "{path} is no field");
    }
    for path in paths {
        assert!(matrix.rows["read"].contains_key(path), "{path} has no row");
    }
}
