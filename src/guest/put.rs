//! A source says what it knows: find the guest, seal, store, record; all in one transaction.

use std::{collections::BTreeSet, time::Duration};

use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{Category, Errand, FieldPath, GuestId, PropertyCode, RecordId, SourceSystem, micros},
    crypto::{Aad, random},
    events::Announcement,
    keys::GuestKeys,
    web::IfMatch,
};

use super::{
    GuestError, LinkReason, Outcome, RecordAnswer, RecordInput, Rejected, Resolution, Vault,
    prepare::{Prepared, check_source},
    resembling::Resembling,
    sql::Rows,
    stay::with_property,
    stay_words::Said,
    together::Waiting,
    values::{STALE, stale},
    words::RecordHead,
    writing::Writing,
};

/// How often a change is tried when another writer was faster.
pub(super) const TRIES: usize = 6;

/// Where a record goes.
pub(super) enum Place {
    /// The source has spoken of this person before.
    Known(GuestId, RecordId),
    /// Another source has.
    Linked(GuestId, Decided),
    /// Nobody has, as far as can be told.
    New(Decided),
}

/// What comparing a record with the guests there are came to.
#[derive(Default)]
pub(super) struct Decided {
    /// How sure.
    pub(super) probability: f64,
    /// Why.
    pub(super) reasons: Vec<LinkReason>,
    /// Guests that a steward is asked about.
    pub(super) doubts: Vec<Resembling>,
    /// Tokens that too many share.
    pub(super) crowded: BTreeSet<[u8; 16]>,
}

impl Decided {
    /// Nothing was compared: the caller named the guest.
    pub(super) fn named() -> Self {
        Self {
            probability: 1.0,
            reasons: vec![exact("guest_id")],
            ..Self::default()
        }
    }
}

impl Place {
    /// Tokens that too many share to be written.
    fn crowded(&self) -> &BTreeSet<[u8; 16]> {
        static NONE: BTreeSet<[u8; 16]> = BTreeSet::new();
        match self {
            Self::Known(..) => &NONE,
            Self::Linked(_, decided) | Self::New(decided) => &decided.crowded,
        }
    }
}

/// What its source said of a record before.
pub(super) enum Told {
    /// The same: there is nothing to store.
    Same(RecordAnswer),
    /// Nothing, or something else; of which house the record is now.
    Anew(PropertyCode),
}

/// What was done with a record.
pub(super) struct Done {
    pub(super) guest: GuestId,
    pub(super) record: RecordId,
    pub(super) version: i64,
    pub(super) rejected: Vec<Rejected>,
    /// What a steward is asked.
    pub(super) review: Option<Uuid>,
}

impl Vault {
    /// Stores what a source says about one person. The same words again change nothing; absent members stay as they
    /// are; `null` takes this source's value back; values that cannot be valid come back as `rejected`.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; with `strict`, [`GuestError::Rejected`] when any value is refused;
    /// [`GuestError::Stale`] when `expected` does not hold for the version of the guest whose record it is; and what
    /// store, keys or log fail with: then nothing is stored.
    pub async fn put_record(
        &self,
        errand: &Errand,
        (source, source_id): (&SourceSystem, &str),
        input: RecordInput,
        expected: IfMatch,
        strict: bool,
    ) -> Result<RecordAnswer, GuestError> {
        let mut prepared = self
            .prepare_or_refuse(errand, (source, source_id), input, strict)
            .await?;
        prepared.expected = expected;
        self.put_in_company(errand, prepared).await
    }

