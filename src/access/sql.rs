//! Statements about principals.

pub mod session;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    on, statements,
    store::{Conn, StoreError, Tx},
};

/// The most principals of one look-up.
pub(super) const MOST: usize = 32;

statements! {
    INSERT = "INSERT INTO principal (principal_id, name, role, scope, secret_hash, created_at, created_by, expires_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    REVOKE = "UPDATE principal SET revoked_at = $2 WHERE principal_id = $1 AND revoked_at IS NULL";
    EXISTS = "SELECT count(*) FROM principal WHERE principal_id = $1";
    COUNT = "SELECT count(*) FROM principal";
    ATTESTATION_PUT = "INSERT INTO attestation (holder, kind, valid_until, at) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (holder, kind) DO UPDATE SET valid_until = excluded.valid_until, at = excluded.at";
    ATTESTATIONS = "SELECT holder, kind, valid_until FROM attestation ORDER BY holder, kind";
    ATTESTATIONS_OF = "SELECT holder, kind, valid_until FROM attestation WHERE holder = $1";
    ALL = "SELECT principal_id, name, role, scope, secret_hash, created_at, created_by, expires_at, revoked_at
           FROM principal ORDER BY created_at, principal_id";
}

/// A stored principal.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) principal_id: Uuid,
    pub(super) name: String,
    pub(super) role: String,
    pub(super) scope: String,
    pub(super) secret_hash: Vec<u8>,
    pub(super) created_at: i64,
    pub(super) created_by: Option<Uuid>,
    pub(super) expires_at: Option<i64>,
    pub(super) revoked_at: Option<i64>,
}

/// The look-up of this many principals.
fn by_ids(count: usize) -> String {
    let places: Vec<String> = (1..=count).map(|n| format!("${n}")).collect();
    format!(
        "SELECT principal_id, name, role, scope, secret_hash, created_at, created_by, expires_at, revoked_at
         FROM principal WHERE principal_id IN ({})",
        places.join(",")
    )
}

impl Conn {
    /// What these holders have: holder, kind, until when.
    pub(super) async fn attestations(
        &mut self,
        holders: &[String],
    ) -> Result<Vec<(String, String, i64)>, StoreError> {
        let mut all = Vec::new();
        for holder in holders {
            let rows: Vec<(String, String, i64)> =
                on!(self, c => sqlx::query_as(ATTESTATIONS_OF).bind(holder).fetch_all(c).await?);
            all.extend(rows);
        }
        Ok(all)
    }

    /// The whole register.
    pub(super) async fn all_attestations(&mut self) -> Result<Vec<(String, String, i64)>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(ATTESTATIONS).fetch_all(c).await?))
    }

    /// These principals, at most [`MOST`], in no order.
    pub(super) async fn principals(&mut self, ids: &[Uuid]) -> Result<Vec<Row>, StoreError> {
        let Some(last) = ids.last() else {
            return Ok(Vec::new());
        };
        // Padded to a power of two with one that is asked for anyway, so that few statements are prepared.
        let places = ids.len().next_power_of_two();
        Ok(on!(self, c => {
            let mut query = sqlx::query_as(AssertSqlSafe(by_ids(places)));
            for id in ids.iter().chain(std::iter::repeat(last)).take(places) {
                query = query.bind(*id);
            }
            query.fetch_all(c).await?
        }))
    }

    /// All principals, oldest first.
    pub(super) async fn all_principals(&mut self) -> Result<Vec<Row>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(ALL).fetch_all(c).await?))
    }
}

impl Tx {
    /// Writes until when a holder has something.
    pub(super) async fn put_attestation(
        &mut self,
        (holder, kind): (&str, &str),
        (until, now): (i64, i64),
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(ATTESTATION_PUT).bind(holder).bind(kind).bind(until).bind(now).execute(c).await?;
        });
        Ok(())
    }

    /// Adds a principal.
    pub(super) async fn insert_principal(&mut self, row: &Row) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(INSERT)
                .bind(row.principal_id)
                .bind(&row.name)
                .bind(&row.role)
                .bind(&row.scope)
                .bind(&row.secret_hash)
                .bind(row.created_at)
                .bind(row.created_by)
                .bind(row.expires_at)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Revokes one that is not revoked yet; how many rows that were.
    pub(super) async fn revoke_principal(&mut self, id: Uuid, at: i64) -> Result<u64, StoreError> {
        Ok(on!(self, c => sqlx::query(REVOKE).bind(id).bind(at).execute(c).await?.rows_affected()))
    }

    /// Whether there is such a principal.
    pub(super) async fn has_principal(&mut self, id: Uuid) -> Result<bool, StoreError> {
        let count: i64 = on!(self, c => sqlx::query_scalar(EXISTS).bind(id).fetch_one(c).await?);
        Ok(count > 0)
    }

    /// How many principals there are, revoked ones too.
    pub(super) async fn principal_count(&mut self) -> Result<i64, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(COUNT).fetch_one(c).await?))
    }
}
