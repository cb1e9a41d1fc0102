//! All that is stored about a guest, for the guest: nothing is masked, and nothing is anybody else's.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    audit::{Act, Receipt},
    base::{Category, Errand, GuestId, from_micros},
    crypto::{
        Aad,
        age::{self, Recipient},
    },
    guest::{GuestError, StayInput, evidence_place, seal_version, source_id_place, stay_path},
    keys::GuestKeys,
    policy::{Handover, Right},
    retention::{facts, plan},
};

use super::{Kind, RequestError, Requests, State, pages, sql::ConsentRow, zip::zip};

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
    pub(super) retention: Value,
    pub(super) access: Value,
    /// The record of this handing over.
    pub(super) entry_id: crate::base::EntryId,
}

impl Requests {
    /// The package of a case that was approved; encrypted when a recipient is named. Recorded; the case is then done.
    ///
    /// # Errors
    /// [`RequestError::State`] when it is not ready; [`GuestError::Damaged`] when a value does not open: nothing is
    /// left out silently.
    pub async fn package(
        &self,
        errand: &Errand,
        id: Uuid,
        recipient: Option<&Recipient>,
    ) -> Result<Vec<u8>, RequestError> {
        let event = self
            .allowed(errand, (Act::HandOver, "package"), &[Right::ManageRequests])
            .await?;
        let mut row = self.row(id).await?;
        let kinds = [Kind::Access.as_str(), Kind::Portability.as_str()];
        let states = [State::Ready.as_str(), State::Done.as_str()];
        if !kinds.contains(&row.kind.as_str()) || !states.contains(&row.state.as_str()) {
            return Err(RequestError::State(
                "Only an approved request for access or portability has a package.",
            ));
        }
        let guest = row.guest_id.map(GuestId).ok_or(RequestError::Absent)?;
        let vault = self.vault();
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
        let receipt = vault.log.record(event, Handover::of(guest)).await?;
        let keys = &house.keys;
        let everything = Everything {
            guest_id: guest,
            made_at: vault.clock.now(),
            records: self.records(guest, keys, &receipt).await?,
            stays: self.stays(guest, keys, &receipt).await?,
            consents: self.consents(guest, keys, &receipt).await?,
            retention: json!(plan(&house.facts, &self.eraser.rules)),
            access: without_staff(json!(access)),
            entry_id: receipt.entry(),
        };
        let packed = zip(&pages::files(&everything));
        let answer = match recipient {
            None => packed,
            Some(recipient) => {
                let mut sealed = Vec::new();
                age::encrypt(
                    std::slice::from_ref(recipient),
                    &mut packed.as_slice(),
                    &mut sealed,
                )
                .map_err(|_| GuestError::Damaged)?;
                sealed
            }
        };
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

    async fn records(
        &self,
        guest: GuestId,
        keys: &GuestKeys,
        receipt: &Receipt<Handover>,
    ) -> Result<Vec<SourceRecord>, RequestError> {
        let vault = self.vault();
        let policy = vault.policies.current();
        let mut conn = vault.store.read().await?;
        let (heads, values) = (conn.records(guest).await?, conn.stored_values(guest).await?);
        drop(conn);
        let mut all = Vec::new();
        for head in heads {
            let mut own = Map::new();
            for value in values.iter().filter(|value| value.record_id == head.record_id) {
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
                source_system: head.source_system,
                source_id,
                provenance: head.provenance,
                property: head.property,
                observed_at: from_micros(head.observed_at),
                received_at: from_micros(head.received_at),
                values: own,
            });
        }
        Ok(all)
    }

    async fn stays(
        &self,
        guest: GuestId,
        keys: &GuestKeys,
        receipt: &Receipt<Handover>,
    ) -> Result<Vec<Value>, RequestError> {
        let rows = self.vault().store.read().await?.stays(guest).await?;
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
            let mut stay: StayInput =
                serde_json::from_slice(plain.bytes()).map_err(|_| GuestError::Damaged)?;
            stay.property = row.property.parse().ok();
            all.push(json!(stay));
        }
        Ok(all)
    }

    async fn consents(
        &self,
        guest: GuestId,
        keys: &GuestKeys,
        receipt: &Receipt<Handover>,
    ) -> Result<Vec<Value>, RequestError> {
        let rows: Vec<ConsentRow> = self.vault().store.read().await?.consent_rows(guest).await?;
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
    }
    report
}
