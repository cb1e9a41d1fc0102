//! Statements of the key store: wrapped keys and ids.

use sqlx::{AssertSqlSafe, Executor as _};
use uuid::Uuid;

use crate::{
    base::GuestId,
    on, statements,
    store::{Conn, Database, StoreError, Tx},
};

/// The most guests of one `SELECT` and rows of one `INSERT`. Sizes are powers of two so that few statements are
/// prepared: a `SELECT` is filled up by repeating, an `INSERT` split.
const BATCH: usize = 512;

statements! {
    VAULT_KEYS = "SELECT purpose, version, wrapped, key_check, created_at, retired_at
                  FROM vault_key ORDER BY purpose, version";
    VAULT_KEY_INSERT = "INSERT INTO vault_key (purpose, version, wrapped, key_check, created_at, retired_at)
                        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    ANY_DATA_KEY = "SELECT guest_id FROM data_key LIMIT 1";
    DATA_KEYS_BY_EPOCH = "SELECT epoch, count(*) FROM data_key GROUP BY epoch ORDER BY epoch";
    GUEST_COUNT = "SELECT count(DISTINCT guest_id) FROM data_key";
    GUESTS_AFTER = "SELECT DISTINCT guest_id FROM data_key WHERE guest_id > $1 ORDER BY guest_id LIMIT $2";
    VAULT_KEYS_RETIRE = "UPDATE vault_key SET retired_at = $3
                         WHERE purpose = $1 AND version < $2 AND retired_at IS NULL";
    VAULT_KEY_STORE = "UPDATE vault_key SET wrapped = $3, key_check = $4 WHERE purpose = $1 AND version = $2";
    VAULT_KEY_DROP = "DELETE FROM vault_key WHERE purpose = $1 AND version = $2";
    VAULT_KEYS_RETIRED = "SELECT version FROM vault_key WHERE purpose = $1 AND retired_at <= $2 ORDER BY version";
    EPOCHS_TO_DROP = "SELECT version FROM vault_key
                      WHERE purpose = $1 AND retired_at <= $2
                          AND NOT EXISTS (SELECT 1 FROM data_key WHERE epoch = vault_key.version)
                      ORDER BY version";
    DATA_KEYS_OF_OTHERS = "SELECT guest_id, category, version, epoch, wrapped, created_at FROM data_key
                           WHERE epoch <> $1 AND (guest_id > $2 OR (guest_id = $2 AND category > $3))
                           ORDER BY guest_id, category LIMIT $4";
    DATA_KEY_REWRAP = "UPDATE data_key SET epoch = $3, wrapped = $4
                       WHERE guest_id = $1 AND category = $2 AND epoch = $5 AND wrapped = $6";
    DATA_MARK = "SELECT checkpoint FROM data_mark WHERE mark = 'log'";
    DATA_MARK_MOVE = "INSERT INTO data_mark (mark, checkpoint) VALUES ('log', $1)
                      ON CONFLICT (mark) DO UPDATE SET checkpoint = excluded.checkpoint";
    DESTROY_GUEST = "DELETE FROM data_key WHERE guest_id = $1";
    DESTROY_CATEGORY = "DELETE FROM data_key WHERE guest_id = $1 AND category = $2";
}

/// A vault key as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct VaultKeyRow {
    /// What it is for.
    pub purpose: String,
    /// Its version; for epochs the epoch.
    pub version: i64,
    /// Wrapped by the root key.
    pub wrapped: Vec<u8>,
    /// Tells which root key that was.
    pub key_check: Vec<u8>,
    /// When it was made, in microseconds.
    pub created_at: i64,
    /// Since when it makes nothing new.
    pub retired_at: Option<i64>,
}

/// A data key as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct DataKeyRow {
    /// Whose.
    pub guest_id: Uuid,
    /// Of which category, by its number.
    pub category: i64,
    /// The version in the header of values.
    pub version: i64,
    /// Under which epoch's key it is wrapped.
    pub epoch: i64,
    /// Wrapped.
    pub wrapped: Vec<u8>,
    /// When it was made, in microseconds.
    pub created_at: i64,
}

/// `DATA_KEYS` for so many guests.
fn data_keys(guests: usize) -> String {
    let list: Vec<String> = (1..=guests).map(|at| format!("${at}")).collect();
    format!(
        "SELECT guest_id, category, version, epoch, wrapped, created_at FROM data_key WHERE guest_id IN ({})",
        list.join(",")
    )
}

