//! Who saw what of a guest, when and why: for officers, and for the guest itself, with the proof that nothing is
//! missing.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Utc};
use data_encoding::{BASE64, HEXLOWER};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    audit::{
        Act, Event,
        leaf::Leaf,
        search::{self, Filter, Place},
        sql::Row,
        tlog::{Hash, LogError, Stored, chain, entry, note::Signer},
    },
    base::{Category, EntryId, Errand, FieldPath, GuestId, View, from_micros},
    consent::record::canonical,
    crypto::sha256,
    keys::GuestKeys,
    policy::Right,
};

use super::{GuestError, Vault};

/// Rows fetched at once.
const PAGE: usize = 500;
/// So often a report is made again when the log grew meanwhile.
const TRIES: usize = 3;

/// What the signature of a report says that it is over; no checkpoint reads like this.
pub const REPORT_KIND: &str = "access report";

/// What the signature of a report is over: the SHA-256 of its canonical JSON (RFC 8785) without the signature, base64.
#[must_use]
pub fn report_digest(report: &Value) -> String {
    let mut unsigned = report.clone();
    if let Some(members) = unsigned.as_object_mut() {
        members.remove("signature");
    }
    BASE64.encode(&sha256(canonical(&unsigned).as_bytes()))
}

/// One access, or attempt.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Access {
    /// The entry.
    pub entry_id: EntryId,
    /// Its index in the log, once it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// When.
    pub at: DateTime<Utc>,
    /// What was done.
    #[schema(max_length = 40)]
    pub action: String,
    /// How it ended.
    #[schema(max_length = 20)]
    pub decision: String,
    /// In which role.
    #[schema(max_length = 60)]
    pub role: String,
    /// By whom; only for officers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 36)]
    pub principal: Option<String>,
    /// On whose orders, a staff id; only for officers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub actor: Option<String>,
    /// For which property.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20)]
    pub property: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    pub purpose: Option<String>,
    /// The legal basis or consent it stood on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 60)]
    pub basis: Option<String>,
    /// The fields, and how each was shown (or, for a change, written).
    #[schema(value_type = BTreeMap<String, View>)]
    pub fields: BTreeMap<FieldPath, View>,
    /// What in the database is not as the log says: somebody changed it by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20)]
    pub altered: Option<&'static str>,
}

/// The proof for one year: the guest has one name in the log a year, and its entries make a chain.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct YearProof {
    /// The year.
    pub year: i32,
    /// The guest's name in the log.
    #[schema(max_length = 32)]
    pub subject: String,
    /// The number of the last entry that the log holds about the guest in this year.
    pub count: u64,
    /// Whether all of them are here, none changed; but those that were pruned.
    pub complete: bool,
    /// So many entries, from number 1 on, were pruned: the log is kept for a time.
    pub pruned: u64,
    /// The entries as the log holds them, byte for byte, in their order.
    #[schema(max_items = 1_000_000)]
    pub entries: Vec<String>,
    /// The receipt (C2SP `tlog-proof`) of the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100_000)]
    pub receipt: Option<String>,
}

/// Who saw what of a guest.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AccessReport {
    /// The guest.
    pub guest_id: GuestId,
    /// When the report was made.
    pub at: DateTime<Utc>,
    /// The log's name.
    #[schema(max_length = 200)]
    pub origin: String,
    /// Whether every year is complete and nothing was changed.
    pub complete: bool,
    /// Every access and attempt, oldest first; this report among them.
    #[schema(max_items = 1_000_000)]
    pub accesses: Vec<Access>,
    /// The proof, by year.
    #[schema(max_items = 200)]
    pub proof: Vec<YearProof>,
    /// A signed note (C2SP `signed-note`) by the log's key over the SHA-256 of the canonical JSON (RFC 8785) of all the
    /// rest; absent before the log has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1_000)]
    pub signature: Option<String>,
}

