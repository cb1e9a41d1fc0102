//! Links that let a guest in once: the hotel's own app asks for one and shows it to the guest who is signed in there.

use chrono::{DateTime, Duration, Utc};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit::{Act, Event},
    base::{Category, Errand, GuestId, micros},
    guest::{GuestError, Vault},
    policy::Right,
    web::pages::Browser,
};

use super::{
    Portal,
    sign_in::{link_secret, link_ticket, link_token},
};

/// How long a link is good.
const LINK: Duration = Duration::minutes(10);

/// A link, shown once.
#[derive(Serialize, ToSchema)]
pub struct LinkAnswer {
    /// Where the guest goes; absent unless `portal.base_url` is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 400)]
    pub url: Option<String>,
    /// The path of the same.
    #[schema(max_length = 100)]
    pub path: String,
    /// Until when; it is good once.
    pub expires_at: DateTime<Utc>,
}

impl Portal {
    /// Makes a link into the portal for a guest that the caller knows; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`] (missing and hidden alike), [`GuestError::Gone`].
    pub async fn link(&self, errand: &Errand, guest: GuestId) -> Result<LinkAnswer, GuestError> {
        let policy = self.vault.policies.current();
        let mut event = Event::of(errand, Act::SignIn, self.now());
        event.policy_version = Some(policy.version().to_owned());
        event.subject = Some(self.vault.subject(guest, None));
        if !policy.allows(&errand.caller.role, Right::OpenPortal) {
            return self.vault.refuse(event, GuestError::Forbidden).await;
        }
        self.vault.must_know(errand, guest, Act::SignIn).await?;
        let keys = self.vault.keys.guest_keys(guest, &[Category::Audit]).await?;
        event.subject = Some(self.vault.subject(guest, Some(&keys)));
        event.outcome = Some("link_given");
        let secret = link_secret();
        let (now, end) = (self.now(), self.now() + LINK);
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        let ticket = link_ticket(guest, &secret, micros(now), micros(end));
        change
            .tx
            .add_tickets(&[ticket], micros(now - Duration::hours(1)))
            .await?;
        change.record(Vault::with_reason(event, errand, Some(&keys)));
        change.commit().await?;
        let path = format!("/privacy/enter/{}", BASE64URL_NOPAD.encode(&secret));
        Ok(LinkAnswer {
            url: self.base_url.as_ref().map(|base| format!("{base}{path}")),
            path,
            expires_at: end,
        })
    }

    /// The guest of a link, which is used up by it.
    ///
    /// # Errors
    /// What the vault says.
    pub(super) async fn enter(&self, browser: &Browser, link: &str) -> Result<Option<GuestId>, GuestError> {
        let now = micros(self.now());
        let Ok(secret) = BASE64URL_NOPAD.decode(link.as_bytes()) else {
            return Ok(None);
        };
        let token = link_token(&secret);
        let Some(guest) = self
            .vault
            .store
            .read()
            .await?
            .link_of_portal(&token, now)
            .await?
            .map(GuestId)
        else {
            return Ok(None);
        };
        let event = self.sign_in_event(browser, Some(guest), "signed_in").await?;
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        if !change.tx.use_ticket(&token, now).await? {
            return Ok(None);
        }
        change.record(event);
        change.commit().await?;
        Ok(Some(guest))
    }
}
