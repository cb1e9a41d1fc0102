//! A consent as others read it: ISO/IEC TS 27560 in the Data Privacy Vocabulary (DPV 2.3, JSON-LD), and the older
//! Kantara consent receipt 1.1. Pure.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::{Line, Speaker, Standing, State, notice::Notice};
use crate::{
    base::{Category, micros},
    policy::Separate,
};

/// The member that holds the signature; everything else is signed.
pub const PROOF: &str = "vault:proof";

/// Countries whose profile is the one of the GDPR: the EEA.
const EEA: [&str; 30] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT",
    "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// What happened, with its place in the audit log.
pub struct Happened<'l> {
    /// The line of the ledger.
    pub line: &'l Line,
    /// The index of its entry in the log, once it has one.
    pub log_index: Option<u64>,
}

/// What a record is made of.
pub struct Parts<'r> {
    /// The line it is about.
    pub line: &'r Line,
    /// Where its entry is in the log.
    pub log_index: Option<u64>,
    /// The receipt that proves that, as a `.tlog-proof` file.
    pub receipt: Option<String>,
    /// Who spoke, when it was not the guest.
    pub said_by: Option<Speaker>,
    /// What the guest was shown.
    pub notice: &'r Notice,
    /// What the purpose covers, for people.
    pub description: &'r str,
    /// The guest's name in the audit log in the year of the line, hexadecimal.
    pub subject: &'r str,
    /// All that was said on the matter, oldest first.
    pub history: &'r [Happened<'r>],
    /// Now.
    pub now: DateTime<Utc>,
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The consent record, unsigned.
#[must_use]
pub fn jsonld(parts: &Parts<'_>) -> Map<String, Value> {
    let (line, said) = (parts.line, &parts.notice.said);
    let subject = format!("vault:subject/ps_{}", parts.subject);
    let child = parts.said_by == Some(Speaker::Guardian);
    let mut record = json!({
        "@context": context(),
        "@id": format!("urn:uuid:{}", line.id),
        "@type": "dpv:ConsentRecord",
        "dct:identifier": line.id,
        "dct:conformsTo": profiles(&said.jurisdiction),
        "vault:schemaVersion": "1",
        "vault:recordVersion": parts.history.len(),
        "vault:lineCommitment": line.commitment(),
        "vault:property": line.property,
        "vault:scope": if line.scope.is_empty() { "*" } else { line.scope.as_str() },
        "vault:channel": line.channel,
        "dpv:hasDataSubject": {"@id": subject, "@type": if child { "dpv:Child" } else { "dpv:Customer" }},
        "dpv:hasJurisdiction": {"@id": format!("loc:{}", said.jurisdiction)},
        "dpv:hasDataController": {
            "@id": "vault:controller", "@type": "dpv:DataController", "dpv:hasName": said.controller.name,
            "dpv:hasAddress": said.controller.address, "dpv:hasContact": said.controller.contact
        },
        "dpv:hasProcess": process(parts),
        "dpv:hasNotice": {
            "@id": format!("urn:uuid:{}", parts.notice.notice_id), "@type": "dpv:ConsentNotice",
            "dct:date": parts.notice.valid_from().date_naive(), "dct:language": said.language,
            "vault:noticeVersion": parts.notice.version, "vault:noticeTerms": parts.notice.terms,
            "vault:noticeSha256": parts.notice.sha256
        },
        "dpv:hasConsentControl": {
            "@type": "dpv:WithdrawConsent",
            "dpv:isExercisedAt": said.withdrawal.as_deref().map_or_else(
                || json!(said.controller.contact),
                |page| json!({ "@id": page }),
            )
        },
        "dpv:hasRight": said.rights.iter().map(|right| json!({"@id": format!("vault:right/{right}"), "@type": "dpv:Right"})).collect::<Vec<_>>(),
        "dpv:hasConsentStatus": statuses(parts, &subject)
    });
    let mut add = |member: &str, value: Value| {
        if let Some(object) = record.as_object_mut() {
            object.insert(member.to_owned(), value);
        }
    };
    if let Some(kind) = line.separate {
        add("vault:separateConsentKind", json!(kind.as_str()));
        add("vault:necessityAndImpactShown", json!(said.necessity_and_impact));
    }
    if let Some(index) = parts.log_index {
        add("vault:logIndex", json!(index));
    }
    if let Some(receipt) = &parts.receipt {
        add("vault:logReceipt", json!(receipt));
    }
    match record {
        Value::Object(record) => record,
        _ => Map::new(),
    }
}

fn context() -> Value {
    json!({
        "dpv": "https://w3id.org/dpv#", "pd": "https://w3id.org/dpv/pd#",
        "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#", "loc": "https://w3id.org/dpv/loc#",
        "dct": "http://purl.org/dc/terms/", "skos": "http://www.w3.org/2004/02/skos/core#",
        "xsd": "http://www.w3.org/2001/XMLSchema#", "vault": "https://guest-vault.example/ns#",
        "dct:date": {"@type": "xsd:date"}, "dpv:isIndicatedAtTime": {"@type": "xsd:dateTime"}
    })
}

