//! All that is stored about a guest, for the guest: nothing is masked, and nothing is anybody else's.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    audit::{Act, Receipt},
    base::{Category, Errand, FieldPath, GuestId, View, from_micros},
    crypto::{
        Aad,
        age::{self, Recipient},
    },
    guest::{
        GuestError, STAY_LINKS, StayInput, Vault, evidence_place, places, seal_version, source_id_place,
        sql::{RecordRow, StayRow},
        stands_for, stay_path,
    },
    keys::GuestKeys,
    policy::{Handover, Right},
    retention::{facts, plan, read, sql::StoredValue},
};

use super::{
    Kind, RequestError, Requests, State, pages,
    sql::{ConsentRow, NoteRow},
    zip::zip,
};

/// What a package is closed with where it leaves the house.
#[derive(Clone)]
pub enum Lock {
    /// Nothing: it is handed over in person.
    Open,
    /// An age recipient of the guest.
    For(Recipient),
    /// A passphrase that the guest is told another way.
    Passphrase(Zeroizing<String>),
}

impl Lock {
    fn close(&self, packed: Vec<u8>) -> Result<Vec<u8>, RequestError> {
        let mut sealed = Vec::new();
        let closed = match self {
            Self::Open => return Ok(packed),
            Self::For(recipient) => age::encrypt(
                std::slice::from_ref(recipient),
                &mut packed.as_slice(),
                &mut sealed,
            ),
            Self::Passphrase(words) => age::encrypt_for(words, &mut packed.as_slice(), &mut sealed),
        };
        closed.map_err(|_| GuestError::Damaged)?;
        Ok(sealed)
    }
}

/// One source's words.
#[derive(Serialize)]
pub(super) struct SourceRecord {
    pub(super) source_system: String,
    pub(super) source_id: Option<String>,
    pub(super) provenance: String,
    pub(super) property: String,
    pub(super) observed_at: DateTime<Utc>,
    pub(super) received_at: DateTime<Utc>,
    pub(super) values: Map<String, Value>,
}

/// Everything, opened.
#[derive(Serialize)]
pub(super) struct Everything {
    pub(super) guest_id: GuestId,
    pub(super) made_at: DateTime<Utc>,
    pub(super) records: Vec<SourceRecord>,
    pub(super) stays: Vec<Value>,
    pub(super) consents: Vec<Value>,
    /// Notes of the staff that nobody has decided about yet.
    pub(super) observations: Vec<Value>,
    pub(super) retention: Value,
    pub(super) access: Value,
    /// The record of this handing over.
    pub(super) entry_id: crate::base::EntryId,
}

/// What a package is made of, still sealed: read before the record of its handing over, which names its fields.
struct Stored {
    records: Vec<RecordRow>,
    values: Vec<StoredValue>,
    stays: Vec<StayRow>,
    consents: Vec<ConsentRow>,
    notes: Vec<NoteRow>,
}

impl Stored {
    async fn of(vault: &Vault, guest: GuestId) -> Result<Self, RequestError> {
        let mut conn = vault.store.read().await?;
        Ok(Self {
            records: conn.records(guest).await?,
            values: conn.stored_values(guest).await?,
            stays: conn.stays(guest).await?,
            consents: conn.consent_rows(guest).await?,
            notes: conn.notes_about(guest).await?,
        })
    }

    /// The fields that the package shows, each plain.
    fn fields(&self) -> Result<BTreeMap<FieldPath, View>, RequestError> {
        let mut paths: BTreeSet<&str> = self.values.iter().map(|value| value.field.as_str()).collect();
        if !self.stays.is_empty() {
            paths.insert(STAY_LINKS);
        }
        for note in &self.notes {
            paths.insert(stands_for(drawer_of(note)?));
        }
        let path = |path: &str| Ok((path.parse().map_err(|_| GuestError::Damaged)?, View::Plain));
        paths.into_iter().map(path).collect()
    }
}

fn drawer_of(note: &NoteRow) -> Result<Category, GuestError> {
    read(&note.drawer).first().copied().ok_or(GuestError::Damaged)
}

/// For how long a package that was handed over is made again, should it have been lost: an approval is for what stood
/// then, and not for all that comes later.
const AGAIN: TimeDelta = TimeDelta::days(30);

