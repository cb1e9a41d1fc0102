//! AlpineBits (OTA XML) guest requests: reservations, requests and cancellations of the versions 2014-04 to 2022-10.
//!
//! Consent is hidden in remarks (`newsletter:yes` on the e-mail, `catalog:yes` on the address). A card number, where one
//! comes along, is never looked at: it raises an alarm. Travel agencies are no guests.

use std::cmp::{max, min};

use serde_json::{Value, json};

use super::{
    channels::Channels,
    payload::{Node, Payload},
    seat,
    told::{Connector, Outcome, Told},
    values, xml,
};

/// The names of elements, and of the lists that they stand in.
pub const ELEMENT: xml::Names = xml::Names {
    elements: &["HotelReservation", "HotelResModify"],
    lists: &["ReservationsList", "HotelReservations", "HotelResModifies"],
};

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
        if has_card(payload.value()) {
            outcome.alarms.push("card_data");
        }
        let unique = node.at("UniqueID").first();
        let Some(id) = unique.at("@ID").text() else {
            outcome.refused.push("the reservation has no id");
            return outcome;
        };
        let moment = |name: &str| node.at(name).read(values::moment);
        let observed = moment("@LastModifyDateTime").or_else(|| moment("@CreateDateTime"));
        let stay = stay(node, &id);
        let is_cancelled = stay
            .value
            .get("status")
            .is_some_and(|status| status == "cancelled");
        let customers = customers(node);
        let primary = customers
            .iter()
            .position(|(_, is_primary)| *is_primary)
            .unwrap_or(0);
        for (at, (customer, _)) in customers.into_iter().enumerate() {
            let mut told = Told::of(format!("{id}:guest"));
            told.observed_at.clone_from(&observed);
            name(&mut told, customer);
            seat::take(&mut told, &outcome.told, at + 1);
            outcome.refused.extend(person(&mut told, customer));
            if stay.is_told {
                let role = if at == primary { "primary" } else { "accompanying" };
                told.stay(values::with_role(&stay.value, role));
            } else if is_cancelled {
                told.lost.push(NO_DAYS);
            }
            told.lost.extend(&stay.lost);
            if at == primary {
                comments(&mut told, node);
            }
            outcome.told.push(told);
        }
        if is_cancelled
            && stay.is_told
            && outcome.told.len() < stay.guests
            && let Some(first) = outcome.told.first_mut()
        {
            first.lost.push(OTHERS);
        }
        if outcome.told.is_empty() {
            let reason = if is_cancelled {
                NO_GUEST
            } else {
                "the reservation names no guest"
            };
            outcome.refused.push(reason);
        }
        outcome
    }
}

/// A stay is kept with its guest and its days: a bare number cancels nothing.
const NO_GUEST: &str = "the cancellation names no guest, so the stay is as it was: look the guest up by the \
                        reservation and set the stay's status to cancelled";
const NO_DAYS: &str = "the cancellation names no days, so the stay is as it was: set its status to cancelled";

/// Other guests have their own records with the same stay; nobody can tell from a cancellation who they are.
const OTHERS: &str = "the cancellation does not name all guests: the stay of those whom it does not name is as it was; \
                      set its status to cancelled";
const ANOTHER_PERIOD: &str = "the request names another period too; the first is taken";

/// The guests, and whether each is called the primary one.
fn customers<'p>(node: Node<'p>) -> Vec<(Node<'p>, bool)> {
    let guests = node.at("ResGuests").first().at("ResGuest").items();
    let of_guest = |guest: Node<'p>| {
        let is_primary = guest.at("@PrimaryIndicator").read(|is| match is {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        });
        let infos = guest.at("Profiles").first().at("ProfileInfo").items();
        let customers = infos.flat_map(|info| info.at("Profile").first().at("Customer").items());
        customers.map(move |customer| (customer, is_primary == Some(true)))
    };
    guests.flat_map(of_guest).collect()
}

/// Cards stand with guarantees, deposits and the customer: wherever one is, it does not belong here.
fn has_card(value: &Value) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, member)| name == "PaymentCard" || has_card(member)),
        Value::Array(items) => items.iter().any(has_card),
        _ => false,
    }
}

struct Stay {
    value: Value,
    /// Whether the reservation has rooms.
    is_told: bool,
    /// How many come, as far as that is told.
    guests: usize,
    lost: Vec<&'static str>,
}

