//! Statements that move what lies with one guest to another, and back: ciphertext, tokens and ids only.

use uuid::Uuid;

use crate::{
    base::GuestId,
    guest::sql::stay_word::{SealedStay, WordRow},
    on, statements,
    store::{Conn, Database, StoreError, Tx},
};

statements! {
    RECORDS_OF = "SELECT record_id, source_id, content_mac, received_at FROM record WHERE guest_id = $1 ORDER BY record_id";
    VALUES_OF = "SELECT record_id, field, version, sealed FROM field_value WHERE guest_id = $1 ORDER BY record_id, field";
    STAYS_OF = "SELECT stay_token, property, record_id, version, sealed, updated_at FROM stay WHERE guest_id = $1 ORDER BY stay_token";
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
    COPY_VALUE = "INSERT INTO field_value (guest_id, record_id, field, version, sealed, pinned, verified, trust, observed_at,
                      said_at)
                  SELECT $2, record_id, field, version, $5, pinned, verified, trust, observed_at, said_at
                  FROM field_value WHERE guest_id = $1 AND record_id = $3 AND field = $4
                  ON CONFLICT (guest_id, record_id, field) DO UPDATE
                  SET version = excluded.version, sealed = excluded.sealed, pinned = excluded.pinned,
                      verified = excluded.verified, trust = excluded.trust, observed_at = excluded.observed_at,
                      said_at = excluded.said_at";
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
                        terms, details, entry_id, told_at)
                    SELECT $2, consent_id, purpose, recipient, state, channel, indication, notice_id, record_id,
                        property, captured_by, captured_actor, valid_until, $4, at, scope, separate, terms, $5, entry_id,
                        told_at
                    FROM consent WHERE guest_id = $1 AND consent_id = $3
                    ON CONFLICT (guest_id, consent_id) DO NOTHING";
    DELETE_CONSENT = "DELETE FROM consent WHERE guest_id = $1 AND consent_id = $2";
    DELETE_RECORD = "DELETE FROM record WHERE guest_id = $1 AND record_id = $2";
    DELETE_VALUES = "DELETE FROM field_value WHERE guest_id = $1 AND record_id = $2";
    DELETE_VALUE = "DELETE FROM field_value WHERE guest_id = $1 AND record_id = $2 AND field = $3";
    MOVE_TOKENS = "UPDATE blind_index SET guest_id = $2 WHERE guest_id = $1 AND record_id = $3";
    MOVE_LIKENESS = "UPDATE likeness_token SET guest_id = $2 WHERE guest_id = $1 AND record_id = $3";
    MOVE_SOURCE = "UPDATE source_record SET guest_id = $2 WHERE guest_id = $1 AND record_id = $3";
    OBSERVATIONS_OF = "SELECT observation_id, drawer, sealed FROM observation WHERE guest_id = $1 ORDER BY observation_id";
    COPY_OBSERVATION = "INSERT INTO observation (guest_id, observation_id, property, principal, actor, drawer, at, sealed)
                        SELECT $2, observation_id, property, principal, actor, drawer, at, $4
                        FROM observation WHERE guest_id = $1 AND observation_id = $3";
    MOVE_QUEUED = "UPDATE observation_queue SET guest_id = $2 WHERE guest_id = $1 AND observation_id = $3";
    DELETE_OBSERVATION = "DELETE FROM observation WHERE guest_id = $1 AND observation_id = $2";
    /// What a steward gave to another guest no import removes.
    MOVE_IMPORTED = "UPDATE import_record SET guest_id = $2, made = false WHERE guest_id = $1 AND record_id = $3";
    /// One that both have, because it was put while they were one, stays with each, unless it stands here and was lifted
    /// there.
    HOLDS_OF = "SELECT hold_id FROM hold WHERE guest_id = $1
                    AND NOT EXISTS (SELECT 1 FROM hold o WHERE o.guest_id = $2 AND o.hold_id = hold.hold_id
                                        AND (o.lifted_at IS NULL OR hold.lifted_at IS NOT NULL))
                ORDER BY hold_id";
    MOVE_HOLD = "UPDATE hold SET guest_id = $2 WHERE guest_id = $1 AND hold_id = $3";
    /// What was put while two were one was put for both; not what another merge, that is in force, brought.
    SHARE_HOLDS = "INSERT INTO hold (guest_id, hold_id, matter, ground, categories, review_on, author, author_actor, approver,
                       approver_actor, created_at, lifted_at, lifted_by, stays_from, stays_to)
                   SELECT $2, hold_id, matter, ground, categories, review_on, author, author_actor, approver,
                       approver_actor, created_at, lifted_at, lifted_by, stays_from, stays_to
                   FROM hold WHERE guest_id = $1 AND lifted_at IS NULL AND created_at > $3
                       AND hold_id NOT IN (SELECT p.part_id FROM merge_part p
                                           JOIN guest_merge m ON m.merge_id = p.merge_id
                                           WHERE p.kind = 'hold' AND m.survivor = $1 AND m.state = 'done')
                       AND hold_id NOT IN (SELECT o.hold_id FROM hold o WHERE o.guest_id = $2)";
    /// Whoever of the two the order was about, both are kept.
    COPY_HOLDS = "INSERT INTO hold (guest_id, hold_id, matter, ground, categories, review_on, author, author_actor, approver,
                      approver_actor, created_at, lifted_at, lifted_by, stays_from, stays_to)
                  SELECT $2, hold_id, matter, ground, categories, review_on, author, author_actor, approver,
                      approver_actor, created_at, lifted_at, lifted_by, stays_from, stays_to
                  FROM hold WHERE guest_id = $1 AND lifted_at IS NULL";
    /// Who was signed in as one of the two proved a contact of that one alone.
    SESSIONS_END = "DELETE FROM browser_session WHERE guest_id IN ($1, $2)";
    TICKETS_END = "UPDATE portal_ticket SET ends_at = 0 WHERE guest_id IN ($1, $2) AND ends_at > 0";
    COPY_FINDINGS = "INSERT INTO quality_finding (guest_id, field, fault, found_at, settled_at, settled)
                     SELECT $2, field, fault, found_at, settled_at, settled
                     FROM quality_finding WHERE guest_id = $1 AND settled_at IS NULL
                     ON CONFLICT (guest_id, field, fault) DO NOTHING";
    /// What was settled of the two is settled of the one it was found with.
    SETTLE_FINDINGS = "UPDATE quality_finding SET settled_at = $3, settled = 'mended'
                       WHERE guest_id = $2 AND settled_at IS NULL
                           AND EXISTS (SELECT 1 FROM quality_finding t
                                       WHERE t.guest_id = $1 AND t.field = quality_finding.field
                                           AND t.fault = quality_finding.fault
                                           AND t.found_at = quality_finding.found_at AND t.settled_at IS NOT NULL)";
    DROP_FINDINGS = "DELETE FROM quality_finding
                     WHERE guest_id = $1
                         AND EXISTS (SELECT 1 FROM quality_finding t
                                     WHERE t.guest_id = $2 AND t.field = quality_finding.field
                                         AND t.fault = quality_finding.fault AND t.found_at = quality_finding.found_at)";
    REQUESTS_OF = "SELECT request_id FROM request WHERE guest_id = $1 ORDER BY request_id";
    MOVE_REQUEST = "UPDATE request SET guest_id = $2, version = version + 1 WHERE guest_id = $1 AND request_id = $3";
    ERASURE_WAITS = "SELECT count(*) FROM request
                     WHERE guest_id IN ($1, $2) AND kind = 'erasure' AND state = 'waiting'";
    REVIEWS_OF_ONE = "SELECT review_id FROM review WHERE one_id = $1 AND state = 'open' ORDER BY review_id";
    REVIEWS_OF_OTHER = "SELECT review_id FROM review WHERE other_id = $1 AND state = 'open' ORDER BY review_id";
    MOVE_REVIEW_ONE = "UPDATE review SET one_id = $2 WHERE one_id = $1 AND review_id = $3";
    MOVE_REVIEW_OTHER = "UPDATE review SET other_id = $2 WHERE other_id = $1 AND review_id = $3";
}

