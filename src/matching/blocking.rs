//! The strings that candidates are found by; only keyed hashes of them are ever stored.
//!
//! A key is one near-unique value, or several that are rare together. A bare name is the exception: without it a
//! guest who changes phone and e-mail is not found again. It is capped like all keys: what too many share finds nobody
//! and is no longer written.

use std::collections::BTreeSet;

use super::{
    Person,
    han::loose,
    names::{Name, sorted_bones},
    text::sound,
};

/// Holders of a key at most: beyond it, it finds nobody.
pub const CAP: u32 = 200;

/// What a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// A document's number.
    Paper,
    /// A membership, or an id in another system.
    Number,
    /// An e-mail address.
    Email,
    /// The last eight digits of a phone.
    Phone,
    /// A name, in one of its readings.
    Name,
    /// A name and the last four digits of a phone.
    NamePhone,
    /// A name and the year of birth.
    NameYear,
    /// A name and a city.
    NameCity,
    /// The birth date and two letters of a name.
    BirthLetters,
    /// How surname and given name sound, and the year of birth.
    SoundYear,
    /// How surname and given name sound, and the last four digits of a phone.
    SoundPhone,
    /// Postal code and house number.
    House,
    /// The consonants of an Arabic name.
    Bones,
    /// Second tier: how one word of the name sounds, and the city.
    SoundCity,
    /// Second tier: the local part of an e-mail address.
    EmailHead,
}

impl KeyKind {
    /// The word that separates the kinds; part of every stored token, so never changed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Number => "number",
            Self::Email => "email",
            Self::Phone => "phone8",
            Self::Name => "name",
            Self::NamePhone => "name+phone4",
            Self::NameYear => "name+year",
            Self::NameCity => "name+city",
            Self::BirthLetters => "birth+letters",
            Self::SoundYear => "sound+year",
            Self::SoundPhone => "sound+phone4",
            Self::House => "postcode+house",
            Self::Bones => "bones",
            Self::SoundCity => "sound+city",
            Self::EmailHead => "email_head",
        }
    }

    /// Whether it is asked only when the others find nobody worth a look.
    #[must_use]
    pub const fn is_second_tier(self) -> bool {
        matches!(self, Self::SoundCity | Self::EmailHead)
    }
}

/// A key in clear: personal data, so without `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Of what kind.
    pub kind: KeyKind,
    /// The value.
    pub value: String,
}

impl Drop for Key {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.value.zeroize();
    }
}

/// Keys of one record at most, so that no record fills the index.
const MOST: usize = 40;

struct Keys(BTreeSet<Key>);

impl Keys {
    fn add(&mut self, kind: KeyKind, parts: &[&str]) {
        if parts.iter().all(|part| !part.is_empty()) {
            self.0.insert(Key {
                kind,
                value: parts.join("\u{1f}"),
            });
        }
    }
}

/// The keys of somebody.
#[must_use]
pub fn keys(person: &Person) -> Vec<Key> {
    let mut keys = Keys(BTreeSet::new());
    for paper in &person.papers {
        keys.add(KeyKind::Paper, &[&paper.number]);
    }
    for number in &person.numbers {
        keys.add(KeyKind::Number, &[number]);
    }
    for email in &person.emails {
        keys.add(KeyKind::Email, &[&email.local, &email.domain]);
        if email.local.len() >= 7 {
            keys.add(KeyKind::EmailHead, &[&email.local]);
        }
    }
    for phone in &person.phones {
        keys.add(KeyKind::Phone, &[end(&phone.0, 8)]);
    }
    for place in &person.places {
        let house = place.numbers.first().map_or("", String::as_str);
        keys.add(KeyKind::House, &[&place.postcode, house]);
    }
    for name in &person.names {
        of_name(&mut keys, person, name);
    }
    keys.0.into_iter().take(MOST).collect()
}

/// The last characters of a number; empty where a mask hides some of them.
fn end(digits: &str, length: usize) -> &str {
    let end = digits
        .len()
        .checked_sub(length)
        .and_then(|from| digits.get(from..));
    end.filter(|end| !end.contains('*')).unwrap_or_default()
}

fn of_name(keys: &mut Keys, person: &Person, name: &Name) {
    for reading in readings(name) {
        keys.add(KeyKind::Name, &[&reading]);
    }
    let own = compared(name);
    let arabic = name.arabic;
    let bones = if arabic { sorted_bones(name) } else { String::new() };
    if bones.len() >= 4 {
        keys.add(KeyKind::Bones, &[&bones]);
    }
    let own = if arabic { bones } else { own };
    for phone in &person.phones {
        keys.add(KeyKind::NamePhone, &[&own, end(&phone.0, 4)]);
    }
    for place in &person.places {
        keys.add(KeyKind::NameCity, &[&own, &place.city]);
    }
    for birth in &person.births {
        let year = birth.year.to_string();
        keys.add(KeyKind::NameYear, &[&own, &year]);
        let day = format!("{:02}{:02}{:02}", birth.year % 100, birth.month, birth.day);
        for letters in beginnings(name, arabic) {
            keys.add(KeyKind::BirthLetters, &[&day, &letters]);
        }
    }
    if !name.eastern && !arabic {
        sounds(keys, person, name);
    }
}

fn sounds(keys: &mut Keys, person: &Person, name: &Name) {
    let sounds: BTreeSet<String> = name.words.iter().take(4).map(|word| sound(word)).collect();
    let sounds: Vec<&String> = sounds.iter().filter(|s| s.len() >= 2).collect();
    for (at, one) in sounds.iter().enumerate() {
        for place in &person.places {
            keys.add(KeyKind::SoundCity, &[one, &place.city]);
        }
        for other in sounds.iter().skip(at + 1) {
            for birth in &person.births {
                keys.add(KeyKind::SoundYear, &[one, other, &birth.year.to_string()]);
            }
            for phone in &person.phones {
                keys.add(KeyKind::SoundPhone, &[one, other, end(&phone.0, 4)]);
            }
        }
    }
}

/// The letters under which a bare name lies: characters, pinyin, the class of Wade-Giles, romaji.
pub(super) fn readings(name: &Name) -> BTreeSet<String> {
    let mut all = BTreeSet::from([name.joined()]);
    if !name.native.0.is_empty() || !name.native.1.is_empty() {
        all.insert(name.joined_native());
    }
    if name.eastern {
        // Marked, because letters of the class may be a name of their own.
        let class = name.joined_loose();
        if !class.is_empty() {
            all.insert(format!("~{class}"));
        }
    }
    all.retain(|reading| reading.chars().count() >= 2);
    all
}

/// The one form a name is joined with other attributes in.
fn compared(name: &Name) -> String {
    if !name.eastern {
        return name.joined();
    }
    let class = name.joined_loose();
    if class.is_empty() {
        name.joined_native()
    } else {
        class
    }
}

fn beginnings(name: &Name, arabic: bool) -> BTreeSet<String> {
    let two = |word: &str| word.chars().take(2).collect::<String>();
    if arabic {
        return name.bones.iter().map(|bones| two(bones)).collect();
    }
    if name.eastern {
        let class = |text: &str| {
            if name.japanese {
                text.to_owned()
            } else {
                loose(text)
            }
        };
        let mut all: BTreeSet<String> = name.words.iter().map(|word| two(&class(word))).collect();
        if all.is_empty() {
            all.extend(name.native.0.chars().next().map(String::from));
        }
        return all;
    }
    name.words.iter().take(4).map(|word| two(word)).collect()
}
