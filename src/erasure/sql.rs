//! Statements of erasures: what goes, and how far it has come.

pub mod lapsing;
pub mod notices;
pub mod runs;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    base::GuestId,
    on, statements,
    store::{Conn, Database, StoreError, Tx},
};

statements! {
    ERASURE_INSERT = "INSERT INTO erasure (guest_id, erasure_id, case_id, whole, categories, stage, intent, confirmation,
                          keys, started_at, updated_at)
                      VALUES ($1, $2, $3, $4, $5, 'intended', $6, NULL, 0, $7, $7)";
    ERASURES_OPEN = "SELECT guest_id, erasure_id, case_id, whole, categories, stage, intent, confirmation, keys
                     FROM erasure WHERE stage IN ('intended', 'shredded') ORDER BY stage, guest_id, erasure_id LIMIT $1";
    ERASURES_TO_SWEEP = "SELECT guest_id, erasure_id FROM erasure WHERE stage = 'done' LIMIT $1";
    ERASURES_BY_CASE = "SELECT guest_id, erasure_id, case_id, whole, categories, stage, intent, confirmation, keys
                        FROM erasure WHERE case_id = $1 ORDER BY erasure_id";
    ERASURE_SHREDDED = "UPDATE erasure SET stage = 'shredded', keys = keys + $3, updated_at = $4
                        WHERE guest_id = $1 AND erasure_id = $2 AND stage IN ('intended', 'shredded')";
    ERASURE_DONE = "UPDATE erasure SET stage = 'done', confirmation = $3, updated_at = $4
                    WHERE guest_id = $1 AND erasure_id = $2 AND stage = 'shredded'";
    ERASURE_SWEPT = "UPDATE erasure SET stage = 'swept', updated_at = $3
                     WHERE guest_id = $1 AND erasure_id = $2 AND stage = 'done'";
    GUEST_FATE = "UPDATE guest SET status = $2, version = version + 1, updated_at = $3,
                      lapsing_state = CASE WHEN lapsing_state = 0 THEN 0 ELSE 2 END
                  WHERE guest_id = $1
                      AND (status IN ('active', 'restricted') OR (status = 'merged' AND $2 = 'erased'))";
    GUEST_GONE = "UPDATE guest SET status = 'erased', survivor = NULL, manager_token = NULL, version = version + 1,
                      updated_at = $2, lapsing = NULL, lapsing_state = 0
                  WHERE guest_id = $1";
    GUEST_BUMP = "UPDATE guest SET version = version + 1, updated_at = $2,
                      lapsing_state = CASE WHEN lapsing_state = 0 THEN 0 ELSE 2 END
                  WHERE guest_id = $1";
    /// Changes nothing, and keeps every other writer of the guest waiting until the change is over.
    /// Also those that were merged into one that was merged.
    ABSORBED = "WITH RECURSIVE taken (guest_id) AS (
                    SELECT guest_id FROM guest WHERE survivor = $1 AND status = 'merged'
                    UNION
                    SELECT g.guest_id FROM guest g JOIN taken t ON g.survivor = t.guest_id WHERE g.status = 'merged'
                )
                SELECT guest_id FROM taken ORDER BY guest_id";
    LOOKS_UNLINK = "UPDATE audit_event SET guest_id = NULL, detail = NULL WHERE guest_id = $1";
    VALUES_DROP = "DELETE FROM field_value WHERE guest_id = $1 AND field = $2";
    TOKENS_DROP = "DELETE FROM blind_index WHERE guest_id = $1 AND field = $2";
    SOURCE_IDS_DROP = "UPDATE record SET source_id = $2 WHERE guest_id = $1";
    REGISTER_INSERT = "INSERT INTO register_entry (guest_id, entry_id, sealed, created_at) VALUES ($1, $2, $3, $4)";
    REGISTER_DROP = "DELETE FROM register_entry WHERE guest_id = $1 AND entry_id = $2";
    QUARANTINE = "INSERT INTO quarantine (since, log_size) VALUES ($1, $2)";
    QUARANTINED = "SELECT min(log_size) FROM quarantine";
    QUARANTINE_END = "DELETE FROM quarantine";
    COPIED = "SELECT copied FROM quarantine WHERE copied IS NOT NULL LIMIT 1";
    COPIED_NOTE = "UPDATE quarantine SET copied = $1";
    HOLDS_STANDING = "SELECT guest_id, count(*) FROM hold WHERE lifted_at IS NULL GROUP BY guest_id";
    REGISTERED = "SELECT DISTINCT guest_id FROM register_entry WHERE guest_id > $1 ORDER BY guest_id LIMIT $2";
    GUEST_KNOWN = "SELECT guest_id FROM guest WHERE guest_id = $1";
    GUESTS_ALL = "SELECT guest_id, survivor FROM guest WHERE guest_id > $1 ORDER BY guest_id LIMIT $2";
    RECORDS_BETWEEN = "SELECT guest_id, record_id FROM record WHERE guest_id > $1 AND guest_id <= $2
                       ORDER BY guest_id, record_id";
}

