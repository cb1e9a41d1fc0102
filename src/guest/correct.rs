//! Corrections by staff: pinned values, which outrank every source until they are taken back.

use serde_json::{Map, Value};

use crate::{
    audit::{Act, Change, Event},
    base::{Errand, FieldSet, GuestId, RecordId, SourceSystem},
    keys::GuestKeys,
};

use super::{
    GuestError, Heard, Provenance, RecordAnswer, RecordInput, Vault,
    kinds::merge_lists,
    observation::Decision,
    places,
    prepare::{Prepared, Ready, Voice, source_token, writable},
    put::{self, Decided, Place},
    survivor,
};

/// The source that staff's corrections are kept under: one record per guest.
const SOURCE: &str = "vault.correction";
/// The source that a guest's own words in its portal are kept under: one record per guest.
const PORTAL: &str = "vault.portal";

/// In whose words something is put right.
struct Words {
    source: &'static str,
    provenance: Provenance,
    voice: Voice,
}

/// Staff's.
const STAFF: Words = Words {
    source: SOURCE,
    provenance: Provenance::Corrected,
    voice: Voice::Staff,
};
/// The guest's own.
const GUEST: Words = Words {
    source: PORTAL,
    provenance: Provenance::Declared,
    voice: Voice::Guest,
};

impl Vault {
    /// Merges a patch (RFC 7396) into what staff have fixed: a value is pinned, `null` unpins it.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`], [`GuestError::Stale`] when `expected` does not hold for
    /// the present version, [`GuestError::Rejected`] when a value cannot be valid: then nothing is changed.
    pub async fn correct(
        &self,
        errand: &Errand,
        guest: GuestId,
        patch: Map<String, Value>,
        expected: impl Fn(i64) -> bool,
    ) -> Result<RecordAnswer, GuestError> {
        self.correct_within(errand, guest, patch, expected, None).await
    }

    /// Merges a patch (RFC 7396) into what the guest itself has said in its portal.
    ///
    /// # Errors
    /// As [`Vault::correct`].
    pub async fn declare(
        &self,
        errand: &Errand,
        guest: GuestId,
        patch: Map<String, Value>,
    ) -> Result<RecordAnswer, GuestError> {
        self.put_right(errand, guest, (patch, &GUEST), |_| true, None)
            .await
    }

    /// The same by a decision about a note, which is carried out with it: that, and no rule, says which fields are written.
    pub(super) async fn correct_within(
        &self,
        errand: &Errand,
        guest: GuestId,
        patch: Map<String, Value>,
        expected: impl Fn(i64) -> bool,
        decided: Option<(FieldSet, &Decision)>,
    ) -> Result<RecordAnswer, GuestError> {
        self.put_right(errand, guest, (patch, &STAFF), expected, decided)
            .await
    }

    async fn put_right(
        &self,
        errand: &Errand,
        guest: GuestId,
        (patch, words): (Map<String, Value>, &Words),
        expected: impl Fn(i64) -> bool,
        decided: Option<(FieldSet, &Decision)>,
    ) -> Result<RecordAnswer, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::Correct, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.subject = Some(self.subject(guest, None));
        let source: SourceSystem = words.source.parse().map_err(|_| GuestError::NotFound)?;
        let input = RecordInput {
            excerpt: false,
            observed_at: None,
            provenance: words.provenance,
            guest: patch,
            consents: Heard::default(),
            stays: Heard::default(),
        };
        let id = guest.to_string();
        let (within, decision) = decided.unzip();
        let fields = within.or_else(|| writable(errand, &policy, true));
        let checked = fields
            .map(|fields| self.prepare_within(errand, &policy, (&source, &id), input, fields))
            .ok_or(GuestError::Forbidden);
        let mut prepared = match checked {
            Ok(prepared) if prepared.rejected.is_empty() => prepared,
            Ok(prepared) => return self.refuse(event, GuestError::Rejected(prepared.rejected)).await,
            Err(error) => return self.refuse(event, error).await,
        };
        prepared.voice = words.voice;
        let own = self.must_know(errand, guest, Act::Correct).await?;
        if !own && within.is_none() {
            let anybodys = writable(errand, &policy, false).unwrap_or_default();
            let rejected = prepared.beyond(policy.catalogue(), &anybodys);
            if !rejected.is_empty() {
                return self.refuse(event, GuestError::Rejected(rejected)).await;
            }
        }
        let mut tries = 0;
        loop {
            let version = match self.active_version(guest).await {
                Err(
                    error @ (GuestError::NotFound
                    | GuestError::Gone
                    | GuestError::Restricted
                    | GuestError::Moved(_)),
                ) => {
                    return self.refuse(event, error).await;
                }
                other => other?,
            };
            if !expected(version) {
                return self.refuse(event, GuestError::Stale).await;
            }
            let known = self
                .store
                .read()
                .await?
                .source_record(&prepared.source_token)
                .await?;
            let place = correction_place(guest, known);
            let keys = self.keys_of(guest, &prepared.categories()).await?;
            let mut change = self.log.begin(&self.store).await?;
            if known.is_some_and(|(of, _)| of != guest) {
                change.tx.free_source(&prepared.source_token).await?;
            }
            let outcome = self
                .apply(&mut change, errand, &prepared, &place, (guest, version), &keys)
                .await;
            match outcome {
                Err(error) if error.is_transient() && tries < put::TRIES => {
                    drop(change);
                    tries += 1;
                    put::pause(tries).await;
                }
                Err(error) => return Err(error),
                Ok(done) => {
                    if let Some(decision) = decision
                        && let Err(error) = decision.carry_out(&mut change).await
                    {
                        drop(change);
                        return self.refuse(event, error).await;
                    }
                    change.commit().await?;
                    // The same whether or not there was a record of corrections already.
                    return Ok(put::answer(&Place::Linked(guest, Decided::named()), done));
                }
            }
        }
    }
}

