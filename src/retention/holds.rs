//! Legal holds: what a hold covers is not erased until it is lifted, by another person than who put it.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{Category, Errand, GuestId, PrincipalId, from_micros, micros, same_person},
    guest::{GuestError, Vault, kinds::holds_card_number},
    policy::Right,
};

use super::sql::{self, HoldRow, NewHold};

/// Years within which a hold is looked at again.
const REVIEWED_WITHIN: i32 = 10;

/// On which ground a hold keeps what the guest may want gone (GDPR Art. 17(3), 18(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// To establish, exercise or defend a legal claim.
    LegalClaim,
    /// An order of a court or an authority.
    AuthorityOrder,
    /// A tax assessment that is open.
    TaxAssessment,
    /// An incident that is being looked into.
    Investigation,
}

impl Ground {
    const ALL: [Self; 4] = [
        Self::LegalClaim,
        Self::AuthorityOrder,
        Self::TaxAssessment,
        Self::Investigation,
    ];

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LegalClaim => "legal_claim",
            Self::AuthorityOrder => "authority_order",
            Self::TaxAssessment => "tax_assessment",
            Self::Investigation => "investigation",
        }
    }
}

/// A hold to put.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Which matter: a file number.
    #[schema(min_length = 1, max_length = 100)]
    pub matter: String,
    /// On which ground.
    pub ground: Ground,
    /// Which drawers; all, when absent.
    #[serde(default)]
    #[schema(max_items = 18)]
    pub categories: Vec<Category>,
    /// Only about stays that end on this day or later.
    #[serde(default)]
    pub stays_from: Option<NaiveDate>,
    /// Only about stays that begin on this day or earlier.
    #[serde(default)]
    pub stays_to: Option<NaiveDate>,
    /// The day on which it is looked at again.
    pub review_on: NaiveDate,
}

/// A hold in force.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HoldAnswer {
    /// Its id.
    pub hold_id: Uuid,
    /// Which matter.
    #[schema(max_length = 100)]
    pub matter: String,
    /// On which ground.
    pub ground: Ground,
    /// Which drawers; all, when empty.
    pub categories: Vec<Category>,
    /// Only about stays that end on this day or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays_from: Option<NaiveDate>,
    /// Only about stays that begin on this day or earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays_to: Option<NaiveDate>,
    /// The day on which it is looked at again.
    pub review_on: NaiveDate,
    /// Who put it.
    pub author: PrincipalId,
    /// Who agreed, once somebody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<PrincipalId>,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Could not, because …
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// As for any call about a guest.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// It takes a second person.
    #[error("it takes another person than who put the hold")]
    SamePerson,
    /// There is none that this could be done to.
    #[error("there is no such hold")]
    Absent,
    /// One of a list.
    #[error("holds[{at}]: {cause}")]
    Entry {
        /// Which.
        at: usize,
        /// Why.
        cause: Box<Self>,
    },
}

impl HoldError {
    /// What is wrong with one entry of a list; what has nothing to do with it stays as it is.
    pub(super) fn of_entry(self, at: usize) -> Self {
        let cause = match self {
            Self::Guest(error @ (GuestError::NotFound | GuestError::Moved(_) | GuestError::Gone)) => {
                Self::Guest(error.nowhere())
            }
            Self::SamePerson | Self::Absent => self,
            other => return other,
        };
        let cause = Box::new(cause);
        Self::Entry { at, cause }
    }
}

impl From<crate::store::StoreError> for HoldError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Guest(error.into())
    }
}

/// The holds of the vault.
pub struct Holds<'v>(pub &'v Vault);

