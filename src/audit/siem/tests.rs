//! Each line is read back by a small parser written from the format's own text, whatever the names hold.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;

fn leaf(words: &[String; 4]) -> Leaf {
    let [act, actor, property, purpose] = words;
    let leaf = json!({
        "act": act, "actor": actor, "at": 1_772_704_800_123_456_i64, "credential": "api_key",
        "decision": "permitted", "fields": {"name.surname": "plain", "phones": "masked"}, "policy": "0123456789abcdef",
        "principal": Uuid::from_u128(5), "property": property, "purpose": purpose, "request": Uuid::from_u128(6),
        "role": "front_desk", "seq": 1, "subject": "0a".repeat(16), "v": 1, "writer": Uuid::from_u128(7)
    });
    Leaf::read(leaf.to_string().as_bytes()).unwrap()
}

fn exported<'e>(words: &[String; 4], origin: &'e str) -> Exported<'e> {
    Exported {
        origin,
        index: 77,
        entry: EntryId(Uuid::from_u128(8)),
        leaf: leaf(words),
    }
}

/// RFC 5424 §6: header, one element of structured data, its values unescaped.
fn parse_syslog(line: &str) -> Option<(Vec<&str>, BTreeMap<String, String>)> {
    let (head, data) = line.split_once(" [")?;
    let header: Vec<&str> = head.split(' ').collect();
    let mut rest = data.strip_prefix("vault@32473")?;
    let mut values = BTreeMap::new();
    while let Some(pair) = rest.strip_prefix(' ') {
        let (name, text) = pair.split_once("=\"")?;
        let (mut value, mut chars) = (String::new(), text.char_indices());
        let end = loop {
            match chars.next()? {
                (_, '\\') => value.push(chars.next()?.1),
                (at, '"') => break at,
                (_, ']') => return None,
                (_, c) => value.push(c),
            }
        };
        values.insert(name.to_owned(), value);
        rest = text.get(end + 1..)?;
    }
    (rest == "]" && header.len() == 6).then_some((header, values))
}

/// CEF 0: seven fields of header by unescaped `|`, then `key=value` with escaped `=`.
fn parse_cef(line: &str) -> Option<(Vec<String>, BTreeMap<String, String>)> {
    let (mut header, mut field, mut chars) = (Vec::new(), String::new(), line.chars());
    while header.len() < 7 {
        match chars.next()? {
            '\\' => field.push(chars.next()?),
            '|' => header.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    let (mut pairs, mut key, mut value) = (BTreeMap::new(), None::<String>, String::new());
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                'n' => value.push('\n'),
                c => value.push(c),
            },
            '=' => {
                // The key is the last word before it.
                let (before, name) = value.rsplit_once(' ').unwrap_or(("", &value));
                let (before, name) = (before.to_owned(), name.to_owned());
                if let Some(last) = key.replace(name) {
                    pairs.insert(last, before);
                }
                value.clear();
            }
            c => value.push(c),
        }
    }
    pairs.insert(key?, value);
    Some((header, pairs))
}

fn ends_no_line(line: &str) {
    assert!(
        !line.contains(['\n', '\r', '\0', '\u{85}', '\u{2028}', '\u{2029}']),
        "{line:?}"
    );
}

proptest! {
    #[test]
    fn hostile_names_stay_in_their_field(
        words in proptest::array::uniform4(".{0,40}|[|=\\]\\[\"\\\\\n\r\t 🏨]{0,30}"),
        long in 0_usize..3,
    ) {
        let mut words: [String; 4] = words;
        if long == 0 {
            words[1] = "長".repeat(10_000);
        }
        let event = exported(&words, "vault.example/log");
        let line = event.line(Format::Syslog);
        ends_no_line(&line);
        let (header, values) = parse_syslog(&line).expect("RFC 5424");
        prop_assert_eq!(header[0], "<110>1");
        prop_assert_eq!((&*values["index"], &*values["origin"], &*values["decision"]), ("77", "vault.example/log", "permitted"));
        let plain = |text: &str| text.replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " ");
        prop_assert_eq!(&values["actor"], &plain(&words[1]));
        prop_assert_eq!(&values["purpose"], &plain(&words[3]));
        prop_assert_eq!(values.len(), 14, "no pair was injected");

        let line = event.line(Format::Cef);
        ends_no_line(&line);
        let (header, pairs) = parse_cef(&line).expect("CEF");
        prop_assert_eq!((&*header[0], &*header[6]), ("CEF:0", "2"));
        prop_assert_eq!((&*pairs["cn1"], &*pairs["cs1"], &*pairs["outcome"]), ("77", "vault.example/log", "permitted"));
        prop_assert_eq!(pairs.len(), 21, "no pair was injected: {:?}", pairs);

        let line = event.line(Format::Ocsf);
        ends_no_line(&line.replace(['\u{85}', '\u{2028}', '\u{2029}'], ""));
        let parsed: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&parsed["actor"]["user"]["uid"], &json!(words[1]));
        prop_assert_eq!(&parsed["unmapped"]["purpose"], &json!(words[3]));
    }
}

/// The attributes that OCSF 1.3.0 requires of each class, and the constraints on the objects used.
fn required(class: u64) -> &'static [&'static str] {
    match class {
        6005 => &["actor", "src_endpoint"],
        3004 => &["entity"],
        _ => &["no such class"],
    }
}

#[test]
fn every_event_has_what_its_class_requires() {
    const BASE: [&str; 7] = [
        "activity_id",
        "category_uid",
        "class_uid",
        "metadata",
        "severity_id",
        "time",
        "type_uid",
    ];
    for act in [
        "read",
        "reveal",
        "search",
        "put_record",
        "correct",
        "put_consent",
        "read_audit",
        "export_audit",
        "call",
        "create_principal",
        "revoke_principal",
        "damage_found",
        "something_new",
    ] {
        let words = [act, "u17", "LIS01", "check_in"].map(str::to_owned);
        let line: Value = serde_json::from_str(&exported(&words, "o").line(Format::Ocsf)).unwrap();
        let class = line["class_uid"].as_u64().unwrap();
        for name in BASE.iter().chain(required(class)) {
            assert!(!line[*name].is_null(), "{act}: {name}");
        }
        assert_eq!(
            line["type_uid"],
            class * 100 + line["activity_id"].as_u64().unwrap()
        );
        assert_eq!(line["category_uid"], class / 1000);
        let product = &line["metadata"]["product"];
        assert!(product["vendor_name"].is_string() && line["metadata"]["version"] == "1.3.0");
        assert!(line["actor"]["user"]["uid"].is_string());
        if class == 6005 {
            // At least one of database, databucket and table.
            assert!(line["table"]["name"].is_string(), "{act}");
        }
        if line["activity_id"] == 99 {
            assert!(line["activity_name"].is_string());
        }
        assert_eq!(
            (&line["metadata"]["sequence"], &line["unmapped"]["origin"]),
            (&json!(77), &json!("o"))
        );
    }
}
