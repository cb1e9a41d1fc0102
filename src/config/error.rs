//! What is wrong with a configuration, in the operator's words.

use std::fmt;

use figment::error::Kind;

/// Everything that is wrong with a configuration. Never holds a configured value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    wrong: Vec<String>,
}

impl ConfigError {
    pub(super) fn new(wrong: Vec<String>) -> Self {
        Self { wrong }
    }

    /// One line per thing that is wrong.
    #[must_use]
    pub fn wrong(&self) -> &[String] {
        &self.wrong
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is not valid:")?;
        for line in &self.wrong {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl From<figment::Error> for ConfigError {
    fn from(errors: figment::Error) -> Self {
        Self {
            wrong: errors.into_iter().map(|error| told(&error)).collect(),
        }
    }
}

fn told(error: &figment::Error) -> String {
    let from = error.metadata.as_ref().map(source).unwrap_or_default();
    let key = error.path.join(".");
    match &error.kind {
        Kind::UnknownField(name, known) => {
            // The path of an unknown key ends with it.
            let key = if error.path.last() == Some(name) {
                key
            } else {
                dotted(&key, name)
            };
            let section = key.rsplit_once('.').map_or("", |(section, _)| section);
            let hint = match nearest(name, known) {
                Some(near) => format!("did you mean {}?", dotted(section, near)),
                None => format!("known here: {}", known.join(", ")),
            };
            format!("{from}{key} is not a key that the vault knows; {hint}")
        }
        Kind::MissingField(name) => format!("{from}{} is missing", dotted(&key, name)),
        Kind::UnknownVariant(_, known) => format!("{from}{key} must be one of: {}", known.join(", ")),
        Kind::InvalidType(_, expected)
        | Kind::InvalidValue(_, expected)
        | Kind::InvalidLength(_, expected) => {
            format!("{from}{key} must be {}", expected.replace('`', ""))
        }
        Kind::DuplicateField(name) => format!("{from}{} is given twice", dotted(&key, name)),
        Kind::Message(message) if key.is_empty() => format!("{from}{}", without_excerpt(message)),
        // An untagged value that is neither: the decoder's words would not help.
        Kind::Message(message) if message.starts_with("data did not match") => {
            format!("{from}{key} is not of the right type")
        }
        Kind::Message(message) => format!("{from}{key}: {message}"),
        _ => format!("{from}{key} is not valid"),
    }
}

/// What the parser of TOML says, without the line that it shows: a password may stand there.
fn without_excerpt(message: &str) -> String {
    let shown = |line: &&str| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        !rest.starts_with('|') && !rest.is_empty()
    };
    let kept: Vec<&str> = message.lines().filter(shown).collect();
    kept.join(": ")
}

fn source(metadata: &figment::Metadata) -> String {
    match metadata.source.as_ref().and_then(|s| s.file_path()) {
        Some(path) => format!("{}: ", path.display()),
        None => format!("{}: ", metadata.name),
    }
}

fn dotted(section: &str, name: &str) -> String {
    if section.is_empty() {
        name.to_owned()
    } else {
        format!("{section}.{name}")
    }
}

/// The known word that is closest to a mistyped one, when one is close.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, best) = known.iter().map(|k| (edits(word, k), *k)).min()?;
    (distance <= 1 + word.len() / 4).then_some(best)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, above) in b.chars().zip(row.iter().skip(1)) {
            left = (above + 1).min(left + 1).min(corner + usize::from(from != to));
            corner = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        for (a, b, distance) in [
            ("", "", 0),
            ("bind", "bnd", 1),
            ("kitten", "sitting", 3),
            ("", "abc", 3),
            ("abc", "", 3),
        ] {
            assert_eq!(edits(a, b), distance, "{a} {b}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_not_shown() {
        let text = "[database]\nurl = \"postgres://vault:S3CRET@127.0.0.1/x\n";
        let error = toml::from_str::<toml::Table>(text).unwrap_err().to_string();
        assert!(error.contains("S3CRET"), "{error}");
        let told = without_excerpt(&error);
        assert!(!told.contains("S3CRET") && told.contains("line 2"), "{told}");
    }

    #[test]
    fn only_near_words_are_proposed() {
        assert_eq!(nearest("prot", &["port", "bind"]), Some("port"));
        assert_eq!(nearest("elephant", &["port", "bind"]), None);
    }
}
