//! Configuration given on the command line.

use std::{net::IpAddr, path::PathBuf};

use serde::Serialize;

/// Flags shared by every command that opens a vault.
#[derive(clap::Args, Debug, Clone, Default, Serialize)]
pub struct ConfigFlags {
    /// The configuration file [default: guest-vault.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The folder of the embedded database and the key file [default: vault-data; of a demo, a temporary one]
    #[arg(long, global = true, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// The database.
    #[command(flatten)]
    #[serde(skip_serializing_if = "DatabaseFlags::is_empty")]
    pub database: DatabaseFlags,
    /// The keys.
    #[command(flatten)]
    #[serde(skip_serializing_if = "KeysFlags::is_empty")]
    pub keys: KeysFlags,
    /// The policies.
    #[command(flatten)]
    #[serde(skip_serializing_if = "PoliciesFlags::is_empty")]
    pub policies: PoliciesFlags,
    /// The log.
    #[command(flatten)]
    #[serde(skip_serializing_if = "LogFlags::is_empty")]
    pub log: LogFlags,
    /// Set by [`ServerFlags`]; only `serve` and `demo` have them.
    #[arg(skip)]
    #[serde(skip_serializing_if = "ServerFlags::is_empty")]
    pub server: ServerFlags,
}

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(clap::Args, Debug, Clone, Default, Serialize)]
        pub struct $name {
            $($(#[$attr])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
        }

        impl $name {
            fn is_empty(&self) -> bool {
                true $(&& self.$field.is_none())*
            }
        }
    )*};
}

sections! {
    /// Flags of `[database]`.
    DatabaseFlags {
        /// The database: sqlite:PATH or postgres://… (with a password rather by `GUEST_VAULT_DATABASE_URL_FILE`)
        #[arg(id = "database_url", long = "database-url", global = true, value_name = "URL")]
        url: String,
    }
    /// Flags of `[keys]`.
    KeysFlags {
        /// The key store, when it is not to lie beside the database
        #[arg(id = "keys_url", long = "keys-url", global = true, value_name = "URL")]
        url: String,
        /// The file that holds the root key
        #[arg(long = "key-file", global = true, value_name = "FILE")]
        key_file: PathBuf,
    }
    /// Flags of `[policies]`.
    PoliciesFlags {
        /// A folder of policies instead of the built-in ones
        #[arg(id = "policies_dir", long = "policies", global = true, value_name = "DIR")]
        dir: PathBuf,
    }
    /// Flags of `[log]`.
    LogFlags {
        /// error, warn, info or debug
        #[arg(id = "log_level", long = "log-level", global = true, value_name = "LEVEL")]
        level: String,
        /// json or text
        #[arg(id = "log_format", long = "log-format", global = true, value_name = "FORMAT")]
        format: String,
    }
    /// Flags of `[server]`: of commands that listen.
    ServerFlags {
        /// The address to listen on [default: 127.0.0.1]
        #[arg(long, value_name = "ADDRESS")]
        bind: IpAddr,
        /// The port to listen on; 0 takes a free one [default: 8650]
        #[arg(long)]
        port: u16,
        /// The certificate chain for TLS, PEM
        #[arg(long, value_name = "FILE")]
        tls_cert: PathBuf,
        /// The private key of the certificate, PEM
        #[arg(long, value_name = "FILE")]
        tls_key: PathBuf,
        /// A proxy ends TLS in front, and nobody else reaches this port
        #[arg(long, num_args = 0, default_missing_value = "true")]
        behind_proxy: bool,
    }
}