impl Vault {
    /// Who saw what of this guest. Officers and auditors may ask for any guest; a guest, named by its token's subject,
    /// for itself.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`], also when it is another guest; [`GuestError::Gone`].
    pub async fn access_report(&self, errand: &Errand, guest: GuestId) -> Result<AccessReport, GuestError> {
        let policy = self.policies.current();
        let caller = &errand.caller;
        let mut event = Event::of(errand, Act::AccessReport, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.subject = Some(self.subject(guest, None));
        let officer = policy.allows(&caller.role, Right::ReadAudit);
        if !officer {
            if !policy.allows(&caller.role, Right::ReadAccessReport) {
                return self.refuse(event, GuestError::Forbidden).await;
            }
            if caller.actor.as_deref() != Some(guest.to_string().as_str()) {
                return self.refuse(event, GuestError::NotFound).await;
            }
        }
        let head = self.store.read().await?.guest_head(guest).await?;
        match head {
            None => return self.refuse(event, GuestError::NotFound).await,
            Some((_, status, _)) if status == "erased" => return self.refuse(event, GuestError::Gone).await,
            Some(_) => {}
        }
        let keys = self.keys.guest_keys(guest, &[Category::Audit]).await?;
        event.subject = Some(self.subject(guest, Some(&keys)));
        let event = Self::with_reason(event, errand, Some(&keys));
        // First, so that the report holds its own entry.
        self.log.record(event, ()).await?;
        self.report(guest, &keys, officer).await
    }

    async fn report(
        &self,
        guest: GuestId,
        keys: &GuestKeys,
        officer: bool,
    ) -> Result<AccessReport, GuestError> {
        let log = Stored::new(self.store.clone());
        let now = self.clock.now();
        let first = search::entries_since(&self.store, &about(guest), None, 1).await?;
        let first = first
            .first()
            .map_or(now, |row| from_micros(row.columns.at))
            .year();
        let names = self.names(keys, first.min(now.year()), now.year());
        let proof = self.proofs(&log, guest, &names).await?;
        // After the proof, so that each entry of it is a line of the report, also one that came meanwhile.
        let rows = self.rows_about(guest).await?;
        let altered = log.altered(&rows).await?;
        let lines = rows.iter().zip(altered);
        let accesses: Vec<Access> = lines
            .map(|(row, altered)| access(row, altered, &names, officer))
            .collect();
        let whole = proof.iter().all(|year| year.complete);
        let mut report = AccessReport {
            guest_id: guest,
            at: now,
            origin: String::new(),
            complete: whole && accesses.iter().all(|access| access.altered.is_none()),
            accesses,
            proof,
            signature: None,
        };
        if let Some(origin) = log.origin().await? {
            let key = self.keys.log_key(false).await?;
            let signer = Signer::new(Some(origin.clone()), key).map_err(LogError::from)?;
            report.origin = origin;
            let digest = report_digest(&serde_json::to_value(&report).unwrap_or_default());
            report.signature = Some(signer.sign_statement(REPORT_KIND, &digest));
        }
        Ok(report)
    }

    async fn rows_about(&self, guest: GuestId) -> Result<Vec<Row>, GuestError> {
        let filter = about(guest);
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let rows = search::entries_since(&self.store, &filter, after, PAGE).await?;
            let last = rows.len() < PAGE;
            after = rows.last().map(Place::of);
            all.extend(rows);
            if last {
                return Ok(all);
            }
        }
    }

    /// The guest's names in the log: one a year.
    pub(super) fn names(&self, keys: &GuestKeys, first: i32, last: i32) -> BTreeMap<String, i32> {
        let name = |year| Some((HEXLOWER.encode(&self.keys.pseudonym(keys, year)?), year));
        (first.saturating_sub(1)..=last).filter_map(name).collect()
    }

    async fn proofs(
        &self,
        log: &Stored,
        guest: GuestId,
        names: &BTreeMap<String, i32>,
    ) -> Result<Vec<YearProof>, GuestError> {
        // The log may grow between the statements; a report that is not whole for that reason is whole the next time.
        for _ in 0..TRIES {
            let proofs = self.proofs_now(log, guest, names).await?;
            if proofs.iter().all(|year| year.complete) {
                return Ok(proofs);
            }
        }
        self.proofs_now(log, guest, names).await
    }

    async fn proofs_now(
        &self,
        log: &Stored,
        guest: GuestId,
        names: &BTreeMap<String, i32>,
    ) -> Result<Vec<YearProof>, GuestError> {
        let mut years: BTreeMap<String, Vec<(u64, Vec<u8>)>> = BTreeMap::new();
        for (index, bytes) in log.entries_of(guest).await? {
            let about = entry::read(&bytes).and_then(|read| read.subject);
            let name = about.map(|(subject, _)| HEXLOWER.encode(&subject));
            if let Some(name) = name.filter(|name| names.contains_key(name)) {
                years.entry(name).or_default().push((index, bytes));
            }
        }
        let mut proofs = Vec::new();
        for (name, year) in names {
            let entries = years.remove(name).unwrap_or_default();
            proofs.extend(year_proof(log, (name, *year), entries).await?);
        }
        proofs.sort_by_key(|proof| proof.year);
        Ok(proofs)
    }
}

