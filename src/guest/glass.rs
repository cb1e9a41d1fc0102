//! Break-glass: for purposes that stand for an emergency, one person sees one guest for half an hour. Each opening has its
//! reason, is told to other systems at once, and is judged by another person afterwards; openings of a post that nobody
//! judged in time keep the next one shut.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit::{Act, Event},
    base::{EntryId, Errand, GuestId, latest_end},
    events::Announcement,
};

use super::{GuestError, Vault, read::Looked, sql::glass::GlassRow};

/// How long an opening holds (the design's promise; IHE and DICOM leave it to the house).
const OPEN_FOR: TimeDelta = TimeDelta::minutes(30);
/// By when somebody else judges what was looked at behind masks: openings, and reveals.
pub(crate) const JUDGED_WITHIN: TimeDelta = TimeDelta::hours(72);

/// A guest that was opened.
#[derive(Debug, Serialize, ToSchema)]
pub struct BreakGlassAnswer {
    /// The entry of the log that says so; it is what will be judged.
    pub entry_id: EntryId,
    /// Until when the guest is shown for this purpose.
    pub open_until: DateTime<Utc>,
    /// By when another person has to judge it.
    pub judge_by: DateTime<Utc>,
}

impl Vault {
    /// Opens a guest to the caller for half an hour, for the errand's purpose.
    ///
    /// # Errors
    /// [`GuestError::BadQuestion`] when the purpose is no emergency; [`GuestError::ReasonRequired`];
    /// [`GuestError::Blocked`] while openings of this post at this property wait for their judgement past its time;
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`], [`GuestError::Moved`], [`GuestError::Gone`],
    /// [`GuestError::Restricted`] as for a read.
    pub async fn break_glass(&self, errand: &Errand, guest: GuestId) -> Result<BreakGlassAnswer, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::BreakGlass, self.clock.now());
        event.subject = Some(self.subject(guest, None));
        if !policy.purpose(&errand.purpose).is_some_and(|p| p.break_glass) {
            let reason = "is no emergency: name a purpose with break_glass (GET /v1/policy)";
            return self.refuse(event, GuestError::bad("Vault-Purpose", reason)).await;
        }
        if errand.reason.is_none() {
            return self.refuse(event, GuestError::ReasonRequired).await;
        }
        let fetched = match self.look(errand, guest, &[], Act::BreakGlass, &policy).await? {
            Looked::Seen(fetched) => fetched,
            Looked::Refused(event, error) => return self.refuse(*event, error).await,
        };
        let unjudged = self.store.read().await?.unjudged_glass(errand, event.at).await?;
        if unjudged > 0 {
            let error = GuestError::Blocked(format!(
                "{unjudged} earlier emergency looks of this role at this property were not judged within 72 hours; \
                 a compliance officer judges them at POST /v1/audit/entries/{{id}}/judgement or in the console"
            ));
            return self.refuse(event, error).await;
        }
        let event = fetched.event(errand, Act::BreakGlass);
        let event = Self::with_reason(event, errand, Some(&fetched.keys));
        let (open_until, judge_by) = (event.at + OPEN_FOR, event.at + JUDGED_WITHIN);
        let told = Announcement::break_glass(event.at, guest, errand.caller.principal);
        let mut change = self.log.begin(&self.store).await?;
        let entry_id = change.record(event);
        let row = GlassRow {
            guest,
            entry: entry_id.0,
            open_until,
            judge_by,
        };
        change.tx.insert_glass(errand, &row).await?;
        change.tx.announce(&told.at_property(&errand.property)).await?;
        change.commit().await?;
        Ok(BreakGlassAnswer {
            entry_id,
            open_until,
            judge_by,
        })
    }

    /// Whether the caller has opened the guest; asked only for purposes that are emergencies.
    pub(super) async fn is_open(&self, errand: &Errand, guest: GuestId) -> Result<bool, GuestError> {
        let now = self.clock.now();
        let within = (now, latest_end(now, OPEN_FOR));
        Ok(self
            .store
            .read()
            .await?
            .glass_is_open(errand, guest, within)
            .await?)
    }
}
