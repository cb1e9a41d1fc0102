//! Statements of the provable log.

use uuid::Uuid;

use crate::{
    on,
    store::{Conn, Database, StoreError, Texts, Tx},
};

use super::{
    CHAIN, CHAIN_GOES_ON, COSIGNED, COSIGNED_SET, Columns, ENTRIES, ENTRIES_OF, FIRST_DISCLOSURE,
    FIRST_SINCE, FOLLOWED, HEAD, HEAD_COSIGN, HEAD_GROW, HEAD_LEAVE, HEAD_MAKE, HEAD_TAKE, INDEX_OF,
    LOGGED_TO, MINIMUM, MINIMUM_SET, NEWS, NEWS_OF, PRUNE_ENTRIES, PRUNE_EVENTS, TILE, TILES, WRITER_AHEAD,
    WRITER_SET, many, some, values,
};

/// How far the log has grown, and who may grow it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::audit) struct Head {
    /// The log's name.
    pub(in crate::audit) origin: String,
    /// The number of entries.
    pub(in crate::audit) size: i64,
    /// The signed checkpoint of that size.
    pub(in crate::audit) checkpoint: String,
    /// Who grows it.
    pub(in crate::audit) holder: Option<Uuid>,
    /// Until when nobody else may, in microseconds.
    pub(in crate::audit) held_until: i64,
}

/// An event that has no index yet.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::audit) struct News {
    pub(in crate::audit) entry_id: Uuid,
    pub(in crate::audit) writer: Uuid,
    pub(in crate::audit) writer_seq: i64,
    pub(in crate::audit) leaf: Vec<u8>,
    /// Whether it has one, against the writer's next number.
    pub(in crate::audit) logged: bool,
}

/// The end of a subject's chain.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::audit) struct Chain {
    pub(in crate::audit) subject: Vec<u8>,
    pub(in crate::audit) seq: i64,
    pub(in crate::audit) leaf_hash: Vec<u8>,
}

/// The place that an event gets.
pub(in crate::audit) struct Placed {
    pub(in crate::audit) index: i64,
    pub(in crate::audit) entry: Uuid,
    pub(in crate::audit) seq: Option<i64>,
    pub(in crate::audit) previous: Option<Vec<u8>>,
}

/// An event with its index.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::audit) struct Logged {
    /// Its index.
    pub(in crate::audit) log_index: i64,
    /// Its number among those of its subject.
    pub(in crate::audit) subject_seq: Option<i64>,
    /// The hash of the subject's entry before it.
    pub(in crate::audit) previous: Option<Vec<u8>>,
    /// The writer.
    pub(in crate::audit) writer: Uuid,
    /// Its number there.
    pub(in crate::audit) writer_seq: i64,
    /// The leaf.
    pub(in crate::audit) leaf: Vec<u8>,
    /// What it is searched by.
    #[sqlx(flatten)]
    pub(in crate::audit) columns: Columns,
}

/// The ends of so many subjects' chains.
pub(super) fn chains(subjects: usize) -> String {
    let list = values(1, subjects);
    format!("SELECT subject, seq, leaf_hash FROM log_subject WHERE subject IN {list}")
}

/// Of which events the log has passed over, and which not: passed over is what has no entry and gets none.
fn passed(which: &str) -> String {
    format!(
        "SELECT e.entry_id, (l.entry_id IS NULL AND (e.writer_seq < coalesce(w.next_seq, 1)
                                                     OR e.writer_seq = 9223372036854775807)) AS passed
         FROM (SELECT entry_id, writer, writer_seq FROM audit_event WHERE {which}) e
         LEFT JOIN log_entry l ON l.entry_id = e.entry_id LEFT JOIN log_writer w ON w.writer = e.writer
         ORDER BY e.entry_id"
    )
}

pub(super) fn chains_upsert(rows: usize) -> String {
    let values = values(rows, 3);
    format!(
        "INSERT INTO log_subject (subject, seq, leaf_hash) VALUES {values}
         ON CONFLICT (subject) DO UPDATE SET seq = excluded.seq, leaf_hash = excluded.leaf_hash"
    )
}

pub(super) fn places_insert(rows: usize) -> String {
    let values = values(rows, 4);
    format!("INSERT INTO log_entry (log_index, entry_id, subject_seq, previous) VALUES {values}")
}

