//! Entries for systems that watch many logs, in the order of the log, each held against the log's tree.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::{
    audit::{
        Act, Event,
        search::{self, Filter},
        siem::{Exported, Format},
        sql::Row,
        tlog::{Fault, Stored},
    },
    base::{Caller, Clock, RequestId},
    policy::Right,
    store::Store,
};

use super::{GuestError, Vault};

/// Entries fetched at once.
const PAGE: u64 = 500;

/// An export under way: page by page, each of whole lines.
pub struct LogExport {
    store: Store,
    origin: String,
    format: Format,
    window: Filter,
    next: u64,
    end: u64,
    faults: u64,
    clock: Clock,
}

impl LogExport {
    /// Of the entries from the index `next` on, whatever their time; it has no end.
    ///
    /// # Errors
    /// What the database says.
    pub async fn following(store: &Store, format: Format, next: u64) -> Result<Self, GuestError> {
        let origin = Stored::new(store.clone()).origin().await?.unwrap_or_default();
        Ok(Self {
            store: store.clone(),
            origin,
            format,
            window: Filter::default(),
            next,
            end: u64::MAX,
            faults: 0,
            clock: Clock::system(),
        })
    }

    /// Only the entries of this time.
    #[must_use]
    pub fn within(mut self, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Self {
        self.window.from = from;
        self.window.to = to;
        self
    }

    /// Only what the log holds by now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn until_now(mut self) -> Result<Self, GuestError> {
        let size = Stored::new(self.store.clone()).checkpoint().await?;
        self.end = size.map_or(0, |(size, _)| size);
        Ok(self)
    }

    /// The index after the last line that was given.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// The next lines; `None` at the end, or, of one that has no end, while there is nothing new.
    ///
    /// # Errors
    /// What the database says.
    pub async fn page(&mut self) -> Result<Option<Vec<String>>, GuestError> {
        let log = Stored::new(self.store.clone());
        let size = log.checkpoint().await?.map_or(0, |(size, _)| size);
        let end = self.end.min(size);
        // What was pruned is not looked for.
        self.next = self.next.max(log.minimum().await?.min(end));
        while self.next < end {
            let upto = self.next.saturating_add(PAGE).min(end);
            let rows = search::indexed(&self.store, &self.window, (self.next, upto)).await?;
            let faults = log.faults(self.next, upto).await?;
            self.next = upto;
            if !rows.is_empty() || !faults.is_empty() {
                return Ok(Some(self.lines(&rows, &faults)));
            }
        }
        Ok(None)
    }

    /// The lines of some entries, and one for each that is not as it was signed: such a one has no time to go by, and
    /// is told in every export that goes past it.
    fn lines(&mut self, rows: &[(u64, Row)], faults: &BTreeMap<u64, Fault>) -> Vec<String> {
        let mut lines: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (&index, &fault) in faults {
            let told = Exported::fault(&self.origin, index, fault, self.clock.now());
            lines.entry(index).or_default().push(told.line(self.format));
            self.faults = self.faults.saturating_add(1);
        }
        for (index, row) in rows {
            // What stands beside a leaf may be wrong; the leaf itself is what was signed.
            let forged = matches!(faults.get(index), Some(Fault::Missing | Fault::Altered));
            if let Some(event) = Exported::of(row, &self.origin).filter(|_| !forged) {
                lines.entry(*index).or_default().push(event.line(self.format));
            }
        }
        lines.into_values().flatten().collect()
    }

    /// How many entries were not there as they were signed.
    #[must_use]
    pub const fn faults(&self) -> u64 {
        self.faults
    }
}

impl Vault {
    /// Begins an export of the entries of a time.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub async fn export_log(
        &self,
        caller: &Caller,
        request: RequestId,
        format: Format,
        window: Filter,
    ) -> Result<LogExport, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::by(caller, Act::ExportAudit, request, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        if !policy.allows(&caller.role, Right::ReadAudit) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let range = search::range(&self.store, &window).await?;
        let (next, end) = range
            .indexes
            .map_or((0, 0), |(first, last)| (first, last.saturating_add(1)));
        event.count = Some(end.saturating_sub(next));
        let origin = Stored::new(self.store.clone())
            .origin()
            .await?
            .unwrap_or_default();
        self.log.record(event, ()).await?;
        Ok(LogExport {
            store: self.store.clone(),
            origin,
            format,
            window,
            next,
            end,
            faults: 0,
            clock: self.clock.clone(),
        })
    }
}
