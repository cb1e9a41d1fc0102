//! The files of a package: data for machines, pages for people.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::web::escaped;

use super::package::{Everything, SourceRecord};

/// The words of the pages, by language.
struct Words {
    language: &'static str,
    file: &'static str,
    title: &'static str,
    source: &'static str,
    stays: &'static str,
    consents: &'static str,
    retention: &'static str,
    access: &'static str,
    made: &'static str,
}

const LANGUAGES: [Words; 2] = [
    Words {
        language: "en",
        file: "data.en.html",
        title: "Everything we store about you",
        source: "As told by",
        stays: "Your stays",
        consents: "What you agreed to",
        retention: "How long we keep it",
        access: "Who has seen it",
        made: "Made",
    },
    Words {
        language: "zh",
        file: "data.zh.html",
        title: "我们存储的关于您的全部信息",
        source: "来源",
        stays: "您的入住记录",
        consents: "您的同意记录",
        retention: "保存期限",
        access: "访问记录",
        made: "生成时间",
    },
];

/// The files of a package.
pub(super) fn files(all: &Everything) -> Vec<(&'static str, Vec<u8>)> {
    let json = |value: &Value| serde_json::to_vec_pretty(value).unwrap_or_default();
    let mut files = vec![
        (
            "guest.json",
            json(
                &json!({"guest_id": all.guest_id, "made_at": all.made_at, "records": all.records, "stays": all.stays}),
            ),
        ),
        ("jscontact.json", json(&card(all))),
        ("consents.json", json(&json!(all.consents))),
        ("observations.json", json(&json!(all.observations))),
        ("disclosures.json", json(&disclosures(&all.access))),
        ("retention.json", json(&all.retention)),
        ("access.json", json(&all.access)),
    ];
    files.extend(
        LANGUAGES
            .iter()
            .map(|words| (words.file, page(all, words).into_bytes())),
    );
    files
}

/// Of all looks those by which others outside the house received something.
fn disclosures(access: &Value) -> Value {
    let all = access
        .get("accesses")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let outside = |entry: &&Value| {
        let purpose = entry.get("purpose").and_then(Value::as_str);
        purpose.is_some_and(|purpose| purpose.starts_with("third_party"))
    };
    all.filter(outside).cloned().collect()
}

/// The guest as a JSContact card (RFC 9553): what other programs take in.
fn card(all: &Everything) -> Value {
    let records: Vec<&SourceRecord> = all.records.iter().collect();
    let first = |path: &str| {
        records
            .iter()
            .find_map(|record| record.values.get(path))
            .and_then(Value::as_str)
    };
    let mut components = Vec::new();
    for (kind, path) in [
        ("title", "name.prefix"),
        ("given", "name.given"),
        ("given2", "name.middle"),
        ("surname", "name.surname"),
        ("surname2", "name.surname2"),
        ("credential", "name.suffix"),
    ] {
        components.extend(first(path).map(|value| json!({"kind": kind, "value": value})));
    }
    let mut name = json!({"@type": "Name", "components": components});
    if let (Some(full), Some(name)) = (first("name.full"), name.as_object_mut()) {
        name.insert("full".to_owned(), full.into());
    }
    let mut card = json!({
        "@type": "Card", "version": "1.0", "uid": format!("urn:uuid:{}", all.guest_id), "kind": "individual",
        "name": name,
        "emails": listed(&records, "emails", |item| Some(json!({"address": item.get("address")?}))),
        "phones": listed(&records, "phones", |item| Some(json!({"number": item.get("number")?}))),
        "addresses": listed(&records, "postal_addresses", address),
    });
    if let (Some(language), Some(card)) = (first("preferred_language"), card.as_object_mut()) {
        card.insert("language".to_owned(), language.into());
    }
    card
}

fn listed(
    records: &[&SourceRecord],
    path: &str,
    shape: impl Fn(&Value) -> Option<Value>,
) -> Map<String, Value> {
    let items = records
        .iter()
        .filter_map(|record| record.values.get(path)?.as_array())
        .flatten()
        .filter_map(shape);
    items
        .enumerate()
        .map(|(at, item)| (format!("{}", at + 1), item))
        .collect()
}

fn address(item: &Value) -> Option<Value> {
    let part = |kind: &str, key: &str| Some(json!({"kind": kind, "value": item.get(key)?.as_str()?}));
    let lines = item.get("lines").and_then(Value::as_array);
    let mut components: Vec<Value> = lines
        .into_iter()
        .flatten()
        .filter_map(|line| Some(json!({"kind": "name", "value": line.as_str()?})))
        .collect();
    components.extend(part("locality", "city"));
    components.extend(part("region", "region"));
    components.extend(part("postcode", "postal_code"));
    let mut address = json!({"components": components});
    let country = item.get("country").and_then(Value::as_str)?;
    address
        .as_object_mut()?
        .insert("countryCode".to_owned(), country.into());
    Some(address)
}

/// A value as people read it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escaped(text),
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("<li>{}</li>", shown(item)))
                .collect();
            format!("<ul>{}</ul>", items.concat())
        }
        Value::Object(map) => {
            let parts: Vec<String> = map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("<dt>{}</dt><dd>{}</dd>", escaped(key), shown(value)))
                .collect();
            format!("<dl>{}</dl>", parts.concat())
        }
        other => other.to_string(),
    }
}

fn section(out: &mut String, title: &str, body: &str) {
    // Writing to a string cannot fail.
    let _ = write!(out, "<section><h2>{}</h2>{body}</section>", escaped(title));
}

fn page(all: &Everything, words: &Words) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{}</title><style>body{{font:1rem/1.5 sans-serif;max-width:60rem;margin:2rem \
         auto;padding:0 1rem}}dt{{font-weight:600}}dd{{margin:0 0 .3rem 1rem}}</style></head><body><main><h1>{}</h1><p>{} {}</p>",
        words.language,
        escaped(words.title),
        escaped(words.title),
        escaped(words.made),
        all.made_at.to_rfc3339(),
    );
    for record in &all.records {
        let title = format!("{} {} ({})", words.source, record.source_system, record.property);
        let mut body = json!(record.values);
        if let (Some(id), Some(body)) = (&record.source_id, body.as_object_mut()) {
            body.insert(record.source_system.clone(), id.clone().into());
        }
        section(&mut out, &title, &shown(&body));
    }
    section(&mut out, words.stays, &shown(&json!(all.stays)));
    section(&mut out, words.consents, &shown(&json!(all.consents)));
    section(&mut out, words.retention, &shown(&all.retention));
    section(&mut out, words.access, &shown(&all.access));
    out.push_str("</main></body></html>\n");
    out
}
