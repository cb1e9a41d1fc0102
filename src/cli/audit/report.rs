//! An access report, checked with nothing but the log's key: that it is as the vault signed it, that its entries are
//! whole chains of the log, and that its lines say what these entries say.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Write},
};

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    audit::{
        leaf::{Leaf, discloses},
        tlog::{chain, note::Verifier, receipt},
    },
    base::{FieldPath, View, from_micros, micros},
    guest::{REPORT_KIND, report_digest},
};

#[derive(Deserialize)]
struct Report {
    origin: String,
    complete: bool,
    accesses: Vec<Access>,
    proof: Vec<Proof>,
    signature: Option<String>,
}

#[derive(Deserialize)]
struct Proof {
    year: i32,
    subject: String,
    count: u64,
    complete: bool,
    #[serde(default)]
    pruned: u64,
    entries: Vec<String>,
    receipt: Option<String>,
}

#[derive(Deserialize)]
struct Access {
    log_index: Option<u64>,
    at: DateTime<Utc>,
    action: String,
    decision: String,
    role: String,
    principal: Option<String>,
    actor: Option<String>,
    property: Option<String>,
    purpose: Option<String>,
    basis: Option<String>,
    fields: BTreeMap<FieldPath, View>,
}

#[derive(Deserialize)]
struct Entry {
    leaf: Leaf,
}

/// What a year proves: its leaves, and where in the log the last of them stands.
#[derive(Default)]
struct Proven {
    leaves: Vec<Leaf>,
    last: Option<u64>,
}

impl Access {
    /// Whether this line says what the leaf says; a report for the guest itself names nobody of the staff.
    fn tells(&self, leaf: &Leaf) -> bool {
        let who = match &self.principal {
            Some(principal) => *principal == leaf.principal.to_string() && self.actor == leaf.actor,
            None => self.actor.is_none(),
        };
        who && self.role == leaf.role
            && self.property == leaf.property
            && self.purpose == leaf.purpose
            && self.basis == leaf.basis
            && self.fields == leaf.fields
    }
}

/// Whether the report proves that its list is complete, told line by line; `None` when it is no report.
pub(super) fn check(text: &str, verifier: &Verifier, out: &mut dyn Write) -> io::Result<Option<bool>> {
    let Ok(whole) = serde_json::from_str::<Value>(text) else {
        return Ok(None);
    };
    let Ok(report) = serde_json::from_str::<Report>(text) else {
        return Ok(None);
    };
    let mut wrong = Vec::new();
    let note = report.signature.as_deref().unwrap_or_default();
    let signed = verifier.open_statement(REPORT_KIND, note.as_bytes());
    if signed.ok() != Some(report_digest(&whole)) || report.origin != verifier.name() {
        wrong.push("the report is not as this log's vault signed it".to_owned());
    }
    if !report.complete {
        wrong.push("the report says itself that it is not complete".to_owned());
    }
    let mut all = Proven::default();
    for year in &report.proof {
        match prove(year, verifier) {
            Ok((told, proven)) => {
                writeln!(out, "{}  {told}", year.year)?;
                all.leaves.extend(proven.leaves);
                all.last = all.last.max(proven.last);
            }
            Err(why) => wrong.push(format!("{}: {why}", year.year)),
        }
    }
    match lines(&report.accesses, &all) {
        Ok(told) => writeln!(out, "lines {told}")?,
        Err(why) => wrong.push(why),
    }
    for why in &wrong {
        writeln!(out, "NOT PROVEN: {why}")?;
    }
    Ok(Some(wrong.is_empty()))
}

/// What the entries of a year prove, in words and by their leaves.
fn prove(year: &Proof, verifier: &Verifier) -> Result<(String, Proven), String> {
    if !year.complete {
        return Err("the report says itself that it is not complete".to_owned());
    }
    let gone = year.pruned;
    if year.entries.is_empty() && gone == year.count && gone > 0 {
        let told = format!("entries 1 to {gone} are not kept any more, says the vault");
        return Ok((told, Proven::default()));
    }
    let entries: Vec<&[u8]> = year.entries.iter().map(String::as_bytes).collect();
    let text = year.receipt.as_deref().unwrap_or_default();
    let proven = chain::verify(entries.iter().copied(), text, verifier);
    let (chain, signed) = proven.map_err(|error| error.to_string())?;
    if HEXLOWER.encode(&chain.subject) != year.subject {
        return Err("the entries are about another subject than the report says".to_owned());
    }
    let (first, last) = (chain.first, chain.last);
    if first != gone.saturating_add(1) {
        return Err(format!("entry {first} is the first; those before it are missing"));
    }
    if last != year.count {
        let count = year.count;
        return Err(format!("entry {last} is the last, of {count}"));
    }
    let mut leaves = Vec::new();
    for bytes in &entries {
        let entry: Entry = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        // A call at the turn of the year may be named by one and timed by the other.
        let turn = TimeDelta::days(1);
        let at = from_micros(entry.leaf.at);
        if !((at - turn).year()..=(at + turn).year()).contains(&year.year) {
            return Err(format!("an entry is of {}", at.year()));
        }
        leaves.push(entry.leaf);
    }
    let index = entries
        .last()
        .and_then(|bytes| receipt::verify(text, bytes, verifier))
        .map(|(index, _)| index);
    let mut told = format!(
        "entries {first} to {last}, none missing, in a log of {} entries",
        signed.size
    );
    if gone > 0 {
        told.push_str("; those before are not kept any more, says the vault");
    }
    Ok((told, Proven { leaves, last: index }))
}

/// Whether each proven entry is a line, and no line a look that the entries do not hold. Others may be: refusals from
/// before the guest was known have no subject in the log, and what is newer is proven by the next report.
fn lines(accesses: &[Access], proven: &Proven) -> Result<String, String> {
    let mut open: HashMap<(i64, &str, &str), Vec<&Access>> = HashMap::new();
    for access in accesses {
        let about = (micros(access.at), &*access.action, &*access.decision);
        open.entry(about).or_default().push(access);
    }
    for leaf in &proven.leaves {
        let about = (leaf.at, &*leaf.act, &*leaf.decision);
        let candidates = open.get_mut(&about);
        let found = candidates.and_then(|some| {
            let at = some.iter().position(|access| access.tells(leaf))?;
            Some(some.swap_remove(at))
        });
        if found.is_none() {
            let at = from_micros(leaf.at).format("%Y-%m-%dT%H:%M:%SZ");
            return Err(format!(
                "the entry of {at} is no line of the report, or another one"
            ));
        }
    }
    let left: Vec<&Access> = open.into_values().flatten().collect();
    let strange = |access: &&&Access| {
        let old = access
            .log_index
            .is_some_and(|at| proven.last.is_none_or(|last| at <= last));
        let named = access.action != "review_observations" || !access.fields.is_empty();
        old && named && discloses(&access.action, &access.decision)
    };
    if let Some(access) = left.iter().find(strange) {
        let at = access.at.format("%Y-%m-%dT%H:%M:%SZ");
        return Err(format!(
            "the line of {at} is no entry of the log about this guest"
        ));
    }
    let (held, others) = (proven.leaves.len(), left.len());
    Ok(format!(
        "{held} as the entries say; {others} more that no entry about this guest holds (yet)"
    ))
}
