//! The statements of observations.

use uuid::Uuid;

use crate::{
    base::GuestId,
    on, statements,
    store::{Conn, StoreError, Tx},
};

statements! {
    INSERT = "INSERT INTO observation (guest_id, observation_id, property, principal, actor, drawer, at, sealed)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    QUEUE = "INSERT INTO observation_queue (property, observation_id, guest_id) VALUES ($1, $2, $3)";
    WAITING = "SELECT o.guest_id, o.observation_id, o.property, o.principal, o.actor, o.drawer, o.at, o.sealed
               FROM observation_queue q
               JOIN observation o ON o.guest_id = q.guest_id AND o.observation_id = q.observation_id
               WHERE q.property = $1 AND q.observation_id > $2 ORDER BY q.observation_id LIMIT $3";
    ONE = "SELECT guest_id, observation_id, property, principal, actor, drawer, at, sealed FROM observation
           WHERE guest_id = $1 AND observation_id = $2";
    DELETE = "DELETE FROM observation WHERE guest_id = $1 AND observation_id = $2";
    QUEUE_DELETE = "DELETE FROM observation_queue WHERE property = $1 AND observation_id = $2";
    /// Without a list a hold is on everything.
    HELD = "SELECT count(*) FROM hold WHERE guest_id = $1 AND lifted_at IS NULL
                AND (categories = '' OR ',' || categories || ',' LIKE $2)";
    GUESTS_QUEUE_DELETE = "DELETE FROM observation_queue WHERE guest_id = $1 AND observation_id IN (
                               SELECT observation_id FROM observation WHERE guest_id = $1 AND drawer = $2)";
    GUESTS_DELETE = "DELETE FROM observation WHERE guest_id = $1 AND drawer = $2";
}

/// A stored observation.
#[derive(Clone, sqlx::FromRow)]
pub struct ObservationRow {
    /// About whom.
    pub guest_id: Uuid,
    /// Its id.
    pub observation_id: Uuid,
    /// Made at which property.
    pub property: String,
    /// By whose key.
    pub principal: Uuid,
    /// By whom.
    pub actor: Option<String>,
    /// The category that it is sealed under.
    pub drawer: String,
    /// When.
    pub at: i64,
    /// Sealed.
    pub sealed: Vec<u8>,
}

impl Tx {
    /// Whether a hold keeps what is stored of a guest in this drawer.
    ///
    /// # Errors
    /// What the database says.
    pub async fn is_held(&mut self, guest: GuestId, drawer: &str) -> Result<bool, StoreError> {
        let listed = format!("%,{drawer},%");
        let holds: i64 = on!(self, c => {
            sqlx::query_scalar(HELD).bind(guest.0).bind(listed).fetch_one(c).await?
        });
        Ok(holds > 0)
    }

    /// Keeps an observation, and puts it in the queue of its property.
    ///
    /// # Errors
    /// What the database says.
    pub async fn insert_observation(&mut self, row: &ObservationRow) -> Result<(), StoreError> {
        on!(self, c => {
            sqlx::query(INSERT)
                .bind(row.guest_id)
                .bind(row.observation_id)
                .bind(&row.property)
                .bind(row.principal)
                .bind(&row.actor)
                .bind(&row.drawer)
                .bind(row.at)
                .bind(&row.sealed)
                .execute(c)
                .await?;
        });
        on!(self, c => {
            sqlx::query(QUEUE).bind(&row.property).bind(row.observation_id).bind(row.guest_id).execute(c).await?;
        });
        Ok(())
    }

    /// Forgets an observation; `false` when it is gone already.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_observation(&mut self, row: &ObservationRow) -> Result<bool, StoreError> {
        on!(self, c => {
            sqlx::query(QUEUE_DELETE).bind(&row.property).bind(row.observation_id).execute(c).await?;
        });
        let deleted = on!(self, c => {
            sqlx::query(DELETE).bind(row.guest_id).bind(row.observation_id).execute(c).await?.rows_affected()
        });
        Ok(deleted == 1)
    }

    /// Forgets what was noted about a guest and lies in one drawer.
    ///
    /// # Errors
    /// What the database says.
    pub async fn delete_observations(&mut self, guest: GuestId, drawer: &str) -> Result<(), StoreError> {
        for statement in [GUESTS_QUEUE_DELETE, GUESTS_DELETE] {
            on!(self, c => { sqlx::query(statement).bind(guest.0).bind(drawer).execute(c).await?; });
        }
        Ok(())
    }
}

impl Conn {
    /// Observations that wait at a property, after one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waiting_observations(
        &mut self,
        property: &str,
        after: Uuid,
        most: i64,
    ) -> Result<Vec<ObservationRow>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(WAITING).bind(property).bind(after).bind(most).fetch_all(c).await?
        }))
    }

    /// One observation.
    ///
    /// # Errors
    /// What the database says.
    pub async fn observation(
        &mut self,
        guest: GuestId,
        observation: Uuid,
    ) -> Result<Option<ObservationRow>, StoreError> {
        Ok(on!(self, c => {
            sqlx::query_as(ONE).bind(guest.0).bind(observation).fetch_optional(c).await?
        }))
    }
}
