//! Floor 4: the hierarchy of keys, and the only way to open a value for an answer.
//!
//! ```text
//! root key            in a provider: key file, passphrase …; never in a database
//!  └ vault keys       few, wrapped by the root key, in the key store
//!     └ data keys     one per guest and category, wrapped under HKDF(epoch key, guest), in the key store
//!        └ values     sealed, in the data store
//! ```
//!
//! Destroying a data key makes its values unreadable in every backup of the data. Missing or wrong key material
//! stops the start; nothing is ever made anew over existing data.

mod cache;
mod data_keys;
mod error;
mod guest_keys;
mod hierarchy;
mod keyring;
mod log_key;
mod matching;
mod provider;
mod rotate;
pub mod sql;
mod status;

pub use data_keys::Minted;
pub use error::{KeysError, OpenError, ProviderError};
pub use guest_keys::{GuestKeys, Plain};
pub use keyring::Keyring;
pub use matching::{Exchange, MatchingKeys};
pub use provider::{Cost, Description, KeyFile, Passphrase, RootKeyProvider, RootKeySource, Wrapped};
pub use rotate::Rotated;
pub use status::{KeyStatus, RootState, VaultKeyStatus, status};

/// What a vault key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Wraps data keys; a new epoch's key replaces it in time.
    Epoch,
    /// Blind-index tokens.
    Index,
    /// Keyed hashes of API keys.
    ApiKeyHash,
    /// Commitments to the details of audit entries.
    Commitment,
    /// Keyed hashes of contents, to tell whether something came twice.
    Content,
    /// Handles of guests and values that differ per consumer.
    Token,
    /// Seals what belongs to no single guest, such as stored answers of idempotent requests.
    VaultData,
    /// Signs the checkpoints of the audit log. Key stores of older versions get it when it is first needed.
    LogSigning,
    /// Tokens that look-alikes share, from their second version on; until then the index key makes them.
    Matching,
}

impl Purpose {
    /// All purposes; each but the last has a key from the first start on.
    pub const ALL: [Self; 9] = [
        Self::Epoch,
        Self::Index,
        Self::ApiKeyHash,
        Self::Commitment,
        Self::Content,
        Self::Token,
        Self::VaultData,
        Self::LogSigning,
        Self::Matching,
    ];

    /// The word in the key store. Never changed: it is part of what the key is bound to.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Index => "index",
            Self::ApiKeyHash => "api_key_hash",
            Self::Commitment => "commitment",
            Self::Content => "content",
            Self::Token => "token",
            Self::VaultData => "vault_data",
            Self::LogSigning => "log_signing",
            Self::Matching => "matching",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == word)
    }
}

/// The purposes of keyed hashes; see [`Keyring::mac`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacPurpose {
    /// As [`Purpose::ApiKeyHash`].
    ApiKeyHash,
    /// As [`Purpose::Commitment`].
    Commitment,
    /// As [`Purpose::Content`].
    Content,
    /// As [`Purpose::Token`].
    Token,
}

#[cfg(test)]
mod tests;
