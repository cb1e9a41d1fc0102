//! Statements that exchange the tokens of look-alikes: tokens and ids only.

use uuid::Uuid;

use crate::{
    base::GuestId,
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    GUESTS_TO_REKEY = "SELECT DISTINCT guest_id FROM likeness_token WHERE guest_id > $1 AND key_version <> $2
                       ORDER BY guest_id LIMIT $3";
    /// In no order: it reads the table once from end to end when there is none left.
    GUESTS_LEFT = "SELECT guest_id FROM likeness_token WHERE key_version <> $1 LIMIT $2";
    TOKENS_OF = "SELECT record_id, key_version, token FROM likeness_token WHERE guest_id = $1";
    /// Holds the guest against other writers until the end of the transaction, and changes nothing.
    HOLD_GUEST = "UPDATE guest SET version = version WHERE guest_id = $1 AND version = $2";
    OLD_TOKENS_DROP = "DELETE FROM likeness_token WHERE guest_id = $1 AND key_version <> $2";
    REKEY_FIND = "SELECT after_id, guests FROM matching_rekey WHERE version = $1";
    REKEY_SET = "INSERT INTO matching_rekey (version, after_id, guests, begun_at, ended_at)
                 VALUES ($1, $2, $3, $4, NULL)
                 ON CONFLICT (version) DO UPDATE SET after_id = excluded.after_id, guests = excluded.guests";
    REKEY_END = "UPDATE matching_rekey SET ended_at = $2 WHERE version = $1";
}

/// A token of a guest.
#[derive(sqlx::FromRow, Clone)]
pub struct TokenRow {
    /// Of which record.
    pub record_id: Uuid,
    /// By which version of the key.
    pub key_version: i64,
    /// The token.
    pub token: Vec<u8>,
}

impl Conn {
    /// Guests after one, in order, who hold tokens of other versions.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guests_to_rekey(
        &mut self,
        after: Uuid,
        version: i64,
        most: i64,
    ) -> Result<Vec<GuestId>, StoreError> {
        let guests: Vec<Uuid> = on!(self, c => {
            sqlx::query_scalar(GUESTS_TO_REKEY).bind(after).bind(version).bind(most).fetch_all(c).await?
        });
        Ok(guests.into_iter().map(GuestId).collect())
    }

    /// Some guests who hold tokens of other versions still.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guests_left(&mut self, version: i64, most: i64) -> Result<Vec<GuestId>, StoreError> {
        let mut guests: Vec<Uuid> = on!(self, c => {
            sqlx::query_scalar(GUESTS_LEFT).bind(version).bind(most).fetch_all(c).await?
        });
        guests.sort_unstable();
        guests.dedup();
        Ok(guests.into_iter().map(GuestId).collect())
    }

    /// The tokens of a guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn tokens_of(&mut self, guest: GuestId) -> Result<Vec<TokenRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(TOKENS_OF).bind(guest.0).fetch_all(c).await?))
    }

    /// How far the exchange to a version has come: after whom it goes on, and how many guests are done.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rekey_progress(&mut self, version: i64) -> Result<Option<(Uuid, i64)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(REKEY_FIND).bind(version).fetch_optional(c).await?))
    }
}

impl Tx {
    /// Holds a guest against other writers; `false` when it was changed since.
    ///
    /// # Errors
    /// What the database says.
    pub async fn hold_guest(&mut self, guest: GuestId, version: i64) -> Result<bool, StoreError> {
        Ok(run!(self, HOLD_GUEST, guest.0, version) == 1)
    }

    /// Removes a guest's tokens of other versions.
    ///
    /// # Errors
    /// What the database says.
    pub async fn drop_old_tokens(&mut self, guest: GuestId, version: i64) -> Result<(), StoreError> {
        run!(self, OLD_TOKENS_DROP, guest.0, version);
        Ok(())
    }

    /// Notes how far the exchange to a version has come.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_rekey(
        &mut self,
        version: i64,
        (after, guests): (Uuid, i64),
        now: i64,
    ) -> Result<(), StoreError> {
        run!(self, REKEY_SET, version, after, guests, now);
        Ok(())
    }

    /// Notes that the exchange to a version has ended.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_rekey(&mut self, version: i64, now: i64) -> Result<(), StoreError> {
        run!(self, REKEY_END, version, now);
        Ok(())
    }
}
