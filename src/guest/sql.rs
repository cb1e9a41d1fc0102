//! Statements about guests: ciphertext, tokens and ids only.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{OnceLock, RwLock},
};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

pub mod import;
mod write;

use crate::{
    base::{GuestId, RecordId},
    consent::{Spoken, State},
    on, statements,
    store::{Conn, StoreError},
};

pub use write::NewValue;
use write::{stay_index_insert, tokens_insert, values_upsert};

statements! {
    SOURCE_FIND = "SELECT guest_id, record_id FROM source_record WHERE token = $1";
    SOURCE_INSERT = "INSERT INTO source_record (token, guest_id, record_id) VALUES ($1, $2, $3)";
    GUEST_INSERT = "INSERT INTO guest (guest_id, version, status, survivor, manager_token, created_at, updated_at)
                    VALUES ($1, 1, 'active', NULL, NULL, $2, $2)";
    GUEST_TOUCH = "UPDATE guest SET version = version + 1, updated_at = $3
                   WHERE guest_id = $1 AND version = $2 AND status = 'active'";
    GUEST_MANAGER = "UPDATE guest SET manager_token = $2 WHERE guest_id = $1";
    GUEST_HEAD = "SELECT version, status, survivor FROM guest WHERE guest_id = $1";
    RECORD_HEAD = "SELECT observed_at, content_mac FROM record WHERE guest_id = $1 AND record_id = $2";
    RECORD_UPSERT = "INSERT INTO record (guest_id, record_id, source_system, source_id, provenance, property, trust,
                         observed_at, received_at, content_mac)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                     ON CONFLICT (guest_id, record_id) DO UPDATE
                     SET source_id = excluded.source_id, provenance = excluded.provenance, property = excluded.property,
                         trust = excluded.trust, observed_at = excluded.observed_at,
                         received_at = excluded.received_at, content_mac = excluded.content_mac";
    RECORDS = "SELECT record_id, source_system, source_id, provenance, property, observed_at, received_at
               FROM record WHERE guest_id = $1 ORDER BY record_id";
    FIELD_HEADS = "SELECT field, version, observed_at FROM field_value WHERE guest_id = $1 AND record_id = $2";
    FIELD_DELETE = "DELETE FROM field_value WHERE guest_id = $1 AND record_id = $2 AND field = $3";
    TOKENS_DELETE = "DELETE FROM blind_index WHERE guest_id = $1 AND record_id = $2 AND field = $3";
    STAY_UPSERT = "INSERT INTO stay (guest_id, stay_token, property, record_id, version, sealed, updated_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)
                   ON CONFLICT (guest_id, stay_token) DO UPDATE
                   SET record_id = excluded.record_id, version = excluded.version, sealed = excluded.sealed,
                       updated_at = excluded.updated_at";
    STAY_VERSION = "SELECT version FROM stay WHERE guest_id = $1 AND stay_token = $2";
    STAYS = "SELECT guest_id, stay_token, property, version, sealed FROM stay WHERE guest_id = $1 ORDER BY stay_token";
    GUESTS_COUNT = "SELECT count(*) FROM guest";
    FIELDS_PAGE = "SELECT guest_id, record_id, field, version, sealed FROM field_value
                   WHERE (guest_id, record_id, field) > ($1, $2, $3)
                   ORDER BY guest_id, record_id, field LIMIT $4";
    COMPOUND_PARTS = "SELECT guest_id, record_id, field, version, sealed FROM field_value
                      WHERE guest_id = $1 AND field IN ('birth_date', 'name.full', 'name.given', 'name.native',
                          'name.surname', 'name.surname2', 'phones', 'postal_addresses')";
    STAY_HOLDERS = "SELECT DISTINCT i.guest_id, s.property FROM stay_index i
                    JOIN stay s ON s.guest_id = i.guest_id AND s.stay_token = i.stay_token
                    JOIN guest g ON g.guest_id = i.guest_id
                    WHERE g.status = 'active' AND i.token = $1 ORDER BY i.guest_id LIMIT $2";
    STAY_DAY = "SELECT DISTINCT i.guest_id FROM stay_index i JOIN guest g ON g.guest_id = i.guest_id
                WHERE g.status = 'active' AND i.token IN ($1, $2) AND i.guest_id > $3
                ORDER BY i.guest_id LIMIT $4";
    STAY_INDEX_DELETE = "DELETE FROM stay_index WHERE guest_id = $1 AND stay_token = $2";
    STAYS_PAGE = "SELECT guest_id, stay_token AS record_id, property AS field, version, sealed FROM stay
                  WHERE (guest_id, stay_token, property) > ($1, $2, $3)
                  ORDER BY guest_id, stay_token, property LIMIT $4";
    SOURCES_PAGE = "SELECT guest_id, record_id, source_system AS field, CAST(1 AS BIGINT) AS version, source_id AS sealed
                    FROM record WHERE (guest_id, record_id, source_system) > ($1, $2, $3)
                    ORDER BY guest_id, record_id, source_system LIMIT $4";
    EVIDENCE_PAGE = "SELECT guest_id, consent_id AS record_id, purpose AS field, CAST(1 AS BIGINT) AS version,
                         evidence AS sealed
                     FROM consent
                     WHERE evidence IS NOT NULL AND (guest_id, consent_id, purpose) > ($1, $2, $3)
                     ORDER BY guest_id, consent_id, purpose LIMIT $4";
    DETAILS_PAGE = "SELECT guest_id, consent_id AS record_id, purpose AS field, CAST(1 AS BIGINT) AS version,
                        details AS sealed
                    FROM consent
                    WHERE details IS NOT NULL AND (guest_id, consent_id, purpose) > ($1, $2, $3)
                    ORDER BY guest_id, consent_id, purpose LIMIT $4";
    IDEMPOTENT_FIND = "SELECT body_mac, status, answer FROM idempotency
                       WHERE principal = $1 AND key_mac = $2 AND expires_at > $3";
    IDEMPOTENT_INSERT = "INSERT INTO idempotency (principal, key_mac, body_mac, status, answer, expires_at)
                         VALUES ($1, $2, $3, $4, $5, $6)
                         ON CONFLICT (principal, key_mac) DO UPDATE
                         SET body_mac = excluded.body_mac, status = excluded.status, answer = excluded.answer,
                             expires_at = excluded.expires_at
                         WHERE idempotency.expires_at <= $7";
    IDEMPOTENT_SWEEP = "DELETE FROM idempotency WHERE expires_at <= $1";
    IMPORT_FIND = "SELECT done_lines FROM import_progress WHERE file_mac = $1";
    IMPORT_SET = "INSERT INTO import_progress (file_mac, done_lines, updated_at) VALUES ($1, $2, $3)
                  ON CONFLICT (file_mac) DO UPDATE
                  SET done_lines = excluded.done_lines, updated_at = excluded.updated_at";
}

