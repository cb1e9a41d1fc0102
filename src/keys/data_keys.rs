//! Data keys: found, made and opened.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering},
};

use crate::{
    base::{Category, GuestId, micros},
    crypto::{DataKey, KeyEncryptionKey},
    store::StoreError,
};

use super::{
    GuestKeys, Keyring, KeysError,
    cache::Since,
    guest_keys::{Categories, Entry, Held},
    hierarchy::Epochs,
    sql::DataKeyRow,
};

/// The version of a data key until rotation makes another.
const FIRST: u16 = 1;

/// What is asked of each guest.
type Wanted = BTreeMap<GuestId, Categories>;
type Found = HashMap<GuestId, Arc<Entry>>;

/// Keys that were made up and are not durable yet. Wiped with the last of those who use them.
pub struct Minted {
    rows: Vec<DataKeyRow>,
    wanted: Wanted,
    found: Found,
    since: Since,
}

impl Minted {
    /// The keys of each guest.
    pub fn keys(&self) -> impl Iterator<Item = (GuestId, GuestKeys)> + '_ {
        let each = self.wanted.iter();
        each.map(|(guest, asked)| (*guest, pick(&self.found, *guest, *asked)))
    }
}

impl Keyring {
    /// The data keys of a guest for some categories, from the cache or by one query; what does not exist is absent.
    ///
    /// For up to a minute this may miss a key that another process has made. Whoever holds a value whose key is
    /// absent here asks once more by [`Keyring::fresh_guest_keys`] before calling it lost.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn guest_keys(&self, guest: GuestId, categories: &[Category]) -> Result<GuestKeys, KeysError> {
        let asked = Categories::of(categories);
        match self.cached(guest, asked) {
            Some(entry) => Ok(GuestKeys::new(guest, entry, asked)),
            // Boxed, so that the usual case does not carry the room of a query through every caller.
            None => Box::pin(self.fresh_guest_keys(guest, categories)).await,
        }
    }

    /// [`Keyring::guest_keys`] past the cache.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn fresh_guest_keys(
        &self,
        guest: GuestId,
        categories: &[Category],
    ) -> Result<GuestKeys, KeysError> {
        let asked = Categories::of(categories);
        let found = self.load(&Wanted::from([(guest, asked)])).await?;
        Ok(pick(&found, guest, asked))
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
        let mut found = Found::with_capacity(guests.len());
        let mut missed = Wanted::new();
        for guest in guests {
            match self.cached(*guest, asked) {
                Some(entry) => {
                    found.insert(*guest, entry);
                }
                None => {
                    missed.insert(*guest, asked);
                }
            }
        }
        found.extend(self.load(&missed).await?);
        let each = guests.iter().map(|guest| (*guest, pick(&found, *guest, asked)));
        Ok(each.collect())
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
        let asked = Categories::of(categories);
        let found = self.ensure(&Wanted::from([(guest, asked)])).await?;
        Ok(pick(&found, guest, asked))
    }

    /// [`Keyring::ensure_guest_keys`] of many guests that are there, in one transaction.
    ///
    /// # Errors
    /// When the key store cannot be reached or written; [`KeysError::NoDataKey`] for a guest that has lost the key that
    /// each has from its first record on: its other keys are made by nobody, or what they sealed could never be opened
    /// again. Then no key was made.
    pub async fn ensure_many(
        &self,
        wanted: &[(GuestId, Vec<Category>)],
    ) -> Result<HashMap<GuestId, GuestKeys>, KeysError> {
        let mut all = Wanted::new();
        for (guest, categories) in wanted {
            let asked = all.entry(*guest).or_insert(Categories::NONE);
            *asked = asked.union(Categories::of(categories));
        }
        let found = self.load(&with_audit(&all)).await?;
        for guest in all.keys() {
            let audit = |entry: &Arc<Entry>| entry.categories().has(Category::Audit);
            if !found.get(guest).is_some_and(audit) {
                let (guest, category) = (*guest, Category::Audit);
                return Err(KeysError::NoDataKey { guest, category });
            }
        }
        let found = self.make_missing(found, &all).await?;
        let each = all
            .iter()
            .map(|(guest, asked)| (*guest, pick(&found, *guest, *asked)));
        Ok(each.collect())
    }

    /// Makes up the keys of guests that nobody else can know of yet. They may seal at once; nothing that they sealed
    /// may be kept before [`Keyring::keep_minted`] has made them durable.
    ///
    /// # Errors
    /// When they cannot be wrapped.
    pub fn mint(&self, wanted: &[(GuestId, Vec<Category>)]) -> Result<Minted, KeysError> {
        let all: Wanted = wanted
            .iter()
            .map(|(guest, categories)| (*guest, Categories::of(categories)))
            .collect();
        let since = self.cache.now();
        let mut found = Found::with_capacity(all.len());
        let rows = self.new_rows(&all, &mut found)?;
        Ok(Minted {
            rows,
            wanted: all,
            found,
            since,
        })
    }

    /// Stores keys that were made up, in one transaction: nothing is looked for first.
    ///
    /// # Errors
    /// When the key store cannot be written; then no key was made.
    pub async fn keep_minted(&self, minted: &Minted) -> Result<(), KeysError> {
        if minted.rows.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let added = tx.add_data_keys(&minted.rows).await;
        if let Err(error) = added {
            drop(tx);
            return Err(self.not_added(error).await);
        }
        tx.commit().await?;
        for (guest, entry) in &minted.found {
            self.cache.keep(*guest, entry, minted.since);
        }
        Ok(())
    }

    /// The categories of these guests whose stored keys do not open.
    ///
    /// # Errors
    /// When the key store cannot be reached.
    pub async fn damaged_keys(&self, guests: &[GuestId]) -> Result<Vec<(GuestId, Category)>, KeysError> {
        let all = Categories::of(&Category::ALL);
        let rows = self.store.read().await?.data_keys(guests).await?;
        self.know_epochs(&rows).await?;
        let found = self.open_rows(&rows, &guests.iter().map(|guest| (*guest, all)).collect());
        let mut damaged: Vec<_> = found
            .iter()
            .flat_map(|(guest, entry)| entry.damaged().map(|category| (*guest, category)))
            .collect();
        damaged.sort_unstable();
        Ok(damaged)
    }

    /// The cached entry, if all that is asked was looked for.
    fn cached(&self, guest: GuestId, asked: Categories) -> Option<Arc<Entry>> {
        self.cache
            .get(guest)
            .filter(|entry| asked.without(entry.looked()).is_empty())
    }

    /// Reads and opens keys, past the cache, and keeps them there.
    async fn load(&self, wanted: &Wanted) -> Result<Found, KeysError> {
        if wanted.is_empty() {
            return Ok(Found::new());
        }
        let since = self.cache.now();
        // What was cached is read again too, so that no key outlives its time by being asked for in company.
        let wanted: Wanted = wanted
            .iter()
            .map(|(guest, asked)| {
                let known = self
                    .cache
                    .get(*guest)
                    .map_or(Categories::NONE, |entry| entry.looked());
                (*guest, asked.union(known))
            })
            .collect();
        let guests: Vec<GuestId> = wanted.keys().copied().collect();
        let rows = self.store.read().await?.data_keys(&guests).await?;
        self.know_epochs(&rows).await?;
        let found = self.open_rows(&rows, &wanted);
        for (guest, entry) in &found {
            self.cache.keep(*guest, entry, since);
        }
        Ok(found)
    }

    /// Past the cache: a value sealed under a key that another process has destroyed would be lost.
    async fn ensure(&self, wanted: &Wanted) -> Result<Found, KeysError> {
        let found = self.load(wanted).await?;
        self.make_missing(found, wanted).await
    }

    async fn make_missing(&self, mut found: Found, wanted: &Wanted) -> Result<Found, KeysError> {
        let missing: Wanted = wanted
            .iter()
            .map(|(guest, asked)| {
                let there = found
                    .get(guest)
                    .map_or(Categories::NONE, |entry| entry.categories());
                (*guest, asked.without(there))
            })
            .filter(|(_, missing)| !missing.is_empty())
            .collect();
        if !missing.is_empty() {
            let asked = wanted.iter().filter(|(guest, _)| missing.contains_key(guest));
            let asked = asked.map(|(guest, asked)| (*guest, *asked)).collect();
            found.extend(self.make(&missing, &asked).await?);
        }
        Ok(found)
    }

    /// Makes the missing keys, and reads back what counts of all that is asked.
    async fn make(&self, missing: &Wanted, asked: &Wanted) -> Result<Found, KeysError> {
        let since = self.cache.now();
        let guests: Vec<GuestId> = missing.keys().copied().collect();
        let new = self.new_rows(missing, &mut Found::new())?;
        let mut tx = self.store.begin().await?;
        if let Err(error) = tx.add_data_keys(&new).await {
            drop(tx);
            return Err(self.not_added(error).await);
        }
        let rows = tx.data_keys(&guests).await?;
        tx.commit().await?;
        self.know_epochs(&rows).await?;
        let found = self.open_rows(&rows, asked);
        for (guest, entry) in &found {
            self.cache.keep(*guest, entry, since);
        }
        Ok(found)
    }

    /// Another process may have begun an epoch since this one started.
    async fn know_epochs(&self, rows: &[DataKeyRow]) -> Result<(), KeysError> {
        let known = self.epochs.load();
        if rows.iter().all(|row| known.wrapping_is_known(row.epoch)) {
            return Ok(());
        }
        drop(known);
        Box::pin(self.refresh()).await
    }

    /// Why new keys were not added. When the key of their epoch was destroyed, a newer one has begun long ago: what can
    /// open it learns of it here and may try again.
    async fn not_added(&self, error: StoreError) -> KeysError {
        if !error.lacks_value() {
            return error.into();
        }
        match Box::pin(self.refresh()).await {
            Ok(()) => StoreError::Again.into(),
            Err(error) => error,
        }
    }

    /// New keys, wrapped, in the order of guest and category; and open, into `found`. None by a process that cannot know
    /// for how long they would open.
    fn new_rows(&self, missing: &Wanted, found: &mut Found) -> Result<Vec<DataKeyRow>, KeysError> {
        if self.outdated.load(Ordering::Relaxed) {
            return Err(KeysError::Outdated);
        }
        let now = micros(self.clock.now());
        let mut rows = Vec::new();
        let epochs = self.epochs.load();
        for (guest, categories) in missing {
            let (epoch, wrapping) = epochs.current_wrapping(*guest);
            let mut entry = Entry::new(*categories);
            for category in categories.iter() {
                let context = context(*guest, category, FIRST);
                let context = context.each_ref().map(Vec::as_slice);
                let key = DataKey::random();
                rows.push(DataKeyRow {
                    guest_id: guest.0,
                    category: category.code().into(),
                    version: FIRST.into(),
                    epoch,
                    wrapped: wrapping.wrap(key.material(), &context)?,
                    created_at: now,
                });
                let version = FIRST;
                entry.insert(category, Held::Open { version, key });
            }
            found.insert(*guest, Arc::new(entry));
        }
        Ok(rows)
    }

    /// Opens the wanted ones of the rows.
    fn open_rows(&self, rows: &[DataKeyRow], wanted: &Wanted) -> Found {
        let mut entries: HashMap<GuestId, Entry> = wanted
            .iter()
            .map(|(guest, asked)| (*guest, Entry::new(*asked)))
            .collect();
        let epochs = self.epochs.load();
        // The rows of a guest mostly come together: its wrapping key is derived once.
        let mut last: Option<(GuestId, i64, Option<KeyEncryptionKey>)> = None;
        for row in rows {
            let guest = GuestId(row.guest_id);
            let category = u8::try_from(row.category).ok().and_then(Category::from_code);
            let (Some(entry), Some(category)) = (entries.get_mut(&guest), category) else {
                continue;
            };
            if !entry.looked().has(category) {
                continue;
            }
            let (.., wrapping) = match last.take() {
                Some(last) if (last.0, last.1) == (guest, row.epoch) => last,
                _ => (guest, row.epoch, epochs.wrapping(guest, row.epoch)),
            };
            let held = wrapping
                .as_ref()
                .map_or(Held::Damaged, |key| open(key, row, category));
            entry.insert(category, held);
            last = Some((guest, row.epoch, wrapping));
        }
        entries
            .into_iter()
            .map(|(guest, entry)| (guest, Arc::new(entry)))
            .collect()
    }
}

