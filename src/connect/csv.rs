//! Tables with a mapping file: which column says which field. A guess of the mapping can be made from the header.

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
};

use chrono::NaiveDate;
use csv::{ByteRecord, Reader, ReaderBuilder};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    json::Broken,
    metered::Metered,
    payload::{Node, Payload},
    told::{Connector, Outcome, Told},
    values,
    whole_name::{self, Order},
};

/// The largest row, in bytes.
const MAX_ROW: usize = 1024 * 1024;

/// A mapping file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The code of the system whose words these are.
    pub source_system: String,
    /// The column with the system's own id of the person.
    pub id: String,
    /// The column that says when a row was changed last.
    #[serde(default)]
    pub observed_at: Option<String>,
    /// What stands between columns.
    #[serde(default = "comma")]
    pub delimiter: char,
    /// How days are written, as `%d.%m.%Y`; `2026-03-04` is always understood.
    #[serde(default)]
    pub date_format: Option<String>,
    /// Which column says what: `name.surname`, `phones`, `phones[mobile]`, `postal_addresses.city`,
    /// `memberships[CLUB]`, `id_documents[passport]`, `stays.arrival`, `consents.marketing_direct`, `name` for a whole
    /// name, `names` for all guests of a booking in one cell, `-` for nothing.
    pub columns: BTreeMap<String, String>,
    /// In which order a name in one column stands where neither a slash nor a comma tells.
    #[serde(default)]
    pub name_order: Option<Order>,
    /// What codes of a column mean: `[values."Sex"]`, `"1" = "male"`.
    #[serde(default)]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
}

const fn comma() -> char {
    ','
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// With what is wrong in it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mapping: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if !mapping.delimiter.is_ascii() {
            return Err("delimiter: must be one of the ASCII characters".to_owned());
        }
        if let Some((column, target)) = mapping
            .columns
            .iter()
            .find(|(_, target)| Target::of(target).is_none())
        {
            return Err(format!(
                "columns: {column}: {target} is no place that a column can go to"
            ));
        }
        Ok(mapping)
    }

    fn delimiter_byte(&self) -> u8 {
        u8::try_from(self.delimiter).unwrap_or(b',')
    }
}

/// The rows of a table, each as an object by the names of the header.
pub struct Rows<R> {
    reader: Reader<Metered<R>>,
    header: Vec<String>,
    record: ByteRecord,
}

impl<R: BufRead> Rows<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// When the header cannot be read, or lacks a column that the mapping names.
    pub fn new(from: R, mapping: &Mapping) -> io::Result<Self> {
        let mut reader = ReaderBuilder::new()
            .delimiter(mapping.delimiter_byte())
            .flexible(true)
            .from_reader(Metered::new(from, MAX_ROW));
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let record = reader.byte_headers().map_err(io_error)?.clone();
        let mut header: Vec<String> = Vec::new();
        for (at, name) in record.iter().enumerate() {
            let name = std::str::from_utf8(name)
                .map_err(|_| wrong("it is not UTF-8; save it as UTF-8".to_owned()))?;
            let name = if at == 0 {
                name.trim_start_matches('\u{feff}')
            } else {
                name
            };
            let again = header.iter().filter(|known| *known == name.trim()).count();
            let name = name.trim().to_owned();
            header.push(if again > 0 {
                format!("{name} {}", again + 1)
            } else {
                name
            });
        }
        let named = mapping
            .columns
            .keys()
            .chain([&mapping.id])
            .chain(mapping.observed_at.iter());
        if let Some(missing) = named.into_iter().find(|name| !header.contains(name)) {
            return Err(wrong(format!(
                "it has no column {missing}, which the mapping names"
            )));
        }
        Ok(Self {
            reader,
            header,
            record: ByteRecord::new(),
        })
    }

    /// How many bytes are read.
    #[must_use]
    pub fn read_bytes(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The next row.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_row(&mut self) -> io::Result<Option<Result<Value, Broken>>> {
        self.reader.get_mut().allow(MAX_ROW);
        if !self.reader.read_byte_record(&mut self.record).map_err(io_error)? {
            return Ok(None);
        }
        let mut row = Map::new();
        for (at, cell) in self.record.iter().enumerate() {
            let Ok(cell) = std::str::from_utf8(cell) else {
                return Ok(Some(Err(Broken::NotJson)));
            };
            let name = self
                .header
                .get(at)
                .cloned()
                .unwrap_or_else(|| "column without a name".to_owned());
            row.insert(name, cell.into());
        }
        Ok(Some(Ok(row.into())))
    }
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::Error::new(io::ErrorKind::InvalidData, "it is no table that can be read"),
    }
}

