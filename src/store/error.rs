//! What can go wrong with a database, as callers need to tell it apart.

use std::fmt;

/// Could not, because …
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique row is there already.
    #[error("the row exists already")]
    Conflict,
    /// The version moved on since it was read.
    #[error("somebody else changed it first")]
    Stale,
    /// Two transactions met; trying again helps.
    #[error("the database asked to try again")]
    Again,
    /// The disk is full.
    #[error("the disk of the database is full; free some space")]
    Full,
    /// No connection, no answer, or shutting down.
    #[error("the database cannot be reached")]
    Unavailable(#[source] sqlx::Error),
    /// The tables were made by a newer program.
    #[error("the database was made by a newer guest-vault; start that version")]
    Newer,
    /// A migration did not run.
    #[error("a migration of the database cannot be run")]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// A pooler in between answers with other clients' rows.
    #[error(
        "a connection pooler in front of PostgreSQL mixes up prepared statements, so that one caller could be shown \
         another's rows: use PgBouncer 1.21 or later with max_prepared_statements = 200, or session pooling, or \
         connect directly"
    )]
    Pooler,
    /// A connection string that cannot be used.
    #[error("{0}")]
    Url(String),
    /// Files of the database cannot be made or written.
    #[error("cannot write {path}: {cause}; check the folder and its permissions")]
    Folder {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// It does not open.
    #[error("{place} does not open: {cause}")]
    Opening {
        /// A path, or the address of a server.
        place: String,
        /// What the database said.
        cause: sqlx::Error,
    },
    /// A stored row does not have the shape this program writes.
    #[error("a stored row is damaged: {0}")]
    Damaged(&'static str),
    /// Anything else.
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// The error with what the database said, for the operator: never for a caller, as it may name what was stored.
    #[must_use]
    pub fn told(&self) -> impl fmt::Display {
        let cause = match self {
            Self::Unavailable(cause) | Self::Database(cause) => Some(cause.to_string()),
            Self::Migration(cause) => Some(cause.to_string()),
            _ => None,
        };
        cause.map_or_else(|| self.to_string(), |cause| format!("{self}: {cause}"))
    }

    /// Whether a column that must have a value would have had none.
    #[must_use]
    pub fn lacks_value(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        matches!(error.kind(), sqlx::error::ErrorKind::NotNullViolation)
    }

    /// Whether the same transaction may succeed when run again.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Again | Self::Conflict | Self::Stale)
    }

    /// Whether the database itself said no, so that nothing was committed. After a lost connection, or a disk that
    /// failed while it was written, nobody knows.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        match self {
            Self::Conflict | Self::Stale | Self::Again | Self::Full => true,
            Self::Database(sqlx::Error::Database(e)) => !e.code().is_some_and(|code| is_io_error(&code)),
            _ => false,
        }
    }
}

/// `SQLITE_IOERR` and its extended forms, which have it in their last byte. PostgreSQL's codes have five characters.
fn is_io_error(code: &str) -> bool {
    code.len() < 5 && code.parse::<u32>().is_ok_and(|code| code % 256 == 10)
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = error
            .as_database_error()
            .and_then(|e| e.code())
            .map(|c| c.into_owned());
        match (&error, code.as_deref()) {
            (sqlx::Error::Database(e), _) if e.is_unique_violation() => Self::Conflict,
            // PostgreSQL: serialization failure, deadlock; SQLite: busy and its extended forms.
            (_, Some("40001" | "40P01" | "5" | "261" | "517")) => Self::Again,
            // PostgreSQL disk_full; SQLITE_FULL.
            (_, Some("53100" | "13")) => Self::Full,
            // PostgreSQL: connection, shutdown and start-up classes; SQLITE_IOERR and extended forms end in 10 mod 256.
            (_, Some(code)) if code.starts_with("08") || code.starts_with("57P") || code == "53300" => {
                Self::Unavailable(error)
            }
            (
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
                _,
            ) => Self::Unavailable(error),
            (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_), _) => Self::Damaged("a column"),
            _ => Self::Database(error),
        }
    }
}
