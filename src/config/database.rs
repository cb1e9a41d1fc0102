//! `[database]`: where sealed values, tokens and the log lie.

use secrecy::SecretString;
use serde::Deserialize;

use super::values::{lenient, secret};

/// The section `[database]`.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseConfig {
    /// `sqlite:PATH` or `postgres://…`; by default a file in the data folder. It may hold a password.
    #[serde(deserialize_with = "secret")]
    pub url: Option<SecretString>,
    /// The most connections to it.
    #[serde(deserialize_with = "lenient")]
    pub max_connections: u32,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: None,
            max_connections: 8,
        }
    }
}

impl DatabaseConfig {
    pub(super) fn check(&self, wrong: &mut Vec<String>) {
        if !(1..=1_000).contains(&self.max_connections) {
            wrong.push("database.max_connections must be 1 to 1000".into());
        }
    }
}
