//! Mews customers and their identity documents.
//!
//! Classifications are routed by value: a need goes to `health.accessibility`, which has its own drawer; what would
//! shut a guest out needs an end and an approver, which no tag has, so it is reported and not stored.
//!
//! `Options` is the list of all that is agreed to: what a list does not name is refused.

use serde_json::{Value, json};

use crate::matching::relays;

use super::{
    payload::{Node, Payload},
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
const CARD: [&str; 5] = [
    "CardNumber",
    "ObfuscatedNumber",
    "Suffix",
    "Expiration",
    "StorageData",
];

/// Maps payloads of Mews. Documents of one customer that follow each other become one record.
#[derive(Default)]
pub struct Mews {
    documents: Option<Told>,
}

impl Connector for Mews {
    fn source(&self) -> &'static str {
        "mews"
    }

    fn take(&mut self, payload: &Payload) -> Outcome {
        let node = payload.node();
        let owner = ["CustomerId", "AccountId"]
            .into_iter()
            .find_map(|name| node.at(name).text());
        if owner.is_some() && CARD.into_iter().any(|name| node.at(name).exists()) {
            return Outcome {
                alarms: vec!["card_data"],
                ..Outcome::default()
            };
        }
        // One without a number is a document still, and nobody.
        if let (Some(owner), true) = (&owner, node.at("Type").exists()) {
            return self.document(node, owner);
        }
        let mut outcome = self.finish();
        let id = node.at("Id").text().filter(|_| owner.is_none());
        let Some(id) = id else {
            outcome.refused.push("no customer and no identity document");
            return outcome;
        };
        if node.at("MergeTargetId").exists() {
            outcome
                .refused
                .push("the source has merged the customer into another");
            return outcome;
        }
        if node.at("IsActive").flag() == Some(false) {
            outcome
                .refused
                .push("the source keeps the customer no longer (IsActive is false)");
            return outcome;
        }
        if node.at("CreditCards").items().next().is_some() {
            outcome.alarms.push("card_data");
        }
        let mut told = Told::of(id);
        customer(&mut told, node);
        outcome.told.push(told);
        outcome
    }

    fn finish(&mut self) -> Outcome {
        let told = self.documents.take().filter(|told| !told.is_empty());
        Outcome {
            told: told.into_iter().collect(),
            ..Outcome::default()
        }
    }
}

impl Mews {
    fn document(&mut self, node: Node<'_>, owner: &str) -> Outcome {
        node.at("Id").take();
        let outcome = match &self.documents {
            Some(told) if told.source_id == owner => Outcome::default(),
            _ => self.finish(),
        };
        let told = self.documents.get_or_insert_with(|| Told::of(owner));
        // Where the law keeps hotels from noting the number, it is empty: then there is nothing to store.
        if let Some(number) = node.at("Number").text() {
            let kind = node.at("Type").read(|kind| {
                Some(match kind {
                    "Passport" => "passport",
                    "IdentityCard" => "national_id",
                    "DriversLicense" | "DriverLicense" => "driver_licence",
                    "Visa" => "visa",
                    "ResidencePermit" => "residence_permit",
                    _ => return None,
                })
            });
            let day = |name: &str| node.at(name).text().as_deref().and_then(values::day);
            told.add("id_documents", json!({
                "type": kind.unwrap_or("other"), "number": number,
                "issued_on": day("IssuanceDate"), "expires_on": day("ExpirationDate"),
                "issuing_country": node.at("IssuingCountryCode").text(), "issued_place": node.at("IssuingCity").text(),
                "support_number": node.at("IdentityDocumentSupportNumber").text(),
            }));
        }
        outcome
    }
}

fn customer(told: &mut Told, node: Node<'_>) {
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
    options(told, node.at("Options"));
}

fn each(list: Node<'_>, mut take: impl FnMut(&str) -> bool) {
    for word in list.words() {
        if word.peek().is_some_and(&mut take) {
            word.take();
        }
    }
}

fn classifications(told: &mut Told, list: Node<'_>) {
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

fn options(told: &mut Told, list: Node<'_>) {
    let mut channels = Vec::new();
    each(list, |word| {
        match word {
            "SendMarketingEmails" => channels.push("email"),
            "SendMarketingPostalMail" => channels.push("post"),
            // Partners are not named: no consent can be told from it.
            _ => return false,
        }
        true
    });
    if channels.is_empty() {
        if list.is_list() {
            told.consent("marketing_direct", false, "pms");
            told.say("contact_preference", Some(Value::Null));
        }
    } else {
        told.consent("marketing_direct", true, "pms");
        told.say("contact_preference.channels", Some(json!(channels)));
    }
}
