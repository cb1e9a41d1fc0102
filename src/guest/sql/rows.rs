//! New rows of several records, written with few statements: most of a statement's cost is its way.

use std::{fmt::Write as _, sync::OnceLock};

use sqlx::AssertSqlSafe;

use super::{
    Line, placeholders, stay_index_insert,
    write::{NewStay, NewValue, stays_upsert, tokens_insert, values_upsert},
};
use crate::{
    base::{GuestId, RecordId, micros},
    events::Announcement,
    guest::{import_job::Mark, words::RecordHead},
    on,
    store::{Database as _, Spelling, StoreError, Tx},
};

/// Rows of one statement at most, as a power of two; sizes are powers of two so that few statements are prepared.
const MOST_BITS: u32 = 7;

/// What a transaction is to write at its end. Nothing in it may be needed by the transaction's own reads.
#[derive(Default)]
pub struct Rows {
    guests: Vec<(GuestId, i64, Option<[u8; 16]>)>,
    sources: Vec<([u8; 16], GuestId, RecordId)>,
    records: Vec<(GuestId, RecordHead)>,
    values: Vec<Value>,
    tokens: Vec<(GuestId, RecordId, [u8; 16], String)>,
    likeness: Vec<(GuestId, RecordId, i64, [u8; 16])>,
    stays: Vec<NewStay>,
    told: Vec<Announcement>,
    marks: Vec<Mark>,
}

/// A value with its place and its weight.
struct Value {
    guest: GuestId,
    record: RecordId,
    trust: i64,
    new: NewValue,
}

impl Rows {
    /// A guest nobody knew.
    pub fn guest(&mut self, guest: GuestId, now: i64) {
        self.guests.push((guest, now, None));
    }

    /// Whose portfolio a guest of these rows is in; false when it is not one of them.
    pub fn manager(&mut self, guest: GuestId, token: Option<[u8; 16]>) -> bool {
        let new = self.guests.iter_mut().find(|(new, ..)| *new == guest);
        new.map(|(.., manager)| *manager = token).is_some()
    }

    /// A source's id, claimed for a record.
    pub fn source(&mut self, token: [u8; 16], guest: GuestId, record: RecordId) {
        self.sources.push((token, guest, record));
    }

    /// A record's head, new or again.
    pub fn record(&mut self, guest: GuestId, head: RecordHead) {
        self.records.push((guest, head));
    }

    /// Values of a record, new or again.
    pub fn values(&mut self, (guest, record): (GuestId, RecordId), trust: i64, values: Vec<NewValue>) {
        self.values.extend(values.into_iter().map(|new| Value {
            guest,
            record,
            trust,
            new,
        }));
    }

    /// What these rows say of a guest's field.
    #[must_use]
    pub fn values_of(&self, guest: GuestId, field: &str) -> Vec<Line> {
        let of = |value: &&Value| value.guest == guest && value.new.field == field;
        let line = |Value {
                        record, trust, new, ..
                    }: &Value| {
            let rank = if new.pinned { 2 } else { i64::from(new.verified) };
            let weight = (rank, *trust, new.observed_at);
            Line::of_value(field, (record.0, new.version), weight, new.sealed.clone())
        };
        self.values.iter().filter(of).map(line).collect()
    }

    /// Tokens that a record is found by, with the field each belongs to.
    pub fn tokens(&mut self, guest: GuestId, record: RecordId, tokens: Vec<([u8; 16], String)>) {
        let tokens = tokens
            .into_iter()
            .map(|(token, field)| (guest, record, token, field));
        self.tokens.extend(tokens);
    }

    /// A stay of a guest nobody knew; of two with one token the later counts.
    pub fn stay(&mut self, stay: NewStay) {
        let place = |stay: &NewStay| (stay.row.guest_id, stay.row.stay_token);
        match self.stays.iter_mut().find(|other| place(other) == place(&stay)) {
            Some(other) => *other = stay,
            None => self.stays.push(stay),
        }
    }

    /// What an import wrote.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    /// Tokens that records of the same person share, with the version of their key.
    pub fn likeness(&mut self, (guest, record): (GuestId, RecordId), version: i64, tokens: Vec<[u8; 16]>) {
        self.likeness
            .extend(tokens.into_iter().map(|token| (guest, record, version, token)));
    }

    /// What other systems are told.
    pub fn tell(&mut self, told: Announcement) {
        self.told.push(told);
    }
}

