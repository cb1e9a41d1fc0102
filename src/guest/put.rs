//! A source says what it knows: find the guest, seal, store, record; all in one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{Category, Errand, FieldPath, GuestId, RecordId, SourceSystem, View, micros},
    crypto::{Aad, random},
    events::Announcement,
    keys::GuestKeys,
};

use super::{
    GuestError, LinkReason, Outcome, RecordAnswer, RecordInput, Rejected, Resolution, Vault,
    prepare::{Prepared, Ready, check_source, is_older, seal_version},
    sql::NewValue,
    words::RecordHead,
};

/// How often a change is tried when another writer was faster.
pub(super) const TRIES: usize = 6;

/// Where a record goes.
pub(super) enum Place {
    /// The source has spoken of this person before.
    Known(GuestId, RecordId),
    /// Another source has.
    Linked(GuestId, Vec<LinkReason>),
    /// Nobody has.
    New,
}

/// What was done with a record.
pub(super) struct Done {
    pub(super) guest: GuestId,
    pub(super) record: RecordId,
    pub(super) version: i64,
    pub(super) rejected: Vec<Rejected>,
}

impl Vault {
    /// Stores what a source says about one person. The same words again change nothing; absent members stay as they
    /// are; `null` takes this source's value back; values that cannot be valid come back as `rejected`.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; with `strict`, [`GuestError::Rejected`] when any value is refused; and what store,
    /// keys or log fail with: then nothing is stored.
    pub async fn put_record(
        &self,
        errand: &Errand,
        source: &SourceSystem,
        source_id: &str,
        input: RecordInput,
        strict: bool,
    ) -> Result<RecordAnswer, GuestError> {
        let prepared = self
            .prepare_or_refuse(errand, (source, source_id), input, strict)
            .await?;
        self.put_prepared(errand, &prepared).await
    }

