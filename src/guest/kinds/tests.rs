//! Whole documents through the shipped catalogue, and what holds for any document.

use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::base::{Catalogue, SourceSystem};

struct House {
    catalogue: Catalogue,
    source: SourceSystem,
    region: &'static str,
}

impl House {
    fn of(region: &'static str) -> Self {
        Self {
            catalogue: Catalogue::shipped().unwrap(),
            source: "pms".parse().unwrap(),
            region,
        }
    }

    fn context(&self) -> Context<'_> {
        let today = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
        Context {
            region: Some(self.region),
            today,
            source: &self.source,
        }
    }

    fn read(&self, document: &Value) -> Document {
        read_document(&self.catalogue, document.as_object().unwrap(), &self.context())
    }

    fn stored(&self, read: &Document) -> Map<String, Value> {
        let path = |at| self.catalogue.get(at).unwrap().path.to_string();
        read.values
            .iter()
            .map(|v| (path(v.field), v.value.clone()))
            .collect()
    }
}

fn told(read: &Document) -> Vec<(&str, Reason)> {
    read.rejected
        .iter()
        .map(|r| (r.field.as_str(), r.reason))
        .collect()
}

fn tokens(read: &Document) -> Vec<(&'static str, String)> {
    let all = read.values.iter().flat_map(|v| &v.tokens);
    all.map(|t| (t.kind.as_str(), t.value.replace('\u{1f}', "|")))
        .collect()
}

/// The document of the contract's example.
fn example() -> Value {
    json!({
        "name": {"surname": "Wang", "given": "Xiaoming", "native": {"script": "Hani", "value": "王小明"}},
        "birth_date": "1987-05-17",
        "phones": [{"number": "+86 138 1234 5678", "kind": "mobile"}],
        "emails": [{"address": "wang@example.cn"}],
        "nationality": "CN",
        "id_documents": [{"type": "passport", "issuing_country": "CN", "number": "E12345678"}],
        "preferences": {"room": {"floor": "high", "bed": "king"}},
        "memberships": [{"program": "CLUB", "number": "88001", "tier": "gold"}]
    })
}

#[test]
fn the_contract_s_example_is_stored_whole() {
    let house = House::of("PT");
    let read = house.read(&example());
    assert_eq!(told(&read), []);
    assert!(read.cleared.is_empty());
    assert_eq!(
        Value::Object(house.stored(&read)),
        json!({
            "name.surname": "Wang",
            "name.given": "Xiaoming",
            "name.native": {"script": "Hani", "value": "王小明"},
            "birth_date": "1987-05-17",
            "phones": [{"number": "+8613812345678", "raw": "+86 138 1234 5678", "kind": "mobile"}],
            "emails": [{"address": "wang@example.cn"}],
            "nationality": "CN",
            "id_documents": [{"type": "passport", "issuing_country": "CN", "number": "E12345678"}],
            "preferences.room": {"floor": "high", "bed": "king"},
            "memberships": [{"program": "CLUB", "number": "88001", "tier": "gold"}],
        })
    );
    let found = [
        ("phone", "+8613812345678"),
        ("phone_tail", "12345678"),
        ("email", "wang@example.cn"),
        ("document", "CN|E12345678"),
        ("membership", "CLUB|88001"),
    ];
    assert_eq!(tokens(&read), found.map(|(kind, value)| (kind, value.to_owned())));
}

