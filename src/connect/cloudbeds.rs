//! Cloudbeds guest profiles. Responses show several members masked (`*****`); they go along as they are, so that the
//! vault refuses them by its own rule and the report names them: a masked value never replaces a real one.

use serde_json::{Value, json};

use super::{
    payload::{Node, Payload},
    told::{Connector, Outcome, Told},
    values,
};

/// Where elements are.
pub const PLACES: &[&[&str]] = &[&["data"]];

/// Maps payloads of Cloudbeds.
#[derive(Default)]
pub struct Cloudbeds;

impl Connector for Cloudbeds {
    fn source(&self) -> &'static str {
        "cloudbeds"
    }

    fn take(&mut self, payload: &Payload) -> Outcome {
        let node = payload.node();
        let mut outcome = Outcome::default();
        let named = ["firstName", "lastName", "email"]
            .into_iter()
            .any(|name| node.at(name).exists());
        match node.at("id").peek().filter(|_| named) {
            None => outcome.refused.push("no guest profile"),
            // What is left of an anonymised profile (city, state) is nobody's.
            Some(_) if node.at("dateAnonymized").exists() => {
                outcome.refused.push("the source has made the profile anonymous");
            }
            Some(_) => outcome.told.push(profile(node)),
        }
        outcome
    }
}

fn profile(node: Node<'_>) -> Told {
    let mut told = Told::of(node.at("id").text().unwrap_or_default());
    told.observed_at = node.at("dateModified").text().as_deref().and_then(values::moment);
    told.say("name.given", node.at("firstName").text());
    told.say("name.surname", node.at("lastName").text());
    told.say(
        "birth_date",
        node.at("birthday").text().as_deref().and_then(values::day),
    );
    // `M/F` is what the interface's own example says.
    let gender = node
        .at("gender")
        .text()
        .filter(|g| !matches!(g.as_str(), "N/A" | "M/F" | "NA"));
    told.say("gender", gender);
    for (name, kind) in [("phone", None), ("cellPhone", Some("mobile"))] {
        if let Some(number) = node.at(name).text() {
            told.add("phones", json!({"number": number, "kind": kind}));
        }
    }
    if let Some(address) = node.at("email").text() {
        told.add("emails", json!({ "address": address }));
    }
    let lines: Vec<String> = ["address1", "address2"]
        .into_iter()
        .filter_map(|line| node.at(line).text())
        .collect();
    let address = values::address(lines, node, ["city", "zip", "state", "country"]);
    node.at("countryName").take();
    if values::is_address(&address) {
        told.add("postal_addresses", address);
    }
    document(&mut told, node);
    if let Some(number) = node.at("taxId").text() {
        told.add("tax_invoice", json!({ "tax_id": number }));
    }
    if let Some(number) = node.at("companyTaxId").text() {
        told.add("tax_invoice", json!({ "tax_id": number }));
    }
    let company = node.at("companyName").text();
    told.say("organisation", company.map(|name| json!({ "name": name })));
    // `false` is also what nobody was asked.
    if node.at("isOptIn").flag() == Some(true) {
        told.consent("marketing_direct", true, "pms");
    }
    told
}

fn document(told: &mut Told, node: Node<'_>) {
    let kind = node.at("documentType").text();
    let day = |name: &str| node.at(name).text().as_deref().and_then(values::day);
    let (issued, expires) = (day("documentIssueDate"), day("documentExpirationDate"));
    let country = node.at("documentIssuingCountry").text();
    let kind = match kind.as_deref() {
        Some("na") | None => return,
        Some("driver_licence") => "driver_licence",
        Some("passport") => "passport",
        Some("dni" | "nie") => "national_id",
        Some("social_security_card") => "social",
        Some(_) => "other",
    };
    let number: Option<Value> = node.at("documentNumber").text().map(Value::from);
    if number.is_some() {
        told.add("id_documents", json!({
            "type": kind, "number": number, "issued_on": issued, "expires_on": expires, "issuing_country": country,
        }));
    }
}
