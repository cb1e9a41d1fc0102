//! Withdrawals, and whether those have heard of them that the vault tells: by the events on their way, or gone.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Console, sql::WithdrawnRow};
use crate::{
    audit::Act,
    base::{ConsentId, Errand, GuestId, from_micros},
    events::Numbered,
    guest::GuestError,
    jobs::Receiver,
    policy::Right,
    store::{Conn, StoreError},
};

/// Withdrawals that are looked at.
const MOST: i64 = 25;
/// Events of one guest among which that of a withdrawal is looked for.
const OF_ONE: i64 = 100;

/// Whether a receiver has heard of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Heard {
    /// It has taken the event.
    Taken,
    /// The event is on its way, or is tried again.
    OnTheWay,
    /// The event was given up.
    GivenUp,
    /// The receiver came later than the event, or the event is no longer kept.
    NotKnown,
}

impl Heard {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::OnTheWay => "on_the_way",
            Self::GivenUp => "given_up",
            Self::NotKnown => "not_known",
        }
    }
}

/// What is known of one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Told {
    /// What its webhook is called.
    #[schema(max_length = 40)]
    pub receiver: String,
    /// Whether it has heard of it.
    pub state: Heard,
    /// How often it was tried in vain.
    pub attempts: i64,
    /// What it answered last: a status, or `timeout`, `not_connected`, `address_refused`, `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub answer: Option<String>,
}

/// A withdrawal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Withdrawal {
    /// When it was said.
    pub at: DateTime<Utc>,
    /// By whom.
    pub guest_id: GuestId,
    /// The line of the ledger.
    pub consent_id: ConsentId,
    /// For which purpose.
    #[schema(max_length = 60)]
    pub purpose: String,
    /// To whom the data might go; empty: nobody else.
    #[schema(max_length = 60)]
    pub recipient: String,
    /// `withdrawn` or `objected`.
    #[schema(max_length = 20)]
    pub state: String,
    /// Where.
    #[schema(max_length = 40)]
    pub channel: String,
    /// Those who are told of consents, and what is known of each. The vault itself refuses from the next read on.
    #[schema(max_items = 100)]
    pub told: Vec<Told>,
}

/// The newest withdrawals.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Withdrawals {
    /// The newest 25, the newest first.
    #[schema(max_items = 25)]
    pub items: Vec<Withdrawal>,
}

impl Console {
    /// The newest withdrawals and who has heard of them; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub(super) async fn withdrawals(&self, errand: &Errand) -> Result<Withdrawals, GuestError> {
        let mut event = self
            .look(errand, (Act::ReadConsents, "withdrawals"), &[Right::ReadAudit])
            .await?;
        let mut conn = self.vault.store.read().await?;
        let rows = conn.withdrawn(MOST, &self.vault.reach(&errand.caller)).await?;
        let mut items = Vec::new();
        for row in rows {
            items.push(self.withdrawal(&mut conn, row).await?);
        }
        drop(conn);
        event.count = u64::try_from(items.len()).ok();
        self.vault.log.record(event, ()).await?;
        Ok(Withdrawals { items })
    }

    async fn withdrawal(&self, conn: &mut Conn, row: WithdrawnRow) -> Result<Withdrawal, StoreError> {
        let guest = GuestId(row.guest_id);
        let line = ConsentId(row.consent_id);
        let events = conn.consents_of_guest(guest, OF_ONE).await?;
        let event = events
            .iter()
            .find(|one| one.event.details.consent_id == Some(line));
        let mut told = Vec::new();
        for receiver in self.courier.receivers() {
            // Who does not want this event is not among those who are told.
            if event.is_none_or(|event| receiver.wants(event)) {
                told.push(heard(conn, receiver, event).await?);
            }
        }
        Ok(Withdrawal {
            at: from_micros(row.at),
            guest_id: guest,
            consent_id: line,
            purpose: row.purpose,
            recipient: row.recipient,
            state: row.state,
            channel: row.channel,
            told,
        })
    }
}

/// Where an event is, for one receiver. The places are read before the row: an event that has neither a row nor its turn
/// yet to come was taken.
async fn heard(conn: &mut Conn, receiver: &Receiver, event: Option<&Numbered>) -> Result<Told, StoreError> {
    let told = |state, attempts, answer: Option<String>| Told {
        receiver: receiver.name().to_owned(),
        state,
        attempts,
        answer: answer.filter(|word| !word.is_empty()),
    };
    let span = conn.webhook_span(receiver.name()).await?;
    let (Some((begins, reached)), Some(event)) = (span, event) else {
        return Ok(told(Heard::NotKnown, 0, None));
    };
    let row = conn.delivery(receiver.name(), event.position).await?;
    Ok(match row {
        Some((attempts, true, answer)) => told(Heard::GivenUp, attempts, Some(answer)),
        Some((attempts, false, answer)) => told(Heard::OnTheWay, attempts, Some(answer)),
        None if event.position > reached => told(Heard::OnTheWay, 0, None),
        None if event.position > begins => told(Heard::Taken, 0, None),
        None => told(Heard::NotKnown, 0, None),
    })
}
