//! Receipts: all that proves offline that an entry is in the log (C2SP `tlog-proof`, files `.tlog-proof`).

use std::fmt::Write as _;

use data_encoding::BASE64;

use super::{
    Hash, leaf_hash,
    note::{Checkpoint, Verifier},
    proof::verify_inclusion,
};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The receipt of entry `index`, by its inclusion proof and the checkpoint that this leads to.
#[must_use]
pub fn write(index: u64, proof: &[Hash], checkpoint: &str) -> String {
    let mut text = format!("{HEADER}\nindex {index}\n");
    for hash in proof {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", BASE64.encode(hash));
    }
    text.push('\n');
    text.push_str(checkpoint);
    text
}

/// The index and the checkpoint, when the receipt proves that the entry is in this log.
#[must_use]
pub fn verify(receipt: &str, entry: &[u8], verifier: &Verifier) -> Option<(u64, Checkpoint)> {
    let (head, checkpoint) = receipt.split_once("\n\n")?;
    let mut lines = head.split('\n').peekable();
    if lines.next()? != HEADER {
        return None;
    }
    // Opaque, and not part of what is proven.
    let _extra = lines.next_if(|line| line.starts_with("extra "));
    let number = lines.next()?.strip_prefix("index ")?;
    let index: u64 = number
        .parse()
        .ok()
        .filter(|index: &u64| index.to_string() == number)?;
    let hash = |line: &str| Hash::try_from(BASE64.decode(line.as_bytes()).ok()?).ok();
    let proof: Vec<Hash> = lines.map(hash).collect::<Option<_>>()?;
    let signed = verifier.open(checkpoint.as_bytes()).ok()?;
    verify_inclusion(index, signed.size, &leaf_hash(entry), &proof, &signed.root).then_some((index, signed))
}
