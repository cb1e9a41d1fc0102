//! Statements that put entries back which a restored database has not.

use uuid::Uuid;

use crate::{
    on,
    store::{StoreError, Tx},
};

const FIND: &str = "SELECT entry_id, leaf FROM audit_event WHERE writer = $1 AND writer_seq = $2";
const PUT: &str =
    "INSERT INTO audit_event (entry_id, writer, writer_seq, at, guest_id, principal, actor, property,
                       purpose, action, decision, leaf, detail)
                   VALUES ($1, $2, $3, $4, NULL, $5, $6, $7, $8, $9, $10, $11, NULL)";

/// An event as its leaf tells it: without the guest and the deletable part, which the log does not hold.
pub(in crate::audit) struct Told<'l> {
    pub(in crate::audit) entry: Uuid,
    pub(in crate::audit) writer: Uuid,
    pub(in crate::audit) sequence: i64,
    pub(in crate::audit) at: i64,
    pub(in crate::audit) principal: Uuid,
    pub(in crate::audit) actor: Option<&'l str>,
    pub(in crate::audit) property: Option<&'l str>,
    pub(in crate::audit) purpose: Option<&'l str>,
    pub(in crate::audit) action: &'l str,
    pub(in crate::audit) decision: &'l str,
    pub(in crate::audit) leaf: &'l [u8],
}

impl Tx {
    /// The event of this place, if it is there: it was durable before the backup, and had no index yet.
    pub(in crate::audit) async fn event_at(
        &mut self,
        writer: Uuid,
        sequence: i64,
    ) -> Result<Option<(Uuid, Vec<u8>)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(FIND).bind(writer).bind(sequence).fetch_optional(c).await?))
    }

    /// Puts an event back.
    pub(in crate::audit) async fn put_back(&mut self, told: &Told<'_>) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(PUT)
                .bind(told.entry)
                .bind(told.writer)
                .bind(told.sequence)
                .bind(told.at)
                .bind(told.principal)
                .bind(told.actor)
                .bind(told.property)
                .bind(told.purpose)
                .bind(told.action)
                .bind(told.decision)
                .bind(told.leaf)
                .execute(c)
                .await?;
        });
        Ok(())
    }
}
