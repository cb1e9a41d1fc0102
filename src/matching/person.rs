//! What is known of somebody, in the forms that are compared.

use zeroize::Zeroize as _;

use super::{
    births::{self, Birth},
    contacts::{self, Email, Phone},
    names::{self, Name, Surroundings},
    papers::{self, Document, Kind},
    places::{self, Address},
};

/// What a record says, as it says it.
#[derive(Default)]
pub struct Said<'a> {
    /// The surname, or the whole name.
    pub surname: &'a str,
    /// The given names.
    pub given: &'a str,
    /// Other names: the same in another script, as surname and given name or whole.
    pub others: Vec<(&'a str, &'a str)>,
    /// The birth date.
    pub birth_date: &'a str,
    /// E-mail addresses that are not lent by a channel.
    pub emails: Vec<&'a str>,
    /// Phones that are not lent by a channel.
    pub phones: Vec<&'a str>,
    /// Documents.
    pub papers: Vec<Paper<'a>>,
    /// Homes.
    pub places: Vec<Place<'a>>,
    /// ISO 3166-1 alpha-2.
    pub country: &'a str,
    /// Memberships and ids in other systems, each with its programme or system.
    pub numbers: Vec<String>,
}

/// A document as said.
#[derive(Clone, Copy, Default)]
pub struct Paper<'a> {
    /// Its number.
    pub number: &'a str,
    /// Who issued it.
    pub country: Option<&'a str>,
}

/// An address as said.
#[derive(Clone, Copy, Default)]
pub struct Place<'a> {
    /// Lines above the city.
    pub street: &'a str,
    /// The city.
    pub city: &'a str,
    /// The postal code.
    pub postcode: &'a str,
}

/// Somebody in the forms that are compared: of one record, or of all the records of a guest. Personal data: without
/// `Debug`, wiped when dropped.
#[derive(Clone, Default)]
pub struct Person {
    pub(super) names: Vec<Name>,
    pub(super) births: Vec<Birth>,
    pub(super) emails: Vec<Email>,
    pub(super) phones: Vec<Phone>,
    pub(super) papers: Vec<Document>,
    pub(super) places: Vec<Address>,
    pub(super) countries: Vec<String>,
    pub(super) numbers: Vec<String>,
}

impl Drop for Person {
    fn drop(&mut self) {
        for name in &mut self.names {
            name.wipe();
        }
        for email in &mut self.emails {
            email.local.zeroize();
            email.domain.zeroize();
        }
        for phone in &mut self.phones {
            phone.0.zeroize();
        }
        for paper in &mut self.papers {
            paper.number.zeroize();
        }
        for place in &mut self.places {
            place.street.zeroize();
            place.numbers.zeroize();
            place.city.zeroize();
            place.postcode.zeroize();
        }
        self.countries.zeroize();
        self.numbers.zeroize();
    }
}

/// Countries whose names are written in Arabic and come in many Latin spellings.
const ARABIC: [&str; 18] = [
    "AE", "SA", "KW", "QA", "BH", "OM", "EG", "JO", "LB", "SY", "IQ", "YE", "MA", "DZ", "TN", "LY", "SD",
    "PS",
];

fn surroundings(said: &Said<'_>) -> Surroundings {
    let country = said.country.trim().to_uppercase();
    let phone = |codes: &[&str]| {
        said.phones.iter().any(|phone| {
            let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
            let abroad = phone.contains('+') || digits.starts_with("00");
            abroad
                && codes
                    .iter()
                    .any(|code| digits.trim_start_matches('0').starts_with(code))
        })
    };
    let kana = [said.surname, said.given]
        .into_iter()
        .chain(said.places.iter().flat_map(|p| [p.street, p.city]))
        .any(|text| text.chars().any(super::kana::is_kana));
    let prefecture = said.places.iter().any(|p| p.city.contains(['県', '都', '府']));
    let none = country.is_empty();
    let japanese = country == "JP" || (none && (kana || prefecture || phone(&["81"])));
    let chinese = matches!(country.as_str(), "CN" | "TW" | "HK" | "MO" | "SG")
        || (none && !japanese && phone(&["86", "886", "852", "853"]));
    Surroundings {
        arabic: ARABIC.contains(&country.as_str())
            || (none && phone(&["971", "966", "965", "974", "973", "968"])),
        german: matches!(country.as_str(), "DE" | "AT" | "CH" | "LI") || (none && phone(&["49", "43", "41"])),
        chinese,
        japanese: japanese || (none && !chinese && looks_japanese(said)),
        known: !none || japanese || chinese,
    }
}

