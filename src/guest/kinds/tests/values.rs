//! Phones, e-mails, dates; cards and pictures.

use serde_json::json;

use super::*;

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
        ("PT", "(+34) 612 345 678", "+34612345678"),
        ("PT", "4915182691803", "+4915182691803"),
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
        ("+999 123456780", Reason::InvalidPhone),
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
    // Without a stay: a year ahead, and sixty days after the departure.
    let lent = |provider| json!({"provider": provider, "expires_at": "2027-04-30"});
    assert_eq!(stored["emails"][0]["relay"], lent("booking.com"));
    assert_eq!(stored["emails"][1]["relay"], lent("expedia"));
    assert_eq!(stored["emails"][2]["relay"]["expires_at"], "2026-05-01");
    assert_eq!(stored["phones"][0]["relay"], lent("ctrip"));
    // The guest's own forwarding address ends with the guest.
    let kept = house.stored(&house.read(&json!({"emails": [{"address": "ana@duck.com"}]})));
    assert_eq!(kept["emails"][0]["relay"], json!({"provider": "duckduckgo"}));
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
        ("1987/5/7", "1987-05-07"),
        ("17.05.1987", "1987-05-17"),
        ("05/17/1987", "1987-05-17"),
        ("05/05/1987", "1987-05-05"),
        ("17MAY1987", "1987-05-17"),
        ("17may87", "1987-05-17"),
        ("01FEB26", "2026-02-01"),
        ("01APR26", "1926-04-01"),
        ("2026-03-01", "2026-03-01"),
    ] {
        let read = house.read(&json!({"birth_date": given}));
        assert_eq!(
            house.stored(&read).get("birth_date"),
            Some(&json!(stored)),
            "{given}"
        );
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
        ("07/05/1987", Reason::Invalid),
        ("1987-5-7", Reason::Invalid),
        ("yesterday", Reason::Invalid),
        ("****-05-17", Reason::Masked),
    ] {
        let read = house.read(&json!({"birth_date": given}));
        assert_eq!(told(&read), [("birth_date", why)], "{given}");
    }
}

#[test]
fn a_phone_that_is_none_at_the_property_is_tried_at_home() {
    let house = House::of("CN");
    for home in [
        json!({"nationality": "JPN"}),
        json!({"postal_addresses": [{"country": "JP", "city": "Osaka"}]}),
    ] {
        let mut document = json!({"phones": [{"number": "080-8374-4489"}, {"number": "12"}]});
        document
            .as_object_mut()
            .unwrap()
            .extend(home.as_object().unwrap().clone());
        let read = house.read(&document);
        assert_eq!(told(&read), [("phones[1].number", Reason::InvalidPhone)]);
        assert_eq!(house.stored(&read)["phones"][0]["number"], "+818083744489");
    }
    let read = house.read(&json!({"phones": [{"number": "138 1234 5678"}], "nationality": "JP"}));
    assert_eq!(house.stored(&read)["phones"][0]["number"], "+8613812345678");
}
