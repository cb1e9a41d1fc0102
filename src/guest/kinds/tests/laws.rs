//! What holds for any document.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// Any JSON, with words of the schema as keys and values that come close to real ones.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        ".{0,40}",
        "[0-9 +*xX.-]{0,24}",
        "[a-z.]{1,8}@[a-z]{1,8}\\.[a-z]{2,3}",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}",
        "[A-Z0-9<]{88}",
        "[0-9]{17}[0-9X]",
        Just("王小明".to_owned()),
        Just(ZONE.to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "name",
            "full",
            "surname",
            "native",
            "value",
            "script",
            "phones",
            "number",
            "raw",
            "ext",
            "kind",
            "relay",
            "provider",
            "emails",
            "address",
            "id_documents",
            "type",
            "mrz",
            "issuing_country",
            "birth_date",
            "gender",
            "nationality",
            "preferred_language",
            "preferences",
            "room",
            "floor",
            "notes",
            "text",
            "memberships",
            "program",
            "tier",
            "diet",
            "health",
            "allergies",
            "tax_invoice",
            "tax_id",
            "title",
            "vehicle_plates",
            "external_ids",
            "system",
            "restriction",
            "until",
            "approver",
            "postal_addresses",
            "lines",
            "city",
            "postal_code",
            "relationships",
            "anniversaries",
            "date",
            "relation",
            "residence_permit",
            "valid_to",
            "party",
            "interests",
            "payment_token_ref",
            "organisation",
            "org_id",
        ])
        .prop_map(ToOwned::to_owned),
        ".{0,12}"
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..8)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// A document of the catalogue's fields with any JSON in them.
fn any_document() -> impl Strategy<Value = Vec<(usize, Value)>> {
    prop::collection::vec((0_usize..70, any_json()), 0..8)
}

fn placed(house: &House, parts: Vec<(usize, Value)>) -> Value {
    let mut document = Map::new();
    for (at, value) in parts {
        let Some((_, field)) = house.catalogue.iter().nth(at) else {
            continue;
        };
        let value = if field.list && !value.is_array() {
            json!([value])
        } else {
            value
        };
        match field.path.as_str().split_once('.') {
            None => drop(document.insert(field.path.to_string(), value)),
            Some((outer, inner)) => {
                let outer = document.entry(outer).or_insert_with(|| json!({}));
                outer[inner] = value;
            }
        }
    }
    Value::Object(document)
}

/// The document that the stored values spell.
fn spelled(stored: &Map<String, Value>) -> Value {
    let mut document = Map::new();
    for (path, value) in stored {
        match path.split_once('.') {
            None => drop(document.insert(path.clone(), value.clone())),
            Some((outer, inner)) => document.entry(outer).or_insert_with(|| json!({}))[inner] = value.clone(),
        }
    }
    Value::Object(document)
}

proptest! {
    #[test]
    fn normalising_twice_is_normalising_once(parts in any_document()) {
        let house = House::of("PT");
        let first = house.read(&placed(&house, parts));
        let stored = house.stored(&first);
        let again = house.read(&spelled(&stored));
        prop_assert_eq!(told(&again), []);
        prop_assert_eq!(house.stored(&again), stored);
        prop_assert_eq!(tokens(&again), tokens(&first));
    }

    #[test]
    fn any_json_is_read_without_panic_and_told_without_data(document in any_json()) {
        let house = House::of("CN");
        if let Value::Object(document) = document {
            let read = read_document(&house.catalogue, &document, &house.context());
            for rejection in &read.rejected {
                let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.[]?".contains(c);
                prop_assert!(rejection.field.chars().all(fits), "{}", rejection.field);
                prop_assert!(rejection.field.bytes().filter(u8::is_ascii_digit).count() < 12);
            }
        }
    }

    #[test]
    fn any_text_is_taken_by_any_kind_without_panic(text in ".{0,60}") {
        let house = House::of("US");
        for (_, field) in house.catalogue.iter() {
            let value = Value::from(text.as_str());
            let value = if field.list { json!([value]) } else { value };
            if let Ok((stored, _)) = validate(field, &value, &house.context()) {
                let again = validate(field, &stored, &house.context()).ok().map(|(v, _)| v);
                prop_assert_eq!(again, Some(stored));
            }
        }
    }

    #[test]
    fn any_phone_is_read_without_panic(number in "[+0-9()x#;a-z ＋０-９.-]{0,24}") {
        let house = House::of("US");
        let (_, field) = house.catalogue.find("phones").unwrap();
        if let Ok((stored, _)) = validate(field, &json!([{"number": number}]), &house.context()) {
            let e164 = stored[0]["number"].as_str().unwrap();
            prop_assert!(e164.starts_with('+') && e164.len() <= 17);
            let again = validate(field, &stored, &house.context()).ok().map(|(v, _)| v);
            prop_assert_eq!(again, Some(stored.clone()));
        }
    }

    /// A card number of any issuer, cut into groups anyhow, inside any words.
    #[test]
    fn every_card_number_is_found(body in "4[0-9]{14}|5[1-5][0-9]{13}|3[47][0-9]{12}|62[0-9]{14}", separator in "[ .,/|-]?|－|ー|・|　| - ", before in "[a-z ]{0,10}", after in "[a-z ]{0,10}") {
        let digit = (0..10).map(|d| format!("{body}{d}")).find(|n| card::is_number(n)).unwrap();
        let grouped: Vec<String> = digit.as_bytes().chunks(4).map(|c| String::from_utf8(c.to_vec()).unwrap()).collect();
        let text = format!("{before}{}{after}", grouped.join(&separator));
        prop_assert!(holds_card_number(&text));
        let house = House::of("PT");
        let read = house.read(&json!({"notes": [text]}));
        prop_assert_eq!(told(&read), [("notes[0]", Reason::CardNumber)]);
    }

    #[test]
    fn what_is_masked_is_never_stored(start in "[a-z0-9]{0,4}", stars in "[*]{2,6}", end in "[a-z0-9]{0,4}") {
        let house = House::of("PT");
        let text = format!("{start}{stars}{end}");
        let read = house.read(&json!({
            "name": {"surname": text, "full": text, "native": {"value": text}}, "phones": [{"number": text}], "emails": [{"address": text}, {"address": format!("{text}@example.pt")}],
            "id_documents": [{"type": "passport", "number": text}], "memberships": [{"program": "C", "number": text}],
            "birth_date": text, "nationality": text, "vip_code": text, "occupation": text, "vehicle_plates": [text],
        }));
        prop_assert!(read.values.is_empty());
    }
}
