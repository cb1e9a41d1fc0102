//! Statements about holds, and about what is stored of a guest.

pub mod quality;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use uuid::Uuid;

use crate::{
    base::GuestId,
    on, statements,
    store::{Conn, Database, StoreError, Tx},
};

use super::StayFact;

statements! {
    HOLD_INSERT = "INSERT INTO hold (guest_id, hold_id, matter, ground, categories, review_on, author, author_actor,
                       approver, approver_actor, created_at, lifted_at, lifted_by, stays_from, stays_to)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, NULL, $9, NULL, NULL, $10, $11)";
    HOLDS = "SELECT hold_id, matter, ground, categories, review_on, author, author_actor, approver, approver_actor,
                 created_at, stays_from, stays_to
             FROM hold WHERE guest_id = $1 AND lifted_at IS NULL ORDER BY hold_id";
    HOLD_APPROVE = "UPDATE hold SET approver = $3, approver_actor = $4
                    WHERE guest_id = $1 AND hold_id = $2 AND lifted_at IS NULL AND approver IS NULL";
    HOLD_LIFT = "UPDATE hold SET lifted_at = $3, lifted_by = $4
                 WHERE guest_id = $1 AND hold_id = $2 AND lifted_at IS NULL";
    VALUES_ALL = "SELECT record_id, field, version, sealed, coalesce(said_at, observed_at) AS observed_at
                  FROM field_value
                  WHERE guest_id = $1 ORDER BY record_id, field";
    LEDGER = "SELECT purpose, recipient, scope, separate, state, valid_until, at FROM consent
              WHERE guest_id = $1 ORDER BY at, consent_id";
    REGISTER = "SELECT entry_id, sealed FROM register_entry WHERE guest_id = $1 ORDER BY entry_id";
}

/// A hold in force.
#[derive(sqlx::FromRow)]
pub struct HoldRow {
    /// Its id.
    pub hold_id: Uuid,
    /// Which matter, sealed.
    pub matter: Vec<u8>,
    /// On which ground.
    pub ground: String,
    /// Which drawers, separated by commas; all, when empty.
    pub categories: String,
    /// When it is looked at again.
    pub review_on: String,
    /// Who put it.
    pub author: Uuid,
    /// On whose orders.
    pub author_actor: Option<String>,
    /// Who agreed.
    pub approver: Option<Uuid>,
    /// On whose orders.
    pub approver_actor: Option<String>,
    /// Since when, in microseconds.
    pub created_at: i64,
    /// Only about stays that end on this day or later.
    pub stays_from: Option<String>,
    /// Only about stays that begin on this day or earlier.
    pub stays_to: Option<String>,
}

impl HoldRow {
    /// The days that the stays it is about touch.
    #[must_use]
    pub fn stays(&self) -> (Option<NaiveDate>, Option<NaiveDate>) {
        let day = |day: &Option<String>| day.as_ref()?.parse().ok();
        (day(&self.stays_from), day(&self.stays_to))
    }

    /// Whether it is about a guest with these stays.
    #[must_use]
    pub fn is_about(&self, stays: &[StayFact]) -> bool {
        let (from, to) = self.stays();
        let touches = |stay: &StayFact| {
            from.is_none_or(|from| stay.departure >= from) && to.is_none_or(|to| stay.arrival <= to)
        };
        from.is_none() && to.is_none() || stays.iter().any(touches)
    }
}

/// A sealed value of a guest.
#[derive(sqlx::FromRow)]
pub struct StoredValue {
    /// Of which record.
    pub record_id: Uuid,
    /// Which field.
    pub field: String,
    /// Its version, bound into the seal.
    pub version: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
    /// When observed, in microseconds.
    pub observed_at: i64,
}

#[derive(sqlx::FromRow)]
struct LedgerLine {
    purpose: String,
    recipient: String,
    scope: String,
    separate: String,
    state: String,
    valid_until: Option<i64>,
    at: i64,
}

/// A guest's consent ledger in short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ledger {
    /// How many lines it has.
    pub lines: u64,
    /// The last of them, in microseconds.
    pub last: Option<i64>,
    /// Whether any consent stands.
    pub stands: bool,
    withdrawn: Option<i64>,
}

