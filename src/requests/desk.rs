//! The desk at which requests are worked on: reading them, making sure of who asks.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{Category, Errand, GuestId, PrincipalId, PropertyCode, PropertyNode, Reach, from_micros, micros},
    erasure::{Eraser, Preview},
    events::Announcement,
    guest::{GuestError, Vault},
    policy::Right,
    store::StoreError,
};

use super::{
    Case, Course, Deadlines, Kind, RequestError, State, TimelineStep, Via,
    sql::{self, By, Filter, RequestRow},
};

/// Requests of guests.
#[derive(Clone)]
pub struct Requests {
    /// What erases.
    pub eraser: Eraser,
}

const BESIDE: &str = "Somebody else worked on the request at the same moment: read it again.";

/// How making sure of who asks went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// It is the guest, or who acts for it.
    Passed,
    /// It could not be made sure.
    Failed,
    /// More is needed of the guest: the clock stands where the law lets it.
    Needed,
}

impl Requests {
    /// The vault behind it.
    pub(super) const fn vault(&self) -> &Vault {
        &self.eraser.vault
    }

    /// The event of a call at this desk, when the caller may make it.
    pub(super) async fn allowed(
        &self,
        errand: &Errand,
        (act, outcome): (Act, &'static str),
        rights: &[Right],
    ) -> Result<Event, RequestError> {
        let policy = self.vault().policies.current();
        let mut event = Event::of(errand, act, self.vault().clock.now());
        event.policy_version = Some(policy.version().to_owned());
        let may = rights
            .iter()
            .any(|right| policy.allows(&errand.caller.role, *right))
            || self.is_own(errand, rights);
        if may && errand.purpose.as_str() == "subject_request" {
            event.outcome = Some(outcome);
            return Ok(event);
        }
        Err(self.refused(event, GuestError::Forbidden).await)
    }

    pub(super) async fn refused(&self, event: Event, error: GuestError) -> RequestError {
        match self.vault().refuse::<()>(event, error).await {
            Err(error) => error.into(),
            Ok(()) => RequestError::Absent,
        }
    }

    /// Names the guest in the event.
    pub(super) async fn about(
        &self,
        mut event: Event,
        errand: &Errand,
        guest: Option<GuestId>,
    ) -> Result<Event, RequestError> {
        let Some(guest) = guest else { return Ok(event) };
        let keys = self.vault().keys.guest_keys(guest, &[Category::Audit]).await?;
        if keys.has(Category::Audit) {
            event.subject = Some(self.vault().subject(guest, Some(&keys)));
        }
        Ok(Vault::with_reason(event, errand, Some(&keys)))
    }

    pub(super) async fn row(&self, id: Uuid) -> Result<RequestRow, RequestError> {
        let found = sql::request(&mut self.vault().store.read().await?, id).await?;
        found.ok_or(RequestError::Absent)
    }

    /// A case, for who may know of it: at the houses that had to do with it, and at those of its guest.
    ///
    /// # Errors
    /// [`RequestError::Absent`], also when it is beyond the caller's scope.
    pub(super) async fn case_for(&self, errand: &Errand, id: Uuid) -> Result<RequestRow, RequestError> {
        let row = self.row(id).await?;
        let known = self.had_it(errand, &row).await? || self.is_theirs(errand, &row).await?;
        known.then_some(row).ok_or(RequestError::Absent)
    }

    /// A case, for who may do what it asks for. Where it was taken in does not matter for that: whoever opens a case about
    /// a guest of another house must not get the guest's data with it, nor destroy them.
    ///
    /// # Errors
    /// As [`Requests::case_for`].
    pub(super) async fn case_to_serve(&self, errand: &Errand, id: Uuid) -> Result<RequestRow, RequestError> {
        let row = self.row(id).await?;
        let theirs = match row.guest_id {
            Some(_) => self.is_theirs(errand, &row).await?,
            None => self.had_it(errand, &row).await?,
        };
        theirs.then_some(row).ok_or(RequestError::Absent)
    }

    /// At which house a step of a case is taken: where it was taken in, if that is the caller's; at none by who works for
    /// all, as that would let a house see it that has nothing to do with it.
    pub(super) fn house_of_step(&self, errand: &Errand, row: &RequestRow) -> Option<PropertyCode> {
        let reach = self.vault().reach(&errand.caller);
        if reach.is_whole() {
            None
        } else if reach.holds(&row.property) {
            row.property.parse().ok()
        } else {
            Some(errand.property.clone())
        }
    }

    /// Whether a case was taken in, or a step of it taken, at this caller's houses. A guest's own pages name whose cases
    /// they want.
    async fn had_it(&self, errand: &Errand, row: &RequestRow) -> Result<bool, RequestError> {
        let reach = self.vault().reach(&errand.caller);
        if self.is_guest(errand) || reach.holds(&row.property) {
            return Ok(true);
        }
        let mut conn = self.vault().store.read().await?;
        Ok(conn.was_at_houses(row.request_id, &reach).await?)
    }

    /// Whether a case is about a guest of this caller's houses; one that is erased is nobody's, and its cases are of the
    /// houses that had to do with them: who carried an erasure out must be able to prove it.
    pub(super) async fn is_theirs(&self, errand: &Errand, row: &RequestRow) -> Result<bool, RequestError> {
        let Some(guest) = row.guest_id.map(GuestId) else {
            return Ok(false);
        };
        let vault = self.vault();
        if self.is_guest(errand) || vault.reach(&errand.caller).is_whole() {
            return Ok(true);
        }
        let guest = vault.goes_on_as(guest).await?;
        let head = vault.store.read().await?.guest_head(guest).await?;
        if head.is_some_and(|(_, status, _)| status == "erased") {
            return self.had_it(errand, row).await;
        }
        Ok(vault.is_of(errand, guest).await?)
    }

    /// The queue, newest first; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub async fn list(
        &self,
        errand: &Errand,
        filter: &Filter,
        before: Option<Uuid>,
        most: i64,
    ) -> Result<Vec<Case>, RequestError> {
        let rights = [Right::ManageRequests, Right::ApproveRequests];
        let mut event = self
            .allowed(errand, (Act::ReadRequests, "listed"), &rights)
            .await?;
        let filter = Filter {
            // A guest's own pages name whose cases they want.
            within: if self.is_guest(errand) {
                Reach::default()
            } else {
                self.vault().reach(&errand.caller)
            },
            ..filter.clone()
        };
        let mut conn = self.vault().store.read().await?;
        let rows = conn.requests(&filter, before, most).await?;
        drop(conn);
        event.count = u64::try_from(rows.len()).ok();
        self.vault().log.record(event, ()).await?;
        rows.iter().map(|row| self.case(row, Vec::new())).collect()
    }

