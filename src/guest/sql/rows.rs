//! New rows of several records, written with few statements: most of a statement's cost is its way.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use super::{
    Line, placeholders,
    write::{NewStay, NewValue},
};
use crate::{
    base::{GuestId, RecordId, micros},
    events::Announcement,
    guest::{import_job::Mark, words::RecordHead},
    on,
    store::{Database as _, Spelling, StoreError, Texts, Tx},
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
        // Who claims a source's id is new, and nothing of it is there yet.
        let fresh = Fresh::of(spelling, &sources);
        // Tokens lie anywhere; in their order each page of the index is visited once.
        tokens.sort_unstable_by_key(|(_, _, token, _)| *token);
        likeness.sort_unstable_by_key(|(.., token)| *token);
        for some in parts(&guests) {
            on!(self, c => {
                let mut query = sqlx::query(GUESTS.text(spelling, some.len(), false));
                for (guest, now, manager) in some {
                    query = query
                        .bind(guest.0)
                        .bind(1_i64)
                        .bind("active")
                        .bind(manager.map(|t| t.to_vec()))
                        .bind(now)
                        .bind(now);
                }
                query.execute(c).await?;
            });
        }
        for some in parts(&sources) {
            on!(self, c => {
                let mut query = sqlx::query(SOURCES.text(spelling, some.len(), false));
                for (token, guest, record) in some {
                    query = query.bind(&token[..]).bind(guest.0).bind(record.0);
                }
                query.execute(c).await?;
            });
        }
        let mut first = fresh.firsts();
        self.write_records(&Apart::of(&records, |(_, head)| first(head.record, ())))
            .await?;
        let mut first = fresh.firsts();
        self.write_values(&Apart::of(&values, |value| first(value.record, &value.new.field)))
            .await?;
        let mut first = fresh.firsts();
        let tokens = Apart::of(&tokens, |(_, record, token, field)| {
            first(*record, (token, field))
        });
        for (some, is_new) in tokens.parts() {
            on!(self, c => {
                let mut query = sqlx::query(TOKENS.text(spelling, some.len(), is_new));
                for (guest, record, token, field) in some {
                    query = query.bind(&token[..]).bind(guest.0).bind(record.0).bind(field);
                }
                query.execute(c).await?;
            });
        }
        for some in parts(&marks) {
            on!(self, c => {
                let mut query = sqlx::query(MARKS.text(spelling, some.len(), false));
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
        let mut first = fresh.firsts();
        let likeness = Apart::of(&likeness, |(_, record, _, token)| first(*record, token));
        for (some, is_new) in likeness.parts() {
            on!(self, c => {
                let mut query = sqlx::query(LIKENESS.text(spelling, some.len(), is_new));
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
                let mut query = sqlx::query(STAYS.text(spelling, some.len(), false));
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
                let mut query = sqlx::query(STAY_INDEX.text(spelling, some.len(), false));
                for (token, (guest, stay)) in some {
                    query = query.bind(&token[..]).bind(guest).bind(stay);
                }
                query.execute(c).await?;
            });
        }
        Ok(())
    }

    async fn write_records(&mut self, records: &Apart<'_, (GuestId, RecordHead)>) -> Result<(), StoreError> {
        let spelling = self.spelling();
        for (some, is_new) in records.parts() {
            on!(self, c => {
                let mut query = sqlx::query(RECORDS.text(spelling, some.len(), is_new));
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

    async fn write_values(&mut self, values: &Apart<'_, Value>) -> Result<(), StoreError> {
        let spelling = self.spelling();
        for (some, is_new) in values.parts() {
            on!(self, c => {
                let mut query = sqlx::query(VALUES.text(spelling, some.len(), is_new));
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

/// The records of which nothing is there yet.
struct Fresh(BTreeSet<RecordId>);

impl Fresh {
    /// PostgreSQL makes ready for a conflict row by row, which costs a quarter of the row. SQLite does not, and would only
    /// keep twice as many statements prepared.
    fn of(spelling: Spelling, sources: &[([u8; 16], GuestId, RecordId)]) -> Self {
        let claimed = sources.iter().filter(|_| spelling == Spelling::Postgres);
        Self(claimed.map(|(.., record)| *record).collect())
    }

    /// Tells the first row of each key of such a record.
    fn firsts<K: Ord>(&self) -> impl FnMut(RecordId, K) -> bool {
        let mut seen = BTreeSet::new();
        move |record, key| self.0.contains(&record) && seen.insert((record, key))
    }
}

/// Rows that cannot be there, and those that may.
struct Apart<'r, T> {
    new: Vec<&'r T>,
    again: Vec<&'r T>,
}

impl<'r, T> Apart<'r, T> {
    fn of(rows: &'r [T], mut is_new: impl FnMut(&'r T) -> bool) -> Self {
        let (new, again) = rows.iter().partition(|row| is_new(row));
        Self { new, again }
    }

    /// Those of each statement, and whether they are new.
    fn parts(&self) -> impl Iterator<Item = (&[&'r T], bool)> {
        let again = parts(&self.again).map(|some| (some, false));
        parts(&self.new).map(|some| (some, true)).chain(again)
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

/// What rows go into.
struct Table {
    /// Its name and columns.
    into: &'static str,
    columns: usize,
    /// What happens to a row that is there.
    again: &'static str,
    texts: Texts<(usize, bool)>,
}

impl Table {
    const fn new(into: &'static str, columns: usize, again: &'static str) -> Self {
        let texts = Texts::none();
        Self {
            into,
            columns,
            again,
            texts,
        }
    }

    /// The statement for so many rows, of which none is there or some may be.
    fn text(&self, spelling: Spelling, rows: usize, is_new: bool) -> AssertSqlSafe<&'static str> {
        self.texts
            .of(spelling, (rows, is_new), || self.write(spelling, rows, is_new))
    }

    fn write(&self, spelling: Spelling, rows: usize, is_new: bool) -> String {
        let mut sql = format!("{} {} VALUES ", spelling.insert(), self.into);
        numbered(&mut sql, rows, self.columns);
        if !is_new {
            sql.push_str(self.again);
        }
        sql
    }
}

static GUESTS: Table = Table::new(
    "guest (guest_id, version, status, manager_token, created_at, updated_at)",
    6,
    "",
);
static SOURCES: Table = Table::new("source_record (token, guest_id, record_id)", 3, "");
static RECORDS: Table = Table::new(
    "record (guest_id, record_id, source_system, source_id, provenance, property, trust, observed_at, received_at,
             content_mac)",
    10,
    " ON CONFLICT (guest_id, record_id) DO UPDATE
      SET source_id = excluded.source_id, provenance = excluded.provenance, property = excluded.property,
          trust = excluded.trust, observed_at = excluded.observed_at, received_at = excluded.received_at,
          content_mac = excluded.content_mac",
);
static VALUES: Table = Table::new(
    "field_value (guest_id, record_id, field, version, sealed, pinned, verified, trust, observed_at, said_at)",
    10,
    " ON CONFLICT (guest_id, record_id, field) DO UPDATE
      SET version = excluded.version, sealed = excluded.sealed, pinned = excluded.pinned,
          verified = excluded.verified, trust = excluded.trust, observed_at = excluded.observed_at,
          said_at = excluded.said_at",
);
static TOKENS: Table = Table::new(
    "blind_index (token, guest_id, record_id, field)",
    4,
    " ON CONFLICT (token, guest_id, record_id, field) DO NOTHING",
);
static MARKS: Table = Table::new(
    "import_record (import_id, guest_id, record_id, source_token, version, made)",
    6,
    " ON CONFLICT (guest_id, record_id, import_id) DO UPDATE SET version = excluded.version",
);
static STAYS: Table = Table::new(
    "stay (guest_id, stay_token, property, record_id, version, sealed, updated_at)",
    7,
    " ON CONFLICT (guest_id, stay_token) DO UPDATE
      SET record_id = excluded.record_id, version = excluded.version, sealed = excluded.sealed,
          updated_at = excluded.updated_at",
);
static STAY_INDEX: Table = Table::new(
    "stay_index (token, guest_id, stay_token)",
    3,
    " ON CONFLICT (token, guest_id, stay_token) DO NOTHING",
);
static LIKENESS: Table = Table::new(
    "likeness_token (token, guest_id, record_id, key_version)",
    4,
    " ON CONFLICT (token, guest_id, record_id) DO NOTHING",
);

/// `($1, …), (…)`.
pub(super) fn numbered(sql: &mut String, rows: usize, columns: usize) {
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        placeholders(sql, row * columns + 1, columns);
        sql.push(')');
    }
}

/// Every statement of this file, for the test that prepares each on both databases.
pub(super) fn all(spelling: Spelling) -> impl Iterator<Item = (String, String)> {
    let tables = [
        &GUESTS,
        &SOURCES,
        &RECORDS,
        &VALUES,
        &TOKENS,
        &MARKS,
        &STAYS,
        &STAY_INDEX,
        &LIKENESS,
    ];
    let sizes = move |table: &'static Table| {
        (0..=MOST_BITS).flat_map(move |bits| {
            [true, false].map(|is_new| {
                let rows = 1 << bits;
                let name = format!("{} {rows} {is_new}", table.into);
                (name, table.write(spelling, rows, is_new))
            })
        })
    };
    tables.into_iter().flat_map(sizes)
}
