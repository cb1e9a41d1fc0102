//! Stays that two guests have who were one: each gets back its own word of them, with what its source has said since.
//!
//! While they are one, the newest word lies with the survivor and is shown; what the other one of the two had said last
//! lies asleep with the absorbed guest, wherever it came from.

use crate::{
    base::GuestId,
    guest::{GuestError, Vault},
    store::Tx,
};

use super::{
    crossing::Crossing,
    merge::NEWER_STAY,
    sql::{
        MergeRow,
        crossing::{Sealed, SealedStay},
    },
    undo::Theirs,
};

impl Vault {
    /// Parts the words of the stays that the absorbed guest had, `awake` with the survivor and `asleep` with itself.
    pub(super) async fn give_back_stays(
        &self,
        tx: &mut Tx,
        others: &[MergeRow],
        (theirs, crossing): (&Theirs, &Crossing),
        (awake, asleep): (&[SealedStay], &[SealedStay]),
    ) -> Result<(), GuestError> {
        let (brought, newer) = (theirs.parts("stay"), theirs.parts(NEWER_STAY));
        let is_their = |stay: &SealedStay| theirs.records.contains(&stay.record_id);
        for hidden in asleep {
            let token = hidden.stay_token;
            let Some(shown) = awake.iter().find(|stay| stay.stay_token == token) else {
                continue;
            };
            let alone = brought.contains(&token);
            // Staff's word has no record: it is of whom the stay was.
            let of_nobody =
                shown.record_id.is_nil() && (alone || newer.contains(&token) && !is_their(hidden));
            let goes = is_their(shown) || of_nobody;
            match (alone, goes) {
                (true, true) => self.give_alone(tx, others, crossing, (shown, hidden)).await?,
                // Another guest that was taken in has told of it since: it is that one's from now on.
                (true, false) => self.bring(tx, others, shown).await?,
                (false, true) if is_their(hidden) => {
                    let sealed = crossing.stay(shown)?;
                    tx.copy_stay(crossing.ends(), token, &sealed).await?;
                }
                (false, true) => crossing.exchange(tx, (shown, hidden)).await?,
                (false, false) => {}
            }
        }
        Ok(())
    }

    /// Gives a stay back that the survivor has by this merge; it stays with what another merge in force brought of it.
    async fn give_alone(
        &self,
        tx: &mut Tx,
        others: &[MergeRow],
        crossing: &Crossing,
        (shown, hidden): (&SealedStay, &SealedStay),
    ) -> Result<(), GuestError> {
        let ends = crossing.ends();
        let token = shown.stay_token;
        if (shown.record_id, shown.version) != (hidden.record_id, hidden.version) {
            tx.copy_stay(ends, token, &crossing.stay(shown)?).await?;
        }
        for other in others {
            let absorbed = GuestId(other.absorbed);
            let Sealed { stays, .. } = tx.sealed_of(absorbed).await?;
            if let Some(own) = stays.iter().find(|stay| stay.stay_token == token) {
                let brought = self.crossing(absorbed, ends.0).await?;
                tx.copy_stay(brought.ends(), token, &brought.stay(own)?).await?;
                tx.insert_part(other.merge_id, "stay", token).await?;
                return Ok(());
            }
        }
        Ok(tx.delete_stay(ends.0, token).await?)
    }

    /// Notes with the merge in force whose guest told of it that the survivor has a stay by it.
    async fn bring(&self, tx: &mut Tx, others: &[MergeRow], shown: &SealedStay) -> Result<(), GuestError> {
        for other in others {
            let records = tx.record_ids(GuestId(other.absorbed)).await?;
            if records.contains(&shown.record_id) {
                tx.insert_part(other.merge_id, "stay", shown.stay_token).await?;
            }
        }
        Ok(())
    }
}
