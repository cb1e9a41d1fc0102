//! Retention runs: all guests are looked at for what has had its time. What would go is counted first; above a
//! threshold a person agrees; then it goes. A run is a row, so that a restart goes on where it stood.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::operator,
    audit::{Act, Event},
    base::{Caller, Errand, GuestId, PrincipalId, RequestId, from_micros, micros, same_person},
    events::Announcement,
    guest::GuestError,
    policy::Right,
    retention::Rules,
    store::StoreError,
};

use super::{
    ComingDay, Eraser, ErasureError, Order,
    counts::Counts,
    outlook::{add_to, week_after},
    sql::runs::RunRow,
};

pub use super::run_state::RunState;

/// Guests looked at at a time.
const PAGE: i64 = 50;
/// Guests looked at before a call answers: a small vault is done by then.
const AT_ONCE: u32 = 500;

/// What a row keeps of the counting.
#[derive(Default, Serialize, Deserialize)]
struct Counted {
    would: Counts,
    /// By the rules in force, when the run tries others.
    #[serde(default)]
    today: Option<Counts>,
    /// Day by day, what will be over in the week after.
    #[serde(default)]
    coming: Vec<ComingDay>,
}

/// A run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunAnswer {
    /// Its id.
    pub run_id: Uuid,
    /// Whether it only counts.
    pub dry_run: bool,
    /// The day by which what is over is judged.
    pub as_of: NaiveDate,
    /// Where it stands.
    pub state: RunState,
    /// How many guests were looked at.
    pub looked_at: u64,
    /// Of how many something would go.
    pub due: u64,
    /// Of how many it is gone.
    pub gone: u64,
    /// About how many guests rules contradict each other: for a person to decide, nothing of it goes.
    pub conflicts: u64,
    /// What would go.
    pub would_erase: Counts,
    /// What would go by the rules in force; only where the run tries other rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules_in_force: Option<Counts>,
    /// What will be over in the week after, day by day, as things stood when it was counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 7)]
    pub coming: Vec<ComingDay>,
    /// Who ordered it; the vault itself, for those that come by themselves.
    pub author: PrincipalId,
    /// Who agreed, or did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<PrincipalId>,
    /// When it began.
    pub created_at: DateTime<Utc>,
}

/// A run to begin.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunInput {
    /// Rules to try, as in `policies/retention`: what would go if they held today. Only for a run that only counts.
    #[serde(default)]
    #[schema(max_length = 60_000)]
    pub rules: Option<String>,
}

/// Could not, because …
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// As for any erasure.
    #[error(transparent)]
    Erasure(#[from] ErasureError),
    /// It takes a second person.
    #[error("it takes another person than who ordered the run")]
    SamePerson,
    /// There is none.
    #[error("there is no such run")]
    Absent,
    /// It does not wait for anybody.
    #[error("the run does not wait for a decision")]
    NotWaiting,
    /// It judges by a day that is still to come.
    #[error("the run was begun by a clock that was ahead")]
    Ahead,
    /// One goes on already.
    #[error("another run goes on")]
    Another,
}

impl<E: Into<GuestError>> From<E> for RunError {
    fn from(error: E) -> Self {
        Self::Erasure(ErasureError::Guest(error.into()))
    }
}

/// How runs are done.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many guests something may go of before a second person has to agree.
    pub approve_above: u64,
    /// How often a run comes by itself, besides at the turn of each day; never, when zero.
    pub every: TimeDelta,
    /// How many guests are looked at in a second.
    pub guests_per_second: u32,
}

impl Eraser {
    /// Begins a run, and does what can be done at once.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::BadQuestion`] for rules that cannot be used; [`RunError::Another`].
    pub async fn begin_run(
        &self,
        errand: &Errand,
        dry_run: bool,
        input: &RunInput,
    ) -> Result<RunAnswer, RunError> {
        let event = self.run_event(errand, "begun").await?;
        let event = if dry_run {
            event
        } else {
            self.of_the_whole_house(errand, event).await?
        };
        if let Some(text) = &input.rules {
            let wrong = if dry_run {
                self.rules.with(text).err().map(|error| error.to_string())
            } else {
                Some("new rules are only tried: `dry_run=true`".to_owned())
            };
            if let Some(reason) = wrong {
                return self
                    .vault
                    .refuse(event, GuestError::bad("rules", reason))
                    .await
                    .map_err(Into::into);
            }
        }
        let row = self
            .new_run(&errand.caller, dry_run, input.rules.clone(), event)
            .await?;
        self.work_on(row.run_id, AT_ONCE, None).await?;
        self.run(row.run_id).await
    }