/// What a line of [`Conn::guests_for_disclosure`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The guest itself: status in `word`, survivor in `id`, manager token in `sealed`.
    Guest,
    /// A sealed value: record in `id`, path in `word`.
    Field,
    /// A sealed stay: its token in `id`, property in `word`.
    Stay,
    /// A ledger line of the purpose: id in `id`, state in `word`, recipient, scope and kind in `more`, the terms of its
    /// notice in `version`, when a notice with other terms came into force in `trust` (0: never), end in `until`.
    Consent,
}

/// One line of all that a disclosure needs to know of a guest.
pub struct Line {
    kind: i64,
    /// Whose.
    pub guest_id: Uuid,
    /// See [`Part`].
    pub id: Option<Uuid>,
    /// See [`Part`].
    pub word: String,
    /// See [`Part`].
    pub more: Option<String>,
    /// The version of the guest, value or stay.
    pub version: i64,
    /// Sealed bytes, or a token.
    pub sealed: Option<Vec<u8>>,
    /// Survivorship: 2 pinned, 1 verified, 0 neither.
    pub rank: i64,
    /// Survivorship: the source's trust.
    pub trust: i64,
    /// When observed, or said, in microseconds.
    pub at: i64,
    /// When a consent ends.
    pub until: Option<i64>,
}

