//! Arabic names and their Latin spellings meet in their consonants.

use super::text;

/// Whether a character is of the Arabic script.
pub(super) fn is_arabic(c: char) -> bool {
    matches!(c, '\u{0600}'..='\u{06ff}' | '\u{0750}'..='\u{077f}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
}

fn consonant(c: char) -> Option<char> {
    Some(match c {
        'ب' | 'پ' => 'b',
        'ت' | 'ط' => 't',
        'ج' | 'چ' => 'j',
        'ح' | 'ه' => 'h',
        'خ' | 'ك' | 'ک' | 'ق' => 'k',
        'د' | 'ذ' | 'ض' => 'd',
        'ر' => 'r',
        'ز' | 'ظ' => 'z',
        'س' | 'ص' | 'ش' | 'ث' => 's',
        'غ' | 'گ' => 'g',
        'ف' => 'f',
        'ل' => 'l',
        'م' => 'm',
        'ن' => 'n',
        _ => return None,
    })
}

/// The consonants of one word, whichever script it is in; without the article.
pub(super) fn skeleton(word: &str) -> String {
    if word.chars().any(is_arabic) {
        let body = word.strip_prefix("ال").filter(|rest| rest.chars().count() >= 3);
        return once(body.unwrap_or(word).chars().filter_map(consonant));
    }
    let latin = text::letters(word);
    let body = ["al", "el"].iter().find_map(|article| {
        let rest = latin.strip_prefix(article)?;
        (rest.len() >= 4).then_some(rest)
    });
    let mut latin = body.unwrap_or(&latin).to_owned();
    for (from, to) in [
        ("kh", "k"),
        ("gh", "G"),
        ("th", "s"),
        ("dh", "d"),
        ("sh", "s"),
        ("ch", "s"),
    ] {
        latin = latin.replace(from, to);
    }
    // A closing `ah` is a vowel.
    let latin = latin.strip_suffix('h').unwrap_or(&latin);
    once(latin.chars().filter_map(|c| match c {
        'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'w' => None,
        'p' => Some('b'),
        'v' => Some('f'),
        'q' | 'c' | 'x' => Some('k'),
        'g' => Some('j'),
        'G' => Some('g'),
        c => Some(c),
    }))
}

/// Doubled letters once.
fn once(letters: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in letters {
        if !out.ends_with(c) {
            out.push(c);
        }
    }
    out
}

/// Words that join names and are none: articles, `son of`, `daughter of`.
pub(super) fn is_particle(word: &str) -> bool {
    let plain = word.trim().to_lowercase();
    ["al", "el", "bin", "ibn", "bint", "ben", "ال", "بن", "ابن", "بنت"].contains(&plain.as_str())
}
