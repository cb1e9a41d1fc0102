//! The statements of exports of many guests.

use uuid::Uuid;

use crate::{
    base::Reach,
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    EXPORT_INSERT = "INSERT INTO guest_export (export_id, property, purpose, fields, state, guests, author, author_actor,
                         approver, approver_actor, created_at, open_until)
                     VALUES ($1, $2, $3, $4, $5, 0, $6, $7, NULL, NULL, $8, $9)";
    EXPORT = "SELECT export_id, property, purpose, fields, state, guests, author, author_actor, approver, created_at,
                  open_until
              FROM guest_export WHERE export_id = $1";
    EXPORTS_OF = "SELECT export_id, property, purpose, fields, state, guests, author, author_actor, approver, created_at,
                      open_until
                  FROM guest_export
                  WHERE export_id < $2
                      AND (author = $1 OR $4 = '' OR replace($4, ',' || property || ',', '') <> $4)
                  ORDER BY export_id DESC LIMIT $3";
    EXPORTS_WAITING = "SELECT export_id, property, purpose, fields, state, guests, author, author_actor, approver, created_at,
                           open_until
                       FROM guest_export
                       WHERE state = 'waiting' AND open_until > $1 AND export_id > $2
                           AND ($4 = '' OR replace($4, ',' || property || ',', '') <> $4)
                       ORDER BY export_id LIMIT $3";
    EXPORT_DECIDE = "UPDATE guest_export SET state = $2, approver = $3, approver_actor = $4, open_until = $5
                     WHERE export_id = $1 AND state = 'waiting'";
    EXPORT_BEGIN = "UPDATE guest_export SET answer = $2, place = $3
                    WHERE export_id = $1 AND state = 'approved' AND open_until > $4 AND answer IS NULL";
    EXPORT_GO_ON = "UPDATE guest_export SET answer = $2, place = $3
                    WHERE export_id = $1 AND state = 'approved' AND open_until > $4 AND (place IS NULL OR place <= $3)";
    EXPORT_REACHED = "SELECT reached FROM guest_export WHERE export_id = $1";
    EXPORT_ADD = "UPDATE guest_export SET guests = guests + $3, place = $4, reached = $5
                  WHERE export_id = $1 AND answer = $2 AND state = 'approved' AND open_until > $6";
    EXPORT_END = "UPDATE guest_export SET state = 'done'
                  WHERE export_id = $1 AND answer = $2 AND state = 'approved' AND open_until > $3";
}

/// An export.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ExportRow {
    /// Its id.
    pub export_id: Uuid,
    /// Guests of which property.
    pub property: String,
    /// Why.
    pub purpose: String,
    /// The fields, as a JSON list of paths.
    pub fields: String,
    /// Where it stands.
    pub state: String,
    /// How many guests were handed out.
    pub guests: i64,
    /// Who ordered it.
    pub author: Uuid,
    /// On whose orders.
    pub author_actor: Option<String>,
    /// Who decided.
    pub approver: Option<Uuid>,
    /// When it was ordered, in microseconds.
    pub created_at: i64,
    /// Until when it waits for a decision, or may be fetched, in microseconds.
    pub open_until: i64,
}

impl Conn {
    /// An export.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guest_export(&mut self, id: Uuid) -> Result<Option<ExportRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(EXPORT).bind(id).fetch_optional(c).await?))
    }

    /// Exports, newest first, before one of them: those of this principal, and those of these houses.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guest_exports(
        &mut self,
        (author, reach): (Uuid, &Reach),
        before: Option<Uuid>,
        most: i64,
    ) -> Result<Vec<ExportRow>, StoreError> {
        let before = before.unwrap_or(Uuid::max());
        Ok(on!(self, c => {
            sqlx::query_as(EXPORTS_OF)
                .bind(author)
                .bind(before)
                .bind(most)
                .bind(reach.as_str())
                .fetch_all(c)
                .await?
        }))
    }

    /// Exports of these houses that wait for a decision now, after one of them, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guest_exports_waiting(
        &mut self,
        reach: &Reach,
        (now, after): (i64, Uuid),
        most: i64,
    ) -> Result<Vec<ExportRow>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(EXPORTS_WAITING)
                .bind(now)
                .bind(after)
                .bind(most)
                .bind(reach.as_str())
                .fetch_all(c)
                .await?
        }))
    }
}

impl Tx {
    /// Adds an export.
    ///
    /// # Errors
    /// What the database says.
    pub async fn add_export(&mut self, row: &ExportRow) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(EXPORT_INSERT)
                .bind(row.export_id)
                .bind(&row.property)
                .bind(&row.purpose)
                .bind(&row.fields)
                .bind(&row.state)
                .bind(row.author)
                .bind(&row.author_actor)
                .bind(row.created_at)
                .bind(row.open_until)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Decides about an export that waits; `false` when it does not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn decide_export(
        &mut self,
        id: Uuid,
        state: &str,
        (by, actor): (Uuid, Option<&str>),
        open_until: i64,
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(EXPORT_DECIDE)
                .bind(id)
                .bind(state)
                .bind(by)
                .bind(actor)
                .bind(open_until)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Lets one answer hand an export out: from the beginning when none did before, else after a guest that lies not
    /// before the place where another may go on. `false` when it may not, or the export is not open at this time.
    ///
    /// # Errors
    /// What the database says.
    pub async fn claim_export(
        &mut self,
        (id, fetch): (Uuid, Uuid),
        after: Option<Uuid>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let text = if after.is_none() {
            EXPORT_BEGIN
        } else {
            EXPORT_GO_ON
        };
        let rows = on!(self, c => {
            sqlx::query(text)
                .bind(id)
                .bind(fetch)
                .bind(after.unwrap_or(Uuid::nil()))
                .bind(now)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// The last guest up to whom those of an export are counted.
    ///
    /// # Errors
    /// What the database says.
    pub async fn export_reached(&mut self, id: Uuid) -> Result<Option<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(EXPORT_REACHED).bind(id).fetch_one(c).await?))
    }

    /// Counts guests that are handed out; `false` when this answer may hand out no more at this time.
    ///
    /// # Errors
    /// What the database says.
    pub async fn count_exported(
        &mut self,
        (id, fetch): (Uuid, Uuid),
        guests: i64,
        (place, reached): (Uuid, Uuid),
        now: i64,
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(EXPORT_ADD)
                .bind(id)
                .bind(fetch)
                .bind(guests)
                .bind(place)
                .bind(reached)
                .bind(now)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Ends an export that this answer handed out in full; `false` when it may not at this time.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_export(&mut self, (id, fetch): (Uuid, Uuid), now: i64) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(EXPORT_END)
                .bind(id)
                .bind(fetch)
                .bind(now)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }
}
