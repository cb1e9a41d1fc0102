//! `[backup]`: copies for the day after.

use serde::Deserialize;

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
