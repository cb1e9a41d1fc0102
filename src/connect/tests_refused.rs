//! AlpineBits and Mews where less is meant than is said: a yes to post, another period, a list that is not whole.

use serde_json::{Value, json};

use super::{
    tests::{Read, alpinebits, cloudbeds, mews, ohip, profile},
    tests_ota::{consent, customer, ids, leaves, one_room, request, room, rooms, stay},
};

fn has(read: &Read, word: &str) -> bool {
    read.refused.iter().any(|told| told.contains(word))
}

fn one(members: &Value) -> Read {
    let mut customer = json!({"Id": "c1", "LastName": "Ostin"});
    customer
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    mews(&json!({"Customers": [customer]}))
}

#[test]
fn a_yes_to_post_alone_is_no_yes_to_all_channels() {
    let channels = |read: &Read| read.stored[0].values["contact_preference"]["channels"].clone();
    let post = one(&json!({"Options": ["SendMarketingPostalMail"]}));
    assert_eq!(
        (consent(&post.stored[0]), channels(&post)),
        ("refused", json!(["post"]))
    );
    assert!(has(&post, "post_only"));
    let both = one(&json!({"Options": ["SendMarketingPostalMail", "SendMarketingEmails"]}));
    assert_eq!((consent(&both.stored[0]), both.refused.len()), ("given", 0));

    let agreed = |more: &str| alpinebits(&request("Reserved", &one_room(), &[&customer("Rolf", more)]));
    let post = agreed("<Address Remark=\"catalog:yes\"><CityName>Bozen</CityName></Address>");
    assert!(post.stored[0].line.consents.is_empty() && has(&post, "post_only"));
    assert_eq!(channels(&post), json!(["post"]));
    let email = agreed("<Email Remark=\"newsletter:yes\">rolf@guests.example</Email>");
    assert_eq!((consent(&email.stored[0]), email.refused.len()), ("given", 0));
    let no = agreed("<Email Remark=\"Newsletter:No\">rolf@guests.example</Email>");
    assert_eq!(
        (consent(&no.stored[0]), leaves(&no, "@Remark")),
        ("refused", false)
    );

    let opera = |flags: Value| {
        let mut payload = profile();
        payload["profiles"]["profileInfo"][0]["profile"]["privacyInfo"] = flags;
        ohip(&payload)
    };
    let asked = "2026-09-30";
    let post = opera(
        json!({"optInMailingList": true, "optInEmail": false, "optInSms": false, "lastPrivacyPromptDate": asked}),
    );
    assert_eq!(
        (consent(&post.stored[0]), channels(&post)),
        ("refused", json!(["post"]))
    );
    assert!(has(&post, "post_only"));
    let unasked = opera(json!({"optInMailingList": true, "optInEmail": false}));
    assert!(unasked.stored[0].line.consents.is_empty() && has(&unasked, "post_only"));
    let sms = opera(json!({"optInSms": true, "optInEmail": false, "lastPrivacyPromptDate": asked}));
    assert_eq!(
        (consent(&sms.stored[0]), channels(&sms)),
        ("given", json!(["sms"]))
    );
    // Whether it is allowed cannot be read: no yes.
    let unread = opera(json!({"optInEmail": "Y", "allowEmail": "X"}));
    assert!(unread.stored[0].line.consents.is_empty() && leaves(&unread, "allowEmail"));
}

#[test]
fn what_a_source_made_anonymous_is_no_guest() {
    let read = cloudbeds(
        &json!({"id": "74", "firstName": "Anonymized", "lastName": "Anonymized",
        "email": "anonymized-4cc7@example.com", "city": "Riyadh", "dateAnonymized": "2025-02-25T19:17:51+00:00"}),
    );
    assert!(read.stored.is_empty());
    assert_eq!(
        read.refused,
        ["element the source has made the profile anonymous"]
    );
    let mut payload = profile();
    payload["profiles"]["profileInfo"][0]["profile"]["customer"]["anonymization"] =
        json!({"anonymizationStatus": "Anonymized"});
    assert!(ohip(&payload).stored.is_empty());
    payload["profiles"]["profileInfo"][0]["profile"]["customer"]["anonymization"]["anonymizationStatus"] =
        json!("REQUESTED");
    let read = ohip(&payload);
    // The guest may be in the house still; a yes is not taken any more.
    assert!(read.stored[0].line.consents.is_empty());
    assert_eq!(
        read.refused,
        ["element the source is about to make the profile anonymous: no yes is taken"]
    );
}

#[test]
fn another_period_of_a_request_is_no_longer_stay() {
    let first = room("2026-12-20", "2026-12-27", "<GuestCount Count=\"2\"/>");
    let other = room("2027-02-10", "2027-02-17", "<GuestCount Count=\"2\"/>");
    let periods = rooms(&[first.clone(), other]);
    let read = alpinebits(&request("Requested", &periods, &[&customer("Rolf", "")]));
    let told = stay(&read.stored[0]);
    assert_eq!(
        (&told["arrival"], &told["departure"], &told["party"]["adults"]),
        (&json!("2026-12-20"), &json!("2026-12-27"), &json!(2))
    );
    assert!(has(&read, "another period") && leaves(&read, "TimeSpan[].@Start"));
    // Rooms of one period are rooms, in a request too; in a reservation all are.
    let twice = rooms(&[first.clone(), first]);
    let read = alpinebits(&request("Requested", &twice, &[&customer("Rolf", "")]));
    assert_eq!(
        (&stay(&read.stored[0])["party"]["adults"], read.refused.len()),
        (&json!(4), 0)
    );
    let read = alpinebits(&request("Reserved", &periods, &[&customer("Rolf", "")]));
    assert_eq!(stay(&read.stored[0])["departure"], "2027-02-17");
}

