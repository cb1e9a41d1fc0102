//! The words of a policy's lines: sets such as `arriving|in_house`, and where each line stands.

use super::{PolicyError, RuleFile, RuleId};

/// A set of words in one column; the notation that the matcher function `among` reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Words {
    /// `*`.
    Any,
    /// These.
    Of(Vec<String>),
}

impl Words {
    /// Whether the word is in the set.
    pub(super) fn has(&self, word: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Of(words) => words.iter().any(|w| w == word),
        }
    }

    /// As casbin is given it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::Of(words) => words.join("|"),
        }
    }

    /// One by one, for columns that casbin compares as a whole (roles and properties, by its role manager).
    pub(super) fn each(&self) -> Vec<String> {
        match self {
            Self::Any => vec!["*".to_owned()],
            Self::Of(words) => words.clone(),
        }
    }
}

/// Whether `word` is in the set written as `set`: what casbin's matcher calls for the compact columns.
pub(super) fn among(word: &str, set: &str) -> bool {
    set == "*" || (!word.is_empty() && set.split('|').any(|one| one == word))
}

/// One line that is not empty and not a comment.
#[derive(Debug, Clone)]
pub(super) struct Line<'a> {
    pub(super) at: RuleId,
    pub(super) columns: Vec<&'a str>,
}

impl<'a> Line<'a> {
    /// The lines of a file, their columns split at commas, at most `most` of them (the last takes what is left).
    pub(super) fn all(file: RuleFile, text: &'a str, most: usize) -> impl Iterator<Item = Self> {
        text.lines().zip(1..).filter_map(move |(line, number)| {
            let line = line.trim();
            (!line.is_empty() && !line.starts_with('#')).then(|| Self {
                at: RuleId { file, line: number },
                columns: line.splitn(most, ',').map(str::trim).collect(),
            })
        })
    }

    /// A complaint about this line of `file`.
    pub(super) fn wrong(&self, file: &'static str, problem: impl Into<String>) -> PolicyError {
        PolicyError::Line {
            file,
            line: self.at.line,
            problem: problem.into(),
        }
    }
}

/// The line, from 1, that a byte offset lies in.
pub(super) fn line_of(text: &str, offset: usize) -> u32 {
    let before = text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    u32::try_from(before + 1).unwrap_or(u32::MAX)
}

/// A hint for an unknown word: the known word most like it.
pub(super) fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.map(|k| (distance(word, k), k)).min();
    match near {
        Some((far, like)) if far <= 1 + word.chars().count() / 4 => format!("; did you mean `{like}`?"),
        _ => String::new(),
    }
}

/// Levenshtein's distance, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            left = (left + 1).min(above + 1).min(diagonal + usize::from(x != *y));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_its_words_only() {
        assert!(among("a", "*") && among("a", "b|a"));
        assert!(!among("a", "") && !among("", "") && !among("", "a|") && !among("a", "ab|ba"));
        assert!(!among("*", "a"));
    }

    #[test]
    fn a_slip_of_the_pen_gets_a_hint() {
        let known = ["front_desk", "housekeeping"];
        assert_eq!(
            did_you_mean("frontdesk", known.into_iter()),
            "; did you mean `front_desk`?"
        );
        assert_eq!(did_you_mean("astronaut", known.into_iter()), "");
        assert_eq!((distance("kitten", "sitting"), distance("", "ab")), (3, 2));
    }
}
