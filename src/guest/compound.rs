//! Keys made of two attributes, for look-ups by what people remember: a name and a birthday, a name and the end of a
//! phone. Each attribute alone is shared by many, and a keyed token of it would betray how many; two together are
//! nearly unique, so only pairs get a token.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    base::{Category, GuestId, RecordId},
    crypto::{Aad, IndexKey},
};

use super::{
    GuestError, Vault, kinds,
    prepare::{Prepared, seal_version},
    sql::{Rows, ValueRow},
    writing::Writing,
};

/// Digits of a phone's end that people remember.
pub(super) const TAIL: usize = 4;

/// The most pairs that one record is found by.
const MOST: usize = 96;

/// The name under which pairs lie in the index: no field of the catalogue, because they belong to two.
const PSEUDO_FIELD: &str = "compound";

/// What pairs are made of.
const PARTS: [&str; 8] = [
    "birth_date",
    "name.full",
    "name.given",
    "name.native",
    "name.surname",
    "name.surname2",
    "phones",
    "postal_addresses",
];

/// Where they lie.
const CATEGORIES: [Category; 3] = [Category::Identity, Category::Demographic, Category::Contact];

/// An attribute that finds a guest only together with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Weak {
    Name,
    BirthDate,
    PhoneTail,
    PostalCode,
}

impl Weak {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::BirthDate => "birth_date",
            Self::PhoneTail => "phone_tail",
            Self::PostalCode => "postal_code",
        }
    }
}

/// The attributes of one record, or of one question, in the form that is compared.
#[derive(Default)]
pub(super) struct Attributes(BTreeSet<(Weak, String)>);

impl Attributes {
    pub(super) fn add(&mut self, kind: Weak, value: String) {
        if !value.is_empty() {
            self.0.insert((kind, value));
        }
    }

    pub(super) fn name(&mut self, parts: &[&str]) {
        for key in name_keys(&parts.join(" ")) {
            self.add(Weak::Name, key);
        }
    }

    /// A name as somebody says it: without its title, and two of its words.
    pub(super) fn name_in_part(&mut self, name: &str) {
        let words: Vec<&str> = words_of(name).collect();
        self.name(&words);
        let full = words.iter().filter(|word| is_telling(word)).take(MOST_WORDS);
        let full: Vec<&&str> = full.collect();
        for (at, one) in full.iter().enumerate() {
            for other in full.iter().skip(at + 1) {
                self.name(&[one, other]);
            }
        }
    }

    pub(super) fn birth_date(&mut self, date: &str) {
        // A month or a year alone is shared by too many.
        if date.len() == 10 && !date.starts_with('-') {
            self.add(Weak::BirthDate, date.to_owned());
        }
    }

    pub(super) fn phone(&mut self, number: &str) {
        self.phone_end(number, TAIL);
    }

    fn phone_end(&mut self, number: &str, length: usize) {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let end = digits
            .len()
            .checked_sub(length)
            .and_then(|from| digits.get(from..));
        self.add(Weak::PhoneTail, end.unwrap_or_default().to_owned());
    }

    pub(super) fn postal_code(&mut self, code: &str) {
        // As it is written too: so it was kept before.
        for code in [kinds::latin_digits(code), code.to_owned()] {
            let code: String = code.chars().filter(|c| c.is_alphanumeric()).collect();
            self.add(Weak::PostalCode, code.to_uppercase());
        }
    }

    /// Every pair of different attributes with its token.
    pub(super) fn pairs(&self, index: &IndexKey) -> Vec<(Weak, Weak, [u8; 16])> {
        let mut pairs = Vec::new();
        for (one, a) in &self.0 {
            for (other, b) in self.0.iter().filter(|(other, _)| other > one) {
                let kind = format!("{}+{}", one.as_str(), other.as_str());
                let token = index.token(&kind, format!("{a}\u{1f}{b}").as_bytes());
                pairs.push((*one, *other, token));
            }
        }
        pairs
    }