#[test]
fn every_shipped_field_takes_a_value() {
    let house = House::of("PT");
    let every = r#"{
        "external_ids": [{"system": "PMS", "type": "profile", "value": "A-778"}],
        "name": {"full": "Ana Maria Silva", "surname": "Silva", "given": "Ana", "middle": "Maria", "surname2": "Costa",
                 "prefix": "Ms.", "suffix": "PhD", "native": {"value": "Силва"}, "alias": "Jane Doe"},
        "gender": "female", "birth_date": "1987-05", "birth_place": "Porto", "nationality": "PRT", "preferred_language": "PT_pt",
        "phones": [{"number": "912 345 678"}], "emails": [{"address": "Ana@Example.PT", "primary": true}],
        "postal_addresses": [{"lines": ["Rua Augusta 1"], "city": "Lisboa", "postal_code": "1100-048", "country": "PT"}],
        "messaging_ids": [{"service": "WeChat", "id": "oXy-12"}],
        "contact_preference": {"channels": ["email"], "hours": "09:00-18:00", "language": "pt"},
        "id_documents": [{"type": "driver_licence", "number": "L-1234567 8", "issuing_country": "PT", "issued_on": "2020-01-02"}],
        "identity_verifications": [{"method": "document", "result": "passed", "at": "2026-02-01T10:00:00+01:00"}],
        "residence_permit": {"kind": "temporary", "number": "TR 123456", "valid_to": "2027-01-01"},
        "tax_invoice": [{"title": "Silva Lda", "tax_id": "PT501442600"}],
        "spend_summary": {"band": "high", "currency": "EUR"}, "payment_method_pref": "invoice", "payment_token_ref": "tok_8a7B",
        "vehicle_plates": ["aa-12-bc"], "stay_summary": {"stays": 3, "nights": 9}, "party": {"adults": 2, "children_bands": ["0-5"]},
        "organisation": {"name": "Silva Lda"}, "occupation": "Engineer", "job_title": "Lead", "account_manager_id": "staff-17",
        "relationships": [{"kind": "spouse", "name": "Rui"}],
        "household_occasions": [{"relation": "child", "date": "2015-06-21"}],
        "anniversaries": [{"kind": "wedding", "date": "2010-06-21"}],
        "preferences": {"room": {"floor": "high"}, "bedding": {"pillow": "soft"}, "smoking": false,
                        "food_drink": {"likes": ["tea", "fish"]}, "environment": {"temperature": 21},
                        "facility": {"likes": ["gym"]}, "gift": {"likes": ["books"]}},
        "interests": ["golf"], "life_events": [{"kind": "graduation", "date": "2026"}],
        "diet": ["vegan"], "health": {"allergies": ["nuts", "milk"], "accessibility": ["step_free"]},
        "special_needs": ["cot"], "notes": [{"text": "Likes\nquiet rooms", "author": "staff-3"}],
        "memberships": [{"program": "CLUB", "number": "88-001"}], "customer_status": "gold",
        "value_grade": {"model": "v2", "grade": "A"}, "vip_code": "V1",
        "restriction": {"kind": "watch", "until": "2026-12-31", "approver": "staff-1"},
        "feedback_items": [{"type": "complaint", "text": "Noise at night", "status": "open"}],
        "survey_scores": [{"survey": "post_stay", "nps": 9}], "contact_log": [{"at": "2026-02-01", "channel": "phone"}],
        "campaign_responses": [{"campaign": "spring", "response": "open"}], "segments": [{"tag": "family", "source": "crm"}]
    }"#;
    let read = house.read(&serde_json::from_str(every).unwrap());
    assert_eq!(told(&read), []);
    let stored = house.stored(&read);
    let untaken: Vec<_> = house
        .catalogue
        .iter()
        .map(|(_, f)| f.path.to_string())
        .filter(|path| {
            !stored.contains_key(path) && !matches!(path.as_str(), "photo_ref" | "mrz" | "stay_links")
        })
        .collect();
    assert_eq!(untaken, Vec::<String>::new());
    for (path, value) in [
        ("gender", json!(2)),
        ("nationality", json!("PT")),
        ("preferred_language", json!("pt-PT")),
        ("name.native", json!({"value": "Силва", "script": "Cyrl"})),
        (
            "phones",
            json!([{"number": "+351912345678", "raw": "912 345 678"}]),
        ),
        (
            "emails",
            json!([{"address": "Ana@example.pt", "raw": "Ana@Example.PT", "primary": true}]),
        ),
        ("vehicle_plates", json!(["AA12BC"])),
        (
            "household_occasions",
            json!([{"relation": "child", "date": "--06-21"}]),
        ),
        (
            "identity_verifications",
            json!([{"method": "document", "result": "passed", "at": "2026-02-01T09:00:00Z"}]),
        ),
        ("messaging_ids", json!([{"service": "wechat", "id": "oXy-12"}])),
    ] {
        assert_eq!(stored[path], value, "{path}");
    }
}

