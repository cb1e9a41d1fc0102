//! Statements of requests.

pub mod agents;

use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::{
    base::{Caller, Errand, GuestId, PrincipalId, PropertyCode, Reach},
    on, statements,
    store::{Conn, Database, StoreError, Tx},
};

statements! {
    REQUEST_INSERT = "INSERT INTO request (request_id, guest_id, kind, regime, state, via, property, received_at, due_on,
                          extended, stopped_days, stopped_since, duplicate_of, opened_by, opened_actor, version, outcome,
                          updated_at)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 1, NULL, $8)";
    REQUEST = "SELECT request_id, guest_id, kind, regime, state, via, property, received_at, due_on, extended,
                   stopped_days, stopped_since, duplicate_of, opened_by, opened_actor, version, outcome
               FROM request WHERE request_id = $1";
    REQUEST_UPDATE = "UPDATE request SET guest_id = $3, state = $4, due_on = $5, extended = $6, stopped_days = $7,
                          stopped_since = $8, outcome = $9, updated_at = $10, version = version + 1
                      WHERE request_id = $1 AND version = $2";
    REQUEST_SAME = "SELECT request_id FROM request
                    WHERE guest_id = $1 AND kind = $2 AND state NOT IN ('done', 'denied', 'revoked', 'duplicate')
                    ORDER BY request_id LIMIT 1";
    REQUEST_COVERS = "SELECT request_id FROM request
                      WHERE guest_id = $1 AND kind = $2 AND state NOT IN ('done', 'denied', 'revoked', 'duplicate')
                          AND (regime = $3 OR due_on <= $4)
                      ORDER BY request_id LIMIT 1";
    REQUEST_COVERS_PROVEN = "SELECT request_id FROM request
                      WHERE guest_id = $1 AND kind = $2
                          AND state NOT IN ('received', 'done', 'denied', 'revoked', 'duplicate')
                          AND (regime = $3 OR due_on <= $4)
                      ORDER BY request_id LIMIT 1";
    REQUEST_HOLD = "UPDATE request SET version = version
                    WHERE request_id = $1 AND guest_id = $2 AND state NOT IN ('done', 'denied', 'revoked', 'duplicate')";
    REQUEST_DUPLICATES = "SELECT request_id FROM request WHERE guest_id = $1 AND duplicate_of = $2 AND state = 'duplicate'
                          ORDER BY request_id";
    REQUEST_REOPEN = "UPDATE request SET state = 'received', duplicate_of = NULL, version = version + 1, updated_at = $2
                      WHERE request_id = $1 AND state = 'duplicate' AND duplicate_of = $3";
    REQUEST_WAITS = "SELECT request_id FROM request WHERE guest_id = $1 AND kind = 'erasure' AND state = 'waiting' LIMIT 1";
    RESTRICTIONS = "SELECT r.request_id FROM request r
                    WHERE r.guest_id = $1 AND r.kind = 'restriction' AND r.state = 'done'
                        AND NOT EXISTS (SELECT 1 FROM request_step s WHERE s.request_id = r.request_id AND s.step = 'lifted')
                    ORDER BY r.request_id";
    REQUESTS_WAITING = "SELECT request_id FROM request WHERE state = 'waiting' AND request_id > $1
                        ORDER BY request_id LIMIT $2";
    CONSENT_ROWS = "SELECT consent_id, purpose, recipient, state, channel, indication, property, scope, notice_id, at,
                        valid_until, evidence, details
                    FROM consent WHERE guest_id = $1 ORDER BY at, consent_id";
    OBSERVATIONS = "SELECT observation_id, property, drawer, at, sealed FROM observation
                    WHERE guest_id = $1 ORDER BY at, observation_id";
    STEP_INSERT = "INSERT INTO request_step (request_id, number, at, step, ground, principal, actor, property)
                   SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7 FROM request_step WHERE request_id = $1";
    STEPS_AT = "SELECT count(*) FROM request_step
                WHERE request_id = $1 AND replace($2, ',' || property || ',', '') <> $2";
    STEPS = "SELECT at, step, ground, principal, actor FROM request_step WHERE request_id = $1 ORDER BY number";
}

