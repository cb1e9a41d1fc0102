//! The opened hierarchy: what the rest of the program asks for keys.

use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Instant,
};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    base::{Category, Clock, GuestId, PrincipalId, micros},
    crypto::{Aad, IndexKey, KeyMaterial, MacKey, Sealed},
    store::Store,
};

use super::{
    GuestKeys, KeyStatus, KeysError, MacPurpose, OpenError, RootKeyProvider, RootKeySource,
    cache::KeyCache,
    guest_keys::Categories,
    hierarchy::{Epochs, VaultKeys, make},
    matching::Ring,
    status,
};

/// The version of the key that seals the vault's own values, until rotation makes another.
const FIRST: u16 = 1;
/// How many times as long as it took the key store is then left alone before it is written anew again: half a percent of
/// the time at most goes to it.
const REST: u32 = 200;
/// The key category of what belongs to no guest; no [`Category`] has this number.
const VAULT: u8 = 0;

/// All keys of a vault. Opened once, shared as `Arc<Keyring>`.
pub struct Keyring {
    pub(super) provider: Box<dyn RootKeyProvider>,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) keys: VaultKeys,
    pub(super) epochs: ArcSwap<Epochs>,
    pub(super) cache: KeyCache,
    /// Until when the key store is not written anew again.
    rewriting: Mutex<Option<Instant>>,
    pub(super) matching: ArcSwap<Ring>,
    /// When the keys of look-alikes were last read, in microseconds.
    pub(super) matching_at: AtomicI64,
    /// Whether another root key was seen to have taken the place of ours.
    pub(super) outdated: AtomicBool,
}

impl Keyring {
    /// Opens the vault keys. At the very first start, when the key store is empty and the caller says that there is
    /// no data either (`fresh`), they are made, and the key file too.
    ///
    /// # Errors
    /// When the root key is missing, open to others or another one; when the key store is empty, damaged or cannot be
    /// reached. The message says what to do.
    pub async fn open(
        root: &RootKeySource,
        store: Store,
        fresh: bool,
        clock: Clock,
    ) -> Result<Self, KeysError> {
        let first = is_empty(&store).await?;
        if first && !fresh {
            return Err(KeysError::EmptyKeyStore);
        }
        Self::with_provider(root.open(first)?, store, fresh, clock).await
    }

