//! What a value looks like under a view: the last step of a disclosure, pure.
//!
//! A mask lists what it shows; whatever it does not know becomes `***`. It shows less of short values, so that never
//! more than half of an identifier can be read from it.

use serde_json::{Map, Value, json};

use crate::base::{Field, Kind, View};

const HIDDEN: &str = "***";

/// The value as a view shows it. `null` for [`View::None`], and for [`View::Token`], whose handles are not made from
/// the value here.
#[must_use]
pub fn show(field: &Field, value: Value, view: View) -> Value {
    match view {
        _ if value.is_null() => Value::Null,
        View::None | View::Token => Value::Null,
        View::Plain => value,
        View::Masked | View::Reveal => masked(field, &value),
        View::Flag => flag(field, &value),
    }
}

fn masked(field: &Field, value: &Value) -> Value {
    match value {
        Value::Array(_) if field.kind == Kind::Codes => json!([HIDDEN]),
        Value::Array(items) if field.list => items.iter().map(|item| one(field, item)).collect(),
        _ => one(field, value),
    }
}

fn one(field: &Field, value: &Value) -> Value {
    let shown = match (value, value.as_str()) {
        (_, Some(text)) => word(field, text).into(),
        (Value::Object(members), _) => object(field.kind, members),
        _ => HIDDEN.into(),
    };
    let spoken = matches!(field.path.as_str(), "name.surname" | "name.prefix");
    // A value made of nothing but what its mask shows is no longer masked.
    if shown == *value && !spoken {
        HIDDEN.into()
    } else {
        shown
    }
}

/// Values that are one text.
fn word(field: &Field, text: &str) -> String {
    match (field.path.as_str(), field.kind) {
        // How a guest is addressed by those who know no more: salutation and surname.
        ("name.surname" | "name.prefix", _) => text.to_owned(),
        ("name.alias", _) => HIDDEN.into(),
        (_, Kind::Name) => initials(text),
        (_, Kind::PartialDate) => part_of_date(text),
        (_, Kind::Plate) => tail(text),
        _ => HIDDEN.into(),
    }
}

fn object(kind: Kind, members: &Map<String, Value>) -> Value {
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let mut shown = Map::new();
    for name in safe_members(kind) {
        if let Some(value) = members.get(*name) {
            shown.insert((*name).to_owned(), value.clone());
        }
    }
    let part = match kind {
        Kind::Phone => text("number").map(|t| ("number", phone(t))),
        Kind::Email => text("address").map(|t| ("address", email(t))),
        Kind::Document | Kind::ResidencePermit | Kind::Membership => {
            text("number").map(|t| ("number", tail(t)))
        }
        Kind::TaxInvoice => text("tax_id").map(|t| ("tax_id", tail(t))),
        Kind::ExternalId => text("value").map(|t| ("value", tail(t))),
        Kind::MessagingId => text("id").map(|_| ("id", HIDDEN.to_owned())),
        Kind::NativeName => text("value").map(|t| ("value", first(t))),
        Kind::Occasion => text("date").map(|t| ("date", part_of_date(t))),
        _ => None,
    };
    if let Some((name, masked)) = part {
        shown.insert(name.to_owned(), masked.into());
    }
    if shown.is_empty() {
        HIDDEN.into()
    } else {
        Value::Object(shown)
    }
}

/// Members that tell what an item is, not whose.
const fn safe_members(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Phone | Kind::Email => &["kind", "primary"],
        Kind::Address => &["kind", "primary", "city", "country"],
        Kind::Document => &["type", "issuing_country", "primary"],
        Kind::ResidencePermit => &["kind", "issuing_country"],
        Kind::Verification => &["method", "result"],
        Kind::Membership => &["program", "tier", "state", "primary"],
        Kind::ExternalId => &["system", "type"],
        Kind::MessagingId => &["service"],
        Kind::NativeName => &["script"],
        Kind::TaxInvoice => &["country"],
        Kind::Relationship => &["kind"],
        Kind::Occasion => &["kind", "relation"],
        _ => &[],
    }
}

/// `+86 138****5678`: country code, first and last digits; at least four digits stay hidden.
fn phone(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let code = country_code(&digits);
    let national = digits.get(code..).unwrap_or_default();
    let (head, tail) = match national.len() {
        11.. => (3, 4),
        10 => (2, 4),
        9 => (2, 3),
        7 | 8 => (0, 3),
        5 | 6 => (0, 2),
        _ => (0, 0),
    };
    let text = |chars: Option<&[char]>| chars.unwrap_or_default().iter().collect::<String>();
    let hidden = national.len().saturating_sub(tail);
    format!(
        "+{} {}****{}",
        text(digits.get(..code)),
        text(national.get(..head)),
        text(national.get(hidden..))
    )
}

