//! Rotation, while the vault runs: a new epoch's key wraps what is made from now on, and data keys are wrapped anew one
//! by one; no value is touched. A new root key wraps the few vault keys.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use chrono::TimeDelta;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    base::{GuestId, micros},
    crypto::KeyDerivationKey,
    store::Tx,
};

use super::{
    Keyring, KeysError, ProviderError, Purpose, RootKeyProvider,
    data_keys::rewrapped,
    hierarchy::{Epochs, make_one, newest, rewrapped_by, unwrap_one},
};

/// Data keys wrapped anew at a time.
const PAGE: i64 = 500;

/// How far a rotation has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// The epoch that new data keys are wrapped in.
    pub epoch: i64,
    /// Data keys that were wrapped anew.
    pub rewrapped: u64,
    /// Data keys that do not open and were left as they are.
    pub damaged: u64,
    /// Epochs whose key was destroyed.
    pub dropped: Vec<i64>,
}

impl Keyring {
    /// Learns of epochs that another process has begun.
    ///
    /// # Errors
    /// When the key store cannot be reached, or an epoch's key does not open.
    pub async fn refresh(&self) -> Result<(), KeysError> {
        let rows = self.store.read().await?.vault_keys().await?;
        let of_epochs = rows.iter().filter(|row| row.purpose == Purpose::Epoch.as_str());
        let versions: Vec<i64> = of_epochs.clone().map(|row| row.version).collect();
        if self.epochs.load().versions() == versions {
            return Ok(());
        }
        let mut keys = BTreeMap::new();
        for row in of_epochs {
            let key = self.current(unwrap_one(&*self.provider, Purpose::Epoch, row).await)?;
            keys.insert(row.version, KeyDerivationKey::new(key));
        }
        if let Some(epochs) = Epochs::of(keys) {
            self.epochs.store(Arc::new(epochs));
        }
        Ok(())
    }

    /// What came of unwrapping a key that another process stored: when our root key is no longer the one, this process
    /// is not ready any more, as it can open less and less.
    pub(super) fn current<T>(&self, outcome: Result<T, KeysError>) -> Result<T, KeysError> {
        outcome.map_err(|error| match error {
            KeysError::Provider(ProviderError::WrongKey | ProviderError::OtherProvider { .. }) => {
                self.outdated.store(true, Ordering::Relaxed);
                KeysError::Outdated
            }
            other => other,
        })
    }

    /// Begins a transaction that adds vault keys: nobody moves the others to another root key meanwhile, and nobody has.
    pub(super) async fn begin_adding(&self) -> Result<Tx, KeysError> {
        let mut tx = self.store.begin().await?;
        let rows = tx.vault_keys_for_us().await?;
        self.current(newest(&*self.provider, &rows, Purpose::Epoch).await)?;
        Ok(tx)
    }

    /// Begins a new epoch: its key wraps every data key that is made from now on.
    ///
    /// # Errors
    /// When the key store or the root key cannot be had.
    pub async fn new_epoch(&self) -> Result<i64, KeysError> {
        self.refresh().await?;
        let epoch = self.epochs.load().current().saturating_add(1);
        let now = micros(self.clock.now());
        let row = make_one(&*self.provider, (Purpose::Epoch, epoch), now).await?;
        let mut tx = self.begin_adding().await?;
        // Of two at once, one's key is stored.
        tx.add_vault_keys(&[row]).await?;
        tx.retire_vault_keys(Purpose::Epoch.as_str(), epoch, now).await?;
        tx.commit().await?;
        self.refresh().await?;
        Ok(epoch)
    }

    /// Wraps data keys of older epochs in the present one, and destroys keys of epochs that hold nothing and were retired
    /// long enough ago for no backup to need them here. May be cut off and begun again at any time.
    ///
    /// # Errors
    /// When the key store cannot be reached or written; what is done is done.
    pub async fn rewrap(
        &self,
        kept_for: TimeDelta,
        mut progress: impl FnMut(u64),
    ) -> Result<Rotated, KeysError> {
        self.refresh().await?;
        let epochs = self.epochs.load_full();
        let mut done = Rotated {
            epoch: epochs.current(),
            ..Rotated::default()
        };
        let mut after = (Uuid::nil(), 0);
        loop {
            let rows = self
                .store
                .read()
                .await?
                .data_keys_of_others(epochs.current(), after, PAGE)
                .await?;
            let Some(last) = rows.last() else { break };
            after = (last.guest_id, last.category);
            let mut tx = self.store.begin().await?;
            for row in &rows {
                match rewrapped(&epochs, row)? {
                    Some(wrapped) => {
                        // A key that was destroyed meanwhile stays destroyed.
                        let there = tx.rewrap_data_key(row, epochs.current(), &wrapped).await?;
                        done.rewrapped += u64::from(there);
                    }
                    // Somebody else's, begun meanwhile: no older one, and not ours to open yet.
                    None if row.epoch > epochs.current() => {}
                    None => done.damaged += 1,
                }
            }
            tx.commit().await?;
            for row in &rows {
                self.cache.destroyed(GuestId(row.guest_id));
            }
            progress(done.rewrapped);
        }
        let before = micros(self.clock.now() - kept_for);
        let mut tx = self.store.begin().await?;
        for epoch in tx.epochs_to_drop(Purpose::Epoch.as_str(), before).await? {
            tx.drop_vault_key(Purpose::Epoch.as_str(), epoch).await?;
            done.dropped.push(epoch);
        }
        tx.commit().await?;
        self.refresh().await?;
        self.scrub().await?;
        Ok(done)
    }

    /// Wraps the vault keys by another root key, all or none. From then on the old one opens nothing here; backups of the
    /// key store that were taken before are opened by it alone.
    ///
    /// # Errors
    /// When one of the keys does not open, [`KeysError::Outdated`] when another root key wraps it already; then none was
    /// changed.
    pub async fn move_root(&self, new: &dyn RootKeyProvider) -> Result<usize, KeysError> {
        let mut tx = self.store.begin().await?;
        // Read for us alone: a key that somebody adds meanwhile would be left behind.
        let rows = tx.vault_keys_for_us().await?;
        for row in &rows {
            let moved = self.current(rewrapped_by(&*self.provider, new, row).await)?;
            tx.store_vault_key(&moved).await?;
        }
        tx.commit().await?;
        self.store.scrub(&["vault_key"]).await?;
        Ok(rows.len())
    }
}
