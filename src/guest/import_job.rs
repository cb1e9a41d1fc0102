//! An import as one job: begun, counted, ended.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit::{Act, Event},
    base::{Errand, GuestId, ImportId, PrincipalId, PropertyCode, RecordId, micros},
    policy::Right,
};

use super::{
    GuestError, Rejected, Vault, kinds::Reason, prepare::Prepared, put::Place, sql::Rows, writing::Writing,
};

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

    pub(super) fn import_event(&self, errand: &Errand, act: Act) -> Event {
        let mut event = Event::of(errand, act, self.clock.now());
        event.policy_version = Some(self.policies.current().version().to_owned());
        event
    }

    pub(super) async fn may_import(&self, errand: &Errand, event: &Event) -> Result<(), GuestError> {
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
