//! The little that the two databases spell differently.

/// One of two ways to write the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

impl Spelling {
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
