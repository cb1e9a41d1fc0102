//! Whole documents through the shipped catalogue, and what holds for any document.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::*;
use crate::base::{Catalogue, SourceSystem};

mod laws;
mod papers;
mod values;

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
            departure: None,
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

const ZONE: &str =
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10";

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

#[test]
fn a_field_of_which_a_part_is_masked_says_so() {
    let house = House::of("PT");
    let read = house.read(&json!({
        "postal_addresses": [{"lines": ["*****"], "city": "Lisboa", "country": "**"}],
        "phones": [{"number": "+351 912 *** 521"}, {"number": "+351 912 000 522"}],
        "emails": [{"address": "noreply@guests.example"}, {"address": "rita@guests.example"}],
        "organisation": {"name": "****", "kind": "company", "tax_id": "x"},
        "relationships": [{"kind": "spouse", "name": "***", "since": "2020"}],
        "preferences": {"room": {"floor": "***", "bed": "king"}},
        "nationality": "PT",
        "anniversaries": [{"kind": "wedding", "date": "2012-03-08"}, {"kind": "wedding", "date": "2012-02-31"}]
    }));
    let of = |path: &str| {
        let (at, _) = house.catalogue.find(path).unwrap();
        let value = read.values.iter().find(|value| value.field == at);
        value.map(|value| value.spoilt)
    };
    for path in ["postal_addresses", "phones", "preferences.room"] {
        assert_eq!(of(path), Some(Some(Reason::Masked)), "{path}: {:?}", told(&read));
    }
    assert_eq!(of("emails"), Some(Some(Reason::Placeholder)));
    assert_eq!(of("nationality"), Some(None));
    assert_eq!(of("anniversaries"), Some(None), "a mistyped date hides nothing");
    for path in ["organisation", "relationships"] {
        assert!(
            of(path).flatten() == Some(Reason::Masked) || of(path).is_none(),
            "{path}"
        );
    }
}
