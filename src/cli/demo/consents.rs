//! What guests said when asked: yes, no, and no longer.

use serde_json::{Value, json};

use super::{random::Random, telling::set};

/// The partner of the invented group whose purpose is named after it.
const PARTNERS: [(&str, &str); 2] = [
    ("third_party:spa_partner", "Stillwater Spa"),
    ("third_party:airline_miles", "Aurora Miles"),
];

/// The answers of a web form: marketing, profiling, sometimes a partner.
pub(super) fn draw(random: &mut Random, channel: &str) -> Vec<Value> {
    let mut said = Vec::new();
    if random.chance(80) {
        said.extend(answer(random, "marketing_direct", channel));
    }
    if random.chance(50) {
        said.extend(answer(random, "profiling_value", channel));
    }
    if random.chance(30) {
        let (purpose, recipient) = random.pick(&PARTNERS);
        for mut line in answer(random, purpose, channel) {
            set(&mut line, "recipient", recipient);
            said.push(line);
        }
    }
    said
}

/// The question at the desk: may we remember your birthday?
pub(super) fn greeting(random: &mut Random, channel: &str) -> Vec<Value> {
    if random.chance(50) {
        answer(random, "occasion_greeting", channel)
    } else {
        Vec::new()
    }
}

/// Given, refused, or given and later withdrawn: the ledger keeps both lines.
fn answer(random: &mut Random, purpose: &str, channel: &str) -> Vec<Value> {
    match random.below(20) {
        0..11 => vec![said(purpose, "given", channel)],
        11..17 => vec![said(purpose, "refused", channel)],
        _ => vec![
            said(purpose, "given", channel),
            said(purpose, "withdrawn", "email"),
        ],
    }
}

/// One line of the ledger.
pub(super) fn said(purpose: &str, state: &str, channel: &str) -> Value {
    let indication = match (state, channel) {
        ("withdrawn", _) => "message",
        (_, "front_desk") => "signature",
        _ => "checkbox",
    };
    json!({"purpose": purpose, "state": state, "channel": channel, "indication": indication})
}
