//! Invoice particulars and taxpayers' numbers.

use serde_json::Value;

use super::{
    Context, LONGEST_LINE, Reason, TokenKind, card,
    item::{Checked, Item},
    place,
    resident::resident,
    text,
};
use crate::base::{Field, IndexKind};

/// VAT numbers by the country's prefix: lengths after it (VIES), and whether letters may stand there.
const VAT: &[(&str, &str, &[usize], bool)] = &[
    ("AT", "AT", &[9], true),
    ("BE", "BE", &[10], false),
    ("BG", "BG", &[9, 10], false),
    ("CH", "CH", &[10, 12, 13], true),
    ("CY", "CY", &[9], true),
    ("CZ", "CZ", &[8, 9, 10], false),
    ("DE", "DE", &[9], false),
    ("DK", "DK", &[8], false),
    ("EE", "EE", &[9], false),
    ("GR", "EL", &[9], false),
    ("ES", "ES", &[9], true),
    ("FI", "FI", &[8], false),
    ("FR", "FR", &[11], true),
    ("GB", "GB", &[9, 12], false),
    ("HR", "HR", &[11], false),
    ("HU", "HU", &[8], false),
    ("IE", "IE", &[8, 9], true),
    ("IT", "IT", &[11], false),
    ("LT", "LT", &[9, 12], false),
    ("LU", "LU", &[8], false),
    ("LV", "LV", &[11], false),
    ("MT", "MT", &[8], false),
    ("NL", "NL", &[12], true),
    ("PL", "PL", &[10], false),
    ("PT", "PT", &[9], false),
    ("RO", "RO", &[2, 3, 4, 5, 6, 7, 8, 9, 10], false),
    ("SE", "SE", &[12], false),
    ("SI", "SI", &[8], false),
    ("SK", "SK", &[10], false),
];

/// `{title?, tax_id?, country?, address?, bank?}`, with a title or a number.
pub(super) fn tax_invoice(field: &Field, value: &Value, context: &Context<'_>) -> Checked {
    let mut item = Item::open(value)?;
    item.may("title", |given| text::line(given, LONGEST_LINE));
    let country = item
        .may("country", place::country)
        .and_then(|c| c.as_str().map(ToOwned::to_owned));
    let id = item.may("tax_id", |given| tax_id(given, country.as_deref(), context));
    let id = id.and_then(|id| id.as_str().map(ToOwned::to_owned));
    item.may("address", |given| text::line(given, LONGEST_LINE));
    item.may("bank", |given| text::line(given, LONGEST_LINE));
    if item.text("title").is_none() && id.is_none() {
        item.fail("tax_id", Reason::Missing);
    }
    if let (Some(id), true) = (id, field.index.contains(&IndexKind::Exact)) {
        item.token(TokenKind::TaxId, &[&id]);
    }
    item.close()
}

fn tax_id(value: &Value, country: Option<&str>, context: &Context<'_>) -> Result<String, Reason> {
    let id = text::compact(&text::unscreened_line(value, 60)?);
    if id.chars().any(text::is_mask) || id.contains("XXXX") {
        return Err(Reason::Masked);
    }
    if text::is_placeholder(&id) || text::is_filler(&id) {
        return Err(Reason::Placeholder);
    }
    if !id.bytes().all(|b| b.is_ascii_alphanumeric()) || !(4..=20).contains(&id.len()) {
        return Err(Reason::Invalid);
    }
    if let Some(verdict) = vat(&id, country) {
        return verdict.map(|()| id);
    }
    if id.len() == 18 && country.or(context.region) == Some("CN") {
        return chinese(&id, context).map(|()| id);
    }
    if card::is_number(&id) {
        Err(Reason::CardNumber)
    } else {
        Ok(id)
    }
}

/// A company's unified social credit code, or a person's resident number.
fn chinese(id: &str, context: &Context<'_>) -> Result<(), Reason> {
    if is_credit_code(id) || resident(id, context.today).is_ok() {
        Ok(())
    } else {
        Err(Reason::BadCheckDigit)
    }
}

/// GB 32100-2015: 31 characters without I, O, S, V and Z; powers of 3; MOD 31.
fn is_credit_code(id: &str) -> bool {
    const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let places: Option<Vec<usize>> = id.chars().map(|c| ALPHABET.find(c)).collect();
    let Some((check, body)) = places.as_deref().and_then(<[usize]>::split_last) else {
        return false;
    };
    let mut weight = 1;
    let mut sum = 0;
    for place in body {
        sum += place * weight;
        weight = weight * 3 % 31;
    }
    body.len() == 17 && (31 - sum % 31) % 31 == *check
}

/// Whether a number with a VAT prefix has the shape of its country; `None` when it has no such prefix.
fn vat(id: &str, country: Option<&str>) -> Option<Result<(), Reason>> {
    let (_, prefix, lengths, letters) = VAT.iter().find(|(of, prefix, _, _)| {
        id.starts_with(prefix) && country.is_none_or(|c| c == *of) && id.len() > prefix.len()
    })?;
    let rest = id.get(prefix.len()..)?;
    let digits = rest.bytes().filter(u8::is_ascii_digit).count();
    // A number that merely begins with the same two letters (a British company's, say) has few digits after them.
    if country.is_none() && digits * 2 < rest.len() {
        return None;
    }
    let fits = lengths.contains(&rest.len()) && (*letters || digits == rest.len());
    Some(if fits { Ok(()) } else { Err(Reason::Invalid) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SourceSystem;

    fn check(id: &str, country: Option<&str>, region: &str) -> Result<String, Reason> {
        let source: SourceSystem = "pms".parse().unwrap();
        let today = chrono::NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        tax_id(
            &id.into(),
            country,
            &Context {
                region: Some(region),
                today,
                source: &source,
                departure: None,
            },
        )
    }

    /// The code is an example printed in many guides to GB 32100-2015.
    #[test]
    fn credit_codes_have_their_check_character() {
        assert!(is_credit_code("91350100M000100Y43"));
        for wrong in [
            "91350100M000100Y44",
            "91350100M000100Y4",
            "",
            "91350100M000100Y4I",
            "王",
        ] {
            assert!(!is_credit_code(wrong), "{wrong}");
        }
        assert_eq!(
            check("91350100M000100Y43", Some("CN"), "PT"),
            Ok("91350100M000100Y43".into())
        );
        assert_eq!(
            check("91350100M000100Y44", None, "CN"),
            Err(Reason::BadCheckDigit)
        );
        assert_eq!(
            check("11010519491231002X", None, "CN"),
            Ok("11010519491231002X".into())
        );
    }

    #[test]
    fn vat_numbers_have_their_country_s_shape() {
        for (id, stored) in [
            ("PT 501 442 600", "PT501442600"),
            ("DE123456788", "DE123456788"),
            ("ATU12345678", "ATU12345678"),
            ("NL123456782B01", "NL123456782B01"),
            ("EL123456783", "EL123456783"),
            ("123456783", "123456783"),
        ] {
            assert_eq!(check(id, None, "PT"), Ok(stored.into()), "{id}");
        }
        for (id, why) in [
            ("PT50144260", Reason::Invalid),
            ("DE12345678A", Reason::Invalid),
            ("*****", Reason::Masked),
            ("000000000", Reason::Placeholder),
            ("12", Reason::Invalid),
            ("4111 1111 1111 1111", Reason::CardNumber),
        ] {
            assert_eq!(check(id, None, "PT"), Err(why), "{id}");
        }
    }
}
