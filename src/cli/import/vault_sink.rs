//! The vault of a data folder as the place where imported records go.

use crate::{
    base::{Caller, Errand, Purpose, RequestId, micros},
    connect::ndjson::RecordLine,
    guest::{GuestError, Incoming, RecordAnswer, Vault},
    keys::MacPurpose,
};

use super::{
    FileId,
    sink::{Mode, Put, Sink, SinkError, reason},
};

/// Writes into an open vault on behalf of a caller.
pub struct VaultSink {
    vault: Vault,
    caller: Caller,
    purpose: Purpose,
    request: RequestId,
}

impl VaultSink {
    /// A sink for this caller; one import is one request in the log.
    #[must_use]
    pub fn new(vault: Vault, caller: Caller, purpose: Purpose) -> Self {
        Self {
            vault,
            caller,
            purpose,
            request: RequestId::random(),
        }
    }

    fn incoming(&self, record: RecordLine) -> Option<Incoming> {
        let errand = Errand {
            caller: self.caller.clone(),
            property: record.property.clone()?,
            purpose: self.purpose.clone(),
            reason: None,
            request: self.request,
        };
        let (source, id) = (record.source_system.clone(), record.source_id.clone());
        Some((errand, source, id, record.into_input()))
    }

    async fn check(&self, record: RecordLine) -> Result<Put, SinkError> {
        let Some((errand, source, id, input)) = self.incoming(record) else {
            return Ok(no_property());
        };
        match self.vault.preview(&errand, &source, &id, input).await {
            Ok(preview) => Ok(Put::Stored {
                guest: preview.guest,
                outcome: preview.outcome,
                probability: 1.0,
                rejected: preview.rejected,
            }),
            Err(error) => refused(error),
        }
    }

    async fn write(&self, batch: Vec<RecordLine>) -> Result<Vec<Put>, SinkError> {
        let mut puts = Vec::with_capacity(batch.len());
        let mut incoming = Vec::with_capacity(batch.len());
        for record in batch {
            // Every record of a batch has its property; one that has none is told so, not lost.
            match self.incoming(record) {
                Some(one) => {
                    incoming.push(one);
                    puts.push(None);
                }
                None => puts.push(Some(no_property())),
            }
        }
        let mut answers = self.vault.put_many(incoming).await.into_iter();
        let mut all = Vec::with_capacity(puts.len());
        for put in puts {
            let put = match put {
                Some(put) => put,
                None => match answers.next() {
                    Some(Ok(answer)) => stored(answer),
                    Some(Err(error)) => refused(error)?,
                    None => return Err(SinkError("the vault gave fewer answers than records".to_owned())),
                },
            };
            all.push(put);
        }
        Ok(all)
    }
}

fn stored(answer: RecordAnswer) -> Put {
    Put::Stored {
        guest: Some(answer.guest_id),
        outcome: answer.resolution.outcome,
        probability: answer.resolution.probability,
        rejected: answer.rejected,
    }
}

fn no_property() -> Put {
    Put::Refused(reason("property", "missing"))
}

/// A record's own fault is its answer; anything else stops the import.
fn refused(error: GuestError) -> Result<Put, SinkError> {
    match error {
        GuestError::Rejected(rejected) => Ok(Put::Refused(rejected)),
        GuestError::Forbidden => Ok(Put::Refused(reason("record", "not_permitted"))),
        GuestError::NotFound | GuestError::Moved(_) | GuestError::Gone | GuestError::Restricted => {
            Ok(Put::Refused(reason("record", "guest_gone")))
        }
        other => Err(stop(other)),
    }
}

fn stop(error: impl std::error::Error) -> SinkError {
    SinkError(error.to_string())
}

impl VaultSink {
    /// The file's code in the database: keyed, so that a thief cannot tell which file was imported.
    fn code(&self, file: &FileId) -> [u8; 32] {
        self.vault
            .keys
            .mac(MacPurpose::Content)
            .mac_of(&[b"import", file.as_bytes()])
    }
}

impl Sink for VaultSink {
    async fn put_batch(&mut self, batch: Vec<RecordLine>, mode: Mode) -> Result<Vec<Put>, SinkError> {
        if mode == Mode::Write {
            return self.write(batch).await;
        }
        let mut puts = Vec::with_capacity(batch.len());
        for record in batch {
            puts.push(self.check(record).await?);
        }
        Ok(puts)
    }

    async fn done(&mut self, file: &FileId) -> Result<u64, SinkError> {
        let code = self.code(file);
        let lines = async { self.vault.store.read().await?.import_progress(&code).await }
            .await
            .map_err(stop)?;
        Ok(lines.unsigned_abs())
    }

    async fn set_done(&mut self, file: &FileId, lines: u64) -> Result<(), SinkError> {
        let code = self.code(file);
        let lines = i64::try_from(lines).unwrap_or(i64::MAX);
        let now = micros(self.vault.clock.now());
        async {
            let mut tx = self.vault.store.begin().await?;
            tx.set_import_progress(&code, lines, now).await?;
            tx.commit().await
        }
        .await
        .map_err(stop)
    }
}
