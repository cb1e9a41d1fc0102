//! What agents have said, what they call their requests, and when they are to be told of them.

use uuid::Uuid;

use crate::{
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    MESSAGES_DROP = "DELETE FROM agent_message WHERE until < $1";
    MESSAGE_TAKE = "INSERT INTO agent_message (digest, until, request_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    MESSAGE_OPENED = "SELECT request_id FROM agent_message WHERE digest = $1 AND request_id IS NOT NULL";
    AGENT_REQUEST_INSERT = "INSERT INTO agent_request (request_id, name, callback, told, tries, next_at)
                            VALUES ($1, $2, $3, '', 0, $4)";
    AGENT_REQUEST = "SELECT request_id, name, callback, told, tries FROM agent_request WHERE request_id = $1";
    AGENT_REQUESTS_DUE = "SELECT request_id, name, callback, told, tries FROM agent_request
                          WHERE next_at <= $1 ORDER BY next_at, request_id LIMIT $2";
    AGENT_REQUEST_TOLD = "UPDATE agent_request SET told = $2, tries = $3, next_at = $4 WHERE request_id = $1";
}

/// A request as its agent knows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AgentRow {
    /// The request.
    pub request_id: Uuid,
    /// What the agent calls it.
    pub name: Option<String>,
    /// Where the agent wants to be told of it.
    pub callback: Option<String>,
    /// What it was told last.
    pub told: String,
    /// How often it was told in vain since.
    pub tries: i64,
}

impl Conn {
    /// The request that an agent's message has opened.
    ///
    /// # Errors
    /// What the database says.
    pub async fn opened_by_message(&mut self, digest: &[u8; 32]) -> Result<Option<Uuid>, StoreError> {
        Ok(on!(self, c => sqlx::query_scalar(MESSAGE_OPENED).bind(&digest[..]).fetch_optional(c).await?))
    }

    /// A request as its agent knows it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn agent_request(&mut self, request: Uuid) -> Result<Option<AgentRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(AGENT_REQUEST).bind(request).fetch_optional(c).await?))
    }

    /// Requests whose agents may have to be told of them now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn agent_requests_due(&mut self, now: i64, most: i64) -> Result<Vec<AgentRow>, StoreError> {
        Ok(on!(self, c => sqlx::query_as(AGENT_REQUESTS_DUE).bind(now).bind(most).fetch_all(c).await?))
    }
}

impl Tx {
    /// Takes an agent's message in, with the request that it opens; `false` when it was taken in before.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_message(
        &mut self,
        (digest, until): (&[u8; 32], i64),
        opened: Option<Uuid>,
        now: i64,
    ) -> Result<bool, StoreError> {
        on!(self, c => { sqlx::query(MESSAGES_DROP).bind(now).execute(c).await?; });
        let rows = on!(self, c => {
            sqlx::query(MESSAGE_TAKE)
                .bind(&digest[..])
                .bind(until)
                .bind(opened)
                .execute(c)
                .await?
                .rows_affected()
        });
        Ok(rows == 1)
    }

    /// Notes what an agent calls its request, and where it wants to be told.
    ///
    /// # Errors
    /// What the database says.
    pub async fn add_agent_request(
        &mut self,
        request: Uuid,
        (name, callback): (Option<&str>, Option<&str>),
        next: Option<i64>,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(AGENT_REQUEST_INSERT).bind(request).bind(name).bind(callback).bind(next).execute(c).await?;
        });
        Ok(())
    }

    /// Notes what an agent was told, and when it is looked at again; never, when `None`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn agent_told(
        &mut self,
        request: Uuid,
        (told, tries): (&str, i64),
        next: Option<i64>,
    ) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(AGENT_REQUEST_TOLD).bind(request).bind(told).bind(tries).bind(next).execute(c).await?;
        });
        Ok(())
    }
}
