//! OPERA and Cloudbeds once more: what was once lost, mistaken or stored for nobody. All people are invented.

use serde_json::{Value, json};

use super::tests::{Read, cloudbeds, ohip};

/// A profile that says `with` beside its name.
pub(super) fn profile(with: Value) -> Value {
    let mut profile = json!({"customer": {"personName": [{"surname": "Lima", "givenName": "Rosa"}]}});
    merge(&mut profile, with);
    json!({"profiles": {"profileInfo": [{"profileIdList": [{"id": "7", "type": "Profile"}], "profile": profile}]}})
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// A reservation that says `with` beside its number and days.
pub(super) fn reservation(with: Value) -> Value {
    let mut reservation = json!({
        "reservationIdList": [{"id": "900", "type": "Reservation"}], "reservationStatus": "Reserved",
        "roomStay": {"arrivalDate": "2026-03-04", "departureDate": "2026-03-07"},
    });
    merge(&mut reservation, with);
    json!({"reservations": {"reservation": [reservation]}})
}

pub(super) fn guest(surname: &str) -> Value {
    json!({"profileInfo": {"profile": {"customer": {"personName": [{"surname": surname}]}}}})
}

pub(super) fn card(with: Value) -> Value {
    let mut card = json!({"id": "31", "firstName": "Rosa", "lastName": "Lima"});
    merge(&mut card, with);
    card
}

pub(super) fn ids(read: &Read) -> Vec<String> {
    let ids = read.stored.iter().map(|one| one.line.source_id.clone());
    ids.collect()
}

pub(super) fn leaves(read: &Read, place: &str) -> bool {
    read.unmapped.iter().any(|left| left.ends_with(place))
}

#[test]
fn a_place_in_a_reservation_is_no_person() {
    let of = |names: &[&str]| {
        let guests: Vec<Value> = names.iter().map(|name| guest(name)).collect();
        ids(&ohip(&reservation(json!({ "reservationGuests": guests }))))
    };
    let both = of(&["Moser", "Lund"]);
    assert!(
        both.iter().all(|id| id.starts_with("900:guest:")) && both[0] != both[1],
        "{both:?}"
    );
    assert_eq!(of(&["MOSER"]), both[..1]);
    assert_ne!(of(&["Lund"]), both[..1]);
    let native = |name: &str| {
        let named = json!([{"surname": name, "nameType": "Alternate"}]);
        let guest = json!({"profileInfo": {"profile": {"customer": {"personName": named}}}});
        ids(&ohip(&reservation(json!({ "reservationGuests": [guest] }))))
    };
    assert_ne!(native("王"), native("李"));
    let flat = |name: &str| {
        ids(&ohip(&reservation(
            json!({"reservationGuest": {"surname": name}}),
        )))
    };
    assert_ne!(flat("Moser"), flat("Lund"));
    let known = ohip(&reservation(
        json!({"reservationGuest": {"surname": "Lund", "id": "55"}}),
    ));
    assert_eq!(ids(&known), ["55"]);
}

#[test]
fn an_agreement_taken_back_is_told() {
    let said = |read: &Read| read.stored[0].line.consents[0].state.as_str();
    assert_eq!(said(&cloudbeds(&card(json!({"isOptIn": true})))), "given");
    assert_eq!(said(&cloudbeds(&card(json!({"isOptIn": false})))), "refused");
    let read = ohip(&profile(json!({"privacyInfo": {
        "optInEmail": false, "lastPrivacyPromptDate": "2026-02-01"}})));
    assert_eq!(said(&read), "refused");
    assert_eq!(read.stored[0].line.guest["contact_preference"], Value::Null);
    // Asked in the year 101: never.
    let read = ohip(&profile(json!({"privacyInfo": {
        "optInEmail": false, "lastPrivacyPromptDate": "0101-01-01"}})));
    assert!(read.stored[0].line.consents.is_empty());
}

#[test]
fn dates_are_read_or_refused_by_name() {
    for (given, stored) in [
        ("1987-05-17T00:00:00", Some("1987-05-17")),
        ("17.05.1987", Some("1987-05-17")),
        ("05/17/1987", Some("1987-05-17")),
        ("17MAY1987", Some("1987-05-17")),
        ("19870517", Some("1987-05-17")),
        ("1987-05", Some("1987-05")),
        ("1987", Some("1987")),
        ("XXXX-XX-XX", None),
        ("1899-12-30", None),
        ("0101-01-01", None),
        ("05/06/1987", None),
    ] {
        for read in [
            ohip(&profile(json!({"customer": {"birthDate": given}}))),
            cloudbeds(&card(json!({ "birthday": given }))),
        ] {
            let one = &read.stored[0];
            let birth = one.values.get("birth_date").and_then(Value::as_str);
            assert_eq!(birth, stored, "{given}");
            let told = one.rejected.iter().any(|told| told.starts_with("birth_date"));
            assert_eq!(told, stored.is_none(), "{given}: {:?}", one.rejected);
        }
    }
    let read = cloudbeds(&card(
        json!({"documentType": "passport", "documentNumber": "C12345678",
        "documentIssueDate": "22.01.2020", "documentExpirationDate": "2030"}),
    ));
    assert_eq!(
        read.stored[0].values["id_documents"][0]["issued_on"],
        "2020-01-22"
    );
    assert_eq!(read.stored[0].rejected, ["id_documents[0].expires_on invalid"]);
}

#[test]
fn a_stay_that_cannot_be_read_is_refused_and_an_unknown_status_told() {
    let guest = json!([guest("Moser")]);
    let read = ohip(&reservation(
        json!({"reservationGuests": guest, "roomStay": {"arrivalDate": "22-NOV-26"}}),
    ));
    assert_eq!(
        read.refused,
        ["stays a stay has no day of arrival or departure that can be read"]
    );
    assert!(read.stored[0].line.stays.is_empty());
    let status = |word: &str| {
        let read = ohip(&reservation(
            json!({"reservationGuests": guest, "reservationStatus": word}),
        ));
        let stay = serde_json::to_value(&read.stored[0].line.stays[0]).unwrap();
        (
            stay["status"].as_str().unwrap().to_owned(),
            leaves(&read, "reservationStatus"),
        )
    };
    for (word, stored) in [
        ("PreRegistered", "confirmed"),
        ("Prospect", "tentative"),
        ("Arrived", "checked_in"),
    ] {
        assert_eq!(status(word), (stored.to_owned(), false));
    }
    assert_eq!(status("Enchanted"), ("tentative".to_owned(), true));
}

#[test]
fn two_values_for_one_place_are_kept_or_told() {
    let preference = |kind: &str, values: &[&str]| {
        let values: Vec<Value> = values.iter().map(|v| json!({ "preferenceValue": v })).collect();
        json!({"preferenceType": kind, "preference": values})
    };
    let name = |kind: &str, surname: &str, given: &str| json!({"nameType": kind, "surname": surname, "givenName": given});
    let read = ohip(&profile(json!({
        "customer": {"personName": [name("Primary", "Wang", "Xiaoming"), name("Phonetic", "ワン", "シャオミン"),
                                    name("Alternate", "王", "小明"), name("External", "WANG", "XM")],
                     "nationality": "US", "citizenCountry": {"code": "MX"}},
        "preferenceCollection": {"preferenceType": [
            preference("FLOOR", &["HIGH", "QUIET"]), preference("SMOKING", &["NS", "S", "NO PREFERENCE"])]},
    })));
    let one = &read.stored[0];
    assert_eq!(one.rejected, [""; 0]);
    assert_eq!(one.values["name.native"]["value"], "王 小明");
    assert_eq!(one.values["name.native"]["phonetic"], "ワン シャオミン");
    assert_eq!(one.values["preferences.room"]["floor"], json!(["HIGH", "QUIET"]));
    assert_eq!(one.values["preferences.smoking"], false);
    assert_eq!(one.values["nationality"], "US");
    for place in [
        "personName[].surname",
        "preference[].preferenceValue",
        "preferences.smoking (another value)",
        "nationality (another value)",
    ] {
        assert!(leaves(&read, place), "{place}: {:?}", read.unmapped);
    }
    let read = ohip(&profile(
        json!({"customer": {"personName": [name("Phonetic", "ワン", "")]}}),
    ));
    assert_eq!(read.stored[0].values["name.native"]["value"], "ワン");
}

#[test]
fn a_part_whose_other_half_is_missing_is_told() {
    let read = ohip(&profile(json!({
        "addresses": {"addressInfo": [{"address": {"state": "CA", "type": "VACATION"}}]},
        "profileMemberships": {"profileMembership": [{"membershipId": "88003"}, {"membershipType": "CLUB"}]},
        "customer": {"identifications": {"identificationInfo": [
            {"identification": {"idType": "VISA", "issuedCountry": "PT", "expirationDate": "2030-01-01"}},
            {"identification": {"idType": "DRIVER LICENSE", "idNumber": "L1234567"}},
            {"identification": {"idType": "IDENTITYCARD", "idNumber": "30815247"}},
            {"identification": {"idType": "LIBRARY", "idNumber": "B7654321"}}]}},
    })));
    let one = &read.stored[0];
    assert_eq!(one.values["postal_addresses"][0]["region"], "CA");
    let kinds: Vec<&Value> = one.values["id_documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|document| &document["type"])
        .collect();
    assert_eq!(kinds, ["driver_licence", "national_id", "other"]);
    for place in [
        "address.type",
        "membershipId",
        "membershipType",
        "identification.idType",
        "identification.issuedCountry",
        "identification.expirationDate",
    ] {
        assert!(leaves(&read, place), "{place}: {:?}", read.unmapped);
    }
    let read = ohip(&profile(
        json!({"customer": {"citizenCountry": {"name": "Portugal"}, "identifications": {
        "identificationInfo": [{"identification": {"idType": "PASSPORT", "idNumberMasked": "C030059XX"}}]}},
        "lastModifyDateTime": "yesterday"}),
    ));
    let mut rejected = read.stored[0].rejected.clone();
    rejected.sort();
    assert_eq!(
        rejected,
        ["id_documents[0].number masked", "nationality invalid_country"]
    );
    assert_eq!(read.unmapped, ["profile.lastModifyDateTime"]);
    let read = cloudbeds(&card(json!({"countryName": "Portugal", "documentType": "na",
        "documentIssuingCountry": "PT", "documentExpirationDate": "2030-01-01"})));
    assert_eq!(
        read.stored[0].rejected,
        ["postal_addresses[0].country invalid_country"]
    );
    assert_eq!(
        read.unmapped,
        ["documentExpirationDate", "documentIssuingCountry"]
    );
    let read = cloudbeds(&card(
        json!({"documentType": "student_id", "documentNumber": "S7654321"}),
    ));
    assert_eq!(read.stored[0].values["id_documents"][0]["type"], "other");
    assert_eq!(read.unmapped, ["documentType"]);
}

#[test]
fn who_is_nobody_is_refused() {
    let anonymous = "element the source has made the profile anonymous";
    let gone =
        json!({"anonymization": {"anonymizationStatus": "ANONYMIZED"}, "givenName": "Anonymized", "id": "9"});
    let merged = json!({"isMerged": true, "parentId": "30"});
    for (read, why) in [
        (ohip(&reservation(json!({ "reservationGuest": gone }))), anonymous),
        (
            cloudbeds(&card(
                json!({"firstName": "Anonymized", "lastName": "Anonymized"}),
            )),
            anonymous,
        ),
        (
            cloudbeds(&card(json!({"email": "anonymized-3f2b@example.com"}))),
            anonymous,
        ),
        (
            cloudbeds(&card(merged)),
            "element the source has merged the profile into another",
        ),
        (
            ohip(&profile(json!({"profileType": "Company"}))),
            "element the profile is of no person",
        ),
        (
            ohip(&profile(json!({"profileType": "TravelAgent"}))),
            "element the profile is of no person",
        ),
    ] {
        assert!(read.stored.is_empty());
        assert_eq!(read.refused, [why]);
    }
    let read = ohip(&profile(
        json!({"profileType": "GUEST", "company": {"companyName": "Lima Lda"}}),
    ));
    assert_eq!(ids(&read), ["7"]);
    let read = ohip(&reservation(
        json!({"reservationGuest": {"surname": "Lund", "givenName": "Anonymized", "id": "9"}}),
    ));
    assert_eq!(read.stored[0].rejected, ["name.given placeholder"]);
}

#[test]
fn a_fax_is_a_fax_wherever_it_stands() {
    let phone = |tech: &str, usage: &str, number: &str| json!({"telephone": {"phoneTechType": tech, "phoneUseType": usage, "phoneNumber": number}});
    let read = ohip(&profile(json!({"telephones": {"telephoneInfo": [
        phone("FAX", "BUSINESS", "+351 210 000 001"), phone("PHONE", "HOME", "+351 210 000 002"),
        phone("PHONE", "YACHT", "+351 210 000 003")]}})));
    let phones = &read.stored[0].values["phones"];
    assert_eq!(
        (&phones[0]["kind"], &phones[1]["kind"]),
        (&json!("fax"), &json!("home"))
    );
    assert!(leaves(&read, "phoneUseType"), "{:?}", read.unmapped);
}

#[test]
fn what_staff_tell_each_other_is_no_wish() {
    let comment = |kind: &str, internal: bool, text: &str| json!({"comment": {"type": kind, "internal": internal, "text": {"value": text}}});
    let read = ohip(&reservation(
        json!({"reservationGuests": [guest("Moser")], "comments": [
        comment("RESERVATION", false, "Cot, please"), comment("RESERVATION", true, "Argues"),
        comment("CASHIER", false, "Pays late")]}),
    ));
    let values = &read.stored[0].values;
    assert_eq!(values["special_needs"], json!([{"text": "Cot, please"}]));
    assert_eq!(
        values["notes"],
        json!([{"text": "Argues"}, {"text": "Pays late"}])
    );
}

#[test]
fn a_card_raises_an_alarm_wherever_it_stands() {
    let paid = json!([{"paymentMethod": "VA", "paymentCard": {"cardNumber": "4444333322221111"}}]);
    let read = ohip(&reservation(
        json!({"reservationGuests": [guest("Moser")], "reservationPaymentMethods": paid}),
    ));
    assert_eq!(read.alarms, ["card_data"]);
    let line = serde_json::to_string(&read.stored[0].line.guest).unwrap();
    assert!(!line.contains("4444"));
    let read = ohip(&reservation(json!({"reservationGuests": [guest("Moser")],
        "reservationPaymentMethods": [{"paymentMethod": "CA"}]})));
    assert_eq!(read.alarms, [""; 0]);
}

#[test]
fn words_of_their_own_are_understood() {
    let read = ohip(&profile(
        json!({"customer": {"language": "ZH-T"}, "emails": {"emailInfo": [
        {"email": {"emailAddress": "r.9@user.hotels.com"}}]}}),
    ));
    assert_eq!(read.stored[0].values["preferred_language"], "zh-Hant");
    assert_eq!(read.stored[0].values["emails"][0]["relay"]["provider"], "expedia");
    assert_eq!(ids(&cloudbeds(&card(json!({"id": 31})))), ["31"]);
}
