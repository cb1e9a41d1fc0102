//! Statements of the audit log.

use uuid::Uuid;

use crate::{
    base::{EntryId, WriterId, micros},
    on, statements,
    store::{Conn, Database, StoreError, Texts},
};

use super::Event;

pub(super) mod find;
pub(super) mod log;
pub(super) mod restore;
pub(super) mod shown;

/// The most rows of one statement. Each size up to here is prepared once by each connection that needs it.
pub(super) const ROWS: usize = 64;
/// Those above, of narrow rows, the largest first.
const SIZES: [usize; 2] = [4 * ROWS, 2 * ROWS];
/// Columns of `audit_event`.
const COLUMNS: usize = 13;

statements! {
    ENTRY = "SELECT e.entry_id, e.writer, e.writer_seq, e.guest_id, e.at, e.principal, e.actor, e.property, e.purpose,
                    e.action, e.decision, (e.detail IS NOT NULL) AS has_detail, e.leaf, e.detail, l.log_index,
                    l.subject_seq, l.previous
             FROM audit_event e LEFT JOIN log_entry l ON l.entry_id = e.entry_id WHERE e.entry_id = $1";
    COUNT = "SELECT count(*) FROM audit_event";
    WRITERS = "SELECT writer, min(writer_seq), max(writer_seq), count(*) FROM audit_event GROUP BY writer";
    HEAD = "SELECT origin, size, checkpoint, holder, held_until FROM log_head WHERE log = 'main'";
    HEAD_MAKE = "INSERT INTO log_head (log, origin, size, checkpoint, holder, held_until)
                 SELECT 'main', $1, 0, $2, NULL, 0
                 WHERE NOT EXISTS (SELECT 1 FROM log_entry) AND NOT EXISTS (SELECT 1 FROM log_tile)
                 ON CONFLICT DO NOTHING";
    HEAD_TAKE = "UPDATE log_head SET holder = $1, held_until = $2
                 WHERE log = 'main' AND (holder = $1 OR held_until < $3 OR held_until > $2)";
    HEAD_GROW = "UPDATE log_head SET size = $1, checkpoint = $2 WHERE log = 'main' AND size = $3";
    COSIGNED = "SELECT cosigned FROM log_head WHERE log = 'main'";
    COSIGNED_SET = "UPDATE log_head SET cosigned = $1 WHERE log = 'main'";
    HEAD_COSIGN = "UPDATE log_head SET checkpoint = $1 WHERE log = 'main' AND size = $2 AND checkpoint = $3";
    MINIMUM = "SELECT first_index FROM log_head WHERE log = 'main'";
    MINIMUM_SET = "UPDATE log_head SET first_index = $1 WHERE log = 'main' AND first_index < $1";
    FIRST_DISCLOSURE = "SELECT min(at) FROM audit_event
                        WHERE purpose LIKE 'third_party:%' AND decision = 'permitted' AND at >= $1";
    FIRST_SINCE = "SELECT min(l.log_index) FROM audit_event e JOIN log_entry l ON l.entry_id = e.entry_id WHERE e.at >= $1";
    PLACE = "SELECT size, first_index, shown_to FROM log_head WHERE log = 'main'";
    LEAVES = "SELECT e.leaf FROM log_entry l JOIN audit_event e ON e.entry_id = l.entry_id
              WHERE l.log_index >= $1 AND l.log_index < $2 AND e.decision = 'permitted'";
    FIRST_AT = "SELECT e.at FROM log_entry l JOIN audit_event e ON e.entry_id = l.entry_id
                WHERE l.log_index >= $1 ORDER BY l.log_index LIMIT 1";
    SHOWN = "SELECT field, at FROM field_shown";
    SHOWN_MOVE = "UPDATE log_head SET shown_to = $2 WHERE log = 'main' AND (shown_to <= $1 OR shown_to > size)";
    SHOWN_SET = "INSERT INTO field_shown (field, at) VALUES ($1, $2)
                 ON CONFLICT (field) DO UPDATE SET at = excluded.at WHERE field_shown.at < excluded.at";
    PRUNE_EVENTS = "DELETE FROM audit_event WHERE entry_id IN
                        (SELECT entry_id FROM log_entry WHERE log_index >= $1 AND log_index < $2)";
    PRUNE_ENTRIES = "DELETE FROM log_entry WHERE log_index >= $1 AND log_index < $2";
    HEAD_LEAVE = "UPDATE log_head SET held_until = 0 WHERE log = 'main' AND holder = $1";
    NEWS = "WITH RECURSIVE w(writer) AS (
                SELECT (SELECT writer FROM audit_event ORDER BY writer LIMIT 1)
                UNION ALL
                SELECT (SELECT e.writer FROM audit_event e WHERE e.writer > w.writer ORDER BY e.writer LIMIT 1)
                FROM w WHERE w.writer IS NOT NULL
            )
            SELECT w.writer, coalesce(l.next_seq, 1) FROM w LEFT JOIN log_writer l ON l.writer = w.writer
            WHERE w.writer IS NOT NULL AND (
                SELECT e.writer_seq FROM audit_event e
                WHERE e.writer = w.writer AND e.writer_seq >= coalesce(l.next_seq, 1)
                      AND e.writer_seq < 9223372036854775807 ORDER BY e.writer_seq LIMIT 1
            ) IS NOT NULL";
    NEWS_OF = "SELECT e.entry_id, e.writer, e.writer_seq, e.leaf, (l.entry_id IS NOT NULL) AS logged
               FROM audit_event e LEFT JOIN log_entry l ON l.entry_id = e.entry_id
               WHERE e.writer = $1 AND e.writer_seq >= $2 AND e.writer_seq < 9223372036854775807
               ORDER BY e.writer_seq LIMIT $3";
    LOGGED_TO = "SELECT e.writer_seq FROM audit_event e JOIN log_entry l ON l.entry_id = e.entry_id
                 WHERE e.writer = $1 AND e.writer_seq < 9223372036854775807 ORDER BY e.writer_seq DESC LIMIT 1";
    FOLLOWED = "SELECT previous FROM log_entry WHERE log_index >= $1 AND previous IS NOT NULL";
    WRITER_AHEAD = "SELECT w.writer FROM log_writer w
                    WHERE EXISTS (SELECT 1 FROM audit_event e WHERE e.writer = w.writer AND e.writer_seq < w.next_seq)
                      AND NOT EXISTS (SELECT 1 FROM audit_event e JOIN log_entry l ON l.entry_id = e.entry_id
                                      WHERE e.writer = w.writer AND e.writer_seq = w.next_seq - 1)";
    WRITER_SET = "INSERT INTO log_writer (writer, next_seq) VALUES ($1, $2)
                  ON CONFLICT (writer) DO UPDATE SET next_seq = excluded.next_seq";
    TILE = "SELECT hashes FROM log_tile WHERE level = $1 AND tile = $2";
    TILES = "SELECT tile, hashes FROM log_tile WHERE level = 0 AND tile >= $1 AND tile < $2 ORDER BY tile";
    ENTRIES = "SELECT l.log_index, l.subject_seq, l.previous, e.writer, e.writer_seq, e.leaf, e.at, e.principal,
                      e.actor, e.property, e.purpose, e.action, e.decision, (e.detail IS NOT NULL) AS has_detail
               FROM log_entry l JOIN audit_event e ON e.entry_id = l.entry_id
               WHERE l.log_index >= $1 AND l.log_index < $2 ORDER BY l.log_index";
    ENTRIES_OF = "SELECT l.log_index, l.subject_seq, l.previous, e.writer, e.writer_seq, e.leaf, e.at, e.principal,
                         e.actor, e.property, e.purpose, e.action, e.decision, (e.detail IS NOT NULL) AS has_detail
                  FROM audit_event e JOIN log_entry l ON l.entry_id = e.entry_id
                  WHERE e.guest_id = $1 ORDER BY l.log_index";
    CHAIN = "SELECT subject, seq, leaf_hash FROM log_subject WHERE subject = $1";
    CHAIN_GOES_ON = "SELECT log_index FROM log_entry
                     WHERE log_index > $2 AND previous = $1 ORDER BY log_index LIMIT 1";
    INDEX_OF = "SELECT log_index FROM log_entry WHERE entry_id = $1";
}

