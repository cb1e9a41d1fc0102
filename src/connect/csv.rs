//! Tables with a mapping file: which column says which field. A guess of the mapping can be made from the header.

use std::collections::{BTreeMap, HashSet};

use chrono::{Datelike, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, json};
use toml::Spanned;

use super::{
    columns::{self, Column, STAY},
    hotels::Hotels,
    payload::{Node, Payload},
    seat,
    told::{Connector, Outcome, Told},
    values,
    whole_name::{self, Order},
};

pub use super::rows::Rows;

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
    /// How days are written, as `%d.%m.%Y`; `2026-03-04` is always understood. A time may stand behind the day.
    #[serde(default)]
    pub date_format: Option<String>,
    /// Whose clock tells a moment that names no zone, as `Europe/Lisbon`; that of the property, when nothing is said.
    #[serde(default)]
    pub timezone: Option<Tz>,
    /// Which column says what: `name.surname`, `phones`, `phones[mobile]`, `postal_addresses.city`,
    /// `memberships[CLUB]`, `id_documents[passport]`, `stays.arrival`, `consents.marketing_direct`, `name` for a whole
    /// name, `names` for all guests of a booking in one cell, `-` for nothing. Columns of one address, document or
    /// membership of several have the same word: `id_documents[visa]` and `id_documents[visa].expires_on`,
    /// `postal_addresses[work].city`.
    pub columns: BTreeMap<String, String>,
    /// In which order a name in one column stands where neither a slash nor a comma tells. In a list of names, a comma
    /// between names of several words then parts people.
    #[serde(default)]
    pub name_order: Option<Order>,
    /// What codes of a column mean: `[values."Sex"]`, `"1" = "male"`.
    #[serde(default)]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
    /// The columns in the order in which the file names them.
    #[serde(skip)]
    order: Vec<String>,
}

/// Where in a mapping file the columns stand.
#[derive(Deserialize)]
struct Places {
    columns: BTreeMap<String, Spanned<IgnoredAny>>,
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
        let told = |error: toml::de::Error| error.to_string();
        let mut mapping: Self = toml::from_str(text).map_err(told)?;
        let places: Places = toml::from_str(text).map_err(told)?;
        let mut places: Vec<_> = places.columns.into_iter().collect();
        places.sort_by_key(|(_, place)| place.span().start);
        mapping.order = places.into_iter().map(|(name, _)| name).collect();
        if !mapping.delimiter.is_ascii() {
            return Err("delimiter: must be one of the ASCII characters".to_owned());
        }
        let mut of_stays = Vec::new();
        for (name, target) in &mapping.columns {
            match Column::of(name, target) {
                Some(column) if column.word.is_some() && !columns::takes_word(&column.head) => {
                    return Err(format!(
                        "columns: {name}: {target}: {} takes no word in brackets; an agreement is for all channels",
                        column.head
                    ));
                }
                Some(column) if column.head == "stays" => of_stays.extend(column.member),
                Some(_) => {}
                None => {
                    return Err(format!(
                        "columns: {name}: {target} is no place that a column can go to"
                    ));
                }
            }
        }
        let missing = STAY
            .into_iter()
            .find(|needed| !of_stays.iter().any(|had| had == needed));
        match missing {
            Some(missing) if !of_stays.is_empty() => Err(format!(
                "columns: no column goes to stays.{missing}: a stay has a reservation number, an arrival and a \
                 departure. Name the column, or let those of stays go to \"-\""
            )),
            _ => Ok(mapping),
        }
    }

    pub(super) fn delimiter_byte(&self) -> u8 {
        u8::try_from(self.delimiter).unwrap_or(b',')
    }

    /// The columns that a file must have.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        let columns = self.columns.keys();
        columns.chain([&self.id]).chain(self.observed_at.iter())
    }
}

/// Nothing that a table tells of is older: such a year is one of two digits, read as four.
const OLDEST: i32 = 1900;

const UNREAD: &str = "says when it was changed in a way that cannot be read; see date_format";

/// Maps rows by a mapping file.
pub struct Table {
    mapping: Mapping,
    columns: Vec<Column>,
    clock: Tz,
    today: NaiveDate,
}

