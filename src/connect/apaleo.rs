//! Apaleo bookings and reservations: who booked, who stays and who comes along are three people, each with a record of
//! their own. An agency or a channel that booked is nobody's record: it is reported.

use serde_json::{Value, json};

use crate::{base::PropertyCode, matching::relays};

use super::{
    hotels::Hotels,
    payload::{Node, Payload},
    seat,
    told::{Connector, Outcome, Told},
    values,
};

/// Where elements are. A booking is one whole, because who booked stands beside its reservations; one with an id of
/// its own outermost is one too.
pub const PLACES: &[&[&str]] = &[&["reservations"], &["bookings"], &["id"]];

/// Members that hold means of payment: never looked into.
const PAYMENT: [&str; 3] = ["paymentAccount", "registeredCard", "paymentMethods"];

/// Maps payloads of Apaleo.
#[derive(Default)]
pub struct Apaleo {
    hotels: Hotels,
}

impl Apaleo {
    /// For a house of these hotels.
    #[must_use]
    pub const fn of(hotels: Hotels) -> Self {
        Self { hotels }
    }
}

impl Connector for Apaleo {
    fn source(&self) -> &'static str {
        "apaleo"
    }

    fn take(&mut self, payload: &Payload) -> Outcome {
        let node = payload.node();
        let mut outcome = Outcome::default();
        if is_booking(node) {
            booking(&mut outcome, node, &self.hotels);
        } else if let Some(booked) = reservation(&mut outcome, node, &self.hotels) {
            let booking = node.at("bookingId").text().unwrap_or_else(|| booked.id.clone());
            booker(&mut outcome, (node, &booking), &[booked]);
        }
        if outcome.told.is_empty() && outcome.refused.is_empty() {
            outcome.refused.push("the reservation names no guest");
        }
        outcome
    }
}

fn is_booking(node: Node<'_>) -> bool {
    let of_reservation = ["primaryGuest", "arrival"]
        .into_iter()
        .any(|name| node.at(name).exists());
    node.at("reservations").exists() || (node.at("booker").exists() && !of_reservation)
}

/// A reservation that was booked, by its id, at a hotel of the house where that is known.
struct Booked<'p> {
    node: Node<'p>,
    id: String,
    hotel: Option<PropertyCode>,
}

fn booking(outcome: &mut Outcome, node: Node<'_>, hotels: &Hotels) {
    let mut all = Vec::new();
    for one in node.at("reservations").items() {
        all.extend(reservation(outcome, one, hotels));
    }
    match node.at("id").text() {
        Some(id) => booker(outcome, (node, &id), &all),
        None => outcome.refused.push("the booking has no id"),
    }
}

/// Those who stay; gives the reservation.
fn reservation<'p>(outcome: &mut Outcome, node: Node<'p>, hotels: &Hotels) -> Option<Booked<'p>> {
    let Some(id) = node.at("id").text() else {
        outcome.refused.push("the reservation has no id");
        return None;
    };
    let [by_code, by_id] = ["property.code", "property.id"].map(|name| hotels.at(node.at(name)));
    let hotel = by_code.or(by_id);
    alarm(outcome, node);
    let mut tell = |guest: Node<'_>, place: Option<usize>, role: &str| {
        if guest.tells() {
            let part = if place.is_some() { "guest" } else { "primary" };
            let mut told = Told::of(format!("{id}:{part}"));
            told.observed_at = observed(node);
            told.property.clone_from(&hotel);
            name(&mut told, guest);
            match place {
                Some(place) => seat::take(&mut told, &outcome.told, place),
                None => told.by_name(),
            }
            person(&mut told, guest);
            told.stay(stay(node, &id, role));
            outcome.told.push(told);
        }
        alarm(outcome, guest);
    };
    tell(node.at("primaryGuest"), None, "primary");
    for (at, guest) in node.at("additionalGuests").items().enumerate() {
        tell(guest, Some(at + 1), "accompanying");
    }
    Some(Booked { node, id, hotel })
}