/// A case as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RequestRow {
    /// Its id.
    pub request_id: Uuid,
    /// Whose.
    pub guest_id: Option<Uuid>,
    /// What is asked for.
    pub kind: String,
    /// Under which law.
    pub regime: String,
    /// Where it stands.
    pub state: String,
    /// How it came.
    pub via: String,
    /// Where.
    pub property: String,
    /// When, in microseconds.
    pub received_at: i64,
    /// By when it is due.
    pub due_on: Option<String>,
    /// Whether it was put off.
    pub extended: bool,
    /// For how many days the clock stood.
    pub stopped_days: i64,
    /// Since when it stands.
    pub stopped_since: Option<i64>,
    /// The other case.
    pub duplicate_of: Option<Uuid>,
    /// Who took it in.
    pub opened_by: Uuid,
    /// On whose orders.
    pub opened_actor: Option<String>,
    /// Its version.
    pub version: i64,
    /// What was approved, sealed.
    pub outcome: Option<Vec<u8>>,
}

/// A step: when, what, ground, by whom, on whose orders.
pub type StepRow = (i64, String, Option<String>, Uuid, Option<String>);

/// Who takes a step.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// By which credential.
    pub principal: PrincipalId,
    /// On whose orders.
    pub actor: Option<&'a str>,
    /// At which house; nowhere when what was ordered goes on by itself.
    pub house: Option<&'a PropertyCode>,
}

impl<'a> From<&'a Errand> for By<'a> {
    fn from(errand: &'a Errand) -> Self {
        Self {
            house: Some(&errand.property),
            ..Self::from(&errand.caller)
        }
    }
}

impl<'a> By<'a> {
    /// At a house, or at none.
    pub(super) fn at(caller: &'a Caller, house: Option<&'a PropertyCode>) -> Self {
        Self {
            house,
            ..Self::from(caller)
        }
    }
}

impl<'a> From<&'a Caller> for By<'a> {
    fn from(caller: &'a Caller) -> Self {
        Self {
            principal: caller.principal,
            actor: caller.actor.as_deref(),
            house: None,
        }
    }
}

/// A note about a guest that waits for a steward.
#[derive(sqlx::FromRow)]
pub struct NoteRow {
    /// Its id.
    pub observation_id: Uuid,
    /// Made at which property.
    pub property: String,
    /// The category that it is sealed under.
    pub drawer: String,
    /// When, in microseconds.
    pub at: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
}

/// A line of the consent ledger with what is sealed beside it.
#[derive(sqlx::FromRow)]
pub struct ConsentRow {
    /// Its id.
    pub consent_id: Uuid,
    /// For which purpose.
    pub purpose: String,
    /// To whom.
    pub recipient: String,
    /// What the guest said.
    pub state: String,
    /// Where.
    pub channel: String,
    /// How.
    pub indication: String,
    /// Captured for which property.
    pub property: String,
    /// For which property, brand or group.
    pub scope: String,
    /// The notice shown.
    pub notice_id: Option<Uuid>,
    /// When, in microseconds.
    pub at: i64,
    /// Until when, in microseconds.
    pub valid_until: Option<i64>,
    /// Sealed.
    pub evidence: Option<Vec<u8>>,
    /// Sealed.
    pub details: Option<Vec<u8>>,
}

/// Which cases.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<&'static str>,
    /// Due before this day.
    pub due_before: Option<String>,
    /// Of this guest.
    pub guest: Option<Uuid>,
    /// Taken in at these houses, or about a guest of theirs.
    pub within: Reach,
}

/// One case.
///
/// # Errors
/// What the database says.
pub async fn request(db: &mut impl Database, id: Uuid) -> Result<Option<RequestRow>, StoreError> {
    Ok(on!(db, c => sqlx::query_as(REQUEST).bind(id).fetch_optional(c).await?))
}

