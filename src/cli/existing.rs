//! Commands that look at a vault, or change one, make none.

use std::path::absolute;

use crate::{
    config::Config,
    store::{Store, StoreUrl, Tables, Which},
};

/// There is no vault to look at.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no vault: {missing}. The data folder is {folder}: name the vault's with --data-dir, or make one with \
     `guest-vault serve`; `guest-vault demo` shows one with invented guests"
)]
pub(super) struct NoVault {
    missing: String,
    folder: String,
}

/// Looks whether there is a vault, and makes nothing. What cannot be looked at is told by who opens it.
///
/// # Errors
/// [`NoVault`].
pub(super) async fn require(config: &Config) -> Result<(), NoVault> {
    let Ok(url) = config.database_url().parse::<StoreUrl>() else {
        return Ok(());
    };
    let missing = match &url {
        StoreUrl::Sqlite(path) if path.exists() => return Ok(()),
        StoreUrl::Sqlite(path) => format!("{} is not there", path.display()),
        StoreUrl::Postgres { .. } if is_empty(&url).await => "the database has no tables".to_owned(),
        StoreUrl::Postgres { .. } => return Ok(()),
    };
    let folder = absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    Err(NoVault {
        missing,
        folder: folder.display().to_string(),
    })
}

async fn is_empty(url: &StoreUrl) -> bool {
    let Ok(store) = Store::open(url, 1).await else {
        return false;
    };
    let tables = store.tables(Which::Data).await;
    store.close().await;
    matches!(tables, Ok(Tables::Absent))
}
