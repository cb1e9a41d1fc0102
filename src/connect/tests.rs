//! Payloads in the shapes of the systems, all invented, through connector and rules of values: what comes out is what
//! would be stored.

use std::io::BufReader;

use serde_json::{Map, Value, json};

use super::{
    alpinebits::{self, AlpineBits},
    apaleo::{self, Apaleo},
    cloudbeds::{self, Cloudbeds},
    csv::{Mapping, Rows},
    guess::suggest,
    json,
    mews::{self, Mews},
    ndjson::RecordLine,
    ohip::{self, Ohip},
    records::{Cut, Input, Records},
    tests_csv::table_of,
    told::Connector,
    xml,
};
use crate::{
    base::Catalogue,
    guest::{
        StayRole,
        kinds::{self, Context},
    },
};

/// A record as it would be stored.
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) line: RecordLine,
    pub(super) values: Map<String, Value>,
    pub(super) rejected: Vec<String>,
}

pub(super) struct Read {
    pub(super) stored: Vec<Stored>,
    pub(super) refused: Vec<String>,
    pub(super) unmapped: Vec<String>,
    pub(super) alarms: Vec<String>,
}

pub(super) fn input(text: &str) -> Input {
    Box::new(BufReader::with_capacity(
        64,
        std::io::Cursor::new(text.to_owned().into_bytes()),
    ))
}

pub(super) fn stored(catalogue: &Catalogue, line: RecordLine) -> Stored {
    let context = Context {
        region: Some("PT"),
        today: "2026-03-05".parse().unwrap(),
        source: &line.source_system,
        departure: None,
    };
    let document = kinds::read_document(catalogue, &line.guest, &context);
    let path = |at| catalogue.get(at).unwrap().path.to_string();
    Stored {
        id: line.source_id.clone(),
        values: document
            .values
            .into_iter()
            .map(|v| (path(v.field), v.value))
            .collect(),
        rejected: document
            .rejected
            .iter()
            .map(|r| format!("{} {}", r.field, r.reason.as_str()))
            .collect(),
        line,
    }
}

pub(super) fn read(cut: Cut, connector: Box<dyn Connector>) -> Read {
    let catalogue = Catalogue::from_toml(include_str!("../../policies/fields.toml")).unwrap();
    let mut records = Records::new(cut, connector);
    let (mut all, mut refused) = (Vec::new(), Vec::new());
    for line in &mut records {
        match line.unwrap().result {
            Ok(line) => all.push(stored(&catalogue, line)),
            Err(error) => refused.push(error.to_string()),
        }
    }
    Read {
        stored: all,
        refused,
        unmapped: records.left().unmapped.keys().cloned().collect(),
        alarms: records.left().alarms.keys().cloned().collect(),
    }
}

pub(super) fn ohip(payload: &Value) -> Read {
    let cut = Cut::Json(json::Elements::new(input(&payload.to_string()), ohip::PLACES));
    read(cut, Box::<Ohip>::default())
}

pub(super) fn cloudbeds(payload: &Value) -> Read {
    let cut = Cut::Json(json::Elements::new(
        input(&payload.to_string()),
        cloudbeds::PLACES,
    ));
    read(cut, Box::new(Cloudbeds))
}

pub(super) fn mews(payload: &Value) -> Read {
    let cut = Cut::Json(json::Elements::new(input(&payload.to_string()), mews::PLACES));
    read(cut, Box::<Mews>::default())
}

pub(super) fn apaleo(payload: &Value) -> Read {
    let cut = Cut::Json(json::Elements::new(input(&payload.to_string()), apaleo::PLACES));
    read(cut, Box::<Apaleo>::default())
}

pub(super) fn alpinebits(text: &str) -> Read {
    read(
        Cut::Xml(xml::Elements::new(input(text), alpinebits::ELEMENT)),
        Box::new(AlpineBits),
    )
}

fn csv(text: &str, mapping: &str) -> Read {
    let mapping = Mapping::read(mapping).unwrap();
    let rows = Rows::new(input(text), &mapping).unwrap();
    read(Cut::Csv(rows), Box::new(table_of(mapping)))
}

