//! The chain of a subject, checked offline: that a list of accesses has no gap, from its entries and one receipt.

use super::{
    Hash, entry, leaf_hash,
    note::{Checkpoint, Verifier},
    receipt,
};

/// Why a list of entries is not the whole chain of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// There is nothing to check.
    #[error("there is no entry")]
    Empty,
    /// An entry is none, or about nobody.
    #[error("entry {0} of the list is not an entry about a guest")]
    NotAnEntry(usize),
    /// An entry is about another subject.
    #[error("entry {0} of the list is about another subject")]
    Another(usize),
    /// An entry is missing before this one, or was changed.
    #[error("before entry {0} of the list one is missing or was changed")]
    Gap(usize),
    /// The receipt does not prove the last entry.
    #[error("the receipt does not prove the last entry")]
    Receipt,
}

/// What a chain proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// The subject: a guest's name in the log for a year.
    pub subject: [u8; 16],
    /// The number of the first entry: 1 unless the log's beginning was pruned.
    pub first: u64,
    /// The number of the last.
    pub last: u64,
    /// The hash of the last.
    pub end: Hash,
}

/// Follows entries of one subject; each names the hash of the one before.
///
/// # Errors
/// [`ChainError`].
pub fn follow<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Result<Chain, ChainError> {
    let mut chain: Option<Chain> = None;
    for (at, bytes) in entries.into_iter().enumerate() {
        let read = entry::read(bytes).and_then(|read| read.subject);
        let (subject, link) = read.ok_or(ChainError::NotAnEntry(at))?;
        let end = leaf_hash(bytes);
        chain = Some(match chain {
            None => Chain {
                subject,
                first: link.number,
                last: link.number,
                end,
            },
            Some(before) if before.subject != subject => return Err(ChainError::Another(at)),
            Some(before)
                if link.number == before.last.saturating_add(1) && link.previous == Some(before.end) =>
            {
                Chain {
                    last: link.number,
                    end,
                    ..before
                }
            }
            Some(_) => return Err(ChainError::Gap(at)),
        });
    }
    chain.ok_or(ChainError::Empty)
}

/// The chain that entries and the receipt of the last of them prove, with the receipt's checkpoint.
///
/// # Errors
/// [`ChainError`].
pub fn verify<'e>(
    entries: impl IntoIterator<Item = &'e [u8], IntoIter: Clone>,
    receipt: &str,
    verifier: &Verifier,
) -> Result<(Chain, Checkpoint), ChainError> {
    let entries = entries.into_iter();
    let chain = follow(entries.clone())?;
    let last = entries.last().ok_or(ChainError::Empty)?;
    let (_, signed) = receipt::verify(receipt, last, verifier).ok_or(ChainError::Receipt)?;
    Ok((chain, signed))
}
