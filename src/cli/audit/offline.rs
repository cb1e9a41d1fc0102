//! `guest-vault audit check`: receipts and access reports, with nothing but the log's key.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use super::{AuditCommandError, Check, report};
use crate::{
    audit::tlog::{note::Verifier, receipt},
    console,
    erasure::certificate,
};

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
    let good = report::check(&text, &verifier, out)?
        .ok_or_else(|| wrong(path, "is no access report; a receipt is checked with --entry"))?;
    if good { Ok(()) } else { Err(AuditCommandError::Bad) }
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
