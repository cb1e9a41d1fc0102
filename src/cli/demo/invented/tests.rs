//! What holds for all the invented guests together.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::NaiveDate;
use serde_json::Value;

use super::{HOTELS, properties, records};
use crate::{
    base::{Catalogue, Field, Kind},
    connect::ndjson::RecordLine,
    consent,
    guest::kinds::{Context, read_document},
};

const SEED: u64 = 7;

fn today() -> NaiveDate {
    "2026-03-04".parse().unwrap()
}

fn lines() -> Vec<Value> {
    records(SEED, 500, today()).collect()
}

/// Every text of a value.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The list `name` of the guest of a line.
fn list<'a>(line: &'a Value, name: &str) -> Vec<&'a Value> {
    line["guest"][name].as_array().into_iter().flatten().collect()
}

#[test]
fn the_same_seed_and_day_give_the_same_lines() {
    assert_eq!(lines(), lines());
    assert_ne!(lines(), records(SEED + 1, 500, today()).collect::<Vec<_>>());
    let fewer: Vec<_> = records(SEED, 100, today()).collect();
    assert!(
        lines().starts_with(&fewer),
        "a longer run begins like a shorter one"
    );
}

#[test]
fn no_source_gives_an_id_twice() {
    let all = lines();
    let ids: HashSet<_> = all
        .iter()
        .map(|l| (l["source_system"].to_string(), l["source_id"].to_string()))
        .collect();
    assert_eq!(ids.len(), all.len());
}

#[test]
fn mail_goes_only_to_reserved_domains() {
    let all = lines();
    let mut found = Vec::new();
    for line in &all {
        texts(line, &mut found);
    }
    let mails: Vec<_> = found.iter().filter_map(|t| t.split_once('@')).collect();
    assert!(mails.len() > 500);
    for (_, host) in mails {
        let host = format!(".{}", host.to_lowercase());
        let reserved = [".example.com", ".example.org", ".example.net"];
        assert!(reserved.iter().any(|end| host.ends_with(end)), "{host}");
    }
}

#[test]
fn phones_are_numbers_that_exist() {
    for line in lines() {
        let region = match line["property"].as_str().unwrap() {
            "LIS01" => phonenumber::country::PT,
            "SHA01" => phonenumber::country::CN,
            _ => phonenumber::country::DE,
        };
        for phone in list(&line, "phones") {
            let number = phone["number"].as_str().unwrap();
            // A default region would take the zero of an Italian number for its own trunk prefix.
            let region = (!number.starts_with('+')).then_some(region);
            let parsed = phonenumber::parse(region, number).unwrap();
            assert!(parsed.is_valid(), "{number}");
        }
    }
}

#[test]
fn every_point_of_a_stay_is_seen_at_every_hotel() {
    let mut seen: BTreeMap<(String, &str), u32> = BTreeMap::new();
    for line in lines() {
        for stay in line["stays"].as_array().into_iter().flatten() {
            let day = |name: &str| stay[name].as_str().unwrap().parse::<NaiveDate>().unwrap();
            let (from, to) = (
                (day("arrival") - today()).num_days(),
                (day("departure") - today()).num_days(),
            );
            let when = match (from, to) {
                (_, ..-3) => "past",
                (_, -3..0) => "departed",
                (..0, _) => "in house",
                (0, _) => "arrives today",
                (1, _) => "arrives tomorrow",
                _ => "booked",
            };
            *seen
                .entry((line["property"].as_str().unwrap().to_owned(), when))
                .or_default() += 1;
        }
    }
    for hotel in HOTELS {
        for when in [
            "past",
            "departed",
            "in house",
            "arrives today",
            "arrives tomorrow",
            "booked",
        ] {
            let count = seen.get(&(hotel.to_owned(), when)).copied().unwrap_or(0);
            assert!(count >= 5, "{hotel}: {count} guests {when}");
        }
    }
}

#[test]
fn many_guests_are_known_to_several_sources() {
    let mut sources: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in lines() {
        let guest = line["source_id"].as_str().unwrap().to_owned();
        sources
            .entry(guest)
            .or_default()
            .insert(line["source_system"].to_string());
    }
    assert!(sources.values().filter(|systems| systems.len() > 1).count() > 200);
}

