//! A record that is another person's than the rest of its guest: it goes, with all that came with it, to a guest of its
//! own.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{
    audit::Act,
    base::{Errand, GuestId, micros},
    consent::{Line, strictest},
    events::Announcement,
    guest::{Beside, GuestError, Vault, sql::Rows},
};

use super::{MOST_PAIRS, sql::crossing::Sealed, undo::Theirs};

impl Sealed {
    /// What came with one record.
    fn of_record(self, record: Uuid) -> Self {
        Self {
            records: self
                .records
                .into_iter()
                .filter(|head| head.record_id == record)
                .collect(),
            values: self
                .values
                .into_iter()
                .filter(|value| value.record_id == record)
                .collect(),
            consents: self
                .consents
                .into_iter()
                .filter(|line| line.record_id == Some(record))
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
        let (by, now) = (errand.caller.principal.0, micros(self.clock.now()));
        let mut change = self.log.begin(&self.store).await?;
        change.tx.touch_guest(guest, version, now).await?;
        Self::must_not_await_erasure(&mut change.tx, (guest, new)).await?;
        let mut rows = Rows::default();
        rows.guest(new, now);
        change.tx.write(rows).await?;
        let all = change.tx.sealed_of(guest).await?;
        let stayed: Vec<Uuid> = all
            .records
            .iter()
            .map(|head| head.record_id)
            .filter(|id| *id != record)
            .collect();
        let theirs = Theirs {
            records: BTreeSet::from([record]),
            parts: Vec::new(),
        };
        self.part_stays(&mut change.tx, &crossing, &theirs, (&all, &Sealed::default()))
            .await?;
        let going = all.of_record(record);
        self.carry(&mut change.tx, &crossing, &going).await?;
        change.tx.take_record_away(guest, record).await?;
        change.tx.move_tokens((guest, new), record).await?;
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
            self.append_line(&mut change, errand, (new, None), said, crossing.keys().1)
                .await?;
        }
        for other in stayed.into_iter().take(MOST_PAIRS) {
            change.tx.keep_apart(record, other, by, now).await?;
        }
        let told = Announcement::guest_unmerged(self.clock.now(), guest, new);
        change.tx.announce(&told.at_property(&errand.property)).await?;
        self.record_both(&mut change, errand, Act::Unmerge, &crossing);
        change.commit().await?;
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