pub(super) fn tiles_upsert(rows: usize) -> String {
    let values = values(rows, 3);
    format!(
        "INSERT INTO log_tile (level, tile, hashes) VALUES {values}
         ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes"
    )
}

/// The head of the log, once there is one.
pub(in crate::audit) async fn head(db: &mut impl Database) -> Result<Option<Head>, StoreError> {
    Ok(on!(db, c => sqlx::query_as(HEAD).fetch_optional(c).await?))
}

/// Writers with events that have no index, and the number of the first of them.
pub(in crate::audit) async fn news(db: &mut impl Database) -> Result<Vec<(Uuid, i64)>, StoreError> {
    Ok(on!(db, c => sqlx::query_as(NEWS).fetch_all(c).await?))
}

/// Events of a writer from a number on.
pub(in crate::audit) async fn news_of(
    db: &mut impl Database,
    writer: Uuid,
    from: i64,
    most: i64,
) -> Result<Vec<News>, StoreError> {
    Ok(on!(db, c => sqlx::query_as(NEWS_OF).bind(writer).bind(from).bind(most).fetch_all(c).await?))
}

/// The ends of these subjects' chains, of those that have one.
pub(in crate::audit) async fn ends(
    db: &mut impl Database,
    subjects: &[[u8; 16]],
) -> Result<Vec<Chain>, StoreError> {
    static TEXTS: Texts<usize> = Texts::none();
    let spelling = db.spelling();
    let (mut found, mut rest) = (Vec::new(), subjects);
    while !rest.is_empty() {
        let (now, later) = many(rest);
        rest = later;
        let text = TEXTS.of(spelling, now.len(), || chains(now.len()));
        let rows: Vec<Chain> = on!(db, c => {
            let mut query = sqlx::query_as(text);
            for subject in now {
                query = query.bind(subject.as_slice());
            }
            query.fetch_all(c).await?
        });
        found.extend(rows);
    }
    Ok(found)
}

/// The hashes of a tile, as far as it is filled.
pub(in crate::audit) async fn tile(
    db: &mut impl Database,
    level: u8,
    index: i64,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(on!(db, c => sqlx::query_scalar(TILE).bind(i64::from(level)).bind(index).fetch_optional(c).await?))
}

/// The hashes of tiles of the bottom, with their index, as far as they are filled.
pub(in crate::audit) async fn tiles(
    db: &mut impl Database,
    first: i64,
    end: i64,
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    Ok(on!(db, c => sqlx::query_as(TILES).bind(first).bind(end).fetch_all(c).await?))
}

/// The entries from `first` to before `end`; those that are gone are left out.
pub(in crate::audit) async fn entries(
    db: &mut impl Database,
    first: i64,
    end: i64,
) -> Result<Vec<Logged>, StoreError> {
    Ok(on!(db, c => sqlx::query_as(ENTRIES).bind(first).bind(end).fetch_all(c).await?))
}

impl Conn {
    /// The index of the first entry that is still there.
    pub(in crate::audit) async fn minimum(&mut self) -> Result<i64, StoreError> {
        let found: Option<i64> = on!(self, c => sqlx::query_scalar(MINIMUM).fetch_optional(c).await?);
        Ok(found.unwrap_or(0))
    }

    /// The first index of entries at or after a time.
    pub(in crate::audit) async fn first_since(&mut self, at: i64) -> Result<Option<i64>, StoreError> {
        let found: Option<Option<i64>> =
            on!(self, c => sqlx::query_scalar(FIRST_SINCE).bind(at).fetch_optional(c).await?);
        Ok(found.flatten())
    }

    /// When something was first handed to a third party, at or after a time.
    pub(in crate::audit) async fn first_disclosure(&mut self, since: i64) -> Result<Option<i64>, StoreError> {
        let found: Option<Option<i64>> =
            on!(self, c => sqlx::query_scalar(FIRST_DISCLOSURE).bind(since).fetch_optional(c).await?);
        Ok(found.flatten())
    }

    /// The newest checkpoint that a witness cosigned.
    pub(in crate::audit) async fn cosigned(&mut self) -> Result<Option<String>, StoreError> {
        let found: Option<Option<String>> =
            on!(self, c => sqlx::query_scalar(COSIGNED).fetch_optional(c).await?);
        Ok(found.flatten())
    }

