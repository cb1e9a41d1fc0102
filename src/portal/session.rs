//! Links that let a guest in once: the hotel's own app asks for one and shows it to the guest who is signed in there.

use chrono::{DateTime, Duration, Utc};
use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access::SignedIn,
    audit::{Act, Change, Event},
    base::{Category, Errand, GuestId, latest_end, micros},
    guest::{GuestError, Vault},
    policy::Right,
    store::StoreError,
    web::pages::{Browser, SessionKey},
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
        // Behind the link lies all that there is about the guest.
        self.vault.must_be_of(errand, guest, &event).await?;
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

    /// Lets the guest of a link in, which is used up by it: into the session of a renewed browser. `false` when it lets
    /// nobody in.
    ///
    /// # Errors
    /// What the vault says.
    pub(super) async fn enter(
        &self,
        browser: &Browser,
        link: &str,
        into: &Browser,
    ) -> Result<bool, GuestError> {
        let now = self.now();
        let within = (micros(now), micros(latest_end(now, LINK)));
        let Ok(secret) = BASE64URL_NOPAD.decode(link.as_bytes()) else {
            return Ok(false);
        };
        let token = link_token(&secret);
        let Some(guest) = self
            .vault
            .store
            .read()
            .await?
            .link_of_portal(&token, within)
            .await?
            .map(GuestId)
        else {
            return Ok(false);
        };
        let event = self.sign_in_event(browser, Some(guest), "signed_in").await?;
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        if !self
            .let_in(&mut change, (guest, &token), (into.key(), false))
            .await?
        {
            return Ok(false);
        }
        change.record(event);
        change.commit().await?;
        Ok(true)
    }

    /// Uses a ticket up and begins its session, within one change: a merge ends sessions and tickets, and between the two
    /// there is no moment in which it would find neither.
    pub(super) async fn let_in(
        &self,
        change: &mut Change,
        (guest, ticket): (GuestId, &[u8]),
        (key, proved): (SessionKey, bool),
    ) -> Result<bool, StoreError> {
        let now = micros(self.now());
        if !change.tx.keep_still(guest).await? || !change.tx.use_ticket(ticket, now).await? {
            return Ok(false);
        }
        let who = SignedIn::Guest(guest);
        self.sessions
            .begin_within(&mut change.tx, key, &who, proved)
            .await?;
        Ok(true)
    }
}
