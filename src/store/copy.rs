//! A consistent copy of a database that is in use.

use std::path::Path;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::{Store, StoreError};

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