/// `DATA_KEY_INSERT` of so many rows of one epoch; a row that is there stays as it is. Without the epoch's key the column
/// that must not be empty would be: nothing is wrapped under a key that was destroyed.
fn data_key_insert(rows: usize) -> String {
    let epoch = |parameter: usize| match parameter {
        4 => "(SELECT version FROM vault_key WHERE purpose = 'epoch' AND version = $4)".to_owned(),
        other => format!("${other}"),
    };
    let row = |at: usize| {
        let columns: Vec<String> = (1..=6).map(|column| epoch(at * 6 + column)).collect();
        format!("({})", columns.join(","))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO data_key (guest_id, category, version, epoch, wrapped, created_at) VALUES {} \
         ON CONFLICT DO NOTHING",
        rows.join(",")
    )
}

/// Every statement whose text depends on a size, so that a test can prepare them.
#[must_use]
pub fn batches() -> Vec<(&'static str, String)> {
    std::iter::successors(Some(1), |size| Some(size * 2))
        .take_while(|size| *size <= BATCH)
        .flat_map(|size| {
            [
                ("DATA_KEYS", data_keys(size)),
                ("DATA_KEY_INSERT", data_key_insert(size)),
            ]
        })
        .collect()
}

/// The items, then the last one again and again up to the next power of two.
fn filled<T>(items: &[T]) -> impl Iterator<Item = &T> {
    let last = items.last();
    items
        .iter()
        .chain(std::iter::from_fn(move || last))
        .take(if items.is_empty() {
            0
        } else {
            items.len().next_power_of_two()
        })
}

async fn data_keys_of(db: &mut impl Database, guests: &[GuestId]) -> Result<Vec<DataKeyRow>, StoreError> {
    let mut rows = Vec::new();
    for some in guests.chunks(BATCH) {
        let text = db.spelling().in_order(data_keys(some.len().next_power_of_two()));
        rows.extend(on!(db, c => {
            let mut query = sqlx::query_as::<_, DataKeyRow>(AssertSqlSafe(text));
            for guest in filled(some) {
                query = query.bind(guest.0);
            }
            query.fetch_all(c).await?
        }));
    }
    Ok(rows)
}

async fn vault_keys_of(db: &mut impl Database) -> Result<Vec<VaultKeyRow>, StoreError> {
    Ok(on!(db, c => sqlx::query_as(VAULT_KEYS).fetch_all(c).await?))
}

impl Conn {
    /// All vault keys.
    pub(super) async fn vault_keys(&mut self) -> Result<Vec<VaultKeyRow>, StoreError> {
        vault_keys_of(self).await
    }

    /// Whether there is any data key at all.
    pub(super) async fn has_data_keys(&mut self) -> Result<bool, StoreError> {
        let any: Option<Uuid> = on!(self, c => sqlx::query_scalar(ANY_DATA_KEY).fetch_optional(c).await?);
        Ok(any.is_some())
    }

    /// The data keys of some guests, in no order.
    pub(super) async fn data_keys(&mut self, guests: &[GuestId]) -> Result<Vec<DataKeyRow>, StoreError> {
        data_keys_of(self, guests).await
    }

    /// Data keys of other epochs than this one, in the order of guest and category, after one of them.
    pub(super) async fn data_keys_of_others(
        &mut self,
        epoch: i64,
        (guest, category): (Uuid, i64),
        most: i64,
    ) -> Result<Vec<DataKeyRow>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(DATA_KEYS_OF_OTHERS).bind(epoch).bind(guest).bind(category).bind(most).fetch_all(c).await?
        }))
    }

    /// How many data keys each epoch holds.
    pub(super) async fn data_keys_by_epoch(&mut self) -> Result<Vec<(i64, i64)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(DATA_KEYS_BY_EPOCH).fetch_all(c).await?))
    }

    /// How many guests have data keys.
    pub(super) async fn guests_with_keys(&mut self) -> Result<i64, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(GUEST_COUNT).fetch_one(c).await?))
    }

    /// How far the data's log had grown when this was last told.
    pub(super) async fn data_mark(&mut self) -> Result<Option<String>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(DATA_MARK).fetch_optional(c).await?))
    }

    /// Guests with data keys, in the order of their ids, after one of them.
    pub(super) async fn guests_with_keys_after(
        &mut self,
        after: GuestId,
        most: i64,
    ) -> Result<Vec<GuestId>, StoreError> {
        let ids: Vec<Uuid> =
            on!(self, c => sqlx::query_scalar(GUESTS_AFTER).bind(after.0).bind(most).fetch_all(c).await?);
        Ok(ids.into_iter().map(GuestId).collect())
    }
}

impl Tx {
    /// All vault keys, which nobody else changes until the transaction ends; SQLite has one writer anyway.
    pub(super) async fn vault_keys_for_us(&mut self) -> Result<Vec<VaultKeyRow>, StoreError> {
        if let Self::Postgres(tx) = self {
            tx.execute("LOCK TABLE vault_key IN EXCLUSIVE MODE").await?;
        }
        vault_keys_of(self).await
    }

