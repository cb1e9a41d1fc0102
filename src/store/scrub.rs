//! What a database's own files still hold of rows that are gone.

use sqlx::{AssertSqlSafe, Executor as _};

use super::{Store, StoreError};

impl Store {
    /// SQLite: pages are overwritten when rows go (`secure_delete`), but its log keeps older copies until it is moved
    /// into the file and cut to nothing; `false` when a reader stands in the way, to be tried again. PostgreSQL:
    /// vacuums these tables, so that dead rows become free room; their bytes go when the room is used again.
    ///
    /// # Errors
    /// What the database says.
    pub async fn scrub(&self, tables: &[&str]) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite { writer, .. } => {
                let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
                    .fetch_one(writer)
                    .await?;
                Ok(busy == 0)
            }
            Self::Postgres(pool) => {
                for table in tables {
                    pool.execute(AssertSqlSafe(format!("VACUUM {table}"))).await?;
                }
                Ok(true)
            }
        }
    }
}
