//! What a database's own files still hold of rows that are gone.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::{Store, StoreError, open::connect};

/// How long PostgreSQL's tables may be waited for: whoever asks for a table in vain keeps all others off it meanwhile.
const WAIT: &str = "SET lock_timeout = '2s'";

/// A transaction that is later than all that removed anything.
const NOW: &str = "SELECT CAST(pg_current_xact_id() AS text)";
/// Whether somebody may still see what was there before it: another transaction, a standby, or one that was prepared.
const SEEN: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot()) <= CAST($1 AS xid8) OR EXISTS (
        SELECT 1 FROM (
            SELECT backend_xmin AS sees FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
            UNION ALL SELECT xmin FROM pg_replication_slots
            UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()
        ) AS others WHERE sees IS NOT NULL AND age(sees) >= age(CAST(CAST($1 AS xid8) AS xid)))";
/// How long others are waited for, and how often they are looked at.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

/// Waits until nobody sees any more what is gone: PostgreSQL keeps that, also in a table that it writes anew.
async fn unseen(own: &mut PgConnection) -> Result<(), StoreError> {
    let now: String = sqlx::query_scalar(NOW).fetch_one(&mut *own).await?;
    let end = Instant::now() + PATIENCE;
    while sqlx::query_scalar(SEEN).bind(&now).fetch_one(&mut *own).await? {
        if Instant::now() >= end {
            return Err(StoreError::Again);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

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
                unseen(&mut own).await?;
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
