//! One receiver of events: what it wants, and how it is told.

use std::sync::Arc;

use crate::{
    base::{PropertyCode, PropertyTree},
    config::WebhookConfig,
    events::{Kind, Numbered, UnknownKind, cloud::MEDIA_TYPE},
};

use super::hook::{Hook, HookError, Outcome};

/// A receiver, ready to be called.
pub struct Receiver {
    name: String,
    hook: Hook,
    kinds: Vec<Kind>,
    property: Option<PropertyCode>,
    properties: Arc<PropertyTree>,
}

/// Why a receiver cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// Its address or its secret.
    #[error("webhook {0}")]
    Hook(#[from] HookError),
    /// It asks for events that there are not.
    #[error("webhook {0}: `{1}` {2}")]
    Kind(String, String, #[source] UnknownKind),
}

impl Receiver {
    /// Reads the secret and checks the rest.
    ///
    /// # Errors
    /// With what is wrong in the configuration.
    pub fn new(config: &WebhookConfig, properties: &Arc<PropertyTree>) -> Result<Self, ReceiverError> {
        let kind = |word: &String| {
            word.parse()
                .map_err(|e| ReceiverError::Kind(config.name.clone(), word.clone(), e))
        };
        Ok(Self {
            hook: Hook::new(&config.name, &config.url, &config.secret_file, &config.allow)?,
            name: config.name.clone(),
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
        let id = event.event.id.to_string();
        let body = serde_json::to_vec(&event.told(source)).unwrap_or_default();
        self.hook.call(&id, now, (MEDIA_TYPE, body)).await
    }
}
