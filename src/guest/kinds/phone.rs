//! Phones: E.164, by the metadata of libphonenumber.

use phonenumber::{Mode, country, metadata::DATABASE};
use serde_json::Value;

use super::{
    Context, Reason, TokenKind, card, date,
    item::{Checked, Item},
    relay,
    scalar::{flag, word},
    text,
};
use crate::{
    base::{Field, IndexKind},
    matching::relays,
};

/// What a phone is for.
const KINDS: [&str; 7] = ["mobile", "home", "work", "fax", "voice", "pager", "other"];

/// Patterns that are kept compiled. The library keeps 100: a house with guests of a dozen countries compiled them anew with
/// nearly every number, which was a quarter of what an import took. This holds those of fifty countries.
const PATTERNS: usize = 800;

/// Loads the metadata, which takes about 0.1 s: at the start rather than in a guest's request.
pub fn warm_up() {
    let _known = DATABASE.region(&1);
    if let Ok(mut cache) = DATABASE.cache().lock() {
        cache.set_capacity(PATTERNS);
    }
}

/// `{number, kind?, ext?, primary?, verified_at?, relay?, raw?}`.
pub(super) fn phone(field: &Field, value: &Value, context: &Context<'_>) -> Checked {
    let mut item = Item::open(value)?;
    let mut parsed = None;
    item.need("number", |given| {
        let number = parse(given, context)?;
        let stored = number.e164.clone();
        parsed = Some(number);
        Ok(stored)
    });
    item.may("kind", |given| word(given, &KINDS));
    item.may("ext", extension);
    item.may("primary", flag);
    item.may("verified_at", date::moment);
    item.may("raw", |given| raw(given, parsed.as_ref()));
    let lent = relay::take(&mut item);
    let Some(parsed) = parsed else { return item.close() };
    if let (Some(ext), None) = (&parsed.ext, item.text("ext")) {
        item.put("ext", ext.as_str());
    }
    if let (Some(raw), None) = (parsed.raw, item.text("raw")) {
        item.put("raw", raw);
    }
    let provider = relays::of_phone(&parsed.e164);
    if provider.is_some() || lent {
        relay::complete(&mut item, provider, context);
    }
    if provider.is_none() && !lent {
        tokens(field, &mut item, &parsed.e164);
    }
    item.close()
}

fn tokens(field: &Field, item: &mut Item<'_>, e164: &str) {
    if field.index.contains(&IndexKind::Exact) {
        item.token(TokenKind::Phone, &[e164]);
    }
    let tail = e164.len().checked_sub(8).and_then(|from| e164.get(from..));
    // A number hardly longer than its tail would be found by it alone.
    if let (true, Some(tail), true) = (field.index.contains(&IndexKind::Tail), tail, e164.len() > 9) {
        item.token(TokenKind::PhoneTail, &[tail]);
    }
}

struct Parsed {
    e164: String,
    ext: Option<String>,
    raw: Option<String>,
}

fn parse(value: &Value, context: &Context<'_>) -> Result<Parsed, Reason> {
    let given = text::unscreened_line(value, 60)?;
    let folded: String = text::latin_digits(&given).to_lowercase();
    if folded.chars().any(text::is_mask) || folded.contains("xx") || folded.contains("##") {
        return Err(Reason::Masked);
    }
    if text::is_placeholder(&folded) {
        return Err(Reason::Placeholder);
    }
    let (number, ext) = split_extension(folded.trim_start_matches("tel:").trim());
    let dialled = dialled(number)?;
    let digits = dialled.trim_start_matches('+');
    let national = if dialled.starts_with('+') {
        dialled.get(1 + code_length(&dialled)..)
    } else {
        Some(digits)
    };
    if text::is_filler(digits) || national.is_some_and(text::is_filler) || digits.bytes().all(|b| b == b'0') {
        return Err(Reason::Placeholder);
    }
    let e164 = e164(&dialled, context).ok_or(if card::is_number(digits) {
        Reason::CardNumber
    } else {
        Reason::InvalidPhone
    })?;
    let national = e164.get(1 + code_length(&e164)..).unwrap_or_default();
    if text::is_filler(national) {
        return Err(Reason::Placeholder);
    }
    Ok(Parsed {
        raw: (given != e164).then_some(given),
        ext,
        e164,
    })
}

/// Digits with a `+` before them when they begin with a country code.
fn dialled(number: &str) -> Result<String, Reason> {
    // "(+49) 160 …"
    let number = number
        .strip_prefix("(+")
        .and_then(|n| n.split_once(')'))
        .map_or_else(|| number.to_owned(), |(code, rest)| format!("+{code} {rest}"));
    // "+44 (0)20 …": the zero is dialled only inside the country.
    let number = if number.starts_with('+') {
        number.replace("(0)", "")
    } else {
        number
    };
    let known = |c: char| {
        c.is_ascii_digit()
            || matches!(
                c,
                ' ' | '(' | ')' | '-' | '.' | '/' | '‐' | '–' | '—' | '\u{2212}'
            )
    };
    let body = number.strip_prefix('+').unwrap_or(&number);
    if !body.chars().all(known) {
        return Err(Reason::InvalidPhone);
    }
    let digits: String = body.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return Err(Reason::InvalidPhone);
    }
    Ok(if number.starts_with('+') {
        format!("+{digits}")
    } else {
        digits
    })
}

