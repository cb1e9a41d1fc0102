//! Finds a transaction pooler that mixes up prepared statements, and refuses to work behind one.
//!
//! The driver prepares statements under names that repeat per connection. A transaction pooler hands one server
//! connection to several clients; unless it keeps prepared statements apart (PgBouncer 1.21 or later with
//! `max_prepared_statements` above 0), a client then runs the statement *another client* prepared under the same
//! name, and is answered with its rows, without any error. For guests' data that is a disclosure.

use std::{collections::HashSet, time::Duration};

use futures_util::future::try_join_all;
use sqlx::{Connection as _, PgConnection, PgPool, Row as _, postgres::PgConnectOptions};

use super::{Store, StoreError};

/// How many connections are compared; with fewer a pooler of many servers could slip through.
const CONNECTIONS: usize = 3;
const ROUNDS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(10);

/// What lies between the vault and PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooler {
    /// Each connection is a server's own.
    Absent,
    /// Connections are shared, and prepared statements are kept apart.
    Safe,
    /// Connections are shared, and prepared statements are not kept apart: answers may be another client's.
    Unsafe,
}

impl Store {
    /// What lies between the vault and this database.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn pooler(&self) -> Result<Pooler, StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(Pooler::Absent),
            Self::Postgres(pool) => find(pool).await,
        }
    }

    /// Refuses a database behind a pooler that mixes up statements; to be asked before anything is served.
    ///
    /// # Errors
    /// [`StoreError::Pooler`]; otherwise when the database cannot be reached.
    pub async fn refuse_unsafe_pooler(&self) -> Result<(), StoreError> {
        match self.pooler().await? {
            Pooler::Absent | Pooler::Safe => Ok(()),
            Pooler::Unsafe => Err(StoreError::Pooler),
        }
    }
}

async fn find(pool: &PgPool) -> Result<Pooler, StoreError> {
    let options = pool.connect_options();
    let connect = (0..CONNECTIONS).map(|_| PgConnection::connect_with(&options));
    let mut connections = try_join_all(connect).await?;
    let found = if shared(&mut connections).await? {
        mixes_up(&options).await
    } else {
        Pooler::Absent
    };
    for connection in connections {
        // The verdict stands; a connection that does not close politely is dropped.
        let _ = connection.close().await;
    }
    Ok(found)
}

/// Whether two live connections, or one of them at two moments, are the same server's or different servers'.
async fn shared(connections: &mut [PgConnection]) -> Result<bool, StoreError> {
    let mut servers = HashSet::new();
    for _ in 0..ROUNDS {
        let mut seen = HashSet::new();
        for connection in &mut *connections {
            let row = sqlx::raw_sql("SELECT pg_backend_pid()")
                .fetch_one(connection)
                .await?;
            let server: i32 = row.try_get(0)?;
            if !seen.insert(server) {
                return Ok(true);
            }
        }
        servers.extend(seen);
    }
    Ok(servers.len() > connections.len())
}

/// Prepares different statements under the same name on two fresh connections, and looks whose is answered.
async fn mixes_up(options: &PgConnectOptions) -> Pooler {
    match tokio::time::timeout(PATIENCE, answers_are_right(options)).await {
        Ok(Ok(true)) => Pooler::Safe,
        // A pooler that loses statements fails in many ways; none of them is safe.
        Ok(Ok(false) | Err(_)) | Err(_) => Pooler::Unsafe,
    }
}

async fn answers_are_right(options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let mut one = PgConnection::connect_with(options).await?;
    let mut two = PgConnection::connect_with(options).await?;
    for round in 0..i64::try_from(ROUNDS).unwrap_or(i64::MAX) {
        let from_one: i64 = sqlx::query_scalar("SELECT $1::bigint + 1000")
            .bind(round)
            .fetch_one(&mut one)
            .await?;
        let from_two: i64 = sqlx::query_scalar("SELECT $1::bigint + 2000")
            .bind(round)
            .fetch_one(&mut two)
            .await?;
        if (from_one, from_two) != (round + 1000, round + 2000) {
            return Ok(false);
        }
    }
    Ok(true)
}
