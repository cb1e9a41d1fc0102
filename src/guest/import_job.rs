//! An import as one job: begun, counted, ended, and taken back while nothing else touched what it wrote.
//!
//! Taking back removes the records that the import made, and the guests that nobody else speaks of. What it changed of
//! records that were there before stays: their earlier values are gone; so does a record that repeated another's stay.
//! A yes goes with the record that told it, a no stays.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Category, ConsentId, Errand, GuestId, ImportId, PrincipalId, PropertyCode, RecordId, micros},
    events::Announcement,
    policy::Right,
};

use super::{
    GuestError, Rejected, Vault,
    kinds::Reason,
    prepare::Prepared,
    put::Place,
    sql::{Rows, import::MadeRow},
    writing::Writing,
};

/// Rows read at once while an import is taken back.
const PAGE: i64 = 200;

/// What became of records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counts {
    /// How many there were.
    pub records: i64,
    /// Guests made.
    pub created: i64,
    /// Records that joined a guest.
    pub linked: i64,
    /// Records whose guest somebody must decide.
    pub review: i64,
    /// Records that were not taken.
    pub refused: i64,
    /// Records taken without some of their values.
    pub partial: i64,
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub import_id: ImportId,
    /// Who began it.
    pub principal: PrincipalId,
    /// For which property.
    pub property: PropertyCode,
    /// `open`, `ended`, `rolling_back` or `rolled_back`.
    #[schema(max_length = 20)]
    pub state: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it last took records.
    pub updated_at: DateTime<Utc>,
    /// What became of its records.
    pub counts: Counts,
}

/// What was taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct RolledBack {
    /// Records that are gone.
    pub removed_records: u64,
    /// Guests that are gone with them.
    pub removed_guests: u64,
    /// Records that were there before the import and keep what it wrote.
    pub kept_records: u64,
}

/// What an import wrote.
pub struct Mark {
    /// Which import.
    pub import: ImportId,
    /// Whose.
    pub guest: GuestId,
    /// Which record.
    pub record: RecordId,
    /// The token of its source.
    pub source_token: [u8; 16],
    /// The guest's version after it.
    pub version: i64,
    /// Whether the record is new.
    pub made: bool,
}

