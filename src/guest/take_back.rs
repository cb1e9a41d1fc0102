//! An import is taken back, while nothing else has touched what it wrote.
//!
//! The records that it made are removed, and the guests that nobody else speaks of. What it changed of records that were
//! there before stays: their earlier values are gone. Of a stay that others told, too, their words are left. A yes goes with
//! the record that told it, a no stays.
//!
//! Each guest is asked about again under the lock under which its records go: what was acknowledged meanwhile (a hold, a
//! request, a refusal, a note) keeps the guest.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Change},
    base::{Category, ConsentId, Errand, GuestId, ImportId, RecordId, micros},
    events::Announcement,
    store::StoreError,
};

use super::{
    GuestError, Job, RecordAnswer, Vault,
    put::{TRIES, pause},
    sql::import::{MadeRow, is_there, touched},
    together::Waiting,
};

/// Guests read at once.
const PAGE: i64 = 200;

/// What was taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct RolledBack {
    /// Records that are gone.
    pub removed_records: u64,
    /// Guests that are gone with them.
    pub removed_guests: u64,
    /// Records that stay with what the import wrote: they were there before it, or something else has touched their
    /// guest since.
    pub kept_records: u64,
}

/// Whether an import is being taken back, or has been.
fn is_begun(job: &Job) -> bool {
    ["rolling_back", "rolled_back"].contains(&job.state.as_str())
}

/// What was found a moment ago is there no longer: tried again, it is new.
fn taken_back() -> GuestError {
    StoreError::Stale.into()
}

impl Vault {
    /// Takes an import back. It takes no more records from then on: what still sends some is told so. Once begun it is
    /// carried on though the caller goes away; stopped half-way it can be asked for again, and goes on.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`]; [`GuestError::Touched`] when something else has changed a
    /// guest that it wrote to, has said again what it said, or counts on the guest (a hold, an open request, a note, a
    /// consumer's handle): then nothing is taken back.
    pub async fn roll_back_import(
        &self,
        errand: &Errand,
        import: ImportId,
    ) -> Result<RolledBack, GuestError> {
        let event = self.import_event(errand, Act::RollBackImport);
        self.may_import(errand, &event).await?;
        let job = self.store.read().await?.import_job(import).await?;
        let Some(job) = job.filter(|job| self.properties.within(&job.property, &errand.property)) else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        let started_at = micros(job.started_at);
        if !is_begun(&job) {
            let mut conn = self.store.read().await?;
            let others = touched(&mut conn, (import, started_at), (Uuid::nil(), Uuid::max())).await?;
            // By another call, which this one then helps.
            let begun = others > 0 && conn.import_job(import).await?.is_some_and(|job| is_begun(&job));
            drop(conn);
            if others > 0 && !begun {
                let guests = u64::try_from(others).unwrap_or(u64::MAX);
                return self.refuse(event, GuestError::Touched(guests)).await;
            }
            let mut tx = self.store.begin().await?;
            tx.set_import_state(import, "rolling_back", micros(event.at))
                .await?;
            tx.commit().await?;
        }
        let (vault, errand) = (self.clone(), errand.clone());
        let work = async move {
            let outcome = vault.take_all_back(&errand, import, started_at).await;
            if let Err(error) = &outcome {
                tracing::error!(%error, "an import is taken back in part; it goes on when it is asked for again");
            }
            outcome
        };
        tokio::spawn(work).await.map_err(|_| GuestError::Unanswered)?
    }

    async fn take_all_back(
        &self,
        errand: &Errand,
        import: ImportId,
        started_at: i64,
    ) -> Result<RolledBack, GuestError> {
        let mut done = RolledBack::default();
        let mut after = Uuid::nil();
        loop {
            let guests = self.store.read().await?.guests_made(import, after, PAGE).await?;
            let Some(last) = guests.last() else { break };
            after = *last;
            for guest in guests {
                let (records, gone) = self
                    .take_back(errand, (import, started_at), GuestId(guest))
                    .await?;
                done.removed_records += records;
                done.removed_guests += u64::from(gone);
            }
        }
        let mut event = self.import_event(errand, Act::RollBackImport);
        event.count = Some(done.removed_records);
        let mut change = self.log.begin(&self.store).await?;
        change
            .tx
            .set_import_state(import, "rolled_back", micros(event.at))
            .await?;
        change.tx.forget_import_progress(started_at).await?;
        change.record(event);
        change.commit().await?;
        let kept = self.store.read().await?.import_kept(import).await?;
        done.kept_records = u64::try_from(kept).unwrap_or(0);
        Ok(done)
    }