    /// Stores a checked record, again when another writer was faster.
    pub(super) async fn put_prepared(
        &self,
        errand: &Errand,
        prepared: &Prepared,
    ) -> Result<RecordAnswer, GuestError> {
        let mut tries = 0;
        loop {
            match self.try_put(errand, prepared).await {
                Err(error) if error.is_transient() && tries < TRIES => {
                    tries += 1;
                    pause(tries).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn prepare_or_refuse(
        &self,
        errand: &Errand,
        (source, source_id): (&SourceSystem, &str),
        input: RecordInput,
        strict: bool,
    ) -> Result<Prepared, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::of(errand, Act::PutRecord, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        if let Err(rejected) = check_source(source, source_id) {
            return self.refuse(event, GuestError::Rejected(vec![rejected])).await;
        }
        match self.prepare(errand, &policy, (source, source_id), input) {
            Err(error) => self.refuse(event, error).await,
            Ok(prepared) if strict && !prepared.rejected.is_empty() => {
                self.refuse(event, GuestError::Rejected(prepared.rejected)).await
            }
            Ok(prepared) => Ok(prepared),
        }
    }

    async fn try_put(&self, errand: &Errand, prepared: &Prepared) -> Result<RecordAnswer, GuestError> {
        let place = self.place(prepared).await?;
        if let Place::Known(guest, record) = place
            && let Some(answer) = self.unchanged(errand, prepared, guest, record).await?
        {
            return Ok(answer);
        }
        let (guest, is_new) = match &place {
            Place::Known(guest, _) | Place::Linked(guest, _) => (*guest, false),
            Place::New => (GuestId::random(), true),
        };
        let keys = self.keys.ensure_guest_keys(guest, &prepared.categories()).await?;
        let outcome = self.store_one(errand, prepared, &place, guest, &keys).await;
        if is_new && outcome.as_ref().is_err_and(GuestError::is_undone) {
            // The guest was never made; its keys must not outlive the attempt.
            self.keys.destroy(guest, None).await?;
        }
        outcome.map(|done| answer(&place, done))
    }

    async fn store_one(
        &self,
        errand: &Errand,
        prepared: &Prepared,
        place: &Place,
        guest: GuestId,
        keys: &GuestKeys,
    ) -> Result<Done, GuestError> {
        let version = match place {
            Place::New => 0,
            _ => self.active_version(guest).await?,
        };
        let mut change = self.log.begin(&self.store).await?;
        let done = self
            .apply(&mut change, errand, prepared, place, (guest, version), keys)
            .await?;
        change.commit().await?;
        Ok(done)
    }

    /// The version of a guest that can be changed.
    pub(super) async fn active_version(&self, guest: GuestId) -> Result<i64, GuestError> {
        match self.store.read().await?.guest_head(guest).await? {
            Some((version, status, _)) if status == "active" => Ok(version),
            Some((_, _, Some(survivor))) => Err(GuestError::Moved(GuestId(survivor))),
            Some(_) => Err(GuestError::Gone),
            None => Err(GuestError::NotFound),
        }
    }

    /// Where the record goes, as things stand.
    pub(super) async fn place(&self, prepared: &Prepared) -> Result<Place, GuestError> {
        let known = self
            .store
            .read()
            .await?
            .source_record(&prepared.source_token)
            .await?;
        if let Some((guest, record)) = known {
            return Ok(Place::Known(guest, record));
        }
        let tokens: Vec<_> = prepared.tokens().cloned().collect();
        Ok(match self.find_link(&tokens).await? {
            Some(link) => Place::Linked(link.guest, link.reasons),
            None => Place::New,
        })
    }

    /// The answer to a record that says what it said before; recorded, nothing stored.
    async fn unchanged(
        &self,
        errand: &Errand,
        prepared: &Prepared,
        guest: GuestId,
        record: RecordId,
    ) -> Result<Option<RecordAnswer>, GuestError> {
        let mut conn = self.store.read().await?;
        let Some((_, content)) = conn.record_head(guest, record).await? else {
            return Ok(None);
        };
        if !crate::crypto::same(&content, &prepared.content_mac) {
            return Ok(None);
        }
        let Some((version, ..)) = conn.guest_head(guest).await? else {
            return Ok(None);
        };
        drop(conn);
        let keys = self.keys.guest_keys(guest, &[Category::Audit]).await?;
        let mut event = self.put_event(errand, prepared, guest, &keys);
        event.outcome = Some("unchanged");
        self.log.record(event, ()).await?;
        let done = Done {
            guest,
            record,
            version,
            rejected: prepared.rejected.clone(),
        };
        Ok(Some(answer(&Place::Known(guest, record), done)))
    }

    fn put_event(&self, errand: &Errand, prepared: &Prepared, guest: GuestId, keys: &GuestKeys) -> Event {
        let act = if prepared.pinned {
            Act::Correct
        } else {
            Act::PutRecord
        };
        let mut event = Event::of(errand, act, self.clock.now());
        event.policy_version = Some(prepared.policy_version.clone());
        event.subject = Some(self.subject(guest, Some(keys)));
        Self::with_reason(event, errand, Some(keys))
    }

    /// Writes the record, its values, tokens, stays and consents, and its event, into the change.
    pub(super) async fn apply(
        &self,
        change: &mut Change,
        errand: &Errand,
        prepared: &Prepared,
        place: &Place,
        (guest, version): (GuestId, i64),
        keys: &GuestKeys,
    ) -> Result<Done, GuestError> {
        let now = self.clock.now();
        let record = match place {
            Place::Known(_, record) => *record,
            _ => RecordId::random(),
        };
        if matches!(place, Place::New) {
            change.tx.insert_guest(guest, micros(now)).await?;
        } else {
            change.tx.touch_guest(guest, version, micros(now)).await?;
        }
        if !matches!(place, Place::Known(..)) {
            change
                .tx
                .insert_source(&prepared.source_token, guest, record)
                .await?;
        }
        let stored = change.tx.field_heads(guest, record).await?;
        let head = self.record_head(errand, prepared, guest, record, keys)?;
        change.tx.upsert_record(guest, &head).await?;
        let mut rejected = prepared.rejected.clone();
        let written = self
            .write_values(change, prepared, (guest, record), &stored, keys, &mut rejected)
            .await?;
        let mut event = self.put_event(errand, prepared, guest, keys);
        event.fields = written;
        for stay in &prepared.stays {
            self.write_stay(change, errand, (guest, record), stay, keys)
                .await?;
        }
        for statement in &prepared.consents {
            self.write_consent(change, errand, (guest, Some(record)), statement, keys)
                .await?;
        }
        tell(change, errand, place, guest, (&event, prepared)).await?;
        self.note_import(change, errand, place, (guest, record, version + 1), prepared)
            .await?;
        change.record(&event).await?;
        Ok(Done {
            guest,
            record,
            version: version + 1,
            rejected,
        })
    }

    fn record_head(
        &self,
        errand: &Errand,
        prepared: &Prepared,
        guest: GuestId,
        record: RecordId,
        keys: &GuestKeys,
    ) -> Result<RecordHead, GuestError> {
        let place = source_id_place(guest, record.0);
        let source_id = keys.seal(Category::Identity, &place, prepared.source_id.as_bytes())?;
        Ok(RecordHead {
            record,
            source: prepared.source.clone(),
            source_id: source_id.into_bytes(),
            provenance: prepared.input.provenance,
            property: errand.property.clone(),
            observed_at: prepared.observed_at,
            received_at: self.clock.now(),
            content_mac: prepared.content_mac.clone(),
        })
    }

    async fn write_values(
        &self,
        change: &mut Change,
        prepared: &Prepared,
        (guest, record): (GuestId, RecordId),
        stored: &[(String, i64, i64)],
        keys: &GuestKeys,
        rejected: &mut Vec<Rejected>,
    ) -> Result<BTreeMap<FieldPath, View>, GuestError> {
        let heads: BTreeMap<&str, (i64, i64)> = stored
            .iter()
            .map(|(field, version, at)| (field.as_str(), (*version, *at)))
            .collect();
        let mut written = BTreeMap::new();
        let mut values = Vec::new();
        let mut tokens = Vec::new();
        for ready in &prepared.values {
            let (version, at) = heads.get(ready.field.as_str()).copied().unwrap_or((0, i64::MIN));
            if is_older(prepared, at) {
                rejected.push(Rejected {
                    field: ready.field.clone(),
                    reason: "stale".to_owned(),
                });
                continue;
            }
            values.push(seal_value(prepared, ready, (guest, record), version + 1, keys)?);
            if version > 0 {
                change.tx.delete_tokens(guest, record, &ready.field).await?;
            }
            tokens.extend(ready.tokens.iter().map(|t| (t.bytes, t.field.clone())));
            note(&mut written, &ready.field);
        }
        let trust = prepared.input.provenance.trust();
        change
            .tx
            .upsert_values(guest, record, trust, micros(prepared.observed_at), &values)
            .await?;
        change.tx.insert_tokens(guest, record, &tokens).await?;
        for field in &prepared.cleared {
            change.tx.delete_value(guest, record, field).await?;
            note(&mut written, field);
        }
        let paths: BTreeSet<&str> = written.keys().map(|path| path.as_str()).collect();
        let is_new = stored.is_empty() && !prepared.pinned;
        self.write_compounds(change, prepared, (guest, record), (&paths, is_new))
            .await?;
        self.keep_portfolio(change, prepared, guest, &written).await?;
        Ok(written)
    }

    /// Follows the account manager: whose portfolio a guest is in decides what that manager sees.
    async fn keep_portfolio(
        &self,
        change: &mut Change,
        prepared: &Prepared,
        guest: GuestId,
        written: &BTreeMap<FieldPath, View>,
    ) -> Result<(), GuestError> {
        const FIELD: &str = "account_manager_id";
        if !written.keys().any(|path| path.as_str() == FIELD) {
            return Ok(());
        }
        let staff = prepared
            .values
            .iter()
            .find(|v| v.field == FIELD)
            .and_then(|v| v.value.as_str());
        let token = staff.map(|id| self.manager_token(id));
        Ok(change.tx.set_manager(guest, token).await?)
    }

    /// The keyed token of an account manager's staff id.
    pub(super) fn manager_token(&self, staff: &str) -> [u8; 16] {
        self.keys.index_key().token("account_manager", staff.as_bytes())
    }
}

/// Where a source's own id is sealed to.
pub(super) fn source_id_place(guest: GuestId, record: Uuid) -> Aad<'static> {
    Aad {
        guest,
        record,
        path: "record.source_id",
        version: 1,
    }
}

fn seal_value(
    prepared: &Prepared,
    ready: &Ready,
    (guest, record): (GuestId, RecordId),
    version: i64,
    keys: &GuestKeys,
) -> Result<NewValue, GuestError> {
    let aad = Aad {
        guest,
        record: record.0,
        path: &ready.field,
        version: seal_version(version),
    };
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(&ready.value).unwrap_or_default());
    let sealed = keys.seal(ready.category, &aad, &plain)?;
    Ok(NewValue {
        field: ready.field.clone(),
        version,
        sealed: sealed.into_bytes(),
        pinned: prepared.pinned,
        verified: prepared.input.provenance == super::Provenance::Verified,
    })
}

/// Tells other systems which fields changed.
async fn tell(
    change: &mut Change,
    errand: &Errand,
    place: &Place,
    guest: GuestId,
    (event, prepared): (&Event, &Prepared),
) -> Result<(), GuestError> {
    let mut fields: Vec<FieldPath> = event.fields.keys().cloned().collect();
    if !prepared.stays.is_empty() {
        fields.extend("stay_links".parse());
    }
    let told = match place {
        Place::New => Announcement::guest_created(event.at, guest, fields),
        _ if fields.is_empty() => return Ok(()),
        _ => Announcement::guest_updated(event.at, guest, fields),
    };
    Ok(change.tx.announce(&told.at_property(&errand.property)).await?)
}

fn note(written: &mut BTreeMap<FieldPath, View>, field: &str) {
    if let Ok(path) = field.parse() {
        written.insert(path, View::Plain);
    }
}

pub(super) fn answer(place: &Place, done: Done) -> RecordAnswer {
    let exact = |field: &str| LinkReason {
        field: field.to_owned(),
        level: "exact",
        weight: f64::from(64),
    };
    let resolution = match place {
        Place::New => Resolution {
            outcome: Outcome::Created,
            probability: 1.0,
            reasons: Vec::new(),
        },
        Place::Known(..) => Resolution {
            outcome: Outcome::Linked,
            probability: 1.0,
            reasons: vec![exact("source_id")],
        },
        Place::Linked(_, reasons) => Resolution {
            outcome: Outcome::Linked,
            probability: 1.0,
            reasons: reasons.clone(),
        },
    };
    RecordAnswer {
        guest_id: done.guest,
        record_id: done.record,
        version: done.version,
        resolution,
        rejected: done.rejected,
    }
}

/// Waits a little longer each time, and never in step with the other writer.
pub(super) async fn pause(tries: usize) {
    let [jitter] = random::<1>();
    let most = 4_u64 << tries.min(6);
    tokio::time::sleep(Duration::from_millis(1 + u64::from(jitter) % most)).await;
}