#[test]
fn bad_items_are_refused_alone() {
    let house = House::of("PT");
    let read = house.read(&json!({
        "phones": [{"number": "+351912345678"}, {"number": "+351 12"}, {"number": "+86 138****5678"}, {"kind": "mobile"}, 7,
                   {"number": "+351213456789", "kind": "carrier-pigeon"}],
        "emails": [{"address": "noreply@booking.com"}, {"address": "j***@example.com"}, {"address": "no at sign"},
                   {"address": "ana@example.pt", "fax": "1"}],
    }));
    assert_eq!(
        told(&read),
        [
            ("emails[0].address", Reason::Placeholder),
            ("emails[1].address", Reason::Masked),
            ("emails[2].address", Reason::InvalidEmail),
            ("emails[3].fax", Reason::UnknownField),
            ("phones[1].number", Reason::InvalidPhone),
            ("phones[2].number", Reason::Masked),
            ("phones[3].number", Reason::Missing),
            ("phones[4]", Reason::WrongType),
            ("phones[5].kind", Reason::InvalidCode),
        ]
    );
    assert_eq!(
        house.stored(&read)["phones"],
        json!([{"number": "+351912345678"}, {"number": "+351213456789"}])
    );
}

#[test]
fn unknown_words_are_told_unless_they_may_be_data() {
    let house = House::of("PT");
    let read = house.read(&json!({
        "favourite_colour": "red", "Wang Xiaoming": 1, "13812345678": 1, "name": {"nick": "X", "E12345678": 1},
        "name.surname": "twice", "preferences": "none", "stay_links": [{"a": 1}], "photo_ref": "vault/1",
    }));
    let mut said = told(&read);
    said.sort_unstable();
    assert_eq!(
        said,
        [
            ("?", Reason::UnknownField),
            ("?", Reason::UnknownField),
            ("?", Reason::UnknownField),
            ("favourite_colour", Reason::UnknownField),
            ("name.?", Reason::UnknownField),
            ("name.nick", Reason::UnknownField),
            ("photo_ref", Reason::ImageRefused),
            ("preferences", Reason::WrongType),
            ("stay_links", Reason::NotAccepted),
        ]
    );
    assert!(read.values.is_empty());
}

#[test]
fn null_and_the_empty_list_withdraw() {
    let house = House::of("PT");
    let read = house.read(&json!({"name": null, "gender": null, "phones": [], "mrz": null}));
    assert_eq!(told(&read), []);
    let paths: Vec<_> = read
        .cleared
        .iter()
        .map(|at| house.catalogue.get(*at).unwrap().path.to_string())
        .collect();
    assert_eq!(paths.len(), 9 + 2);
    assert!(paths.contains(&"name.alias".to_owned()) && paths.contains(&"phones".to_owned()));
}

#[test]
fn card_numbers_are_refused_wherever_they_stand() {
    let house = House::of("PT");
    let card = "4111 1111 1111 1111";
    for (document, place) in [
        (json!({"notes": [format!("pays with {card}")]}), "notes[0]"),
        (json!({"notes": [{"text": "cvv 123"}]}), "notes[0].text"),
        (json!({"special_needs": ["ok", card]}), "special_needs[1]"),
        (json!({"name": {"surname": card}}), "name.surname"),
        (json!({"phones": [{"number": card}]}), "phones[0].number"),
        (
            json!({"memberships": [{"program": "CLUB", "number": card}]}),
            "memberships[0].number",
        ),
        (
            json!({"external_ids": [{"system": "x", "value": "4111111111111111"}]}),
            "external_ids[0].value",
        ),
        (
            json!({"id_documents": [{"type": "other", "number": card}]}),
            "id_documents[0].number",
        ),
        (
            json!({"payment_token_ref": "4111-1111-1111-1111"}),
            "payment_token_ref",
        ),
        (
            json!({"payment_token_ref": "tok:4111:1111:1111:1111"}),
            "payment_token_ref",
        ),
        (
            json!({"postal_addresses": [{"lines": ["4111 1111", "1111 1111"]}]}),
            "postal_addresses[0].lines",
        ),
        (
            json!({"preferences": {"room": {"floor": 4_111_111_111_111_111_u64}}}),
            "preferences.room.floor",
        ),
        (
            json!({"preferences": {"room": {"view": ["4111111111111111"]}}}),
            "preferences.room.view",
        ),
        (
            json!({"tax_invoice": [{"title": "A", "bank": card}]}),
            "tax_invoice[0].bank",
        ),
        (json!({"vip_code": card}), "vip_code"),
        (json!({"diet": [card]}), "diet[0]"),
        (json!({"occupation": card}), "occupation"),
        (
            json!({"relationships": [{"kind": "other", "age_band": card}]}),
            "relationships[0].age_band",
        ),
    ] {
        let read = house.read(&document);
        assert_eq!(told(&read), [(place, Reason::CardNumber)]);
        assert!(
            !serde_json::to_string(&house.stored(&read))
                .unwrap()
                .contains("1111"),
            "{place}"
        );
    }
}

