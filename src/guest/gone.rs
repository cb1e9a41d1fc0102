//! Guests that were merged or erased: who is told so.

use std::sync::Arc;

use crate::{
    audit::Act,
    base::{Errand, GuestId},
    policy::{Facts, Grant, Snapshot},
};

use super::{GuestError, Vault, read::Looked, sql::Line};

impl Vault {
    /// What to say of a guest that was merged or erased: who may not know of whom it was, or of whom it became, is not
    /// told either that the id was somebody's.
    pub(super) async fn no_longer(
        &self,
        errand: &Errand,
        (guest, head): (GuestId, &Line),
        (policy, grant, lines): (&Arc<Snapshot>, &Grant, &[Line]),
    ) -> Result<Option<GuestError>, GuestError> {
        let own = self.is_portfolio(errand, guest, head);
        let (known, error) = match (head.word.as_str(), head.id) {
            ("merged", Some(survivor)) => {
                let survivor = GuestId(survivor);
                let looked = Box::pin(self.look(errand, survivor, &[], Act::Search, policy)).await?;
                let hidden = matches!(
                    looked,
                    Looked::Refused(_, GuestError::NotFound | GuestError::Forbidden)
                );
                (own || !hidden, GuestError::Moved(survivor))
            }
            ("erased", _) => {
                let facts = Facts {
                    stay: self.stay_state(errand, &[]),
                    portfolio: own,
                    consent: self.consent_answer(errand, grant, lines),
                };
                (grant.clone().narrow(&facts).visible(), GuestError::Gone)
            }
            _ => return Ok(None),
        };
        Ok(Some(if known { error } else { GuestError::NotFound }))
    }
}
