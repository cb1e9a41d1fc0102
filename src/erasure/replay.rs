//! After a restore: every erasure that the log knows and the restored data does not is done again, and proven; what
//! protects the others holds again.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Caller, Category, GuestId, RequestId, micros},
    guest::GuestError,
};

use super::{
    Eraser, ErasureError,
    due::FOR_THE_REGISTER,
    run::remove_drawers,
    since::{Erased, Since},
};

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
    /// Guests who were one with another in the copy and are two with it again, because one of the two was erased alone.
    pub parted: u64,
    /// Erasures of guests who are not in the copy, while the log tells of records that got a guest of their own. Entries of
    /// older programs do not tell whether it was one of these, whose values are then with the guest that it was parted from.
    pub undecided: u64,
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

impl Eraser {
    /// Does again what the log says was erased since, and proves that nothing of it is left. Who was parted since is to be
    /// parted before: see [`Eraser::parted`] and [`Eraser::strays`].
    ///
    /// # Errors
    /// What database, key store and log say; then nothing may be served.
    pub async fn replay(&self, caller: &Caller, since: &Since) -> Result<Replayed, ErasureError> {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let mut report = Replayed {
            erasures: count(since.erasures()),
            parted: since.parted,
            suppressed: since.protections.suppressed,
            ..Replayed::default()
        };
        let protections = since.protected();
        let mut met = BTreeSet::new();
        let mut after = Uuid::nil();
        loop {
            let guests = self.copied(&mut after).await?;
            if guests.is_empty() {
                break;
            }
            for guest in guests.into_iter().map(|held| held.guest) {
                let erasures = since.of(self, guest);
                if erasures.is_empty() {
                    report.others += 1;
                } else {
                    met.insert(self.tombstone(guest));
                    let mut unregistered = false;
                    for erased in &erasures {
                        unregistered |= !self.again(guest, erased).await?;
                    }
                    report.registers_lost += u64::from(unregistered);
                    let again = erasures.iter().any(|erased| !erased.hidden);
                    report.guests += u64::from(again);
                    report.others += u64::from(!again);
                    report.restricted += u64::from(waits(&erasures));
                    report.left += u64::from(self.is_left(guest, &erasures).await?);
                }
                if let Some(said) = protections.get(&guest) {
                    let again = self.protect(caller, (guest, said)).await?;
                    report.refusals += again.refusals;
                    report.restrictions += u64::from(again.restricted);
                    report.holds += u64::from(again.held);
                }
            }
        }
        report.undecided = count(since.undecided(&met));
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
    async fn is_left(&self, guest: GuestId, erasures: &[&Erased]) -> Result<bool, ErasureError> {
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
fn waits(erasures: &[&Erased]) -> bool {
    let last = erasures.iter().rfind(|erased| erased.hidden || erased.whole);
    last.is_some_and(|erased| erased.hidden)
}
