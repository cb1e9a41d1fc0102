//! What a guest asks for by itself, signed in to its own pages: the same cases, for the guest's own eyes.

use uuid::Uuid;

use crate::{
    audit::Act,
    base::{Credential, Errand, GuestId},
    erasure::{Preview, certificate::Certified},
    guest::GuestError,
    policy::Right,
};

use super::{Case, Check, Kind, RequestError, RequestInput, Requests, Via, package::Lock, sql::Filter};

/// Cases shown at most.
const MOST: i64 = 100;

impl Requests {
    /// Whether this errand is a signed-in guest's own, and such guests may do this. Never on the way of the API: a
    /// session is made by the portal alone, which gives it one guest.
    pub(super) fn is_own(&self, errand: &Errand, rights: &[Right]) -> bool {
        let kind = [Right::OpenRequest, Right::ManageRequests];
        self.is_guest(errand) && rights.iter().any(|right| kind.contains(right))
    }

    /// Whether this errand is a signed-in guest's.
    pub(super) fn is_guest(&self, errand: &Errand) -> bool {
        let policy = self.vault().policies.current();
        errand.caller.credential == Credential::Session
            && policy.allows(&errand.caller.role, Right::OwnRequests)
    }

    /// Takes in what a guest asks for, who has just proved who it is: the case is verified at once.
    ///
    /// # Errors
    /// As [`Requests::open`].
    pub async fn open_own(
        &self,
        errand: &Errand,
        guest: GuestId,
        kind: Kind,
        regime: &str,
    ) -> Result<Uuid, RequestError> {
        let input = RequestInput {
            guest_id: Some(guest),
            identifiers: None,
            kind,
            regime: regime.to_owned(),
            received_via: Via::Portal,
            received_at: None,
        };
        let opened = self.open(errand, &input).await?;
        match self
            .verify(errand, opened.request_id, (Check::Passed, None))
            .await
        {
            // Asked for before, and still open: that one is worked on.
            Ok(_) | Err(RequestError::State(_)) => Ok(opened.request_id),
            Err(error) => Err(error),
        }
    }

    /// A guest's own cases, newest first; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub async fn list_own(&self, errand: &Errand, guest: GuestId) -> Result<Vec<Case>, RequestError> {
        let filter = Filter {
            guest: Some(guest.0),
            ..Filter::default()
        };
        self.list(errand, &filter, None, MOST).await
    }

    /// One of a guest's own cases; recorded.
    ///
    /// # Errors
    /// [`RequestError::Absent`], also when it is another guest's.
    pub async fn read_own(&self, errand: &Errand, guest: GuestId, id: Uuid) -> Result<Case, RequestError> {
        self.must_own(guest, id).await?;
        self.read(errand, id).await
    }

    /// What an erasure would do now; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::Gone`].
    pub async fn preview_own(&self, errand: &Errand, guest: GuestId) -> Result<Preview, RequestError> {
        let rights = [Right::ManageRequests];
        let event = self
            .allowed(errand, (Act::HandleRequest, "previewed"), &rights)
            .await?;
        let event = self.about(event, errand, Some(guest)).await?;
        let Some(preview) = self.eraser.preview(guest).await? else {
            return Err(self.refused(event, GuestError::Gone).await);
        };
        self.vault().log.record(event, ()).await?;
        Ok(preview)
    }

    /// The package of one of a guest's own cases; recorded.
    ///
    /// # Errors
    /// As [`Requests::package`]; [`RequestError::Absent`] when it is another guest's.
    pub async fn package_own(
        &self,
        errand: &Errand,
        guest: GuestId,
        id: Uuid,
    ) -> Result<Vec<u8>, RequestError> {
        self.must_own(guest, id).await?;
        self.package(errand, id, &Lock::Open).await
    }

    /// The certificate of one of a guest's own cases; recorded. It holds no personal data, so that whoever kept its
    /// address gets it after the guest is gone.
    ///
    /// # Errors
    /// As [`Requests::certificate`].
    pub async fn certificate_own(&self, errand: &Errand, id: Uuid) -> Result<Certified, RequestError> {
        self.certificate(errand, id).await
    }

    async fn must_own(&self, guest: GuestId, id: Uuid) -> Result<(), RequestError> {
        let row = self.row(id).await?;
        if row.guest_id == Some(guest.0) {
            Ok(())
        } else {
            Err(RequestError::Absent)
        }
    }
}
