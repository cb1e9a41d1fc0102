//! Names as some systems write them: whole in one cell, and several people's in one.
//!
//! | cell | order |
//! |---|---|
//! | `Wang/Xiaoming` | surname, given (airlines, Chinese channels) |
//! | `Wang/Xiaoming MR` | the same, with the title behind it |
//! | `Wang, Xiaoming` | surname, given |
//! | `Mr/Mrs Huber`, `Huber c/o Lang` | kept whole: the slash parts no surname from a given name |
//! | `王小明` | native script, as it is |
//! | `Xiaoming Wang` | as the mapping's `name_order` says; where it says nothing, it is kept whole (`name.full`) |
//!
//! A wrong guess would make a stranger of a guest, so nothing is guessed: whole, a name is found in either order. What
//! stands where a name should be (`N/A`, a formula) is refused by name.

use serde::Deserialize;

use super::told::Told;
use crate::guest::kinds::is_placeholder;

/// The order of a name's parts, where a space is all that stands between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// `Xiaoming Wang`.
    GivenFirst,
    /// `Wang Xiaoming`.
    SurnameFirst,
}

/// The most guests of one cell.
const MOST: usize = 50;

/// The names in a cell such as `Wang/Xiaoming,Li/Na`. A comma parts people where each of them has a slash or is in a
/// script without spaces, and where several names of several words stand in a known order or are more than two:
/// `Wang, Xiaoming` is one person. `Ana Lima, Rui Costa` may be one or two.
pub(super) fn split_list(cell: &str, order: Option<Order>) -> Result<Vec<String>, &'static str> {
    is_name(cell)?;
    let parts = |separators: &[char]| -> Vec<String> {
        cell.split(separators)
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect()
    };
    let commas: &[char] = &[',', '，', '、', ';', '；', '|', '\n'];
    let by_comma = parts(commas);
    let one_by_one = parts(&['、', ';', '；', '|', '\n']);
    let has_words = |name: &String| name.split_whitespace().nth(1).is_some();
    let names = if by_comma.iter().all(|name| name.contains('/') || is_native(name)) {
        by_comma
    } else if by_comma.len() == one_by_one.len() {
        one_by_one
    } else if one_by_one.len() == 1
        && by_comma.iter().all(has_words)
        && (order.is_some() || by_comma.len() > 2)
    {
        by_comma
    } else if one_by_one.iter().any(|name| {
        let parts: Vec<String> = name
            .split([',', '，'])
            .map(|part| part.trim().to_owned())
            .collect();
        parts.len() > 2 || (parts.len() == 2 && (name.contains('/') || parts.iter().all(has_words)))
    }) {
        return Err(
            "it cannot be told whether a comma parts guests or a surname from a given name; part guests by ;",
        );
    } else {
        one_by_one
    };
    if names.len() > MOST {
        return Err("a cell names more than 50 guests");
    }
    Ok(names)
}

/// Titles that airlines write behind the name.
const TITLES: [&str; 7] = ["MR", "MRS", "MS", "MISS", "MSTR", "DR", "PROF"];

/// The title behind a given name, and the name without it.
fn without_title(given: &str) -> (&str, Option<&str>) {
    match given.trim().rsplit_once(' ') {
        Some((given, title)) if TITLES.iter().any(|known| title.eq_ignore_ascii_case(known)) => {
            (given, Some(title))
        }
        _ => (given, None),
    }
}

/// Titles that stand before the name, so that a slash behind one parts two titles.
const COURTESIES: [&str; 12] = [
    "hr", "herr", "fr", "frau", "sr", "sra", "sig", "m", "mme", "familie", "family", "fam",
];

/// Surname and given name, where one slash stands between two words of letters that are no titles.
fn by_slash(name: &str) -> Option<(&str, &str)> {
    let (surname, given) = name.split_once('/')?;
    let is_part = |part: &str| {
        let odd = |c: char| c.is_numeric() || (c.is_ascii_punctuation() && !matches!(c, '-' | '\'' | '.'));
        !part.contains(odd)
    };
    let is_word = |word: &&str| is_native(word) || word.chars().filter(|c| c.is_alphabetic()).count() >= 2;
    let is_title = |word: &str| {
        let word = word.trim_end_matches('.').to_lowercase();
        let mut titles = TITLES.iter().chain(&COURTESIES);
        titles.any(|title| title.eq_ignore_ascii_case(&word))
    };
    let before = surname.split_whitespace().next_back().filter(is_word)?;
    given.split_whitespace().next().filter(is_word)?;
    (is_part(surname) && is_part(given) && !is_title(before)).then_some((surname, given))
}

/// Refuses what stands where a name should be.
fn is_name(text: &str) -> Result<(), &'static str> {
    if is_placeholder(text.trim()) {
        return Err("a name is a placeholder");
    }
    if text.trim_start().starts_with(['=', '+', '@']) {
        return Err("a name is a formula of a spreadsheet");
    }
    Ok(())
}

/// Says a whole name.
///
/// # Errors
/// When it stands for none.
pub(super) fn say(told: &mut Told, name: &str, order: Option<Order>) -> Result<(), &'static str> {
    let name = name.trim();
    is_name(name)?;
    let (surname, given) = if let Some((surname, given)) = by_slash(name) {
        let (given, title) = without_title(given);
        told.say("name.prefix", title);
        (Some(surname), Some(given))
    } else if name.contains('/') {
        told.say("name.full", Some(name));
        return Ok(());
    } else if let Some((surname, given)) = name.split_once(',') {
        (Some(surname), Some(given))
    } else if is_native(name) {
        told.say("name.native.value", Some(name));
        return Ok(());
    } else {
        match order {
            Some(Order::GivenFirst) => name
                .rsplit_once(' ')
                .map_or((Some(name), None), |(given, surname)| {
                    (Some(surname), Some(given))
                }),
            Some(Order::SurnameFirst) => name
                .split_once(' ')
                .map_or((Some(name), None), |(surname, given)| {
                    (Some(surname), Some(given))
                }),
            None => {
                told.say("name.full", (!name.is_empty()).then_some(name));
                return Ok(());
            }
        }
    };
    for (path, part) in [("name.surname", surname), ("name.given", given)] {
        let part = part.map(str::trim).filter(|part| !part.is_empty());
        told.say(path, part);
    }
    Ok(())
}

/// Whether a name is written in Han, kana or Hangul: those have no space between the parts.
fn is_native(name: &str) -> bool {
    let east = |c: char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{323af}');
    !name.is_empty()
        && name
            .chars()
            .all(|c| east(c) || matches!(c, '·' | ' ' | '\u{3000}'))
}
