//! Small tables that are built in as text.

/// The lines of a table: trimmed, without empty ones and comments (`#`).
pub fn table(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}
