//! What keeps two guests apart: a steward's word, or two numbers that a person has for life.

use crate::{
    base::GuestId,
    guest::{GuestError, Vault},
    matching::Score,
    store::Tx,
};

/// A steward's word.
const KEPT_APART: &str = "kept_apart";

/// The refusal of a merge that is not forced.
pub(super) fn speaks_against(reason: &str) -> GuestError {
    GuestError::Blocked(format!("{reason}; repeat it with force=true if you know better"))
}

impl Vault {
    /// Whether a steward said that these two are different people.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn are_apart(&self, one: GuestId, other: GuestId) -> Result<bool, GuestError> {
        let mut conn = self.store.read().await?;
        let (ones, others) = (conn.record_ids(one).await?, conn.record_ids(other).await?);
        Ok(conn.are_apart(&ones, &others).await?)
    }

    /// The same within a change that has touched both: whoever says it from now on finds them one.
    ///
    /// # Errors
    /// [`GuestError::Blocked`] when a steward said so; when the database fails.
    pub(super) async fn must_not_be_apart(
        tx: &mut Tx,
        (one, other): (GuestId, GuestId),
    ) -> Result<(), GuestError> {
        let (ones, others) = (tx.record_ids(one).await?, tx.record_ids(other).await?);
        if tx.are_apart(&ones, &others).await? {
            return Err(speaks_against(KEPT_APART));
        }
        Ok(())
    }

    /// What speaks against taking these two for one.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn against(
        &self,
        (one, other): (GuestId, GuestId),
        score: &Score,
    ) -> Result<Vec<String>, GuestError> {
        let mut against = Vec::new();
        if score.veto {
            against.push("two_lifelong_ids".to_owned());
        }
        if self.are_apart(one, other).await? {
            against.push(KEPT_APART.to_owned());
        }
        Ok(against)
    }
}
