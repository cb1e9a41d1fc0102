//! Statements of the review of data quality.

use uuid::Uuid;

use crate::{
    base::{GuestId, Reach},
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    REVIEW_INSERT = "INSERT INTO quality_review (review_id, reached, looked_at, bounced, invalid, stale, created_at,
                         ended_at)
                     VALUES ($1, $2, 0, 0, 0, 0, $3, NULL)";
    REVIEW = "SELECT review_id, reached, looked_at, bounced, invalid, stale, created_at, ended_at
              FROM quality_review WHERE review_id = $1";
    REVIEW_LAST = "SELECT review_id, reached, looked_at, bounced, invalid, stale, created_at, ended_at
                   FROM quality_review WHERE created_at <= $1 ORDER BY review_id DESC LIMIT 1";
    REVIEW_STORE = "UPDATE quality_review SET reached = $3, looked_at = $4, bounced = $5, invalid = $6, stale = $7,
                        ended_at = $8
                    WHERE review_id = $1 AND reached = $2 AND ended_at IS NULL";
    FINDING_INSERT = "INSERT INTO quality_finding (guest_id, field, fault, found_at, settled_at, settled)
                      VALUES ($1, $2, $3, $4, NULL, NULL)
                      ON CONFLICT (guest_id, field, fault)
                      DO UPDATE SET found_at = excluded.found_at, settled_at = NULL, settled = NULL
                      WHERE quality_finding.settled_at IS NOT NULL AND quality_finding.settled_at < $5";
    FINDING_GONE = "UPDATE quality_finding SET settled_at = $4, settled = 'mended'
                    WHERE guest_id = $1 AND field = $2 AND fault = $3 AND settled_at IS NULL";
    FINDING_SETTLE = "UPDATE quality_finding SET settled_at = $3, settled = $4
                      WHERE guest_id = $1 AND field = $2 AND settled_at IS NULL";
    /// Those of who was taken into another lie with that other.
    FINDINGS = "SELECT guest_id, field, fault, found_at FROM quality_finding
                WHERE settled_at IS NULL AND guest_id > $1
                    AND NOT EXISTS (SELECT 1 FROM guest g WHERE g.guest_id = quality_finding.guest_id AND g.status = 'merged')
                    AND ($3 = ''
                        OR EXISTS (SELECT 1 FROM stay x WHERE x.guest_id = quality_finding.guest_id
                                       AND replace($3, ',' || x.property || ',', '') <> $3)
                        OR EXISTS (SELECT 1 FROM record x WHERE x.guest_id = quality_finding.guest_id
                                       AND replace($3, ',' || x.property || ',', '') <> $3))
                ORDER BY guest_id, field, fault LIMIT $2";
    FINDINGS_OF = "SELECT guest_id, field, fault, found_at FROM quality_finding
                   WHERE settled_at IS NULL AND guest_id = $1 ORDER BY field, fault";
}

/// A review.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ReviewRow {
    /// Its id.
    pub review_id: Uuid,
    /// The last guest that was looked at.
    pub reached: Uuid,
    /// How many guests were.
    pub looked_at: i64,
    /// How many fields hold an address that mail came back from.
    pub bounced: i64,
    /// How many hold something that is not valid any more.
    pub invalid: i64,
    /// How many nobody has confirmed for long.
    pub stale: i64,
    /// When it began, in microseconds.
    pub created_at: i64,
    /// When it ended.
    pub ended_at: Option<i64>,
}

/// A field that should be made sure of.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct FindingRow {
    /// Whose.
    pub guest_id: Uuid,
    /// Which field.
    pub field: String,
    /// What is wrong with it.
    pub fault: String,
    /// Since when that is known, in microseconds.
    pub found_at: i64,
}

impl Conn {
    /// A review.
    ///
    /// # Errors
    /// What the database says.
    pub async fn quality_review(&mut self, id: Uuid) -> Result<Option<ReviewRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(REVIEW).bind(id).fetch_optional(c).await?))
    }

    /// The last review. One that was begun later than now, by a clock that was ahead, counts for nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn last_review(&mut self, now: i64) -> Result<Option<ReviewRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(REVIEW_LAST).bind(now).fetch_optional(c).await?))
    }

    /// What waits to be made sure of among the guests of these houses, guest by guest, after one of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn findings(
        &mut self,
        after: Uuid,
        most: i64,
        reach: &Reach,
    ) -> Result<Vec<FindingRow>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(FINDINGS).bind(after).bind(most).bind(reach.as_str()).fetch_all(c).await?
        }))
    }

    /// What of a guest waits to be made sure of.
    ///
    /// # Errors
    /// What the database says.
    pub async fn findings_of(&mut self, guest: GuestId) -> Result<Vec<FindingRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(FINDINGS_OF).bind(guest.0).fetch_all(c).await?))
    }
}

impl Tx {
    /// Begins a review.
    ///
    /// # Errors
    /// What the database says.
    pub async fn add_review(&mut self, id: Uuid, now: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(REVIEW_INSERT).bind(id).bind(Uuid::nil()).bind(now).execute(c).await?; });
        Ok(())
    }

    /// Writes how far a review has come; `false` when another was faster.
    ///
    /// # Errors
    /// What the database says.
    pub async fn store_review(&mut self, row: &ReviewRow, before: Uuid) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(REVIEW_STORE)
                .bind(row.review_id)
                .bind(before)
                .bind(row.reached)
                .bind(row.looked_at)
                .bind(row.bounced)
                .bind(row.invalid)
                .bind(row.stale)
                .bind(row.ended_at)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Puts a field into the queue; `false` when it is there, or was settled after `again`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn add_finding(
        &mut self,
        guest: GuestId,
        (field, fault): (&str, &str),
        (now, again): (i64, i64),
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(FINDING_INSERT)
                .bind(guest.0)
                .bind(field)
                .bind(fault)
                .bind(now)
                .bind(again)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Takes a field out of the queue whose fault is gone.
    ///
    /// # Errors
    /// What the database says.
    pub async fn finding_gone(&mut self, row: &FindingRow, now: i64) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(FINDING_GONE).bind(row.guest_id).bind(&row.field).bind(&row.fault).bind(now).execute(c).await?;
        });
        Ok(())
    }

    /// Settles what is known of a field; `false` when nothing waits.
    ///
    /// # Errors
    /// What the database says.
    pub async fn settle_findings(
        &mut self,
        guest: GuestId,
        field: &str,
        (word, now): (&str, i64),
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(FINDING_SETTLE).bind(guest.0).bind(field).bind(now).bind(word).execute(c).await?.rows_affected()
        });
        Ok(rows > 0)
    }
}
