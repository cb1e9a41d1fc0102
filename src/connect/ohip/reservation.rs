//! Reservations: each guest with the stay, which is as new as the reservation, whatever its profiles are.

use serde_json::{Value, json};

use super::{
    super::{
        hotels::Hotels,
        payload::Node,
        seat,
        told::{Outcome, Told},
        values,
    },
    address, anonymous, id_of, membership, no_guest, person, profile_id,
};

pub(super) fn take(node: Node<'_>, hotels: &Hotels) -> Outcome {
    let mut outcome = Outcome::default();
    // Several stays may share any other id.
    let Some(reference) = id_of(node.at("reservationIdList"), "Reservation") else {
        outcome.refused.push("the reservation has no id of its own");
        return outcome;
    };
    let hotel = hotels.at(node.at("hotelId"));
    let clock = hotels.clock(hotel.as_ref());
    // When it was made says nothing of when it was seen so.
    let observed = values::local_moment_at(node.at("lastModifyDateTime"), clock);
    let stay = stay(node, &reference);
    let guests = node.at("reservationGuests");
    let one_is_named = guests
        .items()
        .any(|guest| guest.at("primary").peek_flag() == Some(true));
    for (at, guest) in guests.items().enumerate() {
        let info = guest.at("profileInfo");
        let known = profile_id(info.at("profileIdList"));
        let by_place = known.is_none();
        let mut told = Told::of(known.unwrap_or_else(|| of_reservation(&reference)));
        let is_primary = guest.at("primary").flag().unwrap_or(at == 0 && !one_is_named);
        match person(&mut told, info.at("profile"), clock) {
            Ok(unsaid) => outcome.refused.extend(unsaid),
            Err(reason) => {
                outcome.refused.push(reason);
                continue;
            }
        }
        if by_place && told.is_empty() {
            outcome.refused.push(NOTHING);
            continue;
        }
        if by_place {
            seat::take(&mut told, &outcome.told, at + 1);
        }
        // The profile of the same id has more.
        told.excerpt = !by_place;
        told.seen(observed.clone());
        told.stay(values::with_role(
            &stay,
            if is_primary { "primary" } else { "accompanying" },
        ));
        if is_primary {
            comments(&mut told, node);
        }
        outcome.told.push(told);
    }
    if node.at("reservationGuest").exists() {
        match short_guest(node, &reference, &stay, observed) {
            Ok(told) => outcome.told.push(told),
            Err(reason) => outcome.refused.push(reason),
        }
    }
    if outcome.told.is_empty() && outcome.refused.is_empty() {
        outcome.refused.push("the reservation names no guest");
    }
    for told in &mut outcome.told {
        told.property.clone_from(&hotel);
    }
    outcome.refused.dedup();
    outcome
}

/// Where somebody without an id of their own belongs.
fn of_reservation(reference: &str) -> String {
    format!("{reference}:guest")
}

const NOTHING: &str = "of a guest of the reservation nothing is said";

/// What the guest asked for, and what the staff tell each other.
fn comments(told: &mut Told, node: Node<'_>) {
    for comment in node.at("comments").items().map(|item| item.at("comment")) {
        let kind = comment.at("type");
        let cashier = kind
            .peek()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("cashier"));
        if cashier {
            kind.take();
        }
        let of_staff = ["internal", "confidential"].map(|name| comment.at(name).flag() == Some(true));
        let field = if cashier || of_staff.contains(&true) {
            "notes"
        } else {
            "special_needs"
        };
        told.add(field, json!({"text": comment.at("text.value").text()}));
    }
}

fn stay(node: Node<'_>, reference: &str) -> Value {
    let room = node.at("roomStay");
    let status = values::status(node.at("reservationStatus"))
        .or_else(|| values::status(node.at("computedReservationStatus")));
    json!({
        "reservation": reference, "arrival": values::day_at(room.at("arrivalDate")),
        "departure": values::day_at(room.at("departureDate")), "status": status.unwrap_or("tentative"),
        "channel": node.at("sourceOfSale.sourceType").read(values::code), "party": party(room),
    })
}

/// Who comes along. Where one number cannot be read the other says nothing: both stay, to be reported.
fn party(room: Node<'_>) -> Option<Value> {
    let number = |text: &str| text.parse::<u8>().ok().filter(|n| *n < 100);
    let place = |short: &str, long: &str| {
        let places = [room.at(short), room.at("guestCounts").at(long)];
        places.into_iter().find(|place| place.says())
    };
    let adults = place("adultCount", "adults")?;
    let children = place("childCount", "children");
    if children.is_some_and(|children| children.look(number).is_none()) {
        return None;
    }
    let adults = adults.read(number)?;
    let children = children.and_then(|children| children.read(number));
    Some(json!({"adults": adults, "children": children.unwrap_or(0)}))
}

/// The guest as lists of reservations tell it: flat.
///
/// # Errors
/// Why there is no guest in it.
fn short_guest(
    node: Node<'_>,
    reference: &str,
    stay: &Value,
    observed: Option<String>,
) -> Result<Told, &'static str> {
    let guest = node.at("reservationGuest");
    if let Some(reason) = anonymous(guest).or_else(|| no_guest(guest.at("nameType"))) {
        return Err(reason);
    }
    let known = profile_id(guest);
    let by_place = known.is_none();
    let mut told = Told::of(known.unwrap_or_else(|| of_reservation(reference)));
    told.seen(observed);
    told.say("name.surname", guest.at("surname").text());
    told.say("name.given", guest.at("givenName").text());
    told.say("name.middle", guest.at("middleName").text());
    told.say("name.prefix", guest.at("namePrefix").text());
    if by_place {
        seat::take(&mut told, &[], 1);
    }
    // The profile of the same id has more.
    told.excerpt = !by_place;
    told.say("preferred_language", guest.at("language").text());
    told.say("vip_code", guest.at("vip.vipCode").text());
    if let Some(number) = guest.at("phoneNumber").text() {
        told.add("phones", json!({ "number": number }));
    }
    if let Some(address) = guest.at("email").text() {
        told.add("emails", json!({ "address": address }));
    }
    told.add("postal_addresses", address(guest.at("address")));
    // Here `membershipId` is the row of a table, and `accountId` what stands on the card.
    let (program, number) = (
        guest.at("membership.programCode"),
        guest.at("membership.accountId"),
    );
    if let Some((program, number)) = membership(program, number) {
        told.add("memberships", json!({"program": program, "number": number, "tier": guest.at("membership.membershipLevel").text()}));
    }
    told.stay(values::with_role(stay, "primary"));
    Ok(told)
}
