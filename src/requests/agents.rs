//! Requests that agents bring by the Data Rights Protocol 1.0: each message is signed by its agent, for this house, and
//! counts once.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use data_encoding::{BASE64, HEXLOWER};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::operator,
    audit::{Act, Change, Event},
    base::{Errand, PropertyCode, RequestId, from_micros, micros},
    crypto::{same, sha256, verify_signature},
    guest::{By, GuestError},
    keys::MacPurpose,
};

use super::{
    Ground, Kind, RequestError, RequestInput, Requests, State, Via,
    sql::{self, RequestRow},
};

/// The bytes of an Ed25519 signature, before the message that it is over.
const SIGNATURE: usize = 64;
/// What may lie between two clocks, in seconds.
const SKEW: i64 = 60;

/// An agent that may bring requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// Its public key, Ed25519.
    pub key: [u8; 32],
    /// What the addresses begin with at which it may want to be told of its requests.
    pub callbacks: Vec<String>,
}

/// Whom agents speak to here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct House {
    /// What they call it.
    pub business: String,
    /// Where requests are taken in.
    pub property: PropertyCode,
    /// Who they are.
    pub agents: Vec<Agent>,
}

/// The desk of the agents. Without agents it knows nobody.
#[derive(Clone)]
pub struct AgentDesk {
    /// What works on requests.
    pub requests: Requests,
    /// Whom they speak to.
    pub house: Option<Arc<House>>,
}

/// What an agent asks, inside its signature.
#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "agent-id")]
    agent: String,
    #[serde(rename = "business-id")]
    business: String,
    #[serde(rename = "issued-at")]
    issued_at: DateTime<Utc>,
    #[serde(rename = "expires-at")]
    expires_at: DateTime<Utc>,
    #[serde(rename = "agent-request-id", default)]
    name: Option<String>,
    #[serde(default)]
    status_callback: Option<String>,
    #[serde(default)]
    exercise: String,
    #[serde(default)]
    regime: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    #[serde(default)]
    phone_number: Option<String>,
    #[serde(default)]
    phone_number_verified: bool,
}

/// What the protocol has an agent say that takes a request back: neither to whom nor when, but a case ends once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    #[serde(default, rename = "reason")]
    _reason: serde::de::IgnoredAny,
}

/// What a message is known by, and until when, so that it counts once.
struct Once {
    digest: [u8; 32],
    until: i64,
}

/// Where a request stands, in the words of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AgentStatus {
    /// The request; absent when nothing was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
    /// What the agent calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub agent_request_id: Option<String>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// By when it is answered, as the law says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_by: Option<DateTime<Utc>>,
    /// `open`, `in_progress`, `fulfilled`, `denied` or `revoked`.
    #[schema(max_length = 20)]
    pub status: &'static str,
    /// Why it is denied, or what it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 30)]
    pub reason: Option<&'static str>,
    /// Why it takes longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub processing_details: Option<&'static str>,
}

