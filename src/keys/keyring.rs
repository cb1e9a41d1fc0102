//! The opened hierarchy: what the rest of the program asks for keys.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    base::{Category, Clock, GuestId, micros},
    crypto::{Aad, DataKey, IndexKey, KeyEncryptionKey, MacKey, Sealed},
    store::Store,
};

use super::{
    GuestKeys, KeyStatus, KeysError, MacPurpose, OpenError, RootKeyProvider, RootKeySource,
    cache::KeyCache,
    guest_keys::{Categories, Entry, Held},
    hierarchy::{VaultKeys, make},
    sql::DataKeyRow,
    status,
};

/// The version of a data key until rotation makes another.
const FIRST: u16 = 1;
/// The key category of what belongs to no guest; no [`Category`] has this number.
const VAULT: u8 = 0;

/// All keys of a vault. Opened once, shared as `Arc<Keyring>`.
pub struct Keyring {
    provider: Box<dyn RootKeyProvider>,
    store: Store,
    clock: Clock,
    keys: VaultKeys,
    cache: KeyCache,
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
        let keys = VaultKeys::open(&*provider, &rows).await?;
        Ok(Self {
            provider,
            store,
            clock,
            keys,
            cache: KeyCache::new(),
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

    /// The data keys of a guest for some categories, from the cache or by one query; what does not exist is absent.
    ///
    /// Ask for the categories whose values are at hand: an absence is not remembered, because another process may
    /// make the key the next moment.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn guest_keys(&self, guest: GuestId, categories: &[Category]) -> Result<GuestKeys, KeysError> {
        let asked = Categories::of(categories);
        if let Some(entry) = self.cached(guest, asked) {
            return Ok(GuestKeys::new(guest, entry, asked));
        }
        let mut loaded = self.load(&[(guest, asked)]).await?;
        let entry = loaded.remove(&guest).unwrap_or_default();
        Ok(GuestKeys::new(guest, entry, asked))
    }

    /// [`Keyring::guest_keys`] of many guests, with one query for each 512. Every guest is in the answer.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn many_guest_keys(
        &self,
        guests: &[GuestId],
        categories: &[Category],
    ) -> Result<HashMap<GuestId, GuestKeys>, KeysError> {
        let asked = Categories::of(categories);
        let wanted: BTreeMap<GuestId, Categories> = guests.iter().map(|guest| (*guest, asked)).collect();
        self.gather(&wanted).await
    }

    /// [`Keyring::guest_keys`], making the keys that are missing; they are durable before this returns. When two make
    /// the same key at once, both get the one that was stored.
    ///
    /// # Errors
    /// When the key store cannot be reached or written.
    pub async fn ensure_guest_keys(
        &self,
        guest: GuestId,
        categories: &[Category],
    ) -> Result<GuestKeys, KeysError> {
        let mut all = self.ensure_many(&[(guest, categories.to_vec())]).await?;
        let absent = || GuestKeys::new(guest, Arc::default(), Categories::of(&[]));
        Ok(all.remove(&guest).unwrap_or_else(absent))
    }

    /// [`Keyring::ensure_guest_keys`] of many guests, in one transaction.
    ///
    /// # Errors
    /// When the key store cannot be reached or written; then no key was made.
    pub async fn ensure_many(
        &self,
        wanted: &[(GuestId, Vec<Category>)],
    ) -> Result<HashMap<GuestId, GuestKeys>, KeysError> {
        let mut asked: BTreeMap<GuestId, Categories> = BTreeMap::new();
        for (guest, categories) in wanted {
            let more = Categories::of(categories);
            asked
                .entry(*guest)
                .and_modify(|known| *known = known.union(more))
                .or_insert(more);
        }
        let mut all = self.gather(&asked).await?;
        let missing: BTreeMap<GuestId, Categories> = asked
            .iter()
            .map(|(guest, asked)| {
                let there = all.get(guest).map_or(Categories::of(&[]), GuestKeys::categories);
                (*guest, asked.without(there))
            })
            .filter(|(_, missing)| !missing.is_empty())
            .collect();
        if !missing.is_empty() {
            let made = self.make_data_keys(&missing, &asked).await?;
            all.extend(made);
        }
        Ok(all)
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

    /// The categories of these guests whose stored keys do not open.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn damaged_keys(&self, guests: &[GuestId]) -> Result<Vec<(GuestId, Category)>, KeysError> {
        let all = Categories::of(&Category::ALL);
        let wanted: Vec<_> = guests.iter().map(|guest| (*guest, all)).collect();
        let loaded = self.load(&wanted).await?;
        let damaged = loaded
            .iter()
            .flat_map(|(guest, entry)| entry.damaged().map(|category| (*guest, category)));
        Ok(damaged.collect())
    }

