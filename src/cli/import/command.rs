//! The command itself: opens the vault, imports on the operator's orders, tells the numbers.

use std::io::{self, Write};

use crate::{
    access::operator,
    app::{App, AppError},
    base::{Caller, Clock, Errand, InvalidName, PropertyCode, RequestId},
    config::Config,
    guest::{GuestError, Vault},
};

use super::{Import, ImportError, Summary, VaultSink, run, suggest_mapping};

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
    let app = App::open(config, Clock::system()).await?;
    let outcome = into_vault(&app.vault, arguments).await;
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
    let errand = Errand {
        caller: Caller {
            role: ROLE.parse()?,
            ..operator()?
        },
        property: property(vault, arguments)?,
        purpose: arguments.purpose.clone(),
        reason: None,
        request: RequestId::random(),
    };
    let files = u64::try_from(arguments.files.len()).unwrap_or(u64::MAX);
    vault.begin_import(&errand, files).await?;
    let mut sink = VaultSink::new(vault.clone(), errand.caller, errand.purpose);
    Ok(run(arguments, &mut sink).await?)
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
