//! The rules as they are written in `policies/retention`.

use std::sync::OnceLock;

use chrono::{Datelike as _, Days, Months, NaiveDate};
use serde::Deserialize;

use crate::base::Category;

use super::{Compartment, StayFact};

/// The shipped packs.
const SHIPPED: [(&str, &str); 9] = [
    ("at.toml", include_str!("../../policies/retention/at.toml")),
    ("cz.toml", include_str!("../../policies/retention/cz.toml")),
    ("de.toml", include_str!("../../policies/retention/de.toml")),
    ("es.toml", include_str!("../../policies/retention/es.toml")),
    ("fr.toml", include_str!("../../policies/retention/fr.toml")),
    ("gb.toml", include_str!("../../policies/retention/gb.toml")),
    ("jp.toml", include_str!("../../policies/retention/jp.toml")),
    ("pt.toml", include_str!("../../policies/retention/pt.toml")),
    ("us.toml", include_str!("../../policies/retention/us.toml")),
];

/// What a span is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    Days,
    Months,
    Years,
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    count: u32,
    unit: Unit,
}

impl Span {
    /// The day this long after; the last of the month where there is no such day.
    #[must_use]
    pub fn after(self, day: NaiveDate) -> Option<NaiveDate> {
        match self.unit {
            Unit::Days => day.checked_add_days(Days::new(self.count.into())),
            Unit::Months => day.checked_add_months(Months::new(self.count)),
            Unit::Years => day.checked_add_months(Months::new(self.count.checked_mul(12)?)),
        }
    }
}

/// What a span counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Trigger {
    Arrival,
    Departure,
    DepartureYearEnd,
}

/// Whom a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Guests {
    All,
    Foreign,
}

/// One duty of one law.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name.
    pub id: String,
    country: String,
    #[serde(default)]
    province: Option<String>,
    /// Which copy it is about.
    pub compartment: Compartment,
    /// Which drawers, for [`Compartment::Categories`].
    #[serde(default)]
    pub categories: Vec<Category>,
    guests: Guests,
    #[serde(default)]
    from_age: Option<u32>,
    trigger: Trigger,
    /// Not gone before.
    #[serde(default)]
    pub min: Option<Span>,
    /// Gone by.
    #[serde(default)]
    pub max: Option<Span>,
    #[serde(default)]
    valid_from: Option<NaiveDate>,
    #[serde(default)]
    valid_to: Option<NaiveDate>,
    #[serde(default = "yes")]
    enabled: bool,
    /// Where it is written.
    pub source: String,
    /// As of when.
    pub as_of: NaiveDate,
    /// How sure.
    pub confidence: String,
}

const fn yes() -> bool {
    true
}

impl Rule {
    /// The day its spans count from for this stay of this guest; `None` when it is not about it.
    #[must_use]
    pub fn begins(
        &self,
        stay: &StayFact,
        nationality: Option<&str>,
        born: Option<NaiveDate>,
    ) -> Option<NaiveDate> {
        let here =
            self.country == stay.country && (self.province.is_none() || self.province == stay.province);
        let then = self.valid_from.is_none_or(|from| stay.arrival >= from)
            && self.valid_to.is_none_or(|to| stay.arrival < to);
        let whom = match self.guests {
            Guests::All => true,
            Guests::Foreign => nationality != Some(self.country.as_str()),
        };
        let old_enough = match (self.from_age, born) {
            (Some(age), Some(born)) => stay.arrival.years_since(born).is_some_and(|years| years >= age),
            // Whose age nobody knows is kept as one the rule is about: too long can be mended, too short cannot.
            _ => true,
        };
        if !(self.enabled && stay.came && here && then && whom && old_enough) {
            return None;
        }
        match self.trigger {
            Trigger::Arrival => Some(stay.arrival),
            Trigger::Departure => Some(stay.departure),
            Trigger::DepartureYearEnd => NaiveDate::from_ymd_opt(stay.departure.year(), 12, 31),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

/// All rules.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

impl Rules {
    /// The shipped ones.
    #[must_use]
    pub fn shipped() -> &'static Self {
        static ONES: OnceLock<Rules> = OnceLock::new();
        ONES.get_or_init(|| {
            Self::read(SHIPPED).unwrap_or_else(|error| {
                // A test reads the same texts, so that no program is built that ends here.
                tracing::error!(%error, "the shipped retention rules do not read; nothing is swept");
                Self::default()
            })
        })
    }

    /// The rules of these files.
    ///
    /// # Errors
    /// Which file, and what is wrong with it.
    pub fn read<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<Self, String> {
        let mut rules = Vec::new();
        for (name, text) in files {
            let file: File = toml::from_str(text).map_err(|error| format!("{name}: {error}"))?;
            for rule in &file.rule {
                let ends = rule.min.is_some() || rule.max.is_some();
                let placed = (rule.compartment == Compartment::Categories) != rule.categories.is_empty();
                if !ends || !placed || rule.source.is_empty() {
                    return Err(format!("{name}: rule {}: incomplete", rule.id));
                }
            }
            rules.extend(file.rule);
        }
        Ok(Self { rules })
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_read_and_name_their_sources() {
        let rules = Rules::read(SHIPPED).unwrap();
        assert!(rules.iter().count() >= 10);
        for rule in rules.iter() {
            assert!(
                ["high", "medium", "low"].contains(&rule.confidence.as_str()),
                "{}",
                rule.id
            );
        }
    }

    #[test]
    fn half_a_rule_is_refused() {
        let text = "[[rule]]\nid='x'\ncountry='DE'\ncompartment='register'\nguests='all'\ntrigger='arrival'\n\
                    source='s'\nas_of='2026-01-01'\nconfidence='low'\n";
        assert!(Rules::read([("x", text)]).is_err());
        assert!(Rules::read([("x", format!("{text}max={{count=1,unit='days'}}").as_str())]).is_ok());
    }
}
