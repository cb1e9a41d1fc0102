//! How a database is, for whoever starts or examines the vault. Changes nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::migrate::Migrator;

use super::{Conn, Database, Spelling, Store, StoreError, Which, open};
use crate::{base::from_micros, on};

/// How the tables of a database stand to this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// None yet.
    Absent,
    /// Made by an older program; so many migrations are to be run.
    Behind(usize),
    /// As this program wants them.
    Current,
    /// Made by a newer program.
    Newer,
    /// This migration was run in another form than this program has it.
    Changed(i64),
}

impl Store {
    /// Whether it answers now.
    pub async fn answers(&self) -> bool {
        self.one().await.is_ok_and(|one| one == 1)
    }

    async fn one(&self) -> Result<i32, StoreError> {
        let mut conn = self.read().await?;
        Ok(on!(&mut conn, c => sqlx::query_scalar("SELECT 1").fetch_one(c).await?))
    }

    /// How the tables stand.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn tables(&self, which: Which) -> Result<Tables, StoreError> {
        let known: BTreeSet<i64> = migrator(self, which).iter().map(|m| m.version).collect();
        let mut conn = self.read().await?;
        if !conn.has_migrations().await? {
            return Ok(Tables::Absent);
        }
        let query = "SELECT version, checksum FROM _sqlx_migrations WHERE success";
        let run: Vec<(i64, Vec<u8>)> = on!(&mut conn, c => sqlx::query_as(query).fetch_all(c).await?);
        let changed = migrator(self, which).iter().find(|known| {
            run.iter()
                .any(|(version, checksum)| *version == known.version && checksum[..] != known.checksum[..])
        });
        if let Some(changed) = changed {
            return Ok(Tables::Changed(changed.version));
        }
        let run: BTreeSet<i64> = run.into_iter().map(|(version, _)| version).collect();
        Ok(match known.difference(&run).count() {
            _ if !run.is_subset(&known) => Tables::Newer,
            _ if run.is_empty() => Tables::Absent,
            0 => Tables::Current,
            missing => Tables::Behind(missing),
        })
    }

    /// What SQLite's quick check finds wrong with the file, in its words; empty when all is well. PostgreSQL checks
    /// its pages itself.
    ///
    /// # Errors
    /// When the database cannot be read at all.
    pub async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let Self::Sqlite { readers, .. } = self else {
            return Ok(Vec::new());
        };
        let lines: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(5)")
            .fetch_all(readers)
            .await?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// The time of the database server; `None` when it is this machine's own.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn server_time(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let Self::Postgres(pool) = self else {
            return Ok(None);
        };
        let query = "SELECT (extract(epoch FROM now()) * 1000000)::bigint";
        let micros: i64 = sqlx::query_scalar(query).fetch_one(pool).await?;
        Ok(Some(from_micros(micros)))
    }

    /// When the newest entry of the log was made.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn newest_entry(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut conn = self.read().await?;
        let query = "SELECT MAX(at) FROM audit_event";
        let micros: Option<i64> = on!(&mut conn, c => sqlx::query_scalar(query).fetch_one(c).await?);
        Ok(micros.map(from_micros))
    }
}

impl Conn {
    async fn has_migrations(&mut self) -> Result<bool, StoreError> {
        let query = match self.spelling() {
            Spelling::Sqlite => "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'",
            Spelling::Postgres => {
                "SELECT count(*) FROM pg_tables WHERE tablename = '_sqlx_migrations' AND schemaname = current_schema()"
            }
        };
        let count: i64 = on!(self, c => sqlx::query_scalar(query).fetch_one(c).await?);
        Ok(count > 0)
    }
}

fn migrator(store: &Store, which: Which) -> &'static Migrator {
    match (store, which) {
        (Store::Sqlite { .. }, Which::Data) => &open::SQLITE_DATA,
        (Store::Sqlite { .. }, Which::Keys) => &open::SQLITE_KEYS,
        (Store::Postgres(_), Which::Data) => &open::POSTGRES_DATA,
        (Store::Postgres(_), Which::Keys) => &open::POSTGRES_KEYS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreUrl;

    async fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&StoreUrl::Sqlite(folder.path().join("vault.db")), 2)
            .await
            .unwrap()
    }

    async fn run(store: &Store, sql: &'static str) {
        let Store::Sqlite { writer, .. } = store else {
            unreachable!()
        };
        sqlx::query(sql).execute(writer).await.unwrap();
    }

    #[actix_web::test]
    async fn tables_are_absent_then_current_then_behind_or_newer() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder).await;
        assert_eq!(store.tables(Which::Data).await.unwrap(), Tables::Absent);
        store.migrate(Which::Data).await.unwrap();
        assert_eq!(store.tables(Which::Data).await.unwrap(), Tables::Current);
        assert_eq!(store.newest_entry().await.unwrap(), None);
        run(
            &store,
            "DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)",
        )
        .await;
        assert_eq!(store.tables(Which::Data).await.unwrap(), Tables::Behind(1));
        run(
            &store,
            "UPDATE _sqlx_migrations SET version = 999999 WHERE version = 1",
        )
        .await;
        assert_eq!(store.tables(Which::Data).await.unwrap(), Tables::Newer);
    }

    #[actix_web::test]
    async fn a_damaged_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let whole = store(&folder).await;
        whole.migrate(Which::Data).await.unwrap();
        assert_eq!(whole.integrity().await.unwrap(), Vec::<String>::new());
        whole.close().await;
        let path = folder.path().join("vault.db");
        let mut bytes = std::fs::read(&path).unwrap();
        // The page after the first: its header now says that it is no page of a tree.
        bytes[4096..4200].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        let broken = store(&folder).await;
        assert!(broken.integrity().await.is_err() || !broken.integrity().await.unwrap().is_empty());
    }
}
