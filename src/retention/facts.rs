//! What of a guest decides how long it is kept, opened for the vault's own use and never shown.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use crate::{
    base::{
        Anchors, Begin, Catalogue, Category, GuestId, Length, PropertyCode, PropertyTree, StayStatus, Term,
        from_micros, micros,
    },
    crypto::Aad,
    guest::{GuestError, StayInput, Vault, seal_version, stay_path},
    keys::GuestKeys,
};

use super::{
    Drawer, Facts, FieldTerm, RegisterEntry, StayFact,
    sql::{Ledger, StoredValue},
};

/// A guest as it stands, with what decides.
pub struct House {
    /// Its version.
    pub version: i64,
    /// Its status.
    pub status: String,
    /// The guest it goes on under.
    pub survivor: Option<GuestId>,
    /// What decides.
    pub facts: Facts,
    /// What opens its values.
    pub keys: GuestKeys,
}

/// Reads a guest's facts; `None` when there is no such guest.
///
/// # Errors
/// What database and key store say; [`GuestError::Damaged`] when a stay does not open.
pub async fn facts(vault: &Vault, guest: GuestId) -> Result<Option<House>, GuestError> {
    let mut conn = vault.store.read().await?;
    let Some((version, status, survivor)) = conn.guest_head(guest).await? else {
        return Ok(None);
    };
    let values = conn.stored_values(guest).await?;
    let stays = conn.stays(guest).await?;
    let now = vault.clock.now();
    let ledger = conn.ledger(guest, micros(now)).await?;
    let entries = conn.register(guest).await?;
    drop(conn);
    let keys = vault.keys.fresh_guest_keys(guest, &Category::ALL).await?;
    let mut opened = Vec::new();
    for row in &stays {
        let path = stay_path(&row.property);
        let aad = Aad {
            guest,
            record: row.stay_token,
            path: &path,
            version: seal_version(row.version),
        };
        let plain = keys.open_internal(Category::Stay, &row.sealed, &aad)?;
        let input: StayInput = serde_json::from_slice(&plain).map_err(|_| GuestError::Damaged)?;
        if let Ok(code) = row.property.parse() {
            opened.push(stay(&vault.properties, &code, &input, now));
        }
    }
    let policy = vault.policies.current();
    let sealed = Sealed {
        catalogue: policy.catalogue(),
        guest,
        keys: &keys,
        values: &values,
    };
    let last_word = values.iter().map(|value| value.observed_at).chain(ledger.last);
    let mut facts = Facts {
        nationality: sealed.told("nationality"),
        born: sealed.told("birth_date").and_then(|day| day.parse().ok()),
        last_activity: last_word.max().map(|at| from_micros(at).date_naive()),
        membership_end: sealed.membership_end(now.date_naive()),
        consent_withdrawn: ledger.withdrawn().map(|at| from_micros(at).date_naive()),
        stays: opened,
        register: entries
            .iter()
            .filter_map(|(id, sealed)| RegisterEntry::open(&keys, guest, *id, sealed).ok())
            .map(|entry| entry.fact())
            .max_by_key(|fact| fact.keep.date),
        ..Facts::default()
    };
    (facts.drawers, facts.fields) = sealed.drawers(&facts, &ledger, (stays.len(), entries.len()));
    Ok(Some(House {
        version,
        status,
        survivor: survivor.map(GuestId),
        facts,
        keys,
    }))
}

/// A stay, as far as duties to keep are concerned.
pub(super) fn stay(
    properties: &PropertyTree,
    code: &PropertyCode,
    input: &StayInput,
    now: DateTime<Utc>,
) -> StayFact {
    let node = properties.get(code);
    let today = now
        .with_timezone(&node.map(|node| node.timezone).unwrap_or_default())
        .date_naive();
    let region = node.and_then(|node| node.region.clone()).unwrap_or_default();
    let province = node.and_then(|node| node.province.clone());
    let came = match input.status {
        StayStatus::CheckedIn | StayStatus::CheckedOut => true,
        // Nobody said that the guest did not come.
        StayStatus::Confirmed => today > input.arrival,
        _ => false,
    };
    let open = match input.status {
        StayStatus::CheckedIn | StayStatus::Confirmed => today <= input.departure,
        StayStatus::Tentative => today <= input.arrival,
        _ => false,
    };
    StayFact {
        property: code.to_string(),
        country: region,
        province,
        acknowledged: input.acknowledged_on,
        arrival: input.arrival,
        departure: input.departure,
        came,
        open,
    }
}

/// A guest's values, as they are stored, and what opens them.
struct Sealed<'s> {
    catalogue: &'s Catalogue,
    guest: GuestId,
    keys: &'s GuestKeys,
    values: &'s [StoredValue],
}