#[test]
fn pictures_are_refused() {
    let house = House::of("PT");
    let picture = format!("data:image/jpeg;base64,/9j/{}", "A".repeat(100_000));
    let read = house.read(&json!({
        "id_documents": [{"type": "passport", "number": "E12345678", "image_ref": "x/1"}],
        "notes": [picture.as_str(), format!("iVBORw0KGgo{}", "A".repeat(80))],
        "photo_ref": picture.as_str(),
    }));
    assert_eq!(
        told(&read),
        [
            ("id_documents[0].image_ref", Reason::ImageRefused),
            ("notes[0]", Reason::ImageRefused),
            ("notes[1]", Reason::ImageRefused),
            ("photo_ref", Reason::ImageRefused),
        ]
    );
    assert_eq!(
        house.stored(&read)["id_documents"],
        json!([{"type": "passport", "number": "E12345678"}])
    );
}

#[test]
fn phones_become_e_164() {
    for (region, given, stored) in [
        ("CN", "138 1234 5678", "+8613812345678"),
        ("PT", "13812345678", "+8613812345678"),
        ("PT", "8613812345678", "+8613812345678"),
        ("PT", "0086 138-1234-5678", "+8613812345678"),
        ("US", "(202) 555-0123", "+12025550123"),
        ("IT", "06 1234 5678", "+390612345678"),
        ("PT", "+39 06 1234 5678", "+390612345678"),
        ("GB", "+44 (0)20 7946 0958", "+442079460958"),
        ("PT", "+44 7700 900123", "+447700900123"),
        ("PT", "tel:+351912345678", "+351912345678"),
        ("PT", "＋３５１ ９１２ ３４５ ６７８", "+351912345678"),
        ("JP", "080-8374-4489", "+818083744489"),
        ("DE", "0151 23456789", "+4915123456789"),
    ] {
        let house = House::of(region);
        let read = house.read(&json!({"phones": [{"number": given}]}));
        assert_eq!(told(&read), [], "{given}");
        assert_eq!(house.stored(&read)["phones"][0]["number"], stored, "{given}");
    }
    let read = House::of("PT").read(&json!({"phones": [{"number": "+351 213 456 789 ext. 12"}]}));
    assert_eq!(House::of("PT").stored(&read)["phones"][0]["ext"], "12");
}

#[test]
fn what_is_no_phone_is_refused() {
    for (given, why) in [
        ("", Reason::Empty),
        ("N/A", Reason::Placeholder),
        ("000000000", Reason::Placeholder),
        ("+351 000000000", Reason::Placeholder),
        ("+351 999999999", Reason::Placeholder),
        ("1234567890", Reason::Placeholder),
        ("138XXXX5678", Reason::Masked),
        ("+86138••••5678", Reason::Masked),
        ("call me", Reason::InvalidPhone),
        ("12", Reason::InvalidPhone),
        ("+999 123456789", Reason::InvalidPhone),
        ("+86 138 1234 56789 0", Reason::InvalidPhone),
        ("ana@example.pt", Reason::InvalidPhone),
    ] {
        let read = House::of("PT").read(&json!({"phones": [{"number": given}]}));
        assert_eq!(told(&read), [("phones[0].number", why)], "{given}");
    }
}

