//! Searching the log.

use chrono::{DateTime, Utc};

use crate::{
    base::{EntryId, GuestId, PrincipalId, PropertyCode, Purpose},
    store::{Store, StoreError},
};

use super::{Act, Decision, sql::Row};

/// What to look for; every part narrows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// About this guest.
    pub guest_id: Option<GuestId>,
    /// On the orders of this staff id.
    pub actor: Option<String>,
    /// By this principal.
    pub principal: Option<PrincipalId>,
    /// For this purpose.
    pub purpose: Option<Purpose>,
    /// For this property.
    pub property: Option<PropertyCode>,
    /// Of this kind.
    pub action: Option<Act>,
    /// Ended so.
    pub decision: Option<Decision>,
    /// At or after.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

/// Entries that match, newest first, at most `most`, older than `before`.
///
/// # Errors
/// What the database says.
pub async fn entries(
    store: &Store,
    filter: &Filter,
    before: Option<EntryId>,
    most: usize,
) -> Result<Vec<Row>, StoreError> {
    store
        .read()
        .await?
        .audit_entries(filter, before, i64::try_from(most).unwrap_or(i64::MAX))
        .await
}

/// One entry.
///
/// # Errors
/// What the database says.
pub async fn entry(store: &Store, id: EntryId) -> Result<Option<Row>, StoreError> {
    store.read().await?.audit_entry(id).await
}