    async fn new_run(
        &self,
        by: &Caller,
        dry_run: bool,
        rules: Option<String>,
        event: Event,
    ) -> Result<RunRow, RunError> {
        let now = self.vault.clock.now();
        let counted = Counted {
            coming: week_after(now.date_naive()),
            ..Counted::default()
        };
        let row = RunRow {
            run_id: Uuid::now_v7(),
            dry_run,
            as_of: now.date_naive().to_string(),
            rules,
            state: RunState::Counting.as_str().to_owned(),
            reached: Uuid::nil(),
            looked_at: 0,
            due: 0,
            gone: 0,
            conflicts: 0,
            counts: serde_json::to_string(&counted).unwrap_or_default(),
            author: by.principal.0,
            author_actor: by.actor.clone(),
            approver: None,
            approver_actor: None,
            created_at: micros(now),
        };
        if !dry_run && self.open_run().await?.is_some() {
            return Err(RunError::Another);
        }
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        match change.tx.add_run(&row).await {
            // Another began at the same moment.
            Err(StoreError::Conflict) => return Err(RunError::Another),
            Ok(true) => drop(change.record(Event {
                outcome: Some(RunState::Rejected.as_str()),
                ..event.clone()
            })),
            added => drop(added?),
        }
        change.record(event);
        change.commit().await?;
        Ok(row)
    }

