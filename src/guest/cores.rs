//! Work on many things at once, on all processors, away from the tasks that answer requests.

use std::num::NonZero;

use tokio::runtime::Handle;

/// Things that are worth another thread.
const LEAST: usize = 25;

/// Does the work on each thing; the outcomes in their order, `None` for those of a thread that broke.
pub(super) async fn each<T, R, W>(things: Vec<T>, work: W) -> Vec<Option<R>>
where
    T: Send + 'static,
    R: Send + 'static,
    W: Fn(T) -> R + Clone + Send + 'static,
{
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let size = things.len().div_ceil(threads).max(LEAST);
    let mut all = Vec::with_capacity(things.len());
    if things.len() <= LEAST {
        all.extend(things.into_iter().map(|thing| Some(work(thing))));
        return all;
    }
    let (mut things, mut parts) = (things.into_iter().peekable(), Vec::new());
    while things.peek().is_some() {
        let part: Vec<T> = things.by_ref().take(size).collect();
        let (count, work) = (part.len(), work.clone());
        let working = move || part.into_iter().map(work).collect::<Vec<R>>();
        parts.push((count, tokio::task::spawn_blocking(working)));
    }
    for (count, part) in parts {
        match part.await {
            Ok(done) => all.extend(done.into_iter().map(Some)),
            Err(_) => all.extend((0..count).map(|_| None)),
        }
    }
    all
}

/// Runs work on a thread of its own, beside the tasks of this one; `None` when it broke.
pub(super) async fn aside<F>(work: F) -> Option<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let thread = tokio::task::spawn_blocking(move || Handle::current().block_on(work));
    thread.await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn outcomes_keep_their_order_and_a_broken_thread_takes_only_its_own_along() {
        for many in [0, 1, LEAST, LEAST + 1, 500] {
            let outcomes = each((0..many).collect(), |n: usize| n * 2).await;
            let expected: Vec<Option<usize>> = (0..many).map(|n| Some(n * 2)).collect();
            assert_eq!(outcomes, expected);
        }
        let outcomes = each((0..500).collect(), |n: usize| {
            assert!(n != 499, "broken on purpose");
            n
        })
        .await;
        assert_eq!((outcomes.len(), outcomes[0], outcomes[499]), (500, Some(0), None));
    }
}