/// A stored entry.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    /// Its id.
    pub entry_id: Uuid,
    /// The line it stands in.
    pub writer: Uuid,
    /// Its number there, from 1.
    pub writer_seq: i64,
    /// The guest, until it is erased.
    pub guest_id: Option<Uuid>,
    /// What it is searched by.
    #[sqlx(flatten)]
    pub columns: Columns,
    /// The leaf.
    pub leaf: Vec<u8>,
    /// The sealed detail, until it is deleted.
    pub detail: Option<Vec<u8>>,
    /// Its index in the log, once it has one.
    pub log_index: Option<i64>,
    /// Its number among those of its subject.
    pub subject_seq: Option<i64>,
    /// The hash of the subject's entry before it.
    pub previous: Option<Vec<u8>>,
}

/// What entries are searched by: copies of what the leaf says, and therefore held against it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Columns {
    /// When, in microseconds.
    pub at: i64,
    /// Who.
    pub principal: Uuid,
    /// On whose orders.
    pub actor: Option<String>,
    /// For which property.
    pub property: Option<String>,
    /// Why.
    pub purpose: Option<String>,
    /// What.
    pub action: String,
    /// How it ended.
    pub decision: String,
    /// Whether its detail is (still) there.
    pub has_detail: bool,
}

fn insert(rows: usize) -> String {
    let values = values(rows, COLUMNS);
    format!(
        "INSERT INTO audit_event (entry_id, writer, writer_seq, at, guest_id, principal, actor, property, purpose, action, decision, leaf, detail) VALUES {values}"
    )
}

