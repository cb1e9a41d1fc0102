//! The keys of the tokens that look-alikes share. While they are exchanged two are read at once, so that everybody is
//! found at each moment; from then on the older makes nothing and is not read.
//!
//! The first version is the index key itself; it goes on making the tokens of exact look-ups, which outlive guests
//! (who asked not to be contacted) and so cannot be made anew.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use chrono::TimeDelta;
use serde::Serialize;

use crate::{base::micros, crypto::IndexKey};

use super::{
    Keyring, KeysError, Purpose, RootKeyProvider,
    hierarchy::{FIRST, make_one, newest, unwrap_one, wrap_one},
    sql::VaultKeyRow,
};

/// How long what is known of these keys is good enough, in microseconds.
const GOOD_FOR: i64 = 30_000_000;
/// From when on a new key makes tokens: by then every instance reads with it, also one whose clock is half a minute off.
const WRITES_AFTER: i64 = 90_000_000;
/// From when on tokens of the older key are made anew: by then no instance makes any.
const REPLACES_AFTER: i64 = 150_000_000;

/// A key that makes tokens, and since when it is known, in microseconds.
struct Version {
    since: i64,
    key: Arc<IndexKey>,
}

/// The keys that are read with; without any, the index key is the only one.
#[derive(Default)]
pub(super) struct Ring(BTreeMap<i64, Version>);

impl Ring {
    /// The rows of the key store that are not retired, opened. What is known stays open, also when another root key wraps
    /// it meanwhile.
    pub(super) async fn open(
        provider: &dyn RootKeyProvider,
        rows: &[VaultKeyRow],
        known: &Self,
    ) -> Result<Self, KeysError> {
        let mut ring = BTreeMap::new();
        let live = rows
            .iter()
            .filter(|row| row.purpose == Purpose::Matching.as_str() && row.retired_at.is_none());
        for row in live {
            let since = row.created_at;
            let key = match known.0.get(&row.version) {
                Some(version) if version.since == since => Arc::clone(&version.key),
                _ => Arc::new(IndexKey::new(unwrap_one(provider, Purpose::Matching, row).await?)),
            };
            ring.insert(row.version, Version { since, key });
        }
        Ok(Self(ring))
    }
}

/// The keys as they are known at a moment.
pub struct MatchingKeys<'k> {
    first: &'k IndexKey,
    ring: Arc<Ring>,
    now: i64,
}

impl MatchingKeys<'_> {
    /// The version that makes tokens.
    #[must_use]
    pub fn written(&self) -> i64 {
        let old_enough = |(_, key): &(&i64, &Version)| self.now - key.since >= WRITES_AFTER;
        let mut newest = self.ring.0.iter().rev().filter(old_enough);
        let oldest = || self.ring.0.first_key_value();
        newest
            .next()
            .or_else(oldest)
            .map_or(FIRST, |(version, _)| *version)
    }

    /// The others that are read.
    pub fn others(&self) -> impl Iterator<Item = i64> + '_ {
        let written = self.written();
        self.ring
            .0
            .keys()
            .copied()
            .filter(move |version| *version != written)
    }

    /// The token of a value by the key of a version that is read.
    #[must_use]
    pub fn token(&self, version: i64, kind: &str, value: &[u8]) -> [u8; 16] {
        let key = self
            .ring
            .0
            .get(&version)
            .map_or(self.first, |version| &*version.key);
        key.token(kind, value)
    }
}

/// An exchange of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// The new version.
    pub version: i64,
    /// Since when it is known, in microseconds.
    pub since: i64,
    /// From when on tokens may be made anew, in microseconds.
    pub from: i64,
}

