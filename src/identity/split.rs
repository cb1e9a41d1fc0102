//! A record that is another person's than the rest of its guest: it goes, with all that came with it, to a guest of its
//! own.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{
    audit::{Act, Change},
    base::{Category, Errand, GuestId, micros},
    consent::{Line, strictest},
    events::Announcement,
    guest::{Beside, GuestError, Vault, sql::Rows},
};

use super::{MOST_PAIRS, crossing::Crossing, sql::crossing::Sealed, undo::Theirs};

impl Sealed {
    /// What came with these records.
    fn of_records(self, wanted: &BTreeSet<Uuid>) -> Self {
        Self {
            records: self
                .records
                .into_iter()
                .filter(|head| wanted.contains(&head.record_id))
                .collect(),
            values: self
                .values
                .into_iter()
                .filter(|value| wanted.contains(&value.record_id))
                .collect(),
            consents: self
                .consents
                .into_iter()
                .filter(|line| line.record_id.is_some_and(|record| wanted.contains(&record)))
                .collect(),
            ..Self::default()
        }
    }
}

impl Vault {
    /// Takes a record out of a guest into one of its own, and remembers that it is another's; the new guest.
    ///
    /// Whether a no was this person's or the other's is not known for what did not come with a record: it holds for both.
    pub(super) async fn split(
        &self,
        errand: &Errand,
        guest: GuestId,
        record: Uuid,
    ) -> Result<GuestId, GuestError> {
        let mut tries = 0;
        loop {
            let new = GuestId::random();
            match self.try_split(errand, (guest, new), record).await {
                Ok(()) => return Ok(new),
                Err(error) => {
                    if error.is_undone() {
                        // This guest was never made; its keys must not outlive the attempt.
                        self.keys.destroy(new, None).await?;
                    }
                    if !error.is_transient() || tries >= 6 {
                        return Err(error);
                    }
                    tries += 1;
                }
            }
        }
    }

    async fn try_split(
        &self,
        errand: &Errand,
        (guest, new): (GuestId, GuestId),
        record: Uuid,
    ) -> Result<(), GuestError> {
        let version = self.active_version(guest).await?;
        let crossing = self.crossing(guest, new).await?;
        let now = micros(self.clock.now());
        let mut change = self.log.begin(&self.store).await?;
        change.tx.touch_guest(guest, version, now).await?;
        Self::must_not_await_erasure(&mut change.tx, (guest, new)).await?;
        self.take_out(&mut change, errand, &crossing, BTreeSet::from([record]))
            .await?;
        let told = Announcement::guest_unmerged(self.clock.now(), guest, new);
        change.tx.announce(&told.at_property(&errand.property)).await?;
        self.record_both(&mut change, errand, Act::Unmerge, &crossing);
        change.commit().await?;
        Ok(())
    }

    /// Gives records, with all that came with them, to a guest that is made for them.
    pub(super) async fn take_out(
        &self,
        change: &mut Change,
        errand: &Errand,
        crossing: &Crossing,
        records: BTreeSet<Uuid>,
    ) -> Result<(), GuestError> {
        let (guest, new) = crossing.ends();
        let (by, now) = (errand.caller.principal.0, micros(self.clock.now()));
        let mut rows = Rows::default();
        rows.guest(new, now);
        change.tx.write(rows).await?;
        let mut all = change.tx.sealed_of(guest).await?;
        let stayed: Vec<Uuid> = all
            .records
            .iter()
            .map(|head| head.record_id)
            .filter(|id| !records.contains(id))
            .collect();
        let theirs = Theirs {
            records,
            parts: Vec::new(),
        };
        self.opening(&mut change.tx, crossing, (&mut all, &mut Sealed::default()))
            .await?;
        self.part_stays(&mut change.tx, crossing, &theirs, (&all, &Sealed::default()))
            .await?;
        let going = all.of_records(&theirs.records);
        self.carry(&mut change.tx, crossing, &going).await?;
        if !crossing.carries(Category::Identity) {
            // They are its records, though nobody can tell any more what their source calls them.
            for head in &going.records {
                change.tx.copy_record((guest, new), head.record_id, &[]).await?;
            }
        }
        for record in &theirs.records {
            change.tx.take_record_away(guest, *record).await?;
            change.tx.move_tokens((guest, new), *record).await?;
        }
        for line in &going.consents {
            change.tx.delete_merged_consent(guest, line.consent_id).await?;
        }
        change.tx.copy_holds((guest, new)).await?;
        change.tx.end_sessions((guest, new)).await?;
        for one in [guest, new] {
            self.follow_portfolio(&mut change.tx, one).await?;
        }
        for line in self.noes(guest, &going).await? {
            let said = (line, Beside::default());
            self.append_line(change, errand, (new, None), said, crossing.keys().1)
                .await?;
        }
        let pairs = stayed.iter();
        let pairs = pairs.flat_map(|other| theirs.records.iter().map(move |record| (*record, *other)));
        for (record, other) in pairs.take(MOST_PAIRS) {
            change.tx.keep_apart(record, other, by, now).await?;
        }
        Ok(())
    }

    /// What the rest of the guest's ledger refuses and the record's own lines allow.
    async fn noes(&self, guest: GuestId, going: &Sealed) -> Result<Vec<Line>, GuestError> {
        let ids: BTreeSet<Uuid> = going.consents.iter().map(|line| line.consent_id).collect();
        let lines = self.store.read().await?.consents(guest).await?;
        let (own, rest): (Vec<Line>, Vec<Line>) =
            lines.into_iter().partition(|line| ids.contains(&line.id.0));
        let own_no = |line: &Line| {
            own.iter()
                .any(|mine| mine.at == line.at && mine.state == line.state)
        };
        let mut again = strictest(&[&own, &rest], &self.properties, self.clock.now());
        again.retain(|line| !own_no(line));
        Ok(again)
    }
}