#[test]
fn lent_addresses_are_typed_and_identify_nobody() {
    let house = House::of("PT");
    let read = house.read(&json!({
        "emails": [{"address": "awang.123@guest.booking.com"}, {"address": "x@m.expediapartnercentral.com"},
                   {"address": "me@example.pt", "relay": {"provider": "hostelworld", "expires_at": "2026-05-01"}},
                   {"address": "you@example.pt", "relay": "yes"}],
        "phones": [{"number": "+8613812345678", "relay": {"provider": "ctrip"}}],
    }));
    assert_eq!(told(&read), [("emails[3].relay", Reason::WrongType)]);
    assert_eq!(tokens(&read), []);
    let stored = house.stored(&read);
    assert_eq!(stored["emails"][0]["relay"], json!({"provider": "booking.com"}));
    assert_eq!(stored["emails"][1]["relay"], json!({"provider": "expedia"}));
    let own = house.read(&json!({"emails": [{"address": "ana@notguest.booking.com.example.pt"}]}));
    assert_eq!(tokens(&own).len(), 1);
}

#[test]
fn emails_keep_their_local_part_and_are_found_without_case() {
    let house = House::of("PT");
    for (given, stored, found) in [
        (
            " Ana.Silva@EXAMPLE.pt ",
            "Ana.Silva@example.pt",
            "ana.silva@example.pt",
        ),
        (
            "josé@bücher.example",
            "josé@xn--bcher-kva.example",
            "josé@xn--bcher-kva.example",
        ),
        (
            "o'neil+hotel@mail.example.com",
            "o'neil+hotel@mail.example.com",
            "o'neil+hotel@mail.example.com",
        ),
    ] {
        let read = house.read(&json!({"emails": [{"address": given}]}));
        assert_eq!(told(&read), [], "{given}");
        assert_eq!(house.stored(&read)["emails"][0]["address"], stored);
        assert_eq!(tokens(&read), [("email", found.to_owned())]);
    }
    for (given, why) in [
        ("@example.pt", Reason::InvalidEmail),
        ("a@b", Reason::InvalidEmail),
        ("a b@example.pt", Reason::InvalidEmail),
        ("a@b@example.pt", Reason::InvalidEmail),
        ("a..b@example.pt", Reason::InvalidEmail),
        ("Ana <ana@example.pt>", Reason::InvalidEmail),
        ("ana@-example.pt", Reason::InvalidEmail),
        ("ana@127.0.0.1", Reason::InvalidEmail),
        ("none@example.pt", Reason::Placeholder),
        ("unknown", Reason::Placeholder),
    ] {
        let read = house.read(&json!({"emails": [{"address": given}]}));
        assert_eq!(told(&read), [("emails[0].address", why)], "{given}");
    }
}

#[test]
fn dates_are_days_that_were() {
    let house = House::of("PT");
    for (given, stored) in [
        ("1987-05-17", "1987-05-17"),
        ("19870517", "1987-05-17"),
        ("1987-05", "1987-05"),
        ("1987", "1987"),
        ("--02-29", "--02-29"),
        ("2026-03-01", "2026-03-01"),
    ] {
        let read = house.read(&json!({"birth_date": given}));
        assert_eq!(house.stored(&read)["birth_date"], stored);
    }
    for (given, why) in [
        ("1987-02-29", Reason::ImpossibleDate),
        ("1987-13", Reason::ImpossibleDate),
        ("--02-30", Reason::ImpossibleDate),
        ("1870-01-02", Reason::ImpossibleDate),
        ("1900-01-01", Reason::Placeholder),
        ("1970-01-01", Reason::Placeholder),
        ("0000-00-00", Reason::Placeholder),
        ("9999-12-31", Reason::Placeholder),
        ("2026-03-02", Reason::InFuture),
        ("2027", Reason::InFuture),
        ("17/05/1987", Reason::Invalid),
        ("1987-5-7", Reason::Invalid),
        ("yesterday", Reason::Invalid),
        ("****-05-17", Reason::Masked),
    ] {
        let read = house.read(&json!({"birth_date": given}));
        assert_eq!(told(&read), [("birth_date", why)], "{given}");
    }
}

#[test]
fn resident_numbers_are_checked_and_brought_to_eighteen() {
    let house = House::of("CN");
    let document = |number: &str, kind: &str| json!({"id_documents": [{"type": kind, "number": number, "issuing_country": "CHN"}]});
    for (number, kind) in [
        ("11010519491231002x", "cn_resident_id"),
        ("110105 19491231 002X", "national_id"),
        ("110105491231002", "cn_resident_id"),
        ("11010519491231002X", "other"),
    ] {
        let read = house.read(&document(number, kind));
        assert_eq!(told(&read), [], "{number}");
        let stored =
            json!([{"type": "cn_resident_id", "number": "11010519491231002X", "issuing_country": "CN"}]);
        assert_eq!(house.stored(&read)["id_documents"], stored);
        assert_eq!(tokens(&read), [("document", "CN|11010519491231002X".to_owned())]);
    }
    let read = house.read(&document("110105194912310021", "cn_resident_id"));
    assert_eq!(told(&read), [("id_documents[0].number", Reason::BadCheckDigit)]);
}