impl Table {
    /// A connector for tables of this mapping, with the columns in its order. `today` tells of which century a day of birth
    /// with two digits is.
    #[must_use]
    pub fn new(mapping: Mapping, hotels: &Hotels, today: NaiveDate) -> Self {
        let columns = columns::arrange(&mapping.columns, &mapping.order);
        let clock = mapping.timezone.unwrap_or_else(|| hotels.clock(None));
        Self {
            mapping,
            columns,
            clock,
            today,
        }
    }

    /// With the columns in the order of a file's header.
    #[must_use]
    pub fn in_order(mut self, header: &[String]) -> Self {
        self.columns = columns::arrange(&self.mapping.columns, header);
        self
    }

    /// A cell, in the words of the vault.
    fn cell(&self, node: Node<'_>, column: &Column) -> Option<Result<String, &'static str>> {
        let text = node.member(&column.name).text()?;
        let Some(codes) = self.mapping.values.get(&column.name) else {
            return Some(Ok(text));
        };
        let folded = text.to_lowercase();
        let alike = || codes.iter().find(|(code, _)| code.to_lowercase() == folded);
        let meant = codes.get(&text).or_else(|| alike().map(|(_, meant)| meant));
        Some(match meant {
            Some(meant) => Ok(meant.clone()),
            // The codes may turn the words around: what they do not name may mean either.
            None if column.head == "consents" => {
                Err("an agreement has a word that its [values] do not name; say there what it means")
            }
            None => Ok(text),
        })
    }

    /// A day; what cannot be read stays as it is, for the vault to refuse by name.
    fn day(&self, text: &str) -> String {
        let own = self.mapping.date_format.as_deref().and_then(|format| {
            let (day, rest) = NaiveDate::parse_and_remainder(text, format).ok()?;
            // `24.12.26` is no day of the year 26.
            (values::is_time(rest) && day.year() >= OLDEST).then(|| day.to_string())
        });
        own.or_else(|| values::day(text))
            .unwrap_or_else(|| text.to_owned())
    }

    /// The moment a cell says; none when the system knows none (a moment before 1990).
    fn moment(&self, text: &str) -> Result<Option<String>, &'static str> {
        if let Some(moment) = values::local_moment(text, self.clock) {
            return Ok(Some(moment));
        }
        let format = self.mapping.date_format.as_deref().unwrap_or("%Y-%m-%d");
        let read = ["", " %H:%M", " %H:%M:%S"]
            .into_iter()
            .find_map(|time| NaiveDateTime::parse_from_str(text, &format!("{format}{time}")).ok());
        let moment = read.or_else(|| {
            let day: NaiveDate = self.day(text).parse().ok()?;
            day.and_hms_opt(0, 0, 0)
        });
        let Some(moment) = moment else {
            return Err(UNREAD);
        };
        // Some programs write the first year of all where they know none; any other one is of two digits.
        if moment.year() < OLDEST && !text.contains("0001") {
            return Err(UNREAD);
        }
        Ok(values::told(values::by_clock(moment, self.clock)))
    }

    /// A day of birth: nobody is born tomorrow, so one of two digits that lies ahead is of the century before.
    fn born(&self, text: &str) -> String {
        let day = self.day(text);
        let format = self.mapping.date_format.as_deref().unwrap_or_default();
        let two_digits = ["%y", "%D", "%x"].into_iter().any(|short| format.contains(short));
        let ahead = day.parse::<NaiveDate>().ok();
        let ahead = ahead.filter(|born| two_digits && *born > self.today && !text.contains(&day));
        let before = ahead.and_then(|born| born.with_year(born.year() - 100));
        before.map_or(day, |born| born.to_string())
    }
}

