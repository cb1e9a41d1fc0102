//! Tells agents what became of the requests that they brought.

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::{Client, StatusCode, Url, header::CONTENT_TYPE};

use crate::{
    base::AddressRange,
    requests::agents::{AgentDesk, AgentError},
};

use super::{Lease, outgoing::Reach};

/// How often it looks.
const TICK: Duration = Duration::from_secs(10);
/// For how long one instance does it after it last did.
const LASTS: TimeDelta = TimeDelta::minutes(5);

/// Tells agents.
pub struct Teller {
    desk: AgentDesk,
    lease: Lease,
    reach: Reach,
    client: Client,
}

impl Teller {
    /// Of this desk; inside only where `allow` says so.
    ///
    /// # Errors
    /// When the machine has no trusted certificates.
    pub fn new(desk: AgentDesk, allow: &[AddressRange]) -> Result<Self, reqwest::Error> {
        let vault = &desk.requests.eraser.vault;
        let lease = Lease::new(vault.store.clone(), vault.clock.clone(), "agents", LASTS);
        let reach = Reach::new(allow);
        Ok(Self {
            client: reach.client()?,
            desk,
            lease,
            reach,
        })
    }

    /// Works until dropped.
    pub async fn run(&self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let step = async {
                if self.lease.take().await? {
                    self.step().await?;
                }
                Ok::<_, AgentError>(())
            };
            if let Err(error) = step.await {
                tracing::warn!(%error, "agents wait to be told of their requests");
            }
        }
    }

    /// Tells what there is to tell; how many took it.
    ///
    /// # Errors
    /// What the database says; the rest is told again.
    pub async fn step(&self) -> Result<usize, AgentError> {
        let mut taken = 0;
        for telling in self.desk.to_tell().await? {
            let body = serde_json::to_vec(&telling.status).unwrap_or_default();
            let took = self.call(&telling.url, body).await;
            self.desk.told(&telling, took).await?;
            taken += usize::from(took);
        }
        Ok(taken)
    }

    async fn call(&self, url: &str, body: Vec<u8>) -> bool {
        let Ok(url) = url.parse::<Url>() else { return false };
        if self.reach.check(&url).is_err() {
            return false;
        }
        let call = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        // The protocol: 200 is what says that it was taken; what else is answered is not looked at.
        call.send()
            .await
            .is_ok_and(|answer| answer.status() == StatusCode::OK)
    }
}
