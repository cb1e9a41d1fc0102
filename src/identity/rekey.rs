//! The tokens of look-alikes made anew by another key while the vault runs. Both keys are read until the last token of
//! the old one is gone, so everybody is found at each moment; what is cut off goes on where it was.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::TimeDelta;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Errand, RecordId, micros},
    guest::{
        GuestError, Vault,
        likeness::{PARTS, Probe},
        sql::Rows,
    },
    keys::MatchingKeys,
    matching::Person,
    store::StoreError,
};

use super::sql::rekey::TokenRow;

/// Guests of one step.
const STEP: i64 = 64;
/// How often a step is tried again when other writers were faster.
const TRIES: usize = 20;

/// An exchange of the key that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rekey {
    /// The new version.
    pub version: i64,
    /// From when on tokens may be made anew, in microseconds: by then every instance reads with the new key.
    pub from: i64,
    /// Guests that are done.
    pub guests: i64,
}

impl Vault {
    /// Begins to exchange the key, or finds the exchange that was cut off.
    ///
    /// # Errors
    /// When store, keys or log fail.
    pub async fn begin_rekey(&self, errand: &Errand) -> Result<Rekey, GuestError> {
        let under_way = self.keys.matching_exchange().await?;
        let newest = self.keys.newest_matching_version();
        let left = !self.store.read().await?.guests_left(newest, 1).await?.is_empty();
        let (version, from) = match under_way {
            Some(exchange) => (exchange.version, exchange.from),
            // Data restored from a backup older than the last exchange: its tokens are made anew by the key there is.
            None if left => (newest, i64::MIN),
            None => {
                self.note_rekey(errand, "matching_key_begun", None).await?;
                let exchange = self.keys.begin_matching_exchange().await?;
                (exchange.version, exchange.from)
            }
        };
        let progress = self.store.read().await?.rekey_progress(version).await?;
        let guests = progress.map_or(0, |(_, guests)| guests);
        Ok(Rekey {
            version,
            from,
            guests,
        })
    }

    /// Makes the tokens of some guests anew; how many are done, or `None` when no token of another version is left.
    ///
    /// # Errors
    /// [`GuestError::Blocked`] before [`Rekey::from`]; when store or keys fail: then the step is made again.
    pub async fn rekey_step(&self, rekey: &Rekey) -> Result<Option<i64>, GuestError> {
        if micros(self.clock.now()) < rekey.from {
            return Err(GuestError::Blocked(
                "not every instance reads with the new key yet".to_owned(),
            ));
        }
        let mut tries = 0;
        loop {
            match self.try_rekey_step(rekey.version).await {
                Err(error) if error.is_transient() && tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    /// Ends the exchange: the old key is read no more. Keys retired for so long are destroyed.
    ///
    /// # Errors
    /// [`GuestError::Blocked`] while tokens of other versions are left; when store, keys or log fail.
    pub async fn end_rekey(
        &self,
        errand: &Errand,
        rekey: &Rekey,
        kept_for: TimeDelta,
    ) -> Result<(), GuestError> {
        if !self
            .store
            .read()
            .await?
            .guests_left(rekey.version, 1)
            .await?
            .is_empty()
        {
            return Err(GuestError::Blocked("tokens of the old key are left".to_owned()));
        }
        self.keys.end_matching_exchange(rekey.version, kept_for).await?;
        let progress = self.store.read().await?.rekey_progress(rekey.version).await?;
        let guests = progress.map_or(0, |(_, guests)| guests);
        let mut tx = self.store.begin().await?;
        tx.end_rekey(rekey.version, micros(self.clock.now())).await?;
        tx.commit().await?;
        self.note_rekey(errand, "matching_key_ended", Some(guests)).await
    }

    async fn note_rekey(
        &self,
        errand: &Errand,
        outcome: &'static str,
        guests: Option<i64>,
    ) -> Result<(), GuestError> {
        let mut event = Event::of(errand, Act::ManageKeys, self.clock.now());
        event.outcome = Some(outcome);
        event.count = guests.and_then(|guests| u64::try_from(guests).ok());
        self.log.record(event, ()).await?;
        Ok(())
    }

    async fn try_rekey_step(&self, version: i64) -> Result<Option<i64>, GuestError> {
        let mut conn = self.store.read().await?;
        let (after, done) = conn.rekey_progress(version).await?.unwrap_or((Uuid::nil(), 0));
        let mut guests = conn.guests_to_rekey(after, version, STEP).await?;
        let mut upto = guests.last().map_or(after, |guest| guest.0);
        if guests.is_empty() {
            // Whom a merge or another writer moved behind the walk.
            guests = conn.guests_left(version, STEP).await?;
            upto = after;
        }
        if guests.is_empty() {
            return Ok(None);
        }
        let heads = conn.guest_heads(&guests).await?;
        let rows = conn.likeness_of(&guests, &PARTS).await?;
        let mut stored = HashMap::new();
        for guest in &guests {
            stored.insert(*guest, conn.tokens_of(*guest).await?);
        }
        drop(conn);
        let people = self.people_by_record(&guests, rows).await?;
        let with = self.keys.matching_keys().await?;
        let mut tx = self.store.begin().await?;
        let (mut rows, mut changed) = (Rows::default(), 0);
        for guest in &guests {
            if let Some((head, ..)) = heads.get(guest)
                && !tx.hold_guest(*guest, *head).await?
            {
                // Another writer was faster: with the next step.
                return Err(StoreError::Stale.into());
            }
            tx.drop_old_tokens(*guest, version).await?;
            let Some(records) = people.get(guest).filter(|_| heads.contains_key(guest)) else {
                continue;
            };
            let own = stored.get(guest).map(Vec::as_slice).unwrap_or_default();
            for (record, person) in records {
                let tokens = renewed(
                    &with,
                    version,
                    person,
                    own.iter().filter(|row| row.record_id == *record),
                );
                rows.likeness((*guest, RecordId(*record)), version, tokens);
            }
            changed += 1;
        }
        let now = micros(self.clock.now());
        tx.set_rekey(version, (upto, done + changed), now).await?;
        tx.write(rows).await?;
        tx.commit().await?;
        Ok(Some(done + changed))
    }
}

/// The tokens of a record by the new key, of those that it has by the old one: what too many share stays unwritten.
fn renewed<'r>(
    with: &MatchingKeys<'_>,
    version: i64,
    person: &Person,
    stored: impl Iterator<Item = &'r TokenRow>,
) -> Vec<[u8; 16]> {
    let old: BTreeSet<[u8; 16]> = stored
        .filter(|row| row.key_version != version)
        .filter_map(|row| row.token.as_slice().try_into().ok())
        .collect();
    if old.is_empty() {
        return Vec::new();
    }
    let probe = Probe::new(with, person.clone());
    // Which of its tokens, by any key, is the new one.
    let mut new_of: BTreeMap<[u8; 16], [u8; 16]> = BTreeMap::new();
    let mut all = Vec::new();
    for keyed in &probe.keys {
        let kind = Probe::token_kind(&keyed.key);
        let new = with.token(version, &kind, keyed.key.value.as_bytes());
        all.push(new);
        for token in keyed.others.iter().chain([&keyed.token]) {
            new_of.insert(*token, new);
        }
    }
    if old.iter().all(|token| new_of.contains_key(token)) {
        old.iter()
            .filter_map(|token| new_of.get(token).copied())
            .collect()
    } else {
        // Made by a key that is gone, or from another normal form: whether too many share them is not known.
        all
    }
}
