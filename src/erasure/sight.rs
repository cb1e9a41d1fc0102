//! What an erasure leaves of a guest is nobody's to see.

use crate::{
    audit::Act,
    base::{GuestId, micros},
};

use super::{Eraser, ErasureError, Order, Preview};

impl Eraser {
    /// What a hold or a law keeps of a guest who wanted to be gone is nobody's to read, unless a stay needs it. The log
    /// says so by the tombstones of the guest and of all that it has taken in: a restored copy may not know of the case.
    ///
    /// # Errors
    /// What the database says.
    pub async fn out_of_sight(
        &self,
        order: &Order,
        guest: GuestId,
        told: &Preview,
    ) -> Result<(), ErasureError> {
        let vault = &self.vault;
        let mut conn = vault.store.read().await?;
        let head = conn.guest_head(guest).await?;
        let absorbed = conn.absorbed(guest).await?;
        drop(conn);
        if told.open_stay || head.is_none_or(|(_, status, _)| status != "active") {
            return Ok(());
        }
        let mut change = vault.log.begin(&vault.store).await?;
        let now = micros(vault.clock.now());
        if !change.tx.set_fate(guest, "restricted", now).await? {
            return Ok(());
        }
        let own = self.event(order, Act::Restrict, guest, (false, &[]));
        let mut own = self.with_records(own, guest).await?;
        own.subject = Some(vault.subject(guest, None));
        change.record(own);
        for one in absorbed.into_iter().map(GuestId) {
            let event = self.event(order, Act::Restrict, one, (false, &[]));
            change.record(self.with_records(event, one).await?);
        }
        Ok(change.commit().await?)
    }
}
