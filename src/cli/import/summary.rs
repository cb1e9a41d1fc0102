//! What an import did, in numbers.

use std::{collections::BTreeMap, io, io::Write};

use serde::Serialize;
use serde_json::json;

use crate::{base::ImportId, connect::records::Left};

use super::{Import, Put, files::Source, outputs::Reported};

/// What became of one field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FieldCounts {
    /// Records that it would be written of.
    pub taken: u64,
    /// Why values were refused, and how often.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: BTreeMap<String, u64>,
}

/// The numbers of one import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// How many files.
    pub files: u64,
    /// Records that an earlier run had done.
    pub done_before: u64,
    /// Records this run looked at.
    pub records: u64,
    /// Records that are in (or would be), by how they found their guest.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Records that are not in.
    pub refused: u64,
    /// Records that are in, but not with all their values.
    pub partial: u64,
    /// By field: in how many records it is in (told by a dry run), and why it was refused how often.
    pub fields: BTreeMap<String, FieldCounts>,
    /// The import, to take it back by.
    pub import: Option<ImportId>,
    /// What of the files no field takes, and what somebody must look at.
    pub left: Left,
}

impl Summary {
    pub(super) fn new(arguments: &Import, sources: &[Source]) -> Self {
        Self {
            dry_run: arguments.dry_run,
            files: u64::try_from(sources.len()).unwrap_or(u64::MAX),
            done_before: sources.iter().map(|source| source.done_records).sum(),
            ..Self::default()
        }
    }

    pub(super) fn count(&mut self, reported: &Reported) {
        self.records += 1;
        self.count_fields(reported);
        match &reported.put {
            Some(Put::Stored {
                outcome, rejected, ..
            }) => {
                *self.outcomes.entry(outcome.as_str()).or_default() += 1;
                self.partial += u64::from(!rejected.is_empty());
            }
            Some(Put::Refused(_)) | None => self.refused += 1,
        }
    }

    fn count_fields(&mut self, reported: &Reported) {
        if let Some(Put::Stored { fields, .. }) = &reported.put {
            for field in fields {
                self.fields.entry(field.clone()).or_default().taken += 1;
            }
        }
        for reason in reported.reasons() {
            // Places in lists, such as `phones[2]`, are counted together.
            let field = reason.field.split('[').next().unwrap_or_default();
            let counts = self.fields.entry(field.to_owned()).or_default();
            *counts.rejected.entry(reason.reason.clone()).or_default() += 1;
        }
    }

    /// Whether there were records and not one could be taken: the exit status is 1 then.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        self.records > 0 && self.refused == self.records
    }

    /// Prints it: one line of JSON, or words.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn print(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        if json {
            self.print_json(out)
        } else {
            self.print_words(out)
        }
    }

    fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let line = json!({
            "dry_run": self.dry_run,
            "files": self.files,
            "done_before": self.done_before,
            "records": self.records,
            "outcomes": self.outcomes,
            "refused": self.refused,
            "partial": self.partial,
            "fields": self.fields,
            "import_id": self.import,
            "unmapped": self.left.unmapped,
            "alarms": self.left.alarms,
        });
        writeln!(out, "{line}")
    }

    fn print_words(&self, out: &mut dyn Write) -> io::Result<()> {
        let verb = if self.dry_run {
            "checked, nothing written"
        } else {
            "imported"
        };
        writeln!(
            out,
            "{} of {} {verb}",
            count(self.records, "record"),
            count(self.files, "file")
        )?;
        if self.done_before > 0 {
            writeln!(
                out,
                "  went on after {} of an earlier run",
                count(self.done_before, "record")
            )?;
        }
        for (outcome, records) in &self.outcomes {
            writeln!(out, "  {outcome:<9}{records:>9}")?;
        }
        if self.partial > 0 {
            writeln!(
                out,
                "  {:<9}{:>9}  taken without some of their values",
                "partial", self.partial
            )?;
        }
        if self.refused > 0 {
            writeln!(out, "  {:<9}{:>9}  not taken", "refused", self.refused)?;
        }
        for (field, counts) in &self.fields {
            let reasons: Vec<String> = counts
                .rejected
                .iter()
                .map(|(why, n)| format!("{n} {why}"))
                .collect();
            writeln!(out, "  {:>15}  {field}  {}", counts.taken, reasons.join(", "))?;
        }
        if let Some(import) = self.import {
            writeln!(out, "  take it back with: guest-vault import --rollback {import}")?;
        }
        for (alarm, count) in &self.left.alarms {
            writeln!(
                out,
                "  ALARM {count:>9}  {alarm}: dropped; find out why the source sends it"
            )?;
        }
        if !self.left.unmapped.is_empty() {
            writeln!(out, "  not taken from the payloads, by place:")?;
            for (place, count) in &self.left.unmapped {
                writeln!(out, "  {count:>15}  {place}")?;
            }
        }
        Ok(())
    }
}

/// A number and its noun.
pub(super) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
