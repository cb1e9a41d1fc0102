//! Payloads that no system sends: nothing may panic. `FUZZ_SECONDS=600 cargo test --release --lib strange` goes on for
//! ten minutes a connector.

use serde_json::{Value, json};

use crate::base::Catalogue;

use super::{
    alpinebits::{self, AlpineBits},
    apaleo::{self, Apaleo},
    cloudbeds::{self, Cloudbeds},
    csv::{Mapping, Rows},
    guess::suggest,
    json,
    mews::{self, Mews},
    ohip::{self, Ohip},
    records::{Cut, Input, Records},
    samples::samples,
    tests::{REQUEST, input, profile, stored},
    tests_csv::table_of,
    told::Connector,
    xml,
};

/// Replaces the value at the place that `steps` lead to.
fn disturb(value: &mut Value, steps: &[usize], by: &Value) {
    let Some((step, rest)) = steps.split_first() else {
        *value = by.clone();
        return;
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            let at = step % members.len();
            disturb(members.values_mut().nth(at).unwrap(), rest, by);
        }
        Value::Array(items) if !items.is_empty() => {
            let at = step % items.len();
            disturb(&mut items[at], rest, by);
        }
        other => *other = by.clone(),
    }
}

/// A generator that gives the same each time: what broke can be broken again.
struct Dice(u64);

impl Dice {
    /// xorshift64 (Marsaglia, 2003).
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides.max(1)).unwrap()).unwrap()
    }
}

/// What stands between values, and values that are near an edge.
const PIECES: [&str; 24] = [
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "<",
    ">",
    "</",
    "&amp;",
    "&#x0;",
    "\\u0000",
    "\\ud800",
    "null",
    "-1",
    "1e999",
    "0000-00-00",
    "9999-12-31",
    "𝒳",
    "\u{202e}",
    "\u{0}",
    "********",
    "4111111111111111",
];

/// Some bytes of a payload are lost, doubled, changed, or come from another payload.
fn mutated(payloads: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut text = payloads[dice.roll(payloads.len())].clone();
    for _ in 0..=dice.roll(8) {
        let at = dice.roll(text.len());
        let to = (at + dice.roll(64)).min(text.len());
        match dice.roll(5) {
            0 => drop(text.drain(at..to)),
            1 => {
                let piece = text[at..to].to_vec();
                drop(text.splice(at..at, piece));
            }
            2 => drop(text.splice(at..to, PIECES[dice.roll(PIECES.len())].bytes())),
            3 => {
                let other = &payloads[dice.roll(payloads.len())];
                let from = dice.roll(other.len());
                let piece = other[from..(from + dice.roll(256)).min(other.len())].to_vec();
                drop(text.splice(at..to, piece));
            }
            _ => {
                if let Some(byte) = text.get_mut(at) {
                    *byte ^= 1 << dice.roll(8);
                }
            }
        }
    }
    text
}

#[test]
fn damaged_payloads_of_every_system_are_read_to_their_end() {
    let seconds: u64 = std::env::var("FUZZ_SECONDS").map_or(1, |text| text.parse().unwrap());
    let mut corpus = samples();
    corpus.push(("ohip-own".to_owned(), profile().to_string()));
    corpus.push(("alpinebits-own".to_owned(), REQUEST.to_owned()));
    for own in ["mews-own", "apaleo-own", "csv-own"] {
        corpus.push((own.to_owned(), own_payload(own).to_owned()));
    }
    for system in ["ohip", "cloudbeds", "alpinebits", "mews", "apaleo", "csv"] {
        let payloads: Vec<Vec<u8>> = corpus
            .iter()
            .filter(|(name, _)| name.starts_with(system))
            .map(|(_, text)| text.clone().into_bytes())
            .collect();
        if payloads.is_empty() {
            continue;
        }
        let (mut dice, mut tries) = (Dice(0x9e37_79b9_7f4a_7c15), 0_u64);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
        while std::time::Instant::now() < end {
            let text = mutated(&payloads, &mut dice);
            let Some((cut, connector)) = open_bytes(system, text) else {
                continue;
            };
            let catalogue = &*CATALOGUE;
            for line in Records::new(cut, connector).flatten() {
                if let Ok(line) = line.result {
                    let _stored = stored(catalogue, line);
                }
            }
            tries += 1;
        }
        eprintln!("{system}: {tries} damaged payloads");
        assert!(tries > 0);
    }
}

static CATALOGUE: std::sync::LazyLock<Catalogue> =
    std::sync::LazyLock::new(|| Catalogue::from_toml(include_str!("../../policies/fields.toml")).unwrap());