/// Four characters without anything else known: two and two is a Japanese name more often than not.
fn looks_japanese(said: &Said<'_>) -> bool {
    let han = |text: &str| text.chars().filter(|c| super::han::is_han(*c)).count();
    han(said.surname) == 2 && han(said.given) >= 2 && super::han::split(said.surname).0.chars().count() == 1
}

impl Person {
    /// The normal forms of what is said; what stands for nothing is left out.
    #[must_use]
    pub fn of(said: &Said<'_>) -> Self {
        let around = surroundings(said);
        let own = std::iter::once((said.surname, said.given)).chain(said.others.iter().copied());
        let names: Vec<Name> = own
            .filter_map(|(surname, given)| names::read(surname, given, around))
            .collect();
        let papers: Vec<Document> = said
            .papers
            .iter()
            .filter_map(|paper| papers::read(paper.number, paper.country))
            .collect();
        let american = matches!(said.country.trim(), "US" | "CA" | "us" | "ca");
        let mut births: Vec<Birth> = births::read(said.birth_date).into_iter().collect();
        // A valid resident number says when its holder was born.
        let resident = papers.iter().filter(|paper| paper.kind == Kind::Resident);
        births.extend(resident.filter_map(|paper| papers::born(&paper.number)));
        let mut person = Self {
            names,
            births,
            emails: said
                .emails
                .iter()
                .filter_map(|email| contacts::email(email))
                .collect(),
            phones: said
                .phones
                .iter()
                .filter_map(|phone| contacts::phone(phone, american))
                .collect(),
            papers,
            places: said
                .places
                .iter()
                .filter_map(|p| places::read(p.street, p.city, p.postcode))
                .collect(),
            countries: Some(said.country.trim().to_uppercase())
                .into_iter()
                .filter(|c| c.len() == 2)
                .collect(),
            numbers: said.numbers.clone(),
        };
        person.tidy();
        person
    }

    /// Adds what another record of the same guest says.
    pub fn add(&mut self, other: &Self) {
        self.names.extend(other.names.iter().cloned());
        self.births.extend(other.births.iter().copied());
        self.emails.extend(other.emails.iter().cloned());
        self.phones.extend(other.phones.iter().cloned());
        self.papers.extend(other.papers.iter().cloned());
        self.places.extend(other.places.iter().cloned());
        self.countries.extend(other.countries.iter().cloned());
        self.numbers.extend(other.numbers.iter().cloned());
        self.tidy();
    }

    fn tidy(&mut self) {
        fn once<T: Ord>(list: &mut Vec<T>) {
            list.sort_unstable();
            list.dedup();
        }
        once(&mut self.names);
        once(&mut self.births);
        once(&mut self.emails);
        once(&mut self.phones);
        once(&mut self.papers);
        once(&mut self.places);
        once(&mut self.countries);
        once(&mut self.numbers);
    }

    /// Whether both have a number for life, and none in common: two people, whatever else agrees.
    #[must_use]
    pub fn is_certainly_not(&self, other: &Self) -> bool {
        let lifelong = |person: &Self| -> Vec<String> {
            let all = person.papers.iter().filter(|paper| paper.kind == Kind::Resident);
            all.map(|paper| paper.number.clone()).collect()
        };
        let (own, others) = (lifelong(self), lifelong(other));
        !own.is_empty() && !others.is_empty() && !own.iter().any(|number| others.contains(number))
    }
}