    /// The entries about a guest that have an index, in their order.
    pub(in crate::audit) async fn log_entries_of(&mut self, guest: Uuid) -> Result<Vec<Logged>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(ENTRIES_OF).bind(guest).fetch_all(c).await?))
    }

    /// The end of a subject's chain.
    pub(in crate::audit) async fn chain(&mut self, subject: [u8; 16]) -> Result<Option<Chain>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(CHAIN).bind(subject.to_vec()).fetch_optional(c).await?))
    }

    /// An entry that follows the one of this hash in the chain of its subject.
    pub(in crate::audit) async fn chain_goes_on(
        &mut self,
        hash: &[u8],
        after: i64,
    ) -> Result<Option<i64>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(CHAIN_GOES_ON).bind(hash).bind(after).fetch_optional(c).await?))
    }

    /// Writers whose next number is beyond what was logged of them.
    pub(in crate::audit) async fn writers_ahead(&mut self) -> Result<Vec<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(WRITER_AHEAD).fetch_all(c).await?))
    }

    /// The last number of a writer that has an entry.
    pub(in crate::audit) async fn logged_to(&mut self, writer: Uuid) -> Result<Option<i64>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(LOGGED_TO).bind(writer).fetch_optional(c).await?))
    }

    /// Events from an id on, and of each whether the log has passed it over: it has no entry and gets none.
    pub(in crate::audit) async fn passed_over(
        &mut self,
        from: Uuid,
        most: i64,
    ) -> Result<Vec<(Uuid, bool)>, StoreError> {
        static TEXT: Texts<()> = Texts::none();
        let text = TEXT.of(self.spelling(), (), || {
            passed("entry_id >= $1 ORDER BY entry_id LIMIT $2")
        });
        Ok(on!(self, c => sqlx::query_as(text).bind(from).bind(most).fetch_all(c).await?))
    }

    /// Those of these events that the log has passed over.
    pub(in crate::audit) async fn passed_over_among(
        &mut self,
        events: &[Uuid],
    ) -> Result<Vec<Uuid>, StoreError> {
        static TEXTS: Texts<usize> = Texts::none();
        let spelling = self.spelling();
        let (mut found, mut rest) = (Vec::new(), events);
        while !rest.is_empty() {
            let (now, later) = some(rest);
            rest = later;
            let text = TEXTS.of(spelling, now.len(), || {
                passed(&format!("entry_id IN {}", values(1, now.len())))
            });
            let rows: Vec<(Uuid, bool)> = on!(self, c => {
                let mut query = sqlx::query_as(text);
                for event in now {
                    query = query.bind(*event);
                }
                query.fetch_all(c).await?
            });
            found.extend(
                rows.into_iter()
                    .filter(|(_, passed)| *passed)
                    .map(|(event, _)| event),
            );
        }
        Ok(found)
    }

    /// The hashes that entries from an index on follow in the chains of their subjects.
    pub(in crate::audit) async fn followed(&mut self, first: i64) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(FOLLOWED).bind(first).fetch_all(c).await?))
    }

    /// The index of an entry, once it has one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn log_index(&mut self, entry: Uuid) -> Result<Option<i64>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(INDEX_OF).bind(entry).fetch_optional(c).await?))
    }
}

impl Tx {
    /// Makes the head of a log that has none, nor anything else.
    pub(in crate::audit) async fn make_head(
        &mut self,
        origin: &str,
        checkpoint: &str,
    ) -> Result<(), StoreError> {
        on!(self, c => sqlx::query(HEAD_MAKE).bind(origin).bind(checkpoint).execute(c).await.map(drop)?);
        Ok(())
    }

