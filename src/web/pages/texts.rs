//! Texts by language. A language is one file of `texts/`, named in `FILES`; all have the same keys.

use std::{collections::BTreeMap, sync::LazyLock};

use actix_web::http::header::HeaderMap;
use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use toml::{Table, Value};

/// The catalogues; the first is what a browser gets that asks for none of them. The console's texts lie beside it.
const FILES: &[&str] = &[
    concat!(
        include_str!("texts/en.toml"),
        include_str!("../../console/texts/en.toml")
    ),
    concat!(
        include_str!("texts/zh.toml"),
        include_str!("../../console/texts/zh.toml")
    ),
];

static ALL: LazyLock<Vec<Language>> = LazyLock::new(|| FILES.iter().filter_map(|text| read(text)).collect());

/// A catalogue.
pub struct Language {
    code: String,
    name: String,
    texts: BTreeMap<String, String>,
}

/// All languages, the first for whoever asks for none of them.
#[must_use]
pub fn languages() -> &'static [Language] {
    &ALL
}

fn read(text: &str) -> Option<Language> {
    let table: Table = text.parse().ok()?;
    let mut texts = BTreeMap::new();
    for (section, inner) in &table {
        flatten(section, inner, &mut texts);
    }
    Some(Language {
        code: texts.get("language.code")?.clone(),
        name: texts.get("language.name")?.clone(),
        texts,
    })
}

fn flatten(key: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (name, inner) in table {
                flatten(&format!("{key}.{name}"), inner, into);
            }
        }
        Value::String(text) => {
            into.insert(key.to_owned(), text.clone());
        }
        _ => {}
    }
}

impl Language {
    /// Its tag (BCP 47).
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What its speakers call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text of a key, if there is one.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }

    /// The text of a key. A key that is nowhere shows itself; a test holds that templates name none such.
    #[must_use]
    pub fn text<'t>(&'t self, key: &'t str) -> &'t str {
        self.find(key).unwrap_or(key)
    }

    /// The text of a key with its `{name}`s filled in.
    #[must_use]
    pub fn filled(&self, key: &str, values: &[(&str, &str)]) -> String {
        let mut text = self.text(key).to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    /// The text of a word of the contract, such as a role or a state; the word itself, spelt for people, where there is
    /// none. Keys are `kind.word`, with `_` for the dots and colons of the word.
    #[must_use]
    pub fn word(&self, kind: &str, code: &str) -> String {
        let key = format!("{kind}.{}", code.replace(['.', ':'], "_"));
        let spelt = || code.rsplit('.').next().unwrap_or(code).replace(['_', ':'], " ");
        self.find(&key).map_or_else(spelt, str::to_owned)
    }

    /// A day as people write it.
    #[must_use]
    pub fn day(&self, year: i32, month: u32, day: u32) -> String {
        let name = self.text(&format!("month.m{month}")).to_owned();
        let (year, month, day) = (year.to_string(), month.to_string(), day.to_string());
        self.filled(
            "date.day",
            &[
                ("year", &year),
                ("month", &month),
                ("month_name", &name),
                ("day", &day),
            ],
        )
    }

    /// The day of a time, in UTC.
    #[must_use]
    pub fn date(&self, at: &DateTime<Utc>) -> String {
        self.day(at.year(), at.month(), at.day())
    }

    /// A time as people write it, in UTC.
    #[must_use]
    pub fn time(&self, at: &DateTime<Utc>) -> String {
        let clock = format!("{:02}:{:02}", at.hour(), at.minute());
        self.filled("date.time", &[("day", &self.date(at)), ("clock", &clock)])
    }

    /// The keys, for whoever compares catalogues.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }
}

/// The language of this tag, or of its main part (`zh-TW` is served with `zh`).
pub(super) fn of_tag(tag: &str) -> Option<&'static Language> {
    let main = tag.split('-').next().unwrap_or(tag);
    let is = |language: &&Language, wanted: &str| language.code.eq_ignore_ascii_case(wanted);
    ALL.iter()
        .find(|language| is(language, tag))
        .or_else(|| ALL.iter().find(|language| is(language, main)))
}

/// What a browser likes best of what there is (RFC 9110 §12.5.4).
pub(super) fn preferred(headers: &HeaderMap) -> Option<&'static Language> {
    let text = headers.get("accept-language")?.to_str().ok()?;
    let mut wanted: Vec<(&str, f32)> = text
        .split(',')
        .take(20)
        .filter_map(|part| {
            let mut words = part.split(';').map(str::trim);
            let tag = words.next()?;
            let weight = words.find_map(|w| w.strip_prefix("q=")?.parse().ok());
            Some((tag, weight.unwrap_or(1.0)))
        })
        .collect();
    wanted.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let liked = wanted.into_iter().filter(|(_, weight)| *weight > 0.0);
    liked.map(|(tag, _)| tag).find_map(of_tag)
}

/// For whoever asks for none of the languages: the first, which the build holds.
pub(super) fn fallback() -> &'static Language {
    static EMPTY: LazyLock<Language> = LazyLock::new(|| Language {
        code: "en".to_owned(),
        name: "English".to_owned(),
        texts: BTreeMap::new(),
    });
    ALL.first().unwrap_or(&EMPTY)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderValue};

    use super::*;

    #[test]
    fn every_catalogue_is_read_and_has_the_same_keys_and_places() {
        assert_eq!(ALL.len(), FILES.len());
        let first: BTreeSet<&str> = ALL[0].keys().collect();
        assert!(first.len() > 20);
        let places = |text: &str| -> BTreeSet<String> {
            text.split('{')
                .skip(1)
                .filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()))
                .collect()
        };
        for language in languages() {
            let keys: BTreeSet<&str> = language.keys().collect();
            assert_eq!(keys, first, "{}", language.code());
            for key in keys.iter().filter(|key| !key.starts_with("date.")) {
                let text = language.text(key);
                assert!(!text.trim().is_empty(), "{} {key}", language.code());
                assert_eq!(
                    places(text),
                    places(ALL[0].text(key)),
                    "{} {key}",
                    language.code()
                );
            }
        }
    }

    /// Keys that templates and code name, wherever they stand as a plain text.
    #[test]
    fn every_key_that_a_template_names_exists() {
        let mut todo = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        let (mut seen, mut missing) = (0, Vec::new());
        while let Some(path) = todo.pop() {
            if path.is_dir() {
                todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            if path.extension().is_none_or(|e| e != "html") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for call in ["page.t(\"", "page.f(\"", "page.f2(\""] {
                for rest in text.split(call).skip(1) {
                    let key = rest.split('"').next().unwrap();
                    seen += 1;
                    if ALL[0].find(key).is_none() {
                        missing.push(format!("{}: {key}", path.display()));
                    }
                }
            }
        }
        assert!(seen > 5);
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn the_browsers_wishes_are_followed_in_order() {
        let wish = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(text));
            preferred(&headers).map(Language::code)
        };
        assert_eq!(wish("de, zh-CN;q=0.9, en;q=0.8"), Some("zh"));
        assert_eq!(wish("en;q=0.1, zh;q=0.9"), Some("zh"));
        assert_eq!(wish("zh;q=0, en"), Some("en"));
        assert_eq!(wish("de"), None);
        assert_eq!(wish(";;q=,,"), None);
    }

    #[test]
    fn days_read_as_people_write_them() {
        assert_eq!(ALL[0].day(2026, 11, 2), "2 November 2026");
        assert_eq!(ALL[1].day(2026, 11, 2), "2026年11月2日");
    }
}
