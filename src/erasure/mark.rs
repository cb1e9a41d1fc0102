//! The key store remembers how far the data's log had grown: data put back by hand is older than its keys, and knows
//! nothing of guests whose keys those are.

use crate::{
    audit::tlog::{LogError, Stored, note::Verifier},
    keys::Keyring,
};

use super::{Eraser, ErasureError};

/// What is said of data that does not hold the mark.
pub const OLDER_DATA: &str = "the database is older than its key store, as if a copy had been put back without `guest-vault \
                              restore`: what was written since is not in it, erasures included";

impl Eraser {
    /// Tells the key store how far the log has grown; `false`, and nothing is told, when the data does not have what the
    /// key store heard of.
    ///
    /// # Errors
    /// What database and key store say.
    pub async fn keep_mark(&self) -> Result<bool, ErasureError> {
        let log = Stored::new(self.vault.store.clone());
        let held = holds_mark(&self.vault.keys, &log, self.sequencer.signer().verifier()).await?;
        if held {
            self.move_mark().await?;
        }
        Ok(held)
    }

    /// The same of data that was held against the log: there is no newer.
    ///
    /// # Errors
    /// What database and key store say.
    pub async fn move_mark(&self) -> Result<(), ErasureError> {
        let keys = &self.vault.keys;
        if let Some((_, now)) = Stored::new(self.vault.store.clone()).checkpoint().await?
            && keys.data_mark().await?.as_ref() != Some(&now)
        {
            keys.move_data_mark(&now).await?;
        }
        Ok(())
    }
}

/// Whether this log has grown from where it stood when the key store last heard of it.
///
/// # Errors
/// What database and key store say.
pub async fn holds_mark(keys: &Keyring, log: &Stored, verifier: &Verifier) -> Result<bool, ErasureError> {
    let Some(mark) = keys.data_mark().await? else {
        return Ok(true);
    };
    let Ok(mark) = verifier.open(mark.as_bytes()) else {
        return Ok(false);
    };
    match log.holds(&mark).await {
        Err(LogError::Store(error)) => Err(error.into()),
        Err(_) => Ok(false),
        Ok(held) => Ok(held),
    }
}
