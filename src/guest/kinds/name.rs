//! Names of people.

use std::{collections::HashSet, sync::LazyLock};

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::{
    LONGEST_LINE, Reason,
    item::{Checked, Item},
    place, text,
};

static NOT_NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| text::placeholders("name"));

/// One part of a name, or a whole one.
///
/// # Errors
/// When it is no name: masked (`王*`), a placeholder, or something that belongs in another field.
pub(super) fn component(value: &Value) -> Result<String, Reason> {
    let name = text::line(value, LONGEST_LINE)?;
    if name.chars().any(text::is_mask) {
        return Err(Reason::Masked);
    }
    if NOT_NAMES.contains(name.to_lowercase().as_str()) {
        return Err(Reason::Placeholder);
    }
    // Phones and e-mails typed into the name would escape the rules of their own fields.
    let digits = name.chars().filter(|c| c.is_numeric()).count();
    if name.contains('@') || digits >= 4 || !name.chars().any(char::is_alphabetic) {
        return Err(Reason::Invalid);
    }
    Ok(name)
}

/// `{script, value, phonetic?, phonetic_system?}`; the script is found from the letters when not given.
pub(super) fn native(value: &Value) -> Checked {
    let mut item = Item::open(value)?;
    let name = item
        .need("value", component)
        .and_then(Value::as_str)
        .map(ToOwned::to_owned);
    item.may("script", |given| {
        let code = text::line(given, 40)?;
        place::script(&code).ok_or(Reason::InvalidCode)
    });
    item.may("phonetic", component);
    item.may("phonetic_system", |given| text::line(given, 40));
    if let (None, Some(script)) = (item.text("script"), name.as_deref().and_then(script_of)) {
        item.put("script", script);
    }
    item.close()
}

/// The script of the first letter that tells one (ISO 15924).
fn script_of(name: &str) -> Option<&'static str> {
    name.chars().find_map(|c| match c {
        'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Some("Latn"),
        '\u{370}'..='\u{3ff}' => Some("Grek"),
        '\u{400}'..='\u{52f}' => Some("Cyrl"),
        '\u{531}'..='\u{58f}' => Some("Armn"),
        '\u{590}'..='\u{5ff}' => Some("Hebr"),
        '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => Some("Arab"),
        '\u{900}'..='\u{97f}' => Some("Deva"),
        '\u{980}'..='\u{9ff}' => Some("Beng"),
        '\u{b80}'..='\u{bff}' => Some("Taml"),
        '\u{c00}'..='\u{c7f}' => Some("Telu"),
        '\u{e00}'..='\u{e7f}' => Some("Thai"),
        '\u{10a0}'..='\u{10ff}' => Some("Geor"),
        '\u{3040}'..='\u{309f}' => Some("Hira"),
        '\u{30a0}'..='\u{30ff}' => Some("Kana"),
        '\u{ac00}'..='\u{d7af}' => Some("Hang"),
        '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{2fa1f}' => Some("Hani"),
        _ => None,
    })
}

/// One key for a person's surname and given names: without case, width, Latin accents, punctuation and order,
/// so that swapped names agree. For comparing with another attribute; many people share a name.
#[must_use]
pub fn name_fold(surname: &str, given: &str) -> String {
    let folded = fold(&format!("{surname} {given}"));
    let mut words: Vec<&str> = folded
        .split(|c: char| !c.is_alphabetic())
        .filter(|w| !w.is_empty())
        .collect();
    words.sort_unstable();
    words.join(" ")
}

/// A text without case, width and Latin accents.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    // Marks of the block U+0300 are accents; those of other scripts are letters' parts and stay.
    for c in text
        .nfkd()
        .filter(|c| !matches!(c, '\u{300}'..='\u{36f}'))
        .flat_map(char::to_lowercase)
    {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            '\'' | '’' | 'ʼ' => {}
            _ => folded.push(c),
        }
    }
    // A capital İ leaves its dot behind when lower-cased.
    folded
        .chars()
        .filter(|c| *c != '\u{307}')
        .collect::<String>()
        .nfkc()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_not_changed() {
        for (given, stored) in [
            ("  Wang ", "Wang"),
            ("María  José", "María José"),
            ("Jose\u{301}", "José"),
            ("O’Neil-Null", "O’Neil-Null"),
            ("王小明", "王小明"),
            ("\u{202e}evil", "evil"),
            ("Null", "Null"),
            ("Na", "Na"),
        ] {
            assert_eq!(component(&given.into()), Ok(stored.into()), "{given}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (given, why) in [
            ("", Reason::Empty),
            ("   ", Reason::Empty),
            ("***", Reason::Masked),
            ("王*", Reason::Masked),
            ("W***g", Reason::Masked),
            ("XXXX", Reason::Masked),
            ("N/A", Reason::Placeholder),
            ("unknown", Reason::Placeholder),
            ("test", Reason::Placeholder),
            ("null", Reason::Placeholder),
            (".", Reason::Placeholder),
            ("[REDACTED]", Reason::Placeholder),
            ("REDACTED", Reason::Placeholder),
            ("Hidden", Reason::Placeholder),
            ("\u{3164}", Reason::Placeholder),
            ("\u{3164} \u{ffa0}", Reason::Placeholder),
            ("-", Reason::Placeholder),
            ("wang@example.cn", Reason::Invalid),
            ("13812345678", Reason::Invalid),
            ("4111 1111 1111 1111", Reason::CardNumber),
        ] {
            assert_eq!(component(&given.into()), Err(why), "{given}");
        }
        assert_eq!(component(&"a".repeat(201).into()), Err(Reason::TooLong));
        assert_eq!(component(&7.into()), Err(Reason::WrongType));
    }

    #[test]
    fn folded_names_agree() {
        for (a, b) in [
            (("Wang", "Xiaoming"), ("XIAOMING", "wang")),
            (("Müller", "Jörg"), ("MULLER", "jorg")),
            (("Łukasz", "Weiß"), ("weiss", "Lukasz")),
            (("O'Neil", "Seán"), ("ONEIL", "Sean")),
            (("王", "小明"), ("小明", "王")),
            (("Ｗａｎｇ", "Ａ"), ("wang", "a")),
            (("İnce", "Ali"), ("ince", "ALI")),
        ] {
            assert_eq!(name_fold(a.0, a.1), name_fold(b.0, b.1));
        }
        assert_ne!(name_fold("Wang", "Li"), name_fold("Wang", "Lu"));
        assert_ne!(name_fold("がか", ""), name_fold("かか", "x"));
        assert_eq!(name_fold("", ""), "");
    }
}
