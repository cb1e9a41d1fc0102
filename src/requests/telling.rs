//! Agents that want to be told when something about their request changes (the protocol's status callback).

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::base::micros;

use super::agents::{AgentDesk, AgentError, AgentStatus};

/// Requests looked at in one look.
const MOST: i64 = 500;
/// How long until a request of which there is nothing new is looked at again, and until the first new try.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// After so many tries in vain the agent has to ask: each waits twice as long as the one before, a day at most.
const TRIES: i64 = 16;

/// What an agent is to be told.
pub struct Telling {
    /// Of which request.
    pub request_id: Uuid,
    /// Where.
    pub url: String,
    /// What.
    pub status: AgentStatus,
    /// How often it was told in vain.
    tries: i64,
}

impl Telling {
    /// What is compared with what it was told last.
    fn word(&self) -> String {
        let status = &self.status;
        let due = status.expected_by.map(|at| at.to_rfc3339()).unwrap_or_default();
        format!("{} {} {due}", status.status, status.reason.unwrap_or_default())
    }

    /// Whether nothing can follow.
    fn is_last(&self) -> bool {
        ["fulfilled", "denied", "revoked"].contains(&self.status.status)
    }
}

impl AgentDesk {
    /// What agents are to be told now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn to_tell(&self) -> Result<Vec<Telling>, AgentError> {
        let now = self.requests.vault().clock.now();
        let due = self
            .requests
            .vault()
            .store
            .read()
            .await?
            .agent_requests_due(micros(now), MOST)
            .await?;
        let mut all = Vec::new();
        for row in due {
            let Some(url) = row.callback else { continue };
            let request = self.requests.row(row.request_id).await?;
            let telling = Telling {
                request_id: row.request_id,
                url,
                status: self.status(&request).await?,
                tries: row.tries,
            };
            if telling.word() == row.told {
                self.note(&telling, (&row.told, 0), now).await?;
            } else {
                all.push(telling);
            }
        }
        Ok(all)
    }

    /// Notes whether an agent took what it was told.
    ///
    /// # Errors
    /// What the database says; then it is told again.
    pub async fn told(&self, telling: &Telling, taken: bool) -> Result<(), AgentError> {
        let now = self.requests.vault().clock.now();
        if taken {
            self.note(telling, (&telling.word(), 0), now).await
        } else {
            self.note(telling, ("", telling.tries.saturating_add(1)), now)
                .await
        }
    }

    async fn note(
        &self,
        telling: &Telling,
        (told, tries): (&str, i64),
        now: DateTime<Utc>,
    ) -> Result<(), AgentError> {
        let ended = telling.is_last() && !told.is_empty() || tries >= TRIES;
        let doubled = u32::try_from(tries)
            .ok()
            .and_then(|tries| 2_i32.checked_pow(tries));
        let pause = (PAUSE * doubled.unwrap_or(i32::MAX / 64)).min(TimeDelta::days(1));
        let next = (!ended).then(|| micros(now + pause));
        let mut tx = self.requests.vault().store.begin().await?;
        tx.agent_told(telling.request_id, (told, tries), next).await?;
        Ok(tx.commit().await?)
    }
}
