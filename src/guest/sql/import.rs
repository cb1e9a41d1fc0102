//! The statements of import jobs.

use uuid::Uuid;

use crate::{
    base::{GuestId, ImportId, RecordId},
    guest::import_job::{Counts, Job},
    on, statements,
    store::{Conn, Database, StoreError, Tx},
};

statements! {
    JOB_INSERT = "INSERT INTO import_job (import_id, principal, property, state, started_at, updated_at,
                      records, created, linked, review, refused, partial)
                  VALUES ($1, $2, $3, 'open', $4, $4, 0, 0, 0, 0, 0, 0)";
    JOB = "SELECT import_id, principal, property, state, started_at, updated_at, records, created, linked, review,
               refused, partial FROM import_job WHERE import_id = $1";
    JOB_COUNT = "UPDATE import_job SET updated_at = $2, records = records + $3, created = created + $4,
                     linked = linked + $5, review = review + $6, refused = refused + $7, partial = partial + $8
                 WHERE import_id = $1";
    JOB_STATE = "UPDATE import_job SET state = $2, updated_at = $3 WHERE import_id = $1";
    JOB_END = "UPDATE import_job SET state = 'ended', updated_at = $2 WHERE import_id = $1 AND state = 'open'";
    JOB_STILL = "UPDATE import_job SET updated_at = updated_at WHERE import_id = $1 AND state = 'open'";
    PROGRESS_FORGET = "DELETE FROM import_progress WHERE updated_at >= $1";
    TOUCHED = "SELECT count(*) FROM (
                   SELECT guest_id, max(version) AS version FROM import_record
                   WHERE import_id = $1 AND version > 0 AND guest_id >= $2 AND guest_id <= $3 GROUP BY guest_id
               ) AS r LEFT JOIN guest g ON g.guest_id = r.guest_id
               WHERE g.guest_id IS NULL OR g.version <> r.version OR g.status <> 'active'
                   OR EXISTS (SELECT 1 FROM hold h WHERE h.guest_id = r.guest_id AND h.lifted_at IS NULL)
                   OR EXISTS (SELECT 1 FROM request q WHERE q.guest_id = r.guest_id
                                  AND q.state NOT IN ('done', 'denied', 'duplicate', 'revoked'))
                   OR EXISTS (SELECT 1 FROM observation o WHERE o.guest_id = r.guest_id)
                   OR EXISTS (SELECT 1 FROM pseudonym p WHERE p.guest_id = r.guest_id)
                   OR EXISTS (SELECT 1 FROM guest_merge m WHERE m.survivor = r.guest_id AND m.state = 'done')
                   OR EXISTS (SELECT 1 FROM import_record made
                              JOIN import_record heard ON heard.guest_id = made.guest_id
                                  AND heard.record_id = made.record_id AND heard.version = 0
                              LEFT JOIN import_job j ON j.import_id = heard.import_id
                              WHERE made.import_id = $1 AND made.made AND made.guest_id = r.guest_id
                                  AND coalesce(j.state, 'open') <> 'rolled_back')";
    /// What is said of a guest whom the import made was said after it, whatever day it is dated.
    SPOKEN = "SELECT count(*) FROM consent c
              WHERE c.record_id IS NULL AND c.guest_id IN (
                      SELECT guest_id FROM import_record
                      WHERE import_id = $1 AND version > 0 AND guest_id >= $3 AND guest_id <= $4)
                  AND (c.at >= $2 OR NOT EXISTS (
                      SELECT 1 FROM record r WHERE r.guest_id = c.guest_id AND NOT EXISTS (
                          SELECT 1 FROM import_record i WHERE i.guest_id = r.guest_id AND i.record_id = r.record_id
                              AND i.import_id = $1 AND i.made)))";
    KEPT = "SELECT count(*) FROM import_record WHERE import_id = $1 AND version > 0";
    GUESTS_MADE = "SELECT DISTINCT guest_id FROM import_record
                   WHERE import_id = $1 AND made AND guest_id > $2 ORDER BY guest_id LIMIT $3";
    /// Of a stay that another record told first, before each one's word was kept, nothing else is left than what the
    /// import's record repeats.
    MADE = "SELECT i.record_id, i.source_token FROM import_record i
            WHERE i.import_id = $1 AND i.made AND i.guest_id = $2 AND NOT EXISTS (
                SELECT 1 FROM stay s WHERE s.guest_id = i.guest_id AND s.record_id = i.record_id AND s.version > 1
                    AND NOT EXISTS (SELECT 1 FROM stay_word w
                                    WHERE w.guest_id = s.guest_id AND w.stay_token = s.stay_token))
            ORDER BY i.record_id";
    MARK_DELETE = "DELETE FROM import_record WHERE import_id = $1 AND guest_id = $2 AND record_id = $3";
    THERE = "SELECT count(*) FROM record WHERE guest_id = $1 AND record_id = $2";
    /// Once its source itself has said it again, nothing more is to be noted.
    UNHEARD = "SELECT count(*) FROM import_record made
               WHERE made.guest_id = $1 AND made.record_id = $2 AND made.made AND made.import_id <> $3 AND NOT EXISTS (
                   SELECT 1 FROM import_record heard
                   WHERE heard.guest_id = $1 AND heard.record_id = $2
                       AND (heard.import_id = $3 OR heard.import_id = $4))";
    /// Of those who said it again the first and the last are enough to know: a house may send all its guests each night.
    HEARD_BETWEEN = "DELETE FROM import_record
                     WHERE guest_id = $1 AND record_id = $2 AND version = 0 AND EXISTS (
                         SELECT 1 FROM import_record f LEFT JOIN import_job j ON j.import_id = f.import_id
                         WHERE f.guest_id = $1 AND f.record_id = $2 AND f.version = 0
                             AND f.import_id < import_record.import_id AND coalesce(j.state, 'open') <> 'rolled_back')";
    HEARD = "INSERT INTO import_record (import_id, guest_id, record_id, source_token, version, made)
             VALUES ($1, $2, $3, $4, 0, false)
             ON CONFLICT (guest_id, record_id, import_id) DO NOTHING";
    SOURCE_DELETE = "DELETE FROM source_record WHERE token = $1 AND guest_id = $2";
    SOURCE_FREE = "DELETE FROM source_record WHERE token = $1";
    VALUES_DELETE = "DELETE FROM field_value WHERE guest_id = $1 AND record_id = $2";
    INDEX_DELETE = "DELETE FROM blind_index WHERE guest_id = $1 AND record_id = $2";
    STAY_TOKENS_DELETE = "DELETE FROM stay_index WHERE guest_id = $1 AND stay_token IN (
                              SELECT stay_token FROM stay WHERE guest_id = $1 AND record_id = $2)";
    STAYS_DELETE = "DELETE FROM stay WHERE guest_id = $1 AND record_id = $2";
    LIKENESS_DELETE = "DELETE FROM likeness_token WHERE guest_id = $1 AND record_id = $2";
    AGREED = "SELECT consent_id, purpose FROM consent
              WHERE guest_id = $1 AND record_id = $2 AND state IN ('given', 'renewed')
              ORDER BY consent_id";
    AGREED_DELETE = "DELETE FROM consent WHERE guest_id = $1 AND record_id = $2 AND state IN ('given', 'renewed')";
    REVIEWS_DELETE = "DELETE FROM review WHERE state = 'open' AND (one_id = $1 OR other_id = $1) AND record_id = $2";
    RECORD_DELETE = "DELETE FROM record WHERE guest_id = $1 AND record_id = $2";
    RECORDS_COUNT = "SELECT count(*) FROM record WHERE guest_id = $1";
    CONSENTS_DELETE = "DELETE FROM consent WHERE guest_id = $1";
    FINDINGS_DELETE = "DELETE FROM quality_finding WHERE guest_id = $1";
    QUESTIONS_DELETE = "DELETE FROM review WHERE state = 'open' AND (one_id = $1 OR other_id = $1)";
    GUEST_DELETE = "DELETE FROM guest WHERE guest_id = $1";
}

