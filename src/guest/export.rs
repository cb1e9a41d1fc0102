//! Many guests at once, for one purpose: ordered by one person, agreed to by another, handed out once. Each guest is
//! decided on, narrowed and recorded as in a single read, by the policy's rules for exports.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{
        Action, Errand, FieldIndex, FieldPath, FieldSet, GuestId, PrincipalId, PropertyCode, from_micros,
        micros, same_person,
    },
    events::Announcement,
    policy::{Grant, Right, Snapshot},
};

use super::{
    GuestAnswer, GuestError, Vault,
    read::{Fetched, drawers, shows_something},
    sql::export::ExportRow,
};

/// For how long an order waits for a decision, and an approved one for its first and last bytes: an approval is for
/// what stands today.
const WAITS: TimeDelta = TimeDelta::days(7);
const OPEN: TimeDelta = TimeDelta::hours(24);
/// Guests looked at before the next bytes go out.
const PAGE: i64 = 200;

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

/// The last line of an export: there is no other after it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExportEnd {
    /// That this is all.
    pub complete: bool,
    /// Guests in this answer.
    pub guests: u64,
}

/// A line of an export.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum ExportLine {
    /// A guest.
    Guest(Box<GuestAnswer>),
    /// The end.
    End(ExportEnd),
}

/// An export under way: page by page.
pub struct Export {
    vault: Vault,
    errand: Errand,
    id: Uuid,
    paths: Vec<FieldPath>,
    after: Uuid,
    guests: u64,
    ended: bool,
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
        let reach = if decides { self.reach(errand) } else { Vec::new() };
        let of = (errand.caller.principal.0, reach.as_slice());
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
        let (enough, reach) = (usize::try_from(most).unwrap_or(0), self.reach(errand));
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

    /// The properties that the caller's scope covers.
    fn reach(&self, errand: &Errand) -> Vec<PropertyCode> {
        let all = self.properties.iter().map(|node| &node.code);
        let covered = all.filter(|code| self.properties.covers(&errand.caller.scope, code));
        covered.cloned().collect()
    }

