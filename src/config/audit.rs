//! `[audit]`: the provable log.

use std::path::PathBuf;

use serde::Deserialize;

/// The section `[audit]`.
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// The log's name in its checkpoints, best an address without a scheme such as `vault.example.com/log`. It is
    /// fixed by the first start; by default `guest-vault/` and 16 hex digits.
    pub origin: Option<String>,
    /// A folder, best on a disk that the database's administrators cannot write to, that is kept a copy of the log.
    pub mirror: Option<PathBuf>,
    /// Entries older than this many days are removed from the log, whole bundles at a time; never without it. Publish it,
    /// and let it be longer than any backup is kept: what was erased is in the log.
    pub retention_days: Option<u32>,
    /// Who cosigns the log's checkpoints (C2SP `tlog-witness`).
    pub witness: Vec<WitnessConfig>,
}

impl AuditConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        if self.retention_days == Some(0) {
            wrong.push("audit.retention_days must be at least 1; without it nothing is removed".into());
        }
    }
}

/// A section `[[audit.witness]]`.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Its submission prefix: https, or http on this machine.
    pub url: String,
    /// Its verifier key of the type `cosignature/v1`.
    pub vkey: String,
}