/// What several columns make together.
#[derive(Default)]
struct Parts {
    /// Addresses, documents and memberships: by the list and the number there.
    items: BTreeMap<(String, usize), Map<String, Value>>,
    stay: Map<String, Value>,
    consents: BTreeMap<String, bool>,
    /// Lists of words, by where they go.
    words: BTreeMap<String, Vec<String>>,
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
        let observed = self.mapping.observed_at.as_ref();
        let observed = observed.and_then(|column| node.member(column).text());
        match observed.map(|text| self.moment(&text)).transpose() {
            Ok(moment) => told.observed_at = moment.flatten(),
            // Taken as of now it would replace what is newer.
            Err(reason) => {
                outcome.refused.push(reason);
                return outcome;
            }
        }
        // A channel alone is no stay: then it is left, to be reported.
        let has_stay = self
            .columns
            .iter()
            .any(|column| column.is_of_stay(&STAY) && node.member(&column.name).peek().is_some());
        let mut parts = Parts::default();
        let mut named = Vec::new();
        let is_told = |column: &&Column| has_stay || column.head != "stays";
        for column in self.columns.iter().filter(is_told) {
            if column.head == "-" {
                node.member(&column.name).take();
            } else if let Some(cell) = self.cell(node, column) {
                let said = cell.and_then(|text| {
                    if column.head == "names" {
                        named.extend(whole_name::split_list(&text, self.mapping.name_order)?);
                        Ok(())
                    } else {
                        self.say(&mut told, &mut parts, column, &text)
                    }
                });
                outcome.refused.extend(said.err());
            }
        }
        let stay = Value::from(parts.finish(&mut told));
        let mut others = named.into_iter();
        if let Some(first) = others.next() {
            let said = whole_name::say(&mut told, &first, self.mapping.name_order);
            outcome.refused.extend(said.err());
        }
        if has_stay {
            told.stay(stay.clone());
        }
        let has_stay = has_stay && told.lost.iter().all(|lost| *lost == STATUS);
        // What else the row says is the first guest's; of those who come along it tells the name and the stay.
        for (at, name) in others.enumerate() {
            let mut other = Told::of(format!("{}:guest", told.source_id));
            other.observed_at.clone_from(&told.observed_at);
            if let Err(reason) = whole_name::say(&mut other, &name, self.mapping.name_order) {
                outcome.refused.push(reason);
                continue;
            }
            seat::take(&mut other, &outcome.told, at + 2);
            if has_stay {
                other.stay(values::with_role(&stay, "accompanying"));
            }
            outcome.told.push(other);
        }
        outcome.told.insert(0, told);
        outcome
    }
}

/// Why a stay is not taken as it stands.
const STATUS: &str =
    "a stay has a status that is not known, and is taken as tentative; say in [values] what it means";

impl Table {
    fn say(
        &self,
        told: &mut Told,
        parts: &mut Parts,
        column: &Column,
        text: &str,
    ) -> Result<(), &'static str> {
        let is_day = |member: &str| {
            ["_on", "_at", "_date", "arrival", "departure"]
                .into_iter()
                .any(|end| member.ends_with(end))
        };
        let plain = |member: &str| -> Value {
            if is_day(member) {
                self.day(text).into()
            } else {
                text.into()
            }
        };
        let word = column.word.as_deref();
        match (column.head.as_str(), column.member.as_deref()) {
            ("phones", _) => told.add("phones", json!({"number": text, "kind": word})),
            ("emails", _) => told.add("emails", json!({"address": text, "kind": word})),
            // The same word in many rows would make one person of strangers.
            ("memberships", Some("number")) if !has_digit(text) || is_answer(text) => {
                return Err(
                    "a membership's number has no digit, or is a yes or a no; it says nothing of who it is",
                );
            }
            ("id_documents", Some("number")) if is_answer(text) => {
                return Err("a document's number is a yes or a no");
            }
            ("postal_addresses" | "id_documents" | "memberships", Some(member)) => {
                parts.put(column, member, plain(member));
            }
            ("stays", Some(member)) => parts.put_stay(told, member, text, plain(member))?,
            ("consents", Some(purpose)) => {
                let given = answer(text)
                    .ok_or("an agreement is neither a yes nor a no; say in [values] what it means")?;
                // Where two columns differ, the no holds.
                let known = parts.consents.entry(purpose.to_owned()).or_insert(given);
                *known &= given;
            }
            ("external_ids", _) => told.add(
                "external_ids",
                json!({"system": word.unwrap_or("pms"), "value": text}),
            ),
            ("tax_invoice", _) => told.add("tax_invoice", json!({ "tax_id": text })),
            ("organisation", _) => told.say("organisation", Some(json!({ "name": text }))),
            ("name", _) => whole_name::say(told, text, self.mapping.name_order)?,
            ("vip_code", _) if answer(text) == Some(false) => {}
            // A one may be the first grade.
            ("vip_code", _) if text != "1" && is_answer(text) => {
                return Err("a VIP code is a bare yes; say in [values] which code it means");
            }
            ("name.native", _) => told.say("name.native.value", Some(text)),
            ("birth_date", _) => told.say("birth_date", Some(self.born(text))),
            ("notes" | "special_needs", _) => told.add(&column.head, json!({ "text": text })),
            (
                list
                @ ("vehicle_plates" | "diet" | "interests" | "health.allergies" | "health.accessibility"),
                _,
            ) => {
                let words = parts.words.entry(list.to_owned()).or_default();
                let said = text.split([',', ';']).map(str::trim);
                words.extend(said.filter(|word| !word.is_empty()).map(ToOwned::to_owned));
            }
            // Another word goes along as it is: the vault refuses it by name.
            ("preferences.smoking", _) => {
                let smokes = values::smokes(text).or_else(|| answer(text));
                let smokes = smokes.map_or_else(|| text.into(), Value::from);
                told.say("preferences.smoking", Some(smokes));
            }
            (path, _) => told.say(path, Some(plain(path))),
        }
        Ok(())
    }
}

