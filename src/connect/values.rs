//! Shapes that many systems share.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Value, json};

use super::payload::Node;

/// A day; days before 1900 stand where a system knows none.
pub(super) fn day(text: &str) -> Option<String> {
    let day = text.get(..10)?;
    let parsed: NaiveDate = day.parse().ok()?;
    (parsed >= NaiveDate::from_ymd_opt(1900, 1, 1)?).then(|| day.to_owned())
}

/// A moment, of UTC when it names no zone; moments before 1990 stand where a system knows none.
pub(super) fn moment(text: &str) -> Option<String> {
    let zoned = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    let naive = || {
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
            .into_iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .map(|at| at.and_utc())
    };
    let at: DateTime<Utc> = zoned.or_else(naive)?;
    let known = at.date_naive() >= NaiveDate::from_ymd_opt(1990, 1, 1)?;
    known.then(|| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// A short code of the vault: small letters, digits, and `_` between.
pub(super) fn code(text: &str) -> Option<String> {
    let mut code = String::new();
    for c in text.trim().chars() {
        if c.is_ascii_alphanumeric() {
            code.push(c.to_ascii_lowercase());
        } else if !code.is_empty() && !code.ends_with('_') {
            code.push('_');
        }
    }
    let code: String = code.trim_end_matches('_').chars().take(40).collect();
    (!code.is_empty()).then_some(code)
}

/// A word of a system without spaces, signs and capitals: systems spell their own words in several ways.
pub(super) fn bare(word: &str) -> String {
    let letters = word.chars().filter(char::is_ascii_alphanumeric);
    letters.collect::<String>().to_ascii_lowercase()
}

/// How a stay stands, in the words of several systems.
pub(super) fn stay_status(word: &str) -> Option<&'static str> {
    Some(match bare(word).as_str() {
        "reserved" | "confirmed" | "duein" | "commit" | "committed" | "modify" | "booked" | "prospect" => {
            "confirmed"
        }
        "inhouse" | "checkedin" | "dueout" | "started" | "walkin" => "checked_in",
        "checkedout" | "processed" | "departed" => "checked_out",
        "cancelled" | "canceled" | "cancel" => "cancelled",
        "noshow" => "no_show",
        "requested" | "waitlist" | "waitlisted" | "optional" | "enquired" | "tentative" => "tentative",
        _ => return None,
    })
}

/// `{lines, city, postal_code, region, country}` of the members of these names.
pub(super) fn address(lines: Vec<String>, node: Node<'_>, names: [&str; 4]) -> Value {
    let [city, postal_code, region, country] = names.map(|name| node.at(name).text());
    let lines = (!lines.is_empty()).then_some(lines);
    json!({"lines": lines, "city": city, "postal_code": postal_code, "region": region, "country": country})
}

/// Whether this is an address that says more than a country.
pub(super) fn is_address(address: &Value) -> bool {
    ["lines", "city", "postal_code", "country"]
        .into_iter()
        .any(|name| address.get(name).is_some_and(|value| !value.is_null()))
}

/// The same stay, with the guest's part in it.
pub(super) fn with_role(stay: &Value, role: &str) -> Value {
    let mut stay = stay.clone();
    if let Some(members) = stay.as_object_mut() {
        members.insert("role".to_owned(), role.into());
    }
    stay
}
