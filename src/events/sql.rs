//! Statements of events: the outbox, the feed, deliveries.

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
}
