//! The certificate of an erasure: signed with the log's key, with proof that the log holds its entries, and without
//! personal data. Anybody who has the log's key checks it offline.

use std::{collections::BTreeMap, fmt::Write as _};

use chrono::{DateTime, NaiveDate, Utc};
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audit::tlog::{Stored, note::Verifier, receipt},
    base::{Category, EntryId, GuestId},
    crypto::sha256,
    retention::read,
};

use super::{CategoryFate, Eraser, ErasureError, processors::ProcessorState, sql::ErasureRow};

/// What the signature says that it is over; no checkpoint reads like this.
const KIND: &str = "erasure certificate";
/// The version of the certificate's shape.
const VERSION: u8 = 1;
/// How it is checked.
const VERIFY: &str = "guest-vault audit verify --certificate FILE --vkey KEY; or by hand: docs/formats.md";

/// What was done, in the languages of guests.
const STATEMENTS: [(&str, &str); 6] = [
    (
        "en",
        "The data listed as erased has been erased: the keys that opened it were destroyed, and its values were removed. \
         What is listed as restricted is kept for the law only, until the day named.",
    ),
    (
        "zh",
        "列为“erase”的数据已被删除：用于解密的密钥已销毁，数据值已移除。列为“restrict”的数据仅依法保存至所列日期。",
    ),
    (
        "de",
        "Die als gelöscht genannten Daten sind gelöscht: Ihre Schlüssel wurden vernichtet, ihre Werte entfernt. Was als \
         eingeschränkt genannt ist, wird nur für das Gesetz bis zum genannten Tag aufbewahrt.",
    ),
    (
        "fr",
        "Les données indiquées comme effacées l'ont été : leurs clés ont été détruites, leurs valeurs supprimées. Ce qui \
         est indiqué comme limité n'est conservé que pour la loi, jusqu'au jour indiqué.",
    ),
    (
        "es",
        "Los datos indicados como borrados han sido borrados: sus claves fueron destruidas y sus valores eliminados. Lo \
         indicado como limitado se conserva solo por ley hasta el día señalado.",
    ),
    (
        "pt",
        "Os dados indicados como apagados foram apagados: as suas chaves foram destruídas e os seus valores removidos. O \
         que está indicado como limitado é conservado apenas por lei, até ao dia indicado.",
    ),
];

/// One run of an erasure.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Keyed hash of the guest's id, as in the log.
    #[schema(max_length = 32)]
    pub tombstone: String,
    /// The drawers whose keys were destroyed.
    pub categories: Vec<Category>,
    /// Whether the guest went with them.
    pub whole: bool,
    /// How many keys were destroyed.
    pub keys_destroyed: i64,
    /// The entry of the log that said that it will be done.
    pub intent: u64,
    /// The entry that said that it is.
    pub confirmation: u64,
}

/// What is certified.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// The version of its shape.
    pub v: u8,
    /// The request.
    pub request_id: Uuid,
    /// Under which law.
    #[schema(max_length = 40)]
    pub regime: String,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// When it was approved.
    pub approved_at: DateTime<Utc>,
    /// When it was certified.
    pub certified_at: DateTime<Utc>,
    /// Whether nothing is left but what a law keeps.
    pub complete: bool,
    /// Drawer by drawer, as it came out: what is still there is not said to be erased.
    pub categories: Vec<CategoryFate>,
    /// What was run.
    pub runs: Vec<Run>,
    /// Whom the erasure was told to, and what each is known to have done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processors: Vec<ProcessorState>,
    /// Whether keyed hashes of the guest's addresses are kept, so that nobody writes to them again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub do_not_contact: bool,
    /// After this day no backup holds a copy of the keys.
    pub backups_until: NaiveDate,
    /// The log that it is proven by.
    #[schema(max_length = 200)]
    pub log: String,
    /// What was done, by language.
    pub statement: BTreeMap<String, String>,
    /// How it is checked.
    #[schema(max_length = 200)]
    pub verify: String,
}

/// An entry of the log, with its proof.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// The entry's bytes, base64.
    #[schema(max_length = 90_000)]
    pub entry: String,
    /// Its receipt (C2SP `tlog-proof`).
    #[schema(max_length = 9_000)]
    pub receipt: String,
}

/// A certificate that stands by itself.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Certified {
    /// What is certified.
    pub certificate: Certificate,
    /// A signed note over the SHA-256 of the certificate's canonical JSON (RFC 8785).
    #[schema(max_length = 1_000)]
    pub signature: String,
    /// The entries of the log that it names.
    pub evidence: Vec<Evidence>,
}

/// What a certificate is about besides its runs.
pub struct About {
    /// The request.
    pub request: Uuid,
    /// Under which law.
    pub regime: String,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// When it was approved.
    pub approved_at: DateTime<Utc>,
    /// When the last keys were destroyed.
    pub done_at: DateTime<Utc>,
    /// Whether nothing is left but what a law keeps.
    pub complete: bool,
    /// As it came out.
    pub categories: Vec<CategoryFate>,
    /// Whether the addresses are never to be used again.
    pub do_not_contact: bool,
}

