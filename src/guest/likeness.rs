//! What of a record says who somebody is, in the forms that are compared, and the keyed tokens that find others like it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    base::{Category, GuestId, RecordId},
    crypto::Aad,
    keys::{GuestKeys, MatchingKeys},
    matching::{
        Paper, Person, Place, Said,
        blocking::{self, Key},
    },
    policy::Snapshot,
};

use super::{
    GuestError, Vault,
    prepare::{Prepared, seal_version},
    sql::{Rows, ValueRow},
    writing::Writing,
};

/// The fields that say who somebody is.
pub(crate) const PARTS: [&str; 12] = [
    "name.full",
    "name.surname",
    "name.surname2",
    "name.given",
    "name.native",
    "birth_date",
    "emails",
    "phones",
    "id_documents",
    "postal_addresses",
    "nationality",
    "memberships",
];

/// A key with its tokens.
#[derive(Clone)]
pub(crate) struct Keyed {
    pub(crate) key: Key,
    /// As it is written.
    pub(crate) token: [u8; 16],
    /// By the other keys that are read while they are exchanged.
    pub(crate) others: Vec<[u8; 16]>,
}

/// Somebody who is looked for.
#[derive(Clone)]
pub(crate) struct Probe {
    pub(crate) person: Person,
    pub(crate) keys: Vec<Keyed>,
    /// The version of the key by which its tokens are written.
    pub(crate) written: i64,
    /// Who it is, when others like this guest are looked for: that guest itself is not found.
    pub(crate) guest: Option<GuestId>,
}

impl Probe {
    pub(crate) fn new(with: &MatchingKeys<'_>, person: Person) -> Self {
        let written = with.written();
        let keyed = |key: Key| {
            let kind = Self::token_kind(&key);
            let token = |version| with.token(version, &kind, key.value.as_bytes());
            Keyed {
                token: token(written),
                others: with.others().map(token).collect(),
                key,
            }
        };
        Self {
            keys: blocking::keys(&person).into_iter().map(keyed).collect(),
            person,
            written,
            guest: None,
        }
    }

    /// What keeps the tokens of a kind of key apart from all others.
    pub(crate) fn token_kind(key: &Key) -> String {
        format!("identity:{}", key.kind.as_str())
    }

    /// A guest of whom others like it are looked for.
    pub(crate) fn of_guest(with: &MatchingKeys<'_>, guest: GuestId, person: Person) -> Self {
        Self {
            guest: Some(guest),
            ..Self::new(with, person)
        }
    }

    /// The tokens that are asked for: of the first tier, or of both. Each as it is written.
    pub(crate) fn asked(&self, second: bool) -> impl Iterator<Item = [u8; 16]> + '_ {
        self.keys_asked(second).map(|keyed| keyed.token)
    }

    /// The keys that are asked for: of the first tier, or of both.
    pub(crate) fn keys_asked(&self, second: bool) -> impl Iterator<Item = &Keyed> + '_ {
        let asked = self.keys.iter();
        asked.filter(move |keyed| second || !keyed.key.kind.is_second_tier())
    }

    pub(crate) fn has_second_tier(&self) -> bool {
        self.keys.iter().any(|keyed| keyed.key.kind.is_second_tier())
    }

    pub(crate) fn tokens(&self) -> impl Iterator<Item = [u8; 16]> + '_ {
        self.asked(true)
    }
}

/// The person of one record's values.
pub(crate) fn person_of<'v>(values: &(impl Iterator<Item = (&'v str, &'v Value)> + Clone)) -> Person {
    let value = |path: &str| {
        let mut all = values.clone();
        all.find(|(field, _)| *field == path).map(|(_, value)| value)
    };
    let text = |path: &str| value(path).and_then(Value::as_str).unwrap_or_default();
    let items = |path: &str| {
        value(path)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    // A contact lent by a channel says nothing of the guest.
    let own = |item: &&Value| item.get("relay").is_none();
    let surname = match (text("name.surname"), text("name.surname2")) {
        (first, "") => first.to_owned(),
        (first, second) => format!("{first} {second}"),
    };
    let (surname, given) = if surname.is_empty() {
        let full = text("name.full");
        (
            if full.is_empty() { text("name.given") } else { full }.to_owned(),
            "",
        )
    } else {
        (surname, text("name.given"))
    };
    let native = value("name.native");
    let others = ["value", "phonetic"]
        .into_iter()
        .filter_map(|name| Some((member(native?, name)?, "")));
    let addresses = items("postal_addresses");
    let lines: Vec<String> = addresses.iter().map(street).collect();
    let country = Some(text("nationality"))
        .filter(|country| !country.is_empty())
        .or_else(|| addresses.iter().find_map(|address| member(address, "country")))
        .unwrap_or_default();
    Person::of(&Said {
        surname: &surname,
        given,
        others: others.collect(),
        birth_date: text("birth_date"),
        emails: items("emails")
            .iter()
            .filter(own)
            .filter_map(|item| member(item, "address"))
            .collect(),
        phones: items("phones")
            .iter()
            .filter(own)
            .filter_map(|item| member(item, "number"))
            .collect(),
        papers: items("id_documents").iter().filter_map(paper).collect(),
        places: addresses
            .iter()
            .zip(&lines)
            .map(|(address, street)| Place {
                street,
                city: member(address, "city").unwrap_or_default(),
                postcode: member(address, "postal_code").unwrap_or_default(),
            })
            .collect(),
        country,
        numbers: items("memberships")
            .iter()
            .filter_map(|item| {
                Some(format!(
                    "{}\u{1f}{}",
                    member(item, "program")?,
                    member(item, "number")?
                ))
            })
            .collect(),
    })
}

