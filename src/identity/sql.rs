//! Statements about merges, and the reviews that stewards answer: ciphertext, tokens and ids only.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    base::GuestId,
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    MARK_MERGED = "UPDATE guest SET status = 'merged', survivor = $2, version = version + 1, updated_at = $4
                   WHERE guest_id = $1 AND version = $3 AND status = 'active'";
    MARK_ACTIVE = "UPDATE guest SET status = 'active', survivor = NULL, version = version + 1, updated_at = $3
                   WHERE guest_id = $1 AND status = 'merged' AND survivor = $2";
    TAKE_MANAGER = "UPDATE guest SET manager_token = (SELECT o.manager_token FROM guest o WHERE o.guest_id = $2)
                    WHERE guest_id = $1 AND manager_token IS NULL
                        AND EXISTS (SELECT 1 FROM guest o WHERE o.guest_id = $2 AND o.manager_token IS NOT NULL)";
    DROP_MANAGER = "UPDATE guest SET manager_token = NULL WHERE guest_id = $1";
    RECORDS_OF = "SELECT record_id, source_id, content_mac, received_at FROM record WHERE guest_id = $1 ORDER BY record_id";
    VALUES_OF = "SELECT record_id, field, version, sealed FROM field_value WHERE guest_id = $1 ORDER BY record_id, field";
    STAYS_OF = "SELECT stay_token, property, record_id, version, sealed FROM stay WHERE guest_id = $1 ORDER BY stay_token";
    CONSENTS_OF = "SELECT consent_id, record_id, evidence, details FROM consent WHERE guest_id = $1 ORDER BY consent_id";
    COPY_RECORD = "INSERT INTO record (guest_id, record_id, source_system, source_id, provenance, property, trust,
                       observed_at, received_at, content_mac)
                   SELECT $2, record_id, source_system, $4, provenance, property, trust, observed_at, received_at,
                       content_mac
                   FROM record WHERE guest_id = $1 AND record_id = $3
                   ON CONFLICT (guest_id, record_id) DO UPDATE
                   SET source_id = excluded.source_id, provenance = excluded.provenance, property = excluded.property,
                       trust = excluded.trust, observed_at = excluded.observed_at,
                       received_at = excluded.received_at, content_mac = excluded.content_mac";
    COPY_VALUE = "INSERT INTO field_value (guest_id, record_id, field, version, sealed, pinned, verified, trust, observed_at)
                  SELECT $2, record_id, field, version, $5, pinned, verified, trust, observed_at
                  FROM field_value WHERE guest_id = $1 AND record_id = $3 AND field = $4
                  ON CONFLICT (guest_id, record_id, field) DO UPDATE
                  SET version = excluded.version, sealed = excluded.sealed, pinned = excluded.pinned,
                      verified = excluded.verified, trust = excluded.trust, observed_at = excluded.observed_at";
    COPY_STAY = "INSERT INTO stay (guest_id, stay_token, property, record_id, version, sealed, updated_at)
                 SELECT $2, stay_token, property, record_id, version, $4, updated_at
                 FROM stay WHERE guest_id = $1 AND stay_token = $3
                 ON CONFLICT (guest_id, stay_token) DO UPDATE
                 SET property = excluded.property, record_id = excluded.record_id, version = excluded.version,
                     sealed = excluded.sealed, updated_at = excluded.updated_at";
    COPY_STAY_INDEX = "INSERT INTO stay_index (token, guest_id, stay_token)
                       SELECT token, $2, stay_token FROM stay_index WHERE guest_id = $1 AND stay_token = $3
                       ON CONFLICT (token, guest_id, stay_token) DO NOTHING";
    DELETE_STAY_INDEX = "DELETE FROM stay_index WHERE guest_id = $1 AND stay_token = $2";
    DELETE_STAY = "DELETE FROM stay WHERE guest_id = $1 AND stay_token = $2";
    COPY_CONSENT = "INSERT INTO consent (guest_id, consent_id, purpose, recipient, state, channel, indication, notice_id,
                        record_id, property, captured_by, captured_actor, valid_until, evidence, at, scope, separate,
                        terms, details, entry_id)
                    SELECT $2, consent_id, purpose, recipient, state, channel, indication, notice_id, record_id,
                        property, captured_by, captured_actor, valid_until, $4, at, scope, separate, terms, $5, entry_id
                    FROM consent WHERE guest_id = $1 AND consent_id = $3
                    ON CONFLICT (guest_id, consent_id) DO NOTHING";
    DELETE_CONSENT = "DELETE FROM consent WHERE guest_id = $1 AND consent_id = $2";
    DELETE_RECORD = "DELETE FROM record WHERE guest_id = $1 AND record_id = $2";
    DELETE_VALUES = "DELETE FROM field_value WHERE guest_id = $1 AND record_id = $2";
    DELETE_VALUE = "DELETE FROM field_value WHERE guest_id = $1 AND record_id = $2 AND field = $3";
    MOVE_TOKENS = "UPDATE blind_index SET guest_id = $2 WHERE guest_id = $1 AND record_id = $3";
    MOVE_LIKENESS = "UPDATE likeness_token SET guest_id = $2 WHERE guest_id = $1 AND record_id = $3";
    MOVE_SOURCE = "UPDATE source_record SET guest_id = $2 WHERE guest_id = $1 AND record_id = $3";
    MERGE_INSERT = "INSERT INTO guest_merge (merge_id, survivor, absorbed, state, bits, weights, manager_moved, done_by,
                        done_at, undone_by, undone_at)
                    VALUES ($1, $2, $3, 'done', $4, $5, $6, $7, $8, NULL, NULL)";
    MERGE_FIND = "SELECT merge_id, survivor, absorbed, state, manager_moved FROM guest_merge WHERE merge_id = $1";
    MERGE_OF_ABSORBED = "SELECT merge_id, survivor, absorbed, state, manager_moved FROM guest_merge
                         WHERE absorbed = $1 AND state = 'done'";
    MERGE_UNDONE = "UPDATE guest_merge SET state = 'undone', undone_by = $2, undone_at = $3
                    WHERE merge_id = $1 AND state = 'done'";
    PART_INSERT = "INSERT INTO merge_part (merge_id, kind, part_id) VALUES ($1, $2, $3)";
    PARTS = "SELECT kind, part_id FROM merge_part WHERE merge_id = $1";
    APART_INSERT = "INSERT INTO kept_apart (record_id, other_id, decided_by, decided_at) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (record_id, other_id) DO NOTHING";
    REVIEW_FIND = "SELECT review_id, kind, one_id AS guest_id, record_id, other_id, bits, reasons, weights, property, priority, state,
                       created_at
                   FROM review WHERE review_id = $1";
    REVIEWS = "SELECT review_id, kind, one_id AS guest_id, record_id, other_id, bits, reasons, weights, property, priority, state,
                       created_at
               FROM review WHERE state = $1 AND (priority < $2 OR (priority = $2 AND review_id > $3))
               ORDER BY priority DESC, review_id LIMIT $4";
    REVIEW_STATE = "UPDATE review SET state = $2, decided_by = $3, decided_at = $4, priority = priority - $5
                    WHERE review_id = $1 AND state = 'open'";
    REVIEW_MOVED = "UPDATE review SET state = 'answered', decided_by = $3, decided_at = $4
                    WHERE state = 'open' AND ((one_id = $1 AND other_id = $2) OR (one_id = $2 AND other_id = $1))";
}