    /// Where the keys are and in which state.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn status(&self) -> Result<KeyStatus, KeysError> {
        status::of_open(&*self.provider, &self.store).await
    }

    /// Whether the root key would still be had after a restart.
    ///
    /// # Errors
    /// What the provider says.
    pub async fn health(&self) -> Result<(), KeysError> {
        Ok(self.provider.health().await?)
    }

    /// The cached entry, if it has all that is asked.
    fn cached(&self, guest: GuestId, asked: Categories) -> Option<Arc<Entry>> {
        self.cache
            .get(guest)
            .filter(|entry| asked.without(entry.categories()).is_empty())
    }

    async fn gather(
        &self,
        wanted: &BTreeMap<GuestId, Categories>,
    ) -> Result<HashMap<GuestId, GuestKeys>, KeysError> {
        let mut all = HashMap::with_capacity(wanted.len());
        let mut missed = Vec::new();
        for (guest, asked) in wanted {
            match self.cached(*guest, *asked) {
                Some(entry) => {
                    all.insert(*guest, GuestKeys::new(*guest, entry, *asked));
                }
                None => missed.push((*guest, *asked)),
            }
        }
        let mut loaded = self.load(&missed).await?;
        for (guest, asked) in missed {
            let entry = loaded.remove(&guest).unwrap_or_default();
            all.insert(guest, GuestKeys::new(guest, entry, asked));
        }
        Ok(all)
    }

    /// Reads and opens keys, past the cache, and keeps them there.
    async fn load(
        &self,
        wanted: &[(GuestId, Categories)],
    ) -> Result<HashMap<GuestId, Arc<Entry>>, KeysError> {
        if wanted.is_empty() {
            return Ok(HashMap::new());
        }
        let since = self.cache.now();
        let guests: Vec<GuestId> = wanted.iter().map(|(guest, _)| *guest).collect();
        let rows = self.store.read().await?.data_keys(&guests).await?;
        // What was cached is opened again too, so that no key outlives its time by being asked for in company.
        let wanted = wanted.iter().map(|(guest, asked)| {
            let known = self.cache.get(*guest).map(|entry| entry.categories());
            (*guest, known.map_or(*asked, |known| known.union(*asked)))
        });
        let entries = self.open_rows(&rows, &wanted.collect());
        for (guest, entry) in &entries {
            self.cache.keep(*guest, entry, since);
        }
        Ok(entries)
    }

    /// Opens the wanted ones of the rows.
    fn open_rows(
        &self,
        rows: &[DataKeyRow],
        wanted: &HashMap<GuestId, Categories>,
    ) -> HashMap<GuestId, Arc<Entry>> {
        let mut entries: HashMap<GuestId, Entry> = HashMap::with_capacity(wanted.len());
        // The rows of a guest mostly come together: its wrapping key is derived once.
        let mut last: Option<(GuestId, i64, Option<KeyEncryptionKey>)> = None;
        for row in rows {
            let guest = GuestId(row.guest_id);
            let Some(category) = category_of(row).filter(|c| wanted.get(&guest).is_some_and(|w| w.has(*c)))
            else {
                continue;
            };
            let (.., wrapping) = match last.take() {
                Some(last) if (last.0, last.1) == (guest, row.epoch) => last,
                _ => (guest, row.epoch, self.keys.wrapping(guest, row.epoch)),
            };
            let held = wrapping
                .as_ref()
                .map_or(Held::Damaged, |key| open_row(key, row, category));
            entries.entry(guest).or_default().insert(category, held);
            last = Some((guest, row.epoch, wrapping));
        }
        entries
            .into_iter()
            .map(|(guest, entry)| (guest, Arc::new(entry)))
            .collect()
    }

    async fn make_data_keys(
        &self,
        missing: &BTreeMap<GuestId, Categories>,
        asked: &BTreeMap<GuestId, Categories>,
    ) -> Result<HashMap<GuestId, GuestKeys>, KeysError> {
        let since = self.cache.now();
        let now = micros(self.clock.now());
        let mut made = Vec::new();
        for (guest, categories) in missing {
            let (epoch, wrapping) = self.keys.current_wrapping(*guest);
            for category in categories.iter() {
                made.push(DataKeyRow {
                    guest_id: guest.0,
                    category: category.code().into(),
                    version: FIRST.into(),
                    epoch,
                    wrapped: wrapping.wrap(
                        DataKey::random().material(),
                        &context(*guest, category, FIRST).each_ref().map(Vec::as_slice),
                    )?,
                    created_at: now,
                });
            }
        }
        let guests: Vec<GuestId> = missing.keys().copied().collect();
        let mut tx = self.store.begin().await?;
        tx.add_data_keys(&made).await?;
        let rows = tx.data_keys(&guests).await?;
        tx.commit().await?;
        let wanted = guests
            .iter()
            .filter_map(|g| asked.get(g).map(|asked| (*g, *asked)));
        let entries = self.open_rows(&rows, &wanted.collect());
        Ok(entries
            .into_iter()
            .map(|(guest, entry)| {
                self.cache.keep(guest, &entry, since);
                let asked = asked.get(&guest).copied().unwrap_or(Categories::of(&[]));
                (guest, GuestKeys::new(guest, entry, asked))
            })
            .collect())
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

fn category_of(row: &DataKeyRow) -> Option<Category> {
    u8::try_from(row.category).ok().and_then(Category::from_code)
}

/// What a data key is bound to besides the guest's wrapping key.
fn context(guest: GuestId, category: Category, version: u16) -> [Vec<u8>; 4] {
    [
        b"data key".to_vec(),
        guest.0.as_bytes().to_vec(),
        vec![category.code()],
        version.to_be_bytes().to_vec(),
    ]
}

fn open_row(wrapping: &KeyEncryptionKey, row: &DataKeyRow, category: Category) -> Held {
    let opened = u16::try_from(row.version).ok().and_then(|version| {
        let context = context(GuestId(row.guest_id), category, version);
        let key = wrapping
            .unwrap(&row.wrapped, &context.each_ref().map(Vec::as_slice))
            .ok()?;
        Some(Held::Open {
            version,
            key: DataKey::new(key),
        })
    });
    opened.unwrap_or(Held::Damaged)
}
