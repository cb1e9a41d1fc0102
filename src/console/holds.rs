//! The register of holds: all that are in force, over all guests. The matter stays with the guest.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Console, sql::HoldRow};
use crate::{
    audit::Act,
    base::{Errand, GuestId, PrincipalId, from_micros},
    guest::GuestError,
    policy::Right,
};

/// Holds of one answer at most.
const MOST: i64 = 500;

/// A hold in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct HoldLine {
    /// Whose data it keeps.
    pub guest_id: GuestId,
    /// Its id.
    pub hold_id: Uuid,
    /// On which ground.
    #[schema(max_length = 40)]
    pub ground: String,
    /// Which drawers; all, when empty.
    #[schema(max_items = 18)]
    pub categories: Vec<String>,
    /// The day on which it is looked at again.
    pub review_on: NaiveDate,
    /// Who put it.
    pub author: PrincipalId,
    /// On whose orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub author_actor: Option<String>,
    /// Who agreed, once somebody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<PrincipalId>,
    /// On whose orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub approver_actor: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl HoldLine {
    pub(super) fn path(&self) -> String {
        format!("/console/retention/{}", self.guest_id)
    }
}

/// The register.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct HoldRegister {
    /// How many are in force.
    pub in_force: i64,
    /// How many of them are to be looked at again today or were before.
    pub due: i64,
    /// How many nobody has agreed to yet.
    pub unapproved: i64,
    /// The first 500, those to be looked at first at the top.
    #[schema(max_items = 500)]
    pub holds: Vec<HoldLine>,
}

fn line(row: HoldRow) -> Option<HoldLine> {
    let categories = row.categories.split([' ', ',']).filter(|word| !word.is_empty());
    Some(HoldLine {
        guest_id: GuestId(row.guest_id),
        hold_id: row.hold_id,
        ground: row.ground,
        categories: categories.map(str::to_owned).collect(),
        review_on: row.review_on.parse().ok()?,
        author: PrincipalId(row.author),
        author_actor: row.author_actor,
        approver: row.approver.map(PrincipalId),
        approver_actor: row.approver_actor,
        since: from_micros(row.created_at),
    })
}

impl Console {
    /// The holds in force that are looked at again after a day; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::Damaged`].
    pub(super) async fn hold_register(
        &self,
        errand: &Errand,
        after: Option<NaiveDate>,
    ) -> Result<HoldRegister, GuestError> {
        let mut event = self
            .look(errand, (Act::Hold, "listed"), &[Right::ManageHolds])
            .await?;
        let after = after.map(|day| day.to_string()).unwrap_or_default();
        let reach = self.vault.reach(&errand.caller);
        let mut conn = self.vault.store.read().await?;
        let (in_force, due, unapproved) = conn.holds_count(&self.today().to_string(), &reach).await?;
        let rows = conn.holds_in_force(&after, MOST, &reach).await?;
        drop(conn);
        event.count = u64::try_from(in_force).ok();
        self.vault.log.record(event, ()).await?;
        let holds: Option<Vec<HoldLine>> = rows.into_iter().map(line).collect();
        Ok(HoldRegister {
            in_force,
            due,
            unapproved,
            holds: holds.ok_or(GuestError::Damaged)?,
        })
    }
}
