//! After a restore: every erasure that the log knows and the restored data does not is done again, and proven; what
//! protects the others holds again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    audit::{Act, Event, tlog::Stored},
    base::{Caller, Category, GuestId, RequestId, micros},
    guest::GuestError,
};

use super::{
    Eraser, ErasureError,
    due::FOR_THE_REGISTER,
    protections::{Protections, Told},
    run::remove_drawers,
};

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
    /// Guests whose copies for the guest register were made after the backup and cannot be made again: the keys of what
    /// they were made from are destroyed already in the key store that came with it.
    pub registers_lost: u64,
    /// Guests who are out of sight again because a hold or a law kept some of them from being erased. The restored copy
    /// may not know of the request that waits for it: it is to be opened anew.
    pub restricted: u64,
    /// Refusals of guests after the backup that are in the ledger again.
    pub refusals: u64,
    /// Guests whose restriction was asked for after the backup, and stands again.
    pub restrictions: u64,
    /// Guests on whom a hold was put after the backup: a hold on everything stands in for it.
    pub holds: u64,
    /// Addresses that were put on do-not-contact lists after the backup, once for each list. They are lost: the log does
    /// not hold them.
    pub suppressed: u64,
}

#[derive(Deserialize)]
struct Entry<T> {
    leaf: T,
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
    /// Not an erasure: what one left was put out of sight.
    #[serde(skip)]
    hidden: bool,
}

impl Eraser {
    /// Does again what the log says was erased from entry `from` to its end, and proves that nothing of it is left.
    ///
    /// # Errors
    /// What database, key store and log say; then nothing may be served.
    pub async fn replay(&self, caller: &Caller, from: u64) -> Result<Replayed, ErasureError> {
        let (known, protections) = self.since(from).await?;
        let mut report = Replayed {
            erasures: known
                .values()
                .flatten()
                .map(|erased| u64::from(!erased.hidden))
                .sum(),
            suppressed: protections.suppressed,
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
                        let mut unregistered = false;
                        for erased in erasures {
                            unregistered |= !self.again(guest, erased).await?;
                        }
                        report.registers_lost += u64::from(unregistered);
                        let again = erasures.iter().any(|erased| !erased.hidden);
                        report.guests += u64::from(again);
                        report.others += u64::from(!again);
                        report.restricted += u64::from(waits(erasures));
                        report.left += u64::from(self.is_left(guest, erasures).await?);
                    }
                }
                let again = self.protect(caller, &protections, guest).await?;
                report.refusals += again.refusals;
                report.restrictions += u64::from(again.restricted);
                report.holds += u64::from(again.held);
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

    /// What the log tells from an entry on: the erasures, by tombstone, in order, and what protects guests.
    async fn since(&self, from: u64) -> Result<(BTreeMap<String, Vec<Erased>>, Protections), ErasureError> {
        let log = Stored::new(self.vault.store.clone());
        let size = log.checkpoint().await?.map_or(0, |(size, _)| size);
        let mut known: BTreeMap<String, Vec<Erased>> = BTreeMap::new();
        let mut protections = Protections::default();
        for at in from..size {
            let bytes = log.entry(at).await?;
            if let Ok(Entry { leaf }) = serde_json::from_slice::<Entry<Told>>(&bytes) {
                protections.note(leaf);
            }
            let Ok(Entry { leaf }) = serde_json::from_slice::<Entry<Leaf>>(&bytes) else {
                continue;
            };
            let hidden = leaf.act == Act::Restrict.as_str();
            if (hidden || leaf.act == Act::Erase.as_str())
                && let Some(mut erased) = leaf.erasure
            {
                erased.hidden = hidden;
                known.entry(erased.tombstone.clone()).or_default().push(erased);
            }
        }
        Ok((known, protections))
    }

    /// One erasure again, on data that does not know of it; `false` when the register's copies are lost.
    async fn again(&self, guest: GuestId, erased: &Erased) -> Result<bool, ErasureError> {
        let vault = &self.vault;
        let now = micros(vault.clock.now());
        if erased.hidden {
            self.hide(guest, now).await?;
            return Ok(true);
        }
        let source = erased
            .categories
            .iter()
            .any(|category| FOR_THE_REGISTER.contains(category));
        let register = source && !erased.categories.contains(&Category::Statutory);
        let opens = self.opens(guest).await?;
        let copies = if register && opens {
            self.copies(guest).await?
        } else {
            Vec::new()
        };
        let lost = register && !opens && self.lacks_register(guest).await?;
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
        Ok(!lost)
    }

    /// Puts what an erasure left of a guest out of sight again; who is merged is in nobody's sight anyway.
    async fn hide(&self, guest: GuestId, now: i64) -> Result<(), ErasureError> {
        let store = &self.vault.store;
        let head = store.read().await?.guest_head(guest).await?;
        if head.is_some_and(|(_, status, _)| status == "active") {
            let mut tx = store.begin().await?;
            tx.set_fate(guest, "restricted", now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Whether there is a key for all that is stored of a guest.
    async fn opens(&self, guest: GuestId) -> Result<bool, ErasureError> {
        let vault = &self.vault;
        let keys = vault.keys.fresh_guest_keys(guest, &Category::ALL).await?;
        let mut conn = vault.store.read().await?;
        let values = conn.stored_values(guest).await?;
        let stays = conn.stays(guest).await?;
        drop(conn);
        let policy = vault.policies.current();
        let drawer = |field: &str| policy.catalogue().find(field).map(|(_, field)| field.category);
        let mut needed = values.iter().filter_map(|value| drawer(&value.field));
        Ok((stays.is_empty() || keys.has(Category::Stay)) && needed.all(|category| keys.has(category)))
    }

    /// Whether the register had a copy, as its key tells, that the restored data do not have.
    async fn lacks_register(&self, guest: GuestId) -> Result<bool, ErasureError> {
        let vault = &self.vault;
        let keys = vault.keys.fresh_guest_keys(guest, &[Category::Statutory]).await?;
        let rows = vault.store.read().await?.register(guest).await?;
        Ok(keys.has(Category::Statutory) && rows.is_empty())
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

/// Whether a guest was put out of sight and not erased as a whole since.
fn waits(erasures: &[Erased]) -> bool {
    let last = erasures.iter().rfind(|erased| erased.hidden || erased.whole);
    last.is_some_and(|erased| erased.hidden)
}
