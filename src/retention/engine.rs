//! From facts and rules to dates. Pure.

use chrono::NaiveDate;

use crate::base::Category;

use super::{CategoryPlan, Compartment, Conflict, Facts, Limit, RegisterFact, Rule, Rules};

/// The name under which the house's own terms appear.
const HOUSE: &str = "house";
/// The name under which an open stay appears.
const CONTRACT: &str = "contract";

/// What an open stay needs.
const FOR_A_STAY: [Category; 6] = [
    Category::Identity,
    Category::Demographic,
    Category::Contact,
    Category::Document,
    Category::Finance,
    Category::Stay,
];

/// How long each drawer that holds anything is kept, and the register's copy where some law asks for one.
#[must_use]
pub fn plan(facts: &Facts, rules: &Rules) -> Vec<CategoryPlan> {
    let mut plans: Vec<CategoryPlan> = facts
        .drawers
        .iter()
        .filter(|drawer| drawer.category != Category::Statutory)
        .map(|drawer| {
            let mut dates = Dates {
                house: drawer.house.map(house),
                ..Dates::default()
            };
            for rule in rules
                .iter()
                .filter(|rule| rule.categories.contains(&drawer.category))
            {
                dates.rule(rule, facts);
            }
            if FOR_A_STAY.contains(&drawer.category) {
                dates.not_before(open_until(facts));
            }
            dates.plan(drawer.category, drawer.values)
        })
        .collect();
    let mut register = Dates::default();
    for rule in rules
        .iter()
        .filter(|rule| rule.compartment == Compartment::Register)
    {
        register.rule(rule, facts);
    }
    if let Some(copy) = &facts.register {
        register.copy(copy);
    }
    let kept = facts
        .drawers
        .iter()
        .find(|drawer| drawer.category == Category::Statutory);
    if register.keep.is_some() || register.gone.is_some() || kept.is_some() {
        plans.push(register.plan(Category::Statutory, kept.map_or(0, |drawer| drawer.values)));
    }
    plans
}

fn house(date: NaiveDate) -> Limit {
    Limit {
        date,
        rule: HOUSE.to_owned(),
        source: "policies/fields.toml".to_owned(),
    }
}

/// Until when an open stay needs what it needs.
fn open_until(facts: &Facts) -> Option<Limit> {
    let last = facts
        .stays
        .iter()
        .filter(|stay| stay.open)
        .map(|stay| stay.departure)
        .max()?;
    Some(Limit {
        date: last,
        rule: CONTRACT.to_owned(),
        source: "the contract of an open stay".to_owned(),
    })
}

#[derive(Default)]
struct Dates {
    keep: Option<Limit>,
    gone: Option<Limit>,
    house: Option<Limit>,
}

impl Dates {
    /// Not before the later of all.
    fn not_before(&mut self, limit: Option<Limit>) {
        if let Some(limit) = limit
            && self.keep.as_ref().is_none_or(|keep| keep.date < limit.date)
        {
            self.keep = Some(limit);
        }
    }

    /// By the earlier of all.
    fn until(&mut self, limit: Option<Limit>) {
        if let Some(limit) = limit
            && self.gone.as_ref().is_none_or(|gone| gone.date > limit.date)
        {
            self.gone = Some(limit);
        }
    }

    /// A rule over all stays: each one begins it anew, so its own dates are those of the latest.
    fn rule(&mut self, rule: &Rule, facts: &Facts) {
        let Some(begin) = rule.begin(facts) else { return };
        let limit = |date: NaiveDate| Limit {
            date,
            rule: rule.id.clone(),
            source: rule.source.clone(),
        };
        self.not_before(rule.min.and_then(|span| span.after(begin)).map(limit));
        self.until(rule.max.and_then(|span| span.after(begin)).map(limit));
    }

    /// A copy that is there keeps the dates that it was made with: the rules may not show any more, when what they ask
    /// about is gone. Of two copies the longer kept one decides, with both of its dates.
    fn copy(&mut self, copy: &RegisterFact) {
        if self.keep.as_ref().is_none_or(|keep| keep.date < copy.keep.date) {
            self.keep = Some(copy.keep.clone());
            self.gone.clone_from(&copy.gone);
        }
    }