/// Where a guest's corrections by staff are kept.
pub(super) struct OwnCorrections {
    token: [u8; 16],
    known: Option<(GuestId, RecordId)>,
}

impl Vault {
    /// Where this guest's corrections by staff are kept.
    pub(super) async fn own_corrections(&self, guest: GuestId) -> Result<OwnCorrections, GuestError> {
        let token = source_token(self.keys.index_key(), STAFF.source, &guest.to_string());
        let known = self.store.read().await?.source_record(&token).await?;
        Ok(OwnCorrections { token, known })
    }

    /// Adds a record's lists to those that staff have pinned: a pinned list is shown alone, so what a steward has just
    /// accepted would be hidden behind it. In the change that writes the record.
    pub(super) async fn add_to_pinned(
        &self,
        change: &mut Change,
        errand: &Errand,
        (mut record, own): (Prepared, OwnCorrections),
        at: (GuestId, i64),
        keys: &GuestKeys,
    ) -> Result<(), GuestError> {
        let mut longer = Vec::new();
        for mut ready in record.values {
            if let Some(list) = self.with_pinned(change, (at.0, keys), &ready).await? {
                ready.value = list;
                longer.push(ready);
            }
        }
        if longer.is_empty() {
            return Ok(());
        }
        record.source = STAFF.source.parse().map_err(|_| GuestError::NotFound)?;
        record.source_token = own.token;
        record.source_id = at.0.to_string();
        record.input.provenance = STAFF.provenance;
        // Of two pinned lists the newer one is shown.
        record.observed_at = self.clock.now();
        record.voice = STAFF.voice;
        record.values = longer;
        if own.known.is_some_and(|(of, _)| of != at.0) {
            change.tx.free_source(&own.token).await?;
        }
        let place = correction_place(at.0, own.known);
        self.apply(change, errand, &record, &place, at, keys).await?;
        Ok(())
    }

    /// The list that staff have pinned of this field, and this one behind it; none when none is pinned.
    async fn with_pinned(
        &self,
        change: &mut Change,
        (guest, keys): (GuestId, &GuestKeys),
        ready: &Ready,
    ) -> Result<Option<Value>, GuestError> {
        let policy = self.policies.current();
        let Some((_, field)) = policy.catalogue().find(&ready.field).filter(|(_, f)| f.list) else {
            return Ok(None);
        };
        let lines = change.tx.values_of(guest, &ready.field).await?;
        let ranked = survivor::ranked(&lines);
        let best = ranked.get(ready.field.as_str()).and_then(|values| values.first());
        let Some(pinned) = best.filter(|line| line.is_pinned()) else {
            return Ok(None);
        };
        let place = places::value(guest, pinned.id.unwrap_or_default(), &ready.field, pinned.version);
        let sealed = pinned.sealed.as_deref().unwrap_or_default();
        let plain = keys.open_internal(ready.category, sealed, &place)?;
        let list = serde_json::from_slice(&plain).map_err(|_| GuestError::Damaged)?;
        Ok(Some(merge_lists(field.kind, vec![list, ready.value.clone()])))
    }
}

/// The guest's own record of corrections, or a new one: one that went to another guest is that one's.
fn correction_place(guest: GuestId, known: Option<(GuestId, RecordId)>) -> Place {
    match known {
        Some((of, record)) if of == guest => Place::Known(guest, record),
        _ => Place::Linked(guest, Decided::default()),
    }
}
