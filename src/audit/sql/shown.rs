//! Statements of when fields were last shown.

use crate::{
    on,
    store::{Conn, StoreError, Tx},
};

use super::{FIRST_AT, LEAVES, PLACE, SHOWN, SHOWN_MOVE, SHOWN_SET};

/// How far the log was looked at.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(in crate::audit) struct Place {
    /// The number of entries of the log.
    pub(in crate::audit) size: i64,
    /// The first entry that is still there.
    pub(in crate::audit) first_index: i64,
    /// The first entry that was not looked at.
    pub(in crate::audit) shown_to: i64,
}

/// How far the log was looked at; nowhere, where there is none.
pub(in crate::audit) async fn place(conn: &mut Conn) -> Result<Place, StoreError> {
    let found: Option<Place> = on!(conn, c => sqlx::query_as(PLACE).fetch_optional(c).await?);
    let nowhere = Place {
        size: 0,
        first_index: 0,
        shown_to: 0,
    };
    Ok(found.map_or(nowhere, |place| Place {
        // Beyond the end by hand only: then all is looked at again.
        shown_to: Some(place.shown_to)
            .filter(|to| *to <= place.size)
            .map_or(place.first_index, |to| to.max(place.first_index)),
        ..place
    }))
}

/// The leaves from an index to before another.
pub(in crate::audit) async fn leaves(
    conn: &mut Conn,
    first: i64,
    end: i64,
) -> Result<Vec<Vec<u8>>, StoreError> {
    Ok(on!(conn, c => sqlx::query_scalar(LEAVES).bind(first).bind(end).fetch_all(c).await?))
}

/// When the first entry at or after an index was made.
pub(in crate::audit) async fn first_at(conn: &mut Conn, first: i64) -> Result<Option<i64>, StoreError> {
    Ok(on!(conn, c => sqlx::query_scalar(FIRST_AT).bind(first).fetch_optional(c).await?))
}

/// Each field, and when it was last shown.
pub(in crate::audit) async fn fields(conn: &mut Conn) -> Result<Vec<(String, i64)>, StoreError> {
    Ok(on!(conn, c => sqlx::query_as(SHOWN).fetch_all(c).await?))
}

impl Tx {
    /// Says that the entries up to an index were looked at; false when somebody else did.
    pub(in crate::audit) async fn move_shown(&mut self, from: i64, to: i64) -> Result<bool, StoreError> {
        let rows =
            on!(self, c => sqlx::query(SHOWN_MOVE).bind(from).bind(to).execute(c).await?.rows_affected());
        Ok(rows == 1)
    }

    /// Says that a field was shown at a time.
    pub(in crate::audit) async fn set_shown(&mut self, field: &str, at: i64) -> Result<(), StoreError> {
        on!(self, c => sqlx::query(SHOWN_SET).bind(field).bind(at).execute(c).await.map(drop)?);
        Ok(())
    }
}
