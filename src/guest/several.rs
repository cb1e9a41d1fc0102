//! Looks at several guests side by side, for lists and exports.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    audit::Act,
    base::{Category, Errand, FieldIndex, GuestId},
    policy::Snapshot,
};

use super::{
    GuestError, Vault,
    read::{Fetched, Looked},
};

/// Guests looked at at once.
const ABREAST: usize = 32;

impl Vault {
    /// Those of the guests that this caller may see, in their order. What is damaged is recorded; of the others nothing is
    /// said.
    pub(super) async fn look_at_each(
        &self,
        errand: &Errand,
        guests: &[GuestId],
        (wanted, categories): (&[FieldIndex], &[Category]),
        act: Act,
        policy: &Arc<Snapshot>,
    ) -> Result<Vec<Fetched>, GuestError> {
        // All keys at once; the looks below find them in the cache.
        self.keys.many_guest_keys(guests, categories).await?;
        let looks = guests
            .iter()
            .map(|guest| self.look(errand, *guest, wanted, act, policy));
        let looked: Vec<Looked> = stream::iter(looks).buffered(ABREAST).try_collect().await?;
        let mut seen = Vec::with_capacity(looked.len());
        for one in looked {
            match one {
                Looked::Seen(fetched) => seen.push(*fetched),
                Looked::Refused(event, GuestError::Damaged) => {
                    self.log.record(event.denied("damaged"), ()).await?;
                }
                Looked::Refused(..) => {}
            }
        }
        Ok(seen)
    }
}
