//! `guest-vault audit check`: receipts and access reports, with nothing but the log's key.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use serde::Deserialize;

use super::{AuditCommandError, Check};
use crate::{
    audit::tlog::{chain, note::Verifier, receipt},
    console,
    erasure::certificate,
};

/// What of an access report is checked.
#[derive(Deserialize)]
struct Report {
    proof: Vec<Proof>,
}

#[derive(Deserialize)]
struct Proof {
    year: i32,
    subject: String,
    entries: Vec<String>,
    receipt: Option<String>,
}

fn read(path: &Path) -> Result<Vec<u8>, AuditCommandError> {
    fs::read(path).map_err(|cause| wrong(path, cause.to_string()))
}

fn wrong(path: &Path, cause: impl Into<String>) -> AuditCommandError {
    AuditCommandError::File {
        path: path.display().to_string(),
        cause: cause.into(),
    }
}

pub(super) fn run(arguments: &Check, out: &mut dyn Write) -> Result<(), AuditCommandError> {
    let verifier = Verifier::parse(&arguments.vkey).map_err(AuditCommandError::Vkey)?;
    let path = &arguments.file;
    let text = String::from_utf8(read(path)?).map_err(|_| wrong(path, "is no text"))?;
    if let Some(entry) = &arguments.entry {
        return match receipt::verify(&text, &read(entry)?, &verifier) {
            Some((index, signed)) => {
                writeln!(
                    out,
                    "proven      entry {index} of {}, a log of {} entries",
                    verifier.name(),
                    signed.size
                )?;
                Ok(())
            }
            None => Err(AuditCommandError::Bad),
        };
    }
    let report: Report = serde_json::from_str(&text)
        .map_err(|_| wrong(path, "is no access report; a receipt is checked with --entry"))?;
    let mut good = true;
    for year in &report.proof {
        good &= check(year, &verifier, out)?;
    }
    if good { Ok(()) } else { Err(AuditCommandError::Bad) }
}

fn check(year: &Proof, verifier: &Verifier, out: &mut dyn Write) -> io::Result<bool> {
    let entries: Vec<&[u8]> = year.entries.iter().map(String::as_bytes).collect();
    let proven = chain::verify(entries, year.receipt.as_deref().unwrap_or_default(), verifier);
    match proven {
        Ok((chain, signed)) if data_encoding::HEXLOWER.encode(&chain.subject) == year.subject => {
            let (first, last) = (chain.first, chain.last);
            let size = signed.size;
            writeln!(
                out,
                "{}  entries {first} to {last}, none missing, in a log of {size} entries",
                year.year
            )?;
            Ok(true)
        }
        Ok(_) => {
            writeln!(
                out,
                "{}  the entries are about another subject than the report says",
                year.year
            )?;
            Ok(false)
        }
        Err(error) => {
            writeln!(out, "{}  NOT PROVEN: {error}", year.year)?;
            Ok(false)
        }
    }
}

/// A proof bundle of the console.
pub(super) fn bundle(
    path: &Path,
    verifier: &Verifier,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), AuditCommandError> {
    let proven = match console::check(&read(path)?, verifier) {
        Ok(proven) => proven,
        Err(why) => {
            writeln!(out, "NOT PROVEN: {why}")?;
            return Err(AuditCommandError::Bad);
        }
    };
    if json {
        serde_json::to_writer(&mut *out, &proven).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    writeln!(out, "signed      by {}", proven.log)?;
    writeln!(out, "files       {}, each as it was signed", proven.files)?;
    writeln!(out, "checkpoint  {} entries", proven.entries)?;
    for at in &proven.proven {
        writeln!(out, "proven      entry {at}")?;
    }
    for (recipient, lines) in &proven.disclosures {
        writeln!(out, "disclosed   to {recipient}: {lines} times")?;
    }
    writeln!(out, "complete    yes")?;
    Ok(())
}

/// The certificate of an erasure.
pub(super) fn certificate(
    path: &Path,
    verifier: &Verifier,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), AuditCommandError> {
    let text = String::from_utf8(read(path)?).map_err(|_| wrong(path, "is no text"))?;
    let certificate = match certificate::verify(&text, verifier) {
        Ok(certificate) => certificate,
        Err(why) => {
            writeln!(out, "NOT PROVEN: {why}")?;
            return Err(AuditCommandError::Bad);
        }
    };
    if json {
        serde_json::to_writer(&mut *out, &certificate).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    writeln!(out, "certified   request {}", certificate.request_id)?;
    writeln!(
        out,
        "complete    {}",
        if certificate.complete { "yes" } else { "NO" }
    )?;
    for run in &certificate.runs {
        let (intent, confirmation) = (run.intent, run.confirmation);
        writeln!(
            out,
            "proven      {} keys, entries {intent} and {confirmation}",
            run.keys_destroyed
        )?;
    }
    writeln!(out, "backups     hold no key after {}", certificate.backups_until)?;
    Ok(())
}