    /// What a record's values say.
    fn of<'v>(values: impl Iterator<Item = (&'v str, &'v Value)> + Clone) -> Self {
        let mut all = Self::default();
        let text = |path: &str| {
            values
                .clone()
                .find(|(field, _)| *field == path)
                .and_then(|(_, value)| value.as_str())
        };
        let (surname, given) = (text("name.surname"), text("name.given").unwrap_or_default());
        if let Some(surname) = surname {
            all.name(&[surname]);
            all.name(&[surname, given]);
            let second = text("name.surname2").unwrap_or_default();
            if !second.is_empty() {
                all.name(&[surname, second, given]);
            }
            // People say one of their surnames and one of their given names.
            let first = given.split_whitespace().next().unwrap_or_default();
            let surnames = words_of(surname).chain(words_of(second));
            for part in surnames.filter(|word| is_telling(word)).take(MOST_WORDS) {
                all.name(&[part]);
                all.name(&[part, first]);
            }
        }
        if let Some(full) = text("name.full") {
            all.name(&[full]);
            all.name(&words_of(full).collect::<Vec<_>>());
        }
        for (field, value) in values {
            all.take(field, value);
        }
        all
    }

    fn phones(&mut self, phones: &Value, tail: usize) {
        // A number lent by a channel says nothing of the guest.
        let own = |item: &&Value| item.get("relay").is_none();
        for item in phones.as_array().into_iter().flatten().filter(own) {
            let number = item.get("number").and_then(Value::as_str);
            self.phone_end(number.unwrap_or_default(), tail);
        }
    }

    fn take(&mut self, field: &str, value: &Value) {
        let items = || value.as_array().into_iter().flatten();
        let member = |item: &'_ Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        match field {
            "birth_date" => self.birth_date(value.as_str().unwrap_or_default()),
            "name.native" => {
                for name in ["value", "phonetic"].into_iter().filter_map(|m| member(value, m)) {
                    self.name(&[&name]);
                }
            }
            "phones" => self.phones(value, TAIL),
            "postal_addresses" => {
                for item in items() {
                    self.postal_code(&member(item, "postal_code").unwrap_or_default());
                }
            }
            _ => {}
        }
    }
}

/// Words of a name that are looked at one by one.
const MOST_WORDS: usize = 5;

/// The words of a name without its titles.
fn words_of(name: &str) -> impl Iterator<Item = &str> {
    const TITLES: [&str; 18] = [
        "mr", "mrs", "ms", "miss", "mstr", "mme", "mlle", "dr", "prof", "herr", "frau", "sr", "sra", "srta",
        "senhor", "senhora", "sig", "sigra",
    ];
    let words = name.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’'));
    words.filter(|word| !word.is_empty() && !TITLES.contains(&word.to_lowercase().as_str()))
}

/// Whether a word of a name says something without the others.
fn is_telling(word: &str) -> bool {
    const PARTICLES: [&str; 25] = [
        "al", "bin", "da", "das", "de", "dei", "del", "della", "den", "der", "di", "do", "dos", "du", "el",
        "ibn", "la", "las", "le", "los", "mac", "ten", "van", "von", "zu",
    ];
    word.chars().count() > 1 && !PARTICLES.contains(&word.to_lowercase().as_str())
}

/// The forms under which a name is compared: its Latin letters in alphabetical order. So case, width, accents, script,
/// the order of its parts and where it is broken into words make no difference. Other names of the same letters exist,
/// which is harmless where a second attribute must agree.
pub(super) fn name_keys(name: &str) -> Vec<String> {
    let letters = |text: &str| {
        let mut letters: Vec<char> = any_ascii::any_ascii(text)
            .chars()
            .filter(char::is_ascii_alphabetic)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        letters.sort_unstable();
        letters.into_iter().collect::<String>()
    };
    let mut keys = vec![letters(name)];
    // Umlauts are written with an e where keyboards lack them; Greek spells one vowel with two letters.
    let greek = ["ου", "ού", "Ου", "Ού", "ΟΥ"];
    let sounded = greek
        .into_iter()
        .fold(name.to_owned(), |name, vowel| name.replace(vowel, "ou"));
    let mut spelt = String::with_capacity(name.len() + 4);
    for c in sounded.chars() {
        match c {
            'ä' | 'Ä' | 'æ' | 'Æ' => spelt.push_str("ae"),
            'ö' | 'Ö' | 'ø' | 'Ø' => spelt.push_str("oe"),
            'ü' | 'Ü' => spelt.push_str("ue"),
            'å' | 'Å' => spelt.push_str("aa"),
            c => spelt.push(c),
        }
    }
    if spelt != name {
        keys.push(letters(&spelt));
    }
    keys.retain(|key| key.len() >= 2);
    keys
}

