//! Statements of the consent ledger.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    base::{ConsentId, EntryId, GuestId, NoticeId, PrincipalId, Purpose, RecordId, from_micros, micros},
    on,
    policy::Separate,
    statements,
    store::{Conn, Database, StoreError, Tx},
};

use super::{Line, State};

mod many;
pub mod notice;

pub use many::{Ledgers, ManyLine, guests_text, ledgers_text, suppressed_text};

statements! {
    CONSENT_INSERT = "INSERT INTO consent (guest_id, consent_id, purpose, recipient, state, channel, indication,
                          notice_id, record_id, property, captured_by, captured_actor, valid_until, evidence, at,
                          scope, separate, terms, details, entry_id, told_at)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                          $20, $21)";
    CONSENTS = "SELECT consent_id, purpose, recipient, scope, separate, state, channel, indication, notice_id,
                    terms, property, captured_by, captured_actor, valid_until, at, told_at, entry_id,
                    (SELECT min(n.valid_from) FROM notice n
                     WHERE n.purpose = consent.purpose AND n.terms > consent.terms) AS superseded
                FROM consent WHERE guest_id = $1 ORDER BY at, consent_id";
    EVIDENCE_OF_OTHERS = "SELECT consent_id, separate, evidence FROM consent
                          WHERE guest_id = $1 AND evidence IS NOT NULL AND state IN ('given', 'renewed')
                              AND NOT (purpose = $2 AND recipient = $3 AND separate = $4)";
    /// Also the guest that was taken in keeps its line; the one it goes on under is whose it is.
    CONSENT_HOLDER = "SELECT c.guest_id FROM consent c JOIN guest g ON g.guest_id = c.guest_id
                      WHERE c.consent_id = $1
                      ORDER BY CASE WHEN g.status = 'merged' THEN 1 ELSE 0 END, c.guest_id LIMIT 1";
    CONSENT_DETAILS = "SELECT details FROM consent WHERE guest_id = $1 AND consent_id = $2";
    NOTICE = "SELECT notice_id, sequence, version, terms, text, sha256, details, valid_from, created_at, created_by
              FROM notice WHERE notice_id = $1";
    NOTICE_NEWEST = "SELECT notice_id, sequence, version, terms, text, sha256, details, valid_from, created_at,
                         created_by
                     FROM notice WHERE purpose = $1 ORDER BY sequence DESC LIMIT 1";
    NOTICES = "SELECT notice_id, sequence, version, terms, text, sha256, details, valid_from, created_at, created_by
               FROM notice WHERE purpose = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
    NOTICES_IN_FORCE = "SELECT count(*) FROM notice
                        WHERE purpose = $1 AND valid_from <= $2 AND (valid_until IS NULL OR valid_until > $2)";
    NOTICE_VERSION = "SELECT coalesce(max(version), 0) FROM notice WHERE purpose = $1 AND language = $2";
    NOTICE_INSERT = "INSERT INTO notice (notice_id, purpose, sequence, language, version, terms, terms_hash, text, sha256,
                         details, valid_from, valid_until, created_at, created_by)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    NOTICE_OVERTAKES = "SELECT count(*) FROM consent
                        WHERE purpose = $1 AND terms < $2 AND state IN ('given', 'renewed')";
    TERMS_BEGAN = "SELECT terms, min(valid_from) FROM notice WHERE purpose = $1 GROUP BY terms";
    SUPPRESS = "INSERT INTO suppression (token, channel, at) VALUES ($1, $2, $3)
                ON CONFLICT (token, channel) DO NOTHING";
    SUPPRESSION_LIFT = "DELETE FROM suppression WHERE token = $1 AND channel = $2";
    CONSENTS_OF_RECORD = "SELECT consent_id, purpose, recipient, scope, separate, state, channel, indication, notice_id,
                              terms, property, captured_by, captured_actor, valid_until, at, told_at, entry_id,
                              CAST(NULL AS BIGINT) AS superseded
                          FROM consent
                          WHERE guest_id = $1 AND record_id = $2 AND purpose = $3 AND recipient = $4 AND separate = $5
                          ORDER BY at DESC, consent_id DESC";
    CONSENT_LAST = "SELECT max(at) FROM consent WHERE guest_id = $1 AND purpose = $2";
    CONSENT_SAME = "SELECT count(*) FROM consent
                    WHERE guest_id = $1 AND purpose = $2 AND recipient = $3 AND state = $4 AND $5 IN (at, told_at)
                        AND scope = $6 AND separate = $7";
}

#[derive(sqlx::FromRow)]
struct Row {
    consent_id: Uuid,
    purpose: String,
    recipient: String,
    scope: String,
    separate: String,
    state: String,
    channel: String,
    indication: String,
    notice_id: Option<Uuid>,
    terms: i64,
    property: String,
    captured_by: Uuid,
    captured_actor: Option<String>,
    valid_until: Option<i64>,
    at: i64,
    told_at: Option<i64>,
    entry_id: Option<Uuid>,
    superseded: Option<i64>,
}

impl TryFrom<Row> for Line {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged("a consent");
        Ok(Self {
            id: ConsentId(row.consent_id),
            purpose: row.purpose.parse().map_err(|_| damaged())?,
            recipient: row.recipient,
            scope: row.scope,
            separate: match row.separate.as_str() {
                "" => None,
                word => Some(Separate::from_word(word).ok_or_else(damaged)?),
            },
            state: State::from_word(&row.state).ok_or_else(damaged)?,
            channel: row.channel,
            indication: row.indication,
            notice: row.notice_id.map(NoticeId),
            terms: row.terms,
            superseded: row.superseded.map(from_micros),
            property: row.property.parse().map_err(|_| damaged())?,
            captured_by: PrincipalId(row.captured_by),
            captured_actor: row.captured_actor,
            valid_until: row.valid_until.map(from_micros),
            at: from_micros(row.at),
            told_at: row.told_at.map(from_micros),
            entry: row.entry_id.map(EntryId),
        })
    }
}

