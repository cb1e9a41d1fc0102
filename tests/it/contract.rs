//! The published contract is what the code serves.

use std::{collections::BTreeMap, env, fs, panic, path::Path};

use guest_vault::{
    routes,
    web::openapi::{difference, text},
};
use serde_json::{Value, json};

use crate::support::promised::{fits, hold};

/// After a change to a call: `UPDATE_CONTRACT=1 cargo test contract` writes the document anew; read the difference
/// before it is committed, since a change to `/v1` breaks whoever relies on it.
#[test]
fn the_published_contract_is_what_the_code_serves() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let code = text(&routes::contract()).unwrap();
    if env::var_os("UPDATE_CONTRACT").is_some() {
        fs::write(&path, &code).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    if let Some(told) = difference(&published, &code) {
        panic!("{told}; see UPDATE_CONTRACT in tests/it/contract.rs");
    }
}

#[test]
fn every_call_of_v1_tells_its_refusals_and_needs_a_credential() {
    let contract = serde_json::to_value(routes::contract()).unwrap();
    assert_eq!(contract["security"][0]["bearer"], json!([]));
    for (path, item) in contract["paths"].as_object().unwrap() {
        if !path.starts_with("/v1/") {
            continue;
        }
        for (method, call) in item.as_object().unwrap() {
            let refused = &call["responses"]["401"]["content"]["application/problem+json"];
            assert!(refused.is_object(), "{method} {path} tells no 401");
            assert!(
                call.get("security").is_none(),
                "{method} {path} weakens the credential"
            );
        }
    }
}

/// Schemas of one name become one in the document, whichever comes last: a call would then promise what another answers.
#[test]
fn no_two_schemas_have_one_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                // What only the tests of a file have is in no document.
                let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                for name in schemas(text) {
                    places.entry(name).or_default().push(path.display().to_string());
                }
            }
        }
    }
    assert!(places.len() > 150, "the search finds {} schemas", places.len());
    let twice: Vec<_> = places.iter().filter(|(_, at)| at.len() > 1).collect();
    assert!(
        twice.is_empty(),
        "give one of each another name, #[schema(as = …)]: {twice:#?}"
    );
}

/// What a generated client would otherwise refuse to send, or to read.
#[test]
fn words_headers_and_refusals_are_those_of_the_call() {
    let contract = serde_json::to_value(routes::contract()).unwrap();
    let words = |schema: &str, member: &str| {
        let one = &contract["components"]["schemas"][schema]["properties"][member];
        let name = one["$ref"]
            .as_str()
            .or(one["oneOf"][0]["$ref"].as_str())
            .or(one["oneOf"][1]["$ref"].as_str())
            .unwrap_or_else(|| panic!("{schema}.{member}: {one}"));
        let name = name.trim_start_matches("#/components/schemas/");
        contract["components"]["schemas"][name]["enum"].clone()
    };
    for (schema, member, word) in [
        ("RequestInput", "type", "portability"),
        ("Case", "type", "portability"),
        ("Case", "state", "received"),
        ("DecisionInput", "ground", "manifestly_unfounded"),
        ("Hold", "ground", "tax_assessment"),
        ("Statement", "state", "withdrawn"),
        ("Field", "kind", "native_name"),
    ] {
        let words = words(schema, member);
        assert!(
            words.as_array().unwrap().contains(&word.into()),
            "{schema}.{member}: {words}"
        );
    }
    let value = &contract["components"]["schemas"]["FieldAnswer"]["properties"]["value"];
    assert!(
        value.is_object() && value.get("type").is_none() && value.get("oneOf").is_none(),
        "{value}"
    );
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, call) in item.as_object().unwrap() {
            let headers = call["parameters"].as_array().into_iter().flatten();
            let headers: Vec<_> = headers.filter_map(|one| one["name"].as_str()).collect();
            let made = method == "post" && call["responses"].get("201").is_some();
            assert_eq!(headers.contains(&"Idempotency-Key"), made, "{method} {path}");
            let changes = matches!(method.as_str(), "put" | "patch");
            assert!(
                !changes || headers.contains(&"If-Match"),
                "{method} {path} tells of no If-Match"
            );
            for (status, answer) in call["responses"].as_object().unwrap() {
                let refused = status.starts_with(['4', '5']);
                assert!(
                    !refused || answer["content"].is_object(),
                    "{method} {path} tells of no problem with {status}"
                );
            }
        }
    }
    for path in [
        "/v1/guests/{id}/merges",
        "/v1/merges/{id}/undo",
        "/v1/reviews/{id}",
        "/v1/constraints",
    ] {
        let refused = &contract["paths"][path]["post"]["responses"]["409"];
        assert!(refused.is_object(), "{path} tells of no 409");
    }
}

