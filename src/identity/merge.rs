//! Two guests are one: the absorbed one's records go on under the survivor. What was sealed for the absorbed guest is
//! sealed anew for the survivor; its own rows stay where they are, asleep, until the merge is undone.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event, RESTORED},
    base::{Errand, GuestId, micros},
    consent::strictest,
    events::Announcement,
    guest::{AuditAnswer, Beside, GuestError, LinkReason, Vault, resembling::thousandths},
    matching::Score,
    policy::Right,
    store::{StoreError, Tx},
};

use super::{
    apart::speaks_against,
    crossing::Crossing,
    sql::{MergeRow, crossing::Moved},
};

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
    /// The question that it answers.
    pub review: Option<Uuid>,
}

/// On what grounds two guests are taken for one.
#[derive(Clone, Copy)]
pub(super) struct Grounds<'g> {
    /// How alike they are.
    pub(super) score: &'g Score,
    /// Although something speaks against it.
    pub(super) force: bool,
    /// The question that it answers.
    pub(super) review: Option<Uuid>,
    /// The versions of the two that were compared, where nobody may have written to them since.
    pub(super) versions: Option<(i64, i64)>,
}

impl<'g> Grounds<'g> {
    /// Their likeness alone.
    pub(super) const fn of(score: &'g Score) -> Self {
        Self {
            score,
            force: false,
            review: None,
            versions: None,
        }
    }
}

/// The refusal of a second answer to a question.
pub(super) fn answered_already() -> GuestError {
    GuestError::Blocked("it was answered already".to_owned())
}

impl Vault {
    /// Takes one guest into another, or tells what that would do.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`] of either, [`GuestError::Blocked`] when something speaks
    /// against it and it is not forced; [`GuestError::Stale`] when `expected` does not hold for the survivor's version;
    /// and what store, keys or log fail with: then nothing is changed.
    pub async fn merge(
        &self,
        errand: &Errand,
        (survivor, absorbed): (GuestId, GuestId),
        options: MergeOptions,
        expected: impl Fn(i64) -> bool,
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
            let error = GuestError::bad("absorb", "is the same guest");
            return self.refuse(event, error).await;
        }
        self.must_know(errand, survivor, Act::Merge).await?;
        self.must_know(errand, absorbed, Act::Merge).await?;
        // Who works for one house has no say in two guests of others.
        if !self.is_of(errand, survivor).await? {
            self.must_be_of(errand, absorbed, &event).await?;
        }
        if self
            .active_version(survivor)
            .await
            .is_ok_and(|version| !expected(version))
        {
            return self.refuse(event, GuestError::Stale).await;
        }
        let score = self.compared(survivor, absorbed).await?;
        let against = self.against((survivor, absorbed), &score).await?;
        if let (Some(reason), false, false) = (against.first(), options.force, options.dry_run) {
            return self.refuse(event, speaks_against(reason)).await;
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
        let grounds = Grounds {
            score: &score,
            force: options.force,
            review: options.review,
            versions: None,
        };
        let found = self.merge_found(errand, (survivor, absorbed), grounds).await;
        let (merge, version) = match found {
            // What was so when it was asked for is so no longer.
            Err(
                error @ (GuestError::Blocked(_)
                | GuestError::NotFound
                | GuestError::Moved(_)
                | GuestError::Gone
                | GuestError::Restricted),
            ) => return self.refuse(event, error).await,
            other => other?,
        };
        answer.merge_id = Some(merge);
        answer.version = version;
        Ok(answer)
    }