/// The columns of [`disclosure`], by position: looking each up by name costs more than the rest of a row.
type Columns = (
    i64,
    Uuid,
    Option<Uuid>,
    String,
    Option<String>,
    i64,
    Option<Vec<u8>>,
    i64,
    i64,
    i64,
    Option<i64>,
);

impl From<Columns> for Line {
    fn from(columns: Columns) -> Self {
        let (kind, guest_id, id, word, more, version, sealed, rank, trust, at, until) = columns;
        Self {
            kind,
            guest_id,
            id,
            word,
            more,
            version,
            sealed,
            rank,
            trust,
            at,
            until,
        }
    }
}

impl Line {
    /// What of a line of the ledger decides. A word this program does not know is read as a withdrawal: strictly.
    #[must_use]
    pub fn spoken(&self) -> Option<Spoken<'_>> {
        let id = self.id.filter(|_| self.part() == Some(Part::Consent))?;
        let mut words = self.more.as_deref().unwrap_or_default().splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        Some(Spoken {
            id: id.into(),
            state: State::from_word(&self.word).unwrap_or(State::Withdrawn),
            recipient: word(),
            scope: word(),
            separate: word(),
            at: self.at,
            until: self.until,
            superseded: (self.trust > 0).then_some(self.trust),
        })
    }

    /// What it is.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        match self.kind {
            0 => Some(Part::Guest),
            1 => Some(Part::Field),
            2 => Some(Part::Stay),
            3 => Some(Part::Consent),
            _ => None,
        }
    }
}

/// All of some guests; each branch has the same columns, so that one round trip brings everything.
fn disclosure(guests: usize, fields: usize) -> String {
    // $1 is the purpose, then come the guests, then the fields.
    let mut those = String::from("guest_id IN (");
    placeholders(&mut those, 2, guests);
    those.push(')');
    let mut sql = format!(
        "SELECT CAST(0 AS BIGINT) AS kind, guest_id, survivor AS id, status AS word, CAST(NULL AS TEXT) AS more, version,
                manager_token AS sealed, CAST(0 AS BIGINT) AS rank, CAST(0 AS BIGINT) AS trust, updated_at AS at,
                CAST(NULL AS BIGINT) AS until
         FROM guest WHERE {those}
         UNION ALL
         SELECT 2, guest_id, stay_token, property, CAST(NULL AS TEXT), version, sealed, 0, 0, updated_at,
                CAST(NULL AS BIGINT)
         FROM stay WHERE {those}
         UNION ALL
         SELECT 3, guest_id, consent_id, state, recipient || ' ' || scope || ' ' || separate, terms, CAST(NULL AS BYTEA), 0,
                coalesce((SELECT min(n.valid_from) FROM notice n WHERE n.purpose = $1 AND n.terms > consent.terms), 0),
                at, valid_until
         FROM consent WHERE {those} AND purpose = $1"
    );
    if fields > 0 {
        sql.push_str(
            " UNION ALL
         SELECT 1, guest_id, record_id, field, CAST(NULL AS TEXT), version, sealed,
                CASE WHEN pinned THEN 2 WHEN verified THEN 1 ELSE 0 END, trust, observed_at, CAST(NULL AS BIGINT)
         FROM field_value WHERE ",
        );
        sql.push_str(&those);
        sql.push_str(" AND field IN (");
        placeholders(&mut sql, 2 + guests, fields);
        sql.push(')');
    }
    sql
}

/// The text for a padded size, written once: it is long, and asked for thousands of times a second.
fn disclosure_text(guests: usize, fields: usize) -> String {
    static TEXTS: OnceLock<RwLock<HashMap<(usize, usize), String>>> = OnceLock::new();
    let texts = TEXTS.get_or_init(RwLock::default);
    if let Some(text) = texts
        .read()
        .ok()
        .and_then(|all| all.get(&(guests, fields)).cloned())
    {
        return text;
    }
    let text = disclosure(guests, fields);
    if let Ok(mut all) = texts.write() {
        all.insert((guests, fields), text.clone());
    }
    text
}

/// `$from, $from+1, …`.
fn placeholders(sql: &mut String, from: usize, count: usize) {
    for at in from..from + count {
        // Writing to a String cannot fail.
        let _ = write!(sql, "{}${at}", if at == from { "" } else { ", " });
    }
}

