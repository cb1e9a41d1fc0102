//! Many guests at once, for one purpose: ordered by one person, agreed to by another, handed out once. Each guest is
//! decided on, narrowed and recorded as in a single read, by the policy's rules for exports.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Action, Errand, FieldPath, FieldSet, PrincipalId, Reach, from_micros, micros, same_person},
    events::Announcement,
    policy::{Grant, Right, Snapshot},
};

use super::{GuestError, Vault, sql::export::ExportRow};

/// For how long an order waits for a decision, and an approved one for its first and last bytes: an approval is for
/// what stands today.
const WAITS: TimeDelta = TimeDelta::days(7);
const OPEN: TimeDelta = TimeDelta::hours(24);

/// Where an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportState {
    /// For a second person.
    Waiting,
    /// It can be fetched by who ordered it.
    Approved,
    /// A second person said no.
    Rejected,
    /// It was handed out to its end.
    Done,
    /// Nobody decided, or nobody fetched it to its end, in time.
    Expired,
}

impl ExportState {
    const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Approved,
        Self::Rejected,
        Self::Done,
        Self::Expired,
    ];

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Done => "done",
            Self::Expired => "expired",
        }
    }
}

/// An export to be ordered.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportInput {
    /// The fields: paths or groups; all that this role may export for this purpose, when absent.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub fields: Vec<String>,
}

/// An export.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ExportAnswer {
    /// Its id.
    pub export_id: Uuid,
    /// Guests of which property.
    #[schema(value_type = String)]
    pub property: String,
    /// Why.
    pub purpose: String,
    /// The fields that are handed out, as far as each guest's stays and consents let them.
    #[schema(max_items = 500)]
    pub fields: Vec<String>,
    /// Where it stands.
    pub state: ExportState,
    /// How many guests were handed out.
    pub guests: u64,
    /// Who ordered it.
    pub author: PrincipalId,
    /// On whose orders: a staff id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<PrincipalId>,
    /// When it was ordered.
    pub created_at: DateTime<Utc>,
    /// Until when it waits for a decision, or may be fetched.
    pub open_until: DateTime<Utc>,
}

impl Vault {
    /// Orders an export; it waits for a second person.
    ///
    /// # Errors
    /// [`GuestError::UnknownField`]; [`GuestError::Forbidden`] when this role may export nothing for this purpose;
    /// [`GuestError::BadQuestion`] for a field that it may not.
    pub async fn order_export(
        &self,
        errand: &Errand,
        input: &ExportInput,
    ) -> Result<ExportAnswer, GuestError> {
        let policy = self.policies.current();
        let asked: Vec<FieldSet> = input
            .fields
            .iter()
            .map(|word| policy.catalogue().select(word.trim()).into_iter().collect())
            .collect();
        if let Some(at) = asked.iter().position(FieldSet::is_empty) {
            return Err(GuestError::UnknownField(at));
        }
        let event = self.export_event(errand, &policy, "ordered");
        let Some(allowed) = exportable(errand, &policy) else {
            return self.refuse(event, GuestError::Forbidden).await;
        };
        if let Some(at) = asked
            .iter()
            .position(|fields| fields.intersection(&allowed).is_empty())
        {
            let reason = "is exported to this role for this purpose by no rule; see `export` in POST /v1/policy/explain";
            let error = GuestError::bad(format!("fields[{at}]"), reason);
            return self.refuse(event, error).await;
        }
        let asked = asked
            .iter()
            .fold(FieldSet::new(), |all, fields| all.union(fields));
        let wanted = if asked.is_empty() {
            allowed
        } else {
            asked.intersection(&allowed)
        };
        let paths: Vec<&str> = wanted
            .iter()
            .filter_map(|at| policy.catalogue().get(at))
            .map(|field| field.path.as_str())
            .collect();
        let now = self.clock.now();
        let row = ExportRow {
            export_id: Uuid::now_v7(),
            property: errand.property.to_string(),
            purpose: errand.purpose.to_string(),
            fields: serde_json::to_string(&paths).unwrap_or_default(),
            state: ExportState::Waiting.as_str().to_owned(),
            guests: 0,
            author: errand.caller.principal.0,
            author_actor: errand.caller.actor.clone(),
            approver: None,
            created_at: micros(now),
            open_until: micros(now + WAITS),
        };
        let mut change = self.log.begin(&self.store).await?;
        change.tx.add_export(&row).await?;
        let told = Announcement::export_waiting(now, row.export_id);
        change.tx.announce(&told).await?;
        change.record(event);
        change.commit().await?;
        self.answer_of(&row)
    }

    /// The exports, newest first: the caller's own, and for who decides about them those within the caller's scope;
    /// recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`] for who neither decides nor may order any.
    pub async fn exports(
        &self,
        errand: &Errand,
        before: Option<Uuid>,
        most: i64,
    ) -> Result<Vec<ExportAnswer>, GuestError> {
        let policy = self.policies.current();
        let event = self.export_event(errand, &policy, "listed");
        let decides = policy.allows(&errand.caller.role, Right::ApproveRequests);
        if !decides && exportable(errand, &policy).is_none() {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let reach = if decides {
            self.reach(&errand.caller)
        } else {
            Reach::nowhere()
        };
        let of = (errand.caller.principal.0, &reach);
        let rows = self.store.read().await?.guest_exports(of, before, most).await?;
        self.log.record(event, ()).await?;
        rows.iter().map(|row| self.answer_of(row)).collect()
    }

    /// How many exports wait for a decision that is this caller's to take; of more than `most`, so many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn exports_to_decide(&self, errand: &Errand, most: i64) -> Result<usize, GuestError> {
        if !self
            .policies
            .current()
            .allows(&errand.caller.role, Right::ApproveRequests)
        {
            return Ok(0);
        }
        let now = micros(self.clock.now());
        let (enough, reach) = (usize::try_from(most).unwrap_or(0), self.reach(&errand.caller));
        let (mut count, mut after) = (0, Uuid::nil());
        let mut conn = self.store.read().await?;
        // Counted page by page: the caller's own are not to be decided, and must not hide those that are.
        while count < enough {
            let waiting = conn.guest_exports_waiting(&reach, (now, after), most).await?;
            let Some(last) = waiting.last() else { break };
            after = last.export_id;
            count += waiting.iter().filter(|row| !is_own(errand, row)).count();
        }
        Ok(count.min(enough))
    }

