//! Names: titles away, parts told apart where that can be, each in the letters it is compared by.

use super::{
    arabic, han, kana,
    text::{self, nfkc, rotation},
};

/// Words before or after a name that are no part of it.
const TITLES: [&str; 40] = [
    "mr", "mrs", "ms", "miss", "mstr", "mister", "dr", "prof", "herr", "frau", "hr", "fr", "sr", "sra",
    "srta", "don", "dona", "sir", "madam", "mme", "mlle", "monsieur", "mdm", "chd", "inf", "jr", "phd", "md",
    "ing", "dipl", "sig", "signora", "dra", "esq", "messrs", "mx", "lord", "lady", "rev", "capt",
];

/// The same in Chinese, Japanese and Arabic, at the end or the beginning.
const SUFFIXES: [&str; 13] = [
    "先生", "女士", "小姐", "太太", "夫人", "老师", "博士", "教授", "様", "さま", "さん", "殿", "氏",
];

/// Words that stand where a name should.
const NOBODY: [&str; 14] = [
    "unknown",
    "guest",
    "test",
    "tba",
    "tbc",
    "na",
    "none",
    "null",
    "noname",
    "anonymous",
    "nn",
    "xxx",
    "lastname",
    "firstname",
];

/// Which letters a name is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Script {
    Han,
    Kana,
    Arabic,
    Latin,
}

/// What is known of a name besides the name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Surroundings {
    /// Of a country where `ue` writes `ü`.
    pub(super) german: bool,
    /// Of China, Taiwan, Hong Kong, Macao, Singapore.
    pub(super) chinese: bool,
    /// Of Japan.
    pub(super) japanese: bool,
    /// Of a country whose names are written in Arabic and come in many Latin spellings.
    pub(super) arabic: bool,
    /// Some country is known.
    pub(super) known: bool,
}

/// A name in the letters it is compared by. Personal data: wiped by its [`super::Person`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Name {
    pub(super) script: Script,
    /// As written, in characters: simplified Chinese, kana, Arabic. Empty for Latin.
    pub(super) native: (String, String),
    /// Latin letters; empty when they are not known (kanji). The order may be the wrong way round.
    pub(super) family: String,
    pub(super) given: String,
    /// Every word, in Latin letters.
    pub(super) words: Vec<String>,
    /// The letters in their coarse class: Wade-Giles and pinyin alike, long vowels short.
    pub(super) loose: (String, String),
    /// Consonants of every word, for Arabic names.
    pub(super) bones: Vec<String>,
    /// A Chinese, Japanese or Korean name, in whatever letters.
    pub(super) eastern: bool,
    pub(super) japanese: bool,
    pub(super) german: bool,
    /// An Arabic name, in whatever letters.
    pub(super) arabic: bool,
    /// Which part is the surname is not known.
    pub(super) whole: bool,
}

impl Name {
    pub(super) fn wipe(&mut self) {
        use zeroize::Zeroize as _;
        for text in [
            &mut self.native.0,
            &mut self.native.1,
            &mut self.family,
            &mut self.given,
            &mut self.loose.0,
            &mut self.loose.1,
        ] {
            text.zeroize();
        }
        self.words.zeroize();
        self.bones.zeroize();
    }

    /// All its Latin letters, order-free.
    pub(super) fn joined(&self) -> String {
        rotation(&format!("{}{}", self.family, self.given))
    }

    /// All its coarse letters, order-free.
    pub(super) fn joined_loose(&self) -> String {
        rotation(&format!("{}{}", self.loose.0, self.loose.1))
    }

    /// All its characters, order-free.
    pub(super) fn joined_native(&self) -> String {
        rotation(&format!("{}{}", self.native.0, self.native.1))
    }
}

/// A name as its source gave it: a surname and a given name, or all of it in one of them.
pub(super) fn read(surname: &str, given: &str, around: Surroundings) -> Option<Name> {
    let (surname, given) = (nfkc(surname), nfkc(given));
    let (surname, given) = match (surname.trim(), given.trim()) {
        ("", whole) | (whole, "") => match whole.split_once('/') {
            Some((surname, given)) => (surname.to_owned(), given.to_owned()),
            None => (whole.to_owned(), String::new()),
        },
        (surname, given) => (surname.to_owned(), given.to_owned()),
    };
    let (surname, given) = (untitled(&surname), untitled(&given));
    let all = || surname.chars().chain(given.chars());
    let letters = all().filter(|c| c.is_alphabetic()).count();
    if letters == 0 || all().any(|c| matches!(c, '*' | '＊' | '•')) {
        return None;
    }
    if all().any(kana::is_kana) {
        return japanese(&surname, &given);
    }
    if all().any(han::is_han) {
        return chinese(&surname, &given, around);
    }
    latin(&surname, &given, around)
}

