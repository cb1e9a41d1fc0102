//! Observations: notes that housekeeping, restaurants and others leave about a guest and cannot read again. A steward
//! decides: into a field, kept as a note, or dropped.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{
        Category, Errand, Field, FieldSet, GuestId, PrincipalId, PropertyCode, SourceSystem, View,
        from_micros, micros,
    },
    crypto::Aad,
    policy::{Right, Snapshot},
};

use super::{
    GuestError, Heard, Provenance, RecordInput, Rejected, Vault,
    kinds::Reason,
    prepare::source_token,
    put::{Decided, Place},
    read::Looked,
    sensitive::{self, Found},
    sql::observation::ObservationRow,
};

/// The source that notes kept by stewards stand under: one record an observation.
const SOURCE: &str = "vault.observation";
/// The longest note, in characters.
const LONGEST: usize = 1_000;

/// What somebody noticed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ObservationInput {
    /// In words; at most 1,000 characters.
    #[schema(min_length = 1, max_length = 1000)]
    pub text: String,
}

/// A note that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObservationAnswer {
    /// Its id.
    pub observation_id: Uuid,
    /// Whether it holds words of health or belief, and is kept as such.
    pub sensitive: bool,
}

/// A note that waits for a steward.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaitingObservation {
    /// Its id.
    pub observation_id: Uuid,
    /// About whom.
    pub guest_id: GuestId,
    /// Made at which property.
    pub property: PropertyCode,
    /// By whose key.
    pub principal: PrincipalId,
    /// By whom: a staff id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub actor: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// Whether it holds words of health or belief.
    pub sensitive: bool,
    /// The note; absent when this caller may not read such words of this guest now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub text: Option<String>,
}

/// What a steward decides.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "decision", rename_all = "snake_case", deny_unknown_fields)]
pub enum ObservationDecision {
    /// It becomes the value of fields, fixed as staff's correction: a guest document. A note of health or belief goes
    /// into the fields of these, and only by who may read it: it is added to what is known there, and fixes nothing.
    Accept {
        /// What to write.
        #[schema(value_type = Object)]
        guest: Map<String, Value>,
    },
    /// It is kept as a note; not one that speaks of health or belief.
    Note,
    /// It is forgotten.
    Drop,
}

/// A decision about a note that waits, with its record.
pub(super) struct Decision {
    row: ObservationRow,
    event: Event,
}

impl Decision {
    /// Inside the change that does what was decided: the note waits no longer, on record. Of two decisions one counts.
    pub(super) async fn carry_out(&self, change: &mut Change) -> Result<(), GuestError> {
        if !change.tx.delete_observation(&self.row).await? {
            return Err(GuestError::NotFound);
        }
        change.record(self.event.clone());
        Ok(())
    }
}

/// What the right to review observations lets a steward write: what staff may notice of a guest. A note of health or
/// belief never leaves its category: other fields are read by roles that may not read such words.
fn for_stewards(policy: &Snapshot, drawer: Category) -> FieldSet {
    let noticed = |field: &Field| {
        let path = field.path.as_str();
        match drawer {
            Category::HealthBelief => field.category == drawer,
            _ => path == "notes" || path.starts_with("preferences."),
        }
    };
    let fields = policy.catalogue().iter();
    fields
        .filter(|(_, field)| noticed(field))
        .map(|(at, _)| at)
        .collect()
}

impl Vault {
    /// The token of the record that a note becomes when a steward keeps it.
    pub(crate) fn note_token(&self, observation: Uuid) -> [u8; 16] {
        source_token(self.keys.index_key(), SOURCE, &observation.to_string())
    }

