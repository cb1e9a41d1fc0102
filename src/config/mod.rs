//! Floor 2: what the operator decides. Flags over `GUEST_VAULT_…` variables over `guest-vault.toml` over defaults;
//! a key that is not known stops the start.
//!
//! One file per section. Nothing here opens a database, a socket or a key.

mod attestations;
mod audit;
mod backup;
mod budgets;
mod consent;
mod console;
mod database;
mod drp;
mod error;
mod events;
mod flags;
mod identity;
mod issuer;
mod keys;
mod layers;
mod log;
mod policies;
mod portal;
mod retention;
mod server;
mod values;
mod webhook;

use std::path::PathBuf;

use serde::Deserialize;

use crate::base::{PropertyKind, PropertyNode, PropertyTree, PropertyTreeError};

pub use attestations::AttestationsConfig;
pub use audit::{AuditConfig, WitnessConfig};
pub use backup::BackupConfig;
pub use budgets::{Budget, BudgetsConfig};
pub use consent::ConsentConfig;
pub use console::{ConsoleConfig, SignInConfig};
pub use database::DatabaseConfig;
pub use drp::{AgentConfig, DrpConfig};
pub use error::ConfigError;
pub use events::EventsConfig;
pub use flags::{ConfigFlags, DatabaseFlags, KeysFlags, LogFlags, PoliciesFlags, ServerFlags};
pub use identity::{IdentityConfig, Preset};
pub use issuer::{IssuerConfig, JwksSource, SigningAlgorithm};
pub use keys::{KeysConfig, ProviderKind};
pub use log::{LogConfig, LogFormat, LogLevel};
pub use policies::PoliciesConfig;
pub use portal::{PortalConfig, SmsConfig};
pub use retention::RetentionConfig;
pub use server::ServerConfig;
pub use webhook::WebhookConfig;

/// The whole configuration, checked.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the embedded database, the key file and other files of the vault lie.
    #[serde(default = "data_dir")]
    pub data_dir: PathBuf,
    /// The door.
    #[serde(default)]
    pub server: ServerConfig,
    /// Sealed values, tokens, the log.
    #[serde(default)]
    pub database: DatabaseConfig,
    /// Wrapped keys and what wraps them.
    #[serde(default)]
    pub keys: KeysConfig,
    /// Who may see what.
    #[serde(default)]
    pub policies: PoliciesConfig,
    /// What the process writes about itself.
    #[serde(default)]
    pub log: LogConfig,
    /// The provable log.
    #[serde(default)]
    pub audit: AuditConfig,
    /// Copies for the day after.
    #[serde(default)]
    pub backup: BackupConfig,
    /// How what has had its time is let go.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// Agents that bring requests of guests.
    #[serde(default)]
    pub drp: DrpConfig,
    /// The feed of events.
    #[serde(default)]
    pub events: EventsConfig,
    /// When two records are taken for one guest.
    #[serde(default)]
    pub identity: IdentityConfig,
    /// Who is told of events: `[[webhooks]]`.
    #[serde(default)]
    pub webhooks: Vec<WebhookConfig>,
    /// Issuers whose tokens are accepted: `[[issuers]]`.
    #[serde(default)]
    pub issuers: Vec<IssuerConfig>,
    /// The hotel group's tree: `[[property]]`.
    #[serde(default = "one_hotel")]
    pub property: Vec<PropertyNode>,
    /// The guests' pages.
    #[serde(default)]
    pub portal: PortalConfig,
    /// How much one actor may look at.
    #[serde(default)]
    pub budgets: BudgetsConfig,
    /// What holders of roles must have current.
    #[serde(default)]
    pub attestations: AttestationsConfig,
    /// What a yes must be able to show.
    #[serde(default)]
    pub consent: ConsentConfig,
    /// Who may sign in to the compliance console.
    #[serde(default)]
    pub console: ConsoleConfig,
}

fn data_dir() -> PathBuf {
    PathBuf::from("vault-data")
}

/// What is there without any configuration: a group with one hotel, enough to begin.
fn one_hotel() -> Vec<PropertyNode> {
    let node = |code: &str, kind, parent: Option<&str>| {
        Some(PropertyNode {
            code: code.parse().ok()?,
            kind,
            parent: parent.and_then(|p| p.parse().ok()),
            name: String::new(),
            region: None,
            province: None,
            timezone: chrono_tz::Tz::UTC,
        })
    };
    [
        node("GROUP", PropertyKind::Group, None),
        node("MAIN", PropertyKind::Property, Some("GROUP")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Config {
    /// Reads the file, the environment and the flags, and checks what they say together.
    ///
    /// # Errors
    /// Everything that is wrong, each with what to do about it.
    pub fn load(flags: &ConfigFlags) -> Result<Self, ConfigError> {
        Self::load_with(
            flags,
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v))),
        )
    }

    fn load_with(
        flags: &ConfigFlags,
        environment: impl Iterator<Item = (String, std::ffi::OsString)>,
    ) -> Result<Self, ConfigError> {
        let config: Self = layers::read(flags, environment)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let mut wrong = Vec::new();
        self.server.check(&mut wrong);
        self.database.check(&mut wrong);
        self.keys.check(&mut wrong);
        if self.keys_url().is_some_and(|url| url == self.database_url()) {
            wrong.push(
                "keys.url is database.url: give the key store a database of its own, or leave keys.url out"
                    .into(),
            );
        }
        self.audit.check(&mut wrong);
        self.backup.check(&mut wrong);
        self.attestations.check(&mut wrong);
        self.console.check(&mut wrong);
        for issuer in &self.issuers {
            issuer.check(&mut wrong);
        }
        self.retention.check(&mut wrong);
        self.drp.check(&mut wrong);
        self.events.check(&mut wrong);
        self.identity.check(&mut wrong);
        self.portal.check(&mut wrong);
        webhook::check(&self.webhooks, &mut wrong);
        for node in &self.property {
            let alpha2 =
                |region: &String| region.len() == 2 && region.chars().all(|c| c.is_ascii_uppercase());
            if !node.region.as_ref().is_none_or(alpha2) {
                wrong.push(format!(
                    "[[property]] {}: region must be two capital letters (ISO 3166-1 alpha-2), such as PT",
                    node.code
                ));
            }
        }
        if let Err(error) = self.properties() {
            wrong.push(error.to_string());
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::new(wrong))
        }
    }

    /// The hotel group's tree.
    ///
    /// # Errors
    /// When codes repeat or parents are missing; never after [`Config::load`].
    pub fn properties(&self) -> Result<PropertyTree, PropertyTreeError> {
        PropertyTree::new(self.property.clone())
    }

    /// Where the root key lies when nothing else is said.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.keys
            .key_file
            .clone()
            .unwrap_or_else(|| self.data_dir.join("root.key"))
    }

    /// The database's URL: the configured one, or a file in the data folder. May hold a password.
    #[must_use]
    pub fn database_url(&self) -> String {
        values::plain(self.database.url.as_ref())
            .unwrap_or_else(|| format!("sqlite:{}", self.data_dir.join("vault.db").display()))
    }

    /// The key store's URL, when one is configured; otherwise it lies beside the database. May hold a password.
    #[must_use]
    pub fn keys_url(&self) -> Option<String> {
        values::plain(self.keys.url.as_ref())
    }
}

#[cfg(test)]
mod tests;