/// The tables whose rows go with the guest. A test holds this list against the schema.
pub const WITH_THE_GUEST: &[&str] = &[
    "blind_index",
    "browser_session",
    "consent",
    "field_value",
    "import_record",
    "likeness_token",
    "observation",
    "observation_queue",
    "portal_ticket",
    "pseudonym",
    "quality_finding",
    "record",
    "source_record",
    "stay",
    "stay_index",
    "stay_word",
];

/// The tables that name a guest by its id and stay: fates, orders and the log's index, without a value in them.
pub const STAY_BEHIND: &[&str] = &[
    "audit_event",
    "break_glass",
    "erasure",
    "erasure_notice",
    "event_feed",
    "event_outbox",
    "guest",
    "hold",
    "register_entry",
    "request",
];

fn all_rows(table: &str) -> String {
    format!("DELETE FROM {table} WHERE guest_id = $1")
}

/// The statements built at run time, for the test that prepares each on both databases.
#[must_use]
pub fn built_statements() -> Vec<(&'static str, String)> {
    WITH_THE_GUEST
        .iter()
        .chain(&["register_entry"])
        .map(|table| (*table, all_rows(table)))
        .collect()
}

/// An erasure.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ErasureRow {
    /// Whose.
    pub guest_id: Uuid,
    /// Its id.
    pub erasure_id: Uuid,
    /// The request or sweep that ordered it.
    pub case_id: Uuid,
    /// Whether the guest goes with it.
    pub whole: bool,
    /// Which drawers, separated by commas.
    pub categories: String,
    /// `intended`, `shredded`, `done` or `swept`.
    pub stage: String,
    /// The entry that says that it will be done.
    pub intent: Uuid,
    /// The entry that says that it is.
    pub confirmation: Option<Uuid>,
    /// How many keys were destroyed.
    pub keys: i64,
}

/// Whether there is a guest of this id.
///
/// # Errors
/// What the database says.
pub async fn is_known(db: &mut impl Database, guest: GuestId) -> Result<bool, StoreError> {
    let found: Option<Uuid> =
        on!(db, c => sqlx::query_scalar(GUEST_KNOWN).bind(guest.0).fetch_optional(c).await?);
    Ok(found.is_some())
}

impl Conn {
    /// Erasures that are not confirmed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open_erasures(&mut self, most: i64) -> Result<Vec<ErasureRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(ERASURES_OPEN).bind(most).fetch_all(c).await?))
    }

    /// Erasures that are confirmed, and whose traces in the files are not swept: guest and id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn erasures_to_sweep(&mut self, most: i64) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(ERASURES_TO_SWEEP).bind(most).fetch_all(c).await?))
    }

    /// The erasures of a case, in order.
    ///
    /// # Errors
    /// What the database says.
    pub async fn erasures_of_case(&mut self, case: Uuid) -> Result<Vec<ErasureRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(ERASURES_BY_CASE).bind(case).fetch_all(c).await?))
    }

    /// The guests that were merged into this one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn absorbed(&mut self, guest: GuestId) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(ABSORBED).bind(guest.0).fetch_all(c).await?))
    }

    /// How large the log was when a restored database was copied; `None` when it is not in quarantine.
    ///
    /// # Errors
    /// What the database says.
    pub async fn quarantined_at(&mut self) -> Result<Option<i64>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(QUARANTINED).fetch_one(c).await?))
    }

    /// What a restored copy was before anything in it was changed, sealed, when that was noted.
    ///
    /// # Errors
    /// What the database says.
    pub async fn copied(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(COPIED).fetch_optional(c).await?))
    }

    /// The guests on whom holds lie, each with how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn standing_holds(&mut self) -> Result<Vec<(Uuid, i64)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(HOLDS_STANDING).fetch_all(c).await?))
    }

    /// Guests with entries in the register, in the order of their ids, after one of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guests_with_register(&mut self, after: Uuid, most: i64) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(REGISTERED).bind(after).bind(most).fetch_all(c).await?))
    }

    /// Guests, and whom they were merged into, in the order of their ids, after one of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guests_of_copy(
        &mut self,
        after: Uuid,
        most: i64,
    ) -> Result<Vec<(Uuid, Option<Uuid>)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(GUESTS_ALL).bind(after).bind(most).fetch_all(c).await?))
    }

    /// The records of the guests after one of them and up to another, each with its guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn records_between(
        &mut self,
        after: Uuid,
        last: Uuid,
    ) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(RECORDS_BETWEEN).bind(after).bind(last).fetch_all(c).await?))
    }
}

