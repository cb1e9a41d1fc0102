//! Whose guests: who works for some houses has to do with the guests of these alone.

use crate::{
    audit::Event,
    base::{Caller, Credential, Errand, GuestId, PropertyCode, Reach},
    store::Conn,
};

use super::{GuestError, Rejected, Vault};

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

    /// Of which house a record is once this caller has told it anew; `told_at` is where it was told last. What was told for
    /// a brand or the group becomes the record of the house that goes on with it, unless the guest is another's, too: then
    /// it stays above them, and each may go on. Whoever tells for many houses takes it from none.
    ///
    /// # Errors
    /// [`GuestError::Rejected`] for a record of other houses; what the database says.
    pub(super) async fn house_of_record(
        &self,
        conn: &mut Conn,
        errand: &Errand,
        (guest, told_at): (GuestId, PropertyCode),
    ) -> Result<PropertyCode, GuestError> {
        let (tree, here) = (&self.properties, &errand.property);
        let reach = self.reach(&errand.caller);
        let covered = reach.holds(told_at.as_str());
        if covered && tree.within(&told_at, here) {
            return Ok(told_at);
        }
        // A source's ids are of the whole group: a key of one house that knows them must not rewrite another's guests.
        let beyond = || {
            GuestError::Rejected(vec![Rejected {
                field: "source_id".to_owned(),
                reason: "property_out_of_scope".to_owned(),
            }])
        };
        if !tree.within(here, &told_at) {
            return covered.then(|| here.clone()).ok_or_else(beyond);
        }
        let houses = conn.houses_of(guest).await?;
        let is_shared = houses
            .iter()
            .any(|house| !tree.within(house, here) && !tree.within(here, house));
        let is_own = covered || houses.iter().any(|house| reach.holds(house.as_str()));
        match (is_shared, is_own) {
            (true, false) => Err(beyond()),
            (true, true) => Ok(told_at),
            (false, _) => Ok(here.clone()),
        }
    }
}
