//! Taking a request in. The answer is the same whether or not there is such a guest.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{Errand, GuestId, from_micros, micros},
    events::Announcement,
    guest::{By, GuestError},
    policy::Right,
};

use super::{Deadlines, Kind, RequestError, Requests, State, Via, sql::RequestRow};

/// A request as it is taken in.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestInput {
    /// Whose, when the caller knows the guest.
    #[serde(default)]
    pub guest_id: Option<GuestId>,
    /// What the guest says it is known by; used to find the guest and not stored.
    #[serde(default)]
    pub identifiers: Option<By>,
    /// What is asked for.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Under which law: a regime of `policies/deadlines.toml`.
    #[schema(max_length = 40, example = "gdpr")]
    pub regime: String,
    /// How it came.
    pub received_via: Via,
    /// When it came, if not now: the clock runs from then.
    #[serde(default)]
    pub received_at: Option<DateTime<Utc>>,
}

/// A case that was opened: nothing in it tells whether there is such a guest.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Opened {
    /// Its id.
    pub request_id: Uuid,
    /// Always `received`.
    pub state: State,
    /// By when the answer is due; the law may name no day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_on: Option<NaiveDate>,
    /// By when the receipt is to be confirmed, where the law says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledge_by: Option<NaiveDate>,
}

impl Requests {
    /// Opens a case with its clock.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::BadQuestion`] for a law that is not configured, or identifiers that
    /// cannot be.
    pub async fn open(&self, errand: &Errand, input: &RequestInput) -> Result<Opened, RequestError> {
        let event = self
            .allowed(errand, (Act::OpenRequest, "opened"), &[Right::OpenRequest])
            .await?;
        let (change, row) = self.taken_in(errand, input, event).await?;
        change.commit().await?;
        Ok(self.opened(&row))
    }

    /// Opens a case for whoever may, not committed yet: what is known of it besides is stored with it or not at all.
    pub(super) async fn taken_in(
        &self,
        errand: &Errand,
        input: &RequestInput,
        event: Event,
    ) -> Result<(Change, RequestRow), RequestError> {
        let now = self.vault().clock.now();
        let received = input.received_at.unwrap_or(now);
        let Some(regime) = Deadlines::shipped().regime(&input.regime) else {
            return Err(self
                .refused(
                    event,
                    GuestError::bad("regime", "is not configured; see policies/deadlines.toml"),
                )
                .await);
        };
        if received > now || (now - received).num_days() > 365 {
            return Err(self
                .refused(
                    event,
                    GuestError::bad("received_at", "must lie within the last year"),
                )
                .await);
        }
        let guest = match self.whose(errand, input).await {
            Ok(guest) => guest,
            Err(error) => return Err(self.refused(event, error).await),
        };
        let mut row = RequestRow {
            request_id: Uuid::now_v7(),
            guest_id: guest.map(|guest| guest.0),
            kind: input.kind.as_str().to_owned(),
            regime: regime.id.clone(),
            state: State::Received.as_str().to_owned(),
            via: input.received_via.as_str().to_owned(),
            property: errand.property.to_string(),
            received_at: micros(received),
            due_on: None,
            extended: false,
            stopped_days: 0,
            stopped_since: None,
            duplicate_of: None,
            opened_by: errand.caller.principal.0,
            opened_actor: errand.caller.actor.clone(),
            version: 1,
            outcome: None,
        };
        row.due_on = self.due_on(&row);
        let event = self.about(event, errand, guest).await?;
        let mut change = self.vault().log.begin(&self.vault().store).await?;
        if let Some(guest) = guest {
            self.still_itself(&mut change, guest).await?;
            let proven = self.is_guest(errand);
            row.duplicate_of = change.tx.covering_request(guest, &row, proven).await?;
        }
        if row.duplicate_of.is_some() {
            State::Duplicate.as_str().clone_into(&mut row.state);
        }
        change.tx.open_request(&row).await?;
        change
            .tx
            .add_step(row.request_id, micros(now), (&row.state, None), errand)
            .await?;
        let opened = Announcement::request_opened(now, row.request_id);
        change.tx.announce(&opened.at_property(&errand.property)).await?;
        change.record(event);
        Ok((change, row))
    }

    fn opened(&self, row: &RequestRow) -> Opened {
        let node = row
            .property
            .parse()
            .ok()
            .and_then(|code| self.vault().properties.get(&code).cloned());
        let timezone = node.as_ref().map(|node| node.timezone).unwrap_or_default();
        let region = node.and_then(|node| node.region);
        let deadlines = Deadlines::shipped();
        let received = from_micros(row.received_at).with_timezone(&timezone).date_naive();
        let acknowledge_by = deadlines
            .regime(&row.regime)
            .and_then(|regime| regime.acknowledged_by(received, deadlines.calendar(region.as_deref())));
        Opened {
            request_id: row.request_id,
            state: State::Received,
            due_on: row.due_on.as_deref().and_then(|day| day.parse().ok()),
            acknowledge_by,
        }
    }

    /// Whose request it is, as far as one can tell; the same work is done whether or not there is such a guest.
    async fn whose(&self, errand: &Errand, input: &RequestInput) -> Result<Option<GuestId>, GuestError> {
        let vault = self.vault();
        let found = match (&input.identifiers, input.guest_id) {
            (Some(by), None) => vault.who_is(errand, by).await?,
            (None, guest) => guest,
            (Some(_), Some(_)) => {
                return Err(GuestError::bad(
                    "identifiers",
                    "give the guest's id or identifiers, not both",
                ));
            }
        };
        let guest = vault.goes_on_as(found.unwrap_or_else(GuestId::random)).await?;
        let head = vault.store.read().await?.guest_head(guest).await?;
        Ok(head.map(|_| guest))
    }
}
