//! Reading a guest: decide, fetch only what may be shown, narrow to this guest, record, open, mask.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    access::Exceeded,
    audit::{Act, Event, Receipt, Subject},
    base::{
        Action, Anchors, Catalogue, Category, Class, Errand, Field, FieldIndex, FieldPath, FieldSet, GuestId,
        StayState, Term, View, from_micros, micros,
    },
    consent,
    crypto::Aad,
    keys::GuestKeys,
    policy::{ConsentAnswer, Facts, Grant, Right, RuleId, Snapshot, mask},
};

use super::{
    AuditAnswer, FieldAnswer, GuestAnswer, GuestError, Lapsing, Stay, Vault,
    gather::{Asked, ByVersion},
    handles::Handles,
    kinds, records,
    sql::{Line, Part},
    survivor,
    vault::ALWAYS,
};

/// The managed field that shows stays.
pub(crate) const STAY_LINKS: &str = "stay_links";

/// A guest fetched for a grant, nothing of it opened but what decides.
pub(crate) struct Fetched {
    pub(super) guest: GuestId,
    pub(super) subject: Subject,
    pub(super) version: i64,
    pub(super) status: String,
    pub(super) lines: Arc<Vec<Line>>,
    /// Those at the errand's property.
    pub(super) stays: Vec<Stay>,
    pub(super) keys: GuestKeys,
    pub(super) grant: Grant,
    /// What the grant was narrowed to.
    pub(super) facts: Facts,
    pub(super) handles: Handles,
    /// Whether it is for what the law asks, which also sees what has had its time.
    pub(super) lawful: bool,
    /// When it was fetched.
    pub(super) at: DateTime<Utc>,
}

impl Fetched {
    /// The event of what is done with it.
    pub(super) fn event(&self, errand: &Errand, act: Act) -> Event {
        let grant = &self.grant;
        let mut event = Event::of(errand, act, self.at);
        event.subject = Some(self.subject);
        event.policy_version = Some(grant.policy_version().to_owned());
        event.basis = Some(match grant.consent_id() {
            Some(id) => format!("consent:{id}"),
            None => grant.purpose().legal_basis.as_str().to_owned(),
        });
        let rules: BTreeSet<RuleId> = grant.columns().iter().filter_map(|at| grant.rule(at)).collect();
        event.rules = rules.iter().map(RuleId::to_string).collect();
        event.rules.sort_unstable();
        event
    }
}

/// A guest fetched, or refused with the event that says so, not yet recorded.
pub(crate) enum Looked {
    Seen(Box<Fetched>),
    Refused(Box<Event>, GuestError),
}

impl Vault {
    /// The guest as this caller may see it; `wanted` empty means every field.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`] (missing and hidden alike), [`GuestError::Moved`],
    /// [`GuestError::Gone`]; every one of them recorded.
    pub async fn read_guest(
        &self,
        errand: &Errand,
        guest: GuestId,
        wanted: &[FieldIndex],
    ) -> Result<GuestAnswer, GuestError> {
        self.show(errand, guest, wanted, Act::Read).await
    }

    /// Plain values of fields that the policy shows on demand.
    ///
    /// # Errors
    /// As [`Vault::read_guest`]; [`GuestError::ReasonRequired`] for fields of class C3 and above without a reason.
    pub async fn reveal(
        &self,
        errand: &Errand,
        guest: GuestId,
        wanted: &[FieldIndex],
    ) -> Result<GuestAnswer, GuestError> {
        let policy = self.policies.current();
        let high = |at: &FieldIndex| policy.catalogue().get(*at).is_some_and(|f| f.class >= Class::C3);
        if errand.reason.is_none() && wanted.iter().any(high) {
            let mut event = Event::of(errand, Act::Reveal, self.clock.now());
            event.subject = Some(self.subject(guest, None));
            return self.refuse(event, GuestError::ReasonRequired).await;
        }
        self.show(errand, guest, wanted, Act::Reveal).await
    }

    async fn show(
        &self,
        errand: &Errand,
        guest: GuestId,
        wanted: &[FieldIndex],
        act: Act,
    ) -> Result<GuestAnswer, GuestError> {
        let policy = self.policies.current();
        let fetched = self.fetch(errand, guest, wanted, act, &policy).await?;
        self.disclose(errand, &policy, &fetched, (act, !wanted.is_empty()))
            .await
    }