fn about(guest: GuestId) -> Filter {
    Filter {
        guest_id: Some(guest),
        ..Filter::default()
    }
}

/// Whether the log holds nothing about the subject but these entries and, before them, pruned ones: so many.
async fn pruned(
    log: &Stored,
    end: Option<(u64, Hash)>,
    entries: &[(u64, Vec<u8>)],
) -> Result<Option<u64>, GuestError> {
    let Some((last, hash)) = end else { return Ok(None) };
    // Nothing signs where the chain ends, but the entry after it would name the last one's hash.
    let after = entries.last().map_or(0, |(index, _)| *index);
    if log.goes_on(&hash, after).await? {
        return Ok(None);
    }
    let before = match entries.first().map(|(_, bytes)| bytes) {
        None => Some((last, hash)),
        Some(bytes) => {
            let whole = chain::follow(entries.iter().map(|(_, bytes)| bytes.as_slice()));
            let link = entry::read(bytes).and_then(|read| read.subject);
            let (Ok(chain), Some((_, link))) = (whole, link) else {
                return Ok(None);
            };
            if (chain.last, chain.end) != (last, hash) {
                return Ok(None);
            }
            link.previous
                .map(|previous| (link.number.saturating_sub(1), previous))
        }
    };
    match before {
        None => Ok(Some(0)),
        Some((count, hash)) => Ok(log.was_pruned(&hash).await?.then_some(count)),
    }
}

/// The proof of one year; `None` when there is nothing about the guest in it.
async fn year_proof(
    log: &Stored,
    (name, year): (&String, i32),
    entries: Vec<(u64, Vec<u8>)>,
) -> Result<Option<YearProof>, GuestError> {
    let subject = HEXLOWER.decode(name.as_bytes()).ok();
    let Some(subject) = subject.and_then(|bytes| bytes.try_into().ok()) else {
        return Ok(None);
    };
    let end = log.chain_end(subject).await?;
    if end.is_none() && entries.is_empty() {
        return Ok(None);
    }
    let pruned = pruned(log, end, &entries).await?;
    let receipt = match entries.last() {
        Some((index, _)) => Some(log.receipt(*index).await?),
        None => None,
    };
    let text = |(_, bytes)| String::from_utf8(bytes).unwrap_or_default();
    Ok(Some(YearProof {
        year,
        subject: name.clone(),
        count: end.map_or(0, |(number, _)| number),
        complete: pruned.is_some(),
        pruned: pruned.unwrap_or(0),
        entries: entries.into_iter().map(text).collect(),
        receipt,
    }))
}

fn access(row: &Row, altered: Option<&'static str>, names: &BTreeMap<String, i32>, officer: bool) -> Access {
    let leaf = Leaf::read(&row.leaf);
    let strange = |leaf: &Leaf| {
        leaf.subject
            .as_ref()
            .is_some_and(|name| !names.contains_key(name))
    };
    let guest = leaf.as_ref().is_some_and(strange).then_some("guest_id");
    let altered = altered.or(guest);
    let word = |of: fn(&Leaf) -> Option<&String>| leaf.as_ref().and_then(of).cloned();
    Access {
        entry_id: EntryId(row.entry_id),
        log_index: row.log_index.and_then(|index| u64::try_from(index).ok()),
        at: from_micros(leaf.as_ref().map_or(row.columns.at, |leaf| leaf.at)),
        action: word(|leaf| Some(&leaf.act)).unwrap_or_default(),
        decision: word(|leaf| Some(&leaf.decision)).unwrap_or_default(),
        role: word(|leaf| Some(&leaf.role)).unwrap_or_default(),
        principal: leaf
            .as_ref()
            .filter(|_| officer)
            .map(|leaf| leaf.principal.to_string()),
        actor: word(|leaf| leaf.actor.as_ref()).filter(|_| officer),
        property: word(|leaf| leaf.property.as_ref()),
        purpose: word(|leaf| leaf.purpose.as_ref()),
        basis: word(|leaf| leaf.basis.as_ref()),
        fields: leaf.map(|leaf| leaf.fields).unwrap_or_default(),
        altered,
    }
}
