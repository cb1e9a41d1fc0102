//! Statements of events: the outbox, the feed, deliveries.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    base::{GuestId, from_micros, micros},
    on, statements,
    store::{Conn, StoreError, Tx},
};

use super::{Announcement, Numbered};

statements! {
    OUTBOX_INSERT = "INSERT INTO event_outbox (event_id, at, kind, guest_id, property, data)
                     VALUES ($1, $2, $3, $4, $5, $6)";
    OUTBOX = "SELECT event_id, at, kind, guest_id, property, data FROM event_outbox ORDER BY event_id LIMIT $1";
    LAST = "SELECT last FROM event_head WHERE feed = 'main'";
    LAST_MAKE = "INSERT INTO event_head (feed, last) VALUES ('main', 0) ON CONFLICT DO NOTHING";
    LAST_SET = "UPDATE event_head SET last = $2 WHERE feed = 'main' AND last = $1";
    LAST_LEAP = "UPDATE event_head SET last = last + $1 WHERE feed = 'main'";
    FEED_AFTER = "SELECT position, event_id, at, kind, guest_id, property, data FROM event_feed
                  WHERE position > $1 ORDER BY position LIMIT $2";
    FEED_SWEEP = "DELETE FROM event_feed WHERE position <= (
                      SELECT coalesce(max(f.position), 0) FROM event_feed f WHERE f.at < $1)";
    DELIVERY_SWEEP = "DELETE FROM webhook_delivery
                      WHERE position < (SELECT coalesce(min(position), 9223372036854775807) FROM event_feed)";
    WEBHOOK = "SELECT position FROM webhook WHERE name = $1";
    WEBHOOK_MAKE = "INSERT INTO webhook (name, position, begins) VALUES ($1, $2, $2) ON CONFLICT DO NOTHING";
    WEBHOOK_SPAN = "SELECT begins, position FROM webhook WHERE name = $1";
    DELIVERY = "SELECT attempts, dead, answer FROM webhook_delivery WHERE webhook = $1 AND position = $2";
    CONSENTS_OF_GUEST = "SELECT position, event_id, at, kind, guest_id, property, data FROM event_feed
                         WHERE guest_id = $1 AND kind = 'consent.changed' ORDER BY position DESC LIMIT $2";
    WEBHOOK_SET = "UPDATE webhook SET position = $3 WHERE name = $1 AND position = $2";
    DUE = "SELECT d.position, d.attempts, f.event_id, f.at, f.kind, f.guest_id, f.property, f.data
           FROM webhook_delivery d JOIN event_feed f ON f.position = d.position
           WHERE d.webhook = $1 AND NOT d.dead AND (d.due_at <= $2 OR d.due_at > $3)
           ORDER BY d.position LIMIT $4";
    DELIVERED = "DELETE FROM webhook_delivery WHERE webhook = $1 AND position = $2";
    FAILED = "UPDATE webhook_delivery SET attempts = $3, due_at = $4, dead = $5, answer = $6
              WHERE webhook = $1 AND position = $2";
    DEAD = "SELECT d.position, d.attempts, d.answer, f.event_id, f.at, f.kind
            FROM webhook_delivery d JOIN event_feed f ON f.position = d.position
            WHERE d.webhook = $1 AND d.dead AND d.position > $2 ORDER BY d.position LIMIT $3";
    REVIVE = "UPDATE webhook_delivery SET dead = $4, attempts = 0, due_at = $2
              WHERE webhook = $1 AND dead = $3";
    COUNTS = "SELECT dead, count(*) FROM webhook_delivery WHERE webhook = $1 GROUP BY dead";
}

/// Rows of one `INSERT`; sizes are powers of two so that few statements are prepared.
const ROWS: usize = 32;

/// An event that waits for its number.
#[derive(sqlx::FromRow)]
pub(super) struct Waiting {
    event_id: Uuid,
    at: i64,
    kind: String,
    guest_id: Option<Uuid>,
    property: Option<String>,
    data: String,
}

#[derive(sqlx::FromRow)]
struct Row {
    position: i64,
    #[sqlx(flatten)]
    event: Waiting,
}

impl TryFrom<Row> for Numbered {
    type Error = StoreError;