impl Tx {
    /// Writes the rows.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another record has a source's id; what the database says.
    pub async fn write(&mut self, rows: Rows) -> Result<(), StoreError> {
        let Rows {
            guests,
            sources,
            records,
            values,
            mut tokens,
            mut likeness,
            stays,
            told,
            marks,
        } = rows;
        let spelling = self.spelling();
        // Tokens lie anywhere; in their order each page of the index is visited once.
        tokens.sort_unstable_by_key(|(_, _, token, _)| *token);
        likeness.sort_unstable_by_key(|(.., token)| *token);
        for some in parts(&guests) {
            on!(self, c => {
                let mut query = sqlx::query(text(spelling, &GUESTS, some.len(), guests_insert));
                for (guest, now, manager) in some {
                    query = query.bind(guest.0).bind(manager.map(|t| t.to_vec())).bind(now).bind(now);
                }
                query.execute(c).await?;
            });
        }
        for some in parts(&sources) {
            on!(self, c => {
                let mut query = sqlx::query(text(spelling, &SOURCES, some.len(), sources_insert));
                for (token, guest, record) in some {
                    query = query.bind(&token[..]).bind(guest.0).bind(record.0);
                }
                query.execute(c).await?;
            });
        }
        self.write_records(&records).await?;
        self.write_values(&values).await?;
        for some in parts(&tokens) {
            on!(self, c => {
                let mut query = sqlx::query(text(spelling, &TOKENS, some.len(), tokens_insert));
                for (guest, record, token, field) in some {
                    query = query.bind(&token[..]).bind(guest.0).bind(record.0).bind(field);
                }
                query.execute(c).await?;
            });
        }
        for some in parts(&marks) {
            on!(self, c => {
                let mut query = sqlx::query(text(spelling, &MARKS, some.len(), marks_upsert));
                for mark in some {
                    query = query
                        .bind(mark.import.0)
                        .bind(mark.guest.0)
                        .bind(mark.record.0)
                        .bind(&mark.source_token[..])
                        .bind(mark.version)
                        .bind(mark.made);
                }
                query.execute(c).await?;
            });
        }
        for some in parts(&likeness) {
            on!(self, c => {
                let mut query = sqlx::query(text(spelling, &LIKENESS, some.len(), likeness_insert));
                for (guest, record, version, token) in some {
                    query = query.bind(&token[..]).bind(guest.0).bind(record.0).bind(version);
                }
                query.execute(c).await?;
            });
        }
        self.write_stays(&stays).await?;
        self.announce_all(&told).await
    }

    async fn write_stays(&mut self, stays: &[NewStay]) -> Result<(), StoreError> {
        let spelling = self.spelling();
        for some in parts(stays) {
            on!(self, c => {
                let mut query = sqlx::query(text(spelling, &STAYS, some.len(), stays_upsert));
                for NewStay { row, record, observed_at, .. } in some {
                    query = query
                        .bind(row.guest_id)
                        .bind(row.stay_token)
                        .bind(&row.property)
                        .bind(record.0)
                        .bind(row.version)
                        .bind(&row.sealed)
                        .bind(observed_at);
                }
                query.execute(c).await?;
            });
        }
        let found_by = stays.iter().flat_map(|stay| {
            let place = (stay.row.guest_id, stay.row.stay_token);
            stay.tokens.iter().map(move |token| (token, place))
        });
        for some in parts(&found_by.collect::<Vec<_>>()) {
            on!(self, c => {
                let mut query = sqlx::query(text(spelling, &STAY_INDEX, some.len(), stay_index_insert));
                for (token, (guest, stay)) in some {
                    query = query.bind(&token[..]).bind(guest).bind(stay);
                }
                query.execute(c).await?;
            });
        }
        Ok(())
    }

    async fn write_records(&mut self, records: &[(GuestId, RecordHead)]) -> Result<(), StoreError> {
        let spelling = self.spelling();
        for some in parts(records) {
            on!(self, c => {
                let mut query = sqlx::query(text(spelling, &RECORDS, some.len(), records_upsert));
                for (guest, head) in some {
                    query = query
                        .bind(guest.0)
                        .bind(head.record.0)
                        .bind(head.source.as_str())
                        .bind(&head.source_id)
                        .bind(head.provenance.as_str())
                        .bind(head.property.as_str())
                        .bind(head.provenance.trust())
                        .bind(micros(head.observed_at))
                        .bind(micros(head.received_at))
                        .bind(&head.content_mac);
                }
                query.execute(c).await?;
            });
        }
        Ok(())
    }

    async fn write_values(&mut self, values: &[Value]) -> Result<(), StoreError> {
        let spelling = self.spelling();
        for some in parts(values) {
            on!(self, c => {
                let mut query = sqlx::query(text(spelling, &VALUES, some.len(), values_upsert));
                for Value { guest, record, trust, new } in some {
                    query = query
                        .bind(guest.0)
                        .bind(record.0)
                        .bind(&new.field)
                        .bind(new.version)
                        .bind(&new.sealed)
                        .bind(new.pinned)
                        .bind(new.verified)
                        .bind(trust)
                        .bind(new.observed_at)
                        .bind(new.said_at);
                }
                query.execute(c).await?;
            });
        }
        Ok(())
    }
}

