//! Statements of events: the outbox, the feed, deliveries.

use sqlx::AssertSqlSafe;

use crate::{
    base::micros,
    on, statements,
    store::{StoreError, Tx},
};

use super::Announcement;

statements! {
    OUTBOX_INSERT = "INSERT INTO event_outbox (event_id, at, kind, guest_id, property, data)
                     VALUES ($1, $2, $3, $4, $5, $6)";
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
        for some in events.chunks(MOST) {
            on!(self, c => {
                let mut query = sqlx::query(AssertSqlSafe(insert(some.len())));
                for event in some {
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
}

/// The most events of one statement.
const MOST: usize = 32;

fn insert(rows: usize) -> String {
    let row = |row: usize| {
        let columns: Vec<String> = (1..=6).map(|column| format!("${}", row * 6 + column)).collect();
        format!("({})", columns.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    let rows = rows.join(", ");
    format!("INSERT INTO event_outbox (event_id, at, kind, guest_id, property, data) VALUES {rows}")
}
