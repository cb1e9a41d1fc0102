//! Reviewing the quality of what is stored: addresses that mail comes back from, documents that have run out, ways to
//! reach a guest that nobody has confirmed for long. What is found waits in a queue to be made sure of.

use std::collections::BTreeSet;

use chrono::{DateTime, Months, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::operator,
    audit::{Act, Event},
    base::{Category, Errand, FieldPath, GuestId, RequestId, from_micros, micros},
    crypto::Aad,
    events::Announcement,
    guest::{GuestError, Vault, seal_version},
    policy::Right,
};

use super::sql::{
    StoredValue,
    quality::{FindingRow, ReviewRow},
};

/// The fields that are reviewed.
const FIELDS: [&str; 4] = ["emails", "id_documents", "phones", "postal_addresses"];
/// After so many months without a word a way to reach a guest is stale.
const STALE: Months = Months::new(24);
/// How often all guests are looked at.
const EVERY: TimeDelta = TimeDelta::days(30);
/// For how long what was settled is not asked about again.
const PEACE: TimeDelta = TimeDelta::days(90);
/// Guests looked at at a time, and before a call answers.
const PAGE: i64 = 100;
const AT_ONCE: u32 = 5;

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Mail to it came back.
    Bounced,
    /// It has run out.
    Invalid,
    /// Nobody has confirmed it for long.
    Stale,
}

impl Fault {
    const ALL: [Self; 3] = [Self::Bounced, Self::Invalid, Self::Stale];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Invalid => "invalid",
            Self::Stale => "stale",
        }
    }
}

/// How a finding is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// The guest says that it is right.
    Confirmed,
    /// It was corrected.
    Corrected,
    /// It could not be made sure of.
    Dropped,
}

impl Settled {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Corrected => "corrected",
            Self::Dropped => "dropped",
        }
    }
}

/// A review of all guests.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QualityReviewAnswer {
    /// Its id.
    pub review_id: Uuid,
    /// How many guests were looked at.
    pub looked_at: u64,
    /// Fields with an address that mail came back from.
    pub bounced: u64,
    /// Fields with something that has run out.
    pub invalid: u64,
    /// Fields that nobody has confirmed for long.
    pub stale: u64,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

/// A field that should be made sure of. Its value is read like any other, for a purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    /// Whose.
    pub guest_id: GuestId,
    /// Which field.
    #[schema(max_length = 80)]
    pub field: String,
    /// What is wrong with it.
    #[schema(max_length = 20)]
    pub fault: String,
    /// Since when that is known.
    pub found_at: DateTime<Utc>,
}

/// The review of data quality.
pub struct Quality<'v>(pub &'v Vault);

