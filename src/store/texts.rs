//! Statements that differ only by how much they take, each written once: they are long, and asked for thousands of
//! times a second.

use std::{collections::BTreeMap, sync::RwLock};

use sqlx::AssertSqlSafe;

use super::Spelling;

/// The texts of a statement by database and size. They stay for the life of the program: sizes must be few.
pub struct Texts<S>(RwLock<BTreeMap<(Spelling, S), &'static str>>);

impl<S: Ord + Copy> Texts<S> {
    /// None yet.
    #[must_use]
    pub const fn none() -> Self {
        Self(RwLock::new(BTreeMap::new()))
    }

    /// The text of this size; `write` writes it the first time. Its parameters come once each, in the order of their
    /// numbers: see [`Spelling::in_order`].
    pub fn of(
        &self,
        spelling: Spelling,
        size: S,
        write: impl FnOnce() -> String,
    ) -> AssertSqlSafe<&'static str> {
        let known = |all: &BTreeMap<_, &'static str>| all.get(&(spelling, size)).copied();
        if let Some(text) = self.0.read().ok().and_then(|all| known(&all)) {
            return AssertSqlSafe(text);
        }
        let text: &'static str = Box::leak(spelling.in_order(write()).into_boxed_str());
        if let Ok(mut all) = self.0.write() {
            all.insert((spelling, size), text);
        }
        AssertSqlSafe(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_is_written_once_for_each_database() {
        static TEXTS: Texts<usize> = Texts::none();
        let text = |spelling, size| TEXTS.of(spelling, size, || format!("VALUES ($1, ${size})")).0;
        assert_eq!(text(Spelling::Postgres, 2), "VALUES ($1, $2)");
        assert_eq!(text(Spelling::Sqlite, 2), "VALUES (?, ?)");
        assert_eq!(text(Spelling::Sqlite, 3), "VALUES (?, ?)");
        let again = TEXTS.of(Spelling::Postgres, 2, || unreachable!()).0;
        assert_eq!(again, "VALUES ($1, $2)");
    }
}