impl Conn {
    /// The open case of this guest about this.
    ///
    /// # Errors
    /// What the database says.
    pub async fn same_request(&mut self, guest: GuestId, kind: &str) -> Result<Option<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(REQUEST_SAME).bind(guest.0).bind(kind).fetch_optional(c).await?))
    }

    /// An erasure of this guest that was approved and is not done.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waiting_erasure(&mut self, guest: GuestId) -> Result<Option<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(REQUEST_WAITS).bind(guest.0).fetch_optional(c).await?))
    }

    /// The steps of a case, in order.
    ///
    /// # Errors
    /// What the database says.
    pub async fn request_steps(&mut self, id: Uuid) -> Result<Vec<StepRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(STEPS).bind(id).fetch_all(c).await?))
    }

    /// The consent ledger of a guest, with what is sealed beside it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn consent_rows(&mut self, guest: GuestId) -> Result<Vec<ConsentRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(CONSENT_ROWS).bind(guest.0).fetch_all(c).await?))
    }

    /// The notes about a guest that wait for a steward.
    ///
    /// # Errors
    /// What the database says.
    pub async fn notes_about(&mut self, guest: GuestId) -> Result<Vec<NoteRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(OBSERVATIONS).bind(guest.0).fetch_all(c).await?))
    }

    /// Whether a step of a case was taken at one of these houses.
    ///
    /// # Errors
    /// What the database says.
    pub async fn was_at_houses(&mut self, request: Uuid, reach: &Reach) -> Result<bool, StoreError> {
        let count: i64 = on!(self, c => {
            sqlx::query_scalar(STEPS_AT).bind(request).bind(reach.as_str()).fetch_one(c).await?
        });
        Ok(count > 0)
    }

    /// Cases that wait for something to end, after one of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waiting_requests(&mut self, after: Uuid, most: i64) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(REQUESTS_WAITING).bind(after).bind(most).fetch_all(c).await?))
    }

    /// Cases, newest first, older than `before`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn requests(
        &mut self,
        filter: &Filter,
        before: Option<Uuid>,
        most: i64,
    ) -> Result<Vec<RequestRow>, StoreError> {
        Ok(on!(self, c => {
            let mut q = QueryBuilder::new(
                "SELECT request_id, guest_id, kind, regime, state, via, property, received_at, due_on, extended,
                     stopped_days, stopped_since, duplicate_of, opened_by, opened_actor, version, outcome
                 FROM request WHERE 1 = 1");
            if let Some(state) = filter.state { q.push(" AND state = ").push_bind(state); }
            if let Some(day) = &filter.due_before { q.push(" AND due_on < ").push_bind(day.clone()); }
            if let Some(guest) = filter.guest { q.push(" AND guest_id = ").push_bind(guest); }
            if !filter.within.is_whole() {
                let within = || filter.within.as_str().to_owned();
                q.push(" AND (replace(").push_bind(within()).push(", ',' || property || ',', '') <> ").push_bind(within());
                for (table, id) in [("stay", "guest_id"), ("record", "guest_id"), ("request_step", "request_id")] {
                    q.push(format!(" OR EXISTS (SELECT 1 FROM {table} x WHERE x.{id} = request.{id} AND replace("));
                    q.push_bind(within());
                    q.push(", ',' || x.property || ',', '') <> ").push_bind(within()).push(")");
                }
                q.push(")");
            }
            if let Some(before) = before { q.push(" AND request_id < ").push_bind(before); }
            q.push(" ORDER BY request_id DESC LIMIT ").push_bind(most);
            q.build_query_as().fetch_all(c).await?
        }))
    }
}

