//! Writing to a guest's consent ledger, and reading it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Category, ConsentId, Errand, GuestId, NoticeId, PropertyCode, Purpose, micros},
    consent::{Guardian, Line, Question, Refusal, Speaker, Standing, State, Statement, check, decide},
    crypto::Aad,
    policy::{Right, Separate, Snapshot},
};

use super::{GuestError, Rejected, Vault, kinds, read::Looked};

/// What became of a statement.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConsentAnswer {
    /// The ledger's line.
    pub consent_id: ConsentId,
    /// Where the guest stands on this purpose and recipient now.
    pub state: &'static str,
}

/// A line of the ledger, as it is shown.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConsentLine {
    /// Its id.
    pub consent_id: ConsentId,
    /// For which purpose.
    pub purpose: Purpose,
    /// To whom, if to anybody.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub recipient: String,
    /// For which property, brand or group; everywhere, when absent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The kind of separate consent, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separate: Option<Separate>,
    /// What the guest said.
    pub state: State,
    /// Where.
    pub channel: String,
    /// How.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub indication: String,
    /// The notice shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice_id: Option<NoticeId>,
    /// Captured for which property.
    pub property: PropertyCode,
    /// When it was said.
    pub at: DateTime<Utc>,
    /// Until when it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
    /// When a notice with other terms came into force: a yes no longer holds from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<DateTime<Utc>>,
}

/// Where a guest stands on a purpose and recipient.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StandingAnswer {
    /// For which purpose.
    pub purpose: Purpose,
    /// To whom, if to anybody.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub recipient: String,
    /// The kind of separate consent, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separate: Option<Separate>,
    /// At the property of the call: `requested`, `given`, `expired`, `invalidated`, `objected`, `refused`,
    /// `withdrawn`, or `unknown` when nothing said elsewhere counts there.
    pub state: &'static str,
    /// The line that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent_id: Option<ConsentId>,
    /// The guest agreed before there was a notice to show: nothing but this line proves what they were told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_notice: bool,
    /// The path of the link that takes this consent back with one click (RFC 8058); put the vault's public address
    /// before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<String>,
}

/// The state per purpose and recipient, and the whole history.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConsentsAnswer {
    /// Now.
    pub standing: Vec<StandingAnswer>,
    /// All that was ever said, oldest first.
    pub history: Vec<ConsentLine>,
}

impl Vault {
    /// Appends a statement to the ledger; it holds from the next read on.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`], [`GuestError::Rejected`]; [`GuestError::Stale`] when
    /// `expected` does not hold for the guest's version.
    pub async fn put_consent(
        &self,
        errand: &Errand,
        guest: GuestId,
        statement: &Statement,
        expected: impl Fn(i64) -> bool,
    ) -> Result<ConsentAnswer, GuestError> {
        let policy = self.policies.current();
        let event = self.ledger_event(errand, Act::PutConsent, guest);
        if !policy.allows(&errand.caller.role, Right::WriteConsent) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        if let Err(reason) = self.check_said(&policy, errand, statement) {
            let rejected = vec![rejected("consent", reason)];
            return self.refuse(event, GuestError::Rejected(rejected)).await;
        }
        let terms = match self.terms_of(statement).await? {
            Ok(terms) => terms,
            Err(reason) => {
                let rejected = vec![rejected("consent", reason)];
                return self.refuse(event, GuestError::Rejected(rejected)).await;
            }
        };
        self.must_know_to_hear(errand, guest, statement).await?;
        let refusal = match self.active_version(guest).await {
            Ok(version) => (!expected(version)).then_some(GuestError::Stale),
            // Who is kept for the law only takes back what was agreed to all the same.
            Err(GuestError::Restricted) if statement.state.is_no() => None,
            Err(
                error @ (GuestError::NotFound
                | GuestError::Gone
                | GuestError::Restricted
                | GuestError::Moved(_)),
            ) => Some(error),
            Err(error) => return Err(error),
        };
        if let Some(error) = refusal {
            return self.refuse(event, error).await;
        }
        if let Err(reason) = self.check_age(errand, guest, statement).await? {
            let rejected = vec![rejected("consent", reason)];
            return self.refuse(event, GuestError::Rejected(rejected)).await;
        }
        let keys = self.keys_of(guest, &[Category::Audit, Category::Consent]).await?;
        if self.is_bundled(guest, statement, &keys).await? {
            let rejected = vec![rejected("consent", Refusal::Bundled)];
            return self.refuse(event, GuestError::Rejected(rejected)).await;
        }
        let mut change = match self.change_of(guest).await {
            Ok(change) => change,
            Err(error @ (GuestError::Gone | GuestError::Moved(_))) => return self.refuse(event, error).await,
            Err(error) => return Err(error),
        };
        let line = self
            .write_consent(&mut change, errand, (guest, None), (statement, terms), &keys)
            .await?;
        change.commit().await?;
        let ledger = self.store.read().await?.consents(guest).await?;
        let matter = (&line.purpose, line.recipient.as_str(), line.separate);
        Ok(ConsentAnswer {
            consent_id: line.id,
            state: self.standing_of(&errand.property, &ledger, matter).as_str(),
        })
    }