    /// Records what will be shown of a fetched guest, then opens and shows it.
    pub(super) async fn disclose(
        &self,
        errand: &Errand,
        policy: &Snapshot,
        fetched: &Fetched,
        (act, by_name): (Act, bool),
    ) -> Result<GuestAnswer, GuestError> {
        let catalogue = policy.catalogue();
        let plan = plan(catalogue, fetched);
        let mut event = fetched.event(errand, act);
        event.fields = shown(catalogue, fetched, &plan, act);
        if by_name {
            note_withheld(&mut event, catalogue, &fetched.grant);
        }
        if fetched.grant.needs_consent() && fetched.grant.consent_id().is_none() {
            event = event.denied("consent");
        } else if fetched.grant.objection().is_some() && fetched.grant.columns().is_empty() {
            event = event.denied("objection");
        }
        let event = Self::with_reason(event, errand, Some(&fetched.keys));
        let receipt = self.log.record(event, fetched.grant.clone()).await?;
        match answer(catalogue, fetched, &plan, &receipt, act) {
            Ok(fields) => Ok(GuestAnswer {
                guest_id: fetched.guest,
                version: fetched.version,
                status: fetched.status.clone(),
                fields,
                audit: AuditAnswer {
                    entry_id: receipt.entry(),
                },
            }),
            Err(error) => {
                let event = fetched.event(errand, Act::DamageFound);
                self.refuse(event, error).await
            }
        }
    }

    /// Decides, fetches, narrows; refusals are recorded.
    pub(super) async fn fetch(
        &self,
        errand: &Errand,
        guest: GuestId,
        wanted: &[FieldIndex],
        act: Act,
        policy: &Arc<Snapshot>,
    ) -> Result<Fetched, GuestError> {
        match self.look(errand, guest, wanted, act, policy).await? {
            Looked::Seen(fetched) => Ok(*fetched),
            Looked::Refused(event, error) => self.refuse(*event, error).await,
        }
    }

    /// Whether this caller may know of the guest at all: asked before anything else is said or changed about it, so that
    /// hidden and missing stay alike. Who reads the whole log knows of every guest anyway. Tells whether the guest is the
    /// caller's own.
    pub(crate) async fn must_know(
        &self,
        errand: &Errand,
        guest: GuestId,
        act: Act,
    ) -> Result<bool, GuestError> {
        let policy = self.policies.current();
        match self.look(errand, guest, &[], act, &policy).await? {
            Looked::Seen(fetched) => Ok(fetched.facts.portfolio),
            Looked::Refused(_, GuestError::Forbidden)
                if policy.allows(&errand.caller.role, Right::ReadAudit) =>
            {
                Ok(false)
            }
            Looked::Refused(event, error) => self.refuse(*event, error).await,
        }
    }

