//! What is past the latest day that a law sets, as a look at a guest can tell: by its stays, before any run came by.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    base::{Category, PropertyTree},
    guest::{Overdue, Stay},
};

use super::{Drawer, Facts, Rules, facts::stay, plan};

/// Tells which drawers of a guest are past the latest day of some law; nothing when no rule sets such a day.
///
/// Rules that ask for more than stays (nationality, age, memberships, consents, the last word) are kept by runs alone: a
/// look fetches nothing that it was not granted, also not to decide.
#[must_use]
pub fn overdue(rules: &Rules) -> Option<Overdue> {
    let rules = rules.of_stays_alone();
    let drawers: Vec<Drawer> = rules
        .ended()
        .into_iter()
        .map(|category| Drawer {
            category,
            values: 1,
            house: None,
        })
        .collect();
    if drawers.is_empty() {
        return None;
    }
    Some(Arc::new(move |properties, stays, now| {
        let facts = Facts {
            stays: lived(properties, stays, now),
            drawers: drawers.clone(),
            ..Facts::default()
        };
        over(&facts, &rules, now)
    }))
}

fn lived(properties: &PropertyTree, stays: &[Stay], now: DateTime<Utc>) -> Vec<super::StayFact> {
    stays
        .iter()
        .map(|one| stay(properties, &one.property, &one.input, now))
        .collect()
}

/// What laws contradict each other about is for a person, and stays as it is.
fn over(facts: &Facts, rules: &Rules, now: DateTime<Utc>) -> Vec<Category> {
    let today = now.date_naive();
    plan(facts, rules)
        .into_iter()
        .filter(|plan| plan.conflict.is_none())
        .filter(|plan| plan.latest.as_ref().is_some_and(|latest| latest.date <= today))
        .map(|plan| plan.category)
        .filter(|category| *category != Category::Statutory)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::StayFact;

    fn rules(more: &str) -> Rules {
        let rule = |id: &str, categories: &str, more: &str| {
            format!(
                "[[rule]]\nid='{id}'\ncountry='PT'\ncompartment='categories'\ncategories=[{categories}]\n\
                 trigger='departure'\nsource='s'\nas_of='2026-01-01'\nconfidence='low'\n{more}\n"
            )
        };
        let text = rule("short", "'contact'", "guests='all'\nmax={count=10,unit='days'}") + more;
        Rules::read([("x", text.as_str())]).unwrap()
    }

    fn over_on(rules: &Rules, open: bool, day: &str) -> Vec<Category> {
        let drawer = |category| Drawer {
            category,
            values: 1,
            house: None,
        };
        let facts = Facts {
            stays: vec![StayFact {
                property: "LIS01".to_owned(),
                country: "PT".to_owned(),
                province: None,
                arrival: "2026-03-01".parse().unwrap(),
                departure: "2026-03-02".parse().unwrap(),
                acknowledged: None,
                came: true,
                open,
            }],
            drawers: rules.ended().into_iter().map(drawer).collect(),
            ..Facts::default()
        };
        over(&facts, rules, format!("{day}T00:00:00Z").parse().unwrap())
    }

    #[test]
    fn a_drawer_is_over_on_the_latest_day_and_not_before() {
        let rules = rules("");
        assert_eq!(over_on(&rules, false, "2026-03-11"), []);
        assert_eq!(over_on(&rules, false, "2026-03-12"), [Category::Contact]);
    }

    #[test]
    fn what_asks_for_more_than_stays_or_is_contradicted_is_left_to_runs() {
        let foreign = "[[rule]]\nid='f'\ncountry='PT'\ncompartment='categories'\ncategories=['document']\n\
                       guests='foreign'\ntrigger='departure'\nmax={count=1,unit='days'}\nsource='s'\n\
                       as_of='2026-01-01'\nconfidence='low'\n";
        let alone = rules(foreign).of_stays_alone();
        assert_eq!(alone.ended().into_iter().collect::<Vec<_>>(), [Category::Contact]);
        let keep = "[[rule]]\nid='k'\ncountry='PT'\ncompartment='categories'\ncategories=['contact']\n\
                    guests='all'\ntrigger='departure'\nmin={count=20,unit='days'}\nsource='s'\n\
                    as_of='2026-01-01'\nconfidence='low'\n";
        assert_eq!(over_on(&rules(keep), false, "2026-03-12"), []);
        assert!(
            overdue(Rules::shipped()).is_none(),
            "no shipped rule sets an end to a drawer"
        );
    }
}