/// A record's head.
#[derive(sqlx::FromRow, Clone)]
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
#[derive(sqlx::FromRow, Clone)]
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

/// What of a consent is sealed.
#[derive(sqlx::FromRow, Clone)]
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

/// An observation that is sealed.
#[derive(sqlx::FromRow, Clone)]
pub struct SealedObservation {
    /// Its id.
    pub observation_id: Uuid,
    /// Its drawer.
    pub drawer: String,
    /// Sealed.
    pub sealed: Vec<u8>,
}

/// All of a guest that is sealed, or part of it.
#[derive(Default)]
pub struct Sealed {
    /// Heads of records.
    pub records: Vec<Head>,
    /// Values.
    pub values: Vec<SealedValue>,
    /// Stays.
    pub stays: Vec<SealedStay>,
    /// What each voice said of stays of which several told.
    pub words: Vec<WordRow>,
    /// Consents.
    pub consents: Vec<SealedConsent>,
    /// Observations that wait.
    pub observations: Vec<SealedObservation>,
}

/// What is moved as it is, because nothing in it is sealed to its guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// An order to keep.
    Hold,
    /// A request of the guest.
    Request,
    /// An open question about the guest as the one.
    ReviewOne,
    /// An open question about the guest as the other.
    ReviewOther,
}

