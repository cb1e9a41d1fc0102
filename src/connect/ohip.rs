//! Oracle OPERA Cloud (OHIP): profiles, and reservations with their guests.
//!
//! | payload | where it goes |
//! |---|---|
//! | `profileType` | companies, agencies, groups and the like are refused: they are no guests |
//! | `customer.personName[]` | primary → `name`, incognito → `name.alias`, alternate → `name.native`, phonetic beside it; external is reported |
//! | `identificationInfo[]` | `id_documents`; masked numbers are refused by the vault and told |
//! | `privacyInfo.optIn…` | one consent for `marketing_direct`, and the channels that were agreed to |
//! | `preferenceType[]` | `preferences`, `special_needs`, `interests`; types that a chain configured itself are reported |
//! | `reservationGuests[]`, `reservationGuest` | one record each, with the stay; without a profile's id, by place and name |
//! | `comments[]` of a reservation | `special_needs`; internal ones and the cashier's → `notes` |

use serde_json::{Value, json};

use super::{
    payload::{Node, Payload},
    told::{Connector, Outcome, Told},
    values,
};

/// Where elements are.
pub const PLACES: &[&[&str]] = &[
    &["profiles", "profileInfo"],
    &["reservations", "reservation"],
    &["reservations", "reservationInfo"],
];

/// Maps payloads of OHIP.
#[derive(Default)]
pub struct Ohip;

impl Connector for Ohip {
    fn source(&self) -> &'static str {
        "ohip"
    }

    fn take(&mut self, payload: &Payload) -> Outcome {
        let node = payload.node();
        let mut outcome = if node.at("roomStay").exists() {
            reservation(node)
        } else if node.at("profile").exists() {
            profile(node, "profile")
        } else if node.at("profileDetails").exists() {
            profile(node, "profileDetails")
        } else {
            Outcome {
                refused: vec!["neither a profile nor a reservation"],
                ..Outcome::default()
            }
        };
        if holds_card(payload.value()) {
            outcome.alarms.push("card_data");
        }
        outcome
    }
}

/// Whether something is said of a card: ways to pay stand in many places, one or a list of them.
fn holds_card(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, member)| {
            let card = matches!(
                name.as_str(),
                "paymentCard" | "paymentCards" | "creditCard" | "creditCards"
            );
            (card && !matches!(member, Value::Null | Value::Bool(_))) || holds_card(member)
        }),
        Value::Array(items) => items.iter().any(holds_card),
        _ => false,
    }
}

fn profile(node: Node<'_>, at: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(id) = id_of(node.at("profileIdList"), "Profile") else {
        outcome.refused.push("the profile has no id");
        return outcome;
    };
    let mut told = Told::of(id);
    match person(&mut told, node.at(at)) {
        Ok(()) => outcome.told.push(told),
        Err(reason) => outcome.refused.push(reason),
    }
    outcome
}

/// The id of this type in a list of ids; of any type, when none has it.
fn id_of(list: Node<'_>, kind: &str) -> Option<String> {
    let of_kind = |id: &Node<'_>| id.at("type").peek().is_some_and(|t| t.eq_ignore_ascii_case(kind));
    let found = list.items().find(of_kind).or_else(|| list.items().next())?;
    found.at("type").take();
    found.at("id").text()
}

const ANONYMOUS: &str = "the source has made the profile anonymous";

/// Whether there is nobody left in what a profile says.
fn is_anonymous(customer: Node<'_>) -> bool {
    let state = customer.at("anonymization.anonymizationStatus");
    state.peek().is_some_and(|s| s.eq_ignore_ascii_case("ANONYMIZED"))
}

/// Whether a profile is of something that is no person.
fn is_no_person(profile: Node<'_>) -> bool {
    let kind = profile.at("profileType");
    match kind.peek().map(values::bare).as_deref() {
        Some("company" | "travelagent" | "agent" | "group" | "source" | "hotel" | "vendor") => true,
        Some("guest" | "contact") => {
            kind.take();
            false
        }
        Some(_) => false,
        None => profile.at("company.companyName").peek().is_some() && !profile.at("customer").exists(),
    }
}

