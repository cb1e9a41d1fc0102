//! One invented guest: who it is, before any system tells of it.

use chrono::{Datelike as _, Days, Months, NaiveDate};
use serde_json::{Map, Value, json};
use unicode_normalization::UnicodeNormalization as _;

use super::{
    cultures::{self, City, Culture, Name},
    documents::{Passport, dni, resident_id},
    random::{Random, unique},
    telling::set,
};

/// A guest as it is; the sources each know a part.
pub(super) struct Person {
    /// Its number among the invented guests; every number of it is made from this one.
    pub(super) index: u64,
    pub(super) culture: &'static Culture,
    pub(super) woman: bool,
    pub(super) surname: Name,
    pub(super) surname2: Option<Name>,
    pub(super) given: Name,
    pub(super) middle: Option<Name>,
    pub(super) birth: NaiveDate,
    pub(super) phone: String,
    pub(super) email: String,
    pub(super) address: Value,
    pub(super) city: &'static str,
    pub(super) document: Document,
    pub(super) age: u32,
}

/// The document it travels with.
pub(super) struct Document {
    pub(super) kind: &'static str,
    pub(super) number: String,
    pub(super) issued_on: NaiveDate,
    pub(super) expires_on: NaiveDate,
}

/// What the members of a household have in common.
pub(super) struct Home {
    pub(super) culture: &'static Culture,
    surname: Name,
    surname2: Name,
    phone: String,
    city: City,
    address: Value,
}

impl Home {
    /// A home in one of the countries.
    pub(super) fn draw(random: &mut Random) -> Self {
        Self::of(cultures::any(random), random)
    }

    /// A home in this country.
    pub(super) fn of(culture: &'static Culture, random: &mut Random) -> Self {
        let pattern = random.pick(culture.phones);
        let city = random.pick(culture.cities);
        Self {
            culture,
            surname: Name::parse(random.pick(culture.surnames)),
            surname2: Name::parse(random.pick(culture.surnames)),
            phone: random.fill(pattern),
            city,
            address: address(culture, city, random),
        }
    }

    /// The same home under another name.
    pub(super) fn named(mut self, surname: &'static str, surname2: &'static str) -> Self {
        self.surname = Name::parse(surname);
        self.surname2 = Name::parse(surname2);
        self
    }
}

impl Person {
    /// Someone of this home, born between `youngest` and `oldest` years ago.
    pub(super) fn draw(
        seed: u64,
        index: u64,
        home: &Home,
        woman: bool,
        (youngest, oldest): (u32, u32),
        today: NaiveDate,
        random: &mut Random,
    ) -> Self {
        let culture = home.culture;
        let givens = if woman { culture.women } else { culture.men };
        let years = youngest + u32::try_from(random.below(u64::from(oldest - youngest) + 1)).unwrap_or(0);
        let birth = born(today, years, random);
        let middle = culture.middle && random.chance(40);
        let mut person = Self {
            index,
            culture,
            woman,
            surname: home.surname,
            surname2: culture.two_surnames.then_some(home.surname2),
            given: Name::parse(random.pick(givens)),
            middle: middle.then(|| Name::parse(random.pick(givens))),
            birth,
            phone: home.phone.clone(),
            email: String::new(),
            address: home.address.clone(),
            city: home.city.name,
            document: document(seed, index, culture, birth, woman, today, random),
            age: today.years_since(birth).unwrap_or(0),
        };
        person.middle = person.middle.filter(|middle| middle.latin != person.given.latin);
        person.email = person.mail(random);
        person
    }

    /// The same person under another given name.
    pub(super) fn named(mut self, given: &'static str) -> Self {
        self.given = Name::parse(given);
        self.middle = None;
        self.email = format!(
            "{}.{}@example.com",
            slug(self.given.latin),
            slug(self.surname.latin)
        );
        self
    }

    fn mail(&self, random: &mut Random) -> String {
        let host = random.pick(&["example.com", "example.org", "example.net", "mail.example.com"]);
        let (given, surname) = (slug(self.given.latin), slug(self.surname.latin));
        let number = self.index;
        match random.below(4) {
            0 => format!("{given}.{surname}{number}@{host}"),
            1 => format!("{given}{number}@{host}"),
            2 => format!("{surname}_{given}{}{number}@{host}", self.birth.year()),
            _ => format!("{}{surname}{number}@{host}", given.get(..1).unwrap_or("x")),
        }
    }

    /// Whether the law treats the guest as a child.
    pub(super) fn minor(&self) -> bool {
        self.age < 18
    }

    /// The name as its bearer types it.
    pub(super) fn name(&self) -> Map<String, Value> {
        let mut name = Map::new();
        name.insert("surname".into(), json!(self.surname.latin));
        name.insert("given".into(), json!(self.given.latin));
        if let Some(surname2) = self.surname2 {
            name.insert("surname2".into(), json!(surname2.latin));
        }
        if let Some(middle) = self.middle {
            name.insert("middle".into(), json!(middle.latin));
        }
        name
    }

    /// The name with how it is written at home.
    pub(super) fn name_with_native(&self) -> Map<String, Value> {
        let mut name = self.name();
        if let Some(native) = self.native() {
            name.insert("native".into(), native);
        }
        name
    }

    fn native(&self) -> Option<Value> {
        let native = self.culture.native.as_ref()?;
        let join = |surname: &str, given: &str| {
            let (first, last) = if native.surname_first {
                (surname, given)
            } else {
                (given, surname)
            };
            format!("{first}{}{last}", native.between)
        };
        let mut value = json!({
            "script": native.script,
            "value": join(self.surname.native, self.given.native),
        });
        if !self.surname.sound.is_empty() {
            set(&mut value, "phonetic", join(self.surname.sound, self.given.sound));
        }
        Some(value)
    }