fn untitled(name: &str) -> String {
    let mut name = name.trim();
    for suffix in SUFFIXES {
        if let Some(rest) = name.strip_suffix(suffix)
            && !rest.trim().is_empty()
        {
            name = rest.trim();
        }
    }
    let is_title = |word: &str| {
        let plain = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        TITLES.contains(&plain.as_str())
    };
    let kept: Vec<&str> = name
        .split([' ', ',', '\u{3000}'])
        .filter(|word| !word.is_empty() && !is_title(word))
        .collect();
    // A name that is nothing but a title is a name.
    if kept.is_empty() {
        name.to_owned()
    } else {
        kept.join(" ")
    }
}

fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric() || *c == 'ー')
        .collect()
}

fn japanese(surname: &str, given: &str) -> Option<Name> {
    let native = (squeezed(surname), squeezed(given));
    // Kanji between kana have no reading here.
    let romaji = |text: &str| {
        if text.chars().any(han::is_han) {
            String::new()
        } else {
            kana::folded(&kana::romaji(text))
        }
    };
    let (mut family, mut first) = (romaji(&native.0), romaji(&native.1));
    if first.is_empty()
        && let Some((a, b)) = surname.split_once(' ')
    {
        (family, first) = (romaji(&squeezed(a)), romaji(&squeezed(b)));
    }
    (!native.0.is_empty() || !native.1.is_empty()).then(|| Name {
        script: Script::Kana,
        whole: native.1.is_empty() && first.is_empty(),
        words: [family.clone(), first.clone()]
            .into_iter()
            .filter(|w| !w.is_empty())
            .collect(),
        loose: (family.clone(), first.clone()),
        family,
        given: first,
        native,
        bones: Vec::new(),
        eastern: true,
        japanese: true,
        german: false,
        arabic: false,
    })
}

fn chinese(surname: &str, given: &str, around: Surroundings) -> Option<Name> {
    let characters = |text: &str| {
        han::simplified(&squeezed(text))
            .chars()
            .filter(|c| han::is_han(*c))
            .collect::<String>()
    };
    let (mut family, mut first) = (characters(surname), characters(given));
    let mut whole = false;
    let japanese = around.japanese && !around.chinese;
    if first.is_empty() || family.is_empty() {
        let all = format!("{family}{first}");
        let spaced = surname.split_once(' ').filter(|_| first.is_empty());
        (family, first) = match spaced {
            Some((a, b)) => (characters(a), characters(b)),
            None if japanese => han::split_japanese(&all),
            None => han::split(&all),
        };
        whole = spaced.is_none();
    } else if !japanese && family.chars().count() == 2 && first.chars().count() == 1 {
        // `小明` `王`: a surname has one character unless it is one of the double ones.
        let joined = format!("{family}{first}");
        if han::split(&joined).0.chars().count() == 1 {
            std::mem::swap(&mut family, &mut first);
        }
    }
    if family.is_empty() {
        return None;
    }
    let reading = |text: &str, surname: bool| {
        if japanese {
            String::new()
        } else {
            han::pinyin(text, surname)
        }
    };
    let (sound, given) = (reading(&family, true), reading(&first, false));
    Some(Name {
        script: Script::Han,
        loose: (han::loose(&sound), han::loose(&given)),
        words: [sound.clone(), given.clone()]
            .into_iter()
            .filter(|w| !w.is_empty())
            .collect(),
        family: sound,
        given,
        native: (family, first),
        bones: Vec::new(),
        eastern: true,
        japanese,
        german: false,
        arabic: false,
        whole,
    })
}

/// `ä`, `ö`, `ü`, `ß` in a name say more of its origin than a country does.
fn has_umlaut(text: &str) -> bool {
    text.chars()
        .any(|c| matches!(c.to_lowercase().next(), Some('ä' | 'ö' | 'ü' | 'ß')))
}

