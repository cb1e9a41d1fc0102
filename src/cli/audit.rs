//! `guest-vault audit`: verify the provable log, keep a copy of it, tell its key.

mod export;
mod offline;
mod report;

use std::{
    io::{self, IsTerminal as _, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    app::{App, AppError},
    audit::AuditError,
    audit::tlog::{
        LogError,
        ageing::Ageing,
        cosignature::Cosigner,
        mirror::{Mirror, MirrorError},
        note::{NoteError, Verifier},
        remote::{Remote, RemoteError},
        verify::{Expected, Report, Source, VerifyError, Witnessed, verify},
    },
    base::{Clock, from_micros},
    config::Config,
    guest::GuestError,
    store::StoreError,
};

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks a mirrored folder, a log over the network, or the database, from the first entry to the last.
    Verify(Verify),
    /// Brings a copy of the log up to date.
    Mirror {
        /// The folder.
        dir: PathBuf,
    },
    /// Checks a receipt or the JSON of an access report offline, with nothing but the log's key.
    Check(Check),
    /// Hands entries to a system that watches many logs: on standard output, or as syslog over TLS.
    Export(export::Export),
    /// Tells the key that verifies the log's checkpoints.
    Vkey,
}

impl Command {
    /// Whether it opens the vault, which must be there already.
    #[must_use]
    pub const fn needs_vault(&self) -> bool {
        match self {
            Self::Verify(verify) => verify.vkey.is_none() || !verify.is_outside(),
            Self::Check(_) => false,
            Self::Mirror { .. } | Self::Export(_) | Self::Vkey => true,
        }
    }
}

impl Verify {
    /// Whether something else than the database is checked.
    const fn is_outside(&self) -> bool {
        self.dir.is_some() || self.url.is_some() || self.certificate.is_some() || self.bundle.is_some()
    }
}

/// `audit verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The mirrored folder; without it the database is checked.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The address of the log instead: `https://vault.example.com/v1/audit/log`, or where a mirror is published
    #[arg(long, value_name = "URL", conflicts_with = "dir")]
    pub url: Option<String>,
    /// The API key for the address, where it needs one
    #[arg(
        long,
        value_name = "KEY",
        env = "GUEST_VAULT_KEY",
        hide_env_values = true,
        requires = "url"
    )]
    pub key: Option<String>,
    /// A checkpoint of an earlier day, that the log must have grown from.
    #[arg(long, value_name = "CHECKPOINT")]
    pub since: Option<PathBuf>,
    /// Refuse a log that does not begin with its first entry, as one may where `audit.retention_days` is set
    #[arg(long)]
    pub whole: bool,
    /// The log's key (see `audit vkey`), best from where the log does not come from; without it the vault is asked
    #[arg(long, value_name = "KEY")]
    pub vkey: Option<String>,
    /// A witness that must have cosigned the log: its verifier key; may be given several times
    #[arg(long, value_name = "KEY")]
    pub witness: Vec<String>,
    /// How many of the witnesses are enough, at least 1; a key counts once [default: all]
    #[arg(long, value_name = "N", requires = "witness")]
    pub quorum: Option<usize>,
    /// The certificate of an erasure instead of the log; with --vkey it is checked offline
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dir", "url", "since"])]
    pub certificate: Option<PathBuf>,
    /// A proof bundle of the console instead of the log; with --vkey it is checked offline
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dir", "url", "since", "certificate"])]
    pub bundle: Option<PathBuf>,
    /// Prints one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// `audit check`.
