//! AlpineBits, Apaleo and Mews where they err, repeat themselves or fall silent; all people are invented.

use serde_json::{Map, Value, json};

use super::{
    alpinebits::{self, AlpineBits},
    cards, json,
    mews::{self, Mews},
    ndjson::Line,
    records::{Cut, Records},
    tests::{Read, Stored, alpinebits, apaleo, input, mews},
    told::Connector,
    xml,
};

pub(super) fn ids(read: &Read) -> Vec<&str> {
    read.stored.iter().map(|one| one.id.as_str()).collect()
}

pub(super) fn stay(one: &Stored) -> Value {
    serde_json::to_value(&one.line.stays[0]).unwrap()
}

pub(super) fn consent(one: &Stored) -> &str {
    one.line.consents[0].state.as_str()
}

pub(super) fn leaves(read: &Read, end: &str) -> bool {
    read.unmapped.iter().any(|place| place.ends_with(end))
}

/// A reservation AB1 of these rooms and customers.
pub(super) fn request(status: &str, rooms: &str, customers: &[&str]) -> String {
    let guests: Vec<String> = customers
        .iter()
        .map(|customer| {
            format!("<ResGuest><Profiles><ProfileInfo><Profile>{customer}</Profile></ProfileInfo></Profiles></ResGuest>")
        })
        .collect();
    let guests = guests.concat();
    format!(
        "<OTA_ResRetrieveRS><ReservationsList><HotelReservation ResStatus=\"{status}\"><UniqueID Type=\"14\" ID=\"AB1\"/>\
         {rooms}<ResGuests>{guests}</ResGuests></HotelReservation></ReservationsList></OTA_ResRetrieveRS>"
    )
}

pub(super) fn customer(given: &str, more: &str) -> String {
    format!(
        "<Customer><PersonName><GivenName>{given}</GivenName><Surname>Ostin</Surname></PersonName>{more}</Customer>"
    )
}

pub(super) fn room(start: &str, end: &str, counts: &str) -> String {
    format!(
        "<RoomStay><GuestCounts>{counts}</GuestCounts><TimeSpan Start=\"{start}\" End=\"{end}\"/></RoomStay>"
    )
}

pub(super) fn rooms(rooms: &[String]) -> String {
    format!("<RoomStays>{}</RoomStays>", rooms.concat())
}

pub(super) fn one_room() -> String {
    rooms(&[room("2026-03-04", "2026-03-07", "<GuestCount Count=\"2\"/>")])
}

#[test]
fn another_name_at_the_same_place_is_another_person() {
    let of = |guests: &[&str]| {
        let guests: Vec<String> = guests.iter().map(|given| customer(given, "")).collect();
        let guests: Vec<&str> = guests.iter().map(String::as_str).collect();
        alpinebits(&request("Reserved", &one_room(), &guests))
    };
    let (two, one, same) = (of(&["Rolf", "Nora"]), of(&["Nora"]), of(&["Nora", "Nora"]));
    assert_ne!(ids(&two)[0], ids(&two)[1]);
    assert_eq!(ids(&one)[0], ids(&two)[1], "Nora stays who she was");
    assert_ne!(ids(&same)[0], ids(&same)[1], "two of one name are two");

    let of = |guests: Value, primary: &str| {
        apaleo(
            &json!({"reservations": [{"id": "R-1", "arrival": "2026-03-04", "departure": "2026-03-07",
            "status": "Confirmed", "primaryGuest": {"lastName": primary}, "additionalGuests": guests}]}),
        )
    };
    let two = of(json!([{"firstName": "Aaron"}, {"firstName": "Berta"}]), "Otto");
    let one = of(json!([{"firstName": "Berta"}]), "Quin");
    assert_ne!(ids(&two)[0], ids(&one)[0]);
    assert_eq!(ids(&two)[2], ids(&one)[1]);
    assert_eq!(
        ids(&of(
            json!([{"phone": "+351912345678"}, {"firstName": "", "lastName": null}]),
            " "
        )),
        ["R-1:guest1"],
        "of whom nothing is said is nobody"
    );
}

#[test]
fn a_cancellation_cancels_or_is_told() {
    let whole = alpinebits(&request("Cancelled", &one_room(), &[&customer("Rolf", "")]));
    assert_eq!(stay(&whole.stored[0])["status"], "cancelled");
    let (rolf, nora) = (customer("Rolf", ""), customer("Nora", ""));
    let no_days = alpinebits(&request("Cancelled", "", &[&rolf, &nora]));
    assert_eq!((no_days.stored.len(), no_days.refused.len()), (2, 1));
    assert!(
        no_days.refused[0].contains("names no days"),
        "{:?}",
        no_days.refused
    );
    let nobody = alpinebits(&request("Cancelled", &one_room(), &[]));
    assert!(
        nobody.refused[0].contains("status to cancelled"),
        "{:?}",
        nobody.refused
    );
}