    /// The runs, newest first; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub async fn runs(
        &self,
        errand: &Errand,
        before: Option<Uuid>,
        most: i64,
    ) -> Result<Vec<RunAnswer>, RunError> {
        let event = self.run_event(errand, "listed").await?;
        let rows = self.vault.store.read().await?.runs(before, most).await?;
        self.vault.log.record(event, ()).await?;
        rows.iter().map(shown).collect()
    }

    /// One run; recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`RunError::Absent`].
    pub async fn read_run(&self, errand: &Errand, id: Uuid) -> Result<RunAnswer, RunError> {
        let event = self.run_event(errand, "read").await?;
        let answer = self.run(id).await?;
        self.vault.log.record(event, ()).await?;
        Ok(answer)
    }

    /// Lets a run go on that waits, or ends it.
    ///
    /// # Errors
    /// [`RunError::SamePerson`], [`RunError::NotWaiting`], [`RunError::Ahead`], [`RunError::Absent`].
    pub async fn decide_run(&self, errand: &Errand, id: Uuid, agreed: bool) -> Result<RunAnswer, RunError> {
        let outcome = if agreed { "approved" } else { "rejected" };
        let event = self.run_event(errand, outcome).await?;
        let event = self.of_the_whole_house(errand, event).await?;
        let row = self.run_row(id).await?;
        if row.state != RunState::Waiting.as_str() {
            return Err(RunError::NotWaiting);
        }
        if agreed && as_of(&row)? > self.today() {
            return Err(RunError::Ahead);
        }
        let author = (PrincipalId(row.author), row.author_actor.as_deref());
        if same_person(author, errand.caller.person()) {
            return Err(RunError::SamePerson);
        }
        let next = if agreed {
            RunState::Running
        } else {
            RunState::Rejected
        };
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        let by = (errand.caller.principal.0, errand.caller.actor.as_deref());
        let now = micros(self.vault.clock.now());
        if !change.tx.decide_run(id, next.as_str(), by, now).await? {
            return Err(RunError::NotWaiting);
        }
        change.record(event);
        change.commit().await?;
        self.work_on(id, AT_ONCE, None).await?;
        self.run(id).await
    }

    /// Goes on with runs, begins one when it is time, and tells how much is left. Ends after about `most` guests.
    ///
    /// # Errors
    /// What database, key store and log say; the rest waits for the next time.
    pub async fn work(&self, most: u32) -> Result<(), RunError> {
        if self.pace.every > TimeDelta::zero() {
            let now = self.vault.clock.now();
            let mut conn = self.vault.store.read().await?;
            let last = conn.last_run(false, micros(now)).await?;
            let counted = conn.last_run(true, micros(now)).await?;
            let open = conn.open_run(micros(now)).await?.is_some();
            drop(conn);
            // Dates are days: what is over is over when the day begins.
            let due = |last: Option<i64>| {
                let last = last.map(from_micros);
                last.is_none_or(|last| last + self.pace.every <= now || last.date_naive() < now.date_naive())
            };
            // While one waits for a second person, another counts: reads are told of what lapses all the same.
            if due(last) && (!open || due(counted)) {
                let caller = operator().map_err(|_| GuestError::Forbidden)?;
                let mut event = Event::by(&caller, Act::Retention, RequestId::random(), now);
                event.outcome = Some("begun");
                self.new_run(&caller, open, None, event).await?;
            }
        }
        let waiting = self.vault.store.read().await?.runs_to_do().await?;
        for id in waiting {
            self.work_on(id, most, Some(self.pause())).await?;
        }
        self.tell_backlog().await
    }

    /// Between two pages, so that those who serve guests are not kept waiting.
    fn pause(&self) -> Duration {
        let page = u32::try_from(PAGE).unwrap_or(1);
        Duration::from_secs(1).saturating_mul(page) / self.pace.guests_per_second.max(1)
    }

    /// How much the run that goes on found, and how much of it is gone.
    async fn open_run(&self) -> Result<Option<(i64, i64)>, RunError> {
        let now = micros(self.vault.clock.now());
        Ok(self.vault.store.read().await?.open_run(now).await?)
    }

    async fn tell_backlog(&self) -> Result<(), RunError> {
        let left = self
            .open_run()
            .await?
            .map_or(0, |(due, gone)| due.saturating_sub(gone));
        metrics::gauge!("guest_vault_retention_backlog").set(f64::from(u32::try_from(left).unwrap_or(0)));
        Ok(())
    }

    async fn work_on(&self, id: Uuid, most: u32, pause: Option<Duration>) -> Result<(), RunError> {
        let pages = most.div_ceil(u32::try_from(PAGE).unwrap_or(1));
        for _ in 0..pages {
            if !self.page(id).await? {
                return Ok(());
            }
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
        Ok(())
    }

    /// One page of a run; `false` when there is nothing more to do now.
    async fn page(&self, id: Uuid) -> Result<bool, RunError> {
        let mut row = self.run_row(id).await?;
        let running = match RunState::from_word(&row.state) {
            Some(RunState::Counting) => false,
            Some(RunState::Running) => true,
            _ => return Ok(false),
        };
        let before = (row.state.clone(), row.reached);
        let guests = self
            .vault
            .store
            .read()
            .await?
            .guests_after(row.reached, PAGE)
            .await?;
        let tried = match &row.rules {
            Some(text) => Some(self.rules.with(text).map_err(|_| GuestError::Damaged)?),
            None => None,
        };
        let mut counted: Counted = serde_json::from_str(&row.counts).map_err(|_| GuestError::Damaged)?;
        // Nothing goes before its time because a clock was ahead.
        let day = as_of(&row)?.min(self.today());
        for guest in guests.iter().copied().map(GuestId) {
            let looked = if running {
                self.let_go(id, guest, day)
                    .await
                    .map(|gone| row.gone = row.gone.saturating_add(gone.into()))
            } else {
                self.count(guest, tried.as_ref(), (&mut row, &mut counted)).await
            };
            // One that fails must not keep the others waiting; the next run comes by again.
            if let Err(error) = looked {
                tracing::error!(%error, "a retention run left a guest out");
            }
        }
        if !running {
            row.looked_at = row
                .looked_at
                .saturating_add(i64::try_from(guests.len()).unwrap_or(0));
        }
        row.counts = serde_json::to_string(&counted).map_err(|_| GuestError::Damaged)?;
        match guests.last() {
            Some(last) => row.reached = *last,
            None => self.next_state(&mut row),
        }
        self.store_page(&row, before).await
    }

    /// Counts what of a guest is over, by the rules in force or by those that are tried.
    async fn count(
        &self,
        guest: GuestId,
        tried: Option<&Rules>,
        (row, counted): (&mut RunRow, &mut Counted),
    ) -> Result<(), RunError> {
        let as_of = as_of(row)?;
        let Some((whose, looked)) = self.outlook(guest).await? else {
            return Ok(());
        };
        let (rules, today) = (tried.unwrap_or(&self.rules), self.today());
        let (due, _) = looked.due(rules, as_of, today);
        row.due = row.due.saturating_add((!due.is_empty()).into());
        row.conflicts = row.conflicts.saturating_add(due.conflict.into());
        counted.would.add(&due);
        if tried.is_some() {
            let (in_force, _) = looked.due(&self.rules, as_of, today);
            counted.today.get_or_insert_default().add(&in_force);
        }
        let week = looked.week(rules, as_of);
        add_to(&mut counted.coming, &week);
        if tried.is_none() {
            self.remember(&whose, &week).await?;
        }
        Ok(())
    }

    fn today(&self) -> NaiveDate {
        self.vault.clock.now().date_naive()
    }

    /// What comes after the last guest.
    fn next_state(&self, row: &mut RunRow) {
        let due = u64::try_from(row.due).unwrap_or(0);
        let next = match RunState::from_word(&row.state) {
            Some(RunState::Running) => RunState::Done,
            _ if row.dry_run => RunState::Simulated,
            _ if due == 0 => RunState::Done,
            _ if due > self.pace.approve_above => RunState::Waiting,
            _ => RunState::Running,
        };
        next.as_str().clone_into(&mut row.state);
        row.reached = Uuid::nil();
    }

    /// Writes how far a run has come; `false` when it stands still now, or another was faster.
    async fn store_page(&self, row: &RunRow, before: (String, Uuid)) -> Result<bool, RunError> {
        let now = self.vault.clock.now();
        let from = (before.0.as_str(), before.1);
        if row.state == before.0 {
            let mut tx = self.vault.store.begin().await?;
            let stored = tx.store_run(row, from, micros(now)).await?;
            tx.commit().await?;
            return Ok(stored);
        }
        let mut change = self.vault.log.begin(&self.vault.store).await?;
        if !change.tx.store_run(row, from, micros(now)).await? {
            return Ok(false);
        }
        let caller = operator().map_err(|_| GuestError::Forbidden)?;
        let mut event = Event::by(&caller, Act::Retention, RequestId::random(), now);
        event.count = u64::try_from(row.due).ok();
        let state = RunState::from_word(&row.state);
        event.outcome = state.map(RunState::as_str);
        change.record(event);
        if state == Some(RunState::Waiting) {
            let told = Announcement::retention_waiting(now, row.run_id);
            change.tx.announce(&told).await?;
        }
        change.commit().await?;
        Ok(matches!(state, Some(RunState::Counting | RunState::Running)))
    }

    /// Lets go what has had its time; `true` when there was something.
    async fn let_go(&self, run: Uuid, guest: GuestId, as_of: NaiveDate) -> Result<bool, RunError> {
        let Some((_, looked)) = self.outlook(guest).await? else {
            return Ok(false);
        };
        let (due, told) = looked.due(&self.rules, as_of, self.today());
        if due.is_empty() {
            return Ok(false);
        }
        let order = Order {
            caller: operator().map_err(|_| GuestError::Forbidden)?,
            request: RequestId::random(),
            case: run,
        };
        if due.whole {
            self.erase(&order, guest, told).await?;
            return Ok(true);
        }
        if !due.drawers.is_empty() {
            self.erase_drawers(&order, guest, &due.categories()).await?;
        }
        if !due.fields.is_empty() {
            self.remove_fields(&order, guest, &due.fields).await?;
        }
        Ok(true)
    }

    async fn run_row(&self, id: Uuid) -> Result<RunRow, RunError> {
        self.vault
            .store
            .read()
            .await?
            .run(id)
            .await?
            .ok_or(RunError::Absent)
    }

    async fn run(&self, id: Uuid) -> Result<RunAnswer, RunError> {
        shown(&self.run_row(id).await?)
    }

    async fn run_event(&self, errand: &Errand, outcome: &'static str) -> Result<Event, RunError> {
        let policy = self.vault.policies.current();
        let mut event = Event::of(errand, Act::Retention, self.vault.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        if !policy.allows(&errand.caller.role, Right::ManageRetention) {
            return self
                .vault
                .refuse(event, GuestError::Forbidden)
                .await
                .map_err(Into::into);
        }
        event.outcome = Some(outcome);
        Ok(event)
    }

    /// Lets only those go on whose word counts for every house: a run is about the guests of all of them.
    async fn of_the_whole_house(&self, errand: &Errand, event: Event) -> Result<Event, RunError> {
        if self.vault.properties.is_whole(&errand.caller.scope) {
            return Ok(event);
        }
        let refused = self.vault.refuse(event, GuestError::Forbidden).await;
        refused.map_err(Into::into)
    }
}

/// The day by which a run judges.
fn as_of(row: &RunRow) -> Result<NaiveDate, GuestError> {
    row.as_of.parse().map_err(|_| GuestError::Damaged)
}

fn shown(row: &RunRow) -> Result<RunAnswer, RunError> {
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let counted: Counted = serde_json::from_str(&row.counts).map_err(|_| GuestError::Damaged)?;
    Ok(RunAnswer {
        run_id: row.run_id,
        dry_run: row.dry_run,
        as_of: as_of(row)?,
        state: RunState::from_word(&row.state).ok_or(GuestError::Damaged)?,
        looked_at: count(row.looked_at),
        due: count(row.due),
        gone: count(row.gone),
        conflicts: count(row.conflicts),
        would_erase: counted.would,
        rules_in_force: counted.today,
        coming: counted.coming,
        author: PrincipalId(row.author),
        approver: row.approver.map(PrincipalId),
        created_at: from_micros(row.created_at),
    })
}