/// Where a column goes: a list with a fixed word, or a path.
struct Target<'m> {
    head: &'m str,
    word: Option<&'m str>,
    member: Option<&'m str>,
}

/// Fields whose members are columns of their own.
const OBJECTS: [&str; 5] = [
    "postal_addresses",
    "id_documents",
    "memberships",
    "stays",
    "consents",
];

impl<'m> Target<'m> {
    fn of(text: &'m str) -> Option<Self> {
        let (place, word) = match text.split_once('[') {
            Some((place, word)) => (place, Some(word.strip_suffix(']')?)),
            None => (text, None),
        };
        let fits =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-' | ':');
        if place.is_empty() || !place.chars().all(fits) {
            return None;
        }
        let (head, member) = match place.split_once('.') {
            Some((head, member)) if OBJECTS.contains(&head) => (head, Some(member)),
            _ => (place, None),
        };
        Some(Self { head, word, member })
    }
}

/// Maps rows by a mapping file.
pub struct Table {
    mapping: Mapping,
}

impl Table {
    /// A connector for tables of this mapping.
    #[must_use]
    pub const fn new(mapping: Mapping) -> Self {
        Self { mapping }
    }

    /// A cell, in the words of the vault.
    fn cell(&self, node: Node<'_>, column: &str) -> Option<String> {
        let text = node.member(column).text()?;
        let codes = self.mapping.values.get(column);
        Some(codes.and_then(|codes| codes.get(&text)).cloned().unwrap_or(text))
    }

    fn day(&self, text: &str) -> Option<String> {
        let format = self.mapping.date_format.as_deref();
        let own = format.and_then(|format| NaiveDate::parse_from_str(text, format).ok());
        own.map(|day| day.to_string()).or_else(|| values::day(text))
    }
}

/// Objects that several columns make together.
#[derive(Default)]
struct Parts {
    address: Map<String, Value>,
    document: Map<String, Value>,
    membership: Map<String, Value>,
    stay: Map<String, Value>,
}

impl Connector for Table {
    fn source(&self) -> &str {
        &self.mapping.source_system
    }

    fn take(&mut self, payload: &Payload) -> Outcome {
        let node = payload.node();
        let mut outcome = Outcome::default();
        let Some(id) = node.member(&self.mapping.id).text() else {
            outcome.refused.push("the row has no id");
            return outcome;
        };
        let mut told = Told::of(id);
        let observed = self
            .mapping
            .observed_at
            .as_ref()
            .and_then(|column| node.member(column).text());
        told.observed_at = observed
            .as_deref()
            .and_then(|text| values::moment(text).or_else(|| Some(format!("{}T00:00:00Z", self.day(text)?))));
        let mut parts = Parts::default();
        let mut named = Vec::new();
        for (column, target) in &self.mapping.columns {
            let Some(target) = Target::of(target) else {
                continue;
            };
            if target.head == "-" {
                node.member(column).take();
            } else if target.head == "names" {
                named = whole_name::split_list(&self.cell(node, column).unwrap_or_default());
            } else if let Some(text) = self.cell(node, column) {
                self.say(&mut told, &mut parts, &target, text);
            }
        }
        told.add("postal_addresses", parts.address.into());
        if parts.document.contains_key("number") {
            parts.document.entry("type").or_insert_with(|| "other".into());
            told.add("id_documents", parts.document.into());
        }
        if parts.membership.contains_key("number") {
            told.add("memberships", parts.membership.into());
        }
        parts.stay.entry("status").or_insert_with(|| "confirmed".into());
        let stay = Value::from(parts.stay);
        let mut others = named.into_iter();
        if let Some(first) = others.next() {
            whole_name::say(&mut told, &first, self.mapping.name_order);
        }
        // What else the row says is the first guest's; of those who come along it tells the name and the stay.
        let others: Vec<Told> = others
            .zip(2_u32..)
            .map(|(name, at)| {
                let mut other = Told::of(format!("{}:{at}", told.source_id));
                other.observed_at.clone_from(&told.observed_at);
                whole_name::say(&mut other, &name, self.mapping.name_order);
                other.stay(values::with_role(&stay, "accompanying"));
                other
            })
            .collect();
        told.stay(stay);
        outcome.told.push(told);
        outcome.told.extend(others);
        outcome
    }
}

