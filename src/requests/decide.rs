//! Deciding a request: never by who took it in, and only what was seen.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{operator, reason_in},
    audit::{Act, Event},
    base::{Caller, Errand, GuestId, PrincipalId, RequestId, micros, same_person},
    erasure::{ErasureError, Order, Preview, fault::point},
    guest::{GuestError, kinds::holds_card_number},
    policy::Right,
};

use super::{
    Case, Deadlines, Ground, Kind, RequestError, Requests, State,
    desk::{at_house, fingerprint},
    sql::RequestRow,
};

/// Cases that are looked at at once.
const SOME: i64 = 200;

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RequestDecision)]
pub enum Decision {
    /// It is done.
    Approve,
    /// It is refused.
    Deny,
    /// The answer is put off.
    Extend,
}

/// A decision as it is sent.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionInput {
    /// What is decided.
    pub decision: Decision,
    /// On which ground; required unless it is approved.
    #[serde(default)]
    pub ground: Option<Ground>,
    /// Why, in words; kept where that of `Vault-Reason` is: in the deletable detail of the audit entry. Give one of the two.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200)]
    pub reason: Option<String>,
    /// Of an erasure: the fingerprint of the preview that was seen, so that another one is not approved. Without it, what
    /// is approved is what stands now.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub preview: Option<String>,
    /// Of an erasure: keyed hashes of the guest's addresses are kept on the do-not-contact lists, so that nobody writes
    /// to them again when another source brings them back.
    #[serde(default)]
    pub do_not_contact: bool,
}

impl Requests {
    /// Decides a case.
    ///
    /// # Errors
    /// [`RequestError::SamePerson`], [`RequestError::State`], [`RequestError::Changed`], [`GuestError::BadQuestion`] for a
    /// missing ground or a reason that cannot be kept, and what an erasure says.
    pub async fn decide(
        &self,
        errand: &Errand,
        id: Uuid,
        input: &DecisionInput,
    ) -> Result<Case, RequestError> {
        let outcome = match input.decision {
            Decision::Approve => "approved",
            Decision::Deny => "denied",
            Decision::Extend => "extended",
        };
        let event = self
            .allowed(errand, (Act::HandleRequest, outcome), &[Right::ApproveRequests])
            .await?;
        let ground = match (input.decision, input.ground) {
            (Decision::Approve, _) => None,
            (_, None) => return Err(self.refused(event, no_ground()).await),
            (_, ground) => ground,
        };
        let mut row = match input.decision {
            Decision::Approve => self.case_to_serve(errand, id).await?,
            Decision::Deny | Decision::Extend => self.case_for(errand, id).await?,
        };
        if let Some(guest) = row.guest_id.map(GuestId) {
            row.guest_id = Some(self.vault().goes_on_as(guest).await?.0);
        }
        let reasoned = match with_reason(errand, input, row.guest_id) {
            Ok(reasoned) => reasoned,
            Err(error) => return Err(self.refused(event, error).await),
        };
        let errand = &reasoned;
        let state = State::from_word(&row.state).ok_or(GuestError::Damaged)?;
        if state.is_closed() {
            return Err(RequestError::State("The request is closed."));
        }
        if input.decision != Decision::Approve && !matches!(state, State::Received | State::Verified) {
            return Err(RequestError::State(
                "What was approved is carried out: it is neither denied nor put off.",
            ));
        }
        let opener = (PrincipalId(row.opened_by), row.opened_actor.as_deref());
        if same_person(opener, errand.caller.person()) {
            return Err(RequestError::SamePerson);
        }
        let event = self.about(event, errand, row.guest_id.map(GuestId)).await?;
        match (input.decision, ground) {
            (Decision::Extend, Some(ground)) => self.extend(errand, row, ground, event).await,
            (Decision::Deny, Some(ground)) => self.deny(errand, row, ground, event).await,
            _ if state != State::Verified => Err(RequestError::State("Only a verified request is approved.")),
            _ => self.approve(errand, row, input, event).await,
        }
    }

    async fn extend(
        &self,
        errand: &Errand,
        mut row: RequestRow,
        ground: Ground,
        event: Event,
    ) -> Result<Case, RequestError> {
        let kind = Kind::from_word(&row.kind).ok_or(GuestError::Damaged)?;
        let may = Deadlines::shipped()
            .regime(&row.regime)
            .is_some_and(|regime| regime.may_extend(kind));
        if !may || row.extended {
            return Err(RequestError::State(
                "The law lets this answer not be put off, or not again.",
            ));
        }
        let today = self.day_there(&row, self.vault().clock.now()).to_string();
        if row.due_on.as_ref().is_some_and(|due| *due < today) {
            return Err(RequestError::State(
                "The answer was due already; the guest had to be told before.",
            ));
        }
        row.extended = true;
        row.due_on = self.due_on(&row);
        self.store(errand, &row, ("extended", Some(ground.as_str())), event)
            .await?;
        self.case(&row, Vec::new())
    }

