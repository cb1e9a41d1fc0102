//! The little that the two databases spell differently.

/// One of two ways to write the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spelling {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

impl Spelling {
    /// A statement whose parameters come once each, in the order of their numbers. SQLite looks a numbered one up by
    /// walking all names, once for each that is bound: with a thousand of them that costs more than the statement.
    #[must_use]
    pub fn in_order(self, sql: String) -> String {
        if self == Self::Postgres {
            return sql;
        }
        let mut parts = sql.split('$');
        let mut plain = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            plain.push('?');
            plain.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        plain
    }

    /// The beginning of a statement that inserts many rows in a transaction which ends when one of them is refused. SQLite
    /// otherwise copies each page that the statement changes, to be able to undo the statement alone.
    #[must_use]
    pub const fn insert(self) -> &'static str {
        match self {
            Self::Sqlite => "INSERT OR FAIL INTO",
            Self::Postgres => "INSERT INTO",
        }
    }

    /// Bytes as hexadecimal digits, of either case.
    #[must_use]
    pub fn hex(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("hex({column})"),
            Self::Postgres => format!("encode({column}, 'hex')"),
        }
    }

    /// A UUID as text, with or without hyphens.
    #[must_use]
    pub fn id(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("hex({column})"),
            Self::Postgres => format!("CAST({column} AS TEXT)"),
        }
    }
}
