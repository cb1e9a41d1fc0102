//! `guest-vault restore`: a backup comes back in quarantine, learns from the log what was erased after it was taken,
//! erases it again, proves it, and only then takes its place.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::{
    backup::{keys_beside, quarantine, sound},
    copies::{CopyError, Manifest, at, sealed},
    scratch::Scratch,
};
use crate::{
    access::operator,
    app::{App, load_policies, open_stores},
    audit::tlog::{
        Stored,
        catch_up::{catch_up, reaches},
    },
    base::Clock,
    config::Config,
    crypto::age::{Identity, Opener},
    erasure::Replayed,
    events::feed,
    store::{Held, Store, StoreError, StoreUrl},
};

/// Restores a backup.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Restore {
    /// The file of the data; without it the databases as they are, restored by other tools, are brought up to date
    pub from: Option<PathBuf>,
    /// The key store's file [default: the present key store]
    #[arg(long, value_name = "FILE", requires = "from")]
    pub keys: Option<PathBuf>,
    /// A file with age identities, one of which opens the backup
    #[arg(long, value_name = "FILE", required_unless_present = "in_place")]
    pub identity: Option<PathBuf>,
    /// The folder that the log is mirrored to: it knows what was erased since [default: `audit.mirror`]
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
    /// Only tries: restores into a scratch place, reports, and throws it away
    #[arg(long, requires = "from")]
    pub drill: bool,
    /// Takes the place of databases that are there and that nothing serves; these are kept beside, as `….replaced`
    #[arg(long, requires = "from")]
    pub replace: bool,
    /// Brings databases up to date that other tools (`pg_restore`) have restored
    #[arg(long, conflicts_with = "from")]
    pub in_place: bool,
    /// Prints one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// What a restore found and did.
struct Outcome {
    values: u64,
    log: (u64, u64),
    replayed: Replayed,
    kept: Vec<PathBuf>,
}

/// Restores; nothing takes its place before it is proven that what was erased is erased.
///
/// # Errors
/// With what to do about it; then everything is as it was.
pub async fn run(arguments: &Restore, config: &Config, out: &mut dyn Write) -> Result<(), CopyError> {
    let log = arguments.log.as_ref().or(config.audit.mirror.as_ref());
    let log = log
        .filter(|folder| folder.join("checkpoint").is_file())
        .ok_or(CopyError::NoLog)?;
    let outcome = if let Some(from) = &arguments.from {
        restore(arguments, config, from, log).await?
    } else {
        bring_up(config, open_stores(config).await?, log).await?
    };
    tell(arguments, &outcome, out)
}

async fn restore(
    arguments: &Restore,
    config: &Config,
    from: &Path,
    log: &Path,
) -> Result<Outcome, CopyError> {
    let (data, keys) = places(config)?;
    if !arguments.drill && !arguments.replace && data.exists() {
        return Err(CopyError::There(data.display().to_string()));
    }
    if !arguments.drill {
        // Known before the work is done; taken when it is.
        for path in [&keys, &data] {
            if let Some(held) = hold(path).await? {
                held.release().await?;
            }
        }
    }
    let scratch = Scratch::beside(&data, "restore")?;
    let identities = match &arguments.identity {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(at(path))?;
            Identity::all(&text).map_err(sealed(path))?
        }
        None => Vec::new(),
    };
    let opener = Opener::Identities(&identities);
    let (new_data, new_keys) = (scratch.file("data.db"), scratch.file("keys.db"));
    kind(&Manifest::read(from, &opener, &new_data)?, "data", from)?;
    match &arguments.keys {
        Some(path) => kind(&Manifest::read(path, &opener, &new_keys)?, "keys", path)?,
        None if keys.exists() => {
            let present = Store::open(&StoreUrl::Sqlite(keys.clone()), 1).await?;
            let copied = present.copy_to(&new_keys).await;
            present.close().await;
            copied?;
        }
        None => return Err(CopyError::NoKeys(keys_beside(from).display().to_string())),
    }
    let open = async |path: &Path| Store::open(&StoreUrl::Sqlite(path.to_owned()), 1).await;
    let stores = (open(&new_data).await?, open(&new_keys).await?);
    let outcome = bring_up(config, stores, log).await?;
    if arguments.drill {
        return Ok(outcome);
    }
    // Nobody may write to what is put aside, and both are free or neither is touched.
    let (held_keys, held_data) = (hold(&keys).await?, hold(&data).await?);
    let [aside_keys, aside_data] = asides([&keys, &data]);
    let mut kept = Vec::new();
    // The keys first: data without the keys it had is nobody's to read; the other way round it might be.
    for (from, to, aside) in [(&new_keys, &keys, aside_keys), (&new_data, &data, aside_data)] {
        if take_place(from, to, &aside)? {
            kept.push(aside);
        }
    }
    for held in [held_keys, held_data].into_iter().flatten() {
        held.release().await?;
    }
    Ok(Outcome { kept, ..outcome })
}

