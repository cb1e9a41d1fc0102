//! What keeps two guests apart: a steward's word, or two numbers that a person has for life.

use crate::{
    base::GuestId,
    guest::{GuestError, Vault},
    matching::Score,
};

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
            against.push("kept_apart".to_owned());
        }
        Ok(against)
    }
}
