//! AlpineBits (OTA XML) guest requests: reservations, requests and cancellations of the versions 2014-04 to 2022-10.
//!
//! Consent is hidden in remarks (`newsletter:yes` on the e-mail, `catalog:yes` on the address). A card number, where one
//! comes along, is never looked at: it raises an alarm. Travel agencies are no guests.

use serde_json::{Value, json};

use super::{
    payload::{Node, Payload},
    told::{Connector, Outcome, Told},
    values,
};

/// The name of an element.
pub const ELEMENT: &str = "HotelReservation";

/// Maps payloads of AlpineBits.
#[derive(Default)]
pub struct AlpineBits;

impl Connector for AlpineBits {
    fn source(&self) -> &'static str {
        "alpinebits"
    }

    fn take(&mut self, payload: &Payload) -> Outcome {
        let node = payload.node();
        let mut outcome = Outcome::default();
        let unique = node.at("UniqueID").first();
        unique.at("@Type").take();
        let Some(id) = unique.at("@ID").text() else {
            outcome.refused.push("the reservation has no id");
            return outcome;
        };
        let observed = node
            .at("@LastModifyDateTime")
            .text()
            .or_else(|| node.at("@CreateDateTime").text());
        let observed = observed.as_deref().and_then(values::moment);
        let stays = stays(node, &id);
        for (at, customer) in customers(node).into_iter().enumerate() {
            let mut told = Told::of(format!("{id}:{}", at + 1));
            told.observed_at.clone_from(&observed);
            person(&mut told, customer);
            let role = if at == 0 { "primary" } else { "accompanying" };
            for stay in &stays {
                told.stay(values::with_role(stay, role));
            }
            if at == 0 {
                comments(&mut told, node);
            }
            outcome.told.push(told);
        }
        if has_card(node) {
            outcome.alarms.push("card_data");
        }
        if outcome.told.is_empty() {
            outcome.refused.push("the reservation names no guest");
        }
        outcome
    }
}

