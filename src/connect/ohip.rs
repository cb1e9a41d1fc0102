//! Oracle OPERA Cloud (OHIP): profiles, and reservations with their guests.
//!
//! | payload | where it goes |
//! |---|---|
//! | `customer.personName[]` | primary → `name`, incognito → `name.alias`, in a language of another script → `name.native` |
//! | `identificationInfo[]` | `id_documents`; masked numbers are refused by the vault and told |
//! | `privacyInfo.optIn…` | one consent for `marketing_direct`, and the channels that were agreed to |
//! | `preferenceType[]` | `preferences`, `special_needs`, `interests`; types that a chain configured itself are reported |
//! | `reservationGuests[]`, `reservationGuest` | one record each, with the stay |

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
        if node.at("roomStay").exists() {
            return reservation(node);
        }
        if node.at("profile").exists() {
            return profile(node, "profile");
        }
        if node.at("profileDetails").exists() {
            return profile(node, "profileDetails");
        }
        Outcome {
            refused: vec!["neither a profile nor a reservation"],
            ..Outcome::default()
        }
    }
}

fn profile(node: Node<'_>, at: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(id) = id_of(node.at("profileIdList"), "Profile") else {
        outcome.refused.push("the profile has no id");
        return outcome;
    };
    let mut told = Told::of(id);
    if person(&mut told, node.at(at)) {
        outcome.told.push(told);
    } else {
        outcome.refused.push("the source has made the profile anonymous");
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

/// What a profile says; false when there is nobody left in it.
fn person(told: &mut Told, profile: Node<'_>) -> bool {
    let customer = profile.at("customer");
    let state = customer.at("anonymization.anonymizationStatus");
    if state.peek().is_some_and(|s| s.eq_ignore_ascii_case("ANONYMIZED")) {
        return false;
    }
    told.observed_at = profile
        .at("lastModifyDateTime")
        .text()
        .as_deref()
        .and_then(values::moment);
    for name in customer.at("personName").items() {
        person_name(told, name);
    }
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
    told.say("nationality", nationality.or(citizen));
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
    true
}

fn person_name(told: &mut Told, name: Node<'_>) {
    let kind = name.at("nameType").peek().unwrap_or("Primary").to_lowercase();
    name.at("nameType").take();
    let (surname, given) = (name.at("surname").text(), name.at("givenName").text());
    match kind.as_str() {
        "incognito" => {
            let parts: Vec<String> = [given, surname].into_iter().flatten().collect();
            told.say("name.alias", (!parts.is_empty()).then(|| parts.join(" ")));
        }
        "alternate" | "phonetic" => {
            let parts: Vec<String> = [surname, given].into_iter().flatten().collect();
            let native = (!parts.is_empty()).then(|| json!({"value": parts.join(" ")}));
            told.say("name.native", native);
        }
        "external" => {}
        _ => {
            told.say("name.surname", surname);
            told.say("name.given", given);
            told.say("name.middle", name.at("middleName").text());
            told.say(
                "name.prefix",
                name.at("nameTitle")
                    .text()
                    .or_else(|| name.at("namePrefix").text()),
            );
            told.say("name.suffix", name.at("nameSuffix").text());
        }
    }
}

/// `{"code"}` or `{"value"}` or the code itself.
fn country(node: Node<'_>) -> Option<String> {
    node.at("name").take();
    let code = node.at("code").text();
    code.or_else(|| node.at("value").text()).or_else(|| node.text())
}

fn identification(node: Node<'_>) -> Value {
    let kind = node.at("idType").text().map(|kind| {
        match kind.to_uppercase().as_str() {
            "PASSPORT" | "PASSPORTNUMBER" | "PASS" => "passport",
            "DRIVERLICENSE" | "DRIVERSLICENSE" | "DRIVER_LICENSE" | "DRIVER" | "DL" => "driver_licence",
            "NATIONALID" | "NATIONAL_ID" | "IDCARD" | "ID" | "NATIONALIDENTITY" => "national_id",
            "RESIDENCEPERMIT" | "RESIDENCE_PERMIT" => "residence_permit",
            "VISA" => "visa",
            _ => "other",
        }
        .to_owned()
    });
    let masked = node.at("idNumberMasked").text();
    // A number that is only there masked goes along, so that the vault refuses it and the report names it.
    let number = node.at("idNumber").text().or(masked);
    if number.is_none() {
        return Value::Null;
    }
    json!({
        "type": kind.unwrap_or_else(|| "other".to_owned()), "number": number,
        "issuing_country": country(node.at("issuedCountry")),
        "issued_on": node.at("issuedDate").text().as_deref().and_then(values::day),
        "expires_on": node.at("expirationDate").text().as_deref().and_then(values::day),
        "issued_place": node.at("issuedPlace").text(), "primary": node.at("primaryInd").flag(),
    })
}

fn contacts(told: &mut Told, profile: Node<'_>) {
    for item in profile.at("telephones.telephoneInfo").items() {
        let phone = item.at("telephone");
        let (tech, usage) = (phone.at("phoneTechType").text(), phone.at("phoneUseType").text());
        let word = [usage, tech].into_iter().flatten().find_map(|word| {
            Some(match word.to_uppercase().as_str() {
                "MOBILE" | "CELL" => "mobile",
                "HOME" => "home",
                "BUSINESS" | "WORK" => "work",
                "FAX" | "BUSINESSFAX" => "fax",
                _ => return None,
            })
        });
        if let Some(number) = phone.at("phoneNumber").text() {
            told.add(
                "phones",
                json!({
                    "number": number, "kind": word, "ext": phone.at("extension").text(),
                    "primary": phone.at("primaryInd").flag(),
                }),
            );
        }
    }
    for item in profile.at("emails.emailInfo").items() {
        let email = item.at("email");
        let kind = email.at("type").text().map(|kind| {
            if kind.to_uppercase().contains("BUSINESS") {
                "work"
            } else {
                "other"
            }
        });
        if let Some(address) = email.at("emailAddress").text() {
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

fn address(node: Node<'_>) -> Value {
    let lines = node.at("addressLine").texts();
    let mut address = values::address(lines, node, ["cityName", "postalCode", "state", "-"]);
    if let Some(members) = address.as_object_mut() {
        members.insert("country".to_owned(), country(node.at("country")).into());
    }
    if !values::is_address(&address) {
        return Value::Null;
    }
    let kind = node
        .at("type")
        .text()
        .and_then(|kind| match kind.to_uppercase().as_str() {
            "HOME" => Some("home"),
            "BUSINESS" => Some("work"),
            "BILLING" => Some("billing"),
            _ => None,
        });
    if let Some(members) = address.as_object_mut() {
        members.insert("kind".to_owned(), kind.into());
        members.insert("primary".to_owned(), node.at("primaryInd").flag().into());
    }
    address
}

fn memberships(told: &mut Told, profile: Node<'_>) {
    for item in profile.at("profileMemberships.profileMembership").items() {
        let (program, number) = (item.at("membershipType").text(), item.at("membershipId").text());
        if let (Some(program), Some(number)) = (program, number) {
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

/// OPERA's own types of preferences; what a chain named itself nobody else can read, and the report names it.
fn preferences(told: &mut Told, profile: Node<'_>) {
    let mut likes = Vec::new();
    for kind in profile.at("preferenceCollection.preferenceType").items() {
        let Some(word) = kind.at("preferenceType").peek().map(values::bare) else {
            continue;
        };
        for preference in kind.at("preference").items() {
            let value = || preference.at("preferenceValue").text();
            match word.as_str() {
                "floor" => told.say("preferences.room.floor", value()),
                "smoking" => {
                    let smokes = value().map(|v| !v.to_uppercase().starts_with('N'));
                    told.say("preferences.smoking", smokes);
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
}

/// The flags say for which channels; one purpose covers them. `false` is also what nobody was asked, so it is a refusal
/// only where the profile says when the guest was asked.
fn privacy(told: &mut Told, node: Node<'_>) {
    let asked = node
        .at("lastPrivacyPromptDate")
        .text()
        .as_deref()
        .and_then(values::day);
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
    } else if any && asked.is_some() {
        told.consent("marketing_direct", false, "pms");
    }
}

fn reservation(node: Node<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let ids = node.at("reservationIdList");
    let Some(reference) = id_of(ids, "Reservation") else {
        outcome.refused.push("the reservation has no id");
        return outcome;
    };
    let observed = node
        .at("lastModifyDateTime")
        .text()
        .or_else(|| node.at("createDateTime").text());
    let observed = observed.as_deref().and_then(values::moment);
    let stay = stay(node, &reference);
    for (at, guest) in node.at("reservationGuests").items().enumerate() {
        let info = guest.at("profileInfo");
        let id =
            id_of(info.at("profileIdList"), "Profile").unwrap_or_else(|| format!("{reference}:{}", at + 1));
        let mut told = Told::of(id);
        let is_primary = guest.at("primary").flag().unwrap_or(at == 0);
        if person(&mut told, info.at("profile")) {
            told.observed_at = told.observed_at.or_else(|| observed.clone());
            told.stay(values::with_role(
                &stay,
                if is_primary { "primary" } else { "accompanying" },
            ));
            if is_primary {
                for comment in node.at("comments").items() {
                    told.add(
                        "special_needs",
                        json!({"text": comment.at("comment.text.value").text()}),
                    );
                }
            }
            outcome.told.push(told);
        }
    }
    if node.at("reservationGuest").exists() {
        outcome.told.push(short_guest(node, &reference, &stay, observed));
    }
    if node.at("reservationPaymentMethod.paymentCard").exists() {
        outcome.alarms.push("card_data");
    }
    if outcome.told.is_empty() {
        outcome.refused.push("the reservation names no guest");
    }
    outcome
}

fn stay(node: Node<'_>, reference: &str) -> Value {
    let room = node.at("roomStay");
    let day = |name: &str| room.at(name).text().as_deref().and_then(values::day);
    let status = node
        .at("reservationStatus")
        .text()
        .as_deref()
        .and_then(values::stay_status);
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
fn short_guest(node: Node<'_>, reference: &str, stay: &Value, observed: Option<String>) -> Told {
    let guest = node.at("reservationGuest");
    let mut told = Told::of(guest.at("id").text().unwrap_or_else(|| format!("{reference}:1")));
    guest.at("type").take();
    told.observed_at = observed;
    told.say("name.surname", guest.at("surname").text());
    told.say("name.given", guest.at("givenName").text());
    told.say("name.middle", guest.at("middleName").text());
    told.say("name.prefix", guest.at("namePrefix").text());
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
        guest.at("membership.programCode").text(),
        guest.at("membership.membershipId").text(),
    );
    if let (Some(program), Some(number)) = (program, number) {
        told.add("memberships", json!({"program": program, "number": number, "tier": guest.at("membership.membershipLevel").text()}));
    }
    told.stay(values::with_role(stay, "primary"));
    told
}
