//! The policy in force, and how another takes its place while the program runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;

use super::{Desk, PolicyError, PolicySource, Snapshot, cases, load::Files};
use crate::{
    audit::{Act, AuditError, Event, Receipt},
    base::{Caller, PropertyTree, RequestId},
};

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

    /// Looks at the source: a policy that is new and passes its cases, or [`None`]. Blocks for the time a load takes.
    ///
    /// # Errors
    /// When the new policy cannot be used. The one in force stays, and the same files are not tried again.
    pub fn candidate(&self) -> Result<Option<Snapshot>, PolicyError> {
        let files = Files::read(&self.source)?;
        let version = files.version();
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if version == self.current().version() {
            *refused = None;
            return Ok(None);
        }
        if refused.as_ref() == Some(&version) {
            return Ok(None);
        }
        let loaded = Snapshot::compile(files, &self.tree).and_then(|new| cases::run(&new).map(|()| new));
        *refused = loaded.is_err().then_some(version);
        loaded.map(Some)
    }

    /// A policy made of the one in force and some other files, and the first of its cases that fails. Blocks for the
    /// time a load takes.
    ///
    /// # Errors
    /// When it cannot be used at all.
    pub(super) fn tried(
        &self,
        others: &BTreeMap<String, String>,
    ) -> Result<(Snapshot, Option<String>), PolicyError> {
        let files = self.current().files.with(others)?;
        let snapshot = Snapshot::compile(files, &self.tree)?;
        let failing = cases::run(&snapshot).err().map(|error| error.to_string());
        Ok((snapshot, failing))
    }

    /// Puts a policy in force.
    pub fn install(&self, policy: Snapshot) {
        self.current.store(Arc::new(policy));
    }

    /// Whether the source can change at all.
    fn is_fixed(&self) -> bool {
        self.source == PolicySource::BuiltIn
    }

    /// Whether the source has other text than the policy in force, and has stopped changing.
    async fn settled(&self) -> Result<bool, PolicyError> {
        let before = Files::read(&self.source)?;
        if before.version() == self.current().version() {
            return Ok(false);
        }
        tokio::time::sleep(SETTLE).await;
        Ok(Files::read(&self.source)? == before)
    }
}

impl Desk {
    /// Looks at the policy's folder every so often, for as long as the program runs; `operator` is who a change is
    /// put down to. A change that cannot be recorded does not take effect; it is tried again.
    pub async fn follow(self, operator: Caller, every: Duration) {
        let mut said = None;
        while !self.policies.is_fixed() {
            tokio::time::sleep(every).await;
            match self.look(&operator).await {
                Ok(()) => said = None,
                // A folder that cannot be read says so once, not at every look.
                Err(e) => {
                    let saying = Some(e.to_string());
                    if said != saying {
                        metrics::counter!("policy_loads_total", "result" => "refused").increment(1);
                        tracing::error!(
                            error = %e, in_force = self.policies.current().version(), "policy refused; the old one stays"
                        );
                        said = saying;
                    }
                }
            }
        }
    }

    async fn look(&self, operator: &Caller) -> Result<(), FollowError> {
        if !self.policies.settled().await? {
            return Ok(());
        }
        let policies = Arc::clone(&self.policies);
        let loaded = tokio::task::spawn_blocking(move || policies.candidate()).await;
        let new = match loaded.map_err(|_| FollowError::Broken)? {
            Ok(None) => return Ok(()),
            Ok(Some(new)) => new,
            Err(refused) => {
                let event = self.load_event(operator, self.policies.current().version());
                let _: Receipt<()> = self.log.record(event.denied("policy_refused"), ()).await?;
                return Err(refused.into());
            }
        };
        let _: Receipt<()> = self
            .log
            .record(self.load_event(operator, new.version()), ())
            .await?;
        tracing::info!(
            from = self.policies.current().version(),
            to = new.version(),
            "policy replaced"
        );
        metrics::counter!("policy_loads_total", "result" => "replaced").increment(1);
        self.policies.install(new);
        Ok(())
    }

    fn load_event(&self, operator: &Caller, version: &str) -> Event {
        let mut event = Event::by(operator, Act::LoadPolicy, RequestId::random(), self.clock.now());
        event.policy_version = Some(version.to_owned());
        event
    }
}

/// Why a changed policy did not take effect.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    NotRecorded(#[from] AuditError),
    #[error("loading it broke off")]
    Broken,
}
