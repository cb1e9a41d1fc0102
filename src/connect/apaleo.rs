//! Apaleo reservations: who booked, who stays and who comes along are three people, each with a record of their own.

use serde_json::{Value, json};

use super::{
    payload::{Node, Payload},
    told::{Connector, Outcome, Told},
    values,
};

/// Where elements are.
pub const PLACES: &[&[&str]] = &[&["reservations"], &["bookings", "reservations"]];

/// Members that hold means of payment: never looked into.
const PAYMENT: [&str; 3] = ["paymentAccount", "registeredCard", "paymentMethods"];

/// Maps payloads of Apaleo.
#[derive(Default)]
pub struct Apaleo;

impl Connector for Apaleo {
    fn source(&self) -> &'static str {
        "apaleo"
    }

    fn take(&mut self, payload: &Payload) -> Outcome {
        let node = payload.node();
        let mut outcome = Outcome::default();
        let Some(id) = node.at("id").text() else {
            outcome.refused.push("the reservation has no id");
            return outcome;
        };
        let booking = node.at("bookingId").text().unwrap_or_else(|| id.clone());
        let observed = node.at("modified").text().or_else(|| node.at("created").text());
        let observed = observed.as_deref().and_then(values::moment);
        let mut tell = |guest: Node<'_>, source_id: String, role: &str| {
            if guest.exists() {
                let mut told = Told::of(source_id);
                told.observed_at.clone_from(&observed);
                person(&mut told, guest);
                told.stay(stay(node, &id, role));
                outcome.told.push(told);
            }
            if PAYMENT.into_iter().any(|name| guest.at(name).exists()) {
                outcome.alarms.push("card_data");
            }
        };
        tell(node.at("primaryGuest"), format!("{id}:primary"), "primary");
        for (at, guest) in node.at("additionalGuests").items().enumerate() {
            tell(guest, format!("{id}:guest{}", at + 1), "accompanying");
        }
        tell(node.at("booker"), format!("{booking}:booker"), "booker");
        if PAYMENT.into_iter().any(|name| node.at(name).exists()) {
            outcome.alarms.push("card_data");
        }
        if outcome.told.is_empty() {
            outcome.refused.push("the reservation names no guest");
        }
        outcome
    }
}

fn stay(node: Node<'_>, id: &str, role: &str) -> Value {
    let day = |name: &str| node.at(name).text().as_deref().and_then(values::day);
    let status = node.at("status").text().as_deref().and_then(values::stay_status);
    let adults = node.at("adults").text().and_then(|n| n.parse::<u8>().ok());
    let children = u8::try_from(node.at("childrenAges").texts().len()).unwrap_or(99);
    json!({
        "reservation": id, "arrival": day("arrival"), "departure": day("departure"),
        "status": status.unwrap_or("tentative"), "role": role,
        "channel": node.at("channelCode").text().as_deref().and_then(values::code),
        "purpose": node.at("travelPurpose").text().as_deref().and_then(values::code),
        "party": adults.filter(|n| *n < 100).map(|adults| json!({"adults": adults, "children": children.min(99)})),
    })
}

fn person(told: &mut Told, node: Node<'_>) {
    told.say("name.given", node.at("firstName").text());
    told.say("name.surname", node.at("lastName").text());
    told.say("name.surname2", node.at("secondLastName").text());
    told.say("name.middle", node.at("middleInitial").text());
    told.say(
        "name.prefix",
        node.at("title").text().filter(|title| title != "Other"),
    );
    told.say("gender", node.at("gender").text());
    told.say(
        "birth_date",
        node.at("birthDate").text().as_deref().and_then(values::day),
    );
    told.say("birth_place", node.at("birthPlace").text());
    told.say("nationality", node.at("nationalityCountryCode").text());
    told.say("preferred_language", node.at("preferredLanguage").text());
    if let Some(number) = node.at("phone").text() {
        told.add("phones", json!({ "number": number }));
    }
    if let Some(address) = node.at("email").text() {
        told.add("emails", json!({ "address": address }));
    }
    let home = node.at("address");
    let lines: Vec<String> = ["addressLine1", "addressLine2"]
        .into_iter()
        .filter_map(|l| home.at(l).text())
        .collect();
    let address = values::address(lines, home, ["city", "postalCode", "region", "countryCode"]);
    if values::is_address(&address) {
        told.add("postal_addresses", address);
    }
    if let Some(number) = node.at("identificationNumber").text() {
        let kind = match node.at("identificationType").text().as_deref() {
            Some("PassportNumber") => "passport",
            Some("IdNumber") => "national_id",
            Some("DriverLicenseNumber") => "driver_licence",
            Some("SocialInsuranceNumber") => "social",
            _ => "other",
        };
        let day = |name: &str| node.at(name).text().as_deref().and_then(values::day);
        told.add(
            "id_documents",
            json!({
                "type": kind, "number": number, "issued_on": day("identificationIssueDate"),
                "expires_on": day("identificationExpiryDate"),
                "issuing_country": node.at("identificationIssueCountryCode").text(),
            }),
        );
    }
    let (company, tax) = (node.at("company.name").text(), node.at("company.taxId").text());
    if let Some(tax_id) = tax {
        told.add("tax_invoice", json!({"title": company, "tax_id": tax_id}));
    }
    told.say("organisation", company.map(|name| json!({ "name": name })));
    if let Some(plate) = node.at("vehicleRegistration").text() {
        told.add("vehicle_plates", plate.into());
    }
}
