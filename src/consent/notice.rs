//! What guests are told before they are asked: notices, their versions and their terms. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::is_code;
use crate::{
    base::{Category, NoticeId, PrincipalId, Purpose},
    crypto::sha256,
};

/// The longest text of a notice, in bytes.
const LONGEST_TEXT: usize = 100_000;
/// The longest other text, in characters.
const LONGEST: usize = 400;
/// The most members of a list.
const MOST: usize = 100;

/// Who is answerable for the processing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Controller {
    /// Legal name.
    #[schema(max_length = 400)]
    pub name: String,
    /// Postal address.
    #[schema(max_length = 400)]
    pub address: String,
    /// Where guests write to.
    #[schema(max_length = 400)]
    pub contact: String,
}

/// Somebody who receives data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// The code that consents name.
    #[schema(max_length = 40)]
    pub code: String,
    /// Name.
    #[schema(max_length = 400)]
    pub name: String,
    /// How guests reach them (PIPL Art. 23).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 400)]
    pub contact: Option<String>,
    /// ISO 3166-1 alpha-2 of where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2)]
    pub country: Option<String>,
}

/// A notice as it is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeInput {
    /// What it asks for.
    pub purpose: Purpose,
    /// BCP 47: `de`, `zh-Hans` …
    #[schema(max_length = 35)]
    pub language: String,
    /// What the guest reads, to the byte.
    #[schema(max_length = 100_000)]
    pub text: String,
    /// Who is answerable.
    pub controller: Controller,
    /// Who else receives data.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub recipients: Vec<Recipient>,
    /// Which kinds of data.
    #[schema(min_items = 1, max_items = 100)]
    pub categories: Vec<Category>,
    /// For how long: an ISO 8601 duration such as `P24M`.
    #[schema(max_length = 20)]
    pub retention: String,
    /// How data is processed: codes such as `store`, `use`, `profile`, `transmit`.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub methods: Vec<String>,
    /// The rights it tells of: codes such as `withdraw`, `access`, `erasure`.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub rights: Vec<String>,
    /// ISO 3166-1 alpha-2 of the law it follows.
    #[schema(max_length = 2)]
    pub jurisdiction: String,
    /// ISO 3166-1 alpha-2 of where data lies.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub locations: Vec<String>,
    /// Where consent is taken back as easily as it was given: an address of a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 400)]
    pub withdrawal: Option<String>,
    /// Whether it tells why sensitive data is necessary and what that means for the guest (PIPL Art. 30).
    #[serde(default)]
    pub necessity_and_impact: bool,
    /// From when; now, when absent. Never earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when it may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
}

/// A published notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Notice {
    /// Its id.
    pub notice_id: NoticeId,
    /// Its number among those of its purpose and language.
    pub version: i64,
    /// Its terms: the same number, the same purpose, recipients, categories, retention, methods and controller.
    pub terms: i64,
    /// SHA-256 of the text's bytes.
    #[schema(max_length = 64)]
    pub sha256: String,
    /// What it says.
    #[serde(flatten)]
    pub said: NoticeInput,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// By whom.
    pub created_by: PrincipalId,
    /// Its place among those of its purpose.
    #[serde(skip)]
    pub sequence: i64,
}

impl Notice {
    /// From when.
    #[must_use]
    pub fn valid_from(&self) -> DateTime<Utc> {
        self.said.valid_from.unwrap_or(self.created_at)
    }

    /// Whether it could be shown at this moment.
    #[must_use]
    pub fn in_force(&self, at: DateTime<Utc>) -> bool {
        self.valid_from() <= at && self.said.valid_until.is_none_or(|until| at < until)
    }

    /// What it says of a recipient.
    #[must_use]
    pub fn recipient(&self, code: &str) -> Option<&Recipient> {
        self.said
            .recipients
            .iter()
            .find(|recipient| recipient.code == code)
    }
}

/// A part of a notice whose change asks for a new consent (PIPL Art. 14; GDPR Art. 6(4), Rec. 42).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// Who is answerable, by name.
    Controller,
    /// Who receives data, by code.
    Recipients,
    /// Which kinds of data.
    Categories,
    /// For how long.
    Retention,
    /// How it is processed.
    Methods,
}

