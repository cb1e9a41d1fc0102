//! Publishing notices, and holding statements against them.

use data_encoding::HEXLOWER;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    audit::{Act, Event},
    base::{Caller, NoticeId, Purpose, RequestId, micros},
    consent::{
        Refusal, Statement,
        notice::{Notice, NoticeInput, Term},
        sql::notice as sql,
    },
    crypto::sha256,
    policy::{Right, Separate},
};

use super::{GuestError, Rejected, Vault, kinds, put::TRIES};

/// What became of a notice.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Published {
    /// The notice.
    #[serde(flatten)]
    pub notice: Notice,
    /// The terms that differ from the last notice of the purpose; none when only the wording does.
    pub changed: Vec<Term>,
    /// How many lines of the ledger, saying yes to older terms, no longer count once it is in force.
    pub invalidates: i64,
}

/// Who may read what guests are told.
const READERS: [Right; 4] = [
    Right::ManageNotices,
    Right::ReadConsent,
    Right::WriteConsent,
    Right::CheckConsent,
];

impl Vault {
    /// Publishes a notice. With other terms than the last one of its purpose it begins new terms: consents to the
    /// older ones no longer count once it is in force.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::BadQuestion`] for what cannot be published.
    pub async fn publish_notice(
        &self,
        caller: &Caller,
        request: RequestId,
        said: NoticeInput,
    ) -> Result<Published, GuestError> {
        let policy = self.policies.current();
        let mut event = Event::by(caller, Act::PublishNotice, request, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        event.purpose = Some(said.purpose.clone());
        if !policy.allows(&caller.role, Right::ManageNotices) {
            return self.refuse(event, GuestError::Forbidden).await;
        }
        let wrong = match policy.purpose(&said.purpose) {
            None => Some(("purpose", "is not of this policy; GET /v1/policy lists what is")),
            Some(_) if kinds::holds_card_number(&said.text) => Some(("text", "holds a card number")),
            Some(_) => said.wrong(self.clock.now()),
        };
        if let Some((field, reason)) = wrong {
            return self.refuse(event, GuestError::bad(field, reason)).await;
        }
        let mut tries = 0;
        loop {
            match self.try_publish(caller, &said, event.clone()).await {
                Err(error) if error.is_transient() && tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn try_publish(
        &self,
        caller: &Caller,
        said: &NoticeInput,
        mut event: Event,
    ) -> Result<Published, GuestError> {
        let now = self.clock.now();
        let mut change = self.log.begin(&self.store).await?;
        let last = sql::newest(&mut change.tx, &said.purpose).await?;
        let changed = last
            .as_ref()
            .map_or_else(Vec::new, |last| said.changed_since(&last.said));
        let terms = match &last {
            None => 1,
            Some(last) => last.terms + i64::from(!changed.is_empty()),
        };
        let version = change.tx.notice_versions(&said.purpose, &said.language).await?;
        let earliest = last.as_ref().map_or(now, |last| last.valid_from().max(now));
        let mut said = said.clone();
        // Never before today, and never before the one it follows.
        said.valid_from = Some(said.valid_from.unwrap_or(now).max(earliest));
        let text_hash = sha256(said.text.as_bytes());
        let terms_hash = said.terms_hash();
        let notice = Notice {
            notice_id: NoticeId::random(),
            version: version + 1,
            terms,
            sha256: HEXLOWER.encode(&text_hash),
            said,
            created_at: now,
            created_by: caller.principal,
            sequence: last.map_or(1, |last| last.sequence + 1),
        };
        change.tx.insert_notice(&notice, (text_hash, terms_hash)).await?;
        let invalidates = change.tx.overtaken_by(&notice.said.purpose, terms).await?;
        event.basis = Some(format!("notice:{}", notice.notice_id));
        event.rules = vec![format!("text:sha256:{}", notice.sha256)];
        event.count = u64::try_from(invalidates).ok();
        change.record(event);
        change.commit().await?;
        Ok(Published {
            notice,
            changed,
            invalidates,
        })
    }

    /// A notice. It tells nothing about anybody, so that reading one is no event of the log.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`], [`GuestError::NotFound`].
    pub async fn read_notice(
        &self,
        caller: &Caller,
        request: RequestId,
        id: NoticeId,
    ) -> Result<Notice, GuestError> {
        self.may_read_notices(caller, request).await?;
        let found = sql::find(&mut self.store.read().await?, id).await?;
        found.ok_or(GuestError::NotFound)
    }

    /// The notices of a purpose, oldest first.
    ///
    /// # Errors
    /// [`GuestError::Forbidden`].
    pub async fn list_notices(
        &self,
        caller: &Caller,
        request: RequestId,
        purpose: &Purpose,
        (after, most): (i64, i64),
    ) -> Result<Vec<Notice>, GuestError> {
        self.may_read_notices(caller, request).await?;
        Ok(self.store.read().await?.notices(purpose, after, most).await?)
    }

    async fn may_read_notices(&self, caller: &Caller, request: RequestId) -> Result<(), GuestError> {
        let policy = self.policies.current();
        if READERS
            .into_iter()
            .any(|right| policy.allows(&caller.role, right))
        {
            return Ok(());
        }
        let mut event = Event::by(caller, Act::PublishNotice, request, self.clock.now());
        event.policy_version = Some(policy.version().to_owned());
        self.refuse(event, GuestError::Forbidden).await
    }

    /// The terms that a statement answers to: those of the notice it names, 0 without one.
    ///
    /// # Errors
    /// What the database says; inside, why the statement and the notice do not fit.
    pub(super) async fn terms_of(&self, statement: &Statement) -> Result<Result<i64, Refusal>, GuestError> {
        let now = self.clock.now();
        let at = statement.at.unwrap_or(now).min(now);
        let is_yes = statement.state.is_yes();
        let Some(id) = statement.notice_id else {
            let needed = is_yes
                && (!self.bare_yes && self.rests_on(statement)
                    || self
                        .store
                        .read()
                        .await?
                        .has_notice(&statement.purpose, micros(at))
                        .await?);
            return Ok(if needed {
                Err(Refusal::NoticeRequired)
            } else {
                Ok(0)
            });
        };
        let found = sql::find(&mut self.store.read().await?, id).await?;
        let Some(notice) = found else {
            return Ok(Err(Refusal::UnknownNotice));
        };
        if is_yes && !notice.in_force(at) {
            return Ok(Err(Refusal::NoticeNotInForce));
        }
        let fits = notice.said.purpose == statement.purpose && (!is_yes || tells_of(&notice, statement));
        Ok(if fits {
            Ok(notice.terms)
        } else {
            Err(Refusal::WrongNotice)
        })
    }

    /// Whether anything rests on this yes, so that it must be shown what the guest was told (GDPR Art. 7(1)).
    fn rests_on(&self, statement: &Statement) -> bool {
        let policy = self.policies.current();
        let rule = policy.purpose(&statement.purpose);
        statement.separate.is_some() || rule.is_some_and(|rule| !rule.by_consent.is_empty())
    }

    /// The purposes that rest on consent and of which no notice tells.
    ///
    /// # Errors
    /// What the database says.
    pub async fn purposes_without_notice(&self) -> Result<Vec<String>, GuestError> {
        let (policy, now) = (self.policies.current(), micros(self.clock.now()));
        let mut conn = self.store.read().await?;
        let mut bare = Vec::new();
        for rule in policy.purposes().filter(|rule| !rule.by_consent.is_empty()) {
            if !conn.has_notice(&rule.code, now).await? {
                bare.push(rule.code.to_string());
            }
        }
        Ok(bare)
    }

    /// Holds a record's consents against their notices; those that do not fit are rejected.
    pub(super) async fn check_notices(
        &self,
        said: Vec<(usize, Statement)>,
        rejected: &mut Vec<Rejected>,
    ) -> Result<Vec<(Statement, i64)>, GuestError> {
        let mut good = Vec::with_capacity(said.len());
        for (at, statement) in said {
            match self.terms_of(&statement).await? {
                Ok(terms) => good.push((statement, terms)),
                Err(reason) => rejected.push(Rejected {
                    field: format!("consents[{at}]"),
                    reason: reason.as_str().to_owned(),
                }),
            }
        }
        Ok(good)
    }
}

/// Whether a notice tells what this yes needs to know: its recipient, and what a separate consent asks for.
fn tells_of(notice: &Notice, statement: &Statement) -> bool {
    let code = super::consents::recipient(statement);
    let recipient = notice.recipient(&code);
    let named = code.is_empty() || recipient.is_some();
    named
        && match statement.separate {
            None | Some(Separate::Publication) => true,
            Some(Separate::Sensitive) => notice.said.necessity_and_impact,
            Some(Separate::ThirdParty) => recipient.is_some_and(|r| r.contact.is_some()),
            Some(Separate::CrossBorder) => {
                recipient.is_some_and(|r| r.contact.is_some() && r.country.is_some())
            }
        }
}