impl Eraser {
    /// The certificate of a case.
    ///
    /// # Errors
    /// [`ErasureError::LogWaits`] while the log has not yet taken in the last entry.
    pub async fn certify(&self, about: About) -> Result<Certified, ErasureError> {
        let store = &self.vault.store;
        let mut rows = store.read().await?.erasures_of_case(about.request).await?;
        rows.retain(|row| row.confirmation.is_some());
        let log = Stored::new(store.clone());
        let mut runs = Vec::new();
        let mut evidence = Vec::new();
        for row in &rows {
            let Some(confirmation) = row.confirmation else {
                continue;
            };
            self.in_the_log(EntryId(confirmation)).await?;
            let (intent, said) = proven(&log, row.intent).await?;
            let (confirmation, done) = proven(&log, confirmation).await?;
            runs.push(self.run_of(row, intent, confirmation));
            evidence.extend([said, done]);
        }
        let erasures: Vec<Uuid> = rows.iter().map(|row| row.erasure_id).collect();
        let processors = self.processor_states(&erasures).await?;
        let horizon = chrono::TimeDelta::days(self.backup_days.into());
        let signer = self.sequencer.signer();
        let certificate = Certificate {
            v: VERSION,
            request_id: about.request,
            regime: about.regime,
            received_at: about.received_at,
            approved_at: about.approved_at,
            certified_at: self.vault.clock.now(),
            complete: about.complete,
            categories: about.categories,
            runs,
            processors,
            do_not_contact: about.do_not_contact,
            backups_until: (about.done_at + horizon).date_naive(),
            log: signer.verifier().name().to_owned(),
            statement: STATEMENTS
                .iter()
                .map(|(l, t)| ((*l).to_owned(), (*t).to_owned()))
                .collect(),
            verify: VERIFY.to_owned(),
        };
        let hash = fingerprint(&serde_json::to_value(&certificate).unwrap_or_default());
        Ok(Certified {
            signature: signer.sign_statement(KIND, &hash),
            certificate,
            evidence,
        })
    }

    fn run_of(&self, row: &ErasureRow, intent: u64, confirmation: u64) -> Run {
        Run {
            tombstone: self.tombstone(GuestId(row.guest_id)),
            categories: sorted(read(&row.categories)),
            whole: row.whole,
            keys_destroyed: row.keys,
            intent,
            confirmation,
        }
    }
}

fn sorted(mut categories: Vec<Category>) -> Vec<Category> {
    categories.sort_by_key(|category| category.as_str());
    categories
}

/// An entry by its id: its index, and the proof for it.
async fn proven(log: &Stored, entry: Uuid) -> Result<(u64, Evidence), ErasureError> {
    let index = log
        .index_of(EntryId(entry))
        .await?
        .ok_or(ErasureError::LogWaits)?;
    let (size, checkpoint) = log.checkpoint().await?.ok_or(ErasureError::LogWaits)?;
    let (_, proof) = log.inclusion(index, size).await?;
    let bytes = log.entry(index).await?;
    let evidence = Evidence {
        entry: BASE64.encode(&bytes),
        receipt: receipt::write(index, &proof, &checkpoint),
    };
    Ok((index, evidence))
}

/// SHA-256 of the canonical JSON (RFC 8785: keys sorted, no space; there are no numbers but whole ones), base64.
fn fingerprint(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    BASE64.encode(&sha256(text.as_bytes()))
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            out.push('{');
            for (at, (key, value)) in sorted.into_iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(
                    out,
                    "{}{}:",
                    if at == 0 { "" } else { "," },
                    Value::from(key.as_str())
                );
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                canonical(item, out);
            }
            out.push(']');
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// What of an entry is held against the certificate.
#[derive(Deserialize)]
struct Entry {
    leaf: Leaf,
}

#[derive(Deserialize)]
struct Leaf {
    act: String,
    erasure: Erased,
}

#[derive(Deserialize)]
struct Erased {
    case: Uuid,
    categories: Vec<Category>,
    tombstone: String,
    whole: bool,
}

/// Checks a certificate with nothing but the log's key.
///
/// # Errors
/// What is wrong with it.
pub fn verify(text: &str, verifier: &Verifier) -> Result<Certificate, &'static str> {
    let value: Value = serde_json::from_str(text).map_err(|_| "it is no JSON")?;
    let certified: Certified =
        serde_json::from_str(text).map_err(|_| "it is no certificate of an erasure")?;
    let hash = fingerprint(value.get("certificate").unwrap_or(&Value::Null));
    let signed = verifier
        .open_statement(KIND, certified.signature.as_bytes())
        .map_err(|_| "it is not signed by this log")?;
    if signed != hash {
        return Err("it was changed after it was signed");
    }
    let mut entries: BTreeMap<u64, Leaf> = BTreeMap::new();
    for Evidence {
        entry,
        receipt: proof,
    } in &certified.evidence
    {
        let bytes = BASE64
            .decode(entry.as_bytes())
            .map_err(|_| "an entry is not base64")?;
        let (index, _) = receipt::verify(proof, &bytes, verifier).ok_or("an entry is not in the log")?;
        let Entry { leaf } =
            serde_json::from_slice(&bytes).map_err(|_| "an entry is about something else")?;
        entries.insert(index, leaf);
    }
    let certificate = certified.certificate;
    for run in &certificate.runs {
        let says = |index: u64, act: &str| {
            entries.get(&index).is_some_and(|leaf| {
                leaf.act == act
                    && leaf.erasure.case == certificate.request_id
                    && leaf.erasure.tombstone == run.tombstone
                    && leaf.erasure.whole == run.whole
                    && leaf.erasure.categories == run.categories
            })
        };
        if !says(run.intent, "erase") || !says(run.confirmation, "erased") || run.intent >= run.confirmation {
            return Err("the log says something else than the certificate");
        }
    }
    Ok(certificate)
}
