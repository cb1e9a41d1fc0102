//! Why the program does not start, and what to do about it.

use crate::{
    access::{IssuersError, OpenIdError},
    audit::tlog::LogError,
    base::PropertyTreeError,
    consent::RulesError,
    guest::GuestError,
    jobs::CourierError,
    keys::KeysError,
    policy::PolicyError,
    portal::DeliveryError,
    retention,
    store::StoreError,
};

/// Could not start, because …
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The tree of properties.
    #[error(transparent)]
    Properties(#[from] PropertyTreeError),
    /// The data.
    #[error("the database: {}", .0.told())]
    Data(#[source] StoreError),
    /// The key store.
    #[error("the key store: {}", .0.told())]
    KeyStore(#[source] StoreError),
    /// There are keys of guests, and no guests.
    #[error(
        "the database is empty, but the key store holds keys of guests: point to the right database, or restore it from \
         its backup with `guest-vault restore --replace`; a new vault needs a key store of its own, and none is begun \
         over another's keys"
    )]
    NoData,
    /// The two databases are not of one vault.
    #[error(
        "the log in the database is not signed by the key of this key store, so the two are of different vaults: point \
         database.url and keys.url to the two that belong together, or restore them; nothing was changed"
    )]
    OtherVault,
    /// Guests without keys, which an older key store does not have.
    #[error(
        "the key store is older than the database: {0} of its {1} newest guests have no keys in it. Point keys.url to the \
         key store that belongs to it, or restore that from its newest backup; where those keys are lost for good, set \
         keys.accept_loss = true, and what they sealed stays unreadable. Nothing was changed"
    )]
    OlderKeys(usize, usize),
    /// The configuration names what there is not.
    #[error("the configuration is not valid:\n  {}", .0.join("\n  "))]
    Words(Vec<String>),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// What differs from country to country when guests are asked.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// How long what is kept.
    #[error(transparent)]
    Retention(#[from] retention::RulesError),
    /// The issuers of tokens.
    #[error(transparent)]
    Issuers(#[from] IssuersError),
    /// The provable log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A witness of the log.
    #[error("audit.witness {0}: {1}")]
    Witness(String, String),
    /// The `OpenID` provider of the console.
    #[error("[console.sign_in]: {0}")]
    SignIn(#[from] OpenIdError),
    /// The receivers of events.
    #[error(transparent)]
    Courier(#[from] CourierError),
    /// The database was restored and does not know what was erased since.
    #[error(
        "the database was restored and has not been held against the log yet, so erased guests may be in it: run \
         `guest-vault restore --in-place --log DIR` with the mirror of the log"
    )]
    Quarantine,
    /// The guests' pages.
    #[error(transparent)]
    Portal(#[from] DeliveryError),
    /// What an open vault answers.
    #[error(transparent)]
    Guest(#[from] GuestError),
}
