//! Government documents: identity documents and residence permits.

use chrono::Datelike;
use serde_json::Value;

use super::{
    Context, LONGEST_LINE, Reason, TokenKind, card, date,
    item::{Checked, Item},
    mrz, place,
    resident::resident,
    scalar::{flag, word},
    text,
};
use crate::base::{Field, IndexKind};

const TYPES: [&str; 11] = [
    "passport",
    "national_id",
    "cn_resident_id",
    "cn_hkmo_permit",
    "cn_tw_permit",
    "cn_foreign_pr",
    "driver_licence",
    "residence_permit",
    "visa",
    "social",
    "other",
];

/// `{type, number, issuing_country?, issued_on?, expires_on?, issued_place?, support_number?, primary?, verified_at?}`;
/// `mrz` is read and thrown away, `image_ref` is refused.
pub(super) fn document(field: &Field, value: &Value, context: &Context<'_>) -> Checked {
    let mut item = Item::open(value)?;
    let zone = zone(&mut item, context);
    let said = zone.as_ref();
    let kind = item
        .need_or("type", said.map(|z| z.kind), |given| word(given, &TYPES))
        .and_then(text_of);
    let country = country(&mut item, said.map(|z| z.issuer.as_str()));
    let mut read = None;
    item.need_or("number", said.map(|z| z.number.as_str()), |given| {
        let number = Number::read(
            given,
            kind.as_deref().unwrap_or("other"),
            country.as_deref(),
            context,
        )?;
        let stored = number.number.clone();
        read = Some(number);
        Ok(stored)
    });
    dates(&mut item, context, said.and_then(|z| z.expires.as_deref()));
    item.may("issued_place", |given| text::line(given, LONGEST_LINE));
    item.may("support_number", |given| plain_number(given, 20));
    item.may("primary", flag);
    item.may("verified_at", date::moment);
    if item.given("image_ref").is_some() {
        item.flaw("image_ref", Reason::ImageRefused);
    }
    if let Some(number) = read {
        settle(field, &mut item, &number, said);
    }
    item.close()
}

fn zone(item: &mut Item<'_>, context: &Context<'_>) -> Option<mrz::Zone> {
    match mrz::read(item.given("mrz")?, context.today) {
        Ok(zone) => {
            item.aside(zone.aside());
            Some(zone)
        }
        Err(reason) => {
            item.flaw("mrz", reason);
            None
        }
    }
}

fn country(item: &mut Item<'_>, otherwise: Option<&str>) -> Option<String> {
    if let (Some(issuer), None) = (otherwise, item.given("issuing_country")) {
        let country = place::issuer(&issuer.into()).ok()?;
        return text_of(item.put("issuing_country", country));
    }
    item.may("issuing_country", place::issuer).and_then(text_of)
}

fn dates(item: &mut Item<'_>, context: &Context<'_>, expires: Option<&str>) {
    let today = context.today.to_string();
    item.may("issued_on", |given| {
        let day = date::day(given)?;
        if day > today {
            Err(Reason::InFuture)
        } else {
            Ok(day)
        }
    });
    item.may("expires_on", date::day);
    if let (Some(expires), None) = (expires, item.text("expires_on")) {
        item.put("expires_on", expires);
    }
}