/// So many rows of placeholders, numbered through: `($1,$2),($3,$4)`.
fn values(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let row: Vec<String> = (1..=columns)
            .map(|column| format!("${}", row * columns + column))
            .collect();
        format!("({})", row.join(","))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    rows.join(",")
}

/// The statements of this folder that are written for so many rows, at most [`ROWS`], for the test that prepares each.
#[must_use]
pub fn built_statements() -> Vec<(String, String)> {
    type Build = fn(usize) -> String;
    let build: [(&str, Build); 5] = [
        ("events", insert),
        ("chains", log::chains),
        ("ends of chains", log::chains_upsert),
        ("places", log::places_insert),
        ("tiles", log::tiles_upsert),
    ];
    let sizes = |(name, build): (&'static str, Build)| {
        [1, 2, ROWS, SIZES[0]].map(|rows| (format!("{name} {rows}"), build(rows)))
    };
    build.into_iter().flat_map(sizes).collect()
}

/// The first of them, as many as one statement takes.
fn some<T>(items: &[T]) -> (&[T], &[T]) {
    items.split_at(items.len().min(ROWS))
}

/// The first of them, as many as one statement takes of what is narrow: each statement of a transaction is a way to the
/// database and back, and others wait for its end. Above [`ROWS`] there are few sizes, so that few are kept prepared.
fn many<T>(items: &[T]) -> (&[T], &[T]) {
    let fitting = SIZES.into_iter().find(|size| *size <= items.len());
    items.split_at(fitting.unwrap_or(items.len().min(ROWS)))
}

/// An event with its place.
pub(super) struct Numbered<'e> {
    pub(super) entry: EntryId,
    pub(super) sequence: i64,
    pub(super) event: &'e Event,
}

/// Writes events of one writer; up to [`ROWS`] of them in one statement.
pub(super) async fn insert_events(
    db: &mut impl Database,
    writer: WriterId,
    events: &[Numbered<'_>],
) -> Result<(), StoreError> {
    static TEXTS: Texts<usize> = Texts::none();
    let spelling = db.spelling();
    let mut rest = events;
    while !rest.is_empty() {
        let (now, later) = some(rest);
        rest = later;
        let text = TEXTS.of(spelling, now.len(), || insert(now.len()));
        on!(db, c => {
            let mut query = sqlx::query(text);
            for Numbered { entry, sequence, event } in now {
                query = query
                    .bind(entry.0)
                    .bind(writer.0)
                    .bind(sequence)
                    .bind(micros(event.at))
                    .bind(event.subject.map(|s| s.guest.0))
                    .bind(event.who.principal.0)
                    .bind(event.who.actor.as_deref())
                    .bind(event.property.as_ref().map(|p| p.as_str()))
                    .bind(event.purpose.as_ref().map(|p| p.as_str()))
                    .bind(event.act.as_str())
                    .bind(event.decision.as_str())
                    .bind(event.leaf(writer, *sequence))
                    .bind(event.detail.as_ref().map(|d| d.sealed.as_slice()));
            }
            query.execute(c).await?;
        });
    }
    Ok(())
}

impl Conn {
    /// One entry.
    pub(super) async fn audit_entry(&mut self, id: EntryId) -> Result<Option<Row>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(ENTRY).bind(id.0).fetch_optional(c).await?))
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn audit_count(&mut self) -> Result<i64, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(COUNT).fetch_one(c).await?))
    }

    /// Per writer: first and last number, and how many there are. A gap shows as a count that is too small.
    ///
    /// # Errors
    /// What the database says.
    pub async fn audit_writers(&mut self) -> Result<Vec<(Uuid, i64, i64, i64)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(WRITERS).fetch_all(c).await?))
    }
}
