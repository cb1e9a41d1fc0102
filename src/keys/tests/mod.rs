use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    base::{Category, Clock, GuestId},
    crypto::{Aad, tests::lacks},
    on,
    store::{Store, StoreUrl, Which},
};

lacks!(Keyring: std::fmt::Debug, Clone, Default, serde::Serialize);
lacks!(GuestKeys: std::fmt::Debug, Default, std::fmt::Display, serde::Serialize);
lacks!(Plain: std::fmt::Debug, Clone, Default, std::fmt::Display, serde::Serialize);
lacks!(KeyFile: std::fmt::Debug, Clone, Default, serde::Serialize);
lacks!(Passphrase: std::fmt::Debug, Clone, Default, serde::Serialize);

mod provider;
mod receipt;
mod ring;

/// A key store and a folder for key files.
struct Bench {
    folder: TempDir,
    store: Store,
}

impl Bench {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let url = StoreUrl::Sqlite(folder.path().join("keys.db"));
        let store = Store::open(&url, 2).await.unwrap();
        store.migrate(Which::Keys).await.unwrap();
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn root(&self) -> RootKeySource {
        RootKeySource::File(self.path("root.key"))
    }

    async fn open(&self, fresh: bool) -> Result<Keyring, KeysError> {
        Keyring::open(&self.root(), self.store.clone(), fresh, Clock::system()).await
    }

    /// Changes stored bytes behind the program's back.
    async fn run(&self, sql: &'static str) -> u64 {
        let mut tx = self.store.begin().await.unwrap();
        let rows = on!(&mut tx, c => sqlx::query(sql).execute(c).await.unwrap().rows_affected());
        tx.commit().await.unwrap();
        rows
    }
}

fn write(path: &Path, content: &str, mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn place(guest: GuestId, path: &str) -> Aad<'_> {
    Aad {
        guest,
        record: Uuid::from_u128(7),
        path,
        version: 1,
    }
}
