//! What guests said when asked: yes, no, and no longer.

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{random::Random, stays::shift, telling::set};

/// Where guests are asked, and when.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) channel: &'static str,
    pub(super) day: NaiveDate,
}

/// The answers of a web form: marketing, invitations, profiling, sometimes the spa next door.
pub(super) fn form(random: &mut Random, asked: Asked) -> Vec<Value> {
    let mut said = Vec::new();
    for (purpose, percent) in [
        ("marketing_direct", 80),
        ("event_invitation", 30),
        ("profiling_value", 50),
    ] {
        if random.chance(percent) {
            said.extend(answer(random, purpose, asked));
        }
    }
    if random.chance(30) {
        said.extend(answer(random, "third_party:spa_partner", asked));
    }
    said
}

/// The question at the desk: may we remember your birthday?
pub(super) fn greeting(random: &mut Random, asked: Asked) -> Vec<Value> {
    if random.chance(50) {
        answer(random, "occasion_greeting", asked)
    } else {
        Vec::new()
    }
}

/// Given, refused, or given and withdrawn a day later: the ledger keeps both lines.
fn answer(random: &mut Random, purpose: &str, asked: Asked) -> Vec<Value> {
    match random.below(20) {
        0..11 => vec![said(purpose, "given", asked)],
        11..17 => vec![said(purpose, "refused", asked)],
        _ => withdrawn(purpose, asked),
    }
}

/// Given, and a day later no longer.
pub(super) fn withdrawn(purpose: &str, asked: Asked) -> Vec<Value> {
    let later = Asked {
        channel: "email",
        day: shift(asked.day, 1),
    };
    vec![said(purpose, "given", asked), said(purpose, "withdrawn", later)]
}

/// One line of the ledger.
pub(super) fn said(purpose: &str, state: &str, asked: Asked) -> Value {
    let indication = match asked.channel {
        "email" => "message",
        "front_desk" => "signature",
        _ => "checkbox",
    };
    let mut line = json!({
        "purpose": purpose,
        "state": state,
        "channel": asked.channel,
        "indication": indication,
        "at": format!("{}T07:45:00Z", asked.day),
    });
    if let Some((_, recipient)) = purpose.split_once(':') {
        set(&mut line, "recipient", recipient);
    }
    line
}