/// A record's head.
#[derive(sqlx::FromRow)]
pub struct Head {
    /// Its id.
    pub record_id: Uuid,
    /// The source's id, sealed.
    pub source_id: Vec<u8>,
    /// Keyed code of the content.
    pub content_mac: Vec<u8>,
    /// When it came.
    pub received_at: i64,
}

/// A sealed value.
#[derive(sqlx::FromRow)]
pub struct SealedValue {
    /// Of which record.
    pub record_id: Uuid,
    /// Which field.
    pub field: String,
    /// Its version, bound into the seal.
    pub version: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
}

/// A sealed stay.
#[derive(sqlx::FromRow)]
pub struct SealedStay {
    /// Its token.
    pub stay_token: Uuid,
    /// Where.
    pub property: String,
    /// From which record; nil when staff linked it.
    pub record_id: Uuid,
    /// Its version, bound into the seal.
    pub version: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
}

/// What of a consent is sealed.
#[derive(sqlx::FromRow)]
pub struct SealedConsent {
    /// Its id.
    pub consent_id: Uuid,
    /// From which record.
    pub record_id: Option<Uuid>,
    /// Evidence, sealed.
    pub evidence: Option<Vec<u8>>,
    /// Details, sealed.
    pub details: Option<Vec<u8>>,
}

