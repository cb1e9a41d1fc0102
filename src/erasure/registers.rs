//! Register entries whose time is over.

use uuid::Uuid;

use crate::{
    access::operator,
    audit::{Act, Event},
    base::{Category, GuestId, RequestId},
    guest::GuestError,
    retention::RegisterEntry,
};

use super::{Eraser, ErasureError, Order};

/// Guests looked at at a time.
const PAGE: i64 = 500;

impl Eraser {
    /// Erases the register's copy of guests none of whose entries has to be kept any longer. Returns how many guests.
    ///
    /// # Errors
    /// What database and key store say; the rest waits for the next time.
    pub async fn sweep_registers(&self) -> Result<u64, ErasureError> {
        let vault = &self.vault;
        let caller = operator().map_err(|_| GuestError::Forbidden)?;
        let today = vault.clock.now().date_naive();
        let mut after = Uuid::nil();
        let mut swept = 0;
        loop {
            let guests = vault
                .store
                .read()
                .await?
                .guests_with_register(after, PAGE)
                .await?;
            let Some(last) = guests.last() else {
                return Ok(swept);
            };
            after = *last;
            for guest in guests.into_iter().map(GuestId) {
                let rows = vault.store.read().await?.register(guest).await?;
                let keys = vault.keys.guest_keys(guest, &[Category::Statutory]).await?;
                let over = |(id, sealed): &&(Uuid, Vec<u8>)| {
                    RegisterEntry::open(&keys, guest, *id, sealed)
                        .is_ok_and(|entry| entry.keep_until <= today)
                };
                let gone: Vec<Uuid> = rows.iter().filter(over).map(|(id, _)| *id).collect();
                if gone.is_empty() {
                    continue;
                }
                if gone.len() < rows.len() {
                    self.remove_entries(guest, &gone).await?;
                } else {
                    let order = Order {
                        caller: caller.clone(),
                        request: RequestId::random(),
                        case: Uuid::now_v7(),
                    };
                    self.erase_register(&order, guest).await?;
                    swept += 1;
                }
            }
        }
    }

    /// Removes entries of a register that keeps others.
    async fn remove_entries(&self, guest: GuestId, gone: &[Uuid]) -> Result<(), ErasureError> {
        let vault = &self.vault;
        let caller = operator().map_err(|_| GuestError::Forbidden)?;
        let mut event = Event::by(&caller, Act::Retention, RequestId::random(), vault.clock.now());
        event.outcome = Some("register_entries_removed");
        event.count = u64::try_from(gone.len()).ok();
        let mut change = vault.log.begin(&vault.store).await?;
        for entry in gone {
            change.tx.remove_register_entry(guest, *entry).await?;
        }
        change.record(event);
        Ok(change.commit().await?)
    }
}
