//! Payment cards in what an import writes down: the vault refuses them, and a file of refused records must not keep them.

use serde_json::{Map, Value};

use crate::guest::kinds::holds_card_number;

/// Members whose every digit is a card's or of its use.
const CARDS: [&str; 4] = ["paymentcard", "creditcard", "registeredcard", "paymentaccount"];

/// Puts asterisks for the digits of cards in an element or a record that was refused.
pub fn hide(members: &mut Map<String, Value>) {
    for (name, member) in members {
        // Ids tell which record it was; one may look like a card's number.
        if !matches!(name.as_str(), "source_system" | "source_id" | "rejected") {
            hide_in(member, is_card(name));
        }
    }
}

fn is_card(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CARDS.iter().any(|card| name.starts_with(card))
}

fn hide_in(value: &mut Value, below: bool) {
    match value {
        Value::String(text) => {
            // Most texts have too few digits to be looked at.
            let digits = text.chars().filter(|c| c.is_numeric()).count();
            if digits > 0 && (below || (digits >= 3 && holds_card_number(text))) {
                let hidden = text.chars().map(|c| if c.is_numeric() { '*' } else { c });
                *text = hidden.collect();
            }
        }
        Value::Number(number) => {
            let plain = number.to_string();
            let mut text = Value::String(plain.clone());
            hide_in(&mut text, below);
            if text.as_str() != Some(&plain) {
                *value = text;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(item, below)),
        Value::Object(members) => {
            for (name, member) in members {
                hide_in(member, below || is_card(name));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}