#[derive(sqlx::FromRow)]
struct JobRow {
    import_id: Uuid,
    principal: Uuid,
    property: String,
    state: String,
    started_at: i64,
    updated_at: i64,
    records: i64,
    created: i64,
    linked: i64,
    review: i64,
    refused: i64,
    partial: i64,
}

/// A record that an import made.
#[derive(Clone, sqlx::FromRow)]
pub struct MadeRow {
    /// Which.
    pub record_id: Uuid,
    /// The token of its source.
    pub source_token: Vec<u8>,
}

/// How many guests of an import something else has touched since `started_at`: those from one id to another.
///
/// # Errors
/// What the database says.
pub async fn touched(
    db: &mut impl Database,
    (import, started_at): (ImportId, i64),
    (from, to): (Uuid, Uuid),
) -> Result<i64, StoreError> {
    let touched: i64 =
        on!(db, c => sqlx::query_scalar(TOUCHED).bind(import.0).bind(from).bind(to).fetch_one(c).await?);
    let spoken: i64 = on!(db, c => {
        let query = sqlx::query_scalar(SPOKEN).bind(import.0).bind(started_at);
        query.bind(from).bind(to).fetch_one(c).await?
    });
    Ok(touched.saturating_add(spoken))
}

impl Tx {
    /// Begins a job.
    ///
    /// # Errors
    /// What the database says.
    pub async fn begin_import(
        &mut self,
        import: ImportId,
        (principal, property): (Uuid, &str),
        now: i64,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(JOB_INSERT).bind(import.0).bind(principal).bind(property).bind(now).execute(c).await?;
        });
        Ok(())
    }

    /// Adds to a job's numbers.
    ///
    /// # Errors
    /// What the database says.
    pub async fn count_import(
        &mut self,
        import: ImportId,
        counts: &Counts,
        now: i64,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(JOB_COUNT)
                .bind(import.0)
                .bind(now)
                .bind(counts.records)
                .bind(counts.created)
                .bind(counts.linked)
                .bind(counts.review)
                .bind(counts.refused)
                .bind(counts.partial)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Keeps a job open until this transaction ends; false when it takes no more records.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_import_open(&mut self, import: ImportId) -> Result<bool, StoreError> {
        let rows =
            on!(self, c => { sqlx::query(JOB_STILL).bind(import.0).execute(c).await?.rows_affected() });
        Ok(rows == 1)
    }

    /// Ends an open job; false when it was not open.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_import(&mut self, import: ImportId, now: i64) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(JOB_END).bind(import.0).bind(now).execute(c).await?.rows_affected()
        });
        Ok(rows == 1)
    }

    /// Forgets how far files have come since then: what is taken back must not count as done. Lines that come again and
    /// are in already change nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn forget_import_progress(&mut self, since: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(PROGRESS_FORGET).bind(since).execute(c).await?; });
        Ok(())
    }

    /// Says what becomes of a job.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_import_state(
        &mut self,
        import: ImportId,
        state: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(JOB_STATE).bind(import.0).bind(state).bind(now).execute(c).await?; });
        Ok(())
    }

    /// What a record alone agreed to: the lines of the ledger, and for which purpose.
    ///
    /// # Errors
    /// What the database says.
    pub async fn agreed_by(
        &mut self,
        guest: GuestId,
        record: RecordId,
    ) -> Result<Vec<(Uuid, String)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(AGREED).bind(guest.0).bind(record.0).fetch_all(c).await?))
    }

    /// Frees the id of a source whose record went to another guest; that record stays.
    ///
    /// # Errors
    /// What the database says.
    pub async fn free_source(&mut self, token: &[u8]) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(SOURCE_FREE).bind(token).execute(c).await?; });
        Ok(())
    }

    /// Removes all of a record but its refusals: a no holds whoever told of it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_record(
        &mut self,
        guest: GuestId,
        record: RecordId,
        source_token: &[u8],
    ) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(SOURCE_DELETE).bind(source_token).bind(guest.0).execute(c).await?; });
        for statement in [
            VALUES_DELETE,
            INDEX_DELETE,
            STAY_TOKENS_DELETE,
            STAYS_DELETE,
            LIKENESS_DELETE,
            AGREED_DELETE,
            REVIEWS_DELETE,
            RECORD_DELETE,
        ] {
            on!(self, c => { sqlx::query(statement).bind(guest.0).bind(record.0).execute(c).await?; });
        }
        self.delete_words_of(guest, record).await
    }

    /// Removes a guest that no record speaks of any more; `false` when one does.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_if_empty(&mut self, guest: GuestId) -> Result<bool, StoreError> {
        let left: i64 = on!(self, c => sqlx::query_scalar(RECORDS_COUNT).bind(guest.0).fetch_one(c).await?);
        if left > 0 {
            return Ok(false);
        }
        for statement in [CONSENTS_DELETE, FINDINGS_DELETE, QUESTIONS_DELETE, GUEST_DELETE] {
            on!(self, c => { sqlx::query(statement).bind(guest.0).execute(c).await?; });
        }
        Ok(true)
    }

    /// Records that an import made of a guest, and that can be taken back.
    ///
    /// # Errors
    /// What the database says.
    pub async fn import_made(
        &mut self,
        import: ImportId,
        guest: GuestId,
    ) -> Result<Vec<MadeRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(MADE).bind(import.0).bind(guest.0).fetch_all(c).await?))
    }

    /// Forgets that an import made a record.
    ///
    /// # Errors
    /// What the database says.
    pub async fn forget_mark(
        &mut self,
        import: ImportId,
        (guest, record): (GuestId, RecordId),
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(MARK_DELETE).bind(import.0).bind(guest.0).bind(record.0).execute(c).await?;
        });
        Ok(())
    }

    /// Notes that a record that an import made was said again, by another import or (nil) by its source itself; false when
    /// it is no longer there.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note_heard(
        &mut self,
        import: Uuid,
        (guest, record): (GuestId, RecordId),
        source_token: &[u8],
    ) -> Result<bool, StoreError> {
        if !is_there(self, (guest, record)).await? {
            return Ok(false);
        }
        on!(self, c => { sqlx::query(HEARD_BETWEEN).bind(guest.0).bind(record.0).execute(c).await?; });
        on!(self, c => {
            let query = sqlx::query(HEARD).bind(import).bind(guest.0).bind(record.0);
            query.bind(source_token).execute(c).await?;
        });
        Ok(true)
    }
}

