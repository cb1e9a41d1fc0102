//! Asks casbin everything that can be asked, once, and lays the answers out as a [`Table`].
//!
//! `enforce` interprets every rule it holds, so each question goes to an enforcer that holds only the rules that could
//! match it, and what no rule tells apart (properties, purposes, fields, stays) is asked once. What decides is still
//! casbin; a property test compares the table with an enforcer that holds all rules.

use std::{collections::HashMap, sync::Arc};

use super::{
    PolicyError, PurposeRule,
    engine::{Engine, Question, named_properties},
    roles::Roles,
    rules::{Effect, NO_VIEW, Rule, Rules, VIEWS},
    table::{Cell, Row, Table},
};
use crate::base::{Action, Catalogue, Field, PropertyCode, PropertyTree, Purpose, Role, StayState, View};

type Stays<T> = [T; StayState::ALL.len()];

/// What a policy is made of.
pub(super) struct Parts<'a> {
    pub(super) model: &'a str,
    pub(super) roles: &'a Roles,
    pub(super) rules: &'a Rules,
    pub(super) purposes: &'a [Arc<PurposeRule>],
    pub(super) catalogue: &'a Catalogue,
    pub(super) tree: &'a PropertyTree,
}

/// The table of a policy, and the enforcer for its rights.
///
/// # Errors
/// When casbin cannot answer one of the questions.
pub(super) fn compile(parts: &Parts<'_>) -> Result<(Table, Engine), PolicyError> {
    let classes = PropertyClasses::new(parts);
    let mut engine = Engine::new(
        parts.model,
        parts.roles,
        parts.rules,
        parts.tree,
        classes.representatives.iter(),
    )?;
    let roles: Vec<Role> = parts.roles.all().cloned().collect();
    let purposes: Vec<Purpose> = parts
        .purposes
        .iter()
        .map(|purpose| purpose.code.clone())
        .collect();
    let mut table = Table::new(&roles, classes.of, &purposes);
    for role in &roles {
        for (class, property) in classes.representatives.iter().enumerate() {
            let rules = parts.rules.fields.iter();
            let rules = rules.filter(|rule| engine.reaches_property(property, &rule.properties));
            let rules: Vec<&Rule> = rules
                .filter(|rule| engine.reaches_role(role, &rule.roles, property))
                .collect();
            for action in Action::ALL {
                let with = |rule: &&&Rule| rule.actions.has(action.as_str());
                let rules: Vec<&Rule> = rules.iter().filter(with).copied().collect();
                let mut ask = Asking {
                    engine: &mut engine,
                    parts,
                    role,
                    property,
                    action,
                    done: HashMap::new(),
                };
                for purpose in &purposes {
                    if let Some(row) = ask.row(purpose, &rules)? {
                        table.set(role, class, purpose, action, row);
                    }
                }
            }
        }
    }
    engine.hold(parts.rules.fields.iter())?;
    Ok((table, engine))
}

/// Properties that no rule and no inheritance tells apart.
struct PropertyClasses {
    of: HashMap<PropertyCode, usize>,
    representatives: Vec<PropertyCode>,
}

impl PropertyClasses {
    fn new(parts: &Parts<'_>) -> Self {
        let named = named_properties(parts.roles, parts.rules);
        let mut seen: HashMap<Vec<PropertyCode>, usize> = HashMap::new();
        let mut classes = Self {
            of: HashMap::new(),
            representatives: Vec::new(),
        };
        for node in parts.tree.iter() {
            let mut above = parts.tree.ancestors(&node.code);
            above.retain(|code| named.contains(code.as_str()));
            let class = *seen.entry(above).or_insert_with(|| {
                classes.representatives.push(node.code.clone());
                classes.representatives.len() - 1
            });
            classes.of.insert(node.code.clone(), class);
        }
        classes
    }
}

/// The questions for one role, property and action.
struct Asking<'a> {
    engine: &'a mut Engine,
    parts: &'a Parts<'a>,
    role: &'a Role,
    property: &'a PropertyCode,
    action: Action,
    /// Rows by the rules that reach a purpose; purposes with the same rules have the same row.
    done: HashMap<Vec<usize>, Arc<Row>>,
}

