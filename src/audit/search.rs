//! Searching the log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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

/// A place in the order of entries: by time, and by id where times are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The time, in microseconds.
    pub at: i64,
    /// The entry.
    pub entry: EntryId,
}

impl Place {
    /// Of an entry.
    #[must_use]
    pub const fn of(row: &Row) -> Self {
        Self {
            at: row.columns.at,
            entry: EntryId(row.entry_id),
        }
    }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    NewestFirst,
    OldestFirst,
}

/// Entries that match, newest first, at most `most`, older than `before`.
///
/// # Errors
/// What the database says.
pub async fn entries(
    store: &Store,
    filter: &Filter,
    before: Option<Place>,
    most: usize,
) -> Result<Vec<Row>, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut conn = store.read().await?;
    conn.audit_entries(filter, (Order::NewestFirst, before, most))
        .await
}

/// Entries that match, oldest first, at most `most`, younger than `after`: for reports and exports.
///
/// # Errors
/// What the database says.
pub async fn entries_since(
    store: &Store,
    filter: &Filter,
    after: Option<Place>,
    most: usize,
) -> Result<Vec<Row>, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut conn = store.read().await?;
    conn.audit_entries(filter, (Order::OldestFirst, after, most))
        .await
}

/// Where in the log the entries that match lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first and the last index; `None` when no entry has one.
    pub indexes: Option<(u64, u64)>,
    /// Entries that are durable but have no index yet: those of the last second.
    pub pending: u64,
}

/// Where in the log the entries that match lie.
///
/// # Errors
/// What the database says.
pub async fn range(store: &Store, filter: &Filter) -> Result<Range, StoreError> {
    let (first, last, pending) = store.read().await?.audit_range(filter).await?;
    let number = |n: i64| u64::try_from(n).ok();
    Ok(Range {
        indexes: first.and_then(number).zip(last.and_then(number)),
        pending: number(pending).unwrap_or(0),
    })
}

/// One entry.
///
/// # Errors
/// What the database says.
pub async fn entry(store: &Store, id: EntryId) -> Result<Option<Row>, StoreError> {
    store.read().await?.audit_entry(id).await
}
