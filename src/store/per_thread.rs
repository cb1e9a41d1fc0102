//! One of a kind for each thread that asks: a task that serves only its own thread's requests is woken without a hop.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
    thread::{self, ThreadId},
};

use super::Store;

/// A `T` for each thread, or one for all.
pub struct PerThread<T> {
    one: bool,
    all: RwLock<HashMap<Option<ThreadId>, T>>,
}

impl<T> Default for PerThread<T> {
    fn default() -> Self {
        Self {
            one: false,
            all: RwLock::default(),
        }
    }
}

impl<T> PerThread<T> {
    /// For what asks this store: SQLite writes by one connection and reads by threads of its own, so that a second queue
    /// would only halve the batches.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        Self {
            one: matches!(store, Store::Sqlite { .. }),
            all: RwLock::default(),
        }
    }
}

impl<T: Clone> PerThread<T> {
    /// This thread's, made by `make` when there is none, or one that is no longer `good`.
    pub fn get(&self, good: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> T {
        let me = (!self.one).then(|| thread::current().id());
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = all.get(&me).filter(|mine| good(mine)) {
            return mine.clone();
        }
        drop(all);
        let mine = make();
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        // What ended with its runtime is not kept for the life of the program.
        all.retain(|_, other| good(other));
        all.insert(me, mine.clone());
        mine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_its_own_until_it_is_no_longer_good() {
        let all = PerThread::default();
        assert_eq!(all.get(|_| true, || 1), 1);
        assert_eq!(all.get(|_| true, || 2), 1);
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(all.get(|_| true, || 3), 3));
        });
        assert_eq!(all.get(|_| false, || 4), 4);
        assert_eq!(all.get(|_| true, || 5), 4);
    }
}