#[test]
fn a_resident_number_agrees_with_the_gender() {
    let house = House::of("CN");
    let document = |gender: Value| {
        json!({"gender": gender, "id_documents": [
            {"type": "passport", "number": "E12345678", "issuing_country": "CN"},
            {"type": "cn_resident_id", "number": "11010519491231002X"}]})
    };
    assert_eq!(told(&house.read(&document(json!("female")))), []);
    assert_eq!(told(&house.read(&document(json!(9)))), []);
    let read = house.read(&document(json!("male")));
    assert_eq!(told(&read), [("id_documents[1].number", Reason::Inconsistent)]);
    assert_eq!(tokens(&read), [("document", "CN|E12345678".to_owned())]);
    assert_eq!(house.stored(&read)["id_documents"].as_array().unwrap().len(), 1);
}

#[test]
fn documents_of_other_countries_have_their_rules() {
    let house = House::of("ES");
    let number = |kind: &str, country: &str, number: &str| {
        let read = house
            .read(&json!({"id_documents": [{"type": kind, "issuing_country": country, "number": number}]}));
        match read.values.first() {
            Some(accepted) => Ok(accepted.value[0]["number"].as_str().unwrap().to_owned()),
            None => Err(read.rejected[0].reason),
        }
    };
    assert_eq!(number("national_id", "ES", "12345678-Z"), Ok("12345678Z".into()));
    assert_eq!(
        number("national_id", "ES", "12345678A"),
        Err(Reason::BadCheckDigit)
    );
    assert_eq!(
        number("residence_permit", "ES", "X1234567L"),
        Ok("X1234567L".into())
    );
    assert_eq!(number("passport", "UTO", "L898902C36"), Ok("L898902C3".into()));
    assert_eq!(
        number("passport", "UTO", "L898902C37"),
        Err(Reason::BadCheckDigit)
    );
    assert_eq!(number("passport", "D", "C01X00T47"), Ok("C01X00T47".into()));
    assert_eq!(number("passport", "CN", "E1"), Err(Reason::InvalidDocument));
    assert_eq!(number("passport", "CN", "*****678"), Err(Reason::Masked));
    assert_eq!(number("passport", "CN", "000000000"), Err(Reason::Placeholder));
    assert_eq!(number("passport", "CN", "123456789"), Err(Reason::Placeholder));
    assert_eq!(
        number("cn_hkmo_permit", "CN", "H12345678"),
        Ok("H12345678".into())
    );
    assert_eq!(
        number("cn_hkmo_permit", "CN", "12345678"),
        Err(Reason::InvalidDocument)
    );
    assert_eq!(number("library_card", "CN", "A1"), Err(Reason::InvalidCode));
}

const ZONE: &str =
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10";

#[test]
fn a_zone_fills_the_fields_and_is_not_kept() {
    let house = House::of("PT");
    let filled = json!({
        "name.surname": "ERIKSSON",
        "name.given": "ANNA MARIA",
        "birth_date": "1974-08-12",
        "nationality": "UTO",
        "gender": 2,
        "id_documents": [{"type": "passport", "number": "L898902C3", "issuing_country": "UTO", "expires_on": "2012-04-15"}],
    });
    for document in [json!({"mrz": ZONE}), json!({"id_documents": [{"mrz": ZONE}]})] {
        let read = house.read(&document);
        assert_eq!(told(&read), []);
        assert_eq!(Value::Object(house.stored(&read)), filled);
        assert_eq!(tokens(&read), [("document", "UTO|L898902C3".to_owned())]);
    }
}