    /// Adds vault keys that are not there yet.
    pub(super) async fn add_vault_keys(&mut self, rows: &[VaultKeyRow]) -> Result<(), StoreError> {
        for row in rows {
            on!(self, c => {
                sqlx::query(VAULT_KEY_INSERT)
                    .bind(&row.purpose)
                    .bind(row.version)
                    .bind(&row.wrapped)
                    .bind(&row.key_check)
                    .bind(row.created_at)
                    .bind(row.retired_at)
                    .execute(c)
                    .await?;
            });
        }
        Ok(())
    }

    /// Adds data keys of one epoch that are not there yet; [`StoreError::lacks_value`] when the epoch's key is gone. Give
    /// them ordered by guest and category: then two such transactions cannot wait for each other.
    pub(super) async fn add_data_keys(&mut self, rows: &[DataKeyRow]) -> Result<(), StoreError> {
        let mut rest = rows;
        while let Some(bits) = rest.len().checked_ilog2() {
            let (some, later) = rest.split_at((1 << bits).min(BATCH));
            rest = later;
            let text = self.spelling().in_order(data_key_insert(some.len()));
            on!(self, c => {
                let mut query = sqlx::query(AssertSqlSafe(text));
                for row in some {
                    query = query
                        .bind(row.guest_id)
                        .bind(row.category)
                        .bind(row.version)
                        .bind(row.epoch)
                        .bind(&row.wrapped)
                        .bind(row.created_at);
                }
                query.execute(c).await?;
            });
        }
        Ok(())
    }

    /// The data keys of some guests, in no order, those of this transaction included.
    pub(super) async fn data_keys(&mut self, guests: &[GuestId]) -> Result<Vec<DataKeyRow>, StoreError> {
        data_keys_of(self, guests).await
    }

    /// Notes that the older keys of a purpose make nothing new.
    pub(super) async fn retire_vault_keys(
        &mut self,
        purpose: &str,
        before: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(VAULT_KEYS_RETIRE).bind(purpose).bind(before).bind(now).execute(c).await?; });
        Ok(())
    }

    /// Writes a vault key that was wrapped anew.
    pub(super) async fn store_vault_key(&mut self, row: &VaultKeyRow) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(VAULT_KEY_STORE)
                .bind(&row.purpose)
                .bind(row.version)
                .bind(&row.wrapped)
                .bind(&row.key_check)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Epochs that hold nothing and were retired by then.
    pub(super) async fn epochs_to_drop(&mut self, purpose: &str, by: i64) -> Result<Vec<i64>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(EPOCHS_TO_DROP).bind(purpose).bind(by).fetch_all(c).await?))
    }

    /// Keys of a purpose that were retired by then.
    pub(super) async fn retired_vault_keys(
        &mut self,
        purpose: &str,
        by: i64,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(VAULT_KEYS_RETIRED).bind(purpose).bind(by).fetch_all(c).await?))
    }

    /// Destroys a vault key.
    pub(super) async fn drop_vault_key(&mut self, purpose: &str, version: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(VAULT_KEY_DROP).bind(purpose).bind(version).execute(c).await?; });
        Ok(())
    }

    /// Wraps a data key in another epoch; `false` when it is gone or another one, or was wrapped already.
    pub(super) async fn rewrap_data_key(
        &mut self,
        row: &DataKeyRow,
        epoch: i64,
        wrapped: &[u8],
    ) -> Result<bool, StoreError> {
        let rows = on!(self, c => {
            sqlx::query(DATA_KEY_REWRAP)
                .bind(row.guest_id)
                .bind(row.category)
                .bind(epoch)
                .bind(wrapped)
                .bind(row.epoch)
                .bind(&row.wrapped)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Tells how far the data's log has grown.
    pub(super) async fn move_data_mark(&mut self, checkpoint: &str) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(DATA_MARK_MOVE).bind(checkpoint).execute(c).await?; });
        Ok(())
    }

    /// Removes all data keys of a guest.
    pub(super) async fn destroy_data_keys(&mut self, guest: GuestId) -> Result<u64, StoreError> {
        Ok(on!(self, c => sqlx::query(DESTROY_GUEST).bind(guest.0).execute(c).await?.rows_affected()))
    }

    /// Removes the data key of one category, by its number.
    pub(super) async fn destroy_data_key(
        &mut self,
        guest: GuestId,
        category: i64,
    ) -> Result<u64, StoreError> {
        Ok(on!(self, c => {
            sqlx::query(DESTROY_CATEGORY).bind(guest.0).bind(category).execute(c).await?.rows_affected()
        }))
    }
}