    /// Decides, fetches, narrows; a refusal is the caller's to record.
    pub(crate) async fn look(
        &self,
        errand: &Errand,
        guest: GuestId,
        wanted: &[FieldIndex],
        act: Act,
        policy: &Arc<Snapshot>,
    ) -> Result<Looked, GuestError> {
        let catalogue = policy.catalogue();
        let wanted = asked_for(catalogue, wanted);
        let refused = |act, subject, error| {
            let mut event = Event::of(errand, act, self.clock.now());
            event.policy_version = Some(policy.version().to_owned());
            event.subject = Some(subject);
            Looked::Refused(Box::new(event), error)
        };
        let nobody = self.subject(guest, None);
        let caller = &errand.caller;
        let action = if act == Act::Export {
            Action::Export
        } else {
            Action::Read
        };
        let Some(grant) = policy.decide(&caller.role, &errand.property, &errand.purpose, action, &wanted)
        else {
            return Ok(refused(act, nobody, GuestError::Forbidden));
        };
        // Those of a list are charged together; to an export a second person has agreed.
        if !matches!(act, Act::Search | Act::Export)
            && let Err(exceeded) = self.spend(errand, guest, act)
        {
            return Ok(refused(act, nobody, exceeded.into()));
        }
        // An emergency shows one guest at a time, and only to who said why.
        if grant.purpose().break_glass && act != Act::BreakGlass && !self.is_open(errand, guest).await? {
            return Ok(refused(act, nobody, GuestError::NotOpen));
        }
        let columns = grant.columns();
        let categories = drawers(catalogue, &columns);
        let purpose = errand.purpose.clone();
        let asked = Asked {
            fields: columns,
            purpose,
            guest,
            policy: ByVersion(Arc::clone(policy)),
        };
        let (lines, keys) = both(
            async { Ok::<_, GuestError>(self.guests.find(asked).await?.unwrap_or_default()) },
            async { Ok(self.keys.guest_keys(guest, &categories).await?) },
        )
        .await?;
        let keys = self.completed(keys, catalogue, &lines, &categories).await?;
        let Some(head) = lines.iter().find(|l| l.part() == Part::Guest) else {
            return Ok(refused(act, nobody, GuestError::NotFound));
        };
        let (at, subject) = (self.clock.now(), self.subject(guest, Some(&keys)));
        let (version, status) = (head.version, head.word.clone());
        if let Some(error) = self
            .no_longer(errand, (guest, head), (policy, &grant, &lines))
            .await?
        {
            return Ok(refused(act, subject, error));
        }
        // Without the guest's audit key the log could not say about whom the look was, nor keep its reason.
        let named = subject.pseudonym.is_some();
        let Some(stays) = Self::open_stays(guest, &lines, &keys).ok().filter(|_| named) else {
            return Ok(refused(Act::DamageFound, subject, GuestError::Damaged));
        };
        let facts = Facts {
            stay: self.stay_state(errand, &stays),
            portfolio: self.is_portfolio(errand, guest, head),
            consent: self.consent_answer(errand, &grant, &lines),
        };
        let grant = grant.narrow(&facts);
        if !grant.visible() {
            return Ok(refused(act, subject, GuestError::NotFound));
        }
        let lawful = ["legal_retention", "subject_request"].contains(&errand.purpose.as_str());
        if status == "restricted" && !lawful {
            return Ok(refused(act, subject, GuestError::Restricted));
        }
        let lapsing = match head.lapsing.as_deref().filter(|_| !lawful) {
            Some(sealed) => match Lapsing::open(guest, &keys, sealed) {
                Ok(lapsing) => lapsing,
                Err(error) => return Ok(refused(Act::DamageFound, subject, error)),
            },
            None => Lapsing::default(),
        };
        let (lines, stays) = self.in_time(catalogue, (lawful, &lapsing), (lines, stays));
        let here = |stay: &Stay| self.properties.within(&stay.property, &errand.property);
        let stays = stays.into_iter().filter(here).collect();
        Ok(Looked::Seen(Box::new(Fetched {
            guest,
            subject,
            version,
            status,
            lines,
            stays,
            keys,
            grant,
            facts,
            handles: Handles::new(self, errand, guest),
            lawful,
            at,
        })))
    }

    /// What has had its time, by the house's own terms or by a law's, is not shown, though no sweep may have come by yet.
    fn in_time(
        &self,
        catalogue: &Catalogue,
        (lawful, lapsing): (bool, &Lapsing),
        (lines, mut stays): (Arc<Vec<Line>>, Vec<Stay>),
    ) -> (Arc<Vec<Line>>, Vec<Stay>) {
        if lawful {
            return (lines, stays);
        }
        let now = self.clock.now();
        let today = now.date_naive();
        let anchors = Anchors {
            last_stay: stays.iter().map(|stay| stay.input.departure).max(),
            ..Anchors::default()
        };
        let by_law = self
            .overdue
            .as_ref()
            .map(|overdue| overdue(&self.properties, &stays, now))
            .unwrap_or_default();
        let is_over = |at: FieldIndex, field: &Field, recorded: NaiveDate| {
            let ends = catalogue.term(at).ends(anchors, recorded);
            ends.is_some_and(|day| day <= today)
                || by_law.contains(&field.category)
                || lapsing.is_over(field, today)
        };
        let over = |line: &Line| {
            let field = catalogue.find(&line.word).filter(|_| line.part() == Part::Field);
            field.is_some_and(|(at, field)| is_over(at, field, from_micros(line.at).date_naive()))
        };
        let lines = if lines.iter().any(over) {
            Arc::new(lines.iter().filter(|line| !over(line)).cloned().collect())
        } else {
            lines
        };
        if let Some((at, field)) = catalogue.find(STAY_LINKS)
            && is_over(at, field, today)
        {
            stays.clear();
        }
        (lines, stays)
    }

    /// Counts the look against the caller's access budget.
    fn spend(&self, errand: &Errand, guest: GuestId, act: Act) -> Result<(), Exceeded> {
        self.budgets.look(&errand.caller, guest)?;
        if act == Act::Reveal {
            self.budgets.reveal(&errand.caller)
        } else {
            Ok(())
        }
    }

