//! Payment cards: numbers and security codes, wherever they appear (PCI DSS 4.0, requirement 3).

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::name;

/// Issuer ranges as (first digits from, to, lengths): ISO/IEC 7812 ranges as the schemes publish them.
/// Private ranges and account numbers of banks are not in it: they would catch bookings and loyalty numbers.
const ISSUERS: &[(&str, &str, &[usize])] = &[
    ("4", "4", &[13, 16, 19]),                       // Visa
    ("51", "55", &[16]),                             // Mastercard
    ("2221", "2720", &[16]),                         // Mastercard
    ("34", "34", &[15]),                             // American Express
    ("37", "37", &[15]),                             // American Express
    ("300", "305", &[14, 16, 19]),                   // Diners Club
    ("309", "309", &[14, 16, 19]),                   // Diners Club
    ("36", "36", &[14, 16, 19]),                     // Diners Club
    ("38", "39", &[14, 16, 19]),                     // Diners Club
    ("6011", "6011", &[16, 17, 18, 19]),             // Discover
    ("644", "659", &[16, 17, 18, 19]),               // Discover, RuPay
    ("3528", "3589", &[16, 17, 18, 19]),             // JCB
    ("62", "62", &[16, 17, 18, 19]),                 // UnionPay
    ("8100", "8171", &[16, 17, 18, 19]),             // UnionPay
    ("2200", "2204", &[16, 17, 18, 19]),             // Mir
    ("5018", "5018", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("5020", "5020", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("5038", "5038", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("5893", "5893", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("6304", "6304", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("6759", "6763", &[13, 14, 15, 16, 17, 18, 19]), // Maestro
    ("5060", "5061", &[16, 18, 19]),                 // Verve
    ("5085", "5089", &[16]),                         // RuPay
    ("607", "608", &[16]),                           // RuPay
    ("9792", "9792", &[16]),                         // Troy
];

/// The words before a card's security code, folded. The short ones must stand alone.
const CODE_WORDS: &[&str] = &[
    "cvv",
    "cvc",
    "cvn",
    "csc",
    "card security code",
    "card code",
    "card verification",
    "安全码",
    "安全碼",
    "セキュリティコード",
    "보안코드",
    "보안 코드",
    "prufnummer",
    "pruefnummer",
    "prufziffer",
    "pruefziffer",
    "cryptogramme",
];

/// Words for it that garages and safes share: four digits are a card's only where a card is spoken of nearby, for most
/// cards have three.
const VAGUE_WORDS: &[&str] = &[
    "security code",
    "codigo de seguridad",
    "codigo de seguranca",
    "codice di sicurezza",
    "code de securite",
    "cid",
];

/// Of these words, which are also names, the marks of which one must follow at once.
const MARKS: [(&str, &[char]); 2] = [
    ("csc", &[' ', ':', '=', '#', '.', '-']),
    ("cid", &[':', '=', '#']),
];

/// All that may stand between such a word and its digits, beside blanks and marks. What begins with another comes before it.
const BETWEEN: &[&str] = &[
    "ist", "is", "est", "es", "e", "number", "numero", "nummer", "nr", "no", "code", "value", "visuel",
    "of the", "de la", "do", "della", "card", "carte", "cartao", "carta", "tarjeta", "是", "为", "為", "号",
    "码", "碼", "は", "는", "은",
];

/// The words by which a card is spoken of, folded.
const CARDS: &[&str] = &[
    "card",
    "cards",
    "creditcard",
    "credit",
    "credito",
    "karte",
    "kreditkarte",
    "carte",
    "carta",
    "tarjeta",
    "cartao",
    "visa",
    "mastercard",
    "maestro",
    "amex",
    "exp",
    "expiry",
    "expires",
];

/// The same in scripts without blanks.
const CARDS_WITHIN: &[&str] = &["卡", "カード", "카드"];

/// How far from the word a card is nearby, in characters.
const NEARBY: usize = 40;

/// Whether a text holds a card number or a card's security code: such a text is stored nowhere.
#[must_use]
pub fn is_in(text: &str) -> bool {
    // Most texts are names and words: without three digits there is neither a number nor a code. ASCII only, where what
    // is a digit is plain.
    let few = text.is_ascii() && text.bytes().filter(u8::is_ascii_digit).count() < 3;
    !few && (runs(text).iter().any(Run::holds_card) || holds_code(text))
}

/// Whether these digits alone are a card number.
pub(super) fn is_number(digits: &str) -> bool {
    let issued = ISSUERS.iter().any(|(from, to, lengths)| {
        let first = digits.get(..from.len()).unwrap_or_default();
        lengths.contains(&digits.len()) && (*from..=*to).contains(&first)
    });
    issued && luhn(digits)
}

/// ISO/IEC 7812-1 annex B.
fn luhn(digits: &str) -> bool {
    let mut sum = 0;
    for (at, c) in digits.chars().rev().enumerate() {
        let Some(digit) = c.to_digit(10) else { return false };
        let weighed = if at % 2 == 1 { digit * 2 } else { digit };
        sum += if weighed > 9 { weighed - 9 } else { weighed };
    }
    sum % 10 == 0
}

/// Digits written together.
#[derive(Default)]
struct Group {
    digits: String,
    /// A plus stands before it.
    plus: bool,
    /// What stands between it and the group before seldom stands within a number.
    apart: bool,
}

/// Digits that belong together, in the groups they were written in.
#[derive(Default)]
struct Run {
    groups: Vec<Group>,
}

impl Run {
    fn holds_card(&self) -> bool {
        (0..self.groups.len()).any(|from| card_from(self.groups.get(from..).unwrap_or_default()))
            || self.groups.iter().any(|g| in_long_group(&g.digits))
    }
}

/// Cards are written in whole groups: `4111 1111 1111 1111 12/27`.
fn card_from(groups: &[Group]) -> bool {
    let international = groups.first().is_some_and(|first| first.plus);
    let mut digits = String::new();
    let mut apart = false;
    for (at, group) in groups.iter().enumerate() {
        digits.push_str(&group.digits);
        apart |= at > 0 && group.apart;
        if digits.len() > 19 {
            return false;
        }
        let own = groups.get(..=at).unwrap_or_default();
        if is_number(&digits)
            && (!apart || as_printed(own))
            && !counts_up(own)
            && !(international && super::phone::is_valid(&digits))
        {
            return true;
        }
    }
    false
}

/// Whether the groups are those printed on cards: then hardly a date and a time, or a list.
fn as_printed(groups: &[Group]) -> bool {
    let lengths: Vec<usize> = groups.iter().map(|group| group.digits.len()).collect();
    match lengths.as_slice() {
        [4, 6, 4 | 5] => true,
        [first @ .., last] => *last <= 4 && first.iter().all(|length| *length == 4),
        [] => false,
    }
}

/// Whether the groups are rooms in a row: `4101, 4102, 4103, 4104`.
fn counts_up(groups: &[Group]) -> bool {
    let number = |group: &Group| group.digits.parse::<u32>().ok();
    let steps = groups.windows(2).all(|pair| match pair {
        [one, next] => number(one).is_some_and(|n| n.checked_add(1) == number(next)),
        _ => false,
    });
    groups.len() > 2 && groups.iter().all(|group| group.digits.len() < 6) && steps
}

/// A card number run together with its expiry or code: at the start or the end of a longer number.
fn in_long_group(group: &str) -> bool {
    group.len() > 19
        && (13..=19).any(|length| {
            let ends = group.get(group.len() - length..).unwrap_or_default();
            is_number(group.get(..length).unwrap_or_default()) || is_number(ends)
        })
}

/// Characters between two groups of one number at most.
const WIDEST: usize = 8;

fn runs(text: &str) -> Vec<Run> {
    let mut all = Vec::new();
    let mut run = Run::default();
    let mut within = false;
    let mut gap = 0;
    let (mut plus, mut apart) = (false, false);
    // Width and style make no difference: `４`, `²` and `／` are digits and separators as well.
    for c in text.nfkc().filter(|c| !is_unseen(*c)) {
        if let Some(digit) = digit(c) {
            if !within {
                run.groups.push(Group {
                    plus,
                    apart,
                    ..Group::default()
                });
            }
            if let Some(group) = run.groups.last_mut() {
                group.digits.push(digit);
            }
            (within, gap, plus, apart) = (true, 0, false, false);
            continue;
        }
        within = false;
        gap += 1;
        apart |= !is_separator(c) || gap > 3;
        let ended = gap > WIDEST || (c.is_alphanumeric() && !is_separator(c));
        if ended && !run.groups.is_empty() {
            all.push(std::mem::take(&mut run));
        }
        plus = c == '+' || (plus && run.groups.is_empty() && is_separator(c));
    }
    all.push(run);
    all
}

/// What usually stands between the groups of a number, in the form of NFKC. Any other mark may, too.
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.'
                | '_'
                | '/'
                | ','
                | '|'
                | '·'
                | '、'
                | '。'
                | '・'
                | 'ー'
                | '−'
                | '\u{200c}'
                | '\u{200d}'
        )
        || matches!(c, '\u{2010}'..='\u{2015}')
}

/// What is within a number and not seen: marks of format, accents, the frames of keycaps.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}' | '\u{1160}'
    ) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || is_combining_mark(c)
}

/// The decimal digit that a character of any script is.
pub(super) fn digit(c: char) -> Option<char> {
    if c.is_ascii() || !c.is_numeric() {
        return c.is_ascii_digit().then_some(c);
    }
    let mut latin = any_ascii::any_ascii_char(c).chars();
    let digit = latin.next().filter(char::is_ascii_digit)?;
    latin.next().is_none().then_some(digit)
}

fn holds_code(text: &str) -> bool {
    let folded: String = name::fold(text).chars().filter(|c| !is_unseen(*c)).collect();
    let sure = |word: &&str| places(&folded, word).any(|(_, after)| code_length(after).is_some());
    let vague = |word: &&str| {
        places(&folded, word).any(|(before, after)| match code_length(after) {
            Some(3) => true,
            Some(_) => speaks_of_card(before, after),
            None => false,
        })
    };
    CODE_WORDS.iter().any(sure) || VAGUE_WORDS.iter().any(vague)
}

/// What stands before and after a word that stands alone, at each of its places.
fn places<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
    let marks = MARKS.iter().find(|(of, _)| *of == word).map(|(_, marks)| *marks);
    text.match_indices(word)
        .filter_map(move |(at, _)| Some((text.get(..at)?, text.get(at + word.len()..)?)))
        .filter(move |(before, after)| {
            let alone = word.len() > 3 || !before.ends_with(|c: char| c.is_ascii_alphabetic());
            alone && marks.is_none_or(|marks| after.starts_with(marks))
        })
}

