//! Statements of what reads are told of the days to come.

use uuid::Uuid;

use crate::{
    base::GuestId,
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    LAPSING = "SELECT lapsing_state, lapsing FROM guest WHERE guest_id = $1";
    LAPSING_SET = "UPDATE guest SET lapsing = $3, lapsing_state = $4 WHERE guest_id = $1 AND version = $2";
    LAPSING_UNSURE = "UPDATE guest SET lapsing_state = 2 WHERE guest_id = $1 AND status <> 'erased'";
    TO_LOOK_AT = "SELECT guest_id FROM guest WHERE lapsing_state = 2 ORDER BY guest_id LIMIT 1000";
    NEWEST = "SELECT max(position) FROM event_feed";
    POSITION_AT = "SELECT min(position) FROM event_feed WHERE at >= $1";
    OF_EVENTS = "SELECT DISTINCT f.guest_id FROM event_feed f JOIN guest g ON g.guest_id = f.guest_id
                 WHERE f.position > $1 AND f.position <= $2 AND (f.kind = 'consent.changed' OR $3)";
}

impl Conn {
    /// What was last told of a guest: 0 nothing, 1 what is sealed, 2 to be looked at again.
    pub(in crate::erasure) async fn lapsing(
        &mut self,
        guest: GuestId,
    ) -> Result<Option<(i64, Option<Vec<u8>>)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(LAPSING).bind(guest.0).fetch_optional(c).await?))
    }

    /// Guests that changed since they were looked at, a thousand at most.
    pub(in crate::erasure) async fn guests_to_look_at(&mut self) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(TO_LOOK_AT).fetch_all(c).await?))
    }

    /// The place of the newest event; 0 without any.
    pub(in crate::erasure) async fn newest_position(&mut self) -> Result<i64, StoreError> {
        let newest: Option<i64> = on!(self, c => sqlx::query_scalar(NEWEST).fetch_one(c).await?);
        Ok(newest.unwrap_or(0))
    }

    /// The place of the first event at or after a time.
    pub(in crate::erasure) async fn position_at(&mut self, at: i64) -> Result<Option<i64>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(POSITION_AT).bind(at).fetch_one(c).await?))
    }

    /// The guests whose agreements changed after one place and up to another; with `all`, those of which anything did.
    pub(in crate::erasure) async fn guests_of_events(
        &mut self,
        (after, to): (i64, i64),
        all: bool,
    ) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(OF_EVENTS).bind(after).bind(to).bind(all).fetch_all(c).await?))
    }
}

impl Tx {
    /// Tells what lapses of a guest as it was at a version; one that changed meanwhile is left to be looked at again.
    pub(in crate::erasure) async fn set_lapsing(
        &mut self,
        guest: GuestId,
        version: i64,
        sealed: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            let state = i64::from(sealed.is_some());
            let set = sqlx::query(LAPSING_SET).bind(guest.0).bind(version).bind(sealed).bind(state);
            if set.execute(&mut *c).await?.rows_affected() == 0 {
                sqlx::query(LAPSING_UNSURE).bind(guest.0).execute(c).await?;
            }
        });
        Ok(())
    }
}
