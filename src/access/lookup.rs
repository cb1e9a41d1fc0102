//! Reads principals for requests: one statement serves all requests that wait at that moment.
//!
//! Nothing is remembered between statements, so that a revocation, also one by another process on the same database,
//! holds on the next request (promise P4).

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use super::{
    AccessError,
    sql::{MOST, Row},
};
use crate::{
    base::PrincipalId,
    store::{AsyncAsk, Gather, Store, Unanswered},
};

/// The way to the reader. The reader ends when this is dropped.
pub(super) struct Lookup(Gather<Uuid, Row>);

impl Lookup {
    /// Starts the reader on the current runtime.
    pub(super) fn start(store: Store) -> Self {
        Self(Gather::start(1, MOST, &Principals(store)))
    }

    /// The principal as it stands now.
    pub(super) async fn find(&self, principal: PrincipalId) -> Result<Option<Arc<Row>>, AccessError> {
        self.0
            .find(principal.0)
            .await
            .map_err(|_| AccessError::Unavailable)
    }
}

#[derive(Clone)]
struct Principals(Store);

impl AsyncAsk<Uuid, Row> for Principals {
    async fn ask(&self, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Row>, Unanswered> {
        let found = async { self.0.read().await?.principals(&ids).await }.await;
        let rows = found.map_err(|error| {
            tracing::error!(%error, "principals cannot be read");
            Unanswered
        })?;
        Ok(rows.into_iter().map(|row| (row.principal_id, row)).collect())
    }
}
