//! Entries for systems that watch many logs: OCSF, RFC 5424 syslog and CEF, a line each.
//!
//! Every line names the log and the index in it, so that whoever holds the copy can hold it against the log itself.
//! Names in an entry are short words, but a line must stay one line whatever they hold: each format escapes or
//! replaces what would end a value, a line or a record.

mod cef;
mod ocsf;
mod syslog;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{leaf::Leaf, sql::Row, tlog::Fault};
use crate::base::{EntryId, PrincipalId, micros};

/// What is told in the place of an entry that is not there as it was signed.
const NOT_AS_SIGNED: &str = "not_as_signed";

/// The forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// OCSF 1.3.0 as JSON lines.
    Ocsf,
    /// RFC 5424.
    Syslog,
    /// Common Event Format 0.
    Cef,
}

impl Format {
    /// The media type of many lines.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ocsf => "application/x-ndjson",
            Self::Syslog | Self::Cef => "text/plain; charset=utf-8",
        }
    }
}

/// An entry on its way out.
pub struct Exported<'e> {
    /// The log's name.
    pub origin: &'e str,
    /// The index in it.
    pub index: u64,
    /// The entry.
    pub entry: EntryId,
    /// What it says.
    pub leaf: Leaf,
}

impl<'e> Exported<'e> {
    /// Of a stored entry; `None` while it has no index, or when its leaf is none.
    #[must_use]
    pub fn of(row: &Row, origin: &'e str) -> Option<Self> {
        Some(Self {
            origin,
            index: u64::try_from(row.log_index?).ok()?,
            entry: EntryId(row.entry_id),
            leaf: Leaf::read(&row.leaf)?,
        })
    }

    /// In the place of an entry that is gone or was changed by hand: a copy must not have a gap that says nothing.
    #[must_use]
    pub fn fault(origin: &'e str, index: u64, fault: Fault, seen: DateTime<Utc>) -> Self {
        let leaf = Leaf {
            act: NOT_AS_SIGNED.to_owned(),
            actor: None,
            at: micros(seen),
            basis: None,
            count: None,
            credential: String::new(),
            decision: "denied".to_owned(),
            detail: None,
            fields: BTreeMap::new(),
            outcome: Some(fault.as_str().to_owned()),
            policy: None,
            principal: PrincipalId(Uuid::nil()),
            property: None,
            purpose: None,
            request: String::new(),
            role: "vault".to_owned(),
            rules: Vec::new(),
            subject: None,
        };
        Self {
            origin,
            index,
            entry: EntryId(Uuid::nil()),
            leaf,
        }
    }

    /// The line, without its end.
    #[must_use]
    pub fn line(&self, format: Format) -> String {
        match format {
            Format::Ocsf => ocsf::line(self),
            Format::Syslog => syslog::line(self),
            Format::Cef => cef::line(self),
        }
    }

    /// The fields and how each was shown: `phones=masked,name.surname=plain`.
    fn fields(&self) -> String {
        let shown = self.leaf.fields.iter();
        let each: Vec<String> = shown
            .map(|(path, view)| format!("{path}={}", view.as_str()))
            .collect();
        each.join(",")
    }

    fn gravity(&self) -> Gravity {
        match (self.leaf.act.as_str(), self.leaf.decision.as_str()) {
            ("damage_found" | "witness_refused" | NOT_AS_SIGNED, _) => Gravity::Alarm,
            (_, "denied") => Gravity::Warning,
            _ => Gravity::Usual,
        }
    }
}

/// How much an entry matters to those on watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gravity {
    Usual,
    Warning,
    Alarm,
}

#[cfg(test)]
mod tests;
