//! Beside the server: grows the log, copies it to the mirror, and raises the alarm when the two disagree.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle};

use crate::{
    app::App,
    audit::tlog::{
        Stored,
        mirror::{Mirror, MirrorError},
        patrol::Patrol,
    },
};

/// How often the mirror is brought up to date, and held against the database.
const LOOK: Duration = Duration::from_secs(1);

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
    /// When they disagree, or the mirror cannot be written.
    pub(super) async fn start(app: &App, mirror: Option<PathBuf>) -> Result<Self, MirrorError> {
        let (told, alarm) = watch::channel(None);
        let sequencer = Arc::clone(&app.sequencer);
        let verifier = sequencer.signer().verifier().clone();
        let mirror = mirror.map(|folder| Arc::new(Mirror::new(folder, verifier)));
        let mut tasks = Vec::new();
        if let Some(mirror) = &mirror {
            let log = Stored::new(app.vault.store.clone());
            mirror.update(&log).await?;
            tasks.push(tokio::spawn(follow(Arc::clone(mirror), log, told)));
        }
        tasks.push(tokio::spawn(patrol(app.clone())));
        tasks.push(tokio::spawn(async move { sequencer.run().await }));
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
        self.app.settle_log().await;
        if let Some(mirror) = self.mirror
            && let Err(error) = mirror.update(&Stored::new(self.app.vault.store.clone())).await
        {
            tracing::warn!(%error, "the mirror of the log is behind; the next start goes on with it");
        }
    }
}

async fn follow(mirror: Arc<Mirror>, log: Stored, alarm: watch::Sender<Option<String>>) {
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
    }
}

/// Looks for rows that were changed by hand. What is found is told in the program's log, in `/metrics` and, once, as an
/// event in the log itself; the vault goes on serving, because one row must not stop a hotel.
async fn patrol(app: App) {
    let log = Stored::new(app.vault.store.clone());
    let mut patrol = Patrol::new(log, app.sequencer.signer().verifier().clone());
    let mut told = None;
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        // Damage stays damage until somebody has looked, though the walk may be elsewhere by now.
        let Ok(Some(found)) = patrol.step().await else {
            continue;
        };
        tracing::error!(index = found.index, what = %found.what, "the log in the database was changed by hand; run `guest-vault audit verify`");
        metrics::gauge!("guest_vault_log_altered").set(1.0);
        if told.as_ref() != Some(&found) && app.report_altered_log().await.is_ok() {
            told = Some(found);
        }
    }
}

/// Ends when there is an alarm; never without.
pub(super) async fn alarmed(mut alarm: watch::Receiver<Option<String>>) {
    if alarm.wait_for(Option::is_some).await.is_err() {
        std::future::pending::<()>().await;
    }
}