pub(super) fn profile() -> Value {
    json!({"profiles": {"profileInfo": [{
        "profileIdList": [{"type": "Profile", "id": "70001"}],
        "profile": {
            "customer": {
                "personName": [
                    {"givenName": "Marta", "surname": "Ferreira", "nameTitle": "Ms", "nameType": "PRIMARY"},
                    {"surname": "Estrela", "nameType": "Incognito"},
                    {"surname": "王", "givenName": "小明", "nameType": "Alternate"}
                ],
                "gender": "FEMALE", "birthDate": "1984-02-03", "language": "E", "nationality": "",
                "citizenCountry": {"code": "PT", "name": "Portugal"}, "vipStatus": "2",
                "identifications": {"identificationInfo": [{"identification": {
                    "idType": "PASSPORT", "idNumber": "C12345678", "idNumberMasked": "C123456XX",
                    "issuedCountry": "PRT", "issuedDate": "2020-01-02", "expirationDate": "2030-01-01"}}]}
            },
            "addresses": {"addressInfo": [{"address": {"addressLine": ["Rua Um 1", "", ""], "cityName": "Lisboa",
                "postalCode": "1200-195", "country": {"value": "PT"}, "type": "HOME"}}]},
            "telephones": {"telephoneInfo": [{"telephone": {"phoneUseType": "MOBILE", "phoneNumber": "912 345 678 "}}]},
            "emails": {"emailInfo": [{"email": {"emailAddress": "marta@guests.example", "type": "BUSINESSEMAIL"}}]},
            "profileMemberships": {"profileMembership": [
                {"membershipType": "CLUB", "membershipId": "88002", "membershipLevel": "Gold", "signupDate": "0101-01-01"},
                {"membershipType": "", "membershipId": ""}]},
            "preferenceCollection": {"preferenceType": [
                {"preferenceType": "FLOOR", "preference": [{"preferenceValue": "HIGH"}]},
                {"preferenceType": "ROOM FEATURES", "preference": [{"preferenceValue": "BALCONY"}]},
                {"preferenceType": "NEWSPAPER", "preference": [{"preferenceValue": "EXPRESSO"}]},
                {"preferenceType": "SPECIALS", "preference": [{"preferenceValue": "LATE ARRIVAL"}]},
                {"preferenceType": "INTERESTS", "preference": [{"preferenceValue": "GOLF"}, {"preferenceValue": "OPERA"}]},
                {"preferenceType": "XPILLOW", "preference": [{"preferenceValue": "FEATHER"}]}]},
            "privacyInfo": {"optInEmail": true, "allowEmail": true, "optInSms": false, "optInThirdParty": true},
            "lastModifyDateTime": "2026-02-26 03:00:08.0"
        }
    }], "totalRows": 1}})
}

#[test]
fn a_profile_of_opera_goes_where_it_belongs() {
    let read = ohip(&profile());
    assert_eq!(read.refused, [""; 0]);
    let one = &read.stored[0];
    // A date of the year 101 stands where none is known.
    assert_eq!(one.rejected, ["memberships[0].joined_at placeholder"]);
    let v = &one.values;
    assert_eq!(
        (one.id.as_str(), &v["name.surname"], &v["gender"]),
        ("70001", &json!("Ferreira"), &json!(2))
    );
    assert_eq!(v["name.alias"], "Estrela");
    assert_eq!(v["name.native"]["value"], "王 小明");
    assert_eq!(
        (&v["preferred_language"], &v["nationality"]),
        (&json!("en"), &json!("PT"))
    );
    assert_eq!(v["phones"][0]["number"], "+351912345678");
    assert_eq!(v["id_documents"][0]["number"], "C12345678");
    assert_eq!(v["id_documents"][0]["issuing_country"], "PT");
    assert_eq!(v["postal_addresses"][0]["country"], "PT");
    assert_eq!(v["postal_addresses"][0]["lines"], json!(["Rua Um 1"]));
    assert_eq!(v["memberships"][0].get("joined_at"), None);
    assert_eq!(v["memberships"].as_array().map(Vec::len), Some(1));
    assert_eq!(v["preferences.room"]["floor"], "HIGH");
    assert_eq!(
        v["preferences.facility"]["likes"],
        json!(["BALCONY", "newspaper: EXPRESSO"])
    );
    assert_eq!(v["special_needs"], json!([{"text": "LATE ARRIVAL"}]));
    assert_eq!(v["interests"], json!(["GOLF", "OPERA"]));
    assert_eq!(
        one.line.observed_at.unwrap().to_rfc3339(),
        "2026-02-26T03:00:08+00:00"
    );
    assert_eq!(one.line.consents[0].purpose.as_str(), "marketing_direct");
    assert_eq!(v["contact_preference"]["channels"], json!(["email"]));
    let left = |place: &str| read.unmapped.iter().any(|p| p.ends_with(place));
    assert!(
        left("preference[].preferenceValue") && left("privacyInfo.optInThirdParty"),
        "{:?}",
        read.unmapped
    );
}

