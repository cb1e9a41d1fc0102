//! What of a guest decides how long it is kept, opened for the vault's own use and never shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Months, NaiveDate, Utc};
use serde_json::Value;

use crate::{
    base::{Catalogue, Category, GuestId, StayStatus, from_micros},
    crypto::Aad,
    guest::{GuestError, StayInput, Vault, seal_version, stay_path},
    keys::GuestKeys,
};

use super::{Drawer, Facts, StayFact, sql::StoredValue};

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
    let (consents, entries) = conn.ledger_and_register(guest).await?;
    drop(conn);
    let keys = vault.keys.fresh_guest_keys(guest, &Category::ALL).await?;
    let now = vault.clock.now();
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
        opened.extend(stay(vault, &row.property, &input, now));
    }
    let policy = vault.policies.current();
    let told = |field: &str| told(policy.catalogue(), guest, &keys, &values, field);
    let last_activity = values
        .iter()
        .map(|value| from_micros(value.observed_at).date_naive())
        .max();
    let mut facts = Facts {
        nationality: told("nationality"),
        born: told("birth_date").and_then(|day| day.parse().ok()),
        last_activity,
        stays: opened,
        drawers: Vec::new(),
    };
    let counts = [
        (Category::Stay, stays.len()),
        (Category::Consent, usize::try_from(consents).unwrap_or(0)),
        (Category::Statutory, usize::try_from(entries).unwrap_or(0)),
    ];
    facts.drawers = drawers(policy.catalogue(), &facts, &values, &counts);
    Ok(Some(House {
        version,
        status,
        survivor: survivor.map(GuestId),
        facts,
        keys,
    }))
}

fn stay(vault: &Vault, property: &str, input: &StayInput, now: DateTime<Utc>) -> Option<StayFact> {
    let code = property.parse().ok()?;
    let node = vault.properties.get(&code);
    let today = now
        .with_timezone(&node.map(|node| node.timezone).unwrap_or_default())
        .date_naive();
    let region = node.and_then(|node| node.region.clone()).unwrap_or_default();
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
    Some(StayFact {
        country: region,
        province: None,
        arrival: input.arrival,
        departure: input.departure,
        came,
        open,
    })
}

/// A field's one value, when all sources agree on it: where they do not, nothing is concluded from it.
fn told(
    catalogue: &Catalogue,
    guest: GuestId,
    keys: &GuestKeys,
    values: &[StoredValue],
    field: &str,
) -> Option<String> {
    let (_, known) = catalogue.find(field)?;
    let open = |value: &StoredValue| {
        let aad = Aad {
            guest,
            record: value.record_id,
            path: &value.field,
            version: seal_version(value.version),
        };
        let plain = keys.open_internal(known.category, &value.sealed, &aad).ok()?;
        match serde_json::from_slice(&plain).ok()? {
            Value::String(text) => Some(text),
            _ => None,
        }
    };
    let mut all = values.iter().filter(|value| value.field == field).map(open);
    let first = all.next()??;
    all.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

fn drawers(
    catalogue: &Catalogue,
    facts: &Facts,
    values: &[StoredValue],
    counts: &[(Category, usize)],
) -> Vec<Drawer> {
    let last_stay = facts.stays.iter().map(|stay| stay.departure).max();
    let mut found: BTreeMap<Category, Drawer> = BTreeMap::new();
    let mut drawer = |category: Category, count: u64, until: Option<NaiveDate>| {
        let entry = found.entry(category).or_insert(Drawer {
            category,
            values: 0,
            house: None,
        });
        entry.values = entry.values.saturating_add(count);
        entry.house = entry.house.max(until);
    };
    for value in values {
        let Some((_, field)) = catalogue.find(&value.field) else {
            continue;
        };
        let observed = from_micros(value.observed_at).date_naive();
        drawer(
            field.category,
            1,
            house_term(&field.retention, last_stay, observed),
        );
    }
    for (category, count) in counts.iter().filter(|(_, count)| *count > 0) {
        let term = (*category == Category::Stay).then_some("LS+36m");
        let until = term.and_then(|term| house_term(term, last_stay, last_stay?));
        drawer(*category, u64::try_from(*count).unwrap_or(u64::MAX), until);
    }
    found.into_values().collect()
}

/// By when the house's own term wants a value gone: `LS` after the last stay, `CO` after the check-out, `AT` after it
/// was recorded. A guest without stays is measured from the last word about it. Other terms end with something else.
fn house_term(term: &str, last_stay: Option<NaiveDate>, observed: NaiveDate) -> Option<NaiveDate> {
    let (from, rest) = term.split_once('+')?;
    let begin = match from {
        "LS" | "CO" => last_stay.unwrap_or(observed),
        "AT" => observed,
        _ => return None,
    };
    let (count, unit) = rest.split_at_checked(rest.len().checked_sub(1)?)?;
    match unit {
        "m" => begin.checked_add_months(Months::new(count.parse().ok()?)),
        "d" => begin.checked_add_days(chrono::Days::new(count.parse().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn house_terms_count_from_what_they_name() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let term = |text| house_term(text, Some(day("2026-01-31")), day("2026-02-10"));
        assert_eq!(term("LS+1m"), Some(day("2026-02-28")));
        assert_eq!(term("CO+30d"), Some(day("2026-03-02")));
        assert_eq!(term("AT+13m"), Some(day("2027-03-10")));
        for other in ["life", "consent", "ME+12m", "CL+36m", "LS+", "LS+x", "+1m"] {
            assert_eq!(term(other), None, "{other}");
        }
        assert_eq!(
            house_term("LS+1m", None, day("2026-02-10")),
            Some(day("2026-03-10"))
        );
    }
}
