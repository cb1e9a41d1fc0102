//! What a database's own files still hold of rows that are gone.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::{Store, StoreError, open::connect};

/// How long PostgreSQL's tables may be waited for: whoever asks for a table in vain keeps all others off it meanwhile.
const WAIT: &str = "SET lock_timeout = '2s'";

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

    /// Writes the file, or these tables, anew with nothing in it but what is there. A row that moves to another page
    /// leaves a copy behind that nothing overwrites when it goes: about one in ten thousand that were removed (SQLite).
    /// Nobody writes meanwhile, and on PostgreSQL nobody reads these tables either.
    ///
    /// # Errors
    /// What the database says, also that somebody is in the way: to be tried again.
    pub async fn rewrite(&self, tables: &[&str]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { writer, .. } => {
                writer.execute("VACUUM").await?;
            }
            Self::Postgres(pool) => {
                let mut own = connect(pool).await?;
                own.execute(WAIT).await?;
                for table in tables {
                    own.execute(AssertSqlSafe(format!("VACUUM (FULL) {table}")))
                        .await?;
                }
                own.close().await?;
            }
        }
        Ok(())
    }
}
