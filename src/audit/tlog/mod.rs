//! The provable log: a Merkle tree over all entries (RFC 6962 hashes), cut into static tiles of height 8 with a
//! signed checkpoint (C2SP `tlog-tiles`, `tlog-checkpoint`, `signed-note`), so that anybody's tool can check it.
//!
//! Entries are durable before they are here: the [`Sequencer`] gives each its index, its place in the chain of its
//! subject, and signs. The bytes are described in `docs/formats.md`.

pub mod ageing;
mod bottom;
pub mod catch_up;
pub mod chain;
pub mod cosignature;
pub mod entry;
mod files;
mod growth;
mod held;
pub mod mirror;
pub mod note;
mod passed;
pub mod patrol;
pub mod proof;
pub mod receipt;
pub mod remote;
mod repair;
mod sequencer;
mod stored;
pub mod tile;
pub mod tree;
pub mod verify;
pub mod witness;

use crate::{
    crypto::{sha256, sha256_of},
    store::StoreError,
};

pub use held::Fault;
pub use sequencer::{Sequencer, Step};
pub use stored::Stored;

/// What to do about a log that was changed by hand.
const RESTORE: &str = "restore the last backup, then run `guest-vault restore --in-place --log DIR` with the mirror of \
                       the log, which puts back what came after it (docs/backup.md)";

/// Why the log in the database cannot be read or grown.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A checkpoint does not verify, or the origin is not one.
    #[error("the log's checkpoint: {0}")]
    Note(#[from] note::NoteError),
    /// The head of the log in the database is not one that was signed.
    #[error("the log's head in the database was changed by hand ({0}); {advice}", advice = RESTORE)]
    Head(#[source] note::NoteError),
    /// There are entries and tiles, but no head.
    #[error("the log's head in the database is gone, but not what it was the head of; {advice}", advice = RESTORE)]
    Headless,
    /// The log was begun under another name.
    #[error(
        "this log is called {stored:?}, but {configured:?} is configured; a log keeps its name: set `origin` in \
         [audit] back"
    )]
    Origin {
        /// As the log began.
        stored: String,
        /// As configured now.
        configured: String,
    },
    /// What is stored does not add up to what was signed: rows were changed or removed by hand.
    #[error(
        "the log in the database is not what was signed, at {0}: rows were changed or removed by hand; run `guest-vault audit verify`"
    )]
    Changed(String),
    /// An answer that this log does not have.
    #[error("the log has no such entry or size")]
    Absent,
}

/// A node of the tree: SHA-256.
pub type Hash = [u8; 32];

/// The hash of an entry (RFC 6962 §2.1).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256_of(&[&[0], entry])
}

/// The hash of two subtrees (RFC 6962 §2.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    let parts = left.iter().chain(right);
    for (to, from) in bytes.iter_mut().skip(1).zip(parts) {
        *to = *from;
    }
    sha256(&bytes)
}
