//! `consent.toml`: what differs from country to country when guests are asked. Data with its source, not code.

use std::path::Path;

use chrono::{DateTime, Months, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::policy::LegalBasis;

const FILE: &str = "consent.toml";
const BUILT_IN: &str = include_str!("../../policies/consent.toml");

/// The rules of all countries.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    reask: Vec<Reask>,
    child: Vec<Child>,
    clause: Vec<Clauses>,
}

/// Where a row comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct Source {
    /// The text.
    #[schema(max_length = 400)]
    pub source: String,
    /// As of when.
    pub as_of: NaiveDate,
    /// `text`, `secondary` or `choice`.
    #[schema(max_length = 20)]
    pub confidence: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Reask {
    regions: Vec<String>,
    months: u32,
    #[serde(flatten)]
    source: Source,
}

#[derive(Debug, Clone, Deserialize)]
struct Child {
    regions: Vec<String>,
    below: u32,
    #[serde(flatten)]
    source: Source,
}

/// The clauses that grounds stand for in a country.
#[derive(Debug, Clone, Deserialize)]
struct Clauses {
    regions: Vec<String>,
    consent: String,
    separate_consent: String,
    contract: String,
    legal_obligation: String,
    vital_interest: String,
    legitimate_interest: String,
    withdrawal: String,
    changed_terms: String,
    #[serde(flatten)]
    source: Source,
}

/// What a decision stood on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// A ground of `purposes.toml`.
    Basis(LegalBasis),
    /// A separate consent.
    Separate,
    /// A no.
    No,
    /// Other terms than those agreed to.
    ChangedTerms,
}

/// Why the rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The file cannot be read.
    #[error("{FILE} cannot be read")]
    Read(#[from] std::io::Error),
    /// The file has another shape.
    #[error("{FILE}: {0}; see the shipped file")]
    Shape(String),
    /// No row says what holds elsewhere.
    #[error("{FILE}: [[{0}]] needs a last row with `regions = []` for all other countries")]
    NoRest(&'static str),
}

impl Rules {
    /// The rules of a folder of policies, or those built in.
    ///
    /// # Errors
    /// When the file is there and cannot be used.
    pub fn load(folder: Option<&Path>) -> Result<Self, RulesError> {
        let own = folder
            .map(|folder| folder.join(FILE))
            .filter(|file| file.exists());
        match own {
            Some(file) => Self::parse(&std::fs::read_to_string(file)?),
            None => Self::parse(BUILT_IN),
        }
    }

    fn parse(text: &str) -> Result<Self, RulesError> {
        let rules: Self = toml::from_str(text).map_err(|e| RulesError::Shape(e.message().to_owned()))?;
        let rest = |regions: Option<&Vec<String>>| regions.is_some_and(Vec::is_empty);
        for (name, regions) in [
            ("reask", rules.reask.last().map(|r| &r.regions)),
            ("child", rules.child.last().map(|r| &r.regions)),
            ("clause", rules.clause.last().map(|r| &r.regions)),
        ] {
            if !rest(regions) {
                return Err(RulesError::NoRest(name));
            }
        }
        Ok(rules)
    }

    /// From when on a guest who said no at this moment may be asked again, and why.
    #[must_use]
    pub fn ask_again(&self, region: &str, refused: DateTime<Utc>) -> (DateTime<Utc>, Option<&Source>) {
        let row = row(&self.reask, region, |r| &r.regions);
        let months = row.map_or(0, |r| r.months);
        // A date that the calendar does not have is never.
        let from = refused
            .checked_add_months(Months::new(months))
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        (from, row.map(|r| &r.source))
    }

    /// Whether somebody born on this day needs a guardian on that one.
    #[must_use]
    pub fn is_child(&self, region: &str, born: NaiveDate, today: NaiveDate) -> bool {
        let below = row(&self.child, region, |r| &r.regions).map_or(0, |r| r.below);
        let age = today.years_since(born).unwrap_or(0);
        age < below
    }

    /// Below which age a guardian agrees.
    #[must_use]
    pub fn child_below(&self, region: &str) -> (u32, Option<&Source>) {
        let row = row(&self.child, region, |r| &r.regions);
        (row.map_or(0, |r| r.below), row.map(|r| &r.source))
    }

    /// The clause of a ground.
    #[must_use]
    pub fn clause(&self, region: &str, ground: Ground) -> (&str, Option<&Source>) {
        let Some(row) = row(&self.clause, region, |r| &r.regions) else {
            return ("", None);
        };
        let clause = match ground {
            Ground::Basis(LegalBasis::Consent) => &row.consent,
            Ground::Basis(LegalBasis::Contract) => &row.contract,
            Ground::Basis(LegalBasis::LegalObligation) => &row.legal_obligation,
            Ground::Basis(LegalBasis::VitalInterest) => &row.vital_interest,
            Ground::Basis(LegalBasis::LegitimateInterest) => &row.legitimate_interest,
            Ground::Separate => &row.separate_consent,
            Ground::No => &row.withdrawal,
            Ground::ChangedTerms => &row.changed_terms,
        };
        (clause, Some(&row.source))
    }
}

/// The first row that names the region, else the one for the rest.
fn row<'r, T>(rows: &'r [T], region: &str, regions: impl Fn(&T) -> &Vec<String>) -> Option<&'r T> {
    let named = |r: &&T| regions(r).iter().any(|code| code == region);
    rows.iter()
        .find(named)
        .or_else(|| rows.iter().find(|r| regions(r).is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> Rules {
        Rules::load(None).unwrap()
    }

    #[test]
    fn every_country_has_its_rule_and_the_rest_one_too() {
        let rules = built_in();
        let no: DateTime<Utc> = "2026-01-31T12:00:00Z".parse().unwrap();
        let again = |region: &str| rules.ask_again(region, no).0.to_rfc3339();
        assert_eq!(again("CN"), "2027-01-31T12:00:00+00:00");
        assert_eq!(again("PT"), "2026-07-31T12:00:00+00:00");
        assert_eq!(again("ZZ"), "2026-07-31T12:00:00+00:00");
        assert_eq!(rules.child_below("CN").0, 14);
        assert_eq!(rules.child_below("DE").0, 16);
        assert!(
            rules
                .clause("CN", Ground::Basis(LegalBasis::Consent))
                .0
                .starts_with("PIPL")
        );
        assert!(rules.clause("FR", Ground::No).0.starts_with("GDPR"));
    }

    #[test]
    fn a_child_is_one_until_its_birthday() {
        let rules = built_in();
        let (born, day) = ("2012-03-05".parse().unwrap(), |d: &str| d.parse().unwrap());
        assert!(rules.is_child("CN", born, day("2026-03-04")));
        assert!(!rules.is_child("CN", born, day("2026-03-05")));
        assert!(rules.is_child("DE", born, day("2026-03-05")));
    }

    #[test]
    fn every_row_says_where_it_comes_from() {
        let rules = built_in();
        let sources = rules.reask.iter().map(|r| &r.source);
        let sources = sources.chain(rules.child.iter().map(|r| &r.source));
        for source in sources.chain(rules.clause.iter().map(|r| &r.source)) {
            assert!(!source.source.is_empty());
            assert!(["text", "secondary", "choice"].contains(&source.confidence.as_str()));
        }
        assert!(matches!(
            Rules::parse("reask = []\nchild = []\nclause = []"),
            Err(RulesError::NoRest(_))
        ));
        assert!(matches!(Rules::parse("x = 1"), Err(RulesError::Shape(_))));
    }
}