/// In the documented shape of systems of which no payload may be kept.
fn own_payload(name: &str) -> &'static str {
    match name {
        "mews-own" => {
            r#"{"Customers":[{"Id":"c-1","Number":"7","Title":"Miss","Sex":"Female","FirstName":"Ana","LastName":"Duarte",
            "NationalityCode":"PT","LanguageCode":"pt-PT","BirthDate":"1984-02-03","Email":"ana@example.pt","HasOtaEmail":false,
            "Phone":"+351912345678","Classifications":["Returning","Blacklist","DisabledPerson"],"Notes":"late",
            "Options":["SendMarketingEmails"],"UpdatedUtc":"2026-02-01T00:00:00Z"}],
            "IdentityDocuments":[{"Id":"d-1","CustomerId":"c-1","Type":"Passport","Number":"C12345678",
            "ExpirationDate":"2030-01-01","IssuingCountryCode":"PT"}]}"#
        }
        "apaleo-own" => {
            r#"{"reservations":[{"id":"R-1-1","bookingId":"R-1","status":"Confirmed","arrival":"2026-03-04T15:00:00+01:00",
            "departure":"2026-03-07T11:00:00+01:00","adults":2,"primaryGuest":{"firstName":"Ana","lastName":"Duarte",
            "email":"x@guest.booking.com","phone":"+351912345678","address":{"addressLine1":"Rua 1","postalCode":"1000-001",
            "city":"Lisboa","countryCode":"PT"}},"additionalGuests":[{"firstName":"Rui","lastName":"Melo"}],
            "booker":{"firstName":"Eva","lastName":"Braun-Lang","email":"eva@agency.example"}}]}"#
        }
        _ => concat!(
            "id,guest,phone,born,agreed\n",
            "1,Wang/Xiaoming,+351912345678,03.02.1984,yes\n",
            "2,\"Duarte, Ana\",,,no\n",
        ),
    }
}

fn open_bytes(system: &str, text: Vec<u8>) -> Option<(Cut, Box<dyn Connector>)> {
    let from: Input = Box::new(std::io::Cursor::new(text));
    Some(match system {
        "ohip" => (
            Cut::Json(json::Elements::new(from, ohip::PLACES)),
            Box::<Ohip>::default(),
        ),
        "cloudbeds" => (
            Cut::Json(json::Elements::new(from, cloudbeds::PLACES)),
            Box::new(Cloudbeds),
        ),
        "mews" => (
            Cut::Json(json::Elements::new(from, mews::PLACES)),
            Box::<Mews>::default(),
        ),
        "apaleo" => (
            Cut::Json(json::Elements::new(from, apaleo::PLACES)),
            Box::<Apaleo>::default(),
        ),
        "alpinebits" => (
            Cut::Xml(xml::Elements::new(from, alpinebits::ELEMENT)),
            Box::new(AlpineBits),
        ),
        _ => {
            let mapping = Mapping::read(
                "source_system = 'pms'
id = 'id'
date_format = '%d.%m.%Y'
[columns]
'guest' = 'names'
'phone' = 'phones'
                 'born' = 'birth_date'
'agreed' = 'consents.marketing_direct'",
            )
            .unwrap();
            let rows = Rows::new(from, &mapping).ok()?;
            (Cut::Csv(rows), Box::new(table_of(mapping)))
        }
    })
}

proptest::proptest! {
    #[test]
    fn no_payload_makes_a_connector_panic(
        steps in proptest::collection::vec(0_usize..40, 0..12), which in 0_usize..10, text in "\\PC{0,20}",
    ) {
        let strange = [
            json!(null), json!({}), json!([]), json!(true), json!(-1.5e300), json!(text), json!([[[]]]), json!({"code": []}),
            json!([text, null, {"a": text}]), json!(u64::MAX),
        ];
        for mut payload in [profile(), json!({"reservations": [{"id": "1", "primaryGuest": {"firstName": "A"}, "adults": "2"}]})] {
            disturb(&mut payload, &steps, &strange[which]);
            let text = payload.to_string();
            let cut = |places| Cut::Json(json::Elements::new(input(&text), places));
            let connectors: [(Cut, Box<dyn Connector>); 4] = [
                (cut(ohip::PLACES), Box::<Ohip>::default()),
                (cut(cloudbeds::PLACES), Box::new(Cloudbeds)),
                (cut(mews::PLACES), Box::<Mews>::default()),
                (cut(apaleo::PLACES), Box::<Apaleo>::default()),
            ];
            for (cut, connector) in connectors {
                let _lines = Records::new(cut, connector).count();
            }
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "\\PC{0,200}", from in 0_usize..1500, to in 0_usize..1500) {
        let mut torn = REQUEST.to_owned();
        let (from, to) = (from.min(to).min(torn.len()), from.max(to).min(torn.len()));
        if torn.is_char_boundary(from) && torn.is_char_boundary(to) {
            torn.replace_range(from..to, &text);
        }
        for text in [torn, text] {
            let xml = Cut::Xml(xml::Elements::new(input(&text), alpinebits::ELEMENT));
            let _lines = Records::new(xml, Box::new(AlpineBits)).count();
            let cut = Cut::Json(json::Elements::new(input(&text), ohip::PLACES));
            let _lines = Records::new(cut, Box::<Ohip>::default()).count();
            let mapping = Mapping::read(&suggest(&text));
            if let Ok(rows) = Rows::new(input(&text), &mapping.unwrap()) {
                let _rows = rows.read_bytes();
            }
        }
    }
}

#[test]
fn an_endless_cell_is_not_gathered() {
    let mapping = Mapping::read("source_system = 'a'\nid = 'i'\n[columns]\n'n' = 'name.surname'").unwrap();
    let endless = format!("i,n\n1,\"{}", "x".repeat(3 * 1024 * 1024));
    let mut rows = Rows::new(input(&endless), &mapping).unwrap();
    assert!(rows.next_row().unwrap().unwrap().is_err());
    assert!(rows.next_row().unwrap().is_none());
}