/// Whether a guest has a record.
///
/// # Errors
/// What the database says.
pub async fn is_there(
    db: &mut impl Database,
    (guest, record): (GuestId, RecordId),
) -> Result<bool, StoreError> {
    let records: i64 =
        on!(db, c => sqlx::query_scalar(THERE).bind(guest.0).bind(record.0).fetch_one(c).await?);
    Ok(records > 0)
}

impl Conn {
    /// A job.
    ///
    /// # Errors
    /// What the database says; a damaged row.
    pub async fn import_job(&mut self, import: ImportId) -> Result<Option<Job>, StoreError> {
        let row: Option<JobRow> = on!(self, c => sqlx::query_as(JOB).bind(import.0).fetch_optional(c).await?);
        row.map(Job::try_from).transpose()
    }

    /// Whether an import made a record, another than the one that says it now, and it is to be noted that this one does.
    ///
    /// # Errors
    /// What the database says.
    pub async fn is_unheard(
        &mut self,
        import: Uuid,
        (guest, record): (GuestId, RecordId),
    ) -> Result<bool, StoreError> {
        let made: i64 = on!(self, c => {
            let query = sqlx::query_scalar(UNHEARD).bind(guest.0).bind(record.0).bind(import);
            query.bind(Uuid::nil()).fetch_one(c).await?
        });
        Ok(made > 0)
    }

    /// How many records of an import are there: after it was taken back, those that stay.
    ///
    /// # Errors
    /// What the database says.
    pub async fn import_kept(&mut self, import: ImportId) -> Result<i64, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(KEPT).bind(import.0).fetch_one(c).await?))
    }

    /// Guests of whom an import made records, after a guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guests_made(
        &mut self,
        import: ImportId,
        after: Uuid,
        most: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        Ok(
            on!(self, c => sqlx::query_scalar(GUESTS_MADE).bind(import.0).bind(after).bind(most).fetch_all(c).await?),
        )
    }
}

impl TryFrom<JobRow> for Job {
    type Error = StoreError;

    fn try_from(row: JobRow) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged("an import");
        Ok(Self {
            import_id: ImportId(row.import_id),
            principal: row.principal.into(),
            property: row.property.parse().map_err(|_| damaged())?,
            state: row.state,
            started_at: crate::base::from_micros(row.started_at),
            updated_at: crate::base::from_micros(row.updated_at),
            counts: Counts {
                records: row.records,
                created: row.created,
                linked: row.linked,
                review: row.review,
                refused: row.refused,
                partial: row.partial,
            },
        })
    }
}