#[derive(Debug, Args)]
pub struct Check {
    /// A `.tlog-proof` file, or an access report as JSON
    pub file: PathBuf,
    /// The log's key (see `audit vkey`)
    #[arg(long, value_name = "KEY")]
    pub vkey: String,
    /// The entry that the receipt is of, byte for byte; not for a report, which has its entries with it
    #[arg(long, value_name = "FILE")]
    pub entry: Option<PathBuf>,
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum AuditCommandError {
    /// The vault does not open.
    #[error(transparent)]
    App(#[from] AppError),
    /// The address is none that can be asked.
    #[error("--url: {0}")]
    Url(#[source] RemoteError),
    /// The key is none.
    #[error("--vkey: {0}")]
    Vkey(#[source] NoteError),
    /// A witness's key is none.
    #[error("--witness: not a verifier key of the type cosignature/v1 (NAME+ID+KEY)")]
    Witness,
    /// So many cannot be met, or nobody would have to.
    #[error("--quorum: from 1 to the number of witnesses with keys of their own, {0}")]
    Quorum(usize),
    /// The older checkpoint is none of this log.
    #[error("--since {path}: {cause}")]
    Since {
        /// Which file.
        path: String,
        /// Why.
        cause: String,
    },
    /// The entries cannot be had.
    #[error(transparent)]
    Guest(#[from] GuestError),
    /// They cannot be read further.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record of the export cannot be made durable.
    #[error(transparent)]
    Record(#[from] AuditError),
    /// The receiver does not take them.
    #[error("{receiver}: {cause}")]
    Receiver {
        /// Which.
        receiver: String,
        /// Why.
        cause: String,
    },
    /// A file cannot be read, or is none of those that can be checked.
    #[error("{path}: {cause}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        cause: String,
    },
    /// Nothing could be checked.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The mirror is not up to date.
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    /// The log does not grow.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Told in the answer already: the log is not as it was signed.
    #[error("the log does not verify")]
    Bad,
    /// The answer cannot be printed.
    #[error("the answer cannot be written")]
    Output(#[from] io::Error),
}

impl AuditCommandError {
    /// Whether the arguments were wrong.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Vkey(_) | Self::Url(_) | Self::Witness | Self::Quorum(_) | Self::Since { .. }
        )
    }
}

/// Runs a command and prints its answer.
///
/// # Errors
/// [`AuditCommandError`]; [`AuditCommandError::Bad`] after the answer.
pub async fn run(command: &Command, config: &Config, out: &mut dyn Write) -> Result<(), AuditCommandError> {
    match command {
        Command::Verify(arguments) => {
            if let Some(vkey) = &arguments.vkey {
                let verifier = Verifier::parse(vkey).map_err(AuditCommandError::Vkey)?;
                if let Some(checked) = one_file(arguments, &verifier, out) {
                    return checked;
                }
            }
            if let (Some(source), Some(vkey)) = (outside(arguments)?, &arguments.vkey) {
                let verifier = Verifier::parse(vkey).map_err(AuditCommandError::Vkey)?;
                return check(arguments, &source, (&verifier, arguments.whole), out).await;
            }
            let app = App::open(config, Clock::system()).await?;
            let ended = check_with(arguments, &app, out).await;
            app.close().await;
            ended
        }
        Command::Mirror { dir } => {
            let app = App::open(config, Clock::system()).await?;
            let mirror = Mirror::new(dir.clone(), app.sequencer.signer().verifier().clone());
            let size = mirror.update(&app.stored_log()).await;
            app.close().await;
            writeln!(out, "{} entries", size?)?;
            Ok(())
        }
        Command::Export(arguments) => {
            let app = App::open(config, Clock::system()).await?;
            let ended = export::run(arguments, &app, out).await;
            app.close().await;
            ended
        }
        Command::Check(arguments) => offline::run(arguments, out),
        Command::Vkey => {
            let app = App::open(config, Clock::system()).await?;
            let vkey = app.sequencer.signer().verifier().vkey();
            app.close().await;
            writeln!(out, "{vkey}")?;
            Ok(())
        }
    }
}

/// The log outside the database that is to be checked.
fn outside(arguments: &Verify) -> Result<Option<Source>, AuditCommandError> {
    if let Some(address) = &arguments.url {
        let remote = Remote::new(address, arguments.key.clone()).map_err(AuditCommandError::Url)?;
        return Ok(Some(Source::Remote(remote)));
    }
    Ok(arguments.dir.clone().map(Source::Folder))
}

/// Checks the file that is given instead of a log, if one is.
fn one_file(
    arguments: &Verify,
    verifier: &Verifier,
    out: &mut dyn Write,
) -> Option<Result<(), AuditCommandError>> {
    let json = arguments.json;
    match (&arguments.certificate, &arguments.bundle) {
        (Some(file), _) => Some(offline::certificate(file, verifier, json, out)),
        (None, Some(file)) => Some(offline::bundle(file, verifier, json, out)),
        (None, None) => None,
    }
}

async fn check_with(arguments: &Verify, app: &App, out: &mut dyn Write) -> Result<(), AuditCommandError> {
    if let Some(checked) = one_file(arguments, app.sequencer.signer().verifier(), out) {
        return checked;
    }
    let verifier = match &arguments.vkey {
        Some(vkey) => Verifier::parse(vkey).map_err(AuditCommandError::Vkey)?,
        None => app.sequencer.signer().verifier().clone(),
    };
    let database = || Source::Database(app.stored_log());
    let source = outside(arguments)?.unwrap_or_else(database);
    // The key of another vault says nothing about how this one ages.
    let own = arguments.vkey.is_none() && matches!(app.ageing, Ageing::Never);
    check(arguments, &source, (&verifier, arguments.whole || own), out).await
}

async fn check(
    arguments: &Verify,
    source: &Source,
    (verifier, whole): (&Verifier, bool),
    out: &mut dyn Write,
) -> Result<(), AuditCommandError> {
    let since = match &arguments.since {
        None => None,
        Some(path) => {
            let wrong = |cause: String| AuditCommandError::Since {
                path: path.display().to_string(),
                cause,
            };
            let note = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            Some(verifier.open(&note).map_err(|error| wrong(error.to_string()))?)
        }
    };
    let mut witnesses: Vec<Cosigner> = Vec::new();
    for key in &arguments.witness {
        let witness = Cosigner::parse(key).map_err(|_| AuditCommandError::Witness)?;
        if !witnesses.iter().any(|known| known.is_key_of(&witness)) {
            witnesses.push(witness);
        }
    }
    let enough = arguments.quorum.unwrap_or(witnesses.len());
    if arguments.quorum.is_some() && !(1..=witnesses.len()).contains(&enough) {
        return Err(AuditCommandError::Quorum(witnesses.len()));
    }
    let expected = Expected {
        since,
        witnesses: (witnesses, enough),
        whole,
    };
    let bar = bar(arguments.json);
    let progress = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let report = verify(source, verifier, expected, progress).await;
    bar.finish_and_clear();
    let report = report?;
    if arguments.json {
        serde_json::to_writer(&mut *out, &report).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&report, out)?;
    }
    if report.is_good() {
        Ok(())
    } else {
        Err(AuditCommandError::Bad)
    }
}

fn bar(quiet: bool) -> ProgressBar {
    let target = if quiet || !io::stderr().is_terminal() {
        ProgressDrawTarget::hidden()
    } else {
        ProgressDrawTarget::stderr()
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let template = "{bar:30} {percent:>3} % · {pos} of {len} entries · {per_sec} · {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn print(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let word = |good: bool| if good { "yes" } else { "NO" };
    writeln!(out, "log         {}", report.origin)?;
    writeln!(out, "entries     {}", report.size)?;
    if report.begins_at > 0 {
        writeln!(
            out,
            "begins at   {} (what was before is pruned)",
            report.begins_at
        )?;
    }
    writeln!(out, "root        {}", report.root)?;
    writeln!(out, "intact      {}", word(report.intact))?;
    writeln!(out, "complete    {}", word(report.complete))?;
    writeln!(out, "chained     {}", word(report.chained))?;
    if let Some(consistent) = report.consistent {
        writeln!(out, "consistent  {}", word(consistent))?;
    }
    if let Some(witnessed) = report.witnessed {
        writeln!(out, "witnessed   {}", word(witnessed))?;
    }
    for Witnessed { name, size, at } in &report.witnesses {
        let at = from_micros(i64::try_from(at.saturating_mul(1_000_000)).unwrap_or(i64::MAX));
        writeln!(
            out,
            "  {name} cosigned {size} entries at {}",
            at.format("%Y-%m-%dT%H:%M:%SZ")
        )?;
    }
    for finding in &report.findings {
        match finding.index {
            Some(index) => writeln!(out, "  entry {index}: {}", finding.what)?,
            None => writeln!(out, "  {}", finding.what)?,
        }
    }
    Ok(())
}
