//! Statements about browsers that are signed in.

use uuid::Uuid;

use crate::{
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    SESSION_INSERT = "INSERT INTO browser_session (token, guest_id, principal, role, scope, actor, created_at, seen_at,
                          ends_at, proved_at)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9)";
    SESSION = "SELECT token, guest_id, principal, role, scope, actor, created_at, seen_at, ends_at, proved_at
               FROM browser_session WHERE token = $1";
    SESSION_SEEN = "UPDATE browser_session SET seen_at = $2 WHERE token = $1 AND seen_at < $2";
    SESSION_PROVED = "UPDATE browser_session SET proved_at = $2 WHERE token = $1";
    SESSION_END = "DELETE FROM browser_session WHERE token = $1";
    SESSIONS_END_OF_GUEST = "DELETE FROM browser_session WHERE guest_id = $1";
    SESSIONS_END_OF_PRINCIPAL = "DELETE FROM browser_session WHERE principal = $1";
    SESSIONS_SWEEP = "DELETE FROM browser_session WHERE ends_at < $1";
}

/// A stored session.
#[derive(sqlx::FromRow)]
pub(in crate::access) struct SessionRow {
    pub(in crate::access) token: Vec<u8>,
    pub(in crate::access) guest_id: Option<Uuid>,
    pub(in crate::access) principal: Option<Uuid>,
    pub(in crate::access) role: Option<String>,
    pub(in crate::access) scope: Option<String>,
    pub(in crate::access) actor: Option<String>,
    pub(in crate::access) created_at: i64,
    pub(in crate::access) seen_at: i64,
    pub(in crate::access) ends_at: i64,
    pub(in crate::access) proved_at: Option<i64>,
}

impl Conn {
    /// The session of a token, ended or not.
    pub(in crate::access) async fn browser_session(
        &mut self,
        token: &[u8],
    ) -> Result<Option<SessionRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(SESSION).bind(token).fetch_optional(c).await?))
    }
}

impl Tx {
    /// Begins a session, and sweeps out those whose time is over.
    pub(in crate::access) async fn begin_session(&mut self, row: &SessionRow) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(SESSIONS_SWEEP).bind(row.created_at).execute(&mut *c).await?;
            sqlx::query(SESSION_INSERT)
                .bind(&row.token)
                .bind(row.guest_id)
                .bind(row.principal)
                .bind(&row.role)
                .bind(&row.scope)
                .bind(&row.actor)
                .bind(row.created_at)
                .bind(row.ends_at)
                .bind(row.proved_at)
                .execute(&mut *c)
                .await?;
        });
        Ok(())
    }

    /// Notes that a session was used.
    pub(in crate::access) async fn touch_session(&mut self, token: &[u8], at: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(SESSION_SEEN).bind(token).bind(at).execute(c).await?; });
        Ok(())
    }

    /// Notes that its holder has proved again who it is.
    pub(in crate::access) async fn prove_session(&mut self, token: &[u8], at: i64) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(SESSION_PROVED).bind(token).bind(at).execute(c).await?; });
        Ok(())
    }

    /// Ends a session.
    pub(in crate::access) async fn end_session(&mut self, token: &[u8]) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(SESSION_END).bind(token).execute(c).await?; });
        Ok(())
    }

    /// Ends all sessions of a guest.
    pub(in crate::access) async fn end_sessions_of_guest(&mut self, guest: Uuid) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(SESSIONS_END_OF_GUEST).bind(guest).execute(c).await?; });
        Ok(())
    }

    /// Ends all sessions of a member of the staff.
    pub(in crate::access) async fn end_sessions_of_staff(
        &mut self,
        principal: Uuid,
    ) -> Result<(), StoreError> {
        on!(self, c => { sqlx::query(SESSIONS_END_OF_PRINCIPAL).bind(principal).execute(c).await?; });
        Ok(())
    }
}