#[test]
fn masked_numbers_never_replace_real_ones() {
    let mut payload = profile();
    let identification = &mut payload["profiles"]["profileInfo"][0]["profile"]["customer"]["identifications"]
        ["identificationInfo"][0]["identification"];
    identification["idNumber"] = json!("");
    identification["idNumberMasked"] = json!("C1234****");
    let read = ohip(&payload);
    assert!(!read.stored[0].values.contains_key("id_documents"));
    assert_eq!(read.stored[0].rejected[0], "id_documents[0].number masked");

    let read = cloudbeds(&json!([{"offset": 0, "data": [{
        "id": "5001", "firstName": "Marta", "lastName": "Ferreira", "email": "marta@guests.example",
        "phone": "", "cellPhone": "912345678", "birthday": "1900-01-01", "gender": "F", "documentType": "passport",
        "documentNumber": "*****", "taxId": "*****", "companyName": "*****", "city": "Lisboa", "country": "PT",
        "countryName": "Portugal", "isOptIn": false, "dateModified": "2024-08-06T16:58:59+00:00", "statusName": "VIP"
    }]}]));
    let one = &read.stored[0];
    for field in ["id_documents", "tax_invoice", "organisation"] {
        assert!(!one.values.contains_key(field), "{field}");
        assert!(
            one.rejected
                .iter()
                .any(|r| r.starts_with(field) && r.ends_with("masked")),
            "{:?}",
            one.rejected
        );
    }
    // A placeholder is no birthday, and is told.
    assert!(!one.values.contains_key("birth_date"));
    assert!(one.rejected.contains(&"birth_date placeholder".to_owned()));
    assert_eq!(one.values["phones"][0]["kind"], "mobile");
    assert_eq!(read.unmapped, ["statusName"]);
}

#[test]
fn a_reservation_of_opera_is_its_guests_with_their_stay() {
    let guest = |id: &str, name: &str, primary: bool| {
        json!({"profileInfo": {"profileIdList": [{"id": id, "type": "Profile"}], "profile": {"customer": {
            "personName": [{"givenName": name, "surname": "Clarke", "nameType": "Primary"}]}}}, "primary": primary})
    };
    let read = ohip(&json!({"reservations": {"reservation": [{
        "reservationIdList": [{"id": "813595", "type": "Confirmation"}, {"id": "571062", "type": "Reservation"}],
        "roomStay": {"arrivalDate": "2026-03-04", "departureDate": "2026-03-07", "guestCounts": {"adults": "2", "children": "0"}},
        "reservationGuests": [guest("11", "Jennifer", true), guest("12", "Tom", false)],
        "comments": [{"comment": {"text": {"value": "Tea in the room, please"}}}],
        "reservationStatus": "InHouse", "hotelId": "HOTEL1"
    }], "reservationInfo": [{
        "reservationIdList": [{"id": "236552", "type": "Reservation"}],
        "roomStay": {"arrivalDate": "2026-05-08", "departureDate": "2026-05-09", "adultCount": "2"},
        "reservationGuest": {"givenName": "SARAH", "surname": "SMITH", "phoneNumber": "+1 415 555 0100 ", "id": "288106",
                             "address": {"country": {"code": "AU"}}, "type": "Profile"},
        "reservationStatus": "DueIn"
    }]}}));
    assert_eq!(read.refused, [""; 0]);
    let stays: Vec<_> = read
        .stored
        .iter()
        .map(|s| (s.id.as_str(), &s.line.stays[0]))
        .collect();
    assert_eq!(
        stays.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        ["11", "12", "288106"]
    );
    let told = serde_json::to_value(stays[1].1).unwrap();
    assert_eq!(
        (&told["reservation"], &told["role"], &told["status"]),
        (&json!("571062"), &json!("accompanying"), &json!("checked_in"))
    );
    assert_eq!(read.stored[2].values["phones"][0]["number"], "+14155550100");
    assert!(
        read.unmapped.contains(&"hotelId".to_owned()),
        "{:?}",
        read.unmapped
    );
    assert!(!read.stored[1].values.contains_key("special_needs"));
    assert!(read.stored[0].values.contains_key("special_needs"));
}

