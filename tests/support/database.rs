//! Where a test's data lies: SQLite files always, PostgreSQL where it is installed.

use std::path::Path;

use actix_web::rt::System;
use guest_vault::store::{Store, StoreUrl, Which};
use tempfile::TempDir;

use super::pg::Cluster;

/// A fresh data store and a fresh key store of one test, and a folder for everything else it writes.
pub(crate) enum Database {
    /// Files in the test's folder.
    Sqlite(TempDir),
    /// Two databases of the shared cluster.
    Postgres {
        /// Where they are.
        cluster: &'static Cluster,
        /// The database of the data.
        data: String,
        /// The database of the keys.
        keys: String,
        /// The test's folder.
        dir: TempDir,
    },
}

impl Database {
    /// On SQLite.
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("a temporary directory"))
    }

    /// On PostgreSQL; `None`, with the reason printed, where there is none (see [`Cluster::shared`]).
    pub(crate) async fn postgres() -> Option<Self> {
        let cluster = Cluster::shared()?;
        Some(Self::Postgres {
            cluster,
            data: cluster
                .copy_of("template_data", "data", async |url| {
                    migrate(url, Which::Data).await;
                })
                .await,
            keys: cluster
                .copy_of("template_keys", "keys", async |url| {
                    migrate(url, Which::Keys).await;
                })
                .await,
            dir: tempfile::tempdir().expect("a temporary directory"),
        })
    }

    /// The URL of the data store.
    pub(crate) fn data_url(&self) -> String {
        match self {
            Self::Sqlite(dir) => sqlite_url(dir, "vault.db"),
            Self::Postgres { cluster, data, .. } => cluster.url(data),
        }
    }

    /// The URL of the key store.
    pub(crate) fn keys_url(&self) -> String {
        match self {
            Self::Sqlite(dir) => sqlite_url(dir, "keys.db"),
            Self::Postgres { cluster, keys, .. } => cluster.url(keys),
        }
    }

    /// One of the two stores, opened and migrated.
    pub(crate) async fn open(&self, which: Which) -> Store {
        match which {
            Which::Data => migrated(&self.data_url(), which).await,
            Which::Keys => migrated(&self.keys_url(), which).await,
        }
    }

    /// A store at another address of the same database.
    pub(crate) async fn at(url: &str, which: Which) -> Store {
        migrated(url, which).await
    }

    /// The cluster and the name of the data's database, for what only PostgreSQL has.
    pub(crate) fn cluster(&self) -> Option<(&'static Cluster, &str)> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres { cluster, data, .. } => Some((cluster, data)),
        }
    }

    /// The folder for key files, logs and the like.
    pub(crate) fn dir(&self) -> &Path {
        match self {
            Self::Sqlite(dir) | Self::Postgres { dir, .. } => dir.path(),
        }
    }

    /// The folders that hold every byte the stores wrote, made current on disk.
    pub(crate) async fn written(&self) -> Vec<&Path> {
        match self {
            Self::Sqlite(dir) => vec![dir.path()],
            Self::Postgres { cluster, dir, .. } => {
                cluster.checkpoint().await;
                vec![dir.path(), cluster.dir()]
            }
        }
    }

    /// Removes it after a test that passed; what a failed test leaves goes with the cluster.
    pub(crate) async fn finish(self) {
        if let Self::Postgres {
            cluster, data, keys, ..
        } = self
        {
            cluster.drop(&data).await;
            cluster.drop(&keys).await;
        }
    }
}

fn sqlite_url(dir: &TempDir, file: &str) -> String {
    format!("sqlite://{}", dir.path().join(file).display())
}

async fn migrated(url: &str, which: Which) -> Store {
    let url: StoreUrl = url.parse().expect("a store URL");
    let store = Store::open(&url, 4).await.expect("the store opens");
    store.migrate(which).await.expect("the migrations run");
    store
}

async fn migrate(url: &str, which: Which) {
    migrated(url, which).await.close().await;
}

/// Runs a test on SQLite.
pub(crate) fn on_sqlite(test: impl AsyncFnOnce(&Database)) {
    System::new().block_on(async {
        let database = Database::sqlite();
        test(&database).await;
        database.finish().await;
    });
}

/// Runs a test on PostgreSQL where there is one.
pub(crate) fn on_postgres(test: impl AsyncFnOnce(&Database)) {
    System::new().block_on(async {
        if let Some(database) = Database::postgres().await {
            test(&database).await;
            database.finish().await;
        }
    });
}

/// One test body, two tests: `name::sqlite` and `name::postgres`.
///
/// ```ignore
/// both!(withdrawn_consent_hides_at_once, async |database| { … });
/// ```
macro_rules! both {
    ($(#[$meta:meta])* $name:ident, $test:expr) => {
        mod $name {
            use super::*;

            $(#[$meta])*
            #[test]
            fn sqlite() {
                $crate::support::database::on_sqlite($test);
            }

            $(#[$meta])*
            #[test]
            fn postgres() {
                $crate::support::database::on_postgres($test);
            }
        }
    };
}
pub(crate) use both;
