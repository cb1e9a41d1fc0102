//! Text: cleaning, and what must not pass as a value: masks, placeholders, pictures, card numbers.

use std::{collections::HashSet, sync::LazyLock};

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::{LONGEST_NOTE, Reason, card};
use crate::base::table;

/// The values of one kind in the table of placeholders, lower-cased.
pub(super) fn placeholders(kind: &str) -> HashSet<&'static str> {
    table(include_str!("data/placeholders.csv"))
        .filter_map(|line| line.split_once(','))
        .filter(|(of, _)| *of == kind)
        .map(|(_, value)| value)
        .collect()
}

static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| placeholders("word"));

/// One line of at most `longest` characters: NFC, one space between words, screened.
///
/// # Errors
/// When it is no text, empty, too long, masked, a placeholder, a picture or a card number.
pub(super) fn line(value: &Value, longest: usize) -> Result<String, Reason> {
    let text = unscreened_line(value, longest)?;
    if is_masked(&text) {
        return Err(Reason::Masked);
    }
    if is_placeholder(&text) {
        return Err(Reason::Placeholder);
    }
    if card::is_in(&text) {
        return Err(Reason::CardNumber);
    }
    Ok(text)
}

/// Like [`line()`], for kinds that look for masks and card numbers themselves.
///
/// # Errors
/// When it is no text, empty, too long or a picture.
pub(super) fn unscreened_line(value: &Value, longest: usize) -> Result<String, Reason> {
    let given = given(value)?;
    let clean: String = given.nfc().filter(|c| !is_invisible(*c)).collect();
    bounded(clean.split_whitespace().collect::<Vec<_>>().join(" "), longest)
}

/// Text of several lines, screened.
///
/// # Errors
/// As [`line()`]; masks count only when nothing else is there.
pub(super) fn note(value: &Value) -> Result<String, Reason> {
    let given = given(value)?;
    let kept = |c: &char| !is_invisible(*c) && (!c.is_control() || matches!(c, '\n' | '\t'));
    let clean: String = given.replace("\r\n", "\n").nfc().filter(kept).collect();
    let text = bounded(clean.trim().to_owned(), LONGEST_NOTE)?;
    if text.chars().all(|c| is_mask(c) || c.is_whitespace()) {
        return Err(Reason::Masked);
    }
    if is_placeholder(&text) {
        return Err(Reason::Placeholder);
    }
    if card::is_in(&text) {
        return Err(Reason::CardNumber);
    }
    Ok(text)
}

fn given(value: &Value) -> Result<&str, Reason> {
    let text = value.as_str().ok_or(Reason::WrongType)?;
    if is_picture(text) {
        return Err(Reason::ImageRefused);
    }
    // Four bytes a character is the most; the rest of the work is not done for a flood.
    if text.len() > 8 * LONGEST_NOTE {
        return Err(Reason::TooLong);
    }
    Ok(text)
}

fn bounded(text: String, longest: usize) -> Result<String, Reason> {
    if text.is_empty() {
        return Err(Reason::Empty);
    }
    if text.chars().count() > longest {
        return Err(Reason::TooLong);
    }
    Ok(text)
}

/// Characters that nobody sees: they would make equal values differ, or turn a line around on a screen.
/// The joiners U+200C and U+200D stay: Persian and Indic names need them.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}')
}

pub(super) const fn is_mask(c: char) -> bool {
    matches!(c, '*' | '＊' | '∗' | '⁎' | '•' | '●' | '∙' | '█' | '■' | '▪')
}

/// Whether a line is a masked value: two mask signs in a row, nothing but `XXX`, or digits around `XXX`.
pub(super) fn is_masked(text: &str) -> bool {
    let mut mask_run = 0_usize;
    let mut x_run = 0_usize;
    let mut longest_x = 0_usize;
    for c in text.chars() {
        mask_run = if is_mask(c) { mask_run + 1 } else { 0 };
        x_run = if matches!(c, 'x' | 'X' | '×') {
            x_run + 1
        } else {
            0
        };
        longest_x = longest_x.max(x_run);
        if mask_run >= 2 {
            return true;
        }
    }
    longest_x >= 3
        && text
            .chars()
            .all(|c| matches!(c, 'x' | 'X' | '×' | '+') || !c.is_alphabetic())
}

/// Whether a text stands for a missing value.
pub(crate) fn is_placeholder(text: &str) -> bool {
    // These come from programs; Null and Nan are names.
    matches!(text, "null" | "NULL" | "none" | "NONE" | "nil" | "NIL" | "NaN")
        || text.chars().all(|c| {
            c.is_ascii_punctuation() || is_blank(c) || matches!(c, '。' | '—' | '–' | '？' | '、' | ' ')
        })
        || WORDS.contains(text.to_lowercase().as_str())
}

/// Letters that are drawn as nothing: the fillers of Hangul, and Braille without a dot.
const fn is_blank(c: char) -> bool {
    matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}')
}

/// Whether a number is one that people type to get past a form: one digit repeated, or counting up.
pub(super) fn is_filler(number: &str) -> bool {
    const COUNTING: [&str; 3] = [
        "01234567890123456789",
        "12345678901234567890",
        "98765432109876543210",
    ];
    is_repeated(number) || (number.len() >= 6 && COUNTING.iter().any(|run| run.starts_with(number)))
}

/// Whether a number is one character over and over.
pub(super) fn is_repeated(number: &str) -> bool {
    number.len() >= 3 && number.chars().all(|c| number.starts_with(c))
}

/// The first bytes of JPEG, PNG, GIF, PDF, WebP and TIFF in Base64.
const PICTURES: [&str; 7] = [
    "/9j/",
    "iVBORw0KGgo",
    "R0lGOD",
    "JVBERi0",
    "UklGR",
    "SUkqA",
    "TU0AK",
];

fn is_picture(text: &str) -> bool {
    let start: String = text.chars().take(64).collect::<String>().to_lowercase();
    let start = start.trim_start();
    if start.starts_with("data:") || text.contains(";base64,") || text.contains("data:image/") {
        return true;
    }
    text.len() >= 64 && PICTURES.iter().any(|magic| text.trim_start().starts_with(magic))
}

/// Width and style in one form, and the decimal digits of every script in ASCII.
#[must_use]
pub fn latin_digits(text: &str) -> String {
    text.nfkc().map(|c| card::digit(c).unwrap_or(c)).collect()
}

/// Letters and digits of a number as written, upper-cased: `AB-12 34` becomes `AB1234`.
pub(super) fn compact(text: &str) -> String {
    text.nfkc()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '/' | '·' | '‐' | '–' | '—' | '_'))
        .flat_map(char::to_uppercase)
        .collect()
}
