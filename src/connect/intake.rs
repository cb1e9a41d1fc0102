//! Records on their way into the vault, many at once: what the command and the call `POST /v1/imports` share.

use std::collections::BTreeMap;

use crate::{
    base::{Caller, Errand, GuestId, ImportId, PropertyCode, Purpose, RequestId},
    guest::{Checked, Counts, GuestError, Incoming, Manner, Outcome, RecordAnswer, Rejected, Vault},
};

use super::ndjson::{LineError, RecordLine};

/// Whether records are stored or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Store them.
    Write,
    /// Check them, store nothing.
    Check,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Put {
    /// It is in, or would be.
    Stored {
        /// Whose it is; absent when only checked and the guest would be made.
        guest: Option<GuestId>,
        /// How it found its guest.
        outcome: Outcome,
        /// How sure that is.
        probability: f64,
        /// Fields that would be written; only when it was checked.
        fields: Vec<String>,
        /// Values of it that were not stored.
        rejected: Vec<Rejected>,
    },
    /// It is not in, for these reasons.
    Refused(Vec<Rejected>),
}

impl Put {
    /// The word for it: how it found its guest, or `rejected`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Stored { outcome, .. } => outcome.as_str(),
            Self::Refused(_) => "rejected",
        }
    }
}

/// Adds what became of a record to the numbers.
pub fn count(counts: &mut Counts, put: &Put) {
    counts.records += 1;
    match put {
        Put::Refused(_) => counts.refused += 1,
        Put::Stored {
            outcome, rejected, ..
        } => {
            match outcome.as_str() {
                "created" => counts.created += 1,
                "linked" => counts.linked += 1,
                _ => counts.review += 1,
            }
            counts.partial += i64::from(!rejected.is_empty());
        }
    }
}

/// One reason for a refusal.
#[must_use]
pub fn reason(field: &str, reason: &str) -> Vec<Rejected> {
    vec![Rejected {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }]
}

impl From<LineError> for Vec<Rejected> {
    fn from(error: LineError) -> Self {
        match error {
            LineError::TooLong => reason("line", &error.to_string()),
            LineError::NotARecord(problems) => problems
                .into_iter()
                .map(|p| Rejected {
                    field: p.field,
                    reason: p.reason,
                })
                .collect(),
        }
    }
}

/// Records that were looked at and wait to be stored, with the answers to those that never will be.
pub struct Ready {
    refused: Vec<Option<Put>>,
    checked: Checked,
}

/// Takes records on behalf of a caller. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    vault: Vault,
    caller: Caller,
    purpose: Purpose,
    request: RequestId,
    within: Option<PropertyCode>,
    manner: Manner,
}

impl Intake {
    /// For this caller; one import is one request in the log.
    #[must_use]
    pub fn new(vault: Vault, caller: Caller, purpose: Purpose, import: Option<ImportId>) -> Self {
        Self {
            vault,
            caller,
            purpose,
            request: RequestId::random(),
            within: None,
            manner: Manner {
                import,
                later: false,
                lapsed: false,
            },
        }
    }

    /// Makes a guest of each record that its source has not sent before; who is whom is asked later.
    #[must_use]
    pub const fn resolving_later(mut self, later: bool) -> Self {
        self.manner.later = later;
        self
    }

    /// Makes new guests also of what has had its time: a demonstration has something to delete.
    #[must_use]
    pub const fn with_lapsed(mut self, lapsed: bool) -> Self {
        self.manner.lapsed = lapsed;
        self
    }

    /// Refuses records of properties outside this one.
    #[must_use]
    pub fn within(mut self, property: PropertyCode) -> Self {
        self.within = Some(property);
        self
    }

    /// The vault behind it.
    #[must_use]
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The import, unless nothing is written.
    #[must_use]
    pub const fn import(&self) -> Option<ImportId> {
        self.manner.import
    }

    /// What it does, at this property.
    #[must_use]
    pub fn errand(&self, property: PropertyCode) -> Errand {
        Errand {
            caller: self.caller.clone(),
            property,
            purpose: self.purpose.clone(),
            reason: None,
            request: self.request,
        }
    }

    /// Stores (or checks) records, and adds them to the import's numbers; one answer for each, in the same order.
    ///
    /// # Errors
    /// When none can be taken now: then the batch may be in or not.
    pub async fn take(&self, batch: Vec<RecordLine>, mode: Mode) -> Result<Vec<Put>, GuestError> {
        let puts = self.put(batch, mode).await?;
        if let Some(import) = self.manner.import {
            let mut counts = Counts::default();
            for put in &puts {
                count(&mut counts, put);
            }
            self.vault.count_import(import, &counts).await?;
        }
        Ok(puts)
    }

