//! Oracle OPERA Cloud (OHIP): profiles, and reservations with their guests.
//!
//! | payload | where it goes |
//! |---|---|
//! | `profileType`, `nameType` | companies, agencies, groups, staff and the like are refused: they are no guests |
//! | `customer.personName[]` | primary → `name`, incognito → `name.alias`, alternate → `name.native`, phonetic beside it; external is reported |
//! | `identificationInfo[]` | `id_documents`; masked numbers are refused by the vault and told |
//! | `privacyInfo.optIn…`, `allow…` | one consent for `marketing_direct`, and the channels that were agreed to |
//! | `preferenceType[]` | `preferences`, `special_needs`, `interests`; types that a chain configured itself are reported |
//! | `reservationGuests[]`, `reservationGuest` | one record each, with the stay; without a profile's id, by place and name |
//! | `comments[]` of a reservation | `special_needs`; internal and confidential ones and the cashier's → `notes` |
//!
//! What a reservation or a search says of a profile that has an id is an excerpt of it.

use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{
    channels::Channels,
    hotels::Hotels,
    payload::{Node, Payload},
    told::{Connector, Outcome, Told},
    values,
};

mod reservation;

/// Where a search has its profiles: short ones.
const SUMMARIES: &[&str] = &["profileSummaries", "profileInfo"];

/// Where elements are.
pub const PLACES: &[&[&str]] = &[
    &["profiles", "profileInfo"],
    SUMMARIES,
    &["reservations", "reservation"],
    &["reservations", "reservationInfo"],
];

/// Maps payloads of OHIP.
#[derive(Default)]
pub struct Ohip {
    hotels: Hotels,
}

impl Ohip {
    /// For a house of these hotels.
    #[must_use]
    pub const fn of(hotels: Hotels) -> Self {
        Self { hotels }
    }
}

impl Connector for Ohip {
    fn source(&self) -> &'static str {
        "ohip"
    }

    fn take(&mut self, payload: &Payload) -> Outcome {
        let node = payload.node();
        let mut outcome = if node.at("roomStay").exists() {
            reservation::take(node, &self.hotels)
        } else if node.at("profile").exists() {
            profile(node, "profile", self.hotels.clock(None))
        } else if node.at("profileDetails").exists() {
            profile(node, "profileDetails", self.hotels.clock(None))
        } else {
            Outcome {
                refused: vec!["neither a profile nor a reservation"],
                ..Outcome::default()
            }
        };
        if payload.place() == SUMMARIES {
            for told in &mut outcome.told {
                told.excerpt = true;
            }
        }
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

fn profile(node: Node<'_>, at: &str, clock: Tz) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(id) = profile_id(node.at("profileIdList")) else {
        outcome.refused.push("the profile has no id");
        return outcome;
    };
    let mut told = Told::of(id);
    match person(&mut told, node.at(at), clock) {
        Ok(unsaid) => {
            outcome.refused.extend(unsaid);
            outcome.told.push(told);
        }
        Err(reason) => outcome.refused.push(reason),
    }
    outcome
}

/// The id of this type in a list of ids, or else one that has none.
fn id_of(list: Node<'_>, kind: &str) -> Option<String> {
    let is_kind = |id: &Node<'_>| id.at("type").peek().is_some_and(|t| t.eq_ignore_ascii_case(kind));
    let no_kind = |id: &Node<'_>| !id.at("type").says();
    let found = list
        .items()
        .find(is_kind)
        .or_else(|| list.items().find(no_kind))?;
    found.at("type").take();
    found.at("id").text()
}

/// The id of a profile. One of another type has it before it: the same number may be another profile's.
fn profile_id(list: Node<'_>) -> Option<String> {
    id_of(list, "Profile").or_else(|| {
        let other = list.items().next()?;
        let (kind, id) = (other.at("type").text()?, other.at("id").text()?);
        Some(format!("{kind}:{id}"))
    })
}

