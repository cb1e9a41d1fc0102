//! Common Event Format 0.

use super::{Exported, Gravity};

/// Of the header: `\` and `|` are escaped, line ends become spaces.
fn header(text: &str) -> String {
    escaped(text, '|', " ")
}

/// Of the extension: `\` and `=` are escaped, line ends are written as `\n`.
fn value(text: &str) -> String {
    escaped(text, '=', "\\n")
}

fn escaped(text: &str, ends: char, newline: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => safe.push_str("\\\\"),
            c if c == ends => safe.extend(['\\', c]),
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => safe.push_str(newline),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

pub(super) fn line(event: &Exported<'_>) -> String {
    let leaf = &event.leaf;
    let severity = match event.gravity() {
        Gravity::Usual => 2,
        Gravity::Warning => 5,
        Gravity::Alarm => 10,
    };
    let fields = event.fields();
    let (at, index) = ((leaf.at / 1000).to_string(), event.index.to_string());
    let (entry, principal) = (event.entry.to_string(), leaf.principal.to_string());
    let pairs = [
        ("rt", Some(at.as_str())),
        ("externalId", Some(entry.as_str())),
        ("cn1Label", Some("logIndex")),
        ("cn1", Some(index.as_str())),
        ("cs1Label", Some("logOrigin")),
        ("cs1", Some(event.origin)),
        ("act", Some(leaf.act.as_str())),
        ("outcome", Some(leaf.decision.as_str())),
        ("reason", leaf.outcome.as_deref()),
        ("suid", Some(principal.as_str())),
        ("suser", leaf.actor.as_deref()),
        ("spriv", Some(leaf.role.as_str())),
        ("cs2Label", leaf.purpose.as_ref().map(|_| "purpose")),
        ("cs2", leaf.purpose.as_deref()),
        ("cs3Label", leaf.property.as_ref().map(|_| "property")),
        ("cs3", leaf.property.as_deref()),
        ("cs4Label", leaf.subject.as_ref().map(|_| "subject")),
        ("cs4", leaf.subject.as_deref()),
        ("cs5Label", Some("fields").filter(|_| !fields.is_empty())),
        ("cs5", Some(fields.as_str()).filter(|fields| !fields.is_empty())),
        ("cs6Label", leaf.policy.as_ref().map(|_| "policy")),
        ("cs6", leaf.policy.as_deref()),
    ];
    let extension: Vec<String> = pairs
        .iter()
        .filter_map(|(name, text)| text.map(|text| format!("{name}={}", value(text))))
        .collect();
    format!(
        "CEF:0|guest-vault|guest-vault|{}|{}|{}|{severity}|{}",
        env!("CARGO_PKG_VERSION"),
        header(&leaf.act),
        header(&leaf.act.replace('_', " ")),
        extension.join(" "),
    )
}
