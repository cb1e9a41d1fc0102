//! The statements that change guests.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    COMPOUND_PARTS, FIELD_DELETE, FIELD_HEADS, FIELD_OF_ALL, GUEST_MANAGER, GUEST_STILL, GUEST_TOUCH,
    IDEMPOTENT_DROP, IDEMPOTENT_INSERT, IDEMPOTENT_SET, IDEMPOTENT_SWEEP, IMPORT_SET, Line, STAY_HELD,
    STAY_INDEX_DELETE, STAY_UPSERT, StayRow, TOKENS_DELETE, ValueRow, rows::numbered, stay_word::SealedStay,
};
use crate::{
    base::{GuestId, RecordId},
    on,
    store::{StoreError, Tx},
};

/// A value to be stored.
pub struct NewValue {
    /// Which field.
    pub field: String,
    /// Its version.
    pub version: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
    /// Whether staff fixed it.
    pub pinned: bool,
    /// Whether it was verified.
    pub verified: bool,
    /// Since when the record says so, in microseconds.
    pub observed_at: i64,
    /// When it last said so again, in microseconds.
    pub said_at: Option<i64>,
}

/// A value that a record has.
#[derive(sqlx::FromRow)]
pub struct HeldValue {
    /// Of which field.
    pub field: String,
    /// Its version, bound into the seal.
    pub version: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
    /// Whether it was verified.
    pub verified: bool,
    /// How much its provenance is trusted.
    pub trust: i64,
    /// Since when the record says so, in microseconds.
    pub observed_at: i64,
    /// When it last said so, in microseconds.
    pub said_at: i64,
}

/// A stay that is there.
#[derive(sqlx::FromRow)]
pub struct HeldStay {
    /// It, as it is shown.
    #[sqlx(flatten)]
    pub shown: SealedStay,
    /// The highest version of what its voices said, where each voice's word is kept.
    pub spoken: Option<i64>,
}

/// A stay to be stored.
pub struct NewStay {
    /// It, sealed.
    pub row: StayRow,
    /// Which record says so.
    pub record: RecordId,
    /// When the record saw it so, in microseconds.
    pub observed_at: i64,
    /// What it is found by.
    pub tokens: Vec<[u8; 16]>,
}

