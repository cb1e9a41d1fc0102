//! The statements of break-glass.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    base::{Errand, GuestId, micros},
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    INSERT = "INSERT INTO break_glass (guest_id, entry_id, principal, actor, role, property, purpose, open_until, judge_by)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    OPEN = "SELECT count(*) FROM break_glass
            WHERE guest_id = $1 AND principal = $2 AND actor = $3 AND property = $4 AND purpose = $5
                AND open_until > $6 AND open_until <= $7";
    UNJUDGED = "SELECT count(*) FROM break_glass b
                WHERE b.role = $1 AND b.property = $2 AND b.judge_by <= $3
                    AND NOT EXISTS (SELECT 1 FROM judgement j WHERE j.entry_id = b.entry_id)";
}

/// An opening, as it is kept.
pub struct GlassRow {
    /// Of which guest.
    pub guest: GuestId,
    /// The entry that says so.
    pub entry: Uuid,
    /// Until when it is open.
    pub open_until: DateTime<Utc>,
    /// By when it is to be judged.
    pub judge_by: DateTime<Utc>,
}

/// As whom an opening is kept: it is one person's, and ends with nobody's name where a service names none.
fn actor(errand: &Errand) -> &str {
    errand.caller.actor.as_deref().unwrap_or_default()
}

impl Tx {
    /// Keeps an opening.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_glass(&mut self, errand: &Errand, row: &GlassRow) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(INSERT)
                .bind(row.guest.0)
                .bind(row.entry)
                .bind(errand.caller.principal.0)
                .bind(actor(errand))
                .bind(errand.caller.role.as_str())
                .bind(errand.property.as_str())
                .bind(errand.purpose.as_str())
                .bind(micros(row.open_until))
                .bind(micros(row.judge_by))
                .execute(c)
                .await?;
        });
        Ok(())
    }
}

impl Conn {
    /// Whether this person, for this property and purpose, has the guest open: beyond the first of these moments, and not
    /// beyond the second, the latest until which it can be.
    ///
    /// # Errors
    /// What the database says.
    pub async fn glass_is_open(
        &mut self,
        errand: &Errand,
        guest: GuestId,
        (now, latest): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<bool, StoreError> {
        let open: i64 = on!(self, c => {
            sqlx::query_scalar(OPEN)
                .bind(guest.0)
                .bind(errand.caller.principal.0)
                .bind(actor(errand))
                .bind(errand.property.as_str())
                .bind(errand.purpose.as_str())
                .bind(micros(now))
                .bind(micros(latest))
                .fetch_one(c)
                .await?
        });
        Ok(open > 0)
    }

    /// How many openings of this post at this property should have been judged by then and were not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn unjudged_glass(&mut self, errand: &Errand, by: DateTime<Utc>) -> Result<i64, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_scalar(UNJUDGED)
                .bind(errand.caller.role.as_str())
                .bind(errand.property.as_str())
                .bind(micros(by))
                .fetch_one(c)
                .await?
        }))
    }
}