/// Lists are padded to powers of two (by repeating the last) so that few statements are prepared.
fn padded<T: Copy>(list: &[T]) -> impl Iterator<Item = T> + '_ {
    let size = if list.is_empty() {
        0
    } else {
        list.len().next_power_of_two()
    };
    (0..size).filter_map(|at| list.get(at.min(list.len().saturating_sub(1))).copied())
}

impl Conn {
    /// All that disclosures of these guests need, in one round trip: the guests, the values of these fields and no
    /// others, their stays, and the ledger's lines for the purpose. A guest that does not exist has no line.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guests_for_disclosure(
        &mut self,
        guests: &[GuestId],
        fields: &[&str],
        purpose: &str,
    ) -> Result<Vec<Line>, StoreError> {
        let guests: Vec<GuestId> = padded(guests).collect();
        let fields: Vec<&str> = padded(fields).collect();
        let rows: Vec<Columns> = on!(self, c => {
            let sql = disclosure_text(guests.len(), fields.len());
            let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(purpose);
            for guest in guests {
                query = query.bind(guest.0);
            }
            for field in fields {
                query = query.bind(field);
            }
            query.fetch_all(c).await?
        });
        Ok(rows.into_iter().map(Line::from).collect())
    }

    /// Where the record of this source and id is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn source_record(
        &mut self,
        token: &[u8; 16],
    ) -> Result<Option<(GuestId, RecordId)>, StoreError> {
        let row: Option<(Uuid, Uuid)> =
            on!(self, c => sqlx::query_as(SOURCE_FIND).bind(&token[..]).fetch_optional(c).await?);
        Ok(row.map(|(g, r)| (GuestId(g), RecordId(r))))
    }

    /// Which guests have which of these tokens; at most `most` rows, so that a token shared by thousands costs little.
    ///
    /// # Errors
    /// What the database says.
    pub async fn token_holders(
        &mut self,
        tokens: &[[u8; 16]],
        most: i64,
    ) -> Result<Vec<(Vec<u8>, Uuid)>, StoreError> {
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let tokens: Vec<[u8; 16]> = padded(tokens).collect();
        let mut sql = String::from(
            "SELECT DISTINCT b.token, b.guest_id FROM blind_index b JOIN guest g ON g.guest_id = b.guest_id
             WHERE g.status = 'active' AND b.token IN (",
        );
        placeholders(&mut sql, 2, tokens.len());
        sql.push_str(") ORDER BY b.guest_id LIMIT $1");
        Ok(on!(self, c => {
            let mut query = sqlx::query_as(AssertSqlSafe(sql)).bind(most);
            for token in tokens {
                query = query.bind(token.to_vec());
            }
            query.fetch_all(c).await?
        }))
    }

    /// Which guests have a stay of this token, and where.
    ///
    /// # Errors
    /// What the database says.
    pub async fn stay_holders(
        &mut self,
        token: &[u8; 16],
        most: i64,
    ) -> Result<Vec<(Uuid, String)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(STAY_HOLDERS).bind(&token[..]).bind(most).fetch_all(c).await?))
    }

    /// The guests with a stay of one of these tokens, by id, after this one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn stay_day(
        &mut self,
        [one, other]: [[u8; 16]; 2],
        after: Uuid,
        most: i64,
    ) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_scalar(STAY_DAY).bind(one.to_vec()).bind(other.to_vec()).bind(after).bind(most).fetch_all(c).await?
        }))
    }

    /// Version, status and survivor of a guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guest_head(
        &mut self,
        guest: GuestId,
    ) -> Result<Option<(i64, String, Option<Uuid>)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(GUEST_HEAD).bind(guest.0).fetch_optional(c).await?))
    }

    /// Content code and time of a stored record.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_head(
        &mut self,
        guest: GuestId,
        record: RecordId,
    ) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(RECORD_HEAD).bind(guest.0).bind(record.0).fetch_optional(c).await?))
    }

    /// The records behind a guest, without their values.
    ///
    /// # Errors
    /// What the database says.
    pub async fn records(&mut self, guest: GuestId) -> Result<Vec<RecordRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(RECORDS).bind(guest.0).fetch_all(c).await?))
    }

    /// The stays of a guest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn stays(&mut self, guest: GuestId) -> Result<Vec<StayRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(STAYS).bind(guest.0).fetch_all(c).await?))
    }

    /// How many guests there are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guests_count(&mut self) -> Result<i64, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(GUESTS_COUNT).fetch_one(c).await?))
    }

    /// Sealed things of one table in the order of their places, after the given one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sealed_page(
        &mut self,
        table: Table,
        (guest, record, field): (Uuid, Uuid, &str),
        most: i64,
    ) -> Result<Vec<ValueRow>, StoreError> {
        let page = match table {
            Table::Values => FIELDS_PAGE,
            Table::Stays => STAYS_PAGE,
            Table::Sources => SOURCES_PAGE,
            Table::Evidence => EVIDENCE_PAGE,
            Table::Details => DETAILS_PAGE,
        };
        Ok(on!(self, c => {
            sqlx::query_as(page).bind(guest).bind(record).bind(field).bind(most).fetch_all(c).await?
        }))
    }

    /// The answer once given to this key: body code, status, sealed answer.
    ///
    /// # Errors
    /// What the database says.
    pub async fn idempotent_answer(
        &mut self,
        principal: Uuid,
        key: &[u8],
        now: i64,
    ) -> Result<Option<(Vec<u8>, i64, Vec<u8>)>, StoreError> {
        Ok(
            on!(self, c => sqlx::query_as(IDEMPOTENT_FIND).bind(principal).bind(key).bind(now).fetch_optional(c).await?),
        )
    }

    /// How many lines of a file are imported.
    ///
    /// # Errors
    /// What the database says.
    pub async fn import_progress(&mut self, file: &[u8]) -> Result<i64, StoreError> {
        let done: Option<i64> =
            on!(self, c => sqlx::query_scalar(IMPORT_FIND).bind(file).fetch_optional(c).await?);
        Ok(done.unwrap_or(0))
    }
}

