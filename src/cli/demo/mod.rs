//! `guest-vault demo`: a throw-away vault full of invented guests, with a key for every role.

mod fill;
mod folder;
pub mod invented;
mod welcome;

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use clap::Args;
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    access::{AccessError, NewPrincipal, operator},
    app::{App, AppError},
    base::{Clock, InvalidName, RequestId},
    config::{
        AttestationsConfig, AuditConfig, BackupConfig, BudgetsConfig, Config, ConfigFlags, ConsentConfig,
        ConsoleConfig, DatabaseConfig, DrpConfig, EventsConfig, IdentityConfig, KeysConfig, LogConfig,
        PoliciesConfig, PortalConfig, RetentionConfig, ServerConfig,
    },
};

use super::{
    import,
    serve::{ServeError, serve},
    server::ServerError,
};
use fill::Filled;
use folder::Folder;
use welcome::{Key, Welcome};

/// The code of the group all keys are for.
const GROUP: &str = "LUMEN";

/// Serves a throw-away vault with invented guests and one key per role.
#[derive(Debug, Args)]
pub struct Demo {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = ServerConfig::default().port)]
    pub port: u16,
    /// How many guests to invent.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub guests: u64,
    /// Prints one line of JSON once it is ready.
    #[arg(long)]
    pub json: bool,
}