/// All of a guest that is sealed.
pub struct Sealed {
    /// Heads of records.
    pub records: Vec<Head>,
    /// Values.
    pub values: Vec<SealedValue>,
    /// Stays.
    pub stays: Vec<SealedStay>,
    /// Consents.
    pub consents: Vec<SealedConsent>,
}

/// A merge.
#[derive(sqlx::FromRow, Clone)]
pub struct MergeRow {
    /// Its id.
    pub merge_id: Uuid,
    /// Who goes on.
    pub survivor: Uuid,
    /// Who was taken in.
    pub absorbed: Uuid,
    /// `done` or `undone`.
    pub state: String,
    /// Whether the survivor took over the account manager.
    pub manager_moved: i64,
}

/// A question for a steward.
#[derive(sqlx::FromRow, Clone)]
pub struct ReviewRow {
    /// Its id.
    pub review_id: Uuid,
    /// `record` or `duplicate`.
    pub kind: String,
    /// The one guest.
    pub guest_id: Uuid,
    /// The record that raised it.
    pub record_id: Uuid,
    /// The other guest.
    pub other_id: Uuid,
    /// Thousandths of a bit.
    pub bits: i64,
    /// Names of fields and levels with their bits, as JSON.
    pub reasons: String,
    /// The version of the weights.
    pub weights: String,
    /// At which property it came up.
    pub property: String,
    /// Higher first.
    pub priority: i64,
    /// `open`, `same`, `different`, `answered`.
    pub state: String,
    /// When, in microseconds.
    pub created_at: i64,
}

/// Runs a statement with these guests, record or token, and bytes.
macro_rules! run {
    ($tx:expr, $sql:expr, $($value:expr),*) => {
        on!($tx, c => sqlx::query($sql)$(.bind($value))*.execute(c).await?.rows_affected())
    };
}

impl Conn {
    /// A merge.
    ///
    /// # Errors
    /// What the database says.
    pub async fn merge(&mut self, merge: Uuid) -> Result<Option<MergeRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(MERGE_FIND).bind(merge).fetch_optional(c).await?))
    }

    /// The merge by which a guest was taken in.
    ///
    /// # Errors
    /// What the database says.
    pub async fn merge_of(&mut self, absorbed: GuestId) -> Result<Option<MergeRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(MERGE_OF_ABSORBED).bind(absorbed.0).fetch_optional(c).await?))
    }

    /// The records of a guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_ids(&mut self, guest: GuestId) -> Result<Vec<Uuid>, StoreError> {
        let heads: Vec<Head> = on!(self, c => sqlx::query_as(RECORDS_OF).bind(guest.0).fetch_all(c).await?);
        Ok(heads.into_iter().map(|head| head.record_id).collect())
    }

    /// Whether a steward said of any two of these records that they are of different people.
    ///
    /// # Errors
    /// What the database says.
    pub async fn are_apart(&mut self, ones: &[Uuid], others: &[Uuid]) -> Result<bool, StoreError> {
        if ones.is_empty() || others.is_empty() {
            return Ok(false);
        }
        let list = |from: usize, count: usize| {
            let all: Vec<String> = (from..from + count).map(|at| format!("${at}")).collect();
            all.join(", ")
        };
        for ones in ones.chunks(100) {
            for others in others.chunks(100) {
                let sql = format!(
                    "SELECT count(*) FROM kept_apart WHERE record_id IN ({}) AND other_id IN ({})",
                    list(1, ones.len()),
                    list(1 + ones.len(), others.len())
                );
                let found: i64 = on!(self, c => {
                    let mut query = sqlx::query_scalar(AssertSqlSafe(sql));
                    for id in ones.iter().chain(others) {
                        query = query.bind(*id);
                    }
                    query.fetch_one(c).await?
                });
                if found > 0 {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// A question.
    ///
    /// # Errors
    /// What the database says.
    pub async fn review(&mut self, review: Uuid) -> Result<Option<ReviewRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(REVIEW_FIND).bind(review).fetch_optional(c).await?))
    }

    /// Questions in a state, the most urgent first, after a place.
    ///
    /// # Errors
    /// What the database says.
    pub async fn reviews(
        &mut self,
        state: &str,
        (priority, after): (i64, Uuid),
        most: i64,
    ) -> Result<Vec<ReviewRow>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(REVIEWS).bind(state).bind(priority).bind(after).bind(most).fetch_all(c).await?
        }))
    }
}

