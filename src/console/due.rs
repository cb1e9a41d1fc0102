//! What is due, over all guests: each question with its own right, recorded, and bounded.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Console, sql::OpenRow};
use crate::{
    audit::{Act, Event},
    base::{EntryId, Errand, from_micros, micros},
    guest::GuestError,
    policy::Right,
};

/// Lines of one list at most; the numbers above it count all.
const MOST: i64 = 200;
/// Reveals older than this are not asked about any more.
const ASKED_ABOUT: TimeDelta = TimeDelta::days(30);
/// An erasure that was begun is over within seconds; after this long something stands against it.
const LATE_AFTER: TimeDelta = TimeDelta::hours(1);
/// What is due within a week is shown as near.
const SOON: TimeDelta = TimeDelta::days(7);
/// Attestations that end within this time are shown.
const LAPSING: TimeDelta = TimeDelta::days(30);

/// Open requests of guests.
pub(super) struct OpenRequests {
    pub(super) open: i64,
    pub(super) overdue: i64,
    /// Due within a week, today included.
    pub(super) soon: i64,
    /// The first due first.
    pub(super) first: Vec<OpenRow>,
}

/// An erasure that was begun and is not over.
pub(super) struct LateErasure {
    pub(super) case: Uuid,
    pub(super) stage: String,
    pub(super) since: DateTime<Utc>,
}

impl LateErasure {
    pub(super) fn path(&self) -> String {
        format!("/console/requests/{}", self.case)
    }
}

/// What a holder must have current, and until when it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Lapse {
    /// `staff:<id>` or `principal:<id>`.
    #[schema(max_length = 80)]
    pub holder: String,
    /// What.
    #[schema(max_length = 80)]
    pub kind: String,
    /// Until when.
    pub valid_until: DateTime<Utc>,
    /// Whether it is over.
    pub lapsed: bool,
}

/// Reveals nobody has judged yet.
pub(super) struct ToJudge {
    pub(super) all: i64,
    pub(super) first: Vec<EntryId>,
}

impl Console {
    /// The event of a look that the role may take; refused and recorded otherwise.
    pub(super) async fn look(
        &self,
        errand: &Errand,
        (act, outcome): (Act, &'static str),
        rights: &[Right],
    ) -> Result<Event, GuestError> {
        let policy = self.vault.policies.current();
        let mut event = Event::of(errand, act, self.vault.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        if rights
            .iter()
            .any(|right| policy.allows(&errand.caller.role, *right))
        {
            event.outcome = Some(outcome);
            Ok(event)
        } else {
            self.vault.refuse(event, GuestError::Forbidden).await
        }
    }

    pub(super) fn today(&self) -> NaiveDate {
        self.vault.clock.now().date_naive()
    }

    /// Requests that are open, and how they stand with their clocks.
    pub(super) async fn open_requests(&self, errand: &Errand) -> Result<OpenRequests, GuestError> {
        let rights = [Right::ManageRequests, Right::ApproveRequests];
        let mut event = self.look(errand, (Act::ReadRequests, "listed"), &rights).await?;
        let today = self.today();
        let soon = (today + SOON).to_string();
        let reach = self.vault.reach(&errand.caller);
        let mut conn = self.vault.store.read().await?;
        let (open, overdue, soon) = conn.requests_count(&today.to_string(), &soon, &reach).await?;
        let first = conn.open_requests(MOST, &reach).await?;
        drop(conn);
        event.count = u64::try_from(open).ok();
        self.vault.log.record(event, ()).await?;
        Ok(OpenRequests {
            open,
            overdue,
            soon,
            first,
        })
    }

    /// Erasures that were approved and begun but are not over.
    pub(super) async fn late_erasures(&self, errand: &Errand) -> Result<Vec<LateErasure>, GuestError> {
        let rights = [Right::ManageRequests, Right::ApproveRequests];
        let mut event = self
            .look(errand, (Act::ReadRequests, "late_erasures"), &rights)
            .await?;
        let before = micros(self.vault.clock.now() - LATE_AFTER);
        let reach = self.vault.reach(&errand.caller);
        let rows = self
            .vault
            .store
            .read()
            .await?
            .erasures_late(before, MOST, &reach)
            .await?;
        event.count = u64::try_from(rows.len()).ok();
        self.vault.log.record(event, ()).await?;
        let late = rows.into_iter().map(|(case, _, stage, since)| LateErasure {
            case,
            stage,
            since: from_micros(since),
        });
        Ok(late.collect())
    }

    /// Attestations that are over, or soon will be.
    pub(super) async fn lapses(&self, errand: &Errand) -> Result<Vec<Lapse>, GuestError> {
        let mut event = self
            .look(errand, (Act::Attest, "listed"), &[Right::ReadAudit])
            .await?;
        let now = self.vault.clock.now();
        let mut conn = self.vault.store.read().await?;
        let rows = conn.attestations_until(micros(now + LAPSING), MOST).await?;
        drop(conn);
        event.count = u64::try_from(rows.len()).ok();
        self.vault.log.record(event, ()).await?;
        let lapses = rows.into_iter().map(|(holder, kind, until)| Lapse {
            holder,
            kind,
            valid_until: from_micros(until),
            lapsed: until <= micros(now),
        });
        Ok(lapses.collect())
    }

    /// Values that were shown plain on demand, and that nobody has judged yet; the oldest first.
    pub(super) async fn reveals_to_judge(&self, errand: &Errand) -> Result<ToJudge, GuestError> {
        let mut event = self
            .look(errand, (Act::ReadAudit, "reveals"), &[Right::ReadAudit])
            .await?;
        let since = micros(self.vault.clock.now() - ASKED_ABOUT);
        let mut conn = self.vault.store.read().await?;
        let (first, all) = conn
            .reveals_to_judge(since, 20, &self.vault.reach(&errand.caller))
            .await?;
        drop(conn);
        event.count = u64::try_from(all).ok();
        self.vault.log.record(event, ()).await?;
        Ok(ToJudge {
            all,
            first: first.into_iter().map(EntryId).collect(),
        })
    }
}