/// An agent's message that is not taken in, because …
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// As for any request.
    #[error(transparent)]
    Request(RequestError),
    /// The token is no agent's.
    #[error("the token is no agent's")]
    Stranger,
    /// It is not signed by the agent, or for somebody else.
    #[error("{0}")]
    Refused(&'static str),
    /// It cannot be read, or its time is not now.
    #[error("{0}")]
    Bad(&'static str),
    /// It was taken in before.
    #[error("this message was taken in before")]
    Replayed,
}

impl<E: Into<RequestError>> From<E> for AgentError {
    fn from(error: E) -> Self {
        Self::Request(error.into())
    }
}

impl AgentDesk {
    /// The token of an agent that proves, by its signature, that it is the one: the same each time, and none once the
    /// agent is taken out of the configuration.
    ///
    /// # Errors
    /// [`AgentError::Refused`], [`AgentError::Bad`].
    pub fn greet(&self, id: &str, body: &[u8]) -> Result<String, AgentError> {
        let agent = self.agents().find(|agent| agent.id == id);
        let agent = agent.ok_or(AgentError::Refused("nobody of this name is known"))?;
        self.read(agent, body)?;
        Ok(self.token(agent))
    }

    /// The agent of a token.
    ///
    /// # Errors
    /// [`AgentError::Stranger`].
    pub fn agent(&self, token: &str) -> Result<&Agent, AgentError> {
        let known = |agent: &&Agent| same(self.token(agent).as_bytes(), token.as_bytes());
        self.agents().find(known).ok_or(AgentError::Stranger)
    }

    fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.house.iter().flat_map(|house| &house.agents)
    }

    fn token(&self, agent: &Agent) -> String {
        let mac = self.requests.vault().keys.mac(MacPurpose::Token);
        HEXLOWER.encode(&mac.mac_of(&[b"drp agent", agent.id.as_bytes(), &agent.key]))
    }

    /// A message, in the protocol's order: signature, agent, business, not before, not after.
    fn read(&self, agent: &Agent, body: &[u8]) -> Result<(Asked, Once), AgentError> {
        self.understand(agent, &signed(agent, body)?)
    }

    /// The same, of which the signature holds.
    fn understand(&self, agent: &Agent, message: &[u8]) -> Result<(Asked, Once), AgentError> {
        let asked: Asked =
            serde_json::from_slice(message).map_err(|_| AgentError::Bad("the message cannot be read"))?;
        let business = self.house.as_ref().map(|house| house.business.as_str());
        let now = self.requests.vault().clock.now();
        if asked.agent != agent.id {
            return Err(AgentError::Refused("the message is of another agent"));
        }
        if Some(asked.business.as_str()) != business {
            return Err(AgentError::Refused("the message is for another business"));
        }
        if (asked.issued_at - now).num_seconds() > SKEW {
            return Err(AgentError::Bad("the message is not issued yet"));
        }
        if asked.expires_at <= now {
            return Err(AgentError::Bad("the message has run out"));
        }
        let once = Once {
            digest: sha256(message),
            until: micros(asked.expires_at),
        };
        Ok((asked, once))
    }

    /// Takes a request in. A message that has opened one opens no other: it is answered with where that one stands, as
    /// its first answer may have been lost.
    ///
    /// # Errors
    /// See [`AgentError`].
    pub async fn ask(&self, request: RequestId, token: &str, body: &[u8]) -> Result<AgentStatus, AgentError> {
        let agent = self.agent(token)?;
        let (asked, once) = self.read(agent, body)?;
        if asked.name.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(AgentError::Bad(
                "agent-request-id is 1 to 100 of a-z, A-Z, 0-9, ., _, : and -",
            ));
        }
        let denied = |now, reason| denied(now, asked.name.clone(), reason);
        let now = self.requests.vault().clock.now();
        let kind = match asked.exercise.as_str() {
            "access" | "access:categories" | "access:specific" => Kind::Access,
            "deletion" => Kind::Erasure,
            "sale:opt-out" | "sale:opt_out" => Kind::Objection,
            _ => return Ok(denied(now, "claim_not_covered")),
        };
        if !["ccpa", "voluntary", ""].contains(&asked.regime.as_str()) {
            return Ok(denied(now, "outside_jurisdiction"));
        }
        let errand = self.errand(agent, request)?;
        let by = match (&asked.email, &asked.phone_number) {
            (Some(email), _) if asked.email_verified => serde_json::json!({ "email": email }),
            (_, Some(phone)) if asked.phone_number_verified => serde_json::json!({ "phone": phone }),
            _ => return Ok(denied(now, "insuf_verification")),
        };
        let by: By = serde_json::from_value(by).map_err(|_| AgentError::Bad("the message cannot be read"))?;
        if let Some(opened) = self.opened_by(&once).await? {
            return self.look(request, token, opened).await;
        }
        let input = RequestInput {
            guest_id: None,
            identifiers: Some(by),
            kind,
            regime: "ccpa".to_owned(),
            received_via: Via::Agent,
            received_at: None,
        };
        let mut event = Event::of(&errand, Act::OpenRequest, now);
        event.outcome = Some("opened");
        let (mut change, row) = self.requests.taken_in(&errand, &input, event).await?;
        if !take(&mut change, &once, Some(row.request_id), now).await? {
            drop(change);
            // The same message was faster.
            let opened = self.opened_by(&once).await?.ok_or(AgentError::Replayed)?;
            return self.look(request, token, opened).await;
        }
        let told_at = |url: &&String| agent.callbacks.iter().any(|begin| url.starts_with(begin));
        let callback = asked.status_callback.as_ref().filter(told_at).map(String::as_str);
        let called = (asked.name.as_deref(), callback);
        let next = callback.map(|_| micros(now));
        change.tx.add_agent_request(row.request_id, called, next).await?;
        change.commit().await?;
        self.status(&row).await
    }

    /// Where a request of this agent stands.
    ///
    /// # Errors
    /// [`AgentError::Refused`] for one that is not there, or another agent's.
    pub async fn look(&self, request: RequestId, token: &str, id: Uuid) -> Result<AgentStatus, AgentError> {
        let row = self.own(token, id).await?;
        let errand = self.errand(self.agent(token)?, request)?;
        let mut event = Event::of(&errand, Act::ReadRequests, self.requests.vault().clock.now());
        event.outcome = Some("read");
        self.requests.vault().log.record(event, ()).await?;
        self.status(&row).await
    }

    /// Takes a request back, unless it is done or on its way. What is signed is the protocol's reason alone, or a message
    /// like any other.
    ///
    /// # Errors
    /// [`AgentError::Refused`] for one that is not there or another agent's, and for what the agent did not sign for this
    /// house; [`AgentError::Bad`], [`AgentError::Replayed`]; [`RequestError::State`].
    pub async fn revoke(
        &self,
        request: RequestId,
        token: &str,
        (id, body): (Uuid, &[u8]),
    ) -> Result<AgentStatus, AgentError> {
        let mut row = self.own(token, id).await?;
        let agent = self.agent(token)?;
        let message = signed(agent, body)?;
        let once = match serde_json::from_slice::<Reason>(&message) {
            Ok(Reason { .. }) => None,
            Err(_) => Some(self.understand(agent, &message)?.1),
        };
        let errand = self.errand(agent, request)?;
        let open = [State::Received, State::Verified, State::Duplicate];
        if !open.contains(&self.stands(&row).await?) {
            return Err(RequestError::State("The request is done, or on its way.").into());
        }
        State::Revoked.as_str().clone_into(&mut row.state);
        let now = self.requests.vault().clock.now();
        let mut event = Event::of(&errand, Act::HandleRequest, now);
        event.outcome = Some("revoked");
        let mut change = self
            .requests
            .stored(&errand, &row, ("revoked", None), event)
            .await?;
        if let Some(once) = once
            && !take(&mut change, &once, None, now).await?
        {
            return Err(AgentError::Replayed);
        }
        change.commit().await?;
        self.status(&row).await
    }

    async fn own(&self, token: &str, id: Uuid) -> Result<RequestRow, AgentError> {
        let actor = actor(self.agent(token)?);
        let row = sql::request(&mut self.requests.vault().store.read().await?, id).await?;
        row.filter(|row| row.via == Via::Agent.as_str() && row.opened_actor.as_ref() == Some(&actor))
            .ok_or(AgentError::Refused("there is no such request of this agent"))
    }

    fn errand(&self, agent: &Agent, request: RequestId) -> Result<Errand, AgentError> {
        let house = self.house.as_ref().ok_or(AgentError::Stranger)?;
        let forbidden = |_| RequestError::Guest(GuestError::Forbidden);
        let mut caller = operator().map_err(forbidden)?;
        caller.actor = Some(actor(agent));
        Ok(Errand {
            caller,
            property: house.property.clone(),
            purpose: "subject_request".parse().map_err(forbidden)?,
            reason: None,
            request,
        })
    }

    /// The request that a message has opened.
    async fn opened_by(&self, once: &Once) -> Result<Option<Uuid>, AgentError> {
        let mut conn = self.requests.vault().store.read().await?;
        Ok(conn.opened_by_message(&once.digest).await?)
    }

    /// Where a request stands for its agent: one that was joined with another is done with that one.
    async fn stands(&self, row: &RequestRow) -> Result<State, AgentError> {
        let state = State::from_word(&row.state).ok_or(GuestError::Damaged)?;
        let (State::Duplicate, Some(other)) = (state, row.duplicate_of) else {
            return Ok(state);
        };
        let other = self.requests.row(other).await?;
        let done = other.state == State::Done.as_str() && other.guest_id == row.guest_id;
        Ok(if done { State::Done } else { state })
    }

    /// In the words of the protocol. Whether there is another case of the same guest is not told before that is done.
    pub(super) async fn status(&self, row: &RequestRow) -> Result<AgentStatus, AgentError> {
        let (status, reason) = match self.stands(row).await? {
            State::Received if row.stopped_since.is_some() => ("in_progress", Some("need_user_verification")),
            State::Received | State::Duplicate => ("open", None),
            State::Verified | State::Waiting | State::Ready => ("in_progress", None),
            State::Done => ("fulfilled", None),
            State::Revoked => ("revoked", None),
            State::Denied => ("denied", Some(self.why(row).await?)),
        };
        let due = row
            .due_on
            .as_deref()
            .and_then(|day| day.parse::<chrono::NaiveDate>().ok());
        let known = self
            .requests
            .vault()
            .store
            .read()
            .await?
            .agent_request(row.request_id)
            .await?;
        Ok(AgentStatus {
            request_id: Some(row.request_id),
            agent_request_id: known.and_then(|known| known.name),
            received_at: from_micros(row.received_at),
            expected_by: due
                .and_then(|day| day.and_hms_opt(23, 59, 59))
                .map(|time| time.and_utc()),
            status,
            reason,
            processing_details: row
                .extended
                .then_some("the answer was put off, as the law allows"),
        })
    }

    async fn why(&self, row: &RequestRow) -> Result<&'static str, AgentError> {
        let steps = self
            .requests
            .vault()
            .store
            .read()
            .await?
            .request_steps(row.request_id)
            .await?;
        let ground = steps.iter().rev().find_map(|(_, step, ground, ..)| {
            let ground = ground.as_deref().filter(|_| step == "denied")?;
            Ground::from_word(ground)
        });
        Ok(match ground {
            Some(Ground::NoMatch) => "no_match",
            Some(Ground::InsufficientVerification) => "insuf_verification",
            Some(Ground::SuspectedFraud) => "suspected_fraud",
            Some(Ground::OutsideJurisdiction) => "outside_jurisdiction",
            Some(Ground::Excessive | Ground::ManyRequests) => "too_many_requests",
            Some(Ground::LegalObligation | Ground::LegalClaim) => "claim_not_covered",
            _ => "other",
        })
    }
}

