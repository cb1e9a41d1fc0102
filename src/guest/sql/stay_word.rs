//! Statements about what each voice said of a stay: ciphertext, tokens and ids only.

use uuid::Uuid;

use crate::{
    base::{GuestId, RecordId},
    on, statements,
    store::{StoreError, Tx},
};

statements! {
    WORDS = "SELECT stay_token, voice, way, version, sealed, updated_at FROM stay_word
             WHERE guest_id = $1 ORDER BY stay_token, voice";
    WORDS_OF_STAY = "SELECT stay_token, voice, way, version, sealed, updated_at FROM stay_word
                     WHERE guest_id = $1 AND stay_token = $2 ORDER BY voice";
    WORD_UPSERT = "INSERT INTO stay_word (guest_id, stay_token, voice, way, version, sealed, updated_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)
                   ON CONFLICT (guest_id, stay_token, voice) DO UPDATE
                   SET way = excluded.way, version = excluded.version, sealed = excluded.sealed,
                       updated_at = excluded.updated_at";
    WORDS_OF_STAY_DELETE = "DELETE FROM stay_word WHERE guest_id = $1 AND stay_token = $2";
    WORDS_OF_RECORD_DELETE = "DELETE FROM stay_word WHERE guest_id = $1 AND voice = $2";
}

/// A stay as it is shown, sealed.
#[derive(sqlx::FromRow, Clone)]
pub struct SealedStay {
    /// Its token.
    pub stay_token: Uuid,
    /// Where.
    pub property: String,
    /// From which record; nil when staff linked it.
    pub record_id: Uuid,
    /// Its version, bound into the seal.
    pub version: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
    /// When its record saw it so, in microseconds.
    pub updated_at: i64,
}

/// What one voice said last of a stay, sealed.
#[derive(sqlx::FromRow, Clone)]
pub struct WordRow {
    /// Of which stay.
    pub stay_token: Uuid,
    /// Whose: a record, or a guest of whom staff said it.
    pub voice: String,
    /// How it came.
    pub way: String,
    /// Its version, bound into the seal.
    pub version: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
    /// When the voice saw it so, in microseconds.
    pub updated_at: i64,
}

impl Tx {
    /// What the voices said of all stays of a guest of which several told.
    ///
    /// # Errors
    /// What the database says.
    pub async fn stay_words(&mut self, guest: GuestId) -> Result<Vec<WordRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(WORDS).bind(guest.0).fetch_all(c).await?))
    }

    /// What the voices said of one stay, if several told of it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn words_of_stay(&mut self, guest: GuestId, stay: Uuid) -> Result<Vec<WordRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(WORDS_OF_STAY).bind(guest.0).bind(stay).fetch_all(c).await?))
    }

    /// Writes a voice's last word.
    ///
    /// # Errors
    /// What the database says.
    pub async fn upsert_word(&mut self, guest: GuestId, word: &WordRow) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(WORD_UPSERT)
                .bind(guest.0)
                .bind(word.stay_token)
                .bind(&word.voice)
                .bind(&word.way)
                .bind(word.version)
                .bind(&word.sealed)
                .bind(word.updated_at)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Removes what the voices said of a stay.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_words(&mut self, guest: GuestId, stay: Uuid) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(WORDS_OF_STAY_DELETE).bind(guest.0).bind(stay).execute(c).await?; });
        Ok(())
    }

    /// Removes what a record said of stays that others told of, too.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_words_of(&mut self, guest: GuestId, record: RecordId) -> Result<(), StoreError> {
        let voice = record.0.to_string();
        on!(self, c => { sqlx::query(WORDS_OF_RECORD_DELETE).bind(guest.0).bind(voice).execute(c).await?; });
        Ok(())
    }
}