fn member<'v>(item: &'v Value, name: &str) -> Option<&'v str> {
    item.get(name).and_then(Value::as_str)
}

fn paper(item: &Value) -> Option<Paper<'_>> {
    Some(Paper {
        number: member(item, "number")?,
        country: member(item, "issuing_country"),
    })
}

fn street(address: &Value) -> String {
    let lines = address
        .get("lines")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    lines.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

/// The drawers that these fields lie in.
pub(crate) fn categories(policy: &Snapshot) -> Vec<Category> {
    let all: BTreeSet<Category> = PARTS
        .iter()
        .filter_map(|part| policy.catalogue().find(part))
        .map(|(_, field)| field.category)
        .collect();
    all.into_iter().collect()
}

/// Stored values, opened for comparing. One that does not open says nothing; the doctor tells of it.
pub(crate) fn opened<'r>(
    policy: &Snapshot,
    keys: &GuestKeys,
    rows: &'r [ValueRow],
) -> Vec<(&'r ValueRow, Value)> {
    let open = |row: &'r ValueRow| {
        let (_, field) = policy.catalogue().find(&row.field)?;
        let aad = Aad {
            guest: GuestId(row.guest_id),
            record: row.record_id,
            path: &row.field,
            version: seal_version(row.version),
        };
        let plain = keys.open_internal(field.category, &row.sealed, &aad).ok()?;
        Some((row, serde_json::from_slice(&plain).ok()?))
    };
    rows.iter().filter_map(open).collect()
}

impl Vault {
    /// Writes the tokens of a record anew when one of the values they are made of was written or taken back.
    pub(super) async fn write_likeness(
        &self,
        (writing, rows): (&mut Writing<'_, '_>, &mut Rows),
        prepared: &Prepared,
        (guest, record): (GuestId, RecordId),
        (written, is_new): (&BTreeSet<&str>, bool),
        crowded: &BTreeSet<[u8; 16]>,
    ) -> Result<(), GuestError> {
        if !PARTS.iter().any(|part| written.contains(part)) {
            return Ok(());
        }
        let with = self.keys.matching_keys().await?;
        let told = |probe: &Probe| -> Vec<[u8; 16]> {
            // What too many share finds nobody; it is not written, so that its frequency does not show either.
            probe.tokens().filter(|token| !crowded.contains(token)).collect()
        };
        if is_new && prepared.probe.written == with.written() {
            let probe = &prepared.probe;
            rows.likeness((guest, record), probe.written, told(probe));
            return Ok(());
        }
        let mut stored = Vec::new();
        if !is_new {
            let change = writing.change().await?;
            change.tx.delete_identity_tokens(guest, record).await?;
            stored = change.tx.likeness_of_record(guest, record, &PARTS).await?;
            stored.retain(|row| !written.contains(row.field.as_str()));
        }
        let policy = self.policies.current();
        let opened = if stored.is_empty() {
            Vec::new()
        } else {
            let keys = self.keys.guest_keys(guest, &categories(&policy)).await?;
            opened(&policy, &keys, &stored)
        };
        let fresh = prepared
            .values
            .iter()
            .filter(|ready| written.contains(ready.field.as_str()))
            .map(|ready| (ready.field.as_str(), &ready.value));
        let kept = opened.iter().map(|(row, value)| (row.field.as_str(), value));
        let probe = Probe::new(&with, person_of(&fresh.chain(kept)));
        rows.likeness((guest, record), probe.written, told(&probe));
        Ok(())
    }
}
