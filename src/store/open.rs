//! Opening a database and bringing its tables up to date.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
    time::{Duration, Instant},
};

use sqlx::{
    Connection, Executor, PgConnection, PgPool, SqliteConnection, SqlitePool,
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Store, StoreError};

pub(super) static SQLITE_DATA: Migrator = sqlx::migrate!("migrations/sqlite");
pub(super) static POSTGRES_DATA: Migrator = sqlx::migrate!("migrations/postgres");
pub(super) static SQLITE_KEYS: Migrator = sqlx::migrate!("migrations/sqlite/keys");
pub(super) static POSTGRES_KEYS: Migrator = sqlx::migrate!("migrations/postgres/keys");

/// The schema of the key store when it shares a PostgreSQL database with the data.
const KEYS_SCHEMA: &str = "guest_vault_keys";

/// SQLite connections that read: each is a thread with a cache of its own, and few serve many by sharing statements.
const MOST_READERS: u32 = 4;

/// Their caches, in negative KiB: whatever another connection writes empties them, and the system keeps the pages.
const READERS_CACHE: &str = "-2048";
/// The writer's, of a process that serves: what it writes at a time is little.
const WRITERS_CACHE: &str = "-8192";

/// How long a caller waits for a connection before it is told that the database cannot be reached.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long another start is waited for that makes the tables, and how often it is looked at.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

/// Every statement of a request goes by an index. Before a young table has statistics the planner thinks otherwise,
/// keeps that plan for the life of the connection, and compiles what it believes to be costly.
const PLANNING: &str = "SET enable_seqscan = off; SET jit = off";

/// Which of the two stores: a backup of one holds nothing of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Sealed values, tokens, the ledger, the log.
    Data,
    /// Wrapped keys.
    Keys,
}

/// Where a database is. PostgreSQL's may hold a password, so there is no `Debug` or `Display`.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A connection string, and the schema to work in when it is not the default one.
    Postgres {
        /// As given.
        url: String,
        /// `search_path`.
        schema: Option<&'static str>,
    },
}

impl StoreUrl {
    /// The key store that goes with a data store when none is configured: a second file beside the first, or a
    /// second schema.
    #[must_use]
    pub fn default_keys(&self) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(path.with_file_name("keys.db")),
            Self::Postgres { url, .. } => Self::Postgres {
                url: url.clone(),
                schema: Some(KEYS_SCHEMA),
            },
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    /// `sqlite:PATH`, `sqlite://PATH` or `postgres://…`.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        if let Some(path) = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
        {
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres {
                url: text.to_owned(),
                schema: None,
            });
        }
        Err(StoreError::Url(
            "a database URL begins with sqlite: or postgres://".to_owned(),
        ))
    }
}

impl Store {
    /// Opens a database; an SQLite file is made if it is not there. Tables are not touched: see [`Store::migrate`].
    ///
    /// # Errors
    /// When it cannot be reached, or its files cannot be made.
    pub async fn open(url: &StoreUrl, connections: u32) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Sqlite(path) => open_sqlite(path, connections).await,
            StoreUrl::Postgres { url, schema } => open_postgres(url, *schema, connections).await,
        }
    }

    /// Brings the tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a newer program made them; otherwise what the database says.
    pub async fn migrate(&self, which: Which) -> Result<(), StoreError> {
        let _alone = match self {
            Self::Sqlite { writer, .. } => alone(writer.connect_options().get_filename()).await?,
            Self::Postgres(_) => None,
        };
        let outcome = match (self, which) {
            (Self::Sqlite { writer, .. }, Which::Data) => SQLITE_DATA.run(writer).await,
            (Self::Sqlite { writer, .. }, Which::Keys) => SQLITE_KEYS.run(writer).await,
            (Self::Postgres(pool), Which::Data) => POSTGRES_DATA.run(pool).await,
            (Self::Postgres(pool), Which::Keys) => POSTGRES_KEYS.run(pool).await,
        };
        outcome.map_err(|e| match e {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => StoreError::Newer,
            MigrateError::Execute(e) => e.into(),
            e => StoreError::Migration(e),
        })
    }
}

/// Lets one at a time of those that start at once make files and tables in a folder; PostgreSQL's migrator sees to it itself. `None`
/// where the file system has no locks.
async fn alone(database: &Path) -> Result<Option<File>, StoreError> {
    let parent = database.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Ok(folder) = File::open(parent.unwrap_or_else(|| Path::new("."))) else {
        return Ok(None);
    };
    let end = Instant::now() + PATIENCE;
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(Some(folder)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if Instant::now() >= end => return Err(StoreError::Again),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK).await,
        }
    }
}

fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: a commit is on the disk before it is acknowledged (promise P9).
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        // What is deleted is overwritten, so that an erased ciphertext does not linger in free pages.
        .pragma("secure_delete", "ON")
        .pragma("cache_size", WRITERS_CACHE)
        // Statements of many rows note each page before they change it, to undo only themselves: in memory, because the
        // file would be as much again to write, and would lie outside the data folder.
        .pragma("temp_store", "MEMORY")
        // Pages that one write after another touches are moved into the file once, not each time: tokens lie anywhere,
        // and a hundred records touch thousands of pages.
        .pragma("wal_autocheckpoint", "16000")
        .statement_cache_capacity(256)
}

async fn open_sqlite(path: &Path, connections: u32) -> Result<Store, StoreError> {
    make_private(path).map_err(|cause| StoreError::Folder {
        path: path.display().to_string(),
        cause,
    })?;
    let pool = |most: u32| {
        SqlitePoolOptions::new()
            .max_connections(most)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    // The first connection makes the file one with a log beside it, which a second at that moment is refused.
    let alone = alone(path).await?;
    let writer = pool(1).connect_with(sqlite_options(path)).await;
    drop(alone);
    let writer: SqlitePool = writer.map_err(|cause| refused(path.display().to_string(), cause))?;
    let reading = sqlite_options(path)
        .pragma("query_only", "ON")
        .pragma("cache_size", READERS_CACHE);
    let readers = pool(connections.clamp(1, MOST_READERS)).connect_lazy_with(reading);
    Ok(Store::Sqlite { readers, writer })
}

/// Why a database does not open, and which one; what helps when it is tried again stays what it is.
fn refused(place: String, cause: sqlx::Error) -> StoreError {
    let code = cause
        .as_database_error()
        .and_then(|error| error.code())
        .map(|code| code.into_owned());
    match code.as_deref() {
        Some("5" | "261" | "517" | "53100" | "13") => cause.into(),
        _ => StoreError::Opening { place, cause },
    }
}

/// Makes the folder (0700) and the file (0600) before SQLite would make them readable by others.
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    fs::OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

/// A connection beside the pool, like one of the pool's.
pub(super) async fn connect_sqlite(pool: &SqlitePool) -> Result<SqliteConnection, StoreError> {
    Ok(SqliteConnection::connect_with(&pool.connect_options()).await?)
}

/// A connection beside the pool, like one of the pool's.
pub(super) async fn connect(pool: &PgPool) -> Result<PgConnection, StoreError> {
    let opening = async {
        let mut connection = PgConnection::connect_with(&pool.connect_options()).await?;
        connection.execute(PLANNING).await?;
        Ok(connection)
    };
    let opened = tokio::time::timeout(ACQUIRE_TIMEOUT, opening).await;
    opened
        .unwrap_or(Err(sqlx::Error::PoolTimedOut))
        .map_err(StoreError::from)
}

async fn open_postgres(
    url: &str,
    schema: Option<&'static str>,
    connections: u32,
) -> Result<Store, StoreError> {
    let mut options = PgConnectOptions::from_str(url)
        // The driver's own message may repeat parts of the URL, and a URL may hold a password.
        .map_err(|_| {
            StoreError::Url("the postgres:// URL cannot be read; see docs/operations.md".to_owned())
        })?
        .application_name("guest-vault")
        .statement_cache_capacity(256);
    if let Some(schema) = schema {
        options = options.options([("search_path", schema)]);
    }
    let opened = PgPoolOptions::new()
        .max_connections(connections.max(2))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // The ping before each use costs a sixth of a read; a short life finds dead connections instead.
        .test_before_acquire(false)
        .max_lifetime(Duration::from_mins(30))
        .after_connect(|connection, _| Box::pin(async move { connection.execute(PLANNING).await.map(drop) }))
        .connect_with(options.clone())
        .await;
    let pool: PgPool = match opened {
        Ok(pool) => pool,
        Err(cause) => return Err(refused(server(&options), reason(&options, cause).await)),
    };
    if let Some(schema) = schema {
        let make = async || {
            let make = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
            pool.execute(sqlx::AssertSqlSafe(make)).await
        };
        // Of those that make it at once, one does and the others are refused; then it is there.
        if make().await.is_err() {
            make().await.map_err(|cause| refused(server(&options), cause))?;
        }
    }
    Ok(Store::Postgres(pool))
}

/// Which server it is; nothing of who comes to it.
fn server(options: &PgConnectOptions) -> String {
    options.get_socket().map_or_else(
        || format!("PostgreSQL at {}:{}", options.get_host(), options.get_port()),
        |socket| format!("PostgreSQL at {}", socket.display()),
    )
}

/// The pool tries until its time is over and then says only that; what hinders it is told by one more try.
async fn reason(options: &PgConnectOptions, cause: sqlx::Error) -> sqlx::Error {
    if !matches!(cause, sqlx::Error::PoolTimedOut) {
        return cause;
    }
    match tokio::time::timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(options)).await {
        Ok(Err(told)) => told,
        Ok(Ok(_)) | Err(_) => cause,
    }
}
