//! Statements about the tokens that records of the same person share.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{IDENTITY_DELETE, REVIEW_INSERT, ValueRow, padded, placeholders};
use crate::{
    base::{GuestId, RecordId},
    on,
    store::{Conn, Database as _, StoreError, Tx},
};

/// Tokens of one statement at most.
const MOST_TOKENS: usize = 128;
/// Guests of one statement at most.
const MOST_GUESTS: usize = 64;

/// Rows of one answer about holders at most: it is whole when there are fewer.
const MOST_ROWS: i64 = 12_000;

/// Who holds any of these tokens: one walk of the index, for lists that are short.
pub(super) fn holders(tokens: usize) -> String {
    let mut sql = String::from("SELECT token, guest_id FROM likeness_token WHERE token IN (");
    placeholders(&mut sql, 1, tokens);
    // Writing to a String cannot fail.
    let _ = write!(sql, ") LIMIT {MOST_ROWS}");
    sql
}

/// For each token `most` of its holders, so that a token shared by thousands costs little.
pub(super) fn postings(tokens: usize, most: i64) -> String {
    let mut sql = String::new();
    for at in 0..tokens {
        if at > 0 {
            sql.push_str(" UNION ALL ");
        }
        sql.push_str(
            "SELECT token, guest_id FROM (SELECT DISTINCT token, guest_id FROM likeness_token WHERE token = ",
        );
        placeholders(&mut sql, at + 1, 1);
        // Writing to a String cannot fail.
        let _ = write!(sql, " LIMIT {most}) AS t{at}");
    }
    sql
}

/// Those of the tokens that more than `most` hold.
pub(super) fn crowded(tokens: usize, most: i64) -> String {
    let mut sql = String::from("SELECT token FROM likeness_token WHERE token IN (");
    placeholders(&mut sql, 1, tokens);
    // Writing to a String cannot fail.
    let _ = write!(sql, ") GROUP BY token HAVING count(DISTINCT guest_id) > {most}");
    sql
}

/// The values by which guests are compared.
pub(super) fn values(guests: usize, fields: usize) -> String {
    let mut sql = String::from(
        "SELECT guest_id, record_id, field, version, sealed FROM field_value WHERE guest_id IN (",
    );
    placeholders(&mut sql, 1, guests);
    sql.push_str(") AND field IN (");
    placeholders(&mut sql, 1 + guests, fields);
    sql.push(')');
    sql
}

/// A question for a steward.
pub struct NewReview {
    /// Its id.
    pub review: Uuid,
    /// `record`: a new record may belong to another guest; `duplicate`: two guests may be one.
    pub kind: &'static str,
    /// The one guest.
    pub guest: GuestId,
    /// The record that raised it.
    pub record: RecordId,
    /// The other guest.
    pub other: GuestId,
    /// Thousandths of a bit.
    pub bits: i64,
    /// Names of fields and levels with their bits, as JSON.
    pub reasons: String,
    /// The version of the weights.
    pub weights: String,
    /// At which property it came up.
    pub property: String,
    /// Higher first.
    pub priority: i64,
    /// When, in microseconds.
    pub now: i64,
}

impl Conn {
    /// Which guests hold which of these tokens, some of them several times: at least `most` of each, or all.
    ///
    /// # Errors
    /// What the database says.
    pub async fn identity_postings(
        &mut self,
        tokens: &[[u8; 16]],
        most: i64,
    ) -> Result<Vec<([u8; 16], GuestId)>, StoreError> {
        let mut found = Vec::new();
        for some in tokens.chunks(MOST_TOKENS) {
            let some: Vec<[u8; 16]> = padded(some).collect();
            let mut rows = self.postings_by(holders(some.len()), &some).await?;
            if i64::try_from(rows.len()).is_ok_and(|rows| rows >= MOST_ROWS) {
                rows = self.postings_by(postings(some.len(), most), &some).await?;
            }
            found.extend(rows);
        }
        Ok(found)
    }