    fn try_from(Row { position, event }: Row) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged("an event");
        Ok(Self {
            position,
            event: Announcement {
                id: event.event_id,
                at: from_micros(event.at),
                kind: event.kind.parse().map_err(|_| damaged())?,
                guest: event.guest_id.map(GuestId),
                property: event
                    .property
                    .map(|p| p.parse())
                    .transpose()
                    .map_err(|_| damaged())?,
                details: serde_json::from_str(&event.data).map_err(|_| damaged())?,
            },
        })
    }
}

/// Events to be put on their way.
pub(super) struct Deliver<'a> {
    /// To whom.
    pub(super) receiver: &'a str,
    /// Which.
    pub(super) positions: &'a [i64],
    /// From when on.
    pub(super) due_at: i64,
}

/// An event that is to be sent now.
pub struct Due {
    /// The event.
    pub event: Numbered,
    /// How often it was tried.
    pub attempts: i64,
}

/// How a try to deliver failed.
pub struct Failed<'a> {
    /// To whom.
    pub receiver: &'a str,
    /// Which event.
    pub position: i64,
    /// How often it was tried by now.
    pub attempts: i64,
    /// When it is tried again.
    pub due_at: i64,
    /// Whether it is given up.
    pub dead: bool,
    /// What the receiver answered: a word or a status, never its text.
    pub answer: &'a str,
}

/// An event that was given up.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Dead {
    /// Its place in the feed.
    pub position: i64,
    /// How often it was tried.
    pub attempts: i64,
    /// What the receiver answered last.
    pub answer: String,
    /// The event.
    pub event_id: Uuid,
    /// When it happened, in microseconds.
    pub at: i64,
    /// What.
    pub kind: String,
}

impl Tx {
    /// Tells other systems of what this transaction does, once it is committed: there is an event exactly when there
    /// is the change.
    ///
    /// # Errors
    /// What the database says.
    pub async fn announce(&mut self, event: &Announcement) -> Result<(), StoreError> {
        let details = serde_json::to_string(&event.details).unwrap_or_default();
        on!(self, c => {
            sqlx::query(OUTBOX_INSERT)
                .bind(event.id)
                .bind(micros(event.at))
                .bind(event.kind.as_str())
                .bind(event.guest.map(|g| g.0))
                .bind(event.property.as_ref().map(|p| p.as_str()))
                .bind(details)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// [`Tx::announce`] of several.
    ///
    /// # Errors
    /// What the database says.
    pub async fn announce_all(&mut self, events: &[Announcement]) -> Result<(), StoreError> {
        let mut rest = events;
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 << rest.len().ilog2()).min(ROWS));
            rest = later;
            on!(self, c => {
                let mut query = sqlx::query(AssertSqlSafe(outbox_insert(now.len())));
                for event in now {
                    query = query
                        .bind(event.id)
                        .bind(micros(event.at))
                        .bind(event.kind.as_str())
                        .bind(event.guest.map(|g| g.0))
                        .bind(event.property.as_ref().map(|p| p.as_str()))
                        .bind(serde_json::to_string(&event.details).unwrap_or_default());
                }
                query.execute(c).await?;
            });
        }
        Ok(())
    }

