//! Notices in the database.

use uuid::Uuid;

use super::{
    NOTICE, NOTICE_INSERT, NOTICE_NEWEST, NOTICE_OVERTAKES, NOTICE_VERSION, NOTICES, NOTICES_IN_FORCE,
};
use crate::{
    base::{NoticeId, PrincipalId, Purpose, from_micros, micros},
    consent::notice::{Notice, NoticeInput},
    on,
    store::{Conn, Database, StoreError, Tx},
};

#[derive(sqlx::FromRow)]
struct Row {
    notice_id: Uuid,
    sequence: i64,
    version: i64,
    terms: i64,
    text: Vec<u8>,
    sha256: Vec<u8>,
    details: String,
    valid_from: i64,
    created_at: i64,
    created_by: Uuid,
}

impl TryFrom<Row> for Notice {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged("a notice");
        let mut said: NoticeInput = serde_json::from_str(&row.details).map_err(|_| damaged())?;
        said.text = String::from_utf8(row.text).map_err(|_| damaged())?;
        said.valid_from = Some(from_micros(row.valid_from));
        Ok(Self {
            notice_id: NoticeId(row.notice_id),
            version: row.version,
            terms: row.terms,
            sha256: data_encoding::HEXLOWER.encode(&row.sha256),
            said,
            created_at: from_micros(row.created_at),
            created_by: PrincipalId(row.created_by),
            sequence: row.sequence,
        })
    }
}

/// A notice by its id.
///
/// # Errors
/// What the database says; a damaged row.
pub async fn find(db: &mut impl Database, id: NoticeId) -> Result<Option<Notice>, StoreError> {
    let row: Option<Row> = on!(db, c => sqlx::query_as(NOTICE).bind(id.0).fetch_optional(c).await?);
    row.map(Notice::try_from).transpose()
}

/// The last notice of a purpose.
///
/// # Errors
/// As [`find`].
pub async fn newest(db: &mut impl Database, purpose: &Purpose) -> Result<Option<Notice>, StoreError> {
    let row: Option<Row> =
        on!(db, c => sqlx::query_as(NOTICE_NEWEST).bind(purpose.as_str()).fetch_optional(c).await?);
    row.map(Notice::try_from).transpose()
}

impl Conn {
    /// Notices of a purpose, oldest first, after this place.
    ///
    /// # Errors
    /// As [`find`].
    pub async fn notices(
        &mut self,
        purpose: &Purpose,
        after: i64,
        most: i64,
    ) -> Result<Vec<Notice>, StoreError> {
        let rows: Vec<Row> = on!(self, c => {
            sqlx::query_as(NOTICES).bind(purpose.as_str()).bind(after).bind(most).fetch_all(c).await?
        });
        rows.into_iter().map(Notice::try_from).collect()
    }

    /// Whether any notice of a purpose was in force at a moment.
    ///
    /// # Errors
    /// What the database says.
    pub async fn has_notice(&mut self, purpose: &Purpose, at: i64) -> Result<bool, StoreError> {
        let count: i64 = on!(self, c => {
            sqlx::query_scalar(NOTICES_IN_FORCE).bind(purpose.as_str()).bind(at).fetch_one(c).await?
        });
        Ok(count > 0)
    }
}

impl Tx {
    /// How many versions a purpose has in a language.
    ///
    /// # Errors
    /// What the database says.
    pub async fn notice_versions(&mut self, purpose: &Purpose, language: &str) -> Result<i64, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_scalar(NOTICE_VERSION).bind(purpose.as_str()).bind(language).fetch_one(c).await?
        }))
    }

    /// Publishes a notice.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another took its place; what the database says.
    pub async fn insert_notice(
        &mut self,
        notice: &Notice,
        hashes: ([u8; 32], [u8; 32]),
    ) -> Result<(), StoreError> {
        let (text_hash, terms_hash) = hashes;
        let said = NoticeInput {
            text: String::new(),
            ..notice.said.clone()
        };
        let details = serde_json::to_string(&said).map_err(|_| StoreError::Damaged("a notice"))?;
        on!(self, c => {
            sqlx::query(NOTICE_INSERT)
                .bind(notice.notice_id.0)
                .bind(notice.said.purpose.as_str())
                .bind(notice.sequence)
                .bind(&notice.said.language)
                .bind(notice.version)
                .bind(notice.terms)
                .bind(&terms_hash[..])
                .bind(notice.said.text.as_bytes())
                .bind(&text_hash[..])
                .bind(&details)
                .bind(micros(notice.valid_from()))
                .bind(notice.said.valid_until.map(micros))
                .bind(micros(notice.created_at))
                .bind(notice.created_by.0)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// How many lines that say yes do so to older terms.
    ///
    /// # Errors
    /// What the database says.
    pub async fn overtaken_by(&mut self, purpose: &Purpose, terms: i64) -> Result<i64, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_scalar(NOTICE_OVERTAKES).bind(purpose.as_str()).bind(terms).fetch_one(c).await?
        }))
    }
}
