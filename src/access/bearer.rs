//! Answers that go on for long: what may be begun with a credential may not be gone on with when it is worth nothing any
//! more.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web::Data};
use secrecy::{ExposeSecret, SecretString};

use super::{Access, AccessError, authenticate::bearer};
use crate::{
    base::{Caller, RequestId},
    web::{Kind, Problem},
};

/// The credential of a request that is being answered, to be asked again.
pub struct Bearer {
    access: Data<Access>,
    credential: SecretString,
    caller: Caller,
    request: RequestId,
}

impl Bearer {
    /// Whether the credential is still good for what it was good for when the answer began: not revoked, not over, its
    /// issuer's key not removed, the same role and the same properties.
    ///
    /// # Errors
    /// [`Kind::Unauthenticated`] when it is not; [`Kind::Unavailable`] when that cannot be told now.
    pub async fn still_good(&self) -> Result<(), Problem> {
        #[expect(clippy::disallowed_methods, reason = "it is checked as at the door")]
        let credential = self.credential.expose_secret();
        let now = self.access.caller(credential, self.request).await?;
        let same = now.principal == self.caller.principal
            && now.role == self.caller.role
            && now.scope == self.caller.scope;
        if same {
            Ok(())
        } else {
            Err(AccessError::Unauthenticated.into())
        }
    }
}

impl FromRequest for Bearer {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = request.extensions();
        let found = || {
            Some(Self {
                access: request.app_data::<Data<Access>>()?.clone(),
                credential: bearer(request.headers())?.into(),
                caller: extensions.get::<Caller>()?.clone(),
                request: extensions
                    .get::<RequestId>()
                    .copied()
                    .unwrap_or_else(RequestId::random),
            })
        };
        ready(found().ok_or(Problem::new(Kind::Unauthenticated)))
    }
}