    /// One export, for who ordered it, and for who decides within the caller's scope; recorded.
    ///
    /// # Errors
    /// [`GuestError::NotFound`], also for anybody else.
    pub async fn read_export(&self, errand: &Errand, id: Uuid) -> Result<ExportAnswer, GuestError> {
        let policy = self.policies.current();
        let event = self.export_event(errand, &policy, "looked_at");
        let row = self.store.read().await?.guest_export(id).await?;
        let decides = policy.allows(&errand.caller.role, Right::ApproveRequests);
        let seen = |row: &ExportRow| {
            row.author == errand.caller.principal.0
                || (decides && self.reach(&errand.caller).holds(&row.property))
        };
        let Some(row) = row.filter(seen) else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        self.log.record(event, ()).await?;
        self.answer_of(&row)
    }

    /// Agrees to an export that waits, or refuses it.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`], also for a property beyond the caller's;
    /// [`GuestError::Blocked`] when it does not wait, or for the person who ordered it.
    pub async fn decide_export(
        &self,
        errand: &Errand,
        id: Uuid,
        agreed: bool,
    ) -> Result<ExportAnswer, GuestError> {
        let policy = self.policies.current();
        let next = if agreed {
            ExportState::Approved
        } else {
            ExportState::Rejected
        };
        let event = self.export_event(errand, &policy, next.as_str());
        if !policy.allows(&errand.caller.role, Right::ApproveRequests) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let row = self.store.read().await?.guest_export(id).await?;
        let Some(mut row) = row.filter(|row| self.reach(&errand.caller).holds(&row.property)) else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        if is_own(errand, &row) {
            return self
                .blocked(event, "It takes another person than who ordered the export.")
                .await;
        }
        if self.answer_of(&row)?.state != ExportState::Waiting {
            return self.blocked(event, NOT_WAITING).await;
        }
        let mut change = self.log.begin(&self.store).await?;
        let by = (errand.caller.principal.0, errand.caller.actor.as_deref());
        next.as_str().clone_into(&mut row.state);
        row.approver = Some(by.0);
        row.open_until = micros(self.clock.now() + OPEN);
        if !change
            .tx
            .decide_export(id, &row.state, by, row.open_until)
            .await?
        {
            drop(change);
            return self.blocked(event, NOT_WAITING).await;
        }
        change.record(event);
        change.commit().await?;
        self.answer_of(&row)
    }

    pub(super) fn export_event(&self, errand: &Errand, policy: &Snapshot, outcome: &'static str) -> Event {
        let mut event = Event::of(errand, Act::Export, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.outcome = Some(outcome);
        event
    }

    pub(super) async fn blocked<T>(&self, event: Event, why: &str) -> Result<T, GuestError> {
        self.refuse(event, GuestError::Blocked(why.to_owned())).await
    }

    pub(super) fn answer_of(&self, row: &ExportRow) -> Result<ExportAnswer, GuestError> {
        let state = ExportState::ALL.into_iter().find(|s| s.as_str() == row.state);
        let over = from_micros(row.open_until) <= self.clock.now();
        let state = match state.ok_or(GuestError::Damaged)? {
            ExportState::Waiting | ExportState::Approved if over => ExportState::Expired,
            state => state,
        };
        Ok(ExportAnswer {
            export_id: row.export_id,
            property: row.property.clone(),
            purpose: row.purpose.clone(),
            fields: paths(row)?.iter().map(ToString::to_string).collect(),
            state,
            guests: u64::try_from(row.guests).unwrap_or(0),
            author: PrincipalId(row.author),
            actor: row.author_actor.clone(),
            approver: row.approver.map(PrincipalId),
            created_at: from_micros(row.created_at),
            open_until: from_micros(row.open_until),
        })
    }
}

const NOT_WAITING: &str = "The export does not wait for a decision.";

pub(super) fn paths(row: &ExportRow) -> Result<Vec<FieldPath>, GuestError> {
    serde_json::from_str(&row.fields).map_err(|_| GuestError::Damaged)
}

/// Whether who asks is the person who ordered it.
fn is_own(errand: &Errand, row: &ExportRow) -> bool {
    let author = (PrincipalId(row.author), row.author_actor.as_deref());
    same_person(author, errand.caller.person())
}

/// What this caller may export of any guest; `None` for nothing. An emergency shows one guest at a time.
fn exportable(errand: &Errand, policy: &Snapshot) -> Option<FieldSet> {
    let all = policy.catalogue().iter().map(|(at, _)| at).collect();
    let grant = granted(errand, policy, &all)?;
    let columns = grant.columns();
    (!columns.is_empty() && !grant.purpose().break_glass).then_some(columns)
}

pub(super) fn granted(errand: &Errand, policy: &Snapshot, fields: &FieldSet) -> Option<Grant> {
    let role = &errand.caller.role;
    policy.decide(role, &errand.property, &errand.purpose, Action::Export, fields)
}
