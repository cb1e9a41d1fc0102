//! Whose words a payload holds, of when they are, and what of a stay cannot be read. All people are invented.

use serde_json::{Value, json};

use crate::base::{PropertyKind, PropertyNode, PropertyTree};

use super::{
    apaleo::{self, Apaleo},
    hotels::Hotels,
    json,
    ohip::{self, Ohip},
    records::Cut,
    tests::{Read, Stored, apaleo, cloudbeds, input, ohip, read},
    tests_ohip::{card, guest, ids, leaves, profile, reservation},
};

/// A guest of a reservation who has a profile.
fn known(id: &str, profile: &Value) -> Value {
    json!({"profileInfo": {"profileIdList": [{"id": id, "type": "Profile"}], "profile": profile}})
}

fn lund() -> Value {
    json!({"customer": {"personName": [{"surname": "Lund"}]}})
}

fn short(with: Value) -> Read {
    let mut guest = json!({"surname": "Lund", "id": "55", "type": "Profile"});
    let (Value::Object(guest_members), Value::Object(with)) = (&mut guest, with) else {
        panic!()
    };
    guest_members.extend(with);
    ohip(&reservation(json!({ "reservationGuest": guest })))
}

fn stay(one: &Stored) -> Value {
    serde_json::to_value(&one.line.stays[0]).unwrap()
}

fn seen(one: &Stored) -> Option<String> {
    one.line.observed_at.map(|at| at.to_rfc3339())
}

#[test]
fn the_number_of_a_membership_is_the_one_on_the_card() {
    let card = |number: Value| {
        short(json!({"membership": {"membershipId": 448_812, "programCode": "CLUB", "accountId": number}}))
    };
    let read = card(json!("GOLD-77812"));
    let memberships = &read.stored[0].values["memberships"];
    assert_eq!(memberships[0]["number"], "GOLD-77812");
    let read = card(Value::Null);
    assert!(!read.stored[0].values.contains_key("memberships"));
    assert!(leaves(&read, "membership.membershipId") && leaves(&read, "membership.programCode"));
}

#[test]
fn what_a_reservation_or_a_search_says_of_a_profile_is_an_excerpt() {
    let both = ohip(&reservation(
        json!({"reservationGuests": [known("1", &lund()), guest("Moser")]}),
    ));
    assert!(both.stored[0].line.excerpt);
    // Nobody else has words about who is known by the place.
    assert!(!both.stored[1].line.excerpt);
    let whole = profile(json!({}));
    let search =
        json!({"profileSummaries": {"profileInfo": whole["profiles"]["profileInfo"], "totalResults": 1}});
    let excerpts = |read: &Read| read.stored.iter().map(|one| one.line.excerpt).collect::<Vec<_>>();
    assert_eq!(
        (excerpts(&ohip(&whole)), excerpts(&ohip(&search))),
        (vec![false], vec![true])
    );
    let alone = &whole["profiles"]["profileInfo"][0];
    let pages = json!([search, whole, alone]);
    assert_eq!(excerpts(&ohip(&pages)), [true, false, false]);
}

#[test]
fn a_number_that_is_its_own_mask_is_none() {
    let read = ohip(&profile(
        json!({"customer": {"identifications": {"identificationInfo": [
        {"identification": {"idType": "PASSPORT", "idNumber": "C030059XX", "idNumberMasked": "C030059XX"}}]}}}),
    ));
    assert_eq!(read.stored[0].rejected, ["id_documents[0].number masked"]);
}

