//! Letters and how far two words are apart.

use unicode_normalization::UnicodeNormalization;

/// Width, ligatures and composed letters in one form.
pub(super) fn nfkc(text: &str) -> String {
    text.nfkc().collect()
}

/// Latin letters and digits of a text in any script, in lower case, everything else a break between words.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in any_ascii::any_ascii(text).chars() {
        if c.is_ascii_alphanumeric() {
            word.push(c.to_ascii_lowercase());
        } else if !matches!(c, '\'' | '`') && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The letters of a text in any script, in lower case.
pub(super) fn letters(text: &str) -> String {
    any_ascii::any_ascii(text)
        .chars()
        .filter(char::is_ascii_alphabetic)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Optimal string alignment: insertions, deletions, exchanges and swaps of neighbours. More than `most` is told as
/// `most + 1`, early.
pub(super) fn distance(a: &str, b: &str, most: usize) -> usize {
    if a == b {
        return 0;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > most {
        return most + 1;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (row, from) in a.iter().enumerate() {
        let mut now = Vec::with_capacity(above.len());
        now.push(row + 1);
        let mut best = row + 1;
        let mut last_b = None;
        for (column, to) in b.iter().enumerate() {
            let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX / 2);
            let mut cost = (at(&above, column) + usize::from(from != to))
                .min(at(&above, column + 1) + 1)
                .min(at(&now, column) + 1);
            if column > 0 && last_a == Some(to) && last_b == Some(from) {
                cost = cost.min(at(&before, column - 1) + 1);
            }
            best = best.min(cost);
            now.push(cost);
            last_b = Some(to);
        }
        if best > most {
            return most + 1;
        }
        before = std::mem::replace(&mut above, now);
        last_a = Some(from);
    }
    above.last().copied().unwrap_or(most + 1).min(most + 1)
}

/// Typing errors that a word of this length may have and still be meant.
pub(super) fn slips(length: usize) -> usize {
    match length {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

/// Whether two words are one, but for slips.
pub(super) fn near(a: &str, b: &str) -> bool {
    let most = slips(a.len().min(b.len()));
    a == b || (most > 0 && distance(a, b, most) <= most)
}

/// The rotation of a word that comes first in the alphabet: `wangxiaoming` and `xiaomingwang` have the same.
pub(super) fn rotation(word: &str) -> String {
    fn turned<'w>((head, tail): (&'w str, &'w str)) -> impl Iterator<Item = u8> + 'w {
        tail.bytes().chain(head.bytes())
    }
    let parts = word.char_indices().map(|(at, _)| word.split_at(at));
    let first = parts.reduce(|best, other| {
        if turned(other).lt(turned(best)) {
            other
        } else {
            best
        }
    });
    let (head, tail) = first.unwrap_or_default();
    [tail, head].concat()
}

/// How a word sounds, roughly: its first letter and its consonants, doubled ones once, four at most.
pub(super) fn sound(word: &str) -> String {
    let mut sound = String::new();
    let mut last = ' ';
    for (at, c) in word.chars().enumerate() {
        let class = match c {
            'c' | 'k' | 'q' => 'k',
            'z' | 's' | 'x' => 's',
            'd' | 't' => 't',
            'b' | 'p' => 'p',
            'v' | 'f' | 'w' => 'f',
            'g' | 'j' => 'j',
            'm' | 'n' => 'n',
            'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'h' => {
                last = ' ';
                if at == 0 {
                    sound.push('a');
                }
                continue;
            }
            c => c,
        };
        if class != last {
            sound.push(class);
        }
        last = class;
        if sound.len() >= 4 {
            break;
        }
    }
    sound
}
