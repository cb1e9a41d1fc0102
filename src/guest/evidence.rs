//! Showing a consent: the record that others can read and check without the vault.

use chrono::Datelike;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use crate::{
    audit::{Act, tlog::Stored},
    base::{Category, ConsentId, Errand, GuestId},
    consent::{
        Line,
        record::{self, Happened, Parts},
        sql::notice,
    },
    crypto::SigningKey,
    keys::GuestKeys,
    policy::Right,
};

use super::{
    GuestError, Vault,
    consents::{Details, details_place},
};

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordFormat {
    /// ISO/IEC TS 27560 in DPV 2.3, JSON-LD, signed.
    #[default]
    Jsonld,
    /// Kantara consent receipt 1.1, JSON, unsigned.
    Kantara,
}

impl Vault {
    /// The record of a line of the ledger.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`]; [`GuestError::NotFound`], also for a guest whom the caller may not know of;
    /// [`GuestError::NoNotice`] when the line names no notice.
    pub async fn consent_record(
        &self,
        errand: &Errand,
        id: ConsentId,
        format: RecordFormat,
    ) -> Result<Value, GuestError> {
        let policy = self.policies.current();
        let found = self.store.read().await?.consent_holder(id).await?;
        let guest = found.unwrap_or(GuestId(uuid::Uuid::nil()));
        let mut event = self.ledger_event(errand, Act::ReadConsents, guest);
        if !policy.allows(&errand.caller.role, Right::ReadConsent) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        self.must_know(errand, guest, Act::ReadConsents).await?;
        let ledger = self.store.read().await?.consents(guest).await?;
        let Some(line) = ledger.iter().find(|line| line.id == id) else {
            return self.refuse(event, GuestError::NotFound).await;
        };
        let keys = self
            .keys
            .guest_keys(guest, &[Category::Audit, Category::Consent])
            .await?;
        event.subject = Some(self.subject(guest, Some(&keys)));
        event.basis = Some(format!("consent:{id}"));
        let notice = match line.notice {
            None => None,
            Some(id) => notice::find(&mut self.store.read().await?, id).await?,
        };
        let Some(notice) = notice else {
            return self.refuse(event, GuestError::NoNotice).await;
        };
        let log = Stored::new(self.store.clone());
        let mut history = Vec::new();
        for said in ledger.iter().filter(|l| same_matter(l, line)) {
            let log_index = match said.entry {
                Some(entry) => log.index_of(entry).await?,
                None => None,
            };
            history.push(Happened {
                line: said,
                log_index,
            });
        }
        let log_index = history.iter().find(|h| h.line.id == id).and_then(|h| h.log_index);
        let receipt = match log_index {
            Some(index) => log.receipt(index).await.ok(),
            None => None,
        };
        let pseudonym = self
            .keys
            .pseudonym(&keys, line.at.year())
            .map(|p| HEXLOWER.encode(&p));
        let parts = Parts {
            line,
            log_index,
            receipt,
            said_by: self
                .said_by(guest, &keys, id)
                .await?
                .map(|details| details.said_by),
            notice: &notice,
            description: policy
                .purpose(&line.purpose)
                .map_or("", |rule| rule.description.as_str()),
            subject: pseudonym.as_deref().unwrap_or_default(),
            history: &history,
            now: self.clock.now(),
        };
        let document = match format {
            RecordFormat::Kantara => record::kantara(&parts),
            RecordFormat::Jsonld => self.signed(record::jsonld(&parts)).await?,
        };
        self.log
            .record(Self::with_reason(event, errand, Some(&keys)), ())
            .await?;
        Ok(document)
    }

    async fn said_by(
        &self,
        guest: GuestId,
        keys: &GuestKeys,
        id: ConsentId,
    ) -> Result<Option<Details>, GuestError> {
        let Some(sealed) = self.store.read().await?.consent_details(guest, id).await? else {
            return Ok(None);
        };
        let plain = keys.open_internal(Category::Consent, &sealed, &details_place(guest, id.0))?;
        serde_json::from_slice(&plain)
            .map(Some)
            .map_err(|_| GuestError::Damaged)
    }

    /// The public key that signs records, as a JSON Web Key (RFC 8037).
    ///
    /// # Errors
    /// What the key store says.
    pub async fn record_key(&self) -> Result<Value, GuestError> {
        Ok(jwk(self.record_signer().await?))
    }

    async fn record_signer(&self) -> Result<&SigningKey, GuestError> {
        Ok(self.record_key.get_or_try_init(|| self.keys.record_key()).await?)
    }

    async fn signed(&self, document: serde_json::Map<String, Value>) -> Result<Value, GuestError> {
        let key = self.record_signer().await?;
        let mut document = Value::Object(document);
        let signature = key.sign(record::canonical(&document).as_bytes());
        let proof = json!({
            "@type": "vault:Ed25519Signature",
            "vault:publicKey": BASE64URL_NOPAD.encode(&key.public()),
            "vault:signature": BASE64.encode(&signature),
            "vault:signed": "canonical JSON (RFC 8785) of this document without vault:proof"
        });
        if let Some(members) = document.as_object_mut() {
            members.insert(record::PROOF.to_owned(), proof);
        }
        Ok(document)
    }
}

fn jwk(key: &SigningKey) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "x": BASE64URL_NOPAD.encode(&key.public())})
}

fn same_matter(one: &Line, other: &Line) -> bool {
    one.purpose == other.purpose && one.recipient == other.recipient && one.separate == other.separate
}