#[test]
fn a_stay_is_as_new_as_its_reservation() {
    let mut old = lund();
    old["lastModifyDateTime"] = json!("2026-01-01 10:00:00.0");
    old["privacyInfo"] = json!({"optInEmail": true});
    let of = |when: Value| {
        let read = ohip(&reservation(json!({
            "reservationGuests": [known("1", &old)], "createDateTime": "2025-12-01 09:00:00.0",
            "lastModifyDateTime": when})));
        let agreed = read.stored[0].line.consents[0].at.unwrap().to_rfc3339();
        (seen(&read.stored[0]), agreed)
    };
    let asked = "2026-01-01T10:00:00+00:00".to_owned();
    assert_eq!(
        of(json!("2026-02-20 03:00:08.0")),
        (Some("2026-02-20T03:00:08+00:00".to_owned()), asked.clone())
    );
    assert_eq!(of(Value::Null), (None, asked));

    let modified = |when: &str| json!({"modified": when, "created": "2026-02-01T10:00:00Z"});
    let with = |mut value: Value, more: Value| {
        value
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        value
    };
    let one = |id: &str, when: &str| {
        with(
            json!({"id": id, "arrival": "2026-03-04", "departure": "2026-03-07", "primaryGuest": {"lastName": "Vogt"}}),
            modified(when),
        )
    };
    let booking = json!({"id": "BK", "booker": {"firstName": "Eva", "lastName": "Ostin"}, "reservations": [
        one("BK-1", "2026-02-10T10:00:00Z"), one("BK-2", "2026-02-20T11:00:00+01:00")]});
    let read = apaleo(&with(booking.clone(), modified("2026-02-02T10:00:00Z")));
    assert_eq!(seen(&read.stored[2]).unwrap(), "2026-02-20T10:00:00+00:00");
    let read = apaleo(&with(booking, modified("2026-02-22T10:00:00Z")));
    assert_eq!(seen(&read.stored[2]).unwrap(), "2026-02-22T10:00:00+00:00");
    let read = apaleo(&one("R-1", "-"));
    assert_eq!(seen(&read.stored[0]), None);
}

#[test]
fn companies_staff_and_dead_profiles_are_no_guests() {
    let refused = |read: Read| {
        assert!(read.stored.is_empty(), "{:?}", ids(&read));
        read.refused.concat()
    };
    for (kind, why) in [
        ("Company", "element the profile is of no person"),
        ("BusinessHeader", "element the profile is of no person"),
        ("Billing", "element the profile is of no person"),
        ("Keyword", "element the profile is of no person"),
        ("Employee", "element the profile is of an employee"),
        ("Purge", "element the profile stands for deleted ones"),
    ] {
        assert_eq!(refused(short(json!({ "nameType": kind }))), why);
        assert_eq!(refused(ohip(&profile(json!({ "profileType": kind })))), why);
    }
    assert_eq!(ids(&short(json!({"nameType": "Guest"}))), ["55"]);
    assert_eq!(
        refused(cloudbeds(&card(json!({"isMerged": true})))),
        "element the source has merged the profile into another"
    );
    assert_eq!(
        refused(cloudbeds(
            &json!({"id": "19", "name": "Acme", "email": "info@acme.example", "profileType": "COMPANY"})
        )),
        "element the profile is of no person"
    );
    let legacy = json!({"success": true, "data": {"guestID": "1", "firstName": "Rosa", "lastName": "Lima"}});
    assert!(refused(cloudbeds(&legacy)).contains("Guest Profiles API"));
}

#[test]
fn one_guest_of_a_reservation_is_the_primary_one() {
    let roles = |flags: [Value; 2]| {
        let [first, second] = flags.map(|flag| {
            let mut guest = known("1", &lund());
            guest["primary"] = flag;
            guest
        });
        let comments = json!([{"comment": {"text": {"value": "Cot, please"}}}]);
        let read = ohip(&reservation(
            json!({"reservationGuests": [first, second], "comments": comments}),
        ));
        let of = |one: &Stored| {
            (
                stay(one)["role"] == "primary",
                one.values.contains_key("special_needs"),
            )
        };
        read.stored.iter().map(of).collect::<Vec<_>>()
    };
    let (is, is_not) = ((true, true), (false, false));
    assert_eq!(roles([Value::Null, json!(true)]), [is_not, is]);
    assert_eq!(roles([Value::Null, Value::Null]), [is, is_not]);
    assert_eq!(roles([json!("Y"), json!("N")]), [is, is_not]);
}

