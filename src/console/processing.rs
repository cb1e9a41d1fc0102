//! The processing register (GDPR Art. 30), derived from the policy that is enforced, held against what the log shows.

use actix_web::{HttpResponse, web::Data};
use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Console, frame::Frame, officer::Officer};
use crate::{
    audit::{Act, Observer},
    base::{Action, Errand, FieldSet, from_micros},
    guest::GuestError,
    policy::Right,
    web::{Problem, pages::page},
};

/// What was not read for so long could be done without.
const WINDOW: TimeDelta = TimeDelta::days(365);

/// One processing activity: a purpose as the policy enforces it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Activity {
    /// The purpose.
    #[schema(max_length = 60)]
    pub purpose: String,
    /// What it covers.
    #[schema(max_length = 400)]
    pub description: String,
    /// The ground it rests on.
    #[schema(max_length = 40)]
    pub legal_basis: &'static str,
    /// Whether nothing is shown without consent.
    pub needs_consent: bool,
    /// Categories of data; nothing else is ever shown for it.
    #[schema(max_items = 18)]
    pub categories: Vec<&'static str>,
    /// Who outside receives them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    pub recipient: Option<String>,
    /// Which roles are shown anything for it.
    #[schema(max_items = 100)]
    pub roles: Vec<String>,
    /// When it was last used, by the log; never, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<DateTime<Utc>>,
    /// Whether nobody used it in the last twelve months.
    pub unused: bool,
}

/// A limit on storage, by law.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct StorageLimit {
    /// The rule.
    #[schema(max_length = 80)]
    pub rule: String,
    /// Where it holds.
    #[schema(max_length = 10)]
    pub place: String,
    /// Of which drawers; the guest register's copy, when empty.
    #[schema(max_items = 18)]
    pub categories: Vec<&'static str>,
    /// At least so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub min: Option<String>,
    /// At most so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub max: Option<String>,
}

/// A field, and when it was last shown to anybody.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct FieldUse {
    /// Which.
    #[schema(max_length = 80)]
    pub field: String,
    /// Of which category.
    #[schema(max_length = 40)]
    pub category: &'static str,
    /// When, in the last twelve months; not, when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_shown: Option<DateTime<Utc>>,
}

/// The register of processing activities (GDPR Art. 30), as enforced, beside what was observed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ProcessingRegister {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The version of the policy that it is derived from.
    #[schema(max_length = 16)]
    pub policy_version: String,
    /// Each purpose.
    #[schema(max_items = 200)]
    pub activities: Vec<Activity>,
    /// Limits on storage, by law.
    #[schema(max_items = 1000)]
    pub limits: Vec<StorageLimit>,
    /// Each field of the catalogue.
    #[schema(max_items = 1000)]
    pub fields: Vec<FieldUse>,
    /// When the first of the entries looked at was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_since: Option<DateTime<Utc>>,
    /// How many entries were looked at.
    pub observed_entries: u64,
    /// Whether these are all that the log has; otherwise the rest is being looked at.
    pub observed_whole: bool,
    /// Measures that protect the data (Art. 32), all of them built in.
    #[schema(max_items = 20)]
    pub measures: Vec<&'static str>,
}

/// What protects the data, in the words of Art. 32, each with the word of its text.
const MEASURES: [(&str, &str); 6] = [
    (
        "sealed",
        "every value sealed with AES-256-GCM under keys of its guest and category, bound to its place",
    ),
    (
        "granted",
        "access by role, property, purpose, point of stay and field; deny by default",
    ),
    (
        "recorded",
        "every look recorded in an append-only, signed log (RFC 6962) before anything is shown",
    ),
    (
        "masked",
        "masking by default, plain values on demand only, counted and judged by a second person",
    ),
    (
        "erased",
        "erasure by destroying keys, recorded in the log and repeated after a restore",
    ),
    ("two", "decisions on requests, holds and erasures by two people"),
];

impl Console {
    /// The register of processing activities, derived from what is enforced; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub(super) async fn processing_register(
        &self,
        errand: &Errand,
    ) -> Result<ProcessingRegister, GuestError> {
        let event = self
            .look(
                errand,
                (Act::ReadAudit, "processing_register"),
                &[Right::ReadAudit],
            )
            .await?;
        let policy = self.vault.policies.current();
        let now = self.vault.clock.now();
        let property = policy.first_property();
        let all: FieldSet = policy.catalogue().iter().map(|(at, _)| at).collect();
        let mut activities = Vec::new();
        for rule in policy.purposes() {
            let last = self
                .vault
                .store
                .read()
                .await?
                .purpose_last_used(rule.code.as_str())
                .await?;
            let last_used = last.map(from_micros);
            let shown = |role: &&crate::policy::RoleEntry| {
                let grant = policy.decide(&role.code, property, &rule.code, Action::Read, &all);
                grant.is_some_and(|grant| !grant.columns().is_empty())
            };
            activities.push(Activity {
                purpose: rule.code.to_string(),
                description: rule.description.clone(),
                legal_basis: rule.legal_basis.as_str(),
                needs_consent: rule.needs_consent,
                categories: rule.categories.iter().map(|category| category.as_str()).collect(),
                recipient: rule.recipient.clone(),
                roles: policy
                    .roles()
                    .iter()
                    .filter(shown)
                    .map(|role| role.code.to_string())
                    .collect(),
                unused: last_used.is_none_or(|at| at < now - WINDOW),
                last_used,
            });
        }
        let seen = Observer::new(self.vault.store.clone()).told().await?;
        self.vault.log.record(event, ()).await?;
        let limits = self.requests.eraser.rules.iter().map(|rule| StorageLimit {
            rule: rule.id.clone(),
            place: rule.place(),
            categories: rule.categories.iter().map(|category| category.as_str()).collect(),
            min: rule.min.map(|span| span.to_string()),
            max: rule.max.map(|span| span.to_string()),
        });
        let fields = policy.catalogue().iter().map(|(_, field)| FieldUse {
            field: field.path.to_string(),
            category: field.category.as_str(),
            last_shown: seen
                .fields
                .get(&field.path)
                .copied()
                .filter(|at| *at >= now - WINDOW),
        });
        Ok(ProcessingRegister {
            at: now,
            policy_version: policy.version().to_owned(),
            activities,
            limits: limits.collect(),
            fields: fields.collect(),
            observed_since: seen.since,
            observed_entries: seen.entries,
            observed_whole: seen.whole,
            measures: MEASURES.iter().map(|(_, said)| *said).collect(),
        })
    }
}

#[derive(Template)]
#[template(
    path = "console/processing.html",
    config = ".askama.toml",
    whitespace = "minimize"
)]
struct ProcessingPage {
    page: Frame,
    register: ProcessingRegister,
    unused: usize,
    /// Fields that no entry looked at shows.
    unread: Vec<FieldUse>,
    /// The words of the measures' texts.
    measures: Vec<&'static str>,
}

/// The page.
pub(super) async fn show(console: Data<Console>, officer: Officer) -> Result<HttpResponse, Problem> {
    let register = console.processing_register(&officer.errand("audit")?).await?;
    let unread = register.fields.iter().filter(|field| field.last_shown.is_none());
    page(&ProcessingPage {
        page: officer.frame("console.nav.processing"),
        unused: register
            .activities
            .iter()
            .filter(|activity| activity.unused)
            .count(),
        unread: unread.cloned().collect(),
        measures: MEASURES.iter().map(|(word, _)| *word).collect(),
        register,
    })
}
