//! The vault keys: made once, opened at every start.

use std::collections::BTreeMap;

use crate::{
    base::GuestId,
    crypto::{DataKey, IndexKey, KeyDerivationKey, KeyEncryptionKey, KeyMaterial, MacKey},
};

use super::{
    KeysError, MacPurpose, ProviderError, Purpose, RootKeyProvider, provider::Wrapped, sql::VaultKeyRow,
};

/// The version of every vault key until rotation makes another.
pub(super) const FIRST: i64 = 1;

/// What a vault key is bound to besides the root key.
fn context(purpose: Purpose, version: i64) -> [Vec<u8>; 3] {
    [
        b"vault key".to_vec(),
        purpose.as_str().as_bytes().to_vec(),
        version.to_be_bytes().to_vec(),
    ]
}

/// New vault keys, wrapped; which ones count is for the key store to say.
pub(super) async fn make(provider: &dyn RootKeyProvider, now: i64) -> Result<Vec<VaultKeyRow>, KeysError> {
    let mut rows = Vec::new();
    for purpose in Purpose::ALL.into_iter().filter(|one| *one != Purpose::Matching) {
        rows.push(make_one(provider, (purpose, FIRST), now).await?);
    }
    Ok(rows)
}

/// One new vault key, wrapped.
pub(super) async fn make_one(
    provider: &dyn RootKeyProvider,
    which: (Purpose, i64),
    now: i64,
) -> Result<VaultKeyRow, KeysError> {
    wrap_one(provider, which, &KeyMaterial::random(), now).await
}

/// A key as a vault key, wrapped.
pub(super) async fn wrap_one(
    provider: &dyn RootKeyProvider,
    (purpose, version): (Purpose, i64),
    key: &KeyMaterial,
    now: i64,
) -> Result<VaultKeyRow, KeysError> {
    let parts = context(purpose, version);
    let parts = parts.each_ref().map(Vec::as_slice);
    let Wrapped { bytes, check } = provider.wrap(key, &parts).await?;
    Ok(VaultKeyRow {
        purpose: purpose.as_str().to_owned(),
        version,
        wrapped: bytes,
        key_check: check,
        created_at: now,
        retired_at: None,
    })
}

/// The newest key of a purpose, opened; `None` when the key store has none.
pub(super) async fn newest(
    provider: &dyn RootKeyProvider,
    rows: &[VaultKeyRow],
    purpose: Purpose,
) -> Result<Option<KeyMaterial>, KeysError> {
    let of_purpose = rows.iter().filter(|row| row.purpose == purpose.as_str());
    let Some(row) = of_purpose.max_by_key(|row| row.version) else {
        return Ok(None);
    };
    Ok(Some(unwrap(provider, purpose, row).await?))
}

/// A vault key wrapped by another root key.
pub(super) async fn rewrapped_by(
    old: &dyn RootKeyProvider,
    new: &dyn RootKeyProvider,
    row: &VaultKeyRow,
) -> Result<VaultKeyRow, KeysError> {
    let purpose = Purpose::from_word(&row.purpose).ok_or_else(|| KeysError::UnknownPurpose {
        purpose: row.purpose.clone(),
    })?;
    let key = unwrap(old, purpose, row).await?;
    let parts = context(purpose, row.version);
    let parts = parts.each_ref().map(Vec::as_slice);
    let Wrapped { bytes, check } = new.wrap(&key, &parts).await?;
    Ok(VaultKeyRow {
        wrapped: bytes,
        key_check: check,
        ..row.clone()
    })
}

/// One vault key, opened.
pub(super) async fn unwrap_one(
    provider: &dyn RootKeyProvider,
    purpose: Purpose,
    row: &VaultKeyRow,
) -> Result<KeyMaterial, KeysError> {
    Ok(unwrap(provider, purpose, row).await?)
}

/// The keys that data keys are wrapped under, by epoch.
pub(super) struct Epochs {
    /// The epoch that new data keys are wrapped in.
    current: (i64, KeyDerivationKey),
    older: BTreeMap<i64, KeyDerivationKey>,
}

impl Epochs {
    /// The newest is the present one; `None` without any.
    pub(super) fn of(mut keys: BTreeMap<i64, KeyDerivationKey>) -> Option<Self> {
        let current = keys.pop_last()?;
        Some(Self { current, older: keys })
    }

    /// The present one.
    pub(super) const fn current(&self) -> i64 {
        self.current.0
    }

    /// All of them, in order.
    pub(super) fn versions(&self) -> Vec<i64> {
        self.older.keys().copied().chain([self.current.0]).collect()
    }

    /// Whether the epoch's key is there.
    pub(super) fn wrapping_is_known(&self, epoch: i64) -> bool {
        epoch == self.current.0 || self.older.contains_key(&epoch)
    }