fn profiles(jurisdiction: &str) -> Value {
    const SCHEMA: &str = "https://w3id.org/dpv/schema/dpv-27560#";
    if EEA.contains(&jurisdiction) {
        json!([{"@id": format!("{SCHEMA}record-eu-gdpr")}])
    } else if jurisdiction == "CN" {
        json!([{"@id": format!("{SCHEMA}record")}, {"@id": "vault:profile/record-cn-pipl"}])
    } else {
        json!([{"@id": format!("{SCHEMA}record")}])
    }
}

fn process(parts: &Parts<'_>) -> Value {
    let (line, said) = (parts.line, &parts.notice.said);
    let recipients = said.recipients.iter().map(|r| {
        let kind = if r.code == line.recipient {
            "dpv:ThirdParty"
        } else {
            "dpv:DataProcessor"
        };
        let mut one =
            json!({"@id": format!("vault:recipient/{}", r.code), "@type": kind, "dpv:hasName": r.name});
        for (member, value) in [("dpv:hasContact", &r.contact), ("dpv:hasCountry", &r.country)] {
            if let (Some(one), Some(value)) = (one.as_object_mut(), value) {
                let country = member == "dpv:hasCountry";
                let value = if country {
                    json!({"@id": format!("loc:{value}")})
                } else {
                    json!(value)
                };
                one.insert(member.to_owned(), value);
            }
        }
        one
    });
    let locations = said.locations.iter().map(
        |place| json!({"@type": "dpv:StorageLocation", "dpv:hasLocation": {"@id": format!("loc:{place}")}}),
    );
    let duration = json!({"@type": "dpv:StorageDuration", "dpv:hasDuration": said.retention});
    let methods = said
        .methods
        .iter()
        .map(|method| json!({"@id": method_term(method)}));
    json!({
        "@type": "dpv:Process",
        "dpv:hasPurpose": {
            "@id": format!("vault:purpose/{}", line.purpose), "@type": purpose_term(line.purpose.as_str()),
            "skos:prefLabel": {"@value": parts.description, "@language": "en"}
        },
        "dpv:hasLegalBasis": {"@id": basis_term(&said.jurisdiction, line.separate)},
        "dpv:hasPersonalData": said.categories.iter().map(|c| data_term(*c)).collect::<Vec<_>>(),
        "dpv:hasProcessing": methods.collect::<Vec<_>>(),
        "dpv:hasRecipient": recipients.collect::<Vec<_>>(),
        "dpv:hasStorageCondition": std::iter::once(duration).chain(locations).collect::<Vec<_>>()
    })
}

fn method_term(method: &str) -> String {
    match method {
        "store" => "dpv:Store".to_owned(),
        "use" => "dpv:Use".to_owned(),
        "collect" => "dpv:Collect".to_owned(),
        "share" => "dpv:Share".to_owned(),
        "transmit" => "dpv:Transmit".to_owned(),
        "profile" => "dpv:Profiling".to_owned(),
        other => format!("vault:processing/{other}"),
    }
}

fn purpose_term(purpose: &str) -> &'static str {
    match purpose {
        "marketing_direct" => "dpv:DirectMarketing",
        "event_invitation" => "dpv:Marketing",
        "occasion_greeting" | "profiling_value" => "dpv:Personalisation",
        _ => "dpv:ServiceProvision",
    }
}

fn basis_term(jurisdiction: &str, separate: Option<Separate>) -> &'static str {
    match (jurisdiction, separate) {
        ("CN", None) => "vault:cn-pipl/A13-1-1",
        ("CN", Some(Separate::ThirdParty)) => "vault:cn-pipl/A23",
        ("CN", Some(Separate::Publication)) => "vault:cn-pipl/A25",
        ("CN", Some(Separate::Sensitive)) => "vault:cn-pipl/A29",
        ("CN", Some(Separate::CrossBorder)) => "vault:cn-pipl/A39",
        (place, Some(Separate::Sensitive)) if EEA.contains(&place) => "eu-gdpr:A9-2-a",
        (place, _) if EEA.contains(&place) => "eu-gdpr:A6-1-a",
        _ => "dpv:Consent",
    }
}

fn data_term(category: Category) -> Value {
    let word = serde_json::to_value(category).unwrap_or_default();
    let word = word.as_str().unwrap_or_default();
    let broader = match category {
        Category::Identity | Category::Document => Some("pd:Identifying"),
        Category::Contact => Some("pd:Contact"),
        Category::Demographic => Some("pd:Demographic"),
        Category::Finance => Some("pd:Financial"),
        Category::Family => Some("pd:Family"),
        Category::Preference => Some("pd:Preference"),
        _ => None,
    };
    let kinds: Vec<&str> = std::iter::once("dpv:PersonalData").chain(broader).collect();
    json!({"@id": format!("vault:data/{word}"), "@type": kinds})
}