    /// [`Keyring::open`] with a provider that is at hand.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub async fn with_provider(
        provider: Box<dyn RootKeyProvider>,
        store: Store,
        fresh: bool,
        clock: Clock,
    ) -> Result<Self, KeysError> {
        if is_empty(&store).await? {
            if !fresh {
                return Err(KeysError::EmptyKeyStore);
            }
            let rows = make(&*provider, micros(clock.now())).await?;
            let mut tx = store.begin().await?;
            tx.add_vault_keys(&rows).await?;
            tx.commit().await?;
        }
        // Read back even after making them: of two first starts at once, one's keys were stored.
        let rows = store.read().await?.vault_keys().await?;
        let (keys, epochs) = VaultKeys::open(&*provider, &rows).await?;
        let matching = Ring::open(&*provider, &rows, &Ring::default()).await?;
        Ok(Self {
            provider,
            store,
            clock,
            keys,
            epochs: ArcSwap::from_pointee(epochs),
            cache: KeyCache::new(),
            rewriting: Mutex::default(),
            matching: ArcSwap::from_pointee(matching),
            matching_at: AtomicI64::new(i64::MIN),
            outdated: AtomicBool::new(false),
        })
    }

    /// Makes blind-index tokens.
    #[must_use]
    pub const fn index_key(&self) -> &IndexKey {
        &self.keys.index
    }

    /// The keyed hash of a purpose.
    #[must_use]
    pub const fn mac(&self, purpose: MacPurpose) -> &MacKey {
        self.keys.mac(purpose)
    }

    /// Seals what belongs to no single guest, bound to what it is and its id. It outlives every guest: keep it short.
    ///
    /// # Errors
    /// When it is too long.
    pub fn seal_own(&self, what: &str, id: Uuid, plain: &[u8]) -> Result<Sealed, KeysError> {
        Ok(self.keys.vault_data.seal(VAULT, FIRST, &own(what, id), plain)?)
    }

    /// Opens what [`Keyring::seal_own`] sealed.
    ///
    /// # Errors
    /// When the bytes were not sealed for this id.
    pub fn open_own(&self, what: &str, id: Uuid, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        Ok(self.keys.vault_data.open_bytes(sealed, &own(what, id))?)
    }

    /// Destroys data keys: of some categories, or of all. What they sealed can never be read again. Returns how many
    /// there were; destroying what is gone already is no error.
    ///
    /// # Errors
    /// When the key store cannot be reached or written; then none was destroyed.
    pub async fn destroy(&self, guest: GuestId, categories: Option<&[Category]>) -> Result<u64, KeysError> {
        let mut tx = self.store.begin().await?;
        let mut destroyed = 0;
        match categories {
            None => destroyed = tx.destroy_data_keys(guest).await?,
            Some(categories) => {
                for category in Categories::of(categories).iter() {
                    destroyed += tx.destroy_data_key(guest, category.code().into()).await?;
                }
            }
        }
        let committed = tx.commit().await;
        // Also after an error: a lost answer does not say that nothing was destroyed.
        self.cache.destroyed(guest);
        committed?;
        Ok(destroyed)
    }

    /// Clears what the key store's own files still hold of destroyed keys; `false` when that must be tried again: when
    /// somebody is in the way, or the key store was written anew so lately that doing it again would cost too much.
    ///
    /// # Errors
    /// What the key store says.
    pub async fn scrub(&self) -> Result<bool, KeysError> {
        let tables = ["data_key", "vault_key"];
        let mut rest = self.rewriting.lock().await;
        if rest.is_some_and(|until| Instant::now() < until) {
            self.store.scrub(&tables).await?;
            return Ok(false);
        }
        let begun = Instant::now();
        let rewritten = self.store.rewrite(&tables).await;
        *rest = Some(Instant::now() + begun.elapsed().saturating_mul(REST));
        drop(rest);
        if let Err(error) = rewritten {
            tracing::warn!(%error, "the key store waits to be written anew");
            return Ok(false);
        }
        Ok(self.store.scrub(&tables).await?)
    }

    /// Guests with data keys, in the order of their ids, after one of them: whoever is not in the data store is an
    /// orphan, left by a write that did not finish.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn guests_with_keys(
        &self,
        after: Option<GuestId>,
        most: u32,
    ) -> Result<Vec<GuestId>, KeysError> {
        let after = after.unwrap_or(GuestId(Uuid::nil()));
        Ok(self
            .store
            .read()
            .await?
            .guests_with_keys_after(after, most.into())
            .await?)
    }

    /// The signed checkpoint of the data's log that was last told here.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn data_mark(&self) -> Result<Option<String>, KeysError> {
        Ok(self.store.read().await?.data_mark().await?)
    }

    /// Tells how far the data's log has grown.
    ///
    /// # Errors
    /// When the key store cannot be written.
    pub async fn move_data_mark(&self, checkpoint: &str) -> Result<(), KeysError> {
        let mut tx = self.store.begin().await?;
        tx.move_data_mark(checkpoint).await?;
        Ok(tx.commit().await?)
    }

    /// The guest's handle in the audit log for a calendar year: not linkable to the guest, or to another year, once
    /// the key of [`Category::Audit`] is destroyed. `None` without that key.
    #[must_use]
    pub fn pseudonym(&self, keys: &GuestKeys, year: i32) -> Option<[u8; 16]> {
        keys.pseudonym(year)
    }

    /// The guest's handle for one consumer: under a key of that consumer, of what only the guest's own key gives. It
    /// cannot be joined with another consumer's, nor made again once the key of [`Category::Audit`] is destroyed.
    /// `None` without that key.
    #[must_use]
    pub fn handle(&self, keys: &GuestKeys, consumer: PrincipalId) -> Option<[u8; 16]> {
        let parts: [&[u8]; 3] = [b"handle", &[0x1f], consumer.0.as_bytes()];
        let own = Zeroizing::new(self.mac(MacPurpose::Token).mac_of(&parts));
        let own = MacKey::new(KeyMaterial::from_slice(&*own)?);
        own.mac(&keys.handle_seed()?).first_chunk().copied()
    }

    /// Whether any guest has keys.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn has_data_keys(&self) -> Result<bool, KeysError> {
        Ok(self.store.read().await?.has_data_keys().await?)
    }

    /// Where the keys are and in which state.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn status(&self) -> Result<KeyStatus, KeysError> {
        status::of_open(&*self.provider, &self.store).await
    }

    /// Whether the root key opens what the key store holds, and would still be had after a restart.
    ///
    /// # Errors
    /// What the provider says.
    pub async fn health(&self) -> Result<(), KeysError> {
        if self.outdated.load(Ordering::Relaxed) {
            return Err(KeysError::Outdated);
        }
        Ok(self.provider.health().await?)
    }
}

/// Whether no start has made keys yet. Data keys without vault keys are a damaged key store, not an empty one.
async fn is_empty(store: &Store) -> Result<bool, KeysError> {
    let mut conn = store.read().await?;
    if !conn.vault_keys().await?.is_empty() {
        return Ok(false);
    }
    if conn.has_data_keys().await? {
        return Err(KeysError::EmptyKeyStore);
    }
    Ok(true)
}

fn own(what: &str, id: Uuid) -> Aad<'_> {
    Aad {
        guest: GuestId(Uuid::nil()),
        record: id,
        path: what,
        version: 0,
    }
}