fn actor(agent: &Agent) -> String {
    format!("agent:{}", agent.id)
}

/// Takes a message in, or not when it was before.
async fn take(
    change: &mut Change,
    once: &Once,
    opened: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<bool, AgentError> {
    let message = (&once.digest, once.until);
    Ok(change.tx.take_message(message, opened, micros(now)).await?)
}

/// The message of a body: base64 of its signature and itself.
fn signed(agent: &Agent, body: &[u8]) -> Result<Vec<u8>, AgentError> {
    let text: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let bytes = BASE64
        .decode(&text)
        .map_err(|_| AgentError::Bad("the body is not base64"))?;
    let Some((signature, message)) = bytes.split_at_checked(SIGNATURE) else {
        return Err(AgentError::Bad("the body is too short to be signed"));
    };
    if verify_signature(&agent.key, message, signature) {
        Ok(message.to_vec())
    } else {
        Err(AgentError::Refused("the message is not signed by the agent"))
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    (1..=100).contains(&text.len()) && text.chars().all(allowed)
}

fn denied(now: DateTime<Utc>, name: Option<String>, reason: &'static str) -> AgentStatus {
    AgentStatus {
        request_id: None,
        agent_request_id: name,
        received_at: now,
        expected_by: None,
        status: "denied",
        reason: Some(reason),
        processing_details: None,
    }
}