/// Why there is nobody left in what a profile says.
fn anonymous(customer: Node<'_>) -> Option<&'static str> {
    let state = customer.at("anonymization.anonymizationStatus");
    let is_done = state.peek().is_some_and(|s| s.eq_ignore_ascii_case("anonymized"));
    is_done.then_some("the source has made the profile anonymous")
}

const LEAVING: &str = "the source is about to make the profile anonymous: no yes is taken";

const NO_PERSON: &str = "the profile is of no person";

/// Why a profile of this kind is no guest's. The words for guests are taken; one that nobody knows stays, to be reported.
fn no_guest(kind: Node<'_>) -> Option<&'static str> {
    match values::bare(kind.peek()?).as_str() {
        "company" | "travelagent" | "agent" | "group" | "source" | "hotel" | "vendor" | "billing"
        | "businessheader" | "support" | "keyword" => Some(NO_PERSON),
        "employee" => Some("the profile is of an employee"),
        "purge" => Some("the profile stands for deleted ones"),
        "guest" | "contact" => {
            kind.take();
            None
        }
        _ => None,
    }
}

/// Why a profile is no guest's.
fn no_guests(profile: Node<'_>) -> Option<&'static str> {
    let kind = profile.at("profileType");
    let company = profile.at("company.companyName").peek().is_some() && !profile.at("customer").exists();
    no_guest(kind).or_else(|| (company && !kind.says()).then_some(NO_PERSON))
}

/// What a profile says, with moments by this clock; why a yes in it makes no consent.
///
/// # Errors
/// Why there is no guest in it.
fn person(told: &mut Told, profile: Node<'_>, clock: Tz) -> Result<Option<&'static str>, &'static str> {
    let customer = profile.at("customer");
    if let Some(reason) = anonymous(customer).or_else(|| no_guests(profile)) {
        return Err(reason);
    }
    told.observed_at = values::local_moment_at(profile.at("lastModifyDateTime"), clock);
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
    // One that was made anonymous is no guest's: another word is the way there.
    let leaves = customer.at("anonymization.anonymizationStatus").says();
    let channels = privacy(profile.at("privacyInfo"));
    Ok(if leaves && channels.have_a_yes() {
        Some(LEAVING)
    } else {
        channels.tell(told, "pms")
    })
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
    // A number that is only there masked (`C030059XX`), be it in both places, goes along as a mask, so that the vault
    // refuses it and the report names it.
    let (number, masked) = (node.at("idNumber").text(), node.at("idNumberMasked").text());
    let clear = number.filter(|number| masked.as_ref() != Some(number));
    let number = clear.or_else(|| masked.map(|_| "****".to_owned()));
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

/// An opt-in of `false` is also what nobody was asked, so it is a refusal only where the profile says when the guest was
/// asked; what nobody allows is refused by itself. Flags that say nothing stay, to be reported.
fn privacy(node: Node<'_>) -> Channels {
    let prompted = node.at("lastPrivacyPromptDate");
    let asked = prompted.peek().is_some_and(values::is_known_day);
    if asked {
        prompted.take();
    }
    let (mut channels, mut flags) = (Channels::default(), Vec::new());
    for (opted, allowed, channel) in [
        ("optInEmail", "allowEmail", "email"),
        ("optInSms", "allowSMS", "sms"),
        ("optInPhone", "allowPhone", "phone"),
        ("optInMailingList", "-", "post"),
    ] {
        let (opted, allowed) = (node.at(opted), node.at(allowed));
        let agreed = match (opted.peek_flag(), allowed.peek_flag()) {
            (_, Some(false)) => Some(false),
            // Whether it is allowed cannot be read: that is no yes.
            (Some(true), None) if allowed.says() => None,
            (Some(true), _) => Some(true),
            (Some(false), _) if asked => Some(false),
            _ => None,
        };
        channels.say(channel, agreed);
        if agreed.is_some() || opted.peek_flag() == Some(false) {
            flags.extend([opted, allowed]);
        }
    }
    if channels.say_something() {
        for flag in flags.into_iter().filter(|flag| flag.peek_flag().is_some()) {
            flag.take();
        }
    }
    channels
}
