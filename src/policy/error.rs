//! Why a policy cannot be used: each message says where, what, and what to do.

/// Why a policy is refused. Nothing of a refused policy is used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A folder or file cannot be read.
    #[error("{file}: cannot be read ({cause}); check the path and its permissions")]
    Read {
        /// Which.
        file: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// A whole file is wrong.
    #[error("{file}: {problem}")]
    File {
        /// Which.
        file: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// One line of a file is wrong.
    #[error("{file}:{line}: {problem}")]
    Line {
        /// Which file.
        file: &'static str,
        /// Which line, from 1.
        line: u32,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The policy decides otherwise than its own `cases.toml` says.
    #[error("{} of the policy's own cases failed; the first: {first}. Mend the rules or the case", .count)]
    Cases {
        /// How many failed.
        count: usize,
        /// The first of them, with its line.
        first: String,
    },
}
