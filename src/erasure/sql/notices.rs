//! Statements about those who were told of erasures.

use uuid::Uuid;

use crate::{
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    NOTICE_INSERT = "INSERT INTO erasure_notice (guest_id, erasure_id, processor, told_at, due_at, answer, ground,
                         answered_at, signature, unproven)
                     VALUES ($1, $2, $3, $4, $5, NULL, NULL, NULL, NULL, 0) ON CONFLICT DO NOTHING";
    NOTICES = "SELECT guest_id, erasure_id, processor, told_at, due_at, answer, ground, answered_at, signature, unproven
               FROM erasure_notice WHERE erasure_id = $1 ORDER BY processor";
    NOTICE_ANSWER = "UPDATE erasure_notice SET answer = $4, ground = $5, answered_at = $6, signature = $7
                     WHERE guest_id = $1 AND erasure_id = $2 AND processor = $3 AND (answer IS NULL OR answer = 'refused')";
    NOTICE_DOUBT = "UPDATE erasure_notice SET unproven = unproven + 1
                    WHERE guest_id = $1 AND erasure_id = $2 AND processor = $3";
}

/// One who was told.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct NoticeRow {
    /// Of whose erasure.
    pub guest_id: Uuid,
    /// Of which.
    pub erasure_id: Uuid,
    /// Who.
    pub processor: String,
    /// When, in microseconds.
    pub told_at: i64,
    /// By when it had to answer, in microseconds.
    pub due_at: i64,
    /// `done` or `refused`.
    pub answer: Option<String>,
    /// On which ground.
    pub ground: Option<String>,
    /// When, in microseconds.
    pub answered_at: Option<i64>,
    /// Its signature, base64.
    pub signature: Option<String>,
    /// Answers in its name that it had not signed.
    pub unproven: i64,
}

impl Conn {
    /// Those who were told of an erasure.
    ///
    /// # Errors
    /// What the database says.
    pub async fn told_of(&mut self, erasure: Uuid) -> Result<Vec<NoticeRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(NOTICES).bind(erasure).fetch_all(c).await?))
    }
}

impl Tx {
    /// Notes that one is told of an erasure.
    ///
    /// # Errors
    /// What the database says.
    pub async fn add_notice(
        &mut self,
        (guest, erasure): (Uuid, Uuid),
        processor: &str,
        (told, due): (i64, i64),
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(NOTICE_INSERT).bind(guest).bind(erasure).bind(processor).bind(told).bind(due).execute(c).await?;
        });
        Ok(())
    }

    /// Writes an answer down; `false` when there is one that stands.
    ///
    /// # Errors
    /// What the database says.
    pub async fn answer_notice(
        &mut self,
        row: &NoticeRow,
        (answer, ground): (&str, &str),
        signature: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(NOTICE_ANSWER)
                .bind(row.guest_id)
                .bind(row.erasure_id)
                .bind(&row.processor)
                .bind(answer)
                .bind(ground)
                .bind(now)
                .bind(signature)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Counts an answer that was not signed by whom it names.
    ///
    /// # Errors
    /// What the database says.
    pub async fn doubt_notice(&mut self, row: &NoticeRow) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(NOTICE_DOUBT).bind(row.guest_id).bind(row.erasure_id).bind(&row.processor).execute(c).await?;
        });
        Ok(())
    }
}