fn customers(node: Node<'_>) -> Vec<Node<'_>> {
    let guests = node.at("ResGuests").first().at("ResGuest").items();
    guests
        .flat_map(|guest| guest.at("Profiles").first().at("ProfileInfo").items())
        .flat_map(|info| info.at("Profile").first().at("Customer").items())
        .collect()
}

fn has_card(node: Node<'_>) -> bool {
    let guarantees = node.at("RoomStays").first().at("RoomStay").items();
    guarantees
        .flat_map(|stay| {
            stay.at("Guarantee")
                .first()
                .at("GuaranteesAccepted")
                .first()
                .at("GuaranteeAccepted")
                .items()
        })
        .any(|accepted| accepted.at("PaymentCard").exists())
}

fn stays(node: Node<'_>, id: &str) -> Vec<Value> {
    let status = node
        .at("@ResStatus")
        .text()
        .as_deref()
        .and_then(values::stay_status);
    let rooms: Vec<Node<'_>> = node.at("RoomStays").first().at("RoomStay").items().collect();
    let several = rooms.len() > 1;
    let stay = |(at, room): (usize, &Node<'_>)| {
        let span = room.at("TimeSpan").first();
        let day = |name: &str| span.at(name).text().as_deref().and_then(values::day);
        let reservation = if several {
            format!("{id}:{}", at + 1)
        } else {
            id.to_owned()
        };
        json!({
            "reservation": reservation, "arrival": day("@Start"), "departure": day("@End"),
            "status": status.unwrap_or("tentative"), "party": party(*room),
        })
    };
    rooms.iter().enumerate().map(stay).collect()
}

fn party(room: Node<'_>) -> Option<Value> {
    let (mut adults, mut children) = (0_u8, 0_u8);
    for count in room.at("GuestCounts").first().at("GuestCount").items() {
        let guests: u8 = count.at("@Count").text()?.parse().ok()?;
        let age = count.at("@Age").text().and_then(|age| age.parse::<u8>().ok());
        let group = if age.is_some_and(|age| age < 18) {
            &mut children
        } else {
            &mut adults
        };
        *group = group.checked_add(guests)?;
    }
    (adults <= 99 && children <= 99 && adults + children > 0)
        .then(|| json!({"adults": adults, "children": children}))
}

fn inner(node: Node<'_>, name: &str) -> Option<String> {
    node.at(name).first().at("#text").text()
}

fn person(told: &mut Told, customer: Node<'_>) {
    let gender = customer.at("@Gender").text().filter(|gender| gender != "Unknown");
    told.say("gender", gender);
    told.say(
        "birth_date",
        customer.at("@BirthDate").text().as_deref().and_then(values::day),
    );
    told.say("preferred_language", customer.at("@Language").text());
    let name = customer.at("PersonName").first();
    told.say("name.given", inner(name, "GivenName"));
    let prefix = inner(name, "SurnamePrefix");
    let surname = inner(name, "Surname");
    let surname = match (prefix, surname) {
        (Some(prefix), Some(surname)) => Some(format!("{prefix} {surname}")),
        (_, surname) => surname,
    };
    told.say("name.surname", surname);
    told.say("name.middle", inner(name, "MiddleName"));
    let prefix: Vec<String> = ["NamePrefix", "NameTitle"]
        .into_iter()
        .filter_map(|n| inner(name, n))
        .collect();
    told.say("name.prefix", (!prefix.is_empty()).then(|| prefix.join(" ")));
    told.say("name.suffix", inner(name, "NameSuffix"));
    for phone in customer.at("Telephone").items() {
        let kind = match phone.at("@PhoneTechType").text().as_deref() {
            Some("1") => Some("voice"),
            Some("3") => Some("fax"),
            Some("5") => Some("mobile"),
            _ => None,
        };
        if let Some(number) = phone.at("@PhoneNumber").text() {
            told.add("phones", json!({"number": number, "kind": kind}));
        }
    }
    contact(told, customer);
}

fn contact(told: &mut Told, customer: Node<'_>) {
    let mut newsletter = None;
    for email in customer.at("Email").items() {
        if let Some(address) = email.at("#text").text() {
            told.add("emails", json!({ "address": address }));
        }
        newsletter = newsletter.or(remark(email, "newsletter"));
    }
    let mut catalogue = None;
    for home in customer.at("Address").items() {
        let lines: Vec<String> = home
            .at("AddressLine")
            .items()
            .filter_map(|line| line.at("#text").text())
            .collect();
        let country = home.at("CountryName").first();
        let address = json!({
            "lines": (!lines.is_empty()).then_some(lines), "city": inner(home, "CityName"),
            "postal_code": inner(home, "PostalCode"), "region": home.at("StateProv").first().at("@StateCode").text(),
            "country": country.at("@Code").text(),
        });
        if values::is_address(&address) {
            told.add("postal_addresses", address);
        }
        catalogue = catalogue.or(remark(home, "catalog"));
    }
    // The stricter answer holds for the purpose; the channels say which of the two was agreed to.
    let channels: Vec<&str> = [(newsletter, "email"), (catalogue, "post")]
        .into_iter()
        .filter(|(agreed, _)| *agreed == Some(true))
        .map(|(_, channel)| channel)
        .collect();
    match newsletter.or(catalogue) {
        None => {}
        Some(given) => {
            told.consent("marketing_direct", given, "web");
            if given {
                told.say("contact_preference.channels", Some(json!(channels)));
            }
        }
    }
}

/// `newsletter:yes`, `catalog:no`.
fn remark(node: Node<'_>, word: &str) -> Option<bool> {
    let text = node.at("@Remark").peek()?;
    let (key, answer) = text.split_once(':')?;
    let answer = match answer.trim() {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    (key.trim() == word).then(|| {
        node.at("@Remark").take();
        answer
    })
}

/// What the guest wrote.
fn comments(told: &mut Told, node: Node<'_>) {
    let all = node.at("ResGlobalInfo").first().at("Comments").first();
    for comment in all.at("Comment").items() {
        if comment.at("@Name").peek() == Some("customer comment") {
            comment.at("@Name").take();
            told.add("special_needs", json!({"text": inner(comment, "Text")}));
        }
    }
}
