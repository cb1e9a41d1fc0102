//! Statements about what stewards said of two records: ids only.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    base::GuestId,
    on, statements,
    store::{Conn, Database, StoreError, Tx},
};

statements! {
    APART_INSERT = "INSERT INTO kept_apart (record_id, other_id, decided_by, decided_at) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (record_id, other_id) DO NOTHING";
    TOGETHER_INSERT = "INSERT INTO kept_together (record_id, other_id, decided_by, decided_at) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (record_id, other_id) DO NOTHING";
    APART_DELETE = "DELETE FROM kept_apart WHERE record_id = $1 AND other_id = $2";
    TOGETHER_DELETE = "DELETE FROM kept_together WHERE record_id = $1 AND other_id = $2";
    WORDS = "SELECT record_id, other_id, together, decided_at FROM (
                 SELECT record_id, other_id, true AS together, decided_at FROM kept_together
                 WHERE record_id IN (SELECT r.record_id FROM record r WHERE r.guest_id = $1)
                 UNION ALL
                 SELECT record_id, other_id, false AS together, decided_at FROM kept_apart
                 WHERE record_id IN (SELECT r.record_id FROM record r WHERE r.guest_id = $1)
             ) AS words
             WHERE record_id > $2 OR (record_id = $2 AND other_id > $3)
             ORDER BY record_id, other_id LIMIT $4";
}

/// A word that stands.
#[derive(sqlx::FromRow, Clone)]
pub struct WordRow {
    /// The one record.
    pub record_id: Uuid,
    /// The other.
    pub other_id: Uuid,
    /// Whether they are of one person.
    pub together: bool,
    /// When it was said, in microseconds.
    pub decided_at: i64,
}

/// Whether any of so many records and any of so many others stand together in a table.
fn pairs(table: &str, ones: usize, others: usize) -> String {
    let list = |from: usize, count: usize| {
        let all: Vec<String> = (from..from + count).map(|at| format!("${at}")).collect();
        all.join(", ")
    };
    format!(
        "SELECT count(*) FROM {table} WHERE record_id IN ({}) AND other_id IN ({})",
        list(1, ones),
        list(1 + ones, others)
    )
}

async fn any_pair(
    db: &mut impl Database,
    table: &str,
    ones: &[Uuid],
    others: &[Uuid],
) -> Result<bool, StoreError> {
    for ones in ones.chunks(100) {
        for others in others.chunks(100) {
            let sql = pairs(table, ones.len(), others.len());
            let found: i64 = on!(&mut *db, c => {
                let mut query = sqlx::query_scalar(AssertSqlSafe(sql));
                for id in ones.iter().chain(others) {
                    query = query.bind(*id);
                }
                query.fetch_one(c).await?
            });
            if found > 0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

impl Conn {
    /// Whether a steward said of any two of these records that they are of different people.
    ///
    /// # Errors
    /// What the database says.
    pub async fn are_apart(&mut self, ones: &[Uuid], others: &[Uuid]) -> Result<bool, StoreError> {
        any_pair(self, "kept_apart", ones, others).await
    }

    /// The words that stand about a guest's records, after a place.
    ///
    /// # Errors
    /// What the database says.
    pub async fn words_of(
        &mut self,
        guest: GuestId,
        (record, other): (Uuid, Uuid),
        most: i64,
    ) -> Result<Vec<WordRow>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(WORDS).bind(guest.0).bind(record).bind(other).bind(most).fetch_all(c).await?
        }))
    }
}

impl Tx {
    /// Whether a steward said of any two of these records that they are of different people.
    ///
    /// # Errors
    /// What the database says.
    pub async fn are_apart(&mut self, ones: &[Uuid], others: &[Uuid]) -> Result<bool, StoreError> {
        any_pair(self, "kept_apart", ones, others).await
    }

    /// Whether a steward said of any two of these records that they are of one person.
    ///
    /// # Errors
    /// What the database says.
    pub async fn are_together(&mut self, ones: &[Uuid], others: &[Uuid]) -> Result<bool, StoreError> {
        any_pair(self, "kept_together", ones, others).await
    }

    /// Remembers that two records are of different people.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_apart(&mut self, one: Uuid, other: Uuid, by: Uuid, now: i64) -> Result<(), StoreError> {
        run!(self, APART_INSERT, one, other, by, now);
        run!(self, APART_INSERT, other, one, by, now);
        Ok(())
    }

    /// Remembers that two records are of one person.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_together(
        &mut self,
        one: Uuid,
        other: Uuid,
        by: Uuid,
        now: i64,
    ) -> Result<(), StoreError> {
        run!(self, TOGETHER_INSERT, one, other, by, now);
        run!(self, TOGETHER_INSERT, other, one, by, now);
        Ok(())
    }

    /// Forgets what was said of two records.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_words_back(&mut self, one: Uuid, other: Uuid) -> Result<(), StoreError> {
        for (one, other) in [(one, other), (other, one)] {
            run!(self, APART_DELETE, one, other);
            run!(self, TOGETHER_DELETE, one, other);
        }
        Ok(())
    }
}
