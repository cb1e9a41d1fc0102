//! `guest-vault principal attest | attestations`: who signed the confidentiality agreement, who was trained, which
//! recipient a partner's contract names.

use std::io::Write;

use chrono::SecondsFormat;
use clap::Args;
use serde_json::{Value, json};

use super::principal::{Expiry, PrincipalError};
use crate::{
    access::{Attestations, Holder, StaffId, operator},
    base::{Clock, PrincipalId},
};

/// The longest kind.
const LONGEST_KIND: usize = 60;

/// `principal attest`.
#[derive(Debug, Args)]
pub struct Attest {
    /// The principal, for a service, a post or a partner.
    #[arg(required_unless_present = "staff", conflicts_with = "staff")]
    pub id: Option<PrincipalId>,
    /// The member of staff, by staff id.
    #[arg(long)]
    pub staff: Option<StaffId>,
    /// What: `confidentiality`, `training`, or `recipient:<name>` for a partner's contract.
    #[arg(long)]
    pub kind: String,
    /// Until when: `365d`, a day or a moment.
    #[arg(long, value_name = "WHEN", required_unless_present = "end")]
    pub until: Option<Expiry>,
    /// Ends it now.
    #[arg(long, conflicts_with = "until")]
    pub end: bool,
    /// Prints one line of JSON: `{"holder","kind","valid_until"}`.
    #[arg(long)]
    pub json: bool,
}

/// `principal attestations`.
#[derive(Debug, Args)]
pub struct Register {
    /// Prints one line of JSON: `{"items":[…]}`.
    #[arg(long)]
    pub json: bool,
}

/// Writes an attestation.
///
/// # Errors
/// When an argument is wrong, the database refuses, or the answer cannot be written.
pub async fn attest(
    arguments: &Attest,
    (attestations, clock): (&Attestations, &Clock),
    out: &mut dyn Write,
) -> Result<(), PrincipalError> {
    let kind = arguments.kind.as_str();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | ':');
    if kind.is_empty() || kind.len() > LONGEST_KIND || !kind.chars().all(plain) {
        return Err(PrincipalError::Kind);
    }
    let holder = match (&arguments.staff, arguments.id) {
        (Some(staff), _) => Holder::Staff(staff.clone()),
        (None, Some(id)) => Holder::Principal(id),
        (None, None) => return Err(PrincipalError::Kind),
    };
    let now = clock.now();
    let until = match arguments.until {
        Some(until) => until.moment(now).ok_or(PrincipalError::Past)?,
        None => now,
    };
    attestations.attest(&holder, kind, until, &operator()?).await?;
    let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
    if arguments.json {
        writeln!(
            out,
            "{}",
            json!({"holder": holder.to_string(), "kind": kind, "valid_until": until})
        )?;
    } else {
        writeln!(out, "{holder}: {kind} until {until}")?;
    }
    Ok(())
}

/// Prints the register.
///
/// # Errors
/// When the database refuses or the answer cannot be written.
pub async fn list(
    arguments: &Register,
    attestations: &Attestations,
    out: &mut dyn Write,
) -> Result<(), PrincipalError> {
    let all = attestations.list().await?;
    let line = |one: &crate::access::Attested| {
        let until = one.valid_until.to_rfc3339_opts(SecondsFormat::Secs, true);
        json!({"holder": one.holder, "kind": one.kind, "valid_until": until})
    };
    let lines: Vec<Value> = all.iter().map(line).collect();
    if arguments.json {
        writeln!(out, "{}", json!({ "items": lines }))?;
        return Ok(());
    }
    for one in &all {
        let until = one.valid_until.to_rfc3339_opts(SecondsFormat::Secs, true);
        writeln!(out, "{:46}  {:30}  {until}", one.holder, one.kind)?;
    }
    Ok(())
}
