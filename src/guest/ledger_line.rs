//! How a line comes into a guest's consent ledger: with an entry of the log that commits to it.

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use crate::{
    audit::{Act, Change, GuestRefusal},
    base::{Category, ConsentId, Errand, GuestId, RecordId, micros, said_now},
    consent::{Line, Refusal, Standing, State, Statement, is_flag, says_again},
    crypto::{Aad, same},
    events::Announcement,
    keys::GuestKeys,
    policy::Separate,
};

use super::{
    GuestError, RecordInput, Vault,
    consents::{Details, details_place, evidence_place, recipient},
};

/// What lies sealed beside a line.
#[derive(Clone, Copy, Default)]
pub(crate) struct Beside<'s> {
    /// Where its evidence is.
    evidence: Option<&'s [u8]>,
    /// Who spoke, if it was not the guest.
    details: Option<&'s [u8]>,
}

impl Vault {
    /// A guest's objection to everything that rests on consent or on the house's own interest: a line of the ledger
    /// for each such purpose.
    pub(crate) async fn object(
        &self,
        change: &mut Change,
        errand: &Errand,
        guest: GuestId,
        keys: &GuestKeys,
    ) -> Result<(), GuestError> {
        if !change.tx.keep_still(guest).await? {
            return Err(GuestError::Stale);
        }
        let policy = self.policies.current();
        for rule in policy.purposes().filter(|rule| rule.asks_the_ledger()) {
            let statement = Statement {
                purpose: rule.code.clone(),
                state: if rule.needs_consent {
                    State::Withdrawn
                } else {
                    State::Objected
                },
                recipient: rule.recipient.clone(),
                scope: None,
                separate: None,
                notice_id: None,
                channel: "request".to_owned(),
                indication: Some("objection".to_owned()),
                said_by: None,
                guardian: None,
                at: None,
                valid_until: None,
                evidence_ref: None,
            };
            self.write_consent(change, errand, (guest, None), (&statement, 0), keys)
                .await?;
        }
        Ok(())
    }

    /// What an objection is sealed with.
    ///
    /// # Errors
    /// [`GuestError::NotFound`] and the like, when the guest is not there to object.
    pub(crate) async fn keys_to_object(&self, guest: GuestId) -> Result<GuestKeys, GuestError> {
        self.active_version(guest).await?;
        self.keys_of(guest, &[Category::Audit, Category::Consent]).await
    }

    /// Appends what a record says to the ledger, unless the same record has said it already. Tells what is not taken for an
    /// agreement.
    pub(super) async fn write_told_consent(
        &self,
        change: &mut Change,
        errand: &Errand,
        (guest, record): (GuestId, RecordId),
        (input, (statement, terms)): (&RecordInput, &(Statement, i64)),
        keys: &GuestKeys,
    ) -> Result<Option<Refusal>, GuestError> {
        // Unlike what the source said, a checked statement also has the time of its record.
        let own_time = statement.at.filter(|_| input.consents.contains(statement));
        let line = line_of(errand, statement, self.clock.now());
        let said = change.tx.said_by_record(guest, record, &line).await?;
        if says_again(&said, &line, own_time) {
            return Ok(None);
        }
        if said.is_empty() && is_flag(&line) && self.is_refused(change, errand, (guest, &line)).await? {
            return Ok(Some(Refusal::RefusedElsewhere));
        }
        self.write_consent(change, errand, (guest, Some(record)), (statement, *terms), keys)
            .await?;
        Ok(None)
    }

    /// Whether the guest has said no to what a flag says yes to: how a system's box stands is no act of the guest's, whenever
    /// the system looked at it.
    async fn is_refused(
        &self,
        change: &mut Change,
        errand: &Errand,
        (guest, line): (GuestId, &Line),
    ) -> Result<bool, GuestError> {
        let ledger = change.tx.consents(guest).await?;
        let place = line.scope.parse().unwrap_or_else(|_| errand.property.clone());
        let matter = (&line.purpose, line.recipient.as_str(), line.separate);
        let standing = self.standing_of(&place, &ledger, matter);
        Ok(matches!(
            standing,
            Standing::Refused(_) | Standing::Withdrawn(_) | Standing::Objected(_)
        ))
    }

