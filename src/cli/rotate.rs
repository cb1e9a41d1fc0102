//! `guest-vault keys rotate` and `keys rewrap`: keys made anew while the vault runs.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use chrono::TimeDelta;
use clap::Args;
use serde_json::json;

use crate::{
    access::operator,
    app::{App, AppError},
    audit::{Act, AuditError, Event},
    base::{Clock, InvalidName, RequestId},
    config::Config,
    keys::{KeysError, RootKeySource, Rotated},
};

/// `keys rotate`.
#[derive(Debug, Args)]
pub struct Rotate {
    /// A new root key instead of a new epoch: a key file, made if it is not there. The configuration is to name it
    /// before the next start, and every instance is to be restarted before the next rotation
    #[arg(long, value_name = "FILE", conflicts_with = "root_passphrase_file")]
    pub root_key_file: Option<PathBuf>,
    /// The same with a file that holds a passphrase
    #[arg(long, value_name = "FILE")]
    pub root_passphrase_file: Option<PathBuf>,
    /// Prints one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// `keys rewrap`.
#[derive(Debug, Args)]
pub struct Rewrap {
    /// Prints one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The vault does not open.
    #[error(transparent)]
    App(#[from] AppError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// It could not be put on record.
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
    /// The new root key cannot be used.
    #[error("the new root key: {0}")]
    Root(#[from] crate::keys::ProviderError),
    /// Some keys do not open; the others were wrapped anew.
    #[error("{0} data keys do not open and were left as they are: run `guest-vault doctor`")]
    Damaged(u64),
    /// The operator has no name.
    #[error(transparent)]
    Word(#[from] InvalidName),
    /// The answer cannot be written.
    #[error("the answer cannot be written")]
    Output(#[from] io::Error),
}

/// Rotates, and wraps anew what is wrapped in older epochs.
///
/// # Errors
/// With what to do about it; what is done is done, and the same command goes on.
pub async fn rotate(arguments: &Rotate, config: &Config, out: &mut dyn Write) -> Result<(), RotateError> {
    let app = App::open(config, Clock::system()).await?;
    let file = arguments.root_key_file.clone().map(RootKeySource::File);
    let passphrase = arguments
        .root_passphrase_file
        .clone()
        .map(RootKeySource::Passphrase);
    let ended = match file.or(passphrase) {
        Some(source) => new_root(&app, &source, arguments.json, out).await,
        None => new_epoch(&app, config, arguments.json, out).await,
    };
    app.settle_log().await;
    app.close().await;
    ended
}

/// Goes on with a rotation that was cut off, and destroys keys of epochs that nothing needs any more.
///
/// # Errors
/// As [`rotate`].
pub async fn rewrap(arguments: &Rewrap, config: &Config, out: &mut dyn Write) -> Result<(), RotateError> {
    let app = App::open(config, Clock::system()).await?;
    let ended = wrap_anew(&app, config, arguments.json, out).await;
    app.settle_log().await;
    app.close().await;
    ended
}

async fn new_root(
    app: &App,
    source: &RootKeySource,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), RotateError> {
    let provider = source.open(true)?;
    record(app, "root_rotation_begun", None).await?;
    let keys = app.vault.keys.move_root(&*provider).await?;
    record(app, "root_rotated", u64::try_from(keys).ok()).await?;
    let path = source.path().display();
    if json {
        writeln!(
            out,
            "{}",
            json!({"root": source.kind(), "reference": path.to_string(), "vault_keys": keys})
        )?;
        return Ok(());
    }
    writeln!(
        out,
        "done        {keys} vault keys are wrapped by the new root key"
    )?;
    let (provider, key, other) = match source {
        RootKeySource::File(_) => ("file", "key_file", "passphrase_file"),
        RootKeySource::Passphrase(_) => ("passphrase", "passphrase_file", "key_file"),
    };
    writeln!(
        out,
        "now         set `provider = \"{provider}\"` and `{key} = \"{path}\"` in [keys], without `{other}`, and restart"
    )?;
    writeln!(
        out,
        "            every instance that serves: until then it knows the old root key only, and a further rotation\n            \
         makes it unable to open guests' keys"
    )?;
    writeln!(
        out,
        "            keep the old root key while there are backups of the key store from before"
    )?;
    Ok(())
}

async fn new_epoch(app: &App, config: &Config, json: bool, out: &mut dyn Write) -> Result<(), RotateError> {
    record(app, "epoch_begun", None).await?;
    app.vault.keys.new_epoch().await?;
    wrap_anew(app, config, json, out).await?;
    if !json {
        writeln!(
            out,
            "now         a vault that serves takes up the new epoch within half a minute: `keys rewrap` after that\n            \
             wraps anew what it made meanwhile"
        )?;
    }
    Ok(())
}

async fn wrap_anew(app: &App, config: &Config, json: bool, out: &mut dyn Write) -> Result<(), RotateError> {
    let kept_for = TimeDelta::days(i64::from(config.backup.keep_days).max(1));
    let tell = |done: u64| {
        if !json {
            eprintln!("            {done} data keys wrapped anew");
        }
    };
    let done = app.vault.keys.rewrap(kept_for, tell).await?;
    record(app, "rewrapped", Some(done.rewrapped)).await?;
    let Rotated {
        epoch,
        rewrapped,
        damaged,
        dropped,
    } = &done;
    if json {
        writeln!(out, "{}", json!(done))?;
    } else {
        writeln!(out, "epoch       {epoch}")?;
        writeln!(out, "wrapped     {rewrapped} data keys anew")?;
        writeln!(out, "destroyed   keys of {} older epochs", dropped.len())?;
    }
    if *damaged > 0 {
        return Err(RotateError::Damaged(*damaged));
    }
    Ok(())
}

async fn record(app: &App, outcome: &'static str, count: Option<u64>) -> Result<(), RotateError> {
    let mut event = Event::by(
        &operator()?,
        Act::ManageKeys,
        RequestId::random(),
        app.vault.clock.now(),
    );
    event.outcome = Some(outcome);
    event.count = count;
    app.vault.log.record(event, ()).await?;
    Ok(())
}