impl Quality<'_> {
    /// Begins a review, unless one goes on, and does what can be done at once.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; what database and key store say.
    pub async fn begin(&self, errand: &Errand) -> Result<QualityReviewAnswer, GuestError> {
        let event = self.allowed(errand, "quality_review").await?;
        let id = match self.last().await? {
            Some(row) if row.ended_at.is_none() => {
                self.0.log.record(event, ()).await?;
                row.review_id
            }
            _ => self.start(event).await?,
        };
        for _ in 0..AT_ONCE {
            if !self.page(id).await? {
                break;
            }
        }
        let row = self.0.store.read().await?.quality_review(id).await?;
        row.map(|row| shown(&row)).ok_or(GuestError::NotFound)
    }

    /// The last review; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`].
    pub async fn report(&self, errand: &Errand) -> Result<QualityReviewAnswer, GuestError> {
        let event = self.allowed(errand, "quality_report").await?;
        let row = self.last().await?;
        self.0.log.record(event, ()).await?;
        row.map(|row| shown(&row)).ok_or(GuestError::NotFound)
    }

    /// What waits to be made sure of; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub async fn queue(
        &self,
        errand: &Errand,
        after: Option<Uuid>,
        most: i64,
    ) -> Result<Vec<Finding>, GuestError> {
        let mut event = self.allowed(errand, "quality_queue").await?;
        let rows = self
            .0
            .store
            .read()
            .await?
            .findings(after.unwrap_or(Uuid::nil()), most, &self.0.reach(&errand.caller))
            .await?;
        event.count = u64::try_from(rows.len()).ok();
        self.0.log.record(event, ()).await?;
        let finding = |row: FindingRow| Finding {
            guest_id: GuestId(row.guest_id),
            field: row.field,
            fault: row.fault,
            found_at: from_micros(row.found_at),
        };
        Ok(rows.into_iter().map(finding).collect())
    }

    /// Settles what is known of a field.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`] when nothing waits.
    pub async fn settle(
        &self,
        errand: &Errand,
        guest: GuestId,
        field: &FieldPath,
        how: Settled,
    ) -> Result<(), GuestError> {
        let mut event = self.allowed(errand, "quality_settled").await?;
        self.0.must_be_of(errand, guest, &event).await?;
        let keys = self.0.keys.guest_keys(guest, &[Category::Audit]).await?;
        event.subject = Some(self.0.subject(guest, Some(&keys)));
        let mut change = self.0.log.begin(&self.0.store).await?;
        let now = micros(self.0.clock.now());
        if !change
            .tx
            .settle_findings(guest, field.as_str(), (how.as_str(), now))
            .await?
        {
            return Err(GuestError::NotFound);
        }
        change.record(event);
        Ok(change.commit().await?)
    }

    /// Goes on with a review, or begins one when it is time.
    ///
    /// # Errors
    /// What database and key store say; the rest waits for the next time.
    pub async fn work(&self, pages: u32) -> Result<(), GuestError> {
        let now = self.0.clock.now();
        let id = match self.last().await? {
            Some(row) if row.ended_at.is_none() => row.review_id,
            Some(row) if from_micros(row.created_at) + EVERY > now => return Ok(()),
            _ => {
                let caller = operator().map_err(|_| GuestError::Forbidden)?;
                let mut event = Event::by(&caller, Act::Retention, RequestId::random(), now);
                event.outcome = Some("quality_review");
                self.start(event).await?
            }
        };
        for _ in 0..pages {
            if !self.page(id).await? {
                break;
            }
        }
        Ok(())
    }

    async fn start(&self, event: Event) -> Result<Uuid, GuestError> {
        let id = Uuid::now_v7();
        let mut change = self.0.log.begin(&self.0.store).await?;
        change.tx.add_review(id, micros(self.0.clock.now())).await?;
        change.record(event);
        change.commit().await?;
        Ok(id)
    }

    async fn last(&self) -> Result<Option<ReviewRow>, GuestError> {
        let now = micros(self.0.clock.now());
        Ok(self.0.store.read().await?.last_review(now).await?)
    }

    /// One page of a review; `false` at its end.
    async fn page(&self, id: Uuid) -> Result<bool, GuestError> {
        let Some(mut row) = self.0.store.read().await?.quality_review(id).await? else {
            return Ok(false);
        };
        if row.ended_at.is_some() {
            return Ok(false);
        }
        let before = row.reached;
        let guests = self.0.store.read().await?.guests_after(before, PAGE).await?;
        for guest in &guests {
            for (_, fault) in self.look(GuestId(*guest)).await? {
                let count = match fault {
                    Fault::Bounced => &mut row.bounced,
                    Fault::Invalid => &mut row.invalid,
                    Fault::Stale => &mut row.stale,
                };
                *count = count.saturating_add(1);
            }
        }
        row.looked_at = row
            .looked_at
            .saturating_add(i64::try_from(guests.len()).unwrap_or(0));
        match guests.last() {
            Some(last) => row.reached = *last,
            None => row.ended_at = Some(micros(self.0.clock.now())),
        }
        let mut tx = self.0.store.begin().await?;
        let stored = tx.store_review(&row, before).await?;
        tx.commit().await?;
        Ok(stored && row.ended_at.is_none())
    }

    /// Looks at one guest: what is wrong is put into the queue, what is mended is taken out.
    async fn look(&self, guest: GuestId) -> Result<BTreeSet<(String, Fault)>, GuestError> {
        let mut conn = self.0.store.read().await?;
        let values = conn.stored_values(guest).await?;
        let known = conn.findings_of(guest).await?;
        drop(conn);
        let faults = self.faults(guest, &values).await?;
        let now = self.0.clock.now();
        let times = (micros(now), micros(now - PEACE));
        let mut new = Vec::new();
        let mut tx = self.0.store.begin().await?;
        for (field, fault) in &faults {
            if tx.add_finding(guest, (field, fault.as_str()), times).await? {
                new.extend(field.parse::<FieldPath>());
            }
        }
        for row in &known {
            let fault = Fault::ALL.into_iter().find(|fault| fault.as_str() == row.fault);
            if !fault.is_some_and(|fault| faults.contains(&(row.field.clone(), fault))) {
                tx.finding_gone(row, micros(now)).await?;
            }
        }
        if !new.is_empty() {
            new.dedup();
            tx.announce(&Announcement::guest_reverify(now, guest, new))
                .await?;
        }
        tx.commit().await?;
        Ok(faults)
    }

    async fn faults(
        &self,
        guest: GuestId,
        values: &[StoredValue],
    ) -> Result<BTreeSet<(String, Fault)>, GuestError> {
        let keys = self
            .0
            .keys
            .guest_keys(guest, &[Category::Contact, Category::Document])
            .await?;
        let policy = self.0.policies.current();
        let today = self.0.clock.now().date_naive();
        let mut faults = BTreeSet::new();
        for value in values
            .iter()
            .filter(|value| FIELDS.contains(&value.field.as_str()))
        {
            let Some((_, field)) = policy.catalogue().find(&value.field) else {
                continue;
            };
            let aad = Aad {
                guest,
                record: value.record_id,
                path: &value.field,
                version: seal_version(value.version),
            };
            // What does not open is for `doctor` to say.
            let Ok(plain) = keys.open_internal(field.category, &value.sealed, &aad) else {
                continue;
            };
            let items: Vec<Value> = serde_json::from_slice(&plain).unwrap_or_default();
            let observed = from_micros(value.observed_at).date_naive();
            let found = items
                .iter()
                .filter_map(|item| fault(&value.field, item, observed, today));
            faults.extend(found.map(|fault| (value.field.clone(), fault)));
        }
        Ok(faults)
    }

    async fn allowed(&self, errand: &Errand, outcome: &'static str) -> Result<Event, GuestError> {
        let policy = self.0.policies.current();
        let mut event = Event::of(errand, Act::Retention, self.0.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        if !policy.allows(&errand.caller.role, Right::ManageRetention) {
            return self.0.refuse(event, GuestError::Forbidden).await;
        }
        event.outcome = Some(outcome);
        Ok(event)
    }
}

