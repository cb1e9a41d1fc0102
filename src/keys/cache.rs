//! Opened data keys, for a short while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;

use crate::base::GuestId;

use super::guest_keys::Entry;

/// How long an opened key stays usable; also how long another process may still open what this one shredded.
const TTL: Duration = Duration::from_mins(1);
/// The most keys held, about 1 KB each; a guest uses four or so.
const MOST: u64 = 60_000;

/// Bounded in size and time, and told of every destruction.
pub(super) struct KeyCache {
    entries: Cache<GuestId, Arc<Entry>>,
    destructions: AtomicU64,
}

/// Taken before keys are read from the key store; see [`KeyCache::keep`].
#[derive(Clone, Copy)]
pub(super) struct Since(u64);

impl KeyCache {
    pub(super) fn new() -> Self {
        let entries = Cache::builder()
            .max_capacity(MOST)
            .weigher(|_, entry: &Arc<Entry>| u32::try_from(entry.len().max(1)).unwrap_or(u32::MAX))
            .time_to_live(TTL)
            .build();
        Self {
            entries,
            destructions: AtomicU64::new(0),
        }
    }

    pub(super) fn get(&self, guest: GuestId) -> Option<Arc<Entry>> {
        self.entries.get(&guest)
    }

    pub(super) fn now(&self) -> Since {
        Since(self.destructions.load(Ordering::SeqCst))
    }

    /// Keeps what was read since; forgets it at once if any key was destroyed meanwhile, because it may be that one.
    pub(super) fn keep(&self, guest: GuestId, entry: &Arc<Entry>, since: Since) {
        self.entries.insert(guest, Arc::clone(entry));
        if self.destructions.load(Ordering::SeqCst) != since.0 {
            self.entries.invalidate(&guest);
        }
    }

    /// Called once a destruction is committed. The count goes up first: whoever keeps a stale entry afterwards sees
    /// it, and whoever kept it before is evicted here.
    pub(super) fn destroyed(&self, guest: GuestId) {
        self.destructions.fetch_add(1, Ordering::SeqCst);
        self.entries.invalidate(&guest);
        // Without this the removed entry, and so the key, would lie in memory until the cache is next busy.
        self.entries.run_pending_tasks();
    }
}

#[cfg(test)]
mod tests {
    use super::{super::guest_keys::Categories, *};

    fn entry() -> Arc<Entry> {
        Arc::new(Entry::new(Categories::NONE))
    }

    #[test]
    fn keys_read_before_a_destruction_are_not_kept_after_it() {
        let (cache, guest) = (KeyCache::new(), GuestId::random());
        let since = cache.now();
        cache.keep(guest, &entry(), since);
        assert!(cache.get(guest).is_some());
        cache.destroyed(guest);
        assert!(cache.get(guest).is_none());
        cache.keep(guest, &entry(), since);
        assert!(cache.get(guest).is_none());
        cache.keep(guest, &entry(), cache.now());
        assert!(cache.get(guest).is_some());
    }
}
