//! What a caller may see: the one way to it leads through [`Snapshot::decide`](super::Snapshot::decide).

use std::sync::Arc;

use super::{ConsentAnswer, Facts, PurposeRule, RuleId, Version, table::Row};
use crate::base::{Action, ConsentId, FieldIndex, FieldSet, View, Withheld};

/// What the policy lets a caller do with some fields, for one purpose at one property.
///
/// Fresh from [`Snapshot::decide`](super::Snapshot::decide) it knows every stay a guest could have: [`Grant::columns`]
/// says what may be fetched, and every view is still [`View::None`]. [`Grant::narrow`] binds it to one guest.
#[derive(Debug, Clone)]
pub struct Grant {
    row: Arc<Row>,
    own: Option<Arc<Row>>,
    purpose: Arc<PurposeRule>,
    version: Version,
    action: Action,
    wanted: FieldSet,
    facts: Option<Facts>,
}

/// What a grant is made of; see [`super::Snapshot`].
pub(super) struct Terms {
    pub(super) row: Arc<Row>,
    /// The row that holds when the guest is the caller's own.
    pub(super) own: Option<Arc<Row>>,
    pub(super) purpose: Arc<PurposeRule>,
    pub(super) version: Version,
    pub(super) action: Action,
    pub(super) wanted: FieldSet,
}

impl Grant {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            row: terms.row,
            own: terms.own,
            purpose: terms.purpose,
            version: terms.version,
            action: terms.action,
            wanted: terms.wanted,
            facts: None,
        }
    }

    /// The fields that may be fetched: before [`Grant::narrow`] those that some stay (or the caller's own guest)
    /// could show, afterwards those that this guest's facts do show.
    #[must_use]
    pub fn columns(&self) -> FieldSet {
        let Some(facts) = self.facts else {
            let ever = self
                .own
                .as_ref()
                .map_or(*self.row.ever(), |own| own.ever().union(self.row.ever()));
            return self.wanted.intersection(&ever);
        };
        let shown = self.wanted.intersection(self.chosen(&facts).shown(facts.stay));
        if !self.purpose.asks_the_ledger() {
            return shown;
        }
        shown.iter().filter(|at| !self.lacks_consent(*at)).collect()
    }

    /// Of those, the fields that it holds for whoever's guest it is: all that may be written before it is known about whom.
    #[must_use]
    pub fn columns_of_anybody(&self) -> FieldSet {
        self.wanted.intersection(self.row.ever())
    }

    /// The grant for one guest. Narrowing again replaces the facts; consent can only take views away.
    #[must_use]
    pub fn narrow(mut self, facts: &Facts) -> Self {
        self.facts = Some(*facts);
        self
    }

    /// How the field may be shown for this guest; [`View::None`] before [`Grant::narrow`].
    #[must_use]
    pub fn view(&self, field: FieldIndex) -> View {
        if self.lacks_consent(field) {
            return View::None;
        }
        self.policy_view(field)
    }

    /// Why the field is withheld; [`None`] when it is shown.
    #[must_use]
    pub fn withheld(&self, field: FieldIndex) -> Option<Withheld> {
        if self.view(field) != View::None {
            return None;
        }
        let Some(facts) = self.facts else {
            return Some(Withheld::Policy);
        };
        if self.policy_view(field) != View::None {
            return Some(Withheld::Consent);
        }
        if !self.wanted.contains(field) {
            return Some(Withheld::Policy);
        }
        let foreign = self.own.as_ref().filter(|_| !facts.portfolio);
        Some(
            if foreign.is_some_and(|own| own.shown(facts.stay).contains(field)) {
                Withheld::Portfolio
            } else if self.chosen(&facts).ever().contains(field) {
                Withheld::StayWindow
            } else if foreign.is_some_and(|own| own.ever().contains(field)) {
                Withheld::Portfolio
            } else {
                Withheld::Policy
            },
        )
    }

    /// Whether the caller may know that the guest exists: some field of the catalogue, wanted or not, has a view at
    /// this stay. A missing consent withholds values, not existence. `false` before [`Grant::narrow`].
    #[must_use]
    pub fn visible(&self) -> bool {
        self.facts
            .is_some_and(|facts| !self.chosen(&facts).shown(facts.stay).is_empty())
    }

    /// The rule that decided the field for this guest: the one that allows it, or the one that denies it. [`None`]
    /// when no rule speaks of it, or before [`Grant::narrow`].
    #[must_use]
    pub fn rule(&self, field: FieldIndex) -> Option<RuleId> {
        let facts = self.facts?;
        self.chosen(&facts).cell(field, facts.stay).rule
    }

    /// The fields that were asked for.
    #[must_use]
    pub fn wanted(&self) -> &FieldSet {
        &self.wanted
    }

    /// What was asked to be done.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The version of the policy that decided.
    #[must_use]
    pub fn policy_version(&self) -> &str {
        &self.version
    }

    /// The purpose it holds for.
    #[must_use]
    pub fn purpose(&self) -> &PurposeRule {
        &self.purpose
    }

    /// Whether nothing may be shown without a consent.
    #[must_use]
    pub fn needs_consent(&self) -> bool {
        self.purpose.needs_consent
    }

    /// The line of the ledger that keeps something of this grant back: a no to what rests on consent or on a
    /// legitimate interest.
    #[must_use]
    pub fn objection(&self) -> Option<ConsentId> {
        match self.facts?.consent {
            ConsentAnswer::Objected(id) => Some(id),
            _ => None,
        }
    }

    /// The consent it rests on, where the purpose needs one and the facts named one.
    #[must_use]
    pub fn consent_id(&self) -> Option<ConsentId> {
        match self.facts?.consent {
            ConsentAnswer::Given(id) if !self.purpose.by_consent.is_empty() => Some(id),
            _ => None,
        }
    }

    /// Whether the guest counted as the caller's own.
    #[must_use]
    pub fn portfolio(&self) -> bool {
        self.facts.is_some_and(|facts| facts.portfolio)
    }

    fn chosen(&self, facts: &Facts) -> &Row {
        self.own.as_ref().filter(|_| facts.portfolio).unwrap_or(&self.row)
    }

    fn policy_view(&self, field: FieldIndex) -> View {
        match self.facts {
            Some(facts) if self.wanted.contains(field) => self.chosen(&facts).cell(field, facts.stay).view,
            _ => View::None,
        }
    }

    /// `NotNeeded` for what rests on consent is a caller's mistake and must not open anything.
    fn lacks_consent(&self, field: FieldIndex) -> bool {
        let said = self.facts.map(|facts| facts.consent);
        let given = matches!(said, Some(ConsentAnswer::Given(_)));
        let objected = matches!(said, Some(ConsentAnswer::Objected(_)));
        (self.purpose.needs_consent || self.purpose.by_consent.contains(field)) && !given
            || self.purpose.by_interest.contains(field) && objected
    }
}
