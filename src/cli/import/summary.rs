//! What an import did, in numbers.

use std::{collections::BTreeMap, io, io::Write};

use serde_json::json;

use crate::connect::records::Left;

use super::{Import, Put, files::Source, outputs::Reported};

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
