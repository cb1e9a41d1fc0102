//! Every cell of the role × category matrix against a table of its own.

use std::collections::{HashMap, HashSet};

use super::{SHIPPED, consented};
use crate::base::{Action, Category, Purpose, Role, StayState, View};

const MATRIX: &str = include_str!("../../../tests/fixtures/matrix.csv");

/// What the fixture says, before it is expanded.
#[derive(Default)]
struct Matrix {
    /// Short name → code and purposes.
    roles: HashMap<String, (Role, HashSet<String>)>,
    ceilings: HashMap<String, HashSet<String>>,
    columns: Vec<String>,
    /// Action → path → cells; `*` stands for what no row names.
    rows: HashMap<String, HashMap<String, Vec<String>>>,
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().map(str::to_owned)
}

fn read() -> Matrix {
    let mut matrix = Matrix::default();
    for line in MATRIX
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let columns: Vec<&str> = line.split(',').collect();
        match columns[0] {
            "role" => {
                let role = (columns[2].parse().unwrap(), words(columns[3]).collect());
                matrix.roles.insert(columns[1].to_owned(), role);
            }
            "purpose" => {
                matrix
                    .ceilings
                    .insert(columns[1].to_owned(), words(columns[2]).collect());
            }
            "roles" => matrix.columns = columns[1..].iter().map(|short| (*short).to_owned()).collect(),
            action => {
                assert_eq!(columns.len(), matrix.columns.len() + 2, "{line}");
                for path in words(columns[1]) {
                    let cells = columns[2..].iter().map(|cell| (*cell).to_owned()).collect();
                    let before = matrix
                        .rows
                        .entry(action.to_owned())
                        .or_default()
                        .insert(path.clone(), cells);
                    assert!(before.is_none(), "{action} {path} is given twice");
                }
            }
        }
    }
    matrix
}

/// Whether `@scope` holds.
fn holds(scope: &str, stay: StayState, own: bool) -> bool {
    use StayState::{Arriving, Booked, Departed, InHouse};
    match scope {
        "in" => matches!(stay, Arriving | InHouse | Departed),
        "bk" => matches!(stay, Booked | Arriving | InHouse),
        "win" => matches!(stay, Arriving | InHouse),
        "own" => own,
        _ => panic!("no such scope: {scope}"),
    }
}

fn view(letter: &str) -> View {
    match letter {
        "-" => View::None,
        "P" | "Y" => View::Plain,
        "R" => View::Reveal,
        "M" => View::Masked,
        "F" => View::Flag,
        "T" => View::Token,
        _ => panic!("no such letter: {letter}"),
    }
}

fn expected(cell: &str, purpose: &str, stay: StayState, own: bool) -> View {
    for alternative in cell.split('/') {
        let (rest, purposes) = match alternative.split_once(':') {
            Some((rest, purposes)) => (rest, Some(purposes)),
            None => (alternative, None),
        };
        let (letter, scope) = rest.split_once('@').map_or((rest, None), |(l, s)| (l, Some(s)));
        let about = purposes.is_none_or(|purposes| purposes.split('+').any(|one| one == purpose));
        if about && scope.is_none_or(|scope| holds(scope, stay, own)) {
            return view(letter);
        }
    }
    View::None
}

impl Matrix {
    fn cell(&self, action: Action, path: &str, column: usize) -> &str {
        let rows = &self.rows[action.as_str()];
        let row = rows
            .get(path)
            .or_else(|| rows.get("*"))
            .unwrap_or_else(|| panic!("{} {path} is missing", action.as_str()));
        &row[column]
    }

    fn expected(
        &self,
        column: usize,
        (path, category): (&str, Category),
        (purpose, action): (&Purpose, Action),
        (stay, own): (StayState, bool),
    ) -> View {
        let (_, purposes) = &self.roles[&self.columns[column]];
        let within = self.ceilings[purpose.as_str()].contains(category.as_str());
        // A ceiling is about showing; what a source knows is stored whole.
        if !purposes.contains(purpose.as_str()) || !(within || action == Action::Write) {
            return View::None;
        }
        expected(self.cell(action, path, column), purpose.as_str(), stay, own)
    }
}

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