impl Tx {
    /// The open case of this guest that answers this one too: about the same, and under the same law or due no later. It
    /// stays open until this one is joined with it.
    ///
    /// Of one that the guest itself makes, `proven`, only such as somebody was made sure of: what anybody asked in its
    /// name must not swallow it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn covering_request(
        &mut self,
        guest: GuestId,
        new: &RequestRow,
        proven: bool,
    ) -> Result<Option<Uuid>, StoreError> {
        // A law that names no day is answered whenever another is.
        let due = new.due_on.as_deref().unwrap_or("9999-12-31");
        let text = if proven {
            REQUEST_COVERS_PROVEN
        } else {
            REQUEST_COVERS
        };
        let covering: Option<Uuid> = on!(self, c => {
            sqlx::query_scalar(text)
                .bind(guest.0)
                .bind(&new.kind)
                .bind(&new.regime)
                .bind(due)
                .fetch_optional(c)
                .await?
        });
        let Some(covering) = covering else {
            return Ok(None);
        };
        let held = on!(self, c => {
            sqlx::query(REQUEST_HOLD).bind(covering).bind(guest.0).execute(c).await?.rows_affected()
        });
        Ok((held == 1).then_some(covering))
    }

    /// Takes a case in.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open_request(&mut self, row: &RequestRow) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(REQUEST_INSERT)
                .bind(row.request_id)
                .bind(row.guest_id)
                .bind(&row.kind)
                .bind(&row.regime)
                .bind(&row.state)
                .bind(&row.via)
                .bind(&row.property)
                .bind(row.received_at)
                .bind(row.due_on.as_deref())
                .bind(row.extended)
                .bind(row.stopped_days)
                .bind(row.stopped_since)
                .bind(row.duplicate_of)
                .bind(row.opened_by)
                .bind(row.opened_actor.as_deref())
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Writes a case as it stands now.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when somebody else was faster.
    pub async fn update_request(&mut self, row: &RequestRow, now: i64) -> Result<(), StoreError> {
        let rows = on!(self, c => {
            sqlx::query(REQUEST_UPDATE)
                .bind(row.request_id)
                .bind(row.version)
                .bind(row.guest_id)
                .bind(&row.state)
                .bind(row.due_on.as_deref())
                .bind(row.extended)
                .bind(row.stopped_days)
                .bind(row.stopped_since)
                .bind(row.outcome.as_deref())
                .bind(now)
                .execute(c)
                .await?
                .rows_affected()
        });
        if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
    }

    /// The cases that were joined with this one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn duplicates_of(&mut self, guest: Uuid, request: Uuid) -> Result<Vec<Uuid>, StoreError> {
        Ok(
            on!(self, c => sqlx::query_scalar(REQUEST_DUPLICATES).bind(guest).bind(request).fetch_all(c).await?),
        )
    }

    /// Makes a case that was joined with this one, and still is, one of its own again; `false` when it no longer is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn reopen_request(&mut self, joined: Uuid, with: Uuid, now: i64) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(REQUEST_REOPEN).bind(joined).bind(now).bind(with).execute(c).await?.rows_affected()
        });
        Ok(rows == 1)
    }

    /// The cases that restrict this guest, and were not ended.
    ///
    /// # Errors
    /// What the database says.
    pub async fn restrictions(&mut self, guest: GuestId) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(RESTRICTIONS).bind(guest.0).fetch_all(c).await?))
    }

    /// Adds a step to the timeline.
    ///
    /// # Errors
    /// What the database says.
    pub async fn add_step(
        &mut self,
        request: Uuid,
        at: i64,
        (step, ground): (&str, Option<&str>),
        by: impl Into<By<'_>>,
    ) -> Result<(), StoreError> {
        let by = by.into();
        on!(self, c => {
            sqlx::query(STEP_INSERT)
                .bind(request)
                .bind(at)
                .bind(step)
                .bind(ground)
                .bind(by.principal.0)
                .bind(by.actor)
                .bind(by.house.map(PropertyCode::as_str))
                .execute(c)
                .await?;
        });
        Ok(())
    }
}
