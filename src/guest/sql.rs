//! Statements about guests: ciphertext, tokens and ids only.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
};

use sqlx::AssertSqlSafe;
use uuid::Uuid;

mod disclosure;
pub mod export;
pub mod glass;
pub mod houses;
pub mod import;
mod likeness;
pub mod observation;
pub mod occasion;
mod of_many;
mod rows;
pub mod stay_word;
mod write;

use crate::{
    base::{GuestId, PropertyCode, RecordId},
    on, statements,
    store::{Conn, Spelling, StoreError},
};

pub use disclosure::{Line, Part};
pub use likeness::NewReview;
pub use rows::Rows;
pub use write::{HeldStay, HeldValue, NewStay, NewValue};

statements! {
    IDENTITY_DELETE = "DELETE FROM likeness_token WHERE guest_id = $1 AND record_id = $2";
    REVIEW_INSERT = "INSERT INTO review (review_id, kind, one_id, record_id, other_id, bits, reasons, weights, property,
                         priority, state, created_at, decided_at, decided_by)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open', $11, NULL, NULL)";
    GUEST_TOUCH = "UPDATE guest SET version = version + 1, updated_at = $3,
                       lapsing_state = CASE WHEN lapsing_state = 0 THEN 0 ELSE 2 END
                   WHERE guest_id = $1 AND version = $2 AND status = 'active'";
    GUESTS_NEWEST = "SELECT guest_id FROM guest WHERE status = 'active' ORDER BY guest_id DESC LIMIT $1";
    GUEST_MANAGER = "UPDATE guest SET manager_token = $2 WHERE guest_id = $1";
    GUEST_HEAD = "SELECT version, status, survivor FROM guest WHERE guest_id = $1";
    RECORD_HEAD = "SELECT content_mac, property FROM record WHERE guest_id = $1 AND record_id = $2";
    RECORDS = "SELECT record_id, source_system, source_id, provenance, property, observed_at, received_at
               FROM record WHERE guest_id = $1 ORDER BY record_id";
    FIELD_HEADS = "SELECT field, version, sealed, verified, trust, observed_at,
                       coalesce(said_at, observed_at) AS said_at
                   FROM field_value WHERE guest_id = $1 AND record_id = $2";
    FIELD_OF_ALL = "SELECT record_id, version,
                        CAST(CASE WHEN pinned THEN 2 WHEN verified THEN 1 ELSE 0 END AS BIGINT) AS rank,
                        trust, observed_at, sealed
                    FROM field_value WHERE guest_id = $1 AND field = $2";
    FIELD_DELETE = "DELETE FROM field_value WHERE guest_id = $1 AND record_id = $2 AND field = $3";
    GUEST_STILL = "UPDATE guest SET version = version WHERE guest_id = $1 AND status IN ('active', 'restricted')";
    TOKENS_DELETE = "DELETE FROM blind_index WHERE guest_id = $1 AND record_id = $2 AND field = $3";
    STAY_UPSERT = "INSERT INTO stay (guest_id, stay_token, property, record_id, version, sealed, updated_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)
                   ON CONFLICT (guest_id, stay_token) DO UPDATE
                   SET record_id = excluded.record_id, version = excluded.version, sealed = excluded.sealed,
                       updated_at = excluded.updated_at";
    STAY_HELD = "SELECT stay_token, property, record_id, version, sealed, updated_at,
                     (SELECT max(w.version) FROM stay_word w
                      WHERE w.guest_id = stay.guest_id AND w.stay_token = stay.stay_token) AS spoken
                 FROM stay WHERE guest_id = $1 AND stay_token = $2";
    STAYS = "SELECT guest_id, stay_token, property, version, sealed FROM stay WHERE guest_id = $1 ORDER BY stay_token";
    GUESTS_PAGE = "SELECT guest_id FROM guest WHERE guest_id > $1 AND status <> 'merged' ORDER BY guest_id LIMIT $2";
    GUESTS_COUNT = "SELECT count(*) FROM guest";
    FIELDS_PAGE = "SELECT guest_id, record_id, field, version, sealed FROM field_value
                   WHERE (guest_id, record_id, field) > ($1, $2, $3)
                   ORDER BY guest_id, record_id, field LIMIT $4";
    COMPOUND_PARTS = "SELECT guest_id, record_id, field, version, sealed FROM field_value
                      WHERE guest_id = $1 AND field IN ('birth_date', 'name.full', 'name.given', 'name.native',
                          'name.surname', 'name.surname2', 'phones', 'postal_addresses')";
    BIRTHS = "SELECT guest_id, record_id, field, version, sealed FROM field_value
              WHERE guest_id = $1 AND field = 'birth_date'";
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
    WORDS_PAGE = "SELECT guest_id, stay_token AS record_id, voice AS field, version, sealed FROM stay_word
                  WHERE (guest_id, stay_token, voice) > ($1, $2, $3)
                  ORDER BY guest_id, stay_token, voice LIMIT $4";
    SOURCES_PAGE = "SELECT guest_id, record_id, source_system AS field, CAST(1 AS BIGINT) AS version, source_id AS sealed
                    FROM record WHERE length(source_id) > 0 AND (guest_id, record_id, source_system) > ($1, $2, $3)
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
    IDEMPOTENT_SET = "UPDATE idempotency SET status = $3, answer = $4, expires_at = $5
                      WHERE principal = $1 AND key_mac = $2 AND status = 0";
    IDEMPOTENT_DROP = "DELETE FROM idempotency WHERE principal = $1 AND key_mac = $2 AND status = 0";
    IDEMPOTENT_SWEEP = "DELETE FROM idempotency WHERE expires_at <= $1";
    IMPORT_FIND = "SELECT done_lines FROM import_progress WHERE file_mac = $1";
    IMPORT_SET = "INSERT INTO import_progress (file_mac, done_lines, updated_at) VALUES ($1, $2, $3)
                  ON CONFLICT (file_mac) DO UPDATE
                  SET done_lines = excluded.done_lines, updated_at = excluded.updated_at";
}