    /// The keys of all that was fetched: a key that another process made a moment ago is not in the cache yet.
    async fn completed(
        &self,
        keys: GuestKeys,
        catalogue: &Catalogue,
        lines: &[Line],
        categories: &[Category],
    ) -> Result<GuestKeys, GuestError> {
        let category = |line: &Line| match line.part() {
            Part::Field => catalogue.find(&line.word).map(|(_, field)| field.category),
            Part::Stay => Some(Category::Stay),
            Part::Guest => Some(Category::Audit),
            Part::Consent => None,
        };
        if lines.iter().filter_map(category).all(|needed| keys.has(needed)) {
            return Ok(keys);
        }
        Ok(Box::pin(self.keys.fresh_guest_keys(keys.guest(), categories)).await?)
    }

    pub(super) fn is_portfolio(&self, errand: &Errand, guest: GuestId, head: &Line) -> bool {
        let Some(actor) = &errand.caller.actor else {
            return false;
        };
        if errand.caller.role.as_str() == "guest" && *actor == guest.to_string() {
            return true;
        }
        let Some(manager) = &head.sealed else { return false };
        crate::crypto::same(manager, &self.manager_token(actor))
    }

    pub(super) fn stay_state(&self, errand: &Errand, stays: &[Stay]) -> StayState {
        let here = stays
            .iter()
            .filter(|s| self.properties.within(&s.property, &errand.property));
        self.nearest(here)
    }

    pub(super) fn consent_answer(&self, errand: &Errand, grant: &Grant, lines: &[Line]) -> ConsentAnswer {
        let said = lines.iter().filter_map(Line::spoken);
        let here = (&errand.property, &*self.properties, micros(self.clock.now()));
        consent::answer(grant.purpose(), said, here)
    }
}

/// The fields that are asked for; none named: all.
pub(super) fn asked_for(catalogue: &Catalogue, wanted: &[FieldIndex]) -> FieldSet {
    if wanted.is_empty() {
        catalogue.iter().map(|(at, _)| at).collect()
    } else {
        wanted.iter().copied().collect()
    }
}

/// The categories of these fields, and those that every look needs; in order.
pub(super) fn drawers(catalogue: &Catalogue, fields: &FieldSet) -> Vec<Category> {
    let of_fields = fields
        .iter()
        .filter_map(|at| catalogue.get(at))
        .map(|f| f.category);
    let mut categories: Vec<Category> = of_fields.chain(ALWAYS).collect();
    categories.sort_unstable();
    categories.dedup();
    categories
}

/// Runs two futures side by side; the first failure ends both.
async fn both<A, B, E>(
    a: impl Future<Output = Result<A, E>>,
    b: impl Future<Output = Result<B, E>>,
) -> Result<(A, B), E> {
    futures_util::future::try_join(a, b).await
}

/// The values that make each field's answer, best first, under the grant.
type Plan<'f> = BTreeMap<FieldIndex, Vec<&'f Line>>;

fn plan<'f>(catalogue: &Catalogue, fetched: &'f Fetched) -> Plan<'f> {
    let mut plan = Plan::new();
    for (path, values) in survivor::ranked(&fetched.lines) {
        let Some((at, field)) = catalogue.find(path) else {
            continue;
        };
        if fetched.grant.view(at) != View::None {
            plan.insert(at, survivor::chosen(&values, field.list).to_vec());
        }
    }
    plan
}

/// What the event says was shown: only fields that have a value.
fn shown(catalogue: &Catalogue, fetched: &Fetched, plan: &Plan<'_>, act: Act) -> BTreeMap<FieldPath, View> {
    let with_stays = catalogue
        .find(STAY_LINKS)
        .map(|(at, _)| at)
        .filter(|_| !fetched.stays.is_empty());
    let present = plan.keys().copied().chain(with_stays);
    present
        .filter_map(|at| {
            Some((
                catalogue.get(at)?.path.clone(),
                effective(fetched.grant.view(at), act),
            ))
        })
        .filter(|(_, view)| *view != View::None)
        .collect()
}

/// Whether a call would show anything of the guest.
pub(super) fn shows_something(catalogue: &Catalogue, fetched: &Fetched, act: Act) -> bool {
    !shown(catalogue, fetched, &plan(catalogue, fetched), act).is_empty()
}

