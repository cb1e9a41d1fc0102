//! Statements of retention runs.

use uuid::Uuid;

use crate::{
    base::{ASTRAY, from_micros, micros},
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    RUN_INSERT = "INSERT INTO retention_run (run_id, dry_run, as_of, rules, state, reached, looked_at, due, gone,
                      conflicts, counts, author, author_actor, approver, approver_actor, created_at, updated_at)
                  VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, 0, $7, $8, $9, NULL, NULL, $10, $10)";
    RUN = "SELECT run_id, dry_run, as_of, rules, state, reached, looked_at, due, gone, conflicts, counts, author,
               author_actor, approver, approver_actor, created_at
           FROM retention_run WHERE run_id = $1";
    RUNS = "SELECT run_id, dry_run, as_of, rules, state, reached, looked_at, due, gone, conflicts, counts, author,
                author_actor, approver, approver_actor, created_at
            FROM retention_run WHERE run_id < $1 ORDER BY run_id DESC LIMIT $2";
    RUN_STORE = "UPDATE retention_run SET state = $2, reached = $3, looked_at = $4, due = $5, gone = $6,
                     conflicts = $7, counts = $8, updated_at = $9
                 WHERE run_id = $1 AND state = $10 AND reached = $11";
    RUN_DECIDE = "UPDATE retention_run SET state = $2, approver = $3, approver_actor = $4, updated_at = $5
                  WHERE run_id = $1 AND state = 'waiting'";
    RUN_OPEN = "SELECT due, gone FROM retention_run
                WHERE dry_run = $1
                    AND (state IN ('counting', 'running') OR state = 'waiting' AND created_at <= $2)
                ORDER BY run_id LIMIT 1";
    RUNS_AHEAD_END = "UPDATE retention_run SET state = 'rejected', updated_at = $2
                      WHERE dry_run = $1 AND state = 'waiting' AND created_at > $3";
    RUN_LAST = "SELECT max(created_at) FROM retention_run WHERE dry_run = $1 AND created_at <= $2";
    RUNS_TO_DO = "SELECT run_id FROM retention_run WHERE state IN ('counting', 'running') ORDER BY run_id LIMIT 10";
}

/// A run.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RunRow {
    /// Its id.
    pub run_id: Uuid,
    /// Whether it only counts.
    pub dry_run: bool,
    /// The day by which what is over is judged.
    pub as_of: String,
    /// Rules that it tries.
    pub rules: Option<String>,
    /// Where it stands.
    pub state: String,
    /// The last guest that was looked at.
    pub reached: Uuid,
    /// How many guests were.
    pub looked_at: i64,
    /// Of how many something would go.
    pub due: i64,
    /// Of how many it is gone.
    pub gone: i64,
    /// About how many rules contradict each other.
    pub conflicts: i64,
    /// What would go, as JSON.
    pub counts: String,
    /// Who ordered it.
    pub author: Uuid,
    /// On whose orders.
    pub author_actor: Option<String>,
    /// Who decided.
    pub approver: Option<Uuid>,
    /// On whose orders.
    pub approver_actor: Option<String>,
    /// When it began, in microseconds.
    pub created_at: i64,
}

/// The latest moment that a run can have been begun at, if no clock was wrong.
fn latest_begin(now: i64) -> i64 {
    micros(from_micros(now) + ASTRAY)
}

impl Conn {
    /// A run.
    ///
    /// # Errors
    /// What the database says.
    pub async fn run(&mut self, id: Uuid) -> Result<Option<RunRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(RUN).bind(id).fetch_optional(c).await?))
    }

    /// Runs, newest first, before one of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn runs(&mut self, before: Option<Uuid>, most: i64) -> Result<Vec<RunRow>, StoreError> {
        let before = before.unwrap_or(Uuid::max());
        Ok(on!(self, c => sqlx::query_as(RUNS).bind(before).bind(most).fetch_all(c).await?))
    }

    /// How much the run that goes on found, and how much of it is gone. One that waits and was begun by a clock that was
    /// wrong keeps no other from beginning.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open_run(&mut self, now: i64) -> Result<Option<(i64, i64)>, StoreError> {
        Ok(
            on!(self, c => sqlx::query_as(RUN_OPEN).bind(false).bind(latest_begin(now)).fetch_optional(c).await?),
        )
    }

    /// When the last run began that only counts, or the last that does more, in microseconds. One that was begun later
    /// than now, by a clock that was ahead, counts for nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn last_run(&mut self, dry_run: bool, now: i64) -> Result<Option<i64>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(RUN_LAST).bind(dry_run).bind(now).fetch_one(c).await?))
    }

    /// The runs that have something to do.
    ///
    /// # Errors
    /// What the database says.
    pub async fn runs_to_do(&mut self) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(RUNS_TO_DO).fetch_all(c).await?))
    }
}

impl Tx {
    /// Begins a run. One that waits and was begun by a clock that was wrong makes way for one that lets go: `true` when
    /// there was one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn add_run(&mut self, row: &RunRow) -> Result<bool, StoreError> {
        let ended = on!(self, c => {
            let mut ended = 0;
            if !row.dry_run {
                ended = sqlx::query(RUNS_AHEAD_END)
                    .bind(false)
                    .bind(row.created_at)
                    .bind(latest_begin(row.created_at))
                    .execute(&mut *c)
                    .await?
                    .rows_affected();
            }
            sqlx::query(RUN_INSERT)
                .bind(row.run_id)
                .bind(row.dry_run)
                .bind(&row.as_of)
                .bind(&row.rules)
                .bind(&row.state)
                .bind(row.reached)
                .bind(&row.counts)
                .bind(row.author)
                .bind(&row.author_actor)
                .bind(row.created_at)
                .execute(&mut *c)
                .await?;
            ended
        });
        Ok(ended > 0)
    }

    /// Writes how far a run has come from where it stood; `false` when it stands elsewhere by now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn store_run(
        &mut self,
        row: &RunRow,
        (state, reached): (&str, Uuid),
        now: i64,
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(RUN_STORE)
                .bind(row.run_id)
                .bind(&row.state)
                .bind(row.reached)
                .bind(row.looked_at)
                .bind(row.due)
                .bind(row.gone)
                .bind(row.conflicts)
                .bind(&row.counts)
                .bind(now)
                .bind(state)
                .bind(reached)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Decides about a run that waits; `false` when it does not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn decide_run(
        &mut self,
        id: Uuid,
        state: &str,
        (by, actor): (Uuid, Option<&str>),
        now: i64,
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(RUN_DECIDE).bind(id).bind(state).bind(by).bind(actor).bind(now).execute(c).await?.rows_affected()
        });
        Ok(rows == 1)
    }
}
