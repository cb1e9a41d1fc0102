//! The compiled table: what casbin decided, laid out for look-ups.

use std::{collections::HashMap, sync::Arc};

use super::RuleId;
use crate::base::{Action, FieldIndex, FieldSet, PropertyCode, Purpose, Role, StayState, View};

/// One decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    /// The most open view allowed.
    pub(super) view: View,
    /// The rule that allows it; for [`View::None`] the rule that denies it, if one does.
    pub(super) rule: Option<RuleId>,
}

impl Cell {
    /// What no rule speaks of.
    pub(super) const NOTHING: Self = Self {
        view: View::None,
        rule: None,
    };
}

/// All decisions for one role, property class, purpose and action: field by stay.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    cells: Vec<[Cell; StayState::ALL.len()]>,
    shown: [FieldSet; StayState::ALL.len()],
    ever: FieldSet,
}

impl Row {
    /// A row of these decisions, one array per field in catalogue order.
    pub(super) fn new(cells: Vec<[Cell; StayState::ALL.len()]>) -> Self {
        let fields = |shows: &dyn Fn(&[Cell; StayState::ALL.len()]) -> bool| {
            let shown = cells.iter().enumerate().filter(|(_, of)| shows(of));
            shown
                .filter_map(|(at, _)| u16::try_from(at).ok().map(FieldIndex))
                .collect::<FieldSet>()
        };
        let at =
            |stay: StayState| fields(&|of| of.get(stay.index()).is_some_and(|cell| cell.view != View::None));
        let shown = StayState::ALL.map(at);
        let ever = fields(&|of| of.iter().any(|cell| cell.view != View::None));
        Self { cells, shown, ever }
    }

    /// The decision on a field at a stay.
    pub(super) fn cell(&self, field: FieldIndex, stay: StayState) -> Cell {
        let of = self.cells.get(usize::from(field.0));
        of.and_then(|of| of.get(stay.index()))
            .copied()
            .unwrap_or(Cell::NOTHING)
    }

    /// The fields that have a view at this stay.
    pub(super) fn shown(&self, stay: StayState) -> &FieldSet {
        self.shown.get(stay.index()).unwrap_or(&self.ever)
    }

    /// The fields that have a view at some stay.
    pub(super) fn ever(&self) -> &FieldSet {
        &self.ever
    }

    /// Every decision.
    pub(super) fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        self.cells.iter().flatten().copied()
    }
}

/// Rows by position: role, property class, purpose, action.
#[derive(Debug, Default)]
pub(super) struct Table {
    roles: HashMap<Role, usize>,
    properties: HashMap<PropertyCode, usize>,
    purposes: HashMap<Purpose, usize>,
    classes: usize,
    rows: Vec<Option<Arc<Row>>>,
}

impl Table {
    /// An empty table of these dimensions; `properties` gives each property's class.
    pub(super) fn new(
        roles: &[Role],
        properties: HashMap<PropertyCode, usize>,
        purposes: &[Purpose],
    ) -> Self {
        let classes = properties.values().max().map_or(0, |most| most + 1);
        Self {
            roles: roles.iter().cloned().zip(0..).collect(),
            properties,
            purposes: purposes.iter().cloned().zip(0..).collect(),
            classes,
            rows: vec![None; roles.len() * classes * purposes.len() * Action::ALL.len()],
        }
    }

    /// Puts a row in its place.
    pub(super) fn set(
        &mut self,
        role: &Role,
        class: usize,
        purpose: &Purpose,
        action: Action,
        row: Arc<Row>,
    ) {
        let at = self.position(role, class, purpose, action);
        if let Some(place) = at.and_then(|at| self.rows.get_mut(at)) {
            *place = Some(row);
        }
    }

    /// The row for a question; [`None`] when no rule lets this role do this at all, or a word is unknown.
    pub(super) fn row(
        &self,
        role: &Role,
        property: &PropertyCode,
        purpose: &Purpose,
        action: Action,
    ) -> Option<&Arc<Row>> {
        let class = *self.properties.get(property)?;
        let at = self.position(role, class, purpose, action)?;
        self.rows.get(at)?.as_ref()
    }

    /// Whether the property is of the tree the table was made for.
    pub(super) fn knows(&self, property: &PropertyCode) -> bool {
        self.properties.contains_key(property)
    }

    /// Every row there is.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.iter().flatten()
    }

    fn position(&self, role: &Role, class: usize, purpose: &Purpose, action: Action) -> Option<usize> {
        let (role, purpose) = (*self.roles.get(role)?, *self.purposes.get(purpose)?);
        let row = (role * self.classes + class) * self.purposes.len() + purpose;
        Some(row * Action::ALL.len() + action.index())
    }
}