impl Ledger {
    fn of(lines: &[LedgerLine], now: i64) -> Self {
        let mut standing = BTreeMap::new();
        let mut ledger = Self {
            lines: u64::try_from(lines.len()).unwrap_or(u64::MAX),
            last: lines.iter().map(|line| line.at).max(),
            ..Self::default()
        };
        for line in lines {
            let matter = (&line.purpose, &line.recipient, &line.scope, &line.separate);
            let given = ["given", "renewed"].contains(&line.state.as_str());
            // One that ends by itself is withdrawn on that day.
            let over = line.valid_until.filter(|until| given && *until <= now);
            let before = standing.insert(matter, given && over.is_none());
            if over.is_some() || !given && before == Some(true) {
                ledger.withdrawn = ledger.withdrawn.max(over.or(Some(line.at)));
            }
        }
        ledger.stands = standing.values().any(|stands| *stands);
        ledger
    }

    /// When the last consent that stood was withdrawn; nothing while one stands.
    #[must_use]
    pub fn withdrawn(&self) -> Option<i64> {
        self.withdrawn.filter(|_| !self.stands)
    }
}

/// The holds in force on a guest.
///
/// # Errors
/// What the database says.
pub async fn holds(db: &mut impl Database, guest: GuestId) -> Result<Vec<HoldRow>, StoreError> {
    Ok(on!(db, c => sqlx::query_as(HOLDS).bind(guest.0).fetch_all(c).await?))
}

impl Conn {
    /// All sealed values of a guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn stored_values(&mut self, guest: GuestId) -> Result<Vec<StoredValue>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(VALUES_ALL).bind(guest.0).fetch_all(c).await?))
    }

    /// What a guest's ledger says that decides how long things are kept.
    ///
    /// # Errors
    /// What the database says.
    pub async fn ledger(&mut self, guest: GuestId, now: i64) -> Result<Ledger, StoreError> {
        let lines: Vec<LedgerLine> = on!(self, c => sqlx::query_as(LEDGER).bind(guest.0).fetch_all(c).await?);
        Ok(Ledger::of(&lines, now))
    }

    /// The register's entries of a guest, sealed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn register(&mut self, guest: GuestId) -> Result<Vec<(Uuid, Vec<u8>)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(REGISTER).bind(guest.0).fetch_all(c).await?))
    }
}

/// A hold to be put.
pub struct NewHold<'h> {
    /// Its id.
    pub hold: Uuid,
    /// Which matter, sealed.
    pub matter: &'h [u8],
    /// On which ground.
    pub ground: &'h str,
    /// Which drawers.
    pub categories: &'h str,
    /// When it is looked at again.
    pub review_on: &'h str,
    /// The days that the stays it is about touch.
    pub stays: (Option<&'h str>, Option<&'h str>),
    /// Who puts it.
    pub author: Uuid,
    /// On whose orders.
    pub actor: Option<&'h str>,
}

impl Tx {
    /// Puts a hold.
    ///
    /// # Errors
    /// What the database says.
    pub async fn put_hold(&mut self, guest: GuestId, hold: &NewHold<'_>, now: i64) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(HOLD_INSERT)
                .bind(guest.0)
                .bind(hold.hold)
                .bind(hold.matter)
                .bind(hold.ground)
                .bind(hold.categories)
                .bind(hold.review_on)
                .bind(hold.author)
                .bind(hold.actor)
                .bind(now)
                .bind(hold.stays.0)
                .bind(hold.stays.1)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Notes that a second person agrees to a hold; `false` when there is none that waits for it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn approve_hold(
        &mut self,
        guest: GuestId,
        hold: Uuid,
        (by, actor): (Uuid, Option<&str>),
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(HOLD_APPROVE).bind(guest.0).bind(hold).bind(by).bind(actor).execute(c).await?.rows_affected()
        });
        Ok(rows == 1)
    }

    /// Lifts a hold; `false` when there is none in force.
    ///
    /// # Errors
    /// What the database says.
    pub async fn lift_hold(
        &mut self,
        guest: GuestId,
        hold: Uuid,
        now: i64,
        by: Uuid,
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(HOLD_LIFT).bind(guest.0).bind(hold).bind(now).bind(by).execute(c).await?.rows_affected()
        });
        Ok(rows == 1)
    }
}