    /// The house's own term gives way to a duty; two laws that contradict each other are for a person.
    fn plan(self, category: Category, values: u64) -> CategoryPlan {
        let Self { keep, gone, house } = self;
        let conflict = match (&keep, &gone) {
            (Some(keep), Some(drop)) if keep.date > drop.date && keep.rule != CONTRACT => Some(Conflict {
                keep: keep.clone(),
                drop: drop.clone(),
            }),
            _ => None,
        };
        let mut latest = match (gone, house) {
            (Some(law), Some(house)) if house.date < law.date => Some(house),
            (law, house) => law.or(house),
        };
        if let (Some(keep), Some(drop), None) = (&keep, &latest, &conflict)
            && keep.date > drop.date
        {
            latest = Some(keep.clone());
        }
        CategoryPlan {
            category,
            values,
            earliest: keep,
            latest,
            conflict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Drawer, StayFact},
        *,
    };

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn stay(country: &str, arrival: &str, departure: &str) -> StayFact {
        StayFact {
            property: "LIS01".to_owned(),
            country: country.to_owned(),
            province: None,
            acknowledged: None,
            arrival: day(arrival),
            departure: day(departure),
            came: true,
            open: false,
        }
    }

    fn facts(nationality: &str, stays: Vec<StayFact>) -> Facts {
        Facts {
            stays,
            nationality: Some(nationality.to_owned()),
            drawers: vec![Drawer {
                category: Category::Contact,
                values: 2,
                house: Some(day("2027-01-01")),
            }],
            ..Facts::default()
        }
    }

    fn register(facts: &Facts) -> Option<(NaiveDate, Option<NaiveDate>)> {
        let all = plan(facts, Rules::shipped());
        let plan = all
            .into_iter()
            .find(|plan| plan.category == Category::Statutory)?;
        Some((plan.earliest?.date, plan.latest.map(|limit| limit.date)))
    }

    #[test]
    fn germany_keeps_foreigners_forms_a_year_and_no_longer_than_fifteen_months() {
        let here = |nationality| register(&facts(nationality, vec![stay("DE", "2026-02-27", "2026-03-04")]));
        assert_eq!(here("CN"), Some((day("2027-03-04"), Some(day("2027-06-04")))));
        assert_eq!(here("DE"), None);
        let before = facts("DE", vec![stay("DE", "2024-12-30", "2025-01-02")]);
        assert_eq!(
            register(&before),
            Some((day("2026-01-02"), Some(day("2026-04-02"))))
        );
    }

    #[test]
    fn a_later_stay_begins_anew_and_an_open_one_holds_the_contract() {
        let mut two = facts(
            "CN",
            vec![
                stay("AT", "2024-02-29", "2024-03-02"),
                stay("AT", "2026-01-05", "2026-01-06"),
            ],
        );
        assert_eq!(register(&two), Some((day("2033-01-05"), Some(day("2033-01-05")))));
        two.stays[1].open = true;
        let all = plan(&two, Rules::shipped());
        let contact = &all[0];
        assert_eq!(contact.earliest.as_ref().unwrap().rule, "contract");
        assert_eq!(contact.latest.as_ref().unwrap().date, day("2027-01-01"));
    }

    #[test]
    fn laws_that_contradict_each_other_are_raised() {
        let rules = Rules::read([(
            "x",
            "[[rule]]\nid='a'\ncountry='DE'\ncompartment='categories'\ncategories=['contact']\nguests='all'\n\
             trigger='arrival'\nmin={count=2,unit='years'}\nsource='s'\nas_of='2026-01-01'\nconfidence='low'\n\
             [[rule]]\nid='b'\ncountry='DE'\ncompartment='categories'\ncategories=['contact']\nguests='all'\n\
             trigger='arrival'\nmax={count=1,unit='years'}\nsource='s'\nas_of='2026-01-01'\nconfidence='low'\n",
        )])
        .unwrap();
        let all = plan(&facts("CN", vec![stay("DE", "2026-02-27", "2026-03-04")]), &rules);
        let conflict = all[0].conflict.as_ref().unwrap();
        assert_eq!(
            (conflict.keep.rule.as_str(), conflict.drop.rule.as_str()),
            ("a", "b")
        );
    }
}