/// What is wrong with an item of a field, if anything is.
fn fault(field: &str, item: &Value, observed: NaiveDate, today: NaiveDate) -> Option<Fault> {
    let day = |name: &str| item.get(name)?.as_str()?.get(..10)?.parse::<NaiveDate>().ok();
    if item
        .get("bounce")
        .and_then(Value::as_str)
        .is_some_and(|word| word != "none")
    {
        return Some(Fault::Bounced);
    }
    if field == "id_documents" {
        let ends = day("expires_on")
            .or_else(|| day("expires_at"))
            .or_else(|| day("expiry"));
        return ends.filter(|ends| *ends < today).map(|_| Fault::Invalid);
    }
    let confirmed = day("verified_at").map_or(observed, |verified| verified.max(observed));
    let stale = confirmed
        .checked_add_months(STALE)
        .is_some_and(|from| from <= today);
    stale.then_some(Fault::Stale)
}

fn shown(row: &ReviewRow) -> QualityReviewAnswer {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    QualityReviewAnswer {
        review_id: row.review_id,
        looked_at: count(row.looked_at),
        bounced: count(row.bounced),
        invalid: count(row.invalid),
        stale: count(row.stale),
        created_at: from_micros(row.created_at),
        ended_at: row.ended_at.map(from_micros),
    }
}
