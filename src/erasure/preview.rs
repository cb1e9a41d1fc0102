//! What an erasure would do now: facts, rules and holds in, fates out. Pure.

use chrono::NaiveDate;

use crate::{
    base::Category,
    retention::{CategoryPlan, Facts, read, sql::HoldRow},
};

use super::{CategoryFate, Fate, Preview};

/// The rule's name of an open stay; see the retention engine.
const CONTRACT: &str = "contract";

/// The fates of all drawers on this day.
pub(super) fn preview(
    facts: &Facts,
    plans: &[CategoryPlan],
    holds: &[HoldRow],
    (audit, merged): (bool, u64),
    today: NaiveDate,
) -> Preview {
    let holds: Vec<&HoldRow> = holds.iter().filter(|hold| hold.is_about(&facts.stays)).collect();
    let mut categories: Vec<CategoryFate> = plans.iter().map(|plan| fate(plan, &holds, today)).collect();
    let register = |fate: &CategoryFate| fate.category == Category::Statutory && fate.fate == Fate::Restrict;
    let whole = categories
        .iter()
        .all(|fate| fate.fate == Fate::Erase || register(fate));
    if audit {
        categories.push(CategoryFate {
            category: Category::Audit,
            values: 0,
            fate: if whole { Fate::Erase } else { Fate::Keep },
            ground: (!whole).then(|| "other_drawers".to_owned()),
            source: None,
            until: None,
        });
    }
    Preview {
        categories,
        whole,
        open_stay: facts.stays.iter().any(|stay| stay.open),
        merged,
        do_not_contact: false,
    }
}

fn fate(plan: &CategoryPlan, holds: &[&HoldRow], today: NaiveDate) -> CategoryFate {
    let told = |fate, ground: Option<&str>, source: Option<String>, until| CategoryFate {
        category: plan.category,
        values: plan.values,
        fate,
        ground: ground.map(ToOwned::to_owned),
        source,
        until,
    };
    let holds_it =
        |hold: &&&HoldRow| hold.categories.is_empty() || read(&hold.categories).contains(&plan.category);
    if let Some(hold) = holds.iter().find(holds_it) {
        let source = Some(format!("hold {}", hold.hold_id));
        return told(
            Fate::Keep,
            Some(&hold.ground),
            source,
            hold.review_on.parse().ok(),
        );
    }
    match &plan.earliest {
        // On the day itself it may go: the term is over when the day begins.
        Some(limit) if limit.rule == CONTRACT && limit.date >= today => told(
            Fate::Keep,
            Some(CONTRACT),
            Some(limit.source.clone()),
            Some(limit.date),
        ),
        Some(limit) if limit.rule != CONTRACT && limit.date > today => {
            let fate = if plan.category == Category::Statutory {
                Fate::Restrict
            } else {
                Fate::Keep
            };
            let source = format!("{}: {}", limit.rule, limit.source);
            told(fate, Some("legal_obligation"), Some(source), Some(limit.date))
        }
        _ => told(Fate::Erase, None, None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::{Drawer, Rules, StayFact, plan};

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn facts(open: bool) -> Facts {
        let drawer = |category| Drawer {
            category,
            values: 1,
            house: None,
        };
        Facts {
            stays: vec![StayFact {
                property: "LIS01".to_owned(),
                country: "DE".to_owned(),
                province: None,
                acknowledged: None,
                arrival: day("2026-03-01"),
                departure: day("2026-03-07"),
                came: true,
                open,
            }],
            nationality: Some("CN".to_owned()),
            drawers: vec![drawer(Category::Contact), drawer(Category::Marketing)],
            ..Facts::default()
        }
    }

    fn told(facts: &Facts, today: &str) -> Preview {
        let plans = plan(facts, Rules::shipped());
        preview(facts, &plans, &[], (true, 0), day(today))
    }

    #[test]
    fn who_is_in_the_house_keeps_what_the_stay_needs() {
        let now = told(&facts(true), "2026-03-05");
        assert!(!now.whole && now.open_stay);
        assert_eq!(now.doomed(), [Category::Marketing]);
        let kept = &now.categories[0];
        assert_eq!(
            (kept.fate, kept.ground.as_deref()),
            (Fate::Keep, Some("contract"))
        );
        assert_eq!(kept.until, Some(day("2026-03-07")));
    }

    #[test]
    fn afterwards_all_goes_but_the_registers_copy_until_its_day() {
        let after = told(&facts(false), "2026-03-08");
        assert!(after.whole && after.keeps_register());
        assert_eq!(after.doomed().len(), Category::ALL.len() - 1);
        assert!(!after.doomed().contains(&Category::Statutory));
        let later = told(&facts(false), "2027-03-07");
        assert!(later.whole && !later.keeps_register());
        assert_eq!(later.doomed().len(), Category::ALL.len());
    }
}
