//! Names as some systems write them: whole in one cell, and several people's in one.
//!
//! | cell | order |
//! |---|---|
//! | `Wang/Xiaoming` | surname, given (airlines, Chinese channels) |
//! | `Wang/Xiaoming MR` | the same, with the title behind it |
//! | `Wang, Xiaoming` | surname, given |
//! | `王小明` | native script, as it is |
//! | `Xiaoming Wang` | as the mapping's `name_order` says; where it says nothing, it is kept whole (`name.full`) |
//!
//! A wrong guess would make a stranger of a guest, so nothing is guessed: whole, a name is found in either order.

use serde::Deserialize;
use serde_json::json;

use super::told::Told;

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

/// Says a whole name.
pub(super) fn say(told: &mut Told, name: &str, order: Option<Order>) {
    let name = name.trim();
    let (surname, given) = if let Some((surname, given)) = name.split_once('/') {
        let (given, title) = without_title(given);
        told.say("name.prefix", title);
        (Some(surname), Some(given))
    } else if let Some((surname, given)) = name.split_once(',') {
        (Some(surname), Some(given))
    } else if is_native(name) {
        told.say("name.native", Some(json!({ "value": name })));
        return;
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
                return;
            }
        }
    };
    for (path, part) in [("name.surname", surname), ("name.given", given)] {
        let part = part.map(str::trim).filter(|part| !part.is_empty());
        told.say(path, part);
    }
}

/// Whether a name is written in Han, kana or Hangul: those have no space between the parts.
fn is_native(name: &str) -> bool {
    let east = |c: char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{20000}'..='\u{323af}');
    !name.is_empty()
        && name
            .chars()
            .all(|c| east(c) || matches!(c, '·' | ' ' | '\u{3000}'))
}
