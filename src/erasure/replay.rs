//! After a restore: every erasure that the log knows and the restored data does not is done again, and proven.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    audit::{Act, Event, tlog::Stored},
    base::{Caller, Category, GuestId, RequestId, micros},
    guest::GuestError,
};

use super::{Eraser, ErasureError, run::remove_drawers};

/// Guests looked at at a time.
const PAGE: i64 = 500;

/// What a replay did, and what was left afterwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Erasures that the log knows after the backup.
    pub erasures: u64,
    /// Guests that were erased again, wholly or in part.
    pub guests: u64,
    /// Guests of these whose data still has a key or a row: none, or nothing may be served.
    pub left: u64,
    /// Guests that are there.
    pub others: u64,
}

#[derive(Deserialize)]
struct Entry {
    leaf: Leaf,
}

#[derive(Deserialize)]
struct Leaf {
    act: String,
    #[serde(default)]
    erasure: Option<Erased>,
}

#[derive(Deserialize)]
struct Erased {
    case: Uuid,
    categories: Vec<Category>,
    tombstone: String,
    whole: bool,
}

impl Eraser {
    /// Does again what the log says was erased from entry `from` to its end, and proves that nothing of it is left.
    ///
    /// # Errors
    /// What database, key store and log say; then nothing may be served.
    pub async fn replay(&self, caller: &Caller, from: u64) -> Result<Replayed, ErasureError> {
        let known = self.tombstones(from).await?;
        let mut report = Replayed {
            erasures: known
                .values()
                .map(|all| u64::try_from(all.len()).unwrap_or(0))
                .sum(),
            ..Replayed::default()
        };
        let mut after = Uuid::nil();
        loop {
            let guests = self
                .vault
                .store
                .read()
                .await?
                .guests_with_status(after, PAGE)
                .await?;
            let Some((last, _)) = guests.last() else { break };
            after = *last;
            for (guest, _) in guests {
                let guest = GuestId(guest);
                match known.get(&self.tombstone(guest)) {
                    None => report.others += 1,
                    Some(erasures) => {
                        for erased in erasures {
                            self.again(guest, erased).await?;
                        }
                        report.guests += 1;
                        report.left += u64::from(self.is_left(guest, erasures).await?);
                    }
                }
            }
        }
        self.vault.keys.scrub().await?;
        self.vault.store.scrub(&[]).await?;
        let mut event = Event::by(caller, Act::Restore, RequestId::random(), self.vault.clock.now());
        event.count = Some(report.guests);
        event.outcome = Some(if report.left == 0 {
            "replayed"
        } else {
            "not_replayed"
        });
        self.vault.log.record(event, ()).await.map_err(GuestError::from)?;
        Ok(report)
    }

    /// The erasures of the log from an entry on, by tombstone, in order.
    async fn tombstones(&self, from: u64) -> Result<BTreeMap<String, Vec<Erased>>, ErasureError> {
        let log = Stored::new(self.vault.store.clone());
        let size = log.checkpoint().await?.map_or(0, |(size, _)| size);
        let mut known: BTreeMap<String, Vec<Erased>> = BTreeMap::new();
        for at in from..size {
            let bytes = log.entry(at).await?;
            let Ok(Entry { leaf }) = serde_json::from_slice(&bytes) else {
                continue;
            };
            if leaf.act == Act::Erase.as_str()
                && let Some(erased) = leaf.erasure
            {
                known.entry(erased.tombstone.clone()).or_default().push(erased);
            }
        }
        Ok(known)
    }

    /// One erasure again, on data that does not know of it.
    async fn again(&self, guest: GuestId, erased: &Erased) -> Result<(), ErasureError> {
        let vault = &self.vault;
        let now = micros(vault.clock.now());
        let register = erased.whole && !erased.categories.contains(&Category::Statutory);
        let copies = if register {
            self.copies(guest).await?
        } else {
            Vec::new()
        };
        if !copies.is_empty() {
            let mut tx = vault.store.begin().await?;
            for (id, sealed) in &copies {
                tx.add_register_entry(guest, *id, sealed, now).await?;
            }
            tx.commit().await?;
        }
        vault.keys.destroy(guest, Some(&erased.categories)).await?;
        let mut tx = vault.store.begin().await?;
        if erased.whole {
            tx.remove_guest(guest, now).await?;
        } else {
            remove_drawers(
                &mut tx,
                vault.policies.current().catalogue(),
                guest,
                &erased.categories,
            )
            .await?;
            tx.bump_guest(guest, now).await?;
        }
        if erased.categories.contains(&Category::Statutory) {
            tx.remove_rows(guest, "register_entry").await?;
        }
        tx.commit().await?;
        tracing::info!(case = %erased.case, "an erasure was done again");
        Ok(())
    }

    /// Whether a key or a value of what was erased is there.
    async fn is_left(&self, guest: GuestId, erasures: &[Erased]) -> Result<bool, ErasureError> {
        let keys = self.vault.keys.fresh_guest_keys(guest, &Category::ALL).await?;
        let mut doomed = erasures.iter().flat_map(|erased| &erased.categories);
        if doomed.any(|category| keys.has(*category)) {
            return Ok(true);
        }
        if !erasures.iter().any(|erased| erased.whole) {
            return Ok(false);
        }
        let mut conn = self.vault.store.read().await?;
        let gone = conn
            .guest_head(guest)
            .await?
            .is_some_and(|(_, status, _)| status == "erased");
        Ok(!gone || !conn.stored_values(guest).await?.is_empty() || !conn.stays(guest).await?.is_empty())
    }
}
