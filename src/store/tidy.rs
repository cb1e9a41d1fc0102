//! Moves what SQLite's write-ahead log holds into the database's file, beside those who write.
//!
//! Otherwise the commit that fills the log moves all of it, and everybody waits for that commit.

use std::time::Duration;

use sqlx::{SqliteConnection, SqlitePool};

use super::{Store, StoreError, open::connect_sqlite};

/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Pages of 4 KiB in the log that are worth the way: a page that is written often is moved once.
const WORTH: i64 = 4_000;

impl Store {
    /// Works until dropped, or until the store is closed. On PostgreSQL there is nothing to do.
    pub async fn tidy(&self) {
        let Self::Sqlite { writer, .. } = self else { return };
        let mut kept = None;
        while !writer.is_closed() {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = look(writer, &mut kept).await {
                // The writer's own commits move it then.
                tracing::debug!(%error, "the database's log was not moved into its file");
                kept = None;
            }
        }
    }
}

async fn look(writer: &SqlitePool, kept: &mut Option<SqliteConnection>) -> Result<(), StoreError> {
    let own = match kept {
        Some(own) => own,
        None => kept.insert(connect_sqlite(writer).await?),
    };
    let (_, log, moved): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(NOOP)")
        .fetch_one(&mut *own)
        .await?;
    if log.saturating_sub(moved) < WORTH {
        return Ok(());
    }
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(own).await?;
    // What was written meanwhile is little; with it the log can begin anew, and does not grow for ever.
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
        .execute(writer)
        .await?;
    Ok(())
}
