//! Postal addresses, as far as they tell one house from another.

use super::{
    han,
    text::{self, near},
    weights::Cell,
};

/// An address in the letters it is compared by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    /// The street's letters without its numbers.
    pub(super) street: String,
    /// The numbers, in their order.
    pub(super) numbers: Vec<String>,
    pub(super) city: String,
    pub(super) postcode: String,
}

/// Words that say what kind of place it is and are written or left out at will.
const KINDS: [&str; 20] = [
    "street", "st", "road", "rd", "avenue", "ave", "apt", "suite", "hao", "dong", "shi", "lou", "ceng",
    "strasse", "str", "calle", "piso", "puerta", "villa", "unit",
];

pub(super) fn read(street: &str, city: &str, postcode: &str) -> Option<Address> {
    let street = han::simplified(&text::nfkc(street));
    let mut letters = String::new();
    let mut numbers = Vec::new();
    for part in split_numbers(&street) {
        if part.starts_with(|c: char| c.is_ascii_digit()) {
            let plain = part.trim_start_matches('0');
            numbers.push(if plain.is_empty() { "0" } else { plain }.to_owned());
        } else {
            for word in text::words(&part) {
                if !KINDS.contains(&word.as_str()) {
                    letters.push_str(&word);
                }
            }
        }
    }
    let address = Address {
        street: letters,
        numbers,
        city: city_letters(city),
        postcode: postcode_letters(postcode),
    };
    let empty = address.street.is_empty() && address.city.is_empty() && address.postcode.is_empty();
    (!empty).then_some(address)
}

/// Runs of digits, and what lies between; the single characters 号, 栋, 室, 楼 count as kinds.
fn split_numbers(street: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for c in street.chars() {
        let c = if matches!(c, '号' | '栋' | '幢' | '室' | '楼' | '层' | '座') {
            ' '
        } else {
            c
        };
        let digit = c.is_ascii_digit();
        match parts.last_mut() {
            Some(part) if part.ends_with(|last: char| last.is_ascii_digit()) == digit => part.push(c),
            _ => parts.push(c.to_string()),
        }
    }
    parts
}

fn city_letters(city: &str) -> String {
    let city = han::simplified(&text::nfkc(city));
    let city = city.trim().trim_end_matches(['市', '县', '区']);
    let letters = text::letters(city);
    ["city", "shi"]
        .iter()
        .find_map(|end| letters.strip_suffix(end).filter(|rest| rest.len() >= 4))
        .map_or_else(|| letters.clone(), str::to_owned)
}

fn postcode_letters(postcode: &str) -> String {
    let code: String = text::nfkc(postcode)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    // `00000` and the like are no place.
    if code.chars().all(|c| c == '0') {
        String::new()
    } else {
        code
    }
}

pub(super) fn compare(a: &Address, b: &Address) -> Option<Cell> {
    let both = |a: &str, b: &str| !a.is_empty() && !b.is_empty();
    let same = |a: &str, b: &str| both(a, b) && a == b;
    let streets = both(&a.street, &b.street);
    let street = streets
        && (near(&a.street, &b.street) || a.street.contains(&b.street) || b.street.contains(&a.street));
    let numbered = !a.numbers.is_empty() && !b.numbers.is_empty();
    let numbers = numbered && a.numbers == b.numbers;
    let some_numbers = numbered && a.numbers.iter().any(|number| b.numbers.contains(number));
    let postcode = same(&a.postcode, &b.postcode);
    let near_postcode = both(&a.postcode, &b.postcode) && near(&a.postcode, &b.postcode);
    let city = both(&a.city, &b.city) && near(&a.city, &b.city);
    let elsewhere = both(&a.postcode, &b.postcode) && !near_postcode && both(&a.city, &b.city) && !city;
    if street && (numbers || !numbered) && !elsewhere {
        return Some(Cell::PlaceFull);
    }
    let several = a.numbers.len().min(b.numbers.len()) >= 2;
    if (street && some_numbers) || (numbers && several) || (numbers && postcode) || (street && postcode) {
        return Some(Cell::PlaceMost);
    }
    if postcode {
        return Some(Cell::PlacePostcode);
    }
    if city {
        return Some(Cell::PlaceCity);
    }
    let compared = streets || both(&a.postcode, &b.postcode) || both(&a.city, &b.city);
    compared.then_some(Cell::PlaceDiffers)
}