#[test]
fn tags_of_mews_are_routed_by_value() {
    let read = mews(&json!({"Customers": [{
        "Id": "35d4b117", "Number": "7", "Title": "Misses", "Sex": "Female", "FirstName": "Marta", "LastName": "Ferreira",
        "SecondLastName": "Costa", "NationalityCode": "PT", "LanguageCode": "pt-PT", "BirthDate": "1984-02-03",
        "Email": "x.9@guest.booking.com", "HasOtaEmail": true, "Phone": "00351912345678", "Notes": null,
        "DietaryRequirements": "halal, no nuts", "CarRegistrationNumber": "12-AB-34", "LoyaltyCode": "",
        "Classifications": ["VeryImportant", "DisabledPerson", "Blacklist", "HealthCompliant", "Military"],
        "Options": ["SendMarketingEmails", "SendPartnerMarketingEmails"], "MergeTargetId": null
    }, {"Id": "x2", "FirstName": "Gone", "LastName": "Away", "MergeTargetId": "35d4b117"}]}));
    let one = &read.stored[0];
    assert_eq!(one.rejected, [""; 0]);
    assert_eq!(one.values["diet"], json!(["halal", "no nuts"]));
    assert_eq!(one.values["health.accessibility"], json!(["accessible_room"]));
    assert_eq!(one.values["vip_code"], "VeryImportant");
    assert!(!one.values.contains_key("restriction") && !one.values.contains_key("notes"));
    assert_eq!(one.values["name.surname2"], "Costa");
    // An address lent by a channel is marked as such and never an identifier.
    assert_eq!(one.values["emails"][0]["relay"]["provider"], "booking.com");
    assert_eq!(one.line.consents.len(), 1);
    assert_eq!(read.unmapped, ["Classifications[]", "Options[]"]);
    assert_eq!(
        read.refused,
        ["element the source has merged the customer into another"]
    );
}

#[test]
fn documents_of_mews_are_one_record_per_customer_and_empty_numbers_none() {
    let document = |owner: &str, kind: &str, number: &str| json!({"Id": "d", "CustomerId": owner, "Type": kind, "Number": number, "IssuingCountryCode": "PT", "ExpirationDate": null});
    let read = mews(&json!({"IdentityDocuments": [
        document("a", "Passport", "C12345678"), document("a", "IdentityCard", "30815247"),
        document("b", "Passport", ""), document("c", "Passport", "D12345678")]}));
    let ids: Vec<&str> = read.stored.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["a", "c"]);
    assert_eq!(
        read.stored[0].values["id_documents"].as_array().map(Vec::len),
        Some(2)
    );
    assert_eq!(read.refused, [""; 0]);
}