impl Tx {
    /// Keeps all other writers of a guest waiting until this change is over; `false` when it is erased or merged.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_still(&mut self, guest: GuestId) -> Result<bool, StoreError> {
        let rows =
            on!(self, c => { sqlx::query(GUEST_STILL).bind(guest.0).execute(c).await?.rows_affected() });
        Ok(rows == 1)
    }

    /// Moves a guest to its next version.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is no longer at this version, or no longer active.
    pub async fn touch_guest(&mut self, guest: GuestId, version: i64, now: i64) -> Result<(), StoreError> {
        let rows = on!(self, c => {
            sqlx::query(GUEST_TOUCH).bind(guest.0).bind(version).bind(now).execute(c).await?.rows_affected()
        });
        if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
    }

    /// Says whose portfolio a guest is in, as a keyed token.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_manager(&mut self, guest: GuestId, token: Option<[u8; 16]>) -> Result<(), StoreError> {
        let token = token.map(|t| t.to_vec());
        on!(self, c => { sqlx::query(GUEST_MANAGER).bind(guest.0).bind(token).execute(c).await?; });
        Ok(())
    }

    /// What a record says.
    ///
    /// # Errors
    /// What the database says.
    pub async fn field_heads(
        &mut self,
        guest: GuestId,
        record: RecordId,
    ) -> Result<Vec<HeldValue>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(FIELD_HEADS).bind(guest.0).bind(record.0).fetch_all(c).await?))
    }

    /// What every record of a guest says of a field.
    ///
    /// # Errors
    /// What the database says.
    pub async fn values_of(&mut self, guest: GuestId, field: &str) -> Result<Vec<Line>, StoreError> {
        let rows: Vec<(Uuid, i64, i64, i64, i64, Vec<u8>)> =
            on!(self, c => sqlx::query_as(FIELD_OF_ALL).bind(guest.0).bind(field).fetch_all(c).await?);
        let line = |(record, version, rank, trust, at, sealed)| {
            Line::of_value(field, (record, version), (rank, trust, at), sealed)
        };
        Ok(rows.into_iter().map(line).collect())
    }

    /// Removes a value and its tokens.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_value(
        &mut self,
        guest: GuestId,
        record: RecordId,
        field: &str,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(FIELD_DELETE).bind(guest.0).bind(record.0).bind(field).execute(c).await?;
        });
        self.delete_tokens(guest, record, field).await
    }

    /// Removes the tokens of a value.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_tokens(
        &mut self,
        guest: GuestId,
        record: RecordId,
        field: &str,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(TOKENS_DELETE).bind(guest.0).bind(record.0).bind(field).execute(c).await?;
        });
        Ok(())
    }

    /// The stored values that pairs for look-ups are made of.
    ///
    /// # Errors
    /// What the database says.
    pub async fn compound_parts(&mut self, guest: GuestId) -> Result<Vec<ValueRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(COMPOUND_PARTS).bind(guest.0).fetch_all(c).await?))
    }

    /// Replaces the tokens that a stay is found by.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_stay_index(
        &mut self,
        guest: GuestId,
        stay: Uuid,
        is_new: bool,
        tokens: &[[u8; 16]],
    ) -> Result<(), StoreError> {
        if !is_new {
            on!(self, c => { sqlx::query(STAY_INDEX_DELETE).bind(guest.0).bind(stay).execute(c).await?; });
        }
        let mut rest = tokens;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(1 << rest.len().ilog2().min(4));
            rest = later;
            on!(self, c => {
                let mut query = sqlx::query(AssertSqlSafe(stay_index_insert(now.len())));
                for token in now {
                    query = query.bind(token.to_vec()).bind(guest.0).bind(stay);
                }
                query.execute(c).await?;
            });
        }
        Ok(())
    }

    /// A stay as it is held.
    ///
    /// # Errors
    /// What the database says.
    pub async fn stay_held(&mut self, guest: GuestId, token: Uuid) -> Result<Option<HeldStay>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(STAY_HELD).bind(guest.0).bind(token).fetch_optional(c).await?))
    }

    /// Writes a stay.
    ///
    /// # Errors
    /// What the database says.
    pub async fn upsert_stay(
        &mut self,
        NewStay {
            row: stay,
            record,
            observed_at,
            ..
        }: &NewStay,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(STAY_UPSERT)
                .bind(stay.guest_id)
                .bind(stay.stay_token)
                .bind(&stay.property)
                .bind(record.0)
                .bind(stay.version)
                .bind(&stay.sealed)
                .bind(observed_at)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Says that a call with this key is under way, with status 0; false when one is, or was and its answer is kept.
    ///
    /// # Errors
    /// What the database says.
    pub async fn claim_answer(
        &mut self,
        principal: Uuid,
        key: &[u8],
        body: &[u8],
        (now, expires_at): (i64, i64),
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(IDEMPOTENT_INSERT)
                .bind(principal)
                .bind(key)
                .bind(body)
                .bind(0_i64)
                .bind(&b""[..])
                .bind(expires_at)
                .bind(now)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Keeps the answer of a call that was under way, for its retries.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_answer(
        &mut self,
        principal: Uuid,
        key: &[u8],
        (status, answer): (i64, &[u8]),
        expires_at: i64,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(IDEMPOTENT_SET)
                .bind(principal)
                .bind(key)
                .bind(status)
                .bind(answer)
                .bind(expires_at)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Says that a call failed: its key is free again.
    ///
    /// # Errors
    /// What the database says.
    pub async fn drop_claim(&mut self, principal: Uuid, key: &[u8]) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(IDEMPOTENT_DROP).bind(principal).bind(key).execute(c).await?; });
        Ok(())
    }

    /// Forgets answers that are too old.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sweep_answers(&mut self, now: i64) -> Result<u64, StoreError> {
        Ok(on!(self, c => sqlx::query(IDEMPOTENT_SWEEP).bind(now).execute(c).await?.rows_affected()))
    }

    /// Notes how many lines of a file are imported.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_import_progress(&mut self, file: &[u8], lines: i64, now: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(IMPORT_SET).bind(file).bind(lines).bind(now).execute(c).await?; });
        Ok(())
    }
}

pub(super) fn stay_index_insert(count: usize) -> String {
    let mut sql = String::from("INSERT INTO stay_index (token, guest_id, stay_token) VALUES ");
    numbered(&mut sql, count, 3);
    sql.push_str(" ON CONFLICT (token, guest_id, stay_token) DO NOTHING");
    sql
}