impl Sealed<'_> {
    fn open(&self, category: Category, value: &StoredValue) -> Option<Value> {
        let aad = Aad {
            guest: self.guest,
            record: value.record_id,
            path: &value.field,
            version: seal_version(value.version),
        };
        let plain = self.keys.open_internal(category, &value.sealed, &aad).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    fn all<'a>(&'a self, field: &'a str) -> impl Iterator<Item = Option<Value>> + 'a {
        let known = self.catalogue.find(field).map(|(_, known)| known.category);
        let of_field = self.values.iter().filter(move |value| value.field == field);
        of_field.map(move |value| self.open(known?, value))
    }

    /// A field's one value, when all sources agree on it: where they do not, nothing is concluded from it.
    fn told(&self, field: &str) -> Option<String> {
        let mut all = self.all(field);
        let first = all.next()??;
        let agreed = all.all(|other| other.as_ref() == Some(&first));
        match first {
            Value::String(text) if agreed => Some(text),
            _ => None,
        }
    }

    /// When the last membership ended; nothing while one goes on, or where none says when it ends.
    fn membership_end(&self, today: NaiveDate) -> Option<NaiveDate> {
        let ends = |item: &Value| {
            let day = item.get("expires_at").and_then(Value::as_str)?.get(..10)?;
            day.parse::<NaiveDate>().ok().filter(|day| *day <= today)
        };
        let mut last = None;
        for value in self.all("memberships") {
            for item in value?.as_array()? {
                last = last.max(Some(ends(item)?));
            }
        }
        last
    }

    /// By when a value must be gone by the house's own term.
    fn ends(
        &self,
        term: Term,
        anchors: Anchors,
        value: &StoredValue,
        category: Category,
    ) -> Option<NaiveDate> {
        if term == Term::Until {
            let own = self.open(category, value)?;
            return own.get("until")?.as_str()?.parse().ok();
        }
        term.ends(anchors, from_micros(value.observed_at).date_naive())
    }

    /// Which drawers and fields hold anything, and by when the house's own terms want it gone.
    fn drawers(
        &self,
        facts: &Facts,
        ledger: &Ledger,
        (stays, entries): (usize, usize),
    ) -> (Vec<Drawer>, Vec<FieldTerm>) {
        let anchors = facts.anchors();
        let mut found = Found::default();
        let mut fields: BTreeMap<&str, FieldTerm> = BTreeMap::new();
        for value in self.values {
            let Some((at, field)) = self.catalogue.find(&value.field) else {
                continue;
            };
            let term = self.catalogue.term(at);
            if term == Term::Life {
                found.for_life(field.category);
                continue;
            }
            let ends = self.ends(term, anchors, value, field.category);
            found.add(field.category, 1, ends);
            let entry = fields.entry(&value.field).or_insert_with(|| FieldTerm {
                field: field.path.clone(),
                category: field.category,
                house: ends,
            });
            entry.house = later(entry.house, ends);
        }
        let after = |day: Option<NaiveDate>| LONGEST.ends(Anchors::default(), day?);
        found.add(Category::Stay, stays, after(anchors.last_stay));
        let last_word = ledger.last.map(|at| from_micros(at).date_naive());
        // What was agreed to is proven for as long as it can be asked, and while it stands.
        let proof = if ledger.stands {
            None
        } else {
            after(last_word.max(anchors.last_stay))
        };
        found.add(
            Category::Consent,
            usize::try_from(ledger.lines).unwrap_or(0),
            proof,
        );
        found.add(Category::Statutory, entries, None);
        (found.drawers(), fields.into_values().collect())
    }
}

/// How long stays, and what was agreed to, are kept by the house's own terms.
const LONGEST: Term = Term::After(Begin::Recorded, Length::Months(36));

/// The later of two days; a day that never comes is the latest.
fn later(one: Option<NaiveDate>, other: Option<NaiveDate>) -> Option<NaiveDate> {
    one.zip(other).map(|(one, other)| one.max(other))
}

#[derive(Default)]
struct Found {
    drawers: BTreeMap<Category, Drawer>,
    for_life: BTreeMap<Category, u64>,
}

impl Found {
    fn add(&mut self, category: Category, count: usize, ends: Option<NaiveDate>) {
        if count == 0 {
            return;
        }
        let drawer = self.drawers.entry(category).or_insert(Drawer {
            category,
            values: 0,
            house: ends,
        });
        drawer.values = drawer
            .values
            .saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        drawer.house = later(drawer.house, ends);
    }

    fn for_life(&mut self, category: Category) {
        let count = self.for_life.entry(category).or_default();
        *count = count.saturating_add(1);
    }

    /// What is kept for the guest's life goes with the last of the rest.
    fn drawers(mut self) -> Vec<Drawer> {
        let others = self
            .drawers
            .values()
            .filter(|drawer| drawer.category != Category::Statutory);
        let life = others.map(|drawer| drawer.house).reduce(later).flatten();
        for (category, count) in self.for_life {
            let drawer = self.drawers.entry(category).or_insert(Drawer {
                category,
                values: 0,
                house: life,
            });
            drawer.values = drawer.values.saturating_add(count);
        }
        self.drawers.into_values().collect()
    }
}

impl Facts {
    /// What the house's own terms count from.
    fn anchors(&self) -> Anchors {
        Anchors {
            last_stay: self.stays.iter().map(|stay| stay.departure).max(),
            membership_end: self.membership_end,
            consent_withdrawn: self.consent_withdrawn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_for_life_goes_with_the_last_of_the_rest() {
        let day = |text: &str| text.parse::<NaiveDate>().ok();
        let house = |more: &[(Category, Option<NaiveDate>)]| {
            let mut found = Found::default();
            found.for_life(Category::Affiliation);
            for (category, ends) in more {
                found.add(*category, 1, *ends);
            }
            let all = found.drawers();
            all.iter()
                .find(|drawer| drawer.category == Category::Affiliation)
                .unwrap()
                .house
        };
        let (early, late) = (
            (Category::Contact, day("2027-01-01")),
            (Category::Stay, day("2028-01-01")),
        );
        assert_eq!(house(&[early, late]), day("2028-01-01"));
        assert_eq!(house(&[early, (Category::Marketing, None)]), None);
        assert_eq!(house(&[early, (Category::Statutory, None)]), day("2027-01-01"));
        assert_eq!(house(&[]), None);
    }
}