impl Tx {
    /// Notes that an erasure will be done.
    ///
    /// # Errors
    /// What the database says.
    pub async fn intend_erasure(&mut self, row: &ErasureRow, now: i64) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(ERASURE_INSERT)
                .bind(row.guest_id)
                .bind(row.erasure_id)
                .bind(row.case_id)
                .bind(row.whole)
                .bind(&row.categories)
                .bind(row.intent)
                .bind(now)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Puts a database into quarantine: nothing is served from it until it was held against the log.
    ///
    /// # Errors
    /// What the database says.
    pub async fn quarantine(&mut self, since: i64, log_size: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(QUARANTINE).bind(since).bind(log_size).execute(c).await?; });
        Ok(())
    }

    /// Notes what a copy in quarantine was.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note_copied(&mut self, sealed: &[u8]) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(COPIED_NOTE).bind(sealed).execute(c).await?; });
        Ok(())
    }

    /// Ends the quarantine.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_quarantine(&mut self) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(QUARANTINE_END).execute(c).await?; });
        Ok(())
    }

    /// Notes that the keys are gone.
    ///
    /// # Errors
    /// What the database says.
    pub async fn erasure_shredded(
        &mut self,
        row: &ErasureRow,
        keys: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(ERASURE_SHREDDED).bind(row.guest_id).bind(row.erasure_id).bind(keys).bind(now).execute(c).await?;
        });
        Ok(())
    }

    /// Notes that the rows are gone; `false` when another was faster.
    ///
    /// # Errors
    /// What the database says.
    pub async fn erasure_done(
        &mut self,
        row: &ErasureRow,
        confirmation: Uuid,
        now: i64,
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(ERASURE_DONE)
                .bind(row.guest_id)
                .bind(row.erasure_id)
                .bind(confirmation)
                .bind(now)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Notes that nothing is left in the databases' own files either.
    ///
    /// # Errors
    /// What the database says.
    pub async fn erasure_swept(
        &mut self,
        (guest, erasure): (Uuid, Uuid),
        now: i64,
    ) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(ERASURE_SWEPT).bind(guest).bind(erasure).bind(now).execute(c).await?; });
        Ok(())
    }

    /// Gives a guest that is not erased another status.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_fate(&mut self, guest: GuestId, status: &str, now: i64) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(GUEST_FATE).bind(guest.0).bind(status).bind(now).execute(c).await?.rows_affected()
        });
        Ok(rows == 1)
    }

    /// Makes a guest's version another, so that a writer that began before comes too late.
    ///
    /// # Errors
    /// What the database says.
    pub async fn bump_guest(&mut self, guest: GuestId, now: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(GUEST_BUMP).bind(guest.0).bind(now).execute(c).await?; });
        Ok(())
    }

    /// Removes all of a guest but its id and fate, and unlinks the log from it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn remove_guest(&mut self, guest: GuestId, now: i64) -> Result<(), StoreError> {
        for table in WITH_THE_GUEST {
            on!(self, c => { sqlx::query(AssertSqlSafe(all_rows(table))).bind(guest.0).execute(c).await?; });
        }
        on!(self, c => { sqlx::query(LOOKS_UNLINK).bind(guest.0).execute(c).await?; });
        on!(self, c => { sqlx::query(GUEST_GONE).bind(guest.0).bind(now).execute(c).await?; });
        Ok(())
    }

    /// Removes all rows of a guest in one of the tables of [`WITH_THE_GUEST`], or in the register.
    ///
    /// # Errors
    /// What the database says.
    pub async fn remove_rows(&mut self, guest: GuestId, table: &'static str) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(AssertSqlSafe(all_rows(table))).bind(guest.0).execute(c).await?; });
        Ok(())
    }

    /// Removes the values and tokens of a field, of all records.
    ///
    /// # Errors
    /// What the database says.
    pub async fn remove_field(&mut self, guest: GuestId, field: &str) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(VALUES_DROP).bind(guest.0).bind(field).execute(c).await?; });
        on!(self, c => { sqlx::query(TOKENS_DROP).bind(guest.0).bind(field).execute(c).await?; });
        Ok(())
    }

    /// Empties what the sources call a guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn forget_source_ids(&mut self, guest: GuestId) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(SOURCE_IDS_DROP).bind(guest.0).bind(Vec::<u8>::new()).execute(c).await?; });
        self.remove_rows(guest, "source_record").await
    }

    /// Removes an entry of the register.
    ///
    /// # Errors
    /// What the database says.
    pub async fn remove_register_entry(&mut self, guest: GuestId, entry: Uuid) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(REGISTER_DROP).bind(guest.0).bind(entry).execute(c).await?; });
        Ok(())
    }

    /// Adds a sealed entry to the register.
    ///
    /// # Errors
    /// What the database says.
    pub async fn add_register_entry(
        &mut self,
        guest: GuestId,
        entry: Uuid,
        sealed: &[u8],
        now: i64,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(REGISTER_INSERT).bind(guest.0).bind(entry).bind(sealed).bind(now).execute(c).await?;
        });
        Ok(())
    }
}