impl Table {
    fn say(&self, told: &mut Told, parts: &mut Parts, target: &Target<'_>, text: String) {
        let is_day = |member: &str| {
            ["_on", "_at", "_date", "arrival", "departure"]
                .into_iter()
                .any(|end| member.ends_with(end))
        };
        let plain = |member: &str| -> Value {
            if is_day(member) {
                self.day(&text).unwrap_or_else(|| text.clone()).into()
            } else {
                text.as_str().into()
            }
        };
        match (target.head, target.member) {
            ("phones", _) => told.add("phones", json!({"number": text, "kind": target.word})),
            ("emails", _) => told.add("emails", json!({"address": text, "kind": target.word})),
            ("postal_addresses", Some("lines")) => {
                let lines = parts.address.entry("lines").or_insert_with(|| json!([]));
                if let Value::Array(lines) = lines {
                    lines.push(text.into());
                }
            }
            ("postal_addresses", Some(member)) => {
                parts.address.insert(member.to_owned(), text.into());
            }
            ("id_documents", member) => {
                if let Some(kind) = target.word {
                    parts.document.insert("type".to_owned(), kind.into());
                }
                let member = member.unwrap_or("number");
                parts.document.insert(member.to_owned(), plain(member));
            }
            ("memberships", member) => {
                if let Some(program) = target.word {
                    parts.membership.insert("program".to_owned(), program.into());
                }
                let member = member.unwrap_or("number");
                parts.membership.insert(member.to_owned(), plain(member));
            }
            ("stays", Some(member)) => {
                let value = match member {
                    "status" => values::stay_status(&text).unwrap_or("tentative").into(),
                    "channel" | "purpose" => values::code(&text).into(),
                    _ => plain(member),
                };
                parts.stay.insert(member.to_owned(), value);
            }
            ("consents", Some(purpose)) => match text.to_lowercase().as_str() {
                "1" | "y" | "yes" | "true" | "ja" | "oui" | "si" | "sí" | "sim" | "x" | "是" => {
                    told.consent(purpose, true, "pms");
                }
                "0" | "n" | "no" | "false" | "nein" | "non" | "não" | "nao" | "否" => {
                    told.consent(purpose, false, "pms");
                }
                _ => {}
            },
            ("external_ids", _) => told.add(
                "external_ids",
                json!({"system": target.word.unwrap_or("pms"), "value": text}),
            ),
            ("tax_invoice", _) => told.add("tax_invoice", json!({ "tax_id": text })),
            ("organisation", _) => told.say("organisation", Some(json!({ "name": text }))),
            ("name", _) => whole_name::say(told, &text, self.mapping.name_order),
            ("name.native", _) => told.say("name.native", Some(json!({ "value": text }))),
            ("notes" | "special_needs", _) => told.add(target.head, json!({ "text": text })),
            ("vehicle_plates" | "diet" | "interests", _) => {
                for word in text
                    .split([',', ';'])
                    .map(str::trim)
                    .filter(|word| !word.is_empty())
                {
                    told.add(target.head, word.into());
                }
            }
            ("preferences.smoking", _) => {
                let smokes = !matches!(
                    text.to_lowercase().as_str(),
                    "0" | "n" | "no" | "ns" | "false" | "nein"
                );
                told.say("preferences.smoking", Some(smokes));
            }
            (path, _) => told.say(path, Some(plain(path))),
        }
    }
}
