//! Statements of leases.

use uuid::Uuid;

use crate::{
    on, statements,
    store::{StoreError, Tx},
};

statements! {
    MAKE = "INSERT INTO lease (job, holder, held_until) VALUES ($1, $2, $3) ON CONFLICT (job) DO NOTHING";
    TAKE = "UPDATE lease SET holder = $2, held_until = $3
            WHERE job = $1 AND (holder = $2 OR held_until < $4
                 OR held_until > $5)";
    LEAVE = "UPDATE lease SET held_until = $3 WHERE job = $1 AND holder = $2";
}

impl Tx {
    /// Takes a job, or keeps it, until a time; `false` when another has it. A lease that ends after `furthest` is nobody's.
    pub(super) async fn take_lease(
        &mut self,
        job: &str,
        holder: Uuid,
        (now, until, furthest): (i64, i64, i64),
    ) -> Result<bool, StoreError> {
        let taken = on!(self, c => {
            sqlx::query(TAKE)
                .bind(job)
                .bind(holder)
                .bind(until)
                .bind(now)
                .bind(furthest)
                .execute(c)
                .await?
                .rows_affected()
        });
        if taken == 1 {
            return Ok(true);
        }
        let made = on!(self, c => {
            sqlx::query(MAKE).bind(job).bind(holder).bind(until).execute(c).await?.rows_affected()
        });
        Ok(made == 1)
    }

    /// Gives a job up.
    pub(super) async fn leave_lease(&mut self, job: &str, holder: Uuid) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(LEAVE).bind(job).bind(holder).bind(0_i64).execute(c).await?; });
        Ok(())
    }
}