    async fn deny(
        &self,
        errand: &Errand,
        mut row: RequestRow,
        ground: Ground,
        event: Event,
    ) -> Result<Case, RequestError> {
        State::Denied.as_str().clone_into(&mut row.state);
        let step = ("denied", Some(ground.as_str()));
        self.store(errand, &row, step, event).await?;
        self.case(&row, Vec::new())
    }

    async fn approve(
        &self,
        errand: &Errand,
        mut row: RequestRow,
        input: &DecisionInput,
        event: Event,
    ) -> Result<Case, RequestError> {
        let guest = row.guest_id.map(GuestId).ok_or(RequestError::Absent)?;
        let kind = Kind::from_word(&row.kind).ok_or(GuestError::Damaged)?;
        if kind == Kind::Erasure {
            return self.approve_erasure(errand, row, (guest, input), event).await;
        }
        let head = self.vault().store.read().await?.guest_head(guest).await?;
        if head.is_none_or(|(_, status, _)| status == "erased") {
            return Err(self.refused(event, GuestError::Gone).await);
        }
        let state = match kind {
            Kind::Access | Kind::Portability => State::Ready,
            _ => State::Done,
        };
        state.as_str().clone_into(&mut row.state);
        let approved = ("approved", None);
        let change = match kind {
            Kind::Objection => {
                let keys = self.vault().keys_to_object(guest).await?;
                let mut change = self.stored(errand, &row, approved, event).await?;
                self.vault().object(&mut change, errand, guest, &keys).await?;
                change
            }
            Kind::Restriction => {
                let restricted = Event::of(errand, Act::Restrict, self.vault().clock.now());
                let restricted = self.about(restricted, errand, Some(guest)).await?;
                let mut change = self.stored(errand, &row, approved, event).await?;
                // Kept, and read for the law and for its own requests only.
                let now = micros(self.vault().clock.now());
                if !change.tx.set_fate(guest, "restricted", now).await? {
                    return Err(GuestError::Gone.into());
                }
                change.record(restricted);
                change
            }
            _ => self.stored(errand, &row, approved, event).await?,
        };
        change.commit().await?;
        self.case(&row, Vec::new())
    }

    /// Approves exactly what was seen, then runs it. The approval is durable before anything is destroyed: after a
    /// crash it goes on by itself.
    async fn approve_erasure(
        &self,
        errand: &Errand,
        mut row: RequestRow,
        (guest, input): (GuestId, &DecisionInput),
        event: Event,
    ) -> Result<Case, RequestError> {
        let Some(mut preview) = self.eraser.preview(guest).await? else {
            return Err(self.refused(event, GuestError::Gone).await);
        };
        if input
            .preview
            .as_ref()
            .is_some_and(|seen| *seen != fingerprint(&preview))
        {
            return Err(RequestError::Changed);
        }
        preview.do_not_contact = input.do_not_contact;
        let addresses = if input.do_not_contact {
            Some(self.addresses(errand, guest).await?)
        } else {
            None
        };
        let plain = serde_json::to_vec(&preview).unwrap_or_default();
        let sealed = self.vault().keys.seal_own("request", row.request_id, &plain)?;
        row.outcome = Some(sealed.into_bytes());
        State::Waiting.as_str().clone_into(&mut row.state);
        let mut change = self.stored(errand, &row, ("approved", None), event).await?;
        // Since then nobody is added or parted; who was while it was looked at, was not seen by whoever approves.
        let absorbed = self.vault().store.read().await?.absorbed(guest).await?.len();
        if u64::try_from(absorbed).ok() != Some(preview.merged) {
            return Err(RequestError::Changed);
        }
        if let Some(addresses) = &addresses {
            self.silence(&mut change, errand, addresses).await?;
        }
        change.commit().await?;
        point("approved");
        let run = self.run(row.request_id, (guest, preview), &errand.caller, errand.request);
        match run.await {
            // Approved and on its way: it goes on by itself.
            Ok(()) | Err(RequestError::Erasure(ErasureError::LogWaits | ErasureError::Changed)) => {}
            Err(error) => return Err(error),
        }
        let row = self.row(row.request_id).await?;
        self.case(&row, Vec::new())
    }

    /// Erases what may be erased now; closes the case when nothing is left but the register's copy.
    async fn run(
        &self,
        case: Uuid,
        (guest, preview): (GuestId, Preview),
        caller: &Caller,
        request: RequestId,
    ) -> Result<(), RequestError> {
        let order = Order {
            caller: caller.clone(),
            request,
            case,
        };
        let done = self.eraser.erase(&order, guest, preview).await?;
        if !done.whole {
            return Ok(self.eraser.out_of_sight(&order, guest, &done).await?);
        }
        self.close(case, &order).await
    }

