//! The published contract is what the code serves.

use std::{env, fs, path::Path};

use guest_vault::{
    routes,
    web::openapi::{difference, text},
};

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
    assert_eq!(contract["security"][0]["bearer"], serde_json::json!([]));
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
