//! Statements of the consent ledger.

use uuid::Uuid;

use crate::{
    base::{ConsentId, GuestId, NoticeId, PrincipalId, RecordId, from_micros, micros},
    on, statements,
    store::{Conn, StoreError, Tx},
};

use super::{Line, State};

statements! {
    CONSENT_INSERT = "INSERT INTO consent (guest_id, consent_id, purpose, recipient, state, channel, indication,
                          notice_id, record_id, property, captured_by, captured_actor, valid_until, evidence, at)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    CONSENTS = "SELECT consent_id, purpose, recipient, state, channel, indication, notice_id, property, captured_by,
                    captured_actor, valid_until, at
                FROM consent WHERE guest_id = $1 ORDER BY at, consent_id";
    CONSENT_SAME = "SELECT count(*) FROM consent
                    WHERE guest_id = $1 AND purpose = $2 AND recipient = $3 AND state = $4 AND at = $5";
}

#[derive(sqlx::FromRow)]
struct Row {
    consent_id: Uuid,
    purpose: String,
    recipient: String,
    state: String,
    channel: String,
    indication: String,
    notice_id: Option<Uuid>,
    property: String,
    captured_by: Uuid,
    captured_actor: Option<String>,
    valid_until: Option<i64>,
    at: i64,
}

impl TryFrom<Row> for Line {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged("a consent");
        Ok(Self {
            id: ConsentId(row.consent_id),
            purpose: row.purpose.parse().map_err(|_| damaged())?,
            recipient: row.recipient,
            state: State::from_word(&row.state).ok_or_else(damaged)?,
            channel: row.channel,
            indication: row.indication,
            notice: row.notice_id.map(NoticeId),
            property: row.property.parse().map_err(|_| damaged())?,
            captured_by: PrincipalId(row.captured_by),
            captured_actor: row.captured_actor,
            valid_until: row.valid_until.map(from_micros),
            at: from_micros(row.at),
        })
    }
}

impl Tx {
    /// Appends a line; evidence is sealed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn append_consent(
        &mut self,
        guest: GuestId,
        record: Option<RecordId>,
        line: &Line,
        evidence: Option<&[u8]>,
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
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Whether the ledger holds this very statement already: a source that repeats its record adds nothing.
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
                .bind(micros(line.at))
                .fetch_one(c)
                .await?
        });
        Ok(count > 0)
    }
}

impl Conn {
    /// The whole ledger of a guest, oldest first.
    ///
    /// # Errors
    /// What the database says; a damaged row.
    pub async fn consents(&mut self, guest: GuestId) -> Result<Vec<Line>, StoreError> {
        let rows: Vec<Row> = on!(self, c => sqlx::query_as(CONSENTS).bind(guest.0).fetch_all(c).await?);
        rows.into_iter().map(Line::try_from).collect()
    }
}
