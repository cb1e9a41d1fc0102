//! Writing to a guest's consent ledger, and reading it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{Category, ConsentId, Errand, GuestId, NoticeId, PropertyCode, Purpose, RecordId},
    consent::{Line, State, Statement, standing},
    crypto::Aad,
    events::Announcement,
    keys::GuestKeys,
    policy::Right,
};

use super::{GuestError, Rejected, Vault, prepare::check_consent};

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
}

/// Where a guest stands on a purpose and recipient.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StandingAnswer {
    /// For which purpose.
    pub purpose: Purpose,
    /// To whom, if to anybody.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub recipient: String,
    /// `given`, `expired`, `refused` or `withdrawn`.
    pub state: &'static str,
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
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`], [`GuestError::Rejected`].
    pub async fn put_consent(
        &self,
        errand: &Errand,
        guest: GuestId,
        statement: &Statement,
    ) -> Result<ConsentAnswer, GuestError> {
        let policy = self.policies.current();
        let mut event = self.ledger_event(errand, Act::PutConsent, guest);
        if !policy.allows(&errand.caller.role, Right::WriteConsent) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        if let Err(reason) = check_consent(&policy, statement, self.clock.now()) {
            let rejected = Rejected {
                field: "consent".to_owned(),
                reason: reason.as_str().to_owned(),
            };
            return self.refuse(event, GuestError::Rejected(vec![rejected])).await;
        }
        self.must_know(errand, guest, Act::PutConsent).await?;
        if let Err(error @ (GuestError::NotFound | GuestError::Gone | GuestError::Moved(_))) =
            self.active_version(guest).await
        {
            return self.refuse(event, error).await;
        }
        let keys = self
            .keys
            .ensure_guest_keys(guest, &[Category::Audit, Category::Consent])
            .await?;
        event.subject = Some(self.subject(guest, Some(&keys)));
        event = Self::with_reason(event, errand, Some(&keys));
        let mut change = self.log.begin(&self.store).await?;
        let line = self
            .write_consent(&mut change, errand, (guest, None), statement, &keys)
            .await?;
        event.basis = Some(format!("consent:{}", line.id));
        change.record(event);
        change.commit().await?;
        let ledger = self.store.read().await?.consents(guest).await?;
        let state = self.standing_of(&ledger, &line.purpose, &line.recipient);
        Ok(ConsentAnswer {
            consent_id: line.id,
            state,
        })
    }

    /// Appends a statement inside a change; one that is there already is not repeated.
    pub(super) async fn write_consent(
        &self,
        change: &mut Change,
        errand: &Errand,
        (guest, record): (GuestId, Option<RecordId>),
        statement: &Statement,
        keys: &GuestKeys,
    ) -> Result<Line, GuestError> {
        let now = self.clock.now();
        let line = Line {
            id: ConsentId::random(),
            purpose: statement.purpose.clone(),
            recipient: recipient(statement),
            state: statement.state,
            channel: statement.channel.clone(),
            indication: statement.indication.clone().unwrap_or_default(),
            notice: statement.notice_id,
            property: errand.property.clone(),
            captured_by: errand.caller.principal,
            captured_actor: errand.caller.actor.clone(),
            valid_until: statement.valid_until,
            // A clock that runs ahead must not outlive the withdrawal that follows.
            at: statement.at.map_or(now, |at| at.min(now)),
        };
        let evidence = match &statement.evidence_ref {
            None => None,
            Some(text) => {
                let place = evidence_place(guest, line.id.0);
                Some(
                    keys.seal(Category::Consent, &place, text.as_bytes())?
                        .into_bytes(),
                )
            }
        };
        if record.is_none() || !change.tx.has_consent(guest, &line).await? {
            change
                .tx
                .append_consent(guest, record, &line, evidence.as_deref())
                .await?;
            let told = Announcement::consent_changed(now, guest, &line.purpose, line.id);
            change.tx.announce(&told.at_property(&errand.property)).await?;
        }
        Ok(line)
    }

    /// The ledger of a guest.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`].
    pub async fn read_consents(&self, errand: &Errand, guest: GuestId) -> Result<ConsentsAnswer, GuestError> {
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
            Some((_, status, None)) if status != "active" => {
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
        Ok(self.ledger_answer(ledger))
    }

    fn ledger_event(&self, errand: &Errand, act: Act, guest: GuestId) -> Event {
        let mut event = Event::of(errand, act, self.clock.now());
        event.policy_version = Some(self.policies.current().version().to_owned());
        event.subject = Some(self.subject(guest, None));
        event
    }

    fn ledger_answer(&self, ledger: Vec<Line>) -> ConsentsAnswer {
        let subjects: BTreeSet<(Purpose, String)> = ledger
            .iter()
            .map(|l| (l.purpose.clone(), l.recipient.clone()))
            .collect();
        let standing = subjects
            .into_iter()
            .map(|(purpose, recipient)| {
                let state = self.standing_of(&ledger, &purpose, &recipient);
                StandingAnswer {
                    purpose,
                    recipient,
                    state,
                }
            })
            .collect();
        ConsentsAnswer {
            standing,
            history: ledger.into_iter().map(shown).collect(),
        }
    }

    fn standing_of(&self, ledger: &[Line], purpose: &Purpose, recipient: &str) -> &'static str {
        let about = ledger
            .iter()
            .filter(|l| l.purpose == *purpose && l.recipient == recipient);
        standing(
            about.map(|l| (l.id, l.state, l.at, l.valid_until)),
            self.clock.now(),
        )
        .as_str()
    }
}

/// Where the evidence of a consent is sealed to.
pub(super) fn evidence_place(guest: GuestId, consent: Uuid) -> Aad<'static> {
    Aad {
        guest,
        record: consent,
        path: "consent.evidence",
        version: 1,
    }
}

/// Purposes of third parties name their recipient; a statement may leave it out.
fn recipient(statement: &Statement) -> String {
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
        state: line.state,
        channel: line.channel,
        indication: line.indication,
        notice_id: line.notice,
        property: line.property,
        at: line.at,
        valid_until: line.valid_until,
    }
}
