//! How a code reaches its guest. Messages wait in a queue of their own, so that asking for a code takes the same time
//! whether or not one is sent.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message as Mail, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    base::Clock,
    config::PortalConfig,
    jobs::{Hook, HookError, Outcome},
};

/// Messages that wait at most; more is an attack, and none is sent.
const MOST_WAITING: usize = 1_000;
/// Messages that the demonstration shows.
const MOST_SHOWN: usize = 20;

/// By which way a contact is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// E-mail.
    Mail,
    /// SMS or chat.
    Phone,
}

/// A message to a guest. It holds a contact and a code: it is never logged.
#[derive(Clone)]
pub struct Message {
    /// By which way.
    pub way: Way,
    /// To whom.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// When it was written.
    pub at: DateTime<Utc>,
}

/// Brings messages to guests.
pub trait Deliver: Send + Sync {
    /// Whether it can reach contacts of this kind.
    fn reaches(&self, way: Way) -> bool;

    /// Brings one; in case of failure a word for the log, without the contact.
    fn deliver(&self, message: Message) -> BoxFuture<'_, Result<(), &'static str>>;
}

/// Why messages cannot be brought at all.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The sender.
    #[error("portal.mail_from is no address: {0}")]
    From(#[source] lettre::address::AddressError),
    /// The mail server.
    #[error("portal.smtp_url cannot be used: {0}")]
    Smtp(#[source] lettre::transport::smtp::Error),
    /// The webhook.
    #[error("portal.sms: {0}")]
    Hook(#[from] HookError),
}

/// E-mail by SMTP, over TLS.
struct Smtp {
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl Deliver for Smtp {
    fn reaches(&self, way: Way) -> bool {
        way == Way::Mail
    }

    fn deliver(&self, message: Message) -> BoxFuture<'_, Result<(), &'static str>> {
        Box::pin(async move {
            let mail = Mail::builder()
                .from(self.from.clone())
                .to(message.to.parse().map_err(|_| "address")?)
                .subject(message.subject)
                .header(ContentType::TEXT_PLAIN)
                .body(message.text)
                .map_err(|_| "message")?;
            let sent = self.transport.send(mail).await;
            sent.map(drop).map_err(|_| "smtp")
        })
    }
}

/// SMS or chat, by whoever the house has for it.
struct Sms {
    hook: Hook,
    clock: Clock,
}

impl Deliver for Sms {
    fn reaches(&self, way: Way) -> bool {
        way == Way::Phone
    }

    fn deliver(&self, message: Message) -> BoxFuture<'_, Result<(), &'static str>> {
        Box::pin(async move {
            let body = json!({"type": "portal.message", "timestamp": message.at.to_rfc3339(),
                "data": {"to": message.to, "text": message.text}});
            let id = Uuid::now_v7().to_string();
            let body = ("application/json", serde_json::to_vec(&body).unwrap_or_default());
            match self.hook.call(&id, self.clock.now().timestamp(), body).await {
                Outcome::Taken => Ok(()),
                Outcome::NotNow(_) | Outcome::Never(_) => Err("sms"),
            }
        })
    }
}

/// The demonstration's: messages are shown on a page.
#[derive(Clone, Default)]
pub struct Outbox(Arc<Mutex<VecDeque<Message>>>);

impl Outbox {
    /// The last messages, newest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().cloned().collect()
    }
}

impl Deliver for Outbox {
    fn reaches(&self, _: Way) -> bool {
        true
    }

    fn deliver(&self, message: Message) -> BoxFuture<'_, Result<(), &'static str>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.push_front(message);
        held.truncate(MOST_SHOWN);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// All ways that are configured, behind their queue. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    queue: mpsc::Sender<Message>,
    ways: Arc<[Box<dyn Deliver>]>,
    outbox: Option<Outbox>,
}

impl Delivery {
    /// The configured ways; must be called within the runtime that brings the messages.
    ///
    /// # Errors
    /// With what is wrong in the configuration.
    pub fn open(config: &PortalConfig, clock: &Clock) -> Result<Self, DeliveryError> {
        let mut ways: Vec<Box<dyn Deliver>> = Vec::new();
        let outbox = config.outbox.then(Outbox::default);
        if let Some(outbox) = &outbox {
            ways.push(Box::new(outbox.clone()));
        }
        if let (Some(url), Some(from)) = (&config.smtp_url, &config.mail_from) {
            // An error only says that one was installed before.
            let _ = rustls::crypto::ring::default_provider().install_default();
            #[expect(clippy::disallowed_methods, reason = "the mail server asks for its password")]
            let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret());
            ways.push(Box::new(Smtp {
                from: from.parse().map_err(DeliveryError::From)?,
                transport: transport.map_err(DeliveryError::Smtp)?.build(),
            }));
        }
        if let Some(sms) = &config.sms {
            ways.push(Box::new(Sms {
                hook: Hook::new("portal.sms", &sms.url, &sms.secret_file, &sms.allow)?,
                clock: clock.clone(),
            }));
        }
        let ways: Arc<[Box<dyn Deliver>]> = ways.into();
        let (queue, mut waiting) = mpsc::channel::<Message>(MOST_WAITING);
        let bringing = Arc::clone(&ways);
        tokio::spawn(async move {
            while let Some(message) = waiting.recv().await {
                let Some(way) = bringing.iter().find(|way| way.reaches(message.way)) else {
                    continue;
                };
                if let Err(reason) = way.deliver(message).await {
                    tracing::warn!(reason, "a guest's code could not be brought");
                    metrics::counter!("guest_vault_portal_messages_failed_total").increment(1);
                }
            }
        });
        Ok(Self { queue, ways, outbox })
    }

    /// Whether contacts of this kind can be reached.
    #[must_use]
    pub fn reaches(&self, way: Way) -> bool {
        self.ways.iter().any(|one| one.reaches(way))
    }

    /// Puts a message into the queue; it goes out after the answer.
    pub fn send(&self, message: Message) {
        if self.queue.try_send(message).is_err() {
            tracing::warn!("too many codes wait to be brought; one was dropped");
        }
    }

    /// What was sent, where messages are shown instead of brought.
    #[must_use]
    pub const fn outbox(&self) -> Option<&Outbox> {
        self.outbox.as_ref()
    }
}