    /// Takes a note about a guest.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`]; [`GuestError::Rejected`] when it holds a card's or a
    /// document's number: then nothing is kept.
    pub async fn observe(
        &self,
        errand: &Errand,
        guest: GuestId,
        input: &ObservationInput,
    ) -> Result<ObservationAnswer, GuestError> {
        let mut event = self.observation_event(errand, Act::PutObservation, Some(guest));
        if !self.may(errand, Right::WriteObservation) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let text = input.text.trim();
        let found = match check(text) {
            Ok(found) => found,
            Err(reason) => {
                let rejected = Rejected {
                    field: "text".to_owned(),
                    reason: reason.as_str().to_owned(),
                };
                return self.refuse(event, GuestError::Rejected(vec![rejected])).await;
            }
        };
        self.must_know(errand, guest, Act::PutObservation).await?;
        if let Err(error @ (GuestError::NotFound | GuestError::Gone | GuestError::Moved(_))) =
            self.active_version(guest).await
        {
            return self.refuse(event, error).await;
        }
        let drawer = drawer(found);
        let keys = self.keys_of(guest, &[drawer, Category::Audit]).await?;
        event.subject = Some(self.subject(guest, Some(&keys)));
        let id = Uuid::now_v7();
        let sealed = keys.seal(drawer, &place(guest, id), text.as_bytes())?;
        let row = ObservationRow {
            guest_id: guest.0,
            observation_id: id,
            property: errand.property.to_string(),
            principal: errand.caller.principal.0,
            actor: errand.caller.actor.clone(),
            drawer: drawer.as_str().to_owned(),
            at: micros(event.at),
            sealed: sealed.into_bytes(),
        };
        let mut change = match self.change_of(guest).await {
            Ok(change) => change,
            Err(error @ (GuestError::Gone | GuestError::Moved(_))) => return self.refuse(event, error).await,
            Err(error) => return Err(error),
        };
        change.tx.insert_observation(&row).await?;
        change.record(event);
        change.commit().await?;
        Ok(ObservationAnswer {
            observation_id: id,
            sensitive: found == Found::Health,
        })
    }

