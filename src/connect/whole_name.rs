//! Names as some systems write them: whole in one cell, and several people's in one.
//!
//! | cell | order |
//! |---|---|
//! | `Wang/Xiaoming` | surname, given (airlines, Chinese channels) |
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

/// The names in a cell such as `Wang/Xiaoming,Li/Na`. A comma parts people only where each of them has a slash or is in
/// a script without spaces: `Wang, Xiaoming` is one person.
pub(super) fn split_list(cell: &str) -> Vec<String> {
    let parts = |separators: &[char]| -> Vec<String> {
        cell.split(separators)
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .take(MOST)
            .collect()
    };
    let by_comma = parts(&[',', '，', '、', ';', '；', '|', '\n']);
    if by_comma.iter().all(|name| name.contains('/') || is_native(name)) {
        return by_comma;
    }
    parts(&['、', ';', '；', '|', '\n'])
}

/// Says a whole name.
pub(super) fn say(told: &mut Told, name: &str, order: Option<Order>) {
    let name = name.trim();
    let (surname, given) =
        if let Some((surname, given)) = name.split_once('/').or_else(|| name.split_once(',')) {
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