impl Tx {
    /// The whole ledger of a guest, oldest first, with what this change has written.
    ///
    /// # Errors
    /// What the database says; a damaged row.
    pub async fn consents(&mut self, guest: GuestId) -> Result<Vec<Line>, StoreError> {
        ledger(self, guest).await
    }

    /// Appends a line; evidence and details are sealed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn append_consent(
        &mut self,
        guest: GuestId,
        record: Option<RecordId>,
        line: &Line,
        (evidence, details): (Option<&[u8]>, Option<&[u8]>),
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(CONSENT_INSERT)
                .bind(guest.0)
                .bind(line.id.0)
                .bind(line.purpose.as_str())
                .bind(&line.recipient)
                .bind(line.state.as_str())
                .bind(&line.channel)
                .bind(&line.indication)
                .bind(line.notice.map(|n| n.0))
                .bind(record.map(|r| r.0))
                .bind(line.property.as_str())
                .bind(line.captured_by.0)
                .bind(line.captured_actor.as_deref())
                .bind(line.valid_until.map(micros))
                .bind(evidence)
                .bind(micros(line.at))
                .bind(&line.scope)
                .bind(line.separate.map_or("", Separate::as_str))
                .bind(line.terms)
                .bind(details)
                .bind(line.entry.map(|entry| entry.0))
                .bind(line.told_at.map(micros))
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// What a record said on the matter of a line, newest first.
    ///
    /// # Errors
    /// What the database says; a damaged row.
    pub async fn said_by_record(
        &mut self,
        guest: GuestId,
        record: RecordId,
        line: &Line,
    ) -> Result<Vec<Line>, StoreError> {
        let rows: Vec<Row> = on!(self, c => {
            sqlx::query_as(CONSENTS_OF_RECORD)
                .bind(guest.0)
                .bind(record.0)
                .bind(line.purpose.as_str())
                .bind(&line.recipient)
                .bind(line.separate.map_or("", Separate::as_str))
                .fetch_all(c)
                .await?
        });
        rows.into_iter().map(Line::try_from).collect()
    }

    /// Whether the ledger holds this very statement already, of the moment that its source gives, if it gives one: a
    /// source that repeats its record adds nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn has_consent(&mut self, guest: GuestId, line: &Line) -> Result<bool, StoreError> {
        let count: i64 = on!(self, c => {
            sqlx::query_scalar(CONSENT_SAME)
                .bind(guest.0)
                .bind(line.purpose.as_str())
                .bind(&line.recipient)
                .bind(line.state.as_str())
                .bind(micros(line.told_at.unwrap_or(line.at)))
                .bind(&line.scope)
                .bind(line.separate.map_or("", Separate::as_str))
                .fetch_one(c)
                .await?
        });
        Ok(count > 0)
    }

    /// When the last was said that a guest's ledger holds of a purpose.
    ///
    /// # Errors
    /// What the database says.
    pub async fn last_said(
        &mut self,
        guest: GuestId,
        purpose: &Purpose,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<i64> = on!(self, c => {
            sqlx::query_scalar(CONSENT_LAST).bind(guest.0).bind(purpose.as_str()).fetch_one(c).await?
        });
        Ok(at.map(from_micros))
    }
}

async fn ledger(db: &mut impl Database, guest: GuestId) -> Result<Vec<Line>, StoreError> {
    let rows: Vec<Row> = on!(db, c => sqlx::query_as(CONSENTS).bind(guest.0).fetch_all(c).await?);
    rows.into_iter().map(Line::try_from).collect()
}

impl Conn {
    /// The sealed evidence of a guest's yeses to other matters than this: line, kind of separate consent, evidence.
    ///
    /// # Errors
    /// What the database says.
    pub async fn evidence_of_others(
        &mut self,
        guest: GuestId,
        (purpose, recipient, separate): (&Purpose, &str, Option<Separate>),
    ) -> Result<Vec<(Uuid, String, Vec<u8>)>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(EVIDENCE_OF_OTHERS)
                .bind(guest.0)
                .bind(purpose.as_str())
                .bind(recipient)
                .bind(separate.map_or("", Separate::as_str))
                .fetch_all(c)
                .await?
        }))
    }

    /// Whose line this is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn consent_holder(&mut self, id: ConsentId) -> Result<Option<GuestId>, StoreError> {
        let found: Option<Uuid> =
            on!(self, c => sqlx::query_scalar(CONSENT_HOLDER).bind(id.0).fetch_optional(c).await?);
        Ok(found.map(GuestId))
    }

    /// What is sealed beside a line: who spoke.
    ///
    /// # Errors
    /// What the database says.
    pub async fn consent_details(
        &mut self,
        guest: GuestId,
        id: ConsentId,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let found: Option<Option<Vec<u8>>> = on!(self, c => {
            sqlx::query_scalar(CONSENT_DETAILS).bind(guest.0).bind(id.0).fetch_optional(c).await?
        });
        Ok(found.flatten())
    }

    /// The whole ledger of a guest, oldest first.
    ///
    /// # Errors
    /// What the database says; a damaged row.
    pub async fn consents(&mut self, guest: GuestId) -> Result<Vec<Line>, StoreError> {
        ledger(self, guest).await
    }
}
