//! Documents and machine-readable zones.

use serde_json::{Value, json};

use super::*;

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
        number("cn_hkmo_permit", "CN", "12345679"),
        Err(Reason::InvalidDocument)
    );
    assert_eq!(number("library_card", "CN", "A1"), Err(Reason::InvalidCode));
}

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