impl Tx {
    /// All of a guest that is sealed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sealed_of(&mut self, guest: GuestId) -> Result<Sealed, StoreError> {
        Ok(Sealed {
            records: on!(self, c => sqlx::query_as(RECORDS_OF).bind(guest.0).fetch_all(c).await?),
            values: on!(self, c => sqlx::query_as(VALUES_OF).bind(guest.0).fetch_all(c).await?),
            stays: on!(self, c => sqlx::query_as(STAYS_OF).bind(guest.0).fetch_all(c).await?),
            consents: on!(self, c => sqlx::query_as(CONSENTS_OF).bind(guest.0).fetch_all(c).await?),
        })
    }

    /// Retires a guest in favour of another.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed meanwhile.
    pub async fn mark_merged(
        &mut self,
        guest: GuestId,
        into: GuestId,
        version: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        match run!(self, MARK_MERGED, guest.0, into.0, version, now) {
            1 => Ok(()),
            _ => Err(StoreError::Stale),
        }
    }

    /// Gives a retired guest back.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is not retired in favour of this one.
    pub async fn mark_active(&mut self, guest: GuestId, from: GuestId, now: i64) -> Result<(), StoreError> {
        match run!(self, MARK_ACTIVE, guest.0, from.0, now) {
            1 => Ok(()),
            _ => Err(StoreError::Stale),
        }
    }

    /// Lets a guest without account manager have that of another; whether it did.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_manager(&mut self, guest: GuestId, of: GuestId) -> Result<bool, StoreError> {
        Ok(run!(self, TAKE_MANAGER, guest.0, of.0) == 1)
    }

    /// Takes a guest out of every portfolio.
    ///
    /// # Errors
    /// What the database says.
    pub async fn drop_manager(&mut self, guest: GuestId) -> Result<(), StoreError> {
        run!(self, DROP_MANAGER, guest.0);
        Ok(())
    }

    /// Copies a record's head, its source's id sealed anew.
    ///
    /// # Errors
    /// What the database says.
    pub async fn copy_record(
        &mut self,
        (from, to): (GuestId, GuestId),
        record: Uuid,
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        run!(self, COPY_RECORD, from.0, to.0, record, sealed);
        Ok(())
    }

    /// Copies a value, sealed anew.
    ///
    /// # Errors
    /// What the database says.
    pub async fn copy_value(
        &mut self,
        (from, to): (GuestId, GuestId),
        (record, field): (Uuid, &str),
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        run!(self, COPY_VALUE, from.0, to.0, record, field, sealed);
        Ok(())
    }

    /// Copies a stay, sealed anew, with what it is found by.
    ///
    /// # Errors
    /// What the database says.
    pub async fn copy_stay(
        &mut self,
        (from, to): (GuestId, GuestId),
        stay: Uuid,
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        run!(self, COPY_STAY, from.0, to.0, stay, sealed);
        run!(self, DELETE_STAY_INDEX, to.0, stay);
        run!(self, COPY_STAY_INDEX, from.0, to.0, stay);
        Ok(())
    }

    /// Takes a stay away.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_stay(&mut self, guest: GuestId, stay: Uuid) -> Result<(), StoreError> {
        run!(self, DELETE_STAY_INDEX, guest.0, stay);
        run!(self, DELETE_STAY, guest.0, stay);
        Ok(())
    }

    /// Copies a line of the ledger, what is sealed in it sealed anew.
    ///
    /// # Errors
    /// What the database says.
    pub async fn copy_consent(
        &mut self,
        (from, to): (GuestId, GuestId),
        consent: Uuid,
        (evidence, details): (Option<Vec<u8>>, Option<Vec<u8>>),
    ) -> Result<(), StoreError> {
        run!(
            self,
            COPY_CONSENT,
            from.0,
            to.0,
            consent,
            evidence.clone(),
            details.clone()
        );
        Ok(())
    }

    /// Takes a line away that a merge put there.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_merged_consent(&mut self, guest: GuestId, consent: Uuid) -> Result<(), StoreError> {
        run!(self, DELETE_CONSENT, guest.0, consent);
        Ok(())
    }

    /// Takes a value away.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_one_value(
        &mut self,
        guest: GuestId,
        record: Uuid,
        field: &str,
    ) -> Result<(), StoreError> {
        run!(self, DELETE_VALUE, guest.0, record, field);
        Ok(())
    }

    /// Takes a record with its values away.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_record_away(&mut self, guest: GuestId, record: Uuid) -> Result<(), StoreError> {
        run!(self, DELETE_VALUES, guest.0, record);
        run!(self, DELETE_RECORD, guest.0, record);
        Ok(())
    }

    /// Gives what a record is found by to another guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn move_tokens(
        &mut self,
        (from, to): (GuestId, GuestId),
        record: Uuid,
    ) -> Result<(), StoreError> {
        run!(self, MOVE_TOKENS, from.0, to.0, record);
        run!(self, MOVE_LIKENESS, from.0, to.0, record);
        run!(self, MOVE_SOURCE, from.0, to.0, record);
        Ok(())
    }

    /// Notes a merge.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_merge(
        &mut self,
        merge: &MergeRow,
        (bits, weights): (i64, &str),
        by: Uuid,
        now: i64,
    ) -> Result<(), StoreError> {
        let (id, survivor, absorbed) = (merge.merge_id, merge.survivor, merge.absorbed);
        run!(
            self,
            MERGE_INSERT,
            id,
            survivor,
            absorbed,
            bits,
            weights,
            merge.manager_moved,
            by,
            now
        );
        Ok(())
    }

    /// Notes that a merge was undone.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was already.
    pub async fn merge_undone(&mut self, merge: Uuid, by: Uuid, now: i64) -> Result<(), StoreError> {
        match run!(self, MERGE_UNDONE, merge, by, now) {
            1 => Ok(()),
            _ => Err(StoreError::Stale),
        }
    }

    /// Notes what a merge put beside the survivor's own.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_part(&mut self, merge: Uuid, kind: &str, part: Uuid) -> Result<(), StoreError> {
        run!(self, PART_INSERT, merge, kind, part);
        Ok(())
    }

    /// What a merge put beside the survivor's own.
    ///
    /// # Errors
    /// What the database says.
    pub async fn merge_parts(&mut self, merge: Uuid) -> Result<Vec<(String, Uuid)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(PARTS).bind(merge).fetch_all(c).await?))
    }

    /// Remembers that two records are of different people.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keep_apart(&mut self, one: Uuid, other: Uuid, by: Uuid, now: i64) -> Result<(), StoreError> {
        run!(self, APART_INSERT, one, other, by, now);
        run!(self, APART_INSERT, other, one, by, now);
        Ok(())
    }

    /// Notes the answer to a question; `later` lowers its priority and leaves it open.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was answered already.
    pub async fn answer_review(
        &mut self,
        review: Uuid,
        state: &str,
        (by, now): (Uuid, i64),
        lower: i64,
    ) -> Result<(), StoreError> {
        match run!(self, REVIEW_STATE, review, state, by, now, lower) {
            1 => Ok(()),
            _ => Err(StoreError::Stale),
        }
    }

    /// Closes the questions about two guests that became one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn close_reviews(
        &mut self,
        one: GuestId,
        other: GuestId,
        by: Uuid,
        now: i64,
    ) -> Result<(), StoreError> {
        run!(self, REVIEW_MOVED, one.0, other.0, by, now);
        Ok(())
    }
}