    async fn postings_by(
        &mut self,
        text: String,
        tokens: &[[u8; 16]],
    ) -> Result<Vec<([u8; 16], GuestId)>, StoreError> {
        let text = self.spelling().in_order(text);
        let rows: Vec<(Vec<u8>, Uuid)> = on!(self, c => {
            let mut query = sqlx::query_as(AssertSqlSafe(text));
            for token in tokens {
                query = query.bind(&token[..]);
            }
            query.fetch_all(c).await?
        });
        let pair = |(token, guest): (Vec<u8>, Uuid)| Some((token.try_into().ok()?, GuestId(guest)));
        Ok(rows.into_iter().filter_map(pair).collect())
    }

    /// Which of these tokens more than `most` guests hold.
    ///
    /// # Errors
    /// What the database says.
    pub async fn crowded_tokens(
        &mut self,
        tokens: &[[u8; 16]],
        most: i64,
    ) -> Result<Vec<[u8; 16]>, StoreError> {
        let mut found: Vec<[u8; 16]> = Vec::new();
        for some in tokens.chunks(MOST_TOKENS) {
            let some: Vec<[u8; 16]> = padded(some).collect();
            let text = self.spelling().in_order(crowded(some.len(), most));
            let rows: Vec<Vec<u8>> = on!(self, c => {
                let mut query = sqlx::query_scalar(AssertSqlSafe(text));
                for token in &some {
                    query = query.bind(&token[..]);
                }
                query.fetch_all(c).await?
            });
            found.extend(
                rows.into_iter()
                    .filter_map(|token| <[u8; 16]>::try_from(token).ok()),
            );
        }
        Ok(found)
    }

    /// The values of these fields of these guests.
    ///
    /// # Errors
    /// What the database says.
    pub async fn likeness_of(
        &mut self,
        guests: &[GuestId],
        fields: &[&str],
    ) -> Result<Vec<ValueRow>, StoreError> {
        let mut found = Vec::new();
        let fields: Vec<&str> = padded(fields).collect();
        let spelling = self.spelling();
        for some in guests.chunks(MOST_GUESTS) {
            let mut rows: Vec<ValueRow> = on!(self, c => {
                let some: Vec<GuestId> = padded(some).collect();
                let text = spelling.in_order(values(some.len(), fields.len()));
                let mut query = sqlx::query_as(AssertSqlSafe(text));
                for guest in some {
                    query = query.bind(guest.0);
                }
                for field in &fields {
                    query = query.bind(*field);
                }
                query.fetch_all(c).await?
            });
            found.append(&mut rows);
        }
        Ok(found)
    }
}

impl Tx {
    /// The values of these fields of one record.
    ///
    /// # Errors
    /// What the database says.
    pub async fn likeness_of_record(
        &mut self,
        guest: GuestId,
        record: RecordId,
        fields: &[&str],
    ) -> Result<Vec<ValueRow>, StoreError> {
        let fields: Vec<&str> = padded(fields).collect();
        let mut rows: Vec<ValueRow> = on!(self, c => {
            let mut query = sqlx::query_as(AssertSqlSafe(values(1, fields.len()))).bind(guest.0);
            for field in &fields {
                query = query.bind(*field);
            }
            query.fetch_all(c).await?
        });
        rows.retain(|row| row.record_id == record.0);
        Ok(rows)
    }

    /// Removes the tokens of a record.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_identity_tokens(
        &mut self,
        guest: GuestId,
        record: RecordId,
    ) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(IDENTITY_DELETE).bind(guest.0).bind(record.0).execute(c).await?; });
        Ok(())
    }

    /// Asks a steward.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_review(&mut self, review: &NewReview) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(REVIEW_INSERT)
                .bind(review.review)
                .bind(review.kind)
                .bind(review.guest.0)
                .bind(review.record.0)
                .bind(review.other.0)
                .bind(review.bits)
                .bind(&review.reasons)
                .bind(&review.weights)
                .bind(&review.property)
                .bind(review.priority)
                .bind(review.now)
                .execute(c)
                .await?;
        });
        Ok(())
    }
}