/// How long the code behind a word is: `cvv 123`, `CVC is 1234`. A `2` at once may be the word's, as in `cvv2: 123`, or
/// the code's first, as in `cvv234`.
fn code_length(after: &str) -> Option<usize> {
    let readings = [Some(after), after.strip_prefix('2')];
    readings.into_iter().flatten().find_map(|mut rest| {
        loop {
            rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
            match BETWEEN.iter().find_map(|word| rest.strip_prefix(word)) {
                Some(next) => rest = next,
                None => break,
            }
        }
        let digits = rest.chars().take_while(|c| digit(*c).is_some()).count();
        matches!(digits, 3 | 4).then_some(digits)
    })
}

fn speaks_of_card(before: &str, after: &str) -> bool {
    let from = before.char_indices().rev().nth(NEARBY).map_or(0, |(at, _)| at);
    let to = after.char_indices().nth(NEARBY).map_or(after.len(), |(at, _)| at);
    let around = [before.get(from..), after.get(..to)];
    around.into_iter().flatten().any(|part| {
        part.split(|c: char| !c.is_alphanumeric())
            .any(|word| CARDS.contains(&word))
            || CARDS_WITHIN.iter().any(|word| part.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::{is_in, is_number, luhn};

    #[test]
    fn luhn_knows_its_vectors() {
        for good in ["79927398713", "4111111111111111", "378282246310005", "0"] {
            assert!(luhn(good), "{good}");
        }
        for bad in ["79927398710", "4111111111111112", "37828224631000a"] {
            assert!(!luhn(bad), "{bad}");
        }
    }

    /// Numbers that the schemes publish for tests.
    #[test]
    fn card_numbers_are_found_however_written() {
        for text in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111.1111.1111.1111",
            "pays with 5555 5555 5555 4444, late arrival",
            "amex 3782 822463 10005",
            "card:2223003122003222",
            "6011111111111117 exp 12/27",
            "4111 1111 1111 1111 12/27 123",
            "30569309025904",
            "3530111333300000",
            "6200000000000005",
            "x4111111111111111x",
            "４１１１ １１１１ １１１１ １１１１",
            "٤١١١١١١١١١١١١١١١",
            "41111111111111111227123",
            "+4111111111111111",
            "4111\u{200d}1111\u{200d}1111\u{200d}1111",
            "（4111）（1111）（1111）（1111）",
            "4111 -- 1111 -- 1111 -- 1111",
            "4\u{fe0f}\u{20e3}1\u{fe0f}\u{20e3}11 1111 1111 1111",
            "room 12 card 4111+1111+1111+1111",
        ] {
            assert!(is_in(text), "{text}");
        }
    }

    #[test]
    fn card_numbers_are_found_whatever_stands_between() {
        let marks = "－ー−‐‑–—―／．、・，。：；:;*+~\\'\"()[]#|_\u{2002}\u{2003}\u{2007}\u{3000}\u{61c}\u{200b}\u{2066}";
        for mark in marks.chars() {
            let text = ["4111", "1111", "1111", "1111"].join(&mark.to_string());
            assert!(is_in(&text), "{text}");
            let text = ["3782", "822463", "10005"].join(&format!(" {mark} "));
            assert!(is_in(&text), "{text}");
        }
    }

    #[test]
    fn card_numbers_are_found_in_the_digits_of_any_script() {
        let zeros = "٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰０𝟎𝟘𝟢𝟬𝟶";
        for zero in zeros.chars() {
            let digit = |c: char| char::from_u32(u32::from(zero) + c.to_digit(10).unwrap()).unwrap();
            let text: String = "4111111111111111".chars().map(digit).collect();
            assert!(is_in(&text), "{text}");
        }
        assert!(is_in("⁴¹¹¹ ¹¹¹¹ ¹¹¹¹ ¹¹¹¹"));
    }

    #[test]
    fn security_codes_are_found_in_context() {
        for text in [
            "ＣＶＣ １２３",
            "CSC 123",
            "보안코드 123",
            "codigo de seguranca 123",
            "Kartenprüfnummer 123",
            "cvv 123",
            "CVV2: 1234",
            "the CVC is 999",
            "安全码123",
            "Prüfnummer: 123",
            "cvv=0123",
            "cvv345",
            "cvv234",
            "CVV2345",
            "cvv2 345",
            "cvv2345, cvc2: 2345",
            "安全码234",
            "安全码是234",
            "安全码1234",
            "CVC no. 234",
            "CVV ist 234",
            "código de segurança do cartão: 4711",
            "CVV code is (2345)",
            "cryptogramme visuel : 234",
            "c\u{200b}vv\u{200b}234",
            "security code: 471",
            "CID:471",
            "Amex, security code 4711",
            "security code: 4711 of the card",
            "código de seguridad de la tarjeta: 4711",
            "card security code 4711",
            "Amex CID: 1234",
        ] {
            assert!(is_in(text), "{text}");
        }
    }

    #[test]
    fn numbers_near_the_words_for_codes_pass() {
        for text in [
            "met at the CVC, room 1204",
            "CVC meeting 1204",
            "cvv not given, 1204 called",
            "security code: 4711 for the garage",
            "security code of the safe in 471",
            "Ricardo has the security code 4711",
            "código de seguridad: 4711",
            "Meeting CID:2026",
            "no CVV for booking 12345",
        ] {
            assert!(!is_in(text), "{text}");
        }
    }

    #[test]
    fn the_greatest_number_of_a_group_is_no_row_of_rooms() {
        assert!(is_in("4294967295 000001"));
    }

    #[test]
    fn other_numbers_pass() {
        for text in [
            "room 1204, arrives 2026-03-04 at 18:30",
            "4111111111111112",
            "booking 1234567890123456",
            "+49 1512 3456789",
            "guest did not give a cvv",
            "cvv stands for card verification value",
            "timestamp 20260304183000",
            "0000 0000 0000 0000",
            "IBAN DE89 3704 0044 0532 0130 00",
            "mcvc 123",
            "rooms 4101, 4102, 4103, 4104",
            "rooms 101, 102, 103, 104",
            "on 30/04/2026 18:30:13 and 30.04.2026 18:30:14",
            "at 13:30, 14:15, 15:30, 16:45, 17:00 and 18:15",
            "rua El Cid 123, cidade 1234",
            "tel. 12 +49 1512 3456789",
            "（＋４９）１５１２ ３４５６７８９",
            "35 m² 4½ km 2026",
        ] {
            assert!(!is_in(text), "{text}");
        }
    }

    #[test]
    fn a_card_number_has_an_issuer() {
        assert!(!is_number("0000000000000000"));
        assert!(!is_number("1111111111111117"));
    }
}
