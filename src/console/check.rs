//! Checking a proof bundle with nothing but the log's key, as a regulator does.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::Serialize;

use super::bundle::{KIND, MANIFEST, NOTE};
use crate::{
    audit::tlog::{note::Verifier, receipt},
    crypto::sha256,
    requests::zip::unzip,
};

/// What a bundle proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proven {
    /// The log whose key signed it.
    pub log: String,
    /// Files, all of them as they were signed.
    pub files: usize,
    /// How many entries the log had.
    pub entries: u64,
    /// The entries that are proven one by one.
    pub proven: Vec<u64>,
    /// Lines of disclosures, by recipient.
    pub disclosures: BTreeMap<String, usize>,
}

/// Checks a bundle.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check(bytes: &[u8], verifier: &Verifier) -> Result<Proven, String> {
    let files: BTreeMap<&str, &[u8]> = unzip(bytes)?.into_iter().collect();
    let text = |name: &str| {
        let found = files.get(name).ok_or_else(|| format!("{name} is missing"))?;
        std::str::from_utf8(found).map_err(|_| format!("{name} is no text"))
    };
    let manifest = text(MANIFEST)?;
    let signed = verifier
        .open_statement(KIND, text(NOTE)?.as_bytes())
        .map_err(|_| format!("{NOTE} is not signed by this log"))?;
    if signed != HEXLOWER.encode(&sha256(manifest.as_bytes())) {
        return Err(format!("{MANIFEST} was changed after it was signed"));
    }
    let mut listed = 0;
    for line in manifest.lines() {
        let (hash, name) = line
            .split_once("  ")
            .ok_or_else(|| format!("{MANIFEST} cannot be read"))?;
        let found = files.get(name).ok_or_else(|| format!("{name} is missing"))?;
        if HEXLOWER.encode(&sha256(found)) != hash {
            return Err(format!("{name} was changed after it was signed"));
        }
        listed += 1;
    }
    if listed + 2 != files.len() {
        return Err("there are files in it that were not signed".to_owned());
    }
    if text("log/vkey.txt")?.trim() != verifier.vkey() {
        return Err("log/vkey.txt is another key than the one it is checked with".to_owned());
    }
    let mut proven = Proven {
        log: verifier.name().to_owned(),
        files: files.len(),
        entries: 0,
        proven: Vec::new(),
        disclosures: disclosures(&files),
    };
    if let Some(note) = files.get("log/checkpoint") {
        let checkpoint = verifier
            .open(note)
            .map_err(|_| "log/checkpoint is not signed by this log".to_owned())?;
        proven.entries = checkpoint.size;
        for name in ["first", "last"] {
            let (entry, proof) = (format!("log/{name}.entry"), format!("log/{name}.tlog-proof"));
            let bytes = files
                .get(entry.as_str())
                .ok_or_else(|| format!("{entry} is missing"))?;
            let (at, signed) = receipt::verify(text(&proof)?, bytes, verifier)
                .ok_or_else(|| format!("{entry} is not proven by its receipt"))?;
            if signed.size < checkpoint.size {
                return Err(format!("{proof} is of an older log"));
            }
            proven.proven.push(at);
        }
    }
    Ok(proven)
}

fn disclosures(files: &BTreeMap<&str, &[u8]>) -> BTreeMap<String, usize> {
    let lines = |bytes: &[u8]| {
        bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .count()
    };
    let of = files.iter().filter_map(|(name, bytes)| {
        let recipient = name.strip_prefix("disclosures/")?.strip_suffix(".ndjson")?;
        Some((recipient.to_owned(), lines(bytes)))
    });
    of.collect()
}
