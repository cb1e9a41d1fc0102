//! `purposes.toml`: what a caller may be about.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use serde::Deserialize;
use toml::Spanned;

use super::{LegalBasis, PolicyError, PurposeRule, RuleFile, RuleId, Separate, words::line_of};
use crate::base::{Catalogue, Category, Purpose};

const FILE: &str = "purposes.toml";
const THIRD_PARTY: &str = "third_party:";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    description: String,
    legal_basis: LegalBasis,
    needs_consent: bool,
    #[serde(default)]
    break_glass: bool,
    categories: Vec<Category>,
    recipient: Option<String>,
    #[serde(default)]
    bases: BTreeMap<Category, LegalBasis>,
    #[serde(default)]
    separate: BTreeMap<String, Vec<Separate>>,
}

/// Reads the file, in its own order.
///
/// # Errors
/// With the line, when an entry has another shape or contradicts itself.
pub(super) fn parse(text: &str, catalogue: &Catalogue) -> Result<Vec<Arc<PurposeRule>>, PolicyError> {
    let entries: BTreeMap<Spanned<String>, Entry> = toml::from_str(text)
        .map_err(|e| wrong(text, e.span(), format!("{}; see the shipped file", e.message())))?;
    if entries.is_empty() {
        return Err(wrong(
            text,
            None,
            "has no purpose; nothing could be asked for".into(),
        ));
    }
    let mut rules = Vec::new();
    for (code, entry) in entries {
        let at = Some(code.span());
        let problem = |problem: String| {
            wrong(
                text,
                at.clone(),
                format!("purpose `{}`: {problem}", code.as_ref()),
            )
        };
        let purpose: Purpose = code.as_ref().parse().map_err(|e| problem(format!("{e}")))?;
        check(&purpose, &entry).map_err(|e| problem(e.to_owned()))?;
        let resting_on = |basis: LegalBasis| {
            let on = |category| entry.bases.get(&category).copied().unwrap_or(entry.legal_basis) == basis;
            catalogue
                .iter()
                .filter(|(_, field)| on(field.category))
                .map(|(at, _)| at)
                .collect()
        };
        rules.push(Arc::new(PurposeRule {
            by_consent: resting_on(LegalBasis::Consent),
            by_interest: resting_on(LegalBasis::LegitimateInterest),
            code: purpose,
            description: entry.description,
            legal_basis: entry.legal_basis,
            needs_consent: entry.needs_consent,
            break_glass: entry.break_glass,
            recipient: entry.recipient,
            categories: entry.categories,
            bases: entry.bases,
            separate: entry.separate,
            rule: RuleId {
                file: RuleFile::Purposes,
                line: line_of(text, code.span().start),
            },
        }));
    }
    rules.sort_by_key(|rule| rule.rule.line);
    Ok(rules)
}

fn check(purpose: &Purpose, entry: &Entry) -> Result<(), &'static str> {
    let third = purpose.as_str().strip_prefix(THIRD_PARTY);
    match (third, &entry.recipient) {
        (Some(name), Some(recipient)) if name == recipient => {}
        (None, None) => {}
        (Some(_), _) => {
            return Err("a third party's purpose names it: recipient = the part after `third_party:`");
        }
        (None, Some(_)) => {
            return Err("only `third_party:<name>` has a recipient; remove it or rename the purpose");
        }
    }
    if entry
        .bases
        .keys()
        .any(|category| !entry.categories.contains(category))
    {
        return Err("`bases` names a category that `categories` does not");
    }
    let country = |region: &String| region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase());
    if !entry.separate.keys().all(country) {
        return Err("`separate` is by country: two capital letters, such as CN");
    }
    if (entry.legal_basis == LegalBasis::Consent) != entry.needs_consent {
        return Err("legal_basis = \"consent\" and needs_consent = true go together; mend one");
    }
    Ok(())
}

fn wrong(text: &str, at: Option<Range<usize>>, problem: String) -> PolicyError {
    PolicyError::Line {
        file: FILE,
        line: at.map_or(1, |at| line_of(text, at.start)),
        problem,
    }
}