impl Moved {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hold, Self::Request, Self::ReviewOne, Self::ReviewOther];

    /// As the parts of a merge name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Request => "request",
            Self::ReviewOne => "review_one",
            Self::ReviewOther => "review_other",
        }
    }

    const fn statement(self) -> &'static str {
        match self {
            Self::Hold => MOVE_HOLD,
            Self::Request => MOVE_REQUEST,
            Self::ReviewOne => MOVE_REVIEW_ONE,
            Self::ReviewOther => MOVE_REVIEW_OTHER,
        }
    }
}

impl Conn {
    /// The records of a guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_ids(&mut self, guest: GuestId) -> Result<Vec<Uuid>, StoreError> {
        records_of(self, guest).await
    }
}

async fn records_of(db: &mut impl Database, guest: GuestId) -> Result<Vec<Uuid>, StoreError> {
    let heads: Vec<Head> = on!(db, c => sqlx::query_as(RECORDS_OF).bind(guest.0).fetch_all(c).await?);
    Ok(heads.into_iter().map(|head| head.record_id).collect())
}

impl Tx {
    /// Whether an approved erasure of one of them waits.
    ///
    /// # Errors
    /// What the database says.
    pub async fn erasure_waits(&mut self, (one, other): (GuestId, GuestId)) -> Result<bool, StoreError> {
        let count: i64 =
            on!(self, c => sqlx::query_scalar(ERASURE_WAITS).bind(one.0).bind(other.0).fetch_one(c).await?);
        Ok(count > 0)
    }