/// The judge of every answer of these tests is no pushover.
#[test]
fn an_answer_that_is_not_promised_is_seen() {
    let of = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    assert_eq!(fits(&of("RequestState"), &json!("received")), Ok(()));
    fits(&of("RequestState"), &json!("given")).unwrap_err();
    let field = |value: Value| json!({"view": "plain", "value": value});
    for value in [json!("Lima"), json!(["nuts"]), json!({"number": "1"}), json!(1)] {
        assert_eq!(fits(&of("FieldAnswer"), &field(value)), Ok(()));
    }
    fits(&of("FieldAnswer"), &json!({"value": 1})).unwrap_err();
    let list = json!({"type": "array", "maxItems": 1, "items": {"type": ["string", "null"], "maxLength": 2}});
    for (value, holds) in [
        (json!([null]), true),
        (json!(["ab"]), true),
        (json!(["abc"]), false),
        (json!([1]), false),
        (json!([null, null]), false),
        (json!(null), false),
    ] {
        assert_eq!(fits(&list, &value).is_ok(), holds, "{value}");
    }
    let problem = "application/problem+json";
    let path = "/v1/guests/018f0000-0000-7000-8000-000000000000?fields=name";
    for (status, media) in [
        (418, problem),
        (404, "text/html"),
        (404, problem),
        (200, "application/json"),
    ] {
        let held = panic::catch_unwind(|| hold("GET", path, status, media, &json!({"title": 1})));
        assert!(held.is_err(), "{status} {media}");
    }
    hold("GET", path, 308, "", &Value::Null);
}

/// The names of the schemas that a source text declares.
fn schemas(text: &str) -> Vec<String> {
    let mut found = by_macros(text);
    for (at, _) in text.match_indices("ToSchema") {
        let derive = text[..at]
            .rfind("#[")
            .is_some_and(|from| text[from..].starts_with("#[derive("));
        if !derive {
            continue;
        }
        let after = &text[at..];
        let declared = [" struct ", " enum ", "\nstruct ", "\nenum "]
            .into_iter()
            .filter_map(|word| Some((after.find(word)?, word.len())))
            .min();
        let Some((begins, length)) = declared else {
            continue;
        };
        let named = after[..begins].split("#[schema(as = ").nth(1);
        let name = named.unwrap_or(&after[begins + length..]);
        let end = name
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(name.len());
        // A macro's `$name` has none here.
        found.extend((end > 0).then(|| name[..end].to_owned()));
    }
    found
}

/// The names of the schemas that macros of this text declare: what stands at the left of their items.
fn by_macros(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for declared in text.split("macro_rules! ").skip(1) {
        let name = declared.split_whitespace().next().unwrap();
        let (body, _) = declared.split_once("\n}\n").unwrap();
        if !body.contains("ToSchema") {
            continue;
        }
        let begin = format!("\n{name}! {{\n");
        let calls = text.split(&begin).skip(1);
        let items: Vec<&str> = calls.map(|call| call.split("\n}\n").next().unwrap()).collect();
        assert!(!items.is_empty(), "how is {name}! called?");
        let mut other = None;
        for line in items.iter().flat_map(|items| items.lines()) {
            let line = line.strip_prefix("    ").unwrap_or_default();
            if let Some(named) = line.strip_prefix("#[schema(as = ") {
                other = named.split(')').next();
            } else if line.starts_with(|c: char| c.is_ascii_uppercase()) {
                let end = line.find(|c: char| !c.is_alphanumeric()).unwrap();
                found.push(other.take().unwrap_or(&line[..end]).to_owned());
            }
        }
    }
    found
}
