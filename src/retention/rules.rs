//! The rules as they are written in `policies/retention`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::Path,
    sync::OnceLock,
};

use chrono::{Datelike as _, Days, Months, NaiveDate};
use serde::Deserialize;

use crate::base::Category;

use super::{Compartment, Facts, StayFact};

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
    /// The register's entry is made on arrival.
    #[serde(alias = "entry")]
    Arrival,
    Departure,
    Acknowledged,
    DepartureYearEnd,
    LastActivity,
    MembershipEnd,
    ConsentWithdrawn,
}

impl Trigger {
    /// Whether each stay begins it; otherwise the guest as a whole does.
    const fn is_of_a_stay(self) -> bool {
        !matches!(
            self,
            Self::LastActivity | Self::MembershipEnd | Self::ConsentWithdrawn
        )
    }
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

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = match self.unit {
            Unit::Days => "days",
            Unit::Months => "months",
            Unit::Years => "years",
        };
        write!(f, "{} {unit}", self.count)
    }
}

impl Rule {
    /// Where it holds: a country, or a province of it.
    #[must_use]
    pub fn place(&self) -> String {
        self.province.clone().unwrap_or_else(|| self.country.clone())
    }

    /// Whether it only asks for a guest's stays, whoever the guest is.
    fn is_of_a_stay_alone(&self) -> bool {
        self.trigger.is_of_a_stay() && self.guests == Guests::All && self.from_age.is_none()
    }
}

const fn yes() -> bool {
    true
}

/// Everywhere.
const ANYWHERE: &str = "*";

impl Rule {
    /// The day its spans count from for this guest: each stay, and each word that it is about, begins it anew.
    #[must_use]
    pub fn begin(&self, facts: &Facts) -> Option<NaiveDate> {
        if self.trigger.is_of_a_stay() {
            let begins = |stay: &StayFact| self.begins(stay, facts.nationality.as_deref(), facts.born);
            return facts.stays.iter().filter_map(begins).max();
        }
        let day = match self.trigger {
            Trigger::LastActivity => facts.last_activity,
            Trigger::MembershipEnd => facts.membership_end,
            Trigger::ConsentWithdrawn => facts.consent_withdrawn,
            _ => None,
        }?;
        let about = |stay: &StayFact| self.is_about(stay, facts.nationality.as_deref(), facts.born);
        let whom = self.country == ANYWHERE || facts.stays.iter().any(about);
        (self.enabled && whom && self.holds_on(day)).then_some(day)
    }

    /// The day its spans count from for this stay of this guest; `None` when it is not about it.
    #[must_use]
    pub fn begins(
        &self,
        stay: &StayFact,
        nationality: Option<&str>,
        born: Option<NaiveDate>,
    ) -> Option<NaiveDate> {
        if !(self.enabled && self.is_about(stay, nationality, born) && self.holds_on(stay.arrival)) {
            return None;
        }
        match self.trigger {
            Trigger::Arrival => Some(stay.arrival),
            Trigger::Departure => Some(stay.departure),
            // Until it is, it is taken to come with the departure.
            Trigger::Acknowledged => Some(stay.acknowledged.unwrap_or(stay.departure)),
            Trigger::DepartureYearEnd => NaiveDate::from_ymd_opt(stay.departure.year(), 12, 31),
            Trigger::LastActivity | Trigger::MembershipEnd | Trigger::ConsentWithdrawn => None,
        }
    }

    fn is_about(&self, stay: &StayFact, nationality: Option<&str>, born: Option<NaiveDate>) -> bool {
        let here = self.country == ANYWHERE
            || self.country == stay.country && (self.province.is_none() || self.province == stay.province);
        let whom = match self.guests {
            Guests::All => true,
            Guests::Foreign => nationality != Some(stay.country.as_str()),
        };
        let old_enough = match (self.from_age, born) {
            (Some(age), Some(born)) => stay.arrival.years_since(born).is_some_and(|years| years >= age),
            // Whose age nobody knows is kept as one the rule is about: too long can be mended, too short cannot.
            _ => true,
        };
        stay.came && here && whom && old_enough
    }

    fn holds_on(&self, day: NaiveDate) -> bool {
        self.valid_from.is_none_or(|from| day >= from) && self.valid_to.is_none_or(|to| day < to)
    }

