//! The key that signs the audit log.

use crate::{
    base::micros,
    crypto::{KeyMaterial, MacKey, SigningKey},
};

use super::{
    Keyring, KeysError, Purpose,
    hierarchy::{FIRST, make_one, newest},
};

impl Keyring {
    /// The key that signs checkpoints of the audit log. Key stores older than the signed log have none: it is made
    /// and stored when the caller says that nothing was ever signed (`unsigned`).
    ///
    /// # Errors
    /// When it is missing although something was signed, does not open, or the key store cannot be reached.
    pub async fn log_key(&self, unsigned: bool) -> Result<SigningKey, KeysError> {
        let stored = async || {
            let rows = self.store.read().await?.vault_keys().await?;
            newest(&*self.provider, &rows, Purpose::LogSigning).await
        };
        if let Some(seed) = stored().await? {
            return Ok(SigningKey::new(seed));
        }
        if unsigned {
            let row = make_one(
                &*self.provider,
                (Purpose::LogSigning, FIRST),
                micros(self.clock.now()),
            )
            .await?;
            let mut tx = self.begin_adding().await?;
            tx.add_vault_keys(&[row]).await?;
            tx.commit().await?;
        }
        // Read back even after making it: of two starts at once, one's key was stored.
        let seed = stored().await?;
        seed.map(SigningKey::new)
            .ok_or_else(|| KeysError::damaged(Purpose::LogSigning, 1, "is missing"))
    }
}

impl Keyring {
    /// The key that signs consent records: derived from the key of the log, so that it is kept and lost with it, and
    /// another, so that nothing signed by one is taken for the other's.
    ///
    /// # Errors
    /// When the log's key is missing, does not open, or the key store cannot be reached.
    pub async fn record_key(&self) -> Result<SigningKey, KeysError> {
        let missing = || KeysError::damaged(Purpose::LogSigning, 1, "is missing");
        let rows = self.store.read().await?.vault_keys().await?;
        let seed = newest(&*self.provider, &rows, Purpose::LogSigning)
            .await?
            .ok_or_else(missing)?;
        let derived = MacKey::new(seed).mac(b"guest-vault consent records v1");
        KeyMaterial::from_slice(&derived)
            .map(SigningKey::new)
            .ok_or_else(missing)
    }
}
