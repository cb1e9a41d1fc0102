//! Real payloads of the systems, which lie beside the project where they do: each becomes records or is told, and of
//! each value something is said.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;

use super::{
    alpinebits::{self, AlpineBits},
    cloudbeds::{self, Cloudbeds},
    json,
    ohip::{self, Ohip},
    records::Cut,
    tests::{Read, input, read},
    told::Connector,
    xml,
};

/// Members whose values become something else: words of the vault, parts of a moment, the place of another value. Each
/// has a test of its own beside its connector.
const TRANSLATED: &[&str] = &[
    // Moments, of another zone or without one: `observed_at`.
    "@CreateDateTime",
    "createDateTime",
    "dateModified",
    "lastModifyDateTime",
    // Words: sex, state of the stay and of the profile, kind of name, of contact and of id, whose the stay is.
    "@Gender",
    "@ResStatus",
    "@Type",
    "gender",
    "internal",
    "isMerged",
    "nameType",
    "phoneTechType",
    "primary",
    "profileType",
    "reservationStatus",
    "type",
    // Agreements: consents.
    "@Remark",
    "isOptIn",
    // What a code beside it says too.
    "countryName",
    "name",
    // Three letters become two.
    "issuedCountry",
    // The number without its mask is beside it, or the document is refused.
    "idNumberMasked",
];

/// Members whose values the vault refuses in these payloads (placeholders, masked numbers), and the field that says so.
const REFUSED: &[(&str, &str)] = &[
    ("birthday", "birth_date"),
    ("cellPhone", "phones"),
    ("phone", "phones"),
    ("documentExpirationDate", "id_documents"),
    ("documentIssueDate", "id_documents"),
    ("documentIssuingCountry", "id_documents"),
    ("documentNumber", "id_documents"),
    ("documentType", "id_documents"),
];

/// Name and text of every payload.
pub(super) fn samples() -> Vec<(String, String)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples"));
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return Vec::new();
    };
    let files = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some((name, fs::read_to_string(&path).ok()?))
    });
    files.filter(|(name, _)| open(name, "").is_some()).collect()
}

fn open(name: &str, text: &str) -> Option<(Cut, Box<dyn Connector>)> {
    // A message of an error is no file of records.
    if name.contains("-error") {
        return None;
    }
    Some(match name.split('-').next()? {
        "ohip" => (
            Cut::Json(json::Elements::new(input(text), ohip::PLACES)),
            Box::<Ohip>::default(),
        ),
        "cloudbeds" => (
            Cut::Json(json::Elements::new(input(text), cloudbeds::PLACES)),
            Box::new(Cloudbeds),
        ),
        "alpinebits" => (
            Cut::Xml(xml::Elements::new(input(text), alpinebits::ELEMENT)),
            Box::new(AlpineBits),
        ),
        _ => return None,
    })
}

fn taken(name: &str, text: &str) -> Read {
    let (cut, connector) = open(name, text).unwrap();
    read(cut, connector)
}

#[test]
fn real_payloads_make_records_or_are_told() {
    let mut seen = 0;
    for (name, text) in samples() {
        let read = taken(&name, &text);
        seen += 1;
        let silent = name.contains("empty");
        assert!(
            silent || !read.stored.is_empty() || !read.refused.is_empty(),
            "{name} was dropped in silence"
        );
        for one in &read.stored {
            let whole = serde_json::to_string(&one.line.guest).unwrap();
            assert!(!whole.contains("4444333322221111"), "{name}");
        }
        // A card in clear always raises an alarm; nothing else does but OPERA's member for cards.
        let (card, member) = (text.contains("PlainText"), text.contains("\"paymentCard\""));
        assert!(
            !card || !read.alarms.is_empty(),
            "{name} holds a card and raised no alarm"
        );
        assert!(
            card || member || read.alarms.is_empty(),
            "{name} raised an alarm for nothing"
        );
    }
    assert!(seen == 0 || seen >= 20, "only {seen} payloads");
}

/// The letters and digits of a text, small: `+39 06…` and `3906…` are one.
fn bare(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Every value with its place, as the report names places.
fn leaves(place: &str, value: &Value, into: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let dot = if place.is_empty() { "" } else { "." };
                leaves(&format!("{place}{dot}{key}"), member, into);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| leaves(&format!("{place}[]"), item, into)),
        Value::Null => {}
        Value::String(text) if text.trim().is_empty() => {}
        Value::String(text) => {
            into.insert((place.to_owned(), text.clone()));
        }
        other => {
            into.insert((place.to_owned(), other.to_string()));
        }
    }
}

/// What is stored of a payload, and its lines, as one text.
fn kept(read: &Read) -> String {
    let mut texts = BTreeSet::new();
    for one in &read.stored {
        let line = serde_json::to_value(&one.line).unwrap();
        // The guest as it is stored, the rest as it is told.
        for (key, value) in line
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, _)| *key != "guest")
        {
            leaves(key, value, &mut texts);
        }
        leaves("guest", &one.values.clone().into(), &mut texts);
    }
    let bare: Vec<String> = texts.iter().map(|(_, text)| bare(text)).collect();
    bare.join("\n")
}

#[test]
fn each_value_of_a_real_payload_is_kept_or_its_place_is_told() {
    let mut lost = BTreeSet::new();
    for (name, text) in samples() {
        let read = taken(&name, &text);
        let kept = kept(&read);
        let (mut cut, _) = open(&name, &text).unwrap();
        while let Some(element) = cut.next_element().unwrap() {
            let mut all = BTreeSet::new();
            leaves("", &element.unwrap(), &mut all);
            for (place, value) in all {
                let member = place
                    .trim_end_matches("[]")
                    .rsplit('.')
                    .next()
                    .unwrap_or_default();
                let rejected = |field: &str| {
                    let mut all = read.stored.iter().flat_map(|one| &one.rejected);
                    all.any(|told| told.starts_with(field))
                };
                let told = read.unmapped.contains(&place)
                    || TRANSLATED.contains(&member)
                    || REFUSED.iter().any(|(of, field)| *of == member && rejected(field));
                // A refused element is told by its refusal.
                let whole = read.stored.is_empty() && !read.refused.is_empty();
                if !told && !whole && !kept.contains(&bare(&value)) {
                    lost.insert(format!("{name}: {place}"));
                }
            }
        }
    }
    let lost: Vec<String> = lost.into_iter().collect();
    assert!(lost.is_empty(), "neither kept nor told:\n{}", lost.join("\n"));
}
