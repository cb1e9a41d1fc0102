//! Numbers events and brings them to their receivers, until they are taken or given up.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use crate::{
    base::{Clock, PropertyTree, micros},
    config::{EventsConfig, WebhookConfig},
    crypto::random,
    events::{
        feed,
        sql::{Due, Failed},
    },
    store::{Store, StoreError},
};

use super::{Lease, Receiver, ReceiverError, hook::Outcome, outgoing::TIMEOUT};

/// How often it looks for work.
const TICK: Duration = Duration::from_millis(500);
/// How often old events are swept, in ticks: about every ten minutes.
const SWEEP: u32 = 1_200;
/// Events looked at per receiver and step.
const LOOKED_AT: i64 = 500;
/// Events sent to a receiver at once.
const AT_ONCE: i64 = 16;
/// How long the right to send holds; longer than a step takes, so that no other sends the same meanwhile.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// After which time, in seconds, each try is followed by the next; after the last the event is given up. The schedule
/// that Standard Webhooks recommends.
const PAUSES: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// What is put off further than any pause was put off by a clock that was ahead: it is due.
const FURTHEST: TimeDelta = TimeDelta::days(2);

/// Could not begin, because …
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// A receiver is configured wrongly.
    #[error(transparent)]
    Receiver(#[from] ReceiverError),
}

/// What a step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Whether another instance has the right to send.
    pub held: bool,
    /// Events that were taken.
    pub taken: usize,
    /// Events that were not.
    pub failed: usize,
    /// Whether there is more to do at once.
    pub more: bool,
}

/// Brings events to receivers.
pub struct Courier {
    store: Store,
    clock: Clock,
    config: EventsConfig,
    receivers: Vec<Receiver>,
    lease: Lease,
}

impl Courier {
    /// Reads the receivers' secrets; sends nothing yet.
    ///
    /// # Errors
    /// With what is wrong in the configuration.
    pub fn open(
        store: Store,
        clock: Clock,
        (config, webhooks): (&EventsConfig, &[WebhookConfig]),
        properties: &Arc<PropertyTree>,
    ) -> Result<Self, CourierError> {
        let receivers: Result<Vec<_>, _> = webhooks.iter().map(|w| Receiver::new(w, properties)).collect();
        Ok(Self {
            lease: Lease::new(store.clone(), clock.clone(), "webhooks", LEASE),
            config: config.clone(),
            receivers: receivers?,
            store,
            clock,
        })
    }

    /// The receivers, as they are configured.
    #[must_use]
    pub fn receivers(&self) -> &[Receiver] {
        &self.receivers
    }

