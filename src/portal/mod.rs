//! Floor 7: the guest's pages at `/privacy`: what the house holds, who looked, what was agreed, what can be asked for.
//!
//! Every page goes through the same use cases as the API, in the role `guest` and for the guest of the session alone:
//! no page takes a guest's id from outside. Each look is on record as the guest's own.

mod agreements;
pub mod api;
mod data;
mod delivery;
mod guest;
mod pages;
mod session;
mod sign_in;
pub mod sql;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use delivery::{Deliver, Delivery, DeliveryError, Message, Outbox, Way};
pub use guest::Me;
pub use pages::{area, pages};
pub use session::LinkAnswer;
pub use sign_in::SignInError;

use crate::{
    access::{Lifetime, Sessions},
    base::{Caller, Credential, Errand, GuestId, InvalidName, PrincipalId, PropertyCode, RequestId},
    config::PortalConfig,
    erasure::certificate::Certified,
    guest::{AccessReport, GuestError, Vault},
    requests::{Kind, RequestError, Requests},
    web::pages::Browser,
};

/// The portal. Cheap to clone.
#[derive(Clone)]
pub struct Portal {
    vault: Vault,
    requests: Requests,
    sessions: Sessions,
    delivery: Delivery,
    regime: Arc<str>,
    base_url: Option<Arc<str>>,
    top: PropertyCode,
    brand: Arc<str>,
}

impl Portal {
    /// The portal of a vault; `brand` is whose pages these are.
    ///
    /// # Errors
    /// When codes cannot be brought as configured.
    pub fn open(requests: Requests, config: &PortalConfig, brand: Arc<str>) -> Result<Self, DeliveryError> {
        let vault = requests.eraser.vault.clone();
        let top = vault.properties.top().map(|node| node.code.clone());
        Ok(Self {
            sessions: Sessions::new(vault.store.clone(), vault.clock.clone(), Lifetime::GUEST),
            delivery: Delivery::open(config, &vault.clock)?,
            regime: config.regime.as_str().into(),
            base_url: config.base_url.as_deref().map(Into::into),
            top: top.unwrap_or_else(|| vault.policies.current().first_property().clone()),
            brand,
            requests,
            vault,
        })
    }

    /// What a guest is about in its own portal: its own request, in the name of the whole group.
    ///
    /// # Errors
    /// Never with the names as they are.
    fn errand(&self, guest: Option<GuestId>, request: RequestId) -> Result<Errand, InvalidName> {
        Ok(Errand {
            caller: Caller {
                principal: PrincipalId(Uuid::nil()),
                credential: Credential::Session,
                role: "guest".parse()?,
                scope: self.vault.properties.whole(),
                actor: guest.map(|guest| guest.to_string()),
            },
            property: self.top.clone(),
            purpose: "subject_request".parse()?,
            reason: None,
            request,
        })
    }

    fn now(&self) -> DateTime<Utc> {
        self.vault.clock.now()
    }
}

impl Portal {
    /// What was sent, where messages are shown on a page instead; the demonstration.
    #[must_use]
    pub const fn outbox(&self) -> Option<&Outbox> {
        self.delivery.outbox()
    }

    /// What a property is called.
    fn place(&self, code: &str) -> String {
        let node = code
            .parse()
            .ok()
            .and_then(|code| self.vault.properties.get(&code).cloned());
        node.map(|node| node.name)
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| code.to_owned())
    }

    /// Who saw what of the guest; recorded.
    async fn report(&self, me: &Me) -> Result<AccessReport, GuestError> {
        let errand = self
            .errand(Some(me.guest), me.browser.request())
            .map_err(|_| GuestError::Forbidden)?;
        self.vault.access_report(&errand, me.guest).await
    }

    /// Takes in what the guest asks for.
    async fn ask(&self, me: &Me, kind: Kind) -> Result<Uuid, RequestError> {
        let errand = self
            .errand(Some(me.guest), me.browser.request())
            .map_err(|_| GuestError::Forbidden)?;
        self.requests
            .open_own(&errand, me.guest, kind, &self.regime)
            .await
    }

    /// The certificate of an erasure that was asked for here.
    async fn certificate(&self, browser: &Browser, id: Uuid) -> Result<Certified, RequestError> {
        let errand = self
            .errand(None, browser.request())
            .map_err(|_| GuestError::Forbidden)?;
        self.requests.certificate_own(&errand, id).await
    }
}
