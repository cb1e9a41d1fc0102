//! Numbers of passports and identity cards in free text: by a check character, or by a word for such a document beside
//! a number of that shape. Bookings, flights and orders have numbers of the same shapes.

use chrono::NaiveDate;
use unicode_normalization::UnicodeNormalization;

use super::{card, resident::resident};

/// Beginnings of the words for documents, folded.
const DOCUMENTS: [&str; 33] = [
    "passport",
    "passeport",
    "pasaport",
    "passaport",
    "reisepass",
    "passnummer",
    "paspoort",
    "pasport",
    "paszport",
    "personalausweis",
    "ausweis",
    "identity",
    "identit",
    "identidad",
    "identific",
    "cedula",
    "cidadao",
    "document",
    "dokument",
    "dowod",
    "fuhrerschein",
    "drivin",
    "nationalid",
    "护照",
    "護照",
    "身份证",
    "身份證",
    "パスポート",
    "旅券",
    "여권",
    "паспорт",
    "جواز",
    "هوية",
];

/// Words for documents that are too short for a beginning.
const SHORT: [&str; 6] = ["pass", "dni", "nie", "nif", "cni", "id"];

/// Beginnings of the words before numbers of other things.
const OTHERS: [&str; 37] = [
    "booking", "reserv", "buchung", "group", "grup", "room", "zimmer", "chambre", "habitac", "quarto",
    "camera", "团", "房", "order", "flight", "flug", "vuelo", "voo", "vol", "ref", "confirm", "conferm",
    "voucher", "invoice", "ticket", "train", "tracking", "member", "loyal", "phone", "tel", "call", "订单",
    "预订", "航班", "予約", "便名",
];

/// What stands between such a word and its number.
const BETWEEN: [&str; 26] = [
    "as", "come", "como", "wie", "no", "nr", "num", "number", "numero", "nummer", "n", "is", "es", "e",
    "ist", "the", "of", "de", "der", "do", "card", "was", "号", "号码", "號碼", "番号",
];

/// Whether a text holds the number of a government document.
#[must_use]
pub fn holds_document_number(text: &str) -> bool {
    let plain: String = text
        .nfkd()
        .filter(|c| !matches!(c, '\u{300}'..='\u{36f}'))
        .map(|c| card::digit(c).unwrap_or(c))
        .nfc()
        .collect();
    let words = words(&plain);
    (0..words.len()).any(|at| is_number_at(&words, at))
}

struct Word<'t> {
    text: &'t str,
    folded: String,
    /// It stands by the one before, with nothing or one space or hyphen between.
    close: bool,
}

/// Latin letters and digits are words, and so are the letters of other scripts between them.
fn words(text: &str) -> Vec<Word<'_>> {
    let class = |c: char| match c {
        c if c.is_ascii_alphanumeric() => 1,
        c if c.is_alphanumeric() => 2,
        _ => 0,
    };
    let mut words = Vec::new();
    let mut end = 0;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c| class(c) != class(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let start = text.len() - rest.len();
        if class(first) > 0 {
            let between = text.get(end..start).unwrap_or_default();
            words.push(Word {
                text: word,
                folded: word.to_lowercase(),
                close: matches!(between, "" | " " | "-"),
            });
            end = start + length;
        }
        rest = after;
    }
    words
}