/// A record without its values.
#[derive(sqlx::FromRow)]
pub struct RecordRow {
    /// Its id.
    pub record_id: Uuid,
    /// Whose words these are.
    pub source_system: String,
    /// The source's id, sealed.
    pub source_id: Vec<u8>,
    /// How the source came to know.
    pub provenance: String,
    /// For which property it was sent.
    pub property: String,
    /// When observed, in microseconds.
    pub observed_at: i64,
    /// When it came, in microseconds.
    pub received_at: i64,
}

/// A sealed stay.
#[derive(sqlx::FromRow)]
pub struct StayRow {
    /// Whose.
    pub guest_id: Uuid,
    /// Keyed token of property and reservation.
    pub stay_token: Uuid,
    /// Where.
    pub property: String,
    /// Its version, bound into the seal.
    pub version: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
}

/// Where sealed things lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Values of fields.
    Values,
    /// Stays.
    Stays,
    /// The sources' own ids.
    Sources,
    /// The evidence of consents.
    Evidence,
    /// Who spoke, and for a child its guardian.
    Details,
}

/// A sealed thing with its place.
#[derive(sqlx::FromRow)]
pub struct ValueRow {
    /// Whose.
    pub guest_id: Uuid,
    /// Of which record; the token of a stay, the id of a consent.
    pub record_id: Uuid,
    /// Which field; the property of a stay, the system of a source, the purpose of a consent.
    pub field: String,
    /// Its version, bound into the seal.
    pub version: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
}

/// The statements built at run time, for the test that prepares each on both databases.
#[must_use]
pub fn built_statements() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for guests in [1, 2, 4, 8, 16] {
        for fields in [0, 1, 2, 4, 8, 16, 32, 64, 128] {
            all.push((
                format!("disclosure {guests} {fields}"),
                disclosure(guests, fields),
            ));
        }
    }
    for size in [1, 2, 4, 8, 16] {
        all.push((format!("values {size}"), values_upsert(size)));
        all.push((format!("tokens {size}"), tokens_insert(size)));
        all.push((format!("stay index {size}"), stay_index_insert(size)));
    }
    all
}
