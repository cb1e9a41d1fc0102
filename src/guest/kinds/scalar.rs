//! Values that are one word, one date, one line.

use std::collections::HashSet;

use serde_json::Value;

use super::{Context, LONGEST_LINE, Reason, card, date, name, place, text};
use crate::base::{Field, Kind};

/// The normal form of a simple value.
///
/// # Errors
/// When it is not of the kind.
pub(super) fn scalar(field: &Field, value: &Value, context: &Context<'_>) -> Result<Value, Reason> {
    let text = match field.kind {
        Kind::Gender => return gender(value).map(Value::from),
        Kind::Flag => return flag(value).map(Value::from),
        Kind::Name => name::component(value),
        Kind::Code => code(value),
        Kind::PartialDate if field.path.as_str().ends_with("birth_date") => date::birth(value, context),
        Kind::PartialDate => date::partial(value),
        Kind::Country => place::issuer(value),
        Kind::Language => place::language(value),
        Kind::Text => text::line(value, LONGEST_LINE),
        Kind::PaymentToken => token(value),
        Kind::Plate => plate(value),
        Kind::ImageRef if field.accept => reference(value),
        Kind::ImageRef => Err(Reason::ImageRefused),
        _ => Err(Reason::NotAccepted),
    };
    text.map(Value::from)
}

/// A short code: letters and digits of any script with `_ - . : / +` and spaces between.
///
/// # Errors
/// When it is none.
pub(super) fn code(value: &Value) -> Result<String, Reason> {
    let code = text::line(value, 60)?;
    let fits =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '+' | ' ' | '&' | '\'');
    if code.chars().all(fits) {
        Ok(code)
    } else {
        Err(Reason::InvalidCode)
    }
}

/// One of a few words, in lower case.
///
/// # Errors
/// When it is another.
pub(super) fn word(value: &Value, words: &[&str]) -> Result<String, Reason> {
    let code = code(value)?.to_lowercase().replace([' ', '-'], "_");
    if words.contains(&code.as_str()) {
        Ok(code)
    } else {
        Err(Reason::InvalidCode)
    }
}

/// A list of codes, each once, in the order given; or the flaws of single ones.
pub(super) fn codes(values: &[Value]) -> (Vec<Value>, Vec<(usize, Reason)>) {
    let mut seen = HashSet::new();
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for (at, value) in values.iter().enumerate() {
        match code(value) {
            Ok(code) if seen.insert(code.to_lowercase()) => good.push(code.into()),
            Ok(_) => {}
            Err(reason) => bad.push((at, reason)),
        }
    }
    (good, bad)
}

/// ISO/IEC 5218: 1 male, 2 female, 9 neither applies; HL7's and hotels' words are taken too.
/// 0 (not known) is a placeholder: it must not replace what is known.
fn gender(value: &Value) -> Result<u64, Reason> {
    if let Some(number) = value.as_u64() {
        return gender_of(&number.to_string());
    }
    let given = value.as_str().ok_or(Reason::WrongType)?.trim().to_lowercase();
    gender_of(&given)
}

fn gender_of(word: &str) -> Result<u64, Reason> {
    match word {
        "1" | "m" | "male" | "man" | "男" => Ok(1),
        "2" | "f" | "female" | "woman" | "w" | "女" => Ok(2),
        "9" | "x" | "d" | "other" | "diverse" | "non_binary" | "nonbinary" | "not_applicable" => Ok(9),
        "0" | "u" | "unknown" | "unspecified" | "undisclosed" | "n/a" | "未知" => Err(Reason::Placeholder),
        "" => Err(Reason::Empty),
        _ => Err(Reason::InvalidCode),
    }
}

/// `true` or `false`; not the words for them.
///
/// # Errors
/// When it is another type.
pub(super) fn flag(value: &Value) -> Result<bool, Reason> {
    value.as_bool().ok_or(Reason::WrongType)
}

/// A payment provider's token: one word, and no card number in disguise.
fn token(value: &Value) -> Result<String, Reason> {
    let token = text::line(value, LONGEST_LINE)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '=' | '+');
    if !token.chars().all(fits) {
        return Err(Reason::Invalid);
    }
    let digits: String = token.chars().filter(char::is_ascii_digit).collect();
    if card::is_number(&digits) {
        Err(Reason::CardNumber)
    } else {
        Ok(token)
    }
}

/// A vehicle plate: capitals and digits without separators.
fn plate(value: &Value) -> Result<String, Reason> {
    let plate = text::compact(&text::line(value, 40)?);
    let letters = plate.chars().all(char::is_alphanumeric)
        && plate.chars().any(|c| c.is_ascii_digit() || c.is_alphabetic());
    if text::is_masked(&plate) {
        return Err(Reason::Masked);
    }
    if text::is_filler(&plate) {
        return Err(Reason::Placeholder);
    }
    if letters && (2..=12).contains(&plate.chars().count()) {
        Ok(plate)
    } else {
        Err(Reason::Invalid)
    }
}

/// The address of an object kept elsewhere: one word.
fn reference(value: &Value) -> Result<String, Reason> {
    let reference = text::line(value, LONGEST_LINE)?;
    if reference.contains(char::is_whitespace) {
        Err(Reason::Invalid)
    } else {
        Ok(reference)
    }
}

/// A number in another system, as it was given there. `000000` and the like stand for none; a number that merely
/// counts up may be real where numbers are handed out in order.
///
/// # Errors
/// When it is none.
pub(super) fn number(value: &Value, longest: usize) -> Result<String, Reason> {
    let number = text::line(value, longest)?;
    if text::is_repeated(&text::compact(&number)) {
        Err(Reason::Placeholder)
    } else {
        Ok(number)
    }
}