    /// The name as a passport prints it: capitals of the Latin alphabet only.
    pub(super) fn name_in_passport(&self) -> Map<String, Value> {
        let surname2 = self.surname2.map_or("", |n| n.latin);
        let middle = self.middle.map_or("", |n| n.latin);
        let mut name = Map::new();
        name.insert("surname".into(), json!(capitals(&[self.surname.latin, surname2])));
        name.insert("given".into(), json!(capitals(&[self.given.latin, middle])));
        name
    }

    /// The machine-readable zone of its passport.
    pub(super) fn zone(&self) -> [String; 2] {
        Passport {
            issuer: self.culture.issuer,
            surname: &capitals(&[self.surname.latin]),
            given: &capitals(&[self.given.latin]),
            number: &self.document.number,
            birth: self.birth,
            woman: self.woman,
            expires: self.document.expires_on,
            personal: "",
        }
        .mrz()
    }

    /// The phone as people write it at home, without the country code.
    pub(super) fn phone_at_home(&self) -> String {
        let (_, national) = self.phone.split_once(' ').unwrap_or(("", &self.phone));
        format!("{}{national}", self.culture.trunk)
    }
}

fn born(today: NaiveDate, years: u32, random: &mut Random) -> NaiveDate {
    let days = Days::new(random.below(365));
    today
        .checked_sub_months(Months::new(years * 12))
        .and_then(|day| day.checked_sub_days(days))
        .unwrap_or(today)
}

fn address(culture: &Culture, city: City, random: &mut Random) -> Value {
    let street = random.pick(culture.streets);
    let mut address = json!({
        "lines": [random.fill(street)],
        "city": city.name,
        "country": culture.region,
        "kind": "home",
    });
    if !city.postal_code.is_empty() {
        // Only the digits: a British code keeps its letters.
        set(
            &mut address,
            "postal_code",
            unique(city.postal_code, random.below(100), 0),
        );
    }
    if !city.region.is_empty() {
        set(&mut address, "region", city.region);
    }
    address
}

fn document(
    seed: u64,
    index: u64,
    culture: &Culture,
    birth: NaiveDate,
    woman: bool,
    today: NaiveDate,
    random: &mut Random,
) -> Document {
    let passport = || unique(culture.passport, seed, index);
    let (kind, number) = match culture.region {
        "CN" if random.chance(60) => {
            let area = random.pick(&["310101", "110105", "440106", "510104", "330102", "610102"]);
            ("cn_resident_id", resident_id(area, birth, index, woman))
        }
        "ES" if random.chance(60) => ("national_id", dni(&unique("9#######", seed, index))),
        "TW" if random.chance(50) => ("cn_tw_permit", unique("0#######", seed, index)),
        "HK" if random.chance(50) => ("cn_hkmo_permit", unique("H0#######", seed, index)),
        _ => ("passport", passport()),
    };
    let left = Months::new(u32::try_from(random.below(96)).unwrap_or(0) + 3);
    let expires_on = today.checked_add_months(left).unwrap_or(today);
    let issued_on = expires_on.checked_sub_months(Months::new(119)).unwrap_or(today);
    // A child's document is younger than the child.
    Document {
        kind,
        number,
        issued_on: issued_on.max(birth),
        expires_on,
    }
}

/// Lower-case ASCII letters of a name, for an e-mail address.
pub(super) fn slug(name: &str) -> String {
    latin(name)
        .chars()
        .filter(char::is_ascii_alphabetic)
        .collect::<String>()
        .to_lowercase()
}

fn capitals(parts: &[&str]) -> String {
    let words = parts.join(" ").replace('\'', "").replace('-', " ");
    let upper = latin(&words).to_uppercase();
    upper.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// ICAO 9303-3 §6 A for the letters with a form of their own; the rest lose their marks.
fn latin(name: &str) -> String {
    let mut plain = String::new();
    for c in name.chars() {
        match c {
            'ä' | 'æ' => plain.push_str("ae"),
            'Ä' | 'Æ' => plain.push_str("Ae"),
            'ö' | 'ø' => plain.push_str("oe"),
            'Ö' | 'Ø' => plain.push_str("Oe"),
            'ü' => plain.push_str("ue"),
            'Ü' => plain.push_str("Ue"),
            'å' => plain.push_str("aa"),
            'Å' => plain.push_str("Aa"),
            'ß' => plain.push_str("ss"),
            'ł' => plain.push('l'),
            'Ł' => plain.push('L'),
            'ı' => plain.push('i'),
            other => plain.extend(other.nfd().filter(char::is_ascii)),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passports_write_letters_out() {
        assert_eq!(capitals(&["Müller", ""]), "MUELLER");
        assert_eq!(capitals(&["Núñez", "O'Connell"]), "NUNEZ OCONNELL");
        assert_eq!(capitals(&["Bjørnstad-Åkesson"]), "BJOERNSTAD AAKESSON");
        assert_eq!(slug("Łukasz Işık"), "lukaszisik");
    }

    #[test]
    fn a_home_number_has_no_country_code() {
        let today = "2026-03-04".parse().unwrap();
        let random = &mut Random::new(1, 1);
        let home = Home::of(cultures::of("PT"), random);
        let person = Person::draw(1, 1, &home, true, (20, 60), today, random);
        assert!(person.phone.starts_with("+351 9"));
        assert!(person.phone_at_home().starts_with('9'));
    }
}