    /// As [`Vault::must_know`]; of who is kept for the law only a no is heard.
    async fn must_know_to_hear(
        &self,
        errand: &Errand,
        guest: GuestId,
        statement: &Statement,
    ) -> Result<(), GuestError> {
        if statement.state.is_no() {
            let policy = self.policies.current();
            let looked = self.look(errand, guest, &[], Act::PutConsent, &policy).await?;
            if let Looked::Refused(_, GuestError::Restricted) = looked {
                return Ok(());
            }
        }
        self.must_know(errand, guest, Act::PutConsent).await.map(|_| ())
    }

    /// Whether a statement can stand in the ledger under this policy.
    pub(super) fn check_said(
        &self,
        policy: &Snapshot,
        errand: &Errand,
        statement: &Statement,
    ) -> Result<(), Refusal> {
        let purpose = policy
            .purpose(&statement.purpose)
            .ok_or(Refusal::UnknownPurpose)?;
        if statement.state == State::Objected && purpose.by_interest.is_empty() {
            return Err(Refusal::NothingToObjectTo);
        }
        if let Some(scope) = &statement.scope {
            let reaches = |above: &PropertyCode| self.properties.within(scope, above);
            let own = errand.caller.scope.iter().any(reaches) || reaches(&errand.property);
            // A no may reach further than whoever hears it.
            if self.properties.get(scope).is_none() || statement.state.is_yes() && !own {
                return Err(Refusal::UnknownScope);
            }
        }
        if statement
            .evidence_ref
            .as_deref()
            .is_some_and(kinds::holds_card_number)
        {
            return Err(Refusal::InvalidEvidence);
        }
        let guardian = statement.guardian.iter();
        let mut told = guardian
            .flat_map(|g| [Some(g.name.as_str()), g.contact.as_deref()])
            .flatten();
        if told.any(kinds::holds_card_number) {
            return Err(Refusal::InvalidGuardian);
        }
        check(statement, self.clock.now())
    }

    /// The ledger of a guest.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`].
    pub async fn read_consents(&self, errand: &Errand, guest: GuestId) -> Result<ConsentsAnswer, GuestError> {
        let ledger = self.read_ledger(errand, guest).await?;
        Ok(self.ledger_answer(errand, ledger))
    }

    /// The same as it stands at each of these places; one look.
    ///
    /// # Errors
    /// As [`Vault::read_consents`].
    pub async fn read_consents_at(
        &self,
        errand: &Errand,
        guest: GuestId,
        places: &[PropertyCode],
    ) -> Result<Vec<(PropertyCode, ConsentsAnswer)>, GuestError> {
        let ledger = self.read_ledger(errand, guest).await?;
        let at = |place: &PropertyCode| {
            let there = Errand {
                property: place.clone(),
                ..errand.clone()
            };
            (place.clone(), self.ledger_answer(&there, ledger.clone()))
        };
        Ok(places.iter().map(at).collect())
    }

