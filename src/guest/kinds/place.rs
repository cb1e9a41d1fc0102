//! Countries (ISO 3166-1, ICAO Doc 9303-3), languages (BCP 47) and scripts (ISO 15924).

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use serde_json::Value;

use super::{Reason, text};
use crate::base::table;

static COUNTRIES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    table(include_str!("data/countries.csv"))
        .filter_map(|line| line.split_once(','))
        .flat_map(|(two, other)| [(two, two), (other, two)])
        .collect()
});

/// What a travel document can say instead of a country (ICAO Doc 9303-3 §5, parts B to D): stateless, refugee,
/// organisations, and Utopia of the specimens.
const NOT_COUNTRIES: [&str; 17] = [
    "UNO", "UNA", "UNK", "XXA", "XXB", "XXC", "XOM", "XPO", "XCC", "XCE", "XCO", "XEC", "XES", "XMP", "XBA",
    "EUE", "UTO",
];

static LANGUAGES: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    table(include_str!("data/languages.csv"))
        .flat_map(|line| {
            let two = line.split(',').next().unwrap_or_default();
            line.split(',').map(move |code| (code, two))
        })
        .collect()
});

static SCRIPTS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    table(include_str!("data/scripts.txt"))
        .flat_map(str::split_whitespace)
        .collect()
});

/// The letters by which hotel systems have long named languages.
const LEGACY: [(&str, &str); 14] = [
    ("A", "ar"),
    ("C", "zh"),
    ("D", "de"),
    ("E", "en"),
    ("F", "fr"),
    ("G", "de"),
    ("H", "nl"),
    ("I", "it"),
    ("J", "ja"),
    ("K", "ko"),
    ("P", "pt"),
    ("R", "ru"),
    ("S", "es"),
    ("T", "tr"),
];

/// Chinese by its script, as hotel systems and old frameworks name it.
const CHINESE: [(&str, &str); 4] = [
    ("zh-t", "zh-Hant"),
    ("zh-s", "zh-Hans"),
    ("zh-cht", "zh-Hant"),
    ("zh-chs", "zh-Hans"),
];

/// A country as alpha-2; alpha-3 is taken too.
///
/// # Errors
/// When there is no such country.
pub(super) fn country(value: &Value) -> Result<String, Reason> {
    let given = text::line(value, 40)?.to_uppercase();
    if given == "ZZ" || given == "XX" {
        return Err(Reason::Placeholder);
    }
    // A lone D is Germany only on a travel document.
    if given.len() < 2 {
        return Err(Reason::InvalidCountry);
    }
    COUNTRIES
        .get(given.as_str())
        .map(|two| (*two).to_owned())
        .ok_or(Reason::InvalidCountry)
}

/// The alpha-2 code of a country given in any way that [`country`] takes.
pub(super) fn known(given: &str) -> Option<&'static str> {
    COUNTRIES.get(given.trim().to_uppercase().as_str()).copied()
}

/// A country or one of the other words of travel documents, such as `D`, `XXA` or `UTO`.
///
/// # Errors
/// When it is neither.
pub(super) fn issuer(value: &Value) -> Result<String, Reason> {
    let given = text::unscreened_line(value, 40)?.to_uppercase();
    let given = given.trim_end_matches('<');
    if given == "XXX" {
        return Err(Reason::Placeholder);
    }
    if NOT_COUNTRIES.contains(&given) {
        return Ok(given.to_owned());
    }
    if given == "D" {
        return Ok("DE".into());
    }
    country(&Value::from(given))
}