    /// The key that wraps a guest's data keys in an epoch; `None` when the epoch's key is not there.
    pub(super) fn wrapping(&self, guest: GuestId, epoch: i64) -> Option<KeyEncryptionKey> {
        let (current, key) = &self.current;
        let key = if epoch == *current {
            key
        } else {
            self.older.get(&epoch)?
        };
        Some(wrapping(key, guest))
    }

    /// The present epoch and the key that wraps a guest's data keys in it.
    pub(super) fn current_wrapping(&self, guest: GuestId) -> (i64, KeyEncryptionKey) {
        let (epoch, key) = &self.current;
        (*epoch, wrapping(key, guest))
    }
}

/// The opened vault keys but those of the epochs.
pub(super) struct VaultKeys {
    pub(super) index: IndexKey,
    api_key_hash: MacKey,
    commitment: MacKey,
    content: MacKey,
    token: MacKey,
    pub(super) vault_data: DataKey,
}

impl VaultKeys {
    /// Opens all rows of the key store.
    pub(super) async fn open(
        provider: &dyn RootKeyProvider,
        rows: &[VaultKeyRow],
    ) -> Result<(Self, Epochs), KeysError> {
        let mut keys = unwrap_all(provider, rows).await?;
        let epochs = keys.remove(&Purpose::Epoch).unwrap_or_default();
        let epochs = epochs
            .into_iter()
            .map(|(epoch, key)| (epoch, KeyDerivationKey::new(key)));
        let epochs = Epochs::of(epochs.collect())
            .ok_or_else(|| KeysError::damaged(Purpose::Epoch, FIRST, "is missing"))?;
        let mut newest = |purpose: Purpose| {
            keys.get_mut(&purpose)
                .and_then(BTreeMap::pop_last)
                .ok_or_else(|| KeysError::damaged(purpose, FIRST, "is missing"))
        };
        let opened = Self {
            index: IndexKey::new(newest(Purpose::Index)?.1),
            api_key_hash: MacKey::new(newest(Purpose::ApiKeyHash)?.1),
            commitment: MacKey::new(newest(Purpose::Commitment)?.1),
            content: MacKey::new(newest(Purpose::Content)?.1),
            token: MacKey::new(newest(Purpose::Token)?.1),
            vault_data: DataKey::new(newest(Purpose::VaultData)?.1),
        };
        Ok((opened, epochs))
    }

    pub(super) const fn mac(&self, purpose: MacPurpose) -> &MacKey {
        match purpose {
            MacPurpose::ApiKeyHash => &self.api_key_hash,
            MacPurpose::Commitment => &self.commitment,
            MacPurpose::Content => &self.content,
            MacPurpose::Token => &self.token,
        }
    }
}

fn wrapping(epoch: &KeyDerivationKey, guest: GuestId) -> KeyEncryptionKey {
    epoch.wrapping("data key", guest.0.as_bytes())
}

type Unwrapped = BTreeMap<Purpose, BTreeMap<i64, KeyMaterial>>;

/// Tells a wrong root key (no row opens, none knows the key) from damage (some do).
async fn unwrap_all(provider: &dyn RootKeyProvider, rows: &[VaultKeyRow]) -> Result<Unwrapped, KeysError> {
    let mut keys = Unwrapped::new();
    let (mut strange, mut damaged) = (None, None);
    for row in rows {
        let purpose = Purpose::from_word(&row.purpose).ok_or_else(|| KeysError::UnknownPurpose {
            purpose: row.purpose.clone(),
        })?;
        match unwrap(provider, purpose, row).await {
            Ok(key) => {
                keys.entry(purpose).or_default().insert(row.version, key);
            }
            Err(ProviderError::WrongKey) => strange = Some((purpose, row.version)),
            Err(ProviderError::Damaged) => damaged = Some((purpose, row.version)),
            Err(other) => return Err(other.into()),
        }
    }
    match (damaged, strange) {
        (Some((purpose, version)), _) => Err(KeysError::damaged(purpose, version, "does not open")),
        (None, Some((purpose, version))) if !keys.is_empty() => Err(KeysError::damaged(
            purpose,
            version,
            "was not wrapped by this root key",
        )),
        (None, Some(_)) => {
            let described = provider.describe();
            Err(KeysError::WrongKey {
                provider: described.kind,
                reference: described.reference,
            })
        }
        (None, None) => Ok(keys),
    }
}

async fn unwrap(
    provider: &dyn RootKeyProvider,
    purpose: Purpose,
    row: &VaultKeyRow,
) -> Result<KeyMaterial, ProviderError> {
    let wrapped = Wrapped {
        bytes: row.wrapped.clone(),
        check: row.key_check.clone(),
    };
    let parts = context(purpose, row.version);
    let parts = parts.each_ref().map(Vec::as_slice);
    provider.unwrap(&wrapped, &parts).await
}
