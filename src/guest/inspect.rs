//! Opening every stored value, to find those that do not open: for the operator, never for an answer.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;

use crate::{
    base::{Category, GuestId},
    crypto::{Aad, Sealed},
    keys::GuestKeys,
};

use super::{GuestError, Vault, prepare::seal_version, sql::ValueRow};

/// Rows opened at a time.
const PAGE: i64 = 2000;
/// Damaged rows named at most.
const MOST: usize = 100;

/// What an inspection found.
#[derive(Debug, Default, Serialize)]
pub struct Inspection {
    /// Values opened.
    pub values: u64,
    /// Values that do not open.
    pub damaged: u64,
    /// Where the first of them are: table, guest, record and field; never a value.
    pub places: Vec<String>,
}

impl Vault {
    /// Opens every stored value in memory and counts those that do not open where they lie.
    ///
    /// # Errors
    /// What the database or the key store says.
    pub async fn inspect(&self) -> Result<Inspection, GuestError> {
        let mut found = Inspection::default();
        let mut after = (Uuid::nil(), Uuid::nil(), String::new());
        loop {
            let rows = self
                .store
                .read()
                .await?
                .fields_page((after.0, after.1, &after.2), PAGE)
                .await?;
            let Some(last) = rows.last() else { return Ok(found) };
            after = (last.guest_id, last.record_id, last.field.clone());
            self.inspect_page(&rows, &mut found).await?;
        }
    }

    async fn inspect_page(&self, rows: &[ValueRow], found: &mut Inspection) -> Result<(), GuestError> {
        let guests: BTreeSet<Uuid> = rows.iter().map(|r| r.guest_id).collect();
        let guests: Vec<GuestId> = guests.into_iter().map(GuestId).collect();
        let keys = self.keys.many_guest_keys(&guests, &Category::ALL).await?;
        let keys: BTreeMap<Uuid, &GuestKeys> = keys.iter().map(|(guest, keys)| (guest.0, keys)).collect();
        for row in rows {
            found.values += 1;
            if !keys.get(&row.guest_id).is_some_and(|keys| opens(keys, row)) {
                found.damaged += 1;
                if found.places.len() < MOST {
                    found.places.push(format!(
                        "field_value guest_id={} record_id={} field={}",
                        row.guest_id, row.record_id, row.field
                    ));
                }
            }
        }
        Ok(())
    }
}

fn opens(keys: &GuestKeys, row: &ValueRow) -> bool {
    let Ok((category, _)) = Sealed::key_of(&row.sealed) else {
        return false;
    };
    let Some(category) = Category::from_code(category) else {
        return false;
    };
    let aad = Aad {
        guest: GuestId(row.guest_id),
        record: row.record_id,
        path: &row.field,
        version: seal_version(row.version),
    };
    keys.open_internal(category, &row.sealed, &aad).is_ok()
}
