//! In a restored copy: guests are parted again who were parted after the backup, so that what was erased of one of them
//! alone is erased of that one alone. Nobody is told: it was told when it was done.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{
    audit::Act,
    base::{Caller, Errand, GuestId, RequestId, micros},
    guest::{GuestError, Vault},
};

use super::sql::MergeRow;

impl Vault {
    /// Parts a guest from whom it was merged into, and these from whom they were merged into since. Returns how many
    /// merges were undone.
    ///
    /// # Errors
    /// What database, key store and log say.
    pub async fn part_again(&self, caller: &Caller, absorbed: GuestId) -> Result<u64, GuestError> {
        let mut merges = Vec::new();
        let mut guest = absorbed;
        while let Some(row) = self.store.read().await?.merge_of(guest).await? {
            guest = GuestId(row.survivor);
            merges.push(row);
        }
        let errand = self.errand_in_copy(caller)?;
        for row in merges.iter().rev() {
            self.undo_in_copy(&errand, row).await?;
        }
        Ok(u64::try_from(merges.len()).unwrap_or(u64::MAX))
    }

    /// Takes records out of a guest into another, who is made for them.
    ///
    /// # Errors
    /// What database, key store and log say.
    pub async fn split_again(
        &self,
        caller: &Caller,
        (guest, new): (GuestId, GuestId),
        records: BTreeSet<Uuid>,
    ) -> Result<(), GuestError> {
        let errand = self.errand_in_copy(caller)?;
        let crossing = self.crossing_in_copy(guest, new).await?;
        let mut change = self.log.begin(&self.store).await?;
        self.take_out(&mut change, &errand, &crossing, records).await?;
        self.record_both(&mut change, &errand, Act::Unmerge, &crossing);
        Ok(change.commit().await?)
    }

    async fn undo_in_copy(&self, errand: &Errand, row: &MergeRow) -> Result<(), GuestError> {
        let (survivor, restored) = (GuestId(row.survivor), GuestId(row.absorbed));
        let mut others = self.store.read().await?.merges_into(survivor).await?;
        others.retain(|other| other.merge_id != row.merge_id);
        let crossing = self.crossing_in_copy(survivor, restored).await?;
        let (by, now) = (errand.caller.principal.0, micros(self.clock.now()));
        let mut change = self.log.begin(&self.store).await?;
        change.tx.merge_undone(row.merge_id, by, now).await?;
        change.tx.mark_active(restored, survivor, now).await?;
        change.tx.part_reviews((survivor, restored), by, now).await?;
        self.part_rows(&mut change, errand, (row, &others), &crossing)
            .await?;
        self.record_both(&mut change, errand, Act::Unmerge, &crossing);
        Ok(change.commit().await?)
    }

    fn errand_in_copy(&self, caller: &Caller) -> Result<Errand, GuestError> {
        let top = self.properties.top().ok_or(GuestError::Damaged)?;
        Ok(Errand {
            caller: caller.clone(),
            property: top.code.clone(),
            purpose: "subject_request".parse().map_err(|_| GuestError::Damaged)?,
            reason: None,
            request: RequestId::random(),
        })
    }
}