    /// Takes one guest into another of whom was found that nothing speaks against it; again when another writer was
    /// faster. The merge, and the survivor's version.
    ///
    /// # Errors
    /// [`GuestError::Blocked`] when a steward's word has come since, or another answer to the question;
    /// [`GuestError::Stale`] when the two are no longer of the versions that were compared.
    pub(super) async fn merge_found(
        &self,
        errand: &Errand,
        both: (GuestId, GuestId),
        grounds: Grounds<'_>,
    ) -> Result<(Uuid, i64), GuestError> {
        let mut tries = 0;
        loop {
            match self.try_merge(errand, both, grounds).await {
                Err(error) if error.is_transient() && tries < 6 => tries += 1,
                outcome => return outcome,
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
        Grounds {
            score,
            force,
            review,
            versions: compared,
        }: Grounds<'_>,
    ) -> Result<(Uuid, i64), GuestError> {
        let versions = (
            self.active_version(survivor).await?,
            self.active_version(absorbed).await?,
        );
        if compared.is_some_and(|compared| compared != versions) {
            return Err(GuestError::Stale);
        }
        let crossing = self.crossing(absorbed, survivor).await?;
        let merge = Uuid::now_v7();
        let now = micros(self.clock.now());
        let by = errand.caller.principal.0;
        let mut change = self.log.begin(&self.store).await?;
        change.tx.touch_guest(survivor, versions.0, now).await?;
        change.tx.mark_merged(absorbed, survivor, versions.1, now).await?;
        Self::must_not_await_erasure(&mut change.tx, (survivor, absorbed)).await?;
        let mut read = self.store.read().await?;
        let (own, others) = (read.consents(survivor).await?, read.consents(absorbed).await?);
        drop(read);
        if let Some(review) = review {
            match change.tx.answer_review(review, "answered", (by, now), 0).await {
                Err(StoreError::Stale) => return Err(answered_already()),
                other => other?,
            }
        }
        // Before the absorbed guest's questions become the survivor's: those about the two are answered, not moved.
        change.tx.close_reviews(survivor, absorbed, by, now).await?;
        if !force {
            Self::must_not_be_apart(&mut change.tx, (survivor, absorbed)).await?;
        }
        self.take_in(&mut change.tx, merge, &crossing).await?;
        for line in strictest(&[&own, &others], &self.properties, self.clock.now()) {
            // A refusal is said again for both, so that no yes of the one overrules a no of the other.
            let said = (line, Beside::default());
            let line = self
                .append_line(&mut change, errand, (survivor, None), said, crossing.keys().1)
                .await?;
            change.tx.insert_part(merge, "said_again", line.id.0).await?;
        }
        let manager_moved = i64::from(change.tx.take_manager(survivor, absorbed).await?);
        let row = MergeRow {
            merge_id: merge,
            survivor: survivor.0,
            absorbed: absorbed.0,
            state: "done".to_owned(),
            manager_moved,
            done_at: now,
        };
        let weights = self.matcher.weights();
        change
            .tx
            .insert_merge(&row, (thousandths(score.bits), &weights.version), by, now)
            .await?;
        let told = Announcement::guest_merged(self.clock.now(), survivor, absorbed);
        change.tx.announce(&told.at_property(&errand.property)).await?;
        self.record_both(&mut change, errand, Act::Merge, &crossing);
        change.commit().await?;
        Ok((merge, versions.0 + 1))
    }

    /// What was approved is the erasure of whom the preview counted: nobody is added while it waits, nobody taken out.
    pub(super) async fn must_not_await_erasure(
        tx: &mut Tx,
        both: (GuestId, GuestId),
    ) -> Result<(), GuestError> {
        if tx.erasure_waits(both).await? {
            let reason =
                "an approved erasure of one of them waits for a stay or a hold to end: it goes first";
            return Err(GuestError::Blocked(reason.to_owned()));
        }
        Ok(())
    }

    /// Records an act about two guests, once in the chain of each.
    pub(super) fn record_both(&self, change: &mut Change, errand: &Errand, act: Act, crossing: &Crossing) {
        let (from, to) = crossing.keys();
        for keys in [to, from] {
            let guest = keys.guest();
            let mut event = self.identity_event(errand, act, guest);
            event.subject = Some(self.subject(guest, Some(keys)));
            event.outcome = crossing.is_in_copy().then_some(RESTORED);
            change.record(Self::with_reason(event, errand, Some(keys)));
        }
    }

    /// Seals all of the absorbed guest for the survivor, and gives over what it is found by and what concerns it.
    async fn take_in(&self, tx: &mut Tx, merge: Uuid, crossing: &Crossing) -> Result<(), GuestError> {
        let ends = crossing.ends();
        let (all, own) = (tx.sealed_of(ends.0).await?, tx.sealed_of(ends.1).await?);
        self.take_in_stays(tx, crossing, (&all, &own)).await?;
        self.carry(tx, crossing, &all).await?;
        for head in &all.records {
            tx.move_tokens(ends, head.record_id).await?;
        }
        let consents = all.consents.iter().map(|line| ("consent", line.consent_id));
        let noticed = all
            .observations
            .iter()
            .map(|one| ("observation", one.observation_id));
        for (kind, part) in consents.chain(noticed) {
            tx.insert_part(merge, kind, part).await?;
        }
        tx.copy_findings(ends).await?;
        tx.end_sessions(ends).await?;
        for what in Moved::ALL {
            for id in tx.movable(what, ends).await? {
                tx.give_over(what, ends, id).await?;
                tx.insert_part(merge, what.as_str(), id).await?;
            }
        }
        Ok(())
    }
}