    /// One case with its timeline; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`RequestError::Absent`].
    pub async fn read(&self, errand: &Errand, id: Uuid) -> Result<Case, RequestError> {
        let rights = [Right::ManageRequests, Right::ApproveRequests];
        let event = self.allowed(errand, (Act::ReadRequests, "read"), &rights).await?;
        let row = self.case_for(errand, id).await?;
        let event = self.about(event, errand, row.guest_id.map(GuestId)).await?;
        let steps = self.vault().store.read().await?.request_steps(id).await?;
        self.vault().log.record(event, ()).await?;
        let timeline = steps
            .into_iter()
            .map(|(at, step, ground, principal, actor)| TimelineStep {
                at: from_micros(at),
                step,
                ground,
                principal: PrincipalId(principal),
                actor,
            });
        let mut case = self.case(&row, timeline.collect())?;
        if case.approved.is_some() {
            case.processors = self.eraser.processors_of(id).await?;
        }
        Ok(case)
    }

    /// Notes how making sure of who asks went, and whose request it is.
    ///
    /// # Errors
    /// [`RequestError::State`] when it is past that; [`GuestError::NotFound`] for a guest that there is not.
    pub async fn verify(
        &self,
        errand: &Errand,
        id: Uuid,
        (check, guest): (Check, Option<GuestId>),
    ) -> Result<Case, RequestError> {
        let outcome = match check {
            Check::Passed => "verified",
            Check::Failed => "not_verified",
            Check::Needed => "clarification",
        };
        let event = self
            .allowed(errand, (Act::HandleRequest, outcome), &[Right::ManageRequests])
            .await?;
        let mut row = self.case_for(errand, id).await?;
        let before = row.guest_id;
        if row.state != State::Received.as_str() {
            return Err(RequestError::State(
                "Only a request that was just received is verified.",
            ));
        }
        if let Some(guest) = guest {
            let guest = self.vault().goes_on_as(guest).await?;
            let head = self.vault().store.read().await?.guest_head(guest).await?;
            let Some((_, status, _)) = head else {
                return Err(self.refused(event, GuestError::NotFound).await);
            };
            if !self.vault().is_of(errand, guest).await? {
                return Err(self.refused(event, GuestError::NotFound).await);
            }
            if status == "erased" {
                return Err(self.refused(event, GuestError::Gone).await);
            }
            row.guest_id = Some(guest.0);
        }
        let now = self.vault().clock.now();
        match check {
            Check::Passed => {
                // Of another house is as good as nobody: its officers verify it, or the group's.
                if !self.is_theirs(errand, &row).await? {
                    return Err(RequestError::State(
                        "Name a guest of your houses, or deny the request as no_match.",
                    ));
                }
                self.start_clock(&mut row, now);
                State::Verified.as_str().clone_into(&mut row.state);
            }
            Check::Failed => {}
            Check::Needed => {
                let regime = Deadlines::shipped().regime(&row.regime);
                if regime.is_some_and(|regime| regime.clarification) && row.stopped_since.is_none() {
                    row.stopped_since = Some(micros(now));
                }
            }
        }
        let event = self.about(event, errand, row.guest_id.map(GuestId)).await?;
        let mut change = self.stored(errand, &row, (outcome, None), event).await?;
        if before != row.guest_id {
            // Whose it was taken for is not answered by it.
            self.reopen_joined(&mut change, errand, (before, id)).await?;
        }
        change.commit().await?;
        self.case(&row, Vec::new())
    }

