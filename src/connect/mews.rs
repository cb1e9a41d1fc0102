//! Mews customers and their identity documents.
//!
//! Classifications are routed by value: a need goes to `health.accessibility`, which has its own drawer; what would
//! shut a guest out needs an end and an approver, which no tag has, so it is reported and not stored.
//!
//! `Options` is the list of all that is agreed to: what a list does not name is refused. A customer is told whole: a member
//! that is there and empty takes back what this source said before; one that is not there says nothing.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use crate::{guest::kinds::holds_card_number, matching::relays};

use super::{
    channels::Channels,
    payload::{Node, Payload, says_nothing},
    told::{Connector, Outcome, Told},
    values,
};

/// Where elements are; cards only to be seen. A customer alone has an id outermost.
pub const PLACES: &[&[&str]] = &[
    &["Customers"],
    &["IdentityDocuments"],
    &["Documents"],
    &["CreditCards"],
    &["Id"],
];

/// Members of a payment card.
const CARD: [&str; 4] = ["CardNumber", "ObfuscatedNumber", "Suffix", "StorageData"];

/// The most customers whose documents are held until all of theirs are read.
const MOST_HELD: usize = 5000;
/// The most customers that are known again: of those beyond, nobody can tell whether all documents are told.
const MOST_KNOWN: usize = 200_000;

const MERGED: &str = "the source has merged the customer into another";
const INACTIVE: &str = "the source keeps the customer no longer (IsActive is false)";
const OF_REFUSED: &str = "an identity document is of a customer who is refused in the same file";

/// What is known of customers from one file of an import to the next: Mews answers in pages. Cheap to clone.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Customers>>);

#[derive(Default)]
struct Customers {
    /// Those of whom documents were told.
    told: HashSet<String>,
    /// Those who are no guests.
    refused: HashSet<String>,
}

impl Seen {
    fn customers(&self) -> MutexGuard<'_, Customers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Maps payloads of Mews. Documents of one customer become one record.
#[derive(Default)]
pub struct Mews {
    documents: Vec<Told>,
    /// Where the documents of a customer are held.
    places: HashMap<String, usize>,
    seen: Seen,
}

impl Mews {
    /// For a file of an import of which this was seen before.
    #[must_use]
    pub fn after(seen: Seen) -> Self {
        Self {
            seen,
            ..Self::default()
        }
    }
}

impl Connector for Mews {
    fn source(&self) -> &'static str {
        "mews"
    }

    fn take(&mut self, payload: &Payload) -> Outcome {
        let node = payload.node();
        let mut outcome = Outcome::default();
        let owner = ["CustomerId", "AccountId"]
            .into_iter()
            .find_map(|name| node.at(name).text());
        if owner.is_some() && is_card(payload.value(), node) {
            outcome.alarms.push("card_data");
            return outcome;
        }
        // One without a number is a document still, and nobody.
        if let (Some(owner), true) = (&owner, node.at("Type").exists()) {
            return self.document(node, owner);
        }
        let id = node.at("Id").text().filter(|_| owner.is_none());
        let Some(id) = id else {
            outcome.refused.push("no customer and no identity document");
            return outcome;
        };
        let gone = if node.at("MergeTargetId").exists() {
            Some(MERGED)
        } else if node.at("IsActive").flag() == Some(false) {
            Some(INACTIVE)
        } else {
            None
        };
        if let Some(reason) = gone {
            outcome.refused.push(reason);
            let held = self.places.get(&id).and_then(|at| self.documents.get_mut(*at));
            if held.is_some_and(|held| !mem::take(held).is_empty()) {
                outcome.refused.push(OF_REFUSED);
            }
            let mut seen = self.seen.customers();
            if seen.refused.len() < MOST_KNOWN {
                seen.refused.insert(id);
            }
            return outcome;
        }
        if node.at("CreditCards").items().next().is_some() {
            outcome.alarms.push("card_data");
        }
        let mut told = Told::of(id);
        customer(&mut told, payload);
        outcome.refused.extend(options(&mut told, node.at("Options")));
        outcome.told.push(told);
        outcome
    }

    fn finish(&mut self) -> Outcome {
        self.places.clear();
        let mut held = mem::take(&mut self.documents);
        held.retain(|told| !told.is_empty());
        let mut seen = self.seen.customers();
        let room = MOST_KNOWN.saturating_sub(seen.told.len());
        seen.told
            .extend(held.iter().take(room).map(|told| told.source_id.clone()));
        Outcome {
            told: held,
            ..Outcome::default()
        }
    }
}

