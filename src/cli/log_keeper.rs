//! Beside the server: grows the log, copies it to the mirror, and raises the alarm when the two disagree.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinHandle};

use crate::{
    app::App,
    audit::{
        Observer,
        tlog::{
            ageing::{Ageing, Retention},
            mirror::{Mirror, MirrorError},
            patrol::Patrol,
            witness,
        },
    },
    config::AuditConfig,
};

/// How often the mirror is brought up to date, and held against the database.
const LOOK: Duration = Duration::from_secs(1);

/// How often what is too old is removed.
const AGE: Duration = Duration::from_hours(1);

/// So many findings of the patrol are events of their own.
const MOST: usize = 100;

/// Runs until [`LogKeeper::stop`].
pub(super) struct LogKeeper {
    app: App,
    mirror: Option<Arc<Mirror>>,
    tasks: Vec<JoinHandle<()>>,
    alarm: watch::Receiver<Option<String>>,
}

impl LogKeeper {
    /// Holds the mirror against the database before anything is served, then keeps both.
    ///
    /// # Errors
    /// When they disagree. A mirror that cannot be written is an error in the program's log.
    pub(super) async fn start(app: &App, config: &AuditConfig) -> Result<Self, MirrorError> {
        let mirror = config.mirror.clone();
        let (told, alarm) = watch::channel(None);
        let sequencer = Arc::clone(&app.sequencer);
        let verifier = sequencer.signer().verifier().clone();
        let mirror = mirror.map(|folder| Arc::new(Mirror::new(folder, verifier)));
        let mut tasks = Vec::new();
        if let Some(mirror) = &mirror {
            match mirror.check(&app.stored_log()).await {
                Err(error) if error.is_alarm() => return Err(error),
                Err(error) => tracing::error!(%error, "the mirror of the log"),
                Ok(()) => {}
            }
            tasks.push(tokio::spawn(follow(Arc::clone(mirror), app.clone(), told)));
        }
        tasks.push(tokio::spawn(patrol(app.clone())));
        if let Ageing::After(retention) = &app.ageing {
            tasks.push(tokio::spawn(age(app.clone(), retention.clone())));
        }
        if !app.witnesses.is_empty() {
            tasks.push(tokio::spawn(cosign(app.clone())));
        }
        let observer = Observer::beside(app.vault.store.clone(), Arc::clone(sequencer.fresh()));
        tasks.push(tokio::spawn(async move { sequencer.run().await }));
        tasks.push(tokio::spawn(async move { observer.run().await }));
        let store = app.vault.store.clone();
        tasks.push(tokio::spawn(async move { store.tidy().await }));
        Ok(Self {
            app: app.clone(),
            mirror,
            tasks,
            alarm,
        })
    }

    /// What the alarm says, once there is one.
    pub(super) fn alarm(&self) -> watch::Receiver<Option<String>> {
        self.alarm.clone()
    }

    /// Stops, after the last events got their index and are in the mirror.
    pub(super) async fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        if self.alarm.borrow().is_some() {
            return;
        }
        self.app.settle_log_soon().await;
        if let Some(mirror) = self.mirror
            && let Err(error) = mirror.update(&self.app.stored_log()).await
        {
            tracing::warn!(%error, "the mirror of the log is behind; the next start goes on with it");
        }
    }
}

async fn follow(mirror: Arc<Mirror>, app: App, alarm: watch::Sender<Option<String>>) {
    let (log, mut told) = (app.stored_log(), false);
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Err(error) = mirror.update(&log).await else {
            continue;
        };
        tracing::error!(%error, "the mirror of the log");
        if error.is_alarm() {
            // Nobody listening means that the server has stopped already.
            let _ = alarm.send(Some(error.to_string()));
            return;
        }
        if error.is_altered() {
            metrics::gauge!("guest_vault_log_altered").set(1.0);
            told = told || app.report_altered_log().await.is_ok();
        }
    }
}

/// Looks for rows that were changed by hand. What is found is told in the program's log, in `/metrics` and, once, as an
/// event in the log itself; the vault goes on serving, because one row must not stop a hotel.
async fn patrol(app: App) {
    let mut patrol = Patrol::new(app.stored_log(), app.sequencer.signer().verifier().clone());
    let (mut told, mut pause) = (Vec::new(), LOOK);
    let mut round = Instant::now();
    loop {
        tokio::time::sleep(pause).await;
        let begun = Instant::now();
        let found = patrol.step().await;
        if patrol.is_round() {
            tracing::debug!(
                seconds = round.elapsed().as_secs(),
                "the whole log in the database was looked at"
            );
            round = Instant::now();
        }
        // A log that is looked at as a whole has its rest, and so has who writes it; else the patrol takes a quarter of
        // the time there is.
        pause = if patrol.is_round() || patrol.is_growing() || found.is_err() {
            LOOK
        } else {
            begun.elapsed().saturating_mul(3).min(LOOK)
        };
        // Damage stays damage until somebody has looked, though the walk may be elsewhere by now.
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(%error, "the log in the database could not be looked at");
                continue;
            }
        };
        tracing::error!(index = found.index, what = %found.what, "the log in the database was changed by hand; run `guest-vault audit verify`");
        metrics::gauge!("guest_vault_log_altered").set(1.0);
        // The walk comes by each of them again and again.
        if told.len() < MOST && !told.contains(&found) && app.report_altered_log().await.is_ok() {
            told.push(found);
        }
    }
}

/// Removes entries that are older than the published retention.
async fn age(app: App, retention: Retention) {
    let log = app.stored_log();
    let mut tick = tokio::time::interval(AGE);
    loop {
        tick.tick().await;
        match log.prune(retention.before(), retention.disclosed()).await {
            Ok(0) => {}
            Ok(first) => tracing::info!(first, "the log begins at this entry"),
            Err(error) => tracing::error!(%error, "the log was not pruned"),
        }
    }
}

/// Has checkpoints cosigned, while this process speaks for the log. A refusal is told in the program's log, in
/// `/metrics` and as an event in the log itself: once, until the witness cosigns again.
async fn cosign(app: App) {
    let log = app.stored_log();
    let mut told: BTreeMap<String, &'static str> = BTreeMap::new();
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        // Another's checkpoints are its own to have cosigned: two that ask make each other look outdated.
        if !app.sequencer.leads().await.unwrap_or(true) {
            continue;
        }
        let round = match witness::round(&log, app.sequencer.signer().verifier(), &app.witnesses).await {
            Ok(round) => round,
            Err(error) => {
                tracing::error!(%error, "checkpoints are not cosigned");
                continue;
            }
        };
        if round.cosigned.is_some() {
            told.retain(|name, _| round.missing.iter().any(|(missing, _)| missing == name));
        }
        for (name, error) in round.missing {
            let Some(word) = error.word() else {
                tracing::warn!(witness = name, %error, "a witness of the log has not cosigned");
                continue;
            };
            if told.get(&name) != Some(&word) {
                tracing::error!(witness = name, %error, "a witness of the log refuses to cosign");
                metrics::counter!("guest_vault_witness_refusals_total").increment(1);
                if app.report_refusal(word).await.is_ok() {
                    told.insert(name, word);
                }
            }
        }
    }
}

/// Ends when there is an alarm; never without.
pub(super) async fn alarmed(mut alarm: watch::Receiver<Option<String>>) {
    if alarm.wait_for(Option::is_some).await.is_err() {
        std::future::pending::<()>().await;
    }
}