    /// The clock goes on: the days it stood are given back.
    fn start_clock(&self, row: &mut RequestRow, now: DateTime<Utc>) {
        if let Some(since) = row.stopped_since.take() {
            let days = (now - from_micros(since)).num_days().max(0);
            row.stopped_days = row.stopped_days.saturating_add(days);
            row.due_on = self.due_on(row);
        }
    }

    /// What an erasure would do now, and its fingerprint; recorded.
    ///
    /// # Errors
    /// [`RequestError::State`] when nobody knows yet whose request it is; [`GuestError::Gone`].
    pub async fn preview(&self, errand: &Errand, id: Uuid) -> Result<(Preview, String), RequestError> {
        let rights = [Right::ManageRequests, Right::ApproveRequests];
        let event = self
            .allowed(errand, (Act::HandleRequest, "previewed"), &rights)
            .await?;
        let row = self.case_to_serve(errand, id).await?;
        let guest = row
            .guest_id
            .map(GuestId)
            .ok_or(RequestError::State("Nobody knows yet whose request this is."))?;
        let event = self.about(event, errand, Some(guest)).await?;
        let Some(preview) = self.eraser.preview(guest).await? else {
            return Err(self.refused(event, GuestError::Gone).await);
        };
        self.vault().log.record(event, ()).await?;
        let print = fingerprint(&preview);
        Ok((preview, print))
    }

    /// Writes a case with a step of its timeline and its event.
    pub(super) async fn store(
        &self,
        errand: &Errand,
        row: &RequestRow,
        step: (&str, Option<&str>),
        event: Event,
    ) -> Result<(), RequestError> {
        Ok(self.stored(errand, row, step, event).await?.commit().await?)
    }

    /// The same, not committed yet: what a decision does is done with it or not at all.
    ///
    /// # Errors
    /// [`RequestError::State`] when somebody else was faster with the case.
    pub(super) async fn stored(
        &self,
        errand: &Errand,
        row: &RequestRow,
        step: (&str, Option<&str>),
        event: Event,
    ) -> Result<Change, RequestError> {
        let now = micros(self.vault().clock.now());
        let mut change = self.vault().log.begin(&self.vault().store).await?;
        if let Some(guest) = row.guest_id.map(GuestId) {
            self.still_itself(&mut change, guest).await?;
        }
        match change.tx.update_request(row, now).await {
            Err(StoreError::Stale) => return Err(RequestError::State(BESIDE)),
            written => written?,
        }
        let house = self.house_of_step(errand, row);
        change
            .tx
            .add_step(row.request_id, now, step, By::at(&errand.caller, house.as_ref()))
            .await?;
        let state = State::from_word(&row.state);
        if state.is_some_and(State::is_closed) {
            // Whose case it was is told of none that nobody was made sure of: an event must not answer who is on file.
            let whose = row.guest_id.filter(|_| state == Some(State::Done));
            let closed =
                Announcement::request_closed(self.vault().clock.now(), row.request_id, whose.map(GuestId));
            change.tx.announce(&at_house(closed, row)).await?;
        }
        if matches!(state, Some(State::Denied | State::Revoked)) {
            self.reopen_joined(&mut change, errand, (row.guest_id, row.request_id))
                .await?;
        }
        change.record(event);
        Ok(change)
    }

