//! From a decoder's message to a reason that holds no value of the request.
//!
//! The decoders quote what they found (`invalid type: string "Wang", expected u32`). Only the parts that come
//! from our own types pass; everything else becomes "is not valid here".

use std::collections::BTreeSet;

use super::{Kind, Problem};

/// The problem for a decoder's message about the thing at `place`.
pub(super) fn problem(place: &str, told: &str) -> Problem {
    let told = told
        .rfind(" at line ")
        .map_or(told, |at| told.get(..at).unwrap_or_default());
    if let Some(name) = quoted_after(told, "unknown field `") {
        let known = told.rsplit_once("expected ").map(|(_, list)| names(list));
        let reason = known.map_or_else(
            || "is not known here".to_owned(),
            |known| format!("is not known here; known are: {known}"),
        );
        let name = safe_name(name);
        // The path to an unknown key already ends with it.
        let path = if place.ends_with(&name) {
            place.to_owned()
        } else {
            join(place, &name)
        };
        return Problem::new(Kind::UnknownField).field(path, reason);
    }
    for (prefix, reason) in [
        ("missing field `", "is missing"),
        ("duplicate field `", "is given twice"),
    ] {
        if let Some(name) = quoted_after(told, prefix) {
            return Problem::new(Kind::InvalidRequest).field(join(place, &safe_name(name)), reason);
        }
    }
    Problem::new(Kind::InvalidRequest).field(place, reason(told))
}

/// The problem for a query parameter that a call does not have.
pub(super) fn unknown(name: &str, known: &BTreeSet<String>) -> Problem {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let reason = if known.is_empty() {
        "is not known here; this call has no parameters".to_owned()
    } else {
        format!("is not known here; known are: {}", known.join(", "))
    };
    Problem::new(Kind::UnknownField).field(safe_name(name), reason)
}

fn reason(told: &str) -> String {
    let quotes_value = [
        "invalid type: ",
        "invalid value: ",
        "invalid length ",
        "unknown variant `",
    ];
    if quotes_value.iter().any(|prefix| told.starts_with(prefix))
        && let Some((_, expected)) = told.rsplit_once("expected ")
    {
        let expected = if expected.starts_with("struct ") {
            "an object"
        } else {
            expected
        };
        return format!("must be {}", names(expected));
    }
    // The names of floor 0 describe themselves, without the value.
    if told.starts_with("a ") && told.contains(" must be 1 to ") {
        return told.to_owned();
    }
    if told.contains("digit found in string") || told.starts_with("number too ") {
        return "must be a whole number in range".to_owned();
    }
    let expected = OWN_WORDS
        .iter()
        .find(|(beginning, _)| told.starts_with(beginning));
    expected
        .map_or("is not valid here", |(_, reason)| reason)
        .to_owned()
}

const MOMENT: &str = "must be a moment such as 2026-03-04T12:00:00Z, or a day such as 2026-03-04";

/// What libraries say about a text that is none of theirs, by its beginning, and what they expected.
const OWN_WORDS: [(&str, &str); 7] = [
    ("UUID parsing failed", "must be an id: a UUID"),
    (
        "provided string was not `true` or `false`",
        "must be true or false",
    ),
    ("input contains invalid characters", MOMENT),
    ("input is out of range", MOMENT),
    ("premature end of input", MOMENT),
    ("trailing input", MOMENT),
    ("no possible date and time", MOMENT),
];

fn quoted_after<'a>(told: &'a str, prefix: &str) -> Option<&'a str> {
    told.strip_prefix(prefix)?.split('`').next()
}

/// The longest list of names that is told in full; the contract gives a reason 1,000 characters.
const LONGEST_LIST: usize = 900;

fn names(list: &str) -> String {
    let list = list.replace('`', "");
    match list.get(..LONGEST_LIST).and_then(|start| start.rsplit_once(", ")) {
        Some((start, _)) => format!("{start} and others; see /docs"),
        None => list,
    }
}

/// A name as the caller wrote it, when it can only be a name: a key may be anything, even a guest's.
pub(super) fn safe_name(name: &str) -> String {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let rest = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    let digits = name.chars().filter(char::is_ascii_digit).count();
    if starts && rest && name.len() <= 40 && digits < 5 {
        name.to_owned()
    } else {
        "(unnamed)".to_owned()
    }
}

fn join(place: &str, name: &str) -> String {
    match place {
        "" | "." | "the body" | "the query" => name.to_owned(),
        _ => format!("{place}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_long_list_of_names_is_told_by_its_beginning() {
        let list: Vec<String> = (0..200).map(|n| format!("`name_{n}`")).collect();
        let told = super::reason(&format!(
            "unknown variant `x`, expected one of {}",
            list.join(", ")
        ));
        assert!(told.starts_with("must be one of name_0, name_1, "), "{told}");
        assert!(
            told.ends_with(" and others; see /docs") && told.len() < 1000,
            "{told}"
        );
        assert_eq!(
            super::reason("unknown variant `x`, expected `a` or `b`"),
            "must be a or b"
        );
    }

    use super::*;

    #[test]
    fn messages_keep_what_we_wrote_and_lose_what_the_caller_wrote() {
        let cases = [
            (
                "invalid type: string \"Wang, expected Li\", expected u32 at line 1 column 9",
                "must be u32",
            ),
            (
                "invalid value: integer `8613812345678`, expected u8",
                "must be u8",
            ),
            (
                "unknown variant `Wang`, expected one of `read`, `write`",
                "must be one of read, write",
            ),
            (
                "invalid type: null, expected struct GuestBody",
                "must be an object",
            ),
            (
                "a role must be 1 to 40 characters of a-z",
                "a role must be 1 to 40 characters of a-z",
            ),
            ("UUID parsing failed: found `W` at 1", "must be an id: a UUID"),
            ("invalid digit found in string", "must be a whole number in range"),
            ("", "is not valid here"),
        ];
        for (told, expected) in cases {
            let problem = problem("guest.x", told);
            let document = problem.document();
            assert_eq!(
                (
                    document.errors[0].field.as_str(),
                    document.errors[0].reason.as_str()
                ),
                ("guest.x", expected)
            );
        }
    }

    #[test]
    fn fields_are_named_unless_the_name_may_be_a_value() {
        let field = |told: &str| problem("guest", told).document().errors[0].field.clone();
        assert_eq!(field("unknown field `surname`, expected `name`"), "guest.surname");
        assert_eq!(
            field("unknown field `王小明`, expected `name`"),
            "guest.(unnamed)"
        );
        assert_eq!(
            field("unknown field `wang@example.cn`, there are no fields"),
            "guest.(unnamed)"
        );
        assert_eq!(
            field("unknown field `p8613812345678`, expected `name`"),
            "guest.(unnamed)"
        );
        assert_eq!(field("missing field `name`"), "guest.name");
    }
}
