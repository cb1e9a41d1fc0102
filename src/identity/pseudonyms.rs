//! Handles of guests for services that need no more than to know one again: a survey, statistics, door locks. Each
//! consumer has its own, which cannot be joined with another's and is gone with the guest.

use data_encoding::{BASE32_NOPAD, Encoding};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit::Act,
    base::{Category, Errand, GuestId, PrincipalId, micros},
    guest::{AuditAnswer, GuestError, Vault},
    policy::Right,
};

/// What every handle begins with.
const PREFIX: &str = "gp_";
const LETTERS: Encoding = BASE32_NOPAD;

/// A guest's handle for one consumer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PseudonymAnswer {
    /// For whom.
    pub consumer: PrincipalId,
    /// The handle.
    #[schema(max_length = 40, example = "gp_2Q5VNGXBK7ZJYRIWXFJ7K3SVUA")]
    pub pseudonym: String,
    /// The record of this call.
    pub audit: AuditAnswer,
}

/// Whose handle it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PseudonymOwner {
    /// Whose; after a merge the guest that went on.
    pub guest_id: GuestId,
    /// For whom it was made.
    pub consumer: PrincipalId,
    /// The record of this call.
    pub audit: AuditAnswer,
}

impl Vault {
    /// The handle by which a consumer knows a guest; the same every time.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`], [`GuestError::Moved`], [`GuestError::Gone`]; what store,
    /// keys or log fail with.
    pub async fn pseudonym(
        &self,
        errand: &Errand,
        guest: GuestId,
        consumer: PrincipalId,
    ) -> Result<PseudonymAnswer, GuestError> {
        let mut event = self.identity_event(errand, Act::Resolve, guest);
        if !self
            .policies
            .current()
            .allows(&errand.caller.role, Right::IssuePseudonyms)
        {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        self.must_know(errand, guest, Act::Resolve).await?;
        let keys = self.keys.guest_keys(guest, &[Category::Audit]).await?;
        let Some(token) = self.keys.handle(&keys, consumer) else {
            return self.refuse(event, GuestError::Damaged).await;
        };
        event.subject = Some(self.subject(guest, Some(&keys)));
        event.outcome = Some("pseudonym_issued");
        let mut change = self.change_of(guest).await?;
        let now = micros(self.clock.now());
        change.tx.insert_pseudonym(token, guest, consumer.0, now).await?;
        let entry = change.record(Self::with_reason(event, errand, Some(&keys)));
        change.commit().await?;
        Ok(PseudonymAnswer {
            consumer,
            pseudonym: format!("{PREFIX}{}", LETTERS.encode(&token)),
            audit: AuditAnswer { entry_id: entry },
        })
    }

    /// Whose handle it is, where this caller may know of the guest.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`] when there is none, it is gone with its guest, or this caller
    /// may not know of the guest; [`GuestError::Budget`].
    pub async fn pseudonym_owner(
        &self,
        errand: &Errand,
        pseudonym: &str,
    ) -> Result<PseudonymOwner, GuestError> {
        let mut event = self.identity_event(errand, Act::Resolve, GuestId::random());
        event.subject = None;
        if !self
            .policies
            .current()
            .allows(&errand.caller.role, Right::ResolvePseudonyms)
        {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        if let Err(exceeded) = self.budgets.search(&errand.caller) {
            return self.refuse(event, exceeded.into()).await;
        }
        let token = pseudonym
            .strip_prefix(PREFIX)
            .and_then(|text| LETTERS.decode(text.as_bytes()).ok());
        let mut conn = self.store.read().await?;
        let found = match token {
            Some(token) => conn.pseudonym(&token).await?,
            None => None,
        };
        let Some((guest, consumer)) = found else {
            drop(conn);
            return self.refuse(event, GuestError::NotFound).await;
        };
        drop(conn);
        let guest = self.goes_on_as(GuestId(guest)).await?;
        self.must_know(errand, guest, Act::Resolve).await?;
        let keys = self.keys.guest_keys(guest, &[Category::Audit]).await?;
        event.subject = Some(self.subject(guest, Some(&keys)));
        event.outcome = Some("pseudonym_resolved");
        let receipt = self
            .log
            .record(Self::with_reason(event, errand, Some(&keys)), ())
            .await?;
        Ok(PseudonymOwner {
            guest_id: guest,
            consumer: PrincipalId(consumer),
            audit: AuditAnswer {
                entry_id: receipt.entry(),
            },
        })
    }
}