impl Requests {
    /// The package of a case that was approved; encrypted when a recipient is named. Recorded; the case is then done.
    ///
    /// # Errors
    /// [`RequestError::State`] when it is not ready; [`GuestError::Damaged`] when a value does not open: nothing is
    /// left out silently.
    pub async fn package(&self, errand: &Errand, id: Uuid, lock: &Lock) -> Result<Vec<u8>, RequestError> {
        let event = self
            .allowed(errand, (Act::HandOver, "package"), &[Right::ManageRequests])
            .await?;
        let mut row = self.case_to_serve(errand, id).await?;
        let kinds = [Kind::Access.as_str(), Kind::Portability.as_str()];
        let states = [State::Ready.as_str(), State::Done.as_str()];
        if !kinds.contains(&row.kind.as_str()) || !states.contains(&row.state.as_str()) {
            return Err(RequestError::State(
                "Only an approved request for access or portability has a package.",
            ));
        }
        let guest = row.guest_id.map(GuestId).ok_or(RequestError::Absent)?;
        let vault = self.vault();
        if row.state == State::Done.as_str() {
            let steps = vault.store.read().await?.request_steps(id).await?;
            let done = steps
                .iter()
                .rev()
                .find(|(_, step, ..)| step == State::Done.as_str());
            let until = done.map(|(at, ..)| from_micros(*at) + AGAIN);
            if until.is_none_or(|until| until < vault.clock.now()) {
                return Err(RequestError::State(
                    "The package was handed over more than 30 days ago: take a new request in.",
                ));
            }
        }
        let Some(house) = facts(vault, guest).await? else {
            return Err(self.refused(event, GuestError::NotFound).await);
        };
        if house.status == "erased" {
            return Err(self.refused(event, GuestError::Gone).await);
        }
        let access = vault.access_report(errand, guest).await?;
        let mut event = self.about(event, errand, Some(guest)).await?;
        if event.subject.is_none() {
            event.subject = Some(vault.subject(guest, Some(&house.keys)));
        }
        let stored = Stored::of(vault, guest).await?;
        event.fields = stored.fields()?;
        let receipt = vault.log.record(event, Handover::of(guest)).await?;
        let keys = &house.keys;
        let everything = Everything {
            guest_id: guest,
            made_at: vault.clock.now(),
            records: self.records(&stored, guest, keys, &receipt)?,
            stays: stays(stored.stays, guest, keys, &receipt)?,
            consents: consents(stored.consents, guest, keys, &receipt)?,
            observations: observations(stored.notes, guest, keys, &receipt)?,
            retention: json!(plan(&house.facts, &self.eraser.rules)),
            access: without_staff(json!(access)),
            entry_id: receipt.entry(),
        };
        let (packed, lock) = (zip(&pages::files(&everything)), lock.clone());
        // A passphrase is stretched for a good second: not on a thread that serves others.
        let closed = tokio::task::spawn_blocking(move || lock.close(packed)).await;
        let answer = closed.map_err(|_| GuestError::Damaged)??;
        if row.state == State::Ready.as_str() {
            State::Done.as_str().clone_into(&mut row.state);
            let done = self
                .allowed(errand, (Act::HandleRequest, "done"), &[Right::ManageRequests])
                .await?;
            let done = self.about(done, errand, Some(guest)).await?;
            self.store(errand, &row, ("done", None), done).await?;
        }
        Ok(answer)
    }

    fn records(
        &self,
        stored: &Stored,
        guest: GuestId,
        keys: &GuestKeys,
        receipt: &Receipt<Handover>,
    ) -> Result<Vec<SourceRecord>, RequestError> {
        let policy = self.vault().policies.current();
        let mut all = Vec::new();
        for head in &stored.records {
            let mut own = Map::new();
            let values = stored.values.iter();
            for value in values.filter(|value| value.record_id == head.record_id) {
                let (_, field) = policy.catalogue().find(&value.field).ok_or(GuestError::Damaged)?;
                let aad = Aad {
                    guest,
                    record: value.record_id,
                    path: &value.field,
                    version: seal_version(value.version),
                };
                let plain = keys
                    .open_handed(receipt, field.category, &value.sealed, &aad)
                    .map_err(GuestError::from)?;
                let plain = serde_json::from_slice(plain.bytes()).map_err(|_| GuestError::Damaged)?;
                own.insert(value.field.clone(), plain);
            }
            let source_id = if head.source_id.is_empty() {
                None
            } else {
                let place = source_id_place(guest, head.record_id);
                Some(text(
                    keys,
                    receipt,
                    (Category::Identity, &head.source_id),
                    &place,
                )?)
            };
            all.push(SourceRecord {
                source_system: head.source_system.clone(),
                source_id,
                provenance: head.provenance.clone(),
                property: head.property.clone(),
                observed_at: from_micros(head.observed_at),
                received_at: from_micros(head.received_at),
                values: own,
            });
        }
        Ok(all)
    }
}

