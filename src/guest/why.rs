//! Why, for one guest: the explanation of the policy, with what the ledger says, the notice, and the clause.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit::Act,
    base::{Caller, ConsentId, Errand, NoticeId, RequestId, View, micros},
    consent::{Ground, Line, Question, Source, Standing, decide, sql::notice},
    policy::{Decision, ExplainRequest, Explanation, PurposeRule, Right, Separate},
};

use super::{GuestError, Vault};

/// The notice that a consent was given to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NoticeSaid {
    /// Its id.
    pub notice_id: NoticeId,
    /// Its number among those of its purpose and language.
    pub version: i64,
    /// Its language.
    #[schema(max_length = 35)]
    pub language: String,
    /// Its terms.
    pub terms: i64,
    /// SHA-256 of its text.
    #[schema(max_length = 64)]
    pub sha256: String,
}

/// What the guest's ledger says of a decision.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConsentSaid {
    /// Where the guest stands.
    #[schema(max_length = 20)]
    pub state: &'static str,
    /// The line that decided: the record to ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_id: Option<ConsentId>,
    /// When it was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// Until when it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
    /// When other terms came into force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<DateTime<Utc>>,
    /// The separate consents that the property's country asks for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub separate: Vec<Separate>,
    /// The notice shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<NoticeSaid>,
    /// The clause it stands on.
    #[schema(max_length = 400)]
    pub clause: String,
    /// Where that is taken from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// One decision, explained, for one guest where one is named.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WhyAnswer {
    /// What the policy says; with a guest, what the ledger leaves of it.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// What the guest's ledger says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentSaid>,
}

impl Vault {
    /// Adds to an explanation what the ledger of a guest says of it.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`] without the right to read consents, or for a property outside the caller's scope;
    /// [`GuestError::NotFound`].
    pub async fn why(
        &self,
        caller: &Caller,
        request: RequestId,
        asked: &ExplainRequest,
        mut explanation: Explanation,
    ) -> Result<WhyAnswer, GuestError> {
        let Some(guest) = asked.guest_id else {
            return Ok(WhyAnswer {
                explanation,
                consent: None,
            });
        };
        let policy = self.policies.current();
        let errand = Errand {
            caller: caller.clone(),
            property: asked.property.clone(),
            purpose: asked.purpose.clone(),
            reason: None,
            request,
        };
        let event = self.ledger_event(&errand, Act::ReadConsents, guest);
        let mut own = caller.scope.iter();
        let here = own.any(|above| self.properties.within(&asked.property, above));
        if !here || !policy.allows(&caller.role, Right::ReadConsent) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        self.must_know(&errand, guest, Act::ReadConsents).await?;
        let Some(purpose) = policy.purpose(&asked.purpose) else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        let field = policy.catalogue().find(asked.field.as_str()).map(|(at, _)| at);
        let by_consent = purpose.needs_consent || field.is_some_and(|at| purpose.by_consent.contains(at));
        let by_interest = field.is_some_and(|at| purpose.by_interest.contains(at));
        let ledger = self.store.read().await?.consents(guest).await?;
        let (standing, said) = self.said(asked, purpose, &ledger).await?;
        let no = matches!(
            standing,
            Standing::Refused(_) | Standing::Withdrawn(_) | Standing::Objected(_)
        );
        if by_consent && standing.given().is_none() || by_interest && no {
            explanation.decision = Decision::Denied;
            explanation.view = View::None;
            explanation.because = format!(
                "{}, but the guest's consent is: {}",
                explanation.because,
                standing.as_str()
            );
        }
        self.log.record(event, ()).await?;
        Ok(WhyAnswer {
            explanation,
            consent: Some(said),
        })
    }

    async fn said(
        &self,
        asked: &ExplainRequest,
        purpose: &PurposeRule,
        ledger: &[Line],
    ) -> Result<(Standing, ConsentSaid), GuestError> {
        let region = self
            .properties
            .get(&asked.property)
            .and_then(|node| node.region.as_deref());
        let region = region.unwrap_or_default();
        let separate = purpose.separate_in(region);
        let question = Question {
            recipient: purpose.recipient.as_deref().unwrap_or_default(),
            property: &asked.property,
            tree: &self.properties,
            separate,
            now: micros(self.clock.now()),
        };
        let about = ledger.iter().filter(|line| line.purpose == asked.purpose);
        let standing = decide(about.map(Line::spoken), &question);
        let line = standing
            .line()
            .and_then(|id| ledger.iter().find(|line| line.id == id));
        let ground = match standing {
            Standing::Refused(_) | Standing::Withdrawn(_) | Standing::Objected(_) => Ground::No,
            Standing::Invalidated(_) => Ground::ChangedTerms,
            _ if !separate.is_empty() => Ground::Separate,
            _ => Ground::Basis(purpose.legal_basis),
        };
        let (clause, source) = self.rules.clause(region, ground);
        let said = ConsentSaid {
            state: standing.as_str(),
            consent_id: standing.line(),
            at: line.map(|line| line.at),
            valid_until: line.and_then(|line| line.valid_until),
            superseded_at: line.and_then(|line| line.superseded),
            separate: separate.to_vec(),
            notice: match line.and_then(|line| line.notice) {
                Some(id) => self.notice_said(id).await?,
                None => None,
            },
            clause: clause.to_owned(),
            source: source.cloned(),
        };
        Ok((standing, said))
    }

    async fn notice_said(&self, id: NoticeId) -> Result<Option<NoticeSaid>, GuestError> {
        let found = notice::find(&mut self.store.read().await?, id).await?;
        Ok(found.map(|notice| NoticeSaid {
            notice_id: notice.notice_id,
            version: notice.version,
            language: notice.said.language,
            terms: notice.terms,
            sha256: notice.sha256,
        }))
    }
}