/// One stay for all the rooms, so that its number is the reservation's, however many there are.
fn stay(node: Node<'_>, id: &str) -> Stay {
    let is_request = node
        .at("@ResStatus")
        .peek()
        .is_some_and(|word| values::bare(word) == "requested");
    let status = status(node);
    let mut rooms: Vec<Node<'_>> = node.at("RoomStays").first().at("RoomStay").items().collect();
    let mut lost = Vec::new();
    if is_request && leave_other_periods(&mut rooms) {
        lost.push(ANOTHER_PERIOD);
    }
    let span = |name: &'static str| {
        let days = rooms
            .iter()
            .filter_map(move |room| room.at("TimeSpan").first().at(name).text());
        days.filter_map(|day| values::day(&day)).collect::<Vec<String>>()
    };
    let party = party(&rooms);
    if party.is_err() {
        lost.push("a party is larger than a stay can tell");
    }
    let party = party.ok().flatten();
    let count = |group: &str| {
        party
            .as_ref()
            .and_then(|party| party.get(group)?.as_u64())
            .unwrap_or(0)
    };
    Stay {
        is_told: !rooms.is_empty() || status != "cancelled",
        // Unless told otherwise, somebody may come along.
        guests: party.as_ref().map_or(usize::MAX, |_| {
            usize::try_from(count("adults") + count("children")).unwrap_or(usize::MAX)
        }),
        lost,
        value: json!({
            "reservation": id, "arrival": outermost(span("@Start"), min), "departure": outermost(span("@End"), max),
            "status": status, "party": party,
        }),
    }
}

/// A request names other periods that would do as well, without a kind of room; whether there was one.
fn leave_other_periods<'p>(rooms: &mut Vec<Node<'p>>) -> bool {
    let period = |room: &Node<'p>| {
        let span = room.at("TimeSpan").first();
        ["@Start", "@End"].map(move |name| span.at(name).peek())
    };
    let (all, first) = (rooms.len(), rooms.first().map(period));
    let mut at = 0;
    rooms.retain(|room| {
        at += 1;
        at == 1 || room.at("RoomTypes").exists() || Some(period(room)) == first
    });
    rooms.len() < all
}

/// The first or the last of days; one that cannot be read, where there is one: then the stay has none.
fn outermost(days: Vec<String>, pick: fn(String, String) -> String) -> Option<String> {
    let unread = days.iter().find(|day| day.parse::<chrono::NaiveDate>().is_err());
    match unread.cloned() {
        Some(unread) => Some(unread),
        None => days.into_iter().reduce(pick),
    }
}