    /// What events call this vault.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.config.source
    }

    /// Numbers what happened, and sends what is due: one batch to each receiver.
    ///
    /// # Errors
    /// What the database says; what was not sent is sent again.
    pub async fn step(&self) -> Result<Done, StoreError> {
        feed::number_all(&self.store).await?;
        if self.receivers.is_empty() {
            return Ok(Done::default());
        }
        if !self.lease.take().await? {
            return Ok(Done {
                held: true,
                ..Done::default()
            });
        }
        let mut all = Done::default();
        for done in join_all(self.receivers.iter().map(|receiver| self.serve(receiver))).await {
            let done = done?;
            all.taken += done.taken;
            all.failed += done.failed;
            all.more |= done.more;
        }
        Ok(all)
    }

    /// Forgets events that are old enough.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let before = self.clock.now() - TimeDelta::days(self.config.keep_days.into());
        feed::sweep(&self.store, before).await
    }

    /// Works until dropped.
    pub async fn run(&self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ticks = 0_u32;
        loop {
            tick.tick().await;
            let worked = async {
                if ticks.is_multiple_of(SWEEP) {
                    self.sweep().await?;
                }
                while self.step().await?.more {}
                Ok::<_, StoreError>(())
            };
            if let Err(error) = worked.await
                && !error.is_transient()
            {
                tracing::warn!(%error, "events wait: the database does not let them be sent");
            }
            ticks = ticks.wrapping_add(1);
        }
    }

    /// Gives up the right to send, so that another need not wait.
    ///
    /// # Errors
    /// What the database says; the right then ends by itself.
    pub async fn leave(&self) -> Result<(), StoreError> {
        if self.receivers.is_empty() {
            return Ok(());
        }
        self.lease.leave().await
    }

    async fn serve(&self, receiver: &Receiver) -> Result<Done, StoreError> {
        let now = self.clock.now();
        let wants = |event: &_| receiver.wants(event);
        let looked = feed::fan_out(&self.store, receiver.name(), LOOKED_AT, wants, now).await?;
        let due = self
            .store
            .read()
            .await?
            .due(receiver.name(), (micros(now), micros(now + FURTHEST)), AT_ONCE)
            .await?;
        let full = |count: usize, most: i64| i64::try_from(count).is_ok_and(|count| count >= most);
        let mut done = Done {
            more: full(looked, LOOKED_AT) || full(due.len(), AT_ONCE),
            ..Done::default()
        };
        let sent = due.into_iter().map(|due| self.send(receiver, due, now));
        for (due, outcome) in join_all(sent).await {
            let taken = matches!(outcome, Outcome::Taken);
            self.note(receiver, due, outcome).await?;
            done.taken += usize::from(taken);
            done.failed += usize::from(!taken);
        }
        self.count(receiver).await?;
        Ok(done)
    }

    async fn send(&self, receiver: &Receiver, due: Due, now: DateTime<Utc>) -> ((i64, i64), Outcome) {
        let place = (due.event.position, due.attempts.saturating_add(1));
        // A receiver that drips its answer must not hold up the others beyond the lease.
        let sending = receiver.send(due.event, &self.config.source, now.timestamp());
        let outcome = tokio::time::timeout(TIMEOUT, sending)
            .await
            .unwrap_or_else(|_| Outcome::NotNow("timeout".to_owned()));
        (place, outcome)
    }

    async fn note(
        &self,
        receiver: &Receiver,
        (position, attempts): (i64, i64),
        outcome: Outcome,
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let (answer, next) = match outcome {
            Outcome::Taken => {
                tx.delivered(receiver.name(), position).await?;
                return tx.commit().await;
            }
            Outcome::NotNow(answer) => (answer, pause(attempts)),
            Outcome::Never(answer) => (answer, None),
        };
        if next.is_none() {
            tracing::error!(
                webhook = receiver.name(),
                position,
                answer,
                "an event was given up"
            );
        }
        let due_at = self.clock.now() + next.unwrap_or_default();
        tx.delivery_failed(&Failed {
            receiver: receiver.name(),
            position,
            attempts,
            due_at: micros(due_at),
            dead: next.is_none(),
            answer: &answer,
        })
        .await?;
        tx.commit().await
    }

    async fn count(&self, receiver: &Receiver) -> Result<(), StoreError> {
        let (waiting, dead) = self.store.read().await?.delivery_counts(receiver.name()).await?;
        let count = |count: i64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        metrics::gauge!("guest_vault_webhook_waiting", "webhook" => receiver.name().to_owned())
            .set(count(waiting));
        metrics::gauge!("guest_vault_webhook_dead", "webhook" => receiver.name().to_owned()).set(count(dead));
        Ok(())
    }
}

/// How long to wait after so many tries, a tenth more or less so that receivers are not called in step; `None` when
/// it is enough.
fn pause(attempts: i64) -> Option<TimeDelta> {
    let nth = usize::try_from(attempts.saturating_sub(1)).ok()?;
    let seconds = PAUSES.get(nth).copied()?;
    let [jitter] = random::<1>();
    let share = seconds * 200 / 1_000;
    TimeDelta::try_seconds(seconds - share / 2 + share * i64::from(jitter) / 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_over_three_days_and_end() {
        let all: Vec<i64> = (1..).map_while(pause).map(|p| p.num_seconds()).collect();
        assert_eq!(all.len(), PAUSES.len());
        assert!(all.is_sorted(), "{all:?}");
        let days: i64 = all.iter().sum::<i64>() / 86_400;
        assert!((2..=3).contains(&days), "{days}");
        assert_eq!(pause(10), None);
    }
}