    /// The records of a guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_ids(&mut self, guest: GuestId) -> Result<Vec<Uuid>, StoreError> {
        records_of(self, guest).await
    }

    /// All of a guest that is sealed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sealed_of(&mut self, guest: GuestId) -> Result<Sealed, StoreError> {
        Ok(Sealed {
            records: on!(self, c => sqlx::query_as(RECORDS_OF).bind(guest.0).fetch_all(c).await?),
            values: on!(self, c => sqlx::query_as(VALUES_OF).bind(guest.0).fetch_all(c).await?),
            stays: on!(self, c => sqlx::query_as(STAYS_OF).bind(guest.0).fetch_all(c).await?),
            words: self.stay_words(guest).await?,
            consents: on!(self, c => sqlx::query_as(CONSENTS_OF).bind(guest.0).fetch_all(c).await?),
            observations: on!(self, c => sqlx::query_as(OBSERVATIONS_OF).bind(guest.0).fetch_all(c).await?),
        })
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

    /// Gives what a record is found by, and the mark of its import, to another guest.
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
        run!(self, MOVE_IMPORTED, from.0, to.0, record);
        Ok(())
    }

    /// Copies an observation, sealed anew; there it waits from now on.
    ///
    /// # Errors
    /// What the database says.
    pub async fn copy_observation(
        &mut self,
        (from, to): (GuestId, GuestId),
        observation: Uuid,
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        run!(self, COPY_OBSERVATION, from.0, to.0, observation, sealed);
        run!(self, MOVE_QUEUED, from.0, to.0, observation);
        Ok(())
    }

    /// Gives an observation back to where it lies asleep; one that was decided about meanwhile is gone there too.
    ///
    /// # Errors
    /// What the database says.
    pub async fn return_observation(
        &mut self,
        (from, to): (GuestId, GuestId),
        observation: Uuid,
    ) -> Result<(), StoreError> {
        let gone = match run!(self, MOVE_QUEUED, from.0, to.0, observation) {
            1 => from,
            _ => to,
        };
        run!(self, DELETE_OBSERVATION, gone.0, observation);
        Ok(())
    }

    /// What of a guest can go over to another as it is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn movable(
        &mut self,
        what: Moved,
        (from, to): (GuestId, GuestId),
    ) -> Result<Vec<Uuid>, StoreError> {
        Ok(match what {
            Moved::Hold => {
                on!(self, c => sqlx::query_scalar(HOLDS_OF).bind(from.0).bind(to.0).fetch_all(c).await?)
            }
            Moved::Request => {
                on!(self, c => sqlx::query_scalar(REQUESTS_OF).bind(from.0).fetch_all(c).await?)
            }
            Moved::ReviewOne => {
                on!(self, c => sqlx::query_scalar(REVIEWS_OF_ONE).bind(from.0).fetch_all(c).await?)
            }
            Moved::ReviewOther => {
                on!(self, c => sqlx::query_scalar(REVIEWS_OF_OTHER).bind(from.0).fetch_all(c).await?)
            }
        })
    }

    /// Gives one of them over. A hold that the other has as well comes back in exchange, so that undoing gives each its
    /// own.
    ///
    /// # Errors
    /// What the database says.
    pub async fn give_over(
        &mut self,
        what: Moved,
        (from, to): (GuestId, GuestId),
        id: Uuid,
    ) -> Result<(), StoreError> {
        let nobody = Uuid::nil();
        if what == Moved::Hold {
            run!(self, MOVE_HOLD, to.0, nobody, id);
        }
        run!(self, what.statement(), from.0, to.0, id);
        if what == Moved::Hold {
            run!(self, MOVE_HOLD, nobody, from.0, id);
        }
        Ok(())
    }

    /// Ends the sessions of the two in the guests' pages, and what would open one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_sessions(&mut self, (from, to): (GuestId, GuestId)) -> Result<(), StoreError> {
        run!(self, SESSIONS_END, from.0, to.0);
        run!(self, TICKETS_END, from.0, to.0);
        Ok(())
    }

    /// What is to be made sure of about the one is so about the other.
    ///
    /// # Errors
    /// What the database says.
    pub async fn copy_findings(&mut self, (from, to): (GuestId, GuestId)) -> Result<(), StoreError> {
        run!(self, COPY_FINDINGS, from.0, to.0);
        Ok(())
    }

    /// Takes away what [`Tx::copy_findings`] put there; what was settled meanwhile is settled where it came from.
    ///
    /// # Errors
    /// What the database says.
    pub async fn return_findings(
        &mut self,
        (from, to): (GuestId, GuestId),
        now: i64,
    ) -> Result<(), StoreError> {
        run!(self, SETTLE_FINDINGS, from.0, to.0, now);
        run!(self, DROP_FINDINGS, from.0, to.0);
        Ok(())
    }

    /// Puts the holds that stand for the other as well.
    ///
    /// # Errors
    /// What the database says.
    pub async fn copy_holds(&mut self, (from, to): (GuestId, GuestId)) -> Result<(), StoreError> {
        run!(self, COPY_HOLDS, from.0, to.0);
        Ok(())
    }

    /// Puts the holds that were put since then for the other as well.
    ///
    /// # Errors
    /// What the database says.
    pub async fn share_holds(
        &mut self,
        (from, to): (GuestId, GuestId),
        since: i64,
    ) -> Result<(), StoreError> {
        run!(self, SHARE_HOLDS, from.0, to.0, since);
        Ok(())
    }
}