    async fn read_ledger(&self, errand: &Errand, guest: GuestId) -> Result<Vec<Line>, GuestError> {
        let policy = self.policies.current();
        let mut event = self.ledger_event(errand, Act::ReadConsents, guest);
        if !policy.allows(&errand.caller.role, Right::ReadConsent) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        self.must_know(errand, guest, Act::ReadConsents).await?;
        let mut conn = self.store.read().await?;
        let head = conn.guest_head(guest).await?;
        let ledger = conn.consents(guest).await?;
        drop(conn);
        match head {
            None => return self.refuse(event, GuestError::NotFound).await,
            Some((_, _, Some(survivor))) => {
                return self.refuse(event, GuestError::Moved(GuestId(survivor))).await;
            }
            Some((_, status, None)) if !["active", "restricted"].contains(&status.as_str()) => {
                return self.refuse(event, GuestError::Gone).await;
            }
            Some(_) => {}
        }
        let keys = self.keys.guest_keys(guest, &[Category::Audit]).await?;
        event.subject = Some(self.subject(guest, Some(&keys)));
        event.count = u64::try_from(ledger.len()).ok();
        self.log
            .record(Self::with_reason(event, errand, Some(&keys)), ())
            .await?;
        Ok(ledger)
    }

    pub(super) fn ledger_event(&self, errand: &Errand, act: Act, guest: GuestId) -> Event {
        let mut event = Event::of(errand, act, self.clock.now());
        event.policy_version = Some(self.policies.current().version().to_owned());
        event.subject = Some(self.subject(guest, None));
        event
    }

    fn ledger_answer(&self, errand: &Errand, ledger: Vec<Line>) -> ConsentsAnswer {
        let matters: BTreeSet<(Purpose, String, Option<Separate>)> = ledger
            .iter()
            .map(|l| (l.purpose.clone(), l.recipient.clone(), l.separate))
            .collect();
        let standing = matters
            .into_iter()
            .map(|(purpose, recipient, separate)| {
                let stands = self.standing_of(&errand.property, &ledger, (&purpose, &recipient, separate));
                let bare = |id: &ConsentId| ledger.iter().any(|l| l.id == *id && l.notice.is_none());
                StandingAnswer {
                    purpose,
                    recipient,
                    separate,
                    state: stands.as_str(),
                    consent_id: stands.line(),
                    without_notice: stands.given().as_ref().is_some_and(bare),
                    unsubscribe: stands.given().map(|id| self.unsubscribe_path(id)),
                }
            })
            .collect();
        ConsentsAnswer {
            standing,
            history: ledger.into_iter().map(shown).collect(),
        }
    }

    /// How one matter stands at a property.
    pub(super) fn standing_of(
        &self,
        property: &PropertyCode,
        ledger: &[Line],
        (purpose, recipient, separate): (&Purpose, &str, Option<Separate>),
    ) -> Standing {
        let question = Question {
            recipient,
            property,
            tree: &self.properties,
            separate: separate.as_slice(),
            now: micros(self.clock.now()),
        };
        let about = ledger.iter().filter(|l| l.purpose == *purpose);
        decide(about.map(Line::spoken), &question)
    }
}

/// A refused statement, as it is told.
fn rejected(field: &str, reason: Refusal) -> Rejected {
    Rejected {
        field: field.to_owned(),
        reason: reason.as_str().to_owned(),
    }
}

/// Where the evidence of a consent is sealed to.
pub(crate) fn evidence_place(guest: GuestId, consent: Uuid) -> Aad<'static> {
    Aad {
        guest,
        record: consent,
        path: "consent.evidence",
        version: 1,
    }
}

/// Where it is sealed who spoke, and for whom.
pub(super) fn details_place(guest: GuestId, consent: Uuid) -> Aad<'static> {
    Aad {
        path: "consent.details",
        ..evidence_place(guest, consent)
    }
}

/// What is sealed beside a line.
#[derive(Serialize, Deserialize)]
pub(super) struct Details {
    /// Who spoke.
    pub(super) said_by: Speaker,
    /// Who answers for a child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) guardian: Option<Guardian>,
}

/// Purposes of third parties name their recipient; a statement may leave it out.
pub(super) fn recipient(statement: &Statement) -> String {
    let named = statement.purpose.as_str().strip_prefix("third_party:");
    statement
        .recipient
        .clone()
        .or(named.map(str::to_owned))
        .unwrap_or_default()
}

fn shown(line: Line) -> ConsentLine {
    ConsentLine {
        consent_id: line.id,
        purpose: line.purpose,
        recipient: line.recipient,
        scope: line.scope,
        separate: line.separate,
        state: line.state,
        channel: line.channel,
        indication: line.indication,
        notice_id: line.notice,
        property: line.property,
        at: line.at,
        valid_until: line.valid_until,
        superseded_at: line.superseded,
    }
}