    /// Takes or keeps the right to grow the log; false while another has it.
    pub(in crate::audit) async fn take_log(
        &mut self,
        holder: Uuid,
        until: i64,
        now: i64,
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => sqlx::query(HEAD_TAKE).bind(holder).bind(until).bind(now).execute(c).await?.rows_affected());
        Ok(rows == 1)
    }

    /// Gives that right back.
    pub(in crate::audit) async fn leave_log(&mut self, holder: Uuid) -> Result<(), StoreError> {
        on!(self, c => sqlx::query(HEAD_LEAVE).bind(holder).execute(c).await.map(drop)?);
        Ok(())
    }

    /// Sets the new size and checkpoint.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the log is not of the old size.
    pub(in crate::audit) async fn grow_log(
        &mut self,
        size: i64,
        checkpoint: &str,
        old: i64,
    ) -> Result<(), StoreError> {
        let rows = on!(self, c => sqlx::query(HEAD_GROW).bind(size).bind(checkpoint).bind(old).execute(c).await?.rows_affected());
        if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
    }

    /// Removes entries from the first to before the second, and says that the log begins there.
    pub(in crate::audit) async fn prune(&mut self, first: i64, end: i64) -> Result<(), StoreError> {
        on!(self, c => sqlx::query(MINIMUM_SET).bind(end).execute(c).await.map(drop)?);
        on!(self, c => sqlx::query(PRUNE_EVENTS).bind(first).bind(end).execute(c).await.map(drop)?);
        on!(self, c => sqlx::query(PRUNE_ENTRIES).bind(first).bind(end).execute(c).await.map(drop)?);
        Ok(())
    }

    /// Keeps a cosigned checkpoint; it is also the published one while the log is still the same.
    pub(in crate::audit) async fn keep_cosigned(
        &mut self,
        size: i64,
        plain: &str,
        cosigned: &str,
    ) -> Result<(), StoreError> {
        on!(self, c => sqlx::query(COSIGNED_SET).bind(cosigned).execute(c).await.map(drop)?);
        on!(self, c => sqlx::query(HEAD_COSIGN).bind(cosigned).bind(size).bind(plain).execute(c).await.map(drop)?);
        Ok(())
    }

    /// Sets the next number of a writer.
    pub(in crate::audit) async fn set_writer(&mut self, writer: Uuid, next: i64) -> Result<(), StoreError> {
        on!(self, c => sqlx::query(WRITER_SET).bind(writer).bind(next).execute(c).await.map(drop)?);
        Ok(())
    }

    /// Sets the ends of chains; each subject comes once.
    pub(in crate::audit) async fn set_chains(&mut self, chains: &[Chain]) -> Result<(), StoreError> {
        static TEXTS: Texts<usize> = Texts::none();
        let spelling = self.spelling();
        let mut rest = chains;
        while !rest.is_empty() {
            let (now, later) = many(rest);
            rest = later;
            let text = TEXTS.of(spelling, now.len(), || chains_upsert(now.len()));
            on!(self, c => {
                let mut query = sqlx::query(text);
                for Chain { subject, seq, leaf_hash } in now {
                    query = query.bind(subject.as_slice()).bind(seq).bind(leaf_hash.as_slice());
                }
                query.execute(c).await.map(drop)?;
            });
        }
        Ok(())
    }

    /// Gives entries their index.
    pub(in crate::audit) async fn add_log_entries(&mut self, entries: &[Placed]) -> Result<(), StoreError> {
        static TEXTS: Texts<usize> = Texts::none();
        let spelling = self.spelling();
        let mut rest = entries;
        while !rest.is_empty() {
            let (now, later) = many(rest);
            rest = later;
            let text = TEXTS.of(spelling, now.len(), || places_insert(now.len()));
            on!(self, c => {
                let mut query = sqlx::query(text);
                for Placed { index, entry, seq, previous } in now {
                    query = query.bind(index).bind(entry).bind(seq).bind(previous.as_deref());
                }
                query.execute(c).await.map(drop)?;
            });
        }
        Ok(())
    }

    /// Stores the hashes of tiles, by level and index.
    pub(in crate::audit) async fn set_tiles(
        &mut self,
        tiles: &[((u8, i64), Vec<u8>)],
    ) -> Result<(), StoreError> {
        static TEXTS: Texts<usize> = Texts::none();
        let spelling = self.spelling();
        let mut rest = tiles;
        while !rest.is_empty() {
            let (now, later) = some(rest);
            rest = later;
            let text = TEXTS.of(spelling, now.len(), || tiles_upsert(now.len()));
            on!(self, c => {
                let mut query = sqlx::query(text);
                for ((level, index), hashes) in now {
                    query = query.bind(i64::from(*level)).bind(index).bind(hashes.as_slice());
                }
                query.execute(c).await.map(drop)?;
            });
        }
        Ok(())
    }
}
