//! A merge undone: every record goes back where it was, with what its source has said since; whatever was not touched
//! meanwhile is again what it was, to the byte. A stay of which both had told differently is sealed anew.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change},
    base::{ConsentId, Errand, GuestId, RecordId, micros},
    consent::Line,
    events::Announcement,
    guest::{Beside, GuestError, Vault},
    policy::Right,
    store::Tx,
};

use super::{
    MOST_PAIRS,
    crossing::Crossing,
    sql::{
        MergeRow,
        crossing::{Head, Moved, Sealed, SealedConsent, SealedValue},
    },
};

/// A merge that was undone.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UndoAnswer {
    /// The merge.
    #[schema(value_type = String, format = Uuid)]
    pub merge_id: Uuid,
    /// Who went on.
    pub guest_id: GuestId,
    /// Who is there again.
    pub restored: GuestId,
}

/// What goes back: the records of the absorbed guest, and what the merge put beside the survivor's own.
pub(super) struct Theirs {
    pub(super) records: BTreeSet<Uuid>,
    pub(super) parts: Vec<(String, Uuid)>,
}

impl Theirs {
    pub(super) fn parts(&self, wanted: &str) -> BTreeSet<Uuid> {
        let parts = self.parts.iter().filter(|(kind, _)| kind == wanted);
        parts.map(|(_, id)| *id).collect()
    }

    /// Of what lies with the survivor that which goes back.
    fn among(&self, awake: Sealed) -> Sealed {
        let consents = self.parts("consent");
        let of = |record: Uuid| self.records.contains(&record);
        let is_their =
            |line: &SealedConsent| consents.contains(&line.consent_id) || line.record_id.is_some_and(of);
        Sealed {
            records: kept(awake.records, |head| of(head.record_id)),
            values: kept(awake.values, |value| of(value.record_id)),
            consents: kept(awake.consents, is_their),
            ..Sealed::default()
        }
    }
}

fn kept<T>(mut list: Vec<T>, keep: impl FnMut(&T) -> bool) -> Vec<T> {
    list.retain(keep);
    list
}

/// Of what goes back that which has changed since; the rest lies there already, as it was.
fn changed(asleep: &Sealed, theirs: &Sealed) -> Sealed {
    let heads: BTreeSet<(Uuid, i64, &[u8])> = asleep.records.iter().map(head_mark).collect();
    let values: BTreeSet<(Uuid, &str, i64)> = asleep.values.iter().map(value_mark).collect();
    let consents: BTreeSet<Uuid> = asleep.consents.iter().map(|line| line.consent_id).collect();
    Sealed {
        records: kept(theirs.records.clone(), |head| !heads.contains(&head_mark(head))),
        values: kept(theirs.values.clone(), |value| {
            !values.contains(&value_mark(value))
        }),
        consents: kept(theirs.consents.clone(), |line| {
            !consents.contains(&line.consent_id)
        }),
        ..Sealed::default()
    }
}

fn head_mark(head: &Head) -> (Uuid, i64, &[u8]) {
    (head.record_id, head.received_at, &head.content_mac)
}

fn value_mark(value: &SealedValue) -> (Uuid, &str, i64) {
    (value.record_id, &value.field, value.version)
}

impl Vault {
    /// Parts two guests that a merge made one, and remembers that they are two.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`]; [`GuestError::Blocked`] when it was undone already, or the
    /// survivor was itself taken into another since: then that merge, which is named, must be undone first.
    pub async fn undo_merge(&self, errand: &Errand, merge: Uuid) -> Result<UndoAnswer, GuestError> {
        self.undo_despite(errand, merge, None).await
    }

    /// The same, though a steward once said of these two records that they are of one person: that word goes with it.
    pub(super) async fn undo_despite(
        &self,
        errand: &Errand,
        merge: Uuid,
        word: Option<(RecordId, RecordId)>,
    ) -> Result<UndoAnswer, GuestError> {
        let mut tries = 0;
        loop {
            match self.undo_found(errand, merge, word).await {
                Err(error) if error.is_transient() && tries < 6 => tries += 1,
                outcome => return outcome,
            }
        }
    }

