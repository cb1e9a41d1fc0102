//! Showing the policy to those who may see it, and explaining it; each look is recorded.

use std::{collections::BTreeMap, sync::Arc};

use chrono::TimeDelta;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ExplainError, ExplainRequest, Explanation, LegalBasis, Policies, ReplayAnswer, ReplayRequest, Right,
    RuleText, Snapshot,
    replay::{MOST, Tally, replay},
};
use crate::{
    audit::{
        Act, AuditError, Event, Log, Receipt,
        search::{self, Filter, Place},
    },
    base::{Caller, Category, Clock, Field, Purpose, RequestId, Role},
    store::{Store, StoreError},
};

/// Entries fetched at once.
const PAGE: usize = 2000;

/// What reading the policy needs. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    /// The policy in force.
    pub policies: Arc<Policies>,
    /// The record of every look.
    pub log: Log,
    /// Where the log lies, for replaying it.
    pub store: Store,
    /// When it is.
    pub clock: Clock,
}

/// Could not, because …
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The role has not the right to read the policy.
    #[error("this role may not read the policy")]
    Forbidden,
    /// The question uses a word that is not of this policy.
    #[error(transparent)]
    Unknown(#[from] ExplainError),
    /// The candidate is no policy, or the number of days is none.
    #[error("{problem}")]
    BadCandidate {
        /// Where in the question.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The look could not be recorded, so there is nothing to show.
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
}

/// A role.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RoleAnswer {
    /// Its code.
    code: Role,
    /// Its abbreviation in the matrix.
    #[schema(max_length = 40)]
    short: String,
    /// Who that is.
    #[schema(max_length = 400)]
    description: String,
    /// What it may do besides seeing guests' fields.
    rights: Vec<Right>,
}

/// A purpose.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PurposeAnswer {
    /// Its code.
    code: Purpose,
    /// What it covers.
    #[schema(max_length = 400)]
    description: String,
    /// The ground it rests on.
    legal_basis: LegalBasis,
    /// Whether it shows nothing without a live consent.
    needs_consent: bool,
    /// Whether it is for emergencies: each guest is opened first.
    break_glass: bool,
    /// Who receives the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    recipient: Option<String>,
    /// The most it may touch.
    categories: Vec<Category>,
}

/// The policy in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PolicyAnswer {
    /// Its version.
    #[schema(max_length = 16)]
    version: String,
    /// casbin's model.
    #[schema(max_length = 20_000)]
    model: String,
    /// The roles.
    roles: Vec<RoleAnswer>,
    /// The purposes.
    purposes: Vec<PurposeAnswer>,
    /// The rules, in the order of their files; the fixed ones and the purposes' ceilings among them.
    rules: Vec<RuleText>,
    /// The fields.
    fields: Vec<Field>,
    /// Each file, and whether it is the hotel's own instead of the built-in one.
    overrides: BTreeMap<String, bool>,
}

impl PolicyAnswer {
    /// What a snapshot holds, for people.
    #[must_use]
    pub fn of(policy: &Snapshot) -> Self {
        let rights = |role: &Role| {
            Right::ALL
                .into_iter()
                .filter(|right| policy.allows(role, *right))
                .collect()
        };
        let roles = policy.roles().iter().map(|role| RoleAnswer {
            code: role.code.clone(),
            short: role.short.clone(),
            description: role.description.clone(),
            rights: rights(&role.code),
        });
        let purposes = policy.purposes().map(|rule| PurposeAnswer {
            code: rule.code.clone(),
            description: rule.description.clone(),
            legal_basis: rule.legal_basis,
            needs_consent: rule.needs_consent,
            break_glass: rule.break_glass,
            recipient: rule.recipient.clone(),
            categories: rule.categories.clone(),
        });
        Self {
            version: policy.version().to_owned(),
            model: policy.model().to_owned(),
            roles: roles.collect(),
            purposes: purposes.collect(),
            rules: policy.rules().collect(),
            fields: policy
                .catalogue()
                .iter()
                .map(|(_, field)| field.clone())
                .collect(),
            overrides: policy.overrides(),
        }
    }
}

impl Desk {
    /// The policy in force.
    ///
    /// # Errors
    /// [`DeskError::Forbidden`], and when the look cannot be recorded.
    pub async fn show(&self, caller: &Caller, request: RequestId) -> Result<PolicyAnswer, DeskError> {
        let policy = self.enter(caller, request).await?;
        Ok(PolicyAnswer::of(&policy))
    }

    /// One decision of the policy in force, explained.
    ///
    /// # Errors
    /// As [`Desk::show`]; [`DeskError::Unknown`] for words that are not of this policy.
    pub async fn explain(
        &self,
        caller: &Caller,
        request: RequestId,
        asked: &ExplainRequest,
    ) -> Result<Explanation, DeskError> {
        let policy = self.enter(caller, request).await?;
        Ok(policy.explain(asked)?)
    }

    /// What a candidate would have decided differently over the last days of the log.
    ///
    /// # Errors
    /// As [`Desk::show`]; [`DeskError::BadCandidate`].
    pub async fn replay(
        &self,
        caller: &Caller,
        request: RequestId,
        asked: ReplayRequest,
    ) -> Result<ReplayAnswer, DeskError> {
        let policy = self.enter_for(caller, request, Act::ReplayPolicy).await?;
        if !(1..=366).contains(&asked.days) {
            return Err(DeskError::BadCandidate {
                field: "days",
                problem: "must be 1 to 366".to_owned(),
            });
        }
        let policies = Arc::clone(&self.policies);
        // casbin decides every combination: too long for a thread that serves.
        let tried = tokio::task::spawn_blocking(move || policies.tried(&asked.files)).await;
        let wrong = |problem: String| DeskError::BadCandidate {
            field: "files",
            problem,
        };
        let tried = tried.map_err(|_| wrong("the candidate cannot be loaded".to_owned()))?;
        let (candidate, failing_case) = tried.map_err(|error| wrong(error.to_string()))?;
        let tally = self.tally(asked.days).await?;
        let replayed = tokio::task::spawn_blocking(move || replay(&policy, &candidate, tally)).await;
        let mut answer = replayed.map_err(|_| wrong("the candidate cannot be replayed".to_owned()))?;
        answer.failing_case = failing_case;
        Ok(answer)
    }

    async fn tally(&self, days: u16) -> Result<Tally, StoreError> {
        let filter = Filter {
            from: Some(self.clock.now() - TimeDelta::days(days.into())),
            ..Filter::default()
        };
        let (mut tally, mut before) = (Tally::default(), None);
        while tally.entries < MOST {
            let rows = search::entries(&self.store, &filter, before, PAGE).await?;
            for row in &rows {
                tally.take(row);
            }
            if rows.len() < PAGE {
                break;
            }
            before = rows.last().map(Place::of);
        }
        Ok(tally)
    }

    async fn enter(&self, caller: &Caller, request: RequestId) -> Result<Arc<Snapshot>, DeskError> {
        self.enter_for(caller, request, Act::ReadPolicy).await
    }

    async fn enter_for(
        &self,
        caller: &Caller,
        request: RequestId,
        act: Act,
    ) -> Result<Arc<Snapshot>, DeskError> {
        let policy = self.policies.current();
        let mut event = Event::by(caller, act, request, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        if !policy.allows(&caller.role, Right::ReadPolicy) {
            let _: Receipt<()> = self.log.record(event.denied("policy"), ()).await?;
            return Err(DeskError::Forbidden);
        }
        let _: Receipt<()> = self.log.record(event, ()).await?;
        Ok(policy)
    }
}
