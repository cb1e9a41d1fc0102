//! The vault of a data folder as the place where imported records go.

use std::collections::BTreeMap;

use crate::{
    base::{ImportId, PropertyCode},
    connect::{
        hotels::Hotels,
        intake::{Intake, Ready, count},
        ndjson::RecordLine,
    },
    guest::Counts,
    keys::MacPurpose,
};

use super::{
    FileId,
    sink::{MakeReady, Mode, Put, Sink, SinkError},
};

/// Writes into an open vault.
pub struct VaultSink {
    intake: Intake,
    property: PropertyCode,
    /// What became of records since it was last stored.
    counts: Counts,
}

impl VaultSink {
    /// A sink for this import, which as a whole is about this property.
    #[must_use]
    pub fn new(intake: Intake, property: PropertyCode) -> Self {
        Self {
            intake,
            property,
            counts: Counts::default(),
        }
    }

    /// The file's code in the database: keyed, so that a thief cannot tell which file was imported.
    fn code(&self, file: &FileId) -> [u8; 32] {
        let mac = self.intake.vault().keys.mac(MacPurpose::Content);
        mac.mac_of(&[b"import", file.as_bytes()])
    }
}

fn stop(error: impl std::error::Error) -> SinkError {
    SinkError(error.to_string())
}

/// Records on their way into a vault.
pub enum Batch {
    /// To be stored.
    Ready(Ready),
    /// To be looked at only.
    ToCheck(Vec<RecordLine>),
}

impl Sink for VaultSink {
    const RECORDS: usize = 4000;
    type Ready = Batch;

    fn hotels(&self) -> Hotels {
        Hotels::of(&self.intake.vault().properties, &self.property)
    }

    fn make_ready(&self, mode: Mode) -> MakeReady<Batch> {
        match mode {
            Mode::Check => Box::new(|batch| Box::pin(async { Batch::ToCheck(batch) })),
            Mode::Write => {
                let intake = self.intake.clone();
                Box::new(|batch| Box::pin(async move { Batch::Ready(intake.make_ready(batch).await) }))
            }
        }
    }

    async fn put_batch(&mut self, batch: Batch) -> Result<Vec<Put>, SinkError> {
        let puts = match batch {
            Batch::Ready(ready) => self.intake.put_ready(ready).await,
            Batch::ToCheck(records) => self.intake.put(records, Mode::Check).await,
        };
        let puts = puts.map_err(stop)?;
        for put in &puts {
            count(&mut self.counts, put);
        }
        Ok(puts)
    }

    async fn done(&mut self, file: &FileId) -> Result<u64, SinkError> {
        let code = self.code(file);
        let lines = async {
            self.intake
                .vault()
                .store
                .read()
                .await?
                .import_progress(&code)
                .await
        }
        .await
        .map_err(stop)?;
        Ok(lines.unsigned_abs())
    }

    async fn set_done(&mut self, file: &FileId, lines: u64) -> Result<(), SinkError> {
        let code = self.code(file);
        let lines = i64::try_from(lines).unwrap_or(i64::MAX);
        let vault = self.intake.vault();
        let counts = std::mem::take(&mut self.counts);
        let counted = self.intake.import().map(|import| (import, &counts));
        vault.import_came_to((&code, lines), counted).await.map_err(stop)
    }

    async fn end(&mut self, alarms: &BTreeMap<String, u64>) -> Result<Option<ImportId>, SinkError> {
        self.intake
            .alarm(self.property.clone(), alarms)
            .await
            .map_err(stop)?;
        if let Some(import) = self.intake.import() {
            let errand = self.intake.errand(self.property.clone());
            self.intake
                .vault()
                .end_import(&errand, import)
                .await
                .map_err(stop)?;
        }
        Ok(self.intake.import())
    }
}