/// What the number itself tells about its document.
fn settle(field: &Field, item: &mut Item<'_>, number: &Number, zone: Option<&mrz::Zone>) {
    if zone.is_some_and(|z| text::compact(&z.number) != number.number) {
        item.fail("number", Reason::Inconsistent);
        return;
    }
    if let Some((kind, country)) = number.found {
        item.put("type", kind);
        item.put("issuing_country", country);
    }
    if field.index.contains(&IndexKind::Exact) {
        // Without the type: sources disagree about it more often than two types share a number.
        let country = item.text("issuing_country").unwrap_or_default().to_owned();
        item.token(TokenKind::Document, &[&country, &number.number]);
    }
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

struct Number {
    number: String,
    /// The type and country that the number proves by itself.
    found: Option<(&'static str, &'static str)>,
}

impl Number {
    fn read(value: &Value, kind: &str, country: Option<&str>, context: &Context<'_>) -> Result<Self, Reason> {
        let number = plain_number(value, 30)?;
        let chinese = country.is_none_or(|c| c == "CN");
        if kind == "cn_resident_id" || (kind == "national_id" && country == Some("CN")) {
            return resident(&number, context.today).map(Self::resident);
        }
        if kind == "other"
            && chinese
            && (country.is_some() || number.len() == 18)
            && let Ok(read) = resident(&number, context.today)
        {
            return Ok(Self::resident(read));
        }
        if is_card(&number) {
            return Err(Reason::CardNumber);
        }
        let number = of_type(number, kind, country, context)?;
        Ok(Self { number, found: None })
    }

    fn resident(read: super::resident::Resident) -> Self {
        Self {
            number: read.number,
            found: Some(("cn_resident_id", "CN")),
        }
    }
}

fn of_type(
    number: String,
    kind: &str,
    country: Option<&str>,
    context: &Context<'_>,
) -> Result<String, Reason> {
    let fits = match kind {
        "passport" => return passport(number),
        "cn_hkmo_permit" => permit(&number, &['H', 'M'], &[8, 10]),
        "cn_tw_permit" => (8..=12).contains(&number.len()),
        "cn_foreign_pr" if number.len() == 18 => return resident(&number, context.today).map(|r| r.number),
        "cn_foreign_pr" => number.len() == 15,
        "national_id" | "residence_permit" if country == Some("ES") => return spanish(number),
        _ => (3..=30).contains(&number.len()),
    };
    if fits {
        Ok(number)
    } else {
        Err(Reason::InvalidDocument)
    }
}

/// At most nine places (Doc 9303-4 §4.2.2); a tenth is the check digit that the zone prints after it.
fn passport(number: String) -> Result<String, Reason> {
    match number.len() {
        5..=9 => Ok(number),
        10 => {
            let (body, check) = number.split_at_checked(9).ok_or(Reason::InvalidDocument)?;
            let right = check.parse() == Ok(mrz::check_digit(body));
            if right {
                Ok(body.to_owned())
            } else {
                Err(Reason::BadCheckDigit)
            }
        }
        _ => Err(Reason::InvalidDocument),
    }
}

fn permit(number: &str, letters: &[char], lengths: &[usize]) -> bool {
    number
        .strip_prefix(letters)
        .is_some_and(|rest| lengths.contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_digit()))
}

/// DNI and NIE: eight digits (the first may be X, Y or Z) and the letter of their remainder by 23.
fn spanish(number: String) -> Result<String, Reason> {
    const LETTERS: &str = "TRWAGMYFPDXBNJZSQVHLCKE";
    let digits = number
        .get(..8)
        .unwrap_or_default()
        .replacen('X', "0", 1)
        .replacen('Y', "1", 1)
        .replacen('Z', "2", 1);
    let letter = number.chars().nth(8);
    let Some(value) = digits.parse::<usize>().ok().filter(|_| number.len() == 9) else {
        // Other Spanish cards (a support number given as the number, say) have other shapes.
        return if (6..=12).contains(&number.len()) {
            Ok(number)
        } else {
            Err(Reason::InvalidDocument)
        };
    };
    if LETTERS.chars().nth(value % 23) == letter {
        Ok(number)
    } else {
        Err(Reason::BadCheckDigit)
    }
}

/// Personal numbers of 13 digits (South Africa's) are no cards, which are longer today; nor are 18 places around a
/// birth date, whatever their check character says.
fn is_card(number: &str) -> bool {
    let born = number.get(6..14).filter(|_| number.len() == 18);
    let born = born.and_then(|day| chrono::NaiveDate::parse_from_str(day, "%Y%m%d").ok());
    let personal = born.is_some_and(|day| (1880..2100).contains(&day.year()));
    number.len() >= 14 && !personal && card::is_number(number)
}

/// Capitals and digits, without separators; with a digit, or at least not a word such as `PASSPORT`.
fn plain_number(value: &Value, longest: usize) -> Result<String, Reason> {
    let given = text::unscreened_line(value, LONGEST_LINE)?;
    let number = text::compact(&given);
    if number.chars().any(text::is_mask) || number.contains("XXXX") {
        return Err(Reason::Masked);
    }
    if text::is_placeholder(&given) || text::is_filler(&number) {
        return Err(Reason::Placeholder);
    }
    if number.len() > longest {
        return Err(Reason::TooLong);
    }
    if number.bytes().all(|b| b.is_ascii_alphanumeric())
        && (number.bytes().any(|b| b.is_ascii_digit()) || !number.contains(['A', 'E', 'I', 'O', 'U']))
    {
        Ok(number)
    } else {
        Err(Reason::InvalidDocument)
    }
}

/// `{kind?, number, valid_to?, issuing_country?}`.
pub(super) fn residence_permit(field: &Field, value: &Value, _: &Context<'_>) -> Checked {
    let mut item = Item::open(value)?;
    item.may("kind", |given| {
        word(
            given,
            &["visa", "temporary", "permanent", "registration", "other"],
        )
    });
    item.may("issuing_country", place::issuer);
    item.may("valid_to", date::day);
    let number = item.need("number", |given| {
        let number = plain_number(given, 30)?;
        if is_card(&number) {
            Err(Reason::CardNumber)
        } else {
            Ok(number)
        }
    });
    let number = number.and_then(text_of);
    if let (Some(number), true) = (number, field.index.contains(&IndexKind::Exact)) {
        item.token(TokenKind::ResidencePermit, &[&number]);
    }
    item.close()
}
