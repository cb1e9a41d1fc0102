//! The policy in force, and how it changes while the program runs.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;

use super::{PolicyError, PolicySource, Snapshot, cases, load::Files};
use crate::base::PropertyTree;

/// How long after a change was seen the folder is read again: an editor or a copy may be half-way through.
const SETTLE: Duration = Duration::from_millis(200);

/// Holds the snapshot in force. A new policy replaces it whole, from the next [`Policies::current`] on.
#[derive(Debug)]
pub struct Policies {
    source: PolicySource,
    tree: PropertyTree,
    current: ArcSwap<Snapshot>,
    /// The version last refused, so that one mistake is reported once.
    refused: Mutex<Option<String>>,
}

/// What a look at the source found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// Nothing new, or only what was already refused.
    Unchanged,
    /// A new policy is in force.
    Replaced {
        /// The version until now.
        from: String,
        /// The version from now on.
        to: String,
    },
}

impl Policies {
    /// Loads the policy to begin with.
    ///
    /// # Errors
    /// As [`Snapshot::load`]; a program does not start without a policy.
    pub fn load(source: PolicySource, tree: &PropertyTree) -> Result<Self, PolicyError> {
        let snapshot = Snapshot::load(&source, tree)?;
        Ok(Self {
            source,
            tree: tree.clone(),
            current: ArcSwap::from_pointee(snapshot),
            refused: Mutex::new(None),
        })
    }

    /// The policy in force. Take it once per request.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Looks at the source and puts a changed policy in force. Blocks for the time a load takes.
    ///
    /// # Errors
    /// When the changed policy cannot be used; the old one stays in force, and the same files are not tried again.
    pub fn reload(&self) -> Result<Reload, PolicyError> {
        let files = Files::read(&self.source)?;
        let version = files.version();
        let current = self.current();
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if version == current.version() || refused.as_ref() == Some(&version) {
            return Ok(Reload::Unchanged);
        }
        match Snapshot::compile(files, &self.tree).and_then(|new| cases::run(&new).map(|()| new)) {
            Ok(new) => {
                *refused = None;
                self.current.store(Arc::new(new));
                Ok(Reload::Replaced {
                    from: current.version().to_owned(),
                    to: version,
                })
            }
            Err(e) => {
                *refused = Some(version);
                Err(e)
            }
        }
    }

    /// Looks at the source every so often, for as long as the program runs. `changed` is told of each new version,
    /// so that it can be recorded.
    pub async fn watch(self: Arc<Self>, every: Duration, changed: impl Fn(&Reload)) {
        if self.source == PolicySource::BuiltIn {
            return;
        }
        loop {
            tokio::time::sleep(every).await;
            match self.look().await {
                Ok(Reload::Unchanged) => {}
                Ok(new) => {
                    metrics::counter!("policy_reloads_total", "result" => "replaced").increment(1);
                    tracing::info!(version = self.current().version(), "policy replaced");
                    changed(&new);
                }
                Err(e) => {
                    metrics::counter!("policy_reloads_total", "result" => "refused").increment(1);
                    tracing::error!(error = %e, in_force = self.current().version(), "policy refused; the old one stays");
                }
            }
        }
    }

    async fn look(self: &Arc<Self>) -> Result<Reload, PolicyError> {
        let before = Files::read(&self.source)?;
        if before.version() == self.current().version() {
            return Ok(Reload::Unchanged);
        }
        tokio::time::sleep(SETTLE).await;
        if Files::read(&self.source)? != before {
            return Ok(Reload::Unchanged);
        }
        let policies = Arc::clone(self);
        let loaded = tokio::task::spawn_blocking(move || policies.reload()).await;
        loaded.unwrap_or_else(|e| {
            Err(PolicyError::File {
                file: "policy".into(),
                problem: format!("could not be loaded: {e}"),
            })
        })
    }
}