/// A database for us alone; `None` when there is none.
async fn hold(path: &Path) -> Result<Option<Held>, CopyError> {
    if !path.exists() {
        return Ok(None);
    }
    match Held::take(path).await {
        Ok(held) => Ok(Some(held)),
        Err(StoreError::Again) => Err(CopyError::InUse(path.display().to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Where the present files are kept: at names that are free, as an earlier restore may have kept its own.
fn asides(places: [&Path; 2]) -> [PathBuf; 2] {
    let mut number = 0_u32;
    loop {
        let names = places.map(|place| {
            let mut name = place.as_os_str().to_owned();
            name.push(".replaced");
            if number > 0 {
                name.push(format!(".{number}"));
            }
            PathBuf::from(name)
        });
        if !names.iter().any(|name| name.exists()) {
            return names;
        }
        number = number.saturating_add(1);
    }
}

fn kind(manifest: &Manifest, store: &str, path: &Path) -> Result<(), CopyError> {
    if manifest.store == store {
        Ok(())
    } else {
        Err(CopyError::Kind(path.display().to_string()))
    }
}

/// Where the databases lie.
fn places(config: &Config) -> Result<(PathBuf, PathBuf), CopyError> {
    let url: StoreUrl = config.database_url().parse()?;
    let keys = match config.keys_url() {
        Some(text) => text.parse()?,
        None => url.default_keys(),
    };
    match (url, keys) {
        (StoreUrl::Sqlite(data), StoreUrl::Sqlite(keys)) => Ok((data, keys)),
        _ => Err(CopyError::Store(StoreError::Url(
            "a PostgreSQL database is restored with pg_restore, and then `guest-vault restore --in-place`; see docs/backup.md"
                .to_owned(),
        ))),
    }
}

/// From quarantine to proof.
async fn bring_up(config: &Config, stores: (Store, Store), log: &Path) -> Result<Outcome, CopyError> {
    let policies = load_policies(config)?;
    let app = App::assemble(config, Clock::system(), stores, policies).await?;
    let outcome = prove(&app, log).await;
    app.close().await;
    outcome
}

async fn prove(app: &App, folder: &Path) -> Result<Outcome, CopyError> {
    let store = &app.vault.store;
    let verifier = app.sequencer.signer().verifier();
    let from = quarantined(app, folder).await?;
    let (_, now) = catch_up(store, verifier, folder, from).await?;
    let log = (from, now);
    let eraser = app.requests().eraser;
    let caller = operator()?;
    let mut since = eraser.since(from).await?;
    for guest in eraser.parted(&since).await? {
        since.undone(app.vault.part_again(&caller, guest).await?);
    }
    let strays = eraser.strays(&since).await?;
    eraser.give(&mut since, &strays).await?;
    for stray in strays.into_iter().filter(|stray| stray.new != stray.guest) {
        let ends = (stray.guest, stray.new);
        app.vault.split_again(&caller, ends, stray.records).await?;
    }
    let replayed = eraser.replay(&caller, &since).await?;
    if replayed.left > 0 {
        return Err(CopyError::Left(replayed.left));
    }
    eraser.sweep_orphans().await?;
    app.settle_log().await;
    eraser.move_mark().await?;
    let values = sound(app).await?;
    let renamed = eraser.renamed(&since).await?;
    let mut tx = store.begin().await?;
    tx.end_quarantine().await?;
    feed::leap(&mut tx).await?;
    for told in &renamed {
        tx.announce(told).await?;
    }
    tx.commit().await?;
    store.scrub(&[]).await?;
    Ok(Outcome {
        values,
        log,
        replayed,
        kept: Vec::new(),
    })
}

/// How large the log was when the data was copied. Noted before anything else is done, so that a run that is cut off
/// does not make the next one believe that the data knows the whole log. A vault whose log goes on beyond the folder's is
/// left as it is: it may be served already.
async fn quarantined(app: &App, folder: &Path) -> Result<u64, CopyError> {
    let store = &app.vault.store;
    if let Some(size) = store.read().await?.quarantined_at().await? {
        return Ok(u64::try_from(size).unwrap_or(0));
    }
    let (size, _) = Stored::new(store.clone()).checkpoint().await?.unwrap_or_default();
    reaches(app.sequencer.signer().verifier(), folder, size)?;
    quarantine(store, app.vault.clock.now(), size).await?;
    Ok(size)
}

/// Puts a file where another may be, which is kept beside it; whether there was one.
fn take_place(from: &Path, to: &Path, aside: &Path) -> Result<bool, CopyError> {
    let there = to.exists();
    if there {
        fs::hard_link(to, aside).map_err(at(aside))?;
    }
    for end in ["-wal", "-shm"] {
        let mut stale = to.as_os_str().to_owned();
        stale.push(end);
        // Of a database that was there once; the one that is held has none.
        let _ = fs::remove_file(PathBuf::from(stale));
    }
    fs::rename(from, to).map_err(at(to))?;
    Ok(there)
}

fn tell(arguments: &Restore, outcome: &Outcome, out: &mut dyn Write) -> Result<(), CopyError> {
    let Outcome {
        values,
        log,
        replayed,
        kept,
    } = outcome;
    if arguments.json {
        let line = json!({"drill": arguments.drill, "values": values, "log": {"backup": log.0, "now": log.1},
                          "replayed": replayed, "kept": kept, "served": !arguments.drill});
        writeln!(out, "{line}")?;
        return Ok(());
    }
    writeln!(out, "log         {} entries in the backup, {} now", log.0, log.1)?;
    writeln!(
        out,
        "erased      {} guests again, nothing of them left",
        replayed.guests
    )?;
    writeln!(
        out,
        "readable    {} other guests, {values} values open",
        replayed.others
    )?;
    if replayed.parted > 0 {
        writeln!(
            out,
            "parted      {} guests from others, as they were when one of the two was erased",
            replayed.parted
        )?;
    }
    if replayed.undecided > 0 {
        writeln!(
            out,
            "undecided   {} erasures name nobody of the copy, and the log tells of records that got a guest of their own: \
             look whether one of those was erased",
            replayed.undecided
        )?;
    }
    if replayed.registers_lost > 0 {
        writeln!(
            out,
            "register    of {} guests the copies are lost: give the key store's own backup with --keys to make them again",
            replayed.registers_lost
        )?;
    }
    if replayed.restricted > 0 {
        writeln!(
            out,
            "waiting     {} guests whose erasure waits for a hold or a term are out of sight again: open their requests anew",
            replayed.restricted
        )?;
    }
    let again = [
        (replayed.refusals, "refusals said again"),
        (
            replayed.restrictions,
            "guests restricted again: open their requests anew",
        ),
        (
            replayed.holds,
            "guests held as a whole again: put the holds anew that the log names, and lift these",
        ),
    ];
    for (count, what) in again.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "protected   {count} {what}")?;
    }
    if replayed.suppressed > 0 {
        writeln!(
            out,
            "lost        {} entries of do-not-contact lists: the log tells when they were made; make them again",
            replayed.suppressed
        )?;
    }
    for path in kept {
        writeln!(out, "kept        what was there, as {}", path.display())?;
    }
    let end = if arguments.drill {
        "a drill: thrown away"
    } else {
        "in its place; start the vault"
    };
    writeln!(out, "done        {end}")?;
    Ok(())
}
