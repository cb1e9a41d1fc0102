//! One statement for all the callers that wait at that moment.
//!
//! Under load most of a read's cost is the round trip; callers that ask the same kind of question at the same time
//! share it. No timer: a reader that is free takes what waits. Nothing is remembered between statements, so an answer
//! is never older than its question. Answers are handed out by key, so no caller gets another's.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use super::{Conn, PerThread, Store};

/// Callers that may wait; more are told to come back.
const QUEUE: usize = 4096;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database does not answer, or too many wait for it")]
pub struct Unanswered;

struct Question<K, V> {
    key: K,
    answer: oneshot::Sender<Result<Option<Arc<V>>, Unanswered>>,
}

/// Questions of one kind, by key. On PostgreSQL each thread that asks has its own reader, so that no answer crosses
/// threads. Cheap to clone; the readers end with the last clone.
pub struct Gather<K, V, F>(Arc<Readers<K, V, F>>);

struct Readers<K, V, F> {
    queues: PerThread<mpsc::Sender<Question<K, V>>>,
    most: usize,
    ask: F,
}

impl<K, V, F> Clone for Gather<K, V, F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V, F> Gather<K, V, F>
where
    K: Eq + Hash + Clone + Send + 'static,
    V: Send + Sync + 'static,
    F: AsyncAsk<K, V> + Clone + Send + Sync + 'static,
{
    /// Readers of this store that ask `ask` for at most `most` distinct keys at a time; a key that is not in its answer has none. A
    /// failure is `ask`'s to log.
    pub fn new(store: &Store, most: usize, ask: F) -> Self {
        let queues = PerThread::of(store);
        Self(Arc::new(Readers { queues, most, ask }))
    }

    /// What there is for this key now.
    ///
    /// # Errors
    /// When too many wait, or the database did not answer.
    pub async fn find(&self, key: K) -> Result<Option<Arc<V>>, Unanswered> {
        let Readers { queues, most, ask } = &*self.0;
        let queue = queues.get(
            |queue| !queue.is_closed(),
            || {
                let (questions, waiting) = mpsc::channel(QUEUE);
                tokio::spawn(serve(waiting, *most, ask.clone()));
                questions
            },
        );
        let (answer, told) = oneshot::channel();
        queue.try_send(Question { key, answer }).map_err(|_| Unanswered)?;
        told.await.map_err(|_| Unanswered)?
    }
}

/// Answers several keys at once.
pub trait AsyncAsk<K, V> {
    /// The values of these keys. `kept` is for a connection between one statement and the next.
    fn ask(
        &self,
        kept: &mut Option<Conn>,
        keys: Vec<K>,
    ) -> impl Future<Output = Result<HashMap<K, V>, Unanswered>> + Send;
}

async fn serve<K, V, F>(mut waiting: mpsc::Receiver<Question<K, V>>, most: usize, ask: F)
where
    K: Eq + Hash + Clone + Send + 'static,
    V: Send + Sync + 'static,
    F: AsyncAsk<K, V> + Send + Sync + 'static,
{
    let mut kept = None;
    let mut batch: HashMap<K, Vec<Question<K, V>>> = HashMap::with_capacity(most);
    while let Some(first) = waiting.recv().await {
        batch.entry(first.key.clone()).or_default().push(first);
        while batch.len() < most {
            let Ok(next) = waiting.try_recv() else { break };
            batch.entry(next.key.clone()).or_default().push(next);
        }
        let found = ask.ask(&mut kept, batch.keys().cloned().collect()).await;
        hand_out(&mut batch, found);
    }
}

fn hand_out<K: Eq + Hash, V>(
    batch: &mut HashMap<K, Vec<Question<K, V>>>,
    mut found: Result<HashMap<K, V>, Unanswered>,
) {
    for (key, questions) in batch.drain() {
        let value = match &mut found {
            Ok(values) => Ok(values.remove(&key).map(Arc::new)),
            Err(unanswered) => Err(*unanswered),
        };
        for question in questions {
            // A caller that gave up needs no answer.
            let _ = question.answer.send(value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::store::StoreUrl;

    #[derive(Clone)]
    struct Doubles(Arc<AtomicUsize>);

    impl AsyncAsk<u32, u32> for Doubles {
        async fn ask(&self, _: &mut Option<Conn>, keys: Vec<u32>) -> Result<HashMap<u32, u32>, Unanswered> {
            self.0.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if keys.contains(&13) {
                return Err(Unanswered);
            }
            Ok(keys
                .into_iter()
                .filter(|k| k % 2 == 0)
                .map(|k| (k, 2 * k))
                .collect())
        }
    }

    #[actix_web::test]
    async fn each_caller_gets_its_own_answer_and_few_statements_serve_many() {
        let asked = Arc::new(AtomicUsize::new(0));
        let folder = tempfile::tempdir().unwrap();
        let url = StoreUrl::Sqlite(folder.path().join("vault.db"));
        let store = Store::open(&url, 2).await.unwrap();
        let gather = Gather::new(&store, 8, Doubles(Arc::clone(&asked)));
        let all = (0..64_u32).filter(|k| *k != 13).map(|k| {
            let gather = gather.clone();
            async move { (k, gather.find(k).await.unwrap().map(|v| *v)) }
        });
        for (k, found) in futures_util::future::join_all(all).await {
            assert_eq!(found, (k % 2 == 0).then_some(2 * k));
        }
        assert!(asked.load(Ordering::SeqCst) <= 9, "{asked:?}");
        assert_eq!(gather.find(13).await, Err(Unanswered));
        assert_eq!(gather.find(4).await.unwrap().as_deref(), Some(&8));
    }
}