/// How many digits the country code has (ITU-T E.164 annex): one in zones 1 and 7, two for these, three for the rest.
fn country_code(digits: &[char]) -> usize {
    const TWO: [&str; 45] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48",
        "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81",
        "82", "84", "86", "90", "91", "92", "93", "94", "95", "98", "99",
    ];
    let start: String = digits.iter().take(2).collect();
    let length = match start.as_str() {
        s if s.starts_with(['1', '7']) => 1,
        s if TWO.contains(&s) => 2,
        _ => 3,
    };
    length.min(digits.len())
}

/// `j***@e***.com`: first letters of names longer than two, and the top-level domain.
fn email(address: &str) -> String {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return HIDDEN.into();
    };
    let (name, top) = match domain.rsplit_once('.') {
        Some((name, top)) => (name, format!(".{top}")),
        None => (domain, String::new()),
    };
    let start = |text: &str| {
        text.chars()
            .next()
            .filter(|_| text.chars().count() > 2)
            .map(String::from)
            .unwrap_or_default()
    };
    format!("{}{HIDDEN}@{}{HIDDEN}{top}", start(local), start(name))
}

/// The last two to four characters of an identifier long enough to hide more than it shows.
fn tail(text: &str) -> String {
    let length = text.chars().count();
    let shown = match length {
        12.. => 4,
        9..12 => 3,
        6..9 => 2,
        _ => 0,
    };
    format!("****{}", text.chars().skip(length - shown).collect::<String>())
}

/// `X. W.`; nothing of a name of one letter.
fn initials(name: &str) -> String {
    let words: Vec<String> = name.split_whitespace().map(first).collect();
    words.join(" ")
}

/// The first character, when it is not all there is.
fn first(word: &str) -> String {
    let mut chars = word.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(_)) => format!("{first}*"),
        _ => "*".into(),
    }
}

/// A year of a date, a decade of a year, a month of a day without a year.
fn part_of_date(date: &str) -> String {
    let part = |to: usize| date.get(..to).unwrap_or(HIDDEN).to_owned();
    match date.len() {
        4 if !date.starts_with("--") => format!("{}*", part(3)),
        5.. => part(4),
        _ => HIDDEN.into(),
    }
}

/// A derived word: what somebody needs to know who may not know the value.
fn flag(field: &Field, value: &Value) -> Value {
    if value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty) {
        return Value::Null;
    }
    let present = || Value::from("present");
    let path = field.path.as_str();
    match (path, field.kind) {
        ("birth_date", _) => value.as_str().and_then(decade).map_or_else(present, Value::from),
        ("stay_summary", _) => {
            let returning = value
                .get("stays")
                .and_then(Value::as_u64)
                .is_some_and(|stays| stays > 1);
            if returning { "returning".into() } else { present() }
        }
        ("spend_summary", _) => member(value, "band").unwrap_or_else(present),
        ("value_grade", _) => member(value, "grade").unwrap_or_else(present),
        ("party", _) => {
            let children = value.get("children_bands").is_some();
            if children {
                "with_children".into()
            } else {
                "adults".into()
            }
        }
        ("feedback_items", _) => {
            if open_complaint(value) {
                "open_complaint".into()
            } else {
                present()
            }
        }
        ("diet" | "health.allergies", _) => "see_kitchen_note".into(),
        (_, Kind::Restriction) => "refer_to_manager".into(),
        (_, Kind::Membership) => distinct(value, "tier").unwrap_or_else(present),
        (_, Kind::Relationship) => distinct(value, "kind").unwrap_or_else(present),
        (_, Kind::Occasion) => occasions(value).unwrap_or_else(present),
        _ => present(),
    }
}

