//! `[backup]`: copies for the day after.

use serde::Deserialize;

use crate::crypto::age::Recipient;

/// The section `[backup]`.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct BackupConfig {
    /// Who can open a backup: age recipients (`age1…`), each alone.
    pub recipients: Vec<String>,
    /// For how many days a backup of the key store is kept. The certificate of an erasure names the day after which no
    /// copy of its keys exists: this many days later. Keep none longer.
    pub keep_days: u32,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self {
            recipients: Vec::new(),
            keep_days: 35,
        }
    }
}

impl BackupConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        for recipient in &self.recipients {
            if recipient.parse::<Recipient>().is_err() {
                // Whoever mistook it for the other file may have put a secret here.
                wrong
                    .push("backup.recipients: each is an age recipient, age1 and 58 more; one is not".into());
            }
        }
        if !(1..=36_500).contains(&self.keep_days) {
            wrong.push("backup.keep_days must be 1 to 36500".into());
        }
    }
}
