//! Floor 2: two databases, one text. Each statement is written once, with what SQLite and PostgreSQL share:
//! `$1` placeholders; UUIDs, bytes, 64-bit integers, booleans and text. [`on!`](crate::on!) binds it to the live connection.
//!
//! Holds ciphertext and ids only; knows no keys.

mod copy;
mod error;
mod gather;
mod open;
mod per_thread;
mod pooler;
mod scrub;
mod spelling;
mod state;
mod texts;
mod tidy;

use sqlx::{
    PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool, Transaction, pool::PoolConnection,
};

pub use copy::Held;
pub use error::StoreError;
pub use gather::{AsyncAsk, Gather, Unanswered};
pub use open::{StoreUrl, Which};
pub use per_thread::PerThread;
pub use pooler::Pooler;
pub use spelling::Spelling;
pub use state::Tables;
pub use texts::Texts;

/// A database: embedded SQLite or PostgreSQL. Cheap to clone.
#[derive(Clone)]
pub enum Store {
    /// One file in WAL mode: many readers, one writer.
    Sqlite {
        /// Connections that only read.
        readers: SqlitePool,
        /// The one connection that writes.
        writer: SqlitePool,
    },
    /// A PostgreSQL 15+ server, or what speaks like one.
    Postgres(PgPool),
}

/// A transaction that writes. Dropping it rolls back.
pub enum Tx {
    /// Begun with `BEGIN IMMEDIATE`: it never fails half-way for want of the write lock.
    Sqlite(Transaction<'static, Sqlite>),
    /// `READ COMMITTED`; lost updates are caught by version compare-and-swap.
    Postgres(Transaction<'static, Postgres>),
}

/// PostgreSQL plans a statement anew the first five times; those that write go by their keys, whatever the values, and
/// planning a hundred rows costs more than writing them.
const BEGIN: &str = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan";

/// A connection for statements that only read.
pub enum Conn {
    /// Of the readers' pool.
    Sqlite(PoolConnection<Sqlite>),
    /// Of the pool.
    Postgres(PoolConnection<Postgres>),
    /// One task's own, of SQLite.
    OwnSqlite(Box<SqliteConnection>),
    /// One task's own, of PostgreSQL.
    OwnPostgres(Box<PgConnection>),
}

/// The live connection of a [`Tx`] or [`Conn`]; what [`on!`](crate::on!) matches on.
pub enum Live<'c> {
    /// SQLite.
    Sqlite(&'c mut SqliteConnection),
    /// PostgreSQL.
    Postgres(&'c mut PgConnection),
}

/// What statements can be run on.
pub trait Database {
    /// The connection underneath.
    fn live(&mut self) -> Live<'_>;

    /// How this database spells what the two spell differently.
    fn spelling(&mut self) -> Spelling {
        match self.live() {
            Live::Sqlite(_) => Spelling::Sqlite,
            Live::Postgres(_) => Spelling::Postgres,
        }
    }
}

impl Database for Tx {
    fn live(&mut self) -> Live<'_> {
        match self {
            Self::Sqlite(tx) => Live::Sqlite(tx),
            Self::Postgres(tx) => Live::Postgres(tx),
        }
    }
}

impl Database for Conn {
    fn live(&mut self) -> Live<'_> {
        match self {
            Self::Sqlite(conn) => Live::Sqlite(conn),
            Self::Postgres(conn) => Live::Postgres(conn),
            Self::OwnSqlite(conn) => Live::Sqlite(conn),
            Self::OwnPostgres(conn) => Live::Postgres(conn),
        }
    }
}

/// Runs the body with the name bound to the live connection, whichever database it is.
///
/// ```ignore
/// on!(tx, c => sqlx::query(GUEST_INSERT).bind(id).execute(c).await?.rows_affected())
/// ```
#[macro_export]
macro_rules! on {
    ($db:expr, $conn:ident => $body:expr) => {
        match $crate::store::Database::live($db) {
            $crate::store::Live::Sqlite($conn) => $body,
            $crate::store::Live::Postgres($conn) => $body,
        }
    };
}

/// Declares statements, and lists them as `STATEMENTS` so that one test prepares each on both databases.
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)*) => {
        $($(#[$doc])* const $name: &str = $sql;)*
        /// Every statement of this file by name.
        pub const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

impl Store {
    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// When no connection can be had in time.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin_with(BEGIN).await?),
        })
    }

    /// A connection to read from.
    ///
    /// # Errors
    /// When none can be had in time.
    pub async fn read(&self) -> Result<Conn, StoreError> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Conn::Sqlite(readers.acquire().await?),
            Self::Postgres(pool) => Conn::Postgres(pool.acquire().await?),
        })
    }

    /// A connection to read from for one task to keep between its statements, and to drop after an error. PostgreSQL's
    /// socket is served by the thread that opened it; a pool's may be another's, and each answer would go through both. What
    /// goes back to a pool is tried out each time, which on SQLite costs as much as a small statement. The one that was
    /// kept, if there is one.
    ///
    /// # Errors
    /// When none can be had in time, or the store is closed.
    pub async fn own(&self, kept: &mut Option<Conn>) -> Result<Conn, StoreError> {
        if self.is_closed() {
            return Err(sqlx::Error::PoolClosed.into());
        }
        if let Some(conn) = kept.take() {
            return Ok(conn);
        }
        Ok(match self {
            Self::Sqlite { readers, .. } => Conn::OwnSqlite(Box::new(open::connect_sqlite(readers).await?)),
            Self::Postgres(pool) => Conn::OwnPostgres(Box::new(open::connect(pool).await?)),
        })
    }

    /// The same, for a task whose every statement is a transaction of its own.
    ///
    /// # Errors
    /// As [`Store::own`].
    pub async fn own_writer(&self, kept: &mut Option<Conn>) -> Result<Conn, StoreError> {
        match self {
            Self::Sqlite { writer, .. } => Ok(Conn::Sqlite(writer.acquire().await?)),
            Self::Postgres(_) => self.own(kept).await,
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Sqlite { readers, .. } => readers.is_closed(),
            Self::Postgres(pool) => pool.is_closed(),
        }
    }

    /// `sqlite` or `postgres`, for messages.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Lets SQLite's writer keep more pages at hand: a load of many records comes back to the upper pages of its indexes
    /// again and again.
    ///
    /// # Errors
    /// What the database says.
    pub async fn expect_many_writes(&self) -> Result<(), StoreError> {
        if let Self::Sqlite { writer, .. } = self {
            sqlx::query("PRAGMA cache_size = -65536").execute(writer).await?;
        }
        Ok(())
    }

    /// Lets running statements finish, moves SQLite's log into its file, and closes.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                if let Ok(mut conn) = writer.acquire().await {
                    // Best effort: a crash instead of a clean stop leaves the log to be replayed, nothing is lost.
                    let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                        .execute(&mut *conn)
                        .await;
                }
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Conn {
    /// The same again if it is the task's own to keep between statements: a pool's goes back.
    #[must_use]
    pub fn kept(self) -> Option<Self> {
        matches!(self, Self::OwnSqlite(_) | Self::OwnPostgres(_)).then_some(self)
    }
}

impl Tx {
    /// Makes it durable.
    ///
    /// # Errors
    /// When the database refuses, or its answer is lost: then the outcome is unknown.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Undoes it.
    ///
    /// # Errors
    /// When the connection is gone; the database then undoes it by itself.
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await?,
            Self::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}
