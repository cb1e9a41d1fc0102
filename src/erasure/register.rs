//! The guest register's own copy: what the law asks a hotel to keep of a stay, and nothing else, so that the rest of
//! the guest can go.

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    audit::{Act, Event, Receipt},
    base::{Category, EntryId, Errand, GuestId, View},
    crypto::Aad,
    guest::{GuestError, STAY_LINKS, Vault, seal_version},
    policy::{Handover, Right},
    retention::{Compartment, House, RegisterEntry, Rules, facts, sql::StoredValue},
};

/// What a register asks for, as far as the vault has it.
const FIELDS: [&str; 8] = [
    "birth_date",
    "birth_place",
    "id_documents",
    "name.full",
    "name.given",
    "name.surname",
    "nationality",
    "postal_addresses",
];

/// The register's entries of a guest.
#[derive(Serialize, ToSchema)]
pub struct RegisterAnswer {
    /// Whose.
    pub guest_id: GuestId,
    /// Stay by stay.
    pub entries: Vec<RegisterEntry>,
    /// The record of this look.
    pub entry_id: EntryId,
}

/// The entries that the rules ask for on this day, not yet sealed.
pub(super) fn entries(
    (house, rules): (&House, &Rules),
    catalogue: &crate::base::Catalogue,
    guest: GuestId,
    values: &[StoredValue],
    today: NaiveDate,
) -> Vec<RegisterEntry> {
    let facts = &house.facts;
    let particulars = particulars(house, catalogue, guest, values);
    let mut all = Vec::new();
    for stay in &facts.stays {
        let mut entry: Option<RegisterEntry> = None;
        let register = rules
            .iter()
            .filter(|rule| rule.compartment == Compartment::Register);
        for rule in register {
            let Some(begin) = rule.begins(stay, facts.nationality.as_deref(), facts.born) else {
                continue;
            };
            let Some(keep) = rule
                .min
                .and_then(|span| span.after(begin))
                .filter(|day| *day > today)
            else {
                continue;
            };
            let gone = rule.max.and_then(|span| span.after(begin));
            let entry = entry.get_or_insert_with(|| RegisterEntry {
                property: Some(stay.property.clone()),
                country: stay.country.clone(),
                arrival: stay.arrival,
                departure: stay.departure,
                rules: Vec::new(),
                keep_until: keep,
                gone_by: gone,
                guest: particulars.clone(),
            });
            entry.rules.push(rule.id.clone());
            entry.keep_until = entry.keep_until.max(keep);
            entry.gone_by = match (entry.gone_by, gone) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        all.extend(entry);
    }
    all
}

/// The newest word on each field of the register.
fn particulars(
    house: &House,
    catalogue: &crate::base::Catalogue,
    guest: GuestId,
    values: &[StoredValue],
) -> Map<String, Value> {
    let mut sorted: Vec<&StoredValue> = values
        .iter()
        .filter(|value| FIELDS.contains(&value.field.as_str()))
        .collect();
    sorted.sort_by_key(|value| value.observed_at);
    let mut map = Map::new();
    for value in sorted {
        let Some((_, field)) = catalogue.find(&value.field) else {
            continue;
        };
        let aad = Aad {
            guest,
            record: value.record_id,
            path: &value.field,
            version: seal_version(value.version),
        };
        let opened = house.keys.open_internal(field.category, &value.sealed, &aad);
        if let Some(plain) = opened.ok().and_then(|plain| serde_json::from_slice(&plain).ok()) {
            map.insert(value.field.clone(), plain);
        }
    }
    map
}

/// Shows the register's entries of a guest, erased or not: for the law only.
///
/// # Errors
/// [`GuestError::Forbidden`], [`GuestError::NotFound`] when there are none.
pub async fn read_register(
    vault: &Vault,
    errand: &Errand,
    guest: GuestId,
) -> Result<RegisterAnswer, GuestError> {
    let policy = vault.policies.current();
    let mut event = Event::of(errand, Act::ReadRegister, vault.clock.now());
    event.policy_version = Some(policy.version().to_owned());
    event.subject = Some(vault.subject(guest, None));
    let lawful = ["legal_retention", "statutory_registration"].contains(&errand.purpose.as_str());
    if !lawful || !policy.allows(&errand.caller.role, Right::ReadRegister) {
        return vault.refuse(event, GuestError::Forbidden).await;
    }
    let rows = vault.store.read().await?.register(guest).await?;
    if rows.is_empty() {
        return vault.refuse(event, GuestError::NotFound).await;
    }
    let (today, reach) = (vault.clock.now().date_naive(), vault.reach(&errand.caller));
    // Each house has a register of its own. What the next sweep removes is not shown any more.
    let is_seen = |entry: &RegisterEntry| {
        let house = entry.property.as_deref().unwrap_or_default();
        reach.holds(house) && !entry.is_over(today)
    };
    let keys = vault.keys.guest_keys(guest, &[Category::Statutory]).await?;
    let mut seen = Vec::with_capacity(rows.len());
    for (id, sealed) in rows {
        let entry = RegisterEntry::open(&keys, guest, id, &sealed)?;
        if is_seen(&entry) {
            seen.push((id, sealed));
            let paths = entry.guest.keys().map(String::as_str).chain([STAY_LINKS]);
            let paths = paths.filter_map(|path| path.parse().ok());
            event.fields.extend(paths.map(|path| (path, View::Plain)));
        }
    }
    if seen.is_empty() && !reach.is_whole() {
        return vault.refuse(event, GuestError::NotFound).await;
    }
    event.count = u64::try_from(seen.len()).ok();
    let receipt: Receipt<Handover> = vault.log.record(event, Handover::of(guest)).await?;
    let mut entries = Vec::with_capacity(seen.len());
    for (id, sealed) in seen {
        let plain = keys.open_handed(
            &receipt,
            Category::Statutory,
            &sealed,
            &RegisterEntry::place(guest, id),
        )?;
        entries.push(serde_json::from_slice(plain.bytes()).map_err(|_| GuestError::Damaged)?);
    }
    Ok(RegisterAnswer {
        guest_id: guest,
        entries,
        entry_id: receipt.entry(),
    })
}

/// What a preview of the register needs besides the facts.
///
/// # Errors
/// What the database says.
pub(super) async fn stored(
    vault: &Vault,
    guest: GuestId,
) -> Result<Option<(House, Vec<StoredValue>)>, GuestError> {
    let Some(house) = facts(vault, guest).await? else {
        return Ok(None);
    };
    let values = vault.store.read().await?.stored_values(guest).await?;
    Ok(Some((house, values)))
}
