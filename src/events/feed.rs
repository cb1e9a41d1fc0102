//! The feed: events in one order, without a gap.
//!
//! Transactions end in another order than they begin, so an event gets its number only once it is committed. Whoever
//! comes first numbers what waits; the row of the last number decides between two.

use chrono::{DateTime, Utc};

use super::{Numbered, sql::Deliver};
use crate::{
    base::micros,
    store::{Store, StoreError, Tx},
};

/// How many events are numbered in one transaction.
const BATCH: i64 = 256;
/// More events than happen between a backup and its restore.
const LEAP: i64 = 1_000_000_000;

/// Events after a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In order.
    pub events: Vec<Numbered>,
    /// Whether some before them are no longer kept.
    pub cut: bool,
}

/// Gives what was committed a number; as many as there are, or as fit into one transaction.
///
/// # Errors
/// What the database says.
pub async fn number(store: &Store) -> Result<usize, StoreError> {
    let mut conn = store.read().await?;
    // In this order: when another numbers between the two, its number is no longer the last and ours are not taken.
    let last = conn.feed_last().await?;
    let waiting = conn.outbox(BATCH).await?;
    drop(conn);
    if waiting.is_empty() {
        return Ok(0);
    }
    let count = waiting.len();
    let mut tx = store.begin().await?;
    let taken = tx
        .feed_grow(
            last,
            last.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)),
        )
        .await?;
    if !taken {
        tx.rollback().await?;
        return Ok(0);
    }
    tx.feed_append(last.saturating_add(1), &waiting).await?;
    tx.commit().await?;
    Ok(count)
}

/// Numbers all that waits now.
///
/// # Errors
/// What the database says.
pub async fn number_all(store: &Store) -> Result<(), StoreError> {
    let full = usize::try_from(BATCH).unwrap_or(usize::MAX);
    while number(store).await? == full {}
    Ok(())
}

/// Events after this place, in order.
///
/// # Errors
/// What the database says; a damaged row.
pub async fn after(store: &Store, position: i64, most: i64) -> Result<Page, StoreError> {
    let mut conn = store.read().await?;
    // In this order: what is numbered between the two is not taken for swept.
    let last = conn.feed_last().await?;
    let events = conn.feed_after(position, most).await?;
    // Numbers have no gap, so a first event that is not the next one says that those between are kept no longer. A place
    // that no event had yet is of another history.
    let first = events.first().map(|e| e.position);
    let cut = match first {
        Some(first) => first > position.saturating_add(1),
        None => last != position,
    };
    Ok(Page { events, cut })
}

/// Leaves out the next numbers: after a restore they may be known to listeners as other events, which are lost. Whoever
/// goes on from one of them is told so.
///
/// # Errors
/// What the database says.
pub async fn leap(tx: &mut Tx) -> Result<(), StoreError> {
    tx.feed_leap(LEAP).await
}

/// Forgets events older than this, with what was never delivered of them.
///
/// # Errors
/// What the database says.
pub async fn sweep(store: &Store, before: DateTime<Utc>) -> Result<u64, StoreError> {
    let mut tx = store.begin().await?;
    let swept = tx.feed_sweep(micros(before)).await?;
    tx.commit().await?;
    Ok(swept)
}

/// Puts what a receiver wants of the next events on its way; gives how many were looked at. A receiver that is new
/// begins with what happens from now on.
///
/// # Errors
/// What the database says.
pub async fn fan_out(
    store: &Store,
    receiver: &str,
    most: i64,
    wants: impl Fn(&Numbered) -> bool,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    let mut conn = store.read().await?;
    let Some(position) = conn.webhook_position(receiver).await? else {
        let last = conn.feed_last().await?;
        drop(conn);
        let mut tx = store.begin().await?;
        tx.webhook_begin(receiver, last).await?;
        tx.commit().await?;
        return Ok(0);
    };
    let events = conn.feed_after(position, most).await?;
    drop(conn);
    let Some(last) = events.last().map(|e| e.position) else {
        return Ok(0);
    };
    let wanted: Vec<i64> = events.iter().filter(|e| wants(e)).map(|e| e.position).collect();
    let mut tx = store.begin().await?;
    if tx.webhook_advance(receiver, position, last).await? {
        tx.deliver(&Deliver {
            receiver,
            positions: &wanted,
            due_at: micros(now),
        })
        .await?;
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    Ok(events.len())
}