    /// Notes that wait at the errand's property, oldest first; each that is shown is on record.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub async fn waiting_observations(
        &self,
        errand: &Errand,
        after: Option<Uuid>,
        most: i64,
    ) -> Result<Vec<WaitingObservation>, GuestError> {
        let mut event = self.observation_event(errand, Act::ReviewObservations, None);
        if !self.may(errand, Right::ReviewObservations) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let rows = self
            .store
            .read()
            .await?
            .waiting_observations(errand.property.as_str(), after.unwrap_or_default(), most)
            .await?;
        event.count = u64::try_from(rows.len()).ok();
        self.log.record(event, ()).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            all.push(self.shown(errand, row).await?);
        }
        Ok(all)
    }

    /// A note as this steward may see it: under the grant of the notes of this guest, or of its health.
    async fn shown(&self, errand: &Errand, row: ObservationRow) -> Result<WaitingObservation, GuestError> {
        let guest = GuestId(row.guest_id);
        let drawer = drawer_of(&row)?;
        Ok(WaitingObservation {
            observation_id: row.observation_id,
            guest_id: guest,
            property: row.property.parse().map_err(|_| GuestError::Damaged)?,
            principal: PrincipalId(row.principal),
            actor: row.actor.clone(),
            at: from_micros(row.at),
            sensitive: drawer == Category::HealthBelief,
            text: self.opened(errand, guest, &row, drawer).await?,
        })
    }

    async fn opened(
        &self,
        errand: &Errand,
        guest: GuestId,
        row: &ObservationRow,
        drawer: Category,
    ) -> Result<Option<String>, GuestError> {
        let policy = self.policies.current();
        let Some((field, path)) = policy
            .catalogue()
            .find(stands_for(drawer))
            .map(|(at, field)| (at, field.path.clone()))
        else {
            return Ok(None);
        };
        let looked = self.look(errand, guest, &[field], Act::Search, &policy).await?;
        let Looked::Seen(fetched) = looked else {
            return Ok(None);
        };
        if fetched.grant.view(field) != View::Plain {
            return Ok(None);
        }
        let mut event = self.observation_event(errand, Act::ReviewObservations, Some(guest));
        event.subject = Some(self.subject(guest, Some(&fetched.keys)));
        event.fields.insert(path, View::Plain);
        let receipt = self.log.record(event, fetched.grant.clone()).await?;
        let keys = self.keys.guest_keys(guest, &[drawer]).await?;
        let plain = keys.open(
            &receipt,
            field,
            drawer,
            &row.sealed,
            &place(guest, row.observation_id),
        )?;
        Ok(String::from_utf8(plain.bytes().to_vec()).ok())
    }

    /// Decides about a note.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], also when a note of health or belief is accepted by who may not read it;
    /// [`GuestError::NotFound`] when there is none at this property; [`GuestError::Rejected`] when what it is to become
    /// cannot be valid, or not be written by this steward: then it still waits; [`GuestError::BadQuestion`] when a note
    /// of health or belief shall become a plain one, or nothing.
    pub async fn decide_observation(
        &self,
        errand: &Errand,
        (guest, observation): (GuestId, Uuid),
        decision: ObservationDecision,
    ) -> Result<(), GuestError> {
        let mut event = self.observation_event(errand, Act::ReviewObservations, Some(guest));
        if !self.may(errand, Right::ReviewObservations) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let row = self.store.read().await?.observation(guest, observation).await?;
        let Some(row) = row.filter(|row| row.property == errand.property.as_str()) else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        event.outcome = Some(match decision {
            ObservationDecision::Accept { .. } => "accepted",
            ObservationDecision::Note => "kept",
            ObservationDecision::Drop => "dropped",
        });
        let keys = self.keys.guest_keys(guest, &[Category::Audit]).await?;
        event.subject = Some(self.subject(guest, Some(&keys)));
        let drawer = drawer_of(&row)?;
        let decided = Decision { row, event };
        match decision {
            ObservationDecision::Accept { guest: said } if drawer == Category::HealthBelief => {
                self.add_to_health(errand, guest, said, &decided).await
            }
            ObservationDecision::Accept { guest: patch } => {
                let fields = for_stewards(&self.policies.current(), drawer);
                self.correct_within(errand, guest, patch, |_| true, Some((fields, &decided)))
                    .await?;
                Ok(())
            }
            ObservationDecision::Note => self.keep_as_note(errand, guest, &decided).await,
            ObservationDecision::Drop => match self.drop_note(guest, &decided).await {
                Err(error) if !error.is_transient() => self.refuse(decided.event, error).await,
                outcome => outcome,
            },
        }
    }

    /// Forgets a note, unless what is stored of the guest has to stay as it is.
    async fn drop_note(&self, guest: GuestId, decided: &Decision) -> Result<(), GuestError> {
        let mut change = self.change_of(guest).await?;
        self.active_version(guest).await?;
        if change.tx.is_held(guest, &decided.row.drawer).await? {
            let why = "A hold keeps what is stored of this guest: the note can be dropped once it is lifted.";
            return Err(GuestError::Blocked(why.to_owned()));
        }
        decided.carry_out(&mut change).await?;
        Ok(change.commit().await?)
    }

    /// Adds what a note of health or belief says to the fields of these. It pins nothing: a pinned list would hide the
    /// allergies that sources tell of.
    async fn add_to_health(
        &self,
        errand: &Errand,
        guest: GuestId,
        said: Map<String, Value>,
        decided: &Decision,
    ) -> Result<(), GuestError> {
        let drawer = drawer_of(&decided.row)?;
        if self.opened(errand, guest, &decided.row, drawer).await?.is_none() {
            let event = self.observation_event(errand, Act::ReviewObservations, Some(guest));
            return self.refuse(event, GuestError::Forbidden).await;
        }
        self.write_noticed(errand, guest, (said, drawer), decided).await
    }

    /// Writes the note as one of the guest's.
    async fn keep_as_note(
        &self,
        errand: &Errand,
        guest: GuestId,
        decided: &Decision,
    ) -> Result<(), GuestError> {
        let row = &decided.row;
        let event = self.observation_event(errand, Act::ReviewObservations, Some(guest));
        let drawer = drawer_of(row)?;
        if drawer == Category::HealthBelief {
            // Notes are read by roles that may not read such words.
            let error = GuestError::bad(
                "decision",
                "the note speaks of health or belief: accept it into a field of these, or drop it",
            );
            return self.refuse(event, error).await;
        }
        let Some(text) = self.opened(errand, guest, row, drawer).await? else {
            return self.refuse(event, GuestError::Forbidden).await;
        };
        let note = json!({"notes": [{"text": text, "at": from_micros(row.at)}]});
        let said = note.as_object().cloned().unwrap_or_default();
        self.write_noticed(errand, guest, (said, drawer), decided).await
    }

    /// Writes what was noticed as a record of its own, so that a decision that is repeated after a crash writes it once.
    async fn write_noticed(
        &self,
        errand: &Errand,
        guest: GuestId,
        (said, drawer): (Map<String, Value>, Category),
        decided: &Decision,
    ) -> Result<(), GuestError> {
        let policy = self.policies.current();
        let row = &decided.row;
        let event = self.observation_event(errand, Act::ReviewObservations, Some(guest));
        let input = RecordInput {
            excerpt: false,
            observed_at: Some(from_micros(row.at)),
            provenance: Provenance::Observed,
            guest: said,
            consents: Heard::default(),
            stays: Heard::default(),
        };
        let source: SourceSystem = SOURCE.parse().map_err(|_| GuestError::NotFound)?;
        let id = row.observation_id.to_string();
        let fields = for_stewards(&policy, drawer);
        let prepared = self.prepare_within(errand, &policy, (&source, &id), input, fields);
        if !prepared.rejected.is_empty() {
            return self.refuse(event, GuestError::Rejected(prepared.rejected)).await;
        }
        if prepared.values.is_empty() {
            let error = GuestError::bad("guest", "says nothing: the note would be lost");
            return self.refuse(event, error).await;
        }
        let known = self
            .store
            .read()
            .await?
            .source_record(&prepared.source_token)
            .await?;
        let place = match known {
            Some((_, record)) => Place::Known(guest, record),
            None => Place::Linked(guest, Decided::default()),
        };
        let corrections = self.own_corrections(guest).await?;
        let version = self.active_version(guest).await?;
        let keys = self.keys_of(guest, &prepared.categories()).await?;
        let mut change = self.log.begin(&self.store).await?;
        self.apply(&mut change, errand, &prepared, &place, (guest, version), &keys)
            .await?;
        let noticed = (prepared, corrections);
        self.add_to_pinned(&mut change, errand, noticed, (guest, version + 1), &keys)
            .await?;
        if let Err(error) = decided.carry_out(&mut change).await {
            drop(change);
            return self.refuse(event, error).await;
        }
        Ok(change.commit().await?)
    }

    fn may(&self, errand: &Errand, right: Right) -> bool {
        self.policies.current().allows(&errand.caller.role, right)
    }

    fn observation_event(&self, errand: &Errand, act: Act, guest: Option<GuestId>) -> Event {
        let mut event = Event::of(errand, act, self.clock.now());
        event.policy_version = Some(self.policies.current().version().to_owned());
        event.subject = guest.map(|guest| self.subject(guest, None));
        event
    }
}

fn check(text: &str) -> Result<Found, Reason> {
    if text.is_empty() {
        Err(Reason::Empty)
    } else if text.chars().count() > LONGEST {
        Err(Reason::TooLong)
    } else if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        Err(Reason::Invalid)
    } else {
        sensitive::look(text)
    }
}

const fn drawer(found: Found) -> Category {
    match found {
        Found::Nothing => Category::FreeText,
        Found::Health => Category::HealthBelief,
    }
}

fn drawer_of(row: &ObservationRow) -> Result<Category, GuestError> {
    Category::ALL
        .into_iter()
        .find(|category| category.as_str() == row.drawer)
        .ok_or(GuestError::Damaged)
}

/// The field whose rules say who may read such a note.
pub(crate) const fn stands_for(drawer: Category) -> &'static str {
    match drawer {
        Category::HealthBelief => "health.allergies",
        _ => "notes",
    }
}

/// Where a note is sealed to.
pub(super) fn place(guest: GuestId, observation: Uuid) -> Aad<'static> {
    Aad {
        guest,
        record: observation,
        path: "observation",
        version: 1,
    }
}