    /// Gives a case back to who decides: nobody has approved an erasure of whom the guest goes on as.
    async fn approve_anew(&self, mut row: RequestRow, order: &Order) -> Result<(), RequestError> {
        let vault = self.vault();
        if let Some(guest) = row.guest_id.map(GuestId) {
            row.guest_id = Some(vault.goes_on_as(guest).await?.0);
        }
        State::Verified.as_str().clone_into(&mut row.state);
        row.outcome = None;
        let now = vault.clock.now();
        let mut event = Event::by(&order.caller, Act::HandleRequest, order.request, now);
        event.outcome = Some("verified");
        let mut change = vault.log.begin(&vault.store).await?;
        change.tx.update_request(&row, micros(now)).await?;
        let verified = (State::Verified.as_str(), None);
        change
            .tx
            .add_step(row.request_id, micros(now), verified, &order.caller)
            .await?;
        change.record(event);
        Ok(change.commit().await?)
    }

    async fn close(&self, case: Uuid, order: &Order) -> Result<(), RequestError> {
        let mut row = self.row(case).await?;
        State::Done.as_str().clone_into(&mut row.state);
        let vault = self.vault();
        let now = vault.clock.now();
        let mut event = Event::by(&order.caller, Act::HandleRequest, order.request, now);
        event.outcome = Some("done");
        let mut change = vault.log.begin(&vault.store).await?;
        change.tx.update_request(&row, micros(now)).await?;
        let done = ("done", None);
        change.tx.add_step(case, micros(now), done, &order.caller).await?;
        let closed = crate::events::Announcement::request_closed(now, case, row.guest_id.map(GuestId));
        change.tx.announce(&at_house(closed, &row)).await?;
        change.record(event);
        Ok(change.commit().await?)
    }

    /// Goes on with approved erasures whose obstacles have ended: a stay, a hold, a term. Returns how many closed.
    ///
    /// # Errors
    /// What database and key store say; the others are looked at the next time.
    pub async fn go_on(&self) -> Result<usize, RequestError> {
        self.eraser.resume().await?;
        let caller = operator().map_err(|_| GuestError::Forbidden)?;
        let mut after = Uuid::nil();
        let mut closed = 0;
        loop {
            let cases = self
                .vault()
                .store
                .read()
                .await?
                .waiting_requests(after, SOME)
                .await?;
            let Some(last) = cases.last() else {
                return Ok(closed);
            };
            after = *last;
            for case in cases {
                match self.go_on_with(case, &caller).await {
                    Ok(done) => closed += usize::from(done),
                    // One that fails must not keep the others waiting.
                    Err(error) => tracing::error!(%case, %error, "an approved erasure waits"),
                }
            }
        }
    }

    async fn go_on_with(&self, case: Uuid, caller: &Caller) -> Result<bool, RequestError> {
        let row = self.row(case).await?;
        let Some(guest) = row.guest_id.map(GuestId) else {
            return Ok(false);
        };
        let request = RequestId::random();
        let order = Order {
            caller: caller.clone(),
            request,
            case,
        };
        let Some(preview) = self.eraser.preview(guest).await? else {
            let head = self.vault().store.read().await?.guest_head(guest).await?;
            if head.is_some_and(|(_, _, survivor)| survivor.is_some()) {
                self.approve_anew(row, &order).await?;
                return Ok(false);
            }
            // Gone already: the crash came between the erasure and the closing of the case.
            self.close(case, &order).await?;
            return Ok(true);
        };
        let whole = preview.whole;
        if preview.doomed().is_empty() && !whole {
            return Ok(false);
        }
        self.run(case, (guest, preview), caller, request).await?;
        Ok(whole)
    }
}

fn no_ground() -> GuestError {
    let words: Vec<&str> = Ground::ALL.iter().map(|ground| ground.as_str()).collect();
    GuestError::bad(
        "ground",
        format!("is missing; must be one of {}", words.join(", ")),
    )
}

/// The errand with the decision's own reason. It goes with the guest's keys, so without a guest there is nowhere to keep it.
fn with_reason(errand: &Errand, input: &DecisionInput, guest: Option<Uuid>) -> Result<Errand, GuestError> {
    let mut errand = errand.clone();
    let Some(text) = &input.reason else {
        return Ok(errand);
    };
    let bad = |why: &str| GuestError::bad("reason", why);
    let reason = reason_in(text).map_err(bad)?;
    if holds_card_number(&reason) {
        return Err(bad("must not hold a card number"));
    }
    if guest.is_none() {
        return Err(bad("there is no guest to keep it with; the ground says why"));
    }
    if errand.reason.as_ref().is_some_and(|other| *other != reason) {
        return Err(bad("is not what Vault-Reason says; give one of the two"));
    }
    errand.reason = Some(reason);
    Ok(errand)
}
