//! The guest who is signed in.

use std::{future::Future, pin::Pin};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use chrono::Duration;

use crate::{
    access::{Session, SignedIn},
    base::{Errand, GuestId},
    guest::GuestError,
    web::{Kind, Problem, pages::Browser},
};

use super::Portal;

/// For how long a code counts before what cannot be taken back, or leaves the house.
const FRESH: Duration = Duration::minutes(10);

/// The guest of a request's session; without one the request is led to the sign-in.
pub struct Me {
    /// The portal.
    pub portal: Data<Portal>,
    /// The guest's browser.
    pub browser: Browser,
    /// Who.
    pub guest: GuestId,
    session: Session,
}

impl Me {
    /// What the guest is about.
    ///
    /// # Errors
    /// Never with the names as they are.
    pub fn errand(&self) -> Result<Errand, Problem> {
        let errand = self.portal.errand(Some(self.guest), self.browser.request());
        errand.map_err(|_| GuestError::Forbidden.into())
    }

    /// Whether the guest typed a code a moment ago.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.session.fresh(self.portal.now(), FRESH)
    }
}

impl FromRequest for Me {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let browser = Browser::extract(&request).await?;
            let portal = request
                .app_data::<Data<Portal>>()
                .cloned()
                .ok_or(Problem::new(Kind::Internal))?;
            let session = portal.sessions.find(browser.key()).await?;
            match session {
                Some(session) => match session.who {
                    SignedIn::Guest(guest) => Ok(Self {
                        portal,
                        browser,
                        guest,
                        session,
                    }),
                    SignedIn::Staff(_) => Err(Problem::new(Kind::Unauthenticated)),
                },
                None => Err(Problem::new(Kind::Unauthenticated)),
            }
        })
    }
}
