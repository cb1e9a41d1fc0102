//! The command itself: opens the vault, imports on the operator's orders, tells the numbers.

use std::io::{self, Write};

use crate::{
    access::operator,
    app::{App, AppError},
    base::{Caller, Clock, Errand, ImportId, InvalidName, PropertyCode, RequestId},
    config::Config,
    connect::intake::Intake,
    guest::{GuestError, RolledBack, Vault},
};

use super::{Import, ImportError, Resolve, ServerSink, SinkError, Summary, VaultSink, run, suggest_mapping};

/// The role that imports act in.
const ROLE: &str = "integration";

/// Could not import, because …
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The vault does not open.
    #[error(transparent)]
    App(#[from] AppError),
    /// There is no such property.
    #[error("the property {0} is not configured")]
    Property(PropertyCode),
    /// The policy does not let integrations import, or the start cannot be recorded.
    #[error("the import may not begin: {0}")]
    Begin(#[from] GuestError),
    /// The vault that is served elsewhere.
    #[error("the vault: {0}")]
    Server(#[source] SinkError),
    /// It stopped.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A word of this program is not one of its own alphabet.
    #[error(transparent)]
    Word(#[from] InvalidName),
    /// The numbers cannot be told.
    #[error("the answer cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl CommandError {
    /// Whether the arguments were wrong (exit status 2) rather than that something failed (1).
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::Property(_) => true,
            Self::Import(error) => error.is_usage(),
            _ => false,
        }
    }
}

/// Imports into the vault of the configuration and prints the numbers. The exit status is 1 when
/// [`Summary::is_failure`].
///
/// # Errors
/// When the vault does not open, the import may not begin or stops, or the numbers cannot be told.
pub async fn execute(
    arguments: &Import,
    config: &Config,
    out: &mut dyn Write,
) -> Result<Summary, CommandError> {
    if let (true, Some(file)) = (arguments.suggest_mapping, arguments.files.first()) {
        write!(out, "{}", suggest_mapping(file)?)?;
        return Ok(Summary::default());
    }
    if let Some(server) = &arguments.server {
        return over_network(arguments, server, out).await;
    }
    let app = App::open(config, Clock::system()).await?;
    if let Some(import) = arguments.rollback {
        let outcome = roll_back(&app.vault, arguments, import).await;
        app.close().await;
        writeln!(out, "{}", serde_json::to_string(&outcome?).unwrap_or_default())?;
        return Ok(Summary::default());
    }
    let outcome = async {
        let ready = app.vault.store.expect_many_writes().await;
        ready.map_err(GuestError::from)?;
        into_vault(&app.vault, arguments).await
    };
    let outcome = outcome.await;
    app.close().await;
    let summary = outcome?;
    summary.print(arguments.json, out)?;
    Ok(summary)
}

/// Imports into an open vault.
///
/// # Errors
/// When the import may not begin or stops.
pub async fn into_vault(vault: &Vault, arguments: &Import) -> Result<Summary, CommandError> {
    let errand = errand(vault, arguments)?;
    let files = u64::try_from(arguments.files.len()).unwrap_or(u64::MAX);
    let import = vault.begin_import(&errand, files, arguments.dry_run).await?;
    let intake = Intake::new(vault.clone(), errand.caller, errand.purpose, import)
        .resolving_later(arguments.resolve == Resolve::Later)
        .with_lapsed(arguments.lapsed);
    let mut sink = VaultSink::new(intake, errand.property);
    Ok(run(arguments, &mut sink).await?)
}

/// Takes an import of an open vault back.
///
/// # Errors
/// When there is none, or something else has touched what it wrote.
async fn roll_back(vault: &Vault, arguments: &Import, import: ImportId) -> Result<RolledBack, CommandError> {
    Ok(vault.roll_back_import(&errand(vault, arguments)?, import).await?)
}

/// Imports into a vault that is served somewhere.
async fn over_network(
    arguments: &Import,
    server: &str,
    out: &mut dyn Write,
) -> Result<Summary, CommandError> {
    let (Some(key), Some(property)) = (&arguments.key, &arguments.property) else {
        return Err(CommandError::Server(SinkError(
            "--server needs --key and --property".to_owned(),
        )));
    };
    let about = (property.clone(), arguments.purpose.clone());
    let mut sink = ServerSink::new(server, key.0.clone(), about).map_err(CommandError::Server)?;
    if let Some(import) = arguments.rollback {
        let done = sink.roll_back(import).await.map_err(CommandError::Server)?;
        writeln!(out, "{done}")?;
        return Ok(Summary::default());
    }
    sink.learn_hotels().await.map_err(CommandError::Server)?;
    let summary = run(arguments, &mut sink).await?;
    summary.print(arguments.json, out)?;
    Ok(summary)
}

/// On the operator's orders.
fn errand(vault: &Vault, arguments: &Import) -> Result<Errand, CommandError> {
    Ok(Errand {
        caller: Caller {
            role: ROLE.parse()?,
            ..operator()?
        },
        property: property(vault, arguments)?,
        purpose: arguments.purpose.clone(),
        reason: None,
        request: RequestId::random(),
    })
}

/// The property the import as a whole is about: the one given, else the top of the tree.
fn property(vault: &Vault, arguments: &Import) -> Result<PropertyCode, CommandError> {
    match &arguments.property {
        Some(code) if vault.properties.get(code).is_none() => Err(CommandError::Property(code.clone())),
        Some(code) => Ok(code.clone()),
        None => Ok(match vault.properties.iter().find(|node| node.parent.is_none()) {
            Some(top) => top.code.clone(),
            None => "NONE".parse()?,
        }),
    }
}