#[test]
fn the_booker_is_not_the_guest() {
    let read = apaleo(&json!({"reservations": [{
        "id": "XPGMSXGF-1", "bookingId": "XPGMSXGF", "status": "Confirmed", "arrival": "2026-03-04T17:00:00+01:00",
        "departure": "2026-03-07T11:00:00+01:00", "adults": 2, "childrenAges": [4], "channelCode": "BookingCom",
        "travelPurpose": "Leisure", "modified": "2026-03-01T10:00:00+01:00",
        "primaryGuest": {"title": "Other", "firstName": "Lena", "lastName": "Vogt", "gender": "Other",
                         "nationalityCountryCode": "DE", "identificationNumber": "L01X00T47", "identificationType": "PassportNumber"},
        "additionalGuests": [{"firstName": "Jonas", "lastName": "Vogt"}],
        "booker": {"firstName": "Office", "lastName": "Travelsen", "email": "desk@agency.example"},
        "paymentAccount": {"accountNumber": "4444333322221111"}
    }]}));
    let told: Vec<(&str, Value)> = read
        .stored
        .iter()
        .map(|s| {
            (
                s.id.rsplit_once(':').unwrap().0,
                serde_json::to_value(&s.line.stays[0]).unwrap()["role"].clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("XPGMSXGF-1:primary", json!("primary")),
            ("XPGMSXGF-1:guest", json!("accompanying")),
            ("XPGMSXGF:booker", json!("booker")),
        ]
    );
    assert_eq!(read.stored[0].values["gender"], 9);
    assert_eq!(read.alarms, ["card_data"]);
    assert!(!format!("{:?}", read.unmapped).contains("4444"));
    assert!(
        read.stored
            .iter()
            .all(|s| !serde_json::to_string(&s.line.guest).unwrap().contains("4444"))
    );
}

pub(super) const REQUEST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<OTA_ResRetrieveRS xmlns="http://www.opentravel.org/OTA/2003/05" Version="7.000"><Success/><ReservationsList>
<HotelReservation CreateDateTime="2026-02-21T15:00:00+01:00" ResStatus="Reserved">
 <UniqueID Type="14" ID="a1b2"/>
 <RoomStays><RoomStay>
  <GuestCounts><GuestCount Count="2"/><GuestCount Count="1" Age="9"/></GuestCounts>
  <TimeSpan Start="2026-03-04" End="2026-03-07"/>
  <Guarantee><GuaranteesAccepted><GuaranteeAccepted><PaymentCard CardCode="VI"><CardNumber><PlainText>4444333322221111</PlainText></CardNumber></PaymentCard></GuaranteeAccepted></GuaranteesAccepted></Guarantee>
 </RoomStay></RoomStays>
 <ResGuests><ResGuest><Profiles><ProfileInfo><Profile><Customer Gender="Unknown" BirthDate="1980-01-02" Language="de">
  <PersonName><NamePrefix>Herr</NamePrefix><GivenName>Otto</GivenName><Surname>Brandt &amp; S&#246;hne</Surname><NameTitle>Dr</NameTitle></PersonName>
  <Telephone PhoneTechType="5" PhoneNumber="+4915112345678"/>
  <Email Remark="newsletter:no">otto@guests.example</Email>
  <Address Remark="catalog:yes"><AddressLine>Weg 1</AddressLine><CityName>Bozen</CityName><PostalCode>39100</PostalCode><CountryName Code="IT"/></Address>
 </Customer></Profile></ProfileInfo></Profiles></ResGuest></ResGuests>
 <ResGlobalInfo><Comments><Comment Name="customer comment"><Text> Hunde erlaubt? </Text></Comment></Comments>
  <Profiles><ProfileInfo><Profile ProfileType="4"><CompanyInfo><CompanyName>Reisen AG</CompanyName><Email>info@agency.example</Email></CompanyInfo></Profile></ProfileInfo></Profiles>
 </ResGlobalInfo>
</HotelReservation>
<HotelReservation ResStatus="Cancelled"><UniqueID Type="15" ID="c3d4"/></HotelReservation>
</ReservationsList></OTA_ResRetrieveRS>"#;

#[test]
fn a_guest_request_of_alpinebits_keeps_no_card_and_no_agency() {
    let read = alpinebits(REQUEST);
    let one = &read.stored[0];
    assert_eq!((read.stored.len(), one.id.get(..11)), (1, Some("a1b2:guest:")));
    assert_eq!(one.rejected, [""; 0]);
    assert_eq!(one.values["name.surname"], "Brandt & Söhne");
    assert_eq!(one.values["name.prefix"], "Herr Dr");
    assert!(!one.values.contains_key("gender"));
    assert_eq!(one.values["phones"][0]["kind"], "mobile");
    let stay = serde_json::to_value(&one.line.stays[0]).unwrap();
    assert_eq!(stay["party"], json!({"adults": 2, "children": 1, "pets": 0}));
    // The newsletter was refused; the catalogue comes by post, which is no yes to it.
    assert_eq!(one.line.consents[0].state.as_str(), "refused");
    assert_eq!(read.alarms, ["card_data"]);
    assert!(read.refused[0].contains("post_only"));
    assert!(read.refused[1].contains("the cancellation names no guest"));
    assert!(
        read.unmapped.iter().any(|p| p.contains("CompanyInfo")),
        "{:?}",
        read.unmapped
    );
    let whole = serde_json::to_string(&one.line.guest).unwrap();
    assert!(!whole.contains("4444") && !whole.contains("agency"));
}

const MAPPING: &str = r#"
source_system = "qlo"
id = "Customer ID"
delimiter = ";"
date_format = "%d.%m.%Y"
[columns]
"Last name" = "name.surname"
"First name" = "name.given"
"Birthday" = "birth_date"
"Sex" = "gender"
"Mobile" = "phones[mobile]"
"Phone" = "phones"
"Mail" = "emails"
"Street" = "postal_addresses.lines"
"City" = "postal_addresses.city"
"Newsletter" = "consents.marketing_direct"
"Club" = "memberships[CLUB]"
"Booking" = "stays.reservation"
"From" = "stays.arrival"
"To" = "stays.departure"
"Group" = "-"
[values."Sex"]
"1" = "male"
"2" = "female"
"#;

#[test]
fn a_table_is_read_by_its_mapping() {
    let text = "\u{feff}Customer ID;Last name;First name;Birthday;Sex;Mobile;Phone;Mail;Street;City;Newsletter;Club;Booking;From;To;Group;Shoe size\r\n\
        1;Ferreira;\"Marta; Ana\";03.02.1984;2;912345678;01 02 03 04 05;marta@guests.example;Rua Um 1;Lisboa;yes;88002;B-1;04.03.2026;07.03.2026;3;38\r\n\
        2;Costa;;;;;;;;;no;;;;;;\r\n\
        ;Nobody;;;;;;;;;;;;;;;\r\n";
    let read = csv(text, MAPPING);
    let one = &read.stored[0];
    assert_eq!(one.values["birth_date"], "1984-02-03");
    assert_eq!(one.values["gender"], 2);
    assert_eq!(one.values["name.given"], "Marta; Ana");
    assert_eq!(one.values["phones"][0]["number"], "+351912345678");
    assert_eq!(one.values["memberships"][0]["program"], "CLUB");
    assert_eq!(one.line.stays[0].arrival.to_string(), "2026-03-04");
    assert_eq!(one.line.consents[0].state.as_str(), "given");
    // An empty cell says nothing.
    let two = &read.stored[1];
    assert_eq!(two.values.keys().collect::<Vec<_>>(), ["name.surname"]);
    assert_eq!(two.line.consents[0].state.as_str(), "refused");
    assert_eq!(read.refused, ["element the row has no id"]);
    assert_eq!(read.unmapped, ["Shoe size"]);
}

#[test]
fn names_in_one_cell_are_taken_apart_only_where_their_order_is_told() {
    let mapping = |more: &str| {
        format!(
            "source_system = \"ota\"\nid = \"id\"\n{more}\n[columns]\n\"guest\" = \"name\"\n\"phone\" = \"phones\"\n"
        )
    };
    let table = "id,guest,phone\n1,Wang/Xiaoming,+351912345678\n2,\"Ferreira, Ana Rita\",\n3,王小明,\n4,Ana Rita Ferreira,\n5,Estrela,\n";
    let names = |more: &str| -> Vec<[String; 3]> {
        let read = csv(table, &mapping(more));
        assert!(
            read.refused.is_empty() && read.unmapped.is_empty(),
            "{:?}",
            read.refused
        );
        let part = |stored: &Stored, at: &str| {
            stored
                .values
                .get(at)
                .and_then(Value::as_str)
                .unwrap_or("-")
                .to_owned()
        };
        let native = |stored: &Stored| {
            stored
                .values
                .get("name.native")
                .map_or("-".to_owned(), |n| n["value"].as_str().unwrap().to_owned())
        };
        read.stored
            .iter()
            .map(|s| [part(s, "name.surname"), part(s, "name.given"), native(s)])
            .collect()
    };
    let same = [
        ["Wang", "Xiaoming", "-"],
        ["Ferreira", "Ana Rita", "-"],
        ["-", "-", "王小明"],
    ];
    let untold = names("");
    assert_eq!(untold[..3], same);
    assert_eq!(
        untold[3..],
        [["-", "-", "-"], ["-", "-", "-"]],
        "nothing is guessed"
    );
    assert_eq!(
        csv(table, &mapping("")).stored[3].values["name.full"],
        "Ana Rita Ferreira"
    );
    let given_first = names("name_order = \"given_first\"");
    assert_eq!(given_first[..3], same);
    assert_eq!(
        given_first[3..],
        [["Ferreira", "Ana Rita", "-"], ["Estrela", "-", "-"]]
    );
    let surname_first = names("name_order = \"surname_first\"");
    assert_eq!(
        surname_first[3..],
        [["Ana", "Rita Ferreira", "-"], ["Estrela", "-", "-"]]
    );
}

#[test]
fn a_list_of_guests_in_one_cell_is_one_record_each() {
    let mapping = "source_system = \"ota\"\nid = \"order\"\n[columns]\n\"guests\" = \"names\"\n\"tel\" = \"phones\"\n\
                   \"order no\" = \"stays.reservation\"\n\"in\" = \"stays.arrival\"\n\"out\" = \"stays.departure\"\n";
    let table = "order,order no,guests,tel,in,out\n\
                 71,R-71,\"Wang/Xiaoming,Li/Na\",+8613812345678,2026-03-04,2026-03-07\n\
                 72,R-72,\"王小明、李娜\",,2026-03-04,2026-03-07\n\
                 73,R-73,\"Ferreira, Ana\",,2026-03-04,2026-03-07\n";
    let read = csv(table, mapping);
    assert!(read.refused.is_empty(), "{:?}", read.refused);
    let ids: Vec<&str> = read.stored.iter().map(|s| s.id.as_str()).collect();
    let start = |id: &str| id.split(':').take(2).collect::<Vec<_>>().join(":");
    let starts: Vec<String> = ids.into_iter().map(start).collect();
    assert_eq!(starts, ["71", "71:guest", "72", "72:guest", "73"]);
    assert_eq!(read.stored[1].values["name.surname"], "Li");
    assert!(
        !read.stored[1].values.contains_key("phones"),
        "the number is the first guest's"
    );
    assert_eq!(read.stored[3].values["name.native"]["value"], "李娜");
    assert_eq!(
        read.stored[4].values["name.given"], "Ana",
        "a comma in one name parts no people"
    );
    assert_eq!(read.stored[0].line.stays[0].role, StayRole::Primary);
    assert_eq!(read.stored[1].line.stays[0].role, StayRole::Accompanying);
}

#[test]
fn a_mapping_is_guessed_and_a_wrong_one_told() {
    let guess = suggest("id_customer;Nachname;Vorname;Geburtsdatum;E-Mail;PLZ;Shoe size;Sex\n");
    let mapping = Mapping::read(&guess).unwrap();
    assert_eq!((mapping.id.as_str(), mapping.delimiter), ("id_customer", ';'));
    assert_eq!(mapping.columns["Nachname"], "name.surname");
    assert_eq!(mapping.columns["PLZ"], "postal_addresses.postal_code");
    assert!(
        guess.contains("# \"Shoe size\"") && guess.contains("[values.\"Sex\"]"),
        "{guess}"
    );
    assert!(Mapping::read("id = 1").is_err());
    assert!(Mapping::read("source_system=\"a\"\nid=\"i\"\n[columns]\n\"x\"=\"No Such!\"").is_err());
    let missing = Rows::new(input("a;b\n1;2\n"), &Mapping::read(MAPPING).unwrap());
    assert!(missing.err().unwrap().to_string().contains("no column"));
    // As a guess leaves it that knows no column with an id; a column without a name is not meant.
    let guess = Mapping::read(&suggest("Nachname,\n")).unwrap();
    let unnamed = Rows::new(input("Nachname,\nLima,2\n"), &guess).err().unwrap();
    assert!(unnamed.to_string().contains("no column for `id`"), "{unnamed}");
}