fn state_terms(state: State) -> Vec<&'static str> {
    match state {
        State::Requested => vec!["dpv:ConsentRequested"],
        State::Given => vec!["dpv:ConsentGiven", "dpv:ExpressedConsent"],
        State::Renewed => vec!["dpv:RenewedConsentGiven", "dpv:ExpressedConsent"],
        State::Refused => vec!["dpv:ConsentRefused"],
        State::Withdrawn => vec!["dpv:ConsentWithdrawn"],
        State::Objected => vec!["dpv:ConsentRefused", "vault:Objection"],
        State::Expired => vec!["dpv:ConsentExpired"],
        State::Invalidated => vec!["dpv:ConsentInvalidated"],
    }
}

/// Every line of the matter, and what time has made of the one the record is about.
fn statuses(parts: &Parts<'_>, subject: &str) -> Vec<Value> {
    let mut all: Vec<Value> = parts
        .history
        .iter()
        .map(|happened| status(happened, subject))
        .collect();
    let line = parts.line;
    let overtaken = match line.spoken().standing(micros(parts.now)) {
        Standing::Invalidated(_) if line.state.is_yes() => Some((State::Invalidated, line.superseded)),
        Standing::Expired(_) if line.state.is_yes() => Some((State::Expired, line.valid_until)),
        _ => None,
    };
    if let Some((state, Some(at))) = overtaken {
        let by = json!({"@id": "vault:controller"});
        all.push(
            json!({"@type": state_terms(state), "dpv:isIndicatedBy": by, "dpv:isIndicatedAtTime": time(at),
                        "vault:line": line.id}),
        );
    }
    all
}

fn status(happened: &Happened<'_>, subject: &str) -> Value {
    let line = happened.line;
    let by_controller = matches!(line.state, State::Requested | State::Expired | State::Invalidated);
    let by = if by_controller {
        "vault:controller"
    } else {
        subject
    };
    let how = if line.indication.is_empty() {
        &line.channel
    } else {
        &line.indication
    };
    let mut status = json!({
        "@type": state_terms(line.state), "dpv:isIndicatedBy": {"@id": by}, "dpv:hasIndicationMethod": how,
        "dpv:isIndicatedAtTime": time(line.at), "vault:line": line.id, "vault:capturedBy": line.captured_by
    });
    let more = [
        (
            "vault:validUntil",
            line.valid_until.map(|until| json!(time(until))),
        ),
        ("vault:auditLeaf", happened.log_index.map(|index| json!(index))),
        ("vault:auditEntry", line.entry.map(|entry| json!(entry))),
    ];
    if let Some(status) = status.as_object_mut() {
        status.extend(
            more.into_iter()
                .filter_map(|(member, value)| Some((member.to_owned(), value?))),
        );
    }
    status
}

/// The same as a Kantara consent receipt 1.1.
#[must_use]
pub fn kantara(parts: &Parts<'_>) -> Value {
    let (line, said) = (parts.line, &parts.notice.said);
    let person = &said.controller;
    let email = if person.contact.contains('@') {
        person.contact.as_str()
    } else {
        ""
    };
    let third = said.recipients.iter().find(|r| r.code == line.recipient);
    let categories: Vec<Value> = said
        .categories
        .iter()
        .filter_map(|c| serde_json::to_value(c).ok())
        .collect();
    let sensitive = said
        .categories
        .iter()
        .any(|c| matches!(c, Category::HealthBelief | Category::Document));
    json!({
        "version": "KI-CR-v1.1.0",
        "jurisdiction": said.jurisdiction,
        "consentTimestamp": line.at.timestamp(),
        "collectionMethod": line.channel,
        "consentReceiptID": line.id,
        "language": said.language,
        "piiPrincipalId": format!("ps_{}", parts.subject),
        "piiControllers": [{
            "piiController": person.name, "contact": person.contact, "email": email, "phone": "",
            "address": {"streetAddress": person.address}
        }],
        "policyUrl": said.withdrawal.clone().unwrap_or_else(|| format!("urn:uuid:{}", parts.notice.notice_id)),
        "services": [{
            "service": "hotel stay",
            "purposes": [{
                "purpose": parts.description, "purposeCategory": [line.purpose], "consentType": "EXPLICIT",
                "piiCategory": categories, "primaryPurpose": false, "termination": said.retention,
                "thirdPartyDisclosure": third.is_some(), "thirdPartyName": third.map_or("", |r| r.name.as_str())
            }]
        }],
        "sensitive": sensitive,
        "spiCat": if sensitive { json!(["health_belief"]) } else { json!([]) }
    })
}

/// Canonical JSON (RFC 8785 for what occurs here: members in the order of their names, no space, integers only).
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, out: &mut String) {
    let separated = |out: &mut String, first: bool| {
        if !first {
            out.push(',');
        }
    };
    match value {
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                separated(out, at == 0);
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            out.push('{');
            for (at, name) in names.into_iter().enumerate() {
                separated(out, at == 0);
                // Writing to a string cannot fail.
                let _ = write!(out, "{}:", Value::String(name.clone()));
                write_canonical(members.get(name).unwrap_or(&Value::Null), out);
            }
            out.push('}');
        }
        plain => {
            let _ = write!(out, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_sorts_its_members_at_every_depth() {
        let value = json!({"b": [1, {"z": null, "a": "é\n"}], "a": true});
        assert_eq!(canonical(&value), r#"{"a":true,"b":[1,{"a":"é\n","z":null}]}"#);
    }
}