fn split_extension(number: &str) -> (&str, Option<String>) {
    for mark in [";ext=", "extension", "ext.", "ext", "转", "доб.", "x", "#"] {
        if let Some((number, ext)) = number.rsplit_once(mark) {
            let ext: String = ext.chars().filter(|c| !matches!(c, ' ' | '.' | ':')).collect();
            if (1..=8).contains(&ext.len()) && ext.bytes().all(|b| b.is_ascii_digit()) {
                return (number.trim_end_matches([' ', ',', ';']), Some(ext));
            }
        }
    }
    (number, None)
}

/// As written with a country code; else in the region; else, with the eleven digits of a Chinese mobile, in China;
/// else with a country code that lacks its plus.
fn e164(dialled: &str, context: &Context<'_>) -> Option<String> {
    if dialled.starts_with('+') {
        return international(dialled);
    }
    let region = context.region.and_then(|r| r.parse::<country::Id>().ok());
    let local = region.and_then(|region| {
        let number = phonenumber::parse(Some(region), dialled).ok()?;
        number
            .is_valid()
            .then(|| number.format().mode(Mode::E164).to_string())
    });
    local
        .or_else(|| international(&format!("+{}", dialled.strip_prefix("00")?)))
        .or_else(|| international(&chinese_mobile(dialled)?))
        .or_else(|| {
            (dialled.len() > 10 && is_valid(dialled)).then(|| international(&format!("+{dialled}")))?
        })
}

fn chinese_mobile(digits: &str) -> Option<String> {
    let mobile = digits
        .strip_prefix("86")
        .filter(|rest| rest.len() == 11)
        .unwrap_or(digits);
    let fits =
        mobile.len() == 11 && mobile.starts_with('1') && !matches!(mobile.get(1..2), Some("0" | "1" | "2"));
    fits.then(|| format!("+86{mobile}"))
}

/// Numbers with a country code may be of a range too new for the metadata, or reserved for examples: their length
/// must be one that the country has.
fn international(dialled: &str) -> Option<String> {
    if relays::of_phone(dialled).is_some() && (10..=16).contains(&dialled.len()) {
        return Some(dialled.to_owned());
    }
    let number = phonenumber::parse(None, dialled).ok()?;
    let e164 = number.format().mode(Mode::E164).to_string();
    let national = e164
        .len()
        .checked_sub(1 + number.code().value().to_string().len())?;
    // The length first: it tells of nearly all, and the patterns cost as much as all the rest of a phone.
    (possible(number.code().value(), national) || number.is_valid()).then_some(e164)
}

fn possible(code: u16, national: usize) -> bool {
    let regions = DATABASE.region(&code).unwrap_or_default();
    regions
        .iter()
        .filter_map(|region| DATABASE.by_id(*region))
        .any(|meta| {
            let all = meta.descriptors();
            let kinds = [
                all.fixed_line(),
                all.mobile(),
                all.toll_free(),
                all.voip(),
                all.uan(),
                all.personal_number(),
            ];
            let mut lengths = kinds
                .into_iter()
                .flatten()
                .flat_map(|kind| kind.possible_length());
            lengths.any(|length| usize::from(*length) == national)
        })
}

/// Whether these digits, with a `+` before them, are a phone.
pub(super) fn is_valid(digits: &str) -> bool {
    digits.len() <= 15
        && digits.bytes().all(|b| b.is_ascii_digit())
        && phonenumber::parse(None, format!("+{digits}")).is_ok_and(|n| n.is_valid())
}

/// The length of the country code (ITU-T E.164 annex): one digit in zones 1 and 7, two for the early ones, else three.
fn code_length(e164: &str) -> usize {
    const TWO: &str = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98";
    let two = e164.get(1..3).unwrap_or_default();
    if two.starts_with(['1', '7']) {
        1
    } else if TWO.split(' ').any(|code| code == two) {
        2
    } else {
        3
    }
}

/// The number as the source wrote it, kept for showing: it must hold the number's last digits and little else.
fn raw(value: &Value, parsed: Option<&Parsed>) -> Result<String, Reason> {
    let raw = text::unscreened_line(value, 60)?;
    let digits: String = text::latin_digits(&raw)
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let Some(e164) = parsed.map(|p| p.e164.as_str()) else {
        return Err(Reason::Invalid);
    };
    let tail = e164.get(e164.len().saturating_sub(5)..).unwrap_or_default();
    if digits.contains(tail) && digits.len() <= e164.len() + 10 {
        Ok(raw)
    } else {
        Err(Reason::Inconsistent)
    }
}

fn extension(value: &Value) -> Result<String, Reason> {
    let ext = text::line(value, 20)?;
    if ext.len() <= 8 && ext.bytes().all(|b| b.is_ascii_digit()) {
        Ok(ext)
    } else {
        Err(Reason::Invalid)
    }
}
