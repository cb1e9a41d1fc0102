//! What goes on by itself about guests: erasures that a crash or a stay put off, keys that belong to nobody, register
//! entries whose time is over.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use chrono::TimeDelta;

use crate::{base::micros, erasure::OLDER_DATA, requests::Requests, retention::quality::Quality};

use super::Lease;

/// How often the keeper looks.
const TICK: Duration = Duration::from_secs(30);
/// For how long one instance does it after it last did.
const LASTS: TimeDelta = TimeDelta::minutes(2);
/// Every so many looks the slow ones are done too.
const SLOW: u32 = 120;

/// Guests that a retention run looks at in one look, so that the lease is kept.
const AT_A_LOOK: u32 = 2_000;

/// Pages of guests that a review of data quality looks at in one look.
const QUALITY_PAGES: u32 = 10;

/// Keeps promises made to guests.
pub struct Keeper {
    requests: Requests,
    lease: Lease,
    /// Up to when questions about guests that may be one were looked at, in microseconds.
    bridged: AtomicI64,
    /// Up to where in the feed guests were looked at for what lapses of them.
    lapsing: AtomicI64,
}

impl Keeper {
    /// Of these requests.
    #[must_use]
    pub fn new(requests: Requests) -> Self {
        let vault = &requests.eraser.vault;
        let lease = Lease::new(vault.store.clone(), vault.clock.clone(), "keeper", LASTS);
        Self {
            requests,
            lease,
            bridged: AtomicI64::new(0),
            lapsing: AtomicI64::new(0),
        }
    }

    /// Works until dropped; begins at once, so that what a crash cut off is finished at the next start.
    pub async fn run(&self) {
        // Whoever was cut off may hold the lease for a while yet; its promises are taken up all the same, each step of
        // which can be repeated.
        if let Err(error) = self.requests.go_on().await {
            tracing::error!(%error, "approved erasures wait");
        }
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks: u32 = 0;
        loop {
            tick.tick().await;
            // Every instance wraps new keys in the newest epoch, and compares with the same weights, not only the one
            // that keeps the promises.
            let vault = &self.requests.eraser.vault;
            if let Err(error) = vault.keys.refresh().await {
                tracing::error!(%error, "epochs of keys could not be looked for");
            }
            if let Err(error) = vault.load_weights().await {
                tracing::warn!(%error, "the learnt weights cannot be read");
            }
            match self.lease.take().await {
                Ok(true) => self.look(looks.is_multiple_of(SLOW)).await,
                Ok(false) => continue,
                Err(error) => tracing::warn!(%error, "the keeper could not look"),
            }
            looks = looks.wrapping_add(1);
        }
    }

    /// One look; `slow` includes what need not be looked at often.
    pub async fn look(&self, slow: bool) {
        if let Err(error) = self.requests.go_on().await {
            tracing::error!(%error, "approved erasures wait");
        }
        if let Err(error) = self.requests.eraser.work(AT_A_LOOK).await {
            tracing::error!(%error, "a retention run waits");
        }
        if let Err(error) = self.requests.eraser.look_again(&self.lapsing).await {
            tracing::error!(%error, "guests that changed wait to be looked at for what lapses of them");
        }
        if let Err(error) = Quality(&self.requests.eraser.vault).work(QUALITY_PAGES).await {
            tracing::error!(%error, "a review of data quality waits");
        }
        let vault = &self.requests.eraser.vault;
        if vault.matcher.merges {
            let now = micros(vault.clock.now());
            match vault.merge_bridged(self.bridged.load(Ordering::Relaxed)).await {
                Ok(_) => self.bridged.store(now, Ordering::Relaxed),
                Err(error) => tracing::error!(%error, "guests that are one wait to be merged"),
            }
        }
        let is_newest = self.requests.eraser.keep_mark().await;
        if !slow {
            return;
        }
        match is_newest {
            Ok(true) => {
                if let Err(error) = self.requests.eraser.sweep_orphans().await {
                    tracing::error!(%error, "keys that belong to nobody wait to be destroyed");
                }
            }
            // Keys that seem nobody's may be those of guests whom only the newer data knows.
            Ok(false) => tracing::error!("{OLDER_DATA}; keys that seem to belong to nobody are kept"),
            Err(error) => {
                tracing::error!(%error, "whether the data is as new as its keys could not be looked at");
            }
        }
        if let Err(error) = self.requests.eraser.sweep_registers().await {
            tracing::error!(%error, "register entries whose time is over wait to be erased");
        }
    }

    /// Lets another instance look at once.
    pub async fn leave(&self) {
        if let Err(error) = self.lease.leave().await {
            tracing::warn!(%error, "the keeper's lease ends by itself");
        }
    }
}