#[test]
fn families_share_a_phone_and_strangers_do_not_share_a_document() {
    let mut holders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in lines() {
        let guest = line["source_id"].as_str().unwrap();
        for document in list(&line, "id_documents") {
            let number = document["number"].to_string();
            holders.entry(number).or_default().insert(guest.to_owned());
        }
        for phone in list(&line, "phones") {
            users
                .entry(phone["number"].to_string())
                .or_default()
                .insert(guest.to_owned());
        }
    }
    assert!(holders.len() > 150);
    assert!(holders.values().all(|guests| guests.len() == 1));
    assert!(users.values().filter(|guests| guests.len() > 1).count() > 20);
}

#[test]
fn consents_are_given_refused_and_withdrawn() {
    let mut seen = BTreeSet::new();
    for line in lines() {
        for said in line["consents"].as_array().into_iter().flatten() {
            let purpose = said["purpose"].as_str().unwrap().to_owned();
            assert_eq!(
                purpose.starts_with("third_party:"),
                said.get("recipient").is_some()
            );
            seen.insert((purpose, said["state"].as_str().unwrap().to_owned()));
        }
    }
    for purpose in ["marketing_direct", "profiling_value", "occasion_greeting"] {
        for state in ["given", "refused", "withdrawn"] {
            assert!(
                seen.contains(&(purpose.to_owned(), state.to_owned())),
                "{purpose} {state}"
            );
        }
    }
}

#[test]
fn properties_of_lines_are_configured() {
    let codes: HashSet<_> = properties()
        .into_iter()
        .map(|node| node.code.to_string())
        .collect();
    assert!(
        lines()
            .iter()
            .all(|line| codes.contains(line["property"].as_str().unwrap()))
    );
}

/// The catalogue that is built in.
fn catalogue() -> Catalogue {
    #[derive(serde::Deserialize)]
    struct File {
        field: Vec<Field>,
    }
    let file: File = toml::from_str(include_str!("../../../../policies/fields.toml")).unwrap();
    Catalogue::new(file.field).unwrap()
}

#[test]
fn every_value_is_one_that_the_vault_takes() {
    let catalogue = catalogue();
    let mut refused = BTreeSet::new();
    for line in lines() {
        let source = line["source_system"].as_str().unwrap().parse().unwrap();
        let node = properties()
            .into_iter()
            .find(|node| line["property"] == node.code.as_str())
            .unwrap();
        let context = Context {
            region: node.region.as_deref(),
            today: today(),
            source: &source,
            departure: None,
        };
        let document = read_document(&catalogue, line["guest"].as_object().unwrap(), &context);
        for flaw in document.rejected {
            refused.insert(format!(
                "{source} {}: {} {}",
                flaw.field,
                flaw.reason.as_str(),
                line["guest"]
            ));
        }
    }
    let some: Vec<_> = refused.iter().take(20).collect();
    assert!(refused.is_empty(), "{} are refused: {some:#?}", refused.len());
}

#[test]
fn every_field_of_the_catalogue_is_known_of_somebody() {
    let catalogue = catalogue();
    let mut seen = BTreeSet::new();
    for line in lines() {
        let source = line["source_system"].as_str().unwrap().parse().unwrap();
        let context = Context {
            region: None,
            today: today(),
            source: &source,
            departure: None,
        };
        let document = read_document(&catalogue, line["guest"].as_object().unwrap(), &context);
        seen.extend(document.values.into_iter().map(|value| value.field));
    }
    let never_stored = |kind| matches!(kind, Kind::Managed | Kind::ImageRef | Kind::Mrz);
    let missing: Vec<_> = catalogue
        .iter()
        .filter(|(at, field)| !seen.contains(at) && !never_stored(field.kind))
        .map(|(_, field)| field.path.to_string())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn stays_and_consents_are_what_a_record_may_hold() {
    let purposes: toml::Table = toml::from_str(include_str!("../../../../policies/purposes.toml")).unwrap();
    let now = today().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let mut said = 0;
    for line in lines() {
        let record: RecordLine = serde_json::from_value(line).unwrap();
        for statement in record.consents.iter() {
            assert!(
                purposes.contains_key(statement.purpose.as_str()),
                "{}",
                statement.purpose
            );
            assert_eq!(consent::check(statement, now), Ok(()));
            said += 1;
        }
        assert!(record.observed_at.unwrap() < now);
    }
    assert!(said > 200);
}
