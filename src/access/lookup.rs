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
    store::{AsyncAsk, Conn, Gather, Store, StoreError, Unanswered},
};

/// The way to the readers.
pub(super) struct Lookup(Gather<Uuid, Row, Principals>);

impl Lookup {
    pub(super) fn new(store: &Store) -> Self {
        Self(Gather::new(store, MOST, Principals(store.clone())))
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
    async fn ask(&self, kept: &mut Option<Conn>, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Row>, Unanswered> {
        let found = async {
            let mut conn = self.0.own(kept).await?;
            let rows = conn.principals(&ids).await?;
            *kept = conn.kept();
            Ok::<_, StoreError>(rows)
        };
        let rows = found.await.map_err(|error| {
            tracing::error!(%error, "principals cannot be read");
            Unanswered
        })?;
        Ok(rows.into_iter().map(|row| (row.principal_id, row)).collect())
    }
}