    /// What was joined with a case of this guest is not lost with it when it goes unanswered: somebody else may have asked.
    async fn reopen_joined(
        &self,
        change: &mut Change,
        errand: &Errand,
        (guest, case): (Option<Uuid>, Uuid),
    ) -> Result<(), RequestError> {
        let Some(guest) = guest else { return Ok(()) };
        let now = micros(self.vault().clock.now());
        for joined in change.tx.duplicates_of(guest, case).await? {
            if change.tx.reopen_request(joined, case, now).await? {
                let received = (State::Received.as_str(), None);
                // At no house: who closed the one case has nothing to do with the other.
                change.tx.add_step(joined, now, received, &errand.caller).await?;
            }
        }
        Ok(())
    }

    /// Keeps a guest as it is until a change is over: a merge that was faster has taken its cases along, a later one finds
    /// this one. The guest first, then the case, as merges do.
    ///
    /// # Errors
    /// [`RequestError::State`] when the guest was merged meanwhile.
    pub(super) async fn still_itself(&self, change: &mut Change, guest: GuestId) -> Result<(), RequestError> {
        if !change.tx.keep_still(guest).await? {
            let head = self.vault().store.read().await?.guest_head(guest).await?;
            if head.is_some_and(|(_, _, survivor)| survivor.is_some()) {
                return Err(RequestError::State(BESIDE));
            }
        }
        Ok(())
    }

    /// The day on which the answer is due.
    pub(super) fn due_on(&self, row: &RequestRow) -> Option<String> {
        let region = self.place_of(row).and_then(|node| node.region.as_deref());
        let deadlines = Deadlines::shipped();
        let course = Course {
            received: self.day_there(row, from_micros(row.received_at)),
            extended: row.extended,
            stopped: row.stopped_days,
        };
        let kind = Kind::from_word(&row.kind)?;
        let due = deadlines
            .regime(&row.regime)?
            .due(kind, course, deadlines.calendar(region))?;
        Some(due.to_string())
    }

    /// The day that this moment is on where a case is.
    pub(super) fn day_there(&self, row: &RequestRow, at: DateTime<Utc>) -> NaiveDate {
        let timezone = self.place_of(row).map(|node| node.timezone);
        at.with_timezone(&timezone.unwrap_or_default()).date_naive()
    }

    fn place_of(&self, row: &RequestRow) -> Option<&PropertyNode> {
        self.vault().properties.get(&row.property.parse().ok()?)
    }

    /// A case as it is shown.
    pub(super) fn case(&self, row: &RequestRow, timeline: Vec<TimelineStep>) -> Result<Case, RequestError> {
        let damaged = || RequestError::Guest(GuestError::Damaged);
        Ok(Case {
            request_id: row.request_id,
            kind: Kind::from_word(&row.kind).ok_or_else(damaged)?,
            regime: row.regime.clone(),
            state: State::from_word(&row.state).ok_or_else(damaged)?,
            received_via: Via::from_word(&row.via).ok_or_else(damaged)?,
            received_at: from_micros(row.received_at),
            due_on: row
                .due_on
                .as_deref()
                .and_then(|day| day.parse::<NaiveDate>().ok()),
            extended: row.extended,
            stopped_since: row.stopped_since.map(from_micros),
            property: row.property.parse().map_err(|_| damaged())?,
            guest_id: row.guest_id.map(GuestId),
            duplicate_of: row.duplicate_of,
            approved: self.approved(row)?,
            processors: Vec::new(),
            timeline,
        })
    }

    /// What was approved.
    pub(super) fn approved(&self, row: &RequestRow) -> Result<Option<Preview>, RequestError> {
        let Some(sealed) = &row.outcome else {
            return Ok(None);
        };
        let plain = self
            .vault()
            .keys
            .open_own("request", row.request_id, sealed)
            .map_err(GuestError::from)?;
        let preview = serde_json::from_slice(&plain).map_err(|_| GuestError::Damaged)?;
        Ok(Some(preview))
    }
}

/// Tells two previews apart: what is approved is what was seen.
#[must_use]
pub(super) fn fingerprint(preview: &Preview) -> String {
    let bytes = serde_json::to_vec(preview).unwrap_or_default();
    let hash = crate::crypto::sha256(&bytes);
    data_encoding::HEXLOWER.encode(hash.first_chunk::<16>().map_or(&hash[..], |half| &half[..]))
}

/// Told to listeners at the house where the case was taken in.
pub(super) fn at_house(told: Announcement, row: &RequestRow) -> Announcement {
    match row.property.parse() {
        Ok(property) => told.at_property(&property),
        Err(_) => told,
    }
}
