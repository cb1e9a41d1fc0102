//! The provable log for officers, auditors and their tools.

use crate::{
    audit::{
        Act, Event,
        tlog::{LogError, Stored, note::Signer, tile::Place},
    },
    base::{Caller, RequestId},
    policy::Right,
};

use super::{GuestError, Vault};

impl From<LogError> for GuestError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Store(error) => Self::Store(error),
            LogError::Absent => Self::NotFound,
            LogError::Note(_)
            | LogError::Head(_)
            | LogError::Headless
            | LogError::Origin { .. }
            | LogError::Changed(_) => {
                tracing::error!(%error, "the log cannot be shown");
                Self::Damaged
            }
        }
    }
}

impl Vault {
    /// The newest cosigned checkpoint, as far as this log's key signed it: nothing else guards its row.
    ///
    /// # Errors
    /// [`GuestError::Damaged`].
    pub async fn cosigned(&self, log: &Stored) -> Result<Option<String>, GuestError> {
        let Some(text) = log.cosigned().await? else {
            return Ok(None);
        };
        let signer =
            Signer::new(log.origin().await?, self.keys.log_key(false).await?).map_err(LogError::from)?;
        signer.verifier().open(text.as_bytes()).map_err(LogError::Head)?;
        Ok(Some(text))
    }

    /// The log, for a caller who may read it. Hashes tell nothing about anybody, so that reading them is not an event
    /// of its own: a follower that looks each second would make the log grow by looking at it.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub async fn provable_log(&self, caller: &Caller, request: RequestId) -> Result<Stored, GuestError> {
        let policies = self.policies.current();
        if policies.allows(&caller.role, Right::ReadAudit) {
            return Ok(Stored::new(self.store.clone()));
        }
        let mut event = Event::by(caller, Act::ReadAudit, request, self.clock.now());
        event.policy_version = Some(policies.version().to_owned());
        self.refuse(event, GuestError::Forbidden).await
    }

    /// The bytes at a path of the log; entries are on record as read before they are shown.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`] when the log does not reach so far.
    pub async fn read_log(
        &self,
        caller: &Caller,
        request: RequestId,
        place: Place,
    ) -> Result<Vec<u8>, GuestError> {
        let log = self.provable_log(caller, request).await?;
        let bytes = log.at(place).await?.ok_or(GuestError::NotFound)?;
        if let Place::Bundle(tile) = place {
            let mut event = Event::by(caller, Act::ReadAudit, request, self.clock.now());
            event.policy_version = Some(self.policies.current().version().to_owned());
            event.count = Some(tile.width);
            self.log.record(event, ()).await?;
        }
        Ok(bytes)
    }
}