#[test]
fn a_cancellation_that_names_some_guests_is_told_and_the_primary_one_may_be_the_second() {
    let (rolf, nora) = (customer("Rolf", ""), customer("Nora", ""));
    let some = alpinebits(&request("Cancelled", &one_room(), &[&rolf]));
    assert_eq!(stay(&some.stored[0])["status"], "cancelled");
    assert!(has(&some, "does not name all guests"));
    let all = alpinebits(&request("Cancelled", &one_room(), &[&rolf, &nora]));
    assert_eq!(all.refused, [""; 0]);

    let two = request("Reserved", &one_room(), &[&rolf, &nora]);
    let (before, second) = two.rsplit_once("<ResGuest>").unwrap();
    let read = alpinebits(&format!("{before}<ResGuest PrimaryIndicator=\"true\">{second}"));
    let roles: Vec<Value> = read.stored.iter().map(|one| stay(one)["role"].clone()).collect();
    assert_eq!(roles, [json!("accompanying"), json!("primary")]);
    assert!(!leaves(&read, "@PrimaryIndicator"));
}

fn document(owner: &str, number: &str) -> Value {
    json!({"Id": "d", "CustomerId": owner, "Type": "Passport", "Number": number})
}

#[test]
fn documents_that_do_not_follow_each_other_are_one_record() {
    let read = mews(
        &json!({"IdentityDocuments": [document("a", "C1234561"), document("b", "C1234562"), document("a", "C1234563")]}),
    );
    assert_eq!(ids(&read), ["a", "b"]);
    assert_eq!(
        read.stored[0].values["id_documents"].as_array().map(Vec::len),
        Some(2)
    );
    // Of very many, those that come again are marked: they are not all.
    let mut many: Vec<Value> = (0..5001)
        .map(|n| document(&format!("c{n}"), &format!("C{n:07}")))
        .collect();
    many.push(document("c0", "D1234567"));
    let read = mews(&json!({ "IdentityDocuments": many }));
    assert_eq!(read.stored.len(), 5002);
    let excerpts: Vec<&str> = read
        .stored
        .iter()
        .filter(|one| one.line.excerpt)
        .map(|one| one.id.as_str())
        .collect();
    assert_eq!(excerpts, ["c0"]);
}

#[test]
fn older_documents_are_no_cards_and_those_of_nobody_make_no_guest() {
    let read = mews(
        &json!({"Customers": [{"Id": "c1", "LastName": "Ostin"}, {"Id": "c2", "IsActive": false},
        {"Id": "c3", "MergeTargetId": "c1"}], "Documents": [
        {"CustomerId": "c1", "Type": "Passport", "Number": "C01X00T47", "Expiration": "2031-01-01", "Issuance": "2021-01-02"},
        document("c2", "C1234562"), document("c3", "C1234563"),
        {"Id": "k1", "CustomerId": "c1", "Type": "Visa", "Number": "4111111111111111", "Expiration": "2031-01"},
        {"Id": "k2", "CustomerId": "c1", "Type": "MasterCard", "Expiration": "2031-01"}]}),
    );
    assert_eq!((ids(&read), read.alarms.len()), (vec!["c1", "c1"], 1));
    let passport = &read.stored[1].values["id_documents"][0];
    assert_eq!(
        (&passport["type"], &passport["issued_on"], &passport["expires_on"]),
        (&json!("passport"), &json!("2021-01-02"), &json!("2031-01-01"))
    );
    assert_eq!(read.refused.len(), 4);
    assert!(has(&read, "identity document is of a customer"));
    // Also where they come first.
    let read = mews(
        &json!({"IdentityDocuments": [document("c2", "C1234562")], "Customers": [{"Id": "c2", "IsActive": false}]}),
    );
    assert_eq!((read.stored.len(), read.refused.len()), (0, 2));
}

#[test]
fn what_a_customer_has_no_longer_is_taken_back() {
    let read = one(
        &json!({"Email": null, "Phone": "", "NationalityCode": null, "Address": null, "Notes": " ",
        "PreferredLanguageCode": null, "LanguageCode": "pt-PT", "Classifications": ["Returning"], "DietaryRequirements": null}),
    );
    let guest = &read.stored[0].line.guest;
    for path in [
        "/emails",
        "/phones",
        "/nationality",
        "/postal_addresses",
        "/notes",
        "/diet",
        "/vip_code",
        "/health/accessibility",
    ] {
        assert_eq!(json!(guest).pointer(path), Some(&Value::Null), "{path}");
    }
    assert_eq!(
        (&guest["preferred_language"], &guest["customer_status"]),
        (&json!("pt-PT"), &json!("returning"))
    );
    assert_eq!(read.stored[0].rejected, [""; 0]);
    let silent = one(&json!({}));
    assert_eq!(
        json!(silent.stored[0].line.guest),
        json!({"name": {"surname": "Ostin"}})
    );
}
