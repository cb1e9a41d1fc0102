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
    if text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(is_document_number)
    {
        return Err(Reason::InvalidDocument);
    }
    let folded = kinds::name_fold(text, "");
    let plain = text.to_lowercase();
    let health = HEALTH.iter().any(|word| {
        if word.is_ascii() {
            folded
                .split(' ')
                .chain(plain.split(|c: char| !c.is_alphanumeric()))
                .any(|w| w.starts_with(word))
        } else {
            plain.contains(word)
        }
    });
    Ok(if health { Found::Health } else { Found::Nothing })
}

/// The shapes of passports and identity cards: up to three letters and six to nine digits, or the eighteen of China's
/// identity card with its check digit (GB 11643).
fn is_document_number(word: &str) -> bool {
    let letters = word.chars().take_while(char::is_ascii_alphabetic).count();
    let rest = word.get(letters..).unwrap_or_default();
    let digits = rest.chars().take_while(char::is_ascii_digit).count();
    let tail = rest.get(digits..).unwrap_or_default();
    let is_passport = (1..=3).contains(&letters) && (6..=9).contains(&digits) && tail.len() <= 1;
    is_passport || is_chinese_card(word)
}

fn is_chinese_card(word: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    if word.len() != 18 {
        return false;
    }
    let sum = word
        .chars()
        .zip(WEIGHTS)
        .try_fold(0, |sum, (c, weight)| Some(sum + c.to_digit(10)? * weight));
    let (Some(sum), Some(last)) = (sum, word.chars().last()) else {
        return false;
    };
    let check = (12 - sum % 11) % 11;
    last.to_ascii_uppercase()
        == if check == 10 {
            'X'
        } else {
            char::from_digit(check, 10).unwrap_or('?')
        }
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
            ("is allergic to nuts", Ok(Found::Health)),
            ("Gast braucht einen Rollstuhl", Ok(Found::Health)),
            ("客人对花生过敏", Ok(Found::Health)),
            ("intolérance au gluten", Ok(Found::Health)),
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