impl Keyring {
    /// The keys as they are known; half a minute old at most.
    ///
    /// # Errors
    /// When the key store cannot be reached, or a key does not open.
    pub async fn matching_keys(&self) -> Result<MatchingKeys<'_>, KeysError> {
        let now = micros(self.clock.now());
        let at = self.matching_at.load(Ordering::Relaxed);
        if at == i64::MIN || now.saturating_sub(at) > GOOD_FOR || at > now {
            let rows = self.store.read().await?.vault_keys().await?;
            self.learn_matching(&rows).await?;
            // Only what was learnt counts as known: after an error the next caller asks again.
            self.matching_at.store(now, Ordering::Relaxed);
        }
        Ok(self.known_matching_keys())
    }

    /// The same as last known, for what cannot wait; [`Keyring::matching_keys`] was asked just before.
    #[must_use]
    pub fn known_matching_keys(&self) -> MatchingKeys<'_> {
        MatchingKeys {
            first: &self.keys.index,
            ring: self.matching.load_full(),
            now: micros(self.clock.now()),
        }
    }

    async fn learn_matching(&self, rows: &[VaultKeyRow]) -> Result<(), KeysError> {
        let known = self.matching.load_full();
        let ring = self.current(Ring::open(&*self.provider, rows, &known).await)?;
        self.matching.store(Arc::new(ring));
        Ok(())
    }

    async fn forget_matching(&self) -> Result<(), KeysError> {
        self.matching_at.store(i64::MIN, Ordering::Relaxed);
        self.matching_keys().await.map(drop)
    }

    /// The exchange that is under way, if any.
    ///
    /// # Errors
    /// As [`Keyring::matching_keys`].
    pub async fn matching_exchange(&self) -> Result<Option<Exchange>, KeysError> {
        self.forget_matching().await?;
        let ring = self.matching.load_full();
        let newest = ring.0.last_key_value().filter(|_| ring.0.len() > 1);
        Ok(newest.map(|(version, key)| Exchange {
            version: *version,
            since: key.since,
            from: key.since.saturating_add(REPLACES_AFTER),
        }))
    }

    /// The newest version, also while it makes nothing yet.
    #[must_use]
    pub fn newest_matching_version(&self) -> i64 {
        self.matching
            .load()
            .0
            .last_key_value()
            .map_or(FIRST, |(version, _)| *version)
    }

    /// Begins an exchange, or finds the one that is under way.
    ///
    /// # Errors
    /// When the key store or the root key cannot be had.
    pub async fn begin_matching_exchange(&self) -> Result<Exchange, KeysError> {
        if let Some(exchange) = self.matching_exchange().await? {
            return Ok(exchange);
        }
        let now = micros(self.clock.now());
        let rows = self.store.read().await?.vault_keys().await?;
        let mut new = Vec::new();
        let purpose = Purpose::Matching.as_str();
        let all = rows.iter().filter(|row| row.purpose == purpose);
        let version = all.map(|row| row.version).max().unwrap_or(FIRST);
        if version == FIRST {
            let index = self.current(newest(&*self.provider, &rows, Purpose::Index).await)?;
            let index = index.ok_or_else(|| KeysError::damaged(Purpose::Index, FIRST, "is missing"))?;
            new.push(wrap_one(&*self.provider, (Purpose::Matching, FIRST), &index, now).await?);
        }
        new.push(make_one(&*self.provider, (Purpose::Matching, version + 1), now).await?);
        let mut tx = self.begin_adding().await?;
        // Of two at once, one's key is stored.
        tx.add_vault_keys(&new).await?;
        tx.commit().await?;
        let begun = self.matching_exchange().await?;
        begun.ok_or_else(|| KeysError::damaged(Purpose::Matching, version + 1, "is missing"))
    }

    /// Ends an exchange: nothing is read with older keys any more. Keys retired so long ago that no backup of the data
    /// needs them here are destroyed.
    ///
    /// # Errors
    /// When the key store cannot be reached or written.
    pub async fn end_matching_exchange(&self, version: i64, kept_for: TimeDelta) -> Result<(), KeysError> {
        let purpose = Purpose::Matching.as_str();
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        tx.retire_vault_keys(purpose, version, micros(now)).await?;
        for old in tx.retired_vault_keys(purpose, micros(now - kept_for)).await? {
            tx.drop_vault_key(purpose, old).await?;
        }
        tx.commit().await?;
        self.forget_matching().await?;
        self.store.scrub(&["vault_key"]).await?;
        Ok(())
    }
}
