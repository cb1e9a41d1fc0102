//! One field of many guests.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Line, padded, placeholders};
use crate::{
    base::GuestId,
    on,
    store::{Conn, StoreError},
};

/// What every record of these guests says of a field; the first parameter is the field.
pub(super) fn values(guests: usize) -> String {
    let mut sql = String::from(
        "SELECT guest_id, record_id, version,
             CAST(CASE WHEN pinned THEN 2 WHEN verified THEN 1 ELSE 0 END AS BIGINT) AS rank,
             trust, observed_at, sealed
         FROM field_value WHERE field = $1 AND guest_id IN (",
    );
    placeholders(&mut sql, 2, guests);
    sql.push(')');
    sql
}

type Row = (Uuid, Uuid, i64, i64, i64, i64, Vec<u8>);

impl Conn {
    /// What every record of these guests says of a field, with whose it is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn field_of_many(
        &mut self,
        field: &str,
        guests: &[GuestId],
    ) -> Result<Vec<(GuestId, Line)>, StoreError> {
        let guests: Vec<GuestId> = padded(guests).collect();
        let rows: Vec<Row> = on!(self, c => {
            let mut query = sqlx::query_as(AssertSqlSafe(values(guests.len()))).bind(field);
            for guest in &guests {
                query = query.bind(guest.0);
            }
            query.fetch_all(c).await?
        });
        let line = |(guest, record, version, rank, trust, at, sealed)| {
            let line = Line::of_value(field, (record, version), (rank, trust, at), sealed);
            (GuestId(guest), line)
        };
        Ok(rows.into_iter().map(line).collect())
    }
}
