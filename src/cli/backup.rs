//! `guest-vault backup`: a consistent, encrypted copy of the data and, apart from it, of the key store.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use super::{
    copies::{CopyError, Manifest, at, sealed},
    scratch::Scratch,
};
use crate::{
    access::operator,
    app::App,
    audit::{
        Act, Event,
        tlog::{
            Stored,
            verify::{Expected, Source, verify},
        },
    },
    base::{Clock, RequestId, micros},
    config::Config,
    crypto::age::Recipient,
    guest::GuestError,
    store::{Store, StoreUrl},
};

/// Takes a backup.
#[derive(Debug, Args)]
pub struct Backup {
    /// The file of the data; the key store's is the same with `.keys` behind it
    pub out: PathBuf,
    /// Who can open it: an age recipient; may be given several times [default: `backup.recipients`]
    #[arg(long, value_name = "AGE1…")]
    pub recipient: Vec<String>,
    /// Prints one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// The key store's file beside the data's.
pub(super) fn keys_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".keys");
    PathBuf::from(name)
}

/// Takes a backup, restores it into a scratch place, and opens every value there before it counts.
///
/// # Errors
/// With what to do about it; then there is no backup.
pub async fn run(arguments: &Backup, config: &Config, out: &mut dyn Write) -> Result<(), CopyError> {
    let named = if arguments.recipient.is_empty() {
        &config.backup.recipients
    } else {
        &arguments.recipient
    };
    let recipients: Vec<Recipient> = named
        .iter()
        .map(|text| text.parse().map_err(sealed(Path::new(text))))
        .collect::<Result<_, _>>()?;
    if recipients.is_empty() {
        return Err(CopyError::Nobody);
    }
    let keys_out = keys_beside(&arguments.out);
    if let Some(there) = [&arguments.out, &keys_out].into_iter().find(|path| path.exists()) {
        return Err(CopyError::Taken(there.display().to_string()));
    }
    let app = App::open(config, Clock::system()).await?;
    let taken = take(&app, config, (&arguments.out, &keys_out), &recipients).await;
    app.close().await;
    let (values, size) = taken?;
    if arguments.json {
        writeln!(
            out,
            "{}",
            json!({"data": arguments.out, "keys": keys_out, "values": values, "log_size": size})
        )?;
    } else {
        writeln!(out, "data        {}", arguments.out.display())?;
        writeln!(
            out,
            "key store   {}  (keep it apart, and no longer than {} days)",
            keys_out.display(),
            config.backup.keep_days
        )?;
        writeln!(out, "verified    {values} values open, a log of {size} entries")?;
    }
    Ok(())
}

async fn take(
    app: &App,
    config: &Config,
    (data_out, keys_out): (&Path, &Path),
    recipients: &[Recipient],
) -> Result<(u64, u64), CopyError> {
    let now = app.vault.clock.now();
    let event = Event::by(&operator()?, Act::Backup, RequestId::random(), now);
    app.vault.log.record(event, ()).await.map_err(GuestError::from)?;
    // So that a log which knows less than this moment is seen to be too old at the restore.
    app.settle_log().await;
    let scratch = Scratch::beside(data_out, "backup")?;
    let (data, keys) = (scratch.file("data.db"), scratch.file("keys.db"));
    // The data first: a guest of it then has its keys in the other; keys of nobody are swept.
    app.vault.store.copy_to(&data).await?;
    // Before there are keys to it: nobody serves it, wherever this is cut off.
    mark(&data, now).await?;
    app.key_store.copy_to(&keys).await?;
    let (values, log, size) = examine(app, config, &data, &keys).await?;
    let manifest = |store| Manifest::of(store, (&log, size), now, config.backup.keep_days);
    let (sealed_data, sealed_keys) = (scratch.file("data.age"), scratch.file("keys.age"));
    manifest("keys").write(&keys, &sealed_keys, recipients)?;
    manifest("data").write(&data, &sealed_data, recipients)?;
    // Both are whole before either has its name.
    name(&sealed_keys, keys_out)?;
    name(&sealed_data, data_out).inspect_err(|_| drop(fs::remove_file(keys_out)))?;
    Ok((values, size))
}

/// Gives a file its name, unless another backup was faster with it.
fn name(file: &Path, out: &Path) -> Result<(), CopyError> {
    match fs::hard_link(file, out) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(CopyError::Taken(out.display().to_string()))
        }
        // Not every file system has links.
        Err(_) => fs::rename(file, out).map_err(at(out)),
        Ok(()) => fs::remove_file(file).map_err(at(file)),
    }
}

/// Puts a copy into quarantine.
async fn mark(data: &Path, now: DateTime<Utc>) -> Result<(), CopyError> {
    let copy = Store::open(&StoreUrl::Sqlite(data.to_owned()), 1).await?;
    let marked = async {
        let (size, _) = Stored::new(copy.clone()).checkpoint().await?.unwrap_or_default();
        quarantine(&copy, now, size).await
    };
    let marked = marked.await;
    copy.close().await;
    marked
}

/// Puts a database into quarantine whose log has this size.
pub(super) async fn quarantine(store: &Store, now: DateTime<Utc>, size: u64) -> Result<(), CopyError> {
    let mut tx = store.begin().await?;
    tx.quarantine(micros(now), i64::try_from(size).unwrap_or(i64::MAX))
        .await?;
    Ok(tx.commit().await?)
}

/// Opens the copies as a vault would: every value, and the log from end to end.
async fn examine(
    app: &App,
    config: &Config,
    data: &Path,
    keys: &Path,
) -> Result<(u64, String, u64), CopyError> {
    let open = async |path: &Path| Store::open(&StoreUrl::Sqlite(path.to_owned()), 1).await;
    let stores = (open(data).await?, open(keys).await?);
    let policies = Arc::clone(&app.vault.policies);
    let copy = App::assemble(config, app.vault.clock.clone(), stores, policies).await?;
    let examined = async {
        let values = sound(&copy).await?;
        let log = Stored::new(copy.vault.store.clone());
        let (size, _) = log.checkpoint().await?.unwrap_or_default();
        Ok((values, log.origin().await?.unwrap_or_default(), size))
    };
    let outcome = examined.await;
    copy.close().await;
    outcome
}

/// Whether every value opens and the log verifies; how many values there are.
pub(super) async fn sound(app: &App) -> Result<u64, CopyError> {
    let found = app.vault.inspect().await?;
    if found.damaged > 0 {
        return Err(CopyError::Damaged(found.damaged));
    }
    let source = Source::Database(app.stored_log());
    let verifier = app.sequencer.signer().verifier();
    let report = verify(&source, verifier, Expected::default(), |_, _| {}).await?;
    if report.is_good() {
        Ok(found.values)
    } else {
        Err(CopyError::Bad)
    }
}
