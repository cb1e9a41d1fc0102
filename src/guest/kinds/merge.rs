//! Lists of several sources become one.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::text;
use crate::base::Kind;

/// The items of the lists, best source first: the same phone, address or document once. What the better source leaves
/// out of an item is taken from the next; only the first primary item stays primary.
#[must_use]
pub fn merge_lists(kind: Kind, lists: Vec<Value>) -> Value {
    let mut merged: Vec<Value> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut primary = false;
    for item in lists.into_iter().flat_map(items) {
        let key = key(kind, &item);
        if let Some(known) = places.get(&key).and_then(|at| merged.get_mut(*at)) {
            complete(known, item);
        } else {
            places.insert(key, merged.len());
            merged.push(item);
        }
    }
    for item in merged.iter_mut().filter_map(Value::as_object_mut) {
        if item.get("primary") == Some(&Value::Bool(true)) {
            if primary {
                item.insert("primary".into(), false.into());
            }
            primary = true;
        }
    }
    Value::Array(merged)
}

fn items(list: Value) -> Vec<Value> {
    match list {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        other => vec![other],
    }
}

fn complete(known: &mut Value, other: Value) {
    let (Some(known), Value::Object(other)) = (known.as_object_mut(), other) else {
        return;
    };
    // Told primary or verified of the other source's item, it is not told of this one.
    for (key, value) in other
        .into_iter()
        .filter(|(key, _)| !matches!(key.as_str(), "primary" | "raw"))
    {
        known.entry(key).or_insert(value);
    }
}

/// What makes two items the same.
fn key(kind: Kind, item: &Value) -> String {
    let Some(members) = item.as_object() else {
        return text::compact(item.as_str().unwrap_or_default());
    };
    match kind {
        Kind::Phone => joined(members, &["number", "ext"]),
        Kind::Email => joined(members, &["address"]),
        Kind::MessagingId => joined(members, &["service", "id"]),
        Kind::ExternalId => joined(members, &["system", "type", "value"]),
        Kind::Document => joined(members, &["issuing_country", "number"]),
        Kind::Membership => joined(members, &["program", "number"]),
        Kind::Address => joined(members, &["lines", "city", "postal_code", "region", "country"]),
        Kind::Relationship => joined(members, &["kind", "guest_id", "name"]),
        Kind::Occasion => joined(members, &["kind", "relation", "date"]),
        Kind::Verification => joined(members, &["method", "verifier", "at"]),
        Kind::TaxInvoice => joined(members, &["title", "tax_id"]),
        Kind::Note => joined(members, &["text"]),
        _ => item.to_string(),
    }
}

fn joined(members: &Map<String, Value>, names: &[&str]) -> String {
    let parts: Vec<String> = names
        .iter()
        .map(|name| match members.get(*name) {
            Some(Value::String(text)) => text.to_lowercase(),
            Some(other) => other.to_string().to_lowercase(),
            None => String::new(),
        })
        .collect();
    parts.join("\u{1f}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_better_source_comes_first_and_the_next_completes_it() {
        let merged = merge_lists(
            Kind::Phone,
            vec![
                json!([{"number": "+351912345678", "primary": true}]),
                json!([{"number": "+351912345678", "kind": "mobile", "primary": true}, {"number": "+351213456789", "primary": true}]),
            ],
        );
        assert_eq!(
            merged,
            json!([
                {"number": "+351912345678", "kind": "mobile", "primary": true},
                {"number": "+351213456789", "primary": false},
            ])
        );
    }

    #[test]
    fn the_same_address_in_other_letters_is_one() {
        let merged = merge_lists(
            Kind::Email,
            vec![
                json!([{"address": "Ana@example.pt"}]),
                json!([{"address": "ana@example.pt"}]),
            ],
        );
        assert_eq!(merged, json!([{"address": "Ana@example.pt"}]));
    }

    #[test]
    fn codes_and_nothing_merge_too() {
        assert_eq!(
            merge_lists(Kind::Codes, vec![json!(["nuts"]), json!(["Nuts", "milk"])]),
            json!(["nuts", "milk"])
        );
        assert_eq!(merge_lists(Kind::Codes, vec![Value::Null]), json!([]));
    }
}