impl Vault {
    /// Begins an import, or a mere look at one (`import` is then `None`); a refusal is recorded.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub async fn begin_import(
        &self,
        errand: &Errand,
        files: u64,
        dry_run: bool,
    ) -> Result<Option<ImportId>, GuestError> {
        let mut event = self.import_event(errand, Act::Import);
        event.count = Some(files);
        self.may_import(errand, &event).await?;
        if dry_run {
            event.outcome = Some("dry_run");
            self.log.record(event, ()).await?;
            return Ok(None);
        }
        event.outcome = Some("begun");
        let import = ImportId::random();
        let mut change = self.log.begin(&self.store).await?;
        let whose = (errand.caller.principal.0, errand.property.as_str());
        change.tx.begin_import(import, whose, micros(event.at)).await?;
        change.record(event);
        change.commit().await?;
        Ok(Some(import))
    }

    /// An import of this caller that can go on.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`] when it is another's, or has ended.
    pub async fn go_on_with_import(&self, errand: &Errand, import: ImportId) -> Result<(), GuestError> {
        let event = self.import_event(errand, Act::Import);
        self.may_import(errand, &event).await?;
        match self.store.read().await?.import_job(import).await? {
            Some(job) if job.principal == errand.caller.principal && job.state == "open" => Ok(()),
            _ => self.refuse(event, GuestError::NotFound).await,
        }
    }

    /// Adds to the numbers of an import.
    ///
    /// # Errors
    /// What the database says.
    pub async fn count_import(&self, import: ImportId, counts: &Counts) -> Result<(), GuestError> {
        let mut tx = self.store.begin().await?;
        tx.count_import(import, counts, micros(self.clock.now())).await?;
        Ok(tx.commit().await?)
    }

    /// Notes how many lines of a file are in, and adds what became of them to the numbers of their import: together, so
    /// that lines that come again after a kill are counted once.
    ///
    /// # Errors
    /// [`GuestError::Blocked`] when the import takes no more; what the database says.
    pub async fn import_came_to(
        &self,
        (file, lines): (&[u8], i64),
        counted: Option<(ImportId, &Counts)>,
    ) -> Result<(), GuestError> {
        let now = micros(self.clock.now());
        let mut tx = self.store.begin().await?;
        if let Some((import, counts)) = counted {
            if !tx.keep_import_open(import).await? {
                return Err(no_longer_open());
            }
            tx.count_import(import, counts, now).await?;
        }
        tx.set_import_progress(file, lines, now).await?;
        Ok(tx.commit().await?)
    }

    /// Ends an import: recorded with the number of its records.
    ///
    /// # Errors
    /// [`GuestError::Blocked`] when it is not open; what the database says.
    pub async fn end_import(&self, errand: &Errand, import: ImportId) -> Result<Job, GuestError> {
        let mut event = self.import_event(errand, Act::Import);
        let Some(mut job) = self.store.read().await?.import_job(import).await? else {
            return Err(GuestError::NotFound);
        };
        event.outcome = Some("ended");
        event.count = u64::try_from(job.counts.records).ok();
        let mut change = self.log.begin(&self.store).await?;
        if !change.tx.end_import(import, micros(event.at)).await? {
            return Err(no_longer_open());
        }
        change.record(event);
        change.commit().await?;
        "ended".clone_into(&mut job.state);
        Ok(job)
    }

    /// An import, for who may import at its property.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`].
    pub async fn import_job(&self, errand: &Errand, import: ImportId) -> Result<Job, GuestError> {
        let event = self.import_event(errand, Act::Import);
        self.may_import(errand, &event).await?;
        let job = self.store.read().await?.import_job(import).await?;
        let seen = job.filter(|job| self.properties.within(&job.property, &errand.property));
        let Some(job) = seen else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        let mut event = event;
        event.outcome = Some("read");
        self.log.record(event, ()).await?;
        Ok(job)
    }

    /// Takes an import back. It takes no more records from then on: what still sends some is told so. Stopped half-way it
    /// can be asked for again, and goes on.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`]; [`GuestError::Touched`] when something else has changed a
    /// guest that it wrote to, or counts on it (a hold, an open request, a note, a consumer's handle): then nothing is
    /// taken back.
    pub async fn roll_back_import(
        &self,
        errand: &Errand,
        import: ImportId,
    ) -> Result<RolledBack, GuestError> {
        let event = self.import_event(errand, Act::RollBackImport);
        self.may_import(errand, &event).await?;
        let mut conn = self.store.read().await?;
        let job = conn.import_job(import).await?;
        let Some(job) = job.filter(|job| self.properties.within(&job.property, &errand.property)) else {
            drop(conn);
            return self.refuse(event, GuestError::NotFound).await;
        };
        drop(conn);
        let started_at = micros(job.started_at);
        let touched = async || self.store.read().await?.import_touched(import, started_at).await;
        let mut others = touched().await?;
        if others == 0 {
            self.set_import_state(import, "rolling_back").await?;
            // Once more: what came until then is counted.
            others = touched().await?;
            if others > 0 {
                self.set_import_state(import, &job.state).await?;
            }
        }
        if others > 0 {
            let touched = u64::try_from(others).unwrap_or(u64::MAX);
            return self.refuse(event, GuestError::Touched(touched)).await;
        }
        let kept = self.store.read().await?.import_kept(import).await?;
        let mut done = RolledBack {
            kept_records: u64::try_from(kept).unwrap_or(0),
            ..RolledBack::default()
        };
        let mut after = Uuid::nil();
        loop {
            let rows = self.store.read().await?.import_made(import, after, PAGE).await?;
            let Some(last) = rows.last().map(|row| row.guest_id) else {
                break;
            };
            // A page may end within a guest: that one is done with the next page, unless it fills a page alone.
            let whole = i64::try_from(rows.len()).is_ok_and(|count| count < PAGE)
                || rows.first().is_some_and(|row| row.guest_id == last);
            for of_guest in rows.chunk_by(|a, b| a.guest_id == b.guest_id) {
                let Some(guest) = of_guest.first().map(|row| row.guest_id) else {
                    continue;
                };
                if guest == last && !whole {
                    break;
                }
                self.take_back(errand, import, of_guest, &mut done).await?;
                after = guest;
            }
        }
        let mut event = event;
        event.count = Some(done.removed_records);
        let mut change = self.log.begin(&self.store).await?;
        change
            .tx
            .set_import_state(import, "rolled_back", micros(event.at))
            .await?;
        change.tx.forget_import_progress(started_at).await?;
        change.record(event);
        change.commit().await?;
        Ok(done)
    }

    async fn set_import_state(&self, import: ImportId, state: &str) -> Result<(), GuestError> {
        let mut tx = self.store.begin().await?;
        tx.set_import_state(import, state, micros(self.clock.now()))
            .await?;
        Ok(tx.commit().await?)
    }

    /// Takes back what an import made of one guest.
    async fn take_back(
        &self,
        errand: &Errand,
        import: ImportId,
        rows: &[MadeRow],
        done: &mut RolledBack,
    ) -> Result<(), GuestError> {
        let Some(first) = rows.first() else { return Ok(()) };
        let guest = GuestId(first.guest_id);
        let now = self.clock.now();
        let version = self.active_version(guest).await?;
        let keys = self.keys.guest_keys(guest, &[Category::Audit]).await?;
        let mut event = self.import_event(errand, Act::RollBackImport);
        event.subject = Some(self.subject(guest, Some(&keys)));
        event.count = u64::try_from(rows.len()).ok();
        let mut change = self.log.begin(&self.store).await?;
        change.tx.touch_guest(guest, version, micros(now)).await?;
        for row in rows {
            let record = RecordId(row.record_id);
            for (line, purpose) in change.tx.agreed_by(guest, record).await? {
                if let Ok(purpose) = purpose.parse() {
                    let told = Announcement::consent_changed(now, guest, &purpose, ConsentId(line));
                    change.tx.announce(&told.at_property(&errand.property)).await?;
                }
            }
            change.tx.delete_record(guest, record, &row.source_token).await?;
        }
        change.tx.forget_marks(import, guest).await?;
        let gone = change.tx.delete_if_empty(guest).await?;
        if !gone {
            self.follow_portfolio(&mut change.tx, guest).await?;
        }
        let told = if gone {
            Announcement::guest_erased(now, guest, None)
        } else {
            Announcement::guest_updated(now, guest, Vec::new())
        };
        change.tx.announce(&told).await?;
        change.record(event);
        change.commit().await?;
        if gone {
            self.keys.destroy(guest, None).await?;
            done.removed_guests += 1;
        }
        done.removed_records += u64::try_from(rows.len()).unwrap_or(0);
        Ok(())
    }

    /// Inside a change: what an import wrote, and that it held a card's number.
    pub(super) fn note_import(
        &self,
        (writing, rows): (&mut Writing<'_, '_>, &mut Rows),
        errand: &Errand,
        place: &Place,
        (guest, record, version): (GuestId, RecordId, i64),
        prepared: &Prepared,
    ) {
        if let Some(import) = prepared.import {
            rows.mark(Mark {
                import,
                guest,
                record,
                source_token: prepared.source_token,
                version,
                made: !matches!(place, Place::Known(..)),
            });
        }
        let cards = cards_in(&prepared.rejected);
        if cards > 0 {
            writing.record(self.card_event(errand, cards));
        }
    }

    /// Puts on record that a source sent payment cards: nothing of them is kept, and somebody must find out why.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn report_cards(&self, errand: &Errand, count: u64) -> Result<(), GuestError> {
        tracing::error!(count, "a source sends payment cards; they were dropped");
        self.log.record(self.card_event(errand, count), ()).await?;
        Ok(())
    }

    fn card_event(&self, errand: &Errand, count: u64) -> Event {
        let mut event = self.import_event(errand, Act::RefuseCard);
        event.count = Some(count);
        event.denied("card_number")
    }

    fn import_event(&self, errand: &Errand, act: Act) -> Event {
        let mut event = Event::of(errand, act, self.clock.now());
        event.policy_version = Some(self.policies.current().version().to_owned());
        event
    }

    async fn may_import(&self, errand: &Errand, event: &Event) -> Result<(), GuestError> {
        if self.policies.current().allows(&errand.caller.role, Right::Import) {
            return Ok(());
        }
        self.refuse(event.clone(), GuestError::Forbidden).await
    }
}

/// How many of these were refused for being a payment card's number.
pub(super) fn cards_in(rejected: &[Rejected]) -> u64 {
    let cards = rejected
        .iter()
        .filter(|r| r.reason == Reason::CardNumber.as_str());
    u64::try_from(cards.count()).unwrap_or(u64::MAX)
}

/// What is told to who still sends records of an import that was ended or is taken back.
pub(super) fn no_longer_open() -> GuestError {
    GuestError::Blocked(
        "The import takes no more records: it was ended or taken back. Begin another.".to_owned(),
    )
}
