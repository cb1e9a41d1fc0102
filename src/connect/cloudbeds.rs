//! Cloudbeds guest profiles. Responses show several members masked (`*****`); they go along as they are, so that the
//! vault refuses them by its own rule and the report names them: a masked value never replaces a real one.

use serde_json::json;

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
            .any(|name| node.at(name).says());
        match node.at("id").text().filter(|_| named) {
            // Companies and groups have an interface of their own, and say what they are.
            _ if node.at("profileType").says() => outcome.refused.push("the profile is of no person"),
            None => outcome
                .refused
                .push("no guest profile (those of the Guest Profiles API are read)"),
            // What is left of an anonymised profile (city, state) is nobody's.
            Some(_) if is_anonymous(node) => {
                outcome.refused.push("the source has made the profile anonymous");
            }
            // Also without a word of which: lists of profiles leave `parentId` out.
            Some(_) if node.at("isMerged").flag() == Some(true) => {
                outcome
                    .refused
                    .push("the source has merged the profile into another");
            }
            Some(id) => outcome.told.push(profile(id, node)),
        }
        outcome
    }
}

/// Whether nobody is left: lists of profiles tell no date, only what stands in the place of name and address.
fn is_anonymous(node: Node<'_>) -> bool {
    let is = |name: &str| {
        let text = node.at(name).peek();
        text.is_some_and(|text| text.eq_ignore_ascii_case("Anonymized"))
    };
    let address = node.at("email").peek().unwrap_or_default();
    node.at("dateAnonymized").exists()
        || (is("firstName") && is("lastName"))
        || (address.starts_with("anonymized-") && address.ends_with("@example.com"))
}

fn profile(id: String, node: Node<'_>) -> Told {
    let mut told = Told::of(id);
    told.observed_at = values::moment_at(node.at("dateModified"));
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
    let mut address = values::address(lines, node, ["city", "zip", "state", "country"]);
    let country = node.at("countryName").text();
    if let (Some(members), false) = (address.as_object_mut(), node.at("country").peek().is_some()) {
        members.insert("country".to_owned(), country.into());
    }
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
    // `false` is also what nobody was asked, but a yes that was taken back looks the same: the stricter answer holds.
    if let Some(given) = node.at("isOptIn").flag() {
        told.consent("marketing_direct", given, "pms");
    }
    told
}

/// The document; without its number it is none, and what is said of it stays, to be reported.
fn document(told: &mut Told, node: Node<'_>) {
    let kind = node.at("documentType");
    let unknown = kind.peek() == Some("na");
    if unknown {
        kind.take();
    }
    let Some(number) = node.at("documentNumber").text() else {
        return;
    };
    let day = |name: &str| node.at(name).text().as_deref().and_then(values::day);
    told.add(
        "id_documents",
        json!({
            "type": if unknown { "other" } else { values::document_kind(kind) }, "number": number,
            "issued_on": day("documentIssueDate"), "expires_on": day("documentExpirationDate"),
            "issuing_country": node.at("documentIssuingCountry").text(),
        }),
    );
}