#[test]
fn rooms_of_one_reservation_are_one_stay() {
    let several = [
        room(
            "2026-03-05",
            "2026-03-09",
            "<GuestCount Count=\"2\"/><GuestCount Age=\"4\"/>",
        ),
        room(
            "2026-03-04",
            "2026-03-07",
            "<GuestCount AgeQualifyingCode=\"10\" Count=\"1\"/><GuestCount AgeQualifyingCode=\"8\" Count=\"2\"/>",
        ),
    ];
    let read = alpinebits(&request("Book", &rooms(&several), &[&customer("Rolf", "")]));
    let one = stay(&read.stored[0]);
    assert_eq!(read.stored[0].line.stays.len(), 1);
    assert_eq!(
        (
            &one["reservation"],
            &one["arrival"],
            &one["departure"],
            &one["status"]
        ),
        (
            &json!("AB1"),
            &json!("2026-03-04"),
            &json!("2026-03-09"),
            &json!("confirmed")
        )
    );
    assert_eq!(one["party"], json!({"adults": 3, "children": 3, "pets": 0}));
    // A day that cannot be read is no day.
    let unread = rooms(&[room("04.03.2026", "2026-03-07", "<GuestCount Count=\"x\"/>")]);
    let read = alpinebits(&request("Perhaps", &unread, &[&customer("Rolf", "")]));
    assert!(read.stored[0].line.stays.is_empty() && read.refused[0].contains("day of arrival"));
    assert!(
        leaves(&read, "@ResStatus") && leaves(&read, "@Count"),
        "{:?}",
        read.unmapped
    );
}

#[test]
fn a_no_to_a_channel_is_no_yes_to_it() {
    let agreed = |more: &str| {
        let read = alpinebits(&request("Reserved", &one_room(), &[&customer("Rolf", more)]));
        consent(&read.stored[0]).to_owned()
    };
    let email =
        |word: &str, n: u8| format!("<Email Remark=\"newsletter:{word}\">r{n}@guests.example</Email>");
    let home =
        |word: &str| format!("<Address Remark=\"catalog:{word}\"><CityName>Bozen</CityName></Address>");
    assert_eq!(agreed(&[email("yes", 1), home("yes")].concat()), "given");
    // The channels agreed to are kept beside it.
    assert_eq!(agreed(&[email("yes", 1), home("no")].concat()), "given");
    assert_eq!(agreed(&[email("no", 1), home("yes")].concat()), "refused");
    assert_eq!(agreed(&[email("yes", 1), email("no", 2)].concat()), "refused");

    let of =
        |options: Value| mews(&json!({"Customers": [{"Id": "c1", "LastName": "Ostin", "Options": options}]}));
    assert_eq!(consent(&of(json!(["SendMarketingEmails"])).stored[0]), "given");
    let none = of(json!([]));
    assert_eq!(consent(&none.stored[0]), "refused");
    assert_eq!(none.stored[0].line.guest["contact_preference"], Value::Null);
    assert!(of(Value::Null).stored[0].line.consents.is_empty());
}