impl Mews {
    fn document(&mut self, node: Node<'_>, owner: &str) -> Outcome {
        let mut outcome = Outcome::default();
        if self.seen.customers().refused.contains(owner) {
            outcome.refused.push(OF_REFUSED);
            return outcome;
        }
        node.at("Id").take();
        // Where the law keeps hotels from noting the number, it is empty: then there is nothing to store.
        let Some(number) = node.at("Number").text() else {
            return outcome;
        };
        let day = |names: [&str; 2]| {
            let said = names.into_iter().find_map(|name| node.at(name).text());
            said.as_deref().and_then(values::day)
        };
        let document = json!({
            "type": values::document_kind(node.at("Type")), "number": number,
            "issued_on": day(["IssuanceDate", "Issuance"]), "expires_on": day(["ExpirationDate", "Expiration"]),
            "issuing_country": node.at("IssuingCountryCode").text(), "issued_place": node.at("IssuingCity").text(),
            "support_number": node.at("IdentityDocumentSupportNumber").text(),
        });
        if !self.places.contains_key(owner) && self.documents.len() == MOST_HELD {
            outcome = self.finish();
        }
        let is_known = {
            let told = &self.seen.customers().told;
            told.contains(owner) || told.len() >= MOST_KNOWN
        };
        let place = *self.places.entry(owner.to_owned()).or_insert_with(|| {
            let mut told = Told::of(owner);
            // What is told of this customer already must not be replaced by the rest.
            told.excerpt = is_known;
            self.documents.push(told);
            self.documents.len() - 1
        });
        if let Some(told) = self.documents.get_mut(place) {
            told.add("id_documents", document);
        }
        outcome
    }
}

/// Whether something of a customer is a card. Documents had an `Expiration` once, as cards have; a visa is told from a card
/// of Visa by its number, which a card has not, or all of.
fn is_card(value: &Value, node: Node<'_>) -> bool {
    let number = node.at("Number");
    let kind = node.at("Type").peek();
    let of_brand = kind.is_some_and(|kind| BRANDS.contains(&values::bare(kind).as_str()));
    CARD.into_iter().any(|name| node.at(name).exists())
        || number.peek().is_some_and(holds_card_number)
        || (node.at("Expiration").exists() && (kind.is_none() || (of_brand && value.get("Number").is_none())))
}

/// Brands of cards.
const BRANDS: [&str; 9] = [
    "visa",
    "mastercard",
    "amex",
    "americanexpress",
    "maestro",
    "discover",
    "jcb",
    "diners",
    "unionpay",
];

/// Where members go whose emptiness takes back what was said there.
const WHOLE: [(&str, &[&str]); 18] = [
    ("name.given", &["FirstName"]),
    ("name.surname", &["LastName"]),
    ("name.surname2", &["SecondLastName"]),
    ("name.prefix", &["Title"]),
    ("gender", &["Sex"]),
    ("birth_date", &["BirthDate"]),
    ("birth_place", &["BirthPlace"]),
    ("nationality", &["NationalityCode"]),
    ("preferred_language", &["PreferredLanguageCode", "LanguageCode"]),
    ("occupation", &["Occupation"]),
    ("phones", &["Phone"]),
    ("emails", &["Email"]),
    ("postal_addresses", &["Address"]),
    ("tax_invoice", &["TaxIdentificationNumber", "ItalianFiscalCode"]),
    ("memberships", &["LoyaltyCode"]),
    ("vehicle_plates", &["CarRegistrationNumber"]),
    ("notes", &["Notes"]),
    ("diet", &["DietaryRequirements"]),
];

/// Takes back what the customer has no longer.
fn take_back(told: &mut Told, customer: &Value) {
    for (path, names) in WHOLE {
        let mut there = names.iter().filter_map(|name| customer.get(name)).peekable();
        if there.peek().is_some() && there.all(says_nothing) {
            told.say(path, Some(Value::Null));
        }
    }
}