    /// What is wrong with it, if anything is.
    fn fault(&self) -> Option<&'static str> {
        let letters = |text: &str, count: usize| {
            text.len() == count && text.bytes().all(|byte| byte.is_ascii_uppercase())
        };
        let province = |text: &String| {
            let rest = text
                .strip_prefix(self.country.as_str())
                .and_then(|rest| rest.strip_prefix('-'));
            rest.is_some_and(|rest| (1..=3).contains(&rest.len()))
        };
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        // A span is measured from a day that has all of its months' days ahead.
        let from = NaiveDate::from_ymd_opt(2025, 1, 1);
        let length = |span: Option<Span>| from.and_then(|day| span?.after(day));
        let of_register = self.compartment == Compartment::Register;
        let reserved = [Category::Statutory, Category::Audit];
        let faults = [
            (
                !(1..=80).contains(&self.id.len()) || !self.id.bytes().all(word),
                "`id` must be 1 to 80 of a-z, 0-9 and -",
            ),
            (
                self.country != ANYWHERE && !letters(&self.country, 2),
                "`country` must be an ISO 3166-1 code such as `DE`, or `*`",
            ),
            (
                !self.province.as_ref().is_none_or(province),
                "`province` must be an ISO 3166-2 code of its country such as `US-MA`",
            ),
            (
                self.min.is_none() && self.max.is_none(),
                "needs `min`, `max` or both",
            ),
            (
                self.min.is_some() && length(self.min).is_none()
                    || self.max.is_some() && length(self.max).is_none(),
                "a span reaches past the end of the calendar",
            ),
            (
                length(self.min)
                    .zip(length(self.max))
                    .is_some_and(|(min, max)| min > max),
                "`min` is longer than `max`",
            ),
            (
                of_register != self.categories.is_empty(),
                "`categories` goes with the compartment `categories`, and only with it",
            ),
            (
                self.categories.iter().any(|category| reserved.contains(category)),
                "`categories` cannot name `statutory` or `audit`",
            ),
            (
                of_register && !self.trigger.is_of_a_stay(),
                "the register's copy counts from a stay: choose another `trigger`",
            ),
            (
                self.valid_from
                    .zip(self.valid_to)
                    .is_some_and(|(from, to)| from >= to),
                "`valid_from` must lie before `valid_to`",
            ),
            (
                self.source.trim().is_empty() || self.source.chars().count() > 500,
                "`source` must say where it is written, in 1 to 500 characters",
            ),
            (
                !["high", "medium", "low"].contains(&self.confidence.as_str()),
                "`confidence` must be high, medium or low",
            ),
        ];
        faults.into_iter().find(|(wrong, _)| *wrong).map(|(_, what)| what)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

/// The rules cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("retention rules, {0}; see policies/retention/README.md")]
pub struct RulesError(String);

impl RulesError {
    fn new(file: &str, what: impl fmt::Display) -> Self {
        Self(format!("{file}: {what}"))
    }
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