fn status(node: Node<'_>) -> &'static str {
    let word = node.at("@ResStatus");
    let told = values::status(word).or_else(|| {
        word.read(|word| match values::bare(word).as_str() {
            "book" => Some("confirmed"),
            "initiate" | "pending" => Some("tentative"),
            _ => None,
        })
    });
    // What kind of message it is says it too.
    let kind = node.at("UniqueID").first().at("@Type").read(|kind| match kind {
        "14" => Some("confirmed"),
        "15" => Some("cancelled"),
        _ => None,
    });
    told.or(kind.filter(|_| !word.exists())).unwrap_or("tentative")
}

/// Who comes, over all the rooms; an error when there are more than can be told.
fn party(rooms: &[Node<'_>]) -> Result<Option<Value>, ()> {
    let (mut adults, mut children) = (0_u32, 0_u32);
    let counts = rooms.iter().map(|room| room.at("GuestCounts").first());
    for guest in counts.flat_map(|counts| counts.at("GuestCount").items()) {
        let count = guest.at("@Count");
        // One without a number stands for one guest.
        let guests = if count.exists() {
            count.read(|count| count.parse::<u32>().ok())
        } else {
            Some(1)
        };
        // OTA's code list AQC: infant, child, adult.
        let is_child = guest.at("@AgeQualifyingCode").read(|code| match code {
            "7" | "8" => Some(true),
            "10" => Some(false),
            _ => None,
        });
        let age = guest.at("@Age").read(|age| age.parse::<u8>().ok());
        let group = if is_child.unwrap_or(age.is_some_and(|age| age < 18)) {
            &mut children
        } else {
            &mut adults
        };
        *group = group.saturating_add(guests.unwrap_or(0));
    }
    match (adults, children) {
        (0, 0) => Ok(None),
        (0..=99, 0..=99) => Ok(Some(json!({"adults": adults, "children": children}))),
        _ => Err(()),
    }
}

fn inner(node: Node<'_>, name: &str) -> Option<String> {
    node.at(name).first().at("#text").text()
}

fn name(told: &mut Told, customer: Node<'_>) {
    let name = customer.at("PersonName").first();
    told.say("name.given", inner(name, "GivenName"));
    let prefix = inner(name, "SurnamePrefix");
    let surname = inner(name, "Surname");
    let surname = match (prefix, surname) {
        (Some(prefix), Some(surname)) => Some(format!("{prefix} {surname}")),
        (prefix, surname) => surname.or(prefix),
    };
    told.say("name.surname", surname);
    told.say("name.middle", inner(name, "MiddleName"));
    let prefix: Vec<String> = ["NamePrefix", "NameTitle"]
        .into_iter()
        .filter_map(|n| inner(name, n))
        .collect();
    told.say("name.prefix", (!prefix.is_empty()).then(|| prefix.join(" ")));
    told.say("name.suffix", inner(name, "NameSuffix"));
}

/// What is said of the guest; why a yes is no consent.
fn person(told: &mut Told, customer: Node<'_>) -> Option<&'static str> {
    let gender = customer.at("@Gender").text().filter(|gender| gender != "Unknown");
    told.say("gender", gender);
    told.say(
        "birth_date",
        customer.at("@BirthDate").text().as_deref().and_then(values::day),
    );
    told.say("preferred_language", customer.at("@Language").text());
    for phone in customer.at("Telephone").items() {
        let Some(number) = number(phone) else { continue };
        let kind = phone.at("@PhoneTechType").read(|kind| match kind {
            "1" => Some("voice"),
            "3" => Some("fax"),
            "5" => Some("mobile"),
            _ => None,
        });
        told.add(
            "phones",
            json!({"number": number, "kind": kind, "ext": phone.at("@Extension").text()}),
        );
    }
    contact(told, customer)
}

/// A number that may come in pieces: country, area, the rest.
fn number(phone: Node<'_>) -> Option<String> {
    let rest = phone.at("@PhoneNumber").text()?;
    // A number that says its country itself needs no other.
    if rest.starts_with('+') || rest.starts_with("00") {
        return Some(rest);
    }
    let country = phone.at("@CountryAccessCode").read(|code| {
        let code = code.trim_start_matches('+').trim_start_matches('0');
        let digits = !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| format!("+{code}"))
    });
    let area = phone.at("@AreaCityCode").text();
    let pieces: Vec<String> = [country, area, Some(rest)].into_iter().flatten().collect();
    Some(pieces.join(" "))
}

fn contact(told: &mut Told, customer: Node<'_>) -> Option<&'static str> {
    let mut channels = Channels::default();
    for email in customer.at("Email").items() {
        if let Some(address) = email.at("#text").text() {
            told.add("emails", json!({ "address": address }));
        }
        channels.say("email", remark(email, "newsletter"));
    }
    for home in customer.at("Address").items() {
        let lines: Vec<String> = home
            .at("AddressLine")
            .items()
            .filter_map(|line| line.at("#text").text())
            .collect();
        let (country, region) = (home.at("CountryName").first(), home.at("StateProv").first());
        let or_text =
            |place: Node<'_>, code: &str| place.at(code).text().or_else(|| place.at("#text").text());
        let address = json!({
            "lines": (!lines.is_empty()).then_some(lines), "city": inner(home, "CityName"),
            "postal_code": inner(home, "PostalCode"), "region": or_text(region, "@StateCode"),
            "country": or_text(country, "@Code"),
        });
        if values::is_address(&address) {
            told.add("postal_addresses", address);
        }
        channels.say("post", remark(home, "catalog"));
    }
    channels.tell(told, "web")
}

/// `newsletter:yes`, `catalog:no`.
fn remark(node: Node<'_>, word: &str) -> Option<bool> {
    let text = node.at("@Remark").peek()?;
    let (key, answer) = text.split_once(':')?;
    let answer = match answer.trim().to_ascii_lowercase().as_str() {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    key.trim().eq_ignore_ascii_case(word).then(|| {
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