#[test]
fn flags_that_say_no_are_a_no_and_flags_that_say_nothing_are_told() {
    let of = |flags: Value| ohip(&profile(json!({ "privacyInfo": flags })));
    let read = of(json!({"optInEmail": false, "optInSms": false}));
    assert!(read.stored[0].line.consents.is_empty());
    assert!(leaves(&read, "privacyInfo.optInEmail") && leaves(&read, "privacyInfo.optInSms"));
    let read = of(json!({"optInEmail": true, "allowEmail": false}));
    assert_eq!(read.stored[0].line.consents[0].state.as_str(), "refused");
    assert_eq!(read.unmapped, [""; 0]);
    let read = of(json!({"optInEmail": true, "allowEmail": false, "optInSms": true}));
    assert_eq!(read.stored[0].line.consents[0].state.as_str(), "given");
    let told = &read.stored[0].values["contact_preference"];
    assert_eq!(told["channels"], json!(["sms"]));
    assert_eq!(read.unmapped, [""; 0]);
}

#[test]
fn what_is_for_the_staff_alone_is_a_note() {
    let comment = |name: &str, flag: Value| json!({"comment": {"text": {"value": format!("{name} {flag}")}, name: flag}});
    let comments = json!([
        comment("confidential", json!(true)),
        comment("internal", json!("Y")),
        comment("internal", json!("1")),
        comment("internal", json!(1)),
        comment("internal", json!("No")),
    ]);
    let read = ohip(&reservation(
        json!({"reservationGuests": [guest("Moser")], "comments": comments}),
    ));
    let values = &read.stored[0].values;
    assert_eq!(values["notes"].as_array().map(Vec::len), Some(4));
    assert_eq!(values["special_needs"], json!([{"text": "internal \"No\""}]));
}

#[test]
fn an_id_of_another_type_is_another_id() {
    let of = |kind: &str| {
        let mut file = profile(json!({}));
        file["profiles"]["profileInfo"][0]["profileIdList"][0]["type"] = json!(kind);
        ids(&ohip(&file))
    };
    assert_eq!(
        [of("Profile"), of(""), of("CorporateId")].concat(),
        ["7", "7", "CorporateId:7"]
    );
    assert_eq!(ids(&short(json!({"type": "CorporateId"}))), ["CorporateId:55"]);
    let mut leg = reservation(json!({"reservationGuests": [guest("Moser")]}));
    leg["reservations"]["reservation"][0]["reservationIdList"][0]["type"] = json!("Confirmation");
    let read = ohip(&leg);
    assert_eq!(read.refused, ["element the reservation has no id of its own"]);
}

#[test]
fn what_of_a_stay_cannot_be_read_is_told() {
    let of = |room: Value| {
        let read = ohip(&reservation(json!({
            "reservationGuests": [known("1", &lund())], "roomStay": room, "sourceOfSale": {"sourceType": "直销"}})));
        let stay = stay(&read.stored[0]);
        assert_eq!(stay.get("channel"), None);
        assert!(leaves(&read, "sourceOfSale.sourceType"));
        (stay["party"].clone(), read)
    };
    for (adults, children) in [
        (json!("two"), json!(3)),
        (json!(120), json!(3)),
        (json!(2), json!("x")),
    ] {
        let (party, read) = of(json!({"adultCount": adults, "childCount": children}));
        assert_eq!(party, Value::Null);
        assert!(leaves(&read, "roomStay.adultCount") && leaves(&read, "roomStay.childCount"));
    }
    let (party, _) = of(json!({"adultCount": "2", "childCount": "", "guestCounts": {"children": "1"}}));
    assert_eq!((&party["adults"], &party["children"]), (&json!(2), &json!(1)));
    let (_, read) = of(json!({"arrivalDate": "2026-03-04T18:30:00", "departureDate": "2026-03-07T00:00:00"}));
    assert_eq!(stay(&read.stored[0])["arrival"], "2026-03-04");
    assert!(leaves(&read, "roomStay.arrivalDate") && !leaves(&read, "roomStay.departureDate"));

    let read = apaleo(
        &json!({"id": "A-1", "status": "Confirmed", "arrival": "2026-03-04T21:30:00+01:00", "adults": "two",
        "departure": "2026-03-07", "childrenAges": [3, 7], "channelCode": "渠道", "travelPurpose": "出差",
        "primaryGuest": {"lastName": "Reis"}}),
    );
    assert_eq!(stay(&read.stored[0]).get("party"), None);
    assert_eq!(
        read.unmapped,
        [
            "adults",
            "arrival",
            "channelCode",
            "childrenAges[]",
            "travelPurpose"
        ]
    );
}

