//! Reads principals for requests: one statement serves all requests that wait at that moment.
//!
//! Nothing is remembered between statements, so that a revocation, also one by another process on the same database,
//! holds on the next request (promise P4). A request that comes while a statement runs waits for the next one: an
//! answer never is older than the question.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{
    AccessError,
    sql::{MOST, Row},
};
use crate::{base::PrincipalId, store::Store};

/// Requests that may wait; more are told to come back.
const QUEUE: usize = 4096;

struct Question {
    principal: Uuid,
    answer: oneshot::Sender<Result<Option<Arc<Row>>, AccessError>>,
}

/// The way to the reader. The reader ends when this is dropped.
pub(super) struct Lookup(mpsc::Sender<Question>);

impl Lookup {
    /// Starts the reader on the current runtime.
    pub(super) fn start(store: Store) -> Self {
        let (questions, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(serve(store, waiting));
        Self(questions)
    }

    /// The principal as it stands now.
    pub(super) async fn find(&self, principal: PrincipalId) -> Result<Option<Arc<Row>>, AccessError> {
        let (answer, told) = oneshot::channel();
        let question = Question {
            principal: principal.0,
            answer,
        };
        self.0.try_send(question).map_err(|_| AccessError::Unavailable)?;
        told.await.map_err(|_| AccessError::Unavailable)?
    }
}

async fn serve(store: Store, mut waiting: mpsc::Receiver<Question>) {
    let mut batch: HashMap<Uuid, Vec<Question>> = HashMap::with_capacity(MOST);
    while let Some(first) = waiting.recv().await {
        batch.entry(first.principal).or_default().push(first);
        while batch.len() < MOST {
            let Ok(next) = waiting.try_recv() else { break };
            batch.entry(next.principal).or_default().push(next);
        }
        answer(&store, &mut batch).await;
    }
}

async fn answer(store: &Store, batch: &mut HashMap<Uuid, Vec<Question>>) {
    let ids: Vec<Uuid> = batch.keys().copied().collect();
    let found = async { store.read().await?.principals(&ids).await }.await;
    let mut rows: HashMap<Uuid, Arc<Row>> = match found {
        Ok(rows) => rows
            .into_iter()
            .map(|row| (row.principal_id, Arc::new(row)))
            .collect(),
        Err(error) => {
            tracing::error!(%error, "principals cannot be read");
            for question in batch.drain().flat_map(|(_, questions)| questions) {
                let _ = question.answer.send(Err(AccessError::Unavailable));
            }
            return;
        }
    };
    for (id, questions) in batch.drain() {
        let row = rows.remove(&id);
        for question in questions {
            // A request that was given up needs no answer.
            let _ = question.answer.send(Ok(row.clone()));
        }
    }
}
