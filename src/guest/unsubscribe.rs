//! One click takes a consent back (RFC 8058): a link that anybody who holds it may use, that names nobody, and that can
//! do nothing else.

use data_encoding::BASE64URL_NOPAD;
use uuid::Uuid;

use crate::{
    audit::{Act, Event},
    base::{Caller, Category, ConsentId, Credential, Errand, PrincipalId, RequestId},
    consent::{State, Statement},
    crypto::same,
    keys::MacPurpose,
};

use super::{GuestError, Vault};

/// Stands before what is signed, so that no other keyed hash is taken for a link.
const LABEL: &[u8] = b"unsubscribe";
/// Bytes of the signature.
const SIGNATURE: usize = 16;
/// How often a guest is looked for anew who was merged meanwhile.
const TRIES: u32 = 6;

impl Vault {
    /// The path of the link that takes back what this line gave: the line's id and a keyed hash of it. It does not
    /// expire: taking back stays as easy as giving was.
    pub(super) fn unsubscribe_path(&self, id: ConsentId) -> String {
        let signed = [id.0.as_bytes().as_slice(), &self.link_code(id)].concat();
        format!("/u/{}", BASE64URL_NOPAD.encode(&signed))
    }

    fn link_code(&self, id: ConsentId) -> [u8; SIGNATURE] {
        let code = self.keys.mac(MacPurpose::Token).mac_of(&[LABEL, id.0.as_bytes()]);
        code.first_chunk().copied().unwrap_or_default()
    }

    /// The line that a link was made for; nothing when it was made up.
    #[must_use]
    pub fn link_of(&self, token: &str) -> Option<ConsentId> {
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
        let (id, code) = bytes.split_at_checked(16)?;
        let id = ConsentId(Uuid::from_slice(id).ok()?);
        same(&self.link_code(id), code).then_some(id)
    }

    /// Takes back what a link was made for, everywhere. Doing it twice is no error, and a guest who is gone needs
    /// nothing more.
    ///
    /// # Errors
    /// [`GuestError::NotFound`] for a link that was made up; what the database says.
    pub async fn unsubscribe(&self, request: RequestId, token: &str) -> Result<(), GuestError> {
        let Some(id) = self.link_of(token) else {
            return Err(GuestError::NotFound);
        };
        for _ in 0..TRIES {
            match self.withdraw_line(request, id).await {
                // Taken in at this moment: the line is another's now.
                Err(GuestError::Moved(_) | GuestError::Stale) => {}
                done => return done,
            }
        }
        Err(GuestError::Stale)
    }

    /// Takes back what a line gave, of whoever it belongs to now.
    async fn withdraw_line(&self, request: RequestId, id: ConsentId) -> Result<(), GuestError> {
        let Some(guest) = self.store.read().await?.consent_holder(id).await? else {
            return Ok(());
        };
        let ledger = self.store.read().await?.consents(guest).await?;
        let Some(line) = ledger.iter().find(|line| line.id == id) else {
            return Ok(());
        };
        let role = "guest".parse().map_err(|_| GuestError::Forbidden)?;
        let errand = Errand {
            caller: Caller {
                principal: PrincipalId(Uuid::nil()),
                credential: Credential::Link,
                role,
                scope: Vec::new(),
                actor: None,
            },
            property: line.property.clone(),
            purpose: line.purpose.clone(),
            reason: None,
            request,
        };
        let event = Event::of(&errand, Act::PutConsent, self.clock.now());
        let active = self.active_version(guest).await;
        if let Err(error) = active.or_else(unless_restricted) {
            return match error {
                GuestError::Gone | GuestError::NotFound => Ok(()),
                moved @ GuestError::Moved(_) => Err(moved),
                error => self.refuse(event, error).await,
            };
        }
        let statement = Statement {
            purpose: line.purpose.clone(),
            state: State::Withdrawn,
            recipient: Some(line.recipient.clone()).filter(|r| !r.is_empty()),
            scope: None,
            separate: line.separate,
            notice_id: line.notice,
            channel: "unsubscribe_link".to_owned(),
            indication: Some("one_click".to_owned()),
            said_by: None,
            guardian: None,
            at: None,
            valid_until: None,
            evidence_ref: None,
        };
        let keys = self.keys_of(guest, &[Category::Audit, Category::Consent]).await?;
        let mut change = match self.change_of(guest).await {
            Err(GuestError::Gone) => return Ok(()),
            change => change?,
        };
        self.write_consent(
            &mut change,
            &errand,
            (guest, None),
            (&statement, line.terms),
            &keys,
        )
        .await?;
        change.commit().await?;
        Ok(())
    }
}

/// Who is kept for the law only takes back what was agreed to all the same.
fn unless_restricted(error: GuestError) -> Result<i64, GuestError> {
    match error {
        GuestError::Restricted => Ok(0),
        error => Err(error),
    }
}
