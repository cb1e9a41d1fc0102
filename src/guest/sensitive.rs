//! What must be noticed in a note before it is kept: payment cards, numbers of documents, words of health and belief.

use std::sync::LazyLock;

use super::kinds::{self, Reason};
use crate::base::table;

static HEALTH: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| table(include_str!("data/health_words.csv")).collect());

/// What a note holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing that matters.
    Nothing,
    /// Words of health, belief or access needs: a special category.
    Health,
}

/// Looks through a note.
///
/// # Errors
/// [`Reason::CardNumber`], [`Reason::InvalidDocument`] (a document's number has its own field, behind its own rules).
pub(super) fn look(text: &str) -> Result<Found, Reason> {
    if kinds::holds_card_number(text) {
        return Err(Reason::CardNumber);
    }
    if kinds::holds_document_number(text) {
        return Err(Reason::InvalidDocument);
    }
    Ok(if says_of_health(text) {
        Found::Health
    } else {
        Found::Nothing
    })
}

fn says_of_health(text: &str) -> bool {
    // One word a word, in order, without marks; and as written, for the scripts whose marks are letters.
    let folded: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’'))
        .map(|word| kinds::name_fold(word, ""))
        .collect();
    let spaced = format!(" {}", folded.join(" "));
    let plain = text.to_lowercase();
    HEALTH.iter().any(|word| match word.strip_prefix('*') {
        Some(within) => spaced.contains(within),
        None if word.is_ascii() => spaced.contains(&format!(" {word}")),
        None => plain.contains(word) || spaced.contains(word),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_found_and_the_rest_is_not() {
        for (text, found) in [
            ("wants feather pillows, room 412, party of 2", Ok(Found::Nothing)),
            ("asked for a table at 19:30 on 2026-03-04", Ok(Found::Nothing)),
            ("booking R-7781, flight LH1234", Ok(Found::Nothing)),
            ("booking AB123456 moved", Ok(Found::Nothing)),
            ("a striking view of the castle", Ok(Found::Nothing)),
            ("is allergic to nuts", Ok(Found::Health)),
            ("Gast braucht einen Rollstuhl", Ok(Found::Health)),
            ("客人对花生过敏", Ok(Found::Health)),
            ("intolérance au gluten", Ok(Found::Health)),
            ("tem alergia a marisco", Ok(Found::Health)),
            ("es alérgico", Ok(Found::Health)),
            ("precisa de cadeira de rodas", Ok(Found::Health)),
            ("silla de ruedas", Ok(Found::Health)),
            ("ist gehbehindert", Ok(Found::Health)),
            ("Erdnussallergie", Ok(Found::Health)),
            ("Pollenallergie", Ok(Found::Health)),
            ("zuckerkrank", Ok(Found::Health)),
            ("fauteuil roulant", Ok(Found::Health)),
            ("vegetarian", Ok(Found::Health)),
            ("對花生過敏", Ok(Found::Health)),
            ("懷孕，需要輪椅", Ok(Found::Health)),
            ("客人是穆斯林", Ok(Found::Health)),
            ("لديه حساسية", Ok(Found::Health)),
            ("مريض السكري", Ok(Found::Health)),
            ("аллергия на орехи", Ok(Found::Health)),
            ("У гостя диабет", Ok(Found::Health)),
            ("땅콩 알레르기", Ok(Found::Health)),
            ("card 4111 1111 1111 1111", Err(Reason::CardNumber)),
            ("passport C01X00T47? no: E12345678", Err(Reason::InvalidDocument)),
            (
                "left ID 11010519491231002X at the desk",
                Err(Reason::InvalidDocument),
            ),
            ("left ID 110105194912310021 at the desk", Ok(Found::Nothing)),
        ] {
            assert_eq!(look(text), found, "{text}");
        }
    }
}