    /// The shipped rules, and those of the folder `retention` in a folder of policies: a file of the same name takes a
    /// shipped one's place, others are added.
    ///
    /// # Errors
    /// Which file, and what is wrong with it: a vault does not start on rules that it does not understand.
    pub fn load(policies: Option<&Path>) -> Result<Self, RulesError> {
        let Some(folder) = policies
            .map(|dir| dir.join("retention"))
            .filter(|dir| dir.is_dir())
        else {
            return Self::read(SHIPPED);
        };
        let broken =
            |path: &Path, error: &std::io::Error| RulesError::new(&path.display().to_string(), error);
        let mut files: BTreeMap<String, String> = SHIPPED
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        for entry in fs::read_dir(&folder).map_err(|error| broken(&folder, &error))? {
            let path = entry.map_err(|error| broken(&folder, &error))?.path();
            if path.extension().is_some_and(|end| end == "toml") {
                let text = fs::read_to_string(&path).map_err(|error| broken(&path, &error))?;
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                files.insert(name, text);
            }
        }
        Self::read(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// These rules with those of another file: one of the same name gives way to it.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn with(&self, text: &str) -> Result<Self, RulesError> {
        let new = Self::read([("the new rules", text)])?;
        let named = |rule: &&Rule| new.iter().all(|other| other.id != rule.id);
        let mut rules: Vec<Rule> = self.iter().filter(named).cloned().collect();
        rules.extend(new.rules);
        Ok(Self { rules })
    }

    /// The rules of these files.
    ///
    /// # Errors
    /// Which file, and what is wrong with it.
    pub fn read<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<Self, RulesError> {
        let mut rules: Vec<Rule> = Vec::new();
        for (name, text) in files {
            let file: File = toml::from_str(text).map_err(|error| RulesError::new(name, error.message()))?;
            for rule in file.rule {
                let fault = if rules.iter().any(|other| other.id == rule.id) {
                    Some("there is another rule of this `id`")
                } else {
                    rule.fault()
                };
                if let Some(fault) = fault {
                    return Err(RulesError::new(name, format_args!("rule {}: {fault}", rule.id)));
                }
                rules.push(rule);
            }
        }
        Ok(Self { rules })
    }

    /// Those that only ask for a guest's stays, whoever the guest is.
    #[must_use]
    pub fn of_stays_alone(&self) -> Self {
        let alone = |rule: &&Rule| rule.enabled && rule.is_of_a_stay_alone();
        Self {
            rules: self.iter().filter(alone).cloned().collect(),
        }
    }

    /// Whether any sets an end to a drawer by more than a guest's stays.
    #[must_use]
    pub fn ask_for_more(&self) -> bool {
        let mut ends = self
            .iter()
            .filter(|rule| rule.enabled && rule.max.is_some() && !rule.categories.is_empty());
        ends.any(|rule| !rule.is_of_a_stay_alone())
    }

    /// The drawers that some rule sets an end to.
    #[must_use]
    pub fn ended(&self) -> BTreeSet<Category> {
        let ends = self.iter().filter(|rule| rule.max.is_some());
        ends.flat_map(|rule| rule.categories.iter().copied()).collect()
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

    const RULE: &str = "[[rule]]\nid='x'\ncountry='DE'\ncompartment='register'\nguests='all'\ntrigger='arrival'\n\
                        max={count=1,unit='days'}\nsource='s'\nas_of='2026-01-01'\nconfidence='low'\n";

    #[test]
    fn a_rule_that_cannot_be_kept_is_refused_by_name() {
        assert!(Rules::read([("x.toml", RULE)]).is_ok());
        for (from, to, said) in [
            ("max={count=1,unit='days'}", "", "needs `min`"),
            ("'arrival'", "'whenever'", "unknown variant"),
            ("'DE'", "'Germany'", "ISO 3166-1"),
            ("country='DE'", "country='DE'\nprovince='US-MA'", "ISO 3166-2"),
            ("max=", "min={count=2,unit='days'}\nmax=", "longer than `max`"),
            ("'arrival'", "'membership_end'", "another `trigger`"),
            ("'register'", "'categories'", "`categories` goes with"),
            ("'low'", "'sure'", "`confidence`"),
            ("'s'", "' '", "`source`"),
            (
                "id='x'",
                "id='x'\nvalid_from='2026-01-01'\nvalid_to='2026-01-01'",
                "`valid_from`",
            ),
            ("id='x'", "id='x'\ncolour='red'", "unknown field"),
        ] {
            let text = RULE.replace(from, to);
            let error = Rules::read([("x.toml", text.as_str())]).unwrap_err().to_string();
            assert!(error.contains("x.toml") && error.contains(said), "{error}");
        }
        let twice = Rules::read([("x.toml", RULE), ("y.toml", RULE)])
            .unwrap_err()
            .to_string();
        assert!(
            twice.contains("y.toml") && twice.contains("another rule"),
            "{twice}"
        );
    }

    #[test]
    fn the_operators_folder_replaces_by_name_and_adds() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("retention");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("de.toml"), RULE.replace("'x'", "'de-own'")).unwrap();
        fs::write(
            own.join("cn-31.toml"),
            RULE.replace("'x'", "'cn-own'").replace("DE", "CN"),
        )
        .unwrap();
        let rules = Rules::load(Some(folder.path())).unwrap();
        let has = |id: &str| rules.iter().any(|rule| rule.id == id);
        assert!(has("de-own") && has("cn-own") && has("pt-boletim") && !has("de-meldeschein"));
        fs::write(own.join("cn-31.toml"), "[[rule]]\nid = 3\n").unwrap();
        let error = Rules::load(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("cn-31.toml"), "{error}");
        let none = Rules::load(Some(&folder.path().join("nowhere"))).unwrap();
        assert_eq!(none.iter().count(), Rules::shipped().iter().count());
        let changed = Rules::shipped()
            .with(&RULE.replace("'x'", "'pt-boletim'"))
            .unwrap();
        assert_eq!(changed.iter().count(), none.iter().count());
    }
}