/// What a profile says.
///
/// # Errors
/// Why there is no guest in it.
fn person(told: &mut Told, profile: Node<'_>) -> Result<(), &'static str> {
    let customer = profile.at("customer");
    if is_anonymous(customer) {
        return Err(ANONYMOUS);
    }
    if is_no_person(profile) {
        return Err("the profile is of no person");
    }
    told.observed_at = values::moment_at(profile.at("lastModifyDateTime"));
    names(told, customer);
    told.say(
        "gender",
        customer
            .at("gender")
            .text()
            .filter(|g| !g.eq_ignore_ascii_case("unknown")),
    );
    told.say(
        "birth_date",
        customer.at("birthDate").text().as_deref().and_then(values::day),
    );
    told.say("birth_place", customer.at("birthPlace").text());
    let nationality = customer.at("nationality").text();
    let citizen = country(customer.at("citizenCountry"));
    told.say("nationality", nationality);
    told.say("nationality", citizen);
    told.say("preferred_language", customer.at("language").text());
    told.say("occupation", customer.at("profession").text());
    told.say("job_title", customer.at("businessTitle").text());
    told.say("vip_code", customer.at("vipStatus").text());
    let company = profile.at("company.companyName").text();
    told.say("organisation", company.map(|name| json!({ "name": name })));
    for document in customer.at("identifications.identificationInfo").items() {
        told.add("id_documents", identification(document.at("identification")));
    }
    contacts(told, profile);
    memberships(told, profile);
    preferences(told, profile);
    for comment in profile.at("comments.commentInfo").items() {
        told.add("notes", json!({"text": comment.at("comment.text.value").text()}));
    }
    privacy(told, profile.at("privacyInfo"));
    Ok(())
}

fn names(told: &mut Told, customer: Node<'_>) {
    let (mut native, mut phonetic) = (Vec::new(), Vec::new());
    for name in customer.at("personName").items() {
        let kind = name.at("nameType").peek().unwrap_or("Primary").to_lowercase();
        name.at("nameType").take();
        let both = |first: &str, second: &str| {
            let parts = [name.at(first).text(), name.at(second).text()];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        };
        match kind.as_str() {
            "incognito" => told.say("name.alias", both("givenName", "surname")),
            "alternate" => native.extend(both("surname", "givenName")),
            "phonetic" => phonetic.extend(both("surname", "givenName")),
            // Of another system: it stays where it is, and is reported.
            "external" => {}
            _ => primary_name(told, name),
        }
    }
    // How a name sounds stands alone where its letters are not told.
    let sound = if native.is_empty() {
        "name.native.value"
    } else {
        "name.native.phonetic"
    };
    for name in native {
        told.say("name.native.value", Some(name));
    }
    for name in phonetic {
        told.say(sound, Some(name));
    }
}

fn primary_name(told: &mut Told, name: Node<'_>) {
    told.say("name.surname", name.at("surname").text());
    told.say("name.given", name.at("givenName").text());
    told.say("name.middle", name.at("middleName").text());
    told.say(
        "name.prefix",
        name.at("nameTitle")
            .text()
            .or_else(|| name.at("namePrefix").text()),
    );
    told.say("name.suffix", name.at("nameSuffix").text());
}

/// `{"code"}` or `{"value"}` or the code itself; a name without a code goes along, for the vault to refuse by name.
fn country(node: Node<'_>) -> Option<String> {
    let (code, name) = (node.at("code").text(), node.at("name").text());
    let code = code.or_else(|| node.at("value").text());
    code.or_else(|| node.text()).or(name)
}

fn identification(node: Node<'_>) -> Value {
    // A number that is only there masked (`C030059XX`) goes along as a mask, so that the vault refuses it and the report
    // names it.
    let masked = node.at("idNumberMasked").text().map(|_| "****".to_owned());
    let number = node.at("idNumber").text().or(masked);
    if number.is_none() {
        return Value::Null;
    }
    json!({
        "type": values::document_kind(node.at("idType")), "number": number,
        "issuing_country": country(node.at("issuedCountry")),
        "issued_on": node.at("issuedDate").text().as_deref().and_then(values::day),
        "expires_on": node.at("expirationDate").text().as_deref().and_then(values::day),
        "issued_place": node.at("issuedPlace").text(), "primary": node.at("primaryInd").flag(),
    })
}

fn contacts(told: &mut Told, profile: Node<'_>) {
    for item in profile.at("telephones.telephoneInfo").items() {
        let phone = item.at("telephone");
        let Some(number) = phone.at("phoneNumber").text() else {
            continue;
        };
        let usage = kind_of_line(phone.at("phoneUseType"));
        // What a line is technically goes before where it is: a fax at home takes no calls.
        let kind = kind_of_line(phone.at("phoneTechType")).or(usage);
        told.add(
            "phones",
            json!({
                "number": number, "kind": kind, "ext": phone.at("extension").text(),
                "primary": phone.at("primaryInd").flag(),
            }),
        );
    }
    for item in profile.at("emails.emailInfo").items() {
        let email = item.at("email");
        if let Some(address) = email.at("emailAddress").text() {
            let kind = kind_of_email(email.at("type"));
            told.add(
                "emails",
                json!({"address": address, "kind": kind, "primary": email.at("primaryInd").flag()}),
            );
        }
    }
    for item in profile.at("addresses.addressInfo").items() {
        told.add("postal_addresses", address(item.at("address")));
    }
}

/// The kind of a line by a word of OPERA; a word that nobody knows stays, to be reported.
fn kind_of_line(node: Node<'_>) -> Option<&'static str> {
    let kind = match values::bare(node.peek()?).as_str() {
        "mobile" | "cell" => Some("mobile"),
        "home" => Some("home"),
        "business" | "work" => Some("work"),
        "pager" => Some("pager"),
        word if word.ends_with("fax") => Some("fax"),
        "phone" | "voice" => None,
        _ => return None,
    };
    node.take();
    kind
}

fn kind_of_email(node: Node<'_>) -> Option<&'static str> {
    let kind = match values::bare(node.peek()?).as_str() {
        word if word.contains("business") || word.contains("work") => "work",
        word if word.contains("home") || word.contains("personal") => "home",
        "email" | "other" => "other",
        _ => return None,
    };
    node.take();
    Some(kind)
}

fn address(node: Node<'_>) -> Value {
    let lines = node.at("addressLine").texts();
    let mut address = values::address(lines, node, ["cityName", "postalCode", "state", "-"]);
    if let Some(members) = address.as_object_mut() {
        members.insert("country".to_owned(), country(node.at("country")).into());
    }
    if !values::is_address(&address) {
        return Value::Null;
    }
    let word = node.at("type");
    let kind = match word.peek().map(values::bare).as_deref() {
        Some("home") => Some("home"),
        Some("business" | "work") => Some("work"),
        Some("billing") => Some("billing"),
        Some("other") => Some("other"),
        _ => None,
    };
    if kind.is_some() {
        word.take();
    }
    if let Some(members) = address.as_object_mut() {
        members.insert("kind".to_owned(), kind.into());
        members.insert("primary".to_owned(), node.at("primaryInd").flag().into());
    }
    address
}

fn memberships(told: &mut Told, profile: Node<'_>) {
    for item in profile.at("profileMemberships.profileMembership").items() {
        if let Some((program, number)) = membership(item.at("membershipType"), item.at("membershipId")) {
            let day = |name: &str| item.at(name).text().as_deref().and_then(values::day);
            let state = item
                .at("inactive")
                .flag()
                .map(|inactive| if inactive { "inactive" } else { "active" });
            told.add(
                "memberships",
                json!({
                    "program": program, "number": number, "tier": item.at("membershipLevel").text(),
                    "joined_at": day("signupDate"), "expires_at": day("expireDate"), "state": state,
                }),
            );
        }
    }
}

/// Programme and number of a membership; where one of them is missing the other stays, to be reported.
fn membership(program: Node<'_>, number: Node<'_>) -> Option<(String, String)> {
    program.peek()?;
    let number = number.text()?;
    Some((program.text()?, number))
}

/// OPERA's own types of preferences; what a chain named itself nobody else can read, and the report names it.
fn preferences(told: &mut Told, profile: Node<'_>) {
    let (mut likes, mut floors) = (Vec::new(), Vec::new());
    for kind in profile.at("preferenceCollection.preferenceType").items() {
        let Some(word) = kind.at("preferenceType").peek().map(values::bare) else {
            continue;
        };
        for preference in kind.at("preference").items() {
            let value = || preference.at("preferenceValue").text();
            match word.as_str() {
                "floor" => floors.extend(value()),
                "smoking" => {
                    let place = preference.at("preferenceValue");
                    let Some(smokes) = place.peek().and_then(values::smokes) else {
                        continue;
                    };
                    told.say("preferences.smoking", Some(smokes));
                    place.take();
                }
                "roomfeatures" => likes.extend(value()),
                "newspaper" => likes.extend(value().map(|name| format!("newspaper: {name}"))),
                "specials" => told.add("special_needs", json!({ "text": value() })),
                "interests" => told.add("interests", value().into()),
                _ => continue,
            }
            kind.at("preferenceType").take();
        }
    }
    told.say("preferences.facility.likes", (!likes.is_empty()).then_some(likes));
    let floors = match floors.as_slice() {
        [] => None,
        [floor] => Some(json!(floor)),
        several => Some(json!(several)),
    };
    told.say("preferences.room.floor", floors);
}

/// The flags say for which channels; one purpose covers them. `false` is also what nobody was asked, so it is a refusal
/// only where the profile says when the guest was asked.
fn privacy(told: &mut Told, node: Node<'_>) {
    let prompted = node.at("lastPrivacyPromptDate");
    let asked = prompted.peek().is_some_and(values::is_known_day);
    if asked {
        prompted.take();
    }
    let mut channels = Vec::new();
    let mut any = false;
    for (opted, allowed, channel) in [
        ("optInEmail", "allowEmail", "email"),
        ("optInSms", "allowSMS", "sms"),
        ("optInPhone", "allowPhone", "phone"),
        ("optInMailingList", "-", "post"),
    ] {
        let (opted, allowed) = (node.at(opted).flag(), node.at(allowed).flag());
        any |= opted.is_some();
        if opted == Some(true) && allowed != Some(false) {
            channels.push(channel);
        }
    }
    if !channels.is_empty() {
        told.consent("marketing_direct", true, "pms");
        told.say("contact_preference.channels", Some(json!(channels)));
    } else if any && asked {
        told.consent("marketing_direct", false, "pms");
        // The channels of an earlier yes go with it.
        told.say("contact_preference", Some(Value::Null));
    }
}

fn reservation(node: Node<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let ids = node.at("reservationIdList");
    let Some(reference) = id_of(ids, "Reservation") else {
        outcome.refused.push("the reservation has no id");
        return outcome;
    };
    let observed = values::moment_at(node.at("lastModifyDateTime"))
        .or_else(|| values::moment_at(node.at("createDateTime")));
    let stay = stay(node, &reference);
    for (at, guest) in node.at("reservationGuests").items().enumerate() {
        let info = guest.at("profileInfo");
        let known = id_of(info.at("profileIdList"), "Profile");
        let by_place = known.is_none();
        let mut told = Told::of(known.unwrap_or_else(|| format!("{reference}:{}", at + 1)));
        let is_primary = guest.at("primary").flag().unwrap_or(at == 0);
        if let Err(reason) = person(&mut told, info.at("profile")) {
            outcome.refused.push(reason);
            continue;
        }
        if by_place {
            told.by_name();
        }
        told.observed_at = told.observed_at.or_else(|| observed.clone());
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
    outcome.refused.dedup();
    outcome
}

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
        let internal = comment.at("internal").flag() == Some(true);
        let field = if internal || cashier {
            "notes"
        } else {
            "special_needs"
        };
        told.add(field, json!({"text": comment.at("text.value").text()}));
    }
}

fn stay(node: Node<'_>, reference: &str) -> Value {
    let room = node.at("roomStay");
    let day = |name: &str| room.at(name).text().as_deref().and_then(values::day);
    let status = values::status(node.at("reservationStatus"))
        .or_else(|| values::status(node.at("computedReservationStatus")));
    let count = |short: &str, long: &str| {
        let text = room
            .at(short)
            .text()
            .or_else(|| room.at("guestCounts").at(long).text())?;
        text.parse::<u8>().ok().filter(|n| *n < 100)
    };
    let party = count("adultCount", "adults")
        .map(|adults| json!({"adults": adults, "children": count("childCount", "children").unwrap_or(0)}));
    let channel = node
        .at("sourceOfSale.sourceType")
        .text()
        .as_deref()
        .and_then(values::code);
    json!({
        "reservation": reference, "arrival": day("arrivalDate"), "departure": day("departureDate"),
        "status": status.unwrap_or("tentative"), "channel": channel, "party": party,
    })
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
    if is_anonymous(guest) {
        return Err(ANONYMOUS);
    }
    let known = guest.at("id").text();
    let by_place = known.is_none();
    let mut told = Told::of(known.unwrap_or_else(|| format!("{reference}:1")));
    guest.at("type").take();
    told.observed_at = observed;
    told.say("name.surname", guest.at("surname").text());
    told.say("name.given", guest.at("givenName").text());
    told.say("name.middle", guest.at("middleName").text());
    told.say("name.prefix", guest.at("namePrefix").text());
    if by_place {
        told.by_name();
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
    let (program, number) = (
        guest.at("membership.programCode"),
        guest.at("membership.membershipId"),
    );
    if let Some((program, number)) = membership(program, number) {
        told.add("memberships", json!({"program": program, "number": number, "tier": guest.at("membership.membershipLevel").text()}));
    }
    told.stay(values::with_role(stay, "primary"));
    Ok(told)
}