    /// Undoes a merge as it stands now; a refusal is recorded.
    async fn undo_found(
        &self,
        errand: &Errand,
        merge: Uuid,
        word: Option<(RecordId, RecordId)>,
    ) -> Result<UndoAnswer, GuestError> {
        let found = self.store.read().await?.merge(merge).await?;
        let survivor = found
            .as_ref()
            .map_or_else(GuestId::random, |row| GuestId(row.survivor));
        let event = self.identity_event(errand, Act::Unmerge, survivor);
        if !self
            .policies
            .current()
            .allows(&errand.caller.role, Right::MergeGuests)
        {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let Some(row) = found else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        if row.state != "done" {
            return self
                .refuse(event, GuestError::Blocked("it was undone already".to_owned()))
                .await;
        }
        let later = self.store.read().await?.merge_of(survivor).await?;
        if let Some(later) = later {
            let reason = format!("the survivor was merged since; undo {} first", later.merge_id);
            return self.refuse(event, GuestError::Blocked(reason)).await;
        }
        self.must_know(errand, survivor, Act::Unmerge).await?;
        self.must_be_of(errand, survivor, &event).await?;
        match self.try_undo(errand, &row, word).await {
            Err(error @ GuestError::Blocked(_)) => self.refuse(event, error).await,
            Err(error) => Err(error),
            Ok(()) => Ok(UndoAnswer {
                merge_id: merge,
                guest_id: survivor,
                restored: GuestId(row.absorbed),
            }),
        }
    }

    async fn try_undo(
        &self,
        errand: &Errand,
        row: &MergeRow,
        word: Option<(RecordId, RecordId)>,
    ) -> Result<(), GuestError> {
        let (survivor, restored) = (GuestId(row.survivor), GuestId(row.absorbed));
        let version = self.active_version(survivor).await?;
        let mut others = self.store.read().await?.merges_into(survivor).await?;
        others.retain(|other| other.merge_id != row.merge_id);
        let crossing = self.crossing(survivor, restored).await?;
        let (by, now) = (errand.caller.principal.0, micros(self.clock.now()));
        let mut change = self.log.begin(&self.store).await?;
        change.tx.merge_undone(row.merge_id, by, now).await?;
        change.tx.touch_guest(survivor, version, now).await?;
        change.tx.mark_active(restored, survivor, now).await?;
        Self::must_not_await_erasure(&mut change.tx, (survivor, restored)).await?;
        change.tx.part_reviews((survivor, restored), by, now).await?;
        if let Some((one, other)) = word {
            change.tx.take_words_back(one.0, other.0).await?;
        }
        self.part_rows(&mut change, errand, (row, &others), &crossing)
            .await?;
        let told = Announcement::guest_unmerged(self.clock.now(), survivor, restored);
        change.tx.announce(&told.at_property(&errand.property)).await?;
        self.record_both(&mut change, errand, Act::Unmerge, &crossing);
        change.commit().await?;
        Ok(())
    }

    /// Gives everything back, says for the restored guest what is to be said, and remembers that they are two.
    pub(super) async fn part_rows(
        &self,
        change: &mut Change,
        errand: &Errand,
        merges: (&MergeRow, &[MergeRow]),
        crossing: &Crossing,
    ) -> Result<(), GuestError> {
        let (_, restored) = crossing.ends();
        let (by, now) = (errand.caller.principal.0, micros(self.clock.now()));
        let (stayed, of_both) = self.give_back(&mut change.tx, merges, crossing).await?;
        for line in of_both {
            let said = (line, Beside::default());
            self.append_line(change, errand, (restored, None), said, crossing.keys().1)
                .await?;
        }
        for (one, other) in stayed.into_iter().take(MOST_PAIRS) {
            change.tx.keep_apart(one, other, by, now).await?;
        }
        Ok(())
    }

    /// Gives everything back; what was said since goes with its record. The pairs of records that are of two people, and
    /// what is still to be said of the restored guest.
    async fn give_back(
        &self,
        tx: &mut Tx,
        (row, others): (&MergeRow, &[MergeRow]),
        crossing: &Crossing,
    ) -> Result<(Vec<(Uuid, Uuid)>, Vec<Line>), GuestError> {
        let ends = crossing.ends();
        let (survivor, restored) = ends;
        let (mut awake, mut asleep) = (tx.sealed_of(survivor).await?, tx.sealed_of(restored).await?);
        let parts = tx.merge_parts(row.merge_id).await?;
        let mut theirs = Theirs {
            records: asleep.records.iter().map(|head| head.record_id).collect(),
            parts,
        };
        for observation in theirs.parts("observation") {
            // What a steward kept as a note is a record since.
            let note = self.note_token(observation);
            let note = self.store.read().await?.source_record(&note).await?;
            theirs.records.extend(
                note.filter(|(guest, _)| *guest == survivor)
                    .map(|(_, record)| record.0),
            );
            tx.return_observation(ends, observation).await?;
        }
        let stayed: Vec<Uuid> = awake.records.iter().map(|head| head.record_id).collect();
        let stayed = kept(stayed, |record| !theirs.records.contains(record));
        let going_records: Vec<Uuid> = theirs.records.iter().copied().collect();
        if !crossing.is_in_copy() && tx.are_together(&going_records, &stayed).await? {
            let reason =
                "a steward said of records of the two that they are of one person; take that back first";
            return Err(GuestError::Blocked(reason.to_owned()));
        }
        self.opening(tx, crossing, (&mut awake, &mut asleep)).await?;
        let of_both = self
            .noes_of_both(tx, (row, others), &theirs, &awake.consents)
            .await?;
        self.part_stays(tx, crossing, &theirs, (&awake, &asleep)).await?;
        let going = theirs.among(awake);
        self.carry(tx, crossing, &changed(&asleep, &going)).await?;
        let still: BTreeSet<(Uuid, &str)> = going
            .values
            .iter()
            .map(|v| (v.record_id, v.field.as_str()))
            .collect();
        for value in &asleep.values {
            if !still.contains(&(value.record_id, value.field.as_str())) {
                tx.delete_one_value(restored, value.record_id, &value.field)
                    .await?;
            }
        }
        for record in &theirs.records {
            tx.take_record_away(survivor, *record).await?;
            tx.move_tokens(ends, *record).await?;
        }
        let lines = going.consents.iter().map(|line| line.consent_id);
        for line in lines.chain(theirs.parts("said_again")) {
            tx.delete_merged_consent(survivor, line).await?;
        }
        for what in Moved::ALL {
            for id in theirs.parts(what.as_str()) {
                tx.give_over(what, ends, id).await?;
            }
        }
        for other in others {
            // One that whom another merge took in has as well stood here through what has just gone back.
            let both = (GuestId(other.absorbed), survivor);
            for hold in tx.movable(Moved::Hold, both).await? {
                tx.give_over(Moved::Hold, both, hold).await?;
                tx.insert_part(other.merge_id, Moved::Hold.as_str(), hold).await?;
            }
        }
        tx.share_holds(ends, row.done_at).await?;
        tx.return_findings(ends, micros(self.clock.now())).await?;
        tx.end_sessions(ends).await?;
        for one in [survivor, restored] {
            self.follow_portfolio(tx, one).await?;
        }
        let pairs = theirs.records.iter();
        let pairs = pairs.flat_map(|one| stayed.iter().map(move |other| (*one, *other)));
        Ok((pairs.collect(), of_both))
    }

    /// What was refused since the merge without a record, of which nobody knows whose no it is: it holds for both. What
    /// another merge brought, or only repeated, is not of these two.
    async fn noes_of_both(
        &self,
        tx: &mut Tx,
        (row, others): (&MergeRow, &[MergeRow]),
        theirs: &Theirs,
        awake: &[SealedConsent],
    ) -> Result<Vec<Line>, GuestError> {
        let mut brought = theirs.parts.clone();
        for other in others {
            brought.extend(tx.merge_parts(other.merge_id).await?);
        }
        let brought: BTreeSet<Uuid> = brought.into_iter().map(|(_, id)| id).collect();
        let is_since = |line: &&SealedConsent| {
            // Ids are in the order of their making; a line may be of what was said long before.
            line.record_id.is_none() && line.consent_id > row.merge_id && !brought.contains(&line.consent_id)
        };
        let since: BTreeSet<Uuid> = awake
            .iter()
            .filter(is_since)
            .map(|line| line.consent_id)
            .collect();
        let lines = self.store.read().await?.consents(GuestId(row.survivor)).await?;
        let noes = lines
            .into_iter()
            .filter(|line| line.state.is_no() && since.contains(&line.id.0));
        Ok(noes.map(said_of_both).collect())
    }
}

/// The same no in the other's ledger, from when it was said.
fn said_of_both(no: Line) -> Line {
    Line {
        id: ConsentId::random(),
        channel: "merge".to_owned(),
        indication: "strictest".to_owned(),
        entry: None,
        ..no
    }
}