/// The terms alone, as they are compared: order and repetition say nothing.
#[derive(Serialize, PartialEq, Eq)]
struct Terms<'n> {
    categories: Vec<Category>,
    controller: &'n str,
    methods: Vec<&'n str>,
    purpose: &'n Purpose,
    recipients: Vec<&'n str>,
    retention: &'n str,
}

fn sorted<T: Ord>(list: impl Iterator<Item = T>) -> Vec<T> {
    let mut list: Vec<T> = list.collect();
    list.sort();
    list.dedup();
    list
}

impl NoticeInput {
    fn terms(&self) -> Terms<'_> {
        Terms {
            categories: sorted(self.categories.iter().copied()),
            controller: &self.controller.name,
            methods: sorted(self.methods.iter().map(String::as_str)),
            purpose: &self.purpose,
            recipients: sorted(self.recipients.iter().map(|r| r.code.as_str())),
            retention: &self.retention,
        }
    }

    /// SHA-256 of the terms as canonical JSON: two notices with the same ask for the same.
    #[must_use]
    pub fn terms_hash(&self) -> [u8; 32] {
        // Serialising these plain types cannot fail.
        sha256(&serde_json::to_vec(&self.terms()).unwrap_or_default())
    }

    /// The terms in which it differs from an earlier notice of its purpose; none: only the wording is new.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Vec<Term> {
        let (new, old) = (self.terms(), before.terms());
        [
            (Term::Controller, new.controller != old.controller),
            (Term::Recipients, new.recipients != old.recipients),
            (Term::Categories, new.categories != old.categories),
            (Term::Retention, new.retention != old.retention),
            (Term::Methods, new.methods != old.methods),
        ]
        .into_iter()
        .filter_map(|(term, changed)| changed.then_some(term))
        .collect()
    }

    /// What cannot be published: a member and why.
    #[must_use]
    pub fn wrong(&self, now: DateTime<Utc>) -> Option<(&'static str, &'static str)> {
        let text = |text: &str| !text.trim().is_empty() && text.chars().count() <= LONGEST;
        let person = &self.controller;
        let short = |codes: &[String]| codes.len() <= MOST && codes.iter().all(|code| is_code(code));
        let recipient = |r: &Recipient| {
            is_code(&r.code)
                && text(&r.name)
                && r.contact.as_deref().is_none_or(text)
                && r.country.as_deref().is_none_or(is_country)
        };
        let codes: Vec<&str> = self.recipients.iter().map(|r| r.code.as_str()).collect();
        let from = self.valid_from.unwrap_or(now);
        let checks = [
            ("language", is_language(&self.language), "must be a BCP 47 tag"),
            (
                "text",
                (1..=LONGEST_TEXT).contains(&self.text.len()),
                "must be 1 to 100000 bytes",
            ),
            (
                "controller",
                text(&person.name) && text(&person.address) && text(&person.contact),
                "needs a name, an address and a contact",
            ),
            (
                "recipients",
                self.recipients.len() <= MOST
                    && self.recipients.iter().all(recipient)
                    && sorted(codes.iter()).len() == codes.len(),
                "each needs a code of its own and a name",
            ),
            (
                "categories",
                (1..=MOST).contains(&self.categories.len()),
                "must name 1 to 100",
            ),
            (
                "retention",
                is_duration(&self.retention),
                "must be an ISO 8601 duration such as P24M",
            ),
            ("methods", short(&self.methods), "must be codes"),
            ("rights", short(&self.rights), "must be codes"),
            (
                "jurisdiction",
                is_country(&self.jurisdiction),
                "must be two capital letters",
            ),
            (
                "locations",
                self.locations.len() <= MOST && self.locations.iter().all(|l| is_country(l)),
                "must be two capital letters each",
            ),
            (
                "withdrawal",
                self.withdrawal
                    .as_deref()
                    .is_none_or(|page| text(page) && page.starts_with("https://")),
                "must be an address that begins with https://",
            ),
            (
                "valid_until",
                self.valid_until.is_none_or(|until| until > from.max(now)),
                "ends before it begins",
            ),
        ];
        checks
            .into_iter()
            .find(|(_, right, _)| !right)
            .map(|(field, _, why)| (field, why))
    }
}

fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())
}

fn is_language(tag: &str) -> bool {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let first = tag.split('-').next().unwrap_or_default();
    tag.len() <= 35 && (2..=3).contains(&first.len()) && tag.split('-').all(part)
}

/// `P` and numbers with `Y`, `M`, `W` or `D`, in this order.
fn is_duration(text: &str) -> bool {
    let Some(mut rest) = text.strip_prefix('P').filter(|rest| !rest.is_empty()) else {
        return false;
    };
    for unit in ['Y', 'M', 'W', 'D'] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        if let Some(next) = after
            .strip_prefix(unit)
            .filter(|_| (1..=4).contains(&number.len()))
        {
            rest = next;
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> NoticeInput {
        serde_json::from_value(serde_json::json!({
            "purpose": "marketing_direct", "language": "en", "text": "May we write to you?",
            "controller": {"name": "Hotel Lindenhof", "address": "Seestrasse 4", "contact": "privacy@hotel.example"},
            "recipients": [{"code": "mailer", "name": "Mailer Example"}, {"code": "printer", "name": "Printer"}],
            "categories": ["contact", "identity"], "retention": "P24M", "jurisdiction": "DE"
        }))
        .unwrap()
    }

    #[test]
    fn wording_order_and_language_are_no_terms() {
        let (before, mut after) = (notice(), notice());
        after.text = "May we write to you, please?".to_owned();
        after.language = "de".to_owned();
        after.recipients.reverse();
        after.categories = vec![Category::Identity, Category::Contact, Category::Contact];
        after.rights = vec!["withdraw".to_owned()];
        assert_eq!(after.changed_since(&before), []);
        assert_eq!(after.terms_hash(), before.terms_hash());
    }

    #[test]
    fn each_term_counts() {
        let before = notice();
        let changed = |change: &dyn Fn(&mut NoticeInput)| {
            let mut after = notice();
            change(&mut after);
            assert_ne!(after.terms_hash(), before.terms_hash());
            after.changed_since(&before)
        };
        assert_eq!(changed(&|n| n.retention = "P36M".into()), [Term::Retention]);
        assert_eq!(
            changed(&|n| n.categories.push(Category::Stay)),
            [Term::Categories]
        );
        assert_eq!(changed(&|n| n.controller.name.push('x')), [Term::Controller]);
        assert_eq!(changed(&|n| n.methods.push("profile".into())), [Term::Methods]);
        assert_eq!(changed(&|n| n.recipients.truncate(1)), [Term::Recipients]);
    }

    #[test]
    fn what_cannot_be_published_is_named() {
        let now = Utc::now();
        assert_eq!(notice().wrong(now), None);
        let wrong = |change: &dyn Fn(&mut NoticeInput)| {
            let mut after = notice();
            change(&mut after);
            after.wrong(now).unwrap().0
        };
        assert_eq!(wrong(&|n| n.language = "deutsch!".into()), "language");
        assert_eq!(wrong(&|n| n.text.clear()), "text");
        assert_eq!(wrong(&|n| n.retention = "24M".into()), "retention");
        assert_eq!(wrong(&|n| n.jurisdiction = "de".into()), "jurisdiction");
        assert_eq!(wrong(&|n| n.withdrawal = Some("http://x".into())), "withdrawal");
        assert_eq!(wrong(&|n| n.valid_until = Some(now)), "valid_until");
        assert_eq!(
            wrong(&|n| n.recipients.push(n.recipients[0].clone())),
            "recipients"
        );
        for right in ["P1Y", "P24M", "P2W", "P1Y6M", "P30D"] {
            assert!(is_duration(right), "{right}");
        }
        for not in ["P", "PT1H", "P1M1Y", "P12345D", "P1", "1Y"] {
            assert!(!is_duration(not), "{not}");
        }
    }
}