/// `$from, $from+1, …`.
fn placeholders(sql: &mut String, from: usize, count: usize) {
    for at in from..from + count {
        // Writing to a String cannot fail.
        let _ = write!(sql, "{}${at}", if at == from { "" } else { ", " });
    }
}

/// Guests or sources of one statement at most.
const MOST_GUESTS: usize = 32;
/// Tokens of one statement at most.
const MOST_TOKENS: usize = 64;

fn sources(count: usize) -> String {
    let mut sql = String::from("SELECT token, guest_id, record_id FROM source_record WHERE token IN (");
    placeholders(&mut sql, 1, count);
    sql.push(')');
    sql
}

fn heads(count: usize) -> String {
    let mut sql = String::from("SELECT guest_id, version, status, survivor FROM guest WHERE guest_id IN (");
    placeholders(&mut sql, 1, count);
    sql.push(')');
    sql
}

/// Holders of any of so many tokens, in no order.
fn holders(tokens: usize) -> String {
    // No join: a planner that knows nothing of a young table yet begins it at the wrong end.
    let mut sql = String::from("SELECT token, guest_id FROM blind_index WHERE token IN (");
    placeholders(&mut sql, 2, tokens);
    sql.push_str(") LIMIT $1");
    sql
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
    /// Guests that are no other's past, in the order of their ids, after one of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guests_after(&mut self, after: Uuid, most: i64) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(GUESTS_PAGE).bind(after).bind(most).fetch_all(c).await?))
    }

    /// Where the records of these sources and ids are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn source_records(
        &mut self,
        tokens: &[[u8; 16]],
    ) -> Result<HashMap<[u8; 16], (GuestId, RecordId)>, StoreError> {
        let mut found = HashMap::with_capacity(tokens.len());
        for some in tokens.chunks(MOST_GUESTS) {
            let tokens: Vec<[u8; 16]> = padded(some).collect();
            let rows: Vec<(Vec<u8>, Uuid, Uuid)> = on!(self, c => {
                let mut query = sqlx::query_as(AssertSqlSafe(sources(tokens.len())));
                for token in &tokens {
                    query = query.bind(&token[..]);
                }
                query.fetch_all(c).await?
            });
            for (token, guest, record) in rows {
                let token = token.try_into().map_err(|_| StoreError::Damaged("a token"))?;
                found.insert(token, (GuestId(guest), RecordId(record)));
            }
        }
        Ok(found)
    }

    /// Where the record of this source and id is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn source_record(
        &mut self,
        token: &[u8; 16],
    ) -> Result<Option<(GuestId, RecordId)>, StoreError> {
        Ok(self.source_records(&[*token]).await?.remove(token))
    }

    /// Version, status and survivor of guests.
    ///
    /// # Errors
    /// What the database says.
    pub async fn guest_heads(
        &mut self,
        guests: &[GuestId],
    ) -> Result<HashMap<GuestId, (i64, String, Option<Uuid>)>, StoreError> {
        let mut found = HashMap::with_capacity(guests.len());
        for some in guests.chunks(MOST_GUESTS) {
            let guests: Vec<GuestId> = padded(some).collect();
            let rows: Vec<(Uuid, i64, String, Option<Uuid>)> = on!(self, c => {
                let mut query = sqlx::query_as(AssertSqlSafe(heads(guests.len())));
                for guest in guests {
                    query = query.bind(guest.0);
                }
                query.fetch_all(c).await?
            });
            let heads = rows
                .into_iter()
                .map(|(guest, version, status, survivor)| (GuestId(guest), (version, status, survivor)));
            found.extend(heads);
        }
        Ok(found)
    }

    /// Which guests have which of these tokens, each pair once; of each token at most `most`, so that one shared by
    /// thousands costs little and hides no other.
    ///
    /// # Errors
    /// What the database says.
    pub async fn token_holders(
        &mut self,
        tokens: &[[u8; 16]],
        most: i64,
    ) -> Result<BTreeSet<([u8; 16], Uuid)>, StoreError> {
        let mut found = BTreeSet::new();
        for some in tokens.chunks(MOST_TOKENS) {
            let rows = self.holders_of(some, most).await?;
            if i64::try_from(rows.len()).is_ok_and(|rows| rows < most) {
                found.extend(rows);
                continue;
            }
            // One of them has taken all the room.
            for token in some {
                found.extend(self.holders_of(&[*token], most).await?);
            }
        }
        let guests: BTreeSet<GuestId> = found.iter().map(|(_, guest)| GuestId(*guest)).collect();
        let guests: Vec<GuestId> = guests.into_iter().collect();
        let heads = self.guest_heads(&guests).await?;
        found.retain(|(_, guest)| {
            heads
                .get(&GuestId(*guest))
                .is_some_and(|(_, status, _)| status == "active")
        });
        Ok(found)
    }

    async fn holders_of(
        &mut self,
        tokens: &[[u8; 16]],
        most: i64,
    ) -> Result<Vec<([u8; 16], Uuid)>, StoreError> {
        let tokens: Vec<[u8; 16]> = padded(tokens).collect();
        let rows: Vec<(Vec<u8>, Uuid)> = on!(self, c => {
            let mut query = sqlx::query_as(AssertSqlSafe(holders(tokens.len()))).bind(most);
            for token in &tokens {
                query = query.bind(&token[..]);
            }
            query.fetch_all(c).await?
        });
        let pair = |(token, guest): (Vec<u8>, Uuid)| Some((token.try_into().ok()?, guest));
        let pairs: Option<Vec<_>> = rows.into_iter().map(pair).collect();
        pairs.ok_or(StoreError::Damaged("a token"))
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

    /// Content code and house of a stored record.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_head(
        &mut self,
        guest: GuestId,
        record: RecordId,
    ) -> Result<Option<(Vec<u8>, PropertyCode)>, StoreError> {
        let found: Option<(Vec<u8>, String)> =
            on!(self, c => sqlx::query_as(RECORD_HEAD).bind(guest.0).bind(record.0).fetch_optional(c).await?);
        let head = found.map(|(content, house)| house.parse().map(|house| (content, house)));
        head.transpose()
            .map_err(|_| StoreError::Damaged("a property's code"))
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

    /// The newest guests that are there.
    ///
    /// # Errors
    /// What the database says.
    pub async fn newest_guests(&mut self, most: i64) -> Result<Vec<GuestId>, StoreError> {
        let ids: Vec<Uuid> = on!(self, c => sqlx::query_scalar(GUESTS_NEWEST).bind(most).fetch_all(c).await?);
        Ok(ids.into_iter().map(GuestId).collect())
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
            Table::Words => WORDS_PAGE,
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

    /// What a guest's sources say of its birth.
    ///
    /// # Errors
    /// What the database says.
    pub async fn births(&mut self, guest: GuestId) -> Result<Vec<ValueRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(BIRTHS).bind(guest.0).fetch_all(c).await?))
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
    /// What each voice said of a stay.
    Words,
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
    /// Which field; the property of a stay, the voice of a word about one, the system of a source, the purpose of a consent.
    pub field: String,
    /// Its version, bound into the seal.
    pub version: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
}

/// The statements built at run time, for the test that prepares each on both databases.
#[must_use]
pub fn built_statements(spelling: Spelling) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for guests in [1, 2, 4, 8, 16] {
        for fields in [0, 1, 2, 4, 8, 16, 32, 64, 128] {
            all.push((
                format!("disclosure {guests} {fields}"),
                disclosure::text(spelling, guests, fields),
            ));
        }
    }
    for guests in [1, 2, 4, 8, 16, 32] {
        all.push((format!("sources {guests}"), sources(guests)));
        all.push((format!("heads {guests}"), heads(guests)));
    }
    all.extend(rows::all(spelling));
    all.push(("field of many".to_owned(), of_many::values(16)));
    for tokens in [1, 2, 4, 8, 16, 32, 64] {
        all.push((format!("postings {tokens}"), likeness::postings(tokens, 201)));
        all.push((format!("likeness holders {tokens}"), likeness::holders(tokens)));
        all.push((format!("crowded {tokens}"), likeness::crowded(tokens, 200)));
        all.push((format!("likeness {tokens}"), likeness::values(tokens, 16)));
        all.push((format!("holders {tokens}"), holders(tokens)));
    }
    all
}