    /// Leaves out so many numbers.
    pub(super) async fn feed_leap(&mut self, count: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(LAST_LEAP).bind(count).execute(c).await?; });
        Ok(())
    }

    /// Takes the numbers after `last` up to `next`; `false` when another was faster.
    pub(super) async fn feed_grow(&mut self, last: i64, next: i64) -> Result<bool, StoreError> {
        if last == 0 {
            on!(self, c => { sqlx::query(LAST_MAKE).execute(c).await?; });
        }
        let rows = on!(self, c => {
            sqlx::query(LAST_SET).bind(last).bind(next).execute(c).await?.rows_affected()
        });
        Ok(rows == 1)
    }

    /// Moves events from the outbox to the feed, numbered from `first`.
    pub(super) async fn feed_append(&mut self, first: i64, events: &[Waiting]) -> Result<(), StoreError> {
        let (mut rest, mut numbers) = (events, first..);
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 << rest.len().ilog2()).min(ROWS));
            rest = later;
            let (insert, delete) = (feed_insert(now.len()), outbox_delete(now.len()));
            on!(self, c => {
                let mut query = sqlx::query(AssertSqlSafe(insert));
                for (event, position) in now.iter().zip(&mut numbers) {
                    query = query
                        .bind(position)
                        .bind(event.event_id)
                        .bind(event.at)
                        .bind(&event.kind)
                        .bind(event.guest_id)
                        .bind(&event.property)
                        .bind(&event.data);
                }
                query.execute(c).await?;
            });
            on!(self, c => {
                let mut query = sqlx::query(AssertSqlSafe(delete));
                for event in now {
                    query = query.bind(event.event_id);
                }
                query.execute(c).await?;
            });
        }
        Ok(())
    }

    /// Forgets events older than this, and deliveries of events that are gone.
    pub(super) async fn feed_sweep(&mut self, before: i64) -> Result<u64, StoreError> {
        let swept = on!(self, c => sqlx::query(FEED_SWEEP).bind(before).execute(c).await?.rows_affected());
        on!(self, c => { sqlx::query(DELIVERY_SWEEP).execute(c).await?; });
        Ok(swept)
    }

    /// Begins a receiver at this place.
    pub(super) async fn webhook_begin(&mut self, name: &str, position: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(WEBHOOK_MAKE).bind(name).bind(position).execute(c).await?; });
        Ok(())
    }

    /// Moves a receiver on; `false` when another was faster.
    pub(super) async fn webhook_advance(
        &mut self,
        name: &str,
        from: i64,
        to: i64,
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(WEBHOOK_SET).bind(name).bind(from).bind(to).execute(c).await?.rows_affected()
        });
        Ok(rows == 1)
    }

    /// Puts events on their way.
    pub(super) async fn deliver(&mut self, what: &Deliver<'_>) -> Result<(), StoreError> {
        let mut rest = what.positions;
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 << rest.len().ilog2()).min(ROWS));
            rest = later;
            let insert = delivery_insert(now.len());
            on!(self, c => {
                let mut query = sqlx::query(AssertSqlSafe(insert));
                for position in now {
                    query = query
                        .bind(what.receiver)
                        .bind(position)
                        .bind(0_i64)
                        .bind(what.due_at)
                        .bind(false)
                        .bind("");
                }
                query.execute(c).await?;
            });
        }
        Ok(())
    }

    /// The receiver has it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delivered(&mut self, receiver: &str, position: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(DELIVERED).bind(receiver).bind(position).execute(c).await?; });
        Ok(())
    }

    /// The receiver has it not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delivery_failed(&mut self, failed: &Failed<'_>) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(FAILED)
                .bind(failed.receiver)
                .bind(failed.position)
                .bind(failed.attempts)
                .bind(failed.due_at)
                .bind(failed.dead)
                .bind(failed.answer)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Sends what was given up again; gives how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn revive(&mut self, receiver: &str, now: i64) -> Result<u64, StoreError> {
        Ok(on!(self, c => {
            sqlx::query(REVIVE).bind(receiver).bind(now).bind(true).bind(false).execute(c).await?.rows_affected()
        }))
    }
}

impl Conn {
    /// The last number given.
    ///
    /// # Errors
    /// What the database says.
    pub async fn feed_last(&mut self) -> Result<i64, StoreError> {
        let last: Option<i64> = on!(self, c => sqlx::query_scalar(LAST).fetch_optional(c).await?);
        Ok(last.unwrap_or(0))
    }

