//! Where the keys are and in which state, for the operator. No secret, no guest.

use serde::Serialize;

use crate::{
    base::{Clock, from_micros},
    store::{Conn, Store},
};

use super::{Keyring, KeysError, RootKeyProvider, RootKeySource, sql::VaultKeyRow};

/// The state of all keys.
#[derive(Debug, Clone, Serialize)]
pub struct KeyStatus {
    /// The root key.
    pub root: RootState,
    /// The vault keys, all versions.
    pub vault_keys: Vec<VaultKeyStatus>,
    /// How many data keys are wrapped in each epoch.
    pub epochs: Vec<EpochStatus>,
    /// How many guests have data keys.
    pub guests: i64,
}

/// The state of the root key.
#[derive(Debug, Clone, Serialize)]
pub struct RootState {
    /// `key file` or `passphrase`.
    pub provider: &'static str,
    /// Which one: a path or a label.
    pub reference: String,
    /// Whether it opens every vault key and would do so after a restart.
    pub usable: bool,
    /// Why not, and what to do.
    pub problem: Option<String>,
}

/// One vault key.
#[derive(Debug, Clone, Serialize)]
pub struct VaultKeyStatus {
    /// What it is for.
    pub purpose: String,
    /// Its version.
    pub version: i64,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Since when it makes nothing new (RFC 3339).
    pub retired_at: Option<String>,
}

/// One epoch.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct EpochStatus {
    /// Its number.
    pub epoch: i64,
    /// How many data keys are wrapped in it.
    pub data_keys: i64,
}

/// The state of the keys of a vault that is not running; changes nothing. What is wrong with the root key is part of
/// the answer.
///
/// # Errors
/// When the key store cannot be reached.
pub async fn status(root: &RootKeySource, store: &Store) -> Result<KeyStatus, KeysError> {
    let problem = match Keyring::open(root, store.clone(), false, Clock::system()).await {
        Ok(_) => None,
        Err(error @ KeysError::Store(_)) => return Err(error),
        Err(KeysError::EmptyKeyStore) => {
            Some("the key store holds no keys yet; they are made at the first start".to_owned())
        }
        Err(error) => Some(error.to_string()),
    };
    let root = RootState {
        provider: root.kind(),
        reference: root.path().display().to_string(),
        usable: problem.is_none(),
        problem,
    };
    of_store(&mut store.read().await?, root).await
}

/// The state of the keys of a running vault.
pub(super) async fn of_open(provider: &dyn RootKeyProvider, store: &Store) -> Result<KeyStatus, KeysError> {
    let described = provider.describe();
    let problem = provider.health().await.err().map(|error| error.to_string());
    let root = RootState {
        provider: described.kind,
        reference: described.reference,
        usable: problem.is_none(),
        problem,
    };
    of_store(&mut store.read().await?, root).await
}

async fn of_store(conn: &mut Conn, root: RootState) -> Result<KeyStatus, KeysError> {
    let epochs = conn.data_keys_by_epoch().await?;
    Ok(KeyStatus {
        root,
        vault_keys: conn
            .vault_keys()
            .await?
            .iter()
            .map(VaultKeyStatus::from)
            .collect(),
        epochs: epochs
            .into_iter()
            .map(|(epoch, data_keys)| EpochStatus { epoch, data_keys })
            .collect(),
        guests: conn.guests_with_keys().await?,
    })
}

impl From<&VaultKeyRow> for VaultKeyStatus {
    fn from(row: &VaultKeyRow) -> Self {
        Self {
            purpose: row.purpose.clone(),
            version: row.version,
            created_at: from_micros(row.created_at).to_rfc3339(),
            retired_at: row.retired_at.map(|at| from_micros(at).to_rfc3339()),
        }
    }
}
