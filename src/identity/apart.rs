//! What keeps two guests apart: a steward's word, or two numbers that a person has for life.

use crate::{
    base::GuestId,
    guest::{GuestError, Vault, likeness::PARTS},
    matching::{Frequencies, Score, score::score},
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

    /// How two guests compare.
    ///
    /// # Errors
    /// When database or keys fail.
    pub(super) async fn compare(&self, one: GuestId, other: GuestId) -> Result<Score, GuestError> {
        let guests = [one, other];
        let rows = self.store.read().await?.likeness_of(&guests, &PARTS).await?;
        let people = self.people(&guests, rows).await?;
        let frequencies = Frequencies::new(self.guests_about().await?);
        let person = |guest: &GuestId| people.get(guest).cloned().unwrap_or_default();
        Ok(score(
            &self.matcher.weights(),
            &frequencies,
            &person(&one),
            &person(&other),
        ))
    }
}