/// The rows in parts of a power of two.
fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = 1 << rows.len().checked_ilog2()?.min(MOST_BITS);
        let (part, rest) = rows.split_at(size);
        rows = rest;
        Some(part)
    })
}

/// Writes the statement for so many rows.
type Build = fn(usize) -> String;

/// Texts by database and size, written once: they are long.
type Texts = [[OnceLock<String>; 8]; 2];

static GUESTS: Texts = [const { [const { OnceLock::new() }; 8] }; 2];
static SOURCES: Texts = [const { [const { OnceLock::new() }; 8] }; 2];
static RECORDS: Texts = [const { [const { OnceLock::new() }; 8] }; 2];
static VALUES: Texts = [const { [const { OnceLock::new() }; 8] }; 2];
static TOKENS: Texts = [const { [const { OnceLock::new() }; 8] }; 2];
static MARKS: Texts = [const { [const { OnceLock::new() }; 8] }; 2];
static STAYS: Texts = [const { [const { OnceLock::new() }; 8] }; 2];
static STAY_INDEX: Texts = [const { [const { OnceLock::new() }; 8] }; 2];
static LIKENESS: Texts = [const { [const { OnceLock::new() }; 8] }; 2];

fn text(spelling: Spelling, texts: &'static Texts, rows: usize, build: Build) -> AssertSqlSafe<String> {
    let [lite, postgres] = texts;
    let texts = match spelling {
        Spelling::Sqlite => lite,
        Spelling::Postgres => postgres,
    };
    let kept = rows
        .checked_ilog2()
        .and_then(|bits| texts.get(usize::try_from(bits).ok()?));
    let write = || spelling.in_order(build(rows));
    AssertSqlSafe(kept.map_or_else(write, |kept| kept.get_or_init(write).clone()))
}

/// `($1, …), (…)`.
pub(super) fn numbered(sql: &mut String, rows: usize, columns: usize) {
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        placeholders(sql, row * columns + 1, columns);
        sql.push(')');
    }
}

fn guests_insert(count: usize) -> String {
    let mut sql = String::from(
        "INSERT INTO guest (guest_id, version, status, survivor, manager_token, created_at, updated_at) VALUES ",
    );
    for row in 0..count {
        let from = row * 4;
        let comma = if row == 0 { "" } else { ", " };
        let (guest, manager, made, changed) = (from + 1, from + 2, from + 3, from + 4);
        // Writing to a String cannot fail.
        let _ = write!(
            sql,
            "{comma}(${guest}, 1, 'active', NULL, ${manager}, ${made}, ${changed})"
        );
    }
    sql
}

fn sources_insert(count: usize) -> String {
    let mut sql = String::from("INSERT INTO source_record (token, guest_id, record_id) VALUES ");
    numbered(&mut sql, count, 3);
    sql
}

fn marks_upsert(count: usize) -> String {
    let mut sql = String::from(
        "INSERT INTO import_record (import_id, guest_id, record_id, source_token, version, made) VALUES ",
    );
    numbered(&mut sql, count, 6);
    sql.push_str(" ON CONFLICT (guest_id, record_id, import_id) DO UPDATE SET version = excluded.version");
    sql
}

fn records_upsert(count: usize) -> String {
    let mut sql = String::from(
        "INSERT INTO record (guest_id, record_id, source_system, source_id, provenance, property, trust, observed_at,
             received_at, content_mac) VALUES ",
    );
    numbered(&mut sql, count, 10);
    sql.push_str(
        " ON CONFLICT (guest_id, record_id) DO UPDATE
         SET source_id = excluded.source_id, provenance = excluded.provenance, property = excluded.property,
             trust = excluded.trust, observed_at = excluded.observed_at, received_at = excluded.received_at,
             content_mac = excluded.content_mac",
    );
    sql
}

fn likeness_insert(count: usize) -> String {
    let mut sql =
        String::from("INSERT INTO likeness_token (token, guest_id, record_id, key_version) VALUES ");
    numbered(&mut sql, count, 4);
    sql.push_str(" ON CONFLICT (token, guest_id, record_id) DO NOTHING");
    sql
}

/// Every statement of this file, for the test that prepares each on both databases.
pub(super) fn all() -> impl Iterator<Item = (String, String)> {
    let build: [(&str, Build); 9] = [
        ("marks", marks_upsert),
        ("stays", stays_upsert),
        ("stay index", stay_index_insert),
        ("likeness", likeness_insert),
        ("guests", guests_insert),
        ("sources", sources_insert),
        ("records", records_upsert),
        ("values", values_upsert),
        ("tokens", tokens_insert),
    ];
    let sizes = |(name, build): (&'static str, Build)| {
        (0..=MOST_BITS).map(move |bits| (format!("{name} {}", 1_usize << bits), build(1 << bits)))
    };
    build.into_iter().flat_map(sizes)
}