/// Umlauts as plain vowels however they are written; only where German is spoken, elsewhere `ue` is `ue`.
fn without_umlauts(word: &str) -> String {
    word.replace("ae", "a").replace("oe", "o").replace("ue", "u")
}

fn latin(surname: &str, given: &str, around: Surroundings) -> Option<Name> {
    let is_arabic = surname.chars().chain(given.chars()).any(arabic::is_arabic);
    let german = around.german || has_umlaut(surname) || has_umlaut(given);
    let split = |text: &str| -> Vec<String> {
        let mut words = text::words(text);
        for word in &mut words {
            word.retain(|c| c.is_ascii_alphabetic());
            if german {
                *word = without_umlauts(word);
            }
        }
        words.retain(|word| !word.is_empty());
        words
    };
    let (family, first) = (split(surname), split(given));
    let mut words: Vec<String> = family.iter().chain(&first).cloned().collect();
    if words.is_empty() || (words.len() == 1 && words.iter().all(|w| NOBODY.contains(&w.as_str()))) {
        return None;
    }
    let bones = |text: &str| -> Vec<String> {
        text.split([' ', ',', '-'])
            .filter(|word| !arabic::is_particle(word))
            .map(arabic::skeleton)
            .filter(|bones| !bones.is_empty())
            .collect()
    };
    let bones = [bones(surname), bones(given)].concat();
    let native = if is_arabic {
        (squeezed(surname), squeezed(given))
    } else {
        (String::new(), String::new())
    };
    let looks_chinese = !around.known && {
        let short = family.join("").len() + first.join("").len() <= 18;
        short && (family.len() == 1 && family.iter().all(|w| han::is_surname(w)))
    };
    let mut name = Name {
        script: if is_arabic { Script::Arabic } else { Script::Latin },
        native,
        family: family.join(""),
        given: first.join(""),
        loose: (String::new(), String::new()),
        bones,
        eastern: !is_arabic && (around.chinese || around.japanese || looks_chinese),
        japanese: around.japanese && !around.chinese,
        german,
        arabic: is_arabic
            || around.arabic
            || (!around.known && words.iter().any(|w| w.len() >= 6 && w.starts_with("al"))),
        whole: first.is_empty() || family.is_empty(),
        words: Vec::new(),
    };
    if name.eastern {
        settle(&mut name, &words, around);
        words = [name.family.clone(), name.given.clone()]
            .into_iter()
            .filter(|w| !w.is_empty())
            .collect();
    } else if name.whole {
        // `Molly Klein`: the last word is more often the surname than not; comparing tries the other way too.
        name.family = words.last().cloned().unwrap_or_default();
        name.given = words
            .iter()
            .take(words.len().saturating_sub(1))
            .cloned()
            .collect();
    }
    name.words = words;
    Some(name)
}

/// Which word of an eastern name in Latin letters is the surname, as well as it can be told.
fn settle(name: &mut Name, words: &[String], around: Surroundings) {
    let coarse = |text: &str| {
        if name.japanese {
            kana::folded(text)
        } else {
            han::loose(text)
        }
    };
    if name.whole {
        let first_is = words.first().is_some_and(|w| han::is_surname(w));
        let last_is = words.last().is_some_and(|w| han::is_surname(w));
        let surname_last = if around.japanese {
            true
        } else {
            last_is && !first_is
        };
        let (family, given): (Vec<&String>, Vec<&String>) = if surname_last {
            let rest = words.len().saturating_sub(1);
            (
                words.iter().skip(rest).collect(),
                words.iter().take(rest).collect(),
            )
        } else {
            (words.iter().take(1).collect(), words.iter().skip(1).collect())
        };
        name.family = family.into_iter().map(String::as_str).collect();
        name.given = given.into_iter().map(String::as_str).collect();
    } else if !name.japanese && !han::is_surname(&name.family) && han::is_surname(&name.given) {
        std::mem::swap(&mut name.family, &mut name.given);
    }
    name.loose = (coarse(&name.family), coarse(&name.given));
    if name.japanese {
        (name.family, name.given) = name.loose.clone();
    }
}

/// The consonants of all words in alphabetical order.
pub(super) fn sorted_bones(name: &Name) -> String {
    let mut bones = name.bones.clone();
    bones.sort_unstable();
    bones.join(" ")
}
