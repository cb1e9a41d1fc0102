//! A steward's word about two records: of one person, of two, or taken back. It is about records, not guests, so it
//! outlives new scores and weights, merges and their undoing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change, Event},
    base::{Category, Errand, GuestId, RecordId, from_micros, micros},
    guest::{AuditAnswer, GuestError, Vault},
    policy::Right,
    store::StoreError,
};

use super::{
    merge::{MergeAnswer, MergeOptions},
    sql::words::WordRow,
};

/// A steward's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintWord {
    /// Of one person: their guests are made one, and no undoing of a merge parts them.
    Same,
    /// Of two people: they are parted, and nothing makes them one by itself.
    Different,
    /// The earlier word is taken back; what was done for it stays.
    Open,
}

impl ConstraintWord {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Open => "open",
        }
    }
}

/// A record of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordOf {
    /// The guest it is with.
    pub guest_id: GuestId,
    /// The record.
    pub record_id: RecordId,
}

/// What became of a word.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConstraintAnswer {
    /// The word that stands.
    pub decision: ConstraintWord,
    /// With whom the records are now.
    pub one: RecordOf,
    /// With whom the other is now.
    pub other: RecordOf,
    /// The merge that `same` made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeAnswer>,
    /// The record of this call.
    pub audit: AuditAnswer,
}

/// A word that stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Constraint {
    /// `same` or `different`.
    pub decision: ConstraintWord,
    /// A record of this guest.
    pub record_id: RecordId,
    /// The other record.
    pub other_record_id: RecordId,
    /// Since when.
    pub decided_at: DateTime<Utc>,
}

impl From<WordRow> for Constraint {
    fn from(row: WordRow) -> Self {
        Self {
            decision: if row.together {
                ConstraintWord::Same
            } else {
                ConstraintWord::Different
            },
            record_id: RecordId(row.record_id),
            other_record_id: RecordId(row.other_id),
            decided_at: from_micros(row.decided_at),
        }
    }
}

