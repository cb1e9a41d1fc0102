//! A consistent copy of a database that is in use.

use std::{path::Path, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode},
};

use super::{Store, StoreError};

/// How long somebody who has the database open is waited for: what only passes by is soon gone.
const WAITING: Duration = Duration::from_secs(1);

/// An SQLite database that nobody else has open, and that nobody can open while this is held. Everything of it is in its
/// one file.
pub struct Held(SqliteConnection);

impl Held {
    /// Takes a database that is there.
    ///
    /// # Errors
    /// [`StoreError::Again`] when somebody has it open; what the database says.
    pub async fn take(path: &Path) -> Result<Self, StoreError> {
        // Leaving the WAL, which moves it into the file, is possible only to the one who has it open alone.
        let mut own = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Delete)
            .busy_timeout(WAITING)
            .connect()
            .await?;
        own.execute("BEGIN EXCLUSIVE").await?;
        Ok(Self(own))
    }

    /// Lets others open it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn release(self) -> Result<(), StoreError> {
        Ok(self.0.close().await?)
    }
}

impl Store {
    /// Copies an SQLite database into a new file, as it is at one moment and without free pages, while others read and
    /// write it.
    ///
    /// # Errors
    /// [`StoreError::Url`] for PostgreSQL, whose own tools make copies; what the database says.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let Self::Sqlite { writer, .. } = self else {
            return Err(StoreError::Url(
                "a PostgreSQL database is copied with pg_dump; see docs/backup.md".to_owned(),
            ));
        };
        let text = path.to_str().filter(|text| !text.contains('\''));
        let text = text.ok_or_else(|| StoreError::Url("the path of a copy must be plain text".to_owned()))?;
        let mut own = writer.connect_options().as_ref().clone().connect().await?;
        own.execute(AssertSqlSafe(format!("VACUUM INTO '{text}'")))
            .await?;
        Ok(own.close().await?)
    }
}