fn is_number_at(words: &[Word<'_>], at: usize) -> bool {
    let here = words.get(at..).unwrap_or_default();
    let Some((first, after)) = here.split_first() else {
        return false;
    };
    if is_resident(here) {
        return true;
    }
    if is_of_other(words, at) {
        return false;
    }
    let letters =
        |word: &Word<'_>, most| word.text.len() <= most && word.text.bytes().all(|b| b.is_ascii_uppercase());
    let joined = after
        .first()
        .filter(|next| next.close && (letters(first, 3) || letters(next, 1)))
        .map(|next| (format!("{}{}", first.text, next.text), 2));
    let alone = Some((first.text.to_owned(), 1));
    [alone, joined].into_iter().flatten().any(|(number, length)| {
        let number = number.to_uppercase();
        let after = words.get(at + length..).unwrap_or_default();
        let beside = before(words, at).is_some_and(is_document)
            || after.first().is_some_and(|next| is_document(&next.folded));
        let near = words.get(at.saturating_sub(4)..at).unwrap_or_default();
        let near = near
            .iter()
            .chain(after.iter().take(4))
            .any(|word| is_document(&word.folded));
        // A phone of Hong Kong may be told as `T 91234567`.
        let phone = length == 2 && number.starts_with(['F', 'M', 'P', 'T']);
        is_spanish(&number)
            || (is_chinese_passport(&number) && !phone)
            || (near && is_lettered(&number))
            || (beside && (7..=11).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// The word before, but for what stands between a word and its number.
fn before<'w>(words: &'w [Word<'_>], at: usize) -> Option<&'w str> {
    place_before(words, at).map(|(_, word)| word.folded.as_str())
}

fn place_before<'w, 't>(words: &'w [Word<'t>], at: usize) -> Option<(usize, &'w Word<'t>)> {
    let mut before = words.get(..at)?.iter().enumerate().rev().take(4);
    before.find(|(_, word)| !BETWEEN.contains(&word.folded.as_str()))
}

/// Whether what stands before says that the number is of something else. `Booking ID` says it as well, but the `ID` of
/// `booking paid, ID` is the guest's.
fn is_of_other(words: &[Word<'_>], at: usize) -> bool {
    let said = match place_before(words, at) {
        Some((id, word)) if word.folded == "id" && word.close => before(words, id),
        found => found.map(|(_, word)| word.folded.as_str()),
    };
    said.is_some_and(|word| OTHERS.iter().any(|other| word.starts_with(other)))
}

fn is_document(word: &str) -> bool {
    SHORT.contains(&word)
        || DOCUMENTS
            .iter()
            .any(|name| word.starts_with(name) || (!name.is_ascii() && word.contains(name)))
}

/// The eighteen of China's identity card, also in parts: `110105 19491231 002X`.
fn is_resident(words: &[Word<'_>]) -> bool {
    let mut number = String::new();
    for (at, word) in words.iter().enumerate().take(5) {
        if (at > 0 && !word.close) || number.len() > 18 {
            return false;
        }
        number.push_str(&word.text.to_ascii_uppercase());
        if number.len() == 18 && resident(&number, NaiveDate::MAX).is_ok() {
            return true;
        }
    }
    false
}

/// Spain's identity numbers: eight digits, or seven after `X`, `Y` or `Z`, and a check letter.
fn is_spanish(number: &str) -> bool {
    let Some((body, check)) = number.split_at_checked(8).filter(|_| number.len() == 9) else {
        return false;
    };
    let body = match body.split_at_checked(1) {
        Some(("X", rest)) => format!("0{rest}"),
        Some(("Y", rest)) => format!("1{rest}"),
        Some(("Z", rest)) => format!("2{rest}"),
        _ => body.to_owned(),
    };
    let digits = body.bytes().all(|b| b.is_ascii_digit());
    let place = body
        .parse::<usize>()
        .ok()
        .filter(|_| digits)
        .map(|body| body % 23);
    place.and_then(|place| "TRWAGMYFPDXBNJZSQVHLCKE".get(place..=place)) == Some(check)
}

/// A letter and eight digits: many passports look like that. So do bookings of some systems, of which the word before
/// the number says that they are.
fn is_chinese_passport(number: &str) -> bool {
    number.len() == 9
        && number.starts_with(|c: char| c.is_ascii_uppercase())
        && number.bytes().skip(1).all(|b| b.is_ascii_digit())
}

/// The shapes of passports and identity cards: letters and digits, six digits or more, or a mixture of nine places.
fn is_lettered(number: &str) -> bool {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let fits = number.bytes().all(|b| b.is_ascii_alphanumeric());
    fits && digits < number.len()
        && ((7..=12).contains(&number.len()) && digits >= 6
            || number.len() == 9 && digits >= 4 && number.starts_with(|c: char| c.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::holds_document_number;

    #[test]
    fn numbers_of_documents_are_found() {
        for text in [
            "DNI 12345678Z",
            "left 12345678-Z at the desk",
            "NIE X1234567L",
            "Reisepass C01X00T47",
            "passport C01X00T47? no: E12345678",
            "passport 512345678",
            "passport no. 512345678",
            "E12345678 is her passport",
            "E 12345678",
            "E-12345678",
            "Ｅ１２３４５６７８",
            "护照E12345678",
            "护照号码 512345678",
            "паспорт 751234567",
            "جواز ٧٥١٢٣٤٥٦٧",
            "Passport copy: AB 1234567",
            "110105 19491231 002X",
            "left ID 11010519491231002X at the desk",
            "for the booking: passport E12345678",
            "booking paid, ID E12345678",
            "her ID E12345678",
            "her ID 512345678",
            "group of four, E12345678",
        ] {
            assert!(holds_document_number(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_pass() {
        for text in [
            "booking AB123456 moved",
            "booking R12345678, paid",
            "flight LH1234567",
            "order BK7654321",
            "booking no. R12345678 is paid",
            "called from 912345678",
            "has the passport at reception, call 912345678",
            "T 91234567",
            "left ID 110105194912310021 at the desk",
            "quartos 101 e 12345678",
            "asked for a table at 19:30 on 2026-03-04",
            "booking R-7781, flight LH1234",
            "passports of all four copied on 2026-03-04",
            "order 12345678A",
            "Same group as R12345678",
            "Same booking as R12345678",
            "Booking ID: R12345678",
            "reservation ID 512345678",
            "confirmation number is R12345678",
            "moved to the room of R12345678",
            "belongs to grupo R12345678",
            "same guests under booking R12345678",
        ] {
            assert!(!holds_document_number(text), "{text}");
        }
    }
}