/// Why the demonstration does not run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The folder cannot be used.
    #[error("{}: cannot be used as the folder of a demonstration: {error}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The folder belongs to something else.
    #[error("{}: is not empty and no demonstration made it; name a new folder", .0.display())]
    Foreign(PathBuf),
    /// The invented guests cannot be written down.
    #[error("cannot write the invented guests: {0}")]
    Invent(#[source] io::Error),
    /// The vault does not open.
    #[error(transparent)]
    App(#[from] AppError),
    /// The guests do not go in.
    #[error(transparent)]
    Import(#[from] import::CommandError),
    /// A key cannot be made.
    #[error("cannot make a key: {0}")]
    Access(#[from] AccessError),
    /// The server does not run.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A word of this program is not one of its own alphabet.
    #[error(transparent)]
    Word(#[from] InvalidName),
}

impl DemoError {
    /// Whether the arguments were wrong (exit status 2) rather than that something failed (1).
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(self, Self::Foreign(_))
    }
}

/// Makes the vault, fills it, says so and serves until SIGTERM or Ctrl-C; then removes what it made.
///
/// # Errors
/// When any of that fails; the folder is removed then, too.
pub async fn run(arguments: &Demo, flags: &ConfigFlags) -> Result<(), DemoError> {
    let folder = Folder::open(flags.data_dir.as_deref())?;
    let config = config(arguments, flags, &folder);
    // Said now rather than after all the guests are invented.
    let address = config.server.address();
    let bound = TcpListener::bind(address);
    drop(bound.map_err(|cause| ServeError::Server(ServerError::Bind { address, cause }))?);
    let house = tokio::select! {
        house = House::build(arguments, &config) => house?,
        () = stopped() => return Ok(()),
    };
    let outcome = house.serve(arguments, &config, &folder).await;
    house.app.close().await;
    outcome
}

/// Flags alone decide: a `guest-vault.toml` or an environment of a real vault must not lead invented guests there.
fn config(arguments: &Demo, flags: &ConfigFlags, folder: &Folder) -> Config {
    let url = |url: &Option<String>| url.clone().map(SecretString::from);
    Config {
        data_dir: folder.path().to_owned(),
        server: ServerConfig {
            port: arguments.port,
            ..ServerConfig::default()
        },
        database: DatabaseConfig {
            url: url(&flags.database.url),
            ..DatabaseConfig::default()
        },
        keys: KeysConfig {
            url: url(&flags.keys.url),
            ..KeysConfig::default()
        },
        policies: PoliciesConfig {
            dir: flags.policies.dir.clone(),
            ..PoliciesConfig::default()
        },
        log: LogConfig::default(),
        retention: RetentionConfig::default(),
        drp: DrpConfig::default(),
        events: EventsConfig::default(),
        backup: BackupConfig::default(),
        identity: IdentityConfig::default(),
        webhooks: Vec::new(),
        issuers: Vec::new(),
        property: invented::properties(),
        attestations: AttestationsConfig::default(),
        portal: PortalConfig {
            outbox: true,
            ..PortalConfig::default()
        },
        budgets: BudgetsConfig::default(),
        audit: AuditConfig::default(),
        // Invented guests agreed long before this vault could publish a notice.
        consent: ConsentConfig { bare_yes: true },
        console: ConsoleConfig {
            anybody: true,
            ..ConsoleConfig::default()
        },
    }
}

/// Ends at the first signal to stop.
async fn stopped() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// A vault with its guests and keys.
struct House {
    app: App,
    keys: Vec<Key>,
    filled: Filled,
    /// With what the guests to look at sign in to their pages.
    contacts: BTreeMap<String, String>,
}

/// The first contact of each guest to look at that is nobody else's.
async fn contacts(app: &App, filled: &Filled) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    let Some(portal) = &app.portal else { return known };
    for (id, all) in &filled.contacts {
        for contact in all {
            if portal.is_on_file(contact).await.unwrap_or(false) {
                known.insert(id.clone(), contact.clone());
                break;
            }
        }
    }
    known
}

impl House {
    async fn build(arguments: &Demo, config: &Config) -> Result<Self, DemoError> {
        let app = App::open(config, Clock::system()).await?;
        let keys = keys(&app).await?;
        let filled = fill::fill(&app.vault, arguments.guests, arguments.json).await?;
        let contacts = contacts(&app, &filled).await;
        Ok(Self {
            app,
            keys,
            filled,
            contacts,
        })
    }

    async fn serve(&self, arguments: &Demo, config: &Config, folder: &Folder) -> Result<(), DemoError> {
        let ready = async |address: SocketAddr| {
            let url = format!("http://{address}");
            let welcome = Welcome {
                url: &url,
                folder: folder.path(),
                throw_away: folder.is_ours(),
                keys: &self.keys,
                filled: &self.filled,
                contacts: &self.contacts,
                vkey: &self.app.sequencer.signer().verifier().vkey(),
            };
            // A reader that went away is no reason to stop serving.
            let _ = welcome.print(arguments.json, &mut io::stdout().lock());
            Ok(())
        };
        Ok(serve(&self.app, config, ready).await?)
    }
}

/// One key for each role of the policy, good at every hotel of the group.
async fn keys(app: &App) -> Result<Vec<Key>, DemoError> {
    let policy = app.vault.policies.current();
    let (by, scope) = (operator()?, vec![GROUP.parse()?]);
    let mut keys = Vec::new();
    for entry in policy.roles() {
        let new = NewPrincipal {
            name: format!("demo {}", entry.code),
            role: entry.code.clone(),
            scope: scope.clone(),
            expires_at: None,
        };
        let key = app
            .access
            .principals
            .create(&new, &by, RequestId::random())
            .await?;
        keys.push(Key {
            role: entry.code.clone(),
            about: entry.description.clone(),
            text: key.text(),
        });
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DatabaseFlags;

    fn demo(guests: u64, port: u16) -> Demo {
        Demo {
            port,
            guests,
            json: true,
        }
    }

    #[actix_web::test]
    async fn all_that_is_invented_goes_in_and_finds_together() {
        let folder = Folder::open(None).unwrap();
        let arguments = demo(24, 0);
        let config = config(&arguments, &ConfigFlags::default(), &folder);
        let house = House::build(&arguments, &config).await.unwrap();
        let summary = &house.filled.summary;
        assert_eq!((summary.refused, summary.partial), (0, 0), "{summary:?}");
        let created = summary.outcomes["created"];
        assert!((24..=28).contains(&created), "{summary:?}");
        assert_eq!(house.filled.shown.len(), 6);
        let guests: std::collections::HashSet<_> =
            house.filled.shown.iter().map(|(_, guest)| guest).collect();
        assert_eq!(guests.len(), 6);
        assert_eq!(house.keys.len(), 23);
        house.app.close().await;
    }

    #[actix_web::test]
    async fn a_port_that_is_taken_is_told_at_once() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let told = run(&demo(500, port), &ConfigFlags::default())
            .await
            .unwrap_err()
            .to_string();
        assert!(told.contains("try --port 0"), "{told}");
    }

    #[test]
    fn flags_decide_where_and_nothing_else() {
        let folder = Folder::open(None).unwrap();
        let flags = ConfigFlags {
            database: DatabaseFlags {
                url: Some("postgres://localhost/x".to_owned()),
            },
            ..ConfigFlags::default()
        };
        let config = config(&demo(1, 7), &flags, &folder);
        assert_eq!(config.database_url(), "postgres://localhost/x");
        assert_eq!(
            (config.server.port, config.data_dir.as_path()),
            (7, folder.path())
        );
        assert!(config.server.bind.is_loopback());
    }
}
