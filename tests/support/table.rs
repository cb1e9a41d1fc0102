//! The role × category matrix of the guest schema as a table of its own, transcribed by hand. The policy's tests and the
//! tests over HTTP both expand it, so this file takes the vault's words from whoever includes it.

use std::collections::{HashMap, HashSet};

use super::vocabulary::{Action, Category, Purpose, Role, StayState, View};

const MATRIX: &str = include_str!("../fixtures/matrix.csv");

/// What the fixture says, before it is expanded.
#[derive(Default)]
pub(crate) struct Matrix {
    /// Short name → code and purposes.
    pub(crate) roles: HashMap<String, (Role, HashSet<String>)>,
    pub(crate) ceilings: HashMap<String, HashSet<String>>,
    pub(crate) columns: Vec<String>,
    /// Purpose of an emergency → short names and fields: plain at any stay state, and nothing else for it.
    pub(crate) opened: HashMap<String, (HashSet<String>, HashSet<String>)>,
    /// Action → path → cells; `*` stands for what no row names.
    pub(crate) rows: HashMap<String, HashMap<String, Vec<String>>>,
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().map(str::to_owned)
}

/// Reads the fixture.
pub(crate) fn read() -> Matrix {
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
            "opened" => {
                let (roles, fields) = (words(columns[2]).collect(), words(columns[3]).collect());
                matrix.opened.insert(columns[1].to_owned(), (roles, fields));
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

    /// What the cell of a role's column amounts to for a purpose and action, a stay, and whose guest it is.
    pub(crate) fn expected(
        &self,
        column: usize,
        (path, category): (&str, Category),
        (purpose, action): (&Purpose, Action),
        (stay, own): (StayState, bool),
    ) -> View {
        let (_, purposes) = &self.roles[&self.columns[column]];
        let within = self.ceilings[purpose.as_str()].contains(category.as_str());
        if let Some((roles, fields)) = self.opened.get(purpose.as_str()) {
            let shown =
                action == Action::Read && roles.contains(&self.columns[column]) && fields.contains(path);
            return if shown { View::Plain } else { View::None };
        }
        // A ceiling is about showing; what a source knows is stored whole.
        if !purposes.contains(purpose.as_str()) || !(within || action == Action::Write) {
            return View::None;
        }
        expected(self.cell(action, path, column), purpose.as_str(), stay, own)
    }
}