fn items(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// The band of ages: decade of birth; of a birthday without a year, only its month.
fn decade(date: &str) -> Option<String> {
    match date.strip_prefix("--") {
        Some(_) => Some(part_of_date(date)),
        None => date.get(..3).map(|decade| format!("{decade}0s")),
    }
}

/// A member that is a short word already.
fn member(value: &Value, name: &str) -> Option<Value> {
    value
        .get(name)
        .filter(|v| v.is_string() || v.is_number())
        .cloned()
}

/// The different words of a member over all items.
fn distinct(value: &Value, name: &str) -> Option<Value> {
    let mut words: Vec<&str> = items(value)
        .iter()
        .filter_map(|item| item.get(name)?.as_str())
        .collect();
    words.sort_unstable();
    words.dedup();
    (!words.is_empty()).then(|| words.into())
}

/// Which occasions fall into which months.
fn occasions(value: &Value) -> Option<Value> {
    let months: Vec<Value> = items(value)
        .iter()
        .filter_map(|item| {
            let date = item.get("date")?.as_str()?;
            let month = if date.starts_with("--") {
                date.get(2..4)
            } else {
                date.get(5..7)
            }?;
            Some(json!({ "kind": member(item, "kind").or_else(|| member(item, "relation")), "month": month }))
        })
        .collect();
    (!months.is_empty()).then_some(Value::Array(months))
}

fn open_complaint(value: &Value) -> bool {
    items(value).iter().any(|item| {
        let is = |name: &str, word: &str| {
            item.get(name)
                .and_then(Value::as_str)
                .is_some_and(|w| w.eq_ignore_ascii_case(word))
        };
        is("type", "complaint") && !is("status", "closed") && !is("status", "resolved")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Catalogue;

    fn shown(path: &str, value: &Value, view: View) -> Value {
        let catalogue = Catalogue::shipped().unwrap();
        show(catalogue.find(path).unwrap().1, value.clone(), view)
    }

    #[test]
    fn each_kind_has_its_mask() {
        for (path, value, masked) in [
            (
                "phones",
                json!([{"number": "+8613812345678", "raw": "138 1234 5678", "ext": "12", "kind": "mobile"}]),
                json!([{"number": "+86 138****5678", "kind": "mobile"}]),
            ),
            (
                "phones",
                json!([{"number": "+351912345678", "primary": true}]),
                json!([{"number": "+351 91****678", "primary": true}]),
            ),
            (
                "phones",
                json!([{"number": "+12025550123"}]),
                json!([{"number": "+1 20****0123"}]),
            ),
            (
                "phones",
                json!([{"number": "+3901234"}]),
                json!([{"number": "+39 ****34"}]),
            ),
            (
                "emails",
                json!([{"address": "jane@example.com", "raw": "Jane@example.com"}]),
                json!([{"address": "j***@e***.com"}]),
            ),
            (
                "emails",
                json!([{"address": "li@qq.com"}]),
                json!([{"address": "***@***.com"}]),
            ),
            (
                "id_documents",
                json!([{"type": "passport", "number": "E12345678", "issuing_country": "CN", "expires_on": "2030-01-02"}]),
                json!([{"type": "passport", "issuing_country": "CN", "number": "****678"}]),
            ),
            (
                "id_documents",
                json!([{"type": "other", "number": "A1234"}]),
                json!([{"type": "other", "number": "****"}]),
            ),
            (
                "memberships",
                json!([{"program": "CLUB", "number": "88001", "tier": "gold"}]),
                json!([{"program": "CLUB", "tier": "gold", "number": "****"}]),
            ),
            (
                "postal_addresses",
                json!([{"lines": ["Rua 1"], "city": "Lisboa", "country": "PT", "postal_code": "1000-001"}]),
                json!([{"city": "Lisboa", "country": "PT"}]),
            ),
            ("postal_addresses", json!([{"city": "Lisboa"}]), json!(["***"])),
            ("name.surname", json!("Wang"), json!("Wang")),
            ("name.prefix", json!("Mr"), json!("Mr")),
            ("name.given", json!("Xiaoming"), json!("X*")),
            ("name.given", json!("X"), json!("*")),
            ("name.full", json!("Xiaoming Wang"), json!("X* W*")),
            ("name.alias", json!("Mr Smith"), json!("***")),
            (
                "name.native",
                json!({"script": "Hani", "value": "王小明", "phonetic": "wang"}),
                json!({"script": "Hani", "value": "王*"}),
            ),
            ("birth_date", json!("1987-05-17"), json!("1987")),
            ("birth_date", json!("1987"), json!("198*")),
            ("birth_date", json!("--05-17"), json!("--05")),
            ("gender", json!(2), json!("***")),
            ("notes", json!(["likes tea"]), json!(["***"])),
            ("diet", json!(["halal", "no_pork"]), json!(["***"])),
            ("vehicle_plates", json!(["AB1234"]), json!(["****34"])),
            (
                "relationships",
                json!([{"kind": "child", "name": "Ana"}]),
                json!([{"kind": "child"}]),
            ),
            (
                "restriction",
                json!({"kind": "watch", "until": "2027-01-01", "approver": "m1"}),
                json!("***"),
            ),
            ("preferences.room", json!({"floor": "high"}), json!("***")),
            ("preferences.smoking", json!(true), json!("***")),
        ] {
            assert_eq!(shown(path, &value, View::Masked), masked, "{path}");
            assert_eq!(shown(path, &value, View::Reveal), masked, "{path}");
            assert_eq!(shown(path, &value, View::Plain), value, "{path}");
            assert_eq!(shown(path, &value, View::None), Value::Null, "{path}");
            assert_eq!(shown(path, &value, View::Token), Value::Null, "{path}");
        }
    }

    #[test]
    fn flags_are_words() {
        for (path, value, word) in [
            ("birth_date", json!("1987-05-17"), json!("1980s")),
            (
                "memberships",
                json!([{"program": "C", "number": "1", "tier": "gold"}]),
                json!(["gold"]),
            ),
            (
                "memberships",
                json!([{"program": "C", "number": "1"}]),
                json!("present"),
            ),
            ("stay_summary", json!({"stays": 4}), json!("returning")),
            (
                "spend_summary",
                json!({"band": "high", "currency": "EUR"}),
                json!("high"),
            ),
            ("value_grade", json!({"grade": "A", "inputs": ["x"]}), json!("A")),
            (
                "restriction",
                json!({"kind": "blacklist"}),
                json!("refer_to_manager"),
            ),
            ("health.allergies", json!(["nuts"]), json!("see_kitchen_note")),
            ("health.accessibility", json!(["wheelchair"]), json!("present")),
            ("health.accessibility", json!([]), Value::Null),
            (
                "feedback_items",
                json!([{"type": "complaint", "status": "open"}]),
                json!("open_complaint"),
            ),
            (
                "feedback_items",
                json!([{"type": "complaint", "status": "closed"}]),
                json!("present"),
            ),
            (
                "anniversaries",
                json!([{"kind": "wedding", "date": "--06-21"}]),
                json!([{"kind": "wedding", "month": "06"}]),
            ),
            (
                "party",
                json!({"adults": 2, "children_bands": ["0-5"]}),
                json!("with_children"),
            ),
            ("phones", json!([{"number": "+8613812345678"}]), json!("present")),
            ("nationality", json!("CN"), json!("present")),
        ] {
            assert_eq!(shown(path, &value, View::Flag), word, "{path}");
        }
    }

    /// Every text that lies in a value.
    fn texts(value: &Value) -> Vec<String> {
        match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(items) => items.iter().flat_map(texts).collect(),
            Value::Object(members) => members.values().flat_map(texts).collect(),
            _ => Vec::new(),
        }
    }

    /// Whatever is stored under the members that identify somebody, it is not in the answer.
    fn identifying(text: &str) -> Value {
        let members = [
            "number",
            "address",
            "value",
            "id",
            "raw",
            "tax_id",
            "lines",
            "postal_code",
            "name",
            "guest_id",
            "ext",
            "title",
            "bank",
            "text",
            "phonetic",
            "support_number",
            "approver",
            "date",
        ];
        members
            .into_iter()
            .map(|name| (name.to_owned(), Value::from(text)))
            .collect::<Map<_, _>>()
            .into()
    }

    proptest! {
        #[test]
        fn no_mask_shows_an_identifier_whole(text in "[a-zA-Z0-9@.+ 王é-]{5,40}") {
            for (_, field) in Catalogue::shipped().unwrap().iter() {
                if matches!(field.path.as_str(), "name.surname" | "name.prefix") {
                    continue;
                }
                for value in [Value::from(text.as_str()), json!([text.as_str()]), identifying(&text), json!([identifying(&text)])] {
                    for view in [View::Masked, View::Reveal, View::Flag] {
                        let seen = show(field, value.clone(), view);
                        prop_assert!(texts(&seen).iter().all(|t| !t.contains(&text)), "{} {view:?}", field.path);
                        prop_assert_ne!(&seen, &value);
                    }
                }
            }
        }

        #[test]
        fn half_of_a_phone_stays_hidden(number in "\\+[1-9][0-9]{4,14}") {
            let seen = phone(&number);
            let shown = seen.chars().filter(char::is_ascii_digit).count();
            prop_assert!(shown + 3 <= number.len() - 1 + country_code(&number.chars().skip(1).collect::<Vec<_>>()));
            prop_assert!(seen.contains("****"));
            let back = seen.replace([' ', '*'], "");
            prop_assert!(back.len() < number.len());
        }
    }
}
