//! After a restore: what the log tells that protects a guest holds again. Refusals are said again; a restriction and a hold
//! stand until somebody looks at them.

use chrono::{DateTime, Duration};
use uuid::Uuid;

use crate::{
    audit::{Act, Event, GuestRefusal, RESTORED},
    base::{Caller, Category, ConsentId, Errand, GuestId, PrincipalId, PropertyCode, RequestId, micros},
    consent::{Line, State},
    guest::{Beside, GuestError},
    keys::GuestKeys,
    policy::Separate,
    retention::{
        Ground,
        sql::{NewHold, holds},
    },
};

use super::{Eraser, ErasureError, protections::Said};

/// Days after which a hold that stands in for one of the log is looked at.
const REVIEW_DAYS: i64 = 30;
/// What such a hold is about: the log does not tell the matter of the one that it stands in for.
const MATTER: &str = "put after the backup that was restored; the log tells when and by whom";

/// What holds again of one guest.
#[derive(Default)]
pub(super) struct Again {
    pub(super) refusals: u64,
    pub(super) restricted: bool,
    pub(super) held: bool,
}

impl Eraser {
    /// Makes hold again what the log tells of a guest of the restored copy. Nothing of the erased.
    pub(super) async fn protect(
        &self,
        caller: &Caller,
        (guest, said): (GuestId, &[&Said]),
    ) -> Result<Again, ErasureError> {
        let mut again = Again::default();
        let vault = &self.vault;
        // In the copy the guest may be taken in by another, with whom it was parted again after the backup.
        let guest = vault.goes_on_as(guest).await?;
        let head = vault.store.read().await?.guest_head(guest).await?;
        if head.is_none_or(|(_, status, _)| status == "erased") {
            return Ok(again);
        }
        let keys = vault.keys.fresh_guest_keys(guest, &[Category::Audit]).await?;
        for no in said.iter().flat_map(|said| said.refusals()) {
            again.refusals += u64::from(self.refuse_again(caller, (guest, &keys), no).await?);
        }
        if said.iter().any(|said| said.is_restricted()) {
            again.restricted = self.restrict_again(caller, (guest, &keys)).await?;
        }
        if said.iter().any(|said| said.is_held()) {
            let standing = holds(&mut vault.store.read().await?, guest).await?;
            if !standing.iter().any(|hold| hold.author == caller.principal.0) {
                self.hold_again(caller, (guest, &keys)).await?;
                again.held = true;
            }
        }
        Ok(again)
    }

    /// A refusal in the ledger, from when it was said; `false` when it is there.
    async fn refuse_again(
        &self,
        caller: &Caller,
        (guest, keys): (GuestId, &GuestKeys),
        (refusal, property): (&GuestRefusal, Option<&PropertyCode>),
    ) -> Result<bool, ErasureError> {
        let vault = &self.vault;
        let top = vault.properties.top().map(|node| &node.code);
        let said = State::from_word(&refusal.state).zip(refusal.purpose.parse().ok());
        let ((state, purpose), property) = said.zip(property.or(top)).ok_or(GuestError::Damaged)?;
        let errand = Errand {
            caller: caller.clone(),
            property: property.clone(),
            purpose: "subject_request".parse().map_err(|_| GuestError::Damaged)?,
            reason: None,
            request: RequestId::random(),
        };
        let line = Line {
            id: ConsentId::random(),
            purpose,
            recipient: refusal.recipient.clone(),
            scope: refusal.scope.clone(),
            separate: Separate::ALL
                .into_iter()
                .find(|kind| kind.as_str() == refusal.separate),
            state,
            channel: "restore".to_owned(),
            indication: "log".to_owned(),
            notice: None,
            terms: 0,
            superseded: None,
            property: property.clone(),
            captured_by: caller.principal,
            captured_actor: None,
            valid_until: None,
            at: DateTime::from_timestamp_micros(refusal.at).ok_or(GuestError::Damaged)?,
            told_at: None,
            entry: None,
        };
        let mut change = vault.log.begin(&vault.store).await?;
        if change.tx.has_consent(guest, &line).await? {
            return Ok(false);
        }
        let said = (line, Beside::default());
        vault
            .append_line(&mut change, &errand, (guest, None), said, keys)
            .await?;
        change.commit().await.map_err(GuestError::from)?;
        Ok(true)
    }

    /// Out of sight again; `false` when the guest is already.
    async fn restrict_again(
        &self,
        caller: &Caller,
        (guest, keys): (GuestId, &GuestKeys),
    ) -> Result<bool, ErasureError> {
        let vault = &self.vault;
        let now = vault.clock.now();
        let head = vault.store.read().await?.guest_head(guest).await?;
        if head.is_none_or(|(_, status, _)| status != "active") {
            return Ok(false);
        }
        let mut change = vault.log.begin(&vault.store).await?;
        change.tx.set_fate(guest, "restricted", micros(now)).await?;
        change.record(self.restored(caller, Act::Restrict, (guest, keys)));
        change.commit().await.map_err(GuestError::from)?;
        Ok(true)
    }

    /// A hold on everything, for whoever knows the matter to put its own in its place.
    async fn hold_again(
        &self,
        caller: &Caller,
        (guest, keys): (GuestId, &GuestKeys),
    ) -> Result<(), ErasureError> {
        let vault = &self.vault;
        let now = vault.clock.now();
        let id = Uuid::now_v7();
        let matter = vault.keys.seal_own("hold", id, MATTER.as_bytes())?.into_bytes();
        let review_on = (now + Duration::days(REVIEW_DAYS)).date_naive().to_string();
        let PrincipalId(author) = caller.principal;
        let hold = NewHold {
            hold: id,
            matter: &matter,
            ground: Ground::LegalClaim.as_str(),
            categories: "",
            review_on: &review_on,
            stays: (None, None),
            author,
            actor: None,
        };
        let mut change = vault.log.begin(&vault.store).await?;
        change.tx.put_hold(guest, &hold, micros(now)).await?;
        change.record(self.restored(caller, Act::Hold, (guest, keys)));
        Ok(change.commit().await.map_err(GuestError::from)?)
    }

    /// Unlike what was said by somebody, it is not done again after the next restore.
    fn restored(&self, caller: &Caller, act: Act, (guest, keys): (GuestId, &GuestKeys)) -> Event {
        let mut event = Event::by(caller, act, RequestId::random(), self.vault.clock.now());
        event.subject = Some(self.vault.subject(guest, Some(keys)));
        event.outcome = Some(RESTORED);
        event
    }
}
