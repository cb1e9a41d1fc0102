//! Keys that belong to nobody: left by a write that a crash cut off, or made anew for a guest that was erased.

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::{Category, GuestId};

use super::{Eraser, ErasureError, sql};

/// Guests looked at at a time.
const PAGE: u32 = 500;
/// How old a guest's id must be before its keys can be orphans: a write that is still under way makes them first.
const AGE: TimeDelta = TimeDelta::hours(1);

impl Eraser {
    /// Destroys keys that open nothing: of guests that were never stored, and of erased ones but for the register's
    /// copy. Returns how many.
    ///
    /// # Errors
    /// What database and key store say; the rest waits for the next time.
    pub async fn sweep_orphans(&self) -> Result<u64, ErasureError> {
        let vault = &self.vault;
        let before = vault.clock.now() - AGE;
        let mut after = None;
        let mut destroyed: u64 = 0;
        loop {
            let guests = vault.keys.guests_with_keys(after, PAGE).await?;
            let Some(last) = guests.last() else { break };
            after = Some(*last);
            for guest in guests {
                destroyed = destroyed.saturating_add(self.sweep_guest(guest, before).await?);
            }
        }
        if destroyed > 0 {
            tracing::warn!(destroyed, "keys that belonged to nobody were destroyed");
            vault.keys.scrub().await?;
        }
        Ok(destroyed)
    }

    async fn sweep_guest(&self, guest: GuestId, before: DateTime<Utc>) -> Result<u64, ErasureError> {
        let vault = &self.vault;
        let mut conn = vault.store.read().await?;
        if !sql::is_known(&mut conn, guest).await? {
            drop(conn);
            if made_at(guest).is_none_or(|made| made >= before) {
                return Ok(0);
            }
            return Ok(vault.keys.destroy(guest, None).await?);
        }
        let erased = conn
            .guest_head(guest)
            .await?
            .is_some_and(|(_, status, _)| status == "erased");
        if !erased {
            return Ok(0);
        }
        let kept = !conn.register(guest).await?.is_empty();
        drop(conn);
        let others: Vec<Category> = Category::ALL
            .into_iter()
            .filter(|category| !(kept && *category == Category::Statutory))
            .collect();
        Ok(vault.keys.destroy(guest, Some(&others)).await?)
    }
}

/// When a guest's id was made (RFC 9562 §5.7).
fn made_at(guest: GuestId) -> Option<DateTime<Utc>> {
    let (seconds, _) = guest.0.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)
}
