//! Whose guests: who works for some houses has to do with the guests of these alone.

use crate::{
    audit::Event,
    base::{Caller, Credential, Errand, GuestId, Reach},
};

use super::{GuestError, Vault};

impl Vault {
    /// The houses of this caller; the operator's commands and the vault's own work are for all.
    pub(crate) fn reach(&self, caller: &Caller) -> Reach {
        if caller.credential == Credential::Operator {
            return Reach::default();
        }
        self.properties.reach(&caller.scope)
    }

    /// Whether a guest is of this caller's houses: one of them has told of it, or has it stay.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn is_of(&self, errand: &Errand, guest: GuestId) -> Result<bool, GuestError> {
        let reach = self.reach(&errand.caller);
        if reach.is_whole() {
            return Ok(true);
        }
        Ok(self.store.read().await?.is_of_houses(guest, &reach).await?)
    }

    /// Refuses what is about a guest of other houses, as if there were none.
    ///
    /// # Errors
    /// [`GuestError::NotFound`], recorded; what the database says.
    pub(crate) async fn must_be_of(
        &self,
        errand: &Errand,
        guest: GuestId,
        event: &Event,
    ) -> Result<(), GuestError> {
        if self.is_of(errand, guest).await? {
            return Ok(());
        }
        self.refuse(event.clone(), GuestError::NotFound).await
    }
}