/// Who booked these reservations.
fn booker(outcome: &mut Outcome, (node, booking): (Node<'_>, &str), reservations: &[Booked<'_>]) {
    let own = node.at("booker");
    // Where the booking does not say it, its reservations may.
    let inner = || reservations.iter().map(|one| one.node.at("booker"));
    let booker = if own.tells() {
        Some(own)
    } else {
        inner().find(|booker| booker.tells())
    };
    alarm(outcome, node);
    let Some(booker) = booker else { return };
    alarm(outcome, booker);
    let channels = reservations.iter().map(|one| one.node.at("channelCode"));
    if is_office(booker, channels) {
        return;
    }
    // The stays are as new as the newest of them; moments of one zone are in the order of their texts.
    let of_stays = reservations.iter().map(|one| observed(one.node));
    let seen = of_stays.chain([observed(node)]).flatten().max();
    // A record speaks for one hotel: the stays of another are told beside it.
    let mut hotels: Vec<_> = reservations.iter().map(|one| one.hotel.clone()).collect();
    hotels.sort();
    hotels.dedup();
    if hotels.is_empty() {
        hotels.push(None);
    }
    for hotel in hotels {
        let mut told = Told::of(format!("{booking}:booker"));
        told.observed_at.clone_from(&seen);
        name(&mut told, booker);
        told.by_name();
        person(&mut told, booker);
        // Who also stays is told so by that reservation's own record, with its own time.
        let others = reservations
            .iter()
            .filter(|one| !is_one(booker, one.node.at("primaryGuest")));
        for one in others.filter(|one| one.hotel == hotel) {
            told.stay(stay(one.node, &one.id, "booker"));
        }
        told.property = hotel;
        outcome.told.push(told);
    }
}

/// Whether two parts of a message name one person alike.
fn is_one(one: Node<'_>, other: Node<'_>) -> bool {
    let words = |node: Node<'_>| {
        ["firstName", "lastName", "email"].map(|name| node.at(name).peek().map(values::bare))
    };
    let (one, other) = (words(one), words(other));
    one == other && one[1].is_some()
}

/// Whether an agency or a channel booked: it has no given name, but a lent address or one that nobody reads, the name of
/// a company alone, or the channel's.
fn is_office<'p>(booker: Node<'p>, mut channels: impl Iterator<Item = Node<'p>>) -> bool {
    if booker.at("firstName").peek().is_some() {
        return false;
    }
    let by_address = booker.at("email").peek().is_some_and(|address| {
        let address = address.to_lowercase();
        let (local, domain) = address.rsplit_once('@').unwrap_or_default();
        let unread = ["noreply", "donotreply"].contains(&values::bare(local).as_str());
        unread || relays::of_domain(domain).is_some()
    });
    let company = booker.at("company.name").peek().map(values::bare);
    let by_name = match booker.at("lastName").peek().map(values::bare) {
        None => company.is_some(),
        Some(name) => {
            company.as_deref() == Some(&name)
                || channels.any(|channel| channel.peek().is_some_and(|code| values::bare(code) == name))
        }
    };
    by_address || by_name
}

fn alarm(outcome: &mut Outcome, node: Node<'_>) {
    if PAYMENT.into_iter().any(|name| node.at(name).exists()) {
        outcome.alarms.push("card_data");
    }
}

/// When it was seen so; when it was made says nothing of that.
fn observed(node: Node<'_>) -> Option<String> {
    node.at("modified").read(values::moment)
}

fn stay(node: Node<'_>, id: &str, role: &str) -> Value {
    let status = values::status(node.at("status"));
    let all = node.at("adults");
    let adults = all.read(|n| n.parse::<u8>().ok().filter(|n| *n < 100));
    // They are counted; how old they are has no field, and is reported.
    let ages = node.at("childrenAges").words().filter(|age| age.says());
    let children = u8::try_from(ages.count()).unwrap_or(99);
    let party = adults.is_some() || (children > 0 && !all.says());
    json!({
        "reservation": id, "arrival": values::day_at(node.at("arrival")),
        "departure": values::day_at(node.at("departure")),
        "status": status.unwrap_or("tentative"), "role": role,
        "channel": node.at("channelCode").read(values::code),
        "purpose": node.at("travelPurpose").read(values::code),
        "party": party.then(|| json!({"adults": adults.unwrap_or(0), "children": children.min(99)})),
    })
}

fn name(told: &mut Told, node: Node<'_>) {
    told.say("name.given", node.at("firstName").text());
    told.say("name.surname", node.at("lastName").text());
    told.say("name.surname2", node.at("secondLastName").text());
    told.say("name.middle", node.at("middleInitial").text());
    told.say(
        "name.prefix",
        node.at("title").text().filter(|title| title != "Other"),
    );
}

fn person(told: &mut Told, node: Node<'_>) {
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
        let kind = node.at("identificationType").read(|kind| {
            Some(match kind {
                "PassportNumber" => "passport",
                "IdNumber" => "national_id",
                "DriverLicenseNumber" => "driver_licence",
                "SocialInsuranceNumber" => "social",
                _ => return None,
            })
        });
        let day = |name: &str| node.at(name).text().as_deref().and_then(values::day);
        told.add(
            "id_documents",
            json!({
                "type": kind.unwrap_or("other"), "number": number,
                "issued_on": day("identificationIssueDate"),
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
