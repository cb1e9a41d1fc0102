//! What the published contract promises of an answer: every call of the tests is held against it.

use std::sync::OnceLock;

use guest_vault::routes;
use serde_json::{Map, Value};

fn contract() -> &'static Value {
    static CONTRACT: OnceLock<Value> = OnceLock::new();
    CONTRACT.get_or_init(|| serde_json::to_value(routes::contract()).expect("the contract is JSON"))
}

/// Panics when a call of the contract answers what the contract does not tell of.
///
/// What is answered before a call is reached is told of by none: no such method, headers that are too large, the same at
/// another address.
pub(crate) fn hold(method: &str, uri: &str, status: u16, media: &str, body: &Value) {
    let path = uri.split('?').next().unwrap_or_default();
    let Some(call) = called(path).and_then(|item| item.get(method.to_lowercase())) else {
        return;
    };
    if matches!(status, 308 | 405 | 408 | 431) {
        return;
    }
    let Some(told) = call["responses"].get(status.to_string()) else {
        panic!("{method} {path} answers {status}, of which the contract says nothing: {body}");
    };
    let Some(content) = told["content"].as_object() else {
        return;
    };
    let kind = media.split(';').next().unwrap_or_default().trim();
    let Some(content) = content.get(kind) else {
        panic!("{method} {path} answers {status} as {kind:?}, of which the contract says nothing");
    };
    if !kind.contains("json") || kind.contains("ndjson") {
        return;
    }
    if let Err(why) = fits(&content["schema"], body) {
        panic!("{method} {path} answers {status} with what its schema does not allow: {why} in {body}");
    }
}

/// The item of the contract for a path: the one that names most of it.
fn called(path: &str) -> Option<&'static Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let is_it = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        wanted.len() == parts.len()
            && wanted
                .iter()
                .zip(&parts)
                .all(|(w, p)| w.starts_with('{') || w == p)
    };
    let paths = contract()["paths"].as_object()?;
    let found = paths.iter().filter(|(template, _)| is_it(template));
    found
        .min_by_key(|(template, _)| template.matches('{').count())
        .map(|(_, item)| item)
}

/// Whether a value is what a schema allows: the words of JSON Schema that the contract is written with, but for formats.
pub(crate) fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let Some(schema) = schema.as_object() else {
        return Ok(());
    };
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.trim_start_matches("#/components/schemas/");
        let there = &contract()["components"]["schemas"][name];
        assert!(there.is_object(), "no schema {name}");
        fits(there, value).map_err(|why| format!("{name}: {why}"))?;
    }
    if let Some(kinds) = schema.get("type")
        && !list(kinds).iter().any(|kind| is_kind(kind, value))
    {
        return Err(format!("{value} is no {kinds}"));
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        return Err(format!("{value} is none of {words:?}"));
    }
    several(schema, value)?;
    let longest = |word: &str| {
        let told = schema.get(word).and_then(Value::as_u64);
        told.map_or(usize::MAX, |most| usize::try_from(most).unwrap())
    };
    match value {
        Value::Object(members) => object(schema, members),
        Value::Array(items) if items.len() > longest("maxItems") => Err("too many items".to_owned()),
        Value::Array(items) => {
            let of = schema.get("items").unwrap_or(&Value::Null);
            let mut all = items.iter().enumerate();
            all.try_for_each(|(at, item)| fits(of, item).map_err(|why| format!("[{at}]: {why}")))
        }
        Value::String(text) if text.chars().count() > longest("maxLength") => {
            Err(format!("{value} is too long"))
        }
        _ => Ok(()),
    }
}

fn several(schema: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let of = |word: &str| schema.get(word).and_then(Value::as_array).cloned();
    for all in of("allOf").into_iter().flatten() {
        fits(&all, value)?;
    }
    for word in ["oneOf", "anyOf"] {
        let Some(choices) = of(word) else { continue };
        let tried: Vec<_> = choices.iter().map(|choice| fits(choice, value)).collect();
        let fitting = tried.iter().filter(|tried| tried.is_ok()).count();
        if fitting == 0 || (word == "oneOf" && fitting > 1) {
            let why: Vec<String> = tried.into_iter().filter_map(Result::err).collect();
            return Err(format!("{fitting} of {word}: {why:?}"));
        }
    }
    Ok(())
}

fn object(schema: &Map<String, Value>, members: &Map<String, Value>) -> Result<(), String> {
    let none = Map::new();
    let known = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            return Err(format!("{name} is missing"));
        }
    }
    for (name, value) in members {
        match (known.get(name), schema.get("additionalProperties")) {
            (Some(of), _) | (None, Some(of @ Value::Object(_))) => {
                fits(of, value).map_err(|why| format!("{name}: {why}"))?;
            }
            (None, Some(Value::Bool(false))) => return Err(format!("{name} is not told of")),
            _ => {}
        }
    }
    Ok(())
}

fn list(kinds: &Value) -> Vec<&str> {
    match kinds {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    }
}

fn is_kind(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
