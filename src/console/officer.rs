//! Who looks: the member of staff behind a browser's session, in its one role.

use std::sync::Arc;

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest, dev::Payload, http::header::HeaderMap, web::Data,
};
use futures_util::future::LocalBoxFuture;

use super::{Console, SECTIONS, frame::Frame};
use crate::{
    access::{Session, SignedIn},
    base::{Caller, Errand, PropertyCode, Purpose, RequestId},
    policy::{Right, Snapshot},
    web::{
        Kind, Problem,
        pages::{Browser, Item},
    },
};

/// A member of staff at a browser.
pub(super) struct Officer {
    pub(super) caller: Caller,
    pub(super) browser: Browser,
    policy: Arc<Snapshot>,
}

/// Whether a role has any page at all.
pub(super) fn has_a_page(policy: &Snapshot, caller: &Caller) -> bool {
    SECTIONS.iter().any(|section| {
        section
            .rights
            .iter()
            .any(|right| policy.allows(&caller.role, *right))
    })
}

impl Officer {
    async fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let console = request
            .app_data::<Data<Console>>()
            .ok_or(Problem::new(Kind::Internal))?;
        let browser = Browser::extract(request).await?;
        let session = console.sessions.find(browser.key()).await?;
        let Some(Session {
            who: SignedIn::Staff(caller),
            ..
        }) = session
        else {
            return Err(Problem::new(Kind::Unauthenticated));
        };
        // A role that was taken out of the policy, or an attestation that has lapsed, ends with the next look.
        let policy = console.vault.policies.current();
        if !has_a_page(&policy, &caller) {
            return Err(Problem::new(Kind::Forbidden));
        }
        console
            .attestations
            .check(&caller, &HeaderMap::new(), browser.request())
            .await?;
        request.extensions_mut().insert(caller.clone());
        Ok(Self {
            caller,
            browser,
            policy,
        })
    }

    /// Whether the role has a right.
    pub(super) fn may(&self, right: Right) -> bool {
        self.policy.allows(&self.caller.role, right)
    }

    /// The request, as the log names it.
    pub(super) const fn request(&self) -> RequestId {
        self.browser.request()
    }

    /// The policy in force when the page was asked for.
    pub(super) fn policy(&self) -> &Snapshot {
        &self.policy
    }

    /// The property that a look is for: the highest of the caller's scope.
    pub(super) fn property(&self) -> Result<PropertyCode, Problem> {
        self.caller
            .scope
            .first()
            .cloned()
            .ok_or(Problem::new(Kind::Forbidden))
    }

    /// A look for a purpose of the policy.
    pub(super) fn errand(&self, purpose: &str) -> Result<Errand, Problem> {
        let purpose: Purpose = purpose.parse().map_err(|_| Problem::new(Kind::Internal))?;
        if self.policy.purpose(&purpose).is_none() {
            return Err(Problem::new(Kind::UnknownPurpose));
        }
        Ok(Errand {
            caller: self.caller.clone(),
            property: self.property()?,
            purpose,
            reason: None,
            request: self.request(),
        })
    }

    /// The frame of a page; `title` is the key of a text.
    pub(super) fn frame(&self, title: &str) -> Frame {
        let items: Vec<&'static Item> = SECTIONS
            .iter()
            .filter(|section| section.rights.iter().any(|right| self.may(*right)))
            .map(|section| &section.item)
            .collect();
        Frame::new(&self.browser, title, items)
    }
}

impl FromRequest for Officer {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::of(&request).await })
    }
}