/// A language tag in its canonical case; three-letter codes and the old single letters become two letters.
///
/// # Errors
/// When it is not well formed or the language has no code.
pub(super) fn language(value: &Value) -> Result<String, Reason> {
    let given = text::line(value, 40)?.replace('_', "-");
    if let Some((_, tag)) = LEGACY.iter().find(|(letter, _)| given == *letter) {
        return Ok((*tag).to_owned());
    }
    if let Some((_, tag)) = CHINESE.iter().find(|(name, _)| given.eq_ignore_ascii_case(name)) {
        return Ok((*tag).to_owned());
    }
    let mut subtags = given.split('-');
    let first = subtags.next().unwrap_or_default().to_lowercase();
    if matches!(first.as_str(), "und" | "zxx" | "mul") {
        return Err(Reason::Placeholder);
    }
    let mut tag = match LANGUAGES.get(first.as_str()) {
        Some(two) => (*two).to_owned(),
        // A language of ISO 639-3 that ISO 639-1 does not name, such as `yue`.
        None if first.len() == 3 && first.bytes().all(|b| b.is_ascii_alphabetic()) => first,
        None => return Err(Reason::InvalidLanguage),
    };
    // RFC 5646 §2.2.6: a single sign opens an extension, which says something; after `x` anything goes.
    let (mut opened, mut extended, mut private) = (false, false, false);
    for subtag in subtags {
        let opens = !private && subtag.len() == 1;
        if opens && opened {
            return Err(Reason::InvalidLanguage);
        }
        opened = opens;
        extended |= opens;
        private |= opens && subtag.eq_ignore_ascii_case("x");
        tag.push('-');
        tag.push_str(&canonical(subtag, extended)?);
    }
    if opened {
        Err(Reason::InvalidLanguage)
    } else {
        Ok(tag)
    }
}

/// RFC 5646 §2.1.1: scripts in title case, regions in capitals, the rest and all extensions small.
fn canonical(subtag: &str, extended: bool) -> Result<String, Reason> {
    let length = subtag.len();
    if length == 0 || length > 8 || !subtag.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(Reason::InvalidLanguage);
    }
    if extended {
        return Ok(subtag.to_lowercase());
    }
    let letters = subtag.bytes().all(|b| b.is_ascii_alphabetic());
    match (length, letters) {
        (4, true) => script(subtag).ok_or(Reason::InvalidLanguage),
        (2, true) => {
            let region = subtag.to_uppercase();
            if COUNTRIES.contains_key(region.as_str()) {
                Ok(region)
            } else {
                Err(Reason::InvalidLanguage)
            }
        }
        _ => Ok(subtag.to_lowercase()),
    }
}

/// A script's code in its canonical case.
pub(super) fn script(given: &str) -> Option<String> {
    let (first, rest) = given.split_at_checked(1)?;
    let code = format!("{}{}", first.to_uppercase(), rest.to_lowercase());
    SCRIPTS.contains(code.as_str()).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_become_alpha_2() {
        for (given, stored) in [
            ("CN", "CN"),
            ("chn", "CN"),
            ("GBR", "GB"),
            ("XK", "XK"),
            ("rou", "RO"),
        ] {
            assert_eq!(country(&given.into()), Ok(stored.into()), "{given}");
        }
        for (given, why) in [
            ("China", Reason::InvalidCountry),
            ("UK", Reason::InvalidCountry),
            ("D", Reason::InvalidCountry),
            ("UTO", Reason::InvalidCountry),
            ("XX", Reason::Placeholder),
            ("", Reason::Empty),
        ] {
            assert_eq!(country(&given.into()), Err(why), "{given}");
        }
    }

    #[test]
    fn travel_documents_know_more_issuers() {
        for (given, stored) in [
            ("D", "DE"),
            ("D<<", "DE"),
            ("UTO", "UTO"),
            ("XXA", "XXA"),
            ("GBN", "GB"),
            ("RKS", "XK"),
        ] {
            assert_eq!(issuer(&given.into()), Ok(stored.into()), "{given}");
        }
        assert_eq!(issuer(&"QQQ".into()), Err(Reason::InvalidCountry));
    }

    #[test]
    fn languages_take_their_canonical_form() {
        for (given, stored) in [
            ("en", "en"),
            ("EN_us", "en-US"),
            ("zh-hans-cn", "zh-Hans-CN"),
            ("chi", "zh"),
            ("deu", "de"),
            ("yue", "yue"),
            ("es-419", "es-419"),
            ("E", "en"),
            ("sl-rozaj-biske", "sl-rozaj-biske"),
            ("ZH-T", "zh-Hant"),
            ("zh_S", "zh-Hans"),
            ("EN-US-U-CA-Gregory", "en-US-u-ca-gregory"),
            ("de-x-a-B", "de-x-a-b"),
        ] {
            assert_eq!(language(&given.into()), Ok(stored.into()), "{given}");
        }
        for given in [
            "english please",
            "xx",
            "en--us",
            "en-ZZ-",
            "zh-Nope",
            "e",
            "pt-t",
            "en-u-t-de",
            "en-x",
        ] {
            assert_eq!(language(&given.into()), Err(Reason::InvalidLanguage), "{given}");
        }
        assert_eq!(language(&"und".into()), Err(Reason::Placeholder));
    }
}
