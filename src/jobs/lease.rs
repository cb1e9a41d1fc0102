//! Who does a job that only one instance may do.

use chrono::TimeDelta;
use uuid::Uuid;

use crate::{
    base::{Clock, latest_end, micros},
    store::{Store, StoreError},
};

/// The right to do a job, asked for again and again; it ends by itself when its holder is gone.
///
/// Instances may disagree about the time by a good part of the lease: a job done twice must do no harm.
pub struct Lease {
    store: Store,
    clock: Clock,
    job: &'static str,
    holder: Uuid,
    lasts: TimeDelta,
}

impl Lease {
    /// The right to do this job, not yet taken.
    #[must_use]
    pub fn new(store: Store, clock: Clock, job: &'static str, lasts: TimeDelta) -> Self {
        Self {
            store,
            clock,
            job,
            holder: Uuid::now_v7(),
            lasts,
        }
    }

    /// Takes or keeps it; `false` when another instance has it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take(&self) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let until = now + self.lasts;
        // One that ends later than that was taken by a clock that was wrong: it would keep everybody from the job until then.
        let times = (micros(now), micros(until), micros(latest_end(now, self.lasts)));
        let mut tx = self.store.begin().await?;
        let taken = tx.take_lease(self.job, self.holder, times).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Gives it up, so that another need not wait.
    ///
    /// # Errors
    /// What the database says; it then ends by itself.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        tx.leave_lease(self.job, self.holder).await?;
        tx.commit().await
    }
}
