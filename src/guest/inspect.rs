//! Opening every stored value, to find those that do not open: for the operator, never for an answer.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use uuid::Uuid;

use crate::{
    base::{Category, GuestId},
    crypto::{Aad, Sealed},
    keys::GuestKeys,
};

use super::{
    GuestError, Vault,
    consents::{details_place, evidence_place},
    prepare::seal_version,
    put::source_id_place,
    sql::{Table, ValueRow},
    stay, stay_words,
};

/// Rows opened at a time.
const PAGE: i64 = 2000;
/// Damaged rows named at most.
const MOST: usize = 100;

/// What an inspection found.
#[derive(Debug, Default, Serialize)]
pub struct Inspection {
    /// Values opened: of fields, stays, sources' ids and evidence.
    pub values: u64,
    /// Values that do not open.
    pub damaged: u64,
    /// Where the first of them are: table and key of the row; never a value.
    pub places: Vec<String>,
}

impl Vault {
    /// Opens everything sealed in memory and counts what does not open where it lies.
    ///
    /// # Errors
    /// What the database or the key store says.
    pub async fn inspect(&self) -> Result<Inspection, GuestError> {
        let mut found = Inspection::default();
        for table in [
            Table::Values,
            Table::Stays,
            Table::Words,
            Table::Sources,
            Table::Evidence,
            Table::Details,
        ] {
            self.inspect_table(table, &mut found).await?;
        }
        Ok(found)
    }

    async fn inspect_table(&self, table: Table, found: &mut Inspection) -> Result<(), GuestError> {
        let mut after = (Uuid::nil(), Uuid::nil(), String::new());
        loop {
            let rows = self
                .store
                .read()
                .await?
                .sealed_page(table, (after.0, after.1, &after.2), PAGE)
                .await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = (last.guest_id, last.record_id, last.field.clone());
            self.inspect_page(table, &rows, found).await?;
        }
    }

    async fn inspect_page(
        &self,
        table: Table,
        rows: &[ValueRow],
        found: &mut Inspection,
    ) -> Result<(), GuestError> {
        let guests: BTreeSet<Uuid> = rows.iter().map(|r| r.guest_id).collect();
        let guests: Vec<GuestId> = guests.into_iter().map(GuestId).collect();
        let keys = self.keys.many_guest_keys(&guests, &Category::ALL).await?;
        let keys: BTreeMap<Uuid, &GuestKeys> = keys.iter().map(|(guest, keys)| (guest.0, keys)).collect();
        for row in rows {
            found.values += 1;
            if !keys
                .get(&row.guest_id)
                .is_some_and(|keys| opens(table, keys, row))
            {
                found.damaged += 1;
                if found.places.len() < MOST {
                    found.places.push(place(table, row));
                }
            }
        }
        Ok(())
    }
}

/// The row as an operator looks for it.
fn place(table: Table, row: &ValueRow) -> String {
    let (table, record, field) = match table {
        Table::Values => ("field_value", "record_id", "field"),
        Table::Stays => ("stay", "stay_token", "property"),
        Table::Words => ("stay_word", "stay_token", "voice"),
        Table::Sources => ("record", "record_id", "source_system"),
        Table::Evidence | Table::Details => ("consent", "consent_id", "purpose"),
    };
    let ValueRow {
        guest_id, record_id, ..
    } = row;
    format!(
        "{table} guest_id={guest_id} {record}={record_id} {field}={}",
        row.field
    )
}

fn opens(table: Table, keys: &GuestKeys, row: &ValueRow) -> bool {
    let Ok((category, _)) = Sealed::key_of(&row.sealed) else {
        return false;
    };
    let Some(category) = Category::from_code(category) else {
        return false;
    };
    let guest = GuestId(row.guest_id);
    let path = match table {
        Table::Stays => stay::path(&row.field),
        Table::Words => stay_words::path(&row.field),
        _ => row.field.clone(),
    };
    let aad = match table {
        Table::Values | Table::Stays | Table::Words => Aad {
            guest,
            record: row.record_id,
            path: &path,
            version: seal_version(row.version),
        },
        Table::Sources => source_id_place(guest, row.record_id),
        Table::Evidence => evidence_place(guest, row.record_id),
        Table::Details => details_place(guest, row.record_id),
    };
    keys.open_internal(category, &row.sealed, &aad).is_ok()
}
