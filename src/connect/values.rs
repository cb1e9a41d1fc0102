//! Shapes that many systems share.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::payload::Node;

/// The day of a moment; any other text as it is, for the vault to read or to refuse by name.
pub(super) fn day(text: &str) -> Option<String> {
    let (day, rest) = text.split_at_checked(10).unwrap_or((text, ""));
    let is_day = day.parse::<NaiveDate>().is_ok() && is_time(rest);
    Some(if is_day { day } else { text }.to_owned()).filter(|text| !text.is_empty())
}

/// Whether what stands behind a day is nothing, or a time with or without its zone.
pub(super) fn is_time(rest: &str) -> bool {
    let rest = rest.trim_end();
    let words = ["AM", "PM", "am", "pm", "UTC", "GMT"];
    let bare = words.into_iter().find_map(|word| rest.strip_suffix(word));
    let time = bare.unwrap_or(rest).trim_end();
    let hour = time.trim_start_matches(['T', ' ']);
    let has_clock = hour.len() < time.len()
        && hour.starts_with(|c: char| c.is_ascii_digit())
        && hour.find(':').is_some_and(|at| at <= 2);
    let has_zone = time == "Z" || (time.starts_with(['+', '-']) && time.contains(':'));
    let fits = |c: char| c.is_ascii_digit() || matches!(c, 'T' | 'Z' | ':' | '.' | ',' | '+' | '-' | ' ');
    time.is_empty() || ((has_clock || has_zone) && time.chars().all(fits))
}

/// A moment, of UTC when it names no zone; moments before 1990 stand where a system knows none.
pub(super) fn moment(text: &str) -> Option<String> {
    local_moment(text, Tz::UTC)
}

/// A moment, by this clock when it names no zone.
pub(super) fn local_moment(text: &str, clock: Tz) -> Option<String> {
    let zoned = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
    let naive = || {
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
            .into_iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    };
    told(zoned.or_else(|| naive().map(|at| by_clock(at, clock)))?)
}

/// What a clock shows at a moment, as that moment.
pub(super) fn by_clock(shown: NaiveDateTime, clock: Tz) -> DateTime<Utc> {
    // An hour that the clock jumps over is as it was read.
    let at = clock.from_local_datetime(&shown).earliest();
    at.map_or_else(|| shown.and_utc(), |at| at.to_utc())
}

/// A moment as text, where it is one: programs write older ones where they know none.
pub(super) fn told(at: DateTime<Utc>) -> Option<String> {
    (at.year() >= FIRST_YEAR).then(|| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// Nothing that a system noted happened before.
const FIRST_YEAR: i32 = 1990;

/// The moment at a place; what is none stays there, to be reported.
pub(super) fn moment_at(node: Node<'_>) -> Option<String> {
    let at = moment(node.peek()?)?;
    node.take();
    Some(at)
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
        "reserved" | "confirmed" | "duein" | "commit" | "committed" | "modify" | "booked" | "changed"
        | "preregistered" | "precheckedin" | "advancecheckedin" => "confirmed",
        "inhouse" | "checkedin" | "dueout" | "started" | "walkin" | "arrived" | "stayover"
        | "pendingcheckout" => "checked_in",
        "checkedout" | "processed" | "departed" => "checked_out",
        "cancelled" | "canceled" | "cancel" => "cancelled",
        "noshow" => "no_show",
        "requested" | "waitlist" | "waitlisted" | "optional" | "enquired" | "tentative" | "prospect" => {
            "tentative"
        }
        _ => return None,
    })
}

/// How a stay stands, by the word at a place; a word that nobody knows stays there, to be reported.
pub(super) fn status(node: Node<'_>) -> Option<&'static str> {
    let status = stay_status(node.peek()?)?;
    node.take();
    Some(status)
}

/// The kind of an identity document, by the word at a place; a word that nobody knows stays there, to be reported.
pub(super) fn document_kind(node: Node<'_>) -> &'static str {
    let word = node.peek().map(bare).unwrap_or_default();
    let kind = match word.as_str() {
        "passport" | "passportnumber" | "pass" => "passport",
        "driverlicense" | "driverslicense" | "driverlicence" | "driverslicence" | "drivinglicense"
        | "drivinglicence" | "driver" | "dl" => "driver_licence",
        "nationalid"
        | "nationalidcard"
        | "nationalidentity"
        | "nationalidentitycard"
        | "identitycard"
        | "identity"
        | "idcard"
        | "id"
        | "dni"
        | "nie" => "national_id",
        "residencepermit" | "residencecard" | "residentpermit" => "residence_permit",
        "visa" => "visa",
        "social" | "socialsecurity" | "socialsecuritycard" | "socialsecuritynumber" | "ssn" => "social",
        "other" => "other",
        _ => return "other",
    };
    node.take();
    kind
}

/// Whether a word for a kind of room says that the guest smokes; `None` when it says neither.
pub(super) fn smokes(word: &str) -> Option<bool> {
    match bare(word).as_str() {
        "s" | "y" | "yes" | "sm" | "smoke" | "smoker" | "smoking" | "smokingroom" | "true" | "raucher"
        | "fumador" | "fumadora" | "fumeur" | "fumatore" => Some(true),
        "ns" | "nr" | "n" | "no" | "nsm" | "nonsmoke" | "nonsmoker" | "nonsmoking" | "nonsmokingroom"
        | "nosmoking" | "false" | "nichtraucher" | "nofumador" | "nofumadora" | "naofumador"
        | "naofumadora" | "nonfumeur" | "nonfumatore" => Some(false),
        _ => None,
    }
}

/// Whether a text begins with a day that something can have happened on: programs write older ones where they know none.
pub(super) fn is_known_day(text: &str) -> bool {
    let day = text.get(..10).and_then(|day| day.parse::<NaiveDate>().ok());
    day.is_some_and(|day| day.year() >= FIRST_YEAR)
}

/// `{lines, city, postal_code, region, country}` of the members of these names.
pub(super) fn address(lines: Vec<String>, node: Node<'_>, names: [&str; 4]) -> Value {
    let [city, postal_code, region, country] = names.map(|name| node.at(name).text());
    let lines = (!lines.is_empty()).then_some(lines);
    json!({"lines": lines, "city": city, "postal_code": postal_code, "region": region, "country": country})
}

/// Whether this is an address that says more than a country.
pub(super) fn is_address(address: &Value) -> bool {
    ["lines", "city", "postal_code", "region", "country"]
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

/// The day at a place, or any other text there for the vault to refuse. A time of day has no field: with one, the place
/// stays to be reported; midnight is how programs write a day alone.
pub(super) fn day_at(node: Node<'_>) -> Option<String> {
    let text = node.peek()?;
    let day = day(text)?;
    let time = text.get(day.len()..).unwrap_or_default();
    let time = time.trim_start_matches(['T', ' ']);
    if time.is_empty() || time.starts_with("00:00") {
        node.take();
    }
    Some(day)
}

/// The moment at a place, by this clock when it names no zone; what is none stays there, to be reported.
pub(super) fn local_moment_at(node: Node<'_>, clock: Tz) -> Option<String> {
    node.read(|text| local_moment(text, clock))
}
