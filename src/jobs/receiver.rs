//! One receiver of events: what it wants, where it is, how its calls are signed.

use std::{path::PathBuf, sync::Arc};

use reqwest::{Client, Url, header::CONTENT_TYPE};

use crate::{
    base::{PropertyCode, PropertyTree},
    config::WebhookConfig,
    crypto::{HookKey, InvalidHookKey},
    events::{Kind, Numbered, UnknownKind, cloud::MEDIA_TYPE},
};

use super::outgoing::{Forbidden, Reach, is_forbidden};

/// A receiver, ready to be called.
pub struct Receiver {
    name: String,
    url: Url,
    reach: Reach,
    client: Client,
    keys: Vec<HookKey>,
    kinds: Vec<Kind>,
    property: Option<PropertyCode>,
    properties: Arc<PropertyTree>,
}

/// Why a receiver cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// Its address is none.
    #[error("webhook {0}: url is not an address, or holds a user name")]
    Address(String),
    /// Its address is inside.
    #[error("webhook {0}: {1}")]
    Forbidden(String, #[source] ForbiddenAddress),
    /// Its secret cannot be read.
    #[error("webhook {name}: {path} cannot be read: {cause}")]
    Unreadable {
        /// Which receiver.
        name: String,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Its secret is none.
    #[error("webhook {0}: a line of secret_file {1}")]
    Secret(String, #[source] InvalidHookKey),
    /// It asks for events that there are not.
    #[error("webhook {0}: `{1}` {2}")]
    Kind(String, String, #[source] UnknownKind),
    /// No client can be made.
    #[error("webhook {0}: {1}")]
    Client(String, #[source] reqwest::Error),
}

/// The address is loopback, private or otherwise special.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ForbiddenAddress(#[from] Forbidden);

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was taken.
    Taken,
    /// It was not, and may be later: a word or a status.
    NotNow(String),
    /// It never will be.
    Never(String),
}

impl Receiver {
    /// Reads the secret and checks the rest.
    ///
    /// # Errors
    /// With what is wrong in the configuration.
    pub fn new(config: &WebhookConfig, properties: &Arc<PropertyTree>) -> Result<Self, ReceiverError> {
        let name = || config.name.clone();
        let url = Url::parse(&config.url).map_err(|_| ReceiverError::Address(name()))?;
        if !url.username().is_empty() || url.password().is_some() || url.host_str().is_none() {
            return Err(ReceiverError::Address(name()));
        }
        let reach = Reach::new(&config.allow);
        reach
            .check(&url)
            .map_err(|e| ReceiverError::Forbidden(name(), e.into()))?;
        let kind = |word: &String| {
            word.parse()
                .map_err(|e| ReceiverError::Kind(name(), word.clone(), e))
        };
        Ok(Self {
            name: name(),
            url,
            client: reach.client().map_err(|e| ReceiverError::Client(name(), e))?,
            reach,
            keys: keys(config)?,
            kinds: config.events.iter().map(kind).collect::<Result<_, _>>()?,
            property: config.property.clone(),
            properties: Arc::clone(properties),
        })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is to be told of this event.
    #[must_use]
    pub fn wants(&self, event: &Numbered) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.contains(&event.event.kind);
        let place = match (&self.property, &event.event.property) {
            (Some(mine), Some(of)) => self.properties.within(of, mine),
            _ => true,
        };
        kind && place
    }

    /// Sends one event, signed now.
    pub(super) async fn send(&self, event: Numbered, source: &str, now: i64) -> Outcome {
        if self.reach.check(&self.url).is_err() {
            return Outcome::NotNow("address_refused".to_owned());
        }
        let id = event.event.id.to_string();
        let body = serde_json::to_vec(&event.told(source)).unwrap_or_default();
        let signatures: Vec<String> = self.keys.iter().map(|key| key.sign(&id, now, &body)).collect();
        let answer = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, MEDIA_TYPE)
            .header("webhook-id", id)
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", signatures.join(" "))
            .body(body)
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => Outcome::Taken,
            Ok(answer) => match answer.status().as_u16() {
                gone @ 410 => Outcome::Never(gone.to_string()),
                other => Outcome::NotNow(other.to_string()),
            },
            Err(error) => Outcome::NotNow(word(&error).to_owned()),
        }
    }
}

/// What failed, in a word: the client's own words repeat the address.
fn word(error: &reqwest::Error) -> &'static str {
    if is_forbidden(error) {
        "address_refused"
    } else if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "not_connected"
    } else {
        "failed"
    }
}

fn keys(config: &WebhookConfig) -> Result<Vec<HookKey>, ReceiverError> {
    let text = std::fs::read_to_string(&config.secret_file).map_err(|cause| ReceiverError::Unreadable {
        name: config.name.clone(),
        path: config.secret_file.clone(),
        cause,
    })?;
    let text = zeroize::Zeroizing::new(text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Result<Vec<_>, _> = lines.map(HookKey::parse).collect();
    match keys {
        Ok(keys) if keys.is_empty() => Err(ReceiverError::Secret(config.name.clone(), InvalidHookKey)),
        Ok(keys) => Ok(keys),
        Err(error) => Err(ReceiverError::Secret(config.name.clone(), error)),
    }
}