/// A house with a hotel in Lisbon and one in Tokyo; the file is about the former.
fn house() -> Hotels {
    let node = |code: &str, kind, timezone| PropertyNode {
        code: code.parse().unwrap(),
        kind,
        parent: None,
        name: String::new(),
        region: None,
        province: None,
        timezone,
    };
    let tree = PropertyTree::new(vec![
        node("GROUP", PropertyKind::Group, chrono_tz::Tz::UTC),
        node("LIS01", PropertyKind::Property, chrono_tz::Europe::Lisbon),
        node("TYO01", PropertyKind::Property, chrono_tz::Asia::Tokyo),
    ]);
    Hotels::of(&tree.unwrap(), &"LIS01".parse().unwrap())
}

fn hotel(one: &Stored) -> Option<&str> {
    one.line.property.as_ref().map(|code| code.as_str())
}

#[test]
fn a_stay_is_of_the_hotel_that_its_payload_names() {
    let ohip = |file: &Value| {
        let cut = Cut::Json(json::Elements::new(input(&file.to_string()), ohip::PLACES));
        read(cut, Box::new(Ohip::of(house())))
    };
    let of = |code: &str, when: &str| {
        ohip(&reservation(
            json!({"hotelId": code, "lastModifyDateTime": when, "reservationGuests": [known("1", &lund())]}),
        ))
    };
    let read_of = of("TYO01", "2026-07-23 12:35:38.0");
    assert_eq!(
        (hotel(&read_of.stored[0]), leaves(&read_of, "hotelId")),
        (Some("TYO01"), false)
    );
    assert_eq!(seen(&read_of.stored[0]).unwrap(), "2026-07-23T03:35:38+00:00");
    let told = of("TYO01", "2026-07-23T12:35:38Z");
    assert_eq!(seen(&told.stored[0]).unwrap(), "2026-07-23T12:35:38+00:00");
    // Another house's, or none at all: the property that the file is about.
    for code in ["HOTEL1", "GROUP"] {
        let read = of(code, "2026-07-23 12:35:38.0");
        assert_eq!((hotel(&read.stored[0]), leaves(&read, "hotelId")), (None, true));
        assert_eq!(seen(&read.stored[0]).unwrap(), "2026-07-23T11:35:38+00:00");
    }
    let read_of = ohip(&profile(json!({"lastModifyDateTime": "2026-07-23 12:35:38.0"})));
    assert_eq!(seen(&read_of.stored[0]).unwrap(), "2026-07-23T11:35:38+00:00");

    let one = |id: &str, code: &str| {
        json!({"id": id, "arrival": "2026-03-04", "departure": "2026-03-07", "property": {"id": code, "code": code},
               "status": "Confirmed", "primaryGuest": {"lastName": "Vogt"}})
    };
    let booking = json!({"id": "BK", "booker": {"firstName": "Eva", "lastName": "Ostin"},
                         "reservations": [one("BK-1", "TYO01"), one("BK-2", "TYO01"), one("BK-3", "MUC")]});
    let cut = Cut::Json(json::Elements::new(input(&booking.to_string()), apaleo::PLACES));
    let read = read(cut, Box::new(Apaleo::of(house())));
    let told = |one: &Stored| (hotel(one).map(str::to_owned), one.line.stays.len());
    let (tokyo, none) = (Some("TYO01".to_owned()), None);
    assert_eq!(
        read.stored.iter().map(told).collect::<Vec<_>>(),
        [
            (tokyo.clone(), 1),
            (tokyo.clone(), 1),
            (none.clone(), 1),
            (none, 1),
            (tokyo, 2)
        ]
    );
    assert_eq!(ids(&read)[3], ids(&read)[4]);
    assert_eq!(
        read.unmapped,
        ["reservations[].property.code", "reservations[].property.id"]
    );
}