impl Vault {
    /// Remembers a steward's word about two records, and makes it so.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`] of either guest or record, [`GuestError::Moved`] of one that
    /// was merged, [`GuestError::Gone`] of an erased one; [`GuestError::Blocked`] when
    /// something speaks against it that `force` does not overrule; as [`Vault::merge`] and [`Vault::undo_merge`].
    pub async fn say(
        &self,
        errand: &Errand,
        word: ConstraintWord,
        (one, other): (RecordOf, RecordOf),
        force: bool,
    ) -> Result<ConstraintAnswer, GuestError> {
        let event = self.identity_event(errand, Act::ReviewIdentity, one.guest_id);
        if !self
            .policies
            .current()
            .allows(&errand.caller.role, Right::MergeGuests)
        {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        if one.record_id == other.record_id {
            let error = GuestError::bad("other.record_id", "is the same record");
            return self.refuse(event, error).await;
        }
        for place in [one, other] {
            self.must_know(errand, place.guest_id, Act::ReviewIdentity)
                .await?;
            let records = self.store.read().await?.record_ids(place.guest_id).await?;
            if !records.contains(&place.record_id.0) {
                return self.refuse(event, GuestError::NotFound).await;
            }
        }
        if !self.is_of(errand, one.guest_id).await? {
            self.must_be_of(errand, other.guest_id, &event).await?;
        }
        let (mut answer, together) = (None, one.guest_id == other.guest_id);
        let (mut first, mut second) = (one, other);
        match word {
            ConstraintWord::Same if !together => {
                // The older guest goes on: its id is in more hands.
                let both = (one.guest_id.min(other.guest_id), one.guest_id.max(other.guest_id));
                let options = MergeOptions {
                    force,
                    ..MergeOptions::default()
                };
                answer = Some(self.merge(errand, both, options, |_| true).await?);
                (first.guest_id, second.guest_id) = (both.0, both.0);
            }
            ConstraintWord::Different if together => {
                (first.guest_id, second.guest_id) = self.part(errand, event.clone(), (one, other)).await?;
            }
            _ => {}
        }
        let mut tries = 0;
        let audit = loop {
            match self.remember(errand, word, (first, second), event.clone()).await {
                Err(error @ GuestError::Blocked(_)) => return self.refuse(event, error).await,
                Err(error) if error.is_transient() && tries < 6 => tries += 1,
                outcome => break outcome?,
            }
        };
        Ok(ConstraintAnswer {
            decision: word,
            one: first,
            other: second,
            merge: answer,
            audit,
        })
    }

    /// The words that stand about a guest's records, after a place.
    ///
    /// # Errors
    /// As [`Vault::say`].
    pub async fn words(
        &self,
        errand: &Errand,
        guest: GuestId,
        (after, most): ((Uuid, Uuid), i64),
    ) -> Result<Vec<Constraint>, GuestError> {
        let mut event = self.identity_event(errand, Act::ReviewIdentity, guest);
        if !self
            .policies
            .current()
            .allows(&errand.caller.role, Right::MergeGuests)
        {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        self.must_know(errand, guest, Act::ReviewIdentity).await?;
        self.must_be_of(errand, guest, &event).await?;
        let rows = self.store.read().await?.words_of(guest, after, most).await?;
        let keys = self.keys.guest_keys(guest, &[Category::Audit]).await?;
        event.subject = Some(self.subject(guest, Some(&keys)));
        event.outcome = Some("words_listed");
        event.count = u64::try_from(rows.len()).ok();
        self.log.record(event, ()).await?;
        Ok(rows.into_iter().map(Constraint::from).collect())
    }

    /// Parts two records that are with one guest: by undoing the merge that brought them together, or the one gets a
    /// guest of its own.
    async fn part(
        &self,
        errand: &Errand,
        event: Event,
        (one, other): (RecordOf, RecordOf),
    ) -> Result<(GuestId, GuestId), GuestError> {
        let guest = one.guest_id;
        let merges = self.store.read().await?.merges_into(guest).await?;
        for merge in merges {
            let theirs = self
                .store
                .read()
                .await?
                .record_ids(GuestId(merge.absorbed))
                .await?;
            let (has_one, has_other) = (
                theirs.contains(&one.record_id.0),
                theirs.contains(&other.record_id.0),
            );
            if has_one && has_other {
                let reason = format!("they came by merge {}; undo it first", merge.merge_id);
                return self.refuse(event, GuestError::Blocked(reason)).await;
            }
            if has_one || has_other {
                let back = GuestId(merge.absorbed);
                // The steward's new word is stronger than an old one about these very two.
                let word = (one.record_id, other.record_id);
                self.undo_despite(errand, merge.merge_id, Some(word)).await?;
                return Ok(if has_one { (back, guest) } else { (guest, back) });
            }
        }
        let new = self.split(errand, guest, other.record_id.0).await?;
        Ok((guest, new))
    }

    /// Holds the guests of two records as they are until the word about them is written: a merge, or its undoing, comes
    /// before and is seen, or after and sees the word.
    async fn hold_both(
        change: &mut Change,
        heads: &BTreeMap<GuestId, (i64, String, Option<Uuid>)>,
        both: [RecordOf; 2],
    ) -> Result<(), GuestError> {
        for (guest, (version, ..)) in heads {
            if !change.tx.hold_guest(*guest, *version).await? {
                return Err(StoreError::Stale.into());
            }
        }
        for place in both {
            let records = change.tx.record_ids(place.guest_id).await?;
            let is_merged = heads
                .get(&place.guest_id)
                .is_none_or(|(.., survivor)| survivor.is_some());
            if is_merged || !records.contains(&place.record_id.0) {
                let reason = "the guests were made one or parted meanwhile; look again";
                return Err(GuestError::Blocked(reason.to_owned()));
            }
        }
        Ok(())
    }

    async fn remember(
        &self,
        errand: &Errand,
        word: ConstraintWord,
        (one, other): (RecordOf, RecordOf),
        mut event: Event,
    ) -> Result<AuditAnswer, GuestError> {
        let (by, now) = (errand.caller.principal.0, micros(self.clock.now()));
        let guests = [one.guest_id, other.guest_id];
        let heads = self.store.read().await?.guest_heads(&guests).await?;
        let heads = heads.into_iter().collect();
        let mut change = self.log.begin(&self.store).await?;
        Self::hold_both(&mut change, &heads, [one, other]).await?;
        let (first, second) = (one.record_id.0, other.record_id.0);
        change.tx.take_words_back(first, second).await?;
        match word {
            ConstraintWord::Same => change.tx.keep_together(first, second, by, now).await?,
            ConstraintWord::Different => change.tx.keep_apart(first, second, by, now).await?,
            ConstraintWord::Open => {}
        }
        event.outcome = Some(word.as_str());
        let mut entries = Vec::new();
        let mut guests = vec![one.guest_id, other.guest_id];
        guests.dedup();
        for guest in guests {
            let keys = self.keys.guest_keys(guest, &[Category::Audit]).await?;
            let mut event = event.clone();
            event.subject = Some(self.subject(guest, Some(&keys)));
            entries.push(change.record(Self::with_reason(event, errand, Some(&keys))));
        }
        change.commit().await?;
        let entry_id = entries.into_iter().next().ok_or(GuestError::NotFound)?;
        Ok(AuditAnswer { entry_id })
    }
}
