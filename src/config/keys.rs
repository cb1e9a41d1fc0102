//! `[keys]`: where wrapped keys lie, and what unwraps them.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::values::secret;

/// Who holds the root key.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// A file of 32 random bytes, or a systemd credential.
    #[default]
    File,
    /// A passphrase, stretched with Argon2id.
    Passphrase,
}

/// The section `[keys]`.
#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
pub struct KeysConfig {
    /// Where wrapped keys lie: by default a second file or schema beside the database. It may hold a password.
    #[serde(deserialize_with = "secret")]
    pub url: Option<SecretString>,
    /// Who holds the root key.
    pub provider: ProviderKind,
    /// The key file; by default `root.key` in the data folder.
    pub key_file: Option<PathBuf>,
    /// The file that holds the passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// Whether to start although guests' keys are not in the key store; what they sealed stays unreadable.
    pub accept_loss: bool,
}

impl KeysConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        match self.provider {
            ProviderKind::Passphrase if self.passphrase_file.is_none() => {
                wrong.push("keys.provider = passphrase needs keys.passphrase_file".into());
            }
            ProviderKind::Passphrase if self.key_file.is_some() => {
                wrong.push("keys.key_file is not used with keys.provider = passphrase; remove it".into());
            }
            ProviderKind::File if self.passphrase_file.is_some() => {
                wrong.push("keys.passphrase_file needs keys.provider = passphrase".into());
            }
            ProviderKind::File | ProviderKind::Passphrase => {}
        }
    }
}
