//! What of a guest has had its time. Pure.

use chrono::NaiveDate;

use crate::{
    base::{Category, FieldPath},
    retention::{CategoryPlan, Facts},
};

use super::{Fate, Preview};

/// The drawers that the guest register copies from.
pub(super) const FOR_THE_REGISTER: [Category; 4] = [
    Category::Identity,
    Category::Demographic,
    Category::Contact,
    Category::Document,
];

/// What of a guest has had its time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// All of it, but for the register's copy.
    pub whole: bool,
    /// Drawers, with how many values lie in each.
    pub drawers: Vec<(Category, u64)>,
    /// Fields of drawers that stay.
    pub fields: Vec<FieldPath>,
    /// Whether the register's copy has to be made before.
    pub register: bool,
    /// Whether rules contradict each other about it: for a person to decide.
    pub conflict: bool,
}

impl Due {
    /// What is over on this day, of what a preview lets go: nothing that is held, needed for a stay, or that a law wants
    /// kept.
    pub(super) fn of(facts: &Facts, plans: &[CategoryPlan], told: &Preview, as_of: NaiveDate) -> Self {
        let may_go = |category: Category| {
            let mut fates = told.categories.iter();
            fates.any(|fate| fate.category == category && fate.fate == Fate::Erase)
        };
        let over = |plan: &&CategoryPlan| {
            let latest = plan.latest.as_ref().is_some_and(|latest| latest.date <= as_of);
            latest && plan.conflict.is_none() && plan.values > 0
        };
        let filled: Vec<&CategoryPlan> = plans
            .iter()
            .filter(|plan| plan.category != Category::Statutory && plan.values > 0)
            .collect();
        let drawers: Vec<(Category, u64)> = filled
            .iter()
            .copied()
            .filter(|plan| may_go(plan.category))
            .filter(over)
            .map(|plan| (plan.category, plan.values))
            .collect();
        let whole = told.whole && !filled.is_empty() && drawers.len() == filled.len();
        let gone = |category: Category| drawers.iter().any(|(one, _)| *one == category);
        let kept = |category: Category| {
            let plan = plans.iter().find(|plan| plan.category == category);
            plan.is_some_and(|plan| plan.conflict.is_some())
        };
        let terms = facts.fields.iter().filter(|term| {
            let past = term.house.is_some_and(|day| day <= as_of);
            past && may_go(term.category) && !gone(term.category) && !kept(term.category)
        });
        let terms: Vec<_> = terms.collect();
        let copied = |category: Category| FOR_THE_REGISTER.contains(&category);
        let register = told.keeps_register()
            && (drawers.iter().any(|(category, _)| copied(*category))
                || terms.iter().any(|term| copied(term.category)));
        Self {
            whole,
            register,
            fields: terms.iter().map(|term| term.field.clone()).collect(),
            conflict: plans.iter().any(|plan| plan.conflict.is_some()),
            drawers,
        }
    }

    /// What of it was not over before.
    pub(super) fn beyond(&self, before: &Self) -> Self {
        let known = |category: Category| before.drawers.iter().any(|(one, _)| *one == category);
        Self {
            whole: self.whole && !before.whole,
            drawers: self
                .drawers
                .iter()
                .filter(|(category, _)| !known(*category))
                .copied()
                .collect(),
            fields: self
                .fields
                .iter()
                .filter(|field| !before.fields.contains(field))
                .cloned()
                .collect(),
            ..Self::default()
        }
    }

    /// Whether nothing is over.
    pub(super) const fn is_empty(&self) -> bool {
        self.drawers.is_empty() && self.fields.is_empty()
    }

    /// The drawers.
    pub(super) fn categories(&self) -> Vec<Category> {
        self.drawers.iter().map(|(category, _)| *category).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::preview::preview, *};
    use crate::retention::{Drawer, FieldTerm, Rules, StayFact, plan};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn facts() -> Facts {
        let drawer = |category, house| Drawer {
            category,
            values: 2,
            house: Some(day(house)),
        };
        Facts {
            stays: vec![StayFact {
                property: "LIS01".to_owned(),
                country: "PT".to_owned(),
                province: None,
                arrival: day("2026-01-10"),
                departure: day("2026-01-12"),
                acknowledged: None,
                came: true,
                open: false,
            }],
            nationality: Some("CN".to_owned()),
            drawers: vec![
                drawer(Category::Document, "2026-02-11"),
                drawer(Category::Identity, "2028-01-12"),
            ],
            fields: vec![FieldTerm {
                field: "name.alias".parse().unwrap(),
                category: Category::Identity,
                house: Some(day("2026-02-11")),
            }],
            ..Facts::default()
        }
    }

    fn due(facts: &Facts, today: &str) -> Due {
        let plans = plan(facts, Rules::shipped());
        let told = preview(facts, &plans, &[], (true, 0), day(today));
        Due::of(facts, &plans, &told, day(today))
    }

    #[test]
    fn what_is_over_goes_and_the_registers_copy_is_made_before() {
        assert!(due(&facts(), "2026-02-10").is_empty());
        let now = due(&facts(), "2026-02-11");
        assert_eq!(now.categories(), [Category::Document]);
        assert_eq!(now.fields.first().map(FieldPath::as_str), Some("name.alias"));
        assert!(now.register && !now.whole);
        let last = due(&facts(), "2028-01-12");
        assert!(last.whole && !last.register);
    }

    #[test]
    fn an_open_stay_keeps_what_it_needs() {
        let mut facts = facts();
        facts.stays[0].open = true;
        facts.stays[0].departure = day("2026-03-01");
        assert!(due(&facts, "2026-02-20").is_empty());
    }
}
