//! The ledgers of many guests at once, and the do-not-contact lists.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{SUPPRESS, SUPPRESSION_LIFT, TERMS_BEGAN};
use crate::{
    base::GuestId,
    consent::{Spoken, State},
    on,
    store::{Conn, StoreError, Tx},
};

/// What many guests said about one purpose.
pub struct Ledgers {
    /// Those of the guests that there are.
    pub guests: Vec<Uuid>,
    /// What they said.
    pub lines: Vec<ManyLine>,
}

/// A line among those of many guests.
#[derive(sqlx::FromRow)]
pub struct ManyLine {
    /// Whose.
    pub guest_id: Uuid,
    consent_id: Uuid,
    state: String,
    recipient: String,
    scope: String,
    separate: String,
    terms: i64,
    at: i64,
    valid_until: Option<i64>,
}

impl ManyLine {
    /// What of it decides; `began` says when the terms of the purpose came into force.
    #[must_use]
    pub fn spoken(&self, began: &BTreeMap<i64, i64>) -> Spoken<'_> {
        let later = began.range(self.terms.saturating_add(1)..);
        Spoken {
            id: self.consent_id.into(),
            // A word this program does not know is read as a withdrawal: strictly.
            state: State::from_word(&self.state).unwrap_or(State::Withdrawn),
            recipient: &self.recipient,
            scope: &self.scope,
            separate: &self.separate,
            at: self.at,
            until: self.valid_until,
            superseded: later.map(|(_, from)| *from).min(),
        }
    }
}

fn numbered(from: usize, count: usize) -> String {
    let all: Vec<String> = (from..from + count).map(|at| format!("${at}")).collect();
    all.join(", ")
}

/// The guests of a chunk that there are: `count` of them from `$1` on.
#[must_use]
pub fn guests_text(count: usize) -> String {
    let those = numbered(1, count);
    format!("SELECT guest_id FROM guest WHERE status = 'active' AND guest_id IN ({those})")
}

/// What the guests of a chunk said about the purpose `$1`.
#[must_use]
pub fn ledgers_text(count: usize) -> String {
    let those = numbered(2, count);
    format!(
        "SELECT guest_id, consent_id, state, recipient, scope, separate, terms, at, valid_until
         FROM consent WHERE purpose = $1 AND guest_id IN ({those})"
    )
}

/// Which guests of a chunk have an address on the list of the channel `$1`.
#[must_use]
pub fn suppressed_text(count: usize) -> String {
    let those = numbered(2, count);
    format!(
        "SELECT DISTINCT b.guest_id FROM blind_index b
         JOIN suppression s ON s.token = b.token AND s.channel = $1 WHERE b.guest_id IN ({those})"
    )
}

/// Chunks are padded by repeating the last guest, so that few statements are prepared.
fn padded(guests: &[GuestId]) -> Vec<Uuid> {
    let last = guests.last().map(|guest| guest.0);
    let size = guests.len().next_power_of_two();
    let missing = size.saturating_sub(guests.len());
    guests
        .iter()
        .map(|guest| guest.0)
        .chain(last.into_iter().cycle().take(missing))
        .collect()
}

impl Conn {
    /// When each of a purpose's terms came into force.
    ///
    /// # Errors
    /// What the database says.
    pub async fn terms_of(&mut self, purpose: &str) -> Result<BTreeMap<i64, i64>, StoreError> {
        let rows: Vec<(i64, i64)> =
            on!(self, c => sqlx::query_as(TERMS_BEGAN).bind(purpose).fetch_all(c).await?);
        Ok(rows.into_iter().collect())
    }

    /// What these guests said about a purpose.
    ///
    /// # Errors
    /// What the database says.
    pub async fn ledgers(&mut self, purpose: &str, guests: &[GuestId]) -> Result<Ledgers, StoreError> {
        let those = padded(guests);
        let there: Vec<Uuid> = on!(self, c => {
            let mut query = sqlx::query_scalar(AssertSqlSafe(guests_text(those.len())));
            for guest in &those {
                query = query.bind(*guest);
            }
            query.fetch_all(c).await?
        });
        let lines: Vec<ManyLine> = on!(self, c => {
            let mut query = sqlx::query_as(AssertSqlSafe(ledgers_text(those.len()))).bind(purpose);
            for guest in &those {
                query = query.bind(*guest);
            }
            query.fetch_all(c).await?
        });
        Ok(Ledgers { guests: there, lines })
    }

    /// Which of these guests have an address on a channel's do-not-contact list.
    ///
    /// # Errors
    /// What the database says.
    pub async fn suppressed(&mut self, channel: &str, guests: &[GuestId]) -> Result<Vec<Uuid>, StoreError> {
        let those = padded(guests);
        Ok(on!(self, c => {
            let mut query = sqlx::query_scalar(AssertSqlSafe(suppressed_text(those.len()))).bind(channel);
            for guest in &those {
                query = query.bind(*guest);
            }
            query.fetch_all(c).await?
        }))
    }
}

impl Tx {
    /// Puts a token on a list; it may be there already.
    ///
    /// # Errors
    /// What the database says.
    pub async fn suppress(&mut self, token: &[u8; 16], channel: &str, now: i64) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(SUPPRESS).bind(&token[..]).bind(channel).bind(now).execute(c).await?;
        });
        Ok(())
    }

    /// Takes a token off a list.
    ///
    /// # Errors
    /// What the database says.
    pub async fn lift_suppression(&mut self, token: &[u8; 16], channel: &str) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(SUPPRESSION_LIFT).bind(&token[..]).bind(channel).execute(c).await?;
        });
        Ok(())
    }
}