/// The same, and of each guest the category that it has from its first record on.
fn with_audit(wanted: &Wanted) -> Wanted {
    let audit = Categories::of(&[Category::Audit]);
    let each = wanted.iter();
    each.map(|(guest, asked)| (*guest, asked.union(audit))).collect()
}

fn pick(found: &Found, guest: GuestId, asked: Categories) -> GuestKeys {
    let entry = found.get(&guest).map(Arc::clone);
    GuestKeys::new(guest, entry.unwrap_or_else(|| Arc::new(Entry::new(asked))), asked)
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

/// A data key wrapped in the present epoch; `None` when it does not open.
pub(super) fn rewrapped(epochs: &Epochs, row: &DataKeyRow) -> Result<Option<Vec<u8>>, KeysError> {
    let guest = GuestId(row.guest_id);
    let category = u8::try_from(row.category).ok().and_then(Category::from_code);
    let (Some(category), Ok(version)) = (category, u16::try_from(row.version)) else {
        return Ok(None);
    };
    let context = context(guest, category, version);
    let context = context.each_ref().map(Vec::as_slice);
    let old = epochs.wrapping(guest, row.epoch);
    let Some(key) = old.and_then(|old| old.unwrap(&row.wrapped, &context).ok()) else {
        return Ok(None);
    };
    let (_, wrapping) = epochs.current_wrapping(guest);
    Ok(Some(wrapping.wrap(&key, &context)?))
}

fn open(wrapping: &KeyEncryptionKey, row: &DataKeyRow, category: Category) -> Held {
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
