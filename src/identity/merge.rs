//! Two guests are one: the absorbed one's records go on under the survivor. What was sealed for the absorbed guest is
//! sealed anew for the survivor; its own rows stay where they are, asleep, until the merge is undone.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{Category, Errand, GuestId, RecordId, micros},
    consent::{Line, strictest},
    crypto::Aad,
    events::Announcement,
    guest::{AuditAnswer, GuestError, LinkReason, Vault, places, resembling::thousandths},
    keys::GuestKeys,
    matching::Score,
    policy::Right,
};

use super::sql::{MergeRow, Sealed};

/// What a merge does, or would do.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MergeAnswer {
    /// Its id; absent in a preview.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    pub merge_id: Option<Uuid>,
    /// Who goes on.
    pub guest_id: GuestId,
    /// Who is taken in; from then on its id answers 308.
    pub absorbed: GuestId,
    /// The survivor's version afterwards.
    pub version: i64,
    /// How sure it is that they are one, as far as their records tell.
    pub probability: f64,
    /// Why; the weights add up to the score in bits.
    pub reasons: Vec<LinkReason>,
    /// Records that go over.
    pub records: usize,
    /// Stays that go over.
    pub stays: usize,
    /// Lines of the consent ledger that go over.
    pub consents: usize,
    /// Refusals and withdrawals that are said again for both, because the strictest wins.
    pub said_again: usize,
    /// What speaks against it: `kept_apart` by a steward's word, `two_lifelong_ids`.
    pub against: Vec<String>,
    /// The record of this call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditAnswer>,
}

/// How a merge is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct MergeOptions {
    /// Only tell what it would do.
    pub dry_run: bool,
    /// Although something speaks against it.
    pub force: bool,
}

/// What is moved: the keys of both, and who they are.
struct Crossing<'k> {
    from: GuestId,
    to: GuestId,
    from_keys: &'k GuestKeys,
    to_keys: &'k GuestKeys,
}

impl Crossing<'_> {
    fn ends(&self) -> (GuestId, GuestId) {
        (self.from, self.to)
    }
}

/// Opens at one place and seals at another.
pub(super) fn reseal(
    (from, to): (&GuestKeys, &GuestKeys),
    category: Category,
    (old, new): (&Aad<'_>, &Aad<'_>),
    sealed: &[u8],
) -> Result<Vec<u8>, GuestError> {
    let plain = from.open_internal(category, sealed, old)?;
    Ok(to.seal(category, new, &plain)?.into_bytes())
}