    /// Appends a statement inside a change, with an entry of the log of its own that commits to the line. One that a
    /// record has said before is not repeated.
    pub(super) async fn write_consent(
        &self,
        change: &mut Change,
        errand: &Errand,
        (guest, record): (GuestId, Option<RecordId>),
        (statement, terms): (&Statement, i64),
        keys: &GuestKeys,
    ) -> Result<Line, GuestError> {
        let now = self.clock.now();
        let mut line = Line {
            terms,
            ..line_of(errand, statement, now)
        };
        if record.is_some() && change.tx.has_consent(guest, &line).await? {
            return Ok(line);
        }
        if statement.counts_from_now(now) {
            // What lies ahead of now another clock has dated.
            let last = change.tx.last_said(guest, &line.purpose).await?;
            line.at = said_now(line.at, last.filter(|last| *last > now));
        }
        let id = line.id.0;
        let evidence = statement.evidence_ref.as_deref().map(str::as_bytes);
        let evidence = sealed(keys, &evidence_place(guest, id), evidence)?;
        let details = details_of(statement);
        let plain = details.as_ref().map(|d| d.as_slice());
        let details = sealed(keys, &details_place(guest, id), plain)?;
        let beside = Beside {
            evidence: evidence.as_deref(),
            details: details.as_deref(),
        };
        self.append_line(change, errand, (guest, record), (line, beside), keys)
            .await
    }

    /// Appends a line inside a change, with an entry that commits to it, and tells who listens.
    pub(crate) async fn append_line(
        &self,
        change: &mut Change,
        errand: &Errand,
        (guest, record): (GuestId, Option<RecordId>),
        (mut line, beside): (Line, Beside<'_>),
        keys: &GuestKeys,
    ) -> Result<Line, GuestError> {
        let mut event = self.ledger_event(errand, Act::PutConsent, guest);
        event.subject = Some(self.subject(guest, Some(keys)));
        event.basis = Some(format!("consent:{}", line.id));
        event.rules = vec![line.commitment()];
        event.refusal = refusal(&line);
        line.entry = Some(change.record(Self::with_reason(event, errand, Some(keys))));
        change
            .tx
            .append_consent(guest, record, &line, (beside.evidence, beside.details))
            .await?;
        let told = Announcement::consent_changed(self.clock.now(), guest, &line.purpose, line.id);
        change.tx.announce(&told.at_property(&errand.property)).await?;
        Ok(line)
    }

    /// Whether a yes rests on the very evidence that a yes to another matter does, and one of the two is a separate
    /// consent: one tick, one signature is one consent.
    pub(super) async fn is_bundled(
        &self,
        guest: GuestId,
        statement: &Statement,
        keys: &GuestKeys,
    ) -> Result<bool, GuestError> {
        let given = statement.evidence_ref.as_deref();
        let Some(evidence) = given.filter(|_| statement.state.is_yes()) else {
            return Ok(false);
        };
        let code = recipient(statement);
        let matter = (&statement.purpose, code.as_str(), statement.separate);
        let others = self.store.read().await?.evidence_of_others(guest, matter).await?;
        for (line, separate, sealed) in others {
            if statement.separate.is_none() && separate.is_empty() {
                continue;
            }
            let plain = keys.open_internal(Category::Consent, &sealed, &evidence_place(guest, line))?;
            if same(&plain, evidence.as_bytes()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn line_of(errand: &Errand, statement: &Statement, now: DateTime<Utc>) -> Line {
    let here = statement.state.is_yes().then(|| errand.property.to_string());
    Line {
        id: ConsentId::random(),
        purpose: statement.purpose.clone(),
        recipient: recipient(statement),
        scope: statement
            .scope
            .as_ref()
            .map(ToString::to_string)
            .or(here)
            .unwrap_or_default(),
        separate: statement.separate,
        state: statement.state,
        channel: statement.channel.clone(),
        indication: statement.indication.clone().unwrap_or_default(),
        notice: statement.notice_id,
        terms: 0,
        superseded: None,
        property: errand.property.clone(),
        captured_by: errand.caller.principal,
        captured_actor: errand.caller.actor.clone(),
        valid_until: statement.valid_until,
        // A clock that runs ahead must not outlive the withdrawal that follows.
        at: statement.at.map_or(now, |at| at.min(now)),
        told_at: statement.at,
        entry: None,
    }
}

/// What the entry of a line holds of a no; nothing of a yes, which can be asked for again.
fn refusal(line: &Line) -> Option<GuestRefusal> {
    line.state.is_no().then(|| GuestRefusal {
        at: micros(line.at),
        purpose: line.purpose.to_string(),
        recipient: line.recipient.clone(),
        scope: line.scope.clone(),
        separate: line.separate.map_or("", Separate::as_str).to_owned(),
        state: line.state.as_str().to_owned(),
    })
}

fn sealed(keys: &GuestKeys, place: &Aad<'_>, plain: Option<&[u8]>) -> Result<Option<Vec<u8>>, GuestError> {
    let seal = |plain| Ok(keys.seal(Category::Consent, place, plain)?.into_bytes());
    plain.map(seal).transpose()
}

/// Who spoke, and the guardian, when anybody but the guest is told of.
fn details_of(statement: &Statement) -> Option<Zeroizing<Vec<u8>>> {
    let details = Details {
        said_by: statement.said_by?,
        guardian: statement.guardian.clone(),
    };
    serde_json::to_vec(&details).ok().map(Zeroizing::new)
}
