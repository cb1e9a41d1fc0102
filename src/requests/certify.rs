//! Certifying what was erased.

use uuid::Uuid;

use crate::{
    audit::Act,
    base::{Errand, GuestId, from_micros},
    erasure::certificate::{About, Certified},
    policy::Right,
};

use super::{Kind, RequestError, Requests, State};

impl Requests {
    /// The certificate of an erasure, whole or in part; recorded.
    ///
    /// # Errors
    /// [`RequestError::State`] when nothing was erased for this case.
    pub async fn certificate(&self, errand: &Errand, id: Uuid) -> Result<Certified, RequestError> {
        let rights = [Right::ManageRequests, Right::ApproveRequests];
        let event = self
            .allowed(errand, (Act::HandleRequest, "certified"), &rights)
            .await?;
        let row = self.case_for(errand, id).await?;
        let states = [State::Done.as_str(), State::Waiting.as_str()];
        let approved = self.approved(&row)?;
        let (Some(approved), true) = (
            approved,
            row.kind == Kind::Erasure.as_str() && states.contains(&row.state.as_str()),
        ) else {
            return Err(RequestError::State("Nothing was erased for this request."));
        };
        let steps = self.vault().store.read().await?.request_steps(id).await?;
        let approved_at = steps
            .iter()
            .find(|(_, step, ..)| step == "approved")
            .map_or(row.received_at, |(at, ..)| *at);
        let guest = row.guest_id.map(GuestId).ok_or(RequestError::Absent)?;
        let categories = self.eraser.came_out(id, guest, approved.categories).await?;
        let done_at = steps.last().map_or(row.received_at, |(at, ..)| *at);
        self.vault().log.record(event, ()).await?;
        let about = About {
            request: id,
            regime: row.regime.clone(),
            received_at: from_micros(row.received_at),
            approved_at: from_micros(approved_at),
            done_at: from_micros(done_at),
            complete: row.state == State::Done.as_str(),
            do_not_contact: approved.do_not_contact,
            categories,
        };
        Ok(self.eraser.certify(about).await?)
    }
}