fn customer(told: &mut Told, payload: &Payload) {
    let node = payload.node();
    told.observed_at = node.at("UpdatedUtc").read(values::moment);
    told.say("name.given", node.at("FirstName").text());
    told.say("name.surname", node.at("LastName").text());
    told.say("name.surname2", node.at("SecondLastName").text());
    let prefix = node.at("Title").text().map(|title| match title.as_str() {
        "Mister" => "Mr".to_owned(),
        "Misses" => "Mrs".to_owned(),
        _ => title,
    });
    told.say("name.prefix", prefix);
    told.say("gender", node.at("Sex").text());
    told.say(
        "birth_date",
        node.at("BirthDate").text().as_deref().and_then(values::day),
    );
    told.say("birth_place", node.at("BirthPlace").text());
    told.say("nationality", node.at("NationalityCode").text());
    let language = node.at("PreferredLanguageCode").text();
    told.say(
        "preferred_language",
        language.or_else(|| node.at("LanguageCode").text()),
    );
    told.say("occupation", node.at("Occupation").text());
    if let Some(number) = node.at("Phone").text() {
        told.add("phones", json!({ "number": number }));
    }
    // The source itself says when a channel lent the address.
    let lent = node.at("HasOtaEmail").flag() == Some(true);
    if let Some(address) = node.at("Email").text() {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        let lender = domain.as_deref().and_then(relays::of_domain);
        let relay = lent.then(|| json!({"provider": lender.unwrap_or("ota")}));
        told.add("emails", json!({"address": address, "relay": relay}));
    }
    let home = node.at("Address");
    let lines: Vec<String> = ["Line1", "Line2"]
        .into_iter()
        .filter_map(|line| home.at(line).text())
        .collect();
    let address = values::address(
        lines,
        home,
        ["City", "PostalCode", "CountrySubdivisionCode", "CountryCode"],
    );
    if values::is_address(&address) {
        told.add("postal_addresses", address);
    }
    for number in ["TaxIdentificationNumber", "ItalianFiscalCode"]
        .into_iter()
        .filter_map(|n| node.at(n).text())
    {
        told.add("tax_invoice", json!({ "tax_id": number }));
    }
    if let Some(number) = node.at("LoyaltyCode").text() {
        told.add("memberships", json!({"program": "MEWS", "number": number}));
    }
    if let Some(number) = node.at("Number").text() {
        told.add(
            "external_ids",
            json!({"system": "mews", "type": "number", "value": number}),
        );
    }
    if let Some(plate) = node.at("CarRegistrationNumber").text() {
        told.add("vehicle_plates", plate.into());
    }
    if let Some(note) = node.at("Notes").text() {
        told.add("notes", json!({ "text": note }));
    }
    // Of what kind a diet is says something of health or belief: never a preference.
    for word in node
        .at("DietaryRequirements")
        .text()
        .unwrap_or_default()
        .split([',', ';', '/', '\n'])
    {
        let word = word.trim();
        if !word.is_empty() {
            told.add("diet", word.into());
        }
    }
    classifications(told, node.at("Classifications"));
    take_back(told, payload.value());
}

fn each(list: Node<'_>, mut take: impl FnMut(&str) -> bool) {
    for word in list.words() {
        if word.peek().is_some_and(&mut take) {
            word.take();
        }
    }
}

/// Where tags go.
const TAGS: [(&str, &[&str]); 4] = [
    ("vip_code", &["VeryImportant", "Important"]),
    ("customer_status", &["Returning"]),
    ("health.accessibility", &["DisabledPerson"]),
    ("feedback_items", &["PreviousComplaint"]),
];

fn classifications(told: &mut Told, list: Node<'_>) {
    // The list is whole, too.
    for (path, tags) in TAGS {
        let has = |word: Node<'_>| word.peek().is_some_and(|word| tags.contains(&word));
        if list.is_list() && !list.words().any(has) {
            told.say(path, Some(Value::Null));
        }
    }
    let is_very = list.words().any(|word| word.peek() == Some("VeryImportant"));
    each(list, |word| {
        let (path, item): (&str, Value) = match word {
            "VeryImportant" => {
                return {
                    told.say("vip_code", Some("VeryImportant"));
                    true
                };
            }
            // The lesser of two grades is reported.
            "Important" if !is_very => {
                return {
                    told.say("vip_code", Some("Important"));
                    true
                };
            }
            "Returning" => {
                return {
                    told.say("customer_status", Some("returning"));
                    true
                };
            }
            "DisabledPerson" => ("health.accessibility", "accessible_room".into()),
            "PreviousComplaint" => ("feedback_items", json!({"type": "complaint", "status": "closed"})),
            // Blacklist, Problematic, HealthCompliant, Military, Student, Staff …: reported.
            _ => return false,
        };
        if path.contains('.') {
            told.say(path, Some(json!([item])));
        } else {
            told.add(path, item);
        }
        true
    });
}

/// What is agreed to; why no yes comes of it.
fn options(told: &mut Told, list: Node<'_>) -> Option<&'static str> {
    let mut agreed = Vec::new();
    each(list, |word| {
        agreed.push(match word {
            "SendMarketingEmails" => "email",
            "SendMarketingPostalMail" => "post",
            // Partners are not named: no consent can be told from it.
            _ => return false,
        });
        true
    });
    let mut channels = Channels::default();
    for channel in ["email", "post"] {
        // The list is whole: what it does not name is a no.
        channels.say(channel, list.is_list().then(|| agreed.contains(&channel)));
    }
    channels.tell(told, "pms")
}