impl Vault {
    /// Those of the guests who have a phone that ends like this.
    pub(super) async fn with_phone_ending(
        &self,
        guests: &[GuestId],
        tail: &str,
    ) -> Result<BTreeSet<GuestId>, GuestError> {
        let mut of: BTreeMap<GuestId, Vec<ValueRow>> = BTreeMap::new();
        for row in self.store.read().await?.likeness_of(guests, &["phones"]).await? {
            of.entry(GuestId(row.guest_id)).or_default().push(row);
        }
        let mut found = BTreeSet::new();
        for (guest, rows) in of {
            let mut phones = Attributes::default();
            for (_, value) in self.open_parts(guest, &rows).await? {
                phones.phones(&value, tail.len());
            }
            if phones.0.contains(&(Weak::PhoneTail, tail.to_owned())) {
                found.insert(guest);
            }
        }
        Ok(found)
    }

    /// Writes the pairs of a record anew when one of their parts was written or taken back.
    pub(super) async fn write_compounds(
        &self,
        (writing, rows): (&mut Writing<'_, '_>, &mut Rows),
        prepared: &Prepared,
        (guest, record): (GuestId, RecordId),
        (written, is_new): (&BTreeSet<&str>, bool),
    ) -> Result<(), GuestError> {
        if !PARTS.iter().any(|part| written.contains(part)) {
            return Ok(());
        }
        let mut stored = Vec::new();
        if !is_new {
            let change = writing.change().await?;
            change.tx.delete_tokens(guest, record, PSEUDO_FIELD).await?;
            stored = change.tx.compound_parts(guest).await?;
        }
        // A correction stands for the guest: its parts pair with those of every source.
        stored.retain(|v| prepared.is_pinned() || v.record_id == record.0);
        stored.retain(|v| v.record_id != record.0 || !written.contains(v.field.as_str()));
        let opened = self.open_parts(guest, &stored).await?;
        let fresh = prepared
            .values
            .iter()
            .filter(|v| written.contains(v.field.as_str()))
            .map(|v| (v.field.as_str(), &v.value));
        let all = fresh.chain(opened.iter().map(|(field, value)| (*field, value)));
        let pairs = Attributes::of(all).pairs(self.keys.index_key());
        let tokens: Vec<([u8; 16], String)> = pairs
            .into_iter()
            .take(MOST)
            .map(|(_, _, token)| (token, PSEUDO_FIELD.to_owned()))
            .collect();
        rows.tokens(guest, record, tokens);
        Ok(())
    }