impl Holds<'_> {
    /// The holds in force.
    ///
    /// # Errors
    /// As the other calls.
    pub async fn list(&self, errand: &Errand, guest: GuestId) -> Result<Vec<HoldAnswer>, HoldError> {
        let event = self.allowed(errand, guest, "listed").await?;
        let rows = sql::holds(&mut self.0.store.read().await?, guest).await?;
        self.0.log.record(event, ()).await.map_err(GuestError::from)?;
        rows.iter().map(|row| self.shown(row)).collect()
    }

    /// Puts a hold; it holds at once.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`], [`GuestError::Gone`], [`GuestError::BadQuestion`].
    pub async fn put(&self, errand: &Errand, guest: GuestId, hold: &Hold) -> Result<HoldAnswer, HoldError> {
        let event = self.allowed(errand, guest, "put").await?;
        if let Err(error) = self.possible(hold) {
            return Err(refused(self.0, event, error).await);
        }
        let mut change = self.0.log.begin(&self.0.store).await?;
        let answer = self.add(&mut change, (errand, event), guest, hold).await?;
        change.commit().await.map_err(GuestError::from)?;
        Ok(answer)
    }

    /// Whether there can be such a hold.
    pub(super) fn possible(&self, hold: &Hold) -> Result<(), GuestError> {
        let wrong = |field: &str, reason: &str| Err(GuestError::bad(field, reason));
        let days = hold.stays_from.zip(hold.stays_to);
        let today = self.0.clock.now().date_naive();
        if hold.matter.trim().is_empty() || hold.matter.chars().count() > 100 {
            wrong("matter", "must be 1 to 100 characters")
        } else if holds_card_number(&hold.matter) {
            wrong("matter", "must not hold a card number")
        } else if hold.review_on <= today || hold.review_on.year() > today.year() + REVIEWED_WITHIN {
            wrong("review_on", "must lie ahead, and not more than ten years")
        } else if days.is_some_and(|(from, to)| from > to) {
            wrong("stays_to", "must not lie before stays_from")
        } else {
            Ok(())
        }
    }

    /// Inside a change: the hold and its record.
    pub(super) async fn add(
        &self,
        change: &mut Change,
        (errand, event): (&Errand, Event),
        guest: GuestId,
        hold: &Hold,
    ) -> Result<HoldAnswer, HoldError> {
        // An erasure or a merge that was faster is over now; one that comes later sees the hold.
        if !change.tx.keep_still(guest).await? {
            let head = self.0.store.read().await?.guest_head(guest).await?;
            let survivor = head.and_then(|(_, _, survivor)| survivor);
            let gone = |survivor: Uuid| GuestError::Moved(GuestId(survivor));
            return Err(survivor.map_or(GuestError::Gone, gone).into());
        }
        let now = self.0.clock.now();
        let day = |day: Option<NaiveDate>| day.map(|day| day.to_string());
        let (stays_from, stays_to) = (day(hold.stays_from), day(hold.stays_to));
        let id = Uuid::now_v7();
        let matter = self
            .0
            .keys
            .seal_own("hold", id, hold.matter.as_bytes())
            .map_err(GuestError::from)?
            .into_bytes();
        let new = NewHold {
            hold: id,
            matter: &matter,
            ground: hold.ground.as_str(),
            categories: &spelt(&hold.categories),
            review_on: &hold.review_on.to_string(),
            stays: (stays_from.as_deref(), stays_to.as_deref()),
            author: errand.caller.principal.0,
            actor: errand.caller.actor.as_deref(),
        };
        change.tx.put_hold(guest, &new, micros(now)).await?;
        change.record(event);
        Ok(HoldAnswer {
            hold_id: id,
            matter: hold.matter.clone(),
            ground: hold.ground,
            categories: hold.categories.clone(),
            review_on: hold.review_on,
            stays_from: hold.stays_from,
            stays_to: hold.stays_to,
            author: errand.caller.principal,
            approver: None,
            since: now,
        })
    }

    /// Agrees to a hold that another person put.
    ///
    /// # Errors
    /// [`HoldError::SamePerson`], [`HoldError::Absent`].
    pub async fn approve(&self, errand: &Errand, guest: GuestId, hold: Uuid) -> Result<(), HoldError> {
        let event = self.allowed(errand, guest, "approved").await?;
        self.other_person(errand, guest, hold).await?;
        let mut change = self.0.log.begin(&self.0.store).await?;
        settle(&mut change, (errand, event), (guest, hold), Settling::Approve).await?;
        Ok(change.commit().await.map_err(GuestError::from)?)
    }

    /// Lifts a hold that another person put; what waited for it goes on by itself.
    ///
    /// # Errors
    /// [`HoldError::SamePerson`], [`HoldError::Absent`].
    pub async fn lift(&self, errand: &Errand, guest: GuestId, hold: Uuid) -> Result<(), HoldError> {
        let event = self.allowed(errand, guest, "lifted").await?;
        self.other_person(errand, guest, hold).await?;
        let mut change = self.0.log.begin(&self.0.store).await?;
        settle(&mut change, (errand, event), (guest, hold), Settling::Lift).await?;
        Ok(change.commit().await.map_err(GuestError::from)?)
    }

    pub(super) async fn other_person(
        &self,
        errand: &Errand,
        guest: GuestId,
        hold: Uuid,
    ) -> Result<(), HoldError> {
        let rows = sql::holds(&mut self.0.store.read().await?, guest).await?;
        let row = rows
            .iter()
            .find(|row| row.hold_id == hold)
            .ok_or(HoldError::Absent)?;
        let author = (PrincipalId(row.author), row.author_actor.as_deref());
        if same_person(author, errand.caller.person()) {
            return Err(HoldError::SamePerson);
        }
        Ok(())
    }

    /// The event of a call that this caller may make about a guest that is there.
    pub(super) async fn allowed(
        &self,
        errand: &Errand,
        guest: GuestId,
        outcome: &'static str,
    ) -> Result<Event, HoldError> {
        let policy = self.0.policies.current();
        let mut event = Event::of(errand, Act::Hold, self.0.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.subject = Some(self.0.subject(guest, None));
        if !policy.allows(&errand.caller.role, Right::ManageHolds) {
            return Err(refused(self.0, event, GuestError::Forbidden).await);
        }
        let head = self.0.store.read().await?.guest_head(guest).await?;
        let error = match head {
            None => GuestError::NotFound,
            Some((_, _, Some(survivor))) => GuestError::Moved(GuestId(survivor)),
            Some((_, status, _)) if status == "erased" => GuestError::Gone,
            Some(_) if !self.0.is_of(errand, guest).await? => GuestError::NotFound,
            Some(_) => {
                let keys = self
                    .0
                    .keys
                    .guest_keys(guest, &[Category::Audit])
                    .await
                    .map_err(GuestError::from)?;
                event.subject = Some(self.0.subject(guest, Some(&keys)));
                event.outcome = Some(outcome);
                return Ok(Vault::with_reason(event, errand, Some(&keys)));
            }
        };
        Err(refused(self.0, event, error).await)
    }

    fn shown(&self, row: &HoldRow) -> Result<HoldAnswer, HoldError> {
        let damaged = || HoldError::Guest(GuestError::Damaged);
        let matter = self
            .0
            .keys
            .open_own("hold", row.hold_id, &row.matter)
            .map_err(|_| damaged())?;
        Ok(HoldAnswer {
            hold_id: row.hold_id,
            matter: String::from_utf8(matter.to_vec()).map_err(|_| damaged())?,
            ground: Ground::ALL
                .into_iter()
                .find(|ground| ground.as_str() == row.ground)
                .ok_or_else(damaged)?,
            categories: read(&row.categories),
            review_on: row.review_on.parse().map_err(|_| damaged())?,
            stays_from: row.stays().0,
            stays_to: row.stays().1,
            author: PrincipalId(row.author),
            approver: row.approver.map(PrincipalId),
            since: from_micros(row.created_at),
        })
    }
}