    /// Takes back what an import made of one guest, again when another writer was faster: how many records are gone, and
    /// whether the guest is.
    async fn take_back(
        &self,
        errand: &Errand,
        job: (ImportId, i64),
        guest: GuestId,
    ) -> Result<(u64, bool), GuestError> {
        let mut tries = 0;
        loop {
            match self.try_to_take_back(errand, job, guest).await {
                Err(error) if error.is_transient() && tries < TRIES => {
                    tries += 1;
                    pause(tries).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_to_take_back(
        &self,
        errand: &Errand,
        (import, started_at): (ImportId, i64),
        guest: GuestId,
    ) -> Result<(u64, bool), GuestError> {
        let keys = self
            .keys
            .guest_keys(guest, &[Category::Stay, Category::Audit])
            .await?;
        let mut event = self.import_event(errand, Act::RollBackImport);
        event.subject = Some(self.subject(guest, Some(&keys)));
        let mut change = self.log.begin(&self.store).await?;
        // Who speaks of the guest from here on waits, and then finds what is left of it.
        if !change.tx.keep_still(guest).await? {
            return Ok((0, false));
        }
        let one = (guest.0, guest.0);
        if touched(&mut change.tx, (import, started_at), one).await? > 0 {
            return Ok((0, false));
        }
        let rows = change.tx.import_made(import, guest).await?;
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        if rows.is_empty() {
            return Ok((0, false));
        }
        let version = self.active_version(guest).await?;
        change.tx.touch_guest(guest, version, micros(event.at)).await?;
        for MadeRow {
            record_id,
            source_token,
        } in rows
        {
            let record = RecordId(record_id);
            self.say_what_goes(&mut change, errand, (guest, record)).await?;
            self.forget_words_of(&mut change.tx, &keys, record).await?;
            change.tx.delete_record(guest, record, &source_token).await?;
            change.tx.forget_mark(import, (guest, record)).await?;
        }
        let gone = change.tx.delete_if_empty(guest).await?;
        let told = if gone {
            Announcement::guest_erased(event.at, guest, None)
        } else {
            self.follow_portfolio(&mut change.tx, guest).await?;
            Announcement::guest_updated(event.at, guest, Vec::new())
        };
        change.tx.announce(&told).await?;
        event.count = Some(count);
        change.record(event);
        change.commit().await?;
        if gone {
            self.keys.destroy(guest, None).await?;
        }
        Ok((count, gone))
    }

    /// Announces that what a record alone agreed to is agreed to no longer.
    async fn say_what_goes(
        &self,
        change: &mut Change,
        errand: &Errand,
        (guest, record): (GuestId, RecordId),
    ) -> Result<(), GuestError> {
        for (line, purpose) in change.tx.agreed_by(guest, record).await? {
            if let Ok(purpose) = purpose.parse() {
                let now = self.clock.now();
                let told = Announcement::consent_changed(now, guest, &purpose, ConsentId(line));
                change.tx.announce(&told.at_property(&errand.property)).await?;
            }
        }
        Ok(())
    }

    /// Notes of records that said what they said before, and that an import made, that they were said again: it cannot be
    /// taken back without who did.
    pub(super) async fn note_heard(&self, heard: &[(&Waiting, &RecordAnswer)]) -> Result<(), GuestError> {
        if heard.is_empty() {
            return Ok(());
        }
        let mut due = Vec::new();
        let mut conn = self.store.read().await?;
        for (waiting, answer) in heard {
            let import = waiting.prepared.import.map_or(Uuid::nil(), |import| import.0);
            let place = (answer.guest_id, answer.record_id);
            if !is_there(&mut conn, place).await? {
                return Err(taken_back());
            }
            if conn.is_unheard(import, place).await? {
                due.push((import, place, &waiting.prepared.source_token));
            }
        }
        drop(conn);
        if due.is_empty() {
            return Ok(());
        }
        // In one order, so that two who note the same do not wait for each other.
        due.sort_unstable_by_key(|(_, place, _)| *place);
        let mut tx = self.store.begin().await?;
        for (import, place, token) in due {
            if !tx.keep_still(place.0).await? || !tx.note_heard(import, place, token).await? {
                return Err(taken_back());
            }
        }
        Ok(tx.commit().await?)
    }
}
