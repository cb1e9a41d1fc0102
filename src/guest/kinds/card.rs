//! Payment cards: numbers and security codes, wherever they appear (PCI DSS 4.0, requirement 3).

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

/// The words before a security code. Those of ASCII letters must stand alone.
const CODE_WORDS: &[&str] = &[
    "cvv",
    "cvc",
    "cvn",
    "card security code",
    "security code",
    "card code",
    "card verification",
    "安全码",
    "安全碼",
    "セキュリティコード",
    "prüfnummer",
    "prüfziffer",
    "código de seguridad",
    "código de segurança",
    "codice di sicurezza",
    "cryptogramme",
    "code de sécurité",
];

/// Whether a text holds a card number or a card's security code: such a text is stored nowhere.
#[must_use]
pub fn is_in(text: &str) -> bool {
    runs(text).iter().any(Run::holds_card) || holds_code(text)
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

/// Digits that belong together, in the groups they were written in.
#[derive(Default)]
struct Run {
    groups: Vec<String>,
    international: bool,
}

impl Run {
    fn holds_card(&self) -> bool {
        (0..self.groups.len()).any(|from| self.card_from(from))
            || self.groups.iter().any(|g| in_long_group(g))
    }

    /// Cards are written in whole groups: `4111 1111 1111 1111 12/27`.
    fn card_from(&self, from: usize) -> bool {
        let mut digits = String::new();
        for group in self.groups.iter().skip(from) {
            digits.push_str(group);
            if digits.len() > 19 {
                return false;
            }
            if is_number(&digits) && !(from == 0 && self.international && super::phone::is_valid(&digits)) {
                return true;
            }
        }
        false
    }
}

/// A card number run together with its expiry or code: at the start or the end of a longer number.
fn in_long_group(group: &str) -> bool {
    group.len() > 19
        && (13..=19).any(|length| {
            let ends = group.get(group.len() - length..).unwrap_or_default();
            is_number(group.get(..length).unwrap_or_default()) || is_number(ends)
        })
}

fn runs(text: &str) -> Vec<Run> {
    let mut all = Vec::new();
    let mut run = Run::default();
    let mut group = String::new();
    let mut gap = 0;
    let mut plus = false;
    for c in text.chars() {
        if let Some(digit) = digit(c) {
            if run.groups.is_empty() && group.is_empty() {
                run.international = plus;
            }
            group.push(digit);
            gap = 0;
            continue;
        }
        if !group.is_empty() {
            run.groups.push(std::mem::take(&mut group));
        }
        gap += 1;
        if !is_separator(c) || gap > 3 {
            all.push(std::mem::take(&mut run));
        }
        plus = c == '+' || (plus && run.groups.is_empty() && is_separator(c));
    }
    if !group.is_empty() {
        run.groups.push(group);
    }
    all.push(run);
    all
}

const fn is_separator(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t'
            | '\n'
            | '-'
            | '.'
            | '_'
            | '/'
            | ','
            | '|'
            | '\u{a0}'
            | '\u{2009}'
            | '\u{202f}'
            | '\u{2010}'..='\u{2015}' | '·' | '\u{3000}' | '\u{200c}' | '\u{200d}'
    )
}

/// The digits people type: Latin, full width, Arabic, Persian, Devanagari, Bengali, Thai.
fn digit(c: char) -> Option<char> {
    const ZEROS: [char; 7] = ['0', '０', '٠', '۰', '०', '০', '๐'];
    ZEROS.iter().find_map(|zero| {
        let offset = u32::from(c).checked_sub(u32::from(*zero))?;
        char::from_digit(offset, 10)
    })
}

fn holds_code(text: &str) -> bool {
    let lower = text.to_lowercase();
    CODE_WORDS.iter().any(|word| {
        lower.match_indices(word).any(|(at, _)| {
            let before = lower.get(..at).unwrap_or_default();
            let after = lower.get(at + word.len()..).unwrap_or_default();
            let alone = !word.is_ascii() || !before.ends_with(|c: char| c.is_ascii_alphabetic());
            alone && code_follows(after)
        })
    })
}

/// Three or four digits within a few characters: `cvv2: 123`, `CVC is 1234`.
fn code_follows(after: &str) -> bool {
    let after = after.strip_prefix('2').unwrap_or(after);
    let rest = after.chars().take(16).position(|c| digit(c).is_some());
    let Some(skip) = rest else { return false };
    let digits = after
        .chars()
        .skip(skip)
        .take_while(|c| digit(*c).is_some())
        .count();
    digits == 3 || digits == 4
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
        ] {
            assert!(is_in(text), "{text}");
        }
    }

    #[test]
    fn security_codes_are_found_in_context() {
        for text in [
            "cvv 123",
            "CVV2: 1234",
            "the CVC is 999",
            "安全码123",
            "Prüfnummer: 123",
            "cvv=0123",
        ] {
            assert!(is_in(text), "{text}");
        }
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