/// What was asked for by name and not shown is part of the record.
fn note_withheld(event: &mut Event, catalogue: &Catalogue, grant: &Grant) {
    for at in grant.wanted().iter().filter(|at| grant.view(*at) == View::None) {
        if let Some(field) = catalogue.get(at) {
            event.fields.insert(field.path.clone(), View::None);
        }
    }
}

/// What a view amounts to in this call: *reveal* is masked when read and plain on demand.
pub(super) fn effective(view: View, act: Act) -> View {
    match (view, act) {
        (View::Reveal, Act::Reveal) => View::Plain,
        (View::Reveal, _) => View::Masked,
        (view, _) => view,
    }
}

fn answer(
    catalogue: &Catalogue,
    fetched: &Fetched,
    plan: &Plan<'_>,
    receipt: &Receipt<Grant>,
    act: Act,
) -> Result<BTreeMap<String, FieldAnswer>, GuestError> {
    let grant = receipt.grant();
    let mut fields = BTreeMap::new();
    for at in grant.wanted().iter() {
        let Some(field) = catalogue.get(at) else { continue };
        let path = field.path.as_str().to_owned();
        if let Some(reason) = grant.withheld(at) {
            fields.insert(path, FieldAnswer::withheld(reason));
        } else if grant.view(at) == View::Token {
            let is_there =
                plan.contains_key(&at) || field.path.as_str() == STAY_LINKS && !fetched.stays.is_empty();
            fields.extend(is_there.then(|| (path, handle(&fetched.handles, field))));
        } else if field.path.as_str() == STAY_LINKS {
            let stays = records::stays_answer(field, &fetched.stays, grant.view(at), act);
            fields.extend(stays.map(|answer| (path, answer)));
        } else if let Some(values) = plan.get(&at) {
            let opened = values
                .iter()
                .map(|line| open(catalogue, fetched, receipt, (at, field), line))
                .collect::<Result<Vec<Value>, GuestError>>()?;
            let value = if field.list {
                kinds::merge_lists(field.kind, opened)
            } else {
                opened.into_iter().next().unwrap_or_default()
            };
            if !value.is_null() {
                fields.insert(path, present(field, value, grant.view(at), act));
            }
        }
    }
    Ok(fields)
}

/// A field as a handle: nothing of the value is opened for it.
pub(super) fn handle(handles: &Handles, field: &Field) -> FieldAnswer {
    let value = Some(Value::String(handles.of(field.path.as_str())));
    FieldAnswer {
        view: View::Token.as_str(),
        value,
        revealable: false,
        reason: None,
    }
}

/// Opens one value against the receipt, without what was lent to the guest and is not to be shown any more.
pub(super) fn open(
    catalogue: &Catalogue,
    fetched: &Fetched,
    receipt: &Receipt<Grant>,
    (at, field): (FieldIndex, &Field),
    line: &Line,
) -> Result<Value, GuestError> {
    let record = line.id.unwrap_or(Uuid::nil());
    let aad = Aad {
        guest: fetched.guest,
        record,
        path: field.path.as_str(),
        version: line.version.unsigned_abs(),
    };
    let sealed = line.sealed.as_deref().unwrap_or_default();
    let plain = fetched.keys.open(receipt, at, field.category, sealed, &aad)?;
    let mut value = serde_json::from_slice(plain.bytes()).map_err(|_| GuestError::Damaged)?;
    // A channel lends an address for its booking. The guest's own consent to be written to does not cover it.
    kinds::drop_lent(&mut value, fetched.at, fetched.grant.needs_consent());
    if !fetched.lawful && catalogue.term(at) == Term::Until && has_ended(&value, fetched.at) {
        value = Value::Null;
    }
    Ok(value)
}

/// Whether the day that a value carries has come.
fn has_ended(value: &Value, now: DateTime<Utc>) -> bool {
    let until = value.get("until").and_then(Value::as_str);
    until.is_some_and(|day| day.parse::<NaiveDate>().is_ok_and(|day| day <= now.date_naive()))
}

/// One field's answer under a view.
pub(super) fn present(field: &Field, value: Value, view: View, act: Act) -> FieldAnswer {
    let as_shown = effective(view, act);
    FieldAnswer {
        view: as_shown.as_str(),
        value: Some(mask::show(field, value, as_shown)),
        revealable: view == View::Reveal && act != Act::Reveal,
        reason: None,
    }
}
