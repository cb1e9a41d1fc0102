//! Statements about merges, and the reviews that stewards answer: ciphertext, tokens and ids only.

use uuid::Uuid;

use crate::{
    base::GuestId,
    on, statements,
    store::{Conn, StoreError, Tx},
};

/// Runs a statement with these guests, record or token, and bytes.
macro_rules! run {
    ($tx:expr, $sql:expr, $($value:expr),*) => {
        on!($tx, c => sqlx::query($sql)$(.bind($value))*.execute(c).await?.rows_affected())
    };
}

pub mod crossing;
pub mod rekey;
pub mod words;

statements! {
    MARK_MERGED = "UPDATE guest SET status = 'merged', survivor = $2, version = version + 1, updated_at = $4,
                       lapsing_state = CASE WHEN lapsing_state = 0 THEN 0 ELSE 2 END
                   WHERE guest_id = $1 AND version = $3 AND status = 'active'";
    MARK_ACTIVE = "UPDATE guest SET status = 'active', survivor = NULL, version = version + 1, updated_at = $3,
                       lapsing_state = CASE WHEN lapsing_state = 0 THEN 0 ELSE 2 END
                   WHERE guest_id = $1 AND status = 'merged' AND survivor = $2";
    TAKE_MANAGER = "UPDATE guest SET manager_token = (SELECT o.manager_token FROM guest o WHERE o.guest_id = $2)
                    WHERE guest_id = $1 AND manager_token IS NULL
                        AND EXISTS (SELECT 1 FROM guest o WHERE o.guest_id = $2 AND o.manager_token IS NOT NULL)";
    PSEUDONYM_INSERT = "INSERT INTO pseudonym (token, guest_id, principal_id, made_at) VALUES ($1, $2, $3, $4)
                        ON CONFLICT (token) DO NOTHING";
    PSEUDONYM = "SELECT guest_id, principal_id FROM pseudonym WHERE token = $1";
    REVIEWS_ALL = "SELECT review_id, kind, one_id AS guest_id, record_id, other_id, bits, reasons, weights, property, priority, state,
                       created_at, decided_by
                   FROM review WHERE review_id > $1 ORDER BY review_id LIMIT $2";
    WEIGHTS_NEWEST = "SELECT version, shifts FROM learnt_weights ORDER BY version DESC LIMIT 1";
    WEIGHTS_OF = "SELECT version, shifts FROM learnt_weights WHERE version = $1";
    WEIGHTS_INSERT = "INSERT INTO learnt_weights (version, shifts, answers, seed, made_by, made_at)
                      VALUES ($1, $2, $3, $4, $5, $6)";
    MERGE_INSERT = "INSERT INTO guest_merge (merge_id, survivor, absorbed, state, bits, weights, manager_moved, done_by,
                        done_at, undone_by, undone_at)
                    VALUES ($1, $2, $3, 'done', $4, $5, $6, $7, $8, NULL, NULL)";
    MERGE_FIND = "SELECT merge_id, survivor, absorbed, state, manager_moved, done_at FROM guest_merge WHERE merge_id = $1";
    MERGE_OF_ABSORBED = "SELECT merge_id, survivor, absorbed, state, manager_moved, done_at FROM guest_merge
                         WHERE absorbed = $1 AND state = 'done'";
    MERGES_INTO = "SELECT merge_id, survivor, absorbed, state, manager_moved, done_at FROM guest_merge
                   WHERE survivor = $1 AND state = 'done' ORDER BY merge_id";
    MERGE_UNDONE = "UPDATE guest_merge SET state = 'undone', undone_by = $2, undone_at = $3
                    WHERE merge_id = $1 AND state = 'done'";
    PART_INSERT = "INSERT INTO merge_part (merge_id, kind, part_id) VALUES ($1, $2, $3)
                   ON CONFLICT (merge_id, kind, part_id) DO NOTHING";
    PARTS = "SELECT kind, part_id FROM merge_part WHERE merge_id = $1";
    REVIEW_FIND = "SELECT review_id, kind, one_id AS guest_id, record_id, other_id, bits, reasons, weights, property, priority, state,
                       created_at, decided_by
                   FROM review WHERE review_id = $1";
    REVIEWS = "SELECT review_id, kind, one_id AS guest_id, record_id, other_id, bits, reasons, weights, property, priority, state,
                       created_at, decided_by
               FROM review WHERE state = $1 AND (priority < $2 OR (priority = $2 AND review_id > $3))
               ORDER BY priority DESC, review_id LIMIT $4";
    REVIEW_STATE = "UPDATE review SET state = $2, decided_by = $3, decided_at = $4, priority = priority - $5
                    WHERE review_id = $1 AND state = 'open'";
    REVIEW_PARTED = "UPDATE review SET state = 'different', decided_by = $3, decided_at = $4
                     WHERE state = 'answered' AND ((one_id = $1 AND other_id = $2) OR (one_id = $2 AND other_id = $1))";
    REVIEW_ASKED = "SELECT count(*) FROM review
                    WHERE state IN ('open', 'different') AND ((one_id = $1 AND other_id = $2) OR (one_id = $2 AND other_id = $1))";
    FIRST_RECORD = "SELECT record_id, property FROM record WHERE guest_id = $1 ORDER BY record_id LIMIT 1";
    GUESTS_ACTIVE = "SELECT guest_id FROM guest WHERE guest_id > $1 AND status = 'active' ORDER BY guest_id LIMIT $2";
    REVIEW_MOVED = "UPDATE review SET state = 'answered', decided_by = $3, decided_at = $4
                    WHERE state = 'open' AND ((one_id = $1 AND other_id = $2) OR (one_id = $2 AND other_id = $1))";
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
    /// When, in microseconds.
    pub done_at: i64,
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
    /// Who answered it last.
    pub decided_by: Option<Uuid>,
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

    /// The merges that a guest goes on from.
    ///
    /// # Errors
    /// What the database says.
    pub async fn merges_into(&mut self, survivor: GuestId) -> Result<Vec<MergeRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(MERGES_INTO).bind(survivor.0).fetch_all(c).await?))
    }

    /// Whether a steward was asked about two guests, or has said that they are two.
    ///
    /// # Errors
    /// What the database says.
    pub async fn is_asked(&mut self, one: GuestId, other: GuestId) -> Result<bool, StoreError> {
        let found: i64 = on!(self, c => {
            sqlx::query_scalar(REVIEW_ASKED).bind(one.0).bind(other.0).fetch_one(c).await?
        });
        Ok(found > 0)
    }

    /// A guest's first record, and where it came from.
    ///
    /// # Errors
    /// What the database says.
    pub async fn first_record(&mut self, guest: GuestId) -> Result<Option<(Uuid, String)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(FIRST_RECORD).bind(guest.0).fetch_optional(c).await?))
    }

    /// Active guests after one, in order.
    ///
    /// # Errors
    /// What the database says.
    pub async fn active_guests(&mut self, after: Uuid, most: i64) -> Result<Vec<GuestId>, StoreError> {
        let guests: Vec<Uuid> =
            on!(self, c => sqlx::query_scalar(GUESTS_ACTIVE).bind(after).bind(most).fetch_all(c).await?);
        Ok(guests.into_iter().map(GuestId).collect())
    }

    /// Whose handle a token is, and for whom.
    ///
    /// # Errors
    /// What the database says.
    pub async fn pseudonym(&mut self, token: &[u8]) -> Result<Option<(Uuid, Uuid)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(PSEUDONYM).bind(token).fetch_optional(c).await?))
    }

    /// Questions in every state, by id, after one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn all_reviews(&mut self, after: Uuid, most: i64) -> Result<Vec<ReviewRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(REVIEWS_ALL).bind(after).bind(most).fetch_all(c).await?))
    }

    /// Learnt weights: of a version, or the newest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn learnt(&mut self, version: Option<i64>) -> Result<Option<(i64, String)>, StoreError> {
        Ok(match version {
            Some(version) => {
                on!(self, c => sqlx::query_as(WEIGHTS_OF).bind(version).fetch_optional(c).await?)
            }
            None => on!(self, c => sqlx::query_as(WEIGHTS_NEWEST).fetch_optional(c).await?),
        })
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

    /// Answers the questions about two guests that were one and are two again.
    ///
    /// # Errors
    /// What the database says.
    pub async fn part_reviews(
        &mut self,
        (one, other): (GuestId, GuestId),
        by: Uuid,
        now: i64,
    ) -> Result<(), StoreError> {
        run!(self, REVIEW_PARTED, one.0, other.0, by, now);
        Ok(())
    }

    /// Keeps a handle; the same again changes nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_pseudonym(
        &mut self,
        token: [u8; 16],
        guest: GuestId,
        consumer: Uuid,
        now: i64,
    ) -> Result<(), StoreError> {
        run!(self, PSEUDONYM_INSERT, token.to_vec(), guest.0, consumer, now);
        Ok(())
    }

    /// Keeps learnt weights.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_weights(
        &mut self,
        (version, shifts): (i64, &str),
        (answers, seed): (i64, i64),
        by: Uuid,
        now: i64,
    ) -> Result<(), StoreError> {
        run!(self, WEIGHTS_INSERT, version, shifts, answers, seed, by, now);
        Ok(())
    }
}