#[test]
fn a_zone_completes_what_was_given() {
    let house = House::of("PT");
    let read = house.read(&json!({
        "name": {"surname": "Eriksson", "given": null},
        "mrz": ZONE,
        "id_documents": [{"type": "passport", "number": "L898902C3", "issuing_country": "UTO", "issued_on": "2002-04-15"}],
    }));
    assert_eq!(told(&read), []);
    let stored = house.stored(&read);
    assert_eq!(stored["name.surname"], "Eriksson");
    assert!(
        !stored.contains_key("name.given"),
        "withdrawn in the same document"
    );
    assert_eq!(stored["id_documents"].as_array().unwrap().len(), 1);
    assert_eq!(stored["id_documents"][0]["expires_on"], "2012-04-15");
}

#[test]
fn a_wrong_zone_is_refused() {
    let house = House::of("PT");
    let wrong = ZONE.replace("7408122", "7408132");
    let read = house.read(&json!({"mrz": wrong.as_str(), "id_documents": [{"mrz": wrong.as_str()}, {"mrz": ZONE, "number": "X12345679"}]}));
    assert_eq!(
        told(&read),
        [
            ("id_documents[0].mrz", Reason::BadCheckDigit),
            ("id_documents[0].type", Reason::Missing),
            ("id_documents[0].number", Reason::Missing),
            ("id_documents[1].number", Reason::Inconsistent),
            ("mrz", Reason::BadCheckDigit),
        ]
    );
    assert!(read.values.is_empty());
}

#[test]
fn lists_and_texts_have_bounds() {
    let house = House::of("PT");
    let many: Vec<Value> = (0..51)
        .map(|n| json!({"address": format!("a{n}@example.pt")}))
        .collect();
    let read =
        house.read(&json!({"emails": many, "notes": ["n".repeat(4_001)], "occupation": "o".repeat(201)}));
    assert_eq!(
        told(&read),
        [
            ("emails", Reason::TooMany),
            ("notes[0]", Reason::TooLong),
            ("occupation", Reason::TooLong)
        ]
    );
    assert_eq!(told(&house.read(&json!({"notes": ["n".repeat(4_000)]}))), []);
    let flood: Map<String, Value> = (0..5_000).map(|n| (format!("x{n}y"), Value::Null)).collect();
    assert_eq!(house.read(&Value::Object(flood)).rejected.len(), 200);
}

#[test]
fn restrictions_end_and_have_an_approver() {
    let house = House::of("PT");
    for (given, place, why) in [
        (
            json!({"kind": "watch", "approver": "m"}),
            "restriction.until",
            Reason::Missing,
        ),
        (
            json!({"kind": "watch", "until": "2026-12-31"}),
            "restriction.approver",
            Reason::Missing,
        ),
        (
            json!({"kind": "watch", "until": "2029-12-31", "approver": "m"}),
            "restriction.until",
            Reason::Invalid,
        ),
    ] {
        assert_eq!(told(&house.read(&json!({"restriction": given}))), [(place, why)]);
    }
}

#[test]
fn one_field_alone_is_refused_whole() {
    let house = House::of("PT");
    let (_, phones) = house.catalogue.find("phones").unwrap();
    let good = json!([{"number": "912 345 678"}]);
    let (value, found) = validate(phones, &good, &house.context()).ok().unwrap();
    assert_eq!(value, json!([{"number": "+351912345678", "raw": "912 345 678"}]));
    assert_eq!(found.len(), 2);
    let mixed = json!([{"number": "912 345 678"}, {"number": "x"}]);
    let refused = validate(phones, &mixed, &house.context()).err().unwrap();
    assert_eq!(
        refused,
        [Rejection {
            field: "phones[1].number".into(),
            reason: Reason::InvalidPhone
        }]
    );
    for (path, value) in [
        ("mrz", json!(ZONE)),
        ("stay_links", json!([1])),
        ("phones", json!([])),
    ] {
        let (_, field) = house.catalogue.find(path).unwrap();
        assert!(validate(field, &value, &house.context()).is_err(), "{path}");
    }
}

#[test]
fn reasons_are_told_by_the_same_word_everywhere() {
    for reason in [
        Reason::UnknownField,
        Reason::BadCheckDigit,
        Reason::CardNumber,
        Reason::Invalid,
        Reason::InFuture,
    ] {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
    }
}

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
    fn every_card_number_is_found(body in "4[0-9]{14}|5[1-5][0-9]{13}|3[47][0-9]{12}|62[0-9]{14}", separator in "[ .-]?", before in "[a-z ]{0,10}", after in "[a-z ]{0,10}") {
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
