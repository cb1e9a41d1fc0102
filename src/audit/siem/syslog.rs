//! RFC 5424, with everything in structured data.

use std::fmt::Write as _;

use super::{Exported, Gravity};
use crate::base::from_micros;

/// The structured data's name: 32473 is the number that RFC 5612 keeps for documents; a hotel may map it to its own.
const SD_ID: &str = "vault@32473";
/// Facility 13: log audit.
const FACILITY: u8 = 13;

/// Of the header: a part of the printable ASCII that the grammar takes, so that no parser is led astray by a bracket;
/// never empty, at most so long.
fn header(text: &str, longest: usize) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':');
    let safe = |c: char| if plain(c) { c } else { '_' };
    let word: String = text.chars().take(longest).map(safe).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

/// A value of structured data: `"`, `\` and `]` are escaped; what could end the line becomes a space.
fn value(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' | ']' => safe.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

pub(super) fn line(event: &Exported<'_>) -> String {
    let leaf = &event.leaf;
    let severity: u8 = match event.gravity() {
        Gravity::Usual => 6,
        Gravity::Warning => 4,
        Gravity::Alarm => 1,
    };
    let at = from_micros(leaf.at).format("%Y-%m-%dT%H:%M:%S%.6fZ");
    let mut line = format!(
        "<{}>1 {at} {} guest-vault - {} [{SD_ID}",
        FACILITY * 8 + severity,
        header(event.origin, 255),
        header(&leaf.act, 32),
    );
    let fields = event.fields();
    let (index, entry, principal) = (
        event.index.to_string(),
        event.entry.to_string(),
        leaf.principal.to_string(),
    );
    let pairs = [
        ("origin", Some(event.origin)),
        ("index", Some(index.as_str())),
        ("entry", Some(entry.as_str())),
        ("action", Some(leaf.act.as_str())),
        ("decision", Some(leaf.decision.as_str())),
        ("outcome", leaf.outcome.as_deref()),
        ("principal", Some(principal.as_str())),
        ("actor", leaf.actor.as_deref()),
        ("role", Some(leaf.role.as_str())),
        ("property", leaf.property.as_deref()),
        ("purpose", leaf.purpose.as_deref()),
        ("subject", leaf.subject.as_deref()),
        (
            "fields",
            Some(fields.as_str()).filter(|fields| !fields.is_empty()),
        ),
        ("policy", leaf.policy.as_deref()),
        ("request", Some(leaf.request.as_str())),
    ];
    for (name, text) in pairs {
        if let Some(text) = text {
            // Writing to a string cannot fail.
            let _ = write!(line, " {name}=\"{}\"", value(text));
        }
    }
    line.push(']');
    line
}