impl Asking<'_> {
    fn row(&mut self, purpose: &Purpose, rules: &[&Rule]) -> Result<Option<Arc<Row>>, PolicyError> {
        let reach = |(_, rule): &(usize, &&Rule)| rule.purposes.has(purpose.as_str());
        let (key, rules): (Vec<usize>, Vec<&Rule>) = rules
            .iter()
            .enumerate()
            .filter(reach)
            .map(|(at, rule)| (at, *rule))
            .unzip();
        if !rules.iter().any(|rule| rule.effect == Effect::Allow) {
            return Ok(None);
        }
        if let Some(row) = self.done.get(&key) {
            return Ok(Some(Arc::clone(row)));
        }
        self.engine.hold(rules.iter().copied())?;
        let mut classes: HashMap<Vec<usize>, Stays<Cell>> = HashMap::new();
        let mut cells = Vec::with_capacity(self.parts.catalogue.len());
        for (_, field) in self.parts.catalogue.iter() {
            let key = matching(&rules, |rule| rule.fields.has(field.path.as_str()));
            let decided = match classes.get(&key) {
                Some(decided) => *decided,
                None => self.field(purpose, field, &pick(&rules, &key))?,
            };
            classes.insert(key, decided);
            cells.push(decided);
        }
        let row = Arc::new(Row::new(cells));
        self.done.insert(key, Arc::clone(&row));
        Ok(Some(row))
    }

    fn field(
        &mut self,
        purpose: &Purpose,
        field: &Field,
        rules: &[&Rule],
    ) -> Result<Stays<Cell>, PolicyError> {
        let mut decided = [Cell::NOTHING; StayState::ALL.len()];
        let mut classes: HashMap<Vec<usize>, Cell> = HashMap::new();
        for (cell, stay) in decided.iter_mut().zip(StayState::ALL) {
            let key = matching(rules, |rule| rule.stays.has(stay.as_str()));
            *cell = match classes.get(&key) {
                Some(known) => *known,
                None => self.cell(purpose, field, stay, &pick(rules, &key))?,
            };
            classes.insert(key, *cell);
        }
        Ok(decided)
    }

    fn cell(
        &mut self,
        purpose: &Purpose,
        field: &Field,
        stay: StayState,
        rules: &[&Rule],
    ) -> Result<Cell, PolicyError> {
        let mut denied = None;
        for (view, word) in views(self.action) {
            let allows = |rule: &&Rule| rule.effect == Effect::Allow && rule.views.has(word);
            if !rules.iter().any(allows) {
                continue;
            }
            let answer = self.engine.ask(Question {
                role: self.role.as_str(),
                property: self.property.as_str(),
                purpose: purpose.as_str(),
                field: field.path.as_str(),
                action: self.action.as_str(),
                stay: stay.as_str(),
                view: word,
            })?;
            if answer.allowed {
                return Ok(Cell {
                    view,
                    rule: answer.rule,
                });
            }
            denied = denied.or(answer.rule);
        }
        Ok(Cell {
            view: View::None,
            rule: denied,
        })
    }
}

/// What casbin is asked for an action, from most to least open. To write or find by a field is to hold it in plain.
pub(super) fn views(action: Action) -> Vec<(View, &'static str)> {
    match action {
        Action::Read | Action::Export => VIEWS.into_iter().map(|view| (view, view.as_str())).collect(),
        Action::Search | Action::Write => vec![(View::Plain, NO_VIEW)],
    }
}

fn matching(rules: &[&Rule], matches: impl Fn(&Rule) -> bool) -> Vec<usize> {
    rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| matches(rule))
        .map(|(at, _)| at)
        .collect()
}

fn pick<'r>(rules: &[&'r Rule], at: &[usize]) -> Vec<&'r Rule> {
    at.iter().filter_map(|at| rules.get(*at)).copied().collect()
}