    /// Whether an export is of a property that the caller's scope covers: who is responsible for one hotel does not agree
    /// for the whole group.
    fn reaches(&self, errand: &Errand, row: &ExportRow) -> bool {
        let property: Option<PropertyCode> = row.property.parse().ok();
        property.is_some_and(|property| self.properties.covers(&errand.caller.scope, &property))
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
            row.author == errand.caller.principal.0 || (decides && self.reaches(errand, row))
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
        let Some(mut row) = row.filter(|row| self.reaches(errand, row)) else {
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

    /// Begins to hand out an approved export to who ordered it, after a guest where an earlier try broke off.
    ///
    /// # Errors
    /// [`GuestError::NotFound`], also for anybody else; [`GuestError::Blocked`] when it is not approved, is done or is
    /// over; [`GuestError::BadQuestion`] for another property or purpose than the export's.
    pub async fn fetch_export(
        &self,
        errand: &Errand,
        id: Uuid,
        after: Option<GuestId>,
    ) -> Result<Export, GuestError> {
        let policy = self.policies.current();
        let event = self.export_event(errand, &policy, "begun");
        let row = self.store.read().await?.guest_export(id).await?;
        let own = |row: &ExportRow| {
            (PrincipalId(row.author), row.author_actor.as_deref()) == errand.caller.person()
        };
        let Some(row) = row.filter(own) else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        let shut = match self.answer_of(&row)?.state {
            ExportState::Approved => None,
            ExportState::Waiting => Some("The export waits for a second person."),
            ExportState::Rejected => Some("A second person has refused the export."),
            ExportState::Done => Some("The export was handed out already; order another."),
            ExportState::Expired => Some("The time of the export is over; order another."),
        };
        if let Some(why) = shut {
            return self.blocked(event, why).await;
        }
        for (same, header) in [
            (row.property == errand.property.as_str(), "Vault-Property"),
            (row.purpose == errand.purpose.as_str(), "Vault-Purpose"),
        ] {
            if !same {
                let error = GuestError::bad(header, "is not what the export was ordered for");
                return self.refuse(event, error).await;
            }
        }
        let paths = paths(&row)?;
        self.log.record(event, ()).await?;
        Ok(Export {
            vault: self.clone(),
            errand: errand.clone(),
            id,
            paths,
            after: after.map_or(Uuid::nil(), |guest| guest.0),
            guests: 0,
            ended: false,
        })
    }

    fn export_event(&self, errand: &Errand, policy: &Snapshot, outcome: &'static str) -> Event {
        let mut event = Event::of(errand, Act::Export, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.outcome = Some(outcome);
        event
    }

    async fn blocked<T>(&self, event: Event, why: &str) -> Result<T, GuestError> {
        self.refuse(event, GuestError::Blocked(why.to_owned())).await
    }

    fn answer_of(&self, row: &ExportRow) -> Result<ExportAnswer, GuestError> {
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

fn paths(row: &ExportRow) -> Result<Vec<FieldPath>, GuestError> {
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

fn granted(errand: &Errand, policy: &Snapshot, fields: &FieldSet) -> Option<Grant> {
    let role = &errand.caller.role;
    policy.decide(role, &errand.property, &errand.purpose, Action::Export, fields)
}

impl Export {
    /// The next guests, and at last the end; `None` after it. What stops in between was cut short, and all of it that
    /// went out is on record.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`] when the policy has changed meanwhile; what database, keys and log say.
    pub async fn page(&mut self) -> Result<Option<Vec<ExportLine>>, GuestError> {
        while !self.ended {
            let policy = self.vault.policies.current();
            let guests: Vec<GuestId> = self
                .vault
                .store
                .read()
                .await?
                .guests_after(self.after, PAGE)
                .await?
                .into_iter()
                .map(GuestId)
                .collect();
            let Some(last) = guests.last() else {
                self.end(&policy).await?;
                let (complete, guests) = (true, self.guests);
                return Ok(Some(vec![ExportLine::End(ExportEnd { complete, guests })]));
            };
            let shown = self.shown(&policy, &guests).await?;
            self.after = last.0;
            if !shown.is_empty() {
                self.guests += u64::try_from(shown.len()).unwrap_or(0);
                let lines = shown.into_iter().map(|guest| ExportLine::Guest(Box::new(guest)));
                return Ok(Some(lines.collect()));
            }
        }
        Ok(None)
    }

    /// Those of the guests that may be shown, each recorded.
    async fn shown(
        &self,
        policy: &Arc<Snapshot>,
        guests: &[GuestId],
    ) -> Result<Vec<GuestAnswer>, GuestError> {
        let (vault, errand) = (&self.vault, &self.errand);
        let catalogue = policy.catalogue();
        let wanted: Vec<FieldIndex> = self
            .paths
            .iter()
            .filter_map(|path| catalogue.find(path.as_str()))
            .map(|(at, _)| at)
            .collect();
        let grant = granted(errand, policy, &wanted.iter().copied().collect());
        let Some(columns) = grant.map(|grant| grant.columns()).filter(|c| !c.is_empty()) else {
            let event = vault.export_event(errand, policy, "begun");
            return vault.refuse(event, GuestError::Forbidden).await;
        };
        let categories = drawers(catalogue, &columns);
        let mut seen = vault
            .look_at_each(errand, guests, (&wanted, &categories), Act::Export, policy)
            .await?;
        seen.retain(|fetched| self.is_meant(policy, fetched));
        let shown = seen
            .iter()
            .map(|fetched| vault.disclose(errand, policy, fetched, (Act::Export, false)));
        let shown = futures_util::future::try_join_all(shown).await?;
        if !shown.is_empty() {
            let mut tx = vault.store.begin().await?;
            tx.count_exported(self.id, i64::try_from(shown.len()).unwrap_or(i64::MAX))
                .await?;
            tx.commit().await?;
        }
        Ok(shown)
    }

    /// Whether there is something to show, and the guest is one of the property: by a stay there, or by a consent that
    /// holds there. The whole house has them all.
    fn is_meant(&self, policy: &Snapshot, fetched: &Fetched) -> bool {
        let top = self.vault.properties.top().map(|node| &node.code);
        let here = top == Some(&self.errand.property)
            || fetched.grant.consent_id().is_some()
            || !fetched.stays.is_empty();
        here && shows_something(policy.catalogue(), fetched, Act::Export)
    }

    async fn end(&mut self, policy: &Snapshot) -> Result<(), GuestError> {
        let mut event = self.vault.export_event(&self.errand, policy, "done");
        event.count = Some(self.guests);
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        change.tx.end_export(self.id).await?;
        change.record(event);
        change.commit().await?;
        self.ended = true;
        Ok(())
    }
}