    /// Stores a checked record, again when another writer was faster; that it may not be stored is recorded.
    pub(super) async fn put_alone(&self, waiting: &Waiting) -> Result<RecordAnswer, GuestError> {
        let mut tries = 0;
        loop {
            let alone = self.put_together(&[waiting]).await;
            let answer = alone.and_then(|mut answers| answers.pop().ok_or(GuestError::NotFound));
            match answer {
                Err(error) if error.is_transient() && tries < TRIES => {
                    tries += 1;
                    pause(tries).await;
                }
                Err(error) if error.is_of_one() => {
                    let mut event = Event::of(&waiting.errand, Act::PutRecord, self.clock.now());
                    event.policy_version = Some(waiting.prepared.policy_version.clone());
                    return self.refuse(event, error).await;
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
        self.keys.matching_keys().await?;
        match self.prepare(errand, &policy, (source, source_id), input) {
            Err(error) => self.refuse(event, error).await,
            Ok(prepared) => {
                let prepared = self.with_notices(prepared).await?;
                if strict && !prepared.rejected.is_empty() {
                    return self.refuse(event, GuestError::Rejected(prepared.rejected)).await;
                }
                Ok(prepared)
            }
        }
    }

    /// The version of a guest that can be changed.
    pub(crate) async fn active_version(&self, guest: GuestId) -> Result<i64, GuestError> {
        let heads = self.store.read().await?.guest_heads(&[guest]).await?;
        changeable(heads.get(&guest))
    }

    /// A change in which a guest is neither merged nor erased away: what is said of it then would be said of nobody.
    ///
    /// # Errors
    /// [`GuestError::Moved`] and the like, when that was faster.
    pub(crate) async fn change_of(&self, guest: GuestId) -> Result<Change, GuestError> {
        let mut change = self.log.begin(&self.store).await?;
        if change.tx.keep_still(guest).await? {
            return Ok(change);
        }
        drop(change);
        self.active_version(guest).await?;
        Err(GuestError::Stale)
    }

    /// What a record that its source has told before comes to: the same words again are recorded, nothing is stored.
    ///
    /// # Errors
    /// [`GuestError::Rejected`] for a record of houses beyond the caller's.
    pub(super) async fn told_before(
        &self,
        errand: &Errand,
        prepared: &Prepared,
        guest: GuestId,
        record: RecordId,
    ) -> Result<Told, GuestError> {
        let mut conn = self.store.read().await?;
        let Some((content, told_at)) = conn.record_head(guest, record).await? else {
            return Ok(Told::Anew(errand.property.clone()));
        };
        let house = self.house_of_record(&mut conn, errand, (guest, told_at)).await?;
        if !crate::crypto::same(&content, &prepared.content_mac) {
            return Ok(Told::Anew(house));
        }
        let Some((version, ..)) = conn.guest_heads(&[guest]).await?.remove(&guest) else {
            return Ok(Told::Anew(house));
        };
        drop(conn);
        if !prepared.expected.holds(Some(version)) {
            return Err(GuestError::Stale);
        }
        let keys = self.keys.guest_keys(guest, &[Category::Audit]).await?;
        let mut event = self.put_event(errand, prepared, guest, &keys);
        event.outcome = Some("unchanged");
        self.log.record(event, ()).await?;
        let done = Done {
            guest,
            record,
            version,
            rejected: prepared.rejected.clone(),
            review: None,
        };
        Ok(Told::Same(answer(&Place::Known(guest, record), done)))
    }

    fn put_event(&self, errand: &Errand, prepared: &Prepared, guest: GuestId, keys: &GuestKeys) -> Event {
        let act = if prepared.is_pinned() {
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
        at: (GuestId, i64),
        keys: &GuestKeys,
    ) -> Result<Done, GuestError> {
        let mut rows = Rows::default();
        let done = self
            .apply_later(
                (&mut Writing::Begun(change), &mut rows),
                errand,
                prepared,
                (place, &errand.property),
                at,
                keys,
            )
            .await?;
        change.tx.write(rows).await?;
        Ok(done)
    }

    /// The same; what nothing of the change needs to read is left in `rows`, to be written with that of other records.
    pub(super) async fn apply_later(
        &self,
        (writing, rows): (&mut Writing<'_, '_>, &mut Rows),
        errand: &Errand,
        prepared: &Prepared,
        (place, house): (&Place, &PropertyCode),
        (guest, version): (GuestId, i64),
        keys: &GuestKeys,
    ) -> Result<Done, GuestError> {
        let now = self.clock.now();
        let record = match place {
            Place::Known(_, record) => *record,
            _ => RecordId::random(),
        };
        if matches!(place, Place::New(_)) {
            rows.guest(guest, micros(now));
        } else {
            let change = writing.change().await?;
            change.tx.touch_guest(guest, version, micros(now)).await?;
        }
        let stored = if matches!(place, Place::Known(..)) {
            writing.change().await?.tx.field_heads(guest, record).await?
        } else {
            rows.source(prepared.source_token, guest, record);
            Vec::new()
        };
        let mut rejected = prepared.rejected.clone();
        let written = self
            .write_values(
                (&mut *writing, &mut *rows),
                prepared,
                (guest, record),
                &stored,
                keys,
                &mut rejected,
            )
            .await?;
        self.write_likeness(
            (&mut *writing, &mut *rows),
            prepared,
            (guest, record),
            (
                &written.keys().map(|path| path.as_str()).collect(),
                stored.is_empty() && !prepared.is_pinned(),
            ),
            place.crowded(),
        )
        .await?;
        let review = self.ask_steward(writing, errand, (guest, record), place).await?;
        let mut event = self.put_event(errand, prepared, guest, keys);
        event.fields = written;
        let said = Said {
            record,
            at: prepared.observed_at,
            timed: prepared.input.observed_at.is_some(),
        };
        let mut stays = 0_usize;
        for stay in &prepared.stays {
            if matches!(place, Place::New(_)) {
                rows.stay(self.sealed_stay(said, &with_property(errand, stay), 1, keys)?);
                stays += 1;
                continue;
            }
            let change = writing.change().await?;
            if self.write_stay(change, errand, (guest, said), stay, keys).await? {
                stays += 1;
            } else {
                rejected.push(stale("stays"));
            }
        }
        // Of a source whose clock is ahead the same counts later.
        let whole = !prepared.is_ahead() || !rejected.iter().any(|one| one.reason == STALE);
        let head = self.record_head((prepared, whole), house, (guest, record), keys)?;
        rows.record(guest, head);
        for said in &prepared.consents {
            let change = writing.change().await?;
            let refused = self
                .write_told_consent(change, errand, (guest, record), (&prepared.input, said), keys)
                .await?;
            rejected.extend(refused.map(|refusal| Rejected {
                field: "consents".to_owned(),
                reason: refusal.as_str().to_owned(),
            }));
        }
        if let Some(told) = told(place, guest, (&event, stays > 0)) {
            rows.tell(told.at_property(&errand.property));
        }
        self.note_import(
            (writing, rows),
            errand,
            place,
            (guest, record, version + 1),
            prepared,
        );
        writing.record(event);
        Ok(Done {
            guest,
            record,
            version: version + 1,
            rejected,
            review,
        })
    }

    fn record_head(
        &self,
        (prepared, whole): (&Prepared, bool),
        house: &PropertyCode,
        (guest, record): (GuestId, RecordId),
        keys: &GuestKeys,
    ) -> Result<RecordHead, GuestError> {
        let place = source_id_place(guest, record.0);
        let source_id = keys.seal(Category::Identity, &place, prepared.source_id.as_bytes())?;
        Ok(RecordHead {
            record,
            source: prepared.source.clone(),
            source_id: source_id.into_bytes(),
            provenance: prepared.input.provenance,
            property: house.clone(),
            observed_at: prepared.observed_at,
            received_at: self.clock.now(),
            // What was not heard as a whole is no repetition when it is said again.
            content_mac: prepared.content_mac.iter().copied().filter(|_| whole).collect(),
        })
    }
}

/// Where a source's own id is sealed to.
pub(crate) fn source_id_place(guest: GuestId, record: Uuid) -> Aad<'static> {
    Aad {
        guest,
        record,
        path: "record.source_id",
        version: 1,
    }
}

/// What other systems are told: which fields changed.
fn told(place: &Place, guest: GuestId, (event, stays): (&Event, bool)) -> Option<Announcement> {
    let mut fields: Vec<FieldPath> = event.fields.keys().cloned().collect();
    if stays {
        fields.extend("stay_links".parse());
    }
    match place {
        Place::New(_) => Some(Announcement::guest_created(event.at, guest, fields)),
        _ if fields.is_empty() => None,
        _ => Some(Announcement::guest_updated(event.at, guest, fields)),
    }
}

/// The version of a guest that can be changed.
pub(super) fn changeable(head: Option<&(i64, String, Option<Uuid>)>) -> Result<i64, GuestError> {
    match head {
        Some((version, status, _)) if status == "active" => Ok(*version),
        Some((_, _, Some(survivor))) => Err(GuestError::Moved(GuestId(*survivor))),
        Some((_, status, _)) if status == "restricted" => Err(GuestError::Restricted),
        Some(_) => Err(GuestError::Gone),
        None => Err(GuestError::NotFound),
    }
}

fn exact(field: &str) -> LinkReason {
    LinkReason {
        field: field.to_owned(),
        level: "exact",
        weight: f64::from(64),
    }
}

pub(super) fn answer(place: &Place, done: Done) -> RecordAnswer {
    let resolution = match place {
        Place::Known(..) => Resolution {
            outcome: Outcome::Linked,
            probability: 1.0,
            reasons: vec![exact("source_id")],
            review_id: None,
        },
        Place::Linked(_, decided) | Place::New(decided) => Resolution {
            outcome: match place {
                Place::Linked(..) => Outcome::Linked,
                _ if done.review.is_some() => Outcome::Review,
                _ => Outcome::Created,
            },
            probability: decided.probability,
            reasons: decided.reasons.clone(),
            review_id: done.review,
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