    /// What is stored of the other parts. One that does not open makes no pair; the doctor tells of it.
    async fn open_parts<'s>(
        &self,
        guest: GuestId,
        stored: &'s [ValueRow],
    ) -> Result<Vec<(&'s str, Value)>, GuestError> {
        if stored.is_empty() {
            return Ok(Vec::new());
        }
        let keys = self.keys.guest_keys(guest, &CATEGORIES).await?;
        let policy = self.policies.current();
        let open = |value: &'s ValueRow| {
            let (_, field) = policy.catalogue().find(&value.field)?;
            let aad = Aad {
                guest,
                record: value.record_id,
                path: &value.field,
                version: seal_version(value.version),
            };
            let plain = keys.open_internal(field.category, &value.sealed, &aad).ok()?;
            Some((value.field.as_str(), serde_json::from_slice(&plain).ok()?))
        };
        Ok(stored.iter().filter_map(open).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_is_one_key_in_every_spelling() {
        let same = |a: &str, b: &str| {
            let (a, b) = (name_keys(a), name_keys(b));
            a.iter().any(|key| b.contains(key))
        };
        for (a, b) in [
            ("Wang Xiaoming", "XIAO MING wang"),
            ("Wang Xiaoming", "王小明"),
            ("Иванов Пётр", "Petr Ivanov"),
            ("Müller Jörg", "Joerg Mueller"),
            ("Müller Jörg", "Jorg Muller"),
            ("Ｗａｎｇ Ａｎ", "An Wang"),
            ("O’Neil Seán", "ONEIL, Sean"),
            ("Παπαδοπούλου Μαρία", "Papadopoulou Maria"),
        ] {
            assert!(same(a, b), "{a} and {b}: {:?} {:?}", name_keys(a), name_keys(b));
        }
        assert!(!same("Wang Li", "Wang Lu"));
        assert!(name_keys("王").iter().all(|k| k.len() >= 2));
        assert!(name_keys("-").is_empty());
    }

    #[test]
    fn pairs_are_of_different_attributes_and_nothing_stands_alone() {
        let index = IndexKey::new(crate::crypto::KeyMaterial::random());
        let of = |list: &[(&str, Value)]| Attributes::of(list.iter().map(|(field, value)| (*field, value)));
        let alone = of(&[("name.surname", json!("Wang"))]);
        assert!(alone.pairs(&index).is_empty());
        let record = of(&[
            ("name.surname", json!("Wang")),
            ("name.given", json!("Xiaoming")),
            ("birth_date", json!("1987-05-17")),
            (
                "phones",
                json!([{"number": "+8613812345678"}, {"number": "+12025550143", "relay": {"provider": "x"}}]),
            ),
            ("postal_addresses", json!([{"postal_code": "1200-195"}])),
        ]);
        // Two forms of the name with three others, and the three others with each other.
        assert_eq!(record.pairs(&index).len(), 2 * 3 + 3);
        let asked = |name: &str, date: &str| {
            let mut asked = Attributes::default();
            asked.name(&[name]);
            asked.birth_date(date);
            asked.pairs(&index)
        };
        let known = record.pairs(&index);
        assert!(known.contains(&asked("xiaoming WANG", "1987-05-17")[0]));
        assert!(known.contains(&asked("Wang", "1987-05-17")[0]));
        assert!(!known.contains(&asked("Wang", "1987-05-18")[0]));
        assert!(asked("Wang", "1987-05").is_empty());
    }

    #[test]
    fn people_are_found_by_some_of_their_names() {
        let index = IndexKey::new(crate::crypto::KeyMaterial::random());
        let finds = |names: &[(&str, &str)], name: &str| {
            let mut all: Vec<(&str, Value)> =
                names.iter().map(|(field, name)| (*field, json!(name))).collect();
            all.push(("birth_date", json!("1987-05-17")));
            let known = Attributes::of(all.iter().map(|(field, value)| (*field, value))).pairs(&index);
            let mut asked = Attributes::default();
            asked.name(&[name]);
            asked.name_in_part(name);
            asked.birth_date("1987-05-17");
            asked.pairs(&index).iter().any(|pair| known.contains(pair))
        };
        let ana = [("name.surname", "Silva Santos"), ("name.given", "Ana Paula")];
        for name in [
            "Ana Santos",
            "Santos Ana Paula",
            "Silva Santos, Ana",
            "Dr. Ana Silva",
            "Silva",
        ] {
            assert!(finds(&ana, name), "{name}");
        }
        for name in ["Ana", "Rui Santos", "Ana Costa"] {
            assert!(!finds(&ana, name), "{name}");
        }
        let maria = [
            ("name.surname", "García"),
            ("name.surname2", "López"),
            ("name.given", "María José"),
        ];
        assert!(finds(&maria, "Maria Garcia"));
        assert!(finds(&maria, "Maria Lopez"));
        // As it was written before.
        assert!(finds(
            &[("name.surname", "Wang"), ("name.given", "Xiaoming")],
            "WANG/XIAOMING MR"
        ));
        assert!(finds(&[("name.full", "WANG/XIAOMING MR")], "Xiaoming Wang"));
    }
}