impl Parts {
    fn put(&mut self, column: &Column, member: &str, value: Value) {
        let item = self.items.entry((column.head.clone(), column.item)).or_default();
        if member == "lines" {
            let lines = item.entry("lines").or_insert_with(|| json!([]));
            if let Value::Array(lines) = lines {
                lines.push(value);
            }
        } else {
            item.insert(member.to_owned(), value);
        }
        // A number as word only tells one address from another.
        let is_count = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let word = column.word.as_deref().filter(|word| !is_count(word));
        if let (Some(word), Some((_, of_word))) = (word, columns::of_list(&column.head)) {
            item.entry(of_word).or_insert_with(|| word.into());
        }
    }

    fn put_stay(
        &mut self,
        told: &mut Told,
        member: &str,
        text: &str,
        plain: Value,
    ) -> Result<(), &'static str> {
        let value = match member {
            "status" => {
                let known = values::stay_status(text);
                if known.is_none() {
                    told.lost.push(STATUS);
                }
                known.unwrap_or("tentative").into()
            }
            "channel" | "purpose" => values::code(text)
                .ok_or("a stay's channel or purpose has no letter of a code; say in [values] what it means")?
                .into(),
            "arrival" | "departure" if is_before_all(&plain) => {
                return Err("a stay has a day before 1900; see date_format (%y reads years of two digits)");
            }
            _ => plain,
        };
        if self.stay.get(member).is_some_and(|first| *first != value) {
            told.doubled.push(format!("stays.{member}"));
        } else {
            self.stay.insert(member.to_owned(), value);
        }
        Ok(())
    }

    /// Says what the columns made; gives the stay.
    fn finish(self, told: &mut Told) -> Map<String, Value> {
        for ((head, _), mut item) in self.items {
            if head == "id_documents" && item.contains_key("number") {
                item.entry("type").or_insert_with(|| "other".into());
            }
            told.add(&head, item.into());
        }
        for (path, mut words) in self.words {
            let mut seen = HashSet::new();
            words.retain(|word| seen.insert(word.clone()));
            told.say(&path, (!words.is_empty()).then_some(words));
        }
        for (purpose, given) in self.consents {
            told.consent(&purpose, given, "pms");
        }
        let mut stay = self.stay;
        stay.entry("status").or_insert_with(|| "confirmed".into());
        stay
    }
}

fn is_before_all(day: &Value) -> bool {
    let day: Option<NaiveDate> = day.as_str().and_then(|day| day.parse().ok());
    day.is_some_and(|day| day.year() < OLDEST)
}

fn has_digit(text: &str) -> bool {
    text.chars().any(char::is_numeric)
}

fn is_answer(text: &str) -> bool {
    answer(text).is_some()
}

/// A yes or a no, in the words of several languages and programs.
fn answer(text: &str) -> Option<bool> {
    Some(match text.to_lowercase().as_str() {
        "1" | "y" | "yes" | "true" | "t" | "on" | "x" | "ja" | "j" | "oui" | "si" | "sí" | "sì" | "sim"
        | "是" | "opt-in" | "optin" | "opted in" | "subscribed" => true,
        "0" | "n" | "no" | "false" | "f" | "off" | "nein" | "non" | "não" | "nao" | "nee" | "否"
        | "opt-out" | "optout" | "opted out" | "unsubscribed" => false,
        _ => return None,
    })
}