impl Vault {
    /// Takes one guest into another, or tells what that would do.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`] of either, [`GuestError::Blocked`] when something speaks
    /// against it and it is not forced; and what store, keys or log fail with: then nothing is changed.
    pub async fn merge(
        &self,
        errand: &Errand,
        (survivor, absorbed): (GuestId, GuestId),
        options: MergeOptions,
    ) -> Result<MergeAnswer, GuestError> {
        let mut event = self.identity_event(errand, Act::Merge, survivor);
        if !self
            .policies
            .current()
            .allows(&errand.caller.role, Right::MergeGuests)
        {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        if survivor == absorbed {
            let error = GuestError::BadQuestion {
                field: "absorb".to_owned(),
                reason: "is the same guest".to_owned(),
            };
            return self.refuse(event, error).await;
        }
        self.must_know(errand, survivor, Act::Merge).await?;
        self.must_know(errand, absorbed, Act::Merge).await?;
        let score = self.compare(survivor, absorbed).await?;
        let mut against = Vec::new();
        if score.veto {
            against.push("two_lifelong_ids".to_owned());
        }
        if self.are_apart(survivor, absorbed).await? {
            against.push("kept_apart".to_owned());
        }
        if let (Some(reason), false, false) = (against.first(), options.force, options.dry_run) {
            let error =
                GuestError::Blocked(format!("{reason}; repeat it with force=true if you know better"));
            return self.refuse(event, error).await;
        }
        let mut answer = self
            .preview_merge(errand, (survivor, absorbed), &score, against)
            .await?;
        if options.dry_run {
            event.outcome = Some("dry_run");
            let receipt = self.log.record(event, ()).await?;
            answer.audit = Some(AuditAnswer {
                entry_id: receipt.entry(),
            });
            return Ok(answer);
        }
        let mut tries = 0;
        loop {
            match self.try_merge(errand, (survivor, absorbed), &score).await {
                Err(error) if error.is_transient() && tries < 6 => tries += 1,
                Err(error) => return Err(error),
                Ok((merge, version)) => {
                    answer.merge_id = Some(merge);
                    answer.version = version;
                    return Ok(answer);
                }
            }
        }
    }

    /// An event of this folder about a guest.
    pub(super) fn identity_event(&self, errand: &Errand, act: Act, guest: GuestId) -> Event {
        let mut event = Event::of(errand, act, self.clock.now());
        event.policy_version = Some(self.policies.current().version().to_owned());
        event.subject = Some(self.subject(guest, None));
        event
    }

    async fn preview_merge(
        &self,
        errand: &Errand,
        (survivor, absorbed): (GuestId, GuestId),
        score: &Score,
        against: Vec<String>,
    ) -> Result<MergeAnswer, GuestError> {
        let version = self.active_version(survivor).await?;
        let mut conn = self.store.read().await?;
        let records = conn.record_ids(absorbed).await?.len();
        let stays = conn.stays(absorbed).await?.len();
        let (own, others) = (conn.consents(survivor).await?, conn.consents(absorbed).await?);
        Ok(MergeAnswer {
            merge_id: None,
            guest_id: survivor,
            absorbed,
            version,
            probability: score.probability(),
            reasons: self.told(errand, score),
            records,
            stays,
            consents: others.len(),
            said_again: strictest(&[&own, &others], &self.properties, self.clock.now()).len(),
            against,
            audit: None,
        })
    }

    async fn try_merge(
        &self,
        errand: &Errand,
        (survivor, absorbed): (GuestId, GuestId),
        score: &Score,
    ) -> Result<(Uuid, i64), GuestError> {
        let versions = (
            self.active_version(survivor).await?,
            self.active_version(absorbed).await?,
        );
        let from_keys = self.keys.guest_keys(absorbed, &Category::ALL).await?;
        let present: Vec<Category> = Category::ALL
            .into_iter()
            .filter(|category| from_keys.has(*category))
            .collect();
        let to_keys = self.keys.ensure_guest_keys(survivor, &present).await?;
        let crossing = Crossing {
            from: absorbed,
            to: survivor,
            from_keys: &from_keys,
            to_keys: &to_keys,
        };
        let merge = Uuid::now_v7();
        let now = micros(self.clock.now());
        let by = errand.caller.principal.0;
        let mut change = self.log.begin(&self.store).await?;
        change.tx.touch_guest(survivor, versions.0, now).await?;
        change.tx.mark_merged(absorbed, survivor, versions.1, now).await?;
        let mut read = self.store.read().await?;
        let (own, others) = (read.consents(survivor).await?, read.consents(absorbed).await?);
        drop(read);
        self.carry(&mut change, merge, &crossing).await?;
        for line in strictest(&[&own, &others], &self.properties, self.clock.now()) {
            self.say_again(&mut change, merge, survivor, &line).await?;
        }
        let manager_moved = i64::from(change.tx.take_manager(survivor, absorbed).await?);
        let row = MergeRow {
            merge_id: merge,
            survivor: survivor.0,
            absorbed: absorbed.0,
            state: "done".to_owned(),
            manager_moved,
        };
        let weights = self.matcher.weights();
        change
            .tx
            .insert_merge(&row, (thousandths(score.bits), &weights.version), by, now)
            .await?;
        change.tx.close_reviews(survivor, absorbed, by, now).await?;
        let told = Announcement::guest_merged(self.clock.now(), survivor, absorbed);
        change.tx.announce(&told.at_property(&errand.property)).await?;
        self.record_both(
            &mut change,
            errand,
            Act::Merge,
            [(survivor, &to_keys), (absorbed, &from_keys)],
        );
        change.commit().await?;
        Ok((merge, versions.0 + 1))
    }

    /// Records an act about two guests, once in the chain of each.
    pub(super) fn record_both(
        &self,
        change: &mut Change,
        errand: &Errand,
        act: Act,
        both: [(GuestId, &GuestKeys); 2],
    ) {
        for (guest, keys) in both {
            let mut event = self.identity_event(errand, act, guest);
            event.subject = Some(self.subject(guest, Some(keys)));
            change.record(Self::with_reason(event, errand, Some(keys)));
        }
    }

    /// Seals all of the absorbed guest for the survivor, and gives over what it is found by.
    async fn carry(
        &self,
        change: &mut Change,
        merge: Uuid,
        crossing: &Crossing<'_>,
    ) -> Result<(), GuestError> {
        let ends = crossing.ends();
        let own_stays: BTreeSet<Uuid> = change
            .tx
            .sealed_of(crossing.to)
            .await?
            .stays
            .iter()
            .map(|stay| stay.stay_token)
            .collect();
        let Sealed {
            records,
            values,
            stays,
            consents,
        } = change.tx.sealed_of(crossing.from).await?;
        for head in &records {
            let record = head.record_id;
            let place = |guest| places::source_id(guest, record);
            let sealed = reseal(
                (crossing.from_keys, crossing.to_keys),
                Category::Identity,
                (&place(crossing.from), &place(crossing.to)),
                &head.source_id,
            )?;
            change.tx.copy_record(ends, record, &sealed).await?;
            change.tx.move_tokens(ends, record).await?;
        }
        for value in &values {
            let category = self.category_of(&value.field)?;
            let place = |guest| places::value(guest, value.record_id, &value.field, value.version);
            let sealed = reseal(
                (crossing.from_keys, crossing.to_keys),
                category,
                (&place(crossing.from), &place(crossing.to)),
                &value.sealed,
            )?;
            change
                .tx
                .copy_value(ends, (value.record_id, &value.field), &sealed)
                .await?;
        }
        for stay in stays.iter().filter(|stay| !own_stays.contains(&stay.stay_token)) {
            let path = places::stay_path(&stay.property);
            let place = |guest| places::stay(guest, stay.stay_token, &path, stay.version);
            let sealed = reseal(
                (crossing.from_keys, crossing.to_keys),
                Category::Stay,
                (&place(crossing.from), &place(crossing.to)),
                &stay.sealed,
            )?;
            change.tx.copy_stay(ends, stay.stay_token, &sealed).await?;
            change.tx.insert_part(merge, "stay", stay.stay_token).await?;
        }
        for consent in &consents {
            let id = consent.consent_id;
            let again = |sealed: &Option<Vec<u8>>, place: &dyn Fn(GuestId) -> Aad<'static>| {
                let seal = |sealed: &Vec<u8>| {
                    reseal(
                        (crossing.from_keys, crossing.to_keys),
                        Category::Consent,
                        (&place(crossing.from), &place(crossing.to)),
                        sealed,
                    )
                };
                sealed.as_ref().map(seal).transpose()
            };
            let evidence = again(&consent.evidence, &|guest| places::evidence(guest, id))?;
            let details = again(&consent.details, &|guest| places::details(guest, id))?;
            change.tx.copy_consent(ends, id, (evidence, details)).await?;
            change.tx.insert_part(merge, "consent", id).await?;
        }
        Ok(())
    }

    /// Says a refusal again for both, so that no yes of the one overrules a no of the other.
    async fn say_again(
        &self,
        change: &mut Change,
        merge: Uuid,
        guest: GuestId,
        line: &Line,
    ) -> Result<(), GuestError> {
        change
            .tx
            .append_consent(guest, None::<RecordId>, line, (None, None))
            .await?;
        change.tx.insert_part(merge, "said_again", line.id.0).await?;
        Ok(())
    }

    /// The drawer of a field.
    pub(super) fn category_of(&self, field: &str) -> Result<Category, GuestError> {
        let policy = self.policies.current();
        let found = policy.catalogue().find(field);
        found.map(|(_, field)| field.category).ok_or(GuestError::Damaged)
    }
}