#[test]
fn a_number_in_pieces_keeps_its_country() {
    let phones = "<Telephone CountryAccessCode=\"33\" PhoneNumber=\"212345678\"/>\
                  <Telephone CountryAccessCode=\"0039\" AreaCityCode=\"0471\" PhoneNumber=\"123456\" PhoneTechType=\"9\"/>\
                  <Telephone CountryAccessCode=\"33\" PhoneNumber=\"+351912345678\"/>";
    let read = alpinebits(&request("Reserved", &one_room(), &[&customer("Rolf", phones)]));
    let stored = &read.stored[0].values["phones"];
    let numbers: Vec<&str> = (0..3).map(|at| stored[at]["number"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["+33212345678", "+390471123456", "+351912345678"]);
    assert!(leaves(&read, "@PhoneTechType"));
}

#[test]
fn a_booking_of_apaleo_is_one_booker_with_all_its_stays() {
    let reservation = |id: &str| {
        json!({"id": id, "arrival": "2026-03-04", "departure": "2026-03-07", "status": "Foo", "adults": 2,
               "primaryGuest": {"lastName": "Vogt", "birthDate": "17.05.1987"}})
    };
    let booking = json!({"id": "BK8", "booker": {"firstName": "Eva", "lastName": "Ostin"},
                         "reservations": [reservation("BK8-1"), reservation("BK8-2")]});
    for file in [json!({"bookings": [booking], "count": 1}), booking] {
        let read = apaleo(&file);
        assert_eq!(read.stored.len(), 3, "{:?}", read.refused);
        let booker = &read.stored[2];
        assert!(booker.id.starts_with("BK8:booker:"), "{}", booker.id);
        assert_eq!(booker.line.stays.len(), 2);
        assert_eq!(read.unmapped, ["reservations[].status"]);
        let birth = read.stored[0].values.get("birth_date");
        assert!(birth.is_some() || read.stored[0].rejected[0].starts_with("birth_date"));
    }
    // Who stays too is told so by that reservation, with the time of that one.
    let (mut own, mut newer) = (reservation("BK9-1"), reservation("BK9-2"));
    own["primaryGuest"] = json!({"firstName": "Eva", "lastName": "Ostin"});
    own["modified"] = json!("2026-03-04T08:00:00Z");
    newer["modified"] = json!("2026-03-04T12:00:00Z");
    let both = json!({"id": "BK9", "booker": {"firstName": "Eva", "lastName": "Ostin"}, "reservations": [own, newer]});
    let read = apaleo(&both);
    let stays = &read.stored[2].line.stays;
    assert_eq!((stays.len(), read.stored[0].line.stays.len()), (1, 1));
    assert!(serde_json::to_string(&stays).unwrap().contains("BK9-2"));
    // Without its days a stay is refused by name.
    let mut open = reservation("R-9");
    open["departure"] = Value::Null;
    let read = apaleo(&json!({"reservations": [open]}));
    assert_eq!((read.stored.len(), read.refused.len()), (1, 1));
}

#[test]
fn an_agency_that_booked_is_no_guest() {
    let booked = |booker: Value| {
        let read = apaleo(
            &json!({"reservations": [{"id": "R-1", "arrival": "2026-03-04", "departure": "2026-03-07",
            "status": "Confirmed", "channelCode": "BookingCom", "primaryGuest": {"lastName": "Vogt"}, "booker": booker}]}),
        );
        (read.stored.len(), leaves(&read, "booker.lastName"))
    };
    for office in [
        json!({"lastName": "Booking.com"}),
        json!({"lastName": "Desk", "email": "No-Reply@channel.example"}),
        json!({"lastName": "Desk", "email": "x@guest.booking.com"}),
        json!({"lastName": "Reisen AG", "company": {"name": "Reisen AG"}}),
    ] {
        assert_eq!(booked(office.clone()), (1, true), "{office}");
    }
    let lent = json!({"firstName": "Eva", "lastName": "Ostin", "email": "x@guest.booking.com"});
    assert_eq!(booked(lent), (2, false));
    assert_eq!(
        booked(json!({"lastName": "Ostin", "email": "eva@guests.example"})),
        (2, false)
    );
}

#[test]
fn what_stands_beside_the_elements_is_told() {
    let read = mews(
        &json!({"Reservations": [{"Id": "r1", "State": "Started"}], "Customers": [{"Id": "c1", "LastName": "Ostin"}],
                            "Companies": [{"Name": "Reisen AG"}], "Cursor": "c1"}),
    );
    assert_eq!(read.stored.len(), 1);
    assert_eq!(
        read.unmapped,
        ["Companies[].Name", "Reservations[].Id", "Reservations[].State"]
    );
    let with_source = request("Reserved", &one_room(), &[&customer("Rolf", "")]).replace(
        "<ReservationsList>",
        "<POS><Source AgentSine=\"x\"/></POS><ReservationsList>",
    );
    assert!(leaves(&alpinebits(&with_source), "POS[].Source[].@AgentSine"));
}

fn lines(cut: Cut, connector: impl Connector + 'static) -> Vec<std::io::Result<Line>> {
    Records::new(cut, Box::new(connector)).collect()
}

#[test]
fn another_file_is_an_error_and_an_empty_page_is_none() {
    let xml = |text: &str| {
        lines(
            Cut::Xml(xml::Elements::new(input(text), alpinebits::ELEMENT)),
            AlpineBits,
        )
    };
    for text in [
        "hello world",
        "{\"Customers\":[]}",
        "<OTA_CancelRQ><UniqueID ID=\"AB1\"/></OTA_CancelRQ>",
        "<OTA_ResRetrieveRS><Errors><Error Code=\"392\">no</Error></Errors></OTA_ResRetrieveRS>",
    ] {
        assert!(matches!(xml(text)[..], [Err(_)]), "{text}");
    }
    assert!(xml("<OTA_ResRetrieveRS><Success/><ReservationsList/></OTA_ResRetrieveRS>").is_empty());
    let modify = "<OTA_HotelResModifyNotifRQ><HotelResModifies><HotelResModify ResStatus=\"Cancel\"><UniqueID ID=\"AB1\"/>\
                  </HotelResModify></HotelResModifies></OTA_HotelResModifyNotifRQ>";
    assert!(alpinebits(modify).refused[0].contains("the cancellation names no guest"));

    let json = |text: &str| {
        lines(
            Cut::Json(json::Elements::new(input(text), mews::PLACES)),
            Mews::default(),
        )
    };
    assert!(json("{\"Customers\":[],\"Documents\":null,\"Cursor\":null}").is_empty());
    assert!(matches!(json("")[..], [Err(_)]));
    // A customer alone is one, whatever lists it has.
    assert_eq!(
        mews(&json!({"Id": "c1", "LastName": "Ostin", "Documents": []}))
            .stored
            .len(),
        1
    );
}

#[test]
fn cards_raise_an_alarm_and_stay_out_of_the_rejects() {
    let card = "<PaymentCard SeriesCode=\"123\"><CardNumber><PlainText>4444333322221111</PlainText></CardNumber></PaymentCard>";
    let paying = customer("Rolf", &format!("<PaymentForm>{card}</PaymentForm>"));
    assert_eq!(
        alpinebits(&request("Reserved", &one_room(), &[&paying])).alarms,
        ["card_data"]
    );
    let deposit = format!("<ResGlobalInfo><Guarantee>{card}</Guarantee></ResGlobalInfo>");
    let refused = request("Reserved", &deposit, &[]);
    assert_eq!(alpinebits(&refused).alarms, ["card_data"]);
    let noted = json!({"Customers": [{"Id": "c1", "LastName": "Ostin", "Notes": "room 12, card 4444 3333 2222 1111"}]});
    let texts = [
        lines(
            Cut::Xml(xml::Elements::new(input(&refused), alpinebits::ELEMENT)),
            AlpineBits,
        ),
        lines(
            Cut::Json(json::Elements::new(input(&noted.to_string()), mews::PLACES)),
            Mews::default(),
        ),
    ];
    for line in texts.into_iter().flatten() {
        let mut text: Map<String, Value> = serde_json::from_slice(&line.unwrap().text).unwrap();
        cards::hide(&mut text);
        let text = Value::Object(text).to_string();
        assert!(
            !text.contains("1111") && !text.contains("\"123\"") && text.contains("****"),
            "{text}"
        );
    }
    // The vault itself still sees the number, to refuse it.
    assert_eq!(mews(&noted).stored[0].rejected, ["notes[0].text card_number"]);
    let read = mews(&json!({"Customers": [{"Id": "c1", "LastName": "Ostin"}],
        "CreditCards": [{"Id": "k1", "CustomerId": "c1", "Type": "Visa", "ObfuscatedNumber": "************1111"}]}));
    assert_eq!(
        (read.stored.len(), read.alarms.len(), read.refused.len()),
        (1, 1, 0)
    );
}

#[test]
fn customers_of_mews_are_people_who_are_there() {
    let read = mews(&json!({"Customers": [
        {"Id": "c1", "LastName": "Ostin", "Email": "x@guest.airbnb.com", "HasOtaEmail": true,
         "Classifications": ["Important", "VeryImportant"], "UpdatedUtc": "yesterday"},
        {"Id": "c2", "LastName": "Ostin", "Email": "y@lent.example", "HasOtaEmail": true},
        {"Id": "c3", "LastName": "Gone", "IsActive": false}],
        "IdentityDocuments": [{"Id": "d5", "CustomerId": "c1", "Type": "DriverLicense", "Number": null},
                              {"Id": "d6", "CustomerId": "c1", "Type": "Fishing", "Number": "F12345678"}]}));
    assert_eq!(ids(&read), ["c1", "c2", "c1"]);
    let provider = |at: usize| &read.stored[at].values["emails"][0]["relay"]["provider"];
    assert_eq!((provider(0), provider(1)), (&json!("airbnb"), &json!("ota")));
    assert_eq!(read.stored[0].values["vip_code"], "VeryImportant");
    assert_eq!(read.refused.len(), 1);
    assert_eq!(read.unmapped, ["Classifications[]", "Type", "UpdatedUtc"]);
}
