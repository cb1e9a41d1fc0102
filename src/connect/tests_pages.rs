//! What stands in several files, or comes a second time: the next page, a reservation with fewer guests, a mended refusal.

use serde_json::{Value, json};

use super::{
    json, mended,
    mews::{self, Mews, Seen},
    ohip::{self, Ohip},
    records::{Cut, Records},
    tests::{Read, input, mews, ohip, read},
    tests_ota::{ids, leaves},
};

fn page(payload: &Value, seen: &Seen) -> Read {
    let cut = Cut::Json(json::Elements::new(input(&payload.to_string()), mews::PLACES));
    read(cut, Box::new(Mews::after(seen.clone())))
}

#[test]
fn documents_of_the_next_page_do_not_replace_those_before() {
    let document = |kind: &str, number: &str| json!({"IdentityDocuments": [{"Id": number, "CustomerId": "mc-5", "Type": kind, "Number": number}]});
    let seen = Seen::default();
    let first = page(&document("Passport", "E12345688"), &seen);
    let second = page(&document("DriversLicense", "J010000SD58"), &seen);
    assert_eq!(
        (first.stored[0].line.excerpt, second.stored[0].line.excerpt),
        (false, true)
    );
    // Another import tells the customer's documents anew.
    assert!(
        !page(&document("Passport", "E12345689"), &Seen::default()).stored[0]
            .line
            .excerpt
    );

    let seen = Seen::default();
    let merged = json!({"Customers": [{"Id": "mc-9", "LastName": "Ostin", "MergeTargetId": "mc-1"}]});
    assert!(page(&merged, &seen).stored.is_empty());
    let read = page(
        &json!({"IdentityDocuments": [{"CustomerId": "mc-9", "Type": "Passport", "Number": "E12345688"}]}),
        &seen,
    );
    assert!(
        read.stored.is_empty() && read.refused[0].contains("of a customer who is refused"),
        "{:?}",
        read.refused
    );
}

#[test]
fn a_document_is_no_card_and_a_card_no_document() {
    let of = |members: Value| {
        let mut document = json!({"CustomerId": "mc-10"});
        document
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        mews(&json!({"IdentityDocuments": [document]}))
    };
    // Where the law keeps hotels from noting the number it is empty.
    let dutch = of(json!({"Type": "Visa", "Number": "", "Expiration": "2030-01-01"}));
    assert!(dutch.alarms.is_empty() && dutch.stored.is_empty() && dutch.refused.is_empty());
    let unknown = of(json!({"Type": "CitizenCertificate", "Number": "K12345", "Expiration": "2030-01-01"}));
    assert_eq!(
        unknown.stored[0].values["id_documents"][0]["number"],
        json!("K12345")
    );
    assert!(unknown.alarms.is_empty() && leaves(&unknown, "Type"));
    for card in [
        json!({"Type": "Visa", "Expiration": "2030-01"}),
        json!({"Type": "Visa", "Number": "4111 1111 1111 1111", "Expiration": "2030-01"}),
        json!({"Type": "MasterCard", "Expiration": "2030-01"}),
        json!({"Suffix": "4444"}),
    ] {
        let read = of(card.clone());
        assert_eq!(
            (read.alarms.as_slice(), read.stored.len()),
            (&["card_data".to_owned()][..], 0),
            "{card}"
        );
    }
}

#[test]
fn an_address_of_nothing_takes_the_address_back() {
    let of = |address: Value| {
        mews(&json!({"Customers": [{"Id": "mc-1", "LastName": "Ostin", "Address": address}]}))
    };
    let cleared = |read: &Read| read.stored[0].line.guest.get("postal_addresses").cloned();
    assert_eq!(
        cleared(&of(json!({"Line1": null, "City": null, "CountryCode": ""}))),
        Some(Value::Null)
    );
    assert_eq!(
        cleared(&of(json!({"City": "Faro", "Line1": null}))).unwrap()[0]["city"],
        json!("Faro")
    );
}

#[test]
fn who_stays_in_a_reservation_is_who_they_were() {
    let guest = |given: &str| {
        let name = json!([{"givenName": given, "surname": "Nilsen", "nameType": "Primary"}]);
        json!({"profileInfo": {"profile": {"customer": {"personName": name}}}})
    };
    let of = |guests: &[Value]| {
        ohip(&json!({"reservations": {"reservationInfo": [{
            "reservationIdList": [{"type": "Reservation", "id": "77001"}],
            "roomStay": {"arrivalDate": "2026-12-01", "departureDate": "2026-12-03"},
            "reservationGuests": guests,
        }]}}))
    };
    let (two, one) = (of(&[guest("Kai"), guest("Lea")]), of(&[guest("Lea")]));
    assert_eq!((ids(&two).len(), ids(&one)[0]), (2, ids(&two)[1]));
    // Of whom nothing is said nobody is made.
    let read = of(&[guest("Kai"), json!({"primary": false}), json!({"primary": false})]);
    assert_eq!(
        (ids(&read), read.refused.len()),
        (vec![ids(&two)[0]], 1),
        "{:?}",
        read.refused
    );
    let flat = ohip(&json!({"reservations": {"reservationInfo": [{
        "reservationIdList": [{"type": "Reservation", "id": "77001"}],
        "roomStay": {"arrivalDate": "2026-12-01", "departureDate": "2026-12-03"},
        "reservationGuest": {"givenName": "Kai", "surname": "Nilsen"},
    }]}}));
    assert_eq!(
        ids(&flat)[0],
        ids(&two)[0],
        "a list of reservations tells of the same person"
    );
}

#[test]
fn numbers_that_nobody_can_read_exactly_are_no_ids() {
    let of = |id: &str| {
        let text = r#"{"profiles":{"profileInfo":[{"profileIdList":[{"type":"Profile","id":ID}],"profile":{"customer":{"personName":[{"surname":"Nilsen"}]}}}]}}"#;
        let cut = Cut::Json(json::Elements::new(input(&text.replace("ID", id)), ohip::PLACES));
        read(cut, Box::<Ohip>::default())
    };
    assert!(of("123456789012345678901").stored.is_empty());
    assert_eq!(ids(&of("18446744073709551615")), ["18446744073709551615"]);
    assert_eq!(ids(&of("70001.0")), ["70001"]);
    assert!(of("70001.5").stored.is_empty());
}

#[test]
fn a_mended_search_result_stays_an_excerpt() {
    let summary = json!({"profileSummaries": {"profileInfo": [{"profile": {"customer": {"personName": [{"surname": "Nilsen"}]}}}]}});
    let cut = Cut::Json(json::Elements::new(input(&summary.to_string()), ohip::PLACES));
    let mut records = Records::new(cut, Box::<Ohip>::default());
    let refused = records.next().unwrap().unwrap();
    assert!(refused.result.is_err());
    let mut line: Value = serde_json::from_slice(&refused.text).unwrap();
    line["profileIdList"] = json!([{"type": "Profile", "id": "900002"}]);
    let again = |line: &Value| {
        let lines = mended::Lines::new(input(&line.to_string()), ohip::PLACES).unwrap();
        read(Cut::Mended(lines), Box::<Ohip>::default())
    };
    assert!(again(&line).stored[0].line.excerpt);
    line["rejected"]["place"] = json!("profiles.profileInfo");
    assert!(!again(&line).stored[0].line.excerpt);
}