/// What another person does about a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settling {
    /// Agrees to it.
    Approve,
    /// Ends it.
    Lift,
}

impl Settling {
    /// The word of the log.
    pub(super) const fn outcome(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Lift => "lifted",
        }
    }
}

/// Inside a change: agrees to a hold or ends it, on record.
pub(super) async fn settle(
    change: &mut Change,
    (errand, event): (&Errand, Event),
    (guest, hold): (GuestId, Uuid),
    how: Settling,
) -> Result<(), HoldError> {
    let by = errand.caller.principal.0;
    let done = match how {
        Settling::Approve => {
            let by = (by, errand.caller.actor.as_deref());
            change.tx.approve_hold(guest, hold, by).await?
        }
        Settling::Lift => change.tx.lift_hold(guest, hold, micros(event.at), by).await?,
    };
    if !done {
        return Err(HoldError::Absent);
    }
    change.record(event);
    Ok(())
}

pub(super) async fn refused(vault: &Vault, event: Event, error: GuestError) -> HoldError {
    match vault.refuse::<()>(event, error).await {
        Err(error) => error.into(),
        Ok(()) => HoldError::Absent,
    }
}

/// Drawers as they are stored: words separated by commas.
#[must_use]
pub fn spelt(categories: &[Category]) -> String {
    let words: Vec<&str> = categories.iter().map(|category| category.as_str()).collect();
    words.join(",")
}

/// The drawers of a stored list; words that are none are left out.
#[must_use]
pub fn read(list: &str) -> Vec<Category> {
    let category = |word: &str| {
        Category::ALL
            .into_iter()
            .find(|category| category.as_str() == word)
    };
    list.split(',').filter_map(category).collect()
}