    /// Events that wait for a number.
    pub(super) async fn outbox(&mut self, most: i64) -> Result<Vec<Waiting>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(OUTBOX).bind(most).fetch_all(c).await?))
    }

    /// Events after a place.
    pub(super) async fn feed_after(&mut self, position: i64, most: i64) -> Result<Vec<Numbered>, StoreError> {
        let rows: Vec<Row> = on!(self, c => {
            sqlx::query_as(FEED_AFTER).bind(position).bind(most).fetch_all(c).await?
        });
        rows.into_iter().map(Numbered::try_from).collect()
    }

    /// How far a receiver was given the feed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn webhook_position(&mut self, name: &str) -> Result<Option<i64>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(WEBHOOK).bind(name).fetch_optional(c).await?))
    }

    /// After which place of the feed a receiver is told of anything, and how far it was given the feed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn webhook_span(&mut self, name: &str) -> Result<Option<(i64, i64)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(WEBHOOK_SPAN).bind(name).fetch_optional(c).await?))
    }

    /// An event on its way to a receiver: how often it was tried, whether it was given up, the last answer. The row goes
    /// when the receiver has taken it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delivery(
        &mut self,
        receiver: &str,
        position: i64,
    ) -> Result<Option<(i64, bool, String)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(DELIVERY).bind(receiver).bind(position).fetch_optional(c).await?))
    }

    /// The newest events that tell of a guest's consents, as far as they are kept.
    ///
    /// # Errors
    /// What the database says; a damaged row.
    pub async fn consents_of_guest(
        &mut self,
        guest: GuestId,
        most: i64,
    ) -> Result<Vec<Numbered>, StoreError> {
        let rows: Vec<Row> = on!(self, c => {
            sqlx::query_as(CONSENTS_OF_GUEST).bind(guest.0).bind(most).fetch_all(c).await?
        });
        rows.into_iter().map(Numbered::try_from).collect()
    }

    /// What is to be sent to a receiver now; also what is put off until after `furthest`.
    ///
    /// # Errors
    /// What the database says; a damaged row.
    pub async fn due(
        &mut self,
        receiver: &str,
        (now, furthest): (i64, i64),
        most: i64,
    ) -> Result<Vec<Due>, StoreError> {
        #[derive(sqlx::FromRow)]
        struct DueRow {
            attempts: i64,
            #[sqlx(flatten)]
            row: Row,
        }
        let rows: Vec<DueRow> = on!(self, c => {
            sqlx::query_as(DUE).bind(receiver).bind(now).bind(furthest).bind(most).fetch_all(c).await?
        });
        let due = |DueRow { attempts, row }| {
            Ok(Due {
                event: row.try_into()?,
                attempts,
            })
        };
        rows.into_iter().map(due).collect()
    }

    /// What was given up, after a place.
    ///
    /// # Errors
    /// What the database says.
    pub async fn dead(&mut self, receiver: &str, after: i64, most: i64) -> Result<Vec<Dead>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(DEAD).bind(receiver).bind(after).bind(most).fetch_all(c).await?))
    }

    /// How many events are on their way to a receiver, and how many were given up.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delivery_counts(&mut self, receiver: &str) -> Result<(i64, i64), StoreError> {
        let rows: Vec<(bool, i64)> =
            on!(self, c => sqlx::query_as(COUNTS).bind(receiver).fetch_all(c).await?);
        let of = |dead: bool| {
            rows.iter()
                .find(|(is, _)| *is == dead)
                .map_or(0, |(_, count)| *count)
        };
        Ok((of(false), of(true)))
    }
}

/// `($1,$2),($3,$4)`: so many rows of so many columns.
fn rows(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let row: Vec<String> = (1..=columns)
            .map(|column| format!("${}", row * columns + column))
            .collect();
        format!("({})", row.join(","))
    };
    let all: Vec<String> = (0..rows).map(row).collect();
    all.join(",")
}

fn outbox_insert(count: usize) -> String {
    let rows = rows(count, 6);
    format!("INSERT INTO event_outbox (event_id, at, kind, guest_id, property, data) VALUES {rows}")
}

fn feed_insert(count: usize) -> String {
    let rows = rows(count, 7);
    format!("INSERT INTO event_feed (position, event_id, at, kind, guest_id, property, data) VALUES {rows}")
}

fn outbox_delete(count: usize) -> String {
    let all: Vec<String> = (1..=count).map(|n| format!("${n}")).collect();
    format!("DELETE FROM event_outbox WHERE event_id IN ({})", all.join(","))
}

fn delivery_insert(count: usize) -> String {
    let rows = rows(count, 6);
    format!(
        "INSERT INTO webhook_delivery (webhook, position, attempts, due_at, dead, answer) VALUES {rows}
         ON CONFLICT (webhook, position) DO NOTHING"
    )
}
