//! Proof for a regulator in one file: what is enforced, what was disclosed, and the log's own proofs, signed.

use actix_web::{HttpResponse, web::Data};
use data_encoding::HEXLOWER;
use serde_json::json;

use super::{
    Console,
    audit::{download, log},
    officer::Officer,
    sign_in::Nothing,
};
use crate::{
    audit::{Act, Event},
    crypto::sha256,
    guest::{GuestError, Wanted},
    policy::Right,
    requests::zip::zip,
    web::{Kind, Problem, pages::Form},
};

/// The kind of statement that the log's key signs: never mistaken for a checkpoint.
pub(super) const KIND: &str = "proof-bundle";
/// The files that say what the others are.
pub(super) const MANIFEST: &str = "MANIFEST.txt";
pub(super) const NOTE: &str = "MANIFEST.note";

const README: &str = "\
This file was made by a guest-vault for somebody who must be able to check it without trusting the house:

    guest-vault audit verify --bundle FILE --vkey KEY

with the public key from where the house has published it. By hand: docs/formats.md.

MANIFEST.txt        the SHA-256 of every other file
MANIFEST.note       the SHA-256 of MANIFEST.txt, signed by the key of the log
log/vkey.txt        the public key; compare it with the published one
log/checkpoint      the newest signed checkpoint of the log; log/cosigned: as witnesses saw it
log/first.entry, log/last.entry             the first and the last entry of the log, byte for byte
log/first.tlog-proof, log/last.tlog-proof   their receipts (C2SP tlog-proof)
policy.json         the policy in force: roles, purposes, rules, fields
processing.json     the register of processing activities (GDPR Art. 30), derived from that policy
holds.json          the register of legal holds
disclosures/        what was disclosed to whom outside, a line of JSON each

No file names a guest otherwise than by an id.
";

/// The bundle.
pub(super) async fn make(
    console: Data<Console>,
    officer: Officer,
    _form: Form<Nothing>,
) -> Result<HttpResponse, Problem> {
    let now = console.vault.clock.now();
    let mut event = Event::by(&officer.caller, Act::ExportAudit, officer.request(), now);
    event.outcome = Some("bundle");
    event.policy_version = Some(officer.policy().version().to_owned());
    if !officer.may(Right::ReadAudit) {
        return Ok(console.vault.refuse(event, GuestError::Forbidden).await?);
    }
    console
        .vault
        .log
        .record(event, ())
        .await
        .map_err(GuestError::from)?;
    let mut files = log_files(&console, &officer).await?;
    files.extend(register_files(&console, &officer).await?);
    files.push(("README.txt".to_owned(), README.as_bytes().to_vec()));
    let line = |(name, bytes): &(String, Vec<u8>)| format!("{}  {name}\n", HEXLOWER.encode(&sha256(bytes)));
    let manifest: String = files.iter().map(line).collect();
    let hash = HEXLOWER.encode(&sha256(manifest.as_bytes()));
    let note = console.sequencer.signer().sign_statement(KIND, &hash);
    files.push((MANIFEST.to_owned(), manifest.into_bytes()));
    files.push((NOTE.to_owned(), note.into_bytes()));
    let named: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    let name = format!("proof-{}.zip", now.date_naive());
    Ok(download("application/zip", &name, zip(&named)))
}

type Files = Vec<(String, Vec<u8>)>;

async fn log_files(console: &Console, officer: &Officer) -> Result<Files, Problem> {
    let log = log(console, officer).await?;
    let mut files = vec![(
        "log/vkey.txt".to_owned(),
        format!("{}\n", console.verifier().vkey()).into_bytes(),
    )];
    if let Some((size, text)) = log.checkpoint().await.map_err(GuestError::from)? {
        files.push(("log/checkpoint".to_owned(), text.into_bytes()));
        let first = log.minimum().await.map_err(GuestError::from)?;
        for (name, at) in [("first", first), ("last", size.saturating_sub(1))] {
            if at < size {
                let receipt = log.receipt(at).await.map_err(GuestError::from)?;
                let entry = log.entry(at).await.map_err(GuestError::from)?;
                files.push((format!("log/{name}.entry"), entry));
                files.push((format!("log/{name}.tlog-proof"), receipt.into_bytes()));
            }
        }
    }
    if let Some(text) = log.cosigned().await.map_err(GuestError::from)?
        && console.verifier().open(text.as_bytes()).is_ok()
    {
        files.push(("log/cosigned".to_owned(), text.into_bytes()));
    }
    Ok(files)
}

async fn register_files(console: &Console, officer: &Officer) -> Result<Files, Problem> {
    let json = |value: serde_json::Value| serde_json::to_vec_pretty(&value).unwrap_or_default();
    let of = |value: serde_json::Result<serde_json::Value>| value.map_err(|_| Problem::new(Kind::Internal));
    let mut files = Files::new();
    if officer.may(Right::ReadPolicy) {
        let policy = console.desk.show(&officer.caller, officer.request()).await?;
        files.push(("policy.json".to_owned(), json(of(serde_json::to_value(&policy))?)));
    }
    let register = console.processing_register(&officer.errand("audit")?).await?;
    files.push((
        "processing.json".to_owned(),
        json(of(serde_json::to_value(&register))?),
    ));
    if officer.may(Right::ManageHolds) {
        let holds = console
            .hold_register(&officer.errand("legal_retention")?, None)
            .await?;
        files.push(("holds.json".to_owned(), json(json!({ "holds": holds }))));
    }
    let recipients = officer
        .policy()
        .purposes()
        .filter_map(|rule| rule.recipient.clone());
    for recipient in recipients.collect::<std::collections::BTreeSet<_>>() {
        let wanted = Wanted {
            recipient: recipient.clone(),
            guest_id: None,
            from: None,
            to: None,
        };
        let lines = console
            .vault
            .export_disclosures(&officer.caller, officer.request(), &wanted)
            .await?;
        files.push((format!("disclosures/{recipient}.ndjson"), lines));
    }
    Ok(files)
}