    /// The same for who keeps the numbers with other things: [`Vault::import_came_to`].
    ///
    /// # Errors
    /// As [`Intake::take`].
    pub async fn put(&self, batch: Vec<RecordLine>, mode: Mode) -> Result<Vec<Put>, GuestError> {
        match mode {
            Mode::Write => self.put_ready(self.make_ready(batch).await).await,
            Mode::Check => {
                let mut puts = Vec::with_capacity(batch.len());
                for record in batch {
                    puts.push(self.check(record).await?);
                }
                Ok(puts)
            }
        }
    }

    /// Puts on record that a source sent what must not be kept.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn alarm(
        &self,
        property: PropertyCode,
        alarms: &BTreeMap<String, u64>,
    ) -> Result<(), GuestError> {
        let count = alarms.values().fold(0_u64, |sum, n| sum.saturating_add(*n));
        if count == 0 {
            return Ok(());
        }
        self.vault.report_cards(&self.errand(property), count).await
    }

    fn incoming(&self, record: RecordLine) -> Result<Incoming, Put> {
        let Some(property) = record.property.clone() else {
            return Err(Put::Refused(reason("property", "missing")));
        };
        if self
            .within
            .as_ref()
            .is_some_and(|above| !self.vault.properties.within(&property, above))
        {
            return Err(Put::Refused(reason("property", "property_out_of_scope")));
        }
        let (source, id) = (record.source_system.clone(), record.source_id.clone());
        Ok((self.errand(property), source, id, record.into_input()))
    }

    async fn check(&self, record: RecordLine) -> Result<Put, GuestError> {
        let (errand, source, id, input) = match self.incoming(record) {
            Ok(incoming) => incoming,
            Err(refused) => return Ok(refused),
        };
        match self.vault.preview(&errand, &source, &id, input).await {
            Ok(preview) => Ok(Put::Stored {
                guest: preview.guest,
                outcome: preview.outcome,
                probability: 1.0,
                fields: preview.fields,
                rejected: preview.rejected,
            }),
            Err(error) => refused(error),
        }
    }

    /// Looks at records as far as that needs nothing of what is stored: while a batch is stored, the next can be made
    /// ready.
    pub async fn make_ready(&self, batch: Vec<RecordLine>) -> Ready {
        let mut refused = Vec::with_capacity(batch.len());
        let mut incoming = Vec::with_capacity(batch.len());
        for record in batch {
            match self.incoming(record) {
                Ok(one) => {
                    incoming.push(one);
                    refused.push(None);
                }
                Err(put) => refused.push(Some(put)),
            }
        }
        let checked = self.vault.check_many(incoming, self.manner).await;
        Ready { refused, checked }
    }

    /// Stores records; one answer for each, in the same order.
    ///
    /// # Errors
    /// When none can be taken now: then the batch may be in or not.
    pub async fn put_ready(&self, ready: Ready) -> Result<Vec<Put>, GuestError> {
        let mut answers = self.vault.put_many(ready.checked).await.into_iter();
        let mut all = Vec::with_capacity(ready.refused.len());
        for put in ready.refused {
            all.push(match put {
                Some(put) => put,
                None => match answers.next() {
                    Some(Ok(answer)) => stored(answer),
                    Some(Err(error)) => refused(error)?,
                    None => return Err(GuestError::Unanswered),
                },
            });
        }
        Ok(all)
    }
}

fn stored(answer: RecordAnswer) -> Put {
    Put::Stored {
        guest: Some(answer.guest_id),
        outcome: answer.resolution.outcome,
        probability: answer.resolution.probability,
        fields: Vec::new(),
        rejected: answer.rejected,
    }
}

/// A record's own fault is its answer; anything else stops the import.
fn refused(error: GuestError) -> Result<Put, GuestError> {
    match error {
        GuestError::Rejected(rejected) => Ok(Put::Refused(rejected)),
        GuestError::Forbidden => Ok(Put::Refused(reason("record", "not_permitted"))),
        GuestError::NotFound | GuestError::Moved(_) | GuestError::Gone | GuestError::Restricted => {
            Ok(Put::Refused(reason("record", "guest_gone")))
        }
        other => Err(other),
    }
}