fn stays(
    rows: Vec<StayRow>,
    guest: GuestId,
    keys: &GuestKeys,
    receipt: &Receipt<Handover>,
) -> Result<Vec<Value>, RequestError> {
    let mut all = Vec::new();
    for row in rows {
        let path = stay_path(&row.property);
        let aad = Aad {
            guest,
            record: row.stay_token,
            path: &path,
            version: seal_version(row.version),
        };
        let plain = keys
            .open_handed(receipt, Category::Stay, &row.sealed, &aad)
            .map_err(GuestError::from)?;
        let mut stay: StayInput = serde_json::from_slice(plain.bytes()).map_err(|_| GuestError::Damaged)?;
        stay.property = row.property.parse().ok();
        all.push(json!(stay));
    }
    Ok(all)
}

fn observations(
    rows: Vec<NoteRow>,
    guest: GuestId,
    keys: &GuestKeys,
    receipt: &Receipt<Handover>,
) -> Result<Vec<Value>, RequestError> {
    let mut all = Vec::new();
    for row in rows {
        let drawer = drawer_of(&row)?;
        let place = places::observation(guest, row.observation_id);
        let note = text(keys, receipt, (drawer, &row.sealed), &place)?;
        all.push(json!({"property": row.property, "at": from_micros(row.at), "text": note}));
    }
    Ok(all)
}

fn consents(
    rows: Vec<ConsentRow>,
    guest: GuestId,
    keys: &GuestKeys,
    receipt: &Receipt<Handover>,
) -> Result<Vec<Value>, RequestError> {
    let mut all = Vec::new();
    for row in rows {
        let mut line = json!({
            "consent_id": row.consent_id, "purpose": row.purpose, "recipient": row.recipient, "state": row.state,
            "channel": row.channel, "indication": row.indication, "property": row.property, "scope": row.scope,
            "notice_id": row.notice_id, "at": from_micros(row.at), "valid_until": row.valid_until.map(from_micros),
        });
        let place = evidence_place(guest, row.consent_id);
        if let (Some(sealed), Some(line)) = (&row.evidence, line.as_object_mut()) {
            let evidence = text(keys, receipt, (Category::Consent, sealed), &place)?;
            line.insert("evidence_ref".to_owned(), evidence.into());
        }
        let place = Aad {
            path: "consent.details",
            ..place
        };
        if let (Some(sealed), Some(line)) = (&row.details, line.as_object_mut()) {
            let details = text(keys, receipt, (Category::Consent, sealed), &place)?;
            line.insert(
                "details".to_owned(),
                serde_json::from_str(&details).unwrap_or_default(),
            );
        }
        all.push(line);
    }
    Ok(all)
}

fn text(
    keys: &GuestKeys,
    receipt: &Receipt<Handover>,
    (category, sealed): (Category, &[u8]),
    place: &Aad<'_>,
) -> Result<String, RequestError> {
    let plain = keys
        .open_handed(receipt, category, sealed, place)
        .map_err(GuestError::from)?;
    Ok(String::from_utf8(plain.bytes().to_vec()).map_err(|_| GuestError::Damaged)?)
}

/// The report without who of the staff it was: those are people too; the role says enough.
fn without_staff(mut report: Value) -> Value {
    if let Some(entries) = report.get_mut("accesses").and_then(Value::as_array_mut) {
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            entry.remove("principal");
            entry.remove("actor");
        }
    }
    if let Some(report) = report.as_object_mut() {
        // The bytes of the log's entries name staff ids; whoever wants the proof asks for the report itself.
        report.remove("proof");
        report.remove("signature");
    }
    report
}
