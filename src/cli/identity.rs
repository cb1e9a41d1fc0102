//! `guest-vault identity dedupe`: which guests that are there are one. Prints ids and scores, no values.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, BufWriter, IsTerminal as _, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};

use crate::{
    access::operator,
    app::{App, AppError},
    base::{Clock, Errand, GuestId, InvalidName, RequestId, from_micros},
    config::Config,
    guest::{GuestError, Vault},
    identity::dedupe::{Clusters, Pair, Verdict},
    matching::score::probability,
};

/// Guests of one step.
const STEP: i64 = 64;

/// What to do with who is whom.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Finds guests that are one, and merges them or asks stewards. Goes on where it was cut off.
    Dedupe(Dedupe),
    /// Re-estimates the weights from stewards' answers, and lists which earlier decisions would be others.
    Learn(Learn),
    /// Exchanges the key of the tokens that look-alikes share, while the vault runs. Goes on where it was cut off.
    Rekey(Rekey),
}

/// `identity rekey`.
#[derive(Debug, Args)]
pub struct Rekey {
    /// Prints one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// `identity learn`.
#[derive(Debug, Args)]
pub struct Learn {
    /// Only tells what it would do.
    #[arg(long)]
    pub dry_run: bool,
    /// Draws the answers that are kept aside to tell whether it helps.
    #[arg(long, default_value_t = 1)]
    pub seed: i64,
    /// Puts the shipped weights in force again.
    #[arg(long)]
    pub reset: bool,
}

/// `identity dedupe`.
#[derive(Debug, Args)]
pub struct Dedupe {
    /// Only tells what it would do.
    #[arg(long)]
    pub dry_run: bool,
    /// Writes every pair with its score and what becomes of it: `bits,probability,guest_id,other_guest_id,decision`.
    #[arg(long, value_name = "CSV")]
    pub report: Option<PathBuf>,
    /// Prints one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The vault does not open.
    #[error(transparent)]
    App(#[from] AppError),
    /// Store, keys or log.
    #[error(transparent)]
    Guest(GuestError),
    /// The database.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// Not now, because …
    #[error("{0}")]
    Refused(String),
    /// Another run is at it.
    #[error("another `identity dedupe` is running on this vault; wait until it is done")]
    Running,
    /// A file.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// A word of this program is not one of its own alphabet.
    #[error(transparent)]
    Word(#[from] InvalidName),
    /// The answer cannot be printed.
    #[error("the answer cannot be written")]
    Output(#[from] io::Error),
}

impl From<GuestError> for IdentityError {
    fn from(error: GuestError) -> Self {
        match error {
            GuestError::Blocked(reason) => Self::Refused(reason),
            error => Self::Guest(error),
        }
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> IdentityError + '_ {
    move |cause| IdentityError::File {
        path: path.display().to_string(),
        cause,
    }
}

/// What a run came to.
#[derive(Debug, Default, Serialize)]
struct Summary {
    dry_run: bool,
    guests: u64,
    pairs: u64,
    merged: u64,
    joined: u64,
    reviews: u64,
    kept_apart: u64,
    two_lifelong_ids: u64,
    left: u64,
}

impl Summary {
    fn count(&mut self, verdict: Verdict) {
        self.pairs += 1;
        let one = match verdict {
            Verdict::Merge => &mut self.merged,
            Verdict::Joined => &mut self.joined,
            Verdict::Review => &mut self.reviews,
            Verdict::KeptApart => &mut self.kept_apart,
            Verdict::TwoLifelongIds => &mut self.two_lifelong_ids,
            Verdict::Left => &mut self.left,
        };
        *one += 1;
    }
}

/// Runs a command on the vault of the configuration and prints its answer.
///
/// # Errors
/// When the vault does not open, or anything of the run fails; what was done stays, and the next run goes on.
pub async fn run(command: &Command, config: &Config, out: &mut dyn Write) -> Result<(), IdentityError> {
    let app = App::open(config, Clock::system()).await?;
    let arguments = match command {
        Command::Dedupe(arguments) => arguments,
        Command::Rekey(arguments) => {
            let kept_for = TimeDelta::days(i64::from(config.backup.keep_days).max(1));
            let outcome = rekey(&app.vault, kept_for).await;
            app.settle_log().await;
            app.close().await;
            let done = outcome?;
            if arguments.json {
                serde_json::to_writer(&mut *out, &done).map_err(io::Error::from)?;
                return Ok(writeln!(out)?);
            }
            writeln!(
                out,
                "done        key {}, tokens of {} guests made anew",
                done.version, done.guests
            )?;
            return Ok(writeln!(out, "            the old key is read no more")?);
        }
        Command::Learn(arguments) => {
            let lesson = match errand(&app.vault) {
                Ok(errand) => {
                    let (apply, reset) = (!arguments.dry_run, arguments.reset);
                    app.vault
                        .learn(&errand, arguments.seed, (apply, reset))
                        .await
                        .map_err(IdentityError::from)
                }
                Err(error) => Err(error),
            };
            app.close().await;
            serde_json::to_writer_pretty(&mut *out, &lesson?).map_err(io::Error::from)?;
            return Ok(writeln!(out)?);
        }
    };
    let work = config.data_dir.join("identity-dedupe.work");
    let outcome = dedupe(&app.vault, arguments, work).await;
    app.close().await;
    let summary = outcome?;
    if arguments.json {
        serde_json::to_writer(&mut *out, &summary).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        let would = if summary.dry_run { "would be " } else { "" };
        writeln!(
            out,
            "{} guests, {} pairs worth a look: {} {would}merged, {} joined by others, {} {would}asked of stewards, \
             {} kept apart by a steward, {} by two numbers for life, {} left",
            summary.guests,
            summary.pairs,
            summary.merged,
            summary.joined,
            summary.reviews,
            summary.kept_apart,
            summary.two_lifelong_ids,
            summary.left,
        )?;
    }
    Ok(())
}

async fn rekey(vault: &Vault, kept_for: TimeDelta) -> Result<Rekeyed, IdentityError> {
    let errand = errand(vault)?;
    let begun = vault.begin_rekey(&errand).await?;
    let wait = (from_micros(begun.from) - vault.clock.now())
        .to_std()
        .unwrap_or_default();
    if !wait.is_zero() {
        eprintln!(
            "            key {} is made; in {} s every instance reads with it, then tokens are made anew",
            begun.version,
            wait.as_secs() + 1
        );
        tokio::time::sleep(wait).await;
    }
    let total = vault.store.read().await?.guests_count().await?;
    let bar = bar(usize::try_from(total).unwrap_or(0), "guests");
    let mut guests = begun.guests;
    while let Some(done) = vault.rekey_step(&begun).await? {
        guests = done;
        bar.set_position(u64::try_from(done).unwrap_or(0));
    }
    bar.finish_and_clear();
    vault.end_rekey(&errand, &begun, kept_for).await?;
    let version = begun.version;
    Ok(Rekeyed { version, guests })
}

/// What an exchange of the key came to.
#[derive(Debug, Serialize)]
struct Rekeyed {
    version: i64,
    guests: i64,
}

async fn dedupe(vault: &Vault, arguments: &Dedupe, work: PathBuf) -> Result<Summary, IdentityError> {
    let (mut work, so_far) = Work::open(work, &vault.matcher.weights().version)?;
    let mut pairs = find(vault, &mut work, so_far).await?;
    let mut summary = Summary {
        dry_run: arguments.dry_run,
        guests: pairs.guests,
        ..Summary::default()
    };
    pairs.all.sort_by(|a, b| {
        b.bits
            .total_cmp(&a.bits)
            .then((a.one, a.other).cmp(&(b.one, b.other)))
    });
    pairs.all.dedup_by_key(|pair| (pair.one, pair.other));
    let mut report = match &arguments.report {
        Some(path) => {
            let mut file = BufWriter::new(File::create(path).map_err(at(path))?);
            writeln!(file, "bits,probability,guest_id,other_guest_id,decision").map_err(at(path))?;
            Some((file, path))
        }
        None => None,
    };
    let errand = errand(vault)?;
    let mut clusters = Clusters::new(vault, &errand, arguments.dry_run);
    let bar = bar(pairs.all.len(), "pairs");
    for pair in &pairs.all {
        let verdict = clusters.decide(pair).await?;
        summary.count(verdict);
        if let Some((file, path)) = &mut report {
            let (bits, chance) = (pair.bits, probability(pair.bits));
            writeln!(
                file,
                "{bits:.2},{chance:.4},{},{},{}",
                pair.one,
                pair.other,
                verdict.as_str()
            )
            .map_err(at(path))?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some((mut file, path)) = report {
        file.flush().map_err(at(path))?;
    }
    work.done()?;
    Ok(summary)
}

#[derive(Default)]
struct Found {
    after: Option<GuestId>,
    guests: u64,
    all: Vec<Pair>,
}

/// Finds the pairs, step by step; each step is written down, so that a run that was cut off goes on from there.
async fn find(vault: &Vault, work: &mut Work, mut found: Found) -> Result<Found, IdentityError> {
    let total = vault.store.read().await?.guests_count().await?;
    let bar = bar(usize::try_from(total).unwrap_or(0), "guests");
    bar.set_position(found.guests);
    bar.reset_eta();
    loop {
        let (guests, pairs) = vault.pairs_after(found.after, STEP).await?;
        let Some(last) = guests.last() else { break };
        found.after = Some(*last);
        found.guests += u64::try_from(guests.len()).unwrap_or(0);
        let step = Step {
            after: *last,
            guests: found.guests,
            pairs: pairs
                .iter()
                .map(|pair| (pair.bits, pair.one, pair.other))
                .collect(),
        };
        work.write(&step)?;
        found.all.extend(pairs);
        bar.set_position(found.guests);
    }
    bar.finish_and_clear();
    Ok(found)
}

fn bar(total: usize, what: &str) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let total = u64::try_from(total).unwrap_or(0);
    let bar = ProgressBar::with_draw_target(Some(total), target);
    let template =
        format!("{{bar:30}} {{percent:>3}} % · {{human_pos}} of {{human_len}} {what} · {{eta}} left");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// On the operator's orders, for the whole group.
fn errand(vault: &Vault) -> Result<Errand, IdentityError> {
    let top = vault.properties.iter().find(|node| node.parent.is_none());
    Ok(Errand {
        caller: operator()?,
        property: top.map_or_else(|| "NONE".parse(), |node| Ok(node.code.clone()))?,
        purpose: "administration".parse()?,
        reason: None,
        request: RequestId::random(),
    })
}

/// What a run has found so far: ids and scores. Nobody else runs while it is open.
struct Work {
    path: PathBuf,
    file: File,
}

#[derive(Serialize, Deserialize)]
struct Step {
    after: GuestId,
    guests: u64,
    pairs: Vec<(f64, GuestId, GuestId)>,
}

impl Work {
    /// What an earlier run found with the same weights, and the file to go on writing.
    fn open(path: PathBuf, weights: &str) -> Result<(Self, Found), IdentityError> {
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(at(&path))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(IdentityError::Running),
            Err(TryLockError::Error(cause)) => return Err(at(&path)(cause)),
            Ok(()) => {}
        }
        let mut found = Found::default();
        let mut whole = 0;
        let mut lines = BufReader::new(&file).lines();
        let first = lines.next().and_then(Result::ok);
        if first.as_deref() == Some(weights) {
            whole = weights.len() + 1;
            for line in lines.map_while(Result::ok) {
                // The last line of a run that was killed may be half of one.
                let Ok(step) = serde_json::from_str::<Step>(&line) else {
                    break;
                };
                whole += line.len() + 1;
                found.guests = step.guests;
                found.after = Some(step.after);
                let pairs = step
                    .pairs
                    .into_iter()
                    .map(|(bits, one, other)| Pair { bits, one, other });
                found.all.extend(pairs);
            }
        }
        file.set_len(u64::try_from(whole).unwrap_or(0))
            .map_err(at(&path))?;
        if whole == 0 {
            writeln!(&file, "{weights}").map_err(at(&path))?;
        }
        Ok((Self { path, file }, found))
    }

    fn write(&mut self, step: &Step) -> Result<(), IdentityError> {
        let mut line = serde_json::to_vec(step).unwrap_or_default();
        line.push(b'\n');
        self.file.write_all(&line).map_err(at(&self.path))
    }

    fn done(&self) -> Result<(), IdentityError> {
        match fs::remove_file(&self.path) {
            // A run that ended at the moment in which this one began may have taken it away.
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(at(&self.path)(cause)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_goes_on_where_the_last_was_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity-dedupe.work");
        let (one, other) = (GuestId::random(), GuestId::random());
        let open = |weights: &str| Work::open(path.clone(), weights);
        let (mut work, found) = open("shipped-2").unwrap();
        assert_eq!((found.after, found.all), (None, vec![]));
        let step = Step {
            after: one,
            guests: 1,
            pairs: vec![(12.5, one, other)],
        };
        work.write(&step).unwrap();
        assert!(matches!(open("shipped-2"), Err(IdentityError::Running)));
        drop(work);
        let (work, found) = open("shipped-2").unwrap();
        let bits = 12.5;
        assert_eq!((found.guests, found.after), (1, Some(one)));
        assert_eq!(found.all, [Pair { bits, one, other }]);
        drop(work);
        let (work, found) = open("learnt-1").unwrap();
        assert_eq!(
            (found.after, found.all),
            (None, vec![]),
            "other weights, other pairs"
        );
        work.done().unwrap();
        assert!(!path.exists());
        work.done().unwrap();
    }
}
