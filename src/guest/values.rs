//! What a record says of a guest's fields, and what that changes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    base::{FieldPath, GuestId, RecordId, View, micros},
    keys::GuestKeys,
};

use super::{
    GuestError, Provenance, Rejected, Vault, places,
    prepare::{Prepared, Ready, Voice, is_older},
    sql::{HeldValue, NewValue, Rows},
    writing::Writing,
};

/// Why what is older than what is there is refused.
pub(super) const STALE: &str = "stale";

impl Vault {
    /// Writes what is news of a record's values, with the tokens that they are found by; the fields that changed.
    pub(super) async fn write_values(
        &self,
        (writing, rows): (&mut Writing<'_, '_>, &mut Rows),
        prepared: &Prepared,
        (guest, record): (GuestId, RecordId),
        stored: &[HeldValue],
        keys: &GuestKeys,
        rejected: &mut Vec<Rejected>,
    ) -> Result<BTreeMap<FieldPath, View>, GuestError> {
        let heads: BTreeMap<&str, &HeldValue> =
            stored.iter().map(|held| (held.field.as_str(), held)).collect();
        let trust = prepared.input.provenance.trust();
        let mut written = BTreeMap::new();
        let mut values = Vec::new();
        let mut tokens = Vec::new();
        for ready in &prepared.values {
            let held = heads.get(ready.field.as_str()).copied();
            let (version, at) = held.map_or((0, i64::MIN), |held| (held.version, held.said_at));
            if is_older(prepared, at) {
                rejected.push(stale(&ready.field));
                continue;
            }
            // What is left of a masked value must not take the place of the whole one.
            if let Some(reason) = ready.spoilt.filter(|_| version > 0) {
                rejected.push(Rejected {
                    field: ready.field.clone(),
                    reason: reason.as_str().to_owned(),
                });
                continue;
            }
            if prepared.input.excerpt && version > 0 && ready.value.is_array() {
                rejected.push(Rejected {
                    field: ready.field.clone(),
                    reason: "excerpt".to_owned(),
                });
                continue;
            }
            if let Some(again) =
                held.and_then(|held| said_again(prepared, ready, (guest, record), held, keys))
            {
                values.push(again);
                continue;
            }
            values.push(seal_value(prepared, ready, (guest, record), version + 1, keys)?);
            if version > 0 {
                let change = writing.change().await?;
                change.tx.delete_tokens(guest, record, &ready.field).await?;
            }
            tokens.extend(ready.tokens.iter().map(|t| (t.bytes, t.field.clone())));
            tokens.extend(ready.days.iter().map(|day| (*day, ready.field.clone())));
            note(&mut written, &ready.field);
        }
        rows.values((guest, record), trust, values);
        rows.tokens(guest, record, tokens);
        for field in &prepared.cleared {
            // What the record never had needs no statement.
            let Some(held) = heads.get(field.as_str()) else {
                continue;
            };
            if is_older(prepared, held.said_at) {
                rejected.push(stale(field));
                continue;
            }
            let change = writing.change().await?;
            change.tx.delete_value(guest, record, field).await?;
            note(&mut written, field);
        }
        let paths: BTreeSet<&str> = written.keys().map(|path| path.as_str()).collect();
        let is_new = stored.is_empty() && !prepared.is_pinned();
        self.write_compounds(
            (&mut *writing, &mut *rows),
            prepared,
            (guest, record),
            (&paths, is_new),
        )
        .await?;
        self.keep_portfolio((writing, rows), prepared, guest, &written)
            .await?;
        Ok(written)
    }
}

/// What the record has said before, said once more: no news, so that it does not outrank what others have said since. `None`
/// when it is another value, or said with another weight.
fn said_again(
    prepared: &Prepared,
    ready: &Ready,
    (guest, record): (GuestId, RecordId),
    held: &HeldValue,
    keys: &GuestKeys,
) -> Option<NewValue> {
    let verified = prepared.input.provenance == Provenance::Verified;
    if prepared.voice != Voice::Source
        || (held.verified, held.trust) != (verified, prepared.input.provenance.trust())
    {
        return None;
    }
    let aad = places::value(guest, record.0, &ready.field, held.version);
    let plain = keys.open_internal(ready.category, &held.sealed, &aad).ok()?;
    let said: Value = serde_json::from_slice(&plain).ok()?;
    (said == ready.value).then(|| NewValue {
        field: ready.field.clone(),
        version: held.version,
        sealed: held.sealed.clone(),
        pinned: prepared.is_pinned(),
        verified,
        observed_at: held.observed_at,
        said_at: Some(micros(prepared.observed_at)),
    })
}

fn seal_value(
    prepared: &Prepared,
    ready: &Ready,
    (guest, record): (GuestId, RecordId),
    version: i64,
    keys: &GuestKeys,
) -> Result<NewValue, GuestError> {
    let aad = places::value(guest, record.0, &ready.field, version);
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&ready.value).unwrap_or_default());
    let sealed = keys.seal(ready.category, &aad, &plain)?;
    Ok(NewValue {
        field: ready.field.clone(),
        version,
        sealed: sealed.into_bytes(),
        pinned: prepared.is_pinned(),
        verified: prepared.input.provenance == Provenance::Verified,
        observed_at: micros(prepared.observed_at),
        said_at: None,
    })
}

pub(super) fn stale(field: &str) -> Rejected {
    Rejected {
        field: field.to_owned(),
        reason: STALE.to_owned(),
    }
}

fn note(written: &mut BTreeMap<FieldPath, View>, field: &str) {
    if let Ok(path) = field.parse() {
        written.insert(path, View::Plain);
    }
}
