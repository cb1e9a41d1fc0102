//! Showing the feed to listeners, and deliveries to who runs them; each look that shows something is recorded.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Courier, Receiver};
use crate::{
    audit::{Act, AuditError, CommitError, Event, Log, Receipt},
    base::{Caller, Clock, PropertyTree, RequestId, from_micros, micros},
    events::{CloudEvent, Kind, Numbered, feed, sql::Dead},
    policy::{Policies, Right},
    store::{Store, StoreError},
};

/// What the calls about events need. Cheap to clone.
#[derive(Clone)]
pub struct EventDesk {
    /// Where events lie.
    pub store: Store,
    /// Who may listen.
    pub policies: Arc<Policies>,
    /// The record of every look.
    pub log: Log,
    /// When it is.
    pub clock: Clock,
    /// The hotel group's tree.
    pub properties: Arc<PropertyTree>,
    /// The receivers.
    pub courier: Arc<Courier>,
}

/// Could not, because …
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The role has not the right.
    #[error("this role may not do this with events")]
    Forbidden,
    /// There is no such receiver.
    #[error("there is no such webhook")]
    NotFound,
    /// Events between that place and the oldest are no longer kept.
    #[error("events after this place are no longer kept")]
    Gone,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The look could not be recorded, so there is nothing to show.
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
    /// The change could not be made.
    #[error(transparent)]
    NotDone(#[from] CommitError),
}

/// A page of the feed.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsAnswer {
    /// The events, oldest first.
    #[schema(max_items = 200)]
    pub items: Vec<CloudEvent>,
    /// Give it as `after` to go on from here; the same as before when nothing happened.
    #[schema(max_length = 20)]
    pub next_after: String,
}

/// How far a receiver is.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookAnswer {
    /// What it is called.
    #[schema(max_length = 40)]
    pub name: String,
    /// The last place of the feed that was looked at for it; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<i64>,
    /// Events on their way, tries that failed among them.
    pub waiting: i64,
    /// Events that were given up.
    pub dead: i64,
}

/// An event that was given up.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeadLetter {
    /// The event.
    pub event_id: Uuid,
    /// Its place in the feed.
    pub position: i64,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: Option<Kind>,
    /// When.
    pub time: DateTime<Utc>,
    /// How often it was tried.
    pub attempts: i64,
    /// What the receiver answered last: a status, or `timeout`, `not_connected`, `address_refused`, `failed`.
    #[schema(max_length = 40)]
    pub answer: String,
}

impl From<Dead> for DeadLetter {
    fn from(dead: Dead) -> Self {
        Self {
            event_id: dead.event_id,
            position: dead.position,
            kind: dead.kind.parse().ok(),
            time: from_micros(dead.at),
            attempts: dead.attempts,
            answer: dead.answer,
        }
    }
}

impl EventDesk {
    /// Events after a place, of the properties that the caller acts for.
    ///
    /// # Errors
    /// [`EventsError::Forbidden`]; [`EventsError::Gone`] when some of them are no longer kept.
    pub async fn events(
        &self,
        caller: &Caller,
        request: RequestId,
        (after, most): (i64, u16),
    ) -> Result<EventsAnswer, EventsError> {
        let mut event = self.event(caller, Act::ReadEvents, request);
        self.permit(caller, Right::ReadEvents, &event).await?;
        feed::number_all(&self.store).await?;
        let page = feed::after(&self.store, after, most.into()).await?;
        // From the beginning means from the oldest that there is.
        if page.cut && after > 0 {
            return Err(EventsError::Gone);
        }
        let last = page.events.last().map_or(after, |e| e.position);
        let items: Vec<CloudEvent> = page
            .events
            .into_iter()
            .filter(|e| self.hears(caller, e))
            .map(|e| e.told(self.courier.source()))
            .collect();
        // A listener asks every few seconds; what it hears is on record, silence is not.
        if !items.is_empty() {
            event.count = u64::try_from(items.len()).ok();
            self.log.record(event, ()).await?;
        }
        Ok(EventsAnswer {
            items,
            next_after: last.to_string(),
        })
    }

    fn hears(&self, caller: &Caller, event: &Numbered) -> bool {
        event
            .event
            .property
            .as_ref()
            .is_none_or(|at| self.properties.covers(&caller.scope, at))
    }

    /// The receivers, and how far each is.
    ///
    /// # Errors
    /// [`EventsError::Forbidden`].
    pub async fn webhooks(
        &self,
        caller: &Caller,
        request: RequestId,
    ) -> Result<Vec<WebhookAnswer>, EventsError> {
        let event = self.event(caller, Act::ReadEvents, request);
        self.permit(caller, Right::ManageWebhooks, &event).await?;
        let mut conn = self.store.read().await?;
        let mut all = Vec::new();
        for receiver in self.courier.receivers() {
            let (waiting, dead) = conn.delivery_counts(receiver.name()).await?;
            all.push(WebhookAnswer {
                name: receiver.name().to_owned(),
                position: conn.webhook_position(receiver.name()).await?,
                waiting,
                dead,
            });
        }
        self.log.record(event, ()).await?;
        Ok(all)
    }

    /// What was given up, after a place.
    ///
    /// # Errors
    /// [`EventsError::Forbidden`], [`EventsError::NotFound`].
    pub async fn dead_letters(
        &self,
        caller: &Caller,
        request: RequestId,
        name: &str,
        (after, most): (i64, i64),
    ) -> Result<Vec<DeadLetter>, EventsError> {
        let mut event = self.event(caller, Act::ReadEvents, request);
        self.permit(caller, Right::ManageWebhooks, &event).await?;
        let receiver = self.receiver(name)?;
        let dead = self
            .store
            .read()
            .await?
            .dead(receiver.name(), after, most)
            .await?;
        event.count = u64::try_from(dead.len()).ok();
        self.log.record(event, ()).await?;
        Ok(dead.into_iter().map(DeadLetter::from).collect())
    }

    /// Sends again what was given up; gives how many events.
    ///
    /// # Errors
    /// [`EventsError::Forbidden`], [`EventsError::NotFound`].
    pub async fn redeliver(
        &self,
        caller: &Caller,
        request: RequestId,
        name: &str,
    ) -> Result<u64, EventsError> {
        let mut event = self.event(caller, Act::ManageWebhooks, request);
        self.permit(caller, Right::ManageWebhooks, &event).await?;
        let receiver = self.receiver(name)?;
        let mut change = self.log.begin(&self.store).await?;
        let again = change.tx.revive(receiver.name(), micros(event.at)).await?;
        event.count = Some(again);
        change.record(event);
        change.commit().await?;
        Ok(again)
    }

    fn receiver(&self, name: &str) -> Result<&Receiver, EventsError> {
        let mut all = self.courier.receivers().iter();
        all.find(|r| r.name() == name).ok_or(EventsError::NotFound)
    }

    fn event(&self, caller: &Caller, act: Act, request: RequestId) -> Event {
        let mut event = Event::by(caller, act, request, self.clock.now());
        event.policy_version = Some(self.policies.current().version().to_owned());
        event
    }

    async fn permit(&self, caller: &Caller, right: Right, event: &Event) -> Result<(), EventsError> {
        if self.policies.current().allows(&caller.role, right) {
            return Ok(());
        }
        let _: Receipt<()> = self.log.record(event.clone().denied("policy"), ()).await?;
        Err(EventsError::Forbidden)
    }
}
